"""What households decide in a half-hour of trading: whose turn it is, how demand is spread, what is still bought."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from wattproof.market.tariff import Tariff
from wattproof.simulation.conduct import PLAIN, Conduct
from wattproof.simulation.periods import Bid, Member, Period
from wattproof.simulation.pricing import into_band
from wattproof.terms.model import MAX_OPENED

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


def spread(
    quotes: Sequence[tuple[int, int]], wanted: int, price: int, decoys: int, lowest: int
) -> Iterator[tuple[int, int, int]]:
    """A household's bids on `quotes` (ID and volume): ID, price, volume above 0; `decoys` Wh of them at `lowest`."""
    parts = [(quotes, wanted + decoys, price)]
    if decoys and len(quotes) > 1:
        largest = max(quotes, key=lambda quote: quote[1])
        parts = [([largest], wanted, price), ([quote for quote in quotes if quote is not largest], decoys, lowest)]
    for taken, volume, at in parts:
        for (quote_id, _), part in zip(taken, apportion(volume, [offered for _, offered in taken]), strict=True):
            if part:
                yield quote_id, at, part


def plan_bids(
    period: Period,
    quotes: Sequence[tuple[int, int]],
    members: Mapping[str, Member],
    conduct: Mapping[str, Conduct],
    highest: int,
    seed: int,
) -> list[Bid]:
    """Which household bids for how much of which `quotes` (ID and volume), in the order of handing in.

    `highest` is the end of the price band, in base units per Wh; `seed` decides the salts.
    """
    bids: list[Bid] = []
    takers = dict.fromkeys((quote_id for quote_id, _ in quotes), 0)
    lowest, usual = period.quote_price or 0, period.bid_price or 0
    for turn, name in enumerate(turns(period.index, period.wanted)):
        way, member = conduct.get(name, PLAIN), members[name]
        chosen = in_reach(quotes, turn)
        price = into_band(lowest + (usual - lowest) * way.eager // 1000, lowest, highest)
        wanted = period.wanted[name]
        if way.partner in period.quotes:
            chosen = [quote for quote in quotes if quote[0] == period.quotes[way.partner]]
            price = highest
        if way.shill:
            price, wanted = lowest, member.capacity
        chosen = [(quote_id, volume) for quote_id, volume in chosen if takers[quote_id] < MAX_OPENED]
        for quote_id, at, volume in spread(chosen, wanted, price, period.decoys[name], lowest):
            takers[quote_id] += 1
            salt = hashlib.sha256(f"{seed}:salt:{period.number}:{quote_id}:{name}".encode()).digest()
            bids.append(Bid(name, member.address, quote_id, at, volume, salt))
    return bids


def opens(bid: Bid, conduct: Conduct) -> bool:
    """Whether the bidder opens its bid, as far as it decides."""
    return conduct.reveals >= 1000 or _drawn(bid.salt) < conduct.reveals


def _drawn(salt: bytes) -> int:
    """Thousandths, drawn from a salt."""
    return int.from_bytes(hashlib.sha256(b"reveal" + salt).digest(), "big") % 1000
