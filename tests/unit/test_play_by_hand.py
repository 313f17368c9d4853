"""A market that is played by hand, as people do it: several markets, odd calls, other tariffs."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import numpy
import pytest

from wattproof import CallRefused, Market, Tariff
from wattproof.market.clock import Clock
from wattproof.market.units import Display
from wattproof.play.bills import BILL
from wattproof.play.session import doubted
from wattproof.play.shown import Told
from wattproof.play.slips import told
from wattproof.repl import misspelt, uncalled


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Market:
    path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text("period,household,load_wh,pv_wh\n0,12 Elm Street,300,0\n0,sunny,200,1000\n")
    return Market(path)


@pytest.fixture(autouse=True)
def market(opened: Market) -> Iterator[Market]:
    """A market; what is done with it, or with others beside it, is undone."""
    with boa.env.anchor():
        yield opened


def said(call: Any) -> str:
    """The one line that is shown for what is not done."""
    with pytest.raises(Exception) as problem:
        call()
    line = told(problem.value)
    assert line is not None and "\n" not in line, problem.value
    return line


# ---- events ----------------------------------------------------------------------------


def test_events_stay_those_of_the_last_call_while_views_are_asked(market: Market) -> None:
    market["sunny"].quote(2, 9)
    repr(market.clock)
    market.quote_count()
    assert [type(event).__name__ for event in market.events()] == ["QuoteSubmitted"]


def test_a_refused_call_leaves_no_events(market: Market) -> None:
    market["sunny"].quote(2, 9)
    with pytest.raises(CallRefused):
        market["sunny"].quote(2, 9)
    assert market.events() == []


def test_a_tokens_events_are_those_of_its_last_call_and_in_pence(market: Market) -> None:
    market.token.approve("12 Elm Street", 5 * 10**16, sender="sunny")
    market.token.balanceOf("sunny")
    assert repr(market.token.events()).splitlines()[2].split() == ["sunny", "12", "Elm", "Street", "5.00", "p"]
    market["sunny"].deposit(7)
    (approval,) = market.token.events()
    assert approval.value == 7 * 10**16


# ---- odd calls -------------------------------------------------------------------------


def test_an_argument_that_is_not_asked_for_is_refused(market: Market) -> None:
    """A misspelt `sender` would make the call in somebody else's name."""
    assert said(lambda: market.withdraw(5, sendr="sunny")) == (
        "not done: withdraw takes amount, and not 'sendr'; who calls is sender="
    )
    assert said(lambda: market.clear("sunny", value=3)) == "not done: clear takes no ether: leave value=3 out"


@pytest.mark.parametrize("who", ["0x12", "0x" + 40 * "g", 5, None, b"sunny"])
def test_who_is_nobody_is_told(market: Market, who: Any) -> None:
    nobody = f"not done: {who!r} is nobody: name a household, or write 0x and 40 hexadecimal digits"
    assert said(lambda: market.account(who)) == nobody
    if who is not None:
        assert said(lambda: market.withdraw(5, sender=who)) == nobody


def test_a_party_of_another_market_is_told(market: Market) -> None:
    stranger = Market()["sunny"]
    line = "not done: sunny is of another market; the one of this market is market['sunny']"
    assert said(lambda: market.account(stranger)) == line
    assert said(lambda: market.withdraw(5, sender=stranger)) == line
    assert stranger.account().authorized


def test_a_market_holds_people(market: Market) -> None:
    assert list(market) == ["12 Elm Street", "sunny", "owner", "supplier"]
    assert "sunny" in market and "nemo" not in market
    market["sunny"].quote(2, 9)
    assert market[market.quote(1).prosumer].name == "sunny"


