"""`wattproof gas`: plays the history on a node for each set of rules and in this process, and reports what it costs."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from verification.builds import build, suite
from verification.gas.chain import Chain, InProcess, Refused
from verification.gas.community import START, Unexpected
from verification.gas.figures import (
    BEFORE,
    WORDS_BEFORE,
    Column,
    as_json,
    costs,
    differences,
    figures,
    read_before,
    read_columns,
    read_sizes,
    read_snapshot,
    read_words,
)
from verification.gas.growth import words
from verification.gas.history import History
from verification.gas.node import PRAGUE, RULES, Rules, node
from verification.gas.report import Measured, show, write_docs
from verification.gas.sizes import sizes
from verification.invariants import ROOT
from verification.measurements import progress
from wattproof.evm import anvil
from wattproof.evm.node import NodeUnavailable, RpcError
from wattproof.outputs import File, write

_TRANSACTIONS, _MONTH = 6_035, 6_029  # about; for the progress display only


SNAPSHOT = ROOT / "gas-snapshot.json"
"""The committed figures."""

DOCUMENT = ROOT / "docs" / "gas.md"
"""The document whose tables are written from the snapshot."""


class Unequal(RuntimeError):
    """A node charges something else than is computed in this process."""


def unequal(real: History, computed: History) -> list[str]:
    """Transactions whose gas, calldata or events differ between two chains, in words."""
    found = [
        f"transaction {number}, {name}: {one.gas:,} gas on anvil, {other.gas:,} in this process"
        for number, ((name, one), (_, other)) in enumerate(
            zip(real.community.receipts, computed.community.receipts, strict=True), 1
        )
        if (one.gas, one.calldata, one.logs) != (other.gas, other.calldata, other.logs)
    ]
    return found


def committed() -> Measured:
    """What the snapshot holds. Raises FileNotFoundError with what to do where there is none."""
    figures, code, columns = read_snapshot(SNAPSHOT), read_sizes(SNAPSHOT), read_columns(SNAPSHOT)
    return Measured(figures, code, columns, read_before(SNAPSHOT), *read_words(SNAPSHOT))


def _play(chain: Chain, what: str, display: Progress, contracts: Path | None = None) -> History:
    """The whole history on a chain, of the contracts in a folder."""
    bar = display.add_task(what, total=_TRANSACTIONS)
    history = History(chain, tick=lambda: display.advance(bar), contracts=contracts)
    history.play()
    display.remove_task(bar)
    return history


def _column(rules: Rules, history: History, charged_by: str) -> Column:
    return Column(rules.key, charged_by, build("EnergyMarket").hashes["runtime"], costs(history))


def measured(console: Console, contracts: Path | None) -> Measured:
    """All that is measured: figures, columns, words of storage, and the same of the build before, in `contracts`.

    Each receipt by Prague's rules is equal to its computation in this process; what a transaction spent on storage is
    known to the computation alone. Without `contracts` what was before is as in `BEFORE` and `WORDS_BEFORE`.

    Raises NodeUnavailable where there is no node, RpcError where one refuses to be set up; Refused or Unexpected where
    the history goes another way, Unequal where receipt and computation differ.
    """
    before = dict(BEFORE)
    suite()  # compiled before a node is started
    with progress(console, transient=True) as display:
        history = _charged(PRAGUE, display, before, contracts)
        computed = _play(InProcess(START), "in this process", display)
        if found := unequal(history, computed):
            raise Unequal(f"{len(found)} receipts differ from their computation, the first: {found[0]}")
        columns = [_column(PRAGUE, history, PRAGUE.node)]
        for rules in RULES[1:]:
            columns += by_other_rules(rules, console, display, before, contracts)
        counted = _words(display, None)
        counted_before = _words(display, contracts) if contracts else WORDS_BEFORE
    console.print(
        f"{len(computed.community.receipts):,} transactions by each set of rules; by Prague's on {PRAGUE.node}, every "
        "receipt equal to its computation in this process"
    )
    return Measured(figures(computed), sizes(), columns, before, counted, counted_before)


def _words(display: Progress, contracts: Path | None) -> tuple[int, ...]:
    """The words of storage of a month, of the contracts in a folder."""
    bar = display.add_task("a month of ten households", total=_MONTH)
    counted = words(lambda: display.advance(bar), contracts)
    display.remove_task(bar)
    return counted


def by_other_rules(
    rules: Rules, console: Console, display: Progress, before: dict[str, int], contracts: Path | None
) -> list[Column]:
    """The column of these rules; `before` is changed as in `_charged`.

    Of a forecast whose node is not to be had it is the snapshot's, if there is one, and a line says so. Raises as
    `measured` does.
    """
    try:
        return [_column(rules, _charged(rules, display, before, contracts), rules.node)]
    except NodeUnavailable as problem:
        if not rules.forecast:
            raise
        console.print(f"[yellow]{rules.name} was not measured:[/] {problem}")
        return _kept(rules)


def _charged(rules: Rules, display: Progress, before: dict[str, int], contracts: Path | None) -> History:
    """The history on the node; notes in `before` what the half-hour takes of `contracts`, where they are given."""
    with node(START, rules) as chain:
        history = _play(chain, f"{rules.name}, {rules.node}", display)
    if contracts is not None:
        with node(START, rules) as chain:
            old = _play(chain, f"{rules.name}, the build before", display, contracts)
        before[rules.key] = _column(rules, old, rules.node).half_hour.median
    return history


def _kept(*rules: Rules) -> list[Column]:
    """The snapshot's columns of these rules, if it has them."""
    if not SNAPSHOT.is_file():
        return []
    keys = [one.key for one in rules]
    return [dataclasses.replace(column, kept=True) for column in read_columns(SNAPSHOT) if column.rules in keys]


