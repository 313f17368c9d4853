"""The books of a trading day, kept from the market's events alone, and the files that come out of them.

All money is in base units of the token, all energy in Wh, all integers: a pence text beside an amount is for reading.

`Books` rebuilds every party's free money, escrow and invoice account from the events (and the tariff), without asking
the market for a balance. `Books.compare` then sets that against what the market itself says: two independent accounts
of the same money, which must agree to the last base unit after every period.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

from wattproof.deployment import Tariff
from wattproof.units import PENCE, format_money, format_price

Event = tuple[str, dict[str, Any]]
"""An event of the market: its name and its arguments."""


class BooksDoNotBalance(Exception):
    """The market's money and the parties' accounts disagree; the one-line text names the period."""


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

    @property
    def market(self) -> int:
        """What the same energy cost with the market, in base units: all flows but deposits; below 0 it was paid."""
        return self.paid - self.earned + self.fees - self.compensated + self.compensation - self.grid

    @property
    def saving(self) -> int:
        """What the market saved against the grid alone, in base units."""
        return self.grid_alone - self.market


@dataclass
class Purse:
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
    """A quote that is not settled yet, with its opened bids (price and volume by bidder) and its trades."""

    prosumer: str
    period: int
    volume: int
    price: int
    collateral: int
    bids: dict[str, tuple[int, int]] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    settled: int = 0

    @property
    def sold(self) -> int:
        """The Wh sold so far."""
        return sum(trade.volume for trade in self.trades)


class Books:
    """Bills, purses and open quotes, kept from events. Parties are known by address; a settled quote is dropped."""

    def __init__(self, tariff: Tariff, owner: str, supplier: str, names: Mapping[str, str]) -> None:
        """`names` gives the household of each address, in the order of the bills."""
        self.tariff = tariff
        self.owner = owner
        self.supplier = supplier
        self.names = dict(names)
        self.purses = {party: Purse() for party in (*names, supplier, owner)}
        self.bills = {address: Bill() for address in names}
        self.quotes: dict[int, OpenQuote] = {}

    # ---- what the market says ------------------------------------------------------------

    def enter(self, events: list[Event]) -> list[Trade]:
        """Books the events of one call; returns the trades that they settle."""
        settled: list[Trade] = []
        for name, arguments in events:
            trade = getattr(self, f"_{name}", _nothing)(**arguments)
            if trade is not None:
                settled.append(trade)
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
            purse = self.purses[party]
            says = (account.balance, account.reserved, account.grid_account)
            booked = (purse.free, purse.reserved, purse.invoice)
            if says != booked:
                raise BooksDoNotBalance(
                    f"period {period}: {who} has {says} in the market, but its events come to {booked}"
                )
            if party in self.bills:
                cost = purse.deposited - sum(says)
                if cost != self.bills[party].market:
                    raise BooksDoNotBalance(
                        f"period {period}: {who} paid {cost} base units, but its bill says {self.bills[party].market}"
                    )

    # ---- events ------------------------------------------------------------------------

    def _Deposited(self, account: str, amount: int) -> None:
        self.purses[account].free += amount
        self.purses[account].deposited += amount

    def _Cleared(self, user: str, amount: int) -> None:
        self.purses[user].free += amount
        self.purses[user].invoice -= amount
        self.purses[self.supplier].free -= amount

    def _QuoteSubmitted(self, quote_id: int, prosumer: str, period: int, volume: int, price: int) -> None:
        collateral = volume * self.tariff.ssp * 10 // 100
        self.quotes[quote_id] = OpenQuote(prosumer, period, volume, price, collateral)
        self._reserve(prosumer, collateral)

    def _BidRevealed(self, quote_id: int, bidder: str, price: int, volume: int) -> None:
        self.quotes[quote_id].bids[bidder] = (price, volume)
        self._reserve(bidder, volume * (price + self.tariff.service_fee))

    def _BidConfirmed(self, quote_id: int, bidder: str, filled: int) -> None:
        quote = self.quotes[quote_id]
        price, volume = quote.bids.pop(bidder)
        self._reserve(bidder, -(volume - filled) * (price + self.tariff.service_fee))
        quote.trades.append(Trade(quote.period, quote_id, quote.prosumer, bidder, "bid", filled, price))

    def _BidRejected(self, quote_id: int, bidder: str) -> None:
        price, volume = self.quotes[quote_id].bids.pop(bidder)
        self._reserve(bidder, -volume * (price + self.tariff.service_fee))

    def _SurplusBought(self, quote_id: int, buyer: str, volume: int) -> None:
        quote = self.quotes[quote_id]
        self._reserve(buyer, volume * (quote.price + self.tariff.service_fee))
        quote.trades.append(Trade(quote.period, quote_id, quote.prosumer, buyer, "surplus", volume, quote.price))

    def _ReadingSubmitted(self, user: str, period: int, exported: int, imported: int) -> None:
        bill = self.bills[user]
        bill.exported += exported
        bill.imported += imported
        bill.grid_alone += imported * self.tariff.ssp - exported * self.tariff.sbp

    def _TradeSettled(
        self, quote_id: int, buyer: str, delivered: int, payment: int, fee: int, compensation: int
    ) -> Trade:
        quote = self.quotes[quote_id]
        trade = quote.trades[quote.settled]
        quote.settled += 1
        if trade.buyer != buyer:
            raise BooksDoNotBalance(f"period {quote.period}: the trades of quote {quote_id} were settled out of order")
        trade.delivered, trade.payment, trade.fee, trade.compensation = delivered, payment, fee, compensation
        self._reserve(buyer, -trade.volume * (trade.price + self.tariff.service_fee))
        self.purses[buyer].free += compensation - payment - fee
        self.purses[self.owner].free += fee
        self.purses[quote.prosumer].free += payment - compensation
        bill = self.bills[buyer]
        bill.bought += delivered
        bill.paid += payment
        bill.fees += fee
        bill.compensated += compensation
        return trade

    def _QuoteSettled(self, quote_id: int, delivered: int, revenue: int, fee: int, compensation: int) -> None:
        quote = self.quotes.pop(quote_id)
        self._reserve(quote.prosumer, -quote.collateral)
        self.purses[quote.prosumer].free -= fee
        self.purses[self.owner].free += fee
        bill = self.bills[quote.prosumer]
        bill.sold += delivered
        bill.earned += revenue
        bill.fees += fee
        bill.compensation += compensation

    def _AccountSettled(self, user: str, period: int, amount: int, cleared: int) -> None:
        self.purses[user].invoice += amount
        self.bills[user].grid += amount
        self._Cleared(user, cleared)

    def _PerformanceRecorded(self, user: str, good: bool) -> None:
        if good:
            self.bills[user].performances += 1
        else:
            self.bills[user].defaults += 1

    def _WaiverGranted(self, user: str) -> None:
        self.bills[user].waivers += 1

    def _reserve(self, party: str, amount: int) -> None:
        self.purses[party].free -= amount
        self.purses[party].reserved += amount


def _nothing(**_: Any) -> None:
    """For the events that move neither money nor energy."""


# ---- texts -----------------------------------------------------------------------------


def percent(part: int, whole: int, decimals: int = 1) -> str:
    """`part` in per cent of the size of `whole`, to the nearest, halves away from zero: "12.3 %"; of nothing: "-"."""
    if whole == 0:
        return "-"
    unit = 10**decimals
    rounded = (2 * abs(part) * 100 * unit + abs(whole)) // (2 * abs(whole))
    sign = "-" if part < 0 and rounded else ""
    return f"{sign}{rounded // unit}.{rounded % unit:0{decimals}} %"


def ratio(numerator: int, denominator: int) -> str:
    """A ratio of energies with three decimals, rounded down: "0.417"; "-" where there is no denominator."""
    if denominator == 0:
        return "-"
    thousandths = numerator * 1000 // denominator
    return f"{thousandths // 1000}.{thousandths % 1000:03}"


def money(base_units: int) -> dict[str, str]:
    """An amount as it stands in the summary: the exact base units, and a text in pence."""
    return {"base_units": str(base_units), "text": format_money(base_units)}


def price(base_per_wh: int | None) -> dict[str, str] | None:
    """A price as it stands in the summary: the exact base units per Wh, and a text in p/kWh. None stays None."""
    return None if base_per_wh is None else {"base_units_per_wh": str(base_per_wh), "text": format_price(base_per_wh)}


def exact_pence(base_units: int) -> str:
    """Base units in pence, exact, with as many decimals as it takes: "-0.25"."""
    value = Fraction(abs(base_units), PENCE)
    text = f"{value.numerator // value.denominator}"
    if rest := abs(base_units) % PENCE:
        text += f".{rest:016}".rstrip("0")
    return f"-{text}" if base_units < 0 else text


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
FILES = ("bills.csv", "trades.csv", "periods.csv", "summary.json", "day.svg", "day.png")


class Output:
    """The folder that receives a day's files: written aside as the day goes by, moved into place at its end.

    Used in a `with` block; whatever ends the block before `finish` leaves no trace.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folder where it is missing. Raises OSError, naming the folder, where it cannot be written to."""
        self.folder = folder
        self._made: list[Path] = []
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "is not a folder", str(folder))
        try:
            for part in [folder, *folder.parents][::-1]:
                if not part.exists():
                    part.mkdir()
                    self._made.append(part)
            self.aside = Path(tempfile.mkdtemp(prefix=".day-", dir=folder))
        except OSError as error:
            self._unmake()
            raise OSError(error.errno, error.strerror, str(folder)) from error
        self._files: dict[str, TextIO] = {}
        try:
            self._trades = csv.writer(self._open("trades.csv"), lineterminator="\n")
            self._trades.writerow(TRADE_COLUMNS)
            self._periods = csv.writer(self._open("periods.csv"), lineterminator="\n")
            self._periods.writerow(PERIOD_COLUMNS)
            self._objects = self._open("periods.json")
        except OSError:
            self._abandon()
            raise

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *exc: object) -> None:
        self._abandon()

    def path(self, name: str) -> Path:
        """Where the file `name` is written before it is moved into place."""
        return self.aside / name

    def add(self, result: Any) -> None:
        """Writes a period (a `scenario.PeriodResult`) and its trades."""
        for trade in result.trades:
            self._trades.writerow(
                (
                    result.period,
                    trade.quote_id,
                    trade.prosumer,
                    trade.buyer,
                    trade.kind,
                    trade.volume,
                    trade.price,
                    trade.delivered,
                    trade.payment,
                    trade.fee,
                    trade.compensation,
                )
            )
        row = result.row()
        self._periods.writerow(["" if row[name] is None else row[name] for name in PERIOD_COLUMNS])
        self._objects.write(
            ("," if self._objects.tell() else "") + "\n    " + json.dumps(result.summary(), ensure_ascii=False)
        )

    def write_bills(self, rows: list[dict[str, Any]]) -> None:
        """Writes bills.csv; each row has the columns BILL_COLUMNS."""
        writer = csv.DictWriter(self._open("bills.csv"), BILL_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

    def close_tables(self) -> None:
        """Ends trades.csv and periods.csv; from now on they can be read."""
        for name in ("trades.csv", "periods.csv"):
            self._files[name].close()

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes summary.json: `summary`, and the periods that were added, under "periods"."""
        self._objects.close()
        with open(self.path("summary.json"), "w", encoding="utf-8") as file:
            text = json.dumps(summary, indent=2, ensure_ascii=False)
            file.write(text[: text.rindex("\n}")] + ',\n  "periods": [')
            with open(self.path("periods.json"), encoding="utf-8") as objects:
                shutil.copyfileobj(objects, file)
            file.write("\n  ]\n}\n")
        self.path("periods.json").unlink()

    def finish(self) -> None:
        """Moves all files into place, the summary last: where it stands, the others do, too."""
        for file in self._files.values():
            file.close()
        names = sorted(os.listdir(self.aside), key=lambda name: (name == "summary.json", name))
        for name in names:
            os.replace(self.path(name), self.folder / name)
        self._made.clear()

    def _open(self, name: str) -> TextIO:
        # Open until the day ends: `_abandon` and `finish` close it.
        self._files[name] = open(self.path(name), "w", encoding="utf-8", newline="")  # noqa: SIM115
        return self._files[name]

    def _abandon(self) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        shutil.rmtree(self.aside, ignore_errors=True)
        self._unmake()

    def _unmake(self) -> None:
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        self._made.clear()


def read_periods(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a periods.csv, one by one."""
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
