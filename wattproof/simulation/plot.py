"""The picture of a day: supply, demand and local trades above, the prices of the market between the grid's below."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from wattproof.market.deployment import Tariff
from wattproof.market.units import PENCE_PER_KWH, WH_PER_KWH

SIZE = (12.0, 8.0)
"""Width and height in inches; at 100 dots per inch the PNG has 1200 x 800 pixels."""

# Okabe and Ito's palette, which people with any colour vision can tell apart.
_SUPPLY, _DEMAND, _LOCAL, _QUOTE, _BID, _GREY = "#E69F00", "#0072B2", "#009E73", "#009E73", "#D55E00", "#5F5F5F"
_HALF_HOURS = 48


def draw(periods: Path, tariff: Tariff, svg: Path, png: Path, title: str = "A trading day") -> None:
    """Draws a `periods.csv` as an SVG and a PNG. Energies are shown in kWh per period, prices in p/kWh."""
    columns = _read(periods)
    # The same input gives the same bytes.
    with matplotlib.rc_context(
        {
            "svg.hashsalt": "wattproof",
            "svg.fonttype": "none",
            "font.size": 12,
            "axes.spines.right": False,
            "axes.spines.top": False,
        }
    ):
        figure = Figure(figsize=SIZE, dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        energy, prices = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        figure.suptitle(title, x=0.012, ha="left", fontsize=16, fontweight="bold")
        edges = _energy(energy, columns)
        _prices(prices, columns, edges, tariff)
        _time_axis(prices, columns["period"], edges, tariff)
        save(figure, svg, png)


_DARK = """@media (prefers-color-scheme: dark) {
text { fill: #e6e6e2 }
[style*="fill: #ffffff"] { fill: #17181a !important }
[style*="fill: #6e6e6e"], [style*="fill: #5f5f5f"] { fill: #a0a4ab !important }
[style*="stroke: #000000"], [style*="stroke: #333333"] { stroke: #a0a4ab !important }
[style*="stroke: #6e6e6e"], [style*="stroke: #5f5f5f"] { stroke: #a0a4ab !important }
[style*="stroke: #e6e6e6"], [style*="stroke: #e3e3e3"], [style*="stroke: #ededed"] { stroke: #383a3e !important }
[style*="fill: #0072b2"] { fill: #56b4e9 !important }
[style*="stroke: #0072b2"] { stroke: #56b4e9 !important }
}
"""
"""What makes a figure readable on a dark page: paper, ink, greys and the darkest colour. All others stay."""


def save(figure: Figure, svg: Path, png: Path) -> None:
    """Writes a figure as an SVG that follows the reader's light or dark page, and as a PNG on white paper."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg.write_text(text.getvalue().replace("</style>", f"\n{_DARK}</style>", 1), encoding="utf-8")
    figure.savefig(png, metadata={"Software": None})


def _read(path: Path) -> dict[str, list[float]]:
    wanted = ("period", "exported_wh", "imported_wh", "delivered_wh", "quote_price", "bid_price")
    columns: dict[str, list[float]] = {name: [] for name in wanted}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for name in wanted:
                # Only the picture rounds: a float shows a price to far more digits than a pixel.
                columns[name].append(float(row[name]) if row[name] else float("nan"))
    return columns


def _energy(axes: Any, columns: dict[str, list[float]]) -> list[float]:
    """Supply and local trades as areas, demand as a line; returns the edges of the periods on the time axis."""
    first = columns["period"][0]
    edges = [first + at for at in range(len(columns["period"]) + 1)]
    supply, demand, local = (
        [energy / WH_PER_KWH for energy in columns[name]] for name in ("exported_wh", "imported_wh", "delivered_wh")
    )
    axes.stairs(supply, edges, fill=True, color=_SUPPLY, alpha=0.45, label="supply: exported by households")
    axes.stairs(local, edges, fill=True, color=_LOCAL, alpha=0.85, label="local trades: delivered to neighbours")
    axes.stairs(demand, edges, color=_DEMAND, linewidth=2, baseline=None, label="demand: imported by households")
    axes.set_ylabel("kWh per period")
    axes.set_ylim(0, 1.06 * max([*supply, *demand, 0.001]))
    _grid_and_legend(axes, "#E3E3E3")
    return edges


def _prices(axes: Any, columns: dict[str, list[float]], edges: list[float], tariff: Tariff) -> None:
    """The prices of quotes and bids, between what the grid pays and what it charges."""
    ssp, sbp = tariff.ssp / PENCE_PER_KWH, tariff.sbp / PENCE_PER_KWH
    quote, bid = ([price / PENCE_PER_KWH for price in columns[name]] for name in ("quote_price", "bid_price"))
    axes.axhline(ssp, color=_GREY, linestyle="--", linewidth=1.2)
    axes.axhline(sbp, color=_GREY, linestyle="--", linewidth=1.2)
    axes.annotate(f"the grid charges {ssp:g} p", (1, ssp), (-4, 4), xycoords=("axes fraction", "data"), ha="right",
                  textcoords="offset points", color=_GREY, fontsize=11)  # fmt: skip
    axes.annotate(f"the grid pays {sbp:g} p", (1, sbp), (-4, -5), xycoords=("axes fraction", "data"), ha="right",
                  va="top", textcoords="offset points", color=_GREY, fontsize=11)  # fmt: skip
    axes.stairs(bid, edges, color=_BID, linewidth=2.2, baseline=None, label="bid price")
    axes.stairs(quote, edges, color=_QUOTE, linewidth=2.2, linestyle=(0, (4, 1.2)), baseline=None, label="quote price")
    axes.set_ylabel("p/kWh")
    margin = 0.17 * (ssp - sbp) if ssp > sbp else 1
    axes.set_ylim(max(0, sbp - margin), ssp + margin)
    if ssp > sbp:
        axes.set_yticks([sbp + (ssp - sbp) * quarter / 4 for quarter in range(5)])
    _grid_and_legend(axes, "#EDEDED")


def _grid_and_legend(axes: Any, grey: str) -> None:
    """The grid below what is drawn, the legend above the axes, where it hides nothing."""
    axes.grid(axis="y", color=grey, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=11, borderaxespad=0.1)


def _time_axis(axes: Any, periods: Sequence[float], edges: list[float], tariff: Tariff) -> None:
    """Hours where the file is one day of half-hours numbered from 0; else the numbers of the periods."""
    axes.set_xlim(edges[0], edges[-1])
    if tariff.period_length == 1800 and periods[0] >= 0 and periods[-1] < _HALF_HOURS:
        span = edges[-1] - edges[0]
        step = 4 if span > 16 else 2
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.xaxis.set_major_formatter(lambda at, _: f"{int(at) // 2:02}:{int(at) % 2 * 30:02}")
        axes.set_xlabel("time of day")
    else:
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("period")
