"""What pytest does for the property tests: options, engines, profiles, and what a run has to show in the end."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings

from verification.harness import counters, kept_examples, presets, replay, reproducers, summary, terminal
from verification.harness.totals import COUNTS, merged, read
from verification.invariants import invariants
from wattproof import outputs
from wattproof.cli.arguments import count
from wattproof.evm import compiler_cache
from wattproof.evm.engine import ENGINES, available

_FOLDER = "WATTPROOF_EVIDENCE"

# Derandomized is not the same everywhere: Hypothesis also draws constants of whatever modules of ours are loaded, and
# that differs from worker to worker (findings/hypothesis-derandomize-follows-imports.sh): bounds on counts need room.
# A machine's step costs about a millisecond on revm and fifty on py-evm; deadlines would only measure the machine.
_COMMON: dict[str, Any] = dict(
    deadline=None,
    print_blob=False,  # A failure is told as calls, for any version of Hypothesis.
    report_multiple_bugs=False,  # each further one would be shrunk for another minute
    phases=[phase for phase in Phase if phase is not Phase.explain],  # explaining costs five times a failure
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
_CAMPAIGN: dict[str, Any] = _COMMON | dict(
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PROFILES: dict[str, dict[str, Any]] = {
    # Under a minute for all machines on revm: a look before a commit.
    "quick": dict(max_examples=15, stateful_step_count=60, derandomize=True, database=None, **_COMMON),
    # What `make test` runs: some minutes on two cores.
    "ci": dict(max_examples=100, stateful_step_count=100, derandomize=True, database=None, **_COMMON),
    # What a campaign begins with on each changed contract, and what it goes on with.
    "look": dict(max_examples=6, stateful_step_count=25, **_CAMPAIGN),
    "long": dict(max_examples=20, stateful_step_count=40, **_CAMPAIGN),
    # Seeded bugs: short histories, of as many as it takes.
    "bugs": dict(max_examples=3_000, stateful_step_count=25, **_CAMPAIGN),
    # One pass of `make deep`, which repeats it with new seeds until its time is up.
    "deep": dict(max_examples=2_000, stateful_step_count=150, verbosity=Verbosity.quiet, **_COMMON),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the property tests."""
    group = parser.getgroup("wattproof")
    group.addoption("--engine", choices=ENGINES, help="engine of the property tests (default: revm where installed)")
    group.addoption("--profile", choices=PROFILES, default="ci", help="how hard the property tests try (default: ci)")
    group.addoption(
        "--histories", type=count, metavar="N", help="histories a test, instead of the profile's own number"
    )
    group.addoption("--steps", type=count, metavar="N", help="steps of a history, instead of the profile's own number")
    group.addoption("--about", metavar="ID,FILE", help="run only what checks these invariants, and all of these files")
    group.addoption("--evidence", metavar="FILE", help="write all that was counted there, as JSON; see docs/report.md")
    group.addoption("--multiple-bugs", action="store_true", help="keep searching for other violations after the first")
    group.addoption("--call-tree", action="store_true", help="show the call tree of each step of a failing history")
    group.addoption("--oversized", action="store_true", help="take contracts larger than a chain does (EIP-170)")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the profiles, chooses one, and prepares the folder in which the processes leave their counts."""
    compiler_cache.use()
    asked: dict[str, Any] = {"report_multiple_bugs": config.getoption("multiple_bugs")}
    if config.getoption("hypothesis_seed", None) is not None:
        asked["derandomize"] = False  # Derandomised, it would not look at the seed.
    numbers = {"max_examples": config.getoption("histories"), "stateful_step_count": config.getoption("steps")}
    asked |= {name: number for name, number in numbers.items() if number}
    database = kept_examples.database()
    for name, values in PROFILES.items():
        profile = settings(**values | asked)
        # A derandomized run has no database unless it is given one afterwards.
        keeps = {"database": database} if name in kept_examples.PROFILES else {}
        settings.register_profile(name, profile, **keeps)
    settings.load_profile(profile_of(config))
    counters.timing = config.getoption("evidence") is not None
    config.pluginmanager.register(_Untried(engine_name(config)))
    config.addinivalue_line("markers", "invariant(*ids): the invariants of invariants.md that a test checks")
    if not hasattr(config, "workerinput"):
        os.environ[_FOLDER] = (
            str(_beside(config)) if counters.timing else tempfile.mkdtemp(prefix="wattproof-evidence-")
        )


def _beside(config: pytest.Config) -> Path:
    """The folder for the processes' counts, beside the file of `--evidence`: there, who watches the run finds them.

    Makes sure of both, and of the file until the run ends.
    """
    file = Path(str(config.getoption("evidence")))
    folder = file.with_name(f"{file.name}.parts")
    try:
        config.stash[_PLACE] = outputs.File(file)
        config.add_cleanup(config.stash[_PLACE].close)
        for path in folder.iterdir() if folder.is_dir() else ():
            if not re.fullmatch(COUNTS, path.name):
                raise outputs.BadPlace(f"{path}: is not of an earlier run; move it, or name another file")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    except (outputs.BadPlace, OSError) as problem:
        raise pytest.UsageError(str(problem)) from problem
    return folder


def engine_name(config: pytest.Config) -> str:
    """The engine of the property tests: the one asked for, or else revm where it is installed."""
    return config.getoption("engine") or available()[-1]


def profile_of(config: pytest.Config) -> str:
    """The profile of the property tests."""
    return str(config.getoption("profile"))


# ---- every test --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def property_env(pytestconfig: pytest.Config) -> Any:
    """The environment that all property tests of this process share."""
    return presets.environment(engine_name(pytestconfig), pytestconfig.getoption("oversized"))


@pytest.fixture(autouse=True)
def _property_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Puts tests of `tests/properties` on the chosen engine, and titanoboa's own back afterwards.

    The presets that a module's machines begin in are played here, outside every example: whatever happens inside one
    is undone after it.
    """
    if not _is_property_test(request.node):
        yield
        return
    config = request.config
    with boa.swap_env(request.getfixturevalue("property_env")):
        presets.prepare(request.module)
        options = f"ENGINE={engine_name(config)} PROFILE={profile_of(config)}"
        counters.rerun = f"make test-one TEST='{request.node.nodeid}' {options}"
        yield
        for failure in presets.failures.values():
            raise failure


