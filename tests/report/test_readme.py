"""The README's figures: those of the last measurements, and nobody's guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from verification import readme
from verification.builds import build
from verification.invariants import invariants


def _edges(run: int) -> dict[str, Any]:
    return {
        "edges": 10,
        "edges run": run,
        "edges explained as unreachable": 10 - run,
        "edges of library code": 4,
        "library edges run": 3,
        "further edges of the lens": 6,
        "further edges of the lens run": 5,
        "lines": 1_234,
        "lines run": 1_234,
    }


def test_readme_shows_the_kept_figures() -> None:
    kept = json.loads(readme.FIGURES.read_text())
    assert set(kept) == set(readme.ROWS), "`make readme` keeps a figure of every part"
    written = readme.README.read_text()
    now = build("EnergyMarket").hashes["runtime"]
    assert readme.table(kept, now) in written, "`make readme` writes the table anew"
    assert f"{len(invariants())} invariants" in written


def test_readme_and_notebook_show_the_same_day() -> None:
    [total] = [line.split() for line in readme.README.read_text().splitlines() if line.strip().startswith("all ")]
    _, _, _, alone, _, saving, percent = total
    notebook = readme.README.parent / "examples" / "field.ipynb"
    assert f"the community saved {saving} p of {alone} p, {percent} %" in notebook.read_text()


def test_gathers_what_was_measured_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    folder = tmp_path / "out" / "evidence"
    folder.mkdir(parents=True)
    measured = {"bytecode": {"runtime": "0xab"}, "figures": {"faults": 3, "caught": 3}, "details": []}
    (folder / "faults.json").write_text(json.dumps(measured))
    known = {name: {"bytecode": "cd", "figures": figures} for name, figures in _parts().items()}

    found = readme.gathered(known)
    assert found["faults"] == {"bytecode": "ab", "figures": {"faults": 3, "caught": 3}}
    assert found["edges"] == known["edges"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"figures": {}}', '{"figures": []}', '{"figures": {"faults": 1}}'],
)
def test_says_which_measurement_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr(readme, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr("sys.argv", ["readme"])
    folder = tmp_path / "out" / "evidence"
    folder.mkdir(parents=True)
    (folder / "faults.json").write_text(content)
    assert readme.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("out/evidence/faults.json is not what `make faults` writes (")


def _parts() -> dict[str, dict[str, Any]]:
    return {"faults": {"faults": 2, "caught": 1}, "edges": _edges(9)}


def test_tells_on_which_other_bytecode_a_figure_was_measured() -> None:
    now = "ab" * 32
    of_now = {name: {"bytecode": now, "figures": figures} for name, figures in _parts().items()}
    rows = readme.table(of_now, now).splitlines()
    assert rows[0] == "| | on the bytecode of now, abababab, where no other is named |"
    assert "| `make faults` | 1 of 2 seeded bugs caught by the invariant that they violate |" in rows
    own = "9 of 10 edges of the market's own code in the bytecode run, 1 cannot be; 1,234 of 1,234 lines"
    others = "not held to it: 3 of 4 edges of the library, 5 of 6 of what the compiler checks in the lens"
    assert f"| `wattproof edges` | {own}; {others} |" in rows

    of_now["faults"] |= {"bytecode": "cd" * 32}
    of_now["nodes"] = {"bytecode": now, "figures": {"histories": 1, "transactions": 2, "differences": 0}}
    named = [row for row in readme.table(of_now, now).splitlines() if "(on bytecode cdcdcdcd, not of now)" in row]
    assert [row.split("`")[1] for row in named] == ["make faults"]


def test_figures_that_are_all_of_one_other_bytecode_say_so_each() -> None:
    older = {name: {"bytecode": "cd" * 32, "figures": figures} for name, figures in _parts().items()}
    assert readme.table(older, "ab" * 32).count("(on bytecode cdcdcdcd, not of now)") == len(older)


def test_tells_which_builds_were_compared_and_which_could_not_be_made() -> None:
    runs = ["gas on pyevm", "gas on revm", "none on pyevm"]
    figures = {"histories": 3, "calls": 4, "runs": runs, "other differences": 0}
    row = readme.table({"compilers": {"bytecode": "", "figures": figures}}, "").splitlines()[-1]
    assert "no difference between the builds gas, none; codesize, venom, venom-codesize, " in row
    assert row.endswith(" could not be built |")


def test_the_table_says_no_more_than_was_measured() -> None:
    def row(part: str, figures: dict[str, Any]) -> str:
        return readme.table({part: {"bytecode": "", "figures": figures}}, "").splitlines()[-1]

    kept = json.loads(readme.FIGURES.read_text())
    compilers, nodes = kept["compilers"]["figures"], kept["nodes"]["figures"]
    assert "no difference between the builds" in row("compilers", compilers | {"other differences": 0})
    assert "3 differences between the builds" in row("compilers", compilers | {"other differences": 3})
    assert "1 difference between nodes" in row("nodes", nodes | {"differences": 1})

    mutation = kept["mutation"]["figures"]
    assert "undecided" not in row("mutation", mutation | {"undecided": 0, "complete": True})
    assert "0 survived, 7 undecided," in row("mutation", mutation | {"undecided": 7})
    assert row("mutation", mutation | {"complete": False}).endswith("; the run was not whole |")

    symbolic = kept["symbolic"]["figures"]
    assert row("symbolic", symbolic | {"bytecode checks": 0}).endswith("; the bytecode was not tried (no halmos) |")
    tried = symbolic | {"bytecode checks": 6, "bytecode checks that terminate": 4}
    assert row("symbolic", tried).endswith("; halmos decided 4 of 6 checks of the bytecode |")


@pytest.mark.parametrize("content", ["{", "[]", '{"edges": 1}', '{"edges": {"bytecode": "ab", "figures": {}}}'])
def test_kept_figures_that_cannot_be_used_are_one_line(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("FIGURES", "README"):
        monkeypatch.setattr(readme, name, tmp_path / name)
    monkeypatch.setattr("sys.argv", ["readme"])
    readme.FIGURES.write_text(content)
    assert readme.main() == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{readme.FIGURES} is not what `make readme` writes (")
    assert said.count("\n") == 1
    assert readme.FIGURES.read_text() == content


def test_a_readme_without_the_place_of_the_table_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("FIGURES", "README"):
        monkeypatch.setattr(readme, name, tmp_path / name)
    monkeypatch.setattr("sys.argv", ["readme"])
    readme.README.write_text("mine\n")
    assert readme.main() == 2
    assert "has no place for the table" in capsys.readouterr().err
    assert not readme.FIGURES.exists()
