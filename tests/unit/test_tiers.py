"""The tiers, reached by playing trades: T-STD-1 to T-STD-3, T-SET-13, T-SET-14, T-SET-16 to T-SET-18.

One history of 80 trades serves all tests; before each threshold and at it the same probe is played and undone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boa
import pytest

from tests.support.planted import set_standing
from tests.support.stage import NOON, Household, Stage

THRESHOLDS = (0, 4, 5, 9, 10, 19, 20, 39, 40, 79, 80)


@dataclass(frozen=True)
class Probe:
    """What the probe came to: fees in base units, standings as `Stage.standing` gives them."""

    before: tuple[tuple[int, int, int, int], tuple[int, int, int, int]]
    buyer_fees: tuple[int, ...]
    newcomer_fee: int
    seller_fee: int
    after_quote: tuple[int, int, int, int]


@dataclass
class History:
    """A market whose prosumer and consumer have 80 good performances each, and the probes on the way there."""

    stage: Stage
    now: int
    probes: dict[int, Probe]


def settled(stage: Stage, exported: int, *volumes: tuple[Household, int]) -> list[tuple[str, dict[str, Any]]]:
    """A quote of all these Wh at 100, bought in this order as surplus, metered and settled; the events."""
    period = stage.clock.next_quotable()
    quote_id = stage.quote(sum(volume for _, volume in volumes), 100, period=period)
    stage.to("MATCHING", period)
    stage.market.match_bids(quote_id)
    for buyer, volume in volumes:
        stage.market.buy_surplus(quote_id, volume, sender=buyer.address)
    stage.to("METERING", period)
    stage.read(stage.prosumer, exported, 0, period)
    stage.to("SETTLING", period)
    stage.market.settle_quote(quote_id, sender=stage.owner)
    return stage.events()


def probe(stage: Stage) -> Probe:
    """2034 Wh: 1000, 33 and at last 1 Wh for the consumer; 1000 Wh for the neighbour, whose tier is 0."""
    with boa.env.anchor():
        before = (stage.standing(stage.prosumer), stage.standing(stage.consumer))
        buyer, newcomer = stage.consumer, stage.neighbour
        events = settled(stage, 2034, (newcomer, 1000), (buyer, 1000), (buyer, 33), (buyer, 1))
        fees = [arguments["fee"] for name, arguments in events if name == "TradeSettled"]
        return Probe(before, tuple(fees[1:]), fees[0], events[-1][1]["fee"], stage.standing(stage.prosumer))


pytestmark = pytest.mark.usefixtures("fastest")


@pytest.fixture(scope="module")
def stage(fastest: None) -> Stage:
    """A market on that engine."""
    return Stage()


@pytest.fixture(scope="module")
def history(stage: Stage) -> History:
    """80 trades in which both sides do as agreed."""
    own = Stage()
    probes = {}
    played = 0
    for performances in THRESHOLDS:
        own.earn(performances - played)
        played = performances
        probes[performances] = probe(own)
    now, own.clock.now = own.clock.now, NOON  # the time is every test's
    return History(own, now, probes)


@pytest.fixture
def veterans(history: History) -> Iterator[Stage]:
    """The market at the end of the history."""
    stage = copy.copy(history.stage)
    stage.clock.now = history.now
    yield stage


@pytest.mark.parametrize(
    ("performances", "tier", "buyer_fees", "seller_fee"),
    [
        # The consumer's fees on 1000, 33 and 1 Wh at 2; the prosumer's on 2034 Wh. 20 % less per tier, rounded down.
        pytest.param(0, 0, (2_000, 66, 2), 4_068, id="0: all of it"),
        pytest.param(4, 0, (2_000, 66, 2), 4_068, id="4: all of it"),
        pytest.param(5, 1, (1_600, 52, 1), 3_254, id="5: 1600, 52.8, 1.6 and 3254.4"),
        pytest.param(9, 1, (1_600, 52, 1), 3_254, id="9: the same"),
        pytest.param(10, 2, (1_200, 39, 1), 2_440, id="10: 1200, 39.6, 1.2 and 2440.8"),
        pytest.param(19, 2, (1_200, 39, 1), 2_440, id="19: the same"),
        pytest.param(20, 3, (800, 26, 0), 1_627, id="20: 800, 26.4, 0.8 and 1627.2"),
        pytest.param(39, 3, (800, 26, 0), 1_627, id="39: the same"),
        pytest.param(40, 4, (400, 13, 0), 813, id="40: 400, 13.2, 0.4 and 813.6"),
        pytest.param(79, 4, (400, 13, 0), 813, id="79: the same"),
        pytest.param(80, 5, (0, 0, 0), 0, id="80: nothing"),
    ],
)
def test_tier_and_fee(
    history: History, performances: int, tier: int, buyer_fees: tuple[int, ...], seller_fee: int
) -> None:
    """T-STD-2, T-STD-3, T-SET-13, T-SET-16, T-UNIT-4: each side by its own tier."""
    seen = history.probes[performances]

    assert seen.before == ((performances, 0, 0, tier), (performances, 0, 0, tier))
    assert seen.buyer_fees == buyer_fees
    assert seen.seller_fee == seller_fee
    assert seen.newcomer_fee == 2_000


@pytest.mark.parametrize(("performances", "tier"), [(4, 1), (9, 2), (19, 3), (39, 4), (79, 5)])
def test_the_performance_that_makes_a_tier_counts_from_the_next_quote_on(
    history: History, performances: int, tier: int
) -> None:
    """T-SET-17, T-SET-18: the prosumer's fee was computed before its record, which then lifts it."""
    seen = history.probes[performances]

    assert seen.before[0] == (performances, 0, 0, tier - 1)
    assert seen.after_quote == (performances + 1, 0, 0, tier)
    assert seen.seller_fee == {1: 4_068, 2: 3_254, 3: 2_440, 4: 1_627, 5: 813}[tier]


