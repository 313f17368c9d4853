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
from . import rooms
from . import tariff

uses: accounts
uses: bids
uses: clock
uses: deliveries
uses: ledger
uses: positions
uses: rooms
uses: tariff


# @dev The weight of a bid whose bidder has tier 0.
_BASE_WEIGHT: constant(uint256) = 10_000


# ---- rank: one number, the larger the better -----------------------------------------
#
#   from   to   field         width   why it fits
#      0   31   bidder           32   a number; it never decides, as places differ
#     32   39   place             8   one of 128, counted from the bid opened last: of bids that
#                                     are equal so far the earlier reveal ranks higher (T-MAT-5)
#     40   63   volume           24   an energy (T-MAT-4)
#     64  199   amount          136   total amount or unit price, weighted by the bidder's
#                                     standing (T-MAT-2, T-MAT-11): 24 + 96 bits, and weights
#                                     are below 2 ** 16


_AMOUNT_SHIFT: constant(uint256) = 64
_VOLUME_SHIFT: constant(uint256) = 40
_PLACE_SHIFT: constant(uint256) = 32
_MAX_PLACE: constant(uint256) = 255


# @dev The levels below the root of a heap of a full book.
_HEAP_DEPTH: constant(uint256) = 7


# @dev What each tier adds to the weight of a bid; 0: the paper's plain order.
PRIORITY_STEP: immutable(uint256)


# @dev Whether bids rank by their unit price; else, as in the paper, by their total amount.
RANK_BY_PRICE: immutable(bool)


