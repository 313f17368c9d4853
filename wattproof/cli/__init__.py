"""The command line. Every command adds its own arguments and says what runs it; see `COMMANDS`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from wattproof import __version__

COMMANDS = (
    "wattproof.cli.arguments",
    "wattproof.study.arguments",
    "verification.report.arguments",
    "verification.gas.arguments",
    "verification.differential.arguments",
    "verification.mutation.arguments",
    "verification.coverage.arguments",
)
"""Modules with a function `add(commands)`. They import nothing heavy: `--help` should not wait for a compiler."""


def parser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    top = argparse.ArgumentParser(prog="wattproof", description="A peer-to-peer energy market, tested as promised.")
    top.add_argument("--version", action="version", version=f"wattproof {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        importlib.import_module(module).add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0 done, 1 failed, 2 the input or an argument cannot be used."""
    options = parser().parse_args(arguments)
    from wattproof.evm.engine import EngineUnavailable
    from wattproof.simulation.households import BadInput

    try:
        return options.run(options)
    except (BadInput, EngineUnavailable) as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
