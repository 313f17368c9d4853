"""Sums over a market: bills of households, half-hours, invariants, and how far the watcher is.

As in `wattproof.store.queries`, a value that no row can have, or a page that there cannot be, is a ValueError.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from wattproof.simulation.accounting import Bill
from wattproof.store.derive.working import Row
from wattproof.store.queries import Page, fitting, paged
from wattproof.store.tables import table
from wattproof.store.types import exact_sum

_BILLS, _PERIODS, _QUOTES, _TRADES, _CHECKS, _ALARMS, _BLOCKS, _CURSORS = map(
    table, ("bills", "periods", "quotes", "trades", "checks", "alarms", "blocks", "cursors")
)
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
    query = _summed(_BILLS.c.user).where(*_within(_BILLS, market_id, period_from, period_to))
    if user is not None:
        query = query.where(_BILLS.c.user == fitting(_BILLS.c.user, user))
    found = paged(connection, query.group_by(_BILLS.c.user).order_by(_BILLS.c.user), page, per_page)
    return Page([with_totals(row) for row in found.rows], found.count, found.page, found.per_page)


def community_bill(
    connection: Connection, market_id: int, period_from: int | None = None, period_to: int | None = None
) -> Row:
    """One bill of all households together, as a row of `bills` without `user`, with `households`, how many they are."""
    count = func.count(_BILLS.c.user.distinct()).label("households")
    query = _summed(count).where(*_within(_BILLS, market_id, period_from, period_to))
    row = dict(connection.execute(query).mappings().one())
    return with_totals({name: value or 0 for name, value in row.items()})


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


def periods(
    connection: Connection,
    market_id: int,
    period_from: int | None = None,
    period_to: int | None = None,
    page: int = 1,
    per_page: int = 50,
    *,
    newest_first: bool = False,
) -> Page:
    """A row for each period with supply or demand.

    period, supply, demand, last_block   as in the table `periods`
    quotes, offered   how many quotes were not withdrawn, and their Wh
    sold, unsold      Wh sold of them, and what is left of their volumes; 0 where more was sold than was quoted
    trades            how many there are
    lowest_price, highest_price   of the trades, base units per Wh; None where there are none
    bought, paid      Wh that buyers received, and what they paid for it, as far as it is settled
    imported, exported, fees, compensation, performances, defaults   sums of the bills
    """
    query = select(_PERIODS.c.period, _PERIODS.c.supply, _PERIODS.c.demand, _PERIODS.c.last_block)
    query = query.where(*_within(_PERIODS, market_id, period_from, period_to))
    column = _PERIODS.c.period
    found = paged(connection, query.order_by(column.desc() if newest_first else column), page, per_page)
    wanted = [row["period"] for row in found.rows]
    rows = {row["period"]: _PERIOD | row for row in found.rows}
    for part in (_of_quotes, _of_trades, _of_bills):
        for period, sums in part(connection, market_id, wanted):
            rows[period] |= sums
    return Page([rows[period] for period in wanted], found.count, found.page, found.per_page)


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
    counts = [func.coalesce(func.sum(_BLOCKS.c[name]), 0).label(name) for name in ("calls", "events", "alarms")]
    query = select(func.count().label("blocks"), *counts).where(_BLOCKS.c.market_id == market_id)
    sums = {name: int(value) for name, value in connection.execute(query).mappings().one().items()}
    return found | {"behind": max(0, row["head_number"] - row["number"]) if known else None} | sums


_PERIOD = {
    **dict.fromkeys(("quotes", "offered", "sold", "unsold", "trades"), 0),
    **dict.fromkeys(("lowest_price", "highest_price")),
    **dict.fromkeys(("bought", "paid", "imported", "exported", "fees", "compensation", "performances", "defaults"), 0),
}
"""A period in which nothing happened."""


def _of_quotes(connection: Connection, market_id: int, periods: list[int]) -> Iterator[tuple[int, Row]]:
    fields = (_QUOTES.c.period, _QUOTES.c.volume, _QUOTES.c.sold)
    offered = _QUOTES.c.market_id == market_id, _QUOTES.c.period.in_(periods), _QUOTES.c.status != "INVALID"
    made: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for period, volume, sold in connection.execute(select(*fields).where(*offered)):
        made[period].append((volume, sold))
    for period, quotes in made.items():
        sums = {"offered": sum(volume for volume, _ in quotes), "sold": sum(sold for _, sold in quotes)}
        unsold = sum(max(0, volume - sold) for volume, sold in quotes)
        yield period, {"quotes": len(quotes), **sums, "unsold": unsold}


def _of_trades(connection: Connection, market_id: int, periods: list[int]) -> Iterator[tuple[int, Row]]:
    prices = (func.min(_TRADES.c.price).label("lowest_price"), func.max(_TRADES.c.price).label("highest_price"))
    query = select(_TRADES.c.period, func.count().label("trades"), *prices)
    return _by_period(connection, query, _TRADES, market_id, periods)


def _of_bills(connection: Connection, market_id: int, periods: list[int]) -> Iterator[tuple[int, Row]]:
    wanted = ("bought", "paid", "imported", "exported", "fees", "compensation", "performances", "defaults")
    query = select(_BILLS.c.period, *(exact_sum(_BILLS.c[name]).label(name) for name in wanted))
    return _by_period(connection, query, _BILLS, market_id, periods)


def _by_period(
    connection: Connection, query: Select[*tuple[Any, ...]], rows: Table, market_id: int, periods: list[int]
) -> Iterator[tuple[int, Row]]:
    query = query.where(rows.c.market_id == market_id, rows.c.period.in_(periods)).group_by(rows.c.period)
    for row in connection.execute(query).mappings():
        yield row["period"], dict(row)


def _summed(first: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    return select(first, *(exact_sum(_BILLS.c[name]).label(name) for name in BILL_FIELDS))


def _within(rows: Table, market_id: int, period_from: int | None, period_to: int | None) -> list[ColumnElement[bool]]:
    matches: list[ColumnElement[bool]] = [rows.c.market_id == market_id]
    if period_from is not None:
        matches.append(rows.c.period >= fitting(rows.c.period, period_from))
    if period_to is not None:
        matches.append(rows.c.period <= fitting(rows.c.period, period_to))
    return matches
