"""Random histories of a market on the model, block by block, as a watcher hands them to the store; with forks.

Periods last a day, so that the market's rings are short and much of what it keeps is overwritten.
"""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

from tests.support.modelled import address_of, hash_of, record
from wattproof.chain.record import Record
from wattproof.market.seals import seal_of
from wattproof.market.tariff import Tariff
from wattproof.store.records import Alarm, BlockRef, CallRow, EventRow, State, Watched
from wattproof.terms.model import Market, Phase, Refused, Signature, Token

TARIFF = Tariff(period_length=86_400, window=7_200)
START = 86_400 * 20_000
SALT = bytes(32)
_fork_numbers = itertools.count(1)

USERS = tuple(address_of(f"user {number}") for number in range(5))


def told() -> Record:
    """The market that is played on."""
    return record(TARIFF)


class History:
    """`blocks` made so far; `grow` makes more, and, where it has `forks`, `cut` takes some back."""

    def __init__(self, seed: int, forks: bool = False) -> None:
        self._random, self._forks = random.Random(seed), forks
        market = Market(
            owner=address_of("owner"),
            supplier=address_of("supplier"),
            **vars(TARIFF),
            token=Token(address_of("token")),
            address=address_of("market"),
            seal_function=lambda content: seal_of(*content),
        )
        self.market, self.now, self._fork = market, START, 0
        self._saved: list[tuple[Market, int]] = []
        self.blocks: list[Watched] = []
        self._block([call for user in (*USERS, market.supplier) for call in self._joins(user)])

    def grow(self, count: int) -> list[Watched]:
        """So many more blocks."""
        before = len(self.blocks)
        for _ in range(count):
            if self._random.random() < 0.6:
                self.now = self._next_phase()
            calls = self._random.choice((0, 1, 4, 12))
            self._block([self._call() for _ in range(calls)])
        return self.blocks[before:]

    def play(self, second: int, *calls: tuple[str, str, tuple[Any, ...]]) -> None:
        """One block more, of these calls: sender, function, arguments. All have to be accepted."""
        self.now = second
        self._block(list(calls))
        refused = [call for call in self.blocks[-1].calls if not call.accepted]
        assert not refused, refused

    def reading(self, user: str, period: int, exported: int, imported: int) -> tuple[str, str, tuple[Any, ...]]:
        """The call that hands a reading in, signed by its meter."""
        message = self.market.reading_message(user, period, exported, imported)
        signature = Signature("ok", self.market.account(user).meter, message)
        return user, "submit_reading", (user, period, exported, imported, signature)

    def cut(self, length: int) -> None:
        """Takes back all but the first `length` blocks."""
        market, self.now = self._saved[length - 1]
        self.market = copy.deepcopy(market)
        del self.blocks[length:], self._saved[length:]
        self._fork = next(_fork_numbers)

    def _next_phase(self) -> int:
        """Just after something begins next: a period, a window after its start or before its end."""
        day, window = TARIFF.period_length, TARIFF.window
        begins = (window, 2 * window, day - 2 * window, day - window, day)
        into = self.now % day
        return self.now - into + next(second for second in begins if second > into) + self._random.randrange(600)

    # ---- calls ---------------------------------------------------------------------------

    def _joins(self, user: str) -> list[tuple[str, str, tuple[Any, ...]]]:
        self.market.token.mint(user, 10**24)
        self.market.token.approve(user, self.market.address, 10**24)
        made: list[tuple[str, str, tuple[Any, ...]]] = [(user, "deposit", (10**23,))]
        if user != self.market.supplier:
            meter, profile = address_of(f"meter of {user}"), b"\7" * 32
            signature = Signature("ok", meter, self.market.pairing_message(user, profile))
            made.append((user, "register", (profile, meter, signature)))
            made.append((self.market.owner, "authorize", (user, 5_000)))
        return made

    def _call(self) -> tuple[str, str, tuple[Any, ...]]:
        """A call that may be accepted, drawn for a period that is near."""
        pick, market = self._random, self.market
        user = pick.choice(USERS)
        period = self.now // TARIFF.period_length + pick.choice((-14, -2, -1, -1, 0, 0, 1, 1))
        quotes = [number for number, quote in market.quotes.items() if quote.period == period and quote.is_open] or [1]
        quote_id, phase = pick.choice(quotes), market.phase(period, self.now)
        if phase == Phase.REVEALING and quote_id in market.quotes:
            user = pick.choice([*market.quotes[quote_id].bids, user])
        price = TARIFF.lowest_price + (2 + (quote_id + USERS.index(user)) % 3) * 10**13
        owner, luck = market.owner, pick.random()
        if luck < 0.06:
            return pick.choice([(user, "deposit", (10**18,)), (user, "withdraw", (10**17,)), (user, "clear", (user,))])
        if luck < 0.065:
            return owner, "revoke", (user,)
        if not market.account(user).authorized:
            return owner, "authorize", (user, 5_000 + pick.randrange(3))
        if phase == Phase.BIDDING:
            offer = (period, pick.randrange(400, 2_000), TARIFF.lowest_price + pick.randrange(3) * 10**13)
            seal = (quote_id, market.seal_of(quote_id, user, price, 300, SALT))
            quote = (user, "submit_quote", offer)
            own = market.quote_of(user, period)
            return pick.choice([quote, quote, *[(user, "submit_bid", seal)] * 5, (user, "invalidate_quote", (own,))])
        if phase == Phase.REVEALING:
            return user, "reveal_bid", (quote_id, price, 300, SALT)
        if phase in (Phase.MATCHING, Phase.DELIVERING):
            return pick.choice([(user, "match_bids", (quote_id,)), (user, "buy_surplus", (quote_id, 100))])
        if phase == Phase.METERING:
            return pick.choice(
                [
                    self.reading(user, period, pick.randrange(2_500), pick.choice((0, 100, 300, 600))),
                    (user, "buy_surplus", (quote_id, 100)),
                ]
            )
        quote = pick.choice([(user, "match_bids", (quote_id,)), *[(owner, "settle_quote", (quote_id,))] * 4])
        account = pick.choice([(owner, "settle_account", (user, period)), (owner, "settle_accounts", (period, USERS))])
        return quote if pick.random() < 0.7 else account

    # ---- blocks --------------------------------------------------------------------------

    def _block(self, wanted: list[tuple[str, str, tuple[Any, ...]]]) -> None:
        number = len(self.blocks) + 1
        calls: list[CallRow] = []
        events: list[EventRow] = []
        for index, (sender, function, arguments) in enumerate(wanted):
            transaction, reason, result = hash_of(f"{self._fork} {number} {index}"), None, None
            said: list[Any] = []
            try:
                result = getattr(self.market, function)(*arguments, sender=sender, now=self.now)
                said = self.market.events
            except Refused as refused:
                reason = refused.reason
            shown = {f"argument_{at}": value for at, value in enumerate(arguments) if type(value) in (int, str, bytes)}
            calls.append(CallRow(index, transaction, sender, sender, function, shown, reason is None, reason, result,
                                 "transaction"))  # fmt: skip
            events += [EventRow(len(events) + at, transaction, index, *event) for at, event in enumerate(said)]
        parent = self.blocks[-1].block.hash if self.blocks else hash_of("block 0")
        block = BlockRef(number, hash_of(f"{self._fork} block {number} {self.now}"), parent, self.now)
        alarms = [Alarm("C9-TEST-1", "something", "a story", "a.line()")] if self._random.random() < 0.05 else []
        checks = {"C1-MONEY-1": 1, "C2-TEST-1": len(calls)} if calls else {"C1-MONEY-1": 1}
        snapshot = f"after {block.hash}".encode() if number % 3 == 0 else None
        self.blocks.append(Watched(block, calls, events, self._state(events), alarms, checks, snapshot))
        if self._forks:
            self._saved.append((copy.deepcopy(self.market), self.now))

    def _state(self, events: list[EventRow]) -> State:
        """What the events touched, as the views tell it at the end of the block."""
        market = self.market
        fields = [event.fields for event in events]
        touched = {each["quote_id"] for each in fields if "quote_id" in each}
        periods = {each["period"] for each in fields if "period" in each}
        pairs = {(each["user"], each["period"]) for each in fields if "user" in each and "period" in each}
        bids: set[tuple[int, str]] = set()
        for number in touched:
            if quote := market.quotes.get(number):
                periods.add(quote.period)
                bids |= {(number, bidder) for bidder in quote.bids}
                parties = {quote.prosumer, *(trade.buyer for trade in quote.trades), *quote.opened}
                pairs |= {(party, quote.period) for party in parties}
        return State(
            accounts={user: market.account(user) for user in (*USERS, market.owner, market.supplier)} if events else {},
            quotes={number: market.quote(number) for number in sorted(touched)},
            bids={key: market.bid(*key) for key in sorted(bids)},
            trades={number: market.trades(number) for number in sorted(touched)},
            readings={pair: market.reading(*pair) for pair in sorted(pairs)},
            positions={pair: market.position(*pair) for pair in sorted(pairs)},
            totals={period: (market.supply(period), market.demand(period)) for period in sorted(periods)},
        )
