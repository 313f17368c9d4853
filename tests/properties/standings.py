"""The record of who consumes: whether its import is what it agreed or what it asked (T-STD-7 to T-STD-9, T-STD-12).

The states in which the two part are rare: a `rationed` day leads to them, `reached` says which of them a settlement is
in, and `test_settlement.py` plays a day for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from tests.properties.ghost_ledger import IMPORTS, BidPlan, Day, Purchase, SellOrder
from verification.harness.lockstep import HOUSEHOLDS


class Forecast(NamedTuple):
    """What a user asked and agreed for a period, and what its meter says that it imported, in Wh.

    bids    each bid that it opened: what was asked, what was given, and whether it was given when delivery was over
    """

    bids: tuple[tuple[int, int, bool], ...]
    agreed: int
    imported: int

    @property
    def asked(self) -> int:
        """The volume of all bids, won or not."""
        return sum(asked for asked, _, _ in self.bids)


def within(forecast: int, imported: int) -> bool:
    """Whether an import is at least 95 % and at most 105 % of a forecast."""
    return 95 * forecast <= 100 * imported <= 105 * forecast


def is_good(told: Forecast) -> bool:
    """Whether a user that agreed something performs well (T-STD-7)."""
    counts = 0 < told.asked <= 10 * told.agreed
    return within(told.agreed, told.imported) or (counts and within(told.asked, told.imported))


def reached(told: Forecast) -> dict[str, bool]:
    """Which of the rare states this is, of a user that agreed something and has a reading."""
    asked, agreed, imported = told.asked, told.agreed, told.imported
    won = [given for _, given, _ in told.bids if given]
    lost = [asked for asked, given, _ in told.bids if not given]
    counts, parted = 10 * agreed >= asked, not within(agreed, imported)
    as_asked = parted and within(asked, imported)
    late = any(given and late for _, given, late in told.bids)
    return {
        "95 % of what was asked": counts and parted and imported == -(-95 * asked // 100),
        "a Wh below 95 % of what was asked": counts and parted and imported == -(-95 * asked // 100) - 1,
        "105 % of what was asked": counts and parted and imported == 105 * asked // 100,
        "a Wh above 105 % of what was asked": counts and parted and imported == 105 * asked // 100 + 1,
        "95 % of what was asked, no Wh rounded": counts and parted and 100 * imported == 95 * asked,
        "105 % of what was asked, no Wh rounded": counts and parted and 100 * imported == 105 * asked,
        "agreed a tenth of what was asked": as_asked and 10 * agreed == asked,
        "agreed a Wh less than a tenth": as_asked and 10 * agreed < asked <= 10 * (agreed + 1),
        "as agreed and not as asked": asked > 0 and not parted and not within(asked, imported),
        "asked nothing, and imported nothing": asked == 0 and imported == 0,
        "as asked, of several bids, one of them lost": as_asked and counts and len(won) > 1 and len(lost) > 0,
        "as asked, with a bid matched late": as_asked and counts and late,
    }


EDGES = ("asked", "95 % of asked", "below 95 % of asked", "105 % of asked", "above 105 % of asked")


def rationed(
    period: int,
    people: Sequence[str],
    band: int,
    small: int,
    large: int,
    mark: str,
    late: bool = False,
    third: str = "",
) -> Day:
    """A day on which one household is given a part of what it asks, and all meters report `mark`.

    people  two sellers, the household, a rival and, where there is a `third` quote, its seller
    band    what the rival pays above the lowest price, in base units per Wh: more than the household
    small   what the first sells, in Wh: the household has it for itself
    large   what the second sells, in Wh: the household asks for it and the rival has it
    late    whether bids are matched when the delivery is over
    third   "" for none; "asked": the household asks for a third quote, as large as the first, too; "bought": it buys
            of the half of it that is left once bids are matched, as does the last of `people`, who asks for nothing
    """
    one, other, household, rival, *rest = people
    asks = BidPlan(household, 100, 0, True)
    orders = [
        SellOrder(one, small, 0, (asks,), (), "quoted", False),
        SellOrder(other, large, 0, (asks, BidPlan(rival, 100, band, True)), (), "quoted", False),
    ]
    half = (BidPlan(rival, 50, 0, True),)
    match third:
        case "asked":
            orders.append(SellOrder(rest[0], small, 0, (asks,), (), "half", False))
        case "bought":
            buyer = Purchase(household, "matching", 100)
            guest = Purchase(rest[-1], "matching", 50)
            orders.append(SellOrder(rest[0], small, 0, half, (guest, buyer), "quoted", False))
    return Day(period, tuple(orders), (mark,) * len(HOUSEHOLDS), late, True)


@st.composite
def rationed_days(draw: st.DrawFn, period: int, traders: Sequence[str], band: int) -> Day:
    """Such a day; the household is mostly given a tenth of what it asks, a Wh more or less."""
    people = draw(st.permutations(traders))
    small = draw(st.sampled_from((2, 10, 20, 40, 11)))
    large = 9 * small + draw(st.sampled_from((0, 0, 1, 1, -1, -5 * small)))
    mark = draw(st.sampled_from((*EDGES, *EDGES, "agreed", draw(st.sampled_from(IMPORTS)))))
    third = draw(st.sampled_from(("", "asked", "bought"))) if len(people) > 4 else ""
    return rationed(period, people, band, small, large, mark, draw(st.booleans()), third)
