"""Putting readings away whose time is over: until then a reorganisation may take them off the chain again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wattproof.agents.facts import Facts
from wattproof.agents.readings import SignedReading, Spool
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Reverted
from wattproof.market.clock import Clock
from wattproof.terms.model import Phase, Reading


def put_away(
    spool: Spool,
    market: ChainMarket,
    block: str,
    clock: Clock,
    now: int,
    facts: Facts,
    why: Mapping[SignedReading, str],
) -> list[str]:
    """Puts away the readings of periods whose METERING is over at the second `now`, that of the block of that hash.

    What the chain has is done; what it has not, or has with other figures, is late; `why` knows the reasons. Returns a
    line for each that is late. Raises as chain.Node, and OSError.
    """
    over = [one for one in spool.readings if now >= clock.begins(Phase.SETTLING, one.period)]
    lines: list[str] = []
    for one, found, capacity in _on_chain(market, over, block) if over else []:
        if found.present and _counts(one, found, capacity, facts):
            spool.done([one])
        else:
            reason = why.get(one, "it was not handed in in time")
            if found.present:
                other = f"exported {found.exported} Wh, imported {found.imported} Wh"
                reason = f"the chain has another reading of its user: {other}"
            lines += spool.late(one, f"METERING of period {one.period} is over: {reason}")
    return lines


def _on_chain(
    market: ChainMarket, readings: Sequence[SignedReading], block: str
) -> Iterator[tuple[SignedReading, Reading, int]]:
    """Of each of these readings what the chain has of its user and period, and the user's capacity."""
    lens = market.lens
    functions = ["reading"] * len(readings) + ["account"] * len(readings)
    asked = [lens.data("reading", one.user, one.period) for one in readings]
    asked += [lens.data("account", one.user) for one in readings]
    answers = market.node.views([(lens.address, data) for data in asked], block)
    found = []
    for function, answer in zip(functions, answers, strict=True):
        if isinstance(answer, Reverted):
            raise answer
        found.append(lens.interface.functions[function].decode(answer))
    half = len(readings)
    for one, reading, account in zip(readings, found[:half], found[half:], strict=True):
        yield one, reading, account.capacity


def _counts(one: SignedReading, found: Reading, capacity: int, facts: Facts) -> bool:
    """Whether what the chain has is what counts of this reading: no more than the connection carries, and of who was
    not authorised no more exported than it quoted (T-MET-15)."""
    offers = facts.of_period(one.period)
    quoted = sum(offer.volume for _, offer in offers if offer.prosumer == one.user)
    exported, imported = min(one.exported, capacity), min(one.imported, capacity)
    return found.imported == imported and found.exported in (exported, min(exported, quoted))
