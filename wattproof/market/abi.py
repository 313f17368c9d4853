"""A contract's interface, read from its ABI: calldata of calls, what events and views say, why a call was refused.

titanoboa's own encoding and decoding take longer than most calls. Here words and byte strings are packed by hand; where
arrays or tuples are among the arguments, titanoboa's encoder packs them.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

from boa.util.abi import Address, abi_decode, abi_encode
from eth_utils.crypto import keccak

_ERROR_STRING = keccak(text="Error(string)")[:4]


class Function:
    """A function of a contract: its name, the names and ABI types of its arguments, its selector."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.name: str = entry["name"]
        self.names: list[str] = [argument["name"] for argument in entry["inputs"]]
        self.types = [abi_type(argument) for argument in entry["inputs"]]
        self.is_view = entry["stateMutability"] in ("view", "pure")
        self.selector = keccak(text=f"{self.name}({','.join(self.types)})")[:4]
        self._is_packed = all("[" not in kind and "(" not in kind and kind != "string" for kind in self.types)
        self.outputs: list[dict[str, Any]] = entry["outputs"]

    def encode(self, args: Sequence[Any]) -> bytes:
        """The calldata of a call.

        Raises ValueError, OverflowError or titanoboa's EncodingError where an argument does not fit its type.
        """
        if not self._is_packed:
            return self.selector + abi_encode(f"({','.join(self.types)})", tuple(args))
        head, tail = [self.selector], b""
        for kind, value in zip(self.types, args, strict=True):
            if kind == "bytes":
                head.append((32 * len(self.types) + len(tail)).to_bytes(32, "big"))
                tail += len(value).to_bytes(32, "big") + value + bytes(-len(value) % 32)
            else:
                head.append(word(value))
        return b"".join(head) + tail

    def arguments(self, data: bytes) -> tuple[Any, ...] | None:
        """The arguments of a call with this calldata; None where it is not exactly what `encode` makes of any.

        Numbers, addresses in checksum form, bytes, lists; a struct is a tuple. A contract may take calldata of other
        forms: with more bytes behind it, say.
        """
        if data[:4] != self.selector:
            return None
        try:
            if all(kind in _WHOLE_WORDS for kind in self.types):
                words = (data[at : at + 32] for at in range(4, len(data), 32))
                found = tuple(_READERS[kind](raw) for kind, raw in zip(self.types, words, strict=True))
            else:
                found = abi_decode(f"({','.join(self.types)})", data[4:])
            return found if self.encode(found) == data else None
        except Exception:
            # Whatever the decoder makes of what anybody may have sent: it is no such call.
            return None

    @functools.cached_property
    def decode(self) -> Callable[[bytes], Any]:
        """What turns return data into Python: a struct of words becomes a named tuple, several values a tuple."""
        if len(self.outputs) == 1:
            (output,) = self.outputs
            if output["type"] in _READERS:
                return _READERS[output["type"]]
            if output["type"] == "tuple" and all(part["type"] in _READERS for part in output["components"]):
                return _record(self.name, output["components"])
        kinds = f"({','.join(map(abi_type, self.outputs))})"
        single = len(self.outputs) == 1

        def decoded(output: bytes) -> Any:
            values = abi_decode(kinds, output)
            return values[0] if single else values

        return decoded


