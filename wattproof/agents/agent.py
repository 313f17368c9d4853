"""What operator and household have in common: they follow the head, find out what became of what they sent, and act."""

from __future__ import annotations

import abc
from collections.abc import Callable

from wattproof.agents.calls import FASTER
from wattproof.agents.following import Follower
from wattproof.agents.journal import Journal
from wattproof.agents.notices import Notices
from wattproof.agents.outbox import Outbox
from wattproof.chain.accounts import Account
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Block
from wattproof.market.clock import Clock

KEPT_PERIODS = 100
"""Periods for which what is finished is remembered."""

PASSING = (*FASTER, "clock: wrong phase", "quotes: unknown quote")
"""Refusals that say that somebody else was faster, or the next block. Nothing is wrong then."""


class ChainAgent(abc.ABC):
    """An agent of one account on one market. `say` shows a line of what was done."""

    def __init__(
        self, market: ChainMarket, account: Account, journal: Journal, notices: Notices, say: Callable[[str], None]
    ) -> None:
        """Nothing is asked yet."""
        self.market, self.account, self.journal = market, account, journal
        self.notices, self.say = notices, say
        tariff = market.record.tariff
        self.clock = Clock(tariff.period_length, tariff.window)
        self.follower = Follower(market.node, market, journal.noted("bookmark"))
        self.outbox = Outbox(market, account, journal, notices, say)
        self._is_sure, self._is_idle = False, False

    def lost(self) -> None:
        """The node was away: what it says next may be of another chain."""
        self._is_sure = False

    def tick(self) -> bool:
        """Looks once at the chain, and at what is handed to the agent; says whether all that is due is done.

        Raises as chain.Node, NotTheMarket where the chain is another, and Moved.
        """
        again = not self._is_sure
        if again:
            self.market.check()
        moved = self.follower.follow()
        if self.follower.rebuilt and not again:  # It may have gone back to before the market.
            self.market.check()
        news = self.look()
        self.outbox.is_at_odds = False
        if moved or again:
            self.outbox.review(self.head, self.follower.rebuilt)
        if moved or again or news:
            # Where something goes wrong on the way, all of it is looked at again.
            self._is_sure = self._is_idle = False
            sent = self.act()
            self.follower.facts.forget(self.head.timestamp // self.clock.period_length - KEPT_PERIODS)
            at_odds = self.outbox.is_at_odds
            self._is_idle = not sent and not at_odds and not self.journal.live()
            self._keep()
            self._is_sure = not at_odds
        return self._is_idle

    @abc.abstractmethod
    def look(self) -> bool:
        """Looks at what is handed to the agent; says whether there is news."""

    @abc.abstractmethod
    def act(self) -> int:
        """Does what is due at this head; says how many transactions were sent. Raises as chain.Node."""

    @property
    def head(self) -> Block:
        """The newest block that was read."""
        assert self.follower.head is not None, "the chain was not looked at"
        return self.follower.head

    def _keep(self) -> None:
        """Notes from which block the next start reads, and at which block nothing was left to do."""
        notes = {"bookmark": self.follower.bookmark()} | ({"quiet": self.head.number} if self._is_idle else {})
        with self.journal.change():
            for name, value in notes.items():
                if self.journal.noted(name) != value:
                    self.journal.note(name, value)
