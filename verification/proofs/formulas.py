"""The settlement's arithmetic and the periods' places, written once: for whole numbers and for z3's terms alike.

`proofs` proves claims about these functions, `ties` shows that they are what the contract's source says, and
`tests/evidence/test_symbolic.py` compares them with what the contract does. Energy is in Wh, money in base units,
prices and the fee in base units per Wh. `//` on whole numbers is Vyper's: all operands are at least 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

TOP_TIER = 5
FIRST_THRESHOLD = 5

Number = Any
"""A whole number or a z3 integer term."""

Truth = Any
"""A bool or a z3 Boolean term."""


def floor(dividend: Number, divisor: Number) -> Number:
    """`dividend // divisor`, for a dividend of at least 0 and a divisor above 0."""
    if isinstance(dividend, int) and isinstance(divisor, int):
        return dividend // divisor
    return dividend / divisor  # What z3 writes `/` is Euclid's division on integers.


def either(condition: Truth, one: Number, other: Number) -> Number:
    """`one` where the condition holds, else `other`."""
    if isinstance(condition, bool):
        return one if condition else other
    import z3

    return z3.If(condition, one, other)


def least(one: Number, other: Number) -> Number:
    """The smaller of two numbers."""
    return either(one <= other, one, other)


def greatest(one: Number, other: Number) -> Number:
    """The larger of two numbers."""
    return either(one <= other, other, one)


# ---- before the delivery -----------------------------------------------------------------


def escrow(volume: Number, price: Number, fee: Number) -> Number:
    """What a bid or a purchase reserves (T-BID-12, T-SUR-8)."""
    return volume * (price + fee)


def collateral(volume: Number, ssp: Number) -> Number:
    """What a quote reserves (T-QUO-10)."""
    return floor(volume * ssp * 10, 100)


# ---- standing ------------------------------------------------------------------------------


def tier(performances: Number) -> Number:
    """The number of thresholds 5, 10, 20, 40, 80 that are reached (T-STD-2)."""
    reached: Number = 0
    threshold = FIRST_THRESHOLD
    for _ in range(TOP_TIER):
        reached = reached + either(performances >= threshold, 1, 0)
        threshold *= 2
    return reached


def charge(volume: Number, fee: Number, standing: Number) -> Number:
    """The fee on `volume` Wh at the tier `standing`, before waivers (T-SET-14, T-STD-3)."""
    return floor(volume * fee * (TOP_TIER - standing), TOP_TIER)


def paid(due_fee: Number, waivers: Number) -> Number:
    """The fee that is paid: nothing where a waiver is in hand (T-SET-13)."""
    return either(waivers > 0, 0, due_fee)


def waivers_left(due_fee: Number, waivers: Number) -> Number:
    """Waivers in hand after a fee was due: a fee of nothing uses none up (T-STD-11)."""
    return either(due_fee > 0, either(waivers > 0, waivers - 1, waivers), waivers)


# ---- settlement of a quote --------------------------------------------------------------------


def delivered(sold: Number, exported: Number) -> Number:
    """D (T-SET-3)."""
    return least(sold, exported)


def in_default(exported: Number, volume: Number) -> Truth:
    """Whether less than 95 % of the quoted volume was exported (T-SET-8)."""
    return exported * 100 < volume * 95


def due(volume_so_far: Number, total: Number, sold: Number) -> Number:
    """What all trades up to one receive of the `total` delivered, their volumes being `volume_so_far` (T-SET-4)."""
    return floor(volume_so_far * total, sold)


def due_after_purchase(so_far: Number, volume: Number, total: Number) -> Number:
    """What all trades up to a purchase receive of the `total` delivered, `so_far` of it before (T-SET-22)."""
    return least(so_far + volume, total)


def payment(received: Number, price: Number) -> Number:
    """What a buyer pays the prosumer (T-SET-5)."""
    return received * price


def compensation(volume: Number, received: Number, price: Number) -> Number:
    """What a prosumer in default pays a buyer with a shortage (T-SET-8)."""
    return floor((volume - received) * price * 10, 100)


class Part(NamedTuple):
    """What one trade comes to; `back`: what the buyer's free balance gains (T-SET-4 to T-SET-13)."""

    payment: Number
    fee: Number
    compensation: Number
    back: Number


def part(
    volume: Number, price: Number, received: Number, default: Truth, fee: Number, standing: Number, waivers: Number
) -> Part:
    """Settles one trade: only without a shortage is there a fee, only with one a compensation."""
    whole = received == volume
    charged = either(whole, paid(charge(received, fee, standing), waivers), 0)
    compensated = either(whole, 0, either(default, compensation(volume, received, price), 0))
    money = payment(received, price)
    return Part(money, charged, compensated, escrow(volume, price, fee) - money - charged + compensated)


