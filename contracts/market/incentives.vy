# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Rewards: good performances, fee tiers and waivers
@custom:contract-name incentives
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Good performances accumulate for ever and take 20 % off the service fee per tier
        (T-STD-1 to T-STD-3); shortages earn waivers of later fees (T-SET-12, T-SET-15).
@dev Performances and waivers lie in the user's balance record, which the caller reads and
     writes back: they change when money moves.
"""

from ..interfaces import IEnergyMarket
from . import packing
from . import tariff

uses: tariff


# @dev The tier at which no fee is left; each tier is 20 % of it.
_TOP_TIER: constant(uint256) = 5


# @dev Good performances of the first tier; each further tier needs twice as many.
_FIRST_THRESHOLD: constant(uint256) = 5


# @dev The defaults of every user.
_defaults: HashMap[address, uint256]


@deploy
def __init__():
    """
    @dev Nothing to initialise: every counter starts at 0.
    """
    pass


@internal
@pure
def _tier(performances: uint256) -> uint256:
    """
    @dev Returns the tier of a user: 0 below 5 good performances, then 1 from 5, 2 from
         10, 3 from 20, 4 from 40 and 5 from 80 (T-STD-2).
    """
    if performances < _FIRST_THRESHOLD:
        return 0
    # Few comparisons and no loop: who stands highest is looked up most.
    if performances < 4 * _FIRST_THRESHOLD:
        return unsafe_add(1, convert(performances >= 2 * _FIRST_THRESHOLD, uint256))

    return unsafe_add(
        unsafe_add(_TOP_TIER - 2, convert(performances >= 8 * _FIRST_THRESHOLD, uint256)),
        convert(performances >= 16 * _FIRST_THRESHOLD, uint256),
    )


@internal
def _charge(user: address, balance: uint256, volume: uint256) -> (uint256, uint256):
    """
    @dev Returns the service fee that `user` pays on `volume` Wh, and its balance record
         afterwards, the fee not yet taken: the discount is taken off and rounded down, and
         the fee is 0 where a waiver in hand takes its place (T-SET-13, T-SET-14).
    """
    performances: uint256 = balance >> packing.BALANCE_PERFORMANCES_SHIFT & packing.MAX_PERFORMANCES
    share: uint256 = unsafe_sub(_TOP_TIER, self._tier(performances))
    fee: uint256 = unsafe_mul(unsafe_mul(volume, tariff.SERVICE_FEE), share) // _TOP_TIER
    # A fee of nothing uses no waiver up.
    if fee > 0 and balance >> packing.BALANCE_WAIVERS_SHIFT & packing.MAX_WAIVERS != 0:
        log IEnergyMarket.WaiverUsed(user=user)
        return 0, unsafe_sub(balance, 1 << packing.BALANCE_WAIVERS_SHIFT)

    return fee, balance


@internal
def _grant_waiver(user: address, balance: uint256) -> uint256:
    """
    @dev Gives `user` one waiver of a later fee, and returns its balance record afterwards.
    """
    log IEnergyMarket.WaiverGranted(user=user)

    return packing._counted(balance, packing.BALANCE_WAIVERS_SHIFT, packing.MAX_WAIVERS)


@internal
def _record(user: address, balance: uint256, good: bool) -> uint256:
    """
    @dev Records a good performance of `user`, or else a default, and returns its balance
         record afterwards.
    """
    log IEnergyMarket.PerformanceRecorded(user=user, good=good)
    if good:
        return packing._counted(balance, packing.BALANCE_PERFORMANCES_SHIFT, packing.MAX_PERFORMANCES)
    # Counted one by one: no overflow.
    self._defaults[user] = unsafe_add(self._defaults[user], 1)

    return balance
