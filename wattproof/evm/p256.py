"""The chain's precompile for signatures on P-256 (EIP-7951), which the engines of this process lack.

Ethereum has it since Osaka. titanoboa plays whatever it sends to a network on a copy in this process first: without it
there, a call in which a device signed would seem to be refused.
"""

from __future__ import annotations

from typing import Any

from boa.environment import Env
from boa.vm.py_evm import PyEVM
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from wattproof.evm.revm import EngineUnsupported

ADDRESS = "0x" + (0x100).to_bytes(20, "big").hex()

GAS = 6_900

ORDER = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
"""The order of P-256 (SEC 2, section 2.4.2)."""

_ITSELF = Prehashed(SHA256())
"""What is signed is a digest, of SHA-256's length."""


def answer(data: bytes) -> bytes:
    """What the precompile answers to digest, r, s, x and y, 32 bytes each: the number 1 in 32 bytes, or nothing."""
    if len(data) != 160:
        return b""
    r, s, x, y = (int.from_bytes(data[at : at + 32], "big") for at in range(32, 160, 32))
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        key.verify(encode_dss_signature(r, s), data[:32], ec.ECDSA(_ITSELF))
    except (InvalidSignature, ValueError):  # The second: no point of the curve.
        return b""
    return (1).to_bytes(32, "big")


def give(env: Env) -> None:
    """Gives a py-evm environment the precompile, for good; on a network, to titanoboa's copy of the chain.

    Raises EngineUnsupported on revm.
    """
    evm: Any = env.evm
    if not isinstance(evm, PyEVM):
        raise EngineUnsupported("revm takes no precompile of ours: use py-evm, or a node with Osaka's rules")
    if "_init_vm" in vars(evm):
        return
    anew = evm._init_vm

    def init(*args: Any, **kwargs: Any) -> None:
        anew(*args, **kwargs)
        _add(evm)

    # titanoboa makes its copy of a network anew before whatever it sends.
    evm._init_vm = init
    _add(evm)


def _add(evm: PyEVM) -> None:
    kind: Any = evm.vm.state.computation_class  # of this environment alone
    kind._precompiles = {**kind._precompiles, bytes.fromhex(ADDRESS[2:]): _run}


def _run(computation: Any) -> Any:
    computation.consume_gas(GAS, reason="P-256")
    computation.output = answer(computation.msg.data_as_bytes)
    return computation
