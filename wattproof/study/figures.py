"""The figures of the paper, with its numbers, and those beyond it: each as SVG and PNG, its data as CSV.

Pictures round; the CSV files have whole Wh and base units.
"""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterable, Sequence
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
from wattproof.simulation.households import Habit
from wattproof.simulation.pricing import into_band, sdr_prices
from wattproof.study.communities import HALF_HOURS, Base
from wattproof.study.plan import Whole
from wattproof.study.results import above_and_below, groups, label
from wattproof.study.runs import Record, of_bill

# Okabe and Ito's palette, which people with any colour vision can tell apart.
ORANGE, SKY, GREEN, BLUE, RED, PURPLE, GREY = (
    *("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#6E6E6E"),
)
LINES = (ORANGE, BLUE, GREEN, RED, PURPLE, SKY)
STYLES = ("-", "--", "-.", ":")

MOST = 12
"""Households that one figure shows; the CSV has all."""

TOLERANCE = 5
"""Per cent by which a performance may differ from its promise (paper, section 2.2)."""

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "wattproof",
    "svg.fonttype": "none",  # text stays text: it can be searched, and the files are a third of the size
    "font.size": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


@dataclass
class Drawn:
    """A figure, and its data: the heading of the CSV and its rows."""

    name: str
    figure: Figure
    heading: Sequence[str]
    rows: Sequence[Sequence[Any]]


