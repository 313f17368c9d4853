"""Units: exact conversions, and formats whose rounding is stated."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattproof.market.units import PENCE, format_energy, format_money, format_price, kwh, pence, pence_per_kwh


def test_a_credit_is_a_pound():
    assert 100 * PENCE == 10**18


@pytest.mark.parametrize(
    ("price", "base_per_wh"),
    [
        (18, 18 * 10**13),
        (6, 6 * 10**13),
        (0, 0),
        ("7.35", 735 * 10**11),
        (Decimal("7.35"), 735 * 10**11),
        (Decimal("1.8E+1"), 18 * 10**13),
        ("0.0000000000001", 1),
    ],
)
def test_price(price, base_per_wh):
    assert pence_per_kwh(price) == base_per_wh


def test_a_kwh_at_a_price_costs_that_price():
    assert pence_per_kwh("7.35") * kwh(1) == pence("7.35")


@pytest.mark.parametrize("price", [18.0, True, None, b"18", float("nan")])
def test_other_types_are_refused(price):
    with pytest.raises(TypeError, match="must be an int, a str or a Decimal, not"):
        pence_per_kwh(price)


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("", "must be a plain number such as 7.35, not ''"),
        ("-1", "must be a plain number such as 7.35, not '-1'"),
        ("+1", "must be a plain number"),
        ("1_000", "must be a plain number"),
        (" 1", "must be a plain number"),
        ("1\n", "must be a plain number"),
        ("1e3", "must be a plain number"),
        ("１８", "must be a plain number"),
        (".5", "must be a plain number"),
        ("5.", "must be a plain number"),
        ("nan", "must be a plain number"),
        (-1, "is negative: -1"),
        (Decimal("-0.5"), "is negative: -0.5"),
        (Decimal("NaN"), "is out of bounds: NaN"),
        (Decimal("Infinity"), "is out of bounds: Infinity"),
        (Decimal("1E+999999"), "is out of bounds"),
        (Decimal("1E-999999"), "is out of bounds"),
        ("0.00000000000001", "is finer than whole base units per Wh"),
        (Decimal("7.35000000000001"), "is finer than whole base units per Wh"),
    ],
)
def test_other_values_are_refused(price, reason):
    with pytest.raises(ValueError, match=f"^a price in p/kWh {reason}"):
        pence_per_kwh(price)


def test_money_and_energy_refuse_what_is_too_fine():
    assert pence("0.0000000000000001") == 1
    with pytest.raises(ValueError, match="a sum in pence is finer than whole base units"):
        pence("0.00000000000000001")
    assert kwh("1.234") == 1234
    with pytest.raises(ValueError, match="an amount in kWh is finer than whole Wh"):
        kwh("1.2345")


@pytest.mark.parametrize(
    ("base_units", "text"),
    [
        (0, "0.00 p"),
        (1234 * 10**14, "12.34 p"),
        (-1234 * 10**14, "-12.34 p"),
        (5 * 10**13, "0.01 p"),
        (5 * 10**13 - 1, "0.00 p"),
        (-5 * 10**13, "-0.01 p"),
        (-5 * 10**13 + 1, "0.00 p"),
        (10**18, "100.00 p"),
        (999995 * 10**13, "1000.00 p"),
    ],
)
def test_format_money(base_units, text):
    assert format_money(base_units) == text


@pytest.mark.parametrize(("wh", "text"), [(0, "0.000 kWh"), (1, "0.001 kWh"), (1234, "1.234 kWh"), (-50, "-0.050 kWh")])
def test_format_energy(wh, text):
    assert format_energy(wh) == text


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (18 * 10**13, "18.00 p/kWh"),
        (735 * 10**11, "7.35 p/kWh"),
        (7345 * 10**10, "7.35 p/kWh"),
        (7345 * 10**10 - 1, "7.34 p/kWh"),
        (0, "0.00 p/kWh"),
    ],
)
def test_format_price(price, text):
    assert format_price(price) == text


@pytest.mark.parametrize("value", [1.0, True, "1", None])
@pytest.mark.parametrize("format_", [format_money, format_energy, format_price])
def test_formats_refuse_other_types(format_, value):
    with pytest.raises(TypeError, match="must be an int, not"):
        format_(value)


@given(st.integers(-(2**255), 2**256 - 1))
def test_formatted_money_is_within_half_a_hundredth_of_a_penny(base_units):
    shown = int(format_money(base_units).removesuffix(" p").replace(".", ""))
    assert abs(shown * PENCE - base_units * 100) * 2 <= PENCE


@given(st.integers(0, 2**96))
def test_every_price_can_be_written_exactly(base_per_wh):
    assert pence_per_kwh(f"{base_per_wh // 10**13}.{base_per_wh % 10**13:013}") == base_per_wh
