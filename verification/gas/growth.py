"""How many words of storage a market has after 15 days, and after 30: it does not grow for ever (T-PARTY-18).

Ten households trade in every period, of which there are eight a day: three quote, each of the others bids on one of the
quotes, all bids win, everybody reports, and everything is settled. Fifteen days are more than the ring has places, and
their quotes more than there are rooms.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from verification.gas.chain import InProcess
from verification.gas.community import CAPACITY, CREDITS, START, Bid, Community, Report
from verification.gas.history import TARIFF
from wattproof.terms.model import Phase

DAYS = (15, 30)
"""After how many days the words are counted."""

PROSUMERS = tuple(f"prosumer {number}" for number in range(3))
CONSUMERS = tuple(f"consumer {number}" for number in range(7))

_VOLUME = 400  # Wh of each bid


def words(tick: Callable[[], None] = lambda: None, contracts: Path | None = None) -> tuple[int, ...]:
    """The words that are not zero, of market and token, after each of `DAYS`; of the contracts in a folder."""
    chain = InProcess(START)
    community = Community(chain, TARIFF, tick, contracts=contracts)
    community.mint("supplier", 100 * CREDITS)
    community.call("deposit", 100 * CREDITS, sender="supplier")
    for household in (*PROSUMERS, *CONSUMERS):
        community.admit(household, CAPACITY)
        community.mint(household, CREDITS)
        community.call("deposit", CREDITS, sender=household)
    first, found, before = community.next_period() + 1, [], None
    for number in range(DAYS[-1] * 86_400 // TARIFF.period_length):
        books = _traded(community, first + number)
        if before is not None:
            _settled(community, first + number - 1, before)
        before = books
        if (number + 1) * TARIFF.period_length in [day * 86_400 for day in DAYS]:
            found.append(chain.words)
    return tuple(found)


def _traded(community: Community, period: int) -> dict[int, tuple[str, list[Bid]]]:
    """Quotes, sealed bids, opened bids and the matching of a period; returns prosumer and book of each quote."""
    tariff, books = community.tariff, {}
    for number, prosumer in enumerate(PROSUMERS):
        book = [Bid(bidder, tariff.highest_price, _VOLUME) for bidder in CONSUMERS[number :: len(PROSUMERS)]]
        quote, _ = community.quote(prosumer, period, _VOLUME * len(book), tariff.lowest_price)
        books[quote] = prosumer, book
        for bid in book:
            community.bid(quote, *bid)
    community.to(Phase.REVEALING, period)
    for quote, (_, book) in books.items():
        for bid in book:
            community.reveal(quote, *bid)
    community.to(Phase.MATCHING, period)
    for quote, (_, book) in books.items():
        community.match(quote, len(book), 0)
    return books


def _settled(community: Community, period: int, books: dict[int, tuple[str, list[Bid]]]) -> None:
    """Readings and settlement of a period."""
    community.to(Phase.METERING, period)
    sold = [Report(prosumer, _VOLUME * len(book), 0) for prosumer, book in books.values()]
    community.read_all(period, [*sold, *(Report(consumer, 0, _VOLUME) for consumer in CONSUMERS)])
    community.to(Phase.SETTLING, period)
    for quote, (_, book) in books.items():
        community.call("settle_quote", quote, sender="owner", TradeSettled=len(book), PerformanceRecorded=1)
    users = [*PROSUMERS, *CONSUMERS]
    community.call("settle_accounts", period, users, sender="owner", PerformanceRecorded=len(CONSUMERS))
