"""Arguments of the commands that speak with a chain, and how those end where something is wrong: one line, and 2."""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wattproof.cli.arguments import place

if TYPE_CHECKING:
    from wattproof.chain.market import ChainMarket
    from wattproof.chain.node import Node

LIVE = ("alembic", "apiflask", "eth_account", "flask", "pandas", "psycopg", "pyarrow", "sqlalchemy", "waitress")
"""What `pip install 'wattproof[live]'` brings, as it is imported."""


def add_rpc(command: argparse.ArgumentParser, required: bool = True) -> None:
    """`--rpc URL`."""
    command.add_argument(
        "--rpc", required=required, metavar="URL", help="of a node of the chain; only its host is shown"
    )


def add_deployment(command: argparse.ArgumentParser) -> None:
    """`--deployment FILE`."""
    command.add_argument(
        "--deployment",
        type=place,
        default=Path("deployment.json"),
        metavar="FILE",
        help="which market it is, as `wattproof deploy` wrote it (default: deployment.json)",
    )


def add_account(command: argparse.ArgumentParser) -> None:
    """`--account KEYSTORE`."""
    command.add_argument(
        "--account",
        type=place,
        metavar="KEYSTORE",
        help="the encrypted keystore of the account that signs; its password is in WATTPROOF_PASSWORD_FILE or "
        "WATTPROOF_PASSWORD, or asked for (default: the key in WATTPROOF_KEY)",
    )


def add_chain(command: argparse.ArgumentParser) -> None:
    """`--rpc URL` and `--deployment FILE`."""
    add_rpc(command)
    add_deployment(command)


def address(text: str) -> str:
    """An address, in checksum form. ArgumentTypeError for anything else."""
    from eth_utils.address import is_checksum_address, to_checksum_address

    if not re.fullmatch("0x[0-9a-fA-F]{40}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address: write 0x and 40 hexadecimal digits")
    if text[2:] not in (text[2:].lower(), text[2:].upper()) and not is_checksum_address(text):
        raise argparse.ArgumentTypeError(f"{text} is mistyped: its capital letters do not fit, which are a checksum")
    return to_checksum_address(text.lower())


def in_one_line(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command whose troubles with chain, market, keys and packages are told in one line; its exit code is 2 then."""

    @functools.wraps(run)
    def told(options: argparse.Namespace) -> int:
        from wattproof.chain.accounts import BadAccount
        from wattproof.chain.market import NotTheMarket
        from wattproof.chain.node import BlockGone, NodeUnusable, RpcError
        from wattproof.chain.record import BadRecord
        from wattproof.chain.sending import NotMined, Refused

        try:
            return run(options)
        except RpcError as problem:
            # What the node says begins with the method; whose it is comes first.
            print(f"the node refuses {problem}", file=sys.stderr)
        except (BadAccount, BadRecord, NotTheMarket, NodeUnusable, NotMined, Refused, BlockGone) as problem:
            print(problem, file=sys.stderr)
        except ModuleNotFoundError as problem:
            if (problem.name or "").partition(".")[0] not in LIVE:
                raise
            print(f"{problem.name} is not installed: pip install 'wattproof[live]'", file=sys.stderr)
        return 2

    return told


def node_of(options: argparse.Namespace) -> Node:
    """The node that `--rpc` names. Raises NodeUnusable where that is no address."""
    from wattproof.chain.node import Node

    return Node(options.rpc)


def market_of(options: argparse.Namespace) -> ChainMarket:
    """The market that `--deployment` tells of, through the node that `--rpc` names; it was checked to be there.

    Raises BadRecord, NodeUnusable, RpcError, NotTheMarket.
    """
    from wattproof.chain.market import ChainMarket
    from wattproof.chain.record import Record

    market = ChainMarket(node_of(options), Record.read(options.deployment))
    market.check()
    return market
