"""What the periods of the community came to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, case, func, select, union

from wattproof.serve.pages import Rows
from wattproof.serve.standing import Standing
from wattproof.simulation.indices import quotient
from wattproof.store.tables import BidRow, BillRow, PeriodRow, PositionRow, QuoteRow, ReadingRow, TradeRow
from wattproof.store.types import exact_sum
from wattproof.terms.model import QuoteStatus

Figures = dict[str, Any]


def periods(market: int) -> Rows:
    """The numbers of all periods of which something is known."""
    known = union(
        *(select(table.period).where(table.market_id == market) for table in (PeriodRow, QuoteRow, ReadingRow, BillRow))
    ).subquery()
    return select(known.c.period)


def figures(connection: Connection, market: int, wanted: Sequence[int], standing: Standing) -> dict[int, Figures]:
    """What each of the periods came to, by period."""
    found = {period: _empty(standing, period) for period in wanted}
    for period, supply, demand in connection.execute(
        select(PeriodRow.period, PeriodRow.supply, PeriodRow.demand).where(
            PeriodRow.market_id == market, PeriodRow.period.in_(wanted)
        )
    ):
        told = found[int(period)]
        told.update(supply_wh=supply, demand_wh=demand, sdr=quotient(supply, demand))
    _add_quotes(connection, market, wanted, found)
    _add_bids(connection, market, wanted, found)
    _add_trades(connection, market, wanted, found)
    _add_bills(connection, market, wanted, found)
    return found


def _empty(standing: Standing, period: int) -> Figures:
    phase = standing.phase(period)
    nothing = ("supply_wh", "demand_wh", "quotes", "bids", "opened", "trades", "sold_wh", "delivered_wh")
    more = ("exported_wh", "imported_wh", "unsold_wh", "local_wh", "fees", "compensation")
    counts = ("performances", "defaults", "settled")
    return {
        **standing.times(period),
        "phase": phase and phase.name,
        **dict.fromkeys((*nothing, *more, *counts), 0),
        **dict.fromkeys(("sdr", "local_share", "quote_price", "bid_price", "trade_price")),
    }


class _Mean:
    """A mean price, weighted by volume, rounded down."""

    def __init__(self) -> None:
        self.worth = self.volume = 0

    def add(self, price: int, volume: int) -> None:
        self.worth += price * volume
        self.volume += volume

    @property
    def price(self) -> int | None:
        return self.worth // self.volume if self.volume else None


def _add_quotes(connection: Connection, market: int, wanted: Sequence[int], found: dict[int, Figures]) -> None:
    same = and_(
        ReadingRow.market_id == QuoteRow.market_id,
        ReadingRow.user == QuoteRow.prosumer,
        ReadingRow.period == QuoteRow.period,
    )
    rows = connection.execute(
        select(QuoteRow.period, QuoteRow.volume, QuoteRow.price, QuoteRow.sold, ReadingRow.exported)
        .select_from(QuoteRow)
        .outerjoin(ReadingRow, same)
        .where(
            QuoteRow.market_id == market,
            QuoteRow.period.in_(wanted),
            QuoteRow.status != QuoteStatus.INVALID.name,
        )
    )
    means: defaultdict[int, _Mean] = defaultdict(_Mean)
    for period, volume, price, sold, exported in rows:
        told = found[period]
        told["quotes"] += 1
        told["sold_wh"] += sold
        told["unsold_wh"] += max((volume if exported is None else exported) - sold, 0)
        means[period].add(price, volume)
        told["quote_price"] = means[period].price


def _add_bids(connection: Connection, market: int, wanted: Sequence[int], found: dict[int, Figures]) -> None:
    means: defaultdict[int, _Mean] = defaultdict(_Mean)
    rows = connection.execute(
        select(BidRow.period, BidRow.price, BidRow.volume).where(BidRow.market_id == market, BidRow.period.in_(wanted))
    )
    for period, price, volume in rows:
        if period is None:  # Of a quote that the watcher does not know.
            continue
        told = found[period]
        told["bids"] += 1
        if volume:
            told["opened"] += 1
            means[period].add(price, volume)
            told["bid_price"] = means[period].price


def _add_trades(connection: Connection, market: int, wanted: Sequence[int], found: dict[int, Figures]) -> None:
    means: defaultdict[int, _Mean] = defaultdict(_Mean)
    rows = connection.execute(
        select(TradeRow.period, TradeRow.price, TradeRow.volume).where(
            TradeRow.market_id == market, TradeRow.period.in_(wanted)
        )
    )
    for period, price, volume in rows:
        found[period]["trades"] += 1
        means[period].add(price, volume)
        found[period]["trade_price"] = means[period].price


_SUMS = {
    "delivered_wh": BillRow.sold,
    "exported_wh": BillRow.exported,
    "imported_wh": BillRow.imported,
    "fees": BillRow.fees,
    "compensation": BillRow.compensation,
    "performances": BillRow.performances,
    "defaults": BillRow.defaults,
    "local_wh": case((BillRow.bought < BillRow.imported, BillRow.bought), else_=BillRow.imported),
}
"""What is added up over the bills of a period. Of what neighbours delivered, that is local which was imported."""


def _add_bills(connection: Connection, market: int, wanted: Sequence[int], found: dict[int, Figures]) -> None:
    sums = [exact_sum(column).label(name) for name, column in _SUMS.items()]
    statement = (
        select(BillRow.period, *sums)
        .where(BillRow.market_id == market, BillRow.period.in_(wanted))
        .group_by(BillRow.period)
    )
    for row in connection.execute(statement).mappings():
        told = found[row["period"]]
        told.update({name: int(row[name]) for name in _SUMS})
        told["local_share"] = quotient(told["local_wh"], told["imported_wh"])
    settled = (
        select(PositionRow.period, func.count())
        .where(PositionRow.market_id == market, PositionRow.period.in_(wanted), PositionRow.settled)
        .group_by(PositionRow.period)
    )
    for period, count in connection.execute(settled):
        found[period]["settled"] = count
