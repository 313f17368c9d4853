"""A household whose device signs with a P-256 key, on an engine that lacks the chain's precompile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boa
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tests.support.meters import precompile
from tests.support.stage import Stage
from wattproof.meters import P256Meter

ORDER = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
"""The order of P-256 (SEC 2, section 2.4.2)."""

KNOWN, KNOWN_DIGEST = (
    P256Meter("the known signature of P256Meter.vy"),
    keccak(text="Wattproof: the known signature of P256Meter"),
)
"""The key and the digest of the signature that the constructor tries: nobody chose more than these two texts."""

PROFILE = b"profile".ljust(32, b".")


def twin(signature: bytes) -> bytes:
    """The other signature of the same message by the same key, with the high s."""
    return signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


def others(signature: bytes) -> dict[str, bytes]:
    """What is not the device's signature in the one accepted form."""
    return {
        "nothing": b"",
        "63 bytes": signature[:63],
        "65 bytes": signature + b"\x00",
        "65 bytes, as accounts sign": signature + b"\x1b",
        "high s": twin(signature),
        "s and r": signature[32:] + signature[:32],
        "a bit of r": bytes([signature[0] ^ 1]) + signature[1:],
        "a bit of s": signature[:63] + bytes([signature[63] ^ 1]),
        "zeros": bytes(64),
    }


@dataclass
class Home:
    """A stage whose chain checks the signatures that it was taught, and a household with a device on P-256."""

    stage: Stage
    device: P256Meter
    contract: Any
    user: str = field(default_factory=lambda: str(boa.env.generate_address("of the device")))

    def digest(self, kind: str, **fields: Any) -> bytes:
        """The EIP-712 digest of a message, by another's hand than the product's."""
        types = {
            "Pairing": [("user", "address"), ("profile", "bytes32")],
            "Reading": [("user", "address"), ("period", "uint256"), ("exported", "uint256"), ("imported", "uint256")],
        }[kind]
        domain = {
            "name": "Wattproof",
            "version": "1",
            "chainId": boa.env.evm.patch.chain_id,
            "verifyingContract": self.stage.market.address,
        }
        shape = {kind: [{"name": name, "type": type_} for name, type_ in types]}
        signable = encode_typed_data(domain, shape, fields)
        return keccak(b"\x19" + signable.version + signable.header + signable.body)

    def teach(self, digest: bytes, signature: bytes, length: int = 32) -> None:
        """The chain knows from now on that the device signed: with either s, as the precompile does."""
        for each in (signature, twin(signature)):
            precompile.teach(boa.env, digest, each, self.device.public, length)

    def pairing(self) -> bytes:
        """The device's signature of its pairing, which the chain knows."""
        signature = self.device.sign_pairing(self.stage.market, self.user, PROFILE)
        self.teach(self.digest("Pairing", user=self.user, profile=PROFILE), signature)
        return signature

    def reading(self, exported: int, imported: int) -> bytes:
        """The device's signature of a reading, which the chain knows."""
        fields = {"user": self.user, "period": self.stage.period, "exported": exported, "imported": imported}
        signature = self.device.sign_reading(self.stage.market, *fields.values())
        self.teach(self.digest("Reading", **fields), signature)
        return signature

    def register(self, signature: bytes) -> None:
        self.stage.market.register(PROFILE, self.device.address, signature, sender=self.user)

    def metering(self) -> None:
        """The household is registered and authorised, and the stage's period is in METERING."""
        self.register(self.pairing())
        self.stage.market.authorize(self.user, 10_000, sender=self.stage.owner)
        self.stage.to("METERING")

    def submit(self, exported: int, imported: int, signature: bytes) -> None:
        self.stage.market.submit_reading(self.user, self.stage.period, exported, imported, signature)


def put_pupil() -> None:
    """The chain's precompile knows the one signature that the constructor tries."""
    precompile.put_pupil(boa.env)
    precompile.teach(boa.env, KNOWN_DIGEST, KNOWN._signature(KNOWN_DIGEST), KNOWN.public)


def moved_in() -> Home:
    """A household of its own on the current environment, whose chain knows nothing but the constructor's signature."""
    stage, device = Stage(), P256Meter("device")
    put_pupil()
    return Home(stage, device, device.deploy())
