"""The command `wattproof authorize`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.arguments import count
from wattproof.cli.chain_arguments import address
from wattproof.cli.owner_arguments import add_owner, run_owner


def add(commands: Any) -> None:
    """Adds `authorize`."""
    authorize = add_owner(commands, "authorize", "the owner: let a registered user trade, or raise its capacity")
    authorize.add_argument("user", type=address, metavar="USER", help="the user's address, 0x...")
    authorize.add_argument(
        "capacity", type=count, metavar="CAPACITY_WH", help="what its connection carries in a period, in Wh"
    )
    authorize.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    what = f"authorising {options.user} with {options.capacity:,} Wh per period"
    return run_owner(options, what, "authorize", options.user, options.capacity)
