"""The calls of a trading day: planned with what they take of each party's money, made in batches, and booked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from wattproof.market.units import pence
from wattproof.simulation.accounting import Books, Event, Trade
from wattproof.simulation.venue import Call, Venue

FLOAT = pence(10_000)
"""What every party deposits at first, in base units: 100 pounds."""


class Plan:
    """Calls that wait for `play`. None needs what another one says; what each leaves of a party's money is known.

    settled   the trades that were settled since it was emptied
    """

    def __init__(self, venue: Venue, books: Books) -> None:
        self.settled: list[Trade] = []
        self._venue, self._books = venue, books
        self._calls: list[Call] = []
        self._changes: Counter[str] = Counter()

    def call(self, sender: str, function: str, *arguments: Any, takes: int = 0, parts: int = 0) -> None:
        """Plans a call of the market, which moves `takes` base units of the sender's free money to its reserve.

        For `parts` see `Call`.
        """
        if takes:
            self.afford(sender, takes)
        self._calls.append(Call(sender, function, arguments, parts=parts))
        self._changes[sender] -= takes

    def afford(self, party: str, amount: int) -> None:
        """Plans to top a party up where its free money will be below `amount` base units; many times that, so that it
        is rare."""
        missing = amount - self._books.balances[party].free - self._changes[party]
        if missing > 0:
            self._deposit(party, FLOAT + 50 * missing)

    def endow(self, party: str) -> None:
        """Plans a party's first deposit."""
        self._deposit(party, FLOAT)

    def _deposit(self, party: str, amount: int) -> None:
        """Plans to send ether to the token for credits, and to deposit them."""
        self._venue.fund(party, amount)
        self._calls.append(Call(party, "mint", value=amount, of_token=True))
        self._calls.append(Call(party, "approve", (self._venue.address, amount), of_token=True))
        self._calls.append(Call(party, "deposit", (amount,)))
        self._changes[party] += amount

    def play(self) -> list[Event]:
        """Makes all planned calls; books the market's events, and returns them.

        Raises as the venue does, and BooksDoNotBalance.
        """
        calls, self._calls = self._calls, []
        self._changes.clear()
        said: list[Event] = []
        for events in self._venue.play(calls):
            self.settled += self._books.enter(events)
            said += events
        return said
