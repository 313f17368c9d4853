"""The page's own arithmetic against the product's, its words against the terms, and what its files must not hold."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.page import Place, Visit, chromium
from wattproof.market.clock import Clock
from wattproof.market.units import PENCE, PENCE_PER_KWH, exactly, fixed, format_energy, format_money, format_price
from wattproof.terms.model import TIER_THRESHOLDS, BidStatus, Market, Phase, QuoteStatus

STATIC = Path(__file__).parents[2] / "wattproof/serve/static"
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A tab on the page, whose modules can be called."""
    place = Place(f"sqlite:///{tmp_path_factory.mktemp('parts')}/empty.db")
    for browser in chromium():
        with place.served(), Visit(browser, place.address) as visit:
            visit.page.goto(place.address)
            yield visit.page


def call(tab: Any, module: str, expression: str, argument: object = None) -> Any:
    """The value of an expression in which `m` is a module of the page, and `a` the argument."""
    script = f"async (a) => {{ const m = await import('/static/{module}'); return {expression}; }}"
    return tab.evaluate(script, argument)


def plain(text: str) -> str:
    """A number of the page as Python writes it."""
    return text.replace("−", "-").replace(",", "")


def amounts() -> list[int]:
    """Amounts of all sizes, many of them halfway between two hundredths of a penny."""
    drawn = random.Random(7)
    some = [drawn.randrange(-(10**power), 10**power) for power in range(1, 40) for _ in range(20)]
    halves = [drawn.randrange(-(10**6), 10**6) * 10**14 + sign * 5 * 10**13 for sign in (-1, 1) for _ in range(50)]
    return [0, 1, -1, 10**13, -(10**13), PENCE, *some, *halves]


def test_money_energy_and_prices_are_written_as_the_product_writes_them(tab: Any) -> None:
    values = amounts()
    write = "(u => a.map(x => [u.money(x), u.price(x), u.energy(x)]))(new m.Units(18, 'WATT', 180000000000000n, %s))"
    shown = call(tab, "units.js", write % "false", list(map(str, values)))
    exact = call(tab, "units.js", write % "true", list(map(str, values)))
    for value, (money, price, energy) in zip(values, shown, strict=True):
        assert plain(money) == format_money(value)
        assert plain(price) == format_price(value)
        assert plain(energy) == format_energy(value)
    for value, (money, price, _) in zip(values, exact, strict=True):
        assert plain(money) == f"{exactly(value, PENCE)} p"
        assert plain(price) == f"{exactly(value, PENCE_PER_KWH)} p/kWh"


@pytest.mark.parametrize(
    ("decimals", "highest", "value", "shown"),
    [
        (6, 180, "1234567", "123.46 p"),
        (18, 180, "1234567", "1,234,567 base units"),
        (None, 180, "-1234567", "−1,234,567 base units"),
        (25, 18 * 10**20, "1" + 24 * "0", "10.00 p"),
    ],
)
def test_other_tokens_are_counted_in_their_own_decimals(
    tab: Any, decimals: int | None, highest: int, value: str, shown: str
) -> None:
    write = "new m.Units(a[0], 'T', BigInt(a[1])).money(a[2])"
    assert call(tab, "units.js", write, [decimals, str(highest), value]) == shown


def test_shares_are_rounded_as_the_product_rounds(tab: Any) -> None:
    drawn = random.Random(1)
    pairs = [(drawn.randrange(-(10**20), 10**20), drawn.randrange(1, 10**20)) for _ in range(200)]
    told = [[str(part), str(whole)] for part, whole in pairs]
    shown = call(tab, "units.js", "a.map(([x, y]) => m.percent(BigInt(x), BigInt(y)))", told)
    for (part, whole), text in zip(pairs, shown, strict=True):
        assert plain(text) == f"{fixed(part * 100, whole, 1)} %"
    assert call(tab, "units.js", "m.percent(1n, 0n)") is None


