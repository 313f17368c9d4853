"""Criterion 5, all nodes in step: three real nodes are fed the same signed transactions of a random history.

Nothing but the transactions and the blocks' seconds goes to them. Every block's hash and state root must be equal on
all three, and so must the receipts. The final state (every slot of market and token, their ether), each transaction's
status and its logs must be those of both engines inside the process, fed with the same calls.

As in a real network, a block's transactions reach each node in another order, even those of one sender: what each
offers for gas says in which order they are meant.
"""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from rich.console import Console

from verification import measurements
from verification.builds import Suite, suite
from verification.differential.histories import CHAIN_ID, ETHER, START, Call, History, random_history
from verification.differential.replay import Chain, Disagreement, Played, State, check_equal, check_verdicts
from verification.gas.chain import signed
from verification.gas.node import logs_of
from verification.harness.answers import Log
from wattproof.evm.anvil import HARDFORK, Anvil
from wattproof.evm.engine import available
from wattproof.evm.node import reading

NODES = 3

GAS = 30_000_000
"""Gas limit of every transaction; a block has room for all of its second."""

PRICE = 2 * 10**9
"""Wei that the last transaction of a block offers for gas: above any base fee of these short chains."""

SETTINGS = (
    "--gas-limit",
    str(2**50),
    "--order",
    "fees",
    "--disable-default-create2-deployer",
    "--disable-pool-balance-checks",
)
"""Arguments of the nodes, besides chain, hard fork and the genesis block's second.

The pool's own check of balances computes in 128 bits; the histories with the largest prices move more.
"""


@dataclass(frozen=True)
class Block:
    """What a node says of a block: its hash, its state root, and the receipts of its transactions."""

    hash: str
    state_root: str
    receipts: tuple[tuple[bool, tuple[Log, ...]], ...]


@dataclass(frozen=True)
class Told:
    """All blocks of a node, and its final state."""

    blocks: list[Block]
    state: State


def transactions(history: History, builds: Suite) -> list[tuple[int, list[bytes]]]:
    """The history as signed transactions: per second, those of its block, the dearest first.

    Views are left out: they change nothing.
    """
    keys = {party.address: party.key for party in history.people.values()}
    nonces: Counter[str] = Counter()

    def raw(price: int, sender: str, to: str | None, data: bytes, value: int) -> bytes:
        nonces[sender] += 1
        return signed(keys[sender], nonces[sender] - 1, to, data, value, GAS, price).encode()

    owner = history.people["owner"].address
    parts = zip(builds, history.arguments, strict=True)
    creations: list[tuple[str, str | None, bytes, int]] = [
        (owner, None, built.creation + arguments, 0) for built, arguments in parts
    ]
    wanted: list[tuple[int, list[tuple[str, str | None, bytes, int]]]] = [(START, creations)]
    for second, calls in itertools.groupby(changes(history), key=lambda call: call.second):
        wanted.append((second, [(call.sender, history.address(call.target), call.data, call.value) for call in calls]))
    return [
        (second, [raw(PRICE + len(block) - place, *fields) for place, fields in enumerate(block, 1)])
        for second, block in wanted
    ]


def changes(history: History) -> Iterator[Call]:
    """The calls that are sent as transactions."""
    return (call for call in history.calls if call.kind != "view")


def feed(history: History, blocks: Sequence[tuple[int, list[bytes]]], anvil: Anvil, arrival: Random) -> Told:
    """Sends the transactions, block by block in a random order of arrival; returns what the node made of them."""
    anvil.batch([("anvil_setBalance", [person.address, hex(ETHER)]) for person in history.people.values()])
    told = []
    for place, (second, raw) in enumerate(blocks, 1):
        hashes = {}
        for transaction in arrival.sample(raw, len(raw)):
            hashes[transaction] = anvil.rpc("eth_sendRawTransaction", "0x" + transaction.hex())
        with reading(anvil.name, "a block"):
            block = anvil.mine(second)
            if block["transactions"] != [hashes[transaction] for transaction in raw]:
                raise Disagreement(
                    f"{history.seed}, block {place}: the transactions are not those sent, in their order"
                )
            receipts = anvil.batch([("eth_getTransactionReceipt", [number]) for number in block["transactions"]])
            ends = tuple((receipt["status"] == "0x1", logs_of(receipt)) for receipt in receipts)
            told.append(Block(block["hash"], block["stateRoot"], ends))
    with reading(anvil.name, "its state"):
        return Told(told, _state(anvil, history))


