"""Arguments that mean the same to the contract, to the model and to a reader: seals and meters' signatures.

Each knows its bytes for the chain, its value for the model and the expression that makes it at the REPL.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wattproof.market.abi import each
from wattproof.market.meters import Meter, malleable_twin, pairing_hash, reading_hash
from wattproof.market.seals import seal_of
from wattproof.terms import model

FORMS = ("ok", "truncated", "empty", "high s", "bad v")
"""Forms of a signature: the accepted one, cut by its last byte, none at all, its malleable twin, an impossible v."""

MANNERS = (
    *("honest", "burns its gas", "reverts", "reverts with a yes", "says yes and a byte", "says yes twice"),
    *("says yes a byte short", "says yes in 4 bytes", "says no", "says yes with dirt", "says nothing"),
    *("says yes and logs", "says yes and stores", "says yes if it may look at the market"),
)
"""Manners in which a `MoodyMeter` answers, by their number there. Each but the first is a form of a signature, too: one
that has the meter answer so, and of which a key knows no more than that its v is impossible."""

HOSTILE = MANNERS[1:]
"""The manners that are no answer, whoever signed."""


SEALED: dict[bytes, tuple[Any, ...]] = {}
"""What is in each seal that was ever made here, so that a trace can show it."""


@functools.cache
def seal_bytes(fields: tuple[Any, ...]) -> bytes:
    """The seal of T-BID-4 over (chain, market, quote, bidder, price, volume, salt), computed without the contract."""
    seal = seal_of(*fields)
    SEALED[seal] = fields
    return seal


SALTS: dict[bytes, tuple[int, str]] = {}
"""What each salt was made of here."""


@functools.cache
def salt_of(quote_id: int, bidder: str) -> bytes:
    """The salt of every bid of the machines."""
    salt = hashlib.sha256(f"{quote_id} {bidder}".encode()).digest()
    SALTS[salt] = quote_id, bidder
    return salt


@dataclass(frozen=True)
class Signed:
    """A meter's signature of a message, possibly for another market or chain, or spoilt in its form.

    `fields` are (user, profile) of a pairing or (user, period, exported, imported) of a reading.
    """

    meter: str
    kind: str
    fields: tuple[Any, ...]
    market: str
    chain: int
    form: str = "ok"

    def bytes(self) -> bytes:
        """What goes to the contract."""
        return _signature(self)

    def verdict(self) -> model.Signature:
        """What the model is told."""
        if self.form in ("truncated", "empty"):
            return model.Signature("malformed")
        if self.form == "bad v" or self.form in HOSTILE:
            return model.Signature("unrecoverable")
        message = (self.kind, self.chain, self.market, *self.fields)
        return model.Signature("malleable" if self.form == "high s" else "ok", meter(self.meter).address, message)


def on_chain(args: Sequence[Any]) -> list[Any]:
    """The arguments as they go to the contract."""
    return [each(arg, lambda leaf: leaf.bytes() if isinstance(leaf, Signed) else leaf) for arg in args]


def for_model(args: Sequence[Any]) -> list[Any]:
    """The arguments as the model is told them."""
    return [each(arg, lambda leaf: leaf.verdict() if isinstance(leaf, Signed) else leaf) for arg in args]


@functools.lru_cache(maxsize=1000)
def meter(name: str) -> Meter:
    """The meter of that name: the same key as the REPL's household of that name has."""
    return Meter(name)


@functools.lru_cache(maxsize=200_000)
def _signature(signed: Signed) -> bytes:
    struct = pairing_hash(*signed.fields) if signed.kind == "Pairing" else reading_hash(*signed.fields)
    signature = meter(signed.meter).sign(struct, signed.market, signed.chain)
    match signed.form:
        case "truncated":
            return signature[:64]
        case "empty":
            return b""
        case "high s":
            return malleable_twin(signature)
        case "bad v":
            return signature[:64] + bytes([29])
        case manner if manner in HOSTILE:
            return in_manner(signature, manner)
    return signature


def in_manner(signature: bytes, manner: str) -> bytes:
    """A device's signature that has its `MoodyMeter` answer in one of `MANNERS` but the first."""
    return signature[:64] + bytes([128 + 2 * MANNERS.index(manner) + signature[64] - 27])