def test_phases_are_those_of_the_terms(tab: Any) -> None:
    clock = Clock(1800, 600)
    market = Market(owner="o", supplier="s", sbp=1, ssp=9, service_fee=0, period_length=1800, window=600)
    begins = {phase.name: clock.begins(phase, 100) for phase in Phase if phase is not Phase.BIDDING}
    seconds = sorted({second + step for second in begins.values() for step in (-1, 0, 1)})
    shown = call(tab, "times.js", "a[1].map(second => m.phaseAt({begins: a[0]}, second))", [begins, seconds])
    for second, found in zip(seconds, shown, strict=True):
        phase = market.phase(100, second)
        assert found["phase"] == phase.name
        following = [name for name, begun in begins.items() if begun > second]
        assert found["next"] == (following[0] if following else None)
        assert found["until"] == (begins[following[0]] if following else None)


def test_the_words_are_those_of_the_terms(tab: Any) -> None:
    assert call(tab, "words.js", "m.TIERS") == [0, *TIER_THRESHOLDS]
    assert call(tab, "words.js", "Object.keys(m.PHASES)") == [phase.name for phase in Phase]
    assert call(tab, "words.js", "Object.keys(m.QUOTE)") == [status.name for status in QuoteStatus]
    assert call(tab, "words.js", "Object.keys(m.BID)") == [status.name for status in BidStatus]


def test_what_could_have_been_saved_is_computed_from_what_was_there(tab: Any) -> None:
    tariff = {"sbp": "6", "ssp": "18", "service_fee": "2"}
    bills = [
        {"period": 1, "imported_wh": 500, "bought_wh": 100, "exported_wh": 0, "sold_wh": 0},
        {"period": 2, "imported_wh": 0, "bought_wh": 0, "exported_wh": 300, "sold_wh": 100},
        {"period": 3, "imported_wh": 400, "bought_wh": 0, "exported_wh": 0, "sold_wh": 0},
    ]
    rows = [
        {"period": 1, "unsold_wh": 250, "quote_price": "9", "trade_price": None, "imported_wh": 900, "local_wh": 900},
        {"period": 2, "unsold_wh": 999, "quote_price": "9", "trade_price": "12", "imported_wh": 150, "local_wh": 30},
        {"period": 3, "unsold_wh": 0, "quote_price": "9", "trade_price": "12", "imported_wh": 400, "local_wh": 0},
    ]
    # 250 Wh at 9 and a fee of 1 instead of 18; 120 Wh at 12 less a fee of 1 instead of 6.
    expected = {"bought": "250", "sold": "120", "saving": str(250 * 8 + 120 * 5)}
    found = call(
        tab,
        "saving.js",
        "Object.fromEntries(Object.entries(m.couldSave(a[0], a[1], 2, a[2])).map(([k, v]) => [k, String(v)]))",
        [bills, rows, tariff],
    )
    # At tier 2 the fee is 60 % of 2: 1.2, rounded down.
    assert found == expected


def test_text_is_never_read_as_html_or_as_a_program() -> None:
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser")
    for path in FILES:
        assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_nothing_comes_from_elsewhere_and_nothing_is_large() -> None:
    names = {path.relative_to(STATIC).as_posix() for path in FILES}
    assert {"index.html", "app.js", "style.css", "icon.svg"} <= names
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path
        assert " style=" not in text and not re.search(r"\son\w+=", text), f"{path}: the policy forbids it"
    assert sum(path.stat().st_size for path in FILES) < 100_000
    # The browser is told of all modules at once, and need not find them one behind the other.
    named = set(re.findall(r'(?:href|src)="static/([^"]+\.js)"', (STATIC / "index.html").read_text(encoding="utf-8")))
    assert named == {name for name in names if name.endswith(".js")}
    for name in names:
        for module in re.findall(r'from "(\.[^"]+)"', (STATIC / name).read_text(encoding="utf-8")):
            assert ((STATIC / name).parent / module).resolve().is_file(), f"{name}: {module}"
