"""The worst attacks of the search for profit: from what the processes kept to the document and the page."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.report.conftest import ROOT
from verification.harness import totals
from verification.harness.totals import merged
from verification.invariants import invariants
from verification.report import attacks, document, effort, page, sources, text
from verification.report.campaign import Stage
from verification.report.schema import schema

SEARCH = "tests/properties/test_profit.py::test_households"
STORY = ["first bids: seller submit_quote(10000, 120)", *["purchases: anna buy_surplus(1, 1)"] * 256, "closing: all"]
DISPLACED = {"victim": "rival", "lost": 70_000, "bound": 75_000, "story": STORY}
LESS = {"victim": "winner", "lost": 74_000, "bound": 150_000, "story": ["a", "b"]}
MARGIN = {"victim": "supplier", "lost": 10**24 + 1, "bound": 3 * 10**24, "story": ["first bids: ben <b>lies</b>"]}


def snapshot(test: str, worst: dict[str, Any], **checked: int) -> dict[str, Any]:
    """What a process leaves behind that ran one search."""
    counted = {name.replace("_", "-"): number for name, number in checked.items()}
    ran = {"outcome": "passed", "seconds": 1.0, "examples": 60, "checked": counted}
    return {"tests": {test: ran}, "presets": {}, "failures": [], "attacks": worst, "current": ""}


SNAPSHOTS = [
    snapshot(SEARCH, {"C4-PROFIT-4": LESS, "C4-PROFIT-8": MARGIN}, C4_PROFIT_1=1_234, C4_PROFIT_4=60, C4_PROFIT_8=60),
    snapshot(SEARCH.replace("households", "keys"), {"C4-PROFIT-4": DISPLACED}, C4_PROFIT_4=7),
]


@pytest.fixture
def fed(told: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A document of a run that made both searches."""
    stage = Stage("properties", [], tmp_path, status=0, counts=merged(SNAPSHOTS))
    stage.planned = [{"test": name} for name in stage.counts["tests"]]
    rows = copy.deepcopy(told["invariants"])
    for row in rows:
        row["checked"] = stage.counts["checked"].get(row["id"], 0)
        row["tests"] = [name for name in row["tests"] if name in stage.counts["tests"]]
    found = effort.attacks_found(sources.claims(ROOT), rows, stage)
    return told | {"attacks": found}


def line(told: dict[str, Any], invariant: str) -> dict[str, Any]:
    """What a document says of an invariant on profit."""
    return next(line for line in told["attacks"]["lines"] if line["invariant"] == invariant)


def test_the_attack_nearest_to_its_bound_is_kept_in_whatever_order_they_are_found() -> None:
    assert merged(SNAPSHOTS)["attacks"] == merged(SNAPSHOTS[::-1])["attacks"]
    assert merged(SNAPSHOTS)["attacks"]["C4-PROFIT-4"] == DISPLACED


@pytest.mark.parametrize(
    ("other", "nearer"),
    [
        ({"lost": 1, "bound": 0}, True),
        ({"lost": 2, "bound": 20}, False),
        ({"lost": 20, "bound": 200}, True),
        ({"story": ["x"]}, True),
        ({"story": ["x", "z"]}, False),
        ({"victim": "anna"}, True),
    ],
    ids=["bound of 0", "alike and less", "alike and more", "shorter story", "later story", "earlier name"],
)
def test_which_attack_is_nearer(other: dict[str, Any], nearer: bool) -> None:
    attack = {"victim": "ben", "lost": 10, "bound": 100, "story": ["x", "y"]}
    assert totals.nearer(attack | other, attack) is nearer
    assert totals.nearer(attack, attack | other) is not nearer


