"""What the templates of a report share: where they lie, and the filters that write a value for a reader."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markdown_it import MarkdownIt
from markupsafe import Markup

from verification import rerun
from verification.report import attacks, facts, findings

_MARKDOWN = MarkdownIt("commonmark", {"html": False})

_NAME = re.compile(r"\b((?:T|C[1-5])-[A-Z]+-\d+)\b(?![^<>]*>)")
"""A name of a clause or an invariant that does not stand inside a tag."""


def render(template: str, **values: Any) -> str:
    """The text of a template with these values."""
    return _ENVIRONMENT.get_template(template).render(values)


def markdown(text: str) -> Markup:
    """A line of Markdown, in which no name of an invariant or a clause is broken at its hyphens."""
    return Markup(_NAME.sub(r'<span class="ref">\1</span>', _MARKDOWN.renderInline(text)))


def step(key: object) -> str:
    """A key as it stands in a JSON pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")


def short(name: str, most: int = 28) -> str:
    """A row's name as far as it fits: of a test its own, of a file the last part; tip and table have it whole."""
    own = name.split("::")[-1] if "::" in name else name.split("/")[-1]
    return own if len(own) <= most else own[: most - 1] + "…"


def fence(text: str) -> str:
    """What stands around a text in Markdown: longer than any row of backticks in it."""
    return "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))


def _figures(values: Iterable[int]) -> str:
    return " / ".join(map(facts.number, values))


_ENVIRONMENT = Environment(
    loader=PackageLoader("verification", "report"),
    autoescape=select_autoescape(["html.j2", "svg.j2"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals["levels"] = findings.LEVELS
_ENVIRONMENT.filters.update(
    number=facts.number,
    clock=facts.clock,
    on_contracts=rerun.on_contracts,
    figures=_figures,
    short=short,
    g="{:g}".format,
    cell=lambda text: str(text).replace("|", "\\|"),
    md=markdown,
    step=step,
    fence=fence,
    share=attacks.share,
    nothing=attacks.nothing,
    right=attacks.right,
)
