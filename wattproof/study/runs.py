"""One run of a community on a market of its own, and what it came to, day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

from wattproof.market.deployment import Tariff
from wattproof.market.tariff import PAPER
from wattproof.market.units import PENCE
from wattproof.simulation.accounting import Bill
from wattproof.simulation.households import HalfHour
from wattproof.simulation.trading_day import Conduct, PeriodResult, TradingDay
from wattproof.study.communities import HALF_HOURS, Base, Community, Frame


@dataclass(frozen=True)
class Run:
    """What a run is made of. `priority_step` is in ten-thousandths of a bid's amount, or price, per tier."""

    frame: Frame
    priority_step: int = PAPER.priority_step
    conduct: Mapping[str, Conduct] = field(default_factory=dict)
    rank_by_price: bool = False

    @property
    def tariff(self) -> Tariff:
        """The paper's, with this priority step and ranking."""
        return Tariff(priority_step=self.priority_step, rank_by_price=self.rank_by_price)


@dataclass
class Totals:
    """A household over some half-hours: money in base units, energy in Wh.

    alone, market         its cost with the grid alone, and with the market; what no meter reported costs the same in
                          both, as the supplier bills it by its own contract (T-MET-7)
    fees                  service fees paid
    paid                  to neighbours, for energy
    imported, exported    what its meter reported
    bought, sold          what came from and went to neighbours
    invoiced              what it exchanged with the supplier by its invoices: imports beyond what it received, exports
                          beyond what it delivered, and what it received and resold
    performances, defaults   its record
    bids, deals           bids opened, and those that won something
    wanted, won           the volume of those bids, and what it won of it
    """

    alone: int = 0
    market: int = 0
    fees: int = 0
    paid: int = 0
    imported: int = 0
    exported: int = 0
    bought: int = 0
    sold: int = 0
    invoiced: int = 0
    performances: int = 0
    defaults: int = 0
    bids: int = 0
    deals: int = 0
    wanted: int = 0
    won: int = 0

    @property
    def saving(self) -> int:
        """What the market saved against the grid alone, in base units."""
        return self.alone - self.market

    def add(self, other: Totals) -> None:
        """Adds another stretch of time, or another household."""
        for entry in fields(Totals):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))


@dataclass
class Day:
    """A day: its households, and what the community came to. Money in base units, energy in Wh.

    load, generation    of all households
    net_import, net_export   what really crossed the community's border, half-hour by half-hour, in and out
    best                what the day would have cost all households, had they shared everything without fees
    supply, demand      forecast
    could_clear, cleared   the smaller of the two, half-hour by half-hour; and what the matching sold
    trading             half-hours in which something was delivered to a neighbour
    compensation        paid for energy that did not come
    balanced            half-hours after which accounts, escrow, bills and tokens agreed
    half_hours          all half-hours
    """

    households: dict[str, Totals]
    load: int = 0
    generation: int = 0
    net_import: int = 0
    net_export: int = 0
    best: int = 0
    supply: int = 0
    demand: int = 0
    could_clear: int = 0
    cleared: int = 0
    trading: int = 0
    fees: int = 0
    compensation: int = 0
    balanced: int = 0
    half_hours: int = 0

    def add(self, other: Day) -> None:
        """Adds another day of the same households."""
        for name, totals in other.households.items():
            self.households.setdefault(name, Totals()).add(totals)
        for entry in fields(Day):
            if entry.name != "households":
                setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))

    def count(self, record: Record, tariff: Tariff) -> None:
        """Adds a half-hour."""
        row, result = record.row, record.result
        for name, bill in result.bills.items():
            self.households[name].add(of_bill(bill))
        for name in result.unread:
            self.households[name].add(unreported(row[name], result.bills[name], tariff))
        for offer in result.offers:
            totals = self.households[offer.household]
            totals.bids += 1
            totals.deals += offer.filled > 0
            totals.wanted += offer.volume
            totals.won += offer.filled
        net = result.imported - result.exported
        self.load += sum(half_hour.load for half_hour in row.values())
        self.generation += sum(half_hour.pv for half_hour in row.values())
        self.net_import += max(0, net)
        self.net_export += max(0, -net)
        self.best += net * (tariff.ssp if net > 0 else tariff.sbp)
        self.supply += result.supply
        self.demand += result.demand
        self.could_clear += min(result.supply, result.demand)
        self.cleared += cleared(result)
        self.trading += result.delivered > 0
        self.fees += result.fees
        self.compensation += result.compensation
        # `TradingDay` stops with an error where anything else disagrees.
        self.balanced += result.balances_match
        self.half_hours += 1

    def of(self, names: Iterable[str]) -> Totals:
        """These households together."""
        total = Totals()
        for name in names:
            total.add(self.households[name])
        return total

    @property
    def community(self) -> Totals:
        """All households together."""
        return self.of(self.households)

    def a_day(self, amount: int) -> Fraction:
        """So much over all these half-hours, for a day; 0 over none."""
        return Fraction(amount * HALF_HOURS, self.half_hours or 1)

    def pence_a_day(self, amount: int) -> Fraction:
        """Base units over all these half-hours, in pence a day."""
        return self.a_day(amount) / PENCE


