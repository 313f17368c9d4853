"""Tracked rows from what the chain's views told. A record that reads as never there was overwritten: ours stays."""

from __future__ import annotations

from typing import Any

from wattproof.store.derive.events import NO_SEAL, put_position, put_trade
from wattproof.store.derive.working import Working
from wattproof.store.plain import Views
from wattproof.terms.model import AccountView, Bid, BidStatus, PositionView, QuoteStatus, QuoteView, Reading


def fetch(working: Working, state: Views) -> None:
    """Fetches the rows that the state is about."""
    for name in ("accounts", "periods"):
        working.fetch(name, ("address",) if name == "accounts" else ("period",), [(row[0],) for row in state[name]])
    for name, columns in (("bids", ("quote_id", "bidder")), ("readings", ("user", "period")),
                          ("positions", ("user", "period"))):  # fmt: skip
        working.fetch(name, columns, [(row[0], row[1]) for row in state[name]])
    working.fetch("trades", ("quote_id",), [(row[0],) for row in state["trades"]])
    quotes = {(row[0],) for name in ("quotes", "bids", "trades") for row in state[name]}
    working.fetch("quotes", ("quote_id",), quotes)


def apply(working: Working, state: Views) -> None:
    """Sets tracked rows to what the views told, in the form of `plain.views_of`."""
    for address, *fields in state["accounts"]:
        working.put("accounts", (address,), **_named(AccountView, fields))
    for quote_id, *fields in state["quotes"]:
        _quote(working, quote_id, _named(QuoteView, fields))
    for quote_id, bidder, *fields in state["bids"]:
        _bid(working, (quote_id, bidder), _named(Bid, fields))
    for quote_id, trades in state["trades"]:
        if quote := working.get("quotes", (quote_id,)):
            for place, (buyer, volume, price) in enumerate(trades):
                sale = {"buyer": buyer, "volume": volume, "price": price}
                known = working.get("trades", (quote_id, place))
                put_trade(working, quote, place, sale if known else {"kind": "unknown", **sale})
    for user, period, *fields in state["readings"]:
        reading = _named(Reading, fields)
        if reading.pop("present"):
            working.put("readings", (user, period), **reading)
    for user, period, *fields in state["positions"]:
        position = _named(PositionView, fields)
        if any(position.values()):
            put_position(working, (user, period), position)
        elif working.get("positions", (user, period)) is not None:
            working.put("positions", (user, period), open=0)  # It was final (T-PARTY-19).
    for period, supply, demand in state["periods"]:
        if supply or demand:
            working.put("periods", (period,), supply=supply, demand=demand)


def _quote(working: Working, quote_id: int, view: dict[str, Any]) -> None:
    if not view["status"]:
        return
    view["status"] = _name(QuoteStatus, view["status"])
    if working.get("quotes", (quote_id,)) is None:
        view |= dict.fromkeys(("delivered", "revenue", "fee", "compensation"))
    working.put("quotes", (quote_id,), **view)


def _bid(working: Working, key: tuple[int, str], view: dict[str, Any]) -> None:
    seal, status = view.pop("seal"), view.pop("status")
    if not status:
        return
    view["status"] = _name(BidStatus, status)
    if working.get("bids", key) is None:  # The event has all of the seal, the chain keeps a part, and not for long.
        quote = working.get("quotes", (key[0],))
        view |= {"seal": seal if isinstance(seal, str) else NO_SEAL, "period": quote["period"] if quote else None}
    working.put("bids", key, **view)


def _name(kind: type[QuoteStatus] | type[BidStatus], number: int) -> str:
    """The name of a status; the number itself where it is none."""
    return kind(number).name or str(number)


def _named(kind: Any, fields: list[Any]) -> dict[str, Any]:
    return dict(zip(kind._fields, fields, strict=True))
