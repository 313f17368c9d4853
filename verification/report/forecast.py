"""How long a stage of tests still takes, by what has been done: from each kind of test its own pace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SOON = 5
"""Seconds of a stage before which nothing is foretold."""


@dataclass(frozen=True)
class Running:
    """A test under way: how many histories, or calls with drawn arguments, it has begun, and for how many seconds."""

    test: str
    made: int
    elapsed: float


def left(
    planned: Mapping[str, int],
    ended: Mapping[str, float],
    running: Iterable[Running],
    jobs: int,
    violated: bool = False,
) -> float | None:
    """Seconds until all tests have ended; None where none are known yet, a kind of them has shown no pace, or
    a failure is being looked into.

    Args:
        planned: how many examples each test draws, 0 where it draws none.
        ended: how many seconds each test took that has ended.
        running: the tests under way.
        jobs: how many processes share the tests.
        violated: whether something was seen not to hold; a test that has drawn all is then taken to look into it.
    """
    if not planned:
        return None
    at = {one.test: one for one in running if one.test in planned and one.test not in ended}
    if any(planned[test] and one.made >= (1 if violated else 2) * planned[test] for test, one in at.items()):
        return None  # It has found a failure and looks for its shortest form, however long that takes.
    paces = _Paces()
    for test, seconds in ended.items():
        paces.add(test, planned.get(test, 0), seconds)
    for one in at.values():
        if one.made > 1:  # Not one is whole before.
            paces.add(one.test, min(one.made, planned[one.test]), one.elapsed)
    waits = []
    for test, examples in planned.items():
        if test not in ended:
            whole = paces.whole(test, examples)
            if whole is None:
                return None
            waits.append(_rest(whole, examples, at.get(test)))
    return max(max(waits, default=0.0), sum(waits) / max(jobs, 1))


def _rest(whole: float, examples: int, running: Running | None) -> float:
    """What of a test's own time is left."""
    if running is None:
        return whole
    if examples and running.made > 1:
        made = min(running.made, examples)
        return running.elapsed / made * (examples - made)
    return max(whole - running.elapsed, 0.0)


class _Paces:
    """Seconds and examples of what was done: by file and kind, and by kind alone. A test that draws nothing is one."""

    def __init__(self) -> None:
        self._done: defaultdict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, test: str, examples: int, seconds: float) -> None:
        """Adds what a test has done so far."""
        for key in _keys(test, examples):
            self._done[key][0] += seconds
            self._done[key][1] += max(examples, 1)

    def whole(self, test: str, examples: int) -> float | None:
        """What a test takes from its beginning to its end, as the nearest others did; None where there are none."""
        for key in _keys(test, examples):
            seconds, done = self._done.get(key, (0.0, 0.0))
            if done:
                return seconds / done * max(examples, 1)
        return None


def _keys(test: str, examples: int) -> tuple[tuple[str, ...], ...]:
    kind = "machine" if test.endswith("::runTest") else "drawn" if examples else "plain"
    return (kind, test.partition("::")[0]), (kind,)


def of_counts(
    planned: list[dict[str, Any]],
    tests: Mapping[str, Any],
    running: list[dict[str, Any]],
    jobs: int,
    violated: bool = False,
) -> float | None:
    """The same, of what `pytest --evidence` leaves behind while it runs; see verification/plugin.py."""
    under_way = [Running(part["current"], part.get("valid", 0), part.get("elapsed", 0.0)) for part in running]
    ended = {name: test.get("seconds", 0.0) for name, test in tests.items() if test["outcome"] != "unfinished"}
    return left({plan["test"]: plan["examples"] for plan in planned}, ended, under_way, jobs, violated)
