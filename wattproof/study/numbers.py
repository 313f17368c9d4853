"""Exact numbers as texts, means, and confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from statistics import mean, variance

from wattproof.simulation.indices import quotient

T_975 = (
    *("12.706", "4.303", "3.182", "2.776", "2.571", "2.447", "2.365", "2.306", "2.262", "2.228"),
    *("2.201", "2.179", "2.160", "2.145", "2.131", "2.120", "2.110", "2.101", "2.093", "2.086"),
    *("2.080", "2.074", "2.069", "2.064", "2.060", "2.056", "2.052", "2.048", "2.045", "2.042"),
)
"""Student's t at 97.5 %, for 1 to 30 degrees of freedom: the usual table."""


def decimal(value: Fraction | int | None, places: int = 2) -> str | None:
    """A number with so many decimals, to the nearest, halves away from zero; zero has no sign. None stays None."""
    if value is None:
        return None
    unit = 10**places
    value = Fraction(value)
    rounded = (2 * abs(value.numerator) * unit + value.denominator) // (2 * value.denominator)
    sign = "-" if value < 0 and rounded else ""
    whole, rest = divmod(rounded, unit)
    return f"{sign}{whole}" + (f".{rest:0{places}}" if places else "")


def percent(part: int, whole: int) -> Fraction | None:
    """`part` in per cent of the size of `whole`, without the sign; None of nothing."""
    return quotient(100 * part, abs(whole))


def interval(values: Sequence[Fraction | int | None], places: int = 2) -> dict[str, str | int | None]:
    """The mean of independent values and its 95 % confidence interval by Student's t: mean, low, high and n.

    Values that are None are left out. With fewer than two there is no interval: low and high are None. From 31 degrees
    of freedom on the table's last value is used, which is wider than needed.
    """
    known = [Fraction(value) for value in values if value is not None]
    middle = mean(known) if known else None
    low = high = None
    if middle is not None and len(known) > 1:
        t = Fraction(T_975[min(len(known) - 1, len(T_975)) - 1])
        reach = t * _root(variance(known, middle) / len(known))
        low, high = middle - reach, middle + reach
    bounds = {"mean": middle, "low": low, "high": high}
    return {**{name: decimal(value, places) for name, value in bounds.items()}, "n": len(known)}


Z_975 = Fraction("1.959963985")
"""The standard normal distribution's quantile at 97.5 %."""


def proportion(held: int, number: int, places: int = 1) -> dict[str, str | int | None]:
    """So many of so many independent cases in per cent, and the 95 % confidence interval by Wilson: mean, low, high, n.

    Unlike the usual interval it is right where nearly all or nearly none held. Of no cases nothing is known.
    """
    middle = low = high = None
    if number:
        middle, square = Fraction(held, number), Z_975**2
        centre = middle + square / (2 * number)
        reach = Z_975 * _root(middle * (1 - middle) / number + square / (4 * number**2))
        # At 0 and at 1 rounding of the root must not lead beyond them.
        low = max(Fraction(0), (centre - reach) / (1 + square / number))
        high = min(Fraction(1), (centre + reach) / (1 + square / number))
    bounds = {"mean": middle, "low": low, "high": high}
    percents = {name: None if part is None else 100 * part for name, part in bounds.items()}
    return {**{name: decimal(part, places) for name, part in percents.items()}, "n": number}


def _root(value: Fraction) -> Fraction:
    """The square root, to 40 digits."""
    with localcontext() as context:
        context.prec = 40
        return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())
