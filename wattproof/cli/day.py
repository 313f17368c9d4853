"""The command `wattproof day`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.arguments import add_engine, add_households, place


def add(commands: Any) -> None:
    """Adds `day`."""
    day = commands.add_parser("day", help="run a trading day through the contract and print every household's bill")
    add_households(day)
    day.add_argument("--seed", type=int, default=1, help="of the forecast errors (default: 1)")
    day.add_argument("--out", type=place, metavar="DIR", help="write bills, trades, a summary and a picture there")
    add_engine(day)
    day.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from wattproof.simulation.day import run_day

    return run_day(options.households, options.seed, options.out, options.engine, Console())
