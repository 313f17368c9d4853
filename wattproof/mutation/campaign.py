"""Takes the mutants through the suite, some at a time, keeps the record and tells what came of it."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import multiprocessing
import platform
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from wattproof.mutation.arguments import LONG, LOOK
from wattproof.mutation.compiler import TARGETS, compilation
from wattproof.mutation.equivalents import FILE as EQUIVALENTS
from wattproof.mutation.equivalents import explained
from wattproof.mutation.operators import Mutant, mutants
from wattproof.mutation.sources import new_lines, sources
from wattproof.mutation.trial import EFFORTS, UNIT, Suite, Task, run

LONGEST = {LOOK: 600, LONG: 1_200}
"""Seconds after which a trial is given up, by the last effort that it makes; it then counts as undecided."""

_TOOLS = ("vyper", "titanoboa", "pyrevm", "hypothesis", "snekmate", "pytest")

DECIDED = ("killed", "survived", "does not compile", "same code")


class Unsound(Exception):
    """The campaign cannot say anything: the unchanged contract fails, or a record is of other sources."""


@dataclass
class Trial:
    """A child process at work on a mutant (None: the unchanged contract)."""

    mutant: Mutant | None
    process: Any
    pipe: Connection
    ends: float
    plan: list[Task]
    compiled: float = 0
    identity: str = ""
    passed: dict[Task, float] = field(default_factory=dict)


class Campaign:
    """All trials of a run."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options, self.console = options, console
        self.begun = time.monotonic()
        self.suite = Suite()
        self.sources = {source.path: source for source in sources(self.suite.contracts)}
        self.all = [mutant for source in self.sources.values() for mutant in mutants(source)]
        if unknown := set(options.check or []) - self.suite.checks.keys():
            raise Unsound(f"no check {', '.join(sorted(unknown))}: there are {', '.join(self.suite.checks)}")
        self.checks = [name for name in self.suite.checks if not options.check or name in options.check]
        self.explained = explained(self.suite.root)
        self.original: dict[str, str] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, str] = {}
        self.costs: dict[str, float] = {}
        self.sound: set[Task] = set()
        self.running: list[Trial] = []

    # ---- what there is to do -------------------------------------------------------------

    def chosen(self) -> list[Mutant]:
        """The mutants asked for, in the order of the seed: whatever the budget allows is a fair sample."""
        wanted, known = self.options, {mutant.module for mutant in self.all}
        if unknown := set(wanted.module or []) - known:
            raise Unsound(f"no module {', '.join(sorted(unknown))}: there are {', '.join(sorted(known))}")
        if unknown := set(wanted.mutant or []) - {mutant.name for mutant in self.all}:
            raise Unsound(f"no mutant {', '.join(sorted(unknown))}: `wattproof mutate --list` names them all")
        try:
            new = new_lines(self.suite.contracts, wanted.since) if wanted.since else None
        except ValueError as problem:
            raise Unsound(f"--since {wanted.since}: {problem}") from problem
        chosen = [
            mutant
            for mutant in self.all
            if (not wanted.module or mutant.module in wanted.module)
            and (not wanted.operator or mutant.operator in wanted.operator)
            and (not wanted.mutant or mutant.name in wanted.mutant)
            and (new is None or mutant.line in new.get(mutant.path, ()))
        ]
        chosen.sort(key=lambda mutant: mutant.name)
        random.Random(wanted.seed).shuffle(chosen)
        return chosen[: wanted.sample] if wanted.sample else chosen

    def stale(self) -> list[str]:
        """Names in the list of equivalent mutants that no mutant has any more."""
        return sorted(self.explained.keys() - {mutant.name for mutant in self.all})

    def fingerprint(self) -> dict[str, str]:
        """What a record is valid for: the contracts' code, and the files of the suite."""
        digest = hashlib.sha256()
        folders = (self.suite.root / "tests", Path(__file__).parents[1])
        for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".vy")):
            if "__pycache__" not in path.parts and "evidence" not in path.parts[-2:-1]:
                digest.update(path.read_bytes())
        return {
            **{f"{name} creation sha256": code for name, code in self.original.items()},
            "suite": digest.hexdigest(),
        }

    # ---- the record ----------------------------------------------------------------------

    def open_record(self) -> None:
        """Reads the record to go on with, or begins a new one."""
        record, mark = self.options.record, self.fingerprint()
        if self.options.resume and record.is_file():
            lines = [json.loads(line) for line in record.read_text().splitlines() if line.endswith("}")]
            head = lines[0]["record of"]
            if {k: v for k, v in head.items() if k != "suite"} != {k: v for k, v in mark.items() if k != "suite"}:
                raise Unsound(f"{record} is of other contracts: run without --resume to begin anew")
            changed = head["suite"] != mark["suite"]
            if changed:
                self.console.print("the suite has changed since: kills are kept, survivors are tried again")
            for line in lines[1:]:
                if "costs" in line and not changed:
                    self.costs, self.sound = line["costs"], {Task(*task) for task in line["sound"]}
                elif "mutant" in line:
                    self.results[line["mutant"]] = line
            retry = ("undecided", "survived") if changed or self.options.survivors else ("undecided",)
            self.results = {name: line for name, line in self.results.items() if line["result"] not in retry}
            for name, line in self.results.items():
                if line.get("code"):
                    self.codes.setdefault(line["code"], name)
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("w") as out:
            out.write(json.dumps({"record of": mark}) + "\n")
            if self.costs:
                out.write(json.dumps(self.base()) + "\n")
            for line in self.results.values():
                out.write(json.dumps(line) + "\n")

    def write(self, line: dict[str, Any]) -> None:
        """Appends a line to the record."""
        with self.options.record.open("a") as out:
            out.write(json.dumps(line) + "\n")

    # ---- the order of the checks ---------------------------------------------------------

    def plan(self, module: str) -> list[Task]:
        """All checks with few histories, then all with many, the likeliest killers of a module for their time first.

        What is learned counts for the module twice as much as for the others.
        """
        here: Counter[str] = Counter()
        there: Counter[str] = Counter()
        for line in self.results.values():
            if line["result"] == "killed" and line["check"] in self.suite.checks:
                (here if line["module"] == module else there)[line["check"]] += 1
        ours, theirs = sum(here.values()), sum(there.values())

        def worth(name: str) -> tuple[float, str]:
            likely = (here[name] + 2 * (there[name] + 1) / (theirs + len(self.suite.checks))) / (ours + 2)
            return (-likely / (self.costs.get(name, 1) + 0.02), name)

        order = sorted(self.checks, key=worth)
        efforts = (LOOK, LONG) if self.options.effort == LONG else (LOOK,)
        return [Task(name, effort) for effort in efforts for name in order if effort == LOOK or _is_random(name)]

    def units(self, mutant: Mutant | None) -> list[Path]:
        """The files of unit tests: what killed most of the module's mutants first, then what tests the function."""
        if self.options.no_unit:
            return []
        if mutant is None:
            return self.suite.units
        killers = Counter(
            line["check"].split("::")[0]
            for line in self.results.values()
            if line.get("effort") == "unit" and line["module"] == mutant.module
        )

        def place(path: Path) -> tuple[int, bool]:
            return -killers[f"{UNIT}/{path.name}"], path.stem != f"test_{mutant.function}"

        return sorted(self.suite.units, key=place)

    # ---- trials --------------------------------------------------------------------------

    def start(self, mutant: Mutant | None) -> Trial:
        """A child process for that mutant."""
        ours, theirs = multiprocessing.Pipe()
        plan = self.plan(mutant.module if mutant else "")
        text = mutant.apply(self.sources[mutant.path].text) if mutant else ""
        process = multiprocessing.get_context("fork").Process(
            target=run, args=(self.suite, mutant, text, plan, self.units(mutant), theirs), daemon=True
        )
        process.start()
        theirs.close()
        ends = time.monotonic() + LONGEST[self.options.effort] * (1 if mutant else 3)
        trial = Trial(mutant, process, ours, ends, plan)
        self.running.append(trial)
        return trial

    def stop(self, trial: Trial) -> None:
        """Ends a child process, whatever it does."""
        trial.process.kill()
        trial.process.join()
        trial.pipe.close()
        self.running.remove(trial)

    def step(self) -> list[dict[str, Any]]:
        """Waits for news of the running trials (a second at most); returns the results that are there."""
        wait([trial.pipe for trial in self.running], timeout=1)
        done = []
        for trial in list(self.running):
            result = self.news(trial)
            if result is None and time.monotonic() > trial.ends:
                result = {"result": "undecided", "error": f"no end after {LONGEST[self.options.effort]} s"}
            if result is not None:
                self.stop(trial)
                done.append(self.entry(trial, result))
        return done

    def news(self, trial: Trial) -> dict[str, Any] | None:
        """Reads what a child has sent; returns what came of the mutant once that is known."""
        while trial.pipe.poll():
            try:
                message = trial.pipe.recv()
            except EOFError:
                return {"result": "undecided", "error": f"the process ended with {trial.process.exitcode}"}
            if "compiled" in message:
                trial.compiled = message["seconds"]
                if message["compiled"] is None:
                    return {"result": "does not compile", "error": message["error"]}
                trial.identity = message["compiled"]
                if trial.mutant:
                    first = self.codes.setdefault(trial.identity, trial.mutant.name)
                    if first != trial.mutant.name:
                        return {"result": "same code", "as": first, "code": trial.identity}
                trial.pipe.send(True)
            elif "passed" in message:
                trial.passed[Task(*message["passed"])] = message["seconds"]
            else:
                return {"result": message.pop("verdict"), "code": trial.identity, **message}
        return None

    def entry(self, trial: Trial, result: dict[str, Any]) -> dict[str, Any]:
        """The line of the record for a trial."""
        took = {"compile seconds": round(trial.compiled, 2), "checks passed": len(trial.passed)}
        mutant = trial.mutant
        if mutant is None:
            return {
                "mutant": None,
                "costs": {task.check: s for task, s in trial.passed.items() if task.effort == LOOK},
                **result,
            }
        where = {
            "mutant": mutant.name,
            "module": mutant.module,
            "function": mutant.function,
            "line": mutant.line,
            "operator": mutant.operator,
            "statement": mutant.statement,
            "before": mutant.before,
            "after": mutant.after,
        }
        return {
            **where,
            **took,
            "suite seconds": round(sum(trial.passed.values()) + result.get("seconds", 0), 2),
            **result,
        }

    def base(self) -> dict[str, Any]:
        """What is known of the unchanged contract: the seconds of every check, and which it passed."""
        return {"costs": self.costs, "sound": sorted(self.sound)}

    def baseline(self) -> None:
        """Runs everything against the unchanged contract, which has to pass. Raises Unsound where it does not.

        What the record says that it passed already is not run again.
        """
        needed = {*self.plan(""), *([Task(UNIT, LOOK)] if self.units(None) else [])}
        if needed <= self.sound:
            return
        self.console.print("the unchanged contract first: every check has to pass, and is timed")
        trial = self.start(None)
        try:
            while self.running:
                for result in self.step():
                    if result["result"] != "survived":
                        raise Unsound(f"the unchanged contract fails {result.get('check')}: {result.get('error')}")
                    self.costs = result["costs"]
                    self.sound |= {*trial.plan, *trial.passed}
        finally:
            if trial in self.running:
                self.stop(trial)
        self.write(self.base())

    def go(self, todo: Sequence[Mutant]) -> bool:
        """Tries them all, as far as the budget goes; returns whether nothing is left to do."""
        waiting = [mutant for mutant in todo if mutant.name not in self.results]
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, auto_refresh=False) as progress:
            bar = progress.add_task("mutants", total=len(todo), completed=len(todo) - len(waiting))
            try:
                while waiting or self.running:
                    while waiting and len(self.running) < self.options.jobs and not self.is_over():
                        self.start(waiting.pop(0))
                    if not self.running:
                        return False
                    for result in self.step():
                        self.results[result["mutant"]] = result
                        self.write(result)
                        progress.advance(bar)
                    counts = Counter(line["result"] for line in self.results.values())
                    shown = f"killed {counts['killed']}, survived {counts['survived']}"
                    progress.update(bar, description=shown, refresh=True)
            finally:
                for trial in list(self.running):
                    self.stop(trial)
        return True

    def is_over(self) -> bool:
        """Whether the time for new trials is up."""
        return self.options.budget is not None and time.monotonic() - self.begun > self.options.budget

    # ---- the whole ------------------------------------------------------------------------

    def compile_originals(self) -> None:
        """The unchanged contracts' code: mutants that come to the same cannot behave differently."""
        for target in TARGETS:
            self.original[target] = compilation(self.suite.contracts, target).identity
            self.codes[self.original[target]] = "the original"

    def report(self, chosen: Sequence[Mutant], complete: bool) -> dict[str, Any]:
        """The evidence of the run."""
        names = {mutant.name for mutant in chosen}
        lines = [line for name, line in self.results.items() if name in names]
        killed = [line for line in lines if line["result"] == "killed"]
        survived = [line for line in lines if line["result"] == "survived"]
        known = [mutant for mutant in chosen if mutant.name in self.explained]
        unit = [line for line in killed if line["effort"] == "unit"]
        by: defaultdict[str, list[str]] = defaultdict(list)
        for line in killed:
            for killer in [line["by"]] if line["by"] else line["marked"] or [line["check"]]:
                by[killer].append(line["mutant"])
        spent = [line["seconds"] for line in killed]
        figures = {
            "mutants": len(chosen),
            "tried": len(lines),
            "complete": complete,
            "do not compile": sum(line["result"] == "does not compile" for line in lines),
            "same code as the original": sum(line.get("as") == "the original" for line in lines),
            "same code as another mutant": sum(
                line["result"] == "same code" and line["as"] != "the original" for line in lines
            ),
            "killed": len(killed),
            "killed by properties": len(killed) - len(unit),
            "killed by unit tests, few histories of properties before": len(unit),
            "explained as equivalent": len(known),
            "explained, but killed": sum(line["mutant"] in self.explained for line in killed),
            "survived unexplained": sum(line["mutant"] not in self.explained for line in survived),
            "undecided": sum(line["result"] == "undecided" for line in lines),
            "median seconds to the kill": round(statistics.median(spent), 2) if spent else None,
            "median steps to the kill": statistics.median(line["steps"] for line in killed) if killed else None,
        }
        return {
            "part": "mutation",
            "versions": {
                "python": platform.python_version(),
                **{tool: importlib.metadata.version(tool) for tool in _TOOLS},
            },
            "bytecode": self.bytecode(),
            "seed": self.options.seed,
            "seconds": round(time.monotonic() - self.begun, 1),
            "figures": figures,
            "details": {
                "efforts": {name: {"histories": h, "steps": s} for name, (h, s) in EFFORTS.items()},
                "by module": _table(lines, "module"),
                "by operator": _table(lines, "operator"),
                "survivors": [line for line in survived if line["mutant"] not in self.explained],
                "killed by": {name: sorted(by[name]) for name in sorted(by, key=lambda one: (-len(by[one]), one))},
                "explained": {mutant.name: self.explained[mutant.name] for mutant in known},
                "mutants": lines,
            },
        }

    def bytecode(self) -> dict[str, Any]:
        """Digests of the unchanged contracts' code, as `Compilation` makes it: without the digest of the sources."""
        from eth_utils.crypto import keccak

        codes = {}
        for target in TARGETS:
            compiled = compilation(self.suite.contracts, target)
            parts = {"creation": compiled.bytecode, "runtime": compiled.bytecode_runtime}
            codes[target] = {
                name: {"sha256": hashlib.sha256(code).hexdigest(), "keccak": keccak(code).hex(), "bytes": len(code)}
                for name, code in parts.items()
            }
        return codes


