"""A small community of a whole day, and the shipped one."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattproof.simulation.households import open_households
from wattproof.study.communities import Base

DAY = 48


@pytest.fixture(scope="session")
def shipped() -> Base:
    """The ten households that ship with the package."""
    return Base.of(open_households(seed=1))


def write_day(
    path: Path, header: str = "period,household,load_wh,pv_wh", forecasts: bool = False, days: int = 1
) -> Path:
    """A file of three households: one with panels from 08:00 to 16:00, weak until 10:00, two that use as much all day.

    Its forecasts, where it has some: the first is right, the second a tenth too high, the third twice too high.
    """
    if forecasts:
        header += ",forecast_load_wh,forecast_pv_wh"
    lines = [header]
    for period in range(DAY * days):
        sun = 0 if not 16 <= period % DAY < 32 else 1000 if period % DAY >= 20 else 300
        for name, load, expected, pv in (("roof", 100, 100, sun), ("flat", 200, 220, 0), ("shop", 400, 800, 0)):
            forecast = f",{expected},{pv}" if forecasts else ""
            lines.append(f"{period},{name},{load},{pv}{forecast}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def small(tmp_path: Path) -> Base:
    """That file, without forecasts."""
    return Base.of(open_households(write_day(tmp_path / "small.csv"), seed=1))
