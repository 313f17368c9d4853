"""What is claimed of the market: the sentences of invariants.md, which the package holds, too."""

from __future__ import annotations

import functools
import re
from pathlib import Path

ID = re.compile(r"C([1-5])-[A-Z]+-\d+")
"""The name of an invariant."""

STATEMENT = re.compile(rf"^- \*\*({ID.pattern})\*\*: (.+)$", re.MULTILINE)
"""The line of an invariant: name, number of the criterion, sentence."""


@functools.cache
def promises() -> dict[str, str]:
    """The sentence of every invariant, by its ID; none where the package lacks the file."""
    package = Path(__file__).resolve().parent
    for file in (package / "docs" / "invariants.md", package.parent / "invariants.md"):
        if file.is_file():
            return {match[1]: match[3].strip() for match in STATEMENT.finditer(file.read_text(encoding="utf-8"))}
    return {}
