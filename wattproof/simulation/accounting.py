"""The books of a trading day, kept from the market's events alone, and the files that come out of them.

All money is in base units of the token, all energy in Wh, all integers: a pence text beside an amount is for reading.

`Books` rebuilds every party's free money, escrow and invoice account from the events (and the tariff), without asking
the market for a balance. `Books.compare` then sets that against what the market itself says: two independent accounts
of the same money, which must agree to the last base unit after every period.

What a settlement comes to is computed here a second time, from what was quoted, bid, bought and metered alone: who
receives how much (winners before purchases), payments, compensation, fees with discounts and waivers, the invoice of
each account, and who earns which record or loses its authorisation. An event that says otherwise ends the run.
"""

from __future__ import annotations

import contextlib
import csv
import json
import operator
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from wattproof.market.deployment import Tariff
from wattproof.market.units import PENCE, fixed, format_money, format_price
from wattproof.outputs import Folder
from wattproof.terms.model import LEAST_PART, TIER_THRESHOLDS

if TYPE_CHECKING:
    from wattproof.simulation.trading_day import PeriodResult

Event = tuple[str, dict[str, Any]]
"""An event of the market: its name and its arguments."""


def tier(performances: int) -> int:
    """The tier that so many good performances come to."""
    return sum(performances >= threshold for threshold in TIER_THRESHOLDS)


def performed_well(agreed: int, asked: int, imported: int) -> bool:
    """Whether who agreed and asked so many Wh, agreed not being 0, and has a reading performed well (T-STD-7).

    Who asked for nothing is measured by what it agreed alone.
    """
    forecasts = (agreed, asked) if 0 < asked <= 10 * agreed else (agreed,)
    return any(95 * forecast <= 100 * imported <= 105 * forecast for forecast in forecasts)


class BooksDoNotBalance(Exception):
    """The market's money and the parties' accounts disagree; the one-line text names the period or the party."""


@dataclass
class Bill:
    """What one party's energy and money came to so far.

    imported, exported   Wh that its meter reported
    bought, sold         Wh that it received from neighbours and delivered to them
    grid_alone           what the metered energy would have cost with the grid alone: imports at SSP less exports at SBP
    paid, earned         payments for local energy, to and by this party
    fees                 service fees paid
    compensated          compensation received for what prosumers failed to deliver
    compensation         compensation paid for what it failed to deliver itself
    grid                 what the supplier was invoiced with or owes: above 0 the party is credited
    performances, defaults, waivers   its record: good performances, defaults, and waivers earned
    """

    imported: int = 0
    exported: int = 0
    bought: int = 0
    sold: int = 0
    grid_alone: int = 0
    paid: int = 0
    earned: int = 0
    fees: int = 0
    compensated: int = 0
    compensation: int = 0
    grid: int = 0
    performances: int = 0
    defaults: int = 0
    waivers: int = 0

    def __add__(self, other: Bill) -> Bill:
        return Bill(*map(operator.add, vars(self).values(), vars(other).values()))

    def __sub__(self, other: Bill) -> Bill:
        return Bill(*map(operator.sub, vars(self).values(), vars(other).values()))

    @property
    def market(self) -> int:
        """What the same energy cost with the market, in base units: all flows but deposits; below 0 it was paid."""
        return self.paid - self.earned + self.fees - self.compensated + self.compensation - self.grid

    @property
    def saving(self) -> int:
        """What the market saved against the grid alone, in base units."""
        return self.grid_alone - self.market


def bill_entry(tariff: Tariff, name: str, arguments: Mapping[str, Any], prosumer: str) -> tuple[str, Bill] | None:
    """Whose bill an event of the market changes, and by how much; None where it changes none.

    `prosumer` is who sells by the quote that the event names.
    """
    event = arguments
    if name == "ReadingSubmitted":
        exported, imported = event["exported"], event["imported"]
        alone = imported * tariff.ssp - exported * tariff.sbp
        return event["user"], Bill(imported=imported, exported=exported, grid_alone=alone)
    if name == "TradeSettled":
        money = {"paid": event["payment"], "fees": event["fee"], "compensated": event["compensation"]}
        return event["buyer"], Bill(bought=event["delivered"], **money)
    if name == "QuoteSettled":
        money = {"earned": event["revenue"], "fees": event["fee"], "compensation": event["compensation"]}
        return prosumer, Bill(sold=event["delivered"], **money)
    if name == "AccountSettled":
        return event["user"], Bill(grid=event["amount"])
    if name == "PerformanceRecorded":
        return event["user"], Bill(performances=1) if event["good"] else Bill(defaults=1)
    if name == "WaiverGranted":
        return event["user"], Bill(waivers=1)
    return None


