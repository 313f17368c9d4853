"""Examples of T-GUA-6: whoever stays away, everybody gets out everything it owns, and the market is empty.

Each example plays a bad day, then only moves time and sends calls that nobody can be kept from making.
"""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import FUNDS, Household, Stage

YEAR = 31_536_000
"""Seconds."""


def everybody_leaves(stage: Stage, *others: Household) -> dict[str, int]:
    """Everybody withdraws all its free money; returns what each took home, where that is anything.

    Fails unless nothing is left: nothing reserved for anybody, and no token in the market.
    """
    users = (stage.prosumer, stage.consumer, stage.neighbour, *others)
    parties = {user.name: user.address for user in users} | {"owner": stage.owner, "supplier": stage.supplier}
    took = {}
    for name, address in parties.items():
        free, reserved = stage.money(address)
        assert reserved == 0, f"{name} has {reserved} in escrow"
        if free:
            had = stage.token.balanceOf(address)
            stage.market.withdraw(free, sender=address)
            took[name] = stage.token.balanceOf(address) - had
    assert stage.token.balanceOf(stage.market.address) == 0
    return took


def test_the_owner_never_comes_back(stage: Stage) -> None:
    """T-TIME-8, T-MAT-1, T-SET-1, T-ACC-1: a stranger matches and settles; fees wait for the owner."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 100, 1000)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 100, 1000)
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    stage.read(stage.consumer, 0, 1040)
    stage.to("CLOSING")

    stage.market.match_bids(quote_id, sender=stage.stranger)
    stage.settle(quote_id, stage.prosumer, stage.consumer, sender=stage.stranger)

    assert everybody_leaves(stage) == {
        "prosumer": FUNDS + 98_000,  # 100,000 - 2,000
        "consumer": FUNDS - 109_200,  # 100,000 + 2,000 + 40 * 180
        "neighbour": FUNDS,
        "owner": 4_000,
        "supplier": 7_200,
    }


def test_the_owner_revokes_everybody_and_leaves(stage: Stage) -> None:
    """T-REG-17, T-REG-18: no authorisation is needed to get one's money."""
    quote_id = stage.quote(1000, 100)
    other = stage.quote(1000, 100, prosumer=stage.neighbour)
    stage.bid(quote_id, stage.consumer, 120, 600)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 120, 600)
    for user in (stage.prosumer, stage.consumer, stage.neighbour):
        stage.market.revoke(user.address, sender=stage.owner)
    stage.to("METERING")
    stage.read(stage.prosumer, 600, 0)
    stage.read(stage.consumer, 0, 600)
    stage.to("CLOSING")
    for quote in (quote_id, other):
        stage.market.match_bids(quote, sender=stage.stranger)
        stage.market.settle_quote(quote, sender=stage.stranger)

    # 600 of 1000 Wh are a default, but no shortage: 72,000 less 1,200; the neighbour sold nothing.
    assert everybody_leaves(stage) == {
        "prosumer": FUNDS + 70_800,
        "consumer": FUNDS - 73_200,
        "neighbour": FUNDS,
        "owner": 2_400,
    }


def test_all_meters_are_silent(stage: Stage) -> None:
    """T-MET-6 to T-MET-9: the prosumer pays 10 % of 100,000, the consumer 1000 Wh at 180; both leave."""
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (stage.consumer, 100, 1000))
    stage.to("CLOSING")
    stage.market.settle_quote(quote_id, sender=stage.stranger)
    stage.market.settle_account(stage.consumer.address, stage.period, sender=stage.stranger)
    # A silent seller has no account to settle, and needs none.
    with boa.reverts("settlement: nothing to settle"):
        stage.market.settle_account(stage.prosumer.address, stage.period, sender=stage.stranger)

    assert not stage.account(stage.consumer).authorized
    assert everybody_leaves(stage) == {
        "prosumer": FUNDS - 10_000,
        "consumer": FUNDS - 170_000,  # + 10,000 - 180,000
        "neighbour": FUNDS,
        "supplier": 180_000,
    }


@pytest.mark.parametrize("later", [0, YEAR], ids=["in CLOSING", "a year later"])
def test_no_bid_is_opened(stage: Stage, later: int) -> None:
    """T-BID-6, T-BID-15, T-SET-20: sealed bids bind nothing."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 178, 1000)
    stage.bid(quote_id, stage.neighbour, 178, 1000)
    stage.to("CLOSING")
    stage.clock.now += later
    stage.market.match_bids(quote_id, sender=stage.stranger)
    stage.market.settle_quote(quote_id, sender=stage.stranger)

    assert everybody_leaves(stage) == {"prosumer": FUNDS, "consumer": FUNDS, "neighbour": FUNDS}


def test_bidders_leave_before_anything_is_matched_where_they_never_opened(stage: Stage) -> None:
    """T-BID-6: they need to wait for nothing at all."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 178, 1000)

    stage.market.withdraw(FUNDS, sender=stage.consumer.address)

    assert stage.token.balanceOf(stage.consumer.address) == FUNDS
    stage.to("REVEALING")
    with boa.reverts("ledger: insufficient balance"):
        stage.reveal(quote_id, stage.consumer, 178, 1000)


