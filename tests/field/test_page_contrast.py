"""What is to be read stands out from its ground: WCAG 2.1 AA, 4.5 for text and 3 for lines, in light and dark.

With WATTPROOF_AXE, the path of an axe.min.js (`npm pack axe-core`), that looks at each view, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.page import SIZES, Place, Visit, chromium, half_hours
from wattproof.store.records import Alarm

STYLE = Path(__file__).parents[2] / "wattproof/serve/static/style.css"
GROUNDS = ("paper", "card")
LEVELS = ("good", "bad", "warn", "info")
TEXT = [
    *((ink, ground) for ink in ("ink", "quiet", "accent", "good", "bad") for ground in GROUNDS),
    *((ink, f"{level}-ground") for level in LEVELS for ink in ("ink", "accent")),
    *((level, f"{level}-ground") for level in ("good", "bad", "warn")),
    ("quiet", "grid"),
    ("card", "accent"),
    ("on-band", "band"),
]
LINES = [(line, ground) for line in ("supply", "demand", "third", "local-edge", "bad", "quiet") for ground in GROUNDS]


def palettes() -> dict[str, dict[str, str]]:
    """The colours by name, in light and in dark."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), re.DOTALL)[:2]
    return {
        scheme: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", text))
        for scheme, text in (("light", light), ("dark", dark))
    }


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 has it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out(scheme: str) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    colours = palettes()[scheme]
    faint = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in TEXT}
    assert {pair: ratio for pair, ratio in faint.items() if ratio < 4.5} == {}
    thin = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in LINES}
    assert {pair: ratio for pair, ratio in thin.items() if ratio < 3} == {}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    yield from chromium()


@pytest.mark.skipif("WATTPROOF_AXE" not in os.environ, reason="WATTPROOF_AXE names no axe.min.js")
def test_axe_finds_nothing(browser: Any, tmp_path: Path) -> None:
    axe = Path(os.environ["WATTPROOF_AXE"]).read_text(encoding="utf-8")
    place = Place(f"sqlite:///{tmp_path}/day.db")
    place.play(half_hours(24, 26), ("reveal", 1))
    place.follow([Alarm("C1-MONEY-1", "something is short", "sunny quotes", "sunny.quote()")])
    place.fall_behind(50)
    with place.served():
        for size in SIZES:
            for scheme in ("light", "dark"):
                with Visit(browser, place.address, size, scheme) as visit:
                    for view in ("", "#/household", f"#/household/{place.household('sunny')}", "#/proof"):
                        visit.go(view)
                        for summary in visit.page.locator("main summary").all():
                            summary.click()
                        visit.page.evaluate(axe)
                        found = visit.page.evaluate("axe.run().then(found => found.violations)")
                        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
