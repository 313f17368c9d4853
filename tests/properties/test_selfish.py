"""Criterion 3, the selfish: what a household leaves undone, or does to others, brings it nothing.

Each claim compares two ends of the same history, in branches that are then forgotten: with a household's true reading
and without one, with a purchase and without it. The hog buys as little as it can, as often as it can.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st

from tests.properties.ghost_ledger import MATCHED, VALID, Day, GhostLedger, Offer, SellOrder
from verification.harness import counters
from verification.harness.context import event
from verification.harness.counters import holds
from verification.harness.lockstep import HOUSEHOLDS, STRANGER, Lockstep
from verification.harness.state import Account
from wattproof.market.trace import Outcome
from wattproof.terms.model import Phase

MAX_TRADES = 256
MAX_OF_A_HOG = 300
"""Purchases after which a hog gives up: more than any quote can have."""


class End(NamedTuple):
    """What a period came to for one user: its money in base units, what counts, and whether it used a waiver."""

    worth: int
    exported: int
    imported: int
    waived: bool


class Selfish(GhostLedger):
    """Histories in which somebody looks for its own advantage."""

    preset_names = ("fresh", "no fee", "dear", "waivers", "narrow", "by price")

    def opened(self) -> None:
        """Counts the comparisons: each day looks at other households."""
        self._turn = 0
        super().opened()

    def draw_day(self, most_orders: int = 2) -> st.SearchStrategy[Day]:
        """As in the base, but the first bid is opened, for half at most, and the first purchase is not late."""
        return super().draw_day(most_orders).map(_with_a_rest)

    # ---- silence ---------------------------------------------------------------------------

    def _report(self, day: Day, orders: dict[int, SellOrder]) -> None:
        """Before the meters report: what would one of the households have by silence?"""
        reports, name = self.reports(day, orders), HOUSEHOLDS[self._turn % len(HOUSEHOLDS)]
        told = {other: energies for other, *energies in reports}
        place = (self.lockstep.address(name), day.period)
        if place not in self.readings and self.stage(day.period) == Phase.METERING:
            # Whoever is to be silent by the day's plan has used something, too.
            truth = told.get(name) or [self.quoted(*place), 3 * self.bought(*place) + 100]
            self._silent_or_not(name, day.period, truth, [report for report in reports if report[0] != name])
        self._turn += 1
        super()._report(day, orders)

    def _silent_or_not(self, name: str, period: int, truth: list[int], others: list[tuple[str, int, int]]) -> None:
        """T-GUA-13: the true reading, and what it says beyond the market's figures billed at SSP, against none."""
        event("a silence compared")
        tariff, ends = self.lockstep.tariff, []
        for reading in (truth, None):
            with self.lockstep.branch() as branch:
                before = branch.observe().accounts[branch.address(name)]
                for other, *energies in [*others, *([(name, *reading)] if reading else [])]:
                    branch.read(other, period, *energies)
                ends.append(self._over(branch, name, period, before))
        spoke, silent = ends
        bought = self.bought(self.lockstep.address(name), period)
        billed = [max(truth[1] - counted, 0) * tariff.ssp for counted in (spoke.imported, bought)]
        least, most = spoke.worth - billed[0], silent.worth - billed[1]
        plain = not spoke.waived and not silent.waived
        told = {"user": name, "truth": truth, "by_the_reading": least, "by_silence": most}
        holds("C3-SILENCE-1", least >= most, when=plain, **told)
        gains = spoke.exported + silent.exported + bought + truth[1]
        counters.tallies["silences compared"] += bool(gains)

    def _over(self, branch: Lockstep, name: str, period: int, before: Account) -> End:
        """Lets a period end: a stranger has its quotes matched and settled, and then this household's account."""
        user = branch.address(name)
        branch.to(Phase.CLOSING, period)
        made = []
        for number, offer in self.offers.items():
            if offer.period == period and offer.status == VALID:
                made.append(branch.call("match_bids", number, sender=STRANGER))
            if offer.period == period and offer.status in (VALID, MATCHED):
                made.append(branch.call("settle_quote", number, sender=STRANGER))
        made.append(branch.call("settle_account", name, period, sender=STRANGER))
        waivers = [fields for outcome in made for event_name, fields in outcome.events if event_name == "WaiverUsed"]
        seen = branch.observe()
        after, reading = seen.accounts[user], seen.readings[user, period]
        worth = sum(after[3:6]) - sum(before[3:6])
        return End(worth, reading.exported, reading.imported, any(row["user"] == int(user, 16) for row in waivers))

    # ---- purchases -------------------------------------------------------------------------

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """A purchase is looked at from both ends, but for a hog's."""
        offer = self.offers.get(args[0]) if function == "buy_surplus" else None
        if offer is None or offer.status != MATCHED or self._hogging:
            return super().act(function, args, sender)
        exported = self._exported_then(offer)
        without = self._settled(args[0], offer, exported)
        outcome = super().act(function, args, sender)
        if outcome.accepted:
            self._compare_shares(offer, without, self._settled(args[0], offer, exported), sender)
        return outcome

    _hogging = False

    def _exported_then(self, offer: Offer) -> int:
        """What the prosumer's meter will say of a quote, in Wh: mostly less than what is sold."""
        won, sold, step = offer.won, offer.sold, len(self.lockstep.calls)
        return max((won - 1, (won + 1) // 2, won, (won + sold) // 2, sold - 1, won + 1, 0, offer.volume)[step % 8], 0)

    def _settled(self, number: int, offer: Offer, exported: int) -> tuple[list[tuple[int, int]], dict[str, Account]]:
        """In a branch: the trades of a quote with what each receives, and everybody's account after its settlement."""
        with self.lockstep.branch() as branch:
            branch.to(Phase.METERING, offer.period)
            branch.read(branch.names[offer.prosumer], offer.period, exported, 0)
            branch.to(Phase.CLOSING, offer.period)
            outcome = branch.call("settle_quote", number, sender=STRANGER)
            trades = [(row["buyer"], row["delivered"]) for told, row in outcome.events if told == "TradeSettled"]
            return trades, branch.observe().accounts

    def _compare_shares(self, offer: Offer, without: Any, with_it: Any, buyer: str) -> None:
        """T-GUA-14: every other trade receives the same; only the parties' money is another, and the fees."""
        shares, accounts = without
        same = with_it[0][: len(shares)] == shares
        short = sum(part for _, part in with_it[0]) < offer.sold
        holds("C3-PURCHASE-1", same, when=shares and short, without=shares, with_it=with_it[0])
        parties = {self.lockstep.address(buyer), offer.prosumer, self.lockstep.model.owner}
        moved = [user for user in accounts.keys() - parties if accounts[user] != with_it[1][user]]
        holds("C3-PURCHASE-2", not moved, moved=[self.lockstep.names[user] for user in moved])

    def _settle(self, day: Day, orders: dict[int, SellOrder]) -> None:
        """As in the base; then money is moved."""
        super()._settle(day, orders)
        self.home_and_back(orders)

    # ---- the hog ---------------------------------------------------------------------------

    def _sell(self, orders: dict[int, SellOrder], when: str) -> None:
        """After the purchases of the day a hog comes, on every other day: before the delivery or after the reading."""
        super()._sell(orders, when)
        if (when, self._turn % 4) not in (("matching", 0), ("afterwards", 2)):
            return
        for number, order in orders.items():
            offer = self.offers.get(number)
            hogs = [name for name in HOUSEHOLDS if name != order.prosumer and name in self.enabled.traders]
            if offer and offer.status == MATCHED and self.left(offer) and hogs:
                self.hog(number, hogs[number % len(hogs)])

    def hog(self, number: int, name: str) -> None:
        """Somebody buys of a quote 1 Wh, or the least that it can, again and again; others find no trade missing."""
        event("hogged")
        offer, wanted = self.offers[number], 1
        self._hogging = True
        try:
            for turn in range(MAX_OF_A_HOG):
                left = self.left(offer)
                if not left:
                    break
                if self.do("buy_surplus", number, min(wanted, left), sender=name).accepted:
                    if turn % 32 == 31 or not self.left(offer):
                        self._whole_is_for_sale(number, offer)
                elif wanted < self.least(offer):
                    wanted = self.least(offer)
                else:
                    break
            self._whole_is_for_sale(number, offer)
        finally:
            self._hogging = False

    def _whole_is_for_sale(self, number: int, offer: Offer) -> None:
        """T-GUA-15: what is left is shown, and can be bought whole by who has the money and the capacity."""
        left, fee = self.left(offer), self.lockstep.tariff.service_fee
        within = len(offer.deals) <= min(offer.winners + 128, MAX_TRADES)
        shown = self.seen.remaining.get(number)
        holds("C3-TRADES-1", within and shown == left, trades=len(offer.deals), left=left, remaining=shown)
        for name in HOUSEHOLDS if left else ():
            user = self.lockstep.address(name)
            account = self.seen.accounts[user]
            able = account.authorized and account.grid_account >= 0 and user != offer.prosumer
            able = able and account.balance >= left * (offer.price + fee)
            if able and self.claimed(user, offer.period) + left <= account.capacity:
                with self.lockstep.branch() as branch:
                    outcome = branch.call("buy_surplus", number, left, sender=name)
                holds("C3-TRADES-2", outcome.accepted, left=left, trades=len(offer.deals), reason=outcome.reason)
                break


def _with_a_rest(day: Day) -> Day:
    """That day, with something won and something left of every quote."""
    orders = []
    for order in day.orders:
        wish, *wishes = order.wishes
        wish = wish._replace(percent=min(wish.percent % 101, 50), above=max(wish.above, 0), opened=True)
        rest = [other._replace(percent=min(other.percent, 20)) for other in wishes]
        bought = [
            purchase._replace(when="matching") if not place else purchase
            for place, purchase in enumerate(order.purchases)
        ]
        orders.append(order._replace(wishes=(wish, *rest), purchases=tuple(bought)))
    return day._replace(orders=tuple(orders))


TestSelfish = Selfish.TestCase
# A few days are all that a history has room for: what comes after them compares nothing.
TestSelfish.settings = settings(stateful_step_count=min(settings().stateful_step_count, 30))
