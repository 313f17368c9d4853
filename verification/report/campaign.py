"""Runs what a report is about: the trading day, the unit tests, the property tests. Shows how far they are.

Every stage is a process of its own. The tests leave a snapshot of all that they counted behind every second, so that a
run which is cut short still has something to show.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from verification.campaigns.workers import running
from verification.harness.totals import COUNTS, accepted_and_refused, merged, read
from verification.invariants import ROOT, Invariant
from verification.report.forecast import SOON, of_counts
from verification.selection import Selection
from wattproof.outputs import MANIFEST, PART
from wattproof.simulation.accounting import FILES

UNIT = ("tests/unit", "tests/engine", "tests/test_traceability.py")
PROPERTIES = ("tests/properties",)

RUN = "run"
"""The folder inside a report's in which the stages leave what they print and count."""

LOG = "report.log"
"""The file in it that says why a file of the report could not be made."""

LEFT_BEHIND = "|".join(
    (
        r"(day|unit|properties)\.(log|json)",
        rf"(unit|properties)\.json\.parts/({COUNTS})",
        rf"\.(unit|properties)\.json\.lock|{PART}",
        re.escape(LOG),
        r"measured/\.?(symbolic|gas|mutation)\.(json|jsonl|log|json\.lock)",
        rf"day/({'|'.join(map(re.escape, (*FILES, MANIFEST)))}|\.wattproof.+)",
    )
)
"""What there is in it, also after a run that was killed: a regular expression for names."""

TITLES = {"day": "trading day", "unit": "unit tests", "properties": "property tests"}
"""What the stages are called."""


@dataclass
class Stage:
    """One of the stages of a run: what it is called, how it is run, and what came of it.

    `status` is the exit code, None before the end; `cut` says that it was told to end before it did by itself.
    `left_out` says why it is no part of the run, and is empty where it is one.
    """

    name: str
    command: list[str]
    folder: Path
    began: float = 0.0
    seconds: float = 0.0
    status: int | None = None
    planned: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)
    running: list[dict[str, Any]] = field(default_factory=list)
    cut: bool = False
    left_out: str = ""
    jobs: int = 1

    @property
    def file(self) -> Path:
        """Where the tests write what they counted."""
        return self.folder / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """Where everything goes that the stage prints."""
        return self.folder / f"{self.name}.log"

    @property
    def tests(self) -> dict[str, Any]:
        """What was counted so far in every test that was begun."""
        return self.counts.get("tests", {})

    @property
    def complete(self) -> bool:
        """Whether every planned test has run to its end, passed or failed."""
        if self.left_out:
            return True
        ended = all(
            self.tests.get(plan["test"], {}).get("outcome") not in (None, "unfinished") for plan in self.planned
        )
        return self.status is not None and bool(self.planned) and ended

    @property
    def failed(self) -> list[str]:
        """The tests that failed, or that could not be collected, set up or taken down."""
        return sorted(name for name, test in self.tests.items() if test["outcome"] in ("failed", "error"))

    @property
    def state(self) -> str:
        """Left out, not run, cut short, failed or done. Where tests failed, which are told by themselves: done."""
        if self.left_out:
            return "left out"
        if self.status is None:
            return "not run"
        if self.cut:
            return "cut short"
        if self.name == "day":
            return "failed" if self.status or not self.summary.is_file() else "done"
        told = self.status == 0 or (self.status == 1 and self.failed)
        return "done" if told and self.complete else "failed"

    @property
    def summary(self) -> Path:
        """Where the trading day leaves its figures."""
        return self.folder / "day" / "summary.json"

    def look(self) -> None:
        """Reads what the stage's processes have left behind so far."""
        self.seconds = time.monotonic() - self.began
        parts = Path(f"{self.file}.parts")
        if not self.planned and (parts / "collected").is_file():
            self.planned = json.loads((parts / "collected").read_text())
        snapshots = read(parts)
        self.counts = merged(snapshots)
        self.running = [part | part.get("at", {}) for part in snapshots if part["current"]]


@dataclass(frozen=True)
class Plan:
    """How to run.

    `seed`: None for the histories that every run draws; `within`: seconds, None for as long as it takes;
    `histories`: of each property test, None for the profile's own number; see verification/plugin.py;
    `call_tree`: whether a failure shows the calls inside each of its steps;
    `selection`: the invariants that were asked for, None for all.
    """

    profile: str
    engine: str
    seed: int | None
    jobs: int
    within: float | None
    histories: int | None = None
    call_tree: bool = False
    unit: tuple[str, ...] = UNIT
    properties: tuple[str, ...] = PROPERTIES
    day: bool = True
    selection: Selection | None = None

    @property
    def left_out(self) -> dict[str, str]:
        """Why a stage is no part of the run, by its name."""
        parts = {"day": self.day, "unit": self.unit, "properties": self.properties}
        why = "not with profile quick" if self.profile == "quick" else "not asked for"
        return {
            name: f"no part of {self.selection.asked}" if self.selection and not self.selection.has(name) else why
            for name, part in parts.items()
            if not part
        }

    def quick(self) -> Plan:
        """The same plan without what takes minutes: the trading day, and the unit tests of the contracts."""
        return replace(
            self, day=False, unit=tuple(file for file in self.unit if file.endswith(".py")) if self.selection else ()
        )

    def chosen(self, selection: Selection, rows: Mapping[str, Invariant]) -> Plan:
        """The same plan for a part of the invariants."""
        return replace(
            self, selection=selection, day=selection.day, unit=selection.unit, properties=selection.files(rows)
        )


