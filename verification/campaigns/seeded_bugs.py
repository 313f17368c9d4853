"""Breaks the contract in one place at a time and shows that the invariant which says so catches it: `make faults`.

Each `*.patch` in `tests/properties/faults` is one seeded bug: a sentence, the invariant that it violates, the test that
checks that invariant, and the change. It is caught if that test finds that invariant violated; anything else fails the
run. What it violates besides is noted, and ends no history: the invariant has to catch it by itself.

Times are seconds from the start of the bug's own process, which compiles and deploys the changed contract, plays the
presets and draws histories, to the invariant's first violation and to the end of the test. The interpreter is started
and the tests are collected once for all bugs.

The lines that the failure prints are then pasted into a shell of IPython: the last one has to show the violation again.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import functools
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import boa

from verification import git
from verification.campaigns.suite import CONTRACTS, Suite, Unsound, collect
from verification.campaigns.workers import Ended, Pool, silence
from verification.harness import counters, presets
from verification.harness.lockstep import Lockstep
from verification.invariants import ROOT, invariants
from verification.measurements import document, file_of, write
from verification.mutation.compiler import compilation, install, parse_ahead
from verification.pasting import pasted
from wattproof.cli.arguments import count, place
from wattproof.cli.ending import guarded
from wattproof.market import deployment
from wattproof.outputs import BadPlace, File, brief

PATCHES = ROOT / "tests" / "properties" / "faults"
LONGEST = 240
"""Seconds after which a bug counts as not caught."""


@dataclass(frozen=True)
class Bug:
    """One seeded bug, as its patch describes it."""

    name: str
    sentence: str
    module: str
    invariant: str
    test: str
    patch: Path


@dataclass(frozen=True)
class Verdict:
    """What became of it: the invariants violated on the way, the one that the test reported, and the times.

    lines    what the failure prints for the REPL
    pasted   what the REPL says last when they are pasted into it
    """

    reported: str | None
    seen: dict[str, float]
    compiled: float
    ended: float
    error: str
    lines: tuple[str, ...] = ()
    pasted: str = ""

    @property
    def replays(self) -> bool:
        """Whether the printed lines show the violation again, in their last line."""
        return self.pasted.startswith(f"violated: {self.reported}: ")

    def first(self, invariant: str) -> float:
        """Seconds to the first violation: of that invariant, or of any."""
        return self.seen.get(invariant, min(self.seen.values(), default=float("nan")))


def bugs(asked: Collection[str] = ()) -> list[Bug]:
    """Every seeded bug, or those of these names: half-written ones beside them are left alone.

    ValueError where a patch does not say what it must.
    """
    return [_parse(path) for path in sorted(PATCHES.glob("*.patch")) if not asked or path.stem in asked]


def _parse(path: Path) -> Bug:
    head, _, _ = path.read_text().partition("\n--- ")
    fields = dict(re.findall(r"^(module|invariant|test): (\S+)$", head, re.MULTILINE))
    if fields.keys() != {"module", "invariant", "test"}:
        raise ValueError(f"{path}: its head must name module, invariant and test")
    if fields["invariant"] not in {"?", *invariants()}:
        raise ValueError(f"{path}: invariants.md has no {fields['invariant']}")
    return Bug(path.stem, head.splitlines()[0], fields["module"], fields["invariant"], fields["test"], path)


def verdicts(chosen: Sequence[Bug], suite: Suite, seconds: float, jobs: int) -> Iterator[tuple[Bug, Verdict]]:
    """The bugs in their order, each with what became of it: its test runs against the changed contract in a process of
    its own, for so many seconds at most, `jobs` of them at a time."""
    coming, found = iter(chosen), dict[str, Verdict]()
    with tempfile.TemporaryDirectory(prefix="wattproof-bugs-") as folder, Pool[Bug](jobs) as pool:
        for told in chosen:
            while told.name not in found:
                while not pool.is_full and (bug := next(coming, None)):
                    try:
                        there = _changed(bug, Path(folder))
                    except git.GitFailed as problem:
                        why = f"its patch cannot be applied ({problem}): make the change anew"
                        found[bug.name] = Verdict(None, {}, 0, 0, why)
                    else:
                        pool.start(bug, _work, bug, suite, there, seconds=seconds)
                for worker, said in pool.messages():
                    if isinstance(said, Ended):
                        said = Verdict(None, {}, 0, seconds, f"{said}: does the changed contract compile?")
                    else:
                        pool.stop(worker)
                    found[worker.job.name] = said
            yield told, found.pop(told.name)


def _changed(bug: Bug, folder: Path) -> str:
    """A folder of the bug's own with the changed contracts. Raises GitFailed where they are others than then."""
    there = folder / bug.name
    shutil.copytree(CONTRACTS, there / "contracts")
    git.apply(bug.patch, there)
    return str(there)


