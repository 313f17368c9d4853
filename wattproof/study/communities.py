"""The communities of the study: the days of a file, varied from a seed, and what else may happen to them.

Day 0 is the first day of the file as it stands. Every other day is made from one of the file's days: each household's
load is shifted by up to a half-hour and scaled for the day and for the half-hour, solar output by the weather, which
all share. The paper's meter data are not public and cover one day; these variations stand for what a month would bring.
They are modelled, not measured: the magnitudes below are a choice. Nothing is varied beyond what the household's
connection carries.

All energies are whole Wh, all factors whole thousandths, all chance is SHA-256 of the seed and of what is drawn for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wattproof.simulation.bidding import apportion
from wattproof.simulation.households import (
    LIMIT,
    SPREADS,
    BadInput,
    Forecaster,
    Habit,
    HalfHour,
    Households,
    PeriodRow,
)
from wattproof.simulation.names import unused

HALF_HOURS = 48
"""Half-hours of a day (paper, section 5.2.1)."""

LOAD_OF_DAY = 150
"""A household's day is heavier or lighter by up to so many thousandths."""

LOAD_OF_HALF_HOUR = 250
"""And each of its half-hours by up to so many more."""

DARKEST = 250
"""Thousandths of the file's solar output that the darkest day leaves; the brightest leaves all."""

CLOUDS = 200
"""Passing clouds take up to so many thousandths of a half-hour's output, from all roofs alike."""

TURBINE = 800
"""Wh in a half-hour that the turbine of the windy community gives at full wind by night: 1.6 kW."""

WIND_STEP = 6
"""Half-hours between two drawn winds; in between it changes evenly."""

WIND_BY_DAY = 400
"""Thousandths of the night's wind that blow between 06:00 and 20:00."""

LARGEST = 1500
"""Thousandths of another consumer's load that the largest has where the consumers' loads are alike."""

NEVER_RIGHT = (300, 600)
"""Where every forecast is wrong: by at least and at most so many thousandths of what comes to pass."""


@dataclass(frozen=True)
class Frame:
    """What a community is like, besides its file.

    seed         decides the varied days and the forecasts
    days         numbers of the days, in order; 0 is the file's own, all others are varied
    windy        the prosumer that generates least has a wind turbine, too; without prosumers, the first household
    never_right  every forecast is off by 30 to 60 %
    shuffled     the seed deals the consumers' loads anew, but for the largest, which stays where it is
    alike        the consumers' loads of a half-hour are shared out: all have the same, the largest half as much again
    size         number of households: the file's in turn, copies with varied days of their own; None: the file's
    sdr          where set, in every half-hour with supply and demand generation is scaled so that supply over demand is
                 this fraction, all forecasts being right; other half-hours are left out, and connections carry what
                 it takes
    span         first half-hour of each day that is kept, and the first that is not
    """

    seed: int = 1
    days: tuple[int, ...] = (0,)
    windy: bool = False
    never_right: bool = False
    shuffled: bool = False
    alike: bool = False
    size: int | None = None
    sdr: tuple[int, int] | None = None
    span: tuple[int, int] = (0, HALF_HOURS)


@dataclass(frozen=True)
class Base:
    """The days of a file, in memory: for each household its 48 half-hours, a day after the other.

    All else is as in `Households`, `prosumers` in the order of the file; but the file's own forecasts, where it brings
    some, tell the `classes`.
    """

    names: tuple[str, ...]
    prosumers: tuple[str, ...]
    capacities: Mapping[str, int]
    classes: Mapping[str, Habit]
    has_forecasts: bool
    first_period: int
    days: tuple[Mapping[str, tuple[HalfHour, ...]], ...]

    @classmethod
    def of(cls, households: Households) -> Base:
        """Reads a checked file. BadInput where it is not whole days of 48 half-hours."""
        if households.periods % HALF_HOURS:
            raise BadInput(
                households.path, None, f"{households.periods} periods: a study needs whole days of {HALF_HOURS} each"
            )
        rows = list(households)
        days = tuple(
            {name: tuple(row[name] for row in rows[at : at + HALF_HOURS]) for name in households.names}
            for at in range(0, len(rows), HALF_HOURS)
        )
        classes = households.classes.items()
        return cls(
            households.names,
            tuple(name for name in households.names if name in households.prosumers),
            households.capacities,
            {name: _habit(rows, name) if households.has_forecasts else habit for name, habit in classes},
            households.has_forecasts,
            households.first_period,
            days,
        )

    @property
    def consumers(self) -> tuple[str, ...]:
        """The households without generation, in the order of the file."""
        return tuple(name for name in self.names if name not in self.prosumers)

    def consumers_of(self, habit: Habit) -> tuple[str, ...]:
        """The consumers whose forecasts are of this class."""
        return tuple(name for name in self.consumers if self.classes[name] is habit)

    def load(self, name: str) -> int:
        """What a household used in the whole file, in Wh."""
        return sum(half_hour.load for day in self.days for half_hour in day[name])

    def generation(self, name: str) -> int:
        """What a household generated in the whole file, in Wh."""
        return sum(half_hour.pv for day in self.days for half_hour in day[name])

    @property
    def largest_consumer(self) -> str | None:
        """The consumer that used most; None where there is no consumer."""
        return max(self.consumers, key=self.load, default=None)

    def time(self, half_hour: int) -> str:
        """The time at which a half-hour of a day begins, "11:30": period 0 of a file begins at midnight."""
        at = (self.first_period + half_hour) % HALF_HOURS
        return f"{at // 2:02}:{at % 2 * 30:02}"


