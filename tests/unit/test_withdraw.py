"""`withdraw`: T-MON-2 to T-MON-4, T-MON-10 and T-MON-15 to T-MON-20. Calls back into the market: test_deposit.py."""

from __future__ import annotations

import boa
import pytest
from eth_abi.abi import encode

from tests.support.stage import FUNDS, Household, Stage
from tests.support.tokens import Hostile

IN_ARREARS = "ledger: in arrears"
INSUFFICIENT = "ledger: insufficient balance"
REFUSED = "ledger: token refused"
OTHER_AMOUNT = "ledger: token moved another amount"

LARGEST = 2**256 - 1


def indebted_with_collateral(stage: Stage) -> tuple[Household, int]:
    """A debtor of 1800 that has nothing free, and 18 000 in a later quote's collateral; and that quote."""
    debtor = stage.household("debtor", funds=18_000)
    quote_id = stage.quote(volume=1_000, prosumer=debtor, period=stage.period + 10)
    stage.invoice(debtor, imported=10)
    assert stage.money(debtor) == (0, 18_000)
    assert stage.account(debtor).grid_account == -1_800
    return debtor, quote_id


# ---- as it should be ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "left"),
    [(1, FUNDS - 1), (400, FUNDS - 400), (FUNDS - 1, 1), (FUNDS, 0)],
    ids=["one base unit", "a part", "all but one", "all"],
)
def test_pays_the_caller_out_of_its_free_balance(stage: Stage, amount: int, left: int) -> None:
    """T-MON-2."""
    held = stage.token.balanceOf(stage.market.address)

    stage.market.withdraw(amount, sender=stage.prosumer.address)

    assert stage.events() == [("Withdrawn", {"account": stage.prosumer.address, "amount": amount})]
    assert stage.money(stage.prosumer) == (left, 0)
    assert stage.token.balanceOf(stage.prosumer.address) == amount
    assert stage.token.balanceOf(stage.market.address) == held - amount
    assert stage.money(stage.consumer) == (FUNDS, 0)
    stage.assert_books_balance()


def test_is_announced_before_the_token_moves(stage: Stage) -> None:
    """Annex B: Cleared, Withdrawn, then the token's Transfer."""
    debtor, quote_id = indebted_with_collateral(stage)
    stage.market.invalidate_quote(quote_id, sender=debtor.address)

    stage.market.withdraw(100, sender=debtor.address)

    names = {stage.market.address: "market", stage.token.address: "token"}
    logged = [(names[event.address], type(event).__name__) for event in stage.market.get_logs()]
    assert logged == [("market", "Cleared"), ("market", "Withdrawn"), ("token", "Transfer")]


@pytest.mark.parametrize("who", ["stranger", "supplier", "owner", "registered only", "revoked"])
def test_pays_anybody(stage: Stage, who: str) -> None:
    """T-MON-3, T-MON-16, T-REG-18: money can leave whatever the owner does."""
    newcomer = stage.register(stage.unregistered("newcomer"))
    stage.market.withdraw(FUNDS, sender=stage.neighbour.address)
    stage.market.revoke(stage.neighbour.address, sender=stage.owner)
    address = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "owner": stage.owner,
        "registered only": newcomer.address,
        "revoked": stage.neighbour.address,
    }[who]
    stage.fund(address, 50)
    before = stage.token.balanceOf(address)

    stage.market.withdraw(50, sender=address)

    assert stage.events() == [("Withdrawn", {"account": address, "amount": 50})]
    assert stage.money(address) == (0, 0)
    assert stage.token.balanceOf(address) == before + 50


@pytest.mark.parametrize("who", ["stranger", "prosumer"])
def test_accepts_zero(stage: Stage, who: str) -> None:
    """T-MON-3: with money in the market or without; it is announced."""
    address = stage.stranger if who == "stranger" else stage.prosumer.address
    before = stage.money(address)

    stage.market.withdraw(0, sender=address)

    assert stage.events() == [("Withdrawn", {"account": address, "amount": 0})]
    assert stage.money(address) == before
    assert stage.token.balanceOf(address) == 0


def test_pays_out_to_the_last_unit_and_leaves_gifts_behind(stage: Stage) -> None:
    """T-MON-23, T-GUA-6: all accounts empty, the market holds only what somebody gave it."""
    boa.env.set_balance(stage.stranger, 7)
    stage.token.mint(value=7, sender=stage.stranger)
    stage.token.transfer(stage.market.address, 7, sender=stage.stranger)

    for household in (stage.prosumer, stage.consumer, stage.neighbour):
        stage.market.withdraw(FUNDS, sender=household.address)

    assert stage.token.balanceOf(stage.market.address) == 7


