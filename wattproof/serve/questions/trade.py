"""Quotes, bids, trades, and what nobody bought."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case, func, select

from wattproof.serve.pages import Rows
from wattproof.store.tables import BidRow, EventRow, QuoteRow, ReadingRow, TradeRow
from wattproof.terms.model import BidStatus, QuoteStatus


def _bids_of_quote(*more: ColumnElement[bool]) -> ColumnElement[int]:
    mine = and_(BidRow.market_id == QuoteRow.market_id, BidRow.quote_id == QuoteRow.quote_id, *more)
    return select(func.count()).where(mine).correlate(QuoteRow).scalar_subquery()


def _trades_of_quote() -> ColumnElement[int]:
    mine = and_(TradeRow.market_id == QuoteRow.market_id, TradeRow.quote_id == QuoteRow.quote_id)
    return select(func.count()).where(mine).correlate(QuoteRow).scalar_subquery()


def _with_reading(statement: Rows) -> Rows:
    """Each quote beside the reading of its prosumer and period, where there is one."""
    return statement.outerjoin(
        ReadingRow,
        and_(
            ReadingRow.market_id == QuoteRow.market_id,
            ReadingRow.user == QuoteRow.prosumer,
            ReadingRow.period == QuoteRow.period,
        ),
    )


def quotes(market: int) -> Rows:
    """All quotes."""
    made = (
        select(EventRow.transaction)
        .where(
            EventRow.market_id == QuoteRow.market_id,
            EventRow.quote_id == QuoteRow.quote_id,
            EventRow.name == "QuoteSubmitted",
        )
        .correlate(QuoteRow)
        .limit(1)
        .scalar_subquery()
    )
    statement = select(
        QuoteRow.quote_id.label("id"),
        QuoteRow.prosumer,
        QuoteRow.period,
        QuoteRow.volume.label("volume_wh"),
        QuoteRow.price,
        QuoteRow.created_at,
        QuoteRow.status,
        QuoteRow.sold.label("sold_wh"),
        _bids_of_quote().label("bids"),
        _bids_of_quote(BidRow.volume > 0).label("opened"),
        _trades_of_quote().label("trades"),
        ReadingRow.exported.label("exported_wh"),
        QuoteRow.delivered.label("delivered_wh"),
        QuoteRow.revenue,
        QuoteRow.fee,
        QuoteRow.compensation,
        QuoteRow.first_block.label("block"),
        made.label("transaction"),
    )
    return _with_reading(statement.select_from(QuoteRow)).where(QuoteRow.market_id == market)


def bids(market: int) -> Rows:
    """All bids; price and volume are NULL, and the seal is not, until a bid is opened."""
    opened = BidRow.volume > 0
    return select(
        BidRow.quote_id,
        BidRow.period,
        BidRow.bidder,
        BidRow.status,
        case((opened, None), else_=BidRow.seal).label("seal"),
        case((opened, BidRow.price), else_=None).label("price"),
        case((opened, BidRow.volume), else_=None).label("volume_wh"),
        BidRow.filled.label("filled_wh"),
    ).where(BidRow.market_id == market)


def trades(market: int) -> Rows:
    """All sales."""
    return select(
        TradeRow.quote_id,
        TradeRow.index,
        TradeRow.period,
        TradeRow.prosumer,
        TradeRow.buyer,
        TradeRow.kind,
        TradeRow.volume.label("volume_wh"),
        TradeRow.price,
        TradeRow.payment.is_not(None).label("settled"),
        TradeRow.delivered.label("delivered_wh"),
        TradeRow.payment,
        TradeRow.fee,
        TradeRow.compensation,
    ).where(TradeRow.market_id == market)


def unsold(market: int) -> Rows:
    """What was offered by matching, and not sold: quotes that were matched or settled, with something left."""
    offered = func.coalesce(ReadingRow.exported, QuoteRow.volume)
    statement = select(
        QuoteRow.quote_id,
        QuoteRow.period,
        QuoteRow.prosumer,
        QuoteRow.price,
        QuoteRow.volume.label("volume_wh"),
        QuoteRow.sold.label("sold_wh"),
        QuoteRow.status,
        ReadingRow.exported.label("exported_wh"),
        _trades_of_quote().label("trades"),
    )
    done = QuoteRow.status.in_((QuoteStatus.MATCHED.name, QuoteStatus.SETTLED.name))
    return _with_reading(statement.select_from(QuoteRow)).where(
        QuoteRow.market_id == market, done, offered > QuoteRow.sold
    )


OPENED = tuple(str(one.name) for one in BidStatus if one is not BidStatus.CREATED)
"""The statuses of a bid that was opened."""
