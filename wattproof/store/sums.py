"""Sums over a market: bills of households, energies, invariants, and how far the watcher is."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, func, select

from wattproof.simulation.accounting import Bill
from wattproof.store.derive.working import Row
from wattproof.store.queries import Page, paged
from wattproof.store.tables import table
from wattproof.store.types import exact_sum

_BILLS, _CHECKS, _ALARMS, _CURSORS = map(table, ("bills", "checks", "alarms", "cursors"))

BILL_FIELDS = tuple(vars(Bill()))
"""What a bill adds up: see `wattproof.simulation.accounting.Bill`."""


def bills(
    connection: Connection,
    market_id: int,
    user: str | None = None,
    period_from: int | None = None,
    period_to: int | None = None,
    page: int = 1,
    per_page: int = 50,
) -> Page:
    """A row for each household with a bill, in the order of their addresses: its bill of these periods, summed up.

    To the fields of a bill come `market`, what the energy cost with the market, and `saving` against the grid alone.
    """
    sums = [exact_sum(_BILLS.c[name]).label(name) for name in BILL_FIELDS]
    query = select(_BILLS.c.user, *sums).where(*_within(_BILLS, market_id, period_from, period_to))
    if user is not None:
        query = query.where(_BILLS.c.user == user)
    found = paged(connection, query.group_by(_BILLS.c.user).order_by(_BILLS.c.user), page, per_page)
    return Page([with_totals(row) for row in found.rows], found.count, found.page, found.per_page)


def with_totals(bill: Row) -> Row:
    """A row of bills, and what follows from it: `market` and `saving`, in base units."""
    made = Bill(**{name: bill[name] for name in BILL_FIELDS})
    return bill | {"market": made.market, "saving": made.saving}


def energies(
    connection: Connection, market_id: int, period_from: int | None = None, period_to: int | None = None
) -> list[Row]:
    """A row for each period with a bill, in their order: `period`, and the Wh all meters `imported` and `exported`."""
    sums = [exact_sum(_BILLS.c[name]).label(name) for name in ("imported", "exported")]
    query = select(_BILLS.c.period, *sums).where(*_within(_BILLS, market_id, period_from, period_to))
    rows = connection.execute(query.group_by(_BILLS.c.period).order_by(_BILLS.c.period)).mappings()
    return [dict(row) for row in rows]


def invariants(connection: Connection, market_id: int) -> list[Row]:
    """A row for each invariant, in the order of their IDs: how many `times` it was checked, and its `alarms`."""
    count = select(_ALARMS.c.invariant, func.count()).where(_ALARMS.c.market_id == market_id)
    alarms: dict[str, int] = {name: number for name, number in connection.execute(count.group_by(_ALARMS.c.invariant))}
    query = select(_CHECKS.c.invariant, _CHECKS.c.times).where(_CHECKS.c.market_id == market_id)
    times: dict[str, int] = {name: number for name, number in connection.execute(query)}
    names = sorted(times.keys() | alarms.keys())
    return [{"invariant": name, "times": times.get(name, 0), "alarms": alarms.get(name, 0)} for name in names]


def status(connection: Connection, market_id: int) -> Row:
    """How far the watcher is.

    number, hash, timestamp   of the last block that was watched
    head_number, head_hash, head_timestamp   of the chain's last block, when somebody looked, in Unix seconds: seen_at
    behind    blocks between the two
    blocks, calls, events, alarms   how many were taken in

    None where nobody watched yet.
    """
    row = connection.execute(select(_CURSORS).where(_CURSORS.c.market_id == market_id)).mappings().one()
    found = {name: value for name, value in row.items() if name not in ("market_id", "floor", "parent")}
    known = row["number"] is not None and row["head_number"] is not None
    return found | {"behind": max(0, row["head_number"] - row["number"]) if known else None}


def _within(rows: Table, market_id: int, period_from: int | None, period_to: int | None) -> list[ColumnElement[bool]]:
    matches: list[ColumnElement[bool]] = [rows.c.market_id == market_id]
    if period_from is not None:
        matches.append(rows.c.period >= period_from)
    if period_to is not None:
        matches.append(rows.c.period <= period_to)
    return matches
