"""A trading day on the model, put into a store as a watcher would, and what the day's own books say of it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.modelled import ModelVenue, hash_of, record
from wattproof.chain.record import Record
from wattproof.simulation.households import DEFAULT_FILE, open_households
from wattproof.simulation.trading_day import Trading
from wattproof.store.database import Store
from wattproof.store.market import MarketStore
from wattproof.store.records import Alarm, BlockRef, Watched

START = 1_561_075_200
"""Midnight before the day: 2019-06-21, in London's winter time."""

ALARM = Alarm("C3-MONEY-1", "the accounts hold 1 more than the market's tokens", "1. sunny deposits", "market.check()")


@dataclass
class Day:
    """A day that was played into a database in `folder`; `names` are the households' by address."""

    folder: Path
    url: str
    record: Record
    kept: MarketStore
    venue: ModelVenue
    day: Trading
    names: dict[str, str]

    def add_block(self, alarms: Sequence[Alarm] = ()) -> BlockRef:
        """Puts one more block into the store, in which nothing happened but alarms."""
        before = self.kept.cursor()
        assert before is not None
        number = before.number + 1
        block = BlockRef(number, hash_of(f"block {number}"), before.hash, before.timestamp)
        self.kept.append(Watched(block, alarms=alarms, checks={"C1-MONEY-1": 1}), block)
        return block


def play(folder: Path, periods: range = range(48), url: str | None = None) -> Day:
    """Plays some half-hours of the default day; `url` is the database, by default one in `folder`."""
    source = folder / "households.csv"
    with DEFAULT_FILE.open() as default, source.open("w", newline="") as file:
        rows = csv.DictReader(default)
        writer = csv.DictWriter(file, rows.fieldnames or ())
        writer.writeheader()
        chosen = (row for row in rows if int(row["period"]) in periods)
        writer.writerows(row | {"period": int(row["period"]) - periods.start} for row in chosen)
    url = url or f"sqlite:///{folder}/market.db"
    deployed = record()
    market = Store.open(url).market(deployed)
    venue = ModelVenue(lambda watched: market.append(watched, watched.block), START + periods.start * 1800 - 7200)
    day = Trading(open_households(source, seed=1), venue, 1)
    for _ in day:
        pass
    names = {member.address: name for name, member in day.members.items()}
    return Day(folder, url, deployed, market, venue, day, names)
