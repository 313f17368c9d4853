"""`authorize`: T-REG-12, T-REG-14 to T-REG-16, T-REG-19 and T-REG-20."""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import CAPACITY, Household, Stage

ZERO = "0x" + "00" * 20

NOT_OWNER = "ownable: caller is not the owner"
NOT_REGISTERED = "accounts: not registered"
ALREADY = "accounts: already authorised"


@pytest.fixture
def newcomer(stage: Stage) -> Household:
    """A household that is registered and not authorised."""
    return stage.register(stage.unregistered("newcomer"))


def test_authorises_a_registered_user(stage: Stage, newcomer: Household) -> None:
    """T-REG-12: nothing but the one mark changes."""
    before = stage.account(newcomer)

    stage.market.authorize(newcomer.address, CAPACITY, sender=stage.owner)

    assert stage.events() == [("Authorized", {"user": newcomer.address, "capacity": CAPACITY})]
    after = stage.account(newcomer)
    assert (before.authorized, after.authorized) == (False, True)
    assert after._replace(authorized=False, capacity=0) == before


def test_opens_new_business(stage: Stage, newcomer: Household) -> None:
    """T-REG-15: the same quote is refused a moment before and accepted a moment after."""
    stage.fund(newcomer.address, 18_000)
    with stage.refuses("accounts: not authorised"):
        stage.quote(prosumer=newcomer)

    stage.market.authorize(newcomer.address, CAPACITY, sender=stage.owner)

    assert stage.quote(prosumer=newcomer) == 1


def test_authorises_no_other_user(stage: Stage, newcomer: Household) -> None:
    """T-REG-12: one user at a time."""
    bystander = stage.register(stage.unregistered("bystander"))

    stage.market.authorize(newcomer.address, CAPACITY, sender=stage.owner)

    assert stage.account(bystander).authorized is False


def test_authorises_a_user_in_arrears_who_still_cannot_trade(stage: Stage) -> None:
    """T-REG-16: being authorised does not help against arrears; 10 Wh at SSP 180 are 1800."""
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=10)
    stage.market.revoke(debtor.address, sender=stage.owner)

    stage.market.authorize(debtor.address, CAPACITY, sender=stage.owner)

    assert (stage.account(debtor).authorized, stage.account(debtor).grid_account) == (True, -1_800)
    with stage.refuses("ledger: in arrears"):
        stage.quote(prosumer=debtor, period=stage.clock.next_quotable())


def test_gives_an_authorisation_back_any_number_of_times(stage: Stage) -> None:
    """T-REG-14."""
    for _ in range(3):
        stage.market.revoke(stage.prosumer.address, sender=stage.owner)
        stage.market.authorize(stage.prosumer.address, CAPACITY, sender=stage.owner)
        assert stage.events() == [("Authorized", {"user": stage.prosumer.address, "capacity": CAPACITY})]

    assert stage.quote() == 1


def test_lets_the_owner_authorise_itself(stage: Stage) -> None:
    """Annex C, 15: the owner may be a user; it registers like any other first."""
    owner = Household("owner", stage.owner, stage.unregistered("owner").meter, b"o" * 32)
    with stage.refuses(NOT_REGISTERED):
        stage.market.authorize(stage.owner, CAPACITY, sender=stage.owner)
    stage.register(owner)

    stage.market.authorize(stage.owner, CAPACITY, sender=stage.owner)

    assert stage.account(stage.owner).authorized is True


@pytest.mark.parametrize("who", ["stranger", "supplier", "the user itself", "another user", "successor", "meter"])
def test_refuses_everybody_but_the_owner(stage: Stage, newcomer: Household, who: str) -> None:
    """T-REG-12: a successor that has not accepted is not the owner yet (T-PARTY-3)."""
    successor = boa.env.generate_address("successor")
    stage.market.transfer_ownership(successor, sender=stage.owner)
    sender = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "the user itself": newcomer.address,
        "another user": stage.prosumer.address,
        "successor": successor,
        "meter": newcomer.meter.address,
    }[who]

    with stage.refuses(NOT_OWNER):
        stage.market.authorize(newcomer.address, CAPACITY, sender=sender)
    assert stage.account(newcomer).authorized is False


