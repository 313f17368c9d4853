"""The embedded chain: as anvil to the unit of gas, and an answer to everything that is sent to it."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eth._utils.address import generate_contract_address
from eth_utils.address import to_checksum_address

from tests.support.field import ETHER, Ground, url
from wattproof.chain.accounts import Account
from wattproof.chain.deploying import creation
from wattproof.chain.embedded.blocks import EmbeddedChain
from wattproof.chain.embedded.methods import Methods
from wattproof.chain.embedded.process import Embedded
from wattproof.chain.embedded.rules import MOST_GAS
from wattproof.chain.embedded.server import Server
from wattproof.chain.market import interface_of
from wattproof.chain.node import Node, Reverted, RpcError
from wattproof.chain.sending import Sender
from wattproof.evm.anvil import Anvil
from wattproof.evm.rpc import NodeUnusable
from wattproof.market.meters import Meter
from wattproof.market.seals import seal_of
from wattproof.market.tariff import PAPER, frame

CHAIN, START = 7_357, 1_750_000_000
PERIOD = START // 1800 + 2
BIDDING = (PERIOD - 1) * 1800
"""When the bidding of the period begins."""

SALT = bytes(32)
TRACED = {"tracer": "callTracer"}


@pytest.fixture
def methods() -> Methods:
    """A chain in this process, whose blocks `evm_mine` makes."""
    chain = EmbeddedChain(CHAIN, START)
    chain.automine = False
    return Methods(chain)


def ask(methods: Methods, method: str, *params: Any) -> Any:
    """A result. Raises RpcError where it is refused."""
    answer = methods.answer({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
    if "error" in answer:
        raise RpcError(method, answer["error"])
    return answer["result"]


class Signer:
    """Signs transactions of one account after the other's, with nonces from 0 on."""

    def __init__(self, seed: object) -> None:
        self.account = Account.of_seed(seed)
        self.nonce = 0

    @property
    def address(self) -> str:
        return self.account.address

    def raw(self, to: str | None, data: bytes = b"", *, value: int = 0, **others: Any) -> str:
        fields: dict[str, Any] = {"type": 2, "chainId": CHAIN, "nonce": self.nonce, "value": value, "data": data}
        fields |= {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, "gas": 1_000_000}
        fields |= {"to": to} if to else {}
        self.nonce += 1
        return "0x" + self.account.sign({**fields, **others}).hex()


# ---- beside anvil -----------------------------------------------------------------------------


