"""What a market's lens is asked and answers, in bytes; and what the model would answer, in the same bytes.

So a whole state is compared in one step, and decoded only where the two differ.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from wattproof.market.abi import Function, signed_word, word
from wattproof.market.symbolic import for_model, seal_bytes
from wattproof.market.tariff import Tariff
from wattproof.market.trace import Outcome
from wattproof.terms import model
from wattproof.terms.model import Refused

STATE = {
    "accounts": "C2-ACCOUNT-1",
    "quotes": "C2-QUOTE-1",
    "remaining": "C2-SURPLUS-1",
    "trades": "C2-TRADE-1",
    "bids": "C2-BID-1",
    "readings": "C2-READING-1",
    "positions": "C2-POSITION-1",
    "quote_of": "C2-QUOTE-2",
    "periods": "C2-PERIOD-1",
    "others": "C2-MARKET-1",
}
"""The parts of the state that contract and model must agree on, each with the invariant that says so."""


def model_of(tariff: Tariff, owner: str, supplier: str, token: str, market: str, chain: int) -> model.Market:
    """The model of a market that was just deployed at the address `market`."""
    return model.Market(
        owner=owner,
        supplier=supplier,
        **asdict(tariff),
        token=model.Token(address=token),
        address=market,
        chain_id=chain,
        seal_function=seal_bytes,
    )


def ask_model(market: model.Market, function: str, args: Sequence[Any], sender: str, now: int) -> Outcome:
    """What comes of a call by the terms; people are addresses, signatures `Signed` or the model's verdicts."""
    try:
        result = getattr(market, function)(*for_model(args), sender=sender, now=now)
    except Refused as refused:
        return Outcome(False, refused.reason)
    return Outcome(True, None, result, tuple(market.events))


class Asked(NamedTuple):
    """What the lens is asked about: at most 16 users and bidders, 8 quotes, 64 places and 4 periods."""

    users: tuple[str, ...] = ()
    bidders: tuple[str, ...] = ()
    quotes: tuple[int, ...] = ()
    places: tuple[tuple[str, int], ...] = ()
    periods: tuple[int, ...] = ()

    @staticmethod
    @functools.lru_cache(maxsize=1_000)
    def page(users: tuple[str, ...], bidders: tuple[str, ...], first: int, periods: tuple[int, ...]) -> Asked:
        """All of these users, of whom the bidders can trade, of eight quotes from `first` on and of these periods."""
        places = tuple(itertools.product(bidders, periods))
        return Asked(users, bidders, tuple(range(first, first + 8)), places, periods)

    def subjects(self) -> dict[str, Iterable[tuple[Any, ...]]]:
        """What each entry of each array of an answer is about."""
        quotes = [(number,) for number in self.quotes]
        return {
            "accounts": [(user,) for user in self.users],
            "quotes": quotes,
            "remaining": quotes,
            "trades": quotes,
            "bids": itertools.product(self.quotes, self.bidders),
            "readings": self.places,
            "positions": self.places,
            "quote_of": self.places,
            "periods": itertools.product(self.periods, ("supply", "demand", "phase")),
            "others": [("quote_count",), ("owner",), ("pending_owner",), ("tokens",)],
        }


class Lens:
    """The lens at an address: an encoder of what it is asked, and a decoder of what it answers."""

    def __init__(self, address: str, views: Mapping[str, Function]) -> None:
        self.address = address
        self.views = views
        self._state = views["state"]
        parts = self._state.outputs[0]["components"]
        self._parts = [part["name"] for part in parts]
        self.fields = {part["name"]: [field["name"] for field in part.get("components", ())] for part in parts}

    def request(self, asked: Asked) -> bytes:
        """The calldata that asks for the state of these users, quotes and periods."""
        return self._state.selector + _request(asked)

    def decoded(self, answer: bytes) -> dict[str, Any]:
        """An answer, array by array."""
        return dict(zip(self._parts, self._state.decode(answer), strict=True))

    def differences(self, asked: Asked, got: bytes, wanted: bytes, names: Mapping[str, str]) -> dict[str, str]:
        """Where the contract's answer and the model's differ, decoded, by the part and what it is of."""
        have, want = self.decoded(got), self.decoded(wanted)
        found = {}
        for part, about in asked.subjects().items():
            if len(have[part]) != len(want[part]):
                found[part] = f"contract has {len(have[part])} entries, model {len(want[part])}"
            # Where one has fewer entries, the line above tells of the rest.
            for subject, one, other in zip(about, have[part], want[part], strict=False):
                if one != other:
                    place = ", ".join(names.get(field, str(field)) for field in subject)
                    found |= _of_fields(f"{part}[{place}]", self.fields[part], one, other)
        return found


