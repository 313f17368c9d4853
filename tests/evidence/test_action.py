"""The composite action: its steps do in a runner's shell what they say. Uploads are GitHub's and are only looked at."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from verification.invariants import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: dict[str, dict[str, Any]] = {step.get("name", ""): step for step in ACTION["runs"]["steps"]}


def run(step: dict[str, Any], context: dict[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a step's script as a runner does."""
    fill = re.compile(r"\$\{\{ (\S+) \}\}")
    own = {name: fill.sub(lambda found: context[found[1]], text) for name, text in step.get("env", {}).items()}
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(shell, env=os.environ | environment | own, capture_output=True, text=True, timeout=900)


def test_installs_both_packages_from_the_actions_own_files(tmp_path: Path) -> None:
    """With a Python that only notes what it is asked to do."""
    notes = tmp_path / "notes"
    fake = tmp_path / "bin" / "python"
    fake.parent.mkdir()
    makes = 'test "$2" = venv && mkdir -p "$3/bin" && cp "$0" "$3/bin/python"'
    fake.write_text(f'#!/bin/sh\necho "$@" >> {notes}\n{makes}\nexit 0\n')
    fake.chmod(0o755)
    done = run(
        STEPS["Install"],
        {"github.action_path": str(ROOT)},
        RUNNER_TEMP=str(tmp_path / "runner"),
        PATH=f"{fake.parent}:{os.environ['PATH']}",
    )
    assert done.returncode == 0, done.stderr
    made, installed = notes.read_text().splitlines()
    assert made == f"-m venv {tmp_path}/runner/wattproof"
    words = installed.split()
    assert words[words.index("--constraint") + 1] == str(ROOT / "requirements.txt")
    packages = [Path(words[place + 1]) for place, word in enumerate(words) if word == "--editable"]
    assert packages == [ROOT, ROOT / "verification"]
    assert all((package / "pyproject.toml").is_file() for package in packages)


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run on the contracts of another folder, cut short."""
    place = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "contracts", place / "market" / "contracts")
    binaries = place / "runner" / "wattproof" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "wattproof").write_text(f'#!/bin/sh\nexec {sys.executable} -m wattproof "$@"\n')
    (binaries / "wattproof").chmod(0o755)
    inputs = {name: str(one["default"]) for name, one in ACTION["inputs"].items()}
    inputs |= {"contracts": "market/contracts", "profile": "quick", "histories": "1", "within": "45", "jobs": "1"}
    context = {f"inputs.{name}": value for name, value in inputs.items()} | {"github.workspace": str(place)}
    context["runner.temp"] = str(place / "runner")
    return place, run(STEPS["Verify"], context, RUNNER_TEMP=str(place / "runner"))


def test_verifies_the_contracts_that_are_named(verified: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    place, done = verified
    report = place / ACTION["inputs"]["report"]["default"]
    assert done.returncode in (0, 1), done.stderr
    for name in ("report.sarif", "junit.xml", "evidence.json", "index.html"):
        assert (report / name).is_file(), done.stdout + done.stderr
    assert str(place / "market" / "contracts") in (report / "evidence.json").read_text()


def test_what_is_uploaded_is_what_was_written() -> None:
    sarif, report = STEPS["Upload SARIF"], STEPS["Upload the report"]
    assert sarif["with"]["sarif_file"] == "${{ inputs.report }}/report.sarif"
    assert report["with"]["path"] == "${{ inputs.report }}"
    assert report["if"] == "always()"
    assert sarif["if"] == "always() && hashFiles(format('{0}/report.sarif', inputs.report)) != ''", (
        "no change, no report"
    )


def test_examples_that_fail_are_kept_where_the_run_looks_for_them() -> None:
    folder = "${{ runner.temp }}/wattproof-examples"
    assert STEPS["Verify"]["env"]["WATTPROOF_EXAMPLES"] == folder
    fetched, kept = STEPS["Fetch examples that failed before"], STEPS["Keep examples that fail"]
    assert fetched["with"]["path"] == kept["with"]["path"] == folder
    assert fetched["with"]["key"] == kept["with"]["key"]
    assert kept["with"]["key"].startswith(fetched["with"]["restore-keys"])
    assert kept["if"] == "always()"


def test_the_documented_workflow_is_short_and_names_inputs_that_exist() -> None:
    text = (ROOT / "docs" / "action.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(block.splitlines()) <= 11
    (step,) = [step for step in yaml.safe_load(block)["jobs"]["wattproof"]["steps"] if "with" in step]
    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert all(f"| `{name}` |" in text for name in ACTION["inputs"])
