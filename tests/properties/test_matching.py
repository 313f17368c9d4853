"""Criterion 3, the auction: matching is the ranking, what is left is for sale, and the totals add up.

The ranking is reckoned from what was opened and from the standing seen before the matching, by sorting; the contract
sorts packed numbers.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.properties.books import (
    CONFIRMED,
    CREATED,
    INVALID,
    MATCHED,
    ON_SALE,
    REJECTED,
    RESERVED,
    VALID,
    Books,
    Offer,
    Opened,
    Stall,
    Step,
    losers,
    ranked,
    served,
    trades_hash,
)
from tests.properties.evidence import holds
from tests.properties.observation import Observation
from tests.properties.twin import STRANGER
from wattproof.model import Phase

MOST_TRADES = 256


class Matching(Books):
    """The auction of a quote and the sale of its surplus."""

    season_names = ("fresh", "seasoned", "full book", "no fee", "dear", "poor", "seasoned")

    # ---- every call ----------------------------------------------------------------------

    def foresee(self, function: str, args: tuple[Any, ...], sender: str, before: Observation) -> Any:
        """Whether a matching or purchase must go through, and the ranking of the former."""
        offer = self.offers.get(args[0]) if args and isinstance(args[0], int) else None
        if function == "match_bids":
            due = offer is not None and offer.status == VALID
            due = due and self.stage(offer.period) not in Phase.BIDDING | Phase.REVEALING
            return due, ranked(offer, self.twin.tariff.priority_step, before) if due else []
        if function == "buy_surplus":
            return self._is_sold(offer, args[1], sender, before)
        return None

    def _is_sold(self, offer: Offer | None, volume: int, buyer: str, before: Observation) -> tuple[bool, bool]:
        """Whether a purchase must go through, and whether it is within what is left (T-SUR-1 to T-SUR-8)."""
        if offer is None:
            return False, False
        account, fee = before.accounts[buyer], self.twin.tariff.service_fee
        on_sale = offer.status == MATCHED and self.stage(offer.period) in ON_SALE
        within = on_sale and 0 < volume <= self.left(offer) and len(offer.deals) < MOST_TRADES
        trader = account.authorized and account.grid_account >= 0 and buyer != offer.prosumer
        return bool(within and trader and account.balance >= volume * (offer.price + fee)), within

    def judge(self, step: Step) -> None:
        """Compares matchings and purchases with the rules."""
        accepted = step.outcome.accepted
        match step.function:
            case "match_bids":
                due, order = step.foreseen
                holds("C3-MATCH-7", accepted == due, args=step.args, due=due, reason=step.outcome.reason)
                if accepted and step.args[0] in self.offers:
                    self._matched(step, step.args[0], self.offers[step.args[0]], order)
            case "buy_surplus":
                due, within = step.foreseen
                holds("C3-SURPLUS-2", within, when=accepted, args=step.args)
                holds("C3-SURPLUS-3", accepted, when=due, args=step.args, reason=step.outcome.reason)
                if accepted and step.args[0] in self.offers:
                    self._bought(step, self.offers[step.args[0]], step.args[1])

    def _matched(self, step: Step, number: int, offer: Offer, order: list[Opened]) -> None:
        """T-MAT-2 to T-MAT-10 by what the matching announced and by what the views show after it."""
        won = [(fields["bidder"], fields["filled"]) for fields in step.named("BidConfirmed")]
        lost = [fields["bidder"] for fields in step.named("BidRejected")]
        told = lost + [bidder for bidder, _ in won]
        winners = order[: len(served(order, offer.volume))]
        wanted = [int(bid.bidder, 16) for bid in (*losers(offer.opened, order, offer.volume), *winners)]
        holds("C3-MATCH-1", told == wanted, when=len(order) > 1, told=told, ranking=order)
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
            back[bid.bidder] += unfilled * (bid.price + self.twin.tariff.service_fee)
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
        cost = volume * (offer.price + self.twin.tariff.service_fee)
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
        open_now = offer.status == MATCHED and self.stage(offer.period) in ON_SALE and len(offer.deals) < MOST_TRADES
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

    def meddle(self, when: str, stalls: dict[int, Stall]) -> None:
        """In every day somebody tries to have a quote matched while bids can still be handed in or opened."""
        for number in stalls if when in ("bidding", "revealing") else ():
            self.do("match_bids", number, sender=STRANGER)


TestMatching = Matching.TestCase
