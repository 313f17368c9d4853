"""The base of all machines: actions that move contract and model together, and rules that draw them.

Actions are plain methods; the rules of `MarketMachine` sit on top and draw their arguments from the state, so that most
calls have something to do, and boundary values on purpose. A machine of the ladder subclasses it, adds its invariants
and, where it needs them, rules of its own.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import event, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.properties import evidence, seasons
from tests.properties.symbols import FORMS, Signed, meter, seal_bytes
from tests.properties.twin import HOUSEHOLDS, NEWCOMER, START, STRANGER, Outcome, Twin
from wattproof.model import BidStatus, Phase, QuoteStatus

PERIODS = 2
"""Delivery periods in play at a time: neighbours, so that their phases overlap."""

EVERYBODY = (*HOUSEHOLDS, "owner", "supplier", STRANGER, NEWCOMER)


class Call(NamedTuple):
    """A call that a rule has drawn."""

    function: str
    args: tuple[Any, ...]
    sender: str


def drawn(method: Callable[[Any], st.SearchStrategy]) -> st.SearchStrategy:
    """A strategy that looks at the machine: what it draws prints in the trace and replays."""
    return st.runner().flatmap(method)


def volumes(most: int) -> st.SearchStrategy[int]:
    """Volumes in Wh from 1 to `most`, with its ends and small ones often."""
    edges = sorted({1, 2, 3, 7, most // 2, most - 1, most} & set(range(1, most + 1)))
    return st.sampled_from(edges) | st.integers(1, most)


def around(*values: int) -> list[int]:
    """Each value and its two neighbours, as far as they are not negative."""
    return sorted({max(value + step, 0) for value in values for step in (-1, 0, 1)})


def edge_exports(volume: int, sold: int) -> list[int]:
    """Exports at which something changes for a quote: nothing, all that was sold or quoted, 95 % and 105 %."""
    return around(0, sold, volume, -(-95 * volume // 100), 105 * volume // 100, sold // 2)


def salt_of(quote_id: int, bidder: str) -> bytes:
    """The salt of every bid of the machines."""
    return hashlib.sha256(f"{quote_id} {bidder}".encode()).digest()


class MarketMachine(RuleBasedStateMachine):
    """Random histories of a market, in lockstep with the model. Subclasses add what they watch for."""

    season_names: tuple[str, ...] = ("fresh",)
    """Where a history may begin; see `seasons`."""

    strict = False
    """Whether a disagreement with the model ends the history at once, or only when the machine's own invariants held."""

    def __init__(self) -> None:
        super().__init__()
        self.twin: Twin = None  # type: ignore[assignment]
        self.sealed: dict[tuple[int, str], tuple[int, int]] = {}
        self._branch: Any = None
        self._pending = 0
        evidence.tallies["histories"] += 1

    # ---- life of a history -------------------------------------------------------------

    @initialize(season=drawn(lambda self: st.sampled_from(self.season_names)))
    def begin(self, season: str) -> None:
        """Branches off a prepared market; what happens from here on is undone at the end."""
        event(f"season: {season}")
        evidence.tallies[f"season {season}"] += 1
        self._branch = seasons.prepared(season).branch()
        self.twin = self._branch.__enter__()
        self.twin.machine = type(self).__name__
        self.twin.strict = self.strict
        self.sealed = dict(getattr(self.twin, "sealed", {}))
        first = (self.twin.now + 2 * self.twin.tariff.window) // self.twin.tariff.period_length + 1
        for period in range(first, first + PERIODS):
            self.twin.watch(period)
        self.opened()

    def opened(self) -> None:
        """Called once the market of this history is there; for subclasses."""

    def teardown(self) -> None:
        """Compares the whole state once more, and undoes the history."""
        if self._branch is None:
            return
        try:
            if self._pending:
                self.twin.compare()
            self.closed()
            self.twin.agreed()
        finally:
            self._branch.__exit__(None, None, None)
            self._branch = None

    def closed(self) -> None:
        """Called at the end of a history that did not fail; for subclasses."""

    # ---- actions: chain and model together -----------------------------------------------

    def do(self, function: str, *args: Any, sender: str) -> Outcome:
        """One call of contract and model, compared; then the whole state, if it was accepted."""
        evidence.tallies["steps"] += 1
        outcome = self.act(function, args, sender)
        note(self.twin.trace[-1] + ("" if outcome.accepted else f"   # refused: {outcome.reason}"))
        event(f"{function}: {'accepted' if outcome.accepted else 'refused'}")
        self._pending += 1
        if outcome.accepted and self._pending >= seasons.compare_every():
            self.twin.compare()
            self._pending = 0
        return outcome

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """The call itself; subclasses look at the state before and after it, with `observe`."""
        return self.twin.call(function, *args, sender=sender)

    def bid(self, quote_id: int, bidder: str, price: int, volume: int) -> Outcome:
        """`bidder` seals a bid; what is in it is remembered for the reveal."""
        address = self.twin.address(bidder)
        seal = seal_bytes((self.twin.chain, self.twin.target, quote_id, address, price, volume, salt_of(quote_id, bidder)))
        outcome = self.do("submit_bid", quote_id, seal, sender=bidder)
        if outcome.accepted:
            self.sealed[quote_id, bidder] = (price, volume)
        return outcome

    def read(self, name: str, period: int, exported: int, imported: int, **other: Any) -> Outcome:
        """A reading of a household is handed in by a stranger; `other` as in `Twin.reading`."""
        signed = self.twin.reading(name, period, exported, imported, **other)
        return self.do("submit_reading", name, period, exported, imported, signed, sender=STRANGER)

    # ---- what there is to do, by the model -----------------------------------------------

    def is_trader(self, name: str) -> bool:
        """Whether somebody may begin new business."""
        account = self.twin.model.account(self.twin.address(name))
        return account.authorized and account.grid_account >= 0

    def quotes_in(self, status: QuoteStatus, phases: Phase) -> list[int]:
        """IDs of the quotes with that status whose period is in one of the phases."""
        twin = self.twin
        return [
            number
            for number, quote in enumerate(twin.model.quotes, 1)
            if quote.status & status and twin.phase(quote.period) & phases
        ]

    def open_offers(self) -> list[tuple[str, int]]:
        """Who could quote for which period."""
        twin = self.twin
        return [
            (name, period)
            for period in twin.periods
            if twin.phase(period) == Phase.BIDDING
            for name in HOUSEHOLDS
            if self.is_trader(name) and not twin.model.quote_of(twin.address(name), period)
        ]

    def open_bids(self) -> list[tuple[int, str]]:
        """Who could still bid on which quote."""
        twin = self.twin
        return [
            (number, name)
            for number in self.quotes_in(QuoteStatus.VALID, Phase.BIDDING)
            for name in HOUSEHOLDS
            if self.is_trader(name)
            and twin.model.quote(number).prosumer != twin.address(name)
            and not twin.model.bid(number, twin.address(name)).status
        ]

    def open_reveals(self) -> list[tuple[int, str]]:
        """Whose bid on which quote could be opened."""
        ready = set(self.quotes_in(QuoteStatus.VALID, Phase.REVEALING))
        return [
            (number, name)
            for number, name in self.sealed
            if number in ready
            and self.is_trader(name)
            and self.twin.model.bid(number, self.twin.address(name)).status == BidStatus.CREATED
        ]

    def matchable(self) -> list[int]:
        """Quotes that can be matched."""
        return self.quotes_in(QuoteStatus.VALID, ~(Phase.BIDDING | Phase.REVEALING))

    def on_sale(self) -> list[tuple[int, str]]:
        """Who could buy surplus of which quote."""
        twin = self.twin
        return [
            (number, name)
            for number in self.quotes_in(QuoteStatus.MATCHED, Phase.MATCHING | Phase.DELIVERING | Phase.METERING)
            if twin.model.remaining(number, twin.now)
            for name in HOUSEHOLDS
            if self.is_trader(name) and twin.model.quote(number).prosumer != twin.address(name)
        ]

    def unread(self) -> list[tuple[str, int]]:
        """Whose meter could report for which period; those with something at stake come twice."""
        twin = self.twin
        due = [
            (name, period)
            for period in twin.periods
            if twin.phase(period) == Phase.METERING
            for name in HOUSEHOLDS
            if not twin.model.reading(twin.address(name), period).present
        ]
        return due + [(name, period) for name, period in due if twin.model.position(twin.address(name), period).open]

    def settleable_quotes(self) -> list[int]:
        """Quotes that the owner, at least, could settle."""
        return self.quotes_in(QuoteStatus.MATCHED, Phase.SETTLING | Phase.CLOSING)

    def settleable_accounts(self) -> list[tuple[str, int]]:
        """Accounts that the owner, at least, could settle."""
        twin = self.twin
        return [
            (name, period)
            for period in twin.periods
            if twin.phase(period) & (Phase.SETTLING | Phase.CLOSING)
            for name in HOUSEHOLDS
            if not (position := twin.model.position(twin.address(name), period)).settled
            and not position.open
            and (position.bought or twin.model.reading(twin.address(name), period).present)
        ]

    # ---- rules: what a history is made of ------------------------------------------------

    @property
    def begun(self) -> bool:
        """Whether there is a market yet."""
        return self.twin is not None

    def draw_time(self) -> st.SearchStrategy[int]:
        """Seconds at which something changes: the next edges of all phases, one before and one after them."""
        twin, tariff = self.twin, self.twin.tariff
        edges = set()
        for period in twin.periods:
            start, end = period * tariff.period_length, (period + 1) * tariff.period_length
            edges |= {start - 2 * tariff.window, start - tariff.window, start}
            edges |= {end, end + tariff.window, end + 2 * tariff.window}
        ahead = sorted(edge for edge in edges if edge > twin.now)[:3]
        if not ahead:
            return st.just(twin.now + tariff.period_length)
        near = ahead[0]
        before = [near - 1] if near - 1 > twin.now else []
        return st.sampled_from([near, near, near, *before, near + 1, *ahead[1:]])

    @precondition(lambda self: self.begun)
    @rule(second=drawn(draw_time))
    def advance(self, second: int) -> None:
        """Time passes."""
        self.twin.at(second)
        note(self.twin.trace[-1])
        if all(self.twin.phase(period) == Phase.CLOSING for period in self.twin.periods[-PERIODS:]):
            last = max(self.twin.periods)
            if len(self.twin.periods) + 1 <= 4:
                first = (self.twin.now + 2 * self.twin.tariff.window) // self.twin.tariff.period_length + 1
                self.twin.watch(max(first, last + 1))

    def draw_quote(self) -> st.SearchStrategy[Call]:
        t = self.twin.tariff
        prices = st.sampled_from([t.lowest_price, t.lowest_price + 1, t.highest_price]) | st.integers(
            t.lowest_price, t.highest_price
        )
        wh = st.sampled_from([1, 2, 19, 20, 21, 99, 100, 101, 1000]) | st.integers(1, 3000)
        return st.builds(
            lambda offer, volume, price: Call("submit_quote", (offer[1], volume, price), offer[0]),
            st.sampled_from(self.open_offers()),
            wh,
            prices,
        )

    @precondition(lambda self: self.begun and len(self.twin.model.quotes) < 7 and self.open_offers())
    @rule(call=drawn(draw_quote))
    def quote(self, call: Call) -> None:
        """A prosumer quotes."""
        self.do(call.function, *call.args, sender=call.sender)

    def draw_invalidation(self) -> st.SearchStrategy[Call]:
        names, quotes = self.twin.names, self.twin.model.quotes
        return st.sampled_from(
            [
                Call("invalidate_quote", (number,), names[quotes[number - 1].prosumer])
                for number in self.quotes_in(QuoteStatus.VALID, Phase.BIDDING)
            ]
        )

    @precondition(lambda self: self.begun and len(self.quotes_in(QuoteStatus.VALID, Phase.BIDDING)) > 1)
    @rule(call=drawn(draw_invalidation))
    def invalidate(self, call: Call) -> None:
        """A prosumer takes its quote back."""
        self.do(call.function, *call.args, sender=call.sender)

    def draw_bid(self) -> st.SearchStrategy[tuple[int, str, int, int]]:
        twin = self.twin

        def of(place: tuple[int, str]) -> st.SearchStrategy[tuple[int, str, int, int]]:
            quote, top = twin.model.quote(place[0]), twin.tariff.highest_price
            prices = st.sampled_from([quote.price, quote.price, min(quote.price + 1, top), top])
            wanted = volumes(quote.volume)
            return st.tuples(st.just(place[0]), st.just(place[1]), prices, wanted)

        return st.sampled_from(self.open_bids()).flatmap(of)

    @precondition(lambda self: self.begun and self.open_bids())
    @rule(bid=drawn(draw_bid))
    def seal(self, bid: tuple[int, str, int, int]) -> None:
        """A consumer seals a bid."""
        self.bid(*bid)

    @precondition(lambda self: self.begun and self.open_bids())
    @rule()
    def seal_all(self) -> None:
        """Every household seals a bid for a third of each quote it can still bid on: books fill up, ties arise."""
        for number, name in self.open_bids():
            quote = self.twin.model.quote(number)
            self.bid(number, name, quote.price, max(quote.volume // 3, 1))

    def draw_reveal(self) -> st.SearchStrategy[tuple[int, str]]:
        return st.sampled_from(self.open_reveals())

    @precondition(lambda self: self.begun and self.open_reveals())
    @rule(place=drawn(draw_reveal))
    def reveal(self, place: tuple[int, str]) -> None:
        """A consumer opens its bid."""
        number, name = place
        self.do("reveal_bid", number, *self.sealed[place], salt_of(number, name), sender=name)

    @precondition(lambda self: self.begun and len(self.open_reveals()) > 1)
    @rule(backwards=st.booleans())
    def reveal_all(self, backwards: bool) -> None:
        """All sealed bids are opened, in either order."""
        for place in sorted(self.open_reveals(), reverse=backwards):
            self.reveal(place)

    def draw_match(self) -> st.SearchStrategy[Call]:
        callers = st.sampled_from((STRANGER, "owner", HOUSEHOLDS[0]))
        return st.builds(
            lambda number, who: Call("match_bids", (number,), who), st.sampled_from(self.matchable()), callers
        )

    @precondition(lambda self: self.begun and self.matchable())
    @rule(call=drawn(draw_match))
    def match(self, call: Call) -> None:
        """Anybody has a quote matched."""
        self.do(call.function, *call.args, sender=call.sender)

    def draw_purchase(self) -> st.SearchStrategy[Call]:
        def of(place: tuple[int, str]) -> st.SearchStrategy[Call]:
            left = self.twin.model.remaining(place[0], self.twin.now)
            return volumes(left).map(lambda wh: Call("buy_surplus", (place[0], wh), place[1]))

        return st.sampled_from(self.on_sale()).flatmap(of)

    @precondition(lambda self: self.begun and self.on_sale())
    @rule(call=drawn(draw_purchase))
    def buy(self, call: Call) -> None:
        """A consumer buys what is left."""
        self.do(call.function, *call.args, sender=call.sender)

    def draw_reading(self) -> st.SearchStrategy[tuple[str, int, int, int]]:
        market = self.twin.model

        def of(place: tuple[str, int]) -> st.SearchStrategy[tuple[str, int, int, int]]:
            name, period = place
            address = self.twin.address(name)
            quote = market.quote(market.quote_of(address, period))
            position = market.position(address, period)
            exported = st.sampled_from(edge_exports(quote.volume, quote.sold)) | st.integers(0, 2 * quote.volume + 1)
            agreed = position.agreed or position.bought
            imports = around(0, agreed, -(-95 * agreed // 100), 105 * agreed // 100, position.bought)
            imported = st.sampled_from(imports) | st.integers(0, 2 * agreed + 10)
            return st.tuples(st.just(name), st.just(period), exported, imported)

        return st.sampled_from(self.unread()).flatmap(of)

    @precondition(lambda self: self.begun and self.unread())
    @rule(reading=drawn(draw_reading))
    def meter_reports(self, reading: tuple[str, int, int, int]) -> None:
        """A meter reports."""
        self.read(*reading)

    @precondition(lambda self: self.begun and len(self.unread()) > 1)
    @rule(percent=st.sampled_from([100, 95, 94, 105, 106, 0, 50]))
    def all_meters_report(self, percent: int) -> None:
        """Every meter that is due reports `percent` of what was sold or agreed."""
        market = self.twin.model
        for name, period in sorted(set(self.unread())):
            address = self.twin.address(name)
            quote, position = market.quote(market.quote_of(address, period)), market.position(address, period)
            self.read(name, period, -(-quote.volume * percent // 100), position.agreed * percent // 100)

    def draw_settler(self) -> st.SearchStrategy[str]:
        return st.sampled_from(("owner", "owner", "owner", STRANGER, HOUSEHOLDS[-1]))

    def draw_settle_quote(self) -> st.SearchStrategy[Call]:
        return st.builds(
            lambda number, who: Call("settle_quote", (number,), who),
            st.sampled_from(self.settleable_quotes()),
            self.draw_settler(),
        )

    @precondition(lambda self: self.begun and self.settleable_quotes())
    @rule(call=drawn(draw_settle_quote))
    def settle_quote(self, call: Call) -> None:
        """Somebody settles a quote; before CLOSING only the owner succeeds."""
        self.do(call.function, *call.args, sender=call.sender)

    def draw_settle_account(self) -> st.SearchStrategy[Call]:
        return st.builds(
            lambda place, who: Call("settle_account", place, who),
            st.sampled_from(self.settleable_accounts()),
            self.draw_settler(),
        )

    @precondition(lambda self: self.begun and self.settleable_accounts())
    @rule(call=drawn(draw_settle_account))
    def settle_account(self, call: Call) -> None:
        """Somebody settles an account; before CLOSING only the owner succeeds."""
        self.do(call.function, *call.args, sender=call.sender)

    @precondition(lambda self: self.begun and (self.settleable_quotes() or self.settleable_accounts()))
    @rule()
    def settle_everything(self) -> None:
        """The owner settles all that can be settled."""
        owner = self.twin.names[self.twin.model.owner]
        for number in self.settleable_quotes():
            self.do("settle_quote", number, sender=owner)
        for place in self.settleable_accounts():
            self.do("settle_account", *place, sender=owner)

    def draw_money(self) -> st.SearchStrategy[Call]:
        market = self.twin.model

        def of(name: str) -> st.SearchStrategy[Call]:
            address = self.twin.address(name)
            free, outside = market.account(address).balance, market.token.balances.get(address, 0)
            deposits = st.sampled_from([0, 1, outside // 3, outside, outside + 1])
            payouts = st.sampled_from([0, 1, free // 2, max(free - 1, 0), free, free + 1])
            return (
                deposits.map(lambda amount: Call("deposit", (amount,), name))
                | payouts.map(lambda amount: Call("withdraw", (amount,), name))
                | st.just(Call("clear", (name,), STRANGER))
            )

        return st.sampled_from((*HOUSEHOLDS, "supplier", "owner", STRANGER)).flatmap(of)

    @precondition(lambda self: self.begun)
    @rule(call=drawn(draw_money))
    def money(self, call: Call) -> None:
        """Money comes in, goes out or is cleared."""
        self.do(call.function, *call.args, sender=call.sender)

    def draw_admission(self) -> st.SearchStrategy[Call]:
        owner = self.twin.names[self.twin.model.owner]
        return st.builds(
            lambda function, name: Call(function, (name,), owner),
            st.sampled_from(("authorize", "revoke", "authorize")),
            st.sampled_from((*HOUSEHOLDS, NEWCOMER)),
        )

    @precondition(lambda self: self.begun)
    @rule(call=drawn(draw_admission))
    def admission(self, call: Call) -> None:
        """The owner authorises and revokes."""
        self.do(call.function, *call.args, sender=call.sender)
