"""What a run has to show: its processes leave their counts behind, which are added up in the end."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from verification.harness import counters, journal, kept_examples, replay, reproducers, summary
from verification.harness.totals import COUNTS, merged, read
from verification.plugins import selection
from verification.plugins.profiles import engine_name, profile_of
from verification.plugins.selection import names_of
from wattproof import outputs

_FOLDER = "WATTPROOF_EVIDENCE"
"""The environment variable that names the folder in which the processes leave their counts."""

_STARTED = pytest.StashKey[float]()
_PLACE = pytest.StashKey[outputs.File]()
_TOTAL = pytest.StashKey[dict[str, Any]]()
_PROBLEMS = pytest.StashKey[list[str]]()
_REMARKS = pytest.StashKey[list[str]]()


def open_folder(config: pytest.Config) -> None:
    """Prepares the folder in which the processes leave what they count, and their journals."""
    counters.timing = config.getoption("evidence") is not None
    if hasattr(config, "workerinput"):
        journal.keep(Path(os.environ[_FOLDER]))
    else:
        os.environ[_FOLDER] = (
            str(_beside(config)) if counters.timing else tempfile.mkdtemp(prefix="wattproof-evidence-")
        )


def kept_in() -> Path | None:
    """Where the processes leave what they count; None where none was prepared."""
    named = os.environ.get(_FOLDER)
    return Path(named) if named else None


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


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """What is counted from here to the test's end is the test's own."""
    began = _BEGAN[0] = time.monotonic()
    counters.example.clear()
    counters.begin(item.nodeid)
    oversized = {"oversized": item.config.getoption("oversized")}
    journal.test(reproducers.known_of(item, engine_name(item.config)) | oversized)
    yield
    counters.end(round(time.monotonic() - began, 3))
    failed = counters.tests[item.nodeid]["outcome"] in ("failed", "error")
    # What failed is left behind at once, while that is quick: a later test may take the whole process down.
    if counters.timing and (time.monotonic() - _LEFT[0] > 1 or (failed and len(counters.failures) < _AT_ONCE)):
        _leave_snapshot()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leaves behind what is going to be run: who watches the run can then tell how far it is."""
    if counters.timing and session.items:
        told = []
        for item in session.items:
            told.append({"test": item.nodeid, "names": sorted(names_of(item)), "examples": _examples(item)})
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
    config.stash[_REMARKS] = remarks = _asked_in_vain(config, total)
    if _judged(config):
        problems += remarks
    config.stash[_PROBLEMS] = problems
    if counters.timing:
        config.stash[_PLACE].write(json.dumps(_told(config, total, int(session.exitstatus))))
    if problems and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _asked_in_vain(config: pytest.Config, total: dict[str, Any]) -> list[str]:
    """A line for each invariant that `-k` names and of which a green run would show nothing."""
    if config.getoption("collectonly"):
        return []
    named = selection.named_invariants(config.getoption("keyword") or "")
    lines = []
    for name in sorted(named & set(summary.unreached(total))):
        checks = total["vacuous"].get(name, 0)
        lines.append(
            f"{name}: asked for and not reached: "
            + (f"its premise was false in all of {checks} checks" if checks else "no test came to check it")
        )
    return lines


def _judged(config: pytest.Config) -> bool:
    """Whether the run makes as many histories as an invariant needs to be reached."""
    return profile_of(config) != "quick" and not config.getoption("histories") and not config.getoption("steps")


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
    problems, remarks = config.stash.get(_PROBLEMS, []), config.stash.get(_REMARKS, [])
    if problems or remarks:
        terminalreporter.section("properties: reached too rarely", red=bool(problems), yellow=not problems, bold=True)
        for line in problems or remarks:
            terminalreporter.line(line)


def _is_whole_run(config: pytest.Config) -> bool:
    """Whether no test was chosen or left out by name, so that every invariant should have been reached."""
    chosen = config.getoption("keyword") or config.getoption("markexpr") or config.getoption("maxfail")
    chosen = chosen or config.getoption("about") or config.getoption("collectonly")
    chosen = chosen or any(config.getoption(option, None) for option in ("deselect", "ignore", "lf", "stepwise"))
    return not chosen and config.args_source is not pytest.Config.ArgsSource.ARGS