@functools.cache
def _seen_by_the_lens() -> set[Path]:
    """The sources that a lens is compiled from: where one of them is changed, it is compiled anew."""
    lens = compilation(CONTRACTS, "MarketLens")
    _ = lens.resolved_imports
    bundle: Any = lens.input_bundle
    return {file.resolved_path for file in bundle.loaded}


def _work(bug: Bug, suite: Suite, folder: str, pipe: Connection) -> None:
    begun = time.monotonic()
    os.environ["WATTPROOF_CONTRACTS"] = str(Path(folder, "contracts"))
    counters.STORIES = Path(folder, "failures")
    silence()
    if not bug.invariant.startswith("C2") and bug.test != "tests/properties/test_terms.py::TestTerms":
        # The invariant must catch the bug by itself, without the model's help.
        Lockstep.comparing = Lockstep.strict_presets = False
    there = Path(folder, "contracts")
    texts = {path: (there / path.relative_to(CONTRACTS)).read_text() for path in CONTRACTS.rglob("*.vy*")}
    changes = {path.resolve(): text for path, text in texts.items() if text != path.read_text()}
    for name in ("EnergyMarket", "MarketLens") if changes.keys() & _seen_by_the_lens() else ("EnergyMarket",):
        changed = compilation(CONTRACTS, name, changes)
        _ = changed.identity
        install(name, changed)
    compiled = time.monotonic() - begun
    reported, error = None, "the test passed"
    counters.first.clear()
    counters.sought = None if bug.invariant == "?" else bug.invariant
    try:
        with boa.swap_env(presets.environment("revm", oversized=True)):
            suite.run(suite.named(bug.test))
    except BaseException as failure:
        violations = [leaf for leaf in counters.leaves(failure) if isinstance(leaf, counters.Violated)]
        reported = violations[0].invariant if violations else None
        error = brief(failure)
    seen = {invariant: moment - begun for invariant, (moment, _) in counters.first.items()}
    ended = time.monotonic() - begun
    kept = next((one for one in counters.failures if one["invariant"] == reported), None)
    lines = () if kept is None else tuple(kept["repl"])
    said = _pasted(lines) if kept is None or lines else kept["replay"]["why"]
    pipe.send(Verdict(reported, seen, compiled, ended, error, lines, said))


def _pasted(lines: Sequence[str]) -> str:
    """What the REPL says last of these lines, or why it does not take them."""
    try:
        said = pasted(lines)
    except Exception as problem:
        return brief(problem)
    return said[-1] if said else "nothing is said"


def _details(rows: Sequence[tuple[Bug, Verdict, bool]]) -> list[dict[str, Any]]:
    """What became of each, in the form that the invariant report reads."""
    return [
        {
            "fault": bug.name,
            "sentence": bug.sentence,
            "module": bug.module,
            "invariant": bug.invariant,
            "test": bug.test,
            "caught": caught,
            "seen": sorted(verdict.seen),
            "first": round(verdict.first(bug.invariant), 2) if caught else None,
            "ended": round(verdict.ended, 2),
            "compile": round(verdict.compiled, 2),
            "lines": list(verdict.lines),
            "replays": verdict.replays,
        }
        for bug, verdict, caught in rows
    ]


