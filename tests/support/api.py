"""The data API for tests: a server in a thread, and a chain beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask.testing import FlaskClient

from wattproof.chain.accounts import Account
from wattproof.chain.deploying import opened
from wattproof.chain.embedded.blocks import EmbeddedChain
from wattproof.chain.embedded.server import Server as NodeServer
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Node
from wattproof.chain.record import Record
from wattproof.serve.app import create_app
from wattproof.serve.limits import Rate
from wattproof.serve.server import Server
from wattproof.store.database import Store

START = 1_750_000_000
ETHER = 10**18
UNLIMITED = Rate(per_second=1e9, burst=10**9)
"""For tests that ask more than a client may."""


LISTS = (
    *("quotes", "bids", "trades", "unsold", "readings", "positions", "accounts", "bills", "periods", "defaults"),
    *("alarms", "blocks", "calls", "events"),
)
"""The lists of the API."""


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    """The JSON of an answer, which has to have that status."""
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == status, (path, answer.get_data(as_text=True))
    return answer.get_json()


def post(client: FlaskClient, path: str, body: Any, status: int = 200) -> Any:
    """The JSON of an answer to a body, which has to have that status."""
    answer = client.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == status, (path, answer.get_data(as_text=True))
    return answer.get_json()


def rows(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    """All rows of a list, page by page, in several pages."""
    found: list[dict[str, Any]] = []
    total, page, mark = 1, 1, "&" if "?" in path else "?"
    while len(found) < total:
        answer = get(client, f"{path}{mark}per_page=7&page={page}")
        total, page = answer["total"], page + 1
        assert (answer["per_page"], answer["pages"]) == (7, -(-total // 7))
        assert answer["items"] or not total
        found += answer["items"]
    return found


@contextmanager
def serving(app: APIFlask) -> Iterator[str]:
    """A server in a thread of this process; its address, without a slash at its end."""
    server = Server(app, port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.address.rstrip("/")
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


@dataclass
class Field:
    """A chain in this process that makes a block of each transaction, a market on it, and the API for both."""

    chain: EmbeddedChain
    address: str
    node: Node
    owner: Account
    record: Record
    market: ChainMarket
    app: APIFlask

    def account(self, seed: object, ether: int = 10) -> Account:
        """An account with ether."""
        account = Account.of_seed(seed)
        self.node.call("anvil_setBalance", account.address, hex(ether * ETHER))
        return account

    def to(self, second: int) -> None:
        """Makes a block at that second."""
        self.node.call("evm_mine", second)

    @property
    def now(self) -> int:
        """The second of the last block."""
        block = self.node.block("latest")
        assert block is not None
        return block.timestamp


def begun(file: Path, record: Record) -> str:
    """The URL of a new database with a market of which no block was watched yet."""
    store = Store.open(url := f"sqlite:///{file}")
    store.market(record)
    store.close()
    return url


@contextmanager
def field(folder: Path) -> Iterator[Field]:
    """A market on a chain of its own, with the API."""
    chain = EmbeddedChain(7_357, START)
    server = NodeServer(chain, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.port}"
        node, owner = Node(address), Account.of_seed("owner")
        node.call("anvil_setBalance", owner.address, hex(1_000 * ETHER))
        record = opened(node, owner)
        app = create_app(begun(folder / "chain.db", record), record, node.address, UNLIMITED)
        yield Field(chain, address, node, owner, record, ChainMarket(node, record), app)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
