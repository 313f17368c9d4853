"""Defects reproduced in public energy-market contracts: this market is free of each, by a property.

One test per defect, in the order of the list; every docstring quotes the defect and says what is shown instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eth_utils.crypto import keccak
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.properties.machine import brought_in
from tests.properties.test_bounds import full_quote
from verification.gas.figures import TRANSACTION_CAP
from verification.harness import presets
from verification.harness.counters import holds
from verification.harness.lockstep import (
    CAPACITY,
    HOUSEHOLDS,
    MAX_CAPACITY,
    NEWCOMER,
    STRANGER,
    Lockstep,
)
from verification.harness.state import Account, Observation
from wattproof.market.symbolic import meter, salt_of
from wattproof.market.trace import Outcome
from wattproof.terms.model import Phase

SALT = bytes(range(32))
PROSUMER, BUYER, OTHER = HOUSEHOLDS[0], HOUSEHOLDS[1], HOUSEHOLDS[2]
MAX = 2**256 - 1


class Surroundings:
    """Names the presets, so that they are prepared before the tests."""

    preset_names = ("fresh", "poor", "full book")


class Day:
    """A market on the eve of a delivery period, with short ways through it; calls answer as `Lockstep.call` does."""

    def __init__(self, lockstep: Lockstep) -> None:
        self.lockstep = lockstep
        t = lockstep.tariff
        self.fee, self.sbp, self.ssp = t.service_fee, t.sbp, t.ssp
        self.low, self.high = t.lowest_price, t.highest_price
        self.period = lockstep.next_period()
        lockstep.watch(self.period)

    def call(self, function: str, *args: Any, sender: str) -> Outcome:
        """One call."""
        return self.lockstep.call(function, *args, sender=sender)

    def to(self, phase: str) -> None:
        """To the first second of a phase."""
        self.lockstep.to(Phase[phase], self.period)

    def look(self) -> Observation:
        """What the views tell."""
        return self.lockstep.observe()

    def account(self, name: str) -> Account:
        """Somebody's account."""
        return self.look().accounts[self.lockstep.address(name)]

    def wealth(self, name: str) -> int:
        """What somebody holds in the market, free or not."""
        account = self.account(name)
        return account.balance + account.reserved

    def everybody(self) -> dict[str, Account]:
        """Everybody's account by name."""
        return {self.lockstep.names[user]: account for user, account in self.look().accounts.items()}

    def quote(self, volume: int, price: int | None = None, name: str = PROSUMER) -> Outcome:
        """A prosumer quotes, at the lowest price unless told otherwise."""
        return self.call("submit_quote", self.period, volume, self.low if price is None else price, sender=name)

    def bid(self, number: int, name: str, price: int, volume: int, salt: bytes = SALT) -> Outcome:
        """Somebody hands in a sealed bid."""
        return self.lockstep.bid(number, name, price, volume, salt)

    def reveal(self, number: int, name: str, price: int, volume: int, salt: bytes = SALT) -> Outcome:
        """Somebody opens a bid."""
        return self.lockstep.reveal(number, name, price, volume, salt)

    def auction(self, volume: int, *bids: tuple[str, int, int]) -> list[Outcome]:
        """Quote 1 with bids `(name, price, volume)`, opened and matched; ends in MATCHING."""
        made = [self.quote(volume)]
        made += [self.bid(1, *bid) for bid in bids]
        self.to("REVEALING")
        made += [self.reveal(1, *bid) for bid in bids]
        self.to("MATCHING")
        return [*made, self.call("match_bids", 1, sender=STRANGER)]

    def read(self, name: str, exported: int, imported: int, **other: Any) -> Outcome:
        """A household's meter reports."""
        return self.lockstep.read(name, self.period, exported, imported, **other)

    def settle(self, number: int = 1, sender: str = "owner") -> Outcome:
        """A quote is settled."""
        return self.call("settle_quote", number, sender=sender)

    def remaining(self, number: int) -> int | None:
        """What is for sale of a quote; None where the view reverts."""
        lens = self.lockstep.lens
        data = lens.views["remaining"].encode([number])
        made = self.lockstep.env.execute_code(to_address=lens.address, data=data, is_modifying=False)
        return None if made.is_error else int.from_bytes(made.output, "big")

    def widen(self) -> None:
        """The owner raises everybody's capacity to the most that there is."""
        for name in HOUSEHOLDS:
            self.call("authorize", name, MAX_CAPACITY, sender="owner")

    def gas(self, function: str, *args: int, sender: str) -> int:
        """The gas that a call takes; the model follows."""
        data = self.lockstep.interface.functions[function].encode(args)
        who = self.lockstep.address(sender)
        made = self.lockstep.env.execute_code(to_address=self.lockstep.target, sender=who, data=data)
        holds("C4-SEEN-18", made.is_success, call=function)
        getattr(self.lockstep.model, function)(*args, sender=who, now=self.lockstep.now)
        return made.get_gas_used()

    def close(self, name: str, sender: str = "owner") -> Outcome:
        """A household's account is settled."""
        return self.call("settle_account", name, self.period, sender=sender)


