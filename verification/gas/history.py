"""The designed history from which every figure comes: one community, period after period, each book of its own kind.

It is played twice over. The first round finds a new market, in which records are begun. The second comes exactly one
ring later and into the same rooms: the same people do the same things, so that every word that it writes is one that
the first round left there. That is the steady state, in which a market is for the rest of its life.

Nothing is random but by a fixed seed, so that the same contract gives the same gas to the last unit, on every chain.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random

from verification.gas.chain import Chain, Receipt
from verification.gas.community import CAPACITY, CREDITS, LARGEST_CAPACITY, Bid, Community, Report, Unexpected
from wattproof.market.deployment import Tariff
from wattproof.terms.model import Phase
from wattproof.terms.places import ring_length

SIZES = (10, 50, 100, 128)
"""How many revealed bids the books hold in which the size matters."""

BATCHES = (1, 20, 64)
"""How many entries the measured batches hold; 64 is the most."""

BATCH = 20
"""The most entries of a batch in the steady state."""

MAX_BIDS, MAX_TRADES = 128, 256

TARIFF = Tariff(period_length=3 * 3_600, window=600)
"""The clock of the measured market. What a call costs does not depend on it, but the length of the ring does."""

RING = ring_length(TARIFF.period_length, TARIFF.window)
"""In how many places the records of its periods lie, by turns (T-PARTY-18); windows are shorter than its periods."""

ROOMS = 64
"""How many rooms there are for quotes and their books, as long as none is needed twice (T-PARTY-18)."""

_TIME_TO_BID = 1_200
"""Seconds of BIDDING that are left at least of a period that is quoted: each call takes one."""

Key = tuple[str, int | None]
"""A line of the table: the step, and the size of the book or batch where it matters."""


@dataclass(frozen=True)
class Weight:
    """Gas and what it is made of: the transactions' base, their calldata, events, and storage less refunds."""

    gas: Fraction
    transactions: Fraction
    calldata: Fraction
    logs: Fraction
    storage: Fraction

    @classmethod
    def of(cls, receipt: Receipt) -> Weight:
        """The weight of one transaction."""
        parts = (receipt.gas, 1, receipt.calldata, receipt.log_gas, receipt.storage or 0)
        return cls(*(Fraction(part) for part in parts))

    def __add__(self, other: Weight) -> Weight:
        return Weight(*(mine + its for mine, its in zip(self._parts, other._parts, strict=True)))

    def __sub__(self, other: Weight) -> Weight:
        return Weight(*(mine - its for mine, its in zip(self._parts, other._parts, strict=True)))

    def __truediv__(self, count: int) -> Weight:
        return Weight(*(part / count for part in self._parts))

    @property
    def _parts(self) -> tuple[Fraction, ...]:
        return (self.gas, self.transactions, self.calldata, self.logs, self.storage)


def total(weights: Sequence[Weight]) -> Weight:
    """The sum of at least one weight."""
    first, *others = weights
    return sum(others, first)


@dataclass(frozen=True)
class Played:
    """A period that was played to the end: what its transactions weighed."""

    match: Weight
    settle: Weight
    everything: Weight


