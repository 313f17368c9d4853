"""What is no longer kept, or not there yet, is told in words; what is in the way is told with the calls that end it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boa
import pytest

from wattproof import CallRefused, Market, Tariff
from wattproof.market.clock import Clock
from wattproof.play.completion import offered

LONG = Tariff(period_length=2 * 86_400, window=600)
"""Periods so long that there are few places."""

RING = 8
"""How many, by T-PARTY-22: 8 days hold 4 periods, and 4 more."""

HOUSEHOLDS = ("sunny", "bright", "cloudy", "misty", "12 Elm Street")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    path: Path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text("period,household,load_wh,pv_wh\n" + "".join(f"0,{name},300,0\n" for name in HOUSEHOLDS))
    with boa.env.anchor():
        yield Market(path, tariff=LONG)


@pytest.fixture
def market(opened: Market) -> Iterator[Market]:
    with boa.env.anchor():
        calls = len(opened._session.history)
        yield opened
        del opened._session.history[calls:]


def begun(market: Market) -> int:
    """A period in which sunny sells to cloudy and has both metered."""
    sunny, cloudy, clock = market["sunny"], market["cloudy"], market.clock
    number = sunny.quote(2, 9)
    period = int(market.quote(number).period)
    cloudy.bid(number, 1, 10)
    clock.to("REVEALING")
    cloudy.reveal(number)
    clock.to("MATCHING")
    market.match_bids(number)
    clock.to("METERING")
    sunny.meter.read(exported=2)
    cloudy.meter.read(imported=1)
    clock.to("SETTLING")
    return period


def one_round_later(market: Market, period: int) -> int:
    """Moves to the last seconds in which the period that shares a place with that one is quoted."""
    Clock.now.fset(market.clock, (period + RING) * LONG.period_length - 2 * LONG.window - 1)  # type: ignore[attr-defined]
    return period + RING


def pasted(line: str, market: Market) -> None:
    exec(line, {"market": market, **{name: market[name] for name in HOUSEHOLDS[:-1]}})


def told(call: Callable[[], object]) -> str:
    """The hint of a call that is refused for an earlier record."""
    with pytest.raises(CallRefused) as refused:
        call()
    assert refused.value.reason == "positions: earlier not settled"
    return refused.value.hint or ""


# ---- quotes ----------------------------------------------------------------------------


def test_a_quote_that_never_was_is_told_in_words_and_stays_the_tuple(market: Market) -> None:
    nothing = "no quote 7: nothing was quoted yet"
    quote = market.quote(7)
    assert repr(quote) == nothing
    assert quote[1:] == (0, 0, 0, 0, 0, 0) and not quote.status and quote.volume == 0
    assert quote._repr_html_() is None
    assert repr(copy.deepcopy(quote)) == nothing
    for many in (market.trades(7), market.bids(7)):
        assert many == [] and not many and repr(many) == nothing and many._repr_html_() is None
    assert market.remaining(7) == 0 and repr(market.remaining(7)) == f"0.000 kWh (0): {nothing}"
    bid = market.bid(7, "cloudy")
    assert repr(bid) == nothing and not bid.status

    market["sunny"].quote(2, 9)
    assert repr(market.quote(7)) == "no quote 7 yet: quotes are numbered from 1 to 1"
    assert repr(market.quote(0)) == "no quote 0: quotes are numbered from 1 to 1"
    assert repr(market.quote(1)).startswith("Quote\n")
    assert repr(market.trades(1)) == repr(market.bids(1)) == "[]"
    assert repr(market.remaining(1)) == "0.000 kWh (0)"
    assert repr(market.bid(1, "cloudy")) == "no bid of cloudy on quote 1"


def test_a_quote_whose_sale_was_overwritten_is_told_from_the_events(market: Market) -> None:
    period = begun(market)
    market["owner"].settle()
    later = one_round_later(market, period)
    assert market.quote(1).status and market["sunny"].position(period).settled
    market["sunny"].quote(1, 9, later)

    gone = "no quote 1 any more: it was over, and its place was used again; market.history(quote_id=1) tells of it"
    assert repr(market.quote(1)) == repr(market.trades(1)) == repr(market.bids(1)) == gone
    assert repr(market.bid(1, "cloudy")) == gone
    assert [quote.quote_id for quote in market.quotes()] == [2]
    for call in (lambda: market["cloudy"].bid(1, 1, 10), lambda: market.match_bids(1)):
        with pytest.raises(CallRefused) as refused:
            call()
        assert str(refused.value) == f"quotes: not valid ({gone})"
    events = market.history(quote_id=1)
    assert [type(event).__name__ for event in events] == [
        *("QuoteSubmitted", "BidSealed", "BidRevealed", "BidConfirmed", "QuoteMatched", "TradeSettled", "QuoteSettled")
    ]
    assert events[0].volume == 2000 and events[3].filled == 1000
    assert "filled    1.000 kWh" in repr(events)


def test_a_quote_whose_room_was_used_again_is_unknown() -> None:
    with boa.env.anchor():
        market = Market()
        sunny, first = market["sunny"], market.clock.next_quotable()
        for number in range(1, 65):
            assert sunny.quote(1, 9, first + number) == number
            sunny.invalidate(number)  # Nothing is left open, so the 65th finds the room of the first.
        market["cloudy"].quote(1, 9)
        gone = "no quote 1 any more: it was over, and its place was used again; market.history(quote_id=1) tells of it"
        assert repr(market.quote(1)) == gone
        with pytest.raises(CallRefused) as refused:
            market.match_bids(1)
        assert str(refused.value) == f"quotes: unknown quote ({gone})"
        with pytest.raises(ValueError, match="is long over; quote 1 is no longer kept"):
            market.clock.phase(1)
        assert [quote.quote_id for quote in market.quotes()] == list(range(2, 66))
        assert [type(event).__name__ for event in market.history(quote_id=1)] == ["QuoteSubmitted", "QuoteInvalidated"]


# ---- records ---------------------------------------------------------------------------


def test_a_record_that_is_not_there_yet_is_told_in_words(market: Market) -> None:
    sunny, period = market["sunny"], int(market.clock.current())
    shown = market._session.show.period(period)
    assert repr(sunny.position()) == f"no business of sunny in period {shown} yet"
    assert repr(market.reading(sunny, period)) == f"no reading of sunny in period {shown} yet"
    assert repr(market.quote_of(sunny, period)) == f"0: no quote of sunny in period {shown} yet"
    assert (sunny.position().bought, market.reading(sunny, period).present, market.quote_of(sunny, period)) == (0, 0, 0)
    assert repr(market.supply(period)) == "0.000 kWh (0)"
    sunny.quote(2, 9)
    assert repr(sunny.position()).startswith("Position\n")
    sunny.invalidate(1)
    assert repr(sunny.position()).startswith("Position\n")  # It is kept, and all zero.
    market.clock.to("CLOSING", period)
    assert repr(market.reading(sunny, period)) == f"no reading of sunny in period {shown}"


def test_a_record_that_was_overwritten_is_told_from_the_events(market: Market) -> None:
    period = begun(market)
    market["owner"].settle()
    later = one_round_later(market, period)
    market["sunny"].quote(1, 9, later)
    show = market._session.show.period
    gone = (
        f"nothing of sunny is kept of period {show(period)} any more: its place was used again for {show(later)}; "
        f'market.history(period={period}, who="sunny") tells of it'
    )
    sunny = market["sunny"]
    assert repr(sunny.position(period)) == repr(market.reading(sunny, period)) == gone
    assert repr(market.quote_of(sunny, period)) == f"0: {gone}"
    used = f"its place was used again for {show(later)}"
    assert repr(market.supply(period)) == f"0.000 kWh (0): no longer kept: {used}"
    before = period - RING  # The market was not open yet.
    assert repr(sunny.position(before)) == f"no business of sunny in period {show(before)}"
    assert market["cloudy"].position(period).settled  # Only its own records take its places.
    events = [type(event).__name__ for event in market.history(period=period, who="sunny")]
    assert events == ["QuoteSubmitted", "ReadingSubmitted", "AccountSettled"]
    assert {event.period for event in market.history(period=later)} == {later}
    assert len(market.history(who="cloudy")) > len(market.history(who="cloudy", period=period)) == 6
    assert len(market.history()) > 20


# ---- what is in the way ----------------------------------------------------------------


def test_the_calls_that_a_refusal_names_end_it(market: Market) -> None:
    period = begun(market)
    later = one_round_later(market, period)
    found = market.in_the_way("sunny", later)
    assert repr(found).splitlines()[3:] == [
        "  to_match   none",
        "  to_settle  1",
        "  others     0",
        "  account    True",
    ]
    calls = f"market.settle_quote(1); market.settle_account(sunny, {period})"
    assert told(lambda: market["sunny"].quote(1, 9, later)).endswith(f"anybody may: {calls}")
    pasted(calls, market)
    shown = market._session.show.period(later)
    assert repr(market.in_the_way("sunny", later)) == f"nothing is in the way of sunny's period {shown}"
    assert market["sunny"].quote(1, 9, later) == 2


def test_quotes_with_a_bid_or_a_purchase_of_the_caller_are_named_and_no_others(market: Market) -> None:
    people = (market[name] for name in HOUSEHOLDS)
    (sunny, bright, cloudy, misty, elm), clock = people, market.clock
    for household in (sunny, bright, misty):
        household.quote(2, 9)
    period = int(clock.current())
    elm.bid(1, 1, 10)
    cloudy.bid(1, 1, 10)
    elm.bid(3, 1, 10)
    clock.to("REVEALING")
    elm.reveal(1)
    cloudy.reveal(1)  # It did not open the one on misty's.
    clock.to("MATCHING")
    market.match_bids(2)
    elm.buy(2, 1)
    clock.to("METERING")
    elm.meter.read(imported=2)
    later = one_round_later(market, period)

    # Whether cloudy wins is not known yet; its account is told of afterwards.
    assert told(lambda: cloudy.quote(1, 9, later)).endswith(": market.match_bids(1); market.settle_quote(1)")
    pasted("market.match_bids(1); market.settle_quote(1)", market)
    assert told(lambda: cloudy.quote(1, 9, later)).endswith(f"may: market.settle_account(cloudy, {period})")
    pasted(f"market.settle_account(cloudy, {period})", market)
    market["owner"].authorize(cloudy)  # Its meter was silent.
    cloudy.quote(1, 9, later)

    calls = f'market.settle_quote(2); market.settle_account("12 Elm Street", {period})'
    assert told(lambda: elm.quote(1, 9, later)).endswith(f"may: {calls}")
    pasted(calls, market)
    elm.quote(1, 9, later)


def test_a_bid_that_lost_waits_for_the_matching_alone(market: Market) -> None:
    sunny, cloudy, misty, clock = market["sunny"], market["cloudy"], market["misty"], market.clock
    sunny.quote(1, 9)
    period = int(clock.current())
    for household, price in ((cloudy, 10), (misty, 11)):
        household.bid(1, 1, price)
    clock.to("REVEALING")
    for household in (cloudy, misty):
        household.reveal(1)
    later = one_round_later(market, period)
    assert "may: market.match_bids(1); market.settle_quote(1)" in told(lambda: cloudy.quote(1, 9, later))
    market.match_bids(1)
    cloudy.quote(1, 9, later)


# ---- at the keys -----------------------------------------------------------------------


def test_the_seal_of_a_bid_says_how_much_of_it_is_kept(market: Market) -> None:
    market["sunny"].quote(2, 9)
    market["cloudy"].bid(1, 1, 10)
    (sealed,) = market.history(quote_id=1, who="cloudy")
    kept = market.bid(1, "cloudy").seal
    assert int.from_bytes(kept) == int.from_bytes(sealed.seal) >> 34 << 34
    assert f"0x{kept.hex()} (its first 222 bits)" in repr(market.bid(1, "cloudy"))
    assert f"0x{sealed.seal.hex()}" in repr(sealed)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('market.history(who="su', ["sunny", "supplier"]),
        ("market.in_the_way(sunny, 9).to_", ["to_match", "to_settle"]),
    ],
)
def test_the_tab_key_knows_them(market: Market, line: str, words: list[str]) -> None:
    found: Any = offered(line, {"market": market})
    assert found[1] == words
