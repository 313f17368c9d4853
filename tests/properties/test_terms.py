"""Criterion 2: the code is the terms, compiled. Lockstep with the model over every entry point, valid and invalid.

On top of the sensible calls of every machine, this one makes any call with anything: each entry point with each
argument drawn from what exists, what almost exists and the ends of its type. Whatever the contract then does, the
model must do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boa
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.machine import EVERYBODY, Call, MarketMachine, around, move
from verification.harness import presets
from verification.harness.choices import Choose
from verification.harness.counters import holds
from verification.harness.lockstep import CAPACITY, HOUSEHOLDS, NEWCOMER, START, STRANGER
from verification.harness.meter_contracts import DEVICE
from wattproof.market.abi import revert_reason, word
from wattproof.market.deployment import Tariff, deploy, deployer
from wattproof.market.symbolic import FORMS, HOSTILE, Signed
from wattproof.terms import model
from wattproof.terms.model import Phase

ENTRY_POINTS = (
    *("clear", "deposit", "withdraw", "withdraw_at_least", "authorize", "revoke"),
    *("transfer_ownership", "transfer_ownership", "accept_ownership", *("register",) * 4),
    *(
        "submit_quote",
        "invalidate_quote",
        "submit_bid",
        "odd seal",
        "odd seal",
        "reveal_bid",
        "match_bids",
        "buy_surplus",
    ),
    *("submit_reading", "settle_quote", "settle_account", "submit_readings", "settle_accounts", "settle_accounts"),
)
ENERGIES = (0, 1, 20, 100, CAPACITY, CAPACITY + 1, 2**24, 2**256 - 1)
SEALS = (bytes(32), b"\xff" * 32, word(1 << 96 | 7), word(2**177), word(2**178))
"""Seals that hide nothing: the ends, and what a market that packs its records might take for an opened bid."""
MAX = 2**256 - 1
ZERO = "0x" + 40 * "0"
OWNERS = ("owner", "owner", "sunny", "stranger", "supplier")


def number(choose: Choose, *near: int) -> int:
    """A number at or next to `near`, zero, one, or an end of a type that the market checks."""
    return choose.one([*around(*near), 0, 1, CAPACITY, 2**24 - 1, 2**24, 2**96, 2**255, MAX])


class Terms(MarketMachine):
    """Contract and model agree on everything that comes of any call."""

    strict = True
    preset_names = (
        *("fresh", "no fee", "dear", "poor", "narrow", "by price"),
        *("experienced", "waivers", "arrears", "full book", "arrears", "narrow", "worn", "packed"),
    )

    def a_quote(self, choose: Choose) -> int:
        """A quote that exists or almost does."""
        count = self.lockstep.model.quote_count()
        return choose.one([*range(1, count + 1)] * 4 + [0, count + 1, MAX])

    def a_period(self, choose: Choose) -> int:
        """A period in play, one beside them, one at the horizon, or an impossible one."""
        lockstep = self.lockstep
        length = lockstep.tariff.period_length
        horizon = (lockstep.now + 7 * 86_400) // length
        return choose.one([*lockstep.periods * 4, lockstep.periods[0] - 1, horizon, horizon + 1, 0, MAX // length, MAX])

    def a_signature(self, choose: Choose, kind: str, name: str, fields: tuple[Any, ...]) -> Signed:
        """A signature over `fields`, or one that is wrong in one respect."""
        lockstep = self.lockstep
        right = Signed(lockstep.key(name), kind, fields, lockstep.target, lockstep.chain)
        wrong = choose.number(0, 15)
        match wrong:
            case 1:
                return replace(right, meter="rainy" if name != "rainy" else "sunny")
            case 2:
                return replace(right, chain=lockstep.chain + 1)
            case 3:
                return replace(right, market=str(lockstep.token.address))
            case 4:
                return replace(right, fields=(lockstep.address(STRANGER), *fields[1:]))
            case 5 | 6 | 7 | 8:
                return replace(right, form=FORMS[wrong - 4])
            case 9 | 10:
                return replace(right, form=choose.one(HOSTILE))
            case 11:
                return replace(right, meter=name + DEVICE)  # which some code may stand for
        return right

    def draw_registration(self, choose: Choose) -> Call:
        who = choose.one((NEWCOMER, NEWCOMER, "mild", STRANGER, "owner", "sunny", "supplier"))
        paired = choose.one((NEWCOMER, NEWCOMER, "mild", "cloudy"))
        profile = choose.one((who.encode().ljust(32, b"."), bytes(32)))
        signed = self.a_signature(choose, "Pairing", paired, (self.lockstep.address(who), profile))
        address = ZERO if choose.number(0, 6) == 6 else self.lockstep.meter(paired)
        return Call("register", (profile, address, signed), who)

    def draw_wild(self, choose: Choose) -> Call:
        """Any entry point with anything."""
        t = self.lockstep.tariff
        # Else hardly any history would see a handover end.
        awaited = ("accept_ownership",) * 6 if self.lockstep.model.pending_owner != ZERO else ()
        function = choose.one((*ENTRY_POINTS, *awaited))
        anybody = choose.one(EVERYBODY)
        trader = choose.one((*HOUSEHOLDS, *HOUSEHOLDS, NEWCOMER, STRANGER, "supplier"))
        match function:
            case "authorize":
                present = self.lockstep.model.account(self.lockstep.address(anybody)).capacity
                return Call(function, (anybody, self.draw_capacity(choose, present)), choose.one(OWNERS))
            case "revoke":
                return Call(function, (anybody,), choose.one(OWNERS))
            case "transfer_ownership":
                owner = self.lockstep.names[self.lockstep.model.owner]
                return Call(function, (choose.one((STRANGER, "owner", "sunny", ZERO)),), choose.one((owner, *OWNERS)))
            case "accept_ownership":
                successor = self.lockstep.names.get(self.lockstep.model.pending_owner)
                return Call(function, (), successor if successor and choose.yes() else anybody)
            case "deposit" | "withdraw":
                return Call(function, (number(choose, 1000),), anybody)
            case "withdraw_at_least":
                return Call(function, (number(choose, 1000), number(choose, 1000)), anybody)
            case "clear":
                return Call(function, (trader,), anybody)
            case "submit_quote":
                price = number(choose, t.lowest_price, t.highest_price)
                return Call(function, (self.a_period(choose), number(choose, 1, 1000), price), trader)
            case "invalidate_quote":
                return Call(function, (self.a_quote(choose),), trader)
            case "match_bids" | "settle_quote":
                return Call(function, (self.a_quote(choose),), anybody)
            case "submit_bid":
                return Call(function, (self.a_quote(choose), choose.one(SEALS)), trader)
            case "buy_surplus":
                return Call(function, (self.a_quote(choose), number(choose, 1, 10)), trader)
            case "settle_account":
                return Call(function, (trader, self.a_period(choose)), anybody)
            case "register":
                return self.draw_registration(choose)
            case "submit_reading":
                return self.draw_odd_reading(choose)
            case "submit_readings":
                return self.draw_readings(choose)
            case "settle_accounts":
                return self.draw_accounts(choose)
            case "reveal_bid":
                return self.draw_odd_reveal(choose)
        return self.draw_odd_seal(choose)

    def draw_odd_reading(self, choose: Choose) -> Call:
        """A reading that may be of anybody, for any period, of any size, with any signature."""
        metering = [period for period in self.lockstep.periods if self.lockstep.phase(period) == Phase.METERING]
        period = choose.one(metering) if metering and choose.number(0, 3) else self.a_period(choose)
        name = choose.one((*HOUSEHOLDS, NEWCOMER))
        exported, imported = choose.one(ENERGIES), choose.one(ENERGIES)
        signed = self.a_signature(choose, "Reading", name, (self.lockstep.address(name), period, exported, imported))
        return Call("submit_reading", (name, period, exported, imported, signed), STRANGER)

    def draw_reading(self, choose: Choose) -> Call:
        """As everybody's; one in ten is odd."""
        return self.draw_odd_reading(choose) if choose.number(0, 9) == 9 else super().draw_reading(choose)

    def draw_reveal(self, choose: Choose) -> Call:
        """As everybody's; one in ten is odd."""
        return self.draw_odd_reveal(choose) if choose.number(0, 9) == 9 else super().draw_reveal(choose)

    def draw_readings(self, choose: Choose) -> Call:
        """A batch of readings of one period, good ones and bad ones mixed; the same household may come twice."""
        metering = [period for period in self.lockstep.periods if self.lockstep.phase(period) == Phase.METERING]
        period = choose.one(metering) if metering and choose.number(0, 5) else self.a_period(choose)
        entries = []
        for _ in range(choose.number(0, 5)):
            name = choose.one((*HOUSEHOLDS, NEWCOMER))
            exported, imported = choose.one((0, 1, 20, 100, 1000, 2**24)), choose.one((0, 1, 20, 100, MAX))
            fields = (self.lockstep.address(name), period, exported, imported)
            entries.append((name, exported, imported, self.a_signature(choose, "Reading", name, fields)))
        return Call("submit_readings", (period, entries), choose.one((STRANGER, "owner", "sunny")))

    def draw_accounts(self, choose: Choose) -> Call:
        """A batch of accounts of one period, whether they can be settled or not; the same one may come twice."""
        ready = [period for _, period in self.enabled.accounts]
        period = choose.one(ready) if ready and choose.number(0, 5) else self.a_period(choose)
        users = [choose.one((*HOUSEHOLDS, NEWCOMER, "supplier")) for _ in range(choose.number(0, 6))]
        return Call("settle_accounts", (period, users), choose.one(("owner", STRANGER)))

    def hand_in(self, reports: list[Call], together: bool) -> None:
        """A batch for each period, every third time that it is asked for and there is more than one reading."""
        if not together or len(reports) < 2 or len(self.lockstep.calls) % 3:
            return super().hand_in(reports, together)
        for period in sorted({call.args[1] for call in reports}):
            entries = [(name, *rest) for name, when, *rest in (call.args for call in reports) if when == period]
            self.do("submit_readings", period, entries, sender=STRANGER)

    def settle_all(self, accounts: list[tuple[str, int]], owner: str, together: bool) -> None:
        """A batch for each period, every third time that it is asked for and there is more than one account."""
        if not together or len(accounts) < 2 or len(self.lockstep.calls) % 3:
            return super().settle_all(accounts, owner, together)
        for period in sorted({period for _, period in accounts}):
            self.do("settle_accounts", period, [name for name, when in accounts if when == period], sender=owner)

    def draw_odd_reveal(self, choose: Choose) -> Call:
        """A sealed bid opened by somebody else, twice, or with something in it changed."""
        if not self.sealed:
            return Call("reveal_bid", (self.a_quote(choose), 7, 1, bytes(32)), choose.one(HOUSEHOLDS))
        place = choose.one(sorted(self.sealed))
        truth = self.reveal_call(place)
        number_, price, volume, salt = truth.args
        match choose.number(0, 4):
            case 1:
                return truth._replace(sender="rainy" if truth.sender != "rainy" else "misty")
            case 2:
                return truth._replace(args=(number_, price + 1, volume, salt))
            case 3:
                return truth._replace(args=(number_, price, volume + 1, salt))
            case 4:
                return truth._replace(args=(number_, price, volume, bytes(32)))
        return truth

    def draw_bid(self, choose: Choose) -> Call:
        """As everybody's; one in four is out of bounds."""
        if choose.number(0, 3) < 3:
            return super().draw_bid(choose)
        return self.odd_seal(choose, *choose.one(self.enabled.bids))

    def draw_batch(self, choose: Choose) -> Call:
        """As every machine's; bids one Wh larger than what is quoted, or readings out of bounds, one in eight each.

        Now and then it is a batch of readings or accounts, where one has something to do.
        """
        batches = [
            *[self.draw_readings] * bool(self.enabled.readings),
            *[self.draw_accounts] * bool(self.enabled.accounts),
        ]
        if batches and choose.yes():
            return choose.one(batches)(choose)
        call = super().draw_batch(choose)
        share, percent, *rest = call.args
        odd = choose.number(0, 7)
        share = 0 if odd == 6 else share
        percent = 2**64 if odd == 7 else percent
        return call._replace(args=(share, percent, *rest))

    def draw_odd_seal(self, choose: Choose) -> Call:
        """A bid out of bounds by anybody on any quote."""
        return self.odd_seal(choose, self.a_quote(choose), choose.one(HOUSEHOLDS))

    def odd_seal(self, choose: Choose, number_: int, name: str) -> Call:
        """A bid at or beyond one bound of price or volume: what is sealed shows only when it is opened."""
        lockstep, top = self.lockstep, self.lockstep.tariff.highest_price
        quote = lockstep.model.quote(number_)
        price, wish = quote.price, quote.volume
        odd = ((price, wish + 1), (top, wish + 1), (price, 0), (price - 1, 1), (top, wish), (top + 1, 1))
        price, wish = choose.one([(max(price, 0), wish) for price, wish in odd])
        return Call("odd seal", (number_, price, wish, lockstep.seal(number_, name, price, wish)), name)

    @move(lambda self, choose: self.draw_wild(choose), most=3)
    def anything(self, call: Call) -> None:
        """Any entry point with anything."""

    def perform(self, call: Call) -> None:
        """An odd seal is remembered like any other bid."""
        if call.function != "odd seal":
            super().perform(call)
            return
        number_, price, volume, seal = call.args
        if self.do("submit_bid", number_, seal, sender=call.sender).accepted:
            self.sealed[number_, call.sender] = (price, volume)


