"""A watcher whose node answers oddly, is started anew, or belongs to another chain: never a wrong row."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.field import Ground, url
from tests.support.proxy import LATE, ODD, before
from tests.support.street import Street
from tests.support.watching import PENNY, Watch, trade
from wattproof.chain.market import ChainMarket, NotTheMarket
from wattproof.chain.node import Node
from wattproof.evm.anvil import Anvil
from wattproof.store.dump import dump


@pytest.fixture
def street(anvil: Anvil) -> Street:
    street = Street(Ground.on(anvil))
    trade(street)
    return street


@pytest.fixture
def other(has_anvil: None) -> Iterator[Anvil]:
    """A node of another chain, of the same ID and with as many blocks."""
    with Anvil(timestamp=1_750_000_001, chain_id=7_357) as node:
        for _ in range(60):
            node.mine()
        yield node


def same_as_undisturbed(street: Street, watch: Watch, folder: Path) -> None:
    undisturbed = Watch(street.ground, f"sqlite:///{folder}/undisturbed.db")
    assert undisturbed.run() == 0
    assert list(dump(watch.store.store)) == list(dump(undisturbed.store.store))


@pytest.mark.parametrize("odd", ODD)
def test_a_node_that_answers_oddly_now_and_then_is_asked_again(
    odd: str, street: Street, other: Anvil, tmp_path: Path
) -> None:
    every = 41 if odd == "late" else 29
    with before(street.ground.url, url(other), lambda number, _: odd if number % every == every - 1 else "fine") as (
        place,
        done,
    ):
        node = Node(place, timeout=LATE / 2 if odd == "late" else 30)
        watch = Watch(street.ground, f"sqlite:///{tmp_path}/market.db", node, patience=1_000)
        assert watch.run() == 0
        assert done.count(odd) >= 3
    same_as_undisturbed(street, watch, tmp_path)
    assert watch.rows("alarms") == []


def test_a_node_of_another_chain_is_refused_at_the_start(street: Street, other: Anvil, tmp_path: Path) -> None:
    watch = Watch(street.ground, f"sqlite:///{tmp_path}/market.db", Node(url(other)))
    with pytest.raises(NotTheMarket, match="another chain"):
        watch.run(until=100)
    assert watch.store.cursor() is None


def test_a_node_that_lost_its_chain_meanwhile_changes_nothing(street: Street, other: Anvil, tmp_path: Path) -> None:
    """From some moment on, the answers are those of another chain; then they are right again."""
    watch = Watch(street.ground, f"sqlite:///{tmp_path}/market.db", patience=1_000)
    head = street.ground.node.block("latest")
    assert head is not None
    assert watch.run(until=head.number - 5) == 0
    stood = watch.store.cursor()
    with before(street.ground.url, url(other), lambda number, _: "other" if 12 <= number < 52 else "fine") as (
        place,
        done,
    ):
        again = Watch(street.ground, f"sqlite:///{tmp_path}/market.db", Node(place), patience=1_000)
        assert again.run() == 0
        assert "other" in done
    assert any("another chain" in line for line in again.said)
    assert stood is not None and watch.store.hash_of(stood.number) == stood.hash
    same_as_undisturbed(street, again, tmp_path)


def test_a_node_without_traces_is_watched_by_transactions_and_events(street: Street, tmp_path: Path) -> None:
    node = Node(street.ground.url)
    node.missing |= {"debug_traceBlockByHash", "debug_traceTransaction", "trace_block"}
    watch = Watch(street.ground, f"sqlite:///{tmp_path}/market.db", node)
    assert watch.run() == 0
    assert watch.rows("alarms") == []
    assert watch.checks()["C2-EVENT-1"] == len(street.calls()) + 1


def test_a_node_that_is_started_again_with_its_state_is_followed_on(has_anvil: None, tmp_path: Path) -> None:
    db, state = f"sqlite:///{tmp_path}/market.db", str(tmp_path / "state.json")
    with Anvil("--state", state, timestamp=1_750_000_000, chain_id=7_357) as anvil:
        street = Street(Ground.on(anvil))
        trade(street)
        assert Watch(street.ground, db).run() == 0
        before_it = len(street.calls())
    with Anvil("--state", state, chain_id=7_357) as anvil:
        node, ground = Node(url(anvil)), street.ground
        market = ChainMarket(node, ground.record)
        street.ground = Ground(anvil, node, ground.owner, ground.record, market)
        street.market = market
        now = int(time.time())  # Its clock is the machine's again.
        street.quote("sunny", 500, 9 * PENNY, now // street.clock.period_length + 2)
        watch = Watch(street.ground, db)
        assert watch.run() == 0
        assert len(watch.calls()) == 1 + before_it + 1
        assert watch.rows("alarms") == []
