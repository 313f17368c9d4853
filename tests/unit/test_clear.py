"""`clear`: T-MON-8, T-MON-12, T-MON-13, T-MON-17."""

from __future__ import annotations

import pytest

from tests.support.stage import FUNDS, Household, Stage

ZERO = "0x" + "00" * 20


def creditor(stage: Stage) -> Household:
    """The prosumer, to whom the supplier owes 700 Wh at SBP 60, that is 42 000."""
    stage.invoice(stage.prosumer, exported=700)
    assert stage.account(stage.prosumer).grid_account == 42_000
    return stage.prosumer


def debtor_with_collateral(stage: Stage, volume: int) -> tuple[Household, int]:
    """A debtor of 10 Wh at SSP 180, that is 1800, all of whose money is a later quote's collateral, 18 per Wh."""
    debtor = stage.household("debtor", funds=volume * 18)
    quote_id = stage.quote(volume=volume, prosumer=debtor, period=stage.period + 10)
    stage.invoice(debtor, imported=10)
    assert stage.account(debtor).grid_account == -1_800
    return debtor, quote_id


# ---- the supplier owes ------------------------------------------------------------------------


def test_pays_a_user_what_the_supplier_owes(stage: Stage) -> None:
    stage.to("METERING")
    stage.read(stage.prosumer, exported=700, imported=0)
    stage.to("SETTLING")
    stage.market.settle_account(stage.prosumer.address, stage.period, sender=stage.owner)
    assert stage.account(stage.prosumer).grid_account == 700 * 60
    stage.fund(stage.supplier, 50_000)

    stage.market.clear(stage.prosumer.address, sender=stage.stranger)

    assert stage.events() == [("Cleared", {"user": stage.prosumer.address, "amount": 42_000})]
    assert stage.account(stage.prosumer).grid_account == 0
    assert stage.account(stage.prosumer).balance == FUNDS + 42_000
    assert stage.account(stage.supplier).balance == 8_000


@pytest.mark.parametrize(
    ("supplier_has", "cleared"),
    [(1, 1), (41_999, 41_999), (42_000, 42_000), (42_001, 42_000)],
    ids=["one base unit", "one too little", "exactly the debt", "one more"],
)
def test_pays_as_far_as_the_suppliers_free_balance_goes(stage: Stage, supplier_has: int, cleared: int) -> None:
    """T-MON-8, T-MON-17."""
    user = creditor(stage)
    stage.fund(stage.supplier, supplier_has)

    stage.market.clear(user.address, sender=user.address)

    assert stage.events() == [("Cleared", {"user": user.address, "amount": cleared})]
    assert stage.account(user).grid_account == 42_000 - cleared
    assert stage.money(user) == (FUNDS + cleared, 0)
    assert stage.money(stage.supplier) == (supplier_has - cleared, 0)
    stage.assert_books_balance()


def test_pays_the_rest_once_the_supplier_deposits_again(stage: Stage) -> None:
    """T-MON-17: without interest or deadline."""
    user = creditor(stage)
    stage.fund(stage.supplier, 12_000)
    stage.market.clear(user.address, sender=stage.stranger)
    stage.to("CLOSING", stage.period + 100)
    stage.fund(stage.supplier, 31_000)

    stage.market.clear(user.address, sender=stage.stranger)

    assert stage.events() == [("Cleared", {"user": user.address, "amount": 30_000})]
    assert stage.account(user).grid_account == 0
    assert stage.money(user) == (FUNDS + 42_000, 0)
    assert stage.money(stage.supplier) == (1_000, 0)


def test_serves_whom_it_is_called_for(stage: Stage) -> None:
    """T-MON-12: the supplier's 42 000 go to the second creditor, though it owes the first as much."""
    stage.to("METERING")
    stage.read(stage.prosumer, 700, 0)
    stage.read(stage.consumer, 700, 0)
    stage.to("SETTLING")
    for household in (stage.prosumer, stage.consumer):
        stage.market.settle_account(household.address, stage.period, sender=stage.owner)
    stage.fund(stage.supplier, 42_000)

    stage.market.clear(stage.consumer.address, sender=stage.stranger)
    stage.market.clear(stage.prosumer.address, sender=stage.stranger)

    assert stage.money(stage.consumer) == (FUNDS + 42_000, 0)
    assert stage.money(stage.prosumer) == (FUNDS, 0)
    assert stage.account(stage.prosumer).grid_account == 42_000


