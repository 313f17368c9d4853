"""What a report says of each invariant: its status and why, where it lies, what was counted."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verification import rerun
from verification.invariants import Invariant, clauses_cited, rests_on
from verification.report import checks, sources
from verification.report import parts as evidence_parts
from verification.report.campaign import Campaign
from verification.report.facts import some
from verification.report.parts import Part
from verification.report.sources import Claims

HELD, FALSIFIED, NOT_REACHED, BLOCKED, LEFT_OUT = "held", "falsified", "not reached", "blocked", "left out"

STATUSES = (HELD, FALSIFIED, NOT_REACHED, BLOCKED, LEFT_OUT)


def of_invariants(
    tree: Path,
    claims: Claims,
    campaign: Campaign,
    counts: dict[str, Any],
    failed: list[dict[str, Any]],
    parts: dict[str, Part],
) -> list[dict[str, Any]]:
    stages = [campaign["unit"], campaign["properties"]]
    planned = [plan for stage in stages for plan in stage.planned]
    counted = {name: test for stage in stages for name, test in stage.tests.items()}
    outcomes = {name: test["outcome"] for name, test in counted.items()}
    by_test: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, test in counted.items():
        for invariant, number in test.get("checked", {}).items():
            by_test[invariant][name] = number
    violated = Counter(counts["violated"]) + Counter({f["invariant"]: 1 for f in failed if f["invariant"]})
    killed = evidence_parts.killed(parts["mutation"])
    caught = evidence_parts.caught(parts["faults"])
    found = []
    for row in claims.rows:
        tests = [plan["test"] for reference in row.tests for plan in planned if _is(reference, plan)]
        gone = [reference for reference in row.tests if not _is_there(tree, reference)]
        checked = counts["checked"].get(row.id, 0)
        status = _status(violated[row.id], checked, tests, outcomes, gone)
        seen = _seen_in(row.id, by_test[row.id], outcomes, failed) if status == FALSIFIED else []
        reason = _reason(status, row.id, tests, outcomes, gone, failed, seen)
        asked = campaign.plan.selection
        if asked is not None and row.id not in asked.invariants and status != FALSIFIED:
            status, reason = LEFT_OUT, f"no part of {asked.asked}"
        found.append(
            {
                "id": row.id,
                "criterion": row.criterion,
                "line": row.line,
                "status": status,
                "reason": reason,
                "statement": row.statement,
                "predicate": row.predicate,
                "kind": row.kind,
                "tolerance": row.tolerance,
                "claimed": row.status,
                "clauses": list(row.clauses),
                "where": [_lines(tree, reference) for reference in row.where],
                "tests": tests or [reference for reference in row.tests if reference not in gone],
                "tests_at": [
                    {"reference": reference, "line": checks.line_of_test(tree, reference)}
                    for reference in row.tests
                    if reference not in gone
                ],
                "gone": gone,
                "checked": checked,
                "premise_false": counts["vacuous"].get(row.id, 0),
                "violated": violated[row.id],
                "by_test": dict(sorted(by_test[row.id].items())),
                "mutants": _of(row.id, killed, {"killed": 0, "alone": 0}),
                "faults": _of(row.id, caught, []),
                "assumptions": [n for n, said in enumerate(claims.assumptions, 1) if rests_on(said, row)],
                "residual": [
                    f"{kind} {number}"
                    for kind, points in (("risk", claims.risks), ("not shown", claims.not_shown))
                    for number, said in enumerate(points, 1)
                    if _concerns(said, row)
                ],
                "rerun": _rerun(tree, seen or _again(tests, outcomes) or list(row.tests), campaign),
            }
        )
    return found


def _of(invariant: str, measured: dict[str, Any] | None, nothing: Any) -> Any:
    """What was measured of an invariant, `nothing` where that is nothing; None where it was not measured at all."""
    return None if measured is None else measured.get(invariant, nothing)


def _is(reference: str, plan: dict[str, Any]) -> bool:
    file, _, name = reference.partition("::")
    return plan["test"].startswith(f"{file}::") and name in plan["names"]


def _is_there(tree: Path, reference: str) -> bool:
    try:
        return sources.names_test(tree, reference)
    except (OSError, ValueError):  # It cannot be read, which the run has told as a failure.
        return True


def _status(violated: int, checked: int, tests: list[str], outcomes: dict[str, str], gone: list[str]) -> str:
    """Falsified wherever any history says so; held only where its own tests all passed and reached it."""
    if violated:
        return FALSIFIED
    if gone or not tests or any(outcomes.get(name) != "passed" for name in tests):
        return BLOCKED
    return HELD if checked else NOT_REACHED


def _seen_in(
    invariant: str, checked: dict[str, int], outcomes: dict[str, str], failed: list[dict[str, Any]]
) -> list[str]:
    """The tests in which an invariant was seen violated, which need not be those of its row: where no failure tells
    it, the failed ones that check it."""
    told = [failure["test"] for failure in failed if failure["invariant"] == invariant]
    return list(dict.fromkeys(told)) or [name for name in sorted(checked) if outcomes.get(name) != "passed"]


def _again(tests: list[str], outcomes: dict[str, str]) -> list[str]:
    """The tests of a row in the order in which it is worth running them again: first those that keep it from held."""
    return sorted(tests, key=lambda name: outcomes.get(name) == "passed")


def _reason(
    status: str,
    invariant: str,
    tests: list[str],
    outcomes: dict[str, str],
    gone: list[str],
    failed: list[dict[str, Any]],
    seen: list[str],
) -> str:
    """Why an invariant has its status, in a line; empty where it held. `seen` are the tests that saw it violated."""
    if status == FALSIFIED:
        errors = [failure["error"] for failure in failed if failure["invariant"] == invariant]
        return errors[0] if errors else f"seen in a history that was not kept{f', of {some(seen)}' if seen else ''}"
    if status == NOT_REACHED:
        return "its premise was never true"
    if status == HELD:
        return ""
    if gone:
        return f"{sources.GONE}: {some(gone)}"
    for name in tests:
        for failure in failed:
            if failure["test"] == name:
                return f"{name} failed: {failure['error']}"
    ended = (f"{name}: {outcomes.get(name, 'not run')}" for name in tests if outcomes.get(name) != "passed")
    return next(ended, "none of its tests was run")


_NAMED = re.compile(r"\b(C\d-[A-Z]+)(?:-(\d+)(?:\s+to\s+\1-(\d+))?)?(?![\w-])")
"""An invariant, a range of them, or all of a group (without a number), as a text names them."""


def _concerns(said: str, row: Invariant) -> bool:
    """Whether a known issue, or what is not shown, is about an invariant: by its clauses or by its name."""
    if not set(clauses_cited(said)).isdisjoint(row.clauses):
        return True
    group, _, number = row.id.rpartition("-")
    return any(
        group == named and (not first or int(first) <= int(number) <= int(last or first))
        for named, first, last in _NAMED.findall(said)
    )


def _lines(tree: Path, reference: str) -> dict[str, Any]:
    try:
        found = sources.lines(tree, reference)
    except (OSError, ValueError) as problem:
        return {"reference": reference, "missing": str(problem)}
    return {"reference": reference, **asdict(found)}


def _rerun(tree: Path, tests: list[str], campaign: Campaign) -> str:
    plan = campaign.plan
    again = rerun.line(tests[0], plan.engine, plan.profile, plan.seed, histories=plan.histories)
    return rerun.on_contracts(rerun.contracts_shown(tree)) + again


def of_criteria(claims: Claims, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The five criteria, each with how many of its invariants have which status."""
    found = []
    for number, (title, said) in sorted(claims.criteria.items()):
        tally = Counter(row["status"] for row in entries if row["criterion"] == number)
        counts = {"total": tally.total(), **{status.replace(" ", "_"): tally[status] for status in STATUSES}}
        found.append({"number": number, "title": title, "says": said, **counts})
    return found
