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


# @dev Levels below the root of a heap of that size.
_LEVELS: constant(uint256) = 7


# @dev Half of the keys are put in their place in the heap, then each is taken out of it.
_STEPS: constant(uint256) = _SIZE // 2 + _SIZE


# @dev The largest volume a key can hold, in Wh.
_MOST_ENERGY: constant(uint256) = 2**48 - 1


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
    # No product overflows, see above.
    amount: uint256 = unsafe_mul(unsafe_mul(volume, price), weight)

    return amount << 56 | volume << 8 | unsafe_sub(_LAST, index)


@internal
@pure
def _index(key: uint256) -> uint256:
    """
    @dev Returns the place in the order of reveals of the bid that `key` stands for.
    """
    return unsafe_sub(_LAST, key & _LAST)


@internal
@pure
def _descending(keys: DynArray[uint256, _SIZE], supply: uint256) -> DynArray[uint256, _SIZE]:
    """
    @dev Returns the largest of `keys`, the largest first, until their volumes come to
         `supply`: a heap sort that ends there, so that the worst order takes no more than
         some `n log n` steps, and who gets nothing is not put in order.
    """
    left: uint256 = supply
    sorted: DynArray[uint256, _SIZE] = []
    heap: DynArray[uint256, _SIZE] = keys
    # From `start` on, no key below `end` is larger than its parent's.
    start: uint256 = len(keys) // 2
    end: uint256 = len(keys)

    for _step: uint256 in range(_STEPS):
        node: uint256 = 0
        if start > 0:
            start = unsafe_sub(start, 1)
            node = start
        elif end > 0 and left > 0:
            sorted.append(heap[0])
            left = unsafe_sub(left, min(left, heap[0] >> 8 & _MOST_ENERGY))
            end = unsafe_sub(end, 1)
            heap[0] = heap[end]
        else:
            break
        # The key at `node` goes down as long as a child is larger.
        key: uint256 = heap[node]
        for _level: uint256 in range(_LEVELS):
            child: uint256 = unsafe_add(unsafe_mul(node, 2), 1)
            if child >= end:
                break
            larger: uint256 = heap[child]
            if unsafe_add(child, 1) < end and heap[unsafe_add(child, 1)] > larger:
                child = unsafe_add(child, 1)
                larger = heap[child]
            if larger <= key:
                break
            heap[node] = larger
            node = child
        heap[node] = key

    return sorted
