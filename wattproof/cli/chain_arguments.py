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


def add_sending(command: argparse.ArgumentParser) -> None:
    """`--account`, `--yes`, `--print-transactions` and `--from`."""
    add_account(command)
    command.add_argument("--yes", action="store_true", help="send without asking")
    command.add_argument(
        "--print-transactions",
        action="store_true",
        help="print the unsigned transactions as JSON, for a wallet or several owners to sign; needs --from",
    )
    command.add_argument("--from", dest="sender", type=address, metavar="ADDRESS", help="who will sign them")


class NotAsked(Exception):
    """It cannot be asked for, or is not said clearly, what is to be done; the one-line message says what to write."""


def signs_here(options: argparse.Namespace) -> bool:
    """Whether the transactions are signed here, and not printed. Raises NotAsked where the arguments say both."""
    if options.print_transactions:
        if options.sender is None or options.account is not None:
            raise NotAsked("--print-transactions needs --from ADDRESS, who will sign, and no --account")
        return False
    if options.sender is not None:
        raise NotAsked("--from is for --print-transactions: who signs here is named by --account, or by WATTPROOF_KEY")
    return True


def asking(options: argparse.Namespace) -> Callable[[], bool]:
    """What asks whether to go on: true at once with `--yes`. It raises NotAsked where there is no terminal."""

    def ask() -> bool:
        if options.yes:
            return True
        if not (sys.stdin and sys.stdin.isatty()):
            raise NotAsked("nothing was sent: there is no terminal to ask on; add --yes where the above is meant")
        print("send it? [y/N] ", end="", flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return ask


def say(line: str) -> None:
    """Prints a line, at once."""
    print(line, flush=True)


def aside(line: str) -> None:
    """Prints a line for who reads the terminal, and for no program that reads the output."""
    print(line, file=sys.stderr, flush=True)


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
        from wattproof.chain.sending import NoMoney, NotMined, Refused
        from wattproof.chain.tariff_file import BadTariff

        try:
            return run(options)
        except RpcError as problem:
            # What the node says begins with the method; whose it is comes first.
            print(f"the node refuses {problem}", file=sys.stderr)
        except (BadAccount, BadRecord, BadTariff, NotAsked) as problem:
            print(problem, file=sys.stderr)
        except (NotTheMarket, NodeUnusable, NoMoney, NotMined, Refused, BlockGone) as problem:
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
