"""Criterion 3, settlement: who pays whom, what stays on record, and that trading is never worse than the grid.

Each check computes one thing from the rules and takes what leads up to it from the events, so that a fault shows where
it is: the parts from the reading, the payments from the parts, the fees from the parts and the standing before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, NamedTuple

import pytest

from tests.properties.ghost_ledger import (
    MATCHED,
    NOBODY,
    GhostLedger,
    Offer,
    SellOrder,
    Step,
    collateral_of,
    discounted,
    tier_of,
    whole_day,
)
from tests.properties.ghost_ledger import parts as parts_of
from tests.properties.standings import EDGES, Forecast, is_good, rationed, rationed_days, reached
from verification.harness.choices import Choose
from verification.harness.counters import holds
from verification.harness.lockstep import HOUSEHOLDS, STRANGER
from verification.harness.state import Account, Observation
from wattproof.market.trace import Call
from wattproof.terms.model import Phase

STANDING = ("performances", "defaults", "waivers")


class Part(NamedTuple):
    """What the settlement of a quote announced of one trade: Wh and base units."""

    buyer: str
    delivered: int
    payment: int
    fee: int
    compensation: int


class Settlement(GhostLedger):
    """Settlement of quotes and of accounts."""

    preset_names = (
        *("fresh", "experienced", "no fee", "experienced", "dear", "waivers", "experienced", "arrears", "narrow"),
    )

    def opened(self) -> None:
        """Begins to add up what trading costs and brings each user in each period, and what it sends and gets."""
        self.spent: Counter[tuple[str, int]] = Counter()
        self.earned: Counter[tuple[str, int]] = Counter()
        self.received: Counter[tuple[str, int]] = Counter()
        self.delivered: Counter[tuple[str, int]] = Counter()
        self.short: Counter[tuple[str, int]] = Counter()
        self.late: set[int] = set()
        """The quotes that were matched when their delivery was over."""
        self.standings: Counter[str] = Counter()
        """How often settlements were in each of the rare states of `standings.reached`."""
        super().opened()

    def draw_trading_day(self, choose: Choose) -> Call:
        """A day from end to end; one in four is one on which somebody has a part of what it asked."""
        traders, t = list(self.enabled.traders), self.lockstep.tariff
        period = self.next_period()
        if period is None or len(traders) < 4 or choose.number(0, 3) < 3:
            return super().draw_trading_day(choose)
        return whole_day(choose.draw(rationed_days(period, traders, t.highest_price - t.lowest_price)))

    # ---- every call ----------------------------------------------------------------------

    def foresee(self, function: str, args: tuple[Any, ...], sender: str, before: Observation) -> Any:
        """Whether a settlement must go through."""
        if function == "settle_quote":
            offer = self.offers.get(args[0])
            return offer is not None and offer.status == MATCHED and self.may_settle(offer.period, sender, before)
        if function == "settle_account":
            user, period = args
            something = (user, period) in self.readings or self.bought(user, period) > 0
            due = something and args not in self.closed_accounts and not self.open_quotes(user, period)
            return due and self.may_settle(period, sender, before)
        return None

    def judge(self, step: Step) -> None:
        """Compares settlements with the rules."""
        accepted = step.outcome.accepted
        if step.function == "settle_quote":
            holds(
                "C3-SETTLE-1", accepted == step.foreseen, args=step.args, due=step.foreseen, reason=step.outcome.reason
            )
            if accepted and step.args[0] in self.offers:
                self._settled(step, self.offers[step.args[0]])
        elif step.function == "settle_account":
            holds(
                "C3-SETTLE-2", accepted == step.foreseen, args=step.args, due=step.foreseen, reason=step.outcome.reason
            )
            if accepted:
                self._invoiced(step, *step.args)
        elif accepted:
            if step.function == "match_bids" and self.stage(self.offers[step.args[0]].period) > Phase.METERING:
                self.late.add(step.args[0])
            same = all(
                getattr(new, name) == getattr(step.before.accounts.get(user, NOBODY), name)
                for user, new in step.after.accounts.items()
                for name in STANDING
            )
            holds("C3-RECORD-4", same, call=step.function)

    # ---- a quote ---------------------------------------------------------------------------

    def _settled(self, step: Step, offer: Offer) -> None:
        """T-SET, part by part."""
        parts = [
            Part(self.people.get(row["buyer"], hex(row["buyer"])), *list(row.values())[2:])
            for row in step.named("TradeSettled")
        ]
        told = [part.buyer for part in parts]
        holds("C3-SHARE-4", told == [deal.buyer for deal in offer.deals], parts=parts, deals=offer.deals)
        total = (step.named("QuoteSettled") or [{}])[0]
        self._shared(offer, parts, total)
        self._paid(offer, parts, total)
        self._charged(step, offer, parts, total)
        self._money_moved(step, offer, parts, total)
        self._recorded(step, offer)
        self._let_in(step, offer)
        if not offer.deals:
            untouched = total.get("fee") == 0 and all(
                self._standing(step, user) == (0, 0, 0) for user in step.after.accounts
            )
            holds("C3-ZERO-1", untouched, total=total)
        self._book(offer, parts, total)

    def _shared(self, offer: Offer, parts: list[Part], total: dict[str, int]) -> None:
        """T-SET-3, T-SET-4, T-SET-22, T-SUR-12: the parts add up to D, each exact; what was recorded comes whole."""
        due, sold = min(offer.sold, self.exported(offer)), offer.sold
        shares = [part.delivered for part in parts]
        silent = (offer.prosumer, offer.period) not in self.readings
        holds("C3-SILENT-2", not any(shares), when=silent and offer.deals, parts=shares)
        holds("C3-SHARE-1", sum(shares) == due == total.get("delivered"), parts=shares, delivered=due, total=total)
        won, short, several = offer.won, due < sold, offer.winners > 1
        shared = min(won, due)
        if offer.winners and len(offer.deals) > offer.winners:
            full = sum(shares[: offer.winners]) == won
            holds("C3-SHARE-6", full or not any(shares[offer.winners :]), when=short, parts=shares, won=won)
        for place, (deal, share, exact) in enumerate(
            zip(offer.deals, shares, parts_of(offer, self.exported(offer)), strict=True)
        ):
            told = {"deal": deal, "share": share, "exact": exact, "delivered": due, "sold": sold, "won": won}
            if place < offer.winners:
                near = abs(share * won - deal.volume * shared) < won
                holds("C3-SHARE-3", near, when=several and short, **told)
                holds("C3-SHARE-2", share == exact, when=short, **told)
            else:
                holds("C3-SHARE-5", share == exact, when=short, **told)
                holds("C3-SHARE-7", share == deal.volume, when=not deal.ahead, **told)

    def _paid(self, offer: Offer, parts: list[Part], total: dict[str, int]) -> None:
        """T-SET-5, T-SET-8: own price for what came; a tenth of what did not, where the prosumer is in default."""
        defaulted = self.in_default(offer)
        for deal, part in zip(offer.deals, parts, strict=True):
            holds("C3-PAY-1", part.payment == part.delivered * deal.price, deal=deal, part=part)
            value = (deal.volume - part.delivered) * deal.price
            due = value // 10 if defaulted else 0
            holds(
                "C3-COMP-1",
                part.compensation == due,
                when=value,
                deal=deal,
                part=part,
                due=due,
                exported=self.exported(offer),
            )
        sums = (sum(part.payment for part in parts), sum(part.compensation for part in parts))
        holds("C3-PAY-2", sums == (total.get("revenue"), total.get("compensation")), parts=parts, total=total)

    def _charged(self, step: Step, offer: Offer, parts: list[Part], total: dict[str, int]) -> None:
        """T-SET-11 to T-SET-18: fees and waivers, trade by trade, then the prosumer's."""
        tariff, accounts = self.lockstep.tariff, step.before.accounts
        waivers = defaultdict(int, {user: account.waivers for user, account in accounts.items()})

        def fee(user: str, volume: int) -> int:
            due = discounted(tariff, volume, accounts.get(user, NOBODY).performances)
            if due and waivers[user]:
                waivers[user] -= 1
                return 0
            return due

        for deal, part in zip(offer.deals, parts, strict=True):
            tier, in_hand = tier_of(accounts.get(deal.buyer, NOBODY).performances), waivers[deal.buyer]
            if part.delivered < deal.volume:
                waivers[deal.buyer] += 1
                holds("C3-FEE-1", part.fee == 0, part=part)
            else:
                due = fee(deal.buyer, part.delivered)
                holds("C3-FEE-2", part.fee == due, when=not tier, part=part, due=due, waivers=in_hand)
                holds("C3-FEE-4", part.fee == due, when=tier, part=part, due=due, tier=tier, waivers=in_hand)
        if offer.deals:
            delivered, tolerated = sum(part.delivered for part in parts), not self.in_default(offer)
            if delivered < offer.sold and tolerated:
                waivers[offer.prosumer] += 1
                due = 0
            else:
                due = fee(offer.prosumer, delivered)
            holds("C3-FEE-3", total.get("fee") == due, offer=offer, total=total, due=due)
        for user, account in step.after.accounts.items():
            changed = waivers[user] != accounts.get(user, NOBODY).waivers
            right = account.waivers == waivers[user]
            holds("C3-WAIVER-1", right, when=changed or not right, user=user, account=account, due=waivers[user])

    def _money_moved(self, step: Step, offer: Offer, parts: list[Part], total: dict[str, int]) -> None:
        """T-UNIT-5, T-SET-6, T-SET-10, T-SET-19: the accounts move by what was announced, to the last unit."""
        tariff = self.lockstep.tariff
        free: Counter[str] = Counter()
        reserved: Counter[str] = Counter()
        for deal, part in zip(offer.deals, parts, strict=True):
            escrow = deal.volume * (deal.price + tariff.service_fee)
            reserved[deal.buyer] -= escrow
            free[deal.buyer] += escrow - part.payment - part.fee + part.compensation
            free[offer.prosumer] += part.payment - part.compensation
        collateral = collateral_of(tariff, offer.volume)
        reserved[offer.prosumer] -= collateral
        free[offer.prosumer] += collateral - total.get("fee", 0)
        owner = next((user for user in step.after.accounts if int(user, 16) == step.before.owner), "")
        fees = sum(part.fee for part in parts) + total.get("fee", 0)
        free[owner] += fees
        for user in step.after.accounts:
            due = (free[user], reserved[user], 0)
            if user == owner:
                holds("C3-FEE-5", step.moved(user) == due, when=fees, fees=fees, moved=step.moved(user))
            else:
                holds("C3-PAY-3", step.moved(user) == due, when=any((*due, *step.moved(user))), user=user, due=due)

    def _standing(self, step: Step, user: str) -> tuple[int, ...]:
        """How performances, defaults and waivers of somebody changed."""
        old, new = step.before.accounts.get(user, NOBODY), step.after.accounts.get(user, NOBODY)
        return tuple(getattr(new, name) - getattr(old, name) for name in STANDING)

    def _recorded(self, step: Step, offer: Offer) -> None:
        """T-STD-4 to T-STD-6, T-SET-20: the prosumer's record, and nobody else's."""
        percent, quoted = 100 * self.exported(offer), offer.volume
        good = 95 * quoted <= percent <= 105 * quoted
        ahead = any(deal.ahead for deal in offer.deals)
        due = (int(good), int(percent < 95 * quoted)) if ahead else (0, 0)
        got = self._standing(step, offer.prosumer)[:2]
        told = {"exported": self.exported(offer), "quoted": quoted, "got": got, "due": due}
        holds("C3-RECORD-1", got == due, when=ahead, **told)
        holds("C3-RECORD-5", got == due, when=offer.deals and not ahead, **told)
        others = (user for user in step.after.accounts if user != offer.prosumer)
        holds("C3-RECORD-3", not any(any(self._standing(step, user)[:2]) for user in others), offer=offer)

    def _let_in(self, step: Step, offer: Offer) -> None:
        """T-MET-14: a silent prosumer is put out, sold or not; nobody else is."""
        silent = (offer.prosumer, offer.period) not in self.readings
        for user, new in step.after.accounts.items():
            if silent and user == offer.prosumer:
                sold = bool(offer.deals)
                holds("C3-SILENT-5", not new.authorized, when=sold, user=user, account=new)
                holds("C3-SILENT-6", not new.authorized, when=not sold, user=user, account=new)
            else:
                old = step.before.accounts.get(user, NOBODY)
                holds("C3-SILENT-7", new.authorized == old.authorized, user=user, account=new)

    def _book(self, offer: Offer, parts: list[Part], total: dict[str, int]) -> None:
        """Writes down what each user's trades came to."""
        seller = (offer.prosumer, offer.period)
        for deal, part in zip(offer.deals, parts, strict=True):
            buyer = (deal.buyer, offer.period)
            self.spent[buyer] += part.payment + part.fee - part.compensation
            self.received[buyer] += part.delivered
            self.earned[seller] += part.payment - part.compensation
            self.short[seller] += (deal.volume - part.delivered) * deal.price
        self.earned[seller] -= total.get("fee", 0)
        self.delivered[seller] += total.get("delivered", 0)

    # ---- an account ------------------------------------------------------------------------

    def _invoiced(self, step: Step, user: str, period: int) -> None:
        """T-ACC-6 to T-ACC-13, T-MET-7 to T-MET-10, T-STD-7 to T-STD-9."""
        place, t = (user, period), self.lockstep.tariff
        reading, bought = self.readings.get(place), self.bought(user, period)
        exported, imported = reading if reading else (0, bought)
        received, delivered = self.received[place], self.delivered[place]
        grid = max(received - imported, 0) * t.sbp - max(imported - received, 0) * t.ssp
        due = (exported - delivered) * t.sbp + grid
        told = [fields["amount"] for fields in step.named("AccountSettled")]
        old, new = step.before.accounts.get(user, NOBODY), step.after.accounts.get(user, NOBODY)
        within = all(-old.capacity * t.ssp <= amount <= 2 * old.capacity * t.sbp for amount in told)
        holds("C3-ACCOUNT-3", within, when=due, user=user, told=told, capacity=old.capacity)
        holds("C3-ACCOUNT-1", told == [due], when=reading, user=user, told=told, due=due)
        holds("C3-SILENT-4", told == [due], when=not reading, user=user, told=told, due=due)
        self._cleared(step, user, old, new, due)
        self._consumer_record(step, place, old, new)
        self._no_worse_than_the_grid(place, exported, imported, due - grid, grid)

    def _cleared(self, step: Step, user: str, old: Account, new: Account, due: int) -> None:
        """T-MON-8, T-MON-11, T-ACC-9: what was booked is cleared as far as the payer's free money goes."""
        supplier = self.lockstep.address("supplier")
        owed = old.grid_account + due
        payer = step.before.accounts.get(supplier if owed > 0 else user, NOBODY)
        paid = min(abs(owed), payer.balance) * (1 if owed > 0 else -1)
        moved = (step.moved(user)[:2], step.moved(supplier)[:2])
        right = new.grid_account == owed - paid and moved == ((paid, 0), (-paid, 0))
        holds("C3-CLEAR-1", right, when=owed, user=user, owed=owed, paid=paid, moved=moved)

    def _consumer_record(self, step: Step, place: tuple[str, int], old: Account, new: Account) -> None:
        """T-STD-7 to T-STD-9 for who has a reading; T-MET-8, T-MET-9 for a silent buyer; T-MET-10 for all others."""
        user, reading = place[0], self.readings.get(place)
        agreed, bought = self.agreed(*place), self.bought(*place)
        got = self._standing(step, user)
        if reading:
            told = self._forecast(place, agreed, reading[1])
            good = is_good(told)
            due = (int(good), int(not good), 0) if agreed else (0, 0, 0)
            if agreed:
                self.standings.update(state for state, so in reached(told).items() if so)
            shown = {"asked": told.asked, "agreed": agreed, "imported": reading[1], "got": got, "due": due}
            holds("C3-RECORD-2", got == due, **shown)
            by_asked = agreed and agreed < told.asked
            holds("C3-RECORD-6", got == due, when=by_asked and 10 * agreed >= told.asked, **shown)
            holds("C3-RECORD-7", got == due, when=by_asked and 10 * agreed < told.asked, **shown)
        silent = not reading and bought > 0
        holds("C3-SILENT-1", got == (0, 1, 0) and not new.authorized, when=silent, user=user, got=got, account=new)
        holds("C3-SILENT-3", new.authorized == old.authorized, when=not silent, user=user, account=new)

    def _forecast(self, place: tuple[str, int], agreed: int, imported: int) -> Forecast:
        """What a user signed for a period: every bid that it opened, with what it won, and what its meter signed."""
        user, period = place
        bids = []
        for number, offer in self.offers.items():
            if offer.period == period:
                won = {deal.buyer: deal.volume for deal in offer.deals[: offer.winners]}
                late = number in self.late
                bids += [(bid.volume, won.get(user, 0), late) for bid in offer.opened if bid.bidder == user]
        return Forecast(tuple(bids), agreed, imported)

    def _no_worse_than_the_grid(
        self, place: tuple[str, int], exported: int, imported: int, fed_in: int, grid: int
    ) -> None:
        """T-GUA-3 to T-GUA-5: the period's bill, compared with the same meter's bill without the market."""
        t, read = self.lockstep.tariff, place in self.readings
        bill = self.spent[place] - grid
        used = read and self.received[place] > 0 and imported >= self.received[place]
        holds("C3-RATIONAL-1", bill <= imported * t.ssp, when=used, place=place, bill=bill, imported=imported)
        own = [offer for offer in self.offers.values() if (offer.prosumer, offer.period) == place and offer.deals]
        income, least = self.earned[place] + fed_in, exported * t.sbp
        fine = own and not any(map(self.in_default, own))
        holds("C3-RATIONAL-2", income >= least, when=fine, place=place, income=income, least=least)
        within = 10 * (least - income) <= self.short[place]
        holds("C3-RATIONAL-3", within, when=own and not fine, place=place, income=income, least=least)

    # ---- every state -----------------------------------------------------------------------

    def inspect(self, seen: Observation) -> None:
        """T-STD-2, T-ACC-12, T-ACC-13 at every moment."""
        for user, account in seen.accounts.items():
            right = account.tier == tier_of(account.performances)
            holds("C3-TIER-1", right, when=account.performances >= 4, user=user, account=account)
        for place, row in seen.positions.items():
            due = (self.received[place], self.delivered[place])
            right = (row.received, row.delivered) == due
            holds("C3-ACCOUNT-2", right, when=any(due) or not right, place=place, position=row, due=due)

    def meddle(self, when: str, orders: dict[int, SellOrder]) -> None:
        """In every day settlements are tried too early, out of turn, and by who may not; then once more."""
        owner = self.lockstep.names.get(self.lockstep.model.owner, "owner")
        for number, order in orders.items():
            period = self.offers[number].period
            if when == "metering":
                self.do("settle_quote", number, sender=owner)
            elif when == "settling":
                self.do("settle_account", order.prosumer, period, sender=owner)
                self.do("settle_quote", number, sender=STRANGER)
            elif when == "settled":
                self.do("settle_quote", number, sender=owner)
                self.do("settle_account", order.prosumer, period, sender=STRANGER)


