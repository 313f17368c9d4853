"""What a refusal of the contract means, in a sentence for who made the call.

The contract's reasons are two words, as words cost gas. What can be looked up about them is looked up at the node;
where that fails, the sentence does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from wattproof.chain.market import ChainMarket, NotTheMarket
from wattproof.chain.node import BlockGone, NodeUnusable, RpcError
from wattproof.chain.sending import Refused
from wattproof.market.units import Display
from wattproof.terms.model import LEAST_PART, MAX_OPENED, MAX_TRADES, NEEDED, Phase
from wattproof.terms.places import DAY, HORIZON

_NO_ANSWER = (RpcError, NodeUnusable, Refused, NotTheMarket, BlockGone)


def hint(reason: str, call: str, arguments: Mapping[str, Any], sender: str, market: ChainMarket) -> str | None:
    """The sentence that goes with a reason; None where nothing is known."""
    if reason in _LOOKED_UP:
        with suppress(*_NO_ANSWER):
            return _LOOKED_UP[reason](call, arguments, sender, market)
    return HINTS.get(reason)


def _phase(call: str, arguments: Mapping[str, Any], sender: str, market: ChainMarket) -> str:
    period = arguments.get("period")
    if period is None:
        period = market.view("quote", arguments["quote_id"]).period
    now = Phase(market.view("phase", period, block="pending"))
    needed = " or ".join(str(one.name) for one in Phase if one in NEEDED[call])
    return f"period {period} is in {now.name}; {call} needs {needed}"


def _money(call: str, arguments: Mapping[str, Any], sender: str, market: ChainMarket) -> str:
    free = _display(market).money(market.view("account", sender).balance)
    return f"{free} of the sender's is free in the market; deposit more first"


def _allowance(call: str, arguments: Mapping[str, Any], sender: str, market: ChainMarket) -> str:
    allowed = market.token.view("allowance", sender, market.address)
    return f"the market may take {_display(market).money(allowed)} of the sender's credit: approve more first"


def _tokens(call: str, arguments: Mapping[str, Any], sender: str, market: ChainMarket) -> str:
    held = _display(market).money(market.token.view("balanceOf", sender))
    return f"the sender holds {held} outside the market: mint more credit first"


def _remaining(call: str, arguments: Mapping[str, Any], sender: str, market: ChainMarket) -> str:
    left = market.view("remaining", arguments["quote_id"], block="pending")
    return f"{_display(market).energy(left)} of the quote is left"


def _band(call: str, arguments: Mapping[str, Any], sender: str, market: ChainMarket) -> str:
    tariff, price = market.record.tariff, _display(market).price
    low = tariff.lowest_price if call == "submit_quote" else market.view("quote", arguments["quote_id"]).price
    return f"a price is from {price(low)} to {price(tariff.highest_price)}"


def _display(market: ChainMarket) -> Display:
    return Display.of(market.record.tariff.highest_price)


_LOOKED_UP: dict[str, Callable[[str, Mapping[str, Any], str, ChainMarket], str]] = {
    "clock: wrong phase": _phase,
    "ledger: insufficient balance": _money,
    "erc20: insufficient allowance": _allowance,
    "erc20: transfer amount exceeds balance": _tokens,
    "erc20: burn amount exceeds balance": _tokens,
    "surplus: not enough left": _remaining,
    "surplus: volume is zero": _remaining,
    "quotes: price out of band": _band,
    "bids: price out of bounds": _band,
}

_SIGNS = "the meter signs exactly what is submitted, for this chain and this market"

HINTS = {
    "clock: wrong phase": "the delivery period is in another phase: see /api/v1/phases",
    "quotes: period too far ahead": f"periods are quoted up to {HORIZON // DAY} days ahead",
    "settlement: owner only": "in SETTLING the owner settles; in CLOSING, anybody",
    "quotes: price out of band": "a price lies between those of the grid: see the tariff in /api/v1/status",
    "bids: price out of bounds": "a bid's price is at least the quote's, and below the grid's less the fee",
    "ledger: insufficient balance": "not enough of the sender's money is free: deposit more first",
    "ledger: in arrears": "the household owes the supplier: deposit that first",
    "ledger: too many tokens": "the market cannot hold that much",
    "ledger: token moved another amount": "the token moved another sum than it was asked to",
    "ledger: token refused": "the token answered that it did not move the sum",
    "erc20: insufficient allowance": "approve the sum first, so that the market may take it",
    "erc20: transfer amount exceeds balance": "the sender does not hold so much credit: mint it first",
    "erc20: burn amount exceeds balance": "the sender does not hold so much credit",
    "quotes: volume out of bounds": "a volume is 1 Wh or more, and at most what the connection carries",
    "bids: volume out of bounds": "a volume is 1 Wh or more, and at most what was quoted",
    "surplus: volume is zero": "nothing of the quote is left",
    "surplus: volume too small": f"the least is a {LEAST_PART}th of what is offered, or all that is left",
    "surplus: not enough left": "less is left of the quote",
    "positions: beyond the capacity": "the connection carries less in a period, opened bids and purchases together",
    "positions: earlier not settled": "an earlier period lies in the same place: it has to be settled first",
    "quotes: unknown quote": "no quote of that number is kept",
    "quotes: not valid": "the quote is withdrawn, or was matched already",
    "quotes: not matched": "the quote has to be matched first",
    "quotes: already quoted": "a household quotes once for a period",
    "quotes: not the prosumer": "only who made a quote can withdraw it",
    "bids: own quote": "nobody bids on a quote of its own",
    "surplus: own quote": "nobody buys of a quote of its own",
    "bids: already bid": "a household bids once on a quote",
    "bids: nothing to open": "the sender has no sealed bid on this quote that is still to be opened",
    "bids: seal does not match": "price, volume and salt are not those that were sealed",
    "bids: book is full": f"{MAX_OPENED} bids are opened, and no more can be",
    "surplus: too many trades": f"the quote was sold in {MAX_TRADES} parts, and there can be no more",
    "surplus: no reading yet": "what was exported is known once the prosumer's meter is read",
    "accounts: not authorised": "the owner has to authorise the household first",
    "accounts: not registered": "the household has no meter: register it first",
    "accounts: already registered": "the sender has a meter, and keeps it",
    "accounts: supplier cannot register": "the supplier is the other side of every invoice account",
    "accounts: meter is zero": "name the meter's address",
    "accounts: meter already paired": "the meter serves another household",
    "accounts: capacity out of bounds": "a capacity is 1 Wh or more, and below 2**24 Wh",
    "accounts: capacity cannot fall": "a capacity can only be raised",
    "accounts: already authorised": "the household is, with that capacity: there is nothing to do",
    "accounts: malformed signature": "a signature has 65 bytes",
    "accounts: wrong meter": _SIGNS,
    "accounts: too little gas": "the meter is a contract, which is asked with 100,000 gas: send more",
    "ecdsa: invalid signature": _SIGNS,
    "ecdsa: invalid signature `s` value": "of the two forms of a signature only the one with the low s counts",
    "ownable: caller is not the owner": "only the owner of the market may: see /api/v1/accounts?role=owner",
    "ownable_2step: caller is not the new owner": "only whom the owner named may take over",
    "metering: already read": "a reading is final, and there is one",
    "settlement: already settled": "the account of that period is settled",
    "settlement: nothing to settle": "the household has no reading for that period, and bought nothing",
    "settlement: quotes still open": "the quotes of that period have to be matched and settled first",
}
"""A sentence for each reason of annex A that a call can be refused for."""