def draw_all(base: Base, whole: Whole, results: dict[str, Any], folder: Path) -> list[str]:
    """Draws all figures into `folder`; returns their names. Those that the file has no data for say so."""
    names = []
    # The same data give the same bytes.
    with matplotlib.rc_context(STYLE):
        for drawn in _all(base, whole, results):
            with open(folder / f"{drawn.name}.csv", "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(drawn.heading)
                writer.writerows(drawn.rows)
            drawn.figure.savefig(folder / f"{drawn.name}.svg", metadata={"Date": None})
            drawn.figure.savefig(folder / f"{drawn.name}.png", metadata={"Software": None})
            names.append(drawn.name)
    return names


def _all(base: Base, whole: Whole, results: dict[str, Any]) -> Iterable[Drawn]:
    records = whole.records
    above, below = above_and_below(base, records)
    yield generation(base, records)
    yield net_production(base, records)
    yield pricing(base, records, above)
    yield supply_and_demand(base, records)
    yield costs(base, above, "figure-08-costs-sdr-above-1", "above 1")
    yield costs(base, below, "figure-09-costs-sdr-below-1", "below 1")
    yield deviations(base, records, "figure-10-producers", "Prosumers: forecast of generation", _prosumers(base), "pv")
    for number, habit, text in (
        (11, Habit.IRREGULAR, "Irregular consumers"),
        (12, Habit.ORDINARY, "Ordinary consumers"),
        (13, Habit.REGULAR, "Regular consumers"),
    ):
        names = [name for name in base.consumers if base.classes[name] is habit]
        yield deviations(base, records, f"figure-{number}-{habit.value}", f"{text}: forecast of load", names, "load")
    yield daily_costs(base, records)
    yield deal_probability(base, results["deals"])
    yield adaptation(results["adaptation"])
    yield month(base, results["month"])
    yield strategies(results["strategies"])
    yield ranking(base, results["ranking"])
    yield scale(results["gas"], results.get("times", []))


# ---- generation, supply, demand, prices -----------------------------------------------------------


def generation(base: Base, records: Sequence[Record]) -> Drawn:
    """Figure 4: what each prosumer's panels gave."""
    names = _prosumers(base)
    figure, axes = _new("Generation of each prosumer")
    for at, name in enumerate(names[:MOST]):
        _steps(axes, [record.row[name].pv for record in records], at, label(base, name))
    axes.set_ylabel("kWh per half-hour")
    axes.set_ylim(0)
    _finish(axes, base, names)
    rows = [(_time(base, record), name, record.row[name].pv) for record in records for name in names]
    return Drawn("figure-04-generation", figure, ("time", "household", "generation_wh"), rows)


def net_production(base: Base, records: Sequence[Record]) -> Drawn:
    """Figure 5: generation less own consumption."""
    names = _prosumers(base)
    figure, axes = _new("Net production of each prosumer: generation less own consumption")
    axes.axhline(0, color=GREY, linewidth=1)
    for at, name in enumerate(names[:MOST]):
        _steps(axes, [record.row[name].pv - record.row[name].load for record in records], at, label(base, name))
    axes.set_ylabel("kWh per half-hour")
    _finish(axes, base, names)
    rows = [
        (_time(base, record), name, record.row[name].pv - record.row[name].load) for record in records for name in names
    ]
    return Drawn("figure-05-net-production", figure, ("time", "household", "net_wh"), rows)


def pricing(base: Base, records: Sequence[Record], above: Record | None) -> Drawn:
    """Figure 6: the prices by the supply-demand ratio, and the book of one half-hour."""
    figure, (curve, book) = _new(
        "Prices by the supply-demand ratio (SDR), and one half-hour's quotes and bids", columns=2, ratios=(3, 2)
    )
    tariff = Tariff()
    ratios = [Fraction(at, 100) for at in range(0, 251)]
    sell, buy = zip(*(_prices(ratio, tariff) for ratio in ratios), strict=True)
    curve.plot([float(ratio) for ratio in ratios], buy, color=RED, linewidth=2, label="bid")
    curve.plot([float(ratio) for ratio in ratios], sell, color=GREEN, linewidth=2, linestyle="--", label="quote")
    traded = [record.result for record in records if record.result.quote_price is not None]
    shown = [result for result in traded if result.demand and Fraction(result.supply, result.demand) <= Fraction(5, 2)]
    for price, colour in (("bid_price", RED), ("quote_price", GREEN)):
        dots = [(result.supply / result.demand, getattr(result, price)) for result in shown if getattr(result, price)]
        curve.scatter(
            [ratio for ratio, _ in dots],
            [price / PENCE_PER_KWH for _, price in dots],
            color=colour,
            s=26,
            zorder=3,
            edgecolor="white",
            linewidth=0.6,
            label="the day's half-hours" if price == "bid_price" else None,
        )
    for level, text, side in ((tariff.ssp, "the grid charges", 5), (tariff.sbp, "the grid pays", -13)):
        height = level / PENCE_PER_KWH
        curve.axhline(height, color=GREY, linestyle=":", linewidth=1.2)
        curve.annotate(
            f"{text} {height:g} p", (2.5, height), (0, side), textcoords="offset points", ha="right", color=GREY,
            fontsize=10,
        )  # fmt: skip
    curve.set(xlim=(0, 2.5), ylim=(4, 20), xlabel="SDR (supply / demand)", ylabel="p/kWh")
    _legend(curve)
    if above is None:
        _empty(book, "no half-hour with trades and SDR above 1")
    else:
        offered = {name: _surplus(above, name) for name in base.names if _surplus(above, name)}
        wanted: dict[str, int] = {}
        for offer in above.result.offers:
            wanted[offer.household] = wanted.get(offer.household, 0) + offer.volume
        names = [*offered, *(name for name in base.names if name in wanted)][:MOST]
        for kind, volumes, colour in (("quoted", offered, GREEN), ("bid for", wanted, RED)):
            price = above.result.quote_price if kind == "quoted" else above.result.bid_price
            text = f"{kind} at {(price or 0) / PENCE_PER_KWH:.2f} p/kWh"
            at = [names.index(name) for name in volumes if name in names]
            book.barh(at, [volumes[names[place]] / WH_PER_KWH for place in at], color=colour, label=text)
        book.set_yticks(range(len(names)), names)
        book.invert_yaxis()
        ratio = Fraction(above.result.supply, above.result.demand or 1)
        book.set_xlabel(f"kWh at {_time(base, above)} (SDR {float(ratio):.2f})")
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
    figure, axes = _new("Supply and demand of the market over the day, as forecast")
    supply, demand = (
        [getattr(record.result, kind) / WH_PER_KWH for record in records] for kind in ("supply", "demand")
    )
    more = [min(high, low) if high > low else float("nan") for high, low in zip(supply, demand, strict=True)]
    edges = list(range(len(records) + 1))
    axes.stairs(
        [high if low == low else float("nan") for high, low in zip(supply, more, strict=True)],
        edges, baseline=[0 if low != low else low for low in more], fill=True, color=ORANGE, alpha=0.35,
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


def costs(base: Base, record: Record | None, name: str, where: str) -> Drawn:
    """Figures 8 and 9: each household's cost in one half-hour."""
    heading = ("household", "grid_alone_base_units", "market_base_units")
    if record is None:
        figure, axes = _new(f"Costs in a half-hour with SDR {where}")
        _empty(axes, f"no half-hour with trades and SDR {where}")
        return Drawn(name, figure, heading, [])
    ratio = Fraction(record.result.supply, record.result.demand or 1)
    rows = [
        (household, totals.alone, totals.market)
        for household, bill in record.result.bills.items()
        for totals in (of_bill(bill),)
    ]
    title = f"Costs in the half-hour from {_time(base, record)}, with SDR {where} ({float(ratio):.2f})"
    figure, axes = _new(title)
    _pairs(axes, base, rows)
    return Drawn(name, figure, heading, rows)


def daily_costs(base: Base, records: Sequence[Record]) -> Drawn:
    """Figure 14: each household's cost of the day."""
    rows = []
    for name in base.names:
        bills = [of_bill(record.result.bills[name]) for record in records]
        rows.append((name, sum(bill.alone for bill in bills), sum(bill.market for bill in bills)))
    figure, axes = _new("Cost of each household over the day")
    _pairs(axes, base, rows)
    for at, (_, alone, market) in enumerate(rows[:MOST]):
        text = f"{(market - alone) / PENCE:+.0f} p".replace("-", "−")
        height = max(alone, market, 0) / PENCE
        axes.annotate(text, (at, height), (0, 4), textcoords="offset points", ha="center", fontsize=9, color=GREY)
    axes.margins(y=0.1)
    return Drawn("figure-14-daily-costs", figure, ("household", "grid_alone_base_units", "market_base_units"), rows)


def _pairs(axes: Axes, base: Base, rows: Sequence[tuple[str, int, int]]) -> None:
    """Two bars for each household: grid alone, market."""
    shown = rows[:MOST]
    axes.axhline(0, color=GREY, linewidth=1)
    for offset, column, colour, text in ((-0.2, 1, SKY, "grid alone"), (0.2, 2, GREEN, "with the market")):
        axes.bar(
            [at + offset for at in range(len(shown))], [int(row[column]) / PENCE for row in shown], 0.38, color=colour,
            label=text,
        )  # fmt: skip
    axes.set_xticks(range(len(shown)), [label(base, row[0]).replace(" (", "\n(") for row in shown], fontsize=9)
    axes.set_ylabel("pence (below 0: revenue)")
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    _legend(axes)
    _note(axes, len(rows))


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
    panels = [panels] if len(shown) <= 1 else list(panels)
    if not shown:
        _empty(panels[0], "no household of this class")
        return Drawn(name, figure, heading, rows)
    errors = {household: [_error(record.row[household], kind) for record in records] for household in shown}
    reach = max([10.0, *(abs(error) for of in errors.values() for error in of if error is not None)])
    for axes, household in zip(panels, shown, strict=True):
        axes.axhspan(-TOLERANCE, TOLERANCE, color=GREEN, alpha=0.15, linewidth=0, label=f"tolerance, ±{TOLERANCE} %")
        axes.axhline(0, color=GREY, linewidth=0.8)
        inside, outside = (
            [error if error is not None and (abs(error) <= TOLERANCE) is within else 0 for error in errors[household]]
            for within in (True, False)
        )
        places = [at + 0.5 for at in range(len(records))]
        axes.bar(places, inside, 0.7, color=GREEN, label="forecast inside it")
        axes.bar(places, outside, 0.7, color=RED, label="forecast beyond it")
        axes.set_ylim(-1.1 * reach, 1.1 * reach)
        axes.set_ylabel("%")
        axes.set_title(label(base, household), loc="left", fontsize=10, pad=3)
        _time_axis(axes, base, text=household == shown[-1])
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=3, fontsize=10)
    figure.supylabel("forecast above (+) or below (−) what came", fontsize=10)
    return Drawn(name, figure, heading, rows)


def _error(half_hour: Any, kind: str) -> float | None:
    actual = getattr(half_hour, kind)
    return 100 * (getattr(half_hour, f"forecast_{kind}") - actual) / actual if actual else None


def deal_probability(base: Base, deals: Sequence[dict[str, Any]]) -> Drawn:
    """Figure 15: how likely an opened bid becomes a deal."""
    order = [name for names in groups(base).values() for name in names]
    figure, panels = _new("Probability that a consumer's bid becomes a deal", columns=2, height=4.6, share=True)
    colours = (SKY, GREEN, PURPLE)
    rows = []
    for axes, shuffled, text in ((panels[0], False, "loads as in the file"), (panels[1], True, "loads dealt anew")):
        for at, entry in enumerate(entry for entry in deals if entry["shuffled"] is shuffled):
            chances = [entry["households"][name]["deals_percent"] for name in order]
            shown = chances[:MOST]
            middle, spread = _bars(shown)
            off = "off" if not entry["priority_step"] else f"{entry['priority_step'] / 100:g} % a tier"
            axes.bar(
                [place + 0.27 * (at - 1) for place in range(len(shown))], middle, 0.25, yerr=spread, capsize=2,
                color=colours[at % 3], ecolor=GREY, error_kw={"linewidth": 1}, label=f"priority {off}",
            )  # fmt: skip
            rows += [
                (text, entry["priority_step"], name, *(chance[key] or "" for key in ("mean", "low", "high")))
                for name, chance in zip(order, chances, strict=True)
            ]
        axes.set_xticks(
            range(len(order[:MOST])), [f"{base.consumers.index(name) + 1}\n{name}" for name in order[:MOST]], fontsize=9
        )
        axes.set_xlabel("consumer, in the order that the paper finds")
        axes.set_title(text, loc="left", fontsize=11)
        axes.set_ylim(0)
        axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    panels[0].set_ylabel("% of opened bids")
    handles, texts = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, texts, loc="outside lower center", ncols=3, fontsize=10)
    heading = ("loads", "priority_step", "household", "deals_percent", "low", "high")
    return Drawn("figure-15-deal-probability", figure, heading, rows)


