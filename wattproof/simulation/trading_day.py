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

The market is reached through a venue (`wattproof.simulation.venue`): the one in this process, or one on a chain
(`wattproof.simulation.chain_venue`). A step is planned as a few batches of calls of which none needs what another of
them says: all quotes, all bids; all matchings, all purchases, whose volumes follow from the books. So a chain takes
each batch as one block or a few, and the order of calls, the money and the bills are the same everywhere.

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
from dataclasses import dataclass, replace
from typing import Any

from boa.environment import Env

from wattproof.evm.pruning import StatePruning
from wattproof.market.meters import Meter
from wattproof.market.seals import seal_of
from wattproof.market.tariff import PAPER, Tariff
from wattproof.simulation.accounting import Bill, Books
from wattproof.simulation.bidding import opens, plan_bids, purchase, turns
from wattproof.simulation.conduct import PLAIN, Conduct
from wattproof.simulation.households import HalfHour, PeriodRow
from wattproof.simulation.names import fault, unused
from wattproof.simulation.periods import Member, Period, PeriodResult, Readings
from wattproof.simulation.planning import Plan
from wattproof.simulation.pricing import into_band, sdr_prices
from wattproof.simulation.timetable import STEPS, Timetable
from wattproof.simulation.venue import InProcess, Venue
from wattproof.terms.model import MAX_TRADES


def _farming(conduct: Mapping[str, Conduct]) -> range:
    """Indices of the half-hours before the first period in which standing is farmed: every third, so that each is over
    before the next begins."""
    return range(-3 * max((way.farmed for way in conduct.values()), default=0), 0, 3)


def _earliest(farming: range) -> int:
    """The index of the first period that is traded."""
    return min((0, *farming))


@dataclass(frozen=True)
class Step:
    """A step that was taken: its name, the period's index, and where that is settled, what it came to."""

    name: str
    index: int
    result: PeriodResult | None


