"""Criteria 3 and 4: storage is used again, and nobody notices but by what the terms say (T-PARTY-18 to T-PARTY-24).

Histories begin in markets that were used before: every place of the ring is full, some records are not final, and a
room is taken that the next quote would have. They come to the ring's end: what is begun in these periods takes the
places of older ones. `Worn` judges by the views and by the calls that were made, never by the model.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import boa
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.machine import Call, MarketMachine, move
from verification.harness.choices import Choose
from verification.harness.context import event
from verification.harness.counters import holds
from verification.harness.enabled_actions import EnabledActions
from verification.harness.lockstep import HOUSEHOLDS, STRANGER, TARIFF, Lockstep
from verification.harness.state import Observation
from verification.harness.summary import EARLIER
from verification.harness.worn import RING, ROOMS
from wattproof.market.deployment import deploy
from wattproof.market.symbolic import salt_of
from wattproof.market.trace import Outcome
from wattproof.terms.model import Phase, QuoteStatus

VALID, MATCHED = 1, 4
BEGINNINGS = ("submit_quote", "reveal_bid", "buy_surplus", "submit_reading")
"""The calls that begin the record of a user and period where there is none."""

Place = tuple[str, int]
"""A user's address and a period."""


def is_there(seen: Observation, place: Place) -> bool:
    """Whether anything is told of a user and period."""
    return bool(any(seen.positions[place]) or any(seen.readings[place]) or seen.quote_of[place])


def is_final(seen: Observation, place: Place) -> bool:
    """Whether nothing follows any more from what is told of a user and period (T-PARTY-20)."""
    row = seen.positions[place]
    return bool(row.settled) or not (seen.readings[place].present or row.bought or row.open)


class Ahead(EnabledActions):
    """What there is to do but for what lies in the way: that is a move of its own."""

    @functools.cached_property
    def matches(self) -> list[int]:
        """Quotes of the periods ahead that can be matched."""
        return [number for number in super().matches if self.is_ahead(self.market.quote(number).period)]

    @functools.cached_property
    def settlements(self) -> list[int]:
        """Quotes of the periods ahead that can be settled."""
        return [number for number in super().settlements if self.is_ahead(self.market.quote(number).period)]

    @functools.cached_property
    def accounts(self) -> list[tuple[str, int]]:
        """Accounts of the periods ahead that can be settled."""
        return [(name, period) for name, period in super().accounts if self.is_ahead(period)]

    def is_ahead(self, period: int) -> bool:
        """Whether no later period that is in play has the place of this one."""
        return not {period + RING, period + 2 * RING} & set(self.lockstep.periods)


