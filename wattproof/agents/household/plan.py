"""What a household wants to call, from what it knows. Pure: it asks nobody and sends nothing.

In BIDDING it quotes what it expects to have over, two windows before REVEALING, and decides one window before REVEALING
what it bids for what it expects to lack, by the strategies of `wattproof.simulation`. It opens its bids in REVEALING;
in MATCHING it buys what is left of its neighbours' quotes if it still lacks energy, and in METERING what they delivered
beyond. Half a window before METERING ends it hands its own reading in, if nobody has. What others leave undone,
matching and settling, it does itself where its own money waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wattproof.agents.calls import Call, match, settle_accounts, settle_quote
from wattproof.agents.facts import Facts, Offer, Record
from wattproof.agents.household.decisions import Bid, Withdrawal
from wattproof.agents.household.tables import Forecast, Measured
from wattproof.agents.readings import SignedReading
from wattproof.agents.timing import halfway, phase
from wattproof.market.clock import Clock
from wattproof.market.seals import seal_of
from wattproof.market.tariff import Tariff
from wattproof.market.tokens import Token
from wattproof.simulation.bidding import apportion, in_reach, purchase
from wattproof.simulation.pricing import into_band, sdr_prices
from wattproof.terms.model import LEAST_PART, Phase, QuoteStatus


@dataclass(frozen=True)
class View:
    """What a household knows.

    me, account      its address; what the market's view `account` says of it
    tokens           its own tokens outside of the market; `allowed` of them the market may take
    bids             what it has decided to bid, by quote
    keep             the most that it keeps in the market as free money, in base units
    demand           what was asked for in the period of the same time the day before, by period
    """

    facts: Facts
    clock: Clock
    tariff: Tariff
    token: Token
    chain: int
    market: str
    me: str
    now: int
    account: Any
    tokens: int
    allowed: int
    keep: int
    forecasts: Mapping[int, Forecast]
    bids: Mapping[int, Bid] = field(default_factory=dict)
    measured: Mapping[int, Measured] = field(default_factory=dict)
    readings: Mapping[int, SignedReading] = field(default_factory=dict)
    demand: Mapping[int, int] = field(default_factory=dict)
    withdrawals: tuple[Withdrawal, ...] = ()
    live: frozenset[str] = frozenset()

    def phase(self, period: int) -> Phase:
        """The phase of a period."""
        return phase(self.clock, period, self.now)

    def record(self, period: int) -> Record:
        """The household's record of a period."""
        return self.facts.records.get((self.me, period)) or Record()

    def quoting(self, period: int) -> bool:
        """Whether it is time to quote: from two windows before REVEALING on."""
        return self.phase(period) == Phase.BIDDING and self.now >= self._revealing(period) - 2 * self.clock.window

    def bidding(self, period: int) -> bool:
        """Whether it is time to bid: from one window before REVEALING on."""
        return self.phase(period) == Phase.BIDDING and self.now >= self._revealing(period) - self.clock.window

    def _revealing(self, period: int) -> int:
        return self.clock.begins(Phase.REVEALING, period)

    def others(self, period: int) -> list[tuple[int, Offer]]:
        """Number and quote of what others offer."""
        return [(number, offer) for number, offer in self.facts.of_period(period) if offer.prosumer != self.me]

    @property
    def periods(self) -> list[int]:
        """The periods in which there is something to do: from those in METERING on to those that are quoted."""
        length, window = self.clock.period_length, self.clock.window
        first, last = (self.now - window) // length - 1, (self.now + 4 * window) // length + 1
        return list(range(first, last + 1))

    def capacity_left(self, period: int) -> int:
        """What it may still open or buy in a period (T-REG-21)."""
        return self.account.capacity - self.record(period).claimed

    def is_pending(self, prefix: str) -> bool:
        """Whether something whose key begins so is under way."""
        return any(key.startswith(prefix) for key in self.live)


def plan(view: View) -> list[Call]:
    """All that is due now and was not done, the most urgent first."""
    calls = [*_money(view), *_withdrawals(view)]
    for period in view.periods:
        calls += _of_period(view, period)
    return [*calls, *_left_undone(view)]


def _of_period(view: View, period: int) -> Iterator[Call]:
    at = view.phase(period)
    may_trade = view.account.authorized and view.account.grid_account >= 0
    if may_trade and at == Phase.BIDDING:
        yield from _quote(view, period)
        yield from _bids(view, period)
    if may_trade and at == Phase.REVEALING:
        yield from _openings(view, period)
    if may_trade and at in (Phase.MATCHING, Phase.METERING):
        yield from _purchases(view, period, at)
    if at == Phase.METERING:
        yield from _reading(view, period)


