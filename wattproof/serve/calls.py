"""The calls of the market and of its token for which the API makes transactions: arguments, types, and what they do.

A sealed bid's price and salt are no arguments of any of them but `reveal_bid`, which makes them public on the chain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wattproof.serve.fields import checksummed, whole
from wattproof.serve.problems import unfit
from wattproof.terms.model import MAX_BATCH

_SEALED = "stays at home: hand in the commitment alone, as wattproof.market.seals.seal_of computes it"
_SECRET = {"submit_bid": ("price", "volume", "salt")}
"""What must not be sent here, by call."""


@dataclass(frozen=True)
class Argument:
    """An argument: its name, its ABI type, and what it is."""

    name: str
    kind: str
    says: str


@dataclass(frozen=True)
class Call:
    """A call: to the market or to the token, its arguments, and a sentence of what it does.

    payable   whether ether goes along, as `value`
    lead      arguments that the server puts before the others: the market's address
    """

    name: str
    to: str
    says: str
    arguments: tuple[Argument, ...] = ()
    payable: bool = False
    takes_market: bool = False

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments in Python, by name. Problem 422, with a line for each that does not fit."""
        wrong: dict[str, str] = {}
        read: dict[str, Any] = {}
        known = {one.name: one for one in self.arguments}
        for name in given:
            if name not in known:
                secret = name in _SECRET.get(self.name, ())
                wrong[str(name)[:40]] = _SEALED if secret else f"{self.name} has no such argument"
        for name, one in known.items():
            try:
                read[name] = _READERS[one.kind](given[name])
            except KeyError:
                wrong[name] = f"is missing: {one.says}"
            except ValueError as problem:
                wrong[name] = str(problem)
        if wrong:
            raise unfit(wrong)
        return read

    def in_order(self, read: Mapping[str, Any], market: str) -> tuple[Any, ...]:
        """The arguments as the contract takes them."""
        return (*((market,) if self.takes_market else ()), *(read[one.name] for one in self.arguments))


# ---- reading arguments -----------------------------------------------------------------------


def _uint256(value: object) -> int:
    return whole(value, 2**256 - 1)


def _bytes32(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"0x[0-9a-fA-F]{64}", value):
        raise ValueError("must be 32 bytes: 0x and 64 hexadecimal digits")
    return bytes.fromhex(value[2:])


def _signature(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"0x([0-9a-fA-F]{2}){1,65}", value):
        raise ValueError("must be a signature of the meter: 0x and 130 hexadecimal digits")
    return bytes.fromhex(value[2:])


def _many(read: Callable[[object], Any]) -> Callable[[object], list[Any]]:
    def all_of(value: object) -> list[Any]:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_BATCH:
            raise ValueError(f"must be a list of 1 to {MAX_BATCH} entries")
        found: list[Any] = []
        for place, entry in enumerate(value):
            try:
                found.append(read(entry))
            except ValueError as problem:
                raise ValueError(f"entry {place}: {problem}") from None
        return found

    return all_of


_READING = {"user": checksummed, "exported": _uint256, "imported": _uint256, "signature": _signature}


def _signed_reading(value: object) -> tuple[Any, ...]:
    if not isinstance(value, dict) or set(value) != set(_READING):
        raise ValueError(f"must be an object of {', '.join(_READING)}")
    read: list[Any] = []
    for name, reader in _READING.items():
        try:
            read.append(reader(value[name]))
        except ValueError as problem:
            raise ValueError(f"{name} {problem}") from None
    return tuple(read)


READINGS = "(address,uint256,uint256,bytes)[]"

_READERS: dict[str, Callable[[object], Any]] = {
    "address": checksummed,
    "uint256": _uint256,
    "bytes32": _bytes32,
    "bytes": _signature,
    "address[]": _many(checksummed),
    READINGS: _many(_signed_reading),
}
"""What reads an argument, by its ABI type."""


# ---- the calls -------------------------------------------------------------------------------

