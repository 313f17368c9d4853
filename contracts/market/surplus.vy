# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Surplus: what the matching left, and what was produced beyond the quote
@custom:contract-name surplus
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice First come, first served, at the quote's price. While MATCHING what was quoted is
        for sale, and while METERING, once the prosumer's meter is read, what was exported:
        nobody buys energy that is known to be missing (T-SUR-1 to T-SUR-12).
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
from . import sales
from . import tariff

uses: accounts
uses: clock
uses: deliveries
uses: ledger
uses: positions
uses: rooms
uses: sales
uses: tariff


# @dev The least share of what is offered that can be purchased, as a shift: a 64th (T-SUR-11).
_MIN_SHARE_SHIFT: constant(uint256) = 6


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
                  "surplus: no reading yet", "surplus: not enough left",
                  "surplus: volume too small", "positions: earlier not settled",
                  "positions: beyond the capacity", "ledger: insufficient balance".
    """
    trader: accounts.Trader = accounts._trader(msg.sender)
    quote: packing.Quote = rooms._existing(quote_id, IEnergyMarket.QuoteStatus.MATCHED)
    # A purchase counts as agreed only while the delivery is still ahead (T-ACC-11).
    ahead: bool = clock._phase(quote.period) == IEnergyMarket.Phase.MATCHING
    if not ahead:
        clock._check_phase(quote.period, IEnergyMarket.Phase.METERING)
    if trader.number == quote.prosumer:
        errors._revert(errors.SURPLUS_OWN_QUOTE)
    if volume == 0:
        errors._revert(errors.SURPLUS_VOLUME_IS_ZERO)
    prosumer: address = accounts._user[quote.prosumer]
    place: uint256 = clock._place(quote.period)
    sale: packing.Sale = deliveries._read_sale(prosumer, place)
    if sales._is_full(sale):
        errors._revert(errors.SURPLUS_TOO_MANY_TRADES)
    offered: uint256 = quote.volume
    if not ahead:
        position: uint256 = positions._position[prosumer][place]
        if position & packing.PRESENT == 0:
            errors._revert(errors.SURPLUS_NO_READING_YET)
        offered = position >> packing.POSITION_EXPORTED_SHIFT & packing.MAX_ENERGY
    # More may be sold than was exported: then nothing is left.
    left: uint256 = unsafe_sub(offered, min(offered, sale.sold))
    if volume > left:
        errors._revert(errors.SURPLUS_NOT_ENOUGH_LEFT)
    # So nobody can use up the trades of a quote (T-SUR-11). Rounded up: `64 * volume` is at
    # least what is offered.
    if volume << _MIN_SHARE_SHIFT < offered and volume != left:
        errors._revert(errors.SURPLUS_VOLUME_TOO_SMALL)
    mine: uint256 = positions._opened(msg.sender, quote.period, place)
    positions._check_capacity(mine, volume, trader.capacity)

    ledger._reserve(msg.sender, trader.balance, tariff._escrow(volume, quote.price))
    first: bool = sales._append(quote.room, quote_id, sale.purchases, trader.number, volume)
    agreed: uint256 = volume if ahead else 0
    positions._buy(msg.sender, place, mine, quote_id, volume, agreed, volume, first)
    sale.ahead = sale.ahead or ahead
    sale.sold = unsafe_add(sale.sold, volume)
    sale.purchases = unsafe_add(sale.purchases, 1)
    deliveries._write_sale(prosumer, place, sale)
    log IEnergyMarket.SurplusBought(quote_id=quote_id, buyer=msg.sender, volume=volume)
