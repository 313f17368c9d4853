"""Following a chain: in pieces, from receipts, from a bookmark, through reorganisations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.field import Ground
from tests.support.street import Street
from wattproof.agents.following import MARGIN, Follower, Moved
from wattproof.chain.node import Node, NodeUnusable, RpcError
from wattproof.terms.model import Phase, QuoteStatus

PRICE = 9 * 10**13


class Asked(Node):
    """A node that counts what it is asked, and refuses logs as it is told: of all, or of too many blocks."""

    without, most = False, 10**9

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.ranges: list[tuple[int, int]] = []

    def call(self, method: str, *params: Any) -> Any:
        if method == "eth_getLogs":
            first, last = (int(params[0][end], 16) for end in ("fromBlock", "toBlock"))
            if self.without:
                raise RpcError(method, {"code": -32601, "message": "the method eth_getLogs does not exist"})
            if last - first >= self.most:
                raise RpcError(method, {"code": -32005, "message": "query exceeds max block range"})
            self.ranges.append((first, last))
        return super().call(method, *params)


@pytest.fixture
def street(ground: Ground) -> Iterator[Street]:
    """Two quotes, one of them taken back; the chain is as it was afterwards."""
    kept = ground.anvil.rpc("evm_snapshot")
    found = Street(ground)
    for name in ("sunny", "cloudy"):
        found.join(name)
    found.quote("sunny", 2_000, PRICE)
    found.quote("cloudy", 500, PRICE)
    found.call(found.homes["cloudy"].account, "invalidate_quote", 2)
    yield found
    ground.anvil.rpc("evm_revert", kept)


@pytest.fixture
def node(street: Street) -> Asked:
    return Asked(street.ground.url)


def told(follower: Follower) -> dict[int, QuoteStatus]:
    follower.follow()
    return {number: offer.status for number, offer in follower.facts.offers.items()}


BOTH = {1: QuoteStatus.VALID, 2: QuoteStatus.INVALID}


def test_a_node_may_tell_of_few_blocks_at_once(street: Street, node: Asked) -> None:
    node.most = 3
    assert told(Follower(node, street.market)) == BOTH
    assert {last - first for first, last in node.ranges} <= {0, 1, 2}
    assert [first for first, _ in node.ranges[1:]] == [last + 1 for _, last in node.ranges[:-1]], "none left out"


def test_a_node_may_tell_of_no_logs_but_in_receipts(street: Street, node: Asked) -> None:
    node.without = True
    follower = Follower(node, street.market)
    assert told(follower) == BOTH
    street.to(Phase.MATCHING)
    street.call(street.ground.owner, "match_bids", 1)
    assert told(follower)[1] == QuoteStatus.MATCHED
    assert node.ranges == []


def test_no_answer_is_not_no_logs(street: Street, node: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = node.call
    monkeypatch.setattr(node, "call", lambda method, *rest: None if method == "eth_getLogs" else plain(method, *rest))
    follower = Follower(node, street.market)
    with pytest.raises(NodeUnusable, match="no list"):
        follower.follow()
    assert follower.head is None


def test_a_bookmark_saves_what_is_finished(street: Street, node: Asked) -> None:
    follower = Follower(node, street.market)
    told(follower)
    street.to(Phase.CLOSING)
    for function in ("match_bids", "settle_quote"):
        street.call(street.ground.owner, function, 1)
    first = street.now
    for _ in range(MARGIN + 5):
        street.ground.anvil.mine(street.now + 1)
    assert street.now > first
    told(follower)
    assert follower.facts.unfinished() == set()
    bookmark = follower.bookmark()
    assert follower.head is not None and bookmark[0] == follower.head.number - MARGIN
    again = Asked(street.ground.url)
    assert told(Follower(again, street.market, bookmark)) == {}, "all is finished"
    assert again.ranges == [(bookmark[0] + 1, follower.head.number)]
    # A bookmark of another chain is none.
    other = Asked(street.ground.url)
    assert len(told(Follower(other, street.market, [bookmark[0], "0x" + "00" * 32]))) == 2
    assert other.ranges[0][0] == street.ground.record.block.number


def test_what_is_open_is_read_again_from_before_its_beginning(street: Street, node: Asked) -> None:
    follower = Follower(node, street.market)
    told(follower)
    for _ in range(MARGIN + 5):
        street.ground.anvil.mine(street.now + 1)
    told(follower)
    assert told(Follower(node, street.market, follower.bookmark()))[1] == QuoteStatus.VALID


def test_a_reorganisation_has_all_read_anew(street: Street, node: Asked) -> None:
    follower = Follower(node, street.market)
    street.to(Phase.MATCHING)
    street.call(street.ground.owner, "match_bids", 1)
    assert told(follower)[1] == QuoteStatus.MATCHED
    assert not follower.follow() and not follower.rebuilt
    street.ground.anvil.rpc("anvil_reorg", 1, [])
    assert told(follower)[1] == QuoteStatus.VALID
    assert follower.rebuilt
    street.ground.anvil.mine(street.now + 1)
    assert follower.follow() and not follower.rebuilt


def test_a_chain_that_moves_while_it_is_read_is_read_later(
    street: Street, node: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(node, street.market)
    told(follower)
    before = follower.facts
    street.ground.anvil.mine(street.now + 1)
    plain = node.call

    def moving(method: str, *params: Any) -> Any:
        answer = plain(method, *params)
        if method == "eth_getLogs":
            street.ground.anvil.rpc("anvil_reorg", 1, [])
        return answer

    monkeypatch.setattr(node, "call", moving)
    with pytest.raises(Moved):
        follower.follow()
    assert follower.facts is before
    monkeypatch.setattr(node, "call", plain)
    assert told(follower) == BOTH
