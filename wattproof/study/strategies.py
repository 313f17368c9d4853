"""Households that act otherwise than the rest, whose gain is counted."""

from __future__ import annotations

from dataclasses import dataclass

from wattproof.simulation.households import Habit
from wattproof.simulation.trading_day import Conduct
from wattproof.study.communities import Base, draw
from wattproof.terms.model import TIER_THRESHOLDS

FARM = Conduct(farmed=TIER_THRESHOLDS[-1])
"""A household that comes with the highest tier, and has done nothing for it."""


@dataclass(frozen=True)
class Strategy:
    """Households that act otherwise than the rest, the keys of `conduct`, and whose gain is counted."""

    key: str
    title: str
    conduct: dict[str, Conduct]


def strategies(base: Base) -> list[Strategy]:
    """The strategies, played by the prosumer that generates most and by the consumer that uses most; those that need a
    household that the file does not have are left out."""
    seller = max(sorted(base.prosumers), key=base.generation, default=None)
    buyer = base.largest_consumer
    made: list[Strategy] = []
    if seller:
        waivers = "a prosumer quotes 103 % of its forecast, for the waivers"
        made += [
            Strategy("quote-125", "a prosumer quotes 125 % of its forecast", {seller: Conduct(quotes=1250)}),
            Strategy("quote-200", "a prosumer quotes 200 % of its forecast", {seller: Conduct(quotes=2000)}),
            Strategy("quote-80", "a prosumer quotes 80 % of its forecast", {seller: Conduct(quotes=800)}),
            Strategy("quote-103", waivers, {seller: Conduct(quotes=1030)}),
        ]
    if buyer:
        made += [
            Strategy("bid-150", "a consumer bids for 150 % of its forecast", {buyer: Conduct(bids=1500)}),
            Strategy("bid-50", "a consumer bids for 50 % of its forecast", {buyer: Conduct(bids=500)}),
            Strategy("reveal-50", "a consumer opens half of its bids", {buyer: Conduct(reveals=500)}),
            Strategy("reveal-0", "a consumer opens none and buys what is left", {buyer: Conduct(reveals=0)}),
            Strategy("silence", "no consumer opens a bid", {name: Conduct(reveals=0) for name in base.consumers}),
            Strategy("farm", "a consumer farms standing beforehand, by trades of 1 Wh", {buyer: FARM}),
        ]
    if seller and buyer:
        phantom, silent = Conduct(phantom=True), Conduct(phantom=True, silent=True)
        partners = {seller: Conduct(), buyer: Conduct(partner=seller)}
        made += [
            Strategy("phantom", "a consumer quotes all that its wire carries, and has none", {buyer: phantom}),
            Strategy("phantom-silent", "a consumer does so, and its meter is silent", {buyer: silent}),
            Strategy("wash", "a prosumer and a consumer trade with each other at the highest price", partners),
        ]
    return made


def asking(base: Base) -> list[Strategy]:
    """Bids that are opened only so as to have asked (T-STD-7, T-STD-12): by the consumer that uses most, and by the
    irregular one that does, whose forecasts are seldom right."""
    buyer = base.largest_consumer
    irregular = max(base.consumers_of(Habit.IRREGULAR), key=base.load, default=None)
    made: list[Strategy] = []
    if buyer:
        tenth, tenfold = Conduct(bids=100, decoys=900), Conduct(decoys=9000)
        made += [
            Strategy("low", "a consumer bids the lowest price for all that it needs", {buyer: Conduct(eager=0)}),
            Strategy("tenth", "a consumer bids for a tenth, and only asks for the rest", {buyer: tenth}),
            Strategy("tenfold", "a consumer bids for all, and only asks for nine times that", {buyer: tenfold}),
        ]
    if irregular:
        two = Conduct(bids=900, decoys=200)
        title = "an irregular consumer has two forecasts: 90 % agreed, 110 % asked"
        made.append(Strategy("two", title, {irregular: two}))
    return made


EAGER = 2000
"""Thousandths of the way from the quotes' price to the usual bid price, at which the most eager household bids."""


def own_prices(base: Base, seed: int) -> dict[str, Conduct]:
    """Households that bid at prices of their own: each at a drawn part of the way from the quotes' price to the usual
    bid price, up to twice as far."""
    return {name: Conduct(eager=draw(f"{seed}:eager:{name}", EAGER + 1)) for name in base.names}
