"""The ranking in `match_bids`: T-MAT-2, T-MAT-4 to T-MAT-9, T-MAT-11, T-GUA-10, on books of up to 128 bids."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.planted import Planted, plant
from tests.support.stage import TARIFF, Stage
from wattproof.market.deployment import Tariff

LARGEST = 2**24 - 1
TIERS = {0: 0, 4: 0, 5: 1, 9: 1, 10: 2, 19: 2, 20: 3, 39: 3, 40: 4, 79: 4, 80: 5, 2**24 - 1: 5}
"""Good performances at the edges of the tiers, and the tier (T-STD-2)."""


pytestmark = pytest.mark.usefixtures("fastest")


@pytest.fixture(scope="module")
def stage(fastest: None) -> Stage:
    """A market on that engine."""
    return Stage()


@pytest.fixture(scope="module")
def wide(fastest: None) -> Stage:
    """A market with the widest price band, in which only a purse bounds the prices: fee 0, a step of 5 %."""
    return wide_stage(500)


@pytest.fixture(scope="module")
def wide_by_price(fastest: None) -> Stage:
    """The same market, but that bids rank by their unit price."""
    return wide_stage(500, by_price=True)


def wide_stage(step: int, by_price: bool = False) -> Stage:
    """Such a market with any step; the prosumer can put up the collateral of 1 Wh."""
    stage = Stage(Tariff(sbp=1, ssp=2**96 - 1, service_fee=0, priority_step=step, rank_by_price=by_price))
    stage.fund(stage.prosumer.address, 2**100)
    return stage


def ranking(bids: Sequence[Planted], step: int, by_price: bool = False) -> list[int]:
    """The places in the order of reveals, the best bid's first, by Python's sort, which keeps ties in order."""
    return sorted(
        range(len(bids)),
        key=lambda i: (
            -bids[i].price * (1 if by_price else bids[i].volume) * (10_000 + step * TIERS[bids[i].performances]),
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
    ranked = ranking(bids, stage.tariff.priority_step, stage.tariff.rank_by_price)
    left, served = supply, {}
    for i in ranked:
        if filled := min(bids[i].volume, left):
            served[i] = filled
            left -= filled
    lost, won = match(stage, bids, supply)
    assert list(won.items()) == list(served.items())
    told: list[int] = []
    for last in reversed(range(len(bids))):
        now = [i for i in ranked if i >= last and i not in told]
        before = [i for i in now if i != last]
        if all(sum(bids[i].volume for i in some) >= supply for some in (before, now[:-1])):
            told.append(now[-1])
    assert lost == told + [i for i in reversed(ranked) if i not in {*told, *served}]


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
        pytest.param([(1, LARGEST), (2**24, 1)], [1, 0], id="a total larger by one price unit, tiny volume"),
        pytest.param([(2**79 - 2, LARGEST), (2**79 - 1, LARGEST)], [1, 0], id="the largest amounts"),
        pytest.param([(2**96 - 2, 255, 80), (2**96 - 1, 255, 80)], [1, 0], id="the highest prices"),
        pytest.param([(2**80, LARGEST - 1, 80), (2**80, LARGEST, 80)], [1, 0], id="the heaviest of all"),
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


@pytest.mark.parametrize(
    ("bids", "by_amount", "by_price"),
    [
        pytest.param([], [], [], id="no bid"),
        # 5,000 against 6,000; 100 against 60
        pytest.param([(100, 50), (60, 100)], [1, 0], [0, 1], id="a large one at a low price"),
        pytest.param([(60, 100), (100, 50)], [0, 1], [1, 0], id="a large one at a low price opened first"),
        pytest.param([(1, LARGEST), (2, 1)], [0, 1], [1, 0], id="the largest volume, one unit of the price less"),
        # the ends of a purse: 1 Wh at 2 ** 96 - 1, and 2 ** 24 - 1 Wh at 2 ** 79
        pytest.param([(2**79, LARGEST), (2**96 - 1, 1)], [0, 1], [1, 0], id="the largest amount, the largest price"),
        pytest.param([(2**96 - 2, 2), (2**96 - 1, 1)], [0, 1], [1, 0], id="the highest prices"),
        pytest.param([(2**96 - 2, 2, 80), (2**96 - 1, 1, 80)], [0, 1], [1, 0], id="the heaviest prices"),
        # one price: the larger volume, then the earlier
        pytest.param([(100, 60), (100, 61)], [1, 0], [1, 0], id="one price: the larger volume"),
        pytest.param([(100, 61), (100, 60)], [0, 1], [0, 1], id="one price: the larger volume opened first"),
        pytest.param([(100, 60), (100, 60)], [0, 1], [0, 1], id="all equal: the earlier"),
        # 12,000 three times, at 120, 100 and 160
        pytest.param([(120, 100), (100, 120), (160, 75)], [1, 0, 2], [2, 0, 1], id="one amount, three prices"),
        # 100 * 1.05 = 105 against 104, 105 and 106
        pytest.param([(104, 60), (100, 50, 5)], [0, 1], [1, 0], id="standing beats one unit less"),
        pytest.param([(105, 60), (100, 60, 5)], [0, 1], [0, 1], id="standing ties: the earlier"),
        pytest.param([(105, 60), (100, 61, 5)], [1, 0], [1, 0], id="standing ties: the larger volume"),
        pytest.param([(100, 60, 5), (105, 61)], [1, 0], [1, 0], id="standing ties: the larger volume, opened last"),
        pytest.param([(100, 61, 5), (106, 60)], [0, 1], [1, 0], id="standing loses to one unit more"),
        # weights 1, 1.05, 1.1, 1.15, 1.2, 1.25: 1,000 * 1.25 = 1,250, 1,100 * 1.1 = 1,210, 1,200 * 1 = 1,200,
        # 1,040 * 1.15 = 1,196, 995 * 1.2 = 1,194, 1,130 * 1.05 = 1,186.5; with 1, 2, 3, 4, 5, 6 Wh
        # 1,250, 2,420, 3,600, 4,784, 5,970, 7,119
        pytest.param(
            [(1_000, 1, 80), (1_100, 2, 10), (1_200, 3), (1_040, 4, 20), (995, 5, 40), (1_130, 6, 5)],
            [5, 4, 3, 2, 1, 0],
            [0, 1, 2, 3, 4, 5],
            id="every tier",
        ),
        pytest.param([(1, 1)] * 2 + [(2, 1)] + [(1, 2)] * 2, [3, 4, 2, 0, 1], [2, 3, 4, 0, 1], id="all three rules"),
    ],
)
def test_both_orders_of_the_same_bids(
    wide: Stage,
    wide_by_price: Stage,
    bids: list[tuple[int, ...]],
    by_amount: list[int],
    by_price: list[int],
) -> None:
    """T-MAT-2, T-MAT-4, T-MAT-5, T-MAT-11: where all win, and where one Wh is less than all want."""
    planted = [Planted(*bid) for bid in bids]
    demand = sum(bid.volume for bid in planted)
    for stage, expected in ((wide, by_amount), (wide_by_price, by_price)):
        assert ranking(planted, 500, stage.tariff.rank_by_price) == expected
        if demand <= LARGEST:
            assert list(match(stage, planted, max(1, demand))[1]) == expected
        check(stage, planted, min(LARGEST, max(1, demand - 1)))


def test_losers_by_price_are_told_one_for_each_bid_read(wide_by_price: Stage) -> None:
    """T-MAT-11, annex B: the book of the next test, in which 9, 7, 6, 5 and 1 is the order of the prices.

    Read from the last, 4 and 3 want all; 2 displaces 4; 1 is out at once; 0 wants 8, and 2 the rest: 3 is out.
    """
    bids = [Planted(9, 8), Planted(1, 10), Planted(7, 8), Planted(6, 5), Planted(5, 5)]
    assert match(wide_by_price, bids, 10) == ([4, 1, 3], {0: 8, 2: 2})
    # By price the tenth Wh of the second one's volume helps it nothing; by amount 100 Wh at 1 would win all.
    bids[1] = Planted(1, 100)
    assert match(wide_by_price, bids, 10) == ([4, 1, 3], {0: 8, 2: 2})


def test_losers_are_told_one_for_each_bid_read(wide: Stage) -> None:
    """Annex B, by hand: read from the last, bids 4 and 3 want all; 2 displaces 4, 1 is out at once, 0 displaces 3."""
    bids = [Planted(9, 8), Planted(1, 10), Planted(7, 8), Planted(6, 5), Planted(5, 5)]
    # Worth 72, 10, 56, 30, 25. The third and fourth want 13 of 10 Wh: the fifth is out. The second is worse than all.
    # The first and third want 16 Wh: the fourth is out.
    assert match(wide, bids, 10) == ([4, 1, 3], {0: 8, 2: 2})


def test_who_loses_besides_the_one_told_is_told_at_the_end(wide: Stage) -> None:
    """Annex B: read from the last, 4 wants all alone; 0 displaces one, and the others lose with it."""
    bids = [Planted(9, 10), *[Planted(1, 3)] * 3]
    # 3 and 2 and 1 want 9 of 10 Wh: nobody is out before 0 is read, which wants all, and 9 Wh were not all.
    assert match(wide, bids, 10) == ([3, 2, 1], {0: 10})
    bids = [Planted(9, 10), Planted(8, 1), *[Planted(1, 5)] * 3]
    # 4 and 3 want all: 2, the earlier of equals, displaces 4. 1 displaces nobody, as 2 and 1 do not want all; 0 does,
    # and 3 is told for it; 2 and 1 win nothing either.
    assert match(wide, bids, 10) == ([4, 3, 2, 1], {0: 10})


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
    st.sampled_from([1, 2, 3, 4, 6, 12, 100, 2**79 - 1]) | st.integers(1, 2**79 - 1),
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


@settings(deadline=None, max_examples=60)
@given(bids=st.lists(BIDS, max_size=12) | st.lists(BIDS, min_size=100, max_size=128), share=st.integers(0, 8))
@example(bids=[Planted(1, 3), Planted(1, 3), Planted(1, 3)], share=4)
@example(bids=[Planted(2, 1), Planted(1, 100)], share=8)
def test_by_price_agrees_with_pythons_sort(wide_by_price: Stage, bids: list[Planted], share: int) -> None:
    """T-MAT-4 to T-MAT-9, T-MAT-11: likewise."""
    demand = sum(bid.volume for bid in bids)
    check(wide_by_price, bids, max(1, min(LARGEST, demand * share // 8)))


@settings(deadline=None, max_examples=30)
@given(bids=st.lists(BIDS, min_size=1, max_size=12), step=st.sampled_from([0, 1, 10_000]), by_price=st.booleans())
def test_any_priority_step(bids: list[Planted], step: int, by_price: bool) -> None:
    """T-MAT-2, T-MAT-11: from the plain order to the heaviest weight."""
    with boa.env.anchor():
        stage = wide_stage(step, by_price)
        check(stage, bids, max(bid.volume for bid in bids))


# ---- in the market -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_price() -> Stage:
    """The stage's market, but that bids rank by their unit price."""
    return Stage(dataclasses.replace(TARIFF, rank_by_price=True))


