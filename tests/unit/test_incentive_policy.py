"""The paper's incentive policy, section 2.2 (1) to (4), as worked tables.

Always the same trade: the prosumer expects 1000 Wh and sells all of them to the consumer at 100 base units a Wh. The
supplier pays 60 (SBP) and charges 180 (SSP); the service fee is 2 a Wh for either side. So, as agreed, the consumer
pays 100,000 and a fee of 2,000; the prosumer pays a fee of 2,000; who is short buys at 180, who has too much sells
at 60. Every figure below follows from these by mental arithmetic.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import boa
import pytest

from tests.support.stage import Stage


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """The shared stage, with a period of the test's own: playing several trades changes it."""
    return copy.copy(stage)


@dataclass(frozen=True)
class Outcome:
    """What one trade came to, in base units."""

    payment: int
    compensation: int
    buyer_fee: int
    seller_fee: int
    buyer_waivers: int
    seller_waivers: int
    buyer_invoice: int
    seller_invoice: int
    buyer_record: str
    seller_record: str


def record(before: Any, after: Any) -> str:
    """What was recorded between two looks at an account."""
    good, bad = after.performances - before.performances, after.defaults - before.defaults
    return {(0, 0): "-", (1, 0): "good", (0, 1): "default"}[good, bad]


def play(stage: Stage, exported: int, imported: int | None = None) -> Outcome:
    """The trade above in the stage's period, with what the two meters read; then the stage moves on."""
    buyer, seller = stage.account(stage.consumer), stage.account(stage.prosumer)
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 100, 1000))
    stage.to("METERING")
    stage.read(stage.prosumer, exported, 0)
    stage.read(stage.consumer, 0, 1000 if imported is None else imported)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    events = dict(stage.events())
    trade, whole = events["TradeSettled"], events["QuoteSettled"]
    invoices = {}
    for household in (stage.consumer, stage.prosumer):
        stage.market.settle_account(household.address, stage.period, sender=stage.owner)
        invoices[household] = dict(stage.events())["AccountSettled"]["amount"]
    stage.assert_books_balance()
    stage.period = stage.clock.next_quotable()
    buyer_now, seller_now = stage.account(stage.consumer), stage.account(stage.prosumer)
    return Outcome(
        payment=trade["payment"],
        compensation=trade["compensation"],
        buyer_fee=trade["fee"],
        seller_fee=whole["fee"],
        buyer_waivers=buyer_now.waivers - buyer.waivers,
        seller_waivers=seller_now.waivers - seller.waivers,
        buyer_invoice=invoices[stage.consumer],
        seller_invoice=invoices[stage.prosumer],
        buyer_record=record(buyer, buyer_now),
        seller_record=record(seller, seller_now),
    )


# ---- (1) a little less than forecast -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exported", "payment", "from_supplier"),
    [
        (950, 95_000, -9_000),
        (951, 95_100, -8_820),
        (975, 97_500, -4_500),
        (999, 99_900, -180),
    ],
    ids=["95 % exactly", "one Wh more", "97.5 %", "one Wh short"],
)
def test_policy_1_a_shortage_within_five_percent(stage: Stage, exported: int, payment: int, from_supplier: int) -> None:
    """Paper 2.2 (1); T-SET-5, T-SET-11, T-SET-12, T-SET-15, T-STD-4.

    "Prosumers are not penalized when actual production is higher than 95% of the forecast and receive payments that
    match the actual transaction volume. Consumers need to purchase the credits from the energy provider themselves.
    [...] the system will waive the service fee for users participating in P2P transactions this time and next time."
    """
    assert play(stage, exported) == Outcome(
        payment=payment,
        compensation=0,
        buyer_fee=0,
        seller_fee=0,
        buyer_waivers=+1,
        seller_waivers=+1,
        buyer_invoice=from_supplier,
        seller_invoice=0,
        buyer_record="good",
        seller_record="good",
    )


def test_policy_1_this_time_and_next_time(stage: Stage) -> None:
    """Paper 2.2 (1); T-SET-14: the shortage, the next trade, and the one after it."""
    trades = [play(stage, 950), play(stage, 1000), play(stage, 1000)]

    #                                            short   next    after
    assert [trade.buyer_fee for trade in trades] == [0, 0, 2_000]
    assert [trade.seller_fee for trade in trades] == [0, 0, 2_000]
    assert [trade.buyer_waivers for trade in trades] == [+1, -1, 0]
    assert [trade.seller_waivers for trade in trades] == [+1, -1, 0]
    assert [trade.payment for trade in trades] == [95_000, 100_000, 100_000]


