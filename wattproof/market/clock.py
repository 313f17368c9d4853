"""The chain's clock, set to where a phase of a delivery period begins (T-TIME-2 to T-TIME-8)."""

from __future__ import annotations

import operator
from typing import Any

import boa
from boa.environment import Env

from wattproof.evm import network
from wattproof.terms.model import Phase

FARTHEST = 100 * 365 * 86_400
"""Seconds beyond which nobody means to move a clock, which cannot be moved back."""


def whole(what: str, number: Any) -> int:
    """A whole number. ValueError for anything else."""
    try:
        return operator.index(number)
    except TypeError:
        raise ValueError(f"{what} must be a whole number, not {number!r}") from None


def phase_of(phase: Phase | str) -> Phase:
    """A phase, or the one of that name. ValueError where there is none."""
    found = Phase.__members__.get(phase.upper()) if isinstance(phase, str) else phase
    if not isinstance(found, Phase):
        raise ValueError(f"there is no phase {phase!r}: name one of {', '.join(Phase.__members__)}")
    return found


class Clock:
    """Moves the time of a chain for a market with periods of `period_length` and windows of `window` seconds."""

    def __init__(self, period_length: int, window: int, env: Env | None = None) -> None:
        """The chain is that of `env`; None: of whatever titanoboa is set to."""
        self.period_length = period_length
        self.window = window
        self._env = env

    @classmethod
    def of(cls, market: Any) -> Clock:
        """The clock of a deployed market, with its views or without, or of its lens, on its chain.

        ValueError for anything else, such as an address.
        """
        if not hasattr(market, "frame") and not hasattr(market, "PERIOD_LENGTH"):
            raise ValueError(
                f"{market!r} is no market, which has a clock: give the contract, as deploy().market is one"
            )
        if hasattr(market, "frame"):
            frame = market.frame()
            return cls(frame.period_length, frame.window, market.env)
        return cls(market.PERIOD_LENGTH(), market.WINDOW(), market.env)

    @property
    def now(self) -> int:
        """The block's time, in seconds; on a network that of the last block."""
        return network.now(self._env or boa.env)

    @now.setter
    def now(self, second: int) -> None:
        """Moves time. Raises ValueError for what is no second, or one so far ahead that it can hardly be meant,
        `network.NotReady` where the chain's clock cannot be moved."""
        second = whole("a second", second)
        if not 0 <= second < 2**256:
            raise ValueError(f"a second is 0 or more and below 2**256, not {second}")
        if second - self.now > FARTHEST:
            raise ValueError(
                f"second {second} is more than a century ahead: is this in milliseconds? Time runs one way"
            )
        network.move_to(self._env or boa.env, second)

    @property
    def period(self) -> int:
        """The delivery period that runs now."""
        return self.now // self.period_length

    def next_quotable(self, now: int | None = None) -> int:
        """The earliest delivery period that is still in BIDDING at the second `now`, by default the block's time.

        ValueError for what is no second.
        """
        return ((self.now if now is None else whole("a second", now)) + 2 * self.window) // self.period_length + 1

    def begins(self, phase: Phase | str, period: int) -> int:
        """The second at which `phase` of `period` begins.

        ValueError for BIDDING, which has no beginning, and for what is no phase or no period.
        """
        phase = phase_of(phase)
        start = whole("a period", period) * self.period_length
        end = start + self.period_length
        beginnings = {
            Phase.REVEALING: start - 2 * self.window,
            Phase.MATCHING: start - self.window,
            Phase.DELIVERING: start,
            Phase.METERING: end,
            Phase.SETTLING: end + self.window,
            Phase.CLOSING: end + 2 * self.window,
        }
        if phase not in beginnings:
            raise ValueError("BIDDING has no beginning: it lasts from the dawn of time until REVEALING")
        return beginnings[phase]

    def to(self, phase: Phase | str, period: int) -> int:
        """Moves time to the second at which `phase` of `period` begins, and returns it.

        Raises ValueError where that lies in the past, as time on a chain runs one way, or so far ahead that it can
        hardly be meant; `network.NotReady` where the chain's clock cannot be moved.
        """
        second, now = self.begins(phase, period), self.now
        name = phase_of(phase).name
        if second < now:
            raise ValueError(f"{name} of period {period} began {now - second} s ago; time runs one way")
        if second - now > FARTHEST:
            raise ValueError(
                f"{name} of period {period} begins in more than a century: is this a second? "
                f"Periods are numbered, and {now // self.period_length} runs now"
            )
        self.now = second
        return second
