"""`wattproof verify`: runs everything, and writes the report."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from verification import git
from verification.harness import kept_examples
from verification.invariants import ROOT
from verification.report import cheap, counterexample, document, junit, page, sarif, saved, sources, text
from verification.report.campaign import LEFT_BEHIND, LOG, RUN, Campaign, Plan
from verification.report.live import watch
from verification.texts import plain
from wattproof.evm.engine import available, make_env
from wattproof.market.deployment import contracts_dir
from wattproof.outputs import BadPlace, Folder, brief

MAX_TOLD = 12
"""Failures that are told as a story and saved as a file; the others are listed."""

MAX_TRIED = 4
"""Saved files that are run once more, to see that they fail on the contract that failed."""

NAMES = ("evidence.json", "report.md", "junit.xml", "report.sarif", "falsified/*", "index.html")
"""The files of a report."""

STYLES = {"held": "bold green", "falsified": "bold red", "incomplete": "bold yellow"}


def verify(plan: Plan, out: Path, console: Console) -> int:
    """Runs the campaign of a plan and writes the report into the folder `out`.

    Returns 0 where everything held, 1 where something did not, the run was not whole or a file of the report could not
    be made, 130 where it was interrupted and nothing failed before, 2 where it cannot be run. Raises BadPlace where the
    report cannot be written there.
    """
    with Folder(out, "verify", NAMES, {RUN: LEFT_BEHIND}) as place:
        return _verified(plan, place, console)


def _verified(plan: Plan, place: Folder, console: Console) -> int:
    tree = ROOT
    os.environ.setdefault("WATTPROOF_CONTRACTS", str(tree / "contracts"))  # What is tested is what is reported.
    if (problem := _compile()) is not None:
        print(problem, file=sys.stderr)
        return 2
    try:
        claims = sources.claims(tree)
    except (OSError, ValueError) as problem:
        print(f"what is claimed cannot be read, so there is nothing to verify: {problem}", file=sys.stderr)
        return 2
    began, revision = datetime.now(UTC), git.revision(tree, contracts_dir())
    run = (place.path / RUN).resolve()
    place.begin()
    campaign = Campaign(run, plan)
    watch(campaign, console)
    cheap.measure(campaign, console)
    console.print("writing the report …")
    log = run / LOG
    try:
        revision = _since(revision, git.revision(tree, contracts_dir()))
        told = document.build(tree, campaign, began, claims, revision)
        _tell_failures(told, tree, place.aside.resolve(), console)
        lost = write(told, place, log)
        place.finish()
    except BadPlace:
        raise
    except Exception as problem:  # Of a long run at least this has to be said, whatever it is.
        _note(log)
        print(
            f"there is no report ({brief(problem, 500)}): {log} says why, and the logs beside it what ran",
            file=sys.stderr,
        )
        return 1
    _conclude(told, place.path.resolve(), console)
    for line in lost:
        print(line, file=sys.stderr)
    return code(told, lost)


def _since(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The revision that a run began with; it is not clean where another one, or another change, came while it ran."""
    if before == after:
        return before
    changed = sorted({*before["changed"], *after["changed"]})
    return before | {"clean": False, "changed": changed, "note": "it changed while the tests ran"}


def _note(log: Path) -> None:
    """Adds where the exception that is being handled comes from to a log."""
    with log.open("a", encoding="utf-8") as notes:
        notes.write(plain(traceback.format_exc()))


def engine_for(asked: str | None) -> str:
    """The engine that is asked for, or else revm where it is installed. Raises EngineUnavailable."""
    if asked:
        make_env(asked)
        return asked
    return available()[-1]


def code(told: dict[str, Any], lost: Sequence[str] = ()) -> int:
    """The exit code that a report stands for, of which some files may be lost."""
    outcome = told["verdict"]["outcome"]
    if outcome == "incomplete" and told["effort"]["stopped"] == "interrupted":
        return 130
    return 0 if outcome == "held" and not lost else 1


def _compile() -> str | None:
    """Compiles both contracts; returns why not, where they do not compile."""
    from vyper.exceptions import VyperException

    from wattproof.market.deployment import deployer

    for name in ("EnergyMarket", "EnergyCredit"):
        try:
            _ = deployer(name).compiler_data.bytecode
        except FileNotFoundError as problem:
            return str(problem)
        except (VyperException, OSError) as problem:
            return f"{name} does not compile, so there is nothing to verify:\n{problem}"
    return None


