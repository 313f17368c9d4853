"""The chain's clock, set to where a phase of a delivery period begins (T-TIME-2 to T-TIME-8)."""

from __future__ import annotations

from typing import Any

import boa
from boa.environment import Env

from wattproof.evm import network
from wattproof.terms.model import Phase


class Clock:
    """Moves the time of a chain for a market with periods of `period_length` and windows of `window` seconds."""

    def __init__(self, period_length: int, window: int, env: Env | None = None) -> None:
        """The chain is that of `env`; None: of whatever titanoboa is set to."""
        self.period_length = period_length
        self.window = window
        self._env = env

    @classmethod
    def of(cls, market: Any) -> Clock:
        """The clock of a deployed market, on its chain."""
        return cls(market.PERIOD_LENGTH(), market.WINDOW(), market.env)

    @property
    def now(self) -> int:
        """The block's time, in seconds; on a network that of the last block."""
        return network.now(self._env or boa.env)

    @now.setter
    def now(self, second: int) -> None:
        """Moves time. Raises `network.NotReady` where the chain's clock cannot be moved."""
        network.move_to(self._env or boa.env, second)

    @property
    def period(self) -> int:
        """The delivery period that runs now."""
        return self.now // self.period_length

    def next_quotable(self, now: int | None = None) -> int:
        """The earliest delivery period that is still in BIDDING at the second `now`, by default the block's time."""
        return ((self.now if now is None else now) + 2 * self.window) // self.period_length + 1

    def begins(self, phase: Phase | str, period: int) -> int:
        """The second at which `phase` of `period` begins. ValueError for BIDDING, which has no beginning."""
        start = period * self.period_length
        end = start + self.period_length
        beginnings = {
            Phase.REVEALING: start - 2 * self.window,
            Phase.MATCHING: start - self.window,
            Phase.DELIVERING: start,
            Phase.METERING: end,
            Phase.SETTLING: end + self.window,
            Phase.CLOSING: end + 2 * self.window,
        }
        phase = Phase[phase] if isinstance(phase, str) else phase
        if phase not in beginnings:
            raise ValueError("BIDDING has no beginning: it lasts from the dawn of time until REVEALING")
        return beginnings[phase]

    def to(self, phase: Phase | str, period: int) -> int:
        """Moves time to the second at which `phase` of `period` begins, and returns it.

        Raises ValueError where that lies in the past: time on a chain runs one way; `network.NotReady` where the
        chain's clock cannot be moved.
        """
        second = self.begins(phase, period)
        if second < self.now:
            raise ValueError(f"{phase} of period {period} began {self.now - second} s ago; time runs one way")
        self.now = second
        return second
