"""Criterion 1: nobody is held to more than it signed, whatever anybody does.

Everything here is judged by what the account views show before and after a call, against the books of what was signed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import strategies as st

from tests.properties.ghost_ledger import (
    MATCHED,
    NOBODY,
    VALID,
    Day,
    GhostLedger,
    Offer,
    SellOrder,
    Step,
    collateral_of,
    whole_day,
)
from tests.properties.machine import PAYMENTS, Call, brought_in
from verification.harness.choices import Choose
from verification.harness.counters import holds
from verification.harness.lockstep import HOUSEHOLDS, STRANGER
from verification.harness.state import Observation
from wattproof.market.symbolic import salt_of

CLEARING = (*PAYMENTS, "clear", "settle_account")
RESERVING = ("submit_quote", "reveal_bid", "buy_surplus")


class Intent(GhostLedger):
    """No history makes anybody pay more, sell for less or trade more than it signed."""

    preset_names = ("fresh", "no fee", "dear", "poor", "narrow", "experienced", "waivers", "arrears", "narrow")

    def opened(self) -> None:
        """Begins to add up what each period brings each user."""
        self.brought: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.stolen: dict[tuple[int, str], str] = {}
        super().opened()

    def _settle(self, day: Day, orders: dict[int, SellOrder]) -> None:
        """As in the base; then money is moved."""
        super()._settle(day, orders)
        self.home_and_back(orders)

    # ---- every call ----------------------------------------------------------------------

    def judge(self, step: Step) -> None:
        """Compares the money of everybody before and after an accepted call with what was signed."""
        if not step.outcome.accepted:
            return
        if step.function == "submit_bid":
            changed = step.before.accounts != step.after.accounts or step.before.positions != step.after.positions
            holds("C1-SEAL-1", not changed, bidder=step.sender)
        self._only_own_calls_take(step)
        self._only_own_calls_reserve(step)
        match step.function:
            case "settle_quote" if step.args[0] in self.offers:
                self._settled_as_signed(step, self.offers[step.args[0]])
            case "match_bids" if step.args[0] in self.offers:
                self._unopened_binds_nobody(step, self.offers[step.args[0]])
            case "settle_account":
                self._invoiced_as_metered(step, *step.args)
            case "submit_quote":
                capacity = step.before.accounts[step.sender].capacity
                holds("C1-VOLUME-5", step.args[1] <= capacity, user=step.sender, args=step.args, capacity=capacity)
            case "submit_reading":
                self._counted_as_signed(step, *step.args[:4])
        if step.function in CLEARING:
            self._clears_debts_only(step)
        else:
            kept = all(not step.moved(user)[2] for user in step.after.accounts)
            holds("C1-DEBIT-2", kept, call=step.function, reason="an invoice account changed")

    def _party(self, step: Step) -> str:
        """Whose invoice account a clearing call touches."""
        return step.args[0] if step.function in ("clear", "settle_account") else step.sender

    def _owed(self, step: Step) -> int:
        """What the supplier owes, before clearing, to whom a clearing call touches, in base units."""
        booked = sum(fields["amount"] for fields in step.named("AccountSettled"))
        return step.before.accounts.get(self._party(step), NOBODY).grid_account + booked

    def _allowed(self, step: Step, user: str) -> int:
        """The most that a call may take of somebody's free and reserved money, in base units."""
        if step.function in CLEARING:
            party, owed = self._party(step), self._owed(step)
            most = -brought_in(step.function, step.args) if user == step.sender else 0
            if user == party:
                return most + max(-owed, 0)
            return most + (max(owed, 0) if user == self.lockstep.address("supplier") else 0)
        if step.function == "settle_quote" and step.args[0] in self.offers:
            offer = self.offers[step.args[0]]
            return step.before.accounts[user].reserved if user in {offer.prosumer, *offer.buyers()} else 0
        return 0

    def _only_own_calls_take(self, step: Step) -> None:
        """T-PARTY-2, T-MON-2, T-MON-4: whoever has less now has signed for it."""
        for user in step.after.accounts:
            lost = -step.worth(user)
            if lost > 0 or (user == step.sender and step.function in PAYMENTS):
                allowed = self._allowed(step, user)
                holds("C1-DEBIT-1", lost <= allowed, user=user, lost=lost, allowed=allowed, call=step.function)

    def _only_own_calls_reserve(self, step: Step) -> None:
        """T-MON-4, T-MON-5: escrow grows by one's own quote, opening or purchase; nothing else touches free money."""
        for user in step.after.accounts:
            free, reserved, _ = step.moved(user)
            if reserved > 0:
                own = user == step.sender and step.function in RESERVING and free == -reserved
                holds("C1-ESCROW-2", own, user=user, call=step.function, by=step.sender, free=free, reserved=reserved)
            if step.function not in (*RESERVING, *CLEARING):
                holds("C1-WORST-1", free >= 0, when=free or reserved, user=user, call=step.function, free=free)

    def _counted_as_signed(self, step: Step, user: str, period: int, exported: int, imported: int) -> None:
        """T-MET-3, T-MET-15: what counts is what was signed, cut at the capacity, or at what was quoted."""
        seen, account = step.after.readings.get((user, period)), step.before.accounts.get(user)
        if seen is None or account is None:
            return
        told = {"user": user, "signed": (exported, imported), "counts": seen, "capacity": account.capacity}
        drawn = seen.imported == min(imported, account.capacity)
        fed_in = seen.exported == min(exported, account.capacity)
        beyond = max(exported, imported) > account.capacity
        holds("C1-METER-3", drawn and (fed_in or not account.authorized), when=beyond, **told)
        quoted = self.quoted(user, period)
        holds("C1-METER-4", seen.exported == min(exported, quoted), when=not account.authorized, quoted=quoted, **told)

    def _clears_debts_only(self, step: Step) -> None:
        """T-MON-7, T-MON-8: clearing moves money against the debt, never beyond it, and no escrow."""
        party, supplier, owed = self._party(step), self.lockstep.address("supplier"), self._owed(step)
        now = step.after.accounts.get(party, NOBODY).grid_account
        paid, outside = owed - now, brought_in(step.function, step.args)
        right = 0 <= paid <= owed or owed <= paid <= 0
        if party != supplier:
            right = right and step.moved(party)[0] == paid + outside and step.moved(supplier)[0] == -paid
        right = right and not any(step.moved(user)[1] for user in step.after.accounts)
        others = all(not step.moved(user)[2] for user in step.after.accounts if user != party)
        holds("C1-CLEAR-1", right and others, when=owed, call=step.function, party=party, owed=owed, left=now)

    # ---- matching and settlement -----------------------------------------------------------

    def _unopened_binds_nobody(self, step: Step, offer: Offer) -> None:
        """T-BID-6, T-BID-15: who only sealed is as it was before."""
        opened = {bid.bidder for bid in offer.opened}
        for user in offer.sealed - opened:
            same = step.before.accounts.get(user) == step.after.accounts.get(user)
            place = (user, offer.period)
            same = same and step.before.positions.get(place) == step.after.positions.get(place)
            holds("C1-SEAL-2", same, bidder=user)

    def _settled_as_signed(self, step: Step, offer: Offer) -> None:
        """T-GUA-1, T-GUA-2, T-SET-9 by the money that moved."""
        fee, trades = self.lockstep.tariff.service_fee, step.named("TradeSettled")
        parts = [(self.people.get(trade["buyer"]), trade["delivered"]) for trade in trades]
        holds("C1-PAY-2", len(parts) == len(offer.deals), signed=offer.deals, settled=parts)
        most: defaultdict[str, int] = defaultdict(int)
        for (buyer, part), deal in zip(parts, offer.deals, strict=True):
            signed = buyer == deal.buyer and 0 <= part <= deal.volume
            holds("C1-PAY-2", signed, deal=deal, told=(buyer, part))
            most[deal.buyer] += part * (deal.price + fee)
        for buyer in most.keys() & step.after.accounts.keys():
            lost = -step.worth(buyer)
            holds("C1-PAY-1", lost <= most[buyer], buyer=buyer, lost=lost, most=most[buyer])
        self._sold_as_signed(step, offer, trades)
        self._wash_gains_nothing(step, offer)
        for user in step.after.accounts:
            self.brought[user, offer.period] += step.worth(user)

    def _sold_as_signed(self, step: Step, offer: Offer, trades: list[dict[str, Any]]) -> None:
        """T-GUA-2, T-SET-9: the seller has its price for every Wh, and loses a tenth of the shortage at most."""
        delivered, defaulted = min(offer.sold, self.exported(offer)), self.in_default(offer)
        short = sum(
            (deal.volume - trade["delivered"]) * deal.price for deal, trade in zip(offer.deals, trades, strict=True)
        )
        earned, least = step.worth(offer.prosumer), delivered * (offer.price - self.lockstep.tariff.service_fee)
        lost = least - earned
        holds("C1-SELL-1", lost <= 0, when=offer.deals and not defaulted, earned=earned, least=least)
        tenth = 10 * lost <= short
        holds("C1-COMP-1", tenth, when=offer.deals and defaulted, earned=earned, least=least, short=short)

    def _wash_gains_nothing(self, step: Step, offer: Offer) -> None:
        """T-UNIT-5: what two accounts hold together does not grow by a trade between them, waivers or not."""
        pair = {offer.prosumer} | offer.buyers()
        alone = len(pair) == 2 and step.before.owner not in {int(user, 16) for user in pair}
        gain = sum(step.worth(user) for user in pair)
        holds("C1-WASH-1", gain <= 0, when=alone, pair=pair, gain=gain)

    def _invoiced_as_metered(self, step: Step, user: str, period: int) -> None:
        """T-ACC-6 to T-ACC-8, T-MET-7: the invoice follows one's own meter, or one's own purchases."""
        t = self.lockstep.tariff
        reading = self.readings.get((user, period))
        exported, imported = reading if reading else (0, self.bought(user, period))
        booked = sum(fields["amount"] for fields in step.named("AccountSettled"))
        most = (exported + self.bought(user, period)) * t.sbp
        holds("C1-DEBIT-2", -imported * t.ssp <= booked <= most, user=user, booked=booked, imported=imported)
        self.brought[user, period] += booked
        self._pair_gains_by_energy_only(user, period)

    def _pair_gains_by_energy_only(self, user: str, period: int) -> None:
        """T-GUA-3, T-GUA-4 for two at once: what a pair gains against the grid is the spread on energy that flowed."""
        t, partners = self.lockstep.tariff, self._partners(user, period)
        partner = next(iter(partners)) if len(partners) == 1 else user
        places = ((user, period), (partner, period))
        done = all(place in self.readings and place in self.closed_accounts for place in places)
        if not done or partner == user or self._partners(partner, period) != {user}:
            return
        (out, into), (partner_out, partner_into) = (self.readings[place] for place in places)
        grid = (out + partner_out) * t.sbp - (into + partner_into) * t.ssp
        gain = sum(self.brought[place] for place in places) - grid
        flowed = min(out, partner_into) + min(partner_out, into)
        holds("C1-WASH-2", gain <= flowed * (t.ssp - t.sbp), pair=(user, partner), gain=gain, flowed=flowed)

    def _partners(self, user: str, period: int) -> set[str]:
        """With whom somebody traded in a period."""
        offers = [offer for offer in self.offers.values() if offer.period == period and offer.deals]
        partners = {buyer for offer in offers if offer.prosumer == user for buyer in offer.buyers()}
        partners |= {offer.prosumer for offer in offers if user in offer.buyers()}
        return partners

    # ---- every state -----------------------------------------------------------------------

    def inspect(self, seen: Observation) -> None:
        """What holds of everybody at every moment."""
        fee = self.lockstep.tariff.service_fee
        escrow: defaultdict[str, int] = defaultdict(int)
        signed: defaultdict[tuple[str, int], int] = defaultdict(int)
        for offer in self.offers.values():
            for bid in offer.opened:
                signed[bid.bidder, offer.period] += bid.volume
            for deal in offer.deals[offer.winners :]:
                signed[deal.buyer, offer.period] += deal.volume
            if offer.status in (VALID, MATCHED):
                escrow[offer.prosumer] += collateral_of(self.lockstep.tariff, offer.volume)
            for bid in offer.opened if offer.status == VALID else ():
                escrow[bid.bidder] += bid.volume * (bid.price + fee)
            for deal in offer.deals if offer.status == MATCHED else ():
                escrow[deal.buyer] += deal.volume * (deal.price + fee)
        for user, account in seen.accounts.items():
            holds("C1-ESCROW-1", account.reserved == escrow[user], user=user, signed=escrow[user], account=account)
        self._inspect_energy(seen, signed)

    def _inspect_energy(self, seen: Observation, signed: dict[tuple[str, int], int]) -> None:
        """T-GUA-1, T-BID-10, T-QUO-1: nobody trades more than it signed, and who signed nothing does not trade."""
        for (user, period), row in seen.positions.items():
            most = signed.get((user, period), 0)
            within, idle = row.agreed <= row.bought <= most and row.received <= row.bought, not most
            capacity = seen.accounts[user].capacity
            holds("C1-VOLUME-4", most <= capacity, when=most, user=user, period=period, signed=most, capacity=capacity)
            holds("C1-VOLUME-1", within, when=most, user=user, period=period, position=row, signed=most)
            offered = [offer for offer in self.offers.values() if (offer.prosumer, offer.period) == (user, period)]
            nothing = not (row.agreed or row.bought or row.received) and (offered or not (row.open or row.delivered))
            holds("C1-BYSTANDER-1", nothing, when=idle, user=user, period=period, position=row)
        for number, offer in self.offers.items():
            sold = seen.quotes[number].sold if number in seen.quotes else -1
            most = max(offer.volume, self.exported(offer))
            delivered = seen.positions.get((offer.prosumer, offer.period))
            most_delivered = min(most, self.exported(offer))
            right = 0 <= sold <= most and (delivered is None or delivered.delivered <= most_delivered)
            holds("C1-VOLUME-2", right, when=sold, quote=number, sold=sold, most=most, position=delivered)
            for bid in offer.opened:
                filled = seen.bids.get((number, bid.bidder))
                holds("C1-VOLUME-3", filled is None or filled.filled <= bid.volume, bid=bid, filled=filled)
        for place, reading in seen.readings.items():
            said = self.readings.get(place)
            holds("C1-METER-1", said == (reading.exported, reading.imported), when=reading.present or said, place=place)

    # ---- attackers ---------------------------------------------------------------------------

    def meddle(self, when: str, orders: dict[int, SellOrder]) -> None:
        """In every day a thief copies a seal and a forger makes up a reading."""
        for number, order in orders.items():
            if when == "bidding":
                self._steal(number, order)
            elif when == "revealing":
                self._open_stolen(number, order)
            elif when == "metering":
                self._forge(number, order)
                self._admit(number, order, "revoke")
                self._export_of_a_buyer(number, order)
            elif when == "settled":
                self._admit(number, order, "authorize")

    def _victim_and_thief(self, number: int, order: SellOrder) -> tuple[str, str] | None:
        victims = [wish.bidder for wish in order.wishes if (number, wish.bidder) in self.sealed]
        busy = {order.prosumer, *(wish.bidder for wish in order.wishes)}
        thieves = [name for name in HOUSEHOLDS if name not in busy]
        return (victims[0], thieves[0]) if victims and thieves else None

    def _seal(self, number: int, bidder: str) -> bytes:
        return self.lockstep.seal(number, bidder, *self.sealed[number, bidder])

    def _steal(self, number: int, order: SellOrder) -> None:
        """Somebody hands in another's seal as its own, as anybody can who watches the chain."""
        if pair := self._victim_and_thief(number, order):
            victim, thief = pair
            if self.do("submit_bid", number, self._seal(number, victim), sender=thief).accepted:
                self.stolen[number, thief] = victim

    def _open_stolen(self, number: int, order: SellOrder) -> None:
        """T-BID-4, T-BID-9: even with the victim's price, volume and salt a thief opens nothing; the victim does."""
        for (stolen, thief), victim in tuple(self.stolen.items()):
            if stolen == number:
                opening = (*self.sealed[number, victim], salt_of(number, victim))
                outcome = self.do("reveal_bid", number, *opening, sender=thief)
                holds("C1-THIEF-1", not outcome.accepted, thief=thief, victim=victim)
                account = self.seen.accounts[self.lockstep.address(victim)]
                cost = opening[1] * (opening[0] + self.lockstep.tariff.service_fee)
                able = account.authorized and account.grid_account >= 0 and account.balance >= cost
                offer = self.offers[number]
                able = (
                    able and offer.status == VALID and offer.price <= opening[0] <= self.lockstep.tariff.highest_price
                )
                claimed = self.claimed(self.lockstep.address(victim), offer.period)
                able = able and claimed + opening[1] <= account.capacity
                outcome = self.do("reveal_bid", number, *opening, sender=victim)
                holds("C1-THIEF-2", outcome.accepted, when=able, victim=victim, reason=outcome.reason)

    def _forge(self, number: int, order: SellOrder) -> None:
        """T-MET-4, T-REG-7: a reading that one's own meter did not sign, for this market, charges nobody."""
        lockstep, period = self.lockstep, self.offers[number].period
        name = order.prosumer
        other = next(household for household in HOUSEHOLDS if household != name)
        forgeries = (
            lockstep.reading(name, period, 0, 10**6, meter_of=other),
            lockstep.reading(other, period, 0, 10**6),
            lockstep.reading(name, period, 0, 10**6 + 1),
            lockstep.reading(name, period, 0, 10**6, market=lockstep.address(STRANGER)),
            lockstep.reading(name, period, 0, 10**6, chain=lockstep.chain + 1),
        )
        forged = forgeries[(number + order.volume) % len(forgeries)]
        outcome = self.do("submit_reading", name, period, 0, 10**6, forged, sender=STRANGER)
        holds("C1-METER-2", not outcome.accepted, user=name, signed=forged)

    def _admit(self, number: int, order: SellOrder, function: str) -> None:
        """T-REG-17, T-MET-15: of every three quotes the seller of one is put out before its meter reports, the first
        bidder of another, and both are let in again at the end."""
        party = {2: order.prosumer, 0: order.wishes[0].bidder}.get(number % 3)
        if party is not None:
            owner = self.lockstep.names.get(self.lockstep.model.owner, "owner")
            capacity = (self.capacity(party),) if function == "authorize" else ()
            self.do(function, party, *capacity, sender=owner)

    def _export_of_a_buyer(self, number: int, order: SellOrder) -> None:
        """T-MET-15: a bidder that was put out reports all that it agreed, and that it exported, too."""
        period, name = self.offers[number].period, order.wishes[0].bidder
        if number % 3 == 0:
            self.read(name, period, 1 + number, self.agreed(self.lockstep.address(name), period))

    def draw_pair(self) -> st.SearchStrategy[Day]:
        """A day on which one household buys all that another sells."""
        pairs = st.permutations(HOUSEHOLDS).map(lambda names: (names[0], names[1]))
        return st.tuples(pairs, self.draw_day(most_orders=1)).map(lambda drawn: _between(*drawn))

    def draw_trading_day(self, choose: Choose) -> Call:
        """As in the base; one time in four two households trade with each other only."""
        return (
            whole_day(choose.draw(self.draw_pair())) if choose.number(0, 3) == 3 else super().draw_trading_day(choose)
        )


def _between(pair: tuple[str, str], day: Day) -> Day:
    """That day, with nobody in it but these two."""
    order = day.orders[0]
    wishes = (order.wishes[0]._replace(bidder=pair[1]),)
    purchases = tuple(purchase._replace(buyer=pair[1]) for purchase in order.purchases)
    return day._replace(orders=(order._replace(prosumer=pair[0], wishes=wishes, purchases=purchases),))


TestIntent = Intent.TestCase
