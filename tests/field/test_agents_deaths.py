"""An agent that dies at each single step, before and after: each question to the node, each change of the journal."""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.field import Ground
from tests.support.street import Street
from wattproof.agents.agent import ChainAgent
from wattproof.agents.following import Moved
from wattproof.agents.household.daemon import Household
from wattproof.agents.household.meters import OfKey
from wattproof.agents.household.tables import Table, read_forecasts, read_measured
from wattproof.agents.journal import Journal
from wattproof.agents.notices import Notices
from wattproof.agents.operator.daemon import Operator
from wattproof.agents.readings import SignedReading, Spool, queue
from wattproof.chain.market import ChainMarket, NotTheMarket
from wattproof.chain.node import BlockGone, Node, NodeUnusable, RpcError
from wattproof.terms.model import Phase, QuoteStatus

PRICE = 9 * 10**13

EACH = 1 if os.environ.get("WATTPROOF_KILLS") else 11
"""Of how many steps one is tried; `make field` tries them all."""


class Dead(BaseException):
    """The agent's process ends here."""


class Fate:
    """Counts steps, and ends the agent at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def step(self) -> None:
        """Before something is done, and after it."""
        self.count += 1
        if self.count == self.at:
            raise Dead


class DyingNode(Node):
    """A node that is asked by an agent that may die before the question is sent, or before the answer is read."""

    fate: Fate

    def _asked(self, body: Any, methods: Sequence[str]) -> Any:
        self.fate.step()
        answer = super()._asked(body, methods)
        self.fate.step()
        return answer


class DyingJournal(Journal):
    """A journal of an agent that may die before or after a change is written."""

    fate: Fate

    @contextlib.contextmanager
    def change(self) -> Iterator[Any]:
        outermost = not self._base.in_transaction
        with super().change() as base:
            yield base
            if outermost:
                self.fate.step()
        if outermost:
            self.fate.step()


class FaultyNode(Node):
    """A node that now and then does not answer, refuses, or answers with nothing."""

    random: random.Random

    def _asked(self, body: Any, methods: Sequence[str]) -> Any:
        match self.random.randrange(24):
            case 0:
                raise NodeUnusable("127.0.0.1 does not answer within 30 s")
            case 1:
                answer = super()._asked(body, methods)
                raise NodeUnusable(f"127.0.0.1 broke off in the middle of {len(str(answer))} letters")
            case 2:
                refusal = {"jsonrpc": "2.0", "error": {"code": -32603, "message": "internal error"}}
                each = [refusal | {"id": one["id"]} for one in (body if isinstance(body, list) else [body])]
                return each if isinstance(body, list) else each[0]
            case 3:
                answer = super()._asked(body, methods)
                for one in answer if isinstance(answer, list) else [answer]:
                    one["result"] = None
                    one.pop("error", None)
                return answer
        return super()._asked(body, methods)


Make = Callable[[ChainMarket, Journal], ChainAgent]


class Lives:
    """An agent that dies at most once, and is started again from what is on the disk."""

    def __init__(self, street: Street, folder: Path, fate: Fate, make: Make) -> None:
        self.street, self.folder, self.fate, self._make = street, folder, fate, make
        self.journal: Journal | None = None
        self.agent: ChainAgent | None = None
        self.faults: random.Random | None = None

    def _born(self) -> ChainAgent:
        if self.faults is not None:
            node: Node = FaultyNode(self.street.ground.url)
            node.random = self.faults  # type: ignore[attr-defined]
        else:
            node = DyingNode(self.street.ground.url)
            node.fate = self.fate
        DyingJournal.fate = self.fate
        self.journal = DyingJournal(self.folder, "a test")
        self.agent = self._make(ChainMarket(node, self.street.ground.record), self.journal)
        return self.agent

    def act(self) -> None:
        """Lets it act, and has blocks made of what it sends, until it has nothing left to do."""
        for _ in range(500):
            done = False
            try:
                done = (self.agent or self._born()).tick()
            except Dead:
                self.close()
                continue
            except (NodeUnusable, RpcError, BlockGone, Moved, NotTheMarket):
                if self.agent is not None:
                    self.agent.lost()
            if not self.street.mined() and done:
                return
        raise AssertionError("it does not come to an end")

    def close(self) -> None:
        """The process is over."""
        if self.journal is not None:
            self.journal.close()
        self.journal = self.agent = None


def each_death(street: Street, tmp_path: Path, make: Make, script: Callable[[Lives], None]) -> Iterator[None]:
    """Plays a script from the same state of the chain again and again, the agent dying one step later each time."""
    at = 1
    while True:
        kept = street.ground.anvil.rpc("evm_snapshot")
        fate = Fate(at)
        lives = Lives(street, tmp_path / f"state{at}", fate, make)
        script(lives)
        yield
        lives.close()
        street.ground.anvil.rpc("evm_revert", kept)
        if fate.count < at:
            assert at > 30, "it did die in between"
            return
        at += EACH


@pytest.fixture
def street(ground: Ground) -> Street:
    found = Street(ground)
    for name in ("sunny", "cloudy", "misty"):
        if ground.market.view("account", ground.account(name).address).capacity == 0:
            found.join(name)
    return found


@pytest.fixture(autouse=True)
def as_it_was(ground: Ground) -> Iterator[None]:
    """Each test leaves the chain as it was."""
    kept = ground.anvil.rpc("evm_snapshot")
    yield
    ground.anvil.rpc("evm_revert", kept)


def nothing(_: str) -> None:
    """Says nothing."""


def prepared(street: Street) -> tuple[list[int], list[SignedReading]]:
    """Two quotes, an opened bid on one of them, and the readings to come."""
    quotes = [street.quote("sunny", 2_000, PRICE), street.quote("cloudy", 500, PRICE)]
    open_ = street.bid("misty", quotes[0], PRICE, 1_000)
    street.to(Phase.REVEALING)
    open_()
    readings = [street.reading(name, *counted) for name, counted in (("sunny", (1_900, 0)), ("misty", (0, 1_000)))]
    return quotes, readings


def operating(street: Street, readings: list[SignedReading]) -> tuple[Make, Callable[[Lives], None]]:
    """The operator, and its half-hour from MATCHING on."""

    def make(market: ChainMarket, journal: Journal) -> ChainAgent:
        (journal.folder / "spool").mkdir(exist_ok=True)
        spool = Spool(journal.folder / "spool", market.record.chain_id, market.address)
        return Operator(market, street.ground.owner, journal, spool, Notices(nothing), nothing)

    def script(lives: Lives) -> None:
        for one in readings:
            queue(lives.folder / "spool", one)
        for phase in (Phase.MATCHING, Phase.METERING, Phase.SETTLING):
            street.to(phase)
            lives.act()

    return make, script


def check(street: Street, quotes: list[int], before: int) -> None:
    """Everything was done, and nothing twice."""
    assert [street.status(quote) for quote in quotes] == [QuoteStatus.SETTLED] * 2
    assert street.read("sunny") and street.read("misty")
    assert street.position("sunny").settled and street.position("misty").settled
    made = Counter(function for function, *_ in street.calls()[before:])
    assert made == {"match_bids": 2, "submit_readings": 1, "settle_quote": 2, "settle_accounts": 1}


def test_an_operator_may_die_at_any_step(street: Street, tmp_path: Path) -> None:
    quotes, readings = prepared(street)
    make, script = operating(street, readings)
    before = len(street.calls())
    for _ in each_death(street, tmp_path, make, script):
        check(street, quotes, before)


@pytest.mark.parametrize("seed", range(10 if EACH == 1 else 3))
def test_a_node_may_answer_late_with_nothing_or_with_an_error(street: Street, tmp_path: Path, seed: int) -> None:
    quotes, readings = prepared(street)
    make, script = operating(street, readings)
    before = len(street.calls())
    lives = Lives(street, tmp_path / "state", Fate(0), make)
    lives.faults = random.Random(seed)
    script(lives)
    lives.close()
    check(street, quotes, before)


def bidding(street: Street, folder: Path) -> tuple[Make, Callable[[Lives], None], int]:
    """A household that has tokens, but little of them in the market: it has to approve and deposit before it can open;
    its time from one window before REVEALING on; and the quote that it bids on."""
    home, ground = street.homes["misty"], street.ground
    quote = street.quote("sunny", 2_000, PRICE)
    street.call(home.account, "withdraw", ground.market.view("account", home.address).balance - 10**15)
    forecasts = folder / "forecasts.csv"
    forecasts.write_text(f"period,forecast_load_wh,forecast_pv_wh\n{street.period},900,0\n")
    measured = folder / "measured.csv"
    measured.write_text("period,exported_wh,imported_wh\n")

    def make(market: ChainMarket, journal: Journal) -> ChainAgent:
        table = Table(forecasts, street.clock.period_length, read_forecasts)
        counted = Table(measured, street.clock.period_length, read_measured)
        meter = OfKey(home.account, ground.record.chain_id, market.address, home.address, counted)
        meter._device = home.meter  # type: ignore[assignment]
        return Household(market, home.account, journal, meter, table, Notices(nothing), nothing, keep=10**18)

    def script(lives: Lives) -> None:
        reveal = street.clock.begins(Phase.REVEALING, street.period)
        for second in (reveal - street.clock.window, reveal):
            ground.anvil.mine(second)
            lives.act()

    return make, script, quote


def check_bid(street: Street, quote: int, before: int) -> None:
    """One deposit, one bid, opened once."""
    made = Counter(function for function, *_ in street.calls()[before:])
    assert made == {"deposit": 1, "submit_bid": 1, "reveal_bid": 1}
    assert street.market.view("bid", quote, street.homes["misty"].address).volume == 900


def test_a_household_may_die_at_any_step(street: Street, tmp_path: Path) -> None:
    make, script, quote = bidding(street, tmp_path)
    before = len(street.calls())
    for _ in each_death(street, tmp_path, make, script):
        check_bid(street, quote, before)


@pytest.mark.parametrize("seed", range(10 if EACH == 1 else 3))
def test_a_household_bears_such_a_node_too(street: Street, tmp_path: Path, seed: int) -> None:
    make, script, quote = bidding(street, tmp_path)
    before = len(street.calls())
    lives = Lives(street, tmp_path / "state", Fate(0), make)
    lives.faults = random.Random(seed)
    script(lives)
    lives.close()
    check_bid(street, quote, before)
