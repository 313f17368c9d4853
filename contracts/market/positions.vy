# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What each user bought and received in each period
@custom:contract-name positions
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A position is what an account's settlement with the supplier is reckoned from.
        It stays open while a quote with a stake of the user is not settled (T-ACC-4, T-ACC-5).
@dev Stakes are counted, but for one: the first quote on which a user opens a bid in a
     period is named as `pending`, and is a stake as long as that quote is VALID. So a
     bid that loses need not be seen here again: its matching ends its stake.
"""

from ..interfaces import IEnergyMarket
from . import deliveries
from . import packing
from . import quotes

uses: deliveries
uses: quotes


# @dev The positions by user and period.
_position: HashMap[address, HashMap[uint256, uint256]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: every position starts empty.
    """
    pass


@external
@view
def position(user: address, period: uint256) -> IEnergyMarket.Position:
    """
    @dev Returns the position of a user in a delivery period.
    @param user The user.
    @param period The delivery period.
    @return Position The position, in Wh.
    """
    position: packing.Position = self._read(user, period)
    sale: packing.Sale = deliveries._read_sale(user, period)
    reading: packing.Reading = packing._reading(sale.reading)

    return IEnergyMarket.Position(
        agreed=position.agreed,
        bought=position.bought,
        received=position.received,
        delivered=self._delivered(sale, reading),
        open=self._open(position, sale),
        settled=position.settled or reading.settled,
    )


@internal
@view
def _open(position: packing.Position, sale: packing.Sale) -> uint256:
    """
    @dev Returns how many quotes with a stake of a user are not settled (T-ACC-5), its own
         `sale` among them.
    """
    open: uint256 = position.open
    if sale.open:
        open += 1
    if self._is_pending(position.pending):
        open += 1

    return open


@internal
@view
def _has_stake(word: uint256) -> bool:
    """
    @dev Tells whether a quote is not settled in which the user of a position bought or
         opened a bid.
    """
    if word >> packing.OPEN_AT & packing.MOST_COUNT != 0:
        return True

    return self._is_pending(word >> packing.PENDING_AT & packing.MOST_NUMBER)


@internal
@view
def _is_pending(quote_id: uint256) -> bool:
    """
    @dev Tells whether the quote that a position names as pending is a stake still.
    """
    return quote_id != 0 and quotes._read(quote_id).status == IEnergyMarket.QuoteStatus.VALID


@internal
@pure
def _delivered(sale: packing.Sale, reading: packing.Reading) -> uint256:
    """
    @dev Returns the Wh that a prosumer delivered: none before its quote is settled
         (T-SET-3, T-ACC-13).
    """
    return 0 if sale.open else min(sale.sold, reading.exported)


@internal
@view
def _read(user: address, period: uint256) -> packing.Position:
    """
    @dev Returns the position of `user` in `period`.
    """
    return packing._position(self._position[user][period])


@internal
def _stake(user: address, period: uint256, quote_id: uint256) -> bool:
    """
    @dev Keeps the account of `user` open, which opened a bid on `quote_id`. Returns
         whether that is the one quote that is pending, and not counted.
    """
    word: uint256 = self._position[user][period]
    if word >> packing.PENDING_AT & packing.MOST_NUMBER == 0:
        self._position[user][period] = word | quote_id << packing.PENDING_AT
        return True
    self._position[user][period] = packing._staked(word)

    return False


@internal
def _buy(user: address, period: uint256, quote_id: uint256, volume: uint256, ahead: bool, first: bool):
    """
    @dev Adds `volume` Wh to what `user` bought, and to what it agreed where that was
         `ahead` of the delivery (T-ACC-10, T-ACC-11). The `first` trade with a quote in
         which it has no counted stake counts one; a quote counts once.
    """
    agreed: uint256 = unsafe_mul(volume, convert(ahead, uint256))
    word: uint256 = packing._bought(self._position[user][period], volume, agreed)
    if first:
        word = packing._staked(word)
        # It is counted from here on, and pending no longer.
        if word >> packing.PENDING_AT & packing.MOST_NUMBER == quote_id:
            word ^= quote_id << packing.PENDING_AT
    self._position[user][period] = word


@internal
def _receive(user: address, period: uint256, volume: uint256, ends: bool):
    """
    @dev Adds `volume` Wh to what `user` received, and ends a counted stake where that
         `ends` it.
    """
    word: uint256 = packing._received(self._position[user][period], volume, convert(ends, uint256))
    self._position[user][period] = word
