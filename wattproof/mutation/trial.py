"""Runs the property suite and the unit tests against one changed contract, in a process of its own.

A check is a season of `tests/properties/seasons.py` being played, a state machine, a plain test, or a file whose tests
have fixtures. Each is run with few short histories first (`LOOK`); what survives all of them is looked at by the unit
tests, and what survives those with more and longer histories (`LONG`). Histories are derandomised: equal contracts meet
equal histories.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import boa
import pytest
from _pytest.fixtures import FixtureFunctionDefinition
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from wattproof import deployment, engine
from wattproof.engine import make_env, roomy_env
from wattproof.mutation.arguments import LONG, LOOK
from wattproof.mutation.compiler import TARGETS, compilation, install, parse_ahead
from wattproof.mutation.operators import Mutant
from wattproof.revm import RevmEnv

LENS = "MarketLens"

UNIT = "tests/unit"
"""The name of the check that all unit tests are together."""

NOT_ABOUT_CONTRACTS = ("day", "households", "model", "pricing", "repl", "scenario", "units")
"""Unit tests (`test_*.py`) that cannot notice a change of the contracts, or only by way of what others test."""

_COMPARES_ENGINES = "test_engines"

EFFORTS = {LOOK: (6, 25), LONG: (20, 40)}
"""Histories (or examples) and steps of each check, per effort."""

_COMMON: dict[str, Any] = dict(
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class NoSuite(Exception):
    """The tests are not there: they are part of a checkout, not of the installed package."""


class Task(NamedTuple):
    """One check with one effort."""

    check: str
    effort: str


@dataclass(frozen=True)
class Check:
    """A check by name: the seasons that have to be there, and what runs it with an effort."""

    name: str
    seasons: tuple[str, ...]
    run: Callable[[str], None]
    invariants: tuple[str, ...]


def root() -> Path:
    """The checkout that holds contracts and tests. Raises NoSuite where there is none."""
    folder = deployment.contracts_dir().resolve().parent
    if not (folder / "tests" / "properties" / "seasons.py").is_file():
        raise NoSuite(f"{folder} holds no tests/properties: run this in a complete checkout of Wattproof")
    return folder


class Suite:
    """The checks of `tests/properties`, imported once and inherited by every trial."""

    def __init__(self, efforts: dict[str, tuple[int, int]] = EFFORTS) -> None:
        for effort, (examples, steps) in efforts.items():
            settings.register_profile(effort, max_examples=examples, stateful_step_count=steps, **_COMMON)
        settings.load_profile(next(iter(efforts)))
        folder = root()
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        self.root = folder
        self.contracts = folder / "contracts"
        self.evidence = importlib.import_module("tests.properties.evidence")
        self.seasons = importlib.import_module("tests.properties.seasons")
        self.checks: dict[str, Check] = {}
        for name in self.seasons.SEASONS:
            self._add(Check(f"season {name}", (name,), lambda effort: None, ()))
        for path in sorted((folder / "tests" / "properties").rglob("test_*.py")):
            if path.stem != _COMPARES_ENGINES:
                self._read(path)

    def _add(self, check: Check) -> None:
        self.checks[check.name] = check

    def _read(self, path: Path) -> None:
        place = path.relative_to(self.root)
        module = importlib.import_module(".".join(place.with_suffix("").parts))
        if any(isinstance(value, FixtureFunctionDefinition) for value in vars(module).values()):
            self._add(Check(place.as_posix(), ("fresh",), lambda effort: _pytest(self.root, [path], effort), ()))
            return
        own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
        machines = {value for value in own if isinstance(value, type) and issubclass(value, RuleBasedStateMachine)}
        needed = sorted({season for value in vars(module).values() for season in getattr(value, "season_names", ())})
        for name, value in vars(module).items():
            where = f"{place.as_posix()}::{name}"
            if name.startswith("Test") and isinstance(value, type):
                machine = next((one for one in machines if name == f"Test{one.__name__}"), None)
                if machine is not None:
                    own_seasons = tuple(getattr(machine, "season_names", ()))
                    self._add(Check(where, tuple(dict.fromkeys(own_seasons)), _machine_runner(machine), ()))
            elif name.startswith("test_") and callable(value):
                if inspect.signature(value).parameters:
                    raise ValueError(f"{where} wants fixtures: `wattproof mutate` cannot run it; give it none")
                marks = [mark for mark in getattr(value, "pytestmark", []) if mark.name == "invariant"]
                ids = tuple(one for mark in marks for one in mark.args)
                self._add(Check(where, tuple(needed) or ("fresh",), _function_runner(value), ids))

    @property
    def units(self) -> list[Path]:
        """The files of unit tests that may notice a change."""
        files = sorted((self.root / UNIT).glob("test_*.py"))
        return [path for path in files if path.stem.removeprefix("test_") not in NOT_ABOUT_CONTRACTS]

    def warm(self) -> None:
        """Compiles what no mutant changes, and parses the sources, for the trials to inherit."""
        with boa.swap_env(make_env("revm")):
            self.seasons.prepared("fresh")
        for folder in ("tests.properties.tokens", "tests.support.tokens"):
            package = importlib.import_module(folder)
            for path in sorted(Path(str(package.__file__)).parent.glob("*.vy")):
                package.deployer(path.stem)
        for target in TARGETS:
            parse_ahead(self.contracts, target)
        gc.collect()
        gc.freeze()


def _machine_runner(machine: Any) -> Callable[[str], None]:
    return lambda effort: run_state_machine_as_test(machine, settings=settings.get_profile(effort))


def _pytest(folder: Path, files: Sequence[Path], effort: str, *more: str) -> None:
    """Runs tests as pytest does; raises what the first one that failed has raised, with its ID and its invariants."""
    failed: list[BaseException] = []

    class Listener:
        def pytest_exception_interact(self, node: Any, call: Any) -> None:
            failure = call.excinfo.value
            failure.test = node.nodeid
            failure.marked = [one for marker in node.iter_markers("invariant") for one in marker.args]
            failed.append(failure)

    os.chdir(folder)
    histories = str(settings.get_profile(effort).max_examples)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--engine", "revm", "--shrinking", "1"]
    options += ["--profile", "quick", "--histories", histories]
    code = pytest.main([*options, *more, *map(str, files)], plugins=[Listener()])
    if failed:
        raise failed[0]
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest ended with {code!r}")


def _function_runner(function: Any) -> Callable[[str], None]:
    def run(effort: str) -> None:
        settings.load_profile(effort)
        if hasattr(function, "_hypothesis_internal_use_settings"):
            function._hypothesis_internal_use_settings = settings.get_profile(effort)
        function()

    return run


# ---- in the child ----------------------------------------------------------------------


def run(
    suite: Suite, mutant: Mutant | None, text: str, tasks: Sequence[Task], units: Sequence[Path], pipe: Connection
) -> None:
    """What a child process does: compiles, says what came of it, waits for leave to go on, runs the tasks.

    `units`: the files of unit tests, in their order; there may be none.
    Sends one dictionary for the compilation, `{"compiled": digest or None, ...}`; reads a bool; sends one for each task
    that passed, `{"passed": ...}`, and in the end one that says `{"verdict": "killed" or "survived", ...}`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (Hypothesis prints what it found)
    begun = time.monotonic()
    gc.disable()
    target = mutant.target if mutant else TARGETS[0]
    changes = {(suite.contracts / mutant.path).resolve(): text} if mutant else {}
    try:
        compiled = compilation(suite.contracts, target, changes)
        identity = compiled.identity
    except Exception as error:
        pipe.send({"compiled": None, "error": _brief(error), "seconds": time.monotonic() - begun})
        return
    pipe.send({"compiled": identity, "seconds": time.monotonic() - begun})
    if not pipe.recv():
        return
    gc.enable()
    install(target, compiled)
    with tempfile.TemporaryDirectory(prefix="wattproof-mutant-") as folder:
        copy = Path(folder, "contracts")
        shutil.copytree(suite.contracts, copy)
        if mutant:
            (copy / mutant.path).write_text(text)
        os.environ["WATTPROOF_CONTRACTS"] = str(copy)
        suite.evidence.STORIES = Path(folder, "failures")
        # Built for older rules, which takes ten times as long, a change is the same change; not so in a lens, which has
        # to know those rules.
        trial = _Trial(suite, pipe, () if target == LENS else ("-k", "not Shanghai"))
        # A change may make the contract too large for a chain; that would say nothing of the change.
        engine.make_env = roomy_env  # for the tests' own fixtures
        with boa.swap_env(roomy_env("revm")):
            verdict = trial.properties(task for task in tasks if task.effort == LOOK)
            if verdict is None and units:
                verdict = trial.unit(units)
            if verdict is None:
                verdict = trial.properties(task for task in tasks if task.effort == LONG)
    pipe.send({"verdict": "survived" if verdict is None else "killed", **(verdict or {})})