class Worn(MarketMachine):
    """A market whose places and rooms were all used before."""

    preset_names = ("worn", "worn", "worn", "worn", "crowded", "packed", "familiar")

    def opened(self) -> None:
        """Takes down from the calls of the preset what was begun in it."""
        self.begun_places: set[Place] = set()
        self.sealed_bids: set[tuple[int, str]] = set()
        self.quoted: dict[int, int] = {}
        """The period of every quote, by its ID."""
        self.dealt: set[tuple[int, str]] = set()
        """Who opened a bid on which quote, or purchased from it."""
        self.quoted_by: dict[int, str] = {}
        self.sold_out: set[Place] = set()
        """Whose quote for which period was settled."""
        self.gone: set[Place] = set()
        self.gone_quotes: set[int] = set()
        for _, function, args, sender, outcome in self.lockstep.calls:
            self.note(function, args, sender, outcome)
        self.inspect(self.lockstep.observe())

    def note(self, function: str, args: tuple[Any, ...], sender: str, outcome: Outcome) -> None:
        """Writes down what an accepted call began; people are addresses."""
        match function if outcome.accepted else None:
            case "submit_quote":
                self.begun_places.add((sender, args[0]))
                self.quoted[outcome.result or 0], self.quoted_by[outcome.result or 0] = args[0], sender
            case "submit_bid":
                self.sealed_bids.add((args[0], sender))
            case "reveal_bid" | "buy_surplus":
                self.begun_places.add((sender, self.quoted[args[0]]))
                self.dealt.add((args[0], sender))
            case "submit_reading":
                self.begun_places.add((args[0], args[1]))
            case "settle_quote":
                self.sold_out.add((self.quoted_by[args[0]], self.quoted[args[0]]))
            case "submit_readings":
                taken = outcome.result or 0
                self.begun_places |= {(user, args[0]) for n, (user, *_) in enumerate(args[1]) if taken >> n & 1}

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """Looks at the whole state before and after a call."""
        before = self.lockstep.observe()
        outcome = super().act(function, args, sender)
        resolved, who = tuple(self.lockstep.resolved(args)), self.lockstep.address(sender)
        if outcome.accepted:
            self.note(function, resolved, who, outcome)
            after = self.lockstep.observe()
            self.judge(before, after)
            self.inspect(after)
        elif function in BEGINNINGS:
            self.judge_refusal(Call(function, args, sender), self.place(function, resolved, who), outcome, before)
        return outcome

    def place(self, function: str, args: tuple[Any, ...], sender: str) -> Place:
        """Whose record a call of `BEGINNINGS` would begin, and of which period."""
        match function:
            case "submit_quote":
                return sender, args[0]
            case "submit_reading":
                return args[0], args[1]
        return sender, self.quoted.get(args[0], 0)

    @property
    def enabled(self) -> EnabledActions:
        """What there is to do just now, but for what lies in the way."""
        if self._enabled is None or not self._enabled.holds_for(self.lockstep, self.sealed):
            self._enabled = Ahead(self.lockstep, self.sealed)
        return self._enabled

    # ---- what lies in the way --------------------------------------------------------------------

    def left_over(self) -> list[Call]:
        """The calls by which anybody makes final what lies in the way."""
        now, ahead = EnabledActions(self.lockstep, self.sealed), self.enabled
        calls = [Call("match_bids", (number,), STRANGER) for number in now.matches if number not in ahead.matches]
        calls += [
            Call("settle_quote", (number,), STRANGER) for number in now.settlements if number not in ahead.settlements
        ]
        return calls + [Call("settle_account", each, STRANGER) for each in now.accounts if each not in ahead.accounts]

    @move(lambda self, choose: choose.one(self.left_over()), most=8, when=lambda self: bool(self.left_over()))
    def tidy(self, call: Call) -> None:
        """Something that lies in the way of the periods ahead is matched or settled."""

    # ---- who was there before ------------------------------------------------------------------

    def had_before(self, what: set[tuple[int, str]], number: int, name: str) -> bool:
        """Whether somebody is in `what` with the quote that lay in the room of this one before."""
        who = self.lockstep.address(name)
        return (number - ROOMS, who) in what or (number - 2 * ROOMS, who) in what

    def regulars(self) -> list[tuple[int, str]]:
        """Who could purchase from which quote, and dealt with the one that lay there before."""
        return [(number, name) for number, name in self.enabled.purchases if self.had_before(self.dealt, number, name)]

    @move(lambda self, choose: self.draw_regular(choose), most=8, when=lambda self: bool(self.regulars()))
    def buy_again(self, call: Call) -> None:
        """Who dealt with the quote that lay there before purchases from this one."""

    def draw_regular(self, choose: Choose) -> Call:
        """The least that such a purchase can be, or all that is left."""
        number, name = choose.one(self.regulars())
        left = self.lockstep.model.remaining(number, self.lockstep.now)
        return Call("buy_surplus", (number, choose.one((min(self.enabled.least(number), left), left))), name)

    def former_sellers(self) -> list[tuple[str, int]]:
        """Whose meter could report for a period in which it did not quote, but sold in one that had the same place."""
        market, address = self.lockstep.model, self.lockstep.address
        return [
            (name, period)
            for name, period in set(self.enabled.readings)
            if not market.quote_of(address(name), period)
            and any((address(name), period - turns * RING) in self.sold_out for turns in (1, 2))
        ]

    @move(lambda self, choose: self.draw_export(choose), most=8, when=lambda self: bool(self.former_sellers()))
    def export_unsold(self, call: Call) -> None:
        """Who sold in the period that had this place before exports in this one, and sold nothing of it."""

    def draw_export(self, choose: Choose) -> Call:
        """An export of which all, some or nothing could have been sold then."""
        name, period = choose.one(sorted(self.former_sellers()))
        return self.reading_call(name, period, choose.one((1, 60, 1_000)), 0)

    def latecomers(self) -> list[tuple[int, str]]:
        """Who has no bid on a quote whose bids are being opened, and had one on the quote that lay there before."""
        ready = self.enabled.quotes_in(QuoteStatus.VALID, Phase.REVEALING)
        return [
            (number, name)
            for number in ready
            for name in HOUSEHOLDS
            if self.had_before(self.sealed_bids, number, name)
            and (number, self.lockstep.address(name)) not in self.sealed_bids
        ]

    @move(
        lambda self, choose: self.opening(*choose.one(self.latecomers())),
        most=8,
        when=lambda self: bool(self.latecomers()),
    )
    def open_again(self, call: Call) -> None:
        """Who had a bid on the quote that lay there before opens one on this one, and has none."""

    def opening(self, number: int, name: str) -> Call:
        """Opens a bid that was never sealed."""
        return Call("reveal_bid", (number, self.lockstep.tariff.lowest_price, 20, salt_of(number, name)), name)

    # ---- calls about what is gone --------------------------------------------------------------

    @move(lambda self, choose: self.draw_stale(choose), most=4)
    def stale(self, call: Call) -> None:
        """A call about what was overwritten, or has another's number but for some bits."""

    def draw_stale(self, choose: Choose) -> Call:
        """As if a quote, a bid or a record were the one that lay there before, or comes after it."""
        lockstep = self.lockstep
        name, period = choose.one(HOUSEHOLDS), choose.one(lockstep.periods)
        numbers = range(max(self.lockstep.first, 1), lockstep.model.quote_count() + 1)
        recent = choose.one(numbers) if numbers else 1
        other = max(recent + choose.one((-2 * ROOMS, -ROOMS, ROOMS, 2 * ROOMS)), 1)
        price = lockstep.tariff.lowest_price
        match choose.number(0, 4):
            case 0:
                return self.opening(recent, name)
            case 1:
                return Call("settle_account", (name, period + choose.one((-RING, RING))), STRANGER)
            case 2:
                return Call("buy_surplus", (choose.one((recent, other)), 20), name)
            case 3:
                return Call("submit_bid", (other, lockstep.seal(other, name, price, 20)), name)
        return Call(choose.one(("match_bids", "settle_quote", "invalidate_quote")), (other,), name)

    def hand_in(self, reports: list[Call], together: bool) -> None:
        """A batch for each period, where it is asked for."""
        if not together:
            return super().hand_in(reports, together)
        for period in sorted({call.args[1] for call in reports}):
            entries = [(name, *rest) for name, when, *rest in (call.args for call in reports) if when == period]
            self.do("submit_readings", period, entries, sender=STRANGER)

    # ---- every accepted call -----------------------------------------------------------------

    def judge(self, before: Observation, after: Observation) -> None:
        """T-PARTY-18 to T-PARTY-20, T-QUO-17: what is no longer told was final."""
        call = self.lockstep.trace.last
        # What only had a stake, and lost it, tells nothing either; but nothing was begun at its place.
        vanished = [
            (user, period)
            for user, period in before.positions
            if is_there(before, (user, period)) and not is_there(after, (user, period))
            if (user, period + RING) in self.begun_places
        ]
        early = {place: before.positions[place] for place in vanished if not is_final(before, place)}
        holds("C4-RING-1", not early, when=bool(vanished), call=call, early=early)
        self.gone.update(vanished)
        lost = [number for number, quote in before.quotes.items() if quote.status and not after.quotes[number].status]
        still_open = {
            number: before.quotes[number] for number in lost if before.quotes[number].status in (VALID, MATCHED)
        }
        holds("C4-ROOM-1", not still_open, when=bool(before.quotes), call=call, lost=still_open)
        self.gone_quotes.update(lost)

    def inspect(self, seen: Observation) -> None:
        """T-PARTY-18, T-PARTY-22: what is told was begun by a call for it, and is not gone."""
        after = self.lockstep.trace.last
        told = {place: seen.positions[place] for place in seen.positions if is_there(seen, place)}
        wrong = {place: row for place, row in told.items() if place not in self.begun_places or place in self.gone}
        periods = set(self.quoted.values())
        strange = {p: row for p, row in seen.periods.items() if (row.supply or row.demand) and p not in periods}
        holds("C4-RING-2", not (wrong or strange), after=after, wrong=wrong, totals=strange)
        back = [number for number, quote in seen.quotes.items() if quote.status and number in self.gone_quotes]
        bids = {
            place: bid
            for place, bid in seen.bids.items()
            if bid.status and (place not in self.sealed_bids or place[0] in self.gone_quotes)
        }
        holds("C4-ROOM-2", not (back or bids), after=after, quotes=back, bids=bids)

    # ---- every refused one -------------------------------------------------------------------

    def judge_refusal(self, call: Call, place: Place, outcome: Outcome, before: Observation) -> None:
        """T-PARTY-19, T-PARTY-21, T-GUA-16: it is a record of that user that is not final, and can be settled now."""
        refused = outcome.reason == EARLIER
        user, period = place
        earlier = user, period - RING
        in_the_way = earlier in before.positions and not is_final(before, earlier)
        holds(
            "C3-RING-2", in_the_way, when=refused, call=self.lockstep.trace.last, earlier=before.positions.get(earlier)
        )
        if not refused:
            return
        event(f"in the way of {call.function}")
        with self.lockstep.branch() as branch:
            refusals = self.settle_first(branch, *earlier, before)
            again = branch.call(call.function, *call.args, sender=call.sender)
            holds("C3-RING-1", not refusals and again.reason != EARLIER, refusals=refusals, again=again.reason)

    def settle_first(self, branch: Lockstep, user: str, period: int, before: Observation) -> list[str]:
        """A stranger makes a user's record final, at this moment; returns why something was refused."""
        outcomes = []
        for number, quote in before.quotes.items():
            if quote.period != period:
                continue
            if quote.status == VALID:
                outcomes.append(branch.call("match_bids", number, sender=STRANGER))
            if quote.status in (VALID, MATCHED):
                outcomes.append(branch.call("settle_quote", number, sender=STRANGER))
        if not is_final(branch.observe(), (user, period)):
            outcomes.append(branch.call("settle_account", user, period, sender=STRANGER))
        return [outcome.reason or "" for outcome in outcomes if not outcome.accepted]


TestWorn = Worn.TestCase


DAY = 86_400
LENGTHS = st.sampled_from([1, 600, 900, 1_800, DAY // 2, DAY, 2 * DAY, 9 * DAY]) | st.integers(1, 20 * DAY)


@given(length=LENGTHS, window=LENGTHS)
def test_who_shares_a_place_is_long_over(length: int, window: int) -> None:
    """T-PARTY-22: from the number of places in the contract's code, in seconds."""
    market = deploy(replace(TARIFF, period_length=length, window=window), show=None).market
    at = len(market.compiler_data.bytecode_runtime)
    at += market.compiler_data.storage_layout["code_layout"]["clock"]["RING"]["offset"]
    places = int.from_bytes(boa.env.get_code(market.address)[at : at + 32], "big")

    # From the start of a period to a day of its CLOSING; a later one is quoted seven days before it starts.
    needed = length + 2 * window + DAY + 7 * DAY
    aligned = length > DAY or places % (DAY // length) == 0
    holds("C4-RING-3", places * length >= needed and aligned, places=places, needed=needed)
