"""Criterion 2, at the bounds: each stands exactly where the terms put it, the last value inside and the first outside.

Random histories come to a bound that lies far off once in a thousand calls; these go there every time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import boa
import pytest

from verification.harness import presets
from verification.harness.counters import holds
from verification.harness.lockstep import (
    CAPACITY,
    HOUSEHOLDS,
    MAX_CAPACITY,
    STRANGER,
    Lockstep,
)
from wattproof.market.abi import revert_reason, word
from wattproof.market.deployment import deployer
from wattproof.market.trace import Outcome
from wattproof.terms.model import Phase

WEEK = 604_800
PRICE = 2**96
MONEY = 2**104
MAX_TRADES = 256
PROSUMER, CONSUMER, OTHER = HOUSEHOLDS[:3]


class Presets:
    """Where these tests begin; they are prepared before them."""

    preset_names = ("fresh", "dear")  # in which everybody has the usual capacity


class Bound(NamedTuple):
    """A bound of a call: the call as made with a value, the values inside and outside, the reason outside."""

    call: Callable[[Lockstep, int], Outcome]
    inside: int
    outside: int
    reason: str


def quoted(lockstep: Lockstep, volume: int = 100, price: int | None = None) -> int:
    """The number of a new quote."""
    price = lockstep.tariff.lowest_price if price is None else price
    number = lockstep.call("submit_quote", lockstep.next_period(), volume, price, sender=PROSUMER).result
    assert number is not None
    return number


def quoting(**changes: int) -> Callable[[Lockstep, int], Outcome]:
    """A quote with one argument of its own choice."""

    def call(lockstep: Lockstep, value: int) -> Outcome:
        args = {"period": lockstep.next_period(), "volume": 100, "price": lockstep.tariff.lowest_price}
        args |= {name: value for name in changes}
        return lockstep.call("submit_quote", *args.values(), sender=PROSUMER)

    return call


def opening(which: str) -> Callable[[Lockstep, int], Outcome]:
    """The opening of a bid that was sealed with one value of its own choice, on a quote in the middle of the band."""

    def call(lockstep: Lockstep, value: int) -> Outcome:
        t = lockstep.tariff
        number = quoted(lockstep, price=(t.lowest_price + t.highest_price) // 2)
        price, volume = (value, 100) if which == "price" else (t.highest_price, value)
        lockstep.bid(number, CONSUMER, price, volume)
        lockstep.to(Phase.REVEALING, lockstep.model.quote(number).period)
        return lockstep.reveal(number, CONSUMER, price, volume)

    return call


def buying(lockstep: Lockstep, value: int) -> Outcome:
    """The purchase of surplus of a quote of 100 Wh."""
    number = on_sale(lockstep, 100)
    return lockstep.call("buy_surplus", number, value, sender=CONSUMER)


def depositing(lockstep: Lockstep, value: int) -> Outcome:
    """A deposit after which the market would hold `value`."""
    lockstep.give(STRANGER, MONEY)
    return lockstep.call("deposit", value - lockstep.model.held, sender=STRANGER)


def on_sale(lockstep: Lockstep, volume: int) -> int:
    """The number of a new quote that is matched without bids."""
    number = quoted(lockstep, volume)
    lockstep.to(Phase.MATCHING, lockstep.model.quote(number).period)
    lockstep.call("match_bids", number, sender=STRANGER)
    return number


def authorising(revoked: bool = False) -> Callable[[Lockstep, int], Outcome]:
    """The authorisation of a household with a capacity of its own choice."""

    def call(lockstep: Lockstep, value: int) -> Outcome:
        if revoked:
            lockstep.call("revoke", CONSUMER, sender="owner")
        return lockstep.call("authorize", CONSUMER, value, sender="owner")

    return call


def claiming(buys: bool) -> Callable[[Lockstep, int], Outcome]:
    """A bid opened, or a purchase made, by who opened a bid for 100 Wh in the period already."""

    def call(lockstep: Lockstep, value: int) -> Outcome:
        t, period = lockstep.tariff, lockstep.next_period()
        first = lockstep.call("submit_quote", period, CAPACITY, t.lowest_price, sender=PROSUMER).result or 0
        second = lockstep.call("submit_quote", period, CAPACITY, t.lowest_price, sender=OTHER).result or 0
        wishes = {first: 100, second: value}
        for number, volume in wishes.items():
            lockstep.bid(number, CONSUMER, t.lowest_price, volume)
        lockstep.to(Phase.REVEALING, period)
        opened = {
            number: lockstep.reveal(number, CONSUMER, t.lowest_price, volume)
            for number, volume in wishes.items()
            if number == first or not buys
        }
        if not buys:
            return opened[second]
        lockstep.to(Phase.MATCHING, period)
        lockstep.call("match_bids", second, sender=STRANGER)
        return lockstep.call("buy_surplus", second, value, sender=CONSUMER)

    return call


def in_advance(volume: int) -> Callable[[Lockstep, int], Outcome]:
    """A purchase of a quote of `volume` Wh, while MATCHING."""
    return lambda lockstep, value: lockstep.call("buy_surplus", on_sale(lockstep, volume), value, sender=CONSUMER)


def of_excess(exported: int) -> Callable[[Lockstep, int], Outcome]:
    """A purchase, in METERING, of an export of so much Wh."""

    def call(lockstep: Lockstep, value: int) -> Outcome:
        number = on_sale(lockstep, 100)
        period = lockstep.model.quote(number).period
        lockstep.to(Phase.METERING, period)
        lockstep.read(PROSUMER, period, exported, 0)
        return lockstep.call("buy_surplus", number, value, sender=CONSUMER)

    return call


def bounds(lockstep: Lockstep) -> list[Bound]:
    """Every bound of an argument, in the words of annex A."""
    t = lockstep.tariff
    middle = (t.lowest_price + t.highest_price) // 2
    far = (lockstep.now + WEEK) // t.period_length
    return [
        Bound(quoting(period=0), far, far + 1, "quotes: period too far ahead"),
        Bound(quoting(volume=0), 1, 0, "quotes: volume out of bounds"),
        Bound(quoting(volume=0), CAPACITY, CAPACITY + 1, "quotes: volume out of bounds"),
        Bound(authorising(), MAX_CAPACITY, MAX_CAPACITY + 1, "accounts: capacity out of bounds"),
        Bound(authorising(), 1, 0, "accounts: capacity out of bounds"),
        Bound(authorising(), CAPACITY, CAPACITY - 1, "accounts: capacity cannot fall"),
        Bound(authorising(revoked=True), CAPACITY, CAPACITY - 1, "accounts: capacity cannot fall"),
        Bound(authorising(), CAPACITY + 1, CAPACITY, "accounts: already authorised"),
        Bound(claiming(buys=False), CAPACITY - 100, CAPACITY - 99, "positions: beyond the capacity"),
        Bound(claiming(buys=True), CAPACITY - 100, CAPACITY - 99, "positions: beyond the capacity"),
        Bound(in_advance(6_400), 100, 99, "surplus: volume too small"),
        Bound(in_advance(6_401), 101, 100, "surplus: volume too small"),
        Bound(in_advance(65), 2, 1, "surplus: volume too small"),
        Bound(of_excess(6_400), 100, 99, "surplus: volume too small"),
        Bound(of_excess(6_401), 101, 100, "surplus: volume too small"),
        Bound(of_excess(6_400), 6_400, 6_401, "surplus: not enough left"),
        Bound(quoting(price=0), t.lowest_price, t.lowest_price - 1, "quotes: price out of band"),
        Bound(quoting(price=0), t.highest_price, t.highest_price + 1, "quotes: price out of band"),
        Bound(opening("volume"), 1, 0, "bids: volume out of bounds"),
        Bound(opening("volume"), 100, 101, "bids: volume out of bounds"),
        Bound(opening("price"), middle, middle - 1, "bids: price out of bounds"),
        Bound(opening("price"), t.highest_price, t.highest_price + 1, "bids: price out of bounds"),
        Bound(buying, 1, 0, "surplus: volume is zero"),
        Bound(buying, 100, 101, "surplus: not enough left"),
        Bound(depositing, MONEY - 1, MONEY, "ledger: too many tokens"),
    ]


@pytest.mark.invariant("C2-BOUND-1")
def test_every_bound_of_a_call() -> None:
    """C2-BOUND-1: beyond the bound the call is refused for it, at the bound it is not, at any second of a period."""
    for preset in Presets.preset_names:
        for later in (0, 1, 599, 1799):
            for which in range(len(bounds(presets.prepared(preset)))):
                for beyond in (False, True):
                    meet(preset, later, which, beyond)


def meet(preset: str, later: int, which: int, beyond: bool) -> None:
    """Goes to one bound, `later` seconds after the end of the preset, or one step beyond it."""
    with presets.prepared(preset).branch() as lockstep:
        lockstep.at(lockstep.now + later)
        bound = bounds(lockstep)[which]
        value = bound.outside if beyond else bound.inside
        outcome = bound.call(lockstep, value)
        refused = outcome.reason == bound.reason
        holds("C2-BOUND-1", refused == beyond, value=value, reason=outcome.reason, bound=bound.reason)


@pytest.mark.invariant("C2-BOUND-4")
def test_no_reading_is_out_of_bounds() -> None:
    """C2-BOUND-4: a true reading is taken whatever it says, and what is above the capacity counts as that."""
    figures = (0, 1, CAPACITY - 1, CAPACITY, CAPACITY + 1, MAX_CAPACITY, MAX_CAPACITY + 1, 2**48, 2**255, 2**256 - 1)
    for exported in figures:
        for imported in (0, CAPACITY, CAPACITY + 1, 2**256 - 1):
            with presets.prepared("fresh").branch() as lockstep:
                lockstep.strict = False  # The model is told, but does not speak first.
                period = lockstep.next_period()
                lockstep.watch(period)
                lockstep.to(Phase.METERING, period)
                told = lockstep.read(CONSUMER, period, exported, imported)
                row = lockstep.observe().readings[lockstep.address(CONSUMER), period]
                counts = (1, min(exported, CAPACITY), min(imported, CAPACITY))
                holds("C2-BOUND-4", told.accepted and row == counts, reason=told.reason, row=row, counts=counts)


SOUND = {"sbp": 6, "ssp": 18, "fee": 1, "length": 1800, "window": 600, "step": 500, "by_price": 0}
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


CROWD = 128
FULL_VOLUME = 64 * 129
"""Wh of which 128 bids of 1 Wh leave 63 purchases of a 64th, and one of 1 Wh."""

FULL_EXPORT = 64 * 8_257
"""Wh of which `FULL_VOLUME` being sold leaves the same again."""


def full_quote(lockstep: Lockstep) -> int:
    """The number of a quote that gets all the trades that it can have, in METERING: 128 bids, 64 purchases, 64 more.

    What is left is looked at before every purchase, and nothing is left in the end.
    """
    t, period = lockstep.tariff, lockstep.next_period()
    crowd = [f"bidder_{number}" for number in range(CROWD)]
    for name in crowd:
        lockstep.enrol(name, 1_000, watch=False)
    for name in HOUSEHOLDS:
        lockstep.call("authorize", name, MAX_CAPACITY, sender="owner")
    number = quoted(lockstep, FULL_VOLUME)
    for name in crowd:
        lockstep.bid(number, name, t.lowest_price, 1)
    lockstep.to(Phase.REVEALING, period)
    for name in crowd:
        lockstep.reveal(number, name, t.lowest_price, 1)
    lockstep.to(Phase.MATCHING, period)
    lockstep.call("match_bids", number, sender=STRANGER)
    bought_up(lockstep, number, FULL_VOLUME, CROWD)
    lockstep.to(Phase.METERING, period)
    lockstep.read(PROSUMER, period, FULL_EXPORT, 0)
    bought_up(lockstep, number, FULL_EXPORT, FULL_VOLUME)
    return number


def bought_up(lockstep: Lockstep, number: int, offered: int, sold: int) -> None:
    """Buys what is left of a quote by the least that can be bought, again and again."""
    while left := offered - sold:
        holds("C2-BOUND-3", remaining(lockstep, number) == left, left=left, remaining=remaining(lockstep, number))
        volume = min(left, offered // 64)
        outcome = lockstep.call("buy_surplus", number, volume, sender=HOUSEHOLDS[1 + left % 5])
        holds("C2-BOUND-3", outcome.accepted, left=left, reason=outcome.reason)
        sold += volume
    holds("C2-BOUND-3", remaining(lockstep, number) == 0, left=remaining(lockstep, number))


@pytest.mark.invariant("C2-BOUND-3")
def test_the_last_trade_of_a_quote() -> None:
    """C2-BOUND-3: by the least purchases a quote comes to 256 trades just as all of it is sold, and they all settle."""
    with presets.prepared("fresh").branch() as lockstep:
        number = full_quote(lockstep)
        trades = len(lockstep.market.trades(number))
        holds("C2-BOUND-3", trades == MAX_TRADES, trades=trades)
        outcome = lockstep.call("buy_surplus", number, 1, sender=CONSUMER)
        holds("C2-BOUND-3", outcome.reason == "surplus: too many trades", reason=outcome.reason)
        lockstep.to(Phase.SETTLING, lockstep.model.quote(number).period)
        holds("C2-BOUND-3", lockstep.call("settle_quote", number, sender="owner").accepted)
        lockstep.compare()


def remaining(lockstep: Lockstep, number: int) -> Any:
    """What the market says is left of a quote."""
    return lockstep.market.remaining(number)
