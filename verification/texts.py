"""What other programs print, as every form of a report can hold it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

LONGEST = 8_000
"""Characters of a failure's text or of the end of a log that are kept."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
"""What a terminal takes for colours and the like."""

_UNPRINTED = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, halves of surrogate pairs, and separators that some programs take for the end of a line."""


def plain(value: Any) -> Any:
    """A value as JSON can hold it, with plain texts: whatever XML, HTML or UTF-8 cannot hold is replaced or gone."""
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, dict):
        return {_plain(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _plain(text: str) -> str:
    text = _ESCAPE.sub("", text.replace("\r\n", "\n"))
    return text if text.isprintable() else "".join(map(_printed, text))


def _printed(character: str) -> str:
    kept = character in "\n\t" or unicodedata.category(character) not in _UNPRINTED
    return character if kept and ord(character) & 0xFFFE != 0xFFFE else "\N{REPLACEMENT CHARACTER}"


def bounded(text: str, most: int = LONGEST) -> str:
    """A text that is not too long: of a longer one its beginning and, mostly, its end."""
    if len(text) <= most:
        return text
    first = most // 4
    return f"{text[:first]}\n… {len(text) - most} characters are left out …\n{text[first - most :]}"


def end_of(file: Path, lines: int = 60) -> str:
    """The last lines of a log, plain; empty where there is none. Raises OSError where it cannot be read."""
    if not file.is_file():
        return ""
    text = plain(file.read_text(encoding="utf-8", errors="replace"))
    return bounded("\n".join(text.rstrip().splitlines()[-lines:]))
