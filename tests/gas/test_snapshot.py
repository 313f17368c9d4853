"""What the market costs is what the committed snapshot says; the in-process computation is what a node charges."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from verification.builds import OLDER, SHIPPED, build
from verification.gas import figures, report, run, sizes
from verification.gas.chain import InProcess, Party, Refused
from verification.gas.community import CAPACITY, START, Community, Unexpected
from verification.gas.figures import Figure
from verification.gas.history import SIZES, History
from verification.gas.node import node
from wattproof.evm import anvil
from wattproof.evm.engine import EIP_170
from wattproof.evm.node import NodeUnavailable


@pytest.fixture(scope="module")
def committed() -> list[Figure]:
    """The figures of `gas-snapshot.json`."""
    return figures.read_snapshot(run.SNAPSHOT)


def test_gas_is_the_snapshots(committed: list[Figure]) -> None:
    """Every figure, measured again in this process, is within 1 % of the committed one."""
    history = History(InProcess(START))
    history.play()
    found = figures.differences(figures.figures(history.samples), committed)
    assert not found, "\n".join(["where this is meant, run `make gas UPDATE=1` and commit:", *found])


def test_the_reckoning_is_what_a_node_charges() -> None:
    """A short history costs the same to the last unit, with the same events, on anvil and in this process."""
    try:
        anvil.binary()
    except NodeUnavailable as problem:
        pytest.skip(str(problem))
    small: dict[str, Any] = dict(sizes=(3, 7), most=7, batches=(1, 2, 3))
    with node(START) as chain:
        real = History(chain, **small)
        real.play()
    computed = History(InProcess(START), **small)
    computed.play()
    assert len(real.community.receipts) > 250
    assert run.unequal(real, computed) == []


def test_targets_are_kept(committed: list[Figure]) -> None:
    """No figure is above its target, and half-hours of small and large books cost the same within 2 %."""
    assert figures.failures(committed) == []
    assert {line.step for line in committed if line.target is not None} == set(figures.TARGETS)


def test_every_book_was_measured(committed: list[Figure]) -> None:
    """The snapshot holds each size of book, so that no line is missed."""
    for step in ("match, a winner", "match, a loser", "settle, a trade", "a household's half-hour"):
        assert {line.n for line in committed if line.step == step} >= set(SIZES)


def test_the_document_shows_the_snapshot(committed: list[Figure]) -> None:
    """The tables of docs/gas.md are those that the snapshot gives."""
    text, code = run.DOCUMENT.read_text(), figures.read_sizes(run.SNAPSHOT)
    assert report.rewritten(text, committed, code) == text, "run `wattproof gas --docs` and commit docs/gas.md"


@pytest.mark.parametrize("contract", sizes.CONTRACTS)
@pytest.mark.parametrize("name", sizes.DEPLOYED)
def test_what_is_deployed_fits(contract: str, name: str) -> None:
    """The code has bytes left below EIP-170's limit, as many as the snapshot says, give or take 1 % of the limit."""
    size = sizes.Size(contract, name, build(contract, name).size)
    assert sizes.too_large([size]) == []
    committed = {(one.contract, one.build): one for one in figures.read_sizes(run.SNAPSHOT)}
    assert abs(size.free - committed[contract, name].free) <= EIP_170 // 100, "run `make gas UPDATE=1` and commit"


# ---- the checks themselves ---------------------------------------------------------------


def test_more_than_the_band_is_seen(committed: list[Figure]) -> None:
    """A figure just inside 1 % passes; one a unit beyond does not, dearer or cheaper, nor does a missing line."""
    line = next(line for line in committed if line.step == "bid")
    allowed = line.worst // 100
    for change in (allowed, -allowed):
        near = [dataclasses.replace(line, worst=line.worst + change)]
        far = [dataclasses.replace(line, worst=line.worst + change + (1 if change > 0 else -1))]
        assert figures.differences(near, [line]) == []
        assert len(figures.differences(far, [line])) == 1
    assert figures.differences([], [line]) == ["bid: no longer measured"]
    assert figures.differences([line], []) == ["bid: not in the snapshot"]


def test_a_missed_target_is_a_failure(committed: list[Figure]) -> None:
    """One unit above a target, and half-hours that lie more than 2 % apart, are told."""
    told = figures.failures(committed)
    dear = [dataclasses.replace(line, worst=58_001) if line.step == "bid" else line for line in committed]
    assert [one for one in figures.failures(dear) if one not in told] == ["bid: 58,001 gas, at most 58,000"]
    apart = [
        dataclasses.replace(line, median=line.median * 2)
        if (line.step, line.n) == ("a household's half-hour", 10)
        else line
        for line in committed
    ]
    assert any("apart" in one for one in figures.failures(apart))
    assert figures.spread(apart) > Fraction(1, 2)


def test_code_that_does_not_fit_is_a_failure() -> None:
    """A byte above the limit is told of what is deployed, and of no other build."""
    for name in sizes.BUILDS:
        told = sizes.too_large([sizes.Size("EnergyMarket", name, EIP_170 + 1), sizes.Size("MarketLens", name, EIP_170)])
        assert len(told) == (name in (SHIPPED, OLDER))


def test_a_transaction_that_does_something_else_is_not_weighed() -> None:
    """A refused call, and one with other events than designed, end the history instead of being counted."""
    community = Community(InProcess(START))
    with pytest.raises(Refused, match="accounts: not registered"):
        community.call("authorize", "stranger", CAPACITY, sender="owner")
    community.call("register", *community.registration("stranger"), sender="stranger")
    with pytest.raises(Unexpected, match="Authorized"):
        community.call("authorize", "stranger", CAPACITY, sender="owner", Revoked=1)


def test_a_transfer_of_ether_costs_what_the_protocol_says() -> None:
    """21,000 without data; with data and nothing done, 10 for a zero byte and 40 for another (EIP-7623)."""
    chain, sender, receiver = InProcess(START), Party("sender"), Party("receiver").address
    assert chain.send(sender, receiver, b"", value=1).gas == 21_000
    assert chain.send(sender, receiver, b"\x00\x01").gas == 21_050


def test_without_npm_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where npm is missing the message names both ways out, and the command ends with 2."""
    monkeypatch.delenv("WATTPROOF_ANVIL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(anvil.platform, "system", lambda: "Linux")
    monkeypatch.setattr(anvil.platform, "machine", lambda: "x86_64")
    with pytest.raises(NodeUnavailable, match=r"Node\.js.*WATTPROOF_ANVIL"):
        anvil.binary()


def test_another_archive_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An archive with another digest than the pinned one is refused before anything of it is unpacked."""
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nfor folder; do last=$before; before=$folder; done\necho junk > $last/anvil.tgz\n")
    npm.chmod(0o755)
    monkeypatch.delenv("WATTPROOF_ANVIL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(anvil.shutil, "which", lambda _: str(npm))
    monkeypatch.setattr(anvil.platform, "system", lambda: "Linux")
    monkeypatch.setattr(anvil.platform, "machine", lambda: "x86_64")
    with pytest.raises(NodeUnavailable, match="not the package"):
        anvil.binary()
