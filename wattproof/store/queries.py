"""What people ask of a market: lists with filters and pages, single rows, and sums. Nothing here writes.

Each takes a connection, from `Store.reading`, and a market's number. Rows are dicts with Python's values: whole numbers
of any size, True and False, text, None; the JSON columns hold whole numbers as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, ColumnElement, Connection, Integer, Select, func, select

from wattproof.store.derive.working import KEYS, Row
from wattproof.store.tables import table
from wattproof.store.types import Signed, Unsigned

MAX_PER_PAGE = 200
"""Rows of the longest page."""

MAX_PAGE = 2**31
"""No list has more pages."""


@dataclass(frozen=True)
class Page:
    """Rows `per_page * (page - 1)` and following of `count`."""

    rows: list[Row]
    count: int
    page: int
    per_page: int


@dataclass(frozen=True)
class Listing:
    """A list that can be asked for.

    order   its columns of order, which together tell any two rows apart
    equal   the columns that a filter of the same name compares with
    ranges  the columns with a filter `NAME_from` (at least) and `NAME_to` (at most)
    fixed   columns that have one value in this list, and are not shown in it
    """

    table: str
    order: tuple[str, ...]
    equal: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    fixed: Mapping[str, Any] | None = None

    @property
    def filters(self) -> dict[str, Column[Any]]:
        """The column of each filter."""
        columns = table(self.table).c
        found = {name: columns[name] for name in self.equal}
        return found | {f"{name}_{end}": columns[name] for name in self.ranges for end in ("from", "to")}

    @property
    def columns(self) -> list[Column[Any]]:
        """The columns of its rows."""
        hidden = {"market_id", *(self.fixed or {})}
        return [column for column in table(self.table).columns if column.name not in hidden]


_EVENT = ("block", "index")
_SINCE = ("last_block",)

LISTS = {
    "accounts": Listing("accounts", ("address",), ("address", "meter", "authorized", "tier"), _SINCE),
    "quotes": Listing("quotes", ("quote_id",), ("quote_id", "prosumer", "period", "status"), ("period", *_SINCE)),
    "bids": Listing("bids", ("quote_id", "bidder"), ("quote_id", "bidder", "period", "status"), ("period", *_SINCE)),
    "trades": Listing(
        "trades", ("quote_id", "index"), ("quote_id", "buyer", "prosumer", "period", "kind"), ("period", *_SINCE)
    ),
    "readings": Listing("readings", ("period", "user"), ("user", "period"), ("period", *_SINCE)),
    "positions": Listing("positions", ("period", "user"), ("user", "period", "settled"), ("period", *_SINCE)),
    "bills": Listing("bills", ("period", "user"), ("user", "period"), ("period", *_SINCE)),
    "performances": Listing("performances", _EVENT, ("user", "good", "period", "quote_id"), ("period", "block")),
    "defaults": Listing("performances", _EVENT, ("user", "period", "quote_id"), ("period", "block"), {"good": False}),
    "waivers": Listing("waivers", _EVENT, ("user", "used", "period", "quote_id"), ("period", "block")),
    "admissions": Listing("admissions", _EVENT, ("user", "authorized"), ("block",)),
    "movements": Listing("movements", _EVENT, ("user", "kind", "period"), ("period", "block")),
    "alarms": Listing("alarms", _EVENT, ("invariant", "block"), ("block",)),
    "blocks": Listing("blocks", ("number",), ("number", "hash"), ("number", "timestamp")),
    "calls": Listing(
        "calls", _EVENT, ("block", "transaction", "sender", "origin", "function", "accepted", "via"), ("block",)
    ),
    "events": Listing(
        "events", _EVENT, ("block", "transaction", "name", "user", "quote_id", "period"), ("period", "block")
    ),
}
"""The lists by name. `periods` is not among them: see `wattproof.store.sums`."""


def page_of(
    connection: Connection,
    market_id: int,
    name: str,
    filters: Mapping[str, Any] | None = None,
    page: int = 1,
    per_page: int = 50,
    *,
    newest_first: bool = False,
) -> Page:
    """A page of a list. Filters are joined by "and"; each one is of `Listing.filters`.

    ValueError, in words: no such filter or page, or a value that no row can have.
    """
    listing = LISTS[name]
    query = select(*listing.columns).where(*_matches(market_id, listing, filters or {}))
    columns = [table(listing.table).c[column] for column in listing.order]
    query = query.order_by(*(column.desc() for column in columns) if newest_first else columns)
    return paged(connection, query, page, per_page)


def paged(connection: Connection, query: Select[*tuple[Any, ...]], page: int, per_page: int) -> Page:
    """A page of a query. ValueError: no such page."""
    if not 1 <= page <= MAX_PAGE or not 1 <= per_page <= MAX_PER_PAGE:
        raise ValueError(f"pages are counted from 1, and have 1 to {MAX_PER_PAGE} rows")
    counted = query.order_by(None).with_only_columns(query.selected_columns[0]).subquery()
    count = connection.execute(select(func.count()).select_from(counted)).scalar_one()
    start = per_page * (page - 1)
    rows = connection.execute(query.limit(per_page).offset(start)).mappings() if start < count else ()
    return Page([dict(row) for row in rows], count, page, per_page)


def one(connection: Connection, market_id: int, name: str, *key: Any) -> Row | None:
    """The row of a tracked table with this key, in the order of `KEYS`; None where there is none.

    ValueError: a part that no row can have.
    """
    rows = table(name)
    parts = zip(KEYS[name], key, strict=True)
    same = [rows.c[column] == fitting(rows.c[column], part) for column, part in parts]
    columns = [column for column in rows.columns if column.name != "market_id"]
    found = connection.execute(select(*columns).where(rows.c.market_id == market_id, *same)).mappings().one_or_none()
    return dict(found) if found else None


def _matches(market_id: int, listing: Listing, filters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    columns, known = table(listing.table).c, listing.filters
    matches: list[ColumnElement[bool]] = [columns.market_id == market_id]
    matches += [columns[name] == value for name, value in (listing.fixed or {}).items()]
    for name, value in filters.items():
        if name not in known:
            raise ValueError(f"there is no filter {name!r}; there are {', '.join(sorted(known))}")
        column, value = known[name], fitting(known[name], value)
        if name in listing.equal:
            matches.append(column == value)
        else:
            matches.append(column >= value if name.endswith("_from") else column <= value)
    return matches


def fitting(column: Column[Any], value: Any) -> Any:
    """The value, which may come from anybody. ValueError, in words, where no row can have it in this column."""
    kind = column.type
    if isinstance(kind, Boolean):
        fits, what = isinstance(value, bool), "true or false"
    elif isinstance(kind, Unsigned | Signed | Integer):
        limit = 2**63 if isinstance(kind, Integer) else 2**256
        fits, what = isinstance(value, int) and 0 <= value < limit, f"a whole number from 0 to {limit - 1}"
    else:
        fits, what = isinstance(value, str) and value.isprintable(), "a text that can be printed"
    if not fits:
        raise ValueError(f"{column.name} is {what}")
    return value
