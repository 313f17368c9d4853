"""How tracked rows are put back: for each block, the rows that it changed, as they were before."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from wattproof.store import writing
from wattproof.store.derive.working import KEYS, Key, Row, Working
from wattproof.store.plain import pack, unpack


def journal(working: Working) -> bytes:
    """What a block is about to change, packed: by table, pairs of key and row, null where there was no row."""
    changes = {name: working.before(name) for name in KEYS}
    return pack({name: rows for name, rows in changes.items() if rows})


def restore(connection: Connection, market_id: int, journals: Iterable[bytes]) -> None:
    """Puts tracked rows back to what they were before the blocks with these journals, the latest first."""
    found: dict[str, dict[Key, Row | None]] = {name: {} for name in KEYS}
    for each in journals:
        for name, rows in unpack(each).items():
            found[name] |= {tuple(key): row for key, row in rows}  # The earliest is the last one.
    for name, rows in found.items():
        writing.remove(connection, name, market_id, [key for key, row in rows.items() if row is None])
        writing.put(connection, name, [row | {"market_id": market_id} for row in rows.values() if row is not None])
