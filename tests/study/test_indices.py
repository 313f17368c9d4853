"""The indices of Zhou et al. 2018 against cases worked by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattproof.simulation.indices import (
    energy_balance,
    equality,
    participation_willingness,
    self_sufficiency,
    value_tapping,
)

# Three households cost 10, 20 and -5 without the mechanism, 8, 20 and -9 with it; at best all three together cost 13.
WITHOUT, WITH, BEST = [10, 20, -5], [8, 20, -9], 13


def test_value_tapping() -> None:
    # 25 without, 19 with, 13 at best: 6 of 12.
    assert value_tapping(sum(WITH), sum(WITHOUT), BEST) == Fraction(1, 2)
    assert value_tapping(BEST, sum(WITHOUT), BEST) == 1
    assert value_tapping(sum(WITHOUT), sum(WITHOUT), BEST) == 0
    # A mechanism that costs 3 more than none, where 12 could be had.
    assert value_tapping(28, 25, 13) == Fraction(-1, 4)
    assert value_tapping(25, 25, 25) is None


def test_participation_willingness() -> None:
    # The second household pays what it paid before.
    assert participation_willingness(WITH, WITHOUT) == Fraction(2, 3)
    assert participation_willingness(WITHOUT, WITH) == 0
    assert participation_willingness([], []) is None
    with pytest.raises(ValueError, match="argument 2"):
        participation_willingness([1], [1, 2])


def test_equality() -> None:
    # Incomes 1 and 3: the differences add up to 4, twice two households with 4 together make 16.
    assert equality([-1, -3]) == Fraction(3, 4)
    # Costs 4 and 2: the least income is -4, so both are moved up by 4, to 0 and 2; 1 - 4 / 8.
    assert equality([4, 2]) == Fraction(1, 2)
    # Moved up by 9 or not, the middle household decides: incomes 0, 6, 9, differences 36, 2 * 3 * 15.
    assert equality([9, 3, 0]) == 1 - Fraction(36, 90)
    assert equality([7, 7, 7]) == equality([0]) == 1
    assert equality([]) is None


def test_energy_balance() -> None:
    # 3 in, 2 out, 1 in: 6 Wh cross the border of a community that uses 10 and generates 8.
    assert energy_balance([3, -2, 1], 10, 8) == Fraction(2, 3)
    assert energy_balance([0, 0], 5, 5) == 1
    assert energy_balance([], 0, 0) is None


def test_self_sufficiency() -> None:
    # Of 10 Wh used, 3 and 1 come from the grid; what goes there does not count.
    assert self_sufficiency([3, -2, 1], 10) == Fraction(3, 5)
    assert self_sufficiency([-5], 10) == 1
    assert self_sufficiency([10], 10) == 0
    assert self_sufficiency([1], 0) is None


@given(st.lists(st.integers(-(10**30), 10**30), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_equality_is_the_double_sum_of_its_definition(costs: list[int]) -> None:
    shift = abs(min(-cost for cost in costs)) if min(-cost for cost in costs) < 0 else 0
    incomes = [-cost + shift for cost in costs]
    if sum(incomes) == 0:
        assert equality(costs) == 1
        return
    differences = sum(abs(one - other) for one in incomes for other in incomes)
    assert equality(costs) == 1 - Fraction(differences, 2 * len(costs) * sum(incomes))
    assert 0 <= (equality(costs) or 0) <= 1
