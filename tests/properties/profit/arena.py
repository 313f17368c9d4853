"""A market with an honest plan in it, and what becomes of everybody when a coalition acts beside it.

Money is in base units, energy in Wh. The honest seller quotes, two honest bidders bid on its quote, an honest late
buyer takes what is left, an honest keeper makes the calls that are open to anybody. What everybody's meter would truly
tell is a fact of the history, whatever a coalition does; so what a history brings a party is its money in the end (in
its purse, in the market and on the invoice account), less SSP for what it imported and never reported, which the
supplier bills outside the market (T-MET-16).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import boa

from verification.harness.answers import Answer, answered
from verification.harness.driver import Driver
from wattproof.market.calls import Calls
from wattproof.market.deployment import Tariff, deploy, give
from wattproof.market.symbolic import on_chain, salt_of
from wattproof.terms.model import Phase

NOON = 1_561_071_600
FUNDS = 10**9
CAPACITY = 11_500
"""What the connection of every household carries in a half-hour, in Wh: 100 A at 230 V."""

SELLER, WINNER, RIVAL, LATE, KEEPER = "seller", "winner", "rival", "late", "keeper"
HONEST = (SELLER, WINNER, RIVAL, LATE)
ANNA, BEN, REVOKED, STRANGER = "anna", "ben", "revoked", "stranger"
SUPPLIER, OWNER = "supplier", "owner"
EVERYBODY = (*HONEST, KEEPER, ANNA, BEN, REVOKED, STRANGER, SUPPLIER, OWNER)
METERED = (*HONEST, ANNA, BEN, REVOKED)
TRADERS = (ANNA, BEN)
"""Those of a coalition that the owner let in."""

TARIFFS = {
    "by amount": Tariff(sbp=60, ssp=180, service_fee=2, window=600, priority_step=500),
    "by price": Tariff(sbp=60, ssp=180, service_fee=2, window=600, priority_step=0, rank_by_price=True),
    "by price, heavy standing": Tariff(
        sbp=60, ssp=180, service_fee=3, window=600, priority_step=5_000, rank_by_price=True
    ),
    "by amount, no fee": Tariff(sbp=60, ssp=180, service_fee=0, window=600, priority_step=0),
}
"""Prices in tenths of a penny a kilowatt-hour, so that percentages round."""

SLOTS = {
    "first bids": Phase.BIDDING,
    "last bids": Phase.BIDDING,
    "first openings": Phase.REVEALING,
    "last openings": Phase.REVEALING,
    "before the matching": Phase.MATCHING,
    "after the matching": Phase.MATCHING,
    "last purchases": Phase.MATCHING,
    "delivery": Phase.DELIVERING,
    "before the readings": Phase.METERING,
    "after the readings": Phase.METERING,
    "last readings": Phase.METERING,
    "settlement": Phase.SETTLING,
    "closing": Phase.CLOSING,
    "afterwards": Phase.CLOSING,
}
"""When a coalition can act, between the steps of the plan, in order; each with the phase that it is in."""


@dataclass(frozen=True)
class Facts:
    """What the honest want, and what flows: `export` is the seller's, imports are what was bid for or bought late.

    `bids` are price and volume of winner and rival; `late` what the late buyer wants, ahead of the delivery or of the
    recorded excess; `extra` what the winner also bids for on a quote of the coalition. `flows` are export and import
    of anna and ben.
    """

    tariff: str
    price: int
    volume: int
    export: int
    bids: tuple[tuple[int, int], tuple[int, int]]
    late: int
    ahead: bool
    extra: int
    flows: tuple[tuple[int, int], tuple[int, int]]

    @property
    def defaults(self) -> bool:
        """Whether the seller falls short by more than the tolerance (T-SET-8)."""
        return 100 * self.export < 95 * self.volume

    def true_flow(self, name: str) -> tuple[int, int]:
        """What flows through somebody's connection in the period, out and in."""
        (_, winner), (_, rival) = self.bids
        flows = {
            SELLER: (self.export, 0),
            WINNER: (0, winner + self.extra),
            RIVAL: (0, rival),
            LATE: (0, self.late),
            ANNA: self.flows[0],
            BEN: self.flows[1],
        }
        return flows.get(name, (0, 0))


@dataclass
class Result:
    """What became of a history.

    `value` is what everybody has in the end; `done` the calls of the coalition that were accepted, each with its
    slot; `capacity` everybody's; `story` every call, in words.
    """

    value: dict[str, int]
    done: list[Done]
    capacity: dict[str, int]
    story: list[str]