TestTerms = Terms.TestCase


PRICES = st.sampled_from([0, 1, 2, 6, 18, 2**95, 2**96 - 1, 2**96, MAX]) | st.integers(0, 40)
TIMES = st.sampled_from([0, 1, 600, 1800, 2**255, MAX])


@given(
    zeros=st.sampled_from([(), (), (), (0,), (1,), (0, 1)]),
    sbp=PRICES,
    ssp=PRICES,
    fee=PRICES,
    length=TIMES,
    window=TIMES,
    step=st.sampled_from([0, 1, 500, 10_000, 10_001, MAX]),
    by_price=st.booleans(),
)
def test_deployment(
    zeros: tuple[int, ...], sbp: int, ssp: int, fee: int, length: int, window: int, step: int, by_price: bool
) -> None:
    """C2-DEPLOY-1: a deployment succeeds or is refused as annex A says, with its reason."""
    parties = [str(boa.env.generate_address(name)) for name in ("token", "supplier")]
    parties = [ZERO if place in zeros else party for place, party in enumerate(parties)]
    try:
        model.Market(
            owner=str(boa.env.eoa),
            supplier=parties[1],
            sbp=sbp,
            ssp=ssp,
            service_fee=fee,
            period_length=length,
            window=window,
            priority_step=step,
            rank_by_price=by_price,
            token=model.Token(parties[0]),
        )
        wanted = None
    except model.Refused as refused:
        wanted = refused.reason
    with boa.env.anchor():
        numbers = (*(int(party, 16) for party in parties), sbp, ssp, fee, length, window, step, int(by_price))
        args = b"".join(map(word, numbers))
        _, computation = boa.env.deploy(bytecode=deployer("EnergyMarket").compiler_data.bytecode + args)
    reason = revert_reason(computation.output) if computation.is_error else None
    holds("C2-DEPLOY-1", computation.is_error == (wanted is not None), contract=reason, terms=wanted)
    holds("C2-DEPLOY-2", reason == wanted, when=wanted is not None, contract=reason, terms=wanted)


