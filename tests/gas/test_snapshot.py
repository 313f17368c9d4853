"""What the market costs is what the committed snapshot says; the in-process computation is what a node charges."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import pytest
from rich.console import Console

from verification.builds import OLDER, SHIPPED, build
from verification.gas import figures, report, run, sizes
from verification.gas.chain import InProcess, Party, Refused
from verification.gas.community import CAPACITY, START, Community, Unexpected
from verification.gas.figures import Column, Figure
from verification.gas.history import SIZES, History
from verification.gas.node import AMSTERDAM, PRAGUE, RULES, node
from verification.gas.report import Measured
from verification.measurements import progress
from wattproof.evm import anvil
from wattproof.evm.engine import EIP_170
from wattproof.evm.node import NodeUnavailable

NEW_WORD = 80_820
"""What a new word costs more by Amsterdam's rules (EIP-8037), as the node prices it."""


@pytest.fixture(scope="module")
def snapshot() -> Measured:
    """All of `gas-snapshot.json`."""
    return run.committed()


@pytest.fixture(scope="module")
def committed(snapshot: Measured) -> Sequence[Figure]:
    """The figures by Prague's rules of `gas-snapshot.json`."""
    return snapshot.lines


def test_gas_is_the_snapshots(committed: Sequence[Figure]) -> None:
    """Every figure, measured again in this process, is within 1 % of the committed one."""
    history = History(InProcess(START))
    history.play()
    found = figures.differences(figures.figures(history), committed)
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
    assert len(real.community.receipts) > 500
    assert run.unequal(real, computed) == []


def test_targets_are_kept(snapshot: Measured, committed: Sequence[Figure]) -> None:
    """No figure is above its target by any rules, half-hours of small and large books cost the same within 2 %."""
    assert figures.failures(committed) == []
    assert [one for column in snapshot.columns for one in figures.above(column, snapshot.before)] == []
    assert len(snapshot.words) == 2 and figures.growing(snapshot.words) == []
    assert len(figures.growing(snapshot.words_before)) == 1
    assert {line.step for line in committed if line.target is not None} == set(figures.TARGETS)


def test_there_is_a_column_for_each_set_of_rules(snapshot: Measured) -> None:
    """Each has every line, of the bytecode by Prague's rules; these are the figures' own, and Osaka's are the same."""
    assert [column.rules for column in snapshot.columns] == [rules.key for rules in RULES]
    prague, osaka, _ = snapshot.columns
    own = [(line.name, line.median, line.worst, line.fresh) for line in snapshot.lines]
    assert [(cost.name, cost.median, cost.worst, cost.fresh) for cost in prague.costs] == own
    assert osaka.costs == prague.costs
    for column in snapshot.columns:
        assert set(column.by_name) == set(prague.by_name)
        assert column.bytecode == prague.bytecode, f"run `make gas UPDATE=1` where there is {column.node}, and commit"
        assert not column.kept


def test_the_steady_state_begins_no_words(snapshot: Measured) -> None:
    """A new word costs ten times as much in a new market by Amsterdam's rules; in the steady state it makes none."""
    prague, _, amsterdam = snapshot.columns
    for name, cost in prague.by_name.items():
        if cost.fresh is not None and not name.startswith("withdraw"):
            assert abs(amsterdam.by_name[name].median - cost.median) < NEW_WORD // 2, name
    for name in ("bid", "reveal", "quote, the first of its period", "purchase, the first"):
        begun = (amsterdam.by_name[name].fresh or 0) - (prague.by_name[name].fresh or 0)
        assert begun >= NEW_WORD, name


