"""`settle_quote`: T-SET-1 to T-SET-22, T-STD-4 to T-STD-6, T-MET-6, T-MET-14, T-MON-14, T-REG-17, T-GUA-9.

The stage's fee is 2 and its SSP 180: a quote of 1000 Wh puts up 10 % of 1000 * 180 = 18,000.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import boa
import pytest

from tests.support.stage import CAPACITY, FUNDS, TARIFF, Household, Stage
from wattproof.market.deployment import Tariff
from wattproof.market.meters import Meter

VALID, INVALID, MATCHED, SETTLED = 1, 2, 4, 8

Bid = tuple[Household, int, int]


def delivered(stage: Stage, exported: int | None, *bids: Bid, volume: int = 1000, price: int = 100) -> int:
    """A matched quote with bids `(bidder, price, volume)` whose prosumer exported so much; in SETTLING."""
    quote_id = stage.quote(volume, price)
    stage.auction(quote_id, *bids)
    metered(stage, exported)
    return quote_id


def metered(stage: Stage, exported: int | None, period: int | None = None) -> None:
    """The prosumer's meter reports, unless `exported` is None; ends in the first second of SETTLING."""
    stage.to("METERING", period)
    if exported is not None:
        stage.read(stage.prosumer, exported, 0, period)
    stage.to("SETTLING", period)


def settle(stage: Stage, quote_id: int) -> list[tuple[str, dict[str, Any]]]:
    """The owner settles; the events."""
    stage.market.settle_quote(quote_id, sender=stage.owner)
    return stage.events()


def trade_settled(
    quote_id: int, buyer: Household, delivered: int, payment: int, fee: int, compensation: int
) -> tuple[str, dict[str, Any]]:
    """The event of one trade."""
    return (
        "TradeSettled",
        {
            "quote_id": quote_id,
            "buyer": buyer.address,
            "delivered": delivered,
            "payment": payment,
            "fee": fee,
            "compensation": compensation,
        },
    )


def quote_settled(
    quote_id: int, delivered: int, revenue: int, fee: int, compensation: int
) -> tuple[str, dict[str, Any]]:
    """The event that ends a settlement."""
    return (
        "QuoteSettled",
        {
            "quote_id": quote_id,
            "delivered": delivered,
            "revenue": revenue,
            "fee": fee,
            "compensation": compensation,
        },
    )


def granted(user: Household) -> tuple[str, dict[str, Any]]:
    """The event of a waiver earned."""
    return ("WaiverGranted", {"user": user.address})


def used(user: Household) -> tuple[str, dict[str, Any]]:
    """The event of a waiver used."""
    return ("WaiverUsed", {"user": user.address})


def revoked(household: Household) -> tuple[str, dict[str, Any]]:
    """The event of an authorisation withdrawn."""
    return "Revoked", {"user": household.address}


def recorded(user: Household, good: bool) -> tuple[str, dict[str, Any]]:
    """The event of a performance recorded."""
    return ("PerformanceRecorded", {"user": user.address, "good": good})


# ---- the way it goes -----------------------------------------------------------------------------------------------


def test_all_is_delivered(stage: Stage) -> None:
    """T-SET-4 to T-SET-6, T-SET-13, T-SET-16, T-SET-19, T-STD-4: both pay the fee on what was delivered."""
    quote_id = delivered(stage, 1000, (stage.consumer, 140, 600), (stage.neighbour, 120, 500))

    events = settle(stage, quote_id)

    assert events == [
        trade_settled(quote_id, stage.consumer, 600, 84_000, 1_200, 0),
        trade_settled(quote_id, stage.neighbour, 400, 48_000, 800, 0),
        recorded(stage.prosumer, True),
        quote_settled(quote_id, 1000, 132_000, 2_000, 0),
    ]
    assert stage.market.quote(quote_id).status == SETTLED
    assert stage.market.quote(quote_id).sold == 1000
    assert stage.money(stage.consumer) == (FUNDS - 85_200, 0)  # 84,000 + 1,200
    assert stage.money(stage.neighbour) == (FUNDS - 48_800, 0)  # 48,000 + 800
    assert stage.money(stage.prosumer) == (FUNDS + 130_000, 0)  # 132,000 - 2,000
    assert stage.money(stage.owner) == (4_000, 0)  # 1,200 + 800 + 2,000
    assert stage.money(stage.supplier) == (0, 0)
    assert stage.standing(stage.prosumer) == (1, 0, 0, 0)
    assert stage.standing(stage.consumer) == (0, 0, 0, 0)
    assert stage.market.position(stage.consumer.address, stage.period) == (600, 600, 600, 0, 0, False)
    assert stage.market.position(stage.neighbour.address, stage.period) == (400, 400, 400, 0, 0, False)
    assert stage.market.position(stage.prosumer.address, stage.period) == (0, 0, 0, 1000, 0, False)
    assert (stage.market.supply(stage.period), stage.market.demand(stage.period)) == (1000, 1100)
    assert stage.market.trades(quote_id) == [(stage.consumer.address, 600, 140), (stage.neighbour.address, 400, 120)]
    stage.assert_books_balance()