@dataclass(frozen=True)
class Done:
    """A call of the coalition that the market accepted: numbers as they were sent."""

    slot: str
    who: str
    function: str
    args: tuple[Any, ...]
    quote_of: str | None = None
    """Whose quote a bid or purchase was on."""


class Arena(Driver[Answer]):
    """One market, with everybody in it; `play` plays a history and undoes it."""

    def __init__(self, tariff: str) -> None:
        boa.env.timestamp = NOON
        self.env = boa.env
        self.tariff = TARIFFS[tariff]
        self.deployment = deploy(self.tariff, show=None)
        self.market = self.deployment.market
        self.calls = Calls(self.env, self.market)
        self.addresses = {name: str(self.env.generate_address(f"{tariff} {name}")) for name in EVERYBODY}
        self.addresses |= {SUPPLIER: self.deployment.supplier, OWNER: self.deployment.owner}
        self.target, self.chain = str(self.market.address), self.env.evm.patch.chain_id
        for name, address in self.addresses.items():
            give(self.deployment, address, 2 * FUNDS)
            done = self.admit(name, CAPACITY) if name in METERED else []
            must(*done, self.call("deposit", FUNDS, sender=name))
        if self.tariff.priority_step:
            # Two buyers get the highest standing, by 80 small trades: who farmed it, and who was merely good.
            for _ in range(80):
                must(*self.trade(RIVAL, (ANNA, LATE), 1))
        must(self.call("revoke", REVOKED, sender=OWNER))
        self.period = self.env.timestamp // self.tariff.period_length + 2
        self.opening = self.env.timestamp
        self._baselines: dict[Facts, Result] = {}

    # ---- what a driver asks for ----------------------------------------------------------

    @property
    def now(self) -> int:
        return self.env.timestamp

    def at(self, second: int) -> None:
        self.env.timestamp = second

    def address(self, name: str) -> str:
        return self.addresses[name]

    def call(self, function: str, *args: Any, sender: str) -> Answer:
        data = self.calls.data(function, *on_chain(self.resolved(args)))
        return answered(self.env, self.now, self.addresses[sender], self.target, data)

    # ---- histories ---------------------------------------------------------------------

    def baseline(self, facts: Facts) -> Result:
        """The history without the coalition: its households report, and do nothing else."""
        if facts not in self._baselines:
            self._baselines[facts] = self.play(facts, lambda history, slot: None)
        return self._baselines[facts]

    def play(self, facts: Facts, act: Callable[[History, str], None], silent: Sequence[str] = ()) -> Result:
        """Plays the plan with a coalition, which does at every slot what `act` does, and undoes it.

        Households that are not `silent` hand in their true readings in the end, unless others came first.
        """
        with self.env.anchor():
            self.env.timestamp = self.opening  # All arenas share a clock.
            history = History(self, facts, silent)
            for slot, phase in SLOTS.items():
                if phase != Phase.BIDDING:
                    self.to(phase, self.period)
                history.slot = slot
                history.plan(slot, before=True)
                act(history, slot)
                history.plan(slot, before=False)
            return history.result()


