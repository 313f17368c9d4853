"""A failing example is tried first in the next run, which otherwise draws what it always draws."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from verification import plugin
from verification.harness import counters, kept_examples
from verification.harness.kept_examples import KeptExamples
from verification.invariants import ROOT

TEST = "tests/properties/test_kept.py::test_it"
PLAN = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    stateful_step_count=5,
    report_multiple_bugs=False,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=cast(Any, list(HealthCheck)),
)
Run = Callable[[settings, int], list[int]]
"""Runs a test by a plan, which fails from a number on; returns all numbers that were drawn, in order."""


@pytest.fixture(autouse=True)
def property_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if one was running."""
    monkeypatch.setitem(counters.tests, TEST, {})
    monkeypatch.setattr(counters, "current", TEST)
    monkeypatch.setattr(counters, "examples", 0)
    yield


def function(plan: settings, limit: int) -> list[int]:
    """A test that is a function."""
    drawn: list[int] = []

    @plan
    @given(number=st.integers(0, 10**6))
    def test(number: int) -> None:
        drawn.append(number)
        assert number < limit

    _passes(test)
    return drawn


def machine(plan: settings, limit: int) -> list[int]:
    """A test that is a machine."""
    drawn: list[int] = []

    class Numbers(RuleBasedStateMachine):
        @rule(number=st.integers(0, 10**6))
        def add(self, number: int) -> None:
            drawn.append(number)
            assert number < limit

    _passes(lambda: run_state_machine_as_test(Numbers, settings=plan))
    return drawn


def _passes(test: Callable[[], None]) -> bool:
    try:
        test()
    except AssertionError:
        return False
    return True


def with_database(folder: Path) -> settings:
    """The plan as a profile has it."""
    return settings(PLAN, database=KeptExamples(folder))


@pytest.mark.parametrize("run", [function, machine])
def test_an_empty_database_changes_no_draw(run: Run, tmp_path: Path) -> None:
    for limit in (10**7, 500_000):
        without = run(PLAN, limit)
        assert len(without) > 50
        assert run(with_database(tmp_path / str(limit)), limit) == without
        assert "replayed" not in counters.tests[TEST]


@pytest.mark.parametrize("run", [function, machine])
def test_what_failed_is_tried_first_and_forgotten_once_it_passes(run: Run, tmp_path: Path) -> None:
    plan = with_database(tmp_path)
    run(plan, 500_000)
    again = run(plan, 500_000)
    assert again[0] == 500_000, "in its shortest form"
    assert len(again) < 5, "nothing else is drawn, as the failure is still there"
    assert counters.tests[TEST].pop("replayed") == 1
    mended = run(plan, 10**7)
    assert mended[0] == 500_000
    assert counters.tests[TEST].pop("replayed") == 1
    assert run(plan, 10**7) == run(PLAN, 10**7)
    assert "replayed" not in counters.tests[TEST]


def test_tests_of_tests_keep_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "current", "tests/report/test_x.py::test_fails_on_purpose")
    function(with_database(tmp_path), 500_000)
    assert not list(tmp_path.rglob("*"))


def test_examples_are_kept_for_the_contracts_of_the_checkout_or_where_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(kept_examples.VARIABLE, raising=False)
    monkeypatch.setenv("WATTPROOF_CONTRACTS", str(ROOT / "contracts"))
    assert kept_examples.database() is not None
    monkeypatch.setenv("WATTPROOF_CONTRACTS", str(tmp_path))
    assert kept_examples.database() is None
    monkeypatch.setenv(kept_examples.VARIABLE, str(tmp_path / "kept"))
    assert kept_examples.database() is not None


def test_searches_for_a_target_keep_none() -> None:
    """With a database Hypothesis remembers what came near to the target, and searches from there."""

    @given(number=st.integers())
    def test(number: int) -> None:
        pass

    def plan() -> settings:
        return cast(Any, test)._hypothesis_internal_use_settings

    item: Any = types.SimpleNamespace(function=test, module=types.SimpleNamespace(given=given))
    before = plan()
    kept_examples.leave_out_searches([item])
    assert plan() is before
    item.module.target = hypothesis.target
    kept_examples.leave_out_searches([item])
    assert plan().database is None


@pytest.mark.parametrize("name", kept_examples.PROFILES)
def test_what_make_test_runs_keeps_examples_and_is_derandomized(name: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("hypothesis_seed", None) is None:
        assert settings.get_profile(name).derandomize
    assert isinstance(settings.get_profile(name).database, KeptExamples | None)
    assert plugin.PROFILES[name]["derandomize"]
