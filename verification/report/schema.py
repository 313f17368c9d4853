"""What evidence.json promises to look like: `schema.json`, and whether a document keeps it."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON Schema of evidence.json."""
    return json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8"))


def problem(value: Any, *path: str) -> str | None:
    """What is wrong with a document, or with the part of one that lies at `path`, in a line; None where nothing is."""
    part = schema()
    for step in path:
        part = part["properties"][step]
    found = best_match(Draft202012Validator(part).iter_errors(value))
    if found is None:
        return None
    return f"{'/'.join(map(str, (*path, *found.absolute_path))) or 'the whole of it'}: {found.message[:200]}"
