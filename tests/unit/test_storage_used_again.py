"""Records that overwrite final ones: T-PARTY-18 to T-PARTY-24, T-QUO-17, T-GUA-16.

With periods of two days and windows of ten minutes there are eight places (4 + 0 + 4), so that period 8 lies where
period 0 lay. Every call goes to the contract and to the model, which must agree, and at the end all that can be looked
up is compared.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import boa
import pytest

from tests.support.planted import word
from verification.harness.lockstep import HOUSEHOLDS, NEWCOMER, STRANGER, Lockstep
from verification.harness.replay import playing
from wattproof.market.deployment import Tariff, deploy
from wattproof.market.trace import Outcome
from wattproof.terms.model import Phase, QuoteStatus
from wattproof.terms.places import ring_length

pytestmark = pytest.mark.usefixtures("uncounted")

SELLER, USER, OTHER, RIVAL, LATE, IDLE = HOUSEHOLDS
DAY = 86_400
LONG = Tariff(sbp=6, ssp=18, service_fee=1, period_length=2 * DAY, window=600, priority_step=500)
RING = 8
CAPACITY = 200
"""What the user's connection carries, in Wh; everybody else's carries 11,500."""

BLOCKED = "positions: earlier not settled"
NOBODY = "0x" + 40 * "0"


@pytest.fixture(scope="module")
def market() -> Iterator[Lockstep]:
    """A market with eight places, in which nothing was traded yet."""
    with playing("revm"):
        lockstep = Lockstep.fresh(LONG, capacities={USER: CAPACITY})
        period = lockstep.next_period()
        for watched in (period, period + RING - 1, period + RING, period + RING + 1):
            lockstep.watch(watched)
        yield lockstep


@pytest.fixture
def lockstep(market: Lockstep) -> Iterator[Lockstep]:
    """A copy of that market."""
    with market.branch() as branch:
        yield branch


@pytest.fixture(scope="module")
def short_market() -> Iterator[Lockstep]:
    """A market of half-hours, with hundreds of periods that can be quoted."""
    with playing("revm"):
        yield Lockstep.fresh()


@pytest.fixture
def short(short_market: Lockstep) -> Iterator[Lockstep]:
    """A copy of that market."""
    with short_market.branch() as branch:
        yield branch


def compared(test: Callable[..., None]) -> Callable[..., None]:
    """At the end of the test, all that can be looked up is compared."""

    @functools.wraps(test)
    def and_then(**fixtures: Any) -> None:
        test(**fixtures)
        fixtures["lockstep" if "lockstep" in fixtures else "short"].compare(everything=True)

    return and_then


# ---- short ways -----------------------------------------------------------------------------------


def done(outcome: Outcome) -> Any:
    """What an accepted call returned."""
    assert outcome.accepted, outcome.reason
    return outcome.result


def quote(lockstep: Lockstep, period: int, name: str = SELLER, volume: int = 100) -> int:
    return done(lockstep.call("submit_quote", period, volume, lockstep.tariff.lowest_price, sender=name))


def opened(lockstep: Lockstep, number: int, *bids: tuple[str, int]) -> None:
    """Bids at the lowest price are sealed and opened; ends in REVEALING."""
    price, period = lockstep.tariff.lowest_price, lockstep.model.quote(number).period
    for name, volume in bids:
        done(lockstep.bid(number, name, price, volume))
    lockstep.to(Phase.REVEALING, period)
    for name, volume in bids:
        done(lockstep.reveal(number, name, price, volume))


def matched(lockstep: Lockstep, number: int) -> None:
    lockstep.to(Phase.MATCHING, lockstep.model.quote(number).period)
    done(lockstep.call("match_bids", number, sender=STRANGER))


def settled(lockstep: Lockstep, number: int) -> None:
    lockstep.to(Phase.SETTLING, lockstep.model.quote(number).period)
    done(lockstep.call("settle_quote", number, sender="owner"))


def read(lockstep: Lockstep, name: str, period: int, exported: int = 0, imported: int = 0) -> None:
    lockstep.to(Phase.METERING, period)
    done(lockstep.read(name, period, exported, imported))


def first_second(lockstep: Lockstep, period: int) -> None:
    """To the first second at which that period can be quoted (T-QUO-3)."""
    lockstep.at(period * lockstep.tariff.period_length - 7 * DAY)


def in_the_way(lockstep: Lockstep, name: str, period: int) -> tuple[Any, ...]:
    """What the lens says has to be finished first."""
    return tuple(lockstep.market.in_the_way(lockstep.address(name), period))


def finish(lockstep: Lockstep, name: str, period: int) -> list[str]:
    """A stranger finishes what is in the way, as the lens tells and, of quotes that are only counted, the events.

    Returns the calls that this took.
    """
    made: list[str] = []

    def call(function: str, *args: Any) -> None:
        done(lockstep.call(function, *args, sender=STRANGER))
        made.append(function)

    for _ in range(8):
        blocked, earlier, to_match, to_settle, others, account = in_the_way(lockstep, name, period)
        if not blocked:
            return made
        assert earlier == period - RING
        kept = lockstep.model.positions[lockstep.address(name), earlier]
        assert len(to_match) + len(to_settle) + others == len(kept.stakes)
        for number in to_match:
            call("match_bids", number)
        for number in to_settle:
            call("settle_quote", number)
        if to_match or to_settle:
            continue
        for number in sorted(kept.stakes)[:others]:
            if lockstep.model.quote(number).status == QuoteStatus.VALID:
                call("match_bids", number)
            if lockstep.model.quote(number).status == QuoteStatus.MATCHED:
                call("settle_quote", number)
        if not others:
            assert account
            call("settle_account", name, earlier)
    raise AssertionError(f"never finished: {made}")


# ---- what leaves a record that is not final, and what a stranger then has to call -------------------


def left_a_reading(lockstep: Lockstep, period: int) -> None:
    read(lockstep, USER, period, imported=7)


def left_a_purchase_unbilled(lockstep: Lockstep, period: int) -> None:
    """Its meter was silent; the quote is settled."""
    number = quote(lockstep, period)
    opened(lockstep, number, (USER, 60))
    matched(lockstep, number)
    settled(lockstep, number)


def left_its_quote_unmatched(lockstep: Lockstep, period: int) -> None:
    quote(lockstep, period, USER)


def left_its_quote_unsettled(lockstep: Lockstep, period: int) -> None:
    matched(lockstep, quote(lockstep, period, USER))


def left_a_bid_that_will_lose(lockstep: Lockstep, period: int) -> None:
    """The rival's is for all; nobody has the quote matched."""
    opened(lockstep, quote(lockstep, period), (RIVAL, 100), (USER, 60))


