"""`invalidate_quote`: T-QUO-7 and T-QUO-11 to T-QUO-16."""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import FUNDS, Stage
from wattproof.market.deployment import Tariff

UNKNOWN = "quotes: unknown quote"
NOT_PROSUMER = "quotes: not the prosumer"
NOT_VALID = "quotes: not valid"
WRONG_PHASE = "clock: wrong phase"

INVALID = 2
REJECTED = 8


def invalidate(stage: Stage, quote_id: int) -> None:
    """The prosumer takes its quote back."""
    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)


# ---- as it should be ----------------------------------------------------------------------


def test_gives_the_collateral_back_and_keeps_the_record(stage: Stage) -> None:
    """T-QUO-7, T-QUO-11, T-QUO-12, T-QUO-16: only the status of the quote changes."""
    quote_id = stage.quote()
    before = stage.market.quote(quote_id)
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)

    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)

    assert stage.events() == [("QuoteInvalidated", {"quote_id": quote_id})]
    assert stage.market.quote(quote_id) == before._replace(status=INVALID)
    assert stage.money(stage.prosumer) == (FUNDS, 0)
    assert stage.market.supply(stage.period) == 0
    assert tuple(stage.market.position(stage.prosumer.address, stage.period)) == (0, 0, 0, 0, 0, False)
    assert stage.market.quote_of(stage.prosumer.address, stage.period) == quote_id
    assert stage.market.quote_count() == 1
    stage.assert_books_balance()


def test_gives_back_exactly_what_was_reserved() -> None:
    """T-UNIT-5, T-QUO-12: 7 Wh at SSP 183 had 128.1, rounded down to 128, reserved."""
    stage = Stage(Tariff(sbp=60, ssp=183, service_fee=2))
    quote_id = stage.quote(volume=7)
    assert stage.money(stage.prosumer) == (FUNDS - 128, 128)

    invalidate(stage, quote_id)

    assert stage.money(stage.prosumer) == (FUNDS, 0)


def test_leaves_other_quotes_alone(stage: Stage) -> None:
    """T-QUO-16: 1000 of 1200 Wh of supply are withdrawn; another period's and another's collateral stay."""
    quote_id = stage.quote(1_000)
    later = stage.quote(30, period=stage.period + 1)
    others = stage.quote(200, prosumer=stage.consumer)

    invalidate(stage, quote_id)

    assert stage.market.supply(stage.period) == 200
    assert stage.market.supply(stage.period + 1) == 30
    assert [stage.market.quote(number).status for number in (later, others)] == [1, 1]
    assert stage.money(stage.prosumer) == (FUNDS - 540, 540)
    assert stage.money(stage.consumer) == (FUNDS - 3_600, 3_600)
    assert stage.market.position(stage.prosumer.address, stage.period + 1).open == 1
    assert stage.market.position(stage.consumer.address, stage.period).open == 1


def test_rejects_all_bids(stage: Stage) -> None:
    """T-QUO-13, T-BID-8: without a word, since nothing was reserved for them; nor can they be opened later."""
    quote_id = stage.quote()
    stage.bid(quote_id, stage.consumer, 100, 1_000)
    stage.bid(quote_id, stage.neighbour, 110, 500)

    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)

    assert stage.events() == [("QuoteInvalidated", {"quote_id": quote_id})]
    for bidder in (stage.consumer, stage.neighbour):
        assert stage.market.bid(quote_id, bidder.address).status == REJECTED
    assert stage.market.bid(quote_id, stage.stranger).status == 0
    stage.to("REVEALING")
    with stage.refuses(NOT_VALID):
        stage.reveal(quote_id, stage.consumer, 100, 1_000)


def test_ends_the_quote_for_ever(stage: Stage) -> None:
    """T-QUO-7: it is not matched, bought from or settled."""
    quote_id = stage.quote()
    invalidate(stage, quote_id)

    with stage.refuses(NOT_VALID):
        stage.market.submit_bid(quote_id, bytes(32), sender=stage.consumer.address)
    stage.to("MATCHING")
    with stage.refuses(NOT_VALID):
        stage.market.match_bids(quote_id)
    with stage.refuses("quotes: not matched"):
        stage.market.buy_surplus(quote_id, 1, sender=stage.consumer.address)
    assert stage.market.remaining(quote_id) == 0
    stage.to("SETTLING")
    with stage.refuses("quotes: not matched"):
        stage.market.settle_quote(quote_id, sender=stage.owner)


