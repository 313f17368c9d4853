"""The command `wattproof withdraw`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.money_arguments import add_money, run_money


def add(commands: Any) -> None:
    """Adds `withdraw`."""
    withdraw = add_money(commands, "withdraw", "take free money of the account out of the market, as tokens")
    withdraw.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from wattproof.chain.money import withdrawing

    return run_money(options, withdrawing)
