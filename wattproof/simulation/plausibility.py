"""Whether energies can be what a file says they are: whole Wh of one period, at one household's connection.

Meters and utilities give other things as well: kWh, the power in W, a register that counts on from period to period.
What no connection carries is refused elsewhere, line by line. Here the whole file is looked at: a household's values
that would all make sense as kWh, or that only ever rise, are asked about in a warning. They are no error: a house may
stand empty. Power in W cannot be told from energy in a half-hour, which is half of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from wattproof.market.units import WH_PER_KWH
from wattproof.terms.model import CAPACITY_BOUND

CONNECTION = 23_000
"""Power in W that a usual connection carries: 100 A at 230 V, the largest usual fuse of a single phase. (Three phases
carry 69 kW, which is 34,500 Wh in a half-hour.)"""

LEAST_CONNECTION = 230
"""Power in W below which a connection is asked about: 1 A at 230 V. Homes have 1.5 kW at the least."""

LARGEST_CONNECTION = 2_500_000
"""Power in W above which a connection is asked about: 2,500 kVA, the largest usual transformer of a low-voltage grid,
and five times a solar farm of 500 kW."""

DAY = 86_400
"""Seconds in a day."""

RISES = 6
"""A register is recognised by so many rises, without a fall."""

HIGH = 2_000
"""Power in W at which a register that is read for less than a day has to begin, to be taken for one."""

SHOWN = 10
"""Most households that are warned about one by one."""

_DECIMAL = re.compile(r"[0-9]*\.[0-9]*([eE][+-]?[0-9]{1,2})?|[0-9]+[eE]-[0-9]{1,2}", re.ASCII)
_COMMA = re.compile(r"0,[0-9]+|[0-9]+,([0-9]{1,2}|[0-9]{4,})", re.ASCII)
_LONGEST = 40


def wh(power: int, period_length: int) -> int:
    """The energy in Wh of a power in W over a period of so many seconds: at least 1, and what the market takes."""
    return min(max(1, power * period_length // 3600), CAPACITY_BOUND - 1)


def usual_capacity(period_length: int = 1800) -> int:
    """What a usual connection carries in a period of so many seconds, in Wh: 11,500 in a half-hour."""
    return wh(CONNECTION, period_length)


def decimal(text: str) -> Decimal | None:
    """A number that is not written as a whole one, as "0.089", "0,089" or "8.9e-2"; None for any other text."""
    if text == "." or len(text) > _LONGEST or not (_DECIMAL.fullmatch(text) or _COMMA.fullmatch(text)):
        return None
    return Decimal(text.replace(",", "."))


def advice(value: Decimal, most: int) -> str:
    """What to write instead of a decimal number of Wh or kWh, where a connection carries `most` Wh."""
    as_kwh, as_wh = value * WH_PER_KWH, _whole(value)
    if not value:
        return "write it as 0"
    if as_wh == "too large" or value > most:
        return "is this a meter's register? Then take the difference of two"
    if as_kwh < Decimal("0.5"):
        return "write 0: in kWh, too, it is less than half a Wh"
    if value < 1:
        return f"is this kWh? Multiply by 1000: {_whole(as_kwh)}"
    if as_kwh <= most:
        return f"is this kWh? Multiply by 1000: {_whole(as_kwh)}. If it is Wh, write {as_wh}"
    return f"round it to whole Wh: {as_wh}. If it is kWh, multiply by 1000"


def _whole(value: Decimal) -> str:
    return f"{value.quantize(Decimal(1), ROUND_HALF_UP):f}" if value < CAPACITY_BOUND * WH_PER_KWH else "too large"


@dataclass
class Column:
    """What one column of one household was so far, in Wh.

    `steady`: it never fell, but to less than a tenth, as a counter does that begins anew.
    """

    first: int = 0
    last: int = 0
    largest: int = 0
    count: int = 0
    rises: int = 0
    falls: int = 0
    steady: bool = True

    def add(self, value: int) -> None:
        """One more period."""
        if not self.count:
            self.first = value
        elif value > self.last:
            self.rises += 1
        elif value < self.last:
            self.falls += 1
            self.steady = self.steady and 10 * value < self.last
        self.last, self.count, self.largest = value, self.count + 1, max(self.largest, value)

    def counts_on(self, period_length: int) -> bool:
        """Whether it looks like a register: over a day nothing else only rises (but for a reset a day); in less than
        that, what begins high and rises by less than as much again."""
        if not self.steady or self.rises < RISES:
            return False
        days = self.count * period_length // DAY
        if days:
            return self.falls <= days
        return not self.falls and wh(HIGH, period_length) <= self.first and self.last < 2 * self.first


@dataclass
class Watch:
    """Looks at every value of a file, and warns in the end. Memory grows with the households, not with the periods."""

    columns: Sequence[str]
    period_length: int
    _households: dict[str, list[Column]] = field(default_factory=dict)

    def add(self, household: str, values: Iterable[int]) -> None:
        """One household's period: what `columns` say, in Wh."""
        if household not in self._households:
            self._households[household] = [Column() for _ in self.columns]
        for column, value in zip(self._households[household], values, strict=True):
            column.add(value)

    def warnings(self, capacities: Mapping[str, int]) -> tuple[str, ...]:
        """A line for each household that looks odd, with the likely cause; those beyond the first `SHOWN` in one."""
        lines = []
        for household, columns in self._households.items():
            if causes := self._causes(dict(zip(self.columns, columns, strict=True)), capacities[household]):
                lines.append(f"household {household!r}: {'; '.join(causes)}")
        if len(lines) > SHOWN:
            lines[SHOWN:] = [f"{len(lines) - SHOWN} more households look like that"]
        return tuple(lines)

    def _causes(self, columns: Mapping[str, Column], capacity: int) -> list[str]:
        causes, usual = [], usual_capacity(self.period_length)
        if capacity < wh(LEAST_CONNECTION, self.period_length):
            causes.append(f"capacity_wh is {capacity}: is this kWh, kW or amperes?")
        if capacity > wh(LARGEST_CONNECTION, self.period_length):
            causes.append(f"capacity_wh is {capacity}, more than a low-voltage grid brings: is this a register?")
            capacity = usual
        if small := _small(columns, capacity, usual):
            most = " and ".join(f"{name} at most {columns[name].largest}" for name in small)
            causes.append(f"{most} in a period: is this kWh? Then multiply by 1000")
        if rising := [name for name, column in columns.items() if column.counts_on(self.period_length)]:
            causes.append(f"{' and '.join(rising)} never falls: is this a meter's register? Then take differences")
        days = columns["load_wh"].count * self.period_length // DAY
        if days and not columns["load_wh"].largest and not columns["pv_wh"].largest:
            causes.append("uses and gives nothing all day: is this kWh, rounded?")
        return causes


def _small(columns: Mapping[str, Column], capacity: int, usual: int) -> list[str]:
    """The columns that could be kWh: the connection would carry a thousand times their largest value, or a forecast's
    largest value is less than a hundredth of what came.

    A connection larger than the usual one counts with all that it carries only where no column has more than that: the
    lamps of a solar farm need little.
    """
    largest = {name: column.largest for name, column in columns.items() if column.largest}
    most = max(capacity, usual) // WH_PER_KWH
    if any(value > most for value in largest.values()):
        most = usual // WH_PER_KWH
    actual = {name: columns[name.removeprefix("forecast_")].largest for name in largest}
    return [name for name, value in largest.items() if value <= most or 100 * value < actual[name]]