def test_nobody_thinks_of_the_matching_for_a_year(stage: Stage) -> None:
    """T-MAT-1: escrow of opened bids is held until somebody does. Nothing was metered: both sides count as silent."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 140, 600)
    stage.bid(quote_id, stage.neighbour, 120, 500)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 140, 600)
    stage.reveal(quote_id, stage.neighbour, 120, 500)
    stage.to("CLOSING")
    stage.clock.now += YEAR
    with boa.reverts("quotes: not matched"):
        stage.market.settle_quote(quote_id, sender=stage.stranger)
    stage.market.match_bids(quote_id, sender=stage.stranger)
    stage.settle(quote_id, stage.consumer, stage.neighbour, sender=stage.stranger)

    # Compensation of 8,400 and 4,800; 600 and 400 Wh from the supplier at 180.
    assert everybody_leaves(stage) == {
        "prosumer": FUNDS - 13_200,
        "consumer": FUNDS + 8_400 - 108_000,
        "neighbour": FUNDS + 4_800 - 72_000,
        "supplier": 180_000,
    }


def test_a_quote_that_nobody_wanted(stage: Stage) -> None:
    """T-SET-20: the prosumer helps itself: it matches and settles its own quote."""
    quote_id = stage.quote(1000, 100)
    stage.to("CLOSING")
    stage.market.match_bids(quote_id, sender=stage.prosumer.address)
    stage.market.settle_quote(quote_id, sender=stage.prosumer.address)

    assert everybody_leaves(stage) == {"prosumer": FUNDS, "consumer": FUNDS, "neighbour": FUNDS}


def test_a_quote_taken_back(stage: Stage) -> None:
    """T-QUO-12: with a sealed bid on it; nothing is left to do."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 100, 1000)
    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)

    assert everybody_leaves(stage) == {"prosumer": FUNDS, "consumer": FUNDS, "neighbour": FUNDS}


def test_the_supplier_has_no_money(stage: Stage) -> None:
    """T-MON-17: everybody takes out what is there; what the supplier owes is paid once it deposits, years later."""
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    stage.read(stage.neighbour, 10, 0)
    stage.to("CLOSING")
    for user in (stage.prosumer, stage.neighbour):
        stage.market.settle_account(user.address, stage.period, sender=stage.stranger)

    assert everybody_leaves(stage) == {"prosumer": FUNDS, "consumer": FUNDS, "neighbour": FUNDS}
    assert stage.account(stage.prosumer).grid_account == 60_000
    assert stage.account(stage.neighbour).grid_account == 600

    # First come, first served: a little money pays a part, and that can be taken out again.
    stage.clock.now += YEAR
    stage.fund(stage.supplier, 50_000)
    stage.market.clear(stage.prosumer.address, sender=stage.stranger)
    stage.market.clear(stage.neighbour.address, sender=stage.stranger)
    assert stage.account(stage.neighbour).grid_account == 600
    assert everybody_leaves(stage) == {"prosumer": 50_000}
    stage.fund(stage.supplier, 10_700)
    # A withdrawal clears by itself, also one of nothing; then there is something to withdraw.
    stage.market.withdraw(0, sender=stage.prosumer.address)
    stage.market.withdraw(600, sender=stage.neighbour.address)
    assert everybody_leaves(stage) == {"prosumer": 10_000, "supplier": 100}
    assert stage.account(stage.prosumer).grid_account == 0
    assert stage.account(stage.neighbour).grid_account == 0


def test_the_supplier_takes_its_money_out_in_time(stage: Stage) -> None:
    """T-MON-16, T-MON-17: what users paid it is its own; it may leave before it pays."""
    stage.to("METERING")
    stage.read(stage.consumer, 0, 100)
    stage.read(stage.neighbour, 100, 0)
    stage.to("CLOSING")
    stage.market.settle_account(stage.consumer.address, stage.period, sender=stage.stranger)
    stage.market.withdraw(18_000, sender=stage.supplier)
    stage.market.settle_account(stage.neighbour.address, stage.period, sender=stage.stranger)

    assert everybody_leaves(stage) == {"prosumer": FUNDS, "consumer": FUNDS - 18_000, "neighbour": FUNDS}
    assert stage.account(stage.neighbour).grid_account == 6_000