@pytest.mark.parametrize(
    ("exported", "to_supplier", "seller_record"),
    [
        (1000, 0, "good"),
        (1001, 60, "good"),
        (1050, 3_000, "good"),
        (1051, 3_060, "-"),
        (1500, 30_000, "-"),
    ],
    ids=["as forecast", "one Wh more", "105 % exactly", "one Wh above 105 %", "150 %"],
)
def test_policy_more_than_forecast(stage: Stage, exported: int, to_supplier: int, seller_record: str) -> None:
    """Paper 2.2: "prosumers can choose to sell to the grid as well"; T-ACC-7, T-STD-4, T-STD-6."""
    assert play(stage, exported) == Outcome(
        payment=100_000,
        compensation=0,
        buyer_fee=2_000,
        seller_fee=2_000,
        buyer_waivers=0,
        seller_waivers=0,
        buyer_invoice=0,
        seller_invoice=to_supplier,
        buyer_record="good",
        seller_record=seller_record,
    )


def test_policy_others_buy_the_excess(stage: Stage) -> None:
    """Paper 2.2: "the contract will record the excess power. Other users can continue to buy the excess"; T-SUR-6."""
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 100, 1000))
    stage.to("METERING")
    assert stage.market.remaining(quote_id) == 0
    stage.read(stage.prosumer, 1200, 0)
    assert stage.market.remaining(quote_id) == 200
    stage.market.buy_surplus(quote_id, 150, sender=stage.neighbour.address)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    stage.market.settle_account(stage.prosumer.address, stage.period, sender=stage.owner)

    # 150 at 100 from the neighbour instead of 150 at 60; the last 50 go to the supplier.
    assert dict(stage.events())["AccountSettled"]["amount"] == 3_000
    assert stage.market.position(stage.prosumer.address, stage.period).delivered == 1150


# ---- (2) much less than forecast -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exported", "payment", "compensation", "seller_fee", "from_supplier"),
    [
        #  10 % of the shortage's value; the fee on what was delivered; the shortage at 180
        (949, 94_900, 510, 1_898, -9_180),
        (900, 90_000, 1_000, 1_800, -18_000),
        (500, 50_000, 5_000, 1_000, -90_000),
        (1, 100, 9_990, 2, -179_820),
        (0, 0, 10_000, 0, -180_000),
    ],
    ids=["one Wh below 95 %", "90 %", "half", "one Wh", "nothing"],
)
def test_policy_2_a_larger_shortage(
    stage: Stage, exported: int, payment: int, compensation: int, seller_fee: int, from_supplier: int
) -> None:
    """Paper 2.2 (2); T-SET-5, T-SET-8, T-SET-9, T-SET-12, T-SET-16, T-STD-5.

    "When the actual power generation is less than 95% of the predicted amount, prosumers receive the amount
    corresponding to the actual transaction volume. Consumers purchase the shortage of electricity by themselves, and
    prosumers should subsidize consumers by 10% of the shortage amount. [...] this contract waives the service fee for
    this and the next P2P transaction for consumers whose interests are damaged."
    """
    assert play(stage, exported) == Outcome(
        payment=payment,
        compensation=compensation,
        buyer_fee=0,
        seller_fee=seller_fee,
        buyer_waivers=+1,
        seller_waivers=0,
        buyer_invoice=from_supplier,
        seller_invoice=0,
        buyer_record="good",
        seller_record="default",
    )
    # "The punishment is controlled within 15%": of the trade's 100,000.
    assert compensation <= 15_000


def test_policy_2_next_time_the_consumer_only(stage: Stage) -> None:
    """Paper 2.2 (2); T-SET-14, T-SET-16: the shortage, the next trade, and the one after it."""
    trades = [play(stage, 900), play(stage, 1000), play(stage, 1000)]

    #                                             short   next   after
    assert [trade.buyer_fee for trade in trades] == [0, 0, 2_000]
    assert [trade.seller_fee for trade in trades] == [1_800, 2_000, 2_000]
    assert [trade.buyer_waivers for trade in trades] == [+1, -1, 0]
    assert [trade.seller_waivers for trade in trades] == [0, 0, 0]


