"""Server-sent events: what the watcher stored since, as it comes.

Each stream looks into the store by itself, so that it can go on wherever its reader left off. Its messages have the ID
of a block, number and the first digits of its hash: where that block is no longer the chain's, the reader is told so.
A stream holds a thread of the server; it ends by itself after a while, and browsers come back with the last ID.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response
from sqlalchemy import Connection, select

from wattproof.serve import watching
from wattproof.serve.asked import MESSAGE_ID
from wattproof.serve.pages import Row
from wattproof.serve.problems import Problem, unfit
from wattproof.serve.questions import watching as questions
from wattproof.serve.served import Served
from wattproof.store.problems import StoreProblem
from wattproof.store.tables import AlarmRow, BlockRow, EventRow

POLL = 0.5
"""Seconds between two looks into the store."""

HEARTBEAT = 15.0
"""Seconds of silence after which a stream says that it is there."""

LIFETIME = 600.0
"""Seconds after which a stream ends, so that others get a turn."""

RETRY = 3_000
"""Milliseconds after which a browser comes back."""

AT_ONCE = 50
"""Blocks that are read in one look."""

KNOWN = 256
"""Told blocks of which a stream remembers the hash, to say how far a reorganisation reaches."""

_log = logging.getLogger("wattproof.serve")

_ID = re.compile(r"([0-9]{1,16})-([0-9a-f]{16})", re.ASCII)


@dataclass(frozen=True)
class _Told:
    """A block that the reader knows of."""

    number: int
    digits: str

    def __str__(self) -> str:
        return f"{self.number}-{self.digits}"


def answer(served: Served, after: str | None) -> Response:
    """A stream that goes on after the message `after`; None: after the newest block. Problem 422, or 503: too many."""
    known = None
    if after is not None:
        found = _ID.fullmatch(after)
        if found is None:
            raise unfit({"Last-Event-ID": MESSAGE_ID})  # An argument `after` was looked at before.
        known = _Told(int(found[1]), found[2])
    if not served.streams.take():
        wait = str(int(LIFETIME))
        most = served.streams.most
        raise Problem(503, f"there are {most} streams, and no more: ask /api/v1/status instead", {"Retry-After": wait})
    response = Response(messages(served, known), mimetype="text/event-stream")
    # Also where nobody reads: the server closes what it answers with.
    response.call_on_close(served.streams.give_back)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # A proxy must not hold messages back.
    return response


def messages(served: Served, known: _Told | None, clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """The messages of one stream, until the server ends or its time is over."""
    reader = _Reader(served, known)
    began = said = clock()
    yield f"retry: {RETRY}\n\n"
    while not served.stopping.is_set() and clock() - began < LIFETIME:
        try:
            news = reader.news()
        except StoreProblem as problem:
            _log.warning("%s", problem)
            return  # The reader comes back.
        for message in news:
            said = clock()
            yield message
        if clock() - said >= HEARTBEAT:
            said = clock()
            yield ": heartbeat\n\n"
        if not news:
            served.stopping.wait(POLL)


class _Reader:
    """What one reader knows, and what is new to it."""

    def __init__(self, served: Served, known: _Told | None) -> None:
        self._served = served
        self._told: deque[_Told] = deque([known] if known else [], KNOWN)
        self._is_new = known is None

    def news(self) -> list[str]:
        """Messages since the last time; with the newest block alone for who knew none."""
        with self._served.connect() as connection:
            if self._is_new:
                return self._first(connection)
            if (void := self._rolled_back(connection)) is not None:
                return [void]
            after = self._told[-1].number if self._told else -1
            rows = self._blocks(connection, after)
            return [message for row in rows for message in self._block(connection, row)]

    def _first(self, connection: Connection) -> list[str]:
        statement = questions.blocks(self._served.market.id).order_by(BlockRow.number.desc()).limit(1)
        row = connection.execute(statement).mappings().first()
        if row is None:
            return []
        self._is_new = False
        return [self._said(dict(row))]

    def _rolled_back(self, connection: Connection) -> str | None:
        """A message where the last block that was told is no longer the chain's."""
        if not self._told or self._stands(connection, self._told[-1]):
            return None
        while self._told and not self._stands(connection, self._told[-1]):
            self._told.pop()
        if not self._told:  # Further than is known here: the reader begins anew.
            self._is_new = True
        return _message("rollback", {"to": self._told[-1].number if self._told else None})

    def _stands(self, connection: Connection, block: _Told) -> bool:
        found = connection.execute(
            select(BlockRow.hash).where(BlockRow.market_id == self._served.market.id, BlockRow.number == block.number)
        ).scalar()
        return found is not None and _digits(found) == block.digits

    def _blocks(self, connection: Connection, after: int) -> list[Row]:
        statement = questions.blocks(self._served.market.id).where(BlockRow.number > after)
        return [dict(row) for row in connection.execute(statement.order_by(BlockRow.number).limit(AT_ONCE)).mappings()]

    def _block(self, connection: Connection, row: Row) -> Iterator[str]:
        """The events and alarms of a block, and then the block itself, which alone has an ID."""
        number, market = row["number"], self._served.market.id
        if row["events"]:
            events = questions.events(market).where(EventRow.block == number).order_by(EventRow.index)
            for event in connection.execute(events).mappings():
                yield _message("event", _EVENT.dump(dict(event)))
        if row["alarms"]:
            alarms = questions.alarms(market).where(AlarmRow.block == number).order_by(AlarmRow.index)
            for alarm in connection.execute(alarms).mappings():
                yield _message("alarm", _ALARM.dump(dict(alarm)))
        yield self._said(row)

    def _said(self, row: Row) -> str:
        self._told.append(_Told(row["number"], _digits(row["hash"])))
        return _message("block", _BLOCK.dump(row), str(self._told[-1]))


_EVENT, _ALARM, _BLOCK = watching.Event(), watching.Alarm(), watching.Block()


def _digits(hash: str) -> str:
    return hash[2:18]


def _message(kind: str, data: Any, identity: str | None = None) -> str:
    marked = f"id: {identity}\n" if identity else ""
    return f"{marked}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
