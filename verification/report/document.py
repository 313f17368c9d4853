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

from verification import git
from verification.harness.totals import COUNTED, accepted_and_refused, add, keep
from verification.invariants import Invariant, criteria, invariants, points
from verification.measurements import versions
from verification.report import attacks, sources
from verification.report import parts as evidence_parts
from verification.report.campaign import Campaign, Stage, rules
from verification.report.facts import some
from verification.report.parts import Part
from verification.report.templates import step
from wattproof import __version__
from wattproof.market.bytecode import SCHEMA
from wattproof.market.deployment import contracts_dir

HELD, FALSIFIED, NOT_REACHED, BLOCKED = "held", "falsified", "not reached", "blocked"

STATUSES = (HELD, FALSIFIED, NOT_REACHED, BLOCKED)

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


def build(tree: Path, campaign: Campaign, began: datetime) -> dict[str, Any]:
    """The document of a campaign that has ended, for whatever reason. Failures carry no story yet."""
    rows = list(invariants(tree).values())
    unit, properties, day = (campaign[name] for name in ("unit", "properties", "day"))
    market = sources.code("EnergyMarket")
    parts = evidence_parts.gather(tree, market["runtime"]["keccak256"])
    counts = _together(unit, properties)
    failures = unit.counts.get("failures", []) + properties.counts.get("failures", [])
    entries = _invariants(tree, rows, campaign, counts, failures, parts)
    document = {
        "schema": SCHEMA,
        "verdict": {},
        "verified": {
            "wattproof": __version__,
            "revision": git.revision(tree, contracts_dir()),
            "contracts": sources.contracts_dir_shown(tree),
            "market": market,
            "credit": sources.code("EnergyCredit"),
            "compiler": sources.compiler(),
            "engine": campaign.plan.engine,
            "versions": versions(),
        },
        "effort": _effort(campaign, counts),
        "criteria": _criteria(tree, entries),
        "invariants": entries,
        "failures": _failures(failures),
        "attacks": _attacks(tree, rows, entries, unit, properties),
        "rules": {name: {"accepted": taken, "refused": no} for name, (taken, no) in rules(counts["calls"]).items()},
        "reasons": _reasons(counts["calls"]),
        "phases": counts["phases"],
        "lengths": _histogram(counts["lengths"]),
        "tests": _tests(unit, properties),
        "parts": {name: _part(part) for name, part in parts.items()},
        "mutants": _mutants(parts["mutation"]),
        "gas": evidence_parts.gas(parts["gas"]),
        "day": _day(day),
        "checklist": list(CHECKLIST),
        "assumptions": points("Assumptions", tree),
        "not_shown": points("What is not shown", tree),
        "risks": points("Residual risks", tree),
        "clauses": sources.clauses(tree),
        "times": _times(campaign, counts, began, parts),
    }
    document["verdict"] = verdict(document, campaign)
    return document


def _together(*stages: Stage) -> dict[str, Any]:
    total: dict[str, Any] = {name: {} for name in COUNTED}
    for stage in stages:
        add(total, {name: stage.counts[name] for name in total if name in stage.counts})
    return total


# ---- invariants ------------------------------------------------------------------------------


