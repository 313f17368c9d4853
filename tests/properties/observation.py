"""What the contract's views tell, decoded: the only thing that the ladder's own invariants look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Account(NamedTuple):
    """A party. Money in base units; `profile` and `meter` as numbers."""

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


def decode(pages: Sequence[tuple[Sequence[str], int, int, bytes]], periods: Sequence[int]) -> Observation:
    """Decodes the answers of the lens: `(users, how many of them trade, first quote, answer)` each, for `periods`."""
    seen = Observation()
    for users, traders, first, answer in pages:
        words = [int.from_bytes(answer[at : at + 32], "big") for at in range(32, len(answer), 32)]

        def column(index: int, width: int, words: list[int] = words) -> list[list[int]]:
            at = words[index] // 32
            count = words[at] // (width if index == 8 else 1)
            return [words[at + 1 + width * row : at + 1 + width * (row + 1)] for row in range(count)]

        accounts = column(0, 10)
        quotes = column(1, 7)
        for user, row in zip(users, accounts, strict=True):
            grid = row[5] - 2**256 if row[5] >> 255 else row[5]
            seen.accounts[user] = Account(*row[:5], grid, *row[6:])
        ids = range(first, first + len(quotes))
        seen.quotes.update(zip(ids, (Quote(*row) for row in quotes), strict=True))
        seen.remaining.update(zip(ids, (row[0] for row in column(2, 1)), strict=True))
        seen.trades_hash.update(zip(ids, (row[0] for row in column(3, 1)), strict=True))
        places = [(number, user) for number in ids for user in users[:traders]]
        seen.bids.update(zip(places, (Bid(*row) for row in column(4, 5)), strict=True))
        keys = [(user, period) for user in users[:traders] for period in periods]
        seen.readings.update(zip(keys, (Reading(*row) for row in column(5, 3)), strict=True))
        seen.positions.update(zip(keys, (Position(*row) for row in column(6, 6)), strict=True))
        seen.quote_of.update(zip(keys, (row[0] for row in column(7, 1)), strict=True))
        seen.periods.update(zip(periods, (Totals(*row) for row in column(8, 3)), strict=True))
        (seen.quote_count,), (seen.owner,), (seen.pending_owner,), (seen.tokens,) = column(9, 1)
    return seen
