# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What each user bought and received in each period
@custom:contract-name positions
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A position is what an account's settlement with the supplier is computed from.
        It stays open while a quote with a stake of the user is not settled (T-ACC-4, T-ACC-5),
        and counts what the user claims of its capacity (T-REG-21).
@dev Stakes are counted, but for one: the first quote on which a user opens a bid in a
     period is named as `pending`, and is a stake as long as that quote is VALID. So a
     bid that loses need not be seen here again: its matching ends its stake.
"""

from ..interfaces import IEnergyMarket
from . import errors
from . import packing
from . import quotes

uses: quotes


# @dev The positions by user and period.
_position: HashMap[address, HashMap[uint256, uint256]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: every position starts empty.
    """
    pass


@internal
@view
def _has_stake(word: uint256) -> bool:
    """
    @dev Tells whether a quote is not settled in which the user of a position bought or
         opened a bid.
    """
    if word >> packing.POSITION_OPEN_SHIFT & packing.MAX_STAKES != 0:
        return True
    # The quote that is pending is a stake as long as it is VALID.
    pending: uint256 = word >> packing.POSITION_PENDING_SHIFT & packing.MAX_NUMBER

    return pending != 0 and quotes._read(pending).status == IEnergyMarket.QuoteStatus.VALID


@internal
@pure
def _check_capacity(word: uint256, volume: uint256, capacity: uint256):
    """
    @dev Reverts where the user of a position claims more than its `capacity` with `volume`
         Wh more: the bids that it opens, lost ones included, and what it purchases count
         together (T-REG-21).
    @custom:error "positions: beyond the capacity".
    """
    # Neither is above 2 ** 48: no overflow.
    if unsafe_add(packing._claimed(word), volume) > capacity:
        errors._revert("positions: beyond the capacity")


@internal
def _stake(user: address, period: uint256, quote_id: uint256, volume: uint256, capacity: uint256) -> bool:
    """
    @dev Counts what `user` asks for, which opened a bid for `volume` Wh on `quote_id`, and
         keeps its account open. Returns whether that is the one quote that is pending, and
         not counted.
    @custom:error That of `_check_capacity`.
    """
    word: uint256 = self._position[user][period]
    self._check_capacity(word, volume, capacity)

    word = packing._asked(word, volume)
    pending: bool = word >> packing.POSITION_PENDING_SHIFT & packing.MAX_NUMBER == 0
    if pending:
        word |= quote_id << packing.POSITION_PENDING_SHIFT
    else:
        word = packing._staked(word)
    self._position[user][period] = word

    return pending


@internal
def _buy(
    user: address,
    period: uint256,
    quote_id: uint256,
    volume: uint256,
    agreed: uint256,
    claimed: uint256,
    first: bool,
):
    """
    @dev Adds `volume` Wh to what `user` bought, `agreed` to what it agreed ahead of the
         delivery (T-ACC-10, T-ACC-11), and `claimed` to what it claims of its capacity. The
         `first` trade with a quote in which it has no counted stake counts one; a quote
         counts once.
    """
    word: uint256 = packing._bought(self._position[user][period], volume, agreed, claimed)
    if first:
        word = packing._staked(word)
        # It is counted from here on, and pending no longer.
        if word >> packing.POSITION_PENDING_SHIFT & packing.MAX_NUMBER == quote_id:
            word ^= quote_id << packing.POSITION_PENDING_SHIFT
    self._position[user][period] = word


@internal
def _receive(user: address, period: uint256, volume: uint256, ends: bool):
    """
    @dev Adds `volume` Wh to what `user` received, and ends a counted stake where that
         `ends` it.
    """
    word: uint256 = packing._received(self._position[user][period], volume, convert(ends, uint256))
    self._position[user][period] = word
