"""What a household expects, and what its meter counted: CSV files that may grow while the agent runs.

Forecasts: `period,forecast_load_wh,forecast_pv_wh`, and optionally `community_supply_wh,community_demand_wh`, what the
whole community is expected to have over and to lack. Measured: `period,exported_wh,imported_wh`. A period is the
chain's number, or its start with a time zone, as in 2026-12-01T09:30:00Z or 2026-12-01T09:30+00:00.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from wattproof.agents.problems import AgentProblem
from wattproof.outputs import told
from wattproof.terms.model import CAPACITY_BOUND

_LARGEST = 2**26
"""Bytes of a file: a household's forecasts of a year have some 500,000."""

_ENERGY_BOUND = 2**40
"""Of a community: far above any."""


class BadTable(AgentProblem):
    """A file cannot be used; the message names the line."""


@dataclass(frozen=True)
class Forecast:
    """What a household expects of a period, in Wh; of its community, where that is known."""

    load: int
    pv: int
    supply: int | None = None
    demand: int | None = None

    @property
    def net(self) -> int:
        """What it will have over; below 0: what it will lack."""
        return self.pv - self.load


@dataclass(frozen=True)
class Measured:
    """What the meter counted in a period, in Wh."""

    exported: int
    imported: int


Row = TypeVar("Row")


class Table(Generic[Row]):
    """A file that is read again whenever it changes."""

    def __init__(self, path: Path, period_length: int, read: Callable[[Path, int], Mapping[int, Row]]) -> None:
        """Raises BadTable."""
        self.path, self._length, self._read = path, period_length, read
        self.rows: Mapping[int, Row] = {}
        self._stamp: tuple[int, int] | None = None
        self.look()

    def look(self) -> bool:
        """Reads the file where it has changed; says whether it had. Raises BadTable: what was read before is kept
        then."""
        try:
            status = self.path.stat()
        except OSError as problem:
            raise BadTable(told(problem)) from None
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.rows = self._read(self.path, self._length)
        return True


def read_forecasts(path: Path, period_length: int) -> dict[int, Forecast]:
    """The forecasts in a file, by period. Raises BadTable."""
    columns = {"forecast_load_wh": CAPACITY_BOUND, "forecast_pv_wh": CAPACITY_BOUND}
    more = {"community_supply_wh": _ENERGY_BOUND, "community_demand_wh": _ENERGY_BOUND}
    rows = _rows(path, period_length, columns, more)
    return {period: Forecast(*values) for period, values in rows.items()}


def read_measured(path: Path, period_length: int) -> dict[int, Measured]:
    """What a meter counted, by period. Raises BadTable."""
    rows = _rows(path, period_length, {"exported_wh": CAPACITY_BOUND, "imported_wh": CAPACITY_BOUND}, {})
    return {period: Measured(*values) for period, values in rows.items()}


def _rows(path: Path, length: int, columns: Mapping[str, int], more: Mapping[str, int]) -> dict[int, list[int]]:
    """The numbers of each row, by period, in the order of the columns."""
    try:
        if path.stat().st_size > _LARGEST:
            raise BadTable(f"{path}: has more than {_LARGEST} bytes: is it the right file?")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise BadTable(told(problem)) from None
    except UnicodeDecodeError:
        raise BadTable(f"{path}: is no UTF-8 text: save it as CSV UTF-8") from None
    lines = text.splitlines()
    if lines and not text.endswith("\n"):
        lines.pop()  # It is being written.
    header = lines[0].strip().split(",") if lines else []
    wanted = ["period", *columns]
    if header not in (wanted, [*wanted, *more]):
        optional = f"[,{','.join(more)}]" if more else ""
        commas = "; separate them with commas" if lines and (";" in lines[0] or "\t" in lines[0]) else ""
        raise BadTable(f"{path}: line 1: the columns are {','.join(wanted)}{optional}{commas}")
    bounds = [*columns.values(), *more.values()]
    found: dict[int, list[int]] = {}
    for number, fields in enumerate(csv.reader(lines[1:]), start=2):
        where = f"{path}: line {number}"
        if len(fields) != len(header):
            raise BadTable(f"{where}: has {len(fields)} fields, and the header {len(header)}")
        period = _period(fields[0].strip(), length, where)
        if period in found:
            raise BadTable(f"{where}: period {period} stands in an earlier line, too")
        found[period] = [_energy(*each, where) for each in zip(header[1:], fields[1:], bounds, strict=False)]
    return found


def _period(text: str, length: int, where: str) -> int:
    if re.fullmatch("[0-9]{1,20}", text):
        return int(text)
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise BadTable(f"{where}: {text!r} is no period: write its number, or its start as 2026-12-01T09:30:00Z")
    seconds = start.timestamp()
    if seconds < 0 or seconds % length:
        raise BadTable(f"{where}: no period starts at {text}: one lasts {length} s, counted from 1970")
    return int(seconds) // length


def _energy(name: str, text: str, bound: int, where: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text.strip()) or int(text) >= bound:
        raise BadTable(f"{where}: {name} is {text.strip()!r}, and must be whole Wh below {bound}: is this kWh?")
    return int(text)
