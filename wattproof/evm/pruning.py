"""Keeps a long run's memory level: drops what titanoboa and its engines hoard, and moves old state to disk.

A market's storage fills until its places and rooms are all used, and those of hundreds of households take 100,000 words
and more. On a node they lie on disk. titanoboa keeps them in memory, together with things that no chain has: the undo
log of every call since the start, the preimage of every storage slot, the set of slots ever touched. `StatePruning`
clears those at moments at which nothing can be undone, as a node does at the end of a block, and on py-evm it moves the
market's storage into a temporary SQLite database on disk that vanishes with the process. Nothing is pruned: every slot
can be read as before, and no contract sees a difference.

On revm the storage stays in memory, as pyrevm has no other place for it, but in its bare form: what the calls since the
last `shrink` touched is written to revm's database, and their undo log, logs and copies of slots are dropped. A slot
then takes some 110 bytes; 140 households, of which 42 sell, write some 2,300 slots in a half-hour on average.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from boa.environment import Env
from eth.db.backends.base import BaseDB
from eth.db.cache import CacheDB
from eth.db.journal import JournalDB

from wattproof.evm.revm import RevmEnv, RevmVM, journal_slots, new_instance

MAX_FRAMES = 4_000
"""Calls that revm may keep the undo log of, some 3 kB each, before it is dropped."""


CACHED = 2048
"""Slots of the contract that stay in memory beside those written since the last `shrink`."""


class SlotsOnDisk(BaseDB):
    """A contract's storage in a private temporary database, which SQLite keeps on disk beyond a cache of 2 MB.

    Maps a slot's number (big endian, no leading zeros) to the RLP of its value, as py-evm's journals do.
    """

    def __init__(self) -> None:
        # No name: a temporary file that is removed when the connection closes, or the process dies.
        self._connection = sqlite3.connect("", check_same_thread=False)
        self._connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000")
        self._connection.execute("CREATE TABLE slots (slot BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def __getitem__(self, key: bytes) -> bytes:
        row = self._connection.execute("SELECT value FROM slots WHERE slot = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return row[0]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO slots VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        self._connection.execute("DELETE FROM slots WHERE slot = ?", (key,))

    def _exists(self, key: bytes) -> bool:
        return self._connection.execute("SELECT 1 FROM slots WHERE slot = ?", (key,)).fetchone() is not None

    def __len__(self) -> int:
        return self._connection.execute("SELECT count(*) FROM slots").fetchone()[0]

    def close(self) -> None:
        """Removes the database."""
        self._connection.close()


class StatePruning:
    """Holds the memory of one environment down for the contract at `address`.

    The environment must be the caller's own, and outside every `anchor` whenever `shrink` is called: what happened
    before can no longer be undone afterwards.
    """

    def __init__(self, env: Env, address: Any) -> None:
        self.env = env
        self.slots: SlotsOnDisk | None = None
        if isinstance(env, RevmEnv):
            self._base = _rebased(env.evm)
        else:
            self.slots = SlotsOnDisk()
            accounts = env.evm.vm.state._account_db
            store = accounts._get_address_store(address.canonical_address)
            # Between the journals and the trie, whose root nobody asks for; the journals hold all storage so far.
            store._storage_cache = CacheDB(self.slots, CACHED)
            store._locked_changes._wrapped_db = store._storage_cache
            self._store = store

    def shrink(self, wholly: bool = False) -> None:
        """Drops what is not part of the chain, and moves the contract's new storage to disk.

        On revm that is done where enough has gathered, or where `wholly` is set. The next call then finds all storage
        as a new transaction does: no slot is warm.
        """
        self.env.sha3_trace.clear()
        self.env.sstore_trace.clear()
        if isinstance(self.env, RevmEnv):
            if wholly or self.env.evm._revm.journal_len > MAX_FRAMES:
                self._base = _flushed(self.env.evm._revm, self._base)
            return
        state = self.env.evm.vm.state
        accounts = state._account_db
        self._store.make_storage_root()
        for store in accounts._account_stores.values():
            store._accessed_slots.clear()
            for journal in (store._journal_storage, store._locked_changes, store._clear_count):
                _forget(journal)
        _forget(accounts._journaldb)
        _forget(accounts._journaltrie)
        # What a chain does between transactions.
        accounts._reset_access_counters()
        state.transient_storage._db.reset()

    def close(self) -> None:
        """Ends the storage on disk; the environment is of no use afterwards."""
        if self.slots is not None:
            self.slots.close()


def _rebased(evm: RevmVM) -> Any:
    """Moves all state into a new pyrevm instance's database; returns the checkpoint at which nothing else is there."""
    old, new = evm._revm, new_instance(*evm._config)
    _write(new, dict(old.journal_state), journal_slots(old))
    evm._revm = new
    evm._refresh()
    return new.snapshot()


def _flushed(revm: Any, base: Any) -> Any:
    """Writes what was touched since the checkpoint `base` to the database, and drops the journal; a new checkpoint."""
    accounts, slots = dict(revm.journal_state), journal_slots(revm)
    # Undoing everything empties the journal; the database then receives what it held.
    revm.revert(base)
    _write(revm, accounts, slots)
    return revm.snapshot()


def _write(revm: Any, accounts: dict[str, Any], slots: list[tuple[str, int, int]]) -> None:
    """Writes accounts and slots to the database of an instance whose journal is empty."""
    for address, account in accounts.items():
        revm.insert_account_info(address, account)
    for address, slot, value in slots:
        # What is written to an account that is not loaded goes to the database, but loads the account: unload it.
        unloaded = revm.snapshot()
        revm.insert_account_storage(address, slot, value)
        revm.revert(unloaded)


def _forget(journal: JournalDB) -> None:
    """Drops a journal's way back, and keeps what it holds."""
    inner = journal._journal
    values, ignored = inner._current_values, inner._ignore_wrapped_db
    inner.pop_all()
    inner._current_values, inner._ignore_wrapped_db = values, ignored
