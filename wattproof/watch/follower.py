"""The blocks of a chain, one after the other, for whoever stores them: by number, each on the one before.

Nothing is taken for sure because it was once answered: a block is taken if its parent is the last one stored; receipts,
traces and views are asked for by its hash. Where the chain has left the stored blocks, it is followed down to the last
block that both have.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Block
from wattproof.store.records import BlockRef

_FRESH = 1.0
"""Seconds for which the newest block is not asked for again while others are to be taken."""


class Inconsistent(RuntimeError):
    """A node's answers do not fit together just now: ask again. One line."""


@dataclass(frozen=True)
class Behind:
    """Nothing is to be done: the chain's newest block is `head`, and all that may be taken is."""

    head: BlockRef


@dataclass(frozen=True)
class Reorganised:
    """The chain has left the stored blocks: `ancestor` is the last that both have; None: not even the first."""

    ancestor: int | None


@dataclass(frozen=True)
class Next:
    """The block to be taken, and the chain's newest one."""

    block: Block
    head: BlockRef


class Follower:
    """Follows one chain.

    known           the hash of the stored block of a number, None where there is none
    confirmations   so many blocks must come after one before it is taken
    """

    def __init__(self, market: ChainMarket, known: Callable[[int], str | None], confirmations: int = 0) -> None:
        self._node, self._first, self._known = market.node, market.record.block.number, known
        self._market, self._confirmations = market, confirmations
        self._head: Block | None = None
        self._asked = 0.0

    def look(self, cursor: BlockRef | None, until: int | None) -> Behind | Reorganised | Next:
        """What is to be done after the block of `cursor`. Raises as `Node.call`, NotTheMarket, and Inconsistent."""
        wanted = self._first if cursor is None else cursor.number + 1
        head = self._newest(wanted)
        last = head.number - self._confirmations
        ref = BlockRef(head.number, head.hash, head.parent, head.timestamp)
        if cursor is not None and head.number <= cursor.number and head.hash != self._known(head.number):
            return self._left(cursor, min(cursor.number, head.number))
        if wanted > last or (until is not None and wanted > until):
            return Behind(ref)
        block = self._node.block(wanted, full=True)
        if block is None:
            host = self._node.address.host
            raise Inconsistent(f"{host} says it has {head.number} blocks, and does not give {wanted}")
        if cursor is not None and block.parent != cursor.hash:
            return self._left(cursor, cursor.number)
        if cursor is None and block.hash != self._market.record.block.hash:
            # The record's block is no more: the market may stand all the same.
            self._market.check()
        return Next(block, ref)

    def _newest(self, wanted: int) -> Block:
        """The chain's newest block; where many are still to be taken, as it was a moment ago."""
        now = time.monotonic()
        if self._head is None or wanted > self._head.number - self._confirmations or now - self._asked > _FRESH:
            self._head, self._asked = self._node.block("latest"), now
        if self._head is None:
            raise Inconsistent(f"{self._node.address.host} does not know its newest block")
        return self._head

    def _left(self, cursor: BlockRef, start: int) -> Reorganised:
        """Down to the last block that chain and store have in common, if the chain is still the market's."""
        self._market.check()
        number = start
        while number >= self._first:
            block = self._node.block(number)
            if block is None:
                raise Inconsistent(f"{self._node.address.host} does not give block {number}")
            if block.hash == self._known(number):
                break
            number -= 1
        if number == cursor.number:
            raise Inconsistent(f"{self._node.address.host} gives block {number + 1} of another chain than {number}")
        return Reorganised(number if number >= self._first else None)
