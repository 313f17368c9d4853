"""Makes one document of a run and of what was measured before: `report/evidence.json`.

Everything else in a report is written from this document alone. Its layout is `schema.json`, which docs/report.md
explains.
Nothing under `times` is the same in two runs; everything else is, for one seed and revision.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verification import git, rerun
from verification.harness.totals import COUNTED, accepted_and_refused, add, keep
from verification.invariants import rests_on
from verification.measurements import versions
from verification.report import attacks, cheap, checks, failures, findings, schema, sources, system
from verification.report import parts as evidence_parts
from verification.report.campaign import TITLES, Campaign, Stage, rules
from verification.report.facts import some
from verification.report.parts import Part
from verification.report.sources import Claims
from verification.report.strength import strength
from verification.report.templates import step
from verification.texts import plain
from wattproof import __version__
from wattproof.market.bytecode import SCHEMA

HELD, FALSIFIED, NOT_REACHED, BLOCKED, LEFT_OUT = "held", "falsified", "not reached", "blocked", "left out"

STATUSES = (HELD, FALSIFIED, NOT_REACHED, BLOCKED, LEFT_OUT)

CHECKLIST = (
    "I have read docs/terms.md, and every clause says what both sides of a trade mean.",
    "The shares and thresholds (10 % compensation and collateral, 95 and 105 %, 20 % a tier) are what both want.",
    "The phases and their lengths leave households enough time to bid, open and report.",
    "What the terms choose where the paper is silent (marked [choice], annex C) is acceptable to both sides.",
    "Somebody who signs a quote or a bid is shown, in words, what it may cost at most.",
    "The powers of the owner, the supplier and the makers of meters are known to the households and accepted.",
    "The model (wattproof/terms/model.py) was compared with the terms clause by clause by somebody who wrote neither.",
    "The residual risks listed in this report are acceptable.",
)
"""What tests cannot show about the first criterion: to be answered by a person, with a signature."""


def build(tree: Path, campaign: Campaign, began: datetime, claims: Claims, revision: dict[str, Any]) -> dict[str, Any]:
    """The document of a campaign that has ended, for whatever reason. Failures carry no story yet.

    Args:
        tree: the checkout whose tests were run.
        campaign: the run.
        began: when it began.
        claims: what the documents said at that time.
        revision: that of the tree then, as `git.revision` tells it.
    """
    unit, properties = campaign["unit"], campaign["properties"]
    market = sources.code("EnergyMarket")
    parts = evidence_parts.gather(tree, market["runtime"]["keccak256"], unit.folder / cheap.FOLDER)
    counts = _together(unit, properties)
    failed = failures.once(unit.counts.get("failures", []) + properties.counts.get("failures", []))
    entries = _invariants(tree, claims, campaign, counts, failed, parts)
    day, wrong = _day(campaign["day"])
    document = {
        "schema": SCHEMA,
        "verdict": {},
        "verified": {
            "wattproof": __version__,
            "revision": revision,
            "source": git.address(tree, revision),
            "contracts": sources.contracts_dir_shown(tree),
            "market": market,
            "credit": sources.code("EnergyCredit"),
            "compiler": sources.compiler(),
            "engine": campaign.plan.engine,
            "versions": versions(),
        },
        "selection": _selection(campaign, claims),
        "effort": _effort(campaign, counts),
        "system": system.system(tree, claims.rows),
        "findings": findings.findings(entries, failed, claims.risks),
        "stages": failures.stages(campaign, wrong),
        "criteria": _criteria(claims, entries),
        "invariants": entries,
        "failures": failed,
        "attacks": _attacks(claims, entries, unit, properties),
        "rules": {name: {"accepted": taken, "refused": no} for name, (taken, no) in rules(counts["calls"]).items()},
        "reasons": _reasons(counts["calls"]),
        "phases": counts["phases"],
        "lengths": _histogram(counts["lengths"]),
        "tests": _tests(unit, properties),
        "parts": {name: evidence_parts.shown_of(part) for name, part in parts.items()},
        "mutants": evidence_parts.tally(parts["mutation"]),
        "gas": evidence_parts.gas(parts["gas"]),
        "most_gas": evidence_parts.most_gas(parts["gas"]),
        "day": day,
        "checklist": list(CHECKLIST),
        "assumptions": claims.assumptions,
        "not_shown": claims.not_shown,
        "risks": claims.risks,
        "clauses": claims.clauses,
        "functions": {},
        "times": _times(campaign, counts, began, parts),
    }
    places, functions = checks.checks(tree)
    for row in entries:
        row["checks"] = [asdict(place) for place in places.get(row["id"], [])]
    used = {place["inside"] for row in entries for place in row["checks"]}
    document["functions"] = {key: asdict(lines) for key, lines in functions.items() if key in used}
    document["verdict"] = verdict(document, campaign)
    document["verdict"]["strength"] = strength(document, cheap.left_out(campaign))
    return plain(document)


def _together(*stages: Stage) -> dict[str, Any]:
    total: dict[str, Any] = {name: {} for name in COUNTED}
    for stage in stages:
        add(total, {name: stage.counts[name] for name in total if name in stage.counts})
    return total


# ---- invariants ------------------------------------------------------------------------------


def _invariants(
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
                    if any(_cites(said, clause) for clause in row.clauses)
                ],
                "rerun": _rerun(seen or tests or list(row.tests), campaign),
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


def _cites(text: str, clause: str) -> bool:
    return any(word.strip("(),.;:") == clause for word in text.split())


def _lines(tree: Path, reference: str) -> dict[str, Any]:
    try:
        found = sources.lines(tree, reference)
    except (OSError, ValueError) as problem:
        return {"reference": reference, "missing": str(problem)}
    return {"reference": reference, **asdict(found)}


def _rerun(tests: list[str], campaign: Campaign) -> str:
    plan = campaign.plan
    return rerun.line(tests[0], plan.engine, plan.profile, plan.seed, histories=plan.histories)


# ---- the rest ----------------------------------------------------------------------------------


def _criteria(claims: Claims, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for number, (title, said) in sorted(claims.criteria.items()):
        tally = Counter(row["status"] for row in entries if row["criterion"] == number)
        counts = {"total": tally.total(), **{status.replace(" ", "_"): tally[status] for status in STATUSES}}
        found.append({"number": number, "title": title, "says": said, **counts})
    return found


def _selection(campaign: Campaign, claims: Claims) -> dict[str, Any]:
    """What was asked for, and what was therefore left out: `asked` is empty where it was all invariants."""
    asked = campaign.plan.selection
    return {
        "asked": asked.asked if asked else "",
        "invariants": len(asked.invariants if asked else claims.rows),
        "of": len(claims.rows),
        "left_out": [f"{TITLES[stage.name]} ({stage.left_out})" for stage in campaign.stages if stage.left_out],
        "elsewhere": list(asked.elsewhere) if asked else [],
    }


def _effort(campaign: Campaign, counts: dict[str, Any]) -> dict[str, Any]:
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


def _tests(*stages: Stage) -> dict[str, dict[str, Any]]:
    """Every test that was planned or begun, and every file that could not be collected."""
    found = {}
    for stage in stages:
        for name in {plan["test"] for plan in stage.planned} | stage.tests.keys():
            test = stage.tests.get(name, {"outcome": "not run"})
            checks = sum(test.get("checked", {}).values())
            found[name] = {"outcome": test["outcome"], "examples": test.get("examples", 0), "checks": checks}
    return dict(sorted(found.items()))


def _reasons(calls: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Why calls were refused, per entry point; an empty reason is a revert without one."""
    found: dict[str, Counter[str]] = {}
    for name, outcomes in calls.items():
        for reason, number in outcomes.items():
            if reason != "accepted":
                found.setdefault(name.partition(".")[2], Counter())[reason] += number
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def _histogram(lengths: dict[str, int]) -> list[dict[str, int]]:
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


