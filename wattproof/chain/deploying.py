"""Deploys a market on a chain: token, market and lens, one after the other, each verified before the next.

Whether a step is done the chain tells, not a file: where a contract comes to lie follows from who creates it and from
the number of the transaction. So a deployment that was stopped at any moment goes on, and sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from eth_utils.crypto import keccak

from wattproof import __version__
from wattproof.chain.accounts import Account
from wattproof.chain.answers import log_of, number
from wattproof.chain.deploy_journal import Journal, Step
from wattproof.chain.market import NotTheMarket, code_hash, code_of
from wattproof.chain.node import Node, NodeUnusable, RpcError
from wattproof.chain.record import BlockId, CodeHashes, Record
from wattproof.chain.rehearsal import LENS, MARKET, TOKEN, Created, address_of_creation, creation, rehearse
from wattproof.chain.sending import (
    Draft,
    Fees,
    Refused,
    Sender,
    Signed,
    estimate,
    nonce_of,
    receipt_now,
    wait,
    why_failed,
    with_margin,
)
from wattproof.market.deployment import CREDIT
from wattproof.market.tariff import PAPER, Tariff
from wattproof.market.tokens import Token

__all__ = ["LENS", "MARKET", "TOKEN", "Deployment", "Plan", "creation", "genesis_of", "opened"]

SECONDS = 600
"""How long a transaction may take to come into a block."""


@dataclass(frozen=True)
class Plan:
    """What is deployed, by whom, and where.

    sender   creates the contracts, and owns the market
    token    None: an EnergyCredit of its own
    tariff   in base units of the token
    """

    chain_id: int
    genesis: str
    sender: str
    token: Token | None
    supplier: str
    tariff: Tariff

    @property
    def names(self) -> tuple[str, ...]:
        """The contracts that are created, in their order."""
        return (MARKET, LENS) if self.token else (TOKEN, MARKET, LENS)

    @property
    def about(self) -> dict[str, Any]:
        """What makes it another deployment where it differs, as it stands in a journal."""
        return {
            "chain": self.chain_id,
            "genesis": self.genesis,
            "account": self.sender,
            "token": self.token.address if self.token else None,
            "supplier": self.supplier,
            **{name: str(value) for name, value in asdict(self.tariff).items()},
            "code": "0x" + keccak(b"".join(map(creation, self.names))).hex(),
        }

    def rehearsed(self, nonces: Mapping[str, int]) -> dict[str, Created]:
        """The contracts by name, created by the transactions of these numbers. Raises Refused."""
        token = self.token.address if self.token else None
        return rehearse(self.chain_id, self.sender, nonces, token, self.supplier, self.tariff)

    def record(self, node: Node, created: Mapping[str, Created], block: BlockId) -> Record:
        """The market as deployment.json tells of it; the chain is asked for the code that lies there."""
        token = self.token or CREDIT
        at = created[TOKEN].address if self.token is None else self.token.address
        market, lens = created[MARKET].address, created[LENS].address
        return Record(
            chain_id=self.chain_id,
            genesis=self.genesis,
            block=block,
            market=market,
            lens=lens,
            token=at,
            token_decimals=token.decimals,
            token_symbol=token.symbol,
            owner=self.sender,
            supplier=self.supplier,
            tariff=self.tariff,
            code=CodeHashes(*(code_hash(node, each) for each in (market, lens, at))),
            wattproof=__version__,
        )


def genesis_of(node: Node) -> str:
    """The hash of a chain's first block. Raises as `Node.call`."""
    first = node.block(0)
    if first is None:
        raise NodeUnusable(f"{node.address.host} does not know the chain's first block: take another node")
    return first.hash


