"""A trading day in this process whose calls, events and views are put into a store, a block for each step."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattproof.chain.record import BlockId, CodeHashes, Record
from wattproof.market.tariff import PAPER, Tariff
from wattproof.simulation.accounting import Event
from wattproof.simulation.households import DEFAULT_FILE, open_households
from wattproof.simulation.trading_day import Trading
from wattproof.simulation.venue import Call, InProcess
from wattproof.store.database import Store
from wattproof.store.records import Alarm, BlockRef, CallRow, EventRow, State, Watched

START = 1_561_075_200 - 7 * 86_400
"""Some second, well before the day."""

ALARM = Alarm("C3-MONEY-1", "the accounts hold 1 more than the market's tokens", "1. sunny deposits", "market.check()")


def hash_of(text: str) -> str:
    """A hash that stands for one of a chain."""
    return "0x" + text.encode().hex()[:64].ljust(64, "0")


class Kept(InProcess):
    """A market in this process; what is done in one step becomes a block in a store."""

    def __init__(self, store: Store, tariff: Tariff = PAPER, engine: str = "pyevm") -> None:
        super().__init__(engine, tariff, START)
        self.record = Record(
            chain_id=self.chain_id,
            genesis=hash_of("genesis"),
            block=BlockId(1, hash_of("block 1")),
            market=self.address,
            lens=str(self.market.lens.address),
            token=str(self.token.address),
            token_decimals=18,
            token_symbol="WATT",
            owner=self.owner,
            supplier=self.supplier,
            tariff=tariff,
            code=CodeHashes(*(hash_of(name) for name in ("market", "lens", "token"))),
            wattproof="test",
        )
        self.kept = store.market(self.record)
        self.number = 0
        self.quotes: dict[int, tuple[str, int]] = {}

    def play(self, calls: Sequence[Call]) -> Iterator[list[Event]]:
        """Makes the calls, and puts them into the store once all are made."""
        rows: list[CallRow] = []
        events: list[EventRow] = []
        for call, said in zip(calls, super().play(calls), strict=True):
            if not call.of_token:
                self._take_down(call, said, rows, events)
            yield said
        self.block(rows, events)

    def _take_down(self, call: Call, said: list[Event], rows: list[CallRow], events: list[EventRow]) -> None:
        place = len(rows)
        transaction = hash_of(f"transaction {self.number + 1} {place}")
        names = self._calls._functions[call.function][1].names
        arguments = dict(zip(names, call.arguments, strict=True))
        rows.append(
            CallRow(
                place, transaction, call.sender, call.sender, call.function, arguments, True, None, None, "transaction"
            )
        )
        for name, fields in said:
            events.append(EventRow(len(events), transaction, place, name, fields))
            if name == "QuoteSubmitted":
                self.quotes[fields["quote_id"]] = fields["prosumer"], fields["period"]

    def block(
        self, calls: Sequence[CallRow] = (), events: Sequence[EventRow] = (), alarms: Sequence[Alarm] = ()
    ) -> BlockRef:
        """Puts a block into the store, with what the views tell of what it touched."""
        cursor = self.kept.cursor()
        self.number = 1 if cursor is None else cursor.number + 1
        parent = hash_of("block 0") if cursor is None else cursor.hash
        block = BlockRef(self.number, hash_of(f"block {self.number}"), parent, self.now)
        checks = {"C3-MONEY-1": 1, "C4-TIER-1": len(calls)} if calls else {"C3-MONEY-1": 1}
        state = self._state(calls, events)
        self.kept.append(Watched(block, calls, events, state, alarms, checks), block)
        return block

    def _state(self, calls: Sequence[CallRow], events: Sequence[EventRow]) -> State:
        users = {call.sender for call in calls} | {self.owner, self.supplier}
        places: set[tuple[str, int]] = set()
        for event in events:
            named = [
                event.fields[name]
                for name in ("user", "buyer", "bidder", "prosumer", "account")
                if name in event.fields
            ]
            users.update(named)
            prosumer, period = self.quotes.get(event.fields.get("quote_id", 0), (None, event.fields.get("period")))
            users.update(filter(None, [prosumer]))
            if period is not None:
                places.update((user, period) for user in (*named, prosumer) if user)
        who, where = sorted(users), sorted(places)
        return State(
            accounts=dict(zip(who, self.views("account", [(user,) for user in who]), strict=True)),
            positions=dict(zip(where, self.views("position", where), strict=True)),
        )


@dataclass
class Day:
    """A day that was played into a store."""

    url: str
    record: Record
    venue: Kept
    day: Trading
    names: dict[str, str]


def play(folder: Path, periods: range = range(24, 28), engine: str = "pyevm", url: str | None = None) -> Day:
    """Plays some half-hours of the default day into a database in `folder`."""
    source = folder / "households.csv"
    with DEFAULT_FILE.open() as default, source.open("w", newline="") as file:
        rows = csv.DictReader(default)
        writer = csv.DictWriter(file, rows.fieldnames or ())
        writer.writeheader()
        writer.writerows(
            row | {"period": int(row["period"]) - periods.start} for row in rows if int(row["period"]) in periods
        )
    url = url or f"sqlite:///{folder}/market.db"
    venue = Kept(Store.open(url), engine=engine)
    day = Trading(open_households(source, seed=1), venue, 1)
    for _ in day:
        pass
    names = {member.address: name for name, member in day.members.items()}
    return Day(url, venue.record, venue, day, names)
