"""`deposit`: T-MON-1, T-MON-3, T-MON-9 and T-MON-16 to T-MON-23."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import encode

from tests.support.stage import FUNDS, Stage
from tests.support.tokens import Hostile
from wattproof.market.deployment import open_market

REFUSED = "ledger: token refused"
OTHER_AMOUNT = "ledger: token moved another amount"

LARGEST = 2**256 - 1


def approved(stage: Stage, who: str, amount: int) -> None:
    """Gives `who` fresh credit of `amount` that the market may take."""
    boa.env.set_balance(who, boa.env.get_balance(who) + amount)
    stage.token.mint(value=amount, sender=who)
    stage.token.approve(stage.market.address, amount, sender=who)


def logged(stage: Stage) -> list[tuple[str, str]]:
    """Names of all events of the market's last call with the party that logged them, the token's included."""
    names = {stage.market.address: "market", stage.token.address: "token"}
    return [(names[event.address], type(event).__name__) for event in stage.market.get_logs()]


# ---- as it should be ----------------------------------------------------------------------


def test_takes_the_tokens_and_credits_them(stage: Stage) -> None:
    """T-MON-1: what leaves the caller arrives at the market and stands on the caller's free balance."""
    approved(stage, stage.prosumer.address, 700)
    held = stage.token.balanceOf(stage.market.address)

    stage.market.deposit(700, sender=stage.prosumer.address)

    assert stage.events() == [("Deposited", {"account": stage.prosumer.address, "amount": 700})]
    assert stage.money(stage.prosumer) == (FUNDS + 700, 0)
    assert stage.token.balanceOf(stage.prosumer.address) == 0
    assert stage.token.allowance(stage.prosumer.address, stage.market.address) == 0
    assert stage.token.balanceOf(stage.market.address) == held + 700
    assert stage.money(stage.consumer) == (FUNDS, 0)
    stage.assert_books_balance()


def test_is_announced_after_the_token_has_moved(stage: Stage) -> None:
    """Annex B: the token's Transfer, then Deposited. (The credit logs the allowance left before its Transfer.)"""
    approved(stage, stage.prosumer.address, 700)

    stage.market.deposit(700, sender=stage.prosumer.address)

    assert logged(stage) == [("token", "Approval"), ("token", "Transfer"), ("market", "Deposited")]


def test_takes_no_more_than_asked(stage: Stage) -> None:
    """T-MON-1: neither the rest of the allowance nor the rest of the holding; a second deposit adds up."""
    approved(stage, stage.prosumer.address, 1_000)

    stage.market.deposit(1, sender=stage.prosumer.address)
    stage.market.deposit(299, sender=stage.prosumer.address)

    assert stage.money(stage.prosumer) == (FUNDS + 300, 0)
    assert stage.token.balanceOf(stage.prosumer.address) == 700
    assert stage.token.allowance(stage.prosumer.address, stage.market.address) == 700


@pytest.mark.parametrize("who", ["stranger", "supplier", "owner", "registered only", "revoked"])
def test_takes_money_from_anybody(stage: Stage, who: str) -> None:
    """T-MON-3, T-MON-16, T-REG-18."""
    newcomer = stage.register(stage.unregistered("newcomer"))
    stage.market.revoke(stage.neighbour.address, sender=stage.owner)
    address = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "owner": stage.owner,
        "registered only": newcomer.address,
        "revoked": stage.neighbour.address,
    }[who]
    free, _ = stage.money(address)
    approved(stage, address, 50)

    stage.market.deposit(50, sender=address)

    assert stage.events() == [("Deposited", {"account": address, "amount": 50})]
    assert stage.money(address) == (free + 50, 0)
    assert stage.account(address).grid_account == 0
    stage.assert_books_balance(newcomer, stage.stranger)


def test_accepts_zero(stage: Stage) -> None:
    """T-MON-3: and announces it; no allowance is needed."""
    stage.market.deposit(0, sender=stage.stranger)

    assert stage.events() == [("Deposited", {"account": stage.stranger, "amount": 0})]
    assert stage.money(stage.stranger) == (0, 0)


def test_does_not_count_what_somebody_sent_without_depositing(stage: Stage) -> None:
    """T-MON-23: a gift of 900 belongs to no account, and does not pass for the deposit of 100 that follows."""
    approved(stage, stage.stranger, 1_000)
    stage.token.transfer(stage.market.address, 900, sender=stage.stranger)

    stage.market.deposit(100, sender=stage.stranger)

    assert stage.money(stage.stranger) == (100, 0)
    # Prosumer, consumer and neighbour hold 10**12 each.
    assert stage.token.balanceOf(stage.market.address) == 3 * 10**12 + 1_000


