"""What an agent has signed, on disk before it is sent: SQLite, each step written through to the disk.

An intent is something that the agent wants to bring about by one transaction of its account. It keeps its nonce for
good: what was signed is sent again as it is, and where it is stuck, signed again with the same nonce and a higher fee.
So of all that was signed for an intent the chain takes one at most.

An intent is `live` until the chain has a transaction of its nonce: then it is `mined` or `refused` (its own transaction
did what it should, or failed), or `superseded` (it was another's, of a second agent with the same account). After a
reorganisation it may be live again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from wattproof.agents.problems import AgentProblem

LIVE, MINED, REFUSED, SUPERSEDED = "live", "mined", "refused", "superseded"

_KEPT = 10_000
"""Intents that are kept; older ones that are not live are forgotten."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intents (
    id INTEGER PRIMARY KEY, keys TEXT NOT NULL, label TEXT NOT NULL, nonce INTEGER NOT NULL,
    state TEXT NOT NULL, block INTEGER, block_hash TEXT);
CREATE INDEX IF NOT EXISTS by_state ON intents (state);
CREATE INDEX IF NOT EXISTS by_nonce ON intents (nonce);
CREATE TABLE IF NOT EXISTS signed (
    hash TEXT PRIMARY KEY, intent INTEGER NOT NULL REFERENCES intents (id), raw BLOB NOT NULL, call TEXT NOT NULL,
    fee TEXT NOT NULL, head INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_intent ON signed (intent);
"""


class BadJournal(AgentProblem):
    """A journal cannot be used."""


@dataclass(frozen=True)
class Attempt:
    """A signed transaction: its hash, its bytes, the most it pays for gas in wei, and the newest block as it was
    signed.

    `call` is what it does, so that it can be signed again with a higher fee: receiver, data, value and gas.
    """

    hash: str
    raw: bytes
    call: dict[str, Any]
    fee: int
    head: int


@dataclass(frozen=True)
class Intent:
    """What is wanted.

    keys       what it brings about
    attempts   what was signed for it, the last one with the highest fee
    block      number and hash of the block that took it
    """

    id: int
    keys: tuple[str, ...]
    label: str
    nonce: int
    state: str
    block: tuple[int, str] | None
    attempts: tuple[Attempt, ...]


class Journal:
    """A journal in a folder of its own, held by one process at a time."""

    def __init__(self, folder: Path, of: str) -> None:
        """Opens or makes it. `of` names the chain, the market and the account it is for.

        Raises BadJournal: no place to write, held by another process, damaged, or for something else.
        """
        self.folder = folder
        self._stack = contextlib.ExitStack()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._stack.enter_context(_held(folder))
            self._base = self._stack.enter_context(contextlib.closing(connect(folder / "journal.sqlite")))
            self._base.executescript(_SCHEMA)
            with self.change():
                known = self.noted("of")
                if known is None:
                    self.note("of", of)
        except (OSError, sqlite3.Error) as problem:
            self._stack.close()
            raise _unusable(folder, problem) from problem
        except BaseException:
            self._stack.close()
            raise
        if known not in (None, of):
            self._stack.close()
            raise Foreign(f"{folder}: is the journal of another market or account; name another folder by --state")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the folder."""
        self._stack.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Several changes that come true together: they are on the disk when the block is left, or none is.

        Raises BadJournal where they cannot be written.
        """
        if self._base.in_transaction:
            yield self._base
            return
        try:
            self._base.execute("BEGIN IMMEDIATE")
            with self._base:
                yield self._base
        except sqlite3.Error as problem:
            raise _unusable(self.folder, problem) from problem

    def add_tables(self, schema: str) -> None:
        """Makes more tables, where they are not there, for what comes true together with intents. Raises BadJournal."""
        try:
            self._base.executescript(schema)
        except sqlite3.Error as problem:
            raise _unusable(self.folder, problem) from problem

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return self._base.execute(query, arguments).fetchall()

    # ---- notes ---------------------------------------------------------------------------

    def note(self, name: str, value: Any) -> None:
        """Keeps something under a name."""
        with self.change() as base:
            base.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    def noted(self, name: str) -> Any:
        """What is kept under a name; None: nothing."""
        found = self.rows("SELECT value FROM notes WHERE name = ?", name)
        return json.loads(found[0][0]) if found else None

    # ---- intents -------------------------------------------------------------------------

    def begin(self, keys: Sequence[str], label: str, nonce: int, attempt: Attempt) -> None:
        """A new intent with its first signed transaction, on the disk when this returns."""
        with self.change() as base:
            row = base.execute(
                "INSERT INTO intents (keys, label, nonce, state) VALUES (?, ?, ?, ?)",
                (json.dumps(list(keys)), label, nonce, LIVE),
            )
            self._add(base, int(row.lastrowid or 0), attempt)
            base.execute("DELETE FROM signed WHERE intent <= ? AND intent IN (SELECT id FROM intents WHERE state != ?)",
                         (int(row.lastrowid or 0) - _KEPT, LIVE))  # fmt: skip
            base.execute("DELETE FROM intents WHERE id <= ? AND state != ?", (int(row.lastrowid or 0) - _KEPT, LIVE))

    def replace(self, intent: Intent, attempt: Attempt) -> None:
        """One more signed transaction of the same nonce, on the disk when this returns."""
        with self.change() as base:
            self._add(base, intent.id, attempt)

    def _add(self, base: sqlite3.Connection, intent: int, attempt: Attempt) -> None:
        call = json.dumps(attempt.call)
        base.execute("INSERT OR REPLACE INTO signed VALUES (?, ?, ?, ?, ?, ?)",
                     (attempt.hash, intent, attempt.raw, call, str(attempt.fee), attempt.head))  # fmt: skip

    def mark(self, intent: Intent, state: str, block: tuple[int, str] | None = None) -> None:
        """What became of an intent, and in which block."""
        number, found = block or (None, None)
        with self.change() as base:
            base.execute("UPDATE intents SET state = ?, block = ?, block_hash = ? WHERE id = ?",
                         (state, number, found, intent.id))  # fmt: skip

    def live(self) -> list[Intent]:
        """What is under way, in the order of nonces."""
        return self._read("state = ?", LIVE)

    def ended_from(self, nonce: int, block: int) -> list[Intent]:
        """What is not under way, and has at least that nonce or lies at least in that block."""
        return self._read("state != ? AND (nonce >= ? OR block >= ?)", LIVE, nonce, block)

    def refused(self, block: int) -> list[tuple[list[str], int]]:
        """The keys of what failed from that block on, and its blocks."""
        rows = self.rows("SELECT keys, block FROM intents WHERE state = ? AND block >= ?", REFUSED, block)
        return [(json.loads(keys), number) for keys, number in rows]

    def with_key(self, key: str) -> list[Intent]:
        """All intents that are to bring about the same."""
        return [intent for intent in self._read("instr(keys, ?)", json.dumps(key)) if key in intent.keys]

    def _read(self, where: str, *arguments: Any) -> list[Intent]:
        rows = self._base.execute(
            f"SELECT id, keys, label, nonce, state, block, block_hash FROM intents WHERE {where} ORDER BY nonce, id",
            arguments,
        ).fetchall()
        return [
            Intent(number, tuple(json.loads(keys)), label, nonce, state,
                   None if block is None else (block, found), tuple(self._attempts(number)))
            for number, keys, label, nonce, state, block, found in rows
        ]  # fmt: skip

    def _attempts(self, intent: int) -> Iterable[Attempt]:
        rows = self._base.execute(
            "SELECT hash, raw, call, fee, head FROM signed WHERE intent = ?", (intent,)
        ).fetchall()
        found = [Attempt(hash_, bytes(raw), json.loads(call), int(fee), head) for hash_, raw, call, fee, head in rows]
        return sorted(found, key=lambda attempt: attempt.fee)


def connect(path: Path) -> sqlite3.Connection:
    """A database of which every change is on the disk when it is done. Raises sqlite3.Error.

    Only the user who runs the agent may read it: it may hold salts.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.close(handle)
    base = sqlite3.connect(path, timeout=30, isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("PRAGMA foreign_keys = ON")
    return base


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Holds a folder until the block ends, or the process, whatever ends that. Raises BadJournal where another does."""
    with open(folder / "lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(
                f"{folder}: another agent runs with this state; end it, or name another folder by --state"
            ) from None
        yield


class Foreign(BadJournal):
    """A journal is of another market or account."""


class Held(BadJournal):
    """Another process holds the journal."""


def _unusable(folder: Path, problem: Exception) -> BadJournal:
    why = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    return BadJournal(f"{folder}: {why}; name another folder by --state, or make this one usable")
