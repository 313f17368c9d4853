"""What fails under make fails make, whatever the target."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from verification.invariants import ROOT

MAKEFILE = ROOT / "Makefile"
pytestmark = pytest.mark.skipif(not MAKEFILE.is_file(), reason="no Makefile here")
TARGETS = re.findall(r"^(\w[\w-]*): ", MAKEFILE.read_text(), re.MULTILINE) if MAKEFILE.is_file() else []
RUNS = sorted({"packages", *TARGETS} - {"help", "clean"})
TOOLS = ("python", "wattproof", "ruff", "lint-imports", "pyright", "mamushi", "mkdocs")


def make(target: str, folder: Path, tool: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Makes a target where every tool is a script."""
    for name in (*(f"bin/{tool}" for tool in TOOLS), "halmos/bin/halmos"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{tool}\n")
        path.chmod(0o755)
    made = ("-o", f"{folder}/.ready", "-o", f"{folder}/.dev")
    values = (f"VENV={folder}", f"PYTHON={folder}/bin/python", "TEST=tests/x.py", *more)
    command = ["make", "--no-print-directory", *made, target, *values]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("target", RUNS)
def test_a_target_fails_where_what_it_runs_does(target: str, tmp_path: Path) -> None:
    assert make(target, tmp_path, "echo engine, checked steps; exit 1").returncode == 2


def test_verify_takes_a_part_and_a_profile(tmp_path: Path) -> None:
    said = make("verify", tmp_path, 'echo "$@"', "PROFILE=quick", "ONLY=C3-FEE,matching").stdout
    assert " ".join(said.split()) == "verify --profile quick --jobs 2 --out report --only C3-FEE,matching"
    said = make("verify", tmp_path, 'echo "$@"', "CHANGED=main").stdout
    assert " ".join(said.split()) == "verify --profile ci --histories 100 --jobs 2 --out report --changed main"
