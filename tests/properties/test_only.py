"""Criterion 4: the market does only that. Nothing moves, changes or succeeds but what a clause names.

`Only` watches every call from outside: whose money moved, whose energy, which fields changed, who was allowed to. It
compares with what was called before (`Records`), never with the model. `Refusals` has little but attackers and wild
calls in it and looks at the bytes of the storage after each refusal.
"""

from __future__ import annotations

from typing import Any

import boa

from tests.properties.attackers import SETTLING, STRANGER, Attackers, Records
from tests.properties.frame_conditions import Change, Made, address_of, allowed, changes, outside, time_frame
from tests.properties.machine import EVERYBODY, PAYMENTS, Call, brought_in, move
from verification.harness.choices import Choose
from verification.harness.counters import holds
from verification.harness.state import Observation
from wattproof.evm.engine import state_digest
from wattproof.market.trace import Donation, Outcome

QUOTE_STEPS = {
    "submit_quote": (0, 1),
    "invalidate_quote": (1, 2),
    "match_bids": (1, 4),
    "settle_quote": (4, 8),
}
"""The only way each call may move the status of a quote: NONE 0, VALID 1, INVALID 2, MATCHED 4, SETTLED 8."""

BID_STEPS = {
    "submit_bid": {(0, 1)},
    "reveal_bid": {(1, 2)},
    "invalidate_quote": {(1, 8)},
    "match_bids": {(1, 8), (2, 4), (2, 8)},
}
"""The only ways each call may move the status of a bid: NONE 0, CREATED 1, RESERVED 2, CONFIRMED 4, REJECTED 8."""


OPEN_TO_ALL = ("match_bids", "clear", "submit_reading", "settle_quote", "settle_account")
"""What anybody may call, and what may move the money of others."""


def shown(found: list[Change]) -> list[str]:
    """Changes for a message."""
    return [f"{c.section}[{c.key}].{c.field}: {c.before} -> {c.after}" for c in found]


