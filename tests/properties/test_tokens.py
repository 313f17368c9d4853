"""Criterion 5: hostile and odd tokens. They may refuse, lie or call back; only the caller's own books change by it.

`FickleToken` misbehaves in what it answers, moves and reports, `HostileToken` (of the unit tests) calls back. What must
come of a call is computed here from what the token was told to do; the model has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.machine import PAYMENTS, WITHDRAWALS, payment
from tests.properties.runs import (
    Quoted,
    Run,
    Sealed,
    Sent,
    Step,
    Trade,
    answer,
    differences,
    first_difference,
    salt_of,
    trades,
)
from tests.properties.tokens import deployer
from tests.support.tokens import deployer as unit_deployer
from verification.harness import counters, presets
from verification.harness.counters import holds
from verification.harness.lockstep import CAPACITY, HOUSEHOLDS, NEWCOMER, START, STRANGER, TARIFF, Lens
from wattproof.evm.engine import storage_dump
from wattproof.market.clock import Clock
from wattproof.market.deployment import open_market
from wattproof.market.symbolic import on_chain
from wattproof.terms.model import Phase

FUNDS = 10**9
"""Base units that every household has in the market at first, and as many outside."""

CLOCK = Clock(TARIFF.period_length, TARIFF.window)
FIRST = (START + 2 * TARIFF.window) // TARIFF.period_length + 1
"""The first period that can be quoted."""

TRUE, FALSE = (1).to_bytes(32, "big"), bytes(32)

_opened: list[tuple[Any, Run, Any, Run, Any]] = []


@pytest.fixture(autouse=True)
def _markets(_property_engine: None) -> None:
    """Opens the markets outside every example: what happens inside one is undone after it."""
    markets()


def markets() -> tuple[Run, Any, Run, Any]:
    """A market on a fickle token and the token; a market on a hostile token, which owns it, and the token."""
    for env, *known in _opened:
        if env is boa.env:
            return tuple(known)  # type: ignore[return-value]
    lockstep = presets.prepared("fresh")
    base = Run.of("Fickle", lockstep, range(FIRST, FIRST + 2))
    people = (*HOUSEHOLDS, "supplier", STRANGER)

    def opened(name: str, token: Any, owner: str, give: Callable[[str], None]) -> Run:
        market = open_market(str(token.address), base.names["supplier"], TARIFF, owner)
        names = {**base.names, "owner": owner, "token": str(token.address)}
        lens = Lens(market.lens)
        run = Run(name, base.env, market, str(token.address), TARIFF, names, base.interface, lens, base.periods)
        for person in people:
            give(names[person])
        for household in HOUSEHOLDS:
            run.enrol(household, FUNDS)
        run.call("deposit", FUNDS, sender="supplier")
        return run

    fickle = deployer("FickleToken").deploy()
    odd = opened("Fickle", fickle, base.names["owner"], lambda who: fickle.hold(who, 2 * FUNDS))
    hostile = unit_deployer("HostileToken").deploy()
    evil = opened("Hostile", hostile, str(hostile.address), lambda who: hostile.mint(who, 2 * FUNDS))
    hostile.mint(hostile.address, FUNDS)
    evil.call("register", *evil.registration(NEWCOMER), sender=NEWCOMER)
    _opened.append((boa.env, odd, fickle, evil, hostile))
    return odd, fickle, evil, hostile


# ---- a token that answers, moves and reports what it likes -----------------------------------------


@dataclass(frozen=True)
class Whim:
    """How the token behaves in one call: see `FickleToken`. Lies are about the market's holding and the caller's."""

    answer: bytes = TRUE
    taken: int = 0
    given: int = 0
    market: int = 0
    caller: int = 0
    frozen: bool = False


ODD = [(2).to_bytes(32, "big"), b"\xff" * 32, b"\1", bytes(30) + b"\1", b"\1" + bytes(31)]
"""Answers that are neither true nor false nor nothing."""

whims = st.one_of(
    st.just(Whim()),
    st.sampled_from([Whim(b""), Whim(TRUE + b"more"), Whim(FALSE), Whim(FALSE + TRUE), Whim(frozen=True)]),
    st.sampled_from([Whim(answer) for answer in ODD]),
    st.builds(Whim, st.sampled_from([FALSE, b"\1"]), given=st.sampled_from([-1, 1])),
    st.builds(lambda fee: Whim(given=-fee), st.sampled_from([-1, 1, 5, 10**6])),
    st.builds(lambda more: Whim(taken=more), st.sampled_from([-1, 1, 5, 10**6])),
    st.builds(lambda fee: Whim(taken=-fee, given=-fee), st.sampled_from([1, 5, 10**6])),
    st.builds(lambda lie: Whim(market=lie), st.sampled_from([-1, 1, 5])),
    st.builds(lambda lie: Whim(caller=lie), st.sampled_from([-1, 1, 5])),
    st.builds(lambda fee: Whim(given=-fee, market=fee), st.sampled_from([1, 5, 1000])),
    st.builds(lambda fee: Whim(given=-fee, caller=fee), st.sampled_from([1, 5, 1000])),
    st.builds(
        Whim,
        st.sampled_from([TRUE, b"", FALSE, b"\1"]),
        *[st.sampled_from([0, 0, -1, 1])] * 4,
        st.sampled_from([False] * 5 + [True]),
    ),
)

AMOUNTS = st.sampled_from([0, 1, 5, 1000, FUNDS - 1, FUNDS, FUNDS + 1, 2**256 - 5]) | st.integers(0, 2 * FUNDS)
"""Base units. The last number makes a token whose sums wrap around move 5 the wrong way."""

MISSING = st.sampled_from([0, 0, 1, 1, 5, 10**6, 2**256, -1])
"""How much less than the amount may arrive of a withdrawal that says so, in base units; below 0 it is more."""


@dataclass(frozen=True)
class Attempt:
    """A deposit or withdrawal of `amount` of which `least` must arrive, both in base units, and what the token does.

    A `call` of "hold" is none: the token lets `who` hold `amount` from now on.
    """

    call: str
    who: str
    amount: int
    least: int
    whim: Whim = Whim()

    @classmethod
    def of(cls, call: str, who: str, amount: int, missing: int, whim: Whim) -> Attempt:
        """One where `missing` may be missing, if the call is one in which anything may."""
        least = amount - missing if call == "withdraw_at_least" else amount
        return cls(call, who, amount, min(max(least, 0), 2**256 - 1), whim)

    @property
    def args(self) -> tuple[int, ...]:
        """What the call is made with."""
        return (self.amount, self.least) if self.call == "withdraw_at_least" else (self.amount,)


moves = st.builds(
    Attempt.of, st.sampled_from(PAYMENTS), st.sampled_from((*HOUSEHOLDS[:3], STRANGER)), AMOUNTS, MISSING, whims
)
thefts = st.builds(
    Attempt, st.just("hold"), st.just("market") | st.sampled_from(HOUSEHOLDS[:3]), AMOUNTS, least=st.just(0)
)


@dataclass
class Ledger:
    """What must stand in the books and in the token, by what the token was told to do; numbers wrap as the EVM's do."""

    market: str
    free: dict[str, int]
    holding: dict[str, int]
    lies: dict[str, int] = field(default_factory=dict)
    honest: bool = True
    left_behind: int = 0

    def reported(self, who: str) -> int:
        """What `balanceOf` answers."""
        return (self.holding.get(who, 0) + self.lies.get(who, 0)) % 2**256

    def verdict(self, attempt: Attempt, who: str) -> tuple[bool, str | None]:
        """Whether the call of an address must be accepted, and else its reason; an accepted call is booked."""
        call, amount, whim = attempt.call, attempt.amount, attempt.whim
        if call in WITHDRAWALS and amount > self.free.get(who, 0):
            return False, "ledger: insufficient balance"
        if whim.frozen:
            return False, "token: frozen"
        giver, taker = (who, self.market) if call == "deposit" else (self.market, who)
        holding, lies = dict(self.holding), dict(self.lies)
        before = self.reported(self.market), self.reported(who)
        self.holding[giver] = (holding.get(giver, 0) - amount - whim.taken) % 2**256
        self.holding[taker] = (holding.get(taker, 0) + amount + whim.given) % 2**256
        for liar, lie in ((self.market, whim.market), (who, whim.caller)):
            self.lies[liar] = lies.get(liar, 0) + lie
        after = self.reported(self.market), self.reported(who)
        refusal = self._refusal(attempt, before, after)
        if refusal is not None:
            self.holding, self.lies = holding, lies
            return False, refusal or None
        booked = amount if call == "deposit" else -amount
        self.free[who] = self.free.get(who, 0) + booked
        self.left_behind += after[0] - before[0] - booked
        self.honest = self.honest and not whim.market
        return True, None

    @staticmethod
    def _refusal(attempt: Attempt, before: tuple[int, int], after: tuple[int, int]) -> str | None:
        """The reason for which the market refuses, empty where it names none; None where it accepts."""
        answer = attempt.whim.answer
        if answer and (len(answer) < 32 or answer[:32] not in (TRUE, FALSE)):
            return ""
        if answer and answer[:32] == FALSE:
            return "ledger: token refused"
        gained, received = after[0] - before[0], after[1] - before[1]
        moved = (gained,) if attempt.call == "deposit" else (-gained, received)
        agreed = all(attempt.least <= each <= attempt.amount for each in moved)
        return None if agreed else "ledger: token moved another amount"


