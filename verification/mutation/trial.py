"""Runs the property suite and the unit tests against one changed contract, in a process of its own.

Each check is run with few short histories first; what survives all of them is looked at by the unit tests, and what
survives those, where that is asked for, with more and longer histories. Histories are derandomised: equal contracts
meet equal histories.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import boa
from hypothesis import settings

from verification.campaigns.suite import ABOUT_CONTRACTS, CONTRACTS, UNIT, Suite, prepared
from verification.campaigns.workers import silence
from verification.harness import counters, presets
from verification.mutation.arguments import LONG, LOOK
from verification.mutation.compiler import TARGETS, compilation, install
from verification.mutation.operators import Mutant
from wattproof.outputs import brief

PRESET = "preset "
"""What the name of a check begins with that plays a preset and nothing else."""

OPTIONS = ("--profile", LOOK, "--engine", "revm", "--oversized", *ABOUT_CONTRACTS)
"""How the suite is collected. A change may make a contract too large for a chain, which would say nothing of it."""

LENS = "MarketLens"

OLDER = "Shanghai"
"""In the name of a test on contracts built for older rules, which takes ten times as long. There a change of the market
is the same change; a lens has to know those rules."""


class Task(NamedTuple):
    """One check with one effort."""

    check: str
    effort: str


def run(
    suite: Suite, mutant: Mutant | None, text: str, tasks: Sequence[Task], units: Sequence[Path], pipe: Connection
) -> None:
    """What a worker does: compiles, says what came of it, waits for leave to go on, runs the tasks.

    `units`: the files of unit tests, in their order; there may be none.
    Sends one dictionary for the compilation, `{"compiled": digest or None, ...}`; reads a bool; sends one for each task
    that passed, `{"passed": ...}`, and in the end one that says `{"verdict": "killed" or "survived", ...}`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    silence()
    begun = time.monotonic()
    target = mutant.target if mutant else TARGETS[0]
    changes = {(CONTRACTS / mutant.path).resolve(): text} if mutant else {}
    try:
        compiled = compilation(CONTRACTS, target, changes)
        identity = compiled.identity
    except Exception as error:
        pipe.send({"compiled": None, "error": brief(error), "seconds": time.monotonic() - begun})
        return
    pipe.send({"compiled": identity, "seconds": time.monotonic() - begun})
    if not pipe.recv():
        return
    install(target, compiled)
    with tempfile.TemporaryDirectory(prefix="wattproof-mutant-") as folder:
        copy = Path(folder, "contracts")
        shutil.copytree(CONTRACTS, copy)
        if mutant:
            (copy / mutant.path).write_text(text)
        os.environ["WATTPROOF_CONTRACTS"] = str(copy)
        counters.STORIES = Path(folder, "failures")
        trial = _Trial(suite, target, pipe)
        with boa.swap_env(presets.environment("revm", oversized=True)):
            verdict = trial.properties(task for task in tasks if task.effort == LOOK)
            if verdict is None and units:
                verdict = trial.unit(units)
            if verdict is None and any(task.effort == LONG for task in tasks):
                suite.try_harder(settings.get_profile(LONG))
                verdict = trial.properties(task for task in tasks if task.effort == LONG)
    pipe.send({"verdict": "survived" if verdict is None else "killed", **(verdict or {})})


class _Trial:
    """What has happened so far in this worker."""

    def __init__(self, suite: Suite, target: str, pipe: Connection) -> None:
        self.suite, self.target, self.pipe = suite, target, pipe
        self.done: set[Task] = set()

    def properties(self, tasks: Iterable[Task]) -> dict[str, Any] | None:
        """What the first check that failed says, or None where none did; presets are played before their checks."""
        for task in tasks:
            check = self.suite.checks.get(task.check)
            played = [Task(f"{PRESET}{name}", LOOK) for name in check.presets] if check else []
            for part in [*played, task]:
                play = functools.partial(self._play, part.check)
                if part not in self.done and (killed := self._tried(part, part.effort, play)):
                    return killed
        return None

    def unit(self, files: Sequence[Path]) -> dict[str, Any] | None:
        """What the first unit test that failed says, or None where none did."""
        items = [
            item for path in files for item in self.suite.units[path] if self.target == LENS or OLDER not in item.name
        ]
        return self._tried(Task(UNIT, LOOK), "unit", lambda: self.suite.run(items))

    def _play(self, check: str) -> None:
        if check.startswith(PRESET):
            prepared(check.removeprefix(PRESET))
        else:
            self.suite.run(self.suite.checks[check].items)

    def _tried(self, task: Task, effort: str, play: Callable[[], None]) -> dict[str, Any] | None:
        """Says that a task passed, or returns how it killed the mutant."""
        counters.first.clear()
        since, before = time.monotonic(), counters.tallies["calls"]
        try:
            play()
        except BaseException as failure:
            leaves = list(counters.leaves(failure))
            violated = [leaf.invariant for leaf in leaves if isinstance(leaf, counters.Violated)]
            moment, calls = time.monotonic(), counters.tallies["calls"]
            if violated and violated[0] in counters.first:
                moment, calls = counters.first[violated[0]]
            return {
                "by": violated[0] if violated else None,
                "marked": getattr(failure, "marked", []) if not violated else [],
                "check": getattr(failure, "test", task.check) if effort == "unit" else task.check,
                "effort": effort,
                "steps": calls - before,
                "seconds": round(moment - since, 3),
                "error": brief(leaves[0]),
            }
        self.done.add(task)
        self.pipe.send({"passed": task, "seconds": time.monotonic() - since})
        return None
