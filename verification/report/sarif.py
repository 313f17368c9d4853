"""The report as SARIF 2.1.0, for code hosts: what did not hold, at the contract lines that should make it hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

LEVELS = {"falsified": "error", "blocked": "warning", "not reached": "note"}

SAYS = {
    "falsified": "does not hold",
    "blocked": "could not be checked: its test did not run to its end, or failed for another reason",
    "not reached": "was not tested: its premise was never true",
}


def render(told: dict[str, Any]) -> str:
    """The text of report.sarif."""
    rules = [
        {
            "id": row["id"],
            "shortDescription": {"text": row["statement"]},
            "fullDescription": {"text": row["predicate"]},
            "help": {"text": f"Clauses: {', '.join(row['clauses'])}. Again: {row['rerun']}"},
            "properties": {"tags": [f"criterion {row['criterion']}", row["kind"]]},
        }
        for row in told["invariants"]
    ]
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [
        {
            "ruleId": row["id"],
            "ruleIndex": index[row["id"]],
            "level": LEVELS[row["status"]],
            "message": {"text": f"{row['id']} {SAYS[row['status']]}. {row['statement']}{_history(told, row['id'])}"},
            "locations": [_location(place, told["verified"]["contracts"]) for place in row["where"] if "file" in place],
            "partialFingerprints": {"invariant/v1": row["id"]},
        }
        for row in told["invariants"]
        if row["status"] in LEVELS
    ]
    revision = told["verified"]["revision"]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "wattproof",
                "version": told["verified"]["wattproof"],
                "rules": rules,
            }
        },
        "results": results,
        "invocations": [{"executionSuccessful": not told["verdict"]["partial"]}],
    }
    if revision["commit"]:
        run["automationDetails"] = {"id": f"wattproof verify/{revision['commit']}"}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _location(place: dict[str, Any], contracts: str) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(place["file"], Path(contracts))},
            "region": {"startLine": place["first"], "endLine": place["last"]},
        }
    }


def _uri(file: str, contracts: Path) -> str:
    """Where a file is for a code host: relative to the checkout that the command was called in, where it is inside."""
    path = contracts / file.removeprefix("contracts/") if file.startswith("contracts/") else Path(file)
    if path.is_absolute() and not path.is_relative_to(Path.cwd()):
        return path.as_uri()
    return (path.relative_to(Path.cwd()) if path.is_absolute() else path).as_posix()


def _history(told: dict[str, Any], invariant: str) -> str:
    for failure in told["failures"]:
        if failure["invariant"] == invariant and failure["repl"]:
            lines = failure["repl"][failure["beginning"] :]
            return "\n\nA history that shows it:\n" + "\n".join(lines[:60])
    return ""
