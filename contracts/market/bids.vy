# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Sealed bids: what consumers offer to pay
@custom:contract-name bids
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A consumer seals its bid while bidding is open and opens it afterwards, so that
        no bid can be shaped by another (T-BID-1 to T-BID-17).
"""

from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import errors
from . import ledger
from . import packing
from . import positions
from . import quotes
from . import rooms
from . import tariff

uses: accounts
uses: clock
uses: ledger
uses: positions
uses: quotes
uses: rooms
uses: tariff


# @dev How many bids can be opened on one quote (T-BID-13).
BOOK_SIZE: constant(uint256) = 128


# @dev The bids by the quote's room and the bidder's number, in one key (see
# `packing.KEY_ROOM_SHIFT`): the commitment, and once opened a record. The opened bids of a quote
# are chained, see `packing.Quote.first`. A bid that lost keeps its record: what holds follows
# from the quote's status (see `MarketLens.bid`).
_bid: HashMap[uint256, uint256]


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
    quote: packing.Quote = rooms._existing(quote_id, IEnergyMarket.QuoteStatus.VALID)
    clock._check_phase(quote.period, IEnergyMarket.Phase.BIDDING)
    if trader.number == quote.prosumer:
        errors._revert(errors.BIDS_OWN_QUOTE)
    key: uint256 = quote.room << packing.KEY_ROOM_SHIFT | trader.number
    if self._bid[key] >> packing.BID_QUOTE_ID_SHIFT == quote_id:
        errors._revert(errors.BIDS_ALREADY_BID)

    self._bid[key] = packing._sealed(quote_id, seal)
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
                  "positions: earlier not settled", "positions: beyond the capacity",
                  "ledger: insufficient balance".
    """
    trader: accounts.Trader = accounts._trader(msg.sender)
    quote: packing.Quote = rooms._existing(quote_id, IEnergyMarket.QuoteStatus.VALID)
    clock._check_phase(quote.period, IEnergyMarket.Phase.REVEALING)
    key: uint256 = quote.room << packing.KEY_ROOM_SHIFT | trader.number
    commitment: bytes32 = packing._commitment_of(self, quote_id, msg.sender, price, volume, salt)
    sealed: uint256 = packing._sealed(quote_id, commitment)
    word: uint256 = self._bid[key]
    # The marks that come first tell whether it is this quote's bid, and not opened.
    if word >> packing.SEALED_SHIFT != sealed >> packing.SEALED_SHIFT:
        errors._revert(errors.BIDS_NOTHING_TO_OPEN)
    if word != sealed:
        errors._revert(errors.BIDS_SEAL_DOES_NOT_MATCH)
    if volume == 0 or volume > quote.volume:
        errors._revert(errors.BIDS_VOLUME_OUT_OF_BOUNDS)
    if price < quote.price or price > tariff._highest_price():
        errors._revert(errors.BIDS_PRICE_OUT_OF_BOUNDS)
    if quote.opened >= BOOK_SIZE:
        errors._revert(errors.BIDS_BOOK_IS_FULL)

    place: uint256 = clock._place(quote.period)
    pending: bool = positions._stake(msg.sender, quote.period, place, quote_id, volume, trader.capacity)
    ledger._reserve(msg.sender, trader.balance, tariff._escrow(volume, price))
    quotes._count(quote.period, place, volume << packing.TOTALS_DEMAND_SHIFT)
    self._bid[key] = packing._new_bid(quote_id, price, volume, quote.first, pending)
    rooms._lead(quote.room, trader.number, packing.ONE_OPENED)
    log IEnergyMarket.BidRevealed(quote_id=quote_id, bidder=msg.sender, price=price, volume=volume)


@internal
def _note_trade(room: uint256, quote_id: uint256, number: uint256) -> bool:
    """
    @dev Notes that a user purchases from a quote; returns whether that is its first trade with it.
    """
    key: uint256 = room << packing.KEY_ROOM_SHIFT | number
    word: uint256 = self._bid[key]
    if word >> packing.BID_QUOTE_ID_SHIFT != quote_id:
        # What is there was a bid on another quote, or a purchase from it.
        word = quote_id << packing.BID_QUOTE_ID_SHIFT
    first: bool = word & packing.TRADED == 0
    if first:
        self._bid[key] = word | packing.TRADED

    return first