def in_this_process(console: Console) -> Measured:
    """The same without a node: figures and column of Prague are computed, those of other rules the snapshot's.

    Words of storage are not counted: this is for a look in between.

    Raises Refused or Unexpected.
    """
    with progress(console, transient=True) as display:
        history = _play(InProcess(START), "in this process", display)
    console.print(f"{len(history.community.receipts):,} transactions, computed in this process (Prague rules)")
    others = [rules for rules in RULES if rules is not PRAGUE]
    columns = [_column(PRAGUE, history, "none"), *_kept(*others)]
    return Measured(figures(history), sizes(), columns, dict(BEFORE))


def run_gas(
    out: Path,
    update: bool,
    docs: bool,
    console: Console,
    *,
    in_process: bool = False,
    before: Path | None = None,
) -> int:
    """Measures, prints and writes `out`; returns 0, or 1 where a target is not kept, 2 where nothing can be measured.

    `update` writes the snapshot anew and the document's tables with it; `docs` writes only the tables, from the
    snapshot, without measuring. `in_process` asks no node; the snapshot is a node's. `before` is a folder of other
    contracts, whose half-hour is measured in the same run.
    """
    if in_process and (update or before):
        what = "the snapshot is" if update else "the build before is compared by"
        print(
            f"{what} what a node charges: leave --in-process or {'--update' if update else '--before'} out",
            file=sys.stderr,
        )
        return 2
    if before is not None and not (before / "EnergyMarket.vy").is_file():
        print(f"--before: {before} holds no EnergyMarket.vy; name the folder of contracts that does", file=sys.stderr)
        return 2
    if docs:
        write_docs(DOCUMENT, committed())
        console.print(f"the tables of {DOCUMENT} are those of the snapshot")
        return 0
    with File(out) as file:
        return _measured(file, update, console, in_process, before)


def _measured(file: File, update: bool, console: Console, in_process: bool, contracts: Path | None) -> int:
    try:
        told = in_this_process(console) if in_process else measured(console, contracts)
    except (NodeUnavailable, RpcError) as problem:
        print(problem, file=sys.stderr)
        return 2
    except (Refused, Unexpected, Unequal) as problem:
        print(f"the history could not be measured: {problem}", file=sys.stderr)
        return 1
    show(told, console)
    about = {
        "rules": "prague",
        "vyper": importlib.metadata.version("vyper"),
        "anvil": "none" if in_process else anvil.VERSION,
    }
    everything = (told.lines, told.sizes, told.columns, told.before, told.words, told.words_before)
    file.write(as_json(*everything, schema="wattproof-gas/1", **about, bytecode=build("EnergyMarket").hashes))
    console.print(f"written: {file.path}")
    if update:
        write(SNAPSHOT, as_json(*everything, **about))
        write_docs(DOCUMENT, told)
        console.print(f"written: {SNAPSHOT} and the tables of {DOCUMENT}; commit them")
    elif SNAPSHOT.is_file():
        for difference in _from_snapshot(told):
            console.print(f"[yellow]not as in the snapshot:[/] {difference}")
    return 1 if told.above else 0


def _from_snapshot(told: Measured) -> list[str]:
    """What differs from the snapshot, in words."""
    found = differences(told.lines, read_snapshot(SNAPSHOT))
    kept = {column.rules: column for column in read_columns(SNAPSHOT)}
    for column in told.columns[1:]:
        old = kept[column.rules].costs if column.rules in kept else ()
        found += [f"{column.rules}: {one}" for one in differences(column.costs, old)]
    return found
