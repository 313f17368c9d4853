"""Deploys the market and its token on whatever environment titanoboa is set to.

>>> from wattproof.market.deployment import Tariff, deploy
>>> deployment = deploy()
>>> deployment.market.quote_count()
0
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boa

from wattproof.evm import compiler_cache, network, p256
from wattproof.market.tariff import PAPER, Tariff, checked, frame, in_token, prices_text
from wattproof.market.tokens import Token, UnusableToken, decimals_of, read_token
from wattproof.market.units import DECIMALS


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


CREDIT = Token("a new EnergyCredit", "WATT", DECIMALS)
"""The default token, before it is deployed."""


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


def find_sources() -> Path:
    """The folder of the Vyper sources, which has a market. FileNotFoundError where it has none, with what to do."""
    folder = contracts_dir()
    if not (folder / "EnergyMarket.vy").is_file():
        raise FileNotFoundError(f"WATTPROOF_CONTRACTS: {folder} holds no EnergyMarket.vy; name the folder that does")
    return folder


@functools.cache
def deployer(name: str) -> Any:
    """titanoboa's deployer of the contract `name`, compiled once per process (and kept on disk).

    Raises FileNotFoundError where the sources are not there.
    """
    compiler_cache.use()
    with warnings.catch_warnings():
        # The market's array of all its words (contracts/market/records.vy) is meant to be that large.
        warnings.filterwarnings("ignore", "Use of large arrays")
        return boa.load_partial(str(find_sources() / f"{name}.vy"))


def on_stderr(line: str) -> None:
    """Shows a line to who reads the terminal, and to no program that reads the output."""
    print(line, file=sys.stderr)


def deploy_market(
    token: Any,
    supplier: str,
    tariff: Tariff = PAPER,
    owner: str | None = None,
    show: Callable[[str], object] | None = on_stderr,
) -> Any:
    """Deploys an `EnergyMarket` that settles in the ERC-20 `token`, a contract or its address, and a lens for it.

    Prices that `tariff` leaves at their defaults are counted in the token's decimals (see `in_token`); `show` (None:
    nothing) is called with all prices in the token's own unit before anything is sent. Raises UnusableToken where there
    is no ERC-20, or no such tariff in it; ValueError where the supplier is the token. The rest is as in `open_market`.
    """
    tariff = checked(tariff)
    supplier = network.account("supplier", supplier)
    owner = owner if owner is None else network.account("owner", owner)
    network.check_sender(owner)
    known = read_token(token)
    if supplier == known.address:
        raise ValueError(f"the supplier can never be changed, and {supplier} is the token: name who sells the energy")
    tariff = in_token(tariff, known)
    if show:
        show(prices_text(tariff, known))
    return open_market(known.address, supplier, tariff, owner)


def open_market(token: str, supplier: str, tariff: Tariff, owner: str | None = None) -> Any:
    """Deploys an `EnergyMarket` with a tariff in base units of `token`, whatever is at that address, and a lens for it.

    The sender `owner` (default: boa's) owns it. For the lens see `with_views`. On a network raises before anything is
    sent, as `network.rehearse`; ValueError where somebody is no address, or something of the tariff no such number.
    """
    tariff = checked(tariff)
    supplier = network.account("supplier", supplier)
    owner = owner if owner is None else network.account("owner", owner)
    network.rehearse(lambda: _open_market(token, supplier, tariff, owner, []), owner)
    with network.sending() as done:
        return _open_market(token, supplier, tariff, owner, done)


def _open_market(token: str, supplier: str, tariff: Tariff, owner: str | None, done: list[str]) -> Any:
    """`done` is what stays where a later step fails, and how to go on (see `network.sending`)."""
    with boa.env.prank(owner or boa.env.eoa):
        market = deployer("EnergyMarket").deploy(token, supplier, *frame(tariff))
        at = repr(str(market.address))
        lens = f"with_views(deployer('EnergyMarket').at({at}), deployer('MarketLens').deploy({at}))"
        done.append(f"EnergyMarket {market.address}, to which {lens} gives its views")
        return with_views(market, deployer("MarketLens").deploy(market.address))


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


def deploy(
    tariff: Tariff = PAPER,
    owner: str | None = None,
    supplier: str | None = None,
    show: Callable[[str], object] | None = on_stderr,
) -> Deployment:
    """Deploys an `EnergyCredit` and a market that settles in it; both addresses default to new ones.

    `show` (None: nothing) is called with the market's prices before anything is sent. Raises UnusableToken where the
    credit has other than 18 decimals, as all that counts in pence relies on them (`wattproof.market.units`).

    On a network both addresses default to the account that sends, whose key is there. All of it is rehearsed before
    anything is sent: see `network.parties` and `network.rehearse` for what is raised. ValueError where something of the
    tariff is no such number.
    """
    tariff = checked(tariff)
    if show:
        show(prices_text(tariff, CREDIT))
    owner, supplier = network.parties(owner, supplier)

    def play(done: list[str]) -> Deployment:
        token = deployer("EnergyCredit").deploy()
        done.append(f"EnergyCredit {token.address}, in which deploy_market({str(token.address)!r}, ...) opens a market")
        if (decimals := decimals_of(token.address)) != DECIMALS:
            counted = f"pence are counted by {DECIMALS}; give it {DECIMALS} decimals"
            raise UnusableToken(f"EnergyCredit has {decimals} decimals, and {counted}")
        return Deployment(_open_market(token.address, supplier, tariff, owner, done), token, owner, supplier, tariff)

    network.rehearse(lambda: play([]), None, owner)
    with network.sending() as done:
        return play(done)


_METER_REFUSED = {
    "meter: key not on the curve": "that is no public key on P-256: compare both coordinates with the device's",
    "P-256 precompile": "the chain cannot check signatures on P-256 (EIP-7951, on Ethereum since Osaka): take a chain "
    "that can, or a meter whose key is an account's (for tests inside this process: wattproof.evm.p256.give(boa.env))",
}
"""What is in a refusal of a `P256Meter`, and what it means."""


def deploy_meter(x: int, y: int) -> Any:
    """Deploys a `P256Meter`: the meter, on the chain, of the device with the public key (x, y).

    On a network it is rehearsed first (see `network.rehearse`), and from then on titanoboa's copy of that chain checks
    such signatures, too. ValueError where that is no key. NotReady where the chain cannot check signatures on P-256, as
    the one inside this process cannot, unless `wattproof.evm.p256.give` lets it.
    """
    for name, number in (("x", x), ("y", y)):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**256:
            raise ValueError(
                f"{name} {number!r} is no coordinate of a key: write a whole number below 2**256 "
                "(of hexadecimal digits: int(digits, 16))"
            )
    live = network.network() is not None

    def play() -> Any:
        if live:  # Whether the chain itself can, it says when it is asked for the gas.
            p256.give(boa.env)
        return deployer("P256Meter").deploy(x, y)

    try:
        network.rehearse(play, None)
        with network.speaking():
            return play()
    except (boa.BoaError, network.NotReady) as problem:
        for refusal, meaning in _METER_REFUSED.items():
            if refusal in str(problem):
                raise (ValueError if "key" in refusal else network.NotReady)(meaning) from None
        raise


def give(deployment: Deployment, account: str, amount: int, allowance: int = 2**256 - 1) -> None:
    """Turns `amount` wei of fresh ether into credit of `account`, and lets the market take `allowance` of it.

    On a network it is the account's own ether; raises NotReady before anything is sent where that does not suffice.
    ValueError where `account` is no address, or an amount no whole number that fits a uint256. The chain is the one
    that the market is on, wherever titanoboa is set to meanwhile.
    """
    with _on_its_chain(deployment) as done:
        _give(deployment, account, amount, allowance, done)


def fund(deployment: Deployment, account: str, amount: int) -> None:
    """Gives `account` ether, turns it into `amount` base units of credit and deposits them in the market."""
    with _on_its_chain(deployment) as done:
        _give(deployment, account, amount, amount, done)
        deployment.market.deposit(amount, sender=network.account("account", account))


@contextlib.contextmanager
def _on_its_chain(deployment: Deployment) -> Iterator[list[str]]:
    if not isinstance(deployment, Deployment):
        raise ValueError(f"money is given by what deploy() returns, not by {deployment!r}")
    with boa.swap_env(deployment.market.env), network.sending() as done:
        yield done


def _give(deployment: Deployment, account: str, amount: int, allowance: int, done: list[str]) -> None:
    """`done` is what stays where a later step fails (see `network.sending`)."""
    account = network.account("account", account)
    for name, number in (("amount", amount), ("allowance", allowance)):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**256:
            raise ValueError(f"{name} {number!r} is no whole number of base units, 0 or more and below 2**256")
    network.check_payment(account, amount)
    if network.network() is None:
        boa.env.set_balance(account, boa.env.get_balance(account) + amount)
    deployment.token.mint(value=amount, sender=account)
    done.append(f"{amount} base units of credit of {account}")
    deployment.token.approve(deployment.market.address, allowance, sender=account)
    done.append(f"the market may take {allowance} of it")
