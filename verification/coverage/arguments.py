"""The arguments of `wattproof edges`; apart from the rest, so that `--help` waits for no compiler."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import count, place

OUT = Path("out/evidence/edges.json")


def add(commands: Any) -> None:
    """Adds `edges`."""
    command = commands.add_parser("edges", help="show which edges and lines of the contracts the tests really run")
    command.add_argument("--part", action="append", choices=("unit", "properties"), help="run these tests only")
    command.add_argument("--jobs", type=count, default=2, metavar="N", help="processes, two at most (default: 2)")
    command.add_argument("--histories", type=count, default=2, metavar="N", help="of each property test (default: 2)")
    command.add_argument("--steps", type=count, default=25, metavar="N", help="of each history (default: 25)")
    beside = f"default: {OUT}; the same as lcov lies beside it"
    command.add_argument("--out", type=place, default=OUT, metavar="FILE.json", help=beside)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from verification.coverage.campaign import edges

    return edges(options, Console())
