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
from . import ledger
from . import positions
from . import tariff

uses: accounts
uses: clock
uses: ledger
uses: positions
uses: tariff


# @dev How many quotes there are; the first has ID 1.
quote_count: public(uint256)


# @dev The ID of a prosumer's quote for a period; zero: none.
_quote_of: HashMap[address, HashMap[uint256, uint256]]


# @dev The Wh quoted for a period by quotes that were not invalidated.
_supply: HashMap[uint256, uint256]


# @dev The quotes by ID.
_quote: HashMap[uint256, IEnergyMarket.Quote]


@deploy
def __init__():
    """
    @dev Nothing to initialise: the book starts empty.
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
    @custom:error Those of `accounts._check_trader`, "quotes: period too far ahead",
                  "clock: wrong phase", "quotes: volume out of bounds",
                  "quotes: price out of band", "quotes: already quoted",
                  "ledger: insufficient balance".
    """
    accounts._check_trader(msg.sender)
    assert clock._within_horizon(period), "quotes: period too far ahead"
    clock._check_phase(period, IEnergyMarket.Phase.BIDDING)
    assert tariff._is_volume(volume), "quotes: volume out of bounds"
    assert price >= tariff._lowest_price() and price <= tariff._highest_price(), "quotes: price out of band"
    # An invalidated quote counts too: one quote per prosumer and period, for ever.
    assert self._quote_of[msg.sender][period] == 0, "quotes: already quoted"

    quote_id: uint256 = self.quote_count + 1

    ledger._reserve(msg.sender, tariff._collateral(volume))
    positions._stake(msg.sender, period, quote_id)
    self.quote_count = quote_id
    self._quote_of[msg.sender][period] = quote_id
    self._supply[period] += volume
    self._quote[quote_id] = IEnergyMarket.Quote(
        prosumer=msg.sender,
        period=period,
        volume=volume,
        price=price,
        created_at=block.timestamp,
        sold=0,
        status=IEnergyMarket.QuoteStatus.VALID,
    )
    log IEnergyMarket.QuoteSubmitted(
        quote_id=quote_id, prosumer=msg.sender, period=period, volume=volume, price=price
    )

    return quote_id


@external
def invalidate_quote(quote_id: uint256):
    """
    @dev Takes a quote back before any price is revealed; its bids count as rejected.
    @notice There is no check of authorisation or arrears, on purpose: this only undoes.
    @param quote_id The ID of the quote.
    @custom:error "quotes: unknown quote", "quotes: not the prosumer",
                  "quotes: not valid", "clock: wrong phase".
    """
    quote: IEnergyMarket.Quote = self._existing(quote_id)
    assert msg.sender == quote.prosumer, "quotes: not the prosumer"
    self._check_valid(quote)
    clock._check_phase(quote.period, IEnergyMarket.Phase.BIDDING)

    collateral: uint256 = tariff._collateral(quote.volume)

    ledger._release(msg.sender, collateral, collateral)
    positions._unstake(msg.sender, quote.period, quote_id)
    self._supply[quote.period] -= quote.volume
    self._quote[quote_id].status = IEnergyMarket.QuoteStatus.INVALID
    log IEnergyMarket.QuoteInvalidated(quote_id=quote_id)


@external
@view
def quote(quote_id: uint256) -> IEnergyMarket.Quote:
    """
    @dev Returns a quote.
    @param quote_id The ID of the quote.
    @return Quote The quote; all zero where there is none.
    """
    return self._quote[quote_id]


@external
@view
def quote_of(prosumer: address, period: uint256) -> uint256:
    """
    @dev Returns a prosumer's quote for a delivery period, taken back or not.
    @param prosumer The prosumer.
    @param period The delivery period.
    @return uint256 The ID of the quote; 0 where there is none.
    """
    return self._quote_of[prosumer][period]


@external
@view
def supply(period: uint256) -> uint256:
    """
    @dev Returns what is quoted for a delivery period.
    @param period The delivery period.
    @return uint256 The energy of the quotes that were not taken back, in Wh.
    """
    return self._supply[period]


@internal
def _match(quote_id: uint256, sold: uint256):
    """
    @dev Marks a quote as matched with `sold` Wh sold.
    """
    self._quote[quote_id].sold = sold
    self._quote[quote_id].status = IEnergyMarket.QuoteStatus.MATCHED


@internal
def _sell(quote_id: uint256, volume: uint256):
    """
    @dev Adds `volume` Wh to what a matched quote sold.
    """
    self._quote[quote_id].sold += volume


@internal
def _settle(quote_id: uint256):
    """
    @dev Marks a quote as settled, for ever.
    """
    self._quote[quote_id].status = IEnergyMarket.QuoteStatus.SETTLED


@internal
@view
def _existing(quote_id: uint256) -> IEnergyMarket.Quote:
    """
    @dev Returns a quote that exists.
    @custom:error "quotes: unknown quote".
    """
    quote: IEnergyMarket.Quote = self._quote[quote_id]
    assert quote.prosumer != empty(address), "quotes: unknown quote"

    return quote


@internal
@view
def _check_valid(quote: IEnergyMarket.Quote):
    """
    @dev Reverts unless `quote` is neither taken back nor matched.
    @custom:error "quotes: not valid".
    """
    assert quote.status == IEnergyMarket.QuoteStatus.VALID, "quotes: not valid"


@internal
@view
def _check_matched(quote: IEnergyMarket.Quote):
    """
    @dev Reverts unless `quote` is matched and not yet settled.
    @custom:error "quotes: not matched".
    """
    assert quote.status == IEnergyMarket.QuoteStatus.MATCHED, "quotes: not matched"
