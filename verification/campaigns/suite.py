"""The tests of this checkout, collected by pytest as ever, for campaigns that run them on changed contracts.

A campaign works inside the session: `collect` gives it the tests, and each of its workers, which are forked, runs those
that it is told to, one by one.
"""

from __future__ import annotations

import contextlib
import gc
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.errors import InvalidArgument

from verification.harness import presets
from verification.harness.reproducers import machine_of
from verification.invariants import ROOT
from verification.surroundings import enter

CONTRACTS = ROOT / "contracts"
PROPERTIES, UNIT = "tests/properties", "tests/unit"

_NOT_ABOUT_CONTRACTS = ("day", "households", "model", "pricing", "repl", "scenario", "units")

ABOUT_CONTRACTS = (
    f"--ignore={PROPERTIES}/test_engines.py",
    *(f"--ignore={UNIT}/test_{name}.py" for name in _NOT_ABOUT_CONTRACTS),
)
"""Options that leave out what cannot notice a change of the contracts, or only by way of what others test."""


class Unsound(Exception):
    """A campaign cannot say anything; the message says why."""


@dataclass(frozen=True)
class Check:
    """Tests that are run together: one, or all of a file whose tests share fixtures.

    presets   where its histories begin
    """

    name: str
    items: tuple[pytest.Item, ...]
    presets: tuple[str, ...]


class Suite:
    """The collected tests. `checks` are those of the properties, by name, `units` the unit tests by file."""

    def __init__(self, session: pytest.Session, failures: list[BaseException]) -> None:
        self._failures = failures
        self.checks: dict[str, Check] = {}
        self.units: defaultdict[Path, list[pytest.Item]] = defaultdict(list)
        files: defaultdict[Path, list[pytest.Item]] = defaultdict(list)
        for item in session.items:
            group = self.units if (ROOT / UNIT) in item.path.parents else files
            group[item.path].append(item)
        for path, items in files.items():
            self._add(path.relative_to(ROOT).as_posix(), items)

    def _add(self, file: str, items: Sequence[pytest.Item]) -> None:
        """The checks of a file of property tests."""
        module: Any = items[0].module  # type: ignore[attr-defined]
        needed = {name for value in vars(module).values() for name in getattr(value, "preset_names", ())}
        shared = any(name in vars(module) for item in items for name in item.fixturenames)  # type: ignore[attr-defined]
        for name, group in ((file, items),) if shared else ((one.nodeid, [one]) for one in items):
            machine = machine_of(group[0]) if len(group) == 1 else None
            presets = getattr(machine, "preset_names", None) or sorted(needed) or ("fresh",)
            check = Check(name.removesuffix("::runTest"), tuple(group), tuple(dict.fromkeys(presets)))
            self.checks[check.name] = check

    def named(self, test: str) -> list[pytest.Item]:
        """The tests that go by that name, file::name; of a test with parameters all, of a machine its one."""
        found = re.compile(rf"{re.escape(test)}(::runTest|\[.*)?")
        items = [item for check in self.checks.values() for item in check.items if found.fullmatch(item.nodeid)]
        if not items:
            raise KeyError(f"there is no test {test}")
        return items

    def run(self, items: Sequence[pytest.Item]) -> None:
        """Runs tests in a worker, one after the other; raises what the first one that fails has raised.

        The failure then has the test's ID and the invariants that it is marked with, as `test` and `marked`.
        """
        for item, following in zip(items, [*items[1:], None], strict=True):
            self._failures.clear()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failures:
                failure = self._failures[0]
                failure.test = item.nodeid  # type: ignore[attr-defined]
                marks = item.iter_markers("invariant")
                failure.marked = [one for mark in marks for one in mark.args]  # type: ignore[attr-defined]
                raise failure

    def try_harder(self, plan: settings) -> None:
        """From now on the tests of this worker draw by this plan, but for those that have one of their own. Once."""
        for check in self.checks.values():
            for item in check.items:
                if machine_of(item) is not None:
                    item.cls.settings = plan  # type: ignore[attr-defined]
                elif hasattr(getattr(item, "obj", None), "hypothesis"):
                    with contextlib.suppress(InvalidArgument):  # It has a plan of its own.
                        plan(item.obj)  # type: ignore[attr-defined]


def collect(work: Callable[[Suite], int], *arguments: str, paths: Sequence[str] = (PROPERTIES, UNIT)) -> int:
    """Collects the tests below `paths` and returns what `work(suite)` does, inside the session.

    Returns 2 and says why where pytest cannot collect them or `work` raises Unsound.

    Args:
        arguments: pytest's own and those of `verification.plugin`.
    """

    class Session:
        """Takes the place of pytest's loop."""

        def __init__(self) -> None:
            self.status: int | None = None
            self.problem: BaseException | None = None
            self.stopped = False
            self.failures: list[BaseException] = []

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
            """Has the campaign run."""
            if session.testsfailed:
                return None
            gc.collect()
            gc.freeze()
            try:
                self.status = work(Suite(session, self.failures))
            except BaseException as problem:  # Raised again outside: pytest would take it for one of its own.
                self.problem = problem
            return True

        def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
            """Somebody stopped it; pytest calls a suite that cannot be collected interrupted, too."""
            self.stopped = not isinstance(excinfo.value, pytest.Session.Interrupted)

        def pytest_exception_interact(self, call: pytest.CallInfo[None]) -> None:
            """Keeps what a test failed with."""
            if call.excinfo is not None:
                self.failures.append(call.excinfo.value)

    session = Session()
    quiet = ["-qq", "-s", "--no-header", "--no-summary", "-p", "no:cacheprovider"]
    enter(ROOT)
    code = pytest.main([*quiet, *arguments, *paths], plugins=[session])
    if isinstance(session.problem, Unsound):
        print(session.problem, file=sys.stderr)
        return 2
    if session.problem is not None:
        raise session.problem
    if session.stopped and session.status is None:
        raise KeyboardInterrupt
    if session.status is None:
        print(f"pytest could not collect the tests ({code!r}): python -m pytest --collect-only", file=sys.stderr)
        return 2
    return session.status


def reasons(file: Path, row: re.Pattern[str]) -> dict[tuple[str, ...], str]:
    """What a table of a document excuses: the last cell that `row` finds in each row, by its other cells.

    Empty where there is no such file. Raises Unsound where something is listed twice.
    """
    text = file.read_text() if file.is_file() else ""
    rows = [[cell.strip().replace("\\|", "|") for cell in cells] for cells in row.findall(text)]
    found: dict[tuple[str, ...], str] = {}
    for *listed, reason in rows:
        if tuple(listed) in found:
            raise Unsound(f"{file}: listed twice: {' | '.join(listed)}")
        found[tuple(listed)] = reason
    return found


def prepared(*names: str) -> None:
    """Plays presets in a worker, before tests that begin in them. Raises what went wrong."""
    for name in names:
        presets.prepared(name)
    for failure in presets.failures.values():
        raise failure
