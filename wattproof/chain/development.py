"""A development node: its blocks are made to order, at seconds of one's own, and its ether is given away.

anvil, hardhat and the embedded chain are such nodes; the clock of a real chain cannot be moved.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from wattproof.chain.answers import Block, number
from wattproof.chain.node import Node, NodeUnusable, RpcError

_SET_BALANCE = ("anvil_setBalance", "hardhat_setBalance", "evm_setAccountBalance")

_GET_AUTOMINE = ("anvil_getAutomine", "hardhat_getAutomine")


def is_development(node: Node) -> bool:
    """Whether a node is one for development. Nothing of it is changed. Raises NodeUnusable."""
    return _makes_blocks(node) is not None


def _makes_blocks(node: Node) -> bool | None:
    """Whether a node makes a block with each transaction; None where it does not say, as no real chain's does."""
    for method in _GET_AUTOMINE:
        try:
            found = node.call(method)
        except RpcError:
            continue
        if isinstance(found, bool):
            return found
    return None


class NotDevelopment(RuntimeError):
    """A node's clock, or its blocks, are not made to order; the message is one line that says what to do."""


class Development:
    """A development node, of which every block is made by `mine` until `release`.

    head   its last block
    """

    def __init__(self, node: Node) -> None:
        """Takes the making of blocks over. Raises NotDevelopment where the clock cannot be set; as `Node.call`."""
        self.node = node
        self.head = self._last()
        try:
            node.call("evm_setNextBlockTimestamp", self.head.timestamp + 1)
        except RpcError as refusal:
            raise NotDevelopment(
                f"{node.address.host}: the clock of this chain cannot be set ({refusal}), so no day can be played in "
                "fast time; `wattproof operate` and `wattproof household` trade on it as time goes by"
            ) from None
        self._made_blocks = self._made_by_itself()
        self._set_balance: str | None = None

    def _made_by_itself(self) -> bool:
        """Stops the node from making blocks with each transaction; returns whether it did."""
        did = _makes_blocks(self.node) is True
        try:
            self.node.call("evm_setAutomine", False)
        except RpcError:
            return False  # Where it goes on, the first block shows it.
        return did

    def release(self) -> None:
        """Lets the node make blocks again, if it did; one that is gone by now has nothing to be told."""
        if self._made_blocks:
            self._made_blocks = False
            with contextlib.suppress(NodeUnusable, RpcError):
                self.node.call("evm_setAutomine", True)

    def mine(self, second: int | None = None) -> Block:
        """Makes a block of what waits, at that second, by default the next; returns it. Raises NotDevelopment."""
        second = self.head.timestamp + 1 if second is None else second
        self.node.call("evm_setNextBlockTimestamp", second)
        self.node.call("evm_mine")
        block = self._last()
        if block.timestamp != second or block.parent != self.head.hash:
            raise NotDevelopment(
                f"{self.node.address.host} makes blocks by itself, or for somebody else, too: start it to make them on "
                "demand only (anvil --no-mining), and play one day at a time"
            )
        self.head = block
        return block

    def give(self, gifts: Mapping[str, int]) -> bool:
        """Gives each account so many wei more; returns False where the node gives none."""
        asked = [("eth_getBalance", (account, "latest")) for account in gifts]
        balances: list[int] = []
        for answer in self.node.batch(asked):
            if isinstance(answer, RpcError):
                raise answer
            balances.append(self.node.shaped(number, "eth_getBalance", answer))
        totals = [
            (account, hex(balance + wei)) for (account, wei), balance in zip(gifts.items(), balances, strict=True)
        ]
        for method in (self._set_balance,) if self._set_balance else _SET_BALANCE:
            answers = self.node.batch([(method, total) for total in totals])
            if not any(isinstance(answer, RpcError) for answer in answers):
                self._set_balance = method
                return True
        return False

    def _last(self) -> Block:
        block = self.node.block("latest")
        if block is None:
            raise NotDevelopment(f"{self.node.address.host} has no block: is it a node?")
        return block
