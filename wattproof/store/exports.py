"""Tables as files, CSV and Parquet, row by row as they come from the database: no table has to fit into memory.

Whole numbers are exact. In CSV they are digits. In Parquet, energies, counts, periods and times are int64, money and
prices decimal128(38, 0), which holds more than any market can (T-MON-24); a column in which a broken market has a
number beyond that is text, in all of its rows. JSON is text in both, bytes are left out.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Integer, LargeBinary, Table, func, select

from wattproof.simulation.names import is_formula
from wattproof.store.tables import ENTRIES, TRACKED, table
from wattproof.store.types import Signed, Unsigned

TABLES = ("markets", "blocks", "calls", "events", "alarms", *TRACKED, *ENTRIES)
"""What can be exported: all but what a watcher keeps for itself."""

FORMATS = ("csv", "parquet")

_AT_ONCE = 5_000
"""Rows in memory."""

_DECIMALS = 38
_INT64 = 2**63

Write = Callable[[Sequence[Sequence[Any]]], None]
"""Takes some rows more."""


def export(
    connection: Connection, folder: Path, name: str, formats: Sequence[str], market_id: int | None = None
) -> int:
    """Writes a table to `<name>.csv` and `<name>.parquet` in a folder; returns the number of its rows.

    All markets, or the one with this number; rows in the order of their keys.
    """
    rows = table(name)
    columns = [column for column in rows.columns if not isinstance(column.type, LargeBinary)]
    query = select(*columns).where(*_of(rows, market_id)).order_by(*rows.primary_key)
    with ExitStack() as files:
        writers: list[Write] = []
        if "csv" in formats:
            writers.append(_csv(files, folder / f"{name}.csv", columns))
        if "parquet" in formats:
            text = {column.name for column in columns if not _fits(connection, rows, column, market_id)}
            writers.append(_parquet(files, folder / f"{name}.parquet", columns, text))
        count = 0
        for some in _streamed(connection, query):
            count += len(some)
            for write in writers:
                write(some)
    return count


def _streamed(connection: Connection, query: Any) -> Iterator[Sequence[Sequence[Any]]]:
    result = connection.execute(query, execution_options={"yield_per": _AT_ONCE})
    yield from result.partitions()


def _of(rows: Table, market_id: int | None) -> list[Any]:
    column = rows.c.id if rows.name == "markets" else rows.c.market_id
    return [] if market_id is None else [column == market_id]


# ---- CSV ---------------------------------------------------------------------------------


def _csv(files: ExitStack, path: Path, columns: Sequence[Column[Any]]) -> Write:
    file = files.enter_context(open(path, "w", encoding="utf-8", newline=""))  # noqa: SIM115
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(column.name for column in columns)
    cells = [_cell(column) for column in columns]

    def write(rows: Sequence[Sequence[Any]]) -> None:
        writer.writerows([cell(value) for cell, value in zip(cells, row, strict=True)] for row in rows)

    return write


def _cell(column: Column[Any]) -> Callable[[Any], Any]:
    """What stands in a cell: NULL is empty; an apostrophe stands before what a spreadsheet would compute."""
    if isinstance(column.type, JSON):
        return lambda value: json.dumps(value, ensure_ascii=False)
    if isinstance(column.type, Boolean):
        return lambda value: None if value is None else str(value).lower()
    if isinstance(column.type, Unsigned | Signed | Integer):
        return lambda value: value
    return lambda value: f"'{value}" if value and is_formula(value) else value


# ---- Parquet -----------------------------------------------------------------------------


def _parquet(files: ExitStack, path: Path, columns: Sequence[Column[Any]], text: set[str]) -> Write:
    import pyarrow
    from pyarrow import parquet

    def kind(column: Column[Any]) -> pyarrow.DataType:
        if column.name in text or isinstance(column.type, JSON):
            return pyarrow.string()
        if isinstance(column.type, Boolean):
            return pyarrow.bool_()
        if column.info.get("money"):
            return pyarrow.decimal128(_DECIMALS, 0)
        return pyarrow.int64() if isinstance(column.type, Unsigned | Integer) else pyarrow.string()

    schema = pyarrow.schema([pyarrow.field(column.name, kind(column), column.nullable) for column in columns])
    writer = files.enter_context(parquet.ParquetWriter(path, schema, compression="zstd"))

    def write(rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            values = [_values(column, column.name in text, part)
                      for column, part in zip(columns, zip(*rows, strict=True), strict=True)]  # fmt: skip
            arrays = [pyarrow.array(part, field.type) for part, field in zip(values, schema, strict=True)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))

    return write


def _values(column: Column[Any], as_text: bool, values: Sequence[Any]) -> Sequence[Any]:
    if isinstance(column.type, JSON):
        return [json.dumps(value, ensure_ascii=False) for value in values]
    return [None if value is None else str(value) for value in values] if as_text else values


def _fits(connection: Connection, rows: Table, column: Column[Any], market_id: int | None) -> bool:
    """Whether all numbers of a column fit its type in Parquet."""
    if not isinstance(column.type, Unsigned | Signed):
        return True
    query = select(func.min(column), func.max(column)).where(*_of(rows, market_id))
    limit = 10**_DECIMALS if column.info.get("money") else _INT64
    return all(value is None or -limit < value < limit for value in connection.execute(query).one())