@pytest.mark.parametrize(
    ("bids", "by_amount", "by_unit_price"),
    [
        # Price and volume of consumer, neighbour and latecomer, in the order of their reveals; V = 1000 is enough.
        pytest.param([(100, 300), (150, 100), (110, 200)], "CLN", "NLC", id="30,000 before 22,000 before 15,000"),
        pytest.param([(100, 100), (150, 100), (125, 100)], "NLC", "NLC", id="one volume: by price"),
        pytest.param([(120, 100), (100, 120), (160, 75)], "NCL", "LCN", id="12,000 three times: by volume"),
        pytest.param([(100, 100), (100, 100), (100, 100)], "CNL", "CNL", id="all equal: by reveal"),
        pytest.param([(100, 100), (100, 101), (101, 100)], "NLC", "LNC", id="10,100 twice: the larger volume"),
        pytest.param([(178, 1), (62, 3), (93, 2)], "NLC", "CLN", id="186 twice, then 178"),
    ],
)
def test_in_the_market(
    stage: Stage, by_price: Stage, bids: list[tuple[int, int]], by_amount: str, by_unit_price: str
) -> None:
    """T-MAT-2, T-MAT-4, T-MAT-5, T-MAT-8, T-MAT-11: trades are made in the order of the ranking."""
    for played, expected in ((stage, by_amount), (by_price, by_unit_price)):
        with boa.env.anchor():
            assert played.market.RANK_BY_PRICE() is (played is by_price)
            letters = dict(zip("CNL", (played.consumer, played.neighbour, played.household("latecomer")), strict=True))
            quote_id = played.quote(1000, 62)
            bidders = [(user, price, volume) for user, (price, volume) in zip(letters.values(), bids, strict=True)]
            played.auction(quote_id, *bidders)

            trades = played.market.trades(quote_id)

            assert [trade.buyer for trade in trades] == [letters[letter].address for letter in expected]


