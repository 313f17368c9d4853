"""What a refusal means for who made the call: which phase it is and which is needed, what is free and what is asked.

The market's reasons are two words, as words cost gas. Here the rest is looked up, after the refusal, from the views.
Every reason that a call can be refused for (annex A of the terms) has a sentence.
"""

from __future__ import annotations

from collections.abc import Callable

from wattproof.market.tariff import MAX_MONEY
from wattproof.play.in_the_way import earlier
from wattproof.play.past import no_quote
from wattproof.play.refusal import Refusal
from wattproof.terms.model import (
    CAPACITY_BOUND,
    LEAST_PART,
    MAX_OPENED,
    MAX_TRADES,
    NEEDED,
    ZERO_ADDRESS,
    BidStatus,
    Phase,
    QuoteStatus,
)
from wattproof.terms.places import HORIZON


def hint(reason: str, refusal: Refusal) -> str | None:
    """The sentence that goes with a reason; None where nothing is known."""
    explain = HINTS.get(reason)
    return explain(refusal) if explain else None


# ---- time ----------------------------------------------------------------------------------


def _phase(refusal: Refusal) -> str:
    clock, period, now = refusal.clock, refusal.period, refusal.clock.now
    phase = Phase(refusal.market.phase(period))
    needed = [one for one in Phase if one in NEEDED[refusal.function]]
    named = " or ".join(str(one.name) for one in needed) if len(needed) < 4 else f"{needed[0].name} or later"
    said = f"period {refusal.show.period(period)} is in {phase.name}; {refusal.function} needs {named}"
    other = _other(refusal, needed)
    ahead = [one for one in needed if one is not Phase.BIDDING and clock.begins(one, period) > now]
    if not ahead:
        return f"{said}, which is over{other}"
    begins = refusal.show.moment(clock.begins(ahead[0], period))
    return f"{said}, which begins at {begins}: clock.to({ahead[0].name!r}, {int(period)}){other}"


def _other(refusal: Refusal, needed: list[Phase]) -> str:
    """The period for which the call could be made now, where it names one and needs one phase."""
    runs = refusal.clock.period
    near = (period for period in range(runs - 1, runs + 3) if [Phase(refusal.market.phase(period))] == needed)
    found = next(near, None) if "period" in refusal.arguments else None
    return "" if found is None else f"; in {needed[0].name} now is period={int(found)}"


