"""How fast the store takes blocks in, and how much room they take: a community's half-hours, played on the model.

    python tools/measure_store.py sqlite:////tmp/measured.db --households 140 --periods 6
    python tools/measure_store.py postgresql://user@host/empty

The database has to be a new one. Half of the households sell, all of them lack energy now and then. The seconds are
those of the processor, in this process: on a machine that does nothing else, they are the seconds of a clock, too.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

from sqlalchemy import text

from tests.support.modelled import Half, ModelVenue, record
from wattproof.simulation.trading_day import Trading
from wattproof.store.database import Store
from wattproof.store.records import Watched


def played(households: int, periods: int) -> list[Watched]:
    """The blocks of a community: each kind of call of a half-hour is one block."""
    draw, blocks = random.Random(1), list[Watched]()
    names = [f"household {number}" for number in range(households)]
    rows = [
        {name: (draw.randrange(100, 900), draw.randrange(500, 3_000) * (at % 2)) for at, name in enumerate(names)}
        for _ in range(periods)
    ]
    for _ in Trading(Half(rows), ModelVenue(blocks.append)):
        pass
    return blocks


def size_of(store: Store, url: str) -> int:
    """Bytes of a database on the disk, without what is there for undo only."""
    with store.reading() as connection:
        if store.kind == "sqlite":
            undo = connection.execute(text("SELECT coalesce(sum(length(rows)), 0) FROM undo")).scalar_one()
            return Path(url.removeprefix("sqlite:///")).stat().st_size - undo
        tables = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname <> 'undo'"
        mine = f"{tables} AND relnamespace = 'public'::regnamespace"
        return int(connection.execute(text(mine)).scalar_one())


def main() -> None:
    """Measures, and prints."""
    arguments = argparse.ArgumentParser(description="how fast the store takes blocks in")
    arguments.add_argument("url", help="of a new database")
    arguments.add_argument("--households", type=int, default=140)
    arguments.add_argument("--periods", type=int, default=6)
    options = arguments.parse_args()
    blocks = played(options.households, options.periods)
    calls, events = (sum(len(getattr(each, name)) for each in blocks) for name in ("calls", "events"))
    store = Store.open(options.url)
    market = store.market(record())
    if market.cursor() is not None:
        raise SystemExit("this database was used before: name a new one")
    clock, processor = time.perf_counter(), time.process_time()
    for watched in blocks:
        market.append(watched, watched.block)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    store.close()
    store = Store.open(options.url)
    size, served = size_of(store, options.url), options.households * options.periods
    print(f"{len(blocks)} blocks, {calls:,} calls, {events:,} events of {options.households} households")
    print(f"{clock:.2f} s, {processor:.2f} s of the processor: {calls / processor:,.0f} calls a second")
    print(f"{size:,} bytes: {size / calls:,.0f} a call, {size / served:,.0f} for a household's half-hour")


if __name__ == "__main__":
    main()