def left_a_bid_that_will_win(lockstep: Lockstep, period: int) -> None:
    opened(lockstep, quote(lockstep, period), (USER, 60))


def left_two_bids(lockstep: Lockstep, period: int) -> None:
    """The first is named in its record, the second is counted."""
    numbers = [quote(lockstep, period), quote(lockstep, period, OTHER)]
    for number in numbers:
        done(lockstep.bid(number, USER, lockstep.tariff.lowest_price, 60))
    lockstep.to(Phase.REVEALING, period)
    for number in numbers:
        done(lockstep.reveal(number, USER, lockstep.tariff.lowest_price, 60))


def left_a_purchase(lockstep: Lockstep, period: int) -> None:
    number = quote(lockstep, period)
    matched(lockstep, number)
    done(lockstep.call("buy_surplus", number, 60, sender=USER))


LEFT: dict[str, tuple[Callable[[Lockstep, int], None], list[str]]] = {
    "a reading": (left_a_reading, ["settle_account"]),
    "a purchase without a bill": (left_a_purchase_unbilled, ["settle_account"]),
    "its quote, not matched": (left_its_quote_unmatched, ["match_bids", "settle_quote"]),
    "its quote, not settled": (left_its_quote_unsettled, ["settle_quote"]),
    "a bid that will lose": (left_a_bid_that_will_lose, ["match_bids"]),
    "a bid that will win": (left_a_bid_that_will_win, ["match_bids", "settle_quote", "settle_account"]),
    "two bids": (
        left_two_bids,
        ["match_bids", "settle_quote", "match_bids", "settle_quote", "settle_account"],
    ),
    "a purchase": (left_a_purchase, ["settle_quote", "settle_account"]),
}


# ---- each call that begins a record: what goes before it, and the call itself -------------------------


def quoting(lockstep: Lockstep, period: int) -> Callable[[], Outcome]:
    first_second(lockstep, period)
    return lambda: lockstep.call("submit_quote", period, 50, lockstep.tariff.lowest_price, sender=USER)


def opening(lockstep: Lockstep, period: int) -> Callable[[], Outcome]:
    first_second(lockstep, period)
    number = quote(lockstep, period, LATE)
    done(lockstep.bid(number, USER, lockstep.tariff.lowest_price, 50))  # what is only sealed begins no record
    lockstep.to(Phase.REVEALING, period)
    return lambda: lockstep.reveal(number, USER, lockstep.tariff.lowest_price, 50)


def buying(lockstep: Lockstep, period: int) -> Callable[[], Outcome]:
    first_second(lockstep, period)
    number = quote(lockstep, period, LATE)
    matched(lockstep, number)
    return lambda: lockstep.call("buy_surplus", number, 50, sender=USER)


