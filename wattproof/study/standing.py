"""What standing does, as results: the paper's figure 15 in communities as it describes them, by priority step; what
farmed standing is worth at each; and what bids bring that are opened only so as to have asked."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from wattproof.simulation.accounting import tier
from wattproof.study.communities import Base
from wattproof.study.numbers import decimal, interval, proportion
from wattproof.study.plan import FARMED, LADDER, USUAL_RUNG, Size
from wattproof.study.results import (
    Played,
    change,
    deal_percent,
    falls,
    good_percent,
    groups,
    of_kind,
    priority,
)
from wattproof.study.runs import Day, together
from wattproof.study.strategies import asking
from wattproof.terms.model import TIER_THRESHOLDS

WINDOWS = ("first", "later", "last")
"""What the days that count are called: the first of a market, those after the warm-up, the last of a month."""

RANKINGS = {False: "amount", True: "price"}
"""What bids rank by, by whether they rank by price."""

COMPARED = ("performances", "defaults", "bids", "deals", "wanted", "won")
"""What a replay says of a household."""

CLAIMS = {
    "order": ("regular", "largest", "ordinary", "irregular"),
    "standing": ("regular", "ordinary", "irregular"),
    "accuracy": ("regular", "irregular"),
    "size": ("largest", "regular"),
}
"""Groups of consumers that may come one before the other, by the chance of their bids: the paper's whole order; the
order without the largest, which is standing's alone; its ends; and the largest before all others."""


def gather(base: Base, size: Size, played: Played) -> dict[str, Any]:
    """The results, from what the tasks returned by key."""
    return {
        "described": described(base, size, played),
        "farming": farming(base, size, played),
        "asking": asked(base, size, played),
    }


# ---- communities as described ------------------------------------------------------------------


def described(base: Base, size: Size, played: Played) -> dict[str, Any]:
    """At each rung of the ladder the chances of the groups, and in how many communities the claims hold."""
    climbed = [result for _, result in of_kind(played, "described")]
    steps = []
    for at, (by_price, step) in enumerate(LADDER):
        windows = {
            name: _claims(base, [result[LADDER[at]][window] for result in climbed])
            for window, name in enumerate(WINDOWS)
        }
        steps.append({"rung": rung(by_price, step), "rank_by_price": by_price, "priority_step": step, **windows})
    return {"communities": len(climbed), "days": size.deal_days, **_agreeing(size, played), "steps": steps}


def rung(by_price: bool, step: int) -> str:
    """A rung's name: "amount-500"."""
    return f"{RANKINGS[by_price]}-{step}"


def _claims(base: Base, days: list[Day]) -> dict[str, Any]:
    chances = {key: [deal_percent(day, names) for day in days] for key, names in groups(base).items()}
    held = {}
    for claim, order in CLAIMS.items():
        # Of groups that the file does not have nothing is known.
        cases = range(len(days) if all(key in chances for key in order) else 0)
        held[claim] = proportion(sum(falls([chances[key][at] for key in order]) for at in cases), len(cases))
    return {"groups": {key: interval(values, 1) for key, values in chances.items()}, **held}


def _agreeing(size: Size, played: Played) -> dict[str, int]:
    """In how many of the communities that were played on the contract, too, the replay says the same of everybody."""
    agree = 0
    on_contract = of_kind(played, "as-described")
    for (_, seed), days in on_contract:
        replayed: Mapping[tuple[bool, int], list[Day]] = played["described", seed]
        expected = [together(days[window]) for window in size.windows[: len(WINDOWS) - 1]]
        pairs = zip(expected, replayed[USUAL_RUNG], strict=False)
        agree += all(_record(one) == _record(other) for one, other in pairs)
    return {"on_contract": len(on_contract), "agree": agree}


def _record(day: Day) -> dict[str, tuple[int, ...]]:
    return {name: tuple(getattr(own, key) for key in COMPARED) for name, own in day.households.items()}


# ---- what standing is worth ----------------------------------------------------------------------


def farming(base: Base, size: Size, played: Played) -> list[dict[str, Any]]:
    """What farmed standing brings the largest consumer at each step, and costs all others, in pence a day."""
    seeds = [key[1] for key, _ in of_kind(played, "month")][: size.variants]
    player = base.largest_consumer
    others = [name for name in base.names if name != player]
    made = []
    for step in FARMED:
        usual = (False, step) == USUAL_RUNG
        keys = [
            (("strategy", "farm", seed), ("month", seed))
            if usual
            else (("farmed", step, True, seed), ("farmed", step, False, seed))
            for seed in seeds
        ]
        pairs = [(together(played[one]), together(played[other][: size.short])) for one, other in keys if one in played]
        made.append(
            {
                "step": f"step-{step}",
                "priority": priority(step),
                "weight": decimal(1 + Fraction(len(TIER_THRESHOLDS) * step, 10_000)),
                "player": change(pairs, lambda day: day.of([player] if player else []).saving),
                "others": change(pairs, lambda day: day.of(others).saving),
            }
        )
    return made


def asked(base: Base, size: Size, played: Played) -> list[dict[str, Any]]:
    """What bids bring that are opened so as to have asked, under both rankings, against the same days without."""
    seeds = [key[1] for key, _ in of_kind(played, "month")][: size.variants]
    made = []
    for by_price in (False, True):
        for strategy in asking(base):
            pairs = [
                (
                    together(played["asking", by_price, strategy.key, seed]),
                    together(played[("ranking", "one", True, seed) if by_price else ("month", seed)][: size.warm_up]),
                )
                for seed in seeds
            ]
            actors = list(strategy.conduct)
            others = [name for name in base.names if name not in actors]
            good, plain = ([good_percent(day.of(actors)) for day in days] for days in zip(*pairs, strict=True))
            made.append(
                {
                    "strategy": f"{strategy.key}-{RANKINGS[by_price]}",
                    "title": strategy.title,
                    "ranking": RANKINGS[by_price],
                    "actors": actors,
                    "gain_p_a_day": change(pairs, lambda day, names=actors: day.of(names).saving),
                    "others_p_a_day": change(pairs, lambda day, names=others: day.of(names).saving),
                    "fees_p_a_day": change(pairs, lambda day: day.fees),
                    "good_percent": interval(good, 1),
                    "good_percent_without": interval(plain, 1),
                    "tier": interval([tier(day.of(actors).performances) for day, _ in pairs], 1),
                    "tier_without": interval([tier(day.of(actors).performances) for _, day in pairs], 1),
                }
            )
    return made
