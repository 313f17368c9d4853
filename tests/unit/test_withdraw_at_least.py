"""`withdraw_at_least`: T-MON-25 and T-MON-26, and that nothing else differs from `withdraw`."""

from __future__ import annotations

import boa
import pytest
from eth_abi.abi import encode

from tests.support.stage import FUNDS, Stage
from tests.support.tokens import Hostile

IN_ARREARS = "ledger: in arrears"
INSUFFICIENT = "ledger: insufficient balance"
REFUSED = "ledger: token refused"
OTHER_AMOUNT = "ledger: token moved another amount"

LARGEST = 2**256 - 1


# ---- on a token that moves what it is asked to ---------------------------------------------


@pytest.mark.parametrize(
    ("amount", "least"),
    [(400, 0), (400, 399), (400, 400), (FUNDS, 1), (0, 0)],
    ids=["anything will do", "one may be missing", "nothing may be missing", "all", "nothing"],
)
def test_pays_the_whole_amount_where_the_token_moves_it(stage: Stage, amount: int, least: int) -> None:
    """T-MON-25: the least is a bound and no wish."""
    held = stage.token.balanceOf(stage.market.address)

    stage.market.withdraw_at_least(amount, least, sender=stage.prosumer.address)

    assert stage.events() == [("Withdrawn", {"account": stage.prosumer.address, "amount": amount})]
    assert stage.money(stage.prosumer) == (FUNDS - amount, 0)
    assert stage.token.balanceOf(stage.prosumer.address) == amount
    assert stage.token.balanceOf(stage.market.address) == held - amount
    assert stage.money(stage.consumer) == (FUNDS, 0)
    stage.assert_books_balance()


@pytest.mark.parametrize(("amount", "least"), [(400, 401), (0, 1), (FUNDS, LARGEST)])
def test_refuses_a_least_that_is_above_the_amount(stage: Stage, amount: int, least: int) -> None:
    """T-MON-25: nothing lies between the two, and the token is never asked for more than is debited."""
    with stage.refuses(OTHER_AMOUNT):
        stage.market.withdraw_at_least(amount, least, sender=stage.prosumer.address)
    assert stage.money(stage.prosumer) == (FUNDS, 0)


def test_pays_a_stranger(stage: Stage) -> None:
    """T-MON-3: anybody that has something there."""
    stage.fund(stage.stranger, 50)
    before = stage.token.balanceOf(stage.stranger)

    stage.market.withdraw_at_least(50, 50, sender=stage.stranger)

    assert stage.account(stage.stranger).balance == 0
    assert stage.token.balanceOf(stage.stranger) == before + 50


def test_collects_what_the_supplier_owes_first(stage: Stage) -> None:
    """T-MON-10, annex B: 10 Wh exported at SBP 60 are 600, which the same call pays out; Cleared comes first."""
    stage.invoice(stage.prosumer, exported=10)
    stage.fund(stage.supplier, 600)

    stage.market.withdraw_at_least(FUNDS + 600, FUNDS, sender=stage.prosumer.address)

    names = {stage.market.address: "market", stage.token.address: "token"}
    logged = [(names[event.address], type(event).__name__) for event in stage.market.get_logs()]
    assert logged == [("market", "Cleared"), ("market", "Withdrawn"), ("token", "Transfer")]
    assert stage.money(stage.prosumer) == (0, 0)
    assert stage.token.balanceOf(stage.prosumer.address) == FUNDS + 600
    stage.assert_books_balance()


@pytest.mark.parametrize("least", [0, LARGEST])
def test_refuses_who_is_in_arrears(stage: Stage, least: int) -> None:
    """T-MON-15, T-PARTY-16: before all else, even where nothing is asked for."""
    debtor = stage.household("debtor", funds=18_000)
    stage.quote(volume=1_000, prosumer=debtor, period=stage.period + 10)
    stage.invoice(debtor, imported=10)

    for amount in (0, LARGEST):
        with stage.refuses(IN_ARREARS):
            stage.market.withdraw_at_least(amount, least, sender=debtor.address)
    assert stage.money(debtor) == (0, 18_000)


@pytest.mark.parametrize("amount", [FUNDS + 1, LARGEST], ids=["one too much", "the largest number"])
@pytest.mark.parametrize("least", [0, FUNDS, LARGEST])
def test_refuses_more_than_is_free(stage: Stage, amount: int, least: int) -> None:
    """T-MON-2: what counts is the amount, however little may arrive; before the bounds (T-PARTY-16)."""
    with stage.refuses(INSUFFICIENT):
        stage.market.withdraw_at_least(amount, least, sender=stage.prosumer.address)
    assert stage.money(stage.prosumer) == (FUNDS, 0)


def test_refuses_what_is_reserved(stage: Stage) -> None:
    """T-MON-4: the collateral of 18 000 stays."""
    stage.quote(volume=1_000)

    with stage.refuses(INSUFFICIENT):
        stage.market.withdraw_at_least(FUNDS - 18_000 + 1, 0, sender=stage.prosumer.address)
    stage.market.withdraw_at_least(FUNDS - 18_000, 0, sender=stage.prosumer.address)
    assert stage.money(stage.prosumer) == (0, 18_000)