def _is_random(check: str) -> bool:
    """Whether more histories can find more: a season is always the same."""
    return not check.startswith("season ")


def _table(lines: Iterable[dict[str, Any]], what: str) -> dict[str, dict[str, int]]:
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        table[line[what]][line["result"]] += 1
    return {name: dict(table[name]) for name in sorted(table)}


def mutate(options: argparse.Namespace, console: Console) -> int:
    """Runs a campaign. Returns 0 where no mutant survived unexplained, 1 where one did, 2 where it cannot be run.

    A mutant that is explained as equivalent and killed all the same (with `--all`) counts as a failure, too.
    """
    try:
        campaign = Campaign(options, console)
        chosen = campaign.chosen()
        if options.list:
            for mutant in sorted(chosen, key=lambda mutant: (mutant.path, mutant.line)):
                console.print(_shown(mutant), soft_wrap=True, markup=False, highlight=False)
            return 0
        if stale := campaign.stale():
            raise Unsound(f"{EQUIVALENTS} lists mutants that are no more: {', '.join(stale)}; take them out")
        campaign.compile_originals()
        campaign.open_record()
        campaign.suite.warm()
        campaign.baseline()
        todo = [mutant for mutant in chosen if options.all or mutant.name not in campaign.explained]
        complete = campaign.go(todo)
    except Unsound as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"stopped; go on with --resume (the record: {options.record})", file=sys.stderr)
        return 130
    evidence = campaign.report(chosen, complete)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(evidence, indent=1) + "\n")
    _tell(evidence, options, console)
    figures = evidence["figures"]
    return 1 if figures["survived unexplained"] or figures["explained, but killed"] else 0


def _shown(mutant: Mutant) -> str:
    before, after = (" ".join(text.split())[:80] for text in (mutant.before, mutant.after))
    place = f"{mutant.path}:{mutant.line} {mutant.function}"
    return f"{mutant.name} {place} {mutant.operator}: {before} -> {after or 'nothing'}"


def _tell(evidence: dict[str, Any], options: argparse.Namespace, console: Console) -> None:
    for name, value in evidence["figures"].items():
        console.print(f"{name:<30} {value}", highlight=False)
    for line in evidence["details"]["survivors"]:
        console.print(
            f"survived: {line['mutant']} {line['module']}:{line['line']} {line['operator']}: "
            f"{' '.join(line['statement'].split())} | {line['before']!r} -> {line['after']!r}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    if not evidence["figures"]["complete"]:
        console.print("the budget is used up: go on with --resume")
    console.print(f"all of it: {options.out}")
