"""What to call where the record of an earlier period is in the way (T-PARTY-19 to T-PARTY-21).

At a user's place lie its own records alone, and the earlier period is in CLOSING, so that anybody may call it.
"""

from __future__ import annotations

from typing import Any

from wattproof.play.refusal import Refusal
from wattproof.terms.model import BidStatus, QuoteStatus


def earlier(refusal: Refusal) -> str:
    """Whose record of which period is in the way, and the calls that end that, to be pasted."""
    user, show = refusal.user, refusal.show
    found = refusal.market.in_the_way(user, refusal.period)
    if not found.blocked:  # The chain took something back since.
        return f"nothing is in the way of {refusal.named(user)} any more"
    waiting = _waiting(refusal, user, found)
    calls = [f"market.match_bids({number})" for number, status in waiting.items() if status == QuoteStatus.VALID]
    calls += [f"market.settle_quote({number})" for number in waiting]
    if found.account:
        calls.append(f"market.settle_account({refusal.written(user)}, {found.period})")
    return (
        f"{refusal.named(user)}'s record of period {show.period(found.period)} lies where that of "
        f"{show.period(refusal.period)} would, and is not settled; anybody may: {'; '.join(calls)}"
    )


def _waiting(refusal: Refusal, user: str, found: Any) -> dict[int, QuoteStatus]:
    """The quotes that are not settled, and in which a user has a stake (T-ACC-5), by number.

    The lens names those that the record names; its others are looked for, until all of them are found.
    """
    market = refusal.market
    waiting = dict.fromkeys(found.to_match, QuoteStatus.VALID) | dict.fromkeys(found.to_settle, QuoteStatus.MATCHED)
    every = len(waiting) + found.others
    for number in range(1, market.quote_count() + 1):
        if len(waiting) == every:
            break
        quote = market.quote(number)
        if quote.period != found.period or quote.status not in (QuoteStatus.VALID, QuoteStatus.MATCHED):
            continue
        bid = market.bid(number, user)
        if bid.status == BidStatus.RESERVED or any(trade.buyer == user for trade in market.trades(number)):
            waiting[number] = QuoteStatus(quote.status)
    return dict(sorted(waiting.items()))
