"""What a chain takes of a contract's code (EIP-170): 24 576 bytes, immutables included. See docs/gas.md."""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import Stage
from verification.builds import OLDER, SHIPPED, build
from verification.gas.sizes import RESERVES
from verification.invariants import ROOT
from wattproof.evm.engine import EIP_170

RESERVE = RESERVES["EnergyMarket", SHIPPED]

REMEDY = (
    "take code away: let refusals share a check, keep what repeats in one internal function, or leave a view to "
    "contracts/MarketLens.vy; `make gas` tells the sizes of all builds"
)


def test_the_limit_is_the_chains() -> None:
    """EIP-170: 0x6000 bytes."""
    assert EIP_170 == 24_576


def test_the_reserve_is_what_the_guide_says() -> None:
    """CONTRIBUTING.md names the bytes that the market leaves free."""
    assert RESERVE == 500
    assert f"{RESERVE} bytes below what a chain takes" in " ".join((ROOT / "CONTRIBUTING.md").read_text().split())


def test_the_market_leaves_a_reserve(stage: Stage) -> None:
    """What lies on the chain, the constructor's arguments in it."""
    size = len(boa.env.get_code(stage.market.address))

    assert size <= EIP_170 - RESERVE, (
        f"EnergyMarket has {size:,} bytes, {size - (EIP_170 - RESERVE):,} too many to leave {RESERVE:,} free: {REMEDY}"
    )


def test_the_lens_fits(stage: Stage) -> None:
    """As for the market, but without a reserve: views can be told apart into two lenses."""
    size = len(boa.env.get_code(stage.market.lens.address))

    assert size < EIP_170, f"MarketLens has {size:,} bytes, at most {EIP_170 - 1:,}: make a second lens of some views"


@pytest.mark.parametrize(
    ("contract", "most", "remedy"),
    [
        ("EnergyMarket", EIP_170, REMEDY),
        ("MarketLens", EIP_170 - 1, "make a second lens of some views"),
    ],
)
def test_fits_where_no_newer_rules_than_shanghais_are_known(contract: str, most: int, remedy: str) -> None:
    """Built for Shanghai's rules and for code size, as it is deployed there."""
    built = build(contract, OLDER)

    assert built.immutables > 0
    assert built.size <= most, f"{contract} has {built.size:,} bytes for Shanghai, at most {most:,}: {remedy}"
