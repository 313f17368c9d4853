"""How what a market says is shown: amounts exactly and in one unit, people by name, times as local time.

Everything stays what it was: a struct is a tuple of the exact numbers, a time or a period a whole number.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wattproof.market.tariff import PRICES as PRICED
from wattproof.market.tariff import Tariff
from wattproof.market.units import Display
from wattproof.play.slips import no_such, one_line
from wattproof.terms.model import ZERO_ADDRESS, BidStatus, QuoteStatus
from wattproof.terms.places import CUT_OFF

PLACE = "Europe/London"
"""Where the market lies: its times are shown as clocks there tell them."""

MONEY = frozenset(
    (
        *("balance", "reserved", "grid_account", "amount", "cleared", "payment", "fee", "compensation", "revenue"),
        "value",  # of the token's events
        *("paid", "earned", "fees", "compensated", "grid", "market", "grid_alone", "saving"),
    )
)
ENERGY = frozenset(
    ("volume", "sold", "filled", "exported", "imported", "agreed", "bought", "received", "delivered", "capacity")
)
PRICES = frozenset(("price", "sbp", "ssp", "service_fee"))
"""The fields of structs and events that hold money, energy and prices."""

UNITS = MONEY | ENERGY | PRICES | {"period"}
"""The fields whose number says little without its unit, or the local time."""

STATUS = {"Quote": QuoteStatus, "Bid": BidStatus}


def zone(place: str) -> ZoneInfo:
    """The zone that is called so. ValueError where there is none."""
    try:
        return ZoneInfo(place)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError(f"there is no zone {place!r}: name one such as {PLACE!r}") from None


class Told(int):
    """A whole number that shows what it stands for."""

    text: str

    def __new__(cls, number: int, text: str) -> Told:
        told = super().__new__(cls, number)
        told.text = text
        return told

    def __getnewargs__(self) -> tuple[int, str]:  # type: ignore[override]
        return int(self), self.text  # what a copy is made of

    def __repr__(self) -> str:
        return self.text


class Known(str):
    """An address that shows who has it."""

    def __new__(cls, address: str, name: str) -> Known:
        known = super().__new__(cls, address)
        known.name = name
        return known

    name: str

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return str(self), self.name  # what a copy is made of

    def __repr__(self) -> str:
        return f"<{self.name} {self!s}>"


class Show:
    """How one market shows what it says.

    display   of amounts
    names     of people, by address

    ValueError where there is no zone `place`.
    """

    def __init__(self, display: Display, names: Mapping[str, str], period_length: int, place: str = PLACE) -> None:
        self.display, self.names = display, names
        self._length = period_length
        self._zone = zone(place)

    def moment(self, second: int) -> str:
        """A second as local time, with its offset and the number: "2019-06-21 00:30:00 +0100 (1561073400)"."""
        local = self._local(second, "%Y-%m-%d %H:%M:%S %z")
        return f"{local} ({int(second)})" if local else str(int(second))

    def period(self, period: int) -> str:
        """A period with the local time at which it begins: "867262 (2019-06-21 00:00 +0100)"."""
        local = self._local(period * self._length, "%Y-%m-%d %H:%M %z") if period else ""
        return f"{int(period)} ({local})" if local else str(int(period))

    def _local(self, second: int, form: str) -> str:
        """Local time; empty where no calendar reaches."""
        try:
            return datetime.fromtimestamp(second, self._zone).strftime(form)
        except (OverflowError, ValueError, OSError):
            return ""

    def name(self, address: str) -> str:
        """What somebody is called, or else the address."""
        return "nobody" if address == ZERO_ADDRESS else self.names.get(address, address)

    def tariff(self, tariff: Tariff) -> Tariff:
        """A tariff whose prices show what they stand for."""
        prices = {name: getattr(tariff, name) for name in PRICED}
        return replace(
            tariff, **{name: Told(one, f"{self.display.price(one)} ({int(one)})") for name, one in prices.items()}
        )

    def party(self, address: str) -> str:
        """An address that shows who has it, where somebody known does."""
        return Known(address, self.names[address]) if address in self.names else address

    def field(self, kind: str, name: str, value: Any) -> str:
        """A field of a struct or an event, as people read it."""
        for fields, written in self._written:
            if name in fields:
                return written(value)
        if name == "status":
            return STATUS[kind](value).name or "none"
        if isinstance(value, list):
            return ", ".join(map(str, value)) or "none"
        if (kind, name) == ("Bid", "seal") and any(value):
            return f"0x{value.hex()} (its first {256 - CUT_OFF} bits)"
        return "0x" + value.hex() if isinstance(value, bytes) else self.name(str(value))

    @property
    def _written(self) -> tuple[tuple[Iterable[str], Callable[[int], str]], ...]:
        display = self.display
        return (
            (MONEY, display.money),
            (ENERGY, display.energy),
            (PRICES, display.price),
            (("period",), self.period),
            (("created_at",), lambda second: self.moment(second) if second else "0"),
        )

    def struct(self, struct: Any) -> Any:
        """A struct or an event of the contract as one that people read; a list of them as a table."""
        if isinstance(struct, list):
            return Rows(map(self.struct, struct))
        if isinstance(struct, str):
            return self.party(struct)
        if not hasattr(struct, "_fields"):
            return struct
        kind = type(struct).__name__
        values = (self._told(kind, name, value) for name, value in zip(struct._fields, struct, strict=True))
        return _readable(type(struct), kind, self)(*values)

    def _told(self, kind: str, name: str, value: Any) -> Any:
        """A field's value, which shows what it stands for; amounts with the exact number beside it."""
        if name == "status":
            return STATUS[kind](value)
        for fields, written in self._written:
            if name in fields:
                beside = name in ("period", "created_at")
                return Told(value, written(value) if beside else f"{written(value)} ({value})")
        return self.struct(value)


