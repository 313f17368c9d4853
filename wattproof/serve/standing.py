"""How far the store reaches, and where the delivery periods stand as of there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from wattproof.market.clock import Clock
from wattproof.market.tariff import Tariff
from wattproof.serve.served import Served
from wattproof.store.tables import CursorRow
from wattproof.terms.model import MAX_TRADES, Phase, QuoteStatus

MAX_PHASES = 48
"""Periods that are told of at once."""


class Standing:
    """The last watched block of a market, and what follows from its time.

    now   the chain's seconds; None: nothing was watched yet
    """

    def __init__(self, connection: Connection, served: Served) -> None:
        row = connection.execute(select(CursorRow).where(CursorRow.market_id == served.market.id)).mappings().first()
        self._row: dict[str, Any] = dict(row) if row else {}
        tariff: Tariff = served.record.tariff
        self.period_length = tariff.period_length
        self.clock = Clock(tariff.period_length, tariff.window)
        self.now: int | None = self._row.get("timestamp")

    @property
    def watched(self) -> dict[str, Any] | None:
        """The last block in the store."""
        names = ("number", "hash", "timestamp")
        return {name: self._row[name] for name in names} if self._row.get("number") is not None else None

    @property
    def head(self) -> dict[str, Any] | None:
        """The chain's newest block, as the watcher saw it last."""
        if self._row.get("head_number") is None:
            return None
        return {"number": self._row["head_number"], "timestamp": self._row["head_timestamp"]}

    def behind(self) -> dict[str, int | None]:
        """How far the store is behind the chain's head: `behind_blocks` and `behind_seconds`."""
        watched, head = self.watched, self.head
        if watched is None or head is None:
            return {"behind_blocks": None, "behind_seconds": None}
        return {
            "behind_blocks": max(head["number"] - watched["number"], 0),
            "behind_seconds": max(head["timestamp"] - watched["timestamp"], 0),
        }

    @property
    def period(self) -> int | None:
        """The delivery period that runs now."""
        return None if self.now is None else self.now // self.period_length

    def phase(self, period: int, at: int | None = None) -> Phase | None:
        """Where a period stands, at `at` or now."""
        at = self.now if at is None else at
        if at is None:
            return None
        begun = [one for one in Phase if one is not Phase.BIDDING and self.clock.begins(one, period) <= at]
        return begun[-1] if begun else Phase.BIDDING

    def told(self, period: int, at: int) -> dict[str, Any]:
        """Where a period stands at `at`, and when its phases begin."""
        begins = {str(one.name): self.clock.begins(one, period) for one in Phase if one is not Phase.BIDDING}
        since = max((second for second in begins.values() if second <= at), default=None)
        until = min((second for second in begins.values() if second > at), default=None)
        phase = self.phase(period, at)
        return {
            **self.times(period),
            "phase": phase and phase.name,
            "since": since,
            "until": until,
            "seconds_left": None if until is None else until - at,
            "begins": begins,
        }

    def times(self, period: int) -> dict[str, int]:
        """A period, and when its delivery begins and ends."""
        return {
            "period": period,
            "starts": period * self.period_length,
            "ends": (period + 1) * self.period_length,
        }

    def current(self, at: int) -> tuple[int, int]:
        """The periods in which something can happen at `at`: from the last in CLOSING to the first in BIDDING."""
        window = self.clock.window
        return max((at - 2 * window) // self.period_length - 1, 0), self.clock.next_quotable(at)

    def remaining(self, quote: dict[str, Any]) -> int:
        """What may be bought now of a quote (T-SUR-10); 0 where nothing may be."""
        on_sale = quote["status"] == QuoteStatus.MATCHED.name and quote["trades"] < MAX_TRADES
        phase = self.phase(quote["period"])
        if not on_sale or phase not in (Phase.MATCHING, Phase.METERING):
            return 0
        offered = quote["volume_wh"] if phase is Phase.MATCHING else quote["exported_wh"] or 0
        return max(offered - quote["sold_wh"], 0)