@dataclass
class History:
    """A history under way, from the coalition's point of view: it knows what it did, and what the plan does."""

    arena: Arena
    facts: Facts
    silent: Sequence[str]
    slot: str = ""
    quotes: dict[int, str] = field(default_factory=dict)
    sealed: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    done: list[Done] = field(default_factory=list)
    capacity: dict[str, int] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    first: int = 0

    def __post_init__(self) -> None:
        """Everybody begins with the capacity that the arena gave it."""
        self.capacity = dict.fromkeys(METERED, CAPACITY)
        self.first = int(self.arena.calls.view("quote_count")) + 1

    def call(self, function: str, who: str, *args: Any, shown: Iterable[Any] | None = None) -> bool:
        """Makes a call, and notes it; whether it was accepted."""
        accepted = self.arena.call(function, *args, sender=who).accepted
        told = ", ".join(map(str, args if shown is None else shown))
        self.story.append(f"{self.slot}: {who} {function}({told}){'' if accepted else '   # refused'}")
        return accepted

    # ---- what both sides can do ------------------------------------------------------------

    def quote(self, who: str, volume: int, price: int) -> bool:
        """Quotes for the period in play."""
        accepted = self.call("submit_quote", who, self.arena.period, volume, price, shown=(volume, price))
        if accepted:
            self.quotes[self.first + len(self.quotes)] = who
        return accepted

    def bid(self, who: str, quote_id: int, price: int, volume: int) -> bool:
        """Seals a bid, to be opened by `open`."""
        seal = self.arena.seal(quote_id, who, price, volume)
        accepted = self.call("submit_bid", who, quote_id, seal, shown=(quote_id, price, volume))
        if accepted:
            self.sealed[quote_id, who] = (price, volume)
        return accepted

    def open(self, who: str, quote_id: int) -> bool:
        """Opens a bid."""
        wish = self.sealed[quote_id, who]
        return self.call("reveal_bid", who, quote_id, *wish, salt_of(quote_id, who), shown=(quote_id, *wish))

    def report(self, who: str, user: str, exported: int, imported: int, key: str | None = None) -> bool:
        """Hands in a reading of a user, signed by its own meter or by another's key."""
        args = self.arena.report(user, self.arena.period, exported, imported, meter_of=key)
        shown = (user, exported, imported, *([f"signed by {key}"] if key and key != user else ()))
        accepted = self.call("submit_reading", who, *args, shown=shown)
        if accepted:
            self.read.add(user)
        return accepted

    # ---- the plan --------------------------------------------------------------------------

    def plan(self, slot: str, before: bool) -> None:
        """What the honest do at this slot, before the coalition acts there or after."""
        facts, arena = self.facts, self.arena
        match slot, before:
            case "first bids", True:
                self.quote(SELLER, facts.volume, facts.price)
                for name, wish in zip((WINNER, RIVAL), facts.bids, strict=True):
                    self.bid(name, self.first, *wish)
            case "last bids", False:
                theirs = [number for number, who in self.quotes.items() if who not in HONEST]
                if theirs and facts.extra:
                    self.bid(WINNER, theirs[0], arena.tariff.highest_price, facts.extra)
            case "first openings", False:
                for number, name in list(self.sealed):
                    if name in HONEST:
                        self.open(name, number)
            case "before the matching", False:
                for number in self.quotes:
                    self.call("match_bids", KEEPER, number)
            case "after the matching", False:
                self._buy_late(ahead=True)
            case "before the readings", False:
                for name in HONEST:
                    self.report(KEEPER, name, *facts.true_flow(name))
                self._buy_late(ahead=False)
            case "last readings", False:
                for name in TRADERS:
                    if name not in self.read and name not in self.silent:
                        self.report(name, name, *facts.true_flow(name))
            case "settlement", False:
                self._settle(OWNER)
            case "closing", False:
                self._settle(KEEPER)
            case "afterwards", False:
                for name in EVERYBODY:
                    self.call("clear", KEEPER, name)

    def _buy_late(self, ahead: bool) -> None:
        """The late buyer takes what it wants of what is left of the seller's quote, or all that is left."""
        if self.facts.ahead != ahead or self.quotes.get(self.first) != SELLER:
            return
        left = int(self.arena.calls.view("remaining", self.first))
        if wanted := min(self.facts.late, left):
            self.call("buy_surplus", LATE, self.first, wanted)

    def _settle(self, who: str) -> None:
        for number in self.quotes:
            self.call("match_bids", who, number)
            self.call("settle_quote", who, number)
        for name in (*METERED, STRANGER):
            self.call("settle_account", who, name, self.arena.period, shown=(name,))

    # ---- the end ---------------------------------------------------------------------------

    def result(self) -> Result:
        """What everybody has: see the module's beginning."""
        arena, ssp = self.arena, self.arena.tariff.ssp
        value: dict[str, int] = {}
        owed = billed = 0
        for name in EVERYBODY:
            address = arena.addresses[name]
            account = arena.calls.view("account", address)
            held = int(arena.deployment.token.balanceOf(address))
            value[name] = held + account.balance + account.reserved + account.grid_account
            owed += account.grid_account
            if name in METERED and name not in self.read:
                bought = arena.calls.view("position", address, arena.period).bought
                unreported = max(self.facts.true_flow(name)[1] - bought, 0)
                value[name] -= unreported * ssp
                billed += unreported * ssp
        value[SUPPLIER] += billed - owed
        return Result(value, self.done, self.capacity, self.story)


def must(*done: Answer) -> None:
    """AssertionError unless all these calls were accepted."""
    assert all(answer.accepted for answer in done), [answer.reason for answer in done if not answer.accepted]


_ARENAS: list[tuple[Any, str, Arena]] = []


def arena(tariff: str) -> Arena:
    """The arena of a tariff on titanoboa's current environment, made once."""
    for env, known, found in _ARENAS:
        if env is boa.env and known == tariff:
            return found
    made = Arena(tariff)
    _ARENAS.append((boa.env, tariff, made))
    return made
