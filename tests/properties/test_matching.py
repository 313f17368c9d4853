"""Criterion 3, the auction: matching is the ranking, what is left is for sale, and the totals add up.

The ranking is computed from what was opened and from the standing seen before the matching, by sorting; the contract
sorts packed numbers.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.ghost_ledger import (
    CONFIRMED,
    CREATED,
    INVALID,
    MATCHED,
    NOBODY,
    REJECTED,
    RESERVED,
    VALID,
    GhostLedger,
    Offer,
    Opened,
    SellOrder,
    Step,
    losers,
    ranked,
    served,
    tier_of,
    trades_hash,
)
from verification.harness import presets
from verification.harness.counters import holds
from verification.harness.lockstep import STRANGER
from verification.harness.state import Observation
from wattproof.terms.model import Phase

MAX_TRADES = 256

BEYOND = "positions: beyond the capacity"


class Claim(NamedTuple):
    """What somebody claimed of its capacity in a period so far, how much more, and the capacity; in Wh."""

    so_far: int
    volume: int
    capacity: int

    @property
    def fits(self) -> bool:
        """Whether its connection carries all of it."""
        return self.so_far + self.volume <= self.capacity


class Sale(NamedTuple):
    """A purchase by the rules: at a time for it, within what is left, not too little; and whether it must succeed."""

    in_time: bool
    within: bool
    enough: bool
    due: bool
    claim: Claim


class Matching(GhostLedger):
    """The auction of a quote and the sale of its surplus."""

    preset_names = ("fresh", "experienced", "full book", "no fee", "dear", "poor", "by price", "narrow", "by price")

    # ---- every call ----------------------------------------------------------------------

    def foresee(self, function: str, args: tuple[Any, ...], sender: str, before: Observation) -> Any:
        """Whether a matching or purchase must go through, and the ranking of the former."""
        offer = self.offers.get(args[0]) if args and isinstance(args[0], int) else None
        if function == "match_bids":
            if offer is None or offer.status != VALID or self.stage(offer.period) in Phase.BIDDING | Phase.REVEALING:
                return False, []
            return True, ranked(offer, self.lockstep.tariff, before)
        if function == "buy_surplus":
            return self._sale(offer, args[1], sender, before)
        if function == "reveal_bid":
            return self._claim(offer, args[2], sender, before)
        return None

    def _claim(self, offer: Offer | None, volume: int, user: str, before: Observation) -> Claim | None:
        """What somebody claims of its capacity with so much more (T-REG-21)."""
        if offer is None or user not in before.accounts:
            return None
        return Claim(self.claimed(user, offer.period), volume, before.accounts[user].capacity)

    def _sale(self, offer: Offer | None, volume: int, buyer: str, before: Observation) -> Sale | None:
        """What there is to say of a purchase by the rules (T-SUR-1 to T-SUR-12)."""
        claim = self._claim(offer, volume, buyer, before)
        if offer is None or claim is None:
            return None
        account, fee, stage = before.accounts[buyer], self.lockstep.tariff.service_fee, self.stage(offer.period)
        metered = stage == Phase.METERING and (offer.prosumer, offer.period) in self.readings
        in_time = stage == Phase.MATCHING or metered
        within = offer.status == MATCHED and 0 < volume <= self.left(offer) and len(offer.deals) < MAX_TRADES
        enough = 64 * volume >= self.offered(offer) or volume == self.left(offer)
        trader = account.authorized and account.grid_account >= 0 and buyer != offer.prosumer
        able = trader and claim.fits and account.balance >= volume * (offer.price + fee)
        return Sale(bool(in_time), within, enough, bool(in_time and within and enough and able), claim)

    def judge(self, step: Step) -> None:
        """Compares matchings and purchases with the rules."""
        accepted = step.outcome.accepted
        match step.function:
            case "match_bids":
                due, order = step.foreseen
                holds("C3-MATCH-7", accepted == due, args=step.args, due=due, reason=step.outcome.reason)
                if accepted and step.args[0] in self.offers:
                    self._matched(step, step.args[0], self.offers[step.args[0]], order)
            case "buy_surplus" if step.foreseen:
                sale = step.foreseen
                holds("C3-SURPLUS-7", sale.in_time, when=accepted, args=step.args)
                holds("C3-SURPLUS-2", sale.within, when=accepted, args=step.args)
                holds("C3-SURPLUS-6", sale.enough, when=accepted, args=step.args)
                holds("C3-SURPLUS-3", accepted, when=sale.due, args=step.args, reason=step.outcome.reason)
                self._claimed(step, sale.claim)
                if accepted:
                    self._bought(step, self.offers[step.args[0]], step.args[1])
            case "reveal_bid" if step.foreseen:
                self._claimed(step, step.foreseen)

    def _claimed(self, step: Step, claim: Claim) -> None:
        """T-REG-21, from both sides."""
        holds("C3-CLAIM-1", claim.fits, when=step.outcome.accepted, call=step.function, claim=claim)
        beyond = step.outcome.reason == BEYOND
        holds("C3-CLAIM-2", not claim.fits, when=beyond, call=step.function, claim=claim)

    def _matched(self, step: Step, number: int, offer: Offer, order: list[Opened]) -> None:
        """T-MAT-2 to T-MAT-11 by what the matching announced and by what the views show after it."""
        won = [(fields["bidder"], fields["filled"]) for fields in step.named("BidConfirmed")]
        lost = [fields["bidder"] for fields in step.named("BidRejected")]
        told = lost + [bidder for bidder, _ in won]
        winners = order[: len(served(order, offer.volume))]
        wanted = [int(bid.bidder, 16) for bid in (*losers(offer.opened, order, offer.volume), *winners)]
        several, by_price = len(order) > 1, self.lockstep.tariff.rank_by_price
        holds("C3-MATCH-1", told == wanted, when=several and not by_price, told=told, ranking=order)
        holds("C3-MATCH-8", told == wanted, when=several and by_price, told=told, ranking=order)
        self._served_by_price(step, offer, won, lost)
        self._served_greedily(offer, order, dict(won), told == wanted and won)
        demand = sum(bid.volume for bid in order)
        sold = [fields["sold"] for fields in step.named("QuoteMatched")]
        sold += [step.after.quotes[number].sold, sum(filled for _, filled in won)]
        least = min(offer.volume, demand)
        holds("C3-MATCH-3", set(sold) == {least}, sold=sold, supply=offer.volume, demand=demand)
        self._given_back(step, offer, order, dict(won))
        self._statuses(step, number, offer, dict(won))
        deals = served(order, offer.volume)
        right = step.after.trades_hash[number] == trades_hash(deals)
        holds("C3-MATCH-5", right, when=deals, trades=deals, announced=won)

    def _served_by_price(self, step: Step, offer: Offer, won: list[tuple[int, int]], lost: list[int]) -> None:
        """T-MAT-11: nobody is served before who pays more for each Wh, its standing weighed in."""
        if not self.lockstep.tariff.rank_by_price:
            return
        worth = {}
        for bid in offer.opened:
            tier = tier_of(step.before.accounts.get(bid.bidder, NOBODY).performances)
            worth[int(bid.bidder, 16)] = bid.price * (10_000 + self.lockstep.tariff.priority_step * tier)
        served = [worth.get(bidder, 0) for bidder, _ in won]
        best = max((worth.get(bidder, 0) for bidder in lost), default=0)
        falling = served == sorted(served, reverse=True) and best <= min(served, default=0)
        holds("C3-MATCH-9", falling, when=len(set(worth.values())) > 1, served=served, best_of_the_lost=best)

    def _served_greedily(self, offer: Offer, order: list[Opened], won: dict[int, int], known: object) -> None:
        """T-MAT-6: full bids, then at most one cut to what is left, then nothing."""
        left = offer.volume
        for bid in order:
            filled = won.get(int(bid.bidder, 16), 0)
            holds("C3-MATCH-2", filled == min(bid.volume, left), when=known, bid=bid, filled=filled, left=left)
            left -= filled

    def _given_back(self, step: Step, offer: Offer, order: list[Opened], won: dict[int, int]) -> None:
        """T-MAT-9, T-MAT-10: each bidder has back the reserve of what it did not win; nobody else's money moves."""
        back: defaultdict[str, int] = defaultdict(int)
        for bid in order:
            unfilled = bid.volume - won.get(int(bid.bidder, 16), 0)
            back[bid.bidder] += unfilled * (bid.price + self.lockstep.tariff.service_fee)
        for user in step.after.accounts:
            due = (back[user], -back[user], 0)
            holds("C3-MATCH-4", step.moved(user) == due, when=due[0] or any(step.moved(user)), user=user, due=due)

    def _statuses(self, step: Step, number: int, offer: Offer, won: dict[int, int]) -> None:
        """T-BID-7, T-BID-8, T-BID-15: who won is CONFIRMED, everybody else REJECTED, opened or not."""
        for bidder in offer.sealed:
            bid = step.after.bids.get((number, bidder))
            if bid is not None:
                filled = won.get(int(bidder, 16), 0)
                due = (CONFIRMED if filled else REJECTED, filled)
                holds("C3-MATCH-6", (bid.status, bid.filled) == due, bidder=bidder, bid=bid, due=due)

    def _bought(self, step: Step, offer: Offer, volume: int) -> None:
        """T-SUR-3, T-SUR-8: the quote's price and the fee are set aside, whole."""
        cost = volume * (offer.price + self.lockstep.tariff.service_fee)
        holds("C3-SURPLUS-4", step.moved(step.sender) == (-cost, cost, 0), cost=cost, moved=step.moved(step.sender))

    # ---- every state -----------------------------------------------------------------------

    def inspect(self, seen: Observation) -> None:
        """What the views must tell at every moment, by the books."""
        supply: defaultdict[int, int] = defaultdict(int)
        demand: defaultdict[int, int] = defaultdict(int)
        for number, offer in self.offers.items():
            supply[offer.period] += offer.volume * (offer.status != INVALID)
            demand[offer.period] += sum(bid.volume for bid in offer.opened)
            self._inspect_quote(seen, number, offer)
        for period, totals in seen.periods.items():
            holds(
                "C3-TOTAL-1", totals.supply == supply[period], when=supply[period], period=period, supply=totals.supply
            )
            holds(
                "C3-TOTAL-2", totals.demand == demand[period], when=demand[period], period=period, demand=totals.demand
            )
        for (user, period), row in seen.positions.items():
            agreed, bought = self.agreed(user, period), self.bought(user, period)
            right = (row.agreed, row.bought) == (agreed, bought)
            holds(
                "C3-AGREED-1", right, when=bought or row.bought, user=user, position=row, agreed=agreed, bought=bought
            )
            stakes = self.open_quotes(user, period)
            holds("C3-OPEN-1", row.open == stakes, when=stakes or row.open, user=user, position=row, stakes=stakes)

    def _inspect_quote(self, seen: Observation, number: int, offer: Offer) -> None:
        """T-SUR-9, T-SUR-10, T-QUO-7, T-BID-7 of one quote."""
        open_now = offer.status == MATCHED and len(offer.deals) < MAX_TRADES
        left = self.left(offer) if open_now else 0
        told = seen.remaining.get(number)
        holds("C3-SURPLUS-1", told == left, when=left or told, quote=number, remaining=told, left=left)
        right = seen.trades_hash.get(number) == trades_hash(offer.deals)
        holds("C3-SURPLUS-5", right, when=offer.deals, quote=number, trades=offer.deals)
        row = seen.quotes.get(number)
        holds("C3-QUOTE-1", row is not None and row.status == offer.status, quote=number, row=row, status=offer.status)
        if offer.status in (VALID, INVALID):
            opened = {bid.bidder for bid in offer.opened}
            for bidder in offer.sealed:
                bid = seen.bids.get((number, bidder))
                due = REJECTED if offer.status == INVALID else RESERVED if bidder in opened else CREATED
                holds("C3-BID-1", bid is None or bid.status == due, when=bid, bidder=bidder, bid=bid, due=due)

    def _sell(self, orders: dict[int, SellOrder], when: str) -> None:
        """After the matching those who lost everything try to buy elsewhere a Wh more than their connections carry."""
        for number in orders if when == "matching" else ():
            offer = self.offers[number]
            offers = [other for other in self.offers.values() if other.period == offer.period]
            losers = {bid.bidder for other in offers for bid in other.opened}
            for user in sorted(losers - {offer.prosumer}):
                room = self.room(self.lockstep.names[user], offer.period)
                if not self.bought(user, offer.period) and self.least(offer) <= room + 1 <= self.left(offer):
                    self.do("buy_surplus", number, room + 1, sender=self.lockstep.names[user])
        super()._sell(orders, when)

    def meddle(self, when: str, orders: dict[int, SellOrder]) -> None:
        """In every day somebody tries to have a quote matched while bids can still be handed in or opened."""
        for number in orders if when in ("bidding", "revealing") else ():
            self.do("match_bids", number, sender=STRANGER)


