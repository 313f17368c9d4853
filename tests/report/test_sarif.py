"""report.sarif keeps what GitHub and the standard ask for, as Microsoft's validator of SARIF files found it."""

from __future__ import annotations

import copy
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


def test_a_fault_is_one_error_and_what_it_keeps_from_being_checked_is_a_note_of_the_run(told: dict[str, Any]) -> None:
    (run,) = json.loads(sarif.render(told))["runs"]
    of_invariants = [one["ruleId"] for one in run["results"] if one["ruleId"] not in (sarif.TEST, sarif.STAGE)]
    with_a_story = {failure["invariant"] for failure in told["failures"]} & set(told["verdict"]["falsified"])
    assert sorted(of_invariants) == sorted(with_a_story)
    assert all(result["level"] == "error" for result in run["results"])
    first = next(one for one in run["results"] if one["ruleId"] == told["failures"][0]["invariant"])
    assert "A history that shows it:" in first["message"]["text"]
    rules = run["tool"]["driver"]["rules"]
    (invocation,) = run["invocations"]
    noted = {}
    for note in invocation["toolExecutionNotifications"]:
        if "associatedRule" in note:
            assert rules[note["associatedRule"]["index"]]["id"] == note["associatedRule"]["id"]
            noted[note["associatedRule"]["id"]] = note["level"]
    levels = {"blocked": "warning", "not reached": "note", "falsified": "error"}
    wanted = [row for row in told["invariants"] if row["status"] in levels and row["id"] not in with_a_story]
    assert noted == {row["id"]: levels[row["status"]] for row in wanted}
    assert "warning" in noted.values()


def test_a_run_of_a_part_has_a_name_of_its_own_and_says_so(told: dict[str, Any]) -> None:
    """A code host takes for mended what a later run of the same name does not report."""
    whole, part = copy.deepcopy(told), copy.deepcopy(told)
    whole["verified"]["revision"]["commit"] = part["verified"]["revision"]["commit"] = "abc"
    part["selection"]["asked"], part["verdict"]["missing"] = "--only C3-FEE", "5 of 310 invariants (--only C3-FEE)"
    names = [json.loads(sarif.render(one))["runs"][0]["automationDetails"]["id"] for one in (whole, part)]
    assert names == ["wattproof verify/abc", "wattproof verify/partial/abc"]
    for stage in part["stages"].values():
        stage["state"] = "left out"
    (invocation,) = json.loads(sarif.render(part))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"]
    assert "5 of 310 invariants" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_a_run_that_was_cut_short_is_no_successful_one(told: dict[str, Any]) -> None:
    cut = copy.deepcopy(told)
    cut["stages"]["day"]["state"] = "done"
    cut["stages"]["properties"] |= {"state": "cut short", "error": "property tests: was cut short: interrupted"}
    cut["verdict"]["missing"] = "interrupted"
    (run,) = json.loads(sarif.render(cut))["runs"]
    assert not run["invocations"][0]["executionSuccessful"]
    assert not [one for one in run["results"] if one["ruleId"] == sarif.STAGE]