def _attacks(claims: Claims, entries: list[dict[str, Any]], *stages: Stage) -> dict[str, Any]:
    """The searches for profit that ran, and of every invariant on profit the worst attack that they found."""
    mine = [row for row in entries if row["id"].startswith(attacks.FAMILY)]
    planned = _tests(*stages)
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


def _day(stage: Stage) -> tuple[dict[str, Any], str | None]:
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


def _times(campaign: Campaign, counts: dict[str, Any], began: datetime, parts: dict[str, Part]) -> dict[str, Any]:
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


# ---- the verdict ---------------------------------------------------------------------------------


def verdict(document: dict[str, Any], campaign: Campaign) -> dict[str, Any]:
    """What it all comes to: `held`, `falsified` or `incomplete`, in a sentence."""
    by_status = {
        status: [row["id"] for row in document["invariants"] if row["status"] == status] for status in STATUSES
    }
    failed = sorted(name for name, test in document["tests"].items() if test["outcome"] in ("failed", "error"))
    presets = sorted({failure["preset"] for failure in document["failures"] if failure["preset"]})
    missing = _missing(document, campaign)
    partial = campaign.stopped is not None or not all(document["effort"]["complete"].values())
    broken = [stage["error"] for stage in document["stages"].values() if stage["state"] == "failed"]
    total = len(document["invariants"]) - len(by_status[LEFT_OUT])
    if by_status[FALSIFIED] or failed or presets:
        outcome = "falsified"
        own = sorted(by_status[FALSIFIED], key=lambda name: name.startswith("C2-"))  # What names the fault comes first.
        does = "does" if len(own) == 1 else "do"
        of = "" if document["selection"]["asked"] else f" of {total}"  # Some may not have been asked for.
        sentence = f"{len(own)}{of} invariant{'' if len(own) == 1 and not of else 's'} {does} not hold: {some(own)}."
        if not by_status[FALSIFIED]:
            many = "1 test" if len(failed) == 1 else f"{len(failed)} tests"
            sentence = f"{many} failed, though no invariant was seen not to hold: {some(failed)}."
    elif partial or by_status[BLOCKED] or broken:
        outcome = "incomplete"
        why = campaign.stopped or (some(broken, 3) if broken else "some tests did not run to their end")
        sentence = f"Nothing was seen not to hold, but the run is not whole: {why}."
    elif by_status[NOT_REACHED]:
        outcome = "held" if document["effort"]["profile"] == "quick" else "incomplete"
        held, missed = len(by_status[HELD]), len(by_status[NOT_REACHED])
        sentence = (
            f"{held} of {total} invariants held; the premise of {missed} was never true, so they were not tested."
        )
    else:
        outcome = "held"
        many = "The one invariant" if total == 1 else f"All {total} invariants"
        sentence = f"{many} held." if total else "All tests passed."
    return {
        "outcome": outcome,
        "sentence": f"Partial: {missing}. {sentence}" if missing and not partial else sentence,
        "partial": bool(missing),
        "missing": missing,
        "falsified": by_status[FALSIFIED],
        "not_reached": by_status[NOT_REACHED],
        "blocked": by_status[BLOCKED],
        "failed_tests": failed,
        "failed_presets": presets,
    }


