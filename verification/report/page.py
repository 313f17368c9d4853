"""The report as one HTML page that needs nothing else: `report/index.html`.

Every figure is an element `<data>` whose `data-from` is the JSON pointer of its value in evidence.json and whose tip
names the line on which it stands there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from verification.report import templates
from verification.report.document import at
from verification.report.facts import first_screen, number

_HERE = Path(__file__).parent
_CLAUSE = re.compile(r"\bT-[A-Z]+-\d+\b")


def render(told: dict[str, Any], places: dict[str, int]) -> str:
    """The text of index.html; `places` are the lines of evidence.json by JSON pointer."""

    def tip(pointer: str) -> str:
        return f"evidence.json, line {places[pointer]}: {pointer}"

    def shown(said: str, pointer: str) -> Markup:
        if not pointer:
            return escape(said)
        return Markup('<data data-from="{}" title="{}">{}</data>').format(pointer, tip(pointer), said)

    def link(clause: re.Match[str]) -> str:
        return f'<a href="#{clause[0]}">{clause[0]}</a>' if clause[0] in told["clauses"] else clause[0]

    return templates.render(
        "page.html.j2",
        told=told,
        screen=first_screen(told),
        broken=[name for name, stage in told["stages"].items() if stage["state"] == "failed"],
        shown=shown,
        tip=tip,
        anchor=_anchor,
        status={row["id"]: row["status"] for row in told["invariants"]},
        pieces=_pieces(told),
        fig=lambda pointer: shown(number(at(told, pointer)), pointer),
        linked=lambda text: Markup(_CLAUSE.sub(link, templates.markdown(text))),
        attacked={line["invariant"] for line in told["attacks"]["lines"]},
        bars=_bars(told),
        matrix=_matrix(told["mutants"]["matrix"]),
        style=Markup((_HERE / "page.css").read_text()),
        script=Markup((_HERE / "page.js").read_text()),
    )


def _anchor(reference: str) -> str:
    """The ID of a piece of code in the page, by its reference: a file with a function or a line."""
    return "code-" + re.sub(r"[^\w.-]", "-", reference)


def _pieces(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every function of the contracts that an invariant names, once, in the order of the files."""
    found = {place["reference"]: place for row in told["invariants"] for place in row["where"] if place.get("text")}
    return dict(sorted(found.items(), key=lambda one: (one[1]["file"], one[1]["first"])))


def _bars(told: dict[str, Any]) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """The rows of the bar charts: a label, and a number for every part of its bar."""
    return {
        "rules": [(name, (row["accepted"], row["refused"])) for name, row in told["rules"].items()],
        "phases": [(name or "none", (value,)) for name, value in told["phases"].items()],
        "gas": [(row["function"], (row["median"], max(row["worst"] - row["median"], 0))) for row in told["gas"]],
    }


def _matrix(killed: dict[str, dict[str, int]]) -> dict[str, Any]:
    """The killers that killed most mutants, the modules across, and the largest number in any cell."""
    return {
        "killers": sorted(killed, key=lambda name: (-sum(killed[name].values()), name))[:60],
        "modules": sorted({module for row in killed.values() for module in row}),
        "most": max((value for row in killed.values() for value in row.values()), default=1),
    }
