"""`settle_account`: T-ACC-1 to T-ACC-13, T-STD-7 to T-STD-10, T-MET-7 to T-MET-10, T-MET-14, T-MON-8, T-MON-11,
T-MON-15 to T-MON-17.

The stage's SBP is 60, its SSP 180 and its fee 2.
"""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.stage import CAPACITY, FUNDS, SALT, Household, Stage
from wattproof.market.deployment import Tariff


def sold(stage: Stage, exported: int | None, *bids: tuple[Household, int, int], volume: int = 1000) -> int:
    """The prosumer's quote at 100, matched with bids `(bidder, price, volume)` and metered; in METERING."""
    quote_id = stage.quote(volume, 100)
    stage.auction(quote_id, *bids)
    stage.to("METERING")
    if exported is not None:
        stage.read(stage.prosumer, exported, 0)
    return quote_id


def settle(stage: Stage, user: Household, period: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    """The owner settles a user's account; the events."""
    stage.market.settle_account(user.address, stage.period if period is None else period, sender=stage.owner)
    return stage.events()


def account_settled(
    stage: Stage, user: Household, amount: int, cleared: int | None = None
) -> tuple[str, dict[str, Any]]:
    """The event of the settlement. Unless said, the user can pay all and the supplier nothing."""
    moved = min(amount, 0) if cleared is None else cleared
    return ("AccountSettled", {"user": user.address, "period": stage.period, "amount": amount, "cleared": moved})


def recorded(user: Household, good: bool) -> tuple[str, dict[str, Any]]:
    """The event of a performance recorded."""
    return ("PerformanceRecorded", {"user": user.address, "good": good})


def revoked(user: Household) -> tuple[str, dict[str, Any]]:
    """The event of an authorisation lost."""
    return ("Revoked", {"user": user.address})


# ---- what the supplier and the user owe each other -----------------------------------------------------------------


def test_a_buyer_that_used_more_than_it_received(stage: Stage) -> None:
    """T-ACC-6, T-ACC-9, T-MON-11: 40 Wh more than 1000 cost 40 * 180; the record comes first."""
    quote_id = sold(stage, 1000, (stage.consumer, 100, 1000))
    stage.read(stage.consumer, 0, 1040)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    assert stage.money(stage.consumer) == (FUNDS - 102_000, 0)

    assert settle(stage, stage.consumer) == [
        recorded(stage.consumer, True),
        account_settled(stage, stage.consumer, -7_200),
    ]

    assert stage.account(stage.consumer).grid_account == 0
    assert stage.money(stage.consumer) == (FUNDS - 109_200, 0)
    assert stage.money(stage.supplier) == (7_200, 0)
    assert stage.market.position(stage.consumer.address, stage.period) == (1000, 1000, 1000, 0, 0, True)
    assert stage.standing(stage.consumer) == (1, 0, 0, 0)
    assert stage.account(stage.consumer).authorized
    stage.assert_books_balance()


@pytest.mark.parametrize(
    ("exported", "imported", "amount"),
    [
        # The consumer bought 1000 Wh; received is what the prosumer exported, 1000 at most.
        pytest.param(1000, 1000, 0, id="received 1000, used 1000"),
        pytest.param(1000, 1001, -180, id="received 1000, used one Wh more"),
        pytest.param(1000, 999, +60, id="received 1000, used one Wh less"),
        pytest.param(1000, 1500, -90_000, id="received 1000, used 1500"),
        pytest.param(1000, 0, +60_000, id="received 1000, used nothing"),
        pytest.param(1000, None, 0, id="received 1000, silent"),
        pytest.param(1200, 1000, 0, id="more exported than sold"),
        pytest.param(950, 950, 0, id="received 950, used 950"),
        pytest.param(950, 1000, -9_000, id="received 950, used 1000"),
        pytest.param(950, 900, +3_000, id="received 950, used 900"),
        pytest.param(950, None, -9_000, id="received 950, silent: counts as 1000"),
        pytest.param(0, 1000, -180_000, id="received nothing, used 1000"),
        pytest.param(0, 0, 0, id="received nothing, used nothing"),
        pytest.param(0, None, -180_000, id="received nothing, silent: counts as 1000"),
        pytest.param(None, None, -180_000, id="both silent"),
    ],
)
def test_a_buyers_invoice(stage: Stage, exported: int | None, imported: int | None, amount: int) -> None:
    """T-ACC-6, T-ACC-8, T-ACC-9, T-ACC-12, T-MET-7. The supplier has no money, so that what it owes stays visible."""
    quote_id = sold(stage, exported, (stage.consumer, 100, 1000))
    if imported is not None:
        stage.read(stage.consumer, 0, imported)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    before = stage.account(stage.consumer).balance

    events = settle(stage, stage.consumer)

    assert account_settled(stage, stage.consumer, amount) in events
    assert stage.account(stage.consumer).grid_account == max(amount, 0)
    assert stage.money(stage.consumer) == (before + min(amount, 0), 0)
    assert stage.money(stage.supplier) == (-min(amount, 0), 0)
    stage.assert_books_balance()


@pytest.mark.parametrize(
    ("exported", "imported", "amount"),
    [
        # The prosumer quoted 1000 Wh and sold 600.
        pytest.param(600, 0, 0, id="as sold"),
        pytest.param(601, 0, +60, id="one Wh more"),
        pytest.param(1000, 0, +24_000, id="as quoted: 400 at 60"),
        pytest.param(1500, 0, +54_000, id="more than quoted: 900 at 60"),
        pytest.param(599, 0, 0, id="one Wh short: no invoice for that"),
        pytest.param(0, 0, 0, id="nothing"),
        pytest.param(1000, 50, +15_000, id="400 at 60 less 50 at 180"),
        pytest.param(600, 50, -9_000, id="50 at 180"),
        pytest.param(1000, 134, -120, id="400 at 60 less 134 at 180"),
    ],
)
def test_a_prosumers_invoice(stage: Stage, exported: int, imported: int, amount: int) -> None:
    """T-ACC-6, T-ACC-7, T-ACC-13. Selling alone is recorded with the quote, not with the account (T-STD-9)."""
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 100, 600))
    stage.to("METERING")
    stage.read(stage.prosumer, exported, imported)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    standing = stage.standing(stage.prosumer)

    events = settle(stage, stage.prosumer)

    assert events == [account_settled(stage, stage.prosumer, amount)]
    assert stage.standing(stage.prosumer) == standing
    assert stage.account(stage.prosumer).authorized
    stage.assert_books_balance()


