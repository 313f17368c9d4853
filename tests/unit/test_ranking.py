"""`contracts/market/ranking.vy`, through a harness and through `match_bids`: T-MAT-2, T-MAT-4, T-MAT-5, T-GUA-10."""

from __future__ import annotations

import itertools
import random
from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stage import Stage
from wattproof.deployment import contracts_dir

HARNESS = """
# pragma version 0.4.3
from market import ranking


@external
@pure
def order(volumes: DynArray[uint256, 128], prices: DynArray[uint256, 128], weights: DynArray[uint256, 128]) -> (
    DynArray[uint256, 128]
):
    keys: DynArray[uint256, 128] = []
    for index: uint256 in range(len(volumes), bound=128):
        keys.append(ranking._key(index, volumes[index], prices[index], weights[index]))
    ranked: DynArray[uint256, 128] = ranking._descending(keys, max_value(uint256))
    order: DynArray[uint256, 128] = []
    for key: uint256 in ranked:
        order.append(ranking._index(key))
    return order


@external
@pure
def descending(keys: DynArray[uint256, 128]) -> DynArray[uint256, 128]:
    return ranking._descending(keys, max_value(uint256))
"""

BASE = 10_000
"""The weight of a bid in tier 0."""

Bid = tuple[int, int, int]
"""Volume in Wh, price in base units per Wh, weight."""


def deploy_harness() -> Any:
    """The harness, compiled as if it stood beside the market."""
    return boa.loads(HARNESS, name="RankingHarness", filename=str(contracts_dir() / "RankingHarness.vy"))


@pytest.fixture(scope="module")
def ranking() -> Any:
    """A contract that shows the module's functions."""
    return deploy_harness()


def order(ranking: Any, bids: list[Bid]) -> list[int]:
    """The places in the order of reveals, the best bid's first."""
    volumes, prices, weights = ([bid[part] for bid in bids] for part in range(3))
    return list(ranking.order(volumes, prices, weights))


# ---- by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bids", "expected"),
    [
        pytest.param([], [], id="no bid"),
        pytest.param([(1, 1, BASE)], [0], id="one bid"),
        # by total, not by unit price: 5,000 and 6,000
        pytest.param([(50, 100, BASE), (100, 60, BASE)], [1, 0], id="two: the larger total"),
        pytest.param([(100, 60, BASE), (50, 100, BASE)], [0, 1], id="two: the larger total opened first"),
        pytest.param([(100, 60, BASE), (60, 100, BASE)], [0, 1], id="two: equal totals, the larger volume"),
        pytest.param([(60, 100, BASE), (100, 60, BASE)], [1, 0], id="two: the larger volume opened last"),
        pytest.param([(60, 100, BASE), (60, 100, BASE)], [0, 1], id="two: all equal, the earlier"),
        pytest.param([(60, 100, BASE), (61, 100, BASE), (59, 100, BASE)], [1, 0, 2], id="three"),
        pytest.param([(1, 1, BASE), (1, 1, BASE), (1, 1, BASE)], [0, 1, 2], id="three: all equal"),
        # 6,000 * 1.05 = 6,300 against 6,299, 6,300 and 6,301
        pytest.param([(1, 6_299, BASE), (1, 6_000, 10_500)], [1, 0], id="standing beats one unit less"),
        pytest.param([(1, 6_300, BASE), (1, 6_000, 10_500)], [0, 1], id="standing ties: the earlier"),
        pytest.param([(1, 6_300, BASE), (2, 3_000, 10_500)], [1, 0], id="standing ties: the larger volume"),
        pytest.param([(1, 6_000, 10_500), (1, 6_301, BASE)], [1, 0], id="standing loses to one unit more"),
        # one unit of the weighted total outweighs any volume, however early
        pytest.param(
            [(2**48 - 1, 1, BASE), (1, 2**48, BASE)], [1, 0], id="a total larger by one price unit, tiny volume"
        ),
        pytest.param([(2**48 - 1, 2**96 - 2, 20_000), (2**48 - 1, 2**96 - 1, 20_000)], [1, 0], id="the largest of all"),
        pytest.param(
            [(2**48 - 2, 2**96 - 1, 60_000), (2**48 - 1, 2**96 - 1, 60_000)], [1, 0], id="the heaviest of all"
        ),
        pytest.param([(1, 1, BASE)] * 2 + [(1, 2, BASE)] + [(2, 1, BASE)] * 2, [3, 4, 2, 0, 1], id="all three rules"),
    ],
)
def test_worked_orders(ranking: Any, bids: list[Bid], expected: list[int]) -> None:
    """T-MAT-2, T-MAT-4, T-MAT-5."""
    assert order(ranking, bids) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 127, 128])