# ---- clearing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("supplier_has", "cleared"),
    [(0, 0), (599, 599), (600, 600), (601, 600)],
    ids=["nothing", "one too little", "exactly the debt", "one more"],
)
def test_collects_what_the_supplier_owes_first(stage: Stage, supplier_has: int, cleared: int) -> None:
    """T-MON-10, T-MON-17: 10 Wh exported at SBP 60 are 600; what is collected can be withdrawn by the same call."""
    stage.invoice(stage.prosumer, exported=10)
    stage.fund(stage.supplier, supplier_has)

    stage.market.withdraw(FUNDS + cleared, sender=stage.prosumer.address)

    paid = ("Cleared", {"user": stage.prosumer.address, "amount": cleared})
    withdrawn = ("Withdrawn", {"account": stage.prosumer.address, "amount": FUNDS + cleared})
    assert stage.events() == ([paid, withdrawn] if cleared else [withdrawn])
    assert stage.money(stage.prosumer) == (0, 0)
    assert stage.account(stage.prosumer).grid_account == 600 - cleared
    assert stage.money(stage.supplier) == (supplier_has - cleared, 0)
    assert stage.token.balanceOf(stage.prosumer.address) == FUNDS + cleared
    stage.assert_books_balance()


def test_pays_arrears_first(stage: Stage) -> None:
    """T-MON-10, T-MON-15: of 18 000 that were reserved, 1800 go to the supplier and the rest may leave."""
    debtor, quote_id = indebted_with_collateral(stage)
    stage.market.invalidate_quote(quote_id, sender=debtor.address)

    stage.market.withdraw(16_200, sender=debtor.address)

    assert stage.events() == [
        ("Cleared", {"user": debtor.address, "amount": -1_800}),
        ("Withdrawn", {"account": debtor.address, "amount": 16_200}),
    ]
    assert stage.money(debtor) == (0, 0)
    assert stage.account(debtor).grid_account == 0
    assert stage.money(stage.supplier) == (1_800, 0)
    assert stage.token.balanceOf(debtor.address) == 16_200
    stage.assert_books_balance(debtor)


def test_of_zero_pays_arrears_in_full(stage: Stage) -> None:
    """T-MON-15: exactly out of arrears is enough; 100 Wh of collateral at 18 each are the 1800 that are owed."""
    debtor = stage.household("debtor", funds=1_800)
    quote_id = stage.quote(volume=100, prosumer=debtor, period=stage.period + 10)
    stage.invoice(debtor, imported=10)
    stage.market.invalidate_quote(quote_id, sender=debtor.address)

    stage.market.withdraw(0, sender=debtor.address)

    assert stage.events() == [
        ("Cleared", {"user": debtor.address, "amount": -1_800}),
        ("Withdrawn", {"account": debtor.address, "amount": 0}),
    ]
    assert stage.money(debtor) == (0, 0)
    assert stage.account(debtor).grid_account == 0


# ---- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, 1, LARGEST], ids=["not even zero", "one", "the largest number"])
def test_refuses_who_is_in_arrears(stage: Stage, amount: int) -> None:
    """T-MON-15: what is reserved does not count; arrears come before a lack of money (T-PARTY-16)."""
    debtor, _ = indebted_with_collateral(stage)

    with stage.refuses(IN_ARREARS):
        stage.market.withdraw(amount, sender=debtor.address)
    assert stage.money(debtor) == (0, 18_000)


def test_refuses_who_is_still_in_arrears_after_clearing(stage: Stage) -> None:
    """T-MON-15, T-GUA-7: 99 Wh of collateral at 18 are 1782, 18 short; and the clearing is undone with the call."""
    debtor = stage.household("debtor", funds=1_782)
    quote_id = stage.quote(volume=99, prosumer=debtor, period=stage.period + 10)
    stage.invoice(debtor, imported=10)
    stage.market.invalidate_quote(quote_id, sender=debtor.address)

    with stage.refuses(IN_ARREARS):
        stage.market.withdraw(0, sender=debtor.address)
    assert stage.money(debtor) == (1_782, 0)
    assert stage.account(debtor).grid_account == -1_800
    assert stage.money(stage.supplier) == (0, 0)


@pytest.mark.parametrize("amount", [FUNDS + 1, LARGEST], ids=["one too much", "the largest number"])
def test_refuses_more_than_is_free(stage: Stage, amount: int) -> None:
    """T-MON-2: though the market holds three times as much."""
    with stage.refuses(INSUFFICIENT):
        stage.market.withdraw(amount, sender=stage.prosumer.address)
    assert stage.money(stage.prosumer) == (FUNDS, 0)


def test_refuses_a_stranger_everything(stage: Stage) -> None:
    """T-MON-2."""
    with stage.refuses(INSUFFICIENT):
        stage.market.withdraw(1, sender=stage.stranger)


def test_refuses_what_is_reserved(stage: Stage) -> None:
    """T-MON-4: the collateral of 18 000 stays; one base unit beyond the rest is refused."""
    stage.quote(volume=1_000)

    with stage.refuses(INSUFFICIENT):
        stage.market.withdraw(FUNDS - 18_000 + 1, sender=stage.prosumer.address)
    stage.market.withdraw(FUNDS - 18_000, sender=stage.prosumer.address)
    assert stage.money(stage.prosumer) == (0, 18_000)


