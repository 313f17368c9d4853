"""The clock of a market to play with."""

from __future__ import annotations

from typing import Any

from wattproof.market.clock import FARTHEST, Clock, phase_of
from wattproof.market.units import Display
from wattproof.play.shown import Show, Told
from wattproof.play.slips import in_one_line, no_such, one_line
from wattproof.terms.model import Phase, QuoteStatus


@in_one_line
class MarketClock(Clock):
    """The clock of one market; a period that is not named is the one that it was last moved to or, where something was
    quoted since, the period of that quote.

    Times and periods are whole numbers that show local time.
    """

    def __init__(self, market: Any, show: Show | None = None) -> None:
        super().__init__(market.PERIOD_LENGTH(), market.WINDOW(), market.env)
        self._market = market
        self._show = show or Show(Display(), {}, self.period_length)
        self._moved: tuple[int, int, int] | None = None  # To which period, how many quotes there were, the second.

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
        """The period that is meant where none is named: the one that the clock was last moved to, or of a quote that
        is newer than that; before both the next that can be quoted."""
        count = self._market.quote_count()
        if self._moved and count == self._moved[1] and self.now >= self._moved[2]:  # Else the chain took it back.
            return self._period(self._moved[0])
        return self._period(self._market.quote(count).period) if count else self.next_quotable()

    def next_quotable(self, now: int | None = None) -> int:
        """The earliest delivery period that is still in BIDDING at the second `now`, by default the block's time."""
        return self._period(super().next_quotable(now))

    def phase(self, period: int | None = None) -> Phase:
        """The phase in which a period stands now. ValueError for what is no period, and for the ID of a quote."""
        return Phase(self._market.phase(self.meant(period)))

    def meant(self, period: int | None) -> int:
        """The period that is named, or else the current one. ValueError for what is no period, and as
        `check_no_quote`."""
        if period is None:
            return self.current()
        self.begins(Phase.DELIVERING, period)
        self.check_no_quote(period)
        return period

    def check_no_quote(self, period: int) -> None:
        """ValueError where the ID of a quote can hardly be meant for a period: that was over decades ago."""
        now, count = self.now, self._market.quote_count()
        if 1 <= period <= count and super().begins(Phase.CLOSING, period) < now - FARTHEST // 10:
            quote = self._market.quote(period)
            quoted = f"is of period {self._period(quote.period)}" if quote.status else "is no longer kept"
            raise ValueError(f"period {self._period(period)} is long over; quote {int(period)} {quoted}")

    def begins(self, phase: Phase | str, period: int | None = None) -> int:
        """The second at which `phase` of `period` begins. ValueError for BIDDING, which has no beginning."""
        return self._moment(super().begins(phase, self.current() if period is None else period))

    def to(self, phase: Phase | str, period: int | None = None) -> int:
        """Moves to the beginning of `phase` of a period, by default the current one, and returns that second.

        ValueError where it is past, and where no period is named and the same phase of an earlier one, whose quotes
        are not settled, would be passed by.
        """
        aim = self.meant(period)
        second, now = super().begins(phase, aim), self.now
        name = phase_of(phase).name
        if second < now:
            later = aim + -(-(now - second) // self.period_length)
            raise ValueError(
                f"{name} of period {self._period(aim)} began {now - second} s ago; time runs one way, and the next is "
                f'clock.to("{name}", {int(later)}), at {self.begins(phase, later)}'
            )
        if period is None and (passed := self._passed(phase, aim)):
            first = min(passed)
            raise ValueError(
                f"which period? {name} of {self._period(first)} comes first, and its quote {passed[first]} is not "
                f'settled: clock.to("{name}", {first}), or clock.to("{name}", {int(aim)})'
            )
        super().to(phase, aim)
        self._moved = int(aim), self._market.quote_count(), second
        return self._moment(second)

    def _passed(self, phase: Phase | str, aim: int) -> dict[int, int]:
        """Quotes that are not settled, by period, where `phase` of that period lies between now and that of `aim`."""
        quotes = {number: self._market.quote(number) for number in range(1, self._market.quote_count() + 1)}
        return {
            int(quote.period): number
            for number, quote in quotes.items()
            if quote.status in (QuoteStatus.VALID, QuoteStatus.MATCHED)
            and quote.period < aim
            and super(MarketClock, self).begins(phase, quote.period) > self.now
        }

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
