"""The command `wattproof household`."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from wattproof.cli.agent_arguments import add_agent, guarded_agent, opened
from wattproof.cli.arguments import place


def add(commands: Any) -> None:
    """Adds `household`."""
    household = commands.add_parser(
        "household", help="a household's agent: it quotes, bids, opens, buys, and hands its reading in"
    )
    add_agent(household)
    household.add_argument(
        "--meter", type=place, required=True, metavar="KEYSTORE_OR_DIR",
        help="the meter: a keystore, or the folder into which it puts signed readings",
    )  # fmt: skip
    household.add_argument(
        "--forecasts", type=place, required=True, metavar="FILE",
        help="CSV period,forecast_load_wh,forecast_pv_wh[,community_supply_wh,community_demand_wh]",
    )  # fmt: skip
    household.add_argument(
        "--measured", type=place, metavar="FILE",
        help="with a meter's keystore: CSV period,exported_wh,imported_wh, which may grow",
    )  # fmt: skip
    household.add_argument(
        "--register", type=_profile, metavar="PROFILE",
        help="register first, where it is not: 0x and 64 hexadecimal digits, a commitment to its personal data",
    )  # fmt: skip
    household.add_argument(
        "--keep", metavar="TOKENS",
        help="the most free money that it keeps in the market (default: ten periods' full import)",
    )  # fmt: skip
    household.add_argument(
        "--withdraw", metavar="TOKENS", help="withdraw so much, and end; an agent that runs already does it"
    )
    household.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    def run() -> int:
        from wattproof.agents.household.command import Unusable, Wishes, run_household

        wishes = Wishes(
            options.meter, options.forecasts, options.measured, options.register, options.keep, options.withdraw
        )
        try:
            return run_household(
                opened(options), wishes, options.interval, options.once, options.webhook, options.patience
            )
        except Unusable as problem:
            print(problem, file=sys.stderr)
            return 2

    return guarded_agent(run)


def _profile(text: str) -> bytes:
    """32 bytes in hexadecimal digits. ArgumentTypeError for anything else."""
    if not re.fullmatch("0x[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("must be 0x and 64 hexadecimal digits, such as the SHA-256 of a salted text")
    return bytes.fromhex(text[2:])
