"""The tables of the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wattproof.study.results import loads, priority
from wattproof.study.standing import RANKINGS, WINDOWS
from wattproof.study.texts import escaped, kwh, markdown, table


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """The tables of the document, in Markdown."""
    labels = {entry["household"]: escaped(entry["label"]) for entry in results["households"]}

    def labelled(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**entry, "label": labels[entry["household"]]} for entry in entries]

    return {
        "households": markdown(
            ("household", "forecasts", "load, kWh", "generation, kWh"),
            [
                (
                    labels[entry["household"]],
                    entry["habit"] or "of the file",
                    kwh(entry["load_wh"]),
                    kwh(entry["generation_wh"]),
                )
                for entry in results["households"]
            ],
        ),
        "day": table(
            ("household", "tier", "grid alone, p", "market, p", "saving, p", "saving, %"),
            ("label", "tier", "alone_p", "market_p", "saving_p", "saving_percent"),
            labelled(results["day"]["households"]),
        ),
        "adaptation": table(
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
        "month": table(
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
        "strategies": table(
            ("strategy", "its player, p a day", "all others, p a day", "the owner's fees, p a day", "local trade, %"),
            ("title", "gain_p_a_day", "others_p_a_day", "fees_p_a_day", "traded_change_percent"),
            results["strategies"],
        ),
        "ranking": _ranking(results["ranking"], labels),
        "attacks": table(
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
        "gas": table(
            ("households", "gas per household and half-hour", "calls", "largest transaction", "its gas"),
            ("nodes", "gas", "calls_per_household", "call", "largest_gas"),
            [
                {**entry, "gas": int(entry["gas_per_household"]), "call": f"`{entry['largest_call']}`"}
                for entry in results["gas"]
            ],
        ),
        "times": table(
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
    return markdown(
        ("index", "the paper's day", "over the month"),
        [(text, of_day[key], of_month.get(key)) for key, text in names.items()],
    )


def _deals(deals: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> str:
    heading = (f"{priority(entry['priority_step'])}, {loads(entry['shuffled'])}" for entry in deals)
    return markdown(
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
        "described": markdown(
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
        "order": markdown(
            ("bids rank by", "priority", "first days", "after the warm-up", "last days of the month"),
            [(entry["ranking"], entry["priority"], *(entry[name]["order"] for name in WINDOWS)) for entry in steps],
        ),
        "farming": table(
            ("priority", "weight of the highest tier", "its player, p a day", "all others, p a day"),
            ("priority", "weight", "player", "others"),
            results["farming"],
        ),
        "asking": table(
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
    return markdown(
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
    return markdown(
        ("saving, p a day", "one price, by amount", "by price: change", "own prices, by amount", "by price: change"),
        [(text, first["amount"], first["change"], second["amount"], second["change"]) for text, first, second in rows],
    )