def test_does_not_touch_what_is_reserved(stage: Stage) -> None:
    """T-MON-4: the collateral of 1000 Wh * 180 * 10 % = 18 000 stays where it is."""
    stage.quote(volume=1_000)
    approved(stage, stage.prosumer.address, 5)

    stage.market.deposit(5, sender=stage.prosumer.address)

    assert stage.money(stage.prosumer) == (FUNDS - 18_000 + 5, 18_000)


# ---- clearing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "cleared", "free", "invoice"),
    [
        # 10 Wh imported at SSP 180: the debtor owes 1800.
        pytest.param(1, 1, 0, -1_799, id="one base unit"),
        pytest.param(1_799, 1_799, 0, -1, id="all but one"),
        pytest.param(1_800, 1_800, 0, 0, id="all"),
        pytest.param(1_801, 1_800, 1, 0, id="one more"),
    ],
)
def test_pays_arrears_first(stage: Stage, amount: int, cleared: int, free: int, invoice: int) -> None:
    """T-MON-9: as far as the deposit goes, to the supplier; what is left is the depositor's."""
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=10)
    assert stage.account(debtor).grid_account == -1_800
    approved(stage, debtor.address, amount)

    stage.market.deposit(amount, sender=debtor.address)

    assert stage.events() == [
        ("Deposited", {"account": debtor.address, "amount": amount}),
        ("Cleared", {"user": debtor.address, "amount": -cleared}),
    ]
    assert stage.money(debtor) == (free, 0)
    assert stage.account(debtor).grid_account == invoice
    assert stage.money(stage.supplier) == (cleared, 0)
    stage.assert_books_balance(debtor)


def test_of_zero_clears_nothing_where_nothing_is_free(stage: Stage) -> None:
    """T-MON-9, T-MON-13: no Cleared of 0 is announced."""
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=10)

    stage.market.deposit(0, sender=debtor.address)

    assert stage.events() == [("Deposited", {"account": debtor.address, "amount": 0})]
    assert stage.account(debtor).grid_account == -1_800


@pytest.mark.parametrize(
    ("supplier_has", "cleared"),
    [(0, 0), (599, 599), (600, 600), (601, 600)],
    ids=["nothing", "one too little", "exactly the debt", "one more"],
)
def test_collects_what_the_supplier_owes(stage: Stage, supplier_has: int, cleared: int) -> None:
    """T-MON-9, T-MON-17: 10 Wh exported at SBP 60 are 600, paid as far as the supplier's free balance goes."""
    stage.invoice(stage.prosumer, exported=10)
    stage.fund(stage.supplier, supplier_has)

    stage.market.deposit(0, sender=stage.prosumer.address)

    deposited = ("Deposited", {"account": stage.prosumer.address, "amount": 0})
    paid = ("Cleared", {"user": stage.prosumer.address, "amount": cleared})
    assert stage.events() == ([deposited, paid] if cleared else [deposited])
    assert stage.money(stage.prosumer) == (FUNDS + cleared, 0)
    assert stage.account(stage.prosumer).grid_account == 600 - cleared
    assert stage.money(stage.supplier) == (supplier_has - cleared, 0)
    stage.assert_books_balance()


def test_of_the_supplier_clears_nobody_elses_account(stage: Stage) -> None:
    """T-MON-9: a deposit clears the depositor's account, and the supplier has no invoice account."""
    stage.invoice(stage.prosumer, exported=10)
    approved(stage, stage.supplier, 10_000)

    stage.market.deposit(10_000, sender=stage.supplier)

    assert stage.events() == [("Deposited", {"account": stage.supplier, "amount": 10_000})]
    assert stage.account(stage.prosumer).grid_account == 600
    assert stage.account(stage.supplier).grid_account == 0
    assert stage.money(stage.supplier) == (10_000, 0)


# ---- refusals: the token's own --------------------------------------------------------------------


def test_refuses_more_than_the_caller_has(stage: Stage) -> None:
    """T-MON-1: the token's own reason."""
    approved(stage, stage.stranger, 100)
    stage.token.approve(stage.market.address, LARGEST, sender=stage.stranger)

    with stage.refuses("erc20: transfer amount exceeds balance"):
        stage.market.deposit(101, sender=stage.stranger)
    assert stage.token.balanceOf(stage.stranger) == 100
    stage.market.deposit(100, sender=stage.stranger)
    assert stage.money(stage.stranger) == (100, 0)


