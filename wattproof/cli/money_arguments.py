"""What `wattproof deposit` and `wattproof withdraw` share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wattproof.cli.agent_arguments import agent
from wattproof.cli.chain_arguments import add_chain, add_sending, asking, market_of, say, signs_here

if TYPE_CHECKING:
    from wattproof.chain.market import ChainMarket
    from wattproof.chain.money import Move


def add_money(commands: Any, name: str, help_: str) -> argparse.ArgumentParser:
    """Adds a command that moves money, `name`, with what both take."""
    command = commands.add_parser(name, help=help_)
    command.add_argument("amount", metavar="TOKENS", help="how much, in the token's own unit, such as 12.5")
    add_chain(command)
    add_sending(command)
    return command


def run_money(options: argparse.Namespace, move: Callable[[ChainMarket, str, int], Move]) -> int:
    """Moves money, or prints the unsigned transactions; `move` takes market, account and base units.

    Returns the exit code.
    """
    return agent(lambda options: _run(options, move))(options)


def _run(options: argparse.Namespace, move: Callable[[ChainMarket, str, int], Move]) -> int:
    from wattproof.agents.household.command import base_units
    from wattproof.chain.accounts import Account
    from wattproof.chain.money import printed, send

    here = signs_here(options)
    market = market_of(options)
    amount = base_units(options.amount, market.record)
    if not here:
        say(printed(market, options.sender, move(market, options.sender, amount)))
        return 0
    account = Account.open(options.account)
    return send(market, account, move(market, account.address, amount), asking(options), say)
