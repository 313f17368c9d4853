"""Calldata as the market reads it: what vyper takes, refuses, and reads as zero.

A decoder of the ABI would refuse more than the contract does: it reads what is not there as zero, wherever a list or a
byte string points to, and refuses only what is cut short in its head, too long for its type, or no address or truth
value (annex A, its last paragraph).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wattproof.chain.answers import address_of
from wattproof.market.abi import Function
from wattproof.terms.model import MAX_BATCH

LONGEST_SIGNATURE = 65


class Unreadable(ValueError):
    """Calldata that the market refuses before it begins."""


class Calls:
    """The calls of a market, by selector."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._by_selector = {function.selector: function for function in functions.values()}

    def read(self, data: bytes) -> tuple[str, tuple[Any, ...]] | None:
        """Name and arguments of a call; None for a view. Raises Unreadable where the market has no such call."""
        function = self._by_selector.get(data[:4])
        if len(data) < 4 or function is None:
            raise Unreadable("no such call")
        if function.is_view:
            return None
        return function.name, _arguments(data[4:], function.types)


def _arguments(data: bytes, types: list[str]) -> tuple[Any, ...]:
    if len(data) < 32 * len(types):
        raise Unreadable("cut short")
    return tuple(_READERS[kind](data, 32 * place) for place, kind in enumerate(types))


def _word(data: bytes, at: int) -> bytes:
    return data[at : at + 32].ljust(32, b"\0")


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(_word(data, at), "big")


def _address(data: bytes, at: int) -> str:
    word = _word(data, at)
    if any(word[:12]):
        raise Unreadable("no address")
    return address_of("0x" + word[12:].hex())


def _bool(data: bytes, at: int) -> bool:
    number = _number(data, at)
    if number > 1:
        raise Unreadable("no truth value")
    return number == 1


def _pointed(data: bytes, base: int, at: int) -> int:
    """Where the offset at `at`, counted from `base`, leads to."""
    return base + _number(data, at)


def _signature(data: bytes, at: int, base: int = 0) -> bytes:
    start = _pointed(data, base, at)
    length = _number(data, start)
    if length > LONGEST_SIGNATURE:
        raise Unreadable("too long")
    return data[start + 32 : start + 32 + length].ljust(length, b"\0")


def _list(data: bytes, at: int, read: Callable[[bytes, int, int], Any]) -> list[Any]:
    """A list; `read` is told where the list's entries begin, and where this one's word lies."""
    start = _pointed(data, 0, at)
    length = _number(data, start)
    if length > MAX_BATCH:
        raise Unreadable("too long")
    first = start + 32
    return [read(data, first, first + 32 * index) for index in range(length)]


def _entry(data: bytes, first: int, at: int) -> tuple[str, int, int, bytes]:
    base = _pointed(data, first, at)
    exported, imported = _number(data, base + 32), _number(data, base + 64)
    return _address(data, base), exported, imported, _signature(data, base + 96, base)


_READINGS = "(address,uint256,uint256,bytes)[]"

_READERS: dict[str, Callable[[bytes, int], Any]] = {
    "uint256": _number,
    "bytes32": _word,
    "address": _address,
    "bool": _bool,
    "bytes": _signature,
    "address[]": lambda data, at: _list(data, at, lambda data, first, at: _address(data, at)),
    _READINGS: lambda data, at: _list(data, at, _entry),
}
