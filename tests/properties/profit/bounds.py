"""How much each party can lose, and a coalition gain: the lines of docs/threats.md, as figures of one history.

Each line is computed from the tariff, the facts and the coalition's own accepted calls, never from what the market
says of them. The losses of all add up to what the coalition gains (C4-PROFIT-1), so a bound on every victim is one on
the gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.properties.profit.arena import (
    ANNA,
    BEN,
    HONEST,
    KEEPER,
    LATE,
    OWNER,
    REVOKED,
    RIVAL,
    SELLER,
    STRANGER,
    SUPPLIER,
    TARIFFS,
    TRADERS,
    WINNER,
    Facts,
    Result,
)
from tests.properties.profit.moves import Coalition

OUTSIDERS = (ANNA, BEN, REVOKED, STRANGER)
"""Who deals with nobody, where it is no member."""


@dataclass(frozen=True)
class Line:
    """A victim, what it lost against the history without the coalition, and the most that it may lose."""

    invariant: str
    victim: str
    loss: int
    bound: int


@dataclass(frozen=True)
class Dealt:
    """What a coalition did that matters for a bound, energies in Wh: see docs/threats.md for the letters."""

    bids: int
    """B: how many bids it opened on the seller's quote."""
    won: int
    """X: the volumes of the bids that it opened on the seller's quote."""
    bought: int
    """R: what it purchased of the seller's quote."""
    traded: int
    """T: all volumes that it quoted, opened or purchased."""

    @staticmethod
    def by(result: Result) -> Dealt:
        """Added up from the calls that the market accepted."""
        opened = [d.args[0] for d in result.done if d.function == "reveal_bid" and d.quote_of == SELLER]
        bought = sum(d.args[0] for d in result.done if d.function == "buy_surplus" and d.quote_of == SELLER)
        traded = sum(d.args[0] for d in result.done if d.function in ("reveal_bid", "buy_surplus", "submit_quote"))
        return Dealt(len(opened), sum(opened), bought, traded)


def lines(facts: Facts, coalition: Coalition, without: Result, result: Result) -> Iterator[Line]:
    """Every line that applies to a history."""
    lost = {name: without.value[name] - value for name, value in result.value.items()}
    dealt = Dealt.by(result)
    deals = OWNER in coalition.members or any(name in TRADERS for name in coalition.members)
    stolen = [key for key in coalition.keys if key in HONEST]
    gain = -sum(lost[name] for name in coalition.members)
    others = [name for name in lost if name not in coalition.members]
    yield Line("C4-PROFIT-1", "all others together", abs(gain - sum(lost[name] for name in others)), 0)
    if not deals and not stolen:
        for name in others:
            yield Line("C4-PROFIT-2", name, abs(lost[name]), 0)
        return
    if OWNER in coalition.members or stolen:
        yield from _without_trust(facts, coalition, result, lost, dealt)
        return
    for name in (WINNER, RIVAL):
        if not dealt.won:
            yield Line("C4-PROFIT-3", name, lost[name], 0)
        yield Line("C4-PROFIT-4", name, lost[name], _bidder(facts, name, dealt.won))
    yield Line("C4-PROFIT-5", LATE, lost[LATE], _late(facts, dealt.won + dealt.bought))
    yield Line("C4-PROFIT-6", SELLER, lost[SELLER], _seller(facts, dealt))
    yield Line("C4-PROFIT-7", OWNER, lost[OWNER], 2 * TARIFFS[facts.tariff].service_fee * _sold(facts))
    if SUPPLIER not in coalition.members:
        yield Line("C4-PROFIT-8", SUPPLIER, lost[SUPPLIER], _supplier(facts, coalition, result, dealt))
    for name in others:
        if name in (KEEPER, *OUTSIDERS):
            yield Line("C4-PROFIT-2", name, abs(lost[name]), 0)


def _sold(facts: Facts) -> int:
    """The most that the seller can sell, in Wh."""
    return max(facts.volume, facts.export)


def _bidder(facts: Facts, name: str, won: int) -> int:
    """A honest bidder: for each Wh that the coalition outbids it for, what the supplier asks more; and its fee,
    where a shortage waived it, and the compensation for that shortage."""
    t = TARIFFS[facts.tariff]
    price, volume = facts.bids[(WINNER, RIVAL).index(name)]
    compensation = volume * price // 10 if facts.defaults else 0
    return min(volume, won + 1) * (t.ssp - price) + volume * t.service_fee + compensation