def prosumer_fee(total: Number, sold: Number, default: Truth, fee: Number, standing: Number, waivers: Number) -> Number:
    """The prosumer's fee, once per quote; waived with a shortage inside the tolerance (T-SET-15, T-SET-16)."""
    charged = paid(charge(total, fee, standing), waivers)
    return either(total < sold, either(default, charged, 0), charged)


def prosumer_back(locked: Number, compensations: Number, revenue: Number, fee: Number) -> Number:
    """What the prosumer's free balance gains when its quote is settled (T-SET-10)."""
    return locked - compensations + revenue - fee


class Deal(NamedTuple):
    """A trade to be settled, with its buyer's standing."""

    volume: int
    price: int
    tier: int
    waivers: int


class Settled(NamedTuple):
    """What a quote's settlement comes to."""

    parts: list[Part]
    received: list[int]
    fee: int
    back: int
    owner: int


def settle(
    deals: Sequence[Deal], volume: int, exported: int, ssp: int, fee: int, standing: int, waivers: int
) -> Settled:
    """The settlement of a whole quote in whole numbers; no buyer appears twice in `deals`."""
    sold = sum(deal.volume for deal in deals)
    total, default = delivered(sold, exported), in_default(exported, volume)
    parts, received, so_far = [], [], 0
    for deal in deals:
        before, so_far = so_far, so_far + deal.volume
        received.append(due(so_far, total, sold) - due(before, total, sold))
        parts.append(part(deal.volume, deal.price, received[-1], default, fee, deal.tier, deal.waivers))
    own = prosumer_fee(total, sold, default, fee, standing, waivers)
    compensations, revenue = sum(p.compensation for p in parts), sum(p.payment for p in parts)
    back = prosumer_back(collateral(volume, ssp), compensations, revenue, own)
    return Settled(parts, received, own, back, sum(p.fee for p in parts) + own)


# ---- settlement of an account ------------------------------------------------------------------


def fed_in(exported: Number, gone: Number, received: Number, imported: Number) -> Number:
    """What the supplier buys: exports beyond the deliveries, and what was received and not used (T-ACC-7, T-ACC-8)."""
    return exported - gone + either(received > imported, received - imported, 0)


def drawn(received: Number, imported: Number) -> Number:
    """What the supplier sells: what was imported beyond what was received (T-ACC-6)."""
    return either(imported > received, imported - received, 0)


def invoice(exported: Number, gone: Number, received: Number, imported: Number, sbp: Number, ssp: Number) -> Number:
    """What the supplier owes for a period, `gone` Wh of the exports having been delivered to buyers."""
    return fed_in(exported, gone, received, imported) * sbp - drawn(received, imported) * ssp


# ---- periods and their places --------------------------------------------------------------------

DAY = 24 * 60 * 60
HORIZON = 7 * DAY
PERIODS = 2**36


def needed(length: Number, window: Number) -> Number:
    """How many places the records of periods need (T-PARTY-22)."""
    return floor(HORIZON + DAY, length) + 2 * least(floor(window, length), PERIODS) + 4


def daily(length: Number) -> Number:
    """How many periods a day has room for, at least one (T-PARTY-22)."""
    return greatest(floor(DAY, length), 1)


def ring(length: Number, window: Number) -> Number:
    """In how many places the records of periods lie: as many as are needed, then whole days (T-PARTY-22)."""
    return whole(needed(length, window), daily(length))


def whole(number: Number, unit: Number) -> Number:
    """A number, rounded up to a multiple of a unit."""
    return floor(number + unit - 1, unit) * unit


def within_horizon(period: Number, now: Number, length: Number) -> Truth:
    """Whether a period can be quoted, as far as its distance goes (T-QUO-3)."""
    return period <= floor(now + HORIZON, length)


def end(period: Number, length: Number) -> Number:
    """When a period ends."""
    return (period + 1) * length


def closing(period: Number, length: Number, window: Number, now: Number) -> Truth:
    """Whether a period is CLOSING (T-TIME-8)."""
    return now >= end(period, length) + 2 * window


def place(period: Number, places: Number) -> Number:
    """At which place of a ring the records of a period lie."""
    return period % places


PHASES = ("BIDDING", "REVEALING", "MATCHING", "DELIVERING", "METERING", "SETTLING", "CLOSING")


def phase(period: Number, length: Number, window: Number, now: Number, most: Number, *phases: Number) -> Number:
    """The phase of a period, of `phases` in the order of `PHASES`; `most` is the chain's largest number (T-TIME-1)."""
    start = period * length
    ahead, past = start - now, now - start - length
    before = either(ahead <= window, phases[2], either(ahead <= 2 * window, phases[1], phases[0]))
    after = either(past < window, phases[4], either(past < 2 * window, phases[5], phases[6]))
    told = either(now < start, before, either(past < 0, phases[3], after))
    return either(period > floor(most, length), phases[0], told)
