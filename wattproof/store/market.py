"""A market in the store, as its watcher writes it: block after block, and back where the chain was reorganised."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, select, update

from wattproof.market.tariff import Tariff
from wattproof.store import blocks, undo, writing
from wattproof.store.problems import Conflict, TooDeep
from wattproof.store.records import BlockRef, CallRow, Watched
from wattproof.store.tables import ENTRIES, RAW, TRACKED, table

if TYPE_CHECKING:
    from wattproof.store.database import Store

UNDO_BLOCKS = 1024
"""So many blocks below the cursor a rollback reaches."""

SNAPSHOTS = 3
"""So many of a watcher's snapshots are kept, the newest ones."""

COUNTED = ("blocks", "calls", "events", "alarms")
"""What the cursor counts."""

_CURSORS, _BLOCKS, _UNDO, _SNAPSHOTS = map(table, ("cursors", "blocks", "undo", "snapshots"))


class MarketStore:
    """One market of a `Store`. Every method is one transaction, and raises a `StoreProblem`.

    id, row      the market's number in this database, and its row of the table `markets`
    tariff       its tariff, in base units
    undo_blocks  so many blocks below the cursor a rollback reaches; undo of earlier blocks is dropped
    """

    def __init__(self, store: Store, row: Row[Any], undo_blocks: int = UNDO_BLOCKS) -> None:
        self.store, self.row, self.undo_blocks = store, row, undo_blocks
        self.id: int = row.id
        self.tariff = _tariff(row.tariff)

    # ---- where it stands -----------------------------------------------------------------

    def cursor(self) -> BlockRef | None:
        """The last block that was watched; None before the first."""
        with self.store.reading() as connection:
            return _cursor(connection.execute(self._cursor_row()).one())

    def head(self) -> BlockRef | None:
        """The chain's last block as a watcher saw it; the hash of its parent is not known, and empty."""
        with self.store.reading() as connection:
            row = connection.execute(self._cursor_row()).one()
        return None if row.head_number is None else BlockRef(row.head_number, row.head_hash, "", row.head_timestamp)

    def hash_of(self, number: int) -> str | None:
        """The hash of a block that was watched; None where none with this number was."""
        block = self.block(number)
        return block.hash if block else None

    def block(self, number: int) -> BlockRef | None:
        """A block that was watched; None where none with this number was."""
        with self.store.reading() as connection:
            return self._block(connection, number)

    def floor(self) -> int | None:
        """The lowest block to which `rollback` can go; None before the first."""
        with self.store.reading() as connection:
            return connection.execute(self._cursor_row()).one().floor

    def seen_head(self, head: BlockRef) -> None:
        """Takes down what the chain's last block is, and that somebody looked just now."""
        with self.store.writing() as connection:
            connection.execute(self._change_cursor(**_seen(head)))

    # ---- what the watcher goes on from ---------------------------------------------------

    def snapshot(self, at_most: int) -> tuple[int, bytes] | None:
        """Number of the block and snapshot of the newest one up to the block `at_most`; None where there is none."""
        query = select(_SNAPSHOTS.c.block, _SNAPSHOTS.c.data).where(
            _SNAPSHOTS.c.market_id == self.id, _SNAPSHOTS.c.block <= at_most
        )
        with self.store.reading() as connection:
            row = connection.execute(query.order_by(_SNAPSHOTS.c.block.desc()).limit(1)).one_or_none()
        return (row.block, row.data) if row else None

    def calls(self, after: int, to: int) -> Iterator[tuple[BlockRef, list[CallRow]]]:
        """The blocks with calls above `after`, up to `to`, in their order; arguments as `plain.plain` made them."""
        low = after
        while True:
            with self.store.reading() as connection:
                some = blocks.calls(connection, self.id, low, to)
            if not some:
                return
            yield from some
            low = some[-1][0].number

    # ---- writing -------------------------------------------------------------------------

    def append(self, watched: Watched, head: BlockRef) -> None:
        """Takes a block in, all of it or nothing. Raises Conflict unless its parent is the cursor, or it is the first.

        Once it is in, `head` is what `seen_head` would take down.
        """
        block = watched.block
        with self.store.writing() as connection:
            row = self._locked(connection)
            cursor = _cursor(row)
            if cursor is not None and (cursor.number + 1, cursor.hash) != (block.number, block.parent):
                raise Conflict(
                    f"block {block.number} ({block.hash}) does not follow block {cursor.number} ({cursor.hash}), which "
                    "was watched last: another watcher was quicker, or the chain was reorganised"
                )
            floor = block.number if row.floor is None else max(row.floor, block.number - self.undo_blocks)
            journal = blocks.take_in(connection, self.id, self.tariff, watched)
            writing.add(connection, "undo", [{"market_id": self.id, "block": block.number, "rows": journal}])
            connection.execute(delete(_UNDO).where(_UNDO.c.market_id == self.id, _UNDO.c.block <= floor))
            if watched.snapshot is not None:
                self._keep_snapshot(connection, block.number, watched.snapshot)
            counts = (1, len(watched.calls), len(watched.events), len(watched.alarms))
            counted = {name: _CURSORS.c[name] + count for name, count in zip(COUNTED, counts, strict=True)}
            connection.execute(self._change_cursor(**_at(block), **_seen(head), **counted, floor=floor))

    def rollback(self, to: BlockRef | None) -> None:
        """Makes everything as it was after the block `to`, or, where that is None, before the first one.

        Raises Conflict where that block was not watched, and TooDeep where undo does not reach so far: `rebuild` does.
        """
        with self.store.writing() as connection:
            row = self._locked(connection)
            self._check(connection, to)
            if to is not None and to.number < row.floor:
                raise TooDeep(
                    f"block {to.number} is too far back: undo reaches to block {row.floor}; below that, rows have to "
                    "be made again from what the chain said (`MarketStore.rebuild`)"
                )
            low = -1 if to is None else to.number
            if to is None:
                self._remove_tracked(connection)
            else:
                above = _UNDO.c.market_id == self.id, _UNDO.c.block > low
                journals = connection.execute(select(_UNDO.c.rows).where(*above).order_by(_UNDO.c.block.desc()))
                undo.restore(connection, self.id, (journal for (journal,) in journals))
            self._cut(connection, to)

    def rebuild(self, to: BlockRef | None = None) -> None:
        """As `rollback`, but by making all derived rows again from what the chain said: slow, and from any depth.

        `to` None means the cursor. Raises Conflict where that block was not watched.
        """
        with self.store.writing() as connection:
            cursor = _cursor(self._locked(connection))
            to = to or cursor
            self._check(connection, to)
            self._cut(connection, to)
            connection.execute(delete(_UNDO).where(_UNDO.c.market_id == self.id))
            self._remove_tracked(connection)
            for name in ENTRIES:
                rows = table(name)
                connection.execute(delete(rows).where(rows.c.market_id == self.id))
            if to is None:
                return
            first = connection.execute(
                select(func.min(_BLOCKS.c.number)).where(_BLOCKS.c.market_id == self.id)
            ).scalar_one()
            floor = max(first, to.number - self.undo_blocks)
            for number, journal in blocks.derive_again(connection, self.id, self.tariff):
                if number > floor:
                    writing.add(connection, "undo", [{"market_id": self.id, "block": number, "rows": journal}])
            connection.execute(self._change_cursor(floor=floor))

    # ---- parts ---------------------------------------------------------------------------

    def _cursor_row(self) -> Any:
        return select(_CURSORS).where(_CURSORS.c.market_id == self.id)

    def _change_cursor(self, **changes: Any) -> Any:
        return update(_CURSORS).where(_CURSORS.c.market_id == self.id).values(**changes)

    def _locked(self, connection: Connection) -> Row[Any]:
        """The cursor, kept from all other writers until the end of the transaction."""
        return connection.execute(self._cursor_row().with_for_update()).one()

    def _block(self, connection: Connection, number: int) -> BlockRef | None:
        same = _BLOCKS.c.market_id == self.id, _BLOCKS.c.number == number
        fields = (_BLOCKS.c.number, _BLOCKS.c.hash, _BLOCKS.c.parent, _BLOCKS.c.timestamp)
        row = connection.execute(select(*fields).where(*same)).one_or_none()
        return BlockRef(*row) if row else None

    def _check(self, connection: Connection, to: BlockRef | None) -> None:
        known = self._block(connection, to.number) if to else None
        if to and (known is None or known.hash != to.hash):
            raise Conflict(f"block {to.number} ({to.hash}) was never watched: roll back to one that was")

    def _cut(self, connection: Connection, to: BlockRef | None) -> None:
        """Removes the raw rows, entries, undo and snapshots above a block, which becomes the cursor."""
        low = -1 if to is None else to.number
        gone = (func.count(), *(func.coalesce(func.sum(_BLOCKS.c[name]), 0) for name in COUNTED[1:]))
        counts = connection.execute(select(*gone).where(_BLOCKS.c.market_id == self.id, _BLOCKS.c.number > low)).one()
        counted = {name: _CURSORS.c[name] - int(count) for name, count in zip(COUNTED, counts, strict=True)}
        for name in (*RAW, *ENTRIES, "undo", "snapshots"):
            rows = table(name)
            number = rows.c.number if name == "blocks" else rows.c.block
            connection.execute(delete(rows).where(rows.c.market_id == self.id, number > low))
        known = self._block(connection, low) if to else None
        nothing = dict.fromkeys(("number", "hash", "parent", "timestamp", "floor"))
        connection.execute(self._change_cursor(**(_at(known) if known else nothing), **counted))

    def _remove_tracked(self, connection: Connection) -> None:
        for name in TRACKED:
            rows = table(name)
            connection.execute(delete(rows).where(rows.c.market_id == self.id))

    def _keep_snapshot(self, connection: Connection, number: int, data: bytes) -> None:
        writing.add(connection, "snapshots", [{"market_id": self.id, "block": number, "data": data}])
        mine = select(_SNAPSHOTS.c.block).where(_SNAPSHOTS.c.market_id == self.id)
        newest = mine.order_by(_SNAPSHOTS.c.block.desc()).limit(SNAPSHOTS)
        old = _SNAPSHOTS.c.market_id == self.id, _SNAPSHOTS.c.block.not_in(newest.scalar_subquery())
        connection.execute(delete(_SNAPSHOTS).where(*old))


def _cursor(row: Row[Any]) -> BlockRef | None:
    return None if row.number is None else BlockRef(row.number, row.hash, row.parent, row.timestamp)


def _at(block: BlockRef) -> dict[str, Any]:
    return {"number": block.number, "hash": block.hash, "parent": block.parent, "timestamp": block.timestamp}


def _seen(head: BlockRef) -> dict[str, Any]:
    seen = {"head_number": head.number, "head_hash": head.hash, "head_timestamp": head.timestamp}
    return seen | {"seen_at": int(time.time())}


def _tariff(told: dict[str, Any]) -> Tariff:
    numbers = {name: int(value) for name, value in told.items() if name != "rank_by_price"}
    return Tariff(**numbers, rank_by_price=told["rank_by_price"])
