"""Quotes, bids, trades, and what nobody bought."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from wattproof.serve import asked, schemas
from wattproof.serve.pages import Row, narrowed, one, page
from wattproof.serve.parts import MAX_PLACE, account, number
from wattproof.serve.problems import missing
from wattproof.serve.questions import trade
from wattproof.serve.served import served
from wattproof.serve.standing import Standing
from wattproof.store.tables import BidRow, QuoteRow, TradeRow

routes = asked.blueprint("market", "The trade")


@routes.get("/quotes")
@routes.input(asked.Quotes, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All quotes, newest first", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Quote))
def quotes(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(
        trade.quotes(it.market.id), query, at_period=QuoteRow.period, prosumer=QuoteRow.prosumer, status=QuoteRow.status
    )
    with it.connect() as connection:
        standing = Standing(connection, it)
        return page(connection, statement, query, [QuoteRow.quote_id], lambda row: _quote(row, standing))


def _quote(row: Row, standing: Standing) -> Row:
    return row | {"remaining_wh": standing.remaining(row)}


@routes.get("/quotes/<quote_id>")
@routes.doc(summary="One quote", responses=asked.ERRORS)
@routes.output(schemas.Quote)
def quote(quote_id: str) -> Row:
    it, wanted = served(), number("quote", quote_id)
    with it.connect() as connection:
        standing = Standing(connection, it)
        statement = trade.quotes(it.market.id).where(QuoteRow.quote_id == wanted)
        found = one(connection, statement, lambda row: _quote(row, standing))
    if found is None:
        raise missing(f"quote {wanted}")
    return found


def _check_quote(connection: Connection, market: int, quote_id: int) -> None:
    """Raises the 404 of a quote that was never seen."""
    if one(connection, trade.quotes(market).where(QuoteRow.quote_id == quote_id)) is None:
        raise missing(f"quote {quote_id}")


@routes.get("/bids")
@routes.input(asked.Bids, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All bids; sealed ones without price and volume", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Bid))
def bids(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(
        trade.bids(it.market.id),
        query,
        at_period=BidRow.period,
        quote_id=BidRow.quote_id,
        bidder=BidRow.bidder,
        status=BidRow.status,
    )
    with it.connect() as connection:
        return page(connection, statement, query, [BidRow.quote_id, BidRow.bidder])


@routes.get("/quotes/<quote_id>/bids")
@routes.input(asked.Paged, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="The bids on one quote", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Bid))
def bids_of_quote(quote_id: str, query: dict[str, Any]) -> dict[str, Any]:
    it, wanted = served(), number("quote", quote_id)
    statement = trade.bids(it.market.id).where(BidRow.quote_id == wanted)
    with it.connect() as connection:
        _check_quote(connection, it.market.id, wanted)
        return page(connection, statement, query, [BidRow.bidder], newest_first=False)


@routes.get("/bids/<quote_id>/<bidder>")
@routes.doc(summary="One bid", responses=asked.ERRORS)
@routes.output(schemas.Bid)
def bid(quote_id: str, bidder: str) -> Row:
    it, wanted, who = served(), number("quote", quote_id), account(bidder)
    with it.connect() as connection:
        statement = trade.bids(it.market.id).where(BidRow.quote_id == wanted, BidRow.bidder == who)
        found = one(connection, statement)
    if found is None:
        raise missing(f"a bid of {who} on quote {wanted}")
    return found


@routes.get("/trades")
@routes.input(asked.Trades, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All sales, newest quote first", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Trade))
def trades(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(
        trade.trades(it.market.id),
        query,
        at_period=TradeRow.period,
        quote_id=TradeRow.quote_id,
        buyer=TradeRow.buyer,
        prosumer=TradeRow.prosumer,
        kind=TradeRow.kind,
        settled=TradeRow.payment.is_not(None),
    )
    with it.connect() as connection:
        return page(connection, statement, query, [TradeRow.quote_id, TradeRow.index])


@routes.get("/quotes/<quote_id>/trades")
@routes.input(asked.Paged, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="The sales of one quote, in the order made", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Trade))
def trades_of_quote(quote_id: str, query: dict[str, Any]) -> dict[str, Any]:
    it, wanted = served(), number("quote", quote_id)
    statement = trade.trades(it.market.id).where(TradeRow.quote_id == wanted)
    with it.connect() as connection:
        _check_quote(connection, it.market.id, wanted)
        return page(connection, statement, query, [TradeRow.index], newest_first=False)


@routes.get("/trades/<quote_id>/<index>")
@routes.doc(summary="One sale", responses=asked.ERRORS)
@routes.output(schemas.Trade)
def one_trade(quote_id: str, index: str) -> Row:
    it, wanted, place = served(), number("quote", quote_id), number("trade", index, MAX_PLACE)
    with it.connect() as connection:
        statement = trade.trades(it.market.id).where(TradeRow.quote_id == wanted, TradeRow.index == place)
        found = one(connection, statement)
    if found is None:
        raise missing(f"trade {place} of quote {wanted}")
    return found


@routes.get("/unsold")
@routes.input(asked.Unsold, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="What nobody bought of matched quotes, newest first", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Unsold))
def unsold(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(trade.unsold(it.market.id), query, at_period=QuoteRow.period, prosumer=QuoteRow.prosumer)
    with it.connect() as connection:
        standing = Standing(connection, it)
        return page(connection, statement, query, [QuoteRow.quote_id], lambda row: _unsold(row, standing))


def _unsold(row: Row, standing: Standing) -> Row:
    offered = row["volume_wh"] if row["exported_wh"] is None else row["exported_wh"]
    return row | {"unsold_wh": offered - row["sold_wh"], "remaining_wh": standing.remaining(row)}