def test_refuses_more_than_the_caller_has_approved(stage: Stage) -> None:
    """T-MON-1: the token's own reason."""
    approved(stage, stage.stranger, 100)
    stage.token.approve(stage.market.address, 99, sender=stage.stranger)

    with stage.refuses("erc20: insufficient allowance"):
        stage.market.deposit(100, sender=stage.stranger)
    assert stage.money(stage.stranger) == (0, 0)


@pytest.mark.parametrize("amount", [FUNDS * 4, LARGEST], ids=["more than there is", "the largest number"])
def test_refuses_the_tokens_that_others_have_deposited(stage: Stage, amount: int) -> None:
    """T-MON-1: the caller pays, never the market itself."""
    with stage.refuses("erc20: insufficient allowance"):
        stage.market.deposit(amount, sender=stage.stranger)


# ---- refusals: a token that misbehaves --------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(stage: Stage) -> Hostile:
    """A fresh market with a hostile token that is honest so far."""
    return Hostile(stage)


def test_accepts_any_honest_token(hostile: Hostile) -> None:
    """T-UNIT-2: one that keeps no allowances and logs no events is good enough."""
    hostile.market.deposit(1_000, sender=hostile.caller)

    assert hostile.state() == (1_000, 0, 1_000)


def test_accepts_a_token_that_answers_nothing(hostile: Hostile) -> None:
    """T-MON-20."""
    hostile.token.answer_with(b"")

    hostile.market.deposit(300, sender=hostile.caller)

    assert hostile.state() == (300, 700, 300)


def test_refuses_a_token_that_answers_false(hostile: Hostile) -> None:
    """T-MON-18: also where it moved the tokens; the move is undone with the call."""
    hostile.token.answer_with(encode(["bool"], [False]))

    with boa.reverts(REFUSED):
        hostile.market.deposit(300, sender=hostile.caller)
    assert hostile.state() == (0, 1_000, 0)


@pytest.mark.parametrize("amount", [0, 300])
def test_refuses_false_whatever_was_moved(hostile: Hostile, amount: int) -> None:
    """T-MON-18, T-PARTY-16: false comes before another amount."""
    hostile.token.answer_with(encode(["bool"], [False]))
    hostile.token.move_more(0, 1)

    with boa.reverts(REFUSED):
        hostile.market.deposit(amount, sender=hostile.caller)


@pytest.mark.parametrize(
    "answer",
    [encode(["uint256"], [2]), encode(["uint256"], [LARGEST]), b"\1", bytes(30) + b"\1"],
    ids=["two", "the largest number", "one byte", "31 bytes"],
)
def test_refuses_an_answer_that_is_no_truth_value(stage: Stage, hostile: Hostile, answer: bytes) -> None:
    """T-MON-18, annex A: neither true nor nothing; refused without a reason."""
    hostile.token.answer_with(answer)

    calldata = hostile.market.deposit.prepare_calldata(300)
    assert stage.raw(calldata, sender=hostile.caller, to=hostile.market) == (False, b"")
    assert hostile.state() == (0, 1_000, 0)


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        pytest.param(-1, 300, id="one less"),
        pytest.param(-300, 300, id="nothing at all"),
        pytest.param(-1, 1, id="one in place of one"),
        pytest.param(1, 300, id="one more"),
        pytest.param(1, 0, id="one in place of none"),
        pytest.param(300, 300, id="twice as much"),
    ],
)
def test_refuses_a_token_that_brings_another_amount(hostile: Hostile, given: int, amount: int) -> None:
    """T-MON-19: a fee on the transfer, or a gift, measured by the market's own holding."""
    hostile.token.move_more(0, given)

    with boa.reverts(OTHER_AMOUNT):
        hostile.market.deposit(amount, sender=hostile.caller)
    assert hostile.state() == (0, 1_000, 0)


def test_refuses_a_token_that_takes_from_the_market(hostile: Hostile) -> None:
    """T-MON-19: the holding of 500 shrinks by 1 in place of growing by 300."""
    hostile.market.deposit(500, sender=hostile.caller)
    hostile.token.move_more(0, -301)

    with boa.reverts(OTHER_AMOUNT):
        hostile.market.deposit(300, sender=hostile.caller)
    assert hostile.state() == (500, 500, 500)


