"""Unsigned transactions, tried before they are handed out; and signed ones, relayed to the chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wattproof.chain import sending
from wattproof.chain.market import ChainMarket, Contract, NotTheMarket
from wattproof.chain.node import BlockGone, Node, NodeUnusable, Reverted, RpcError
from wattproof.chain.sending import Refused
from wattproof.serve.calls import CALLS, Call
from wattproof.serve.hints import hint
from wattproof.serve.problems import Problem
from wattproof.serve.raw import Raw
from wattproof.serve.served import Served
from wattproof.store.plain import plain

TIMEOUT = 10.0
"""Seconds that the node has for one answer."""


@contextmanager
def asking(served: Served) -> Iterator[ChainMarket]:
    """The market at the node, for one request. Problem 503 where there is no node, it is busy, or of another chain."""
    address = served.node_address()
    if not served.asking.take():
        raise Problem(503, "the node is asked by others: try again in a second", {"Retry-After": "1"})
    node = Node(address, TIMEOUT)
    try:
        market = ChainMarket(node, served.record)
        if node.chain_id() != served.record.chain_id:
            raise Problem(503, f"the node at {address.host} is of another chain than the market: start with its own")
        served.check(market)
        yield market
    except (NodeUnusable, NotTheMarket, BlockGone) as problem:
        raise Problem(503, str(problem)) from None
    except RpcError as refusal:
        raise Problem(409, f"the node refuses: {address.said(refusal)}") from None
    finally:
        node.close()
        served.asking.give_back()


@dataclass(frozen=True)
class Wanted:
    """A transaction that somebody wants: the call, its arguments in Python, who sends it, and the ether with it."""

    call: Call
    arguments: Mapping[str, Any]
    sender: str
    value: int


def unsigned(market: ChainMarket, wanted: Wanted) -> dict[str, Any]:
    """The transaction to sign, as eth_sendTransaction takes it, and what a trial of it returned.

    Problem 409, with the reason in words, where the contract or the node refuses it.
    """
    contract: Contract = market if wanted.call.to == "market" else market.token
    name = wanted.call.name
    arguments = wanted.call.in_order(wanted.arguments, market.address)
    draft = contract.draft(name, *arguments, value=wanted.value)
    try:
        returned = market.node.view(contract.address, draft.data, "pending", wanted.sender, wanted.value)
        transaction = sending.unsigned(draft, wanted.sender, market.node)
    except Reverted as reverted:
        raise _refusal(sending.reason_of(reverted), wanted, market) from None
    except Refused as refused:
        raise _refusal(refused.reason, wanted, market) from None
    return {
        "transaction": transaction,
        "call": name,
        "arguments": plain(dict(wanted.arguments)),
        "says": wanted.call.says,
        "returns": _returned(contract, name, returned),
    }


def _returned(contract: Contract, name: str, data: bytes) -> str | None:
    """The number that a call would return, where it returns one."""
    outputs = contract.interface.functions[name].outputs
    returns_number = len(outputs) == 1 and outputs[0]["type"] == "uint256" and len(data) == 32
    return str(int.from_bytes(data, "big")) if returns_number else None


def _refusal(reason: str, wanted: Wanted, market: ChainMarket) -> Problem:
    means = hint(reason, wanted.call.name, wanted.arguments, wanted.sender, market)
    return Problem(409, f"{reason}: {means}" if means else reason, reason=reason, hint=means)


def relay(market: ChainMarket, raw: Raw) -> str:
    """Hands a signed transaction to the chain; returns its hash. Problem 422 where it is not for this market."""
    record = market.record
    if raw.chain_id != record.chain_id:
        raise Problem(422, f"it is signed for chain {raw.chain_id}, and the market is on chain {record.chain_id}")
    if raw.to not in (record.market, record.token):
        raise Problem(422, "it goes elsewhere: only transactions to the market or to its token are relayed")
    try:
        market.node.call("eth_sendRawTransaction", "0x" + raw.data.hex())
    except RpcError as refusal:
        if not sending.is_known(refusal):
            raise Problem(409, f"the node refuses: {market.node.address.said(refusal)}") from None
    return raw.hash


# ---- what became of one ----------------------------------------------------------------------


def state(market: ChainMarket, transaction: str) -> dict[str, Any]:
    """What became of a transaction. Problem 404 where it is known, and goes elsewhere."""
    sent = market.node.call("eth_getTransactionByHash", transaction)
    told: dict[str, Any] = {"hash": transaction, "state": "unknown", "events": []}
    if not isinstance(sent, dict):
        return told
    to = str(sent.get("to") or "").lower()
    if to not in (market.address.lower(), market.token.address.lower()):
        raise Problem(404, "that transaction goes neither to the market nor to its token")
    receipt = sending.receipt_now(market.node, transaction)
    if receipt is None:
        return told | {"state": "pending"}
    told |= {"block": receipt.block_number, "gas_used": receipt.gas_used}
    if receipt.status:
        return told | {"state": "accepted", "events": _events(market, receipt)}
    reason = sending.why_failed(market.node, receipt)
    return told | {"state": "refused", "reason": reason, "hint": _meaning(market, sent, reason)}


def _meaning(market: ChainMarket, sent: Mapping[str, Any], reason: str) -> str | None:
    """What a refusal means, with the call's arguments where they can be read."""
    contract = market if str(sent.get("to")).lower() == market.address.lower() else market.token
    data = str(sent.get("input") or "0x")
    decoded = contract.decode_call(bytes.fromhex(data[2:]))
    if decoded is None:
        return None
    name, values = decoded
    arguments = dict(zip(contract.interface.functions[name].names, values, strict=True))
    return hint(reason, name, arguments, str(sent.get("from")), market)


def _events(market: ChainMarket, receipt: Any) -> list[dict[str, Any]]:
    found = (market.event(log) or market.token.event(log) for log in receipt.logs)
    return [{"name": name, "fields": plain(fields)} for name, fields in filter(None, found)]


def described() -> list[dict[str, Any]]:
    """All calls, as the API lists them."""
    return [
        {
            "call": call.name,
            "to": call.to,
            "payable": call.payable,
            "says": call.says,
            "arguments": [{"name": one.name, "type": one.kind, "says": one.says} for one in call.arguments],
        }
        for call in CALLS.values()
    ]
