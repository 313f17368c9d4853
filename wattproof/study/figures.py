"""The figures of the paper, with its numbers, and those beyond it: each as SVG and PNG, its data as CSV.

Pictures round; the CSV files have whole Wh and base units.
"""

from __future__ import annotations

import csv
import math
import textwrap
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from wattproof.market.deployment import Tariff
from wattproof.market.units import PENCE, PENCE_PER_KWH, WH_PER_KWH
from wattproof.simulation.households import Habit, HalfHour
from wattproof.simulation.plot import save
from wattproof.simulation.pricing import into_band, sdr_prices
from wattproof.study.communities import HALF_HOURS, Base
from wattproof.study.plan import Whole
from wattproof.study.results import above_and_below, groups, label, loads, priority
from wattproof.study.runs import Record

# Okabe and Ito's palette, which people with any colour vision can tell apart.
ORANGE, SKY, GREEN, BLUE, RED, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
GREY, DARK = "#6E6E6E", "#333333"
LINES = (ORANGE, BLUE, GREEN, RED, PURPLE, SKY)
STYLES = ("-", "--", "-.", ":")

MOST = 12
"""Households that one figure shows; the CSV has all."""

TOLERANCE = 5
"""Per cent by which a performance may differ from its promise (paper, section 2.2)."""

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "wattproof",
    "text.parse_math": False,  # a dollar in a household's name begins no formula
    "svg.fonttype": "none",  # text stays text: it can be searched, and the files are a third of the size
    "font.size": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "legend.frameon": False,
}


@dataclass
class Drawn:
    """A figure, and its data: the heading of the CSV and its rows."""

    name: str
    figure: Figure
    heading: Sequence[str]
    rows: Sequence[Sequence[Any]]


