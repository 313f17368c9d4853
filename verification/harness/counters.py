"""What the run has to show for itself: how often each invariant was checked, and how often each call succeeded.

An invariant is checked by calling `holds` with its ID, anywhere in a machine or a test. Its statement is read from
`invariants.md`, so that what fails is what the document promises. Counts are gathered per process and merged at the end
of the run (see `verification/plugin.py`).
"""

from __future__ import annotations

import functools
import gc
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from verification.harness.figures import figures
from verification.harness.totals import COUNTED, keep
from verification.invariants import statement

checked: Counter[str] = Counter()
"""How often each invariant was put to the test with its premise true."""

vacuous: Counter[str] = Counter()
"""How often each invariant was asked about while its premise did not hold."""

calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
"""Per machine and entry point (`Machine.function`): how often accepted, and how often refused for which reason."""

first: dict[str, tuple[float, int]] = {}
"""When each invariant was first found not to hold: by `time.monotonic()`, and after how many calls."""

sought: str | None = None
"""The invariant that a run is about: what others do not hold is noted, and ends no history. None: each ends it."""

violated: Counter[str] = Counter()
"""How often each invariant was found not to hold, in whatever history."""

phases: Counter[str] = Counter()
"""In how many accepted or refused calls the clock stood in each phase of some quoted period."""

tallies: Counter[str] = Counter()
"""Histories, steps and whatever else a machine counts."""

lengths: Counter[str] = Counter()
"""How many histories of machines had so many calls, their presets left out."""

spent: Counter[str] = Counter()
"""Nanoseconds per invariant from the check or the call before it to the end of its own check; only where `timing`."""

timing = False
"""Whether `spent` is kept."""

tests: dict[str, dict[str, Any]] = {}
"""Per test what was counted in it, how it ended and, where Hypothesis drew for it, how many examples were valid."""

played: dict[str, dict[str, Any]] = {}
"""Per preset what was counted while it was played. Every process plays those it needs: they count once."""

attacks: dict[str, dict[str, Any]] = {}
"""Per invariant on profit the attack that came nearest to its bound: `lost`, `bound`, `victim` and its `story`."""

failures: list[dict[str, Any]] = []
"""What every failed test left behind; see `verification.harness.reproducers`."""

harness: Any = None
"""The lockstep of the history that is being played: it knows who is behind an address."""

example: dict[str, Any] = {}
"""The arguments with which Hypothesis last called a test that is a function."""

examples = 0
"""How many histories, or calls with drawn arguments, the test that is running has made so far."""

drawing = 0.0
"""When it made the first of them, by `time.monotonic()`: before, it may have played its presets."""

current = ""
"""The test that is running, empty between tests."""


rerun: str = "pytest tests/properties"
"""The command that runs the current test again, just as it runs now."""

STORIES = Path("out/failures")
"""Where the whole history of a failure is written."""


def leaves(failure: BaseException) -> Iterator[BaseException]:
    """The failures inside a group of them, however deep; a single one itself."""
    if isinstance(failure, BaseExceptionGroup):
        for part in failure.exceptions:
            yield from leaves(part)
    else:
        yield failure


