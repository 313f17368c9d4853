# pragma version 0.4.3
"""
@title What halmos checks on the bytecode: the market's own functions, compiled as it ships
@license GNU Affero General Public License v3.0 only
@author Wattproof
@dev Each `check_` is called with all values of its arguments at once. It returns early where an
     argument is out of bounds, and panics where its claim does not hold.
"""

from contracts.market import tariff

initializes: tariff

SBP: constant(uint256) = 6
SSP: constant(uint256) = 18
FEE: constant(uint256) = 1


@deploy
def __init__():
    tariff.__init__(SBP, SSP, FEE)


@internal
@pure
def _require(condition: bool):
    """
    @dev Panics as Solidity's `assert` does, which is what halmos looks for.
    """
    if not condition:
        raw_revert(concat(method_id("Panic(uint256)"), convert(1, bytes32)))


@external
@view
def check_escrow_is_volume_times_price_and_fee(volume: uint256, price: uint256):
    """
    @dev Without overflow inside the bounds.
    """
    if not tariff._is_volume(volume) or price < tariff._lowest_price() or price > tariff._highest_price():
        return

    self._require(tariff._escrow(volume, price) == volume * price + volume * FEE)


@external
@view
def check_collateral_covers_a_compensation(volume: uint256, short: uint256, price: uint256):
    """
    @dev The compensation of any shortage at any price.
    """
    if not tariff._is_volume(volume) or short > volume or price > tariff._highest_price():
        return

    self._require(short * price * 10 // 100 <= tariff._collateral(volume))


@external
@view
def check_wrong_escrow(volume: uint256, price: uint256):
    """
    @dev Must be refuted: the escrow is more than volume times price.
    """
    if not tariff._is_volume(volume) or price < tariff._lowest_price() or price > tariff._highest_price():
        return

    self._require(tariff._escrow(volume, price) == volume * price)


@external
@view
def check_pro_rata(before: uint256, volume: uint256, sold: uint256, delivered: uint256):
    """
    @dev A trade receives at most its volume.
    """
    if sold == 0 or not tariff._is_volume(sold) or delivered > sold or before > sold or volume > sold - before:
        return

    self._require((before + volume) * delivered // sold - before * delivered // sold <= volume)


@external
@view
def check_collateral_before_rounding(volume: uint256, short: uint256, price: uint256):
    """
    @dev 10 % of a shortage's value is never above 10 % of the quote's value at SSP, at three
         prices: two symbolic factors are more than the solver takes.
    """
    if not tariff._is_volume(volume) or short > volume:
        return

    for each: uint256 in [7, 12, 17]:
        if price == each:
            self._require(short * each * 10 <= volume * SSP * 10)
