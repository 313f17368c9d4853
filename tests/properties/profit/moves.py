"""What a coalition does: any call of the interface, at any time, with any of a few numbers, some of them many times.

Nothing here knows an attack. A member may make every call that the phase is open for, with its own key or with one
that the coalition holds, about anybody; the numbers are those that stand in the history (prices and volumes of the
quotes, what flows, capacities) and the ends of their ranges. What a call makes of them is up to the market.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.properties.profit.arena import (
    ANNA,
    BEN,
    CAPACITY,
    EVERYBODY,
    OWNER,
    REVOKED,
    SELLER,
    SLOTS,
    STRANGER,
    SUPPLIER,
    TARIFFS,
    TRADERS,
    WINNER,
    Done,
    Facts,
    History,
)
from wattproof.terms.model import Phase

ALWAYS = ("deposit", "withdraw", "withdraw_at_least", "clear", "register")
OPEN = {
    Phase.BIDDING: ("submit_quote", "submit_bid", "invalidate_quote"),
    Phase.REVEALING: ("reveal_bid",),
    Phase.MATCHING: ("match_bids", "buy_surplus"),
    Phase.DELIVERING: ("match_bids", "buy_surplus"),
    Phase.METERING: ("submit_reading", "buy_surplus", "match_bids"),
    Phase.SETTLING: ("settle_quote", "settle_account", "match_bids"),
    Phase.CLOSING: ("settle_quote", "settle_account", "match_bids"),
}
"""What can be called when: the table of phases in docs/terms.md, and what has no phase."""

OWNERS = ("authorize", "revoke")
TIMES = (1, 1, 1, 2, 16, 256)
"""How often a call is made in a row, at most: a coalition may be as busy as it likes."""

TRADING = ("submit_quote", "submit_bid", "reveal_bid", "buy_surplus")
"""What asks for an authorisation. It has, or may have, more than one effect when it is called again and again."""

KINDS = (STRANGER, ANNA, BEN, REVOKED, SUPPLIER, OWNER)
KEYS = (SELLER, WINNER)
"""Honest households whose meter's key a coalition may hold."""


@dataclass(frozen=True)
class Move:
    """A call at a slot: the numbers choose among what there is when it is made."""

    slot: str
    function: str
    who: int
    about: int
    first: int
    second: int
    times: int


@dataclass(frozen=True)
class Coalition:
    """One to three parties, the meters whose keys they hold, and what they do.

    A member's own meter may be honest: then it signs what flows, and no more.
    """

    members: tuple[str, ...]
    keys: tuple[str, ...]
    reports: bool
    moves: tuple[Move, ...]

    @property
    def silent(self) -> tuple[str, ...]:
        """The households that hand in no reading but by a move."""
        return () if self.reports else self.members

    @property
    def told(self) -> str:
        """Who they are, in words."""
        keys = f"; meters in their hands: {', '.join(sorted(self.keys))}" if self.keys else ""
        return f"the coalition: {', '.join(self.members)}{keys}"

    def act(self, history: History, slot: str) -> None:
        """Makes the moves of a slot, in order."""
        for move in self.moves:
            if move.slot == slot:
                self._make(history, move)

    def _make(self, history: History, move: Move) -> None:
        traders = [name for name in self.members if name in TRADERS]
        # Mostly a member that may trade makes the calls that ask for it; the others try as well.
        who = _pick(traders if traders and move.function in TRADING and move.who else self.members, move.who)
        for _ in range(move.times if move.function in TRADING else 1):
            if not _CALLS[move.function](self, history, move, who):
                break

    def signers(self, user: str) -> list[str]:
        """The keys with which a reading of a user can be signed falsely."""
        return [key for key in self.keys if key == user]


def _pick(options: Sequence[Any], number: int) -> Any:
    return options[number % len(options)]


