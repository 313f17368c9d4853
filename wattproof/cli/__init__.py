"""The command line: a module per command, and what other packages of this environment add to it.

A package adds commands by an entry point of the group `wattproof.commands`, a function `add(commands)`; that is how a
checkout offers those of `verification/`. None of them imports anything heavy: `--help` should not wait for a compiler.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import NoReturn

from wattproof import __version__
from wattproof.chain.accounts import is_like_a_key
from wattproof.cli import (
    accept_ownership,
    authorize,
    check_bytecode,
    day,
    deploy,
    deposit,
    export,
    household,
    live,
    node,
    operate,
    repl,
    revoke,
    serve,
    study,
    transfer_ownership,
    watch,
    withdraw,
)
from wattproof.cli.ending import guarded

COMMANDS = (
    day,
    study,
    repl,
    live,
    deploy,
    authorize,
    revoke,
    transfer_ownership,
    accept_ownership,
    deposit,
    withdraw,
    node,
    operate,
    household,
    watch,
    serve,
    export,
    check_bytecode,
)
"""The product's own commands, each a module with a function `add(commands)`."""

GROUP = "wattproof.commands"
"""The entry points that add commands."""


_URL = re.compile(r"(\w+://)(?:[^\s/'\"]*@)?([^\s/?#'\"]*)[^\s'\"]*")


class _Parser(argparse.ArgumentParser):
    """Shows of a URL that has no place among the arguments only the host: a node's address holds keys."""

    def error(self, message: str) -> NoReturn:
        super().error(_URL.sub(r"\1\2/…", message))


def parser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    top = _Parser(prog="wattproof", description="A peer-to-peer energy market, tested as promised.")
    top.add_argument("--version", action="version", version=f"wattproof {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        point.load()(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code: 0 done, 1 failed, 2 input or argument cannot be used; see `guarded`."""
    return guarded(lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    if os.environ.get("COLUMNS") == "0":  # A terminal that does not know its size; nothing would be printed in it.
        del os.environ["COLUMNS"]
    given = sys.argv[1:] if arguments is None else arguments
    if any(is_like_a_key(part) for text in given for part in text.split("=")):
        print(
            "one of the arguments looks like a private key, and whoever lists processes sees arguments: "
            "set WATTPROOF_KEY, or name a keystore by --account; if it was one, move what it holds to another account",
            file=sys.stderr,
        )
        return 2
    options = parser().parse_args(given)
    try:
        from wattproof.evm.engine import EngineUnavailable
    except (OSError, RuntimeError) as problem:
        # titanoboa does not start without a home folder, in which it keeps what was compiled.
        print(f"there is no home folder to use ({problem}): set HOME to one that can be written", file=sys.stderr)
        return 2
    from wattproof.market.tokens import UnusableToken
    from wattproof.simulation.households import BadInput

    try:
        return options.run(options)
    except (BadInput, EngineUnavailable, UnusableToken) as problem:
        print(problem, file=sys.stderr)
        return 2
