"""Keeps docs/case-study.md true: its numbers stand between markers, and are put there from the results.

A marker pair looks like `<!--=month.saving_percent-->14.2<!--/-->`; a reader sees the number alone. The name is a path
into the results (households and the like by their name), or that of a claim or table made here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from wattproof.market.deployment import Tariff
from wattproof.outputs import write
from wattproof.simulation.accounting import percent
from wattproof.study.plan import USUAL_RUNG
from wattproof.study.results import loads, priority
from wattproof.study.standing import RANKINGS, WINDOWS

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


def shown(value: Any) -> str:
    """A value as it stands in the document; an interval as "14.2 (13.1 to 15.3)"."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        if value["mean"] is None:
            return "-"
        around = "" if value["low"] is None else f" ({value['low']} to {value['high']})"
        return f"{value['mean']}{around}".replace("-", "−")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return re.sub(r"^-(?=\d)", "−", str(value))


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


# ---- claims ----------------------------------------------------------------------------------


def claims(results: Mapping[str, Any]) -> dict[str, str]:
    """The paper's claims, answered from the results: a verdict and the numbers that it rests on."""
    return {
        "everyone": _everyone(results["day"], results["month"]),
        "adaptation": _adaptation(results["adaptation"]),
        "exchange": _exchange(results["day"]["exchange"], results["month"]),
        "order": _order(results["deals"], results["described"]),
        "scale": _scale(results["gas"]),
        "asking": _asking(results["asking"], results["farming"]),
    }


def _everyone(day: Mapping[str, Any], month: Mapping[str, Any]) -> str:
    everyone = len(day["households"])
    on_the_day = day["savers"] == everyone
    always = month["household_days_worse"] == 0
    return (
        f"{_verdict(on_the_day and always, on_the_day)} On the paper's day {day['savers']} of {everyone} households "
        f"pay less. Over {month['days']} days of {month['communities']} communities "
        f"{month['household_months_worse']} of {everyone * month['communities']:,} households pay more in total, and "
        f"on {month['household_days_worse']:,} of {month['household_days']:,} household-days the cost is higher than "
        "with the grid alone."
    )


def _adaptation(entries: Sequence[Mapping[str, Any]]) -> str:
    worse, number = (sum(entry[key] for entry in entries) for key in ("worse", "households"))
    traded, could = (sum(entry[key] for entry in entries) for key in ("delivered_wh", "could_clear_wh"))
    half_hours, balanced = (sum(entry[key] for entry in entries) for key in ("half_hours", "balanced"))
    return (
        f"{_verdict(half_hours == balanced and traded == could and not worse, half_hours == balanced)} From SDR "
        f"{entries[0]['sdr']} to {entries[-1]['sdr']}, {traded:,} of {could:,} Wh that supply and demand allowed were "
        f"traded, and accounts and tokens agreed to the last base unit after {balanced} of {half_hours} half-hours. "
        f"{worse} of {number} household-days cost more than with the grid alone."
    )


def _exchange(day: Mapping[str, Any], month: Mapping[str, Any]) -> str:
    return (
        f"{_verdict(False, day['invoiced_wh'] < day['alone_wh'])} On the invoices the exchange with the grid falls by "
        f"{day['invoiced_cut_percent']} % on the paper's day and by {shown(month['invoiced_cut_percent'])} % over the "
        f"month. Through the cable at the community's border flow {day['border_wh']:,} Wh, with the market and "
        "without: a contract moves money, and as long as nobody shifts a load for it, no electricity."
    )


def _scale(entries: Sequence[Mapping[str, Any]]) -> str:
    gas = [int(entry["gas_per_household"]) for entry in entries]
    first, last = entries[0]["nodes"], entries[-1]["nodes"]
    rest = gas[1:] or gas
    flat = (max(rest) - min(rest)) * 10 <= min(rest)
    largest = max(entries, key=lambda entry: entry["largest_gas"])
    return (
        f"{_verdict(flat and (max(gas) - min(gas)) * 10 <= min(gas), flat)} From {first} to {last} households a "
        f"household's half-hour takes {min(gas):,} to {max(gas):,} gas, and from the second size on {min(rest):,} to "
        f"{max(rest):,}, a spread of {percent(max(rest) - min(rest), min(rest))}. The largest transaction is a "
        f"`{largest['largest_call']}` of {largest['largest_gas']:,} gas."
    )


