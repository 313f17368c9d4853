# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Sealed bids: what consumers offer to pay
@custom:contract-name bids
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A consumer seals its bid while bidding is open and opens it afterwards, so that
        no bid can be shaped by another (T-BID-1 to T-BID-16).
"""

from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import errors
from . import ledger
from . import packing
from . import positions
from . import quotes
from . import tariff

uses: accounts
uses: clock
uses: ledger
uses: positions
uses: quotes
uses: tariff


# @dev How many bids can be opened on one quote (T-BID-13).
BOOK_SIZE: constant(uint256) = 128


# @dev The bids by quote and the bidder's number, in one key (see `packing.KEY_QUOTE_SHIFT`): the
# commitment, and once opened a record. The opened bids of a quote are chained, see
# `packing.Quote.first`. A bid that lost keeps its record: what holds follows from the
# quote's status (see `MarketLens.bid`).
_bid: HashMap[uint256, uint256]


# @dev The commitments that look like a record, one in 2 ** 78 (see `packing.COMMITMENT_ASIDE`).
_commitment_aside: HashMap[uint256, uint256]


@deploy
def __init__():
    """
    @dev Nothing to initialise: the book starts empty.
    """
    pass


@external
def submit_bid(quote_id: uint256, seal: bytes32):
    """
    @dev Places a sealed bid on a quote, once.
    @notice The commitment is not checked, on purpose: what it hides shows when it is opened.
    @param quote_id The ID of the quote.
    @param seal The commitment, see `MarketLens.seal_of`.
    @custom:error Those of `accounts._trader`, "quotes: unknown quote",
                  "quotes: not valid", "clock: wrong phase", "bids: own quote",
                  "bids: already bid".
    """
    trader: accounts.Trader = accounts._trader(msg.sender)
    quote: packing.Quote = quotes._existing(quote_id, IEnergyMarket.QuoteStatus.VALID)
    clock._check_phase(quote.period, IEnergyMarket.Phase.BIDDING)
    if trader.number == quote.prosumer:
        errors._revert("bids: own quote")
    key: uint256 = quote_id << packing.KEY_QUOTE_SHIFT | trader.number
    if self._bid[key] != 0:
        errors._revert("bids: already bid")

    word: uint256 = convert(seal, uint256)
    if not packing._is_commitment(word):
        self._commitment_aside[key] = word
        word = packing.COMMITMENT_ASIDE
    self._bid[key] = word
    log IEnergyMarket.BidSealed(quote_id=quote_id, bidder=msg.sender, seal=seal)


@external
def reveal_bid(quote_id: uint256, price: uint256, volume: uint256, salt: bytes32):
    """
    @dev Opens the caller's bid, and reserves the most that it can cost.
    @param quote_id The ID of the quote.
    @param price The price bid, in base units per Wh.
    @param volume The energy wanted, in Wh.
    @param salt The salt of the commitment.
    @custom:error Those of `accounts._trader`, "quotes: unknown quote",
                  "quotes: not valid", "clock: wrong phase", "bids: nothing to open",
                  "bids: seal does not match", "bids: volume out of bounds",
                  "bids: price out of bounds", "bids: book is full",
                  "positions: beyond the capacity", "ledger: insufficient balance".
    """
    trader: accounts.Trader = accounts._trader(msg.sender)
    quote: packing.Quote = quotes._existing(quote_id, IEnergyMarket.QuoteStatus.VALID)
    clock._check_phase(quote.period, IEnergyMarket.Phase.REVEALING)
    key: uint256 = quote_id << packing.KEY_QUOTE_SHIFT | trader.number
    sealed: bool = False
    commitment: bytes32 = empty(bytes32)
    sealed, commitment = self._sealed(key)
    if not sealed:
        errors._revert("bids: nothing to open")
    if commitment != packing._commitment_of(self, quote_id, msg.sender, price, volume, salt):
        errors._revert("bids: seal does not match")
    if volume == 0 or volume > quote.volume:
        errors._revert("bids: volume out of bounds")
    if price < quote.price or price > tariff._highest_price():
        errors._revert("bids: price out of bounds")
    if quote.opened >= BOOK_SIZE:
        errors._revert("bids: book is full")

    pending: bool = positions._stake(msg.sender, quote.period, quote_id, volume, trader.capacity)
    ledger._reserve(msg.sender, trader.balance, tariff._escrow(volume, price))
    quotes._count(quote.period, 0, 0, volume)
    self._bid[key] = packing._pack_bid(
        packing.Bid(price=price, volume=volume, filled=0, next=quote.first, pending=pending)
    )
    quote.opened = unsafe_add(quote.opened, 1)
    quote.first = trader.number
    quotes._write(quote_id, quote)
    log IEnergyMarket.BidRevealed(quote_id=quote_id, bidder=msg.sender, price=price, volume=volume)


@internal
@view
def _sealed(key: uint256) -> (bool, bytes32):
    """
    @dev Returns whether there is a bid with this key that is not opened, and its commitment.
    """
    word: uint256 = self._bid[key]
    if packing._is_commitment(word):
        return True, convert(word, bytes32)
    if word == packing.COMMITMENT_ASIDE:
        return True, convert(self._commitment_aside[key], bytes32)

    return False, empty(bytes32)


@internal
@view
def _has_won(quote_id: uint256, number: uint256) -> bool:
    """
    @dev Tells whether a user has won in the matching of a quote.
    """
    word: uint256 = self._bid[quote_id << packing.KEY_QUOTE_SHIFT | number]

    return not packing._is_commitment(word) and word >> packing.BID_FILLED_SHIFT & packing.MAX_ENERGY != 0
