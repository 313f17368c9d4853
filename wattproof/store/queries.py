"""Pages of what is asked of a store. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from wattproof.store.derive.working import Row

MAX_PER_PAGE = 200
"""Rows of the longest page."""

MAX_PAGE = 2**31
"""No list has more pages."""


@dataclass(frozen=True)
class Page:
    """Rows `per_page * (page - 1)` and following of `count`.

    Rows are dicts with Python's values: whole numbers of any size, True and False, text, None; in the columns of JSON
    whole numbers are text.
    """

    rows: list[Row]
    count: int
    page: int
    per_page: int


def paged(connection: Connection, query: Select[*tuple[Any, ...]], page: int, per_page: int) -> Page:
    """A page of a query, whose order tells any two rows apart. ValueError: there cannot be such a page."""
    if not 1 <= page <= MAX_PAGE or not 1 <= per_page <= MAX_PER_PAGE:
        raise ValueError(f"pages are counted from 1, and have 1 to {MAX_PER_PAGE} rows")
    counted = query.order_by(None).with_only_columns(query.selected_columns[0]).subquery()
    count = connection.execute(select(func.count()).select_from(counted)).scalar_one()
    start = per_page * (page - 1)
    rows = connection.execute(query.limit(per_page).offset(start)).mappings() if start < count else ()
    return Page([dict(row) for row in rows], count, page, per_page)