def test_closes_the_prosumers_account_of_the_period(stage: Stage) -> None:
    """T-ACC-5: nothing holds the account open any more; what was exported, 1000 Wh, goes to the supplier at 60."""
    quote_id = stage.quote()
    invalidate(stage, quote_id)

    stage.invoice(stage.prosumer, exported=1_000)

    assert stage.events()[0][0] == "AccountSettled"
    assert stage.account(stage.prosumer).grid_account == 60_000
    assert stage.standing(stage.prosumer) == (0, 0, 0, 0)


def test_asks_for_no_authorisation(stage: Stage) -> None:
    """T-QUO-14."""
    quote_id = stage.quote()
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)

    invalidate(stage, quote_id)

    assert stage.market.quote(quote_id).status == INVALID


def test_asks_for_no_freedom_from_arrears_and_does_not_clear(stage: Stage) -> None:
    """T-QUO-14, T-MON-14: the collateral comes back in full, the debt of 1800 stays."""
    debtor = stage.household("debtor", funds=18_000)
    quote_id = stage.quote(prosumer=debtor, period=stage.period + 10)
    stage.invoice(debtor, imported=10)

    stage.market.invalidate_quote(quote_id, sender=debtor.address)

    assert stage.money(debtor) == (18_000, 0)
    assert stage.account(debtor).grid_account == -1_800


# ---- time -------------------------------------------------------------------------------------


def test_is_open_until_the_last_second_of_bidding(stage: Stage) -> None:
    """T-QUO-11: 2 * 600 s before the start."""
    quote_id = stage.quote()
    boa.env.timestamp = stage.period * 1800 - 1_201

    invalidate(stage, quote_id)

    assert stage.market.quote(quote_id).status == INVALID


@pytest.mark.parametrize(
    "since_start",
    [-1_200, -601, -600, 0, 1_800, 2_400, 3_000],
    ids=[
        "REVEALING, first second",
        "REVEALING, last second",
        "MATCHING",
        "DELIVERING",
        "METERING",
        "SETTLING",
        "CLOSING",
    ],
)
def test_refuses_every_later_phase(stage: Stage, since_start: int) -> None:
    """T-QUO-11: also where nobody has matched the quote."""
    quote_id = stage.quote()
    boa.env.timestamp = stage.period * 1800 + since_start

    with stage.refuses(WRONG_PHASE):
        invalidate(stage, quote_id)
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)


# ---- the other refusals -----------------------------------------------------------------------


@pytest.mark.parametrize("quote_id", [0, 2, 2**256 - 1])
def test_refuses_an_unknown_quote(stage: Stage, quote_id: int) -> None:
    """T-QUO-7: quotes are numbered from 1."""
    stage.quote()

    with stage.refuses(UNKNOWN):
        invalidate(stage, quote_id)


@pytest.mark.parametrize("who", ["owner", "supplier", "stranger", "consumer", "bidder"])
def test_refuses_everybody_but_the_prosumer(stage: Stage, who: str) -> None:
    """T-QUO-11."""
    quote_id = stage.quote()
    stage.bid(quote_id, stage.neighbour, 100, 1_000)
    sender = {
        "owner": stage.owner,
        "supplier": stage.supplier,
        "stranger": stage.stranger,
        "consumer": stage.consumer.address,
        "bidder": stage.neighbour.address,
    }[who]

    with stage.refuses(NOT_PROSUMER):
        stage.market.invalidate_quote(quote_id, sender=sender)
    assert stage.market.quote(quote_id).status == 1


def test_refuses_a_second_time(stage: Stage) -> None:
    """T-QUO-11: the collateral comes back once, though another quote has some reserved."""
    quote_id = stage.quote()
    stage.quote(period=stage.period + 1)
    invalidate(stage, quote_id)

    with stage.refuses(NOT_VALID):
        invalidate(stage, quote_id)
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)


def test_refuses_what_is_matched_or_settled(stage: Stage) -> None:
    """T-QUO-11, T-PARTY-16: not to be valid comes before the phase, which is wrong, too."""
    quote_id = stage.quote()
    stage.auction(quote_id)
    with stage.refuses(NOT_VALID):
        invalidate(stage, quote_id)
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)

    with stage.refuses(NOT_VALID):
        invalidate(stage, quote_id)


def test_looks_at_the_status_before_caller_and_phase(stage: Stage) -> None:
    """T-PARTY-16."""
    quote_id, other = stage.quote(), stage.quote(prosumer=stage.consumer)
    invalidate(stage, quote_id)
    stage.to("CLOSING")

    with stage.refuses(UNKNOWN):
        stage.market.invalidate_quote(other + 1, sender=stage.stranger)
    for sender in (stage.stranger, stage.prosumer.address):
        with stage.refuses(NOT_VALID):
            stage.market.invalidate_quote(quote_id, sender=sender)
    with stage.refuses(NOT_PROSUMER):
        stage.market.invalidate_quote(other, sender=stage.stranger)