TestMatching = Matching.TestCase


@given(capacity=st.integers(1, 300), first=st.integers(10, 160), second=st.integers(10, 160))
def test_purchases_of_excess_count_against_the_capacity(capacity: int, first: int, second: int) -> None:
    """T-REG-21, T-SUR-11: of 640 Wh exported beyond its sales, of which 10 are the least, a household buys twice."""
    with presets.prepared("fresh").branch() as lockstep:
        lockstep.strict = False
        period = lockstep.next_period()
        lockstep.enrol("visitor", 10**6, watch=False, capacity=capacity)
        number = lockstep.call("submit_quote", period, 1, lockstep.tariff.lowest_price, sender="sunny").result
        lockstep.to(Phase.MATCHING, period)
        lockstep.call("match_bids", number, sender=STRANGER)
        lockstep.to(Phase.METERING, period)
        lockstep.read("sunny", period, 640, 0)
        bought = 0
        for volume in (first, second):
            done = lockstep.call("buy_surplus", number, volume, sender="visitor")
            claim = Claim(bought, volume, capacity)
            holds("C3-CLAIM-1", claim.fits, when=done.accepted, claim=claim)
            holds("C3-CLAIM-2", not claim.fits, when=done.reason == BEYOND, claim=claim)
            bought += volume if done.accepted else 0
            holds("C1-VOLUME-4", bought <= capacity, when=bought, signed=bought, capacity=capacity)
        lockstep.agreed()
