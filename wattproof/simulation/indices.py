"""The indices of Zhou, Wu and Long 2018, exact.

"Evaluation of peer-to-peer energy sharing mechanisms based on a multiagent simulation framework", Applied Energy
222:993-1022. The formulas are taken from public implementations that agree with each other; the paper itself could not
be read. Costs are in any one unit of money, above 0 what is paid; energies in Wh. Each index is a fraction, or None
where its denominator is 0; 1 is best.

Guo et al. 2023 (section 5.1.2) use two of them, as "value mining" and "participation willingness".
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def quotient(part: Fraction | int, whole: int) -> Fraction | None:
    """`part` of `whole`; None of nothing."""
    return Fraction(part, whole) if whole else None


def value_tapping(cost: int, cost_without: int, cost_at_best: int) -> Fraction | None:
    """(V_mech - V_ref) / (V_max - V_ref): how much of the value that sharing could have, the mechanism taps.

    V is the community's economic value, here less its cost: with the mechanism, without it, and at best. None where
    there is nothing to tap. Below 0 where the mechanism costs the community more than it saves.
    """
    return quotient(cost_without - cost, cost_without - cost_at_best)


def participation_willingness(costs: Sequence[int], costs_without: Sequence[int]) -> Fraction | None:
    """Households whose cost falls / all households; who pays the same is not counted. ValueError: unequal lengths."""
    return quotient(sum(new < old for new, old in zip(costs, costs_without, strict=True)), len(costs))


def equality(costs: Sequence[int]) -> Fraction | None:
    """1 - sum_n sum_m |I'_n - I'_m| / (2 N sum_n I'_n), one less the Gini coefficient of incomes.

    With U = min(-cost) + eps, I' = -cost where U >= 0, else -cost + |U|: incomes are moved up until none is negative.
    The implementations add an eps against division by zero. Here eps is 0, and where all moved incomes are 0, everybody
    being equal, the index is 1. None for nobody.
    """
    if not costs:
        return None
    least = min(-cost for cost in costs)
    incomes = sorted(-cost - min(least, 0) for cost in costs)
    total = sum(incomes)
    if total == 0:
        return Fraction(1)
    # In ascending order the n-th income is the larger one of n pairs and the smaller one of the others.
    differences = 2 * sum((2 * at - len(incomes) + 1) * income for at, income in enumerate(incomes))
    return 1 - Fraction(differences, 2 * len(incomes) * total)


def energy_balance(nets: Sequence[int], load: int, generation: int) -> Fraction | None:
    """1 - sum_t |net_t| / (sum load + sum |generation|): 1 where nothing is exchanged with the grid.

    `nets` is what was exchanged with the grid in each period, above 0 from it; `load` and `generation` are the totals.
    """
    return quotient(load + generation - sum(map(abs, nets)), load + generation)


def self_sufficiency(nets: Sequence[int], load: int) -> Fraction | None:
    """1 - sum over net_t > 0 of net_t / sum load: the part of the load that the grid does not cover.

    That the sum runs over net_t > 0 is this project's reading of a line that is unclear in the implementations.
    """
    return quotient(load - sum(net for net in nets if net > 0), load)
