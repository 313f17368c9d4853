"""No report is lost at the end of a run: what cannot be told is said to be missing, and the rest is there."""

from __future__ import annotations

import copy
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.report.conftest import plan
from verification import git, texts
from verification.invariants import ROOT, invariants
from verification.report import (
    campaign,
    counterexample,
    document,
    effort,
    entries,
    junit,
    page,
    sarif,
    saved,
    schema,
    sources,
    text,
)
from verification.report import verify as command
from wattproof.outputs import MANIFEST, Folder

GONE = "contracts/market/ledger.vy:_refund"
"""A function that invariants.md names in the rows of several invariants."""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose stages end at once, and have nothing to say."""

    def stages(folder: Path, plan: campaign.Plan) -> list[campaign.Stage]:
        return [campaign.Stage(name, [sys.executable, "-c", ""], folder) for name in campaign.TITLES]

    monkeypatch.setattr(campaign, "stages", stages)
    monkeypatch.setenv("WATTPROOF_CONTRACTS", str(ROOT / "contracts"))


def verify(out: Path) -> int:
    return command.verify(plan(), out, Console(file=io.StringIO()))


# ---- what is no longer in the source ---------------------------------------------------------


@pytest.fixture
def renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contracts in which that function has another name, and a file that invariants.md names is missing."""
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    for file in (tmp_path / "contracts" / "market").glob("*.vy"):
        file.write_text(file.read_text().replace("_refund", "_give_back"))
    (tmp_path / "contracts" / "market" / "clearing.vy").unlink(missing_ok=True)
    monkeypatch.setenv("WATTPROOF_CONTRACTS", str(tmp_path / "contracts"))


@pytest.mark.usefixtures("renamed")
def test_a_function_that_is_gone_is_said_to_be_in_every_form(told: dict[str, Any]) -> None:
    place = entries._lines(ROOT, GONE)
    assert place["missing"] == "no longer in the source: contracts/market/ledger.vy has no function _refund"
    changed = copy.deepcopy(told)
    row = changed["invariants"][0]
    row |= {"where": [place], "status": "falsified", "reason": "seen"}
    changed["failures"] = []
    assert schema.problem(changed) is None
    html = page.render(changed, document.dumped(changed)[1])
    assert f"<code>{GONE}</code> <strong>no longer in the source" in html
    assert f"{GONE} (no longer in the source" in text.render(changed)
    assert junit.render(changed)
    result = json.loads(sarif.render(changed))["runs"][0]["results"][0]
    (there,) = result["locations"]
    assert there["physicalLocation"]["region"]["startLine"] == row["line"]


def test_a_file_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    place = entries._lines(tmp_path, "verification/nowhere.py:function")
    assert place["missing"] == "no longer in the source: there is no file verification/nowhere.py"


def test_the_line_of_an_invariant_is_where_it_stands() -> None:
    lines = (ROOT / "invariants.md").read_text().splitlines()
    for row in invariants().values():
        assert lines[row.line - 1].startswith(f"- **{row.id}**: ")


def test_no_link_of_a_document_is_carried_where_it_leads_nowhere() -> None:
    claims = sources.claims(ROOT)
    said = [*claims.assumptions, *claims.not_shown, *claims.risks, *claims.clauses.values(), claims.unsearched]
    assert any("docs/proofs.md" in one for one in said)
    assert [one for one in said if "](" in one] == []


def test_every_test_of_invariants_md_is_there() -> None:
    assert all(sources.names_test(ROOT, reference) for row in invariants().values() for reference in row.tests)


@pytest.mark.parametrize("reference", ["tests/properties/test_only.py::Gone", "tests/properties/test_gone.py::Only"])
def test_a_test_that_is_gone_is_said_to_be(told: dict[str, Any], reference: str) -> None:
    assert not sources.names_test(ROOT, reference)
    status, failed = entries._status(0, 5, ["a"], {"a": "passed"}, [reference]), []
    reason = entries._reason(status, "C1-A-1", ["a"], {"a": "passed"}, [reference], failed, [])
    assert reason == f"no longer in the source: {reference}"
    changed = copy.deepcopy(told)
    changed["invariants"][0] |= {"status": status, "reason": reason, "tests": [], "gone": [reference]}
    assert schema.problem(changed) is None
    html = page.render(changed, document.dumped(changed)[1])
    assert f"<code>{reference}</code> (no longer in the source);" in html
    for said in (text.render(changed), junit.render(changed), sarif.render(changed)):
        assert reason in said


