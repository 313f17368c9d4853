"""What an application serves: one market, its store, maybe a node."""

from __future__ import annotations

import math
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import current_app
from sqlalchemy import Connection

from wattproof.serve.limits import Buckets, Slots
from wattproof.serve.problems import Problem

if TYPE_CHECKING:
    from wattproof.chain.market import ChainMarket
    from wattproof.chain.record import Record
    from wattproof.evm.rpc import Address
    from wattproof.store.database import MarketStore, Store

NO_NODE = "this server was started without a node: start it with --rpc URL, or build the transaction elsewhere"


LOOK = 30.0
"""Seconds after which it is looked again whether the market is at the node: a chain can be started anew behind it."""


@dataclass
class Look:
    """When the next look at the node is due, by time.monotonic()."""

    due: float = -math.inf


@dataclass(frozen=True)
class Served:
    """One market and where to look for it.

    node       None: transactions are neither made nor relayed
    buckets    how often each client may ask
    streams    how many streams there may be at once
    asking     how many requests may wait for the node at once
    look       when it is looked again whether the market is at the node
    stopping   set once the server ends: streams end, too
    """

    store: Store
    market: MarketStore
    record: Record
    node: Address | None
    buckets: Buckets
    streams: Slots
    asking: Slots
    look: Look = field(default_factory=Look)
    stopping: threading.Event = field(default_factory=threading.Event)

    def check(self, market: ChainMarket) -> None:
        """Looks whether the market is at the node, unless it was there a moment ago. Raises as `ChainMarket.check`."""
        now = time.monotonic()
        if now >= self.look.due:
            market.check()
            self.look.due = now + LOOK

    def connect(self) -> AbstractContextManager[Connection]:
        """A connection to the store, for one request."""
        return self.store.reading()

    def node_address(self) -> Address:
        """The node's address. Problem 503 where there is none."""
        if self.node is None:
            raise Problem(503, NO_NODE)
        return self.node


EXTENSION = "wattproof"
"""Under which name an application knows what it serves."""


def served() -> Served:
    """What the application of this request serves."""
    return current_app.extensions[EXTENSION]