def test_what_a_hint_says_to_write_can_be_pasted(market: Market) -> None:
    elm, owner = market["12 Elm Street"], market["owner"]
    market.transfer_ownership(elm, sender=owner)
    with pytest.raises(CallRefused) as refused:
        market.accept_ownership(sender="sunny")
    assert refused.value.hint == 'the new owner is to be 12 Elm Street: sender="12 Elm Street"'
    market.accept_ownership(sender="12 Elm Street")
    with pytest.raises(CallRefused) as refused:
        owner.authorize("sunny", 12)
    assert refused.value.hint == 'that is 12 Elm Street, sender="12 Elm Street"; this call came from owner'


def test_a_hint_names_the_right_one_of_two_that_are_called_alike(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("period,household,load_wh,pv_wh\n0,owner,300,0\n0,market,200,1000\n0,class,1,1\n")
    market = Market(path)
    for name, written in {"owner": 'market.households["owner"]', "market": '"market"', "class": '"class"'}.items():
        household = market.households[name]
        market.revoke(household, sender="owner")
        with pytest.raises(CallRefused) as refused:
            household.quote(1, 9)
        assert refused.value.hint == f"owner.authorize({written}) lets it in"
        exec(f"owner.authorize({written})", {"owner": market["owner"], "market": market})
        assert household.quote(1, 9)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("quote", "'quote' by itself: write sunny.quote or market.quote"),
        ("match_bids", "'match_bids' by itself: write market.match_bids"),
        ("settle", "'settle' by itself: write owner.settle"),
        ("to", "'to' by itself: write clock.to"),
        ("suny", "'suny': is it sunny?"),
    ],
)
def test_what_somebody_does_is_told_where_it_stands_alone(market: Market, typed: str, line: str) -> None:
    names = {"market": market, "clock": market.clock, "owner": market["owner"], "sunny": market["sunny"], "quit": 1}
    error = NameError(f"name {typed!r} is not defined", name=typed)
    assert misspelt(error, names) == f"not done: nothing is called {line}"


def test_time_runs_one_way(market: Market) -> None:
    now = market.clock.now
    assert said(lambda: setattr(market.clock, "now", now - 60)).startswith(
        "not done: that is 60 s ago; time runs one way"
    )
    assert market.clock.now == now
    market.clock.now += 60
    assert market.clock.now == now + 60


def test_prices_and_people_are_shown_wherever_they_are_answered(market: Market) -> None:
    assert repr(market.SSP()) == f"18.00 p/kWh ({18 * 10**13})"
    assert repr(market.SERVICE_FEE()) == f"0.20 p/kWh ({2 * 10**12})"
    market["sunny"].quote(2, 9)
    assert repr(market.quote(1).prosumer) == repr(market["sunny"])
    assert repr(market.owner()) == repr(market["owner"]) and market.owner() == market["owner"]
    assert str(market.owner()).startswith("0x")
    assert market.account(market.quote(1).prosumer).authorized
    market.clear(market.quote(1).prosumer, sender=market.owner())


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda market: market["sunny"].meter.reed(1), "not done: sunny's meter has no 'reed': is it read?"),
        (lambda market: market.words("x"), "not done: 'x' is no list, as uint256[] is"),
        (lambda market: market.settle_accounts(1, 5), "not done: 5 is no list, as address[] is"),
        (
            lambda market: market.token.mint(value=5, sender="sunny"),
            "not done: sunny has 0 wei of ether, and value=5 was to be sent",
        ),
        (
            lambda market: market.token.redeem(5, sender="sunny"),
            "refused: erc20: burn amount exceeds balance (sunny holds 0.00 p outside the market)",
        ),
        (
            lambda market: setattr(market.clock, "period", 4),
            'not done: the period that runs is a matter of time: clock.to("DELIVERING", period) moves there',
        ),
    ],
)
def test_a_slip_is_one_line(market: Market, call: Any, line: str) -> None:
    assert said(lambda: call(market)) == line


def test_what_a_bill_says_is_explained(market: Market) -> None:
    explained = inspect.getdoc(market["sunny"].bill) or ""
    assert [field for field in BILL[1:] if not re.search(rf"\b{field}\b", explained)] == []
    assert "10**16" in explained and repr(Told(10**16, Display().money(10**16))) == "1.00 p"


