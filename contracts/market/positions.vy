# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What each user bought, received and metered in each period
@custom:contract-name positions
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A position is what an account's settlement with the supplier is computed from.
        It stays open while a quote with a stake of the user is not settled (T-ACC-4, T-ACC-5),
        and counts what the user claims of its capacity (T-REG-21). Once nothing follows from it
        any more, a later period's may take its place (T-PARTY-19, T-PARTY-20).
@dev Stakes are counted, but for one: the first quote on which a user opens a bid in a
     period is named as `pending`, and is a stake as long as that quote is VALID. So a
     bid that loses need not be seen here again: its matching ends its stake.
"""

from ..interfaces import IEnergyMarket
from . import deliveries
from . import errors
from . import packing
from . import rooms

uses: deliveries
uses: rooms


# @dev The positions by user and the period's place in the ring; each says whose period it is. Who
# knows of a stake of the user in a period reads its position here: it is that period's, as none
# takes its place before the stake has ended. All others ask for `_word`.
_position: HashMap[address, HashMap[uint256, uint256]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: every position starts empty.
    """
    pass


@internal
@view
def _word(user: address, period: uint256, place: uint256) -> uint256:
    """
    @dev Returns the word of a user and period, to be written back: a new one where there is none,
         which takes the place of an earlier period's. Zero where that is not final (T-PARTY-19).
    """
    word: uint256 = self._position[user][place]
    if word >> packing.POSITION_PERIOD_SHIFT == unsafe_add(period, packing.BEGUN):
        return word
    # Zero is no period's word: nothing was begun there yet.
    if word != 0 and not self._is_final(user, place, word):
        return 0

    return unsafe_add(period, packing.BEGUN) << packing.POSITION_PERIOD_SHIFT


@internal
@view
def _opened(user: address, period: uint256, place: uint256) -> uint256:
    """
    @dev Returns the word of a user and period, to be written back; begins one where there is none.
    @custom:error "positions: earlier not settled" (T-PARTY-19).
    """
    word: uint256 = self._word(user, period, place)
    if word == 0:
        errors._revert(errors.POSITIONS_EARLIER_NOT_SETTLED)

    return word


@internal
def _write(user: address, place: uint256, word: uint256):
    """
    @dev Keeps the word of a user at the place of its period.
    """
    self._position[user][place] = word


@internal
@view
def _is_final(user: address, place: uint256, word: uint256) -> bool:
    """
    @dev Tells whether nothing follows any more from a position (T-PARTY-20): its account is
         settled, or there is nothing to settle.
    """
    if word & packing.SETTLED != 0:
        return True

    return (
        word & (packing.PRESENT | packing.MAX_ENERGY << packing.POSITION_BOUGHT_SHIFT) == 0
        and not self._has_stake(user, place, word)
    )


@internal
@view
def _has_stake(user: address, place: uint256, word: uint256) -> bool:
    """
    @dev Tells whether a quote is not settled which the user of a position made, bought from or
         opened a bid on. What it quoted lies at the same place as the position.
    """
    if word >> packing.POSITION_OPEN_SHIFT & packing.MAX_STAKES != 0:
        return True
    if word & packing.QUOTED != 0 and deliveries._sale[user][place] & packing.SALE_OPEN != 0:
        return True
    # The quote that is pending is a stake as long as it is VALID.
    pending: uint256 = word >> packing.POSITION_PENDING_SHIFT & packing.MAX_NUMBER

    return pending != 0 and rooms._is_valid(pending)


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
        errors._revert(errors.POSITIONS_BEYOND_THE_CAPACITY)


@internal
def _stake(
    user: address, period: uint256, place: uint256, quote_id: uint256, volume: uint256, capacity: uint256
) -> bool:
    """
    @dev Counts what `user` asks for, which opened a bid for `volume` Wh on `quote_id`, and
         keeps its account open. Returns whether that is the one quote that is pending, and
         not counted.
    @custom:error Those of `_opened` and `_check_capacity`.
    """
    word: uint256 = self._opened(user, period, place)
    self._check_capacity(word, volume, capacity)

    word = packing._asked(word, volume)
    pending: bool = word >> packing.POSITION_PENDING_SHIFT & packing.MAX_NUMBER == 0
    if pending:
        word |= quote_id << packing.POSITION_PENDING_SHIFT
    else:
        word = packing._staked(word)
    self._write(user, place, word)

    return pending


@internal
def _buy(
    user: address,
    place: uint256,
    position: uint256,
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
         counts once. Writes its `position` back, which lies at the period's `place`.
    """
    word: uint256 = packing._bought(position, volume, agreed, claimed)
    if first:
        word = packing._staked(word)
        # It is counted from here on, and pending no longer.
        if word >> packing.POSITION_PENDING_SHIFT & packing.MAX_NUMBER == quote_id:
            word ^= quote_id << packing.POSITION_PENDING_SHIFT
    self._write(user, place, word)


@internal
def _receive(user: address, place: uint256, volume: uint256, ends: bool):
    """
    @dev Adds `volume` Wh to what `user`, which has a stake, received in the period of a `place`,
         and ends a counted stake where that `ends` it.
    """
    self._position[user][place] = packing._received(
        self._position[user][place], volume, convert(ends, uint256)
    )
