"""A trading day: a community's half-hours, quoted, bid, matched, metered and settled through the contract.

Every period of the input goes through all phases of the market, at the chain's own times; a period's bidding starts
while the one before is being delivered, so up to three are under way at once. In each period

- every household forecasts its net energy (solar less load). Who expects a surplus quotes it, at P_sell of Liu et al.
  2017 (`wattproof.simulation.pricing`), kept in the market's price band;
- who expects a deficit bids P_buy, kept between the quote's price and SSP - fee, and spreads its demand over the quotes
  in proportion to their volumes; bids are sealed, opened, matched;
- who still lacks energy buys what the matching left;
- after the delivery the meters of those who quoted report first, as nothing is sold before; whoever imported more than
  it bought buys what they exported beyond their sales; then all other meters report;
- the owner settles all quotes, then every household's account with the supplier.

The market takes no purchase below a 64th of what is offered, but all that is left (T-SUR-11). Who lacks less than that
buys the least where that still costs it less than the grid: what it does not use of it is resold to the supplier. Else
it leaves it. And nobody plans beyond the capacity of its connection: quotes are cut to it, and so are bids, and
purchases to what the opened bids and earlier purchases of the period have left of it (T-REG-21).

Without supply (at night) nobody bids, but meters report and accounts are settled all the same.

A community of hundreds would bid on dozens of quotes each, all at the same price, and a quote takes 128 opened bids
(T-BID-13). So a household bids on at most `REACH` quotes, in a rotation that spreads the bids evenly, and where a quote
would have more bidders than it takes, whose turn it is rotates, too; the others buy what is left.

After each period the market's accounts are set against the tokens that it holds, against the escrow of the open quotes
and against books kept from its events alone (`wattproof.simulation.accounting`).

Memory does not grow with the periods: of what is over, only bills are kept here. The chain's own state, which grows
until its places are all used, lies on disk on py-evm, and takes some 110 bytes a slot on revm: see
`wattproof.evm.pruning`. 140 households over 96 half-hours: 180 MB throughout on py-evm, 220 to 280 MB on revm.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from wattproof.evm.engine import engine as fresh_engine
from wattproof.evm.pruning import StatePruning
from wattproof.market.calls import Calls
from wattproof.market.clock import Clock
from wattproof.market.deployment import Deployment, Tariff, deploy
from wattproof.market.meters import Meter
from wattproof.market.seals import seal_of
from wattproof.market.units import pence
from wattproof.simulation.accounting import Bill, Books, Event, Trade, price, ratio
from wattproof.simulation.bidding import apportion, in_reach, purchase, turns
from wattproof.simulation.households import HalfHour, PeriodRow
from wattproof.simulation.names import fault, unused
from wattproof.simulation.pricing import into_band, sdr_prices
from wattproof.terms.model import MAX_OPENED, MAX_TRADES, Phase

EPOCH = 1_750_464_000
"""Midnight UTC of 21 June 2025, in seconds: where the first period of every input starts, whatever today's date is."""

FLOAT = pence(10_000)
"""What every party deposits at first, in base units: 100 pounds."""


