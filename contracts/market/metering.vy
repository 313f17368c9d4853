# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Smart meters' readings
@custom:contract-name metering
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice After the delivery each user's meter reports once what was exported and imported
        (T-MET-1 to T-MET-5).
"""

from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import tariff

uses: accounts
uses: clock


# @dev The EIP-712 type of a reading.
_READING_TYPE: constant(bytes32) = keccak256(
    "Reading(address user,uint256 period,uint256 exported,uint256 imported)"
)


# @dev The readings by user and period.
_reading: HashMap[address, HashMap[uint256, IEnergyMarket.Reading]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: nothing is metered yet.
    """
    pass


@external
def submit_reading(
    user: address, period: uint256, exported: uint256, imported: uint256, signature: Bytes[65]
):
    """
    @dev Records what a user's meter signed, once per period. Anybody may bring it.
    @param user The user.
    @param period The delivery period.
    @param exported The energy fed into the grid, in Wh.
    @param imported The energy drawn from the grid, in Wh.
    @param signature The meter's signature of `Reading(user, period, exported, imported)`.
    @custom:error "accounts: not registered", "clock: wrong phase",
                  "metering: already read", "metering: reading out of bounds", and those
                  of `accounts._check_signature`.
    """
    accounts._check_registered(user)
    clock._check_phase(period, IEnergyMarket.Phase.METERING)
    assert not self._reading[user][period].present, "metering: already read"
    assert tariff._is_energy(exported) and tariff._is_energy(imported), "metering: reading out of bounds"
    accounts._check_signature(
        accounts._identity[user].meter,
        keccak256(abi_encode(_READING_TYPE, user, period, exported, imported)),
        signature,
    )

    self._reading[user][period] = IEnergyMarket.Reading(present=True, exported=exported, imported=imported)
    log IEnergyMarket.ReadingSubmitted(user=user, period=period, exported=exported, imported=imported)


@external
@view
def reading(user: address, period: uint256) -> IEnergyMarket.Reading:
    """
    @dev Returns what a user's meter reported for a delivery period.
    @param user The user.
    @param period The delivery period.
    @return Reading The reading, in Wh; all zero where there is none.
    """
    return self._reading[user][period]