class Story:
    """A half-hour of a market in signed transactions: `blocks` are their times and what is in them."""

    def __init__(self, token: str, market: str, lens: str, owner: Signer) -> None:
        """The contracts' addresses, as the owner's first three transactions make them."""
        self.lens, self.market = lens, market
        self.homes = [Signer(f"home {number}") for number in range(4)]
        supplier = Account.of_seed("supplier").address
        call, credit = interface_of("EnergyMarket").call, interface_of("EnergyCredit").call
        sunny, buyers = self.homes[0], self.homes[1:]
        meters = {home.address: Meter(home.address) for home in self.homes}
        pairing = {who: meter.sign_pairing(market, who, SALT, CHAIN) for who, meter in meters.items()}
        bids = {home.address: (10 * 10**13 + number, 900) for number, home in enumerate(buyers)}

        def seal(home: Signer) -> bytes:
            return seal_of(CHAIN, market, 1, home.address, *bids[home.address], SALT)

        def reading(home: Signer, exported: int, imported: int) -> str:
            signed = meters[home.address].sign_reading(market, home.address, PERIOD, exported, imported, CHAIN)
            return home.raw(market, call("submit_reading", home.address, PERIOD, exported, imported, signed))

        opening = creation("EnergyMarket", token, supplier, *frame(PAPER))
        self.blocks: list[tuple[int, list[str]]] = [
            (START + 10, [owner.raw(None, creation("EnergyCredit"), gas=3_000_000)]),
            (START + 11, [owner.raw(None, opening, gas=9_000_000)]),
            (START + 12, [owner.raw(None, creation("MarketLens", market), gas=9_000_000)]),
            (START + 20, [home.raw(token, credit("mint"), value=10**18) for home in self.homes]),
            (START + 21, [home.raw(token, credit("approve", market, 2**255)) for home in self.homes]),
            (
                START + 22,
                [
                    home.raw(market, call("register", SALT, meters[home.address].address, pairing[home.address]))
                    for home in self.homes
                ],
            ),
            (START + 23, [owner.raw(market, call("authorize", home.address, 11_500)) for home in self.homes]),
            (START + 24, [home.raw(market, call("deposit", 10**17)) for home in self.homes]),
            (BIDDING, [sunny.raw(market, call("submit_quote", PERIOD, 2_000, 9 * 10**13))]),
            # The last of these is refused: the quote's own prosumer bids.
            (BIDDING + 1, [home.raw(market, call("submit_bid", 1, seal(home))) for home in buyers]),
            (BIDDING + 2, [sunny.raw(market, call("submit_bid", 1, SALT))]),
            (
                BIDDING + 600,
                [home.raw(market, call("reveal_bid", 1, *bids[home.address], SALT)) for home in buyers],
            ),
            (BIDDING + 1_200, [owner.raw(market, call("match_bids", 1), gas=5_000_000)]),
            (BIDDING + 3_600, [reading(sunny, 1_900, 0), *(reading(home, 0, 900) for home in buyers)]),
            (BIDDING + 4_800, [owner.raw(market, call("settle_quote", 1), gas=5_000_000)]),
            (BIDDING + 4_801, [owner.raw(market, call("settle_account", home.address, PERIOD)) for home in self.homes]),
            # More gas than there is: out of gas, and not refused.
            (BIDDING + 4_802, [sunny.raw(market, call("withdraw", 1), gas=30_000)]),
        ]


Local = Anvil | Embedded


def played(node: Local) -> tuple[Story, list[dict[str, Any]]]:
    """Plays the story on a node that runs; returns what became of each transaction, in order."""
    owner = Signer("owner")
    token, market, lens = (contract(owner.address, nonce) for nonce in range(3))
    story = Story(token, market, lens, owner)
    for signer in (owner, *story.homes):
        node.endow(signer.address, 1_000 * ETHER)
    receipts: list[dict[str, Any]] = []
    for second, transactions in story.blocks:
        node.batch([("eth_sendRawTransaction", [raw]) for raw in transactions])
        block = node.mine(second)
        assert int(block["timestamp"], 16) == second
        receipts += node.rpc("eth_getBlockReceipts", block["hash"])
    return story, receipts


def contract(sender: str, nonce: int) -> str:
    """The address of the contract that a transaction makes."""
    return to_checksum_address(generate_contract_address(bytes.fromhex(sender[2:]), nonce))  # pyright: ignore[reportArgumentType]


def of_the_chain(receipt: dict[str, Any]) -> dict[str, Any]:
    """What of a receipt the chain's rules say: not the hash of the block, whose header has the node's own base fee."""
    names = ("transactionHash", "transactionIndex", "blockNumber", "from", "to", "type", "status", "contractAddress")
    gas = ("gasUsed", "cumulativeGasUsed", "logsBloom")
    logs = [{name: log[name] for name in ("address", "topics", "data", "logIndex")} for log in receipt["logs"]]
    return {name: lowered(receipt[name]) for name in names + gas} | {"logs": logs}