@pytest.mark.parametrize(
    ("exported", "imported", "amount"),
    [
        pytest.param(0, 0, 0, id="nothing at all"),
        pytest.param(1, 0, +60, id="one Wh out"),
        pytest.param(0, 1, -180, id="one Wh in"),
        pytest.param(700, 0, +42_000, id="700 out"),
        pytest.param(700, 10, +40_200, id="700 out, 10 in"),
        pytest.param(3, 1, 0, id="even"),
        pytest.param(16_777_215, 0, +1_006_632_900, id="the most out"),
        pytest.param(16_777_216, 0, +1_006_632_900, id="more than the connection carries"),
    ],
)
def test_a_household_that_did_not_trade(stage: Stage, exported: int, imported: int, amount: int) -> None:
    """T-ACC-3, T-STD-9; annex C, 16: the supplier alone; no record; an invoice of 0 is announced, too."""
    stage.to("METERING")
    stage.read(stage.neighbour, exported, imported)
    stage.to("SETTLING")

    events = settle(stage, stage.neighbour)

    assert events == [account_settled(stage, stage.neighbour, amount)]
    assert stage.account(stage.neighbour).grid_account == max(amount, 0)
    assert stage.standing(stage.neighbour) == (0, 0, 0, 0)
    assert stage.market.position(stage.neighbour.address, stage.period) == (0, 0, 0, 0, 0, True)


@pytest.mark.parametrize("funds", [0, 1])
@pytest.mark.parametrize(("exported", "imported", "amount"), [(1, 0, 1), (2, 1, 0), (1, 1, -1)])
def test_one_base_unit_counts(exported: int, imported: int, amount: int, funds: int) -> None:
    """T-ACC-9, T-MON-8, T-MON-13: the smallest invoice, where SBP is 1 and SSP 2; who has nothing still owes it."""
    stage = Stage(Tariff(sbp=1, ssp=2, service_fee=0))
    user = stage.household("poor", funds=funds)
    stage.to("METERING")
    stage.read(user, exported, imported)
    stage.to("SETTLING")
    paid = -funds if amount < 0 else 0

    assert settle(stage, user) == [account_settled(stage, user, amount, paid)]
    assert stage.account(user).grid_account == amount - paid
    assert stage.money(user) == (funds + paid, 0)
    stage.market.clear(user.address, sender=stage.stranger)
    assert stage.events() == []

    stage.fund(stage.supplier if amount > 0 else user.address, 1)
    stage.market.clear(user.address, sender=stage.stranger)
    assert stage.account(user).grid_account == 0
    stage.assert_books_balance(user)


@pytest.mark.parametrize(
    ("imported", "amount", "good"),
    [
        # Exported 1000 of which 600 were delivered: +400 * 60. Bought and received 200.
        pytest.param(200, +24_000, True, id="used what it bought"),
        pytest.param(150, +27_000, False, id="50 resold at 60"),
        pytest.param(260, +13_200, False, id="60 more at 180"),
    ],
)
def test_seller_and_buyer_at_once(stage: Stage, imported: int, amount: int, good: bool) -> None:
    """T-ACC-6 to T-ACC-9: one invoice for both sides; two records, one of them the quote's."""
    own = stage.quote(1000, 100)
    other = stage.quote(500, 90, prosumer=stage.neighbour)
    stage.bid(own, stage.consumer, 100, 600)
    stage.bid(other, stage.prosumer, 90, 200)
    stage.to("REVEALING")
    stage.reveal(own, stage.consumer, 100, 600)
    stage.reveal(other, stage.prosumer, 90, 200)
    stage.to("MATCHING")
    stage.market.match_bids(own)
    stage.market.match_bids(other)
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, imported)
    stage.read(stage.neighbour, 500, 0)
    stage.to("SETTLING")
    assert stage.market.position(stage.prosumer.address, stage.period).open == 2
    stage.market.settle_quote(own, sender=stage.owner)
    with boa.reverts("settlement: quotes still open"):
        settle(stage, stage.prosumer)
    stage.market.settle_quote(other, sender=stage.owner)
    assert stage.standing(stage.prosumer) == (1, 0, 0, 0)

    assert settle(stage, stage.prosumer) == [
        recorded(stage.prosumer, good),
        account_settled(stage, stage.prosumer, amount),
    ]

    assert stage.standing(stage.prosumer) == ((2, 0, 0, 0) if good else (1, 1, 0, 0))
    assert stage.market.position(stage.prosumer.address, stage.period) == (200, 200, 200, 600, 0, True)


