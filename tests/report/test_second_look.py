"""A machine that failed looks for what else does not hold, and takes no consequence of a violation for another."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from verification.harness import counters as evidence
from verification.harness import replay

pytestmark = pytest.mark.usefixtures("uncounted")


class Toy(RuleBasedStateMachine):
    """Two things that do not hold, each for a number; and one that cannot hold any more where the first did not."""

    strict = False
    season_names = ()

    def __init__(self) -> None:
        super().__init__()
        self.spoilt = False

    @rule(number=st.integers(0, 9))
    def step(self, number: int) -> None:
        """Checks all three."""
        self.spoilt = self.spoilt or number == 1
        evidence.holds("first", number != 1)
        evidence.holds("consequence", not self.spoilt)
        evidence.holds("second", number != 2)


class Broken(Toy):
    """A toy that fails in another way."""

    @rule()
    def stumble(self) -> None:
        """Always fails."""
        raise KeyError("a slip of the machine itself")


class Contradicted(Toy):
    """A toy with which the terms disagree all the time, which a twin keeps to itself."""

    @initialize()
    def disagree(self) -> None:
        """As a twin that is not strict does."""
        with contextlib.suppress(evidence.Violated):
            evidence.holds("C2-EVENT-1", False)


def found(machine: type[RuleBasedStateMachine], known: set[str], most: int, seconds: int = 60) -> list[str]:
    """The first `most` things that a second look finds, in their order."""
    with contextlib.closing(replay.second_look(machine, "pyevm", seconds, known)) as failures:
        leaves = [leaf for one in itertools.islice(failures, most) for leaf in evidence.leaves(one)]
    return [getattr(leaf, "invariant", type(leaf).__name__) for leaf in leaves]


def test_finds_what_the_first_failure_hid() -> None:
    assert found(Toy, {"first"}, 1) == ["second"]


def test_goes_on_after_each_find() -> None:
    assert sorted(found(Toy, set(), 2)) == ["first", "second"]


def test_takes_no_consequence_for_another_violation() -> None:
    found(Toy, {"first"}, 1)  # The first histories of a process take Hypothesis longer.
    assert found(Toy, {"first", "second"}, 1, seconds=2) == []
    assert evidence.violated["first"] and not evidence.violated["consequence"]


def test_tells_once_what_is_no_invariant() -> None:
    assert found(Broken, {"first", "second"}, 2) == ["KeyError"]


def test_leaves_nothing_behind() -> None:
    found(Toy, {"first"}, 1)
    assert not evidence.known
    with pytest.raises(evidence.Violated):
        evidence.holds("first", False)


def test_an_objection_of_the_terms_ends_no_history_of_a_machine_by_itself() -> None:
    assert found(Contradicted, {"C2-EVENT-1", "first"}, 1) == ["second"]
