"""A node of a chain, asked over one connection that stays open: blocks, receipts, views, traces.

>>> from wattproof.evm.anvil import Anvil
>>> from wattproof.chain.node import Node
>>> with Anvil(timestamp=1_750_000_000) as anvil:
...     Node(f"http://127.0.0.1:{anvil.port}").block("latest").timestamp
1750000000
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import ssl
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from wattproof.chain.answers import (
    BadShape,
    Block,
    Log,
    Receipt,
    Transaction,
    block_of,
    data_of,
    number,
    receipt_of,
)
from wattproof.chain.frames import DEEPEST, CallFrame
from wattproof.chain.tracing import traces_of
from wattproof.evm import rpc
from wattproof.evm.rpc import Address, NodeUnusable, RpcError

__all__ = [
    "Address",
    "Block",
    "BlockGone",
    "CallFrame",
    "Log",
    "Node",
    "NodeUnusable",
    "Receipt",
    "Reverted",
    "RpcError",
    "Transaction",
]

MAX_ANSWER = 2**27
"""Bytes of an answer that are read: the traces of a full block are some ten million."""

MAX_BATCH = 250
"""Requests in one go: public nodes refuse more than a few hundred, and a batch is split there."""

_REPEATABLE = ("eth_", "debug_", "trace_", "net_", "web3_")
"""How methods begin that may be asked twice: what is signed is sent once however often a node is given it."""

_NO_METHOD = re.compile(r"\bmethods?\b.*\b(not|unknown|unsupported)\b|\b(unknown|unsupported)\b.*\bmethod\b", re.I)


_NO_BLOCK = re.compile(
    "(header|block|resource|hash).*(not found|unknown)|unknown block|invalid block tag|unable to find a block"
)


class Reverted(RuntimeError):
    """A call was refused by the contract. `data` is what the contract said, empty where it or the node said nothing."""

    def __init__(self, data: bytes, said: str = "") -> None:
        super().__init__(said or "the contract refuses")
        self.data = data


class BlockGone(RuntimeError):
    """A node has no such block: it is not of its chain any more, or not yet. Ask for its number again."""


class Node:
    """A node, over one HTTP connection. One for each thread: it is not made for two at a time.

    address   where it is; only its host is ever shown
    """

    def __init__(self, address: Address | str, timeout: float = 30) -> None:
        """Nothing is asked yet. `timeout`: seconds for one answer. Raises NodeUnusable where that is no address."""
        self.address = Address.of(address) if isinstance(address, str) else address
        self.timeout = timeout
        parts = urlsplit(self.address.url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._place = (parts.hostname or "", parts.port)
        self._is_tls = parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None
        self.missing: set[str] = set()
        """Methods that it was found not to have."""

    def __repr__(self) -> str:
        return f"<node at {self.address.host}>"

    def close(self) -> None:
        """Ends the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    # ---- asking ----------------------------------------------------------------------------

    def call(self, method: str, *params: Any) -> Any:
        """The result of one request. Raises RpcError where the node refuses, NodeUnusable where it gives no answer."""
        question = rpc.request(method, params)
        return self._result(question, self._asked(question, (method,)))

    def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The results of several requests `(method, params)`, asked in one go, in their order.

        In the place of a request that is refused stands its RpcError. Raises NodeUnusable, and RpcError where the node
        refuses the batch as a whole.
        """
        found: list[Any] = []
        for start in range(0, len(requests), MAX_BATCH):
            found += self._batch(requests[start : start + MAX_BATCH])
        return found

    def _batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        questions = [rpc.request(method, params) for method, params in requests]
        said = self._asked(questions, [method for method, _ in requests])
        if isinstance(said, dict) and said.get("error") is not None:
            raise self._refusal(RpcError("a batch", said["error"]))
        listed = said if isinstance(said, list) else []
        answers = {one["id"]: one for one in listed if isinstance(one, dict) and isinstance(one.get("id"), int)}
        found: list[Any] = []
        for question in questions:
            try:
                found.append(self._result(question, answers.get(question["id"])))
            except RpcError as refusal:
                found.append(refusal)
        return found

    def _result(self, question: dict[str, Any], answer: Any) -> Any:
        try:
            return rpc.result(question, answer)
        except RpcError as refusal:
            raise self._refusal(refusal) from None
        except NodeUnusable as problem:
            raise NodeUnusable(f"{self.address.host} {problem}: is it the RPC address?") from None

    def _refusal(self, refusal: RpcError) -> RpcError:
        """A refusal without what it may tell of the address."""
        refusal.args = (self.address.said(refusal),)
        return refusal

    def _asked(self, body: Any, methods: Sequence[str]) -> Any:
        """What the node answers, as JSON; an idle connection that it dropped is opened once more where that may be."""
        text = json.dumps(body).encode()
        kept = self._connection is not None
        try:
            said = self._within(text)
        except (http.client.RemoteDisconnected, ConnectionError) as problem:
            if not kept or not all(method.startswith(_REPEATABLE) for method in methods):
                raise self._unreachable(problem) from None
            try:
                said = self._within(text)
            except (OSError, http.client.HTTPException, ValueError) as second:
                raise self._unreachable(second) from None
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise self._unreachable(problem) from None
        try:
            if any("trace" in method for method in methods):
                return rpc.parsed(said, DEEPEST)
            return rpc.parsed(said)
        except NodeUnusable as problem:
            raise NodeUnusable(f"{self.address.host} {problem}: is it the RPC address?") from None

    def _within(self, body: bytes) -> bytes:
        """The body of an answer, in time; a connection that did not give a whole one is closed."""
        try:
            return rpc.within(self.timeout, lambda: self._post(body), self.address)
        except BaseException:
            self.close()
            raise

    def _post(self, body: bytes) -> bytes:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._opened()
        connection.request("POST", self._path, body, dict(self.address.headers))
        response = connection.getresponse()
        if response.status != 200:
            raise NodeUnusable(rpc.status_problem(self.address, response.status))
        said = response.read(MAX_ANSWER + 1)
        if len(said) > MAX_ANSWER:
            raise NodeUnusable(f"{self.address.host} answers with more than {MAX_ANSWER:,} bytes: take another node")
        return said

    def _opened(self) -> http.client.HTTPConnection:
        host, port = self._place
        if self._is_tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)
        return http.client.HTTPConnection(host, port, timeout=self.timeout)

    def _unreachable(self, problem: BaseException) -> NodeUnusable:
        why = rpc.reason(self.address, problem)
        return NodeUnusable(f"{self.address.host} cannot be asked ({why}): is it the RPC address, and does it run?")

    # ---- what it knows -----------------------------------------------------------------------

    def read(self, read: Callable[[Any], Any], method: str, *params: Any) -> Any:
        """What `read` makes of the result of a request. Raises as `call`, and NodeUnusable where it raises BadShape."""
        return self.shaped(read, method, self.call(method, *params))

    def shaped(self, read: Callable[[Any], Any], method: str, answer: Any) -> Any:
        """What `read` makes of an answer to `method`. Raises NodeUnusable where it raises BadShape."""
        try:
            return read(answer)
        except (TypeError, ValueError, LookupError, AttributeError) as problem:
            odd = self.address.said(problem) if isinstance(problem, BadShape) else "otherwise than a node does"
            raise NodeUnusable(f"{self.address.host} answers {method} {odd}: take another node") from None

    def chain_id(self) -> int:
        """The ID of its chain."""
        return self.read(number, "eth_chainId")

    def block(self, which: int | str, full: bool = False) -> Block | None:
        """A block by its number, its hash, or a tag such as "latest" (not "pending"); None where it has none.

        `full`: with its transactions, else with their hashes. Raises as `call`, and NodeUnusable where it answers with
        another block.
        """
        by_hash = isinstance(which, str) and which.startswith("0x")
        method = "eth_getBlockByHash" if by_hash else "eth_getBlockByNumber"
        answer = self.call(method, hex(which) if isinstance(which, int) else which, full)
        if answer is None:
            return None
        block = self.shaped(lambda found: block_of(found, full), method, answer)
        if which not in (block.number, block.hash) and (by_hash or isinstance(which, int)):
            raise NodeUnusable(f"{self.address.host} answers {method} with another block: take another node")
        return block

    def receipts(self, block: Block) -> list[Receipt]:
        """The receipts of a block's transactions, in their order.

        Raises as `call`; BlockGone where the node has another block in its place by now.
        """
        hashes = block.hashes
        if not hashes:
            return []
        listed = self.if_there(block, "eth_getBlockReceipts", block.hash)
        if listed is None:
            listed = self.batch([("eth_getTransactionReceipt", [each]) for each in hashes])
            for each in listed:
                if isinstance(each, RpcError):
                    raise each
        if None in listed:
            raise self.gone(block)
        found = self.shaped(lambda all_: [receipt_of(each) for each in all_], "eth_getBlockReceipts", listed)
        if any(receipt.block_hash != block.hash for receipt in found):
            raise self.gone(block)
        if tuple(receipt.transaction_hash for receipt in found) != hashes:
            raise NodeUnusable(f"{self.address.host} gives receipts of other transactions: take another node")
        return found

    def if_there(self, block: Block, method: str, *params: Any) -> list[Any] | None:
        """The list that a method answers about a block; None where the node does not have the method.

        Raises as `call`; BlockGone where it does not know the block.
        """
        if method in self.missing:
            return None
        try:
            found = self.call(method, *params)
        except RpcError as refusal:
            if self.is_missing(refusal):
                self.missing.add(method)
                return None
            raise self.told(refusal, block.hash) from None
        if found is None:
            raise self.gone(block)
        if not isinstance(found, list):
            raise NodeUnusable(f"{self.address.host} answers {method} with no list: take another node")
        return found

    @staticmethod
    def is_missing(refusal: RpcError) -> bool:
        """Whether a node says that it does not have that method."""
        return refusal.code in (-32601, -32004) or _NO_METHOD.search(str(refusal)) is not None

    def gone(self, block: Block) -> BlockGone:
        """That a node has another block in the place of one."""
        return BlockGone(f"{self.address.host} has another block in the place of {block.number} {block.hash}")

    def view(self, to: str, data: bytes, block: str = "latest", sender: str | None = None, value: int = 0) -> bytes:
        """What a call answers, of which nothing stays, at the end of the block of that tag or hash.

        Raises as `call`; Reverted where the contract refuses; BlockGone where the node does not know the block.
        """
        question = {"to": to, "data": "0x" + data.hex()}
        question |= {"from": sender} if sender else {}
        question |= {"value": hex(value)} if value else {}
        try:
            return self.read(data_of, "eth_call", question, block_parameter(block))
        except RpcError as refusal:
            raise self.told(refusal, block) from None

    def views(self, asked: Sequence[tuple[str, bytes]], block: str = "latest") -> list[bytes | Reverted]:
        """What several calls `(to, data)` answer, in one go; see `view`. A contract's refusal stands in its place."""
        place = block_parameter(block)
        answers = self.batch(
            [("eth_call", ({"to": to, "data": "0x" + data.hex()}, place)) for to, data in asked],
        )
        found: list[bytes | Reverted] = []
        for answer in answers:
            if isinstance(answer, RpcError):
                problem = self.told(answer, block)
                if not isinstance(problem, Reverted):
                    raise problem
                found.append(problem)
            else:
                found.append(self.shaped(data_of, "eth_call", answer))
        return found

    def told(self, refusal: RpcError, block: str = "latest") -> Exception:
        """What a refusal to play a call means: Reverted, BlockGone, or the refusal itself."""
        said = str(refusal).lower()
        if refusal.code == 3 or "revert" in said:
            return Reverted(_revert_data(refusal.data), str(refusal))
        if block.startswith("0x") and (refusal.code == -32001 or _NO_BLOCK.search(said)):
            return BlockGone(f"{self.address.host} does not know block {block}")
        return refusal

    def traces(self, block: Block) -> list[CallFrame] | None:
        """The outermost call of each transaction of a block, with all inside; None where the node tells no traces.

        Raises as `call`; BlockGone where the node has another block in its place by now.
        """
        return traces_of(self, block)


def block_parameter(block: str) -> Any:
    """How a node is told which block is meant: a tag as it is, a hash by EIP-1898."""
    return {"blockHash": block} if len(block) == 66 else block


def _revert_data(data: Any) -> bytes:
    """What a contract said as it reverted: geth and anvil hand it on as `data`, hardhat inside of it."""
    if isinstance(data, dict):
        data = data.get("data") or data.get("result")
    if isinstance(data, str):
        # Parity's word for it.
        data = data.removeprefix("Reverted ")
    try:
        return data_of(data)
    except BadShape:
        return b""
