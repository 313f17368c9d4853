"""What households decide in a half-hour of trading: whose turn it is, how demand is spread, what is still bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from wattproof.market.tariff import Tariff

Quote = TypeVar("Quote")

REACH = 4
"""Most quotes on which a household bids in one period."""


def turns(period: int, wanted: Mapping[str, int]) -> list[str]:
    """The households that want something; who comes first rotates from period to period."""
    names = [name for name, volume in wanted.items() if volume > 0]
    first = period % len(names) if names else 0
    return names[first:] + names[:first]


def in_reach(quotes: Sequence[Quote], turn: int) -> list[Quote]:
    """The quotes on which the household bids whose turn it is, the first household's being turn 0."""
    reach = min(REACH, len(quotes))
    return [quotes[(turn * reach + step) % len(quotes)] for step in range(reach)]


def apportion(demand: int, volumes: Sequence[int]) -> list[int]:
    """Splits `demand` Wh over quotes in proportion to their `volumes`, exactly: whole Wh by largest remainders.

    Never more than a volume, and in total the smaller of the demand and all volumes. Equal remainders: first come.
    """
    total = sum(volumes)
    target = min(demand, total)
    if target == 0:
        return [0] * len(volumes)
    parts = [target * volume // total for volume in volumes]
    # Whoever has a remainder has room for one more: its exact part is at most its volume.
    order = sorted(range(len(volumes)), key=lambda at: -(target * volumes[at] % total))
    for at in order[: target - sum(parts)]:
        parts[at] += 1
    return parts


def purchase(lacking: int, left: int, least: int, price: int, tariff: Tariff) -> int:
    """How much of a quote a household buys that lacks so many Wh, where so much is `left` of it and the market takes no
    purchase below the `least`, but all that is left (T-SUR-11); 0: nothing. `price` is in base units per Wh.

    What is below the least is rounded up to it where that still costs less than the grid.
    """
    volume, least = min(lacking, left), min(least, left)
    if not 0 < volume < least:
        return max(0, volume)
    costs = least * (price + tariff.service_fee) - (least - volume) * tariff.sbp
    return least if costs < volume * tariff.ssp else 0