class Event:
    """An event of a contract: its name and first topic."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.name: str = entry["name"]
        kinds = ",".join(abi_type(field) for field in entry["inputs"])
        self.topic = int.from_bytes(keccak(text=f"{self.name}({kinds})"), "big")
        self._fields = [(field["name"], field["type"], field["indexed"]) for field in entry["inputs"]]

    def words(self, topics: Sequence[int], data: bytes) -> dict[str, int]:
        """The fields as whole numbers, the way they stand in a log; a text as the number that its bytes are."""
        return {name: _number(kind, raw) for name, kind, raw in self._raw(topics, data)}

    def values(self, topics: Sequence[int], data: bytes) -> dict[str, Any]:
        """The fields as Python has them: numbers, addresses in checksum form, bytes, text."""
        return {
            name: raw.decode() if kind == "string" else _READERS[kind](raw)
            for name, kind, raw in self._raw(topics, data)
        }

    def _raw(self, topics: Sequence[int], data: bytes) -> list[tuple[str, str, bytes]]:
        """Name, type and bytes of every field."""
        indexed, at, found = iter(topics[1:]), 0, []
        for name, kind, is_topic in self._fields:
            if is_topic:
                raw = next(indexed).to_bytes(32, "big")
            else:
                raw, at = data[at : at + 32], at + 32
                if kind == "string":
                    start = int.from_bytes(raw, "big")
                    length = int.from_bytes(data[start : start + 32], "big")
                    raw = data[start + 32 : start + 32 + length]
            found.append((name, kind, raw))
        return found


class Interface:
    """Functions by name, events by first topic, and the encoder of the constructor's arguments."""

    def __init__(self, abi: Sequence[dict[str, Any]]) -> None:
        self.functions = {entry["name"]: Function(entry) for entry in abi if entry["type"] == "function"}
        self._by_selector = {function.selector: function for function in self.functions.values()}
        events = (Event(entry) for entry in abi if entry["type"] == "event")
        self.events = {event.topic: event for event in events}
        constructor = next((entry for entry in abi if entry["type"] == "constructor"), {"inputs": []})
        self._constructor = [abi_type(argument) for argument in constructor["inputs"]]

    def call(self, function: str, *args: Any) -> bytes:
        """The calldata of a call."""
        return self.functions[function].encode(args)

    def decode_call(self, data: bytes) -> tuple[str, tuple[Any, ...]] | None:
        """The function that calldata calls, and its arguments; None where it is not exactly that of one."""
        function = self._by_selector.get(data[:4])
        found = None if function is None else function.arguments(data)
        return None if function is None or found is None else (function.name, found)

    def constructor(self, *args: Any) -> bytes:
        """The constructor's arguments, as they follow the creation code."""
        return abi_encode(f"({','.join(self._constructor)})", args) if args else b""

    def event(self, topics: Sequence[int], data: bytes) -> tuple[str, dict[str, int]]:
        """Name and fields of a log, as whole numbers (see `Event.words`)."""
        event = self.events.get(topics[0])
        return (event.name, event.words(topics, data)) if event else (f"unknown event {topics[0]:#x}", {})


@functools.lru_cache(maxsize=64)
def interface(contract: Any) -> Interface:
    """The interface of one of titanoboa's contracts."""
    return Interface(contract.abi)


def abi_type(entry: dict[str, Any]) -> str:
    """The ABI type of an argument, tuples spelt out."""
    if not entry["type"].startswith("tuple"):
        return entry["type"]
    return f"({','.join(map(abi_type, entry['components']))}){entry['type'][len('tuple') :]}"


def word(value: int | str | bytes) -> bytes:
    """An argument as a word: 32 bytes as they are, an address in hexadecimal, or a number from 0 on."""
    if isinstance(value, bytes):
        if len(value) != 32:
            raise ValueError(f"a word has 32 bytes, not {len(value)}")
        return value
    return address_word(value) if isinstance(value, str) else value.to_bytes(32, "big")


def signed_word(value: int) -> bytes:
    """A number as a word, negative ones in two's complement."""
    return (value % 2**256).to_bytes(32, "big")


@functools.lru_cache(maxsize=10_000)
def address_word(address: str) -> bytes:
    """An address as a word."""
    return int(address, 16).to_bytes(32, "big")


def revert_reason(output: bytes) -> str | None:
    """The reason in a revert's data, None where there is none."""
    if output[:4] != _ERROR_STRING:
        return None
    return output[68 : 68 + int.from_bytes(output[36:68], "big")].decode(errors="replace")


def each(argument: Any, change: Callable[[Any], Any]) -> Any:
    """An argument with each of its parts changed, however deep in lists and tuples."""
    if type(argument) not in (list, tuple):
        return change(argument)
    return type(argument)(each(part, change) for part in argument)


@functools.lru_cache(maxsize=10_000)
def _checksum(raw: bytes) -> str:
    return str(Address(raw[12:]))


def _unsigned(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


_READERS: dict[str, Callable[[bytes], Any]] = {
    "address": _checksum,
    "bool": lambda raw: any(raw),
    "bytes32": bytes,
    "int256": _signed,
    **{f"uint{bits}": _unsigned for bits in range(8, 257, 8)},
}
"""What turns a word of a static type into Python."""


_WHOLE_WORDS = ("address", "bool", "bytes32", "uint256")
"""Types of which a word is decoded and encoded again without a loss, and any other word is not."""


def _number(kind: str, raw: bytes) -> int:
    return _signed(raw) if kind == "int256" else _unsigned(raw)


def _record(name: str, members: list[dict[str, Any]]) -> Callable[[bytes], Any]:
    record = namedtuple(name, [member["name"] for member in members])  # type: ignore[misc]
    readers = [_READERS[member["type"]] for member in members]

    def decoded(output: bytes) -> Any:
        return record(*(read(output[32 * at : 32 * at + 32]) for at, read in enumerate(readers)))

    return decoded
