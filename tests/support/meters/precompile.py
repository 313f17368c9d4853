"""A contract in the place of the chain's precompile for P-256, which the engines of this process lack.

Its code is written by hand: it has to lie at the precompile's address, and to answer in lengths that Vyper would not.
"""

from __future__ import annotations

from typing import Any

from boa.environment import Env
from boa.util.abi import Address
from eth_utils.crypto import keccak

from wattproof.evm.p256 import ADDRESS

_LOOK_UP = "365f5f37365f2054" + "60015f525ff3"
"""Answers as many bytes as its storage says at the hash of what it is asked: of the number 1 in a word."""

YES_TO_ALL = bytes.fromhex("60015f5260205ff3")
"""Answers the number 1 in a word to everything."""

REVERTS_WITH_YES = bytes.fromhex("60015f5260205ffd")
"""Reverts with the number 1 in a word."""

TWO_TO_ALL = bytes.fromhex("60025f5260205ff3")
"""Answers the number 2 in a word to everything."""


def put(env: Env, code: bytes) -> None:
    """Puts code at the precompile's address."""
    env.set_code(Address(ADDRESS), code)


def put_pupil(env: Env) -> None:
    """Puts a contract at the precompile's address that knows nothing but what it is taught."""
    put(env, bytes.fromhex(_LOOK_UP))


def teach(env: Env, digest: bytes, signature: bytes, public: tuple[int, int], length: int = 32) -> None:
    """Teaches it that a signature, r and s, is right: from now on it answers that with a word cut to `length` bytes.

    What it is asked is composed here as EIP-7951 says: digest, r, s, x, y.
    """
    asked = digest + signature + b"".join(each.to_bytes(32, "big") for each in public)
    slot = int.from_bytes(keccak(asked), "big")
    kept: Any = env
    kept.set_storage(Address(ADDRESS), slot, length)
