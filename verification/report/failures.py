"""What failed, in whatever way: an invariant, a test, a file of tests, a process, or a whole stage of the run."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import Any

from verification.harness.summary import rarely_called
from verification.report.campaign import TITLES, Campaign, Stage
from verification.report.facts import some
from verification.texts import end_of

_CODES = {3: "pytest itself failed", 4: "pytest could not start", 5: "no test was found"}
"""What pytest's exit codes mean beside those of tests that pass or fail."""


# ---- tests -----------------------------------------------------------------------------------


def once(failures: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every failure once, without a story yet.

    Of an invariant in one test the shortest history counts, and of a preset its first failure; anything else is told
    apart by the test, by when it failed and by what it said.
    """
    best: dict[Any, dict[str, Any]] = {}
    for failure in failures:
        by_itself = failure["invariant"] is None and failure["preset"] is None
        said = (failure["when"], failure["error"]) if by_itself else ()
        key = (failure["invariant"], failure["preset"] or failure["test"], *said)
        if key not in best or _calls(failure) < _calls(best[key]):
            best[key] = failure
    order = sorted(best.values(), key=lambda one: (_own_first(one), _calls(one), one["test"], one["when"]))
    return [{**one, "story": [], "saved": None, "fails_here": None} for one in order]


def _calls(failure: dict[str, Any]) -> int:
    """How long the history is; a failure that comes without one is longer than all others."""
    return len(failure["repl"]) - failure["beginning"] if failure["repl"] else 10**6


def _own_first(failure: dict[str, Any]) -> int:
    """What an invariant says by itself tells more than that contract and terms differ."""
    if failure["invariant"] is None:
        return 2
    return int(failure["invariant"].startswith("C2-") or failure["preset"] is not None)


def of_tests(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The failures of a document that no invariant of invariants.md stands for."""
    known = {row["id"] for row in told["invariants"]}
    return [failure for failure in told["failures"] if failure["invariant"] not in known]


def of_test(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The failures of one test."""
    return [failure for failure in told["failures"] if failure["test"] == name]


def of_invariant(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The failures in which an invariant did not hold."""
    return [failure for failure in told["failures"] if failure["invariant"] == name]


# ---- stages ----------------------------------------------------------------------------------


def stages(campaign: Campaign, day: str | None) -> dict[str, dict[str, Any]]:
    """Of every stage how it ended, in a line, and where it failed the end of its log.

    Args:
        campaign: a run that has ended.
        day: what is wrong with the figures that the trading day left, None where nothing is.
    """
    return {stage.name: _stage(stage, campaign, day if stage.name == "day" else None) for stage in campaign.stages}


def _stage(stage: Stage, campaign: Campaign, wrong: str | None) -> dict[str, Any]:
    state = "failed" if wrong and stage.state == "done" else stage.state
    log = end_of(stage.log) if state == "failed" else ""
    said = {
        "done": "ran to its end",
        "failed": wrong or _reason(stage, log),
        "cut short": f"was cut short: {campaign.stopped}",
        "not run": f"was not run: {campaign.stopped}",
        "left out": f"left out: {stage.left_out}",
    }
    told = {"title": TITLES[stage.name], "state": state, "status": stage.status}
    return told | {"error": f"{TITLES[stage.name]}: {said[state]}", "text": log}


def _reason(stage: Stage, log: str) -> str:
    """Why a stage failed, in a line."""
    status = stage.status or 0
    if status < 0:
        return f"ended by signal {-status} ({signal.strsignal(-status)})"
    if stage.name != "day":
        rarely = rarely_called(stage.counts) if status == 1 and stage.complete else []
        said = f"called too rarely: {some(rarely, 3)}" if rarely else _CODES.get(status, _unfinished(stage))
        return f"exit code {status}; {said}"
    last = (log.splitlines() or ["its log is empty"])[-1].strip()
    return f"exit code {status}; {last}" if status else "it left no figures"


def _unfinished(stage: Stage) -> str:
    ended = {name for name, test in stage.tests.items() if test["outcome"] != "unfinished"}
    left = [plan["test"] for plan in stage.planned if plan["test"] not in ended]
    return (
        f"{len(left)} of {len(stage.planned)} tests did not run to their end" if left else "the end of its log says why"
    )
