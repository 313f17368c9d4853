"""The command line: a module per command, and what other packages of this environment add to it.

A package adds commands by an entry point of the group `wattproof.commands`, a function `add(commands)`; that is how a
checkout offers those of `verification/`. None of them imports anything heavy: `--help` should not wait for a compiler.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from wattproof import __version__
from wattproof.cli import check_bytecode, day, repl, study

COMMANDS = (day, study, repl, check_bytecode)
"""The product's own commands, each a module with a function `add(commands)`."""

GROUP = "wattproof.commands"
"""The entry points that add commands."""


def parser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    top = argparse.ArgumentParser(prog="wattproof", description="A peer-to-peer energy market, tested as promised.")
    top.add_argument("--version", action="version", version=f"wattproof {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        point.load()(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0 done, 1 failed, 2 the input or an argument cannot be used."""
    options = parser().parse_args(arguments)
    try:
        from wattproof.evm.engine import EngineUnavailable
    except (OSError, RuntimeError) as problem:
        # titanoboa does not start without a home folder, in which it keeps what was compiled.
        print(f"there is no home folder to use ({problem}): set HOME to one that can be written", file=sys.stderr)
        return 2
    from wattproof.market.tokens import UnusableToken
    from wattproof.outputs import BadPlace, told
    from wattproof.simulation.households import BadInput

    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except (BadInput, BadPlace, EngineUnavailable, UnusableToken) as problem:
        print(problem, file=sys.stderr)
        return 2
    except BrokenPipeError:  # Whoever read what is printed has left, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as problem:  # The machine's trouble, such as a full disk behind `> file`.
        print(told(problem), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