@pytest.fixture
def uncounted() -> Iterator[None]:
    """What a test makes fail on purpose is no part of the run's evidence."""
    with counters.uncounted():
        yield


def _is_whole_run(config: pytest.Config) -> bool:
    """Whether no test was chosen or left out by name, so that every invariant should have been reached."""
    chosen = config.getoption("keyword") or config.getoption("markexpr") or config.getoption("maxfail")
    chosen = chosen or config.getoption("about")
    return not chosen and config.args_source is not pytest.Config.ArgsSource.ARGS


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """What is counted from here to the test's end is the test's own."""
    began = _BEGAN[0] = time.monotonic()
    counters.example.clear()
    counters.begin(item.nodeid)
    yield
    counters.end(round(time.monotonic() - began, 3))
    failed = counters.tests[item.nodeid]["outcome"] in ("failed", "error")
    # What failed is left behind at once, while that is quick: a later test may take the whole process down.
    if counters.timing and (time.monotonic() - _LEFT[0] > 1 or (failed and len(counters.failures) < _AT_ONCE)):
        _leave_snapshot()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """A test marked with an invariant's ID has checked it where it passes; what fails leaves its history behind."""
    result = yield
    report = result.get_result()
    failure = call.excinfo.value if call.excinfo is not None else None
    outcome = report.outcome
    noted = counters.tests[item.nodeid]
    if call.when == "call" and call.excinfo is None:
        for marker in item.iter_markers("invariant"):
            counters.checked.update(marker.args)
    if call.when == "call" or outcome == "skipped":
        noted["outcome"] = outcome
    elif outcome == "failed" and (call.when == "setup" or failure not in presets.failures.values()):
        noted["outcome"] = "error"
    if outcome == "failed":
        told = [] if failure is None else [reproducers.told_of(item, leaf) for leaf in counters.leaves(failure)]
        rerun = counters.rerun if _is_property_test(item) else f"python -m pytest '{item.nodeid}'"
        terminal.tell(item, call, report, told, rerun)
        if item.config.getoption("call_tree"):
            terminal.trace(report, told)
        spoilt = failure in presets.failures.values()
        if not (spoilt and any(known["preset"] for known in counters.failures)):
            for one in told or (None,):
                kept = reproducers.keep(item, call.when, one, engine_name(item.config), report.longreprtext)
                counters.failures.append(kept)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """The short summary names the invariant and the figures, however narrow the terminal is."""
    summary = getattr(report, "summary", "")
    if not summary or not report.failed:
        return None
    return ("failed", "F", f"FAILED {summary} in") if report.when == "call" else ("error", "E", f"ERROR {summary} in")