def test_a_user_owes_more_than_it_has(stage: Stage) -> None:
    """T-MON-12, T-MON-15: its escrow comes back, pays a part of the debt and leaves with the supplier."""
    debtor = stage.household("debtor", funds=10_200)
    quote_id = stage.quote(1000, 100)
    stage.auction(quote_id, (debtor, 100, 100))
    stage.to("METERING")
    stage.read(stage.prosumer, 1000, 0)
    stage.read(debtor, 0, 1000)
    stage.to("CLOSING")
    stage.settle(quote_id, debtor, stage.prosumer, sender=stage.stranger)

    # 10,000 and 200 are gone; 900 Wh at 180 are owed, and nothing is there to pay them.
    assert stage.account(debtor).grid_account == -162_000
    with boa.reverts("ledger: in arrears"):
        stage.market.withdraw(0, sender=debtor.address)
    # 900 Wh more than were delivered, at 60: the supplier's debt, not its money.
    assert stage.account(stage.prosumer).grid_account == 54_000
    assert everybody_leaves(stage, debtor) == {
        "prosumer": FUNDS + 9_800,
        "consumer": FUNDS,
        "neighbour": FUNDS,
        "owner": 400,
    }
    # A debtor that pays lets the supplier pay, and has the rest for itself.
    stage.fund(debtor.address, 162_001)
    stage.market.clear(stage.prosumer.address, sender=stage.stranger)
    assert everybody_leaves(stage, debtor) == {"prosumer": 54_000, "debtor": 1, "supplier": 108_000}


def test_escrow_that_comes_back_to_a_debtor(stage: Stage) -> None:
    """T-MON-12: a late matching rejects its bid; anybody can then have the supplier paid, and the rest leaves."""
    debtor = stage.household("debtor", funds=10_200)
    later = stage.period + 2
    quote_id = stage.quote(100, 100, period=later)
    stage.bid(quote_id, debtor, 100, 100)
    stage.bid(quote_id, stage.consumer, 101, 100)
    stage.to("METERING")
    stage.read(debtor, 0, 10)
    stage.to("REVEALING", later)
    stage.reveal(quote_id, debtor, 100, 100)
    stage.reveal(quote_id, stage.consumer, 101, 100)
    stage.to("CLOSING", later)
    stage.market.settle_account(debtor.address, stage.period, sender=stage.stranger)
    assert stage.account(debtor).grid_account == -1_800
    stage.market.match_bids(quote_id, sender=stage.stranger)
    stage.settle(quote_id, stage.consumer, sender=stage.stranger)
    assert stage.money(debtor) == (10_200, 0)

    stage.market.clear(debtor.address, sender=stage.stranger)

    # The prosumer was silent: 10 % of 10,100 for the consumer, which counts as having used 100 Wh at 180.
    assert everybody_leaves(stage, debtor) == {
        "prosumer": FUNDS - 1_010,
        "consumer": FUNDS + 1_010 - 18_000,
        "neighbour": FUNDS,
        "debtor": 8_400,
        "supplier": 19_800,
    }


def test_a_day_on_which_everything_goes_wrong(stage: Stage) -> None:
    """All of it at once: two quotes, late matching, silence on one side, excess on the other, a poor supplier."""
    watcher = stage.household("watcher", funds=1_000)
    first = stage.quote(1000, 100)
    second = stage.quote(500, 90, prosumer=stage.neighbour)
    for quote_id, price, volume in ((first, 110, 400), (second, 95, 300)):
        stage.bid(quote_id, stage.consumer, price, volume)
    stage.bid(first, watcher, 120, 1000)  # never opened
    stage.to("REVEALING")
    for quote_id, price, volume in ((first, 110, 400), (second, 95, 300)):
        stage.reveal(quote_id, stage.consumer, price, volume)
    stage.to("METERING")
    stage.market.match_bids(first, sender=stage.stranger)
    stage.read(stage.prosumer, 600, 0)
    stage.market.buy_surplus(first, 200, sender=stage.neighbour.address)
    stage.read(stage.consumer, 0, 650)
    stage.to("CLOSING")
    stage.market.match_bids(second, sender=stage.stranger)
    for quote_id in (first, second):
        stage.market.settle_quote(quote_id, sender=stage.stranger)
    for user in (stage.neighbour, stage.prosumer, stage.consumer):
        stage.market.settle_account(user.address, stage.period, sender=stage.stranger)

    # First quote: 600 of 600 sold, in default. Consumer pays 44,000 + 800, neighbour 20,000 + 400; the fee is 1,200.
    # Second quote: nothing delivered of 300: compensation of 2,850 for the consumer, and a waiver that it never uses.
    # Accounts: the neighbour was silent with 200 bought and received: 0, and it is revoked. The consumer received
    # 400 and used 650: 250 at 180 = 45,000.
    assert not stage.account(stage.neighbour).authorized
    assert everybody_leaves(stage, watcher) == {
        "prosumer": FUNDS + 62_800,  # 64,000 - 1,200
        "consumer": FUNDS - 44_800 + 2_850 - 45_000,
        "neighbour": FUNDS - 20_400 - 2_850,
        "watcher": 1_000,
        "owner": 2_400,
        "supplier": 45_000,
    }
