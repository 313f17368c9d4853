"""Where results go. A place is tried and locked before a run; what is there and not ours is never touched.

What is written is written beside its place and renamed: nobody ever reads half of it, and what was there before stays
whole until then. A folder of results carries a list of its files, with a digest of each. A file of that list is ours as
long as it is what was written; anything else is somebody's, and a run that would need its place is refused.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from wattproof import documents

MANIFEST = "wattproof-files.json"
"""The list of a folder's files."""

SCHEMA = "wattproof-files/1"

_MARK = re.compile(
    rb'"schema": "wattproof-|<!-- wattproof|\ATN:wattproof$'
    rb'|\A\{\s*"(part|rules|record of)": ("[a-z]+",\s*"(versions|vyper)"|\{"\w+ creation sha256)',  # as it was once
    re.MULTILINE,
)
"""What stands near the beginning of every single file that is written."""

LCOV = "TN:wattproof"
"""The first line of a file of lcov, which has no other place for a mark."""

_LOCK = ".wattproof.lock"

_ASIDE, _OURS = ".wattproof-", ".ours"
"""How the folder begins that a run writes into before it moves its files into place, and what marks it as one."""

PART = re.escape(_ASIDE) + r"[0-9]+\.part"
"""The name of a file before it has its own, which a run that is killed leaves behind: a regular expression."""

_CACHE = "__pycache__"
"""What Python leaves beside a file that it runs is nobody's."""


class BadPlace(Exception):
    """Results cannot be written there; the one-line text says why, and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


def one_line(text: str) -> str:
    """`text` with all that cannot be printed escaped: line breaks, a terminal's commands, bytes that are no text."""
    return text if text.isprintable() else repr(text)[1:-1]


def write(path: Path, content: str | bytes) -> None:
    """Writes a file beside its place and renames it, UTF-8 where it is text. A device or a pipe is written to.

    Raises BadPlace; what was there before is whole then.
    """
    data = content.encode() if isinstance(content, str) else content
    with _named(path):
        if _is_special(path):
            path.write_bytes(data)
            return
        target = Path(os.path.realpath(path))  # A link stays one.
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside(target) as part:
            part.write_bytes(data)
            part.replace(target)


def told(error: OSError) -> str:
    """What the system says, in one line: of which file, and what."""
    where = ""
    if isinstance(error.filename, str | bytes | os.PathLike):
        where = f"{one_line(os.fsdecode(error.filename))}: "
    return f"{where}{error.strerror.lower() if error.strerror else error}"


def brief(error: BaseException, most: int = 200) -> str:
    """An error's type and first line, cut to `most` characters."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:most]


def append(path: Path, text: str) -> None:
    """Adds a line to a file that grows as a run goes on. Raises BadPlace."""
    with _named(path), path.open("a", encoding="utf-8") as file:
        file.write(text)


class _Held:
    """A place that is held until the end of a `with` block, or until `close`."""

    _undo: contextlib.ExitStack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the place."""
        self._undo.close()


class File(_Held):
    """A single file of results, in a `with` block: made sure of and locked from its beginning on.

    The file is left as it was until `write`; the folders above it are made, and go again where nothing was written. It
    stays where it was named, whatever folder the process goes to meanwhile.
    """

    def __init__(self, path: Path) -> None:
        """Raises BadPlace: not writable, a folder, locked by another run, or not of an earlier run."""
        self.path = path
        with contextlib.ExitStack() as stack, _named(path):
            self._there = there = path.absolute()
            if there.is_dir():
                raise BadPlace(f"{path}: is a folder; name a file")
            if not _is_special(there):
                _make(there.parent, stack)
                stack.enter_context(_locked(there.with_name(f".{there.name[:200]}.lock"), path))
                if there.exists() and not _is_marked(there):
                    raise BadPlace(f"{path}: is not of an earlier run; move it, or name another file")
                with _beside(there) as part:  # Is there room, and may we?
                    part.write_bytes(bytes(4096))
            self._undo = stack.pop_all()

    def write(self, text: str) -> None:
        """Writes the file. Its text has to carry a mark, such as a "schema" of "wattproof-...". Raises BadPlace."""
        assert _is_special(self._there) or _MARK.search(text[:4096].encode()), (
            "nobody could tell that this file is ours"
        )
        write(self._there, text)