class Trading:
    """A community on a market, wherever that is. Iterating runs the day, once: one `PeriodResult` after the other.

    Deterministic: input, seed, tariff and nothing else decide the results, on any venue.

    books     bills and balances so far, by address (`wattproof.simulation.accounting.Books`)
    members   name -> `Member`, in the order of the file
    at        index of the period whose step is being taken
    """

    def __init__(
        self, households: Readings, venue: Venue, seed: int = 0, conduct: Mapping[str, Conduct] | None = None
    ) -> None:
        """Registers and funds every household on the market of `venue`.

        `seed` decides the salts of the bids (and the meters' keys); the forecasts are the file's, or follow from the
        seed that it was opened with. `conduct` says which households do what otherwise than the rest. Raises ValueError
        for a household's name that a table cannot hold.
        """
        for name in households.names:
            if problem := fault(name):
                raise ValueError(f"household {problem}: {name!r}")
        self.households, self.venue, self.seed = households, venue, seed
        self.conduct = dict(conduct or {})
        self.at = 0
        self.tariff, self.owner, self.supplier = venue.tariff, venue.owner, venue.supplier
        self._farming = _farming(self.conduct)
        self._times = Timetable(self.tariff, venue.now, _earliest(self._farming))
        self._begun = False
        self.members = {
            name: Member(name, venue.join(name), Meter(f"{seed} {name}"), households.capacities[name])
            for name in households.names
        }
        self.books = Books(
            self.tariff, self.owner, self.supplier, {member.address: name for name, member in self.members.items()}
        )
        self._plan = Plan(venue, self.books)
        self._others = self._take_over()
        venue.at(self._times.opening, self._times.opening + self.tariff.period_length)
        for member in self.members.values():
            self._register(member)
            self._plan.endow(member.address)
        self._plan.endow(self.supplier)
        self._plan.play()
        if self._farming:
            self._farm()

    def bill(self, name: str) -> Bill:
        """The bill of a household so far."""
        return self.books.bills[self.members[name].address]

    @property
    def bills(self) -> dict[str, Bill]:
        """The bills of all households so far, by name."""
        return {name: self.bill(name) for name in self.members}

    def __iter__(self) -> Iterator[PeriodResult]:
        """Runs the day. Raises BooksDoNotBalance where money goes astray, and BadInput where the file changes."""
        for step in self.steps():
            if step.result:
                yield step.result

    def steps(self) -> Iterator[Step]:
        """Runs the day, and gives control back after each step. Raises as iterating does."""
        if self._begun:
            raise RuntimeError("a day is run once; make another one")
        self._begun = True
        rows = enumerate(self.households)
        steps: list[tuple[int, int, str, Period]] = []
        coming = next(rows, None)
        while steps or coming:
            # A period joins in when its bidding is the next thing to happen.
            while coming and (not steps or self._times.window(coming[0], "bid")[0] <= steps[0][0]):
                index, row = coming
                period = Period(index, self._times.first + index, row, bills={name: Bill() for name in self.members})
                for order, step in enumerate(STEPS):
                    heapq.heappush(steps, (self._times.window(index, step)[0], order * 2**48 + index, step, period))
                coming = next(rows, None)
            *_, step, period = heapq.heappop(steps)
            self.at = period.index
            # Each step serves one period, so what the bills grow by in it belongs to that one.
            before = {name: replace(bill) for name, bill in self.bills.items()}
            self._take(step, period)
            for name, bill in self.bills.items():
                if bill != before[name]:
                    period.bills[name] += bill - before[name]
            yield Step(step, period.index, self._result(period) if step == "settle" else None)
            if step == "settle":
                self.venue.rest()

    def close(self) -> None:
        """Ends the venue; the market cannot be asked anything afterwards."""
        self.venue.close()

    # ---- the steps of a period ---------------------------------------------------------------

    def _take(self, step: str, period: Period) -> None:
        """Takes a step at its time."""
        self.venue.at(*self._times.window(period.index, step), self._times.earliest(period.index, step))
        getattr(self, f"_{step}")(period)

    def _bid(self, period: Period) -> None:
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
            takes = volume * tariff.ssp * 10 // 100
            self._plan.call(member.address, "submit_quote", period.number, volume, period.quote_price, takes=takes)
        submitted = [arguments for event, arguments in self._plan.play() if event == "QuoteSubmitted"]
        for name, arguments in zip(surplus, submitted, strict=True):
            period.quotes[name] = arguments["quote_id"]
        if not period.wanted:
            return
        period.bid_price = into_band(p_buy, period.quote_price, tariff.highest_price)
        quotes = [(period.quotes[name], volume) for name, volume in surplus.items()]
        period.bids = plan_bids(period, quotes, self.members, self.conduct, tariff.highest_price, self.seed)
        for bid in period.bids:
            content = (bid.quote_id, bid.address, bid.price, bid.volume, bid.salt)
            self._plan.call(bid.address, "submit_bid", bid.quote_id, seal_of(self._chain, self.venue.address, *content))
        self._plan.play()

    def _reveal(self, period: Period) -> None:
        """REVEALING: the bids are opened."""
        # Who is no longer authorised cannot open its bid.
        period.bids = [
            bid
            for bid in period.bids
            if bid.address in self.books.authorized and opens(bid, self.conduct.get(bid.household, PLAIN))
        ]
        for bid in period.bids:
            takes = bid.volume * (bid.price + self.tariff.service_fee)
            self._plan.call(bid.address, "reveal_bid", bid.quote_id, bid.price, bid.volume, bid.salt, takes=takes)
            period.claimed[bid.address] += bid.volume
        self._plan.play()

    def _match(self, period: Period) -> None:
        """MATCHING: the bids are matched, then what is left is bought by who still lacks energy."""
        bids = {(bid.quote_id, bid.address): bid for bid in period.bids}
        opened = Counter(bid.quote_id for bid in period.bids)
        for quote_id in period.quotes.values():
            self._plan.call(self.owner, "match_bids", quote_id, parts=opened[quote_id])
        for name, arguments in self._plan.play():
            if name == "BidConfirmed":
                bids[arguments["quote_id"], arguments["bidder"]].filled = arguments["filled"]
                period.bought[arguments["bidder"]] += arguments["filled"]
        quotes = {quote_id: self.books.quotes[quote_id] for quote_id in period.quotes.values()}
        left = {quote_id: quote.volume - quote.sold for quote_id, quote in quotes.items()}
        self._buy_left(period, left, period.wanted)
        self._plan.play()

    def _meter(self, period: Period) -> None:
        """METERING: who quoted is read first, its excess is bought, then everybody else is read."""
        for name in period.quotes:
            if not self.conduct.get(name, PLAIN).silent:
                self._read(period, name)
        self._plan.play()
        quotes = list(period.quotes.values())
        left = dict(zip(quotes, self.venue.views("remaining", [(quote_id,) for quote_id in quotes]), strict=True))
        imports = {name: max(0, half_hour.load - half_hour.pv) for name, half_hour in period.row.items()}
        self._buy_left(period, left, imports)
        for name in period.row:
            # Who is not authorised reports where it has business in the period (T-MET-5).
            user = self.members[name].address
            if name not in period.quotes and (user in self.books.authorized or period.bought[user]):
                self._read(period, name)
        self._plan.play()

    def _settle(self, period: Period) -> None:
        """SETTLING: the owner settles the quotes, then the accounts; the supplier has enough to pay."""
        self._plan.settled = []
        for quote_id in period.quotes.values():
            self._plan.call(self.owner, "settle_quote", quote_id, parts=len(self.books.quotes[quote_id].trades))
        self._plan.play()
        exported = sum(max(0, half_hour.pv - half_hour.load) for half_hour in period.row.values())
        self._plan.afford(self.supplier, (exported + sum(period.bought.values())) * self.tariff.sbp)
        settled = []
        for name, half_hour in period.row.items():
            user = self.members[name].address
            if name not in period.read and not period.bought[user]:
                continue
            self._plan.afford(user, max(0, half_hour.load - half_hour.pv) * self.tariff.ssp)
            self._plan.call(self.owner, "settle_account", user, period.number)
            settled.append(user)
        self._plan.play()
        for user in settled:
            if self.books.balances[user].invoice:
                self._plan.call(self.owner, "clear", user)
        self._plan.play()

    def _result(self, period: Period) -> PeriodResult:
        """Compares the market's money with the books, and sums the period up."""
        accounts, held = self._accounts(), self.venue.held() - self._others
        self.books.compare(period.row.period, accounts, held)
        trades, self._plan.settled = self._plan.settled, []
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

    def _buy_left(self, period: Period, left: dict[int, int], wanted: dict[str, int]) -> None:
        """Plans purchases: everybody in turn, cheapest first, what it wants beyond what it bought, of what quotes have
        left.

        A purchase below the least is rounded up to it where that still costs less than the grid, else left out.
        """
        trades = {quote_id: len(self.books.quotes[quote_id].trades) for quote_id in left}
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
                takes = volume * (quote.price + self.tariff.service_fee)
                self._plan.call(user, "buy_surplus", quote_id, volume, takes=takes)
                trades[quote_id] += 1
                period.bought[user] += volume
                period.claimed[user] += volume
                left[quote_id] -= volume
                if left[quote_id] == 0 or trades[quote_id] == MAX_TRADES:
                    offers.remove(quote_id)

    # ---- the calls ---------------------------------------------------------------------------

    def _register(self, member: Member) -> None:
        # The profile stands for the salted hash of personal data (T-REG-2); a simulated household has only a name.
        profile = hashlib.sha256(f"{self.seed}:profile:{member.name}".encode()).digest()
        signature = member.meter.sign_pairing(self.venue.address, member.address, profile, self._chain)
        self._plan.call(member.address, "register", profile, member.meter.address, signature)
        self._plan.call(self.owner, "authorize", member.address, member.capacity)

    def _read(self, period: Period, name: str) -> None:
        """The household's meter signs its reading and hands it in."""
        half_hour = period.row[name]
        net = half_hour.pv - half_hour.load
        member = self.members[name]
        reading = (member.address, period.number, max(0, net), max(0, -net))
        signature = member.meter.sign_reading(self.venue.address, *reading, self._chain)
        self._plan.call(member.address, "submit_reading", *reading, signature)
        period.read.add(name)

    def _farm(self) -> None:
        """Standing for nearly nothing: a household that is made for it sells 1 Wh to each that farms, the meters report
        just that, and both sides have performed well (T-STD-4, T-STD-7)."""
        farmed = {name: conduct.farmed for name, conduct in self.conduct.items() if conduct.farmed}
        name = unused("stooge", self.members)
        stooge = Member(name, self.venue.join(name), Meter(f"{self.seed}:stooge"), len(farmed))
        self.books.join(stooge.address, stooge.name)
        self._register(stooge)
        self._plan.endow(stooge.address)
        self._plan.play()
        # The plain day's steps, with the stooge as one more member.
        half_hours, conduct, members = self._farming, self.conduct, self.members
        self.conduct, self.members = {}, members | {stooge.name: stooge}
        for turn, index in enumerate(half_hours):
            farmers = [name for name, turns in farmed.items() if turns > turn]
            row = dict.fromkeys(farmers, HalfHour(1, 0, 1, 0))
            row[stooge.name] = HalfHour(0, len(farmers), 0, len(farmers))
            period = Period(index, self._times.first + index, PeriodRow(index, row))
            for step in reversed(STEPS):
                self._take(step, period)
        self.conduct, self.members = conduct, members

    @property
    def _chain(self) -> int:
        return self.venue.chain_id

    def _accounts(self) -> dict[str, Any]:
        """What the market says of each party's money."""
        parties = list(self.books.balances)
        return dict(zip(parties, self.venue.views("account", [(party,) for party in parties]), strict=True))

    def _take_over(self) -> int:
        """Enters what owner and supplier have in the market already; returns the tokens that are others'."""
        own = 0
        for party, account in self._accounts().items():
            balance = self.books.balances[party]
            balance.free, balance.reserved, balance.invoice = account.balance, account.reserved, account.grid_account
            own += account.balance + account.reserved
        return self.venue.held() - own


