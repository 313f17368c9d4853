"""`wattproof study`: exit codes, files, and the document that it renews and checks."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.study.conftest import DAY, write_day
from wattproof import cli
from wattproof.evm.engine import available
from wattproof.simulation.households import open_households
from wattproof.study import command, document, plan, standing
from wattproof.study.communities import Base, Frame
from wattproof.study.plan import FULL, Size, Task, sized, workers
from wattproof.study.runs import Run

FASTEST = available()[-1]
TINY = Size("tiny", 1, 1, 2, 1, 1, 1, 1, (3, 6), 2)
DOCS = Path(__file__).parents[2] / "docs"

FIGURES = (
    *("figure-04-generation", "figure-05-net-production", "figure-06-pricing", "figure-07-supply-and-demand"),
    *("figure-08-costs-sdr-above-1", "figure-09-costs-sdr-below-1", "figure-10-producers", "figure-11-irregular"),
    *("figure-12-ordinary", "figure-13-regular", "figure-14-daily-costs", "figure-15-deal-probability"),
    *("beyond-steps", "beyond-adaptation", "beyond-month", "beyond-strategies", "beyond-ranking", "beyond-scale"),
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plays a study of seconds."""
    for module in (plan, standing):
        monkeypatch.setattr(module, "FARMED", (500, 1000))
    monkeypatch.setattr(command, "FULL", TINY)
    monkeypatch.setattr(command, "REDUCED", TINY)