def test_energy_from_two_quotes_adds_up(stage: Stage) -> None:
    """T-ACC-10 to T-ACC-12: 100 and 200 bought, 100 and 150 received, 300 used: 50 at 180; good, as 300 were agreed."""
    first = stage.quote(100, 100)
    second = stage.quote(200, 100, prosumer=stage.neighbour)
    for quote_id, volume in ((first, 100), (second, 200)):
        stage.bid(quote_id, stage.consumer, 100, volume)
    stage.to("REVEALING")
    for quote_id, volume in ((first, 100), (second, 200)):
        stage.reveal(quote_id, stage.consumer, 100, volume)
    stage.to("MATCHING")
    stage.market.match_bids(first)
    stage.market.match_bids(second)
    stage.to("METERING")
    stage.read(stage.prosumer, 100, 0)
    stage.read(stage.neighbour, 150, 0)
    stage.read(stage.consumer, 0, 300)
    stage.to("SETTLING")
    stage.market.settle_quote(second, sender=stage.owner)
    stage.market.settle_quote(first, sender=stage.owner)

    events = settle(stage, stage.consumer)

    assert events == [recorded(stage.consumer, True), account_settled(stage, stage.consumer, -9_000)]
    assert stage.market.position(stage.consumer.address, stage.period) == (300, 300, 250, 0, 0, True)


def test_invoices_of_several_periods_add_up(stage: Stage) -> None:
    """T-ACC-9, T-MON-7: +42,000 that the supplier cannot pay, then -18,000: 24,000 are left, and no money moves."""
    nxt = stage.period + 1
    stage.to("METERING")
    stage.read(stage.neighbour, 700, 0)
    stage.to("METERING", nxt)
    stage.read(stage.neighbour, 0, 100, nxt)
    stage.to("SETTLING", nxt)

    settle(stage, stage.neighbour)
    assert stage.account(stage.neighbour).grid_account == 42_000
    events = settle(stage, stage.neighbour, nxt)

    fields = {"user": stage.neighbour.address, "period": nxt, "amount": -18_000, "cleared": 0}
    assert events == [("AccountSettled", fields)]
    assert stage.account(stage.neighbour).grid_account == 24_000
    assert stage.money(stage.neighbour) == (FUNDS, 0)


def test_the_largest_invoice(stage: Stage) -> None:
    """T-PARTY-11, T-MET-3: (2**24 - 1) Wh at 2**96 - 1 each; what cannot be paid is arrears."""
    stage = Stage(Tariff(sbp=2**96 - 1, ssp=2**96 - 1, service_fee=0))
    stage.to("METERING")
    stage.read(stage.consumer, 0, 2**24 - 1)
    stage.read(stage.neighbour, 2**24 - 1, 0)
    stage.to("SETTLING")
    settle(stage, stage.consumer)
    settle(stage, stage.neighbour)

    assert stage.account(stage.consumer).grid_account == -(2**120 - 2**96 - 2**24 + 1) + FUNDS
    assert stage.account(stage.consumer).balance == 0
    assert stage.account(stage.neighbour).grid_account == 2**120 - 2**96 - 2**24 + 1 - FUNDS
    assert stage.account(stage.neighbour).balance == 2 * FUNDS
    stage.assert_books_balance()


# ---- records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agreed", "imported", "good"),
    [
        pytest.param(1000, 0, False, id="1000: nothing"),
        pytest.param(1000, 949, False, id="1000: one Wh below 95 %"),
        pytest.param(1000, 950, True, id="1000: 95 % exactly"),
        pytest.param(1000, 1000, True, id="1000: as agreed"),
        pytest.param(1000, 1050, True, id="1000: 105 % exactly"),
        pytest.param(1000, 1051, False, id="1000: one Wh above 105 %"),
        # The tolerance is not rounded.
        pytest.param(1, 0, False, id="1: nothing"),
        pytest.param(1, 1, True, id="1: as agreed"),
        pytest.param(1, 2, False, id="1: twice"),
        pytest.param(19, 18, False, id="19: 18 < 18.05"),
        pytest.param(19, 19, True, id="19: as agreed"),
        pytest.param(19, 20, False, id="19: 20 > 19.95"),
        pytest.param(20, 18, False, id="20: 18 < 19"),
        pytest.param(20, 19, True, id="20: 19 = 19"),
        pytest.param(20, 21, True, id="20: 21 = 21"),
        pytest.param(20, 22, False, id="20: 22 > 21"),
    ],
)
def test_a_buyers_record(stage: Stage, agreed: int, imported: int, good: bool) -> None:
    """T-STD-7, T-STD-8."""
    quote_id = sold(stage, agreed, (stage.consumer, 100, agreed), volume=agreed)
    stage.read(stage.consumer, 0, imported)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)

    events = settle(stage, stage.consumer)

    assert events[0] == recorded(stage.consumer, good)
    assert [name for name, _ in events].count("PerformanceRecorded") == 1
    assert stage.standing(stage.consumer) == ((1, 0, 0, 0) if good else (0, 1, 0, 0))
    assert stage.account(stage.consumer).authorized


