"""A call that an agent wants to make, before anything is known of nonces and fees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

FASTER = (
    "metering: already read",
    "quotes: not matched",
    "quotes: not valid",
    "settlement: already settled",
    "settlement: quotes still open",
    "surplus: not enough left",
)
"""Refusals that say that somebody else was faster."""


@dataclass(frozen=True)
class Call:
    """A call of the market, or of its token.

    keys     what it is to bring about, one for each entry of a batch; what is under way is not begun again
    label    what is told of it, in one line
    """

    function: str
    arguments: tuple[Any, ...]
    keys: tuple[str, ...]
    label: str
    to_token: bool = False

    @property
    def is_batch(self) -> bool:
        """Whether it answers with a bit for each entry (T-MET-11, T-ACC-14)."""
        return self.function in ("submit_readings", "settle_accounts")

    def only(self, places: list[int]) -> Call:
        """A batch with the entries at these places alone."""
        period, entries = self.arguments
        kept = tuple(entries[at] for at in places)
        keys, label = tuple(self.keys[at] for at in places), batch_label(self.function, period, len(kept))
        return replace(self, arguments=(period, kept), keys=keys, label=label)


def accepted(answer: int, entries: int) -> list[int]:
    """The places of a batch whose bit is set in what the call answered."""
    return [at for at in range(entries) if answer >> at & 1]


def match(quote_id: int) -> Call:
    """Matching a quote."""
    return Call("match_bids", (quote_id,), (f"match {quote_id}",), f"match quote {quote_id}")


def settle_quote(quote_id: int) -> Call:
    """Settling a quote."""
    return Call("settle_quote", (quote_id,), (f"settle quote {quote_id}",), f"settle quote {quote_id}")


def settle_accounts(period: int, users: Sequence[str]) -> Call:
    """Settling up to 64 accounts of a period."""
    keys = tuple(f"settle account {user} {period}" for user in users)
    label = batch_label("settle_accounts", period, len(users))
    return Call("settle_accounts", (period, tuple(users)), keys, label)


def batch_label(function: str, period: int, entries: int) -> str:
    """What is told of a batch."""
    does, what = {"submit_readings": ("hand in", "reading"), "settle_accounts": ("settle", "account")}[function]
    return f"{does} {entries} {what}{'s' if entries != 1 else ''} of period {period}"
