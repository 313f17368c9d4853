"""The precompile for P-256 in Python, for titanoboa's copy of a chain."""

from __future__ import annotations

import boa
import pytest
from eth_utils.crypto import keccak

from tests.support.meters.home import KNOWN, ORDER, twin
from wattproof.evm import p256
from wattproof.evm.engine import available, engine
from wattproof.evm.revm import EngineUnsupported
from wattproof.market.deployment import deployer
from wattproof.meters import P256Meter

YES, NO = bytes.fromhex("1626ba7e"), bytes.fromhex("ffffffff")


def test_answers_as_the_precompile_does() -> None:
    """EIP-7951: the number 1 in a word where the signature is right, with either s; else nothing."""
    digest = keccak(text="any")
    signature = KNOWN._signature(digest)
    right = digest + signature + b"".join(each.to_bytes(32, "big") for each in KNOWN.public)
    word = (1).to_bytes(32, "big")

    assert p256.answer(right) == p256.answer(digest + twin(signature) + right[96:]) == word
    for place in range(160):
        assert p256.answer(right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :]) == b"", place
    for wrong in (b"", right[:159], right + b"\x00", bytes(160), digest + signature + bytes(64)):
        assert p256.answer(wrong) == b""
    for number in (0, ORDER):
        as_word = number.to_bytes(32, "big")
        assert p256.answer(digest + as_word + right[64:]) == p256.answer(right[:64] + as_word + right[96:]) == b""


def test_can_be_given_to_one_environment_alone() -> None:
    """On py-evm the meter then works as on a chain, for the precompile's gas; on revm it is said that it cannot be."""
    digest, device = keccak(text="any"), P256Meter("device")
    with engine("pyevm") as env:
        p256.give(env)
        p256.give(env)
        contract = device.deploy()
        assert contract.isValidSignature(digest, twin(device._signature(digest))) == NO
        assert contract.isValidSignature(digest, device._signature(digest)) == YES
        assert p256.GAS < contract._computation.get_gas_used() < p256.GAS + 2_000
        env.evm._init_vm()  # As titanoboa does before it sends anything to a network.
        device.deploy()
    with engine("pyevm"), boa.reverts("meter: no P-256 precompile"):
        deployer("P256Meter").deploy(*device.public)
    if "revm" in available():
        with (
            engine("revm") as env,
            pytest.raises(EngineUnsupported, match=r"^revm takes no precompile of ours"),
        ):
            p256.give(env)