def reading(lockstep: Lockstep, period: int) -> Callable[[], Outcome]:
    lockstep.to(Phase.METERING, period)
    return lambda: lockstep.read(USER, period, 3, 4)


ENTRIES = {"submit_quote": quoting, "reveal_bid": opening, "buy_surplus": buying, "submit_reading": reading}


def allowed(lockstep: Lockstep) -> None:
    """The user is let in again, where its meter was silent."""
    if not lockstep.model.account(lockstep.address(USER)).authorized:
        done(lockstep.call("authorize", USER, CAPACITY, sender="owner"))


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize(("leave", "calls"), LEFT.values(), ids=LEFT)
@compared
def test_refuses_to_overwrite_until_a_stranger_has_finished(
    lockstep: Lockstep,
    leave: Callable[[Lockstep, int], None],
    calls: list[str],
    entry: Callable[[Lockstep, int], Callable[[], Outcome]],
) -> None:
    """T-PARTY-19 to T-PARTY-21: whatever is left and whatever begins the new record."""
    period, user = lockstep.periods[0], lockstep.address(USER)
    leave(lockstep, period)
    call = entry(lockstep, period + RING)
    assert lockstep.phase(period) == Phase.CLOSING

    assert call().reason == BLOCKED
    lockstep.compare(everything=True)
    assert finish(lockstep, USER, period + RING) == calls
    allowed(lockstep)
    lockstep.compare(everything=True)
    done(call())

    lens = lockstep.market
    assert lens.position(user, period) == (0, 0, 0, 0, 0, False)
    assert lens.reading(user, period) == (False, 0, 0)
    assert lens.quote_of(user, period) == 0
    for sender in ("owner", STRANGER):
        assert lockstep.call("settle_account", USER, period, sender=sender).reason == "settlement: nothing to settle"


@compared
def test_leaves_a_blocked_reading_out_of_its_batch(lockstep: Lockstep) -> None:
    """T-MET-12, T-MET-13, T-PARTY-19: that entry alone; it is taken once the account is settled."""
    period = lockstep.periods[0]
    left_a_reading(lockstep, period)
    lockstep.to(Phase.METERING, period + RING)
    entries = [(name, 1, 2, lockstep.reading(name, period + RING, 1, 2)) for name in (OTHER, USER, RIVAL)]

    outcome = lockstep.call("submit_readings", period + RING, entries, sender=STRANGER)

    assert done(outcome) == 0b101
    assert [name for name, _ in outcome.events] == ["ReadingSubmitted", "ReadingRefused", "ReadingSubmitted"]
    assert outcome.events[1][1]["reason"] == int.from_bytes(BLOCKED.encode(), "big")
    finish(lockstep, USER, period + RING)
    assert done(lockstep.call("submit_readings", period + RING, entries, sender=STRANGER)) == 0b010


# ---- the order of annex A -------------------------------------------------------------------------------


def poor(lockstep: Lockstep) -> None:
    """The user has no free money."""
    free = lockstep.model.account(lockstep.address(USER)).balance
    done(lockstep.call("withdraw", free, sender=USER))


@compared
def test_names_the_first_reason_of_a_quote(lockstep: Lockstep) -> None:
    """Annex A: after the price, before the balance."""
    period, price = lockstep.periods[0], lockstep.tariff.lowest_price
    left_a_reading(lockstep, period)
    quoting(lockstep, period + RING)
    poor(lockstep)

    def reason(volume: int, price: int) -> str | None:
        return lockstep.call("submit_quote", period + RING, volume, price, sender=USER).reason

    assert reason(CAPACITY + 1, price) == "quotes: volume out of bounds"
    assert reason(50, price - 1) == "quotes: price out of band"
    assert reason(50, price) == BLOCKED
    finish(lockstep, USER, period + RING)
    assert reason(50, price) in ("ledger: in arrears", "ledger: insufficient balance")


@compared
def test_names_the_first_reason_of_an_opening(lockstep: Lockstep) -> None:
    """Annex A: after the price, before the capacity and the balance."""
    period, top = lockstep.periods[0], lockstep.tariff.highest_price
    left_its_quote_unsettled(lockstep, period)
    first_second(lockstep, period + RING)
    numbers = [quote(lockstep, period + RING, name, 300) for name in (LATE, OTHER, RIVAL)]
    wishes = [(top + 1, 50), (top, CAPACITY + 1), (top, 50)]
    for number, wish in zip(numbers, wishes, strict=True):
        done(lockstep.bid(number, USER, *wish))
    lockstep.to(Phase.REVEALING, period + RING)
    poor(lockstep)

    def reasons() -> list[str | None]:
        return [lockstep.reveal(number, USER, *wish).reason for number, wish in zip(numbers, wishes, strict=True)]

    assert reasons() == ["bids: price out of bounds", BLOCKED, BLOCKED]
    finish(lockstep, USER, period + RING)
    allowed(lockstep)
    poor(lockstep)
    assert reasons() == ["bids: price out of bounds", "positions: beyond the capacity", "ledger: insufficient balance"]


