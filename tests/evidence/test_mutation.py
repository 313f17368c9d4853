"""The mutator: what it changes, that its quick compilation is the compiler's, that it notices a weak suite."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from vyper.compiler.phases import CompilerData
from vyper.compiler.settings import Settings

from verification.campaigns.suite import Unsound, collect
from verification.campaigns.workers import Pool
from verification.invariants import ROOT
from verification.mutation import campaign as mutation
from verification.mutation.campaign import Campaign
from verification.mutation.compiler import ChangedBundle, compilation, parse_ahead
from verification.mutation.equivalents import FILE, explained
from verification.mutation.operators import OPERATORS, Mutant, mutants
from verification.mutation.sources import TARGETS, Source, new_lines, sources
from wattproof.cli import parser
from wattproof.market.deployment import contracts_dir

TOY = """# pragma version 0.4.3
# pragma nonreentrancy on

event Moved:
    source: address
    target: address

_LIMIT: constant(uint256) = 7

_held: HashMap[address, uint256]


@external
def move(source: address, target: address, amount: uint256):
    assert amount > 0 and amount <= _LIMIT, "toy: amount"
    if not self._is_open():
        return
    self._held[source] -= min(amount, self._held[source])
    log Moved(source=source, target=target)


@external
@view
def share(whole: uint256, part: uint256) -> uint256:
    return whole // part


@internal
@view
def _is_open() -> bool:
    return block.timestamp == 5
