"""Tracked rows from events: what they say of quotes, bids, trades, readings, positions and periods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from wattproof.store.derive.entries import Told
from wattproof.store.derive.working import Row, Working
from wattproof.terms.model import ZERO_BYTES32, BidStatus, QuoteStatus

NO_SEAL = "0x" + ZERO_BYTES32.hex()

_MOVES_ALL_BIDS = ("QuoteMatched", "QuoteInvalidated")
_OF_TRADES = ("BidConfirmed", "SurplusBought", "TradeSettled")


def fetch(working: Working, said: list[dict[str, Any]]) -> None:
    """Fetches the rows that events of a block are about."""
    quotes = {int(event["fields"]["quote_id"]) for event in said if "quote_id" in event["fields"]}
    working.fetch("quotes", ("quote_id",), [(quote_id,) for quote_id in quotes])

    def named(*names: str) -> list[dict[str, Any]]:
        return [event["fields"] for event in said if event["name"] in names]

    bids = {(int(each["quote_id"]), each["bidder"]) for event in said if "bidder" in (each := event["fields"])}
    working.fetch("bids", ("quote_id", "bidder"), bids)
    for table, names in (("bids", _MOVES_ALL_BIDS), ("trades", _OF_TRADES)):
        working.fetch(table, ("quote_id",), {(int(each["quote_id"]),) for each in named(*names)})
    periods = {(row["period"],) for quote_id in quotes if (row := working.get("quotes", (quote_id,)))}
    periods |= {(int(each["period"]),) for each in named("QuoteSubmitted")}
    working.fetch("periods", ("period",), periods)
    readings = {(each["user"], int(each["period"])) for each in named("ReadingSubmitted")}
    working.fetch("readings", ("user", "period"), readings)
    positions = {(each["user"], int(each["period"])) for each in named("AccountSettled")}
    for each in named(*_OF_TRADES, "QuoteSettled"):
        if row := working.get("quotes", (int(each["quote_id"]),)):
            positions.add((each.get("buyer") or each.get("bidder") or row["prosumer"], row["period"]))
    working.fetch("positions", ("user", "period"), positions)


def apply(working: Working, timestamp: int, told: list[Told]) -> None:
    """Changes tracked rows as the events of a block say. What says something of an unknown quote changes none."""
    changes = _Changes(working, timestamp)
    for event in told:
        if (change := changes.of.get(event.name)) is not None:
            change(event, {name: _value(value) for name, value in event.fields.items()})


class _Changes:
    """One method for each event, with its fields."""

    def __init__(self, working: Working, timestamp: int) -> None:
        self._working, self._timestamp = working, timestamp
        self._settled: Counter[int] = Counter()
        self.of: dict[str, Callable[[Told, Row], None]] = {
            "QuoteSubmitted": self._quote_submitted,
            "QuoteInvalidated": self._quote_invalidated,
            "BidSealed": self._bid_sealed,
            "BidRevealed": self._bid_revealed,
            "BidConfirmed": self._bid_confirmed,
            "BidRejected": self._bid_rejected,
            "QuoteMatched": self._quote_matched,
            "SurplusBought": self._surplus_bought,
            "ReadingSubmitted": self._reading_submitted,
            "TradeSettled": self._trade_settled,
            "QuoteSettled": self._quote_settled,
            "AccountSettled": self._account_settled,
        }

    def _quote_submitted(self, event: Told, fields: Row) -> None:
        offer = {name: fields[name] for name in ("prosumer", "period", "volume", "price")}
        outcome = dict.fromkeys(("delivered", "revenue", "fee", "compensation"))
        status = str(QuoteStatus.VALID.name)
        self._working.put("quotes", (event.quote_id,), **offer, created_at=self._timestamp, sold=0, status=status,
                          **outcome)  # fmt: skip
        self._total(event.period, supply=fields["volume"])

    def _quote_invalidated(self, event: Told, fields: Row) -> None:
        quote = self._change_quote(event, status=QuoteStatus.INVALID.name)
        self._total(event.period, supply=-quote["volume"] if quote else 0)
        for bid in self._working.of_quote("bids", event.quote_id or 0):
            self._reject(event, bid["bidder"])

    def _bid_sealed(self, event: Told, fields: Row) -> None:
        zeros = {"price": 0, "volume": 0, "filled": 0}
        self._working.put("bids", (event.quote_id, fields["bidder"]), period=event.period, seal=fields["seal"], **zeros,
                          status=str(BidStatus.CREATED.name))  # fmt: skip

    def _bid_revealed(self, event: Told, fields: Row) -> None:
        opened = {"price": fields["price"], "volume": fields["volume"], "status": BidStatus.RESERVED.name}
        self._change("bids", (event.quote_id, fields["bidder"]), opened)
        self._total(event.period, demand=fields["volume"])

    def _bid_confirmed(self, event: Told, fields: Row) -> None:
        key = (event.quote_id, fields["bidder"])
        self._change("bids", key, {"filled": fields["filled"], "status": BidStatus.CONFIRMED.name})
        bid = self._working.get("bids", key)
        self._sell(event, fields["bidder"], "bid", fields["filled"], bid["price"] if bid else 0)
        self._add(fields["bidder"], event.period, bought=fields["filled"], agreed=fields["filled"])

    def _bid_rejected(self, event: Told, fields: Row) -> None:
        self._reject(event, fields["bidder"])

    def _quote_matched(self, event: Told, fields: Row) -> None:
        self._change_quote(event, status=QuoteStatus.MATCHED.name, sold=fields["sold"])
        for bid in self._working.of_quote("bids", event.quote_id or 0):
            if bid["status"] != BidStatus.CONFIRMED.name:
                self._reject(event, bid["bidder"])

    def _surplus_bought(self, event: Told, fields: Row) -> None:
        quote = self._working.get("quotes", (event.quote_id,))
        # The buyer's position the views tell: it cannot be overwritten in the block of a purchase.
        self._sell(event, fields["buyer"], "surplus", fields["volume"], quote["price"] if quote else 0)

    def _reading_submitted(self, event: Told, fields: Row) -> None:
        energies = {"exported": fields["exported"], "imported": fields["imported"]}
        self._working.put("readings", (fields["user"], event.period), **energies)

    def _trade_settled(self, event: Told, fields: Row) -> None:
        place = self._settled[event.quote_id or 0]
        self._settled[event.quote_id or 0] += 1
        outcome = {name: fields[name] for name in ("delivered", "payment", "fee", "compensation")}
        self._change("trades", (event.quote_id, place), outcome)
        self._add(fields["buyer"], event.period, received=fields["delivered"])

    def _quote_settled(self, event: Told, fields: Row) -> None:
        outcome = {name: fields[name] for name in ("delivered", "revenue", "fee", "compensation")}
        if quote := self._change_quote(event, status=QuoteStatus.SETTLED.name, **outcome):
            self._add(quote["prosumer"], event.period, delivered=fields["delivered"])

    def _account_settled(self, event: Told, fields: Row) -> None:
        key = (fields["user"], event.period)
        settlement = {"open": 0, "settled": True, "amount": fields["amount"], "cleared": fields["cleared"]}
        put_position(self._working, key, settlement)

    # ---- what several events share -------------------------------------------------------

    def _change(self, name: str, key: tuple[Any, ...], changes: Row) -> None:
        if self._working.get(name, key) is not None:
            self._working.put(name, key, **changes)

    def _change_quote(self, event: Told, **changes: Any) -> Row | None:
        self._change("quotes", (event.quote_id,), changes)
        return self._working.get("quotes", (event.quote_id,))

    def _reject(self, event: Told, bidder: str) -> None:
        self._change("bids", (event.quote_id, bidder), {"status": BidStatus.REJECTED.name})

    def _sell(self, event: Told, buyer: str, kind: str, volume: int, price: int) -> None:
        quote = self._working.get("quotes", (event.quote_id,))
        if quote is None:
            return
        place = len(self._working.of_quote("trades", quote["quote_id"]))
        put_trade(self._working, quote, place, {"buyer": buyer, "kind": kind, "volume": volume, "price": price})
        self._working.put("quotes", (event.quote_id,), sold=quote["sold"] + volume)

    def _total(self, period: int | None, supply: int = 0, demand: int = 0) -> None:
        row = self._working.get("periods", (period,)) or {"supply": 0, "demand": 0}
        if period is not None:
            sums = {"supply": max(0, row["supply"] + supply), "demand": max(0, row["demand"] + demand)}
            self._working.put("periods", (period,), **sums)

    def _add(self, user: str, period: int | None, **energies: int) -> None:
        row = self._working.get("positions", (user, period)) or {}
        put_position(self._working, (user, period), {name: row.get(name, 0) + Wh for name, Wh in energies.items()})


def put_trade(working: Working, quote: Row, place: int, changes: Row) -> None:
    """Changes a trade of a quote; a new one is not settled yet."""
    key = (quote["quote_id"], place)
    if working.get("trades", key) is None:
        outcome = dict.fromkeys(("delivered", "payment", "fee", "compensation"))
        changes = {"period": quote["period"], "prosumer": quote["prosumer"], **outcome} | changes
    working.put("trades", key, **changes)


def put_position(working: Working, key: tuple[str, int | None], changes: Row) -> None:
    """Changes a position; a new one is empty, but for these changes."""
    if working.get("positions", key) is None:
        zeros = dict.fromkeys(("agreed", "bought", "received", "delivered", "open"), 0)
        changes = {**zeros, "settled": False, "amount": None, "cleared": None} | changes
    working.put("positions", key, **changes)


def _value(value: Any) -> Any:
    """A field as it is kept, with whole numbers as numbers again."""
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value
