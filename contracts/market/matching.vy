# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Matching: the best bids win
@custom:contract-name matching
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Bids are served in the order of their ranking until the quote is sold out
        (T-MAT-1 to T-MAT-10). Anybody may call it, late too.
"""

from ..interfaces import IEnergyMarket
from . import bids
from . import clock
from . import incentives
from . import ledger
from . import positions
from . import quotes
from . import ranking
from . import sales
from . import tariff

uses: bids
uses: clock
uses: incentives
uses: ledger
uses: positions
uses: quotes
uses: sales
uses: tariff


# @dev The weight of a bid whose bidder has tier 0.
_BASE_WEIGHT: constant(uint256) = 10_000


# @dev What each tier adds to the weight of a bid; 0: the paper's plain order.
PRIORITY_STEP: public(immutable(uint256))


@deploy
def __init__(priority_step: uint256):
    """
    @dev Fixes the weight of standing for ever.
    @param priority_step What each tier adds to the weight 10,000 of a bid.
    @custom:error "matching: priority step out of bounds".
    """
    assert priority_step <= _BASE_WEIGHT, "matching: priority step out of bounds"

    PRIORITY_STEP = priority_step


@external
def match_bids(quote_id: uint256):
    """
    @dev Serves the opened bids of a quote, once; who gets nothing, gets its reserve back.
    @param quote_id The ID of the quote.
    @custom:error "quotes: unknown quote", "quotes: not valid", "clock: wrong phase".
    """
    quote: IEnergyMarket.Quote = quotes._existing(quote_id)
    quotes._check_valid(quote)
    clock._check_phase(quote.period, ~(IEnergyMarket.Phase.BIDDING | IEnergyMarket.Phase.REVEALING))

    book: DynArray[address, bids.BOOK_SIZE] = bids._book[quote_id]
    ranked: DynArray[uint256, bids.BOOK_SIZE] = self._ranked(quote_id, book)

    left: uint256 = quote.volume
    for key: uint256 in ranked:
        bidder: address = book[ranking._index(key)]
        bid: IEnergyMarket.Bid = bids._bid[quote_id][bidder]
        filled: uint256 = min(bid.volume, left)
        left -= filled
        if filled > 0:
            self._confirm(quote, quote_id, bidder, bid, filled)
        else:
            self._reject(quote, quote_id, bidder, bid)
    sold: uint256 = quote.volume - left
    quotes._match(quote_id, sold)
    log IEnergyMarket.QuoteMatched(quote_id=quote_id, sold=sold)


@internal
def _confirm(
    quote: IEnergyMarket.Quote, quote_id: uint256, bidder: address, bid: IEnergyMarket.Bid, filled: uint256
):
    """
    @dev Makes a trade of a winning bid, at its own price; the reserve of what is not
         filled is free again.
    """
    unused: uint256 = tariff._escrow(bid.volume - filled, bid.price)

    bids._confirm(quote_id, bidder, filled)
    sales._append(quote_id, bidder, filled, bid.price)
    # Agreed, however late the matching is called: the bid was made ahead of delivery.
    positions._buy(bidder, quote.period, filled, True)
    if unused > 0:
        ledger._release(bidder, unused, unused)
    log IEnergyMarket.BidConfirmed(quote_id=quote_id, bidder=bidder, filled=filled)


@internal
def _reject(quote: IEnergyMarket.Quote, quote_id: uint256, bidder: address, bid: IEnergyMarket.Bid):
    """
    @dev Gives the reserve of a losing bid back.
    """
    escrow: uint256 = tariff._escrow(bid.volume, bid.price)

    ledger._release(bidder, escrow, escrow)
    positions._unstake(bidder, quote.period, quote_id)
    log IEnergyMarket.BidRejected(quote_id=quote_id, bidder=bidder)


@internal
@view
def _ranked(quote_id: uint256, book: DynArray[address, bids.BOOK_SIZE]) -> DynArray[uint256, bids.BOOK_SIZE]:
    """
    @dev Returns the keys of a quote's opened bids, the best first. Standing counts as it
         is now.
    """
    keys: DynArray[uint256, bids.BOOK_SIZE] = []
    index: uint256 = 0
    for bidder: address in book:
        bid: IEnergyMarket.Bid = bids._bid[quote_id][bidder]
        weight: uint256 = _BASE_WEIGHT + PRIORITY_STEP * incentives._tier(bidder)
        keys.append(ranking._key(index, bid.volume, bid.price, weight))
        index += 1

    return ranking._descending(keys)