@contextmanager
def day(preset: str = "fresh") -> Iterator[Day]:
    """A market of that preset; what happens in it is undone. The model is told, but does not speak first."""
    with presets.prepared(preset).branch() as lockstep:
        lockstep.strict = False
        yield Day(lockstep)


def accepted(outcomes: list[Outcome]) -> bool:
    """Whether all of them were accepted."""
    return all(outcome.accepted for outcome in outcomes)


wide = st.integers(0, MAX) | st.integers(0, 255).map(lambda bits: 1 << bits) | st.integers(0, 300)
wh = st.sampled_from([1, 2, 3, 19, 20, 21, 99, 100, 101]) | st.integers(1, 5000)
price = st.integers(7, 17)
"""The band of the fresh market: SBP 6, SSP 18, fee 1."""


@given(
    volume=st.integers(1, MAX_CAPACITY) | wh | wide,
    asked=price | wide,
    wanted=st.integers(1, MAX_CAPACITY) | wh | wide,
    offered=price | wide,
)
@example(volume=MAX_CAPACITY, asked=7, wanted=MAX_CAPACITY, offered=17)
@example(volume=MAX_CAPACITY, asked=7, wanted=2**23, offered=1 << 233)
@example(volume=100, asked=7, wanted=100, offered=(1 << 256) // 100)
@example(volume=100, asked=7, wanted=100, offered=MAX)
@example(volume=1000, asked=9, wanted=1000, offered=12)
def test_01_products_are_checked(volume: int, asked: int, wanted: int, offered: int) -> None:
    """Defect 1: "Unchecked `amount * price`: an order escrowed for 0 emptied the pool."

    Whatever numbers are quoted and bid, what is accepted reserved exactly the product, computed without bounds.
    """
    with day() as d:
        d.widen()
        before = d.account(PROSUMER).reserved
        if not d.quote(volume, asked).accepted:
            holds("C4-SEEN-1", d.account(PROSUMER).reserved == before, volume=volume, price=asked)
            assume(d.quote(1000).accepted)
            volume = 1000
        reserved = d.account(PROSUMER).reserved - before
        holds("C4-SEEN-1", reserved == volume * d.ssp * 10 // 100, volume=volume, reserved=reserved)
        d.bid(1, BUYER, offered, wanted)
        d.to("REVEALING")
        made = d.reveal(1, BUYER, offered, wanted).accepted
        reserved, owed = d.account(BUYER).reserved, wanted * (offered + d.fee)
        holds("C4-SEEN-1", reserved == (owed if made else 0), price=offered, volume=wanted, reserved=reserved)
        d.to("MATCHING")
        d.call("match_bids", 1, sender=STRANGER)
        bought, spent = d.call("buy_surplus", 1, wanted, sender=OTHER).accepted, d.account(OTHER).reserved
        owed = wanted * (d.look().quotes[1].price + d.fee)
        holds("C4-SEEN-1", spent == (owed if bought else 0), volume=wanted, reserved=spent)


@given(sellers=st.permutations(HOUSEHOLDS), count=st.integers(1, 6), wide_id=wide)
def test_02_no_quote_has_the_number_zero(sellers: list[str], count: int, wide_id: int) -> None:
    """Defect 2: "Order ID 0 never counts as used: a second order overwrites the first and its tokens are lost."

    Quotes are numbered 1, 2, 3...; none changes when the next is made; every call refuses number 0 (or any other).
    """
    with day() as d:
        rows: dict[int, Any] = {}
        for turn, name in enumerate(sellers[:count], 1):
            made = d.quote(10 * turn, name=name)
            seen = d.look().quotes
            kept = all(seen[number] == row for number, row in rows.items())
            holds("C4-SEEN-2", made.result == turn and kept, expected=turn, result=made.result)
            again = d.quote(1, name=name)
            holds("C4-SEEN-2", again.reason == "quotes: already quoted", result=again)
            rows[turn] = seen[turn]
        for number in {0, count + 1, wide_id} - set(rows):
            for function, more in (
                ("submit_bid", (SALT,)),
                ("reveal_bid", (7, 1, SALT)),
                ("match_bids", ()),
                ("buy_surplus", (1,)),
                ("settle_quote", ()),
                ("invalidate_quote", ()),
            ):
                made = d.call(function, number, *more, sender=sellers[0])
                holds("C4-SEEN-2", made.reason == "quotes: unknown quote", call=function, number=number, result=made)
        holds("C4-SEEN-2", d.look().quotes == rows, quotes=d.look().quotes)


@given(
    user=st.sampled_from(HOUSEHOLDS),
    signer=st.sampled_from((*HOUSEHOLDS, NEWCOMER, STRANGER)),
    exported=st.integers(0, 2 * CAPACITY) | wide,
    imported=st.integers(0, 2 * CAPACITY) | wide,
)
def test_03_a_reading_is_bound_to_its_meter(user: str, signer: str, exported: int, imported: int) -> None:
    """Defect 3: "A reading is not bound to the meter's owner: anybody mints energy for anybody."

    Only the user's own meter can say what the user exported; with any other signer the reading stays absent.
    """
    assume(signer != user)
    with day() as d:
        d.to("METERING")
        d.lockstep.address(signer)
        made = d.read(user, exported, imported, meter_of=signer)
        stolen = d.lockstep.reading(signer, d.period, exported, imported)
        handed = d.call("submit_reading", user, d.period, exported, imported, stolen, sender=signer)
        refused = made.reason == handed.reason == "accounts: wrong meter"
        holds("C4-SEEN-3", refused and not any(row.present for row in d.look().readings.values()), result=made)
        own = d.read(user, exported, imported)
        row = d.look().readings[d.lockstep.address(user), d.period]
        counts = (1, min(exported, CAPACITY), min(imported, CAPACITY))
        holds("C4-SEEN-3", own.accepted and row == counts, result=own, row=row, counts=counts)


@given(volume=wh, wanted=st.lists(st.tuples(wh, price), min_size=1, max_size=4), percent=st.integers(0, 120))
def test_04_who_pays_receives(volume: int, wanted: list[tuple[int, int]], percent: int) -> None:
    """Defect 4: "The winner is cleared before it is read: the buyer pays and nobody receives."

    All that leaves the buyers at a settlement arrives at the prosumer and the owner, and each buyer that paid received.
    """
    bids = [(name, p, min(q, volume)) for name, (q, p) in zip(HOUSEHOLDS[1:], wanted, strict=False)]
    with day() as d:
        fine = accepted(d.auction(volume, *bids))
        holds("C4-SEEN-4", fine)
        d.to("METERING")
        d.read(PROSUMER, volume * percent // 100, 0)
        d.to("SETTLING")
        names = [PROSUMER, "owner", *(name for name, _, _ in bids)]
        before = {name: d.wealth(name) for name in names}
        holds("C4-SEEN-4", d.settle().accepted)
        gain = {name: d.wealth(name) - before[name] for name in names}
        holds("C4-SEEN-4", sum(gain.values()) == 0, gains=gain)
        positions = d.look().positions
        for name, _, _ in bids:
            received = positions[d.lockstep.address(name), d.period].received
            holds("C4-SEEN-4", received > 0, when=gain[name] < 0, buyer=name, gain=gain[name])
            at_least = -gain[name] >= received * (d.low if percent >= 100 else 0)
            holds("C4-SEEN-4", at_least, when=received and percent >= 100, buyer=name, gain=gain[name])


@given(
    volume=wh, percent=st.integers(0, 120), callers=st.lists(st.sampled_from((PROSUMER, "owner", STRANGER)), min_size=1)
)
def test_05_delivered_once(volume: int, percent: int, callers: list[str]) -> None:
    """Defect 5: "No "done" flag: a paid seller delivers the same energy again and again."

    A settled quote is settled for good, whoever asks again and whenever: nothing is delivered or paid twice.
    """
    with day() as d:
        d.auction(volume, (BUYER, d.high, volume))
        d.to("METERING")
        d.read(PROSUMER, volume * percent // 100, 0)
        d.to("SETTLING")
        holds("C4-SEEN-5", d.settle().accepted)
        before = d.look()
        for turn, caller in enumerate(callers):
            if turn == 1:
                d.to("CLOSING")
            again = d.settle(sender=caller)
            after = d.look()
            same = after.accounts == before.accounts and after.positions == before.positions
            holds("C4-SEEN-5", again.reason == "quotes: not matched" and same, caller=caller, result=again)


@given(volume=wh, bought=wh, more=wh, exported=st.integers(0, 9000), imported=st.integers(0, 9000))
def test_06_valid_calls_never_underflow(volume: int, bought: int, more: int, exported: int, imported: int) -> None:
    """Defect 6: "An unsigned subtraction underflows and refuses a valid trade."

    Whatever was sold, exported and imported, more or less of each than of the others: every due call is accepted.
    """
    bought = min(bought, volume)
    with day() as d:
        made = d.auction(volume, (BUYER, d.low, bought))
        left = d.remaining(1)
        holds("C4-SEEN-6", left == volume - bought, left=left)
        assert left is not None
        sold = bought
        if 0 < more <= left and (64 * more >= volume or more == left):
            made.append(d.call("buy_surplus", 1, more, sender=OTHER))
            sold += more
        d.to("METERING")
        made += [d.read(PROSUMER, exported, imported), d.read(BUYER, exported, imported)]
        left = d.remaining(1)
        holds("C4-SEEN-6", left == max(exported - sold, 0), exported=exported, sold=sold, left=left)
        d.to("SETTLING")
        made += [d.settle(), d.close(PROSUMER), d.close(BUYER)]
        holds("C4-SEEN-6", accepted(made), volume=volume, exported=exported, imported=imported, results=made)
        seen = d.look()
        rows = [seen.positions[d.lockstep.address(name), d.period] for name in (PROSUMER, BUYER)]
        holds("C4-SEEN-6", all(max(row) <= CAPACITY for row in rows), rows=rows)


@given(volume=wh, first=wh, steps=st.lists(wh, min_size=1, max_size=6), exported=st.none() | st.integers(0, 6000))
def test_07_limits_bind(volume: int, first: int, steps: list[int], exported: int | None) -> None:
    """Defect 7: "A limit is compared with a value from which the same value was subtracted: it never binds."

    Purchases stop exactly where the quote, or the export, is sold out; withdrawals exactly where free money ends.
    """
    first = min(first, volume)
    with day() as d:
        d.auction(volume, (BUYER, d.low, first))
        offered = volume
        if exported is not None:
            d.to("METERING")
            d.read(PROSUMER, exported, 0)
            offered = exported
        sold = first
        for step in steps:
            made = d.call("buy_surplus", 1, step, sender=OTHER)
            reason = None
            if sold + step > offered:
                reason = "surplus: not enough left"
            elif 64 * step < offered and sold + step < offered:
                reason = "surplus: volume too small"
            fits = reason is None
            holds("C4-SEEN-7", made.accepted == fits and made.reason == reason, sold=sold, step=step, result=made)
            sold += step if made.accepted else 0
        left = max(offered - sold, 0)
        over = d.call("buy_surplus", 1, left + 1, sender=OTHER)
        holds("C4-SEEN-7", over.reason == "surplus: not enough left", left=left, result=over)
        last = d.call("buy_surplus", 1, left, sender=OTHER) if left else over
        holds("C4-SEEN-7", last.accepted, when=left > 0, left=left, result=last)
        free = d.account(OTHER).balance
        over = d.call("withdraw", free + 1, sender=OTHER)
        holds("C4-SEEN-7", over.reason == "ledger: insufficient balance", free=free, result=over)
        holds("C4-SEEN-7", d.call("withdraw", free, sender=OTHER).accepted, free=free)


@given(volume=wh, wanted=wh, percent=st.integers(0, 120), again=st.sampled_from(("owner", STRANGER, BUYER)))
def test_08_nothing_is_final_twice(volume: int, wanted: int, percent: int, again: str) -> None:
    """Defect 8: "Finalising twice emits the old result again."

    Matching, settling a quote and settling an account each succeed once; the second call is refused without any event.
    """
    with day() as d:
        d.auction(volume, (BUYER, d.low, min(wanted, volume)))
        second = d.call("match_bids", 1, sender=again)
        holds("C4-SEEN-8", second.reason == "quotes: not valid" and not second.events, result=second)
        d.to("METERING")
        d.read(PROSUMER, volume * percent // 100, 0)
        d.read(BUYER, 0, wanted)
        d.to("CLOSING")
        first = [d.settle(sender=again), d.close(BUYER, sender=again), d.close(PROSUMER, sender=again)]
        holds("C4-SEEN-8", accepted(first), results=first)
        for second, reason in (
            (d.call("match_bids", 1, sender=again), "quotes: not valid"),
            (d.settle(sender=again), "quotes: not matched"),
            (d.close(BUYER, sender=again), "settlement: already settled"),
            (d.close(PROSUMER, sender=again), "settlement: already settled"),
        ):
            holds("C4-SEEN-8", second.reason == reason and not second.events, expected=reason, result=second)


STRANGERS_CALLS = (
    "deposit",
    "withdraw",
    "withdraw_at_least",
    "clear",
    "submit_quote",
    "submit_bid",
    "reveal_bid",
    "buy_surplus",
    "match_bids",
)
STRANGERS_CALLS += ("authorize", "revoke", "settle_quote", "settle_account", "invalidate_quote", "transfer_ownership")
STRANGERS_CALLS += ("register", "submit_reading")
moves = st.lists(st.tuples(st.sampled_from(STRANGERS_CALLS), wide, st.sampled_from(HOUSEHOLDS)), max_size=8)


def _tried(d: Day, function: str, number: int, name: str, sender: str) -> Outcome:
    """A call with these arguments wherever they fit."""
    people = ("clear", "revoke", "transfer_ownership")
    args: tuple[Any, ...] = (name,) if function in people else (number,)
    match function:
        case "authorize":
            args = (name, number)
        case "withdraw_at_least":
            args = (number, number // 2)
        case "submit_quote":
            args = (d.period, number, d.low)
        case "submit_bid":
            args = (1, SALT)
        case "reveal_bid":
            args = (1, d.low, number, SALT)
        case "buy_surplus":
            args = (1, number)
        case "match_bids" | "settle_quote" | "invalidate_quote":
            args = (1,)
        case "settle_account":
            args = (name, d.period)
        case "register":
            args = (SALT, meter(sender).address, d.lockstep.pairing(sender, SALT))
        case "submit_reading":
            name = sender if number % 2 else name
            args = (name, d.period, number, 0, d.lockstep.reading(name, d.period, number, 0, meter_of=sender))
    return d.call(function, *args, sender=sender)


PHASES_IN_TURN = ("REVEALING", "MATCHING", "DELIVERING", "METERING", "SETTLING", "CLOSING")
SELF_MADE_METER = [
    ("REVEALING", [("register", 1, PROSUMER)]),
    ("METERING", [("submit_reading", 2**48 - 1, PROSUMER)]),
    ("CLOSING", [("settle_account", 1, STRANGER), ("withdraw", 1, PROSUMER)]),
]
"""The way by which the supplier's balance could be taken: a key of its own as meter, and a reading of 2^48 - 1 Wh."""


@given(plan=st.lists(st.tuples(st.sampled_from(PHASES_IN_TURN), moves), min_size=1, max_size=4))
@example(plan=SELF_MADE_METER)
def test_09_a_stranger_credits_nobody(plan: list[tuple[str, list[tuple[str, int, str]]]]) -> None:
    """Defect 9: "A stranger can credit any balance."

    Whatever a stranger calls, at any time, registered with a meter of its own or not, nobody's money in the market
    grows but its own, and that only by what it deposits; its invoice account stays empty.
    """
    with day() as d:
        d.quote(100)
        d.bid(1, BUYER, d.low, 50)
        before, paid = {name: d.wealth(name) for name in d.everybody()}, 0
        for phase, calls in sorted(plan, key=lambda part: PHASES_IN_TURN.index(part[0])):
            d.to(phase)
            for function, number, name in calls:
                amount = number % 1000 if function == "deposit" else number
                if _tried(d, function, amount, name, STRANGER).accepted:
                    paid += brought_in(function, (amount,))
        gain = {name: d.wealth(name) - wealth for name, wealth in before.items()}
        holds("C4-SEEN-9", gain.pop(STRANGER) == paid, paid=paid)
        holds("C4-SEEN-9", not any(gain.values()), gains=gain)
        holds("C4-SEEN-9", d.account(STRANGER).grid_account == 0, account=d.account(STRANGER))


@given(turns=st.lists(st.sampled_from(HOUSEHOLDS), min_size=1, max_size=8), lost=st.sampled_from(HOUSEHOLDS))
def test_10_removing_one_removes_no_other(turns: list[str], lost: str) -> None:
    """Defect 10: "Deleting one user removes another (swap-and-pop on the wrong index)."

    Revoking a user, and taking a quote back, changes that user, or that quote, and no other.
    """
    with day() as d:
        numbers = {name: d.quote(10, name=name).result or 0 for name in HOUSEHOLDS}
        for name in turns:
            before = d.everybody()
            function = "revoke" if before[name].authorized else "authorize"
            made = d.call(function, name, *((CAPACITY,) if function == "authorize" else ()), sender="owner")
            after = d.everybody()
            flipped = before[name]._replace(authorized=1 - before[name].authorized)
            holds("C4-SEEN-10", made.accepted and after == before | {name: flipped}, call=function, user=name)
        before_quotes = d.look().quotes
        made = d.call("invalidate_quote", numbers[lost], sender=lost)
        after_quotes, mine = d.look().quotes, numbers[lost]
        rest = {number: row for number, row in after_quotes.items() if number != mine}
        kept = all(before_quotes[number] == row for number, row in rest.items()) and len(rest) == len(HOUSEHOLDS) - 1
        holds("C4-SEEN-10", made.accepted and kept and after_quotes[mine].status == 2, lost=lost)
        owners = {name: d.look().quote_of[d.lockstep.address(name), d.period] for name in HOUSEHOLDS}
        holds("C4-SEEN-10", owners == numbers, quote_of=owners)


@given(
    exported=st.integers(0, 2 * CAPACITY),
    imported=st.integers(0, 2 * CAPACITY),
    callers=st.lists(st.sampled_from((BUYER, "owner", STRANGER)), min_size=1, max_size=4),
)
def test_11_a_period_is_charged_once(exported: int, imported: int, callers: list[str]) -> None:
    """Defect 11: "A period settled twice charges twice."

    A household's period costs what its meter says, once, whoever settles it how often and whenever.
    """
    with day() as d:
        d.to("METERING")
        d.read(BUYER, exported, imported)
        d.to("SETTLING")
        before = d.wealth(BUYER)
        holds("C4-SEEN-11", d.close(BUYER).accepted)
        due = min(exported, CAPACITY) * d.sbp - min(imported, CAPACITY) * d.ssp
        for turn, caller in enumerate(callers):
            if turn == 1:
                d.to("CLOSING")
            again = d.close(BUYER, sender=caller)
            early = turn == 0 and caller != "owner"
            reason = "settlement: owner only" if early else "settlement: already settled"
            got = d.wealth(BUYER) - before + d.account(BUYER).grid_account
            holds("C4-SEEN-11", again.reason == reason and got == due, caller=caller, result=again, got=got, due=due)


INITIALISERS = (
    "initialize",
    "init",
    "__init__",
    "initialise",
    "setup",
    "setOwner",
    "set_owner",
    "claimOwnership",
    "own",
)
arguments = st.sampled_from(("", "address", "address,address", "address,address,uint256"))


@given(
    name=st.sampled_from(INITIALISERS) | st.text("abcdefgilmnoprstuw_", min_size=1, max_size=12),
    kinds=arguments,
    caller=st.sampled_from((STRANGER, "supplier", *HOUSEHOLDS)),
)
def test_12_nothing_hands_over_ownership(name: str, kinds: str, caller: str) -> None:
    """Defect 12: "An unguarded initialiser hands over ownership."

    There is no initialiser on the chain, by any name; nobody but the owner can name a successor, nor accept unnamed.
    """
    with day() as d:
        who = d.lockstep.address(caller)
        data = keccak(text=f"{name}({kinds})")[:4] + int(who, 16).to_bytes(32, "big") * 4
        known = {function.selector for function in d.lockstep.interface.functions.values()}
        made = d.lockstep.env.execute_code(to_address=d.lockstep.target, sender=who, data=data)
        holds("C4-SEEN-12", made.is_error and not made.output, when=data[:4] not in known, name=name)
        named = d.call("transfer_ownership", caller, sender=caller)
        taken = d.call("accept_ownership", sender=caller)
        refused = (named.reason, taken.reason)
        wanted = ("ownable: caller is not the owner", "ownable_2step: caller is not the new owner")
        holds("C4-SEEN-12", refused == wanted, results=refused)
        seen = d.look()
        kept = seen.owner == int(d.lockstep.address("owner"), 16) and seen.pending_owner == 0
        holds("C4-SEEN-12", kept, owner=hex(seen.owner))


@given(volume=wh, wanted=wh, offered=price, percent=st.integers(0, 120), calls=moves)
def test_13_nobody_locks_anothers_money(
    volume: int, wanted: int, offered: int, percent: int, calls: list[tuple[str, int, str]]
) -> None:
    """Defect 13: "Anybody locks another user's energy; overpayment is kept."

    What others call never moves a user's money into escrow; and of what a trade reserved, all that it did not cost
    comes back, to the last unit.
    """
    wanted = min(wanted, volume)
    with day() as d:
        for function, number, name in calls:
            before = d.everybody()
            _tried(d, function, number, name, STRANGER)
            after = d.everybody()
            locked = [who for who in after if after[who].reserved > before[who].reserved and who != STRANGER]
            holds("C4-SEEN-13", not locked, call=function, locked=locked)
        before = {name: d.wealth(name) for name in (PROSUMER, BUYER)}
        number = d.quote(volume).result or 0
        d.bid(number, BUYER, offered, wanted)
        d.to("REVEALING")
        d.reveal(number, BUYER, offered, wanted)
        d.to("MATCHING")
        d.call("match_bids", number, sender=STRANGER)
        d.to("METERING")
        d.read(PROSUMER, volume * percent // 100, 0)
        d.to("CLOSING")
        holds("C4-SEEN-13", d.settle(number, sender=STRANGER).accepted)
        seen = d.everybody()
        holds("C4-SEEN-13", not any(account.reserved for account in seen.values()), accounts=seen)
        exported = volume * percent // 100
        got = min(wanted, exported)
        short = (wanted - got) * offered * 10 // 100 if exported * 100 < volume * 95 else 0
        fee = got * d.fee if got == wanted else 0
        paid = before[BUYER] - d.wealth(BUYER)
        holds("C4-SEEN-13", paid == got * offered + fee - short, paid=paid, delivered=got, price=offered)


@given(volume=wh, wanted=st.lists(st.tuples(wh, price), min_size=1, max_size=5), exported=st.integers(0, 6000))
@example(volume=5000, wanted=[(5000, 17)], exported=0)
@example(volume=100, wanted=[(1, 7), (99, 17)], exported=94)
def test_14_a_compensation_never_underflows(volume: int, wanted: list[tuple[int, int]], exported: int) -> None:
    """Defect 14: "A fine underflows to nearly 2**256."

    The compensation is a tenth of what is short, trade by trade, rounded down, never more than the collateral; nobody
    ends with more money than there is.
    """
    bids = [(name, p, min(q, volume)) for name, (q, p) in zip(HOUSEHOLDS[1:], wanted, strict=False)]
    with day() as d:
        d.auction(volume, *bids)
        d.to("METERING")
        d.read(PROSUMER, exported, 0)
        d.to("SETTLING")
        before = d.account(PROSUMER)
        made = d.settle()
        holds("C4-SEEN-14", made.accepted, result=made)
        fined = sum(fields["compensation"] for name, fields in made.events if name == "TradeSettled")
        worth = sum(min(q, volume) * p for q, p in wanted)
        collateral = volume * d.ssp * 10 // 100
        inside = exported * 100 >= volume * 95
        holds("C4-SEEN-14", fined <= min(collateral, worth * 10 // 100) and (not inside or fined == 0), fined=fined)
        after = d.account(PROSUMER)
        lost = before.balance + before.reserved - after.balance - after.reserved
        holds("C4-SEEN-14", lost <= fined + volume * d.fee and after.reserved == 0, lost=lost, fined=fined)
        seen = d.look()
        rich = [who for who, account in seen.accounts.items() if account.balance + account.reserved > seen.tokens]
        holds("C4-SEEN-14", not rich, rich=rich)


@given(
    slack=st.integers(-2, 2), volume=st.integers(1, 400), offered=price, kind=st.sampled_from(("quote", "bid", "buy"))
)
def test_15_caps_hold(slack: int, volume: int, offered: int, kind: str) -> None:
    """Defect 15: "A cap named in a comment is not enforced: an account ends below zero."

    Quoting, opening and buying each succeed exactly when the free money covers the whole reserve; what is free is then
    less by just that, and never below zero.
    """
    with day("poor") as d:
        name = PROSUMER if kind == "quote" else BUYER
        cost = {"quote": volume * d.ssp * 10 // 100, "bid": volume * (offered + d.fee)}.get(
            kind, volume * (d.low + d.fee)
        )
        left = max(cost + slack, 0)
        free = d.account(name).balance
        assume(left <= free)
        holds("C4-SEEN-15", d.call("withdraw", free - left, sender=name).accepted, keeps=left)
        if kind == "quote":
            made = d.quote(volume)
        else:
            d.quote(volume)
            d.bid(1, BUYER, offered, volume)
            d.to("REVEALING")
            if kind == "bid":
                made = d.reveal(1, BUYER, offered, volume)
            else:
                d.to("MATCHING")
                d.call("match_bids", 1, sender=STRANGER)
                made = d.call("buy_surplus", 1, volume, sender=BUYER)
        enough = left >= cost
        reason = None if enough else "ledger: insufficient balance"
        account = d.account(name)
        money = (account.balance, account.reserved)
        expected = (left - cost, cost) if enough else (left, 0)
        fits = made.accepted == enough and made.reason == reason and money == expected
        holds("C4-SEEN-15", fits, free=left, cost=cost, result=made, money=money)


@given(
    volume=st.integers(1, 100),
    offered=price,
    salt=st.binary(min_size=32, max_size=32),
    guess=st.binary(min_size=32, max_size=32),
    thief=st.sampled_from(HOUSEHOLDS[2:]),
    copies=st.booleans(),
)
def test_16_bids_can_be_neither_guessed_nor_claimed(
    volume: int, offered: int, salt: bytes, guess: bytes, thief: str, copies: bool
) -> None:
    """Defect 16: "Bids hashed without a salt can be guessed; a revealed price can be claimed by somebody who did not
    bid."

    The same bid under another salt has another seal, so that trying every price and volume tells nothing; and what one
    bidder reveals opens nobody else's bid, not even a copy of its seal.
    """
    assume(salt != guess)
    with day() as d:
        d.quote(100)
        seal = d.lockstep.seal(1, BUYER, offered, volume, salt)
        d.call("submit_bid", 1, seal, sender=BUYER)
        told = d.lockstep.market.seal_of(1, d.lockstep.address(BUYER), offered, volume, salt)
        unlike = d.lockstep.market.seal_of(1, d.lockstep.address(BUYER), offered, volume, guess)
        plain = keccak(offered.to_bytes(32, "big") + volume.to_bytes(32, "big"))
        holds("C4-SEEN-16", told == seal and unlike != seal and plain != seal, seal=seal.hex())
        if copies:
            d.call("submit_bid", 1, seal, sender=thief)
        d.to("REVEALING")
        wrong = d.reveal(1, BUYER, offered, volume, guess)
        holds("C4-SEEN-16", wrong.reason == "bids: seal does not match", result=wrong)
        holds("C4-SEEN-16", d.reveal(1, BUYER, offered, volume, salt).accepted)
        claim = d.reveal(1, thief, offered, volume, salt)
        reason = "bids: seal does not match" if copies else "bids: nothing to open"
        holds("C4-SEEN-16", claim.reason == reason and d.account(thief).reserved == 0, result=claim)
        d.to("MATCHING")
        d.call("match_bids", 1, sender=thief)
        bids = d.look().bids
        won = [user for (_, user), bid in bids.items() if bid.filled]
        holds("C4-SEEN-16", won == [d.lockstep.address(BUYER)], winners=won)


@given(
    silent=st.sets(st.sampled_from(HOUSEHOLDS)),
    volume=st.integers(5, 500),
    share=st.sampled_from((1, 2, 3, 4)),
    settles=st.booleans(),
)
def test_17_the_silent_block_nobody(silent: set[str], volume: int, share: int, settles: bool) -> None:
    """Defect 17: "One silent user blocks everybody's payment."

    Whichever meters stay silent, with or without the owner: every quote and account settles, and everybody takes out
    all that it has.
    """
    with day() as d:
        numbers = [d.quote(volume, name=name).result or 0 for name in HOUSEHOLDS[:2]]
        for number in numbers:
            for name in HOUSEHOLDS[2:]:
                d.bid(number, name, d.low, volume // share)
        d.to("REVEALING")
        for number in numbers:
            for name in HOUSEHOLDS[2:]:
                if name not in silent or name == HOUSEHOLDS[2]:
                    d.reveal(number, name, d.low, volume // share)
        d.to("METERING")
        for name in HOUSEHOLDS:
            if name not in silent:
                d.read(name, volume, volume // 2)
        d.to("SETTLING" if settles else "CLOSING")
        caller = "owner" if settles else STRANGER
        done = [d.call("match_bids", number, sender=caller) for number in numbers]
        done += [d.settle(number, sender=caller) for number in numbers]
        bought = {name: d.look().positions[d.lockstep.address(name), d.period].bought for name in HOUSEHOLDS}
        done += [d.close(name, sender=caller) for name in HOUSEHOLDS if bought[name] or name not in silent]
        holds("C4-SEEN-17", accepted(done), silent=sorted(silent), results=done)
        for name in (*HOUSEHOLDS, STRANGER, "owner", "supplier"):
            account = d.account(name)
            free = account.balance + max(account.grid_account, 0)
            out = d.call("withdraw", account.balance, sender=name)
            holds("C4-SEEN-17", out.accepted and d.account(name).reserved == 0, who=name, free=free, result=out)
        held = d.look()
        owned = sum(account.balance for account in held.accounts.values())
        holds("C4-SEEN-17", held.tokens == owned, tokens=held.tokens, owned=owned)


COLD = 2_100
"""Gas by which a first access to a slot may cost more than a later one; under titanoboa slots stay warm."""


def test_18_a_full_book_fits_into_a_transaction() -> None:
    """Defect 18: "Book scans grow with the square of the orders: a full book cannot be settled within a block."

    With the 128 bids that a book can hold, and the 256 trades that a quote can have, each call fits into what a
    transaction may use since Osaka (EIP-7825), which is less than a block, all slots counted as cold.
    """
    with day("full book") as d:
        number = 1
        quote = d.look().quotes[number]
        d.period = quote.period
        name = HOUSEHOLDS[1]
        last = d.reveal(number, name, d.high, 20, salt_of(number, name))
        holds("C4-SEEN-18", last.accepted, result=last)
        d.to("MATCHING")
        matched = d.gas("match_bids", number, sender=STRANGER)
    with day() as d:
        number = full_quote(d.lockstep)
        trades = len(d.lockstep.market.trades(number))
        d.to("SETTLING")
        settled = d.gas("settle_quote", number, sender="owner")
        # At most 12 slots are touched per bid in a matching and per trade in a settlement.
        holds("C4-SEEN-18", matched + 128 * 12 * COLD <= TRANSACTION_CAP, gas=matched)
        fits = settled + 256 * 12 * COLD <= TRANSACTION_CAP
        holds("C4-SEEN-18", trades == 256 and fits, gas=settled, trades=trades)


def matching_gas(count: int, ascending: bool) -> int:
    """The gas of matching a quote with so many bids, each larger, or each smaller, than the one opened before it."""
    with day("full book") as d:
        d.period += 1
        number = d.quote(9_000).result or 0
        crowd = [f"household_{place}" for place in range(count)]
        sizes = {name: 1 + (place if ascending else count - place) for place, name in enumerate(crowd)}
        made = [d.bid(number, name, d.low, size) for name, size in sizes.items()]
        d.to("REVEALING")
        made += [d.reveal(number, name, d.low, size) for name, size in sizes.items()]
        d.to("MATCHING")
        holds("C4-SEEN-18", accepted(made))
        return d.gas("match_bids", number, sender=STRANGER)


PASS = 500
"""Gas: more than what a pass of a merge sort costs for one bid. Four times the bids need two passes more."""


@given(count=st.integers(8, 31), ascending=st.booleans())
def test_18_work_grows_with_the_book(count: int, ascending: bool) -> None:
    """Defect 18, again: four times the bids cost at most four times the gas, and two passes of a sort more."""
    few, many = matching_gas(count, ascending), matching_gas(4 * count, ascending)
    holds("C4-SEEN-18", many <= 4 * few + 2 * 4 * count * PASS, bids=count, few=few, many=many)
