"""Arguments that can hardly be meant are refused before anything runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from verification.invariants import ROOT
from wattproof.cli import main


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["mutate", "--since", ""], "names no revision"),
        (["mutate", "--survivors"], "--survivors goes with --resume"),
        (["prove", "--accept", "--docs", "docs/proofs.md"], "not allowed with argument --accept"),
    ],
)
def test_refused(command: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--histories", "--steps"])
@pytest.mark.parametrize("number", ["0", "-1"])
def test_numbers_of_the_property_tests(option: str, number: str) -> None:
    """0 was taken for the profile's own number; below it, Hypothesis broke off with a traceback."""
    command = [sys.executable, "-m", "pytest", "--co", "-q", "-p", "no:cacheprovider", option, number]
    done = subprocess.run([*command, "tests/evidence/test_arguments.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 4
    assert f"must be a whole number above 0, not {number!r}" in done.stderr


@pytest.fixture
def make(tmp_path: Path) -> list[str]:
    """make, with an environment whose commands only say that they ran; but the command line takes its arguments."""
    for name in ("bin/python", "bin/wattproof", "halmos/bin/halmos"):
        tool = tmp_path / name
        tool.parent.mkdir(parents=True, exist_ok=True)
        takes = f'case "$*" in *--help*) exec {sys.executable} -m wattproof "$@";; esac\n' if "watt" in name else ""
        tool.write_text(f"#!/bin/sh\n{takes}echo ran\n")
        tool.chmod(0o755)
    (tmp_path / ".ready").touch()
    return ["make", "--no-print-directory", f"VENV={tmp_path}"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["test-one"], "name a test"),
        (["evidence", "BUDGET=abc"], "'abc' is no time"),
    ],
)
def test_make_runs_nothing_with_arguments_that_cannot_be_used(make: list[str], arguments: list[str], said: str) -> None:
    """Without a name pytest runs all tests; a wrong budget was told hours later, by the last part."""
    done = subprocess.run([*make, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert "ran" not in done.stdout.split()


def test_make_runs_what_can_be_used(make: list[str]) -> None:
    done = subprocess.run([*make, "evidence", "BUDGET=5m"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("ran") == 5
