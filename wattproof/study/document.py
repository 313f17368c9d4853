"""Keeps docs/case-study.md true: its numbers stand between markers, and are put there from the results.

A marker pair looks like `<!--=month.saving_percent-->14.2<!--/-->`; a reader sees the number alone. The name is a path
into the results (households and the like by their name), or that of a claim or table made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wattproof.outputs import write
from wattproof.study.claims import claims
from wattproof.study.plan import USUAL_RUNG
from wattproof.study.results import priority
from wattproof.study.tables import tables
from wattproof.study.texts import shown

NAME = "case-study.md"
DATA = "case-study.json"
FIGURES = "figures"

MARKER = re.compile(r"<!--=([a-z0-9_.-]+)-->(.*?)<!--/-->", re.S)
FIGURE = re.compile(r"\(figures/([a-z0-9-]+)\.svg\)")

TIMED = ("times", "table.times")
"""What differs from run to run and from machine to machine: renewed, never compared."""


NAMED = ("household", "strategy", "sdr", "nodes", "rung", "step")
"""By what the entries of a list are called."""


class BadDocument(Exception):
    """The document cannot be used; the text is one line."""


def renew(docs: Path, results: Mapping[str, Any], out: Path) -> None:
    """Puts the results into the document, and copies them and the figures that it shows from `out` beside it."""
    text = read(docs)
    renewed = render(text, values(results))
    for name in FIGURE.findall(text):
        write(docs / FIGURES / f"{name}.svg", (out / f"{name}.svg").read_bytes())
    write(docs / DATA, (out / "results.json").read_bytes())
    write(docs / NAME, renewed)


def tried(docs: Path) -> None:
    """Raises BadPlace where the document could not be renewed: before hours are spent on it."""
    for path in (docs / NAME, docs / DATA):
        if path.exists():
            write(path, path.read_bytes())


def compare(docs: Path, results: Mapping[str, Any]) -> list[str]:
    """What the document says otherwise than the results, a line each; empty where it says the same."""
    text, known = read(docs), values(results)
    lines = []
    for name, written in MARKER.findall(text):
        if name.startswith(TIMED):
            continue
        played = known.get(name)
        if played is None:
            lines.append(f"{name}: no such figure was played")
        elif played != written:
            lines.append(f"{name}: says {_short(written)}, played {_short(played)}")
    return lines


def render(text: str, known: Mapping[str, str]) -> str:
    """The document with every marked place filled. BadDocument for a name that the results do not have."""

    def filled(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise BadDocument(f"{NAME}: no figure is called {match[1]}")
        return f"<!--={match[1]}-->{known[match[1]]}<!--/-->"

    return MARKER.sub(filled, text)


def values(results: Mapping[str, Any]) -> dict[str, str]:
    """All that can stand in the document, by name."""
    known = dict(_flat("", results))
    known["text.above_one"] = ", ".join(results["day"]["above_one"]) or "-"
    known["text.default_step"] = priority(USUAL_RUNG[1])
    known |= {f"claim.{name}": text for name, text in claims(results).items()}
    known |= {f"table.{name}": f"\n\n{table}\n\n" for name, table in tables(results).items()}
    return known


def plain(text: str) -> str:
    """Markdown without its emphasis, for the terminal."""
    return text.replace("**", "")


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and "mean" not in value:
        for key, entry in value.items():
            yield from _flat(f"{path}.{key}".lstrip("."), entry)
    elif isinstance(value, list):
        for at, entry in enumerate(value):
            key = at
            if isinstance(entry, Mapping):
                key = next((entry[name] for name in NAMED if name in entry), at)
            yield from _flat(f"{path}.{key}".replace(" ", "-"), entry)
    else:
        yield path, shown(value)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def read(docs: Path) -> str:
    """The document in the folder `docs`. BadDocument where there is none."""
    path = docs / NAME
    if not path.is_file():
        raise BadDocument(f"{path}: is not there; name the folder of {NAME}")
    return path.read_text(encoding="utf-8")