def test_the_example_of_the_terms(stage: Stage) -> None:
    """The example in docs/terms.md, "In short", figure by figure: SBP 6, SSP 18, fee 1; 900 of 1000 Wh come."""
    stage = Stage(Tariff(sbp=6, ssp=18, service_fee=1, priority_step=500))
    quote_id = stage.quote(1000, 10)
    assert stage.money(stage.prosumer)[1] == 1_800
    stage.auction(quote_id, (stage.consumer, 14, 600), (stage.neighbour, 12, 500))
    assert stage.money(stage.consumer)[1] == 9_000
    assert stage.money(stage.neighbour)[1] == 5_200  # 6,500 less the 1,300 that it had back
    metered(stage, 900)

    events = settle(stage, quote_id)

    assert events == [
        granted(stage.consumer),
        trade_settled(quote_id, stage.consumer, 540, 7_560, 0, 84),
        granted(stage.neighbour),
        trade_settled(quote_id, stage.neighbour, 360, 4_320, 0, 48),
        recorded(stage.prosumer, False),
        quote_settled(quote_id, 900, 11_880, 900, 132),
    ]
    assert stage.money(stage.prosumer) == (FUNDS + 10_848, 0)  # 11,880 - 900 - 132
    assert stage.money(stage.consumer) == (FUNDS - 7_476, 0)
    assert stage.money(stage.neighbour) == (FUNDS - 4_272, 0)
    assert stage.money(stage.owner) == (900, 0)
    assert stage.standing(stage.prosumer) == (0, 1, 0, 0)
    assert stage.standing(stage.consumer) == (0, 0, 1, 0)
    stage.assert_books_balance()


# ---- the tolerance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exported", "prosumer", "consumer", "owner", "waivers", "performances", "defaults"),
    [
        # 1000 Wh quoted and sold at 100; changes of the free balances; waivers of prosumer and consumer.
        # 10 % of 100,000 for all that is missing
        pytest.param(None, -10_000, +10_000, 0, (0, 1), 0, 1, id="silent meter"),
        pytest.param(0, -10_000, +10_000, 0, (0, 1), 0, 1, id="nothing"),
        # 100 paid, 10 % of 99,900 back; the prosumer's fee on 1 Wh is 2
        pytest.param(1, -9_892, +9_890, 2, (0, 1), 0, 1, id="one Wh"),
        # 94,900 paid, 10 % of 5,100 back; the prosumer's fee is 2 * 949
        pytest.param(949, +92_492, -94_390, 1_898, (0, 1), 0, 1, id="one Wh below 95 %"),
        # 95,000 paid, no compensation, no fees
        pytest.param(950, +95_000, -95_000, 0, (1, 1), 1, 0, id="95 % exactly"),
        pytest.param(951, +95_100, -95_100, 0, (1, 1), 1, 0, id="one Wh above 95 %"),
        pytest.param(999, +99_900, -99_900, 0, (1, 1), 1, 0, id="one Wh short"),
        # 100,000 paid and 2,000 in fees from either side
        pytest.param(1000, +98_000, -102_000, 4_000, (0, 0), 1, 0, id="as quoted"),
        pytest.param(1001, +98_000, -102_000, 4_000, (0, 0), 1, 0, id="one Wh more"),
        pytest.param(1050, +98_000, -102_000, 4_000, (0, 0), 1, 0, id="105 % exactly"),
        pytest.param(1051, +98_000, -102_000, 4_000, (0, 0), 0, 0, id="one Wh above 105 %"),
        pytest.param(2**256 - 1, +98_000, -102_000, 4_000, (0, 0), 0, 0, id="as much as a meter can tell"),
    ],
)
def test_what_the_export_decides(
    stage: Stage,
    exported: int | None,
    prosumer: int,
    consumer: int,
    owner: int,
    waivers: tuple[int, int],
    performances: int,
    defaults: int,
) -> None:
    """T-SET-3, T-SET-5 to T-SET-16, T-STD-4 to T-STD-6, T-MET-6."""
    quote_id = delivered(stage, exported, (stage.consumer, 100, 1000))

    settle(stage, quote_id)

    assert stage.money(stage.prosumer) == (FUNDS + prosumer, 0)
    assert stage.money(stage.consumer) == (FUNDS + consumer, 0)
    assert stage.money(stage.owner) == (owner, 0)
    assert stage.standing(stage.prosumer) == (performances, defaults, waivers[0], 0)
    assert stage.standing(stage.consumer) == (0, 0, waivers[1], 0)
    stage.assert_books_balance()


@pytest.mark.parametrize(
    ("volume", "exported", "record"),
    [
        # The tolerance is not rounded: 95 % and 105 % of ...
        pytest.param(1, 0, "default", id="1: nothing"),
        pytest.param(1, 1, "good", id="1: as quoted"),
        pytest.param(1, 2, "none", id="1: twice as much"),
        pytest.param(19, 18, "default", id="19: 18 < 18.05"),
        pytest.param(19, 19, "good", id="19: 19 < 19.95"),
        pytest.param(19, 20, "none", id="19: 20 > 19.95"),
        pytest.param(20, 18, "default", id="20: 18 < 19"),
        pytest.param(20, 19, "good", id="20: 19 = 19"),
        pytest.param(20, 21, "good", id="20: 21 = 21"),
        pytest.param(20, 22, "none", id="20: 22 > 21"),
        pytest.param(21, 19, "default", id="21: 19 < 19.95"),
        pytest.param(21, 20, "good", id="21: 20 > 19.95"),
        pytest.param(21, 22, "good", id="21: 22 < 22.05"),
        pytest.param(21, 23, "none", id="21: 23 > 22.05"),
    ],
)
def test_the_tolerance_of_small_quotes(stage: Stage, volume: int, exported: int, record: str) -> None:
    """T-STD-4 to T-STD-6."""
    quote_id = delivered(stage, exported, (stage.consumer, 100, volume), volume=volume)

    events = settle(stage, quote_id)

    expected = {"good": (1, 0), "default": (0, 1), "none": (0, 0)}[record]
    assert stage.standing(stage.prosumer)[:2] == expected
    records = [arguments["good"] for name, arguments in events if name == "PerformanceRecorded"]
    assert records == {"good": [True], "default": [False], "none": []}[record]