@pytest.mark.parametrize("exported", [949, 950, 1000])
def test_the_prosumers_shortage_is_not_the_buyers_fault(stage: Stage, exported: int) -> None:
    """T-STD-7: inside and outside the prosumer's tolerance; the buyer used what it agreed."""
    quote_id = sold(stage, exported, (stage.consumer, 100, 1000))
    stage.read(stage.consumer, 0, 1000)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)

    settle(stage, stage.consumer)

    assert stage.standing(stage.consumer)[:2] == (1, 0)
    assert stage.standing(stage.prosumer)[:2] == ((0, 1) if exported == 949 else (1, 0))


@pytest.mark.parametrize(
    ("ahead", "later", "imported", "record"),
    [
        # Bought by a bid and in MATCHING; bought once the prosumer's reading was in; used
        pytest.param(500, 500, 500, "good", id="used what it agreed"),
        pytest.param(500, 500, 1000, "default", id="used all that it bought"),
        pytest.param(0, 500, 500, "none", id="agreed nothing, used all"),
        pytest.param(0, 500, 0, "none", id="agreed nothing, used nothing"),
        pytest.param(500, 0, 500, "good", id="all agreed"),
    ],
)
def test_nobody_earns_a_record_by_hindsight(stage: Stage, ahead: int, later: int, imported: int, record: str) -> None:
    """T-ACC-11, T-STD-7 to T-STD-9: what was bought once the delivery had begun is not agreed."""
    quote_id = stage.quote(1000, 100)
    stage.to("MATCHING")
    stage.market.match_bids(quote_id)
    if ahead:
        stage.market.buy_surplus(quote_id, ahead, sender=stage.consumer.address)
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    if later:
        stage.market.buy_surplus(quote_id, later, sender=stage.consumer.address)
    stage.read(stage.consumer, 0, imported)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)

    events = settle(stage, stage.consumer)

    records = [arguments["good"] for name, arguments in events if name == "PerformanceRecorded"]
    assert records == {"good": [True], "default": [False], "none": []}[record]
    assert stage.account(stage.consumer).grid_account == (ahead + later - imported) * 60
    assert stage.account(stage.consumer).authorized


