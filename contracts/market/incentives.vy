# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Rewards: good performances, fee tiers and waivers
@custom:contract-name incentives
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Good performances accumulate for ever and take 20 % off the service fee per tier
        (T-STD-1 to T-STD-3); shortages earn waivers of later fees (T-SET-12, T-SET-15).
"""

from ..interfaces import IEnergyMarket
from . import tariff

uses: tariff


# @dev What the market keeps of a user's standing.
struct Standing:
    performances: uint256
    defaults: uint256
    waivers: uint256


# @dev The tier at which no fee is left; each tier is 20 % of it.
_TOP_TIER: constant(uint256) = 5


# @dev Good performances of the first tier; each further tier needs twice as many.
_FIRST_THRESHOLD: constant(uint256) = 5


# @dev The standing of every user.
_standing: HashMap[address, Standing]


@deploy
def __init__():
    """
    @dev Nothing to initialise: everybody starts with a clean slate.
    """
    pass


@internal
@view
def _tier(user: address) -> uint256:
    """
    @dev Returns the tier of `user`: 0 below 5 good performances, then 1 from 5, 2 from
         10, 3 from 20, 4 from 40 and 5 from 80 (T-STD-2).
    """
    performances: uint256 = self._standing[user].performances
    threshold: uint256 = _FIRST_THRESHOLD
    tier: uint256 = 0
    for _: uint256 in range(_TOP_TIER):
        if performances < threshold:
            break
        tier += 1
        threshold *= 2

    return tier


@internal
def _charge(user: address, volume: uint256) -> uint256:
    """
    @dev Returns the service fee that `user` pays on `volume` Wh: the discount taken off
         and rounded down, and 0 where a waiver in hand takes its place (T-SET-13, T-SET-14).
    """
    fee: uint256 = volume * tariff.SERVICE_FEE * (_TOP_TIER - self._tier(user)) // _TOP_TIER
    # A fee of nothing uses no waiver up.
    if fee > 0 and self._standing[user].waivers > 0:
        self._standing[user].waivers -= 1
        log IEnergyMarket.WaiverUsed(user=user)
        return 0

    return fee


@internal
def _grant_waiver(user: address):
    """
    @dev Gives `user` one waiver of a later fee.
    """
    self._standing[user].waivers += 1
    log IEnergyMarket.WaiverGranted(user=user)


@internal
def _record(user: address, good: bool):
    """
    @dev Records a good performance of `user`, or else a default.
    """
    if good:
        self._standing[user].performances += 1
    else:
        self._standing[user].defaults += 1
    log IEnergyMarket.PerformanceRecorded(user=user, good=good)
