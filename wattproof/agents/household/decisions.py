"""What a household has decided, on disk before anything of it is sent: its bids with their salts, its withdrawals.

Without its salt a bid can never be opened. The file is readable by its owner only, and a bid is written through to the
disk before its commitment leaves the machine.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from wattproof.agents.journal import BadJournal, Journal, connect

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bids (
    quote INTEGER PRIMARY KEY, period INTEGER NOT NULL, price TEXT NOT NULL, volume INTEGER NOT NULL,
    salt BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS decided (period INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS withdrawals (id INTEGER PRIMARY KEY, amount TEXT NOT NULL, state TEXT NOT NULL);
"""

_KEPT = 1_000
"""Periods for which bids are kept."""

OPEN, ASKED, DONE, REFUSED, TOLD = "open", "asked", "done", "refused", "told"

WAITING = (OPEN, ASKED)
"""What is to be withdrawn. What is `asked` was asked of an agent that runs: what that says of it is the answer."""


@dataclass(frozen=True)
class Bid:
    """A bid: price in base units per Wh, volume in Wh, and the salt, which nothing shows."""

    quote_id: int
    period: int
    price: int
    volume: int
    salt: bytes = field(repr=False)


@dataclass(frozen=True)
class Withdrawal:
    """Money that is to be withdrawn, in base units. What became of it is `state`."""

    id: int
    amount: int
    state: str

    @property
    def key(self) -> str:
        """What it is called in the journal."""
        return f"withdraw {self.id}"


class Decisions:
    """The decisions of one household, in its journal's file."""

    def __init__(self, journal: Journal) -> None:
        """Raises BadJournal."""
        self._journal = journal
        journal.add_tables(_SCHEMA)

    def decide(self, period: int, bids: Iterable[tuple[int, int, int]]) -> None:
        """What is bid in a period, for good: quote, price and volume of each. Salts are drawn here.

        All of it is on the disk when this returns. A period is decided once.
        """
        with self._journal.change() as base:
            if base.execute("SELECT 1 FROM decided WHERE period = ?", (period,)).fetchone():
                return
            base.execute("INSERT INTO decided VALUES (?)", (period,))
            rows = [(number, period, str(price), volume, secrets.token_bytes(32)) for number, price, volume in bids]
            # After a reorganisation a number may be that of another quote: what was bid on that one before is void.
            base.executemany("INSERT OR REPLACE INTO bids VALUES (?, ?, ?, ?, ?)", rows)
            for table in ("bids", "decided"):
                base.execute(f"DELETE FROM {table} WHERE period < ?", (period - _KEPT,))

    def is_decided(self, period: int) -> bool:
        """Whether it is decided what is bid in a period."""
        return bool(self._journal.rows("SELECT 1 FROM decided WHERE period = ?", period))

    def bids(self, first: int) -> dict[int, Bid]:
        """The bids in the periods from `first` on, by quote."""
        rows = self._journal.rows("SELECT * FROM bids WHERE period >= ? ORDER BY quote", first)
        return {row[0]: Bid(row[0], row[1], int(row[2]), row[3], bytes(row[4])) for row in rows}

    def withdrawals(self, *states: str) -> list[Withdrawal]:
        """The withdrawals in these states, the oldest first."""
        marks = ", ".join("?" for _ in states)
        query = f"SELECT id, amount, state FROM withdrawals WHERE state IN ({marks}) ORDER BY id"
        rows = self._journal.rows(query, *states)
        return [Withdrawal(number, int(amount), state) for number, amount, state in rows]

    def mark(self, withdrawal: Withdrawal, state: str) -> None:
        """What became of a withdrawal."""
        with self._journal.change() as base:
            base.execute("UPDATE withdrawals SET state = ? WHERE id = ?", (state, withdrawal.id))


def request_withdrawal(folder: Path, amount: int, state: str = OPEN) -> None:
    """Asks the agent whose state lies in a folder to withdraw so many base units; `state` is ASKED where it runs.

    A request for the same amount that was not answered yet is the same request: who asks again after a kill does not
    withdraw twice. Raises BadJournal, sqlite3.Error.
    """
    path = folder / "journal.sqlite"
    if not path.exists():
        raise BadJournal(f"{folder}: holds no agent's state; run the agent first, or name its folder by --state")
    base = connect(path)
    try:
        base.executescript(_SCHEMA)
        base.execute("BEGIN IMMEDIATE")
        with base:
            if state == OPEN:  # The agent that was asked does not run any more.
                base.execute("UPDATE withdrawals SET state = ? WHERE amount = ? AND state = ?",
                             (OPEN, str(amount), ASKED))  # fmt: skip
            same = WAITING if state == ASKED else (OPEN, DONE, REFUSED)
            base.execute(
                "INSERT INTO withdrawals (amount, state) SELECT ?, ? WHERE NOT EXISTS"
                f" (SELECT 1 FROM withdrawals WHERE amount = ? AND state IN ({', '.join('?' for _ in same)}))",
                (str(amount), state, str(amount), *same),
            )
    finally:
        base.close()
