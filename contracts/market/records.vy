# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The words in which the market keeps its records
@custom:contract-name records
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice The views of a market take 3,000 bytes of code, which a chain counts (EIP-170). So the
        market shows the words that it keeps, and a `MarketLens` tells what they say. Nothing
        that the market keeps is a secret: whoever runs a node can read it all.
@dev Initialised last, so that the array below begins behind all that is kept, and every word
     of a mapping is an element of it: a mapping scatters its words over all 2 ** 256 places.
     Its size only bounds the places that can be asked for. Nothing is ever written to it.
"""


# @dev How many words can be read at once.
PAGE: constant(uint256) = 256


# @dev The places of all mappings' words. The 64 that are left out keep it within storage; no
# hash is so large.
_word: uint256[2**256 - 64]


@deploy
def __init__():
    """
    @dev Nothing to initialise: nothing is kept here.
    """
    pass


@external
@view
def words(places: DynArray[uint256, PAGE]) -> DynArray[uint256, PAGE]:
    """
    @dev Returns words of the market's storage, as they are kept (see `packing`).
    @param places Where they are, counted from the end of what is not a mapping's.
    @return DynArray The words, in the order asked for.
    """
    found: DynArray[uint256, PAGE] = []
    for place: uint256 in places:
        found.append(self._word[place])

    return found
