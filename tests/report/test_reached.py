"""A green run has something to show for what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, rule

from verification.harness import counters, summary
from verification.plugins import counts, further, selection

NOTHING: dict[str, Any] = {"checked": {}, "vacuous": {"C3-FEE-5": 43}, "tallies": {}, "calls": {}}


def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, **options: object) -> pytest.Config:
    """The configuration of this run, with these options alone."""
    none = {"keyword": "", "markexpr": "", "maxfail": 0, "histories": None, "steps": None, "profile": "ci"}
    for name, value in (none | options).items():
        monkeypatch.setattr(request.config.option, name, value)
    return request.config


def test_what_k_names_and_no_history_reached_is_told(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = asked(request, monkeypatch, keyword="C3-FEE-4 or C3-FEE-5")
    assert counts._asked_in_vain(config, NOTHING) == [
        "C3-FEE-4: asked for and not reached: no test came to check it",
        "C3-FEE-5: asked for and not reached: its premise was false in all of 43 checks",
    ]
    assert counts._asked_in_vain(config, NOTHING | {"checked": {"C3-FEE-4": 1, "C3-FEE-5": 1}}) == []
    assert counts._asked_in_vain(asked(request, monkeypatch, keyword="C3-FEE", collectonly=True), NOTHING) == []


@pytest.mark.parametrize(
    ("options", "judged"),
    [({}, True), ({"profile": "quick"}, False), ({"histories": 10}, False), ({"steps": 3}, False)],
)
def test_few_histories_need_not_reach_it(
    options: dict[str, object], judged: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counts._judged(asked(request, monkeypatch, **options)) is judged


def test_a_group_is_all_of_its_invariants_and_what_is_left_out_is_not_asked_for() -> None:
    group = {f"C3-FEE-{number}" for number in range(1, 6)}
    assert selection.named_invariants("C3-FEE") == group
    assert selection.named_invariants("TestSettlement and not C3-FEE") == set()
    assert selection.named_invariants("C3-PAY-1 and not (C3-FEE or C3-PAY-2)") == {"C3-PAY-1"}


@pytest.mark.parametrize("option", ["collectonly", "deselect", "ignore", "lf"])
def test_a_part_of_the_tests_need_not_reach_everything(
    option: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = asked(request, monkeypatch)
    monkeypatch.setattr(config, "args_source", pytest.Config.ArgsSource.TESTPATHS)
    for other in ("collectonly", "deselect", "ignore", "lf"):  # of the run that this test is in
        monkeypatch.setattr(config.option, other, None, raising=False)
    assert counts._is_whole_run(config)
    monkeypatch.setattr(config.option, option, ["x"], raising=False)
    assert not counts._is_whole_run(config)
    assert summary.unreached(NOTHING)


# ---- machines that go on -----------------------------------------------------------------------


FEW = settings(max_examples=100, stateful_step_count=2, database=None, deadline=None)


class Rare(RuleBasedStateMachine):
    """Calls everything, but only from a certain history on."""

    since = 0

    def __init__(self) -> None:
        super().__init__()
        counters.tallies["histories of Rare"] += 1

    @rule()
    def call(self) -> None:
        if counters.tallies["histories of Rare"] > self.since:
            for function in summary.LEAST_ACCEPTED:
                counters.calls[f"Rare.{function}"]["accepted"] += 50


class Wrong(RuleBasedStateMachine):
    """Is wrong whatever it does."""

    @rule()
    def call(self) -> None:
        raise AssertionError("wrong")


@pytest.mark.usefixtures("uncounted")
@pytest.mark.parametrize(
    ("since", "rounds", "enough"), [(0, 0, True), (120, 1, True), (220, 2, True), (10**6, further.ROUNDS - 1, False)]
)
def test_a_machine_goes_on_until_everything_was_called_often_enough(
    since: int, rounds: int, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Rare, "since", since)
    Rare.TestCase.settings = FEW
    Rare.TestCase("runTest").runTest()
    assert further.go_on(Rare, FEW, None) == rounds
    assert counters.tallies["histories of Rare"] >= 100 * (rounds + 1)
    assert (summary.rarely_called(counters.counts(), "Rare") == []) is enough
    assert not hasattr(Rare, "_hypothesis_internal_use_seed")


@pytest.mark.usefixtures("uncounted")
def test_what_fails_in_a_further_round_fails_the_test() -> None:
    counters.tallies["histories of Wrong"] = 100  # and no call
    with pytest.raises(AssertionError, match="wrong"):
        further.go_on(Wrong, FEW, 7)


def test_further_rounds_are_for_runs_that_judge() -> None:
    """Quick runs and campaigns do not judge how often something was called."""
    assert set(further.PROFILES) == {"ci", "deep"}
