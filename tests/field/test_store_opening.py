"""Opening a database: whatever is wrong is one line that shows no password, and nobody is in anybody's way."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from tests.support.databases import PostgreSQL
from tests.support.histories import told
from wattproof.store.database import Store
from wattproof.store.migrations import upgrade
from wattproof.store.problems import BadStore, StoreProblem, StoreUnusable
from wattproof.store.tables import Base

SECRET = "geheim-und-lang"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("market.db", "is no URL of a database: write sqlite:///market.db"),
        ("", "is no URL of a database"),
        (f"postgresql://me:{SECRET}@host:port/db", "is no URL of a database"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        (f"mysql://me:{SECRET}@host/db", "names the database mysql, which is not supported: take sqlite or postgresql"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/db", "127.0.0.1:1/db"),
        (f"postgresql://127.0.0.1:1/db?user=me&password={SECRET}", "127.0.0.1:1/db"),
        (f"postgresql://me@127.0.0.1:1/db?sslkey={SECRET}&nonsense={SECRET}", "127.0.0.1:1/db"),
        ("sqlite:////nowhere/at/all/market.db", "/nowhere/at/all/market.db: cannot be opened: does its folder exist"),
    ],
)
def test_an_address_that_names_no_database_is_told_in_one_line_without_its_password(url: str, says: str) -> None:
    with pytest.raises(StoreProblem) as problem:
        Store.open(url)
    told_of = str(problem.value)
    assert says in told_of and SECRET not in told_of and "\n" not in told_of
    assert problem.value.__context__ is None or problem.value.__suppress_context__, "a traceback would show more"


def test_a_wrong_password_is_not_repeated(postgresql: PostgreSQL) -> None:
    url = make_url(postgresql.new()).set(username="nobody-of-that-name", password=SECRET)
    with pytest.raises(StoreUnusable) as problem:
        Store.open(url.render_as_string(hide_password=False))
    assert SECRET not in str(problem.value)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("nothing of a database\n" * 1000)
    with pytest.raises(BadStore, match="is no database of SQLite, or a damaged one"):
        Store.open(f"sqlite:///{file}")
    assert file.read_text() == "nothing of a database\n" * 1000


def test_only_what_is_there_is_opened_where_nothing_is_to_be_made(database: str, tmp_path: Path) -> None:
    with pytest.raises(BadStore, match="no market was watched into this database yet: start `wattproof watch` first"):
        Store.open(database, make=False)
    assert not list(tmp_path.iterdir()), "no file was made"
    store = Store.open(database)
    with pytest.raises(BadStore, match="nobody watched the market of this"):
        store.watched(told())
    assert store.markets() == []
    kept = store.market(told())
    store.close()
    store = Store.open(database, make=False)
    assert store.watched(told()).id == kept.id
    store.close()


def test_a_database_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "others.db"
    with sqlite3.connect(file) as plain:
        plain.execute("CREATE TABLE cats (name)")
    before = file.read_bytes()
    with pytest.raises(BadStore, match="no market was watched into this database yet"):
        Store.open(f"sqlite:///{file}", make=False)
    assert file.read_bytes() == before


def test_tables_of_a_later_version_are_left_alone(database: str) -> None:
    Store.open(database).close()
    engine = create_engine(_driver(database))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(BadStore, match=r"tables are of a later version \(9999\) .*: install the latest Wattproof"):
        Store.open(database)


def test_migrations_make_the_tables_that_the_program_uses(database: str) -> None:
    Store.open(database).close()
    engine = create_engine(_driver(database))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
        assert upgrade.is_current(connection)
    engine.dispose()


def test_each_revision_can_be_migrated_to_the_next_with_what_is_in_it(database: str) -> None:
    """One revision so far: an empty database is the one before the first."""
    engine = create_engine(_driver(database))
    for revision in upgrade.revisions():
        with engine.begin() as connection:
            upgrade.run(connection, revision)
    engine.dispose()
    store = Store.open(database)
    assert store.market(told()).cursor() is None
    store.close()


def _open(url: str, barrier: Any, found: Any) -> None:
    barrier.wait(60)
    store = Store.open(url)
    found.put(store.market(told()).id)
    store.close()


def test_programs_that_open_a_new_database_at_once_make_it_once(database: str) -> None:
    together = multiprocessing.get_context("fork")  # What is imported need not be imported again.
    barrier, found = together.Barrier(4), together.Queue()
    running = [together.Process(target=_open, args=(database, barrier, found)) for _ in range(4)]
    try:
        for process in running:
            process.start()
        assert [found.get(timeout=60) for _ in running] == [1] * 4
    finally:
        for process in running:
            process.join(60)
            process.kill()
    store = Store.open(database)
    assert len(store.markets()) == 1
    store.close()


def test_a_database_that_may_only_be_read_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "market.db"
    Store.open(f"sqlite:///{file}").close()
    with pytest.raises(StoreProblem, match="may not be written"):
        Store.open(f"sqlite:///file:{file}?mode=ro&uri=true").market(told())


def test_who_reads_is_not_kept_waiting_by_who_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'market.db'}"
    writer, reader = Store.open(url), Store.open(url)
    writer.market(told())
    with writer.writing() as connection:
        connection.execute(text("UPDATE cursors SET head_number = 7"))
        assert [market.head() for market in reader.markets()] == [None]
    head = reader.markets()[0].head()
    assert head is None or head.number == 7
    writer.close()
    reader.close()
    with sqlite3.connect(tmp_path / "market.db") as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _driver(url: str) -> str:
    address = make_url(url)
    kind = "sqlite" if address.drivername == "sqlite" else "postgresql+psycopg"
    return address.set(drivername=kind).render_as_string(hide_password=False)
