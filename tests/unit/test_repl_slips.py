"""The REPL after a slip: one line that says what was meant, and a refusal that says what is missing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import boa
import pytest

from wattproof import repl
from wattproof.play.slips import told
from wattproof.terms.model import NEEDED

ENTRY_POINTS = {
    *("submit_quote", "invalidate_quote", "submit_bid", "reveal_bid", "match_bids", "buy_surplus"),
    *("submit_reading", "submit_readings", "settle_quote", "settle_account", "settle_accounts"),
}


@pytest.fixture(scope="module")
def opened() -> dict[str, Any]:
    return repl.namespace()


@pytest.fixture
def names(opened: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The REPL's names; what is done with them is undone."""
    with boa.env.anchor():
        yield dict(opened)
    for household in opened["households"].values():
        household._sealed.clear()


def said(line: str, names: dict[str, Any]) -> str:
    """The line that the REPL shows after this one, which is not done."""
    with pytest.raises(Exception) as problem:
        exec(line, names)
    answer = told(problem.value)
    assert answer is not None, problem.value
    assert "\n" not in answer
    return answer


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("cloudy.reveal(2)", "not done: cloudy has sealed no bid on quote 2"),
        ('clock.to("LUNCH")', "not done: there is no phase 'LUNCH': name one of BIDDING, REVEALING, MATCHING, "),
        ('clock.to("REVEALING", "x")', "not done: a period must be a whole number, not 'x'"),
        ('clock.phase("x")', "not done: a period must be a whole number, not 'x'"),
        ('clock.now = "noon"', "not done: a second must be a whole number, not 'noon'"),
        ('market.account("sunni")', "not done: nobody is called 'sunni': is it sunny"),
        ('market.authorize("nemo", 5, sender=owner)', "not done: nobody is called 'nemo'"),
        ('market.clear("sunny", sender="ownr")', "not done: nobody is called 'ownr': is it owner?"),
        ("market.quote()", "not done: quote takes quote_id"),
        ("market.quote(1, 2)", "not done: quote takes quote_id"),
        ("market.quote(1, quote_id=1)", "not done: quote takes quote_id"),
        ("market.quote(number=1)", "not done: quote takes quote_id"),
        ('market.quote("x")', "not done: 'x' is no whole number from 0 to below 2**256"),
        ("market.quote(-1)", "not done: -1 is no whole number from 0 to below 2**256"),
        ("market.quotte(1)", "not done: EnergyMarket has no 'quotte': is it quote"),
        (
            "sunny.quote(2)",
            "not done: quote() missing 1 required positional argument: 'price': it is quote(kwh, price, period=None)",
        ),
        ("sunny.quote(kwh=2, cost=9)", "not done: quote() got an unexpected keyword argument 'cost': it is quote(kwh"),
        (
            "sunny.meter.read(1, 2, 3, 4)",
            "not done: read() takes from 1 to 4 positional arguments but 5 were given: it",
        ),
        ("clock.to()", "not done: to() missing 1 required positional argument: 'phase': it is to(phase, period=None)"),
        ("clock.too('METERING')", "not done: the clock has no 'too': is it to?"),
        ("sunny.qoute(1, 2)", "not done: sunny has no 'qoute': is it quote?"),
        ("sunny.power", "not done: sunny has no 'power': it has account, bid, bill, buy, "),
        ("owner.setle()", "not done: owner has no 'setle': is it settle?"),
        ("sunny.account().ballance", "not done: Account has no 'ballance': is it balance?"),
        ("households['Sunny']", "not done: there is no household 'Sunny': is it sunny?"),
        ("households.sunny", "not done: households has no 'sunny': write households['sunny']"),
        ("market['suny']", "not done: nobody is called 'suny': is it sunny?"),
        (
            "market.owner.settle()",
            "not done: owner is a call, owner(), and has no 'settle'; the party is market[\"owner\"]",
        ),
        ("market.settle_accounts(1, ['suny'], sender=owner)", "not done: nobody is called 'suny': is it sunny?"),
        ("market.submit_readings(1, [('suny', 1, 1, b'')])", "not done: nobody is called 'suny': is it sunny?"),
        ("cloudy.reveal([1])", "not done: cloudy has sealed no bid on quote [1]"),
        ('clock.next_quotable("x")', "not done: a second must be a whole number, not 'x'"),
        (
            "clock.now = 1561072200000",
            "not done: second 1561072200000 is more than a century ahead: is this in milliseconds?",
        ),
        ("token.mint(value=-1, sender=sunny)", "not done: value=-1 is no whole number, 0 or more"),
        ('token.mint(value="1", sender=sunny)', "not done: value='1' is no whole number, 0 or more"),
        ("token.mint(value=1.5, sender=sunny)", "not done: value=1.5 is no whole number, 0 or more"),
        ('market.clear(sunny, gas="much", sender=sunny)', "not done: gas='much' is no whole number, 0 or more"),
        ("sunny.quote('two', 9)", "not done: an amount in kWh must be a plain number such as 7.35, not 'two'"),
    ],
)
def test_own_slips_get_one_line(line: str, answer: str, names: dict[str, Any]) -> None:
    assert said(line, names).startswith(answer)


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("market.events(5)", "get_logs()"),
        ("owner.deposit()", "deposit(pence)"),
        ("sunny.withdraw(1, 2)", "withdraw(pence=None)"),
        ("sunny.account(1)", "account()"),
        ("clock.begins()", "begins(phase, period=None)"),
    ],
)
def test_what_a_call_takes_is_said_once(line: str, taken: str, names: dict[str, Any]) -> None:
    answer = said(line, names)
    assert answer.startswith(f"not done: {taken.partition('(')[0]}() ")
    assert answer.endswith(f": it is {taken}")
    assert answer.count(": it is ") == 1


