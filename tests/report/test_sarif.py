"""report.sarif keeps what GitHub and the standard ask for, as Microsoft's validator of SARIF files found it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from verification.report import sarif


@pytest.fixture(params=["right", "falsified", "broken"])
def log(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The SARIF of a run in which nothing failed, an invariant did not hold, and everything else failed that can."""
    out: Path = request.getfixturevalue(request.param)[1]
    return json.loads((out / "report.sarif").read_text())


def test_every_result_has_a_place_and_a_rule(log: dict[str, Any]) -> None:
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"].strip()
        assert result["partialFingerprints"]
        assert result["locations"]
        for place in result["locations"]:
            region = place["physicalLocation"]["region"]
            artifact = place["physicalLocation"]["artifactLocation"]
            assert 1 <= region["startLine"] <= region["endLine"]
            assert re.fullmatch(r"[A-Za-z0-9%./:_~-]+", artifact["uri"]), "a URI has no blank"
            assert artifact["uri"].startswith("file:///") or artifact["uriBaseId"] == "%SRCROOT%"
            assert not artifact["uri"].startswith("/") and ".." not in artifact["uri"].split("/")


def test_every_rule_is_described_within_githubs_limits(log: dict[str, Any]) -> None:
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        for part in ("shortDescription", "fullDescription", "help"):
            assert rule[part]["text"].strip()
        assert len(rule["id"]) <= 255
        assert all(len(rule[part]["text"]) <= sarif.MAX_DESCRIPTION for part in ("shortDescription", "fullDescription"))
        assert len(rule.get("properties", {}).get("tags", [])) <= 20


def test_results_are_told_apart(log: dict[str, Any]) -> None:
    results = log["runs"][0]["results"]
    assert len({json.dumps(one["partialFingerprints"]) for one in results}) == len(results)