def stages(folder: Path, plan: Plan) -> list[Stage]:
    """The three stages, in their order."""
    python = sys.executable
    day = [python, "-m", "wattproof", "day", "--engine", plan.engine, "--out", str(folder / "day")]
    about = ["--about", plan.selection.about] if plan.selection else []
    found = [
        Stage("day", day, folder),
        Stage("unit", _pytest(plan, folder / "unit.json", plan.unit), folder),
        Stage("properties", [*_pytest(plan, folder / "properties.json", plan.properties), *about], folder),
    ]
    for stage in found:
        stage.left_out, stage.jobs = plan.left_out.get(stage.name, ""), plan.jobs
    return found


def _pytest(plan: Plan, file: Path, tests: tuple[str, ...]) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-n", str(plan.jobs)]
    # A file that cannot be read is a failure among others, and no reason to run none of them.
    command += ["--continue-on-collection-errors", "--dist", "worksteal"]
    command += ["--profile", plan.profile, "--engine", plan.engine]
    command += ["--multiple-bugs", "--evidence", str(file)]
    if plan.call_tree:
        command.append("--call-tree")
    if plan.histories is not None:
        command += ["--histories", str(plan.histories)]
    if plan.seed is not None:
        command.append(f"--hypothesis-seed={plan.seed}")
    return [*command, *tests]


class Campaign:
    """A run of all stages. Iterate over it: it yields every half second, and ends early once it is told to stop."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.plan, self.stages = plan, stages(folder, plan)
        self.began = time.monotonic()
        self.stopped: str | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __getitem__(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    def run(self) -> Iterator[Stage]:
        """Runs the stages; yields the one that is running, twice a second."""
        with self._interruptible():
            for stage in self.stages:
                if not self.stopped and not stage.left_out:
                    yield from self._run(stage)

    def stop(self, reason: str) -> None:
        """Tells the run to end as soon as it can."""
        self.stopped = self.stopped or reason

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the run cleanly; the second one ends it at once."""

        def asked(number: int, frame: FrameType | None) -> None:
            if self.stopped:
                raise KeyboardInterrupt
            self.stop("interrupted")

        before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _run(self, stage: Stage) -> Iterator[Stage]:
        stage.began = time.monotonic()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        with (
            open(stage.log, "w") as log,
            running(stage.command, env=environment, stdout=log, stderr=subprocess.STDOUT) as process,
        ):
            while process.poll() is None and not self.stopped:
                time.sleep(0.5)
                stage.look()
                yield stage
                if self.plan.within is not None and self.seconds > self.plan.within:
                    self.stop(f"time was up after {self.plan.within:.0f} s")
            stage.cut = process.poll() is None
        stage.status = process.returncode
        stage.look()


# ---- how far it is -------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """How far a stage of tests is. `left` is an estimate in seconds, None while there is nothing to go by.

    `steps` are the rules that the machines ran, as the report counts them; `slowest` is the invariant whose checks take
    longest, with its share of all checking in percent.
    """

    done: int
    tests: int
    failed: int
    steps: int
    histories: int
    accepted: int
    refused: int
    rules: dict[str, tuple[int, int]]
    violated: tuple[str, ...]
    slowest: tuple[str, int] | None
    left: float | None
    running: tuple[str, ...]


def progress(stage: Stage) -> Progress:
    """How far a stage is, by what its processes left behind."""
    counts = stage.counts
    outcomes = Counter(stage.tests.get(plan["test"], {"outcome": "unfinished"})["outcome"] for plan in stage.planned)
    tallies, spent = counts.get("tallies", {}), counts.get("spent", {})
    accepted, refused = accepted_and_refused(counts.get("calls", {}).values())
    slowest = max(spent, key=lambda name: spent[name], default=None)
    planned = {plan["test"]: plan["examples"] for plan in stage.planned}
    violated = tuple(counts.get("violated", {}))
    left = of_counts(stage.planned, stage.tests, stage.running, stage.jobs, violated=bool(violated))
    return Progress(
        done=outcomes.total() - outcomes["unfinished"],
        tests=len(stage.planned),
        failed=len(stage.failed),
        steps=tallies.get("steps", 0),
        histories=tallies.get("histories", 0),
        accepted=accepted,
        refused=refused,
        rules=rules(counts.get("calls", {})),
        violated=violated,
        slowest=None if slowest is None else (slowest, 100 * spent[slowest] // max(sum(spent.values()), 1)),
        left=None if stage.seconds < SOON else left,
        running=tuple(_running(part, planned) for part in stage.running),
    )


def rules(calls: dict[str, dict[str, int]]) -> dict[str, tuple[int, int]]:
    """Accepted and refused calls per entry point, the machines added up; the most frequent first."""
    found: defaultdict[str, list[dict[str, int]]] = defaultdict(list)
    for name, outcomes in calls.items():
        found[name.partition(".")[2]].append(outcomes)
    added = {name: accepted_and_refused(parts) for name, parts in found.items()}
    return dict(sorted(added.items(), key=lambda rule: (-sum(rule[1]), rule[0])))


def _running(part: dict[str, Any], planned: dict[str, int]) -> str:
    name = part["current"].rpartition("/")[2].removesuffix("::runTest")
    of = planned.get(part["current"], 0)
    return f"{name} {part.get('valid', 0)}/{of}" if of else name
