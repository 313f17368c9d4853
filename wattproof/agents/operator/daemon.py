"""The operator's daemon: with each new block it matches, hands readings in, settles, and warns of what will go
wrong."""

from __future__ import annotations

from collections.abc import Callable

from wattproof.agents.calls import Call
from wattproof.agents.following import Follower
from wattproof.agents.journal import Journal
from wattproof.agents.notices import Notices
from wattproof.agents.operator import warnings
from wattproof.agents.operator.plan import View, match, plan, settle_accounts, settle_quote
from wattproof.agents.outbox import Outbox, Refusal
from wattproof.agents.readings import SignedReading, Spool
from wattproof.chain.accounts import Account
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Block, Reverted
from wattproof.chain.sending import Refused
from wattproof.market.clock import Clock
from wattproof.terms.model import Phase

KEPT_PERIODS = 100
"""Periods for which what is finished is remembered."""

FASTER = (
    "clock: wrong phase",
    "metering: already read",
    "quotes: not matched",
    "quotes: not valid",
    "quotes: unknown quote",
    "settlement: already settled",
    "settlement: quotes still open",
)
"""Refusals that say that somebody else was faster, or the block. Nothing is wrong then."""

NEVER = ("accounts: malformed signature", "accounts: wrong meter", "ecdsa: ")
"""How refusals of a reading begin that stay: who handed it in has to see to it."""

IN_THE_WAY = "positions: earlier not settled"


class Operator:
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
        self.market, self.journal, self.spool = market, journal, spool
        self._account, self._notices, self._say = account, notices, say
        tariff = market.record.tariff
        self.clock = Clock(tariff.period_length, tariff.window)
        self.follower = Follower(market.node, market, journal.noted("bookmark"))
        self.outbox = Outbox(market, account, journal, notices, say)
        self._is_sure, self._is_idle = False, False
        self._queued: list[SignedReading] = []
        self._why: dict[SignedReading, str] = {}

    def lost(self) -> None:
        """The node was away."""
        self._is_sure = False

    def tick(self) -> bool:
        """Looks at the chain and at the spool once; says whether all that is due is done. Raises as chain.Node, and
        NotTheMarket."""
        again = not self._is_sure
        if again:
            self.market.check()
        moved = self.follower.follow()
        self._is_sure = True
        queued = self._look()
        if moved or again:
            self.outbox.review(self._head, self.follower.rebuilt)
        if moved or again or queued:
            self._is_idle = self._act()
        return self._is_idle

    @property
    def _head(self) -> Block:
        assert self.follower.head is not None, "the chain was not looked at"
        return self.follower.head

    def _act(self) -> bool:
        """Does what is due at this head; says whether nothing is under way and nothing is left."""
        head = self._head
        view = self.view()
        calls = plan(view)
        sent, refusals = self.outbox.post(calls, head)
        more = [call for refusal in refusals for call in self._refused(refusal)]
        if more:
            sent += self.outbox.post({call.keys: call for call in more}.values(), head)[0]
        self._put_away(view)
        warnings.warn(view, self.market, self.outbox, self._notices)
        self.follower.facts.forget(head.timestamp // self.clock.period_length - KEPT_PERIODS)
        idle = not sent and not self.journal.live()
        self._keep(head.number if idle else None)
        return idle

    def view(self) -> View:
        """What is known at this head. Raises as chain.Node."""
        is_owner = self.market.view("owner", block=self._head.hash) == self._account.address
        return View(self.follower.facts, self.clock, self._head.timestamp, is_owner, tuple(self._queued))

    def _keep(self, quiet: int | None) -> None:
        """Notes from which block the next start reads, and at which block nothing was left to do."""
        with self.journal.change():
            for name, value in (("bookmark", self.follower.bookmark()), ("quiet", quiet)):
                if value is not None and self.journal.noted(name) != value:
                    self.journal.note(name, value)

    # ---- readings ------------------------------------------------------------------------

    def _look(self) -> bool:
        """Looks into the spool; says whether something else waits there than before."""
        if self.spool is None:
            return False
        before = self._queued
        for line in self.spool.look():
            self._notices.warn(f"spool {line}", line)
        self._queued = self.spool.readings
        return self._queued != before

    def _put_away(self, view: View) -> None:
        """Puts readings away whose time is over: until then a reorganisation may take them back."""
        over = [one for one in self._queued if view.phase(one.period) in (Phase.SETTLING, Phase.CLOSING)]
        if not over or self.spool is None:
            return
        lens = self.market.lens
        asked = [(lens.address, lens.data("reading", one.user, one.period)) for one in over]
        for one, answer in zip(over, self.market.node.views(asked, self._head.hash), strict=True):
            if isinstance(answer, Reverted):
                raise answer
            if lens.interface.functions["reading"].decode(answer).present:
                self.spool.done([one])
            else:
                why = self._why.get(one, "it was not handed in in time")
                for line in self.spool.late(one, f"METERING of period {one.period} is over: {why}"):
                    self._notices.warn(f"spool {line}", line)
            self._why.pop(one, None)
        self._queued = self.spool.readings

    # ---- refusals ------------------------------------------------------------------------

    def _refused(self, refusal: Refusal) -> list[Call]:
        """What is to be called first, where the chain would refuse something; warns of what nobody else has done."""
        if refusal.call.function == "submit_readings":
            return [] if refusal.place is None else self._left_out(refusal.call, refusal.place)
        if refusal.place is None and refusal.reason not in FASTER:
            cause = f"refused {refusal.call.keys[0]}"
            self._notices.warn(cause, f"{refusal.call.label}: is refused: {refusal.reason}")
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
                self._notices.warn(f"spool {line}", line)
            self._queued = self.spool.readings
        elif reason == IN_THE_WAY:
            return self._clearing(reading.user, reading.period)
        elif reason not in FASTER:
            whose = f"the reading of {reading.user} for period {reading.period}"
            self._notices.warn(f"reading {reading.user} {reading.period}", f"{whose} is refused: {reason}")
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