class Folder(_Held):
    """A folder of results, in a `with` block: made sure of and locked from its beginning on.

    Files are written into `aside`, and all moved into place by `finish`; whatever ends the block before leaves the
    folder as it was. `names` are the patterns of what is written (`bills.csv`, `stories/*`), as of pathlib's `glob`;
    `scratch` maps a folder inside to the regular expression of what a run leaves there from `begin` on.
    """

    def __init__(
        self, path: Path, command: str, names: Iterable[str], scratch: Mapping[str, str] | None = None
    ) -> None:
        """Makes the folder. Raises BadPlace: not writable, locked by another run, or it holds what is not ours."""
        self.path, self.command, self._names, self._scratch = path, command, tuple(names), dict(scratch or {})
        with contextlib.ExitStack() as stack, _named(path):
            if path.exists() and not path.is_dir():
                raise BadPlace(f"{path}: is not a folder; name another one")
            _make(path, stack)
            stack.enter_context(_locked(path / _LOCK, path))
            self._files = self._listed()
            self._check()
            for left in path.glob(f"{_ASIDE}*/{_OURS}"):  # By a run that was killed: none goes on, as we hold the lock.
                shutil.rmtree(left.parent)
            self.aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=path))
            stack.callback(shutil.rmtree, self.aside, ignore_errors=True)
            (self.aside / _OURS).touch()
            (self.aside / "probe").write_bytes(bytes(65_536))  # Is there room?
            (self.aside / "probe").unlink()
            self._undo = stack.pop_all()

    def begin(self) -> None:
        """Empties the folders inside of what earlier runs left; from now on what is in there is known to be ours.

        Raises BadPlace.
        """
        with _named(self.path):
            for name in self._scratch:
                if (self.path / name).is_dir():
                    shutil.rmtree(self.path / name)
            self._list(self._files or {})

    def write(self, name: str, content: str | bytes) -> None:
        """Writes a file aside. Raises BadPlace."""
        path = self.aside / name
        with _named(self.path / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def finish(self) -> None:
        """Moves what was written aside into place, and removes what the run before wrote and this one did not.

        The files come in the order of `names`. Raises BadPlace; what was not moved yet is as it was.
        """
        with _named(self.path):
            self._check()
            old = self._files or {}
            new = {
                str(path.relative_to(self.aside)): {"command": self.command, "sha256": _digest(path)}
                for path in sorted(self.aside.rglob("*"), key=self._place)
                if path.is_file() and path.name != _OURS and _CACHE not in path.parts
            }
            if strange := [name for name in new if name not in old and os.path.lexists(self.path / name)]:
                raise self._not_ours(strange[0])
            # Until all are in place, a file may be what it was or what it becomes.
            self._list(old | {name: entry | {"before": _sha(old.get(name))} for name, entry in new.items()})
            for name in new:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(self.aside / name, self.path / name)
            kept = {name: entry for name, entry in old.items() if entry.get("command") != self.command}
            for name in old.keys() - kept.keys() - new.keys():
                self._remove(self.path / name)
            self._list(kept | new)

    # ---- what is ours ----------------------------------------------------------------------

    def _listed(self) -> dict[str, Any] | None:
        """The files that are ours by the folder's list; None where there is no list of ours."""
        with contextlib.suppress(FileNotFoundError, ValueError):  # A list that nobody can read lists nothing.
            told = documents.parsed((self.path / MANIFEST).read_bytes())
            files = told.get("files") if isinstance(told, dict) and told.get("schema") == SCHEMA else None
            if isinstance(files, dict) and all(isinstance(entry, dict) for entry in files.values()):
                return files
        return None

    def _check(self) -> None:
        """Raises BadPlace where something that is not ours has the place of something that a run writes."""
        if self._files is None and os.path.lexists(self.path / MANIFEST):
            raise self._not_ours(MANIFEST)
        for pattern in self._names:
            *above, _ = Path(pattern).parts
            for depth in range(len(above)):
                part = self.path.joinpath(*above[: depth + 1])
                if os.path.lexists(part) and not part.is_dir():
                    raise self._not_ours(str(part.relative_to(self.path)))
            for found in sorted(self.path.glob(pattern)):
                if found.name == _CACHE:
                    continue
                name = str(found.relative_to(self.path))
                entry = (self._files or {}).get(name)
                if entry is None or not found.is_file():
                    raise self._not_ours(name)
                if _digest(found) not in (entry.get("sha256"), entry.get("before")):
                    raise self._not_ours(name, "was changed since it was written")
        for name, ours in self._scratch.items():
            folder = self.path / name
            if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
                raise self._not_ours(name)
            for found in sorted(folder.rglob("*")):
                known = self._files is not None and re.fullmatch(ours, str(found.relative_to(folder)))
                if not known and (found.is_symlink() or not found.is_dir()):
                    raise self._not_ours(str(found.relative_to(self.path)))

    def _not_ours(self, name: str, why: str = "is not of an earlier run") -> BadPlace:
        return BadPlace(f"{self.path / name}: {why}; move it, or name another folder")

    def _remove(self, path: Path) -> None:
        """Removes a file of ours, and the folders that it leaves empty."""
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # Somebody else has something there.
            for above in path.relative_to(self.path).parents[:-1]:
                (self.path / above).rmdir()

    def _list(self, files: dict[str, Any]) -> None:
        """Writes the folder's list."""
        note = "what Wattproof wrote here; a file that is not listed, or is not as listed, is never touched"
        told = {"schema": SCHEMA, "note": note, "files": dict(sorted(files.items()))}
        write(self.path / MANIFEST, json.dumps(told, indent=1) + "\n")
        self._files = files

    def _place(self, path: Path) -> tuple[int, str]:
        """Where a file comes in the order of `names`."""
        name = path.relative_to(self.aside)
        order = [number for number, pattern in enumerate(self._names) if name.match(pattern)]
        return min(order, default=len(self._names)), str(name)


def _sha(entry: dict[str, Any] | None) -> str | None:
    return entry.get("sha256") if entry else None


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_marked(path: Path) -> bool:
    """Whether a file is one that a run of ours wrote; an empty one has nothing to lose."""
    with open(path, "rb") as file:
        head = file.read(4096)
    return not head or _MARK.search(head) is not None


def _is_special(path: Path) -> bool:
    """Whether that is a device, a pipe or a socket: /dev/stdout, /dev/null."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _make(folder: Path, stack: contextlib.ExitStack) -> None:
    """Makes a folder and those above it; the stack takes back what is still empty then."""
    for part in [folder, *folder.parents][::-1]:
        if not part.exists():
            part.mkdir(exist_ok=True)
            stack.callback(_if_possible, part.rmdir)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name beside a file, for what is to become it; nothing of that name is left behind."""
    part = path.with_name(f"{_ASIDE}{os.getpid()}.part")
    try:
        yield part
    finally:
        _if_possible(part.unlink)


@contextlib.contextmanager
def _locked(lock: Path, place: Path) -> Iterator[None]:
    """Holds a lock; raises BadPlace where another run holds it. It ends with the process, whatever ends that."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "just begun"
            os.close(handle)
            raise BadPlace(
                f"{place}: another run (process {holder}) writes there; wait for its end, or name another place"
            ) from None
        except OSError:
            os.close(handle)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(lock), os.fstat(handle)):
                break
        os.close(handle)  # Its holder removed it as we opened it.
    try:
        os.truncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        _if_possible(lock.unlink)
        os.close(handle)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Says in one line what is wrong with a place."""
    try:
        yield
    except ValueError as error:  # A name with a zero byte in it.
        raise BadPlace(f"{one_line(str(path))}: {error}; name another place") from error
    except OSError as error:
        why = "no space is left" if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()
        what = "free some" if error.errno == errno.ENOSPC else "name another place"
        raise BadPlace(f"{path}: {why}; {what}") from error


def _if_possible(action: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        action()
