"""What is claimed: the invariants of `invariants.md`, and the clauses that each cites. The only
parser of its table; its sentences are read by `wattproof.promises`, too.

An invariant is a line `- **C3-MATCH-2**: A bid MUST ...`; the table below it says how each is checked.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wattproof.promises import ID, STATEMENT

ROOT = Path(__file__).resolve().parents[1]
"""The checkout that this package is a part of."""

_DETAILS = re.compile(rf"^\| ({ID.pattern}) \|(.+)\|$", re.MULTILINE)
_COLUMNS = ("predicate", "clauses", "where", "test", "kind", "tolerance", "status")
_CLAUSE = re.compile(r"T-([A-Z]+)-(\d+)(?: to T-\1-(\d+))?")
_TOPIC = re.compile(r"T-([A-Z]+)(?!-\d)\b")
_NEEDED = re.compile(r"\*Needed for (.+?)\.(?: Dropped by (.+?)\.)?\*$")


@dataclass(frozen=True)
class Invariant:
    """An invariant as the document claims it; tuples where a cell of the table holds several things.

    line      of invariants.md on which it stands, from 1
    clauses   of the terms, each by itself: a range is spelt out
    where     the code that makes it true, "file:function"
    tests     what checks it, "file::name"
    """

    id: str
    criterion: int
    line: int
    statement: str
    predicate: str
    clauses: tuple[str, ...]
    where: tuple[str, ...]
    tests: tuple[str, ...]
    kind: str
    tolerance: str
    status: str


@functools.cache
def invariants(tree: Path = ROOT) -> dict[str, Invariant]:
    """Every invariant by its ID, in the order of the document.

    Raises ValueError where one stands there twice, or its line or its row of the table is missing or not whole.
    """
    text = (tree / "invariants.md").read_text()
    statements = _unique((match[1], match[3]) for match in STATEMENT.finditer(text))
    rows = _unique((match[1], match[3]) for match in _DETAILS.finditer(text))
    if lonely := statements.keys() ^ rows.keys():
        raise ValueError(f"invariants.md: no line or no row of the table for {', '.join(sorted(lonely))}")
    at = {match[1]: text.count("\n", 0, match.start()) + 1 for match in STATEMENT.finditer(text)}
    return {name: _invariant(name, at[name], statement, rows[name]) for name, statement in statements.items()}


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, said in pairs:
        if name in found:
            raise ValueError(f"invariants.md: {name} stands there twice")
        found[name] = said.strip()
    return found


def _invariant(name: str, line: int, statement: str, row: str) -> Invariant:
    cells = [cell.strip() for cell in row.split("|")]
    if len(cells) != len(_COLUMNS):
        raise ValueError(f"invariants.md: the row of {name} has {len(cells) + 1} cells instead of {len(_COLUMNS) + 1}")
    cell = dict(zip(_COLUMNS, cells, strict=True))
    return Invariant(
        id=name,
        criterion=int(name[1]),
        line=line,
        statement=statement,
        predicate=cell["predicate"],
        clauses=clauses_cited(cell["clauses"]),
        where=_listed(cell["where"]),
        tests=_listed(cell["test"]),
        kind=cell["kind"],
        tolerance=cell["tolerance"],
        status=cell["status"],
    )


def _listed(cell: str) -> tuple[str, ...]:
    return tuple(part.strip("` ") for part in re.split(r",\s*", cell))


def clauses_cited(text: str) -> tuple[str, ...]:
    """The clauses of the terms that a text cites, in its order; a range cites all of its clauses."""
    found: list[str] = []
    for topic, first, last in _CLAUSE.findall(text):
        found += [f"T-{topic}-{number}" for number in range(int(first), int(last or first) + 1)]
    return tuple(dict.fromkeys(found))


def rests_on(assumption: str, row: Invariant) -> bool:
    """Whether an invariant needs an assumption, by what the assumption says at its end.

    Raises ValueError where it does not say: `*Needed for T-MON-1, T-MET. Dropped by C5-TOKEN.*`, where a topic without
    a number stands for all of its clauses.
    """
    said = _NEEDED.search(assumption)
    if said is None:
        raise ValueError(f"invariants.md: an assumption does not end with what it is needed for: {assumption[:60]} ...")
    if row.id.rpartition("-")[0] in (said[2] or "").split(", "):
        return False
    topics = set(_TOPIC.findall(said[1]))
    named = set(clauses_cited(said[1]))
    return said[1] == "everything" or any(cited in named or cited.split("-")[1] in topics for cited in row.clauses)


def statement(name: str) -> str:
    """The sentence of an invariant."""
    known = invariants().get(name)
    return known.statement if known else "(add a line and a row to invariants.md, see CONTRIBUTING.md)"


def criteria(tree: Path = ROOT) -> dict[int, tuple[str, str]]:
    """Title and introduction of every criterion, by number."""
    text = (tree / "invariants.md").read_text()
    parts = re.findall(r"^## Criterion (\d): (.+?)\n\n(.+?)\n\n", text, re.MULTILINE | re.DOTALL)
    return {int(number): (title.strip(), " ".join(said.split())) for number, title, said in parts}


def points(heading: str, tree: Path = ROOT) -> list[str]:
    """The points of the list under `## heading`, each as one line."""
    text = (tree / "invariants.md").read_text()
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if section is None:
        return []
    found = re.split(r"^(?:\d+\.|-) ", section[1], flags=re.MULTILINE)[1:]
    return [" ".join(point.split()) for point in found]
