"""All that a store holds, row by row, in one order and without what differs between two runs that saw the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from wattproof.store.database import Store
from wattproof.store.tables import ENTRIES, RAW, TRACKED, table

TABLES = (*RAW, *TRACKED, *ENTRIES)
"""The tables of a dump. Cursors, snapshots and undo are left out: they hold times, and what a watcher needs."""


def dump(store: Store, tables: tuple[str, ...] = TABLES) -> Iterator[tuple[Any, ...]]:
    """Table, identity of the market, then the fields of a row in the order of their columns; sorted by primary keys.

    Two stores whose dumps are equal hold the same, whatever databases they are.
    """
    with store.reading() as connection:
        markets = table("markets")
        identity = (markets.c.chain_id, markets.c.genesis, markets.c.address, markets.c.block_hash)
        for number, *market in connection.execute(select(markets.c.id, *identity).order_by(*identity)).all():
            for name in tables:
                rows = table(name)
                query = select(*(column for column in rows.columns if column.name != "market_id"))
                query = query.where(rows.c.market_id == number).order_by(*rows.primary_key)
                for row in connection.execute(query, execution_options={"yield_per": 1000}):
                    yield name, ":".join(map(str, market)), *map(_shown, row)


def _shown(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