# @dev A bid that may win: its bidder, the bid's word, and the bidder's balance record.
struct Candidate:
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
    @notice The book is read once, the bid opened last first. A min-heap holds the candidates,
            those bids that may still win: the worst is at its root. Where the better ones want
            all that is offered, a new one takes its place, and it has lost. Once the book is
            read, the candidates leave the heap from the worst to the best: those that lose
            after all, then the winners. The worst order of bids takes some `n log n` steps.
    @param quote_id The ID of the quote.
    @custom:error "quotes: unknown quote", "quotes: not valid", "clock: wrong phase".
    """
    quote: packing.Quote = rooms._existing(quote_id, IEnergyMarket.QuoteStatus.VALID)
    clock._check_phase(quote.period, ~(IEnergyMarket.Phase.BIDDING | IEnergyMarket.Phase.REVEALING))

    prosumer: address = accounts._user[quote.prosumer]
    period_place: uint256 = clock._place(quote.period)
    sale: packing.Sale = deliveries._read_sale(prosumer, period_place)
    supply: uint256 = quote.volume
    step: uint256 = PRIORITY_STEP
    by_amount: bool = not RANK_BY_PRICE
    book: uint256 = quote.room << packing.KEY_ROOM_SHIFT
    # The min-heap: the ranks of the candidates, none of the first `size` smaller than its
    # parent's; and the candidates, by their place.
    heap: uint256[bids.BOOK_SIZE] = empty(uint256[bids.BOOK_SIZE])
    size: uint256 = 0
    candidates: DynArray[Candidate, bids.BOOK_SIZE] = []
    # What the heap wants together, and without its worst; below the cutoff a rank has lost.
    heap_volume: uint256 = 0
    better_volume: uint256 = 0
    cutoff: uint256 = 0

    # Selecting: each bid of the book enters the heap, unless it has lost already. Where the
    # better ones want all, the worst leaves for it.
    next: uint256 = quote.first
    for _bid: uint256 in range(quote.opened, bound=bids.BOOK_SIZE):
        # Standing counts as it is now.
        bidder: address = accounts._user[next]
        candidate: Candidate = Candidate(
            bidder=bidder, bid=bids._bid[book | next], balance=ledger._balance[bidder]
        )
        price: uint256 = candidate.bid & packing.MAX_PRICE
        volume: uint256 = candidate.bid >> packing.BID_VOLUME_SHIFT & packing.MAX_ENERGY
        tier: uint256 = incentives._tier(
            candidate.balance >> packing.BALANCE_PERFORMANCES_SHIFT & packing.MAX_PERFORMANCES
        )
        # The unit price counts, times the volume or, where it ranks by itself, times 1.
        rank: uint256 = (
            unsafe_mul(
                unsafe_mul(price, volume if by_amount else 1),
                unsafe_add(_BASE_WEIGHT, unsafe_mul(step, tier)),
            )
            << _AMOUNT_SHIFT
            | volume << _VOLUME_SHIFT
            | len(candidates) << _PLACE_SHIFT
            | next
        )
        next = candidate.bid >> packing.BID_NEXT_SHIFT & packing.MAX_NUMBER
        if rank < cutoff:
            self._reject(quote_id, period_place, candidate)
            continue
        candidates.append(candidate)
        better_volume = unsafe_add(better_volume, volume)
        hole: uint256 = 0
        if cutoff != 0 and better_volume >= supply:
            self._reject(quote_id, period_place, candidates[cutoff >> _PLACE_SHIFT & _MAX_PLACE])
            heap_volume = better_volume
            # Sift down: the hole moves down from the root as long as its smaller child is
            # smaller than the rank that goes into it.
            for _level: uint256 in range(_HEAP_DEPTH):
                child: uint256 = unsafe_add(unsafe_mul(hole, 2), 1)
                if child >= size:
                    break
                child_rank: uint256 = heap[child]
                sibling: uint256 = unsafe_add(child, 1)
                if sibling < size and heap[sibling] < child_rank:
                    child = sibling
                    child_rank = heap[sibling]
                if child_rank >= rank:
                    break
                heap[hole] = child_rank
                hole = child
        else:
            # Sift up: the hole moves up from the end as long as its parent is larger.
            heap_volume = unsafe_add(heap_volume, volume)
            hole = size
            size = unsafe_add(size, 1)
            for _level: uint256 in range(_HEAP_DEPTH):
                if hole == 0:
                    break
                parent: uint256 = unsafe_div(unsafe_sub(hole, 1), 2)
                parent_rank: uint256 = heap[parent]
                if parent_rank <= rank:
                    break
                heap[hole] = parent_rank
                hole = parent
        heap[hole] = rank
        better_volume = unsafe_sub(heap_volume, heap[0] >> _VOLUME_SHIFT & packing.MAX_ENERGY)
        cutoff = heap[0] if heap_volume >= supply else 0
    # Sorting: the worst leaves, until none is left. It has won unless the better ones want all;
    # so the winners end up behind the heap, the best first.
    for _candidate: uint256 in range(size, bound=bids.BOOK_SIZE):
        size = unsafe_sub(size, 1)
        worst: uint256 = heap[0]
        rank: uint256 = heap[size]
        if better_volume >= supply:
            self._reject(quote_id, period_place, candidates[worst >> _PLACE_SHIFT & _MAX_PLACE])
        else:
            heap[size] = worst
            sale.winners = unsafe_add(sale.winners, 1)
        heap_volume = better_volume
        # Sift down, as above; the last one goes back where it was.
        hole: uint256 = 0
        for _level: uint256 in range(_HEAP_DEPTH):
            child: uint256 = unsafe_add(unsafe_mul(hole, 2), 1)
            if child >= size:
                break
            child_rank: uint256 = heap[child]
            sibling: uint256 = unsafe_add(child, 1)
            if sibling < size and heap[sibling] < child_rank:
                child = sibling
                child_rank = heap[sibling]
            if child_rank >= rank:
                break
            heap[hole] = child_rank
            hole = child
        heap[hole] = rank
        better_volume = unsafe_sub(heap_volume, heap[0] >> _VOLUME_SHIFT & packing.MAX_ENERGY)

    for place: uint256 in range(sale.winners, bound=bids.BOOK_SIZE):
        number: uint256 = heap[place] & packing.MAX_NUMBER
        candidate: Candidate = candidates[heap[place] >> _PLACE_SHIFT & _MAX_PLACE]
        price: uint256 = candidate.bid & packing.MAX_PRICE
        volume: uint256 = candidate.bid >> packing.BID_VOLUME_SHIFT & packing.MAX_ENERGY
        filled: uint256 = min(volume, unsafe_sub(supply, sale.sold))
        sale.sold = unsafe_add(sale.sold, filled)
        next_winner: uint256 = 0
        if unsafe_add(place, 1) < sale.winners:
            next_winner = heap[unsafe_add(place, 1)] & packing.MAX_NUMBER
        # From here on the winners are chained, in the order of the ranking (see `sales`).
        bids._bid[book | number] = packing._won(candidate.bid, filled, next_winner)
        # Agreed, however late the matching is called: the bid was made ahead of delivery.
        pending: bool = candidate.bid & packing.BID_PENDING != 0
        position: uint256 = positions._position[candidate.bidder][period_place]
        positions._buy(candidate.bidder, period_place, position, quote_id, filled, filled, 0, pending)
        # The reserve of what is not filled is free again.
        if filled < volume:
            ledger._refund(candidate.bidder, tariff._escrow(unsafe_sub(volume, filled), price))
        log IEnergyMarket.BidConfirmed(quote_id=quote_id, bidder=candidate.bidder, filled=filled)
    sale.matched = sale.sold
    sale.ahead = sale.sold > 0
    rooms._lead(quote.room, heap[0] & packing.MAX_NUMBER, packing.MATCHED)
    deliveries._write_sale(prosumer, period_place, sale)
    log IEnergyMarket.QuoteMatched(quote_id=quote_id, sold=sale.sold)


@internal
def _reject(quote_id: uint256, period_place: uint256, candidate: Candidate):
    """
    @dev Gives the reserve of a losing bid back. Its record stays as it is: what it says
         follows from the quote's status, and so does the end of a stake that is pending.
    """
    volume: uint256 = candidate.bid >> packing.BID_VOLUME_SHIFT & packing.MAX_ENERGY
    price: uint256 = candidate.bid & packing.MAX_PRICE
    # As `tariff._escrow`, without the call: books are mostly losers.
    escrow: uint256 = unsafe_mul(volume, unsafe_add(price, tariff.SERVICE_FEE))

    ledger._balance[candidate.bidder] = packing._released(candidate.balance, escrow, escrow)
    if candidate.bid & packing.BID_PENDING == 0:
        positions._receive(candidate.bidder, period_place, 0, True)
    log IEnergyMarket.BidRejected(quote_id=quote_id, bidder=candidate.bidder)
