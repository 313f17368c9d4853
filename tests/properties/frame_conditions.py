"""What each call may change, and nothing besides: the frame conditions of criterion 4.

A state is an `Observation`; a change is a field of it that reads differently after a call. `allowed` is the table: it
names, for each entry point, the fields that the clauses let it change, keyed by who called and what the call names.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_utils.address import to_checksum_address

from verification.harness.state import Account, Bid, Observation, Position, Quote, Reading, Totals

RESERVED = 2
MATCHING = 4

STRUCTS: dict[str, type] = {
    "accounts": Account,
    "quotes": Quote,
    "bids": Bid,
    "readings": Reading,
    "positions": Position,
    "periods": Totals,
}
WORDS = ("remaining", "trades_hash", "quote_of")
SINGLES = ("quote_count", "owner", "pending_owner", "tokens")

NO_READING = Reading(0, 0, 0)

MONEY = frozenset({"balance", "reserved"})
WORD = frozenset({"value"})


class Change(NamedTuple):
    """A field that reads differently: `section` of `Observation`, its key there, and the field's name and values."""

    section: str
    key: Any
    field: str
    before: int
    after: int


def changes(before: Observation, after: Observation) -> list[Change]:
    """Every field in which two observations differ. What only the second one knows counts as zero in the first."""
    found = []
    for section, kind in STRUCTS.items():
        old, new = getattr(before, section), getattr(after, section)
        if old == new:
            continue
        blank = kind(*[0] * len(kind._fields))
        for key, row in new.items():
            was = old.get(key, blank)
            if row != was:
                for name, left, right in zip(kind._fields, was, row, strict=True):
                    if left != right:
                        found.append(Change(section, key, name, left, right))
    for section in WORDS:
        old, new = getattr(before, section), getattr(after, section)
        if old != new:
            for key, value in new.items():
                if value != old.get(key, 0):
                    found.append(Change(section, key, "value", old.get(key, 0), value))
    for name in SINGLES:
        if getattr(before, name) != getattr(after, name):
            found.append(Change(name, None, "value", getattr(before, name), getattr(after, name)))
    return found


@dataclass(frozen=True)
class Made:
    """A call as it was made: `args` with addresses for people, `phase` that of the period it names (0: none)."""

    function: str
    args: tuple[Any, ...]
    sender: str
    supplier: str
    period: int
    phase: int
    surplus_buyers: Collection[str] = ()
    """Whoever bought surplus of the quote that the call names."""


Frame = dict[tuple[str, Any], Collection[str]]


def allowed(call: Made, before: Observation) -> Frame:
    """The fields that a call may change, by section and key; nothing for an entry point that is not in the table."""
    row = _TABLE.get(call.function)
    return row(call, before) if row else {}


def outside(frame: Frame, found: list[Change]) -> list[Change]:
    """The changes that the frame does not allow."""
    return [change for change in found if change.field not in frame.get((change.section, change.key), ())]


@functools.lru_cache(maxsize=10_000)
def address_of(number: int) -> str:
    """The checksummed address that an observation holds as a number."""
    return to_checksum_address(number.to_bytes(20, "big"))


def _bidders(before: Observation, quote_id: int) -> dict[str, Bid]:
    return {user: bid for (number, user), bid in before.bids.items() if number == quote_id and bid.status}


def _cleared(user: str, call: Made, before: Observation) -> Frame:
    """Clearing touches the supplier only where the account is not even."""
    frame: Frame = {("accounts", user): {"balance", "grid_account"}}
    account = before.accounts.get(user)
    if account is None or account.grid_account:
        frame.setdefault(("accounts", call.supplier), {"balance"})
    return frame


def _register(call: Made, before: Observation) -> Frame:
    return {("accounts", call.sender): {"profile", "meter"}}


def _authorize(call: Made, before: Observation) -> Frame:
    return {("accounts", call.args[0]): {"authorized", "capacity"}}


def _revoke(call: Made, before: Observation) -> Frame:
    return {("accounts", call.args[0]): {"authorized"}}


def _payment(call: Made, before: Observation) -> Frame:
    return _cleared(call.sender, call, before) | {("tokens", None): WORD}


def _clear(call: Made, before: Observation) -> Frame:
    return _cleared(call.args[0], call, before)


def _submit_quote(call: Made, before: Observation) -> Frame:
    number = before.quote_count + 1
    return {
        ("accounts", call.sender): MONEY,
        ("quotes", number): set(Quote._fields) - {"sold"},
        ("trades_hash", number): WORD,
        ("positions", (call.sender, call.period)): {"open"},
        ("quote_of", (call.sender, call.period)): WORD,
        ("periods", call.period): {"supply"},
        ("quote_count", None): WORD,
    }