def _volumes(history: History) -> list[int]:
    """Energies in Wh that somebody may think of: nothing special but the numbers of the history."""
    facts = history.facts
    (_, winner), (_, rival) = facts.bids
    flows = [flow for pair in facts.flows for flow in pair]
    numbers = {1, facts.volume, facts.volume // 2, facts.export, winner, rival, facts.late, CAPACITY, *flows}
    return sorted({number for number in numbers if number > 0})


def _claims(history: History) -> list[int]:
    """Energies that a meter may be made to tell, or an owner to allow: those, and the ends of all ranges."""
    return [0, *_volumes(history), 2**24 - 1, 2**24, 2**48 - 1, 2**256 - 1]


def _prices(history: History) -> list[int]:
    """Prices in base units per Wh, within the band."""
    t = history.arena.tariff
    (one, _), (other, _) = history.facts.bids
    return sorted({t.lowest_price, history.facts.price, one, other, t.highest_price})


def _note(history: History, who: str, function: str, *args: Any, quote_of: str | None = None) -> bool:
    history.done.append(Done(history.slot, who, function, args, quote_of))
    return True


def _quote_id(history: History, number: int) -> int | None:
    """One of the quotes of the history; mostly there are one or two."""
    numbers = list(history.quotes)
    return _pick(numbers, number) if numbers else None


def _about_money(self: Coalition, history: History, move: Move, who: str) -> bool:
    account = history.arena.calls.view("account", history.arena.addresses[who])
    amount = _pick(
        (0, 1, account.balance // 2, account.balance, account.balance + max(account.grid_account, 0)), move.first
    )
    args = (amount, _pick((0, amount, amount + 1), move.second)) if move.function == "withdraw_at_least" else (amount,)
    return history.call(move.function, who, *args) and _note(history, who, move.function, *args)


def _about_user(self: Coalition, history: History, move: Move, who: str) -> bool:
    user = _pick(EVERYBODY, move.about)
    args = (user, history.arena.period) if move.function == "settle_account" else (user,)
    return history.call(move.function, who, *args, shown=(user,)) and _note(history, who, move.function, user)


def _authorize(self: Coalition, history: History, move: Move, who: str) -> bool:
    user, capacity = _pick(EVERYBODY, move.about), _pick(_claims(history), move.first)
    accepted = history.call("authorize", who, user, capacity)
    if accepted:
        history.capacity[user] = capacity
        _note(history, who, "authorize", user, capacity)
    return accepted


def _register(self: Coalition, history: History, move: Move, who: str) -> bool:
    key = _pick((who, *self.keys), move.about)
    accepted = history.call("register", who, *history.arena.registration(who, meter_of=key), shown=(key,))
    return accepted and _note(history, who, "register")


def _submit_quote(self: Coalition, history: History, move: Move, who: str) -> bool:
    volume, price = _pick(_volumes(history), move.first), _pick(_prices(history), move.second)
    return history.quote(who, volume, price) and _note(history, who, "submit_quote", volume, price)


def _about_quote(self: Coalition, history: History, move: Move, who: str) -> bool:
    number = _quote_id(history, move.about)
    if number is None or not history.call(move.function, who, number):
        return False
    return _note(history, who, move.function, number, quote_of=history.quotes[number])


def _submit_bid(self: Coalition, history: History, move: Move, who: str) -> bool:
    number = _quote_id(history, move.about)
    if number is None:
        return False
    price, volume = _pick(_prices(history), move.first), _pick(_volumes(history), move.second)
    return history.bid(who, number, price, volume) and _note(history, who, "submit_bid", price, volume)


def _reveal_bid(self: Coalition, history: History, move: Move, who: str) -> bool:
    mine = [number for number, name in history.sealed if name == who]
    if not mine:
        return False
    number = _pick(mine, move.about)
    volume = history.sealed[number, who][1]
    accepted = history.open(who, number)
    return accepted and _note(history, who, "reveal_bid", volume, quote_of=history.quotes[number])


def _buy_surplus(self: Coalition, history: History, move: Move, who: str) -> bool:
    number = _quote_id(history, move.about)
    if number is None:
        return False
    left, offered = int(history.arena.calls.view("remaining", number)), history.facts.volume
    volume = _pick([1, -(-offered // 64), left // 2, left, *_volumes(history)], move.first)
    accepted = history.call("buy_surplus", who, number, volume)
    return accepted and _note(history, who, "buy_surplus", volume, quote_of=history.quotes[number])


def _submit_reading(self: Coalition, history: History, move: Move, who: str) -> bool:
    users = [*dict.fromkeys((who, *self.members, *self.keys))]
    user = _pick(users, move.about)
    if keys := self.signers(user):
        exported, imported = _pick(_claims(history), move.first), _pick(_claims(history), move.second)
        key = keys[0]
    else:  # Its meter signs what flows; of a stranger that has a meter of its own, that is the stranger's to say.
        exported, imported = history.facts.true_flow(user)
        key = user
    accepted = history.report(who, user, exported, imported, key)
    return accepted and _note(history, who, "submit_reading", user, exported, imported)


_CALLS: dict[str, Callable[[Coalition, History, Move, str], bool]] = {
    "deposit": _about_money,
    "withdraw": _about_money,
    "withdraw_at_least": _about_money,
    "clear": _about_user,
    "register": _register,
    "authorize": _authorize,
    "revoke": _about_user,
    "submit_quote": _submit_quote,
    "invalidate_quote": _about_quote,
    "submit_bid": _submit_bid,
    "reveal_bid": _reveal_bid,
    "match_bids": _about_quote,
    "buy_surplus": _buy_surplus,
    "submit_reading": _submit_reading,
    "settle_quote": _about_quote,
    "settle_account": _about_user,
}


_NUMBERS = st.integers(0, 59)
"""What chooses among the things of a history, however many there are."""


@functools.cache
def moves(slot: str, owner: bool) -> st.SearchStrategy[Move]:
    """A call at a slot, of those that are open then; with the owner's own calls where it is a member."""
    functions = (*OPEN[SLOTS[slot]] * 4, *ALWAYS, *(OWNERS * 4 if owner else ()))
    return st.builds(
        Move,
        st.just(slot),
        st.sampled_from(functions),
        st.integers(0, 5),
        _NUMBERS,
        _NUMBERS,
        _NUMBERS,
        st.sampled_from(TIMES),
    )


@st.composite
def coalitions(
    draw: st.DrawFn, kinds: Sequence[str] = KINDS, keys: bool = True, stolen: Sequence[str] = KEYS
) -> Coalition:
    """A coalition of one to three of these kinds, with up to three moves at every slot, and often a bid that is opened.

    With `keys` it may hold its own meters' keys and `stolen` ones; without, a stranger's own only.
    """
    members = tuple(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True)))
    own = [name for name in members if name in (STRANGER, *TRADERS, REVOKED)]
    pool = [*own, *stolen]
    held = draw(st.lists(st.sampled_from(pool), unique=True, max_size=3)) if keys and pool else [STRANGER]
    reports = draw(st.booleans())
    made = [draw(moves(slot, OWNER in members)) for slot in SLOTS for _ in range(draw(st.integers(0, 3)))]
    if set(members) & set(TRADERS) and draw(st.booleans()):
        # A household does what households are there for: it bids for the first quote, and opens the bid.
        who, price, volume = draw(st.integers(1, 5)), draw(_NUMBERS), draw(_NUMBERS)
        made.append(Move("last bids", "submit_bid", who, 0, price, volume, 1))
        made.append(Move("last openings", "reveal_bid", who, 0, 0, 0, 1))
        if draw(st.booleans()):
            # It asks for more on another quote, at a price that need not win: what it asks is a forecast (T-STD-7).
            made.append(Move("last bids", "submit_bid", who, 1, draw(_NUMBERS), draw(_NUMBERS), 1))
            made.append(Move("last openings", "reveal_bid", who, 1, 0, 0, 1))
    return Coalition(members, tuple(held), reports, tuple(made))


VOLUME = 10_000
"""What the seller quotes, in Wh: most of what its connection carries."""

EXPORTS = (100, 112, 96, 50)
"""What it exports, in percent of that: as quoted, more, a little less, half."""

BIDS = ((10, 20), (50, 25), (25, 50))
"""What winner and rival want, in percent of the quote."""

LATES = ((20, True), (12, False), (40, True))
"""What the late buyer wants, in percent of the quote, and whether ahead of the delivery."""

FLOWS = (((0, 0), (0, 0)), ((0, 5_000), (3_000, 0)))
"""What flows through the connections of anna and ben, out and in, in Wh."""


@st.composite
def all_facts(draw: st.DrawFn, tariffs: Sequence[str] = tuple(TARIFFS)) -> Facts:
    """What the honest want and what flows, of a few kinds, so that a history without a coalition is played once."""
    tariff = draw(st.sampled_from(tariffs))
    low, high = TARIFFS[tariff].lowest_price, TARIFFS[tariff].highest_price
    price = draw(st.sampled_from((low, (low + high) // 2)))
    winner, rival = draw(st.sampled_from(BIDS))
    bids = ((high, VOLUME * winner // 100), ((price + high) // 2, VOLUME * rival // 100))
    late, ahead = draw(st.sampled_from(LATES))
    export = VOLUME * draw(st.sampled_from(EXPORTS)) // 100
    flows = draw(st.sampled_from(FLOWS))
    extra = VOLUME // 20 if flows[1] != (0, 0) else 0
    return Facts(tariff, price, VOLUME, export, bids, VOLUME * late // 100, ahead, extra, flows)