# ---- other tariffs ---------------------------------------------------------------------


@pytest.mark.parametrize("tariff", [Tariff(sbp=6, ssp=18), Tariff(sbp=6e13), Tariff(ssp="18"), Tariff(sbp=-6)])  # type: ignore[arg-type]
def test_a_tariff_that_cannot_be_says_what_its_prices_are(tariff: Tariff) -> None:
    with pytest.raises(ValueError, match=r"no market opens with this tariff: .*10000000000000 for 1 p/kWh"):
        Market(tariff=tariff)


@pytest.mark.parametrize("wrong", [{"place": "Mars"}, {"place": "Europe"}, {"tariff": Tariff(sbp=-6)}, {"tariff": 3}])
def test_a_market_that_does_not_open_leaves_the_clock_of_another_alone(market: Market, wrong: dict[str, Any]) -> None:
    market.clock.now += 600
    now = market.clock.now
    with pytest.raises(ValueError, match=r"no zone|no market opens|a tariff is written"):
        Market(**wrong)
    assert market.clock.now == now


def test_connections_carry_in_proportion_to_the_period() -> None:
    market = Market(tariff=Tariff(period_length=300, window=100))
    assert market["sunny"].account().capacity == 11_500 // 6


def test_a_clock_serves_a_market_without_its_views(market: Market) -> None:
    plain = market._session.deployment.market.deployer.at(market.address)
    assert not hasattr(plain, "PERIOD_LENGTH")
    for contract in (plain, market._session.deployment.market, market.lens):
        clock = Clock.of(contract)
        assert (clock.period_length, clock.window) == (1800, 600)


def test_a_market_that_the_chain_took_back_says_so() -> None:
    with boa.env.anchor():
        market = Market()
    with pytest.raises(ValueError, match="no longer on the chain"):
        market.quote(1)


# ---- which period ----------------------------------------------------------------------


def test_who_quotes_nothing_is_metered_in_the_period_that_the_clock_was_moved_to(market: Market) -> None:
    sunny, clock = market["sunny"], market.clock
    period = clock.current()
    clock.to("METERING")
    assert clock.current() == period
    sunny.meter.read(imported=0.5)
    assert market.reading(sunny, period).imported == 500
    clock.to("SETTLING")
    market["owner"].settle()
    assert sunny.position().settled


def test_a_clock_that_was_moved_to_a_period_means_that_one_until_something_is_quoted(market: Market) -> None:
    sunny, clock = market["sunny"], market.clock
    first = market.quote(sunny.quote(2, 9)).period
    market.quote(sunny.quote(2, 9, period=first + 1))
    assert clock.current() == first + 1
    clock.to("METERING", first)
    sunny.meter.read(exported=1)
    assert market.reading(sunny, first).exported == 1000
    later = market.quote(sunny.quote(2, 9)).period
    assert clock.current() == later


def test_a_clock_that_the_chain_took_back_means_what_it_meant_before(market: Market) -> None:
    before = market.clock.current()
    with boa.env.anchor():
        market.clock.to("CLOSING", before + 9)
    assert market.clock.current() == before


def test_a_phase_of_an_open_period_is_not_passed_by_unasked(market: Market) -> None:
    sunny, clock = market["sunny"], market.clock
    first = market.quote(sunny.quote(2, 9)).period
    sunny.quote(2, 9, period=first + 1)
    assert said(lambda: clock.to("METERING")) == (
        f"not done: which period? METERING of {first!r} comes first, and its quote 1 is not settled: "
        f'clock.to("METERING", {int(first)}), or clock.to("METERING", {first + 1})'
    )
    clock.to("METERING", first + 1)
    clock.to("CLOSING")