def _invalidate_quote(call: Made, before: Observation) -> Frame:
    (number,) = call.args
    frame: Frame = {
        ("accounts", call.sender): MONEY,
        ("quotes", number): {"status"},
        ("positions", (call.sender, call.period)): {"open"},
        ("periods", call.period): {"supply"},
    }
    return frame | {("bids", (number, user)): {"status"} for user in _bidders(before, number)}


def _submit_bid(call: Made, before: Observation) -> Frame:
    return {("bids", (call.args[0], call.sender)): {"seal", "status"}}


def _reveal_bid(call: Made, before: Observation) -> Frame:
    return {
        ("bids", (call.args[0], call.sender)): {"seal", "price", "volume", "status"},
        ("accounts", call.sender): MONEY,
        ("positions", (call.sender, call.period)): {"open"},
        ("periods", call.period): {"demand"},
    }


def _match_bids(call: Made, before: Observation) -> Frame:
    (number,) = call.args
    frame: Frame = {
        ("quotes", number): {"sold", "status"},
        ("remaining", number): WORD,
        ("trades_hash", number): WORD,
    }
    for user, bid in _bidders(before, number).items():
        if bid.status == RESERVED:
            frame["bids", (number, user)] = {"filled", "status"}
            frame["accounts", user] = MONEY
            frame["positions", (user, call.period)] = {"agreed", "bought", "open"}
        else:
            frame["bids", (number, user)] = {"status"}
    return frame


def _buy_surplus(call: Made, before: Observation) -> Frame:
    number = call.args[0]
    in_advance = {"agreed"} if call.phase == MATCHING else set()
    return {
        ("accounts", call.sender): MONEY,
        ("quotes", number): {"sold"},
        ("remaining", number): WORD,
        ("trades_hash", number): WORD,
        ("positions", (call.sender, call.period)): {"bought", "open"} | in_advance,
    }


def _submit_reading(call: Made, before: Observation) -> Frame:
    user, period = call.args[:2]
    frame: Frame = {("readings", (user, period)): set(Reading._fields)}
    own = before.quote_of.get((user, period), 0)
    return frame | ({("remaining", own): WORD} if own else {})


def _settle_quote(call: Made, before: Observation) -> Frame:
    (number,) = call.args
    quote = before.quotes.get(number)
    if quote is None:
        return {}
    prosumer, owner = address_of(quote.prosumer), address_of(before.owner)
    frame: Frame = {("quotes", number): {"status"}, ("remaining", number): WORD, ("accounts", owner): {"balance"}}
    winners = {user for user, bid in _bidders(before, number).items() if bid.filled}
    for user in winners | set(call.surplus_buyers):
        frame["accounts", user] = MONEY | {"waivers"}
        frame["positions", (user, call.period)] = {"received", "open"}
    silent = not before.readings.get((prosumer, call.period), NO_READING).present
    lost = {"authorized"} if silent else set()
    frame["accounts", prosumer] = MONEY | {"performances", "defaults", "waivers", "tier"} | lost
    frame["positions", (prosumer, call.period)] = {"delivered", "open"}
    return frame


def _settle_account(call: Made, before: Observation) -> Frame:
    user, period = call.args
    frame: Frame = {
        ("accounts", call.supplier): {"balance"},
        ("positions", (user, period)): {"settled"},
    }
    silent = not before.readings.get((user, period), NO_READING).present
    lost = {"authorized"} if silent else set()
    frame["accounts", user] = {"balance", "grid_account", "performances", "defaults", "tier"} | lost
    return frame


def _transfer_ownership(call: Made, before: Observation) -> Frame:
    return {("pending_owner", None): WORD}


def _accept_ownership(call: Made, before: Observation) -> Frame:
    return {("owner", None): WORD, ("pending_owner", None): WORD}


def time_frame(before: Observation) -> Frame:
    """What may read differently only because time has passed."""
    frame: Frame = {("remaining", number): WORD for number in before.quotes}
    return frame | {("periods", period): {"phase"} for period in before.periods}


_TABLE = {
    "register": _register,
    "authorize": _authorize,
    "revoke": _revoke,
    "deposit": _payment,
    "withdraw": _payment,
    "withdraw_at_least": _payment,
    "clear": _clear,
    "submit_quote": _submit_quote,
    "invalidate_quote": _invalidate_quote,
    "submit_bid": _submit_bid,
    "reveal_bid": _reveal_bid,
    "match_bids": _match_bids,
    "buy_surplus": _buy_surplus,
    "submit_reading": _submit_reading,
    "settle_quote": _settle_quote,
    "settle_account": _settle_account,
    "transfer_ownership": _transfer_ownership,
    "accept_ownership": _accept_ownership,
}
