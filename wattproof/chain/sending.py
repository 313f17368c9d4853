"""Transactions: what they are before they are signed, how they are signed and sent, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from wattproof.chain.accounts import Account
from wattproof.chain.answers import Receipt, number, receipt_of
from wattproof.chain.node import Node, NodeUnusable, Reverted, RpcError
from wattproof.market.abi import revert_reason
from wattproof.market.tokens import Token

_GWEI = 10**9

_MARGIN = (5, 4)
"""How much more gas is allowed than was estimated: others' transactions come between, and storage grows."""

_POLL = (0.05, 1.0)
"""Seconds between two questions whether a transaction is in a block: at first, and at most."""

_AT = "pending"
"""When a transaction is tried: the last block's time is stale where nobody sent anything for a while."""

_KNOWN = ("already known", "already imported", "known transaction", "already in mempool", "already exists")
"""What nodes say of a transaction that they have already."""


class Refused(RuntimeError):
    """The contract refuses a transaction, or it failed in its block. `reason` is the contract's, in words."""

    def __init__(self, reason: str, label: str = "") -> None:
        super().__init__(f"{label}: {reason}" if label else reason)
        self.reason = reason


class NoMoney(RuntimeError):
    """An account cannot pay for what is to be sent; the one-line message says how much it needs."""


class NotMined(RuntimeError):
    """A transaction was not in a block in time; it may still come. `hash` is the transaction's."""

    def __init__(self, transaction: str, seconds: float) -> None:
        super().__init__(f"transaction {transaction} is in no block after {seconds:g} s: wait, and look for it again")
        self.hash = transaction


@dataclass(frozen=True)
class Draft:
    """A transaction that nobody has signed.

    to      whom it calls; None: it creates a contract
    value   wei
    gas     the most that it may use; None: the node estimates it
    label   what it does, for people
    """

    to: str | None
    data: bytes
    value: int = 0
    gas: int | None = None
    label: str = ""


@dataclass(frozen=True)
class Fees:
    """Wei per gas: at most in all, and of it for who makes the block; `tip` is None on a chain without base fees."""

    most: int
    tip: int | None

    @classmethod
    def now(cls, node: Node) -> Fees:
        """Twice the last block's base fee, and the tip that the node proposes. Raises as `Node.call`."""
        block = node.block("latest")
        if block is None or block.base_fee is None:
            return cls(node.read(number, "eth_gasPrice"), None)
        try:
            tip = node.read(number, "eth_maxPriorityFeePerGas")
        except RpcError:  # Not every node has an opinion.
            tip = _GWEI
        return cls(2 * block.base_fee + tip, tip)

    @property
    def fields(self) -> dict[str, int]:
        """As a transaction has them."""
        if self.tip is None:
            return {"gasPrice": self.most}
        return {"maxFeePerGas": self.most, "maxPriorityFeePerGas": self.tip, "type": 2}


@dataclass(frozen=True)
class Signed:
    """A signed transaction, as it is sent, however often: `raw` are its bytes."""

    hash: str
    nonce: int
    raw: bytes

    @classmethod
    def of(cls, nonce: int, raw: bytes) -> Signed:
        """A transaction that was signed before."""
        return cls("0x" + keccak(raw).hex(), nonce, raw)


def nonce_of(node: Node, address: str) -> int:
    """The number of the account's next transaction, those that wait counted in."""
    return node.read(number, "eth_getTransactionCount", address, "pending")


def estimate(node: Node, sender: str, draft: Draft, margin: bool = True) -> int:
    """The gas that a transaction may use: what the node estimates, and a margin.

    Raises Refused where the contract refuses it, RpcError where the node does (no money, say), NodeUnusable.
    """
    if draft.gas is not None:
        return draft.gas
    try:
        used = node.read(number, "eth_estimateGas", _question(sender, draft), _AT)
    except RpcError as refusal:
        raise _refused(node, refusal, draft.label) from None
    return with_margin(used) if margin else used


def _question(sender: str, draft: Draft) -> dict[str, Any]:
    asked: dict[str, Any] = {"from": sender, "data": "0x" + draft.data.hex(), "value": hex(draft.value)}
    return asked | ({"to": draft.to} if draft.to else {})


