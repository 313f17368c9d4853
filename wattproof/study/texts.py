"""Values, and tables of them, as they stand in the document."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any


def shown(value: Any) -> str:
    """A value as it stands in the document; an interval as "14.2 (13.1 to 15.3)"."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        if value["mean"] is None:
            return "-"
        around = "" if value["low"] is None else f" ({value['low']} to {value['high']})"
        return f"{value['mean']}{around}".replace("-", "−")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return re.sub(r"^-(?=\d)", "−", str(value))


def escaped(text: str) -> str:
    """A text that came from outside as Markdown that says just that: no columns, tags, comments or links of its own."""
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", html.escape(text, quote=False))


def kwh(wh: int) -> str:
    """Wh in kWh, exact: "12.345"."""
    return f"{wh // 1000}.{wh % 1000:03}"


def table(heading: Sequence[str], keys: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> str:
    """A line for each entry, with what it has at `keys`."""
    return markdown(heading, [[entry[key] for key in keys] for entry in entries])


def markdown(heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The first column to the left, the others to the right."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *([shown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