@given(
    length=st.sampled_from([1, 2, 1800, 2**63, 2**255, MAX]),
    window=st.sampled_from([1, 2, 600, 1800, 2**63, 2**255, MAX]),
    period=st.sampled_from([0, 1, 2, 3, 2**64, 2**192, MAX - 1, MAX]) | st.integers(0, 10**6),
)
def test_phase_of_any_period_on_any_clock(length: int, window: int, period: int) -> None:
    """C2-PHASE-1: around the edges of every phase, on clocks with the shortest and the longest periods and windows."""
    start, end = period * length, (period + 1) * length
    edges = (start - 2 * window, start - window, start, end, end + window, end + 2 * window)
    seconds = {START} | {edge + offset for edge in edges for offset in range(-2, 3)}
    terms = model.Market(
        owner=ZERO, supplier=STRANGER, sbp=6, ssp=18, service_fee=1, period_length=length, window=window
    )
    with boa.env.anchor():
        market = deploy(Tariff(sbp=6, ssp=18, service_fee=1, period_length=length, window=window)).market
        for second in sorted(second for second in seconds if 0 < second < 2**64):
            boa.env.timestamp = second
            seen, told = market.phase(period), terms.phase(period, second)
            holds("C2-PHASE-1", seen == told, second=second, contract=seen, terms=told)


@given(
    quote_id=st.sampled_from([0, 1, MAX]),
    price=st.sampled_from([0, 7, MAX]),
    volume=st.sampled_from([0, 1, MAX]),
    salt=st.binary(min_size=32, max_size=32),
)
def test_seal(quote_id: int, price: int, volume: int, salt: bytes) -> None:
    """C2-SEAL-1: `seal_of` answers the hash of T-BID-4, computed here without the contract."""
    lockstep = presets.prepared("fresh")
    seen = lockstep.market.seal_of(quote_id, lockstep.address("misty"), price, volume, salt)
    holds("C2-SEAL-1", seen == lockstep.seal(quote_id, "misty", price, volume, salt), contract=seen.hex())