def _missing(document: dict[str, Any], campaign: Campaign) -> str:
    """What a run was without, in words; empty where it was whole."""
    selection = document["selection"]
    found = (
        [f"{selection['invariants']} of {selection['of']} invariants ({selection['asked']})"]
        if selection["asked"]
        else []
    )
    if gone := [TITLES[stage.name] for stage in campaign.stages if stage.left_out]:
        found.append(f"without {' and '.join(gone)}{' (profile quick)' if not selection['asked'] else ''}")
    if campaign.stopped is not None or not all(document["effort"]["complete"].values()):
        found.append(campaign.stopped or "not every test ran to its end")
    return "; ".join(found)


# ---- lines -----------------------------------------------------------------------------------------


def dumped(document: dict[str, Any]) -> tuple[str, dict[str, int]]:
    """The document as text, a value a line, and on which line the value of every JSON pointer stands."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    places: dict[str, int] = {}
    _place(document, "", 1, places)
    return text, places


def _place(value: Any, pointer: str, line: int, places: dict[str, int]) -> int:
    """Notes the line of everything inside a value that begins on `line`; returns the line after it."""
    places[pointer] = line
    if not isinstance(value, dict | list) or not value:
        return line + 1
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    after = line + 1
    for key, item in pairs:
        after = _place(item, f"{pointer}/{step(key)}", after, places)
    return after + 1


def at(document: Any, pointer: str) -> Any:
    """The value that a JSON pointer names. KeyError or IndexError where there is none."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document
