"""What the study makes of days: on days made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from wattproof.market.units import pence
from wattproof.study import results
from wattproof.study.communities import Base
from wattproof.study.plan import AS_MONTH, STEPS, Size
from wattproof.study.runs import Day, Gas, Totals
from wattproof.study.strategies import own_prices, strategies

SIZE = Size("made", 1, 2, 2, 2, 1, 1, 2, (3,), 2)


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
            played["strategy", strategy.key, seed][0].fees = (seed - 1) * pence(1)
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
    assert found["phantom"]["fees_p_a_day"]["mean"] == "0.50"
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


def test_rankings(small: Base) -> None:
    # The day of warm-up does not count, but for what is compared with the first days: the attacks.
    played: dict[Any, Any] = {("month", seed): [plain(), plain(roof=12)] for seed in (1, 2)}
    for seed in (1, 2):
        played["ranking", "one", True, seed] = [plain(roof=1), plain(roof=9, flat=4 + seed)]
        for by_price in (False, True):
            played["ranking", "own", by_price, seed] = [plain(), plain(shop=6 + by_price)]
            played["shill", by_price, seed] = [plain(roof=0, flat=1, shop=7)]
        played["farm", True, seed] = [plain(shop=9)]
        played["strategy", "farm", seed] = [plain(shop=8)]
    played["month", 1][1].fees, played["ranking", "one", True, 1][1].fees = pence(2), pence(5)
    found = results.ranking(small, SIZE, played)

    assert (found["communities"], found["days"], found["short"]) == (2, 1, 1)
    one = {entry["household"]: entry for entry in found["one"]["households"]}
    assert [one["roof"][key]["mean"] for key in ("amount", "price", "change")] == ["12.00", "9.00", "-3.00"]
    # 1 p more in the first community, 2 p in the second: 12.706 * 0.5 around it.
    assert one["flat"]["change"] == {"mean": "1.50", "low": "-4.85", "high": "7.85", "n": 2}
    assert found["one"]["prosumers"] == {key: one["roof"][key] for key in ("amount", "price", "change")}
    assert found["one"]["consumers"]["change"]["mean"] == "0.75"
    assert found["one"]["community"]["change"]["mean"] == "-0.50"
    assert found["one"]["fees"]["change"]["mean"] == "1.50"
    # Who bids high and low is drawn for each community; with one price nobody does.
    assert found["one"]["eager"]["change"]["n"] == 0
    own = found["own"]["households"][2]
    assert (own["household"], own["change"]["mean"]) == ("shop", "1.00")
    high = [[name for name in ("flat", "shop") if own_prices(small, seed)[name].eager > 1000] for seed in (1, 2)]
    changes = [("shop" in names) / len(names) for names in high if names]
    assert found["own"]["eager"]["change"]["n"] == len(changes)
    assert float(found["own"]["eager"]["change"]["mean"]) == sum(changes) / len(changes)

    # Against the first day: the shop uses most and attacks. By price the plain day is the one by price.
    amount, price = found["shill"]["amount"], found["shill"]["price"]
    assert [amount[who]["mean"] for who in ("player", "prosumers", "consumers")] == ["1.00", "-10.00", "-3.00"]
    assert [price[who]["mean"] for who in ("player", "prosumers", "consumers")] == ["1.00", "-1.00", "-3.00"]
    # 12 p less are saved, and no fee is paid: the supplier has them.
    assert (amount["supplier"]["mean"], amount["owner"]["mean"]) == ("12.00", "0.00")
    assert [found["farm"][key]["player"]["mean"] for key in ("amount", "price")] == ["2.00", "3.00"]


def test_a_community_without_consumers_is_not_attacked(small: Base) -> None:
    played: dict[Any, Any] = {("month", seed): [plain(), plain()] for seed in (1, 2)}
    for seed in (1, 2):
        for prices, by_price in (("one", True), ("own", False), ("own", True)):
            played["ranking", prices, by_price, seed] = [plain(), plain()]
    found = results.ranking(small, SIZE, played)
    assert found["shill"]["price"]["player"] == {"mean": None, "low": None, "high": None, "n": 0}


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