def test_names_stand_for_addresses_and_arguments_have_names(names: dict[str, Any]) -> None:
    market, sunny = names["market"], names["sunny"]
    period = names["clock"].next_quotable()
    assert market.account("sunny") == market.account(sunny)
    market.submit_quote(period=period, price=names["tariff"].lowest_price, volume=100, sender="sunny")
    assert market.quote(1).prosumer == sunny
    assert str(inspect.signature(market.submit_quote)) == "(period, volume, price, *, sender=None)"
    assert names["clock"].to("revealing") == names["clock"].begins("REVEALING", period)


def test_a_refusal_says_what_is_missing(names: dict[str, Any]) -> None:
    sunny, clock = names["sunny"], names["clock"]
    assert said("sunny.buy(1)", names) == "refused: quotes: unknown quote (no quote 1: nothing was quoted yet)"
    assert said("sunny.quote(2, 30)", names) == (
        "refused: quotes: price out of band (30.00 p/kWh is not from 6.20 p/kWh to 17.80 p/kWh)"
    )
    assert said("sunny.quote(20, 9)", names) == (
        "refused: quotes: volume out of bounds (20.000 kWh is not from 0.001 kWh to 11.500 kWh)"
    )
    sunny.quote(2, 9)
    names["cloudy"].bid(1, 1.5, 11)
    period = clock.current()
    line = said("market.match_bids(1)", names)
    assert line.startswith(f"refused: clock: wrong phase (period {period} is in BIDDING; match_bids needs MATCHING or ")
    assert line.endswith(f" at {clock.begins('MATCHING', period)}: clock.to('MATCHING', {int(period)}))")
    assert (
        said("market.match_bids(2)", names)
        == "refused: quotes: unknown quote (no quote 2 yet: quotes are numbered from 1 to 1)"
    )
    assert said("mild.buy(1)", names) == "refused: quotes: not matched (quote 1 is VALID: match_bids first)"
    clock.to("REVEALING")
    assert said("misty.bid(1, 1, 11)", names) == (
        f"refused: clock: wrong phase (period {period} is in REVEALING; submit_bid needs BIDDING, which is over)"
    )
    names["cloudy"].withdraw("9990")
    assert said("cloudy.reveal(1)", names) == (
        "refused: ledger: insufficient balance (10.00 p is free, 16.80 p is needed)"
    )
    clock.to("MATCHING")
    names["market"].match_bids(1)
    assert said("misty.buy(1, kwh=0.01)", names) == (
        "refused: surplus: volume too small (2.000 kWh is left, the least is 0.032 kWh)"
    )
    assert said("misty.buy(1, kwh=3)", names) == "refused: surplus: not enough left (2.000 kWh is left)"
    names["market"].revoke("misty", sender="owner")
    assert said("misty.buy(1)", names) == "refused: accounts: not authorised (owner.authorize(misty) lets it in)"


def test_settling_nothing_says_so(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    names["sunny"].quote(2, 9)
    period = names["clock"].current()
    names["owner"].settle(period - 3)
    assert capsys.readouterr().out == (
        f"nothing to settle in period {period - 3} (2019-06-20 23:00 +0100); where none is named, it is {period}\n"
    )
    assert said("owner.settle(1)", names).endswith(f"is long over; quote 1 is of period {period}")
    assert said("cloudy.bid('1', 1, 9)", names) == "not done: '1' is no whole number from 0 to below 2**256: write 1"
    names["owner"].settle()
    assert capsys.readouterr().out == (
        f"nothing to settle in period {period}: match its quotes first, market.match_bids(1); it is in BIDDING, "
        "and SETTLING begins at 2019-06-21 01:10:00 +0100 (1561075800)\n"
    )


def test_every_entry_point_with_a_phase_is_explained(names: dict[str, Any]) -> None:
    assert NEEDED.keys() == ENTRY_POINTS
    assert set(dir(names["market"])) >= ENTRY_POINTS


def test_settling_again_says_that_all_is_settled(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    clock, owner = names["clock"], names["owner"]
    names["sunny"].quote(2, 9)
    period = clock.current()
    clock.to("MATCHING")
    names["market"].match_bids(1)
    clock.to("METERING")
    names["sunny"].meter.read(exported=2, imported=0)
    clock.to("SETTLING")
    owner.settle()
    assert capsys.readouterr().out == ""
    owner.settle()
    assert capsys.readouterr().out == f"nothing to settle in period {period}: all of it is settled\n"