@pytest.mark.parametrize(
    ("exported", "prosumer", "consumer", "owner", "waivers", "record"),
    [
        # 500 of 1000 Wh sold at 100. The tolerance is on what was quoted, the shortage on what was sold.
        # One Wh short: 49,900 paid, 10 back, the prosumer's fee is 998
        pytest.param(499, +48_892, -49_890, 998, (0, 1), (0, 1), id="short, and in default"),
        # No shortage: 50,000 paid and 1,000 in fees from either side
        pytest.param(500, +49_000, -51_000, 2_000, (0, 0), (0, 1), id="not short, still in default"),
        pytest.param(949, +49_000, -51_000, 2_000, (0, 0), (0, 1), id="one Wh below 95 % of the quote"),
        pytest.param(950, +49_000, -51_000, 2_000, (0, 0), (1, 0), id="95 % of the quote"),
    ],
)
def test_half_sold(
    stage: Stage,
    exported: int,
    prosumer: int,
    consumer: int,
    owner: int,
    waivers: tuple[int, int],
    record: tuple[int, int],
) -> None:
    """T-SET-7, T-SET-8, T-SET-15, T-SET-16; annex C, 23."""
    quote_id = delivered(stage, exported, (stage.consumer, 100, 500))

    settle(stage, quote_id)

    assert stage.money(stage.prosumer) == (FUNDS + prosumer, 0)
    assert stage.money(stage.consumer) == (FUNDS + consumer, 0)
    assert stage.money(stage.owner) == (owner, 0)
    assert stage.standing(stage.prosumer) == (*record, waivers[0], 0)
    assert stage.standing(stage.consumer) == (0, 0, waivers[1], 0)


@pytest.mark.parametrize("exported", [None, 0, 949, 1000, 1051])
def test_nothing_sold(stage: Stage, exported: int | None) -> None:
    """T-SET-20, T-MET-14: collateral back; no fee, waiver or record, whatever was exported; the silent is revoked."""
    quote_id = delivered(stage, exported)
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)

    silence = [revoked(stage.prosumer)] if exported is None else []
    assert settle(stage, quote_id) == [*silence, quote_settled(quote_id, 0, 0, 0, 0)]

    assert stage.account(stage.prosumer).authorized == (exported is not None)
    assert stage.money(stage.prosumer) == (FUNDS, 0)
    assert stage.money(stage.owner) == (0, 0)
    assert stage.standing(stage.prosumer) == (0, 0, 0, 0)
    assert stage.market.position(stage.prosumer.address, stage.period) == (0, 0, 0, 0, 0, False)
    assert stage.market.quote(quote_id).status == SETTLED


def test_more_sold_than_quoted(stage: Stage) -> None:
    """T-SUR-6, T-SET-3: 400 Wh at 140 and, once 1500 Wh are read, 1100 Wh at 100; above 105 % there is no record."""
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 140, 400))
    stage.to("METERING")
    stage.read(stage.prosumer, exported=1500, imported=0)
    stage.market.buy_surplus(quote_id, 1100, sender=stage.neighbour.address)
    stage.to("SETTLING")

    assert settle(stage, quote_id) == [
        trade_settled(quote_id, stage.consumer, 400, 56_000, 800, 0),
        trade_settled(quote_id, stage.neighbour, 1100, 110_000, 2_200, 0),
        quote_settled(quote_id, 1500, 166_000, 3_000, 0),
    ]

    assert stage.money(stage.prosumer) == (FUNDS + 163_000, 0)
    assert stage.money(stage.owner) == (6_000, 0)
    assert stage.standing(stage.prosumer) == (0, 0, 0, 0)
    stage.assert_books_balance()


# ---- shares --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volumes", "exported", "shares"),
    [
        # Running sums of the volumes times D / S, each rounded down; a share is the difference of two.
        pytest.param((600, 400), 900, (540, 360), id="even"),
        pytest.param((3, 3, 4), 7, (2, 2, 3), id="2.1, 4.2, 7"),
        pytest.param((1, 1, 1), 1, (0, 0, 1), id="0.3, 0.7, 1"),
        pytest.param((1, 1, 1), 2, (0, 1, 1), id="0.7, 1.3, 2"),
        pytest.param((1,) * 7, 3, (0, 0, 1, 0, 1, 0, 1), id="0.4, 0.9, 1.3, 1.7, 2.1, 2.6, 3"),
        pytest.param((7, 11, 13), 17, (3, 6, 8), id="3.8, 9.9, 17"),
        pytest.param((7, 11, 13), 30, (6, 11, 13), id="6.8, 17.4, 30"),
        pytest.param((333, 333, 334), 999, (332, 333, 334), id="332.7, 665.3, 999"),
        pytest.param((1, 999), 500, (0, 500), id="0.5, 500"),
        pytest.param((999, 1), 500, (499, 1), id="499.5, 500"),
        pytest.param((5, 6), 0, (0, 0), id="nothing to share"),
        pytest.param((5, 6), 11, (5, 6), id="all"),
        pytest.param((5, 6), 12, (5, 6), id="more than all"),
    ],
)
def test_shares_add_up(volumes: tuple[int, ...], exported: int, shares: tuple[int, ...]) -> None:
    """T-SET-4: winners in the order of the matching, which the falling prices tell, win all that is quoted."""
    stage = Stage(dataclasses.replace(TARIFF, rank_by_price=True))
    quote_id = stage.quote(sum(volumes), 100)
    buyers = [stage.household(f"buyer {number}") for number in range(len(volumes))]
    prices = [150 - number for number in range(len(volumes))]
    stage.auction(quote_id, *zip(buyers, prices, volumes, strict=True))
    metered(stage, exported)

    events = settle(stage, quote_id)

    trades = [arguments for name, arguments in events if name == "TradeSettled"]
    assert [trade["buyer"] for trade in trades] == [buyer.address for buyer in buyers]
    assert [trade["delivered"] for trade in trades] == list(shares)
    assert [trade["payment"] for trade in trades] == [p * share for p, share in zip(prices, shares, strict=True)]
    assert events[-1][1]["delivered"] == min(exported, sum(volumes))
    assert [stage.market.position(buyer.address, stage.period).received for buyer in buyers] == list(shares)
    assert stage.market.position(stage.prosumer.address, stage.period).delivered == sum(shares)
    stage.assert_books_balance(*buyers)