@dataclass
class Balance:
    """A party's money in the market, in base units: free, in escrow, on the invoice account; and what it paid in."""

    free: int = 0
    reserved: int = 0
    invoice: int = 0
    deposited: int = 0


@dataclass
class Trade:
    """One sale; `kind` is "bid" or "surplus", volumes in Wh, price in base units per Wh, money in base units.

    What follows from settlement is 0 until then.
    """

    period: int
    quote_id: int
    prosumer: str
    buyer: str
    kind: str
    volume: int
    price: int
    delivered: int = 0
    payment: int = 0
    fee: int = 0
    compensation: int = 0


@dataclass
class OpenQuote:
    """A quote that is not settled yet, with its opened bids (price and volume by bidder) and its trades.

    due        what each trade is to receive, computed when the first one is settled; `settled` how many are
    exported   what its prosumer's meter reported; None as long as it did not
    ahead      whether anything was sold before the delivery: by the matching, or by a purchase while MATCHING
    """

    prosumer: str
    period: int
    volume: int
    price: int
    collateral: int
    bids: dict[str, tuple[int, int]] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    due: list[int] = field(default_factory=list)
    settled: int = 0
    exported: int | None = None
    ahead: bool = False

    @property
    def sold(self) -> int:
        """The Wh sold so far."""
        return sum(trade.volume for trade in self.trades)

    @property
    def defaulted(self) -> bool:
        """Whether less than 95 % of what was quoted was exported; a silent meter exported nothing."""
        return 100 * (self.exported or 0) < 95 * self.volume

    def least(self) -> int:
        """The least Wh that one purchase takes now, but for all that is left: a 64th of what is offered, rounded up."""
        return -(-(self.volume if self.exported is None else self.exported) // LEAST_PART)

    def shares(self) -> list[int]:
        """What each trade receives: the winners of the matching pro rata, then the purchases what is left, in order."""
        left = min(self.sold, self.exported or 0)
        won = [trade.volume for trade in self.trades if trade.kind == "bid"]
        total, so_far = sum(won), 0
        pool, parts = min(total, left), []
        for volume in won:
            parts.append((so_far + volume) * pool // total - so_far * pool // total)
            so_far += volume
        left -= pool
        for trade in self.trades[len(won) :]:
            parts.append(min(trade.volume, left))
            left -= parts[-1]
        return parts


@dataclass
class Position:
    """A party's half-hour until it is settled: energies asked, agreed, bought, received, delivered, and its reading."""

    asked: int = 0
    agreed: int = 0
    bought: int = 0
    received: int = 0
    delivered: int = 0
    reading: tuple[int, int] | None = None


class Books:
    """Bills, balances and open quotes, kept from events. Parties are known by address; what is settled is dropped.

    authorized   the parties that may begin new business
    """

    def __init__(self, tariff: Tariff, owner: str, supplier: str, names: Mapping[str, str]) -> None:
        """`names` gives the household of each address, in the order of the bills."""
        self.tariff = tariff
        self.owner = owner
        self.supplier = supplier
        self.names = dict(names)
        self.balances = {party: Balance() for party in (*names, supplier, owner)}
        self.bills = {address: Bill() for address in names}
        self.quotes: dict[int, OpenQuote] = {}
        self.authorized: set[str] = set()
        self._waivers = dict.fromkeys(names, 0)
        self._positions: dict[tuple[str, int], Position] = {}
        self._quote_of: dict[tuple[str, int], OpenQuote] = {}
        # What this call said of records, waivers and authorisations, until a settlement accounts for it.
        self._said: list[Event] = []

    def join(self, address: str, name: str) -> None:
        """Takes one more party in."""
        self.names[address] = name
        self.balances[address], self.bills[address], self._waivers[address] = Balance(), Bill(), 0

    def position(self, user: str, period: int) -> Position:
        """The half-hour of a party, `period` being the market's number."""
        return self._positions.setdefault((user, period), Position())

    # ---- what the market says ------------------------------------------------------------

    def enter(self, events: list[Event]) -> list[Trade]:
        """Books the events of one call; returns the trades that they settle.

        Raises BooksDoNotBalance where a settlement is another one than the computation here comes to.
        """
        settled: list[Trade] = []
        self._said = []
        for name, arguments in events:
            if name in ("PerformanceRecorded", "WaiverGranted", "WaiverUsed", "Revoked"):
                self._said.append((name, arguments))
            self._bill(name, arguments)
            trade = getattr(self, f"_{name}", _nothing)(**arguments)
            if trade is not None:
                settled.append(trade)
        # The owner may revoke without a settlement; nothing else is said without one.
        if self._said and [name for name, _ in events] != ["Revoked"]:
            name, arguments = self._said[0]
            raise BooksDoNotBalance(f"{name} of {self.names[arguments['user']]} comes of no settlement")
        return settled

    def escrow(self) -> int:
        """What all quotes that are not settled hold in escrow, in base units: collateral, opened bids and trades."""
        fee = self.tariff.service_fee
        total = 0
        for quote in self.quotes.values():
            total += quote.collateral + sum(volume * (price + fee) for price, volume in quote.bids.values())
            total += sum(trade.volume * (trade.price + fee) for trade in quote.trades)
        return total

    def compare(self, period: int, accounts: Mapping[str, Any], held: int) -> None:
        """Sets the market's own accounts, and the tokens that it holds, against the books.

        Raises BooksDoNotBalance, naming the period, where the accounts do not add up to the tokens, where escrow is
        left over from a settled quote, or where an account or a bill differs from what the events came to.
        """
        total = sum(account.balance + account.reserved for account in accounts.values())
        if total != held:
            raise BooksDoNotBalance(
                f"period {period}: the accounts add up to {total} base units, but the market holds {held}"
            )
        reserved, due = sum(account.reserved for account in accounts.values()), self.escrow()
        if reserved != due:
            raise BooksDoNotBalance(f"period {period}: {reserved} base units are in escrow, but open quotes hold {due}")
        for party, account in accounts.items():
            who = self.names.get(party, "the supplier" if party == self.supplier else "the owner")
            balance = self.balances[party]
            says = (account.balance, account.reserved, account.grid_account)
            booked = (balance.free, balance.reserved, balance.invoice)
            if says != booked:
                raise BooksDoNotBalance(
                    f"period {period}: {who} has {says} in the market, but its events come to {booked}"
                )
            if party in self.bills:
                cost = balance.deposited - sum(says)
                if cost != self.bills[party].market:
                    raise BooksDoNotBalance(
                        f"period {period}: {who} paid {cost} base units, but its bill says {self.bills[party].market}"
                    )

    # ---- events ------------------------------------------------------------------------

    def _Deposited(self, account: str, amount: int) -> None:
        self.balances[account].free += amount
        self.balances[account].deposited += amount

    def _Withdrawn(self, account: str, amount: int) -> None:
        self.balances[account].free -= amount
        self.balances[account].deposited -= amount

    def _Cleared(self, user: str, amount: int) -> None:
        self.balances[user].free += amount
        self.balances[user].invoice -= amount
        self.balances[self.supplier].free -= amount

    def _QuoteSubmitted(self, quote_id: int, prosumer: str, period: int, volume: int, price: int) -> None:
        collateral = volume * self.tariff.ssp * 10 // 100
        self.quotes[quote_id] = self._quote_of[prosumer, period] = OpenQuote(
            prosumer, period, volume, price, collateral
        )
        self._reserve(prosumer, collateral)

    def _QuoteInvalidated(self, quote_id: int) -> None:
        quote = self.quotes.pop(quote_id)
        del self._quote_of[quote.prosumer, quote.period]
        self._reserve(quote.prosumer, -quote.collateral)

    def _Authorized(self, user: str, capacity: int) -> None:
        self.authorized.add(user)

    def _Revoked(self, user: str) -> None:
        if user not in self.authorized:
            raise BooksDoNotBalance(f"{self.names[user]} was revoked, but was not authorised")
        self.authorized.remove(user)

    def _BidRevealed(self, quote_id: int, bidder: str, price: int, volume: int) -> None:
        quote = self.quotes[quote_id]
        quote.bids[bidder] = (price, volume)
        self.position(bidder, quote.period).asked += volume
        self._reserve(bidder, volume * (price + self.tariff.service_fee))

    def _BidConfirmed(self, quote_id: int, bidder: str, filled: int) -> None:
        quote = self.quotes[quote_id]
        price, volume = quote.bids.pop(bidder)
        self._reserve(bidder, -(volume - filled) * (price + self.tariff.service_fee))
        quote.trades.append(Trade(quote.period, quote_id, quote.prosumer, bidder, "bid", filled, price))
        quote.ahead = True
        self._buy(bidder, quote.period, filled, ahead=True)

    def _BidRejected(self, quote_id: int, bidder: str) -> None:
        price, volume = self.quotes[quote_id].bids.pop(bidder)
        self._reserve(bidder, -volume * (price + self.tariff.service_fee))

    def _SurplusBought(self, quote_id: int, buyer: str, volume: int) -> None:
        quote = self.quotes[quote_id]
        self._reserve(buyer, volume * (quote.price + self.tariff.service_fee))
        quote.trades.append(Trade(quote.period, quote_id, quote.prosumer, buyer, "surplus", volume, quote.price))
        # After the delivery began nothing is sold before the reading.
        ahead = quote.exported is None
        quote.ahead = quote.ahead or ahead
        self._buy(buyer, quote.period, volume, ahead)

    def _ReadingSubmitted(self, user: str, period: int, exported: int, imported: int) -> None:
        self.position(user, period).reading = (exported, imported)
        if quote := self._quote_of.get((user, period)):
            quote.exported = exported

    def _TradeSettled(
        self, quote_id: int, buyer: str, delivered: int, payment: int, fee: int, compensation: int
    ) -> Trade:
        quote = self.quotes[quote_id]
        trade = quote.trades[quote.settled]
        if trade.buyer != buyer:
            raise BooksDoNotBalance(f"period {quote.period}: the trades of quote {quote_id} were settled out of order")
        if not quote.settled:
            quote.due = quote.shares()
        due = quote.due[quote.settled]
        short = trade.volume - due
        damages = short * trade.price * 10 // 100 if quote.defaulted else 0
        charge = self._charge(quote.period, buyer, due, short > 0)
        computed = (due, due * trade.price, charge, damages)
        self._agree(quote.period, f"trade {quote.settled} of quote {quote_id}",
                    (delivered, payment, fee, compensation), computed)  # fmt: skip
        quote.settled += 1
        trade.delivered, trade.payment, trade.fee, trade.compensation = delivered, payment, fee, compensation
        self.position(buyer, quote.period).received += delivered
        self._reserve(buyer, -trade.volume * (trade.price + self.tariff.service_fee))
        self.balances[buyer].free += compensation - payment - fee
        self.balances[self.owner].free += fee
        self.balances[quote.prosumer].free += payment - compensation
        return trade

    def _QuoteSettled(self, quote_id: int, delivered: int, revenue: int, fee: int, compensation: int) -> None:
        quote = self.quotes.pop(quote_id)
        del self._quote_of[quote.prosumer, quote.period]
        total = sum(quote.due)
        charge = self._charge(quote.period, quote.prosumer, total, total < quote.sold and not quote.defaulted)
        sums = [sum(getattr(trade, kind) for trade in quote.trades) for kind in ("payment", "compensation")]
        self._agree(quote.period, f"quote {quote_id}",
                    (delivered, revenue, fee, compensation), (total, sums[0], charge, sums[1]))  # fmt: skip
        if delivered:
            self.position(quote.prosumer, quote.period).delivered = delivered
        # Nobody earns a record by what was sold once the delivery was known, nor by more than 5 % too much.
        good: bool | None = None
        if quote.ahead and 100 * (quote.exported or 0) <= 105 * quote.volume:
            good = not quote.defaulted
        self._judged(quote.period, quote.prosumer, good, silent=quote.exported is None)
        self._reserve(quote.prosumer, -quote.collateral)
        self.balances[quote.prosumer].free -= fee
        self.balances[self.owner].free += fee

    def _AccountSettled(self, user: str, period: int, amount: int, cleared: int) -> None:
        position = self.position(user, period)
        del self._positions[user, period]
        # A silent meter counts as having imported what was bought.
        exported, imported = position.reading or (0, position.bought)
        fed_in = exported - position.delivered + max(0, position.received - imported)
        drawn = max(0, imported - position.received)
        self._agree(period, f"the account of {self.names[user]}", amount,
                    fed_in * self.tariff.sbp - drawn * self.tariff.ssp)  # fmt: skip
        good: bool | None = None
        if position.reading is None:
            good = False
        elif position.agreed:
            good = performed_well(position.agreed, position.asked, imported)
        self._judged(period, user, good, silent=position.reading is None)
        self.balances[user].invoice += amount
        self._Cleared(user, cleared)

    # ---- what it should have said --------------------------------------------------------

    def _charge(self, period: int, user: str, delivered: int, waived: bool) -> int:
        """The service fee of one side of a trade. Where it is `waived`, one waiver more is due; where one is in hand,
        it takes the place of any fee above 0.
        """
        if waived:
            self._waivers[user] += 1
            self._expect(period, ("WaiverGranted", {"user": user}))
            return 0
        # The fee is charged before the record that the same settlement makes.
        good = self.bills[user].performances - self._said.count(("PerformanceRecorded", {"user": user, "good": True}))
        tiers = len(TIER_THRESHOLDS)
        fee = delivered * self.tariff.service_fee * (tiers - tier(good)) // tiers
        if fee and self._waivers[user]:
            self._waivers[user] -= 1
            self._expect(period, ("WaiverUsed", {"user": user}))
            return 0
        return fee

    def _judged(self, period: int, user: str, good: bool | None, silent: bool) -> None:
        """Whether this and no more was said of `user`: its record (None: none), and where it was silent, its end."""
        says = [event for event in self._said if event[0] in ("PerformanceRecorded", "Revoked")]
        due: list[Event] = [] if good is None else [("PerformanceRecorded", {"user": user, "good": good})]
        if silent and (("Revoked", {"user": user}) in says or user in self.authorized):
            due.append(("Revoked", {"user": user}))
        self._agree(period, f"the record of {self.names[user]}", says, due)
        self._said = [event for event in self._said if event not in says]

    def _expect(self, period: int, event: Event) -> None:
        """Takes what was said off the list. BooksDoNotBalance where it was not."""
        if event not in self._said:
            raise BooksDoNotBalance(f"period {period}: {event[0]} of {self.names[event[1]['user']]} is missing")
        self._said.remove(event)

    def _agree(self, period: int, what: str, says: Any, computed: Any) -> None:
        if says != computed:
            raise BooksDoNotBalance(f"period {period}: {what} was settled as {says}, but comes to {computed}")

    def _bill(self, name: str, arguments: Mapping[str, Any]) -> None:
        quote = self.quotes.get(arguments.get("quote_id", 0))
        entry = bill_entry(self.tariff, name, arguments, quote.prosumer if quote else "")
        if entry:
            user, amounts = entry
            self.bills[user] += amounts

    def _buy(self, user: str, period: int, volume: int, ahead: bool) -> None:
        position = self.position(user, period)
        position.bought += volume
        position.agreed += volume * ahead

    def _reserve(self, party: str, amount: int) -> None:
        self.balances[party].free -= amount
        self.balances[party].reserved += amount


def _nothing(**_: Any) -> None:
    """For the events that move neither money nor energy."""


# ---- texts -----------------------------------------------------------------------------


def percent(part: int, whole: int) -> str:
    """`part` in per cent of the size of `whole`, to the nearest, halves away from zero: "12.3 %"; of nothing: "-"."""
    return f"{fixed(100 * part, abs(whole), 1)} %" if whole else "-"


def ratio(numerator: int, denominator: int) -> str:
    """A ratio of energies with three decimals, rounded down: "0.417"; "-" where there is no denominator."""
    return fixed(numerator * 1000 // denominator, 1000, 3) if denominator else "-"


def money(base_units: int) -> dict[str, str]:
    """An amount as it stands in the summary: the exact base units, and a text in pence."""
    return {"base_units": str(base_units), "text": format_money(base_units)}


def price(base_per_wh: int | None) -> dict[str, str] | None:
    """A price as it stands in the summary: the exact base units per Wh, and a text in p/kWh. None stays None."""
    return None if base_per_wh is None else {"base_units_per_wh": str(base_per_wh), "text": format_price(base_per_wh)}


def exact_pence(base_units: int) -> str:
    """Base units in pence, exact, with as many decimals as it takes: "-0.25"."""
    return fixed(base_units, PENCE, 16).rstrip("0").rstrip(".")


# ---- files -----------------------------------------------------------------------------

BILL_COLUMNS = (
    *("household", "class", "role", "imported_wh", "exported_wh", "bought_wh", "sold_wh"),
    *("grid_alone", "market", "saving", "grid_alone_p", "market_p", "saving_p", "saving_percent"),
    *("paid", "earned", "fees", "compensation_received", "compensation_paid", "grid_account"),
    *("performances", "defaults", "waivers"),
)
TRADE_COLUMNS = (
    *("period", "quote", "prosumer", "buyer", "kind", "volume_wh", "price"),
    *("delivered_wh", "payment", "fee", "compensation"),
)
PERIOD_COLUMNS = (
    *("period", "supply_wh", "demand_wh", "sdr", "sdr_text", "quote_price", "bid_price", "quotes", "bids", "trades"),
    *("sold_wh", "delivered_wh", "exported_wh", "imported_wh", "fees", "compensation", "performances", "defaults"),
    *("in_escrow", "accounts_total", "market_holds", "balances_match"),
)
FILES = ("bills.csv", "trades.csv", "periods.csv", "day.svg", "day.png", "summary.json")


class Output:
    """The folder that receives a day's files: written aside as the day goes by, moved into place at its end.

    Used in a `with` block; whatever ends the block before `finish` leaves no trace.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folder where it is missing. Raises BadPlace where it cannot be used; see `outputs.Folder`."""
        self._files: list[TextIO] = []
        with contextlib.ExitStack() as self._undo:
            self._folder = self._undo.enter_context(Folder(folder, "day", FILES))
            self._trades = csv.writer(self._open("trades.csv"), lineterminator="\n")
            self._trades.writerow(TRADE_COLUMNS)
            self._periods = csv.DictWriter(self._open("periods.csv"), PERIOD_COLUMNS, lineterminator="\n")
            self._periods.writeheader()
            self._objects = self._open("periods.json")
            self._undo = self._undo.pop_all()

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *exc: object) -> None:
        self._undo.close()

    def path(self, name: str) -> Path:
        """Where the file `name` is written before it is moved into place."""
        return self._folder.aside / name

    def add(self, result: PeriodResult) -> None:
        """Writes a period and its trades."""
        self._trades.writerows(map(astuple, result.trades))
        self._periods.writerow(result.row())
        self._objects.write(
            ("," if self._objects.tell() else "") + "\n    " + json.dumps(result.summary(), ensure_ascii=False)
        )

    def close_tables(self) -> None:
        """Ends what `add` writes; from now on it can be read."""
        for file in self._files:
            file.close()

    def write_bills(self, rows: Iterable[dict[str, Any]]) -> None:
        """Writes bills.csv; each row has the columns BILL_COLUMNS, and maybe others, which are left out."""
        with open(self.path("bills.csv"), "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, BILL_COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes summary.json: `summary`, and the periods that were added, under "periods"."""
        with open(self.path("summary.json"), "w", encoding="utf-8") as file:
            text = json.dumps(summary, indent=2, ensure_ascii=False)
            file.write(text[: text.rindex("\n}")] + ',\n  "periods": [')
            with open(self.path("periods.json"), encoding="utf-8") as objects:
                shutil.copyfileobj(objects, file)
            file.write("\n  ]\n}\n")
        self.path("periods.json").unlink()

    def finish(self) -> None:
        """Moves all files into place, the summary last: where it stands, the others do, too. Raises BadPlace."""
        self._folder.finish()

    def _open(self, name: str) -> TextIO:
        # Open until the day ends.
        file = open(self.path(name), "w", encoding="utf-8", newline="")  # noqa: SIM115
        self._undo.callback(_close, file)
        self._files.append(file)
        return file


def _close(file: TextIO) -> None:
    with contextlib.suppress(OSError):  # It is full where it is; that was told already.
        file.close()
