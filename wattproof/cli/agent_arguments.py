"""Arguments that the agents share, and how they end where something cannot be used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wattproof.cli.arguments import place

if TYPE_CHECKING:
    from wattproof.agents.setting import Setting


def add_agent(command: Any) -> None:
    """`--rpc`, `--deployment`, `--account`, `--state`, `--interval`, `--once`, `--patience`, `--webhook`."""
    command.add_argument("--rpc", required=True, metavar="URL", help="the node")
    command.add_argument(
        "--deployment", type=place, required=True, metavar="FILE", help="what `wattproof deploy` wrote"
    )
    command.add_argument(
        "--account", type=place, metavar="KEYSTORE", help="who signs (default: the key in WATTPROOF_KEY)"
    )
    command.add_argument(
        "--state", type=place, metavar="DIR", help="where what was signed is kept (default: a folder in ~/.local/state)"
    )
    command.add_argument(
        "--interval", type=_pause, default=2.0, metavar="S", help="seconds between two looks at the chain (default: 2)"
    )
    command.add_argument("--once", action="store_true", help="do all that is due now, and end")
    command.add_argument(
        "--patience", type=_pause, default=120.0, metavar="S",
        help="seconds that --once waits for the chain (default: 120)",
    )  # fmt: skip
    command.add_argument("--webhook", metavar="URL", help="warnings are posted there, too, as JSON")


def opened(options: argparse.Namespace) -> Setting:
    """The market, the node and the account that are named. Raises as `Setting`."""
    from wattproof.agents.setting import Setting

    return Setting(options.rpc, options.deployment, options.account, options.state)


def guarded_agent(run: Callable[[], int]) -> int:
    """What `run` returns; 2, with a line, where the record, the account, the journal or the chain cannot be used."""
    from wattproof.agents.journal import BadJournal
    from wattproof.chain.accounts import BadAccount
    from wattproof.chain.market import NotTheMarket
    from wattproof.chain.record import BadRecord
    from wattproof.evm.rpc import NodeUnusable

    try:
        return run()
    except (BadAccount, BadJournal, BadRecord, NodeUnusable, NotTheMarket) as problem:
        print(problem, file=sys.stderr)
        return 2


def _pause(text: str) -> float:
    """Seconds above 0, also a part of one. ArgumentTypeError for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds
