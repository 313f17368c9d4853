"""The base of all machines: actions that move contract and model together, and rules that draw them.

Actions are plain methods; the rules of `MarketMachine` sit on top and draw their arguments from the state, so that most
calls have something to do, and boundary values on purpose. A machine of the ladder subclasses it, adds its invariants
and, where it needs them, rules of its own.
"""

from __future__ import annotations

import functools
import itertools
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from verification.harness import counters, journal, presets
from verification.harness.choices import Choose, drawn
from verification.harness.context import event
from verification.harness.enabled_actions import EnabledActions, edges_ahead
from verification.harness.lockstep import CAPACITY, HOUSEHOLDS, MAX_CAPACITY, NEWCOMER, STRANGER, Lockstep
from wattproof.market.symbolic import salt_of
from wattproof.market.trace import Call, Outcome
from wattproof.terms.model import Phase, QuoteStatus

PERIODS = 2
"""Delivery periods in play at a time: neighbours, so that their phases overlap."""

EVERYBODY = (*HOUSEHOLDS, "owner", "supplier", STRANGER, NEWCOMER)


WITHDRAWALS = ("withdraw", "withdraw_at_least")
PAYMENTS = ("deposit", *WITHDRAWALS)
"""The calls by which tokens come into the market or leave it."""


def brought_in(function: str, args: tuple[Any, ...]) -> int:
    """What the caller of an accepted call brought into the market, in base units; below 0: took out of it.

    For a token that moves exactly what it is asked to; what a withdrawal debits is its first argument.
    """
    if function not in PAYMENTS:
        return 0
    return -args[0] if function in WITHDRAWALS else args[0]


def payment(function: str, amount: int) -> tuple[int, ...]:
    """The arguments of a call of `PAYMENTS` that is to move exactly `amount` base units."""
    return (amount, amount) if function == "withdraw_at_least" else (amount,)


Decide = Callable[[Choose], Call]
"""A decision on a call."""


def step(method: Callable[..., None]) -> Callable[..., None]:
    """Notes the calls of a rule, so that a history that failed can be written down as its steps."""

    @functools.wraps(method)
    def noted(self: Any, **arguments: Any) -> None:
        self.steps.append((method.__name__, arguments))
        lockstep = getattr(self, "lockstep", None)
        self.starts.append(0 if lockstep is None else len(lockstep.trace))
        journal.step(len(self.steps), method.__name__, arguments, None if lockstep is None else lockstep.trace.scene)
        method(self, **arguments)

    return noted


def move(
    decide: Callable[[Any, Choose], Call], most: int = 1, when: Callable[[Any], bool] = lambda machine: True
) -> Callable[[Callable[[Any, Call], None]], Any]:
    """Makes a rule of a method of a machine, which says what it is for: the call that `decide` draws is carried out.

    Args:
        most: at most one in so many moves of a history is such a one.
        when: whether there is something to do for it.
    """

    def made(method: Callable[[Any, Call], None]) -> Any:
        name = method.__name__

        @step
        @functools.wraps(method)
        def carried_out(self: MarketMachine, call: Call) -> None:
            self.moves[name] += 1
            self.perform(call)

        def allowed(self: MarketMachine) -> bool:
            return self.begun and self.moves[name] * most <= self.moves.total() and when(self)

        return precondition(allowed)(rule(call=drawn(decide))(carried_out))

    return made