def test_what_a_late_matching_gives_is_agreed(stage: Stage) -> None:
    """T-ACC-11: matched in SETTLING, won all the same."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 100, 1000)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 100, 1000)
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    stage.read(stage.consumer, 0, 1000)
    stage.to("SETTLING")
    stage.market.match_bids(quote_id)
    stage.market.settle_quote(quote_id, sender=stage.owner)

    assert settle(stage, stage.consumer) == [
        recorded(stage.consumer, True),
        account_settled(stage, stage.consumer, 0),
    ]


# ---- silence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "later", "amount", "waivers"),
    [
        # Counts as having used all that it bought, of which at most 900 are delivered.
        pytest.param(1000, 0, -18_000, 1, id="bought in MATCHING"),
        pytest.param(0, 900, 0, 0, id="bought in METERING"),
    ],
)
def test_a_silent_buyer_loses_its_authorisation(
    stage: Stage, ahead: int, later: int, amount: int, waivers: int
) -> None:
    """T-MET-7 to T-MET-9: one default, agreed or not, and no trading until the owner gives the authorisation back."""
    quote_id = stage.quote(1000, 100)
    stage.to("MATCHING")
    stage.market.match_bids(quote_id)
    if ahead:
        stage.market.buy_surplus(quote_id, ahead, sender=stage.consumer.address)
    stage.to("METERING")
    stage.read(stage.prosumer, 900, 0)
    if later:
        stage.market.buy_surplus(quote_id, later, sender=stage.consumer.address)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    assert stage.account(stage.consumer).authorized

    assert settle(stage, stage.consumer) == [
        recorded(stage.consumer, False),
        revoked(stage.consumer),
        account_settled(stage, stage.consumer, amount),
    ]

    assert stage.standing(stage.consumer) == (0, 1, waivers, 0)
    assert not stage.account(stage.consumer).authorized
    with boa.reverts("accounts: not authorised"):
        stage.quote(period=stage.period + 4, prosumer=stage.consumer)
    stage.market.authorize(stage.consumer.address, CAPACITY, sender=stage.owner)
    stage.quote(period=stage.period + 4, prosumer=stage.consumer)


def test_a_silent_buyer_that_won_its_bid_defaults_once(stage: Stage) -> None:
    """T-MET-8: not twice for one silence."""
    quote_id = sold(stage, 1000, (stage.consumer, 100, 1000))
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)

    assert settle(stage, stage.consumer) == [
        recorded(stage.consumer, False),
        revoked(stage.consumer),
        account_settled(stage, stage.consumer, 0),
    ]
    assert stage.standing(stage.consumer) == (0, 1, 0, 0)


def test_a_silent_buyer_that_was_revoked_already(stage: Stage) -> None:
    """Annex B: Revoked is logged only where the user was authorised until then."""
    quote_id = sold(stage, 1000, (stage.consumer, 100, 1000))
    stage.market.revoke(stage.consumer.address, sender=stage.owner)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)

    assert settle(stage, stage.consumer) == [
        recorded(stage.consumer, False),
        account_settled(stage, stage.consumer, 0),
    ]
    assert not stage.account(stage.consumer).authorized


def test_a_reading_of_nothing_is_not_silence(stage: Stage) -> None:
    """T-MET-8, T-MET-9: a buyer whose meter says 0 and 0 keeps its authorisation; having agreed, it is in default."""
    quote_id = sold(stage, 1000, (stage.consumer, 100, 1000))
    stage.read(stage.consumer, 0, 0)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)

    assert settle(stage, stage.consumer) == [
        recorded(stage.consumer, False),
        account_settled(stage, stage.consumer, 60_000),
    ]
    assert stage.account(stage.consumer).authorized


def test_a_silent_seller_loses_its_authorisation(stage: Stage) -> None:
    """T-MET-6, T-MET-14: in default and put out by its quote; its account has nothing to settle."""
    quote_id = sold(stage, None, (stage.consumer, 100, 1000))
    stage.to("SETTLING")
    with boa.reverts("settlement: nothing to settle"):
        settle(stage, stage.prosumer)
    stage.market.settle_quote(quote_id, sender=stage.owner)
    with boa.reverts("settlement: nothing to settle"):
        settle(stage, stage.prosumer)

    assert stage.standing(stage.prosumer) == (0, 1, 0, 0)
    assert not stage.account(stage.prosumer).authorized
    assert not stage.market.position(stage.prosumer.address, stage.period).settled
    with boa.reverts("accounts: not authorised"):
        stage.quote(period=stage.period + 4)
    stage.market.authorize(stage.prosumer.address, CAPACITY, sender=stage.owner)
    stage.quote(period=stage.period + 4)


def test_a_silent_seller_that_also_bought(stage: Stage) -> None:
    """T-MET-6 to T-MET-9: a default for the quote, which revokes, one for the silence; out 0, in the 200 bought."""
    own = stage.quote(1000, 100)
    other = stage.quote(500, 100, prosumer=stage.neighbour)
    stage.to("MATCHING")
    for quote_id, buyer in ((own, stage.consumer), (other, stage.prosumer)):
        stage.market.match_bids(quote_id)
        stage.market.buy_surplus(quote_id, 200, sender=buyer.address)
    stage.to("METERING")
    stage.read(stage.neighbour, 500, 0)
    stage.to("SETTLING")
    stage.market.settle_quote(own, sender=stage.owner)
    stage.market.settle_quote(other, sender=stage.owner)
    assert stage.standing(stage.prosumer) == (0, 1, 0, 0)

    assert settle(stage, stage.prosumer) == [
        recorded(stage.prosumer, False),
        account_settled(stage, stage.prosumer, 0),
    ]
    assert stage.standing(stage.prosumer) == (0, 2, 0, 0)


# ---- the supplier's and the user's money ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has", "paid"),
    [
        pytest.param(0, 0, id="nothing"),
        pytest.param(1, 1, id="one base unit"),
        pytest.param(41_999, 41_999, id="one short"),
        pytest.param(42_000, 42_000, id="just enough"),
        pytest.param(50_000, 42_000, id="more than enough"),
    ],
)
def test_the_supplier_pays_as_far_as_its_money_goes(stage: Stage, has: int, paid: int) -> None:
    """T-MON-8, T-MON-11, T-MON-17: 700 Wh at 60 are 42,000; the rest waits until the supplier deposits again."""
    if has:
        stage.fund(stage.supplier, has)
    stage.to("METERING")
    stage.read(stage.neighbour, 700, 0)
    stage.to("SETTLING")

    events = settle(stage, stage.neighbour)

    assert events == [account_settled(stage, stage.neighbour, 42_000, paid)]
    assert stage.account(stage.neighbour).grid_account == 42_000 - paid
    assert stage.money(stage.neighbour) == (FUNDS + paid, 0)
    assert stage.money(stage.supplier) == (has - paid, 0)
    stage.assert_books_balance()

    # A deposit of the supplier does not pay by itself; then anybody may clear, once.
    stage.fund(stage.supplier, 100_000)
    assert stage.account(stage.neighbour).grid_account == 42_000 - paid
    for _ in range(2):
        stage.market.clear(stage.neighbour.address, sender=stage.stranger)
    assert stage.account(stage.neighbour).grid_account == 0
    assert stage.money(stage.neighbour) == (FUNDS + 42_000, 0)
    assert stage.money(stage.supplier) == (has + 58_000, 0)


@pytest.mark.parametrize(
    ("has", "paid"),
    [
        pytest.param(0, 0, id="nothing"),
        pytest.param(1_799, 1_799, id="one short"),
        pytest.param(1_800, 1_800, id="just enough"),
        pytest.param(5_000, 1_800, id="more than enough"),
    ],
)
def test_the_user_pays_as_far_as_its_money_goes(stage: Stage, has: int, paid: int) -> None:
    """T-MON-7, T-MON-8, T-MON-15: 10 Wh at 180 are 1,800; in arrears not even 0 can be withdrawn."""
    user = stage.household("poor", funds=has)
    stage.to("METERING")
    stage.read(user, 0, 10)
    stage.to("SETTLING")

    events = settle(stage, user)

    assert events == [account_settled(stage, user, -1_800, -paid)]
    assert stage.account(user).grid_account == paid - 1_800
    assert stage.money(user) == (has - paid, 0)
    assert stage.money(stage.supplier) == (paid, 0)
    stage.assert_books_balance(user)
    if paid < 1_800:
        for amount in (0, 1):
            with boa.reverts("ledger: in arrears"):
                stage.market.withdraw(amount, sender=user.address)
    else:
        stage.market.withdraw(has - paid, sender=user.address)
        assert stage.token.balanceOf(user.address) == has - paid


def test_arrears_stop_new_business_and_withdrawals(stage: Stage) -> None:
    """T-REG-16, T-MON-15, T-MON-9: each is refused for the arrears alone: after a deposit each is possible."""
    debtor = stage.household("debtor", funds=0)
    later = stage.period + 4
    opened = stage.quote(640, 100, period=later)  # so that 10 Wh are a sixty-fourth
    other = stage.quote(1000, 100, period=later, prosumer=stage.neighbour)
    stage.bid(opened, debtor, 100, 10)
    stage.to("METERING")
    stage.read(debtor, 0, 10)
    stage.to("SETTLING")
    settle(stage, debtor)
    assert stage.account(debtor).grid_account == -1_800
    market, who = stage.market, debtor.address

    def attempts() -> list[str]:
        """What of new business is refused for arrears now."""
        calls = {
            "quote": lambda: market.submit_quote(later, 10, 100, sender=who),
            "bid": lambda: market.submit_bid(other, bytes(32), sender=who),
            "reveal": lambda: market.reveal_bid(opened, 100, 10, SALT, sender=who),
            "buy": lambda: market.buy_surplus(opened, 10, sender=who),
            "withdraw": lambda: market.withdraw(0, sender=who),
            "withdraw at least": lambda: market.withdraw_at_least(0, 0, sender=who),
        }
        refused = []
        for name, call in calls.items():
            with boa.env.anchor():
                try:
                    call()
                except boa.BoaError as error:
                    if "ledger: in arrears" in str(error):
                        refused.append(name)
        return refused

    everything = ["quote", "bid", "reveal", "buy", "withdraw", "withdraw at least"]
    assert attempts() == everything
    stage.fund(who, 1_799)
    assert attempts() == everything, "one base unit is owed"
    stage.to("REVEALING", later)
    assert attempts() == everything
    with boa.env.anchor():
        stage.fund(who, 1 + 1_020)
        assert attempts() == []
        stage.reveal(opened, debtor, 100, 10)
        assert stage.money(debtor) == (0, 1_020)
    stage.to("MATCHING", later)
    market.match_bids(opened)
    assert attempts() == everything
    stage.fund(who, 1 + 1_020)
    assert attempts() == []
    market.buy_surplus(opened, 10, sender=who)
    assert stage.money(debtor) == (0, 1_020)
    assert stage.money(stage.supplier) == (1_800, 0)


def test_arrears_do_not_touch_what_is_reserved(stage: Stage) -> None:
    """T-MON-4, T-MON-12, T-QUO-14: a quote can still be withdrawn, and then anybody can have the supplier paid."""
    debtor = stage.household("debtor", funds=1_800)
    quote_id = stage.quote(100, 100, prosumer=debtor, period=stage.period + 4)  # 10 % of 100 * 180
    stage.to("METERING")
    stage.read(debtor, 0, 10)
    stage.to("SETTLING")

    assert settle(stage, debtor) == [account_settled(stage, debtor, -1_800, 0)]
    assert stage.money(debtor) == (0, 1_800)
    stage.market.invalidate_quote(quote_id, sender=debtor.address)
    assert stage.account(debtor).grid_account == -1_800
    stage.market.clear(debtor.address, sender=stage.stranger)

    assert stage.account(debtor).grid_account == 0
    assert stage.money(debtor) == (0, 0)
    assert stage.money(stage.supplier) == (1_800, 0)


# ---- quotes still open ---------------------------------------------------------------------------------------------


def test_open_quotes_through_their_lives(stage: Stage) -> None:
    """T-ACC-5, A6: each quote counts once per user; a bid only from its reveal on."""
    loser = stage.household("loser")
    watcher = stage.household("watcher")

    def open_quotes() -> tuple[int, ...]:
        users = (stage.prosumer, stage.consumer, stage.neighbour, loser, watcher)
        return tuple(stage.market.position(user.address, stage.period).open for user in users)

    quote_id = stage.quote(1000, 100)
    assert open_quotes() == (1, 0, 0, 0, 0)
    stage.bid(quote_id, stage.consumer, 110, 700)
    stage.bid(quote_id, stage.neighbour, 105, 300)
    stage.bid(quote_id, loser, 100, 10)
    stage.bid(quote_id, watcher, 100, 10)
    assert open_quotes() == (1, 0, 0, 0, 0), "sealed"
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 110, 700)
    stage.reveal(quote_id, stage.neighbour, 105, 300)
    stage.reveal(quote_id, loser, 100, 10)
    assert open_quotes() == (1, 1, 1, 1, 0), "opened, but for the watcher's"
    stage.to("MATCHING")
    stage.market.match_bids(quote_id)
    assert open_quotes() == (1, 1, 1, 0, 0), "the loser is out"
    stage.to("METERING")
    stage.read(stage.prosumer, 1200, 0)
    stage.market.buy_surplus(quote_id, 100, sender=stage.consumer.address)
    stage.market.buy_surplus(quote_id, 50, sender=loser.address)
    stage.market.buy_surplus(quote_id, 50, sender=loser.address)
    assert open_quotes() == (1, 1, 1, 1, 0), "once each"
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    assert open_quotes() == (0, 0, 0, 0, 0)


def test_refuses_while_the_own_quote_is_open(stage: Stage) -> None:
    """T-ACC-4: VALID, then MATCHED."""
    quote_id = stage.quote(1000, 100)
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    stage.to("SETTLING")
    with boa.reverts("settlement: quotes still open"):
        settle(stage, stage.prosumer)
    stage.market.match_bids(quote_id)
    with boa.reverts("settlement: quotes still open"):
        settle(stage, stage.prosumer)
    stage.market.settle_quote(quote_id, sender=stage.owner)

    assert settle(stage, stage.prosumer) == [account_settled(stage, stage.prosumer, 60_000)]


def test_a_quote_taken_back_is_not_open(stage: Stage) -> None:
    """T-ACC-5."""
    stage.market.invalidate_quote(stage.quote(), sender=stage.prosumer.address)
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    stage.to("SETTLING")

    assert settle(stage, stage.prosumer) == [account_settled(stage, stage.prosumer, 60_000)]


def test_an_opened_bid_keeps_the_account_open_until_a_late_matching(stage: Stage) -> None:
    """T-ACC-4, T-ACC-5, A6: else the account would be settled before the matching gives it energy."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 110, 1000)
    stage.bid(quote_id, stage.neighbour, 100, 1000)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 110, 1000)
    stage.reveal(quote_id, stage.neighbour, 100, 1000)
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    stage.read(stage.consumer, 0, 1000)
    stage.read(stage.neighbour, 0, 1000)
    stage.to("SETTLING")
    for bidder in (stage.consumer, stage.neighbour):
        with boa.reverts("settlement: quotes still open"):
            settle(stage, bidder)

    stage.market.match_bids(quote_id)
    # The loser's account is free, the winner's waits for the settlement of the quote.
    assert settle(stage, stage.neighbour)[0] == account_settled(stage, stage.neighbour, -180_000)
    with boa.reverts("settlement: quotes still open"):
        settle(stage, stage.consumer)
    stage.market.settle_quote(quote_id, sender=stage.owner)
    assert settle(stage, stage.consumer)[1] == account_settled(stage, stage.consumer, 0)


