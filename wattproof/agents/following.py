"""Follows the head of a chain, and takes down what a market's events say.

After a reorganisation what was taken down is read anew, from before all that is unfinished; so what vanished is to be
done again, and nothing has to be undone.
"""

from __future__ import annotations

from typing import Any

from wattproof.agents.facts import Facts
from wattproof.chain.answers import BadShape, field, log_of, number
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Block, Log, Node, RpcError

MARGIN = 64
"""Blocks below the head at which a bookmark is laid: after a deeper reorganisation all is read from the beginning."""

_MOST_BLOCKS = 5_000
"""Blocks whose logs are asked for at once: some nodes tell of no more."""

_NO_METHOD = -32601


class Moved(RuntimeError):
    """The chain went another way while it was read: ask again."""


class Follower:
    """What a market's events say, up to the newest block that the node told of.

    facts     of all that is unfinished
    head      the newest block that was read; None at first
    rebuilt   whether all was read anew as `follow` was called last
    """

    def __init__(self, node: Node, market: ChainMarket, bookmark: Any = None) -> None:
        """`bookmark` is what an earlier one said by `bookmark()`; None: the market's beginning. Nothing is asked."""
        self.node, self.market = node, market
        self.facts = Facts()
        self.head: Block | None = None
        self.rebuilt = False
        self._bookmark: Any = bookmark
        self._receipts_only = False

    def follow(self) -> bool:
        """Reads on to the newest block; says whether that is another one than before.

        Raises as `Node.call`, node.BlockGone, and Moved; what was known before is known then.
        """
        newest = self._block("latest")
        self.rebuilt = False
        if self.head is not None and newest.hash == self.head.hash:
            return False
        if self.head is not None and self._is_there(self.head.number, self.head.hash, newest):
            logs = self._logs(self.head.number + 1, newest.number)
            facts = self.facts
        else:
            logs = self._logs(self._start(newest), newest.number)
            facts = Facts()
        if not self._is_there(newest.number, newest.hash, newest):
            raise Moved("the chain went another way while it was read")
        self.rebuilt = facts is not self.facts
        for block, log in logs:
            if (event := self.market.event(log)) is not None:
                facts.enter(block, *event)
        self.facts, self.head = facts, newest
        return True

    def bookmark(self) -> list[Any]:
        """Number and hash of a block from which on another one may read. Raises as `Node.call`."""
        head = self.head
        if head is None:
            return self._bookmark
        at = max(min(self.facts.bookmark(head.number), head.number - MARGIN), self.market.record.block.number)
        if self._bookmark is None or at != self._bookmark[0]:
            self._bookmark = [at, self._block(at).hash]
        return self._bookmark

    def _start(self, newest: Block) -> int:
        """The first block that has to be read."""
        if self._bookmark is not None and self._is_there(self._bookmark[0], self._bookmark[1], newest):
            return self._bookmark[0] + 1
        self._bookmark = None
        return self.market.record.block.number

    def _is_there(self, at: int, found: str, newest: Block) -> bool:
        """Whether the block of a number has that hash still."""
        if at > newest.number:
            return False
        block = self.node.block(at)
        return block is not None and block.hash == found

    def _block(self, which: int | str) -> Block:
        block = self.node.block(which)
        if block is None:
            raise Moved(f"the node has no block {which}")
        return block

    def _logs(self, first: int, last: int) -> list[tuple[int, Log]]:
        """The market's logs from one block to another, with the numbers of their blocks."""
        found: list[tuple[int, Log]] = []
        at, step = first, _MOST_BLOCKS
        while at <= last:
            until = min(last, at + step - 1)
            try:
                found += self._of_range(at, until)
            except RpcError as refusal:
                if refusal.code == _NO_METHOD and not self._receipts_only:
                    self._receipts_only = True
                elif at == until:
                    raise
                else:  # Nodes bound how many blocks, or how many logs, they tell of at once.
                    step = (until - at + 1) // 2
                continue
            at = until + 1
        return found

    def _of_range(self, first: int, last: int) -> list[tuple[int, Log]]:
        if self._receipts_only:
            return self._of_receipts(first, last)
        asked = {"address": self.market.address, "fromBlock": hex(first), "toBlock": hex(last)}
        return self.node.read(
            lambda logs: [(number(field(log, "blockNumber"), "blockNumber"), log_of(log)) for log in _listed(logs)],
            "eth_getLogs",
            asked,
        )

    def _of_receipts(self, first: int, last: int) -> list[tuple[int, Log]]:
        return [
            (at, log)
            for at in range(first, last + 1)
            for receipt in self.node.receipts(self._block(at))
            for log in receipt.logs
            if log.address == self.market.address
        ]


def _listed(logs: Any) -> list[Any]:
    """The logs in an answer. Raises BadShape where it is no list: that is not the same as none."""
    if not isinstance(logs, list):
        raise BadShape("with no list")
    return logs