def test_obeys_the_new_owner_and_no_longer_the_old_one(stage: Stage, newcomer: Household) -> None:
    """T-PARTY-3."""
    stage.market.transfer_ownership(stage.stranger, sender=stage.owner)
    stage.market.accept_ownership(sender=stage.stranger)

    with stage.refuses(NOT_OWNER):
        stage.market.authorize(newcomer.address, CAPACITY, sender=stage.owner)
    stage.market.authorize(newcomer.address, CAPACITY, sender=stage.stranger)
    assert stage.account(newcomer).authorized is True


@pytest.mark.parametrize("who", ["stranger", "supplier", "zero address", "meter"])
def test_refuses_who_is_not_registered(stage: Stage, who: str) -> None:
    """T-REG-12: a meter is not a user, and money in the market makes nobody one."""
    stage.fund(stage.stranger, 1_000)
    user = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "zero address": ZERO,
        "meter": stage.prosumer.meter.address,
    }[who]

    with stage.refuses(NOT_REGISTERED):
        stage.market.authorize(user, CAPACITY, sender=stage.owner)


def test_refuses_who_is_authorised(stage: Stage, newcomer: Household) -> None:
    """T-REG-12."""
    stage.market.authorize(newcomer.address, CAPACITY, sender=stage.owner)

    with stage.refuses(ALREADY):
        stage.market.authorize(newcomer.address, CAPACITY, sender=stage.owner)
    assert stage.account(newcomer).authorized is True


# ---- the capacity ---------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [0, 2**24, 2**256 - 1])
def test_refuses_a_capacity_out_of_bounds(stage: Stage, newcomer: Household, capacity: int) -> None:
    """T-REG-19: of who is in as well; that comes before all comparison with the present one."""
    for user in (newcomer, stage.prosumer):
        with stage.refuses("accounts: capacity out of bounds"):
            stage.market.authorize(user.address, capacity, sender=stage.owner)


@pytest.mark.parametrize("capacity", [1, 2**24 - 1])
def test_takes_the_least_and_the_largest_capacity(stage: Stage, newcomer: Household, capacity: int) -> None:
    """T-REG-19."""
    stage.market.authorize(newcomer.address, capacity, sender=stage.owner)

    assert (stage.account(newcomer).authorized, stage.account(newcomer).capacity) == (True, capacity)


def test_raises_a_capacity_and_never_lowers_it(stage: Stage, newcomer: Household) -> None:
    """T-REG-20: not by 1 Wh, nor of who was revoked meanwhile, who keeps it and may be given more at once."""
    stage.market.authorize(newcomer.address, 500, sender=stage.owner)
    stage.market.authorize(newcomer.address, 501, sender=stage.owner)
    assert stage.events() == [("Authorized", {"user": newcomer.address, "capacity": 501})]
    with stage.refuses("accounts: capacity cannot fall"):
        stage.market.authorize(newcomer.address, 500, sender=stage.owner)

    stage.market.revoke(newcomer.address, sender=stage.owner)
    assert stage.account(newcomer).capacity == 501
    with stage.refuses("accounts: capacity cannot fall"):
        stage.market.authorize(newcomer.address, 500, sender=stage.owner)
    stage.market.authorize(newcomer.address, 700, sender=stage.owner)
    assert (stage.account(newcomer).authorized, stage.account(newcomer).capacity) == (True, 700)


@pytest.mark.parametrize("user", ["stranger", "prosumer"])
def test_looks_at_the_caller_first(stage: Stage, user: str) -> None:
    """T-PARTY-16: a stranger names a user that is not registered, and one that is authorised."""
    address = stage.stranger if user == "stranger" else stage.prosumer.address

    with stage.refuses(NOT_OWNER):
        stage.market.authorize(address, CAPACITY, sender=stage.stranger)
