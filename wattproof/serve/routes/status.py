"""What is served, how far it reaches, and where the delivery periods stand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from wattproof.serve import asked, schemas
from wattproof.serve.fields import MAX_NUMBER
from wattproof.serve.parts import number
from wattproof.serve.problems import Problem, unfit
from wattproof.serve.served import Served, served
from wattproof.serve.standing import MAX_PHASES, Standing
from wattproof.store import sums
from wattproof.store.tables import AccountRow, QuoteRow
from wattproof.terms.model import ZERO_ADDRESS

routes = asked.blueprint("status", "The market")


@routes.get("/status")
@routes.doc(summary="What is served, and as of which block", responses=asked.ERRORS)
@routes.output(schemas.Status)
def status() -> dict[str, Any]:
    it = served()
    with it.connect() as connection:
        standing = Standing(connection, it)
        return {
            "market": _market(it),
            "tariff": _tariff(it),
            "watched": standing.watched,
            "head": standing.head,
            **standing.behind(),
            "now": standing.now,
            "period": standing.period,
            "counts": _counts(connection, it.market.id),
            "node": it.node is not None,
        }


def _market(it: Served) -> dict[str, Any]:
    record = it.record
    token = {"address": record.token, "symbol": record.token_symbol, "decimals": record.token_decimals}
    return {
        "address": record.market,
        "lens": record.lens,
        "token": token,
        "chain_id": record.chain_id,
        "genesis": record.genesis,
        "owner": record.owner,
        "supplier": record.supplier,
        "block": record.block.number,
        "wattproof": record.wattproof,
    }


def _tariff(it: Served) -> dict[str, Any]:
    tariff = it.record.tariff
    bounds = {"lowest_price": tariff.lowest_price, "highest_price": tariff.highest_price}
    return vars(tariff) | bounds


def _counts(connection: Connection, market: int) -> dict[str, int]:
    """Of what takes no long look: how many bids and trades there are, their lists tell."""
    watched = sums.status(connection, market)
    meters = select(func.count()).where(AccountRow.market_id == market, AccountRow.meter != ZERO_ADDRESS)
    # Quotes are numbered from 1 on.
    quotes = connection.execute(select(func.max(QuoteRow.quote_id)).where(QuoteRow.market_id == market)).scalar()
    return {
        "households": connection.execute(meters).scalar_one(),
        "quotes": int(quotes or 0),
        **{name: watched[name] for name in ("calls", "events", "blocks", "alarms")},
    }


@routes.get("/phases")
@routes.input(asked.At, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="The delivery periods in which something can happen", responses=asked.ERRORS)
@routes.output(schemas.Phases)
def phases(query: dict[str, Any]) -> dict[str, Any]:
    with served().connect() as connection:
        standing = Standing(connection, served())
    at = _at(query, standing)
    first, last = standing.current(at)
    first, last = query.get("from_period", first), query.get("to_period", last)
    if last - first >= MAX_PHASES:
        raise unfit({"to_period": f"at most {MAX_PHASES} periods are told of at once"})
    return {"at": at, "periods": [standing.told(period, at) for period in range(first, last + 1)]}


@routes.get("/phases/<period>")
@routes.input(asked.OnlyAt, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="Where one delivery period stands", responses=asked.ERRORS)
@routes.output(schemas.PhaseOf)
def phase(period: str, query: dict[str, Any]) -> dict[str, Any]:
    with served().connect() as connection:
        standing = Standing(connection, served())
    return standing.told(number("period", period), _at(query, standing))


def _at(query: dict[str, Any], standing: Standing) -> int:
    at = query.get("at", standing.now)
    if at is None:
        raise Problem(404, "no block was watched yet, so there is no time: name one, as in ?at=1561072200")
    return min(at, MAX_NUMBER)
