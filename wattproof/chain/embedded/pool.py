"""The transactions that wait for a block."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from eth.vm.forks.cancun.constants import BLOB_TX_TYPE
from eth.vm.forks.prague.transactions import PragueTransactionBuilder

from wattproof.chain.embedded.rules import MOST_GAS, Refused


def decoded(raw: bytes, chain_id: int) -> Any:
    """A signed transaction, whose signature is by its sender. Raises Refused where it is none for this chain."""
    if raw[:1] == bytes([BLOB_TX_TYPE]):
        raise Refused("blob transactions are not taken by this node")
    try:
        transaction = PragueTransactionBuilder.decode(raw)
        its_chain = transaction.chain_id
        transaction.check_signature_validity()
        _ = transaction.sender
    except Exception as problem:
        # py-evm, rlp and eth-keys each have errors of their own for bytes that are no transaction.
        raise Refused(f"failed to decode signed transaction: {_line(problem)}") from None
    if its_chain not in (None, chain_id):
        raise Refused(f"invalid chain id for signer: have {its_chain}, want {chain_id}")
    return transaction


def _line(problem: Exception) -> str:
    return " ".join(f"{type(problem).__name__}: {problem}".split())[:200]


class Pool:
    """Waiting transactions by sender and nonce, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, dict[int, tuple[int, Any]]] = {}
        self._arrivals = itertools.count()

    def add(self, transaction: Any, nonce: int, balance: int) -> None:
        """Takes a decoded transaction; `nonce` and `balance` are its sender's on the chain. Raises Refused."""
        cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
        if transaction.nonce < nonce:
            raise Refused(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
        if transaction.gas > MOST_GAS:
            raise Refused(f"exceeds block gas limit: a transaction takes at most {MOST_GAS} gas here")
        if transaction.gas < transaction.intrinsic_gas:
            raise Refused(f"intrinsic gas too low: gas {transaction.gas}, minimum needed {transaction.intrinsic_gas}")
        if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
            raise Refused("max priority fee per gas higher than max fee per gas")
        if balance < cost:
            raise Refused(f"insufficient funds for gas * price + value: have {balance} want {cost}")
        own = self._waiting.setdefault(transaction.sender, {})
        if (there := own.get(transaction.nonce)) is not None:
            _check_replacement(there[1], transaction)
        own[transaction.nonce] = (next(self._arrivals), transaction)

    def drop(self, transaction: Any) -> None:
        """Takes a transaction out."""
        own = self._waiting.get(transaction.sender, {})
        own.pop(transaction.nonce, None)
        if not own:
            self._waiting.pop(transaction.sender, None)

    def in_order(self, nonce_of: Callable[[bytes], int]) -> _Order:
        """The transactions that a block can take one after the other."""
        return _Order(self._waiting, nonce_of)

    def next_nonce(self, sender: bytes, nonce: int) -> int:
        """The nonce after those that wait without a gap, where `nonce` is the one on the chain."""
        own = self._waiting.get(sender, {})
        while nonce in own:
            nonce += 1
        return nonce

    def find(self, number: bytes) -> Any:
        """The waiting transaction with this hash, None where there is none."""
        return next((one for own in self._waiting.values() for _, one in own.values() if one.hash == number), None)


class _Order:
    """Iterates over transactions, oldest first, each sender's by nonce; `skip` leaves out a sender's others."""

    def __init__(self, waiting: dict[bytes, dict[int, tuple[int, Any]]], nonce_of: Callable[[bytes], int]) -> None:
        self._waiting = {sender: dict(own) for sender, own in waiting.items()}
        self._heap: list[tuple[int, int, bytes]] = []
        self._skipped: set[bytes] = set()
        for sender in self._waiting:
            self._push(sender, nonce_of(sender))

    def _push(self, sender: bytes, nonce: int) -> None:
        if (entry := self._waiting[sender].get(nonce)) is not None:
            heapq.heappush(self._heap, (entry[0], nonce, sender))

    def skip(self, sender: bytes) -> None:
        self._skipped.add(sender)

    def __iter__(self) -> _Order:
        return self

    def __next__(self) -> Any:
        while self._heap:
            _, nonce, sender = heapq.heappop(self._heap)
            if sender in self._skipped:
                continue
            self._push(sender, nonce + 1)
            return self._waiting[sender][nonce][1]
        raise StopIteration


def _check_replacement(there: Any, transaction: Any) -> None:
    if there.hash == transaction.hash:
        raise Refused("already known")
    for fee in ("max_fee_per_gas", "max_priority_fee_per_gas"):
        if getattr(transaction, fee) * 10 < getattr(there, fee) * 11:
            raise Refused("replacement transaction underpriced")
