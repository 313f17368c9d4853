"""A report on a part of the invariants says so everywhere, and holds where what was asked for holds."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from tests.report.conftest import ROOT, plan
from verification.invariants import invariants
from verification.report import compare, document, junit, page, schema, text
from verification.report.verify import verify
from verification.selection import named

ASKED = ("C2-SEAL-1", "C4-PACK-4")


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and what was printed of a run that was asked for two invariants."""
    out = tmp_path_factory.mktemp("part")
    chosen = plan(histories=1).chosen(named(ASKED, invariants()), invariants())
    with pytest.MonkeyPatch.context() as patch, (out / "console.txt").open("w") as console:
        patch.setenv("WATTPROOF_CONTRACTS", str(ROOT / "contracts"))
        status = verify(chosen, out / "report", Console(file=console, width=120))
    return status, compare.load(out / "report"), (out / "console.txt").read_text()


def test_holds_where_what_was_asked_for_holds(part: tuple[int, dict[str, Any], str]) -> None:
    status, told, console = part
    assert status == 0
    assert schema.problem(told) is None
    verdict = told["verdict"]
    assert verdict["outcome"] == "held" and verdict["partial"]
    assert verdict["sentence"].startswith(
        f"Partial: 2 of {len(told['invariants'])} invariants (--only C2-SEAL-1,C4-PACK-4)"
    )
    assert verdict["sentence"].endswith("All 2 invariants held.")
    assert verdict["sentence"] in console
    assert "trading day: left out" in console and "unit tests: left out" in console


def test_only_what_was_asked_for_is_said_to_hold(part: tuple[int, dict[str, Any], str]) -> None:
    told = part[1]
    statuses = {row["id"]: row["status"] for row in told["invariants"]}
    assert {name for name, status in statuses.items() if status == "held"} == set(ASKED)
    assert {status for name, status in statuses.items() if name not in ASKED} == {"left out"}
    assert told["selection"]["invariants"] == 2
    assert all(name.startswith("tests/properties/") for name in told["tests"])
    assert [stage["state"] for stage in told["stages"].values()] == ["left out", "left out", "done"]


def test_every_form_says_that_it_is_a_part(part: tuple[int, dict[str, Any], str]) -> None:
    told = part[1]
    said = f"2 of {len(told['invariants'])} invariants"
    html = page.render(told, document.dumped(told)[1])
    assert "<h1>Partial: held</h1>" in html and said in html
    assert text.render(told).count(said) and "# Wattproof: partial, held" in text.render(told)
    root = ElementTree.fromstring(junit.render(told).partition("?>")[2])
    (named_part,) = [one for one in root.iter("property") if one.get("name") == "partial"]
    assert said in named_part.get("value", "")
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert cases["C3-FEE-1"].find("skipped") is not None
    assert cases["C4-PACK-4"].find("skipped") is None
    assert root.get("errors") == root.get("failures") == "0"


def test_what_was_left_out_got_no_worse(part: tuple[int, dict[str, Any], str], tmp_path: Path) -> None:
    whole = copy.deepcopy(part[1])
    for row in whole["invariants"]:
        row["status"] = "held"
    assert compare.differences(whole, part[1])["worse"] == []
    part[1]["invariants"][0]["status"], kept = "falsified", part[1]["invariants"][0]["status"]
    assert len(compare.differences(whole, part[1])["worse"]) == 1
    part[1]["invariants"][0]["status"] = kept
    for name, told in (("whole", whole), ("part", part[1])):
        (tmp_path / name).write_text(json.dumps(told))
    with (tmp_path / "said").open("w") as said:
        assert compare.diff(tmp_path / "whole", tmp_path / "part", Console(file=said, width=200)) == 0
    lines = (tmp_path / "said").read_text().splitlines()
    assert sum(line.startswith("status: ") for line in lines) == 0
    assert f"left out: {len(invariants()) - 2} invariants" in "\n".join(lines)


def test_every_case_of_junit_has_a_time(part: tuple[int, dict[str, Any], str]) -> None:
    root = ElementTree.fromstring(junit.render(part[1]).partition("?>")[2])
    assert all(float(case.get("time", "none")) >= 0 for case in root.iter("testcase"))
    assert all(float(suite.get("time", "none")) >= 0 for suite in root.iter("testsuite"))
    times = part[1]["times"]
    assert 0 < sum(times["checking"].values()) <= times["seconds"]["properties"], "not since the machine was started"