_AMOUNT = Argument("amount", "uint256", "base units of the token")
_CAPACITY = Argument("capacity", "uint256", "Wh that the connection carries in a period")
_PERIOD = Argument("period", "uint256", "number of the delivery period")
_PRICE = Argument("price", "uint256", "base units per Wh")
_QUOTE = Argument("quote_id", "uint256", "number of the quote")
_SIGNATURE = Argument("signature", "bytes", "by the meter, 65 bytes")
_USER = Argument("user", "address", "the household")
_VOLUME = Argument("volume", "uint256", "Wh")
_READ = (Argument("exported", "uint256", "Wh"), Argument("imported", "uint256", "Wh"))


def _market(name: str, says: str, *arguments: Argument) -> Call:
    return Call(name, "market", says, arguments)


_MARKET = (
    _market(
        "register",
        "pairs the sender with its meter; the profile is a commitment to data kept elsewhere",
        Argument("profile", "bytes32", "commitment to the personal data, or zeros"),
        Argument("meter", "address", "address of the meter"),
        _SIGNATURE,
    ),
    _market("authorize", "lets a household trade, or raises its capacity (owner)", _USER, _CAPACITY),
    _market("revoke", "takes a household's leave to begin new business (owner)", _USER),
    _market("deposit", "moves credit of the sender into the market, which has to be approved before", _AMOUNT),
    _market("withdraw", "takes free money out of the market", _AMOUNT),
    _market(
        "withdraw_at_least",
        "takes free money out of the market, if so much arrives",
        _AMOUNT,
        Argument("least", "uint256", "base units that have to arrive"),
    ),
    _market("clear", "moves money between a household and the supplier, as far as there is any", _USER),
    _market("submit_quote", "offers energy of a period to the neighbours", _PERIOD, _VOLUME, _PRICE),
    _market("invalidate_quote", "withdraws the sender's quote", _QUOTE),
    _market(
        "submit_bid",
        "hands in a sealed bid: only its commitment",
        _QUOTE,
        Argument("seal", "bytes32", "the commitment, computed at home by wattproof.market.seals.seal_of"),
    ),
    _market(
        "reveal_bid",
        "opens the sender's bid, and makes price and volume public",
        _QUOTE,
        _PRICE,
        _VOLUME,
        Argument("salt", "bytes32", "of the commitment"),
    ),
    _market("match_bids", "sells a quote to the best of its opened bids", _QUOTE),
    _market("buy_surplus", "buys of what a matched quote has left, at the quote's price", _QUOTE, _VOLUME),
    _market("submit_reading", "hands in what a meter signed for a period", _USER, _PERIOD, *_READ, _SIGNATURE),
    _market(
        "submit_readings",
        "hands in what many meters signed for a period",
        _PERIOD,
        Argument("readings", READINGS, f"up to {MAX_BATCH} objects of {', '.join(_READING)}"),
    ),
    _market("settle_quote", "settles a quote with its buyers", _QUOTE),
    _market("settle_account", "settles a household's period with the supplier", _USER, _PERIOD),
    _market(
        "settle_accounts",
        "settles many households' period with the supplier",
        _PERIOD,
        Argument("users", "address[]", f"up to {MAX_BATCH} households"),
    ),
    _market(
        "transfer_ownership",
        "names who may take over the market (owner)",
        Argument("new_owner", "address", "who is to own it; zeros: nobody"),
    ),
    _market("accept_ownership", "takes over the market, by whom its owner named"),
)

_TOKEN = (
    Call("mint", "token", "turns ether of the sender into credit, one for one", payable=True),
    Call("redeem", "token", "turns credit of the sender back into ether", (_AMOUNT,)),
    Call("approve", "token", "lets the market take so much credit of the sender", (_AMOUNT,), takes_market=True),
    Call(
        "transfer",
        "token",
        "gives credit of the sender to somebody",
        (Argument("to", "address", "who gets it"), _AMOUNT),
    ),
)

CALLS = {call.name: call for call in (*_MARKET, *_TOKEN)}
"""All calls for which a transaction can be made, by name."""
