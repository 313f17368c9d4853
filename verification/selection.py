"""A part of the invariants, chosen by name, module or clause, or by what a change touches; and its tests."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from verification import changes, git
from verification.changes import Sources
from verification.invariants import Invariant

CONTRACT_TESTS = "tests/unit"
"""The unit tests, most of which are about the contracts."""


class NothingChosen(Exception):
    """What was asked for names no invariant; the message says in a line what would."""


class NothingChanged(Exception):
    """No change touches what a report is about, so that there is nothing to do; the message says so in a line."""


@dataclass(frozen=True)
class Selection:
    """A part of all that `wattproof verify` runs.

    asked       what was asked for, in words
    invariants  IDs, in the order of invariants.md
    whole       files of property tests that are run whole; of others what checks the invariants
    unit        files or folders of unit tests
    day         whether the trading day belongs to it
    elsewhere   files of tests that a change touches and that are no part of a report
    """

    asked: str
    invariants: tuple[str, ...]
    whole: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    day: bool = False
    elsewhere: tuple[str, ...] = ()

    def files(self, rows: Mapping[str, Invariant]) -> tuple[str, ...]:
        """The files of property tests to be collected."""
        checking = {file_of(test) for name in self.invariants for test in rows[name].tests}
        return tuple(sorted(checking | set(self.whole)))

    def has(self, stage: str) -> bool:
        """Whether a stage of the run is asked for."""
        return bool({"day": self.day, "unit": self.unit}.get(stage, self.about))

    @property
    def about(self) -> str:
        """What `pytest --about` takes."""
        return ",".join((*self.invariants, *self.whole))


def file_of(test: str) -> str:
    """The file of a test that is named file::name."""
    return test.partition("::")[0]


# ---- by name -------------------------------------------------------------------------------


def named(words: Sequence[str], rows: Mapping[str, Invariant]) -> Selection:
    """The invariants that a list of words names, which commas may separate, too. Raises NothingChosen.

    A word is an ID or its beginning (C3-FEE-4, C3-FEE, C3), a module of the contracts (matching, market/matching.vy) or
    a clause of the terms or the beginning of one (T-SET-8, T-SET); large and small letters are the same.
    """
    wanted = [part.strip() for word in words for part in word.split(",") if part.strip()]
    if not wanted:
        raise NothingChosen("--only: name an invariant (C3-FEE-4), a group (C3-FEE), a module (matching) or a clause")
    chosen = {name for word in wanted for name in _meant(word, rows)}
    return Selection(f"--only {','.join(wanted)}", in_order(chosen, rows))


def in_order(names: Collection[str], rows: Iterable[str]) -> tuple[str, ...]:
    """Some of the invariants, in the order of invariants.md."""
    return tuple(name for name in rows if name in names)


def _meant(word: str, rows: Mapping[str, Invariant]) -> list[str]:
    large = word.upper()
    found = [row.id for row in rows.values() if any(_begins(name, large) for name in (row.id, *row.clauses))]
    if not found:
        module = PurePosixPath(word).stem.lower()
        found = [row.id for row in rows.values() if module in map(str.lower, modules(row))]
    if not found:
        raise NothingChosen(f"--only {word}: no invariant, module or clause of that name; {_nearest(word, rows)}")
    return found


def _begins(name: str, part: str) -> bool:
    return name == part or name.startswith(part + "-")


def modules(row: Invariant) -> set[str]:
    """The modules of the contracts that make an invariant true."""
    return {PurePosixPath(place.partition(":")[0]).stem for place in row.where if place.startswith("contracts/")}


def _nearest(word: str, rows: Mapping[str, Invariant]) -> str:
    groups = {re.sub(r"-\d+$", "", name) for row in rows.values() for name in (row.id, *row.clauses)}
    known = {name.lower(): name for name in {*rows, *groups, *(name for row in rows.values() for name in modules(row))}}
    near = [known[name] for name in difflib.get_close_matches(word.lower(), known, n=3, cutoff=0.5)]
    if near:
        return f"near to it: {', '.join(near)}"
    return f"the modules are {', '.join(sorted({name for row in rows.values() for name in modules(row)}))}"


# ---- by change -----------------------------------------------------------------------------


def touched(tree: Path, since: str, contracts: Path, rows: Mapping[str, Invariant], unit: Collection[str]) -> Selection:
    """What is touched by what differs from a revision of git. Raises NothingChosen, and NothingChanged.

    Args:
        tree: the checkout.
        contracts: the folder of the contracts that are verified.
        unit: the files and folders of all unit tests.
    """
    sources = Sources(tree)
    asked = f"--changed {since}"
    try:
        changed = changes.changed(tree, since, contracts)
        edited = sources.changed_rows(since) if "invariants.md" in changed else set()
    except git.GitFailed as problem:
        raise NothingChosen(f"{asked}: {problem}") from problem
    if not changed:
        raise NothingChanged(f"{asked}: nothing is different, so there is nothing to verify")
    files = sources.users(changed)
    tests = {file for file in files if sources.is_test(file)}
    code = {file for file in files if file.startswith("contracts/")}
    chosen = {row.id for row in rows.values() if row.id in edited or _touches(row, code, tests)}
    mine = _inside(tests, unit)
    whole = _inside(tests, ("tests/properties",))
    if code:  # What a unit test loads is no import: any of them may call what has changed.
        mine = {file for file in mine if not file.startswith(CONTRACT_TESTS)} | {CONTRACT_TESTS}
    if not chosen | mine | whole:
        also = f"; `make test TESTS='{' '.join(sorted(tests))}'` runs what it does" if tests else ""
        raise NothingChanged(f"{asked}: what differs touches no invariant and no unit test{also}")
    other = tests - whole - _inside(tests, unit)
    return Selection(
        asked,
        in_order(chosen, rows),
        whole=tuple(sorted(whole)),
        unit=tuple(sorted(mine)),
        day=bool(code) or "wattproof/cli/day.py" in files,
        elsewhere=tuple(sorted(other)),
    )


def _touches(row: Invariant, code: Collection[str], tests: Collection[str]) -> bool:
    where = (place.partition(":")[0] for place in row.where)
    return any(file in code for file in where) or any(file_of(test) in tests for test in row.tests)


def _inside(files: Iterable[str], folders: Collection[str]) -> set[str]:
    return {file for file in files if any(file == one or file.startswith(f"{one}/") for one in folders)}
