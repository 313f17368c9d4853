"""titanoboa's cache of compiled contracts on disk, made to bear what happens to files.

titanoboa reads whatever lies in its cache. Here a file counts only if it is whole: each ends with the digest of what
is before it. Where it is not whole, or cannot be written, the contract is compiled anew.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boa.interpret as interpret
from boa.util.disk_cache import DiskCache

_DIGEST = 32


class CompilerCache(DiskCache):
    """A cache in the place of titanoboa's own, in a folder for the versions of compiler, titanoboa and Python."""

    def __init__(self, other: DiskCache) -> None:
        """In the folder of `other`."""
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        super().__init__(other.cache_dir, f"{other.version_salt}-{version('titanoboa')}-{python}", other.ttl)
        self._silent = False

    def caching_lookup(self, string: str, func: Callable[[], Any]) -> Any:
        """What is kept under `string`, or else what `func` makes, which is kept then. Raises what `func` raises."""
        if time.time() - self.last_gc >= self.ttl // 10:
            self.gc()
        path = self.cal(string)
        kept = _read(path)
        if kept is not None:
            return kept
        made = func()
        try:
            _write(path, made)
        except OSError as problem:
            self._tell(path, problem)
        return made

    def _tell(self, path: Path, problem: OSError) -> None:
        if not self._silent:
            said = f"compiled contracts cannot be kept as {path} ({problem.strerror}) and are compiled again each time"
            print(f"{said}; make its folder one that can be written", file=sys.stderr)
        self._silent = True


def _read(path: Path) -> Any:
    """What lies in a file; None where it is not whole, or of packages that have changed since."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    pickled, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(pickled).digest() != digest:
        return None
    try:
        return pickle.loads(pickled)
    except Exception:
        # Whatever a class says that is no longer what it was: the contract is compiled anew.
        return None


def _write(path: Path, made: Any) -> None:
    """Writes a file at once or not at all, whoever else reads or writes it. Raises OSError."""
    pickled = pickle.dumps(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".unfinished")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pickled + hashlib.sha256(pickled).digest())
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def use() -> None:
    """Has titanoboa keep what it compiles in a `CompilerCache`, where it keeps it at all."""
    if type(interpret._disk_cache) is DiskCache:
        interpret._disk_cache = CompilerCache(interpret._disk_cache)


def kept(key: str, make: Callable[[], Any]) -> Any:
    """What `make` makes, or made in an earlier process for this key, by the same compiler. Raises what it raises."""
    use()
    cache = interpret._disk_cache
    return make() if cache is None else cache.caching_lookup(key, make)
