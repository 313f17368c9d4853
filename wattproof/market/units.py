"""Units of money and energy, exact: no float ever holds an amount.

Money is counted in base units of the settlement token. The default token has 18 decimals and one credit of it
stands for one pound, so a penny is 10**16 base units; for other tokens see `wattproof.market.tokens`. Energy is
counted in whole watt-hours (Wh). A price is in base units per Wh, so that volume times price is exact (market rules,
section 1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

DECIMALS = 18
"""Of the default token, EnergyCredit."""

PENCE = 10 ** (DECIMALS - 2)
"""Base units of the default token in one penny: a credit is 100 pence."""

WH_PER_KWH = 1000

PENCE_PER_KWH = PENCE // WH_PER_KWH
"""Base units per Wh in a price of 1 p/kWh; exact, as 10**16 is a multiple of 1000."""

Amount = int | str | Decimal
"""An exact number as people write it: 18, "7.35" or Decimal("7.35"). Never a float."""

_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_MAX_EXPONENT = 60  # Far above any sum of money; keeps Decimal("1E+999999") from filling the memory.


def pence_per_kwh(price: Amount) -> int:
    """A price in p/kWh as base units per Wh.

    Raises TypeError for anything but int, str or Decimal, and ValueError for what is no plain number, is
    negative, or is finer than one base unit per Wh (13 decimals of a penny).
    """
    return _scaled(price, PENCE_PER_KWH, "a price in p/kWh", "base units per Wh")


def pence(amount: Amount) -> int:
    """A sum of money in pence as base units. Raises as `pence_per_kwh` does."""
    return _scaled(amount, PENCE, "a sum in pence", "base units")


def kwh(energy: Amount) -> int:
    """An amount of energy in kWh as Wh. Raises as `pence_per_kwh` does."""
    return _scaled(energy, WH_PER_KWH, "an amount in kWh", "Wh")


def format_money(base_units: int) -> str:
    """Base units as pence with two decimals, "12.34 p". Rounds to the nearest, halves away from zero."""
    return f"{fixed(base_units, PENCE, 2)} p"


def format_energy(wh: int) -> str:
    """Wh as kWh with three decimals, "1.234 kWh". Exact."""
    return f"{fixed(wh, WH_PER_KWH, 3)} kWh"


def format_price(base_per_wh: int) -> str:
    """Base units per Wh as p/kWh with two decimals, "7.35 p/kWh". Rounds as `format_money` does."""
    return f"{fixed(base_per_wh, PENCE_PER_KWH, 2)} p/kWh"


@dataclass(frozen=True)
class Display:
    """How the amounts of one market are written: exactly, and each kind in one unit, so that they can be compared.

    counted   base units and Wh, for markets whose prices are so small that pence and kWh would be rows of noughts
    """

    counted: bool = False

    @classmethod
    def of(cls, highest_price: int) -> Display:
        """For a market whose highest price is so many base units per Wh."""
        return cls(highest_price < PENCE_PER_KWH // 1000)

    def money(self, base_units: int) -> str:
        """A sum in base units: "12.345 p", or "7 base units"."""
        return _counted(base_units, "base unit") if self.counted else f"{exactly(base_units, PENCE)} p"

    def price(self, base_per_wh: int) -> str:
        """A price in base units per Wh: "7.35 p/kWh", or "7 base units/Wh"."""
        return f"{self.money(base_per_wh)}/Wh" if self.counted else f"{exactly(base_per_wh, PENCE_PER_KWH)} p/kWh"

    def energy(self, wh: int) -> str:
        """An amount in Wh: "1.234 kWh", or "1234 Wh"."""
        return f"{int(wh)} Wh" if self.counted else format_energy(wh)


def exactly(value: int, scale: int) -> str:
    """`value` / `scale`, a power of ten, with as many decimals as that takes, two at least: nothing is rounded."""
    decimals = 2
    while value * 10**decimals % scale:
        decimals += 1
    return fixed(value, scale, decimals)


def _counted(number: int, what: str) -> str:
    # A number that shows itself otherwise, as those of a market to play with, is written as a number here.
    return f"{int(number)} {what}" if abs(number) == 1 else f"{int(number)} {what}s"


def fixed(value: int, scale: int, decimals: int) -> str:
    """`value` / `scale` with so many decimals, to the nearest, halves away from zero; zero has no sign."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"must be an int, not {type(value).__name__}")
    unit = 10**decimals
    rounded = (2 * abs(value) * unit + scale) // (2 * scale)
    sign = "-" if value < 0 and rounded else ""
    return f"{sign}{rounded // unit}.{rounded % unit:0{decimals}}"


def _scaled(amount: Amount, scale: int, what: str, unit: str) -> int:
    """`amount` times `scale`, where that is a whole number."""
    if isinstance(amount, bool) or not isinstance(amount, int | str | Decimal):
        raise TypeError(f"{what} must be an int, a str or a Decimal, not {type(amount).__name__}")
    if isinstance(amount, str):
        if not _PLAIN.fullmatch(amount):
            raise ValueError(f"{what} must be a plain number such as 7.35, not {amount!r}")
        amount = Decimal(amount)
    if isinstance(amount, Decimal) and not (amount.is_finite() and abs(amount.adjusted()) <= _MAX_EXPONENT):
        raise ValueError(f"{what} is out of bounds: {amount}")
    numerator, denominator = amount.as_integer_ratio()
    if numerator < 0:
        raise ValueError(f"{what} is negative: {amount}")
    scaled, rest = divmod(numerator * scale, denominator)
    if rest:
        raise ValueError(f"{what} is finer than whole {unit}: {amount}; round it first")
    return scaled