def _tell_failures(told: dict[str, Any], tree: Path, out: Path, console: Console) -> None:
    """Adds the story to every failure, and saves a file that shows it again. Ctrl-C ends that, not the report."""
    statements = {row["id"]: row["statement"] for row in told["invariants"]}
    engine = told["verified"]["engine"]
    traces = [failure.pop("trace") for failure in told["failures"]]
    try:
        for failure, trace in list(zip(told["failures"], traces, strict=True))[:MAX_TOLD]:
            _tell(failure, trace, engine)
            _save(failure, statements.get(failure["invariant"]), out)
        for failure in told["failures"][:MAX_TRIED]:
            if failure["saved"]:
                console.print(f"trying {out / failure['saved']} …", soft_wrap=True, markup=False)
                failure["fails_here"] = saved.fails(
                    tree, out / failure["saved"], failure["invariant"], crashes=failure["when"] == "crash"
                )
    except KeyboardInterrupt:
        console.print("interrupted: the failures that are left are told without a story, or were not tried again")


def _tell(failure: dict[str, Any], trace: Any, engine: str) -> None:
    try:
        tell = counterexample.tell_apart if failure["when"] == "crash" else counterexample.tell
        failure["story"] = plain(tell(trace, engine))
    except Exception as problem:  # The contract is at fault, and may do anything: the REPL's lines remain.
        failure["story_missing"] = plain(brief(problem, 500))


def _save(failure: dict[str, Any], statement: str | None, out: Path) -> None:
    path = saved.save(out / "falsified", failure, statement)
    failure["saved"] = str(path.relative_to(out))
    if failure["repl"]:
        path.with_suffix(".repl.py").write_text("\n".join(failure["repl"]) + "\n", encoding="utf-8")


def write(told: dict[str, Any], place: Folder, log: Path) -> list[str]:
    """Writes every file of a report, the data first. Raises BadPlace.

    Returns a line for each file that could not be made, whose traceback is added to `log`; the others are there.
    """
    data, places = document.dumped(told)
    place.write("evidence.json", data)
    forms: dict[str, Callable[[], str]] = {
        "index.html": lambda: page.render(told, places),
        "report.md": lambda: text.render(told),
        "junit.xml": lambda: junit.render(told),
        "report.sarif": lambda: sarif.render(told),
    }
    lost = []
    for name, render in forms.items():
        try:
            made = render()
        except Exception as problem:  # One form's defect must not take the others along.
            _note(log)
            lost.append(
                f"{name} could not be made ({brief(problem, 500)}): {log} says why, evidence.json holds all of it"
            )
        else:
            place.write(name, made)
    return lost


def _conclude(told: dict[str, Any], out: Path, console: Console) -> None:
    verdict = told["verdict"]
    console.print(Text(verdict["sentence"], style=STYLES[verdict["outcome"]]), soft_wrap=True)
    console.print(Text(verdict["strength"]), soft_wrap=True)
    if verdict["partial"] and not verdict["sentence"].startswith("Partial"):
        console.print(Text(f"This report is partial: {verdict['missing']}."), soft_wrap=True)
    if elsewhere := told["selection"]["elsewhere"]:
        console.print(Text(f"Touched as well, and not run: make test TESTS='{' '.join(elsewhere)}'"), soft_wrap=True)
    for test, number in told["effort"]["replayed"].items():
        console.print(Text(kept_examples.told(test, number)), soft_wrap=True)
    for failure in told["failures"][:MAX_TOLD]:
        name = failure["invariant"] or failure["test"]
        made = sum(chapter["kind"] == "call" for chapter in failure["story"])
        calls = f"{made} calls; " if made else ""
        where = str(out / failure["saved"]) if failure["saved"] else failure["error"]
        console.print(Text(f"  {name}: {calls}{where}"), soft_wrap=True)
    if (more := len(told["failures"]) - MAX_TOLD) > 0:
        console.print(f"  and {more} more, in the report", soft_wrap=True)
    for name, stage in told["stages"].items():
        if stage["state"] == "failed":
            console.print(Text(f"  {stage['error']}: {out / 'run' / name}.log"), soft_wrap=True)
    written = out / "index.html"
    console.print(Text(f"report: {written if written.is_file() else out / 'evidence.json'}"), soft_wrap=True)