class Only(Attackers):
    """Nothing but what the clauses name happens, whoever calls whatever."""

    preset_names = ("fresh", "no fee", "dear", "poor", "narrow", "by price", "waivers", "arrears")

    def opened(self) -> None:
        """Notes what everybody has outside the market."""
        super().opened()
        seen = self.look()
        self.wallets = {user: self.wallet(user) for user in seen.accounts}
        self.held, self.donated = seen.tokens, 0
        self._last: tuple[int, Observation] = (self.lockstep.now, seen)

    # ---- one move more: donations ----------------------------------------------------------

    def draw_money(self, choose: Choose) -> Call:
        """As everybody's; one time in four somebody sends tokens to the market without a deposit."""
        if choose.number(0, 3) == 3:
            return Call("donate", (choose.one((1, 10, 1000)),), STRANGER)
        return super().draw_money(choose)

    def perform(self, call: Call) -> None:
        """A donation is a transfer at the token."""
        if call.function != "donate":
            super().perform(call)
            return
        (amount,) = call.args
        giver = self.lockstep.address(STRANGER)
        if self.wallet(giver) < amount:
            return
        self.watch_time()
        with boa.swap_env(self.lockstep.env):
            self.lockstep.token.transfer(self.lockstep.target, amount, sender=giver)
        self.lockstep.model.token.transfer(giver, self.lockstep.target, amount)
        self.lockstep._seen = None
        self.lockstep.trace.append(Donation(giver, amount))
        before, after = self._last[1], self.look_again()
        self.donated += amount
        self.wallets[giver] -= amount
        found = changes(before, after)
        arrived = [(change.section, change.after - change.before) for change in found]
        holds("C4-DONATE-1", arrived == [("tokens", amount)], found=shown(found))
        self.watch_state(after)
        self._last = (self.lockstep.now, after)

    # ---- every call ------------------------------------------------------------------------

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """Looks at the whole state before and after a call, and at what came of it."""
        self.watch_time()
        before, records = self._last[1], self.records
        call = self.made(function, args, sender)
        again, entitled, outsider = self.is_repeated(call), self.is_entitled(call), records.is_outsider(call.sender)
        outcome = super().act(function, args, sender)
        after = self.look_again()
        found = changes(before, after) if after is not before else []
        self._last = (self.lockstep.now, after)
        if not outcome.accepted:
            holds("C4-REFUSE-1", not found, call=self.lockstep.trace.last, reason=outcome.reason, found=shown(found))
            return outcome
        self.watch_repetition(call, again)
        holds("C4-READ-2", entitled, when=call.function == "submit_reading", call=self.lockstep.trace.last)
        self.watch_outsiders(call, before, after, outsider)
        self.watch_roles(call, before, after, records)
        self.watch_steps(call, found)
        if call.function == "reveal_bid":
            opened = after.bids.get((call.args[0], call.sender))
            holds("C4-SEAL-3", opened is not None and opened.seal == 0, call=self.lockstep.trace.last, bid=opened)
        self.watch_winners(call, after)
        self.watch_flows(call, before, after, outcome)
        self.watch_energy(call, before, after, outcome)
        self.watch_silence(call, before, after)
        self.watch_frame(call, before, found)
        self.watch_state(after)
        return outcome

    def made(self, function: str, args: tuple[Any, ...], sender: str) -> Made:
        """The call, with addresses for names and with the period that it names."""
        plain = self.plain(args)
        period = 0
        if function == "submit_quote":
            period = plain[0]
        elif function in ("submit_reading", "settle_account"):
            period = plain[1]
        elif plain and plain[0] in self.records.terms:
            period = self.records.terms[plain[0]][1]
        phase = self.phase(period) if period in self.lockstep.periods else 0
        buyers = self.records.buyers.get(plain[0], ()) if plain and isinstance(plain[0], int) else ()
        address, supplier = self.lockstep.address(sender), self.lockstep.address("supplier")
        return Made(function, plain, address, supplier, period, phase, tuple(buyers))

    def watch_time(self) -> None:
        """Since the last call only time has passed, if that."""
        second, before = self._last
        if second == self.lockstep.now and len(before.periods) == len(self.lockstep.periods):
            return
        after = self.look()
        known = [c for c in changes(before, after) if self._was_known(c, before)]
        found = outside(time_frame(before), known)
        holds("C4-FRAME-11", not found, after=self.lockstep.trace.last, found=shown(found))
        self._last = (self.lockstep.now, after)

    def _was_known(self, change: Change, before: Observation) -> bool:
        """Whether the period of a change was watched before already."""
        if change.section in ("readings", "positions", "quote_of"):
            return change.key[1] in before.periods
        return change.section != "periods" or change.key in before.periods

    # ---- once, by whom, and forwards only ----------------------------------------------------

    def is_repeated(self, call: Made) -> bool:
        """Whether the same was done before: by the calls that were accepted."""
        records: Any = self.records
        first = call.args[0] if call.args else None
        match call.function:
            case "submit_bid":
                return (first, call.sender) in records.bids
            case "reveal_bid":
                return (first, call.sender) in records.opened
            case "submit_quote":
                return (call.sender, first) in records.quoted
            case "match_bids":
                return records.statuses.get(first) in (2, 4, 8)
            case "settle_quote":
                return records.statuses.get(first) == 8
            case "settle_account":
                return (first, call.args[1]) in records.settled
            case "submit_reading":
                return (first, call.args[1]) in records.readings
            case "register":
                return call.sender in records.registered
        return False

    def is_entitled(self, call: Made) -> bool:
        """Whether the user of a reading is let in, or has business in the period: by the calls that were accepted."""
        if call.function != "submit_reading":
            return False
        user, period = call.args[:2]
        return user in self.records.admitted or self.records.is_open(user, period)

    def watch_outsiders(self, call: Made, before: Observation, after: Observation, outsider: bool) -> None:
        """Who is not in and has no business moves nobody's money but by open calls; who was never in has none.

        A deposit or a withdrawal also clears the invoice account that somebody has who was in once.
        """
        own = {call.sender}
        if call.function in PAYMENTS and before.accounts[call.sender].grid_account:
            own.add(call.supplier)
        moved = [
            user
            for user, account in after.accounts.items()
            if user not in own and account[3:6] != before.accounts[user][3:6]
        ]
        apart = (
            outsider
            and call.function not in OPEN_TO_ALL
            and call.sender not in (address_of(before.owner), call.supplier)
        )
        holds(
            "C4-OUTSIDER-1", not moved, when=apart, call=self.lockstep.trace.last, moved=[self.name(u) for u in moved]
        )
        for user in after.accounts.keys() - self.records.known:
            account = after.accounts[user]
            bare = not any((account.reserved, account.grid_account, *account[6:10]))
            holds("C4-OUTSIDER-2", bare, call=self.lockstep.trace.last, who=self.name(user), account=account)

    def watch_repetition(self, call: Made, again: bool) -> None:
        """What can be done once was not done before."""
        once = ("submit_bid", "reveal_bid", "submit_quote", "match_bids")
        once += ("settle_quote", "settle_account", "submit_reading", "register")
        holds("C4-ONCE-6", not again, when=call.function in once, call=self.lockstep.trace.last)

    def watch_roles(self, call: Made, before: Observation, after: Observation, records: Records) -> None:
        """Who may call what; who is in; who the owner is."""
        line, owner = self.lockstep.trace.last, address_of(before.owner)
        ours = call.function in ("authorize", "revoke", "transfer_ownership")
        holds("C4-ROLE-1", call.sender == owner, when=ours, call=line)
        settles = call.function in ("settle_quote", "settle_account")
        holds("C4-ROLE-2", call.sender == owner, when=settles and call.phase == SETTLING, call=line)
        holds("C4-ROLE-6", call.phase in (SETTLING, 64), when=settles, call=line, phase=call.phase)
        if call.function == "invalidate_quote":
            holds("C4-ROLE-3", call.sender == self.records.terms[call.args[0]][0], call=line)
        given = {user: account.capacity for user, account in after.accounts.items() if account.capacity}
        told = records.capacities
        holds("C4-CAP-2", given == told, when=call.function == "authorize", call=line, contract=given, accepted=told)
        present = {user for user, account in after.accounts.items() if account.authorized}
        holds("C4-ROLE-4", present == records.admitted, call=line, contract=present, accepted_calls=records.admitted)
        named = (address_of(after.owner), address_of(after.pending_owner))
        holds("C4-ROLE-5", named == (records.owner, records.pending), call=line, contract=named)

    def watch_steps(self, call: Made, found: list[Change]) -> None:
        """Statuses, seals, counters, readings and identities move forwards only, one step, by their own call."""
        line = self.lockstep.trace.last
        for change in found:
            step, field = (change.before, change.after), change.field
            if change.section == "quotes" and field == "status":
                right = QUOTE_STEPS.get(call.function) == step
                holds("C4-STATUS-1", right, call=line, quote=change.key, step=step)
            elif change.section == "quotes" and field in ("prosumer", "period", "volume", "price", "created_at"):
                holds("C4-STATUS-3", call.function == "submit_quote", call=line, change=change)
            elif change.section == "bids" and field == "status":
                right = step in BID_STEPS.get(call.function, ())
                holds("C4-STATUS-2", right, call=line, bid=change.key, step=step)
            elif change.section == "bids" and field == "seal":
                placed = call.function == "submit_bid" and change.before == 0
                vanished = call.function == "reveal_bid" and change.after == 0
                holds("C4-SEAL-1", placed or vanished, call=line, bid=change.key)
            elif change.section == "bids" and field in ("price", "volume"):
                holds("C4-SEAL-2", call.function == "reveal_bid" and change.before == 0, call=line, change=change)
            elif change.section == "readings":
                fresh = call.function == "submit_reading" and change.before == 0
                holds("C4-READ-1", fresh, call=line, change=change)
            elif change.section == "accounts" and field in ("profile", "meter"):
                holds("C4-REG-1", call.function == "register" and change.before == 0, call=line, change=change)
            elif change.section == "accounts" and field == "capacity":
                raised = call.function == "authorize" and step[0] < step[1] == call.args[1]
                holds("C4-CAP-1", raised and change.key == call.args[0], call=line, change=change)
            elif change.section == "accounts" and field in ("performances", "defaults"):
                party = call.args[0] if call.function == "settle_account" else None
                if call.function == "settle_quote":
                    party = self.records.terms[call.args[0]][0]
                holds("C4-COUNT-2", step[1] == step[0] + 1 and change.key == party, call=line, change=change)
            elif change.section == "positions" and field == "settled":
                right = step == (0, 1) and call.function == "settle_account"
                holds("C4-COUNT-4", right, call=line, change=change)
            elif change.section == "positions" and field != "open":
                holds("C4-COUNT-3", step[1] > step[0], call=line, change=change)
        counted = [change.after - change.before for change in found if change.section == "quote_count"]
        holds("C4-COUNT-1", counted == ([1] if call.function == "submit_quote" else []), call=line, counted=counted)

    def watch_winners(self, call: Made, after: Observation) -> None:
        """After the matching every bid of the quote is either confirmed, with a volume, or rejected, without."""
        if call.function != "match_bids":
            return
        ends = {user: bid for (number, user), bid in after.bids.items() if number == call.args[0] and bid.status}
        decided = all((bid.status, bid.filled > 0) in ((4, True), (8, False)) for bid in ends.values())
        holds("C4-STATUS-4", decided, when=ends, call=self.lockstep.trace.last, bids=ends)

    # ---- money -------------------------------------------------------------------------------

    def watch_flows(self, call: Made, before: Observation, after: Observation, outcome: Outcome) -> None:
        """Whose money moved: in the market, outside, and on the invoice accounts."""
        line, me = self.lockstep.trace.last, call.sender
        paid = brought_in(call.function, call.args)
        gains = {
            user: account.balance + account.reserved - self.wealth(before, user)
            for user, account in after.accounts.items()
        }
        holds("C4-FLOW-1", sum(gains.values()) == paid, call=line, gains=self.named(gains))
        self.wallets[me] -= paid
        involved = {me, call.supplier, address_of(before.owner), *(user for user, gain in gains.items() if gain)}
        for user in involved & self.wallets.keys():
            wallet = self.wallet(user)
            holds("C4-FLOW-2", wallet == self.wallets[user], call=line, who=self.name(user), wallet=wallet)

        owner = address_of(before.owner)
        most = 0
        if call.function == "settle_quote":
            prosumer = self.records.terms[call.args[0]][0]
            delivered = self.delivered(after, prosumer, call.period) - self.delivered(before, prosumer, call.period)
            most = 2 * self.lockstep.tariff.service_fee * delivered
        plain = owner not in self.records.registered and (me != owner or not paid)
        holds("C4-OWNER-1", gains.get(owner, 0) <= most, when=plain, call=line, gain=gains.get(owner), most=most)

        self.watch_invoices(call, before, after, outcome, paid)

    def watch_invoices(self, call: Made, before: Observation, after: Observation, outcome: Outcome, paid: int) -> None:
        """An invoice account moves by what a settlement books, and by what clearing moves between user and supplier."""
        party = call.sender if call.function in PAYMENTS else None
        if call.function in ("clear", "settle_account"):
            party = call.args[0]
        if party is None or party == call.supplier:
            return
        booked = sum(fields.get("amount", 0) for name, fields in outcome.events if name == "AccountSettled")
        old, new = before.accounts[party], after.accounts[party]
        owed = new.grid_account - old.grid_account - booked
        free = new.balance - old.balance - paid
        other = after.accounts[call.supplier].balance - before.accounts[call.supplier].balance
        even = owed + free == 0 and other == owed
        moved = {"invoice": owed, "user": free, "supplier": other}
        holds("C4-CLEAR-1", even, call=self.lockstep.trace.last, **moved)
        due = old.grid_account + booked
        shrinks = 0 <= new.grid_account <= due if due >= 0 else due <= new.grid_account <= 0
        holds("C4-CLEAR-2", shrinks, when=due != 0, call=self.lockstep.trace.last, due=due, left=new.grid_account)

    @staticmethod
    def wealth(seen: Observation, user: str) -> int:
        """What an account holds in the market, free or not."""
        account = seen.accounts.get(user)
        return account.balance + account.reserved if account else 0

    @staticmethod
    def delivered(seen: Observation, user: str, period: int) -> int:
        """What somebody has delivered in a period."""
        position = seen.positions.get((user, period))
        return position.delivered if position else 0

    @staticmethod
    def received(seen: Observation, user: str, period: int) -> int:
        """What somebody has received in a period."""
        position = seen.positions.get((user, period))
        return position.received if position else 0

    def named(self, amounts: dict[str, int]) -> dict[str, int]:
        """Amounts other than zero by name."""
        return {self.name(user): amount for user, amount in amounts.items() if amount}

    # ---- energy ------------------------------------------------------------------------------

    def watch_energy(self, call: Made, before: Observation, after: Observation, outcome: Outcome) -> None:
        """What a quote delivers its buyers receive, all of it and nothing else."""
        if call.function != "settle_quote":
            return
        number, period = call.args[0], call.period
        told = [fields["delivered"] for name, fields in outcome.events if name == "TradeSettled"]
        total = [fields["delivered"] for name, fields in outcome.events if name == "QuoteSettled"]
        users = after.accounts
        received = sum(self.received(after, u, period) - self.received(before, u, period) for u in users)
        given = sum(self.delivered(after, u, period) - self.delivered(before, u, period) for u in users)
        sold, buyers = after.quotes[number].sold, len(self.records.buyers.get(number, ()))
        same = [sum(told)] == total and sum(told) == received == given and len(told) == buyers
        facts = {"buyers": told, "quote": total, "received": received, "delivered": given, "trades made": buyers}
        holds("C4-ENERGY-1", same and given <= sold, when=sold > 0, call=self.lockstep.trace.last, **facts)

    def watch_silence(self, call: Made, before: Observation, after: Observation) -> None:
        """A silent meter brings its user nothing."""
        line = self.lockstep.trace.last
        if call.function == "settle_quote":
            user = self.records.terms[call.args[0]][0]
        elif call.function == "settle_account":
            user = call.args[0]
        else:
            return
        silent = (user, call.period) not in self.records.readings
        old, new = before.accounts[user], after.accounts[user]
        gain = self.wealth(after, user) - self.wealth(before, user) + new.grid_account - old.grid_account
        unmoved = new.performances == old.performances
        if call.function == "settle_quote":
            delivers = self.delivered(after, user, call.period)
            when = silent and address_of(before.owner) != user
            nothing = gain <= 0 and unmoved and not delivers and not new.authorized
            holds("C4-SILENT-1", nothing, when=when, call=line, gain=gain, account=new)
        else:
            fallen = new.defaults == old.defaults + 1 and not new.authorized
            holds("C4-SILENT-2", gain <= 0 and unmoved and fallen, when=silent, call=line, gain=gain)

    # ---- the frame ---------------------------------------------------------------------------

    def watch_frame(self, call: Made, before: Observation, found: list[Change]) -> None:
        """A call changes only what its clauses name."""
        beyond = outside(allowed(call, before), found)
        good = not beyond
        seen = {"call": self.lockstep.trace.last, "beyond": shown(beyond)}
        match call.function:
            case "register" | "authorize" | "revoke":
                holds("C4-FRAME-1", good, **seen)
            case "deposit" | "withdraw" | "withdraw_at_least" | "clear":
                holds("C4-FRAME-2", good, **seen)
            case "submit_quote" | "invalidate_quote":
                holds("C4-FRAME-3", good, **seen)
            case "submit_bid" | "reveal_bid":
                holds("C4-FRAME-4", good, **seen)
            case "match_bids":
                holds("C4-FRAME-5", good, **seen)
            case "buy_surplus":
                holds("C4-FRAME-6", good, **seen)
            case "submit_reading":
                holds("C4-FRAME-7", good, **seen)
            case "settle_quote":
                holds("C4-FRAME-8", good, **seen)
            case "settle_account":
                holds("C4-FRAME-9", good, **seen)
            case _:
                holds("C4-FRAME-10", good, **seen)

    # ---- every state -------------------------------------------------------------------------

    def watch_state(self, seen: Observation) -> None:
        """What holds of every state: the books balance, energy is conserved, meters are nobody else's."""
        line = self.lockstep.trace.last
        owned = sum(account.balance + account.reserved for account in seen.accounts.values())
        extra = seen.tokens - owned
        holds("C4-TOKEN-1", extra == self.donated, after=line, tokens=seen.tokens, owned=owned, donated=self.donated)
        paid = self.held + self.records.paid_in + self.donated
        holds("C4-TOKEN-2", seen.tokens == paid, after=line, tokens=seen.tokens, paid_in=paid)

        for period in seen.periods:
            rows = [position for (_, when), position in seen.positions.items() if when == period]
            received, delivered = sum(row.received for row in rows), sum(row.delivered for row in rows)
            holds("C4-ENERGY-2", received == delivered, when=received or delivered, after=line, period=period)
            bought = sum(row.bought for row in rows)
            sold = sum(quote.sold for quote in seen.quotes.values() if quote.period == period)
            holds("C4-ENERGY-3", bought == sold, when=bought or sold, after=line, bought=bought, sold=sold)
        for (user, _), reading in seen.readings.items():
            capacity, most = seen.accounts[user].capacity, max(reading.exported, reading.imported)
            holds("C4-CAP-3", most <= capacity, when=reading.present, after=line, who=self.name(user), reading=reading)
        for (user, period), claimed in self.records.claimed.items():
            capacity = self.records.capacities.get(user, 0)
            told = {"who": self.name(user), "period": period, "claimed": claimed, "capacity": capacity}
            holds("C4-CAP-4", claimed <= capacity, after=line, **told)
        for (user, period), position in seen.positions.items():
            exported, _ = self.records.readings.get((user, period), (0, 0))
            over = position.delivered > exported
            holds("C4-ENERGY-4", not over, when=position.delivered, after=line, who=self.name(user), exported=exported)
        meters = [account.meter for account in seen.accounts.values() if account.meter]
        holds("C4-REG-2", len(meters) == len(set(meters)), after=line)

    def closed(self) -> None:
        """At the end of every history: nobody's wallet moved unseen, and the tariff is what it was."""
        for user, wallet in self.wallets.items():
            holds(
                "C4-FLOW-3", self.wallet(user) == wallet, who=self.name(user), wallet=self.wallet(user), expected=wallet
            )
        tariff, market = self.lockstep.tariff, self.lockstep.market
        fixed = (market.SBP(), market.SSP(), market.SERVICE_FEE(), market.PERIOD_LENGTH(), market.WINDOW())
        agreed = (tariff.sbp, tariff.ssp, tariff.service_fee, tariff.period_length, tariff.window)
        parties = (str(market.TOKEN()), str(market.SUPPLIER()))
        ranking = (market.PRIORITY_STEP(), market.RANK_BY_PRICE())
        parties += ranking
        named = (str(self.lockstep.token.address), self.lockstep.address("supplier"))
        named += (tariff.priority_step, tariff.rank_by_price)
        holds("C4-TARIFF-1", fixed + parties == agreed + named, now=fixed + parties, agreed=agreed + named)


