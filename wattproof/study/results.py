"""What the runs came to, as one object of plain values: the contents of `results.json` and of the document.

Amounts of money are in pence, rounded to the decimals shown, after all sums were made exactly in base units. Energies
are whole Wh. `interval`s are means over communities (seeds) with their 95 % confidence interval by Student's t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import mean
from typing import Any

from wattproof.market.deployment import Tariff
from wattproof.market.units import PENCE, PENCE_PER_KWH
from wattproof.simulation import indices
from wattproof.simulation.accounting import tier
from wattproof.simulation.households import SPREADS, Habit, usual_capacity
from wattproof.simulation.indices import quotient
from wattproof.simulation.trading_day import Conduct
from wattproof.study import communities
from wattproof.study.communities import Base
from wattproof.study.numbers import decimal, interval, percent
from wattproof.study.plan import AS_MONTH, RATIOS, SPAN, STEPS, Size, Whole
from wattproof.study.runs import Day, Gas, Record, Totals, cleared, together
from wattproof.study.strategies import EAGER, own_prices, strategies

SCHEMA = 1
"""Version of the layout of results.json."""

Played = Mapping[tuple[Any, ...], Any]


def pence(base_units: int, places: int = 2) -> str:
    """Base units in pence."""
    return str(decimal(Fraction(base_units, PENCE), places))


def gather(base: Base, size: Size, first_seed: int, played: Played) -> dict[str, Any]:
    """All results but the input's description and the times, from what the tasks returned by key."""
    return {
        "tariff": tariff(),
        "model": model(),
        "households": describe(base),
        "day": day(base, played["day",]),
        "adaptation": [adaptation(ratio, played["ratio", *ratio]) for ratio in RATIOS],
        "month": month(base, [(seed, days) for (kind, seed, *_), days in of_kind(played, "month")]),
        "deals": deals(base, size, played),
        "stress": compared(played, "stress", size),
        "wind": compared(played, "wind", size),
        "strategies": strategic(base, size, played),
        "ranking": ranking(base, size, played),
        "gas": [gas(nodes, played["gas", nodes]) for nodes in size.nodes],
    }


def of_kind(played: Played, kind: str) -> list[tuple[tuple[Any, ...], Any]]:
    return sorted((key, result) for key, result in played.items() if key[0] == kind)


def tariff() -> dict[str, str]:
    """Prices in p/kWh."""
    paper = Tariff()
    return {
        name: str(decimal(Fraction(getattr(paper, name), PENCE_PER_KWH), 1)) for name in ("sbp", "ssp", "service_fee")
    }


def model() -> dict[str, str]:
    """The choices behind varied days and wrong forecasts, in per cent and Wh."""
    return {
        "load_of_day": f"{communities.LOAD_OF_DAY // 10}",
        "load_of_half_hour": f"{communities.LOAD_OF_HALF_HOUR // 10}",
        "darkest": f"{communities.DARKEST // 10}",
        "clouds": f"{communities.CLOUDS // 10}",
        "turbine_wh": str(communities.TURBINE),
        "wind_by_day": f"{communities.WIND_BY_DAY // 10}",
        "wrong_least": f"{communities.NEVER_RIGHT[0] // 10}",
        "wrong_most": f"{communities.NEVER_RIGHT[1] // 10}",
        "largest": f"{communities.LARGEST // 10}",
        "capacity_wh": f"{usual_capacity():,}",
        "eager": f"{EAGER // 10}",
        **{
            f"{habit.value}_{name}": f"{getattr(spread, name) // 10}"
            for habit, spread in SPREADS.items()
            for name in ("usual", "slip", "slips")
        },
    }


def describe(base: Base) -> list[dict[str, Any]]:
    """The households of the file."""
    return [
        {
            "household": name,
            "label": label(base, name),
            "role": "prosumer" if name in base.prosumers else "consumer",
            "habit": None if base.has_forecasts else base.classes[name].value,
            "load_wh": base.load(name),
            "generation_wh": base.generation(name),
        }
        for name in base.names
    ]


