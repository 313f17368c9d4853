"""What a failure prints is pasted into a shell of IPython: the last line shows again what does not hold, by how much.

Here a few planted faults that are most unlike each other, from histories that were found once; `make faults` does the
same for all of them. Each test makes the lines anew.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest

from tests.properties import test_matching
from tests.properties.test_only import Refusals
from verification import git
from verification.harness import counters, moves, presets, replay, telling
from verification.harness.moves import History, Move
from verification.harness.telling import Told
from verification.invariants import statement
from verification.pasting import pasted
from wattproof.evm.engine import available
from wattproof.market.deployment import deployer
from wattproof.market.trace import Call

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("uncounted")

STEPS: dict[str, tuple[str, type, str, list[tuple[str, Call]]]] = {
    "partial-refund-lost": (
        "C3-MATCH-4",
        test_matching.Matching,
        "fresh",
        [("batch", Call("everybody", (3, 100, False, 3), "everybody"))],
    ),
    "opening-unbounded": (
        "C4-ATTACK-17",
        Refusals,
        "narrow",
        [("batch", Call("everybody", (1, 100, False, 6), "everybody"))],
    ),
}
"""By planted fault: the invariant, its machine, where the history begins, and the rules that are called."""


@pytest.fixture
def faulty(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The contracts with a planted fault are those of this process, on an environment of their own."""
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    git.apply(ROOT / "tests" / "properties" / "faults" / f"{request.param}.patch", tmp_path)
    monkeypatch.setenv("WATTPROOF_CONTRACTS", str(tmp_path / "contracts"))
    monkeypatch.setattr(presets, "_prepared", [])
    monkeypatch.setattr(presets, "failures", {})
    monkeypatch.setattr(presets, "environment", functools.cache(presets.environment.__wrapped__))
    deployer.cache_clear()
    with boa.swap_env(presets.environment(available()[-1], oversized=True)):
        yield request.param
    deployer.cache_clear()


def found(fault: str) -> tuple[str, Told]:
    """The invariant that a fault violates, and what is told of its history."""
    invariant, machine, preset, steps = STEPS[fault]
    called = [Move(name, rule=True, named=(("call", call),)) for name, call in steps]
    failure = moves.play(History(machine, {"preset": preset}, called), invariant).failure
    assert isinstance(failure, counters.Violated), failure
    return invariant, telling.of_machine(machine, failure)


@pytest.mark.parametrize("faulty", STEPS, indirect=True)
def test_the_lines_of_a_history_show_the_violation_in_the_last_one(faulty: str) -> None:
    invariant, told = found(faulty)
    said = pasted(told.lines)
    assert said[-1] == f"violated: {told.summary}. {statement(invariant)}"
    assert told.summary.startswith(f"{invariant}: ")
    assert any(letter.isdigit() for letter in told.summary.removeprefix(invariant)), "with the figures"
    assert len(told.lines) <= 25
    assert told.lines[told.beginning - 1].startswith("replay(globals(), ")
    assert told.lines[-1] == "check()"
    shown = telling.text(told, Path("out") / "failures", "tests/properties/test_x.py::TestX")
    assert shown.count(told.lines[told.beginning]) == 1, "the history is told once"
    assert all(f"\n{line}\n" in f"\n{shown}\n" for line in told.lines), "as it is pasted"


@pytest.mark.parametrize("faulty", ["purchases-unclaimed"], indirect=True)
def test_the_line_of_a_call_shows_the_violation(faulty: str) -> None:
    arguments = {"capacity": 183, "first": 150, "second": 83}
    test: Any = test_matching.test_purchases_of_excess_count_against_the_capacity
    with pytest.raises(counters.Violated) as failed:
        replay.called("C1-VOLUME-4", test, arguments)
    told = telling.of_function((test_matching.__name__, test.__name__), arguments, failed.value)
    assert told.invariant == "C1-VOLUME-4"
    assert pasted(told.lines)[-1].startswith(f"violated: {told.summary}. ")


def test_an_error_in_a_test_is_told_with_its_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a machine that raises something else than that an invariant does not hold, with calls of its own."""

    def mistaken(*_: Any) -> None:
        raise KeyError("a slip")

    monkeypatch.setattr(test_matching.Matching, "judge", mistaken)
    steps = [("begin", {"preset": "fresh"}), ("batch", {"call": Call("everybody", (3, 100, False, 3), "everybody")})]
    slip = moves.play(History(test_matching.Matching, steps[0][1], [moves._own(*steps[1])]), None).failure
    assert isinstance(slip, KeyError)
    slip.steps, slip.starts = steps, [0, 0]  # type: ignore[attr-defined]
    told = telling.of_machine(test_matching.Matching, slip)
    assert told.summary == "KeyError: 'a slip'"
    assert told.lines[told.beginning - 1 :][0].startswith("replay(globals(), Matching, None, preset=")
    assert told.lines[-1] == "check()"


def test_on_the_right_contract_the_last_line_says_that_it_holds() -> None:
    lines = [
        "from tests.properties.test_settlement import Settlement",
        "from verification.session import replay",
        'replay(globals(), Settlement, "C3-PAY-1", preset="fresh")',
        *['perform("everybody", 3, 100, False, 6, sender="everybody")'] * 2,
        "market.settle_quote(9, sender=sunny)",
        "print(market.quote(1).sold > 0)",
        "check()",
    ]
    refused, sold, holds = pasted(lines)
    assert refused == "refused: quotes: unknown quote"
    assert sold == "True"
    assert holds.startswith("holds: C3-PAY-1, checked ")
