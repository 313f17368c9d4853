"""`wattproof gas`: plays the history on anvil and in this process, and reports what everything costs."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

from rich.console import Console

from verification.builds import build
from verification.gas.chain import InProcess, Refused
from verification.gas.community import START, Unexpected
from verification.gas.figures import Figure, as_json, differences, failures, figures, read_sizes, read_snapshot
from verification.gas.history import History
from verification.gas.node import node
from verification.gas.report import show, write_docs
from verification.gas.sizes import sizes, too_large
from verification.invariants import ROOT
from verification.measurements import progress
from wattproof.evm import anvil
from wattproof.evm.node import NodeUnavailable, RpcError
from wattproof.outputs import File, write

_TRANSACTIONS = 3_431  # about; for the progress display only


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


def measured(console: Console) -> list[Figure]:
    """The figures of the history on anvil, each transaction equal to its computation in this process.

    What a transaction spent on storage is known to the computation alone. Raises NodeUnavailable where there is no
    node, RpcError where it refuses to be set up; Refused, Unexpected, or Unequal where receipt and computation differ.
    """
    with progress(console, transient=True) as display, node(START) as chain:
        real_bar = display.add_task(f"anvil {anvil.VERSION}", total=_TRANSACTIONS)
        real = History(chain, tick=lambda: display.advance(real_bar))
        real.play()
        bar = display.add_task("in this process", total=len(real.community.receipts))
        computed = History(InProcess(START), tick=lambda: display.advance(bar))
        computed.play()
    if found := unequal(real, computed):
        raise Unequal(f"{len(found)} receipts differ from their computation, the first: {found[0]}")
    console.print(
        f"{len(real.community.receipts):,} transactions on anvil {anvil.VERSION} (Prague rules), every receipt "
        "equal to its computation in this process"
    )
    return figures(computed.samples)


def in_this_process(console: Console) -> list[Figure]:
    """The figures of the history as computed in this process, without a node. Raises Refused or Unexpected."""
    with progress(console, transient=True) as display:
        bar = display.add_task("in this process", total=_TRANSACTIONS)
        history = History(InProcess(START), tick=lambda: display.advance(bar))
        history.play()
    console.print(f"{len(history.community.receipts):,} transactions, computed in this process (Prague rules)")
    return figures(history.samples)


def run_gas(out: Path, update: bool, docs: bool, console: Console, *, in_process: bool = False) -> int:
    """Measures, prints and writes `out`; returns 0, or 1 where a target is not kept, 2 where nothing can be measured.

    `update` writes the snapshot anew and the document's tables with it; `docs` writes only the tables, from the
    snapshot, without measuring. `in_process` asks no node; the snapshot is a node's.
    """
    if in_process and update:
        print("the snapshot is what a node charges: leave --in-process or --update out", file=sys.stderr)
        return 2
    if docs:
        write_docs(DOCUMENT, read_snapshot(SNAPSHOT), read_sizes(SNAPSHOT))
        console.print(f"the tables of {DOCUMENT} are those of the snapshot")
        return 0
    with File(out) as file:
        return _measured(file, update, console, in_process)


def _measured(file: File, update: bool, console: Console, in_process: bool) -> int:
    try:
        lines = in_this_process(console) if in_process else measured(console)
    except (NodeUnavailable, RpcError) as problem:
        print(problem, file=sys.stderr)
        return 2
    except (Refused, Unexpected, Unequal) as problem:
        print(f"the history could not be measured: {problem}", file=sys.stderr)
        return 1
    code = sizes()
    show(lines, code, console)
    about = {
        "rules": "prague",
        "vyper": importlib.metadata.version("vyper"),
        "anvil": "none" if in_process else anvil.VERSION,
    }
    file.write(as_json(lines, code, schema="wattproof-gas/1", **about, bytecode=build("EnergyMarket").hashes))
    console.print(f"written: {file.path}")
    if update:
        write(SNAPSHOT, as_json(lines, code, **about))
        write_docs(DOCUMENT, lines, code)
        console.print(f"written: {SNAPSHOT} and the tables of {DOCUMENT}; commit them")
    elif SNAPSHOT.is_file():
        for difference in differences(lines, read_snapshot(SNAPSHOT)):
            console.print(f"[yellow]not as in the snapshot:[/] {difference}")
    return 1 if failures(lines) or too_large(code) else 0