@pytest.mark.parametrize(
    ("exported", "shares"),
    [
        # 300 and 200 Wh are won, then 300 and 200 bought.
        pytest.param(499, (299, 200, 0, 0), id="499: short of what was won"),
        pytest.param(500, (300, 200, 0, 0), id="500: what was won, no more"),
        pytest.param(501, (300, 200, 1, 0), id="501: one Wh for the first purchase"),
        pytest.param(800, (300, 200, 300, 0), id="800: nothing for the second"),
        pytest.param(801, (300, 200, 300, 1), id="801: one Wh for the second"),
        pytest.param(1000, (300, 200, 300, 200), id="1000: all"),
    ],
)
def test_winners_are_served_before_purchases(stage: Stage, exported: int, shares: tuple[int, ...]) -> None:
    """T-SET-4, T-SET-22, T-GUA-14: purchases receive what the winners leave, in the order made."""
    quote_id = stage.quote(1000, 100)
    late, later = stage.household("late"), stage.household("later")
    stage.auction(quote_id, (stage.consumer, 120, 300), (stage.neighbour, 110, 200))
    stage.market.buy_surplus(quote_id, 300, sender=late.address)
    stage.market.buy_surplus(quote_id, 200, sender=later.address)
    metered(stage, exported)

    events = settle(stage, quote_id)

    trades = [arguments for name, arguments in events if name == "TradeSettled"]
    assert [trade["delivered"] for trade in trades] == list(shares)
    stage.assert_books_balance(late, later)


# ---- compensation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volume", "exported", "price", "compensation"),
    [
        pytest.param(1, 0, 62, 6, id="6.2"),
        pytest.param(1, 0, 69, 6, id="6.9"),
        pytest.param(1, 0, 70, 7, id="7.0"),
        pytest.param(1, 0, 178, 17, id="17.8, of 18 put up"),
        pytest.param(100, 94, 62, 37, id="6 short, 37.2"),
        pytest.param(100, 94, 99, 59, id="6 short, 59.4"),
        pytest.param(100, 94, 100, 60, id="6 short, 60.0"),
        pytest.param(100, 94, 101, 60, id="6 short, 60.6"),
        pytest.param(100, 95, 178, 0, id="5 short of 100 is inside the tolerance"),
        pytest.param(1000, 1, 101, 10_089, id="999 short, 10,089.9"),
    ],
)
def test_compensation_is_rounded_down(stage: Stage, volume: int, exported: int, price: int, compensation: int) -> None:
    """T-SET-8, T-UNIT-4."""
    quote_id = delivered(stage, exported, (stage.consumer, price, volume), volume=volume, price=62)

    events = settle(stage, quote_id)

    assert [a["compensation"] for name, a in events if name == "TradeSettled"] == [compensation]
    assert events[-1][1]["compensation"] == compensation
    assert stage.money(stage.consumer) == (FUNDS - exported * price + compensation, 0)
    assert stage.money(stage.prosumer)[1] == 0
    stage.assert_books_balance()


def test_each_compensation_is_rounded_for_itself(stage: Stage) -> None:
    """T-SET-8, T-SET-21: 6.9 and 6.9 make 6 and 6, not 13."""
    quote_id = delivered(stage, 0, (stage.consumer, 69, 1), (stage.neighbour, 69, 1), volume=2, price=62)

    assert settle(stage, quote_id) == [
        granted(stage.consumer),
        trade_settled(quote_id, stage.consumer, 0, 0, 0, 6),
        granted(stage.neighbour),
        trade_settled(quote_id, stage.neighbour, 0, 0, 0, 6),
        recorded(stage.prosumer, False),
        quote_settled(quote_id, 0, 0, 0, 12),
    ]
    assert stage.money(stage.prosumer) == (FUNDS - 12, 0)


def test_the_collateral_covers_the_dearest_failure(stage: Stage) -> None:
    """T-SET-21, T-GUA-9: all sold at the highest price, nothing delivered, and no free money: 17,800 of 18,000."""
    stage.market.withdraw(FUNDS - 18_000, sender=stage.prosumer.address)
    quote_id = delivered(stage, None, (stage.consumer, 178, 1000))
    assert stage.money(stage.prosumer) == (0, 18_000)

    settle(stage, quote_id)

    assert stage.money(stage.prosumer) == (200, 0)
    assert stage.money(stage.consumer) == (FUNDS + 17_800, 0)


def test_a_prosumer_in_default_pays_its_fee_without_free_money(stage: Stage) -> None:
    """T-SET-16, T-GUA-9: 1 Wh at 62 pays the fee of 2; the compensation of 999 Wh is 6,193 (.8)."""
    stage.market.withdraw(FUNDS - 18_000, sender=stage.prosumer.address)
    quote_id = delivered(stage, 1, (stage.consumer, 62, 1000), price=62)

    settle(stage, quote_id)

    assert stage.money(stage.prosumer) == (11_867, 0)  # 18,000 - 6,193 + 62 - 2
    assert stage.money(stage.owner) == (2, 0)


# ---- waivers -------------------------------------------------------------------------------------------------------