class Deployment:
    """A deployment that begins, or goes on from what its journal says.

    created   what comes to lie where
    there     the names of the contracts that are on the chain
    """

    def __init__(self, node: Node, plan: Plan, journal: Journal) -> None:
        """Asks the chain what is there. Raises as `Node.call`; Refused where a constructor refuses."""
        self.node, self.plan, self.journal = node, plan, journal
        self.there: set[str] = set()
        steps = self._standing()
        next_ = max([nonce_of(node, plan.sender), *(step.nonce + 1 for step in steps.values())])
        nonces: dict[str, int] = {}
        for name in plan.names:
            nonces[name] = steps[name].nonce if name in steps else next_
            next_ += name not in steps
        self.created = plan.rehearsed(nonces)

    def _standing(self) -> dict[str, Step]:
        """The steps of the journal that are done, or can still be: each needs those before it."""
        latest = self.node.block("latest")
        if latest is None:
            raise NodeUnusable(f"{self.node.address.host} has no last block: take another node")
        # Both at one block: of nodes behind one address some know less than others.
        at, journal = hex(latest.number), self.journal
        mined = self.node.read(number, "eth_getTransactionCount", self.plan.sender, at)
        steps: dict[str, Step] = {}
        for name in self.plan.names:
            step = journal.steps.get(name)
            if step is None:
                break
            if code_of(self.node, address_of_creation(self.plan.sender, step.nonce), at):
                self.there.add(name)
            elif step.nonce < mined:
                break  # Another transaction has its number.
            steps[name] = step
        return steps

    # ---- what it takes -----------------------------------------------------------------------

    @property
    def missing(self) -> list[Created]:
        """What is not on the chain yet, in its order."""
        return [each for name, each in self.created.items() if name not in self.there]

    def gas(self) -> dict[str, int]:
        """The most gas that each transaction may use, by what the node estimates.

        What needs an earlier contract that is not there yet cannot be estimated: it is taken to be as much dearer than
        here as the others are. Raises Refused where the chain would not create one.
        """
        estimated = {each.name: self._estimated(each) for each in self.missing if self._can_be_tried(each)}
        dearer = max([Fraction(1), *(Fraction(estimated[name], self.created[name].gas) for name in estimated)])
        return {each.name: with_margin(estimated.get(each.name) or ceil(each.gas * dearer)) for each in self.missing}

    def _can_be_tried(self, each: Created) -> bool:
        """The lens asks its market."""
        return each.name != LENS or MARKET in self.there

    def _estimated(self, each: Created) -> int:
        try:
            return estimate(self.node, self.plan.sender, Draft(None, each.creation, label=each.name), margin=False)
        except RpcError as problem:
            raise Refused(f"the chain would not create it: {problem}", each.name) from None

    # ---- doing it ----------------------------------------------------------------------------

    def run(
        self,
        account: Account,
        gas: Mapping[str, int],
        fees: Fees,
        told: Callable[[str], object],
        seconds: float = SECONDS,
    ) -> Record:
        """Sends what is missing, one by one, and verifies all of it; returns the market.

        Raises as `Node.call`; NotTheMarket where other code lies there than was sent; NotMined, Refused.
        """
        sender = Sender(self.node, account)
        for name, each in self.created.items():
            if name in self.there:
                told(f"{name} is there: {each.address}")
            else:
                signed = self._signed(sender, each, gas[name], fees)
                self._submit(sender, each, signed)
                told(f"{name}: sent transaction {signed.hash}")
                receipt = wait(self.node, signed.hash, seconds)
                if not receipt.status:
                    raise Refused(f"{why_failed(self.node, receipt)}; run it again", name)
                told(f"{name}: created in block {receipt.block_number} as {each.address}")
            self.verify(each)
        return self.finished()

    def _signed(self, sender: Sender, each: Created, gas: int, fees: Fees) -> Signed:
        """The transaction that creates a contract: the one that was signed before, or a new one, which is noted."""
        step = self.journal.steps.get(each.name)
        if step is not None and step.nonce == each.nonce and step.raw is not None:
            return Signed.of(step.nonce, step.raw)
        signed = sender.signed(Draft(None, each.creation, gas=gas, label=each.name), each.nonce, fees)
        self.journal.note(each.name, Step(signed.nonce, signed.raw))
        return signed

    def _submit(self, sender: Sender, each: Created, signed: Signed) -> None:
        try:
            sender.submit(signed)
        except RpcError:
            # It may be in a block by now.
            if receipt_now(self.node, signed.hash) is None:
                raise

    def verify(self, each: Created) -> None:
        """Raises NotTheMarket unless what was sent lies where it should, byte by byte, with what was fixed for ever."""
        found = code_of(self.node, each.address)
        if found != each.code:
            what = f"other code than the {each.name} that was sent" if found else "no code"
            raise NotTheMarket(
                f"{self.node.address.host} shows {what} at {each.address}: use nothing of it, and ask another node"
            )

    def finished(self) -> Record:
        """The market, once all of it is there."""
        step = self.journal.steps[MARKET]
        if step.raw is not None:
            receipt = wait(self.node, Signed.of(step.nonce, step.raw).hash, SECONDS)
            block = BlockId(receipt.block_number, receipt.block_hash)
        else:
            block = self._block_of_first_event(self.created[MARKET].address)
        return self.plan.record(self.node, self.created, block)

    def _block_of_first_event(self, address: str) -> BlockId:
        """The block in which a market was created, which tells who owns it."""
        asked = {"address": address, "fromBlock": hex(self.journal.since), "toBlock": "latest"}
        found = self.node.call("eth_getLogs", asked)
        if not isinstance(found, list) or not found:
            raise NodeUnusable(f"{self.node.address.host} does not tell when {address} was created: ask another node")
        log = self.node.shaped(log_of, "eth_getLogs", found[0])
        block = self.node.block(self.node.shaped(lambda each: number(each["blockNumber"]), "eth_getLogs", found[0]))
        if block is None or log.address != address:
            raise NodeUnusable(f"{self.node.address.host} does not tell when {address} was created: ask another node")
        return BlockId(block.number, block.hash)


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
    plan = Plan(node.chain_id(), genesis_of(node), account.address, None, supplier or account.address, tariff)
    first = nonce_of(node, account.address)
    created = plan.rehearsed({name: first + place for place, name in enumerate(plan.names)})
    drafts = [Draft(None, each.creation, gas=with_margin(each.gas), label=each.name) for each in created.values()]
    sender = Sender(node, account)
    sent = sender.send_all(drafts)
    mine()
    receipts = dict(zip(plan.names, [sender.wait(each, seconds) for each in sent], strict=True))
    return plan.record(node, created, BlockId(receipts[MARKET].block_number, receipts[MARKET].block_hash))