def test_there_is_no_sixth_tier(veterans: Stage) -> None:
    """T-STD-1, T-STD-2: performances go on being counted."""
    settled(veterans, 10, (veterans.consumer, 10))

    assert veterans.standing(veterans.prosumer) == (81, 0, 0, 5)


def test_a_default_does_not_lower_the_tier(veterans: Stage) -> None:
    """T-STD-1, T-STD-10."""
    settled(veterans, 0, (veterans.consumer, 10))

    assert veterans.standing(veterans.prosumer) == (80, 1, 0, 5)


def test_in_the_fifth_tier_waivers_are_kept(veterans: Stage) -> None:
    """T-SET-14: 95 of 100 Wh earn both a waiver; where the fee is 0 anyway, none is used."""
    settled(veterans, 95, (veterans.consumer, 100))
    assert veterans.standing(veterans.prosumer) == (81, 0, 1, 5)
    assert veterans.standing(veterans.consumer) == (80, 0, 1, 5)

    events = settled(veterans, 100, (veterans.consumer, 100))

    assert [name for name, _ in events] == ["TradeSettled", "PerformanceRecorded", "QuoteSettled"]
    assert veterans.standing(veterans.prosumer) == (82, 0, 1, 5)
    assert veterans.standing(veterans.consumer) == (80, 0, 1, 5)


def test_in_the_fifth_tier_the_reserve_for_the_fee_comes_back(veterans: Stage) -> None:
    """T-SUR-8, T-SET-6: 100 * 102 are reserved all the same; 10,000 are paid."""
    before = veterans.account(veterans.consumer).balance
    period = veterans.clock.next_quotable()
    quote_id = veterans.quote(100, 100, period=period)
    veterans.auction(quote_id, (veterans.consumer, 100, 100))
    assert veterans.money(veterans.consumer) == (before - 10_200, 10_200)
    veterans.to("METERING", period)
    veterans.read(veterans.prosumer, 100, 0, period)
    veterans.to("SETTLING", period)
    veterans.market.settle_quote(quote_id, sender=veterans.owner)

    assert veterans.money(veterans.consumer) == (before - 10_000, 0)
    veterans.assert_books_balance()


def test_a_fee_that_rounds_to_nothing_uses_no_waiver(stage: Stage) -> None:
    """T-SET-14: in tier 3 the fee on 1 Wh is 0.8, so 0; that on 7 Wh is 5.6, so 5, and takes the waiver."""
    stage = copy.copy(stage)
    stage.earn(20)
    settled(stage, 95, (stage.consumer, 100))
    assert stage.standing(stage.consumer) == (20, 0, 1, 3)

    events = settled(stage, 9, (stage.consumer, 1), (stage.consumer, 7), (stage.consumer, 1))

    assert [(name, arguments.get("fee")) for name, arguments in events[:4]] == [
        ("TradeSettled", 0),
        ("WaiverUsed", None),
        ("TradeSettled", 0),
        ("TradeSettled", 0),
    ]
    assert events[1][1] == {"user": stage.consumer.address}
    assert stage.standing(stage.consumer) == (20, 0, 0, 3)


MAX_PERFORMANCES, MAX_WAIVERS = 2**24 - 1, 2**22 - 1


@pytest.mark.parametrize("short", [1, 0], ids=["the last one", "one too many"])
def test_performances_stop_at_their_most(stage: Stage, short: int) -> None:
    """T-STD-1: 2^24 - 1 stay what they are, and so does what lies beside them: waivers, money, tier."""
    for user in (stage.prosumer, stage.consumer):
        set_standing(stage.market, user.address, MAX_PERFORMANCES - short, 3)
    before = [sum(stage.money(user)) for user in (stage.prosumer, stage.consumer)]

    settled(stage, 100, (stage.consumer, 100))

    assert stage.standing(stage.prosumer) == (MAX_PERFORMANCES, 0, 3, 5)
    assert stage.standing(stage.consumer) == (MAX_PERFORMANCES - short, 0, 3, 5)
    assert [sum(stage.money(user)) for user in (stage.prosumer, stage.consumer)] == [
        before[0] + 10_000,
        before[1] - 10_000,
    ]
    stage.assert_books_balance()


@pytest.mark.parametrize("short", [1, 0], ids=["the last one", "one too many"])
def test_waivers_stop_at_their_most(stage: Stage, short: int) -> None:
    """T-STD-11: what is earned beyond 2^22 - 1 is lost; one that is used leaves room for another."""
    for user in (stage.prosumer, stage.consumer):
        set_standing(stage.market, user.address, 7, MAX_WAIVERS - short)

    settled(stage, 95, (stage.consumer, 100))

    assert stage.standing(stage.prosumer) == (8, 0, MAX_WAIVERS, 1)
    assert stage.standing(stage.consumer) == (7, 0, MAX_WAIVERS, 1)
    assert stage.account(stage.prosumer).grid_account == stage.account(stage.consumer).grid_account == 0
    stage.assert_books_balance()
    settled(stage, 100, (stage.consumer, 100))
    assert stage.standing(stage.prosumer) == (9, 0, MAX_WAIVERS - 1, 1)
    assert stage.standing(stage.consumer) == (7, 0, MAX_WAIVERS - 1, 1)