# ---- beyond the paper ------------------------------------------------------------------------------------


def adaptation(entries: Sequence[dict[str, Any]]) -> Drawn:
    """Clearing and value at every supply-demand ratio."""
    figure, (left, right) = _new("The market from SDR 0.05 to 20", columns=2)
    ratios = [float(entry["sdr"]) for entry in entries]
    cleared = [_percent(entry["delivered_wh"], entry["could_clear_wh"]) for entry in entries]
    value = [100 * float(entry["value"]) if entry["value"] else float("nan") for entry in entries]
    left.plot(ratios, cleared, color=BLUE, marker="o", linewidth=2, label="traded, of what could be")
    left.plot(ratios, value, color=GREEN, marker="s", linewidth=2, linestyle="--", label="value tapped, of the best")
    left.set(ylim=(0, 108), ylabel="%")
    right.plot(
        ratios, [float(entry["price"]) if entry["price"] else float("nan") for entry in entries], color=RED, marker="o",
        linewidth=2, label="mean price of the trades",
    )  # fmt: skip
    right.set(ylim=(4, 20), ylabel="p/kWh")
    for level in (Tariff().ssp, Tariff().sbp):
        right.axhline(level / PENCE_PER_KWH, color=GREY, linestyle=":", linewidth=1.2)
    right.annotate(
        "the grid charges", (20, 18), (0, 4), textcoords="offset points", ha="right", color=GREY, fontsize=10
    )
    right.annotate("the grid pays", (20, 6), (0, -13), textcoords="offset points", ha="right", color=GREY, fontsize=10)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks([0.05, 0.2, 1, 5, 20], ["0.05", "0.2", "1", "5", "20"])
        axes.minorticks_off()
        axes.set_xlabel("SDR (supply / demand)")
        axes.grid(color="#E6E6E6", linewidth=0.8)
        _legend(axes, columns=1)
    keys = (
        "sdr",
        "half_hours",
        "could_clear_wh",
        "cleared_wh",
        "delivered_wh",
        "price",
        "saving_p",
        "value",
        "better",
        "worse",
    )
    return Drawn("beyond-adaptation", figure, keys, [[entry[key] for key in keys] for entry in entries])


