"""Markets whose storage was used before: every place of the ring is full, rooms are taken (T-PARTY-18 to T-PARTY-24).

Played by calls alone, like all presets. What lies in the way of the next periods is partly final and partly not, in
every way in which a record can be either.
"""

from __future__ import annotations

from verification.harness.lockstep import HOUSEHOLDS, STRANGER, Lockstep
from wattproof.market.deployment import Tariff
from wattproof.terms.model import Phase

LONG = Tariff(sbp=6, ssp=18, service_fee=1, period_length=2 * 86_400, window=600, priority_step=500)
"""Periods so long that there are few places: a history comes from one end of the ring to the other."""

RING = 8
"""In how many places the records of `LONG` lie, by the terms: 8 days hold 4 periods, and 4 more."""

ROOMS = 64
"""How many rooms a market begins with, by the terms."""


def worn() -> Lockstep:
    """The ring is full. The records of two periods, eight before the next ones, are not all final; all others are.

    In the way of the first period: sunny's quote, which nobody matched, and its bidders: rainy, and misty, who lost
    with the bid that it opened first; bright's quote, which nobody settled, and its buyer cloudy; breezy, whose reading
    was never settled. In the way of the second: bright and misty, whose accounts were not settled, and breezy, who
    bought and whose meter was silent. Cloudy lost there, sunny withdrew, and rainy did nothing: nothing has to be
    settled for them.
    """
    lockstep = Lockstep.fresh(LONG)
    first = lockstep.next_period()
    for turn in range(-(-ROOMS // len(HOUSEHOLDS))):
        _settled(lockstep, turn)
    old = lockstep.next_period()
    assert old - first > RING
    _leave_unfinished(lockstep, old)
    # What is refused for a record is not refused for want of money.
    lockstep.call("withdraw", lockstep.model.account(lockstep.address("breezy")).balance, sender="breezy")
    lockstep.at((old + RING - 1) * LONG.period_length)
    assert lockstep.next_period() == old + RING
    lockstep.watch(old)
    lockstep.watch(old + 1)
    assert all(call.outcome.accepted for call in lockstep.calls)
    return lockstep


def _settled(lockstep: Lockstep, turn: int) -> None:
    """A period in which everybody quotes and two sell to three, and all is settled; who quotes first changes.

    Each room of a sale is left with two bids that won and a purchase; one of them with a bid that was never opened,
    the other with a second purchase.
    """
    period, price = lockstep.next_period(), lockstep.tariff.lowest_price
    order = HOUSEHOLDS[turn % 6 :] + HOUSEHOLDS[: turn % 6]
    sellers, bidders, buyer, shy = order[:2], order[2:4], order[4], order[5]
    quotes = {name: _quote(lockstep, name, period, 80) for name in order}
    for name in order[2:]:
        lockstep.call("invalidate_quote", quotes[name], sender=name)
    bids = [(quotes[seller], bidder) for seller in sellers for bidder in bidders]
    for quote_id, bidder in (*bids, (quotes[sellers[0]], shy)):
        lockstep.bid(quote_id, bidder, price, 20)
    lockstep.to(Phase.REVEALING, period)
    for quote_id, bidder in bids:
        lockstep.reveal(quote_id, bidder, price, 20)
    lockstep.to(Phase.MATCHING, period)
    for seller in sellers:
        lockstep.call("match_bids", quotes[seller], sender=STRANGER)
        lockstep.call("buy_surplus", quotes[seller], 20, sender=buyer)
    lockstep.call("buy_surplus", quotes[sellers[1]], 20, sender=shy)
    lockstep.to(Phase.METERING, period)
    for seller in sellers:
        lockstep.read(seller, period, 80, 0)
    for name in (*bidders, buyer, shy):
        lockstep.read(name, period, 0, 40)
    lockstep.to(Phase.SETTLING, period)
    for seller in sellers:
        lockstep.call("settle_quote", quotes[seller], sender="owner")
    for name in HOUSEHOLDS:
        lockstep.call("settle_account", name, period, sender="owner")


def _quote(lockstep: Lockstep, name: str, period: int, volume: int) -> int:
    return lockstep.call("submit_quote", period, volume, lockstep.tariff.lowest_price, sender=name).result or 0


def _leave_unfinished(lockstep: Lockstep, period: int) -> None:
    """Two periods, under way at once as their quotes are made together; see `worn`."""
    price, later = LONG.lowest_price, period + 1
    unmatched, matched = _quote(lockstep, "sunny", period, 200), _quote(lockstep, "bright", period, 100)
    withdrawn, sold = _quote(lockstep, "sunny", later, 10), _quote(lockstep, "bright", later, 100)
    lockstep.call("invalidate_quote", withdrawn, sender="sunny")
    open_bids = (
        *((unmatched, "rainy", price, 50), (matched, "cloudy", price + 1, 100)),
        *((matched, "misty", price, 50), (unmatched, "misty", price, 50)),
    )
    later_bids = ((sold, "misty", price + 1, 100), (sold, "cloudy", price, 50))
    for bid in (*open_bids, *later_bids):
        lockstep.bid(*bid)
    for when, bids, number in ((period, open_bids, matched), (later, later_bids, sold)):
        lockstep.to(Phase.REVEALING, when)
        for bid in bids:
            lockstep.reveal(*bid)
        lockstep.to(Phase.MATCHING, when)
        lockstep.call("match_bids", number, sender=STRANGER)
    lockstep.to(Phase.METERING, period)
    lockstep.read("bright", period, 100, 0)
    lockstep.read("breezy", period, 0, 30)
    lockstep.to(Phase.METERING, later)
    lockstep.read("bright", later, 120, 0)
    lockstep.call("buy_surplus", sold, 20, sender="breezy")
    lockstep.read("misty", later, 0, 100)
    lockstep.to(Phase.SETTLING, later)
    lockstep.call("settle_quote", sold, sender="owner")


def crowded() -> Lockstep:
    """The next quote would lie in the room of rainy's, for a far period, which is still open."""
    lockstep = Lockstep.fresh()
    far = lockstep.next_period() + 200
    lockstep.call("submit_quote", far, 100, lockstep.tariff.lowest_price, sender="rainy")
    _pass_by(lockstep, ROOMS - 1, far)
    return lockstep


def packed() -> Lockstep:
    """The next quote would lie in the room of rainy's, which is matched; with twice as many rooms, too."""
    lockstep = Lockstep.fresh()
    period = lockstep.next_period()
    _pass_by(lockstep, ROOMS, period + 100)
    quote_id = lockstep.call("submit_quote", period, 100, lockstep.tariff.lowest_price, sender="rainy").result or 0
    lockstep.bid(quote_id, "misty", lockstep.tariff.lowest_price, 30)
    _pass_by(lockstep, ROOMS - 1, period + 200)
    lockstep.to(Phase.REVEALING, period)
    lockstep.reveal(quote_id, "misty", lockstep.tariff.lowest_price, 30)
    lockstep.to(Phase.MATCHING, period)
    lockstep.call("match_bids", quote_id, sender=STRANGER)
    lockstep.watch(period)
    return lockstep


def familiar() -> Lockstep:
    """The next two quotes lie in the rooms of a sale, and nothing is in anybody's way."""
    lockstep = Lockstep.fresh()
    _settled(lockstep, 0)
    _pass_by(lockstep, ROOMS - len(HOUSEHOLDS), lockstep.next_period() + 100)
    return lockstep


def _pass_by(lockstep: Lockstep, count: int, far: int) -> None:
    """So many quotes are made for periods from `far` on, and withdrawn: each has a number, and none keeps its room."""
    for number in range(count):
        name = HOUSEHOLDS[number % 5]
        period = far + number // 5
        quoted = lockstep.call("submit_quote", period, 10, lockstep.tariff.lowest_price, sender=name)
        lockstep.call("invalidate_quote", quoted.result or 0, sender=name)