def _refused(node: Node, refusal: RpcError, label: str) -> Exception:
    told = node.told(refusal)
    return Refused(reason_of(told), label) if isinstance(told, Reverted) else refusal


def reason_of(reverted: Reverted) -> str:
    """Why a contract refused a call, in words."""
    return revert_reason(reverted.data) or str(reverted)


def ether(wei: int) -> str:
    """An amount as people write it: "0.25 ether"."""
    return Token("", "ether", 18).amount(wei)


def check_money(node: Node, address: str, gas: int, fees: Fees, value: int = 0) -> None:
    """Raises NoMoney unless an account can pay so much gas, and `value` wei; as `Node.call`."""
    there, needed = node.read(number, "eth_getBalance", address, "latest"), value + gas * fees.most
    if there < needed:
        of = f"{gas:,} gas at up to {Token('', 'gwei', 9).amount(fees.most)}"
        lacking = f"send it {ether(needed - there)} first"
        raise NoMoney(f"{address} has {ether(there)} and needs up to {ether(needed)}, for {of}: {lacking}")


def unsigned(draft: Draft, sender: str, node: Node, nonce: int | None = None) -> dict[str, Any]:
    """A transaction for hardware and multi-signature owners: JSON as eth_sendTransaction takes it.

    `nonce` None: the account's next. Raises as `estimate`.
    """
    fees = Fees.now(node)
    told = {
        "chainId": node.chain_id(),
        "nonce": nonce_of(node, sender) if nonce is None else nonce,
        "gas": estimate(node, sender, draft),
        **fees.fields,
    }
    return _question(sender, draft) | {name: hex(value) for name, value in told.items()}


class Sender:
    """Signs and sends for one account, on one node: it counts nonces, and offers the fees of the moment.

    For one thread; another program that sends from the same account is noticed by the chain only.
    """

    def __init__(self, node: Node, account: Account) -> None:
        """Nothing is asked yet."""
        self.node, self.account = node, account
        self._chain_id: int | None = None
        self._nonce: int | None = None

    def signed(self, draft: Draft, nonce: int | None = None, fees: Fees | None = None) -> Signed:
        """The signed transaction, which is not sent yet; its nonce is the account's next, unless it is named.

        Raises as `estimate`.
        """
        gas = estimate(self.node, self.account.address, draft)
        fees = fees or Fees.now(self.node)
        if nonce is None:
            nonce = self._next()
            self._nonce = nonce + 1
        return self._signed(draft, nonce, gas, fees)

    def _next(self) -> int:
        return nonce_of(self.node, self.account.address) if self._nonce is None else self._nonce

    def _signed(self, draft: Draft, nonce: int, gas: int, fees: Fees) -> Signed:
        if self._chain_id is None:
            self._chain_id = self.node.chain_id()
        fields = {"chainId": self._chain_id, "nonce": nonce, "gas": gas, "value": draft.value, "data": draft.data}
        raw = self.account.sign(fields | fees.fields | ({"to": draft.to} if draft.to else {}))
        return Signed.of(nonce, raw)

    def submit(self, signed: Signed) -> str:
        """Sends what is signed, again where it was sent already; returns its hash. Raises as `Node.call`."""
        try:
            self.node.call("eth_sendRawTransaction", "0x" + signed.raw.hex())
        except RpcError as refusal:
            if not self._is_there(refusal, signed.hash):
                self._nonce = None  # Whatever is wrong with it, the chain knows better.
                raise
        return signed.hash

    def send(self, draft: Draft) -> str:
        """Signs and sends a transaction; returns its hash. Raises as `estimate`."""
        return self.submit(self.signed(draft))

    def send_all(self, drafts: Sequence[Draft]) -> list[str]:
        """Signs and sends several transactions in one go, in their order; returns their hashes.

        Gas is estimated before any is sent: one that needs an earlier one has to name its gas. Raises as `estimate`;
        where the node refuses one, others may be sent.
        """
        if not drafts:
            return []
        gas = self._estimates(drafts)
        fees, nonce = Fees.now(self.node), self._next()
        signed = [
            self._signed(draft, nonce + place, most, fees)
            for place, (draft, most) in enumerate(zip(drafts, gas, strict=True))
        ]
        return self.submit_all(signed)

    def submit_all(self, signed: Sequence[Signed]) -> list[str]:
        """Sends what is signed, in one go; returns the hashes. Raises as `Node.call`, where others may be sent."""
        self._nonce = None
        answers = self.node.batch([("eth_sendRawTransaction", ["0x" + each.raw.hex()]) for each in signed])
        for each, answer in zip(signed, answers, strict=True):
            if isinstance(answer, RpcError) and not self._is_there(answer, each.hash):
                raise answer
        self._nonce = signed[-1].nonce + 1 if signed else None
        return [each.hash for each in signed]

    def _is_there(self, refusal: RpcError, transaction: str) -> bool:
        """Whether the node has what it refuses: from before, or as hardhat makes a block of what reverts, too."""
        if is_known(refusal):
            return True
        reverts = isinstance(self.node.told(refusal), Reverted)
        return reverts and self.node.call("eth_getTransactionByHash", transaction) is not None

    def _estimates(self, drafts: Sequence[Draft]) -> list[int]:
        """The gas of each transaction."""
        asked = [
            ("eth_estimateGas", (_question(self.account.address, draft), _AT)) for draft in drafts if draft.gas is None
        ]
        answers = iter(self.node.batch(asked))
        return [draft.gas if draft.gas is not None else self._estimated(draft, next(answers)) for draft in drafts]

    def _estimated(self, draft: Draft, answer: Any) -> int:
        if isinstance(answer, RpcError):
            raise _refused(self.node, answer, draft.label)
        return with_margin(self.node.shaped(number, "eth_estimateGas", answer))

    def wait(self, transaction: str, seconds: float) -> Receipt:
        """The receipt of a transaction that did what it should.

        A node that says nothing, or cannot be asked, is asked again until the time is over. Raises NotMined; Refused,
        with the contract's reason where it can be found out, where the transaction failed in its block.
        """
        receipt = wait(self.node, transaction, seconds)
        if not receipt.status:
            raise Refused(why_failed(self.node, receipt))
        return receipt


