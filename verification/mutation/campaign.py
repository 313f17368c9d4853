"""Takes the mutants through the suite, some at a time, keeps the record and tells what came of it."""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from rich.console import Console

from verification.campaigns.suite import CONTRACTS, UNIT, Suite, Unsound, collect
from verification.campaigns.workers import Ended, Pool, Worker
from verification.harness import presets
from verification.invariants import ROOT
from verification.measurements import document, file_of, progress, write
from verification.mutation.arguments import LONG, LOOK
from verification.mutation.compiler import TARGETS, compilation, parse_ahead
from verification.mutation.equivalents import FILE as EQUIVALENTS
from verification.mutation.equivalents import explained
from verification.mutation.operators import Mutant, mutants
from verification.mutation.sources import new_lines, sources
from verification.mutation.trial import OPTIONS, PRESET, Task, run
from verification.report.parts import killers
from wattproof import outputs
from wattproof.market.deployment import deployer
from wattproof.outputs import File

LONGEST = {LOOK: 600, LONG: 1_200}
"""Seconds after which a trial is given up, by the last effort that it makes; it then counts as undecided."""

RECORD_SCHEMA = "wattproof-mutants/1"


@dataclass
class Trial:
    """What a worker was given to do on a mutant (None: the unchanged contract), and what it has said so far."""

    mutant: Mutant | None
    compiled: float = 0
    identity: str = ""
    passed: dict[Task, float] = field(default_factory=dict)


