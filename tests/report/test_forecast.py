"""How long a run still takes is told by what was done, and never far from what it does take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from verification.report import live
from verification.report.campaign import Campaign, Plan, Stage, progress
from verification.report.forecast import Running, left

Test = tuple[str, int, float]
"""A test's name, how many examples it draws, and how many seconds it takes."""

MACHINES: list[Test] = [
    (f"tests/properties/test_m{n}.py::TestM::runTest", 100, seconds)
    for n, seconds in enumerate((90.0, 60.0, 160.0, 40.0, 115.0, 75.0))
]
DRAWN: list[Test] = [(f"tests/properties/test_d{n % 4}.py::test_{n}", 100, 0.5 + n % 5) for n in range(40)]
PLAIN: list[Test] = [(f"tests/properties/test_p{n % 9}.py::test_{n}", 0, 0.1 + n % 3 / 5) for n in range(120)]


def replayed(tests: list[Test], jobs: int) -> Iterator[tuple[float, float, float | None]]:
    """Plays a run: seconds since it began, those that are really left, and those that are foretold, every second."""
    free, spans = [0.0] * jobs, {}
    for name, _, seconds in tests:
        worker = free.index(min(free))
        spans[name] = (free[worker], free[worker] + seconds)
        free[worker] += seconds
    planned = {name: examples for name, examples, _ in tests}
    for now in range(1, int(max(free))):
        ended = {name: end - begin for name, (begin, end) in spans.items() if end <= now}
        running = [
            Running(name, int(planned[name] * (now - begin) / (end - begin)), now - begin)
            for name, (begin, end) in spans.items()
            if begin <= now < end
        ]
        yield now, max(free) - now, left(planned, ended, running, jobs)


@pytest.mark.parametrize("jobs", [1, 2, 4])
@pytest.mark.parametrize(
    "tests",
    [MACHINES + DRAWN + PLAIN, PLAIN + DRAWN + MACHINES, DRAWN + MACHINES + PLAIN],
    ids=["long", "short", "mixed"],
)
def test_a_forecast_is_never_far_from_the_truth(tests: list[Test], jobs: int) -> None:
    told = [(now, truth, said) for now, truth, said in replayed(tests, jobs) if said is not None]
    assert told
    early = [(truth, said) for now, truth, said in told if truth > 10]
    late = [(truth, said) for now, truth, said in told if 10 < truth < now]
    assert all(truth / 3 < said < 3 * truth for truth, said in early), early
    assert all(truth / 2 < said < 2 * truth for truth, said in late), late


def test_nothing_is_foretold_of_a_kind_that_has_no_pace_yet() -> None:
    assert left({}, {}, [], 2) is None
    planned = {"a.py::TestA::runTest": 100, "b.py::test": 0}
    assert left(planned, {"b.py::test": 1.0}, [], 2) is None
    assert left(planned, {"b.py::test": 1.0}, [Running("a.py::TestA::runTest", 10, 20.0)], 2) == 180.0


def test_nothing_is_foretold_while_a_failure_is_made_short() -> None:
    assert left({"a.py::TestA::runTest": 100}, {}, [Running("a.py::TestA::runTest", 400, 20.0)], 2) is None
    drawn = [Running("a.py::TestA::runTest", 120, 20.0)]
    assert left({"a.py::TestA::runTest": 100}, {}, drawn, 2) == 0, "some histories are begun and given up"
    assert left({"a.py::TestA::runTest": 100}, {}, drawn, 2, violated=True) is None
    assert left({"a.py::TestA::runTest": 100}, {}, [Running("a.py::TestA::runTest", 99, 99.0)], 2) == 1


def test_a_stage_says_what_takes_so_long(tmp_path: Path) -> None:
    """It collects its tests, or makes the history of a failure short; what nobody can foretell has no figure."""
    stage = Stage("properties", [], tmp_path)
    at = progress(stage)
    assert live._line(at, 0) == "0 of 0 tests; the tests are being collected"
    failing = replace(at, tests=1, histories=68, steps=2_160, violated=("C3-FEE-4",))
    assert "; the shortest history that shows a failure is looked for; violated: C3-FEE-4" in live._line(failing, 104)
    assert "about 0:07 of this stage left; violated" in live._line(replace(failing, left=7.0), 104)


def test_a_trading_day_that_is_cut_short_did_not_fail(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, Plan("quick", "revm", None, 1, 12.0))
    campaign.stopped = "time was up after 12 s"
    day = Stage("day", [], tmp_path, status=130, cut=True)
    assert live._closing(campaign, day) == "trading day: not done (time was up after 12 s) in 0:00"
    assert live._closing(campaign, replace(day, cut=False)) == "trading day: FAILED in 0:00"


def test_the_terminal_counts_steps_as_the_report_does(tmp_path: Path) -> None:
    """Every rule of a machine, not every call to the contract."""
    stage = Stage("properties", [], tmp_path)
    stage.counts = {"tests": {}, "tallies": {"calls": 180_435, "steps": 97_682}, "calls": {}}
    stage.counts |= {"spent": {"C4-PACK-2": 3_000, "C3-FEE-1": 1_000}}
    at = progress(stage)
    assert at.steps == 97_682
    assert at.slowest == ("C4-PACK-2", 75)