# ---- offering ------------------------------------------------------------------------------


def _quote(view: View, period: int) -> Iterator[Call]:
    forecast = view.forecasts.get(period)
    mine = any(offer.prosumer == view.me and offer.period == period for offer in view.facts.offers.values())
    if forecast is None or forecast.net <= 0 or mine or not view.quoting(period):
        return
    volume = min(forecast.net, view.account.capacity)
    quoted = sum(offer.volume for _, offer in view.others(period))
    supply = forecast.supply if forecast.supply is not None else quoted + volume
    sells, _ = sdr_prices(supply, _demand(view, period, forecast), view.tariff.sbp, view.tariff.ssp)
    price = into_band(sells, view.tariff.lowest_price, view.tariff.highest_price)
    yield Call("submit_quote", (period, volume, price), (f"quote {period}",), f"quote {volume} Wh for period {period}")


def _demand(view: View, period: int, forecast: Forecast) -> int:
    """What the community is expected to lack: as it was told, or as it was a day before."""
    return forecast.demand if forecast.demand is not None else view.demand.get(period, 0)


def decide(view: View, period: int) -> list[tuple[int, int, int]] | None:
    """What is bid in a period: quote, price and volume of each bid; None where it is not to be decided yet.

    It bids what Liu et al. 2017 have buyers pay, between a quote's price and the highest, on a few quotes, in
    proportion to their volumes (`wattproof.simulation.trading_day`). Nothing is decided before somebody quotes.
    """
    forecast, others = view.forecasts.get(period), view.others(period)
    if forecast is None or forecast.net >= 0 or not others or not view.bidding(period):
        return None
    if not view.account.authorized:
        return None
    wanted = min(-forecast.net, view.capacity_left(period))
    supply = forecast.supply if forecast.supply is not None else sum(offer.volume for _, offer in others)
    demand = max(wanted, _demand(view, period, forecast))
    _, buys = sdr_prices(supply, demand, view.tariff.sbp, view.tariff.ssp)
    # Whose turn it is, nobody tells: each has a place of its own, which moves from period to period.
    chosen = in_reach(others, int(view.me, 16) + period)
    volumes = apportion(wanted, [offer.volume for _, offer in chosen])
    highest = view.tariff.highest_price
    return [
        (number, into_band(buys, offer.price, highest), volume)
        for (number, offer), volume in zip(chosen, volumes, strict=True)
        if volume > 0
    ]


# ---- bidding -------------------------------------------------------------------------------


def _bids(view: View, period: int) -> Iterator[Call]:
    for bid in view.bids.values():
        offer = view.facts.offers.get(bid.quote_id)
        if bid.period != period or offer is None or offer.period != period or offer.status != QuoteStatus.VALID:
            continue
        if view.me not in offer.sealed:
            content = (bid.quote_id, view.me, bid.price, bid.volume, bid.salt)
            seal = seal_of(view.chain, view.market, *content)
            yield Call("submit_bid", (bid.quote_id, seal), (f"bid {bid.quote_id}",), f"bid on quote {bid.quote_id}")


def _openings(view: View, period: int) -> Iterator[Call]:
    for bid in view.bids.values():
        offer = view.facts.offers.get(bid.quote_id)
        if bid.period != period or offer is None or view.me not in offer.sealed:
            continue
        if offer.status == QuoteStatus.VALID:
            content = (bid.quote_id, bid.price, bid.volume, bid.salt)
            yield Call("reveal_bid", content, (f"open {bid.quote_id}",), f"open the bid on quote {bid.quote_id}")