class Campaign:
    """All trials of a run."""

    def __init__(self, options: argparse.Namespace, console: Console, suite: Suite, pool: Pool[Trial]) -> None:
        self.options, self.console, self.pool = options, console, pool
        self.begun = time.monotonic()
        self.suite = suite
        self.sources = {source.path: source for source in sources(CONTRACTS)}
        self.all = [mutant for source in self.sources.values() for mutant in mutants(source)]
        known = [*(f"{PRESET}{name}" for name in presets.PRESETS), *suite.checks]
        if unknown := set(options.check or []) - set(known):
            raise Unsound(f"no check {', '.join(sorted(unknown))}: there are {', '.join(known)}")
        self.checks = [name for name in known if not options.check or name in options.check]
        self.explained = explained(ROOT)
        self.original: dict[str, str] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, str] = {}
        self.costs: dict[str, float] = {}
        self.sound: set[Task] = set()

    # ---- what there is to do -------------------------------------------------------------

    def chosen(self) -> list[Mutant]:
        """The mutants asked for, in the order of the seed: whatever the budget allows is a fair sample."""
        wanted, known = self.options, {mutant.module for mutant in self.all}
        if unknown := set(wanted.module or []) - known:
            raise Unsound(f"no module {', '.join(sorted(unknown))}: there are {', '.join(sorted(known))}")
        if unknown := set(wanted.operator or []) - (operators := {mutant.operator for mutant in self.all}):
            raise Unsound(f"no operator {', '.join(sorted(unknown))}: there are {', '.join(sorted(operators))}")
        if unknown := set(wanted.mutant or []) - {mutant.name for mutant in self.all}:
            raise Unsound(f"no mutant {', '.join(sorted(unknown))}: `wattproof mutate --list` names them all")
        try:
            new = new_lines(CONTRACTS, wanted.since) if wanted.since else None
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

    def fingerprint(self) -> dict[str, str]:
        """What a record is valid for: the contracts' code, and the files of the suite."""
        digest = hashlib.sha256()
        folders = (ROOT / "tests", ROOT / "verification", ROOT / "wattproof")
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
            head, *lines = _recorded(record)
            if head | {"suite": mark["suite"]} != mark:
                raise Unsound(f"{record} is of other contracts: run without --resume to begin anew")
            changed = head["suite"] != mark["suite"]
            if changed:
                self.console.print("the suite has changed since: kills are kept, survivors are tried again")
            for line in lines:
                if "costs" in line and not changed:
                    self.costs, self.sound = line["costs"], {Task(*task) for task in line["sound"]}
                elif "mutant" in line:
                    self.results[line["mutant"]] = line
            retry = ("undecided", "survived") if changed or self.options.survivors else ("undecided",)
            self.results = {name: line for name, line in self.results.items() if line["result"] not in retry}
            for name, line in self.results.items():
                if line.get("code"):
                    self.codes.setdefault(line["code"], name)
        head = {"schema": RECORD_SCHEMA, "record of": mark}
        rows = [head, *([self.base()] if self.costs else []), *self.results.values()]
        outputs.write(record, "".join(json.dumps(line) + "\n" for line in rows))

    def write(self, line: dict[str, Any]) -> None:
        """Appends a line to the record."""
        outputs.append(self.options.record, json.dumps(line) + "\n")

    # ---- the order of the checks ---------------------------------------------------------

    def plan(self, module: str) -> list[Task]:
        """All checks with few histories, then all with many, the likeliest killers of a module for their time first.

        What is learned counts for the module twice as much as for the others.
        """
        here: Counter[str] = Counter()
        there: Counter[str] = Counter()
        for line in self.results.values():
            if line["result"] == "killed" and line["check"] in self.checks:
                (here if line["module"] == module else there)[line["check"]] += 1

        def worth(name: str) -> tuple[float, str]:
            elsewhere = (there[name] + 1) / (there.total() + len(self.checks))
            likely = (here[name] + 2 * elsewhere) / (here.total() + 2)
            return (-likely / (self.costs.get(name, 1) + 0.02), name)

        order = sorted(self.checks, key=worth)
        efforts = (LOOK, LONG) if self.options.effort == LONG else (LOOK,)
        drawn = [name for name in order if not name.startswith(PRESET)]  # A preset is always the same.
        return [Task(name, effort) for effort in efforts for name in (order if effort == LOOK else drawn)]

    def units(self, mutant: Mutant | None) -> list[Path]:
        """The files of unit tests: what killed most of the module's mutants first, then what tests the function."""
        if self.options.no_unit:
            return []
        if mutant is None:
            return list(self.suite.units)
        kills = Counter(
            line["check"].split("::")[0]
            for line in self.results.values()
            if line.get("effort") == "unit" and line["module"] == mutant.module
        )

        def place(path: Path) -> tuple[int, bool]:
            return -kills[f"{UNIT}/{path.name}"], path.stem != f"test_{mutant.function}"

        return sorted(self.suite.units, key=place)

    # ---- trials --------------------------------------------------------------------------

    def start(self, mutant: Mutant | None) -> None:
        """A worker for that mutant."""
        text = mutant.apply(self.sources[mutant.path].text) if mutant else ""
        work = (self.suite, mutant, text, self.plan(mutant.module if mutant else ""), self.units(mutant))
        seconds = LONGEST[self.options.effort] * (1 if mutant else 3)
        self.pool.start(Trial(mutant), run, *work, seconds=seconds)

    def step(self) -> list[dict[str, Any]]:
        """Waits for news of the running trials (a second at most); returns the results that are there."""
        done = []
        for worker, message in self.pool.messages():
            if (result := self.news(worker, message)) is not None:
                if worker in self.pool.workers:
                    self.pool.stop(worker)
                done.append(self.entry(worker.job, result))
        return done

    def news(self, worker: Worker[Trial], message: Any) -> dict[str, Any] | None:
        """Takes in what a worker has sent; returns what came of the mutant once that is known."""
        trial = worker.job
        if isinstance(message, Ended):
            return {"result": "undecided", "error": str(message)}
        if "compiled" in message:
            trial.compiled = message["seconds"]
            if message["compiled"] is None:
                return {"result": "does not compile", "error": message["error"]}
            trial.identity = message["compiled"]
            if trial.mutant:
                first = self.codes.setdefault(trial.identity, trial.mutant.name)
                if first != trial.mutant.name:
                    return {"result": "same code", "as": first, "code": trial.identity}
            worker.pipe.send(True)
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
        where = ("module", "function", "line", "operator", "statement", "before", "after")
        return {
            "mutant": mutant.name,
            **{name: getattr(mutant, name) for name in where},
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
        self.start(None)
        while self.pool.workers:
            for result in self.step():
                if result["result"] != "survived":
                    raise Unsound(f"the unchanged contract fails {result.get('check')}: {result.get('error')}")
                self.costs = result["costs"]
                self.sound |= needed
        self.write(self.base())

    def go(self, todo: Sequence[Mutant]) -> bool:
        """Tries them all, as far as the budget goes; returns whether nothing is left to do."""
        waiting = [mutant for mutant in todo if mutant.name not in self.results]
        with progress(self.console, auto_refresh=False) as display:
            bar = display.add_task("mutants", total=len(todo), completed=len(todo) - len(waiting))
            while waiting or self.pool.workers:
                while waiting and not self.pool.is_full and not self.is_over():
                    self.start(waiting.pop(0))
                if not self.pool.workers:
                    return False
                for result in self.step():
                    self.results[result["mutant"]] = result
                    self.write(result)
                    display.advance(bar)
                counts = Counter(line["result"] for line in self.results.values())
                shown = f"killed {counts['killed']}, survived {counts['survived']}"
                display.update(bar, description=shown, refresh=True)
        return True

    def is_over(self) -> bool:
        """Whether the time for new trials is up."""
        return self.options.budget is not None and time.monotonic() - self.begun > self.options.budget

    # ---- the whole ------------------------------------------------------------------------

    def compile_originals(self) -> None:
        """The unchanged contracts' code: mutants that come to the same cannot behave differently."""
        for target in TARGETS:
            self.original[target] = compilation(CONTRACTS, target).identity
            self.codes[self.original[target]] = "the original"

    def report(self, chosen: Sequence[Mutant], complete: bool) -> dict[str, Any]:
        """The evidence of the run."""
        names = {mutant.name for mutant in chosen}
        lines = [line for name, line in self.results.items() if name in names]
        results = Counter(line["result"] for line in lines)
        killed = [line for line in lines if line["result"] == "killed"]
        survivors = [line for line in lines if line["result"] == "survived" and line["mutant"] not in self.explained]
        known = [mutant.name for mutant in chosen if mutant.name in self.explained]
        unit = sum(line["effort"] == "unit" for line in killed)
        originals = sum(line.get("as") == "the original" for line in lines)
        by: defaultdict[str, list[str]] = defaultdict(list)
        for line in killed:
            for killer in killers(line):
                by[killer].append(line["mutant"])
        spent = [line["seconds"] for line in killed]
        figures = {
            "mutants": len(chosen),
            "lines": f"the lines that are new since {self.options.since}" if self.options.since else "all lines",
            "tried": len(lines),
            "complete": complete,
            "do not compile": results["does not compile"],
            "same code as the original": originals,
            "same code as another mutant": results["same code"] - originals,
            "killed": len(killed),
            "killed by properties": len(killed) - unit,
            "killed by unit tests, few histories of properties before": unit,
            "explained as equivalent": len(known),
            "explained, but killed": sum(line["mutant"] in self.explained for line in killed),
            "survived unexplained": len(survivors),
            "undecided": results["undecided"],
            "median seconds to the kill": round(statistics.median(spent), 2) if spent else None,
            "median steps to the kill": statistics.median(line["steps"] for line in killed) if killed else None,
        }
        details = {
            "efforts": {
                name: {"histories": plan.max_examples, "steps": plan.stateful_step_count}
                for name, plan in ((name, settings.get_profile(name)) for name in (LOOK, LONG))
            },
            "by module": _table(lines, "module"),
            "by operator": _table(lines, "operator"),
            "survivors": survivors,
            "killed by": {name: sorted(by[name]) for name in sorted(by, key=lambda one: (-len(by[one]), one))},
            "explained": {name: self.explained[name] for name in known},
            "mutants": lines,
        }
        return document("mutation", self.options.seed, self.begun, figures, details)


def _table(lines: Iterable[dict[str, Any]], what: str) -> dict[str, dict[str, int]]:
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        table[line[what]][line["result"]] += 1
    return {name: dict(table[name]) for name in sorted(table)}


def mutate(options: argparse.Namespace, console: Console) -> int:
    """Runs a campaign. Returns 0 where no mutant survived unexplained, 1 where one did, 2 where it cannot be run.

    A mutant that is explained as equivalent and killed all the same (with `--all`) counts as a failure, too.
    """
    options.record = options.record.absolute()  # The tests are run from the root of the checkout.
    try:
        if options.list:
            return collect(lambda suite: _list(options, console, suite), *OPTIONS)
        if options.out.resolve() == options.record.resolve():
            raise outputs.BadPlace(f"{options.out}: is named as --out and as --record; name a file for each")
        with file_of("mutation", options.out) as file, File(options.record):
            return collect(lambda suite: _campaign(options, console, suite, file), *OPTIONS)
    except KeyboardInterrupt:
        print(f"stopped; go on with --resume (the record: {options.record})", file=sys.stderr)
        return 130


def _list(options: argparse.Namespace, console: Console, suite: Suite) -> int:
    with Pool[Trial](options.jobs) as pool:
        chosen = Campaign(options, console, suite, pool).chosen()
    for mutant in sorted(chosen, key=lambda mutant: (mutant.path, mutant.line)):
        console.print(_shown(mutant), soft_wrap=True, markup=False, highlight=False)
    return 0


def _recorded(record: Path) -> list[dict[str, Any]]:
    """What a record is of, and its lines; a line that was cut off at a run's end is left out."""
    try:
        head, *lines = [json.loads(line) for line in record.read_text().splitlines() if line.endswith("}")]
        return [head["record of"], *lines]
    except (ValueError, KeyError, TypeError) as problem:
        raise Unsound(f"{record} is no record of mutants: run without --resume to begin anew") from problem


def _campaign(options: argparse.Namespace, console: Console, suite: Suite, file: File) -> int:
    with Pool[Trial](options.jobs) as pool:
        campaign = Campaign(options, console, suite, pool)
        chosen = campaign.chosen()
        if stale := campaign.explained.keys() - {mutant.name for mutant in campaign.all}:
            raise Unsound(f"{EQUIVALENTS} lists mutants that are no more: {', '.join(sorted(stale))}; take them out")
        campaign.compile_originals()
        campaign.open_record()
        for target in TARGETS:
            _ = deployer(target)
            parse_ahead(CONTRACTS, target)
        campaign.baseline()
        todo = [mutant for mutant in chosen if options.all or mutant.name not in campaign.explained]
        complete = campaign.go(todo)
        evidence = campaign.report(chosen, complete)
    write(evidence, file)
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
