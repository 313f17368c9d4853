"""Tests that run for a report or a campaign are those of the checkout, on the contracts that were named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from verification.campaigns.workers import running
from verification.invariants import ROOT
from verification.surroundings import enter

TELLS = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that a run is started from, with contracts of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WATTPROOF_CONTRACTS", "contracts")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing")
    monkeypatch.setenv("PYTEST_PLUGINS", "mine")
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    return tmp_path


def test_a_stage_is_on_the_contracts_that_were_named_and_leaves_no_test_out(elsewhere: Path) -> None:
    """A relative folder is meant from where the run was started, not from the root of the checkout."""
    with running([sys.executable, "-c", TELLS], stdout=subprocess.PIPE, env={"MORE": "1"}) as process:
        told = json.loads(process.communicate()[0])
    assert told["WATTPROOF_CONTRACTS"] == str(elsewhere / "contracts")
    assert told["MORE"] == "1"
    assert not {"PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONOPTIMIZE"} & told.keys()


def test_so_is_a_campaign_inside_this_process(elsewhere: Path) -> None:
    enter(ROOT)
    assert Path.cwd() == ROOT
    assert os.environ["WATTPROOF_CONTRACTS"] == str(elsewhere / "contracts")
    assert not {"PYTEST_ADDOPTS", "PYTEST_PLUGINS"} & os.environ.keys()