@given(st.lists(moves | moves | moves | thefts, min_size=5, max_size=20))
def test_books_follow_what_the_token_reports(calls: list[Attempt]) -> None:
    """T-MON-1, T-MON-2, T-MON-18 to T-MON-20, T-MON-23, T-MON-25, T-GUA-7: call by call, over everybody's books."""
    odd, token, _, _ = markets()
    counters.tallies["histories"] += 1
    with odd.branch() as run:
        run.env.timestamp = START
        before = run.state()
        address = {name: run.names[name] for name in run.watched} | {"market": run.target}
        free = {run.names[name]: before["account", name].balance for name in run.watched}
        holding = {who: token.holding(who) for who in address.values()}
        wanted = Ledger(run.target, free, holding)
        for attempt in calls:
            name, whim = attempt.who, attempt.whim
            who = address[name]
            if attempt.call == "hold":
                token.hold(who, attempt.amount)
                wanted.holding[who] = attempt.amount
                wanted.honest = wanted.honest and name != "market"
                continue
            owned = token.holding(run.target), token.holding(who)
            token.behave(whim.answer, whim.taken, whim.given, run.target, whim.market, who, whim.caller, whim.frozen)
            done = run.call(attempt.call, *attempt.args, sender=name)
            accepted, reason = wanted.verdict(attempt, who)
            now = run.state()
            told = dict(attempt=attempt, got=(done.accepted, done.reason))
            holds("C5-TOKEN-1", done.accepted == accepted, wanted=accepted, **told)
            holds("C5-TOKEN-2", done.reason == reason, when=not accepted, wanted=reason, **told)
            for account in run.watched:
                had, has = before["account", account], now["account", account]
                due = had._replace(balance=wanted.free[run.names[account]])
                holds("C5-TOKEN-3", has == due, account=account, had=had, has=has, due=due, **told)
            rest = {key: value for key, value in now.items() if key[0] != "account" and key != "tokens"}
            same = rest == {key: before[key] for key in rest}
            holds("C5-TOKEN-3", same, **told)
            books = sum(wanted.free.values())
            held = token.holding(run.target)
            left = wanted.left_behind
            holds("C5-TOKEN-4", held == books + left, when=wanted.honest, held=held, books=books, left=left, **told)
            gave, received = owned[0] - held, token.holding(who) - owned[1]
            covered = gave <= attempt.amount and received >= attempt.least
            paid_out = attempt.call in WITHDRAWALS and done.accepted and not (whim.market or whim.caller)
            holds("C5-TOKEN-12", covered, when=paid_out, gave=gave, received=received, **told)


