"""The replay says what the contract does: every deal and every record, under both rankings."""

from __future__ import annotations

import pytest

from wattproof.evm.engine import available
from wattproof.market.tariff import PAPER
from wattproof.simulation.accounting import performed_well, tier
from wattproof.simulation.bidding import purchase
from wattproof.simulation.households import HalfHour, PeriodRow
from wattproof.study.communities import Base, Community, Frame
from wattproof.study.plan import LADDER, Task, execute
from wattproof.study.replay import replay
from wattproof.study.runs import Day, Run, play
from wattproof.study.standing import COMPARED

FASTEST = available()[-1]


def told(day: Day) -> dict[str, tuple[int, ...]]:
    return {name: tuple(getattr(own, key) for key in COMPARED) for name, own in day.households.items()}


@pytest.mark.parametrize(("by_price", "alike"), [(False, True), (True, False)])
def test_the_contract_comes_to_the_same(shipped: Base, by_price: bool, alike: bool) -> None:
    # From 08:00 to 17:00 of two days: purchases before the delivery, and five tiers' difference at the largest step.
    frame = Frame(3, (1, 2), alike=alike, span=(16, 34))
    played = play(shipped, Run(frame, 10_000, rank_by_price=by_price), FASTEST)
    community = Community(shipped, frame)
    days = replay(community, 10_000, by_price)
    assert [told(day) for day in days] == [told(day) for day in played]
    total = days[0].community
    assert 0 < total.deals < total.bids and total.performances and total.defaults
    assert max(tier(own.performances) for own in days[0].households.values()) >= 2
    # It is standing that decided.
    assert told(replay(community, 0, by_price)[1]) != told(days[1])


@pytest.mark.parametrize(
    ("agreed", "asked", "imported", "good"),
    [
        *((100, 200, imported, good) for imported, good in ((94, False), (95, True), (105, True), (106, False))),
        *((100, 200, imported, good) for imported, good in ((189, False), (190, True), (210, True), (211, False))),
        # A tenth of it was agreed; less than a tenth.
        (100, 1000, 1000, True),
        (100, 1001, 1001, False),
        (100, 1001, 100, True),
        # Bought before the delivery, without a bid.
        (100, 0, 100, True),
        (100, 0, 0, False),
    ],
)
def test_who_performed_well(agreed: int, asked: int, imported: int, good: bool) -> None:
    assert performed_well(agreed, asked, imported) is good


def test_by_hand() -> None:
    # 300 Wh are quoted. The flat wants 250 Wh, the shop 200 Wh and the kiosk 10 Wh: the larger bid comes first, and the
    # kiosk's wins nothing. The flat imports what it agreed, the shop what it asked; the roof exports what it quoted.
    loads = {"flat": 250, "shop": 200, "kiosk": 10}
    row = PeriodRow(0, {name: HalfHour(load, 0, load, 0) for name, load in loads.items()})
    row["roof"] = HalfHour(0, 300, 0, 300)
    (day,) = replay([row], 500)
    assert told(day) == {
        "flat": (1, 0, 1, 1, 250, 250),
        "shop": (1, 0, 1, 1, 200, 50),
        "kiosk": (0, 0, 1, 0, 10, 0),
        "roof": (1, 0, 0, 0, 0, 0),
    }


def test_what_rounding_leaves_is_bought_and_agreed() -> None:
    # Of two quotes of 10 Wh the shop bids 7 and 6 Wh, the flat 4 and 3 Wh: 11 and 9 Wh. The flat wins 3 and 3 Wh, and
    # buys the 1 Wh that is left. It uses 6 Wh, which are neither the 7 Wh agreed nor the 7 Wh asked.
    row = PeriodRow(0, {f"roof {at}": HalfHour(0, 10, 0, 10) for at in (1, 2)})
    row |= {"flat": HalfHour(6, 0, 7, 0), "shop": HalfHour(13, 0, 13, 0)}
    (day,) = replay([row], 500)
    assert told(day)["flat"] == (0, 1, 2, 2, 7, 6)
    assert told(day)["shop"] == (1, 0, 2, 2, 13, 13)


def test_what_is_below_the_least_purchase_is_rounded_up_where_that_pays() -> None:
    price = PAPER.lowest_price
    assert purchase(50, 1000, 10, price, PAPER) == 50
    assert purchase(9, 1000, 10, price, PAPER) == 10
    # 20 Wh at 6.4 p less 19 Wh at 6 p: less than 1 Wh at 18 p. At 18 p it is more, and of 30 Wh it is as much.
    assert purchase(1, 1000, 20, price, PAPER) == 20
    assert purchase(1, 1000, 20, PAPER.highest_price, PAPER) == purchase(1, 1000, 30, price, PAPER) == 0
    # All that is left may be less than the least.
    assert purchase(9, 5, 10, price, PAPER) == 5
    assert purchase(0, 5, 10, price, PAPER) == purchase(-3, 5, 10, price, PAPER) == 0


def test_a_ladder_has_the_days_that_count_of_every_rung(shipped: Base) -> None:
    frame = Frame(1, (1, 2, 3), alike=True, span=(20, 30))
    made = execute(shipped, Task(("described", 1), Run(frame), "steps", (slice(0, 1), slice(1, 3))), FASTEST)
    assert set(made) == set(LADDER)
    community = Community(shipped, frame)
    days = replay(community, 500)
    first, last = made[False, 500]
    assert told(first) == told(days[0])
    assert last.half_hours == 20
    assert last.community.bids == days[1].community.bids + days[2].community.bids
