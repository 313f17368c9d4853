"""`transfer_ownership`: T-PARTY-2 to T-PARTY-5."""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import CAPACITY, Stage

ZERO = "0x" + "00" * 20

NOT_OWNER = "ownable: caller is not the owner"
NOT_SUCCESSOR = "ownable_2step: caller is not the new owner"


@pytest.fixture
def successor() -> str:
    """An address that is nobody yet."""
    return str(boa.env.generate_address("successor"))


def test_names_a_successor_and_changes_nothing_else(stage: Stage, successor: str) -> None:
    """T-PARTY-3: the owner stays the owner, with all its powers."""
    newcomer = stage.register(stage.unregistered("newcomer"))

    stage.market.transfer_ownership(successor, sender=stage.owner)

    assert stage.events() == [("OwnershipTransferStarted", {"previous_owner": stage.owner, "new_owner": successor})]
    assert (stage.market.owner(), stage.market.pending_owner()) == (stage.owner, successor)
    stage.market.authorize(newcomer.address, CAPACITY, sender=stage.owner)
    assert stage.account(newcomer).authorized is True


def test_lets_the_owner_name_another(stage: Stage, successor: str) -> None:
    """T-PARTY-4: the later one takes the earlier one's place, who cannot accept any more."""
    stage.market.transfer_ownership(stage.stranger, sender=stage.owner)

    stage.market.transfer_ownership(successor, sender=stage.owner)

    assert stage.events() == [("OwnershipTransferStarted", {"previous_owner": stage.owner, "new_owner": successor})]
    assert stage.market.pending_owner() == successor
    with stage.refuses(NOT_SUCCESSOR):
        stage.market.accept_ownership(sender=stage.stranger)
    stage.market.accept_ownership(sender=successor)
    assert stage.market.owner() == successor


def test_lets_the_owner_call_the_handover_off(stage: Stage, successor: str) -> None:
    """T-PARTY-4: by naming the zero address."""
    stage.market.transfer_ownership(successor, sender=stage.owner)

    stage.market.transfer_ownership(ZERO, sender=stage.owner)

    assert stage.events() == [("OwnershipTransferStarted", {"previous_owner": stage.owner, "new_owner": ZERO})]
    assert (stage.market.owner(), stage.market.pending_owner()) == (stage.owner, ZERO)
    with stage.refuses(NOT_SUCCESSOR):
        stage.market.accept_ownership(sender=successor)


def test_does_not_end_the_ownership_by_naming_the_zero_address(stage: Stage) -> None:
    """T-PARTY-5: nobody can speak for the zero address; the owner remains."""
    stage.market.transfer_ownership(ZERO, sender=stage.owner)

    assert stage.market.owner() == stage.owner
    with stage.refuses(NOT_SUCCESSOR):
        stage.market.accept_ownership(sender=stage.owner)
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)
    assert stage.account(stage.prosumer).authorized is False


@pytest.mark.parametrize("who", ["the owner itself", "supplier", "prosumer"])
def test_accepts_any_successor(stage: Stage, who: str) -> None:
    """T-PARTY-3, annex C, 15: parties may fall together."""
    address = {"the owner itself": stage.owner, "supplier": stage.supplier, "prosumer": stage.prosumer.address}[who]

    stage.market.transfer_ownership(address, sender=stage.owner)

    assert stage.market.pending_owner() == address


@pytest.mark.parametrize("who", ["stranger", "supplier", "prosumer", "successor"])
def test_refuses_everybody_but_the_owner(stage: Stage, successor: str, who: str) -> None:
    """T-PARTY-3: not even the successor, who has not accepted, may name another."""
    stage.market.transfer_ownership(successor, sender=stage.owner)
    sender = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "prosumer": stage.prosumer.address,
        "successor": successor,
    }[who]

    with stage.refuses(NOT_OWNER):
        stage.market.transfer_ownership(sender, sender=sender)
    assert (stage.market.owner(), stage.market.pending_owner()) == (stage.owner, successor)


def test_refuses_the_owner_of_before(stage: Stage, successor: str) -> None:
    """T-PARTY-3: what is handed over cannot be withdrawn."""
    stage.market.transfer_ownership(successor, sender=stage.owner)
    stage.market.accept_ownership(sender=successor)

    with stage.refuses(NOT_OWNER):
        stage.market.transfer_ownership(stage.owner, sender=stage.owner)