def test_refuses_more_than_is_left_once_arrears_are_paid(stage: Stage) -> None:
    """T-MON-2, T-MON-10: 18 000 less 1800 are 16 200, after clearing."""
    debtor, quote_id = indebted_with_collateral(stage)
    stage.market.invalidate_quote(quote_id, sender=debtor.address)

    with stage.refuses(INSUFFICIENT):
        stage.market.withdraw(16_201, sender=debtor.address)


def test_refuses_what_the_supplier_cannot_pay(stage: Stage) -> None:
    """T-MON-17: of the 600 owed, 599 are there."""
    stage.invoice(stage.prosumer, exported=10)
    stage.fund(stage.supplier, 599)

    with stage.refuses(INSUFFICIENT):
        stage.market.withdraw(FUNDS + 600, sender=stage.prosumer.address)
    assert stage.money(stage.supplier) == (599, 0)


# ---- a token that misbehaves ---------------------------------------------------------------------


def test_accepts_any_honest_token(hostile: Hostile) -> None:
    """T-UNIT-2."""
    hostile.market.withdraw(500, sender=hostile.caller)

    assert hostile.state() == (0, 1_000, 0)


def test_accepts_a_token_that_answers_nothing(hostile: Hostile) -> None:
    """T-MON-20."""
    hostile.token.answer_with(b"")

    hostile.market.withdraw(300, sender=hostile.caller)

    assert hostile.state() == (200, 800, 200)


@pytest.mark.parametrize(
    ("taken", "given"), [(0, 0), (-300, -300), (1, 0), (0, -1)], ids=["moved", "not moved", "fee", "cut"]
)
def test_refuses_a_token_that_answers_false(hostile: Hostile, taken: int, given: int) -> None:
    """T-MON-18: whatever it moved (T-PARTY-16)."""
    hostile.token.answer_with(encode(["bool"], [False]))
    hostile.token.move_more(taken, given)

    with boa.reverts(REFUSED):
        hostile.market.withdraw(300, sender=hostile.caller)
    assert hostile.state() == (500, 500, 500)


@pytest.mark.parametrize(
    ("taken", "given", "amount"),
    [
        pytest.param(1, 0, 300, id="takes one more from the market"),
        pytest.param(-1, 0, 300, id="takes one less from the market"),
        pytest.param(0, -1, 300, id="gives the caller one less"),
        pytest.param(0, 1, 300, id="gives the caller one more"),
        pytest.param(1, 1, 300, id="moves one more"),
        pytest.param(-1, -1, 300, id="moves one less"),
        pytest.param(-300, -300, 300, id="moves nothing"),
        pytest.param(1, 1, 0, id="moves one in place of none"),
        pytest.param(-301, 0, 300, id="gives the market something"),
        pytest.param(0, -301, 300, id="takes something from the caller"),
    ],
)
def test_refuses_a_token_that_moves_another_amount(hostile: Hostile, taken: int, given: int, amount: int) -> None:
    """T-MON-19: measured at the market and at the recipient."""
    hostile.token.move_more(taken, given)

    with boa.reverts(OTHER_AMOUNT):
        hostile.market.withdraw(amount, sender=hostile.caller)
    assert hostile.state() == (500, 500, 500)


@pytest.mark.parametrize("answer", [encode(["uint256"], [2]), b"\1"], ids=["two", "one byte"])
def test_refuses_an_answer_that_is_no_truth_value(stage: Stage, hostile: Hostile, answer: bytes) -> None:
    """T-MON-18, annex A: without a reason."""
    hostile.token.answer_with(answer)

    calldata = hostile.market.withdraw.prepare_calldata(300)
    assert stage.raw(calldata, sender=hostile.caller, to=hostile.market) == (False, b"")
    assert hostile.state() == (500, 500, 500)


def test_hands_on_the_reason_of_the_token(hostile: Hostile) -> None:
    """Annex A, `withdraw` 3: after the market's own checks, before the token's answer is looked at."""
    hostile.token.answer_with(encode(["bool"], [False]))
    hostile.token.freeze()

    with boa.reverts("token: frozen"):
        hostile.market.withdraw(300, sender=hostile.caller)
    with boa.reverts(INSUFFICIENT):
        hostile.market.withdraw(501, sender=hostile.caller)
    assert hostile.state() == (500, 500, 500)


def test_pays_a_contract_at_its_own_address(hostile: Hostile) -> None:
    """T-MON-2: a contract that has money in the market, here the token itself, is paid like anybody else."""
    token, market = hostile.token, hostile.market
    token.mint(token.address, 40)
    token.act(market.address, market.deposit.prepare_calldata(40))
    assert market.account(token.address).balance == 40

    token.act(market.address, market.withdraw.prepare_calldata(40))

    assert market.account(token.address).balance == 0
    assert token.holding(token.address) == 40
    assert hostile.state() == (500, 500, 500)
