"""The worst attacks that a search for profit found: of each line of docs/threats.md the one nearest to its bound."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from verification.report.facts import number

if TYPE_CHECKING:
    from verification.invariants import Invariant

FAMILY = "C4-PROFIT-"
"""The invariants that bound what somebody can lose to others."""

SUM = "C4-PROFIT-1"
"""The one of them that bounds no loss: it says that all losses together are the gain."""


def told(worst: Mapping[str, Any]) -> dict[str, Any]:
    """An attack as a report shows it: money in base units, and the story with equal calls in a row told once.

    `percent` is the share of the bound, rounded down; None of a bound of 0.
    """
    lost, bound = worst["lost"], worst["bound"]
    story = []
    for line, same in itertools.groupby(worst["story"]):
        times = len(list(same))
        story.append(line if times == 1 else f"{line}   ({times} times)")
    return {
        "victim": worst["victim"],
        "lost": lost,
        "bound": bound,
        "percent": 100 * lost // bound if bound else None,
        "within": lost <= bound,
        "story": story,
    }


def lines(
    rows: Iterable[Invariant],
    terms: Mapping[str, list[dict[str, str]]],
    checked: Mapping[str, int],
    worst: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Every invariant on profit: what it says, here and in docs/threats.md, how often it was checked, the worst attack.

    The attack is None where nobody lost anything, and of `SUM` where the sum was right.
    """
    return [
        {
            "invariant": row.id,
            "statement": row.statement,
            "terms": terms.get(row.id, []),
            "checked": checked.get(row.id, 0),
            "worst": told(worst[row.id]) if row.id in worst else None,
        }
        for row in rows
        if row.id.startswith(FAMILY)
    ]


def nothing(line: Mapping[str, Any]) -> str:
    """What is said of a line of which there is no attack."""
    if not line["checked"]:
        return "never checked"
    return f"{right(line)} in {number(line['checked'])} checks"


def right(line: Mapping[str, Any]) -> str:
    """What was seen of a line of which there is no attack. That the sum of all losses is right is no word on a loss."""
    return "all others lost what was gained" if line["invariant"] == SUM else "nobody lost anything"


def share(worst: Mapping[str, Any]) -> str:
    """The share of the bound, as it is read; of a bound of 0 there is none."""
    of = "" if worst["percent"] is None else f"{number(worst['percent'])} %"
    return of if worst["within"] else f"{of} beyond the bound".strip()
