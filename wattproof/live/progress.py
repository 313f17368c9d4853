"""What a run shows of itself: one line, from what the data API says."""

from __future__ import annotations

import http.client
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from wattproof import documents

_TIMEOUT = 10
"""Seconds for an answer of our own server."""


@dataclass(frozen=True)
class Seen:
    """What the watcher has seen, as the data API tells it; None where it has seen nothing yet.

    block, period, now   the last block that was watched, the delivery period that runs then, and its second
    """

    block: int | None
    now: int | None
    period: int | None
    calls: int
    alarms: int


def seen(port: int) -> Seen | None:
    """What the data API on 127.0.0.1 says now; None while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/api/v1/status")
        response = connection.getresponse()
        told: Any = documents.parsed(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    if response.status != 200:
        return None
    watched = told["watched"]
    counts = told["counts"]
    return Seen(watched and watched["number"], told["now"], told["period"], counts["calls"], counts["alarms"])


class Line:
    """The line of progress: written over itself on a terminal, and elsewhere a line for each half-hour."""

    def __init__(self, console: Console, first: int, periods: int) -> None:
        """`first` is the market's number of the day's first period, of which there are `periods`."""
        self._console, self._first, self._periods = console, first, periods
        self._shown = ""
        self._period: int | None = None

    def show(self, block: int, found: Seen | None) -> None:
        """Shows how far chain and watcher are."""
        if found is None or found.now is None or found.period is None:
            return
        number = min(found.period - self._first + 1, self._periods)
        where = f"half-hour {number} of {self._periods}" if number > 0 else "before the day"
        time = datetime.fromtimestamp(found.now, UTC).strftime("%H:%M")
        alarms = "no alarm" if not found.alarms else f"{found.alarms} alarm{'s' if found.alarms > 1 else ''}"
        line = f"{time}  {where}, block {block}, watched to {found.block}, {found.calls} calls compared, {alarms}"
        if self._console.is_terminal:
            self._over(line[: self._console.width - 1])
        elif found.period != self._period:
            self._period = found.period
            self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _over(self, line: str) -> None:
        sys.stdout.write(f"\r{line.ljust(len(self._shown))}")
        sys.stdout.flush()
        self._shown = line

    def end(self) -> None:
        """Leaves the line as it is; what follows begins a new one."""
        if self._shown:
            sys.stdout.write("\n")
            self._shown = ""
