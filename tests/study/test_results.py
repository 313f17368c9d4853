"""What the study makes of days: on days made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from wattproof.study import results
from wattproof.study.communities import Base
from wattproof.study.plan import AS_MONTH, STEPS, Size, strategies
from wattproof.study.runs import Day, Gas, Totals
from wattproof.units import pence

SIZE = Size("made", 1, 2, 2, 2, 1, 1, 2, (3,))


def day(saving: dict[str, int], **community: int) -> Day:
    """A day of 48 half-hours on which each household would pay 100 p and saves so many."""
    households = {name: Totals(alone=pence(100), market=pence(100) - p * pence(1)) for name, p in saving.items()}
    return Day(households, **{"half_hours": 48, "balanced": 48, **community})


def plain(roof: int = 10, flat: int = 4, shop: int = 6) -> Day:
    return day({"roof": roof, "flat": flat, "shop": shop})


def test_tiers_are_those_of_the_terms() -> None:
    assert [results.tier(good) for good in (0, 4, 5, 9, 10, 20, 39, 40, 79, 80, 1000)] == [
        0,
        0,
        1,
        1,
        2,
        3,
        3,
        4,
        4,
        5,
        5,
    ]


def test_households_are_called_as_in_the_paper(shipped: Base) -> None:
    names = {name: results.label(shipped, name) for name in ("sunny", "breezy", "stormy", "mild")}
    assert names == {
        "sunny": "prosumer 1 (sunny)",
        "breezy": "prosumer 3 (breezy)",
        "stormy": "consumer 1 (stormy)",
        "mild": "consumer 7 (mild)",
    }
    assert results.groups(shipped) == {
        "regular": ["balmy", "mild"],
        "largest": ["rainy"],
        "ordinary": ["cloudy", "misty"],
        "irregular": ["stormy", "gusty"],
    }


def test_a_month(small: Base) -> None:
    # Two communities over two days; in the second the shop loses 2 p, then gains 1 p.
    played = [(1, [plain(), plain()]), (2, [plain(shop=-2), plain(shop=1)])]
    month = results.month(small, played)
    shop = month["households"][2]
    assert (shop["household"], shop["days_worse"], shop["days"], shop["months_worse"]) == ("shop", 1, 4, 1)
    # 6 % and -0.5 %: mean 2.75, and 12.706 * 3.25 around it.
    assert shop["saving_percent"] == {"mean": "2.8", "low": "-38.5", "high": "44.0", "n": 2}
    assert shop["saving_p_a_day"]["mean"] == "2.75"
    assert (month["household_days"], month["household_days_worse"], month["household_months_worse"]) == (12, 1, 1)
    # 40 p of 600 p, and 27 p of 600 p.
    assert month["saving_percent"]["mean"] == "5.6"
    # In the second community the shop's cost does not fall: two of three.
    assert month["willingness"]["mean"] == "0.833"
    assert month["daily_saving_p"] == {"1": ["20.0000", "20.0000"], "2": ["12.0000", "15.0000"]}
    assert (month["half_hours"], month["balanced"]) == (192, 192)


def test_strategies_are_set_against_the_same_days_without(small: Base) -> None:
    played: dict[Any, Any] = {("month", seed): [plain(), plain(roof=0)] for seed in (1, 2)}
    for strategy in strategies(small):
        for seed in (1, 2):
            played["strategy", strategy.key, seed] = [plain(roof=7, flat=5, shop=6 + seed)]
    found = {entry["strategy"]: entry for entry in results.strategic(small, SIZE, played)}
    # Roof alone has panels; the shop uses most. Only the first day is compared, of 10, 4 and 6 p.
    quotes = found["quote-200"]
    assert (quotes["actors"], quotes["gain_p_a_day"]["mean"], quotes["others_p_a_day"]["mean"]) == (
        ["roof"],
        "-3.00",
        "2.50",
    )
    assert (found["bid-150"]["actors"], found["bid-150"]["gain_p_a_day"]["mean"]) == (["shop"], "1.50")
    assert found["bid-150"]["others_p_a_day"]["mean"] == "-2.00"
    assert (found["wash"]["actors"], found["wash"]["gain_p_a_day"]["mean"]) == (["roof", "shop"], "-1.50")
    assert (found["silence"]["actors"], found["silence"]["gain_p_a_day"]["mean"]) == (["flat", "shop"], "2.50")


def bidding(**deals: int) -> Day:
    """A day on which each consumer opened 10 bids, of which so many became deals."""
    made = day(dict.fromkeys(deals, 0))
    for name, won in deals.items():
        own = made.households[name]
        own.bids, own.deals, own.wanted, own.won = 10, won, 1000, 100 * won
    return made


def test_deals(shipped: Base) -> None:
    paper = dict(balmy=9, mild=8, rainy=7, cloudy=5, misty=4, stormy=1, gusty=2)
    other = dict(paper, rainy=9)
    played: dict[Any, Any] = {("month", seed): [bidding(**other), bidding(**paper)] for seed in (1, 2)}
    for step in STEPS:
        for shuffled in (False, True):
            if (step, shuffled) != AS_MONTH:
                for seed in (1, 2):
                    played["deals", step, shuffled, seed] = [
                        bidding(**paper),
                        bidding(**(paper if seed == 1 else other)),
                    ]
    found = {(entry["priority_step"], entry["shuffled"]): entry for entry in results.deals(shipped, SIZE, played)}
    assert set(found) == {(step, shuffled) for step in STEPS for shuffled in (False, True)}
    # The day of warm-up, on which rainy came before balmy and mild, does not count.
    month = found[AS_MONTH]
    assert (month["in_order"], month["communities"], month["mean_in_order"]) == (2, 2, True)
    assert {name: entry["mean"] for name, entry in month["groups"].items()} == {
        "regular": "85.0",
        "largest": "70.0",
        "ordinary": "45.0",
        "irregular": "15.0",
    }
    assert month["households"]["gusty"]["deals_percent"]["mean"] == "20.0"
    # In one of two communities rainy came first.
    other_step = found[0, True]
    assert (other_step["in_order"], other_step["regular_before_irregular"]) == (1, True)


def test_gas_per_household() -> None:
    weighed = Gas()
    for gas in (30_000, 50_000):
        weighed.add("submit_bid", gas)
    weighed.add("match_bids", 100_000)
    found = results.gas(4, weighed)
    # 180 000 gas over four households and the three half-hours that are weighed.
    assert (found["gas_per_household"], found["by_function"]["submit_bid"]) == ("15000", "6667")
    assert (found["largest_call"], found["largest_gas"]) == ("match_bids", 100_000)


@pytest.mark.parametrize("kind", ["stress", "wind"])
def test_compared_with_the_same_days_as_they_were(kind: str) -> None:
    played: dict[Any, Any] = {("month", seed): [plain(), plain(shop=-50)] for seed in (1, 2)}
    played |= {(kind, seed): [plain(shop=-10)] for seed in (1, 2)}
    found = results.compared(played, kind, SIZE)
    assert (found["plain"]["saving_p_a_day"]["mean"], found[kind]["saving_p_a_day"]["mean"]) == ("20.00", "4.00")
    assert (found["plain"]["households_worse"], found[kind]["households_worse"]) == (0, 2)
    # The shop paid 110 p instead of 100 p.
    assert found[kind]["largest_loss_percent"] == "10.0"