@compared
def test_names_a_full_book_first(lockstep: Lockstep) -> None:
    """Annex A: 128 bids are opened, so that the user's is refused for that, whatever it left behind."""
    period, price = lockstep.periods[0], lockstep.tariff.lowest_price
    crowd = [f"household {number}" for number in range(128)]
    for name in crowd:
        lockstep.enrol(name, 10_000, watch=False)
    left_its_quote_unsettled(lockstep, period)
    first_second(lockstep, period + RING)
    number = quote(lockstep, period + RING, LATE, 300)
    for name in (*crowd, USER):
        done(lockstep.bid(number, name, price, 1))
    lockstep.to(Phase.REVEALING, period + RING)
    for name in crowd[1:]:
        done(lockstep.reveal(number, name, price, 1))

    assert lockstep.reveal(number, USER, price, 1).reason == BLOCKED
    done(lockstep.reveal(number, crowd[0], price, 1))
    assert lockstep.reveal(number, USER, price, 1).reason == "bids: book is full"


@compared
def test_names_the_first_reason_of_a_purchase(lockstep: Lockstep) -> None:
    """Annex A: after the least volume, before the capacity and the balance."""
    period = lockstep.periods[0]
    left_its_quote_unsettled(lockstep, period)
    first_second(lockstep, period + RING)
    number = quote(lockstep, period + RING, LATE, 300)
    matched(lockstep, number)
    poor(lockstep)

    def reasons() -> list[str | None]:
        wishes = (301, 4, CAPACITY + 1, 50)
        return [lockstep.call("buy_surplus", number, volume, sender=USER).reason for volume in wishes]

    early = ["surplus: not enough left", "surplus: volume too small"]
    assert reasons() == [*early, BLOCKED, BLOCKED]
    finish(lockstep, USER, period + RING)
    allowed(lockstep)
    poor(lockstep)
    assert reasons() == [*early, "positions: beyond the capacity", "ledger: insufficient balance"]


@compared
def test_names_the_first_reason_of_a_reading(lockstep: Lockstep) -> None:
    """Annex A: after the registration, before the authorisation and the signature."""
    period = lockstep.periods[0]
    left_a_reading(lockstep, period)
    done(lockstep.call("revoke", USER, sender="owner"))
    lockstep.to(Phase.METERING, period + RING)

    assert lockstep.read(NEWCOMER, period + RING, 1, 2).reason == "accounts: not registered"
    assert lockstep.read(USER, period + RING, 1, 2, meter_of=OTHER).reason == BLOCKED
    assert lockstep.read(USER, period + RING, 1, 2).reason == BLOCKED
    finish(lockstep, USER, period + RING)
    assert lockstep.read(USER, period + RING, 1, 2).reason == "accounts: not authorised"
    allowed(lockstep)
    assert lockstep.read(USER, period + RING, 1, 2, meter_of=OTHER).reason == "accounts: wrong meter"
    done(lockstep.read(USER, period + RING, 1, 2))
    assert lockstep.read(USER, period + RING, 1, 2).reason == "metering: already read"


# ---- what is final, and gone -------------------------------------------------------------------------------


def final_by_its_bill(lockstep: Lockstep, period: int) -> None:
    left_a_reading(lockstep, period)
    lockstep.to(Phase.SETTLING, period)
    done(lockstep.call("settle_account", USER, period, sender="owner"))


def final_by_withdrawal(lockstep: Lockstep, period: int) -> None:
    done(lockstep.call("invalidate_quote", quote(lockstep, period, USER), sender=USER))


def final_by_losing(lockstep: Lockstep, period: int) -> None:
    """Its meter is silent, too: a user that bought nothing has nothing to settle (T-MET-10)."""
    number = quote(lockstep, period)
    opened(lockstep, number, (RIVAL, 100), (USER, 60))
    matched(lockstep, number)


def final_by_selling_nothing(lockstep: Lockstep, period: int) -> None:
    """A quote that sold nothing is settled; its silent prosumer is revoked, and let in again."""
    number = quote(lockstep, period, USER)
    matched(lockstep, number)
    settled(lockstep, number)
    allowed(lockstep)


def final_by_doing_nothing(lockstep: Lockstep, period: int) -> None:
    """It only sealed a bid."""
    done(lockstep.bid(quote(lockstep, period), USER, lockstep.tariff.lowest_price, 60))


