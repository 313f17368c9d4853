"""Charts as inline SVG, coloured by the page's style sheet; the numbers behind each stand in a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH = 640
"""Width of every chart, in its own units; the page scales it."""

ROW = 22


def _svg(height: float, inside: list[str], title: str, width: float = WIDTH) -> str:
    body = "".join(inside)
    return (
        f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}" '
        f'style="max-width:{width:g}px">{body}</svg>'
    )


def _text(x: float, y: float, said: str, anchor: str = "start", kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{style}>{escape(said)}</text>'


def _box(x: float, y: float, width: float, height: float, kind: str, tip: str = "") -> str:
    inside = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{max(width, 0):.2f}" height="{height:g}" class="{kind}">{inside}</rect>'


def number(value: int) -> str:
    """A count as it stands beside a bar."""
    return f"{value:,}".replace(",", " ")


def bars(rows: Sequence[tuple[str, Sequence[int]]], kinds: Sequence[str], title: str, label_width: int = 170) -> str:
    """Horizontal bars, one a row, each made of a part for every kind; the values stand behind the bar."""
    most = max((sum(values) for _, values in rows), default=0) or 1
    tail = 26 + max((len(" / ".join(map(number, values))) for _, values in rows), default=0) * 7
    room = WIDTH - label_width - tail
    inside = []
    for at, (label, values) in enumerate(rows):
        y, x = at * ROW + 4, float(label_width)
        inside.append(_text(label_width - 8, y + 12, label, "end"))
        for value, kind in zip(values, kinds, strict=True):
            width = room * value / most
            inside.append(_box(x, y, width, ROW - 8, kind, f"{label}: {kind} {number(value)}"))
            x += width
        inside.append(_text(x + 6, y + 12, " / ".join(map(number, values)), kind="value"))
    return _svg(len(rows) * ROW + 8, inside, title)


def columns(rows: Sequence[tuple[str, int]], kind: str, title: str, axis: str) -> str:
    """Columns side by side; `axis` says what the labels below them count."""
    height, base = 220.0, 176.0
    most = max((value for _, value in rows), default=0) or 1
    room = (WIDTH - 20) / max(len(rows), 1)
    inside = [f'<line x1="10" y1="{base:g}" x2="{WIDTH - 10}" y2="{base:g}" class="axis"/>']
    for at, (label, value) in enumerate(rows):
        tall, x = (base - 24) * value / most, 10 + at * room
        inside.append(_box(x + 3, base - tall, room - 6, tall, kind, f"{label}: {number(value)}"))
        inside.append(_text(x + room / 2, base - tall - 5, number(value), "middle", "value"))
        inside.append(_text(x + room / 2, base + 16, label, "middle"))
    inside.append(_text(WIDTH / 2, height - 8, axis, "middle", "value"))
    return _svg(height, inside, title)


def _short(name: str, most: int = 28) -> str:
    """A row's name as far as it fits: of a test its own, of a file the last part; tip and table have it whole."""
    own = name.split("::")[-1] if "::" in name else name.split("/")[-1]
    return own if len(own) <= most else own[: most - 1] + "…"


def matrix(rows: Sequence[str], across: Sequence[str], cells: dict[tuple[str, str], int], title: str) -> str:
    """A grid of counts, the darker the more."""
    left, top, side = 206, 92, 44
    most = max(cells.values(), default=0) or 1
    inside = []
    for place, name in enumerate(across):
        x = left + place * side + side / 2
        inside.append(f'<text transform="translate({x + 4:g},{top - 8}) rotate(-50)">{escape(name)}</text>')
    for at, name in enumerate(rows):
        y = top + at * ROW
        inside.append(_text(left - 8, y + 15, _short(name), "end"))
        for place, column in enumerate(across):
            value = cells.get((name, column), 0)
            x = left + place * side
            inside.append(_box(x + 1, y + 1, side - 2, ROW - 2, "cell", f"{name}, {column}: {value}"))
            if value:
                shade = 0.25 + 0.75 * value / most
                inside.append(f'<g opacity="{shade:.2f}">{_box(x + 1, y + 1, side - 2, ROW - 2, "accepted")}</g>')
                inside.append(_text(x + side / 2, y + 15, str(value), "middle", "oncell"))
    return _svg(top + len(rows) * ROW + 8, inside, title, left + len(across) * side + 40)


def day(periods: Sequence[dict[str, int]], title: str) -> str:
    """What was quoted, bid for and delivered in every period of a day, in Wh; what was bid for as a line."""
    height, base, left = 240.0, 196.0, 46
    most = max((max(row["supply_wh"], row["demand_wh"]) for row in periods), default=0) or 1
    step = (WIDTH - left - 10) / max(len(periods), 1)
    inside = [f'<line x1="{left}" y1="{base:g}" x2="{WIDTH - 10}" y2="{base:g}" class="axis"/>']
    for part in range(1, 5):
        y = base - (base - 16) * part / 4
        inside.append(f'<line x1="{left}" y1="{y:g}" x2="{WIDTH - 10}" y2="{y:g}" class="rule"/>')
        inside.append(_text(left - 6, y + 4, number(most * part // 4), "end", "value"))
    points = []
    for at, row in enumerate(periods):
        x = left + at * step
        for name, kind in (("supply_wh", "quoted"), ("delivered_wh", "accepted")):
            tall = (base - 16) * row[name] / most
            tip = f"period {row['period']}: {name.removesuffix('_wh')} {number(row[name])} Wh"
            inside.append(_box(x + 1, base - tall, step - 2, tall, kind, tip))
        points.append(f"{x + step / 2:.1f},{base - (base - 16) * row['demand_wh'] / most:.1f}")
        if at % 6 == 0:
            inside.append(_text(x + step / 2, base + 16, str(row["period"]), "middle"))
    inside.append(f'<polyline points="{" ".join(points)}" class="wanted"/>')
    inside.append(_text(WIDTH / 2, height - 6, "delivery period; energy in Wh", "middle", "value"))
    return _svg(height, inside, title)
