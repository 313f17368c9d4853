"""A market on a node of one's own, for tests of what speaks with chains."""

from __future__ import annotations

from dataclasses import dataclass

from wattproof.chain.accounts import Account
from wattproof.chain.deploying import opened
from wattproof.chain.embedded.process import Embedded
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Node, Receipt
from wattproof.chain.record import Record
from wattproof.chain.sending import Draft, Sender
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
    def on(cls, anvil: Anvil | Embedded, tariff: Tariff = PAPER) -> Ground:
        """Deploys the market on a node that runs."""
        node, owner = Node(url(anvil)), Account.of_seed("owner")
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

    def do(self, account: Account, draft: Draft, timestamp: int | None = None) -> Receipt:
        """Sends a transaction, has a block made of it, and returns its receipt. Raises Refused."""
        sender = Sender(self.node, account)
        number = sender.send(draft)
        self.anvil.mine(timestamp)
        return sender.wait(number, 10)


def url(anvil: Anvil | Embedded) -> str:
    """Where a node of one's own is."""
    return f"http://127.0.0.1:{anvil.port}"
