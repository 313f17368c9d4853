# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Smart meters' readings
@custom:contract-name metering
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice After the delivery each user's meter reports once what was exported and imported
        (T-MET-1 to T-MET-5, T-MET-11 to T-MET-16).
"""

from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import deliveries
from . import errors
from . import packing
from . import positions
from . import rooms

uses: accounts
uses: clock
uses: deliveries
uses: positions
uses: rooms


# @dev How many readings can be handed in at once (T-MET-11).
BATCH_SIZE: constant(uint256) = 64


# @dev The EIP-712 type of a reading.
_READING_TYPE: constant(bytes32) = keccak256(
    "Reading(address user,uint256 period,uint256 exported,uint256 imported)"
)


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
    @param exported The energy fed into the grid, in Wh; above the capacity it counts as that.
    @param imported The energy drawn from the grid, in Wh; above the capacity as well.
    @param signature The meter's signature of `Reading(user, period, exported, imported)`.
    @custom:error "clock: wrong phase", "accounts: not registered",
                  "positions: earlier not settled", "metering: already read",
                  "accounts: not authorised", "accounts: too little gas", and what
                  `accounts._signature_fault` returns.
    """
    clock._check_phase(period, IEnergyMarket.Phase.METERING)
    fault: bytes32 = self._accept(user, period, exported, imported, signature)
    if fault != empty(bytes32):
        errors._revert(fault)


@external
def submit_readings(period: uint256, readings: DynArray[IEnergyMarket.SignedReading, BATCH_SIZE]) -> uint256:
    """
    @dev Records what several users' meters signed for one period, in the order given.
         What `submit_reading` would refuse is left out and reported by an event, and
         changes nothing else (T-MET-11 to T-MET-13).
    @param period The delivery period.
    @param readings The readings; there may be none.
    @return uint256 A bit for each that was accepted, the first one's lowest.
    @custom:error "clock: wrong phase", "accounts: too little gas".
    """
    clock._check_phase(period, IEnergyMarket.Phase.METERING)

    accepted: uint256 = 0
    index: uint256 = 0
    for entry: IEnergyMarket.SignedReading in readings:
        fault: bytes32 = self._accept(entry.user, period, entry.exported, entry.imported, entry.signature)
        if fault == empty(bytes32):
            accepted |= 1 << index
        else:
            log IEnergyMarket.ReadingRefused(
                user=entry.user, period=period, index=index, reason=errors._text(fault)
            )
        index = unsafe_add(index, 1)

    return accepted


@internal
def _accept(
    user: address, period: uint256, exported: uint256, imported: uint256, signature: Bytes[65]
) -> bytes32:
    """
    @dev Records what a user's meter signed. Returns why it cannot, and changes nothing
         then; empty where it can.
    """
    word: uint256 = accounts._identity[user]
    if word == 0:
        return errors.ACCOUNTS_NOT_REGISTERED
    place: uint256 = clock._place(period)
    position: uint256 = positions._word(user, period, place)
    if position == 0:
        return errors.POSITIONS_EARLIER_NOT_SETTLED
    if position & packing.PRESENT != 0:
        return errors.METERING_ALREADY_READ
    # What is above the capacity counts as the capacity: to refuse the reading would turn an
    # honest seller into a silent one over a single Wh (T-MET-3).
    capacity: uint256 = word >> packing.IDENTITY_CAPACITY_SHIFT
    limit: uint256 = capacity
    if word & packing.AUTHORIZED == 0:
        # Who is not let in, or no longer, exports at most what it quoted (T-MET-15), and
        # reports only where it has business in the period (T-MET-5). What was bought is a
        # stake still: no quote of the period is settled yet.
        if not positions._has_stake(user, place, position):
            return errors.ACCOUNTS_NOT_AUTHORISED
        limit = 0
        if position & packing.QUOTED != 0:
            sale: packing.Sale = deliveries._read_sale(user, place)
            if sale.open:
                limit = rooms._volume(sale.quote_id)
    struct_hash: bytes32 = keccak256(abi_encode(_READING_TYPE, user, period, exported, imported))
    meter: address = packing._meter(word)
    fault: bytes32 = accounts._signature_fault(meter, struct_hash, signature)
    if fault != empty(bytes32):
        return fault

    counted: uint256 = min(exported, limit)
    drawn: uint256 = min(imported, capacity)
    positions._write(user, place, packing._metered(position, counted, drawn))
    log IEnergyMarket.ReadingSubmitted(user=user, period=period, exported=counted, imported=drawn)

    return empty(bytes32)