# ---- on a token that moves less, or more ---------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "given", "least"),
    [
        pytest.param(0, 0, 300, id="exactly the amount"),
        pytest.param(0, -1, 299, id="a charge of one out of what arrives"),
        pytest.param(0, -30, 270, id="a charge of a tenth"),
        pytest.param(0, -300, 0, id="nothing arrives, and that will do"),
        pytest.param(-1, -1, 299, id="rounds down on both sides"),
        pytest.param(-1, 0, 299, id="rounds down at the market"),
        pytest.param(-2, -1, 298, id="the market gives just the least"),
        pytest.param(-300, -300, 0, id="moves nothing, and that will do"),
    ],
)
def test_lets_a_token_move_less_as_far_as_its_caller_says(
    stage: Stage, hostile: Hostile, taken: int, given: int, least: int
) -> None:
    """T-MON-25, T-MON-26: 300 are debited and announced; what was not taken stays in the market."""
    hostile.token.move_more(taken, given)

    hostile.market.withdraw_at_least(300, least, sender=hostile.caller)

    assert hostile.state() == (500 - (300 + taken), 500 + (300 + given), 200)
    (announced,) = [event for event in hostile.market.get_logs() if type(event).__name__ == "Withdrawn"]
    assert (announced.account, announced.amount) == (hostile.caller, 300)


@pytest.mark.parametrize(
    ("taken", "given", "amount", "least"),
    [
        pytest.param(0, -1, 300, 300, id="gives the caller one less than the least"),
        pytest.param(0, -2, 300, 299, id="gives the caller one less than the least, below the amount"),
        pytest.param(-1, 0, 300, 300, id="takes one less than the least from the market"),
        pytest.param(-2, 0, 300, 299, id="takes one less than the least from the market, below the amount"),
        pytest.param(1, 0, 300, 0, id="takes one more from the market"),
        pytest.param(1, -300, 300, 0, id="takes one more from the market, and gives nothing"),
        pytest.param(0, 1, 300, 0, id="gives the caller one more"),
        pytest.param(1, 1, 300, 0, id="moves one more"),
        pytest.param(1, 1, 0, 0, id="moves one in place of none"),
        pytest.param(-301, 0, 300, 0, id="gives the market something"),
        pytest.param(0, -301, 300, 0, id="takes something from the caller"),
        pytest.param(0, -1, 300, LARGEST, id="moves less where the least is out of reach"),
    ],
)
def test_refuses_a_token_that_moves_less_than_the_least_or_more_than_the_amount(
    hostile: Hostile, taken: int, given: int, amount: int, least: int
) -> None:
    """T-MON-25: measured at the market and at the recipient, each by itself."""
    hostile.token.move_more(taken, given)

    with boa.reverts(OTHER_AMOUNT):
        hostile.market.withdraw_at_least(amount, least, sender=hostile.caller)
    assert hostile.state() == (500, 500, 500)


def test_leaves_what_was_not_taken_to_nobody(stage: Stage, hostile: Hostile) -> None:
    """T-MON-23, T-MON-26: the one unit left behind is in no account, and the other account is paid in full."""
    neighbour = stage.neighbour.address
    hostile.token.mint(neighbour, 40)
    hostile.market.deposit(40, sender=neighbour)
    hostile.token.move_more(-1, -1)

    hostile.market.withdraw_at_least(500, 499, sender=hostile.caller)
    hostile.token.move_more(0, 0)
    hostile.market.withdraw(40, sender=neighbour)

    assert hostile.token.holding(neighbour) == 40
    assert hostile.state() == (1, 999, 0)
    for who in (hostile.caller, neighbour):
        with boa.reverts(INSUFFICIENT):
            hostile.market.withdraw_at_least(1, 0, sender=who)


def test_takes_out_what_a_plain_withdrawal_no_longer_can(hostile: Hostile) -> None:
    """T-MON-19, T-MON-25: the token begins to charge a tenth. 60 amounts stay in, and all of it leaves."""
    for amount in range(10, 70):
        hostile.token.move_more(0, -(amount // 10))
        with boa.reverts(OTHER_AMOUNT):
            hostile.market.withdraw(amount, sender=hostile.caller)

    hostile.token.move_more(0, -50)
    hostile.market.withdraw_at_least(500, 450, sender=hostile.caller)
    assert hostile.state() == (0, 950, 0)


def test_accepts_a_token_that_answers_nothing(hostile: Hostile) -> None:
    """T-MON-20."""
    hostile.token.answer_with(b"")
    hostile.token.move_more(0, -3)

    hostile.market.withdraw_at_least(300, 297, sender=hostile.caller)

    assert hostile.state() == (200, 797, 200)


@pytest.mark.parametrize(("taken", "given"), [(0, 0), (0, -1), (-300, -300), (1, 1)])
def test_refuses_a_token_that_answers_false(hostile: Hostile, taken: int, given: int) -> None:
    """T-MON-18, T-PARTY-16: whatever it moved, and however little may arrive."""
    hostile.token.answer_with(encode(["bool"], [False]))
    hostile.token.move_more(taken, given)

    with boa.reverts(REFUSED):
        hostile.market.withdraw_at_least(300, 0, sender=hostile.caller)
    assert hostile.state() == (500, 500, 500)


def test_refuses_an_answer_that_is_no_truth_value(stage: Stage, hostile: Hostile) -> None:
    """T-MON-18, annex A: without a reason."""
    hostile.token.answer_with(encode(["uint256"], [2]))

    calldata = hostile.market.withdraw_at_least.prepare_calldata(300, 0)
    assert stage.raw(calldata, sender=hostile.caller, to=hostile.market) == (False, b"")
    assert hostile.state() == (500, 500, 500)


def test_hands_on_the_reason_of_the_token(hostile: Hostile) -> None:
    """Annex A, `withdraw_at_least` 3: after the market's own checks, before what was moved is looked at."""
    hostile.token.freeze()

    with boa.reverts("token: frozen"):
        hostile.market.withdraw_at_least(300, 301, sender=hostile.caller)
    with boa.reverts(INSUFFICIENT):
        hostile.market.withdraw_at_least(501, 0, sender=hostile.caller)
    assert hostile.state() == (500, 500, 500)
