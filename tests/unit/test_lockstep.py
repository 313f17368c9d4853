"""What is compared and when: all that goes on after every call, what is over once more at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from verification.harness.counters import Violated
from verification.harness.lockstep import HOUSEHOLDS, STRANGER, Lockstep
from verification.harness.replay import playing
from wattproof.market.symbolic import seal_bytes
from wattproof.terms.model import BidStatus, Market, Phase, Position, QuoteStatus, Reading, Trade

pytestmark = pytest.mark.usefixtures("uncounted")

PROSUMER, BUYER, LATE, FICKLE, IDLE = HOUSEHOLDS[:5]
SALT = bytes(32)
SOLD, TAKEN_BACK, OPEN = 1, 2, 3


@pytest.fixture(scope="module")
def market() -> Iterator[Lockstep]:
    """A quote that is settled, one that is withdrawn, and one for a later period that takes bids.

    All is compared already. Prosumer and buyer are settled; who is late has a reading and no bill yet; who is idle
    never had anything to do with the period, which is in CLOSING.
    """
    with playing("revm"):
        lockstep = Lockstep.fresh()
        t, period = lockstep.tariff, first(lockstep)
        lockstep.watch(period)
        lockstep.watch(period + 9)
        lockstep.call("submit_quote", period, 100, t.lowest_price, sender=PROSUMER)
        lockstep.call("submit_quote", period, 50, t.lowest_price, sender=FICKLE)
        bid(lockstep, SOLD, BUYER)
        bid(lockstep, TAKEN_BACK, BUYER)
        lockstep.call("invalidate_quote", TAKEN_BACK, sender=FICKLE)
        lockstep.at(period * t.period_length - 2 * t.window)
        lockstep.call("reveal_bid", SOLD, t.lowest_price, 60, SALT, sender=BUYER)
        lockstep.at(period * t.period_length - t.window)
        lockstep.call("match_bids", SOLD, sender=STRANGER)
        lockstep.at((period + 1) * t.period_length)
        for name, exported, imported in ((PROSUMER, 100, 0), (BUYER, 0, 60), (LATE, 0, 5)):
            signed = lockstep.reading(name, period, exported, imported)
            lockstep.call("submit_reading", name, period, exported, imported, signed, sender=STRANGER)
        lockstep.at((period + 1) * t.period_length + t.window)
        lockstep.call("settle_quote", SOLD, sender="owner")
        for name in (PROSUMER, BUYER):
            lockstep.call("settle_account", name, period, sender="owner")
        lockstep.call("submit_quote", period + 9, 70, t.lowest_price, sender=PROSUMER)
        bid(lockstep, OPEN, BUYER)
        lockstep.at((period + 1) * t.period_length + 2 * t.window)
        assert lockstep.phase(period) == Phase.CLOSING
        lockstep.compare()
        yield lockstep


@pytest.fixture
def lockstep(market: Lockstep) -> Iterator[Lockstep]:
    """A copy of that market."""
    with market.branch() as branch:
        yield branch


def first(lockstep: Lockstep) -> int:
    """The first period that can still be quoted for at leisure, where the history begins."""
    return (
        lockstep.periods[0]
        if lockstep.periods
        else (lockstep.now + 2 * lockstep.tariff.window) // lockstep.tariff.period_length + 1
    )


def bid(lockstep: Lockstep, number: int, name: str) -> None:
    """A sealed bid for 60 Wh at the least price."""
    fields = (lockstep.chain, lockstep.target, number, lockstep.address(name), lockstep.tariff.lowest_price, 60, SALT)
    assert lockstep.call("submit_bid", number, seal_bytes(fields), sender=name).accepted


Tamper = Callable[[Market, Callable[[str], tuple[str, int]]], None]


def _bid_of(number: int, bidder: str) -> Tamper:
    def tamper(market: Market, place: Callable[[str], tuple[str, int]]) -> None:
        bids = market.quotes[number].bids
        who, _ = place(bidder)
        bids[who] = bids[who]._replace(status=BidStatus.REJECTED)

    return tamper


def _volume_of(number: int) -> Tamper:
    def tamper(market: Market, place: Callable[[str], tuple[str, int]]) -> None:
        market.quotes[number].volume += 1

    return tamper


def _position_of(name: str) -> Tamper:
    def tamper(market: Market, place: Callable[[str], tuple[str, int]]) -> None:
        there = market.positions.get(place(name)) or Position()
        market.positions[place(name)] = replace(there, received=there.received + 1)

    return tamper


def _reading_of(name: str) -> Tamper:
    def tamper(market: Market, place: Callable[[str], tuple[str, int]]) -> None:
        market.positions[place(name)].reading = Reading(True, 7, 7)

    return tamper


def _quote_of(name: str) -> Tamper:
    def tamper(market: Market, place: Callable[[str], tuple[str, int]]) -> None:
        market.positions[place(name)].quote_id = 9

    return tamper


def _trade(market: Market, place: Callable[[str], tuple[str, int]]) -> None:
    market.quotes[SOLD].trades.append(Trade(place(BUYER)[0], 1, 7))


def _revived(market: Market, place: Callable[[str], tuple[str, int]]) -> None:
    market.quotes[TAKEN_BACK].status = QuoteStatus.VALID


OVER = {
    "a settled quote": (_volume_of(SOLD), "C2-QUOTE-1", f"quotes[{SOLD}]"),
    "a quote withdrawn": (_revived, "C2-QUOTE-1", f"quotes[{TAKEN_BACK}]"),
    "a settled quote's bid": (_bid_of(SOLD, BUYER), "C2-BID-1", f"bids[{SOLD}, {BUYER}]"),
    "a settled quote's trades": (_trade, "C2-TRADE-1", f"trades[{SOLD}]"),
    "a settled position": (_position_of(BUYER), "C2-POSITION-1", f"positions[{BUYER}, "),
    "a settled user's reading": (_reading_of(PROSUMER), "C2-READING-1", f"readings[{PROSUMER}, "),
    "a settled user's quote": (_quote_of(PROSUMER), "C2-QUOTE-2", f"quote_of[{PROSUMER}, "),
    "an idle user's position": (_position_of(IDLE), "C2-POSITION-1", f"positions[{IDLE}, "),
}

GOING_ON = {
    "an open quote": (_volume_of(OPEN), "C2-QUOTE-1", f"quotes[{OPEN}]"),
    "an open quote's bid": (_bid_of(OPEN, BUYER), "C2-BID-1", f"bids[{OPEN}, {BUYER}]"),
    "an unsettled position": (_position_of(LATE), "C2-POSITION-1", f"positions[{LATE}, "),
    "an unsettled user's reading": (_reading_of(LATE), "C2-READING-1", f"readings[{LATE}, "),
    "an unsettled user's quote": (_quote_of(LATE), "C2-QUOTE-2", f"quote_of[{LATE}, "),
}


def place_of(lockstep: Lockstep) -> Callable[[str], tuple[str, int]]:
    """Users by name, in the first period."""
    return lambda name: (lockstep.address(name), first(lockstep))


@pytest.mark.parametrize("what", OVER)
def test_what_is_over_is_compared_at_the_end(lockstep: Lockstep, what: str) -> None:
    tamper, invariant, told = OVER[what]
    tamper(lockstep.model, place_of(lockstep))
    lockstep.compare()
    with pytest.raises(Violated) as violated:
        lockstep.compare(everything=True)
    assert violated.value.invariant == invariant
    assert any(detail.startswith(told) for detail in violated.value.details)


@pytest.mark.parametrize("what", GOING_ON)
def test_what_goes_on_is_compared_after_every_call(lockstep: Lockstep, what: str) -> None:
    tamper, invariant, told = GOING_ON[what]
    tamper(lockstep.model, place_of(lockstep))
    with pytest.raises(Violated) as violated:
        lockstep.compare()
    assert violated.value.invariant == invariant
    assert any(detail.startswith(told) for detail in violated.value.details)


@pytest.mark.parametrize("what", ["the quote", "the position"])
def test_what_just_ended_is_compared_once_more(lockstep: Lockstep, what: str) -> None:
    if what == "the quote":
        lockstep.call("invalidate_quote", OPEN, sender=PROSUMER)
        _volume_of(OPEN)(lockstep.model, place_of(lockstep))
    else:
        lockstep.call("settle_account", LATE, first(lockstep), sender="owner")
        _position_of(LATE)(lockstep.model, place_of(lockstep))
    with pytest.raises(Violated):
        lockstep.compare()


def test_a_look_that_was_taken_serves(lockstep: Lockstep) -> None:
    """Who observed what the views tell has asked for all of it, and nothing is asked twice."""
    _volume_of(SOLD)(lockstep.model, place_of(lockstep))
    lockstep.observe()
    with pytest.raises(Violated):
        lockstep.compare()


def test_a_branch_leaves_nothing_out_that_only_ended_there(lockstep: Lockstep) -> None:
    with lockstep.branch() as branch:
        branch.call("invalidate_quote", OPEN, sender=PROSUMER)
        branch.compare()
        _volume_of(OPEN)(branch.model, place_of(branch))
        branch.compare()
    _volume_of(OPEN)(lockstep.model, place_of(lockstep))
    with pytest.raises(Violated):
        lockstep.compare()
