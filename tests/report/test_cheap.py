"""What a whole run measures by itself, and what it leaves out and says so."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.report.conftest import plan
from verification.gas.run import run_gas
from verification.report import cheap
from verification.report.campaign import Campaign


@pytest.mark.parametrize(
    ("asked", "why"),
    [({}, "the quick profile"), ({"profile": "ci", "within": 60.0}, "a limit of time"), ({"profile": "ci"}, "")],
)
def test_short_runs_leave_it_out(asked: dict[str, Any], why: str, tmp_path: Path) -> None:
    assert cheap.left_out(Campaign(tmp_path, plan(**asked))) == why


def test_a_run_that_was_stopped_or_failed_leaves_it_out(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, plan(profile="ci"))
    campaign["unit"].counts = {"tests": {"tests/a.py::test_b": {"outcome": "failed"}}}
    assert cheap.left_out(campaign) == "a run with failures"
    campaign.stop("interrupted")
    assert cheap.left_out(campaign) == "a run that was stopped"


def _said(campaign: Campaign) -> str:
    text = io.StringIO()
    cheap.measure(campaign, Console(file=text, width=200))
    return text.getvalue()


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    said = _said(Campaign(tmp_path, plan()))
    assert said == "the quick profile leaves out: proofs, gas (in this process), a sample of mutants\n"


def test_a_whole_run_measures_and_says_how_each_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    @contextlib.contextmanager
    def running(command: list[str], **_: Any) -> Iterator[Any]:
        commands.append(command)
        yield SimpleNamespace(poll=lambda: 2 if "gas" in command else 0)

    monkeypatch.setattr(cheap, "running", running)
    monkeypatch.delenv("WATTPROOF_CONTRACTS", raising=False)
    said = _said(Campaign(tmp_path, plan(profile="ci")))
    assert "proofs: done after 0 s" in said
    assert "gas (in this process): left out, exit code 2" in said
    assert {command[3] for command in commands} == {"prove", "gas", "mutate"}
    assert all(command[-1].startswith(str(tmp_path / "measured")) for command in commands)


def test_what_takes_too_long_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cheap, "running", lambda *_, **__: contextlib.nullcontext(SimpleNamespace(poll=lambda: None)))
    monkeypatch.setattr(cheap, "LONGEST", 0)
    assert "left out after 0 s: proofs, gas (in" in _said(Campaign(tmp_path, plan(profile="ci")))


def test_mutants_are_made_of_the_checkouts_contracts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTPROOF_CONTRACTS", str(tmp_path))
    assert [name for name in cheap.COMMANDS if cheap._is_about(name)] == ["symbolic", "gas"]


def test_a_snapshot_is_never_written_without_a_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_gas(tmp_path / "gas.json", True, False, Console(file=io.StringIO()), in_process=True) == 2
    assert capsys.readouterr().err == "the snapshot is what a node charges: leave --in-process or --update out\n"
