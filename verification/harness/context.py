"""Remarks for Hypothesis' statistics. Histories are played outside its tests, too, where nobody listens."""

from __future__ import annotations

import hypothesis


def event(text: str) -> None:
    """Counts the history in the statistics under that name."""
    if hypothesis.currently_in_test_context():
        hypothesis.event(text)


def target(distance: int, label: str) -> None:
    """Tells Hypothesis how near a history came to something, of which it looks for more."""
    if hypothesis.currently_in_test_context():
        hypothesis.target(distance, label=label)