def wait(node: Node, transaction: str, seconds: float) -> Receipt:
    """The receipt of a transaction, whatever became of it; see `Sender.wait`. Raises NotMined."""
    end, pause = time.monotonic() + seconds, _POLL[0]
    while True:
        try:
            receipt = receipt_now(node, transaction)
        except (NodeUnusable, RpcError):
            receipt = None  # It is asked again: a restart takes a while.
            if time.monotonic() + pause > end:
                raise
        if receipt is not None:
            return receipt
        if time.monotonic() + pause > end:
            raise NotMined(transaction, seconds)
        time.sleep(pause)
        pause = min(2 * pause, _POLL[1])


def receipt_now(node: Node, transaction: str) -> Receipt | None:
    """The receipt of a transaction, if it is in a block. Raises as `Node.call`."""
    answer = node.call("eth_getTransactionReceipt", transaction)
    # Some tell of a transaction that waits, without its block.
    if answer is None or (isinstance(answer, dict) and answer.get("blockHash") is None):
        return None
    receipt = node.shaped(receipt_of, "eth_getTransactionReceipt", answer)
    if receipt.transaction_hash != transaction.lower():
        raise NodeUnusable(f"{node.address.host} answers with the receipt of another transaction: take another node")
    return receipt


def why_failed(node: Node, receipt: Receipt) -> str:
    """Why a transaction failed in its block, as far as it can be told: it is played again at that block's end."""
    sent = node.call("eth_getTransactionByHash", receipt.transaction_hash)
    if not isinstance(sent, dict):
        return "it failed in its block"
    again = {name: sent[name] for name in ("from", "to", "value", "input") if sent.get(name) is not None}
    try:
        node.call("eth_call", again, {"blockHash": receipt.block_hash})
    except RpcError as refusal:
        told = node.told(refusal)
        return reason_of(told) if isinstance(told, Reverted) else str(refusal)
    return "it failed in its block, and would not at the block's end: out of gas, or another came first"


def with_margin(used: int) -> int:
    """The gas to allow where so much was estimated."""
    return -(-used * _MARGIN[0] // _MARGIN[1])


def is_known(refusal: RpcError) -> bool:
    """Whether a node refuses a transaction because it has it already."""
    said = str(refusal).lower()
    return any(each in said for each in _KNOWN)