def lowered(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def asked(node: Local, story: Story) -> list[Any]:
    """What calls answer: views, refusals, and codes; at the last block and at one of the past."""
    view, call = interface_of("MarketLens").call, interface_of("EnergyMarket").call
    past = node.rpc("eth_getBlockByNumber", hex(9), False)["hash"]
    answers: list[Any] = []
    for where in ("latest", {"blockHash": past}, hex(9)):
        for home in story.homes:
            for name, given in (("account", (home.address,)), ("position", (home.address, PERIOD))):
                asking = {"to": story.lens, "data": "0x" + view(name, *given).hex()}
                answers.append(node.rpc("eth_call", asking, where))
        for name, given in (("withdraw", (10**18,)), ("match_bids", (1,)), ("match_bids", (77,))):
            with pytest.raises(RpcError) as refused:
                asking = {"from": story.homes[1].address, "to": story.market, "data": "0x" + call(name, *given).hex()}
                node.rpc("eth_call", asking, where)
            answers.append((refused.value.code, refused.value.data, str(refused.value)))
        answers.append(node.rpc("eth_getCode", story.market, where))
    return answers


def test_receipts_and_calls_are_anvils(has_anvil: None) -> None:
    with Embedded(timestamp=START, chain_id=CHAIN) as ours, Anvil(timestamp=START, chain_id=CHAIN) as theirs:
        story, receipts = played(ours)
        _, expected = played(theirs)
        assert [of_the_chain(one) for one in receipts] == [of_the_chain(one) for one in expected]
        statuses = [int(one["status"], 16) for one in receipts]
        assert statuses.count(0) == 2, "one is refused, one has too little gas"
        assert sum(len(one["logs"]) for one in receipts) > 40
        assert asked(ours, story) == asked(theirs, story)
        sent = [one["transactionHash"] for one in receipts]
        for which in (sent[-6], sent[-1], sent[1]):
            mine, other = (node.rpc("debug_traceTransaction", which, TRACED) for node in (ours, theirs))
            assert calls_of(mine) == calls_of(other)


def calls_of(frame: dict[str, Any]) -> list[tuple[Any, ...]]:
    """All calls of a call tree, outermost first; precompiles, which anvil leaves out, are not among them."""
    own = tuple(lowered(frame.get(name)) for name in ("type", "from", "to", "value", "input", "output"))
    inner = [call for child in frame.get("calls", ()) if int(child["to"], 16) > 0xFF for call in calls_of(child)]
    return [(*own, "error" in frame), *inner]


@pytest.fixture(scope="module")
def ours() -> Iterator[Ground]:
    """A market on an embedded node of its own."""
    with Embedded(timestamp=START, chain_id=CHAIN) as node:
        yield Ground.on(node)


def test_what_is_estimated_suffices(ours: Ground) -> None:
    home = ours.account("estimates")
    token = ours.market.token
    for draft in (token.draft("mint", value=1_000), token.draft("approve", ours.market.address, 2**256 - 1)):
        receipt = ours.do(home, draft)
        assert receipt.status
        # With a quarter as margin: the estimate itself is close.
        number = ours.node.call("eth_getTransactionByHash", receipt.transaction_hash)
        assert receipt.gas_used <= int(number["gas"], 16) <= receipt.gas_used * 1.3


def test_a_transaction_that_needs_one_that_waits_is_estimated(ours: Ground) -> None:
    home, token = ours.account("waits"), ours.market.token
    sender = Sender(ours.node, home)
    sent = [sender.send(token.draft("mint", value=1_000))]
    sent.append(sender.send(token.draft("approve", ours.market.address, 1_000)))
    sent.append(sender.send(ours.market.draft("deposit", 1_000)))
    assert int(ours.node.call("eth_getTransactionCount", home.address, "pending"), 16) == 3
    assert int(ours.node.call("eth_getTransactionCount", home.address, "latest"), 16) == 0
    assert ours.node.call("eth_getTransactionByHash", sent[0])["blockHash"] is None
    ours.anvil.mine()
    assert all(sender.wait(number, 5).status for number in sent)
    assert ours.market.view("account", home.address).balance == 1_000


def test_traces_show_who_called_the_token(ours: Ground) -> None:
    home = ours.account("traced")
    ours.do(home, ours.market.token.draft("mint", value=1_000))
    ours.do(home, ours.market.token.draft("approve", ours.market.address, 1_000))
    receipt = ours.do(home, ours.market.draft("deposit", 1_000))
    block = ours.node.block(receipt.block_hash)
    assert block is not None
    frames = ours.node.traces(block)
    assert frames is not None
    (frame,) = frames
    assert (frame.sender, frame.to) == (home.address, ours.market.address)
    assert {inner.to for inner in frame.calls} == {ours.market.token.address}
    assert {inner.sender for inner in frame.calls} == {ours.market.address}
    with pytest.raises(RpcError, match="callTracer"):
        ours.node.call("debug_traceBlockByHash", block.hash, {"tracer": "prestateTracer"})


def test_a_reorganisation_makes_other_blocks_of_empty_ones(methods: Methods) -> None:
    for _ in range(5):
        ask(methods, "evm_mine")
    before = [ask(methods, "eth_getBlockByNumber", hex(number), False) for number in range(6)]
    ask(methods, "anvil_reorg", 3, [])
    after = [ask(methods, "eth_getBlockByNumber", hex(number), False) for number in range(6)]
    assert [one["timestamp"] for one in after] == [one["timestamp"] for one in before]
    assert [one["hash"] == other["hash"] for one, other in zip(before, after, strict=True)] == [True] * 3 + [False] * 3
    assert ask(methods, "eth_blockNumber") == "0x5"


def test_a_reorganisation_takes_transactions_back(ours: Ground) -> None:
    home = ours.account("reorganised")
    receipt = ours.do(home, ours.market.token.draft("mint", value=1_000))
    gone = ours.node.block("latest")
    assert gone is not None
    ours.node.call("anvil_reorg", 1, [])
    new = ours.node.block("latest")
    assert new is not None
    assert (new.number, new.parent, new.timestamp) == (gone.number, gone.parent, gone.timestamp)
    assert new.hash != gone.hash
    assert ours.node.block(gone.hash) is None
    assert ours.node.call("eth_getTransactionReceipt", receipt.transaction_hash) is None
    assert int(ours.node.call("eth_getTransactionCount", home.address, "latest"), 16) == 0
    with pytest.raises(RpcError, match="reorg depth"):
        ours.node.call("anvil_reorg", 10_000, [])


# ---- its own rules ----------------------------------------------------------------------------


def endowed(methods: Methods, seed: object) -> Signer:
    signer = Signer(seed)
    ask(methods, "anvil_setBalance", signer.address, hex(ETHER))
    return signer


NOBODY = "0x" + 40 * "7"


def test_blocks_have_the_times_that_were_set_and_true_parents(methods: Methods) -> None:
    ask(methods, "evm_setNextBlockTimestamp", START + 100)
    ask(methods, "evm_mine")
    ask(methods, "evm_mine", START + 200)
    ask(methods, "evm_mine", {"timestamp": START + 300, "blocks": 2})
    blocks = [ask(methods, "eth_getBlockByNumber", hex(number), False) for number in range(5)]
    times = [int(block["timestamp"], 16) - START for block in blocks]
    assert times[:4] == [0, 100, 200, 300]
    assert times[4] > 300
    assert [block["parentHash"] for block in blocks[1:]] == [block["hash"] for block in blocks[:-1]]
    for second in (START, START + 300, 2**64):
        with pytest.raises(RpcError, match="Timestamp"):
            ask(methods, "evm_mine", second)
    assert ask(methods, "eth_blockNumber") == "0x4"


def test_fees_are_paid(methods: Methods) -> None:
    signer = endowed(methods, "payer")
    number = ask(methods, "eth_sendRawTransaction", signer.raw(NOBODY, value=5, maxPriorityFeePerGas=7))
    ask(methods, "evm_mine")
    receipt = ask(methods, "eth_getTransactionReceipt", number)
    base = int(ask(methods, "eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    assert int(receipt["effectiveGasPrice"], 16) == base + 7
    assert int(ask(methods, "eth_getBalance", signer.address), 16) == ETHER - 5 - 21_000 * (base + 7)
    assert ask(methods, "eth_getBalance", NOBODY) == "0x5"
    assert ask(methods, "eth_getBalance", NOBODY, "0x0") == "0x0"
    history = ask(methods, "eth_feeHistory", "0x2", "latest", [50])
    assert len(history["baseFeePerGas"]) == 3
    assert int(history["baseFeePerGas"][1], 16) == base


def test_transactions_are_taken_in_the_order_in_which_they_came(methods: Methods) -> None:
    one, two = endowed(methods, "one"), endowed(methods, "two")
    first, second, third = one.raw(NOBODY), one.raw(NOBODY), two.raw(NOBODY, maxFeePerGas=10**11)
    sent = [ask(methods, "eth_sendRawTransaction", raw) for raw in (second, third, first)]
    ask(methods, "evm_mine")
    block = ask(methods, "eth_getBlockByNumber", "latest", False)
    # The second of one's waits for its first.
    assert block["transactions"] == [sent[1], sent[2], sent[0]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nonce": 0, "value": 1}, "nonce too low"),
        ({"chainId": 1}, "invalid chain id"),
        ({"gas": 20_999}, "intrinsic gas too low"),
        ({"gas": MOST_GAS + 1}, "exceeds block gas limit"),
        ({"value": ETHER}, "insufficient funds"),
        ({"maxFeePerGas": 5, "maxPriorityFeePerGas": 6}, "max priority fee"),
    ],
)
def test_transactions_that_no_block_can_take_are_refused(methods: Methods, change: dict[str, Any], said: str) -> None:
    signer = endowed(methods, "refused")
    ask(methods, "eth_sendRawTransaction", signer.raw(NOBODY))
    ask(methods, "evm_mine")
    with pytest.raises(RpcError, match=said):
        ask(methods, "eth_sendRawTransaction", signer.raw(NOBODY, **change))


def test_a_transaction_is_known_and_replaced_by_a_dearer_one(methods: Methods) -> None:
    signer = endowed(methods, "replaces")
    raw = signer.raw(NOBODY)
    ask(methods, "eth_sendRawTransaction", raw)
    with pytest.raises(RpcError, match="already known"):
        ask(methods, "eth_sendRawTransaction", raw)
    with pytest.raises(RpcError, match="underpriced"):
        ask(methods, "eth_sendRawTransaction", signer.raw(NOBODY, value=1, nonce=0))
    dear: dict[str, Any] = {"maxFeePerGas": 2 * 10**10, "maxPriorityFeePerGas": 2 * 10**9}
    number = ask(methods, "eth_sendRawTransaction", signer.raw(NOBODY, value=1, nonce=0, **dear))
    ask(methods, "evm_mine")
    assert ask(methods, "eth_getBlockByNumber", "latest", False)["transactions"] == [number]
    with pytest.raises(RpcError, match=r"already known|nonce too low"):
        ask(methods, "eth_sendRawTransaction", raw)


def test_who_cannot_pay_any_more_keeps_nobody_up(methods: Methods) -> None:
    poor, other = endowed(methods, "poor"), endowed(methods, "other")
    ask(methods, "eth_sendRawTransaction", poor.raw(NOBODY))
    number = ask(methods, "eth_sendRawTransaction", other.raw(NOBODY))
    ask(methods, "anvil_setBalance", poor.address, "0x0")
    ask(methods, "evm_mine")
    assert ask(methods, "eth_getBlockByNumber", "latest", False)["transactions"] == [number]
    assert ask(methods, "eth_getBalance", poor.address) == "0x0"


def test_a_call_leaves_nothing_and_costs_nothing(methods: Methods) -> None:
    signer = endowed(methods, "caller")
    asking = {"from": signer.address, "to": NOBODY, "value": "0x5"}
    assert ask(methods, "eth_call", asking) == "0x"
    assert ask(methods, "eth_getBalance", NOBODY) == "0x0"
    assert ask(methods, "eth_estimateGas", asking) == hex(21_000)
    with pytest.raises(RpcError, match="insufficient funds"):
        ask(methods, "eth_call", asking | {"value": hex(2 * ETHER)})


def test_a_contract_beyond_24576_bytes_is_not_made(methods: Methods) -> None:
    signer = endowed(methods, "builder")
    for size, status in ((24_576, "0x1"), (24_577, "0x0")):
        # PUSH3 size, PUSH1 0, RETURN: as many zero bytes of code.
        code = b"\x62" + size.to_bytes(3, "big") + bytes.fromhex("6000f3")
        number = ask(methods, "eth_sendRawTransaction", signer.raw(None, code, gas=6_000_000))
        ask(methods, "evm_mine")
        assert ask(methods, "eth_getTransactionReceipt", number)["status"] == status


def test_a_loop_without_end_ends(methods: Methods) -> None:
    # JUMPDEST, PUSH1 0, JUMP
    with pytest.raises(RpcError, match="out of gas"):
        ask(methods, "eth_call", {"data": "0x5b600056", "gas": hex(1_000_000)})


def test_logs_are_found_by_address_topic_and_block(ours: Ground) -> None:
    home = ours.account("logs")
    receipt = ours.do(home, ours.market.token.draft("mint", value=1_000))
    log = receipt.logs[0]
    assert len({each.topics for each in receipt.logs}) == len(receipt.logs)
    token, topics = ours.market.token.address, ["0x" + topic.to_bytes(32, "big").hex() for topic in log.topics]
    own = {"fromBlock": hex(receipt.block_number), "toBlock": "latest"}

    def found(told: dict[str, Any]) -> int:
        return len(ours.node.call("eth_getLogs", told))

    assert found(own | {"address": token, "topics": topics}) == 1
    assert found(own | {"address": [token.lower(), NOBODY], "topics": [topics[0], [topics[1], topics[0]]]}) == 1
    assert found({"blockHash": receipt.block_hash}) == len(receipt.logs)
    assert found(own | {"address": NOBODY}) == 0
    assert found(own | {"topics": [topics[1]]}) == 0
    assert len(topics) == 3
    assert found(own | {"topics": [*topics, None]}) == 0
    assert found({"fromBlock": hex(10**9)}) == 0
    with pytest.raises(RpcError, match="header not found"):
        found({"blockHash": "0x" + 64 * "1"})


def test_a_revert_has_its_data_at_the_block_that_is_named(ours: Ground) -> None:
    node, market = ours.node, ours.market
    before = node.block("latest")
    assert before is not None
    home = ours.account("views")
    with pytest.raises(Reverted) as refused:
        node.view(market.address, market.data("deposit", 1), sender=home.address)
    assert "allowance" in market.reason(refused.value.data)
    ours.do(home, market.token.draft("mint", value=5))
    asking = market.token.data("balanceOf", home.address)
    assert int.from_bytes(node.view(market.token.address, asking), "big") == 5
    assert int.from_bytes(node.view(market.token.address, asking, before.hash), "big") == 0


# ---- nonsense ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    served = Server(EmbeddedChain(CHAIN, START), 0)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join(10)


def posted(server: Server, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("POST", "/", body, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"a": 1e999999}', b"NaN", b"[]", b"[1]"])
def test_what_is_no_request_is_answered_with_an_error(server: Server, body: bytes) -> None:
    status, answer = posted(server, body)
    assert status == 200
    for one in answer if isinstance(answer, list) else [answer]:
        assert one["error"]["code"] in (-32700, -32600)


def test_batches_are_answered_in_order(server: Server) -> None:
    asked = [{"jsonrpc": "2.0", "id": number, "method": "eth_chainId"} for number in range(500)]
    _, answers = posted(server, json.dumps(asked).encode())
    assert [one["id"] for one in answers] == list(range(500))
    assert {one["result"] for one in answers} == {hex(CHAIN)}


def test_no_connection_of_http_is_left_hanging(server: Server) -> None:
    assert posted(server, b"{}", {"Content-Length": "99999999999"})[0] == 413
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", "/")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()
    connection.request("GET", "/")
    assert connection.getresponse().status == 405
    connection.close()


NONSENSE = [
    *(None, True, -1, 0, 1.5, 2**256, "", "0x", "0x0", "latest", "0xzz", "é", [], [[]], {}, {"a": []}, "0x" + "f" * 64),
    *("0x" + 40 * "0", {"to": 1}, {"blockHash": "0x1"}, {"fromBlock": [], "topics": 3}, {"data": "0x1"}, "0x02c0"),
    *({"from": "0x"}, {"value": "0x" + "f" * 64}, {"gas": "0x0"}, {"tracer": "callTracer", "tracerConfig": 4}),
    *({"timestamp": "x"}, {"blocks": -1}, "0x01" + "c0", "0x04c0", "0x03c0", "0xf8", "0x" + "ff" * 300),
]


def test_no_parameter_makes_it_fail(methods: Methods, caplog: pytest.LogCaptureFixture) -> None:
    draw = random.Random(22)
    names = sorted(methods.table)
    for _ in range(3_000):
        params: Any = [draw.choice(NONSENSE) for _ in range(draw.randrange(4))]
        asked: Any = {"id": draw.choice(NONSENSE), "method": draw.choice([*names, "no", None, 5]), "params": params}
        if draw.random() < 0.05:
            asked["params"] = draw.choice(NONSENSE)
        answer = methods.answer(asked)
        assert ("result" in answer) != ("error" in answer)
        json.dumps(answer)
        assert answer.get("error", {}).get("code") != -32603, (asked, caplog.text)
    assert ask(methods, "eth_chainId") == hex(CHAIN)


# ---- the command ------------------------------------------------------------------------------


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `wattproof` with arguments; whatever runs at the end is ended."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "wattproof", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_listens_and_ends_cleanly(
    started: Callable[..., subprocess.Popen[str]], how: signal.Signals
) -> None:
    rich = Account.of_seed("rich").address
    process = started("node", "--port", "0", "--timestamp", str(START), "--chain-id", "77", "--fund", rich)
    assert process.stdout is not None
    said = process.stdout.readline()
    port = int(said.split(":")[1].split(",")[0])
    node = Node(f"http://127.0.0.1:{port}")
    assert node.chain_id() == 77
    assert int(node.call("eth_getBalance", rich, "latest"), 16) == 10_000 * ETHER
    if how == signal.SIGTERM:
        second = started("node", "--port", str(port))
        out, err = second.communicate(timeout=60)
        assert (second.returncode, out, err.count("\n")) == (2, "", 1)
        assert "--port" in err
    process.send_signal(how)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    with socket.socket() as free:
        # As any server does: connections that were closed a moment ago are not in the way.
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
    with pytest.raises(NodeUnusable):
        node.chain_id()


@pytest.mark.parametrize("argument", [("--port", "65536"), ("--timestamp", "-1"), ("--fund", "me")])
def test_what_is_no_argument_is_told(started: Callable[..., subprocess.Popen[str]], argument: tuple[str, str]) -> None:
    process = started("node", *argument)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in err


def test_blocks_come_by_themselves_where_that_is_asked_for() -> None:
    served = Server(EmbeddedChain(CHAIN, START), 0, block_time=0.05)
    try:
        chain, waits = served.methods.chain, threading.Event()
        for _ in range(200):
            if chain.head.number >= 2:
                break
            waits.wait(0.05)
        assert chain.head.number >= 2
    finally:
        served.server_close()


def test_the_process_is_where_it_says() -> None:
    with Embedded(timestamp=START) as node:
        assert Node(url(node)).chain_id() == 31_337
