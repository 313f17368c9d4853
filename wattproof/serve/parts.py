"""Parts of a path: numbers and addresses. What is none names nothing that exists."""

from __future__ import annotations

from wattproof.serve.fields import MAX_NUMBER, checksummed, whole
from wattproof.serve.problems import Problem

MAX_PLACE = 2**31 - 1
"""Of places in a block or among the sales of a quote."""


def number(what: str, text: str, most: int = MAX_NUMBER) -> int:
    """A whole number in a path. Problem 404."""
    try:
        return whole(text, most)
    except ValueError:
        raise Problem(404, f"there is no such {what}: it is a whole number from 0 to {most}") from None


def account(text: str) -> str:
    """An address in a path, in checksum form. Problem 404."""
    try:
        return checksummed(text)
    except ValueError as problem:
        raise Problem(404, f"there is no such account: {problem}") from None
