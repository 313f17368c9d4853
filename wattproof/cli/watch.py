"""The command `wattproof watch`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import Any

from wattproof.cli.arguments import count
from wattproof.cli.chain_arguments import add_chain, node_of
from wattproof.cli.store_arguments import add_db, with_store


def add(commands: Any) -> None:
    """Adds `watch`."""
    watch = commands.add_parser(
        "watch", help="follow a market on a chain, compare every call and every block with the terms, and keep it all"
    )
    add_chain(watch)
    add_db(watch)
    watch.add_argument("--keep-going", action="store_true", help="go on after an alarm, with what needs no lockstep")
    watch.add_argument("--webhook", metavar="URL", help="post each alarm there as JSON; only its host is shown")
    watch.add_argument("--until", type=_number, metavar="BLOCK", help="end after this block (default: never)")
    watch.add_argument(
        "--confirmations", type=_number, default=0, metavar="N", help="stay N blocks behind the newest (default: 0)"
    )
    watch.add_argument(
        "--full-every", type=count, default=1_000, metavar="N", help="compare everything each N blocks (default: 1000)"
    )
    watch.set_defaults(run=with_store(_run))


def _number(text: str) -> int:
    """A whole number from 0 on. ArgumentTypeError for anything else."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, not {text!r}")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from wattproof.chain.market import ChainMarket
    from wattproof.chain.record import Record
    from wattproof.chain.webhooks import BadHook, Webhook
    from wattproof.store.database import Store
    from wattproof.watch.alarms import Alarms
    from wattproof.watch.rebuilding import Unfit
    from wattproof.watch.watcher import Options, Watcher

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        record = Record.read(options.deployment)
        market = ChainMarket(node_of(options), record)
        alarms = Alarms(say, Webhook(options.webhook, say) if options.webhook else None)
        chosen = Options(options.until, options.confirmations, options.keep_going, options.full_every)
        watcher = Watcher(market, Store.open(options.db).market(record), chosen, alarms, say, stop.wait)
        code = watcher.run()
    except (BadHook, Unfit) as problem:
        say(str(problem))
        return 2
    alarms.close()
    if stop.is_set():
        say(f"stopped after {watcher.progress.blocks} blocks")
    return code
