"""A watcher whose chain is reorganised, or that is started again: in the end as one that saw nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.field import Ground
from tests.support.street import Street
from tests.support.watching import PENNY, Watch, trade
from wattproof.evm.anvil import Anvil
from wattproof.store.dump import dump
from wattproof.watch import watcher


@pytest.fixture
def street(anvil: Anvil) -> Street:
    return Street(Ground.on(anvil))


def fresh(street: Street, folder: Path, name: str = "market") -> Watch:
    """A watcher with a database of its own."""
    return Watch(street.ground, f"sqlite:///{folder}/{name}.db")


def same_as_undisturbed(street: Street, watch: Watch, folder: Path) -> None:
    """The rows of a watcher are those of one that begins now."""
    undisturbed = fresh(street, folder, "undisturbed")
    assert undisturbed.run() == 0
    assert list(dump(watch.store.store)) == list(dump(undisturbed.store.store))


@pytest.mark.parametrize("depth", [1, 5])
def test_a_reorganisation_is_followed(street: Street, tmp_path: Path, depth: int) -> None:
    watch = fresh(street, tmp_path)
    trade(street)
    assert watch.run() == 0
    head = watch.store.cursor()
    street.ground.anvil.rpc("anvil_reorg", depth, [])
    street.quote("sunny", 700, 8 * PENNY)
    assert watch.run() == 0
    assert head is not None
    assert any(f"back from block {head.number} to {head.number - depth}" in line for line in watch.said)
    same_as_undisturbed(street, watch, tmp_path)


def test_a_reorganisation_across_a_restart_is_followed(
    street: Street, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SNAPSHOT_CALLS", 3)
    trade(street)
    assert Watch(street.ground, database).run() == 0
    street.ground.anvil.rpc("anvil_reorg", 5, [])
    trade(street, exported=0)
    again = Watch(street.ground, database)
    assert again.run() == 0
    assert any("was reorganised" in line for line in again.said)
    same_as_undisturbed(street, again, tmp_path)


def test_a_chain_that_becomes_shorter_is_followed(street: Street, tmp_path: Path) -> None:
    watch = fresh(street, tmp_path)
    street.join("sunny")
    before = street.ground.anvil.rpc("evm_snapshot")
    street.quote("sunny", 700, 8 * PENNY)
    street.quote("sunny", 700, 8 * PENNY, street.period + 1)
    assert watch.run() == 0
    street.ground.anvil.rpc("evm_revert", before)
    street.quote("sunny", 900, 8 * PENNY)
    assert watch.run() == 0
    same_as_undisturbed(street, watch, tmp_path)


@pytest.mark.parametrize("calls", [1, 4, 2_000])
def test_a_watcher_that_is_started_anew_for_every_few_blocks_has_the_same_rows(
    street: Street, tmp_path: Path, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SNAPSHOT_CALLS", calls)
    trade(street)
    trade(street, exported=500)
    head = street.ground.node.block("latest")
    assert head is not None
    for until in range(4, head.number + 3, 3):
        assert fresh(street, tmp_path).run(min(until, head.number)) == 0
    same_as_undisturbed(street, fresh(street, tmp_path), tmp_path)


def test_blocks_with_equal_timestamps_are_watched(anvil: Anvil, tmp_path: Path) -> None:
    ground = Ground.on(anvil)
    street = Street(ground)
    homes = [street.join(name) for name in ("sunny", "cloudy")]
    anvil.rpc("anvil_setBlockTimestampInterval", 0)
    for home in homes:
        street.call(home.account, "submit_quote", street.period, 500, 9 * PENNY)
        street.call(home.account, "withdraw", 1)
    newest = ground.node.block("latest")
    before = newest and ground.node.block(newest.parent)
    assert newest and before and newest.timestamp == before.timestamp
    watch = fresh(street, tmp_path)
    assert watch.run() == 0
