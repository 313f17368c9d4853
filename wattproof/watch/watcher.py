"""The watcher of one market: takes its blocks one by one, checks each, and stores what it found, all or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from wattproof.chain.market import ChainMarket, NotTheMarket
from wattproof.chain.node import Block, BlockGone, NodeUnusable, RpcError
from wattproof.store.database import MarketStore
from wattproof.store.problems import Conflict, StoreUnusable, TooDeep
from wattproof.store.records import Alarm, BlockRef
from wattproof.watch.alarms import Alarms
from wattproof.watch.checker import Checked, Checker, Standing
from wattproof.watch.follower import Behind, Follower, Inconsistent, Next, Reorganised
from wattproof.watch.rebuilding import caught_up, kept, rebuilt

PAUSES = (0.2, 10.0)
"""Seconds to wait after a node's first failure, and at most; each pause is twice the one before."""

POLL = 0.5
"""Seconds between two looks for a new block."""

SNAPSHOT_CALLS = 2_000
"""So many calls come between two snapshots: what a restart makes again at most, in about two seconds."""

REPORT = 5.0
"""Seconds between two lines that tell how far behind the watcher is."""


@dataclass
class Options:
    """How a market is watched.

    until           the last block that is taken; None: no end
    confirmations   so many blocks must come after one before it is taken
    keep_going      whether the watch goes on after an alarm
    full_every      everything that the model knows is compared in every so manieth block
    """

    until: int | None = None
    confirmations: int = 0
    keep_going: bool = False
    full_every: int = 1_000


@dataclass
class Progress:
    """How far a watcher has come, since it began: blocks and calls, and what was taken from the chain unseen."""

    began: float = field(default_factory=time.monotonic)
    blocks: int = 0
    calls: int = 0
    unseen: int = 0


class Watcher:
    """Watches one market.

    stopped   asked between two blocks; whether to end
    say       takes each line for the operator
    """

    def __init__(
        self,
        market: ChainMarket,
        store: MarketStore,
        options: Options,
        alarms: Alarms,
        say: Callable[[str], object],
        stopped: Callable[[float], bool],
    ) -> None:
        self._market, self._store, self._options, self._alarms = market, store, options, alarms
        self._say, self._stopped = say, stopped
        self._follower = Follower(market, store.hash_of, options.confirmations)
        self._checker: Checker | None = None
        self._since_snapshot = 0
        self._told = 0.0
        self._has_arrived = False
        self.progress = Progress()

    def run(self) -> int:
        """Watches until it is stopped or has come to its last block.

        Returns 0, or 3 after an alarm. Raises a `StoreProblem`, Unfit, and NotTheMarket at the start.
        """
        pause, checked = PAUSES[0], False
        while not self._stopped(0):
            try:
                if not checked:
                    self._market.check()
                    self._start()
                    checked = True
                done = self._step()
            except (NodeUnusable, RpcError, BlockGone, Inconsistent, NotTheMarket, StoreUnusable) as problem:
                if isinstance(problem, NotTheMarket) and self.progress.blocks == 0 and pause == PAUSES[0]:
                    raise
                if self._checker is not None and self._checker.is_spoilt:
                    self._checker = None
                checked = False
                self._say(f"{problem}; asked again in {pause:g} s")
                self._stopped(pause)
                pause = min(2 * pause, PAUSES[1])
                continue
            pause = PAUSES[0]
            if done is not None:
                return done
        return 0

    # ---- one step ------------------------------------------------------------------------------

    def _start(self) -> None:
        """Remembers what was watched, where it is not known."""
        cursor = self._store.cursor()
        checker = self._checker
        if checker is not None and checker.standing.block == cursor:
            return
        if checker is None or not caught_up(checker.standing, self._store, self._market, cursor):
            self._checker = Checker(self._market, rebuilt(self._store, self._market, cursor))
            if self._standing.broken is not None:
                self._say(
                    f"market and terms differ since block {self._standing.broken}: the lockstep stands still, what can "
                    "be told from the state alone is checked"
                )

    @property
    def _standing(self) -> Standing:
        assert self._checker is not None
        return self._checker.standing

    def _step(self) -> int | None:
        """Does what is next; returns an exit code where that is the end."""
        if self._standing.broken is not None and not self._options.keep_going:
            self._say("end: --keep-going goes on with what can be told from the state alone")
            return 3
        cursor = self._standing.block
        if self._store.cursor() != cursor:  # Another watcher was quicker, or has rolled back.
            self._start()
            cursor = self._standing.block
        match self._follower.look(cursor, self._options.until):
            case Reorganised(ancestor):
                self._roll_back(cursor, ancestor)
            case Next(block, head):
                return self._take(block, head)
            case Behind(head):
                self._store.seen_head(head)
                reached = cursor.number if cursor else self._market.record.block.number - 1
                if self._options.until is not None and reached >= self._options.until:
                    self._report(head, always=True)
                    return 0
                self._report(head, always=not self._has_arrived)
                self._has_arrived = True
                self._stopped(POLL)
        return None

    def _roll_back(self, cursor: BlockRef | None, ancestor: int | None) -> None:
        assert cursor is not None
        to = None if ancestor is None else self._store.block(ancestor)
        try:
            self._store.rollback(to)
        except TooDeep:
            self._store.rebuild(to)
        self._checker = None
        self._say(f"the chain was reorganised: back from block {cursor.number} to {ancestor or 'the start'}")
        self._start()

    def _take(self, block: Block, head: BlockRef) -> int | None:
        assert self._checker is not None
        node = self._market.node
        receipts = node.receipts(block)
        traces = node.traces(block) if block.transactions else []
        full = block.number % self._options.full_every == 0
        before = self._standing.broken
        checked = self._checker.check(block, receipts, traces, full)
        alarms = self._alarms.of(checked, self._market, self._store, before)
        if not self._append(checked, alarms, head, before):
            return None
        self._count(checked)
        self._report(head)
        for alarm in alarms:
            self._alarms.raise_(alarm, checked.watched.block, self._market.record.market)
        return 3 if alarms and not self._options.keep_going else None

    def _append(self, checked: Checked, alarms: Iterable[Alarm], head: BlockRef, before: int | None) -> bool:
        """Stores a block; returns False where another watcher was quicker."""
        standing = self._standing
        watched = replace(checked.watched, alarms=tuple(alarms))
        self._since_snapshot += len(watched.calls)
        due = self._since_snapshot >= SNAPSHOT_CALLS or standing.broken is not None
        if due and (watched.calls or before != standing.broken):
            watched = replace(watched, snapshot=kept(standing))
        try:
            self._store.append(watched, head)
        except Conflict:
            self._start()
            return False
        if watched.snapshot is not None:
            self._since_snapshot = 0
        return True

    # ---- what it says ------------------------------------------------------------------------------

    def _count(self, checked: Checked) -> None:
        self.progress.blocks += 1
        self.progress.calls += len(checked.watched.calls)
        for line in checked.unseen:
            self.progress.unseen += 1
            self._say(f"block {checked.watched.block.number}: not seen by the model: {line}")

    def _report(self, head: BlockRef, always: bool = False) -> None:
        now, at = time.monotonic(), self._standing.block
        if at is None or not (always or now - self._told >= REPORT):
            return
        self._told = now
        progress, seconds = self.progress, max(now - self.progress.began, 0.001)
        self._say(
            f"block {at.number}, {head.number - at.number} behind; {progress.calls} calls in {progress.blocks} blocks "
            f"compared since the start, {progress.calls / seconds:.0f} a second"
        )
