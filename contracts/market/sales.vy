# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The trades of every quote
@custom:contract-name sales
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Every sale of a part of a quote, by the matching or as surplus, in the order in
        which it was made: the order in which deliveries are shared out (T-SET-4, T-SET-22).
@dev The trades of the matching are the bids that won, chained in the order of the
     ranking; what is kept here is the purchases of surplus that follow them.
"""

from ..interfaces import IEnergyMarket
from . import bids
from . import packing

uses: bids


# @dev How many trades one quote can have (T-SUR-7): the matching makes at most 128, and as
# each purchase is at least a 64th of what is offered, or all that is left, 64 are made while
# MATCHING and 64 more of the excess.
MAX_TRADES: constant(uint256) = 256


# @dev The purchases by room and place.
_purchase: HashMap[uint256, HashMap[uint256, uint256]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: no trade is made yet.
    """
    pass


@internal
def _append(room: uint256, quote_id: uint256, place: uint256, buyer: uint256, volume: uint256) -> bool:
    """
    @dev Adds a purchase of the user with the number `buyer`; the caller knows that there
         is room. Returns whether it is the first trade of the buyer with this quote.
    """
    first: bool = bids._note_trade(room, quote_id, buyer)
    self._purchase[room][place] = packing._new_purchase(buyer, volume, first)

    return first


@internal
@view
def _trade(
    room: uint256, price: uint256, winners: uint256, place: uint256, next: uint256
) -> (uint256, uint256, uint256, bool, uint256):
    """
    @dev Returns buyer, volume and price of a trade of a quote: the bid of the user with the
         number `next`, or after all `winners` a purchase at the quote's `price`. Then
         whether it is the first that its buyer made with this quote, and the number of the
         next winner.
    """
    if place < winners:
        bid: packing.Bid = packing._bid(bids._bid[room << packing.KEY_ROOM_SHIFT | next])
        # A bid comes before all purchases.
        return next, bid.filled, bid.price, True, bid.next

    purchase: packing.Purchase = packing._purchase(self._purchase[room][unsafe_sub(place, winners)])
    return purchase.buyer, purchase.volume, price, purchase.first, 0


@internal
@pure
def _is_full(sale: packing.Sale) -> bool:
    """
    @dev Tells whether a quote has all the trades that it can have.
    """
    return unsafe_add(sale.winners, sale.purchases) == MAX_TRADES
