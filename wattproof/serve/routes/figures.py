"""Supply and demand, what periods came to, indices, and broken promises."""

from __future__ import annotations

from typing import Any

from sqlalchemy import column

from wattproof.serve import asked, schemas
from wattproof.serve.pages import Row, narrowed, page
from wattproof.serve.parts import number
from wattproof.serve.problems import missing
from wattproof.serve.questions import figures as sums
from wattproof.serve.questions.defaults import defaults as broken
from wattproof.serve.questions.defaults import kind
from wattproof.serve.questions.indices import indices as computed
from wattproof.serve.served import served
from wattproof.serve.standing import Standing
from wattproof.store.tables import PerformanceRow

routes = asked.blueprint("figures", "Figures")


@routes.get("/periods")
@routes.input(asked.Periods, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="What each delivery period came to, newest first", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Period))
def periods(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    known = sums.periods(it.market.id)
    (period,) = known.selected_columns
    with it.connect() as connection:
        found = page(connection, narrowed(known, query, at_period=period), query, [period])
        wanted = [row["period"] for row in found["items"]]
        told = sums.figures(connection, it.market.id, wanted, Standing(connection, it))
    return found | {"items": [told[one] for one in wanted]}


@routes.get("/periods/<period>")
@routes.doc(summary="What one delivery period came to", responses=asked.ERRORS)
@routes.output(schemas.Period)
def one_period(period: str) -> Row:
    it, wanted = served(), number("period", period)
    known = sums.periods(it.market.id)
    with it.connect() as connection:
        if not connection.execute(known.where(column("period") == wanted)).first():
            raise missing(f"period {wanted}")
        return sums.figures(connection, it.market.id, [wanted], Standing(connection, it))[wanted]


@routes.get("/indices")
@routes.input(asked.IndexRange, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="The indices of Zhou et al. 2018, and two ratios", responses=asked.ERRORS)
@routes.output(schemas.Indices)
def indices(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    with it.connect() as connection:
        return computed(connection, it.market.id, query, it.record.tariff)


@routes.get("/defaults")
@routes.input(asked.Defaults, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All broken promises, newest first", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Default))
def defaults(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(
        broken(it.market.id), query, at_period=PerformanceRow.period, user=PerformanceRow.user, kind=kind
    )
    with it.connect() as connection:
        return page(connection, statement, query, [PerformanceRow.block, PerformanceRow.index])
