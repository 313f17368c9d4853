"""Arguments that the agents share, and how they end where something cannot be used."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wattproof.cli.arguments import place
from wattproof.cli.chain_arguments import add_account, add_chain, in_one_line

if TYPE_CHECKING:
    from wattproof.agents.setting import Setting


def add_agent(command: Any) -> None:
    """`--rpc`, `--deployment`, `--account`, `--state`, `--interval`, `--once`, `--patience`, `--webhook`."""
    add_chain(command)
    add_account(command)
    command.add_argument(
        "--state", type=place, metavar="DIR", help="where what was signed is kept (default: a folder in ~/.local/state)"
    )
    command.add_argument(
        "--interval", type=_pause, default=2.0, metavar="S", help="seconds between two looks at the chain (default: 2)"
    )
    command.add_argument("--once", action="store_true", help="do all that is due now, and end")
    command.add_argument(
        "--patience",
        type=_pause,
        default=120.0,
        metavar="S",
        help="seconds that --once waits for the chain (default: 120)",
    )
    command.add_argument(
        "--webhook", metavar="URL", help="post each warning there as JSON, too; only its host is shown"
    )


def setting_of(options: argparse.Namespace) -> Setting:
    """The market, the account and the way that are named. Raises as `Setting`."""
    from wattproof.agents.setting import Setting

    return Setting(
        options.rpc,
        options.deployment,
        options.account,
        options.state,
        options.interval,
        options.once,
        options.patience,
        options.webhook,
    )


def agent(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command whose troubles are told in one line; its exit code is 2 then."""

    @functools.wraps(run)
    def told(options: argparse.Namespace) -> int:
        from wattproof.agents.problems import AgentProblem
        from wattproof.chain.webhooks import BadHook

        try:
            return run(options)
        except (AgentProblem, BadHook) as problem:
            print(problem, file=sys.stderr)
            return 2

    return in_one_line(told)


def _pause(text: str) -> float:
    """Seconds above 0, also a part of one. ArgumentTypeError for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds
