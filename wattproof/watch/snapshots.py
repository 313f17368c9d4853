"""The model of a market as JSON and back, and the arguments of calls as the store keeps them, to be made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from wattproof.market.abi import Interface
from wattproof.terms import model
from wattproof.terms.model import Account, Bid, BidStatus, Position, Quote, QuoteStatus, Reading, Totals, Trade

VERSION = 1
"""Of the encoding. One that is not known is no error: the model is made anew from the stored calls."""


def told(market: model.Market) -> dict[str, Any]:
    """All that the model remembers; users by their place in a list, as most of it is theirs."""
    users = list(market.accounts)
    users += sorted(({str(user) for (user, _), _ in market.positions.items()}) - set(users))
    place = {user: number for number, user in enumerate(users)}
    return {
        "version": VERSION,
        "owner": market.owner,
        "pending_owner": market.pending_owner,
        "held": market.held,
        "users": users,
        "accounts": [[place[user], *_plain(astuple(account))] for user, account in market.accounts.items()],
        "user_of": dict(market.user_of),
        "rooms": market.quotes.rooms,
        "count": market.quotes.count,
        "quotes": [[room, number, *_quote(quote)] for room, number, quote in market.quotes.tenants()],
        "positions": [[place[str(user)], period, *_position(one)] for (user, period), one in market.positions.items()],
        "sales": [[user, period, number] for (user, period), number in market.sales.items()],
        "totals": [[period, totals.supply, totals.demand] for (_, period), totals in market.totals.items()],
    }


def restore(market: model.Market, data: Mapping[str, Any]) -> None:
    """Makes a model that was just opened what `told` told."""
    users: list[str] = data["users"]
    market.owner, market.pending_owner = data["owner"], data["pending_owner"]
    market.token.balances[market.address] = data["held"]
    for user, profile, *rest in data["accounts"]:
        market.accounts[users[user]] = Account(bytes.fromhex(profile), *rest)
    market.user_of.update(data["user_of"])
    market.quotes.rooms, market.quotes.count = data["rooms"], data["count"]
    for room, number, *rest in data["quotes"]:
        market.quotes.put(room, number, _quote_of(rest))
    for user, period, *rest in data["positions"]:
        market.positions[users[user], period] = _position_of(rest)
    for user, period, number in data["sales"]:
        market.sales[user, period] = number
    for period, supply, demand in data["totals"]:
        market.totals[model.EVERYBODY, period] = Totals(supply, demand)


def _plain(values: Sequence[Any]) -> list[Any]:
    return [value.hex() if isinstance(value, bytes) else value for value in values]


def _quote(quote: Quote) -> list[Any]:
    figures = [quote.prosumer, quote.period, quote.volume, quote.price, quote.created_at, quote.sold, int(quote.status)]
    bids = [[bidder, *_plain([*bid[:-1], int(bid.status)])] for bidder, bid in quote.bids.items()]
    trades = [list(trade) for trade in quote.trades]
    return [*figures, quote.collateral, quote.won, quote.ahead, bids, quote.opened, trades]


def _quote_of(told: Any) -> Quote:
    *figures, status, collateral, won, ahead, bids, opened, trades = told
    quote = Quote(*figures)
    quote.status, quote.collateral, quote.won, quote.ahead = QuoteStatus(status), collateral, won, ahead
    for bidder, seal, price, volume, filled, standing in bids:
        quote.bids[bidder] = Bid(bytes.fromhex(seal), price, volume, filled, BidStatus(standing))
    quote.opened, quote.trades = list(opened), [Trade(*trade) for trade in trades]
    return quote


def _position(position: Position) -> list[Any]:
    p = position
    energy = [p.agreed, p.bought, p.received, p.delivered, p.asked, p.purchased]
    return [*energy, sorted(p.stakes), p.settled, list(p.reading), p.quote_id]


def _position_of(told: Any) -> Position:
    *energy, stakes, settled, reading, quote_id = told
    position = Position(*energy)
    position.stakes, position.settled = set(stakes), settled
    position.reading, position.quote_id = Reading(*reading), quote_id
    return position


# ---- stored calls ------------------------------------------------------------------------


def arguments_of(interface: Interface, function: str, stored: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a stored call, which stand there as JSON, by name."""
    asked = interface.functions[function]
    return tuple(_value(kind, stored[name]) for name, kind in zip(asked.names, asked.types, strict=True))


def _value(kind: str, stored: Any) -> Any:
    if isinstance(stored, list):
        if kind.endswith("[]"):
            return [_value(kind[:-2], each) for each in stored]
        return tuple(_value(part, each) for part, each in zip(kind[1:-1].split(","), stored, strict=True))
    if kind.startswith("uint"):
        return int(stored)
    if kind in ("bytes", "bytes32"):
        return bytes.fromhex(stored[2:]) if stored.startswith("0x") else stored
    return stored