# ---- a token that fails while a trade is under way ---------------------------------------------------

NOBODY = "0x" + "11" * 20
"""An address about which the token may lie to no effect."""

NOTHING_HELD = bytes.fromhex("5f5f5260205ff3")
"""A program that answers everything with one word of zeros."""

FATES = ("frozen", "false", "odd answer", "lying", "empty")


@st.composite
def failing(draw: st.DrawFn) -> tuple[Trade, int, list[str], list[tuple[str, str, int]]]:
    """A trade, the step before which the token fails, in which ways, and who then tries to move money."""
    names = draw(st.permutations(HOUSEHOLDS))
    trade = draw(trades("A", names[0], names[1:], FIRST, TARIFF, silence=names))
    tries = st.tuples(st.sampled_from(PAYMENTS), st.sampled_from(names), st.sampled_from([0, 1, 10**6]))
    fates = draw(st.lists(st.sampled_from(FATES), max_size=1))
    return trade, draw(st.integers(0, 30)), ["gone", *fates], draw(st.lists(tries, min_size=1, max_size=3))


@given(failing())
def test_a_trade_outlives_its_token(story: tuple[Trade, int, list[str], list[tuple[str, str, int]]]) -> None:
    """T-GUA-7, T-GUA-9, T-MON-21: no call but deposits and withdrawals needs the token, and they come back with it."""
    trade, place, fates, tries = story
    odd, token, _, _ = markets()
    counters.tallies["histories"] += 1
    steps = trade.steps()
    place %= len(steps)
    with odd.branch() as run:
        run.env.timestamp = START
        # The lens asks another program for the market's holding: this one may have nothing to say.
        run.standin = NOTHING_HELD
        with run.branch() as honest:
            base = honest.play(steps)
            state = honest.state()
        outcomes = run.play(steps[:place])
        for fate in fates:
            with run.branch() as failed:
                _outlive(failed, token, fate, tries, steps[place:], base, outcomes, state)


