"""Makes one document of a run and of what was measured before: `report/evidence.json`.

Everything else in a report is written from this document alone. Its layout is `schema.json`, which docs/report.md
explains.
Nothing under `times` is the same in two runs; everything else is, for one seed and revision.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from verification import git, rerun
from verification.measurements import versions
from verification.report import cheap, checks, effort, failures, findings, sources, system
from verification.report import parts as evidence_parts
from verification.report.campaign import Campaign
from verification.report.entries import of_criteria, of_invariants
from verification.report.sources import Claims
from verification.report.strength import strength
from verification.report.templates import step
from verification.report.verdict import verdict
from verification.texts import plain
from wattproof import __version__
from wattproof.market.bytecode import SCHEMA, compiled

CHECKLIST = (
    "I have read docs/terms.md, and every clause says what both sides of a trade mean.",
    "The shares and thresholds (10 % compensation and collateral, 95 and 105 %, 20 % a tier) are what both want.",
    "The phases and their lengths leave households enough time to bid, open and report.",
    "What the terms choose where the paper is silent (marked [choice], annex C) is acceptable to both sides.",
    "Somebody who signs a quote or a bid is shown, in words, what it may cost at most.",
    "The powers of the owner, the supplier and the makers of meters are known to the households and accepted.",
    "The model (wattproof/terms/model.py, places.py) was compared with the terms clause by clause by somebody "
    "who wrote neither.",
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
    market = compiled("EnergyMarket")
    parts = evidence_parts.gather(tree, market["runtime"]["keccak256"], unit.folder / cheap.FOLDER)
    counts = effort.together(unit, properties)
    failed = failures.once(unit.counts.get("failures", []) + properties.counts.get("failures", []))
    entries = of_invariants(tree, claims, campaign, counts, failed, parts)
    day, wrong = effort.day_of(campaign["day"])
    about = system.system(tree, claims.rows)
    document = {
        "schema": SCHEMA,
        "verdict": {},
        "verified": {
            "wattproof": __version__,
            "revision": revision,
            "source": git.address(tree, revision),
            "contracts": rerun.contracts_shown(tree),
            "market": market,
            "credit": compiled("EnergyCredit"),
            "compiler": sources.compiler(),
            "engine": campaign.plan.engine,
            "versions": versions(),
        },
        "selection": effort.selection(campaign, claims),
        "effort": effort.drawn(campaign, counts),
        "system": about,
        "findings": findings.findings(entries, failed, claims.risks),
        "stages": failures.stages(campaign, wrong),
        "criteria": of_criteria(claims, entries),
        "invariants": entries,
        "failures": failed,
        "attacks": effort.attacks_found(claims, entries, unit, properties),
        "rules": effort.called(counts["calls"], [entry["call"] for entry in about["entries"]]),
        "reasons": effort.reasons(counts["calls"]),
        "phases": counts["phases"],
        "lengths": effort.histogram(counts["lengths"]),
        "tests": effort.tests(unit, properties),
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
        "times": effort.times(campaign, counts, began, parts),
    }
    places, functions = checks.checks(tree)
    for row in entries:
        row["checks"] = [asdict(place) for place in places.get(row["id"], [])]
    used = {place["inside"] for row in entries for place in row["checks"]}
    document["functions"] = {key: asdict(lines) for key, lines in functions.items() if key in used}
    document["verdict"] = verdict(document, campaign)
    document["verdict"]["strength"] = strength(document, cheap.left_out(campaign))
    return plain(document)


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