def together(days: list[Day]) -> Day:
    """Days of the same households, added up."""
    total = Day({})
    for day in days:
        total.add(day)
    return total


@dataclass(frozen=True)
class Record:
    """A half-hour in full: its rows of the community, and what the market made of them."""

    row: Mapping[str, HalfHour]
    result: PeriodResult

    @property
    def sdr(self) -> Fraction:
        """Supply over demand, as forecast; without demand above all others."""
        return Fraction(self.result.supply, self.result.demand or 1)


def play(base: Base, run: Run, engine: str) -> list[Day]:
    """Plays a run; a `Day` for each day of its frame. Raises BooksDoNotBalance where money goes astray."""
    days: dict[int, Day] = {}
    for record in records(base, run, engine):
        number = record.result.period // HALF_HOURS
        day = days.setdefault(number, Day({name: Totals() for name in record.row}))
        day.count(record, run.tariff)
    return list(days.values())


def records(base: Base, run: Run, engine: str) -> Iterator[Record]:
    """Plays a run, half-hour by half-hour."""
    # Gone through a second time beside the market, which has up to three half-hours under way at once.
    rows = Community(base, run.frame)
    with closing(TradingDay(rows, run.frame.seed, run.tariff, engine, run.conduct)) as market:
        for row, result in zip(rows, market, strict=True):
            yield Record(row, result)


def cleared(result: PeriodResult) -> int:
    """What the matching sold, in Wh."""
    return sum(offer.filled for offer in result.offers)


def of_bill(bill: Bill) -> Totals:
    """A household's bill of one half-hour as totals."""
    return Totals(
        alone=bill.grid_alone,
        market=bill.market,
        fees=bill.fees,
        paid=bill.paid,
        imported=bill.imported,
        exported=bill.exported,
        bought=bill.bought,
        sold=bill.sold,
        # Of imports and what was received one is larger: the difference is bought from, or resold to, the supplier.
        invoiced=abs(bill.imported - bill.bought) + bill.exported - bill.sold,
        performances=bill.performances,
        defaults=bill.defaults,
    )


def unreported(half_hour: HalfHour, bill: Bill, tariff: Tariff) -> Totals:
    """What a household without a reading drew and no neighbour delivered, as the supplier bills it by its own contract.

    What a neighbour delivered counts in the market as imported (T-MET-7), and is in the `bill` of the half-hour.
    """
    drawn = max(0, half_hour.load - half_hour.pv)
    grid = max(0, drawn - bill.bought)
    # `of_bill` took all that was received for resold.
    return Totals(
        alone=drawn * tariff.ssp,
        market=grid * tariff.ssp,
        imported=drawn,
        invoiced=abs(drawn - bill.bought) - bill.bought,
    )


@dataclass
class Gas:
    """Gas of a span of half-hours: by function, how many calls, gas of all of them and of the largest."""

    calls: Counter[str] = field(default_factory=Counter)
    gas: Counter[str] = field(default_factory=Counter)
    largest: Counter[str] = field(default_factory=Counter)

    def add(self, function: str, gas: int) -> None:
        """Counts a call in."""
        self.calls[function] += 1
        self.gas[function] += gas
        self.largest[function] = max(self.largest[function], gas)


ONCE = ("register", "authorize", "deposit", "withdraw", "withdraw_at_least")
"""Calls that are not part of a half-hour's trade."""


def metered(base: Base, run: Run, engine: str) -> Gas:
    """Plays a run and weighs every call as a transaction of its own: intrinsic gas and calldata included, nothing warm.

    The first half-hour is played but not weighed: it writes what later ones find.
    """
    gas = Gas()
    with closing(TradingDay(Community(base, run.frame), run.frame.seed, run.tariff, engine, run.conduct)) as market:

        def weigh(function: str, computation: Any) -> None:
            if market.at and function not in ONCE:
                gas.add(function, transaction_gas(computation))

        market.before_call = lambda: market.footprint.shrink(wholly=True)
        market.on_call = weigh
        for _ in market:
            pass
    return gas


def transaction_gas(computation: Any) -> int:
    """Gas of a transaction that makes one call, for which nothing was warm.

    21,000, calldata at 16 and 4 a byte (EIP-2028), execution, less the refund, which is at most a fifth (EIP-3529).
    """
    data = computation.msg.data_as_bytes
    used = 21_000 + 16 * len(data) - 12 * data.count(0) + computation.get_gas_used()
    return used - min(computation.get_gas_refund(), used // 5)