def _outlive(
    run: Run,
    token: Any,
    fate: str,
    tries: list[tuple[str, str, int]],
    steps: list[Step],
    base: list[Any],
    outcomes: list[Any],
    state: dict[Any, Any],
) -> None:
    """Lets the token fail, goes on with `steps` and compares with how the trade went and ended on an honest one."""
    code = run.env.get_code(token.address)
    _fail(run, token, fate)
    for call, name, amount in tries:
        before = run.state()
        done = run.call(call, *payment(call, amount), sender=name)
        after = run.state()
        holds("C5-TOKEN-5", not done.accepted and after == before, fate=fate, call=call, **differences(before, after))
    outcomes = outcomes + run.play(steps)
    end = run.state()
    holds("C5-TOKEN-6", outcomes == base, fate=fate, differs=first_difference(base, outcomes))
    holds("C5-TOKEN-6", end == state, fate=fate, **differences(state, end))
    if fate == "gone":
        run.env.set_code(token.address, code)
    token.behave(TRUE, 0, 0, run.target, 0, NOBODY, 0, False)
    token.hold(run.target, sum(end["account", name].balance + end["account", name].reserved for name in run.watched))
    for name in HOUSEHOLDS:
        free, payable = end["account", name].balance, end["account", name].grid_account >= 0
        paid = run.call("withdraw", free, sender=name)
        rest = int.from_bytes(run.view("account", name).output[96:128], "big")
        holds("C5-TOKEN-7", paid.accepted and rest == 0, when=payable, who=name, free=free, reason=paid.reason)


def _fail(run: Run, token: Any, fate: str) -> None:
    """Lets the token fail in that way, from now on."""
    match fate:
        case "gone":
            run.env.set_code(token.address, b"")
        case "empty":
            # The token moves nothing at all, whatever is asked, and calls that a success: amounts of 0 are honest then.
            token.behave(TRUE, 10**7, -(10**7), run.target, 0, NOBODY, 0, False)
        case "lying":
            token.behave(TRUE, 0, 0, run.target, 3, NOBODY, 0, False)
        case "false":
            token.behave(FALSE, 0, 0, run.target, 0, NOBODY, 0, False)
        case "odd answer":
            token.behave(b"\1", 0, 0, run.target, 0, NOBODY, 0, False)
        case "frozen":
            token.behave(TRUE, 0, 0, run.target, 0, NOBODY, 0, True)


# ---- a token that calls back -------------------------------------------------------------------------

P = FIRST
LATER = FIRST + 20
"""A period that can be quoted all the while."""

SETUP = [
    Step(Phase.BIDDING, P, "submit_quote", (P, 100, 8), HOUSEHOLDS[0], "A"),
    Step(Phase.BIDDING, P, "submit_quote", (P, 100, 8), HOUSEHOLDS[1], "B"),
    Step(Phase.BIDDING, P, "submit_quote", (P, 50, 8), "token", "T"),
    Step(Phase.BIDDING, P, "submit_bid", (Quoted("A"), Sealed("A", "token", 9, 30)), "token"),
    Step(Phase.BIDDING, P, "submit_bid", (Quoted("A"), Sealed("A", "cloudy", 8, 20)), "cloudy"),
    Step(Phase.REVEALING, P, "reveal_bid", (Quoted("A"), 8, 20, salt_of("A", "cloudy")), "cloudy"),
    Step(Phase.MATCHING, P, "match_bids", (Quoted("A"),), STRANGER),
]
"""A little trade: the token is a prosumer, too, and has a sealed bid."""

_RAINY = (P, 0, 300)

