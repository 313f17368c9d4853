"""What a lens answered about a block, for the store: taken from the model where the two agree, else decoded."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from wattproof.chain.node import Node
from wattproof.market.lens import Asked, Lens, answer_of
from wattproof.store.records import State
from wattproof.terms import model
from wattproof.terms.model import (
    ZERO_ADDRESS,
    AccountView,
    Bid,
    BidStatus,
    PositionView,
    QuoteStatus,
    QuoteView,
    Reading,
    Trade,
)
from wattproof.watch.touched import Touched


@dataclass
class Gathered:
    """The state as the chain's views tell it.

    market   the model to compare with; None: there is none
    tokens   what the market holds
    """

    lens: Lens
    market: model.Market | None
    now: int
    accounts: dict[str, AccountView] = field(default_factory=dict)
    quotes: dict[int, QuoteView] = field(default_factory=dict)
    bids: dict[tuple[int, str], Bid] = field(default_factory=dict)
    readings: dict[tuple[str, int], Reading] = field(default_factory=dict)
    positions: dict[tuple[str, int], PositionView] = field(default_factory=dict)
    totals: dict[int, tuple[int, int]] = field(default_factory=dict)
    trades: dict[int, list[Trade]] = field(default_factory=dict)
    tokens: int | None = None

    def take(self, asked: Asked, answer: bytes) -> dict[str, str]:
        """Takes an answer; returns where it differs from the model's."""
        self.tokens = int.from_bytes(answer[-32:], "big")
        if self.market is not None:
            wanted = answer_of(self.market, asked, self.now)
            if answer == wanted:
                self._agreed(self.market, asked)
                return {}
            self._decoded(asked, answer)
            return self.lens.differences(asked, answer, wanted, {})
        self._decoded(asked, answer)
        return {}

    def _agreed(self, market: model.Market, asked: Asked) -> None:
        """What the chain said is what the model says."""
        self.accounts |= {user: market.account(user) for user in asked.users}
        for number in asked.quotes:
            self.quotes[number] = market.quote(number)
            self.trades[number] = market.trades(number)
            self.bids |= {(number, bidder): market.bid(number, bidder) for bidder in asked.bidders}
        self.readings |= {place: market.reading(*place) for place in asked.places}
        self.positions |= {place: market.position(*place) for place in asked.places}
        self.totals |= {period: (market.supply(period), market.demand(period)) for period in asked.periods}

    def _decoded(self, asked: Asked, answer: bytes) -> None:
        told: dict[str, Any] = self.lens.decoded(answer)
        for user, account in zip(asked.users, told["accounts"], strict=True):
            self.accounts[user] = AccountView._make([account[0], str(account[1]), *account[2:]])
        for number, quote in zip(asked.quotes, told["quotes"], strict=False):
            self.quotes[number] = QuoteView._make([str(quote[0]), *quote[1:6], QuoteStatus(quote[6])])
        pairs = itertools.product(asked.quotes[: len(told["quotes"])], asked.bidders)
        for pair, bid in zip(pairs, told["bids"], strict=True):
            self.bids[pair] = Bid._make([*bid[:4], BidStatus(bid[4])])
        for place, reading, position in zip(asked.places, told["readings"], told["positions"], strict=True):
            self.readings[place] = Reading(*reading)
            self.positions[place] = PositionView(*position)
        for index, period in enumerate(asked.periods):
            self.totals[period] = told["periods"][3 * index], told["periods"][3 * index + 1]

    def take_trades(self, node: Node, block: str) -> None:
        """Asks for the trades of quotes of which the state told no more than a hash."""
        missing = [number for number, quote in self.quotes.items() if number not in self.trades and quote.sold]
        view = self.lens.views["trades"]
        answers = node.views([(self.lens.address, view.encode([number])) for number in missing], block)
        for number, answer in zip(missing, answers, strict=True):
            if isinstance(answer, bytes):
                self.trades[number] = [Trade(str(buyer), *rest) for buyer, *rest in view.decode(answer)]

    def state(self, touched: Touched) -> State:
        """What the store takes of it: what is there, of what was touched."""
        return State(
            self.accounts,
            {number: quote for number, quote in self.quotes.items() if quote.prosumer != ZERO_ADDRESS},
            {pair: bid for pair, bid in self.bids.items() if pair in touched.bids and bid.status},
            self.trades,
            {place: reading for place, reading in self.readings.items() if reading.present},
            {place: position for place, position in self.positions.items() if place in touched.places},
            self.totals,
        )
