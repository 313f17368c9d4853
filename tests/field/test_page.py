"""The page as a visitor has it: what is to be read, on a phone and a laptop, in light and dark, by keyboard, by ear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.page import SIZES, Place, Visit, chromium, half_hours
from wattproof.market.units import PENCE, exactly, format_energy, format_money, format_price
from wattproof.store.records import Alarm

HOSTILE = "<img src=x onerror=\"window.pwned=1\"><b id='bold'>7</b>"
ALARM = Alarm("C1-MONEY-1", f"short of 1 base unit {HOSTILE}", f"sunny quotes\n{HOSTILE}", "sunny.quote()")
STILL_OPEN = ("reveal", 4)
VIEWS = ("", "#/household", "#/household/{sunny}", "#/proof")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    yield from chromium()


@pytest.fixture(scope="module")
def place(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Five half-hours around noon; the last one's bids are just opened."""
    place = Place(f"sqlite:///{tmp_path_factory.mktemp('page')}/day.db")
    place.play(half_hours(22, 27), STILL_OPEN)
    with place.served():
        yield place


@pytest.fixture
def alarmed(browser: Any, tmp_path: Path) -> Iterator[Place]:
    """A market of which an alarm is told that wants to be more than text."""
    place = Place(f"sqlite:///{tmp_path}/alarmed.db")
    place.play(half_hours(24, 25), ("bid", 0))
    place.follow([ALARM])
    with place.served():
        yield place


def minus(text: str) -> str:
    """As the page writes a number: with a minus sign, and thousands set apart."""
    return re.sub(r"\B(?=(\d{3})+(?!\d)(?=\.))", ",", text).replace("-", "−")


def pence(base_units: int) -> str:
    """A sum in a column of pence."""
    return minus(format_money(base_units)).removesuffix(" p")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_view_fits_and_stays_to_itself(browser: Any, place: Place, size: str, scheme: str) -> None:
    with Visit(browser, place.address, size, scheme) as visit:
        for view in VIEWS:
            visit.go(view.format(sunny=place.household("sunny")))
            width, room = visit.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert width <= room, f"{view} is {width} pixels wide in {room}"
            ground = visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            brightness = sum(map(int, re.findall(r"\d+", ground)[:3]))
            assert (brightness > 600) == (scheme == "light")
            widths = visit.page.eval_on_selector_all("main svg", "all => all.map(svg => svg.clientWidth)")
            assert all(width >= 20 for width in widths)
        visit.check_quiet()


def test_the_community_shows_what_is_traded(browser: Any, place: Place) -> None:
    period = place.first + 3
    books = place.trading.books
    with Visit(browser, place.address) as visit:
        visit.go(f"#/?period={period}", "The community")
        mine = [quote for quote in books.quotes.items() if quote[1].period == period]
        shown = visit.cells("Quotes")
        assert mine and len(shown) == len(mine)
        for number, quote in mine:
            row = next(row for row in shown if row[0] == str(number))
            assert row[2] == format_price(quote.price).removesuffix(" p/kWh")
            assert row[3] == format_energy(quote.volume).removesuffix(" kWh")
            assert row[-1] == "matched"
        assert "won" in {row[-1] for row in visit.cells("Bids")}
        trades = [trade for _, quote in mine for trade in quote.trades]
        assert f"Trades ({len(trades)})" in visit.text()
        visit.check_quiet()


