"""The page in a real browser: it fits, searches, prints, and asks for nothing.

Needs playwright (`pip install 'wattproof[browser]'`) and a Chromium: the system's, or playwright's own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="no browser test: playwright is missing (pip install 'wattproof[browser]')"
)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        path = next(filter(None, map(shutil.which, NAMES)), None)
        try:
            started = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except sync_api.Error as problem:
            pytest.skip(f"no browser test: no Chromium starts here ({str(problem).splitlines()[0]})")
        yield started
        started.close()


@pytest.fixture(params=[(1280, "light"), (390, "light"), (1280, "dark")], ids=lambda one: f"{one[0]}-{one[1]}")
def opened(request: pytest.FixtureRequest, browser: Any, falsified: tuple[int, Path, Path]) -> Iterator[Any]:
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
    opened = context.new_page()
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith("file:") else problems.append(asked.url))
    opened.goto(f"file://{falsified[1] / 'index.html'}")
    yield opened
    assert problems == []
    context.close()


def test_nothing_runs_over_the_edge(opened: Any) -> None:
    opened.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    width = opened.evaluate("document.documentElement.clientWidth")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    over = """[...document.querySelectorAll("main *")].filter((one) =>
        one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".wide, pre"))
        .map((one) => one.outerHTML.slice(0, 90))"""
    assert opened.evaluate(over) == []


def test_verdict_comes_first(opened: Any) -> None:
    for selector in ("h1", ".sentence"):
        box = opened.locator(selector).bounding_box()
        assert box["y"] + box["height"] < 300
    assert opened.locator("h1").inner_text() == "Falsified"


def test_text_is_readable(opened: Any) -> None:
    contrast = """(selector) => {
        const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((part) => {
            const share = part / 255; return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4; });
        const light = (text) => { const [r, g, b] = rgb(text); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ink = light(getComputedStyle(document.querySelector(selector)).color);
        const paper = light(getComputedStyle(document.body).backgroundColor);
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05); }"""
    for selector in ("body", "h1", ".hint", "dt", "a", ".badge.blocked", ".badge.missing", ".badge.stale"):
        assert opened.evaluate(contrast, selector) >= 4.5, selector


def test_search_and_status_leave_what_fits(opened: Any) -> None:
    shown = opened.locator(".invariant:visible")
    everything = shown.count()
    assert everything > 200
    opened.fill("#search", "C3-OPEN-1")
    assert 0 < shown.count() < 10
    opened.fill("#search", "")
    opened.select_option("#status", "falsified")
    assert shown.count() == opened.locator(".invariant[data-status=falsified]").count() < everything
    opened.fill("#search", "no such words anywhere")
    assert shown.count() == 0
    assert opened.locator("#found").inner_text() == f"0 of {everything}"


def test_a_link_opens_what_it_leads_to(opened: Any) -> None:
    name = opened.locator(".failure h3 a").first.inner_text()
    opened.locator(".failure h3 a").first.click()
    assert opened.locator(f"details[id='{name}']").get_attribute("open") is not None


def test_pictures_are_drawn_with_their_numbers(opened: Any) -> None:
    for name in ("lengths", "rules", "phases"):
        figure = opened.locator(f"#picture-{name}")
        assert figure.locator("svg rect").count() > 0
        assert figure.locator("tbody tr").count() > 0


def test_no_name_is_broken_at_its_hyphens(opened: Any) -> None:
    opened.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    broken = """[...document.querySelectorAll(".ref, .invariant .id")].filter((one) => one.offsetParent
        && new Set([...one.getClientRects()].map((box) => Math.round(box.top))).size > 1)
        .map((one) => one.textContent)"""
    assert opened.evaluate(broken) == []


def test_print_shows_every_invariant_and_the_code_on_numbered_pages(
    browser: Any, falsified: tuple[int, Path, Path]
) -> None:
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"file://{falsified[1] / 'index.html'}")
    opened.emulate_media(media="print")
    printed = opened.pdf(prefer_css_page_size=True)
    assert opened.locator(".invariant[open]").count() == opened.locator(".invariant").count()
    assert opened.locator(".code.contract pre:visible").count() == opened.locator(".code.contract").count() > 50
    assert not opened.locator("nav").is_visible()
    assert not opened.locator(".code.check").first.is_visible()
    assert 20 < len(re.findall(rb"/Type /Page\b", printed)) < 110, "half of a page is blank again, or a part is missing"
    breaks = "getComputedStyle(document.querySelector('.invariant')).breakInside"
    assert opened.evaluate(breaks) == "auto"
    style = (falsified[1] / "index.html").read_text()
    assert 'counter(page) " of " counter(pages)' in style
    context.close()
