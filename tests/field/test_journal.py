"""What was signed is on disk, sent as it is, offered more where it is stuck; a node that is away is borne."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.field import Ground
from tests.support.street import Street
from wattproof.agents.journal import LIVE, MINED, Attempt, BadJournal, Held, Journal
from wattproof.agents.notices import Notices
from wattproof.agents.operator.daemon import Operator
from wattproof.agents.outbox import STUCK
from wattproof.agents.running import run
from wattproof.chain.market import NotTheMarket
from wattproof.chain.node import BlockGone, NodeUnusable, Reverted, RpcError
from wattproof.chain.sending import Draft, Fees, Refused
from wattproof.terms.model import Phase, QuoteStatus

PRICE = 9 * 10**13

CALL = {"to": None, "data": "", "value": 0, "gas": 21_000, "tip": 1}


def attempt(hash_: str, fee: int = 1) -> Attempt:
    return Attempt(hash_, b"raw", CALL, fee, 5)


# ---- the journal -------------------------------------------------------------------------


def test_what_is_begun_is_there_after_a_restart(tmp_path: Path) -> None:
    with Journal(tmp_path / "state", "mine") as journal:
        journal.begin(["match 1"], "match quote 1", 3, attempt("0xa", 10))
        (intent,) = journal.live()
        journal.replace(intent, attempt("0xb", 20))
    with Journal(tmp_path / "state", "mine") as journal:
        (intent,) = journal.live()
        assert (intent.keys, intent.nonce, intent.state) == (("match 1",), 3, LIVE)
        assert [each.hash for each in intent.attempts] == ["0xa", "0xb"], "the last one offers the most"
        journal.mark(intent, MINED, (9, "0xblock"))
        assert journal.live() == []
        assert [each.block for each in journal.ended_from(100, 9)] == [(9, "0xblock")]
        assert journal.ended_from(100, 10) == []


def test_changes_come_true_together_or_not_at_all(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    with Journal(tmp_path, "mine") as journal:
        with pytest.raises(Killed), journal.change():
            journal.begin(["a"], "a", 1, attempt("0xa"))
            journal.note("n", 1)
            raise Killed
        assert journal.live() == [] and journal.noted("n") is None


def test_a_journal_is_one_agents_of_one_market(tmp_path: Path) -> None:
    with Journal(tmp_path, "mine"), pytest.raises(Held, match="another agent"):
        Journal(tmp_path, "mine")
    with pytest.raises(BadJournal, match="of another market or account"):
        Journal(tmp_path, "yours")
    with Journal(tmp_path, "mine"):
        pass


def test_a_journal_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_text("no database, by no means: " + "x" * 5_000)
    with pytest.raises(BadJournal, match="--state"):
        Journal(tmp_path, "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadJournal, match="--state"):
        Journal(tmp_path / "file" / "state", "mine")


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "state", "mine"):
        for path in (tmp_path / "state").glob("journal*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


# ---- sending -----------------------------------------------------------------------------


@pytest.fixture
def street(ground: Ground) -> Iterator[Street]:
    """A quote in MATCHING; the chain is as it was afterwards."""
    kept = ground.anvil.rpc("evm_snapshot")
    found = Street(ground)
    found.join("sunny")
    found.quote("sunny", 2_000, PRICE)
    found.to(Phase.MATCHING)
    yield found
    ground.anvil.rpc("evm_revert", kept)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def operator(street: Street, tmp_path: Path, lines: list[str]) -> Iterator[Operator]:
    ground = street.ground
    with Journal(tmp_path / "state", "a test") as journal:
        yield Operator(ground.market, ground.owner, journal, None, Notices(lines.append), lines.append)


def test_what_is_stuck_is_signed_again_with_its_nonce(
    street: Street, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("wattproof.agents.outbox.Fees.now", lambda node: Fees(7, 7))
        operator.tick()
    (intent,) = operator.journal.live()
    for _ in range(STUCK):
        street.ground.anvil.mine(street.now + 1)
        operator.tick()
    (again,) = operator.journal.live()
    assert again.nonce == intent.nonce and len(again.attempts) == 2
    assert again.attempts[0] == intent.attempts[0]
    street.ground.anvil.mine(street.now + 1)
    operator.tick()
    assert street.status(1) == QuoteStatus.MATCHED and operator.journal.live() == []


def test_what_the_node_lost_is_sent_as_it_is(street: Street, operator: Operator) -> None:
    operator.tick()
    (intent,) = operator.journal.live()
    street.ground.anvil.rpc("anvil_dropAllTransactions")
    street.ground.anvil.mine(street.now + 1)
    assert street.status(1) == QuoteStatus.VALID
    operator.tick()
    street.ground.anvil.mine(street.now + 1)
    operator.tick()
    assert street.status(1) == QuoteStatus.MATCHED
    (ended,) = operator.journal.with_key("match 1")
    assert ended.attempts == intent.attempts and ended.state == MINED


def test_a_nonce_that_was_lost_is_used_up(street: Street, operator: Operator) -> None:
    operator.tick()
    (intent,) = operator.journal.live()
    street.ground.anvil.rpc("anvil_dropAllTransactions")
    # The one before it was another program's, and has vanished.
    draft = Draft(street.market.address, street.market.data("match_bids", 1), gas=300_000)
    later = operator.outbox._signed(draft, intent.nonce + 1, Fees(10**10, 10**9), operator.head)
    operator.journal.replace(intent, later)
    with operator.journal.change() as base:
        base.execute("UPDATE intents SET nonce = nonce + 1")
        base.execute("DELETE FROM signed WHERE hash = ?", (intent.attempts[0].hash,))
    for _ in range(STUCK + 3):
        street.ground.anvil.mine(street.now + 1)
        operator.tick()
    assert street.status(1) == QuoteStatus.MATCHED and operator.journal.live() == []


def test_who_has_no_money_for_gas_is_told_and_sends_nothing(
    street: Street, operator: Operator, lines: list[str]
) -> None:
    owner = street.ground.owner.address
    street.ground.anvil.endow(owner, 10**10)
    for _ in range(2):
        street.ground.anvil.mine(street.now + 1)
        operator.tick()
    assert operator.journal.live() == []
    assert [line for line in lines if "too little money" in line and owner in line] == lines[:1]
    assert "can pay for no call" in lines[1] and len(lines) == 2, "each once"
    street.ground.anvil.endow(owner, 10**20)
    street.ground.anvil.mine(street.now + 1)
    operator.tick()
    street.ground.anvil.mine(street.now + 1)
    assert street.status(1) == QuoteStatus.MATCHED


def test_who_was_slower_is_not_worried(street: Street, operator: Operator, lines: list[str]) -> None:
    operator.follower.follow()
    street.call(street.homes["sunny"].account, "match_bids", 1)
    operator.tick()
    assert operator.journal.live() == [] and lines == []


def test_what_fails_in_its_block_is_tried_less_and_less_often(
    street: Street, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The play says yes and the block no, time after time.
    draft = operator.outbox.draft
    monkeypatch.setattr(operator.outbox, "draft", lambda call, gas=None: draft(call, gas and 40_000))
    for _ in range(40):
        operator.tick()
        street.ground.anvil.mine(street.now + 1)
    assert street.status(1) == QuoteStatus.VALID
    tried = [intent.block[0] for intent in operator.journal.with_key("match 1") if intent.block]
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert pauses == sorted(pauses) and len(tried) == 5, tried


# ---- running -----------------------------------------------------------------------------


class Script:
    """An agent that does what it is told, tick by tick."""

    def __init__(self, *ticks: bool | Exception) -> None:
        self.ticks, self.losses = list(ticks), 0

    def tick(self) -> bool:
        one = self.ticks.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    def lost(self) -> None:
        self.losses += 1


def test_a_node_that_is_away_is_told_of_once_and_asked_less_and_less_often() -> None:
    lines: list[str] = []
    pauses: list[float] = []
    away = NodeUnusable("127.0.0.1 cannot be asked")
    agent = Script(False, away, away, away, False, True)
    assert run(agent, Notices(lines.append), 2, True, sleep=pauses.append) == 0
    assert pauses == [2, 4, 8, 16, 2]
    assert lines == ["127.0.0.1 cannot be asked; it is asked again and again", "the node answers again"]
    assert agent.losses == 3, "the chain is looked at anew"


@pytest.mark.parametrize("odd", [RpcError("eth_call", "later"), Reverted(b""), Refused("no"), BlockGone("gone")])
def test_whatever_a_node_says_it_is_asked_again(odd: Exception) -> None:
    lines: list[str] = []
    assert run(Script(odd, True), Notices(lines.append), 2, True, sleep=lambda _: None) == 0
    assert len(lines) == 2


def test_another_chain_ends_a_start_and_is_waited_out_later() -> None:
    lines: list[str] = []
    with pytest.raises(NotTheMarket):
        run(Script(NotTheMarket("another chain")), Notices(lines.append), 2, False)
    agent = Script(False, NotTheMarket("another chain"), True)
    assert run(agent, Notices(lines.append), 2, True, sleep=lambda _: None) == 0
    assert lines[0].startswith("another chain")


def test_once_has_an_end() -> None:
    lines: list[str] = []
    agent = Script(*[False] * 100)
    assert run(agent, Notices(lines.append), 0.01, True, patience=0.02) == 1
    assert "run it again" in lines[-1]