class Refusals(Attackers):
    """Mostly attackers and wild calls: every refusal leaves the market's storage as it was, byte for byte."""

    preset_names = ("fresh", "arrears", "narrow")

    def opened(self) -> None:
        """No digest is known yet."""
        super().opened()
        self._digest: bytes | None = None
        self._accepted = self._moves = 0

    def draw_trade(self, choose: Choose) -> Call:
        """As in the base; where somebody can buy it mostly does, as few of these histories come that far."""
        kinds = self.trade_kinds()
        return kinds["buy"](choose) if "buy" in kinds and choose.yes() else super().draw_trade(choose)

    @move(lambda self, choose: self.draw_wild(choose), most=2)
    def anything(self, call: Call) -> None:
        """Any call by anybody, mostly one that is refused."""

    def draw_wild(self, choose: Choose) -> Call:
        """Any call of anybody with numbers that are often near something."""
        lockstep, people = self.lockstep, EVERYBODY
        quote_id = choose.number(0, len(self.records.terms) + 1)
        period = choose.one((*lockstep.periods, lockstep.periods[0] - 1, 0, 2**256 - 1))
        amount = choose.edge((0, 1, 20, 2**24, 2**255, 2**256 - 1), 0, 10**9)
        price = choose.one((0, lockstep.tariff.lowest_price - 1, lockstep.tariff.lowest_price, 2**256 - 1))
        shapes: dict[str, tuple[Any, ...]] = {
            "authorize": (choose.one(people), amount),
            "revoke": (choose.one(people),),
            "deposit": (amount,),
            "withdraw": (amount,),
            "withdraw_at_least": (amount, choose.one((0, amount, 2**256 - 1))),
            "submit_quote": (period, amount, price),
            "invalidate_quote": (quote_id,),
            "reveal_bid": (quote_id, price, amount, bytes(32)),
            "match_bids": (quote_id,),
            "buy_surplus": (quote_id, amount),
            "settle_quote": (quote_id,),
            "settle_account": (choose.one(people), period),
            "transfer_ownership": (choose.one(people),),
            "accept_ownership": (),
        }
        function = choose.one(sorted(shapes))
        return Call(f"wild {function}", shapes[function], choose.one(people))

    def perform(self, call: Call) -> None:
        """Digests the storage before and after a move of which every call was refused.

        One pair of digests for a whole raid, or one wild call in four: each costs as much as hundreds of calls.
        """
        self._moves += 1
        wild = call.function.startswith("wild ")
        call = call._replace(function=call.function.removeprefix("wild "))
        if call.function != "raid" and not (wild and self._moves % 4 == 0):
            self._digest = None
            super().perform(call)
            return
        env, accepted = self.lockstep.env, self._accepted
        before = self._digest or state_digest(env, self.lockstep.target)
        tokens = self.tokens()
        super().perform(call)
        if self._accepted != accepted:
            self._digest = None
            return
        self._digest = state_digest(env, self.lockstep.target)
        holds("C4-REFUSE-2", self._digest == before, calls=self.lockstep.trace.tail(20))
        holds("C4-REFUSE-3", self.tokens() == tokens, calls=self.lockstep.trace.tail(20))

    def tokens(self) -> list[int]:
        """Everybody's tokens, those of the market and the supply, and the market's ether."""
        people = [self.wallet(user) for user in (*self.lockstep.watched, self.lockstep.target)]
        return [*people, self.lockstep.token.totalSupply(), self.lockstep.env.get_balance(self.lockstep.target)]

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """Counts the calls that were accepted."""
        outcome = super().act(function, args, sender)
        self._accepted += outcome.accepted
        return outcome


TestOnly = Only.TestCase
TestRefusals = Refusals.TestCase
