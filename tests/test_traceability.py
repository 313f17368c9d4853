"""`invariants.md` is true: every row is checked somewhere, every check has a row, every reference exists."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from verification import git
from verification.invariants import ID, ROOT, Invariant, clauses_cited, invariants, points, rests_on
from verification.report.checks import PLACES

FAULTS = sorted((ROOT / "tests" / "properties" / "faults").glob("*.patch"))
KINDS = {"safety", "conservation", "transition", "liveness", "metamorphic", "intent"}
ROWS = list(invariants().values())


@functools.cache
def clauses() -> set[str]:
    """The clauses that `docs/terms.md` defines."""
    return set(re.findall(r"\*\*(T-[A-Z]+-\d+)\*\*", (ROOT / "docs" / "terms.md").read_text()))


@functools.cache
def checked() -> dict[str, set[str]]:
    """The IDs that stand as whole strings in the property tests, their harness and what the lockstep compares, each
    with the files that name it."""
    found: dict[str, set[str]] = {}
    for path in sorted(path for pattern in PLACES for path in ROOT.glob(pattern)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value):
                found.setdefault(node.value, set()).add(str(path.relative_to(ROOT)))
    return found


def test_there_are_sixty_invariants() -> None:
    assert len(ROWS) >= 60


def test_no_two_invariants_say_the_same() -> None:
    counts = Counter(re.sub(r"\W+", " ", row.statement.lower()) for row in ROWS)
    assert [statement for statement, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda text: re.sub(r"^- \*\*C3-MATCH-2\*\*.*\n", "", text, flags=re.M), "no line or no row"),
        (lambda text: re.sub(r"^\| C3-MATCH-2 \|.*\n", "", text, flags=re.M), "no line or no row"),
        (lambda text: re.sub(r"^(\| C3-MATCH-2 \|.*\n)", r"\1\1", text, flags=re.M), "stands there twice"),
        (lambda text: re.sub(r"^(\| C3-MATCH-2 \|)", r"\1 one cell more |", text, flags=re.M), "cells instead of"),
    ],
    ids=["no line", "no row", "twice", "a cell more"],
)
def test_a_document_that_is_not_whole_is_refused(broken: Callable[[str], str], message: str, tmp_path: Path) -> None:
    (tmp_path / "invariants.md").write_text(broken((ROOT / "invariants.md").read_text()))
    with pytest.raises(ValueError, match=message):
        invariants(tmp_path)


def test_every_invariant_is_checked_by_a_test() -> None:
    missing = sorted({row.id for row in ROWS} - checked().keys())
    assert not missing, f"no test checks {', '.join(missing)}: call holds(...) with it, or take its row out"


def test_every_check_names_an_invariant() -> None:
    missing = sorted(checked().keys() - {row.id for row in ROWS})
    assert not missing, f"add a line and a row to invariants.md for {', '.join(missing)}; CONTRIBUTING.md has the steps"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row_is_complete(row: Invariant) -> None:
    assert "MUST" in row.statement
    assert row.predicate
    assert row.kind in KINDS
    assert row.tolerance
    assert row.status.startswith(("tested", "partly"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row_names_a_test_that_exists(row: Invariant) -> None:
    for reference in row.tests:
        file, _, name = reference.partition("::")
        path = ROOT / file
        assert path.is_file(), f"{row.id}: no file {file}"
        tree = ast.parse(path.read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
        assert set(name.split("::")) <= names, f"{row.id}: {file} has no {name}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row_names_code_that_exists(row: Invariant) -> None:
    for reference in row.where:
        file, _, function = reference.partition(":")
        path = ROOT / file
        assert path.is_file(), f"{row.id}: no file {file}"
        if function:
            assert re.search(rf"^def {re.escape(function)}\(", path.read_text(), re.MULTILINE), f"{file}: no {function}"


def test_every_clause_is_guarded() -> None:
    guarded = {clause for row in ROWS for clause in row.clauses}
    assert sorted(clauses() - guarded) == []
    assert sorted(guarded - clauses()) == []


@pytest.mark.parametrize("folder", ["contracts", "wattproof", "verification", "tests"])
def test_every_clause_that_the_code_cites_exists(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in (".vy", ".vyi", ".py"):
            assert sorted(set(clauses_cited(path.read_text())) - clauses()) == [], path


def test_every_fault_names_an_invariant_and_a_test_that_exist() -> None:
    known = invariants()
    assert len(FAULTS) >= 25
    for patch in FAULTS:
        head = patch.read_text().partition("\n--- ")[0]
        (invariant,) = re.findall(r"^invariant: (\S+)$", head, re.MULTILINE)
        assert invariant in known, f"{patch.name}: no invariant {invariant}"


@pytest.mark.parametrize("patch", FAULTS, ids=lambda patch: patch.stem)
def test_every_fault_fits_the_contract_of_now(patch: Path) -> None:
    """`make faults` takes minutes and is not part of every run; a patch that no longer applies is seen here."""
    try:
        git.apply(patch, ROOT, check=True)
    except git.GitFailed as problem:
        pytest.fail(f"{problem}: make the change anew, and run `make faults`")


def test_an_invariant_names_the_assumptions_that_it_needs() -> None:
    """By number, as the list counts them: token, clock, meters' keys, EVM, compiler, salts."""
    said = points("Assumptions", ROOT)
    needed = {row.id: [number for number, point in enumerate(said, 1) if rests_on(point, row)] for row in ROWS}
    assert needed["C3-MATCH-1"] == [4]
    assert needed["C2-SEAL-1"] == [4, 6]
    assert needed["C4-SEEN-3"] == [3, 4]
    assert needed["C4-ROLE-2"] == [2, 4]
    assert {1, 2} <= set(needed["C3-LIVE-1"])
    assert not any(1 in numbers for name, numbers in needed.items() if name.startswith("C5-TOKEN"))
    assert not any(4 in numbers for name, numbers in needed.items() if name.startswith("C5-ENGINE"))
    assert max(map(len, needed.values())) < len(said)
    used = {clause for point in said for clause in clauses_cited(point)}
    assert sorted(used - clauses()) == []