TestSettlement = Settlement.TestCase


@pytest.mark.parametrize("mark", [*EDGES, "agreed"])
def test_a_record_at_every_bound(mark: str) -> None:
    """C3-RECORD-6, C3-RECORD-7: at a tenth of what was asked, a Wh beside it; in time and late, of many quotes."""
    days = [(dict(large=90 + more), {}) for more in (0, 1, -1)]
    days += [({}, dict(late=True)), ({}, dict(third="asked")), ({}, dict(third="bought"))]
    seen: Counter[str] = Counter()
    for sizes, odd in days:
        machine = Settlement()
        machine.branch_off("fresh")
        try:
            period, t = machine.next_period(), machine.lockstep.tariff
            assert period is not None
            sizes = {"small": 10, "large": 90} | sizes
            machine.play(rationed(period, HOUSEHOLDS, t.highest_price - t.lowest_price, **sizes, mark=mark, **odd))
        finally:
            machine.teardown()
        seen += machine.standings
    assert not {*MUST_BE_REACHED[mark]} - seen.keys(), seen


MUST_BE_REACHED = {
    "asked": (
        "agreed a tenth of what was asked",
        "agreed a Wh less than a tenth",
        "as asked, of several bids, one of them lost",
        "as asked, with a bid matched late",
        "asked nothing, and imported nothing",
    ),
    "95 % of asked": ("95 % of what was asked", "95 % of what was asked, no Wh rounded"),
    "below 95 % of asked": ("a Wh below 95 % of what was asked",),
    "105 % of asked": ("105 % of what was asked", "105 % of what was asked, no Wh rounded"),
    "above 105 % of asked": ("a Wh above 105 % of what was asked",),
    "agreed": ("as agreed and not as asked",),
}
"""The rare states that the days of `test_a_record_at_every_bound` lead to."""
