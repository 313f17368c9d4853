"""What is said in the place of zeros, where a view tells of nothing: it is not there yet, or no longer kept.

What is over makes room for what comes (T-PARTY-18 to T-PARTY-24, T-QUO-17). The events tell of it for ever.
"""

from __future__ import annotations

import json
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from wattproof.terms.model import Phase
from wattproof.terms.places import HORIZON, ring_length

if TYPE_CHECKING:
    from wattproof.play.session import Session
    from wattproof.simulation.accounting import Event

FARTHEST = 50
"""How many later periods of a place are looked at, the latest first: of half-hours more than a year's."""

OF_A_QUOTE = frozenset(("quote", "bid", "trades", "remaining"))
OF_A_RECORD = frozenset(("position", "reading", "quote_of"))
OF_A_PERIOD = frozenset(("supply", "demand"))
"""The views of what is kept for a time only."""


def missing(session: Session, view: str, given: Mapping[str, Any], answer: Any) -> str | None:
    """Why a view's `answer` is empty; None where it is not, or where nothing is to be said of it."""
    if _is_there(answer):
        return None
    market = session.deployment.market
    if view in OF_A_QUOTE:
        if not market.quote(given["quote_id"]).status:
            return no_quote(market, given["quote_id"], hasattr(session.market, "history"))
        return _no_bid(session, given) if view == "bid" else None
    if view in OF_A_PERIOD:
        later = _later(session, given["period"], lambda period: market.supply(period) or market.demand(period))
        return f"no longer kept: {_used(session, given['period'], later)}" if later else None
    if view == "in_the_way":
        return f"nothing is in the way of {_name(session, given['user'])}'s period {_period(session, given['period'])}"
    return _no_record(session, view, given) if view in OF_A_RECORD else None


def _is_there(answer: Any) -> bool:
    """Whether a view tells of anything. Of a quote or a bid its status says so: an address of zeros is a text."""
    if hasattr(answer, "status"):
        return bool(answer.status)
    return any(answer) if isinstance(answer, tuple) else bool(answer)


def no_quote(market: Any, quote_id: int, history: bool = False) -> str:
    """Why there is no quote with a number; `history` says whether the session can tell of it."""
    count = market.quote_count()
    if 1 <= quote_id <= count:
        tells = f"market.history(quote_id={int(quote_id)}) tells" if history else "the events tell"
        return f"no quote {int(quote_id)} any more: it was over, and its place was used again; {tells} of it"
    numbers = f"quotes are numbered from 1 to {count}" if count else "nothing was quoted yet"
    return f"no quote {int(quote_id)}{' yet' if quote_id and count else ''}: {numbers}"


def _no_bid(session: Session, given: Mapping[str, Any]) -> str:
    return f"no bid of {_name(session, given['bidder'])} on quote {int(given['quote_id'])}"


def _no_record(session: Session, view: str, given: Mapping[str, Any]) -> str | None:
    """The same of a user and period."""
    market, period = session.deployment.market, given["period"]
    user = given["prosumer" if view == "quote_of" else "user"]
    if view == "position" and (market.reading(user, period).present or market.quote_of(user, period)):
        return None  # It is kept, and all zero.

    def told(later: int) -> Any:
        begun = any(market.position(user, later)) or market.reading(user, later).present
        return begun or market.quote_of(user, later)

    name, shown = _name(session, user), _period(session, period)
    if later := _later(session, period, told):
        text = f"nothing of {name} is kept of period {shown} any more: {_used(session, period, later)}"
        if hasattr(session.market, "history"):
            text += f"; market.history(period={int(period)}, who={json.dumps(name, ensure_ascii=False)}) tells of it"
        return text
    yet = " yet" if market.phase(period) <= Phase.METERING else ""
    what = {"position": "business", "reading": "reading", "quote_of": "quote"}[view]
    return f"no {what} of {name} in period {shown}{yet}"


def _later(session: Session, period: int, told: Callable[[int], Any]) -> int | None:
    """The latest period of the same place of which something is told; None for one from before the market opened."""
    tariff = session.deployment.tariff
    if period < session.opened // tariff.period_length:
        return None
    places = ring_length(tariff.period_length, tariff.window)
    last = (session.clock.now + HORIZON) // tariff.period_length
    candidates = range(last - (last - period) % places, period, -places)
    return next((one for one in islice(candidates, FARTHEST) if told(one)), None)


def _used(session: Session, period: int, later: int) -> str:
    return f"its place was used again for {_period(session, later)}"


def _name(session: Session, address: Any) -> str:
    return session.show.name(str(address))


def _period(session: Session, period: int) -> str:
    return session.show.period(period)


def events_of(session: Session, quote_id: int | None, period: int | None, who: str | None) -> Iterator[Any]:
    """The events of the market's calls that were made here: those of a quote, of a period and its quotes, and of
    somebody by address; of all of it where several are named."""
    events: list[Event] = [event for call in session.history for event in call]
    periods = {of["quote_id"]: of["period"] for name, of in events if name == "QuoteSubmitted"}
    for name, of in events:
        wanted = (
            quote_id in (None, of.get("quote_id")),
            period in (None, of.get("period", periods.get(of.get("quote_id")))),
            who is None or who in of.values(),
        )
        if all(wanted):
            yield namedtuple(name, of)(**of)  # type: ignore[misc]
