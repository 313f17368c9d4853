"""Supply-demand-ratio pricing: the worked values, and what must hold of every price."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattproof.market.units import pence_per_kwh
from wattproof.simulation.pricing import into_band, sdr_prices

R_EXP = pence_per_kwh(6)
R_RET = pence_per_kwh(18)

ENERGY = st.integers(0, 2**48 - 1)
DEMAND = st.integers(1, 2**48 - 1)


@st.composite
def grid_prices(draw):
    """What the grid pays and charges; small numbers among them, where rounding shows most."""
    r_ret = draw(st.integers(1, 100) | st.integers(1, 2**96 - 1))
    return draw(st.integers(1, r_ret)), r_ret


@pytest.mark.parametrize(
    ("supply", "demand", "p_sell", "p_buy"),
    [
        # With 6 and 18 p/kWh: P_sell = 108 / (12 SDR + 6), P_buy = P_sell SDR + 18 (1 - SDR).
        (0, 1000, "18", "18"),  # SDR 0
        (250, 1000, "12", "16.5"),  # 108 / 9;  12 / 4 + 18 * 3/4 = 3 + 13.5
        (500, 1000, "9", "13.5"),  # 108 / 12; 9 / 2 + 18 / 2 = 4.5 + 9
        (750, 1000, "7.2", "9.9"),  # 108 / 15; 7.2 * 3/4 + 18 / 4 = 5.4 + 4.5
        (1000, 1000, "6", "6"),  # SDR 1
        (1001, 1000, "6", "6"),
        (5000, 1000, "6", "6"),  # SDR 5
        (1000, 0, "6", "6"),  # no demand
        (0, 0, "6", "6"),  # neither
    ],
)
def test_worked_values(supply, demand, p_sell, p_buy):
    assert sdr_prices(supply, demand, R_EXP, R_RET) == (pence_per_kwh(p_sell), pence_per_kwh(p_buy))


def test_rounding_goes_down_for_the_seller_and_up_for_the_buyer():
    # SDR 1/3: P_sell = 108 / 10 = 10.8 -> 10; P_buy from it = 10 / 3 + 12 = 15.33 -> 16.
    assert sdr_prices(1, 3, 6, 18) == (10, 16)


def test_any_exact_number_of_the_same_ratio_gives_the_same_price():
    assert sdr_prices(1, 7, R_EXP, R_RET) == sdr_prices(10**9, 7 * 10**9, R_EXP, R_RET)


@given(ENERGY, ENERGY, grid_prices())
def test_order_of_prices(supply, demand, grid):
    r_exp, r_ret = grid
    p_sell, p_buy = sdr_prices(supply, demand, r_exp, r_ret)
    assert r_exp <= p_sell <= p_buy <= r_ret


@given(DEMAND, grid_prices())
def test_ends(demand, grid):
    r_exp, r_ret = grid
    assert sdr_prices(0, demand, r_exp, r_ret) == (r_ret, r_ret)
    assert sdr_prices(demand, demand, r_exp, r_ret) == (r_exp, r_exp)
    assert sdr_prices(demand + 1, demand, r_exp, r_ret) == (r_exp, r_exp)


@given(ENERGY, DEMAND, ENERGY, DEMAND, grid_prices())
def test_both_fall_as_the_ratio_rises(supply, demand, other_supply, other_demand, grid):
    low, high = sorted([(supply, demand), (other_supply, other_demand)], key=lambda sd: Fraction(*sd))
    sell_low, buy_low = sdr_prices(*low, *grid)
    sell_high, buy_high = sdr_prices(*high, *grid)
    assert sell_high <= sell_low
    assert buy_high <= buy_low


@given(st.data(), DEMAND, grid_prices())
def test_budget_identity(data, demand, grid):
    r_exp, r_ret = grid
    supply = data.draw(st.integers(0, demand))
    p_sell, p_buy = sdr_prices(supply, demand, r_exp, r_ret)
    paid = p_buy * demand
    due = p_sell * supply + r_ret * (demand - supply)
    assert 0 <= paid - due < demand


@given(st.data(), DEMAND, grid_prices())
def test_within_rounding_of_the_formulas(data, demand, grid):
    """Against the formulas as they are printed, in fractions."""
    r_exp, r_ret = grid
    sdr = Fraction(data.draw(st.integers(0, demand)), demand)
    exact_sell = r_exp * r_ret / ((r_ret - r_exp) * sdr + r_exp)
    exact_buy = exact_sell * sdr + r_ret * (1 - sdr)
    p_sell, p_buy = sdr_prices(sdr.numerator, sdr.denominator, r_exp, r_ret)
    assert 0 <= exact_sell - p_sell < 1
    assert abs(exact_buy - p_buy) < 1


@pytest.mark.parametrize(("supply", "demand"), [(-1, 1), (1, -1)])
def test_negative_energy_is_refused(supply, demand):
    with pytest.raises(ValueError, match="supply and demand must not be negative"):
        sdr_prices(supply, demand, R_EXP, R_RET)


@pytest.mark.parametrize(("r_exp", "r_ret"), [(0, 18), (-1, 18), (19, 18)])
def test_grid_prices_out_of_order_are_refused(r_exp, r_ret):
    with pytest.raises(ValueError, match="prices must satisfy 0 < r_exp <= r_ret"):
        sdr_prices(1, 2, r_exp, r_ret)


@pytest.mark.parametrize(("price", "result"), [(6, 7), (7, 7), (8, 8), (17, 17), (18, 17), (-5, 7), (10**30, 17)])
def test_into_band(price, result):
    assert into_band(price, 7, 17) == result


def test_into_a_band_of_one_price():
    assert into_band(3, 7, 7) == into_band(9, 7, 7) == 7


def test_into_no_band():
    with pytest.raises(ValueError, match="no price band: 8 to 7"):
        into_band(7, 8, 7)