def test_only_the_purchase_that_runs_short_is_granted_a_waiver(stage: Stage) -> None:
    """T-SET-11 to T-SET-15, T-SET-17: 333, 333 and 334 Wh of one buyer; 999 Wh come as 333, 333 and 333."""
    quote_id = stage.quote(1000, 100)
    stage.to("MATCHING")
    stage.market.match_bids(quote_id)
    for volume in (333, 333, 334):
        stage.market.buy_surplus(quote_id, volume, sender=stage.consumer.address)
    metered(stage, 999)

    assert settle(stage, quote_id) == [
        trade_settled(quote_id, stage.consumer, 333, 33_300, 666, 0),
        trade_settled(quote_id, stage.consumer, 333, 33_300, 666, 0),
        granted(stage.consumer),
        trade_settled(quote_id, stage.consumer, 333, 33_300, 0, 0),
        granted(stage.prosumer),
        recorded(stage.prosumer, True),
        quote_settled(quote_id, 999, 99_900, 0, 0),
    ]

    assert stage.standing(stage.consumer) == (0, 0, 1, 0)
    assert stage.standing(stage.prosumer) == (1, 0, 1, 0)
    assert stage.money(stage.consumer) == (FUNDS - 101_232, 0)  # 99,900 + 2 * 666
    assert stage.money(stage.owner) == (1_332, 0)
    assert stage.market.position(stage.consumer.address, stage.period) == (1000, 1000, 999, 0, 0, False)


def test_a_waiver_per_short_trade_but_one_per_quote(stage: Stage) -> None:
    """T-SET-12, T-SET-15; A10: a bid and two purchases of one buyer, all short; one quote of the prosumer."""
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 100, 960))
    for _ in range(2):
        stage.market.buy_surplus(quote_id, 20, sender=stage.consumer.address)
    metered(stage, 955)

    events = settle(stage, quote_id)

    assert [name for name, _ in events].count("WaiverGranted") == 4
    assert stage.standing(stage.consumer) == (0, 0, 3, 0)
    assert stage.standing(stage.prosumer) == (1, 0, 1, 0)


def test_waivers_serve_later_quotes_one_by_one(stage: Stage) -> None:
    """T-SET-14, T-STD-11: earned at 95 %, used in the next quote, and gone in the one after."""
    first = delivered(stage, 950, (stage.consumer, 100, 1000))
    settle(stage, first)
    outcome = []
    for _ in range(2):
        period = stage.clock.next_quotable()
        quote_id = stage.quote(100, 100, period=period)
        stage.auction(quote_id, (stage.consumer, 100, 100))
        metered(stage, 100, period)
        outcome.append((quote_id, settle(stage, quote_id)))

    (second, with_waivers), (third, without) = outcome
    assert with_waivers == [
        used(stage.consumer),
        trade_settled(second, stage.consumer, 100, 10_000, 0, 0),
        used(stage.prosumer),
        recorded(stage.prosumer, True),
        quote_settled(second, 100, 10_000, 0, 0),
    ]
    assert without == [
        trade_settled(third, stage.consumer, 100, 10_000, 200, 0),
        recorded(stage.prosumer, True),
        quote_settled(third, 100, 10_000, 200, 0),
    ]
    assert stage.standing(stage.consumer) == (0, 0, 0, 0)
    assert stage.standing(stage.prosumer) == (3, 0, 0, 0)
    assert stage.money(stage.owner) == (400, 0)


def test_one_waiver_replaces_one_fee_whatever_its_size(stage: Stage) -> None:
    """T-STD-11: earned on 1 Wh, it replaces the larger fee, as that trade was made first; the smaller one is paid."""
    first = delivered(stage, 0, (stage.consumer, 100, 1), volume=1)
    settle(stage, first)
    assert stage.standing(stage.consumer) == (0, 0, 1, 0)
    period = stage.clock.next_quotable()
    quote_id = stage.quote(1000, 100, period=period)
    stage.auction(quote_id, (stage.consumer, 100, 999))
    stage.market.buy_surplus(quote_id, 1, sender=stage.consumer.address)
    metered(stage, 1000, period)

    assert settle(stage, quote_id)[:3] == [
        used(stage.consumer),
        trade_settled(quote_id, stage.consumer, 999, 99_900, 0, 0),
        trade_settled(quote_id, stage.consumer, 1, 100, 2, 0),
    ]


def test_a_prosumer_in_default_keeps_its_waiver_where_its_fee_is_nothing(stage: Stage) -> None:
    """T-SET-14: with a waiver in hand, nothing is delivered: the fee on 0 Wh is 0 and uses none up."""
    settle(stage, delivered(stage, 950, (stage.consumer, 100, 1000)))
    period = stage.clock.next_quotable()
    quote_id = stage.quote(100, 100, period=period)
    stage.auction(quote_id, (stage.consumer, 100, 100))
    metered(stage, 0, period)

    assert settle(stage, quote_id) == [
        granted(stage.consumer),
        trade_settled(quote_id, stage.consumer, 0, 0, 0, 1_000),
        recorded(stage.prosumer, False),
        quote_settled(quote_id, 0, 0, 0, 1_000),
    ]
    assert stage.standing(stage.prosumer) == (1, 1, 1, 0)
    assert stage.standing(stage.consumer) == (0, 0, 2, 0)


def test_a_prosumer_in_default_uses_its_waiver_where_it_owes_a_fee(stage: Stage) -> None:
    """T-SET-14, T-SET-16: outside the tolerance its fee is due; the waiver of an earlier quote pays it."""
    settle(stage, delivered(stage, 950, (stage.consumer, 100, 1000)))
    period = stage.clock.next_quotable()
    quote_id = stage.quote(100, 100, period=period)
    stage.auction(quote_id, (stage.consumer, 100, 100))
    metered(stage, 50, period)

    assert settle(stage, quote_id) == [
        granted(stage.consumer),
        trade_settled(quote_id, stage.consumer, 50, 5_000, 0, 500),
        used(stage.prosumer),
        recorded(stage.prosumer, False),
        quote_settled(quote_id, 50, 5_000, 0, 500),
    ]
    assert stage.standing(stage.prosumer) == (1, 1, 0, 0)