class Readings(Protocol):
    """A community's half-hours, such as `households.Households`: one row after the other, from the start.

    `capacities` says what each household's connection carries in a period, in Wh.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def capacities(self) -> Mapping[str, int]: ...

    def __iter__(self) -> Iterator[PeriodRow]: ...


@dataclass(frozen=True)
class Conduct:
    """What a household does otherwise than the plain day; factors and chances in thousandths.

    Who is revoked for it stays so.

    quotes    of its forecast surplus it quotes so much; 1500 is half as much again
    bids      of its forecast deficit it bids for so much
    decoys    for so much of its forecast deficit it bids at the quotes' price, only so as to have asked for it: on all
              quotes but the largest, which takes its other bid; where there is one quote only, both are one bid
    reveals   so many of its sealed bids it opens, drawn from the seed
    eager     so far from the quote's price to the period's bid price, and beyond, its own bids stand
    partner   a household: it bids on that one's quotes only, at the highest price, wherever that one quotes
    shill     where it lacks energy it bids for all of each quote that it bids on, at the quote's price
    phantom   wherever others quote, it quotes all that its connection carries, and bids for nothing
    silent    it hands in no reading of a period in which it quoted
    farmed    before the first period it buys 1 Wh in so many half-hours, of a household that is made for it
    """

    quotes: int = 1000
    bids: int = 1000
    decoys: int = 0
    reveals: int = 1000
    eager: int = 1000
    partner: str | None = None
    shill: bool = False
    phantom: bool = False
    silent: bool = False
    farmed: int = 0


PLAIN = Conduct()


@dataclass
class Member:
    """A household in the market: its name in the file, its address, its meter, and what its connection carries in a
    period, in Wh."""

    name: str
    address: str
    meter: Meter
    capacity: int


@dataclass
class Bid:
    """A bid: whose, on which quote, price in base units per Wh, volume in Wh, its salt, and the Wh that it won."""

    household: str
    address: str
    quote_id: int
    price: int
    volume: int
    salt: bytes
    filled: int = 0


@dataclass(frozen=True)
class PeriodResult:
    """What a settled period came to: energy in Wh, money in base units, prices in base units per Wh.

    period                   number of the period in the file; `chain_period` is the market's
    supply, demand           all forecast surpluses and all forecast deficits; their ratio is the SDR
    quote_price, bid_price   None where nothing was quoted, or nobody bid
    quotes, bids             how many were submitted and opened
    sold, delivered          volumes of the trades, and what arrived of them
    exported, imported       what the meters reported
    fees, compensation       paid by both sides of the trades; paid to buyers
    performances, defaults   how many were recorded
    in_escrow                still reserved after the period, all of it for quotes of later periods
    accounts_total, market_holds   all free and reserved money; the tokens that the market holds
    trades                   all trades, with households by name
    bills                    what the period came to for each household, by name
    offers                   the bids that were opened, in that order
    unread                   households without a reading: their import is not in their bills (T-MET-7)
    """

    period: int
    chain_period: int
    supply: int
    demand: int
    quote_price: int | None
    bid_price: int | None
    quotes: int
    bids: int
    sold: int
    delivered: int
    exported: int
    imported: int
    fees: int
    compensation: int
    performances: int
    defaults: int
    in_escrow: int
    accounts_total: int
    market_holds: int
    trades: tuple[Trade, ...]
    bills: Mapping[str, Bill]
    offers: tuple[Bid, ...]
    unread: frozenset[str] = frozenset()

    @property
    def balances_match(self) -> bool:
        """Whether the accounts added up to the market's tokens, to the last base unit."""
        return self.accounts_total == self.market_holds

    @property
    def sdr(self) -> str:
        """The supply-demand ratio as an exact fraction of Wh, "supply/demand"."""
        return f"{self.supply}/{self.demand}"

    def row(self) -> dict[str, Any]:
        """The period as a row of periods.csv."""
        return {
            "period": self.period,
            "supply_wh": self.supply,
            "demand_wh": self.demand,
            "sdr": self.sdr,
            "sdr_text": ratio(self.supply, self.demand),
            "quote_price": self.quote_price,
            "bid_price": self.bid_price,
            "quotes": self.quotes,
            "bids": self.bids,
            "trades": len(self.trades),
            "sold_wh": self.sold,
            "delivered_wh": self.delivered,
            "exported_wh": self.exported,
            "imported_wh": self.imported,
            "fees": self.fees,
            "compensation": self.compensation,
            "performances": self.performances,
            "defaults": self.defaults,
            "in_escrow": self.in_escrow,
            "accounts_total": self.accounts_total,
            "market_holds": self.market_holds,
            "balances_match": "true" if self.balances_match else "false",
        }

    def summary(self) -> dict[str, Any]:
        """The period as an object of summary.json: money as strings, since JSON readers may round large numbers."""
        summary = self.row()
        for name in ("fees", "compensation", "in_escrow", "accounts_total", "market_holds"):
            summary[name] = str(summary[name])
        summary["quote_price"] = price(self.quote_price)
        summary["bid_price"] = price(self.bid_price)
        summary["balances_match"] = self.balances_match
        return summary


