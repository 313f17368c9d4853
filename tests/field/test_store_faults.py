"""What a store must survive: kill -9 at any moment, two watchers at once, a full disk, a connection that is cut."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError

from tests.support.histories import History, told
from wattproof.store.database import Store
from wattproof.store.dump import dump
from wattproof.store.problems import Conflict, StoreFull, StoreUnusable
from wattproof.store.problems import told as problems_told
from wattproof.store.records import Watched

KILLS = int(os.environ.get("WATTPROOF_STORE_KILLS", "10"))
"""Times that a watcher is killed; `WATTPROOF_STORE_KILLS=500` for a long run."""

FORK = multiprocessing.get_context("fork")  # What is imported need not be imported again.


def history(seed: int, length: int) -> list[Watched]:
    made = History(seed)
    made.grow(length - 1)
    return made.blocks


def follow(url: str, blocks: list[Watched]) -> None:
    """What a watcher does: goes on from the cursor, whoever wrote it."""
    store = Store.open(url)
    market = store.market(told())
    while (cursor := market.cursor()) is None or cursor.number < len(blocks):
        try:
            watched = blocks[cursor.number if cursor else 0]
            market.append(watched, blocks[-1].block)
        except Conflict:
            continue
    store.close()


def rows(url: str) -> list[tuple[Any, ...]]:
    store = Store.open(url)
    found = list(dump(store))
    store.close()
    return found


def undisturbed(path: Path, blocks: list[Watched]) -> list[tuple[Any, ...]]:
    url = f"sqlite:///{path / 'undisturbed.db'}"
    follow(url, blocks)
    return rows(url)


def start(work: Callable[..., None], *arguments: Any) -> ForkProcess:
    process = FORK.Process(target=work, args=arguments)
    process.start()
    return process


def test_a_watcher_that_is_killed_at_any_moment_leaves_nothing_undone_or_half_done(
    database: str, tmp_path: Path
) -> None:
    blocks, choose = history(1, 150), random.Random(1)
    Store.open(database).close()
    killed = 0
    for _ in range(KILLS):
        process = start(follow, database, blocks)
        process.join(choose.uniform(0.01, 0.6))
        killed += process.is_alive()
        if process.pid and process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join(60)
    follow(database, blocks)
    assert killed, "nobody was killed in time"
    assert rows(database) == undisturbed(tmp_path, blocks)


def test_two_watchers_on_one_database_write_each_block_once(database: str, tmp_path: Path) -> None:
    blocks = history(2, 60)
    watchers = [start(follow, database, blocks) for _ in range(2)]
    try:
        for watcher in watchers:
            watcher.join(120)
            assert watcher.exitcode == 0
    finally:
        for watcher in watchers:
            watcher.kill()
    assert rows(database) == undisturbed(tmp_path, blocks)


def test_a_full_disk_leaves_the_store_as_it_was_and_the_watcher_goes_on_once_there_is_room(tmp_path: Path) -> None:
    blocks, pages = history(3, 300), [10**6]
    store = Store.open(f"sqlite:///{tmp_path / 'market.db'}")

    def limit(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    event.listen(store._engine, "connect", limit)
    market = store.market(told())
    market.append(blocks[0], blocks[0].block)
    with store.reading() as connection:
        pages[0] = connection.execute(text("PRAGMA page_count")).scalar_one() + 30
    store._engine.dispose()
    with pytest.raises(StoreFull, match=r"market.db: the disk is full; nothing was written: make room"):
        for watched in blocks[1:]:
            market.append(watched, watched.block)
    cursor = market.cursor()
    assert cursor and 1 < cursor.number < len(blocks)
    assert list(dump(store)) == undisturbed(tmp_path, blocks[: cursor.number])
    pages[0] = 10**6
    store._engine.dispose()
    for watched in blocks[cursor.number : cursor.number + 5]:
        market.append(watched, watched.block)
    store.close()


@pytest.mark.parametrize(("state", "kind"), [("53100", StoreFull), ("57P01", StoreUnusable)])
def test_what_postgresql_says_of_a_full_disk_is_understood(state: str, kind: type[Exception]) -> None:
    refusal = Exception('could not extend file "base/1/2"\nHINT: Check free disk space.')
    refusal.sqlstate = state  # type: ignore[attr-defined]
    with pytest.raises(kind) as problem, problems_told(make_url("postgresql://me:geheim@host/db")):
        raise OperationalError("INSERT", {"secret": 1}, refusal)
    assert str(problem.value).startswith("host/db: ") and "\n" not in str(problem.value)


def test_a_connection_that_the_server_cut_is_replaced(database: str) -> None:
    if not database.startswith("postgresql"):
        pytest.skip("SQLite has no server")
    blocks = history(4, 3)
    store = Store.open(database)
    market = store.market(told())
    market.append(blocks[0], blocks[0].block)
    other = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    with other.connect() as connection:
        cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wattproof' "
                   "AND datname = current_database()")  # fmt: skip
        assert connection.execute(cut).all() == [(True,)]
    market.append(blocks[1], blocks[1].block)
    with pytest.raises(StoreUnusable, match="terminating connection"), store.writing() as mine:
        mine.execute(text("UPDATE cursors SET head_number = 99"))
        with other.connect() as connection:
            connection.execute(cut)
        mine.execute(text("UPDATE cursors SET head_number = 100"))
    cursor, head = market.cursor(), market.head()
    assert cursor == blocks[1].block and head and head.number == 2
    other.dispose()
    store.close()


def test_a_database_that_another_program_keeps_locked_is_told_of(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("wattproof.store.opening.PATIENCE", 0.1)
    store = Store.open(f"sqlite:///{tmp_path / 'market.db'}")
    began = time.monotonic()
    with sqlite3.connect(tmp_path / "market.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnusable, match="another program keeps the database locked: end it, or try again"):
            store.market(told())
        other.execute("ROLLBACK")
    assert time.monotonic() - began < 20
    store.market(told())
    store.close()
