"""Opens a database: connections that are safe to share with other processes, and tables of this version."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from wattproof.store.migrations import upgrade
from wattproof.store.problems import BadStore, parsed, shown, told
from wattproof.store.types import register

PATIENCE = 30
"""Seconds to wait for another program that writes, or for an answer."""

WRITES = "wattproof_writes"
"""The option of a connection whose transactions write from their first statement on."""

_MIGRATION_LOCK = 0x77617474
"""What PostgreSQL locks while tables are made."""


def engine_of(address: str, make: bool = True) -> Engine:
    """An engine for the database, whose tables are there and of this version. Raises a `StoreProblem`.

    Where there are none they are made, or, without `make`, nothing is.
    """
    url = parsed(address)
    with told(url):
        if url.get_backend_name() == "sqlite":
            if not make and _is_empty(url):
                raise _none(url)
            engine = _sqlite(url, make)
        else:
            engine = _postgresql(url)
        try:
            _migrate(engine, make)
        except BaseException:
            engine.dispose()
            raise
        return engine


def _postgresql(url: URL) -> Engine:
    options = {"connect_timeout": 10, "application_name": "wattproof"}
    return create_engine(url, connect_args=options, pool_pre_ping=True, hide_parameters=True)


def _none(url: URL) -> BadStore:
    return BadStore(f"{shown(url)}: no market was watched into this database yet: start `wattproof watch` first")


def _is_empty(url: URL) -> bool:
    """Whether SQLite's file is not there, or nothing is in it: to connect would make it one."""
    name = url.database or ""
    try:
        return not os.path.getsize(unquote(urlsplit(name).path) if name.startswith("file:") else name)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # SQLite tells what is wrong.


def _sqlite(url: URL, make: bool) -> Engine:
    engine = create_engine(url, connect_args={"timeout": PATIENCE}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # Transactions are begun below.
        register(connection)
        if make:
            _log_ahead(connection)  # Kept in the file: who only opens it need not, and changes no file of others.
        # A crash of the machine may lose the last blocks, and is watched again; nothing is ever half there.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Lets readers read while one writes. Where two programs open a new database at once, one of them has to wait."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as problem:
            if "locked" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _migrate(engine: Engine, make: bool) -> None:
    """Brings the tables to this version; others that open the database meanwhile wait."""
    with engine.connect() as connection:
        if upgrade.is_current(connection):
            return
        if not make and not upgrade.has_tables(connection):
            raise _none(engine.url)
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        upgrade.run(connection)