def test_what_is_above_the_rules_is_told(snapshot: Measured) -> None:
    """A half-hour above its part of the build before, and a full book above what a transaction may use."""
    prague = snapshot.columns[0]
    most = math.floor(snapshot.before["prague"] * PRAGUE.at_most)
    told = [
        figures.above(dearer(prague, line, cost), snapshot.before)
        for line, cost in (
            ("a household's half-hour, n = 100", most),
            ("a household's half-hour, n = 100", most + 1),
            ("match, full book, n = 128", figures.TRANSACTION_CAP),
            ("match, full book, n = 128", figures.TRANSACTION_CAP + 1),
        )
    ]
    assert [len(one) for one in told] == [0, 1, 0, 1]
    kept = dataclasses.replace(dearer(prague, "a household's half-hour, n = 100", most + 1), kept=True)
    assert dataclasses.replace(snapshot, columns=[kept]).above == dataclasses.replace(snapshot, columns=[]).above


def dearer(column: Column, name: str, gas: int) -> Column:
    """The column with another figure in a line."""
    costs = (dataclasses.replace(cost, median=gas, worst=gas) if cost.name == name else cost for cost in column.costs)
    return dataclasses.replace(column, costs=tuple(costs))


def test_a_forecast_that_cannot_be_measured_is_kept(snapshot: Measured) -> None:
    """Where its node is not to be had, one line says so, and the snapshot's column stands in, marked; else it ends."""
    text = io.StringIO()
    console = Console(file=text, width=200)
    absent = dataclasses.replace(AMSTERDAM, program=_nothing)
    with progress(console, disable=True) as display:
        columns = run.by_other_rules(absent, console, display, {}, None)
        with pytest.raises(NodeUnavailable):
            run.by_other_rules(dataclasses.replace(absent, forecast=False), console, display, {}, None)
    assert columns == [dataclasses.replace(snapshot.columns[2], kept=True)]
    assert text.getvalue() == "Amsterdam was not measured: install it\n"


def _nothing(_: int) -> NoReturn:
    raise NodeUnavailable("install it")


def test_every_book_was_measured(committed: Sequence[Figure]) -> None:
    """The snapshot holds each size of book, so that no line is missed."""
    for step in ("match, a winner", "match, a loser", "settle, a trade", "a household's half-hour"):
        assert {line.n for line in committed if line.step == step} >= set(SIZES)


def test_the_document_shows_the_snapshot(snapshot: Measured) -> None:
    """The tables of docs/gas.md are those that the snapshot gives."""
    text = run.DOCUMENT.read_text()
    assert report.rewritten(text, snapshot) == text, "run `wattproof gas --docs` and commit docs/gas.md"


@pytest.mark.parametrize("contract", sizes.CONTRACTS)
@pytest.mark.parametrize("name", sizes.DEPLOYED)
def test_what_is_deployed_fits(contract: str, name: str) -> None:
    """The code has bytes left below EIP-170's limit, as many as the snapshot says, give or take 1 % of the limit."""
    size = sizes.Size(contract, name, build(contract, name).size)
    assert sizes.too_large([size]) == []
    committed = {(one.contract, one.build): one for one in figures.read_sizes(run.SNAPSHOT)}
    assert abs(size.free - committed[contract, name].free) <= EIP_170 // 100, "run `make gas UPDATE=1` and commit"


# ---- the checks themselves ---------------------------------------------------------------


def test_more_than_the_band_is_seen(committed: Sequence[Figure]) -> None:
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


def test_a_missed_target_is_a_failure(committed: Sequence[Figure]) -> None:
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
    """A byte above the limit is told of what is deployed, and of no other build; so is a byte of the reserve."""
    for name in sizes.BUILDS:
        told = sizes.too_large([sizes.Size("EnergyMarket", name, EIP_170 + 1), sizes.Size("MarketLens", name, EIP_170)])
        assert len(told) == (name in (SHIPPED, OLDER))
    least = EIP_170 - sizes.RESERVES["EnergyMarket", SHIPPED]
    assert sizes.too_large([sizes.Size("EnergyMarket", SHIPPED, least)]) == []
    told = sizes.too_large([sizes.Size("EnergyMarket", SHIPPED, least + 1)])
    assert told == ["EnergyMarket for Prague: 499 bytes free, at least 500"]


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
