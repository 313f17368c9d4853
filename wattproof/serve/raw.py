"""Signed transactions as anybody may send them: bytes that are read with care, and never trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from wattproof.serve.problems import Problem

MAX_RAW = 48 * 1024
"""Bytes of a signed transaction; a batch of 64 readings comes to half of it."""


@dataclass(frozen=True)
class Raw:
    """A signed transaction: its bytes, its hash, its chain, who signed it, and where it goes (None: it creates)."""

    data: bytes
    hash: str
    chain_id: int
    sender: str
    to: str | None


def read(text: object) -> Raw:
    """The signed transaction in 0x and hexadecimal digits. Problem 422."""
    if not isinstance(text, str) or not re.fullmatch(r"0x([0-9a-fA-F]{2})+", text):
        raise Problem(422, "raw: must be a signed transaction: 0x and hexadecimal digits")
    if len(text) > 2 * MAX_RAW + 2:
        raise Problem(422, f"raw: is longer than {MAX_RAW} bytes")
    data = bytes.fromhex(text[2:])
    try:
        return _read(data)
    except Exception:
        # Whatever the libraries make of bytes of a stranger.
        raise Problem(422, "raw: is no signed transaction that can be read (EIP-1559 or EIP-155)") from None


def _read(data: bytes) -> Raw:
    from eth_account import Account
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    if data[0] == 2:
        fields: dict[str, Any] = TypedTransaction.from_bytes(HexBytes(data)).as_dict()
        chain_id, to = int(fields["chainId"]), bytes(fields["to"] or b"")
    else:
        chain_id, to = _legacy(data)
    sender = str(Account.recover_transaction(data))
    return Raw(data, "0x" + keccak(data).hex(), chain_id, sender, _address(to))


def _legacy(data: bytes) -> tuple[int, bytes]:
    """Chain ID and recipient of a legacy transaction (EIP-155). ValueError where it names no chain."""
    import rlp

    fields = rlp.decode(data, strict=True)
    if len(fields) != 9:
        raise ValueError("no legacy transaction")
    v = int.from_bytes(fields[6], "big")
    if v < 35:
        raise ValueError("it names no chain")
    return (v - 35) // 2, fields[3]


def _address(raw: bytes) -> str | None:
    from eth_utils.address import to_checksum_address

    if not raw:
        return None
    if len(raw) != 20:
        raise ValueError("no address")
    return str(to_checksum_address(raw))
