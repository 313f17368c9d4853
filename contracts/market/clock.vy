# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The clock that opens and closes every gate
@custom:contract-name clock
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Delivery period `p` runs over `[p * L, (p + 1) * L)`, `L` the period length in
        seconds. Its phase follows from the block's time alone (T-TIME-1 to T-TIME-11).
"""

from ..interfaces import IEnergyMarket
from . import errors

_DAY: constant(uint256) = 24 * 60 * 60


# @dev How far ahead of its start a period may be quoted, in seconds (T-QUO-3).
_HORIZON: constant(uint256) = 7 * _DAY


# @dev How much longer than it must be a record is kept, in seconds (T-PARTY-22).
_MARGIN: constant(uint256) = _DAY


# @dev More periods than there are numbers for (see `packing`): what is kept for so many is kept
# for ever.
_MAX_RING: constant(uint256) = 2**36


# @dev In how many places the records of periods lie, by turns: of two periods that share one,
# the earlier is CLOSING for a day before the later can be quoted (T-PARTY-22).
RING: immutable(uint256)


# @dev The length `L` of a delivery period, in seconds.
PERIOD_LENGTH: immutable(uint256)


# @dev The length `W` of each window around a delivery period, in seconds.
WINDOW: immutable(uint256)


@deploy
def __init__(period_length: uint256, window: uint256):
    """
    @dev Fixes the clock for ever.
    @param period_length The length of a delivery period, in seconds.
    @param window The length of a window, in seconds.
    @custom:error "clock: period length is zero", "clock: window is zero".
    """
    assert period_length > 0, "clock: period length is zero"
    assert window > 0, "clock: window is zero"

    PERIOD_LENGTH = period_length
    WINDOW = window
    # The horizon and the margin, two windows and the period itself, each rounded up; then whole days,
    # so that what is done at the same time every day finds the same places.
    windows: uint256 = min(window // period_length, _MAX_RING)
    needed: uint256 = (_HORIZON + _MARGIN) // period_length + 2 * windows + 4
    day: uint256 = max(_DAY // period_length, 1)
    RING = (needed + day - 1) // day * day


@internal
@view
def _phase(period: uint256) -> IEnergyMarket.Phase:
    """
    @dev Returns the phase of `period`. Lower bounds are included, upper bounds are not.
    @notice Only differences of times are compared, so that no length can overflow: neither
            near time 0 (`S < 2 * W`) nor near the largest time (T-TIME-11).
    """
    # A period whose start would overflow is always ahead (T-TIME-10).
    length: uint256 = PERIOD_LENGTH
    if period > unsafe_div(max_value(uint256), length):
        return IEnergyMarket.Phase.BIDDING

    start: uint256 = unsafe_mul(period, length)
    window: uint256 = WINDOW

    if block.timestamp < start:
        ahead: uint256 = unsafe_sub(start, block.timestamp)
        if ahead <= window:
            return IEnergyMarket.Phase.MATCHING
        if unsafe_sub(ahead, window) <= window:
            return IEnergyMarket.Phase.REVEALING
        return IEnergyMarket.Phase.BIDDING

    past: uint256 = unsafe_sub(block.timestamp, start)
    if past < length:
        return IEnergyMarket.Phase.DELIVERING

    past = unsafe_sub(past, length)
    if past < window:
        return IEnergyMarket.Phase.METERING

    past = unsafe_sub(past, window)
    if past < window:
        return IEnergyMarket.Phase.SETTLING

    return IEnergyMarket.Phase.CLOSING


@internal
@view
def _check_phase(period: uint256, allowed: IEnergyMarket.Phase):
    """
    @dev Reverts unless `period` stands in one of the phases `allowed`.
    @custom:error "clock: wrong phase".
    """
    if self._phase(period) not in allowed:
        errors._revert(errors.CLOCK_WRONG_PHASE)


@internal
@view
def _within_horizon(period: uint256) -> bool:
    """
    @dev Tells whether `period` starts at most seven days ahead, bound included
         (T-QUO-3).
    """
    # `period * L <= t + 7 days` without the product: it could overflow.
    return period <= unsafe_div(unsafe_add(block.timestamp, _HORIZON), PERIOD_LENGTH)


@internal
@view
def _place(period: uint256) -> uint256:
    """
    @dev Returns the place in a ring where the records of `period` lie (T-PARTY-22).
    """
    return period % RING