def volume_edges(most: int) -> list[int]:
    """Volumes in Wh at which something may go wrong: the least and the most, their neighbours, the half."""
    return sorted({wh for wh in (1, 2, 3, 7, most // 2, most - 1, most) if 1 <= wh <= most})


def around(*values: int) -> list[int]:
    """Each value and its two neighbours, as far as they are not negative."""
    return sorted({max(value + step, 0) for value in values for step in (-1, 0, 1)})


def edge_exports(volume: int, sold: int) -> list[int]:
    """Exports at which something changes for a quote: nothing, all that was sold or quoted, 95 % and 105 %."""
    return around(0, sold, volume, -(-95 * volume // 100), 105 * volume // 100, sold // 2)


class MarketMachine(RuleBasedStateMachine):
    """Random histories of a market, in lockstep with the model. Subclasses add what they watch for."""

    preset_names: tuple[str, ...] = ("fresh",)
    """Where a history may begin; see `presets`."""

    strict = False
    """Whether a disagreement with the model ends a history at once, or only when the machine's own invariants held."""

    def __init__(self) -> None:
        super().__init__()
        self.lockstep: Lockstep = None  # type: ignore[assignment]
        self.sealed: dict[tuple[int, str], tuple[int, int]] = {}
        self.steps: list[tuple[str, dict[str, Any]]] = []
        self.starts: list[int] = []
        """How long the trace was when each step began."""
        self.moves: Counter[str] = Counter()
        self._enabled: EnabledActions | None = None
        self._branch: Any = None
        self._branched_at = 0
        self._pending = 0
        self._since = time.process_time_ns()
        counters.begin_example()
        counters.tallies["histories"] += 1
        counters.tallies[f"histories of {type(self).__name__}"] += 1

    # ---- life of a history -------------------------------------------------------------

    @initialize(preset=drawn(lambda self, choose: choose.one(self.preset_names)))
    @step
    def begin(self, preset: str) -> None:
        """Branches off a prepared market; what happens from here on is undone at the end."""
        self.branch_off(preset)

    def branch_off(self, preset: str) -> None:
        """Begins the history in that preset."""
        event(f"preset: {preset}")
        counters.tallies[f"preset {preset}"] += 1
        before = time.process_time_ns()
        market = presets.prepared(preset)
        self._since += time.process_time_ns() - before  # A preset is played once, for all histories of a process.
        self._branch = market.branch()
        self.lockstep = counters.harness = self._branch.__enter__()
        self._branched_at = len(self.lockstep.calls)
        self.lockstep.machine = type(self).__name__
        self.lockstep.strict = self.strict
        self.sealed = dict(self.lockstep.sealed)
        first = self.lockstep.next_period()
        for period in range(first, first + PERIODS):
            self.lockstep.watch(period)
        self.opened()

    def opened(self) -> None:
        """Called once the market of this history is there; for subclasses."""

    def teardown(self) -> None:
        """Compares the whole state once more, unless something failed already, and undoes the history."""
        counters.tallies["microseconds"] += (time.process_time_ns() - self._since) // 1000
        failed = sys.exception()
        if failed is not None and not isinstance(failed, UnsatisfiedAssumption):
            self.failed(failed)
        if self._branch is None:
            return
        counters.lengths[str(len(self.lockstep.calls) - self._branched_at)] += 1
        try:
            # What failed first is what is told; a history that was cut short has no end to look at.
            if not isinstance(sys.exception(), AssertionError | UnsatisfiedAssumption):
                self.judge_end()
        except AssertionError as failure:
            self.failed(failure)
            raise
        finally:
            self._branch.__exit__(None, None, None)
            self._branch = None

    def judge_end(self) -> None:
        """What is judged at the end of a history."""
        self.compare(everything=True)
        self.closed()
        self.lockstep.agreed()

    def failed(self, failure: BaseException) -> None:
        """Tells with a failure what led to it."""
        failure.steps, failure.starts = list(self.steps), list(self.starts)  # type: ignore[attr-defined]
        if self.lockstep is not None:
            counters.tell(failure, self.lockstep.trace)

    def closed(self) -> None:
        """Called at the end of a history that did not fail; for subclasses."""

    # ---- actions: chain and model together -----------------------------------------------

    def do(self, function: str, *args: Any, sender: str) -> Outcome:
        """One call of contract and model, compared; then the whole state, if it was accepted."""
        counters.tallies["steps"] += 1
        try:
            outcome = self.act(function, args, sender)
        except AssertionError as failure:
            self.failed(failure)
            raise
        event(f"{function}: {'accepted' if outcome.accepted else 'refused'}")
        self._pending += 1
        if outcome.accepted and self._pending >= presets.compare_every():
            self.compare()
        return outcome

    def compare(self, everything: bool = False) -> None:
        """Compares the whole state with the model's; what is over only where `everything` is."""
        self._pending = 0
        if not Lockstep.comparing:
            return
        try:
            self.lockstep.compare(everything)
        except AssertionError as failure:
            self.failed(failure)
            raise

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """The call itself; subclasses look at the state before and after it, with `observe`."""
        return self.lockstep.call(function, *args, sender=sender)

    def bid(self, quote_id: int, bidder: str, price: int, volume: int) -> Outcome:
        """`bidder` seals a bid; what is in it is remembered for the reveal."""
        seal = self.lockstep.seal(quote_id, bidder, price, volume)
        outcome = self.do("submit_bid", quote_id, seal, sender=bidder)
        if outcome.accepted:
            self.sealed[quote_id, bidder] = (price, volume)
        return outcome

    def read(self, name: str, period: int, exported: int, imported: int, **other: Any) -> Outcome:
        """A reading of a household is handed in by a stranger; `other` as in `Lockstep.reading`."""
        return self.do(
            "submit_reading", *self.lockstep.report(name, period, exported, imported, **other), sender=STRANGER
        )

    @property
    def enabled(self) -> EnabledActions:
        """What there is to do just now."""
        if self._enabled is None or not self._enabled.holds_for(self.lockstep, self.sealed):
            self._enabled = EnabledActions(self.lockstep, self.sealed)
        return self._enabled

    # ---- rules: what a history is made of ------------------------------------------------
    #
    # Hypothesis switches some of a machine's rules off in each history. A trade needs many different steps in a row: so
    # there is one rule for each kind of move, not for each step, and a trade that has to wait lets time pass by itself.
    # A history in which nothing could trade is given up: what is not a trade is allowed a share of the moves only.

    @property
    def begun(self) -> bool:
        """Whether there is a market yet."""
        return self.lockstep is not None

    @move(lambda self, choose: self.draw_trade(choose))
    def trade(self, call: Call) -> None:
        """A step of a trade that is possible now: quote, bid, open, match, buy, report, settle."""

    @move(lambda self, choose: self.draw_time(choose), most=4)
    def time(self, call: Call) -> None:
        """Time passes."""

    @move(lambda self, choose: self.draw_batch(choose), most=8)
    def batch(self, call: Call) -> None:
        """All households do what is next, for several phases on end."""

    @move(lambda self, choose: self.draw_money(choose), most=10)
    def money(self, call: Call) -> None:
        """Somebody deposits, withdraws or clears."""

    @move(lambda self, choose: self.draw_admission(choose), most=15)
    def admission(self, call: Call) -> None:
        """The owner lets somebody in, raises a capacity, or puts somebody out."""

    def perform(self, call: Call) -> None:
        """Does what was drawn: a call of the market, or one of the moves that are no single call."""
        match call.function:
            case "bid":
                self.bid(*call.args)
            case "advance":
                self.advance(*call.args)
            case "everybody":
                self.everybody(*call.args)
            case _:
                self.do(call.function, *call.args, sender=call.sender)

    def draw_time(self, choose: Choose) -> Call:
        """A second at which something changes: an edge of a phase, one before or one after it."""
        near, *further = edges_ahead(self.lockstep)
        before = [near - 1] if near - 1 > self.lockstep.now else []
        return Call("advance", (choose.one([near, near, near, *before, near + 1, *further[:1]]),), "time")

    def advance(self, second: int) -> None:
        """Time passes."""
        self.lockstep.at(second)
        self.renew()

    def renew(self) -> None:
        """Brings the next period into play where all in play are CLOSING (four in a history at most)."""
        lockstep = self.lockstep
        if len(lockstep.periods) < 4 and all(lockstep.phase(period) == Phase.CLOSING for period in lockstep.periods):
            lockstep.watch(lockstep.next_period())

    def trade_kinds(self) -> dict[str, Decide]:
        """What a trade could do next, each with the decision that makes the call; only what is sensible now."""
        now = self.enabled
        kinds: dict[str, tuple[Any, Decide]] = {
            "quote": (now.offers, self.draw_quote),
            "invalidate": (now.withdrawals[1:], self.draw_invalidation),
            "seal": (now.bids, self.draw_bid),
            "reveal": (now.reveals, self.draw_reveal),
            "match": (now.matches, self.draw_match),
            "buy": (now.purchases, self.draw_purchase),
            "read": (now.readings, self.draw_reading),
            "settle quote": (now.settlements, self.draw_settle_quote),
            "settle account": (now.accounts, self.draw_settle_account),
        }
        return {name: decide for name, (possible, decide) in kinds.items() if possible}

    def draw_trade(self, choose: Choose) -> Call:
        """Mostly a step that is possible now; where none is, and now and then where one is, time passes."""
        kinds = self.trade_kinds()
        if not kinds or choose.number(0, 5) == 5:
            return self.draw_time(choose)
        return kinds[choose.one(sorted(kinds))](choose)

    def draw_quote(self, choose: Choose) -> Call:
        t = self.lockstep.tariff
        name, period = choose.one(self.enabled.offers)
        capacity = self.capacity(name)
        volume = choose.edge((1, 2, 19, 20, 21, 99, 100, 101, 1000, capacity), 1, 3000)
        # Mostly as much as the connection carries; then all of it, or a Wh more (T-QUO-4).
        volume = min(volume, capacity) if volume != capacity else choose.one((capacity, capacity - 1, capacity + 1))
        price = choose.edge((t.lowest_price, t.lowest_price + 1, t.highest_price), t.lowest_price, t.highest_price)
        return Call("submit_quote", (period, volume, price), name)

    def draw_invalidation(self, choose: Choose) -> Call:
        number = choose.one(self.enabled.withdrawals)
        return Call("invalidate_quote", (number,), self.lockstep.names[self.lockstep.model.quote(number).prosumer])

    def draw_bid(self, choose: Choose) -> Call:
        number, name = choose.one(self.enabled.bids)
        quote, top = self.lockstep.model.quote(number), self.lockstep.tariff.highest_price
        if (ties := self.ties(number)) and choose.number(0, 2) == 0:
            return Call("bid", (number, name, *choose.one(ties)), name)
        price = choose.one([quote.price, quote.price, min(quote.price + 1, top), top])
        room = self.enabled.room(name, quote.period)
        edges = volume_edges(quote.volume) + [wh for wh in (room, room + 1) if 1 <= wh <= quote.volume]
        return Call("bid", (number, name, price, choose.edge(edges, 1, quote.volume)), name)

    def ties(self, number: int) -> list[tuple[int, int]]:
        """Price and volume of bids worth as much as the last one on a quote, with another volume: a few of them."""
        rivals = [wish for (quote, _), wish in self.sealed.items() if quote == number]
        if not rivals:
            return []
        quote, top = self.lockstep.model.quote(number), self.lockstep.tariff.highest_price
        amount, volume = math.prod(rivals[-1]), rivals[-1][1]
        most = min(quote.volume, amount // quote.price)
        least = max(-(-amount // top), 1)
        worth = (other for other in range(least, most + 1) if amount % other == 0 and other != volume)
        return [(amount // other, other) for other in itertools.islice(worth, 8)]

    def reveal_call(self, place: tuple[int, str]) -> Call:
        """The call that opens a sealed bid."""
        number, name = place
        return Call("reveal_bid", (number, *self.sealed[place], salt_of(number, name)), name)

    def draw_reveal(self, choose: Choose) -> Call:
        return self.reveal_call(choose.one(self.enabled.reveals))

    def draw_match(self, choose: Choose) -> Call:
        return Call("match_bids", (choose.one(self.enabled.matches),), choose.one((STRANGER, "owner", HOUSEHOLDS[0])))

    def draw_purchase(self, choose: Choose) -> Call:
        number, name = choose.one(self.enabled.purchases)
        left, least = self.lockstep.model.remaining(number, self.lockstep.now), self.enabled.least(number)
        room = self.enabled.room(name, self.lockstep.model.quote(number).period)
        edges = [wh for wh in (least, least - 1, room, room + 1) if 1 <= wh <= left]
        if (beyond := max(room + 1, least)) <= left and choose.one((False, False, True)):
            return Call("buy_surplus", (number, beyond), name)  # Only the capacity stands against it (T-REG-21).
        return Call("buy_surplus", (number, choose.edge(volume_edges(left) + edges, min(least, left), left)), name)

    def reading_call(self, name: str, period: int, exported: int, imported: int) -> Call:
        """The call that hands in a household's reading, rightly signed."""
        return Call("submit_reading", self.lockstep.report(name, period, exported, imported), STRANGER)

    def draw_reading(self, choose: Choose) -> Call:
        market = self.lockstep.model
        name, period = choose.one(self.enabled.readings)
        address = self.lockstep.address(name)
        quote = market.quote(market.quote_of(address, period))
        position = market.position(address, period)
        # What the connection carries, a Wh more, and what no connection does (T-MET-3).
        capacity = self.capacity(name)
        beyond = choose.one((capacity, capacity + 1, MAX_CAPACITY + 1, 2**256 - 1))
        exported = choose.edge([*edge_exports(quote.volume, quote.sold), beyond], 0, 2 * quote.volume + 1)
        agreed = position.agreed or position.bought
        kept = market.positions.get((address, period))
        forecasts = {agreed, kept.asked if kept else 0}
        bounds = [wh for forecast in sorted(forecasts) for wh in (-(-95 * forecast // 100), 105 * forecast // 100)]
        imports = around(0, *sorted(forecasts), *bounds, position.bought)
        return self.reading_call(name, period, exported, choose.edge([*imports, beyond], 0, 2 * agreed + 10))

    def draw_settler(self, choose: Choose) -> str:
        owner = self.lockstep.names[self.lockstep.model.owner]
        return choose.one((owner, owner, owner, STRANGER, HOUSEHOLDS[-1]))

    def draw_settle_quote(self, choose: Choose) -> Call:
        return Call("settle_quote", (choose.one(self.enabled.settlements),), self.draw_settler(choose))

    def draw_settle_account(self, choose: Choose) -> Call:
        return Call("settle_account", choose.one(self.enabled.accounts), self.draw_settler(choose))

    def draw_batch(self, choose: Choose) -> Call:
        """How `everybody` acts: see there. Mostly for several phases on end, so that trades come to their end."""
        share = choose.one((3, 2, 1, 5))
        percent = choose.one((100, 95, 94, 105, 106, 96, 50, 0))
        return Call("everybody", (share, percent, choose.yes(), choose.one((6, 0, 1, 3))), "everybody")

    def everybody(self, share: int, percent: int, backwards: bool, strides: int) -> None:
        """All households do what is next, then time moves to the next phase; `strides` times, and once more at the end.

        They quote 100 Wh where a period has no quote yet, bid for 1/`share` of every quote (0: for more than all of
        it), open, match, report `percent` of what they quoted and agreed, and the owner settles. `backwards` the last
        goes first, and bids are worth the same with different volumes, where there are such.
        """
        for stride in range(strides + 1):
            if stride:
                self.advance(edges_ahead(self.lockstep)[0])
            self._everybody(share, percent, backwards)

    def _everybody(self, share: int, percent: int, backwards: bool) -> None:
        market, lockstep = self.lockstep.model, self.lockstep
        offers = self.enabled.offers
        quoted = {quote.period for _, quote in market.quotes.items() if quote.status == QuoteStatus.VALID}
        if offers and offers[0][1] not in quoted:
            name, period = offers[-1] if backwards else offers[0]
            volume = min(100, self.capacity(name))
            self.do("submit_quote", period, volume, lockstep.tariff.lowest_price, sender=name)
        for number, name in self.enabled.bids:
            quote = market.quote(number)
            wish = max(quote.volume // share, 1) if share else quote.volume + 1
            ties = self.ties(number) if backwards else []
            self.bid(number, name, *(ties[0] if ties else (quote.price, wish)))
        for place in sorted(self.enabled.reveals, reverse=backwards):
            call = self.reveal_call(place)
            self.do(call.function, *call.args, sender=call.sender)
        for number in self.enabled.matches:
            self.do("match_bids", number, sender=STRANGER)
        reports = []
        for name, period in sorted(set(self.enabled.readings), reverse=backwards):
            address = lockstep.address(name)
            quote, position = market.quote(market.quote_of(address, period)), market.position(address, period)
            energies = -(-quote.volume * percent // 100), position.agreed * percent // 100
            reports.append(self.reading_call(name, period, *energies))
        self.hand_in(reports, backwards)
        owner = lockstep.names[market.owner]
        for number in sorted(self.enabled.settlements, reverse=backwards):
            self.do("settle_quote", number, sender=owner)
        self.settle_all(sorted(self.enabled.accounts, reverse=backwards), owner, backwards)

    def hand_in(self, reports: list[Call], together: bool) -> None:
        """Readings are handed in, each by itself here; `together` in a batch where a machine knows batches."""
        for call in reports:
            self.do(call.function, *call.args, sender=call.sender)

    def settle_all(self, accounts: list[tuple[str, int]], owner: str, together: bool) -> None:
        """The owner settles accounts, each by itself here; `together` in a batch where a machine knows batches."""
        for name, period in accounts:
            self.do("settle_account", name, period, sender=owner)

    def draw_money(self, choose: Choose) -> Call:
        market = self.lockstep.model
        name = choose.one((*HOUSEHOLDS, "supplier", "owner", STRANGER, *self.enabled.debtors * 9))
        address = self.lockstep.address(name)
        account, outside = market.account(address), market.token.balances.get(address, 0)
        free, owes = account.balance, name in self.enabled.debtors
        # A withdrawal clears first what is owed.
        match choose.one(("clear", "deposit", "deposit", *("withdraw",) * (9 if owes else 3))):
            case "deposit":
                return Call("deposit", (choose.one((0, 1, outside // 3, outside, outside + 1)),), name)
            case "withdraw":
                left = max(free + account.grid_account, 0)
                cleared = (left, left + 1) if owes else ()
                amounts = (0, 1, free // 2, max(free - 1, 0), free, free + 1, *cleared)
                amount = choose.one(amounts)
                least = choose.one((*(None,) * 8, 0, amount // 2, amount, amount + 1))
                if least is None:
                    return Call("withdraw", (amount,), name)
                return Call("withdraw_at_least", (amount, least), name)
        return Call("clear", (name,), STRANGER)

    def draw_admission(self, choose: Choose) -> Call:
        """Who is in is let out and the other way round, mostly; the last two households more often than the others.

        Whoever is let in keeps its capacity or is given more; sometimes that of who is in is raised, or one is tried
        that cannot be given.
        """
        lockstep = self.lockstep
        name = choose.one((*HOUSEHOLDS[3:], *HOUSEHOLDS[-2:], NEWCOMER))
        account, owner = lockstep.model.account(lockstep.address(name)), lockstep.names[lockstep.model.owner]
        usual, odd = ("revoke", "authorize") if account.authorized else ("authorize", "revoke")
        if choose.one((usual, usual, usual, odd)) == "revoke":
            return Call("revoke", (name,), owner)
        return Call("authorize", (name, self.draw_capacity(choose, account.capacity)), owner)

    def draw_capacity(self, choose: Choose, present: int) -> int:
        """A capacity for somebody that has `present` now: the same, more, less, out of bounds (T-REG-19, T-REG-20)."""
        usual = present or choose.one((CAPACITY, 150, 3_000))
        more = min(choose.one((usual + 1, 2 * usual, 10 * usual)), MAX_CAPACITY)
        odd = choose.one((max(usual - 1, 0), 1, 0, MAX_CAPACITY + 1, MAX_CAPACITY))
        return choose.one((usual, usual, more, more, odd))

    def capacity(self, name: str) -> int:
        """What a household's connection carries in a period, in Wh."""
        return self.lockstep.model.account(self.lockstep.address(name)).capacity
