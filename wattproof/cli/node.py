"""The command `wattproof node`."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from typing import Any

from wattproof.cli.arguments import count, port, seconds

_FUNDS = 10_000 * 10**18
"""Wei of an account that is named with `--fund`."""


def add(commands: Any) -> None:
    """Adds `node`."""
    node = commands.add_parser("node", help="a development chain on this machine, without npm (in memory, for tests)")
    node.add_argument("--port", type=port, default=8545, metavar="N", help="0: a free one (default: 8545)")
    node.add_argument("--timestamp", type=count, metavar="T", help="second of the first block (default: now)")
    node.add_argument("--chain-id", type=count, default=31_337, metavar="N", help="(default: 31337)")
    node.add_argument(
        "--fund", type=_address, action="append", default=[], metavar="ADDRESS", help="has 10,000 ether from the start"
    )
    blocks = node.add_mutually_exclusive_group()
    blocks.add_argument(
        "--no-mining", action="store_true", help="no block before evm_mine (default: one a transaction)"
    )
    blocks.add_argument("--block-time", type=seconds, metavar="TIME", help="a block every so many seconds, such as 12s")
    node.set_defaults(run=_run)


def _address(text: str) -> str:
    if not re.fullmatch("0x[0-9a-fA-F]{40}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address: write 0x and 40 hexadecimal digits")
    return text


def _run(options: argparse.Namespace) -> int:
    from wattproof.chain.embedded.blocks import EmbeddedChain
    from wattproof.chain.embedded.server import HOST, Server

    balances = {bytes.fromhex(address[2:]): _FUNDS for address in options.fund}
    chain = EmbeddedChain(options.chain_id, options.timestamp, balances)
    chain.automine = not options.no_mining and options.block_time is None
    try:
        server = Server(chain, options.port, options.block_time)
    except OSError as problem:
        said = f"{HOST}:{options.port} cannot be listened on ({problem.strerror}): choose another one with --port"
        print(said, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server:
        try:
            print(f"Listening on {HOST}:{server.port}, chain {options.chain_id}; Ctrl-C ends it", flush=True)
            server.serve_forever()
        except KeyboardInterrupt:
            print("the node has ended, and what it held is gone")
    return 0
