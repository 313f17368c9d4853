"""Every command that writes somewhere: bad places are told before the run, and nothing there is lost."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from verification.campaigns import deep, seeded_bugs
from verification.harness import telling
from verification.harness.counters import Violated
from verification.harness.telling import Told
from verification.report.campaign import LEFT_BEHIND, RUN
from verification.report.verify import NAMES
from wattproof.cli import main, parser
from wattproof.outputs import File, Folder

PLACES = ("--out", "--record", "--docs")
FURTHER = {"study --docs", "prove --docs", "gas --docs"}
"""What renews a document that is there: nothing to refuse."""

FIELD = ("deploy", "live", "export")
"""What needs a chain or a database: tests/field has their bad places and second runs."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The places that are not named are empty."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


def places() -> list[str]:
    """Each command with each of its options that name a place."""
    [commands] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    found = [
        f"{name} {option}"
        for name, command in commands.choices.items()
        for option in PLACES
        if option in command._option_string_actions
    ]
    return [place for place in found if place not in FURTHER]


def started_here() -> list[str]:
    """The places of the commands that need nothing else."""
    return [place for place in places() if place.split()[0] not in FIELD]


def refused(command: str, place: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that a command prints as it refuses a place."""
    assert main([*command.split(), place]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert error.startswith(place)
    return error


def test_all_commands_that_write_are_found() -> None:
    assert {place.split()[0] for place in places()} == {
        *("day", "study", "verify", "gas", "mutate", "edges", "compilers", "nodes", "prove", *FIELD),
    }


@pytest.mark.parametrize("command", started_here())
def test_a_place_that_cannot_be_used(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("my notes")
    for place in ("mine", "mine/below", "mine/far/below"):
        refused(command, str(tmp_path / place), capsys)
    assert os.listdir(tmp_path) == ["mine"]
    assert (tmp_path / "mine").read_text() == "my notes"


@pytest.mark.parametrize("command", places())
def test_no_name_is_no_place(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), " "])
    assert ended.value.code == 2
    assert "names no place" in capsys.readouterr().err


@pytest.mark.parametrize("command", started_here())
def test_the_second_of_two_runs(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = command.split()[0] in ("day", "study", "verify")
    with Folder(tmp_path / "out", "other", []) if folder else File(tmp_path / "out"):
        assert "another run" in refused(command, str(tmp_path / "out"), capsys)


@pytest.mark.parametrize("main", [deep.main, seeded_bugs.main])
def test_the_campaigns_refuse_a_file_that_is_not_theirs(
    main: Callable[[list[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("my notes")
    assert main(["--attacks" if main is deep.main else "--json", str(tmp_path / "mine")]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'mine'}: is not of an earlier run; move it, or name another file\n"
    assert (tmp_path / "mine").read_text() == "my notes"


@pytest.mark.parametrize("named", ["crumbs", "crumbs.patch", "tests/properties/faults/crumbs.patch"])
def test_a_seeded_bug_is_named_by_its_file_too(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def noted(run: object, *_: str, paths: list[str]) -> int:
        asked.extend(paths)
        return 0

    monkeypatch.setattr(seeded_bugs, "collect", noted)
    assert seeded_bugs.main([named]) == 0
    assert len(asked) == 1, "the test of that bug alone"


@pytest.mark.parametrize(
    "content", [b"my notes\n", b"<!-- claims -->\nmine\n", b"<!-- end --> <!-- claims -->", b"\xff\xfe"]
)
def test_a_document_without_the_place_of_the_table_is_left_alone(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_bytes(content)
    refused("prove --docs", str(tmp_path / "mine"), capsys)
    assert (tmp_path / "mine").read_bytes() == content


def test_one_file_is_not_for_two_things(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "both.md")
    assert deep.main(["--attacks", file]) == 2
    assert (
        capsys.readouterr().err == f"{file}: is where the text goes; name the file of the data, which ends in .json\n"
    )
    assert main(["mutate", "--out", file, "--record", file]) == 2
    assert capsys.readouterr().err == f"{file}: is named as --out and as --record; name a file for each\n"


@pytest.mark.parametrize(
    "option", ["edges --jobs", "edges --histories", "edges --steps", "mutate --jobs", "mutate --sample"]
)
def test_a_run_of_nothing_is_not_asked_for(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    for number in ("0", "-1"):
        with pytest.raises(SystemExit) as ended:
            main([*option.split(), number])
        assert ended.value.code == 2
    assert "must be a whole number above 0" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["run/x", "run/unit.log", "run/day/bills.csv", "falsified/notes.md", "index.html"])
def test_a_report_leaves_alone_what_is_not_its_own(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    assert main(["verify", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{mine}: is not of an earlier run; move it, or name another folder\n"
    assert mine.read_text() == "mine"


def test_what_a_killed_run_left_behind_is_the_next_ones_to_remove(tmp_path: Path) -> None:
    left = (
        *("day.log", "unit.json", "unit.json.parts/collected", "properties.json.parts/1234.json", ".unit.json.lock"),
        *("day/bills.csv", "day/.wattproof-abc/periods.json", "day/.wattproof.lock", "day/wattproof-files.json"),
        *("properties.json.parts/.wattproof-77.part", "properties.log"),
    )
    with Folder(tmp_path, "verify", NAMES, {RUN: LEFT_BEHIND}) as place:
        place.begin()
        for name in left:
            path = tmp_path / RUN / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    with Folder(tmp_path, "verify", NAMES, {RUN: LEFT_BEHIND}) as place:
        place.begin()
        assert not (tmp_path / RUN).exists()


def test_a_failure_is_told_where_its_history_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    told = Told(AssertionError("C1"), lines=["market = open()", "market.clear(mara)"])
    shown = telling.text(told, tmp_path / "out" / "failures", "tests/properties/test_x.py::TestX::runTest")
    assert "market.clear(mara)" in shown
    assert f"{tmp_path / 'out/failures/failure-test_x-TestX.py'}: not a directory" in shown


def test_no_failure_takes_the_place_of_another_one(tmp_path: Path) -> None:
    """Whose lines would be played instead, by who types what the first one says."""
    told = Told(AssertionError("C1"), lines=["market.clear(mara)"])
    seen = Told(Violated("C3-FEE-3", {}, ""), lines=["market.clear(owner)"])
    tests = [
        "test_x.py::TestX::runTest",
        "test_y.py::TestX::runTest",
        "test_x.py::test_it[a/b-7]",
        "test_x.py::test_it",
    ]
    for test in tests:
        for place in (1, 2):
            telling.text(seen, tmp_path, f"tests/properties/{test}", place)
            telling.text(told, tmp_path, f"tests/properties/{test}", place)
    names = {path.name for path in tmp_path.iterdir()}
    assert len(names) == 4 * len(tests)
    assert {"C3-FEE-3-test_x-TestX.py", "failure-test_x-test_it-a-b-7.py", "failure-test_y-TestX-2.py"} <= names
