"""When the steps of a trading day are taken, on the chain's own clock."""

from __future__ import annotations

from wattproof.market.clock import Clock
from wattproof.market.tariff import Tariff
from wattproof.terms.model import Phase

EPOCH = 1_750_464_000
"""Midnight UTC of 21 June 2025, in seconds: where the first period of every input starts, whatever today's date is. On
a chain whose clock is later it is the first midnight that can still be reached."""

_DAY = 86_400

STEPS = {
    "settle": (Phase.SETTLING, Phase.CLOSING),
    "meter": (Phase.METERING, Phase.SETTLING),
    "match": (Phase.MATCHING, Phase.DELIVERING),
    "reveal": (Phase.REVEALING, Phase.MATCHING),
    "bid": (Phase.BIDDING, Phase.REVEALING),
}
"""The steps of a period: the phases at whose beginning they are taken, and those before which they must be over. Bids
are made at the end of BIDDING. Of steps of one second, those stand first that are taken first."""


class Timetable:
    """The seconds of a day whose periods are counted from 0; those before it have indices below 0.

    first     the market's number of period 0
    opening   the second at which households join: a period before the first bids
    """

    def __init__(self, tariff: Tariff, now: int = 0, earliest: int = 0) -> None:
        """`now` is the chain's second; `earliest` the index of the first period that is traded, 0 or below."""
        self._clock, self._window, self._earliest = Clock(tariff.period_length, tariff.window), tariff.window, earliest
        self._begin(0)
        days = max(0, now - self.opening) // _DAY
        while self.opening < now:
            self._begin(days := days + 1)

    def _begin(self, days: int) -> None:
        """Lets the day be so many days after `EPOCH`."""
        length = self._clock.period_length
        self.first = -(-(EPOCH + days * _DAY) // length)
        self.opening = self.window(self._earliest, "bid")[0] - length

    def window(self, index: int, step: str) -> tuple[int, int]:
        """The second at which a step of the period `index` is taken, and the one before which it must be over."""
        begins, ends = STEPS[step]
        until = self._clock.begins(ends, self.first + index)
        # As late as bidding allows: forecasts are best then.
        second = until - 1 if begins is Phase.BIDDING else self._clock.begins(begins, self.first + index)
        return second, until

    def earliest(self, index: int, step: str) -> int | None:
        """The second from which on a step may be taken where it takes time; None: no sooner than it is due."""
        return self.window(index, step)[0] - self._window if step == "bid" else None