class TradingDay(Trading):
    """A community on a market of its own in this process; results are the same on either engine.

    env, market, token     titanoboa's
    footprint              what holds the memory down
    before_call, on_call   where set, are called before each call of the market, and with its name and computation
    """

    venue: InProcess

    def __init__(
        self,
        households: Readings,
        seed: int = 0,
        tariff: Tariff | None = None,
        engine: str = "pyevm",
        conduct: Mapping[str, Conduct] | None = None,
    ) -> None:
        """Deploys token and market in a fresh environment of `engine`. Raises as `Trading`, and EngineUnavailable where
        there is no such engine."""
        tariff = tariff or PAPER
        times = Timetable(tariff, earliest=_earliest(_farming(conduct or {})))
        super().__init__(households, InProcess(engine, tariff, times.opening), seed, conduct)

    @property
    def env(self) -> Env:
        return self.venue.env

    @property
    def market(self) -> Any:
        return self.venue.market

    @property
    def token(self) -> Any:
        return self.venue.token

    @property
    def footprint(self) -> StatePruning:
        return self.venue.pruning

    @property
    def before_call(self) -> Callable[[], None] | None:
        return self.venue.before_call

    @before_call.setter
    def before_call(self, call: Callable[[], None] | None) -> None:
        self.venue.before_call = call

    @property
    def on_call(self) -> Callable[[str, Any], None] | None:
        return self.venue.on_call

    @on_call.setter
    def on_call(self, call: Callable[[str, Any], None] | None) -> None:
        self.venue.on_call = call
