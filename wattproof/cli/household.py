"""The command `wattproof household`."""

from __future__ import annotations

import argparse
from typing import Any

from wattproof.cli.agent_arguments import add_agent, agent, setting_of
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
        help="needed with a meter's keystore: CSV period,exported_wh,imported_wh, which may grow",
    )  # fmt: skip
    household.add_argument(
        "--register",
        type=place,
        metavar="PROFILE",
        help="register first, where it is not: a file with a commitment to its personal data, such as sha256sum writes",
    )
    household.add_argument(
        "--keep", metavar="TOKENS",
        help="the most free money that it keeps in the market (default: ten periods' full import)",
    )  # fmt: skip
    household.add_argument(
        "--withdraw", metavar="TOKENS", help="withdraw so much, and end; an agent that runs already does it"
    )
    household.set_defaults(run=agent(_run))


def _run(options: argparse.Namespace) -> int:
    from wattproof.agents.household.command import Wishes, run_household

    wishes = Wishes(
        options.meter, options.forecasts, options.measured, options.register, options.keep, options.withdraw
    )
    return run_household(setting_of(options), wishes)
