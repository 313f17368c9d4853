"""Prices from the ratio of supply to demand (SDR), in exact integers.

The formulas are those of Liu, Yu, Wang, Li, Ma and Lei 2017, "Energy-sharing model with price-based demand
response for microgrids of peer-to-peer prosumers" (IEEE Transactions on Power Systems, doi
10.1109/TPWRS.2017.2649558). They are taken from two public implementations that agree with each other; the
paper itself could not be read.

With S the total supply, D the total demand of the period, SDR = S / D, r_exp what the grid pays and r_ret
what it charges:

    0 <= SDR <= 1:  P_sell = r_exp * r_ret / ((r_ret - r_exp) * SDR + r_exp)
                    P_buy  = P_sell * SDR + r_ret * (1 - SDR)
    SDR > 1:        P_sell = P_buy = r_exp
"""

from __future__ import annotations


def sdr_prices(supply_wh: int, demand_wh: int, r_exp: int, r_ret: int) -> tuple[int, int]:
    """The prices (P_sell, P_buy) of a period, in base units per Wh.

    `supply_wh` and `demand_wh` are the period's totals in Wh, 0 or more; `r_exp` and `r_ret` are what the
    grid pays and charges, in base units per Wh, 0 < r_exp <= r_ret, else ValueError.

    No demand gives r_exp for both, whatever the supply, as all of it would go to the grid. No supply gives
    r_ret for both.

    Rounding: P_sell is rounded down; P_buy is computed from that P_sell and rounded up. So, exactly,

        r_exp <= P_sell <= P_buy <= r_ret,  both fall or stay as SDR rises, and for S <= D
        0 <= P_buy * D - (P_sell * S + r_ret * (D - S)) < D   (base units):

    what the buyers pay covers the sellers and the grid, with less than one base unit per Wh of demand to
    spare.
    """
    if supply_wh < 0 or demand_wh < 0:
        raise ValueError(f"supply and demand must not be negative: {supply_wh} Wh, {demand_wh} Wh")
    if not 0 < r_exp <= r_ret:
        raise ValueError(f"prices must satisfy 0 < r_exp <= r_ret: {r_exp}, {r_ret}")
    if supply_wh >= demand_wh:  # SDR of 1 or more, or no demand; at SDR 1 the formulas give r_exp, too
        return r_exp, r_exp
    # Both fractions are extended by D, so that SDR itself is never rounded.
    p_sell = r_exp * r_ret * demand_wh // ((r_ret - r_exp) * supply_wh + r_exp * demand_wh)
    p_buy = -(-(p_sell * supply_wh + r_ret * (demand_wh - supply_wh)) // demand_wh)
    return p_sell, p_buy


def into_band(price: int, low: int, high: int) -> int:
    """The price nearest to `price` from `low` to `high`, both included. ValueError if the band is empty."""
    if low > high:
        raise ValueError(f"no price band: {low} to {high}")
    return min(max(price, low), high)