def test_without_a_fee_waivers_are_earned_and_never_used(stage: Stage) -> None:
    """T-SET-14, T-PARTY-12: a market whose fee is 0."""
    stage = Stage(dataclasses.replace(TARIFF, service_fee=0))
    settle(stage, delivered(stage, 950, (stage.consumer, 180, 1000), price=60))
    assert stage.money(stage.consumer) == (FUNDS - 171_000, 0)
    assert stage.standing(stage.consumer) == (0, 0, 1, 0)
    period = stage.clock.next_quotable()
    quote_id = stage.quote(1000, 60, period=period)
    stage.auction(quote_id, (stage.consumer, 180, 1000))
    metered(stage, 1000, period)

    assert settle(stage, quote_id) == [
        trade_settled(quote_id, stage.consumer, 1000, 180_000, 0, 0),
        recorded(stage.prosumer, True),
        quote_settled(quote_id, 1000, 180_000, 0, 0),
    ]
    assert stage.standing(stage.consumer) == (0, 0, 1, 0)
    assert stage.standing(stage.prosumer) == (2, 0, 1, 0)
    assert stage.money(stage.owner) == (0, 0)
    stage.assert_books_balance()


# ---- who is who ----------------------------------------------------------------------------------------------------


def test_a_buyer_with_several_trades_in_one_quote(stage: Stage) -> None:
    """T-SUR-9, T-SET-17, T-ACC-5: a bid and two purchases; fees one by one, and one stake that ends."""
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 140, 300))
    stage.market.buy_surplus(quote_id, 200, sender=stage.consumer.address)
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    stage.market.buy_surplus(quote_id, 100, sender=stage.consumer.address)
    stage.to("SETTLING")
    assert stage.market.position(stage.consumer.address, stage.period) == (500, 600, 0, 0, 1, False)

    assert settle(stage, quote_id) == [
        trade_settled(quote_id, stage.consumer, 300, 42_000, 600, 0),
        trade_settled(quote_id, stage.consumer, 200, 20_000, 400, 0),
        trade_settled(quote_id, stage.consumer, 100, 10_000, 200, 0),
        recorded(stage.prosumer, True),
        quote_settled(quote_id, 600, 72_000, 1_200, 0),
    ]
    assert stage.market.position(stage.consumer.address, stage.period) == (500, 600, 600, 0, 0, False)
    assert stage.money(stage.consumer) == (FUNDS - 73_200, 0)


def owner_as_user(stage: Stage) -> Household:
    """The owner with a meter of its own, authorised by itself."""
    household = stage.register(Household("owner", stage.owner, Meter("of the owner"), b"owner".ljust(32, b".")))
    stage.market.authorize(stage.owner, CAPACITY, sender=stage.owner)
    stage.fund(stage.owner, FUNDS)
    return household


def test_the_owner_as_a_buyer(stage: Stage) -> None:
    """T-SET-19; annex C, 15: it pays its fee to itself, and has the prosumer's."""
    owner = owner_as_user(stage)
    quote_id = delivered(stage, 1000, (owner, 120, 100))

    assert settle(stage, quote_id)[0] == trade_settled(quote_id, owner, 100, 12_000, 200, 0)

    assert stage.money(owner) == (FUNDS - 11_800, 0)  # -12,000 - 200 + 200 + 200
    assert stage.money(stage.prosumer) == (FUNDS + 11_800, 0)
    stage.assert_books_balance()


def test_the_owner_as_a_prosumer(stage: Stage) -> None:
    """T-SET-19; annex C, 15."""
    owner = owner_as_user(stage)
    quote_id = stage.quote(100, 100, prosumer=owner)
    stage.auction(quote_id, (stage.consumer, 120, 100))
    stage.to("METERING")
    stage.read(owner, 100, 0)
    stage.to("SETTLING")

    assert settle(stage, quote_id)[-1] == quote_settled(quote_id, 100, 12_000, 200, 0)

    assert stage.money(owner) == (FUNDS + 12_200, 0)  # 12,000 - 200 + 200 + 200
    assert stage.money(stage.consumer) == (FUNDS - 12_200, 0)
    assert stage.standing(owner) == (1, 0, 0, 0)
    stage.assert_books_balance()


def test_the_owner_in_default(stage: Stage) -> None:
    """T-SET-8, T-SET-19: compensation comes out of its collateral like anybody's."""
    owner = owner_as_user(stage)
    quote_id = stage.quote(100, 100, prosumer=owner)
    stage.auction(quote_id, (stage.consumer, 120, 100))
    stage.to("SETTLING")

    settle(stage, quote_id)

    assert stage.money(owner) == (FUNDS - 1_200, 0)
    assert stage.money(stage.consumer) == (FUNDS + 1_200, 0)


def test_fees_go_to_the_owner_of_the_moment(stage: Stage) -> None:
    """T-SET-19, T-PARTY-3: handed over between matching and settlement; what the first owner had stays its own."""
    stage = copy.copy(stage)  # its period changes
    heir = str(boa.env.generate_address("heir"))
    stage.trade(volume=100)
    assert stage.money(stage.owner) == (400, 0)
    stage.period += 4
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 100, 1000))
    stage.market.transfer_ownership(heir, sender=stage.owner)
    metered(stage, 1000)
    # Named is not accepted.
    with boa.reverts("settlement: owner only"):
        stage.market.settle_quote(quote_id, sender=heir)
    stage.market.accept_ownership(sender=heir)
    with boa.reverts("settlement: owner only"):
        stage.market.settle_quote(quote_id, sender=stage.owner)

    stage.market.settle_quote(quote_id, sender=heir)

    assert stage.money(heir) == (4_000, 0)
    assert stage.money(stage.owner) == (400, 0)
    stage.assert_books_balance(heir)


def test_fees_go_to_the_owner_though_anybody_settles(stage: Stage) -> None:
    """T-SET-1, T-SET-19: in CLOSING the caller gets nothing."""
    quote_id = delivered(stage, 1000, (stage.consumer, 100, 1000))
    stage.to("CLOSING")

    stage.market.settle_quote(quote_id, sender=stage.neighbour.address)

    assert stage.money(stage.owner) == (4_000, 0)
    assert stage.money(stage.neighbour) == (FUNDS, 0)


