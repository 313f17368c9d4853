# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Matching: the best bids win
@custom:contract-name matching
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Bids are served in the order of their ranking until the quote is sold out
        (T-MAT-1 to T-MAT-11). Anybody may call it, late too.
"""

from ..interfaces import IEnergyMarket
from . import accounts
from . import bids
from . import clock
from . import deliveries
from . import incentives
from . import ledger
from . import packing
from . import positions
from . import quotes
from . import tariff

uses: accounts
uses: bids
uses: clock
uses: deliveries
uses: ledger
uses: positions
uses: quotes
uses: tariff


# @dev The weight of a bid whose bidder has tier 0.
_BASE_WEIGHT: constant(uint256) = 10_000


# @dev How many times a bid is put among those that may win, or taken from them, at most.
_STEPS: constant(uint256) = 2 * bids.BOOK_SIZE


# @dev Where the parts of a rank begin. A bid ranks by its total amount or its unit price,
# weighted by the bidder's standing, then by the larger volume, then by the earlier reveal
# (T-MAT-2, T-MAT-4, T-MAT-5, T-MAT-11): its place counts from the bid opened last. All of it
# is one number, the larger the better. The bidder's number is lowest and never decides, as
# places differ. With volumes below 2 ** 24, prices below 2 ** 96 and weights below 2 ** 16
# the amount fits.
_AMOUNT_SHIFT: constant(uint256) = 64
_VOLUME_SHIFT: constant(uint256) = 40
_PLACE_SHIFT: constant(uint256) = 32
_MAX_PLACE: constant(uint256) = 255


# @dev Levels below the root of a heap of a full book.
_LEVELS: constant(uint256) = 7


# @dev What each tier adds to the weight of a bid; 0: the paper's plain order.
PRIORITY_STEP: immutable(uint256)


# @dev Whether bids rank by their unit price; else, as in the paper, by their total amount.
RANK_BY_PRICE: immutable(bool)


# @dev A bid that may win: its bidder, the bid's word, and the bidder's balance record.
struct Entry:
    bidder: address
    bid: uint256
    balance: uint256


@deploy
def __init__(priority_step: uint256, rank_by_price: bool):
    """
    @dev Fixes the order of bids for ever.
    @param priority_step What each tier adds to the weight 10,000 of a bid.
    @param rank_by_price Whether the unit price counts instead of the total amount.
    @custom:error "matching: priority step out of bounds".
    """
    assert priority_step <= _BASE_WEIGHT, "matching: priority step out of bounds"

    PRIORITY_STEP = priority_step
    RANK_BY_PRICE = rank_by_price


@external
def match_bids(quote_id: uint256):
    """
    @dev Serves the opened bids of a quote, once; who gets nothing, gets its reserve back.
    @notice The book is read once, the bid opened last first. What may still win is kept in
            a heap, the worst at its root. As soon as better ones want all that is offered,
            the worst has lost; what is left in the end has won, and is put in order. The
            worst order of bids takes some `n log n` steps.
    @param quote_id The ID of the quote.
    @custom:error "quotes: unknown quote", "quotes: not valid", "clock: wrong phase".
    """
    quote: packing.Quote = quotes._existing(quote_id)
    quotes._check_valid(quote.status)
    clock._check_phase(quote.period, ~(IEnergyMarket.Phase.BIDDING | IEnergyMarket.Phase.REVEALING))

    prosumer: address = accounts._user[quote.prosumer]
    sale: packing.Sale = deliveries._read_sale(prosumer, quote.period)
    supply: uint256 = quote.volume
    step: uint256 = PRIORITY_STEP
    by_amount: bool = not RANK_BY_PRICE
    book: uint256 = quote_id << packing.KEY_QUOTE_SHIFT
    # The ranks (see `_AMOUNT_SHIFT`) of the bids that may win, none of the first `size` smaller
    # than its parent's, and the bids themselves.
    heap: uint256[bids.BOOK_SIZE] = empty(uint256[bids.BOOK_SIZE])
    size: uint256 = 0
    entries: DynArray[Entry, bids.BOOK_SIZE] = []
    # What they want together, and without the worst; the rank below which a bid has lost.
    wanted: uint256 = 0
    wanted_better: uint256 = 0
    bar: uint256 = 0
    next: uint256 = quote.first
    for _step: uint256 in range(_STEPS):
        rank: uint256 = 0
        node: uint256 = 0
        full: bool = True
        if next != 0 and wanted_better < supply:
            # The next bid of the book. Standing counts as it is now.
            bidder: address = accounts._user[next]
            entry: Entry = Entry(bidder=bidder, bid=bids._bid[book | next], balance=ledger._balance[bidder])
            price: uint256 = entry.bid & packing.MAX_PRICE
            volume: uint256 = entry.bid >> packing.BID_VOLUME_SHIFT & packing.MAX_ENERGY
            tier: uint256 = incentives._tier(
                entry.balance >> packing.BALANCE_PERFORMANCES_SHIFT & packing.MAX_PERFORMANCES
            )
            # The unit price counts, times the volume or, where it ranks by itself, times 1.
            amount: uint256 = unsafe_mul(
                unsafe_mul(price, volume if by_amount else 1),
                unsafe_add(_BASE_WEIGHT, unsafe_mul(step, tier)),
            )
            rank = amount << _AMOUNT_SHIFT | volume << _VOLUME_SHIFT | len(entries) << _PLACE_SHIFT | next
            next = entry.bid >> packing.BID_NEXT_SHIFT & packing.MAX_NUMBER
            if rank < bar:
                self._reject(quote_id, quote.period, entry)
                continue
            entries.append(entry)
            wanted_better = unsafe_add(wanted_better, volume)
            full = bar != 0 and wanted_better >= supply
            if not full:
                # It goes up from the end as long as its parent is larger.
                wanted = unsafe_add(wanted, volume)
                node = size
                size = unsafe_add(size, 1)
                for _level: uint256 in range(_LEVELS):
                    if node == 0:
                        break
                    parent: uint256 = unsafe_div(unsafe_sub(node, 1), 2)
                    above: uint256 = heap[parent]
                    if above <= rank:
                        break
                    heap[node] = above
                    node = parent
        elif size == 0:
            break
        else:
            size = unsafe_sub(size, 1)
            rank = heap[size]
        if full:
            # The worst leaves, and the one in hand goes down from the root in its stead as
            # long as a child is smaller.
            worst: uint256 = heap[0]
            if wanted_better >= supply:
                self._reject(quote_id, quote.period, entries[worst >> _PLACE_SHIFT & _MAX_PLACE])
            else:
                # It has won: so the winners remain behind the heap, the best first.
                heap[size] = worst
                sale.winners = unsafe_add(sale.winners, 1)
            wanted = wanted_better
            for _level: uint256 in range(_LEVELS):
                child: uint256 = unsafe_add(unsafe_mul(node, 2), 1)
                if child >= size:
                    break
                below: uint256 = heap[child]
                other: uint256 = unsafe_add(child, 1)
                if other < size and heap[other] < below:
                    child = other
                    below = heap[other]
                if below >= rank:
                    break
                heap[node] = below
                node = child
            if size == 0:
                break
        heap[node] = rank
        wanted_better = unsafe_sub(wanted, heap[0] >> _VOLUME_SHIFT & packing.MAX_ENERGY)
        bar = heap[0] if wanted >= supply else 0

    quote.first = heap[0] & packing.MAX_NUMBER
    for place: uint256 in range(sale.winners, bound=bids.BOOK_SIZE):
        number: uint256 = heap[place] & packing.MAX_NUMBER
        entry: Entry = entries[heap[place] >> _PLACE_SHIFT & _MAX_PLACE]
        price: uint256 = entry.bid & packing.MAX_PRICE
        volume: uint256 = entry.bid >> packing.BID_VOLUME_SHIFT & packing.MAX_ENERGY
        filled: uint256 = min(volume, unsafe_sub(supply, sale.sold))
        sale.sold = unsafe_add(sale.sold, filled)
        following: uint256 = 0
        if unsafe_add(place, 1) < sale.winners:
            following = heap[unsafe_add(place, 1)] & packing.MAX_NUMBER
        # From here on the winners are chained, in the order of the ranking (see `sales`).
        bids._bid[book | number] = packing._won(entry.bid, filled, following)
        # Agreed, however late the matching is called: the bid was made ahead of delivery.
        pending: bool = entry.bid & packing.BID_PENDING != 0
        positions._buy(entry.bidder, quote.period, quote_id, filled, filled, 0, pending)
        # The reserve of what is not filled is free again.
        if filled < volume:
            ledger._refund(entry.bidder, tariff._escrow(unsafe_sub(volume, filled), price))
        log IEnergyMarket.BidConfirmed(quote_id=quote_id, bidder=entry.bidder, filled=filled)
    sale.matched = sale.sold
    sale.ahead = sale.sold > 0
    quote.status = IEnergyMarket.QuoteStatus.MATCHED
    quotes._write(quote_id, quote)
    deliveries._write_sale(prosumer, quote.period, sale)
    log IEnergyMarket.QuoteMatched(quote_id=quote_id, sold=sale.sold)


@internal
def _reject(quote_id: uint256, period: uint256, entry: Entry):
    """
    @dev Gives the reserve of a losing bid back. Its record stays as it is: what it says
         follows from the quote's status, and so does the end of a stake that is pending.
    """
    volume: uint256 = entry.bid >> packing.BID_VOLUME_SHIFT & packing.MAX_ENERGY
    price: uint256 = entry.bid & packing.MAX_PRICE
    # As `tariff._escrow`, without the call: books are mostly losers.
    escrow: uint256 = unsafe_mul(volume, unsafe_add(price, tariff.SERVICE_FEE))

    ledger._balance[entry.bidder] = packing._released(entry.balance, escrow, escrow)
    if entry.bid & packing.BID_PENDING == 0:
        positions._receive(entry.bidder, period, 0, True)
    log IEnergyMarket.BidRejected(quote_id=quote_id, bidder=entry.bidder)
