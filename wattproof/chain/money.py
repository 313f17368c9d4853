"""Money of an account into the market, and out again: shown, asked about, sent one by one, each awaited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wattproof.chain.accounts import Account
from wattproof.chain.deploy_command import transactions
from wattproof.chain.market import ChainMarket
from wattproof.chain.owning import SECONDS
from wattproof.chain.sending import (
    Draft,
    Fees,
    Refused,
    Sender,
    check_money,
    estimate,
    ether,
    nonce_of,
    unsigned,
)
from wattproof.market.deployment import CREDIT

_UNTRIED = 300_000
"""Gas of a deposit that can be tried only after its approval: twice what it takes with EnergyCredit, and to spare."""


@dataclass(frozen=True)
class Move:
    """Money that moves between an account and the market.

    steps   what is done, in words, and the call that does it, with the gas that it may use
    there   base units of the account's that are free in the market before
    """

    what: str
    steps: list[tuple[str, Draft]]
    there: int

    @property
    def gas(self) -> int:
        """Of all steps, at most."""
        return sum(draft.gas or 0 for _, draft in self.steps)

    @property
    def value(self) -> int:
        """Wei that go along."""
        return sum(draft.value for _, draft in self.steps)


def depositing(market: ChainMarket, sender: str, amount: int, mint: bool) -> Move:
    """What brings `amount` base units into the market; with `mint` what lacks of it is minted for ether first.

    It was tried as far as it can be, and nothing sent. Raises Refused and NoMoney, with what to do; as `Node.call`.
    """
    token = market.record.settled_in
    if mint and not _is_minted_for_ether(market):
        raise Refused(f"{token} is not minted for ether: leave --mint out, and get tokens from who has them", "mint")
    drafts: list[tuple[str, Draft]] = []
    held = market.token.view("balanceOf", sender)
    if held < amount and not mint:
        advice = "; --mint turns ether into them" if _is_minted_for_ether(market) else ""
        raise Refused(f"{sender} has {token.amount(held)}, not {token.amount(amount)}{advice}", "deposit")
    if held < amount:
        lacking = amount - held
        # A node that is to try it says less clearly what is missing.
        check_money(market.node, sender, _UNTRIED, Fees.now(market.node), lacking)
        drafts.append((f"mint {token.amount(lacking)} for {ether(lacking)}", market.token.draft("mint", value=lacking)))
    if market.token.view("allowance", sender, market.address) < amount:
        what = f"let the market take {token.amount(amount)}"
        drafts.append((what, market.token.draft("approve", market.address, amount)))
    # A deposit moves what was minted and approved: the node cannot try it before.
    gas = _UNTRIED if drafts else None
    drafts.append((f"deposit {token.amount(amount)}", market.draft("deposit", amount, gas=gas)))
    return _move(market, sender, f"depositing {token.amount(amount)}", drafts)


def withdrawing(market: ChainMarket, sender: str, amount: int) -> Move:
    """What brings `amount` base units of the account's free money out of the market. Raises as `depositing`."""
    what = market.record.settled_in.amount(amount)
    return _move(market, sender, f"withdrawing {what}", [(f"withdraw {what}", market.draft("withdraw", amount))])


def _move(market: ChainMarket, sender: str, what: str, drafts: list[tuple[str, Draft]]) -> Move:
    there = market.view("account", sender)
    try:
        steps = [(each, _with_gas(market, sender, draft)) for each, draft in drafts]
    except Refused as refused:
        free, owed = market.record.settled_in.amount(there.balance), -min(0, there.grid_account)
        hint = f"; it owes the supplier {market.record.settled_in.amount(owed)}" if owed else ""
        raise Refused(f"{refused.reason}; {sender} has {free} free in the market{hint}", what) from None
    return Move(what, steps, there.balance)


def _with_gas(market: ChainMarket, sender: str, draft: Draft) -> Draft:
    return Draft(draft.to, draft.data, draft.value, estimate(market.node, sender, draft), draft.label)


def _is_minted_for_ether(market: ChainMarket) -> bool:
    """Whether the token is an EnergyCredit, by what it says of itself; that it takes ether is tried, too."""
    return (market.record.token_symbol, market.record.token_decimals) == (CREDIT.symbol, CREDIT.decimals)


def send(
    market: ChainMarket, account: Account, move: Move, ask: Callable[[], bool], say: Callable[[str], object]
) -> int:
    """Shows what moves, asks, sends it one by one, and waits for each; returns the exit code: 1 where `ask` says no.

    Raises Refused, NoMoney, NotMined; as `Node.call`. Run again after that it counts anew what is still lacking.
    """
    token, fees = market.record.settled_in, Fees.now(market.node)
    say(f"{move.what}, as {account.address}, at the market {market.address} on chain {market.record.chain_id}")
    say(f"  free in the market now: {token.amount(move.there)}")
    for what, _ in move.steps:
        say(f"  {what}")
    say(f"  {move.gas:,} gas and {ether(move.gas * fees.most)} at most")
    check_money(market.node, account.address, move.gas, fees, move.value)
    if not ask():
        say("nothing was sent")
        return 1
    sender = Sender(market.node, account)
    for what, draft in move.steps:
        # At the price that was shown.
        sent = sender.submit(sender.signed(draft, fees=fees))
        say(f"{what}: sent transaction {sent}")
        say(f"{what}: done in block {sender.wait(sent, SECONDS).block_number}")
    say(f"free in the market now: {token.amount(market.view('account', account.address).balance)}")
    return 0


def printed(market: ChainMarket, sender: str, move: Move) -> str:
    """The unsigned transactions as JSON, for `sender` to sign elsewhere in their order. Raises as `Node.call`."""
    first = nonce_of(market.node, sender)
    told: list[tuple[str, Any, dict[str, Any]]] = [
        (what, None, unsigned(draft, sender, market.node, first + place))
        for place, (what, draft) in enumerate(move.steps)
    ]
    return transactions(told)