def test_policy_2_a_shortage_twice_is_waived_twice(stage: Stage) -> None:
    """T-SET-12, T-STD-11: two waivers in hand, then two trades without a fee."""
    trades = [play(stage, 900), play(stage, 900), play(stage, 1000), play(stage, 1000), play(stage, 1000)]

    assert [trade.buyer_fee for trade in trades] == [0, 0, 0, 0, 2_000]
    assert [trade.buyer_waivers for trade in trades] == [+1, +1, -1, -1, 0]


# ---- (3) consumers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imported", "invoice", "buyer_record"),
    [
        # Whatever it uses, it pays 100,000 and 2,000; the difference goes over the supplier.
        (1200, -36_000, "default"),
        (1051, -9_180, "default"),
        (1050, -9_000, "good"),
        (1000, 0, "good"),
        (950, +3_000, "good"),
        (949, +3_060, "default"),
        (800, +12_000, "default"),
        (0, +60_000, "default"),
    ],
    ids=["120 %", "one Wh above 105 %", "105 %", "as agreed", "95 %", "one Wh below 95 %", "80 %", "nothing"],
)
def test_policy_3_consumers_that_use_more_or_less(stage: Stage, imported: int, invoice: int, buyer_record: str) -> None:
    """Paper 2.2 (3); T-ACC-6, T-ACC-8, T-STD-7, T-STD-8.

    "if their actual power consumption exceeds the transaction volume, consumers should purchase the excess power by
    themselves. If the actual electricity consumption is lower than the transaction volume, the user still needs to
    pay the prosumers in full. But the consumers can sell the excess electricity to the grid [...] Defaulting consumers
    could face some of the losses".
    """
    assert play(stage, 1000, imported) == Outcome(
        payment=100_000,
        compensation=0,
        buyer_fee=2_000,
        seller_fee=2_000,
        buyer_waivers=0,
        seller_waivers=0,
        buyer_invoice=invoice,
        seller_invoice=0,
        buyer_record=buyer_record,
        seller_record="good",
    )


# ---- (4) rewards ---------------------------------------------------------------------------------------------------


def test_policy_4_good_performances_lower_the_fee(stage: Stage) -> None:
    """Paper 2.2 (4); T-STD-1 to T-STD-3, T-SET-13, T-SET-16. tests/unit/test_tiers.py has every threshold.

    "If the user has accumulated five good performances, each transaction can be reduced by 20% of the service fee.
    Accumulate ten good performances and get a 40% discount. Twenty well-performing user transactions get 60% off."
    """
    seen = []
    for more in (0, 5, 5, 10):
        stage.earn(more)
        with boa.env.anchor():
            period = stage.period
            trade = play(stage, 1000)
            stage.period = period
        seen.append((stage.account(stage.consumer).performances, trade.buyer_fee, trade.seller_fee))

    assert seen == [
        # performances, the consumer's fee, the prosumer's fee
        (0, 2_000, 2_000),
        (5, 1_600, 1_600),
        (10, 1_200, 1_200),
        (20, 800, 800),
    ]


def test_policy_4_a_default_takes_nothing_away(stage: Stage) -> None:
    """T-STD-1, T-STD-10: five good performances and a default on either side: still 20 % off."""
    stage.earn(5)
    spoilt = play(stage, 800, 500)
    assert (spoilt.buyer_record, spoilt.seller_record) == ("default", "default")
    assert spoilt.seller_fee == 1_280  # 800 * 2 less 20 %
    assert stage.standing(stage.prosumer) == (5, 1, 0, 1)
    assert stage.standing(stage.consumer) == (5, 1, 1, 1)

    following = [play(stage, 1000), play(stage, 1000)]

    assert [trade.seller_fee for trade in following] == [1_600, 1_600]
    assert [trade.buyer_fee for trade in following] == [0, 1_600]  # the waiver first


@pytest.mark.parametrize(
    ("newcomer_bids", "winner"),
    [(80, "consumer"), (83, "consumer"), (84, "neighbour"), (85, "neighbour")],
)
def test_policy_4_good_performers_trade_more_often(stage: Stage, newcomer_bids: int, winner: str) -> None:
    """Paper 2.2, "a higher P2P transaction probability as a reward"; T-MAT-2: a tier adds 5 % to a bid.

    After five good performances the consumer's 80 count like 84, and who opened first wins where both are level.
    """
    stage.earn(5)
    quote_id = stage.quote(1000, 70)
    stage.auction(quote_id, (stage.neighbour, newcomer_bids, 1000), (stage.consumer, 80, 1000))

    assert [trade.buyer for trade in stage.market.trades(quote_id)] == [getattr(stage, winner).address]
