"""Deploys a market on a chain: token, market and lens, one after the other, each verified before the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_utils.crypto import keccak

from wattproof import __version__
from wattproof.chain.accounts import Account
from wattproof.chain.market import code_of, interface_of
from wattproof.chain.node import Node, Receipt
from wattproof.chain.record import BlockId, CodeHashes, Record
from wattproof.chain.sending import Draft, Sender
from wattproof.market.deployment import CREDIT, deployer
from wattproof.market.tariff import PAPER, Tariff, frame


def creation(name: str, *arguments: Any) -> bytes:
    """What creates the contract `name`: its code, and its constructor's arguments."""
    return deployer(name).compiler_data.bytecode + interface_of(name).constructor(*arguments)


def opened(
    node: Node,
    account: Account,
    tariff: Tariff = PAPER,
    supplier: str | None = None,
    mine: Callable[[], object] = lambda: None,
    seconds: float = 60,
) -> Record:
    """Opens a market in a new EnergyCredit, owned by `account`, who is the supplier, too, where none is named.

    Nothing is asked of anybody: for simulations and tests. `mine` has a block made where the node makes none.
    """
    sender = Sender(node, account)

    def created(name: str, *arguments: Any) -> Receipt:
        number = sender.send(Draft(None, creation(name, *arguments), label=name))
        mine()
        return sender.wait(number, seconds)

    token = str(created("EnergyCredit").contract)
    supplier = supplier or account.address
    receipt = created("EnergyMarket", token, supplier, *frame(tariff))
    market = str(receipt.contract)
    lens = str(created("MarketLens", market).contract)
    genesis = node.block(0)
    assert genesis is not None
    return Record(
        chain_id=node.chain_id(),
        genesis=genesis.hash,
        block=BlockId(receipt.block_number, receipt.block_hash),
        market=market,
        lens=lens,
        token=token,
        token_decimals=CREDIT.decimals,
        token_symbol=CREDIT.symbol,
        owner=account.address,
        supplier=supplier,
        tariff=tariff,
        code=CodeHashes(*("0x" + keccak(code_of(node, each)).hex() for each in (market, lens, token))),
        wattproof=__version__,
    )
