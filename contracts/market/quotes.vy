# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Quotes: what prosumers offer
@custom:contract-name quotes
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A prosumer offers an amount of energy for a delivery period at a price per Wh,
        and puts up collateral for the case that it falls short (T-QUO-1 to T-QUO-16).
"""

from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import deliveries
from . import errors
from . import ledger
from . import packing
from . import tariff

uses: accounts
uses: clock
uses: deliveries
uses: ledger
uses: tariff


# @dev The ID that the next quote gets; the first is 1.
_next_id: uint256


# @dev The quotes by ID: what their bidders need.
_quote: HashMap[uint256, uint256]


# @dev The Wh quoted for each period and not withdrawn, and those of the bids opened for it.
_totals: HashMap[uint256, uint256]


@deploy
def __init__():
    """
    @dev Starts to number the quotes.
    """
    self._next_id = 1


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
                  "quotes: price out of band", "quotes: already quoted",
                  "ledger: insufficient balance".
    """
    trader: accounts.Trader = accounts._trader(msg.sender)
    if not clock._within_horizon(period):
        errors._revert("quotes: period too far ahead")
    clock._check_phase(period, IEnergyMarket.Phase.BIDDING)
    if volume == 0 or volume > trader.capacity:
        errors._revert("quotes: volume out of bounds")
    if price < tariff._lowest_price() or price > tariff._highest_price():
        errors._revert("quotes: price out of band")
    # An invalidated quote counts too: one quote per prosumer and period, for ever.
    # No meter can have reported yet: what is not zero is a quote.
    if deliveries._delivery[msg.sender][period] != 0:
        errors._revert("quotes: already quoted")

    quote_id: uint256 = self._next_id

    ledger._reserve(msg.sender, trader.balance, tariff._collateral(volume))
    self._next_id = unsafe_add(quote_id, 1)
    self._count(period, volume, 0, 0)
    self._write(
        quote_id,
        packing.Quote(
            prosumer=trader.number,
            period=period,
            volume=volume,
            price=price,
            opened=0,
            first=0,
            status=IEnergyMarket.QuoteStatus.VALID,
        ),
    )
    deliveries._write_sale(
        msg.sender,
        period,
        packing.Sale(
            reading=0,
            open=True,
            ahead=False,
            quote_id=quote_id,
            created_at=block.timestamp,
            sold=0,
            matched=0,
            winners=0,
            purchases=0,
        ),
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
    quote: packing.Quote = self._existing(quote_id, IEnergyMarket.QuoteStatus.VALID)
    if accounts._user[quote.prosumer] != msg.sender:
        errors._revert("quotes: not the prosumer")
    clock._check_phase(quote.period, IEnergyMarket.Phase.BIDDING)

    quote.status = IEnergyMarket.QuoteStatus.INVALID

    ledger._refund(msg.sender, tariff._collateral(quote.volume))
    self._count(quote.period, 0, quote.volume, 0)
    self._write(quote_id, quote)
    deliveries._delivery[msg.sender][quote.period] ^= packing.SALE_OPEN
    log IEnergyMarket.QuoteInvalidated(quote_id=quote_id)


@external
@view
def quote_count() -> uint256:
    """
    @dev Returns how many quotes there are.
    @return uint256 The ID of the last one; 0 where there is none.
    """
    return unsafe_sub(self._next_id, 1)


@internal
@view
def _read(quote_id: uint256) -> packing.Quote:
    """
    @dev Returns a quote; all zero where there is none.
    """
    return packing._quote(self._quote[quote_id])


@internal
def _write(quote_id: uint256, quote: packing.Quote):
    """
    @dev Keeps a quote.
    """
    self._quote[quote_id] = packing._pack_quote(quote)


@internal
def _count(period: uint256, quoted: uint256, invalidated: uint256, opened: uint256):
    """
    @dev Counts what is quoted, withdrawn and asked for in `period`, in Wh.
    """
    totals: packing.Totals = packing._totals(self._totals[period])
    # What would wrap does not fit.
    totals.supply = unsafe_sub(unsafe_add(totals.supply, quoted), invalidated)
    totals.demand = unsafe_add(totals.demand, opened)
    self._totals[period] = packing._pack_totals(totals)


@internal
@view
def _existing(quote_id: uint256, status: IEnergyMarket.QuoteStatus) -> packing.Quote:
    """
    @dev Returns a quote that has to stand at `status`: VALID, that is neither withdrawn nor
         matched, or MATCHED, that is not settled.
    @custom:error "quotes: unknown quote", "quotes: not valid", "quotes: not matched".
    """
    word: uint256 = self._quote[quote_id]
    if word == 0:
        errors._revert("quotes: unknown quote")

    quote: packing.Quote = packing._quote(word)
    if quote.status != status:
        errors._revert(
            "quotes: not valid" if status == IEnergyMarket.QuoteStatus.VALID else "quotes: not matched"
        )

    return quote
