"""How tests are chosen: by the invariant that they check, and never by accident all of them."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from verification.git import git
from verification.invariants import ROOT, Invariant, invariants
from verification.plugins.selection import of_known_invariants
from verification.report.campaign import Plan
from verification.selection import NothingChanged, NothingChosen, Selection, named, touched
from wattproof.cli import main
from wattproof.cli.arguments import seconds


def collected(*arguments: str) -> list[str]:
    """The tests that pytest would run."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_k_selects_by_invariant() -> None:
    files = ("tests/properties/test_matching.py", "tests/properties/test_tokens.py")
    assert collected(*files, "-k", "C3-MATCH-9") == ["tests/properties/test_matching.py::TestMatching::runTest"]
    group = collected(*files, "-k", "C5-TOKEN")
    assert "tests/properties/test_tokens.py::test_no_token_no_money" in group
    assert all(name.startswith("tests/properties/test_tokens.py") for name in group)


def test_k_says_which_invariant_is_not_there() -> None:
    of_known_invariants("C3-MATCH-9 and not C5-TOKEN or matching")
    for asked in ("C3-MINE-1", "not C3-MINE-1", "C3-MATCH-9 or C4-NOBODY"):
        with pytest.raises(pytest.UsageError, match=r"no invariant is called C[34]-(MINE-1|NOBODY): add its line"):
            of_known_invariants(asked)