def test_a_bid_never_opened_keeps_nothing_open(stage: Stage) -> None:
    """T-ACC-5: the quote is not even matched."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 110, 1000)
    stage.to("METERING")
    stage.read(stage.consumer, 0, 10)
    stage.to("SETTLING")

    assert settle(stage, stage.consumer)[0] == account_settled(stage, stage.consumer, -1_800)


def test_one_of_two_quotes_is_enough_to_wait(stage: Stage) -> None:
    """T-ACC-4: bought from two prosumers; the first is settled. Quotes of other periods do not matter."""
    first = stage.quote(640, 100)
    second = stage.quote(640, 100, prosumer=stage.neighbour)
    stage.quote(1000, 100, prosumer=stage.consumer, period=stage.period + 4)
    stage.to("MATCHING")
    for quote_id in (first, second):
        stage.market.match_bids(quote_id)
        stage.market.buy_surplus(quote_id, 10, sender=stage.consumer.address)
    stage.to("METERING")
    stage.read(stage.consumer, 0, 20)
    stage.to("SETTLING")
    stage.market.settle_quote(first, sender=stage.owner)
    with boa.reverts("settlement: quotes still open"):
        settle(stage, stage.consumer)
    stage.market.settle_quote(second, sender=stage.owner)

    # Both prosumers were silent: 20 Wh at 180.
    assert settle(stage, stage.consumer)[1] == account_settled(stage, stage.consumer, -3_600)


# ---- who, and when -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "caller", "reason"),
    [
        # Seconds after the period's start: SETTLING is [2400, 3000), CLOSING begins at 3000.
        pytest.param(2399, "owner", "clock: wrong phase", id="last second of METERING, owner"),
        pytest.param(2399, "stranger", "clock: wrong phase", id="last second of METERING, stranger"),
        pytest.param(2400, "owner", None, id="first second of SETTLING, owner"),
        pytest.param(2400, "stranger", "settlement: owner only", id="first second of SETTLING, stranger"),
        pytest.param(2400, "consumer", "settlement: owner only", id="first second of SETTLING, the user itself"),
        pytest.param(2400, "supplier", "settlement: owner only", id="first second of SETTLING, supplier"),
        pytest.param(2999, "owner", None, id="last second of SETTLING, owner"),
        pytest.param(2999, "stranger", "settlement: owner only", id="last second of SETTLING, stranger"),
        pytest.param(3000, "stranger", None, id="first second of CLOSING, stranger"),
        pytest.param(3000, "owner", None, id="first second of CLOSING, owner"),
        pytest.param(31_536_000, "consumer", None, id="a year later, the user itself"),
    ],
)
def test_who_settles_when(stage: Stage, second: int, caller: str, reason: str | None) -> None:
    """T-ACC-1, T-TIME-7 to T-TIME-9, T-GUA-7."""
    stage.to("METERING")
    stage.read(stage.consumer, 0, 10)
    who = getattr(stage, caller)
    sender = getattr(who, "address", who)
    stage.clock.now = stage.period * 1800 + second

    if reason is None:
        stage.market.settle_account(stage.consumer.address, stage.period, sender=sender)
        assert stage.market.position(stage.consumer.address, stage.period).settled
        assert stage.money(stage.consumer) == (FUNDS - 1_800, 0)
        return
    with boa.reverts(reason):
        stage.market.settle_account(stage.consumer.address, stage.period, sender=sender)
    assert not stage.market.position(stage.consumer.address, stage.period).settled
    assert stage.money(stage.consumer) == (FUNDS, 0)


@pytest.mark.parametrize("second", [-7200, -1200, -600, 0, 1800], ids=lambda s: f"{s} s after the start")
def test_refuses_before_settling_whatever_else_is_wrong(stage: Stage, second: int) -> None:
    """Annex A: 1 before 2 and 4."""
    stage.clock.now = stage.period * 1800 + second

    for sender in (stage.owner, stage.stranger):
        with boa.reverts("clock: wrong phase"):
            stage.market.settle_account(stage.consumer.address, stage.period, sender=sender)


def test_the_new_owner_settles(stage: Stage) -> None:
    """T-PARTY-3, T-ACC-1: handed over during SETTLING."""
    heir = str(boa.env.generate_address("heir"))
    stage.to("METERING")
    stage.read(stage.consumer, 0, 10)
    stage.to("SETTLING")
    stage.market.transfer_ownership(heir, sender=stage.owner)
    with boa.reverts("settlement: owner only"):
        stage.market.settle_account(stage.consumer.address, stage.period, sender=heir)
    stage.market.accept_ownership(sender=heir)
    with boa.reverts("settlement: owner only"):
        stage.market.settle_account(stage.consumer.address, stage.period, sender=stage.owner)

    stage.market.settle_account(stage.consumer.address, stage.period, sender=heir)

    assert stage.money(stage.supplier) == (1_800, 0)


def test_refuses_a_second_settlement(stage: Stage) -> None:
    """T-ACC-2: nothing is booked twice. 2 comes before 3: who may not settle is not told that it is done."""
    stage.to("METERING")
    stage.read(stage.consumer, 0, 10)
    stage.to("SETTLING")
    settle(stage, stage.consumer)
    with boa.reverts("settlement: owner only"):
        stage.market.settle_account(stage.consumer.address, stage.period, sender=stage.stranger)
    for phase in ("SETTLING", "CLOSING"):
        stage.to(phase)
        with boa.reverts("settlement: already settled"):
            settle(stage, stage.consumer)
    assert stage.money(stage.consumer) == (FUNDS - 1_800, 0)


def test_a_silent_buyer_is_settled_once(stage: Stage) -> None:
    """T-ACC-2, T-MET-8: one default, however often it is tried."""
    quote_id = sold(stage, 1000, (stage.consumer, 100, 1000))
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    settle(stage, stage.consumer)
    stage.market.authorize(stage.consumer.address, CAPACITY, sender=stage.owner)

    with boa.reverts("settlement: already settled"):
        settle(stage, stage.consumer)

    assert stage.standing(stage.consumer) == (0, 1, 0, 0)
    assert stage.account(stage.consumer).authorized


def test_refuses_where_nothing_is_to_settle(stage: Stage) -> None:
    """T-ACC-3; 3 before 4: no reading and nothing bought, though a quote and an opened bid are open."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 100, 10)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 100, 10)
    stage.to("SETTLING")

    for user in (stage.prosumer.address, stage.consumer.address, stage.neighbour.address, stage.stranger):
        with boa.reverts("settlement: nothing to settle"):
            stage.market.settle_account(user, stage.period, sender=stage.owner)
        with boa.reverts("settlement: owner only"):
            stage.market.settle_account(user, stage.period, sender=stage.stranger)
    stage.to("CLOSING")
    with boa.reverts("settlement: nothing to settle"):
        stage.market.settle_account(stage.supplier, stage.period, sender=stage.stranger)


def test_each_period_is_settled_for_itself(stage: Stage) -> None:
    """T-ACC-2, T-ACC-3: settled in one period, nothing to settle in the one before, open in the next."""
    nxt = stage.period + 1
    stage.to("METERING")
    stage.read(stage.consumer, 0, 10)
    stage.to("METERING", nxt)
    stage.read(stage.consumer, 0, 1, nxt)
    stage.to("CLOSING", nxt)
    settle(stage, stage.consumer)
    with boa.reverts("settlement: nothing to settle"):
        settle(stage, stage.consumer, stage.period - 1)

    settle(stage, stage.consumer, nxt)

    assert stage.money(stage.supplier) == (1_980, 0)
