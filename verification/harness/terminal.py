"""What pytest shows of a failure: once, shortly, with lines that can be pasted into the REPL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from verification.harness import counters, journal, telling
from verification.harness.telling import Told
from wattproof.outputs import brief

_SLOW = re.compile(r"WARNING: Hypothesis has spent.*?for everyone\.\n?", re.DOTALL)
"""Hypothesis asks for a report where it shortens a history for long. That a step here takes long is no fault of it."""


def trace(report: Any, told: Sequence[Told]) -> None:
    """Adds to a report of pytest the call trees of the histories that failed, or in one line why there are none.

    The histories are played once more for it, on py-evm: revm knows no call trees.
    """
    from verification.session import with_call_trees  # Not for those that ask for none: it loads all of the REPL.

    for one in told:
        if one.lines:
            with counters.uncounted(), journal.paused():
                try:
                    one.call_tree = list(with_call_trees(one.lines))
                except Exception as problem:  # Whatever a faulty contract makes of it there.
                    one.call_tree = [f"no call tree: on py-evm the history fails otherwise ({brief(problem)})"]
        else:
            one.call_tree = [f"no call tree: {one.why or 'the failure has no history'}"]
        report.sections.append(("call tree of each step", "\n".join(one.call_tree)))


def tell(item: Any, call: Any, report: Any, told: Sequence[Told], rerun: str) -> None:
    """Puts into a report of pytest what is told of the failures of a test.

    What does not hold takes the place of the traceback, which shows the machinery; an error in a test keeps its own.
    """
    if not told:
        return
    if violated := [one for one in told if isinstance(one.failure, counters.Violated)]:
        report.summary = ", ".join(one.summary for one in violated)
    shown = [telling.text(one, counters.STORIES, item.nodeid, place) for place, one in enumerate(told, 1)]
    again = f"to run it again: {rerun}"
    if len(violated) == len(told):
        report.longrepr = "\n\n".join([*filter(None, shown), again])
    elif any(one.lines for one in told):
        for one in told:
            one.failure.__notes__ = []  # Hypothesis tells the history in its own words, and the call.
        report.longrepr = item.repr_failure(call.excinfo)
        report.sections.append(("its history", "\n\n".join([*filter(None, shown), again])))
    report.sections = [(name, _SLOW.sub("", text)) for name, text in report.sections if _SLOW.sub("", text).strip()]