class History:
    """Plays the history on a chain and keeps what each step weighed.

    samples   by the key of the line: what it weighed in the steady state, and what is done only once
    fresh     the same in a new market, in which rings and rooms were never used

    `sizes` and `batches` choose the books and batches; a few small ones make a short history for a quick comparison of
    two chains. `tick` is called after every transaction of the market. `contracts` is the folder of other sources.
    """

    def __init__(
        self,
        chain: Chain,
        sizes: Sequence[int] = SIZES,
        most: int = MAX_BIDS,
        batches: Sequence[int] = BATCHES,
        tick: Callable[[], None] = lambda: None,
        contracts: Path | None = None,
    ) -> None:
        self.community = Community(chain, TARIFF, tick, contracts=contracts)
        self.samples: dict[Key, list[Weight]] = defaultdict(list)
        self.fresh: dict[Key, list[Weight]] = defaultdict(list)
        self._noted = self.samples
        self._quoted: list[tuple[int, int]] = []  # quotes of this round, and their periods
        self._sizes, self._most, self._batches = sizes, most, batches
        self._random = Random()
        self._penny = self.community.tariff.sbp // 600  # a hundredth of a penny a kWh
        self._prosumer, self._neighbour, self._defaulter = (f"prosumer {i}" for i in range(3))
        self._consumers = [f"consumer {i}" for i in range(2 * most)]
        # Who buys surplus in the full book takes a large part of it (T-SUR-11).
        wide = (self._prosumer, self._neighbour, self._defaulter, *self._consumers[most:])
        self._capacities = dict.fromkeys(self._consumers, CAPACITY) | dict.fromkeys(wide, LARGEST_CAPACITY)

    def note(self, step: str, receipt: Receipt | Weight, n: int | None = None) -> Weight:
        """Keeps what a step weighed."""
        weight = receipt if isinstance(receipt, Weight) else Weight.of(receipt)
        self._noted[step, n].append(weight)
        return weight

    def play(self) -> None:
        """The whole history, in order."""
        self._open_accounts()
        self._warm_up()
        begun = self.community.now
        first = self._round(self.fresh)
        self._fill_the_rooms(first)
        later = begun + RING * TARIFF.period_length
        if self.community.now > later:
            raise Unexpected(f"a round takes more than the {RING} periods of the ring")
        self.community.at(later)
        if self._round(self.samples) != [(quote + ROOMS, period + RING) for quote, period in first]:
            raise Unexpected("the second round is not one ring later, in the rooms of the first")

    def _round(self, noted: dict[Key, list[Weight]]) -> list[tuple[int, int]]:
        """All that is measured, once; returns the quotes and their periods."""
        self._noted, self._quoted = noted, []
        self._random.seed("the market's gas")
        books = {n: self._winners(n) for n in self._sizes}
        one = self._winners(1)
        for n, played in books.items():
            self.note("match, a winner", (played.match - one.match) / (n - 1), n)
            self.note("match, all winners", played.match, n)
            self.note("settle, a trade", (played.settle - one.settle) / (n - 1), n)
            self.note("a household's half-hour", played.everything / (n + 1), n)
        for n in self._sizes:
            self.note("match, a loser", (self._losers(n, "shuffled") - one.match) / (n - 1), n)
        # In which order bids are opened should not matter to a sort; these are the usual worst ones.
        n = self._sizes[1]
        for order in ("rising", "falling"):
            self.note("match, a loser", (self._losers(n, order) - one.match) / (n - 1), n)
        self._shortages(self._sizes[-2] if len(self._sizes) > 1 else self._sizes[0])
        self._full_book()
        self._odds_and_ends()
        return self._quoted

    def _fill_the_rooms(self, quoted: Sequence[tuple[int, int]]) -> None:
        """Quotes that are withdrawn at once, until the next one comes into the room of the first of this round."""
        following = self._period()
        for number in range(len(quoted), ROOMS):
            period, household = divmod(number, len(self._consumers))
            quote, _ = self.community.quote(self._consumers[household], following + period, 1_000, self._price())
            self.community.call("invalidate_quote", quote, sender=self._consumers[household])

    def _period(self) -> int:
        """The next period that everybody still has the time to bid for."""
        return self.community.next_period(self.community.now + _TIME_TO_BID)

    def _quote(self, prosumer: str, period: int, volume: int) -> tuple[int, Receipt]:
        """A prosumer quotes; the quote's number comes first."""
        quote, receipt = self.community.quote(prosumer, period, volume, self._price())
        self._quoted.append((quote, period))
        return quote, receipt

    # ---- the community ------------------------------------------------------------------

    def _open_accounts(self) -> None:
        community = self.community
        for name, receipt in community.receipts:
            self.note(f"deploy {name}", receipt)
        community.mint("supplier", 100 * CREDITS)
        community.call("deposit", 100 * CREDITS, sender="supplier")
        for household in (self._prosumer, self._neighbour, self._defaulter, *self._consumers):
            receipts = community.admit(household, self._capacities[household])
            both = [self.note(step, receipt) for step, receipt in zip(("register", "authorise"), receipts, strict=True)]
            self.note("register + authorise", total(both))
            community.mint(household, CREDITS)
            self.note("deposit, the first", community.call("deposit", CREDITS, sender=household))

    def _warm_up(self) -> None:
        """A period in which everybody trades for the first time: what is kept of a party is in use from then on."""
        self._random.seed("the market's gas")
        period = self._period()
        books = [
            (self._prosumer, self._book(self._consumers[: self._most])),
            (self._neighbour, self._book(self._consumers[self._most : self._most + 1])),
        ]
        quotes = [self._quote(prosumer, period, sum(bid.volume for bid in book))[0] for prosumer, book in books]
        for quote, (_, book) in zip(quotes, books, strict=True):
            for bid in book:
                self.community.bid(quote, *bid)
        self.community.to(Phase.REVEALING, period)
        for quote, (_, book) in zip(quotes, books, strict=True):
            for bid in book:
                self.community.reveal(quote, *bid)
        self.community.to(Phase.MATCHING, period)
        for quote, (_, book) in zip(quotes, books, strict=True):
            self.community.match(quote, len(book), 0)
        self.community.to(Phase.METERING, period)
        for prosumer, book in books:
            self._report(period, prosumer, book)
        self.community.to(Phase.SETTLING, period)
        for quote, (prosumer, book) in zip(quotes, books, strict=True):
            self.community.call("settle_quote", quote, sender="owner", TradeSettled=len(book), PerformanceRecorded=1)
            self._close(period, prosumer, book)

    # ---- books --------------------------------------------------------------------------

    def _price(self, bonus: int = 0) -> int:
        """The quotes' price, 9 p/kWh, and some hundredths of a penny."""
        return (900 + bonus) * self._penny

    def _book(self, bidders: Sequence[str], least: int = 300, most: int = 900) -> list[Bid]:
        """Bids of `least` to `most` Wh, in a shuffled order."""
        bids = [
            Bid(bidder, self._price(self._random.randint(1, 800)), self._random.randint(least, most))
            for bidder in bidders
        ]
        self._random.shuffle(bids)
        return bids

    def _auction(self, prosumer: str, volume: int, book: Sequence[Bid], winners: int) -> tuple[int, int, list[Weight]]:
        """Quote, bids, reveals and matching of one book; period, quote, and weights of which the last is the match."""
        community = self.community
        period = self._period()
        quote, receipt = self._quote(prosumer, period, volume)
        weights = [self.note("quote, the first of its period", receipt)]
        weights += [self.note("bid", community.bid(quote, *bid)) for bid in book]
        community.to(Phase.REVEALING, period)
        weights += [self.note("reveal", community.reveal(quote, *bid)) for bid in book]
        community.to(Phase.MATCHING, period)
        weights.append(Weight.of(community.match(quote, winners, len(book) - winners)))
        return period, quote, weights

    def _winners(self, n: int) -> Played:
        """A period of the steady state: `n` consumers and a prosumer; every bid wins, everybody keeps its word."""
        book = self._book(self._consumers[:n])
        period, quote, weights = self._auction(self._prosumer, sum(bid.volume for bid in book), book, n)
        match = weights[-1]
        self.community.to(Phase.METERING, period)
        weights += self._report(period, self._prosumer, book)
        self.community.to(Phase.SETTLING, period)
        events = {"TradeSettled": n, "PerformanceRecorded": 1}
        settle = Weight.of(self.community.call("settle_quote", quote, sender="owner", **events))
        weights += [settle, *self._close(period, self._prosumer, book)]
        return Played(match, settle, total(weights))

    def _losers(self, n: int, order: str) -> Weight:
        """A book of `n` bids of which the best takes all; the weight of its matching."""
        best = Bid(self._consumers[0], self._price(810), 2_000)
        book = [best, *self._book(self._consumers[1:n])]
        if order == "shuffled":
            self._random.shuffle(book)
        else:
            book.sort(key=lambda bid: bid.price * bid.volume, reverse=order == "falling")
        period, quote, weights = self._auction(self._prosumer, best.volume, book, 1)
        won = [bid for bid in book if bid is best]
        self._deliver(period, quote, self._prosumer, won, best.volume, TradeSettled=1, PerformanceRecorded=1)
        return weights[-1]

    def _deliver(
        self, period: int, quote: int, prosumer: str, won: Sequence[Bid], exported: int, **events: int
    ) -> Weight:
        """Readings of the prosumer and who `won`, and the settlement of its quote, which is returned; then accounts."""
        self.community.to(Phase.METERING, period)
        self.note("reading", self._read(period, Report(prosumer, exported, 0)))
        self._report(period, None, won)
        self.community.to(Phase.SETTLING, period)
        settled = Weight.of(self.community.call("settle_quote", quote, sender="owner", **events))
        self._close(period, prosumer, won)
        return settled

    # ---- readings and accounts ----------------------------------------------------------

    def _report(self, period: int, prosumer: str | None, book: Sequence[Bid]) -> list[Weight]:
        """Everybody's readings, 2 % above what was traded, in batches of at most `BATCH`."""
        exported = sum(bid.volume for bid in book) * 102 // 100
        reports = [Report(prosumer, exported, 0)] if prosumer else []
        reports += [Report(bid.bidder, 0, bid.volume * 102 // 100) for bid in book]
        return [Weight.of(self.community.read_all(period, part)) for part in _evenly(reports, BATCH)]

    def _close(self, period: int, prosumer: str, book: Sequence[Bid]) -> list[Weight]:
        """Everybody's account with the supplier, in batches of at most `BATCH`."""
        users = [prosumer, *(bid.bidder for bid in book)]
        return [
            Weight.of(self._settle_all(period, part, len(part) - (prosumer in part))) for part in _evenly(users, BATCH)
        ]

    def _settle_all(self, period: int, users: Sequence[str], performances: int) -> Receipt:
        """The owner settles many accounts in one transaction."""
        return self.community.call(
            "settle_accounts", period, list(users), sender="owner", PerformanceRecorded=performances
        )

    def _settle_account(self, period: int, user: str, sender: str = "owner", **events: int) -> Receipt:
        return self.community.call("settle_account", user, period, sender=sender, **events)

    def _read(self, period: int, report: Report) -> Receipt:
        """A household brings its meter's reading."""
        name, exported, imported = report
        return self.community.read(name, period, exported, imported, sender=name)

    # ---- what is rarer ------------------------------------------------------------------

    def _shortages(self, n: int) -> None:
        """Books on which the prosumer defaults, and then the ones in which the waivers earned are used up."""
        weights: dict[tuple[str, int], Weight] = {}
        lone = self._consumers[self._most : self._most + 1]
        # The first default of all begins a word; the second time round it is in use.
        for size, bidders in ((1, lone), (1, lone), (n, self._consumers[:n])):
            for kind, percent, event in (("short", 50, "WaiverGranted"), ("waived", 100, "WaiverUsed")):
                book = self._book(bidders)
                volume = sum(bid.volume for bid in book)
                period, quote, _ = self._auction(self._defaulter, volume, book, size)
                events = {"TradeSettled": size, "PerformanceRecorded": 1, event: size}
                exported = volume * percent // 100
                weights[kind, size] = self._deliver(period, quote, self._defaulter, book, exported, **events)
        for kind, step in (("short", "settle, a trade with a shortage"), ("waived", "settle, a trade with a waiver")):
            self.note(step, (weights[kind, n] - weights[kind, 1]) / (n - 1), n)

    def _full_book(self) -> None:
        """As many bids and trades as a quote can have, every trade with another household; batches of all sizes.

        A purchase takes a 64th of what is offered at least, or all that is left. So for the last of 64 something is
        left only where all that was sold before them is less than a 64th: small bids, a large quote, and a reading that
        is larger still. Buyers come from the other half of the community.
        """
        community, most = self.community, self._most
        book = self._book(self._consumers[:most], 20, 30)
        early, late = self._consumers[most : most + most // 2], self._consumers[most + most // 2 :]
        least = sum(bid.volume for bid in book) + 1
        volume = len(early) * least
        period, quote, weights = self._auction(self._prosumer, volume, book, most)
        self.note("match, full book", weights[-1], most)
        bought = self._buy_all(quote, early, least, volume - least + 1)

        community.to(Phase.METERING, period)
        reports = [Report(bid.bidder, 0, bid.volume + 1) for bid in book]
        rest = self._by_batches("reading, in a batch", reports, lambda part: community.read_all(period, part))
        exported = len(late) * (volume + 1)
        self.note("reading", self._read(period, Report(self._prosumer, exported, 0)))
        for report in rest:
            self.note("reading", self._read(period, report))
        # Who has nothing to do with the quote reports, too.
        self.note("reading", self._read(period, Report(self._neighbour, 0, 450)))
        bought_late = self._buy_all(quote, late, volume + 1, exported - volume)
        for part in _evenly([*bought, *bought_late], BATCH):
            community.read_all(period, part)

        community.to(Phase.SETTLING, period)
        # Far more was exported than quoted: that is no good record, and no default.
        settled = community.call("settle_quote", quote, sender="owner", TradeSettled=2 * most)
        self.note("settle, full book", settled, 2 * most)
        users = [bid.bidder for bid in book]
        rest_of_users = self._by_batches(
            "account, in a batch",
            users,
            lambda part: self._settle_all(period, part, len(part)),
        )
        by_themselves = rest_of_users[(len(rest_of_users) + 1) // 2 :]
        for user in rest_of_users[: -len(by_themselves) or None]:
            receipt = self._settle_account(period, user, PerformanceRecorded=1)
            self.note("account of a consumer", receipt)
        # All that the prosumer exported is sold, so nothing is cleared.
        self.note("account, nothing to clear", self._settle_account(period, self._prosumer))
        self.note("account without trades", self._settle_account(period, self._neighbour))
        community.to(Phase.CLOSING, period)
        for user in by_themselves:
            receipt = self._settle_account(period, user, user, PerformanceRecorded=1)
            self.note("account of a consumer, by itself", receipt)
        # Who bought before the delivery agreed to something, and kept to it.
        for buyers, performances in ((early, 1), (late, 0)):
            for users in _evenly(buyers, BATCH):
                self._settle_all(period, users, performances * len(users))

    def _buy_all(self, quote: int, buyers: Sequence[str], each: int, left: int) -> list[Report]:
        """The buyers purchase what is left of a quote: `each` as much, but the last one only the rest.

        Returns what their meters report if they use that.
        """
        reports = []
        for buyer in buyers:
            volume = min(each, left)
            self.note("purchase, the first", self.community.call("buy_surplus", quote, volume, sender=buyer))
            left -= volume
            reports.append(Report(buyer, 0, volume))
        return reports

    def _by_batches(self, step: str, entries: list, send: Callable[[list], Receipt]) -> list:
        """Notes what an entry weighs in a batch of each size from the front of `entries`; returns the rest."""
        for size in self._batches:
            part, entries = entries[:size], entries[size:]
            self.note(step, Weight.of(send(part)) / size, size)
        return entries

    def _odds_and_ends(self) -> None:
        """Second quotes, quotes withdrawn, second purchases, later deposits, withdrawals, the owner's calls."""
        community = self.community
        consumers = self._consumers[:3]
        period = self._period()
        first, _ = self._quote(self._prosumer, period, 1_000)
        second, third = (self._further(prosumer, period) for prosumer in (self._neighbour, self._defaulter))
        self.note("invalidate", community.call("invalidate_quote", third, sender=self._defaulter))
        community.to(Phase.MATCHING, period)
        for quote in (first, second):
            community.match(quote, 0, 0)
        for consumer in consumers:
            community.call("buy_surplus", first, 100, sender=consumer)
            self.note("purchase, again", community.call("buy_surplus", first, 100, sender=consumer))
        for consumer in consumers:
            community.mint(consumer, CREDITS)
            for step, function, args, sender in (
                ("deposit, a later one", "deposit", (CREDITS,), consumer),
                ("withdraw", "withdraw", (CREDITS,), consumer),
                ("clear, nothing there", "clear", (consumer,), consumer),
                ("revoke", "revoke", (consumer,), "owner"),
                ("authorise again", "authorize", (consumer, self._capacities[consumer]), "owner"),
            ):
                self.note(step, community.call(function, *args, sender=sender))
        for consumer in self._consumers[3:6]:
            community.mint(consumer, CREDITS)
            self.note("deposit, a later one", community.call("deposit", CREDITS, sender=consumer))
            self.note("withdraw at least", community.call("withdraw_at_least", CREDITS, CREDITS, sender=consumer))
        # What was taken out comes back: who deposits has minted no more than that.
        for consumer in self._consumers[:6]:
            community.approve(consumer, CREDITS)
            community.call("deposit", CREDITS, sender=consumer)
        community.to(Phase.METERING, period)
        reports = [Report(self._prosumer, 1_000, 0), Report(self._neighbour, 1_000, 0)]
        community.read_all(period, [*reports, *(Report(consumer, 0, 200) for consumer in consumers)])
        community.to(Phase.SETTLING, period)
        community.call("settle_quote", first, sender="owner", TradeSettled=6, PerformanceRecorded=1)
        community.call("settle_quote", second, sender="owner")
        self._settle_all(period, [self._prosumer, self._neighbour, *consumers], 3)

    def _further(self, prosumer: str, period: int) -> int:
        """A quote that is not the first of its period."""
        quote, receipt = self._quote(prosumer, period, 1_000)
        self.note("quote, a further one of its period", receipt)
        return quote


def _evenly(entries: Sequence, most: int) -> list[Sequence]:
    """`entries` in parts of at most `most`, as equal as possible."""
    parts = math.ceil(len(entries) / most)
    edges = [len(entries) * i // parts for i in range(parts + 1)]
    return [entries[low:high] for low, high in itertools.pairwise(edges)]
