"""Reads `docs/equivalent-mutants.md`: the mutants that cannot change behaviour, each with its reason."""

from __future__ import annotations

import re
from pathlib import Path

FILE = Path("docs/equivalent-mutants.md")

_ROW = re.compile(r"^\| `([0-9a-f]{10})` \|(.*)\|([^|]+)\|$", re.MULTILINE)


def explained(root: Path) -> dict[str, str]:
    """The reason of every mutant in the list, by the mutant's name. ValueError where one is listed twice."""
    path = root / FILE
    if not path.is_file():
        return {}
    rows = _ROW.findall(path.read_text())
    reasons = {name: reason.strip() for name, _, reason in rows}
    if len(reasons) != len(rows):
        names = [name for name, *_ in rows]
        raise ValueError(f"{FILE}: listed twice: {sorted({name for name in names if names.count(name) > 1})}")
    return reasons
