"""Broken promises, as the contract recorded them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case, select

from wattproof.serve.pages import Rows
from wattproof.store.tables import BlockRow, EventRow, PerformanceRow, ReadingRow

kind: ColumnElement[str] = case((PerformanceRow.quote_id.is_(None), "import"), else_="delivery")
"""Which promise it was: to export what was quoted, or to import what was bought."""


def defaults(market: int) -> Rows:
    """All defaults, and whether the meter was silent."""
    read = (
        select(ReadingRow.period)
        .where(
            ReadingRow.market_id == PerformanceRow.market_id,
            ReadingRow.user == PerformanceRow.user,
            ReadingRow.period == PerformanceRow.period,
        )
        .correlate(PerformanceRow)
        .exists()
    )
    event = and_(
        EventRow.market_id == PerformanceRow.market_id,
        EventRow.block == PerformanceRow.block,
        EventRow.index == PerformanceRow.index,
    )
    block = and_(BlockRow.market_id == PerformanceRow.market_id, BlockRow.number == PerformanceRow.block)
    return (
        select(
            PerformanceRow.user,
            PerformanceRow.period,
            kind.label("kind"),
            (~read).label("silent"),
            PerformanceRow.quote_id,
            PerformanceRow.block,
            BlockRow.timestamp,
            EventRow.transaction,
            PerformanceRow.index,
        )
        .select_from(PerformanceRow)
        .join(EventRow, event)
        .join(BlockRow, block)
        .where(PerformanceRow.market_id == market, ~PerformanceRow.good)
    )
