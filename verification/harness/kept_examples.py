"""Failing examples outlive their run: the next one tries them first. Kept in a folder, by Hypothesis' own database.

A derandomized run stays what it is: where nothing is kept, it draws just what it would draw without a database.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import hypothesis
import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

from verification.harness import counters
from verification.invariants import ROOT
from wattproof.market.deployment import contracts_dir

FOLDER = ".hypothesis/examples"
"""Where the examples lie in a checkout, for its own contracts; CI keeps that folder between runs."""

VARIABLE = "WATTPROOF_EXAMPLES"
"""The environment variable that names the folder for other contracts, of which nothing is kept without it."""

PROFILES = ("quick", "ci")
"""The profiles that keep examples. `deep`, which is not derandomized, has the database that Hypothesis chooses."""

_SIDE = (b".secondary", b".pareto")
"""How the keys end of what is no failure in its shortest form. A run would depend on all runs before it."""


class KeptExamples(ExampleDatabase):
    """The failures of property tests in their shortest form; tells of the tests that try one again."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._kept = DirectoryBasedExampleDatabase(folder)

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """What is kept of a test."""
        found = [] if key.endswith(_SIDE) or not _is_property_test() else list(self._kept.fetch(key))
        if found and not counters.examples:
            counters.tests[counters.current]["replayed"] = len(found)
        return found

    def save(self, key: bytes, value: bytes) -> None:
        """Keeps an example; tests of tests, which fail on purpose, keep none."""
        if not key.endswith(_SIDE) and _is_property_test():
            self._kept.save(key, value)

    def delete(self, key: bytes, value: bytes) -> None:
        """Forgets an example, as it fails no more or was made shorter."""
        if _is_property_test():
            self._kept.delete(key, value)


def _is_property_test() -> bool:
    return counters.current.startswith("tests/properties/")


def database() -> ExampleDatabase | None:
    """Where the failures of the contracts that are tested are kept; None where they are not."""
    if named := os.environ.get(VARIABLE):
        return KeptExamples(Path(named))
    own = contracts_dir().resolve() == (ROOT / "contracts").resolve()
    return KeptExamples(ROOT / FOLDER) if own else None


def leave_out_searches(items: Iterable[pytest.Item]) -> None:
    """Searches that aim at a target keep nothing: with any database Hypothesis would search elsewhere, and longer."""
    for item in items:
        function = getattr(item, "function", None)
        aims = getattr(getattr(item, "module", None), "target", None) is hypothesis.target
        if aims and hasattr(function, "hypothesis"):
            settings(database=None)(function)


def told(test: str, number: int) -> str:
    """A line for people: what was tried first in a test, and why."""
    examples = "an example" if number == 1 else f"{number} examples"
    return f"tried first, as {examples} failed in an earlier run: {test}"
