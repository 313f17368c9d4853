"""The command `wattproof deploy`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import place
from wattproof.cli.chain_arguments import (
    add_rpc,
    add_sending,
    address,
    aside,
    asking,
    in_one_line,
    node_of,
    say,
    signs_here,
)


def add(commands: Any) -> None:
    """Adds `deploy`."""
    deploy = commands.add_parser("deploy", help="open a market on a chain, and write down where it is: deployment.json")
    add_rpc(deploy)
    add_sending(deploy)
    deploy.add_argument(
        "--token", type=address, metavar="ADDRESS", help="the ERC-20 to settle in (default: a new EnergyCredit)"
    )
    deploy.add_argument(
        "--supplier",
        type=address,
        metavar="ADDRESS",
        help="who buys and sells what is not traded, for ever (default on a development node: who deploys)",
    )
    deploy.add_argument(
        "--tariff",
        type=place,
        metavar="FILE",
        help="TOML: sbp, ssp, fee in pence per kWh; period, window in seconds; priority_step; rank_by_price "
        "(default: the paper's)",
    )
    deploy.add_argument(
        "--out", type=place, default=Path("deployment.json"), metavar="FILE", help="(default: deployment.json)"
    )
    deploy.set_defaults(run=in_one_line(_run))


def _run(options: argparse.Namespace) -> int:
    from wattproof.chain.accounts import Account
    from wattproof.chain.deploy_command import deploy, print_deployment
    from wattproof.chain.tariff_file import read_tariff
    from wattproof.market.tariff import PAPER

    here = signs_here(options)
    tariff = PAPER if options.tariff is None else read_tariff(options.tariff)
    node = node_of(options)
    if not here:
        return print_deployment(node, options.sender, options.token, options.supplier, tariff, options.out, aside)
    account = Account.open(options.account)
    return deploy(node, account, options.token, options.supplier, tariff, options.out, asking(options), say)