def _too_far(refusal: Refusal) -> str:
    last = refusal.show.period((refusal.clock.now + HORIZON) // refusal.tariff.period_length)
    return f"periods are quoted up to seven days ahead, now up to {last}"


def _owner_first(refusal: Refusal) -> str:
    begins = refusal.show.moment(refusal.clock.begins(Phase.CLOSING, refusal.period))
    return f"in SETTLING the owner settles, as owner.settle() does; from {begins}, in CLOSING, anybody"


# ---- prices, volumes, money ----------------------------------------------------------------


def _band(refusal: Refusal) -> str:
    low, high = refusal.tariff.lowest_price, refusal.tariff.highest_price
    if refusal.function == "reveal_bid":
        low = refusal.quote.price
    price = refusal.display.price
    return f"{price(refusal.arguments['price'])} is not from {price(low)} to {price(high)}"


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
    money = refusal.display.money
    return f"{money(refusal.account.balance)} is free, {money(needed)} is needed"


def _owed(refusal: Refusal) -> str:
    owed = refusal.display.money(-refusal.account.grid_account)
    return f"{refusal.caller} owes the supplier {owed}: deposit that first"


def _range(refusal: Refusal, volume: int, most: int) -> str:
    energy = refusal.display.energy
    return f"{energy(volume)} is not from {energy(1)} to {energy(most)}"


def _volume(refusal: Refusal) -> str:
    most = refusal.account.capacity if refusal.function == "submit_quote" else refusal.quote.volume
    return _range(refusal, refusal.arguments["volume"], most)


def _remaining(refusal: Refusal) -> str:
    return f"{refusal.display.energy(refusal.market.remaining(refusal.quote_id))} is left"


def _none(refusal: Refusal) -> str:
    quote, market = refusal.quote, refusal.market
    metering = Phase(market.phase(quote.period)) == Phase.METERING
    unread = metering and not market.reading(quote.prosumer, quote.period).present
    return f"{_remaining(refusal)}; {_unread(refusal)}" if unread else _remaining(refusal)


def _least(refusal: Refusal) -> str:
    quote, left = refusal.quote, refusal.market.remaining(refusal.quote_id)
    phase = Phase(refusal.market.phase(quote.period))
    offered = quote.volume if phase == Phase.MATCHING else left + quote.sold
    least = min(-(-offered // LEAST_PART), left)
    return f"{_remaining(refusal)}, the least is {refusal.display.energy(least)}"


def _carried(refusal: Refusal) -> str:
    capacity = refusal.display.energy(refusal.account.capacity)
    return f"the connection carries {capacity} in a period, bids that were opened and purchases together"


def _full_market(refusal: Refusal) -> str:
    money = refusal.display.money
    held = refusal.deployment.token.balanceOf(refusal.market.address)
    return f"a market holds less than {money(MAX_MONEY)} in all, and holds {money(held)}"


def _moved(refusal: Refusal) -> str:
    asked, money = refusal.arguments, refusal.display.money
    if asked.get("least", 0) > asked["amount"]:
        return f"at least {money(asked['least'])} cannot arrive of {money(asked['amount'])}"
    return "the token moved another sum than it was asked to, as one does that charges for transfers"


def _allowance(refusal: Refusal) -> str:
    token, asked = refusal.deployment.token, refusal.arguments.get("amount", 0)
    if not refusal.known:
        return _stranger(refusal)
    allowed = refusal.display.money(token.allowance(refusal.sender, refusal.market.address))
    return (
        f"{refusal.caller} lets the market take {allowed}: token.approve(market.address, {asked}, sender=...) first; "
        "a party's own deposit(pence) does both"
    )


def _tokens(refusal: Refusal) -> str:
    held = refusal.display.money(refusal.deployment.token.balanceOf(refusal.sender))
    return f"{refusal.caller} holds {held} outside the market"


# ---- quotes, bids, purchases ---------------------------------------------------------------


def _unknown(refusal: Refusal) -> str:
    return no_quote(refusal.market, refusal.quote_id, refusal.tells)


def _status(refusal: Refusal) -> str:
    status = QuoteStatus(refusal.quote.status)
    if not status:  # Of what was sold of it nothing is kept (T-PARTY-23).
        return _unknown(refusal)
    waits = status == QuoteStatus.VALID and refusal.function != "submit_bid"
    return f"quote {refusal.quote_id} is {status.name}" + (": match_bids first" if waits else "")


def _quoted(refusal: Refusal) -> str:
    quote_id = refusal.market.quote_of(refusal.sender, refusal.period)
    stands = f"quote {quote_id}" if quote_id else "one that was taken back"
    return f"a household quotes once for a period, and {refusal.caller} has, with {stands}"


def _whose(refusal: Refusal) -> str:
    return f"quote {refusal.quote_id} is {refusal.named(refusal.quote.prosumer)}'s"


def _once(refusal: Refusal) -> str:
    return f"a household bids once on a quote; {refusal.caller}'s bid on quote {refusal.quote_id} stands"


def _opened(refusal: Refusal) -> str:
    bid = refusal.market.bid(refusal.quote_id, refusal.sender)
    if not bid.status:
        return f"{refusal.caller} sealed no bid on quote {refusal.quote_id} while it was in BIDDING"
    return f"{refusal.caller}'s bid on quote {refusal.quote_id} is opened already, and {BidStatus(bid.status).name}"


# ---- people and meters ---------------------------------------------------------------------


def _stranger(refusal: Refusal) -> str:
    return f"the call came from {refusal.sender}, who is nobody here: name who makes it, as in sender=sunny"


def _unauthorised(refusal: Refusal) -> str:
    user = refusal.user
    if "user" not in refusal.arguments and not refusal.known:
        return _stranger(refusal)
    if refusal.market.account(user).meter == ZERO_ADDRESS:
        return f"{refusal.named(user)} is not registered, so it cannot trade"
    return f"owner.authorize({refusal.written(user)}) lets it in"


def _unregistered(refusal: Refusal) -> str:
    return f"{refusal.named(refusal.user)} has no meter: market.register(profile, meter, signature, sender=...) first"


def _registered(refusal: Refusal) -> str:
    return f"{refusal.caller} has a meter, {refusal.account.meter}, and keeps it"


def _taken(refusal: Refusal) -> str:
    return f"{refusal.named(refusal.arguments['meter'])} serves another; each household has a meter of its own"


def _capacity(refusal: Refusal) -> str:
    return _range(refusal, refusal.arguments["capacity"], CAPACITY_BOUND - 1)


def _grown(refusal: Refusal) -> str:
    energy = refusal.display.energy
    has = energy(refusal.market.account(refusal.user).capacity)
    return f"{refusal.named(refusal.user)} has {has}, and {energy(refusal.arguments['capacity'])} was asked for"


def _authorised(refusal: Refusal) -> str:
    has = refusal.display.energy(refusal.market.account(refusal.user).capacity)
    return f"{refusal.named(refusal.user)} is, with {has} in a period: there is nothing to do"


def _owner(refusal: Refusal) -> str:
    owner = refusal.market.owner()
    return f"that is {refusal.named(owner)}, sender={refusal.written(owner)}; this call came from {refusal.caller}"


def _successor(refusal: Refusal) -> str:
    pending = refusal.market.pending_owner()
    if pending == ZERO_ADDRESS:
        return "nobody is named: market.transfer_ownership(new_owner, sender=owner) first"
    return f"the new owner is to be {refusal.named(pending)}: sender={refusal.written(pending)}"


def _signed(refusal: Refusal) -> str:
    what = (
        "sign_pairing(market, user, profile)" if refusal.function == "register" else "sign_reading(market, user, ...)"
    )
    return f"a meter signs exactly what is submitted: meter.{what}"


def _length(refusal: Refusal) -> str:
    return f"a signature has 65 bytes, this one {len(refusal.arguments['signature'])}; {_signed(refusal)}"


def _read(refusal: Refusal) -> str:
    reading, energy = refusal.market.reading(refusal.user, refusal.period), refusal.display.energy
    figures = f"{energy(reading.exported)} exported, {energy(reading.imported)} imported"
    return f"a reading is final, and {refusal.named(refusal.user)} has one: {figures}"


def _unread(refusal: Refusal) -> str:
    who, written = refusal.named(refusal.quote.prosumer), refusal.written(refusal.quote.prosumer)
    party = f"market[{written}]" if written.startswith('"') else written
    return f"what {who} exported is known once its meter is read: {party}.meter.read(exported=...)"


# ---- settlement ----------------------------------------------------------------------------


def _settled(refusal: Refusal) -> str:
    return f"{refusal.named(refusal.user)}'s account for period {refusal.show.period(refusal.period)} is finalised"


def _nothing(refusal: Refusal) -> str:
    who, period = refusal.named(refusal.user), refusal.show.period(refusal.period)
    return f"{who} has no reading for period {period}, and bought nothing"


def _open(refusal: Refusal) -> str:
    market, period = refusal.market, refusal.period
    waiting = {QuoteStatus.VALID: "match_bids", QuoteStatus.MATCHED: "settle_quote"}
    steps = [
        f"market.{waiting[QuoteStatus(quote.status)]}({quote_id})"
        for quote_id in range(1, market.quote_count() + 1)
        if (quote := market.quote(quote_id)).period == period and QuoteStatus(quote.status) in waiting
    ]
    return f"the quotes of the period come first: {', '.join(steps)}, then owner.settle()"


HINTS: dict[str, Callable[[Refusal], str]] = {
    "clock: wrong phase": _phase,
    "quotes: period too far ahead": _too_far,
    "settlement: owner only": _owner_first,
    "quotes: price out of band": _band,
    "bids: price out of bounds": _band,
    "ledger: insufficient balance": _money,
    "ledger: in arrears": _owed,
    "ledger: too many tokens": _full_market,
    "ledger: token moved another amount": _moved,
    "ledger: token refused": lambda _: "the token answered that it did not move the sum",
    "erc20: insufficient allowance": _allowance,
    "erc20: transfer amount exceeds balance": _tokens,
    "erc20: burn amount exceeds balance": _tokens,
    "quotes: volume out of bounds": _volume,
    "bids: volume out of bounds": _volume,
    "surplus: volume is zero": _none,
    "surplus: volume too small": _least,
    "surplus: not enough left": _remaining,
    "positions: beyond the capacity": _carried,
    "positions: earlier not settled": earlier,
    "quotes: unknown quote": _unknown,
    "quotes: not valid": _status,
    "quotes: not matched": _status,
    "quotes: already quoted": _quoted,
    "quotes: not the prosumer": _whose,
    "bids: own quote": _whose,
    "surplus: own quote": _whose,
    "bids: already bid": _once,
    "bids: nothing to open": _opened,
    "bids: seal does not match": lambda _: "price, volume and salt are not those that were sealed",
    "bids: book is full": lambda _: f"{MAX_OPENED} bids on it are opened, and no more can be",
    "surplus: too many trades": lambda _: f"it was sold in {MAX_TRADES} parts, and there can be no more",
    "surplus: no reading yet": _unread,
    "accounts: not authorised": _unauthorised,
    "accounts: not registered": _unregistered,
    "accounts: already registered": _registered,
    "accounts: supplier cannot register": lambda _: "the supplier is the other side of every invoice account",
    "accounts: meter is zero": lambda _: "name the meter's address: meter.address",
    "accounts: meter already paired": _taken,
    "accounts: capacity out of bounds": _capacity,
    "accounts: capacity cannot fall": _grown,
    "accounts: already authorised": _authorised,
    "accounts: malformed signature": _length,
    "accounts: wrong meter": _signed,
    "accounts: too little gas": lambda _: "the meter is a contract, which is asked with 100,000 gas: send more",
    "ecdsa: invalid signature": _signed,
    "ecdsa: invalid signature `s` value": lambda _: (
        "of the two forms of a signature only the one with the low s counts"
    ),
    "ownable: caller is not the owner": _owner,
    "ownable_2step: caller is not the new owner": _successor,
    "metering: already read": _read,
    "settlement: already settled": _settled,
    "settlement: nothing to settle": _nothing,
    "settlement: quotes still open": _open,
}
"""What explains each reason."""