def test_who_lost_its_authorisation_settles_as_agreed(stage: Stage) -> None:
    """T-REG-17: both sides revoked."""
    quote_id = delivered(stage, 1000, (stage.consumer, 100, 1000))
    stage.market.revoke(stage.consumer.address, sender=stage.owner)
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)

    settle(stage, quote_id)

    assert stage.money(stage.prosumer) == (FUNDS + 98_000, 0)
    assert stage.money(stage.consumer) == (FUNDS - 102_000, 0)


def test_arrears_are_not_cleared_by_it(stage: Stage) -> None:
    """T-MON-14: what a debtor has back from its escrow stays free until somebody clears."""
    debtor = stage.household("debtor", funds=100 * 102)
    later = stage.period + 2
    quote_id = stage.quote(100, 100, period=later)
    stage.bid(quote_id, debtor, 100, 100)
    stage.to("METERING")
    stage.read(debtor, exported=0, imported=10)
    stage.to("REVEALING", later)
    stage.reveal(quote_id, debtor, 100, 100)
    stage.market.settle_account(debtor.address, stage.period, sender=stage.owner)
    assert stage.account(debtor).grid_account == -1_800
    stage.to("MATCHING", later)
    stage.market.match_bids(quote_id)
    metered(stage, 95, later)

    events = settle(stage, quote_id)

    assert "Cleared" not in [name for name, _ in events]
    assert stage.money(debtor) == (700, 0)  # 10,200 - 9,500
    assert stage.account(debtor).grid_account == -1_800


def test_two_quotes_of_one_period_do_not_touch_each_other(stage: Stage) -> None:
    """T-SET-4, T-ACC-5, T-ACC-12: the consumer received 95 from one and 100 from the other, after both."""
    first = stage.quote(100, 100)
    second = stage.quote(100, 90, prosumer=stage.neighbour)
    stage.bid(first, stage.consumer, 100, 100)
    stage.bid(second, stage.consumer, 90, 100)
    stage.to("REVEALING")
    stage.reveal(first, stage.consumer, 100, 100)
    stage.reveal(second, stage.consumer, 90, 100)
    stage.to("MATCHING")
    stage.market.match_bids(first)
    stage.market.match_bids(second)
    stage.to("METERING")
    stage.read(stage.prosumer, 95, 0)
    stage.read(stage.neighbour, 100, 0)
    stage.to("SETTLING")

    settle(stage, first)
    assert stage.market.position(stage.consumer.address, stage.period) == (200, 200, 95, 0, 1, False)
    assert stage.market.quote(second).status == MATCHED
    assert stage.money(stage.consumer) == (FUNDS - 18_700, 9_200)  # 9,500 paid, 100 * 92 reserved
    # The waiver of the first quote serves the second: 9,000 and no fee.
    assert settle(stage, second)[0] == used(stage.consumer)
    assert stage.market.position(stage.consumer.address, stage.period) == (200, 200, 195, 0, 0, False)
    assert stage.money(stage.consumer) == (FUNDS - 18_500, 0)


# ---- the largest ---------------------------------------------------------------------------------------------------


def test_the_smallest_purchases(stage: Stage) -> None:
    """T-SUR-7, T-GUA-10: 64 purchases of a sixty-fourth each, and 255 of 256 Wh for them: the last one runs short."""
    quote_id = stage.quote(256, 100)
    stage.to("MATCHING")
    stage.market.match_bids(quote_id)
    with boa.reverts("surplus: volume too small"):
        stage.market.buy_surplus(quote_id, 3, sender=stage.consumer.address)
    for _ in range(64):
        stage.market.buy_surplus(quote_id, 4, sender=stage.consumer.address)
    with boa.reverts("surplus: not enough left"):
        stage.market.buy_surplus(quote_id, 1, sender=stage.consumer.address)
    assert stage.money(stage.consumer) == (FUNDS - 26_112, 26_112)  # 256 * 102
    metered(stage, 255)

    events = settle(stage, quote_id)

    assert events[:63] == [trade_settled(quote_id, stage.consumer, 4, 400, 8, 0)] * 63
    assert events[63:] == [
        granted(stage.consumer),
        trade_settled(quote_id, stage.consumer, 3, 300, 0, 0),
        granted(stage.prosumer),
        recorded(stage.prosumer, True),
        quote_settled(quote_id, 255, 25_500, 0, 0),
    ]
    assert stage.money(stage.consumer) == (FUNDS - 26_004, 0)  # 25,500 + 63 * 8
    assert stage.money(stage.prosumer) == (FUNDS + 25_500, 0)
    assert stage.money(stage.owner) == (504, 0)
    assert stage.market.position(stage.consumer.address, stage.period) == (256, 256, 255, 0, 0, False)
    stage.assert_books_balance()


