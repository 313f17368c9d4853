"""The command `wattproof accept-ownership`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.owner_arguments import add_owner, run_owner


def add(commands: Any) -> None:
    """Adds `accept-ownership`."""
    accept = add_owner(commands, "accept-ownership", "who was named as the next owner: become the owner")
    accept.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return run_owner(options, "taking the market over", "accept_ownership")
