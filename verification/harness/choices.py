"""Drawing from the state of a machine: decisions in plain Python, each a draw of one small whole number.

`drawn` makes a strategy of a function that decides with a `Choose`; what the function returns prints in the trace.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choose:
    """Decisions that Hypothesis makes, records and shrinks: towards first options and low numbers."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        """A value of a strategy, for what is more than a number."""

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return self.draw(_integers(low, high))

    def one(self, options: Sequence[T]) -> T:
        """One of the options, of which there must be at least one."""
        return options[self.number(0, len(options) - 1)] if len(options) > 1 else options[0]

    def yes(self) -> bool:
        """Yes or no."""
        return self.number(0, 1) == 1

    def edge(self, edges: Sequence[int], low: int, high: int) -> int:
        """One of the edges twice in three times, else any number from `low` to `high`."""
        return self.one(edges) if self.number(0, 2) else self.number(low, high)


@functools.lru_cache(maxsize=10_000)
def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    # Making a strategy takes longer than drawing from it.
    return st.integers(low, high)


def drawn(decide: Callable[[Any, Choose], T]) -> st.SearchStrategy[T]:
    """The strategy of what `decide(machine, choose)` returns, for the argument of a rule."""

    @st.composite
    def decision(draw: st.DrawFn) -> T:
        return decide(draw(_RUNNER), Choose(draw))

    return decision()


_RUNNER = st.runner()
