"""How the page behaves: by keyboard, to a screen reader, when something is new, and when somebody is behind or gone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.page import PATIENCE, Place, Visit, chromium, half_hours
from wattproof.store.records import Alarm

AT_ONCE = 10_000
"""Milliseconds: less than the 15 s after which a page with a stream asks anyway."""

PRESSED = "a[href], button, input, summary"
FAULTS = ("table:not(:has(caption))", "th:not([scope])", "main svg:not([aria-hidden=true], :has(title))")
ANNOUNCED = "document.querySelector('#announced').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    yield from chromium()


@pytest.fixture
def place(browser: Any, tmp_path: Path) -> Iterator[Place]:
    """A half-hour at noon whose bids are sealed."""
    place = Place(f"sqlite:///{tmp_path}/day.db")
    place.play(half_hours(24, 25), ("bid", 0))
    with place.served():
        yield place


def focused(visit: Visit) -> str:
    """What has the keyboard's focus: its role or tag, and its text or label."""
    return visit.page.locator(":focus").evaluate(
        "e => `${e.tagName.toLowerCase()} ${e.getAttribute('aria-label') ?? e.textContent.trim()}`"
    )


def newest(visit: Visit, block: int, within: int = PATIENCE) -> None:
    """Waits until the proof's view shows a block as the newest one, for so many milliseconds."""
    first = visit.page.locator("#blocks tbody tr:first-child th")
    first.filter(has_text=re.compile(f"^{block}$")).wait_for(timeout=within)


