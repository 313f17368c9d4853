"""A market on a node of one's own, for tests of what speaks with chains."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.answering import answering
from wattproof.chain.accounts import Account
from wattproof.chain.deploying import opened
from wattproof.chain.embedded.process import Embedded
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Node, Receipt
from wattproof.chain.record import Record
from wattproof.chain.sending import Draft, Sender, wait
from wattproof.cli import main
from wattproof.evm.anvil import Anvil
from wattproof.market.tariff import PAPER, Tariff

ETHER = 10**18


@dataclass
class Ground:
    """A market on a node whose blocks are made by `mine` only.

    owner   the account that deployed it; it has ether
    """

    anvil: Anvil | Embedded
    node: Node
    owner: Account
    record: Record
    market: ChainMarket

    @classmethod
    def on(cls, anvil: Anvil | Embedded, tariff: Tariff = PAPER, owner: Account | None = None) -> Ground:
        """Deploys the market on a node that runs."""
        node, owner = Node(url(anvil)), owner or Account.of_seed("owner")
        anvil.endow(owner.address, 1_000 * ETHER)
        record = opened(node, owner, tariff, mine=anvil.mine)
        return cls(anvil, node, owner, record, ChainMarket(node, record))

    @property
    def url(self) -> str:
        """Where the node is."""
        return url(self.anvil)

    def account(self, seed: object, ether: int = 10) -> Account:
        """An account with ether."""
        account = Account.of_seed(seed)
        self.anvil.endow(account.address, ether * ETHER)
        return account

    @contextlib.contextmanager
    def commands(self, folder: Path) -> Iterator[Callable[..., int]]:
        """Runs commands about the market, whose record is written into `folder`; each returns its exit code.

        The chain is as before afterwards.
        """
        before = self.anvil.rpc("evm_snapshot")
        path = folder / "deployment.json"
        self.record.write(path)

        def run(*arguments: str, rpc: str = "") -> int:
            return main([*arguments, "--rpc", rpc or self.url, "--deployment", str(path)])

        yield run
        self.anvil.rpc("evm_revert", before)

    def do(self, account: Account, draft: Draft, timestamp: int | None = None) -> Receipt:
        """Sends a transaction, has a block made of it, and returns its receipt. Raises Refused."""
        sender = Sender(self.node, account)
        number = sender.send(draft)
        self.anvil.mine(timestamp)
        return sender.wait(number, 10)


def url(anvil: Anvil | Embedded) -> str:
    """Where a node of one's own is."""
    return f"http://127.0.0.1:{anvil.port}"


def landed(anvil: Anvil | Embedded, transaction: dict[str, str]) -> Receipt:
    """The receipt of what an account of the node's own sends, as a wallet would; the node makes blocks by itself."""
    return wait(Node(url(anvil)), anvil.rpc("eth_sendTransaction", transaction), 20)


@contextlib.contextmanager
def between(
    anvil: Anvil | Embedded,
    asked: Callable[[Any], object] = lambda _: None,
    told: Callable[[Any, Any], Any] = lambda _, answer: answer,
) -> Iterator[str]:
    """A node that hands all questions on to an anvil: where it is.

    `asked` is called with each question before; `told` with question and answer, and makes another answer of it.
    """
    behind = url(anvil)

    def reply(question: Any) -> bytes:
        asked(question)
        answer = json.loads(_post(behind, question))
        return json.dumps(told(question, answer)).encode()

    with answering(answer=reply) as server:
        yield f"http://127.0.0.1:{server.port}"


def _post(where: str, question: Any) -> bytes:
    request = urllib.request.Request(where, json.dumps(question).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read()
