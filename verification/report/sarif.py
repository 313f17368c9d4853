"""The report as SARIF 2.1.0, for code hosts: what did not hold, at the contract lines that should make it hold.

What failed otherwise, a test or a whole stage of the run, is told at the test or at invariants.md: a result without a
place is refused by GitHub. What could not be checked is no fault of the lines that would make it hold: it
is a notification of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from verification.invariants import ROOT
from verification.report import failures
from verification.texts import bounded

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

UNCHECKED = {"blocked": ("warning", "could not be checked"), "not reached": ("note", "was not tested")}
"""What an invariant's status says of the run, and how grave that is."""

PART = "partial"
"""What follows the name of a run of a part: a code host would take what it did not look at for mended."""

TEST, STAGE = "test-failed", "stage-failed"
"""The rules of what is no invariant."""

MAX_LINES = 60
"""Lines of a history that are told, its last ones."""

MAX_DESCRIPTION = 1024
"""Characters of a rule's description that GitHub takes."""

Place = tuple[Path, int, int]
"""A file, and its first and last line of concern."""


def render(told: dict[str, Any]) -> str:
    """The text of report.sarif."""
    rules = [*map(_rule, told["invariants"]), *_other_rules()]
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [*_invariants(told), *_tests(told), *_stages(told)]
    for result in results:
        result["ruleIndex"] = index[result["ruleId"]]
    revision = told["verified"]["revision"]
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "wattproof", "version": told["verified"]["wattproof"], "rules": rules}},
        "results": results,
        "invocations": [_invocation(told, index)],
    }
    part = f"/{PART}" if told["selection"]["asked"] else ""
    if part or revision["commit"]:
        run["automationDetails"] = {"id": f"wattproof verify{part}/{revision['commit'] or ''}"}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


# ---- rules -----------------------------------------------------------------------------------


def _rule(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "shortDescription": {"text": bounded(row["statement"], MAX_DESCRIPTION - 100)},
        "fullDescription": {"text": bounded(row["predicate"], MAX_DESCRIPTION - 100)},
        "help": {"text": f"Clauses: {', '.join(row['clauses'])}. Again: {row['rerun']}"},
        "properties": {"tags": [f"criterion {row['criterion']}", row["kind"]]},
    }


def _other_rules() -> Iterator[dict[str, Any]]:
    for name, short, full in (
        (
            TEST,
            "A test failed.",
            "A test failed, could not be set up, taken down or collected, or its process crashed.",
        ),
        (
            STAGE,
            "A stage of the run was not whole.",
            "The trading day or the run of the tests did not end as it should.",
        ),
    ):
        help_ = "What failed is told in index.html and evidence.json beside this file; docs/report.md explains them."
        yield {
            "id": name,
            "shortDescription": {"text": short},
            "fullDescription": {"text": full},
            "help": {"text": help_},
        }


# ---- results ---------------------------------------------------------------------------------


def _result(rule: str, level: str, message: str, places: Iterable[Place], contracts: Path, key: str) -> dict[str, Any]:
    """A result; `key` tells it apart from the others of its rule in this run, and is the same in the next one."""
    locations = [_location(place, contracts) for place in places]
    fingerprint = {f"{'invariant' if key == rule else rule}/v1": key}
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": message},
        "locations": locations,
        "partialFingerprints": fingerprint,
    }


