"""No figure of a table is cut, however few columns the terminal has."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from wattproof.cli import main
from wattproof.evm.engine import available
from wattproof.tables import show

DAY = "period,household,load_wh,pv_wh\n11,sunny,100,1100\n11,cloudy,1000,0\n"


@pytest.mark.parametrize("width", [0, 1, 20, 200])
def test_a_table_keeps_its_figures(width: int) -> None:
    table = Table("household", "imported", "p")
    table.add_row("sunny", "12345.678", "-1234567.89")
    console = Console(file=io.StringIO(), width=width)
    show(console, table)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(word in said for word in ("household", "12345.678", "-1234567.89"))
    assert console.width == width


@pytest.mark.parametrize("columns", ["0", "40"])
def test_bills_are_whole(
    columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 is a terminal that does not know its size."""
    (tmp_path / "day.csv").write_text(DAY)
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["day", "--engine", available()[-1], "--households", str(tmp_path / "day.csv")]) == 0
    bills = capsys.readouterr().out.split("Community")[0]
    assert "imported" in bills and "…" not in bills
