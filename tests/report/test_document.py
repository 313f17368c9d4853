"""The document of a run: its schema, what it says of a fault, and that it is the same every time."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.report.conftest import FAULT, ROOT, parts_in, plan
from verification.harness.totals import merged
from verification.invariants import invariants
from verification.report import document, entries, page, parts, saved, sources, text
from verification.report.campaign import Campaign, Stage
from verification.report.entries import BLOCKED, FALSIFIED, HELD, NOT_REACHED, _status
from verification.report.schema import schema


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_documents_fit_the_schema(told: dict[str, Any], right: tuple[int, Path]) -> None:
    jsonschema.validate(told, schema())
    jsonschema.validate(json.loads((right[1] / "evidence.json").read_text()), schema())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.pop("verdict"),
        lambda told: told["invariants"][0].update(status="fine"),
        lambda told: told["effort"].update(steps=-1),
        lambda told: told.update(more=1),
    ],
)
def test_schema_refuses_what_does_not_fit(told: dict[str, Any], spoil: Any) -> None:
    spoilt = copy.deepcopy(told)
    spoil(spoilt)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spoilt, schema())


# ---- a fault ---------------------------------------------------------------------------------


def test_fault_is_named(falsified: tuple[int, Path, Path], told: dict[str, Any]) -> None:
    head = (ROOT / "tests" / "properties" / "faults" / f"{FAULT}.patch").read_text()
    invariant = head.partition("invariant: ")[2].split()[0]
    assert falsified[0] == 1
    assert told["verdict"]["outcome"] == "falsified"
    assert invariant in told["verdict"]["falsified"]
    assert told["failures"][0]["invariant"] == invariant
    console = (falsified[1] / "console.txt").read_text()
    assert invariant in console


def test_what_was_falsified_is_run_again_where_it_was_seen() -> None:
    """Not by the tests of its row, which may not have been run, or have passed."""
    outcomes = {"tests/a.py::A": "failed", "tests/b.py::B": "passed"}
    told = [{"invariant": "C1-A-1", "test": "tests/a.py::A", "error": "C1-A-1: off by 1"}]
    assert entries._seen_in("C1-A-1", {"tests/b.py::B": 2}, outcomes, told) == ["tests/a.py::A"]

    seen = entries._seen_in("C2-A-1", {"tests/a.py::A": 5, "tests/b.py::B": 2}, outcomes, told)
    assert seen == ["tests/a.py::A"]
    reason = entries._reason(FALSIFIED, "C2-A-1", ["tests/b.py::B"], outcomes, [], told, seen)
    assert reason == "seen in a history that was not kept, of tests/a.py::A"


def test_what_could_not_be_checked_is_run_again_where_it_was_not(tmp_path: Path) -> None:
    """Not by the test that passed already, which would leave the invariant as it is."""
    first, second = (f"tests/properties/{name}" for name in ("test_intent.py::TestIntent", "test_matching.py::{}"))
    second = second.format("test_purchases_of_excess_count_against_the_capacity")
    stage = Stage("properties", [], tmp_path, status=0)
    stage.planned = [
        {"test": f"{first}::runTest", "names": ["Intent"], "examples": 3},
        {"test": second, "names": [second.partition("::")[2]], "examples": 0},
    ]
    stage.counts = merged([])
    claims = sources.Claims([invariants()["C1-VOLUME-4"]], {}, [], [], [], {}, {}, [], "")
    for done, left in ((f"{first}::runTest", second), (second, f"{first}::runTest")):
        stage.counts["tests"] = {done: {"outcome": "passed", "checked": {"C1-VOLUME-4": 5}}}
        run: Any = Ran({"unit": Stage("unit", [], tmp_path, status=0), "properties": stage})
        counts = {"checked": {"C1-VOLUME-4": 5}, "violated": {}, "vacuous": {}}
        (row,) = entries.of_invariants(ROOT, claims, run, counts, [], parts.gather(tmp_path, "00"))
        assert row["status"] == BLOCKED
        assert left in row["reason"]
        assert f"TEST='{left}'" in row["rerun"]


class Ran(dict[str, Stage]):
    """A campaign of these stages, as far as it is asked."""

    plan = plan()


def test_what_shows_a_failure_again_names_the_contracts(
    falsified: tuple[int, Path, Path], told: dict[str, Any], places: dict[str, int], right: tuple[int, Path]
) -> None:
    """On those of the clone it would pass."""
    on = f"WATTPROOF_CONTRACTS={falsified[2]} "
    again = f"{on}python -m pytest -p verification.plugin REPORT/{told['failures'][0]['saved']}"
    assert again in text.render(told) and again in page.render(told, places)
    assert again in (falsified[1] / told["failures"][0]["saved"]).read_text()
    assert all(row["rerun"].startswith(f"{on}make test-one ") for row in told["invariants"])
    assert "WATTPROOF_CONTRACTS" not in (right[1] / "report.md").read_text()


def test_story_tells_who_called_what_and_whose_money_moved(told: dict[str, Any]) -> None:
    chapters = told["failures"][0]["story"]
    calls = [chapter for chapter in chapters if chapter["kind"] == "call"]
    assert {"submit_quote", "submit_bid", "reveal_bid", "match_bids"} <= {call["function"] for call in calls}
    quote = next(call for call in calls if call["function"] == "submit_quote")
    (moved,) = quote["accounts"]
    assert moved["who"] == quote["sender"]
    assert (
        moved["before"]["free"] - moved["after"]["free"] == moved["after"]["reserved"] - moved["before"]["reserved"] > 0
    )
    assert all(call["contract"].startswith(("accepted", "refused: ")) for call in calls)


def test_saved_file_fails_on_the_fault_and_passes_without(
    falsified: tuple[int, Path, Path], told: dict[str, Any]
) -> None:
    failure = told["failures"][0]
    path = falsified[1] / failure["saved"]
    assert failure["fails_here"] is True
    assert saved.fails(ROOT, path, failure["invariant"], falsified[2]) is True
    assert saved.fails(ROOT, path, failure["invariant"], ROOT / "contracts") is False


def test_right_contract_falsifies_nothing(right: tuple[int, Path]) -> None:
    told = json.loads((right[1] / "evidence.json").read_text())
    assert told["failures"] == []
    assert told["verdict"]["falsified"] == told["verdict"]["failed_tests"] == []
    statuses = {row["id"]: row["status"] for row in told["invariants"]}
    assert statuses["C3-OPEN-1"] == HELD
    assert statuses["C3-LIVE-1"] == BLOCKED, "a test that was not run shows nothing"
    assert told["verdict"]["outcome"] == "incomplete"
    assert right[0] == 1


# ---- statuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("violated", "checked", "outcomes", "status"),
    [
        (0, 5, {"a": "passed"}, HELD),
        (0, 0, {"a": "passed"}, NOT_REACHED),
        (1, 5, {"a": "passed"}, FALSIFIED),
        (0, 5, {"a": "failed"}, BLOCKED),
        (0, 5, {"a": "unfinished"}, BLOCKED),
        (0, 5, {}, BLOCKED),
        (0, 5, {"a": "skipped"}, BLOCKED),
    ],
)
def test_status(violated: int, checked: int, outcomes: dict[str, str], status: str) -> None:
    assert _status(violated, checked, ["a"], outcomes, []) == status


def test_no_test_no_status() -> None:
    assert _status(0, 5, [], {}, []) == BLOCKED


def test_a_test_that_is_gone_shows_nothing_whatever_the_others_do() -> None:
    assert _status(0, 5, ["a"], {"a": "passed"}, ["tests/properties/test_gone.py::Gone"]) == BLOCKED


# ---- the same every time -------------------------------------------------------------------


def test_a_second_run_says_the_same_up_to_times(
    right: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    from verification.report.verify import verify

    monkeypatch.setattr(parts, "PARTS", parts_in(right[1] / "parts"))
    verify(plan(jobs=2), tmp_path, Console(file=io.StringIO()))
    first, second = (json.loads((folder / "evidence.json").read_text()) for folder in (right[1], tmp_path))
    for told in (first, second):
        del told["times"], told["verified"]["revision"]
    assert first == second


def test_snapshots_add_up_and_presets_count_once() -> None:
    test = {"outcome": "passed", "seconds": 1.0, "examples": 3, "checked": {"C1-A-1": 2}}
    preset = {"checked": {"C2-A-1": 5}, "calls": {"Lockstep.clear": {"accepted": 1}}}
    parts = [
        {"tests": {"x": test}, "presets": {"fresh": preset}, "failures": [], "current": ""},
        {"tests": {"y": test}, "presets": {"fresh": preset}, "failures": [], "current": "y"},
    ]
    total = merged(parts)
    assert total["checked"] == {"C1-A-1": 4, "C2-A-1": 5}
    assert total["calls"] == {"Lockstep.clear": {"accepted": 1}}
    assert total == merged(parts[::-1])


def test_a_stage_with_a_test_that_did_not_end_is_not_complete(tmp_path: Path) -> None:
    stage = Stage("unit", [], tmp_path, status=0, planned=[{"test": "a"}, {"test": "b"}])
    stage.counts = {"tests": {"a": {"outcome": "passed"}, "b": {"outcome": "unfinished"}}}
    assert not stage.complete
    stage.counts["tests"]["b"]["outcome"] = "failed"
    assert stage.complete


def test_lines_of_the_document(told: dict[str, Any]) -> None:
    text, places = document.dumped(told)
    lines = text.splitlines()
    assert json.loads(text) == told
    assert lines[places["/effort/steps"] - 1] == f'  "steps": {told["effort"]["steps"]},'
    row = told["invariants"][-1]
    place = places[f"/invariants/{len(told['invariants']) - 1}/checked"]
    assert lines[place - 1].strip() == f'"checked": {row["checked"]},'


def test_time_that_is_up_leaves_a_partial_report(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, plan(within=0.1))
    for _ in campaign.run():
        pass
    assert campaign.stopped
    assert campaign.stopped.startswith("time was up")
    assert not campaign["properties"].complete