def _asking(entries: Sequence[Mapping[str, Any]], farming: Sequence[Mapping[str, Any]]) -> str:
    """Which bids that only ask pay their player, and which cost the others, by more than chance."""

    def named(found: Sequence[Mapping[str, Any]]) -> str:
        return "; ".join(f"{entry['title']}, by {entry['ranking']}" for entry in found) or "nobody"

    pays = [entry for entry in entries if Decimal(entry["gain_p_a_day"]["low"] or 0) > 0]
    costs = [entry for entry in entries if Decimal(entry["others_p_a_day"]["high"] or 0) < 0]
    farmed = {entry["priority"]: entry["player"] for entry in farming}[priority(USUAL_RUNG[1])]
    return (
        f"Who gains by more than chance: {named(pays)}. Where the others lose by more than chance: {named(costs)}. "
        f"Farmed standing brings its player {shown(farmed)} p a day, by amount and at the default step."
    )


def _verdict(wholly: bool, partly: bool) -> str:
    return "**Yes.**" if wholly else "**In part.**" if partly else "**No.**"


def _order(deals: Sequence[Mapping[str, Any]], described: Mapping[str, Any]) -> str:
    """Whether good performers make more deals, in the paper's order, and what priority has to do with it."""
    step = Tariff().priority_step
    usual = [entry for entry in deals if entry["priority_step"] == step]
    wholly = all(entry["mean_in_order"] for entry in usual)
    partly = all(entry["regular_before_irregular"] for entry in usual)
    text = f"{_verdict(wholly, partly)} "
    for entry in usual:
        if not entry["shuffled"]:
            chances = ", ".join(f"{name} {shown(value['mean'])} %" for name, value in entry["groups"].items())
            text += f"With priority at {priority(step)} and loads as in the file a bid's chance is: {chances}. "
    gaps, differences = [], []
    for entry in deals:
        if entry["shuffled"] and {"regular", "irregular"} <= set(entry["groups"]):
            regular, irregular = (Decimal(entry["groups"][key]["mean"] or 0) for key in ("regular", "irregular"))
            differences.append(regular - irregular)
            gaps.append(f"{shown(str(regular - irregular))} with priority {priority(entry['priority_step'])}")
    if gaps:
        text += "Priority works the paper's way: " if differences == sorted(differences) else "Priority does little: "
        text += (
            f"with loads dealt anew, regular consumers are ahead of irregular ones by {', '.join(gaps)}, in points. "
        )
    held, number = (sum(entry[key] for entry in deals) for key in ("in_order", "communities"))
    text += f"The paper's whole order holds in {held} of {number} runs. "
    return text + _described_order(described)


def _described_order(described: Mapping[str, Any]) -> str:
    """How likely the order is in communities as the paper describes them: at the default step, and at the best ones."""
    held = {(entry["rank_by_price"], entry["priority_step"]): entry["later"]["order"] for entry in described["steps"]}

    def best(by_price: bool) -> tuple[int, str]:
        of = {step: chance for (ranking, step), chance in held.items() if ranking is by_price}
        step = max(of, key=lambda step: Decimal(of[step]["mean"] or 0))
        return step, shown(of[step])

    (step, amount), (_, price) = best(False), best(True)
    usual, number = shown(held[USUAL_RUNG]), described["communities"]
    return (
        f"In {number} communities as the paper describes them it holds in {usual} % with priority at "
        f"{priority(USUAL_RUNG[1])}, with no other step in more than {amount} % (at {priority(step)}), and where bids "
        f"rank by price in {price} %."
    )


