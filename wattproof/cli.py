"""The command line: `wattproof day` and `wattproof repl`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wattproof import __version__

ENGINES = ("pyevm", "revm")


def parser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    top = argparse.ArgumentParser(prog="wattproof", description="A peer-to-peer energy market, tested as promised.")
    top.add_argument("--version", action="version", version=f"wattproof {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    day = commands.add_parser("day", help="run a trading day through the contract and print every household's bill")
    _add_households(day)
    day.add_argument("--seed", type=int, default=1, help="of the forecast errors (default: 1)")
    day.add_argument("--out", type=Path, metavar="DIR", help="write bills, trades, a summary and a picture there")
    _add_engine(day)

    repl = commands.add_parser("repl", help="open IPython with a market, households, meters and a clock")
    _add_households(repl)
    _add_engine(repl)
    return top


def _add_households(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--households",
        type=Path,
        metavar="FILE",
        help="CSV period,household,load_wh,pv_wh[,forecast_load_wh,forecast_pv_wh] (default: ten modelled households)",
    )


def _add_engine(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--engine", choices=ENGINES, default="pyevm", help="pyevm: the reference; revm: faster, needs wattproof[fast]"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0 done, 1 failed, 2 the input or an argument cannot be used."""
    options = parser().parse_args(arguments)
    # Imported late: `--help` should not wait for a compiler.
    from wattproof.engine import EngineUnavailable, engine
    from wattproof.households import DEFAULT_FILE, BadInput

    try:
        if options.command == "day":
            from rich.console import Console

            from wattproof.day import run_day

            return run_day(options.households, options.seed, options.out, options.engine, Console())

        from wattproof import repl

        with engine(options.engine):
            repl.run(options.households or DEFAULT_FILE)
        return 0
    except (BadInput, EngineUnavailable) as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
