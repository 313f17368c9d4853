# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Quotes: what prosumers offer
@custom:contract-name quotes
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A prosumer offers an amount of energy for a delivery period at a price per Wh,
        and puts up collateral for the case that it falls short (T-QUO-1 to T-QUO-17).
"""

from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import deliveries
from . import errors
from . import ledger
from . import packing
from . import positions
from . import rooms
from . import tariff

uses: accounts
uses: clock
uses: deliveries
uses: ledger
uses: positions
uses: rooms
uses: tariff


# @dev The Wh quoted for a period and not withdrawn, and those of the bids opened for it, by the
# period's place in the ring.
_totals: HashMap[uint256, uint256]


@deploy
def __init__():
    """
    @dev Nothing to initialise: nothing is quoted yet.
    """
    pass


@external
def submit_quote(period: uint256, volume: uint256, price: uint256) -> uint256:
    """
    @dev Offers energy for a delivery period, and reserves the collateral.
    @param period The delivery period.
    @param volume The energy offered, in Wh.
    @param price The least price, in base units per Wh.
    @return uint256 The ID of the quote.
    @custom:error Those of `accounts._trader`, "quotes: period too far ahead",
                  "clock: wrong phase", "quotes: volume out of bounds",
                  "quotes: price out of band", "positions: earlier not settled",
                  "quotes: already quoted", "ledger: insufficient balance".
    """
    trader: accounts.Trader = accounts._trader(msg.sender)
    if not clock._within_horizon(period):
        errors._revert(errors.QUOTES_PERIOD_TOO_FAR_AHEAD)
    clock._check_phase(period, IEnergyMarket.Phase.BIDDING)
    if volume == 0 or volume > trader.capacity:
        errors._revert(errors.QUOTES_VOLUME_OUT_OF_BOUNDS)
    if price < tariff._lowest_price() or price > tariff._highest_price():
        errors._revert(errors.QUOTES_PRICE_OUT_OF_BAND)
    # So that all of it fits into its words: volume and price do, within the capacity and the band.
    assert (period >> packing.PERIOD_BITS | block.timestamp >> packing.TIME_BITS) == 0
    place: uint256 = clock._place(period)
    position: uint256 = positions._opened(msg.sender, period, place)
    # An invalidated quote counts too: one quote per prosumer and period, for ever.
    if position & packing.QUOTED != 0:
        errors._revert(errors.QUOTES_ALREADY_QUOTED)

    ledger._reserve(msg.sender, trader.balance, tariff._collateral(volume))
    self._count(period, place, volume)
    positions._write(msg.sender, place, position | packing.QUOTED)
    quote_id: uint256 = rooms._take(
        trader.number
        | period << packing.QUOTE_PERIOD_SHIFT
        | volume << packing.QUOTE_VOLUME_SHIFT
        | price << packing.QUOTE_PRICE_SHIFT
    )
    deliveries._sale[msg.sender][place] = (
        packing.SALE_OPEN
        | quote_id << packing.SALE_QUOTE_ID_SHIFT
        | block.timestamp << packing.SALE_CREATED_AT_SHIFT
    )
    log IEnergyMarket.QuoteSubmitted(
        quote_id=quote_id, prosumer=msg.sender, period=period, volume=volume, price=price
    )

    return quote_id


@external
def invalidate_quote(quote_id: uint256):
    """
    @dev Withdraws a quote before any price is revealed; its bids count as rejected.
    @notice There is no check of authorisation or arrears, on purpose: this only undoes.
    @param quote_id The ID of the quote.
    @custom:error "quotes: unknown quote", "quotes: not valid", "quotes: not the prosumer",
                  "clock: wrong phase".
    """
    quote: packing.Quote = rooms._existing(quote_id, IEnergyMarket.QuoteStatus.VALID)
    if accounts._user[quote.prosumer] != msg.sender:
        errors._revert(errors.QUOTES_NOT_THE_PROSUMER)
    clock._check_phase(quote.period, IEnergyMarket.Phase.BIDDING)

    place: uint256 = clock._place(quote.period)
    ledger._refund(msg.sender, tariff._collateral(quote.volume))
    # It wraps around, and so takes off what was added before.
    self._count(quote.period, place, unsafe_sub(0, quote.volume))
    rooms._close(quote.room)
    deliveries._close(msg.sender, place)
    log IEnergyMarket.QuoteInvalidated(quote_id=quote_id)


@internal
def _count(period: uint256, place: uint256, change: uint256):
    """
    @dev Adds `change` to the word of what is quoted and asked for in `period`. What is there of
         an earlier period nobody needs (T-PARTY-24).
    """
    word: uint256 = self._totals[place]
    if word >> packing.TOTALS_PERIOD_SHIFT != period:
        word = period << packing.TOTALS_PERIOD_SHIFT
    # All volumes of all quotes, 128 times, are below 2 ** 63: no total outgrows its field. And
    # what is taken off was added before, to this word.
    self._totals[place] = unsafe_add(word, change)