# ---- tables -----------------------------------------------------------------------------------


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """The tables of the document, in Markdown."""
    labels = {entry["household"]: _escaped(entry["label"]) for entry in results["households"]}

    def labelled(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**entry, "label": labels[entry["household"]]} for entry in entries]

    return {
        "households": _markdown(
            ("household", "forecasts", "load, kWh", "generation, kWh"),
            [
                (
                    labels[entry["household"]],
                    entry["habit"] or "of the file",
                    _kwh(entry["load_wh"]),
                    _kwh(entry["generation_wh"]),
                )
                for entry in results["households"]
            ],
        ),
        "day": _table(
            ("household", "tier", "grid alone, p", "market, p", "saving, p", "saving, %"),
            ("label", "tier", "alone_p", "market_p", "saving_p", "saving_percent"),
            labelled(results["day"]["households"]),
        ),
        "adaptation": _table(
            (
                *("SDR", "half-hours", "could clear, Wh", "matched, Wh", "traded, Wh"),
                *("mean price, p/kWh", "saving, p", "value tapped", "households better", "worse"),
            ),
            (
                *("sdr", "half_hours", "could_clear_wh", "cleared_wh", "delivered_wh"),
                *("price", "saving_p", "value", "better", "worse"),
            ),
            results["adaptation"],
        ),
        "indices": _indices(results["day"]["indices"], results["month"]),
        "month": _table(
            ("household", "saving, p a day", "saving, %", "tier at the end", "good records, %", "days that cost more"),
            ("label", "saving_p_a_day", "saving_percent", "tier", "good_percent", "costly"),
            [
                {**entry, "costly": f"{entry['days_worse']:,} of {entry['days']:,}"}
                for entry in labelled(results["month"]["households"])
            ],
        ),
        "deals": _deals(results["deals"], labels),
        **_standing(results),
        "compared": _compared(results),
        "strategies": _table(
            ("strategy", "its player, p a day", "all others, p a day", "the owner's fees, p a day", "local trade, %"),
            ("title", "gain_p_a_day", "others_p_a_day", "fees_p_a_day", "traded_change_percent"),
            results["strategies"],
        ),
        "ranking": _ranking(results["ranking"], labels),
        "attacks": _table(
            (
                *("attack", "bids rank by", "its player", "the prosumers", "the other consumers"),
                *("the owner", "the supplier"),
            ),
            ("attack", "ranking", "player", "prosumers", "consumers", "owner", "supplier"),
            [
                {"attack": attack, "ranking": ranking, **results["ranking"][kind][ranking]}
                for kind, attack in (("shill", "a shill"), ("farm", "farmed standing"))
                for ranking in ("amount", "price")
            ],
        ),
        "gas": _table(
            ("households", "gas per household and half-hour", "calls", "largest transaction", "its gas"),
            ("nodes", "gas", "calls_per_household", "call", "largest_gas"),
            [
                {**entry, "gas": int(entry["gas_per_household"]), "call": f"`{entry['largest_call']}`"}
                for entry in results["gas"]
            ],
        ),
        "times": _table(
            ("households", "seconds per half-hour", "milliseconds per household"),
            ("nodes", "seconds", "ms_per_household"),
            results.get("times", []),
        ),
    }


def _indices(of_day: Mapping[str, Any], of_month: Mapping[str, Any]) -> str:
    names = {
        "value": "value tapping",
        "willingness": "participation willingness",
        "equality_alone": "equality, grid alone",
        "equality_market": "equality, with the market",
        "balance_alone": "energy balance, each household by itself",
        "balance_invoiced": "energy balance, by the invoices",
        "balance_border": "energy balance, at the border",
        "sufficiency_alone": "self-sufficiency, each household by itself",
        "sufficiency_invoiced": "self-sufficiency, by the invoices",
        "sufficiency_border": "self-sufficiency, at the border",
    }
    return _markdown(
        ("index", "the paper's day", "over the month"),
        [(text, of_day[key], of_month.get(key)) for key, text in names.items()],
    )