_PHASES = {
    "settle": Phase.SETTLING,
    "meter": Phase.METERING,
    "match": Phase.MATCHING,
    "reveal": Phase.REVEALING,
    "bid": Phase.REVEALING,
}
"""The steps of a period, and the phases at whose beginning they are taken; bids, at the end of the phase before. Of
steps of one second, those stand first that are taken first."""


@dataclass
class _Period:
    """A period under way."""

    index: int
    number: int
    row: PeriodRow
    supply: int = 0
    demand: int = 0
    quote_price: int | None = None
    bid_price: int | None = None
    quotes: dict[str, int] = field(default_factory=dict)  # by household
    wanted: dict[str, int] = field(default_factory=dict)  # forecast deficits
    decoys: Counter[str] = field(default_factory=Counter)
    bids: list[Bid] = field(default_factory=list)
    bought: Counter[str] = field(default_factory=Counter)
    claimed: Counter[str] = field(default_factory=Counter)  # of the capacity: opened bids and purchases
    read: set[str] = field(default_factory=set)
    bills: dict[str, Bill] = field(default_factory=dict)


def _spread(
    quotes: list[tuple[int, int]], wanted: int, price: int, decoys: int, lowest: int
) -> Iterator[tuple[int, int, int]]:
    """A household's bids on `quotes` (ID and volume): ID, price, volume above 0; `decoys` Wh of them at `lowest`."""
    parts = [(quotes, wanted + decoys, price)]
    if decoys and len(quotes) > 1:
        largest = max(quotes, key=lambda quote: quote[1])
        parts = [([largest], wanted, price), ([quote for quote in quotes if quote is not largest], decoys, lowest)]
    for taken, volume, at in parts:
        for (quote_id, _), part in zip(taken, apportion(volume, [offered for _, offered in taken]), strict=True):
            if part:
                yield quote_id, at, part