class _Untried:
    """Notes what fails without a test of this process: a file that cannot be collected, and a process that crashes."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Each process collects everything; what failed in several counts once."""
        if report.failed:
            self._note(report.nodeid or "tests", "collection", report.longreprtext)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """A worker of xdist that is no more has left no word of the test that it ran."""
        self._note(crashitem, "crash", "crashed: the process that ran the test ended without a word")

    def _note(self, test: str, when: str, text: str) -> None:
        counters.tests[test] = {"outcome": "error", "seconds": 0.0, "examples": 0}
        counters.failures.append(reproducers.untried(test, when, text, self.engine))


def _is_property_test(item: pytest.Item) -> bool:
    return "properties" in item.path.parts


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Property tests undo what they do by themselves; titanoboa's plugin would undo the prepared markets, too."""
    counters.spare_collector()
    checks = _checks()
    about = {name for name in (config.getoption("about") or "").split(",") if name}
    left_out: list[pytest.Item] = []
    for item in items:
        file = item.nodeid.partition("::")[0]
        checked = {invariant for name in _names(item) for invariant in checks.get(f"{file}::{name}", ())}
        item.extra_keyword_matches.update(checked)  # `-k C3-FEE-4`, or a part of it, selects what checks the invariant.
        if about and not about & {file, *checked}:
            left_out.append(item)
        if _is_property_test(item):
            item.add_marker("ignore_isolation")
            handle = getattr(getattr(item, "obj", None), "hypothesis", None)
            if handle is not None:
                handle.inner_test = _remembering(handle.inner_test)
    kept_examples.leave_out_searches(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def _checks() -> dict[str, list[str]]:
    """The invariants that each test checks, by "file::name" as invariants.md names it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    try:
        for row in invariants().values():
            for test in row.tests:
                found[test].append(row.id)
    except ValueError as problem:
        raise pytest.UsageError(str(problem)) from problem
    return found


def _names(item: pytest.Item) -> set[str]:
    """What a test may be called in invariants.md: its own name, and those of its machine."""
    machine = reproducers.machine_of(item)
    names = {getattr(item, "originalname", item.name), *item.nodeid.split("::")[1:]}
    return names | {parent.__name__ for parent in (machine.__mro__ if machine else ())}


def _remembering(test: Any) -> Any:
    """The test, which notes the arguments that it is called with, for a failure to be written down."""

    @functools.wraps(test)
    def noting(*args: Any, **kwargs: Any) -> None:
        counters.example.clear()
        counters.example.update(kwargs)
        counters.begin_example()
        test(*args, **kwargs)

    return noting


# ---- what a run has to show ----------------------------------------------------------------


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leaves behind what is going to be run: who watches the run can then tell how far it is."""
    if counters.timing and session.items:
        told = []
        for item in session.items:
            told.append({"test": item.nodeid, "names": sorted(_names(item)), "examples": _examples(item)})
        _write(Path(os.environ[_FOLDER], "collected"), told)


def _examples(item: pytest.Item) -> int:
    """How many histories, or calls with drawn arguments, a test is going to make: as the profile says."""
    if reproducers.machine_of(item) is not None:
        case: Any = getattr(item, "cls", None)
        return case.settings.max_examples
    return settings().max_examples if hasattr(getattr(item, "obj", None), "hypothesis") else 0


def pytest_sessionstart(session: pytest.Session) -> None:
    """Notes when the run began; with `--evidence`, leaves a snapshot behind every second from here on."""
    session.config.stash[_STARTED] = time.monotonic()
    if counters.timing:
        threading.Thread(target=_pulse, daemon=True).start()


def _pulse() -> None:
    """While a property test runs, which may take minutes. Others are left alone: some measure memory."""
    while os.environ.get(_FOLDER):
        time.sleep(1)
        if counters.current.startswith("tests/properties/"):
            _leave_snapshot()


_AT_ONCE = 50
"""Failures of a process after which it leaves its counts only every second."""

_BEGAN = [0.0]
"""When the test began that is running."""

_LEAVING = threading.Lock()
_LEFT = [0.0]


def _leave_snapshot() -> None:
    folder = os.environ.get(_FOLDER)
    with _LEAVING:
        _LEFT[0] = time.monotonic()
        if folder and Path(folder).is_dir():
            since = counters.drawing if counters.examples else _BEGAN[0]
            at = {"valid": counters.examples, "elapsed": round(time.monotonic() - since, 1)}
            _write(Path(folder, f"{os.getpid()}.json"), counters.snapshot() | {"at": at})


def _write(path: Path, value: Any) -> None:
    """Writes JSON in one go, so that nobody ever reads half of it."""
    outputs.write(path, json.dumps(value))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leaves this process's counts for the report; at the end of the whole run, fails it where they are too low."""
    folder, config = os.environ.get(_FOLDER), session.config
    if not folder:
        return
    if counters.tests:
        _leave_snapshot()
    if hasattr(config, "workerinput"):
        return
    total = merged(read(Path(folder)))
    config.stash[_TOTAL] = total
    if not counters.timing:
        shutil.rmtree(folder, ignore_errors=True)
    problems = summary.rarely_called(total) if profile_of(config) != "quick" else []
    if profile_of(config) != "quick" and _is_whole_run(config):
        problems += [f"{name}: not reached in the whole run" for name in summary.unreached(total)]
    config.stash[_PROBLEMS] = problems
    if counters.timing:
        config.stash[_PLACE].write(json.dumps(_told(config, total, int(session.exitstatus))))
    if problems and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _told(config: pytest.Config, total: dict[str, Any], status: int) -> dict[str, Any]:
    """What `--evidence` writes: how the run was made, all that was counted, and what there was too little of."""
    return {
        "schema": "wattproof-counts/1",
        "engine": engine_name(config),
        "profile": profile_of(config),
        "seed": config.getoption("hypothesis_seed", None),
        "seconds": round(time.monotonic() - config.stash[_STARTED], 3),
        "status": status,
        "under_exercised": summary.rarely_called(total),
        **total,
    }


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints what was checked and how often, and what was reached too rarely."""
    for line in replay.held:
        terminalreporter.line(line)
    if replay.held or terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        return  # What failed is told last; what a run counted says little where histories ended early.
    total = config.stash.get(_TOTAL, None)
    if total and total["tallies"].get("histories"):
        seconds = time.monotonic() - config.stash[_STARTED]
        summary.write_report(terminalreporter, total, engine_name(config), profile_of(config), seconds)
    for name, test in total["tests"].items() if total else ():
        if test.get("replayed"):
            terminalreporter.line(kept_examples.told(name, test["replayed"]))
    problems = config.stash.get(_PROBLEMS, [])
    if problems:
        terminalreporter.section("properties: reached too rarely", red=True, bold=True)
        for problem in problems:
            terminalreporter.line(problem)


_STARTED = pytest.StashKey[float]()
_PLACE = pytest.StashKey[outputs.File]()
_TOTAL = pytest.StashKey[dict[str, Any]]()
_PROBLEMS = pytest.StashKey[list[str]]()
