"""What a block touched, and how the lens is asked about it in few questions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wattproof.market.lens import Asked
from wattproof.terms import model
from wattproof.terms.model import ZERO_ADDRESS

USERS, BIDDERS, QUOTES, PLACES, PERIODS = 16, 16, 8, 64, 4
"""How many of each the lens is asked about at most in one question."""

_WHO = ("user", "account", "prosumer", "bidder", "buyer")

_BOOKS = ("invalidate_quote", "match_bids")
"""Calls that change every bid of a quote."""


@dataclass
class Touched:
    """Users, quotes, bids, records of users and periods, and periods, of which a block may have changed something."""

    users: set[str] = field(default_factory=set)
    quotes: set[int] = field(default_factory=set)
    bids: set[tuple[int, str]] = field(default_factory=set)
    places: set[tuple[str, int]] = field(default_factory=set)
    periods: set[int] = field(default_factory=set)

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any],
        sender: str,
        events: Iterable[tuple[str, Mapping[str, Any]]],
        market: model.Market,
    ) -> None:
        """Adds what an accepted call is about: its sender, all that its arguments and events name, and both parties
        of the quotes among it. `market`: the model after the call."""
        users, quotes, periods = {sender}, set(), set()
        for fields in (arguments, *(fields for _, fields in events)):
            users |= {fields[name] for name in _WHO if isinstance(fields.get(name), str)}
            users |= set(fields.get("users", ()))
            quotes |= {fields["quote_id"]} if "quote_id" in fields else set()
            periods |= {fields["period"]} if "period" in fields else set()
        for number in quotes:
            quote = market.quotes.get(number)
            if quote is not None:
                users.add(quote.prosumer)
                periods.add(quote.period)
                if function in _BOOKS:
                    users |= set(quote.bids)
        users -= {ZERO_ADDRESS}
        self.users |= users
        self.quotes |= quotes
        self.periods |= periods
        self.bids |= set(itertools.product(quotes, users))
        self.places |= set(itertools.product(users, periods))

    def questions(self) -> list[Asked]:
        """The questions to the lens that ask about all of it."""
        grids = list(_grids(self.bids, self.quotes))
        columns: list[list[Any]] = [
            _chunks(sorted(self.users), USERS),
            grids,
            _chunks(sorted(self.places), PLACES),
            _chunks(sorted(self.periods), PERIODS),
        ]
        rows = itertools.zip_longest(*columns, fillvalue=())
        found = []
        for users, grid, places, periods in rows:
            quotes, bidders = grid or ((), ())
            found.append(Asked(users, bidders, quotes, places, periods))
        return found or [Asked()]


def everything(market: model.Market) -> Iterator[Asked]:
    """Questions about all that the model knows, page by page."""
    all_ = Touched(users=set(market.accounts))
    for number, quote in market.quotes.items():
        all_.quotes.add(number)
        all_.bids |= {(number, bidder) for bidder in quote.bids}
    for (user, period), _ in market.positions.items():
        all_.places.add((str(user), period))
    all_.periods |= {period for (_, period), _ in market.totals.items()}
    return iter(all_.questions())


def _chunks(values: Sequence[Any], size: int) -> list[Any]:
    return [tuple(values[at : at + size]) for at in range(0, len(values), size)]


def _grids(bids: set[tuple[int, str]], quotes: set[int]) -> Iterator[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Quotes and bidders that together hold all these bids; quotes with many bidders in common share a question."""
    by_quote: dict[int, set[str]] = {number: set() for number in quotes}
    for number, bidder in bids:
        by_quote.setdefault(number, set()).add(bidder)
    open_quotes: list[int] = []
    bidders: set[str] = set()
    for number in sorted(by_quote):
        mine = by_quote[number]
        if open_quotes and (len(open_quotes) == QUOTES or len(bidders | mine) > BIDDERS):
            yield tuple(open_quotes), tuple(sorted(bidders))
            open_quotes, bidders = [], set()
        first, *more = _chunks(sorted(mine), BIDDERS) or [()]
        if more:
            yield from (((number,), part) for part in (first, *more))
            continue
        open_quotes.append(number)
        bidders |= mine
    if open_quotes:
        yield tuple(open_quotes), tuple(sorted(bidders))
