"""A household's agent: with each new block it quotes, bids, opens, buys, reports and keeps its money in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wattproof.agents.agent import PASSING, ChainAgent
from wattproof.agents.calls import Call
from wattproof.agents.household import decisions as decided
from wattproof.agents.household.decisions import Decisions, Withdrawal
from wattproof.agents.household.meters import Meter
from wattproof.agents.household.plan import View, decide, needed, plan, unmeasured
from wattproof.agents.household.tables import BadTable, Forecast, Measured, Table
from wattproof.agents.journal import MINED, REFUSED, Journal
from wattproof.agents.notices import Notices
from wattproof.agents.outbox import Refusal
from wattproof.agents.problems import AgentProblem
from wattproof.agents.readings import BadReading
from wattproof.agents.spooling import put_away
from wattproof.chain.accounts import Account
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Reverted
from wattproof.terms.model import ZERO_ADDRESS

DAY = 86_400

_PERIODS_KEPT = 10
"""Half-hours at the price of the grid that are kept in the market where nothing else is said."""


class NotRegistered(AgentProblem):
    """The household cannot take part."""


class Household(ChainAgent):
    """A household of one user. `say` shows a line of what was done.

    profile   with which it registers, where it is not registered yet; None: it does not
    keep      the most free money that it keeps in the market, in base units; None: by its capacity
    """

    def __init__(
        self,
        market: ChainMarket,
        account: Account,
        journal: Journal,
        meter: Meter,
        forecasts: Table[Forecast],
        notices: Notices,
        say: Callable[[str], None],
        profile: bytes | None = None,
        keep: int | None = None,
    ) -> None:
        """Nothing is asked yet. Raises BadJournal."""
        super().__init__(market, account, journal, notices, say)
        self.meter, self.forecasts, self.profile, self.keep = meter, forecasts, profile, keep
        self.decisions = Decisions(journal)
        self._requests: list[int] = []

    def look(self) -> bool:
        """Looks at forecasts, readings and requests; says whether there is news."""
        news = False
        for what, look in (("forecasts", self._forecasts), ("meter", self._meter)):
            try:
                news = look() or news
                self.notices.over(what)
            except BadTable as problem:  # It is being mended, perhaps.
                self.notices.warn(what, f"{problem}; what was read before is used")
        requests = [one.id for one in self.decisions.withdrawals(*decided.WAITING)]
        news, self._requests = news or requests != self._requests, requests
        return news

    def _forecasts(self) -> bool:
        return self.forecasts.look()

    def _meter(self) -> bool:
        news, lines = self.meter.look()
        for line in lines:
            self.notices.tell(line)
        return news

    def act(self) -> int:
        """Does what is due at this head; says how many transactions were sent.

        Raises as chain.Node; NotRegistered where the household is not, and is not to.
        """
        self.settle_requests()
        view = self.view()
        self._check_meter(view)
        if view.account.meter == ZERO_ADDRESS:
            calls = [self._registration()]
        else:
            self._decide(view)
            calls = plan(replace(view, bids=self.decisions.bids(view.periods[0])))
        self._warn(view)
        sent, refusals = self.outbox.post(calls, self.head)
        for refusal in refusals:
            self._refused(refusal)
        if self.meter.spool is not None:
            head, facts = self.head, self.follower.facts
            for line in put_away(self.meter.spool, self.market, head.hash, self.clock, head.timestamp, facts, {}):
                self.notices.tell(line)
        return sent

    def view(self) -> View:
        """What is known at this head. Raises as chain.Node."""
        me, record, head = self.account.address, self.market.record, self.head
        lens, token = self.market.lens, self.market.token
        account, tokens, allowed = self._ask(
            (lens, "account", me), (token, "balanceOf", me), (token, "allowance", me, record.market)
        )
        keep = self.keep if self.keep is not None else _PERIODS_KEPT * account.capacity * record.tariff.ssp
        view = View(
            self.follower.facts, self.clock, record.tariff, record.settled_in, record.chain_id, record.market, me,
            head.timestamp,
            account, tokens, allowed, keep, self.forecasts.rows,
        )  # fmt: skip
        readings = self.meter.readings(view.periods)
        soon = [period for period in view.periods if view.quoting(period)]
        a_day = DAY // self.clock.period_length
        demands = self._ask(*((lens, "demand", period - a_day) for period in soon))
        return replace(
            view,
            bids=self.decisions.bids(view.periods[0]),
            readings=readings,
            measured={period: Measured(one.exported, one.imported) for period, one in readings.items()},
            demand=dict(zip(soon, demands, strict=True)),
            withdrawals=tuple(self.decisions.withdrawals(*decided.WAITING)),
            live=frozenset(self.outbox.live_keys()),
        )

    def _ask(self, *asked: tuple) -> list:
        """What several views say at this head, in one go."""
        questions = [(contract.address, contract.data(function, *rest)) for contract, function, *rest in asked]
        answers = self.market.node.views(questions, self.head.hash) if questions else []
        found = []
        for (contract, function, *_), answer in zip(asked, answers, strict=True):
            if isinstance(answer, Reverted):
                raise answer
            found.append(contract.interface.functions[function].decode(answer))
        return found

    def _decide(self, view: View) -> None:
        """Decides what to bid, where it is time, and writes it down before anything is sent."""
        for period in view.periods:
            if view.bidding(period) and not self.decisions.is_decided(period):
                bids = decide(view, period)
                if bids is not None:
                    self.decisions.decide(period, bids)

    # ---- registering ---------------------------------------------------------------------

    def _registration(self) -> Call:
        if self.profile is None:
            raise NotRegistered(
                f"{self.account.address} is not registered: add --register FILE, which holds a commitment to "
                "its personal data"
            )
        meter, signature = self._pairing(self.profile)
        return Call("register", (self.profile, meter, signature), ("register",), f"register with the meter {meter}")

    def _pairing(self, profile: bytes) -> tuple[str, bytes]:
        try:
            return self.meter.pairing(profile)
        except BadReading as problem:
            raise NotRegistered(str(problem)) from None

    def _check_meter(self, view: View) -> None:
        paired, mine = view.account.meter, self.meter.address
        if mine is not None and paired not in (ZERO_ADDRESS, mine):
            raise NotRegistered(
                f"{self.account.address} is registered with the meter {paired}, and this one is {mine}: name its own"
            )

    # ---- money ---------------------------------------------------------------------------

    def settle_requests(self) -> None:
        """What became of the withdrawals that were asked for."""
        for wanted in self.decisions.withdrawals(*decided.WAITING):
            states = {intent.state for intent in self.journal.with_key(wanted.key)}
            if MINED in states:
                self._became(wanted, decided.DONE)
            elif REFUSED in states:
                self._became(wanted, decided.REFUSED)

    def _became(self, wanted: Withdrawal, state: str) -> None:
        """What this agent was asked for while it ran is told with the line of its transaction."""
        self.decisions.mark(wanted, decided.TOLD if wanted.state == decided.ASKED else state)

    def _warn(self, view: View) -> None:
        """Warns of what keeps the household from trading."""
        me, token = view.me, self.market.record.settled_in
        lines = {}
        if view.account.meter != ZERO_ADDRESS and not view.account.authorized:
            lines["state authorised"] = f"{me} {_not_authorised(view)}"
        for period in unmeasured(view):
            lines[f"state measured {period}"] = (
                f"no measured values for period {period} in {self.meter.source}; "
                "who stays silent loses its authorisation"
            )
        wanted, least = needed(view), view.account.balance + view.tokens
        if view.account.capacity and wanted > view.keep:
            lines["state keep"] = f"{token.amount(wanted)} are needed soon, and --keep is {token.amount(view.keep)}"
        elif view.account.capacity and wanted > least:
            lines["state money"] = (
                f"{me} needs {token.amount(wanted)} soon, and has {token.amount(least)}: give it {token.symbol}"
            )
        self.notices.only("state ", lines)

    def _refused(self, refusal: Refusal) -> None:
        """Warns of what the chain would refuse, unless somebody else was faster. Money is on its way, as a rule."""
        call, reason = refusal.call, refusal.reason
        if call.function == "withdraw":
            for wanted in self.decisions.withdrawals(*decided.WAITING):
                if wanted.key in call.keys:
                    self._became(wanted, decided.REFUSED)
            self.notices.warn(call.keys[0], f"{call.label}: is refused: {reason}")
        elif refusal.place is None and reason not in PASSING and not self._comes(reason):
            self.notices.warn(f"refused {call.keys[0]}", f"{call.label}: is refused: {reason}")

    def _comes(self, reason: str) -> bool:
        return reason == "ledger: insufficient balance" and bool({"approve", "deposit"} & self.outbox.live_keys())


def _not_authorised(view: View) -> str:
    """Why it is not, and what is to be done. Who ever was keeps its capacity (T-REG-20)."""
    if not view.account.capacity:
        return "is not authorised: the market's owner has to let it in"
    silent = view.facts.silent.get(view.me)
    why = "was revoked" if silent is None else f"was silent in period {silent}, and so lost its authorisation"
    return f"{why}: the market's owner has to let it in again"