def month(base: Base, results: dict[str, Any]) -> Drawn:
    """What each household saves over the month."""
    entries = results["households"]
    shown = entries[:MOST]
    title = f"Saving of each household over {results['days']} days, {results['communities']} communities"
    figure, axes = _new(title)
    middle, spread = _bars([entry["saving_p_a_day"] for entry in shown])
    axes.axhline(0, color=GREY, linewidth=1)
    axes.bar(range(len(shown)), middle, 0.6, yerr=spread, capsize=4, color=GREEN, ecolor="#333333",
             label="mean, with its 95 % confidence interval")  # fmt: skip
    axes.set_xticks(
        range(len(shown)), [label(base, entry["household"]).replace(" (", "\n(") for entry in shown], fontsize=9
    )
    axes.set_ylabel("pence a day")
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    _legend(axes)
    _note(axes, len(entries))
    rows = [
        (entry["household"], *(entry[kind][key] or "" for kind in ("saving_p_a_day", "saving_percent") for key in _CI))
        for entry in entries
    ]
    heading = ("household", "saving_p_a_day", "low", "high", "saving_percent", "low_percent", "high_percent")
    return Drawn("beyond-month", figure, heading, rows)


def strategies(entries: Sequence[dict[str, Any]]) -> Drawn:
    """What strategies bring to who plays them, and cost the others."""
    figure, axes = _new("What a strategy changes", height=1.5 + 0.52 * max(1, len(entries)))
    axes.axvline(0, color=GREY, linewidth=1)
    for offset, key, colour, text in (
        (-0.2, "gain_p_a_day", GREEN, "for who plays it"),
        (0.2, "others_p_a_day", ORANGE, "for the other households"),
    ):
        middle, spread = _bars([entry[key] for entry in entries])
        axes.barh([at + offset for at in range(len(entries))], middle, 0.38, xerr=spread, capsize=2, color=colour,
                  ecolor="#333333", error_kw={"linewidth": 1}, label=text)  # fmt: skip
    axes.set_yticks(range(len(entries)), [textwrap.fill(entry["title"], 44) for entry in entries], fontsize=10)
    axes.invert_yaxis()
    axes.set_xlabel("pence a day, with 95 % confidence intervals")
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.8)
    _legend(axes)
    rows = [
        (entry["title"], *(entry[kind][key] or "" for kind in ("gain_p_a_day", "others_p_a_day") for key in _CI))
        for entry in entries
    ]
    heading = ("strategy", "gain_p_a_day", "low", "high", "others_p_a_day", "others_low", "others_high")
    return Drawn("beyond-strategies", figure, heading, rows)


