"""What the running test does, in a small file of its process: if the process crashes, that is all that is left of it.

A new history, or a call with new arguments, empties the file; each step is added before it is made. See `crashes`.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wattproof.market.symbolic import SALTS, SEALED, salt_of, seal_bytes
from wattproof.market.trace import Scene

_file: int | None = None
"""Where this process writes; None: it writes none."""

_head = b""
"""What stands first in the file: which test is running."""

_paused = False

_UNWRITABLE = (pickle.PicklingError, AttributeError, TypeError)
"""What pickle raises for a value that it cannot write."""


def name_of(process: int | str) -> str:
    """The name of the file of a process; of any: "*"."""
    return f"{process}.moves"


def keep(folder: Path) -> None:
    """From now on, this process keeps a journal in that folder."""
    global _file
    _file = os.open(folder / name_of(os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)


def test(told: Mapping[str, Any]) -> None:
    """A test begins; `told` is what `crashes` has to know of it."""
    global _head
    if _file is None:
        return
    try:
        _head = _pickled(("test", dict(told)))
    except _UNWRITABLE:  # A parameter of a test's own making.
        _head = _pickled(("test", {**told, "arguments": None}))
    _anew()


def example(arguments: Mapping[str, Any]) -> None:
    """The test, a function, is called with these arguments."""
    if _anew():
        _add("arguments", dict(arguments))


def step(number: int, name: str, arguments: Mapping[str, Any], scene: Scene | None) -> None:
    """A machine is about to run a rule, the `number`-th of its history, from 1 on. `scene`: where it plays, if yet."""
    if number == 1:
        _anew()
    if _file is not None:
        _add("step", (name, dict(arguments)), scene)


@contextmanager
def preset(name: str) -> Iterator[None]:
    """Inside, that preset is played."""
    _add("preset", name)
    try:
        yield
    finally:
        _add("preset", None)


@contextmanager
def paused() -> Iterator[None]:
    """What happens inside is none of the test's own doing, as where a failed history is made again."""
    global _paused
    before, _paused = _paused, True
    try:
        yield
    finally:
        _paused = before


def _anew() -> bool:
    """Empties the file but for the test; returns whether anything is written at all."""
    if _file is None or _paused:
        return False
    os.ftruncate(_file, 0)
    os.pwrite(_file, _head, 0)
    os.lseek(_file, 0, os.SEEK_END)
    return True


def _add(kind: str, what: Any, scene: Scene | None = None) -> None:
    if _file is None or _paused:
        return
    try:
        os.write(_file, _pickled((kind, what), scene))
    except _UNWRITABLE as problem:  # A value of a test's own making.
        os.write(_file, _pickled(("lost", str(problem))))


# ---- values that depend on where the market stands are written as what they mean ---------------------------


class _Portable(pickle.Pickler):
    def __init__(self, file: io.BytesIO, scene: Scene | None) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.scene = scene

    def persistent_id(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is bytes:
            if obj in SALTS:
                return "salt", SALTS[obj]
            return ("seal", SEALED[obj]) if obj in SEALED else None
        if kind is str and obj[:2] == "0x" and self.scene is not None:
            return ("address", self._known(obj)) if len(obj) == 42 else None
        return None

    def _known(self, address: str) -> tuple[str, ...]:
        """Who has an address: a name, or the market, the token or somebody else, whose address stays what it is."""
        scene: Any = self.scene
        place = {scene.market: "market", scene.token: "token"}.get(address)
        if place is not None:
            return ("", place)
        return (scene.names[address],) if address in scene.names else (address[2:], "0x")


def _pickled(value: Any, scene: Scene | None = None) -> bytes:
    file = io.BytesIO()
    _Portable(file, scene).dump(value)
    return file.getvalue()


class _Reader(pickle.Unpickler):
    lockstep: Any = None
    """Where the history plays. None: it has not begun, and addresses are left out."""

    def persistent_load(self, pid: Any) -> Any:
        match pid:
            case ("salt", (number, bidder)):
                return salt_of(number, bidder)
            case ("seal", fields):
                return seal_bytes(tuple(fields)) if self.lockstep is not None else b""
            case ("address", _) if self.lockstep is None:
                return ""
            case ("address", ("", place)):
                return self.lockstep.target if place == "market" else str(self.lockstep.token.address)
            case ("address", (digits, "0x")):
                return f"0x{digits}"
            case ("address", (name,)):
                return self.lockstep.address(name)
        raise pickle.UnpicklingError(f"unknown: {pid!r}")


@dataclass
class Left:
    """What a process left behind of its last test.

    test        as `test` was told, empty where the process had not begun any
    arguments   of the function, None where it is none, or was not called yet
    preset      the one that was being played, None where none was
    steps       of the history, each with its name and arguments
    lost        why a step or the arguments could not be written down, empty where they could
    """

    test: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] | None = None
    preset: str | None = None
    steps: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lost: str = ""


def read(file: Path, lockstep: Any = None) -> Left:
    """Reads a journal. `lockstep`: the market on which its history has begun; without one, steps lack addresses."""
    left, records = Left(), io.BytesIO(file.read_bytes())
    while True:
        reader = _Reader(records)  # Each record is a pickle by itself, with a memory of its own.
        reader.lockstep = lockstep
        try:
            kind, what = reader.load()
        except (EOFError, pickle.UnpicklingError):  # The last record may be cut short.
            return left
        if kind == "step":
            left.steps.append(what)
        else:
            setattr(left, kind, what)


def of_test(folder: Path, test: str) -> Path | None:
    """The newest journal in a folder that is of that test; None where none is."""
    found = sorted(folder.glob(name_of("*")), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return next((path for path in found if _test_of(path) == test), None)


def _test_of(file: Path) -> str:
    """The test of a journal, whose other records may hold what this process cannot import."""
    try:
        return _Reader(io.BytesIO(file.read_bytes())).load()[1]["test"]
    except EOFError:
        return ""
