"""A market in a script or a notebook: people by name, what is shown, and one line for whatever is not done."""

from __future__ import annotations

import copy
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import wattproof
from tests.support.notebooks import code_cells, outputs
from wattproof import CallRefused, Market, Tariff
from wattproof.market.units import Display
from wattproof.play.completion import offered
from wattproof.play.shown import Rows, Show, Told
from wattproof.repl import misspelt
from wattproof.terms.model import QuoteStatus, QuoteView

EXAMPLE = Path(__file__).parents[2] / "examples" / "market.ipynb"


@pytest.fixture(scope="module")
def opened() -> Market:
    return Market()


@pytest.fixture
def market(opened: Market) -> Iterator[Market]:
    """A market; what is done with it is undone."""
    history = list(opened._session.history)
    with boa.env.anchor():
        yield opened
    opened._session.history[:] = history
    for household in opened.households.values():
        household._sealed.clear()


# ---- the interface ---------------------------------------------------------------------


def test_the_package_alone_imports_no_compiler_and_no_ipython() -> None:
    code = "import wattproof, sys; assert not {'boa', 'vyper', 'IPython', 'wattproof.play'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_package_offers_three_names() -> None:
    assert {getattr(wattproof, name) for name in wattproof.__all__} == {CallRefused, Market, Tariff}
    with pytest.raises(AttributeError, match="has no attribute 'Markt'"):
        _ = wattproof.Markt  # type: ignore[attr-defined]


def test_people_are_found_by_name(market: Market) -> None:
    assert market["sunny"] is market.households["sunny"]
    assert market["owner"] == market.owner()
    assert market["supplier"] == market.frame().supplier
    assert set(market._ipython_key_completions_()) >= {"sunny", "owner", "supplier"}


def test_names_stand_for_addresses_however_deep(market: Market) -> None:
    period = market.clock.next_quotable()
    market.clock.to("METERING", period)
    meter = market["sunny"].meter
    signature = meter.sign_reading(market, "sunny", period, 100, 0)
    assert market.submit_readings(period, [("sunny", 100, 0, signature)]) == 1
    market.clock.to("SETTLING", period)
    assert market.settle_accounts(period, ["sunny", "cloudy"], sender="owner") == 1
    assert [type(event).__name__ for event in market.events()] == ["AccountSettled", "AccountRefused"]


def test_a_market_of_ones_own_households_place_and_prices(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("period,household,load_wh,pv_wh\n0,one,100,200\n0,12 Elm Street,100,200\n")
    market = Market(str(path), Tariff(ssp=200_000_000_000_000), "Europe/Zurich")
    assert list(market.households) == ["one", "12 Elm Street"]
    assert repr(market.clock.now) == "2019-06-21 01:00:00 +0200 (1561071600)"
    assert market["12 Elm Street"].quote(kwh=0.1, price=19.8) == 1


def test_calls_take_what_they_say(market: Market) -> None:
    call = market.submit_quote
    assert (
        str(inspect.signature(call))
        == str(inspect.signature(call.__call__))
        == "(period, volume, price, *, sender=None)"
    )
    assert repr(call) == "<call submit_quote(period, volume, price)>"
    assert "reserves the collateral" in (call.__doc__ or "")


# ---- what is not done --------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"households": "nowhere.csv"},
        {"households": 3},
        {"tariff": Tariff(sbp=5, ssp=4)},
        {"tariff": Tariff(sbp=-5)},
        {"tariff": "cheap"},
        {"place": "Mars"},
        {"household": "one.csv"},
    ],
)
def test_a_market_that_cannot_be_opened_is_told_in_one_line(arguments: dict[str, Any]) -> None:
    assert "\n" not in shown_in_a_notebook(lambda: Market(**arguments))


def shown_in_a_notebook(call: Any) -> str:
    """What a notebook shows instead of a trace."""
    with pytest.raises(Exception) as problem:
        call()
    (line,) = problem.value._render_traceback_()  # type: ignore[attr-defined]
    return line


@pytest.mark.parametrize("name", ["window", "period_length", "phase", "perod", "to"])
def test_nothing_of_a_clock_is_set_but_its_time(name: str, market: Market) -> None:
    """It would tell, and move to, the wrong times."""
    line = shown_in_a_notebook(lambda: setattr(market.clock, name, 300))
    assert line.startswith(f"not done: the clock's {name} cannot be set: clock.to(")
    assert (market.clock.window, market.clock.period_length) == (600, 1800)


