"""The command `wattproof serve`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from wattproof.cli.arguments import port
from wattproof.cli.chain_arguments import add_deployment, add_rpc
from wattproof.cli.store_arguments import add_db, with_store


def add(commands: Any) -> None:
    """Adds `serve`."""
    serve = commands.add_parser("serve", help="answer questions about a watched market over HTTP: data API and page")
    add_db(serve)
    add_deployment(serve)
    add_rpc(serve, required=False)
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1, this machine alone)")
    serve.add_argument("--port", type=port, default=8080, help="default: 8080; 0: a free one")
    serve.set_defaults(run=_run)


@with_store
def _run(options: argparse.Namespace) -> int:
    from wattproof.chain.record import Record
    from wattproof.evm.rpc import Address
    from wattproof.serve.app import create_app
    from wattproof.serve.server import PortTaken, Server, until_stopped

    record = Record.read(options.deployment)
    node = Address.of(options.rpc) if options.rpc else None
    try:
        server = Server(create_app(options.db, record, node), options.host, options.port)
    except PortTaken as problem:
        print(problem, file=sys.stderr)
        return 2
    if node is not None:
        _look(node, record)
    until_stopped(server, lambda: print(f"serving {record.market} at {server.address} (Ctrl-C ends it)", flush=True))
    return 0


def _look(node: Any, record: Any) -> None:
    """Compiles the interfaces, and looks at the market once. A node that is down now may be up later."""
    from wattproof.chain.market import ChainMarket
    from wattproof.chain.node import Node, NodeUnusable, RpcError

    market = ChainMarket(Node(node, 10), record)
    try:
        market.check()
    except (NodeUnusable, RpcError) as problem:
        print(f"{node.said(problem)}; until then transactions answer 503", file=sys.stderr)
    finally:
        market.node.close()
