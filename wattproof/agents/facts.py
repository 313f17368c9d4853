"""What a market's events say of its quotes and of its users' records, as far as something is still to be done.

Pure: no node is asked. Energies are in Wh, prices in base units per Wh, blocks and periods are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wattproof.terms.model import QuoteStatus


@dataclass
class Offer:
    """A quote: `opened` are price and volume of the opened bids, by bidder; `sealed` who bid and has not opened;
    `bought` what winners and buyers got of it."""

    prosumer: str
    period: int
    volume: int
    price: int
    status: QuoteStatus = QuoteStatus.VALID
    sealed: set[str] = field(default_factory=set)
    opened: dict[str, tuple[int, int]] = field(default_factory=dict)
    bought: dict[str, int] = field(default_factory=dict)

    @property
    def sold(self) -> int:
        """What was sold of it."""
        return sum(self.bought.values())

    @property
    def is_open(self) -> bool:
        """Neither taken back nor settled (T-QUO-17)."""
        return self.status in (QuoteStatus.VALID, QuoteStatus.MATCHED)


@dataclass
class Record:
    """A user in a period (T-PARTY-19). `reading` is what counts of exported and imported energy; `claimed` the volume
    of all opened bids and purchases (T-REG-21); `stakes` the quotes that T-ACC-5 counts as open."""

    reading: tuple[int, int] | None = None
    bought: int = 0
    received: int = 0
    claimed: int = 0
    settled: bool = False
    stakes: set[int] = field(default_factory=set)

    @property
    def is_final(self) -> bool:
        """Nothing follows from it any more (T-PARTY-20)."""
        return self.settled or not (self.reading or self.bought or self.stakes)

    @property
    def is_due(self) -> bool:
        """It can be settled as soon as its time has come (T-ACC-2 to T-ACC-4)."""
        return not self.settled and not self.stakes and bool(self.reading or self.bought)


class Facts:
    """What events said. An event of a quote that is not known is passed over: it was finished before.

    offers     quotes by number
    records    by user and period
    began      the first block that told something of a period
    silent     of who lost its authorisation by its silence: the period without a reading (T-MET-9, T-MET-14)
    """

    def __init__(self) -> None:
        self.offers: dict[int, Offer] = {}
        self.records: dict[tuple[str, int], Record] = {}
        self.began: dict[int, int] = {}
        self.silent: dict[str, int] = {}
        self._revoked = ""

    def enter(self, block: int, name: str, fields: dict[str, Any]) -> None:
        """Takes down an event of the market: its name, and its fields by name."""
        self._blame(name, fields)
        if name == "QuoteSubmitted":
            self._quoted(block, **fields)
        elif handler := _OF_QUOTES.get(name):
            offer = self.offers.get(fields["quote_id"])
            if offer is not None:
                handler(self, offer, **fields)
        elif handler := _OF_RECORDS.get(name):
            self._begin(fields["period"], block)
            handler(self.record(fields["user"], fields["period"]), fields)

    def record(self, user: str, period: int) -> Record:
        """The record of a user and period, begun where there is none."""
        return self.records.setdefault((user, period), Record())

    def of_period(self, period: int) -> Iterator[tuple[int, Offer]]:
        """Number and quote of all quotes of a period that were not taken back, in the order of their numbers."""
        for number, offer in sorted(self.offers.items()):
            if offer.period == period and offer.status != QuoteStatus.INVALID:
                yield number, offer

    def unfinished(self) -> set[int]:
        """The periods in which a quote is open or a record is not final."""
        periods = {offer.period for offer in self.offers.values() if offer.is_open}
        return periods | {period for (_, period), record in self.records.items() if not record.is_final}

    def bookmark(self, head: int) -> int:
        """The last block before all that is unfinished: who reads the events after it knows all that is to be done."""
        return min((self.began[period] - 1 for period in self.unfinished()), default=head)

    def forget(self, before: int) -> None:
        """Drops the finished periods before the period `before`."""
        kept = self.unfinished() | {period for period in self.began if period >= before}
        self.offers = {number: offer for number, offer in self.offers.items() if offer.period in kept}
        self.records = {key: record for key, record in self.records.items() if key[1] in kept}
        self.began = {period: block for period, block in self.began.items() if period in kept}

    # ---- events ------------------------------------------------------------------------

    def _blame(self, name: str, fields: dict[str, Any]) -> None:
        """Who loses its authorisation is named just before the settlement that it is lost by, if it is by one."""
        user, period = self._revoked, None
        if name in ("Authorized", "Revoked"):
            self.silent.pop(fields["user"], None)
        elif name == "AccountSettled" and fields["user"] == user:
            period = fields["period"]
        elif name == "QuoteSettled" and (offer := self.offers.get(fields["quote_id"])) and offer.prosumer == user:
            period = offer.period
        if period is not None and not self.record(user, period).reading:
            self.silent[user] = period
        if name != "Cleared":  # That may come in between.
            self._revoked = fields["user"] if name == "Revoked" else ""

    def _begin(self, period: int, block: int) -> None:
        self.began[period] = min(block, self.began.get(period, block))

    def _quoted(self, block: int, quote_id: int, prosumer: str, period: int, volume: int, price: int) -> None:
        self._begin(period, block)
        self.offers[quote_id] = Offer(prosumer, period, volume, price)
        self.record(prosumer, period).stakes.add(quote_id)

    def _taken_back(self, offer: Offer, quote_id: int) -> None:
        offer.status = QuoteStatus.INVALID
        self.record(offer.prosumer, offer.period).stakes.discard(quote_id)

    def _sealed(self, offer: Offer, quote_id: int, bidder: str, seal: bytes) -> None:
        offer.sealed.add(bidder)

    def _opened(self, offer: Offer, quote_id: int, bidder: str, price: int, volume: int) -> None:
        offer.sealed.discard(bidder)
        offer.opened[bidder] = (price, volume)
        record = self.record(bidder, offer.period)
        record.stakes.add(quote_id)
        record.claimed += volume

    def _rejected(self, offer: Offer, quote_id: int, bidder: str) -> None:
        self.record(bidder, offer.period).stakes.discard(quote_id)

    def _won(self, offer: Offer, quote_id: int, bidder: str, filled: int) -> None:
        self._sold(offer, bidder, filled)

    def _matched(self, offer: Offer, quote_id: int, sold: int) -> None:
        offer.status = QuoteStatus.MATCHED

    def _purchased(self, offer: Offer, quote_id: int, buyer: str, volume: int) -> None:
        record = self.record(buyer, offer.period)
        record.stakes.add(quote_id)
        record.claimed += volume
        self._sold(offer, buyer, volume)

    def _sold(self, offer: Offer, buyer: str, volume: int) -> None:
        offer.bought[buyer] = offer.bought.get(buyer, 0) + volume
        self.record(buyer, offer.period).bought += volume

    def _delivered(self, offer: Offer, quote_id: int, buyer: str, delivered: int, **_: int) -> None:
        self.record(buyer, offer.period).received += delivered

    def _settled(self, offer: Offer, quote_id: int, **_: int) -> None:
        offer.status = QuoteStatus.SETTLED
        for user in {offer.prosumer, *offer.bought}:
            self.record(user, offer.period).stakes.discard(quote_id)


def _read(record: Record, fields: dict[str, Any]) -> None:
    record.reading = (fields["exported"], fields["imported"])


def _account_settled(record: Record, _: dict[str, Any]) -> None:
    record.settled = True


_OF_QUOTES = {
    "QuoteInvalidated": Facts._taken_back,
    "BidSealed": Facts._sealed,
    "BidRevealed": Facts._opened,
    "BidRejected": Facts._rejected,
    "BidConfirmed": Facts._won,
    "QuoteMatched": Facts._matched,
    "SurplusBought": Facts._purchased,
    "TradeSettled": Facts._delivered,
    "QuoteSettled": Facts._settled,
}

_OF_RECORDS = {"ReadingSubmitted": _read, "AccountSettled": _account_settled}