@pytest.mark.parametrize(
    "arrangement", ["rising", "falling", "equal", "organ pipe", "valley", "saw", "interleaved", "rotated"]
)
def test_adversarial_arrangements(ranking: Any, size: int, arrangement: str) -> None:
    """T-GUA-10: orders that are hard for one sort or another; the price is the rank, so the result is known."""
    numbers = list(range(size))
    half = size // 2
    prices = {
        "rising": numbers,
        "falling": numbers[::-1],
        "equal": [7] * size,
        "organ pipe": numbers[0::2] + numbers[1::2][::-1],
        "valley": numbers[0::2][::-1] + numbers[1::2],
        "saw": [number % 4 * size + number for number in numbers],
        "interleaved": [number // 2 if number % 2 else half + number // 2 for number in numbers],
        "rotated": numbers[half:] + numbers[:half],
    }[arrangement]

    got = order(ranking, [(10, 1 + price, BASE) for price in prices])

    assert sorted(got) == numbers
    assert all(
        prices[one] > prices[two] or (prices[one] == prices[two] and one < two) for one, two in itertools.pairwise(got)
    )


def test_the_place_among_128_survives_the_largest_numbers(ranking: Any) -> None:
    """T-MAT-5: with every other part of the key at its largest, 128 equal bids keep the order of the reveals."""
    assert order(ranking, [(2**48 - 1, 2**96 - 1, 60_000)] * 128) == list(range(128))
    assert order(ranking, [(1, 1, BASE)] * 128) == list(range(128))


def test_no_more_than_128(ranking: Any) -> None:
    """T-BID-13: 129 do not fit the type; the call is refused whole."""
    assert len(ranking.descending([1] * 128)) == 128
    calldata = ranking.descending.prepare_calldata([1] * 128)
    longer = calldata[:36] + (129).to_bytes(32, "big") + calldata[68:] + bytes(32)
    assert calldata[36:68] == (128).to_bytes(32, "big")

    refused = boa.env.execute_code(to_address=ranking.address, data=longer)

    assert refused.is_error
    assert refused.output == b""


@pytest.mark.parametrize("seed", range(4))
def test_any_keys(ranking: Any, seed: int) -> None:
    """The sort itself, on 128 numbers of full width with repetitions: nothing lost, nothing twice."""
    draw = random.Random(seed)
    keys = [draw.choice([draw.getrandbits(256), draw.getrandbits(3)]) for _ in range(128)]

    assert list(ranking.descending(keys)) == sorted(keys, reverse=True)


# ---- against Python's sort -----------------------------------------------------------------------------------------

# Few different values, so that ties are common, and the ends of every range.
VOLUMES = st.sampled_from([1, 2, 3, 4, 6, 12, 100, 2**48 - 1]) | st.integers(1, 2**48 - 1)
PRICES = st.sampled_from([1, 2, 3, 4, 6, 12, 100, 2**96 - 1]) | st.integers(1, 2**96 - 1)
WEIGHTS = st.sampled_from([10_000, 10_500, 12_500, 15_000, 20_000, 60_000])


@settings(deadline=None)
@given(bids=st.lists(st.tuples(VOLUMES, PRICES, WEIGHTS), max_size=128))
def test_agrees_with_pythons_sort(ranking: Any, bids: list[Bid]) -> None:
    """T-MAT-2, T-MAT-4, T-MAT-5: by weighted total, then volume, both falling; Python's sort keeps ties in order."""
    expected = sorted(range(len(bids)), key=lambda i: (bids[i][0] * bids[i][1] * bids[i][2], bids[i][0]), reverse=True)
    # `reverse=True` keeps the order of equal elements, too.
    assert order(ranking, bids) == expected


# ---- in the market -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bids", "expected"),
    [
        # Price and volume of consumer, neighbour and latecomer, in the order of their reveals; V = 1000 is enough.
        pytest.param([(100, 300), (150, 100), (110, 200)], "CLN", id="30,000 before 22,000 before 15,000"),
        pytest.param([(100, 100), (150, 100), (125, 100)], "NLC", id="one volume: by price"),
        pytest.param([(120, 100), (100, 120), (160, 75)], "NCL", id="12,000 three times: by volume"),
        pytest.param([(100, 100), (100, 100), (100, 100)], "CNL", id="all equal: by reveal"),
        pytest.param([(100, 100), (100, 101), (101, 100)], "NLC", id="10,100 twice: the larger volume"),
        pytest.param([(178, 1), (62, 3), (93, 2)], "NLC", id="186 twice, then 178"),
    ],
)
def test_in_the_market(stage: Stage, bids: list[tuple[int, int]], expected: str) -> None:
    """T-MAT-2, T-MAT-4, T-MAT-5, T-MAT-8: trades are made in the order of the ranking."""
    letters = dict(zip("CNL", (stage.consumer, stage.neighbour, stage.household("latecomer")), strict=True))
    quote_id = stage.quote(1000, 62)
    bidders = [(user, price, volume) for user, (price, volume) in zip(letters.values(), bids, strict=True)]
    stage.auction(quote_id, *bidders)

    trades = stage.market.trades(quote_id)

    assert [trade.buyer for trade in trades] == [letters[letter].address for letter in expected]


def test_the_order_of_the_reveals_counts_not_that_of_the_seals(stage: Stage) -> None:
    """T-MAT-5: sealed first, opened last."""
    quote_id = stage.quote(1000, 100)
    stage.bid(quote_id, stage.consumer, 100, 700)
    stage.bid(quote_id, stage.neighbour, 100, 700)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.neighbour, 100, 700)
    stage.reveal(quote_id, stage.consumer, 100, 700)
    stage.to("MATCHING")
    stage.market.match_bids(quote_id)

    assert stage.market.trades(quote_id) == [(stage.neighbour.address, 700, 100), (stage.consumer.address, 300, 100)]
