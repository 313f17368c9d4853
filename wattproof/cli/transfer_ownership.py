"""The command `wattproof transfer-ownership`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.chain_arguments import address
from wattproof.cli.owner_arguments import add_owner, run_owner


def add(commands: Any) -> None:
    """Adds `transfer-ownership`."""
    transfer = add_owner(commands, "transfer-ownership", "the owner: name its successor, who then accepts")
    transfer.add_argument("new", type=address, metavar="NEW", help="the successor's address; zero calls it off")
    transfer.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    what = f"naming {options.new} as the next owner, who takes over by `wattproof accept-ownership`"
    if int(options.new, 16) == 0:
        what = "calling the handover off"
    return run_owner(options, what, "transfer_ownership", options.new)
