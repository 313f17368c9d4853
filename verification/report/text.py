"""The report as Markdown text: the same as the page, without pictures. The worst attacks have a text of their own."""

from __future__ import annotations

from typing import Any

from verification.report import templates
from verification.report.facts import first_screen


def render(told: dict[str, Any]) -> str:
    """The text of report.md."""
    return templates.render("report.md.j2", told=told, screen=first_screen(told))


def profit(passes: list[dict[str, Any]], lines: list[dict[str, Any]], unsearched: str) -> str:
    """The text of a search for profit by itself: its passes, and the worst attack on every invariant on profit."""
    return templates.render("profit.md.j2", passes=passes, lines=lines, unsearched=unsearched).rstrip() + "\n"