def test_a_phase_that_is_past_says_which_is_next(market: Market) -> None:
    clock = market.clock
    now, next_one = clock.now, clock.period + 2
    line = said(lambda: clock.to("MATCHING", 1))
    assert line.startswith("not done: MATCHING of period 1 (1970-01-01 01:30 +0100) began ")
    assert f'the next is clock.to("MATCHING", {next_one - 1}), at 2019-06-21 00:20:00 +0100' in line
    assert clock.now == now
    clock.to("MATCHING", next_one - 1)


@pytest.mark.parametrize(
    "asked",
    [
        lambda market: market["sunny"].position(1),
        lambda market: market.clock.phase(1),
        lambda market: market.clock.to("METERING", 1),
        lambda market: market.position("sunny", 1),
        lambda market: market.reading("sunny", period=1),
        lambda market: market.phase(1),
        lambda market: market.settle_account("sunny", 1, sender="owner"),
    ],
)
def test_the_id_of_a_quote_is_no_period(market: Market, asked: Any) -> None:
    market["sunny"].quote(2, 9)
    period = repr(market.clock.current())
    assert said(lambda: asked(market)) == (
        f"not done: period 1 (1970-01-01 01:30 +0100) is long over; quote 1 is of period {period}"
    )


def test_a_refusal_names_the_period_whose_turn_it_is(market: Market) -> None:
    sunny, clock = market["sunny"], market.clock
    first = market.clock.current()
    clock.to("METERING", first)
    later = market.quote(sunny.quote(2, 9)).period
    line = said(lambda: sunny.meter.read(imported=1))
    assert line.endswith(f"clock.to('METERING', {int(later)}); in METERING now is period={int(first)})")
    sunny.meter.read(imported=1, period=first)
    line = said(lambda: sunny.quote(2, 9, period=first))
    assert line.endswith(f"submit_quote needs BIDDING, which is over; in BIDDING now is period={int(later)})")


# ---- what is answered ------------------------------------------------------------------


def test_a_part_of_a_table_is_a_table_and_what_it_has_not_is_one_line(market: Market) -> None:
    bills = market.bills()
    assert repr(bills[:1]).splitlines()[0] == "Bill" and len(bills[:1]) == 1
    assert repr(bills[0]).startswith("Bill\n  household")
    assert said(lambda: bills.saving) == (
        "not done: a table has no 'saving', but its rows may: [row.saving for row in ...]"
    )
    assert said(lambda: bills.power) == "not done: a table has no 'power'"
    assert said(lambda: bills["sunny"]) == (
        "not done: the rows of a table are numbered from 0, and none is called 'sunny'"
    )


def test_a_notebook_shows_the_text_of_a_list_that_is_empty_or_holds_no_structs(market: Market) -> None:
    market["sunny"].quote(2, 9)
    for answer in (market.trades(1), market.words([0, 1]), market.bills()[:0]):
        assert answer._repr_html_() is None, answer
    assert repr(market.trades(1)) == "[]"


def test_answers_and_people_can_be_copied(market: Market) -> None:
    sunny = market["sunny"]
    sunny.quote(2, 9)
    quote = market.quote(1)
    assert repr(copy.deepcopy(quote)) == repr(quote) and copy.deepcopy(quote) == quote
    assert copy.copy(sunny) is sunny and copy.deepcopy(market.households)["sunny"] is sunny


def test_an_address_that_is_answered_has_the_name_of_who_has_it(market: Market) -> None:
    market["sunny"].quote(2, 9)
    assert market.quote(1).prosumer.name == "sunny"
    assert market.quote(1).prosumer in market and "0x" + "1" * 40 not in market


def test_a_quote_is_named_by_a_whole_number_of_numpy(market: Market) -> None:
    market["sunny"].quote(2, 9)
    assert market.quote(numpy.int64(1)) == market.quote(1)
    market["12 Elm Street"].bid(numpy.uint8(1), kwh=1, price=10)
    assert market.bid(1, "12 Elm Street").status


