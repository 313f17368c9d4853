"""What a run did: which tests, how many histories and calls, for how long, and what the trading day came to."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from verification.harness.totals import COUNTED, accepted_and_refused, add, keep
from verification.report import attacks, schema
from verification.report import parts as evidence_parts
from verification.report.campaign import TITLES, Campaign, Stage, rules
from verification.report.parts import Part
from verification.report.sources import Claims


def together(*stages: Stage) -> dict[str, Any]:
    """What was counted in these stages, added up."""
    total: dict[str, Any] = {name: {} for name in COUNTED}
    for stage in stages:
        add(total, {name: stage.counts[name] for name in total if name in stage.counts})
    return total


def selection(campaign: Campaign, claims: Claims) -> dict[str, Any]:
    """What was asked for, and what was therefore left out: `asked` is empty where it was all invariants."""
    asked = campaign.plan.selection
    return {
        "asked": asked.asked if asked else "",
        "invariants": len(asked.invariants if asked else claims.rows),
        "of": len(claims.rows),
        "left_out": [f"{TITLES[stage.name]} ({stage.left_out})" for stage in campaign.stages if stage.left_out],
        "elsewhere": list(asked.elsewhere) if asked else [],
    }


def drawn(campaign: Campaign, counts: dict[str, Any]) -> dict[str, Any]:
    """How the run was made, and how many histories, calls and checks it came to."""
    plan, tallies = campaign.plan, counts["tallies"]
    accepted, refused = accepted_and_refused(counts["calls"].values())
    return {
        "profile": plan.profile,
        "histories_asked": plan.histories,
        "seed": plan.seed,
        "histories": tallies.get("histories", 0),
        "steps": tallies.get("steps", 0),
        "accepted": accepted,
        "refused": refused,
        "raw_calls": tallies.get("raw calls", 0),
        "states_compared": tallies.get("states compared", 0),
        "checks": sum(counts["checked"].values()),
        "unit_tests": len(campaign["unit"].tests),
        "property_tests": len(campaign["properties"].tests),
        "tallies": {name: number for name, number in sorted(tallies.items()) if name != "microseconds"},
        "complete": {name: campaign[name].complete for name in ("unit", "properties")},
        "stopped": campaign.stopped,
        "replayed": {
            name: test["replayed"]
            for stage in campaign.stages
            for name, test in sorted(stage.tests.items())
            if test.get("replayed")
        },
    }


def tests(*stages: Stage) -> dict[str, dict[str, Any]]:
    """Every test that was planned or begun, and every file that could not be collected."""
    found = {}
    for stage in stages:
        for name in {plan["test"] for plan in stage.planned} | stage.tests.keys():
            test = stage.tests.get(name, {"outcome": "not run"})
            checks = sum(test.get("checked", {}).values())
            found[name] = {"outcome": test["outcome"], "examples": test.get("examples", 0), "checks": checks}
    return dict(sorted(found.items()))


def called(calls: dict[str, dict[str, int]], entry_points: list[str]) -> dict[str, dict[str, int]]:
    """Accepted and refused calls per entry point, the most frequent first, and those last that were never called.

    Where nothing was called at all (of a part of the invariants, say) there are none.
    """
    found = {name: {"accepted": taken, "refused": no} for name, (taken, no) in rules(calls).items()}
    never = sorted(set(entry_points) - found.keys()) if found else []
    return found | {name: {"accepted": 0, "refused": 0} for name in never}


def reasons(calls: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Why calls were refused, per entry point; an empty reason is a revert without one."""
    found: dict[str, Counter[str]] = {}
    for name, outcomes in calls.items():
        for reason, number in outcomes.items():
            if reason != "accepted":
                found.setdefault(name.partition(".")[2], Counter())[reason] += number
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def histogram(lengths: dict[str, int]) -> list[dict[str, int]]:
    """How many histories had how many calls, in ten equal classes."""
    numbers = {int(length): count for length, count in lengths.items()}
    if not numbers:
        return []
    width = -(-(max(numbers) + 1) // 10)
    return [
        {
            "from": first,
            "to": first + width - 1,
            "histories": sum(count for length, count in numbers.items() if first <= length < first + width),
        }
        for first in range(0, max(numbers) + 1, width)
    ]


def attacks_found(claims: Claims, entries: list[dict[str, Any]], *stages: Stage) -> dict[str, Any]:
    """The searches for profit that ran, and of every invariant on profit the worst attack that they found."""
    mine = [row for row in entries if row["id"].startswith(attacks.FAMILY)]
    planned = tests(*stages)
    searches = sorted({name for row in mine for name in row["tests"]} & planned.keys())
    worst: dict[str, dict[str, Any]] = {}
    for stage in stages:
        keep(worst, stage.counts.get("attacks", {}))
    return {
        "searches": [
            {"test": name, **{key: planned[name][key] for key in ("outcome", "examples")}} for name in searches
        ],
        "checks": sum(row["checked"] for row in mine),
        "lines": attacks.lines(claims.rows, claims.threats, {row["id"]: row["checked"] for row in mine}, worst),
        "letters": claims.letters,
        "unsearched": claims.unsearched,
    }


def day_of(stage: Stage) -> tuple[dict[str, Any], str | None]:
    """The trading day: its summary and every period's trade, in Wh and base units per Wh; and what is wrong with it."""
    nothing: dict[str, Any] = {"figures": {}, "periods": []}
    if stage.state != "done":
        return {"state": "failed" if stage.state == "failed" else "not run", **nothing}, None
    try:
        told = json.loads(stage.summary.read_text(encoding="utf-8"))
        day = {"state": "done", "figures": _figures(told), "periods": _periods(told)}
    except (KeyError, TypeError, ValueError) as problem:
        wrong = f"{type(problem).__name__}: {problem}"
    else:
        wrong = schema.problem(day, "day")
        if wrong is None:
            return day, None
    return {"state": "failed", **nothing}, f"its figures in {stage.summary} cannot be used ({wrong})"


def _figures(told: dict[str, Any]) -> dict[str, Any]:
    community = told["community"]
    names = ("traded_locally_wh", "exported_wh", "imported_wh", "trades", "performances", "defaults")
    figures = {name: community[name] for name in names}
    figures |= {name: community[name]["text"] for name in ("fees", "compensation", "grid_alone", "market", "saving")}
    figures |= {"households": told["input"]["households"], "savers": community["households_that_save"]}
    return figures | {"books_balance": told["balances_match_after_every_period"]}


def _periods(told: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = ("period", "supply_wh", "demand_wh", "delivered_wh", "trades")
    return [{name: row[name] for name in wanted} for row in told.get("periods", [])]


def times(campaign: Campaign, counts: dict[str, Any], began: datetime, parts: dict[str, Part]) -> dict[str, Any]:
    """When the run began, and what took how long, in seconds where the name says nothing else."""
    seconds = {stage.name: round(stage.seconds, 1) for stage in campaign.stages}
    milliseconds = counts["tallies"].get("microseconds", 0) / 1000
    tests = {name: test.get("seconds", 0) for stage in campaign.stages for name, test in stage.tests.items()}
    steps = counts["tallies"].get("steps", 0)
    pace = round(steps * 1000 / milliseconds) if milliseconds else 0
    return {
        "began": began.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": {**seconds, "all": round(campaign.seconds, 1)},
        "steps_per_second_and_core": pace,
        "tests": dict(sorted(tests.items())),
        "checking": {name: round(spent / 1e9, 3) for name, spent in sorted(counts["spent"].items())},
        "parts": {name: evidence_parts.seconds(part) for name, part in parts.items()},
    }
