"""Runs of a market without the model: for properties that compare runs of the contract with each other.

A plan says symbolically what is to happen: quotes go by a key, seals and readings by what is in them. `Run.play`
carries it out on one market; `Run.outcome` and `Run.state` tell what came of it in the plan's own words, so that runs
in which quotes have other numbers, or calls other seconds, can be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

from hypothesis import strategies as st

from verification.harness import counters
from verification.harness.answers import Answer, answered
from verification.harness.driver import Driver
from verification.harness.lockstep import (
    CAPACITY,
    HOUSEHOLDS,
    REPL_NAMES,
    START,
    STRANGER,
    Lens,
    Lockstep,
)
from verification.harness.state import Observation, decode
from wattproof.market.abi import Interface
from wattproof.market.clock import Clock
from wattproof.market.deployment import Tariff
from wattproof.market.symbolic import on_chain
from wattproof.market.trace import Made, Moment, Outcome, Scene, Trace
from wattproof.terms.model import Phase
from wattproof.terms.places import cut

BEFORE_ALL_TIME = -1
AFTER_ALL_TIME = 2**64

# ---- plans -----------------------------------------------------------------------------


class Quoted(NamedTuple):
    """The number of the quote that goes by `key`."""

    key: str


class Sealed(NamedTuple):
    """The seal of a bid on the quote that goes by `key`."""

    key: str
    bidder: str
    price: int
    volume: int


class Metered(NamedTuple):
    """A meter's signature of a reading."""

    name: str
    period: int
    exported: int
    imported: int


@dataclass(frozen=True)
class Step:
    """One call of a plan, possible while `period` is in `phase`; `key` is the quote that it is about."""

    phase: Phase
    period: int
    function: str
    args: tuple[Any, ...]
    sender: str
    key: str = ""

    def by(self, sender: str) -> Step:
        """The same call by somebody else."""
        return replace(self, sender=sender)


@dataclass(frozen=True)
class Trade:
    """All that happens around one quote, batch by batch, in the order in which it happens.

    `read_first`: meters report before anything is bought in METERING; what is bought before is refused.
    """

    key: str
    prosumer: str
    users: frozenset[str]
    period: int
    bidding: tuple[Step, ...]
    revealing: tuple[Step, ...]
    matching: tuple[Step, ...]
    buying: tuple[Step, ...]
    metering: tuple[Step, ...]
    settling: tuple[Step, ...]
    read_first: bool = False

    def steps(self) -> list[Step]:
        """The plan, in order of time."""
        middle = [*self.metering, *self.buying] if self.read_first else [*self.buying, *self.metering]
        everything = [*self.bidding, *self.revealing, *self.matching, *middle, *self.settling]
        return sorted(everything, key=lambda step: step.phase)


def salt_of(key: str, bidder: str) -> bytes:
    """The salt of a planned bid."""
    return hashlib.sha256(f"{key} {bidder}".encode()).digest()


def begins(step: Step, tariff: Tariff) -> int:
    """The first second at which a step is possible."""
    if step.phase == Phase.BIDDING:
        return BEFORE_ALL_TIME
    return Clock(tariff.period_length, tariff.window).begins(step.phase, step.period)


def ends(step: Step, tariff: Tariff) -> int:
    """The second at which a step is no longer possible."""
    if step.phase == Phase.CLOSING:
        return AFTER_ALL_TIME
    return Clock(tariff.period_length, tariff.window).begins(Phase(step.phase << 1), step.period)


def merged(
    one: Sequence[Step], other: Sequence[Step], now: int, tariff: Tariff, first: Callable[[], bool]
) -> list[tuple[bool, Step]]:
    """Both plans, each in its own order; who goes next is `first()`'s choice wherever time leaves one.

    Each step comes with whether it is of the first plan.
    """
    left, right = list(one), list(other)
    order: list[tuple[bool, Step]] = []
    while left or right:
        choice = bool(left) if not (left and right) else first()
        mine, others = (left, right) if choice else (right, left)
        if others and ends(others[0], tariff) <= begins(mine[0], tariff):
            choice, mine = not choice, others
        order.append((choice, mine.pop(0)))
        now = max(now, begins(order[-1][1], tariff))
    return order


def ended(lockstep: Lockstep) -> int:
    """The second at which the preset of a lockstep ended, by its own trace: the clock is shared with other presets."""
    return lockstep.trace.ended or START


# ---- strategies ------------------------------------------------------------------------

