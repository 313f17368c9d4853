"""Attackers as actors: calls that must be refused, each with the reason that it must be refused for.

What an attacker may expect follows from what was called and accepted before (`Records`), from the clock and from the
tariff. Each kind of attack has an invariant of its own in criterion 4; `Attackers.raid` tries every kind there is now.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from tests.properties.frame_conditions import address_of
from tests.properties.machine import Call, Decide, MarketMachine, brought_in, move
from verification.harness.choices import Choose
from verification.harness.counters import holds
from verification.harness.lockstep import CAPACITY, HOUSEHOLDS, MAX_CAPACITY, NEWCOMER, STRANGER, Lockstep
from verification.harness.meter_contracts import CONTRACT, DEVICE
from verification.harness.state import Observation
from wattproof.market.symbolic import FORMS, HOSTILE, Signed, salt_of
from wattproof.market.trace import Outcome

BIDDING, REVEALING, MATCHING, DELIVERING, METERING, SETTLING, CLOSING = (1 << bit for bit in range(7))
VALID, INVALID, MATCHED, SETTLED = 1, 2, 4, 8
ZERO = "0x" + 40 * "0"

OUTSIDERS = (STRANGER, "supplier", "owner")
"""People that never register in these histories."""

UNPAIRED = "mild"
"""The name of a meter that serves nobody."""


_BALANCE_OF = keccak(text="balanceOf(address)")[:4]


class Attack(NamedTuple):
    """A call of an attacker and the reason it must be refused with."""

    call: Call
    reason: str


class Records:
    """What has been called and accepted so far, by address; it starts from what the preset left behind."""

    def __init__(self, lockstep: Lockstep, seen: Observation) -> None:
        users = seen.accounts.items()
        self.registered = {user for user, account in users if account.meter}
        self.admitted = {user for user, account in users if account.authorized}
        self.known = {user for user, account in users if account.capacity}
        """Who was let in at any time."""
        self.capacities = {user: account.capacity for user, account in users if account.capacity}
        self.owner = address_of(seen.owner)
        self.pending = address_of(seen.pending_owner)
        self.quoted = {place for place, number in seen.quote_of.items() if number}
        self.statuses = {number: quote.status for number, quote in seen.quotes.items()}
        quotes = seen.quotes.items()
        self.terms = {number: (address_of(q.prosumer), q.period, q.volume, q.price) for number, q in quotes}
        self.bids = {place for place, bid in seen.bids.items() if bid.status}
        self.opened = {place for place, bid in seen.bids.items() if bid.status and not bid.seal}
        self.buyers = {number: [str(trade.buyer) for trade in lockstep.market.trades(number)] for number in seen.quotes}
        self.sold = {number: quote.sold for number, quote in quotes}
        self.claimed = self._claims(lockstep, seen)
        self.bought = {place: row.bought for place, row in seen.positions.items() if row.bought}
        self.readings = {place: (row.exported, row.imported) for place, row in seen.readings.items() if row.present}
        self.evidence: dict[tuple[str, int], Signed] = {}
        self.settled = {place for place, row in seen.positions.items() if row.settled}
        self.paid_in = 0

    def _claims(self, lockstep: Lockstep, seen: Observation) -> dict[tuple[str, int], int]:
        """What everybody opened and purchased in each period, in Wh, on the quotes that are looked at."""
        claims: dict[tuple[str, int], int] = {}
        for (number, user), bid in seen.bids.items():
            place = (user, self.terms[number][1])
            claims[place] = claims.get(place, 0) + bid.volume - bid.filled
        for number in seen.quotes:
            for trade in lockstep.market.trades(number):
                place = (str(trade.buyer), self.terms[number][1])
                claims[place] = claims.get(place, 0) + trade.volume
        return claims

    def keep(self, function: str, args: tuple[Any, ...], sender: str, outcome: Outcome) -> None:
        """Takes note of an accepted call; people are addresses."""
        match function:
            case "register":
                self.registered.add(sender)
            case "authorize":
                self.admitted.add(args[0])
                self.known.add(args[0])
                self.capacities[args[0]] = args[1]
            case "revoke":
                self.admitted.discard(args[0])
            case "deposit" | "withdraw" | "withdraw_at_least":
                self.paid_in += brought_in(function, args)
            case "submit_quote":
                number = outcome.result or 0
                self.quoted.add((sender, args[0]))
                self.statuses[number], self.sold[number] = VALID, 0
                self.terms[number] = (sender, *args)
            case "invalidate_quote":
                self.statuses[args[0]] = INVALID
            case "submit_bid":
                self.bids.add((args[0], sender))
            case "reveal_bid":
                self.opened.add((args[0], sender))
                self._claim(sender, args[0], args[2])
            case "match_bids":
                self.statuses[args[0]] = MATCHED
                for name, fields in outcome.events:
                    if name == "BidConfirmed":
                        self._sold(args[0], address_of(fields["bidder"]), fields["filled"])
            case "buy_surplus":
                self._sold(args[0], sender, args[1])
                self._claim(sender, args[0], args[1])
            case "submit_reading":
                self.readings[args[0], args[1]] = args[2:4]
                self.evidence[args[0], args[1]] = args[4]
            case "settle_quote":
                self.statuses[args[0]] = SETTLED
                if self.terms[args[0]][:2] not in self.readings:
                    self.admitted.discard(self.terms[args[0]][0])
            case "settle_account":
                self.settled.add((args[0], args[1]))
                if (args[0], args[1]) not in self.readings:
                    self.admitted.discard(args[0])
            case "transfer_ownership":
                self.pending = args[0]
            case "accept_ownership":
                self.owner, self.pending = sender, ZERO

    def _sold(self, number: int, buyer: str, volume: int) -> None:
        self.buyers.setdefault(number, []).append(buyer)
        self.sold[number] = self.sold.get(number, 0) + volume
        period = self.terms.get(number, ("", 0, 0, 0))[1]
        self.bought[buyer, period] = self.bought.get((buyer, period), 0) + volume

    def _claim(self, user: str, number: int, volume: int) -> None:
        place = (user, self.terms.get(number, ("", 0, 0, 0))[1])
        self.claimed[place] = self.claimed.get(place, 0) + volume

    def is_open(self, user: str, period: int) -> bool:
        """Whether a quote with a stake of the user waits for its matching or settlement."""
        for number, status in self.statuses.items():
            prosumer, when, *_ = self.terms[number]
            if when != period or status not in (VALID, MATCHED):
                continue
            opened = status == VALID and (number, user) in self.opened
            if user == prosumer or opened or user in self.buyers.get(number, ()):
                return True
        return False

    def is_outsider(self, user: str) -> bool:
        """Whether somebody was never let in, or is no longer and has nothing open in any period."""
        if user in self.admitted:
            return False
        return not any(self.is_open(user, period) for period in {period for _, period, *_ in self.terms.values()})


class Attackers(MarketMachine):
    """A market with attackers among its people."""

    records: Records
    _kept: tuple[Any, Any, Observation] | None = None

    def opened(self) -> None:
        """Attackers know what happened before."""
        self.copied: set[tuple[int, str]] = set()
        self.records = Records(self.lockstep, self.look())

    def look(self) -> Observation:
        """What the views told after the last call that was accepted, or now where time has passed since."""
        key = (self.lockstep.now, len(self.lockstep.periods), len(self.lockstep.watched))
        if self._kept is None or self._kept[0] != key:
            return self.look_again()
        return self._kept[2]

    def look_again(self) -> Observation:
        """What the views tell now; decoded only where it is not what they told before."""
        key = (self.lockstep.now, len(self.lockstep.periods), len(self.lockstep.watched))
        pages = self.lockstep._looks()
        if self._kept is None or self._kept[0] != key or self._kept[1] != pages:
            self._kept = (key, pages, self.lockstep.observe())
        return self._kept[2]

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """Takes note of what was accepted."""
        outcome = super().act(function, args, sender)
        if outcome.accepted:
            self._kept = None
            self.records.keep(function, self.plain(args), self.lockstep.address(sender), outcome)
        return outcome

    def do(self, function: str, *args: Any, sender: str) -> Outcome:
        """As everybody's; then somebody reaches for too much: after a matching or a purchase of what is left, or for
        too little of it; after an opening with a bid of its own."""
        outcome = super().do(function, *args, sender=sender)
        if outcome.accepted and function == "reveal_bid" and (choice := list(self.overopeners())):
            self.attempt("overreacher", choice[len(self.lockstep.calls) % len(choice)])
        if outcome.accepted and function in ("match_bids", "buy_surplus"):
            for kind, attacks in (("overreacher", self.overbuyers), ("crumb buyer", self.crumb_buyers)):
                choice = list(attacks())
                # Who has just bought goes first: what it bought must count against its capacity.
                choice = [attack for attack in choice if attack.call.sender == sender] or choice
                if choice:
                    self.attempt(kind, choice[len(self.lockstep.calls) % len(choice)])
        return outcome

    def plain(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Arguments with addresses for names."""
        return tuple(self.lockstep.address(a) if isinstance(a, str) and not a.startswith("0x") else a for a in args)

    # ---- moves -------------------------------------------------------------------------

    @move(lambda self, choose: self.draw_attack(choose), most=4)
    def attack(self, call: Call) -> None:
        """A raid, a stolen seal, a bid beyond the capacity, a handover, a stranger in an absent owner's place."""

    def draw_attack(self, choose: Choose) -> Call:
        """What an attacker could try now; a raid is one attempt of each kind."""
        moves: list[Decide] = [
            *[lambda choose: Call("raid", (choose.number(0, 99),), STRANGER)] * 2,
            lambda choose: Call("absent owner", (), STRANGER),
            self.draw_handover,
        ]
        if self.lockstep.address(NEWCOMER) not in self.records.registered:
            moves.append(lambda choose: self.registration(NEWCOMER))
        if self.enabled.withdrawals:
            moves.append(self.draw_invalidation)
        if losers := self.losers():
            owner = self.name(self.records.owner)
            moves += [lambda choose: Call("revoke", (choose.one(losers),), owner)] * 2
        if greedy := self.greedy_bidders():
            moves += [lambda choose: Call("overask", choose.one(greedy), STRANGER)] * 2
        if thefts := self.copyable():
            moves.append(lambda choose: Call("copy", choose.one(thefts), STRANGER))
            moves += [lambda choose: Call("heist", choose.one(thefts), STRANGER)] * 2
        return choose.one(moves)(choose)

    def perform(self, call: Call) -> None:
        """The moves of attackers; whatever fails is told with its history."""
        try:
            match call.function:
                case "raid":
                    self.raid(*call.args)
                case "absent owner":
                    self.absent_owner()
                case "copy":
                    self.copy(*call.args)
                case "heist":
                    self.heist(*call.args)
                case "overask":
                    self.overask(*call.args)
                case _:
                    super().perform(call)
        except AssertionError as failure:
            self.failed(failure)
            raise

    def advance(self, second: int) -> None:
        """Time passes; when meters begin to report, and when the owner begins to settle, attackers are there first."""
        before = {(period, self.phase(period)) for period in self.lockstep.periods}
        super().advance(second)
        begun = {(period, self.phase(period)) for period in self.lockstep.periods} - before
        if any(phase in (METERING, SETTLING) for _, phase in begun):
            self.raid(second // 60 % 100)

    def hand_in(self, reports: list[Call], together: bool) -> None:
        """As everybody's; then a replayer hands one of these readings in again."""
        super().hand_in(reports, together)
        if not reports:
            return
        call = reports[len(self.lockstep.calls) % len(reports)]
        name, period, *_ = call.args
        if (self.lockstep.address(name), period) in self.records.readings:
            self.attempt("replayer", Attack(call, "metering: already read"))

    def draw_handover(self, choose: Choose) -> Call:
        """The owner names a successor, mostly one without trades, and the successor accepts."""
        owner = self.name(self.records.owner)
        if self.records.pending != ZERO:
            return Call("accept_ownership", (), self.name(self.records.pending))
        heirs = [name for name in (STRANGER, "owner", "owner", HOUSEHOLDS[0]) if name != owner]
        return Call("transfer_ownership", (choose.one(heirs),), owner)

    def registration(self, name: str, **other: Any) -> Call:
        """The call with which somebody registers; `other` as in `Lockstep.pairing`."""
        return Call("register", self.lockstep.registration(name, **other), name)

    def losers(self) -> list[str]:
        """Who is in and has nothing in a period that is delivered or metered but bids that lost."""
        found = set()
        for (user, period), claimed in self.records.claimed.items():
            near = self.phase(period) & (MATCHING | DELIVERING | METERING)
            if near and claimed and user in self.records.admitted and not self.records.is_open(user, period):
                found.add(self.name(user))
        return sorted(found)

    def copyable(self) -> list[tuple[int, str, str]]:
        """Which seal which thief could hand in as its own."""
        return [
            (number, thief, victim)
            for number, victim in self.sealed
            if self.phase_of(number) == BIDDING and self.records.statuses.get(number) == VALID
            for thief in HOUSEHOLDS
            if self.can_trade(thief) and self.prosumer(number) != thief
            if (number, self.lockstep.address(thief)) not in self.records.bids
        ]

    def copy(self, number: int, thief: str, victim: str) -> None:
        """A thief hands in somebody's seal as its own; that is not refused, and opens nothing."""
        seal = self.lockstep.seal(number, victim, *self.sealed[number, victim])
        if self.do("submit_bid", number, seal, sender=thief).accepted:
            self.copied.add((number, thief))

    def heist(self, number: int, thief: str, victim: str) -> None:
        """A thief copies a seal, waits until bids are opened, and opens its copy with what the victim sealed."""
        self.copy(number, thief, victim)
        self.until_openings(number)
        if self.can_trade(thief):
            wish = (number, *self.sealed[number, victim], salt_of(number, victim))
            self.judge("thief", "bids: seal does not match", self.do("reveal_bid", *wish, sender=thief))

    def until_openings(self, number: int) -> None:
        """Time passes until bids on a quote can be opened."""
        tariff = self.lockstep.tariff
        opens = self.records.terms[number][1] * tariff.period_length - 2 * tariff.window
        self.advance(max(opens, self.lockstep.now))

    def greedy_bidders(self) -> list[tuple[int, str]]:
        """Whose bid on which quote could be for more than its connection still carries."""
        return [
            (number, name)
            for number, name in self.enabled.bids
            if self.room(name, self.records.terms[number][1]) < self.records.terms[number][2]
        ]

    def overask(self, number: int, name: str) -> None:
        """A user seals a bid for a Wh more than its connection still carries, waits, and opens it."""
        _, period, _, price = self.records.terms[number]
        if self.bid(number, name, price, self.room(name, period) + 1).accepted:
            self.until_openings(number)
            for attack in list(self.overopeners()):
                if attack.call.args[0] == number and attack.call.sender == name:
                    self.attempt("overreacher", attack)

    def absent_owner(self) -> None:
        """In CLOSING a stranger can do all that the owner left undone."""
        for number, status in sorted(self.records.statuses.items()):
            if self.phase_of(number) != CLOSING:
                continue
            if status == VALID:
                self._goes(self.do("match_bids", number, sender=STRANGER))
            if self.records.statuses[number] == MATCHED:
                self._goes(self.do("settle_quote", number, sender=STRANGER))
        for name, period in self.places():
            if self.phase(period) == CLOSING and self.is_due(name, period):
                self._goes(self.do("settle_account", name, period, sender=STRANGER))

    def _goes(self, outcome: Outcome) -> None:
        holds("C4-ABSENT-1", outcome.accepted, call=self.lockstep.trace.last, reason=outcome.reason)

    # ---- what attackers know -------------------------------------------------------------

    def name(self, address: str) -> str:
        """The name that goes with an address."""
        return self.lockstep.names.get(address, address)

    def phase(self, period: int) -> int:
        """The phase of a period, by T-TIME-1 to T-TIME-9."""
        length, window = self.lockstep.tariff.period_length, self.lockstep.tariff.window
        start, now = period * length, self.lockstep.now
        edges = (start - 2 * window, start - window, start, start + length)
        later = (start + length + window, start + length + 2 * window)
        return 1 << sum(now >= edge for edge in (*edges, *later))

    def phase_of(self, number: int) -> int:
        """The phase of the period that a quote is for; 0 where there is no such quote."""
        return self.phase(self.records.terms[number][1]) if number in self.records.terms else 0

    def prosumer(self, number: int) -> str:
        """The name of the prosumer of a quote."""
        return self.name(self.records.terms[number][0])

    def invoice(self, name: str) -> int:
        """Somebody's invoice account."""
        return self.look().accounts[self.lockstep.address(name)].grid_account

    def is_in(self, name: str) -> bool:
        """Whether somebody was let in and not put out."""
        return self.lockstep.address(name) in self.records.admitted

    def can_trade(self, name: str) -> bool:
        """Whether somebody may begin new business."""
        return self.is_in(name) and self.invoice(name) >= 0

    def room(self, name: str, period: int) -> int:
        """What somebody can still claim of its capacity in a period, in Wh, by the calls that were accepted."""
        user = self.lockstep.address(name)
        return self.records.capacities.get(user, 0) - self.records.claimed.get((user, period), 0)

    def places(self) -> list[tuple[str, int]]:
        """Every household with every period in play."""
        return [(name, period) for period in self.lockstep.periods for name in HOUSEHOLDS]

    def is_due(self, name: str, period: int) -> bool:
        """Whether that account of that period has something to settle, and nothing open."""
        place = user, _ = self.lockstep.address(name), period
        begun = place in self.records.readings or self.records.bought.get(place)
        return bool(begun) and place not in self.records.settled and not self.records.is_open(user, period)

    def business(self, sender: str) -> list[Call]:
        """One call of each kind of new business."""
        number, price = max(self.records.terms, default=1), self.lockstep.tariff.lowest_price
        return [
            Call("submit_quote", (self.lockstep.periods[-1], 1, price), sender),
            Call("submit_bid", (number, bytes(32)), sender),
            Call("reveal_bid", (number, price, 1, bytes(32)), sender),
            Call("buy_surplus", (number, 1), sender),
        ]

    def wallet(self, user: str) -> int:
        """What somebody's wallet holds of the token."""
        data = _BALANCE_OF + int(user, 16).to_bytes(32, "big")
        where = str(self.lockstep.token.address)
        return int.from_bytes(
            self.lockstep.env.execute_code(to_address=where, data=data, is_modifying=False).output, "big"
        )

    # ---- attacks: what could be tried now, and why it must fail -----------------------------

    def strangers(self) -> Iterator[Attack]:
        """Somebody that never registered begins business."""
        for name in (*OUTSIDERS, NEWCOMER):
            if self.lockstep.address(name) not in self.records.registered:
                yield from (Attack(call, "accounts: not authorised") for call in self.business(name))

    def revoked(self) -> Iterator[Attack]:
        """A registered user that is not (or no longer) authorised begins business."""
        for name in (*HOUSEHOLDS, NEWCOMER):
            if self.lockstep.address(name) in self.records.registered and not self.is_in(name):
                yield from (Attack(call, "accounts: not authorised") for call in self.business(name))

    def debtors(self) -> Iterator[Attack]:
        """A user in arrears begins business, or takes money out."""
        for name in HOUSEHOLDS:
            account = self.look().accounts[self.lockstep.address(name)]
            if account.grid_account < 0:
                if self.is_in(name):
                    yield from (Attack(call, "ledger: in arrears") for call in self.business(name))
                if account.balance < -account.grid_account:
                    yield Attack(Call("withdraw", (0,), name), "ledger: in arrears")
                    yield Attack(Call("withdraw_at_least", (0, 0), name), "ledger: in arrears")

    def thieves(self) -> Iterator[Attack]:
        """A thief that has a sealed bid of its own, or a copy, opens it with what somebody else sealed."""
        for number, thief, call in self.thefts():
            place = (number, self.lockstep.address(thief))
            if place in self.records.bids and place not in self.records.opened:
                yield Attack(call, "bids: seal does not match")

    def claimers(self) -> Iterator[Attack]:
        """Somebody without a sealed bid opens another's."""
        for number, thief, call in self.thefts():
            place = (number, self.lockstep.address(thief))
            if place not in self.records.bids or place in self.records.opened:
                yield Attack(call, "bids: nothing to open")

    def thefts(self) -> Iterator[tuple[int, str, Call]]:
        """Quote, thief and the call that opens a bid with what another put into its own."""
        for (number, victim), wish in sorted(self.sealed.items()):
            if self.phase_of(number) == REVEALING and self.records.statuses.get(number) == VALID:
                for thief in HOUSEHOLDS:
                    if thief != victim and self.can_trade(thief):
                        yield number, thief, Call("reveal_bid", (number, *wish, salt_of(number, victim)), thief)

    def replayers(self) -> Iterator[Attack]:
        """Somebody hands in a reading again, while it is time for readings and later."""
        for (user, period), numbers in sorted(self.records.readings.items()):
            late = self.phase(period) != METERING
            reason = "clock: wrong phase" if late else "metering: already read"
            if signed := self.records.evidence.get((user, period)):
                yield Attack(Call("submit_reading", (user, period, *numbers, signed), STRANGER), reason)
            other = (numbers[0] ^ 1, numbers[1])
            fresh = self.lockstep.reading(self.name(user), period, *other)
            yield Attack(Call("submit_reading", (user, period, *other, fresh), self.name(user)), reason)

    def unread_now(self, entitled: bool = True) -> Iterator[tuple[str, int]]:
        """Whose meter could report now, being let in or having business; or who has neither, and a meter."""
        for name, period in [*self.places(), *((NEWCOMER, period) for period in self.lockstep.periods)]:
            user = self.lockstep.address(name)
            due = user in self.records.registered and (user, period) not in self.records.readings
            due = due and self.phase(period) == METERING
            if due and (self.is_in(name) or self.records.is_open(user, period)) == entitled:
                yield name, period

    def forgers(self) -> Iterator[Attack]:
        """A reading that the user's meter did not sign for this market, chain, user, period and energy."""
        for name, period in self.unread_now():
            lockstep, told = self.lockstep, (500, 3)
            other = HOUSEHOLDS[HOUSEHOLDS.index(name) - 1] if name in HOUSEHOLDS else HOUSEHOLDS[0]
            wrong = (
                lockstep.reading(name, period, *told, chain=lockstep.chain + 1),
                lockstep.reading(name, period, *told, market=str(lockstep.token.address)),
                lockstep.reading(name, period, *told, meter_of=other),
                lockstep.reading(other, period, *told),
                lockstep.reading(other, period, *told, meter_of=lockstep.key(name)),
                lockstep.reading(name, period + 1, *told),
                lockstep.reading(name, period, told[0] - 1, told[1]),
                lockstep.reading(name, period, told[0], told[1] + 1),
                lockstep.reading(name, period, told[1], told[0]),
                lockstep.pairing(name),
            )
            for signed in wrong:
                yield Attack(Call("submit_reading", (name, period, *told, signed), name), "accounts: wrong meter")

    def spoilers(self) -> Iterator[Attack]:
        """A true reading with a signature in another form than the one that is accepted."""
        reasons = {
            "truncated": "accounts: malformed signature",
            "empty": "accounts: malformed signature",
            "high s": "ecdsa: invalid signature `s` value",
            "bad v": "ecdsa: invalid signature",
        }
        for name, period in self.unread_now():
            coded = name in self.lockstep.coded
            for form in FORMS[1:]:
                # The code alone knows its forms; that of our meters takes the twin of its own device's signature.
                if not (form == "high s" and coded):
                    signed = self.lockstep.reading(name, period, 1, 1, form=form)
                    reason = "accounts: wrong meter" if coded else reasons[form]
                    yield Attack(Call("submit_reading", (name, period, 1, 1, signed), STRANGER), reason)

    def broken_meters(self, manners: Sequence[str]) -> Iterator[Attack]:
        """A true reading of a meter that is a contract and gives no answer that counts, in one of these manners."""
        for name, period in self.unread_now():
            if name in self.lockstep.coded:
                device = name if self.lockstep.coded[name].endswith(CONTRACT) else name + DEVICE
                for manner in manners:
                    signed = self.lockstep.reading(name, period, 1, 1, meter_of=device, form=manner)
                    yield Attack(
                        Call("submit_reading", (name, period, 1, 1, signed), STRANGER), "accounts: wrong meter"
                    )

    def outsiders(self) -> Iterator[Attack]:
        """A user that is not let in, and has no business in a period, has its true reading of it handed in."""
        for name, period in self.unread_now(entitled=False):
            for energies in ((2**24 - 1, 0), (1, 1), (2**256 - 1, 2**256 - 1)):
                yield Attack(self.reading_call(name, period, *energies), "accounts: not authorised")

    def shrinkers(self) -> Iterator[Attack]:
        """The owner lowers a capacity, or gives one that is none, or the same to who is in."""
        owner = self.name(self.records.owner)
        for user, capacity in sorted(self.records.capacities.items()):
            if capacity > 1:
                less = Call("authorize", (self.name(user), capacity - 1), owner)
                yield Attack(less, "accounts: capacity cannot fall")
                yield Attack(less._replace(args=(less.args[0], 1)), "accounts: capacity cannot fall")
            for none in (0, MAX_CAPACITY + 1, 2**256 - 1):
                call = Call("authorize", (self.name(user), none), owner)
                yield Attack(call, "accounts: capacity out of bounds")
            if user in self.records.admitted:
                same = Call("authorize", (self.name(user), capacity), owner)
                yield Attack(same, "accounts: already authorised")

    def overreachers(self) -> Iterator[Attack]:
        """A user quotes, opens or buys more than its connection carries."""
        price = self.lockstep.tariff.lowest_price
        for name in HOUSEHOLDS:
            if not self.can_trade(name):
                continue
            capacity = self.records.capacities[self.lockstep.address(name)]
            for period in self.lockstep.periods:
                if self.phase(period) == BIDDING:
                    yield Attack(
                        Call("submit_quote", (period, capacity + 1, price), name), "quotes: volume out of bounds"
                    )
        yield from self.overopeners()
        yield from self.overbuyers()

    def overopeners(self) -> Iterator[Attack]:
        """A user opens a bid of its own for more than its connection carries besides what it claimed."""
        for (number, name), (price, volume) in sorted(self.sealed.items()):
            place, top = (number, self.lockstep.address(name)), self.lockstep.tariff.highest_price
            ready = place in self.records.bids and place not in self.records.opened and self.can_trade(name)
            if not ready or self.phase_of(number) != REVEALING or self.records.statuses.get(number) != VALID:
                continue
            _, period, offered, least = self.records.terms[number]
            full = sum(opened == number for opened, _ in self.records.opened) >= 128
            if self.room(name, period) < volume <= offered and least <= price <= top and not full:
                yield Attack(self.reveal_call((number, name)), "positions: beyond the capacity")

    def overbuyers(self) -> Iterator[Attack]:
        """A user buys of what is left a Wh more than its connection carries besides what it claimed."""
        for number, offered in self.for_sale():
            left, period = offered - self.records.sold[number], self.records.terms[number][1]
            for name in HOUSEHOLDS:
                wanted = self.room(name, period) + 1
                within = 64 * wanted >= offered and wanted <= left
                if within and self.can_trade(name) and self.prosumer(number) != name:
                    yield Attack(Call("buy_surplus", (number, wanted), name), "positions: beyond the capacity")

    def for_sale(self) -> Iterator[tuple[int, int]]:
        """Quotes of which something can be bought, with what a purchase is a part of, in Wh."""
        for number, status in sorted(self.records.statuses.items()):
            if status != MATCHED or len(self.records.buyers.get(number, ())) >= 256:
                continue
            prosumer, period, volume, _ = self.records.terms[number]
            reading = self.look().readings.get((prosumer, period))
            metered = reading is not None and reading.present and self.phase(period) == METERING
            offered = volume if self.phase(period) == MATCHING else reading.exported if metered and reading else 0
            if offered > self.records.sold[number]:
                yield number, offered

    def late_buyers(self) -> Iterator[Attack]:
        """Somebody buys what is left of a quote while it is delivered, or before its meter is read."""
        for number, status in sorted(self.records.statuses.items()):
            phase = self.phase_of(number)
            if status != MATCHED or not phase & (DELIVERING | METERING):
                continue
            prosumer, period, *_ = self.records.terms[number]
            if phase == METERING and (prosumer, period) in self.records.readings:
                continue
            reason = "clock: wrong phase" if phase == DELIVERING else "surplus: no reading yet"
            for name in HOUSEHOLDS:
                if self.can_trade(name) and self.prosumer(number) != name:
                    yield Attack(Call("buy_surplus", (number, 1), name), reason)

    def crumb_buyers(self) -> Iterator[Attack]:
        """Somebody buys less than a 64th of what is offered, so that others find no trade left."""
        for number, offered in self.for_sale():
            least = -(-offered // 64)
            if 1 < least <= offered - self.records.sold[number]:
                for name in HOUSEHOLDS:
                    if self.can_trade(name) and self.prosumer(number) != name:
                        yield Attack(Call("buy_surplus", (number, least - 1), name), "surplus: volume too small")

    def wash_traders(self) -> Iterator[Attack]:
        """A prosumer trades with itself."""
        for number, status in sorted(self.records.statuses.items()):
            name = self.prosumer(number)
            if not self.can_trade(name):
                continue
            if status == VALID and self.phase_of(number) == BIDDING:
                yield Attack(Call("submit_bid", (number, bytes(32)), name), "bids: own quote")
            if status == MATCHED and self.phase_of(number) & (MATCHING | METERING):
                yield Attack(Call("buy_surplus", (number, 1), name), "surplus: own quote")

    def usurpers(self) -> Iterator[Attack]:
        """Somebody else does what only the owner, or only the named successor, may do."""
        for name in (*OUTSIDERS, *HOUSEHOLDS, NEWCOMER):
            if self.lockstep.address(name) != self.records.owner:
                for call in (
                    Call("authorize", (name, MAX_CAPACITY), name),
                    Call("authorize", (NEWCOMER, CAPACITY), name),
                    Call("revoke", (HOUSEHOLDS[0],), name),
                    Call("transfer_ownership", (name,), name),
                ):
                    yield Attack(call, "ownable: caller is not the owner")
            if self.lockstep.address(name) != self.records.pending:
                yield Attack(Call("accept_ownership", (), name), "ownable_2step: caller is not the new owner")

    def early_settlers(self) -> Iterator[Attack]:
        """Somebody else settles while that is the owner's; what has nothing to settle only where all has nothing."""
        places = [(name, period) for name, period in self.places() if self.phase(period) == SETTLING]
        due = [place for place in places if self.is_due(*place)]
        for sender in (STRANGER, "supplier", *HOUSEHOLDS):
            if self.lockstep.address(sender) == self.records.owner:
                continue
            for number, status in sorted(self.records.statuses.items()):
                if status == MATCHED and self.phase_of(number) == SETTLING:
                    yield Attack(Call("settle_quote", (number,), sender), "settlement: owner only")
            for place in due or places:
                yield Attack(Call("settle_account", place, sender), "settlement: owner only")

    def meddlers(self) -> Iterator[Attack]:
        """Somebody withdraws another's quote."""
        for number in sorted(self.records.terms):
            for name in ("owner", STRANGER, *HOUSEHOLDS):
                if name != self.prosumer(number):
                    valid = self.records.statuses.get(number) == VALID
                    reason = "quotes: not the prosumer" if valid else "quotes: not valid"
                    yield Attack(Call("invalidate_quote", (number,), name), reason)

    def greedy_owners(self) -> Iterator[Attack]:
        """The owner takes more than it has, settles before its time, twice, or what there is not."""
        owner = self.name(self.records.owner)
        account = self.look().accounts[self.records.owner]
        if account.grid_account >= 0:
            beyond = account.balance + account.grid_account + 1
            for amount in (beyond, beyond + self.look().tokens, 2**256 - 1):
                yield Attack(Call("withdraw", (amount,), owner), "ledger: insufficient balance")
                yield Attack(Call("withdraw_at_least", (amount, 0), owner), "ledger: insufficient balance")
            for least in (account.balance + 1, self.look().tokens + 1, 2**256 - 1):
                beyond = Call("withdraw_at_least", (account.balance, least), owner)
                yield Attack(beyond, "ledger: token moved another amount")
        for number, status in sorted(self.records.statuses.items()):
            if status == MATCHED and not self.phase_of(number) & (SETTLING | CLOSING):
                yield Attack(Call("settle_quote", (number,), owner), "clock: wrong phase")
            if status == VALID:
                yield Attack(Call("settle_quote", (number,), owner), "quotes: not matched")
        for name, period in self.places():
            user = self.lockstep.address(name)
            call = Call("settle_account", (name, period), owner)
            if not self.phase(period) & (SETTLING | CLOSING):
                yield Attack(call, "clock: wrong phase")
            elif (user, period) not in self.records.settled:
                if (user, period) not in self.records.readings and not self.records.bought.get((user, period)):
                    yield Attack(call, "settlement: nothing to settle")
                elif self.records.is_open(user, period):
                    yield Attack(call, "settlement: quotes still open")

    def squatters(self) -> Iterator[Attack]:
        """Somebody registers with a pairing that its meter did not sign for it, here."""
        lockstep = self.lockstep
        for name in (NEWCOMER, STRANGER):
            if lockstep.address(name) in self.records.registered:
                continue
            other = STRANGER if name == NEWCOMER else NEWCOMER
            profile = name.encode().ljust(32, b".")
            wrong = (
                lockstep.pairing(other, profile, meter_of=UNPAIRED),
                lockstep.pairing(name, bytes(32), meter_of=UNPAIRED),
                lockstep.pairing(name, profile, meter_of=other),
                lockstep.pairing(name, profile, meter_of=UNPAIRED, chain=lockstep.chain + 1),
                lockstep.pairing(name, profile, meter_of=UNPAIRED, market=str(lockstep.token.address)),
            )
            for signed in wrong:
                call = Call("register", (profile, lockstep.meter(UNPAIRED), signed), name)
                yield Attack(call, "accounts: wrong meter")

    def meter_thieves(self) -> Iterator[Attack]:
        """A meter that serves a user already is paired again, or a user takes another meter."""
        for name in (NEWCOMER, STRANGER, "owner"):
            if self.lockstep.address(name) not in self.records.registered:
                for victim in HOUSEHOLDS:
                    yield Attack(self.registration(name, meter_of=victim), "accounts: meter already paired")
                nobody = self.registration(name)._replace(args=(bytes(32), ZERO, b"\1" * 65))
                yield Attack(nobody, "accounts: meter is zero")
        yield Attack(self.registration(HOUSEHOLDS[0], meter_of=UNPAIRED), "accounts: already registered")
        yield Attack(self.registration("supplier", meter_of=UNPAIRED), "accounts: supplier cannot register")

    # ---- the same again ------------------------------------------------------------------

    def second_bids(self) -> Iterator[Attack]:
        """A consumer bids on a quote again, whether its first bid was copied or its own."""
        for number, user in sorted(self.records.bids):
            is_open = self.phase_of(number) == BIDDING and self.records.statuses.get(number) == VALID
            if is_open and self.can_trade(self.name(user)):
                yield Attack(Call("submit_bid", (number, b"\2" * 32), self.name(user)), "bids: already bid")

    def second_quotes(self) -> Iterator[Attack]:
        """A prosumer quotes for a period again, whether its first quote stands or was withdrawn."""
        for user, period in sorted(self.records.quoted):
            if self.phase(period) == BIDDING and self.can_trade(self.name(user)):
                price = self.lockstep.tariff.highest_price
                yield Attack(Call("submit_quote", (period, 1, price), self.name(user)), "quotes: already quoted")

    def second_matchings(self) -> Iterator[Attack]:
        """A quote is matched again."""
        for number, status in sorted(self.records.statuses.items()):
            if status in (MATCHED, SETTLED):
                yield Attack(Call("match_bids", (number,), STRANGER), "quotes: not valid")

    def second_settlements(self) -> Iterator[Attack]:
        """A quote is settled again."""
        for number, status in sorted(self.records.statuses.items()):
            if status == SETTLED:
                for name in ("owner", self.name(self.records.owner), self.prosumer(number)):
                    yield Attack(Call("settle_quote", (number,), name), "quotes: not matched")

    def second_accounts(self) -> Iterator[Attack]:
        """An account is settled again."""
        for user, period in sorted(self.records.settled):
            if not self.phase(period) & (SETTLING | CLOSING):
                continue
            sender = self.records.owner if self.phase(period) == SETTLING else user
            yield Attack(Call("settle_account", (user, period), self.name(sender)), "settlement: already settled")

    # ---- the raid ------------------------------------------------------------------------

    def kinds(self) -> dict[str, Callable[[], Iterator[Attack]]]:
        """Every kind of attack."""
        return {
            "stranger": self.strangers,
            "revoked": self.revoked,
            "debtor": self.debtors,
            "thief": self.thieves,
            "claimer": self.claimers,
            "replayer": self.replayers,
            "forger": self.forgers,
            "spoiler": self.spoilers,
            "broken meter": functools.partial(self.broken_meters, HOSTILE[:-3]),
            "writing meter": functools.partial(self.broken_meters, HOSTILE[-3:-1]),
            "prying meter": functools.partial(self.broken_meters, HOSTILE[-1:]),
            "outsider": self.outsiders,
            "shrinker": self.shrinkers,
            "overreacher": self.overreachers,
            "late buyer": self.late_buyers,
            "crumb buyer": self.crumb_buyers,
            "wash trader": self.wash_traders,
            "usurper": self.usurpers,
            "early settler": self.early_settlers,
            "meddler": self.meddlers,
            "greedy owner": self.greedy_owners,
            "squatter": self.squatters,
            "meter thief": self.meter_thieves,
            "second bid": self.second_bids,
            "second quote": self.second_quotes,
            "second matching": self.second_matchings,
            "second settlement": self.second_settlements,
            "second account": self.second_accounts,
        }

    def raid(self, turn: int) -> None:
        """One attack of each kind that could be tried now; `turn` says which."""
        for kind, attacks in self.kinds().items():
            if choice := list(attacks()):
                self.attempt(kind, choice[turn % len(choice)])

    def attempt(self, kind: str, attack: Attack) -> None:
        """Tries an attack, and judges what came of it."""
        call = attack.call
        self.judge(kind, attack.reason, self.do(call.function, *call.args, sender=call.sender))

    def judge(self, kind: str, reason: str, outcome: Outcome) -> None:
        """An attack must have been refused for its reason."""
        failed = not outcome.accepted and outcome.reason == reason
        tried = {"kind": kind, "call": self.lockstep.trace.last, "reason": outcome.reason, "expected": reason}
        match kind:
            case "stranger":
                holds("C4-ATTACK-1", failed, **tried)
            case "revoked":
                holds("C4-ATTACK-2", failed, **tried)
            case "debtor":
                holds("C4-ATTACK-3", failed, **tried)
            case "thief" | "claimer":
                holds("C4-ATTACK-4", failed, **tried)
            case "replayer":
                holds("C4-ATTACK-5", failed, **tried)
            case "forger":
                holds("C4-ATTACK-6", failed, **tried)
            case "spoiler":
                holds("C4-ATTACK-7", failed, **tried)
            case "broken meter":
                holds("C4-METER-2", failed, **tried)
            case "writing meter":
                holds("C4-METER-5", failed, **tried)
            case "prying meter":
                holds("C4-METER-4", failed, **tried)
            case "wash trader":
                holds("C4-ATTACK-8", failed, **tried)
            case "usurper":
                holds("C4-ATTACK-9", failed, **tried)
            case "early settler":
                holds("C4-ATTACK-10", failed, **tried)
            case "meddler":
                holds("C4-ATTACK-11", failed, **tried)
            case "greedy owner":
                holds("C4-ATTACK-12", failed, **tried)
            case "squatter":
                holds("C4-ATTACK-13", failed, **tried)
            case "meter thief":
                holds("C4-ATTACK-14", failed, **tried)
            case "outsider":
                holds("C4-ATTACK-15", failed, **tried)
            case "shrinker":
                holds("C4-ATTACK-16", failed, **tried)
            case "overreacher":
                holds("C4-ATTACK-17", failed, **tried)
            case "late buyer":
                holds("C4-ATTACK-18", failed, **tried)
            case "crumb buyer":
                holds("C4-ATTACK-19", failed, **tried)
            case "second bid":
                holds("C4-ONCE-1", failed, **tried)
            case "second quote":
                holds("C4-ONCE-2", failed, **tried)
            case "second matching":
                holds("C4-ONCE-3", failed, **tried)
            case "second settlement":
                holds("C4-ONCE-4", failed, **tried)
            case "second account":
                holds("C4-ONCE-5", failed, **tried)
