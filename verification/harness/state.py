"""What the contract's views tell, decoded: the only thing that the ladder's own invariants look at."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from wattproof.market.lens import Asked

Row = TypeVar("Row")


class Account(NamedTuple):
    """A party. Money in base units, the capacity in Wh; `profile` and `meter` as numbers."""

    profile: int
    meter: int
    authorized: int
    balance: int
    reserved: int
    grid_account: int
    performances: int
    defaults: int
    waivers: int
    tier: int
    capacity: int


class Quote(NamedTuple):
    """A quote; `prosumer` as a number, `status` 1 VALID, 2 INVALID, 4 MATCHED, 8 SETTLED."""

    prosumer: int
    period: int
    volume: int
    price: int
    created_at: int
    sold: int
    status: int


class Bid(NamedTuple):
    """A bid; `status` 1 CREATED, 2 RESERVED, 4 CONFIRMED, 8 REJECTED, 0 none."""

    seal: int
    price: int
    volume: int
    filled: int
    status: int


class Reading(NamedTuple):
    """A reading in Wh."""

    present: int
    exported: int
    imported: int


class Position(NamedTuple):
    """A position in Wh; `open` counts quotes."""

    agreed: int
    bought: int
    received: int
    delivered: int
    open: int
    settled: int


class Totals(NamedTuple):
    """Supply and demand of a period in Wh, and its phase."""

    supply: int
    demand: int
    phase: int


@dataclass
class Observation:
    """The state of a market as its views tell it. Users are addresses (`0x...` strings), quotes their IDs."""

    accounts: dict[str, Account] = field(default_factory=dict)
    quotes: dict[int, Quote] = field(default_factory=dict)
    remaining: dict[int, int] = field(default_factory=dict)
    trades_hash: dict[int, int] = field(default_factory=dict)
    bids: dict[tuple[int, str], Bid] = field(default_factory=dict)
    readings: dict[tuple[str, int], Reading] = field(default_factory=dict)
    positions: dict[tuple[str, int], Position] = field(default_factory=dict)
    quote_of: dict[tuple[str, int], int] = field(default_factory=dict)
    periods: dict[int, Totals] = field(default_factory=dict)
    quote_count: int = 0
    owner: int = 0
    pending_owner: int = 0
    tokens: int = 0


def decode(pages: Sequence[tuple[Asked, bytes]]) -> Observation:
    """Decodes what the lens was asked and answered, page by page."""
    seen = Observation()
    for asked, answer in pages:

        def column(index: int, width: int = 1, answer: bytes = answer) -> Iterator[bytes]:
            """The rows of one field of the answer, `width` words each."""
            at = 32 + int.from_bytes(answer[32 + 32 * index : 64 + 32 * index], "big")
            words = int.from_bytes(answer[at : at + 32], "big") * (1 if index == 8 else width)
            return (answer[row : row + 32 * width] for row in range(at + 32, at + 32 + 32 * words, 32 * width))

        quotes = [_quote(row) for row in column(1, 7)]
        ids = asked.quotes[: len(quotes)]  # those that are there
        seen.accounts.update(zip(asked.users, map(_account, column(0, 11)), strict=True))
        seen.quotes.update(zip(ids, quotes, strict=True))
        seen.remaining.update(zip(ids, map(_number, column(2)), strict=True))
        seen.trades_hash.update(zip(ids, map(_number, column(3)), strict=True))
        seen.bids.update(zip(itertools.product(ids, asked.bidders), map(_bid, column(4, 5)), strict=True))
        seen.readings.update(zip(asked.places, map(_reading, column(5, 3)), strict=True))
        seen.positions.update(zip(asked.places, map(_position, column(6, 6)), strict=True))
        seen.quote_of.update(zip(asked.places, map(_number, column(7)), strict=True))
        seen.periods.update(zip(asked.periods, map(_totals, column(8, 3)), strict=True))
        seen.quote_count, seen.owner, seen.pending_owner, seen.tokens = map(_number, column(9))
    return seen


def _decoder(make: Callable[[Iterable[int]], Row]) -> Callable[[bytes], Row]:
    """Makes a row of its words. Most rows are what they were a call ago: each is decoded once."""

    @functools.lru_cache(maxsize=20_000)
    def decoded(row: bytes) -> Row:
        return make([_number(row[at : at + 32]) for at in range(0, len(row), 32)])

    return decoded


def _number(row: bytes) -> int:
    return int.from_bytes(row, "big")


def _with_sign(words: Iterable[int]) -> Account:
    account = Account._make(words)
    return account._replace(grid_account=account.grid_account - (account.grid_account >> 255 << 256))


_account = _decoder(_with_sign)
_quote, _bid, _reading = _decoder(Quote._make), _decoder(Bid._make), _decoder(Reading._make)
_position, _totals = _decoder(Position._make), _decoder(Totals._make)
