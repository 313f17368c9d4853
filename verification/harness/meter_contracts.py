"""Meters that are contracts, for a market that is played: the code on the chain, and what the model is told of it.

A lockstep knows them by name. `misty's meter` is a contract that stands for misty's device, whose key is that of the
meter of that name. `rainy's key` is a key that delegates to code (EIP-7702), and that code stands for another device,
whose name is `rainy's device`. (Not rainy's usual key: that one is a mere key in other markets of the same chain.)
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boa
from boa.environment import Env
from boa.util.abi import Address

from wattproof.evm import compiler_cache
from wattproof.market.abi import word
from wattproof.market.symbolic import meter
from wattproof.terms import model

CONTRACT, DELEGATED, DEVICE = "'s meter", "'s key", "'s device"
"""How the names end: of a meter that is a contract, of one that is a key with code, of the device behind that code."""


@dataclass(frozen=True)
class Says:
    """What a `MoodyMeter` says whose device has the key of that address: yes to its signature or the twin of it."""

    device: str

    def __call__(self, message: tuple[object, ...], signature: model.Signature) -> bool:
        recoverable = signature.form in ("ok", "malleable")
        return recoverable and (signature.signer, signature.message) == (self.device, message)


def placed(env: Env, name: str) -> tuple[str, Says] | None:
    """Puts the code of that meter onto the chain; returns its address and what it says. None: that is no such name."""
    if name.endswith(CONTRACT):
        device = meter(name.removesuffix(CONTRACT)).address
        address, _ = env.deploy_code(bytecode=creation_code(device))
        return str(address), Says(device)
    if name.endswith(DELEGATED):
        household = name.removesuffix(DELEGATED)
        device = meter(household + DEVICE).address
        _, code = env.deploy_code(bytecode=creation_code(device))
        env.set_code(Address(meter(name).address), code)
        return meter(name).address, Says(device)
    return None


@functools.cache
def _deployer() -> Any:
    compiler_cache.use()
    return boa.load_partial(str(Path(__file__).parent / "MoodyMeter.vy"))


def creation_code(device: str) -> bytes:
    """What deploys a `MoodyMeter` for the device whose key has that address."""
    # As bytes: of a contract that it knows, titanoboa decodes each answer by its type.
    return _deployer().compiler_data.bytecode + word(device)
