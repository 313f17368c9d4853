"""Pages of rows: filters, order, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, SQLColumnExpression

from wattproof.store.queries import Page, paged

Row = dict[str, Any]

Rows = Select[*tuple[Any, ...]]
"""A statement, whatever its columns are."""


def narrowed(statement: Rows, asked: Mapping[str, Any], **columns: Any) -> Rows:
    """A statement for the rows that fit what was asked: `columns` are those that filters of their name compare.

    A column named `at_NAME` is compared by the filters `from_NAME`, `to_NAME` and `NAME`.
    """
    for name, column in columns.items():
        if name.startswith("at_"):
            name = name.removeprefix("at_")
            if (least := asked.get(f"from_{name}")) is not None:
                statement = statement.where(column >= least)
            if (most := asked.get(f"to_{name}")) is not None:
                statement = statement.where(column <= most)
        if (wanted := asked.get(name)) is not None:
            statement = statement.where(column == wanted)
    return statement


def page(
    connection: Connection,
    statement: Rows,
    asked: Mapping[str, Any],
    order: Iterable[SQLColumnExpression[Any]],
    shape: Callable[[Row], Row] = dict,
    newest_first: bool = True,
) -> dict[str, Any]:
    """One page of a statement's rows. `order` makes them distinct: no row is on two pages."""
    descending = asked.get("order", "desc" if newest_first else "asc") == "desc"
    keys = [column.desc() if descending else column.asc() for column in order]
    return told(paged(connection, statement.order_by(*keys), asked["page"], asked["per_page"]), shape)


def told(found: Page, shape: Callable[[Row], Row] = dict) -> dict[str, Any]:
    """A page as the API answers it."""
    return {
        "items": [shape(row) for row in found.rows],
        "page": found.page,
        "per_page": found.per_page,
        "pages": -(-found.count // found.per_page),
        "total": found.count,
    }


def one(connection: Connection, statement: Rows, shape: Callable[[Row], Row] = dict) -> Row | None:
    """The only row of a statement, if there is one."""
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else shape(dict(row))
