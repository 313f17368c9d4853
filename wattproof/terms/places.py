"""Where the market keeps its records, and what overwrites what: T-PARTY-18, T-PARTY-22, T-QUO-17, T-BID-17.

What is overwritten is gone: nothing here remembers it. Whether a record may be overwritten, the caller decides.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

DAY = 86_400
HORIZON = 7 * DAY  # seconds, T-QUO-3
MARGIN = DAY  # T-PARTY-22
MOST_WINDOWS = 2**36  # T-PARTY-22: so many are as good as no end
FEWEST_ROOMS = 64  # T-QUO-17
CUT_OFF = 34  # bits of a seal that are not kept, T-BID-17

Record = TypeVar("Record")


def ring_length(period_length: int, window: int) -> int:
    """T-PARTY-22: how many places there are; periods that lie so far apart, or twice as far, share one."""
    needed = (HORIZON + MARGIN) // period_length + 2 * min(window // period_length, MOST_WINDOWS) + 4
    a_day = max(DAY // period_length, 1)
    return -(-needed // a_day) * a_day


def cut(seal: bytes) -> bytes:
    """T-BID-17: what is kept of a seal."""
    return (int.from_bytes(seal, "big") >> CUT_OFF << CUT_OFF).to_bytes(32, "big")


def kept_of(seal: Hashable) -> Hashable:
    """As `cut`; a seal that is no bytes stands for itself."""
    return cut(seal) if isinstance(seal, bytes) else seal


@dataclass
class Ring(Generic[Record]):
    """T-PARTY-22: a record for each party and period, but of periods that share a place only the last begun."""

    length: int
    _kept: dict[tuple[Hashable, int], tuple[int, Record]] = field(default_factory=dict)

    def get(self, key: tuple[Hashable, int]) -> Record | None:
        """The record of a party and period, if there is one and it was not overwritten."""
        lies_there = self._kept.get(self._place(key))
        return lies_there[1] if lies_there is not None and lies_there[0] == key[1] else None

    def in_the_way(self, key: tuple[Hashable, int]) -> Record | None:
        """The record of another period, if one lies where this period's would."""
        lies_there = self._kept.get(self._place(key))
        return lies_there[1] if lies_there is not None and lies_there[0] != key[1] else None

    def __getitem__(self, key: tuple[Hashable, int]) -> Record:
        record = self.get(key)
        if record is None:
            raise KeyError(key)
        return record

    def __setitem__(self, key: tuple[Hashable, int], record: Record) -> None:
        """Keeps a record; what lay at its place is overwritten."""
        self._kept[self._place(key)] = key[1], record

    def __contains__(self, key: tuple[Hashable, int]) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        return len(self._kept)

    def items(self) -> Iterator[tuple[tuple[Hashable, int], Record]]:
        """Party and period of all that was not overwritten, with the record."""
        for (party, _), (period, record) in self._kept.items():
            yield (party, period), record

    def _place(self, key: tuple[Hashable, int]) -> tuple[Hashable, int]:
        party, period = key
        return party, period % self.length


class Tenant(Protocol):
    """What lies in a room."""

    @property
    def is_open(self) -> bool:
        """Whether it keeps its room."""
        ...


Kept = TypeVar("Kept", bound=Tenant)


@dataclass
class Rooms(Generic[Kept]):
    """T-QUO-17: quotes by number, each in a room; where a new one moves in, what was there is gone."""

    rooms: int = FEWEST_ROOMS
    count: int = 0
    _kept: dict[int, Kept] = field(default_factory=dict)  # by number
    _tenants: dict[int, int] = field(default_factory=dict)  # numbers by room

    def get(self, number: int) -> Kept | None:
        """The quote with that number, if its room still keeps it."""
        return self._kept.get(number)

    def __getitem__(self, number: int) -> Kept:
        return self._kept[number]

    def __contains__(self, number: int) -> bool:
        return number in self._kept

    def items(self) -> Iterator[tuple[int, Kept]]:
        """Number and quote of all that their rooms still keep, in the order of their numbers."""
        return iter(sorted(self._kept.items()))

    def move_in(self, quote: Kept) -> int:
        """Gives a quote the next number and the room that follows from it; returns the number."""
        self.count += 1
        while self._is_taken(self.count % self.rooms):
            self.rooms *= 2
        self.put(self.count % self.rooms, self.count, quote)
        return self.count

    def put(self, room: int, number: int, quote: Kept) -> None:
        """Puts the quote of that number into a room; what was there is gone."""
        if room in self._tenants:
            del self._kept[self._tenants[room]]
        self._tenants[room] = number
        self._kept[number] = quote

    def tenants(self) -> Iterator[tuple[int, int, Kept]]:
        """Room, number and quote of all that their rooms still keep."""
        for room, number in self._tenants.items():
            yield room, number, self._kept[number]

    def _is_taken(self, room: int) -> bool:
        return room in self._tenants and self._kept[self._tenants[room]].is_open
