"""Options, engines, profiles and the closing report of the test run."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import hypothesis.internal.conjecture.engine as hypothesis_engine
import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings

from tests.properties import evidence, report, seasons
from wattproof.engine import ENGINES, EngineUnavailable, make_env

_FOLDER = "WATTPROOF_EVIDENCE"
# Hypothesis shrinks for up to five minutes; what it finds after one is no longer worth the wait.
hypothesis_engine.MAX_SHRINKING_SECONDS = 60

_ALL_BUT_EXPLAIN = tuple(
    phase for phase in Phase if phase is not Phase.explain
)  # explaining costs five times a failure

# A machine's step costs about a millisecond on revm and fifty on py-evm; deadlines would only measure the machine.
_COMMON: dict[str, Any] = dict(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,  # each further one would be shrunk for another minute
    phases=_ALL_BUT_EXPLAIN,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
PROFILES: dict[str, dict[str, Any]] = {
    # Under a minute for all machines on revm: a look before a commit.
    "quick": dict(max_examples=15, stateful_step_count=60, derandomize=True, database=None, **_COMMON),
    # What `make test` runs: some minutes on two cores.
    "ci": dict(max_examples=150, stateful_step_count=100, derandomize=True, database=None, **_COMMON),
    # One pass of `make deep`, which repeats it with new seeds until its time is up.
    "deep": dict(max_examples=2_000, stateful_step_count=150, verbosity=Verbosity.quiet, **_COMMON),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--engine`, `--profile`."""
    group = parser.getgroup("wattproof")
    group.addoption("--engine", choices=ENGINES, help="engine of the property tests (default: revm where installed)")
    group.addoption("--profile", choices=PROFILES, default="ci", help="how hard the property tests try (default: ci)")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the profiles, chooses one, and prepares the folder in which the processes leave their counts."""
    for name, values in PROFILES.items():
        settings.register_profile(name, **values)
    settings.load_profile(config.getoption("profile"))
    config.addinivalue_line("markers", "invariant(*ids): the invariants of invariants.md that a test checks")
    if not hasattr(config, "workerinput"):
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="wattproof-evidence-")


def engine_name(config: pytest.Config) -> str:
    """The engine of the property tests: the one asked for, or else revm where it is installed."""
    asked = config.getoption("engine")
    if asked:
        return asked
    try:
        make_env("revm")
    except EngineUnavailable:
        return "pyevm"
    return "revm"


def profile_of(config: pytest.Config) -> str:
    """The profile of the property tests."""
    return config.getoption("profile")


@pytest.fixture(scope="session")
def property_env(pytestconfig: pytest.Config) -> Any:
    """The environment that all property tests of this process share."""
    return make_env(engine_name(pytestconfig))


@pytest.fixture(autouse=True)
def _property_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Puts tests of `tests/properties` on the chosen engine, and titanoboa's own back afterwards.

    The seasons that a module's machines begin in are prepared here, outside every example: whatever happens inside one
    is undone after it.
    """
    if not _is_property_test(request.node):
        yield
        return
    with boa.swap_env(request.getfixturevalue("property_env")):
        machines = [value for value in vars(request.module).values() if hasattr(value, "season_names")]
        for name in sorted({season for machine in machines for season in machine.season_names}):
            seasons.prepared(name)
        config = request.config
        evidence.rerun = (
            f"make test-one TEST='{request.node.nodeid}' ENGINE={engine_name(config)} PROFILE={profile_of(config)}"
        )
        yield
        for failure in seasons.failures.values():
            raise failure


def _is_whole_run(config: pytest.Config) -> bool:
    """Whether no test was chosen or left out by name, so that every invariant should have been reached."""
    chosen = config.getoption("keyword") or config.getoption("markexpr") or config.getoption("maxfail")
    return not chosen and config.args_source is not pytest.Config.ArgsSource.ARGS


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """A test marked with an invariant's ID has checked it where it passes."""
    yield
    if call.when == "call" and call.excinfo is None:
        for marker in item.iter_markers("invariant"):
            evidence.checked.update(marker.args)


def _is_property_test(item: pytest.Item) -> bool:
    return "properties" in item.path.parts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Property tests undo what they do by themselves; titanoboa's plugin would undo the prepared markets, too."""
    evidence.spare_collector()
    for item in items:
        if _is_property_test(item):
            item.add_marker("ignore_isolation")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Notes when the run began."""
    session.config.stash[_STARTED] = time.monotonic()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leaves this process's counts for the report; at the end of the whole run, fails it where they are too low."""
    folder, config = os.environ.get(_FOLDER), session.config
    if not folder:
        return
    if evidence.tallies or evidence.checked:
        Path(folder, f"{os.getpid()}.json").write_text(json.dumps(evidence.snapshot()))
    if hasattr(config, "workerinput"):
        return
    total = evidence.merge(Path(folder))
    config.stash[_TOTAL] = total
    shutil.rmtree(folder, ignore_errors=True)
    problems = report.starved(total) if profile_of(config) != "quick" else []
    if profile_of(config) != "quick" and _is_whole_run(config):
        problems += [f"{name}: not reached in the whole run" for name in report.unreached(total)]
    config.stash[_PROBLEMS] = problems
    if problems and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints what was checked and how often, and what was reached too seldom."""
    total = config.stash.get(_TOTAL, None)
    if total and total["tallies"]["histories"]:
        seconds = time.monotonic() - config.stash[_STARTED]
        report.write_report(terminalreporter, total, engine_name(config), profile_of(config), seconds)
    problems = config.stash.get(_PROBLEMS, [])
    if problems:
        terminalreporter.section("properties: too little to show", red=True, bold=True)
        for problem in problems:
            terminalreporter.line(problem)


_STARTED = pytest.StashKey[float]()
_TOTAL = pytest.StashKey[dict[str, Any]]()
_PROBLEMS = pytest.StashKey[list[str]]()
