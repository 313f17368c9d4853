"""Signed readings as files: what a meter, or who reads it, puts into a folder for the operator to hand in.

A file is one JSON object, for instance

    {"schema": "wattproof-reading/1", "chain": 1337, "market": "0x…", "user": "0x…", "period": 867264,
     "exported": 0, "imported": 700, "signature": "0x…"}

with energies in whole Wh and the meter's signature of T-MET-4, at most 65 bytes. Its name ends with `.json` and begins
with no dot. Who writes one writes it under another name and renames it, as `queue` does: it is read at any moment.

Nothing is ever deleted. A file that was handed in goes to `done/`, one that is none or that the market refuses for good
to `bad/`, one whose time was over to `late/`; the last two have their reason beside them, in a file `….reason`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from wattproof import documents
from wattproof.outputs import BadPlace, one_line, told
from wattproof.terms.model import CAPACITY_BOUND

SCHEMA = "wattproof-reading/1"

_LARGEST = 2**16
"""Bytes of a file: a reading has four hundred."""

_FIELDS = ("schema", "chain", "market", "user", "period", "exported", "imported", "signature")


class BadReading(ValueError):
    """A file is no reading that can be handed in; the one-line message says why."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


@dataclass(frozen=True)
class SignedReading:
    """What a meter reports of a user and period, in Wh, for one market on one chain, with the meter's signature."""

    chain: int
    market: str
    user: str
    period: int
    exported: int
    imported: int
    signature: bytes

    def text(self) -> str:
        """The reading as a file."""
        fields = {"schema": SCHEMA} | {name: getattr(self, name) for name in _FIELDS[1:-1]}
        return json.dumps(fields | {"signature": "0x" + self.signature.hex()}) + "\n"


def read(text: bytes) -> SignedReading:
    """The reading in a file. Raises BadReading."""
    try:
        told_ = documents.parsed(text)
    except ValueError:
        raise BadReading("it is not JSON") from None
    if not isinstance(told_, dict):
        raise BadReading("it is no JSON object")
    if told_.get("schema") != SCHEMA:
        raise BadReading(f'its "schema" is not "{SCHEMA}"')
    strange = sorted(told_.keys() - set(_FIELDS))
    missing = [name for name in _FIELDS if name not in told_]
    if strange or missing:
        what = f"{strange[0]!r} is no field of it" if strange else f'it has no "{missing[0]}"'
        raise BadReading(f"{what}: the fields are {', '.join(_FIELDS)}")
    return SignedReading(
        _number(told_, "chain", 2**256),
        _address(told_, "market"),
        _address(told_, "user"),
        _number(told_, "period", 2**256),
        _number(told_, "exported", CAPACITY_BOUND),
        _number(told_, "imported", CAPACITY_BOUND),
        _signature(told_["signature"]),
    )


def _number(fields: dict[str, Any], name: str, bound: int) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < bound:
        energy = bound == CAPACITY_BOUND
        unit = f"a whole number of Wh below {bound}" if energy else "a whole number, 0 or more"
        raise BadReading(f'its "{name}" is not {unit}')
    return value


def _address(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not re.fullmatch("0x[0-9a-fA-F]{40}", value):
        raise BadReading(f'its "{name}" is no address: 0x and 40 hexadecimal digits')
    return to_checksum_address(value)


def _signature(value: Any) -> bytes:
    if not isinstance(value, str) or not re.fullmatch("0x([0-9a-fA-F]{2}){0,65}", value):
        raise BadReading('its "signature" is not 0x and at most 65 bytes in hexadecimal digits')
    return bytes.fromhex(value[2:])


def queue(folder: Path, reading: SignedReading) -> Path:
    """Puts a reading into a spool, whole or not at all, and returns its file. Raises BadPlace."""
    path = folder / f"{reading.period}-{reading.user}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, reading.text())
    except OSError as problem:
        raise BadPlace(f"{told(problem)}; the reading is not queued") from problem
    return path


def _write(path: Path, text: str) -> None:
    """Writes a file that is there for good when this returns."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Makes sure that what a folder lists is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Spool:
    """A folder of readings that wait to be handed in, for the market at one address on one chain."""

    def __init__(self, folder: Path, chain: int, market: str) -> None:
        """Raises BadPlace, also where there is no such folder: one that is made could be a mistyped name."""
        self.folder, self._chain, self._market = folder, chain, market
        self._known: dict[str, tuple[tuple[int, int], SignedReading]] = {}
        if not folder.is_dir():
            raise BadPlace(f"{folder}: there is no such folder; make it, or name another one by --readings")
        try:
            self.look()
        except OSError as problem:
            raise BadPlace(f"{told(problem)}; name a folder that can be written by --readings") from problem

    @property
    def readings(self) -> list[SignedReading]:
        """What waits, in the order of the files' names."""
        return [reading for _, (_, reading) in sorted(self._known.items())]

    def look(self) -> list[str]:
        """Looks for new files, puts aside what is no reading, and says so, a line for each. Raises OSError."""
        lines, seen = [], set()
        for path in sorted(self.folder.glob("*.json")):
            if path.name.startswith(".") or not path.is_file():
                continue
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if path.name in self._known and self._known[path.name][0] == stamp:
                seen.add(path.name)
                continue
            try:
                self._known[path.name] = stamp, self._read(path)
                seen.add(path.name)
            except BadReading as problem:
                lines.append(self._aside(path.name, "bad", str(problem)))
        self._known = {name: known for name, known in self._known.items() if name in seen}
        return lines

    def _read(self, path: Path) -> SignedReading:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise BadReading(f"it has more than {_LARGEST} bytes")
        found = read(text)
        if found.chain != self._chain:
            raise BadReading(f"it is for the chain {found.chain}, and this one is {self._chain}")
        if found.market != self._market:
            raise BadReading(f"it is for the market {found.market}, and this one is {self._market}")
        return found

    def done(self, readings: Iterable[SignedReading]) -> None:
        """These are on the chain. Raises OSError."""
        for name in self._names(readings):
            self._move(name, "done")

    def bad(self, reading: SignedReading, reason: str) -> list[str]:
        """The market refuses this one for good; returns a line for each file. Raises OSError."""
        return [self._aside(name, "bad", reason) for name in self._names([reading])]

    def late(self, reading: SignedReading, reason: str) -> list[str]:
        """The time of this one is over; returns a line for each file. Raises OSError."""
        return [self._aside(name, "late", reason) for name in self._names([reading])]

    def _names(self, readings: Iterable[SignedReading]) -> list[str]:
        wanted = set(readings)
        return [name for name, (_, reading) in sorted(self._known.items()) if reading in wanted]

    def _aside(self, name: str, where: str, reason: str) -> str:
        path = self._free(where, name)
        _write(path.with_name(path.name + ".reason"), reason + "\n")
        self._move(name, where, path)
        return f"{one_line(name)}: {reason}; it lies in {where}/ now"

    def _move(self, name: str, where: str, path: Path | None = None) -> None:
        target = path or self._free(where, name)
        (self.folder / name).rename(target)
        self._known.pop(name, None)
        _sync(target.parent)

    def _free(self, where: str, name: str) -> Path:
        """A place for a file that nothing has, in a folder inside this one."""
        folder = self.folder / where
        folder.mkdir(exist_ok=True)
        path, number = folder / name, 1
        while path.exists():
            number += 1
            path = folder / f"{Path(name).stem}.{number}.json"
        return path
