"""The input of a trading day: a CSV of household readings, checked as a whole, then read period by period.

Columns, in any order, named in the first line:

    period                            number of the half-hour
    household                         name of the household
    load_wh, pv_wh                    what it used and what its solar panels gave in the period, in whole Wh
    forecast_load_wh, forecast_pv_wh  what it expected beforehand, in whole Wh; both or neither
    capacity_wh                       what its connection carries in a period, in whole Wh: above 0, below 2**24, and
                                      the same in all rows of a household; without this column `usual_capacity`

Household names are those that `wattproof.simulation.names` allows, and no two of them look alike. What cannot be is
refused; what can hardly be (see `wattproof.simulation.plausibility`) is read, with a warning.

No load, generation or forecast is beyond the capacity of its household: the owner authorises it with that, and the
market lets nobody claim or report more (T-REG-19 to T-REG-21).

Rows stand grouped by period. Periods ascend one by one from any first number, and each has exactly one row
per household, in any order. Where the file brings no forecasts, a `Forecaster` makes them (paper, section
5.3.2).
"""

from __future__ import annotations

import csv
import enum
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from wattproof.outputs import one_line
from wattproof.simulation import names
from wattproof.simulation.plausibility import (
    LARGEST_CONNECTION,
    LEAST_CONNECTION,
    Watch,
    advice,
    decimal,
    usual_capacity,
    wh,
)
from wattproof.terms.model import CAPACITY_BOUND

DEFAULT_FILE = Path(__file__).parents[1] / "data" / "households.csv"
"""The input that ships with the package: modelled, not measured (see `data/README.md`)."""

LIMIT = CAPACITY_BOUND
"""Energies in Wh must be below this, as the market asks of capacities (T-REG-19)."""

PERIOD_LIMIT = 2**48
"""Period numbers must be below this."""

MAX_LINE = 4096
"""Longest line, in bytes: a file without line breaks must not be read into memory whole."""

REQUIRED_COLUMNS = ("period", "household", "load_wh", "pv_wh")
FORECAST_COLUMNS = ("forecast_load_wh", "forecast_pv_wh")
CAPACITY_COLUMN = "capacity_wh"
COLUMNS = (*REQUIRED_COLUMNS, *FORECAST_COLUMNS, CAPACITY_COLUMN)

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_KILO = re.compile("kw", re.IGNORECASE).search
_UNITS = "all energies in whole Wh, digits 0 to 9 only: a kWh is 1000"

_SIGNS = {
    "load_wh": " (what is used is 0 or more; is this net energy? What panels give stands in pv_wh)",
    "pv_wh": " (what panels give is 0 or more; what an inverter draws at night belongs to load_wh)",
}
_SIGNS |= {f"forecast_{name}": text for name, text in _SIGNS.items()}
"""What to do about a negative energy, by column."""

_NEGATIVE = re.compile(r"-[0-9]+(\.[0-9]*)?", re.ASCII)