@pytest.fixture
def played_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plays the first study only; later ones in a test have its results."""
    play, kept = command._play, []

    def once(*arguments: Any) -> Any:
        if not kept:
            kept.append(play(*arguments))
        return kept[0]

    monkeypatch.setattr(command, "_play", once)


def study(path: Path, out: Path, **options: Path) -> tuple[int, str]:
    """Runs the study in this process; returns the exit code and what was printed."""
    text = io.StringIO()
    code = command.run_study(path, 1, out, FASTEST, 1, Console(file=text, width=200), **options)
    return code, text.getvalue()


def test_writes_every_figure_and_keeps_the_document_true(
    tmp_path: Path, played_once: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out, docs = write_day(tmp_path / "day.csv"), tmp_path / "out", tmp_path / "docs"
    docs.mkdir()
    text = (DOCS / document.NAME).read_text()
    # The shipped document names no household in its numbers, so it can tell any community's study.
    (docs / document.NAME).write_text(document.MARKER.sub(r"<!--=\1-->?<!--/-->", text))

    code, printed = study(path, out, docs=docs)
    assert code == 0, capsys.readouterr().err
    assert "roof" in printed and "On the paper's day" in printed
    lengths = {}
    for name in FIGURES:
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        svg = (out / f"{name}.svg").read_text()
        assert "</svg>" in svg
        assert "prefers-color-scheme: dark" in svg, "a white box on a dark page"
        assert ">%</text>" not in svg or not re.match(r"figure-1[0-3]", name), "two labels side by side"
        assert "LineCollection" in svg or not name.startswith("figure-15"), "points with their intervals, no bars"
        with open(out / f"{name}.csv", newline="") as file:
            lengths[name] = len(list(csv.reader(file))) - 1
    # Its two consumers are of one class or of two.
    classes = ("figure-11-irregular", "figure-12-ordinary", "figure-13-regular")
    assert sum(lengths.pop(name) for name in classes) == 2 * DAY
    assert min(lengths.values()) > 0
    renewed = (docs / document.NAME).read_text()
    assert "-->?<!--" not in renewed
    assert json.loads((docs / document.DATA).read_text()) == json.loads((out / "results.json").read_text())
    shown = document.FIGURE.findall(text)
    assert sorted(file.stem for file in (docs / "figures").iterdir()) == sorted(shown)

    code, printed = study(path, tmp_path / "again", check=docs)
    assert (code, capsys.readouterr().err) == (0, "")
    assert "as played" in printed
    # The same figures again, but for the one that shows times.
    for name in FIGURES[:-1]:
        assert (out / f"{name}.svg").read_bytes() == (tmp_path / "again" / f"{name}.svg").read_bytes(), name

    wrong = renewed.replace("<!--=day.market_p-->", "<!--=day.market_p-->1", 1)
    assert wrong != renewed
    (docs / document.NAME).write_text(wrong)
    code, _ = study(path, tmp_path / "again", check=docs)
    problems = capsys.readouterr().err.splitlines()
    assert code == 1
    assert problems[0].startswith("day.market_p: says '1")
    assert len(problems) == 2


@pytest.mark.parametrize("panels", [True, False])
def test_a_community_that_lacks_consumers_or_prosumers(
    tmp_path: Path, panels: bool, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "day.csv"
    sun = 300 if panels else 0
    # Names that look like markup, a formula or columns are shown as they are, also those that no font has.
    lines = [f"{period},{name},100,{sun}" for period in range(DAY) for name in ("[b]one", "a$\\foo$|王")]
    path.write_text("\n".join(["period,household,load_wh,pv_wh", *lines]) + "\n")
    code, printed = study(path, tmp_path / "out")
    assert code == 0
    assert (capsys.readouterr().err, [str(warning.message) for warning in recwarn]) == ("", [])
    assert "[b]one" in printed
    for file in (tmp_path / "out").glob("*.csv"):
        cells = [cell for row in csv.reader(file.read_text().splitlines()) for cell in row]
        assert [cell for cell in cells if cell[:1] in "=+-@" and not re.fullmatch(r"|-|-[0-9.]+", cell)] == []
    assert {file.stem for file in (tmp_path / "out").glob("*.png")} == set(FIGURES)


def test_part_of_a_day_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "day.csv"
    path.write_text("period,household,load_wh,pv_wh\n0,one,1,1\n")
    assert cli.main(["study", "--households", str(path), "--out", str(tmp_path / "out"), "--engine", FASTEST]) == 2
    assert capsys.readouterr().err == f"{path}: 1 periods: a study needs whole days of 48 each\n"
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_document_is_refused_before_the_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = study(write_day(tmp_path / "day.csv"), tmp_path / "out", check=tmp_path)
    assert code == 2
    assert capsys.readouterr().err == f"{tmp_path / document.NAME}: is not there; name the folder of case-study.md\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_jobs_are_a_number_above_0(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["study", "--jobs", jobs])
    assert stopped.value.code == 2
    assert "must be a whole number above 0" in capsys.readouterr().err


def test_the_reference_engine_plays_less_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played = []
    monkeypatch.setattr(
        command,
        "_play",
        lambda base, size, *_: played.append(size) or (_ for _ in ()).throw(OSError(28, "full", "there")),
    )
    monkeypatch.setattr(command, "FULL", Size("other", 1, 1, 1, 1, 1, 1, 1, (3,), 1))
    text = io.StringIO()
    path = write_day(tmp_path / "day.csv")
    path.write_text(path.read_text().replace(",400,", ",4,"))
    assert command.run_study(path, 1, tmp_path / "out", "pyevm", 1, Console(file=text, width=200)) == 2
    assert played == [TINY]
    assert "reduced" in text.getvalue()
    warning = "household 'shop': load_wh at most 4 in a period: is this kWh? Then multiply by 1000"
    assert capsys.readouterr().err == f"{path}: warning: {warning}\nthere: full\n"


def test_fewer_communities_of_many_households() -> None:
    assert [sized(FULL, households).seeds for households in (1, 10, 11, 40, 140)] == [20, 20, 18, 5, 2]
    large = sized(FULL, 140)
    assert (large.days, large.nodes, large.variants, large.strategies) == (FULL.days, FULL.nodes, 2, 2)


def test_processes_play_what_one_would(tmp_path: Path) -> None:
    base = Base.of(open_households(write_day(tmp_path / "day.csv")))
    todo = [Task(("day", seed), Run(Frame(seed, (1,), span=(20, 24)))) for seed in (1, 2)]
    with workers(base, FASTEST, 1) as run:
        alone = {task.key: result for task, result in run(todo)}
    with workers(base, FASTEST, 2) as run:
        together = {task.key: result for task, result in run(todo)}
    assert alone == together
    assert alone["day", 1] != alone["day", 2]
