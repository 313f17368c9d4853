"""Runs property tests again and again with new seeds until a time budget is used up: `make deep BUDGET=2h`.

Each pass is one run of pytest under the profile `deep`; its seed is printed, and a pass that fails ends the run. With
`--attacks FILE` the worst attacks that they found are written there: `make profit BUDGET=1h`.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verification.campaigns.workers import running
from verification.harness.totals import keep, merged, read
from verification.invariants import ROOT, invariants
from verification.measurements import document, write
from verification.report import attacks, sources, text
from verification.report.facts import clock, number
from wattproof.cli.arguments import count, place, seconds
from wattproof.cli.ending import guarded
from wattproof.outputs import BadPlace, File

EVERY = 60
"""Seconds between two lines that tell how far a pass is."""

SHORTEST = 60
"""Seconds that a pass gets at least, however little is left of the budget."""

MARK = "<!-- wattproof: the worst attacks on profit -->"
"""The first line of the text, by which a later run knows that it is ours."""

_NOT_RUN = (4, 5)
"""What pytest ends with where it cannot take its arguments, or finds no test."""

PASSED, FAILED, CUT_SHORT = "passed", "failed", "cut short"


@dataclass
class Found:
    """What the passes of a run came to: how often each invariant was checked, and the worst attack on each."""

    checked: Counter[str] = field(default_factory=Counter)
    worst: dict[str, dict[str, Any]] = field(default_factory=dict)
    passes: list[dict[str, Any]] = field(default_factory=list)

    def add(self, total: dict[str, Any]) -> Found:
        """The same with what a pass has counted so far."""
        worst = dict(self.worst)
        keep(worst, total["attacks"])
        return Found(self.checked + Counter(total["checked"]), worst, list(self.passes))


def brief(lines: list[dict[str, Any]]) -> str:
    """How near attacks came to the bounds, in a line."""
    near = [f"{line['invariant']} {attacks.share(line['worst'])}" for line in lines if line["worst"]]
    rest = sum(line["worst"] is None and line["checked"] > 0 for line in lines)
    return f"of the bounds: {', '.join(near) or 'nothing'}; without a loss: {rest} invariants"


def table(lines: list[dict[str, Any]]) -> list[str]:
    """The worst attacks as a table for the terminal; money in base units."""
    shown = [("invariant", "victim", "lost", "at most", "share")]
    for line in lines:
        worst = line["worst"]
        if worst:
            figures = number(worst["lost"]), number(worst["bound"]), attacks.share(worst)
            shown.append((line["invariant"], worst["victim"], *figures))
        else:
            shown.append((line["invariant"], attacks.nothing(line), "", "", ""))
    # What is said where there is no attack goes on over the columns of figures.
    wide = [max(len(row[column]) for row in shown if row[2] or not column) for column in range(5)]
    return ["  ".join(_cell(row, column, wide[column]) for column in range(5)).rstrip() for row in shown]


def _cell(row: tuple[str, ...], column: int, width: int) -> str:
    return row[column].ljust(width) if column < 2 else row[column].rjust(width)


class Run:
    """Passes with one seed after the other. What they find is written after every one of them, if a file is named."""

    def __init__(self, options: argparse.Namespace, folder: Path, attacks: tuple[File, File] | None = None) -> None:
        """`attacks`: the files for the worst attacks, as data and as text."""
        self.options, self.file, self.attacks = options, folder / "pass.json", attacks
        self.found = Found()
        # What the documents say is read once: in the hours of a run they may be edited.
        self.rows, self.threats = list(invariants().values()), sources.threats(ROOT)
        self.unsearched = sources.unsearched(ROOT)
        self.began = time.monotonic()

    def go(self) -> int:
        """Returns 0, the exit code of the pass that failed (2 where nothing could be run), or 130 after Ctrl-C."""
        ends, seed, status = time.monotonic() + self.options.budget, self.options.seed, 0
        while not status and (left := ends - time.monotonic()) > 0:
            print(f"---- pass with --hypothesis-seed={seed}; {clock(left)} left", flush=True)
            status = self._pass(seed, max(left, SHORTEST))
            seed += 1
        return status

    def lines(self, found: Found | None = None) -> list[dict[str, Any]]:
        """Every invariant on profit with the worst attack so far, as the invariant report has them."""
        found = found or self.found
        return attacks.lines(self.rows, self.threats, found.checked, found.worst)

    def _pass(self, seed: int, left: float) -> int:
        options, began, interrupted = self.options, time.monotonic(), False
        again = ["--profile", options.profile, f"--hypothesis-seed={seed}", *options.tests]
        parallel = ["-n", str(options.jobs), "--dist", "worksteal", "--evidence", str(self.file)]
        shutil.rmtree(self._parts, ignore_errors=True)
        try:
            ended = self._played([sys.executable, "-m", "pytest", "-q", *parallel, *again], left)
        except KeyboardInterrupt:
            ended, interrupted = None, True
        total = self._counted()
        violated = sorted(total["violated"])
        outcome = FAILED if ended or violated else CUT_SHORT if ended is None else PASSED
        seconds = round(time.monotonic() - began, 1)
        self.found = self.found.add(total)
        self.found.passes.append({"seed": seed, "outcome": outcome, "seconds": seconds, "violated": violated})
        self._told(f"---- {outcome} after {clock(seconds)}")
        if self.attacks:
            self._write(*self.attacks)
        if outcome == FAILED:
            print(
                f"failed{': ' if violated else ''}{', '.join(violated)}; once more: pytest {' '.join(again)}",
                flush=True,
            )
            return 2 if ended in _NOT_RUN and not violated else ended or 1
        if outcome == CUT_SHORT:
            why = "interrupted" if interrupted else "the time is up"
            print(f"{why}; the last pass was cut short", flush=True)
        return 130 if interrupted else 0

    def _played(self, command: list[str], left: float) -> int | None:
        """The exit code of a pass; None where its time was up and it was ended. Tells how far it is now and then."""
        began = told = time.monotonic()
        with running(command) as process:
            while process.poll() is None:
                now = time.monotonic()
                if now - began > left:
                    return None
                if now - told > EVERY:
                    told = now
                    self._told(f"     {clock(now - began)}", self.found.add(self._counted()))
                time.sleep(0.2)
        return process.returncode

    @property
    def _parts(self) -> Path:
        """Where the processes of a pass leave what they counted, a second old at most."""
        return Path(f"{self.file}.parts")

    def _counted(self) -> dict[str, Any]:
        return merged(read(self._parts))

    def _told(self, head: str, found: Found | None = None) -> None:
        found = found or self.found
        said = f"; {brief(self.lines(found))}" if self.options.attacks else ""
        print(f"{head}; {number(found.checked.total())} checks in all{said}", flush=True)

    def _write(self, data: File, words: File) -> None:
        """Writes the worst attacks as JSON, and as text with their stories."""
        lines = self.lines()
        details = {
            "tests": self.options.tests,
            "profile": self.options.profile,
            "passes": self.found.passes,
            "lines": lines,
            "unsearched": self.unsearched,
        }
        figures = {"passes": len(self.found.passes), "checks": self.found.checked.total()}
        write(document("profit", self.options.seed, self.began, figures, details), data)
        words.write(f"{MARK}\n{text.profit(self.found.passes, lines, self.unsearched)}")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 where every pass succeeded, else the exit code of the pass that did not; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m verification.campaigns.deep", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--budget", type=seconds, default=seconds("2h"), help="90s, 30m, 2h (default: 2h)")
    parser.add_argument("--jobs", type=count, default=2, help="processes (default: 2)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first pass (default: the time)")
    parser.add_argument("--profile", default="deep", help="of every pass (default: deep)")
    parser.add_argument(
        "--tests", nargs="+", default=["tests/properties"], metavar="TEST", help="(default: tests/properties)"
    )
    parser.add_argument(
        "--attacks", type=place, metavar="FILE", help="write the worst attacks on profit there, as JSON and as text"
    )
    options = parser.parse_args(arguments)
    try:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wattproof-deep-"))
            run = Run(options, Path(folder), places(options.attacks, stack))
            status = run.go()
    except BadPlace as problem:
        print(problem, file=sys.stderr)
        return 2
    if options.attacks:
        print("\n".join(["the worst attack on each invariant, money in base units:", *table(run.lines())]))
        print(f"with their stories: {options.attacks.with_suffix('.md')}; as data: {options.attacks}", flush=True)
    return status


def places(file: Path | None, stack: contextlib.ExitStack) -> tuple[File, File] | None:
    """The files for the worst attacks, held by `stack`: as data, and beside it as text. Raises BadPlace."""
    if file is None:
        return None
    if file.suffix == ".md":
        raise BadPlace(f"{file}: is where the text goes; name the file of the data, which ends in .json")
    return stack.enter_context(File(file)), stack.enter_context(File(file.with_suffix(".md")))


if __name__ == "__main__":
    sys.exit(guarded(main))
