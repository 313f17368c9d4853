"""JSON that somebody else may have written."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

MAX_DEPTH = 100
"""Lists and objects inside one another. As py-evm lets Python take all of the stack, what is far deeper would end the
process."""

_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
"""Texts, an unfinished one to its end."""

_BRACKETS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_OTHERS = bytes(set(range(256)) - _BRACKETS.keys())
_ALL_BUT_TEXTS = bytes(set(_OTHERS) - {ord('"')})


def parsed(text: str | bytes, max_depth: int = MAX_DEPTH, **options: Any) -> Any:
    """What a JSON text says; `options` are those of `json.loads`. ValueError where it is none, or is too deep."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    if _depth(text.encode(errors="surrogatepass")) > max_depth:
        raise ValueError(f"more than {max_depth} lists and objects inside one another")
    return json.loads(text, **options)


def _depth(text: bytes) -> int:
    """How many lists and objects are inside one another, at most. No step of it is one character at a time: answers of
    nodes have millions."""
    if b"\\" not in text:
        text = text.translate(None, _ALL_BUT_TEXTS)
    brackets = _TEXTS.sub(b"", text).translate(None, _OTHERS)
    return max(itertools.accumulate(map(_BRACKETS.__getitem__, brackets)), default=0)
