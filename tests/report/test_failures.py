"""Whatever fails in a run is in every format of its report, with its text."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.report.conftest import BROKEN, plan
from verification.harness import terminal
from verification.harness.reproducers import Subject, keep
from verification.harness.telling import Told
from verification.harness.totals import merged
from verification.report import campaign, document, failures, junit, page, schema, text
from verification.report.campaign import Stage, progress

FORMS = ("evidence.json", "index.html", "report.md", "junit.xml", "report.sarif")

FAILED = {
    "test_broken.py::test_value": "ValueError: <a> bad & value",
    "test_broken.py::test_setup": "RuntimeError: no setup\N{REPLACEMENT CHARACTER} here",
    "test_broken.py::test_twice": "AssertionError: a first failure",
    "test_broken.py::test_surprise": "[XPASS(strict)] was expected to fail",
    "test_broken.py::test_group": "KeyError: 'left'",
    "test_broken.py::test_object": "ValueError: <object object at 0x…>",
    "test_broken.py::test_mute": "Mute: its message cannot be shown (TypeError)",
    "test_broken.py::test_unknown_invariant": "C9-NONE-1: (add a line and a row to invariants.md, see CONTRIBUTING.md)",
    "test_broken.py::test_crash": "crashed: the process that ran the test ended without a word",
    "test_syntax.py": "SyntaxError: invalid syntax",
}
"""The tests of the broken run, and the first line of what each says."""

STAGES = {
    "trading day": "trading day: exit code 1; ValueError: no sun <today>",
    "property tests": "property tests: ended by signal 9 (Killed)",
}


@pytest.fixture(scope="module")
def evidence(broken: tuple[int, Path, str]) -> dict[str, Any]:
    return json.loads((broken[1] / "evidence.json").read_text())


@pytest.fixture(scope="module")
def cases(broken: tuple[int, Path, str]) -> dict[str, ElementTree.Element]:
    """The marks of JUnit's cases that did not pass, by name."""
    root = ElementTree.parse(broken[1] / "junit.xml").getroot()
    return {case.get("name", ""): mark for case in root.iter("testcase") for mark in case if mark.tag != "system-out"}


@pytest.fixture(scope="module")
def results(broken: tuple[int, Path, str]) -> list[dict[str, Any]]:
    return json.loads((broken[1] / "report.sarif").read_text())["runs"][0]["results"]


def test_a_run_in_which_anything_failed_is_not_green(broken: tuple[int, Path, str], evidence: dict[str, Any]) -> None:
    assert broken[0] == 1
    assert broken[2] == "", "every file was written"
    assert evidence["verdict"]["outcome"] == "falsified"
    assert sorted(evidence["verdict"]["failed_tests"]) == sorted(FAILED)
    assert schema.problem(evidence) is None
    console = (broken[1] / "console.txt").read_text()
    assert all(error in console for error in STAGES.values())


def test_every_test_that_failed_is_a_failure_with_its_text(evidence: dict[str, Any]) -> None:
    told: dict[str, list[str]] = {}
    for failure in evidence["failures"]:
        told.setdefault(failure["test"], []).append(failure["error"])
        assert failure["text"]
    assert {name: errors[0] for name, errors in told.items()} == FAILED
    assert told["test_broken.py::test_twice"][1] == "OSError: no teardown"
    assert told["test_broken.py::test_group"][1] == "KeyError: 'right'"
    assert evidence["tests"]["test_broken.py::test_good"]["outcome"] == "passed", "a crash is no other test's end"


def test_junit_says_what_failed_in_the_message_and_all_of_it_in_the_text(
    cases: dict[str, ElementTree.Element],
) -> None:
    for name, error in FAILED.items():
        assert cases[name].get("message") == error
        assert error in (cases[name].text or "")
    assert "and more of it" in (cases["test_broken.py::test_value"].text or "")
    assert "OSError: no teardown" in (cases["test_broken.py::test_twice"].text or "")
    for name, error in STAGES.items():
        assert cases[name].get("message") == error
        assert (cases[name].text or "").strip()