def part_of(place: str) -> str:
    """The part of the state that a place of `Lens.differences` lies in."""
    return place.split("[")[0]


def _of_fields(place: str, fields: Sequence[str], one: Any, other: Any) -> dict[str, str]:
    """Where two answers differ: by the fields of a struct, where there are any."""
    if not fields:
        return {place: f"contract {one}, model {other}"}
    pairs = zip((f"{place}.{name}" for name in fields), one, other, strict=True)
    return {name: f"contract {have}, model {want}" for name, have, want in pairs if have != want}


def answer_of(market: model.Market, asked: Asked, now: int) -> bytes:
    """What the lens should answer at the second `now`, ABI-encoded, from the model alone."""
    places = asked.places
    quote_ids = [number for number in asked.quotes if number <= market.quote_count()]
    bids = [market.bid(quote_id, user) for quote_id in quote_ids for user in asked.bidders]
    totals = [(market.supply(when), market.demand(when), market.phase(when, now)) for when in asked.periods]
    others = (market.quote_count(), int(market.owner, 16), int(market.pending_owner, 16), market.held)
    rows = (
        [_encode(market.account(user)) for user in asked.users],
        [_encode(market.quote(quote_id)) for quote_id in quote_ids],
        [word(market.remaining(quote_id, now)) for quote_id in quote_ids],
        [trades_hash(tuple(market.trades(quote_id))) for quote_id in quote_ids],
        [_NO_BID if bid is model.NO_BID else _encode(bid) for bid in bids],
        [_encode(market.reading(user, period)) for user, period in places],
        [_encode(market.position(user, period)) for user, period in places],
        [word(market.quote_of(user, period)) for user, period in places],
        [word(total) for told in totals for total in told],
        [word(value) for value in others],
    )
    return word(32) + _encode_rows(rows)


# ---- encoding --------------------------------------------------------------------------


@functools.lru_cache(maxsize=1_000)
def _request(asked: Asked) -> bytes:
    users, bidders, quotes, periods = (list(map(_field, values)) for values in (*asked[:3], asked.periods))
    places = [word(user) + word(period) for user, period in asked.places]
    return _encode_rows((users, bidders, quotes, places, periods))


def _field(value: Any) -> bytes:
    return signed_word(value) if isinstance(value, int) else word(value)


@functools.lru_cache(maxsize=50_000)
def _encode(struct: Sequence[Any]) -> bytes:
    return b"".join(map(_field, struct))


_NO_BID = _encode(model.NO_BID)
"""What most users have bid on most quotes."""


@functools.lru_cache(maxsize=10_000)
def trades_hash(trades: tuple[model.Trade, ...]) -> bytes:
    """What the lens tells of a quote's trades: the hash of their ABI encoding."""
    return keccak(word(32) + word(len(trades)) + b"".join(map(_encode, trades)))


def _encode_rows(rows: Sequence[Sequence[bytes]]) -> bytes:
    """Arrays of whole entries, ABI-encoded as one tuple."""
    head, tail, offset = [], [], 32 * len(rows)
    for row in rows:
        body = b"".join(row)
        head.append(word(offset))
        tail += (word(len(row)), body)
        offset += 32 + len(body)
    return b"".join(head + tail)


# ---- events ------------------------------------------------------------------------------


def in_words(fields: Mapping[str, Any]) -> dict[str, int]:
    """The fields of an event of the model as whole numbers, the way they stand in a log."""
    return {name: value if isinstance(value, int) else _number(value) for name, value in fields.items()}


@functools.lru_cache(maxsize=10_000)
def _number(value: str | bytes) -> int:
    if isinstance(value, str) and value.startswith("0x"):
        return int(value, 16)
    return int.from_bytes(value.encode() if isinstance(value, str) else value, "big")