FINAL = (final_by_its_bill, final_by_withdrawal, final_by_losing, final_by_selling_nothing, final_by_doing_nothing)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("end", FINAL, ids=lambda end: end.__name__)
@compared
def test_overwrites_what_is_final(
    lockstep: Lockstep, end: Callable[[Lockstep, int], None], entry: Callable[[Lockstep, int], Callable[[], Outcome]]
) -> None:
    """T-PARTY-20: nothing is in the way, and the call goes through; then the record reads as never there."""
    period, user = lockstep.periods[0], lockstep.address(USER)
    end(lockstep, period)
    call = entry(lockstep, period + RING)
    lockstep.compare(everything=True)
    assert in_the_way(lockstep, USER, period + RING) == (False, 0, [], [], 0, False)

    done(call())

    lens = lockstep.market
    assert lens.position(user, period) == (0, 0, 0, 0, 0, False)
    assert (lens.reading(user, period), lens.quote_of(user, period)) == ((False, 0, 0), 0)
    lockstep.compare(everything=True)
    # Its own record is in nobody's way, and neither is that of a period apart.
    assert in_the_way(lockstep, USER, period + RING)[0] is False
    assert in_the_way(lockstep, USER, period + RING + 1)[0] is False


@compared
def test_tells_of_the_record_until_it_is_overwritten(lockstep: Lockstep) -> None:
    """T-PARTY-18: also what is final, as long as nothing else lies there."""
    period, user = lockstep.periods[0], lockstep.address(USER)
    final_by_its_bill(lockstep, period)
    call = quoting(lockstep, period + RING)

    assert lockstep.market.reading(user, period) == (True, 0, 7)
    assert lockstep.market.position(user, period) == (0, 0, 0, 0, 0, True)
    assert lockstep.call("settle_account", USER, period, sender="owner").reason == "settlement: already settled"
    done(call())
    assert lockstep.market.reading(user, period) == (False, 0, 0)
    outcome = lockstep.call("settle_accounts", period, [USER], sender=STRANGER)
    assert done(outcome) == 0
    assert outcome.events[0][1]["reason"] == int.from_bytes(b"settlement: nothing to settle", "big")


@pytest.mark.parametrize("apart", [RING - 1, RING, RING + 1])
@compared
def test_shares_a_place_exactly_a_ring_apart(lockstep: Lockstep, apart: int) -> None:
    """T-PARTY-22: no period less, no period more."""
    period = lockstep.periods[0]
    left_a_reading(lockstep, period)
    call = quoting(lockstep, period + apart)

    assert in_the_way(lockstep, USER, period + apart) == (
        (True, period, [], [], 0, True) if apart == RING else (False, 0, [], [], 0, False)
    )
    assert call().reason == (BLOCKED if apart == RING else None)
    assert lockstep.market.reading(lockstep.address(USER), period) == (True, 0, 7)


@compared
def test_nobody_is_in_anybody_elses_way(lockstep: Lockstep) -> None:
    """T-GUA-16: all others left all that can be left; the user goes on."""
    period = lockstep.periods[0]
    number = quote(lockstep, period)
    opened(lockstep, number, (OTHER, 60), (RIVAL, 60))
    for name in (SELLER, OTHER, RIVAL, LATE):
        read(lockstep, name, period, 5, 5)
    call = quoting(lockstep, period + RING)

    assert in_the_way(lockstep, USER, period + RING)[0] is False
    done(call())
    assert in_the_way(lockstep, SELLER, period + RING) == (True, period, [number], [], 0, True)
    assert in_the_way(lockstep, OTHER, period + RING) == (True, period, [number], [], 0, True)
    assert in_the_way(lockstep, IDLE, period + RING)[0] is False


@compared
def test_the_earlier_period_is_closing_for_a_day(lockstep: Lockstep) -> None:
    """T-PARTY-22: at the second before the later one can be quoted, it already was for more than a day."""
    period = lockstep.periods[0]
    lockstep.at((period + RING) * LONG.period_length - 7 * DAY - 1)
    price = lockstep.tariff.lowest_price
    refused = lockstep.call("submit_quote", period + RING, 50, price, sender=USER)

    assert refused.reason == "quotes: period too far ahead"
    assert lockstep.now - lockstep.begins(Phase.CLOSING, period) >= DAY
    lockstep.at(lockstep.now + 1)
    quote(lockstep, period + RING, USER)


# ---- sales ----------------------------------------------------------------------------------------------------


def sold(lockstep: Lockstep, period: int) -> int:
    """The user sells 60 of 100 Wh, exports 90, and all is settled; returns the quote's number."""
    number = quote(lockstep, period, USER)
    opened(lockstep, number, (OTHER, 60))
    matched(lockstep, number)
    read(lockstep, USER, period, 100, 0)
    read(lockstep, OTHER, period, 0, 60)
    settled(lockstep, number)
    for name in (USER, OTHER):
        done(lockstep.call("settle_account", name, period, sender="owner"))
    return number


