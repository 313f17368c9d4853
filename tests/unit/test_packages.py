"""`make packages`: which Pythons it finds, what it says of the sdist's contents, and when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import packages
from verification.invariants import ROOT

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The version of the Python that runs the tests."""


def python(folder: Path, name: str, version: str, code: int = 0) -> Path:
    """A Python that says it has this version, or that it is none."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho {version}\nexit {code}\n")
    file.chmod(0o755)
    return file


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Python on the path or at pyenv's place, but for those that a test puts there."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


def test_the_supported_versions_are_those_of_the_classifiers_from_the_least_on() -> None:
    versions = packages.supported()
    assert versions[0] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].lstrip(
        ">="
    )
    assert HERE in versions


def test_a_python_is_looked_for_on_the_path_and_at_pyenvs_place(tmp_path: Path) -> None:
    on_path = python(tmp_path / "bin", "python3.98", "3.98")
    python(tmp_path / "bin", "python3.99", "3.99", code=127)  # as pyenv's, where the version is not in use
    of_pyenv = python(tmp_path / "pyenv/versions/3.99.2/bin", "python", "3.99")
    assert packages.interpreters((HERE, "3.97", "3.98", "3.99")) == {
        HERE: sys.executable,
        "3.97": None,
        "3.98": str(on_path),
        "3.99": str(of_pyenv),
    }


def test_an_interpreter_that_is_named_comes_first(tmp_path: Path) -> None:
    python(tmp_path / "bin", "python3.98", "3.98")
    mine = python(tmp_path / "mine", "python", "3.98")
    assert packages.interpreters(("3.98",), [str(mine)]) == {"3.98": str(mine)}
    assert packages.interpreters(("3.98",), [str(tmp_path / "nothing")])["3.98"] != str(tmp_path / "nothing")


@pytest.mark.parametrize("version", ["3.9", None])
def test_a_python_that_is_named_and_cannot_be_tried_is_told(
    version: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody would see that it was left out."""
    named = python(tmp_path, "old", version) if version else tmp_path / "nowhere"
    assert packages.main(["--python", str(named)]) == 2
    assert capsys.readouterr().err.startswith(f"{named}: is no Python 3.11, ")


def test_a_python_that_is_not_supported_tries_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "supported", lambda: ("3.98", "3.99"))
    assert packages.main([]) == 2
    assert (
        capsys.readouterr().out == "this Python is none of 3.98, 3.99, which are supported: run it with one of them\n"
    )


@pytest.mark.parametrize(("within", "tried"), [([], True), (["--within", "480"], True), (["--within", "-9"], False)])
def test_where_time_is_short_this_python_alone_is_tried(
    within: list[str], tried: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(interpreter: str, folder: Path) -> tuple[Path, Path]:
        raise packages.Failed("here it would begin")

    python(tmp_path / "bin", "python3.98", "3.98")
    monkeypatch.setattr(packages, "supported", lambda: (HERE, "3.98"))
    monkeypatch.setattr(packages, "build", build)
    assert packages.main(within) == 1
    said = capsys.readouterr().out
    assert f"Python {HERE}: {sys.executable}" in said
    assert ("NOT TRIED" in said) is not tried


def test_the_sdist_holds_what_git_tracks_and_nothing_else(tmp_path: Path) -> None:
    sdist = tmp_path / "thing-1.tar.gz"
    for name in ("PKG-INFO", "kept", "folder/kept", "stray"):
        (tmp_path / "thing-1" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "thing-1" / name).touch()
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(tmp_path / "thing-1", "thing-1")
    tracked = ["kept", "folder/kept", "invariants.md"]
    assert packages.differences(tracked, packages.packed_files(sdist)) == [
        "invariants.md is not in the sdist",
        "stray is in the sdist and not under git: add it, or name it in .gitignore",
    ]


def test_nothing_of_the_checkout_is_left_out_of_the_sdist() -> None:
    """Hatch packs what .gitignore does not name, unless a list of its own says otherwise."""
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert set(targets) == {"wheel"}


def test_the_tests_that_are_run_from_the_sdist_exist() -> None:
    for name in (packages.FIRST_TEST, *packages.TESTS):
        file, _, test = name.partition("::")
        assert test in (ROOT / file).read_text()


@pytest.mark.parametrize(
    ("line", "wanted", "told"),
    [
        ("echo no; exit 3", {}, "exit code 3, where 0 was expected\n  no"),
        ("echo no", {"code": 2}, "exit code 0, where 2 was expected\n  no"),
        ("echo no", {"prints": "yes"}, "exit code 0, where 0 was expected, and 'yes'\n  no"),
        ("sleep 9; true", {}, "not done after 1 seconds"),
    ],
)
def test_a_step_that_does_not_come_out_shows_its_command_and_its_end(
    line: str, wanted: dict, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "PATIENCE", 1)
    with pytest.raises(packages.Failed) as failed:
        packages._run(["sh", "-c", line], tmp_path, **wanted)
    assert str(failed.value) == f"sh -c {line}\n  {told}"


def test_ctrl_c_ends_the_step_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a group of its own, and would go on in a folder that is removed."""
    killed: list[int] = []

    def stopped(process: subprocess.Popen[str], *_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def kill(group: int, number: int) -> None:
        killed.append(group)
        os.kill(group, number)

    monkeypatch.setattr(subprocess.Popen, "communicate", stopped)
    monkeypatch.setattr(os, "killpg", kill)
    with pytest.raises(KeyboardInterrupt):
        packages._run(["sleep", "10"], tmp_path)
    assert len(killed) == 1


def test_a_step_knows_nothing_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    packages._run(["sh", "-c", 'echo "[$PYTHONPATH]"'], tmp_path, prints="[]")


def test_a_hook_of_another_repository_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sets GIT_DIR, with which git answers for that one wherever it is asked."""
    for name in ("tree", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
        for words in (["init"], ["add", "."]):
            subprocess.run(["git", *words], cwd=tmp_path / name, check=True, capture_output=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert packages.tracked_files(tmp_path / "tree") == ["tree"]


def test_a_repository_that_git_cannot_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(packages.Failed, match=r"git cannot list the files of .*: fatal: "):
        packages.tracked_files(tmp_path)
