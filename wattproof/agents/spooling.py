"""Putting readings away whose time is over: until then a reorganisation may take them off the chain again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wattproof.agents.readings import SignedReading, Spool
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Reverted
from wattproof.market.clock import Clock
from wattproof.terms.model import Phase


def put_away(
    spool: Spool,
    market: ChainMarket,
    block: str,
    clock: Clock,
    now: int,
    why: Mapping[SignedReading, str],
) -> list[str]:
    """Puts away the readings of periods whose METERING is over at the second `now`, that of the block of that hash.

    What the chain has is done, what it has not is late; `why` knows the reasons. Returns a line for each that is late.
    Raises as chain.Node, and OSError.
    """
    over = [one for one in spool.readings if now >= clock.begins(Phase.SETTLING, one.period)]
    return _put(spool, over, _present(market, over, block), why) if over else []


def _present(market: ChainMarket, readings: Sequence[SignedReading], block: str) -> list[bool]:
    """Whether the users of these readings have one for the period on the chain."""
    lens = market.lens
    asked = [(lens.address, lens.data("reading", one.user, one.period)) for one in readings]
    found = []
    for answer in market.node.views(asked, block):
        if isinstance(answer, Reverted):
            raise answer
        found.append(lens.interface.functions["reading"].decode(answer).present)
    return found


def _put(
    spool: Spool, readings: Sequence[SignedReading], present: Sequence[bool], why: Mapping[SignedReading, str]
) -> list[str]:
    lines: list[str] = []
    for one, is_there in zip(readings, present, strict=True):
        if is_there:
            spool.done([one])
        else:
            reason = why.get(one, "it was not handed in in time")
            lines += spool.late(one, f"METERING of period {one.period} is over: {reason}")
    return lines