def test_a_notebook_shows_one_line_for_whatever_is_not_done(market: Market) -> None:
    sunny, clock = market["sunny"], market.clock
    assert shown_in_a_notebook(lambda: sunny.quote(2, 30)).startswith("refused: quotes: price out of band (30.00 p/kWh")
    assert shown_in_a_notebook(lambda: clock.to("LUNCH")).startswith("not done: there is no phase 'LUNCH'")
    assert shown_in_a_notebook(lambda: market.account("suny")) == "not done: nobody is called 'suny': is it sunny?"
    assert shown_in_a_notebook(lambda: market["suny"]) == "not done: nobody is called 'suny': is it sunny?"
    assert shown_in_a_notebook(lambda: market[["suny"]]).startswith("not done: nobody is called ['suny']")  # type: ignore[index]
    assert shown_in_a_notebook(lambda: market.sunny) == 'not done: people are found by their names: market["sunny"]'
    assert shown_in_a_notebook(lambda: sunny.reveal(2)) == "not done: sunny has sealed no bid on quote 2"
    signed = {"profile": bytes(32), "meter": "sunny", "signature": bytes(66), "sender": "sunny"}
    assert shown_in_a_notebook(lambda: market.register(**signed)).startswith("refused: no reason given: an argument is")
    assert shown_in_a_notebook(lambda: market.quote(-1)).startswith("not done: -1 is no whole number")
    assert shown_in_a_notebook(lambda: setattr(clock, "now", "x")).startswith("not done: a second must be a whole")
    assert shown_in_a_notebook(lambda: market.quote(1).prize) == "not done: Quote has no 'prize': is it price?"
    assert shown_in_a_notebook(lambda: sunny.quote(2)).endswith("it is quote(kwh, price, period=None)")


def test_a_refusal_in_a_script_is_one_line(market: Market) -> None:
    with pytest.raises(CallRefused) as refused:
        market["sunny"].quote(2, 30)
    assert refused.value.reason == "quotes: price out of band"
    assert refused.value.hint == "30.00 p/kWh is not from 6.20 p/kWh to 17.80 p/kWh"
    with boa.reverts("quotes: price out of band"):
        market["sunny"].quote(2, 30)


def test_a_misspelt_name_is_told() -> None:
    names = {"sunny": 1, "_hidden": 2}

    def line(code: str) -> str | None:
        with pytest.raises(Exception) as problem:
            eval(code, {})
        return misspelt(problem.value, names)

    assert line("Sunny") == "not done: nothing is called 'Sunny': is it sunny?"
    assert line("REVEALING") == 'not done: a phase is a text, as in clock.to("REVEALING")'
    assert line("whatever") is None
    assert line("1 / 0") is None


# ---- what is shown -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counted", "written"),
    [
        (False, ("0.0000000000000007 p", "0.0000000000007 p/kWh", "0.007 kWh")),
        (True, ("7 base units", "7 base units/Wh", "7 Wh")),
    ],
)
def test_display_rounds_nothing_away(counted: bool, written: tuple[str, str, str]) -> None:
    display = Display(counted)
    assert (display.money(7), display.price(7), display.energy(7)) == written


def test_display_is_short_where_it_can_be() -> None:
    display = Display()
    assert display.money(-99829750000000000000) == "-9982.975 p"
    assert display.money(0) == "0.00 p"
    assert display.price(9 * 10**13) == "9.00 p/kWh"
    assert Display(True).money(1) == "1 base unit"
    assert Display(True).energy(Told(7, "seven")) == "7 Wh"


@pytest.mark.parametrize(("ssp", "counted"), [(18, True), (18 * 10**13, False), (10**10, False), (10**10 - 1, True)])
def test_a_market_is_counted_where_its_prices_are_tiny(ssp: int, counted: bool) -> None:
    assert Display.of(ssp).counted is counted


def test_times_are_local_with_the_number_beside_it() -> None:
    show = Show(Display(), {}, 1800)
    assert show.period(867262) == "867262 (2019-06-21 00:00 +0100)"
    assert show.moment(1_561_073_400) == "2019-06-21 00:30:00 +0100 (1561073400)"
    assert show.moment(2**200) == str(2**200)  # no calendar reaches there
    assert Show(Display(), {}, 1800, "Asia/Tokyo").moment(0) == "1970-01-01 09:00:00 +0900 (0)"


def test_times_and_amounts_stay_numbers(market: Market) -> None:
    market["sunny"].quote(2, 9)
    quote = market.quote(1)
    assert quote == (market["sunny"], 867263, 2000, 9 * 10**13, 1_561_071_600, 0, QuoteStatus.VALID)
    assert repr(quote.period) == "867263 (2019-06-21 00:30 +0100)"
    assert repr(quote.price) == "9.00 p/kWh (90000000000000)"
    assert repr(market.clock.current()) == repr(quote.period)
    assert quote.period + 1 == 867264 and isinstance(quote.period, Told)
    assert repr(copy.deepcopy(quote.price)) == repr(quote.price)
    assert repr(market.remaining(1)) == "0.000 kWh (0)"
    assert repr(market.token.balanceOf(market.address)) == f"110000.00 p ({11 * 10**20})"


def test_structs_and_lists_of_them_are_tables_in_a_notebook(market: Market) -> None:
    market["sunny"].quote(2, 9)
    shown = market.quote(1)._repr_html_()
    assert shown.startswith("<table><caption>Quote</caption><tr><th>prosumer</th><td>sunny</td></tr>")
    market["cloudy"].bid(1, 2, 11)
    market.clock.to("REVEALING")
    market["cloudy"].reveal(1)
    market.clock.to("MATCHING")
    market.match_bids(1)
    assert (
        market.trades(1)
        ._repr_html_()
        .endswith(
            "<tr><th>buyer</th><th>volume</th><th>price</th></tr>"
            "<tr><td>cloudy</td><td>2.000 kWh</td><td>11.00 p/kWh</td></tr></table>"
        )
    )
    assert market.trades(1) == [(market["cloudy"], 2000, 11 * 10**13)]
    assert market.trades(9) == [] and repr(market.trades(9)) == "no quote 9 yet: quotes are numbered from 1 to 1"


