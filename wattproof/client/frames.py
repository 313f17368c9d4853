"""The API's lists as pandas frames: exact whole numbers, times with their zone.

Whole numbers are `Int64` where all of a column fit into 64 bits, and Python's own beyond, in a column of objects: money
in base units often does not fit. Ratios are `Float64`; what is unknown is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from wattproof.client import records
from wattproof.client.reading import kinds

if TYPE_CHECKING:
    from wattproof.client.client import Client

TIMES = ("created_at", "timestamp", "starts", "ends", "since", "until")
"""The columns that are times."""

_LARGEST = 2**63


class Frames:
    """A frame for each list, with all rows of all pages; arguments are the filters of the list.

    zone   in which times are shown
    """

    def __init__(self, client: Client, zone: str = "UTC") -> None:
        self._client = client
        self.zone = zone

    def in_zone(self, zone: str) -> Frames:
        """The same, with times of another zone, such as Europe/London."""
        return Frames(self._client, zone)

    def quotes(self, **filters: Any) -> pd.DataFrame:
        """Quotes."""
        return self._frame(records.Quote, self._client.quotes(**filters))

    def bids(self, **filters: Any) -> pd.DataFrame:
        """Bids."""
        return self._frame(records.Bid, self._client.bids(**filters))

    def trades(self, **filters: Any) -> pd.DataFrame:
        """Sales."""
        return self._frame(records.Trade, self._client.trades(**filters))

    def unsold(self, **filters: Any) -> pd.DataFrame:
        """What nobody bought."""
        return self._frame(records.Unsold, self._client.unsold(**filters))

    def accounts(self, **filters: Any) -> pd.DataFrame:
        """Parties."""
        return self._frame(records.Party, self._client.accounts(**filters))

    def readings(self, **filters: Any) -> pd.DataFrame:
        """Readings."""
        return self._frame(records.Reading, self._client.readings(**filters))

    def positions(self, **filters: Any) -> pd.DataFrame:
        """Positions."""
        return self._frame(records.Position, self._client.positions(**filters))

    def bills(self, **filters: Any) -> pd.DataFrame:
        """Bills."""
        return self._frame(records.Bill, self._client.bills(**filters))

    def periods(self, **filters: Any) -> pd.DataFrame:
        """What delivery periods came to."""
        return self._frame(records.Period, self._client.periods(**filters))

    def phases(self, at: int | None = None) -> pd.DataFrame:
        """The delivery periods in which something can happen."""
        return self._frame(records.Phase, self._client.phases(at))

    def indices(self, from_period: int | None = None, to_period: int | None = None) -> pd.DataFrame:
        """The indices."""
        return self._frame(records.Index, self._client.indices(from_period, to_period))

    def defaults(self, **filters: Any) -> pd.DataFrame:
        """Broken promises."""
        return self._frame(records.Default, self._client.defaults(**filters))

    def invariants(self) -> pd.DataFrame:
        """How often each promise was checked."""
        return self._frame(records.Invariant, self._client.invariants().invariants)

    def alarms(self, **filters: Any) -> pd.DataFrame:
        """Alarms."""
        return self._frame(records.Alarm, self._client.alarms(**filters))

    def blocks(self, **filters: Any) -> pd.DataFrame:
        """Blocks."""
        return self._frame(records.Block, self._client.blocks(**filters))

    def calls(self, **filters: Any) -> pd.DataFrame:
        """Calls."""
        return self._frame(records.Call, self._client.calls(**filters))

    def events(self, **filters: Any) -> pd.DataFrame:
        """Events."""
        return self._frame(records.Event, self._client.events(**filters))

    def _frame(self, record: type, rows: list[Any]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                name: self._column(name, kind, [getattr(row, name) for row in rows])
                for name, (kind, _) in kinds(record).items()
            }
        )

    def _column(self, name: str, kind: Any, values: list[Any]) -> pd.Series:
        if name in TIMES:
            return pd.to_datetime(pd.Series(values, dtype="Int64"), unit="s", utc=True).dt.tz_convert(self.zone)
        if kind is int:
            fits = all(value is None or -_LARGEST <= value < _LARGEST for value in values)
            return pd.Series(values, dtype="Int64" if fits else "object")
        if kind is Decimal:
            return pd.Series([None if value is None else float(value) for value in values], dtype="Float64")
        if kind is bool:
            return pd.Series(values, dtype="boolean")
        return pd.Series(values, dtype="str" if kind is str else "object")


def named(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """A copy of a frame in which each address that has a name is that name."""
    return frame.map(lambda value: names.get(value, value) if isinstance(value, str) else value)
