"""Three nodes in step, in small; and that a node out of step would be seen. Needs npm, which brings anvil."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from verification.builds import suite
from verification.differential import nodes
from verification.differential.histories import CHAIN_ID, START, History, random_history
from verification.differential.nodes import Told
from verification.differential.replay import Chain, Disagreement
from wattproof.evm import anvil
from wattproof.evm.anvil import Anvil
from wattproof.evm.engine import available
from wattproof.evm.node import NodeUnavailable, RpcError

BUILDS = suite()


@pytest.fixture(scope="module")
def binary() -> Path:
    """The node's binary; where there is none to be had, its tests are skipped with what to do."""
    try:
        return anvil.binary()
    except NodeUnavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def history() -> History:
    """A short history, whose prices are the largest that there can be."""
    return random_history(3, 200, views=False)


@pytest.fixture(scope="module")
def told(binary: Path, history: History) -> Told:
    """What one node makes of it."""
    with Anvil(*nodes.SETTINGS, timestamp=START - 1, chain_id=CHAIN_ID) as node:
        return nodes.feed(history, nodes.transactions(history, BUILDS), node, Random(0))


def test_three_nodes_and_both_engines_agree(binary: Path) -> None:
    """On every block, every receipt and the final state."""
    history = random_history(4, 200, views=False)
    chains = {engine: Chain(engine, BUILDS) for engine in available()}
    blocks = nodes.compare(history, BUILDS, chains, lambda: None)
    receipts = [receipt for block in blocks for receipt in block.receipts]
    assert len(receipts) == len(history.calls) + len(BUILDS)
    assert {accepted for accepted, _ in receipts} == {True, False}


def test_one_transaction_more_or_less_is_seen(binary: Path, history: History, told: Told) -> None:
    """A node that was told something else, at the very end, is not in step, and neither is an engine."""
    shorter = replace(history, calls=[call for call in history.calls if call.kind == "call" and call.accepted][:-1])
    with Anvil(*nodes.SETTINGS, timestamp=START - 1, chain_id=CHAIN_ID) as node:
        other = nodes.feed(shorter, nodes.transactions(shorter, BUILDS), node, Random(1))
    with pytest.raises(Disagreement, match=r"node 2 0x"):
        nodes.check_nodes(history, [replace(told, blocks=told.blocks[: len(other.blocks)]), other])


def test_every_difference_counts(history: History, told: Told) -> None:
    """Hash, state root, status, logs and final state: where one differs, the comparison fails."""
    nodes.check_nodes(history, [told, told, told])
    played = Chain(available()[-1], BUILDS).play(history)
    nodes.check_engine(history, told, played, "engine")
    last = told.blocks[-1]
    accepted, logs = last.receipts[-1]
    flipped = replace(last, receipts=(*last.receipts[:-1], (not accepted, logs)))
    for wrong in (replace(last, hash="0x"), replace(last, state_root="0x"), flipped):
        with pytest.raises(Disagreement):
            nodes.check_nodes(history, [told, replace(told, blocks=[*told.blocks[:-1], wrong])])
    with pytest.raises(Disagreement):
        nodes.check_engine(history, replace(told, blocks=[*told.blocks[:-1], flipped]), played, "engine")
    moved = replace(told, state=replace(told.state, market=told.state.market | {2**200: 1}))
    with pytest.raises(Disagreement, match="the final state of node 2"):
        nodes.check_nodes(history, [told, moved])
    with pytest.raises(Disagreement, match="slots of the market differ"):
        nodes.check_engine(history, moved, played, "engine")


# ---- the node itself -------------------------------------------------------------------


def test_a_node_makes_blocks_when_told(binary: Path) -> None:
    """At the seconds asked for; what it refuses is an error with its message."""
    with Anvil(timestamp=START) as node:
        assert node.version.startswith(anvil.VERSION)
        assert int(node.mine(START + 7)["timestamp"], 16) == START + 7
        with pytest.raises(RpcError, match="eth_nothing"):
            node.rpc("eth_nothing")
    with pytest.raises(NodeUnavailable, match="not running"):
        node.rpc("eth_blockNumber")


def test_a_node_that_cannot_start_says_why(binary: Path) -> None:
    """With the last line of what it said."""
    with pytest.raises(NodeUnavailable, match="anvil did not start"):
        Anvil("--no-such-argument").start()


def test_without_npm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install Node.js, or name a binary; a binary that cannot be run is refused."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("WATTPROOF_ANVIL", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(anvil.platform, "system", lambda: "Linux")
    monkeypatch.setattr(anvil.platform, "machine", lambda: "x86_64")
    with pytest.raises(NodeUnavailable, match=r"install Node\.js"):
        anvil.binary()
    monkeypatch.setattr(anvil.platform, "machine", lambda: "abacus")
    with pytest.raises(NodeUnavailable, match="not published for Linux abacus"):
        anvil.binary()
    monkeypatch.setenv("WATTPROOF_ANVIL", str(tmp_path / "none"))
    with pytest.raises(NodeUnavailable, match="cannot be run"):
        anvil.binary()
