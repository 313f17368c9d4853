"""Meters that are contracts: honest ones and others, in a small Vyper source beside this file."""

from __future__ import annotations

import functools
from enum import IntEnum
from pathlib import Path
from typing import Any

import boa
from eth_abi.abi import encode

from wattproof.evm import compiler_cache
from wattproof.market.meters import Meter


class Manner(IntEnum):
    """What a contract does when it is asked about a signature that its device did make; another is always refused."""

    HONEST = 0
    BURNS_GAS = 1
    REVERTS = 2
    ANSWERS_MORE = 3
    ANSWERS_LESS = 4
    ANSWERS_OTHERWISE = 5
    ANSWERS_WITH_DIRT = 6
    EMITS = 7
    STORES = 8
    LOOKS_BACK = 9
    ANSWERS_NOTHING = 10


@functools.cache
def deployer(name: str = "ContractMeter") -> Any:
    """titanoboa's deployer of the contract `name` in this folder, compiled once per process."""
    compiler_cache.use()
    return boa.load_partial(str(Path(__file__).parent / f"{name}.vy"))


def creation_code(device: str, manner: Manner) -> bytes:
    """What deploys a `ContractMeter` for the device with this address."""
    return deployer().compiler_data.bytecode + encode(["address", "uint256"], [device, int(manner)])


class ContractMeter(Meter):
    """A device with a key of its own whose meter, for the market, is a contract that answers in a `Manner`.

    device     the address of the device's key, which is no meter itself
    """

    def __init__(self, seed: str | int, manner: Manner) -> None:
        super().__init__(seed)
        self.device = self.address
        # As bytes: of a contract that it knows, titanoboa decodes each answer by its type, and cannot show a refusal
        # where it is of none.
        address, _ = boa.env.deploy_code(bytecode=creation_code(self.device, manner))
        self._address = str(address)