def spare_collector() -> None:
    """Keeps Python's garbage collector off what the imports left behind, and makes it run less often.

    Compiler, engine and model leave millions of objects that live as long as the process; looking through them over
    and over took an eighth of a history's time, and a quarter of a compilation's.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def tell(failure: BaseException, trace: Any) -> None:
    """Leaves the history with a failure, for who tells it: the innermost history counts."""
    if getattr(failure, "trace", None) is None:
        failure.trace = trace  # type: ignore[attr-defined]


class Violated(AssertionError):
    """An invariant does not hold. `invariant` is its ID, `figures` says on one line by how much."""

    def __init__(self, invariant: str, details: dict[str, Any], figures: str = "") -> None:
        self.invariant, self.figures = invariant, figures
        self.details = {name: repr(value) for name, value in details.items()}
        shown = f"\n    violated: {figures}" if figures else ""
        shown += "".join(f"\n    {name} = {value!r}" for name, value in details.items())
        super().__init__(f"{invariant}: {statement(invariant)}{shown}")


def holds(invariant: str, condition: object, /, *, when: object = True, **details: Any) -> None:
    """Checks an invariant, provided that its premise `when` is true; raises `Violated` with `details` otherwise.

    A check whose premise is false counts as vacuous: at the end of a run the two are shown side by side.
    """
    if not when:
        vacuous[invariant] += 1
        return
    checked[invariant] += 1
    if timing:
        mark(invariant)
    if not condition:
        violated[invariant] += 1
        first.setdefault(invariant, (time.monotonic(), tallies["calls"]))
        if sought in (None, invariant):
            names = {} if harness is None else harness.names
            raise _violation(invariant)(invariant, details, figures(sys._getframe(1), details, names))


def attacked(invariant: str, victim: str, lost: int, bound: int, story: Sequence[str]) -> None:
    """Remembers an attack, if none came nearer to the bound of that invariant."""
    if lost > 0:
        keep(attacks, {invariant: {"victim": victim, "lost": lost, "bound": bound, "story": list(story)}})


@functools.cache
def _violation(invariant: str) -> type[Violated]:
    """A type per invariant: Hypothesis tells failures apart by their type and place, and shrinks each by itself."""
    return type(invariant, (Violated,), {"__module__": __name__})


_marked = 0


def mark(invariant: str | None = None) -> None:
    """Notes the moment; what passed since the last mark was spent on `invariant` (None: on something else)."""
    global _marked
    now = time.perf_counter_ns()
    if invariant is not None:
        spent[invariant] += now - _marked
    _marked = now


# ---- who counted what --------------------------------------------------------------------

_before: dict[str, Any] = {}


def counts() -> dict[str, Any]:
    """Everything counted in this process so far, as JSON can hold it."""
    return {name: _plain(globals()[name]) for name in COUNTED}


def _plain(counter: Mapping[str, Any]) -> dict[str, Any]:
    # Copied in one go first: another thread may be looking while a test counts.
    return {name: _plain(value) if isinstance(value, Mapping) else value for name, value in dict(counter).items()}


def _less(after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What was added; nothing is left of what stayed the same."""
    found = {}
    for name, value in after.items():
        change = _less(value, before.get(name, {})) if isinstance(value, Mapping) else value - before.get(name, 0)
        if change:
            found[name] = change
    return found


def _take(total: Any, part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, Mapping):
            _take(total[name], value)
        else:
            total[name] -= value


@contextmanager
def preset(name: str) -> Iterator[None]:
    """What is counted inside goes to the preset, not to the test that happens to need it first in its process."""
    before = counts()
    try:
        yield
    finally:
        played[name] = _less(counts(), before)
        _take({counter: globals()[counter] for counter in COUNTED}, played[name])


@contextmanager
def seeking(invariant: str | None) -> Iterator[None]:
    """Inside, only that invariant ends a history; None: each does."""
    global sought
    before, sought = sought, invariant
    try:
        yield
    finally:
        sought = before


@contextmanager
def uncounted() -> Iterator[None]:
    """What happens inside is no part of the run's evidence, as where a failure is looked at once more."""
    kept = counts(), dict(first), dict(attacks), examples, harness
    try:
        yield
    finally:
        _restore(*kept)


def _restore(before: dict[str, Any], firsts: Any, told: Any, drawn: int, cast: Any) -> None:
    global examples, harness
    _take({counter: globals()[counter] for counter in COUNTED}, _less(counts(), before))
    for mapping, kept in ((first, firsts), (attacks, told)):
        mapping.clear()
        mapping.update(kept)
    examples, harness = drawn, cast


def begin(test: str) -> None:
    """A test begins."""
    global current, examples, _before
    current, examples, _before = test, 0, counts()
    tests[test] = {"outcome": "unfinished", "seconds": 0.0, "examples": 0}
    mark()  # What passed before, since the last test or since the machine was started, is spent on no invariant.


def begin_example() -> None:
    """A history begins, or a call with drawn arguments."""
    global examples, drawing
    if not examples:
        drawing = time.monotonic()
    examples += 1


def end(seconds: float) -> None:
    """The test has ended: what was counted since it began is its own."""
    global current
    tests[current] |= {"seconds": seconds, "examples": examples, **_less(counts(), _before)}
    current = ""


def snapshot() -> dict[str, Any]:
    """All that this process has to show so far, as JSON can hold it."""
    shown = dict(tests)
    if current:
        shown[current] = tests[current] | _less(counts(), _before)
    found = {"failures": list(failures), "attacks": dict(attacks)}
    return {"tests": shown, "presets": dict(played), **found, "current": current}
