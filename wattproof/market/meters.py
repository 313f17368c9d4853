"""Smart meters: what signs a household's pairing and readings, with an address that is the meter's number (T-REG-4).

>>> from wattproof.market.meters import Meter
>>> Meter("sunny").address
'0xAc89Cc08C82dF163E60B7aB3D0e632a2A1B37D01'
"""

from __future__ import annotations

import abc
import functools
import hashlib
import re
from typing import Any

import boa
import coincurve
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from eth_keys import keys  # pyright: ignore[reportPrivateImportUsage]
from eth_keys.constants import SECPK1_N
from eth_utils.crypto import keccak

from wattproof.evm import network, p256
from wattproof.market.abi import word
from wattproof.market.deployment import deploy_meter
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


class Device(abc.ABC):
    """A smart meter, whatever its key is; `Meter` and `P256Meter` are the two kinds."""

    @property
    @abc.abstractmethod
    def address(self) -> str:
        """The meter's number on the chain."""

    @abc.abstractmethod
    def _signature(self, digest: bytes) -> bytes:
        """The device's signature of 32 bytes, as the market takes it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"

    def sign(self, struct_hash: bytes, market: Any, chain_id: int | None = None) -> bytes:
        """Signs an EIP-712 struct for `market` (a contract or an address).

        The chain is that of a contract, of titanoboa's environment for an address, unless `chain_id` names another.
        """
        if chain_id is None:
            chain_id = int(getattr(market, "env", boa.env).evm.patch.chain_id)
        if isinstance(chain_id, bool) or not isinstance(chain_id, int) or not 0 <= chain_id < 2**256:
            raise ValueError(f"a chain's ID must be a whole number, 0 or more and below 2**256, not {chain_id!r}")
        address = network.account("market", market)
        return self._signature(keccak(b"\x19\x01" + domain_separator(chain_id, address) + struct_hash))

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


class Meter(Device):
    """A smart meter with the key drawn from `seed`. Keys from a seed are for simulation and tests only.

    The key is on secp256k1, as those of accounts, and its address is the meter's. Signatures are r, s, v, 65 bytes, low
    s (T-REG-8, 9).
    """

    def __init__(self, seed: str | int) -> None:
        self.key = keys.PrivateKey(hashlib.sha256(f"wattproof meter {seed}".encode()).digest())
        self._signer = coincurve.PrivateKey(self.key.to_bytes())  # eth_keys would make one for every signature
        self._address: str = self.key.public_key.to_checksum_address()

    @property
    def address(self) -> str:
        """The address of the key."""
        return self._address

    def _signature(self, digest: bytes) -> bytes:
        signature = self._signer.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


class P256Meter(Device):
    """A smart meter with a P-256 key drawn from `seed`: a device that a contract stands for on the chain (T-REG-22).

    Keys from a seed are for simulation and tests only. Signatures are r, s, 64 bytes, low s, and the same for the same
    message (RFC 6979). What is signed is the EIP-712 digest itself, without another hash.

    public   the coordinates of the public key, which the contract shows as `X` and `Y`
    """

    def __init__(self, seed: str | int, address: Any = None) -> None:
        """`address` is that of its `P256Meter`, or the contract, where it is deployed already; see `deploy`."""
        number = int.from_bytes(hashlib.sha256(f"wattproof P-256 meter {seed}".encode()).digest(), "big")
        self._key = ec.derive_private_key(1 + number % (p256.ORDER - 1), ec.SECP256R1())
        point = self._key.public_key().public_numbers()
        self.public = (point.x, point.y)
        self._address = None if address is None else network.account("meter", address)

    @property
    def address(self) -> str:
        """The address of its contract. Raises LookupError where it has none."""
        if self._address is None:
            raise LookupError("this meter has no contract on a chain yet: call its deploy() first")
        return self._address

    def __repr__(self) -> str:
        return f"P256Meter({self._address or 'not deployed'})"

    def deploy(self) -> Any:
        """Deploys its contract, and is that meter from then on; returns it, titanoboa's. Raises as `deploy_meter`."""
        contract = deploy_meter(*self.public)
        self._address = str(contract.address)
        return contract

    def _signature(self, digest: bytes) -> bytes:
        encoded = self._key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True))
        r, s = decode_dss_signature(encoded)
        return r.to_bytes(32, "big") + min(s, p256.ORDER - s).to_bytes(32, "big")