def _invariants(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is falsified, each once with its story; consequences that were seen beside it are notes of the run."""
    contracts = _contracts(told)
    for row in told["invariants"]:
        if row["status"] == "falsified" and not _is_consequence(row, told):
            said = f"{row['id']} does not hold: {row['statement']}{_history(told, row)}"
            places = [
                (_path(place["file"], contracts), place["first"], place["last"])
                for place in row["where"]
                if "file" in place
            ]
            claim = (ROOT / "invariants.md", row["line"], row["line"])
            yield _result(row["id"], "error", said, places or [claim], contracts, row["id"])


def _is_consequence(row: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether an invariant was violated only in histories that were kept for another one."""
    known = {one["id"] for one in told["invariants"] if one["status"] == "falsified"}
    return not failures.of_invariant(told, row["id"]) and any(one["invariant"] in known for one in told["failures"])


def _tests(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    contracts = _contracts(told)
    for failure in failures.of_tests(told):
        line = failure["line"] or 1
        said = f"{failure['test']} failed ({failure['when']}): {failure['error']}\n\n{failure['text']}"
        key = f"{failure['test']} {failure['when']} {failure['error']}"
        yield _result(TEST, "error", said.rstrip(), [(_file(failure["test"]), line, line)], contracts, key)
    told_of = {failure["test"] for failure in told["failures"]}
    for name in told["verdict"]["failed_tests"]:
        if name not in told_of:
            yield _result(TEST, "error", f"{name} failed, and left no text.", [(_file(name), 1, 1)], contracts, name)


def _stages(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, stage in told["stages"].items():
        if stage["state"] == "failed":
            said = f"{stage['error']}\n\n{stage['text']}".rstrip()
            yield _result(STAGE, "error", said, [(ROOT / "invariants.md", 1, 1)], _contracts(told), name)


def _history(told: dict[str, Any], row: dict[str, Any]) -> str:
    """What was found, in figures, and call by call how it came to it; else as much as is known."""
    for failure in failures.of_invariant(told, row["id"]):
        figures = "".join(f"\n    {name} = {value}" for name, value in failure["details"].items())
        lines = [_called(chapter) for chapter in failure["story"] if chapter["kind"] == "call"]
        lines = lines or failure["repl"][failure["beginning"] :]
        story = "\n\nA history that shows it:\n" + "\n".join(lines[-MAX_LINES:]) if lines else ""
        saved = f"\n\nIt is made again by {failure['saved']} of the report." if failure["saved"] else ""
        return figures + story + saved
    return f"\n\n{row['reason']}"


def _called(chapter: dict[str, Any]) -> str:
    said = f"{chapter['sender']} calls {chapter['function']}({', '.join(chapter['arguments'])})"
    if chapter["agree"]:
        return said
    return f"{said}\n    the terms: {chapter['terms']}\n    the contract: {chapter['contract']}"


# ---- the run ---------------------------------------------------------------------------------


def _invocation(told: dict[str, Any], index: dict[str, int]) -> dict[str, Any]:
    """How the run went, and what it could not check or was without."""
    stages = told["stages"].values()
    notes = [_note("warning", told["verdict"]["missing"])] if told["verdict"]["missing"] else []
    for row in told["invariants"]:
        if row["status"] in UNCHECKED:
            level, said = UNCHECKED[row["status"]]
            rule = {"id": row["id"], "index": index[row["id"]]}
            notes.append(_note(level, f"{row['id']} {said}: {row['reason']}") | {"associatedRule": rule})
        elif row["status"] == "falsified" and _is_consequence(row, told):
            rule = {"id": row["id"], "index": index[row["id"]]}
            notes.append(
                _note("error", f"{row['id']} does not hold either: {row['reason']}") | {"associatedRule": rule}
            )
    whole = all(stage["state"] in ("done", "left out") for stage in stages)
    return {"executionSuccessful": whole, "toolExecutionNotifications": notes}


def _note(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}


# ---- places ----------------------------------------------------------------------------------


def _contracts(told: dict[str, Any]) -> Path:
    """The folder of the contracts that were run: the document names one inside this tree by its path in it."""
    return ROOT / told["verified"]["contracts"]


def _path(file: str, contracts: Path) -> Path:
    return contracts / file.removeprefix("contracts/") if file.startswith("contracts/") else ROOT / file


def _file(test: str) -> Path:
    return (ROOT / test.partition("::")[0]).resolve()


def _location(place: Place, contracts: Path) -> dict[str, Any]:
    path, first, last = place
    checkout = _checkout()
    if not path.is_relative_to(checkout) and not path.is_relative_to(contracts) and contracts.is_relative_to(checkout):
        # A file of this project, where somebody verifies contracts of their own: their code host does not have it.
        path, first, last = contracts / "EnergyMarket.vy", 1, 1
    inside = path.is_relative_to(checkout)
    artifact: dict[str, Any] = {"uri": quote(path.relative_to(checkout).as_posix()) if inside else path.as_uri()}
    if inside:
        artifact["uriBaseId"] = "%SRCROOT%"
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": first, "endLine": last}}}


def _checkout() -> Path:
    """What a code host takes the files to be relative to: the checkout that the command was called in."""
    return ROOT if Path.cwd().is_relative_to(ROOT) else Path.cwd()
