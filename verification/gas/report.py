"""The figures as tables: on the screen, and between the markers of `docs/gas.md`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from verification.builds import SHIPPED
from verification.gas.figures import (
    BEFORE_BIDS,
    EVEN_SIZES,
    FULL_BOOKS,
    PEERS,
    PLAIN_HALF_HOUR,
    SPREAD,
    TRANSACTION_CAP,
    WORDS_BEFORE,
    Column,
    Figure,
    above,
    failures,
    growing,
    line_name,
    rules_of,
    spread,
)
from verification.gas.growth import DAYS
from verification.gas.history import MAX_BIDS, MAX_TRADES
from verification.gas.lower_bound import HOUSEHOLD, STEPS, WITHIN
from verification.gas.sizes import BUILDS, DEPLOYED, Size, too_large
from wattproof.outputs import write
from wattproof.tables import show as show_table


@dataclass(frozen=True)
class Measured:
    """All that is shown.

    lines       the figures by Prague's rules
    columns     what the lines cost by each set of rules
    before      a household's half-hour in the build before, by the rules
    words       of storage after `growth.DAYS`; none where they were not counted
    """

    lines: Sequence[Figure]
    sizes: Sequence[Size]
    columns: Sequence[Column]
    before: Mapping[str, int]
    words: Sequence[int] = ()
    words_before: Sequence[int] = WORDS_BEFORE

    @property
    def above(self) -> list[str]:
        """What is above its target, in words, but for columns that are only kept from before."""
        columns = [one for column in self.columns if not column.kept for one in above(column, self.before)]
        return [*failures(self.lines), *columns, *growing(self.words), *too_large(self.sizes)]


def show(told: Measured, console: Console) -> None:
    """Prints the tables, the comparison with other markets, the bytes that are free, and what is above its target."""
    lines = told.lines
    title = "gas in the steady state, by Prague's rules, 21,000 and calldata included"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("step")
    for heading in ("n", "count", "median", "worst", "at most", "", "floor", "ratio", "new market"):
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
            _number(line.fresh),
        )
        previous = line.step
    show_table(console, table)

    for title, (headings, rows, right) in (
        ("gas by other rules, of single calls the median", _steps(told)),
        ("by each set of rules", _rules(told)),
        ("other public energy markets", _peers(lines)),
        ("bytes of code, and free below EIP-170's limit", _code(told.sizes)),
    ):
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for column, heading in enumerate(headings):
            table.add_column(heading, justify="right" if column in right else "left")
        for row in rows:
            table.add_row(*row)
        show_table(console, table)
    for sentence in _sentences(told):
        console.print(sentence)
    for failure in told.above:
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


def _heading(column: Column) -> str:
    rules = rules_of(column.rules)
    return f"{rules.name} (a forecast)" if rules.forecast else rules.name


def _rules(told: Measured) -> Cells:
    """The half-hour against the build before, full books and free bytes, with a column for each set of rules."""
    free = next(size for size in told.sizes if (size.contract, size.build) == ("EnergyMarket", SHIPPED))
    match, settle = (line_name(*key) for key in zip(FULL_BOOKS, (MAX_BIDS, MAX_TRADES), strict=True))
    rows: list[list[str]] = [
        ["node"],
        ["measured"],
        [f"a household's half-hour, {BEFORE_BIDS} bids, in the build before"],
        ["now, in the steady state"],
        ["times the build before"],
        ["at most"],
        ["now, in a new market"],
        [f"a full book of {MAX_BIDS} bids to match"],
        [f"{MAX_TRADES} trades to settle"],
        ["a transaction may use"],
        [f"bytes of EnergyMarket free, {free.reserve} at least"],
    ]
    for column in told.columns:
        before, now = told.before[column.rules], column.half_hour
        older = column.bytecode != told.columns[0].bytecode
        cells = [
            column.node,
            "earlier, of another build" if older else "earlier" if column.kept else "in this run",
            f"{before:,}",
            f"{now.median:,}",
            f"{now.median / before:.3f}",
            f"{float(rules_of(column.rules).at_most):.2f}",
            _number(now.fresh),
            f"{column.by_name[match].worst:,}",
            f"{column.by_name[settle].worst:,}",
            f"{TRANSACTION_CAP:,}",
            f"{free.free:,}",
        ]
        for row, cell in zip(rows, cells, strict=True):
            row.append(cell)
    return ("", *map(_heading, told.columns)), rows, range(1, len(told.columns) + 1)


def _steps(told: Measured) -> Cells:
    """Every line by each set of rules, in the steady state and in a new market."""
    headings = [part for column in told.columns for part in (_heading(column), "new market")]
    rows = []
    for line in told.lines:
        row = [line.step, str(line.n or "")]
        for column in told.columns:
            cost = column.by_name.get(line.name)
            row += [_number(cost and cost.median), _number(cost and cost.fresh)]
        rows.append(row)
    return ("step", "n", *headings), rows, range(1, 2 + len(headings))


def _code(sizes: Sequence[Size]) -> Cells:
    rows = [(size.contract, *BUILDS[size.build], f"{size.size:,}", f"{size.free:,}") for size in sizes]
    return ("contract", "rules", "optimised for", "bytes", "free"), rows, (3, 4)


def _sentences(told: Measured) -> list[str]:
    lines = told.lines
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
        *(_against_before(column, told.before[column.rules]) for column in told.columns),
        *_growth(told),
        f"Bytes free: {'; '.join(_free(size) for size in told.sizes if size.build in DEPLOYED)}.",
    ]


def _growth(told: Measured) -> list[str]:
    if not told.words:
        return []
    now, before = (
        " and ".join(f"{count:,} after {days} days" for count, days in zip(words, DAYS, strict=True))
        for words in (told.words, told.words_before)
    )
    return [f"Words of storage that ten households take: {now}; in the build before {before}."]


def _free(size: Size) -> str:
    least = f" (at least {size.reserve})" if size.reserve else ""
    return f"{size.contract} for {BUILDS[size.build][0]} {size.free:,}{least}"


def _against_before(column: Column, before: int) -> str:
    now, most = column.half_hour, float(rules_of(column.rules).at_most)
    new = f"; {now.fresh:,} in a new market" if now.fresh else ""
    return (
        f"{_heading(column)}: a household's half-hour with {BEFORE_BIDS} bids {now.median:,} gas, "
        f"{now.median / before:.3f} times the {before:,} of the build before (at most {most:.2f}){new}."
    )


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
            _number(line.fresh),
        ]
        for line in lines
        if line.target is not None
    ]
    return _markdown(("step", "n", "median", "worst", "at most", "kept", "in a new market"), rows, (1, 2, 3, 4, 6))


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


def _summary(told: Measured) -> str:
    kept = "Every target is kept."
    if told.above:
        kept = "Above their targets:\n\n" + "\n".join(f"- {one}" for one in told.above)
    return "\n\n".join([*_sentences(told), kept])


SECTIONS: dict[str, Callable[[Measured], str]] = {
    "summary": _summary,
    "rules": lambda told: _markdown(*_rules(told)),
    "targets": lambda told: _targets(told.lines),
    "steps": lambda told: _markdown(*_steps(told)),
    "parts": lambda told: _parts(told.lines),
    "demands": lambda _: _demands(),
    "peers": lambda told: _markdown(*_peers(told.lines)),
    "code": lambda told: _markdown(*_code(told.sizes)),
}
"""What stands between `<!-- gas: NAME -->` and `<!-- end -->`."""


def rewritten(text: str, told: Measured) -> str:
    """`text` with what is between its markers written anew from what was measured.

    Raises ValueError where a section has no markers, or markers name no section.
    """
    marker = re.compile(r"(<!-- gas: (\w+) -->\n).*?(<!-- end -->)", re.S)
    named = [match[2] for match in marker.finditer(text)]
    if sorted(named) != sorted(SECTIONS):
        raise ValueError(f"the document has markers for {sorted(named)}; it needs each of {sorted(SECTIONS)} once")
    return marker.sub(lambda match: f"{match[1]}{SECTIONS[match[2]](told)}\n{match[3]}", text)


def write_docs(path: Path, told: Measured) -> None:
    """Rewrites the tables of the document at `path`."""
    write(path, rewritten(path.read_text(), told))
