"""What a refusal means for who made the call: which phase it is and which is needed, what is free and what is asked.

The market's reasons are two words, as words cost gas. Here the rest is looked up, after the refusal, from the views.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wattproof.market import units
from wattproof.market.clock import Clock
from wattproof.market.deployment import Tariff
from wattproof.terms.model import LEAST_PART, NEEDED, Phase, QuoteStatus


@dataclass(frozen=True)
class Refusal:
    """A call that was refused: the entry point, its arguments by name, and who made it."""

    function: str
    arguments: Mapping[str, Any]
    sender: str
    market: Any
    tariff: Tariff
    clock: Clock
    names: Mapping[str, str]

    @property
    def quote(self) -> Any:
        """The quote that the call is about."""
        return self.market.quote(self.arguments["quote_id"])

    @property
    def period(self) -> int:
        """The delivery period that the call is about."""
        period = self.arguments.get("period")
        return self.quote.period if period is None else period

    @property
    def account(self) -> Any:
        """The account of who made the call."""
        return self.market.account(self.sender)

    def name(self, address: Any) -> str:
        """What somebody is called, or else the address."""
        return self.names.get(str(address), str(address))


def hint(reason: str, refusal: Refusal) -> str | None:
    """The sentence that goes with a reason; None where the reason says it all, or nothing is known."""
    explain = _HINTS.get(reason)
    return explain(refusal) if explain else None


def moment(second: int) -> str:
    """A second as local time, with its offset and the number itself: "2019-06-21 00:30:00 +0100 (1561073400)"."""
    return f"{datetime.fromtimestamp(second).astimezone():%Y-%m-%d %H:%M:%S %z} ({second})"


def _phase(refusal: Refusal) -> str:
    clock, period, now = refusal.clock, refusal.period, refusal.clock.now
    phase = Phase(refusal.market.phase(period))
    needed = [one for one in Phase if one in NEEDED[refusal.function]]
    named = " or ".join(str(one.name) for one in needed) if len(needed) < 4 else f"{needed[0].name} or later"
    said = f"period {period} is in {phase.name}; {refusal.function} needs {named}"
    ahead = [one for one in needed if one is not Phase.BIDDING and clock.begins(one, period) > now]
    if not ahead:
        return f"{said}, which is over"
    return f"{said}, which begins at {moment(clock.begins(ahead[0], period))}: clock.to({ahead[0].name!r}, {period})"


def _band(refusal: Refusal) -> str:
    low, high = refusal.tariff.lowest_price, refusal.tariff.highest_price
    if refusal.function == "reveal_bid":
        low = refusal.quote.price
    return f"{_price(refusal)} is not from {units.format_price(low)} to {units.format_price(high)}"


def _price(refusal: Refusal) -> str:
    return units.format_price(refusal.arguments["price"])


def _money(refusal: Refusal) -> str:
    asked, tariff = refusal.arguments, refusal.tariff
    match refusal.function:
        case "submit_quote":  # T-QUO-10
            needed = asked["volume"] * tariff.ssp * 10 // 100
        case "reveal_bid":  # T-BID-12
            needed = asked["volume"] * (asked["price"] + tariff.service_fee)
        case "buy_surplus":  # T-SUR-8
            needed = asked["volume"] * (refusal.quote.price + tariff.service_fee)
        case _:
            needed = asked["amount"]
    return f"{units.format_money(refusal.account.balance)} is free, {units.format_money(needed)} is needed"


def _volume(refusal: Refusal) -> str:
    most = refusal.account.capacity if refusal.function == "submit_quote" else refusal.quote.volume
    return f"{units.format_energy(refusal.arguments['volume'])} is not from 0.001 kWh to {units.format_energy(most)}"


def _least(refusal: Refusal) -> str:
    quote, left = refusal.quote, refusal.market.remaining(refusal.arguments["quote_id"])
    phase = Phase(refusal.market.phase(quote.period))
    offered = quote.volume if phase == Phase.MATCHING else left + quote.sold
    least = min(-(-offered // LEAST_PART), left)
    return f"{units.format_energy(left)} is left, the least is {units.format_energy(least)}"


def _left(refusal: Refusal) -> str:
    left = refusal.market.remaining(refusal.arguments["quote_id"])
    return f"{units.format_energy(left)} is left"


def _capacity(refusal: Refusal) -> str:
    capacity = units.format_energy(refusal.account.capacity)
    return f"the connection carries {capacity} in a period, bids that were opened and purchases together"


def _owed(refusal: Refusal) -> str:
    owed = units.format_money(-refusal.account.grid_account)
    return f"{refusal.name(refusal.sender)} owes the supplier {owed}: deposit that first"


def _unknown(refusal: Refusal) -> str:
    count = refusal.market.quote_count()
    return f"quotes are numbered from 1 to {count}" if count else "nothing was quoted yet"


def _status(refusal: Refusal) -> str:
    quote = refusal.quote
    said = f"quote {refusal.arguments['quote_id']} is {QuoteStatus(quote.status).name}"
    matched = quote.status == QuoteStatus.VALID
    return f"{said}: match_bids first" if matched and refusal.function != "submit_bid" else said


def _unauthorised(refusal: Refusal) -> str:
    return f"owner.authorize({refusal.name(refusal.sender)}) lets it in"


_HINTS: dict[str, Callable[[Refusal], str]] = {
    "clock: wrong phase": _phase,
    "quotes: price out of band": _band,
    "bids: price out of bounds": _band,
    "ledger: insufficient balance": _money,
    "quotes: volume out of bounds": _volume,
    "bids: volume out of bounds": _volume,
    "surplus: volume too small": _least,
    "surplus: not enough left": _left,
    "positions: beyond the capacity": _capacity,
    "ledger: in arrears": _owed,
    "quotes: unknown quote": _unknown,
    "quotes: not valid": _status,
    "quotes: not matched": _status,
    "accounts: not authorised": _unauthorised,
}
"""What explains each reason."""