def label(base: Base, name: str) -> str:
    """A household as the paper calls it, "consumer 5", with its own name."""
    role, group = ("prosumer", base.prosumers) if name in base.prosumers else ("consumer", base.consumers)
    return f"{role} {group.index(name) + 1} ({name})"


def loads(shuffled: bool) -> str:
    """Whose loads the consumers have."""
    return "dealt anew" if shuffled else "as in the file"


def priority(step: int) -> str:
    """A priority step, in ten-thousandths, as it is shown."""
    return f"{Decimal(step) / 100} % a tier" if step else "off"


# ---- days of a community -------------------------------------------------------------------


def measures(day: Day) -> dict[str, tuple[Fraction | None, int]]:
    """What is said of days of a community, each with its decimals: per cent, pence a day, indices."""
    total = day.community
    alone, market = ([getattr(own, kind) for own in day.households.values()] for kind in ("alone", "market"))
    exchanged = total.imported + total.exported
    return {
        "saving_percent": (percent(total.saving, total.alone), 1),
        "saving_p_a_day": (day.pence_a_day(total.saving), 2),
        "fees_p_a_day": (day.pence_a_day(total.fees), 2),
        "compensation_p_a_day": (day.pence_a_day(day.compensation), 2),
        "value": (indices.value_tapping(total.market, total.alone, day.best), 3),
        "willingness": (indices.participation_willingness(market, alone), 3),
        "equality_alone": (indices.equality(alone), 3),
        "equality_market": (indices.equality(market), 3),
        "traded_of_exported": (percent(total.bought, total.exported), 1),
        "traded_of_imported": (percent(total.bought, total.imported), 1),
        "invoiced_cut_percent": (percent(exchanged - total.invoiced, exchanged), 1),
        "cleared_percent": (percent(day.cleared, day.could_clear), 1),
        "default_percent": (percent(total.defaults, total.performances + total.defaults), 1),
        "trading_half_hours_a_day": (day.a_day(day.trading), 1),
    }


def _said(day: Day, *names: str) -> dict[str, str | None]:
    """These measures of a day."""
    measured = measures(day)
    return {name: decimal(*measured[name]) for name in names}


def _over(days: Iterable[Day], *names: str) -> dict[str, Any]:
    """These measures over communities."""
    measured = [measures(day) for day in days]
    return {name: interval([each[name][0] for each in measured], measured[0][name][1]) for name in names}


# ---- the paper's day ---------------------------------------------------------------------


def day(base: Base, whole: Whole) -> dict[str, Any]:
    """The paper's day: every household's cost, the community's, the indices, and the two half-hours of figures 8, 9."""
    played = Day({name: Totals() for name in base.names})
    for record in whole.records:
        played.count(record, Tariff())
    total, exchanged = played.community, played.community.imported + played.community.exported
    load, generation, border = played.load, played.generation, [played.net_import, -played.net_export]
    above, below = above_and_below(base, whole.records)
    return {
        "households": [
            {
                "household": name,
                "tier": tier(whole.performances[name]),
                **_costs(own),
                "bought_wh": own.bought,
                "sold_wh": own.sold,
                "performances": own.performances,
                "defaults": own.defaults,
            }
            for name, own in played.households.items()
        ],
        **_costs(total),
        "best_p": pence(played.best),
        "savers": sum(own.saving > 0 for own in played.households.values()),
        "fees_p": pence(total.fees),
        "traded_wh": total.bought,
        "exported_wh": total.exported,
        "imported_wh": total.imported,
        **_said(played, "traded_of_exported", "traded_of_imported"),
        "above_one": [base.time(record.result.period) for record in whole.records if record.sdr > 1],
        "above": half_hour(base, above),
        "below": half_hour(base, below),
        "indices": {
            **_said(played, "value", "willingness", "equality_alone", "equality_market"),
            # Three views of the same energy: each household by itself, by the invoices, and at the community's border.
            "balance_alone": decimal(indices.energy_balance([exchanged], load, generation), 3),
            "balance_invoiced": decimal(indices.energy_balance([total.invoiced], load, generation), 3),
            "balance_border": decimal(indices.energy_balance(border, load, generation), 3),
            "sufficiency_alone": decimal(indices.self_sufficiency([total.imported], load), 3),
            "sufficiency_invoiced": decimal(indices.self_sufficiency([_invoiced_imports(whole.records)], load), 3),
            "sufficiency_border": decimal(indices.self_sufficiency(border, load), 3),
        },
        "exchange": {
            "alone_wh": exchanged,
            "invoiced_wh": total.invoiced,
            "border_wh": played.net_import + played.net_export,
            **_said(played, "invoiced_cut_percent"),
        },
    }