class Community:
    """A file's households over the days of a frame; what `wattproof.simulation.trading_day.TradingDay` iterates.

    names        the households; copies are named "sunny 2", "sunny 3" and so on, or otherwise where that is taken
    classes      class of each one's forecasts
    capacities   what each one's connection carries in a half-hour, in Wh
    turbine      the household with a wind turbine, or None
    """

    def __init__(self, base: Base, frame: Frame) -> None:
        """ValueError for a size below 1."""
        self.base = base
        self.frame = frame
        size = len(base.names) if frame.size is None else frame.size
        if size < 1:
            raise ValueError(f"a community has at least one household, not {size}")
        self._origin: dict[str, tuple[str, int]] = {}
        for at in range(size):
            copy, place = divmod(at, len(base.names))
            name = base.names[place]
            self._origin[unused(f"{name} {copy + 1}" if copy else name, self._origin)] = (name, copy)
        self.names: tuple[str, ...] = tuple(self._origin)
        self.turbine = min(base.prosumers, key=base.generation, default=base.names[0]) if frame.windy else None
        self.classes = {name: base.classes[origin] for name, (origin, _) in self._origin.items()}
        self._forecaster = Forecaster(frame.seed, self.classes)
        self._days = tuple(_alike(base, day) for day in base.days) if frame.alike else base.days
        self._loads = _dealt(base, frame.seed) if frame.shuffled else {name: name for name in base.names}
        # With loads dealt anew a connection carries the one that is dealt to it, too.
        self.capacities = {
            name: max(base.capacities[origin], base.capacities[self._loads[origin]])
            for name, (origin, _) in self._origin.items()
        }
        if frame.sdr:
            for row in self:
                for name, half_hour in row.items():
                    self.capacities[name] = max(self.capacities[name], *half_hour)

    def __iter__(self) -> Iterator[PeriodRow]:
        for index, number in enumerate(self.frame.days):
            day = {name: self._day(name, number) for name in self.names}
            for at in range(*self.frame.span):
                row = {name: day[name][at] for name in self.names}
                if self.frame.never_right or not self.base.has_forecasts:
                    row = {name: self._expected(name, number, at, actual) for name, actual in row.items()}
                if self.frame.sdr:
                    row = _at_ratio(row, *self.frame.sdr)
                if row:
                    yield PeriodRow(index * HALF_HOURS + at, row)

    def _day(self, name: str, number: int) -> list[HalfHour]:
        """A household's day. Its forecasts are those of the file where it has some, else to be replaced."""
        origin, copy = self._origin[name]
        source = self._days[number % len(self._days)]
        loads, panels = source[self._loads[origin]], source[origin]
        as_it_stands = number == 0 and copy == 0
        shift = 0 if as_it_stands else self._draw(f"shift:{number}:{name}", 3) - 1
        most = self.capacities[name]
        heavier = self._around(f"day:{number}:{name}", LOAD_OF_DAY)
        day = []
        for at in range(HALF_HOURS):
            load, panel = loads[(at + shift) % HALF_HOURS], panels[at]
            used, given = load.load, panel.pv
            if not as_it_stands:
                used = _scaled(used, heavier, most)
                used = _scaled(used, self._around(f"load:{number}:{at}:{name}", LOAD_OF_HALF_HOUR), most)
            if number:
                given = _scaled(given, self._sky(number, at), most)
            # A file's own forecasts keep their relative errors.
            expected_load = load.forecast_load * used // load.load if load.load else load.forecast_load
            expected_pv = panel.forecast_pv * given // panel.pv if panel.pv else panel.forecast_pv
            if name == self.turbine:
                wind = self._wind(number, at)
                given, expected_pv = given + wind, expected_pv + wind
            day.append(HalfHour(*(min(energy, most) for energy in (used, given, expected_load, expected_pv))))
        return day

    def _expected(self, name: str, number: int, at: int, actual: HalfHour) -> HalfHour:
        """The half-hour with seeded forecasts."""

        def expected(kind: str) -> int:
            energy, most = getattr(actual, kind), self.capacities[name]
            if self.frame.never_right:
                return _scaled(energy, 1000 + self._wrong(f"{kind}:{number}:{at}:{name}"), most)
            return self._forecaster.forecast(name, number * HALF_HOURS + at, kind, energy, most)

        return actual._replace(forecast_load=expected("load"), forecast_pv=expected("pv"))

    def _wrong(self, key: str) -> int:
        """An error in thousandths, up or down, that is never small."""
        least, most = NEVER_RIGHT
        size = least + self._draw(f"wrong:{key}", most - least + 1)
        return size if self._draw(f"sign:{key}", 2) else -size

    def _sky(self, number: int, at: int) -> int:
        """Thousandths of the file's solar output that are left in a half-hour."""
        day = DARKEST + self._draw(f"sky:{number}", 1001 - DARKEST)
        return day * (1000 - self._draw(f"clouds:{number}:{at}", CLOUDS + 1)) // 1000

    def _wind(self, number: int, at: int) -> int:
        """What the turbine gives in a half-hour, in Wh."""
        step, part = divmod(number * HALF_HOURS + at, WIND_STEP)
        before, after = (self._draw(f"wind:{step + later}", 1001) for later in (0, 1))
        wind = before + (after - before) * part // WIND_STEP
        hour = (self.base.first_period + at) % HALF_HOURS // 2
        return TURBINE * wind * (WIND_BY_DAY if 6 <= hour < 20 else 1000) // 1_000_000

    def _around(self, key: str, reach: int) -> int:
        return 1000 - reach + self._draw(key, 2 * reach + 1)

    def _draw(self, key: str, below: int) -> int:
        return draw(f"{self.frame.seed}:{key}", below)


