"""`accept_ownership`: T-PARTY-3, T-PARTY-4 and what comes with it, T-SET-19."""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import CAPACITY, Stage

ZERO = "0x" + "00" * 20

NOT_SUCCESSOR = "ownable_2step: caller is not the new owner"


@pytest.fixture
def successor(stage: Stage) -> str:
    """An address that the owner has named as its successor."""
    address = str(boa.env.generate_address("successor"))
    stage.market.transfer_ownership(address, sender=stage.owner)
    return address


def test_makes_the_successor_the_owner(stage: Stage, successor: str) -> None:
    """T-PARTY-3."""
    stage.market.accept_ownership(sender=successor)

    assert stage.events() == [("OwnershipTransferred", {"previous_owner": stage.owner, "new_owner": successor})]
    assert (stage.market.owner(), stage.market.pending_owner()) == (successor, ZERO)


def test_hands_over_every_power(stage: Stage, successor: str) -> None:
    """T-PARTY-2: authorising, revoking, settling and handing over; the owner of before has none of them."""
    stage.to("METERING")
    stage.read(stage.prosumer, 700, 0)
    stage.to("SETTLING")
    stage.market.accept_ownership(sender=successor)
    prosumer = stage.prosumer.address

    with stage.refuses("ownable: caller is not the owner"):
        stage.market.revoke(prosumer, sender=stage.owner)
    with stage.refuses("settlement: owner only"):
        stage.market.settle_account(prosumer, stage.period, sender=stage.owner)
    stage.market.revoke(prosumer, sender=successor)
    stage.market.authorize(prosumer, CAPACITY, sender=successor)
    stage.market.settle_account(prosumer, stage.period, sender=successor)
    stage.market.transfer_ownership(stage.owner, sender=successor)

    assert stage.account(prosumer).authorized is True
    # 700 Wh at SBP 60.
    assert stage.account(prosumer).grid_account == 42_000
    assert stage.market.pending_owner() == stage.owner


def test_sends_later_fees_to_the_new_owner_and_leaves_earlier_ones(
    stage: Stage, successor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-SET-19: two trades of 1000 Wh; the fee of 2 per Wh from both sides is 4000 each time."""
    stage.trade(volume=1_000)
    stage.market.accept_ownership(sender=successor)
    owner = stage.owner
    monkeypatch.setattr(stage, "owner", successor)

    stage.trade(volume=1_000, period=stage.clock.next_quotable())

    assert stage.money(owner) == (4_000, 0)
    assert stage.money(successor) == (4_000, 0)
    stage.assert_books_balance(owner)


def test_moves_no_money(stage: Stage, successor: str) -> None:
    """T-PARTY-2: the balance of the owner of before remains its own, and can be withdrawn by it alone."""
    stage.fund(stage.owner, 300)

    stage.market.accept_ownership(sender=successor)

    assert stage.money(stage.owner) == (300, 0)
    assert stage.money(successor) == (0, 0)
    stage.market.withdraw(300, sender=stage.owner)
    assert stage.token.balanceOf(stage.owner) == 300


def test_lets_the_owner_accept_from_itself(stage: Stage) -> None:
    """T-PARTY-3: a handover to oneself changes nothing."""
    stage.market.transfer_ownership(stage.owner, sender=stage.owner)

    stage.market.accept_ownership(sender=stage.owner)

    assert (stage.market.owner(), stage.market.pending_owner()) == (stage.owner, ZERO)


@pytest.mark.parametrize("who", ["stranger", "supplier", "owner", "prosumer"])
def test_refuses_everybody_but_the_successor(stage: Stage, successor: str, who: str) -> None:
    """T-PARTY-3: the owner cannot accept on the successor's behalf."""
    sender = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "owner": stage.owner,
        "prosumer": stage.prosumer.address,
    }[who]

    with stage.refuses(NOT_SUCCESSOR):
        stage.market.accept_ownership(sender=sender)
    assert (stage.market.owner(), stage.market.pending_owner()) == (stage.owner, successor)


def test_refuses_where_nobody_is_named(stage: Stage) -> None:
    """T-PARTY-3."""
    for sender in (stage.owner, stage.stranger):
        with stage.refuses(NOT_SUCCESSOR):
            stage.market.accept_ownership(sender=sender)


def test_refuses_a_second_acceptance(stage: Stage, successor: str) -> None:
    """T-PARTY-4: the name is used up."""
    stage.market.accept_ownership(sender=successor)

    with stage.refuses(NOT_SUCCESSOR):
        stage.market.accept_ownership(sender=successor)
    assert stage.market.owner() == successor
