"""The ghost ledger: what everybody signed, kept apart from contract and model; criteria 1 and 3 compute with it.

`GhostLedger` is a machine that writes down every accepted call, and nothing but its arguments: who offered what, who
opened which bid, who bought what, what each meter reported. The only thing it takes from the chain is the standing of
users (tier and waivers rest on records that are checked one by one), and that from before the call in question. Its
rule `trading_day` plays whole delivery periods, so that matching and settlement are reached in every history.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eth_utils.crypto import keccak
from hypothesis import strategies as st

from tests.properties.machine import EVERYBODY, WITHDRAWALS, Call, MarketMachine, move, payment
from verification.harness.choices import Choose
from verification.harness.context import event
from verification.harness.lockstep import HOUSEHOLDS, STRANGER
from verification.harness.state import Account, Observation, decode
from wattproof.market.abi import word
from wattproof.market.deployment import Tariff
from wattproof.market.lens import Asked
from wattproof.market.symbolic import salt_of
from wattproof.market.trace import Outcome
from wattproof.terms.model import Phase

VALID, INVALID, MATCHED, SETTLED = 1, 2, 4, 8
CREATED, RESERVED, CONFIRMED, REJECTED = 1, 2, 4, 8

NOBODY = Account(*[0] * 11)

MAX_PERIODS = 4
"""Delivery periods in a history: as many as the lens shows at a time."""

MAX_QUOTES = 12
"""Quotes in a history after which no new day begins: each eight more cost a look more."""

OVER = Phase.SETTLING | Phase.CLOSING


# ---- the rules in a few lines ----------------------------------------------------------


def stage(tariff: Tariff, period: int, now: int) -> Phase:
    """The phase of a period (T-TIME-2 to T-TIME-8): the last one whose beginning is not in the future."""
    start, end, window = period * tariff.period_length, (period + 1) * tariff.period_length, tariff.window
    begins = (start - 2 * window, start - window, start, end, end + window, end + 2 * window)
    return Phase(1 << sum(now >= second for second in begins))


def tier_of(performances: int) -> int:
    """The tier of somebody with that many good performances (T-STD-2): the thresholds double from 5 to 80."""
    return min((performances // 5).bit_length(), 5)


def collateral_of(tariff: Tariff, volume: int) -> int:
    """What a quote reserves, in base units (T-QUO-10)."""
    return volume * tariff.ssp // 10


def discounted(tariff: Tariff, volume: int, performances: int) -> int:
    """The service fee on `volume` Wh, in base units (T-STD-3, T-SET-13)."""
    return volume * tariff.service_fee * (5 - tier_of(performances)) // 5


class Deal(NamedTuple):
    """A trade: Wh at base units per Wh. `ahead`: agreed before the delivery began (T-ACC-11)."""

    buyer: str
    volume: int
    price: int
    ahead: bool


class Opened(NamedTuple):
    """An opened bid: Wh at base units per Wh."""

    bidder: str
    price: int
    volume: int


@dataclass
class Offer:
    """A quote and all that was signed upon it. Volumes in Wh, prices in base units per Wh.

    `deals` are the trades in the order made, the first `winners` of them by the matching.
    """

    prosumer: str
    period: int
    volume: int
    price: int
    status: int = VALID
    sealed: set[str] = field(default_factory=set)
    opened: list[Opened] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    winners: int = 0

    @property
    def sold(self) -> int:
        """Wh sold."""
        return sum(deal.volume for deal in self.deals)

    @property
    def won(self) -> int:
        """Wh sold by the matching."""
        return sum(deal.volume for deal in self.deals[: self.winners])

    def buyers(self) -> set[str]:
        """Who has a trade."""
        return {deal.buyer for deal in self.deals}

    def stakeholders(self) -> set[str]:
        """Whose account stays open for it (T-ACC-5)."""
        if self.status == VALID:
            return {self.prosumer} | {bid.bidder for bid in self.opened}
        return {self.prosumer} | self.buyers() if self.status == MATCHED else set()


def ranked(offer: Offer, tariff: Tariff, seen: Observation) -> list[Opened]:
    """The opened bids, best first (T-MAT-2 to T-MAT-5, T-MAT-11), by the standing in `seen`. Sorting is stable."""

    def merit(bid: Opened) -> tuple[int, int]:
        weight = 10_000 + tariff.priority_step * tier_of(seen.accounts.get(bid.bidder, NOBODY).performances)
        return bid.price * weight * (1 if tariff.rank_by_price else bid.volume), bid.volume

    return sorted(offer.opened, key=merit, reverse=True)


def parts(offer: Offer, exported: int) -> list[int]:
    """What each trade of a quote receives of an export, in Wh (T-SET-3, T-SET-4, T-SET-22).

    Who won shares pro rata; who purchased has what is left of it, in the order made.
    """
    sold, won = offer.sold, offer.won
    left = min(sold, exported)
    shared, so_far, given = min(won, left), 0, []
    for deal in offer.deals[: offer.winners]:
        before, so_far = so_far, so_far + deal.volume
        given.append(so_far * shared // won - before * shared // won)
    left -= shared
    for deal in offer.deals[offer.winners :]:
        given.append(min(deal.volume, left))
        left -= given[-1]
    return given


def served(order: list[Opened], volume: int) -> list[Deal]:
    """The trades of a matching (T-MAT-6, T-MAT-8): down the order until nothing is left."""
    deals = []
    for bid in order:
        won = min(bid.volume, volume)
        volume -= won
        if won:
            deals.append(Deal(bid.bidder, won, bid.price, True))
    return deals


def losers(opened: list[Opened], order: list[Opened], volume: int) -> list[Opened]:
    """Who wins nothing, as told (annex B): the book read from the last, one at most is out for each bid read."""
    place = {bid: number for number, bid in enumerate(order)}
    hopeful: list[Opened] = []
    out: list[Opened] = []
    wanted = 0
    for bid in reversed(opened):
        all_wanted = wanted >= volume
        bisect.insort(hopeful, bid, key=place.__getitem__)
        wanted += bid.volume
        if all_wanted and wanted - hopeful[-1].volume >= volume:
            wanted -= hopeful[-1].volume
            out.append(hopeful.pop())
    while hopeful and wanted - hopeful[-1].volume >= volume:
        wanted -= hopeful[-1].volume
        out.append(hopeful.pop())
    return out


def trades_hash(deals: list[Deal]) -> int:
    """The hash of `trades()` as the lens makes it, of a list of trades."""
    rows = (word(int(deal.buyer, 16)) + word(deal.volume) + word(deal.price) for deal in deals)
    return int.from_bytes(keccak(word(32) + word(len(deals)) + b"".join(rows)), "big")


@dataclass(frozen=True)
class Step:
    """One accepted or refused call: who called what, the views before and after it, and what came of it."""

    function: str
    args: tuple[Any, ...]
    sender: str
    before: Observation
    after: Observation
    outcome: Outcome
    foreseen: Any = None

    def named(self, name: str) -> list[dict[str, Any]]:
        """The fields of the events of that name, in order."""
        return [fields for event_name, fields in self.outcome.events if event_name == name]

    def moved(self, user: str) -> tuple[int, int, int]:
        """How free money, reserved money and invoice account of somebody changed, in base units."""
        old, new = self.before.accounts.get(user, NOBODY), self.after.accounts.get(user, NOBODY)
        return new.balance - old.balance, new.reserved - old.reserved, new.grid_account - old.grid_account

    def worth(self, user: str) -> int:
        """How free and reserved money together changed, in base units."""
        return sum(self.moved(user)[:2])


# ---- a delivery period from end to end -------------------------------------------------


class BidPlan(NamedTuple):
    """A bid of a day: `percent` of the quote's volume (0: 1 Wh), `above` the quote's price; opened or not.

    `percent` of -1: as much as the bidder's connection carries besides, of -2: a Wh more.
    """

    bidder: str
    percent: int
    above: int
    opened: bool


class Purchase(NamedTuple):
    """A purchase of a day: when, and how many percent of what is left (above 100: more than there is).

    `percent` of 0: the least that can be bought, of -1: a Wh less; -2: as much as the buyer's connection carries
    besides, -3: a Wh more.
    """

    buyer: str
    when: str
    percent: int


class SellOrder(NamedTuple):
    """What one prosumer offers in a day, `above` the lowest price, who wants it, and what its meter reports in the end.

    Prices go one unit beyond the band at either end, to be refused; `volume` is what the connection carries at most,
    which -1 says, too, and 0 says a Wh more.
    """

    prosumer: str
    volume: int
    above: int
    wishes: tuple[BidPlan, ...]
    purchases: tuple[Purchase, ...]
    exported: str
    withdrawn: bool


class Day(NamedTuple):
    """A delivery period. `imports`: what the meters of the households report, in the order of `HOUSEHOLDS`."""

    period: int
    orders: tuple[SellOrder, ...]
    imports: tuple[str, ...]
    late: bool
    owner_settles: bool


EXPORTS = (
    *("quoted", "95 %", "below 95 %", "sold", "105 %", "above 105 %", "below sold", "half", "nothing", "silent"),
    *("twice", "capacity", "beyond", "winners and half"),
)
IMPORTS = (
    *("agreed", "bought", "95 %", "below 95 %", "105 %", "above 105 %", "received", "nothing", "more", "silent"),
    *("capacity", "beyond", "asked", "95 % of asked", "below 95 % of asked", "105 % of asked", "above 105 % of asked"),
)
SALES = ("matching", "matching", "afterwards", "afterwards", "delivering", "metering")
TIMES = ("bidding", "revealing", "matching", "delivering", "metering", "settling", "settled")


def quotable(volume: int, capacity: int) -> int:
    """What is quoted for a order of that volume, in Wh, by who has that capacity; see `SellOrder`."""
    if volume == 0:
        return capacity + 1
    return capacity if volume < 0 else min(volume, capacity)


def exports(mark: str, volume: int, sold: int, won: int, capacity: int) -> int:
    """What a prosumer exports, in Wh, that quoted `volume` and sold `sold`, of which winners have `won`."""
    return {
        "twice": 2 * volume,
        "capacity": capacity,
        "beyond": capacity + 1 + volume,
        "quoted": volume,
        "95 %": -(-95 * volume // 100),
        "below 95 %": max(-(-95 * volume // 100) - 1, 0),
        "sold": sold,
        "105 %": 105 * volume // 100,
        "above 105 %": 105 * volume // 100 + 1,
        "below sold": max(sold - 1, 0),
        "half": volume // 2,
        "winners and half": (won + sold) // 2,
    }.get(mark, 0)


def imports(mark: str, asked: int, agreed: int, bought: int, received: int, capacity: int) -> int:
    """What a household imports, in Wh, that asked, agreed and bought so much and stands to receive `received`."""
    mark, forecast = (mark.removesuffix(" of asked"), asked) if mark.endswith(" of asked") else (mark, agreed)
    return {
        "asked": asked,
        "capacity": capacity,
        "beyond": capacity + 1 + bought,
        "agreed": agreed,
        "bought": bought,
        "95 %": -(-95 * forecast // 100),
        "below 95 %": max(-(-95 * forecast // 100) - 1, 0),
        "105 %": 105 * forecast // 100,
        "above 105 %": 105 * forecast // 100 + 1,
        "received": received,
        "more": 3 * bought + 100,
    }.get(mark, 0)


def whole_day(day: Day) -> Call:
    """A day as a move of the machine."""
    return Call("day", (day,), "everybody")


# ---- the machine -----------------------------------------------------------------------


ON_QUOTES = ("invalidate_quote", "submit_bid", "reveal_bid", "match_bids", "buy_surplus", "settle_quote")
"""The calls that are about a quote, which is their first argument."""


class GhostLedger(MarketMachine):
    """A machine that keeps the books. Subclasses judge every call in `judge` and every state in `inspect`."""

    over = False
    """Whether the history is at its end."""

    def compare(self, everything: bool = False) -> None:
        """Leaves comparing whole states with the model to criterion 2, but for the last one of a history."""
        if self.over:
            super().compare(everything)

    def teardown(self) -> None:
        """As in the base."""
        self.over = True
        super().teardown()

    def opened(self) -> None:
        """Opens the books: whatever the preset left unsettled is copied from its calls."""
        self.offers: dict[int, Offer] = {}
        self.signed: dict[tuple[str, int], tuple[int, int]] = {}
        self.readings: dict[tuple[str, int], tuple[int, int]] = {}
        self.closed_accounts: set[tuple[str, int]] = set()
        self._looked: tuple[int, tuple[int, ...]] = (0, ())
        self._recall()
        self.seen = self._look()
        self.people = {int(address, 16): address for address in self.lockstep.names}
        self.inspect(self.seen)

    def _recall(self) -> None:
        """Writes down what the preset did on quotes that it did not leave over; all its calls were accepted.

        Nobody's standing is recalled: whoever bid on such a quote in a preset had none yet, or wins whatever it is.
        """
        past = self.lockstep.calls
        over = self.lockstep.first - 1
        self.first, count = over + 1, 0
        for second, function, args, sender, _ in past:
            if function == "submit_quote":
                count += 1
            outcome = Outcome(True, None, count)
            on_quote = function in ON_QUOTES and args[0] > over
            if on_quote or function == "submit_reading" or (function == "submit_quote" and count > over):
                told = tuple(arg for arg in args if isinstance(arg, int | str))
                self.write(function, told, sender, outcome, Observation(), second)

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """Makes a call, writes it down and has it judged."""
        self.refresh()
        resolved = tuple(
            self.lockstep.address(arg) if arg in EVERYBODY else arg for arg in args if type(arg) is not bytes
        )
        who, before = self.lockstep.address(sender), self.seen
        foreseen = self.foresee(function, resolved, who, before)
        outcome = super().act(function, args, sender)
        if outcome.accepted:
            self.write(function, resolved, who, outcome, before, self.lockstep.now)
            self.seen = self._look()
            self._looked = (self.lockstep.now, tuple(self.lockstep.periods))
        self.judge(Step(function, resolved, who, before, self.seen, outcome, foreseen))
        if outcome.accepted:
            self.inspect(self.seen)
        return outcome

    def foresee(self, function: str, args: tuple[Any, ...], sender: str, before: Observation) -> Any:
        """Called before each call; what it returns is `Step.foreseen`. For subclasses."""

    def judge(self, step: Step) -> None:
        """Called after each call. For subclasses."""

    def inspect(self, seen: Observation) -> None:
        """Called with every new state of the views. For subclasses."""

    def refresh(self) -> None:
        """Looks again where time has passed or a period was added: some views depend on it."""
        if self._looked != (self.lockstep.now, tuple(self.lockstep.periods)):
            self._looked = (self.lockstep.now, tuple(self.lockstep.periods))
            self.seen = self._look()
            self.inspect(self.seen)

    def _look(self) -> Observation:
        """What the views tell of everybody, and of the quotes from the first unsettled one on."""
        lockstep, last = self.lockstep, self.first + max(len(self.offers), 1)
        pages = []
        for users, bidders in lockstep.parties():
            for first in range(self.first, last, 8):
                asked = Asked.page(users, bidders, first, tuple(lockstep.periods))
                pages.append((asked, lockstep.ask(asked)))
        return decode(pages)

    # ---- the books -----------------------------------------------------------------------

    def write(
        self, function: str, args: tuple[Any, ...], sender: str, outcome: Outcome, before: Observation, now: int
    ) -> None:
        """Writes an accepted call down. What makes no sense to the books is left to the invariants."""
        if function == "submit_quote" and outcome.result is not None:
            self.offers.setdefault(outcome.result, Offer(sender, *args))
            return
        if function == "submit_reading":
            place = (args[0], args[1])
            self.signed.setdefault(place, (args[2], args[3]))
            self.readings.setdefault(place, self.counted(place, self.signed[place], before))
            return
        if function == "settle_account":
            self.closed_accounts.add((args[0], args[1]))
            return
        offer = self.offers.get(args[0]) if args and isinstance(args[0], int) else None
        if offer is None:
            return
        match function:
            case "invalidate_quote":
                offer.status = INVALID
            case "submit_bid":
                offer.sealed.add(sender)
            case "reveal_bid":
                offer.opened.append(Opened(sender, args[1], args[2]))
            case "match_bids" if offer.status == VALID:
                offer.deals = served(ranked(offer, self.lockstep.tariff, before), offer.volume)
                offer.winners, offer.status = len(offer.deals), MATCHED
            case "buy_surplus":
                ahead = stage(self.lockstep.tariff, offer.period, now) == Phase.MATCHING
                offer.deals.append(Deal(sender, args[1], offer.price, ahead))
            case "settle_quote":
                offer.status = SETTLED

    def stage(self, period: int) -> Phase:
        """The phase of a period now, by the tariff's lengths alone."""
        return stage(self.lockstep.tariff, period, self.lockstep.now)

    def exported(self, offer: Offer) -> int:
        """G of a quote, in Wh (T-MET-6)."""
        return self.readings.get((offer.prosumer, offer.period), (0, 0))[0]

    def in_default(self, offer: Offer) -> bool:
        """Whether less than 95 % of the quoted volume was exported (T-SET-8, T-STD-5)."""
        return 100 * self.exported(offer) < 95 * offer.volume

    def counted(self, place: tuple[str, int], energies: tuple[int, int], before: Observation) -> tuple[int, int]:
        """What counts of a reading that comes now, in Wh (T-MET-3, T-MET-15). No preset's exceeds a capacity."""
        account = before.accounts.get(place[0])
        if account is None:
            return energies
        most = account.capacity if account.authorized else self.quoted(*place)
        return min(energies[0], most), min(energies[1], account.capacity)

    def quoted(self, user: str, period: int) -> int:
        """Wh that somebody quoted for a period and did not withdraw."""
        offers = [offer for offer in self.offers.values() if (offer.prosumer, offer.period) == (user, period)]
        return sum(offer.volume for offer in offers if offer.status != INVALID)

    def offered(self, offer: Offer) -> int:
        """What a purchase is part of, in Wh: V while MATCHING, in METERING what was exported, else 0 (T-SUR-12)."""
        stage = self.stage(offer.period)
        if stage == Phase.MATCHING:
            return offer.volume
        return self.exported(offer) if stage == Phase.METERING else 0

    def left(self, offer: Offer) -> int:
        """What of a matched quote can be bought now, in Wh (T-SUR-5, T-SUR-6, T-SUR-12)."""
        return max(self.offered(offer) - offer.sold, 0)

    def least(self, offer: Offer) -> int:
        """The least that can be bought of a quote now, in Wh, where more than that is left (T-SUR-11)."""
        return -(-self.offered(offer) // 64)

    def claimed(self, user: str, period: int) -> int:
        """Wh of the bids that somebody opened for a period, lost ones included, and of its purchases (T-REG-21)."""
        offers = [offer for offer in self.offers.values() if offer.period == period]
        bought = (deal for offer in offers for deal in offer.deals[offer.winners :])
        return self.asked(user, period) + sum(deal.volume for deal in bought if deal.buyer == user)

    def asked(self, user: str, period: int) -> int:
        """Wh of the bids that somebody opened for a period, won or not (T-STD-12)."""
        offers = [offer for offer in self.offers.values() if offer.period == period]
        return sum(bid.volume for offer in offers for bid in offer.opened if bid.bidder == user)

    def deals_of(self, user: str, period: int) -> Iterator[Deal]:
        """The trades in which somebody buys for a period."""
        for offer in self.offers.values():
            if offer.period == period:
                yield from (deal for deal in offer.deals if deal.buyer == user)

    def bought(self, user: str, period: int) -> int:
        """Wh that somebody bought for a period (T-ACC-10)."""
        return sum(deal.volume for deal in self.deals_of(user, period))

    def agreed(self, user: str, period: int) -> int:
        """Wh that somebody bought for a period before its delivery began (T-ACC-11)."""
        return sum(deal.volume for deal in self.deals_of(user, period) if deal.ahead)

    def open_quotes(self, user: str, period: int) -> int:
        """Quotes of a period in which somebody has a stake (T-ACC-5)."""
        return sum(offer.period == period and user in offer.stakeholders() for offer in self.offers.values())

    def may_settle(self, period: int, sender: str, before: Observation) -> bool:
        """Whether somebody may settle a period now (T-TIME-7, T-TIME-8)."""
        phase = self.stage(period)
        return phase == Phase.CLOSING or (phase == Phase.SETTLING and int(sender, 16) == before.owner)

    # ---- whole days ------------------------------------------------------------------------

    def next_period(self) -> int | None:
        """A period that is still in BIDDING and nobody quoted for, None where no more can be watched."""
        lockstep = self.lockstep
        taken = {offer.period for offer in self.offers.values()}
        if len(self.offers) >= MAX_QUOTES or (len(lockstep.periods) >= MAX_PERIODS and not self._done_periods()):
            return None
        for period in lockstep.periods:
            if self.stage(period) == Phase.BIDDING and period not in taken:
                return period
        return max(lockstep.next_period(), max(lockstep.periods) + 1)

    def _done_periods(self) -> list[int]:
        """Watched periods that are CLOSING and in which no quote is open any more."""
        pending = {offer.period for offer in self.offers.values() if offer.status in (VALID, MATCHED)}
        return [
            period for period in self.lockstep.periods if self.stage(period) == Phase.CLOSING and period not in pending
        ]

    def _watch(self, period: int) -> None:
        """Watches a period, and for it no longer one that is done with."""
        periods = self.lockstep.periods
        if period not in periods and len(periods) >= MAX_PERIODS:
            periods.remove(self._done_periods()[0])
        self.lockstep.watch(period)

    def draw_day(self, most_orders: int = 2) -> st.SearchStrategy[Day]:
        """Draws a day from end to end; the simplest is one quote, fully bid for, delivered and used."""
        tariff = self.lockstep.tariff
        traders = list(self.enabled.traders)
        anybody = st.sampled_from([*traders, *traders, *traders, *HOUSEHOLDS])
        band = tariff.highest_price - tariff.lowest_price
        above = st.sampled_from([*[0, 0, 1, band // 2, band] * 2, -1, band + 1])
        wish = st.builds(
            BidPlan,
            anybody,
            st.sampled_from([100, 50, 34, 33, 20, 3, 0, -1, -2]),
            above,
            st.sampled_from([True, True, True, True, False]),
        )
        percents = st.sampled_from([100, 50, 0, 0, -1, -2, -3, 101])
        purchase = st.builds(Purchase, anybody, st.sampled_from(SALES), percents)
        order = st.builds(
            SellOrder,
            anybody,
            st.sampled_from([20, 100, 1000, 20, 100, 200, 101, 7, 1, -1, 0]) | st.integers(1, 2000),
            above,
            st.lists(wish, min_size=1, max_size=6, unique_by=lambda wish: wish.bidder).map(tuple),
            st.lists(purchase, max_size=3).map(tuple),
            st.sampled_from(EXPORTS),
            st.sampled_from([False] * 7 + [True]),
        )
        same = st.sampled_from(IMPORTS).map(lambda mark: (mark,) * len(HOUSEHOLDS))
        return st.builds(
            Day,
            st.just(self.next_period()),
            st.lists(order, min_size=1, max_size=most_orders, unique_by=lambda order: order.prosumer).map(tuple),
            same | st.tuples(*[st.sampled_from(IMPORTS)] * len(HOUSEHOLDS)),
            st.sampled_from([False, False, False, True]),
            st.booleans(),
        )

    @move(lambda self, choose: self.draw_trading_day(choose), most=2, when=lambda self: self.next_period() is not None)
    def trading_day(self, call: Call) -> None:
        """All trades of a half-hour, from the quotes to the settlement."""

    def draw_trading_day(self, choose: Choose) -> Call:
        """A day from end to end."""
        return whole_day(choose.draw(self.draw_day()))

    def perform(self, call: Call) -> None:
        """Does what was drawn; a day is many calls."""
        if call.function == "day":
            self.play(*call.args)
        else:
            super().perform(call)

    def play(self, day: Day, until: str = "settled") -> None:
        """Plays a day, or the part of it before `until`. Calls that the market refuses are judged like all others."""
        event("a whole day" if until == "settled" else "part of a day")
        self._watch(day.period)
        orders = self._set_up(day)
        for when in TIMES[: TIMES.index(until)]:
            self.meddle(when, orders)
            getattr(self, f"_{when}")(day, orders)

    def _bidding(self, day: Day, orders: dict[int, SellOrder]) -> None:
        for number, order in orders.items():
            if order.withdrawn:
                self.do("invalidate_quote", number, sender=order.prosumer)
        self.wait(self.lockstep.begins(Phase.REVEALING, day.period))

    def _revealing(self, day: Day, orders: dict[int, SellOrder]) -> None:
        for number, order in orders.items():
            for wish in order.wishes:
                if wish.opened and (number, wish.bidder) in self.sealed:
                    price, volume = self.sealed[number, wish.bidder]
                    self.do("reveal_bid", number, price, volume, salt_of(number, wish.bidder), sender=wish.bidder)
        self.wait(self.lockstep.begins(Phase.MATCHING, day.period))

    def _matching(self, day: Day, orders: dict[int, SellOrder]) -> None:
        for number in () if day.late else orders:
            self.do("match_bids", number, sender=STRANGER)
        self._sell(orders, "matching")
        self.wait(self.lockstep.begins(Phase.DELIVERING, day.period))

    def _delivering(self, day: Day, orders: dict[int, SellOrder]) -> None:
        self._sell(orders, "delivering")
        self.wait(self.lockstep.begins(Phase.METERING, day.period))

    def _metering(self, day: Day, orders: dict[int, SellOrder]) -> None:
        self._sell(orders, "metering")
        self._report(day, orders)
        self._sell(orders, "afterwards")
        self.wait(self.lockstep.begins(Phase.SETTLING, day.period))

    def _settling(self, day: Day, orders: dict[int, SellOrder]) -> None:
        for number in orders if day.late else ():
            self.do("match_bids", number, sender=STRANGER)
        if not day.owner_settles:
            self.wait(self.lockstep.begins(Phase.CLOSING, day.period))
        self._settle(day, orders)

    def meddle(self, when: str, orders: dict[int, SellOrder]) -> None:
        """Called at each of the `TIMES` of a day, before what is usual then. For attackers, in subclasses."""

    def _set_up(self, day: Day) -> dict[int, SellOrder]:
        orders = {}
        for order in day.orders:
            price = self.lockstep.tariff.lowest_price + order.above
            volume = quotable(order.volume, self.capacity(order.prosumer))
            outcome = self.do("submit_quote", day.period, volume, price, sender=order.prosumer)
            if outcome.result is None:
                continue
            orders[outcome.result] = order
            for wish in order.wishes:
                room = self.room(wish.bidder, day.period)
                wanted = {-1: min(room, volume), -2: min(room + 1, volume)}.get(
                    wish.percent, volume * wish.percent // 100
                )
                bid_price = min(price + wish.above, self.lockstep.tariff.highest_price + 1)
                if wish.bidder != order.prosumer:
                    self.bid(outcome.result, wish.bidder, bid_price, max(wanted, 1))
        return orders

    def _sell(self, orders: dict[int, SellOrder], when: str) -> None:
        for number, order in orders.items():
            for purchase in order.purchases:
                if purchase.when == when and purchase.buyer != order.prosumer and number in self.offers:
                    self._purchase(number, self.offers[number], purchase)

    def _purchase(self, number: int, offer: Offer, purchase: Purchase) -> None:
        on_sale = purchase.when in ("matching", "afterwards")
        left = self.left(offer) if on_sale else offer.volume - offer.sold
        if left <= 0 and purchase.percent <= 100:
            return
        least, room = self.least(offer) if on_sale else 1, self.room(purchase.buyer, offer.period)
        wanted = {0: min(least, left), -1: least - 1, -2: min(room, left), -3: min(room + 1, left)}.get(
            purchase.percent, left + 1 if purchase.percent > 100 else left * purchase.percent // 100
        )
        self.do("buy_surplus", number, max(wanted, 1), sender=purchase.buyer)

    def room(self, name: str, period: int) -> int:
        """What a household's connection carries in a period besides what it claimed, in Wh."""
        return max(self.capacity(name) - self.claimed(self.lockstep.address(name), period), 0)

    def _report(self, day: Day, orders: dict[int, SellOrder]) -> None:
        for name, exported, imported in self.reports(day, orders):
            self.read(name, day.period, exported, imported)

    def reports(self, day: Day, orders: dict[int, SellOrder]) -> list[tuple[str, int, int]]:
        """What the meters of a day report: household, Wh exported, Wh imported. Those that stay silent are left out."""
        sellers = {order.prosumer: self.offers[number] for number, order in orders.items() if number in self.offers}
        marks = {order.prosumer: order.exported for order in day.orders}
        out = {
            name: exports(marks[name], offer.volume, offer.sold, offer.won, self.capacity(name))
            for name, offer in sellers.items()
        }
        due: dict[str, int] = {}
        for name, offer in sellers.items():
            for deal, part in zip(offer.deals, parts(offer, out[name]), strict=True):
                due[deal.buyer] = due.get(deal.buyer, 0) + part
        reports = []
        for name, mark in zip(HOUSEHOLDS, day.imports, strict=True):
            user = self.lockstep.address(name)
            if "silent" in (mark if name not in sellers else "", marks.get(name)):
                continue
            asked, agreed = self.asked(user, day.period), self.agreed(user, day.period)
            bought = self.bought(user, day.period)
            # Who asked and was given nothing yet may still win, where a quote is matched late.
            if name in sellers or bought or asked:
                drawn = imports(mark, asked, agreed, bought, due.get(user, 0), self.capacity(name))
                reports.append((name, out.get(name, 0), drawn))
        return reports

    def home_and_back(self, orders: dict[int, SellOrder]) -> None:
        """The first seller takes half of its money home and brings half of that back.

        Short histories seldom have a deposit or a withdrawal otherwise.
        """
        for name in [order.prosumer for order in orders.values()][:1]:
            half = self.seen.accounts[self.lockstep.address(name)].balance // 2
            way = WITHDRAWALS[len(self.lockstep.calls) % len(WITHDRAWALS)]
            self.do(way, *payment(way, half), sender=name)
            self.do("deposit", half // 2, sender=name)

    def _settle(self, day: Day, orders: dict[int, SellOrder]) -> None:
        settler = self.lockstep.names.get(self.lockstep.model.owner, "owner") if day.owner_settles else STRANGER
        for number in orders:
            self.do("settle_quote", number, sender=settler)
        self.meddle("settled", orders)
        for name in HOUSEHOLDS:
            user = self.lockstep.address(name)
            if (user, day.period) in self.readings or self.bought(user, day.period):
                self.do("settle_account", name, day.period, sender=settler)

    def wait(self, second: int) -> None:
        """Lets time pass until `second`, if that is in the future."""
        if second > self.lockstep.now:
            self.lockstep.at(second)