@pytest.mark.parametrize("exported", [2**24 - 1, 0], ids=["all delivered", "nothing delivered"])
def test_the_largest_volume_at_the_largest_price(stage: Stage, exported: int) -> None:
    """T-QUO-4, T-SET-21, T-MON-24: no product outgrows a purse; the price is the largest that one can pay."""
    stage = Stage(Tariff(sbp=1, ssp=2**78 - 1, service_fee=2**76, priority_step=10_000))
    volume, price = 2**24 - 1, 2**78 - 1 - 2**76
    for household in (stage.prosumer, stage.consumer):
        stage.fund(household.address, 2**102 - FUNDS)
    quote_id = stage.quote(volume, price)
    # (2**24 - 1) * (2**78 - 1) = 2**102 - 2**78 - 2**24 + 1; a tenth of it, rounded down
    assert stage.money(stage.prosumer)[1] == (2**102 - 2**78 - 2**24 + 1) // 10
    stage.auction(quote_id, (stage.consumer, price, volume))
    assert stage.money(stage.consumer) == (2**78 + 2**24 - 1, 2**102 - 2**78 - 2**24 + 1)
    metered(stage, exported)

    settle(stage, quote_id)

    if exported:
        # The consumer pays all of it, fee included; the prosumer has the price less its own fee.
        assert stage.money(stage.consumer) == (2**78 + 2**24 - 1, 0)
        assert stage.money(stage.owner) == (2 * (2**100 - 2**76), 0)
        assert stage.money(stage.prosumer) == (2**102 + volume * (2**77 - 1), 0)
    else:
        # A tenth of (2**24 - 1) * (2**78 - 2**76 - 1) = 2**102 - 2**100 - 2**78 + 2**76 - 2**24 + 1, rounded down
        compensation = (2**102 - 2**100 - 2**78 + 2**76 - 2**24 + 1) // 10
        assert stage.money(stage.consumer) == (2**102 + compensation, 0)
        assert stage.money(stage.prosumer) == (2**102 - compensation, 0)
        assert stage.money(stage.owner) == (0, 0)
    stage.assert_books_balance()


# ---- who, and when -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "caller", "reason"),
    [
        # Seconds after the period's start: SETTLING is [2400, 3000), CLOSING begins at 3000.
        pytest.param(0, "owner", "clock: wrong phase", id="DELIVERING, owner"),
        pytest.param(2399, "owner", "clock: wrong phase", id="last second of METERING, owner"),
        pytest.param(2399, "stranger", "clock: wrong phase", id="last second of METERING, stranger"),
        pytest.param(2400, "owner", None, id="first second of SETTLING, owner"),
        pytest.param(2400, "stranger", "settlement: owner only", id="first second of SETTLING, stranger"),
        pytest.param(2400, "prosumer", "settlement: owner only", id="first second of SETTLING, prosumer"),
        pytest.param(2400, "consumer", "settlement: owner only", id="first second of SETTLING, buyer"),
        pytest.param(2400, "supplier", "settlement: owner only", id="first second of SETTLING, supplier"),
        pytest.param(2999, "owner", None, id="last second of SETTLING, owner"),
        pytest.param(2999, "stranger", "settlement: owner only", id="last second of SETTLING, stranger"),
        pytest.param(3000, "owner", None, id="first second of CLOSING, owner"),
        pytest.param(3000, "stranger", None, id="first second of CLOSING, stranger"),
        pytest.param(3000, "prosumer", None, id="first second of CLOSING, prosumer"),
        pytest.param(31_536_000, "supplier", None, id="a year later, supplier"),
    ],
)
def test_who_settles_when(stage: Stage, second: int, caller: str, reason: str | None) -> None:
    """T-SET-1, T-TIME-7 to T-TIME-9, T-GUA-7."""
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 100, 1000))
    start = stage.period * 1800
    who = getattr(stage, caller)
    sender = getattr(who, "address", who)
    stage.clock.now = start + second

    if reason is None:
        stage.market.settle_quote(quote_id, sender=sender)
        assert stage.market.quote(quote_id).status == SETTLED
        return
    with boa.reverts(reason):
        stage.market.settle_quote(quote_id, sender=sender)
    assert stage.market.quote(quote_id).status == MATCHED
    assert stage.money(stage.consumer) == (FUNDS - 102_000, 102_000)
    assert stage.standing(stage.prosumer) == (0, 0, 0, 0)


@pytest.mark.parametrize("phase", ["SETTLING", "CLOSING"])
def test_matched_late_and_settled_at_once(stage: Stage, phase: str) -> None:
    """T-MAT-1, T-SET-2: the readings are in; the matching was forgotten."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 100, 1000)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 100, 1000)
    metered(stage, 1000)
    stage.to(phase)
    stage.market.match_bids(quote_id, sender=stage.stranger)

    settle(stage, quote_id)

    assert stage.money(stage.prosumer) == (FUNDS + 98_000, 0)
    assert stage.money(stage.consumer) == (FUNDS - 102_000, 0)


# ---- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quote_id", [0, 2, 2**256 - 1])
def test_refuses_an_unknown_quote(stage: Stage, quote_id: int) -> None:
    """Annex A: before everything else."""
    assert delivered(stage, 1000, (stage.consumer, 100, 1000)) == 1

    for sender in (stage.owner, stage.stranger):
        with boa.reverts("quotes: unknown quote"):
            stage.market.settle_quote(quote_id, sender=sender)


def test_refuses_a_quote_that_is_not_matched(stage: Stage) -> None:
    """T-SET-2: VALID and INVALID, in every phase; told before the phase and the caller."""
    quote_id = stage.quote(1000, 100)
    back = stage.quote(1000, 100, prosumer=stage.neighbour)
    stage.market.invalidate_quote(back, sender=stage.neighbour.address)
    for phase in (None, "REVEALING", "MATCHING", "DELIVERING", "METERING", "SETTLING", "CLOSING"):
        if phase:
            stage.to(phase)
        for target in (quote_id, back):
            for sender in (stage.owner, stage.stranger):
                with boa.reverts("quotes: not matched"):
                    stage.market.settle_quote(target, sender=sender)
    assert stage.market.quote(quote_id).status == VALID
    assert stage.market.quote(back).status == INVALID
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)


def test_refuses_a_second_settlement(stage: Stage) -> None:
    """T-SET-2: once; nothing is paid twice."""
    quote_id = delivered(stage, 1000, (stage.consumer, 100, 1000))
    settle(stage, quote_id)
    for phase in ("SETTLING", "CLOSING"):
        stage.to(phase)
        with boa.reverts("quotes: not matched"):
            stage.market.settle_quote(quote_id, sender=stage.owner)
    assert stage.money(stage.prosumer) == (FUNDS + 98_000, 0)
    assert stage.money(stage.owner) == (4_000, 0)
    assert stage.standing(stage.prosumer) == (1, 0, 0, 0)