@compared
def test_an_old_sale_is_not_the_new_periods(lockstep: Lockstep) -> None:
    """T-ACC-13: who sold in the earlier period and only buys in the later one delivered nothing there."""
    period, user = lockstep.periods[0], lockstep.address(USER)
    number = sold(lockstep, period)
    assert lockstep.market.position(user, period) == (0, 0, 0, 60, 0, True)
    done(buying(lockstep, period + RING)())
    lens = lockstep.market

    assert lens.quote_of(user, period + RING) == 0
    assert lens.position(user, period + RING) == (50, 50, 0, 0, 1, False)
    # The quote's room and its sale are still what they were; only the record is gone.
    assert lens.quote_of(user, period) == 0
    assert lens.position(user, period) == (0, 0, 0, 0, 0, False)
    assert lens.quote(number).sold == 60
    assert [tuple(trade)[1:] for trade in lens.trades(number)] == [(60, lockstep.tariff.lowest_price)]

    # 80 Wh exported, none of them delivered: 80 * 6, and 50 of 50 Wh imported.
    read(lockstep, USER, period + RING, 80, 50)
    read(lockstep, LATE, period + RING, 100, 0)
    settled(lockstep, lens.quote_count())
    outcome = lockstep.call("settle_account", USER, period + RING, sender="owner")
    assert dict(outcome.events)["AccountSettled"]["amount"] == 480
    assert lens.position(user, period + RING) == (50, 50, 50, 0, 0, True)


@compared
def test_an_old_sale_does_not_bound_a_revoked_users_reading(lockstep: Lockstep) -> None:
    """T-MET-15: without a quote of this period nothing counts as exported."""
    period, user = lockstep.periods[0], lockstep.address(USER)
    sold(lockstep, period)
    done(buying(lockstep, period + RING)())
    done(lockstep.call("revoke", USER, sender="owner"))
    read(lockstep, USER, period + RING, 80, 50)

    assert lockstep.market.reading(user, period + RING) == (True, 0, 50)


@compared
def test_a_quote_is_gone_with_its_sale(lockstep: Lockstep) -> None:
    """T-PARTY-23: once its prosumer has quoted for a later period of the place, though its room keeps it."""
    period, user = lockstep.periods[0], lockstep.address(USER)
    number = sold(lockstep, period)
    call = quoting(lockstep, period + RING)
    lens = lockstep.market
    assert lens.quote(number).sold == 60
    assert lens.bid(number, lockstep.address(OTHER)).filled == 60

    later = done(call())

    assert lens.quote(number) == (NOBODY, 0, 0, 0, 0, 0, 0)
    assert lens.bid(number, lockstep.address(OTHER)) == (bytes(32), 0, 0, 0, 0)
    assert (lens.trades(number), lens.remaining(number)) == ([], 0)
    assert lens.quote(later).prosumer == user
    for function, args, reason in (
        ("invalidate_quote", (), "quotes: not valid"),
        ("submit_bid", (bytes(32),), "quotes: not valid"),
        ("reveal_bid", (7, 60, bytes(32)), "quotes: not valid"),
        ("match_bids", (), "quotes: not valid"),
        ("buy_surplus", (1,), "quotes: not matched"),
        ("settle_quote", (), "quotes: not matched"),
    ):
        assert lockstep.call(function, number, *args, sender=OTHER).reason == reason


# ---- totals ------------------------------------------------------------------------------------------------------


@compared
def test_totals_are_overwritten_by_the_first_quote(lockstep: Lockstep) -> None:
    """T-PARTY-24: by anybody's, and whatever is left open of the earlier period."""
    period, lens = lockstep.periods[0], lockstep.market
    opened(lockstep, quote(lockstep, period), (USER, 60))
    assert (lens.supply(period), lens.demand(period)) == (100, 60)
    first_second(lockstep, period + RING)
    assert (lens.supply(period + RING), lens.demand(period + RING)) == (0, 0)

    number = quote(lockstep, period + RING, LATE, 30)

    assert (lens.supply(period), lens.demand(period)) == (0, 0)
    assert (lens.supply(period + RING), lens.demand(period + RING)) == (30, 0)
    done(lockstep.call("invalidate_quote", number, sender=LATE))
    assert lens.supply(period + RING) == 0


# ---- rooms -------------------------------------------------------------------------------------------------------


def fill(lockstep: Lockstep, until: int, withdraw: bool = True) -> None:
    """Quotes of several households and periods, each taken back at once, until there are so many."""
    first = lockstep.next_period() + 20
    for number in range(lockstep.model.quote_count() + 1, until + 1):
        name, period = HOUSEHOLDS[number % 6], first + number // 6
        assert quote(lockstep, period, name) == number
        if withdraw:
            done(lockstep.call("invalidate_quote", number, sender=name))


