"""Python's values as JSON, nothing lost: whole numbers and bytes of the chain do not fit into other programs' JSON."""

from __future__ import annotations

import json
import zlib
from typing import Any

from wattproof.store.records import State


def plain(value: Any) -> Any:
    """As it stands in a JSON column: whole numbers as decimal text, bytes as 0x text, lists and mappings part by part.

    >>> plain({"volume": 2**200 // 10**50, "good": True, "users": ["0x00"], "salt": b"\\x01"})
    {'volume': '16069380442', 'good': True, 'users': ['0x00'], 'salt': '0x01'}
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    return [plain(part) for part in value]


def pack(value: Any) -> bytes:
    """JSON, compressed. Whole numbers stay what they are: Python reads them back to the last digit."""
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)


def unpack(data: bytes) -> Any:
    """What was packed."""
    return json.loads(zlib.decompress(data))


Views = dict[str, list[list[Any]]]
"""A `State` as JSON has it: by name of the table, a list of [key parts ..., fields ...]."""


def views_of(state: State) -> Views:
    """The state in the form in which it is kept."""
    return {
        "accounts": [[user, *map(_word, view)] for user, view in state.accounts.items()],
        "quotes": [[number, *map(_word, view)] for number, view in state.quotes.items()],
        "bids": [[*key, *map(_word, bid)] for key, bid in state.bids.items()],
        "trades": [[number, [list(trade) for trade in trades]] for number, trades in state.trades.items()],
        "readings": [[*key, *map(_word, reading)] for key, reading in state.readings.items()],
        "positions": [[*key, *map(_word, position)] for key, position in state.positions.items()],
        "periods": [[period, *totals] for period, totals in state.totals.items()],
    }


def _word(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
