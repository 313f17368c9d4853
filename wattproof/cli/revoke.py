"""The command `wattproof revoke`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.chain_arguments import address
from wattproof.cli.owner_arguments import add_owner, run_owner


def add(commands: Any) -> None:
    """Adds `revoke`."""
    revoke = add_owner(commands, "revoke", "the owner: stop new business of a user; what is agreed still settles")
    revoke.add_argument("user", type=address, metavar="USER", help="the user's address, 0x...")
    revoke.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return run_owner(options, f"revoking {options.user}", "revoke", options.user)
