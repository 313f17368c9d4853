"""Tables on a terminal or in a log."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WIDEST = 1000
"""Columns that a table may take."""


def show(console: Console, table: Table) -> None:
    """Prints a table with all of its figures. Where there are too few columns for it the terminal breaks its lines:
    left to itself, rich cuts the figures."""
    wanted = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    before = console._width
    console.width = max(console.width, wanted)
    try:
        console.print(table)
    finally:
        console._width = before