def _readable(base: type[Any], name: str, show: Show) -> type[Any]:
    """The class of structs of this kind, which show themselves."""

    class Struct(base):
        instead = ""
        """What is shown in the place of the fields, where they tell of nothing."""

        def cells(self) -> dict[str, str]:
            """What each field says."""
            return {field: show.field(name, field, getattr(self, field)) for field in self._fields}

        def __repr__(self) -> str:
            if self.instead:
                return self.instead
            cells = self.cells()
            width = max(map(len, cells), default=0)
            return "\n".join([name, *(f"  {field:<{width}}  {text}" for field, text in cells.items())])

        def _repr_html_(self) -> str | None:
            return None if self.instead else table(name, [], self.cells().items())

        @one_line
        def __getattr__(self, missing: str) -> Any:
            raise no_such(name, missing, self._fields)

        def __dir__(self) -> Iterable[str]:
            return self._fields

    Struct.__name__ = name
    return Struct


class Rows(list[Any]):
    """A list that shows itself as a table, where it holds structs."""

    instead = ""
    """What is shown where it is empty, and why."""

    @one_line
    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, str):
            raise TypeError(f"the rows of a table are numbered from 0, and none is called {at!r}")
        return Rows(super().__getitem__(at)) if isinstance(at, slice) else super().__getitem__(at)

    @one_line
    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        each = f", but its rows may: [row.{name} for row in ...]" if self and name in dir(self[0]) else ""
        raise AttributeError(f"a table has no {name!r}{each}")

    def _table(self) -> tuple[str, list[list[str]]] | None:
        """What the rows are, and the cells with the headings first; None where there are no structs."""
        if not self or not all(hasattr(row, "cells") for row in self) or len({type(row).__name__ for row in self}) > 1:
            return None
        return type(self[0]).__name__, [list(self[0].cells()), *(list(row.cells().values()) for row in self)]

    def __repr__(self) -> str:
        found = self._table()
        if found is None:
            return "\n".join(map(repr, self)) if self else self.instead or super().__repr__()
        name, rows = found
        return "\n".join([name, *(f"  {line}" for line in aligned(rows))])

    def _repr_html_(self) -> str | None:
        """None, so that a notebook shows the text, where there is no row or one that is no struct."""
        found = self._table()
        if found is None:
            structs = bool(self) and all(hasattr(row, "cells") for row in self)
            return "".join(row._repr_html_() for row in self) if structs else None
        name, rows = found
        return table(name, rows[0], rows[1:])


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of cells as lines, column under column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in HTML: with headings above, or else with the first cell of each row as its heading."""
    first = "<tr>" + "".join(f"<th>{html.escape(heading)}</th>" for heading in headings) + "</tr>" if headings else ""
    tag = "td" if headings else "th"
    lines = (f"<tr><{tag}>{html.escape(head)}</{tag}>{''.join(map(cell, rest))}</tr>" for head, *rest in rows)
    return f"<table><caption>{html.escape(caption)}</caption>{first}{''.join(lines)}</table>"


def cell(text: str) -> str:
    """A cell of a table."""
    return f"<td>{html.escape(text)}</td>"
