"""Who wins how much, and who earns which record, worked out beside the market: a community in a blink, without money.

What households decide comes from `wattproof.simulation.bidding`, as it does on the market. Ranking (T-MAT-2 to T-MAT-6,
T-MAT-11) and records (T-STD-2 to T-STD-7) are worked out here once more, and prices and money are left out: so hundreds
of communities can be tried at one priority step after another. The study plays some of them on the contract, too, and
says whether every deal and every record was the same.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from wattproof.market.tariff import Tariff
from wattproof.simulation.accounting import performed_well, tier
from wattproof.simulation.bidding import apportion, in_reach, purchase, turns
from wattproof.simulation.households import PeriodRow
from wattproof.simulation.pricing import into_band, sdr_prices
from wattproof.study.communities import HALF_HOURS
from wattproof.study.runs import Day, Totals
from wattproof.terms.model import LEAST_PART, MAX_OPENED

SETTLED = 2
"""Half-hours between a matching and the last one whose records it knows: three are under way at once."""


@dataclass
class HalfHour:
    """A half-hour of trading. Energies in Wh: by household what it lacks and quotes, asked and agreed; by quote what it
    sold before the delivery."""

    wanted: dict[str, int]
    quoted: dict[str, int]
    asked: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    sold: Counter[str] = field(default_factory=Counter)


def replay(rows: Iterable[PeriodRow], priority_step: int, rank_by_price: bool = False) -> list[Day]:
    """The days of a community in which everybody keeps to the plain conduct, from the opening of its market.

    Of each household's totals only the record and the bids are worked out: performances, defaults, bids, deals, wanted,
    won. All else is 0. No connection is taken to be full.
    """
    weight = Weight(priority_step, rank_by_price)
    good: Counter[str] = Counter()
    unsettled: deque[tuple[int, dict[str, bool]]] = deque()
    days: dict[int, Day] = {}
    for index, row in enumerate(rows):
        day = days.setdefault(row.period // HALF_HOURS, Day({name: Totals() for name in row}))
        while unsettled and unsettled[0][0] <= index - SETTLED:
            good.update(name for name, well in unsettled.popleft()[1].items() if well)
        nets = {name: half_hour.forecast_pv - half_hour.forecast_load for name, half_hour in row.items()}
        now = HalfHour(
            {name: -net for name, net in nets.items() if net < 0},
            {name: net for name, net in nets.items() if net > 0},
        )
        day.half_hours += 1
        if not (now.wanted and now.quoted):
            continue
        order = turns(index, now.wanted)
        _match(now, order, day, weight, good)
        _buy_left(now, order)
        records = _records(now, row)
        for name, well in records.items():
            day.households[name].performances += well
            day.households[name].defaults += not well
        unsettled.append((index, records))
    return list(days.values())


@dataclass(frozen=True)
class Weight:
    """What ranks bids: by their amount, or price, and the bidder's standing. All bids of a half-hour have one price."""

    priority_step: int
    rank_by_price: bool

    def of(self, volume: int, performances: int) -> int:
        """The weight of a bid for so many Wh by who has so many good performances (T-MAT-2, T-MAT-11)."""
        return (1 if self.rank_by_price else volume) * (10_000 + self.priority_step * tier(performances))


def _match(now: HalfHour, order: list[str], day: Day, weight: Weight, good: Counter[str]) -> None:
    """Bids, as they are opened, and what the matching gives them."""
    opened: dict[str, list[tuple[str, int]]] = {quote: [] for quote in now.quoted}
    for turn, name in enumerate(order):
        chosen = [quote for quote in in_reach(list(now.quoted), turn) if len(opened[quote]) < MAX_OPENED]
        for quote, volume in zip(
            chosen, apportion(now.wanted[name], [now.quoted[quote] for quote in chosen]), strict=True
        ):
            if volume:
                opened[quote].append((name, volume))
                now.asked[name] += volume
    for quote, bids in opened.items():
        # Sorting keeps the order of opening.
        for name, volume in sorted(bids, key=lambda bid: (-weight.of(bid[1], good[bid[0]]), -bid[1])):
            filled = min(volume, now.quoted[quote] - now.sold[quote])
            now.sold[quote] += filled
            now.agreed[name] += filled
            own = day.households[name]
            own.bids, own.deals = own.bids + 1, own.deals + (filled > 0)
            own.wanted, own.won = own.wanted + volume, own.won + filled


def _buy_left(now: HalfHour, order: list[str]) -> None:
    """What is bought before the delivery of what the matching left; it is agreed, and was not asked for."""
    tariff = Tariff()
    lowest, _ = sdr_prices(sum(now.quoted.values()), sum(now.wanted.values()), tariff.sbp, tariff.ssp)
    price = into_band(lowest, tariff.lowest_price, tariff.highest_price)
    for name in order:
        for quote, quoted in now.quoted.items():
            lacking, left = now.wanted[name] - now.agreed[name], quoted - now.sold[quote]
            volume = purchase(lacking, left, -(-quoted // LEAST_PART), price, tariff)
            now.sold[quote] += volume
            now.agreed[name] += volume


def _records(now: HalfHour, row: PeriodRow) -> dict[str, bool]:
    """Who performed well, and who was in default; a household has at most one record of a half-hour."""
    records = {}
    for name, half_hour in row.items():
        net = half_hour.pv - half_hour.load
        if now.agreed[name]:
            records[name] = performed_well(now.agreed[name], now.asked[name], max(0, -net))
        elif now.sold[name] and 100 * max(0, net) <= 105 * now.quoted[name]:  # T-STD-4 to T-STD-6
            records[name] = 100 * max(0, net) >= 95 * now.quoted[name]
    return records
