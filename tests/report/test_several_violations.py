"""A machine that failed goes on to what else does not hold, and takes no consequence of a violation for another."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.properties.machine import step
from verification.harness import counters

pytestmark = pytest.mark.usefixtures("uncounted")


class Toy(RuleBasedStateMachine):
    """Two things that do not hold, each for a number; and one that cannot hold any more where the first did not."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, dict[str, int]]] = []
        self.starts: list[int] = []
        self.spoilt = False

    @rule(number=st.integers(0, 2))
    @step
    def check(self, number: int) -> None:
        """Checks all three."""
        self.spoilt = self.spoilt or number == 1
        try:
            counters.holds("first", number != 1)
            counters.holds("consequence", not self.spoilt)
            counters.holds("second", number != 2)
        except AssertionError as failure:
            failure.steps = list(self.steps)  # type: ignore[attr-defined]
            raise


def failures(machine: type[RuleBasedStateMachine], **limits: Any) -> list[BaseException]:
    """What a run of a machine fails with."""
    plan = settings(
        database=None, derandomize=True, deadline=None, suppress_health_check=cast(Any, list(HealthCheck)), **limits
    )
    with pytest.raises(BaseException) as failed:
        run_state_machine_as_test(machine, settings=plan)
    return list(counters.leaves(failed.value))


def test_several_violations_are_told_and_no_consequence() -> None:
    found = failures(Toy, report_multiple_bugs=True, max_examples=200)
    assert sorted(failure.invariant for failure in found) == ["first", "second"]  # type: ignore[attr-defined]
    assert all(len(failure.steps) == 1 for failure in found)  # type: ignore[attr-defined]
    assert not counters.violated["consequence"]


def test_one_violation_is_told_where_only_one_is_asked_for() -> None:
    assert len(failures(Toy, report_multiple_bugs=False, max_examples=200)) == 1


def test_what_a_run_is_about_has_to_be_found_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a seeded bug: what else does not hold is noted, and ends no history."""
    monkeypatch.setattr(counters, "sought", "second")
    (found,) = failures(Toy, report_multiple_bugs=False, max_examples=200)
    assert isinstance(found, counters.Violated) and found.invariant == "second"
    assert counters.violated["first"] and counters.violated["consequence"]
