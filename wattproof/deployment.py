"""Deploys the market and its token on whatever environment titanoboa is set to.

>>> from wattproof.deployment import Tariff, deploy
>>> deployment = deploy()
>>> deployment.market.quote_count()
0
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boa

from wattproof.units import pence_per_kwh

HALF_HOUR = 1800
"""Length of a delivery period in seconds (paper, section 5.2.1)."""


@dataclass(frozen=True)
class Tariff:
    """The frame of a market, fixed at deployment (T-PARTY-7).

    `sbp`, `ssp` and `service_fee` are in base units per Wh, `period_length` and `window` in seconds, `priority_step`
    in ten-thousandths of a bid's amount per tier. The grid's prices are the paper's (section 5.2.2); the paper names
    no service fee, window or step: 0.2 p/kWh, ten minutes and 5 % per tier are ours.
    """

    sbp: int = field(default_factory=lambda: pence_per_kwh(6))
    ssp: int = field(default_factory=lambda: pence_per_kwh(18))
    service_fee: int = field(default_factory=lambda: pence_per_kwh("0.2"))
    period_length: int = HALF_HOUR
    window: int = 600
    priority_step: int = 500

    @property
    def lowest_price(self) -> int:
        """The lowest price of a quote, in base units per Wh (T-QUO-5)."""
        return self.sbp + self.service_fee

    @property
    def highest_price(self) -> int:
        """The highest price of a quote or bid, in base units per Wh (T-QUO-5)."""
        return self.ssp - self.service_fee


@dataclass(frozen=True)
class Deployment:
    """A market that is open: its two contracts, its owner, its supplier and its tariff."""

    market: Any
    token: Any
    owner: str
    supplier: str
    tariff: Tariff


def contracts_dir() -> Path:
    """The folder of the Vyper sources: inside the installed package, or beside it in a checkout.

    The environment variable `WATTPROOF_CONTRACTS` names another one, for tests of changed contracts. Raises
    FileNotFoundError where the sources are not there.
    """
    if changed := os.environ.get("WATTPROOF_CONTRACTS"):
        return Path(changed)
    package = Path(__file__).resolve().parent
    for folder in (package / "contracts", package.parent / "contracts"):
        if (folder / "EnergyMarket.vy").is_file():
            return folder
    raise FileNotFoundError(
        "the Vyper sources are missing: neither wattproof/contracts nor contracts beside the package holds "
        "EnergyMarket.vy; install Wattproof again, or run it from a complete checkout"
    )


@functools.cache
def deployer(name: str) -> Any:
    """titanoboa's deployer of the contract `name`, compiled once per process (and cached on disk by titanoboa)."""
    return boa.load_partial(str(contracts_dir() / f"{name}.vy"))


def deploy_market(token: str, supplier: str, tariff: Tariff = Tariff(), owner: str | None = None) -> Any:
    """Deploys an `EnergyMarket` that settles in the ERC-20 at `token`. The sender `owner` (default: boa's) owns it."""
    with boa.env.prank(owner or boa.env.eoa):
        return deployer("EnergyMarket").deploy(
            token,
            supplier,
            tariff.sbp,
            tariff.ssp,
            tariff.service_fee,
            tariff.period_length,
            tariff.window,
            tariff.priority_step,
        )


def deploy(tariff: Tariff = Tariff(), owner: str | None = None, supplier: str | None = None) -> Deployment:
    """Deploys an `EnergyCredit` and a market that settles in it; both addresses default to new ones."""
    owner = owner or str(boa.env.generate_address("owner"))
    supplier = supplier or str(boa.env.generate_address("supplier"))
    token = deployer("EnergyCredit").deploy()
    market = deploy_market(token.address, supplier, tariff, owner)
    return Deployment(market, token, owner, supplier, tariff)


def fund(deployment: Deployment, account: str, amount: int) -> None:
    """Gives `account` ether, turns it into `amount` base units of credit and deposits them in the market."""
    boa.env.set_balance(account, boa.env.get_balance(account) + amount)
    deployment.token.mint(value=amount, sender=account)
    deployment.token.approve(deployment.market.address, amount, sender=account)
    deployment.market.deposit(amount, sender=account)
