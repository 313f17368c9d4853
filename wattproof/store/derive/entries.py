"""What each event is about, and the rows that say what happened."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from wattproof.store.derive.working import Row, Working

_WHO = ("user", "prosumer", "bidder", "buyer", "account", "new_owner")
"""The fields of events that name who it is about, the first one found."""

_CLOSING = ("QuoteSettled", "AccountSettled")
"""The events that end a settlement: what was said of records and waivers since the last one belongs to it."""

_OF_SETTLEMENTS = ("PerformanceRecorded", "WaiverGranted", "WaiverUsed", "Revoked")

Entries = dict[str, list[Row]]
"""Rows to add, by table."""


@dataclass
class Told:
    """An event as it is kept, and what it is about: a user, a quote, a period; None where it names none."""

    index: int
    call: int
    name: str
    fields: dict[str, Any]
    user: str | None
    quote_id: int | None
    period: int | None


def told_of(working: Working, said: list[dict[str, Any]]) -> list[Told]:
    """The events of a block, each with what it is about. The quotes that they name have to be fetched."""
    quotes: dict[int, tuple[str | None, int | None]] = {}
    told: list[Told] = []
    waiting: list[Told] = []
    for event in said:
        name, fields = event["name"], event["fields"]
        user = next((fields[field] for field in _WHO if field in fields), None)
        quote_id, period = _number(fields, "quote_id"), _number(fields, "period")
        if name == "QuoteSubmitted" and quote_id is not None:
            quotes[quote_id] = (user, period)
        if quote_id is not None:
            prosumer, of_quote = quotes.get(quote_id) or _known(working, quote_id)
            user, period = user or prosumer, of_quote if period is None else period
        one = Told(event["index"], event["call"], name, fields, user, quote_id, period)
        told.append(one)
        if waiting and waiting[0].call != one.call:  # What is said without a settlement, as by the owner.
            waiting = []
        if name in _OF_SETTLEMENTS:
            waiting.append(one)
        elif name in _CLOSING:
            for before in waiting:
                before.quote_id, before.period = quote_id, period
            waiting = []
    return told


def entries_of(told: list[Told]) -> Entries:
    """The rows that say what happened in a block."""
    entries: Entries = defaultdict(list)
    for event in told:
        row = {"index": event.index, "user": event.user, "period": event.period}
        settled = row | {"quote_id": event.quote_id}
        fields = event.fields
        if event.name == "PerformanceRecorded":
            entries["performances"].append(settled | {"good": fields["good"]})
        elif event.name in ("WaiverGranted", "WaiverUsed"):
            entries["waivers"].append(settled | {"used": event.name == "WaiverUsed"})
        elif event.name in ("Authorized", "Revoked"):
            capacity = _number(fields, "capacity")
            entries["admissions"].append(row | {"authorized": event.name == "Authorized", "capacity": capacity})
        elif event.name in ("Deposited", "Withdrawn", "Cleared"):
            entries["movements"].append(row | {"kind": event.name.lower(), "amount": int(fields["amount"])})
        elif event.name == "AccountSettled" and int(fields["cleared"]):
            entries["movements"].append(row | {"kind": "cleared", "amount": int(fields["cleared"])})
    return entries


def _known(working: Working, quote_id: int) -> tuple[str | None, int | None]:
    row = working.get("quotes", (quote_id,))
    return (row["prosumer"], row["period"]) if row else (None, None)


def _number(fields: dict[str, Any], name: str) -> int | None:
    return int(fields[name]) if name in fields else None
