"""How many bytes are left below what a chain takes of a contract's code (EIP-170), however it is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verification.builds import OLDER, SHIPPED, build
from wattproof.evm.engine import EIP_170

CONTRACTS = ("EnergyMarket", "MarketLens")
"""What is deployed for every market."""

BUILDS = {
    SHIPPED: ("Prague", "gas"),
    "codesize": ("Prague", "code size"),
    "shanghai": ("Shanghai", "gas"),
    OLDER: ("Shanghai", "code size"),
}
"""Rules and aim of the optimiser of each build."""

DEPLOYED = (SHIPPED, OLDER)
"""The builds that have to fit: what ships, and what is deployed where no newer rules than Shanghai's are known."""


RESERVES = {("EnergyMarket", SHIPPED): 500}
"""Bytes that what ships leaves free at least: a defect that is found must be mended without anything having to go.

They were 1,500. A thousand went into storage that is used again: what is saved with every call, and does not grow, is
worth more than bytes that may never be needed. Most defects so far took less than 100 bytes to mend.
"""


@dataclass(frozen=True)
class Size:
    """What a contract has of bytes when it is deployed, its immutables among them."""

    contract: str
    build: str
    size: int

    @property
    def free(self) -> int:
        """Bytes below the limit; negative above it."""
        return EIP_170 - self.size

    @property
    def reserve(self) -> int:
        """Bytes that have to be free."""
        return RESERVES.get((self.contract, self.build), 0)


def sizes() -> list[Size]:
    """The sizes of both contracts in every build; takes half a minute, as the compiler does not remember."""
    return [Size(contract, name, build(contract, name).size) for contract in CONTRACTS for name in BUILDS]


def too_large(found: Sequence[Size]) -> list[str]:
    """What has to fit and does not, or leaves less free than it must, in words."""
    told = []
    for size in found:
        if size.build not in DEPLOYED or size.free >= size.reserve:
            continue
        what = f"{size.contract} for {BUILDS[size.build][0]}"
        if size.free < 0:
            told.append(f"{what}: {-size.free:,} bytes above what a chain takes (EIP-170)")
        else:
            told.append(f"{what}: {size.free:,} bytes free, at least {size.reserve:,}")
    return told
