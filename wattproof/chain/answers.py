"""What a node answers about blocks and receipts, in Python's types. Its shape is checked, field by field.

Addresses are in checksum form, hashes texts of 0x and 64 digits in lower case, numbers ints, data bytes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

_HASH = re.compile("0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")
_NUMBER = re.compile("0x[0-9a-fA-F]{1,64}")


class BadShape(ValueError):
    """An answer is not of the shape that it should have; the text names the field."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of a block.

    sender   who signed it
    to       whom it calls; None: it creates a contract
    value    wei
    """

    hash: str
    index: int
    sender: str
    to: str | None
    data: bytes
    value: int
    nonce: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block.

    parent         hash of the block before
    timestamp      Unix seconds
    transactions   whole ones, or their hashes, as they were asked for
    base_fee       wei per gas; None on a chain without
    """

    number: int
    hash: str
    parent: str
    timestamp: int
    transactions: tuple[Transaction, ...] | tuple[str, ...]
    base_fee: int | None = None
    gas_limit: int = 0

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of its transactions."""
        return tuple(one if isinstance(one, str) else one.hash for one in self.transactions)


@dataclass(frozen=True, slots=True)
class Log:
    """An event. `index` counts within the block, `topics` are words as numbers."""

    index: int
    address: str
    topics: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction.

    status      whether it did what it should
    gas_price   wei per gas that was paid
    contract    the address of what it created
    """

    transaction_hash: str
    index: int
    status: bool
    gas_used: int
    gas_price: int
    logs: tuple[Log, ...]
    block_hash: str
    contract: str | None
    block_number: int = 0


def field(answer: Any, name: str) -> Any:
    """A field of an object. Raises BadShape where it is none, or lacks the field."""
    if not isinstance(answer, Mapping) or name not in answer:
        raise BadShape(f"without {name}")
    return answer[name]


def number(value: Any, what: str = "a number") -> int:
    """A quantity such as 0x1f. Raises BadShape."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise BadShape(f"with a {what} that is no hexadecimal number")
    return int(value, 16)


def hash_of(value: Any, what: str = "hash") -> str:
    """A hash. Raises BadShape."""
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise BadShape(f"with a {what} that is no hash")
    return value.lower()


def address_of(value: Any, what: str = "address") -> str:
    """An address, in checksum form. Raises BadShape."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise BadShape(f"with a {what} that is no address")
    return _checksum(value.lower())


@functools.lru_cache(maxsize=10_000)
def _checksum(lower: str) -> str:
    return to_checksum_address(lower)


def data_of(value: Any, what: str = "data") -> bytes:
    """Bytes such as 0x00ff. Raises BadShape."""
    if isinstance(value, str) and value.startswith("0x") and value.isalnum():
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass  # Told below, as all that is no such text.
    raise BadShape(f"with {what} that are not hexadecimal digits in pairs")


def optional(answer: Any, name: str, read: Any) -> Any:
    """A field as `read` makes it of its value and its name; None where it is not there."""
    value = answer.get(name)
    return None if value is None else read(value, name)


def each_of(value: Any, what: str) -> list[Any]:
    """A list. Raises BadShape."""
    if not isinstance(value, list):
        raise BadShape(f"with {what} that are no list")
    return value


def block_of(answer: Any, full: bool) -> Block:
    """A block, with whole transactions where `full`. Raises BadShape."""
    listed = each_of(field(answer, "transactions"), "transactions")
    return Block(
        number(field(answer, "number"), "number"),
        hash_of(field(answer, "hash")),
        hash_of(field(answer, "parentHash"), "parentHash"),
        number(field(answer, "timestamp"), "timestamp"),
        tuple(map(_transaction, listed)) if full else tuple(map(hash_of, listed)),
        optional(answer, "baseFeePerGas", number),
        number(field(answer, "gasLimit"), "gasLimit"),
    )


def _transaction(answer: Any) -> Transaction:
    return Transaction(
        hash_of(field(answer, "hash")),
        number(field(answer, "transactionIndex"), "transactionIndex"),
        address_of(field(answer, "from"), "from"),
        optional(answer, "to", address_of),
        data_of(field(answer, "input"), "input"),
        number(field(answer, "value"), "value"),
        number(field(answer, "nonce"), "nonce"),
    )


def receipt_of(answer: Any) -> Receipt:
    """A receipt. Raises BadShape."""
    return Receipt(
        hash_of(field(answer, "transactionHash"), "transactionHash"),
        number(field(answer, "transactionIndex"), "transactionIndex"),
        number(field(answer, "status"), "status") == 1,
        number(field(answer, "gasUsed"), "gasUsed"),
        number(answer.get("effectiveGasPrice") or "0x0", "effectiveGasPrice"),
        tuple(map(log_of, each_of(field(answer, "logs"), "logs"))),
        hash_of(field(answer, "blockHash"), "blockHash"),
        optional(answer, "contractAddress", address_of),
        number(field(answer, "blockNumber"), "blockNumber"),
    )


def log_of(answer: Any) -> Log:
    return Log(
        number(field(answer, "logIndex"), "logIndex"),
        address_of(field(answer, "address")),
        tuple(int(hash_of(topic, "topic"), 16) for topic in each_of(field(answer, "topics"), "topics")),
        data_of(field(answer, "data")),
    )