def rooms(lockstep: Lockstep) -> int:
    """How many there are."""
    return (word(lockstep.market, "rooms", "_counter") >> 64) + 1


QUOTE_CALLS = {
    "invalidate_quote": (),
    "submit_bid": (bytes(32),),
    "reveal_bid": (7, 60, bytes(32)),
    "match_bids": (),
    "buy_surplus": (1,),
    "settle_quote": (),
}


@compared
def test_a_room_is_used_again(short: Lockstep) -> None:
    """T-QUO-17: the 65th quote moves in where the first, taken back, lay; that one is unknown then."""
    period, lens = short.next_period(), short.market
    assert quote(short, period, USER) == 1
    done(short.bid(1, OTHER, 7, 60))
    done(short.call("invalidate_quote", 1, sender=USER))
    fill(short, 64)
    assert lens.quote(1).status == QuoteStatus.INVALID
    assert lens.bid(1, short.address(OTHER)).status != 0
    assert quote(short, period, SELLER) == 65
    assert rooms(short) == short.model.quotes.rooms == 64

    assert lens.quote(1) == (NOBODY, 0, 0, 0, 0, 0, 0)
    assert lens.bid(1, short.address(OTHER)) == (bytes(32), 0, 0, 0, 0)
    assert lens.quote(65).prosumer == short.address(SELLER)
    for function, args in QUOTE_CALLS.items():
        for number in (0, 1, 66, 129, 65 + 2**32, 65 + 2**38, 2**256 - 64 + 1):
            assert short.call(function, number, *args, sender=OTHER).reason == "quotes: unknown quote"
    for number in (0, 66, 129, 65 + 2**32, 65 + 2**38, 2**256 - 64 + 1):
        assert lens.quote(number) == (NOBODY, 0, 0, 0, 0, 0, 0)
        assert lens.bid(number, short.address(OTHER)) == (bytes(32), 0, 0, 0, 0)
        assert (lens.trades(number), lens.remaining(number)) == ([], 0)
    # The user's record still says which quote was its own (T-QUO-15).
    assert lens.quote_of(short.address(USER), period) == 1
    assert short.call("submit_quote", period, 50, 7, sender=USER).reason == "quotes: already quoted"


@compared
def test_a_former_quotes_bids_are_none_of_the_new_ones(short: Lockstep) -> None:
    """T-QUO-17: neither sealed nor opened nor won nor bought; and nobody "already bid"."""
    first, lens = short.next_period(), short.market
    number = quote(short, first, USER)
    done(short.bid(number, LATE, 7, 10))
    opened(short, number, (OTHER, 60))
    matched(short, number)
    done(short.call("buy_surplus", number, 30, sender=RIVAL))
    read(short, USER, first, 100, 0)
    settled(short, number)
    fill(short, 64)
    period = short.next_period() + 2
    assert quote(short, period, SELLER) == 65
    assert rooms(short) == 64

    for name in (OTHER, RIVAL, LATE):
        assert lens.bid(65, short.address(name)) == (bytes(32), 0, 0, 0, 0)
    done(short.bid(65, OTHER, 7, 20))
    short.to(Phase.REVEALING, period)
    for name, volume in ((LATE, 10), (RIVAL, 30)):
        assert short.reveal(65, name, 7, volume).reason == "bids: nothing to open"
    done(short.reveal(65, OTHER, 7, 20))
    matched(short, 65)
    for name in (RIVAL, OTHER, LATE):
        done(short.call("buy_surplus", 65, 20, sender=name))
    assert [tuple(trade)[:2] for trade in lens.trades(65)] == [
        (short.address(name), 20) for name in (OTHER, RIVAL, OTHER, LATE)
    ]
    short.watch(period)
    short.compare(everything=True)
    # One stake each: none is counted twice, none was taken for a former one.
    assert [lens.position(short.address(name), period).open for name in (OTHER, RIVAL, LATE)] == [1, 1, 1]
    read(short, SELLER, period, 100, 0)
    settled(short, 65)
    assert [lens.position(short.address(name), period).open for name in (OTHER, RIVAL, LATE)] == [0, 0, 0]


@compared
def test_a_seal_for_a_former_quote_opens_nothing(short: Lockstep) -> None:
    """T-BID-4, T-QUO-17: the quote's number is in the seal, and beside it."""
    period = short.next_period()
    assert quote(short, period, USER) == 1
    done(short.bid(1, OTHER, 7, 60))
    done(short.call("invalidate_quote", 1, sender=USER))
    fill(short, 64)
    assert quote(short, period, SELLER) == 65
    done(short.call("submit_bid", 65, short.seal(1, OTHER, 7, 60), sender=OTHER))
    short.to(Phase.REVEALING, period)

    assert short.reveal(65, OTHER, 7, 60).reason == "bids: seal does not match"
    assert short.reveal(1, OTHER, 7, 60).reason == "quotes: unknown quote"


