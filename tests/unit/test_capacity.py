"""What would no longer fit where it is kept is refused whole, and never cut: T-GUA-2, T-MON-24, T-QUO-8, annex A.

No market of this world comes that far: the words are planted, or the clock is set to another age. The same call, with
one less in the word or one second before, is taken in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import boa
import pytest

from tests.support.planted import word, write
from tests.support.stage import Stage
from wattproof.market.clock import Clock
from wattproof.market.deployment import Tariff

MAX_MONEY = 2**104 - 1
RING = 432
"""In how many places the stage's records lie (T-PARTY-22)."""


class Full(NamedTuple):
    """A word that is full but for the call `made`: the field that begins at bit `at` has its largest value, `most`."""

    module: str
    name: str
    keys: Callable[[Stage], tuple[int, ...]]
    at: int
    most: int
    added: int
    made: Callable[[Stage], Any]
    mark: Callable[[Stage], int] = lambda stage: 0
    """What tells whose word it is, where none is kept yet."""


def number(who: Any) -> int:
    """The address of a household as a number."""
    return int(who.address, 16)


def deposit(stage: Stage) -> None:
    """One base unit more for the prosumer."""
    stage.fund(stage.prosumer.address, 1)


def quote(stage: Stage) -> int:
    """1000 Wh at 100: 18,000 of collateral at SSP 180."""
    return stage.quote(1_000, 100)


def take_back(stage: Stage) -> None:
    """The prosumer takes its first quote back, and 18,000 are free again."""
    stage.market.invalidate_quote(1, sender=stage.prosumer.address)


def newcomer(stage: Stage) -> None:
    """One user more."""
    stage.register(stage.unregistered("newcomer"))


def purchase(stage: Stage) -> None:
    """The consumer buys 16 Wh of the first quote, the least of its 1,000, in which it had no stake."""
    stage.market.buy_surplus(1, 16, sender=stage.consumer.address)


def settlement(stage: Stage) -> None:
    """The first quote is settled: the consumer receives its 16 Wh."""
    stage.market.settle_quote(1, sender=stage.owner)


def balance(stage: Stage) -> tuple[int, ...]:
    return (number(stage.prosumer),)


def position(stage: Stage) -> tuple[int, ...]:
    return (number(stage.consumer), stage.period % RING)


def begun(stage: Stage) -> int:
    return (2**36 + stage.period) << 219


FULL = {
    "free money, by a deposit": Full("ledger", "_balance", balance, 0, MAX_MONEY, 1, deposit),
    "reserved money": Full("ledger", "_balance", balance, 104, MAX_MONEY, 18_000, quote),
    "free money, given back": Full("ledger", "_balance", balance, 0, MAX_MONEY, 18_000, take_back),
    "users": Full("accounts", "_next_number", lambda stage: (), 0, 2**32 - 1, 0, newcomer),
    "quotes": Full("rooms", "_counter", lambda stage: (), 0, 2**32 - 1, 1, quote),
    "energy bought": Full("positions", "_position", position, 24, 2**24 - 1, 16, purchase, begun),
    "open quotes": Full("positions", "_position", position, 120, 2**16 - 1, 1, purchase, begun),
    "energy received": Full("positions", "_position", position, 48, 2**24 - 1, 16, settlement),
}


@pytest.mark.parametrize("beyond", [0, 1], ids=["full", "one too many"])
@pytest.mark.parametrize("full", FULL.values(), ids=FULL)
def test_refuses_what_does_not_fit(stage: Stage, full: Full, beyond: int) -> None:
    """A word is filled up to its last value by the call, and refuses it without a reason where one more is in it.

    What is quoted and asked for in a period is not here: no market can fill those fields (`totals-fit` in
    docs/proofs.md), and so nothing compares them.
    """
    before(stage, full.made)
    place = (full.module, full.name, *full.keys(stage))
    kept = word(stage.market, *place) & ~(full.most << full.at) | full.mark(stage)
    write(stage.market, kept | full.most - full.added + beyond << full.at, *place)

    if not beyond:
        full.made(stage)
        return
    with boa.reverts():
        full.made(stage)
    assert word(stage.market, *place) == kept | full.most - full.added + 1 << full.at


def before(stage: Stage, made: Callable[[Stage], Any]) -> None:
    """Brings a market to where that call is possible."""
    if made in (take_back, purchase, settlement):
        quote(stage)
    if made in (purchase, settlement):
        stage.to("MATCHING")
        stage.market.match_bids(1)
    if made is settlement:
        purchase(stage)
        stage.to("METERING")
        stage.read(stage.prosumer, 1_000, 0)
        stage.to("SETTLING")


@pytest.mark.parametrize("second", [2**40 - 1, 2**40])
def test_refuses_a_quote_in_a_time_that_it_cannot_note(stage: Stage, second: int) -> None:
    """T-QUO-7: the second of a quote is kept up to the year 36,812."""
    boa.env.timestamp = second
    period = stage.clock.next_quotable()

    if second < 2**40:
        assert stage.market.quote(stage.quote(10, 100, period=period)).created_at == second
        return
    with boa.reverts():
        stage.quote(10, 100, period=period)


@pytest.mark.parametrize("period", [2**36 - 1, 2**36, 2**36 + 1])
def test_refuses_a_period_that_it_cannot_note(period: int) -> None:
    """T-QUO-7: with periods of a second the number of one is kept up to the year 4,147."""
    stage = Stage(Tariff(sbp=60, ssp=180, service_fee=2, period_length=1, window=1))
    boa.env.timestamp = period - 100
    assert Clock(1, 1).begins("REVEALING", period) > period - 100

    if period < 2**36:
        assert stage.market.quote(stage.quote(10, 100, period=period)).period == period
        return
    with boa.reverts():
        stage.quote(10, 100, period=period)
