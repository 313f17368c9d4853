"""Smart meters: a signing key each, whose address is the meter's number (T-REG-4)."""

from __future__ import annotations

import functools
import hashlib
import re
from typing import Any

import boa
import coincurve
from eth_keys import keys  # pyright: ignore[reportPrivateImportUsage]
from eth_keys.constants import SECPK1_N
from eth_utils.crypto import keccak

from wattproof.evm import network
from wattproof.market.abi import word
from wattproof.terms.model import CAPACITY_BOUND

DOMAIN_TYPE = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
PAIRING_TYPE = keccak(text="Pairing(address user,bytes32 profile)")
READING_TYPE = keccak(text="Reading(address user,uint256 period,uint256 exported,uint256 imported)")


@functools.lru_cache(maxsize=64)
def domain_separator(chain_id: int, market: str, name: str = "Wattproof", version: str = "1") -> bytes:
    """The EIP-712 domain of the market at the address `market` (T-REG-7)."""
    return _hash(DOMAIN_TYPE, keccak(text=name), keccak(text=version), chain_id, market)


def pairing_hash(user: str, profile: bytes) -> bytes:
    """The EIP-712 hash of the struct that pairs a meter with `user` (T-REG-6)."""
    return _hash(PAIRING_TYPE, user, profile)


def reading_hash(user: str, period: int, exported: int, imported: int) -> bytes:
    """The EIP-712 hash of the struct of a reading, energies in Wh (T-MET)."""
    return _hash(READING_TYPE, user, period, exported, imported)


def _hash(*members: int | str | bytes) -> bytes:
    # Packed by hand, as an encoder takes longer than signing; all members are words.
    return keccak(b"".join(map(word, members)))


def malleable_twin(signature: bytes) -> bytes:
    """The other signature of the same message by the same key: s taken from the order of the curve, v flipped."""
    s = SECPK1_N - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


class Meter:
    """A smart meter with the key drawn from `seed`. Keys from a seed are for simulation and tests only."""

    def __init__(self, seed: str | int) -> None:
        self.key = keys.PrivateKey(hashlib.sha256(f"wattproof meter {seed}".encode()).digest())
        self._signer = coincurve.PrivateKey(self.key.to_bytes())  # eth_keys would make one for every signature
        self.address: str = self.key.public_key.to_checksum_address()

    def __repr__(self) -> str:
        return f"Meter({self.address})"

    def sign(self, struct_hash: bytes, market: Any, chain_id: int | None = None) -> bytes:
        """Signs an EIP-712 struct for `market` (a contract or an address): r, s, v, 65 bytes, low s (T-REG-8, 9).

        The chain is that of a contract, of titanoboa's environment for an address, unless `chain_id` names another.
        """
        if chain_id is None:
            chain_id = int(getattr(market, "env", boa.env).evm.patch.chain_id)
        if isinstance(chain_id, bool) or not isinstance(chain_id, int) or not 0 <= chain_id < 2**256:
            raise ValueError(f"a chain's ID must be a whole number, 0 or more and below 2**256, not {chain_id!r}")
        address = network.account("market", market)
        digest = keccak(b"\x19\x01" + domain_separator(chain_id, address) + struct_hash)
        signature = self._signer.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def sign_pairing(self, market: Any, user: str, profile: bytes | str, chain_id: int | None = None) -> bytes:
        """Signs this meter's pairing with `user` for `register`.

        ValueError for a profile that is not 32 bytes (or 0x and 64 hexadecimal digits), and for what is no user: no
        market would take the signature.
        """
        if isinstance(profile, str) and re.fullmatch("0x[0-9a-fA-F]{64}", profile):
            profile = bytes.fromhex(profile[2:])
        if not isinstance(profile, bytes) or len(profile) != 32:
            raise ValueError(f"a profile must be 32 bytes, such as the SHA-256 of a text, not {profile!r}")
        user = network.account("user", user)
        return self.sign(pairing_hash(user, profile), market, chain_id)

    def sign_reading(
        self, market: Any, user: str, period: int, exported: int, imported: int, chain_id: int | None = None
    ) -> bytes:
        """Signs the reading of `user` in `period`, energies in whole Wh, for `submit_reading`.

        TypeError for a fraction, ValueError for what no connection carries: a meter measures neither. ValueError for
        what is no user or period, too. (Tests of the market sign a `reading_hash`.)
        """
        for name, energy in (("exported", exported), ("imported", imported)):
            if isinstance(energy, bool) or not isinstance(energy, int):
                raise TypeError(f"{name} must be whole Wh, not {energy!r}: is this kWh? Multiply by 1000")
            if energy < 0:
                raise ValueError(f"{name} is negative: {energy} Wh (export and import are two figures, each 0 or more)")
            if energy >= CAPACITY_BOUND:
                raise ValueError(
                    f"{name} is {energy} Wh, which no connection carries in a period: is this a register? "
                    "Then sign the difference of two"
                )
        user = network.account("user", user)
        if isinstance(period, bool) or not isinstance(period, int) or not 0 <= period < 2**256:
            raise ValueError(f"a period must be a whole number, 0 or more and below 2**256, not {period!r}")
        return self.sign(reading_hash(user, period, exported, imported), market, chain_id)
