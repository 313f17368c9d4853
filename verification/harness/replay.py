"""Shows a failure again: what the files call that `wattproof verify` saves beside its report.

Each of these makes the history once more, on an environment of its own and the contract of this source tree (or the one
that the environment variable WATTPROOF_CONTRACTS names), with the same checks as when it failed.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

import boa
from hypothesis.stateful import RuleBasedStateMachine

from verification.harness import counters, presets
from verification.harness.lockstep import Lockstep
from verification.invariants import ROOT
from verification.surroundings import surroundings
from wattproof.evm.engine import EngineUnavailable, roomy_env

Machine = TypeVar("Machine", bound=RuleBasedStateMachine)


@contextmanager
def playing(engine: str) -> Iterator[None]:
    """An environment of this engine, or of py-evm where it is not installed; it takes contracts of any size."""
    try:
        env = roomy_env(engine)
    except EngineUnavailable:
        env = roomy_env("pyevm")
    with boa.swap_env(env):
        yield


held: list[str] = []
"""What held where a failure was shown again: a line each, for who runs the files."""


@contextmanager
def judged(invariant: str | None) -> Iterator[None]:
    """Inside, only that invariant fails (None: each does). Where it does not, that it holds is noted in `held`."""
    before = counters.checked.copy()
    with counters.seeking(invariant):
        yield
    held.append(holding(invariant, before))


def holding(invariant: str | None, before: Counter[str]) -> str:
    """That an invariant holds, and how often it was checked since `before`; or that it was not."""
    checked = counters.checked - before
    if invariant is None:
        return f"holds: all that was checked, {checked.total()} times"
    times = checked[invariant]
    return f"holds: {invariant}, checked {times} times" if times else f"not reached: {invariant}"


@contextmanager
def history(machine: type[Machine], engine: str, invariant: str | None = None) -> Iterator[Machine]:
    """A machine to be taken through its moves; where they went well, it ends with the checks of every history."""
    with playing(engine), judged(invariant):
        state = machine()
        yield state
        state.teardown()


def example(invariant: str | None, test: Callable[..., None], engine: str, **arguments: Any) -> None:
    """One call of a property test with these arguments."""
    with playing(engine):
        called(invariant, test, arguments)


def called(invariant: str | None, test: Callable[..., None], arguments: dict[str, Any]) -> None:
    """The same on titanoboa's environment of now."""
    presets.prepare(sys.modules[test.__module__])
    with judged(invariant):
        drawn = getattr(test, "hypothesis", None)
        (test if drawn is None else drawn.inner_test)(**arguments)


def preset(name: str, engine: str) -> None:
    """The market of a preset, played in lockstep with the terms."""
    with playing(engine):
        preset_played(name)


def preset_played(name: str) -> None:
    """The same on titanoboa's environment of now."""
    with judged(None):
        with patch.object(Lockstep, "strict_presets", True):
            presets.prepared(name)
        if name in presets.failures:
            raise presets.failures[name]


def test(node: str, engine: str) -> None:
    """A whole test once more, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--profile", "quick"]
    options = ["--engine", engine] if node.startswith("tests/properties") else []
    done = subprocess.run(
        [*command, *options, node], cwd=ROOT, env=surroundings(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


test.__test__ = False  # type: ignore[attr-defined]
