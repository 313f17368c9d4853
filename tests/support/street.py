"""A few households on a market of one's own, and agents as real processes beside them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from tests.support.field import Ground
from wattproof.agents.readings import SignedReading
from wattproof.chain.accounts import Account
from wattproof.chain.sending import Refused
from wattproof.market.clock import Clock
from wattproof.market.meters import Meter
from wattproof.market.seals import seal_of
from wattproof.terms.model import Phase, QuoteStatus

LIMIT = 60
"""Seconds that a condition may take to come true."""

FLOAT = 10**20
"""Base units that a household deposits."""


@dataclass
class Home:
    """A household: its account, its meter."""

    account: Account
    meter: Meter

    @property
    def address(self) -> str:
        return self.account.address


@dataclass
class Street:
    """Households of a market, in the period `period`; blocks are made here only."""

    ground: Ground
    homes: dict[str, Home] = field(default_factory=dict)
    meanwhile: Callable[[], object] = lambda: None
    """What is done again and again while something is waited for."""

    def __post_init__(self) -> None:
        tariff = self.ground.record.tariff
        self.clock = Clock(tariff.period_length, tariff.window)
        self.market = self.ground.market
        self.period = self.now // self.clock.period_length + 2

    @property
    def now(self) -> int:
        """The time of the newest block."""
        block = self.ground.node.block("latest")
        assert block is not None
        return block.timestamp

    def to(self, phase: Phase, period: int | None = None) -> None:
        """Makes a block at the beginning of a phase, with what waits."""
        self.ground.anvil.mine(self.clock.begins(phase, self.period if period is None else period))

    def call(self, who: Account, function: str, *arguments: Any) -> Any:
        """A call in a block of its own. Raises Refused."""
        return self.ground.do(who, self.market.draft(function, *arguments))

    def join(self, name: str, capacity: int = 11_500, money: int = FLOAT) -> Home:
        """A household is registered, authorised, and has so much money in the market."""
        home = self.homes[name] = Home(self.ground.account(name), Meter(name))
        profile = keccak(text=name)
        signature = home.meter.sign_pairing(self.market.address, home.address, profile, self.ground.record.chain_id)
        self.call(home.account, "register", profile, home.meter.address, signature)
        self.call(self.ground.owner, "authorize", home.address, capacity)
        if money:
            self.deposit(home.account, money)
        return home

    def deposit(self, account: Account, money: int) -> None:
        """Ether becomes credit, and credit money in the market."""
        self.ground.anvil.endow(account.address, 10**19 + money)
        token = self.market.token
        self.ground.do(account, token.draft("mint", value=money))
        self.ground.do(account, token.draft("approve", self.market.address, money))
        self.call(account, "deposit", money)

    def quote(self, name: str, volume: int, price: int, period: int | None = None) -> int:
        """A quote; returns its number."""
        self.call(self.homes[name].account, "submit_quote", self.period if period is None else period, volume, price)
        return self.market.view("quote_count")

    def bid(self, name: str, quote_id: int, price: int, volume: int) -> Callable[[], None]:
        """A sealed bid; returns what opens it."""
        home, salt = self.homes[name], keccak(text=f"salt {name} {quote_id}")
        content = (quote_id, home.address, price, volume, salt)
        seal = seal_of(self.ground.record.chain_id, self.market.address, *content)
        self.call(home.account, "submit_bid", quote_id, seal)
        return lambda: self.call(home.account, "reveal_bid", quote_id, price, volume, salt)

    def reading(self, name: str, exported: int, imported: int, period: int | None = None) -> SignedReading:
        """What a household's meter reports."""
        home, chain = self.homes[name], self.ground.record.chain_id
        at = self.period if period is None else period
        signature = home.meter.sign_reading(self.market.address, home.address, at, exported, imported, chain)
        return SignedReading(chain, self.market.address, home.address, at, exported, imported, signature)

    def status(self, quote_id: int) -> QuoteStatus:
        """The status of a quote."""
        return QuoteStatus(self.market.view("quote", quote_id).status)

    def position(self, name: str, period: int | None = None) -> Any:
        """The position of a household."""
        return self.market.view("position", self.homes[name].address, self.period if period is None else period)

    def read(self, name: str, period: int | None = None) -> bool:
        """Whether a household's reading is on the chain."""
        at = self.period if period is None else period
        return self.market.view("reading", self.homes[name].address, at).present

    def until(self, condition: Callable[[], bool], seconds: float = LIMIT) -> None:
        """Makes a block of whatever waits, second by second, until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come true in time"
            self.meanwhile()
            if not self.mined():
                time.sleep(0.02)

    def settle_down(self, *agents: Process | Kills, seconds: float = LIMIT) -> None:
        """Makes blocks of what waits, until these agents have nothing left to do at the newest one."""

        def quiet() -> bool:
            ended = [agent.said for agent in agents if agent.ended()]
            assert not ended, ended
            newest = self.ground.node.block("latest")
            assert newest is not None
            return all(agent.notes().get("quiet") == newest.number for agent in agents)

        self.until(quiet, seconds)

    def mined(self) -> bool:
        """Makes a block of what waits, if anything does."""
        waits = int(self.ground.anvil.rpc("txpool_status")["pending"], 16) > 0
        if waits:
            self.ground.anvil.mine(self.now + 1)
        return waits

    def calls(self) -> list[tuple[str, tuple[Any, ...], str, bool]]:
        """All calls of the market so far: function, arguments, sender, and whether they did what they should."""
        return [call[:4] for call in self.timed_calls()]

    def timed_calls(self) -> list[tuple[str, tuple[Any, ...], str, bool, int]]:
        """All calls of the market so far, as above, and the second of each."""
        node, found = self.ground.node, []
        newest = node.block("latest")
        assert newest is not None
        for number in range(newest.number + 1):
            block = node.block(number, full=True)
            assert block is not None
            for sent, receipt in zip(block.transactions, node.receipts(block), strict=True):
                assert not isinstance(sent, str)
                if sent.to == self.market.address and (call := self.market.decode_call(sent.data)):
                    found.append((*call, sent.sender, receipt.status, block.timestamp))
        return found

    def refused(self, call: Callable[[], object]) -> str:
        """The reason for which the chain refuses a call."""
        try:
            call()
        except Refused as refused:
            return refused.reason
        raise AssertionError("it was not refused")


class Process:
    """An agent as a process of its own, its output in a file."""

    def __init__(self, folder: Path, seed: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        """`seed` is that of its account; its state is in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.log, self._state = folder / "log", folder / "state"
        key = keccak(text=f"wattproof simulation {seed}").hex()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "wattproof", *arguments, "--state", str(self._state)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"WATTPROOF_KEY": key} | (environment or {}),
            )

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self.log.read_text()

    @property
    def lines(self) -> list[str]:
        return self.said.splitlines()

    def notes(self) -> dict[str, Any]:
        """What its journal has noted."""
        path = self._state / "journal.sqlite"
        if not path.exists():
            return {}
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as base:
            try:
                return {name: json.loads(value) for name, value in base.execute("SELECT name, value FROM notes")}
            except sqlite3.OperationalError:  # It is being made.
                return {}

    def kill(self) -> None:
        """Ends it at once, wherever it is."""
        self.process.kill()
        self.process.wait(10)

    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def code(self, seconds: float = LIMIT) -> int:
        """Its exit code, as soon as it ends."""
        return self.process.wait(seconds)


class Kills:
    """An agent that is killed at random moments, and started again."""

    def __init__(self, start: Callable[[], Process], seed: str) -> None:
        """`seed` decides the moments."""
        self._start, self._random = start, random.Random(seed)
        self.agent, self.left, self.done = start(), 0, 0
        self._at = 0.0

    def allow(self, kills: int) -> None:
        """So many times, from now on: the first time it runs, as a rule, the other times it may just be starting."""
        self.left = kills
        self._at = time.monotonic() + self._random.uniform(0, 0.7)

    def __call__(self) -> None:
        """Kills it, if its time has come."""
        if self.left and time.monotonic() > self._at:
            self.agent.kill()
            self.agent = self._start()
            self.left, self.done = self.left - 1, self.done + 1
            self._at = time.monotonic() + self._random.uniform(0.5, 3)

    @property
    def said(self) -> str:
        return self.agent.said

    def notes(self) -> dict[str, Any]:
        return self.agent.notes()

    def ended(self) -> bool:
        return self.agent.ended()

    def kill(self) -> None:
        self.agent.kill()


@contextlib.contextmanager
def running(*processes: Process | Kills) -> Iterator[None]:
    """Ends the processes with the block."""
    try:
        yield
    finally:
        for each in processes:
            each.kill()
