# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The order in which bids are served
@custom:contract-name ranking
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Bids rank by their total amount, weighted by the bidder's standing; then by the
        larger volume; then by the earlier reveal (T-MAT-2, T-MAT-4, T-MAT-5). Each bid is one number that
        holds all three, so that to rank is to sort.
@dev Stateless. A key is `weighted amount << 56 | volume << 8 | 255 - index`, `index` the
     place in the order of reveals: with volumes below 2 ** 48, prices below 2 ** 96 and
     weights below 2 ** 16 the amount fits in the 200 bits above.
"""


# @dev How many bids can be ranked.
_SIZE: constant(uint256) = 128


# @dev Merging runs of 1, 2, 4, ... keys sorts 2 ** 7 of them.
_PASSES: constant(uint256) = 7


# @dev The largest index a key can hold; equal bids rank by the earlier reveal.
_LAST: constant(uint256) = 255


@internal
@pure
def _key(index: uint256, volume: uint256, price: uint256, weight: uint256) -> uint256:
    """
    @dev Returns the key of a bid: the larger, the earlier it is served.
    @param index The place in the order of reveals, below 128.
    @param volume The volume, in Wh, below 2 ** 48.
    @param price The price, in base units per Wh, below 2 ** 96.
    @param weight The weight of the bidder's standing, below 2 ** 16.
    """
    return (volume * price * weight << 56) | (volume << 8) | (_LAST - index)


@internal
@pure
def _index(key: uint256) -> uint256:
    """
    @dev Returns the place in the order of reveals of the bid that `key` stands for.
    """
    return _LAST - (key & _LAST)


@internal
@pure
def _descending(keys: DynArray[uint256, _SIZE]) -> DynArray[uint256, _SIZE]:
    """
    @dev Returns `keys` with the largest first: a merge sort, so that the cost of the
         worst order is that of any other.
    """
    size: uint256 = len(keys)
    runs: DynArray[uint256, _SIZE] = keys
    width: uint256 = 1

    for _pass: uint256 in range(_PASSES):
        if width >= size:
            break
        # `[left, middle)` and `[right, end)` are what is left of the two sorted runs
        # that are being merged.
        merged: DynArray[uint256, _SIZE] = []
        left: uint256 = 0
        middle: uint256 = 0
        right: uint256 = 0
        end: uint256 = 0
        for _slot: uint256 in range(size, bound=_SIZE):
            if left == middle and right == end:
                left = end
                middle = min(left + width, size)
                right = middle
                end = min(middle + width, size)
            if right == end or (left < middle and runs[left] > runs[right]):
                merged.append(runs[left])
                left += 1
            else:
                merged.append(runs[right])
                right += 1
        runs = merged
        width *= 2

    return runs
