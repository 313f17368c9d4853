"""JSON that somebody else may have written."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 100
"""Lists and objects inside one another. As py-evm lets Python take all of the stack, what is far deeper would end the
process."""

_PARTS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
"""Texts, an unfinished one to its end, and brackets."""


def parsed(text: str | bytes, **options: Any) -> Any:
    """What a JSON text says; `options` are those of `json.loads`. ValueError where it is none, or is too deep."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    depth = 0
    for part in _PARTS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(part[0], 0)
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} lists and objects inside one another")
    return json.loads(text, **options)
