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
from . import accounts
from . import bids
from . import clock
from . import incentives
from . import ledger
from . import packing
from . import positions
from . import quotes
from . import ranking
from . import tariff

uses: accounts
uses: bids
uses: clock
uses: ledger
uses: positions
uses: quotes
uses: tariff


# @dev The weight of a bid whose bidder has tier 0.
_BASE_WEIGHT: constant(uint256) = 10_000


# @dev An opened bid in memory: the bidder's number and address, the words of the bid and
# of the bidder's purse, and all that the bid reserved.
struct Entry:
    number: uint256
    bidder: address
    bid: uint256
    purse: uint256
    escrow: uint256


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
    quote: packing.Quote = quotes._existing(quote_id)
    quotes._check_valid(quote)
    clock._check_phase(quote.period, ~(IEnergyMarket.Phase.BIDDING | IEnergyMarket.Phase.REVEALING))

    # The opened bids and their keys, the last one opened first: so they are chained.
    book: DynArray[Entry, bids.BOOK_SIZE] = []
    keys: DynArray[uint256, bids.BOOK_SIZE] = []
    step: uint256 = PRIORITY_STEP
    fee: uint256 = tariff.SERVICE_FEE
    number: uint256 = quote.first
    index: uint256 = quote.opened
    for _: uint256 in range(quote.opened, bound=bids.BOOK_SIZE):
        bid: uint256 = bids._bid[quote_id][number]
        bidder: address = accounts._user[number]
        # Standing counts as it is now.
        purse: uint256 = ledger._purse[bidder]
        tier: uint256 = incentives._tier(packing._performances(purse))
        weight: uint256 = unsafe_add(_BASE_WEIGHT, unsafe_mul(step, tier))
        price: uint256 = bid & packing.MOST_PRICE
        volume: uint256 = bid >> packing.VOLUME_AT & packing.MOST_ENERGY
        escrow: uint256 = unsafe_mul(volume, unsafe_add(price, fee))
        index = unsafe_sub(index, 1)
        keys.append(ranking._key(index, volume, price, weight))
        book.append(Entry(number=number, bidder=bidder, bid=bid, purse=purse, escrow=escrow))
        number = bid >> packing.NEXT_AT & packing.MOST_NUMBER
    ranked: DynArray[uint256, bids.BOOK_SIZE] = ranking._descending(keys, quote.volume)
    last: uint256 = unsafe_sub(quote.opened, 1)

    prosumer: address = accounts._user[quote.prosumer]
    sale: packing.Sale = quotes._read_sale(prosumer, quote.period)
    left: uint256 = quote.volume
    for place: uint256 in range(len(ranked), bound=bids.BOOK_SIZE):
        index = unsafe_sub(last, ranking._index(ranked[place]))
        entry: Entry = book[index]
        # From here on the winners are chained, in the order of the ranking (see `sales`).
        if place == 0:
            quote.first = entry.number
        next: uint256 = 0
        if unsafe_add(place, 1) < len(ranked):
            next = book[unsafe_sub(last, ranking._index(ranked[unsafe_add(place, 1)]))].number
        left = self._confirm(quote_id, quote.period, entry, left, next)
        # It has nothing more to get back.
        book[index].escrow = 0
    sale.winners = len(ranked)
    for entry: Entry in book:
        if entry.escrow > 0:
            self._reject(quote_id, quote.period, entry)
    sale.sold = unsafe_sub(quote.volume, left)
    quote.status = IEnergyMarket.QuoteStatus.MATCHED
    quotes._write(quote_id, quote)
    quotes._write_sale(prosumer, quote.period, sale)
    log IEnergyMarket.QuoteMatched(quote_id=quote_id, sold=sale.sold)


@internal
def _confirm(quote_id: uint256, period: uint256, entry: Entry, left: uint256, next: uint256) -> uint256:
    """
    @dev Makes a trade of a winning bid, at its own price, and returns what is `left` after
         it; the reserve of what is not filled is free again.
    """
    bid: packing.Bid = packing._bid(entry.bid)
    bid.filled = min(bid.volume, left)
    bid.next = next
    unused: uint256 = tariff._escrow(unsafe_sub(bid.volume, bid.filled), bid.price)

    bids._write(quote_id, entry.number, bid)
    # Agreed, however late the matching is called: the bid was made ahead of delivery.
    positions._buy(entry.bidder, period, quote_id, bid.filled, True, bid.pending)
    if unused > 0:
        ledger._refund(entry.bidder, unused)
    log IEnergyMarket.BidConfirmed(quote_id=quote_id, bidder=entry.bidder, filled=bid.filled)

    return unsafe_sub(left, bid.filled)


@internal
def _reject(quote_id: uint256, period: uint256, entry: Entry):
    """
    @dev Gives the reserve of a losing bid back. Its record stays as it is: what it says
         follows from the quote's status, and so does the end of a stake that is pending.
    """
    ledger._purse[entry.bidder] = packing._refunded(entry.purse, entry.escrow)
    if not packing._is_pending(entry.bid):
        positions._receive(entry.bidder, period, 0, True)
    log IEnergyMarket.BidRejected(quote_id=quote_id, bidder=entry.bidder)