BACK: dict[str, tuple[Phase, tuple[Any, ...]]] = {
    "authorize": (Phase.BIDDING, (NEWCOMER, CAPACITY)),
    "revoke": (Phase.BIDDING, ("misty",)),
    "deposit": (Phase.BIDDING, (5,)),
    "withdraw": (Phase.BIDDING, (5,)),
    "withdraw_at_least": (Phase.BIDDING, (5, 5)),
    "clear": (Phase.BIDDING, ("misty",)),
    "submit_quote": (Phase.BIDDING, (LATER, 10, 8)),
    "invalidate_quote": (Phase.BIDDING, (Quoted("T"),)),
    "submit_bid": (Phase.BIDDING, (Quoted("B"), bytes(32))),
    "reveal_bid": (Phase.REVEALING, (Quoted("A"), 9, 30, salt_of("A", "token"))),
    "match_bids": (Phase.MATCHING, (Quoted("B"),)),
    "buy_surplus": (Phase.MATCHING, (Quoted("A"), 3)),
    "settle_quote": (Phase.SETTLING, (Quoted("A"),)),
    "settle_account": (Phase.SETTLING, ("rainy", P)),
    "transfer_ownership": (Phase.BIDDING, (STRANGER,)),
    "accept_ownership": (Phase.BIDDING, ()),
    "settle_accounts": (Phase.SETTLING, (P, ["rainy"])),
    "submit_reading": (Phase.METERING, ("rainy", *_RAINY)),
    "submit_readings": (Phase.METERING, (P, ["rainy"])),
    "register": (Phase.BIDDING, ()),
}
"""Every entry point: a phase in which the token, who is owner and user, could call it with success, and arguments."""

VIEWS = {
    "account": ("cloudy",),
    "quote": (1,),
    "bid": (1, "cloudy"),
    "trades": (1,),
    "reading": ("rainy", P),
    "position": ("cloudy", P),
    "quote_of": (HOUSEHOLDS[0], P),
    "quote_count": (),
    "remaining": (1,),
    "supply": (P,),
    "demand": (P,),
    "in_the_way": ("cloudy", P),
    "state": ([], [], [], [], []),
    "words": ([0, 1, 2**255],),
}
"""Every view of what can change, the market's own and its lens's, with arguments."""

FIXED = {
    "phase": (P,),
    "seal_of": (1, "cloudy", 8, 20, bytes(32)),
    **dict.fromkeys(("owner", "pending_owner", "eip712Domain", "frame", "TOKEN", "SUPPLIER", "SBP", "SSP"), ()),
    **dict.fromkeys(("SERVICE_FEE", "PERIOD_LENGTH", "WINDOW", "PRIORITY_STEP", "RANK_BY_PRICE", "MARKET"), ()),
}
"""Views of what deposits and withdrawals never change."""


def _prepare(run: Run, name: str, phase: Phase) -> tuple[str, bytes]:
    """Brings the market to where the token could make that call; returns whom it calls, the market or its lens, and
    the call.
    """
    if name == "register":
        return run.target, run.interface.call(name, *on_chain(run.registration("token")))
    run.enrol("token", 10**6)
    for step in SETUP:
        if step.phase <= phase and not (step.function == "match_bids" and name == "match_bids"):
            run.do(step)
    run.at(CLOCK.begins(phase, P) if phase != Phase.BIDDING else START)
    signed = run.reading("rainy", *_RAINY)
    match name:
        case "submit_reading":
            return run.target, run.interface.functions[name].encode([run.names["rainy"], *_RAINY, signed.bytes()])
        case "submit_readings":
            batch = [(run.names["rainy"], *_RAINY[1:], signed.bytes())]
            return run.target, run.interface.functions[name].encode([P, batch])
        case "accept_ownership":
            run.call("transfer_ownership", "token", sender="token")
        case "settle_account" | "settle_accounts":
            with_reading = (run.names["rainy"], *_RAINY, signed)
            run.env.timestamp = CLOCK.begins(Phase.METERING, P)
            run.call("submit_reading", *with_reading, sender=STRANGER)
            run.at(CLOCK.begins(phase, P))
    if name == "settle_accounts":
        return run.target, run.interface.functions[name].encode([P, [run.names["rainy"]]])
    if name in BACK:
        return run.target, run.interface.functions[name].encode(run.resolved(BACK[name][1]))
    own = name in run.interface.functions
    function, args = (run.interface.functions if own else run.lens.views)[name], (VIEWS | FIXED)[name]
    return run.target if own else run.lens.address, function.encode(run.resolved(args))