def ranking(base: Base, results: dict[str, Any]) -> Drawn:
    """Who gains where bids rank by their unit price instead of their amount, and what a shill changes under each."""
    figure, (left, right) = _new("Bids ranked by unit price instead of total amount", columns=2, height=4.8)
    rows = []
    for axes in (left, right):
        axes.axhline(0, color=GREY, linewidth=1)
        axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
        axes.set_ylabel("pence a day")
    for offset, key, colour, text in ((-0.2, "one", SKY, "one bid price"), (0.2, "own", GREEN, "own prices")):
        entries = results[key]["households"]
        middle, spread = _bars([entry["change"] for entry in entries[:MOST]])
        left.bar([at + offset for at in range(len(middle))], middle, 0.38, yerr=spread, capsize=2, color=colour,
                 ecolor="#333333", error_kw={"linewidth": 1}, label=text)  # fmt: skip
        rows += [("saving by price less by amount", text, entry["household"],
                  *(entry["change"][part] or "" for part in _CI)) for entry in entries]  # fmt: skip
    names = [entry["household"] for entry in results["one"]["households"]][:MOST]
    left.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=9)
    left.set_title("change of each household's saving, by price", loc="left", fontsize=11, pad=22)
    parties = (("player", "the shill"), ("prosumers", "prosumers"), ("consumers", "other\nconsumers"),
               ("owner", "owner"), ("supplier", "supplier"))  # fmt: skip
    for offset, key, colour, text in ((-0.2, "amount", ORANGE, "by amount"), (0.2, "price", BLUE, "by price")):
        entry = results["shill"][key]
        middle, spread = _bars([entry[party] for party, _ in parties])
        right.bar([at + offset for at in range(len(parties))], middle, 0.38, yerr=spread, capsize=2, color=colour,
                  ecolor="#333333", error_kw={"linewidth": 1}, label=text)  # fmt: skip
        rows += [("a shill", text, party, *(entry[party][part] or "" for part in _CI)) for party, _ in parties]
    right.set_xticks(range(len(parties)), [text for _, text in parties], fontsize=9)
    right.set_title("what a shill changes for whom", loc="left", fontsize=11, pad=22)
    for axes in (left, right):
        _legend(axes)
    _note(left, len(base.names))
    heading = ("what", "case", "who", "p_a_day", "low", "high")
    return Drawn("beyond-ranking", figure, heading, rows)


