"""What the study says of standing: on days made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.study.test_results import SIZE, bidding, plain
from wattproof.study import claims, standing
from wattproof.study.communities import Base
from wattproof.study.plan import FARMED, LADDER, USUAL_RUNG, tasks
from wattproof.study.runs import Day
from wattproof.study.strategies import asking

PAPER = dict(balmy=9, mild=8, rainy=7, cloudy=5, misty=4, stormy=1, gusty=2)
LARGEST_FIRST = dict(PAPER, rainy=9)
UPSIDE_DOWN = {name: 10 - deals for name, deals in PAPER.items()}


def ladder(*windows: dict[str, int]) -> dict[tuple[bool, int], list[Day]]:
    return {rung: [bidding(**window) for window in windows] for rung in LADDER}


def played() -> dict[Any, Any]:
    made: dict[Any, Any] = {
        ("described", 1): ladder(UPSIDE_DOWN, PAPER, LARGEST_FIRST),
        ("described", 2): ladder(UPSIDE_DOWN, LARGEST_FIRST, LARGEST_FIRST),
    }
    # In two days, the first counts, and the one after the day of warm-up.
    for seed in (1, 2):
        made["as-described", seed] = [
            bidding(**UPSIDE_DOWN),
            bidding(**(PAPER if seed == 1 else LARGEST_FIRST)),
        ]
    return made


def test_how_likely_each_order_is(shipped: Base) -> None:
    found = standing.described(shipped, SIZE, played())
    assert (found["communities"], found["days"], found["on_contract"], found["agree"]) == (2, 1, 2, 2)
    assert [entry["rung"] for entry in found["steps"]] == [standing.rung(*rung) for rung in LADDER]
    for entry in found["steps"]:
        held = {name: {claim: entry[name][claim]["mean"] for claim in standing.CLAIMS} for name in standing.WINDOWS}
        assert held == {
            "first": {"order": "0.0", "standing": "0.0", "accuracy": "0.0", "size": "100.0"},
            "later": {"order": "50.0", "standing": "100.0", "accuracy": "100.0", "size": "50.0"},
            "last": {"order": "0.0", "standing": "100.0", "accuracy": "100.0", "size": "100.0"},
        }
        assert {key: value["mean"] for key, value in entry["later"]["groups"].items()} == {
            "regular": "85.0",
            "largest": "80.0",
            "ordinary": "45.0",
            "irregular": "15.0",
        }


def test_nothing_is_known_of_groups_that_a_file_does_not_have(small: Base) -> None:
    days = [bidding(roof=1, flat=2, shop=3)] * len(standing.WINDOWS)
    made: dict[Any, Any] = {("described", 1): dict.fromkeys(LADDER, days)}
    nothing = {"mean": None, "low": None, "high": None, "n": 0}
    for entry in standing.described(small, SIZE, made)["steps"]:
        assert entry["later"]["order"] == entry["later"]["standing"] == nothing


@pytest.mark.parametrize("key", standing.COMPARED)
def test_a_replay_that_says_otherwise_than_the_contract_is_counted(shipped: Base, key: str) -> None:
    made = played()
    own = made["as-described", 2][1].households["misty"]
    setattr(own, key, getattr(own, key) + 1)
    found = standing.described(shipped, SIZE, made)
    assert (found["on_contract"], found["agree"]) == (2, 1)


def test_farmed_standing_at_every_step(small: Base) -> None:
    made: dict[Any, Any] = {}
    for seed in (1, 2):
        made["month", seed] = [plain(), plain(shop=-99)]
        made["strategy", "farm", seed] = [plain(shop=8)]
        for step in FARMED:
            if step != USUAL_RUNG[1]:
                made["farmed", step, False, seed] = [plain(shop=1)]
                made["farmed", step, True, seed] = [plain(shop=4, flat=3)]
    found = {entry["priority"]: entry for entry in standing.farming(small, SIZE, made)}
    assert [entry["weight"] for entry in found.values()] == ["1.13", "1.25", "1.50", "2.00", "6.00"]
    usual, double = found["5 % a tier"], found["10 % a tier"]
    assert (usual["player"]["mean"], usual["others"]["mean"]) == ("2.00", "0.00")
    assert (double["player"]["mean"], double["others"]["mean"]) == ("3.00", "-1.00")


def test_bids_that_only_ask_are_set_against_the_same_days_without(small: Base) -> None:
    made: dict[Any, Any] = {}
    for seed in (1, 2):
        made["month", seed] = [plain(), plain(shop=-99)]
        made["ranking", "one", True, seed] = [plain(shop=0), plain(shop=-99)]
        for by_price in (False, True):
            for strategy in asking(small):
                made["asking", by_price, strategy.key, seed] = [plain(shop=7, flat=2)]
                own = made["asking", by_price, strategy.key, seed][0].households["shop"]
                own.performances, own.defaults = 10, 30
    found = {entry["strategy"]: entry for entry in standing.asked(small, SIZE, made)}
    # The day of warm-up is what counts here, of 6 p by amount and 0 p by price.
    amount, price = found["tenth-amount"], found["tenth-price"]
    assert (amount["gain_p_a_day"]["mean"], price["gain_p_a_day"]["mean"]) == ("1.00", "7.00")
    assert (amount["others_p_a_day"]["mean"], amount["actors"]) == ("-2.00", ["shop"])
    assert (amount["good_percent"]["mean"], amount["good_percent_without"]["mean"]) == ("25.0", None)
    assert (amount["tier"]["mean"], amount["tier_without"]["mean"]) == ("2.0", "0.0")


def test_every_result_has_its_task(shipped: Base) -> None:
    keys = {task.key for task in tasks(shipped, SIZE, 1)}
    assert {key for key in keys if key[0] == "described"} == {("described", 1), ("described", 2)}
    assert {("as-described", 1), ("as-described", 2), ("farmed", 1000, True, 2), ("farmed", 1000, False, 2)} <= keys
    assert ("asking", True, "two", 1) in keys
    # The default step's are a strategy and a month.
    assert not {key for key in keys if key[:2] == ("farmed", USUAL_RUNG[1])}


def test_the_claim_names_who_gains(shipped: Base) -> None:
    def change(low: str, high: str) -> dict[str, Any]:
        return {"mean": "0.00", "low": low, "high": high, "n": 8}

    farming = [{"priority": "5 % a tier", "player": change("0.10", "0.30")}]
    one, two = {"title": "one", "ranking": "amount"}, {"title": "two", "ranking": "price"}
    one |= {"gain_p_a_day": change("0.01", "2.00"), "others_p_a_day": change("-1.00", "0.01")}
    two |= {"gain_p_a_day": change("-0.01", "2.00"), "others_p_a_day": change("-1.00", "-0.01")}
    text = claims._asking([one, two], farming)
    assert (
        "gains by more than chance: one, by amount. Where the others lose by more than chance: two, by price." in text
    )
    assert "nobody" in claims._asking([], farming)
