"""The command `wattproof gas`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import place


def add(commands: Any) -> None:
    """Adds `gas`."""
    gas = commands.add_parser("gas", help="measure what every call costs by each set of rules")
    gas.add_argument("--out", type=place, metavar="FILE", default=Path("out/gas.json"), help="default: out/gas.json")
    gas.add_argument("--in-process", action="store_true", help="compute it in this process alone, without a node")
    gas.add_argument(
        "--before", type=Path, metavar="FOLDER", help="measure the contracts in this folder as the build before, too"
    )
    choice = gas.add_mutually_exclusive_group()
    choice.add_argument(
        "--update", action="store_true", help="write gas-snapshot.json and the tables of docs/gas.md anew"
    )
    choice.add_argument("--docs", action="store_true", help="only write the tables of docs/gas.md, from the snapshot")
    gas.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from verification.gas.run import run_gas

    # Written to a file or a log, the table keeps its width.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    return run_gas(
        options.out, options.update, options.docs, console, in_process=options.in_process, before=options.before
    )
