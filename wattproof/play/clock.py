"""The clock of a market to play with."""

from __future__ import annotations

from typing import Any

from wattproof.market.clock import Clock
from wattproof.market.units import Display
from wattproof.play.shown import Show, Told
from wattproof.play.slips import in_one_line, no_such, one_line
from wattproof.terms.model import Phase


@in_one_line
class MarketClock(Clock):
    """The clock of one market; a period that is not named is the last one that anybody quoted.

    Times and periods are whole numbers that show local time.
    """

    def __init__(self, market: Any, show: Show | None = None) -> None:
        super().__init__(market.PERIOD_LENGTH(), market.WINDOW(), market.env)
        self._market = market
        self._show = show or Show(Display(), {}, self.period_length)

    @property
    def now(self) -> int:
        """The block's time, in seconds."""
        return self._moment(super().now)

    @now.setter
    def now(self, second: int) -> None:
        before = super().now
        if isinstance(second, int) and 0 <= second < before:
            raise ValueError(f"that is {before - second} s ago; time runs one way, and a new Market() begins anew")
        Clock.now.fset(self, second)  # type: ignore[attr-defined]

    @property
    def period(self) -> int:
        """The delivery period that runs now."""
        return self._period(super().period)

    @period.setter
    def period(self, period: int) -> None:
        raise ValueError('the period that runs is a matter of time: clock.to("DELIVERING", period) moves there')

    def current(self) -> int:
        """The period of the newest quote or, before the first one, the next that can be quoted."""
        count = self._market.quote_count()
        return self._period(self._market.quote(count).period) if count else self.next_quotable()

    def next_quotable(self, now: int | None = None) -> int:
        """The earliest delivery period that is still in BIDDING at the second `now`, by default the block's time."""
        return self._period(super().next_quotable(now))

    def phase(self, period: int | None = None) -> Phase:
        """The phase in which a period stands now."""
        period = self.current() if period is None else period
        self.begins(Phase.DELIVERING, period)  # ValueError for what is no period
        return Phase(self._market.phase(period))

    def begins(self, phase: Phase | str, period: int | None = None) -> int:
        """The second at which `phase` of `period` begins. ValueError for BIDDING, which has no beginning."""
        return self._moment(super().begins(phase, self.current() if period is None else period))

    def to(self, phase: Phase | str, period: int | None = None) -> int:
        """Moves to the beginning of `phase` and returns that second. ValueError where it is past."""
        return self._moment(super().to(phase, self.current() if period is None else period))

    def _moment(self, second: int) -> int:
        return Told(second, self._show.moment(second))

    def _period(self, period: int) -> int:
        return Told(period, self._show.period(period))

    @one_line
    def __setattr__(self, name: str, value: Any) -> None:
        """A clock that went by another window, or whose `phase` were a word, would tell and move to the wrong times."""
        fixed = name in ("period_length", "window") and name in vars(self)
        if fixed or not (name.startswith("_") or name in ("now", "period", "period_length", "window")):
            raise AttributeError(
                f'the clock\'s {name} cannot be set: clock.to("REVEALING") moves time, and clock.now = ...'
            )
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise no_such("the clock", name, dir(self))

    def __repr__(self) -> str:
        period = self.current()
        return f"<clock at {self.now}: period {period} is in {self.phase(period).name}>"
