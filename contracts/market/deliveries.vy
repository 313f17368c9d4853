# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What each user sold in each period
@custom:contract-name deliveries
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice What became of a user's quote.
@dev Kept here, changed elsewhere: by `quotes`, `matching`, `surplus` and `settlement`. Whether
     there is a sale, and of which period, the position tells (see `positions`): it is begun
     first, and only once what lay here is settled (T-PARTY-23).
"""

from . import packing


# @dev The sales by user and the period's place in the ring.
_sale: HashMap[address, HashMap[uint256, uint256]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: nothing is sold yet.
    """
    pass


@internal
@view
def _read_sale(prosumer: address, place: uint256) -> packing.Sale:
    """
    @dev Returns what became of a prosumer's quote for the period of a `place`; the caller knows
         of it.
    """
    return packing._sale(self._sale[prosumer][place])


@internal
def _close(prosumer: address, place: uint256):
    """
    @dev Notes that a prosumer's quote for the period of a `place` is settled or withdrawn.
    """
    self._sale[prosumer][place] ^= packing.SALE_OPEN


@internal
def _write_sale(prosumer: address, place: uint256, sale: packing.Sale):
    """
    @dev Keeps what became of a prosumer's quote for the period of a `place`.
    """
    self._sale[prosumer][place] = packing._pack_sale(sale)