def _costs(total: Totals) -> dict[str, str | None]:
    return {
        "alone_p": pence(total.alone),
        "market_p": pence(total.market),
        "saving_p": pence(total.saving),
        "saving_percent": decimal(percent(total.saving, total.alone), 1),
    }


def _invoiced_imports(records: Sequence[Record]) -> int:
    """What the supplier invoiced as bought from it: imports beyond what was received, in Wh."""
    return sum(max(0, bill.imported - bill.bought) for record in records for bill in record.result.bills.values())


def above_and_below(base: Base, records: Sequence[Record]) -> tuple[Record | None, Record | None]:
    """The half-hours of figures 8 and 9: the paper's 11:30 and 17:00 where the ratio is above and below 1 there, with
    trades; else those in which most was traded."""

    def chosen(paper: str, wanted: Callable[[Record], bool]) -> Record | None:
        fit = [record for record in records if record.result.delivered and wanted(record)]
        exact = [record for record in fit if base.time(record.result.period) == paper]
        return exact[0] if exact else max(fit, key=lambda record: record.result.delivered, default=None)

    return chosen("11:30", lambda record: record.sdr > 1), chosen("17:00", lambda record: record.sdr < 1)


HALF_HOUR = (
    *("time", "sdr", "quote_price", "bid_price", "supply_wh", "demand_wh", "sold_wh", "cleared_wh", "delivered_wh"),
    *("bidders", "winners", "alone_p", "market_p", "better", "worse"),
)
"""What is said of a half-hour."""


def half_hour(base: Base, record: Record | None) -> dict[str, Any]:
    """A half-hour of the paper's day; all None where there is none such."""
    if record is None:
        return dict.fromkeys(HALF_HOUR)
    result = record.result
    bills = result.bills.values()
    return {
        "time": base.time(result.period),
        "sdr": decimal(record.sdr),
        "quote_price": _price(result.quote_price),
        "bid_price": _price(result.bid_price),
        "supply_wh": result.supply,
        "demand_wh": result.demand,
        "sold_wh": result.sold,
        "delivered_wh": result.delivered,
        "bidders": len({offer.household for offer in result.offers}),
        "winners": len({offer.household for offer in result.offers if offer.filled}),
        "alone_p": pence(sum(bill.grid_alone for bill in bills)),
        "market_p": pence(sum(bill.market for bill in bills)),
        "better": sum(bill.saving > 0 for bill in bills),
        "worse": sum(bill.saving < 0 for bill in bills),
        "cleared_wh": cleared(result),
    }


def _price(price: int | None) -> str | None:
    return None if price is None else decimal(Fraction(price, PENCE_PER_KWH))


# ---- the paper's evaluation ----------------------------------------------------------------


def adaptation(ratio: tuple[int, int], days: list[Day]) -> dict[str, Any]:
    """The file's day with the supply-demand ratio held at `ratio`."""
    total = together(days)
    community, savings = total.community, [own.saving for own in total.households.values()]
    return {
        "sdr": decimal(Fraction(*ratio)),
        "half_hours": total.half_hours,
        "balanced": total.balanced,
        "supply_wh": total.supply,
        "demand_wh": total.demand,
        "could_clear_wh": total.could_clear,
        "cleared_wh": total.cleared,
        "delivered_wh": community.bought,
        "price": decimal(_mean_price(total)),
        "saving_p": pence(community.saving),
        **_said(total, "value"),
        "better": sum(saving > 0 for saving in savings),
        "worse": sum(saving < 0 for saving in savings),
        "households": len(savings),
    }