@compared
def test_there_are_twice_as_many_rooms_where_one_is_taken(short: Lockstep) -> None:
    """T-QUO-17: 128 where the first quote is open when the 65th comes, 256 when the 129th does; all are found."""
    period, lens = short.next_period() + 100, short.market
    assert quote(short, period, USER) == 1
    done(short.bid(1, OTHER, 7, 60))
    fill(short, 64)
    assert rooms(short) == 64
    assert quote(short, period, SELLER) == 65
    assert rooms(short) == short.model.quotes.rooms == 128
    done(short.bid(65, OTHER, 7, 20))
    fill(short, 128)
    assert rooms(short) == 128
    # The second lay in room 2, the 66th came to room 66: both are known.
    assert [lens.quote(number).status for number in (2, 66)] == [QuoteStatus.INVALID] * 2
    assert quote(short, period, LATE) == 129
    assert rooms(short) == short.model.quotes.rooms == 256
    assert quote(short, period, RIVAL) == 130

    short.watch(period)
    short.compare(everything=True)
    assert [short.names[lens.quote(number).prosumer] for number in (1, 65, 129, 130)] == [USER, SELLER, LATE, RIVAL]
    assert [lens.quote(number).status for number in (2, 66)] == [QuoteStatus.INVALID] * 2
    assert [lens.bid(number, short.address(OTHER)).status for number in (1, 65, 129)] == [1, 1, 0]
    assert short.call("submit_bid", 65, bytes(32), sender=OTHER).reason == "bids: already bid"
    done(short.bid(129, OTHER, 7, 20))
    short.to(Phase.REVEALING, period)
    for number, volume in ((1, 60), (65, 20), (129, 20)):
        done(short.reveal(number, OTHER, 7, volume))
    short.to(Phase.MATCHING, period)
    for number in (1, 65, 129, 130):
        done(short.call("match_bids", number, sender=STRANGER))
    short.compare(everything=True)
    assert lens.position(short.address(OTHER), period).open == 3


@compared
def test_rooms_never_become_fewer(short: Lockstep) -> None:
    """T-QUO-17: once the first is taken back, later quotes still have 128."""
    period = short.next_period() + 100
    assert quote(short, period, USER) == 1
    fill(short, 64)
    assert quote(short, period, SELLER) == 65
    done(short.call("invalidate_quote", 1, sender=USER))
    fill(short, 128)
    assert quote(short, period, LATE) == 129  # in room 1

    assert rooms(short) == 128
    assert short.call("match_bids", 1, sender=STRANGER).reason == "quotes: unknown quote"
    assert short.market.quote(65).prosumer == short.address(SELLER)


# ---- how many places there are ------------------------------------------------------------------------------


LARGEST = 2**256 - 1


@pytest.mark.parametrize(
    ("length", "window", "places"),
    [
        (1_800, 600, 432),  # 384 + 4, in days of 48
        (1_800, 1_799, 432),
        (1_800, 1_800, 432),
        (1_800, 22 * 1_800, 432),  # 384 + 2 * 22 + 4
        (1_800, 23 * 1_800, 480),
        (2_000, 600, 387),  # 345 + 4, in days of 43
        (DAY // 2, 600, 20),
        (DAY // 2 + 1, 600, 19),
        (DAY, 600, 12),
        (2 * DAY, 600, 8),
        (8 * DAY, 600, 5),
        (8 * DAY + 1, 600, 4),
        (900, 3_600, 864),  # 768 + 2 * 4 + 4, in days of 96
        (1, 1, 9 * DAY),
        (1, 43_198, 9 * DAY),
        (1, 43_199, 10 * DAY),
        (1, 2**36 - 1, 1_590_737 * DAY),
        (1, 2**36, 1_590_737 * DAY),
        (1, LARGEST, 1_590_737 * DAY),
        (LARGEST, 1, 4),
        (LARGEST, LARGEST, 6),
    ],
)
def test_places_follow_from_period_and_window(length: int, window: int, places: int) -> None:
    """T-PARTY-22, with the shortest and the longest of both, as the terms and the contract have it."""
    market = deploy(Tariff(sbp=6, ssp=18, service_fee=1, period_length=length, window=window), show=None).market
    offset = market.compiler_data.storage_layout["code_layout"]["clock"]["RING"]["offset"]
    code = boa.env.get_code(market.address)
    runtime = len(market.compiler_data.bytecode_runtime)

    assert ring_length(length, window) == places
    assert int.from_bytes(code[runtime + offset : runtime + offset + 32], "big") == places