def draw(key: str, below: int) -> int:
    """A number from 0 to `below` - 1 that depends on `key` alone."""
    return int.from_bytes(hashlib.sha256(f"study:{key}".encode()).digest(), "big") % below


def _scaled(energy: int, thousandths: int, most: int) -> int:
    """To the nearest Wh, halves up, and not above what the connection carries."""
    return min((energy * thousandths + 500) // 1000, most)


def _habit(rows: Sequence[PeriodRow], name: str) -> Habit:
    """The class that a household's forecasts of its load show: by their mean error, in thousandths of the load."""
    load = sum(row[name].load for row in rows)
    error = 1000 * sum(abs(row[name].forecast_load - row[name].load) for row in rows)
    for habit in (Habit.REGULAR, Habit.ORDINARY):
        spread = SPREADS[habit]
        # Even errors up to a bound are half of it on average; those of a class are drawn from two such.
        mean = (spread.usual * (1000 - spread.slips) + spread.slip * spread.slips) // 2000
        if error <= (mean + 10) * load:
            return habit
    return Habit.IRREGULAR


def _dealt(base: Base, seed: int) -> dict[str, str]:
    """Whose load each household has: the consumers but the largest have those of one another."""
    others = [name for name in base.consumers if name != base.largest_consumer]
    order = sorted(others, key=lambda name: draw(f"{seed}:deal:{name}", 2**64))
    return {name: name for name in base.names} | dict(zip(others, order, strict=True))


def _alike(base: Base, day: Mapping[str, tuple[HalfHour, ...]]) -> dict[str, tuple[HalfHour, ...]]:
    """A day on which the consumers' loads are alike: what they use together in a half-hour is shared out in whole Wh,
    and the largest has half as much again as each other. Forecasts of the file keep their relative errors."""
    weights = [LARGEST if name == base.largest_consumer else 1000 for name in base.consumers]
    made = {name: list(half_hours) for name, half_hours in day.items()}
    for at in range(HALF_HOURS):
        total = sum(day[name][at].load for name in base.consumers)
        for name, load in zip(base.consumers, _shares(total, weights) if weights else (), strict=True):
            old = day[name][at]
            expected = old.forecast_load * load // old.load if old.load else load
            made[name][at] = old._replace(load=load, forecast_load=expected)
    return {name: tuple(half_hours) for name, half_hours in made.items()}


def _at_ratio(row: Mapping[str, HalfHour], numerator: int, denominator: int) -> dict[str, HalfHour]:
    """The half-hour with its surpluses scaled so that supply over demand is the fraction, to the nearest Wh, and all
    forecasts right; empty where there is no surplus or no deficit."""
    nets = {name: half_hour.pv - half_hour.load for name, half_hour in row.items()}
    surplus = {name: net for name, net in nets.items() if net > 0}
    demand = -sum(net for net in nets.values() if net < 0)
    supply = (2 * demand * numerator + denominator) // (2 * denominator)
    if not surplus or not supply:
        return {}
    parts = dict(zip(surplus, _shares(supply, list(surplus.values())), strict=True))
    scaled = {}
    for name, half_hour in row.items():
        generated = min(half_hour.load + parts[name], LIMIT - 1) if name in parts else half_hour.pv
        scaled[name] = HalfHour(half_hour.load, generated, half_hour.load, generated)
    return scaled


def _shares(total: int, weights: Sequence[int]) -> list[int]:
    """Splits `total` in proportion to `weights`, exactly: whole Wh by largest remainders."""
    enough = total // sum(weights) + 1
    return apportion(total, [weight * enough for weight in weights])