def test_the_half_hour_of_now_is_shown_with_its_phase_and_what_is_left(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        visit.go()
        now = visit.text("section[aria-labelledby=now-title]")
        # The last step was taken in the first second of REVEALING.
        assert "03:00–03:30 REVEALING: bidders open their sealed bids. 10 min 00 s left, then MATCHING" in now
        assert "DELIVERING: the energy flows. 20 min 00 s left, then METERING" in now
        assert "BST by the chain's clock, which stands at its last block" in now
        assert "Half-hour 03:00–03:30" in visit.text()
        statuses = {row[-1] for row in visit.cells("Bids")}
        assert statuses <= {"opened", "sealed"} and "opened" in statuses
        assert "Times are in your zone, Europe/London" in visit.text("footer")


def test_the_day_is_drawn_and_summed(browser: Any, place: Place) -> None:
    bills = place.trading.bills.values()
    with Visit(browser, place.address) as visit:
        visit.go()
        saved, alone = sum(bill.saving for bill in bills), sum(bill.grid_alone for bill in bills)
        assert saved > 0
        day = visit.text("section[aria-labelledby=day-title]")
        assert f"Saved by the market\n{minus(format_money(saved))}\n" in day
        assert f"of {minus(format_money(alone))} with the grid alone" in day
        for title in ("Supply and demand", "Prices", "Supply-demand ratio", "Local share"):
            drawing = visit.page.get_by_role("img", name=title)
            assert drawing.locator(".step, .bar").count() > 0, title
        visit.page.get_by_text("Figures as a table: Prices").click()
        assert len(visit.cells("Prices (p/kWh)")) == 5
        visit.page.get_by_text("Indices of the day").click()
        visit.page.get_by_role("rowheader", name="Value tapped").wait_for()
        visit.check_quiet()


def test_a_household_reads_its_bill(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        for name in ("sunny", "cloudy"):
            bill, account = place.trading.bill(name), place.trading.books.balances[place.household(name)]
            visit.go(f"#/household/{place.household(name)}", "Household 0x")
            rows = {row[0].split("\n")[0]: row for row in visit.cells("What it cost")}
            assert bill.market and bill.saving
            told = {name: row[2] for name, row in rows.items()}
            assert told == {
                "Bought from neighbours": pence(bill.paid),
                "Sold to neighbours": pence(-bill.earned),
                "Service fees": pence(bill.fees),
                "Compensation received": pence(-bill.compensated),
                "Compensation paid": pence(bill.compensation),
                "On the supplier's invoice": pence(-bill.grid),
                "Cost with the market": pence(bill.market),
                "Cost with the grid alone": pence(bill.grid_alone),
                "Saved": pence(bill.saving),
            }
            assert f"{format_energy(bill.bought)} on this day" in rows["Bought from neighbours"][0]
            text = visit.text()
            assert minus(format_money(account.free)) in text
            assert minus(format_money(account.reserved)) in text
            assert f"{place.trading.books.bills[place.household(name)].performances} of 5" in text
        visit.check_quiet()


def test_every_decimal_is_shown_on_demand(browser: Any, place: Place) -> None:
    bill = place.trading.bill("cloudy")
    exact = minus(exactly(bill.market, PENCE))
    assert len(exact) > len(minus(format_money(bill.market))), "this day has nothing to round"
    with Visit(browser, place.address) as visit:
        visit.go(f"#/household/{place.household('cloudy')}")
        assert exact not in visit.text()
        visit.page.get_by_label("Show every decimal of money").check()
        assert exact in {row[1] for row in visit.cells("What it cost")}


def test_what_it_could_have_saved_is_told(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        visit.go(f"#/household/{place.household('cloudy')}")
        assert "Could have saved more" in visit.text()


def test_the_proof_counts_blocks_and_checks(browser: Any, place: Place) -> None:
    cursor = place.market.cursor()
    assert cursor
    with Visit(browser, place.address) as visit:
        visit.go("#/proof")
        text = visit.text()
        assert re.search(rf"Blocks checked\s+{cursor.number}\s", text)
        assert "up to date" in text and "No alarm" in text
        rows = {row[0]: row for row in visit.cells("What is checked")}
        assert rows["C3-TRADE-1"][1] == "holds"
        assert int(rows["C3-TRADE-1"][2].replace(",", "")) > 100
        assert visit.cells("Blocks (")[0][0] == str(cursor.number)
        assert visit.page.locator("#notices").inner_text() == ""


def test_an_alarm_stands_on_every_view_and_is_text(browser: Any, alarmed: Place) -> None:
    with Visit(browser, alarmed.address, "phone") as visit:
        for view in ("", "#/household", f"#/household/{alarmed.household('sunny')}", "#/proof"):
            visit.go(view)
            notice = visit.text("#notices")
            assert "Alarm: The contract did not do what the terms say: C1-MONEY-1, in block" in notice
            assert HOSTILE in notice
            assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert HOSTILE in visit.text("article.alarm details[open] pre")
        visit.page.get_by_text("The replay: lines for wattproof repl").click()
        assert visit.page.get_by_role("region", name="The replay").inner_text() == "sunny.quote()"
        assert visit.page.evaluate("[window.pwned, document.querySelectorAll('main img, #bold').length]") == [None, 0]
        assert visit.page.locator("#announced").inner_text().startswith("Alarm: ")
        visit.check_quiet()


def test_hostile_addresses_and_names_are_text(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        visit.go("#/household/" + HOSTILE.replace("#", ""), "Households")
        assert "Not found" in visit.text()
        visit.go(f"#/household/{place.household('sunny')}")
        visit.page.get_by_text("Give it a name").click()
        visit.page.get_by_label("Name, kept in this browser only").fill(HOSTILE)
        visit.page.get_by_role("button", name="Keep").click()
        visit.page.get_by_role("heading", level=1, name=HOSTILE[:40]).wait_for()
        visit.go("#/household")
        assert HOSTILE[:40] in [row[0] for row in visit.cells("Households")]
        assert visit.page.evaluate("[window.pwned, document.querySelectorAll('main img').length]") == [None, 0]
        visit.check_quiet()
