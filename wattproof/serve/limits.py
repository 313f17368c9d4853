"""What one client may take of the server: requests in a time, and streams at a time.

Everything is kept in the process, and what is kept is bounded: a stranger with many addresses costs no memory.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_BODY = 128 * 1024
"""Bytes of a request's body; a batch of 64 signed readings comes to a third of it."""

MAX_CLIENTS = 10_000
"""Clients whose requests are counted; beyond them the one that was silent longest is forgotten."""


@dataclass(frozen=True)
class Rate:
    """How much one client may ask: `burst` requests at once, and `per_second` more with each second."""

    per_second: float = 20.0
    burst: int = 200


class Buckets:
    """A token bucket for each client. Safe to use from many threads."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds that never go back."""
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, cost: int = 1) -> float:
        """Takes `cost` requests of a client's; returns 0 where it may, else the seconds until it may."""
        now, rate = self._clock(), self._rate
        with self._lock:
            level, since = self._levels.pop(client, (float(rate.burst), now))
            level = min(float(rate.burst), level + (now - since) * rate.per_second)
            wait = 0.0 if level >= cost else (cost - level) / rate.per_second
            self._levels[client] = (level if wait else level - cost, now)
            if len(self._levels) > MAX_CLIENTS:
                self._levels.popitem(last=False)
        return wait


def client_of(address: str | None) -> str:
    """Who counts as one client: an IPv4 address, or the /64 network of an IPv6 address, which one household has."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))


class Slots:
    """A bounded number of streams. Each holds a thread of the server as long as it lasts."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._held = 0

    @property
    def held(self) -> int:
        """How many are held now."""
        return self._held

    def take(self) -> bool:
        """Takes one, if one is free."""
        with self._lock:
            if self._held >= self.most:
                return False
            self._held += 1
            return True

    def give_back(self) -> None:
        """Gives back one that was taken."""
        with self._lock:
            self._held -= 1
