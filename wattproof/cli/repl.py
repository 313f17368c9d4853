"""The command `wattproof repl`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from wattproof.cli.arguments import add_engine, add_households


def add(commands: Any) -> None:
    """Adds `repl`."""
    repl = commands.add_parser("repl", help="open IPython with a market, households, meters and a clock")
    add_households(repl)
    add_engine(repl)
    repl.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from wattproof import repl
    from wattproof.evm.engine import engine
    from wattproof.simulation.households import DEFAULT_FILE

    if sys.stdin is None:
        print("there is nothing to type at, as the standard input is closed: leave it open", file=sys.stderr)
        return 2
    print("Opening a market; the first time, its contracts are compiled, which takes up to a minute.", file=sys.stderr)
    with engine(options.engine):
        repl.run(options.households or DEFAULT_FILE)
    return 0
