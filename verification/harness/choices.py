"""Drawing from the state of a machine, fast: decisions in plain Python, each a draw of one small whole number.

To build a strategy for every step costs Hypothesis more than the step itself, and to draw from one for every decision a
tenth of it. `chosen` makes one strategy of a function that decides with a `Choose`, which asks for whole numbers
underneath all strategies; what the function returns prints in the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

ENDS = 127
"""From this many numbers on, those at both ends are drawn more often, as `st.integers` does."""


class Choose:
    """Decisions that Hypothesis makes, records and shrinks: towards first options and low numbers."""

    def __init__(self, data: ConjectureData) -> None:
        self._data = data

    def draw(self, strategy: SearchStrategy[T]) -> T:
        """A value of a strategy, for what is more than a number."""
        return self._data.draw(strategy)

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        weights = None
        if high - low > ENDS:
            weights = {low: 2 / 128, low + 1: 1 / 128, high - 1: 1 / 128, high: 2 / 128}
        return self._data.draw_integer(low, high, weights=weights)

    def one(self, options: Sequence[T]) -> T:
        """One of the options, of which there must be at least one."""
        return options[self.number(0, len(options) - 1)] if len(options) > 1 else options[0]

    def yes(self) -> bool:
        """Yes or no."""
        return self.number(0, 1) == 1

    def edge(self, edges: Sequence[int], low: int, high: int) -> int:
        """One of the edges twice in three times, else any number from `low` to `high`."""
        return self.one(edges) if self.number(0, 2) else self.number(low, high)


class _Chosen(SearchStrategy[T]):
    """Draws what a method of the machine decides."""

    def __init__(self, method: Callable[[Any, Choose], T]) -> None:
        super().__init__()
        self.method = method

    def do_draw(self, data: ConjectureData) -> T:
        return self.method(data.hypothesis_runner, Choose(data))


def chosen(method: Callable[[Any, Choose], T]) -> SearchStrategy[T]:
    """The strategy of what `method(machine, choose)` decides."""
    return _Chosen(method)
