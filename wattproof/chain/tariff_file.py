"""A tariff as people write it: TOML, prices in pence per kWh.

sbp = 6             # what the supplier pays for a kWh, in pence
ssp = 18            # what it charges for one
fee = 0.2           # the service fee on a kWh traded
period = 1800       # seconds of a delivery period
window = 600        # seconds of a window
priority_step = 500 # ten-thousandths of a bid's amount for each tier
rank_by_price = false
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from wattproof.market.tariff import Tariff
from wattproof.market.units import Display, pence_per_kwh
from wattproof.outputs import one_line, told

KEYS = {
    "sbp": "sbp",
    "ssp": "ssp",
    "fee": "service_fee",
    "period": "period_length",
    "window": "window",
    "priority_step": "priority_step",
    "rank_by_price": "rank_by_price",
}
"""The keys of a file, and what of a tariff they are."""

_PRICES = ("sbp", "ssp", "fee")

_LARGEST = 2**14
"""Bytes of a file: a tariff has two hundred."""


class BadTariff(Exception):
    """A file holds no tariff; the one-line message says why, and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


def read_tariff(path: Path) -> Tariff:
    """The tariff of a file, its prices for a token with 18 decimals (see `tariff.counted`). Raises BadTariff."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise BadTariff(f"{path}: is too long for a tariff, which has {len(KEYS)} lines: {', '.join(KEYS)}")
        found = tomllib.loads(text.decode(), parse_float=Decimal)
    except OSError as problem:
        raise BadTariff(f"{told(problem)}; name a tariff by --tariff") from None
    except (ValueError, RecursionError) as problem:
        raise BadTariff(f"{path}: is no TOML ({problem}); write lines such as: sbp = 6.5") from None
    for key in found:
        if key not in KEYS:
            raise BadTariff(f"{path}: {key!r} is no key of a tariff; those are {', '.join(KEYS)}")
    for key in KEYS:
        if key not in found:
            raise BadTariff(f"{path}: {key} is missing; a tariff has {', '.join(KEYS)}")
    values: dict[str, Any] = {KEYS[key]: _value(path, key, found[key]) for key in KEYS}
    tariff = Tariff(**values)
    if tariff.lowest_price > tariff.highest_price:
        least = Display().price(tariff.sbp + 2 * tariff.service_fee)
        raise BadTariff(f"{path}: ssp has to be at least sbp and twice the fee, which is {least}: nobody could trade")
    return tariff


def _value(path: Path, key: str, value: Any) -> int | bool:
    """What a key says, in a tariff's units. Raises BadTariff."""
    if key == "rank_by_price":
        if not isinstance(value, bool):
            raise BadTariff(f"{path}: rank_by_price is true or false, not {value}")
        return value
    if key in _PRICES:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise BadTariff(f"{path}: {key} is a number of pence per kWh such as 6.5, not {value!r}")
        try:
            return pence_per_kwh(value)
        except ValueError as problem:
            raise BadTariff(f"{path}: {key}: {problem}") from None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**256:
        unit = "ten-thousandths" if key == "priority_step" else "seconds"
        raise BadTariff(f"{path}: {key} is a whole number of {unit}, not {value}")
    return value