# ---- one form that cannot be made ------------------------------------------------------------


@pytest.mark.parametrize("form", ["index.html", "report.md", "junit.xml", "report.sarif"])
def test_a_form_that_cannot_be_made_takes_no_other_along(
    told: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    forms = {"index.html": page, "report.md": text, "junit.xml": junit, "report.sarif": sarif}

    def fails(*_: Any) -> str:
        raise KeyError("some\nthing")

    out = tmp_path / "out"
    with Folder(out, "verify", command.NAMES) as place:
        assert command.write(told, place, tmp_path / "report.log") == []
        place.finish()
    monkeypatch.setattr(forms[form], "render", fails)
    with Folder(out, "verify", command.NAMES) as place:
        (line,) = command.write(told, place, tmp_path / "report.log")
        place.finish()
    assert line.startswith(f"{form} could not be made (KeyError: ")
    assert "\n" not in line
    assert "in fails" in (tmp_path / "report.log").read_text()
    # An earlier run's would speak of another contract.
    assert {path.name for path in out.iterdir()} == {"evidence.json", MANIFEST, *forms} - {form}
    assert command.code(told | {"verdict": {"outcome": "held"}}, [line]) == 1
    assert command.code(told | {"verdict": {"outcome": "held"}}) == 0


@pytest.mark.usefixtures("short")
def test_what_no_one_thought_of_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(*_: Any) -> dict[str, Any]:
        raise ZeroDivisionError("nobody\nthought of it")

    monkeypatch.setattr(document, "build", build)
    assert verify(tmp_path / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("there is no report (ZeroDivisionError: nobody): ")
    assert "thought of it" in (tmp_path / "out" / "run" / "report.log").read_text()


@pytest.mark.usefixtures("short")
def test_a_run_of_nothing_has_a_report_that_says_so(tmp_path: Path) -> None:
    assert verify(tmp_path) == 1
    told = json.loads((tmp_path / "evidence.json").read_text())
    assert schema.problem(told) is None
    assert told["verdict"]["outcome"] == "incomplete"
    assert "trading day: it left no figures" in told["verdict"]["sentence"]
    assert all((tmp_path / form).is_file() for form in ("index.html", "report.md", "junit.xml", "report.sarif"))


# ---- documents and figures that cannot be read -----------------------------------------------


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("invariants.md", lambda path: path.unlink()),
        ("invariants.md", lambda path: path.write_text("")),
        ("invariants.md", lambda path: path.write_bytes(b"\xff\xfe")),
        ("invariants.md", lambda path: path.write_text(path.read_text().replace("| C1-DEBIT-1 |", "| C1-DEBT-1 |"))),
        ("invariants.md", lambda path: path.write_text(path.read_text().replace("## Criterion 2:", "## Another:"))),
        ("docs/terms.md", lambda path: path.unlink()),
        ("docs/threats.md", lambda path: path.unlink()),
    ],
)
def test_claims_that_cannot_be_read_end_it_before_anything_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    spoil: Callable[[Path], Any],
) -> None:
    tree = tmp_path / "tree"
    (tree / "docs").mkdir(parents=True)
    for name in ("invariants.md", "docs/terms.md", "docs/threats.md"):
        shutil.copy(ROOT / name, tree / name)
    spoil(tree / file)
    monkeypatch.setattr(command, "ROOT", tree)
    assert verify(tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("what is claimed cannot be read, so there is nothing to verify: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"community": {}}', '{"community": null}', "{"])
def test_figures_of_the_day_that_cannot_be_used_are_a_failure(tmp_path: Path, content: str) -> None:
    stage = campaign.Stage("day", [], tmp_path, status=0)
    stage.summary.parent.mkdir()
    stage.summary.write_text(content)
    day, wrong = effort.day_of(stage)
    assert day == {"state": "failed", "figures": {}, "periods": []}
    assert wrong is not None and "\n" not in wrong


# ---- stories ---------------------------------------------------------------------------------


def failing(**other: Any) -> dict[str, Any]:
    """A failure as the run leaves it."""
    failure: dict[str, Any] = {"invariant": None, "test": "tests/unit/test_x.py::test_x", "error": "ValueError: x"}
    failure["when"] = "call"
    replay = {"imports": {"verification.harness": ["replay"]}, "lines": ["replay.test('x', 'revm')"]}
    return failure | {"trace": None, "repl": [], "replay": replay, "story": [], "saved": None, **other}


def tell(tmp_path: Path, *failures: dict[str, Any]) -> list[dict[str, Any]]:
    told = {"invariants": [], "failures": list(failures), "verified": {"engine": "revm"}}
    command._tell_failures(told, ROOT, tmp_path, Console(file=io.StringIO()))
    return told["failures"]


def test_ctrl_c_ends_the_stories_and_not_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(saved, "fails", fails)
    found = tell(tmp_path, failing(), failing())
    assert [failure["saved"] for failure in found] == ["falsified/test_x.py", "falsified/test_x_2.py"]
    assert not any("trace" in failure for failure in found)


def test_a_story_that_cannot_be_told_is_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tells(*_: Any) -> list[Any]:
        raise RuntimeError("no \x1b[1mview\x1b[0m\nat all")

    monkeypatch.setattr(counterexample, "tell", tells)
    monkeypatch.setattr(command, "MAX_TRIED", 0)
    (failure,) = tell(tmp_path, failing())
    assert failure["story_missing"] == "RuntimeError: no view"


def test_the_name_of_a_saved_file_is_short_whatever_the_test_is_called(tmp_path: Path) -> None:
    long = f"tests/unit/test_x.py::test_x[{'y' * 300}]"
    path = saved.save(tmp_path, failing(test=long), None)
    assert path.is_file() and len(path.name) < 120
    assert saved.save(tmp_path, failing(test=long + "z"), None) != path


@pytest.mark.parametrize("saved_as", ["falsified/test_x.py", None])
def test_the_last_lines_name_files_that_are_there(tmp_path: Path, saved_as: str | None) -> None:
    """Wherever the report was asked for: the paths are those from where one is, or whole."""
    out = tmp_path / "deep" / "report"
    told = {
        "verdict": {"sentence": "x", "outcome": "falsified", "strength": "y", "partial": False},
        "selection": {"elsewhere": []},
        "effort": {"replayed": {}},
        "failures": [failing(saved=saved_as)],
        "stages": {"properties": {"state": "failed", "error": "it crashed"}},
    }
    file = io.StringIO()
    command._conclude(told, out, Console(file=file, width=80))
    lines = file.getvalue().splitlines()
    assert f"  tests/unit/test_x.py::test_x: {out / saved_as if saved_as else 'ValueError: x'}" in lines
    assert f"  it crashed: {out / 'run' / 'properties.log'}" in lines
    assert lines[-1] == f"report: {out / 'evidence.json'}"


# ---- texts -----------------------------------------------------------------------------------


def test_texts_become_plain() -> None:
    lost = "\N{REPLACEMENT CHARACTER}"
    assert texts.plain("\x1b[31;1mred\x1b[0m \x1b]8;;file:x\x1b\\link\x1b]8;;\x1b\\\r\n\tend") == "red link\n\tend"
    assert texts.plain("a\x00b\udcffc\x85d\u2028e\ufffff") == f"a{lost}b{lost}c{lost}d{lost}e{lost}f"
    assert texts.plain({"\x00": ["€ 😀", ("é",), 1, None, True]}) == {lost: ["€ 😀", ["é"], 1, None, True]}


def test_long_texts_keep_their_beginning_and_their_end(tmp_path: Path) -> None:
    long = "a" * 5_000 + "b" * 5_000
    kept = texts.bounded(long, 1_000)
    assert kept.startswith("a" * 250 + "\n… 9000 characters are left out …\n")
    assert kept.endswith("b" * 750)
    (tmp_path / "log").write_bytes(b"first\n" * 100 + b"\xfflast\n\n")
    assert texts.end_of(tmp_path / "log", lines=2) == "first\n\N{REPLACEMENT CHARACTER}last"
    assert texts.end_of(tmp_path / "none") == ""


def test_the_revision_is_that_of_the_beginning(tmp_path: Path, short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree that is changed while the tests run must not be told as what was run."""
    asked: list[Path] = []

    def revision(tree: Path, contracts: Path) -> dict[str, Any]:
        asked.append(tree)
        clean = len(asked) == 1
        return {"commit": "ab", "date": "", "clean": clean, "changed": [] if clean else ["x.py"], "note": ""}

    monkeypatch.setattr(git, "revision", revision)
    verify(tmp_path)
    told = json.loads((tmp_path / "evidence.json").read_text())
    assert told["verified"]["revision"] == {
        "commit": "ab",
        "date": "",
        "clean": False,
        "changed": ["x.py"],
        "note": "it changed while the tests ran",
    }