class _Trial:
    """What has happened so far in this child."""

    def __init__(self, suite: Suite, pipe: Connection, options: Sequence[str]) -> None:
        self.suite, self.pipe, self.options = suite, pipe, options
        self.messages = 0
        self.first: dict[str, tuple[float, int]] = {}
        self.done: set[Task] = set()
        self.begun = time.monotonic()
        self._count()

    def _count(self) -> None:
        execute, remember = RevmEnv.execute_code, self.suite.evidence.Violated.__init__

        def execute_code(env: Any, *args: Any, **kwargs: Any) -> Any:
            self.messages += 1
            return execute(env, *args, **kwargs)

        def violated(failure: Any, invariant: str, details: dict[str, Any]) -> None:
            self.first.setdefault(invariant, (time.monotonic() - self.begun, self.messages))
            remember(failure, invariant, details)

        RevmEnv.execute_code = execute_code
        self.suite.evidence.Violated.__init__ = violated

    def properties(self, tasks: Iterable[Task]) -> dict[str, Any] | None:
        """What the first check that failed says, or None where none did."""
        for task in tasks:
            check = self.suite.checks[task.check]
            played = [Task(f"season {name}", LOOK) for name in check.seasons]
            for part in [*(one for one in played if one not in self.done), task]:
                if part not in self.done and (killed := self._passes(part)):
                    return killed
        return None

    def _passes(self, task: Task) -> dict[str, Any] | None:
        """Runs one check whose seasons were played before; returns what it says where it fails."""
        self.first.clear()
        check, since, before = self.suite.checks[task.check], time.monotonic(), self.messages
        try:
            if task.check.startswith("season "):
                self.suite.seasons.prepared(*check.seasons)
                for failure in self.suite.seasons.failures.values():
                    raise failure
            check.run(task.effort)
        except BaseException as failure:
            return self._killed(check, task, failure, since, before)
        self.done.add(task)
        self.pipe.send({"passed": task, "seconds": time.monotonic() - since})
        return None

    def _killed(self, check: Check, task: Task, failure: BaseException, since: float, before: int) -> dict[str, Any]:
        told = self.suite.evidence
        violated = [leaf.invariant for leaf in told.leaves(failure) if isinstance(leaf, told.Violated)]
        moment, messages = time.monotonic(), self.messages
        if violated and violated[0] in self.first:
            after, messages = self.first[violated[0]]
            moment = self.begun + after
        return {
            "by": violated[0] if violated else None,
            "marked": getattr(failure, "marked", list(check.invariants)) if not violated else [],
            "check": task.check,
            "effort": task.effort,
            "steps": messages - before,
            "seconds": round(moment - since, 3),
            "error": _brief(next(told.leaves(failure))),
        }

    def unit(self, files: Sequence[Path]) -> dict[str, Any] | None:
        """What the first unit test that failed says, or None where none did."""
        since, before = time.monotonic(), self.messages
        try:
            _pytest(self.suite.root, files, LOOK, *self.options)
        except BaseException as failure:
            return {
                "by": None,
                "marked": [],
                "check": getattr(failure, "test", UNIT),
                "effort": "unit",
                "steps": self.messages - before,
                "seconds": round(time.monotonic() - since, 3),
                "error": _brief(failure),
            }
        self.pipe.send({"passed": Task(UNIT, LOOK), "seconds": time.monotonic() - since})
        return None


def _brief(error: BaseException) -> str:
    lines = f"{type(error).__name__}: {error}".splitlines()
    return lines[0][:200]