def _purchases(view: View, period: int, at: Phase) -> Iterator[Call]:
    """One purchase, the cheapest first, where the household lacks energy and knows what its bids have won."""
    record, wanted = view.record(period), _wanted(view, period, at)
    bid_on = [number for number, offer in view.others(period) if view.me in offer.opened]
    waiting = [number for number in bid_on if view.facts.offers[number].status == QuoteStatus.VALID]
    if at == Phase.MATCHING and waiting:
        if view.now >= halfway(view.clock, Phase.MATCHING, period):
            yield from map(match, waiting)
        return
    if wanted <= record.bought or view.is_pending(f"buy {period} "):
        return
    offers = sorted((offer.price, number, offer) for number, offer in view.others(period))
    for price, number, offer in offers:
        offered = _offered(view, offer, at)
        left, room = offered - offer.sold, view.capacity_left(period)
        lacking = min(wanted - record.bought, room)
        volume = purchase(lacking, left, -(-offered // LEAST_PART), price, view.tariff)
        if offer.status == QuoteStatus.MATCHED and 0 < volume <= room:
            keys = (f"buy {period} {record.claimed}",)
            yield Call("buy_surplus", (number, volume), keys, f"buy {volume} Wh of quote {number}")
            return


def _wanted(view: View, period: int, at: Phase) -> int:
    """What the household needs in a period, as far as is known: before the delivery its forecast, then its meter."""
    if at == Phase.METERING:
        measured = view.measured.get(period)
        return measured.imported if measured else 0
    forecast = view.forecasts.get(period)
    return max(0, -forecast.net) if forecast else 0


def _offered(view: View, offer: Offer, at: Phase) -> int:
    """What of a quote is for sale or was sold (T-SUR-5, T-SUR-6)."""
    if at == Phase.MATCHING:
        return offer.volume
    record = view.facts.records.get((offer.prosumer, offer.period))
    return record.reading[0] if record and record.reading else 0


# ---- what is to be finished ------------------------------------------------------------------


def _reading(view: View, period: int) -> Iterator[Call]:
    reading = view.readings.get(period)
    if reading is None or view.record(period).reading or view.now < halfway(view.clock, Phase.METERING, period):
        return
    arguments = (view.me, period, reading.exported, reading.imported, reading.signature)
    yield Call("submit_reading", arguments, (f"read {period}",), f"hand in the reading of period {period}")


def unmeasured(view: View) -> list[int]:
    """The periods in which it traded, and of which it has nothing to hand in when half of METERING is over."""
    found = []
    for period in view.periods:
        record, half = view.record(period), halfway(view.clock, Phase.METERING, period)
        is_time = view.phase(period) == Phase.METERING and view.now >= half
        if is_time and (record.bought or record.stakes) and not record.reading and period not in view.readings:
            found.append(period)
    return found


def _left_undone(view: View) -> Iterator[Call]:
    """What anybody may do in CLOSING, and the operator has not for a window: the household's own money waits for it."""
    for (user, period), record in view.facts.records.items():
        if user != view.me or record.is_final:
            continue
        if view.now < view.clock.begins(Phase.CLOSING, period) + view.clock.window:
            continue
        for number in sorted(record.stakes):
            is_valid = view.facts.offers[number].status == QuoteStatus.VALID
            yield match(number) if is_valid else settle_quote(number)
        if record.is_due:
            yield settle_accounts(period, [user])


def _withdrawals(view: View) -> Iterator[Call]:
    for wanted in view.withdrawals:
        yield Call("withdraw", (wanted.amount,), (wanted.key,), f"withdraw {view.token.amount(wanted.amount)}")


# ---- money ---------------------------------------------------------------------------------


def needed(view: View) -> int:
    """The free money that the household needs soon, in base units: for what it will quote, open, buy and import.

    Of a period whose bids are opened that is what it may still be invoiced; what it has in escrow is not free.
    """
    total = max(0, -view.account.grid_account)
    for period in view.periods:
        forecast, record = view.forecasts.get(period), view.record(period)
        soon = view.clock.begins(Phase.REVEALING, period) - 4 * view.clock.window
        if forecast is None or record.settled or view.now < soon:
            continue
        if forecast.net > 0 and view.phase(period) == Phase.BIDDING and not record.stakes:
            total += min(forecast.net, view.account.capacity) * view.tariff.ssp * 10 // 100
        elif forecast.net < 0:
            measured = view.measured.get(period)
            lacked = measured.imported if measured else -forecast.net
            total += max(0, min(lacked, view.account.capacity) - record.bought) * view.tariff.ssp
    return total


def _money(view: View) -> Iterator[Call]:
    """Free money is topped up to what is kept in the market, as soon as it does not cover what is needed soon."""
    wanted = needed(view)
    if view.withdrawals or view.account.balance >= min(wanted, view.keep) or view.account.capacity == 0:
        return
    amount = min(view.keep - view.account.balance, view.tokens)
    if amount <= 0:
        return
    if view.allowed < amount:
        label = f"let the market take {view.token.amount(amount)}"
        yield Call("approve", (view.market, amount), ("approve",), label, to_token=True)
    else:
        yield Call("deposit", (amount,), ("deposit",), f"deposit {view.token.amount(amount)}")
