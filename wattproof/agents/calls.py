"""A call that an agent wants to make, before anything is known of nonces and fees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


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
        return replace(self, arguments=(period, kept), keys=tuple(self.keys[at] for at in places))


def accepted(answer: int, entries: int) -> list[int]:
    """The places of a batch whose bit is set in what the call answered."""
    return [at for at in range(entries) if answer >> at & 1]