def test_a_name_is_no_markup() -> None:
    show = Show(Display(), {"0x1": "<b>Anna</b>"}, 1800)
    event = show.struct(boa_like("0x1"))
    assert "<td>&lt;b&gt;Anna&lt;/b&gt;</td>" in event._repr_html_()
    assert "<td>&lt;b&gt;Anna&lt;/b&gt;</td>" in str(Rows([event])._repr_html_())


def boa_like(user: str) -> Any:
    """A named tuple, as events are."""
    from collections import namedtuple

    return namedtuple("Registered", ["user"])(user)


def test_bills_tell_what_the_market_saved(market: Market) -> None:
    sunny, cloudy, owner, clock = market["sunny"], market["cloudy"], market["owner"], market.clock
    misty = market["misty"]
    sunny.quote(2, 9)
    misty.quote(1, 9)
    misty.invalidate(2)
    cloudy.withdraw(50)
    clock.to("MATCHING", 867263)
    market.match_bids(1)
    cloudy.buy(1, 1)
    clock.to("METERING", 867263)
    sunny.meter.read(exported=2, period=867263)
    cloudy.meter.read(imported=1.5, period=867263)
    clock.to("SETTLING", 867263)
    owner.settle(867263)
    bill = cloudy.bill()
    # 1 kWh at 9 p and 0.5 kWh of the grid at 18 p; the fee is waived for nobody: 0.2 p.
    assert (bill.household, bill.imported, bill.bought) == (cloudy, 1500, 1000)
    assert bill.paid == 9 * 10**16
    assert bill.grid == -9 * 10**16
    assert bill.market == bill.paid + bill.fees - bill.grid
    assert bill.grid_alone == 27 * 10**16
    assert bill.saving == bill.grid_alone - bill.market
    rows = {row.household: row for row in market.bills()}
    assert rows[cloudy].saving == bill.saving
    assert rows[sunny].sold == 1000
    assert rows[misty].market == 0


def test_the_example_notebook_runs_and_shows_what_stands_in_it() -> None:
    notebook = json.loads(EXAMPLE.read_text())
    assert outputs(notebook) == [cell["outputs"] for cell in code_cells(notebook)]


# ---- the tab key -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "typed", "words"),
    [
        ('clock.to("', "", ["REVEALING", "MATCHING", "DELIVERING", "METERING", "SETTLING", "CLOSING"]),
        ("market.clock.begins('me", "me", ["METERING"]),
        ('clock.to(phase="SE', "SE", ["SETTLING"]),
        ('market.account("su', "su", ["sunny", "supplier"]),
        ('market.submit_quote(clock.period(), 2, 3, sender="mis', "mis", ["misty"]),
        ("market.quote(1).pr", "pr", ["prosumer", "price"]),
        ("market.trades(1)[0].", "", ["buyer", "volume", "price"]),
        ("market['sunny'].account().re", "re", ["reserved"]),
        ("sunny.position().", "", ["agreed", "bought", "received", "delivered", "open", "settled"]),
        ("sunny.bill().sa", "sa", ["saving"]),
    ],
)
def test_the_tab_key_offers_phases_people_and_fields(market: Market, line: str, typed: str, words: list[str]) -> None:
    assert offered(line, {"market": market, "clock": market.clock, "sunny": market["sunny"]}) == (typed, words)


def test_the_extension_serves_a_shell_once(market: Market) -> None:
    shell = InteractiveShell(user_ns={"market": market}, config=Config({"HistoryManager": {"enabled": False}}))
    for _ in range(2):
        wattproof.load_ipython_extension(shell)
    with provisionalcompleter():
        found = [completion.text for completion in shell.Completer.completions("market.quote(1).", 16)]
    assert sorted(found) == sorted(QuoteView._fields)
    assert len(shell.Completer.custom_matchers) == 1


@pytest.mark.parametrize("line", ["", "print(", 'open("', "x.y", '"sunny'])
def test_the_tab_key_is_left_alone_elsewhere(line: str) -> None:
    assert offered(line, {}) is None


def test_what_is_listed_first_is_what_people_can_do(market: Market) -> None:
    listed = [name for name in dir(market["sunny"]) if not name.startswith("_")]
    assert {"quote", "bid", "reveal", "buy", "meter", "bill"} <= set(listed)
    assert not {"upper", "encode", "zfill"} & set(listed)
    assert {"quote", "submit_quote", "bills", "clock"} <= set(dir(market))
    assert not {"bytecode", "unoptimized_ir"} & set(dir(market))
    market["sunny"].quote(2, 9)
    assert sorted(dir(market.quote(1))) == sorted(market.quote(1)._fields)
