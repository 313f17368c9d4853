"""Shows a failure again: what the files call that `wattproof verify` saves beside its report.

Each of these makes the history once more, on an environment of its own and the contract of this source tree (or the one
that the environment variable WATTPROOF_CONTRACTS names), with the same checks as when it failed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

import boa
from hypothesis.stateful import RuleBasedStateMachine

from verification.harness import presets
from verification.harness.lockstep import Lockstep
from verification.invariants import ROOT
from verification.surroundings import surroundings
from wattproof.evm.engine import EngineUnavailable, make_env

Machine = TypeVar("Machine", bound=RuleBasedStateMachine)


@contextmanager
def playing(engine: str) -> Iterator[None]:
    """An environment of this engine, or of py-evm where it is not installed."""
    try:
        env = make_env(engine)
    except EngineUnavailable:
        env = make_env("pyevm")
    with boa.swap_env(env):
        yield


@contextmanager
def history(machine: type[Machine], engine: str) -> Iterator[Machine]:
    """A machine to be taken through its steps; where they went well, it ends with the checks of every history."""
    with playing(engine):
        state = machine()
        yield state
        state.teardown()


def example(test: Callable[..., None], engine: str, **arguments: Any) -> None:
    """One call of a property test with these arguments."""
    with playing(engine):
        presets.prepare(sys.modules[test.__module__])
        test.hypothesis.inner_test(**arguments)  # type: ignore[attr-defined]


def preset(name: str, engine: str) -> None:
    """The market of a preset, played in lockstep with the terms."""
    with playing(engine):
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
