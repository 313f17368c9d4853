# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The trades of every quote
@custom:contract-name sales
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Every sale of a part of a quote, by the matching or as surplus, in the order in
        which it was made: the order in which deliveries are shared out (T-SET-4).
"""

from ..interfaces import IEnergyMarket


# @dev How many trades one quote can have (T-SUR-7): the matching makes at most 128.
MOST_TRADES: constant(uint256) = 256


# @dev The trades by quote.
_trades: HashMap[uint256, DynArray[IEnergyMarket.Trade, MOST_TRADES]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: no trade is made yet.
    """
    pass


@external
@view
def trades(quote_id: uint256) -> DynArray[IEnergyMarket.Trade, MOST_TRADES]:
    """
    @dev Returns the trades of a quote, in the order in which they were made.
    @param quote_id The ID of the quote.
    @return DynArray The trades.
    """
    return self._trades[quote_id]


@internal
def _append(quote_id: uint256, buyer: address, volume: uint256, price: uint256):
    """
    @dev Adds a trade; the caller knows that there is room.
    """
    self._trades[quote_id].append(IEnergyMarket.Trade(buyer=buyer, volume=volume, price=price))


@internal
@view
def _is_full(quote_id: uint256) -> bool:
    """
    @dev Tells whether a quote has all the trades that it can have.
    """
    return len(self._trades[quote_id]) == MOST_TRADES
