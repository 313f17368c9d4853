"""What the commands of a market's owner share."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.chain_arguments import add_chain, add_sending, asking, in_one_line, market_of, say, signs_here


def add_owner(commands: Any, name: str, help_: str) -> argparse.ArgumentParser:
    """Adds a command of the owner, `name`, with what all of them take."""
    command = commands.add_parser(name, help=help_)
    add_chain(command)
    add_sending(command)
    return command


def run_owner(options: argparse.Namespace, what: str, function: str, *arguments: Any) -> int:
    """Sends a call of the market, or prints it unsigned; `what` says what it does. Returns the exit code."""
    return in_one_line(lambda options: _run(options, what, function, *arguments))(options)


def _run(options: argparse.Namespace, what: str, function: str, *arguments: Any) -> int:
    from wattproof.chain.accounts import Account
    from wattproof.chain.owning import printed, send

    here = signs_here(options)
    market = market_of(options)
    if not here:
        say(printed(market, options.sender, what, function, *arguments))
        return 0
    return send(market, Account.open(options.account), what, asking(options), say, function, *arguments)
