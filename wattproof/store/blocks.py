"""A block in the store: taken in, derived from again, and read back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from wattproof.market.tariff import Tariff
from wattproof.store import undo, writing
from wattproof.store.derive import Derived, derive
from wattproof.store.derive.working import KEYS
from wattproof.store.plain import Views, pack, plain, unpack, views_of
from wattproof.store.records import BlockRef, CallRow, State, Watched
from wattproof.store.tables import table

_AT_ONCE = 500
"""Blocks that are read at once."""

_BLOCKS, _VIEWS, _CALLS, _EVENTS = map(table, ("blocks", "views", "calls", "events"))
_BLOCK_FIELDS = (_BLOCKS.c.number, _BLOCKS.c.hash, _BLOCKS.c.parent, _BLOCKS.c.timestamp)

_NOTHING = views_of(State())


def take_in(connection: Connection, market_id: int, tariff: Tariff, watched: Watched) -> bytes:
    """Writes what a block said and all that follows from it; returns the journal that takes the latter back."""
    block, state = watched.block, views_of(watched.state)
    said = [{"index": event.index, "call": event.call, "name": event.name, "fields": plain(dict(event.fields))}
            for event in watched.events]  # fmt: skip
    load = writing.loader(connection, market_id)
    derived = derive(block, said, state, dict(watched.checks), tariff, load)
    place = {"market_id": market_id, "block": block.number}
    writing.add(connection, "blocks", [_block_row(market_id, watched)])
    if state != _NOTHING:
        writing.add(connection, "views", [place | {"state": pack(state)}])
    writing.add(connection, "calls", [place | _call_row(call) for call in watched.calls])
    transactions = [event.transaction for event in watched.events]
    rows = [vars(one) | {"transaction": each} for one, each in zip(derived.told, transactions, strict=True)]
    writing.add(connection, "events", [place | row for row in rows])
    alarms = enumerate(watched.alarms)
    writing.add(connection, "alarms", [place | {"index": index} | vars(alarm) for index, alarm in alarms])
    return _write_derived(connection, place, derived)


def derive_again(connection: Connection, market_id: int, tariff: Tariff) -> Iterator[tuple[int, bytes]]:
    """Makes the derived rows of all blocks from what is kept of them; yields number and journal of each block."""
    low = -1
    load = writing.loader(connection, market_id)
    fields = (*_BLOCK_FIELDS, _BLOCKS.c.checks)
    while True:
        query = select(*fields).where(_BLOCKS.c.market_id == market_id, _BLOCKS.c.number > low)
        found = connection.execute(query.order_by(_BLOCKS.c.number).limit(_AT_ONCE)).all()
        if not found:
            return
        said, states = _said(connection, market_id, low, found[-1].number)
        for *block, checks in found:
            ref = BlockRef(*block)
            derived = derive(ref, said[ref.number], states.get(ref.number, _NOTHING), checks, tariff, load)
            yield ref.number, _write_derived(connection, {"market_id": market_id, "block": ref.number}, derived)
        low = found[-1].number


def calls(connection: Connection, market_id: int, after: int, to: int) -> list[tuple[BlockRef, list[CallRow]]]:
    """The next blocks with calls above `after`, up to `to`; none: there are no more."""
    wanted = _BLOCKS.c.market_id == market_id, _BLOCKS.c.number > after, _BLOCKS.c.number <= to, _BLOCKS.c.calls > 0
    query = select(*_BLOCK_FIELDS).where(*wanted).order_by(_BLOCKS.c.number).limit(_AT_ONCE)
    found = [BlockRef(*row) for row in connection.execute(query)]
    made: dict[int, list[CallRow]] = defaultdict(list)
    if found:
        between = _CALLS.c.market_id == market_id, _CALLS.c.block.between(found[0].number, found[-1].number)
        for row in connection.execute(
            select(_CALLS).where(*between).order_by(_CALLS.c.block, _CALLS.c.index)
        ).mappings():
            fields = {name: row[name] for name in row if name not in ("market_id", "block")}
            made[row["block"]].append(CallRow(**fields))
    return [(block, made[block.number]) for block in found]


def _said(
    connection: Connection, market_id: int, after: int, to: int
) -> tuple[dict[int, list[dict[str, Any]]], dict[int, Views]]:
    """Events and state of the blocks above `after`, up to `to`, by number."""
    said: dict[int, list[dict[str, Any]]] = defaultdict(list)
    fields = [_EVENTS.c[name] for name in ("block", "index", "call", "name", "fields")]
    wanted = _EVENTS.c.market_id == market_id, _EVENTS.c.block > after, _EVENTS.c.block <= to
    for row in connection.execute(select(*fields).where(*wanted).order_by(_EVENTS.c.block, _EVENTS.c.index)).mappings():
        said[row["block"]].append(dict(row))
    kept = _VIEWS.c.market_id == market_id, _VIEWS.c.block > after, _VIEWS.c.block <= to
    states = connection.execute(select(_VIEWS.c.block, _VIEWS.c.state).where(*kept))
    return said, {row.block: unpack(row.state) for row in states}


def _write_derived(connection: Connection, place: dict[str, int], derived: Derived) -> bytes:
    market = {"market_id": place["market_id"]}
    for name in KEYS:
        writing.put(connection, name, [row | market for row in derived.working.changed(name)])
    for name, rows in derived.entries.items():
        writing.add(connection, name, [place | row for row in rows])
    return undo.journal(derived.working)


def _block_row(market_id: int, watched: Watched) -> dict[str, Any]:
    counts = {"calls": len(watched.calls), "events": len(watched.events), "alarms": len(watched.alarms)}
    return {"market_id": market_id, **vars(watched.block), **counts, "checks": dict(watched.checks)}


def _call_row(call: CallRow) -> dict[str, Any]:
    return vars(call) | {"arguments": plain(dict(call.arguments))}
