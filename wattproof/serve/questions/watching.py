"""Blocks, calls, events, alarms, and how often each invariant was checked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, func, select

from wattproof.promises import promises
from wattproof.serve.pages import Rows
from wattproof.store import sums
from wattproof.store.tables import AlarmRow, BlockRow, CallRow, EventRow


def blocks(market: int) -> Rows:
    """All blocks that were checked."""
    return select(
        BlockRow.number,
        BlockRow.hash,
        BlockRow.parent,
        BlockRow.timestamp,
        BlockRow.calls,
        BlockRow.events,
        BlockRow.alarms,
    ).where(BlockRow.market_id == market)


def calls(market: int) -> Rows:
    """All calls of the market."""
    return _of_blocks(
        market,
        CallRow,
        CallRow.index,
        CallRow.transaction,
        CallRow.sender,
        CallRow.origin,
        CallRow.function,
        CallRow.arguments,
        CallRow.accepted,
        CallRow.reason,
        CallRow.result,
        CallRow.via,
    )


def events(market: int) -> Rows:
    """All events of the market."""
    return _of_blocks(
        market, EventRow, EventRow.index, EventRow.transaction, EventRow.call, EventRow.name, EventRow.fields
    )


def alarms(market: int) -> Rows:
    """All alarms."""
    return _of_blocks(
        market, AlarmRow, AlarmRow.index, AlarmRow.invariant, AlarmRow.what, AlarmRow.story, AlarmRow.replay
    )


def _of_blocks(market: int, row: type[CallRow | EventRow | AlarmRow], *columns: Any) -> Rows:
    """All rows of a table of what blocks hold, with the block's number and time before the columns."""
    block = and_(BlockRow.market_id == row.market_id, BlockRow.number == row.block)
    return select(row.block, BlockRow.timestamp, *columns).join(BlockRow, block).where(row.market_id == market)


def invariants(connection: Connection, market: int) -> dict[str, Any]:
    """How many blocks were checked, and each invariant with its sentence and its counts."""
    first = connection.execute(select(func.min(BlockRow.number)).where(BlockRow.market_id == market)).scalar()
    watched = sums.status(connection, market)
    counted = [
        row | {"checks": row["times"], "says": promises().get(row["invariant"])}
        for row in sums.invariants(connection, market)
    ]
    return {
        "blocks": watched["blocks"],
        "first_block": first,
        "last_block": watched["number"],
        "alarms": watched["alarms"],
        "invariants": counted,
    }
