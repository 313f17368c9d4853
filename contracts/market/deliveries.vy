# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What each user sold and metered in each period
@custom:contract-name deliveries
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice What became of a user's quote and what its meter reported lie in one word: both are
        asked for whenever the delivery is settled, sold from or billed.
@dev Kept here, changed elsewhere: the sale by `quotes`, `matching`, `surplus` and
     `settlement`, the reading by `metering` and `settlement`. Each leaves the other's
     fields as they are.
"""

from . import packing


# @dev The deliveries by user and period.
_delivery: HashMap[address, HashMap[uint256, uint256]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: nothing is sold or metered yet.
    """
    pass


@internal
@view
def _read_sale(prosumer: address, period: uint256) -> packing.Sale:
    """
    @dev Returns what became of a prosumer's quote for a period; all zero where there is
         none, but for the reading.
    """
    return packing._sale(self._delivery[prosumer][period])


@internal
def _write_sale(prosumer: address, period: uint256, sale: packing.Sale):
    """
    @dev Keeps what became of a prosumer's quote for a period.
    """
    self._delivery[prosumer][period] = packing._pack_sale(sale)