def _invariants(
    tree: Path,
    rows: list[Invariant],
    campaign: Campaign,
    counts: dict[str, Any],
    failures: list[dict[str, Any]],
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
    violated = Counter(counts["violated"]) + Counter({f["invariant"]: 1 for f in failures if f["invariant"]})
    killed = _killed(parts["mutation"])
    caught = _caught(parts["faults"])
    risks, unshown = points("Residual risks", tree), points("What is not shown", tree)
    assumptions = points("Assumptions", tree)
    found = []
    for row in rows:
        tests = [plan["test"] for reference in row.tests for plan in planned if _is(reference, plan)]
        checked = counts["checked"].get(row.id, 0)
        status = _status(violated[row.id], checked, tests, outcomes)
        found.append(
            {
                "id": row.id,
                "criterion": row.criterion,
                "status": status,
                "statement": row.statement,
                "predicate": row.predicate,
                "kind": row.kind,
                "tolerance": row.tolerance,
                "claimed": row.status,
                "clauses": list(row.clauses),
                "where": [_lines(tree, reference) for reference in row.where],
                "tests": tests or list(row.tests),
                "checked": checked,
                "premise_false": counts["vacuous"].get(row.id, 0),
                "violated": violated[row.id],
                "by_test": dict(sorted(by_test[row.id].items())),
                "mutants": killed and killed.get(row.id, {"killed": 0, "alone": 0}),
                "faults": caught and caught.get(row.id, []),
                "assumptions": [
                    number for number, said in enumerate(assumptions, 1) if not _drops(said, row.id.rpartition("-")[0])
                ],
                "residual": [
                    f"{kind} {number}"
                    for kind, points in (("risk", risks), ("not shown", unshown))
                    for number, said in enumerate(points, 1)
                    if any(_cites(said, clause) for clause in row.clauses)
                ],
                "rerun": _rerun(tests or list(row.tests), campaign),
            }
        )
    return found


def _is(reference: str, plan: dict[str, Any]) -> bool:
    file, _, name = reference.partition("::")
    return plan["test"].startswith(f"{file}::") and name in plan["names"]


def _status(violated: int, checked: int, tests: list[str], outcomes: dict[str, str]) -> str:
    """Falsified wherever any history says so; held only where its own tests all passed and reached it."""
    if violated:
        return FALSIFIED
    if not tests or any(outcomes.get(name) != "passed" for name in tests):
        return BLOCKED
    return HELD if checked else NOT_REACHED


def _drops(assumption: str, family: str) -> bool:
    return f"({family}) drop" in assumption


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
    said = f"make test-one TEST='{tests[0]}' ENGINE={plan.engine} PROFILE={plan.profile}"
    more = [] if plan.histories is None else [f"--histories={plan.histories}"]
    more += [] if plan.seed is None else [f"--hypothesis-seed={plan.seed}"]
    return said + (f" MORE='{' '.join(more)}'" if more else "")


def _killed(part: Part) -> dict[str, dict[str, int]] | None:
    """How many mutants each invariant killed, and how many of them only it is known to kill; None: not measured."""
    if part.state != "present":
        return None
    found: dict[str, dict[str, int]] = {}
    for mutant in evidence_parts.mutants(part):
        for name in mutant["by"]:
            tally = found.setdefault(name, {"killed": 0, "alone": 0})
            tally["killed"] += 1
            tally["alone"] += len(mutant["by"]) == 1
    return found


def _caught(part: Part) -> dict[str, list[str]] | None:
    if part.state != "present":
        return None
    found: defaultdict[str, list[str]] = defaultdict(list)
    for fault in part.content.get("details", []):
        if fault.get("caught"):
            found[fault["invariant"]].append(fault["fault"])
    return dict(found)


# ---- the rest ----------------------------------------------------------------------------------


def _criteria(tree: Path, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for number, (title, said) in sorted(criteria(tree).items()):
        tally = Counter(row["status"] for row in entries if row["criterion"] == number)
        counts = {"total": tally.total(), **{status.replace(" ", "_"): tally[status] for status in STATUSES}}
        found.append({"number": number, "title": title, "says": said, **counts})
    return found


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
    }


def _tests(*stages: Stage) -> dict[str, dict[str, Any]]:
    found = {}
    for stage in stages:
        for plan in stage.planned:
            test = stage.tests.get(plan["test"], {"outcome": "not run"})
            checks = sum(test.get("checked", {}).values())
            found[plan["test"]] = {"outcome": test["outcome"], "examples": test.get("examples", 0), "checks": checks}
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


def _failures(failures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every failure once: one of an invariant in a test, the shortest history first; the same preset once."""
    best: dict[Any, dict[str, Any]] = {}
    for failure in failures:
        key = (failure["invariant"], failure["preset"] or failure["test"])
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


def _attacks(tree: Path, rows: list[Invariant], entries: list[dict[str, Any]], *stages: Stage) -> dict[str, Any]:
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
        "lines": attacks.lines(rows, sources.threats(tree), {row["id"]: row["checked"] for row in mine}, worst),
        "unsearched": sources.unsearched(tree),
    }


def _part(part: Part) -> dict[str, Any]:
    content = part.content
    return {
        "state": part.state,
        "note": part.note,
        "file": part.file,
        "command": part.command,
        "versions": content.get("versions", {}),
        "seed": content.get("seed"),
        "figures": evidence_parts.figures(part),
    }


def _mutants(part: Part) -> dict[str, Any]:
    mutants = evidence_parts.mutants(part)
    explained = evidence_parts.explained(part)
    by_module: defaultdict[str, Counter[str]] = defaultdict(Counter)
    matrix: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants:
        result = "explained" if mutant["name"] in explained and mutant["result"] == "survived" else mutant["result"]
        by_module[mutant["module"]][result] += 1
        for name in mutant["by"]:
            matrix[name][mutant["module"]] += 1
    return {
        "killed": sum(mutant["result"] == "killed" for mutant in mutants),
        "of": sum(mutant["result"] == "killed" or mutant["name"] not in explained for mutant in mutants),
        "by_module": {name: dict(sorted(tally.items())) for name, tally in sorted(by_module.items())},
        "matrix": {name: dict(sorted(tally.items())) for name, tally in sorted(matrix.items())},
    }


def _day(stage: Stage) -> dict[str, Any]:
    """The trading day: its summary and every period's trade, in Wh and base units per Wh."""
    summary = stage.folder / "day" / "summary.json"
    if stage.status != 0 or not summary.is_file():
        return {"state": "failed" if stage.status else "not run", "figures": {}, "periods": []}
    told = json.loads(summary.read_text())
    community = told["community"]
    names = ("traded_locally_wh", "exported_wh", "imported_wh", "trades", "performances", "defaults")
    figures = {name: community[name] for name in names}
    figures |= {name: community[name]["text"] for name in ("fees", "compensation", "grid_alone", "market", "saving")}
    figures |= {"households": told["input"]["households"], "savers": community["households_that_save"]}
    figures |= {"books_balance": told["balances_match_after_every_period"]}
    wanted = ("period", "supply_wh", "demand_wh", "delivered_wh", "trades")
    periods = [{name: row[name] for name in wanted} for row in told.get("periods", [])]
    return {"state": "done", "figures": figures, "periods": periods}


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
        "parts": {name: part.content.get("seconds") for name, part in parts.items()},
    }


# ---- the verdict ---------------------------------------------------------------------------------


def verdict(document: dict[str, Any], campaign: Campaign) -> dict[str, Any]:
    """What it all comes to: `held`, `falsified` or `incomplete`, in a sentence."""
    by_status = {
        status: [row["id"] for row in document["invariants"] if row["status"] == status] for status in STATUSES
    }
    failed = sorted(name for name, test in document["tests"].items() if test["outcome"] in ("failed", "error"))
    presets = sorted({failure["preset"] for failure in document["failures"] if failure["preset"]})
    partial = campaign.stopped is not None or not all(document["effort"]["complete"].values())
    total = len(document["invariants"])
    if by_status[FALSIFIED] or failed or presets:
        outcome = "falsified"
        own = sorted(by_status[FALSIFIED], key=lambda name: name.startswith("C2-"))  # What names the fault comes first.
        does = "does" if len(own) == 1 else "do"
        sentence = f"{len(own)} of {total} invariants {does} not hold: {some(own)}."
        if not by_status[FALSIFIED]:
            many = "1 test" if len(failed) == 1 else f"{len(failed)} tests"
            sentence = f"{many} failed, though no invariant was seen not to hold: {some(failed)}."
    elif partial or by_status[BLOCKED] or document["day"]["state"] != "done":
        outcome = "incomplete"
        why = campaign.stopped or (
            "some tests did not run to their end" if document["day"]["state"] == "done" else "the trading day failed"
        )
        sentence = f"Nothing was seen not to hold, but the run is not whole: {why}."
    elif by_status[NOT_REACHED]:
        outcome = "held" if document["effort"]["profile"] == "quick" else "incomplete"
        held, missed = len(by_status[HELD]), len(by_status[NOT_REACHED])
        sentence = (
            f"{held} of {total} invariants held; the premise of {missed} was never true, so they were not tested."
        )
    else:
        outcome, sentence = "held", f"All {total} invariants held."
    return {
        "outcome": outcome,
        "sentence": sentence,
        "partial": partial,
        "falsified": by_status[FALSIFIED],
        "not_reached": by_status[NOT_REACHED],
        "blocked": by_status[BLOCKED],
        "failed_tests": failed,
        "failed_presets": presets,
    }


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
