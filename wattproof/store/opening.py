"""Opens a database: connections that are safe to share with other processes, and tables of this version."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from wattproof.store.migrations import upgrade
from wattproof.store.problems import parsed, told
from wattproof.store.types import register

PATIENCE = 30
"""Seconds to wait for another program that writes, or for an answer."""

WRITES = "wattproof_writes"
"""The option of a connection whose transactions write from their first statement on."""

_MIGRATION_LOCK = 0x77617474
"""What PostgreSQL locks while tables are made."""


def engine_of(address: str) -> Engine:
    """An engine for the database, whose tables are there and of this version. Raises a `StoreProblem`."""
    url = parsed(address)
    with told(url):
        engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
        try:
            _migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return engine


def _postgresql(url: URL) -> Engine:
    options = {"connect_timeout": 10, "application_name": "wattproof"}
    return create_engine(url, connect_args=options, pool_pre_ping=True, hide_parameters=True)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": PATIENCE}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # Transactions are begun below.
        register(connection)
        _log_ahead(connection)
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


def _migrate(engine: Engine) -> None:
    """Brings the tables to this version; others that open the database meanwhile wait."""
    with engine.connect() as connection:
        if upgrade.is_current(connection):
            return
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        upgrade.run(connection)
