"""The tracked rows that a block may change: fetched in bulk, changed here, and told apart from what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Key = tuple[Any, ...]
Row = dict[str, Any]
Load = Callable[[str, Sequence[str], list[Key]], Iterable[Row]]
"""Fetches the rows of a table whose columns of these names have one of these values."""

KEYS: dict[str, tuple[str, ...]] = {
    "accounts": ("address",),
    "quotes": ("quote_id",),
    "bids": ("quote_id", "bidder"),
    "trades": ("quote_id", "index"),
    "readings": ("user", "period"),
    "positions": ("user", "period"),
    "periods": ("period",),
    "bills": ("user", "period"),
    "checks": ("invariant",),
}
"""What tells the rows of a tracked table of one market apart."""

_OF_QUOTES = ("bids", "trades")


class Working:
    """Rows by table and key. A row is a dict of all columns but the market's."""

    def __init__(self, block: int, load: Load) -> None:
        self.block = block
        self._load = load
        self._rows: dict[str, dict[Key, Row]] = {name: {} for name in KEYS}
        self._before: dict[str, dict[Key, Row]] = {name: {} for name in KEYS}
        self._fetched: dict[tuple[str, ...], set[Key]] = {}
        self._of_quote: dict[str, dict[int, list[Key]]] = {name: {} for name in _OF_QUOTES}

    def fetch(self, name: str, columns: Sequence[str], values: Iterable[Key]) -> None:
        """Fetches rows by the values of columns; those that were fetched already stay as they are now."""
        fetched = self._fetched.setdefault((name, *columns), set())
        wanted = sorted(set(values) - fetched)
        fetched.update(wanted)
        for row in self._load(name, columns, wanted) if wanted else ():
            key = tuple(row[column] for column in KEYS[name])
            if key not in self._before[name]:
                self._before[name][key] = row
                self._keep(name, key, dict(row))

    def get(self, name: str, key: Key) -> Row | None:
        """A row as it stands now; None where there is none. It must have been fetched."""
        return self._rows[name].get(key)

    def of_quote(self, name: str, quote_id: int) -> list[Row]:
        """The bids or the trades of a quote, as they were fetched and added; trades in their order."""
        return [self._rows[name][key] for key in self._of_quote[name].get(quote_id, ())]

    def put(self, name: str, key: Key, **changes: Any) -> None:
        """Changes columns of a row. A new row has to be given all of them."""
        row = self._rows[name].get(key)
        if row is None:
            row = dict(zip(KEYS[name], key, strict=True)) | {"first_block": self.block, "last_block": self.block}
            self._keep(name, key, row)
            row.update(changes)
        elif any(row[column] != value for column, value in changes.items()):
            row.update(changes, last_block=self.block)

    def changed(self, name: str) -> list[Row]:
        """The rows of a table that differ from what they were."""
        before = self._before[name]
        return [row for key, row in self._rows[name].items() if row != before.get(key)]

    def before(self, name: str) -> list[tuple[Key, Row | None]]:
        """Key and row before, None where there was none, of all rows of a table that differ from what they were."""
        before = self._before[name]
        return [(key, before.get(key)) for key, row in self._rows[name].items() if row != before.get(key)]

    def _keep(self, name: str, key: Key, row: Row) -> None:
        self._rows[name][key] = row
        if name in _OF_QUOTES:
            self._of_quote[name].setdefault(key[0], []).append(key)
