"""Criterion 2, at the bounds: each stands exactly where the terms put it, the last value inside and the first outside.

Random histories come to a bound that lies far off once in a thousand calls; these go there every time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import boa
import pytest

from tests.properties import seasons
from tests.properties.evidence import holds
from tests.properties.machine import salt_of
from tests.properties.symbols import seal_bytes, word
from tests.properties.twin import HOUSEHOLDS, STRANGER, Outcome, Twin, revert_reason
from wattproof.deployment import deployer

WEEK = 604_800
ENERGY = 2**48
PRICE = 2**96
MONEY = 2**104
MOST_TRADES = 256
PROSUMER, CONSUMER = HOUSEHOLDS[0], HOUSEHOLDS[1]


class Seasons:
    """Where these tests begin; they are prepared before them."""

    season_names = ("fresh", "dear")


class Bound(NamedTuple):
    """A bound of a call: the call as made with a value, the values inside and outside, the reason outside."""

    call: Callable[[Twin, int], Outcome]
    inside: int
    outside: int
    reason: str


def period_of(twin: Twin) -> int:
    """A period in BIDDING."""
    return (twin.now + 2 * twin.tariff.window) // twin.tariff.period_length + 1


def quoted(twin: Twin, volume: int = 100, price: int | None = None) -> int:
    """The number of a new quote."""
    price = twin.tariff.lowest_price if price is None else price
    number = twin.call("submit_quote", period_of(twin), volume, price, sender=PROSUMER).result
    assert number is not None
    return number


def quoting(**changes: int) -> Callable[[Twin, int], Outcome]:
    """A quote with one argument of its own choice."""

    def call(twin: Twin, value: int) -> Outcome:
        args = {"period": period_of(twin), "volume": 100, "price": twin.tariff.lowest_price}
        args |= {name: value for name in changes}
        return twin.call("submit_quote", *args.values(), sender=PROSUMER)

    return call


def opening(which: str) -> Callable[[Twin, int], Outcome]:
    """The opening of a bid that was sealed with one value of its own choice, on a quote in the middle of the band."""

    def call(twin: Twin, value: int) -> Outcome:
        t = twin.tariff
        number = quoted(twin, price=(t.lowest_price + t.highest_price) // 2)
        wish = {"price": t.highest_price, "volume": 100} | {which: value}
        salt = salt_of(number, CONSUMER)
        fields = (twin.chain, twin.target, number, twin.address(CONSUMER), *wish.values(), salt)
        twin.call("submit_bid", number, seal_bytes(fields), sender=CONSUMER)
        twin.at(twin.model.quote(number).period * t.period_length - 2 * t.window)
        return twin.call("reveal_bid", number, *wish.values(), salt, sender=CONSUMER)

    return call


def buying(twin: Twin, value: int) -> Outcome:
    """The purchase of surplus of a quote of 100 Wh."""
    number = on_sale(twin, 100)
    return twin.call("buy_surplus", number, value, sender=CONSUMER)


def depositing(twin: Twin, value: int) -> Outcome:
    """A deposit after which the market would hold `value`."""
    twin.give(STRANGER, MONEY)
    return twin.call("deposit", value - twin.model.held, sender=STRANGER)


def on_sale(twin: Twin, volume: int) -> int:
    """The number of a new quote that is matched without bids."""
    number = quoted(twin, volume)
    twin.at(twin.model.quote(number).period * twin.tariff.period_length - twin.tariff.window)
    twin.call("match_bids", number, sender=STRANGER)
    return number


def reading(exported: bool) -> Callable[[Twin, int], Outcome]:
    """A reading with one energy of its own choice."""

    def call(twin: Twin, value: int) -> Outcome:
        period = period_of(twin)
        twin.at((period + 1) * twin.tariff.period_length)
        energies = (value, 0) if exported else (0, value)
        signed = twin.reading(CONSUMER, period, *energies)
        return twin.call("submit_reading", CONSUMER, period, *energies, signed, sender=STRANGER)

    return call


def bounds(twin: Twin) -> list[Bound]:
    """Every bound of an argument, in the words of annex A."""
    t = twin.tariff
    middle = (t.lowest_price + t.highest_price) // 2
    far = (twin.now + WEEK) // t.period_length
    return [
        Bound(quoting(period=0), far, far + 1, "quotes: period too far ahead"),
        Bound(quoting(volume=0), 1, 0, "quotes: volume out of bounds"),
        Bound(quoting(volume=0), ENERGY - 1, ENERGY, "quotes: volume out of bounds"),
        Bound(quoting(price=0), t.lowest_price, t.lowest_price - 1, "quotes: price out of band"),
        Bound(quoting(price=0), t.highest_price, t.highest_price + 1, "quotes: price out of band"),
        Bound(opening("volume"), 1, 0, "bids: volume out of bounds"),
        Bound(opening("volume"), 100, 101, "bids: volume out of bounds"),
        Bound(opening("price"), middle, middle - 1, "bids: price out of bounds"),
        Bound(opening("price"), t.highest_price, t.highest_price + 1, "bids: price out of bounds"),
        Bound(buying, 1, 0, "surplus: volume is zero"),
        Bound(buying, 100, 101, "surplus: not enough left"),
        Bound(depositing, MONEY - 1, MONEY, "ledger: too many tokens"),
        Bound(reading(exported=True), ENERGY - 1, ENERGY, "metering: reading out of bounds"),
        Bound(reading(exported=False), ENERGY - 1, ENERGY, "metering: reading out of bounds"),
    ]


@pytest.mark.invariant("C2-BOUND-1")
def test_every_bound_of_a_call() -> None:
    """C2-BOUND-1: beyond the bound the call is refused for it, at the bound it is not, at any second of a period."""
    for season in Seasons.season_names:
        for later in (0, 1, 599, 1799):
            for which in range(len(bounds(seasons.prepared(season)))):
                for beyond in (False, True):
                    meet(season, later, which, beyond)


def meet(season: str, later: int, which: int, beyond: bool) -> None:
    """Goes to one bound, `later` seconds after the end of the season, or one step beyond it."""
    with seasons.prepared(season).branch() as twin:
        twin.at(twin.now + later)
        bound = bounds(twin)[which]
        value = bound.outside if beyond else bound.inside
        outcome = bound.call(twin, value)
        refused = outcome.reason == bound.reason
        holds("C2-BOUND-1", refused == beyond, value=value, reason=outcome.reason, bound=bound.reason)


SOUND = {"sbp": 6, "ssp": 18, "fee": 1, "length": 1800, "window": 600, "step": 500}
DEPLOYMENTS: list[tuple[dict[str, int], dict[str, int], str]] = [
    ({"sbp": 1}, {"sbp": 0}, "tariff: sbp is zero"),
    ({"ssp": PRICE - 1}, {"ssp": PRICE}, "tariff: ssp out of bounds"),
    ({"ssp": 8}, {"ssp": 7}, "tariff: no price band"),
    ({"fee": 6}, {"fee": 7}, "tariff: no price band"),
    ({"fee": 0, "ssp": 6}, {"fee": 0, "ssp": 5}, "tariff: no price band"),
    ({"length": 1}, {"length": 0}, "clock: period length is zero"),
    ({"window": 1}, {"window": 0}, "clock: window is zero"),
    ({"step": 10_000}, {"step": 10_001}, "matching: priority step out of bounds"),
]
"""What a deployment still accepts, what it no longer does, and the reason."""


def deployed(changes: dict[str, int]) -> str | None:
    """Why a deployment with these numbers is refused; None where it is not."""
    parties = (int(str(boa.env.generate_address(name)), 16) for name in ("token", "supplier"))
    with boa.env.anchor():
        args = b"".join(map(word, (*parties, *(SOUND | changes).values())))
        _, computation = boa.env.deploy(bytecode=deployer("EnergyMarket").compiler_data.bytecode + args)
    return revert_reason(computation.output) if computation.is_error else None


@pytest.mark.invariant("C2-BOUND-2")
def test_every_bound_of_a_deployment() -> None:
    """C2-BOUND-2: each number of a deployment at both sides of its bound, the others sound."""
    for inside, outside, reason in DEPLOYMENTS:
        holds("C2-BOUND-2", deployed(inside) is None, numbers=inside, reason=deployed(inside))
        holds("C2-BOUND-2", deployed(outside) == reason, numbers=outside, reason=deployed(outside), terms=reason)


@pytest.mark.invariant("C2-BOUND-3")
def test_the_last_trade_of_a_quote() -> None:
    """C2-BOUND-3: 256 trades are made, nothing is left then, however much of the quote is not sold, and all settle."""
    with seasons.prepared("fresh").branch() as twin:
        number = on_sale(twin, MOST_TRADES + 44)
        for made in range(MOST_TRADES):
            holds("C2-BOUND-3", remaining(twin, number) == MOST_TRADES + 44 - made, trades=made)
            outcome = twin.call("buy_surplus", number, 1, sender=HOUSEHOLDS[1 + made % 5])
            holds("C2-BOUND-3", outcome.accepted, trades=made, reason=outcome.reason)
        holds("C2-BOUND-3", remaining(twin, number) == 0, left=remaining(twin, number))
        outcome = twin.call("buy_surplus", number, 1, sender=CONSUMER)
        holds("C2-BOUND-3", outcome.reason == "surplus: too many trades", reason=outcome.reason)
        period, t = twin.model.quote(number).period, twin.tariff
        twin.at((period + 1) * t.period_length)
        twin.call("submit_reading", PROSUMER, period, 99, 0, twin.reading(PROSUMER, period, 99, 0), sender=STRANGER)
        twin.at((period + 1) * t.period_length + t.window)
        holds("C2-BOUND-3", twin.call("settle_quote", number, sender="owner").accepted)
        twin.compare()


def remaining(twin: Twin, number: int) -> Any:
    """What the market says is left of a quote."""
    return twin.market.remaining(number)
