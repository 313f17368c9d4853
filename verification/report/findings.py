"""The findings of a report, each with severity and status: what failed is open, the known issues are accepted.

The severity of a known issue stands in invariants.md, that of what failed follows from what it breaks.
"""

from __future__ import annotations

import re
from typing import Any

OPEN, ACCEPTED = "open", "known, accepted"

SEVERITIES = ("high", "medium", "low", "unknown")
"""From the worst; unknown is that of a test that failed without an invariant."""

LEVELS = (
    "High: who neither erred nor could know better may lose the worth of its energy, or its money stays locked. "
    "Medium: the loss has a low bound or needs a partner or a trusted key, or somebody is kept from trading. "
    "Low: the loss is within fees or compensations."
)
"""What the severity of a known issue means, in the words of invariants.md."""

_HIGH = {"conservation", "intent", "liveness"}
"""Kinds of invariants whose violation costs somebody money, or locks it."""

_RISK = re.compile(r"\[(high|medium|low)\] \*\*(.+?)\*\*(.*)", re.DOTALL)


def findings(entries: list[dict[str, Any]], failed: list[dict[str, Any]], risks: list[str]) -> list[dict[str, Any]]:
    """All of them, the open ones first, and of either the severest first.

    Each has `name` (an invariant, a test, or "risk N"), `severity`, `status`, a `title`, and `anchor`: where in the
    page it is told.
    """
    opened = [
        _finding(row["id"], severity(row), OPEN, row["statement"], row["id"])
        for row in entries
        if row["status"] == "falsified"
    ]
    known = {row["id"] for row in entries}
    tests = {one["test"]: one["error"] for one in failed if one["invariant"] not in known}
    opened += [_finding(test, "unknown", OPEN, error, "failures") for test, error in tests.items()]
    return _sorted(opened) + _sorted([_accepted(number, said) for number, said in enumerate(risks, 1)])


def severity(row: dict[str, Any]) -> str:
    """That of an invariant that does not hold: high where money is lost or locked, or somebody may do too much."""
    return "high" if row["kind"] in _HIGH or (row["criterion"] == 4 and row["kind"] == "safety") else "medium"


def _accepted(number: int, said: str) -> dict[str, Any]:
    found = _RISK.match(said)
    level, title = (found[1], found[2].rstrip(".")) if found else ("unknown", said[:80])
    return _finding(f"risk {number}", level, ACCEPTED, title, f"risk-{number}")


def _finding(name: str, level: str, status: str, title: str, anchor: str) -> dict[str, Any]:
    return {"name": name, "severity": level, "status": status, "title": title, "anchor": anchor}


def _sorted(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda one: SEVERITIES.index(one["severity"]))
