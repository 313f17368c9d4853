"""Accounts, readings, positions and bills."""

from __future__ import annotations

from typing import Any

from wattproof.serve import asked, schemas
from wattproof.serve.pages import Row, narrowed, one, page, told
from wattproof.serve.parts import account, number
from wattproof.serve.problems import missing
from wattproof.serve.questions import people
from wattproof.serve.served import served
from wattproof.store import sums
from wattproof.store.tables import AccountRow, BillRow, PositionRow, ReadingRow

routes = asked.blueprint("people", "Households")


@routes.get("/accounts")
@routes.input(asked.Accounts, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All parties, by address", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Account))
def accounts(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    with it.connect() as connection:
        owner = people.owner(connection, it)
        statement = narrowed(
            people.accounts(it.market.id, owner, it.record.supplier),
            query,
            role=people.role(owner, it.record.supplier).element,
            authorized=AccountRow.authorized,
        )
        return page(connection, statement, query, [AccountRow.address], newest_first=False)


@routes.get("/accounts/<address>")
@routes.doc(summary="One party", responses=asked.ERRORS)
@routes.output(schemas.Account)
def one_account(address: str) -> Row:
    it, who = served(), account(address)
    with it.connect() as connection:
        owner = people.owner(connection, it)
        statement = people.accounts(it.market.id, owner, it.record.supplier).where(AccountRow.address == who)
        found = one(connection, statement)
    if found is None:
        raise missing(f"account {who}")
    return found


@routes.get("/readings")
@routes.input(asked.Readings, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All readings, newest period first", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Reading))
def readings(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(people.readings(it.market.id), query, at_period=ReadingRow.period, user=ReadingRow.user)
    with it.connect() as connection:
        return page(connection, statement, query, [ReadingRow.period, ReadingRow.user])


@routes.get("/readings/<user>/<period>")
@routes.doc(summary="One reading", responses=asked.ERRORS)
@routes.output(schemas.Reading)
def reading(user: str, period: str) -> Row:
    it, who, when = served(), account(user), number("period", period)
    with it.connect() as connection:
        statement = people.readings(it.market.id).where(ReadingRow.user == who, ReadingRow.period == when)
        found = one(connection, statement)
    if found is None:
        raise missing(f"a reading of {who} for period {when}")
    return found


@routes.get("/positions")
@routes.input(asked.Positions, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="All positions, newest period first", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Position))
def positions(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    statement = narrowed(
        people.positions(it.market.id),
        query,
        at_period=PositionRow.period,
        user=PositionRow.user,
        settled=PositionRow.settled,
    )
    with it.connect() as connection:
        return page(connection, statement, query, [PositionRow.period, PositionRow.user])


@routes.get("/positions/<user>/<period>")
@routes.doc(summary="One position", responses=asked.ERRORS)
@routes.output(schemas.Position)
def position(user: str, period: str) -> Row:
    it, who, when = served(), account(user), number("period", period)
    with it.connect() as connection:
        statement = people.positions(it.market.id).where(PositionRow.user == who, PositionRow.period == when)
        found = one(connection, statement)
    if found is None:
        raise missing(f"a position of {who} in period {when}")
    return found


@routes.get("/bills")
@routes.input(asked.Bills, location="query", arg_name="query", unknown="raise")
@routes.doc(summary="Bills of each household, or of each household and period", responses=asked.ERRORS)
@routes.output(asked.listed(schemas.Bill))
def bills(query: dict[str, Any]) -> dict[str, Any]:
    it = served()
    with it.connect() as connection:
        if query.get("by") == "period":
            bills = people.bills_by_period(it.market.id)
            statement = narrowed(bills, query, at_period=BillRow.period, household=BillRow.user)
            return page(connection, statement, query, [BillRow.period, BillRow.user], people.told_bill)
        only = query.get("period")
        first, last = query.get("from_period", only), query.get("to_period", only)
        found = sums.bills(
            connection, it.market.id, query.get("household"), first, last, query["page"], query["per_page"]
        )
        return told(found, people.told_bill)
