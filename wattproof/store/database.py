"""The store: markets in one database, each written by a watcher, block by block, and read by whoever asks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict

from sqlalchemy import Connection, select

from wattproof.chain.record import Record
from wattproof.store import writing
from wattproof.store.market import COUNTED, MarketStore
from wattproof.store.opening import WRITES, engine_of
from wattproof.store.plain import plain
from wattproof.store.problems import BadStore, shown, told
from wattproof.store.tables import table

_MARKETS = table("markets")


class Store:
    """A database of markets. Several threads may use it at once, and other processes the same database."""

    def __init__(self, address: str, make: bool = True) -> None:
        """See `open`."""
        self._engine = engine_of(address, make)
        moment = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reading = self._engine.execution_options(**(moment if self.kind == "postgresql" else {}))
        self._writing = self._engine.execution_options(**{WRITES: True})

    @classmethod
    def open(cls, address: str, make: bool = True) -> Store:
        """The database with this URL, `sqlite:///market.db` or `postgresql://user@host/name`.

        Its tables are brought to this version, and made where there are none, unless `make` is False: that is a
        problem then, and nothing is created. Raises a `StoreProblem`, one line that shows no password.
        """
        return cls(address, make)

    @property
    def kind(self) -> str:
        """What the database is: sqlite or postgresql."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose queries all see the same moment, whatever is written meanwhile."""
        with told(self._engine.url), self._reading.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all that is written in the block, or nothing where an exception leaves it."""
        with told(self._engine.url), self._writing.begin() as connection:
            yield connection

    def markets(self) -> list[MarketStore]:
        """All markets, in the order in which they were first watched."""
        with self.reading() as connection:
            return [MarketStore(self, row) for row in connection.execute(select(_MARKETS).order_by(_MARKETS.c.id))]

    def market(self, record: Record) -> MarketStore:
        """The market with this record, which is put into the store where it is not there yet."""
        found = self.find(record)
        if found is None:
            with self.writing() as connection:
                writing.add_once(connection, "markets", _row(record))
                (number,) = connection.execute(select(_MARKETS.c.id).filter_by(**_identity(record))).one()
                writing.add_once(connection, "cursors", {"market_id": number, **dict.fromkeys(COUNTED, 0)})
            found = self.find(record)
            assert found is not None, "what was written is not there"
        return found

    def find(self, record: Record) -> MarketStore | None:
        """The market with this record; None where nobody watched it yet."""
        with self.reading() as connection:
            row = connection.execute(select(_MARKETS).filter_by(**_identity(record))).one_or_none()
        return MarketStore(self, row) if row else None

    def watched(self, record: Record) -> MarketStore:
        """The market with this record. Raises BadStore where nobody watched it yet; nothing is written."""
        found = self.find(record)
        if found is None:
            raise BadStore(
                f"{shown(self._engine.url)}: nobody watched the market of this deployment.json into the database yet: "
                "start `wattproof watch` first"
            )
        return found

    def close(self) -> None:
        """Lets go of all connections."""
        self._engine.dispose()


def _identity(record: Record) -> dict[str, int | str]:
    """What tells a market from all others, those of a chain that was started anew among them."""
    place = {"chain_id": record.chain_id, "genesis": record.genesis}
    return place | {"address": record.market, "block_hash": record.block.hash}


def _row(record: Record) -> dict[str, object]:
    same = ("lens", "token", "token_decimals", "token_symbol", "owner", "supplier")
    return {
        **_identity(record),
        **{name: getattr(record, name) for name in same},
        "block": record.block.number,
        "tariff": plain(asdict(record.tariff)),
        "code": record.code._asdict(),
        "version": record.wattproof,
    }