def test_sarif_has_a_result_for_everything_that_failed(results: list[dict[str, Any]]) -> None:
    said = [result["message"]["text"] for result in results if result["level"] == "error"]
    for name, error in FAILED.items():
        assert any(text.startswith(f"{name} failed (") and error in text for text in said), name
    assert any("OSError: no teardown" in text for text in said)
    for error in STAGES.values():
        assert any(text.startswith(error) for text in said)
    value = next(one for one in results if "bad & value" in one["message"]["text"])
    place = value["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "test_broken.py"
    assert BROKEN.splitlines()[place["region"]["startLine"] - 1] == "def test_value():"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_every_failure(broken: tuple[int, Path, str], form: str) -> None:
    text = (broken[1] / form).read_text(encoding="utf-8")
    for word in ("bad", "no teardown", "a first failure", "left", "right", "expected to fail", "no setup", "Mute"):
        assert word in text
    for word in ("ended without a word", "invalid syntax", "the day begins", "no sun", "signal 9", "collecting ..."):
        assert word in text
    assert "\x1b" not in text and "\x00" not in text


# ---- stages ----------------------------------------------------------------------------------


def stage(folder: Path, status: int | None, **tests: str) -> Stage:
    """A stage of tests that has ended, by the outcomes of its tests; `planned` names others."""
    found = Stage("properties", [], folder, status=status, planned=[{"test": name, "examples": 0} for name in tests])
    found.counts = {"tests": {name: {"outcome": outcome} for name, outcome in tests.items() if outcome != "not run"}}
    found.counts |= {"tallies": {}, "calls": {}}
    return found


@pytest.mark.parametrize(
    ("status", "tests", "state", "why"),
    [
        (0, {"a": "passed"}, "done", ""),
        (1, {"a": "failed"}, "done", ""),
        (1, {"a": "error", "b": "passed"}, "done", ""),
        (0, {"a": "passed", "b": "not run"}, "failed", "exit code 0; 1 of 2 tests did not run to their end"),
        (1, {"a": "failed", "b": "unfinished"}, "failed", "exit code 1; 1 of 2 tests did not run to their end"),
        (1, {"a": "passed"}, "failed", "exit code 1; the end of its log says why"),
        (3, {"a": "passed"}, "failed", "exit code 3; pytest itself failed"),
        (4, {}, "failed", "exit code 4; pytest could not start"),
        (5, {}, "failed", "exit code 5; no test was found"),
        (-9, {"a": "passed"}, "failed", "ended by signal 9 (Killed)"),
        (-40, {"a": "passed"}, "failed", "ended by signal 40"),
        (None, {}, "not run", ""),
    ],
)
def test_a_stage_is_done_only_where_all_of_it_ran(
    tmp_path: Path, status: int | None, tests: dict[str, str], state: str, why: str
) -> None:
    ended = stage(tmp_path, status, **tests)
    assert ended.state == state
    if state == "failed":
        assert failures._reason(ended, "").startswith(why)


def test_too_few_calls_are_told_though_no_test_failed(tmp_path: Path) -> None:
    ended = stage(tmp_path, 1, a="passed")
    ended.counts |= {"tallies": {"histories of Only": 100}, "calls": {}}
    assert ended.state == "failed"
    why = failures._reason(ended, "")
    assert why.startswith("exit code 1; called too rarely: Only.submit_quote: 0 accepted in 100 histories; 50 in 100")


def test_a_process_that_crashed_does_not_take_a_tests_end_back() -> None:
    left = {"tests": {"a": {"outcome": "unfinished", "seconds": 0, "checked": {"C1-A-1": 3}}}}
    said = {"tests": {"a": {"outcome": "error", "seconds": 0}}}
    for snapshots in ([left, said], [said, left]):
        whole = merged([{"presets": {}, "failures": []} | one for one in snapshots])
        assert whole["tests"]["a"]["outcome"] == "error"
        assert whole["checked"] == {"C1-A-1": 3}


def test_files_that_are_no_tests_are_not_counted_among_them(tmp_path: Path) -> None:
    ended = stage(tmp_path, 1, a="passed")
    ended.counts["tests"]["tests/unit/test_syntax.py"] = {"outcome": "error"}
    assert (progress(ended).done, progress(ended).tests, progress(ended).failed) == (1, 1, 1)


def test_a_preset_that_failed_is_told_of_the_test_that_passed_in_it(evidence: dict[str, Any]) -> None:
    test = "test_broken.py::test_good"
    preset = evidence["failures"][0] | {"test": test, "preset": "busy", "when": "teardown", "error": "Stuck: no"}
    changed = evidence | {"failures": [preset]}
    root = ElementTree.fromstring(junit.render(changed).partition("?>")[2])
    case = next(case for case in root.iter("testcase") if case.get("name") == test)
    assert [(mark.tag, mark.get("message")) for mark in case] == [("error", "Stuck: no")]


def test_a_failure_without_a_text_is_a_failure(evidence: dict[str, Any]) -> None:
    """As where the process left nothing but the outcome."""
    changed = evidence | {"tests": {"tests/unit/test_x.py::test_x": {"outcome": "failed"}}}
    root = ElementTree.fromstring(junit.render(changed).partition("?>")[2])
    case = next(case for case in root.iter("testcase") if case.get("name") == "tests/unit/test_x.py::test_x")
    assert [mark.get("message") for mark in case] == ["failed, and left no text"]


# ---- call trees ------------------------------------------------------------------------------


@pytest.mark.usefixtures("uncounted")
@pytest.mark.parametrize(
    ("lines", "why", "tree"),
    [
        (["price = 3", "print(price)"], "", ["price = 3", "print(price)", "    3"]),
        (["1 // 0"], "", ["no call tree: on py-evm the history fails otherwise (ZeroDivisionError: "]),
        ([], "no literals of <x>", ["no call tree: no literals of <x>"]),
        ([], "", ["no call tree: the failure has no history"]),
    ],
)
def test_call_trees_are_told_or_why_there_are_none(lines: list[str], why: str, tree: list[str]) -> None:
    told, report = Told(ValueError(), lines=lines, why=why), SimpleNamespace(sections=[])
    terminal.trace(report, [told])
    assert len(told.call_tree) == len(tree)
    assert all(line.startswith(begin) for line, begin in zip(told.call_tree, tree, strict=True))
    assert report.sections == [("call tree of each step", "\n".join(told.call_tree))]
    subject = Subject("tests/properties/test_x.py::test_x", 1, ("tests.properties.test_x", "test_x"), None, None)
    assert keep(subject, "call", told, "revm", "")["call_tree"] == told.call_tree


def test_verify_asks_for_call_trees_and_all_forms_show_them(evidence: dict[str, Any]) -> None:
    assert "--call-tree" in campaign.stages(Path("x"), plan(call_tree=True))[2].command
    assert "--call-tree" not in campaign.stages(Path("x"), plan())[2].command
    failure = evidence["failures"][0] | {"call_tree": ["market.clear(sunny)", "    [E] EnergyMarket.clear <0x1>"]}
    changed = evidence | {"failures": [failure]}
    assert schema.problem(changed) is None
    for form in (junit.render(changed), text.render(changed), page.render(changed, document.dumped(changed)[1])):
        assert "EnergyMarket.clear" in form
