"""Reads `docs/equivalent-mutants.md`: the mutants that cannot change behaviour, each with its reason."""

from __future__ import annotations

import re
from pathlib import Path

from verification.campaigns.suite import reasons

FILE = Path("docs/equivalent-mutants.md")

_ROW = re.compile(r"^\| `([0-9a-f]{10})` \|.*\|([^|]+)\|$", re.MULTILINE)


def explained(root: Path) -> dict[str, str]:
    """The reason of every mutant in the list, by the mutant's name. Raises Unsound where one is listed twice."""
    return {name: reason for (name,), reason in reasons(root / FILE, _ROW).items()}
