"""The command `wattproof check-bytecode`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Adds `check-bytecode`."""
    check = commands.add_parser("check-bytecode", help="whether a deployed market is the one that a report is about")
    check.add_argument("address", metavar="ADDRESS", help="of the market, or of the meter, 0x...")
    check.add_argument("--rpc", required=True, metavar="URL", help="of a node of its chain")
    check.add_argument("--report", type=Path, default=Path("report"), metavar="DIR", help="(default: report)")
    check.add_argument(
        "--meter", action="store_true", help="whether it is a P256Meter, and of which key; no report needed"
    )
    check.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from wattproof.market.bytecode import check_bytecode, check_meter

    if options.meter:
        return check_meter(options.address, options.rpc, Console(highlight=False))
    return check_bytecode(options.address, options.rpc, options.report, Console(highlight=False))
