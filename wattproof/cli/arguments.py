"""The commands `wattproof day` and `wattproof repl`, and the arguments that several commands share."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

ENGINES = ("pyevm", "revm")

_UNITS = {"s": 1, "m": 60, "h": 3600}


def add(commands: Any) -> None:
    """Adds `day` and `repl`."""
    day = commands.add_parser("day", help="run a trading day through the contract and print every household's bill")
    add_households(day)
    day.add_argument("--seed", type=int, default=1, help="of the forecast errors (default: 1)")
    day.add_argument("--out", type=Path, metavar="DIR", help="write bills, trades, a summary and a picture there")
    add_engine(day)
    day.set_defaults(run=_day)

    repl = commands.add_parser("repl", help="open IPython with a market, households, meters and a clock")
    add_households(repl)
    add_engine(repl)
    repl.set_defaults(run=_repl)


def add_households(command: argparse.ArgumentParser) -> None:
    """`--households FILE`."""
    command.add_argument(
        "--households",
        type=Path,
        metavar="FILE",
        help="CSV period,household,load_wh,pv_wh[,forecast_load_wh,forecast_pv_wh][,capacity_wh] "
        "(default: ten modelled households)",
    )


def add_engine(command: argparse.ArgumentParser) -> None:
    """`--engine pyevm|revm`."""
    command.add_argument(
        "--engine", choices=ENGINES, default="pyevm", help="pyevm: the reference; revm: faster, needs wattproof[fast]"
    )


def count(text: str) -> int:
    """A whole number above 0. ArgumentTypeError for anything else."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def seconds(text: str) -> int:
    """A time such as 90s, 30m or 2h, in seconds. ArgumentTypeError for anything else."""
    match = re.fullmatch(r"([1-9][0-9]*)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s, 30m or 2h")
    return int(match[1]) * _UNITS[match[2]]


def _day(options: argparse.Namespace) -> int:
    from rich.console import Console

    from wattproof.simulation.day import run_day

    return run_day(options.households, options.seed, options.out, options.engine, Console())


def _repl(options: argparse.Namespace) -> int:
    from wattproof import repl
    from wattproof.evm.engine import engine
    from wattproof.simulation.households import DEFAULT_FILE

    with engine(options.engine):
        repl.run(options.households or DEFAULT_FILE)
    return 0
