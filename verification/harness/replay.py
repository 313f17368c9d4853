"""Shows a failure again: what the files call that `wattproof verify` saves beside its report.

Each of these makes the history once more, on an environment of its own and the contract of this source tree (or the one
that the environment variable WATTPROOF_CONTRACTS names), with the same checks as when it failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import boa
import hypothesis
import hypothesis.internal.conjecture.engine as hypothesis_engine
from hypothesis import Phase, reproduce_failure, settings
from hypothesis.errors import DidNotReproduce, Flaky, Unsatisfiable
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.properties.machine import MarketMachine
from verification.harness import counters as evidence
from verification.harness import presets as seasons
from verification.harness.lockstep import Twin
from verification.harness.reproducers import plays_alone
from verification.invariants import ROOT
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
def quietly() -> Iterator[None]:
    """Histories note what they do, which Hypothesis allows in its own runs only: outside them nobody listens."""
    silenced = []
    for name, module in list(sys.modules.items()):
        for said, original in (("event", hypothesis.event), ("note", hypothesis.note)):
            if name.startswith("tests.") and getattr(module, said, None) is original:
                silenced.append((module, said, original))
                setattr(module, said, lambda *_: None)
    try:
        yield
    finally:
        for module, said, original in silenced:
            setattr(module, said, original)


@contextmanager
def by_itself() -> Iterator[None]:
    """Machines check their own invariants only, and seasons are played without the terms' objections."""
    before = MarketMachine.lockstep, Twin.strict_seasons
    MarketMachine.lockstep = Twin.strict_seasons = False
    try:
        yield
    finally:
        MarketMachine.lockstep, Twin.strict_seasons = before


@contextmanager
def history(machine: type[Machine], engine: str, alone: bool = False) -> Iterator[Machine]:
    """A machine to be taken through its steps; where they went well, it ends with the checks of every history.

    `alone`: without the comparison with the terms.
    """
    with playing(engine), quietly(), by_itself() if alone else nullcontext():
        state = machine()
        yield state
        state.teardown()


class TimeUp(BaseException):
    """A second look took as long as it may."""


MOST_SHRINKING = 4
"""Seconds that a find of a second look is shrunk at most."""


def second_look(
    machine: type[Machine], engine: str, seconds: int, known: set[str]
) -> Generator[BaseException, None, None]:
    """What else does not hold, once a machine has failed: a failure for each further invariant that it finds.

    Many short histories, which shrink fast, on an environment of their own; for `seconds` of processor time at most.
    They go without the comparison with the terms, which objects before a machine's own invariants can, unless that is
    all the machine checks. Where a history violates what is `known` it ends: what comes after might follow from it.
    """
    alone = plays_alone(machine)
    longest, hypothesis_engine.MAX_SHRINKING_SECONDS = hypothesis_engine.MAX_SHRINKING_SECONDS, MOST_SHRINKING
    try:
        with playing(engine), by_itself() if alone else nullcontext():
            for name in sorted(set(getattr(machine, "season_names", ()))):
                seasons.prepared(name)
            evidence.known = {name for name in known if not (alone and name.startswith("C2-"))}
            ends = time.process_time() + seconds
            while (failure := _look(machine, alone, ends)) is not None:
                yield failure
                found = {leaf.invariant for leaf in evidence.leaves(failure) if isinstance(leaf, evidence.Violated)}
                if not found - evidence.known:
                    return  # Something else failed than an invariant, and would fail again.
                evidence.known |= found
    finally:
        evidence.known = set()
        hypothesis_engine.MAX_SHRINKING_SECONDS = longest


def _look(machine: type[Machine], alone: bool, ends: float) -> BaseException | None:
    """Histories until one fails, or the processor time `ends`: the failure, or None."""

    def finds() -> int:
        # The twin notes what the terms object to all the same; that ends no history where a machine is by itself.
        silent = [name for name in evidence.violated if name in evidence.known or (alone and name.startswith("C2-"))]
        return evidence.violated.total() - sum(evidence.violated[name] for name in silent)

    before = finds()  # What a season violates without stopping it is no find of this one.

    def __init__(self: Any) -> None:
        late = time.process_time() - ends
        # What was found in time is shrunk in peace, as long as Hypothesis shrinks at all.
        if late > 0 and (finds() == before or late > MOST_SHRINKING + 5):
            raise TimeUp
        machine.__init__(self)

    hurried = type(machine.__name__, (machine,), {"__init__": __init__, "__module__": machine.__module__})
    limits = settings(
        settings.default, max_examples=3_000, stateful_step_count=25, phases=[Phase.generate, Phase.shrink]
    )
    try:
        run_state_machine_as_test(hypothesis.seed(len(evidence.known))(hurried), settings=limits)
    except (TimeUp, Flaky, Unsatisfiable):
        # Hypothesis takes a history that was cut short for one that behaves differently each time, and complains
        # where every one meets what is known.
        return None
    except Exception as failure:
        return failure
    return None


def example(test: Callable[..., None], engine: str, **arguments: Any) -> None:
    """One call of a property test with these arguments."""
    with playing(engine), quietly():
        _prepare(sys.modules[test.__module__])
        test.hypothesis.inner_test(**arguments)  # type: ignore[attr-defined]


def choices(test: Any, engine: str, version: str, blob: bytes) -> None:
    """The choices that Hypothesis made, drawn once more: of a machine, or of a property test.

    The choices fit these tests and this version of Hypothesis; with others the test is refused, not passed.
    """
    if hypothesis.__version__ != version:
        raise RuntimeError(f"recorded with hypothesis {version}, not {hypothesis.__version__}: install that version")
    with playing(engine):
        _prepare(sys.modules[test.__module__])
        again = reproduce_failure(version, blob)(test)
        try:
            if isinstance(again, type):
                run_state_machine_as_test(again)
            else:
                again()
        except DidNotReproduce:
            return  # The history came to its end, and every check of it passed.


def season(name: str, engine: str) -> None:
    """The market of a season, played in lockstep with the terms."""
    with playing(engine):
        strict, Twin.strict_seasons = Twin.strict_seasons, True
        try:
            seasons.prepared(name)
        finally:
            Twin.strict_seasons = strict
        if name in seasons.failures:
            raise seasons.failures[name]


def test(node: str, engine: str) -> None:
    """A whole test once more, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--profile", "quick"]
    options = ["--engine", engine] if node.startswith("tests/properties") else []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, *options, node], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def _prepare(module: Any) -> None:
    """Plays the seasons that a module's machines begin in, outside every example."""
    machines = [value for value in vars(module).values() if hasattr(value, "season_names")]
    for name in sorted({season for machine in machines for season in machine.season_names}):
        seasons.prepared(name)


test.__test__ = False  # type: ignore[attr-defined]