def draw_all(base: Base, whole: Whole, results: dict[str, Any], folder: Path) -> None:
    """Draws all figures into `folder`. Those that the file has no data for say so."""
    # The same data give the same bytes.
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A name in a script that matplotlib's font lacks: the PNG has boxes for it, SVG and CSV have the name.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        for drawn in _all(base, whole.records, results):
            with open(folder / f"{drawn.name}.csv", "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(drawn.heading)
                writer.writerows(drawn.rows)
            save(drawn.figure, folder / f"{drawn.name}.svg", folder / f"{drawn.name}.png")


def _all(base: Base, records: Sequence[Record], results: dict[str, Any]) -> Iterable[Drawn]:
    above, below = above_and_below(base, records)
    yield generation(base, records)
    yield net_production(base, records)
    yield pricing(base, records, above)
    yield supply_and_demand(base, records)
    yield costs(base, above, "figure-08-costs-sdr-above-1", "above 1")
    yield costs(base, below, "figure-09-costs-sdr-below-1", "below 1")
    yield deviations(base, records, "figure-10-producers", "Prosumers: forecast of generation", base.prosumers, "pv")
    for number, habit, text in (
        (11, Habit.IRREGULAR, "Irregular consumers"),
        (12, Habit.ORDINARY, "Ordinary consumers"),
        (13, Habit.REGULAR, "Regular consumers"),
    ):
        name = f"figure-{number}-{habit.value}"
        yield deviations(base, records, name, f"{text}: forecast of load", base.consumers_of(habit), "load")
    yield daily_costs(base, records)
    yield deal_probability(base, results["deals"])
    yield steps(results["described"])
    yield adaptation(results["adaptation"])
    yield month(base, results["month"])
    yield strategies(results["strategies"])
    yield ranking(base, results["ranking"])
    yield scale(results["gas"], results.get("times", []))


# ---- generation, supply, demand, prices -----------------------------------------------------------


def generation(base: Base, records: Sequence[Record]) -> Drawn:
    """Figure 4: what each prosumer's panels gave."""
    figure, (axes,) = _new("Generation of each prosumer")
    rows = _of_prosumers(axes, base, records, lambda half_hour: half_hour.pv)
    axes.set_ylim(0)
    return Drawn("figure-04-generation", figure, ("time", "household", "generation_wh"), rows)


def net_production(base: Base, records: Sequence[Record]) -> Drawn:
    """Figure 5: generation less own consumption."""
    figure, (axes,) = _new("Net production of each prosumer: generation less own consumption")
    axes.axhline(0, color=GREY, linewidth=1)
    rows = _of_prosumers(axes, base, records, lambda half_hour: half_hour.pv - half_hour.load)
    return Drawn("figure-05-net-production", figure, ("time", "household", "net_wh"), rows)


def _of_prosumers(
    axes: Axes, base: Base, records: Sequence[Record], energy: Callable[[HalfHour], int]
) -> list[tuple[str, str, int]]:
    """Draws an energy of each prosumer over the day; returns its rows: time, household, Wh."""
    for at, name in enumerate(base.prosumers[:MOST]):
        axes.stairs(
            [energy(record.row[name]) / WH_PER_KWH for record in records], list(range(len(records) + 1)),
            baseline=None, linewidth=2, color=LINES[at % len(LINES)], linestyle=STYLES[at // len(LINES) % len(STYLES)],
            label=label(base, name),
        )  # fmt: skip
    axes.set_ylabel("kWh per half-hour")
    _time_axis(axes, base)
    axes.grid(axis="y")
    if base.prosumers:
        _legend(axes)
    else:
        _empty(axes, "no household generates anything")
    _note(axes, len(base.prosumers))
    return [(_time(base, record), name, energy(record.row[name])) for record in records for name in base.prosumers]


def pricing(base: Base, records: Sequence[Record], above: Record | None) -> Drawn:
    """Figure 6: the prices by the supply-demand ratio, and the book of one half-hour."""
    title = "Prices by the supply-demand ratio (SDR), and one half-hour's quotes and bids"
    figure, (curve, book) = _new(title, columns=2, width_ratios=(3, 2))
    ratios = [Fraction(at, 100) for at in range(0, 251)]
    sell, buy = zip(*(_prices(ratio, Tariff()) for ratio in ratios), strict=True)
    curve.plot([float(ratio) for ratio in ratios], buy, color=RED, linewidth=2, label="bid")
    curve.plot([float(ratio) for ratio in ratios], sell, color=GREEN, linewidth=2, linestyle="--", label="quote")
    shown = [record for record in records if record.result.demand and record.sdr <= Fraction(5, 2)]
    for price, colour, text in (("bid_price", RED, "the day's half-hours"), ("quote_price", GREEN, None)):
        dots = [(float(record.sdr), at) for record in shown if (at := getattr(record.result, price))]
        curve.scatter(
            [ratio for ratio, _ in dots], [at / PENCE_PER_KWH for _, at in dots], color=colour, s=26, zorder=3,
            edgecolor="white", linewidth=0.6, label=text,
        )  # fmt: skip
    _grid_prices(curve, 2.5, above=5, shown=True)
    curve.set(xlim=(0, 2.5), ylim=(4, 20), xlabel="SDR (supply / demand)", ylabel="p/kWh")
    _legend(curve)
    if above is None:
        _empty(book, "no half-hour with trades and SDR above 1")
    else:
        offered = {
            name: half_hour.forecast_pv - half_hour.forecast_load
            for name, half_hour in above.row.items()
            if half_hour.forecast_pv > half_hour.forecast_load
        }
        wanted: Counter[str] = Counter()
        for offer in above.result.offers:
            wanted[offer.household] += offer.volume
        names = [*offered, *(name for name in base.names if name in wanted)][:MOST]
        for kind, price, volumes, colour in (
            ("quoted", above.result.quote_price, offered, GREEN),
            ("bid for", above.result.bid_price, wanted, RED),
        ):
            text = f"{kind} at {(price or 0) / PENCE_PER_KWH:.2f} p/kWh"
            at = [names.index(name) for name in volumes if name in names]
            book.barh(at, [volumes[names[place]] / WH_PER_KWH for place in at], color=colour, label=text)
        book.set_yticks(range(len(names)), names)
        book.invert_yaxis()
        book.set_xlabel(f"kWh at {_time(base, above)} (SDR {float(above.sdr):.2f})")
        _legend(book, columns=1)
    rows = [
        (_time(base, record), result.supply, result.demand, result.quote_price or "", result.bid_price or "")
        for record in records
        for result in (record.result,)
    ]
    heading = ("time", "supply_wh", "demand_wh", "quote_price_base_units_per_wh", "bid_price_base_units_per_wh")
    return Drawn("figure-06-pricing", figure, heading, rows)


def _prices(ratio: Fraction, tariff: Tariff) -> tuple[float, float]:
    """Quote and bid price in p/kWh, as the day makes them from the ratio."""
    sell, buy = sdr_prices(ratio.numerator, ratio.denominator, tariff.sbp, tariff.ssp)
    quote = into_band(sell, tariff.lowest_price, tariff.highest_price)
    bid = into_band(buy, quote, tariff.highest_price)
    return quote / PENCE_PER_KWH, bid / PENCE_PER_KWH


def supply_and_demand(base: Base, records: Sequence[Record]) -> Drawn:
    """Figure 7: forecast supply and demand of the market."""
    figure, (axes,) = _new("Supply and demand of the market over the day, as forecast")
    supply, demand = (
        [getattr(record.result, kind) / WH_PER_KWH for record in records] for kind in ("supply", "demand")
    )
    edges = list(range(len(records) + 1))
    both = list(zip(supply, demand, strict=True))
    axes.stairs(
        [high if high > low else math.nan for high, low in both], edges,
        baseline=[low if high > low else 0 for high, low in both], fill=True, color=ORANGE, alpha=0.35,
        label="supply beyond demand (SDR above 1)",
    )  # fmt: skip
    axes.stairs(demand, edges, color=BLUE, linewidth=2, baseline=None, label="demand: forecast deficits")
    axes.stairs(supply, edges, color=ORANGE, linewidth=2, baseline=None, label="supply: forecast surpluses")
    axes.set_ylabel("kWh per half-hour")
    axes.set_ylim(0)
    _time_axis(axes, base)
    _legend(axes)
    rows = [(_time(base, record), record.result.supply, record.result.demand) for record in records]
    return Drawn("figure-07-supply-and-demand", figure, ("time", "supply_wh", "demand_wh"), rows)


# ---- costs -------------------------------------------------------------------------------------------

COSTS = ("household", "grid_alone_base_units", "market_base_units")
"""The heading of what households pay."""


def costs(base: Base, record: Record | None, name: str, where: str) -> Drawn:
    """Figures 8 and 9: each household's cost in one half-hour."""
    if record is None:
        figure, (axes,) = _new(f"Costs in a half-hour with SDR {where}")
        _empty(axes, f"no half-hour with trades and SDR {where}")
        return Drawn(name, figure, COSTS, [])
    rows = [(household, bill.grid_alone, bill.market) for household, bill in record.result.bills.items()]
    title = f"Costs in the half-hour from {_time(base, record)}, with SDR {where} ({float(record.sdr):.2f})"
    figure, (axes,) = _new(title)
    _pairs(axes, base, rows)
    return Drawn(name, figure, COSTS, rows)


def daily_costs(base: Base, records: Sequence[Record]) -> Drawn:
    """Figure 14: each household's cost of the day."""
    rows = []
    for name in base.names:
        bills = [record.result.bills[name] for record in records]
        rows.append((name, sum(bill.grid_alone for bill in bills), sum(bill.market for bill in bills)))
    figure, (axes,) = _new("Cost of each household over the day")
    _pairs(axes, base, rows)
    for at, (_, alone, market) in enumerate(rows[:MOST]):
        text = f"{(market - alone) / PENCE:+.0f} p".replace("-", "−")
        height = max(alone, market, 0) / PENCE
        axes.annotate(text, (at, height), (0, 4), textcoords="offset points", ha="center", fontsize=9, color=GREY)
    axes.margins(y=0.1)
    return Drawn("figure-14-daily-costs", figure, COSTS, rows)


def _pairs(axes: Axes, base: Base, rows: Sequence[tuple[str, int, int]]) -> None:
    """Two bars for each household: grid alone, market."""
    shown = rows[:MOST]
    axes.axhline(0, color=GREY, linewidth=1)
    for offset, column, colour, text in ((-0.2, 1, SKY, "grid alone"), (0.2, 2, GREEN, "with the market")):
        places = [at + offset for at in range(len(shown))]
        axes.bar(places, [int(row[column]) / PENCE for row in shown], 0.38, color=colour, label=text)
    axes.set_ylabel("pence (below 0: revenue)")
    _households(axes, base, [row[0] for row in rows])


# ---- forecasts and deals ------------------------------------------------------------------------------


def deviations(
    base: Base, records: Sequence[Record], name: str, title: str, households: Sequence[str], kind: str
) -> Drawn:
    """Figures 10 to 13: how far each forecast was off."""
    heading = ("time", "household", f"{kind}_wh", f"forecast_{kind}_wh")
    rows = [
        (_time(base, record), household, getattr(record.row[household], kind),
         getattr(record.row[household], f"forecast_{kind}"))
        for record in records
        for household in households
    ]  # fmt: skip
    shown = households[:6]
    figure, panels = _new(title, rows=max(1, len(shown)), height=1.1 + 1.55 * max(1, len(shown)))
    if not shown:
        _empty(panels[0], "no household of this class")
        return Drawn(name, figure, heading, rows)
    errors = {household: [_error(record.row[household], kind) for record in records] for household in shown}
    reach = max([10.0, *(abs(error) for of in errors.values() for error in of if error is not None)])
    for axes, household in zip(panels, shown, strict=True):
        axes.axhspan(-TOLERANCE, TOLERANCE, color=GREEN, alpha=0.15, linewidth=0, label=f"tolerance, ±{TOLERANCE} %")
        axes.axhline(0, color=GREY, linewidth=0.8)
        places = [at + 0.5 for at in range(len(records))]
        for within, colour, text in ((True, GREEN, "forecast inside it"), (False, RED, "forecast beyond it")):
            heights = [
                error if error is not None and (abs(error) <= TOLERANCE) is within else 0 for error in errors[household]
            ]
            axes.bar(places, heights, 0.7, color=colour, label=text)
        axes.set_ylim(-1.1 * reach, 1.1 * reach)
        axes.set_title(label(base, household), loc="left", fontsize=10, pad=3)
        _time_axis(axes, base, text=household == shown[-1])
    _legend_below(figure)
    figure.supylabel("% by which the forecast was above (+) or below (−) what came", fontsize=10)
    return Drawn(name, figure, heading, rows)


def _error(half_hour: HalfHour, kind: str) -> float | None:
    actual = getattr(half_hour, kind)
    return 100 * (getattr(half_hour, f"forecast_{kind}") - actual) / actual if actual else None


def deal_probability(base: Base, deals: Sequence[dict[str, Any]]) -> Drawn:
    """Figure 15: how likely an opened bid becomes a deal."""
    order = [name for names in groups(base).values() for name in names]
    figure, panels = _new("Probability that a consumer's bid becomes a deal", columns=2, height=4.6, sharey=True)
    rows = []
    for axes, shuffled in zip(panels, (False, True), strict=True):
        text = f"loads {loads(shuffled)}"
        for at, entry in enumerate(entry for entry in deals if entry["shuffled"] is shuffled):
            step = entry["priority_step"]
            chances = [entry["households"][name]["deals_percent"] for name in order]
            _points(axes, chances[:MOST], at, f"priority {priority(step)}")
            rows += [(text, step, name, *_ci(chance)) for name, chance in zip(order, chances, strict=True)]
        axes.set_xticks(
            range(len(order[:MOST])), [f"{base.consumers.index(name) + 1}\n{name}" for name in order[:MOST]], fontsize=9
        )
        axes.set_xlabel("consumer, in the order that the paper finds")
        axes.set_title(text, loc="left", fontsize=11)
        axes.set_ylim(0)
        axes.grid(axis="y")
    panels[0].set_ylabel("% of opened bids")
    _legend_below(figure)
    heading = ("loads", "priority_step", "household", "deals_percent", "low", "high")
    return Drawn("figure-15-deal-probability", figure, heading, rows)


# ---- beyond the paper ------------------------------------------------------------------------------------


def steps(described: dict[str, Any]) -> Drawn:
    """In communities as the paper describes them: the chances of the groups, and who comes first, by priority step."""
    entries = described["steps"]
    title = f"Who comes first in {described['communities']} communities as the paper describes them"
    figure, (left, right) = _new(title, columns=2, height=4.8)
    groups = [
        (key, key, [entry["later"]["groups"][key] for entry in entries])
        for key in (entries[0]["later"]["groups"] if entries else ())
    ]
    claims = [
        (key, text, [entry["later"][key] for entry in entries])
        for key, text in (("order", "the paper's whole order"), ("standing", "regular, ordinary, irregular"),
                          ("accuracy", "regular before irregular"))
    ]  # fmt: skip
    names = [priority(entry["priority_step"]).removesuffix(" a tier").replace(" %", "") for entry in entries]
    panels = (left, groups, "% of opened bids that become deals"), (right, claims, "% of communities")
    for axes, series, text in panels:
        for at, (_, name, intervals) in enumerate(series):
            means, whiskers = _whiskers(intervals)
            places = [place + 0.1 * (at - 1) for place in range(len(means))]
            axes.errorbar(places, means, whiskers, fmt="osD^"[at % 4], color=LINES[at % len(LINES)], markersize=5,
                          elinewidth=1, label=name)  # fmt: skip
        axes.axvline(sum(not entry["rank_by_price"] for entry in entries) - 0.5, color=GREY, linewidth=1, linestyle=":")
        axes.set_xticks(range(len(names)), names, fontsize=9)
        axes.set_xlabel("priority, % a tier (on the right: bids rank by price)")
        axes.set_ylabel(text)
        axes.set_ylim(0)
        axes.grid(axis="y")
        if series:
            _legend(axes, columns=2)
        else:
            _empty(axes, "no consumer")
    rows = [
        ("price" if entry["rank_by_price"] else "amount", entry["priority_step"], what, *_ci(series[at]))
        for at, entry in enumerate(entries)
        for what, _, series in (*groups, *claims)
    ]
    return Drawn("beyond-steps", figure, ("bids_rank_by", "priority_step", "what", "percent", "low", "high"), rows)


def adaptation(entries: Sequence[dict[str, Any]]) -> Drawn:
    """Clearing and value at every supply-demand ratio."""
    figure, (left, right) = _new("The market from SDR 0.05 to 20", columns=2)
    ratios = [float(entry["sdr"]) for entry in entries]
    cleared = [
        100 * entry["delivered_wh"] / entry["could_clear_wh"] if entry["could_clear_wh"] else math.nan
        for entry in entries
    ]
    value, price = ([float(entry[key] or math.nan) for entry in entries] for key in ("value", "price"))
    left.plot(ratios, cleared, color=BLUE, marker="o", linewidth=2, label="traded, of what could be")
    left.plot(ratios, [100 * part for part in value], color=GREEN, marker="s", linewidth=2, linestyle="--",
              label="value tapped, of the best")  # fmt: skip
    left.set(ylim=(0, 108), ylabel="%")
    right.plot(ratios, price, color=RED, marker="o", linewidth=2, label="mean price of the trades")
    right.set(ylim=(4, 20), ylabel="p/kWh")
    _grid_prices(right, 20, above=4)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks([0.05, 0.2, 1, 5, 20], ["0.05", "0.2", "1", "5", "20"])
        axes.minorticks_off()
        axes.set_xlabel("SDR (supply / demand)")
        axes.grid()
        _legend(axes, columns=1)
    keys = (
        *("sdr", "half_hours", "could_clear_wh", "cleared_wh", "delivered_wh"),
        *("price", "saving_p", "value", "better", "worse"),
    )
    return Drawn("beyond-adaptation", figure, keys, [[entry[key] for key in keys] for entry in entries])


def month(base: Base, results: dict[str, Any]) -> Drawn:
    """What each household saves over the month."""
    entries = results["households"]
    title = f"Saving of each household over {results['days']} days, {results['communities']} communities"
    figure, (axes,) = _new(title)
    axes.axhline(0, color=GREY, linewidth=1)
    _bars(axes, [entry["saving_p_a_day"] for entry in entries[:MOST]], GREEN,
          "mean, with its 95 % confidence interval", width=0.6, capsize=4, error_kw={})  # fmt: skip
    axes.set_ylabel("pence a day")
    _households(axes, base, [entry["household"] for entry in entries])
    rows = [(entry["household"], *_ci(entry["saving_p_a_day"]), *_ci(entry["saving_percent"])) for entry in entries]
    heading = ("household", "saving_p_a_day", "low", "high", "saving_percent", "low_percent", "high_percent")
    return Drawn("beyond-month", figure, heading, rows)


def strategies(entries: Sequence[dict[str, Any]]) -> Drawn:
    """What strategies bring to who plays them, and cost the others."""
    figure, (axes,) = _new("What a strategy changes", height=1.5 + 0.52 * max(1, len(entries)))
    axes.axvline(0, color=GREY, linewidth=1)
    gains, others = ([entry[key] for entry in entries] for key in ("gain_p_a_day", "others_p_a_day"))
    _bars(axes, gains, GREEN, "for who plays it", -0.2, across=True)
    _bars(axes, others, ORANGE, "for the other households", 0.2, across=True)
    axes.set_yticks(range(len(entries)), [textwrap.fill(entry["title"], 44) for entry in entries], fontsize=10)
    axes.invert_yaxis()
    axes.set_xlabel("pence a day, with 95 % confidence intervals")
    axes.grid(axis="x")
    _legend(axes)
    rows = [(entry["title"], *_ci(entry["gain_p_a_day"]), *_ci(entry["others_p_a_day"])) for entry in entries]
    heading = ("strategy", "gain_p_a_day", "low", "high", "others_p_a_day", "others_low", "others_high")
    return Drawn("beyond-strategies", figure, heading, rows)


def ranking(base: Base, results: dict[str, Any]) -> Drawn:
    """Who gains where bids rank by their unit price instead of their amount, and what a shill changes under each."""
    figure, (left, right) = _new("Bids ranked by unit price instead of total amount", columns=2, height=4.8)
    rows = []
    for axes in (left, right):
        axes.axhline(0, color=GREY, linewidth=1)
        axes.grid(axis="y")
        axes.set_ylabel("pence a day")
    for offset, key, colour, text in ((-0.2, "one", SKY, "one bid price"), (0.2, "own", GREEN, "own prices")):
        entries = results[key]["households"]
        _bars(left, [entry["change"] for entry in entries[:MOST]], colour, text, offset)
        rows += [
            ("saving by price less by amount", text, entry["household"], *_ci(entry["change"])) for entry in entries
        ]
    names = [entry["household"] for entry in results["one"]["households"]][:MOST]
    left.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=9)
    left.set_title("change of each household's saving, by price", loc="left", fontsize=11, pad=22)
    parties = {"player": "the shill", "prosumers": "prosumers", "consumers": "other\nconsumers", "owner": "owner",
               "supplier": "supplier"}  # fmt: skip
    for offset, key, colour, text in ((-0.2, "amount", ORANGE, "by amount"), (0.2, "price", BLUE, "by price")):
        changes = results["shill"][key]
        _bars(right, [changes[party] for party in parties], colour, text, offset)
        rows += [("a shill", text, party, *_ci(changes[party])) for party in parties]
    right.set_xticks(range(len(parties)), list(parties.values()), fontsize=9)
    right.set_title("what a shill changes for whom", loc="left", fontsize=11, pad=22)
    for axes in (left, right):
        _legend(axes)
    _note(left, len(base.names))
    heading = ("what", "case", "who", "p_a_day", "low", "high")
    return Drawn("beyond-ranking", figure, heading, rows)


def scale(entries: Sequence[dict[str, Any]], times: Sequence[dict[str, Any]]) -> Drawn:
    """Gas and time by the size of the community."""
    figure, (left, right) = _new("A half-hour by the size of the community", columns=2)
    taken = {entry["nodes"]: entry["ms_per_household"] for entry in times}
    left.plot([entry["nodes"] for entry in entries], [int(entry["gas_per_household"]) / 1000 for entry in entries],
              color=BLUE, marker="o", linewidth=2, label="gas of all calls, per household")  # fmt: skip
    left.set_ylabel("thousand gas per household")
    right.plot(list(taken), [float(time) for time in taken.values()], color=RED, marker="o", linewidth=2,
               label="wall time, per household")  # fmt: skip
    right.set_ylabel("milliseconds per household")
    for axes in (left, right):
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.set_xlabel("households")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.grid()
        _legend(axes)
    keys = ("nodes", "gas_per_household", "largest_call", "largest_gas")
    rows = [(*(entry[key] for key in keys), taken.get(entry["nodes"], "")) for entry in entries]
    heading = ("households", "gas_per_household", "largest_call", "largest_gas", "milliseconds_per_household")
    return Drawn("beyond-scale", figure, heading, rows)


# ---- common ------------------------------------------------------------------------------------------------


def _new(title: str, rows: int = 1, columns: int = 1, height: float = 4.4, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure and its axes, row by row; `options` are those of `Figure.subplots`."""
    figure = Figure(figsize=(9.6, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
    figure.subplots(rows, columns, **options)
    return figure, figure.axes


def _time(base: Base, record: Record) -> str:
    return base.time(record.result.period)


def _time_axis(axes: Axes, base: Base, text: bool = True) -> None:
    axes.set_xlim(0, HALF_HOURS)
    axes.xaxis.set_major_locator(MultipleLocator(6))
    axes.xaxis.set_major_formatter(lambda at, _: base.time(int(at)) if at < HALF_HOURS else "")
    if text:
        axes.set_xlabel("time of day")
    else:
        axes.tick_params(labelbottom=False)


def _households(axes: Axes, base: Base, names: Sequence[str]) -> None:
    """Names the households that the bars are of."""
    shown = names[:MOST]
    axes.set_xticks(range(len(shown)), [label(base, name).replace(" (", "\n(") for name in shown], fontsize=9)
    axes.grid(axis="y")
    _legend(axes)
    _note(axes, len(names))


def _grid_prices(axes: Axes, at: float, above: int, shown: bool = False) -> None:
    """Lines at what the grid charges and pays, named at their right ends, `above` the upper one by so many points."""
    for level, text, side in ((Tariff().ssp, "the grid charges", above), (Tariff().sbp, "the grid pays", -13)):
        height = level / PENCE_PER_KWH
        axes.axhline(height, color=GREY, linestyle=":", linewidth=1.2)
        axes.annotate(
            f"{text} {height:g} p" if shown else text, (at, height), (0, side), textcoords="offset points", ha="right",
            color=GREY, fontsize=10,
        )  # fmt: skip


def _legend(axes: Axes, columns: int = 3) -> None:
    """Above the axes, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize=10, borderaxespad=0.1)


def _legend_below(figure: Figure) -> None:
    """One for all panels, which show the same."""
    handles, texts = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, texts, loc="outside lower center", ncols=3, fontsize=10)