CLOSERS = [(Phase.CLOSING, STRANGER)]

VOLUMES = (1, 2, 19, 20, 21, 60, 99, 100, 101, 400)


def exports(volume: int, shortage: bool) -> list[int]:
    """What a prosumer may export: its volume and more, and with `shortage` also less, at all edges."""
    more = [volume, volume, 105 * volume // 100, 105 * volume // 100 + 1, 2 * volume]
    if not shortage:
        return more
    edge = -(-95 * volume // 100)
    return [0, volume // 2, max(edge - 1, 0), edge, volume - 1, *more]


@st.composite
def trades(
    draw: st.DrawFn,
    key: str,
    prosumer: str,
    others: Sequence[str],
    period: int,
    tariff: Tariff,
    shortage: bool = True,
    silence: Sequence[str] = (),
    unread: Sequence[str] = (),
    late: bool = True,
    accounts: bool = True,
) -> Trade:
    """A quote of `prosumer` with bids, purchases, readings and settlement.

    Args:
        others: who may bid and buy.
        shortage: whether the prosumer may export less than it quoted.
        silence: whose meters may stay silent.
        unread: whose readings somebody else's plan hands in.
        late: whether matching, purchases and settlement may come in later phases than they need to.
        accounts: whether those that nobody else's plan reads have their accounts settled.
    """
    number = Quoted(key)

    def step(phase: Phase, function: str, *args: Any, sender: str) -> Step:
        return Step(phase, period, function, args, sender, key)

    volume = draw(st.sampled_from(VOLUMES))
    low, high = tariff.lowest_price, tariff.highest_price
    price = draw(st.sampled_from([low, low + 1, (low + high) // 2, high]))
    bidding = [step(Phase.BIDDING, "submit_quote", period, volume, price, sender=prosumer)]
    revealing = []
    names = draw(st.lists(st.sampled_from(list(others)), unique=True, max_size=4))
    least = -(-volume // 64)
    wanted = st.sampled_from([least, max(volume // 4, 1), max(volume // 2, 1)]) | st.integers(1, volume)
    for name in names:
        wish = draw(st.sampled_from([price, min(price + 1, high), high])), draw(wanted)
        bidding.append(step(Phase.BIDDING, "submit_bid", number, Sealed(key, name, *wish), sender=name))
        if draw(st.integers(0, 7)):
            revealing.append(step(Phase.REVEALING, "reveal_bid", number, *wish, salt_of(key, name), sender=name))
    withdrawn = draw(st.integers(0, 14)) == 7
    if withdrawn:
        bidding.append(step(Phase.BIDDING, "invalidate_quote", number, sender=prosumer))
    delays = [Phase.MATCHING] * 3 + ([Phase.DELIVERING, Phase.METERING, Phase.SETTLING] if late else [])
    matched = draw(st.sampled_from(delays))
    matching = [step(matched, "match_bids", number, sender=STRANGER)]
    buying = []
    for name in draw(st.lists(st.sampled_from(list(others)), max_size=2)):
        phase = draw(
            st.sampled_from([Phase.MATCHING] * 3 + ([Phase.DELIVERING, *[Phase.METERING] * 3] if late else []))
        )
        buying.append(step(phase, "buy_surplus", number, draw(wanted), sender=name))
    users = {prosumer, *(bid.sender for bid in bidding), *(purchase.sender for purchase in buying)}
    metering = []
    for name in sorted(users - set(unread)):
        if name in silence and not draw(st.integers(0, 5)):
            continue
        exported = draw(st.sampled_from(exports(volume, shortage))) if name == prosumer else 0
        reading = (name, period, exported, draw(st.sampled_from([0, 1, volume // 2, volume, 2 * volume])))
        metering.append(step(Phase.METERING, "submit_reading", *reading, Metered(*reading), sender=STRANGER))
    metering = draw(st.permutations(metering))
    phase, who = draw(st.sampled_from([(Phase.SETTLING, "owner"), (Phase.CLOSING, STRANGER)] if late else CLOSERS))
    settling = [step(phase, "settle_quote", number, sender=who)]
    if accounts:
        mine = sorted(users - set(unread))
        settling += [step(phase, "settle_account", name, period, sender=who) for name in mine]
    parts = map(tuple, (bidding, revealing, matching, buying, metering, settling))
    read_first = late and draw(st.sampled_from([True, True, False]))
    return Trade(key, prosumer, frozenset(users), period, *parts, read_first=read_first)


# ---- runs ------------------------------------------------------------------------------


class Sent(NamedTuple):
    """A call as it went to the chain."""

    second: int
    sender: str
    to: str
    data: bytes
    value: int


@dataclass
class Run(Driver[Answer]):
    """One market, driven by calls alone. `names`: everybody's address, by name. Quotes before `since` are left out."""

    name: str
    env: Any
    market: Any
    token: str
    tariff: Tariff
    names: Mapping[str, str]
    interface: Interface
    lens: Lens
    periods: Sequence[int] = ()
    standin: bytes | None = None
    """A program that answers at the token's address while the lens is asked, where the token may not be asked."""
    since: int = 1
    watched: Sequence[str] = (*HOUSEHOLDS, "owner", "supplier", STRANGER)
    numbers: dict[str, int] = field(default_factory=dict)
    submitted: dict[str, int] = field(default_factory=dict)
    seals: dict[int, Sealed] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    trace: Trace = field(default=cast(Any, None), kw_only=True)
    """Empty at first, unless it is given."""
    finished: Trace | None = None
    coded: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        self.target, self.chain = str(self.market.address), self.env.evm.patch.chain_id
        if self.trace is None:
            people = {address: name for name, address in self.names.items()}
            self.trace = Trace(self.tariff, Scene(self.target, self.token, self.chain, people, REPL_NAMES))

    @classmethod
    def of(cls, name: str, lockstep: Lockstep, periods: Sequence[int] = ()) -> Run:
        """A run on the market of a lockstep, whose model is left alone: only inside a branch that is undone."""
        return cls(
            name,
            lockstep.env,
            lockstep.market,
            str(lockstep.token.address),
            lockstep.tariff,
            dict(lockstep.addresses),
            lockstep.interface,
            lockstep.lens,
            periods,
            trace=lockstep.trace.copy(lockstep.trace.scene),
            coded={name: meter for name, meter in lockstep.coded.items() if meter in lockstep.addresses},
        )

    @property
    def now(self) -> int:
        """The block's time, in seconds."""
        return self.env.timestamp

    def address(self, name: str) -> str:
        return self.names[name]

    @contextmanager
    def branch(self) -> Iterator[Run]:
        """A copy to act on; when the block ends, chain and time are as they were.

        A failure inside the block, or after it in the block around it, is told with the history of this copy.
        """
        with self.env.anchor():
            lists = {name: list(getattr(self, name)) for name in ("sent", "answers")}
            dicts = {name: dict(getattr(self, name)) for name in ("numbers", "submitted", "seals")}
            trace = replace(self.trace, entries=list(self.trace.entries))
            copy = replace(self, **lists, **dicts, trace=trace, finished=None)
            try:
                yield copy
            except AssertionError as failure:
                counters.tell(failure, copy.finished or copy.trace)
                raise
            self.finished = copy.trace

    # ---- acting ------------------------------------------------------------------------

    def at(self, second: int) -> None:
        """Moves time forward to `second`, if it is not later already."""
        if second > self.now:
            self.env.timestamp = second
            self.trace.append(Moment(second))

    def raw(self, data: bytes, sender: str, value: int = 0) -> Answer:
        """A call of any bytes, by an address."""
        self.sent.append(Sent(self.now, sender, self.target, data, value))
        self.answers.append(answer(self.env, self.sent[-1]))
        if counters.timing:
            counters.mark()
        return self.answers[-1]

    def call(self, function: str, *args: Any, sender: str) -> Answer:
        """A call with arguments as in a plan; `sender` is a name."""
        told = self.resolved(args)
        data = self.interface.call(function, *on_chain(told))
        done = self.raw(data, self.names[sender])
        outcome = Outcome(done.accepted, done.reason)
        self.trace.append(Made(self.now, function, tuple(told), self.names[sender], outcome))
        counted = counters.calls[f"{self.name}.{function}"]
        counted["accepted" if done.accepted else done.reason or ""] += 1
        counters.tallies["calls"] += 1
        return done

    def _resolved(self, arg: Any) -> Any:
        """What goes to the chain for an argument of a plan."""
        match arg:
            case Quoted(key):
                return self.numbers.get(key, 0)
            case Sealed(key, bidder, price, volume):
                seal = self.seal(self.numbers.get(key, 0), bidder, price, volume, salt_of(key, bidder))
                # Events tell all of a seal, views what is kept of it (T-BID-17).
                for told in (seal, cut(seal)):
                    self.seals[int.from_bytes(told, "big")] = arg
                return seal
            case Metered(name, period, exported, imported):
                return self.reading(name, period, exported, imported)
        return super()._resolved(arg)

    def do(self, step: Step) -> Answer:
        """One step of a plan, as soon as it is possible."""
        self.at(begins(step, self.tariff))
        done = self.call(step.function, *step.args, sender=step.sender)
        if step.function == "submit_quote" and done.result is not None:
            self.numbers[step.key] = done.result
            self.submitted[step.key] = self.now
        return done

    def play(self, steps: Sequence[Step]) -> list[Any]:
        """All steps, and what came of each, in the plan's own words."""
        return [self.outcome(self.do(step)) for step in steps]

    def enrol(self, name: str, money: int) -> None:
        """Registers and authorises a household and deposits `money` of what it has outside."""
        self.admit(name, CAPACITY)
        self.call("deposit", money, sender=name)

    # ---- telling -----------------------------------------------------------------------

    def outcome(self, done: Answer) -> Any:
        """What came of a call, with quotes by their keys."""
        if not done.accepted:
            return "refused", done.reason
        here = bytes.fromhex(self.target[2:])
        events = []
        for emitter, topics, data in done.logs:
            if emitter == here:
                name, fields = self.interface.event(topics, data)
                told = {what: self._told(what, value) for what, value in fields.items()}
                events.append((name, tuple(sorted(told.items(), key=lambda item: item[0]))))
        return "accepted", self._key(done.result), tuple(events)

    def observe(self) -> Observation:
        """What the views tell of everybody in `watched` and of the periods in `periods`."""
        users, most = tuple(self.names[name] for name in self.watched), self.since + len(self.sent)
        with nullcontext() if self.standin is None else self.env.anchor():
            if self.standin is not None:
                self.env.set_code(self.token, self.standin)
            bidders = users[: len(HOUSEHOLDS)]
            return decode(list(self.lens.pages(self.env, users, bidders, self.since, tuple(self.periods), most)))

    def view(self, name: str, *args: Any) -> Answer:
        """What a view answers, with arguments as in a plan."""
        data = self.lens.views[name].encode(self.resolved(args))
        return answer(self.env, Sent(self.now, self.names[STRANGER], self.lens.address, data, 0))

    def state(self, seen: Observation | None = None) -> dict[Any, Any]:
        """The whole state, flat: quotes by key, users by name, and the time of a quote less that of its submission."""
        seen = seen or self.observe()
        called = {address: name for name, address in self.names.items()}
        told: dict[Any, Any] = {("account", called[who]): account for who, account in seen.accounts.items()}
        for number, quote in seen.quotes.items():
            key = self._key(number)
            age = quote.created_at - self.submitted.get(key, 0)
            told["quote", key] = quote._replace(created_at=age)
            told["remaining", key] = seen.remaining[number]
            told["trades", key] = seen.trades_hash[number]
        for (number, who), bid in seen.bids.items():
            told["bid", self._key(number), called[who]] = bid._replace(seal=self.seals.get(bid.seal, bid.seal))
        for (who, period), reading in seen.readings.items():
            told["reading", called[who], period] = reading
            told["position", called[who], period] = seen.positions[who, period]
            told["quote of", called[who], period] = self._key(seen.quote_of[who, period])
        told |= {("totals", period): totals for period, totals in seen.periods.items()}
        told["others"] = seen.quote_count, seen.owner, seen.pending_owner
        told["tokens"] = seen.tokens
        return told

    def _key(self, number: int | None) -> Any:
        return next((key for key, known in self.numbers.items() if known == number), number)

    def _told(self, what: str, value: int) -> Any:
        if what == "quote_id":
            return self._key(value)
        return self.seals.get(value, value) if what == "seal" else value


def answer(env: Any, sent: Sent) -> Answer:
    """Sends a call at its second, and gives its sender the ether that it takes."""
    if sent.value:
        env.set_balance(sent.sender, env.get_balance(sent.sender) + sent.value)
    return answered(env, *sent)


def differences(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[str, str]:
    """Where two states differ, for the details of a violation."""
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return {str(key).replace("'", ""): f"{one.get(key)} against {other.get(key)}" for key in keys[:8]}


def first_difference(one: Sequence[Any], other: Sequence[Any]) -> str:
    """The first place at which two lists of outcomes differ, for the details of a violation."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return f"call {place}: {left} against {right}"
    return f"{len(one)} against {len(other)} calls"