class BadInput(Exception):
    """The input cannot be used. Its text is one line: `FILE:LINE: reason`, or `FILE: reason` without a line.

    `reason` and `line` (from 1, or None) hold the parts.
    """

    def __init__(self, path: Path | str, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        where = one_line(str(path)) if line is None else f"{one_line(str(path))}:{line}"
        super().__init__(f"{where}: {reason}")


class HalfHour(NamedTuple):
    """One household in one period, all in Wh: what it used and generated, and what it expected of both."""

    load: int
    pv: int
    forecast_load: int
    forecast_pv: int


class PeriodRow(dict[str, HalfHour]):
    """One period of the file: a mapping from household to `HalfHour`, in the order of `Households.names`."""

    __slots__ = ("period",)

    def __init__(self, period: int, half_hours: Mapping[str, HalfHour]) -> None:
        super().__init__(half_hours)
        self.period = period


# -- Forecasts ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """How far forecasts stray, in thousandths of what came to pass.

    A forecast lies within `usual` of it, save for `slips` in a thousand periods, in which it lies within
    `slip`; every whole thousandth in between is equally likely.
    """

    usual: int
    slip: int
    slips: int


class Habit(enum.Enum):
    """The three classes of users of the paper's section 5.3.2.

    The paper shows their errors in figures 10 to 13 only, so the magnitudes in `SPREADS` are a choice.
    """

    IRREGULAR = "irregular"
    ORDINARY = "ordinary"
    REGULAR = "regular"


SPREADS: Mapping[Habit, Spread] = {
    # "not used to using appliances as planned": up to 40 % off, always
    Habit.IRREGULAR: Spread(usual=400, slip=400, slips=0),
    # "sometimes they don't follow the plan": half of the time within 4 %, else within 15 %
    Habit.ORDINARY: Spread(usual=40, slip=150, slips=500),
    # "good electricity habits", and the prosumers: within 4 %, but one period in twenty within 15 %
    Habit.REGULAR: Spread(usual=40, slip=150, slips=50),
}

DEFAULT_HABITS: Mapping[str, Habit] = {
    "sunny": Habit.REGULAR,
    "bright": Habit.REGULAR,
    "breezy": Habit.REGULAR,
    "stormy": Habit.IRREGULAR,
    "gusty": Habit.IRREGULAR,
    "cloudy": Habit.ORDINARY,
    "misty": Habit.ORDINARY,
    "rainy": Habit.ORDINARY,
    "balmy": Habit.REGULAR,
    "mild": Habit.REGULAR,
}
"""Classes of the ten households that ship with the package: its consumers in the order of the file are the
paper's consumers 1 to 7."""

PROPORTION = (Habit.IRREGULAR,) * 2 + (Habit.ORDINARY,) * 3 + (Habit.REGULAR,) * 2
"""The seven consumers of the paper, from which the class of any other consumer is drawn."""


def habit_of(household: str, has_panels: bool, seed: int) -> Habit:
    """The class of a household: that of `DEFAULT_HABITS` where its name stands there, regular where it has
    solar panels, else drawn from the seed and the name in the `PROPORTION` of the paper.

    No other household matters, so that a household keeps its forecasts when the community changes.
    """
    if household in DEFAULT_HABITS:
        return DEFAULT_HABITS[household]
    if has_panels:
        return Habit.REGULAR
    return PROPORTION[_draw(f"{seed}:habit:{household}", len(PROPORTION))]


class Forecaster:
    """Makes forecasts from what came to pass, by a seeded error in whole thousandths.

    An error depends on the seed, the household, the period and whether it is load or solar, on nothing else:
    not on the order of calls, other households or the version of Python (SHA-256 is the source of chance; its
    remainder by a small number is even to within 2**-200).
    """

    def __init__(self, seed: int, classes: Mapping[str, Habit]) -> None:
        """`classes` gives each household's class; to ask for one that is missing there raises KeyError."""
        self.seed = seed
        self.classes = dict(classes)

    def error(self, household: str, period: int, kind: str) -> int:
        """The error of one forecast, in thousandths; negative where too little is expected.

        `kind` is "load" or "pv".
        """
        spread = SPREADS[self.classes[household]]
        # Seed and kind hold no colon and the period is a number, so no two keys can be alike.
        key = f"{self.seed}:{kind}:{period}:{household}"
        reach = spread.slip if _draw(f"slip:{key}", 1000) < spread.slips else spread.usual
        return _draw(f"error:{key}", 2 * reach + 1) - reach

    def forecast(self, household: str, period: int, kind: str, actual: int, most: int = LIMIT - 1) -> int:
        """What the household expected, in Wh, where `actual` Wh came to pass and its connection carries `most`.

        Rounded to the nearest Wh, halves up, and never more than `most`.
        """
        expected = (actual * (1000 + self.error(household, period, kind)) + 500) // 1000
        return min(expected, most)


def _draw(key: str, below: int) -> int:
    """A number from 0 to `below` - 1 that depends on `key` alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest(), "big") % below


# -- The file -------------------------------------------------------------------------------------------


class Households:
    """A checked file. Iterating reads it again from the start, one `PeriodRow` in memory at a time.

    Made by `open_households`. If the file changes after its check, iterating raises BadInput.

    names          tuple of household names, in the order of their first appearance
    periods        number of periods
    first_period   number of the first one
    prosumers      names of the households whose `pv_wh` is above 0 in some period
    has_forecasts  whether the file brings forecasts of its own
    classes        class of each household; has no effect where the file brings forecasts
    capacities     what each household's connection carries in a period, in Wh
    warnings       what can hardly be meant in the file, a line for a household, with the likely cause
    """

    def __init__(self, path: Path, seed: int, classes: Mapping[str, Habit] | None, period_length: int) -> None:
        self.path = path
        self.periods = 0
        self._period_length = period_length
        prosumers: set[str] = set()
        with _opened(path) as file:
            self._version = _version(file)
            table = _Table(path, file, period_length)
            watch = Watch([name for name, _ in table.values_at], period_length)
            for period, rows in table:
                if not self.periods:
                    self.first_period = period
                self.periods += 1
                prosumers.update(name for name, half_hour in rows.items() if half_hour[1])
                for name, half_hour in rows.items():
                    watch.add(name, half_hour)
        self.names: tuple[str, ...] = table.names
        self.capacities: dict[str, int] = {name: table.capacities[name] for name in table.names}
        self._has_capacities = table.capacity_at is not None
        self.warnings = watch.warnings(self.capacities)
        self.prosumers = frozenset(prosumers)
        self.has_forecasts = table.has_forecasts
        self.classes = {name: habit_of(name, name in prosumers, seed) for name in self.names}
        if classes is not None:
            unknown = [name for name in classes if name not in self.classes]
            if unknown:
                raise ValueError(f"classes of households that are not in the file: {', '.join(unknown)}")
            self.classes.update(classes)
        self._forecaster = Forecaster(seed, self.classes)

    def __iter__(self) -> Iterator[PeriodRow]:
        with _opened(self.path) as file:
            if _version(file) != self._version:
                raise BadInput(self.path, None, "has changed since it was checked")
            for period, rows in _Table(self.path, file, self._period_length):
                yield PeriodRow(period, {name: self._half_hour(name, period, rows[name]) for name in self.names})

    def capacity(self, name: str, period_length: int) -> int:
        """What a household's connection carries in a period of so many seconds, in Wh: what the file says or, where it
        does not, what is usual."""
        return self.capacities[name] if self._has_capacities else usual_capacity(period_length)

    def warn(self) -> None:
        """Prints the warnings on stderr."""
        for line in self.warnings:
            print(f"{one_line(str(self.path))}: warning: {line}", file=sys.stderr)

    def _half_hour(self, name: str, period: int, values: tuple[int, ...]) -> HalfHour:
        if self.has_forecasts:
            return HalfHour(*values)
        load, pv = values
        most = self.capacities[name]
        return HalfHour(
            load,
            pv,
            self._forecaster.forecast(name, period, "load", load, most),
            self._forecaster.forecast(name, period, "pv", pv, most),
        )


def open_households(
    path: Path | str = DEFAULT_FILE,
    *,
    seed: int = 0,
    classes: Mapping[str, Habit] | None = None,
    period_length: int = 1800,
) -> Households:
    """Check a whole file and make it ready to be read period by period.

    `seed` decides the forecast errors where the file brings no forecasts; `classes` overrides the class of
    some of its households (ValueError for one that the file does not have); `period_length`, in seconds, decides
    what connections carry where the file does not say. Raises BadInput at the first fault of the file.
    """
    return Households(Path(path), seed, classes, period_length)


class _Table:
    """The rows of an open file, checked, period by period: its number, and per household the values in Wh
    in the order load, pv and, where the file brings them, forecast load, forecast pv. What a connection carries
    gathers in `capacities`; where the file does not say, it is that of a usual connection.
    """

    def __init__(self, path: Path, file: BinaryIO, period_length: int) -> None:
        self.path = path
        self.file = file
        self.usual = usual_capacity(period_length)
        self.least, self.largest = wh(LEAST_CONNECTION, period_length), wh(LARGEST_CONNECTION, period_length)
        self.line = 0
        self.names: tuple[str, ...] = ()
        self.capacities: dict[str, int] = {}
        self.alike: dict[str, str] = {}
        header = self._next_fields()
        if header is None:
            raise BadInput(path, None, "is empty")
        self.width = len(header)
        columns = self._columns(header)
        self.has_forecasts = FORECAST_COLUMNS[0] in columns
        self.period_at, self.household_at = columns["period"], columns["household"]
        self.capacity_at = columns.get(CAPACITY_COLUMN)
        self.values_at = [
            (name, at) for name, at in columns.items() if name not in ("period", "household", CAPACITY_COLUMN)
        ]

    def __iter__(self) -> Iterator[tuple[int, dict[str, tuple[int, ...]]]]:
        current: int | None = None
        rows: dict[str, tuple[int, ...]] = {}
        known: frozenset[str] = frozenset()
        last_line = self.line
        while (fields := self._next_fields()) is not None:
            if len(fields) != self.width:
                raise self._bad(f"{len(fields)} fields instead of {self.width}")
            period = self._number("period", fields[self.period_at], PERIOD_LIMIT)
            household = self._household(fields[self.household_at])
            if current is not None and period != current:
                if period != current + 1:
                    raise self._bad(
                        f"period {period} after period {current}: rows must be grouped by period, "
                        "and periods must ascend one by one"
                    )
                known = known or frozenset(rows)
                self._complete(current, rows, last_line)
                yield current, rows
                rows = {}
            current = period
            if household in rows:
                raise self._bad(f"a second row for household {_shown(household)} in period {period}")
            if known and household not in known:
                raise self._bad(f"household {_shown(household)} has no row in the first period")
            values = tuple(self._number(name, fields[at]) for name, at in self.values_at)
            self._within_capacity(household, values, self._capacity(household, fields))
            rows[household] = values
            last_line = self.line
        if current is None:
            raise BadInput(self.path, None, "has no rows below its header")
        self._complete(current, rows, last_line)
        yield current, rows

    def _complete(self, period: int, rows: dict[str, tuple[int, ...]], last_line: int) -> None:
        """Refuse a period that lacks a household of the first period, at the last line of the period."""
        if not self.names:
            self.names = tuple(rows)
        elif len(rows) != len(self.names):
            missing = next(name for name in self.names if name not in rows)
            raise BadInput(self.path, last_line, f"no row for household {_shown(missing)} in period {period}")

    def _capacity(self, household: str, fields: list[str]) -> int:
        """What the household's connection carries; the same in each of its rows."""
        if self.capacity_at is None:
            return self.capacities.setdefault(household, self.usual)
        capacity = self._number(CAPACITY_COLUMN, fields[self.capacity_at])
        if capacity == 0:
            raise self._bad(f"{CAPACITY_COLUMN} is 0 (write what the connection carries in a period)")
        known = self.capacities.setdefault(household, capacity)
        if capacity != known:
            raise self._bad(
                f"{CAPACITY_COLUMN} of household {_shown(household)} is {capacity} here and {known} above "
                "(write one in all of its rows)"
            )
        return capacity

    def _within_capacity(self, household: str, values: tuple[int, ...], capacity: int) -> None:
        """Refuse what the household's connection does not carry."""
        for (name, _), value in zip(self.values_at, values, strict=True):
            if value > capacity:
                remedy = "raise its" if self.capacity_at is not None else "add a column"
                cause = "this a meter's register, or power in W"
                if capacity < self.least:
                    cause = f"{CAPACITY_COLUMN} in kWh, kW or amperes"
                raise self._bad(
                    f"{name} is beyond the capacity of household {_shown(household)}: {value} of {capacity} Wh "
                    f"(is {cause}? Otherwise {remedy} {CAPACITY_COLUMN})"
                )

    def _columns(self, header: list[str]) -> dict[str, int]:
        """Where each column stands, in the order of COLUMNS."""
        for at, name in enumerate(header):
            if ";" in name or "\t" in name:
                raise self._bad(f"unknown column {_shown(name)}: separate the columns with commas")
            if name not in COLUMNS:
                units = f" ({_UNITS})" if _KILO(name) else ""
                raise self._bad(f"unknown column {_shown(name)}; columns are {', '.join(COLUMNS)}{units}")
            if name in header[:at]:
                raise self._bad(f"column {name} stands there twice")
        missing = [name for name in REQUIRED_COLUMNS if name not in header]
        if missing:
            raise self._bad(f"no column {missing[0]}")
        forecasts = [name for name in FORECAST_COLUMNS if name in header]
        if len(forecasts) == 1:
            other = next(name for name in FORECAST_COLUMNS if name not in forecasts)
            raise self._bad(f"column {forecasts[0]} without {other}")
        return {name: header.index(name) for name in COLUMNS if name in header}

    def _number(self, name: str, text: str, limit: int = LIMIT) -> int:
        """A whole number from 0 to `limit` - 1 in plain ASCII digits; `limit` is a power of two."""
        if _DIGITS.fullmatch(text):
            # The length first: converting a long run of digits is slow.
            digits = text.lstrip("0")
            if len(digits) > len(str(limit)) or int(digits or "0") >= limit:
                register = "" if name in (CAPACITY_COLUMN, "period") else "; is this a meter's register?"
                bound = f"it must be below 2**{limit.bit_length() - 1}{register}"
                raise self._bad(f"{name} is too large: {_shown(text)} ({bound})")
            return int(digits or "0")
        if not text:
            raise self._bad(f"{name} is missing")
        if _NEGATIVE.fullmatch(text):
            raise self._bad(f"{name} is negative: {_shown(text)}{_SIGNS.get(name, '')}")
        if (value := decimal(text)) is not None:
            most = self.largest if name == CAPACITY_COLUMN else self.usual
            remedy = "count periods 0, 1, 2 ..." if name == "period" else advice(value, most)
            raise self._bad(f"{name} is not a whole number: {_shown(text)} ({remedy})")
        raise self._bad(f"{name} is not a number: {_shown(text)} ({_UNITS if _KILO(text) else 'digits 0 to 9 only'})")

    def _household(self, text: str) -> str:
        """A name that may be used. Its fault is looked for in the first period; later ones bring no new names."""
        if text in self.capacities:
            return text
        if fault := names.fault(text):
            raise self._bad(f"household {fault}" + (f": {_shown(text)}" if text.strip() else ""))
        other = self.alike.setdefault(names.alike(text), text)
        if other != text:
            raise self._bad(f"household {_shown(text)} looks like household {_shown(other)} (give one another name)")
        return text

    def _next_fields(self) -> list[str] | None:
        """The fields of the next line; None at the end of the file."""
        try:
            raw = self.file.readline(MAX_LINE + 1)
        except OSError as error:
            raise BadInput(self.path, None, _reason(error)) from error
        if not raw:
            return None
        self.line += 1
        if len(raw) > MAX_LINE:
            raise self._bad(f"the line is longer than {MAX_LINE} bytes")
        try:
            # A byte order mark is no part of the text.
            text = raw.decode("utf-8-sig" if self.line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise self._bad("not UTF-8: save it as CSV UTF-8") from error
        text = text.removesuffix("\n").removesuffix("\r")
        if not text and self.line > 1:
            raise self._bad("blank line")
        try:
            # Line by line, so that no quoted field can run over a line's end. A row has fields, if only an
            # empty one.
            return next(csv.reader([text], strict=True), [""])
        except csv.Error as error:
            raise self._bad(f"not CSV: {_fault(text)}") from error

    def _bad(self, reason: str) -> BadInput:
        return BadInput(self.path, self.line, reason)


def _opened(path: Path) -> BinaryIO:
    """The file, open for reading; only a regular one, as it is read twice."""
    try:
        # The kind first: to open a named pipe could wait for ever.
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise BadInput(path, None, "is a directory")
        if not stat.S_ISREG(mode):
            raise BadInput(path, None, "is not a regular file")
        return open(path, "rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadInput(path, None, _reason(error)) from error


def _version(file: BinaryIO) -> tuple[int, ...]:
    """What changes when a file is written or replaced."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _fault(line: str) -> str:
    """Why a line is no CSV, in words that do not depend on the version of Python."""
    if "\r" in line:
        return "a carriage return within the line"
    return "a quotation mark is not closed" if line.count('"') % 2 else "text follows a closing quotation mark"


def _reason(error: OSError | ValueError) -> str:
    """Why a file cannot be opened, in one line: the system's words in lower case, or ours for what is no path."""
    if not isinstance(error, OSError):
        return "is no path: it holds a NUL or a character that this system cannot write"
    text = error.strerror or str(error)
    return one_line(text[:1].lower() + text[1:])


def _shown(text: str) -> str:
    """A piece of the input as part of a message: quoted, escaped, and cut where it is long."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
