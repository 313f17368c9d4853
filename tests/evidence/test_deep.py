"""`make deep` and `make profit`: passes until the time is up, what they found, and the seed of the one that failed."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from verification.campaigns import deep
from verification.invariants import ROOT

SMALL = {"victim": "winner", "lost": 10, "bound": 100, "story": ["a: winner"]}
LARGE = {"victim": "rival", "lost": 20, "bound": 100, "story": ["a: rival"]}
Pass = tuple[int | None, dict[str, Any], int]
"""What a pass ends with, its worst attacks, and how often it saw an invariant violated."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[deep.Run]:
    """A run of an hour whose attacks are written."""
    options = argparse.Namespace(
        budget=3600, jobs=2, seed=7, profile="quick", tests=["some/test.py"], attacks=tmp_path / "profit.json"
    )
    with contextlib.ExitStack() as stack:
        yield deep.Run(options, tmp_path / "folder", deep.places(options.attacks, stack))


def play(run: deep.Run, monkeypatch: pytest.MonkeyPatch, *passes: Pass) -> list[list[str]]:
    """Makes the passes of a run come to this; the commands that it gives."""
    commands: list[list[str]] = []

    def played(command: list[str], left: float) -> int | None:
        ended, worst, violated = passes[len(commands)]
        commands.append(command)
        counted = {"outcome": "passed", "checked": {"C4-PROFIT-1": 5, "C4-PROFIT-4": 5}}
        counted["violated"] = {"C4-PROFIT-4": violated} if violated else {}
        told = {"tests": {"t": counted}, "presets": {}, "failures": [], "attacks": worst, "current": ""}
        run._parts.mkdir(parents=True)
        (run._parts / "1.json").write_text(json.dumps(told))
        if len(commands) == len(passes):
            run.options.budget, clock[0] = 0, 10_000.0
        return ended

    clock = [0.0]
    monkeypatch.setattr(run, "_played", played)
    monkeypatch.setattr(deep.time, "monotonic", lambda: clock[0])
    return commands


def told(run: deep.Run) -> dict[str, Any]:
    """What the run has written."""
    return json.loads(run.options.attacks.read_text())


def test_the_worst_attack_of_all_passes_is_kept(run: deep.Run, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    passes: tuple[Pass, ...] = ((0, {"C4-PROFIT-4": SMALL}, 0), (0, {"C4-PROFIT-4": LARGE}, 0), (0, {}, 0))
    commands = play(run, monkeypatch, *passes)

    assert run.go() == 0

    assert [f"--hypothesis-seed={seed}" in command for seed, command in enumerate(commands, 7)] == [True] * 3
    assert all(command[-1] == "some/test.py" for command in commands)
    assert [one["outcome"] for one in told(run)["details"]["passes"]] == ["passed"] * 3
    lines = {line["invariant"]: line for line in told(run)["details"]["lines"]}
    assert (lines["C4-PROFIT-4"]["checked"], lines["C4-PROFIT-4"]["worst"]["victim"]) == (15, "rival")
    assert lines["C4-PROFIT-4"]["worst"]["percent"] == 20
    assert lines["C4-PROFIT-1"]["worst"] is None
    assert "of the bounds: C4-PROFIT-4 20 %; without a loss: 1 invariants" in capsys.readouterr().out
    said = run.options.attacks.with_suffix(".md").read_text()
    assert "| C4-PROFIT-4 | rival | 20 | 100 | 20 % |" in said
    assert "a: rival" in said
    assert "C4-PROFIT-1  all others lost what was gained in 15 checks" in deep.table(run.lines())


def test_a_pass_that_is_cut_short_has_its_attacks(run: deep.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    play(run, monkeypatch, (None, {"C4-PROFIT-4": SMALL}, 0))
    assert run.go() == 0
    assert told(run)["details"]["passes"][0]["outcome"] == "cut short"
    assert any(line["worst"] for line in told(run)["details"]["lines"])


@pytest.mark.parametrize(("ended", "code"), [(1, 1), (3, 3), (None, 1)])
def test_a_violation_ends_the_run_with_its_seed(
    run: deep.Run, monkeypatch: pytest.MonkeyPatch, capsys: Any, ended: int | None, code: int
) -> None:
    """Where the time is up while the history is still being shrunk, too."""
    beyond = SMALL | {"lost": 101}
    commands = play(run, monkeypatch, (0, {}, 0), (ended, {"C4-PROFIT-4": beyond}, 2), (0, {}, 0))
    assert run.go() == code
    assert len(commands) == 2
    again = "C4-PROFIT-4; once more: pytest --profile quick --hypothesis-seed=8 some/test.py"
    assert again in capsys.readouterr().out
    assert told(run)["details"]["passes"][1]["violated"] == ["C4-PROFIT-4"]
    assert "101 % beyond the bound" in run.options.attacks.with_suffix(".md").read_text()


@pytest.mark.parametrize("ended", [4, 5])
def test_a_pass_that_pytest_cannot_run_was_not_a_failure(
    run: deep.Run, monkeypatch: pytest.MonkeyPatch, ended: int
) -> None:
    """It does not know the profile, say, or finds no test."""
    play(run, monkeypatch, (ended, {}, 0))
    assert run.go() == 2


def test_a_pass_ends_when_its_time_is_up(run: deep.Run) -> None:
    began = time.monotonic()
    assert run._played([sys.executable, "-c", "import time; time.sleep(300)"], 0) is None
    assert time.monotonic() - began < 60
    assert run._played([sys.executable, "-c", "raise SystemExit(3)"], 60) == 3


def test_a_short_search_for_profit(tmp_path: Path) -> None:
    """The search among strangers with few histories; on a slow machine it may be cut short after a minute."""
    file = tmp_path / "out" / "profit.json"
    search = [sys.executable, "-m", "verification.campaigns.deep"]
    search += ["--budget", "1s", "--profile", "quick", "--seed", "1"]
    search += ["--tests", "tests/properties/test_profit.py::test_strangers", "--attacks", str(file)]
    ran = subprocess.run(search, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    found = json.loads(file.read_text())
    assert len(found["details"]["passes"]) == 1
    assert {line["invariant"] for line in found["details"]["lines"] if line["checked"]} <= {
        "C4-PROFIT-1",
        "C4-PROFIT-2",
    }
    assert all(line["worst"] is None for line in found["details"]["lines"])
    assert "hypothesis-seed=1" in ran.stdout
