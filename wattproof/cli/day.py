"""The command `wattproof day`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from wattproof.cli.arguments import add_engine, add_households, place
from wattproof.cli.chain_arguments import add_account, add_rpc, in_one_line

if TYPE_CHECKING:
    from wattproof.simulation.chain_day import Chain


PATIENCE = 300
"""Seconds that a node may take for an answer: a full block is two hundred transactions, and the embedded node slow."""


def add(commands: Any) -> None:
    """Adds `day`."""
    day = commands.add_parser("day", help="run a trading day through the contract and print every household's bill")
    add_households(day)
    day.add_argument("--seed", type=int, default=1, help="of the forecast errors (default: 1)")
    day.add_argument("--out", type=place, metavar="DIR", help="write bills, trades, a summary and a picture there")
    add_engine(day)
    day.epilog = (
        "With --rpc the same day, with the same bills, is played by signed transactions on a development node, whose "
        "clock can be set: anvil, hardhat, or `wattproof node`. The households' keys are made up from the seed."
    )
    add_rpc(day, required=False)
    day.add_argument(
        "--deployment",
        type=place,
        metavar="FILE",
        help="with --rpc: the market to trade on, owned by the account (default: a new one is opened)",
    )
    add_account(day)
    day.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from wattproof.simulation.day import run_day

    if options.rpc is not None:
        return _on_a_chain(options)
    for name in ("deployment", "account"):
        if getattr(options, name) is not None:
            print(f"--{name} is for a day on a chain: name a node of it by --rpc", file=sys.stderr)
            return 2
    return run_day(options.households, options.seed, options.out, options.engine, Console())


@in_one_line
def _on_a_chain(options: argparse.Namespace) -> int:
    from rich.console import Console

    from wattproof.chain.development import NotDevelopment
    from wattproof.simulation.chain_day import on_chain
    from wattproof.simulation.chain_venue import Unfit
    from wattproof.simulation.day import run_day

    chain = _chain(options)
    try:
        return run_day(
            options.households,
            options.seed,
            options.out,
            "chain",
            Console(),
            lambda households: on_chain(chain, households, options.seed, options.out),
        )
    except (NotDevelopment, Unfit) as problem:
        print(problem, file=sys.stderr)
        return 2


def _chain(options: argparse.Namespace) -> Chain:
    """Raises BadAccount, BadRecord, NodeUnusable."""
    from wattproof.chain.accounts import KEY, Account
    from wattproof.chain.node import Node
    from wattproof.chain.record import Record
    from wattproof.simulation.chain_day import Chain

    owner = Account.open(options.account) if options.account or os.environ.get(KEY) else None
    record = Record.read(options.deployment) if options.deployment else None
    return Chain(Node(options.rpc, PATIENCE), record, owner)
