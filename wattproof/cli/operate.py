"""The command `wattproof operate`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.agent_arguments import add_agent, agent, setting_of
from wattproof.cli.arguments import place


def add(commands: Any) -> None:
    """Adds `operate`."""
    operate = commands.add_parser(
        "operate", help="the management node's daemon: it matches, hands readings in, settles, and warns"
    )
    add_agent(operate)
    operate.add_argument(
        "--readings", type=place, metavar="DIR",
        help="hand in the signed readings that are put into this folder, which has to exist",
    )  # fmt: skip
    operate.set_defaults(run=agent(_run))


def _run(options: argparse.Namespace) -> int:
    from wattproof.agents.operator.command import run_operator

    return run_operator(setting_of(options), options.readings)
