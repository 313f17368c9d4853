"""The command `wattproof deposit`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.money_arguments import add_money, run_money


def add(commands: Any) -> None:
    """Adds `deposit`."""
    deposit = add_money(commands, "deposit", "supplier or household: bring money of the account into the market")
    deposit.add_argument(
        "--mint", action="store_true", help="turn ether into EnergyCredit first, one WATT for an ether, as far as lacks"
    )
    deposit.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from wattproof.chain.money import depositing

    return run_money(options, lambda market, sender, amount: depositing(market, sender, amount, options.mint))
