"""Histories for a watcher to look at, and watchers: in this process, or as processes of their own."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boa
from vyper.compiler.output import build_abi_output

from tests.support.field import Ground
from tests.support.street import Street
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Node
from wattproof.chain.sending import Draft
from wattproof.chain.webhooks import Webhook
from wattproof.market.abi import Interface
from wattproof.store.database import Store
from wattproof.store.market import MarketStore
from wattproof.store.records import CallRow
from wattproof.terms.model import Phase
from wattproof.watch.alarms import Alarms
from wattproof.watch.watcher import Options, Watcher

PENNY = 10**13
"""A penny per kWh, in base units per Wh."""

CONTRACTS = Path(__file__).parents[1] / "field" / "contracts"


def trade(street: Street, quoted: int = 2_000, exported: int = 1_900, unit: int = PENNY) -> int:
    """A quote, two bids and all that follows, in the street's period; sunny sells to cloudy and misty.

    Prices are whole numbers of `unit`, by default pence.
    """
    for name in ("sunny", "cloudy", "misty"):
        if name not in street.homes:
            street.join(name)
    owner = street.ground.owner
    quote_id = street.quote("sunny", quoted, 9 * unit)
    openings = [street.bid("cloudy", quote_id, 11 * unit, 1_500), street.bid("misty", quote_id, 10 * unit, 1_000)]
    street.to(Phase.REVEALING)
    for opening in openings:
        opening()
    street.to(Phase.MATCHING)
    street.call(owner, "match_bids", quote_id)
    street.to(Phase.METERING)
    for name, out, into in (("sunny", exported, 0), ("cloudy", 0, 1_500), ("misty", 0, 700)):
        read = street.reading(name, out, into)
        street.call(owner, "submit_reading", read.user, read.period, read.exported, read.imported, read.signature)
    street.to(Phase.SETTLING)
    street.call(owner, "settle_quote", quote_id)
    street.call(owner, "settle_accounts", street.period, [home.address for home in street.homes.values()])
    street.period += 3
    return quote_id


@dataclass
class Watch:
    """A watcher of this process on a database, and what it said.

    node       through which it looks, by default the ground's own
    patience   how often it may wait
    hook       where its alarms are posted
    """

    ground: Ground
    url: str
    node: Node | None = None
    patience: int = 20
    hook: Webhook | None = None
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.market = ChainMarket(self.node or self.ground.node, self.ground.record)
        self.store: MarketStore = Store.open(self.url).market(self.ground.record)

    def run(self, until: int | None = None, **options: Any) -> int:
        """Watches until a block, by default the newest one; returns the exit code."""
        head = self.ground.node.block("latest")
        assert head is not None
        chosen = Options(until=head.number if until is None else until, **options)
        say = self.said.append
        return Watcher(self.market, self.store, chosen, Alarms(say, self.hook), say, self._waits()).run()

    def _waits(self) -> Callable[[float], bool]:
        """Nothing is waited for in these tests but what is there: a watcher that waits on and on has lost its way."""
        pauses = itertools.count(1)

        def waits(seconds: float) -> bool:
            assert seconds == 0 or next(pauses) < self.patience, self.said[-3:]
            return False

        return waits

    def calls(self) -> list[CallRow]:
        """All stored calls, in order."""
        return [call for _, calls in self.store.calls(-1, 2**62) for call in calls]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        with self.store.store.reading() as connection:
            return [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}").mappings()]

    def checks(self) -> dict[str, int]:
        """How often each invariant was checked."""
        return {row["invariant"]: row["times"] for row in self.rows("checks")}


class Relay:
    """A contract that calls the market."""

    def __init__(self, ground: Ground) -> None:
        compiled = boa.load_partial(str(CONTRACTS / "Relay.vy")).compiler_data
        self.interface = Interface(build_abi_output(compiled))
        self.ground = ground
        self.caller = ground.account("relay's caller")
        receipt = ground.do(self.caller, Draft(None, compiled.bytecode))
        assert receipt.contract is not None
        self.address = receipt.contract

    def draft(self, manner: str, *calls: bytes) -> Draft:
        """A transaction in which it makes these calls of the market: `forward` or `undo`."""
        data = self.interface.call(manner, self.ground.record.market, list(calls))
        return Draft(self.address, data, gas=5_000_000)

    def send(self, manner: str, *calls: bytes) -> None:
        """Makes them, in a block of their own."""
        self.ground.do(self.caller, self.draft(manner, *calls))


class Process:
    """A watcher as a process of its own, its output in a file of the folder."""

    def __init__(self, ground: Ground, folder: Path, db: str, *more: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        record, self._log = folder / "deployment.json", folder / "log"
        if not record.exists():
            ground.record.write(record)
        where = ("--rpc", ground.url, "--deployment", str(record), "--db", db)
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "wattproof", "watch", *where, *more], stdout=output, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it at once, wherever it is."""
        self.process.kill()
        self.process.wait(10)

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self._log.read_text()

    def code(self, seconds: float = 120) -> int:
        """Its exit code, as soon as it ends."""
        return self.process.wait(seconds)
