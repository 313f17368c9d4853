"""`wattproof verify`: runs everything, and writes the report."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from verification.invariants import ROOT
from verification.report import counterexample, document, junit, page, sarif, saved, text
from verification.report.campaign import LEFT_BEHIND, RUN, Campaign, Plan
from verification.report.live import watch
from wattproof.evm.engine import available, make_env
from wattproof.outputs import Folder

MAX_TOLD = 12
"""Failures that are told as a story and saved as a file; the others are listed."""

MAX_TRIED = 4
"""Saved files that are run once more, to see that they fail on the contract that failed."""

NAMES = ("evidence.json", "report.md", "junit.xml", "report.sarif", "falsified/*", "index.html")
"""The files of a report."""

STYLES = {"held": "bold green", "falsified": "bold red", "incomplete": "bold yellow"}


def verify(plan: Plan, out: Path, console: Console) -> int:
    """Runs the campaign of a plan and writes the report into the folder `out`.

    Returns 0 where everything held, 1 where something did not or the run was not whole, 130 where it was interrupted
    and nothing failed before, 2 where it cannot be run. Raises BadPlace where the report cannot be written there.
    """
    with Folder(out, "verify", NAMES, {RUN: LEFT_BEHIND}) as place:
        return _verified(plan, place, console)


def _verified(plan: Plan, place: Folder, console: Console) -> int:
    tree = ROOT
    os.environ.setdefault("WATTPROOF_CONTRACTS", str(tree / "contracts"))  # What is tested is what is reported.
    if (problem := _compile()) is not None:
        print(problem, file=sys.stderr)
        return 2
    began = datetime.now(UTC)
    campaign = Campaign((place.path / RUN).resolve(), plan)
    watch(campaign, console)
    console.print("writing the report …")
    told = document.build(tree, campaign, began)
    _tell_failures(told, tree, place.aside.resolve(), console)
    write(told, place)
    place.finish()
    _conclude(told, place.path.resolve(), console)
    return code(told)


def engine_for(asked: str | None) -> str:
    """The engine that is asked for, or else revm where it is installed. Raises EngineUnavailable."""
    if asked:
        make_env(asked)
        return asked
    return available()[-1]


def code(told: dict[str, Any]) -> int:
    """The exit code that a report stands for."""
    outcome = told["verdict"]["outcome"]
    if outcome == "incomplete" and told["effort"]["stopped"] == "interrupted":
        return 130
    return 0 if outcome == "held" else 1


def _compile() -> str | None:
    """Compiles both contracts; returns why not, where they do not compile."""
    from vyper.exceptions import VyperException

    from wattproof.market.deployment import deployer

    for name in ("EnergyMarket", "EnergyCredit"):
        try:
            _ = deployer(name).compiler_data.bytecode
        except (VyperException, OSError) as problem:
            return f"{name} does not compile, so there is nothing to verify:\n{problem}"
    return None


def _tell_failures(told: dict[str, Any], tree: Path, out: Path, console: Console) -> None:
    """Adds the story to every failure, and saves a file that shows it again."""
    statements = {row["id"]: row["statement"] for row in told["invariants"]}
    for number, failure in enumerate(told["failures"]):
        trace = failure.pop("trace")
        if number >= MAX_TOLD:
            continue
        statement = statements.get(failure["invariant"])
        try:
            failure["story"] = counterexample.tell(trace, told["verified"]["engine"])
        except Exception as problem:  # The contract is at fault, and may do anything: the REPL's lines remain.
            failure["story_missing"] = f"{type(problem).__name__}: {problem}"[:500]
        path = saved.save(out / "falsified", failure, statement)
        failure["saved"] = str(path.relative_to(out))
        if failure["repl"]:
            path.with_suffix(".repl.py").write_text("\n".join(failure["repl"]) + "\n")
        if number < MAX_TRIED:
            console.print(f"trying {failure['saved']} …")
            failure["fails_here"] = saved.fails(tree, path, failure["invariant"])


def write(told: dict[str, Any], place: Folder) -> None:
    """Writes every file of a report. Raises BadPlace."""
    dumped, places = document.dumped(told)
    place.write("evidence.json", dumped)
    place.write("index.html", page.render(told, places))
    place.write("report.md", text.render(told))
    place.write("junit.xml", junit.render(told))
    place.write("report.sarif", sarif.render(told))


def _conclude(told: dict[str, Any], out: Path, console: Console) -> None:
    verdict = told["verdict"]
    console.print(Text(verdict["sentence"], style=STYLES[verdict["outcome"]]), soft_wrap=True)
    if verdict["partial"]:
        why = told["effort"]["stopped"] or "not every test ran to its end"
        console.print(f"This report is partial: {why}.", soft_wrap=True)
    for failure in told["failures"][:MAX_TOLD]:
        name = failure["invariant"] or failure["test"]
        made = sum(chapter["kind"] == "call" for chapter in failure["story"])
        calls = f"{made} calls; " if made else ""
        console.print(Text(f"  {name}: {calls}{out.name}/{failure['saved']}"), soft_wrap=True)
    console.print(Text(f"report: {out / 'index.html'}"), soft_wrap=True)
