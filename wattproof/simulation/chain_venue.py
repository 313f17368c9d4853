"""A trading day's market on a chain: calls are signed here, and go to a development node in batches, a block for each.

Who sends is made up from the seed, but for the owner: keys that anybody can compute, for simulations only. A batch is
one HTTP request of raw transactions; a block is made of them, and its receipts, fetched in one request, tell the
events. What does not fit into one block goes on in the next one, a second later.

The order of the calls counts, and nodes order a block by fees: so the fees of a batch fall, wei by wei, from its first
transaction to its last. That order is anvil's with `--order fees` and `--order fifo`, hardhat's, geth's, and that of
the embedded chain, which goes by arrival. It is looked at in every block all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wattproof.chain.accounts import Account
from wattproof.chain.answers import Block, Receipt
from wattproof.chain.deploying import opened
from wattproof.chain.development import Development
from wattproof.chain.market import ChainMarket, Contract
from wattproof.chain.node import Node, Reverted, RpcError
from wattproof.chain.record import Record
from wattproof.chain.sending import Draft, Fees, Refused, Sender, Signed, nonce_of, reason_of, why_failed
from wattproof.market.tariff import PAPER, Tariff
from wattproof.simulation.accounting import Event
from wattproof.simulation.venue import Call

LEAD = 60
"""Seconds before the end of BIDDING at which a chain's bidding begins: it takes a few blocks, each a second of its
own."""

GAS_MONEY = 100 * 10**18
"""Wei that every account is given for gas."""

_TIP = 10**9
"""Wei per gas that the last transaction of a batch pays beyond the base fee."""

_GAS = {
    "submit_quote": 300_000,
    "register": 300_000,
    "match_bids": 200_000,
    "settle_quote": 200_000,
    "buy_surplus": 250_000,
}
"""The most that a call may use; `_GAS_ELSE` where it is not here. About twice what docs/gas.md tells of each, as a node
cannot estimate a call that needs an earlier one of its block."""

_GAS_ELSE = 150_000

_GAS_PART = 40_000
"""What a call may use more for each bid or trade that it goes through."""


class Unfit(RuntimeError):
    """A day cannot be played on this market, or not to its end; the message is one line that says what to do."""


def simulated(seed: int, who: str) -> Account:
    """The account of somebody in the simulation: anybody can compute its key."""
    return Account.of_seed(f"day {seed} {who}")


def open_market(blocks: Development, seed: int, tariff: Tariff = PAPER, owner: Account | None = None) -> Record:
    """Opens a market for a day, owned by `owner`, by default by an account of the seed; so is the supplier's.

    Raises Refused where a contract cannot be created, as `Node.call`.
    """
    account = owner or simulated(seed, "owner")
    blocks.give({account.address: GAS_MONEY})
    return opened(blocks.node, account, tariff, simulated(seed, "supplier").address, blocks.mine)


class OnChain:
    """A market on a chain whose blocks are made to order: a `Venue` (`wattproof.simulation.venue`).

    market     what its calls, views and events are read by
    on_block   where set, is called with each block that was made, when its events are known
    """

    def __init__(self, blocks: Development, record: Record, seed: int, owner: Account | None = None) -> None:
        """Nothing is sent yet. `owner` None: the account of the seed.

        Raises Unfit where the market is not the owner's, or supplier or token are not such that a day can be played;
        NotTheMarket; as `Node.call`.
        """
        self.on_block: Callable[[Block], None] | None = None
        self.tariff, self.chain_id = record.tariff, record.chain_id
        self.address, self.supplier = record.market, record.supplier
        self._seed, self._blocks = seed, blocks
        self.market = ChainMarket(blocks.node, record)
        self.market.check()
        self._senders: dict[str, Sender] = {}
        self._names: dict[str, str] = {}
        self._nonces: dict[str, int] = {}
        self._gifts: Counter[str] = Counter()
        self._second, self._until = 0, 2**63
        self._take_in("the supplier", simulated(seed, "supplier"))
        self.owner = self._take_in("the owner", owner or simulated(seed, "owner"))
        self._check()

    def _check(self) -> None:
        owner = self.market.view("owner")
        if owner != self.owner:
            raise Unfit(f"the market's owner is {owner}, not {self.owner}: name its keystore by --account")
        if self.supplier not in self._senders:
            raise Unfit(
                f"the market's supplier is {self.supplier}, whose key is not here, and it has to pay for exports: take "
                f"a market whose supplier is its owner {self.owner}, or none, and a new one is deployed"
            )
        token = self.market.token
        try:
            self._node.view(token.address, token.data("mint"), sender=self.owner)
        except Reverted as reverted:
            raise Unfit(
                f"the market's token {token.address} gives no credit for ether ({reason_of(reverted)}): take a market "
                "that settles in EnergyCredit, or none, and a new one is deployed"
            ) from None

    @property
    def _node(self) -> Node:
        return self._blocks.node

    @property
    def now(self) -> int:
        """The second of the last block."""
        return self._blocks.head.timestamp

    def join(self, name: str) -> str:
        """The address of an account that is made up from seed and name."""
        return self._take_in(name, simulated(self._seed, f"household {name}"))

    def _take_in(self, name: str, account: Account) -> str:
        self._senders[account.address], self._names[account.address] = Sender(self._node, account), name
        self._gifts[account.address] += GAS_MONEY
        return account.address

    def at(self, second: int, until: int, earliest: int | None = None) -> None:
        """The first block of what follows is made at `second`; up to `LEAD` seconds earlier where it may be."""
        self._second, self._until = second, until
        if earliest is not None:
            self._second = min(second, max(earliest, until - LEAD))

    def fund(self, party: str, amount: int) -> None:
        """Gives ether before the next calls are sent."""
        self._gifts[party] += amount

    def rest(self) -> None:
        """Keeps all: the node holds the state."""

    def close(self) -> None:
        """Lets the node make its own blocks again."""
        self._blocks.release()

    # ---- asking ----------------------------------------------------------------------------

    def views(self, function: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Asks all in one request. A view sees the time of the last block, so there has to be one of now."""
        if arguments and self.now < self._second:
            self._mine()
        contract: Contract = self.market if function in self.market.interface.functions else self.market.lens
        asked = contract.interface.functions[function]
        answers = self._node.views([(contract.address, asked.encode(entry)) for entry in arguments])
        for answer in answers:
            if isinstance(answer, Reverted):
                raise Refused(reason_of(answer), function)
        return [asked.decode(answer) for answer in answers if isinstance(answer, bytes)]

    def held(self) -> int:
        """Asks the token."""
        return self.market.token.view("balanceOf", self.address)

    # ---- calling ---------------------------------------------------------------------------

    def play(self, calls: Sequence[Call]) -> Iterator[list[Event]]:
        """Sends the calls, and yields the events of each as soon as its block is made.

        Raises Refused where a call is refused; Unfit where the blocks do not fit into the market's window, or the node
        orders them otherwise; NotDevelopment; as `Node.call`.
        """
        if not calls:
            return
        self._hand_out()
        self._look_up({call.sender for call in calls})
        for batch in self._batches(calls):
            yield from self._in_a_block(batch)

    def _batches(self, calls: Sequence[Call]) -> Iterator[list[tuple[Call, int]]]:
        """The calls and their gas, as many at a time as a block takes."""
        batch: list[tuple[Call, int]] = []
        left = most = self._blocks.head.gas_limit
        for call in calls:
            gas = _GAS.get(call.function, _GAS_ELSE) + call.parts * _GAS_PART
            if gas > most:
                raise Unfit(
                    f"{call.function} may take {gas:,} gas, and a block of this chain has {most:,}: take another"
                )
            if gas > left:
                yield batch
                batch, left = [], most
            batch.append((call, gas))
            left -= gas
        yield batch

    def _in_a_block(self, batch: Sequence[tuple[Call, int]]) -> Iterator[list[Event]]:
        signed = [self._signed(call, gas, len(batch) - place) for place, (call, gas) in enumerate(batch)]
        answers = self._node.batch([("eth_sendRawTransaction", ["0x" + each.raw.hex()]) for each in signed])
        for (call, _), answer in zip(batch, answers, strict=True):
            if isinstance(answer, RpcError):
                raise Refused(str(answer), self._told(call))
        block = self._mine()
        receipts = {receipt.transaction_hash: receipt for receipt in self._node.receipts(block)}
        ours = [each.hash for each in signed]
        mined = set(ours)
        if [each for each in block.hashes if each in mined] != ours:
            raise Unfit(
                f"{self._node.address.host} takes transactions in another order than by fee or arrival, or leaves some "
                "out: take another node, such as anvil --order fifo --no-mining"
            )
        events = [self._events(call, receipts[each]) for (call, _), each in zip(batch, ours, strict=True)]
        if self.on_block:
            self.on_block(block)
        yield from events

    def _signed(self, call: Call, gas: int, place: int) -> Signed:
        """The transaction of a call that stands before `place - 1` others in its block."""
        contract: Contract = self.market.token if call.of_token else self.market
        draft = contract.draft(call.function, *call.arguments, value=call.value, gas=gas)
        nonce = self._nonces[call.sender]
        self._nonces[call.sender] += 1
        return self._senders[call.sender].signed(draft, nonce, self._fees(place))

    def _fees(self, place: int) -> Fees:
        """What outbids those that come later, by both the tip and the most that is paid in all."""
        base = self._blocks.head.base_fee
        return Fees(_TIP + place, None) if base is None else Fees(2 * base + _TIP + place, _TIP + place)

    def _events(self, call: Call, receipt: Receipt) -> list[Event]:
        if not receipt.status:
            raise Refused(why_failed(self._node, receipt), self._told(call))
        return [event for log in receipt.logs if (event := self.market.event(log))]

    def _told(self, call: Call) -> str:
        again = " (was this seed played on this market before? Take another)" if call.function == "register" else ""
        return f"{call.function} by {self._names[call.sender]}{again}"

    def _mine(self) -> Block:
        """Makes the next block, at its time."""
        second = max(self._second, self.now + 1)
        if second >= self._until:
            raise Unfit(
                f"what is to be done before second {self._until} does not fit into its blocks: take a market with "
                "longer windows, or a node with larger blocks (anvil --gas-limit)"
            )
        return self._blocks.mine(second)

    # ---- ether and nonces --------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Gives the ether that was asked for; where the node gives none, the owner pays it."""
        gifts, self._gifts = self._gifts, Counter()
        if not gifts or self._blocks.give(gifts):
            return
        gifts.pop(self.owner, None)
        self._look_up({self.owner})
        signed = []
        for place, (account, wei) in enumerate(gifts.items()):
            nonce, fees = self._nonces[self.owner] + place, self._fees(len(gifts) - place)
            signed.append(self._senders[self.owner].signed(Draft(account, b"", wei, 21_000), nonce, fees))
        self._nonces[self.owner] += len(signed)
        for answer in self._node.batch([("eth_sendRawTransaction", ["0x" + each.raw.hex()]) for each in signed]):
            if isinstance(answer, RpcError):
                raise Refused(str(answer), f"ether of {self.owner} for the households")
        self._mine()

    def _look_up(self, senders: set[str]) -> None:
        """Learns the nonces of accounts that were not heard of yet."""
        unknown = sorted(senders - self._nonces.keys())
        for sender in unknown:
            self._nonces[sender] = nonce_of(self._node, sender)