def test_an_assumption_that_does_not_say_what_needs_it_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end with what it is needed for: The moon is round"):
        rests_on("The moon is round.", ROWS[0])


def test_what_the_experimental_code_generator_does_is_said_once() -> None:
    """README, invariants.md and the documents cannot contradict each other: one point of "Residual risks" tells it."""
    told = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / "README.md", ROOT / "invariants.md", *sorted((ROOT / "docs").rglob("*.md")))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"experimental code ?gen|venom", line) and "`wattproof compilers`" not in line
    ]
    assert len(told) == 1, told
    (risk,) = [risk for risk in points("Residual risks", ROOT) if "venom" in risk]
    assert "cannot compile it" in risk


def test_every_known_issue_has_a_severity() -> None:
    for risk in points("Residual risks", ROOT):
        assert re.match(r"\[(high|medium|low)\] \*\*", risk), risk[:60]


def test_every_risk_of_the_terms_is_a_residual_risk() -> None:
    """Annex D and "Residual risks" name the same risks; what the report lists comes from the latter."""
    known = re.findall(r"^- \*\*(D\d+) ", (ROOT / "docs" / "terms.md").read_text(), re.MULTILINE)
    told = {name for risk in points("Residual risks", ROOT) for name in re.findall(r"\bD\d+\b", risk)}
    assert known == [f"D{number}" for number in range(1, len(known) + 1)]
    assert sorted(set(known) ^ told) == []


@pytest.mark.parametrize("clause", ["T-MON-19", "T-MON-25"])
def test_the_report_tells_what_a_token_can_do_to_money(clause: str) -> None:
    """A token may round, rebase, charge, pause or bar somebody; rows that cite the clause point to what that means."""
    (risk,) = [risk for risk in points("Residual risks", ROOT) if clause in clauses_cited(risk)]
    for word in ("charge", "rounds", "rebase", "pauses", "bars"):
        assert word in risk
