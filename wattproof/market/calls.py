"""Calls of a contract without titanoboa's generic encoding and decoding, which take longer than most calls.

What a call does is the same, as are the errors of refused ones. Words (integers from 0, addresses, 32 bytes) and byte
strings are packed here; where anything else is among the arguments, titanoboa packs them.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable
from typing import Any

from boa.util.abi import Address
from eth_abi.abi import decode
from vyper.semantics.types import StructT

from wattproof.simulation.accounting import Event

_WORD = re.compile(r"(u?int\d+|address|bytes32|bool)")
_PACKED = re.compile(r"(uint\d+|address|bytes32|bytes)")


class Calls:
    """Calls the functions of one contract, and reads its events."""

    def __init__(self, env: Any, contract: Any) -> None:
        """`env` is the environment that `contract` was deployed in."""
        self.env = env
        self.contract = contract
        self._own = contract.address.canonical_address
        self._functions: dict[str, tuple[bytes, list[str] | None, Any]] = {}
        self._results: dict[str, Any] = {}
        self._events = {topic: _decoder(abi) for topic, abi in contract.event_abi_for.items()}

    def send(self, function: str, *arguments: Any, sender: str, value: int = 0) -> Any:
        """Calls `function`, with `value` wei; returns titanoboa's computation. Raises BoaError where it is refused."""
        computation = self.env.execute_code(
            to_address=self.contract.address,
            sender=sender,
            value=value,
            data=self.data(function, *arguments),
            is_modifying=True,
            contract=self.contract,
        )
        if computation.is_error:
            self.contract.handle_error(computation)
        return computation

    def view(self, function: str, *arguments: Any) -> Any:
        """What a view says that returns a number, or a struct of words: then a named tuple. Raises BoaError."""
        data = self.data(function, *arguments)
        # A market's views may be answered by its lens (see `wattproof.market.deployment.with_views`).
        answering = self._functions[function][2].contract
        computation = self.env.execute_code(
            to_address=answering.address, data=data, is_modifying=False, contract=answering
        )
        if computation.is_error:
            answering.handle_error(computation)
        if function not in self._results:
            self._results[function] = _reader(getattr(self.contract, function).func_t.return_type)
        return self._results[function](computation.output)

    def data(self, function: str, *arguments: Any) -> bytes:
        """The calldata of a call."""
        if function not in self._functions:
            call = getattr(self.contract, function)
            selector, types = call.args_abi_type(0)
            kinds = [kind for kind in types[1:-1].split(",") if kind]
            simple = all(_PACKED.fullmatch(kind) for kind in kinds)
            self._functions[function] = selector, kinds if simple else None, call
        selector, kinds, call = self._functions[function]
        return call.prepare_calldata(*arguments) if kinds is None else selector + _packed(kinds, arguments)

    def events(self, computation: Any) -> list[Event]:
        """The contract's own events of a call, in order."""
        return [
            self._events[topics[0]](topics, data)
            for _, address, topics, data in computation.get_raw_log_entries()
            if address == self._own
        ]


def each(argument: Any, change: Callable[[Any], Any]) -> Any:
    """An argument with each of its parts changed, however deep in lists and tuples."""
    if type(argument) not in (list, tuple):
        return change(argument)
    return type(argument)(each(part, change) for part in argument)


def _packed(kinds: list[str], arguments: tuple[Any, ...]) -> bytes:
    """Arguments in the ABI's form: a word each, byte strings behind them."""
    heads, tails = [], b""
    for kind, value in zip(kinds, arguments, strict=True):
        if kind == "bytes":
            heads.append((32 * len(kinds) + len(tails)).to_bytes(32, "big"))
            tails += len(value).to_bytes(32, "big") + value + bytes(-len(value) % 32)
        else:
            heads.append(_word(value))
    return b"".join(heads) + tails


def _word(value: Any) -> bytes:
    """An argument as a word: 32 bytes as they are, an address in hexadecimal, or a number from 0 on."""
    if isinstance(value, bytes):
        if len(value) != 32:
            raise ValueError(f"a word has 32 bytes, not {len(value)}")
        return value
    return (int(value, 16) if isinstance(value, str) else int(value)).to_bytes(32, "big")


def _read(kind: str, word: bytes) -> Any:
    """A word of static type as Python has it; addresses in checksum form."""
    if kind == "address":
        return str(Address(word[12:]))
    if kind == "bytes32":
        return word
    number = int.from_bytes(word, "big", signed=kind.startswith("int"))
    return bool(number) if kind == "bool" else number


def _reader(kind: Any) -> Any:
    """What turns return data into a number, or into a named tuple, for a Vyper type."""
    if not isinstance(kind, StructT):
        name = kind.abi_type.selector_name()
        if not _WORD.fullmatch(name):
            raise TypeError(f"{kind} is more than a word")
        return lambda output: _read(name, output)
    members = {name: member.abi_type.selector_name() for name, member in kind.members.items()}
    if not all(_WORD.fullmatch(member) for member in members.values()):
        raise TypeError(f"{kind} holds more than words")
    record = namedtuple(kind.name, members)
    kinds = list(members.values())

    def decoded(output: bytes) -> Any:
        return record(*(_read(kind, output[32 * at : 32 * at + 32]) for at, kind in enumerate(kinds)))

    return decoded


def _decoder(abi: dict[str, Any]) -> Any:
    """What turns the topics and data of an event into an `Event`. titanoboa's own way makes a class for every one."""
    name = abi["name"]
    indexed = [(entry["name"], entry["type"]) for entry in abi["inputs"] if entry["indexed"]]
    stored = [(entry["name"], entry["type"]) for entry in abi["inputs"] if not entry["indexed"]]
    words = all(_WORD.fullmatch(kind) for _, kind in stored)

    def decoded(topics: Any, data: bytes) -> Event:
        arguments = {}
        for (argument, kind), topic in zip(indexed, topics[1:], strict=True):
            arguments[argument] = str(Address(topic.to_bytes(20, "big"))) if kind == "address" else topic
        if words:
            for at, (argument, kind) in enumerate(stored):
                arguments[argument] = _read(kind, data[32 * at : 32 * at + 32])
        else:
            values = decode([kind for _, kind in stored], data)
            arguments.update(zip((argument for argument, _ in stored), values, strict=True))
        return name, arguments

    return decoded
