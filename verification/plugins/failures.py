"""What is told of a test that failed, of a file that cannot be collected, and of a process that crashed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from verification.harness import counters, journal, presets, reproducers, terminal
from verification.harness.crashes import CRASHED
from verification.harness.telling import Told
from verification.invariants import ROOT
from verification.plugins.counts import kept_in
from verification.plugins.profiles import engine_name, rerun
from verification.plugins.selection import is_property_test
from verification.rerun import of_another
from verification.surroundings import surroundings
from wattproof.outputs import brief


def told_of(item: pytest.Item, failure: BaseException) -> Told:
    """A failure of a test, told shortly; where that goes wrong the failure stands, and the run goes on."""
    try:
        return reproducers.told_of(item, failure)
    except Exception as problem:  # The test, or the contract, is at fault and may do anything.
        return Told(failure, why=f"its history cannot be told ({brief(problem)})")


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
        told = [] if failure is None else [told_of(item, leaf) for leaf in counters.leaves(failure)]
        again = counters.rerun if is_property_test(item) else of_another(item.path, item.nodeid)
        terminal.tell(item, call, report, told, again)
        if item.config.getoption("call_tree"):
            terminal.trace(report, told)
        spoilt = failure in presets.failures.values()
        if not (spoilt and any(known["preset"] for known in counters.failures)):
            for one in told or (None,):
                kept = reproducers.keep(
                    reproducers.subject_of(item), call.when, one, engine_name(item.config), report.longreprtext
                )
                counters.failures.append(kept)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """The short summary names the invariant and the figures, however narrow the terminal is."""
    summary = getattr(report, "summary", "")
    if not summary or not report.failed:
        return None
    return ("failed", "F", f"FAILED {summary} in") if report.when == "call" else ("error", "E", f"ERROR {summary} in")


_TO_START = 60.0
"""Seconds that a process may take to play the presets that a history needs."""


class Untried:
    """Notes what fails without a test of this process: a file that cannot be collected, and a process that crashes."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.seconds = 60.0

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Each process collects everything; what failed in several counts once."""
        if report.failed:
            self._note(report.nodeid or "tests", "collection", report.longreprtext)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """A worker of xdist that is no more has left no word of the test that it ran, but a journal."""
        told = self._of_crash(crashitem)
        if told is None:
            return self._note(crashitem, "crash", f"crashed: {CRASHED}")
        report.when = "call"
        again = f"to run it again: {rerun(self.config, crashitem)}"
        report.longrepr, report.summary = f"{told['text']}\n\n{again}", told["summary"]  # type: ignore[attr-defined]
        counters.tests[crashitem] = {"outcome": "error", "seconds": 0.0, "examples": 0}
        counters.failures.append(told["kept"])

    def _of_crash(self, test: str) -> dict[str, Any] | None:
        """What `crashes` tells of a test, None where it tells nothing."""
        folder = kept_in()
        file = None if folder is None else journal.of_test(folder, test)
        if file is None or not test.startswith("tests/properties/"):
            return None
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="wattproof-crash-") as scratch:
            out = Path(scratch, "told.json")
            command = [sys.executable, "-m", "verification.harness.crashes", str(file), str(out), str(self.seconds)]
            with contextlib.suppress(subprocess.TimeoutExpired):  # Then what it had told by then counts.
                subprocess.run(
                    command, cwd=ROOT, env=surroundings(), capture_output=True, timeout=self.seconds + _TO_START
                )
            self.seconds = max(self.seconds - (time.monotonic() - began), 0)
            return json.loads(out.read_text()) if out.is_file() else None

    def _note(self, test: str, when: str, text: str) -> None:
        counters.tests[test] = {"outcome": "error", "seconds": 0.0, "examples": 0}
        counters.failures.append(reproducers.untried(test, when, text, engine_name(self.config)))
