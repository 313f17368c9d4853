"""What a market's owner does: authorises and revokes users, and hands its office over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wattproof.chain.accounts import Account
from wattproof.chain.deploy_command import transactions
from wattproof.chain.market import ChainMarket
from wattproof.chain.sending import Draft, Fees, Refused, Sender, check_money, estimate, ether, unsigned

SECONDS = 600
"""How long a transaction may take to come into a block."""

_HINTS = {
    "accounts: not registered": "its household has to register first, with its meter",
    "accounts: already authorised": "nothing is to be done",
    "accounts: not authorised": "nothing is to be done",
    "accounts: capacity cannot fall": "a connection's capacity is only ever raised",
    "accounts: capacity out of bounds": "it is in Wh per period, above 0 and below 2**24",
}
"""What to do where the market refuses."""


def draft_of(market: ChainMarket, sender: str, function: str, *arguments: Any) -> tuple[Draft, int]:
    """A call of the owner's, and the gas that it may use; it was tried, and nothing sent.

    Raises Refused, with what to do; as `Node.call`.
    """
    draft = market.draft(function, *arguments)
    try:
        return draft, estimate(market.node, sender, draft)
    except Refused as refused:
        raise Refused(f"{refused.reason}; {_hint(market, sender, refused.reason)}", function) from None


def _hint(market: ChainMarket, sender: str, reason: str) -> str:
    if "not the owner" in reason:
        return f"{sender} is not, {market.view('owner')} is"
    if "not the new owner" in reason:
        return f"the owner names its successor first; {market.view('pending_owner')} is named"
    return _HINTS.get(reason, "nothing was sent")


def send(
    market: ChainMarket,
    account: Account,
    what: str,
    ask: Callable[[], bool],
    say: Callable[[str], object],
    function: str,
    *arguments: Any,
) -> int:
    """Shows a call, asks, sends it, and waits for its block; returns the exit code: 1 where `ask` says no.

    Raises as `draft_of`; NoMoney, NotMined.
    """
    draft, gas = draft_of(market, account.address, function, *arguments)
    fees = Fees.now(market.node)
    check_money(market.node, account.address, gas, fees)
    say(f"{what}, as {account.address}, at the market {market.address} on chain {market.record.chain_id}")
    say(f"  {gas:,} gas and {ether(gas * fees.most)} at most")
    if not ask():
        say("nothing was sent")
        return 1
    sender = Sender(market.node, account)
    # At the price that was shown.
    sent = sender.submit(sender.signed(Draft(draft.to, draft.data, gas=gas, label=function), fees=fees))
    say(f"sent transaction {sent}")
    receipt = sender.wait(sent, SECONDS)
    say(f"done in block {receipt.block_number}")
    return 0


def printed(market: ChainMarket, sender: str, what: str, function: str, *arguments: Any) -> str:
    """The unsigned transaction of a call, as JSON, for `sender` to sign elsewhere. Raises as `draft_of`."""
    draft, gas = draft_of(market, sender, function, *arguments)
    return transactions([(what, None, unsigned(Draft(draft.to, draft.data, gas=gas), sender, market.node))])