@pytest.mark.skipif(not (ROOT / "Makefile").is_file(), reason="no Makefile here")
def test_one_test_has_to_be_named() -> None:
    # As if all was installed already.
    command = ["make", "--no-print-directory", "-o", ".venv/.ready", "test-one"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout.startswith("name a test: make test-one TEST=tests/properties/")


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200)])
def test_times_are_written_the_same_everywhere(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "1.5h", "2 h", "2d", "h"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write 90s, 30m or 2h"):
        seconds(text)


# ---- a part of a report --------------------------------------------------------------------


def only(*words: str) -> set[str]:
    """The invariants that `wattproof verify --only` would report on."""
    return set(named(words, invariants()).invariants)


def test_only_takes_names_groups_modules_and_clauses() -> None:
    rows = invariants()
    assert only("C3-FEE-1") == {"C3-FEE-1"}
    assert only("c3-fee") == {name for name in rows if name.startswith("C3-FEE-")}
    matching = {row.id for row in rows.values() if any("/matching.vy:" in place for place in row.where)}
    assert only("matching") == only("contracts/market/matching.vy") == matching
    assert only("T-SET-8") == {row.id for row in rows.values() if "T-SET-8" in row.clauses}
    assert only("C3-FEE-1,matching") == {"C3-FEE-1"} | matching


@pytest.mark.parametrize(
    ("word", "said"),
    [("machting", "near to it: matching"), ("C3-FEE-99", "C3-FEE"), ("zzz", "the modules are"), (" , ", "name an inv")],
)
def test_only_tells_what_it_could_have_meant(word: str, said: str) -> None:
    with pytest.raises(NothingChosen, match=said):
        named([word], invariants())


def test_about_runs_what_checks_an_invariant_and_whole_files() -> None:
    files = ("tests/properties/test_matching.py", "tests/properties/test_tokens.py")
    found = collected(*files, "--about", "C3-MATCH-1,tests/properties/test_tokens.py")
    matching = [name for name in found if name.startswith("tests/properties/test_matching.py")]
    assert matching == ["tests/properties/test_matching.py::TestMatching::runTest"]
    assert "tests/properties/test_tokens.py::test_no_token_no_money" in found


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of a contract, a model and three tests, in which nothing is changed."""
    folder = tmp_path_factory.mktemp("tree")
    for name, text in TREE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-qm", "all")
    return folder


TREE = {
    "contracts/Market.vy": "from .market import fees\n",
    "contracts/market/fees.vy": "from . import money\n",
    "contracts/market/money.vy": "",
    "contracts/market/other.vy": "",
    "wattproof/terms/model.py": "from wattproof.units import kwh\n",
    "wattproof/units.py": "",
    "wattproof/data/prices.csv": "",
    "wattproof/data/__init__.py": "",
    "tests/properties/machine.py": "from wattproof.terms import model\n",
    "tests/properties/test_fees.py": "from . import machine\n",
    "tests/properties/test_other.py": "import tests.properties.machine\n",
    "tests/unit/test_units.py": "from wattproof import units\n",
    "tests/unit/test_data.py": "import wattproof.data\n",
    "tests/report/test_page.py": "",
    "README.md": "",
    "invariants.md": "- **C3-FEE-1**: it MUST\n",
}
UNIT = ("tests/unit", "tests/test_traceability.py")


def row(name: str, where: str, test: str) -> Invariant:
    """A row of invariants.md."""
    return Invariant(name, 3, 1, "", "", (), (where,), (test,), "", "", "tested")


ROWS = {
    one.id: one
    for one in (
        row("C3-FEE-1", "contracts/market/fees.vy:_fee", "tests/properties/test_fees.py::Fees"),
        row("C3-OTHER-1", "contracts/market/other.vy:_other", "tests/properties/test_other.py::Other"),
    )
}


@pytest.mark.parametrize(
    ("file", "chosen", "whole", "unit"),
    [
        ("contracts/market/fees.vy", {"C3-FEE-1"}, set(), {"tests/unit"}),
        ("contracts/market/money.vy", {"C3-FEE-1"}, set(), {"tests/unit"}),
        ("wattproof/terms/model.py", set(ROWS), {"fees", "other"}, set()),
        ("wattproof/units.py", set(ROWS), {"fees", "other"}, {"tests/unit/test_units.py"}),
        ("wattproof/data/prices.csv", set(), set(), {"tests/unit/test_data.py"}),
        ("tests/properties/test_fees.py", {"C3-FEE-1"}, {"fees"}, set()),
        ("invariants.md", {"C3-FEE-1"}, set(), {"tests/test_traceability.py"}),
    ],
)
def test_changed_runs_what_a_change_touches(
    tree: Path, file: str, chosen: set[str], whole: set[str], unit: set[str]
) -> None:
    before = (tree / file).read_text()
    try:
        (tree / file).write_text(before + "- **C3-FEE-1**: it MUST NOT\n" if file.endswith(".md") else before + "\n")
        found = touched(tree, "HEAD", tree / "contracts", ROWS, UNIT)
    finally:
        (tree / file).write_text(before)
    assert set(found.invariants) == chosen
    assert set(found.whole) == {f"tests/properties/test_{name}.py" for name in whole}
    assert set(found.unit) == unit
    assert found.day == file.startswith("contracts/")


def test_a_change_of_nothing_that_is_tested_has_nothing_to_verify(tree: Path) -> None:
    with pytest.raises(NothingChanged, match="nothing is different"):
        touched(tree, "HEAD", tree / "contracts", ROWS, UNIT)
    for file in ("new.md", "tests/report/test_new.py"):
        (tree / file).write_text("")
        with pytest.raises(NothingChanged, match="touches no invariant"):
            touched(tree, "HEAD", tree / "contracts", ROWS, UNIT)
        (tree / file).unlink()


def test_what_came_to_the_other_branch_later_is_no_change(tree: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(tree, mine)
    commit = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-qam")
    git(mine, "branch", "theirs")
    (mine / "contracts" / "market" / "other.vy").write_text("# mine\n")
    git(mine, *commit, "mine")
    git(mine, "checkout", "-qb", "work")
    git(mine, "checkout", "-q", "theirs")
    (mine / "contracts" / "market" / "money.vy").write_text("# theirs\n")
    git(mine, *commit, "theirs")
    git(mine, "checkout", "-q", "work")
    assert touched(mine, "theirs", mine / "contracts", ROWS, UNIT).invariants == ("C3-OTHER-1",)


def test_contracts_of_another_repository_are_compared_there(tree: Path, tmp_path: Path) -> None:
    """As the action does, for a market of somebody else."""
    shutil.copytree(tree, tmp_path / "mine")
    mine = tmp_path / "mine" / "contracts"
    (mine / "market" / "other.vy").write_text("# changed\n")
    assert touched(tree, "HEAD", mine, ROWS, UNIT).invariants == ("C3-OTHER-1",)


def test_a_revision_that_is_none_is_told(tree: Path) -> None:
    with pytest.raises(NothingChosen, match=r"^--changed nowhere: git knows no such revision here: fetch it"):
        touched(tree, "nowhere", tree / "contracts", ROWS, UNIT)


def test_the_command_ends_with_2_for_names_that_are_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATTPROOF_CONTRACTS", str(ROOT / "contracts"))
    assert main(["verify", "--only", "machting"]) == 2
    assert "near to it: matching" in capsys.readouterr().err
    assert main(["verify", "--changed", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("--changed nowhere: ")
    with pytest.raises(SystemExit, match="2"):
        main(["verify", "--only", "C3-FEE", "--changed"])


def test_quick_goes_without_what_takes_minutes() -> None:
    usual = Plan("quick", "pyevm", None, 2, None)
    assert usual.quick().left_out.keys() == {"day", "unit"}
    part = usual.chosen(
        Selection("--changed HEAD", (), unit=("tests/unit", "tests/unit/test_units.py"), day=True), ROWS
    )
    assert part.left_out.keys() == {"properties"}
    assert part.quick().unit == ("tests/unit/test_units.py",)
