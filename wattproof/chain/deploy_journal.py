"""What a deployment has sent so far, on disk before it is sent: one that was stopped goes on where it was.

A step is a contract and the number of the transaction that creates it. By that number the contract's address is known,
and so whether it is there, whoever signed the transaction.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wattproof import documents, outputs
from wattproof.chain.record import BadRecord

SCHEMA = "wattproof-deploying/1"

_LARGEST = 2**20


@dataclass(frozen=True)
class Step:
    """A transaction that creates a contract: its number, and what was signed, where it was signed here."""

    nonce: int
    raw: bytes | None = None


def journal_of(out: Path) -> Path:
    """Where the journal of a deployment is that is written down as `out`."""
    return out.with_name(f"{out.name}.part")


@dataclass
class Journal:
    """Beside deployment.json.

    path    of the journal
    about   what is deployed, by whom, and where: another deployment does not go on with it
    since   the number of the last block before the first transaction was sent
    steps   by the contracts' names
    """

    path: Path
    about: Mapping[str, Any]
    since: int
    steps: dict[str, Step] = field(default_factory=dict)

    @classmethod
    def beside(cls, out: Path, about: Mapping[str, Any], since: int) -> Journal:
        """The journal of an earlier run that was stopped, or a new one, which is not written yet.

        Raises BadRecord where there is one that is none, or of another deployment.
        """
        path = journal_of(out)
        try:
            with path.open("rb") as file:
                told = documents.parsed(file.read(_LARGEST))
        except FileNotFoundError:
            return cls(path, about, since)
        except OSError as problem:
            raise BadRecord(f"{outputs.told(problem)}; name another place by --out") from None
        except ValueError:
            told = None
        found = cls._of(path, told)
        if found is None:
            raise BadRecord(f"{path}: is in the way, and no journal of `wattproof deploy`; move it")
        for name, value in about.items():
            if found.about.get(name) != value:
                was = json.dumps(found.about.get(name))
                raise BadRecord(
                    f"{path}: a deployment that was stopped had {name} {was}, not {json.dumps(value)}; "
                    "go on with the same, or move that file to begin anew"
                )
        return found

    @classmethod
    def _of(cls, path: Path, told: Any) -> Journal | None:
        """What a file says; None where it is no journal."""
        if not isinstance(told, dict) or told.get("schema") != SCHEMA or not isinstance(told.get("about"), dict):
            return None
        try:
            steps = {
                str(name): Step(int(step["nonce"]), bytes.fromhex(step["raw"]) if step["raw"] else None)
                for name, step in told["steps"].items()
            }
            return cls(path, told["about"], int(told["since"]), steps)
        except (LookupError, TypeError, ValueError, AttributeError):
            return None

    def note(self, name: str, step: Step) -> None:
        """Notes a step; it is on the disk when this returns. Raises outputs.BadPlace."""
        self.steps[name] = step
        steps = {
            name: {"nonce": each.nonce, "raw": None if each.raw is None else each.raw.hex()}
            for name, each in self.steps.items()
        }
        told = {"schema": SCHEMA, "about": dict(self.about), "since": self.since, "steps": steps}
        outputs.write(self.path, json.dumps(told, indent=1) + "\n")
        for place in (self.path, self.path.parent):
            handle = os.open(place, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def end(self) -> None:
        """Removes the journal: all of it is done, and in deployment.json."""
        self.path.unlink(missing_ok=True)