def _late(facts: Facts, taken: int) -> int:
    """A honest late buyer: the same, for each Wh that the coalition took of the quote."""
    t = TARIFFS[facts.tariff]
    if not taken:
        return 0
    compensation = facts.late * facts.price // 10 if facts.defaults else 0
    return min(facts.late, taken) * (t.ssp - facts.price) + facts.late * t.service_fee + compensation


def _seller(facts: Facts, dealt: Dealt) -> int:
    """A honest seller: what cheaper bids displace, where they can, and compensation for what it sold and lacked.

    In a shortage the parts of the winners are whole Wh. Where a part ends, another bid moves that end by less than a
    Wh, from a winner to one that pays less; and each of the two honest compensations is rounded down.
    """
    t = TARIFFS[facts.tariff]
    top = t.highest_price
    moved = (dealt.bids + 1) * (top - facts.price) if dealt.bids and facts.export < facts.volume else 0
    if not t.rank_by_price or facts.export < facts.volume:
        displaced = min(dealt.won, facts.volume) * (top - facts.price)
    else:
        heavy = 5 * t.priority_step
        displaced = min(dealt.won, facts.volume) * top * heavy // (10_000 + heavy)
    tenths = min(dealt.won + dealt.bought, facts.volume) * top + moved
    short = -(-tenths // 10) + (2 if moved else 0) if facts.defaults else 0
    return displaced + moved + short


def _supplier(facts: Facts, coalition: Coalition, result: Result, dealt: Dealt) -> int:
    """The supplier: its margin on what the coalition trades, and what meters in its hands make of nothing.

    A meter that lies is worth its capacity at SBP, and all that its household imports at SSP, in every period.
    """
    t = TARIFFS[facts.tariff]
    lies = 0
    for name in coalition.keys:
        if name in result.capacity:
            lies += result.capacity[name] * t.sbp + facts.true_flow(name)[1] * t.ssp
    return dealt.traded * (t.ssp - t.sbp) + lies


def _without_trust(
    facts: Facts, coalition: Coalition, result: Result, lost: dict[str, int], dealt: Dealt
) -> Iterator[Line]:
    """Where the owner is one of them, or an honest household's meter is in their hands: what that can cost at most.

    A capacity is the one that the household has in the end: the owner can raise it.
    """
    t = TARIFFS[facts.tariff]
    top = t.highest_price
    invoices = {name: result.capacity[name] * t.ssp if name in coalition.keys else 0 for name in HONEST}
    sale = _sold(facts) * top + facts.volume * top // 10
    yield Line("C4-PROFIT-9", SELLER, lost[SELLER], sale + invoices[SELLER])
    for name in (WINNER, RIVAL):
        price, volume = facts.bids[(WINNER, RIVAL).index(name)]
        whole = volume * (t.ssp - price + t.service_fee) + volume * price // 10
        yield Line("C4-PROFIT-9", name, lost[name], whole + invoices[name])
    whole = facts.late * (t.ssp - facts.price + t.service_fee) + facts.late * facts.price // 10
    yield Line("C4-PROFIT-9", LATE, lost[LATE], whole)
    owner = OWNER in coalition.members
    for name in (KEEPER, *OUTSIDERS):
        if name not in coalition.members:
            # Revoked before METERING, it is paid nothing for its export.
            yield Line("C4-PROFIT-9", name, lost[name], facts.true_flow(name)[0] * t.sbp if owner else 0)
    if not owner:
        yield Line("C4-PROFIT-7", OWNER, lost[OWNER], 2 * t.service_fee * _sold(facts))
    if SUPPLIER not in coalition.members:
        # What the seller's meter invents its neighbours may buy, instead of the supplier's energy.
        invented = result.capacity[SELLER] * (t.ssp - t.sbp) if SELLER in coalition.keys else 0
        bound = _supplier(facts, coalition, result, dealt) + invented
        yield Line("C4-PROFIT-8", SUPPLIER, lost[SUPPLIER], bound)