def test_accepts_a_token_that_charges_the_depositor_on_top(hostile: Hostile) -> None:
    """T-MON-19: what counts is that the market has the 300; 305 the depositor paid, by the token's own terms."""
    hostile.token.move_more(5, 0)

    hostile.market.deposit(300, sender=hostile.caller)

    assert hostile.state() == (300, 695, 300)


def test_hands_on_the_reason_of_the_token(hostile: Hostile) -> None:
    """Annex A, `deposit` 1: the token's own reason, though its answer would be false, too."""
    hostile.token.answer_with(encode(["bool"], [False]))
    hostile.token.freeze()

    with boa.reverts("token: frozen"):
        hostile.market.deposit(300, sender=hostile.caller)
    assert hostile.state() == (0, 1_000, 0)


MOST = 2**104 - 1
"""Base units that the market may hold."""


def test_takes_all_that_the_market_may_hold(stage: Stage) -> None:
    """T-MON-24: up to the last base unit, which can be withdrawn again."""
    held = stage.token.balanceOf(stage.market.address)
    approved(stage, stage.stranger, MOST - held)

    stage.market.deposit(MOST - held, sender=stage.stranger)

    assert stage.token.balanceOf(stage.market.address) == MOST
    assert stage.money(stage.stranger) == (MOST - held, 0)
    stage.assert_books_balance(stage.stranger)
    stage.market.withdraw(MOST - held, sender=stage.stranger)
    assert stage.money(stage.stranger) == (0, 0)


@pytest.mark.parametrize("small", [0, 1, 10**12], ids=["at once", "one unit later", "some later"])
def test_refuses_more_than_the_market_may_hold(stage: Stage, small: int) -> None:
    """T-MON-24: what counts is all that the market holds then, not what one party brings."""
    held = stage.token.balanceOf(stage.market.address)
    approved(stage, stage.stranger, MOST - held + 1)
    stage.market.deposit(small, sender=stage.stranger)

    with boa.reverts("ledger: too many tokens"):
        stage.market.deposit(MOST - held + 1 - small, sender=stage.stranger)
    assert stage.money(stage.stranger) == (small, 0)
    assert stage.token.balanceOf(stage.market.address) == held + small


def test_counts_what_was_given_away(stage: Stage) -> None:
    """T-MON-24: a donation is no deposit, and is held all the same; nothing more comes in, not even nothing."""
    held = stage.token.balanceOf(stage.market.address)
    approved(stage, stage.stranger, MOST - held + 1)
    stage.token.transfer(stage.market.address, MOST - held + 1, sender=stage.stranger)

    with boa.reverts("ledger: too many tokens"):
        stage.market.deposit(0, sender=stage.prosumer.address)


def test_refuses_a_loss_that_looks_like_the_amount(hostile: Hostile) -> None:
    """T-MON-18: a token to which 2^256 - 5 is -5 takes 5 from the market: the amount, modulo 2^256."""
    hostile.market.deposit(500, sender=hostile.caller)

    with boa.reverts(OTHER_AMOUNT):
        hostile.market.deposit(2**256 - 5, sender=hostile.caller)
    assert hostile.state() == (500, 500, 500)


def test_refuses_where_no_token_is(stage: Stage) -> None:
    """T-MON-18: an address without a program moves nothing, and saying nothing is not enough."""
    market = open_market(stage.stranger, stage.supplier, stage.tariff, stage.owner)

    calldata = market.deposit.prepare_calldata(0)
    assert stage.raw(calldata, to=market) == (False, b"")


# ---- refusals: a token that calls back ----------------------------------------------------------------

CHANGING = [
    ("register", (bytes(32), "0x" + "11" * 20, b"")),
    ("authorize", ("0x" + "11" * 20, 1)),
    ("revoke", ("0x" + "11" * 20,)),
    ("deposit", (0,)),
    ("withdraw", (0,)),
    ("withdraw_at_least", (0, 0)),
    ("clear", ("0x" + "11" * 20,)),
    ("submit_quote", (0, 0, 0)),
    ("invalidate_quote", (1,)),
    ("submit_bid", (1, bytes(32))),
    ("reveal_bid", (1, 0, 0, bytes(32))),
    ("match_bids", (1,)),
    ("buy_surplus", (1, 0)),
    ("submit_reading", ("0x" + "11" * 20, 0, 0, 0, b"")),
    ("settle_quote", (1,)),
    ("settle_account", ("0x" + "11" * 20, 0)),
    ("transfer_ownership", ("0x" + "11" * 20,)),
    ("accept_ownership", ()),
    ("submit_readings", (0, [])),
    ("settle_accounts", (0, [])),
]
"""Every call that can change the market, with arguments for which it is refused with a reason, or not at all."""