def scale(entries: Sequence[dict[str, Any]], times: Sequence[dict[str, Any]]) -> Drawn:
    """Gas and time by the size of the community."""
    figure, (left, right) = _new("A half-hour by the size of the community", columns=2)
    nodes = [entry["nodes"] for entry in entries]
    left.plot(nodes, [int(entry["gas_per_household"]) / 1000 for entry in entries], color=BLUE, marker="o", linewidth=2,
              label="gas of all calls, per household")  # fmt: skip
    left.set_ylabel("thousand gas per household")
    right.plot(
        [entry["nodes"] for entry in times], [float(entry["ms_per_household"]) for entry in times], color=RED,
        marker="o", linewidth=2, label="wall time, per household",
    )  # fmt: skip
    right.set_ylabel("milliseconds per household")
    for axes in (left, right):
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.set_xlabel("households")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.grid(color="#E6E6E6", linewidth=0.8)
        _legend(axes)
    taken = {entry["nodes"]: entry["ms_per_household"] for entry in times}
    rows = [
        (entry["nodes"], entry["gas_per_household"], entry["largest_call"], entry["largest_gas"],
         taken.get(entry["nodes"], ""))
        for entry in entries
    ]  # fmt: skip
    heading = ("households", "gas_per_household", "largest_call", "largest_gas", "milliseconds_per_household")
    return Drawn("beyond-scale", figure, heading, rows)


# ---- common ------------------------------------------------------------------------------------------------

_CI = ("mean", "low", "high")


def _new(
    title: str,
    rows: int = 1,
    columns: int = 1,
    height: float = 4.4,
    ratios: Sequence[int] | None = None,
    share: bool = False,
) -> Any:
    figure = Figure(figsize=(9.6, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
    return figure, figure.subplots(rows, columns, width_ratios=ratios, sharey=share)


def _steps(axes: Axes, energies: Sequence[int], at: int, text: str) -> None:
    axes.stairs(
        [energy / WH_PER_KWH for energy in energies], list(range(len(energies) + 1)), baseline=None, linewidth=2,
        color=LINES[at % len(LINES)], linestyle=STYLES[at // len(LINES) % len(STYLES)], label=text,
    )  # fmt: skip


def _finish(axes: Axes, base: Base, names: Sequence[str]) -> None:
    _time_axis(axes, base)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    if names:
        _legend(axes)
    else:
        _empty(axes, "no household generates anything")
    _note(axes, len(names))


def _time_axis(axes: Axes, base: Base, text: bool = True) -> None:
    axes.set_xlim(0, HALF_HOURS)
    axes.xaxis.set_major_locator(MultipleLocator(6))
    axes.xaxis.set_major_formatter(lambda at, _: base.time(int(at)) if at < HALF_HOURS else "")
    if text:
        axes.set_xlabel("time of day")
    else:
        axes.tick_params(labelbottom=False)


def _legend(axes: Axes, columns: int = 3) -> None:
    """Above the axes, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize=10, borderaxespad=0.1)


def _note(axes: Axes, number: int) -> None:
    if number > MOST:
        axes.annotate(
            f"the first {MOST} of {number} households", (1, 1), (0, -12), xycoords="axes fraction",
            textcoords="offset points", ha="right", fontsize=9, color=GREY,
        )  # fmt: skip


def _empty(axes: Axes, text: str) -> None:
    axes.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", color=GREY)
    axes.set_yticks([])


def _bars(intervals: Sequence[dict[str, Any]]) -> tuple[list[float], list[list[float]]]:
    """Heights and whiskers of intervals; what is not known is 0."""
    middle = [float(entry["mean"] or 0) for entry in intervals]
    low = [float(entry["mean"] or 0) - float(entry["low"] or entry["mean"] or 0) for entry in intervals]
    high = [float(entry["high"] or entry["mean"] or 0) - float(entry["mean"] or 0) for entry in intervals]
    return middle, [[max(0.0, part) for part in side] for side in (low, high)]


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else float("nan")


def _prosumers(base: Base) -> list[str]:
    return [name for name in base.names if name in base.prosumers]


def _surplus(record: Record, name: str) -> int:
    half_hour = record.row[name]
    return max(0, half_hour.forecast_pv - half_hour.forecast_load)


def _time(base: Base, record: Record) -> str:
    return base.time(record.result.period % HALF_HOURS)
