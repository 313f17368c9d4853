"""Remarks for Hypothesis' statistics. Histories are played outside its tests, too, where nobody listens."""

from __future__ import annotations

import hypothesis


def event(text: str) -> None:
    """Counts the history in the statistics under that name."""
    if hypothesis.currently_in_test_context():
        hypothesis.event(text)
