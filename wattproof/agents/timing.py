"""Phases by the chain's time, which is that of its newest block; the wall clock decides nothing (T-TIME-1)."""

from __future__ import annotations

from wattproof.market.clock import Clock
from wattproof.terms.model import Phase

_LATER = [phase for phase in reversed(Phase) if phase is not Phase.BIDDING]


def phase(clock: Clock, period: int, now: int) -> Phase:
    """The phase in which a period is at the second `now`."""
    return next((later for later in _LATER if now >= clock.begins(later, period)), Phase.BIDDING)


def halfway(clock: Clock, begun: Phase, period: int) -> int:
    """The second at which half of a phase's window is over."""
    return clock.begins(begun, period) + clock.window // 2


def three_quarters(clock: Clock, begun: Phase, period: int) -> int:
    """The second at which three quarters of a phase's window are over."""
    return clock.begins(begun, period) + clock.window * 3 // 4