"""


def toy(folder: Path) -> Source:
    """The toy contract as a source."""
    path = folder / "Toy.vy"
    path.write_text(TOY)
    compiled = compilation(folder, "Toy")
    return Source("Toy.vy", "Toy", TOY, compiled.annotated_vyper_module)


def changed_lines(found: list[Mutant], operator: str) -> set[str]:
    """The lines, as changed, of the mutants of an operator."""
    lines = set()
    for mutant in found:
        if mutant.operator == operator:
            before, after = TOY.splitlines(), mutant.apply(TOY).splitlines()
            lines |= {line.strip() for line in after if line not in before}
    return lines


@pytest.fixture(scope="module")
def all_mutants() -> list[Mutant]:
    return [mutant for source in sources(contracts_dir()) for mutant in mutants(source)]


def test_each_operator_makes_its_changes(tmp_path: Path) -> None:
    found = mutants(toy(tmp_path))
    assert changed_lines(found, "comparison") == {
        'assert amount >= 0 and amount <= _LIMIT, "toy: amount"',
        'assert amount <= 0 and amount <= _LIMIT, "toy: amount"',
        'assert amount > 0 and amount < _LIMIT, "toy: amount"',
        'assert amount > 0 and amount > _LIMIT, "toy: amount"',
        "return block.timestamp != 5",
    }
    assert changed_lines(found, "boolean") == {
        'assert amount > 0 or amount <= _LIMIT, "toy: amount"',
        'assert amount > 0, "toy: amount"',
        'assert amount <= _LIMIT, "toy: amount"',
        "if self._is_open():",
        "if not (not self._is_open()):",
    }
    assert changed_lines(found, "arithmetic") == {
        "self._held[source] += min(amount, self._held[source])",
        "self._held[source] = min(amount, self._held[source])",
        "return whole * part",
        "return (whole + part - 1) // part",
    }
    assert changed_lines(found, "constant") == {
        "_LIMIT: constant(uint256) = 8",
        "_LIMIT: constant(uint256) = 6",
        'assert amount > 1 and amount <= _LIMIT, "toy: amount"',
        "return block.timestamp == 6",
        "return block.timestamp == 4",
    }
    assert changed_lines(found, "minmax") == {"self._held[source] -= max(amount, self._held[source])"}
    assert changed_lines(found, "arguments") == {"log Moved(source=target, target=source)"}
    assert changed_lines(found, "decorator") == {"# pragma nonreentrancy off"}
    assert changed_lines(found, "assert") == changed_lines(found, "event") == {"pass"}
    assert {
        "self._held[target] -= min(amount, self._held[source])",
        "self._held[msg.sender] -= min(amount, self._held[source])",
        "self._held[source] -= min(amount, self._held[target])",
        "log Moved(source=target, target=target)",
    } - changed_lines(found, "name") <= {"self._held[msg.sender] -= min(amount, self._held[source])"}
    removed = [mutant.before for mutant in found if mutant.operator == "statement" and mutant.function == "move"]
    assert len(removed) == 3
    decorators = [mutant.before.strip() for mutant in found if mutant.operator == "decorator"]
    assert decorators == ["# pragma nonreentrancy on", "@external", "@external", "@view", "@view"]


def test_a_change_is_made_where_it_was_found_or_not_at_all(tmp_path: Path) -> None:
    mutant = mutants(toy(tmp_path))[3]
    with pytest.raises(ValueError, match="generate the mutants again"):
        mutant.apply("#" + TOY)


def test_every_module_and_every_operator_has_mutants(all_mutants: list[Mutant]) -> None:
    assert {mutant.operator for mutant in all_mutants} == set(OPERATORS)
    files = {path.relative_to(contracts_dir()).as_posix() for path in contracts_dir().rglob("*.vy")}
    assert {mutant.path for mutant in all_mutants} == files


def test_names_tell_mutants_apart_and_survive_other_changes(all_mutants: list[Mutant], tmp_path: Path) -> None:
    assert len({mutant.name for mutant in all_mutants}) == len(all_mutants)
    before = {mutant.name for mutant in mutants(toy(tmp_path))}
    path = tmp_path / "Toy.vy"
    path.write_text(TOY.replace("_LIMIT: constant", "# @dev The limit.\n_LIMIT: constant"))
    tree = compilation(tmp_path, "Toy").annotated_vyper_module
    assert {mutant.name for mutant in mutants(Source("Toy.vy", "Toy", path.read_text(), tree))} == before


def test_explained_mutants_exist(all_mutants: list[Mutant]) -> None:
    assert explained(ROOT).keys() <= {mutant.name for mutant in all_mutants}, f"{FILE} lists mutants that are no more"


def test_quick_compilation_comes_to_the_compilers_code(all_mutants: list[Mutant]) -> None:
    folder = contracts_dir()
    clock = next(
        m for m in all_mutants if m.module == "clock" and m.function == "_phase" and m.operator == "comparison"
    )
    text = {source.path: source.text for source in sources(folder)}
    changed = {(folder / clock.path).resolve(): clock.apply(text[clock.path])}
    for target, changes in ((TARGETS[1], {}), (TARGETS[0], changed)):
        parse_ahead(folder, target)
        quick = compilation(folder, target, changes)
        assert quick.identity
        bundle = ChangedBundle(folder.resolve(), changes)
        plain = CompilerData(quick.file_input, bundle, Settings(), no_bytecode_metadata=True)
        assert quick.bytecode == plain.bytecode
        assert quick.bytecode_runtime == plain.bytecode_runtime


def test_the_new_lines_of_a_change_are_those_of_git(tmp_path: Path) -> None:
    folder = tmp_path / "contracts"
    (folder / "market").mkdir(parents=True)
    (folder / "market" / "kept.vy").write_text("a\nb\nc\n")

    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    (folder / "market" / "kept.vy").write_text("a\nB\nc\nd\ne\n")
    (folder / "new.vy").write_text("x\n")
    git("add", ".")

    assert new_lines(folder, "HEAD") == {"market/kept.vy": {2, 4, 5}, "new.vy": {1}}
    git("commit", "-m", "second")
    (folder / "market" / "kept.vy").write_text("a\nc\nd\ne\n")
    assert new_lines(folder, "HEAD~1") == {"market/kept.vy": {3, 4}, "new.vy": {1}}  # a line that is gone is none
    with pytest.raises(ValueError, match="nosuch"):
        new_lines(folder, "nosuch")


def run(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Runs `wattproof mutate`; its exit code, its evidence and what it printed."""
    out = tmp_path / "mutation.json"
    out.unlink(missing_ok=True)
    command = ["-m", "wattproof", "mutate", "--record", str(tmp_path / "record.jsonl"), "--out", str(out)]
    done = subprocess.run([sys.executable, *command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600)
    return done.returncode, json.loads(out.read_text()) if out.is_file() else {}, done.stdout + done.stderr


def test_a_sample_is_killed_and_the_record_goes_on(tmp_path: Path) -> None:
    """A few mutants, drawn with a fixed seed: each is killed, explained, or no contract of its own."""
    sample = ("--sample", "5", "--seed", "6", "--jobs", "1", "--effort", "look", "--no-unit")
    code, evidence, told = run(tmp_path, *sample)
    assert code == 0, told
    figures = evidence["figures"]
    assert figures["complete"] and figures["tried"] + figures["explained as equivalent"] == 5
    assert figures["killed"] >= 2
    assert sum(len(names) for names in evidence["details"]["killed by"].values()) >= figures["killed"]
    assert evidence["bytecode"]["creation"]
    record = (tmp_path / "record.jsonl").read_text()
    code, again, told = run(tmp_path, *sample, "--resume")
    assert code == 0, told
    assert (tmp_path / "record.jsonl").read_text() == record  # nothing was tried a second time
    assert again["figures"] == figures


def test_a_weak_suite_is_told_what_survives(tmp_path: Path, all_mutants: list[Mutant]) -> None:
    """Presets never buy surplus: with no other check, that a prosumer may buy its own is not noticed."""
    own = next(
        m
        for m in all_mutants
        if m.module == "surplus"
        and m.operator == "statement"
        and m.before.startswith("errors")
        and "SURPLUS_OWN_QUOTE" in m.before
    )
    only = ("--mutant", own.name, "--check", "preset fresh", "--jobs", "1", "--effort", "look", "--no-unit")
    code, evidence, told = run(tmp_path, *only)
    assert code == 1, told
    assert [line["mutant"] for line in evidence["details"]["survivors"]] == [own.name]
    code, _, told = run(tmp_path, *only, "--resume", "--module", "nowhere")
    assert code == 2 and "no module nowhere" in told


def interrupted_by(problem: type[KeyboardInterrupt]) -> Any:
    """pytest, interrupted: it says so to its plugins."""

    def main(_: list[str], plugins: list[Any]) -> pytest.ExitCode:
        plugins[0].pytest_keyboard_interrupt(SimpleNamespace(value=problem()))
        return pytest.ExitCode.INTERRUPTED

    return main


def test_ctrl_c_while_tests_are_collected_is_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest, "main", interrupted_by(KeyboardInterrupt))
    monkeypatch.chdir(ROOT)
    with pytest.raises(KeyboardInterrupt):
        collect(lambda suite: 0)


def test_tests_that_cannot_be_collected_are_no_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pytest ends with the same exit code."""
    monkeypatch.setattr(pytest, "main", interrupted_by(pytest.Session.Interrupted))
    monkeypatch.chdir(ROOT)
    assert collect(lambda suite: 0) == 2
    assert "could not collect the tests" in capsys.readouterr().err


def test_the_record_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are run from the root of the checkout, wherever the command was started."""
    monkeypatch.chdir(tmp_path)
    options = parser().parse_args(["mutate", "--list", "--record", "mine.jsonl"])
    monkeypatch.setattr(mutation, "collect", lambda *_: 0)
    assert mutation.mutate(options, Console()) == 0
    assert options.record == tmp_path / "mine.jsonl"


def test_an_operator_that_is_not_there_is_no_empty_run() -> None:
    options = parser().parse_args(["mutate", "--operator", "nope", "--list"])
    suite: Any = SimpleNamespace(checks={}, units={})
    with pytest.raises(Unsound, match="no operator nope: there are "):
        Campaign(options, Console(), suite, Pool(1)).chosen()