class TradingDay:
    """A community on a market of its own. Iterating runs it, once: one `PeriodResult` after the other.

    Deterministic: input, seed, tariff and nothing else decide the results, on either engine.

    books     bills and balances so far, by address (`wattproof.simulation.accounting.Books`)
    members   name -> `Member`, in the order of the file
    before_call, on_call   where set, are called before each call of the market, and with its name and computation
    at        index of the period whose step is being taken
    """

    def __init__(
        self,
        households: Readings,
        seed: int = 0,
        tariff: Tariff | None = None,
        engine: str = "pyevm",
        conduct: Mapping[str, Conduct] | None = None,
    ) -> None:
        """Deploys token and market in a fresh environment of `engine`, registers and funds every household.

        `seed` decides the salts of the bids (and the meters' keys); the forecasts are the file's, or follow from the
        seed that it was opened with. `conduct` says which households do what otherwise than the rest. Raises
        EngineUnavailable where there is no such engine, ValueError for a household's name that a table cannot hold.
        """
        for name in households.names:
            if problem := fault(name):
                raise ValueError(f"household {problem}: {name!r}")
        self.households = households
        self.conduct = dict(conduct or {})
        self.before_call: Callable[[], None] | None = None
        self.on_call: Callable[[str, Any], None] | None = None
        self.at = 0
        self.seed = seed
        self.tariff = tariff or Tariff()
        self.clock = Clock(self.tariff.period_length, self.tariff.window)
        self._first = -(-EPOCH // self.tariff.period_length)
        self._begun = False
        self._settled: list[Trade] = []
        # titanoboa's current environment is borrowed for the deployment only: contracts remember their own.
        with fresh_engine(engine) as env:
            self.env = env
            env.timestamp = self._time(min((0, *self._farming())), "bid") - self.tariff.period_length
            deployment: Deployment = deploy(self.tariff, show=None)
            addresses = [str(env.generate_address()) for _ in households.names]
            stooge = str(env.generate_address())
        self.market, self.token = deployment.market, deployment.token
        self.owner, self.supplier = str(deployment.owner), str(deployment.supplier)
        self.footprint = StatePruning(env, self.market.address)
        self._calls, self._token_calls = Calls(env, self.market), Calls(env, self.token)
        self.members = {
            name: Member(name, address, Meter(f"{seed} {name}"), households.capacities[name])
            for name, address in zip(households.names, addresses, strict=True)
        }
        self.books = Books(
            self.tariff, self.owner, self.supplier, {member.address: name for name, member in self.members.items()}
        )
        for member in self.members.values():
            self._register(member)
            self._deposit(member.address, FLOAT)
        self._deposit(self.supplier, FLOAT)
        if self._farming():
            self._farm(stooge)

    def bill(self, name: str) -> Bill:
        """The bill of a household so far."""
        return self.books.bills[self.members[name].address]

    @property
    def bills(self) -> dict[str, Bill]:
        """The bills of all households so far, by name."""
        return {name: self.bill(name) for name in self.members}

    def __iter__(self) -> Iterator[PeriodResult]:
        """Runs the day. Raises BooksDoNotBalance where money goes astray, and BadInput where the file changes."""
        if self._begun:
            raise RuntimeError("a day is run once; make another one")
        self._begun = True
        rows = enumerate(self.households)
        steps: list[tuple[int, int, str, _Period]] = []
        coming = next(rows, None)
        while steps or coming:
            # A period joins in when its bidding is the next thing to happen.
            while coming and (not steps or self._time(coming[0], "bid") <= steps[0][0]):
                index, row = coming
                period = _Period(index, self._first + index, row, bills={name: Bill() for name in self.members})
                for order, step in enumerate(_PHASES):
                    heapq.heappush(steps, (self._time(index, step), order * 2**48 + index, step, period))
                coming = next(rows, None)
            time, _, step, period = heapq.heappop(steps)
            self.env.timestamp = time
            self.at = period.index
            # Each step serves one period, so what the bills grow by in it belongs to that one.
            before = {name: replace(bill) for name, bill in self.bills.items()}
            getattr(self, f"_{step}")(period)
            for name, bill in self.bills.items():
                if bill != before[name]:
                    period.bills[name] += bill - before[name]
            if step == "settle":
                yield self._result(period)
                self.footprint.shrink()

    def close(self) -> None:
        """Gives the disk space of the chain's state back; the market cannot be asked anything afterwards."""
        self.footprint.close()

    # ---- the steps of a period ---------------------------------------------------------------

    def _bid(self, period: _Period) -> None:
        """BIDDING: forecasts, quotes and sealed bids."""
        surplus: dict[str, int] = {}
        phantoms: dict[str, int] = {}
        for name, half_hour in period.row.items():
            conduct, member = self.conduct.get(name, PLAIN), self.members[name]
            net = half_hour.forecast_pv - half_hour.forecast_load
            if member.address not in self.books.authorized:
                continue
            if conduct.phantom:
                phantoms[name] = member.capacity
            elif net > 0 and (volume := min(net * conduct.quotes // 1000, member.capacity)):
                surplus[name] = volume
            elif net < 0 and (volume := min(-net * conduct.bids // 1000, member.capacity)):
                period.wanted[name] = volume
                period.decoys[name] = min(-net * conduct.decoys // 1000, member.capacity - volume)
        if surplus:
            surplus |= phantoms
        tariff = self.tariff
        period.supply, period.demand = sum(surplus.values()), sum(period.wanted.values()) + period.decoys.total()
        if not surplus:
            return
        p_sell, p_buy = sdr_prices(period.supply, period.demand, tariff.sbp, tariff.ssp)
        period.quote_price = into_band(p_sell, tariff.lowest_price, tariff.highest_price)
        for name, volume in surplus.items():
            member = self.members[name]
            self._afford(member.address, volume * tariff.ssp * 10 // 100)
            events = self._send("submit_quote", period.number, volume, period.quote_price, sender=member.address)
            (period.quotes[name],) = (arguments["quote_id"] for event, arguments in events if event == "QuoteSubmitted")
        if not period.wanted:
            return
        period.bid_price = into_band(p_buy, period.quote_price, tariff.highest_price)
        period.bids = self._plan_bids(period, [(period.quotes[name], volume) for name, volume in surplus.items()])
        for bid in period.bids:
            content = (bid.quote_id, bid.address, bid.price, bid.volume, bid.salt)
            seal = seal_of(self._chain, str(self.market.address), *content)
            self._send("submit_bid", bid.quote_id, seal, sender=bid.address)

    def _reveal(self, period: _Period) -> None:
        """REVEALING: the bids are opened."""
        period.bids = [bid for bid in period.bids if self._opens(bid)]
        for bid in period.bids:
            self._afford(bid.address, bid.volume * (bid.price + self.tariff.service_fee))
            self._send("reveal_bid", bid.quote_id, bid.price, bid.volume, bid.salt, sender=bid.address)
            period.claimed[bid.address] += bid.volume

    def _match(self, period: _Period) -> None:
        """MATCHING: the bids are matched, then what is left is bought by who still lacks energy."""
        bids = {(bid.quote_id, bid.address): bid for bid in period.bids}
        for quote_id in period.quotes.values():
            for name, arguments in self._send("match_bids", quote_id, sender=self.owner):
                if name == "BidConfirmed":
                    bids[quote_id, arguments["bidder"]].filled = arguments["filled"]
                    period.bought[arguments["bidder"]] += arguments["filled"]
        quotes = {quote_id: self.books.quotes[quote_id] for quote_id in period.quotes.values()}
        left = {quote_id: quote.volume - quote.sold for quote_id, quote in quotes.items()}
        self._buy_left(period, left, period.wanted)

    def _meter(self, period: _Period) -> None:
        """METERING: who quoted is read first, its excess is bought, then everybody else is read."""
        for name in period.quotes:
            if not self.conduct.get(name, PLAIN).silent:
                self._read(period, name)
        left = {quote_id: self._calls.view("remaining", quote_id) for quote_id in period.quotes.values()}
        imports = {name: max(0, half_hour.load - half_hour.pv) for name, half_hour in period.row.items()}
        self._buy_left(period, left, imports)
        for name in period.row:
            # Who is not authorised reports where it has business in the period (T-MET-5).
            user = self.members[name].address
            if name not in period.quotes and (user in self.books.authorized or period.bought[user]):
                self._read(period, name)

    def _settle(self, period: _Period) -> None:
        """SETTLING: the owner settles the quotes, then the accounts; the supplier has enough to pay."""
        self._settled = []
        for quote_id in period.quotes.values():
            self._send("settle_quote", quote_id, sender=self.owner)
        exported = sum(max(0, half_hour.pv - half_hour.load) for half_hour in period.row.values())
        self._afford(self.supplier, (exported + sum(period.bought.values())) * self.tariff.sbp)
        for name, half_hour in period.row.items():
            user = self.members[name].address
            if name not in period.read and not period.bought[user]:
                continue
            self._afford(user, max(0, half_hour.load - half_hour.pv) * self.tariff.ssp)
            self._send("settle_account", user, period.number, sender=self.owner)
            if self.books.balances[user].invoice:
                self._send("clear", user, sender=self.owner)

    def _result(self, period: _Period) -> PeriodResult:
        """Compares the market's money with the books, and sums the period up."""
        accounts = {party: self._calls.view("account", party) for party in self.books.balances}
        held = self._token_calls.view("balanceOf", str(self.market.address))
        self.books.compare(period.row.period, accounts, held)
        trades, self._settled = self._settled, []
        names = self.books.names
        for trade in trades:
            trade.period, trade.prosumer, trade.buyer = period.row.period, names[trade.prosumer], names[trade.buyer]
        nets = [half_hour.pv - half_hour.load for half_hour in period.row.values()]
        total = sum(period.bills.values(), Bill())
        return PeriodResult(
            period=period.row.period,
            chain_period=period.number,
            supply=period.supply,
            demand=period.demand,
            quote_price=period.quote_price,
            bid_price=period.bid_price,
            quotes=len(period.quotes),
            bids=len(period.bids),
            sold=sum(trade.volume for trade in trades),
            delivered=sum(trade.delivered for trade in trades),
            exported=sum(net for net in nets if net > 0),
            imported=-sum(net for net in nets if net < 0),
            fees=total.fees,
            compensation=total.compensation,
            performances=total.performances,
            defaults=total.defaults,
            in_escrow=sum(account.reserved for account in accounts.values()),
            accounts_total=sum(account.balance + account.reserved for account in accounts.values()),
            market_holds=held,
            trades=tuple(trades),
            bills=period.bills,
            offers=tuple(period.bids),
            unread=frozenset(name for name in period.row if name not in period.read),
        )

    # ---- what households decide -----------------------------------------------------------------

    def _plan_bids(self, period: _Period, quotes: list[tuple[int, int]]) -> list[Bid]:
        """Which household bids for how much of which `quotes` (ID and volume), in the order of handing in."""
        bids: list[Bid] = []
        takers = dict.fromkeys((quote_id for quote_id, _ in quotes), 0)
        lowest, usual = period.quote_price or 0, period.bid_price or 0
        for turn, name in enumerate(turns(period.index, period.wanted)):
            conduct, member = self.conduct.get(name, PLAIN), self.members[name]
            chosen = in_reach(quotes, turn)
            price = into_band(lowest + (usual - lowest) * conduct.eager // 1000, lowest, self.tariff.highest_price)
            wanted = period.wanted[name]
            if conduct.partner in period.quotes:
                chosen = [quote for quote in quotes if quote[0] == period.quotes[conduct.partner]]
                price = self.tariff.highest_price
            if conduct.shill:
                price, wanted = lowest, member.capacity
            chosen = [(quote_id, volume) for quote_id, volume in chosen if takers[quote_id] < MAX_OPENED]
            for quote_id, at, volume in _spread(chosen, wanted, price, period.decoys[name], lowest):
                takers[quote_id] += 1
                salt = hashlib.sha256(f"{self.seed}:salt:{period.number}:{quote_id}:{name}".encode()).digest()
                bids.append(Bid(name, member.address, quote_id, at, volume, salt))
        return bids

    def _opens(self, bid: Bid) -> bool:
        """Whether the bidder opens its bid; it cannot where it is no longer authorised."""
        if bid.address not in self.books.authorized:
            return False
        reveals = self.conduct.get(bid.household, PLAIN).reveals
        return reveals >= 1000 or int.from_bytes(hashlib.sha256(b"reveal" + bid.salt).digest(), "big") % 1000 < reveals

    def _buy_left(self, period: _Period, left: dict[int, int], wanted: dict[str, int]) -> None:
        """Everybody buys, in turn and cheapest first, what it wants beyond what it bought, of what quotes have left.

        A purchase below the least is rounded up to it where that still costs less than the grid, else left out.
        """
        offers = [quote_id for quote_id, volume in left.items() if volume > 0]
        offers.sort(key=lambda quote_id: (self.books.quotes[quote_id].price, quote_id))
        for name in turns(period.index, wanted):
            user = self.members[name].address
            if user not in self.books.authorized:
                continue
            for quote_id in list(offers):
                quote = self.books.quotes[quote_id]
                room = self.members[name].capacity - period.claimed[user]
                lacking = min(wanted[name] - period.bought[user], room)
                volume = purchase(lacking, left[quote_id], quote.least(), quote.price, self.tariff)
                if not 0 < volume <= room or quote.prosumer == user:
                    continue
                self._afford(user, volume * (quote.price + self.tariff.service_fee))
                self._send("buy_surplus", quote_id, volume, sender=user)
                period.bought[user] += volume
                period.claimed[user] += volume
                left[quote_id] -= volume
                if left[quote_id] == 0 or len(quote.trades) == MAX_TRADES:
                    offers.remove(quote_id)

    # ---- the chain ----------------------------------------------------------------------------

    def _time(self, index: int, step: str) -> int:
        """The second at which a step of the period `index` is taken."""
        begins = self.clock.begins(_PHASES[step], self._first + index)
        # As late as bidding allows: forecasts are best then.
        return begins - 1 if step == "bid" else begins

    def _register(self, member: Member) -> None:
        # The profile stands for the salted hash of personal data (T-REG-2); a simulated household has only a name.
        profile = hashlib.sha256(f"{self.seed}:profile:{member.name}".encode()).digest()
        signature = member.meter.sign_pairing(self.market, member.address, profile, self._chain)
        self._send("register", profile, member.meter.address, signature, sender=member.address)
        self._send("authorize", member.address, member.capacity, sender=self.owner)

    def _read(self, period: _Period, name: str) -> None:
        """The household's meter signs its reading and hands it in."""
        half_hour = period.row[name]
        net = half_hour.pv - half_hour.load
        member = self.members[name]
        reading = (member.address, period.number, max(0, net), max(0, -net))
        signature = member.meter.sign_reading(self.market, *reading, self._chain)
        self._send("submit_reading", *reading, signature, sender=member.address)
        period.read.add(name)

    def _farming(self) -> range:
        """Indices of the half-hours before the first period in which standing is farmed: every third, so that each is
        over before the next begins."""
        return range(-3 * max((conduct.farmed for conduct in self.conduct.values()), default=0), 0, 3)

    def _farm(self, address: str) -> None:
        """Standing for nearly nothing: a household at `address` that is made for it sells 1 Wh to each that farms, the
        meters report just that, and both sides have performed well (T-STD-4, T-STD-7)."""
        farmed = {name: conduct.farmed for name, conduct in self.conduct.items() if conduct.farmed}
        stooge = Member(unused("stooge", self.members), address, Meter(f"{self.seed}:stooge"), len(farmed))
        self.books.join(stooge.address, stooge.name)
        self._register(stooge)
        self._deposit(stooge.address, FLOAT)
        # The plain day's steps, with the stooge as one more member.
        half_hours, conduct, members = self._farming(), self.conduct, self.members
        self.conduct, self.members = {}, members | {stooge.name: stooge}
        for turn, index in enumerate(half_hours):
            farmers = [name for name, turns in farmed.items() if turns > turn]
            row = dict.fromkeys(farmers, HalfHour(1, 0, 1, 0))
            row[stooge.name] = HalfHour(0, len(farmers), 0, len(farmers))
            period = _Period(index, self._first + index, PeriodRow(index, row))
            for step in reversed(_PHASES):
                self.env.timestamp = self._time(index, step)
                getattr(self, f"_{step}")(period)
        self.conduct, self.members = conduct, members

    @property
    def _chain(self) -> int:
        return self.env.evm.patch.chain_id

    def _afford(self, party: str, amount: int) -> None:
        """Tops a party up where its free money is below `amount` base units; many times that, so that it is rare."""
        missing = amount - self.books.balances[party].free
        if missing > 0:
            self._deposit(party, FLOAT + 50 * missing)

    def _deposit(self, party: str, amount: int) -> None:
        """Sends ether to the token for credits, and deposits them."""
        self.env.set_balance(party, self.env.get_balance(party) + amount)
        self._token_calls.send("mint", sender=party, value=amount)
        self._token_calls.send("approve", str(self.market.address), amount, sender=party)
        self._send("deposit", amount, sender=party)

    def _send(self, function: str, *arguments: Any, sender: str) -> list[Event]:
        """Calls the market; books and returns its own events. titanoboa's BoaError where the call is refused."""
        if self.before_call:
            self.before_call()
        computation = self._calls.send(function, *arguments, sender=sender)
        if self.on_call:
            self.on_call(function, computation)
        events = self._calls.events(computation)
        self._settled += self.books.enter(events)
        return events
