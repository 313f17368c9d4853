# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Rooms: where quotes and their books lie
@custom:contract-name rooms
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A quote that is settled or withdrawn gives its room back, and another one moves in. What
        the first left there is none of the second's: each record tells whose it is (T-QUO-17).
@dev There are `2 ** n` rooms, and the last bits of a quote's number tell in which it lies. Where
     a quote is still open there, there are twice as many from then on, and so again: nobody is
     ever refused a room. A quote stays where it is; who looks for one that came when there were
     fewer rooms looks there, too.
"""

from ..interfaces import IEnergyMarket
from . import errors
from . import packing


# @dev The bits of a number.
_COUNT_BITS: constant(uint256) = 64


# @dev How often the rooms can become twice as many: then there is one for each number.
_DOUBLINGS: constant(uint256) = 32 - packing.ROOM_BITS


# @dev How many quotes there are, and above that one less than the number of rooms: both are asked
# for at once.
_counter: uint256


# @dev The quotes by room.
_quote: HashMap[uint256, uint256]


@deploy
def __init__():
    """
    @dev Begins with the least number of rooms.
    """
    self._counter = (2**packing.ROOM_BITS - 1) << _COUNT_BITS


@external
@view
def quote_count() -> uint256:
    """
    @dev Returns how many quotes there are.
    @return uint256 The ID of the last one; 0 where there is none.
    """
    return self._counter & (2**_COUNT_BITS - 1)


@internal
@view
def _word(quote_id: uint256) -> (uint256, uint256):
    """
    @dev Returns the room of a quote and its word; zeros where it has none, or none any more.
    """
    mask: uint256 = self._counter >> _COUNT_BITS
    for _halving: uint256 in range(_DOUBLINGS + 1):
        room: uint256 = quote_id & mask
        word: uint256 = self._quote[room]
        if word != 0 and word >> packing.QUOTE_ID_SHIFT == quote_id >> packing.ROOM_BITS:
            return room, word
        mask >>= 1
        if mask < 2**packing.ROOM_BITS - 1:
            break
    return 0, 0


@internal
@view
def _is_valid(quote_id: uint256) -> bool:
    """
    @dev Tells whether a quote is neither withdrawn nor matched.
    """
    room: uint256 = 0
    word: uint256 = 0
    room, word = self._word(quote_id)

    return word != 0 and word & packing.NOT_VALID == 0


@internal
@view
def _existing(quote_id: uint256, status: IEnergyMarket.QuoteStatus) -> packing.Quote:
    """
    @dev Returns a quote that has to stand at `status`: VALID, that is neither withdrawn nor
         matched, or MATCHED, that is not settled.
    @custom:error "quotes: unknown quote", "quotes: not valid", "quotes: not matched".
    """
    room: uint256 = 0
    word: uint256 = 0
    room, word = self._word(quote_id)
    if word == 0:
        errors._revert(errors.QUOTES_UNKNOWN_QUOTE)

    quote: packing.Quote = packing._quote(word, room)
    if quote.status != status:
        errors._revert(
            errors.QUOTES_NOT_VALID
            if status == IEnergyMarket.QuoteStatus.VALID
            else errors.QUOTES_NOT_MATCHED
        )

    return quote


@internal
@view
def _volume(quote_id: uint256) -> uint256:
    """
    @dev Returns the volume of a quote.
    """
    room: uint256 = 0
    word: uint256 = 0
    room, word = self._word(quote_id)

    return word >> packing.QUOTE_VOLUME_SHIFT & packing.MAX_ENERGY


@internal
def _lead(room: uint256, first: uint256, change: uint256):
    """
    @dev Names the first bidder of the quote in a room, and adds a `change` (see `packing._led`).
    """
    self._quote[room] = packing._led(self._quote[room], first, change)


@internal
def _close(room: uint256):
    """
    @dev Turns VALID into INVALID and MATCHED into SETTLED: the room is free.
    """
    self._quote[room] |= packing.CLOSED


@internal
def _take(word: uint256) -> uint256:
    """
    @dev Gives a new quote the next number and a room in which none is open; returns the number.
    """
    counter: uint256 = unsafe_add(self._counter, 1)
    quote_id: uint256 = counter & (2**_COUNT_BITS - 1)
    assert quote_id <= packing.MAX_NUMBER
    mask: uint256 = counter >> _COUNT_BITS
    room: uint256 = 0
    for _doubling: uint256 in range(_DOUBLINGS + 1):
        room = quote_id & mask
        word_there: uint256 = self._quote[room]
        if word_there == 0 or word_there & packing.CLOSED != 0:
            break
        mask = mask << 1 | 1
    self._counter = quote_id | mask << _COUNT_BITS
    self._quote[room] = word | quote_id >> packing.ROOM_BITS << packing.QUOTE_ID_SHIFT

    return quote_id