@given(
    name=st.sampled_from(sorted(BACK)),
    move=st.sampled_from(PAYMENTS),
    amount=st.sampled_from([0, 1, 1000, FUNDS]),
    insists=st.booleans(),
)
def test_nobody_comes_back_in(name: str, move: str, amount: int, insists: bool) -> None:
    """T-MON-21: a call that the token could make at any other time is refused while the market waits for it."""
    _, _, evil, token = markets()
    counters.tallies["histories"] += 1
    with evil.branch() as run:
        run.env.timestamp = START
        _, data = _prepare(run, name, BACK[name][0])
        with run.branch() as honest:
            welcome = honest.raw(data, honest.names["token"]).accepted
        with run.branch() as honest:
            honest.call(move, *payment(move, amount), sender="breezy")
            wanted = storage_dump(run.env, run.target)
        before = storage_dump(run.env, run.target)
        token.call_back(run.target, data, insists)
        done = run.call(move, *payment(move, amount), sender="breezy")
        end = storage_dump(run.env, run.target)
        called, succeeded, answered = token.called(), token.succeeded(), token.answered()
        inner = dict(back=name, outer=move, called=called, succeeded=succeeded, answered=answered)
        holds("C5-TOKEN-8", welcome, back=name)
        shut = not done.accepted and done.output == b"" if insists else called and not succeeded and answered == b""
        holds("C5-TOKEN-8", shut, when=welcome, outcome=done, **inner)
        holds("C5-TOKEN-9", end == (before if insists else wanted), accepted=done.accepted, **inner)


@given(
    name=st.sampled_from([*VIEWS, *FIXED]),
    move=st.sampled_from(PAYMENTS),
    amount=st.sampled_from([0, 1, 1000, FUNDS]),
    when=st.sampled_from(["asked for a holding", "moving"]),
)
def test_nobody_looks_in(name: str, move: str, amount: int, when: str) -> None:
    """T-MON-21: no view shows a half-done call; those of what never changes may answer, and answer the same as ever."""
    _, _, evil, token = markets()
    counters.tallies["histories"] += 1
    with evil.branch() as run:
        run.env.timestamp = START
        asked, data = _prepare(run, name, Phase.MATCHING)
        usual = answer(run.env, Sent(run.now, run.names["token"], asked, data, 0))
        before = storage_dump(run.env, run.target)
        if when == "moving":
            token.call_back(asked, data, False)
        else:
            token.call_back_when_asked(asked, data)
        done = run.call(move, *payment(move, amount), sender="breezy")
        end = storage_dump(run.env, run.target)
        fixed = name in FIXED
        if when == "moving":
            told = (token.succeeded(), token.answered())
            same = told in ((False, b""), (True, usual.output[:512]))
            holds("C5-TOKEN-10", same if fixed else told == (False, b""), view=name, told=told, outcome=done)
        else:
            refused = not done.accepted and done.output == b"" and end == before
            holds("C5-TOKEN-10", refused or fixed, view=name, outcome=done)


# ---- no token at all -----------------------------------------------------------------------------------


@given(move=st.sampled_from(PAYMENTS), amount=st.sampled_from([0, 1, 2**256 - 1]), gift=st.booleans())
def test_no_token_no_money(move: str, amount: int, gift: bool) -> None:
    """T-MON-18, T-MON-20: an address without a program answers nothing to everything, and that is not a yes."""
    odd, _, _, _ = markets()
    counters.tallies["histories"] += 1
    with boa.env.anchor():
        nothing = str(boa.env.generate_address("nothing"))
        market = open_market(nothing, odd.names["supplier"], TARIFF, odd.names["owner"])
        run = Run("Nothing", odd.env, market, nothing, TARIFF, odd.names, odd.interface, Lens(market.lens))
        if gift:
            run.env.set_balance(nothing, 10**18)
        before = storage_dump(run.env, run.target)
        done = run.call(move, *payment(move, amount), sender=HOUSEHOLDS[0])
        reason = "ledger: insufficient balance" if move in WITHDRAWALS and amount else None
        holds("C5-TOKEN-11", (done.accepted, done.reason) == (False, reason), move=move, amount=amount, got=done)
        holds("C5-TOKEN-11", storage_dump(run.env, run.target) == before, move=move)
