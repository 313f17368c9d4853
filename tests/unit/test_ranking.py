"""The ranking in `match_bids`: T-MAT-2, T-MAT-4 to T-MAT-9, T-GUA-10, on books of up to 128 bids of any kind."""

from __future__ import annotations

from collections.abc import Sequence

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.planted import Planted, plant
from tests.support.stage import Stage
from wattproof.deployment import Tariff

LARGEST = 2**48 - 1
TIERS = {0: 0, 4: 0, 5: 1, 9: 1, 10: 2, 19: 2, 20: 3, 39: 3, 40: 4, 79: 4, 80: 5, 2**24 - 1: 5}
"""Good performances at the edges of the tiers, and the tier (T-STD-2)."""


@pytest.fixture(scope="module")
def wide() -> Stage:
    """A market with the widest price band, in which only a purse bounds the prices: fee 0, a step of 5 %."""
    return wide_stage(500)


def wide_stage(step: int) -> Stage:
    """Such a market with any step; the prosumer can put up the collateral of 1 Wh."""
    stage = Stage(Tariff(sbp=1, ssp=2**96 - 1, service_fee=0, priority_step=step))
    stage.fund(stage.prosumer.address, 2**100)
    return stage


def ranking(bids: Sequence[Planted], step: int) -> list[int]:
    """The places in the order of reveals, the best bid's first, by Python's sort, which keeps ties in order."""
    return sorted(
        range(len(bids)),
        key=lambda i: (
            -bids[i].price * bids[i].volume * (10_000 + step * TIERS[bids[i].performances]),
            -bids[i].volume,
        ),
    )


def match(stage: Stage, bids: Sequence[Planted], supply: int) -> tuple[list[int], dict[int, int]]:
    """Matches a planted book; the places of the losers and of the winners with what they won, in the order told.

    Events, trades and everybody's money have to agree.
    """
    with boa.env.anchor():
        quote_id = stage.quote(1, stage.tariff.lowest_price, period=stage.clock.next_quotable())
        bidders = plant(stage, quote_id, supply, bids)
        stage.to("MATCHING", stage.market.quote(quote_id).period)
        stage.market.match_bids(quote_id)
        place = {address.lower(): i for i, address in enumerate(bidders)}
        lost: list[int] = []
        won: dict[int, int] = {}
        *told, last = stage.events()
        for name, fields in told:
            if name == "BidConfirmed":
                won[place[fields["bidder"].lower()]] = fields["filled"]
            else:
                assert (name, won) == ("BidRejected", {}), "losers are told before winners"
                lost.append(place[fields["bidder"].lower()])
        assert last == ("QuoteMatched", {"quote_id": quote_id, "sold": sum(won.values())})
        trades = [(place[trade.buyer.lower()], trade.volume, trade.price) for trade in stage.market.trades(quote_id)]
        assert trades == [(i, filled, bids[i].price) for i, filled in won.items()]
        for i, (bidder, bid) in enumerate(zip(bidders, bids, strict=True)):
            reserved = won.get(i, 0) * (bid.price + stage.tariff.service_fee)
            whole = bid.volume * (bid.price + stage.tariff.service_fee)
            assert stage.money(bidder) == (whole - reserved, reserved)
    return lost, won


def check(stage: Stage, bids: Sequence[Planted], supply: int) -> None:
    """The matching of a planted book is the ranking, served greedily; losers are told as annex B says."""
    ranked = ranking(bids, stage.tariff.priority_step)
    left, served = supply, {}
    for i in ranked:
        if filled := min(bids[i].volume, left):
            served[i] = filled
            left -= filled
    lost, won = match(stage, bids, supply)
    assert list(won.items()) == list(served.items())
    certain: list[int] = []
    for last in reversed(range(len(bids))):
        read = [i for i in ranked if i >= last]
        out = [i for n, i in enumerate(read) if sum(bids[j].volume for j in read[:n]) >= supply]
        certain += [i for i in reversed(out) if i not in certain]
    assert lost == certain


