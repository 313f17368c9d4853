"""The operator's daemon: with each new block it matches, hands readings in, settles, and warns of what will go
wrong."""

from __future__ import annotations

from collections.abc import Callable

from wattproof.agents.agent import PASSING, ChainAgent
from wattproof.agents.calls import Call, match, settle_accounts, settle_quote
from wattproof.agents.journal import Journal
from wattproof.agents.notices import Notices
from wattproof.agents.operator import warnings
from wattproof.agents.operator.plan import View, plan
from wattproof.agents.outbox import Refusal
from wattproof.agents.readings import SignedReading, Spool
from wattproof.agents.spooling import put_away
from wattproof.chain.accounts import Account
from wattproof.chain.market import ChainMarket
from wattproof.chain.sending import Refused

NEVER = ("accounts: malformed signature", "accounts: wrong meter", "ecdsa: ")
"""How refusals of a reading begin that stay: who handed it in has to see to it."""

IN_THE_WAY = "positions: earlier not settled"


class Operator(ChainAgent):
    """The management node. `say` shows a line of what was done."""

    def __init__(
        self,
        market: ChainMarket,
        account: Account,
        journal: Journal,
        spool: Spool | None,
        notices: Notices,
        say: Callable[[str], None],
    ) -> None:
        """Nothing is asked yet."""
        super().__init__(market, account, journal, notices, say)
        self.spool = spool
        self._queued: list[SignedReading] = []
        self._why: dict[SignedReading, str] = {}

    def act(self) -> int:
        """Does what is due at this head; says how many transactions were sent. Raises as chain.Node."""
        view = self.view()
        sent, refusals = self.outbox.post(plan(view), self.head)
        more = [call for refusal in refusals for call in self._refused(refusal)]
        if more:
            sent += self.outbox.post({call.keys: call for call in more}.values(), self.head)[0]
        self._put_away()
        warnings.warn(view, self.market, self.outbox, self.notices)
        return sent

    def view(self) -> View:
        """What is known at this head. Raises as chain.Node."""
        is_owner = self.market.view("owner", block=self.head.hash) == self.account.address
        return View(self.follower.facts, self.clock, self.head.timestamp, is_owner, tuple(self._queued))

    # ---- readings ------------------------------------------------------------------------

    def look(self) -> bool:
        """Looks into the spool; says whether something else waits there than before."""
        if self.spool is None:
            return False
        before = self._queued
        for line in self.spool.look():
            self.notices.tell(line)
        self._queued = self.spool.readings
        return self._queued != before

    def _put_away(self) -> None:
        """Puts readings away whose time is over."""
        if self.spool is not None:
            head, facts = self.head, self.follower.facts
            for line in put_away(self.spool, self.market, head.hash, self.clock, head.timestamp, facts, self._why):
                self.notices.tell(line)
            self._queued = self.spool.readings
            self._why = {one: self._why[one] for one in self._queued if one in self._why}

    # ---- refusals ------------------------------------------------------------------------

    def _refused(self, refusal: Refusal) -> list[Call]:
        """What is to be called first, where the chain would refuse something; warns of what nobody else has done."""
        if refusal.call.function == "submit_readings":
            return [] if refusal.place is None else self._left_out(refusal.call, refusal.place)
        if refusal.place is None and refusal.reason not in PASSING:
            cause = f"refused {refusal.call.keys[0]}"
            self.notices.warn(cause, f"{refusal.call.label}: is refused: {refusal.reason}")
        return []

    def _left_out(self, call: Call, place: int) -> list[Call]:
        """An entry that a batch of readings would leave out: finds out why."""
        period, entries = call.arguments
        user, exported, imported, signature = entries[place]
        reading = SignedReading(self._chain, self.market.address, user, period, exported, imported, signature)
        try:
            self.market.view("submit_reading", user, period, exported, imported, signature)
        except Refused as refused:
            return self._judge(reading, refused.reason)
        return []

    def _judge(self, reading: SignedReading, reason: str) -> list[Call]:
        self._why[reading] = reason
        if reason.startswith(NEVER) and self.spool is not None:
            for line in self.spool.bad(reading, f"the market refuses it: {reason}"):
                self.notices.tell(line)
            self._queued = self.spool.readings
        elif reason == IN_THE_WAY:
            return self._clearing(reading.user, reading.period)
        elif reason not in PASSING:
            whose = f"the reading of {reading.user} for period {reading.period}"
            self.notices.warn(f"reading {reading.user} {reading.period}", f"{whose} is refused: {reason}")
        return []

    def _clearing(self, user: str, period: int) -> list[Call]:
        """The calls that end what is in the way of a user's record (T-PARTY-21)."""
        found = self.market.view("in_the_way", user, period)
        blocked, earlier, to_match, to_settle, others, account = found
        if not blocked:
            return []
        calls = [*map(match, to_match), *map(settle_quote, to_settle)]
        if account and not calls and not others:
            calls.append(settle_accounts(earlier, [user]))
        return calls

    @property
    def _chain(self) -> int:
        return self.market.record.chain_id