def test_all_views_are_reached_by_keyboard(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        visit.go()
        keyboard = visit.page.keyboard
        keyboard.press("Tab")
        assert focused(visit) == "a Skip to the content"
        assert visit.page.get_by_text("Skip to the content").bounding_box()["x"] >= 0
        keyboard.press("Enter")
        assert visit.page.evaluate("document.activeElement.id") == "main"
        assert visit.page.url.endswith("#/") or "#" not in visit.page.url
        visit.go()
        for _ in range(4):
            keyboard.press("Tab")
        assert focused(visit) == "a Household"
        outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        keyboard.press("Enter")
        visit.page.get_by_role("heading", level=1, name="Households").wait_for()
        visit.page.wait_for_function("() => document.activeElement.tagName == 'H1'")
        assert visit.page.title() == "Households · Wattproof"
        assert visit.page.evaluate(ANNOUNCED) == "Households"
        keyboard.press("Tab")
        keyboard.type(place.household("sunny"))
        keyboard.press("Enter")
        visit.page.get_by_role("heading", level=1, name="Household 0x").wait_for()
        visit.page.get_by_role("link", name="Proof", exact=True).focus()
        keyboard.press("Enter")
        visit.page.get_by_role("heading", level=1, name="The proof").wait_for()
        visit.page.go_back()
        visit.page.get_by_role("heading", level=1, name="Household 0x").wait_for()
        visit.check_quiet()


def test_everything_that_can_be_pressed_is_reached_by_tab_and_has_a_name(browser: Any, place: Place) -> None:
    with Visit(browser, place.address, "phone") as visit:
        for view in ("", f"#/household/{place.household('sunny')}", "#/proof"):
            visit.go(view)
            wanted = visit.page.eval_on_selector_all(PRESSED, "all => all.filter(e => e.checkVisibility()).length")
            seen: set[int] = set()
            for _ in range(2 * wanted + 40):
                visit.page.keyboard.press("Tab")
                at, name = visit.page.evaluate(
                    "(pressed, e = document.activeElement) => [[...document.querySelectorAll(pressed)].indexOf(e),"
                    " e.getAttribute('aria-label') ?? (e.labels?.[0] ?? e).textContent.trim()]",
                    PRESSED,
                )
                if at >= 0:
                    assert name
                    seen.add(at)
            assert len(seen) == wanted, view


def test_a_screen_reader_finds_its_way(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        for view in ("", "#/household", f"#/household/{place.household('sunny')}", "#/proof"):
            visit.go(view)
            page = visit.page
            for role in ("banner", "main", "contentinfo"):
                assert page.get_by_role(role).count() == 1, f"{role} of {view}"
            assert page.get_by_role("navigation", name="Views").count() == 1
            assert page.get_by_role("heading", level=1).count() == 1
            levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(e => Number(e.tagName[1]))")
            assert all(after - before <= 1 for before, after in pairwise(levels)), levels
            for fault in FAULTS:
                assert page.locator(fault).count() == 0, f"{fault} in {view}"
            ids = page.eval_on_selector_all("[id]", "all => all.map(e => e.id)")
            assert len(ids) == len(set(ids))
        visit.go()
        snapshot = visit.page.locator("header").aria_snapshot()
        assert '- navigation "Views"' in snapshot and '- link "Community"' in snapshot
        assert visit.page.locator("nav [aria-current=page]").inner_text() == "Community"
        assert visit.page.get_by_role("region", name="Quotes").get_by_role("columnheader", name="Price").count() == 1
        assert visit.page.get_by_role("img", name="Supply and demand").count() == 1


def test_at_night_the_last_half_hour_that_was_traded_is_shown(browser: Any, tmp_path: Path) -> None:
    place = Place(f"sqlite:///{tmp_path}/evening.db")
    place.play(half_hours(34, 46), ("settle", 11))
    with place.served(), Visit(browser, place.address) as visit:
        last = visit.context.request.get(f"{place.address}api/v1/quotes?per_page=1").json()["items"][0]
        assert place.first <= last["period"] < place.first + 10, "this evening is no evening"
        visit.go()
        assert f"number {last['period']} · CLOSING" in visit.text()
        assert visit.cells("Quotes")[0][0] == str(last["id"])
        bought = visit.context.request.get(f"{place.address}api/v1/trades?per_page=1").json()["items"][0]
        visit.go(f"#/household/{bought['buyer']}")
        row = visit.cells("What it cost")[0][0]
        assert re.fullmatch(r"Bought from neighbours\s+(?!0\.000)[0-9.]+ kWh on this day", row)


def test_what_is_new_is_shown_at_once_and_the_focus_stays(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        visit.go("#/proof")
        visit.page.get_by_role("region", name="Blocks (").focus()
        block = place.follow()
        newest(visit, block.number, AT_ONCE)
        assert visit.page.evaluate("document.activeElement.id") == "blocks"
        # What did not change is the same element as before, so that a reader's place in it is kept.
        visit.page.evaluate("window.before = document.querySelector('[aria-labelledby=alarms-title]')")
        block = place.follow()
        newest(visit, block.number, AT_ONCE)
        assert visit.page.evaluate("window.before === document.querySelector('[aria-labelledby=alarms-title]')")
        place.follow([Alarm("C2-LATE-1", "something went wrong", "", "")])
        visit.notice("Alarm: The contract did not do what the terms say: C2-LATE-1").wait_for()
        visit.check_quiet()


def test_without_the_stream_the_page_asks(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        visit.page.route("**/stream", lambda route: route.fulfill(status=503))  # All are taken.
        visit.go("#/proof")
        visit.page.get_by_text("This page asks for news every few seconds").wait_for()
        block = place.follow()
        newest(visit, block.number)


def test_as_long_as_nothing_is_new_only_the_status_is_asked_for(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        visit.page.route("**/stream", lambda route: route.fulfill(status=503))
        visit.go()
        visit.asked.clear()
        with visit.page.expect_response(lambda response: response.url.endswith("/status")):
            pass
        visit.page.wait_for_timeout(200)
        assert {url.rsplit("/", 1)[-1] for url in visit.asked} <= {"status", "stream"}


def test_an_api_that_is_gone_is_told_and_comes_back(browser: Any, tmp_path: Path) -> None:
    place = Place(f"sqlite:///{tmp_path}/day.db")
    place.play(half_hours(24, 25), ("bid", 0))
    with Visit(browser, "") as visit:
        with place.served() as server:
            port = server.port
            visit.address = place.address
            visit.go()
        visit.notice("No connection: The data API does not answer.").wait_for()
        assert "What is shown is from" in visit.text("#notices")
        assert "Half-hour 01:00–01:30" in visit.text()
        with place.served(port):
            visit.notice("No connection").wait_for(state="detached")


def test_a_watcher_that_is_behind_is_told(browser: Any, place: Place) -> None:
    place.fall_behind(120)
    with Visit(browser, place.address) as visit:
        visit.go()
        assert "The watcher is behind: It has still to check 120 blocks (24 min 00 s" in visit.text("#notices")
        assert visit.page.evaluate(ANNOUNCED) == "The watcher is behind."


def test_a_market_of_which_nothing_is_known_yet(browser: Any, tmp_path: Path) -> None:
    place = Place(f"sqlite:///{tmp_path}/empty.db")
    with place.served(), Visit(browser, place.address) as visit:
        for view in ("", "#/household", "#/proof"):
            visit.page.goto(place.address + view)
            visit.notice("Nothing yet: No block has been checked so far.").wait_for()
        block = place.follow()
        visit.page.get_by_role("heading", name="Blocks checked").wait_for()
        assert visit.cells("Blocks (")[0][0] == str(block.number)
        visit.check_quiet()


def test_a_failure_of_the_api_is_one_line(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:
        broken = json.dumps({"error": "the database is locked: try again"})
        visit.page.route("**/api/v1/invariants", lambda route: route.fulfill(status=503, body=broken))
        visit.page.goto(place.address + "#/proof")
        visit.notice("Trouble: the database is locked: try again").wait_for()
        visit.page.unroute("**/api/v1/invariants")
        visit.page.get_by_role("heading", level=1, name="The proof").wait_for()
        visit.notice("Trouble:").wait_for(state="detached")


@pytest.mark.parametrize("answer", ['{"items": 7}', "<p>A proxy says hello</p>", "{}"])
def test_what_is_no_answer_of_the_api_is_told(browser: Any, place: Place, answer: str) -> None:
    with Visit(browser, place.address) as visit:
        visit.go("#/proof")
        visit.page.route("**/api/v1/blocks**", lambda route: route.fulfill(status=200, body=answer))
        place.follow()
        visit.page.locator("#notices p.warning").wait_for()
        assert re.search("Trouble: (This page does not understand|The data API answers)", visit.text("#notices"))
        assert visit.page.get_by_role("heading", level=1, name="The proof").count() == 1


def test_a_path_before_the_page_is_fine(browser: Any, place: Place) -> None:
    with Visit(browser, place.address) as visit:

        def proxied(route: Any) -> None:
            url = route.request.url.replace("/market/", "/")
            route.fulfill(response=route.fetch(url=url))

        visit.page.route("**/market/**", proxied)
        visit.page.route("**/stream", lambda route: route.abort())
        visit.go("market/#/proof", "The proof")
        assert all("/market/" in url for url in visit.asked if url != "about:blank")


def test_a_tab_that_nobody_looks_at_asks_for_nothing(browser: Any, place: Place) -> None:
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    hide += " document.dispatchEvent(new Event('visibilitychange')); }"
    with Visit(browser, place.address) as visit:
        visit.go("#/proof")
        visit.page.wait_for_load_state("load")
        visit.page.evaluate(hide, True)
        visit.page.wait_for_timeout(1_500)  # What was asked for before may still come.
        visit.asked.clear()
        block = place.follow()
        visit.page.wait_for_timeout(1_500)
        assert visit.asked == []
        visit.page.evaluate(hide, False)
        newest(visit, block.number)


def test_140_households_are_a_few_questions_and_pages(browser: Any, tmp_path: Path) -> None:
    """With WATTPROOF_PAGE_HALF_HOURS=48 the whole day, which takes minutes to play."""
    count = int(os.environ.get("WATTPROOF_PAGE_HALF_HOURS", "2"))
    place = Place(f"sqlite:///{tmp_path}/large.db")
    place.play(half_hours(0, 48, copies=14) if count > 24 else half_hours(22, 22 + count, copies=14))
    sizes: list[int] = []
    with place.served(), Visit(browser, place.address) as visit:
        visit.page.on("response", lambda response: sizes.append(int(response.headers.get("content-length", 0))))
        visit.go()
        assert "What the day cost (140 households)" in visit.text()
        assert "page 1 of 14" in visit.page.get_by_role("navigation", name="Pages of households").inner_text()
        questions = [url for url in visit.asked if "/api/v1/" in url and not url.endswith("/stream")]
        assert len(questions) <= 9
        assert sum(sizes) < 250_000
        elements = visit.page.evaluate("document.querySelectorAll('*').length")
        assert elements < 5_000
        first = [row[0] for row in visit.cells("What the day cost")]
        visit.page.get_by_role("link", name="Next page of households").click()
        visit.page.get_by_text("page 2 of 14").wait_for()
        second = [row[0] for row in visit.cells("What the day cost")]
        assert len(first) == len(second) == 10 and not set(first) & set(second)
        visit.check_quiet()


def test_where_the_chain_goes_with_the_visitor_its_clock_goes_on_between_blocks(browser: Any, place: Place) -> None:
    last = place.market.cursor()
    assert last
    with Visit(browser, place.address) as visit:
        visit.page.clock.set_fixed_time(last.timestamp + 20)
        visit.go()
        now = visit.page.locator("section[aria-labelledby=now-title]")
        # Bids are made in the last second of BIDDING.
        now.get_by_text("01:00–01:30 BIDDING").wait_for()
        assert "stands" not in now.inner_text()
        visit.page.clock.set_fixed_time(last.timestamp + 20 + 61)
        now.get_by_text("01:00–01:30 REVEALING: bidders open their sealed bids. 9 min 00 s left").wait_for()
        visit.check_quiet()


def test_times_are_those_of_the_visitor(browser: Any, place: Place) -> None:
    with Visit(browser, place.address, timezone_id="Asia/Kathmandu") as visit:
        visit.go()
        assert "Half-hour 05:45–06:15" in visit.text()
        assert re.search(r"your zone, Asia/Kat(h)?mandu", visit.text("footer"))
