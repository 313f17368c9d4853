"""Deploys the market and its token on whatever environment titanoboa is set to.

>>> from wattproof.market.deployment import Tariff, deploy
>>> deployment = deploy()
>>> deployment.market.quote_count()
0
"""

from __future__ import annotations

import functools
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boa

from wattproof.market.units import pence_per_kwh

HALF_HOUR = 1800
"""Length of a delivery period in seconds (paper, section 5.2.1)."""


@dataclass(frozen=True)
class Tariff:
    """The frame of a market, fixed at deployment (T-PARTY-7).

    `sbp`, `ssp` and `service_fee` are in base units per Wh, `period_length` and `window` in seconds, `priority_step`
    in ten-thousandths of a bid's amount per tier; bids rank by their total amount, or by their unit price where
    `rank_by_price` (T-MAT-11). The grid's prices are the paper's (section 5.2.2); the paper names
    no service fee, window or step: 0.2 p/kWh, ten minutes and 5 % per tier are ours.
    """

    sbp: int = field(default_factory=lambda: pence_per_kwh(6))
    ssp: int = field(default_factory=lambda: pence_per_kwh(18))
    service_fee: int = field(default_factory=lambda: pence_per_kwh("0.2"))
    period_length: int = HALF_HOUR
    window: int = 600
    priority_step: int = 500
    rank_by_price: bool = False

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
    """A market that is open: its contracts, its owner, its supplier and its tariff.

    `market` answers the views, too: by its `lens`, a `MarketLens` (see `with_views`).
    """

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
    package = Path(__file__).resolve().parents[1]
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
    with warnings.catch_warnings():
        # The market's array of all its words (contracts/market/records.vy) is meant to be that large.
        warnings.filterwarnings("ignore", "Use of large arrays")
        return boa.load_partial(str(contracts_dir() / f"{name}.vy"))


def deploy_market(token: str, supplier: str, tariff: Tariff = Tariff(), owner: str | None = None) -> Any:
    """Deploys an `EnergyMarket` that settles in the ERC-20 at `token`, and a lens for it (see `with_views`).

    The sender `owner` (default: boa's) owns it.
    """
    with boa.env.prank(owner or boa.env.eoa):
        market = deployer("EnergyMarket").deploy(token, supplier, *frame(tariff))
        return with_views(market, deployer("MarketLens").deploy(market.address))


def frame(tariff: Tariff) -> tuple[int | bool, ...]:
    """The constructor's arguments that come of a tariff, in their order."""
    prices = (tariff.sbp, tariff.ssp, tariff.service_fee)
    return (*prices, tariff.period_length, tariff.window, tariff.priority_step, tariff.rank_by_price)


def with_views(market: Any, lens: Any) -> Any:
    """Lets titanoboa's `market` answer by `lens` the views that it leaves to a `MarketLens`; returns `market`.

    >>> from wattproof.market.deployment import deploy
    >>> deploy().market.account("0x" + 40 * "1").balance
    0
    """
    for entry in lens.abi:
        if entry["type"] == "function" and not hasattr(market, entry["name"]):
            setattr(market, entry["name"], getattr(lens, entry["name"]))
    market.lens = lens
    return market


def deploy(tariff: Tariff = Tariff(), owner: str | None = None, supplier: str | None = None) -> Deployment:
    """Deploys an `EnergyCredit` and a market that settles in it; both addresses default to new ones."""
    owner = owner or str(boa.env.generate_address("owner"))
    supplier = supplier or str(boa.env.generate_address("supplier"))
    token = deployer("EnergyCredit").deploy()
    market = deploy_market(token.address, supplier, tariff, owner)
    return Deployment(market, token, owner, supplier, tariff)


def give(deployment: Deployment, account: str, amount: int, allowance: int = 2**256 - 1) -> None:
    """Turns `amount` wei of fresh ether into credit of `account`, and lets the market take `allowance` of it."""
    boa.env.set_balance(account, boa.env.get_balance(account) + amount)
    deployment.token.mint(value=amount, sender=account)
    deployment.token.approve(deployment.market.address, allowance, sender=account)


def fund(deployment: Deployment, account: str, amount: int) -> None:
    """Gives `account` ether, turns it into `amount` base units of credit and deposits them in the market."""
    give(deployment, account, amount, allowance=amount)
    deployment.market.deposit(amount, sender=account)
