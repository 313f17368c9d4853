"""What to call where the record of an earlier period is in the way (T-PARTY-19 to T-PARTY-21).

At a user's place lie its own records alone, and the earlier period is in CLOSING, so that anybody may call it.
"""

from __future__ import annotations

from collections.abc import Iterator

from wattproof.play.refusal import Refusal
from wattproof.terms.model import BidStatus, QuoteStatus


def earlier(refusal: Refusal) -> str:
    """Whose record of which period is in the way, and the calls that end that, to be pasted."""
    user, show = refusal.user, refusal.show
    found = refusal.market.in_the_way(user, refusal.period)
    if not found.blocked:  # The chain took something back since.
        return f"nothing is in the way of {refusal.named(user)} any more"
    waiting = dict(_waiting(refusal, user, found.period))
    calls = [f"market.match_bids({number})" for number, status in waiting.items() if status == QuoteStatus.VALID]
    calls += [f"market.settle_quote({number})" for number in waiting]
    if found.account:
        calls.append(f"market.settle_account({refusal.written(user)}, {found.period})")
    return (
        f"{refusal.named(user)}'s record of period {show.period(found.period)} lies where that of "
        f"{show.period(refusal.period)} would, and is not settled; anybody may: {'; '.join(calls)}"
    )


def _waiting(refusal: Refusal, user: str, period: int) -> Iterator[tuple[int, QuoteStatus]]:
    """The quotes of a period that are not settled, and in which a user has a stake (T-ACC-5)."""
    market = refusal.market
    for number in range(1, market.quote_count() + 1):
        quote = market.quote(number)
        if quote.period != period or quote.status not in (QuoteStatus.VALID, QuoteStatus.MATCHED):
            continue
        bid = market.bid(number, user)
        buys = bid.status == BidStatus.RESERVED or any(trade.buyer == user for trade in market.trades(number))
        if quote.prosumer == user or buys:
            yield number, QuoteStatus(quote.status)