# ---- the user owes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volume", "cleared", "free"),
    # Collateral released: volume * 180 * 10 % = volume * 18.
    [(1, 18, 0), (99, 1_782, 0), (100, 1_800, 0), (101, 1_800, 18)],
    ids=["18", "18 too little", "exactly the debt", "18 more"],
)
def test_takes_arrears_as_far_as_the_users_free_balance_goes(
    stage: Stage, volume: int, cleared: int, free: int
) -> None:
    """T-MON-8, T-MON-12: escrow that is released to a user in arrears can be claimed for the supplier by anybody."""
    debtor, quote_id = debtor_with_collateral(stage, volume)
    stage.market.invalidate_quote(quote_id, sender=debtor.address)

    stage.market.clear(debtor.address, sender=stage.stranger)

    assert stage.events() == [("Cleared", {"user": debtor.address, "amount": -cleared})]
    assert stage.account(debtor).grid_account == -1_800 + cleared
    assert stage.money(debtor) == (free, 0)
    assert stage.money(stage.supplier) == (cleared, 0)
    stage.assert_books_balance(debtor)


def test_lets_a_user_trade_again(stage: Stage) -> None:
    """T-REG-16: out of arrears to the last unit, new business is open; 1 Wh of collateral is the 18 that are left."""
    debtor, quote_id = debtor_with_collateral(stage, 101)
    stage.market.invalidate_quote(quote_id, sender=debtor.address)
    with stage.refuses("ledger: in arrears"):
        stage.quote(volume=1, prosumer=debtor, period=stage.period + 11)

    stage.market.clear(debtor.address, sender=stage.stranger)

    assert stage.quote(volume=1, prosumer=debtor, period=stage.period + 11) == 2


def test_takes_nothing_that_is_reserved(stage: Stage) -> None:
    """T-MON-4, T-MON-13: no money is free, so nothing moves and nothing is announced."""
    debtor, _ = debtor_with_collateral(stage, 100)

    stage.market.clear(debtor.address, sender=stage.stranger)

    assert stage.events() == []
    assert stage.account(debtor).grid_account == -1_800
    assert stage.money(debtor) == (0, 1_800)
    assert stage.money(stage.supplier) == (0, 0)


# ---- nothing to clear ------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["prosumer", "stranger", "supplier", "owner", "zero address"])
def test_changes_nothing_where_nobody_owes(stage: Stage, who: str) -> None:
    """T-MON-13: never refused, whoever is named."""
    address = {
        "prosumer": stage.prosumer.address,
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "owner": stage.owner,
        "zero address": ZERO,
    }[who]
    stage.fund(stage.supplier, 1_000)
    before = stage.account(address)

    stage.market.clear(address, sender=stage.stranger)

    assert stage.events() == []
    assert stage.account(address) == before
    assert stage.money(stage.supplier) == (1_000, 0)


def test_changes_nothing_where_the_supplier_has_nothing(stage: Stage) -> None:
    """T-MON-13, T-MON-17."""
    user = creditor(stage)

    stage.market.clear(user.address, sender=stage.stranger)

    assert stage.events() == []
    assert stage.account(user).grid_account == 42_000
    assert stage.money(user) == (FUNDS, 0)


def test_changes_nothing_a_second_time(stage: Stage) -> None:
    """T-MON-13: a debt is paid once."""
    user = creditor(stage)
    stage.fund(stage.supplier, 100_000)
    stage.market.clear(user.address, sender=stage.stranger)

    stage.market.clear(user.address, sender=stage.stranger)

    assert stage.events() == []
    assert stage.money(user) == (FUNDS + 42_000, 0)
    assert stage.money(stage.supplier) == (58_000, 0)


def test_is_not_done_for_the_user_by_trading(stage: Stage) -> None:
    """T-MON-14: quoting, taking back, matching and settling a quote leave the invoice account alone."""
    user = creditor(stage)
    stage.fund(stage.supplier, 42_000)
    period = stage.clock.next_quotable()
    quote_id = stage.quote(period=period)
    stage.auction(quote_id)
    stage.to("SETTLING", period)

    stage.market.settle_quote(quote_id, sender=stage.owner)

    assert stage.account(user).grid_account == 42_000
    assert stage.money(stage.supplier) == (42_000, 0)
