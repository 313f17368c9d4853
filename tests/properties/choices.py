"""Drawing from the state of a machine, fast: decisions in plain Python, each a draw of one small whole number.

To build a strategy for every step costs Hypothesis more than the step itself. `chosen` makes one strategy of a function
that decides with a `Choose`; what it returns prints in the trace.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

_RUNNER = st.runner()


@functools.lru_cache(maxsize=10_000)
def _between(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


class Choose:
    """Decisions that Hypothesis makes, records and shrinks: towards first options and low numbers."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw

    def one(self, options: Sequence[T]) -> T:
        """One of the options, of which there must be at least one."""
        return options[self.draw(_between(0, len(options) - 1))] if len(options) > 1 else options[0]

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return self.draw(_between(low, high))

    def yes(self) -> bool:
        """Yes or no."""
        return self.draw(_between(0, 1)) == 1

    def edge(self, edges: Sequence[int], low: int, high: int) -> int:
        """One of the edges twice in three times, else any number from `low` to `high`."""
        return self.one(edges) if self.draw(_between(0, 2)) else self.number(low, high)


@st.composite
def _chosen(draw: Callable[[st.SearchStrategy[Any]], Any], method: Callable[[Any, Choose], T]) -> T:
    return method(draw(_RUNNER), Choose(draw))


def chosen(method: Callable[[Any, Choose], T]) -> st.SearchStrategy[T]:
    """The strategy of what `method(machine, choose)` decides."""
    return _chosen(method)