def _state(anvil: Anvil, history: History) -> State:
    accounts = json.loads(gzip.decompress(bytes.fromhex(anvil.rpc("anvil_dumpState")[2:])))["accounts"]
    accounts = {address.lower(): account for address, account in accounts.items()}
    slots, ether = [], []
    for address in (history.market, history.token):
        account = accounts[address.lower()]
        storage = {int(slot, 16): int(value, 16) for slot, value in account["storage"].items()}
        slots.append({slot: value for slot, value in storage.items() if value})
        ether.append(int(anvil.rpc("eth_getBalance", address, "latest"), 16))
    return State(slots[0], slots[1], (ether[0], ether[1]))


def check_nodes(history: History, told: Sequence[Told]) -> None:
    """Raises Disagreement unless all nodes agree on every block and on the final state."""
    first, *others = told
    for number, other in enumerate(others, 2):
        for place, (one, another) in enumerate(zip(first.blocks, other.blocks, strict=True), 1):
            if one != another:
                raise Disagreement(
                    f"{history.seed}, block {place}: node 1 has hash {one.hash} and state root {one.state_root}, "
                    f"node {number} {another.hash} and {another.state_root}"
                )
        if first.state != other.state:
            raise Disagreement(f"{history.seed}: the final state of node {number} is not that of node 1")


def check_engine(history: History, told: Told, played: Played, engine: str) -> None:
    """Raises Disagreement unless statuses, logs and the final state of the nodes are those of an engine."""
    receipts = [receipt for block in told.blocks[1:] for receipt in block.receipts]
    answers = [a for call, a in zip(history.calls, played.answers, strict=True) if call.kind != "view"]
    for call, (accepted, logs), answer in zip(changes(history), receipts, answers, strict=True):
        if (accepted, logs) != (answer.accepted, answer.logs):
            raise Disagreement(
                f"{history.seed}, {call.function} at {call.second}: the nodes say {accepted} with {len(logs)} logs, "
                f"{engine} {answer.accepted} with {len(answer.logs)}"
            )
    check_equal(history, played, Played(played.answers, told.state, False), (engine, "the nodes"))


def compare(history: History, builds: Suite, chains: dict[str, Chain], step: Callable[[], None]) -> list[Block]:
    """Plays a history on three fresh nodes and on the engines; raises Disagreement where two differ."""
    blocks = transactions(history, builds)
    told = []
    for number in range(NODES):
        with Anvil(*SETTINGS, timestamp=START - 1, chain_id=CHAIN_ID) as node:
            told.append(feed(history, blocks, node, Random(f"{history.seed} {number}")))
        step()
    check_nodes(history, told)
    for name, chain in chains.items():
        played = chain.play(history)
        check_verdicts(history, played)
        check_engine(history, told[0], played, name)
        step()
    return told[0].blocks


def run(histories: int, length: int, seed: int, console: Console) -> dict[str, Any]:
    """The whole comparison. Raises NodeUnavailable without nodes, Disagreement where anything differs."""
    started = time.monotonic()
    version = Anvil().version
    builds = suite()
    chains = {engine: Chain(engine, builds) for engine in available()}
    counts: Counter[str] = Counter()
    ends = {}
    with measurements.progress(console) as bar:
        task = bar.add_task("nodes", total=histories * (NODES + len(chains)))
        for number in range(histories):
            history = random_history(seed + number, length, views=False)
            blocks = compare(history, builds, chains, lambda: bar.advance(task))
            receipts = [receipt for block in blocks for receipt in block.receipts]
            counts["blocks"] += len(blocks)
            counts["transactions"] += len(receipts)
            counts["accepted"] += sum(accepted for accepted, _ in receipts)
            counts["logs"] += sum(len(logs) for _, logs in receipts)
            ends[history.seed] = {"blocks": len(blocks), "hash": blocks[-1].hash, "state root": blocks[-1].state_root}
    figures = {"nodes": NODES, "engines": list(chains), "histories": histories, **counts, "differences": 0}
    details = {
        "hardfork": HARDFORK,
        "chain id": CHAIN_ID,
        "arguments": list(SETTINGS),
        "last blocks": ends,
        "length": length,
    }
    return measurements.document("nodes", seed, started, figures, details, anvil=version)
