# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Surplus: what the matching left, and what was produced beyond the quote
@custom:contract-name surplus
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice First come, first served, at the quote's price, until the end of METERING. Until
        the prosumer's meter is read what was quoted is for sale, afterwards what was
        exported (T-SUR-1 to T-SUR-10).
"""

from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import deliveries
from . import ledger
from . import packing
from . import positions
from . import quotes
from . import refusals
from . import sales
from . import tariff

uses: accounts
uses: clock
uses: deliveries
uses: ledger
uses: positions
uses: quotes
uses: sales
uses: tariff


@deploy
def __init__():
    """
    @dev Nothing to initialise: surplus is a remainder.
    """
    pass


@external
def buy_surplus(quote_id: uint256, volume: uint256):
    """
    @dev Buys a part of what a matched quote has left, and reserves what it can cost.
    @param quote_id The ID of the quote.
    @param volume The energy wanted, in Wh.
    @custom:error Those of `accounts._trader`, "quotes: unknown quote",
                  "quotes: not matched", "clock: wrong phase", "surplus: own quote",
                  "surplus: volume is zero", "surplus: too many trades",
                  "surplus: not enough left", "ledger: insufficient balance".
    """
    trader: accounts.Trader = accounts._trader(msg.sender)
    quote: packing.Quote = quotes._existing(quote_id)
    quotes._check_matched(quote.status)
    clock._check_phase(quote.period, self._open_phases())
    if trader.number == quote.prosumer:
        refusals._refuse("surplus: own quote")
    if volume == 0:
        refusals._refuse("surplus: volume is zero")
    prosumer: address = accounts._user[quote.prosumer]
    sale: packing.Sale = deliveries._read_sale(prosumer, quote.period)
    if sales._is_full(sale):
        refusals._refuse("surplus: too many trades")
    if volume > self._left(quote.volume, sale):
        refusals._refuse("surplus: not enough left")
    # A purchase counts as agreed only while the delivery is still ahead (T-ACC-11).
    ahead: bool = clock._phase(quote.period) == IEnergyMarket.Phase.MATCHING

    ledger._reserve(msg.sender, trader.purse, tariff._escrow(volume, quote.price))
    first: bool = sales._append(quote_id, sale.purchases, trader.number, volume)
    positions._buy(msg.sender, quote.period, quote_id, volume, ahead, first)
    sale.sold = unsafe_add(sale.sold, volume)
    sale.purchases = unsafe_add(sale.purchases, 1)
    deliveries._write_sale(prosumer, quote.period, sale)
    log IEnergyMarket.SurplusBought(quote_id=quote_id, buyer=msg.sender, volume=volume)


@external
@view
def remaining(quote_id: uint256) -> uint256:
    """
    @dev Returns what `buy_surplus` would still sell of a quote.
    @param quote_id The ID of the quote.
    @return uint256 The energy left, in Wh; 0 where nothing is for sale.
    """
    quote: packing.Quote = quotes._read(quote_id)
    if quote.status != IEnergyMarket.QuoteStatus.MATCHED:
        return 0
    if clock._phase(quote.period) not in self._open_phases():
        return 0
    prosumer: address = accounts._user[quote.prosumer]
    sale: packing.Sale = deliveries._read_sale(prosumer, quote.period)
    if sales._is_full(sale):
        return 0

    return self._left(quote.volume, sale)


@internal
@view
def _open_phases() -> IEnergyMarket.Phase:
    """
    @dev Returns the phases in which surplus is sold.
    """
    return IEnergyMarket.Phase.MATCHING | IEnergyMarket.Phase.DELIVERING | IEnergyMarket.Phase.METERING


@internal
@pure
def _left(quoted: uint256, sale: packing.Sale) -> uint256:
    """
    @dev Returns what of a matched quote is not sold: of what was quoted or, once the
         prosumer's meter is read, of what it exported.
    """
    offered: uint256 = quoted
    if sale.reading & packing.PRESENT != 0:
        offered = sale.reading & packing.MOST_ENERGY
    # More may be sold than was exported: then nothing is left.
    return unsafe_sub(offered, min(offered, sale.sold))
