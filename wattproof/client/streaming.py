"""Server-sent events, read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wattproof import documents
from wattproof.client.http import ApiError, Server

_SILENCE = 60.0
"""Seconds after which a stream counts as broken; the server says something every fifteen."""

_PAUSE = 1.0
"""Seconds before a stream that ended is asked for again."""


@dataclass(frozen=True)
class Message:
    """A message: `kind` is block, event, alarm or rollback; those of a block have an ID to go on from."""

    kind: str
    data: dict[str, Any]
    id: str | None


def messages(server: Server, after: str | None) -> Iterator[Message]:
    """Messages for as long as they are read; a stream that ends is asked for again. ApiError where none ever began."""
    last, begun = after, False
    while True:
        try:
            headers = {"Last-Event-ID": last} if last else {}
            for message in _read(server.lines("stream", headers, _SILENCE)):
                begun = True
                last = message.id or last
                yield message
        except ApiError:
            if not begun:
                raise
        time.sleep(_PAUSE)


def _read(lines: Iterator[str]) -> Iterator[Message]:
    found: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in found:
                yield Message(found.get("event", "message"), documents.parsed(found["data"]), found.get("id"))
            found = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")
