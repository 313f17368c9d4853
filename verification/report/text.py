"""The report as Markdown text: the same as the page, without pictures. The worst attacks have a text of their own."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from verification.report import attacks, facts

_TEMPLATES = Environment(
    loader=PackageLoader("verification", "report"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters.update(
    number=facts.number,
    clock=facts.clock,
    share=attacks.share,
    nothing=attacks.nothing,
    cell=lambda text: str(text).replace("|", "\\|"),
)


def render(told: dict[str, Any]) -> str:
    """The text of report.md."""
    return _TEMPLATES.get_template("report.md.j2").render(told=told, screen=facts.first_screen(told))


def profit(passes: list[dict[str, Any]], lines: list[dict[str, Any]], unsearched: str) -> str:
    """The text of a search for profit by itself: its passes, and the worst attack on every invariant on profit."""
    template = _TEMPLATES.get_template("profit.md.j2")
    return template.render(passes=passes, lines=lines, unsearched=unsearched).rstrip() + "\n"
