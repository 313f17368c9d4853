"""The line that runs a failure again works as it stands: it has all that was asked for, and finds the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from vyper.exceptions import SyntaxException

from verification import plugin, rerun
from verification.harness import presets, reproducers
from verification.invariants import ROOT
from verification.plugins import failures, profiles
from verification.report import verify
from wattproof.market import deployment


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        ({}, ""),
        ({"histories": 10}, " MORE='--histories=10'"),
        ({"hypothesis_seed": 0}, " MORE='--hypothesis-seed=0'"),
        (
            {"histories": 10, "steps": 5, "hypothesis_seed": "7"},
            " MORE='--histories=10 --steps=5 --hypothesis-seed=7'",
        ),
    ],
)
def test_a_property_test_draws_the_same_histories_again(
    asked: dict[str, object], more: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"histories": None, "steps": None, "hypothesis_seed": None, "engine": "revm", "profile": "quick"} | asked
    monkeypatch.setattr(request.config, "getoption", lambda name, default=None: given.get(name, default))
    assert (
        profiles.rerun(request.config, request.node.nodeid)
        == f"make test-one TEST='{request.node.nodeid}' ENGINE=revm PROFILE=quick{more}"
    )


def test_a_saved_failure_is_found_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a checkout pytest has to be told of the plugin, and the node's own file is relative to that folder."""
    path = tmp_path / "falsified" / "test_x.py"
    monkeypatch.chdir(ROOT)
    assert rerun.of_another(path, "test_x.py::test_x") == f"python -m pytest -p verification.plugin {path}::test_x"
    monkeypatch.chdir(tmp_path)
    said = rerun.of_another(path, "test_x.py::test_x[a 'b']")
    assert said == """python -m pytest -p verification.plugin 'falsified/test_x.py::test_x[a '"'"'b'"'"']'"""


def test_a_failure_that_cannot_be_told_is_still_a_failure(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on to the other tests, and says so; it does not end in a traceback of pytest."""

    def mistaken(*_: object) -> None:
        raise TypeError("no literals")

    monkeypatch.setattr(reproducers, "told_of", mistaken)
    told = failures.told_of(request.node, KeyError("a slip"))
    assert told.summary == "KeyError: 'a slip'"
    assert told.why == "its history cannot be told (TypeError: no literals)"


@pytest.mark.parametrize("problem", [SyntaxException("EOF", "def oops(:", 1, 0), FileNotFoundError("EnergyMarket.vy")])
def test_contracts_that_do_not_compile_are_no_traceback_of_the_compiler(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(_: object) -> None:
        raise problem

    monkeypatch.setattr(presets, "prepare", compiled)
    with pytest.raises(pytest.fail.Exception, match=r"the contracts in .*contracts do not compile: ") as told:
        plugin.prepare(None)
    assert str(problem) in str(told.value)
    assert told.value.pytrace is False and told.value.__suppress_context__, "that alone"


def test_a_folder_without_a_market_ends_the_run_in_one_line_before_any_test(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTPROOF_CONTRACTS", str(tmp_path))
    monkeypatch.setattr(deployment, "deployer", deployment.deployer.__wrapped__)  # It keeps what it compiled.
    said = f"WATTPROOF_CONTRACTS: {tmp_path} holds no EnergyMarket.vy; name the folder that does"
    with pytest.raises(pytest.UsageError, match=f"^{re.escape(said)}$"):
        plugin.pytest_configure(request.config)
    assert verify._compile() == said


def test_a_unit_test_is_named_from_where_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "tests" / "unit" / "test_x.py"
    monkeypatch.chdir(ROOT)
    assert rerun.of_another(path, "tests/unit/test_x.py::test_x") == "python -m pytest tests/unit/test_x.py::test_x"
    monkeypatch.chdir(ROOT / "tests")
    assert rerun.of_another(path, "tests/unit/test_x.py::test_x") == "python -m pytest unit/test_x.py::test_x"


def test_what_runs_again_names_contracts_that_are_not_the_clones(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not profiles.rerun(request.config, "tests/x.py").startswith("WATTPROOF_CONTRACTS")
    monkeypatch.setattr(rerun, "contracts_dir", lambda: Path("/other/my contracts"))
    assert profiles.rerun(request.config, "tests/x.py").startswith(
        "WATTPROOF_CONTRACTS='/other/my contracts' make test-one "
    )
