"""Nodes by JSON-RPC: blocks, receipts, views and traces, and answers that are none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.answering import answering, replies
from tests.support.field import Ground, between
from wattproof.chain.node import Block, BlockGone, Node, NodeUnusable, Reverted, RpcError, Transaction
from wattproof.chain.sending import Draft, Refused, Sender

NOWHERE = "0x" + 64 * "1"


def test_a_block_by_number_tag_and_hash(ground: Ground) -> None:
    node = ground.node
    latest = node.block("latest")
    assert latest is not None
    assert node.block(latest.number) == latest == node.block(latest.hash)
    before = node.block(latest.parent)
    assert before is not None
    assert before.number == latest.number - 1
    assert before.timestamp <= latest.timestamp
    assert node.block(latest.number + 1) is None
    assert node.block(NOWHERE) is None


def test_receipts_are_those_of_the_block(ground: Ground) -> None:
    created = ground.record.block
    block = ground.node.block(created.hash, full=True)
    assert block is not None
    sent = block.transactions[1]
    assert isinstance(sent, Transaction)
    assert (sent.sender, sent.to, sent.nonce, sent.index) == (ground.owner.address, None, 1, 1)
    receipts = ground.node.receipts(block)
    receipt = receipts[1]
    assert receipt.status
    assert receipt.contract == ground.record.market
    assert [log.address for log in receipt.logs] == [ground.record.market] * len(receipt.logs)
    single = Node(ground.url)
    single.missing.add("eth_getBlockReceipts")
    assert single.receipts(block) == receipts


def test_a_block_that_is_gone(ground: Ground) -> None:
    gone = Block(1, NOWHERE, NOWHERE, 0, (NOWHERE,))
    for single in (False, True):
        node = Node(ground.url)
        node.missing |= {"eth_getBlockReceipts", "debug_traceBlockByHash"} if single else set()
        with pytest.raises(BlockGone):
            node.receipts(gone)
        with pytest.raises(BlockGone):
            node.traces(gone)
    with pytest.raises(BlockGone):
        ground.node.view(ground.record.market, b"", NOWHERE)


def test_what_a_contract_refuses_is_told_from_what_the_node_refuses(ground: Ground) -> None:
    data = ground.market.data("deposit", 1)
    with pytest.raises(Reverted) as refused:
        ground.node.view(ground.record.market, data)
    assert "allowance" in ground.market.reason(refused.value.data)
    with pytest.raises(RpcError, match="nothing_of_the_kind"):
        ground.node.call("nothing_of_the_kind")


def test_a_batch_answers_each_in_its_place(ground: Ground) -> None:
    chain, refused, block = ground.node.batch([("eth_chainId", []), ("nothing", []), ("eth_blockNumber", [])])
    assert int(chain, 16) == ground.record.chain_id
    assert isinstance(refused, RpcError)
    assert int(block, 16) > 0
    assert len(ground.node.batch([("eth_chainId", [])] * 600)) == 600


@pytest.mark.parametrize("lacking", [set(), {"trace_block"}, {"debug_traceBlockByHash", "trace_block"}])
def test_traces_show_calls_inside_calls(ground: Ground, lacking: set[str]) -> None:
    owner, market = ground.account(f"tracer {lacking}"), ground.market
    drafts = [
        market.token.draft("mint", value=1_000, gas=200_000),
        market.token.draft("approve", market.address, 2**256 - 1, gas=100_000),
        market.draft("deposit", 700, gas=300_000),
        market.draft("deposit", 700, gas=300_000),
    ]
    Sender(ground.node, owner).send_all(drafts)
    ground.anvil.mine()
    node = Node(ground.url)
    node.missing |= lacking
    block = node.block("latest")
    assert block is not None
    traces = node.traces(block)
    assert traces is not None
    assert [frame.to for frame in traces] == [
        market.token.address,
        market.token.address,
        market.address,
        market.address,
    ]
    assert [frame.error is None for frame in traces] == [True, True, True, False]
    asked = [market.token.decode_call(call.data) for call in traces[2].calls]
    assert ("transferFrom", (owner.address, market.address, 700)) in asked
    assert traces[0].value == 1_000
    node.missing |= {"debug_traceBlockByHash", "trace_block", "debug_traceTransaction"}
    assert node.traces(block) is None


def told(change: Callable[[Any], Any], method: str = "trace_block") -> Callable[[Any, Any], Any]:
    """Another answer to a method, for `between`."""

    def other(question: Any, answer: Any) -> Any:
        asked = isinstance(question, dict) and question["method"] == method
        return answer | {"result": change(answer["result"])} if asked else answer

    return other


def failed(ground: Ground, seed: str) -> Block:
    """A block with a call that the market refuses."""
    with pytest.raises(Refused):
        ground.do(ground.account(seed), ground.market.draft("revoke", ground.owner.address, gas=100_000))
    block = ground.node.block("latest")
    assert block is not None
    return block


def test_why_a_call_failed_is_in_its_trace_wherever_that_is_told(ground: Ground) -> None:
    block = failed(ground, "loser")
    with between(ground.anvil, told=told(lambda found: [each | {"result": None} for each in found])) as rpc:
        for node in (ground.node, Node(rpc)):
            traces = node.traces(block)
            assert traces is not None
            assert ground.market.reason(traces[0].output) == "ownable: caller is not the owner"
        node = Node(rpc)
        node.missing.add("debug_traceBlockByHash")
        traces = node.traces(block)
        assert traces is not None
        assert (traces[0].error, traces[0].output) == ("Reverted", b"")


@pytest.mark.parametrize(
    "change, problem",
    [
        (lambda found: None, BlockGone),
        (lambda found: [each | {"blockHash": NOWHERE} for each in found], BlockGone),
        (lambda found: [*found[:-1], found[-1] | {"blockHash": NOWHERE}], BlockGone),
        (lambda found: [*found[:-1], None], BlockGone),
        (lambda found: found[::-1], NodeUnusable),
        (lambda found: found[:-1], NodeUnusable),
        (lambda found: [], NodeUnusable),
        (lambda found: {}, NodeUnusable),
        (lambda found: [5, 5, 5], NodeUnusable),
        (lambda found: [each | {"logs": [None]} for each in found], NodeUnusable),
        (lambda found: [each | {"logs": [{"topics": ["0x1"]}]} for each in found], NodeUnusable),
    ],
)
def test_receipts_that_are_none_of_the_block(
    change: Callable[[Any], Any], problem: type[Exception], ground: Ground
) -> None:
    block = ground.node.block(ground.record.block.hash)
    assert block is not None
    with between(ground.anvil, told=told(change, "eth_getBlockReceipts")) as rpc, pytest.raises(problem):
        Node(rpc).receipts(block)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: [5],
        lambda found: [None],
        lambda found: [],
        lambda found: [*found, *found[0]],
        lambda found: "nonsense",
        lambda found: [found[0] | {"action": 5}],
        lambda found: [found[0] | {"action": {}}],
        lambda found: [found[0] | {"traceAddress": [0]}],
        lambda found: [found[0] | {"traceAddress": [{}]}],
        lambda found: [found[0] | {"transactionHash": "0x" + 64 * "2"}],
        lambda found: [found[0] | {"result": [1]}],
        lambda found: [{key: value for key, value in found[0].items() if key != "blockHash"}],
    ],
)
def test_traces_that_are_none(change: Callable[[Any], Any], ground: Ground) -> None:
    block = failed(ground, "odd traces")
    with between(ground.anvil, told=told(change)) as rpc, pytest.raises((NodeUnusable, BlockGone)) as problem:
        Node(rpc).traces(block)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("lacking", [set(), {"trace_block"}, {"debug_traceBlockByHash", "trace_block"}])
def test_traces_as_deep_as_calls_go(ground: Ground, lacking: set[str]) -> None:
    account = ground.account(f"diver {lacking}")
    # It calls itself with all of its gas: PUSH0 five times, ADDRESS, GAS, CALL, STOP.
    diver = ground.do(account, Draft(None, bytes.fromhex("685f5f5f5f5f305af1005f5260096017f3"))).contract
    ground.do(account, Draft(diver, b"", gas=10_000_000))
    node = Node(ground.url)
    node.missing |= lacking
    block = node.block("latest")
    assert block is not None
    traces = node.traces(block)
    assert traces is not None
    frame, depth = traces[0], 1
    while frame.calls:
        frame, depth = frame.calls[0], depth + 1
    assert depth > 200


def test_a_connection_that_was_dropped_is_opened_again(ground: Ground) -> None:
    node = Node(ground.url)
    node.chain_id()
    assert node._connection is not None
    assert node._connection.sock is not None
    node._connection.sock.shutdown(2)
    assert node.chain_id() == ground.record.chain_id


def test_a_node_that_is_not_there() -> None:
    with pytest.raises(NodeUnusable, match=r"^127\.0\.0\.1 cannot be asked"):
        Node("http://127.0.0.1:1").chain_id()


@pytest.mark.parametrize(
    "answer", [b"", b"{", b"null", b"[]", b'{"id": 0, "result": "0x1"}', b'{"jsonrpc": "2.0", "result": "0x1"}']
)
def test_an_answer_that_is_none(answer: bytes) -> None:
    with answering(answer=answer) as server:
        node = Node(f"http://127.0.0.1:{server.port}/secret-key")
        for ask in (node.chain_id, lambda: node.batch([("eth_chainId", [])])):
            with pytest.raises(NodeUnusable) as problem:
                ask()
            assert "\n" not in str(problem.value)
            assert "secret-key" not in str(problem.value)


def test_a_node_that_is_late_is_given_up_and_asked_anew() -> None:
    late = threading.Event()
    with answering(answer=replies(eth_chainId="0x7"), until=late) as server:
        node = Node(f"http://127.0.0.1:{server.port}", timeout=0.3)
        with pytest.raises(NodeUnusable, match=r"does not answer within 0\.3 s"):
            node.chain_id()
        late.set()
        assert node.chain_id() == 7


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500])
def test_an_answer_that_is_no_success(status: int) -> None:
    with answering(answer=b"secret-key", status=status, headers=(("Location", "/elsewhere"),)) as server:
        node = Node(f"http://127.0.0.1:{server.port}/secret-key")
        with pytest.raises(NodeUnusable, match=rf"^127\.0\.0\.1 answers HTTP {status}") as problem:
            node.chain_id()
        assert "secret-key" not in str(problem.value)
        assert len(server.asked) == 1


@pytest.mark.parametrize("result", [1, "0x", "nonsense", {}, {"number": "0x1"}, []])
def test_an_answer_of_another_shape(result: object) -> None:
    with answering(answer=replies(eth_getBlockByNumber=result, eth_chainId=result)) as server:
        node = Node(f"http://127.0.0.1:{server.port}")
        with pytest.raises(NodeUnusable, match="take another node"):
            node.block(1)
        with pytest.raises(NodeUnusable, match="take another node"):
            node.chain_id()


def test_a_node_that_answers_with_another_block(ground: Ground) -> None:
    other = ground.node.call("eth_getBlockByNumber", "0x1", False)
    with answering(answer=replies(eth_getBlockByNumber=other, eth_getBlockByHash=other)) as server:
        node = Node(f"http://127.0.0.1:{server.port}")
        assert node.block(1) is not None
        for which in (2, NOWHERE):
            with pytest.raises(NodeUnusable, match="another block"):
                node.block(which)


def test_the_address_is_not_told(ground: Ground) -> None:
    def refuse(*_: object) -> Exception:
        return LookupError("no such project: 0123456789abcdef")

    with answering(answer=replies(eth_chainId=refuse)) as server:
        node = Node(f"http://127.0.0.1:{server.port}/v3/0123456789abcdef")
        assert "0123456789" not in repr(node)
        with pytest.raises(RpcError) as problem:
            node.chain_id()
        assert "0123456789" not in str(problem.value)