def _mean_price(day: Day) -> Fraction | None:
    """What neighbours paid each other on average, in p/kWh."""
    return quotient(day.community.paid, day.community.bought * PENCE_PER_KWH)


# ---- the month --------------------------------------------------------------------------------


def month(base: Base, played: list[tuple[int, list[Day]]]) -> dict[str, Any]:
    """All communities over their days."""
    totals = [together(days) for _, days in played]
    households = []
    for name in base.names:
        own = [total.households[name] for total in totals]
        days = [day.households[name] for _, days in played for day in days]
        households.append(
            {
                "household": name,
                "saving_percent": interval([percent(each.saving, each.alone) for each in own], 1),
                "saving_p_a_day": interval([total.pence_a_day(total.households[name].saving) for total in totals]),
                "months_worse": sum(each.saving < 0 for each in own),
                "days_worse": sum(day.saving < 0 for day in days),
                "days": len(days),
                "tier": interval([tier(each.performances) for each in own], 1),
                "good_percent": interval([good_percent(each) for each in own], 1),
            }
        )
    return {
        "communities": len(played),
        "days": len(played[0][1]),
        "half_hours": sum(total.half_hours for total in totals),
        "balanced": sum(total.balanced for total in totals),
        **_over(
            totals,
            *("saving_percent", "saving_p_a_day", "fees_p_a_day"),
            *("value", "willingness", "equality_alone", "equality_market"),
            *("traded_of_exported", "traded_of_imported", "invoiced_cut_percent", "cleared_percent"),
            "trading_half_hours_a_day",
        ),
        "households": households,
        "good_percent_by_habit": {
            habit.value: interval([good_percent(total.of(base.consumers_of(habit))) for total in totals], 1)
            for habit in Habit
        },
        "household_days": sum(entry["days"] for entry in households),
        "household_days_worse": sum(entry["days_worse"] for entry in households),
        "household_months_worse": sum(entry["months_worse"] for entry in households),
        "daily_saving_p": {str(seed): [pence(day.community.saving, 4) for day in days] for seed, days in played},
    }


def good_percent(total: Totals) -> Fraction | None:
    """Good performances in per cent of all records."""
    return percent(total.performances, total.performances + total.defaults)


# ---- who makes deals ---------------------------------------------------------------------------


def groups(base: Base) -> dict[str, list[str]]:
    """The consumers in the order of the paper's figure 15, the likeliest to make a deal first.

    Regular ones, the one with the largest demand, ordinary ones, irregular ones; groups without members are left out.
    """
    largest = base.largest_consumer
    regular, ordinary, irregular = (
        [name for name in base.consumers_of(habit) if name != largest]
        for habit in (Habit.REGULAR, Habit.ORDINARY, Habit.IRREGULAR)
    )
    made = {
        "regular": regular,
        "largest": [largest] if largest else [],
        "ordinary": ordinary,
        "irregular": irregular,
    }
    return {key: names for key, names in made.items() if names}


def deals(base: Base, size: Size, played: Played) -> list[dict[str, Any]]:
    """How likely an opened bid is to become a deal, by priority step, with loads as in the file and dealt anew."""
    made = []
    for shuffled in (False, True):
        for step in STEPS:
            if (step, shuffled) == AS_MONTH:
                found = of_kind(played, "month")[: size.variants]
            else:
                found = [entry for entry in of_kind(played, "deals") if entry[0][1:3] == (step, shuffled)]
            runs = [together(days[size.warm_up : size.warm_up + size.deal_days]) for _, days in found]
            made.append(_deals(base, step, shuffled, runs))
    return made


