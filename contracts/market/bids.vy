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
from . import ledger
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


# @dev The Wh of the bids opened for a period.
_demand: HashMap[uint256, uint256]


# @dev The bids by quote and bidder. A bid that lost keeps its stored status: what holds
# follows from the quote's (see `bid`).
_bid: HashMap[uint256, HashMap[address, IEnergyMarket.Bid]]


# @dev The bidders of a quote in the order in which they opened their bids.
_book: HashMap[uint256, DynArray[address, BOOK_SIZE]]


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
    @notice The seal is not checked, on purpose: what it hides shows when it is opened.
    @param quote_id The ID of the quote.
    @param seal The seal, see `seal_of`.
    @custom:error Those of `accounts._check_trader`, "quotes: unknown quote",
                  "quotes: not valid", "clock: wrong phase", "bids: own quote",
                  "bids: already bid".
    """
    accounts._check_trader(msg.sender)
    quote: IEnergyMarket.Quote = quotes._existing(quote_id)
    quotes._check_valid(quote)
    clock._check_phase(quote.period, IEnergyMarket.Phase.BIDDING)
    assert msg.sender != quote.prosumer, "bids: own quote"
    assert self._bid[quote_id][msg.sender].status == empty(IEnergyMarket.BidStatus), "bids: already bid"

    self._bid[quote_id][msg.sender].seal = seal
    self._bid[quote_id][msg.sender].status = IEnergyMarket.BidStatus.CREATED
    log IEnergyMarket.BidSealed(quote_id=quote_id, bidder=msg.sender, seal=seal)


@external
def reveal_bid(quote_id: uint256, price: uint256, volume: uint256, salt: bytes32):
    """
    @dev Opens the caller's bid, and reserves the most that it can cost.
    @param quote_id The ID of the quote.
    @param price The price bid, in base units per Wh.
    @param volume The energy wanted, in Wh.
    @param salt The salt of the seal.
    @custom:error Those of `accounts._check_trader`, "quotes: unknown quote",
                  "quotes: not valid", "clock: wrong phase", "bids: nothing to open",
                  "bids: seal does not match", "bids: volume out of bounds",
                  "bids: price out of bounds", "bids: book is full",
                  "ledger: insufficient balance".
    """
    accounts._check_trader(msg.sender)
    quote: IEnergyMarket.Quote = quotes._existing(quote_id)
    quotes._check_valid(quote)
    clock._check_phase(quote.period, IEnergyMarket.Phase.REVEALING)
    bid: IEnergyMarket.Bid = self._bid[quote_id][msg.sender]
    assert bid.status == IEnergyMarket.BidStatus.CREATED, "bids: nothing to open"
    assert bid.seal == self._seal_of(quote_id, msg.sender, price, volume, salt), "bids: seal does not match"
    assert volume > 0 and volume <= quote.volume, "bids: volume out of bounds"
    assert price >= quote.price and price <= tariff._highest_price(), "bids: price out of bounds"
    assert len(self._book[quote_id]) < BOOK_SIZE, "bids: book is full"

    ledger._reserve(msg.sender, tariff._escrow(volume, price))
    positions._stake(msg.sender, quote.period, quote_id)
    self._demand[quote.period] += volume
    self._book[quote_id].append(msg.sender)
    self._bid[quote_id][msg.sender] = IEnergyMarket.Bid(
        seal=empty(bytes32),
        price=price,
        volume=volume,
        filled=0,
        status=IEnergyMarket.BidStatus.RESERVED,
    )
    log IEnergyMarket.BidRevealed(quote_id=quote_id, bidder=msg.sender, price=price, volume=volume)


@external
@view
def bid(quote_id: uint256, bidder: address) -> IEnergyMarket.Bid:
    """
    @dev Returns a bid, with the status that holds now.
    @param quote_id The ID of the quote.
    @param bidder The bidder.
    @return Bid The bid; all zero where there is none.
    """
    bid: IEnergyMarket.Bid = self._bid[quote_id][bidder]
    status: IEnergyMarket.QuoteStatus = quotes._quote[quote_id].status

    # Whatever was not confirmed by the matching, opened or not, has lost.
    open: bool = status == IEnergyMarket.QuoteStatus.VALID or status == empty(IEnergyMarket.QuoteStatus)
    if not open and bid.status in (IEnergyMarket.BidStatus.CREATED | IEnergyMarket.BidStatus.RESERVED):
        bid.status = IEnergyMarket.BidStatus.REJECTED

    return bid


@external
@view
def demand(period: uint256) -> uint256:
    """
    @dev Returns what is asked for in a delivery period.
    @param period The delivery period.
    @return uint256 The energy of the bids that were opened, in Wh.
    """
    return self._demand[period]


@external
@view
def seal_of(quote_id: uint256, bidder: address, price: uint256, volume: uint256, salt: bytes32) -> bytes32:
    """
    @dev Returns the seal of a bid. Reckon it at home: whoever runs the node that is
         asked learns the bid.
    @param quote_id The ID of the quote.
    @param bidder The bidder.
    @param price The price bid, in base units per Wh.
    @param volume The energy wanted, in Wh.
    @param salt 32 random bytes.
    @return bytes32 The seal.
    """
    return self._seal_of(quote_id, bidder, price, volume, salt)


@internal
def _confirm(quote_id: uint256, bidder: address, filled: uint256):
    """
    @dev Marks an opened bid as won for `filled` Wh.
    """
    self._bid[quote_id][bidder].filled = filled
    self._bid[quote_id][bidder].status = IEnergyMarket.BidStatus.CONFIRMED


@internal
@view
def _seal_of(quote_id: uint256, bidder: address, price: uint256, volume: uint256, salt: bytes32) -> bytes32:
    """
    @dev Returns the seal of a bid (T-BID-4). The chain, the market and the bidder are in
         it: a copied seal opens nothing, nowhere.
    """
    return keccak256(abi_encode(chain.id, self, quote_id, bidder, price, volume, salt))
