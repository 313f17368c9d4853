"""The command `wattproof live`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import add_households, place, port
from wattproof.cli.chain_arguments import in_one_line


def add(commands: Any) -> None:
    """Adds `live`."""
    live = commands.add_parser(
        "live",
        help="see it all: a chain, a market, a trading day in fast time, its watcher, the data API and the page",
    )
    chain = live.add_mutually_exclusive_group()
    chain.add_argument(
        "--node", choices=("anvil", "embedded"), help="which chain to start (default: anvil where npm can give it)"
    )
    chain.add_argument("--rpc", metavar="URL", help="a development node that runs already; only its host is shown")
    live.add_argument(
        "--db",
        metavar="URL",
        help="sqlite:///market.db or postgresql://user@host/name (default: a file in the folder of --out, made anew)",
    )
    live.add_argument(
        "--port", type=port, default=8080, metavar="N", help="of the page, or the next free one (default: 8080)"
    )
    add_households(live)
    live.add_argument("--seed", type=int, default=1, help="of forecast errors and keys (default: 1)")
    live.add_argument("--out", type=place, default=Path("out/live"), metavar="DIR", help="(default: out/live)")
    live.add_argument("--once", action="store_true", help="end when the day is over and watched; 1 after an alarm")
    live.set_defaults(run=in_one_line(_run))


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from wattproof.chain.development import NotDevelopment
    from wattproof.evm.node import NodeUnavailable
    from wattproof.live.children import Ended
    from wattproof.live.run import Live, Wish
    from wattproof.simulation.chain_venue import Unfit
    from wattproof.store.problems import StoreProblem

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wish = Wish(
        options.node,
        options.rpc,
        options.db,
        options.port,
        options.households,
        options.seed,
        options.out,
        options.once,
    )
    try:
        return Live(wish, Console()).run()
    except (Ended, NodeUnavailable, NotDevelopment, StoreProblem, Unfit) as problem:
        print(problem, file=sys.stderr)
        return 2