def test_many_small_bids_at_a_high_price_beat_a_large_one(stage: Stage, by_price: Stage) -> None:
    """T-MAT-11: 1000 Wh at 100 are 100,000; 300 Wh at 150 and 200 Wh at 140 are 45,000 and 28,000.

    By amount the large one takes everything; by price it has the 500 Wh that are left, and 500 * 102 back.
    """
    played = []
    for market in (stage, by_price):
        with boa.env.anchor():
            latecomer = market.household("latecomer")
            quote_id = market.quote(1000, 62)
            bids = ((market.consumer, 100, 1000), (market.neighbour, 150, 300), (latecomer, 140, 200))
            market.auction(quote_id, *bids)
            names = {market.consumer.address: "C", market.neighbour.address: "N", latecomer.address: "L"}
            trades = [(names[trade.buyer], trade.volume, trade.price) for trade in market.market.trades(quote_id)]
            played.append((trades, [market.money(bidder)[1] for bidder, _, _ in bids]))

    assert played == [
        ([("C", 1000, 100)], [102_000, 0, 0]),
        # 500 * 102, 300 * 152, 200 * 142
        ([("N", 300, 150), ("L", 200, 140), ("C", 500, 100)], [51_000, 45_600, 28_400]),
    ]


@pytest.mark.parametrize(("price", "expected"), [(104, "CN"), (105, "CN"), (106, "NC")], ids=["104", "105", "106"])
def test_standing_weighs_the_unit_price(price: int, expected: str) -> None:
    """T-MAT-3, T-MAT-11: with 5 good performances the consumer's 100 count as 105; at the tie it opened first."""
    stage = Stage(dataclasses.replace(TARIFF, rank_by_price=True))
    stage.earn(5)
    assert stage.standing(stage.consumer) == (5, 0, 0, 1)
    quote_id = stage.quote(1000, 62)
    stage.auction(quote_id, (stage.consumer, 100, 10), (stage.neighbour, price, 10))

    names = {stage.consumer.address: "C", stage.neighbour.address: "N"}
    assert "".join(names[trade.buyer] for trade in stage.market.trades(quote_id)) == expected


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
