"""The client: a method for each route, typed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from wattproof.client import records
from wattproof.client.http import ApiError, Server
from wattproof.client.reading import read
from wattproof.client.streaming import Message, messages

if TYPE_CHECKING:
    from wattproof.client.frames import Frames
    from wattproof.client.sending import Sending

Record = TypeVar("Record")


class Client:
    """A market, by the data API of `wattproof serve`. Whatever goes wrong is an ApiError, in one line.

    Lists have all rows of all pages, the oldest first; their filters are those of the API (see /docs of the server).

    frames    the same lists as pandas frames
    sending   transactions: made by the server, checked and signed here, relayed by the server
    """

    def __init__(self, url: str = "http://127.0.0.1:8080", timeout: float = 30) -> None:
        """Nothing is asked yet. `timeout`: seconds for one answer."""
        self.server = Server(url, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self.server.close()

    @cached_property
    def frames(self) -> Frames:
        """The lists as pandas frames."""
        from wattproof.client.frames import Frames

        return Frames(self)

    @cached_property
    def sending(self) -> Sending:
        """Transactions."""
        from wattproof.client.sending import Sending

        return Sending(self)

    # ---- the market ----------------------------------------------------------------------

    def status(self) -> records.Status:
        """What is served, and as of which block."""
        return self._one(records.Status, "status")

    def phases(self, at: int | None = None) -> list[records.Phase]:
        """The delivery periods in which something can happen, at a second or now."""
        return self._part(records.Phase, "phases", "periods", at=at)

    def phase(self, period: int, at: int | None = None) -> records.Phase:
        """Where one delivery period stands, at a second or now."""
        return self._one(records.Phase, f"phases/{period}", at=at)

    # ---- the trade -----------------------------------------------------------------------

    def quotes(self, **filters: Any) -> list[records.Quote]:
        """Quotes; filters: prosumer, period, from_period, to_period, status."""
        return self._all(records.Quote, "quotes", filters)

    def quote(self, quote_id: int) -> records.Quote:
        """One quote."""
        return self._one(records.Quote, f"quotes/{quote_id}")

    def bids(self, **filters: Any) -> list[records.Bid]:
        """Bids; filters: quote_id, bidder, period, from_period, to_period, status."""
        return self._all(records.Bid, "bids", filters)

    def bid(self, quote_id: int, bidder: str) -> records.Bid:
        """One bid."""
        return self._one(records.Bid, f"bids/{quote_id}/{bidder}")

    def trades(self, **filters: Any) -> list[records.Trade]:
        """Sales; filters: quote_id, buyer, prosumer, period, from_period, to_period, kind, settled."""
        return self._all(records.Trade, "trades", filters)

    def trade(self, quote_id: int, index: int) -> records.Trade:
        """One sale."""
        return self._one(records.Trade, f"trades/{quote_id}/{index}")

    def unsold(self, **filters: Any) -> list[records.Unsold]:
        """What nobody bought; filters: prosumer, period, from_period, to_period."""
        return self._all(records.Unsold, "unsold", filters)

    # ---- households ----------------------------------------------------------------------

    def accounts(self, **filters: Any) -> list[records.Party]:
        """Parties; filters: role, authorized."""
        return self._all(records.Party, "accounts", filters)

    def account(self, address: str) -> records.Party:
        """One party."""
        return self._one(records.Party, f"accounts/{address}")

    def readings(self, **filters: Any) -> list[records.Reading]:
        """Readings; filters: user, period, from_period, to_period."""
        return self._all(records.Reading, "readings", filters)

    def reading(self, user: str, period: int) -> records.Reading:
        """One reading."""
        return self._one(records.Reading, f"readings/{user}/{period}")

    def positions(self, **filters: Any) -> list[records.Position]:
        """Positions; filters: user, period, from_period, to_period, settled."""
        return self._all(records.Position, "positions", filters)

    def position(self, user: str, period: int) -> records.Position:
        """One position."""
        return self._one(records.Position, f"positions/{user}/{period}")

    def bills(self, **filters: Any) -> list[records.Bill]:
        """Bills; filters: household, period, from_period, to_period; by="period": for each household and period."""
        return self._all(records.Bill, "bills", filters)

    # ---- figures -------------------------------------------------------------------------

    def periods(self, **filters: Any) -> list[records.Period]:
        """What delivery periods came to; filters: from_period, to_period."""
        return self._all(records.Period, "periods", filters)

    def period(self, number: int) -> records.Period:
        """What one delivery period came to."""
        return self._one(records.Period, f"periods/{number}")

    def indices(self, from_period: int | None = None, to_period: int | None = None) -> list[records.Index]:
        """The indices of Zhou et al. 2018, and two ratios."""
        return self._part(records.Index, "indices", "indices", from_period=from_period, to_period=to_period)

    def defaults(self, **filters: Any) -> list[records.Default]:
        """Broken promises; filters: user, period, from_period, to_period, kind."""
        return self._all(records.Default, "defaults", filters)

    # ---- the watcher ---------------------------------------------------------------------

    def invariants(self) -> records.Proof:
        """How far the watcher's proof goes."""
        return self._one(records.Proof, "invariants")

    def alarms(self, **filters: Any) -> list[records.Alarm]:
        """Alarms; filters: invariant, from_block, to_block."""
        return self._all(records.Alarm, "alarms", filters)

    def alarm(self, block: int, index: int) -> records.Alarm:
        """One alarm."""
        return self._one(records.Alarm, f"alarms/{block}/{index}")

    def blocks(self, **filters: Any) -> list[records.Block]:
        """Blocks; filters: from_block, to_block."""
        return self._all(records.Block, "blocks", filters)

    def block(self, number: int) -> records.Block:
        """One block."""
        return self._one(records.Block, f"blocks/{number}")

    def calls(self, **filters: Any) -> list[records.Call]:
        """Calls; filters: block, from_block, to_block, transaction, sender, function, accepted."""
        return self._all(records.Call, "calls", filters)

    def events(self, **filters: Any) -> list[records.Event]:
        """Events; filters: block, from_block, to_block, transaction, name, quote_id, user, period."""
        return self._all(records.Event, "events", filters)

    def stream(self, after: str | None = None) -> Iterator[Message]:
        """What is new, as it comes, for as long as it is read; `after` is the ID of the last message that was read."""
        return messages(self.server, after)

    # ---- parts ---------------------------------------------------------------------------

    def _one(self, record: type[Record], path: str, **query: Any) -> Record:
        return read(record, self.server.get(path, **query))

    def _all(self, record: type[Record], path: str, filters: dict[str, Any]) -> list[Record]:
        return [read(record, row) for row in self.server.rows(path, **filters)]

    def _part(self, record: type[Record], path: str, part: str, **query: Any) -> list[Record]:
        answer = self.server.get(path, **query)
        rows = answer.get(part) if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise ApiError(f"{self.server.host} answers {path} without {part}: is it of another version?")
        return [read(record, row) for row in rows]