LOOKING = [
    ("words", ([0],)),
    ("frame", ()),
    ("account", ("0x" + "11" * 20,)),
    ("quote", (1,)),
    ("bid", (1, "0x" + "11" * 20)),
    ("trades", (1,)),
    ("reading", ("0x" + "11" * 20, 0)),
    ("position", ("0x" + "11" * 20, 0)),
    ("quote_of", ("0x" + "11" * 20, 0)),
    ("quote_count", ()),
    ("remaining", (1,)),
    ("supply", (0,)),
    ("demand", (0,)),
]
"""Every look at what calls can change, and the frame: the market's own, and those of its lens, which asks the market.

Owner and successor, which no deposit can change, answer at any time, as do a lens's `phase` and `seal_of`.
"""

CALLS = [pytest.param(name, arguments, id=name) for name, arguments in CHANGING + LOOKING]

MOVES = {"deposit": (200,), "withdraw": (200,), "withdraw_at_least": (200, 200)}
"""The calls during which the market waits for its token, with arguments that move 200."""


def address_of(market: Any, name: str) -> str:
    """Who answers that call: the market, or its lens."""
    return getattr(market, name).contract.address


def calldata_of(market: Any, name: str, arguments: tuple[Any, ...]) -> bytes:
    """The call of the market's function `name`."""
    return getattr(market, name).prepare_calldata(*arguments)


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_lets_no_call_back_in(stage: Stage, hostile: Hostile, move: str, name: str, arguments: tuple[Any, ...]) -> None:
    """T-MON-21: refused without a reason while the market waits for its token, whatever is asked.

    The same call from the same token is answered, or refused with its own reason, once the market does not wait.
    """
    hostile.market.deposit(500, sender=hostile.caller)
    data = calldata_of(hostile.market, name, arguments)
    hostile.token.call_back(address_of(hostile.market, name), data, False)

    getattr(hostile.market, move)(*MOVES[move], sender=hostile.caller)

    assert hostile.token.called() is True
    assert (hostile.token.succeeded(), hostile.token.answered()) == (False, b"")
    answering = getattr(hostile.market, name).contract
    succeeded, answer = stage.raw(data, sender=hostile.token.address, to=answering)
    assert succeeded or answer != b""
    assert hostile.state() == ((700, 300, 700) if move == "deposit" else (300, 700, 300))


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(("name", "arguments"), CALLS[3:7])
def test_refuses_the_whole_call_where_the_token_insists(
    stage: Stage, hostile: Hostile, move: str, name: str, arguments: tuple[Any, ...]
) -> None:
    """T-MON-21: the refusal of the call inside becomes the token's own, and nothing has moved."""
    hostile.market.deposit(500, sender=hostile.caller)
    hostile.token.call_back(hostile.market.address, calldata_of(hostile.market, name, arguments), True)

    calldata = calldata_of(hostile.market, move, MOVES[move])
    assert stage.raw(calldata, sender=hostile.caller, to=hostile.market) == (False, b"")
    assert hostile.state() == (500, 500, 500)


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(("name", "arguments"), [pytest.param(*look, id=look[0]) for look in LOOKING])
def test_lets_no_look_in_while_it_asks_for_its_holding(
    stage: Stage, hostile: Hostile, move: str, name: str, arguments: tuple[Any, ...]
) -> None:
    """T-MON-21: a token that looks at the market when asked for a balance would see a state in between."""
    hostile.market.deposit(500, sender=hostile.caller)
    data = calldata_of(hostile.market, name, arguments)
    hostile.token.call_back_when_asked(address_of(hostile.market, name), data)

    calldata = calldata_of(hostile.market, move, MOVES[move])
    assert stage.raw(calldata, sender=hostile.caller, to=hostile.market) == (False, b"")
    assert hostile.state() == (500, 500, 500)


def test_lets_a_token_look_elsewhere(hostile: Hostile) -> None:
    """T-MON-21: the control of the tests above; a token that calls itself meanwhile is not refused."""
    hostile.token.call_back(hostile.token.address, hostile.token.frozen.prepare_calldata(), True)

    hostile.market.deposit(300, sender=hostile.caller)

    assert (hostile.token.called(), hostile.token.succeeded()) == (True, True)
    assert hostile.state() == (300, 700, 300)
