"""What there is to do in a market just now, by the model: what the rules of the machines draw from."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sized
from typing import Protocol

from verification.harness.lockstep import HOUSEHOLDS
from wattproof.market.clock import Clock
from wattproof.market.deployment import Tariff
from wattproof.terms.model import AccountView, BidStatus, Market, Phase, QuoteStatus

AFTER_REVEALING = ~(Phase.BIDDING | Phase.REVEALING)
AFTER_METERING = Phase.SETTLING | Phase.CLOSING
ON_SALE = Phase.MATCHING | Phase.METERING

MAX_QUOTES = 7
"""Quotes that a history makes at most, those of its preset not counted."""


class InPlay(Protocol):
    """A market that is played: a `Lockstep`, or the model alone.

    model     the market, by the terms
    periods   those in play
    first     the first quote that was not over before the history began
    carried   how many were made from that one on before the history began
    trace     all that happened
    """

    tariff: Tariff
    model: Market
    periods: list[int]
    first: int
    carried: int

    @property
    def now(self) -> int: ...

    @property
    def trace(self) -> Sized: ...

    def address(self, name: str) -> str: ...


def edges_ahead(market: InPlay) -> list[int]:
    """The seconds still ahead at which a phase of a period in play begins; where there is none, one period on."""
    clock = Clock(market.tariff.period_length, market.tariff.window)
    begun_by_time = [phase for phase in Phase if phase != Phase.BIDDING]
    edges = {clock.begins(phase, period) for period in market.periods for phase in begun_by_time}
    return sorted(edge for edge in edges if edge > market.now) or [market.now + clock.period_length]


class EnabledActions:
    """One moment of a market, until something happens. Nothing is computed that is not asked for, or twice."""

    def __init__(
        self, lockstep: InPlay, sealed: Mapping[tuple[int, str], tuple[int, int]], most_quotes: float = MAX_QUOTES
    ) -> None:
        self.lockstep, self.market, self.now = lockstep, lockstep.model, lockstep.now
        self.sealed, self.most_quotes = sealed, most_quotes
        self._made = len(lockstep.trace), len(sealed), len(lockstep.periods)

    def holds_for(self, lockstep: InPlay, sealed: Mapping[tuple[int, str], tuple[int, int]]) -> bool:
        """Whether this is still so: no call was made since, and no time has passed. Both leave a line in the trace."""
        return lockstep is self.lockstep and self._made == (len(lockstep.trace), len(sealed), len(lockstep.periods))

    @functools.cached_property
    def households(self) -> dict[str, AccountView]:
        """The households' accounts."""
        return {name: self.market.account(self.lockstep.address(name)) for name in HOUSEHOLDS}

    @functools.cached_property
    def traders(self) -> dict[str, str]:
        """The households that may begin new business, with their addresses."""
        standing = self.households.items()
        allowed = [name for name, account in standing if account.authorized and account.grid_account >= 0]
        return {name: self.lockstep.address(name) for name in allowed}

    @functools.cached_property
    def debtors(self) -> list[str]:
        """The households in arrears that have free money, with which their next call may clear what they owe."""
        return [name for name, account in self.households.items() if account.grid_account < 0 < account.balance]

    @functools.cached_property
    def phases(self) -> dict[int, Phase]:
        """The phase of every period in play."""
        return {period: self.market.phase(period, self.now) for period in self.lockstep.periods}

    @functools.cached_property
    def quotes(self) -> list[tuple[int, int, int]]:
        """The quotes from `first` on that are kept: ID, status and the phase of their period."""
        quotes = [(id_, quote) for id_, quote in self.market.quotes.items() if id_ >= self.lockstep.first]
        periods = {quote.period for _, quote in quotes}
        phases = {period: int(self.market.phase(period, self.now)) for period in periods}
        return [(id_, int(quote.status), phases[quote.period]) for id_, quote in quotes]

    def quotes_in(self, status: QuoteStatus, phases: Phase) -> list[int]:
        """IDs of the quotes with that status whose period is in one of the phases."""
        wanted, during = int(status), int(phases)
        return [number for number, is_now, phase in self.quotes if is_now & wanted and phase & during]

    @functools.cached_property
    def offers(self) -> list[tuple[str, int]]:
        """Who could quote for which period."""
        if len(self.quotes) - self.lockstep.carried >= self.most_quotes:
            return []
        return [
            (name, period)
            for period, phase in self.phases.items()
            if phase == Phase.BIDDING
            for name, address in self.traders.items()
            if not self.market.quote_of(address, period)
        ]

    @functools.cached_property
    def withdrawals(self) -> list[int]:
        """Quotes that could be withdrawn."""
        return self.quotes_in(QuoteStatus.VALID, Phase.BIDDING)

    @functools.cached_property
    def bids(self) -> list[tuple[int, str]]:
        """Who could still bid on which quote."""
        market = self.market
        return [
            (number, name)
            for number in self.withdrawals
            for name, address in self.traders.items()
            if market.quote(number).prosumer != address and not market.bid(number, address).status
        ]

    @functools.cached_property
    def reveals(self) -> list[tuple[int, str]]:
        """Whose bid on which quote could be opened."""
        ready = self.quotes_in(QuoteStatus.VALID, Phase.REVEALING)
        return [
            (number, name)
            for number, name in (self.sealed if ready else ())
            if number in ready
            and name in self.traders
            and self.market.bid(number, self.traders[name]).status == BidStatus.CREATED
        ]

    @functools.cached_property
    def matches(self) -> list[int]:
        """Quotes that can be matched."""
        return self.quotes_in(QuoteStatus.VALID, AFTER_REVEALING)

    @functools.cached_property
    def purchases(self) -> list[tuple[int, str]]:
        """Who could buy surplus of which quote."""
        market = self.market
        return [
            (number, name)
            for number in self.quotes_in(QuoteStatus.MATCHED, ON_SALE)
            if market.remaining(number, self.now)
            for name, address in self.traders.items()
            if market.quote(number).prosumer != address
        ]

    def least(self, number: int) -> int:
        """The least that can be bought of a quote now, in Wh, where more than that is left (T-SUR-11)."""
        quote = self.market.quote(number)
        metered = self.market.reading(quote.prosumer, quote.period)
        in_advance = self.market.phase(quote.period, self.now) == Phase.MATCHING
        return max(-(-(quote.volume if in_advance else metered.exported) // 64), 1)

    def room(self, name: str, period: int) -> int:
        """What a household can still open and purchase in a period, in Wh (T-REG-21)."""
        user = self.lockstep.address(name)
        position = self.market.positions.get((user, period))
        claimed = position.asked + position.purchased if position else 0
        return max(self.market.account(user).capacity - claimed, 0)

    @functools.cached_property
    def readings(self) -> list[tuple[str, int]]:
        """Whose meter could report for which period; those with something at stake come twice."""
        address, market = self.lockstep.address, self.market
        due = [
            (name, period)
            for period, phase in self.phases.items()
            if phase == Phase.METERING
            for name in HOUSEHOLDS
            if not market.reading(address(name), period).present
        ]
        return due + [(name, period) for name, period in due if market.position(address(name), period).open]

    @functools.cached_property
    def settlements(self) -> list[int]:
        """Quotes that the owner, at least, could settle."""
        return self.quotes_in(QuoteStatus.MATCHED, AFTER_METERING)

    @functools.cached_property
    def accounts(self) -> list[tuple[str, int]]:
        """Whose account for which period the owner, at least, could settle."""
        due = [period for period, phase in self.phases.items() if phase in (Phase.SETTLING, Phase.CLOSING)]
        return [(name, period) for period in due for name in HOUSEHOLDS if self._is_settleable(name, period)]

    def _is_settleable(self, name: str, period: int) -> bool:
        place = self.lockstep.address(name), period
        position = self.market.positions.get(place)
        if position is None:
            return False
        return not position.settled and not position.stakes and (position.reading.present or position.bought > 0)
