"""Rows by the hundred: what goes to the database in bulk, in statements that are compiled once."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Executable, bindparam, delete, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from wattproof.store.derive.working import KEYS, Key, Load, Row
from wattproof.store.tables import table

_AT_ONCE = 400
"""Keys that one statement asks for; SQLite and PostgreSQL take thousands of parameters."""


def add(connection: Connection, name: str, rows: Sequence[Row]) -> None:
    """Adds rows to a table."""
    if rows:
        connection.execute(_insert(name), rows)


def add_once(connection: Connection, name: str, row: Row) -> None:
    """Adds a row where none of its identity is there yet."""
    kind = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(kind(table(name)).values(**row).on_conflict_do_nothing())


def put(connection: Connection, name: str, rows: Sequence[Row]) -> None:
    """Adds rows to a tracked table, or sets those that are there."""
    if rows:
        connection.execute(_upsert(connection.dialect.name, name), rows)


def remove(connection: Connection, name: str, market_id: int, keys: Iterable[Key]) -> None:
    """Removes rows of a tracked table by their keys."""
    rows = [{"market": market_id} | {f"key_{at}": part for at, part in enumerate(key)} for key in keys]
    if rows:
        connection.execute(_delete(name), rows)


def loader(connection: Connection, market_id: int) -> Load:
    """What fetches tracked rows of a market."""

    def load(name: str, columns: Sequence[str], values: list[Key]) -> Iterable[Row]:
        query = _select(name, tuple(columns))
        for start in range(0, len(values), _AT_ONCE):
            some = values[start : start + _AT_ONCE]
            asked = some if len(columns) > 1 else [value for (value,) in some]
            yield from map(dict, connection.execute(query, {"market": market_id, "asked": asked}).mappings())

    return load


def _key_columns(name: str) -> list[Any]:
    return [table(name).c[column] for column in KEYS[name]]


@functools.cache
def _select(name: str, columns: tuple[str, ...]) -> Executable:
    rows = table(name)
    wanted = [column for column in rows.columns if column.name != "market_id"]
    asked = bindparam("asked", expanding=True)
    first, *others = (rows.c[each] for each in columns)
    given = tuple_(first, *others).in_(asked) if others else first.in_(asked)
    query = select(*wanted).where(rows.c.market_id == bindparam("market"), given)
    return query.order_by(*_key_columns(name))


@functools.cache
def _insert(name: str) -> Executable:
    return insert(table(name))


@functools.cache
def _upsert(dialect: str, name: str) -> Executable:
    kind = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = kind(table(name))
    keys = ("market_id", *KEYS[name])
    others = {column.name: statement.excluded[column.name] for column in table(name).c if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


@functools.cache
def _delete(name: str) -> Delete:
    rows = table(name)
    match = [rows.c.market_id == bindparam("market")]
    match += [column == bindparam(f"key_{at}", type_=column.type) for at, column in enumerate(_key_columns(name))]
    return delete(rows).where(*match)