def _note(axes: Axes, number: int) -> None:
    if number > MOST:
        axes.annotate(
            f"the first {MOST} of {number} households", (1, 1), (0, -12), xycoords="axes fraction",
            textcoords="offset points", ha="right", fontsize=9, color=GREY,
        )  # fmt: skip


def _empty(axes: Axes, text: str) -> None:
    axes.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", color=GREY)
    axes.set_yticks([])


_CI = ("mean", "low", "high")


def _ci(interval: dict[str, Any]) -> list[Any]:
    """An interval as three cells of a CSV."""
    return [interval[key] or "" for key in _CI]


def _whiskers(intervals: Sequence[dict[str, Any]]) -> tuple[list[float], list[list[float]]]:
    """The means of intervals, and how far they reach below and above; what is not known is 0."""
    means, lows, highs = ([float(entry[key] or entry["mean"] or 0) for entry in intervals] for key in _CI)
    return means, [
        [max(0.0, mean - low) for mean, low in zip(means, lows, strict=True)],
        [max(0.0, high - mean) for mean, high in zip(means, highs, strict=True)],
    ]


def _points(axes: Axes, intervals: Sequence[dict[str, Any]], at: int, text: str) -> None:
    """The `at`-th series of means with their intervals, side by side with two others; what is not known is left out."""
    known = [(place, entry) for place, entry in enumerate(intervals) if entry["mean"] is not None]
    means, whiskers = _whiskers([entry for _, entry in known])
    colour, marker = ((BLUE, "o"), (GREEN, "s"), (RED, "^"))[at % 3]
    axes.errorbar([place + 0.2 * (at - 1) for place, _ in known], means, whiskers, fmt=marker, color=colour,
                  markersize=6, elinewidth=1, label=text)  # fmt: skip


def _bars(
    axes: Axes,
    intervals: Sequence[dict[str, Any]],
    colour: str,
    text: str,
    offset: float = 0,
    width: float = 0.38,
    across: bool = False,
    **options: Any,
) -> None:
    """Bars with whiskers, `offset` from their places, upwards or `across`; what is not known is 0."""
    means, whiskers = _whiskers(intervals)
    places = [at + offset for at in range(len(means))]
    options = {"capsize": 2, "ecolor": DARK, "error_kw": {"linewidth": 1}, "color": colour, "label": text} | options
    if across:
        axes.barh(places, means, width, xerr=whiskers, **options)
    else:
        axes.bar(places, means, width, yerr=whiskers, **options)
