"""A report of a run that is over in seconds: on a faulty contract, and on the right one."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from verification import git
from verification.gas.figures import as_json, read_snapshot
from verification.report import campaign, document, parts
from verification.report import verify as verify_module
from verification.report.campaign import Plan
from verification.report.verify import engine_for, verify
from wattproof.market.bytecode import compiled

ROOT = Path(__file__).parents[2]

FAULT = "partial-refund-lost"
"""The planted fault of the faulty contract, whose invariant and test stand in its patch."""


MUTANTS = [
    {"mutant": "fee.twice", "module": "tariff", "result": "killed", "by": "C3-FEE-4"},
    {"mutant": "seal.kept", "module": "bids", "result": "killed", "check": "tests/properties/test_packing.py"},
    {"mutant": "word.same", "module": "bids", "result": "survived"},
]
"""As `wattproof mutate` reports them: a check that names no invariant is named by its file."""


def plan(**other: Any) -> Plan:
    """A campaign of one file of unit tests and one of property tests."""
    few: dict[str, Any] = {"unit": ("tests/unit/test_tiers.py",), "properties": ("tests/properties/test_matching.py",)}
    usual: dict[str, Any] = {"profile": "quick", "engine": engine_for(None), "seed": None, "jobs": 1, "within": None}
    return Plan(**usual | few | other)


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contracts with the planted fault."""
    folder = tmp_path_factory.mktemp("faulty")
    shutil.copytree(ROOT / "contracts", folder / "contracts")
    patch = ROOT / "tests" / "properties" / "faults" / f"{FAULT}.patch"
    git.apply(patch, folder)
    return folder / "contracts"


@pytest.fixture(scope="session")
def falsified(faulty: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, Path]:
    """Exit code, report and contracts of a run on the faulty contract."""
    out = tmp_path_factory.mktemp("falsified")
    return _verify(out, faulty), out, faulty


@pytest.fixture(scope="session")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """Exit code and report of a run on the right contract."""
    out = tmp_path_factory.mktemp("right")
    return _verify(out, ROOT / "contracts"), out


BROKEN = r"""
import os
import pytest

@pytest.fixture
def no_setup():
    raise RuntimeError("no \x1b[31msetup\x1b[0m\x00 here")

@pytest.fixture
def no_teardown():
    yield
    raise OSError("no teardown")

class Mute(Exception):
    def __str__(self):
        raise TypeError

def test_value():
    raise ValueError("<a> bad & value\nand more of it")

def test_setup(no_setup):
    pass

def test_twice(no_teardown):
    assert 1 == 2, "a first failure"

@pytest.mark.xfail(strict=True, reason="was expected to fail")
def test_surprise():
    pass

def test_group():
    raise ExceptionGroup("both", [KeyError("left"), KeyError("right")])

def test_object():
    raise ValueError(object())

def test_mute():
    raise Mute

def test_unknown_invariant():
    from verification.harness.counters import holds
    holds("C9-NONE-1", False)

def test_crash():
    os._exit(3)

def test_good():
    pass
"""
"""Tests that fail in every way, but for a file that cannot be collected."""


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, str]:
    """Exit code, report and error messages of a run in which the day, tests of every kind and a stage fail."""
    tests, out = tmp_path_factory.mktemp("tests"), tmp_path_factory.mktemp("broken")
    (tests / "test_broken.py").write_text(BROKEN)
    (tests / "test_syntax.py").write_text("def broken(:\n")
    said = out / "errors.txt"
    with (
        pytest.MonkeyPatch.context() as patch,
        (out / "console.txt").open("w") as console,
        said.open("w") as errors,
        contextlib.redirect_stderr(errors),
    ):
        patch.setenv("WATTPROOF_CONTRACTS", str(ROOT / "contracts"))
        patch.setattr(campaign, "stages", lambda folder, plan: _broken_stages(folder, plan, tests))
        patch.setattr(verify_module, "MAX_TRIED", 0)
        status = verify(plan(unit=(str(tests),)), out, Console(file=console, width=120))
    return status, out, said.read_text()


def _broken_stages(folder: Path, plan: Plan, tests: Path) -> list[campaign.Stage]:
    day = "import sys; print('the day begins'); sys.exit('ValueError: no \x1b[1msun\x1b[0m <today>')"
    nothing = "import os, signal; print('collecting ...', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    unit = [*campaign._pytest(plan, folder / "unit.json", plan.unit), "-p", "verification.plugin"]
    return [
        campaign.Stage("day", [sys.executable, "-c", day], folder),
        campaign.Stage("unit", [*unit, "--rootdir", str(tests)], folder),
        campaign.Stage("properties", [sys.executable, "-c", nothing], folder),
    ]


def _verify(out: Path, contracts: Path) -> int:
    from wattproof.market.deployment import deployer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WATTPROOF_CONTRACTS", str(contracts))
        deployer.cache_clear()
        _measure(out / "parts")
        patch.setattr(parts, "PARTS", parts_in(out / "parts"))
        try:
            return verify(plan(), out, Console(file=open(out / "console.txt", "w"), width=120))
        finally:
            deployer.cache_clear()


def _measure(folder: Path) -> None:
    """Parts that do not depend on what was measured here: two present, one of another bytecode, the others missing."""
    folder.mkdir()
    code = compiled("EnergyMarket")["runtime"]["keccak256"]
    mutation = {
        "bytecode": {"runtime": code},
        "figures": {"tried/all": "3/9"},
        "details": {"mutants": MUTANTS, "explained": {}},
    }
    (folder / "mutation.json").write_text(json.dumps(mutation))
    (folder / "gas.json").write_text(as_json(read_snapshot(ROOT / "gas-snapshot.json"), bytecode={"runtime": code}))
    (folder / "edges.json").write_text(json.dumps({"bytecode": {"runtime": "00" * 32}}))


def parts_in(folder: Path) -> dict[str, tuple[Path, str]]:
    """The parts, in a folder of their own."""
    return {name: (folder / file.name, command) for name, (file, command) in parts.PARTS.items()}


@pytest.fixture(scope="session")
def told(falsified: tuple[int, Path, Path]) -> dict[str, Any]:
    """The document of the faulty run."""
    from verification.report.compare import load

    return load(falsified[1])


@pytest.fixture(scope="session")
def places(told: dict[str, Any]) -> dict[str, int]:
    """The line of every value of the document."""
    return document.dumped(told)[1]