def _deals(deals: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> str:
    heading = (f"{priority(entry['priority_step'])}, {loads(entry['shuffled'])}" for entry in deals)
    return _markdown(
        ("consumer", *heading),
        [
            (labels[name], *(entry["households"][name]["deals_percent"] for entry in deals))
            for name in (deals[0]["households"] if deals else ())
        ],
    )


def _standing(results: Mapping[str, Any]) -> dict[str, str]:
    """What standing does: by priority step, farmed, and where bids only ask."""
    steps = [
        {**entry, "ranking": RANKINGS[entry["rank_by_price"]], "priority": priority(entry["priority_step"])}
        for entry in results["described"]["steps"]
    ]
    groups = list(steps[0]["later"]["groups"]) if steps else []
    return {
        "described": _markdown(
            ("bids rank by", "priority", *groups, "regular, ordinary, irregular", "regular before irregular"),
            [
                (
                    *(entry["ranking"], entry["priority"]),
                    *(entry["later"]["groups"][key]["mean"] for key in groups),
                    *(entry["later"][claim] for claim in ("standing", "accuracy")),
                )
                for entry in steps
            ],
        ),
        "order": _markdown(
            ("bids rank by", "priority", "first days", "after the warm-up", "last days of the month"),
            [(entry["ranking"], entry["priority"], *(entry[name]["order"] for name in WINDOWS)) for entry in steps],
        ),
        "farming": _table(
            ("priority", "weight of the highest tier", "its player, p a day", "all others, p a day"),
            ("priority", "weight", "player", "others"),
            results["farming"],
        ),
        "asking": _table(
            (
                *(
                    "strategy",
                    "bids rank by",
                    "its player, p a day",
                    "all others, p a day",
                    "the owner's fees, p a day",
                ),
                *("good records, %", "without", "tier at the end", "without"),
            ),
            (
                *("title", "ranking", "gain_p_a_day", "others_p_a_day", "fees_p_a_day"),
                *("good_percent", "good_percent_without", "tier", "tier_without"),
            ),
            results["asking"],
        ),
    }


def _compared(results: Mapping[str, Any]) -> str:
    outlines = results["stress"]["plain"], results["stress"]["stress"], results["wind"]["wind"]
    lines = (
        ("saving, p a day", "saving_p_a_day"),
        ("saving, %", "saving_percent"),
        ("value tapped", "value"),
        ("compensation, p a day", "compensation_p_a_day"),
        ("defaults, % of records", "default_percent"),
        ("traded locally, % of exports", "traded_of_exported"),
        ("traded locally, % of imports", "traded_of_imported"),
        ("half-hours with trade a day", "trading_half_hours_a_day"),
        ("households that lose", "households_worse"),
        ("of", "households"),
        ("largest loss, %", "largest_loss_percent"),
        ("half-hours that balance", "balanced"),
        ("of", "half_hours"),
    )
    return _markdown(
        ("", "as forecast", "every forecast wrong", "with a turbine"),
        [(text, *(outline[key] for outline in outlines)) for text, key in lines],
    )


def _ranking(compared: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    one, own = compared["one"], compared["own"]
    groups = {
        "prosumers": "a prosumer",
        "consumers": "a consumer",
        "cautious": "a consumer that bids low",
        "eager": "a consumer that bids high",
        "community": "a household",
    }
    rows = [
        *((labels[first["household"]], first, second)
          for first, second in zip(one["households"], own["households"], strict=True)),
        *((text, one[key], own[key]) for key, text in groups.items()),
    ]  # fmt: skip
    return _markdown(
        ("saving, p a day", "one price, by amount", "by price: change", "own prices, by amount", "by price: change"),
        [(text, first["amount"], first["change"], second["amount"], second["change"]) for text, first, second in rows],
    )


def _escaped(text: str) -> str:
    """A text that came from outside as Markdown that says just that: no columns, tags, comments or links of its own."""
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", html.escape(text, quote=False))


def _kwh(wh: int) -> str:
    return f"{wh // 1000}.{wh % 1000:03}"


def _table(heading: Sequence[str], keys: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> str:
    """A line for each entry, with what it has at `keys`."""
    return _markdown(heading, [[entry[key] for key in keys] for entry in entries])


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The first column to the left, the others to the right."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *([shown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