# ---- by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bids", "expected"),
    [
        pytest.param([], [], id="no bid"),
        pytest.param([(1, 1)], [0], id="one bid"),
        # by total, not by unit price: 5,000 and 6,000
        pytest.param([(100, 50), (60, 100)], [1, 0], id="two: the larger total"),
        pytest.param([(60, 100), (100, 50)], [0, 1], id="two: the larger total opened first"),
        pytest.param([(60, 100), (100, 60)], [0, 1], id="two: equal totals, the larger volume"),
        pytest.param([(100, 60), (60, 100)], [1, 0], id="two: the larger volume opened last"),
        pytest.param([(100, 60), (100, 60)], [0, 1], id="two: all equal, the earlier"),
        pytest.param([(100, 60), (100, 61), (100, 59)], [1, 0, 2], id="three"),
        pytest.param([(1, 1), (1, 1), (1, 1)], [0, 1, 2], id="three: all equal"),
        # 6,000 * 1.05 = 6,300 against 6,299, 6,300 and 6,301
        pytest.param([(6_299, 1), (6_000, 1, 5)], [1, 0], id="standing beats one unit less"),
        pytest.param([(6_300, 1), (6_000, 1, 5)], [0, 1], id="standing ties: the earlier"),
        pytest.param([(6_300, 1), (3_000, 2, 5)], [1, 0], id="standing ties: the larger volume"),
        pytest.param([(6_000, 1, 5), (6_301, 1)], [1, 0], id="standing loses to one unit more"),
        # one unit of the weighted total outweighs any volume, however early
        pytest.param([(1, LARGEST), (2**48, 1)], [1, 0], id="a total larger by one price unit, tiny volume"),
        pytest.param([(2**55 - 2, LARGEST), (2**55 - 1, LARGEST)], [1, 0], id="the largest amounts"),
        pytest.param([(2**96 - 2, 255, 80), (2**96 - 1, 255, 80)], [1, 0], id="the highest prices"),
        pytest.param([(2**55, LARGEST - 1, 80), (2**55, LARGEST, 80)], [1, 0], id="the heaviest of all"),
        pytest.param([(1, 1)] * 2 + [(2, 1)] + [(1, 2)] * 2, [3, 4, 2, 0, 1], id="all three rules"),
    ],
)
def test_worked_orders(wide: Stage, bids: list[tuple[int, ...]], expected: list[int]) -> None:
    """T-MAT-2, T-MAT-4, T-MAT-5: where all win, and where the best takes all."""
    planted = [Planted(*bid) for bid in bids]
    most = max((bid.volume for bid in planted), default=1)
    assert ranking(planted, 500) == expected
    assert list(match(wide, planted, min(LARGEST, most * max(1, len(bids))))[1])[:1] == expected[:1]
    check(wide, planted, min(LARGEST, sum(bid.volume for bid in planted) or 1))
    check(wide, planted, most)


def test_losers_are_told_when_it_is_certain(wide: Stage) -> None:
    """Annex B, by hand: read from the last, bids 4 and 3 want all; 2 displaces 4, 1 is out at once, 0 displaces 3."""
    bids = [Planted(9, 8), Planted(1, 10), Planted(7, 8), Planted(6, 5), Planted(5, 5)]
    # Worth 72, 10, 56, 30, 25. The third and fourth want 13 of 10 Wh: the fifth is out. The second is worse than all.
    # The first and third want 16 Wh: the fourth is out.
    assert match(wide, bids, 10) == ([4, 1, 3], {0: 8, 2: 2})


@pytest.mark.parametrize("size", [1, 2, 3, 64, 127, 128])
@pytest.mark.parametrize(
    "arrangement", ["rising", "falling", "equal", "organ pipe", "valley", "saw", "interleaved", "rotated"]
)
def test_adversarial_arrangements(wide: Stage, size: int, arrangement: str) -> None:
    """T-GUA-10: orders that are hard for one sort or another, for one winner, for a third of all and for all."""
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
    bids = [Planted(1 + price, 10) for price in prices]

    for supply in {10, 10 * (size // 3) + 5, 10 * size}:
        check(wide, bids, supply)


# ---- against Python's sort -----------------------------------------------------------------------------------------

# Few different values, so that ties are common, and the ends of the ranges that a purse can hold.
BIDS = st.builds(
    Planted,
    st.sampled_from([1, 2, 3, 4, 6, 12, 100, 2**55 - 1]) | st.integers(1, 2**55 - 1),
    st.sampled_from([1, 2, 3, 4, 6, 12, 100, LARGEST]) | st.integers(1, LARGEST),
    st.sampled_from(list(TIERS)),
)


@settings(deadline=None, max_examples=60)
@given(bids=st.lists(BIDS, max_size=12) | st.lists(BIDS, min_size=100, max_size=128), share=st.integers(0, 8))
@example(bids=[Planted(1, 3), Planted(1, 3), Planted(1, 3)], share=4)
def test_agrees_with_pythons_sort(wide: Stage, bids: list[Planted], share: int) -> None:
    """T-MAT-2 to T-MAT-9, where an eighth of the demand is on offer, or two, or all of it."""
    demand = sum(bid.volume for bid in bids)
    check(wide, bids, max(1, min(LARGEST, demand * share // 8)))


@settings(deadline=None, max_examples=30)
@given(bids=st.lists(BIDS, min_size=1, max_size=12), step=st.sampled_from([0, 1, 10_000]))
def test_any_priority_step(bids: list[Planted], step: int) -> None:
    """T-MAT-2: from the paper's plain order to the heaviest weight."""
    with boa.env.anchor():
        stage = wide_stage(step)
        check(stage, bids, max(bid.volume for bid in bids))


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
