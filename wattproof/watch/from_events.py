"""Calls told by the market's events alone, where a node gives no traces (annex B); and whose event is whose.

Of a call that another contract made, and that was accepted, the events tell the function and most arguments. They do
not tell who called what anybody may call, the salt of an opening, or a meter's signature; nor that a batch was one.
What was refused leaves no event at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wattproof.chain.answers import address_of
from wattproof.chain.node import Log
from wattproof.market.abi import Interface
from wattproof.terms import model
from wattproof.watch.mirror import UNKNOWN_SALT, UNSIGNED, Told

LAST = {
    "register": ("Registered",),
    "authorize": ("Authorized",),
    "revoke": ("Revoked",),
    "deposit": ("Deposited",),
    "withdraw": ("Withdrawn",),
    "withdraw_at_least": ("Withdrawn",),
    "submit_quote": ("QuoteSubmitted",),
    "invalidate_quote": ("QuoteInvalidated",),
    "submit_bid": ("BidSealed",),
    "reveal_bid": ("BidRevealed",),
    "match_bids": ("QuoteMatched",),
    "buy_surplus": ("SurplusBought",),
    "submit_reading": ("ReadingSubmitted",),
    "submit_readings": ("ReadingSubmitted", "ReadingRefused"),
    "settle_quote": ("QuoteSettled",),
    "settle_account": ("AccountSettled",),
    "settle_accounts": ("AccountSettled", "AccountRefused"),
    "transfer_ownership": ("OwnershipTransferStarted",),
    "accept_ownership": ("OwnershipTransferred",),
}
"""The event that ends a call, of a batch one for each entry. After a deposit may come what it cleared."""


def first(interface: Interface, logs: Sequence[Log], told: Told) -> tuple[Log, ...]:
    """Those of the events, which several calls left, that are of the first of these calls."""
    names = [interface.event(log.topics, log.data)[0] for log in logs]
    if told.function == "clear":
        return tuple(logs[:1] if names[:1] == ["Cleared"] else ())
    batch = told.function in ("submit_readings", "settle_accounts")
    wanted, taken = len(told.args[1]) if batch else 1, 0
    for name in names:
        if wanted == 0:
            break
        taken += 1
        wanted -= name in LAST.get(told.function or "", ())
    if told.function == "deposit" and _clears(interface, logs[taken - 1 : taken + 1]):
        taken += 1
    return tuple(logs[:taken])


def _clears(interface: Interface, logs: Sequence[Log]) -> bool:
    """Whether the second of two events tells what the deposit of the first cleared."""
    if len(logs) < 2:
        return False
    (one, deposited), (other, cleared) = (interface.event(log.topics, log.data) for log in logs)
    return (one, other) == ("Deposited", "Cleared") and deposited["account"] == cleared["user"]


def calls(interface: Interface, logs: Sequence[Log], market: model.Market) -> Iterator[tuple[Told, tuple[Log, ...]]]:
    """The calls that these events are of, with whose they are; the model of the market is where it was before each.

    Where no event tells who called, it is taken to be the owner, who may whatever anybody may. Profiles are zero.
    """
    waiting: list[Log] = []
    rest = list(logs)
    while rest:
        log = rest.pop(0)
        waiting.append(log)
        name, fields = interface.event(log.topics, log.data)
        following = interface.event(rest[0].topics, rest[0].data)[0] if rest else ""
        if following in _GOES_ON.get(name, ()):
            continue
        told = _told(name, _addressed(fields), market)
        if told is None:
            continue
        if name == "Deposited" and rest and _clears(interface, [log, rest[0]]):
            waiting.append(rest.pop(0))
        yield told, tuple(waiting)
        waiting = []


_GOES_ON = {"Cleared": ("Withdrawn",), "Revoked": ("QuoteSettled", "AccountSettled")}
"""Events that end a call, but not before one of these."""

_WHO = ("user", "meter", "account", "prosumer", "bidder", "buyer", "new_owner", "previous_owner")


def _addressed(fields: dict[str, int]) -> dict[str, Any]:
    return {name: address_of(f"0x{value:040x}") if name in _WHO else value for name, value in fields.items()}


def _told(name: str, of: dict[str, Any], market: model.Market) -> Told | None:
    """The call that ends with this event; None where it goes on, or where it is one entry of a batch left out."""
    owner = market.owner

    def make(sender: str, function: str, *args: Any) -> Told:
        return Told(sender, function, args)

    match name:
        case "Registered":
            return make(of["user"], "register", bytes(32), of["meter"], UNSIGNED)
        case "Authorized":
            return make(owner, "authorize", of["user"], of["capacity"])
        case "Revoked":
            return make(owner, "revoke", of["user"])
        case "Deposited":
            return make(of["account"], "deposit", of["amount"])
        case "Withdrawn":
            return make(of["account"], "withdraw_at_least", of["amount"], 0)
        case "Cleared":
            return make(owner, "clear", of["user"])
        case "QuoteSubmitted":
            return make(of["prosumer"], "submit_quote", of["period"], of["volume"], of["price"])
        case "QuoteInvalidated":
            return make(market.quote(of["quote_id"]).prosumer, "invalidate_quote", of["quote_id"])
        case "BidSealed":
            return make(of["bidder"], "submit_bid", of["quote_id"], of["seal"].to_bytes(32, "big"))
        case "BidRevealed":
            return make(of["bidder"], "reveal_bid", of["quote_id"], of["price"], of["volume"], UNKNOWN_SALT)
        case "QuoteMatched":
            return make(owner, "match_bids", of["quote_id"])
        case "SurplusBought":
            return make(of["buyer"], "buy_surplus", of["quote_id"], of["volume"])
        case "ReadingSubmitted":
            return make(owner, "submit_reading", of["user"], of["period"], of["exported"], of["imported"], UNSIGNED)
        case "QuoteSettled":
            return make(owner, "settle_quote", of["quote_id"])
        case "AccountSettled":
            return make(owner, "settle_account", of["user"], of["period"])
        case "OwnershipTransferStarted":
            return make(of["previous_owner"], "transfer_ownership", of["new_owner"])
        case "OwnershipTransferred":
            return make(of["new_owner"], "accept_ownership")
    return None
