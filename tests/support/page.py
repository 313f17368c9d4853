"""The page in a real browser: a market in a store, the data API on a free port, and Chromium that looks at it."""

from __future__ import annotations

import csv
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.modelled import Half, ModelVenue, hash_of, record
from wattproof.market.tariff import PAPER, Tariff
from wattproof.serve.app import create_app
from wattproof.serve.limits import Rate
from wattproof.serve.server import Server
from wattproof.simulation.timetable import EPOCH
from wattproof.simulation.trading_day import Trading
from wattproof.store.database import Store
from wattproof.store.records import Alarm, BlockRef, Watched

HOUSEHOLDS = Path(__file__).parents[2] / "wattproof/data/households.csv"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SIZES = {"phone": (390, 844), "laptop": (1280, 800)}
PATIENCE = 15_000
"""Milliseconds that the browser waits for something to appear."""


def half_hours(first: int, last: int, copies: int = 1) -> Half:
    """Some half-hours of the default households, from `first` to before `last`; `copies` of each household."""
    rows: dict[int, dict[str, tuple[int, int]]] = {}
    with HOUSEHOLDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            energies = int(row["load_wh"]), int(row["pv_wh"])
            for copy in range(copies):
                name = row["household"] + (f" {copy}" if copy else "")
                rows.setdefault(int(row["period"]), {})[name] = energies
    return Half([rows[period] for period in range(first, last)])


@dataclass
class Place:
    """A market in a database of its own, filled from the model, and the data API before it.

    trading   the day that is played on it: its books are an account of the bills that the store has no part in
    """

    url: str
    tariff: Tariff = PAPER
    alarms: Sequence[Alarm] = ()
    trading: Trading = field(init=False)
    address: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.record = record(self.tariff)
        self.market = Store.open(self.url).market(self.record)

    def play(self, half: Half, until: tuple[str, int] | None = None) -> None:
        """Plays a day into the store; `until`: to the end of that step of that half-hour."""
        self.trading = Trading(half, ModelVenue(self.append, tariff=self.tariff))
        for step in self.trading.steps():
            if (step.name, step.index) == until:
                return

    def append(self, watched: Watched) -> None:
        """Takes a block in, as the watcher does."""
        self.market.append(watched, watched.block)

    def follow(self, alarms: Sequence[Alarm] = ()) -> BlockRef:
        """One more block, without calls, a minute later."""
        last = self.market.cursor()
        number, parent, second = (last.number, last.hash, last.timestamp) if last else (0, hash_of("0"), 1_750_000_000)
        block = BlockRef(number + 1, hash_of(f"block {number + 1}"), parent, second + 60)
        self.append(Watched(block, alarms=alarms, checks={"C1-MONEY-1": 1}))
        return block

    def fall_behind(self, blocks: int) -> None:
        """The chain goes on, and the watcher does not."""
        last = self.market.cursor()
        assert last
        self.market.seen_head(replace(last, number=last.number + blocks, timestamp=last.timestamp + 12 * blocks))

    @property
    def first(self) -> int:
        """The market's number of the day's first half-hour: it begins at 01:00 of 21 June 2025 in London."""
        return -(-EPOCH // self.tariff.period_length)

    def household(self, name: str) -> str:
        """The address of a household of the day."""
        return self.trading.members[name].address

    @contextmanager
    def served(self, port: int = 0) -> Iterator[Server]:
        """The data API, in a thread of its own until the end of the block."""
        app = create_app(self.url, self.record, rate=Rate(per_second=1_000, burst=10_000))
        server = Server(app, port=port)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        self.address = server.address
        try:
            yield server
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive()


def chromium() -> Iterator[Any]:
    """The system's Chromium, through playwright; skips where one of them is missing. For a fixture."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the page is not looked at: pip install playwright")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("the page is not looked at: there is no Chromium on the path")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A visitor's tab. What it must never do is noted: words on the console, errors, requests to other places."""

    def __init__(self, browser: Any, address: str, size: str = "laptop", scheme: str = "light", **options: Any) -> None:
        width, height = SIZES[size]
        self.address = address
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            **{"timezone_id": "Europe/London", "locale": "en-GB", "reduced_motion": "reduce"} | options,
        )
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.elsewhere: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", self._note)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *exc: object) -> None:
        self.context.close()

    def go(self, view: str = "", heading: str | None = None) -> Visit:
        """Opens a view ("#/proof") and waits until its figures are there."""
        self.page.goto("about:blank")  # Else another view of the same page may be taken for this one.
        self.page.goto(self.address + view)
        heading = heading or {"": "The community", "#/proof": "The proof", "#/household": "Households"}.get(view)
        found = self.page.get_by_role("heading", level=1, name=heading) if heading else self.page.locator("h1")
        found.wait_for()
        return self

    def text(self, of: str = "main") -> str:
        """What is to be read there."""
        return self.page.locator(of).inner_text()

    def notice(self, text: str) -> Any:
        """The notice with this text."""
        return self.page.locator("#notices p").filter(has_text=text)

    def cells(self, table: str) -> list[list[str]]:
        """The rows of a table, by the beginning of its caption."""
        rows = self.page.locator("table").filter(has=self.page.locator("caption", has_text=table)).locator("tbody tr")
        return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in rows.all()]

    def check_quiet(self) -> None:
        """Nothing was said on the console, and nothing asked of anybody else."""
        assert not self.said, self.said
        assert not self.elsewhere, self.elsewhere

    def _hear(self, message: Any) -> None:
        # Where all streams are taken the page asks instead, and the browser tells of the 503 all the same.
        if not (message.location["url"].endswith("/stream") and "503" in message.text):
            self.said.append(f"{message.type}: {message.text}")

    def _note(self, request: Any) -> None:
        self.asked.append(request.url)
        if urlsplit(request.url).netloc != urlsplit(self.address).netloc:
            self.elsewhere.append(request.url)
