"""How an agent runs: it looks at the chain again and again, and bears a node that is away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from wattproof.agents.following import Moved
from wattproof.agents.notices import Notices
from wattproof.chain.market import NotTheMarket
from wattproof.chain.node import BlockGone, NodeUnusable, Reverted, RpcError
from wattproof.chain.sending import Refused

LONGEST = 60
"""Seconds between two questions to a node that is away, at most."""

PATIENCE = 120
"""Seconds that `--once` waits until the chain has taken what was sent."""


class Agent(Protocol):
    """What looks at the chain, and does what is due."""

    def tick(self) -> bool:
        """Looks once; says whether all that is due is done. Raises as chain.Node."""
        ...

    def lost(self) -> None:
        """The node was away: what it says next may be of another chain."""
        ...


def run(
    agent: Agent, notices: Notices, interval: float, once: bool, patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> int:  # fmt: skip
    """Runs an agent; returns an exit code: with `once` 0 as soon as all that is due is done, 1 where the chain does not
    get there in time; without it never.

    Raises NotTheMarket where that is what the node tells of from the beginning.
    """
    end, pause, seen = time.monotonic() + patience, interval, False
    while True:
        try:
            done = agent.tick()
            notices.over("node", "the node answers again")
            seen, pause = True, interval
        except Moved:
            done = False
        except (NodeUnusable, RpcError, BlockGone, Reverted, Refused, NotTheMarket) as problem:
            if isinstance(problem, NotTheMarket) and not seen:
                raise
            notices.warn("node", f"{problem}; it is asked again and again")
            agent.lost()
            done, pause = False, min(2 * pause, LONGEST)
        if once and (done or time.monotonic() > end):
            if not done:
                notices.warn("once", f"not all was done within {patience:g} s; run it again, nothing is forgotten")
            return 0 if done else 1
        sleep(pause)