@pytest.mark.parametrize(
    "call",
    [
        lambda market: market.clock.to("METERING", market.quote(1)),
        lambda market: market["12 Elm Street"].bid(market.quote(1), 1, 10),
        lambda market: market.account(market.quote(1)),
    ],
)
def test_a_struct_in_the_place_of_a_number_is_told_in_one_line(market: Market, call: Any) -> None:
    market["sunny"].quote(2, 9)
    assert said(lambda: call(market)).startswith("not done: ")


@pytest.mark.parametrize(
    ("slip", "line"),
    [
        (lambda market: market["sunny"].account.balance, "account is a call, account(), and has no 'balance'"),
        (lambda market: market.bills.saving, "bills is a call, bills(), and has no 'saving'"),
        (lambda market: market["sunny"].meter.read.exported, "and has no 'exported'"),
    ],
)
def test_a_call_that_was_not_made_is_told(market: Market, slip: Any, line: str) -> None:
    with pytest.raises(AttributeError) as problem:
        slip(market)
    assert (uncalled(problem.value) or "").endswith(line)


def test_a_mistake_of_somebody_elses_is_no_call_that_was_not_made() -> None:
    for slip in (lambda: copy.copy.it, lambda: "".upper.it, lambda: "".it):  # type: ignore[attr-defined]
        with pytest.raises(AttributeError) as problem:
            slip()
        assert uncalled(problem.value) is None


def test_a_household_says_what_it_does(market: Market) -> None:
    explained = inspect.getdoc(market["sunny"]) or ""
    assert [deed for deed in dir(market["sunny"]) if not deed.startswith("_") and deed not in explained] == [
        "carried",
        "name",
    ]


def test_a_tariff_shows_its_prices_as_all_amounts_are(market: Market) -> None:
    assert repr(market.tariff).startswith(f"Tariff(sbp=6.00 p/kWh ({6 * 10**13}), ssp=18.00 p/kWh ({18 * 10**13}), ")
    assert market.tariff == Tariff()


@pytest.mark.parametrize(
    ("tariff", "doubt"),
    [
        (Tariff(sbp=6), "sbp is 0.0000000000006 p/kWh: is this meant? 1 p/kWh is 10**13 base units per Wh"),
        (Tariff(sbp=6, ssp=18, service_fee=0), "sbp is 0.0000000000006 p/kWh, ssp is 0.0000000000018 p/kWh: is this"),
        (Tariff(ssp=18 * 10**16), "ssp is 18000.00 p/kWh: is this meant?"),
    ],
)
def test_prices_that_hardly_anybody_means_are_asked_about(
    tariff: Tariff, doubt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Market(tariff=tariff)
    assert capsys.readouterr().err.startswith(f"tariff: warning: {doubt}")


def test_prices_that_somebody_may_mean_are_not_asked_about() -> None:
    assert [doubted(tariff) for tariff in (Tariff(), Tariff(sbp=0, service_fee=0), Tariff(ssp=99 * 10**13))] == [
        None
    ] * 3


def test_quotes_and_bids_are_listed(market: Market) -> None:
    sunny, elm = market["sunny"], market["12 Elm Street"]
    assert market.quotes() == [] == market.bids(1)
    first = market.quote(sunny.quote(2, 9)).period
    market["sunny"].quote(1, "9.5", period=first + 1)
    elm.bid(2, kwh=1, price=10)
    assert [(quote.quote_id, quote.price) for quote in market.quotes()] == [(1, 9 * 10**13), (2, 95 * 10**12)]
    assert repr(market.quotes()).splitlines()[1].split() == ["quote_id", *market.quote(1)._fields]
    assert [quote.quote_id for quote in market.quotes(first + 1)] == [2]
    assert [(bid.bidder, bid.status.name) for bid in market.bids(2)] == [(elm, "CREATED")]
    assert "12 Elm Street" in repr(market.bids(2)) and market.bids(1) == []
    assert said(lambda: market.quotes(1)).endswith(f"quote 1 is of period {first}")
