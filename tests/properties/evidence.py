"""What the run has to show for itself: how often each invariant was checked, and how often each call succeeded.

An invariant is checked by calling `holds` with its ID, anywhere in a machine or a test. Its statement is read from
`invariants.md`, so that what fails is what the document promises. Counts are gathered per process and merged at the end
of the run (see `tests/conftest.py`).
"""

from __future__ import annotations

import functools
import gc
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

INVARIANTS = Path(__file__).parents[2] / "invariants.md"

_ROW = re.compile(r"^\| *`?(C[1-5]-[A-Z]+-\d+)`? *\| *([^|]+?) *\|", re.MULTILINE)

checked: Counter[str] = Counter()
"""How often each invariant was put to the test with its premise true."""

vacuous: Counter[str] = Counter()
"""How often each invariant was asked about while its premise did not hold."""

calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
"""Per machine and entry point (`Machine.function`): how often accepted, and how often refused for which reason."""

phases: Counter[str] = Counter()
"""In how many accepted or refused calls the clock stood in each phase of some quoted period."""

tallies: Counter[str] = Counter()
"""Histories, steps and whatever else a machine counts."""


rerun: str = "pytest tests/properties"
"""The command that runs the current test again, just as it runs now."""

STORIES = Path("out/failures")
"""Where the whole history of a failure is written."""


def spare_collector() -> None:
    """Keeps Python's garbage collector off what the imports left behind, and makes it run less often.

    Compiler, engine and model leave millions of objects that live as long as the process; looking through them over
    and over took an eighth of a history's time, and a quarter of a compilation's.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def tell(failure: AssertionError, story: list[str], beginning: int) -> None:
    """Adds to a failure how to see it again: the history as lines for the REPL, and the command.

    `story` is written to a file; what comes after line `beginning`, the history proper, is shown with the failure.
    """
    name = getattr(failure, "invariant", "failure")
    STORIES.mkdir(parents=True, exist_ok=True)
    path = STORIES / f"{name}.py"
    path.write_text("\n".join(story) + "\n")
    if not getattr(failure, "__notes__", None):
        shown = "\n".join(f"    {line}" for line in story[beginning:])
        failure.add_note(f"the history, for `wattproof repl` (all of it: {path}; there: %run -i {path}):\n{shown}")
        failure.add_note(f"to run it again: {rerun}")


class Violated(AssertionError):
    """An invariant does not hold. `invariant` is its ID."""

    def __init__(self, invariant: str, details: dict[str, Any]) -> None:
        self.invariant = invariant
        shown = "".join(f"\n    {name} = {value!r}" for name, value in details.items())
        super().__init__(f"{invariant}: {statement(invariant)}{shown}")


@functools.cache
def statements() -> dict[str, str]:
    """The statement of every invariant, by ID, from `invariants.md`."""
    return dict(_ROW.findall(INVARIANTS.read_text()))


def statement(invariant: str) -> str:
    """The statement of an invariant."""
    return statements().get(invariant, "(no such row in invariants.md)")


def holds(invariant: str, condition: object, /, *, when: object = True, **details: Any) -> None:
    """Checks an invariant, provided that its premise `when` is true; raises `Violated` with `details` otherwise.

    A check whose premise is false counts as vacuous: at the end of a run the two are shown side by side.
    """
    if not when:
        vacuous[invariant] += 1
        return
    checked[invariant] += 1
    if not condition:
        raise _violation(invariant)(invariant, details)


@functools.cache
def _violation(invariant: str) -> type[Violated]:
    """A type per invariant: Hypothesis tells failures apart by their type and place, and shrinks each by itself."""
    return type(invariant, (Violated,), {"__module__": __name__})


def snapshot() -> dict[str, Any]:
    """Everything counted in this process, as JSON can hold it."""
    return {
        "checked": dict(checked),
        "vacuous": dict(vacuous),
        "calls": {name: dict(outcomes) for name, outcomes in calls.items()},
        "phases": dict(phases),
        "tallies": dict(tallies),
    }


def merge(folder: Path) -> dict[str, Any]:
    """The sum of the snapshots `*.json` that the processes of a run left in `folder`."""
    total: dict[str, Any] = {name: Counter() for name in ("checked", "vacuous", "phases", "tallies")}
    total["calls"] = defaultdict(Counter)
    for path in sorted(folder.glob("*.json")):
        part = json.loads(path.read_text())
        for name in ("checked", "vacuous", "phases", "tallies"):
            total[name].update(part[name])
        for name, outcomes in part["calls"].items():
            total["calls"][name].update(outcomes)
    return total
