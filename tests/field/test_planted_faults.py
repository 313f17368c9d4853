"""Markets with a fault planted on purpose: the watcher alarms in the block that shows it, and names the invariant.

The lines that come with the alarm show the fault again at the REPL, on the contract that has it, and on no other.

Compiling a market takes longest. So four faults are in one contract, and the selling price says which one it has.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.answering import answering
from tests.support.field import Ground
from tests.support.street import Street
from tests.support.watching import Watch, trade
from wattproof.chain.webhooks import Webhook
from wattproof.evm.anvil import Anvil
from wattproof.market import artifacts, deployment
from wattproof.market.tariff import Tariff

CONTRACTS = Path(__file__).parents[2] / "contracts"

SMALL = Tariff(sbp=6, ssp=100, service_fee=1, period_length=1800, window=600, priority_step=500)
"""Prices in base units per Wh so small that every percentage is rounded."""

ALL_PLAYED = os.environ.get("WATTPROOF_FIELD") == "full"
"""Whether the lines of all alarms are played at the REPL, and not of one alone."""

SWITCHED = {
    "incentives": ("share) // _TOP_TIER", "share) // (_TOP_TIER + convert(tariff.SSP == 101, uint256))"),
    "settlement": (
        "unsafe_mul(unsafe_mul(shortage, price), _COMPENSATION_PERCENT) // 100",
        "unsafe_add(unsafe_mul(unsafe_mul(shortage, price), _COMPENSATION_PERCENT), "
        "99 * convert(tariff.SSP == 102, uint256)) // 100",
    ),
    "bids": (
        "BID_QUOTE_ID_SHIFT == quote_id:\n        errors",
        "BID_QUOTE_ID_SHIFT == quote_id and tariff.SSP != 103:\n        errors",
    ),
    "matching": ("if filled < volume:", "if filled < volume and tariff.SSP != 104:"),
}  # fmt: skip
"""Changes of modules that do nothing but at one selling price each."""

TIERED = {"incentives": ("        return 0\n", "        return 1\n")}
"""Everybody has a tier more at first. Nothing switches it: the lens reads tiers by these lines, and has no prices."""


def traded(street: Street) -> None:
    trade(street, exported=1_703, unit=1)


def bids_twice(street: Street) -> None:
    for name in ("sunny", "cloudy"):
        street.join(name)
    quote_id = street.quote("sunny", 1_000, 9)
    street.bid("cloudy", quote_id, 11, 500)
    street.bid("cloudy", quote_id, 12, 600)


class Fault(NamedTuple):
    """Which contract has it, at which selling price; which invariants do not hold then; what shows it.

    is_played   whether the lines of the alarm are played at the REPL, on both contracts: that takes long, too
    """

    changes: dict[str, tuple[str, str]]
    ssp: int
    invariants: set[str]
    shown: Callable[[Street], object]
    is_played: bool = False


FAULTS = {
    "a sixth of the fee is lost": Fault(
        SWITCHED, 101, {"C2-EVENT-1", "C3-FEE-2"}, lambda street: trade(street, exported=2_000, unit=1)
    ),
    "compensation is rounded up": Fault(SWITCHED, 102, {"C2-EVENT-1", "C3-COMP-1"}, traded, is_played=True),
    "a second bid is taken": Fault(SWITCHED, 103, {"C2-ACCEPT-1", "C4-ONCE-1"}, bids_twice),
    "the rest of a winner's escrow is kept": Fault(SWITCHED, 104, {"C2-ACCOUNT-1", "C1-ESCROW-1"}, traded),
    "everybody has a tier more": Fault(TIERED, 100, {"C2-ACCOUNT-1", "C3-TIER-1"}, traded),
}


@pytest.fixture
def anvil(has_anvil: None) -> Iterator[Anvil]:
    """A node that takes contracts of any size: the switches are too much for one of ours."""
    with Anvil("--disable-code-size-limit", timestamp=1_750_000_000, chain_id=7_357) as node:
        yield node


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Fault], Path]:
    """Copies of the contracts with changes, one for all faults that share them: compiling takes long."""

    @functools.cache
    def copied(changes: tuple[tuple[str, tuple[str, str]], ...]) -> Path:
        folder = tmp_path_factory.mktemp("planted") / "contracts"
        shutil.copytree(CONTRACTS, folder)
        for name, (line, instead) in changes:
            module = folder / "market" / f"{name}.vy"
            text = module.read_text()
            assert text.count(line) == 1
            module.write_text(text.replace(line, instead))
        return folder

    return lambda fault: copied(tuple(fault.changes.items()))


@pytest.fixture
def planted(changed: Callable[[Fault], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Fault], Path]]:
    """Has the contracts with a fault deployed from then on."""

    def plant(fault: Fault) -> Path:
        monkeypatch.setenv("WATTPROOF_CONTRACTS", str(changed(fault)))
        _forget()
        return changed(fault)

    yield plant
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    """Has the contracts compiled anew."""
    for kept in (deployment.deployer, artifacts.artifact, artifacts.interface_of, artifacts._sources):
        kept.cache_clear()


_ROOMY = """import boa
from wattproof.evm.engine import available, roomy_env
boa.set_env(roomy_env(available()[-1]))
"""


def replayed(lines: str, contracts: Path, folder: Path) -> str:
    """What the lines of an alarm print, on the contracts of that folder."""
    script = folder / "lines.py"
    roomy = (
        "import boa\nfrom wattproof.evm.engine import available, roomy_env\nboa.set_env(roomy_env(available()[-1]))\n"
    )
    script.write_text(roomy + lines)
    surroundings = os.environ | {"WATTPROOF_CONTRACTS": str(contracts)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_an_alarm_in_its_block(
    name: str, anvil: Anvil, planted: Callable[[Fault], Path], tmp_path: Path
) -> None:
    fault = FAULTS[name]
    contracts = planted(fault)
    street = Street(Ground.on(anvil, replace(SMALL, ssp=fault.ssp)))
    fault.shown(street)
    watch = Watch(street.ground, f"sqlite:///{tmp_path}/market.db")
    assert watch.run() == 3
    alarms = watch.rows("alarms")
    assert fault.invariants <= {alarm["invariant"] for alarm in alarms}
    cursor = watch.store.cursor()
    assert cursor is not None
    assert {alarm["block"] for alarm in alarms} == {cursor.number}
    assert any(line.startswith(f"ALARM in block {cursor.number}: ") for line in watch.said)
    lines = alarms[0]["replay"]
    assert lines.endswith("check()")
    if fault.is_played or ALL_PLAYED:
        assert "does not hold" in replayed(lines, contracts, tmp_path)
        assert "holds: contract and terms agree" in replayed(lines, CONTRACTS, tmp_path)


def test_the_watch_goes_on_after_an_alarm_with_what_the_state_tells(
    anvil: Anvil, planted: Callable[[Fault], Path], tmp_path: Path
) -> None:
    fault = FAULTS["the rest of a winner's escrow is kept"]
    planted(fault)
    street = Street(Ground.on(anvil, replace(SMALL, ssp=fault.ssp)))
    traded(street)
    url = f"sqlite:///{tmp_path}/market.db"
    with answering() as receiver:
        hook = Webhook(f"http://127.0.0.1:{receiver.port}/alarms", print)
        watch = Watch(street.ground, url, hook=hook)
        assert watch.run(keep_going=True) == 0
        hook.close(30)
        posted = [told for _, _, told in receiver.asked]
    stored = [(row["block"], row["invariant"], row["replay"]) for row in watch.rows("alarms")]
    assert [(told["block"], told["invariant"], told["replay"]) for told in posted] == stored
    assert {told["market"] for told in posted} == {street.market.address}
    first = watch.rows("alarms")[0]["block"]
    head = street.ground.node.block("latest")
    assert head is not None and watch.store.cursor() is not None
    assert first < head.number
    assert {row["block"] for row in watch.rows("alarms") if row["invariant"] == "C1-ESCROW-1"} > {first}
    again = Watch(street.ground, url)
    assert again.run() == 3
    assert any(f"differ since block {first}" in line for line in again.said)
