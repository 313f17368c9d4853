"""The report as one HTML page that needs nothing else: `report/index.html`.

Every figure is an element `<data>` whose `data-from` is the JSON pointer of its value in evidence.json and whose tip
names the line on which it stands there.
"""

from __future__ import annotations

import functools
import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from verification.report import charts
from verification.report.document import at, step
from verification.report.facts import clock, first_screen, number

_CLAUSE = re.compile(r"\bT-[A-Z]+-\d+\b")


def render(told: dict[str, Any], places: dict[str, int]) -> str:
    """The text of index.html; `places` are the lines of evidence.json by JSON pointer."""
    figure = functools.partial(_figure, told, places)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(md=_markdown, number=number, clock=clock, step=step)
    environment.filters.update(clauses=functools.partial(_linked, told))
    environment.globals.update(fig=figure, shown=functools.partial(_shown, places), charts=_pictures(told))
    here = files("verification.report")
    template = environment.from_string((here / "page.html.j2").read_text())
    return template.render(
        told=told,
        screen=first_screen(told),
        attacked={line["invariant"] for line in told["attacks"]["lines"]},
        style=Markup((here / "page.css").read_text()),
        script=Markup((here / "page.js").read_text()),
        title=f"Wattproof: {told['verdict']['outcome']}",
    )


def _figure(told: dict[str, Any], places: dict[str, int], pointer: str) -> Markup:
    """A figure of the document, with where it is from."""
    return _shown(places, number(at(told, pointer)), pointer)


def _shown(places: dict[str, int], said: str, pointer: str) -> Markup:
    if not pointer:
        return escape(said)
    tip = f"evidence.json, line {places[pointer]}: {pointer}"
    return Markup('<data data-from="{}" title="{}">{}</data>').format(pointer, tip, said)


@functools.cache
def _markdown_it() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False})


def _markdown(text: str) -> Markup:
    """A line of Markdown."""
    return Markup(_markdown_it().renderInline(text))


def _linked(told: dict[str, Any], text: str) -> Markup:
    """A line of Markdown in which clauses lead to their text."""

    def link(match: re.Match[str]) -> str:
        return f'<a href="#{match[0]}">{match[0]}</a>' if match[0] in told["clauses"] else match[0]

    return Markup(_CLAUSE.sub(link, str(_markdown(text))))


def _pictures(told: dict[str, Any]) -> dict[str, Markup]:
    """Every chart for which there are numbers."""
    found = {}
    if told["lengths"]:
        rows = [(f"{row['from']}–{row['to']}", row["histories"]) for row in told["lengths"]]
        found["lengths"] = charts.columns(rows, "accepted", "Lengths of the histories", "calls in a history")
    if told["rules"]:
        listed = [(name, (row["accepted"], row["refused"])) for name, row in told["rules"].items()]
        found["rules"] = charts.bars(listed, ("accepted", "refused"), "Accepted and refused calls per rule")
    if told["phases"]:
        listed = [(name or "none", (value,)) for name, value in told["phases"].items()]
        found["phases"] = charts.bars(listed, ("accepted",), "Calls per phase", 120)
    matrix = told["mutants"]["matrix"]
    if matrix:
        across = sorted({module for row in matrix.values() for module in row})
        cells = {(name, module): value for name, row in matrix.items() for module, value in row.items()}
        rows_ = sorted(matrix, key=lambda name: (-sum(matrix[name].values()), name))[:60]
        found["matrix"] = charts.matrix(rows_, across, cells, "Which invariants killed mutants of which module")
    if told["gas"]:
        listed = [(row["function"], (row["median"], max(row["worst"] - row["median"], 0))) for row in told["gas"]]
        found["gas"] = charts.bars(
            listed, ("accepted", "refused"), "Gas per function: median, and up to the worst", 270
        )
    if told["day"]["periods"]:
        found["day"] = charts.day(told["day"]["periods"], "The day's trades")
    return {name: Markup(picture) for name, picture in found.items()}
