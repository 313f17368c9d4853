"""Texts of exact numbers, and confidence intervals."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wattproof.study.numbers import decimal, interval, percent, proportion


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (Fraction(1, 3), 3, "0.333"),
        (Fraction(5, 2), 0, "3"),  # halves away from zero
        (Fraction(-5, 2), 0, "-3"),
        (Fraction(-1, 1000), 2, "0.00"),  # zero has no sign
        (Fraction(-1, 200), 2, "-0.01"),
        (7, 1, "7.0"),
        (10**40, 0, "1" + "0" * 40),
    ],
)
def test_decimal(value: Fraction | int, places: int, text: str) -> None:
    assert decimal(value, places) == text


def test_nothing_stays_nothing() -> None:
    assert decimal(None) is None
    assert percent(1, 0) is None
    assert interval([]) == interval([None]) == {"mean": None, "low": None, "high": None, "n": 0}
    assert interval([3]) == {"mean": "3.00", "low": None, "high": None, "n": 1}


def test_percent_is_of_the_size() -> None:
    assert percent(1, -4) == 25
    assert percent(-1, 4) == -25


def test_interval_by_hand() -> None:
    # Mean 3, variance (4 + 1 + 0 + 1 + 4) / 4 = 2.5, t 2.776: 2.776 * sqrt(2.5 / 5) = 1.96293...
    assert interval([1, 2, 3, 4, 5], 4) == {"mean": "3.0000", "low": "1.0371", "high": "4.9629", "n": 5}
    # What is unknown is left out.
    assert interval([1, None, 3]) == interval([1, 3])
    assert interval([2, 2, 2]) == {"mean": "2.00", "low": "2.00", "high": "2.00", "n": 3}
    # Two values: t is 12.706, the deviation of the mean 1.
    assert interval([1, 3], 3) == {"mean": "2.000", "low": "-10.706", "high": "14.706", "n": 2}


@pytest.mark.parametrize(
    ("held", "number", "mean", "low", "high"),
    [
        # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, "30.80", "25.53", "36.62"),
        (15, 148, "10.14", "6.24", "16.05"),
        (0, 20, "0.00", "0.00", "16.11"),
        (1, 29, "3.45", "0.61", "17.18"),
        # The other end mirrors it.
        (20, 20, "100.00", "83.89", "100.00"),
    ],
)
def test_a_proportion_by_wilson(held: int, number: int, mean: str, low: str, high: str) -> None:
    assert proportion(held, number, 2) == {"mean": mean, "low": low, "high": high, "n": number}


def test_of_no_cases_nothing_is_known() -> None:
    assert proportion(0, 0) == {"mean": None, "low": None, "high": None, "n": 0}
