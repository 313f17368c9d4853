"""`revoke`: T-REG-13 and T-REG-15 to T-REG-18."""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import CAPACITY, FUNDS, SALT, Household, Stage

ZERO = "0x" + "00" * 20

NOT_OWNER = "ownable: caller is not the owner"
NOT_AUTHORISED = "accounts: not authorised"


def revoke(stage: Stage, *households: Household) -> None:
    """The owner revokes each of the households."""
    for household in households:
        stage.market.revoke(household.address, sender=stage.owner)


def test_takes_the_authorisation_away(stage: Stage) -> None:
    """T-REG-13: nothing but the one mark changes."""
    before = stage.account(stage.prosumer)

    stage.market.revoke(stage.prosumer.address, sender=stage.owner)

    assert stage.events() == [("Revoked", {"user": stage.prosumer.address})]
    after = stage.account(stage.prosumer)
    assert (before.authorized, after.authorized) == (True, False)
    assert after._replace(authorized=True) == before
    assert stage.account(stage.consumer).authorized is True


# ---- what it stops --------------------------------------------------------------------------


def test_stops_quoting(stage: Stage) -> None:
    """T-REG-15."""
    revoke(stage, stage.prosumer)

    with stage.refuses(NOT_AUTHORISED):
        stage.quote()


def test_stops_bidding(stage: Stage) -> None:
    """T-REG-15."""
    quote_id = stage.quote()
    revoke(stage, stage.consumer)

    with stage.refuses(NOT_AUTHORISED):
        stage.market.submit_bid(quote_id, bytes(32), sender=stage.consumer.address)


def test_stops_opening_a_bid(stage: Stage) -> None:
    """T-REG-15: opening is new business, too, since it binds."""
    quote_id = stage.quote()
    stage.bid(quote_id, stage.consumer, 100, 1_000)
    stage.to("REVEALING")
    revoke(stage, stage.consumer)

    with stage.refuses(NOT_AUTHORISED):
        stage.reveal(quote_id, stage.consumer, 100, 1_000)


def test_stops_buying_surplus(stage: Stage) -> None:
    """T-REG-15."""
    quote_id = stage.quote()
    stage.auction(quote_id)
    revoke(stage, stage.consumer)

    with stage.refuses(NOT_AUTHORISED):
        stage.market.buy_surplus(quote_id, 1, sender=stage.consumer.address)


# ---- what it does not stop --------------------------------------------------------------------


def test_leaves_a_quote_open_to_others_and_everything_agreed_settles(stage: Stage) -> None:
    """T-REG-17: both sides are revoked in the middle of a trade of 1000 Wh at 100, delivered in full.

    Payment 1000 * 100 = 100 000; each side's fee 1000 * 2 = 2000.
    """
    quote_id = stage.quote(volume=1_000, price=100)
    revoke(stage, stage.prosumer)
    stage.bid(quote_id, stage.consumer, 100, 1_000)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 100, 1_000)
    revoke(stage, stage.consumer)
    stage.to("MATCHING")

    stage.market.match_bids(quote_id, sender=stage.stranger)
    stage.to("METERING")
    stage.read(stage.prosumer, 1_000, 0)
    stage.read(stage.consumer, 0, 1_000)
    stage.to("SETTLING")
    stage.settle(quote_id, stage.prosumer, stage.consumer)

    assert stage.money(stage.prosumer) == (FUNDS + 98_000, 0)
    assert stage.money(stage.consumer) == (FUNDS - 102_000, 0)
    assert stage.money(stage.owner) == (4_000, 0)
    assert stage.account(stage.prosumer).performances == 1
    assert stage.account(stage.consumer).performances == 1
    stage.assert_books_balance()


def test_leaves_surplus_of_a_revoked_prosumer_for_sale(stage: Stage) -> None:
    """T-REG-17: 400 Wh at 100 with a fee of 2 reserve 40 800."""
    quote_id = stage.quote()
    stage.auction(quote_id)
    revoke(stage, stage.prosumer)

    stage.market.buy_surplus(quote_id, 400, sender=stage.consumer.address)

    assert stage.money(stage.consumer) == (FUNDS - 40_800, 40_800)


def test_leaves_taking_back_a_quote_open(stage: Stage) -> None:
    """T-QUO-14."""
    quote_id = stage.quote()
    revoke(stage, stage.prosumer)

    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)

    assert stage.money(stage.prosumer) == (FUNDS, 0)


def test_leaves_money_free_to_come_and_go(stage: Stage) -> None:
    """T-REG-18: deposit, clear and withdraw do not ask for an authorisation."""
    revoke(stage, stage.prosumer)

    stage.fund(stage.prosumer.address, 500)
    stage.market.clear(stage.prosumer.address, sender=stage.prosumer.address)
    stage.market.withdraw(FUNDS + 500, sender=stage.prosumer.address)

    assert stage.money(stage.prosumer) == (0, 0)
    assert stage.token.balanceOf(stage.prosumer.address) == FUNDS + 500


def test_keeps_a_sealed_bid_until_the_authorisation_is_back(stage: Stage) -> None:
    """T-REG-14, T-REG-17: a bid sealed before the revocation can be opened after it is undone."""
    quote_id = stage.quote()
    stage.bid(quote_id, stage.consumer, 100, 1_000)
    revoke(stage, stage.consumer)
    stage.to("REVEALING")
    with stage.refuses(NOT_AUTHORISED):
        stage.reveal(quote_id, stage.consumer, 100, 1_000)
    stage.market.authorize(stage.consumer.address, CAPACITY, sender=stage.owner)

    stage.market.reveal_bid(quote_id, 100, 1_000, SALT, sender=stage.consumer.address)

    assert stage.money(stage.consumer) == (FUNDS - 102_000, 102_000)


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["stranger", "supplier", "the user itself", "another user", "successor"])
def test_refuses_everybody_but_the_owner(stage: Stage, who: str) -> None:
    """T-REG-13."""
    successor = boa.env.generate_address("successor")
    stage.market.transfer_ownership(successor, sender=stage.owner)
    sender = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "the user itself": stage.prosumer.address,
        "another user": stage.consumer.address,
        "successor": successor,
    }[who]

    with stage.refuses(NOT_OWNER):
        stage.market.revoke(stage.prosumer.address, sender=sender)
    assert stage.account(stage.prosumer).authorized is True


@pytest.mark.parametrize("who", ["never registered", "registered only", "revoked", "supplier", "zero address"])
def test_refuses_who_is_not_authorised(stage: Stage, who: str) -> None:
    """T-REG-13: no event reports a change that did not happen; not to be registered is no reason of its own."""
    user = {
        "never registered": stage.stranger,
        "registered only": stage.register(stage.unregistered("newcomer")).address,
        "revoked": stage.prosumer.address,
        "supplier": stage.supplier,
        "zero address": ZERO,
    }[who]
    if who == "revoked":
        revoke(stage, stage.prosumer)

    with stage.refuses(NOT_AUTHORISED):
        stage.market.revoke(user, sender=stage.owner)


def test_looks_at_the_caller_first(stage: Stage) -> None:
    """T-PARTY-16: a stranger names a user that is not authorised."""
    with stage.refuses(NOT_OWNER):
        stage.market.revoke(stage.stranger, sender=stage.stranger)