def _deals(base: Base, step: int, shuffled: bool, runs: list[Day]) -> dict[str, Any]:
    chances = {key: [deal_percent(day, names) for day in runs] for key, names in groups(base).items()}
    # The paper's claim at its plainest: who keeps its plans makes more deals than who does not.
    plainest = [_mean(chances[key]) for key in ("regular", "irregular") if key in chances]
    return {
        "priority_step": step,
        "shuffled": shuffled,
        "communities": len(runs),
        "households": {
            name: {
                "deals_percent": interval([deal_percent(day, [name]) for day in runs], 1),
                "filled_percent": interval(
                    [percent(day.households[name].won, day.households[name].wanted) for day in runs], 1
                ),
            }
            for name in base.consumers
        },
        "groups": {key: interval(values, 1) for key, values in chances.items()},
        "in_order": sum(falls([values[at] for values in chances.values()]) for at in range(len(runs))),
        "mean_in_order": falls([_mean(values) for values in chances.values()]),
        "regular_before_irregular": falls(plainest),
    }


def falls(values: Sequence[Fraction | None]) -> bool:
    """Whether each value is above the next; None counts as 0."""
    known = [value or Fraction(0) for value in values]
    return all(first > second for first, second in pairwise(known))


def _mean(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


# ---- beyond the paper ----------------------------------------------------------------------------


def compared(played: Played, kind: str, size: Size) -> dict[str, Any]:
    """The communities of `kind`, beside the same days of the same seeds' months."""
    found = of_kind(played, kind)
    return {
        "communities": len(found),
        "days": size.short,
        kind: _outline([together(days) for _, days in found]),
        "plain": _outline([together(played["month", seed][: size.short]) for (_, seed), _ in found]),
    }


def _outline(days: list[Day]) -> dict[str, Any]:
    households = [own for day in days for own in day.households.values()]
    losses = [percent(-own.saving, own.alone) or 0 for own in households if own.saving < 0]
    return {
        "half_hours": sum(day.half_hours for day in days),
        "balanced": sum(day.balanced for day in days),
        **_over(
            days,
            *("saving_percent", "saving_p_a_day", "value", "compensation_p_a_day", "default_percent"),
            *("traded_of_exported", "traded_of_imported", "trading_half_hours_a_day"),
        ),
        "households_worse": sum(own.saving < 0 for own in households),
        "households": len(households),
        "largest_loss_percent": decimal(max(losses, default=0), 1),
    }


def strategic(base: Base, size: Size, played: Played) -> list[dict[str, Any]]:
    """What each strategy changes for who plays it, for the others and for the owner's fees, in pence a day, against the
    same days without."""
    made = []
    for strategy in strategies(base):
        pairs = [
            (together(days), together(played["month", seed][: size.short]))
            for (_, key, seed), days in of_kind(played, "strategy")
            if key == strategy.key
        ]
        others = [name for name in base.names if name not in strategy.conduct]
        traded = [(acted.community.bought, plain.community.bought) for acted, plain in pairs]
        made.append(
            {
                "strategy": strategy.key,
                "title": strategy.title,
                "actors": list(strategy.conduct),
                "gain_p_a_day": change(pairs, lambda day, names=strategy.conduct: day.of(names).saving),
                "others_p_a_day": change(pairs, lambda day, names=others: day.of(names).saving),
                "traded_change_percent": interval([percent(new - old, old) for new, old in traded], 1),
                "fees_p_a_day": change(pairs, lambda day: day.fees),
                "communities": len(pairs),
            }
        )
    return made


def change(pairs: list[tuple[Day, Day]], amount: Callable[[Day], int]) -> dict[str, Any]:
    """By how much an amount of base units is larger on the first days than on the second ones, in pence a day."""
    return interval([one.pence_a_day(amount(one) - amount(other)) for one, other in pairs])


def ranking(base: Base, size: Size, played: Played) -> dict[str, Any]:
    """The same communities with bids ranked by amount, as in the paper, and by unit price; in pence a day."""
    seeds = [key[1] for key, _ in of_kind(played, "month")][: size.variants]
    counted = slice(size.warm_up, size.warm_up + size.deal_days)

    def days(prices: str, by_price: bool, part: slice = counted) -> list[Day]:
        keys = [("month", seed) if (prices, by_price) == ("one", False) else ("ranking", prices, by_price, seed)
                for seed in seeds]  # fmt: skip
        return [together(played[key][part]) for key in keys]

    made: dict[str, Any] = {"communities": len(seeds), "days": size.deal_days, "short": size.short}
    for prices in ("one", "own"):
        pairs = list(zip(days(prices, False), days(prices, True), strict=True))
        shares = [own_prices(base, seed) if prices == "own" else {} for seed in seeds]
        made[prices] = _both(base, pairs, shares)
    for attack in ("shill", "farm"):
        made[attack] = {}
        for by_price, name in ((False, "amount"), (True, "price")):
            plain = days("one", by_price, slice(size.short))
            keys = [("strategy", "farm", seed) if (attack, by_price) == ("farm", False) else (attack, by_price, seed)
                    for seed in seeds]  # fmt: skip
            pairs = [(together(played[key]), other) for key, other in zip(keys, plain, strict=True) if key in played]
            made[attack][name] = _attacked(base, pairs)
    return made


def _both(base: Base, pairs: list[tuple[Day, Day]], own: list[dict[str, Conduct]]) -> dict[str, Any]:
    """What groups of households save under both rankings, and the difference; `own` tells each community's prices."""

    def over(figure: Callable[[Day, int], Fraction | None]) -> dict[str, Any]:
        both = [(figure(one, at), figure(other, at)) for at, (one, other) in enumerate(pairs)]
        changes = [None if one is None or other is None else other - one for one, other in both]
        return {
            "amount": interval([one for one, _ in both]),
            "price": interval([other for _, other in both]),
            "change": interval(changes),
        }

    def saved(names: Callable[[int], Sequence[str]]) -> dict[str, Any]:
        """A day's saving of one household of these, on average."""
        return over(lambda day, at: quotient(day.pence_a_day(day.of(names(at)).saving), len(names(at))))

    def bidding(at: int, eager: bool) -> list[str]:
        return [name for name in base.consumers if own[at] and (own[at][name].eager > 1000) is eager]

    return {
        "households": [{"household": name, **saved(lambda _, name=name: [name])} for name in base.names],
        "prosumers": saved(lambda _: base.prosumers),
        "consumers": saved(lambda _: base.consumers),
        "cautious": saved(lambda at: bidding(at, eager=False)),
        "eager": saved(lambda at: bidding(at, eager=True)),
        "community": saved(lambda _: base.names),
        "fees": over(lambda day, _: day.pence_a_day(day.fees)),
        "price_p": over(lambda day, _: _mean_price(day)),
        "regular": over(lambda day, _: deal_percent(day, groups(base).get("regular", []))),
        "irregular": over(lambda day, _: deal_percent(day, groups(base).get("irregular", []))),
    }


def deal_percent(day: Day, names: Sequence[str]) -> Fraction | None:
    """Opened bids of these households that became deals, in per cent."""
    total = day.of(names)
    return percent(total.deals, total.bids)


def _attacked(base: Base, pairs: list[tuple[Day, Day]]) -> dict[str, Any]:
    """What changes for whom where the largest consumer attacks, against the same days without; nothing is known where
    there is no consumer."""
    player = base.largest_consumer
    parties = {
        "player": [player] if player else [],
        "prosumers": base.prosumers,
        "consumers": [name for name in base.consumers if name != player],
    }
    return {
        **{who: change(pairs, lambda day, names=names: day.of(names).saving) for who, names in parties.items()},
        "owner": change(pairs, lambda day: day.fees),
        # What households pay and the owner does not get, the supplier gets.
        "supplier": change(pairs, lambda day: day.community.market - day.fees),
    }


def gas(nodes: int, weighed: Gas) -> dict[str, Any]:
    """Gas of a community's half-hours after the first."""

    def each(number: int, places: int = 0) -> str:
        return str(decimal(Fraction(number, nodes * (SPAN - 1)), places))

    return {
        "nodes": nodes,
        "gas_per_household": each(weighed.gas.total()),
        "calls_per_household": each(weighed.calls.total(), 1),
        "largest_call": max(weighed.largest, key=lambda function: (weighed.largest[function], function), default=None),
        "largest_gas": max(weighed.largest.values(), default=0),
        "by_function": {function: each(weighed.gas[function]) for function in sorted(weighed.gas)},
    }
