"""`invariants.md` is true: every row is checked somewhere, every check has a row, every reference exists."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAULTS = sorted((ROOT / "tests" / "properties" / "faults").glob("*.patch"))
ID = re.compile(r"C[1-5]-[A-Z]+-\d+")
CLAUSE = re.compile(r"T-[A-Z]+-\d+")
COLUMNS = ("id", "statement", "predicate", "clauses", "where", "test", "kind", "tolerance", "status")
KINDS = {"safety", "conservation", "transition", "liveness", "metamorphic", "intent"}


@functools.cache
def rows() -> list[dict[str, str]]:
    """The rows of all tables of `invariants.md`."""
    found = []
    for line in (ROOT / "invariants.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and ID.fullmatch(cells[0].strip("`")):
            assert len(cells) == len(COLUMNS), f"{cells[0]}: {len(cells)} cells instead of {len(COLUMNS)}"
            found.append(dict(zip(COLUMNS, [cells[0].strip("`"), *cells[1:]], strict=True)))
    return found


@functools.cache
def clauses() -> set[str]:
    """The clauses that `docs/terms.md` defines."""
    return set(re.findall(r"\*\*(T-[A-Z]+-\d+)\*\*", (ROOT / "docs" / "terms.md").read_text()))


@functools.cache
def checked() -> dict[str, set[str]]:
    """The IDs that stand as whole strings in the property tests, each with the files that name it."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests" / "properties").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value):
                found.setdefault(node.value, set()).add(str(path.relative_to(ROOT)))
    return found


def cited(text: str) -> set[str]:
    """The clauses that a text cites; a range cites all its clauses."""
    found = set(CLAUSE.findall(text))
    for topic, first, last in re.findall(r"T-([A-Z]+)-(\d+) to T-\1-(\d+)", text):
        found |= {f"T-{topic}-{number}" for number in range(int(first), int(last) + 1)}
    return found


def test_there_are_sixty_invariants_with_ids_of_their_own() -> None:
    counts = Counter(row["id"] for row in rows())
    assert [name for name, count in counts.items() if count > 1] == []
    assert len(counts) >= 60


def test_no_two_rows_say_the_same() -> None:
    counts = Counter(re.sub(r"\W+", " ", row["statement"].lower()) for row in rows())
    assert [statement for statement, count in counts.items() if count > 1] == []


def test_every_row_is_checked_by_a_test() -> None:
    assert sorted({row["id"] for row in rows()} - checked().keys()) == []


def test_every_check_names_a_row() -> None:
    assert sorted(checked().keys() - {row["id"] for row in rows()}) == []


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["id"])
def test_row_is_complete(row: dict[str, str]) -> None:
    assert "MUST" in row["statement"]
    assert row["predicate"]
    assert row["kind"] in KINDS
    assert row["tolerance"]
    assert row["status"].startswith(("tested", "partly"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["id"])
def test_row_names_a_test_that_exists(row: dict[str, str]) -> None:
    for reference in re.split(r",\s*", row["test"]):
        file, _, name = reference.strip("` ").partition("::")
        path = ROOT / file
        assert path.is_file(), f"{row['id']}: no file {file}"
        tree = ast.parse(path.read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
        assert set(name.split("::")) <= names, f"{row['id']}: {file} has no {name}"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["id"])
def test_row_names_code_that_exists(row: dict[str, str]) -> None:
    for reference in re.split(r",\s*", row["where"]):
        file, _, function = reference.strip("` ").partition(":")
        path = ROOT / file
        assert path.is_file(), f"{row['id']}: no file {file}"
        if function:
            assert re.search(rf"^def {re.escape(function)}\(", path.read_text(), re.MULTILINE), f"{file}: no {function}"


def test_every_clause_is_guarded() -> None:
    guarded = set().union(*(cited(row["clauses"]) for row in rows()))
    assert sorted(clauses() - guarded) == []
    assert sorted(guarded - clauses()) == []


@pytest.mark.parametrize("folder", ["contracts", "wattproof", "tests"])
def test_every_clause_that_the_code_cites_exists(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in (".vy", ".vyi", ".py"):
            assert sorted(cited(path.read_text()) - clauses()) == [], path


def test_every_fault_names_an_invariant_and_a_test_that_exist() -> None:
    known = {row["id"]: row for row in rows()}
    assert len(FAULTS) >= 25
    for patch in FAULTS:
        head = patch.read_text().partition("\n--- ")[0]
        (invariant,) = re.findall(r"^invariant: (\S+)$", head, re.MULTILINE)
        assert invariant in known, f"{patch.name}: no invariant {invariant}"


@pytest.mark.parametrize("patch", FAULTS, ids=lambda patch: patch.stem)
def test_every_fault_fits_the_contract_of_now(patch: Path) -> None:
    """`make faults` takes minutes and is not part of every run; a patch that no longer applies is seen here."""
    tried = subprocess.run(["git", "apply", "--check", str(patch)], cwd=ROOT, capture_output=True, text=True)
    assert tried.returncode == 0, f"{tried.stderr}make the change anew, and run `make faults`"