def run(suite: Suite, chosen: Sequence[Bug], file: File | None, jobs: int = 1) -> int:
    """Prints a row per bug and the medians; returns 1 where one was not caught by the invariant it names.

    `jobs` bugs are checked at a time.
    """
    for bug in chosen:
        try:
            suite.named(bug.test)
        except KeyError as problem:
            raise Unsound(f"{bug.name}: {problem.args[0]}") from problem
    for name in ("EnergyCredit", "MarketLens"):  # once, for all bugs that are not in their sources
        _ = deployment.deployer(name).compiler_data.bytecode
    _seen_by_the_lens()
    parse_ahead(CONTRACTS, "EnergyMarket")
    begun = time.monotonic()
    head = ("bug", "module", "invariant", "caught", "first s", "ended s", "compile s")
    print("{:<28} {:<13} {:<16} {:<7} {:>8} {:>9} {:>10}".format(*head))
    rows: list[tuple[Bug, Verdict, bool]] = []
    for bug, verdict in verdicts(chosen, suite, LONGEST, jobs):
        shown = bug.invariant if bug.invariant != "?" else str(verdict.reported)
        caught = shown == verdict.reported
        print(
            f"{bug.name:<28} {bug.module:<13} {shown:<16} {'yes' if caught else 'NO':<7} "
            f"{verdict.first(bug.invariant):>8.1f} {verdict.ended:>9.1f} {verdict.compiled:>10.1f}",
            flush=True,
        )
        if not caught:
            said = f"reported {verdict.reported}: " if verdict.reported else ""
            seen = f"; seen: {', '.join(sorted(verdict.seen))}" if verdict.seen else ""
            print(f"    {said}{verdict.error}{seen}", flush=True)
        elif not verdict.replays:
            print(f"    its lines do not replay: {verdict.pasted}", *verdict.lines, sep="\n    ", flush=True)
        rows.append((bug, verdict, caught))
    hits = [(verdict.first(bug.invariant), verdict.compiled) for bug, verdict, caught in rows if caught]
    if hits:
        print(
            f"{len(hits)} of {len(rows)} caught; median {statistics.median(first for first, _ in hits):.1f} s to the "
            f"first failure, compiling included (without: {statistics.median(f - c for f, c in hits):.1f} s)"
        )
    if file:
        write(document("faults", None, begun, {"faults": len(rows), "caught": len(hits)}, _details(rows)), file)
    missed = [bug.name for bug, _, caught in rows if not caught]
    if missed:
        print(f"not caught by the invariant named: {', '.join(missed)}", file=sys.stderr)
    mute = [bug.name for bug, verdict, caught in rows if caught and not verdict.replays]
    if mute:
        print(f"whose printed lines do not show it at the REPL: {', '.join(mute)}", file=sys.stderr)
    return 1 if missed or mute else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 0 where each bug was caught, 1 where one was not, 2 where nothing can be run."""
    parser = argparse.ArgumentParser(prog="python -m verification.campaigns.seeded_bugs", description=__doc__)
    parser.add_argument("names", nargs="*", help="bugs to check (default: all)")
    parser.add_argument("--test", help="run this test instead of the bug's own, and show what it finds")
    parser.add_argument("--jobs", type=count, default=2, metavar="N", help="bugs at a time (default: 2)")
    parser.add_argument("--json", type=place, help="write the figures there, too")
    options = parser.parse_args(arguments)
    asked = {Path(name).name.removesuffix(".patch") for name in options.names}  # Shells complete the patch's path.
    try:
        chosen = bugs(asked)
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return 2
    if options.test:
        chosen = [replace(bug, invariant="?", test=options.test) for bug in chosen]
    if unknown := sorted(asked - {bug.name for bug in chosen}):
        known = [path.stem for path in PATCHES.glob("*.patch")]
        near = sorted({other for name in unknown for other in difflib.get_close_matches(name, known)})
        hint = f"; near to it: {', '.join(near)}" if near else ""
        print(
            f"no bug {', '.join(unknown)}: they are the patches of {PATCHES.relative_to(ROOT)}{hint}", file=sys.stderr
        )
        return 2
    tests = sorted({bug.test.partition("::")[0] for bug in chosen})
    how = ("--profile", "bugs", "--engine", "revm", "--oversized")
    try:
        with file_of("faults", options.json) if options.json else contextlib.nullcontext() as file:
            return collect(lambda suite: run(suite, chosen, file, options.jobs), *how, paths=tests)
    except BadPlace as problem:
        print(problem, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(guarded(main))
