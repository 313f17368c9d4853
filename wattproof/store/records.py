"""What a watcher hands over of a block: plain data. Addresses are checksummed text, hashes 0x text, the rest integers.

Energy is in Wh, money in base units of the token, prices in base units per Wh, times in seconds of the chain's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wattproof.terms.model import AccountView, Bid, PositionView, QuoteView, Reading, Trade

Via = Literal["transaction", "trace", "events"]
"""How a call was seen: as a transaction to the market, in a trace, or by its events alone."""


@dataclass(frozen=True)
class BlockRef:
    """A block: number, hash, hash of its parent, and the seconds at which it was made."""

    number: int
    hash: str
    parent: str
    timestamp: int


@dataclass(frozen=True)
class CallRow:
    """A call of the market.

    index        its place among the calls of the block, from 0
    transaction  the hash of the transaction that it came in
    sender       who called the market; `origin` signed the transaction
    arguments    by name; whole numbers of any size, bytes and lists are kept as `wattproof.store.plain` writes them
    reason       why it was refused, None where it was accepted or gave no reason
    result       what it returned, where that is a number
    """

    index: int
    transaction: str
    sender: str
    origin: str
    function: str
    arguments: Mapping[str, Any]
    accepted: bool
    reason: str | None
    result: int | None
    via: Via


@dataclass(frozen=True)
class EventRow:
    """An event of the market: `index` is that of the log in the block, `call` the index of the call that said it."""

    index: int
    transaction: str
    call: int
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """What a block touched, as the chain's views tell it at the end of the block.

    accounts   by address
    quotes     by number
    bids       by number of the quote and bidder
    trades     of a quote, by its number, in the order made
    readings, positions   by user and period
    totals     supply and demand in Wh, by period

    What the market has overwritten meanwhile reads as never there; what the store has of it stays.
    """

    accounts: Mapping[str, AccountView] = field(default_factory=dict)
    quotes: Mapping[int, QuoteView] = field(default_factory=dict)
    bids: Mapping[tuple[int, str], Bid] = field(default_factory=dict)
    trades: Mapping[int, Sequence[Trade]] = field(default_factory=dict)
    readings: Mapping[tuple[str, int], Reading] = field(default_factory=dict)
    positions: Mapping[tuple[str, int], PositionView] = field(default_factory=dict)
    totals: Mapping[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Alarm:
    """A difference between market and terms: the invariant's ID, one line, the history, and lines for the REPL."""

    invariant: str
    what: str
    story: str
    replay: str


@dataclass(frozen=True)
class Watched:
    """A block that was checked: all that the store takes of it, at once.

    checks    how often each invariant was checked in this block
    snapshot  the watcher's own state after the block, where it wants to go on from here
    """

    block: BlockRef
    calls: Sequence[CallRow] = ()
    events: Sequence[EventRow] = ()
    state: State = field(default_factory=State)
    alarms: Sequence[Alarm] = ()
    checks: Mapping[str, int] = field(default_factory=dict)
    snapshot: bytes | None = None
