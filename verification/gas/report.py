"""The figures as tables: on the screen, and between the markers of `docs/gas.md`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from verification.gas.figures import (
    EVEN_SIZES,
    PEERS,
    PLAIN_HALF_HOUR,
    SPREAD,
    TRANSACTION_CAP,
    Figure,
    failures,
    spread,
)
from verification.gas.lower_bound import HOUSEHOLD, STEPS, WITHIN
from verification.gas.sizes import BUILDS, Size, too_large
from wattproof.outputs import write
from wattproof.tables import show as show_table


def show(lines: Sequence[Figure], sizes: Sequence[Size], console: Console) -> None:
    """Prints the table, the comparison with other markets, the bytes that are free, and what is above its target."""
    table = Table(title="gas, 21,000 and calldata included", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("step")
    for heading in ("n", "count", "median", "worst", "at most", "", "floor", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    previous = ""
    for line in lines:
        table.add_row(
            line.step if line.step != previous else "",
            str(line.n or ""),
            f"{line.count:,}",
            f"{line.median:,}",
            f"{line.worst:,}",
            _number(line.target),
            "" if line.target is None else "[green]ok[/]" if line.within else "[red]above[/]",
            _number(line.floor),
            _ratio(line, "[yellow]", "[/]"),
        )
        previous = line.step
    show_table(console, table)

    for title, (headings, rows, right) in (
        ("other public energy markets", _peers(lines)),
        ("bytes of code, and free below EIP-170's limit", _code(sizes)),
    ):
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for column, heading in enumerate(headings):
            table.add_column(heading, justify="right" if column in right else "left")
        for row in rows:
            table.add_row(*row)
        show_table(console, table)
    for sentence in _sentences(lines):
        console.print(sentence)
    for failure in (*failures(lines), *too_large(sizes)):
        console.print(f"[red]above its target:[/] {failure}")


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _ratio(line: Figure, mark: str = "**", end: str = "**") -> str:
    if line.ratio is None:
        return ""
    text = f"{float(line.ratio):.2f}"
    return f"{mark}{text}{end}" if line.ratio > WITHIN else text


Cells = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[int]]
"""The headings of a table, its rows, and the columns that are aligned to the right."""


def _peers(lines: Sequence[Figure]) -> Cells:
    median = {(line.step, line.n): line.median for line in lines}
    rows = [(peer.step, peer.who, f"{peer.gas:,}", f"{median[peer.ours]:,}", peer.remark) for peer in PEERS]
    return ("step", "market", "gas", "here", ""), rows, (2, 3)


def _code(sizes: Sequence[Size]) -> Cells:
    rows = [(size.contract, *BUILDS[size.build], f"{size.size:,}", f"{size.free:,}") for size in sizes]
    return ("contract", "rules", "optimised for", "bytes", "free"), rows, (3, 4)


def _sentences(lines: Sequence[Figure]) -> list[str]:
    costs = {line.n: line.median for line in lines if line.step == HOUSEHOLD}
    full = {line.step: line for line in lines if line.step.endswith("full book")}
    dearest = max(costs.values())
    return [
        f"A household's half-hour, all calls together: {dearest:,} gas at most, "
        f"{dearest / PLAIN_HALF_HOUR:.0%} of a plain design's {PLAIN_HALF_HOUR:,}; with "
        f"{', '.join(map(str, EVEN_SIZES[:-1]))} and {EVEN_SIZES[-1]} bids the same within {float(spread(lines)):.2%} "
        f"(at most {float(SPREAD):.0%}).",
        f"A full book takes {full['match, full book'].worst:,} gas to match and {full['settle, full book'].worst:,} "
        f"to settle with {full['settle, full book'].n} trades; a transaction may use {TRANSACTION_CAP:,}.",
    ]


# ---- docs/gas.md -------------------------------------------------------------------------


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    rule = ["--:" if column in right else "---" for column in range(len(headings))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, rule, *rows))


def _targets(lines: Sequence[Figure]) -> str:
    rows = [
        [
            line.step,
            str(line.n or ""),
            _number(line.median),
            _number(line.worst),
            _number(line.target),
            "yes" if line.within else "**no**",
        ]
        for line in lines
        if line.target is not None
    ]
    return _markdown(("step", "n", "median", "worst", "at most", "kept"), rows, (1, 2, 3, 4))


def _parts(lines: Sequence[Figure]) -> str:
    rows = [
        [
            line.name,
            *map(_number, (line.median, line.base, line.calldata, line.logs, line.storage, line.rest, line.floor)),
            _ratio(line),
        ]
        for line in lines
    ]
    headings = ("step", "gas", "transaction", "calldata", "events", "storage", "rest", "floor", "ratio")
    return _markdown(headings, rows, range(1, 9))


def _demands() -> str:
    """What each step must read and write; steps that demand the same stand together."""
    groups: dict[tuple, list[str]] = {}
    for step, items in STEPS.items():
        groups.setdefault(items, []).append(step)
    rows = []
    for items, steps in groups.items():
        what = "; ".join(f"{item.what} {item.gas:,}{' (once)' if item.shared else ''}" for item in items)
        rows.append(["; ".join(steps), what])
    return _markdown(("steps", "must"), rows, ())


def _summary(lines: Sequence[Figure], sizes: Sequence[Size]) -> str:
    above = [*failures(lines), *too_large(sizes)]
    kept = "Every target is kept." if not above else "Above their targets:\n\n" + "\n".join(f"- {one}" for one in above)
    return "\n\n".join([*_sentences(lines), kept])


SECTIONS: dict[str, Callable[[Sequence[Figure], Sequence[Size]], str]] = {
    "summary": _summary,
    "targets": lambda lines, _: _targets(lines),
    "parts": lambda lines, _: _parts(lines),
    "demands": lambda *_: _demands(),
    "peers": lambda lines, _: _markdown(*_peers(lines)),
    "code": lambda _, sizes: _markdown(*_code(sizes)),
}
"""What stands between `<!-- gas: NAME -->` and `<!-- end -->`."""


def rewritten(text: str, lines: Sequence[Figure], sizes: Sequence[Size]) -> str:
    """`text` with what is between its markers written anew from the figures and sizes.

    Raises ValueError where a section has no markers, or markers name no section.
    """
    marker = re.compile(r"(<!-- gas: (\w+) -->\n).*?(<!-- end -->)", re.S)
    named = [match[2] for match in marker.finditer(text)]
    if sorted(named) != sorted(SECTIONS):
        raise ValueError(f"the document has markers for {sorted(named)}; it needs each of {sorted(SECTIONS)} once")
    return marker.sub(lambda match: f"{match[1]}{SECTIONS[match[2]](lines, sizes)}\n{match[3]}", text)


def write_docs(path: Path, lines: Sequence[Figure], sizes: Sequence[Size]) -> None:
    """Rewrites the tables of the document at `path`."""
    write(path, rewritten(path.read_text(), lines, sizes))