def test_document_tells_victim_loss_bound_and_story(fed: dict[str, Any]) -> None:
    jsonschema.validate(fed, schema())
    worst = line(fed, "C4-PROFIT-4")["worst"]
    assert (worst["victim"], worst["lost"], worst["bound"], worst["percent"]) == ("rival", 70_000, 75_000, 93)
    assert worst["within"] is True
    assert worst["story"] == [STORY[0], f"{STORY[1]}   (256 times)", STORY[-1]]
    assert line(fed, "C4-PROFIT-8")["worst"]["percent"] == 33
    assert line(fed, "C4-PROFIT-1") | {"statement": ""} == {
        "invariant": "C4-PROFIT-1",
        "statement": "",
        "terms": [],
        "checked": 1_234,
        "worst": None,
    }
    assert fed["attacks"]["checks"] == 1_234 + 60 + 60 + 7
    assert [one["examples"] for one in fed["attacks"]["searches"]] == [60, 60]


def test_page_and_text_show_it(fed: dict[str, Any]) -> None:
    html = page.render(fed, document.dumped(fed)[1])
    section = html[html.index('<section id="attacks">') : html.index('<section id="pictures">')]
    place = fed["attacks"]["lines"].index(line(fed, "C4-PROFIT-4"))
    for key, shown in (("lost", "70 000"), ("bound", "75 000"), ("percent", "93")):
        assert re.search(rf'<data data-from="/attacks/lines/{place}/worst/{key}"[^>]*>{shown}</data>', section)
    assert "buy_surplus(1, 1)   (256 times)\n" in section
    assert "ben &lt;b&gt;lies" in section
    assert re.search(r"all others lost what was gained in <data[^>]*>1 234</data> checks", section)
    assert "never checked" in section
    assert "No search ran" not in section
    assert "beyond the bound" not in section
    assert "more than three" in section
    targets = set(re.findall(r'\bid="([^"]+)"', html))
    assert {f"attack-{row['invariant']}" for row in fed["attacks"]["lines"]} <= targets
    assert set(re.findall(r'href="#([^"]+)"', html)) <= targets
    said = text.render(fed)
    assert "| C4-PROFIT-4 | rival | 70 000 | 75 000 | 93 % |" in said
    assert "| C4-PROFIT-1 | all others lost what was gained in 1 234 checks | | | |" in said
    assert "nobody lost anything" not in said, "somebody did: the rival and the supplier"
    assert "buy_surplus(1, 1)   (256 times)\n" in said


def test_what_is_beyond_a_bound_is_said(fed: dict[str, Any]) -> None:
    for invariant, bound, percent in (("C4-PROFIT-4", 69_999, 100), ("C4-PROFIT-8", 0, None)):
        worst = attacks.told(DISPLACED | {"bound": bound})
        assert (worst["percent"], worst["within"]) == (percent, False)
        line(fed, invariant)["worst"] = worst
    jsonschema.validate(fed, schema())
    html = page.render(fed, document.dumped(fed)[1])
    assert html.count("<strong>beyond the bound</strong>") == 2
    said = text.render(fed)
    assert "| 70 000 | 69 999 | 100 % beyond the bound |" in said
    assert "| 70 000 | 0 | beyond the bound |" in said


def test_a_run_without_the_search_says_so(right: tuple[int, Path]) -> None:
    told = json.loads((right[1] / "evidence.json").read_text())
    assert told["attacks"]["checks"] == 0
    assert told["attacks"]["searches"] == []
    assert all(row["worst"] is None for row in told["attacks"]["lines"])
    html = (right[1] / "index.html").read_text()
    assert "<strong>No search ran</strong>" in html
    assert "nobody lost anything" not in html
    assert "No search ran" in (right[1] / "report.md").read_text()


def test_every_line_of_the_threats_names_an_invariant() -> None:
    known = {row.id for row in invariants().values() if row.id.startswith(attacks.FAMILY)}
    said = (ROOT / "docs" / "threats.md").read_text()
    assert sources.threats(ROOT).keys() <= known
    assert set(re.findall(r"C4-PROFIT-\d+", said)) == known
    assert sources.unsearched(ROOT)
    assert "](" not in sources.unsearched(ROOT)
