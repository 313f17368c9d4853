"""What the runs came to, as one object of plain values: the contents of `results.json` and of the document.

Amounts of money are in pence, rounded to the decimals shown, after all sums were made exactly in base units. Energies
are whole Wh. `interval`s are means over communities (seeds) with their 95 % confidence interval by Student's t.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from wattproof.market.deployment import Tariff
from wattproof.market.units import PENCE, PENCE_PER_KWH
from wattproof.simulation.accounting import tier
from wattproof.simulation.households import SPREADS, Habit, usual_capacity
from wattproof.study import communities, indices
from wattproof.study.communities import HALF_HOURS, Base
from wattproof.study.numbers import decimal, interval, percentage
from wattproof.study.plan import AS_MONTH, EAGER, RATIOS, SPAN, STEPS, Size, Whole, own_prices, strategies
from wattproof.study.runs import Day, Gas, Record, Totals, best_cost, cleared, of_bill, together

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
        "month": month(base, [(seed, days) for (kind, seed, *_), days in _of(played, "month")]),
        "deals": deals(base, size, played),
        "stress": compared(played, "stress", size),
        "wind": compared(played, "wind", size),
        "strategies": strategic(base, size, played),
        "ranking": ranking(base, size, played),
        "gas": [gas(nodes, played["gas", nodes]) for nodes in size.nodes],
    }


def _of(played: Played, kind: str) -> list[tuple[tuple[Any, ...], Any]]:
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
    role, group = ("prosumer", base.prosumers) if name in base.prosumers else ("consumer", set(base.consumers))
    number = [other for other in base.names if other in group].index(name) + 1
    return f"{role} {number} ({name})"


# ---- the paper's day ---------------------------------------------------------------------


def day(base: Base, whole: Whole) -> dict[str, Any]:
    """The paper's day: every household's cost, the community's, the indices, and the two half-hours of figures 8, 9."""
    households = {name: Totals() for name in base.names}
    nets = []
    for record in whole.records:
        for name, bill in record.result.bills.items():
            households[name].add(of_bill(bill))
        nets.append(record.result.imported - record.result.exported)
    total = Totals()
    for totals in households.values():
        total.add(totals)
    best = sum(best_cost(net, Tariff()) for net in nets)
    load, generation = (
        sum(getattr(half_hour, kind) for record in whole.records for half_hour in record.row.values())
        for kind in ("load", "pv")
    )
    alone, market = ([getattr(totals, kind) for totals in households.values()] for kind in ("alone", "market"))
    above, below = above_and_below(base, whole.records)
    return {
        "households": [
            {
                "household": name,
                "tier": tier(whole.performances.get(name, 0)),
                "alone_p": pence(totals.alone),
                "market_p": pence(totals.market),
                "saving_p": pence(totals.saving),
                "saving_percent": percentage(totals.saving, totals.alone),
                "bought_wh": totals.bought,
                "sold_wh": totals.sold,
                "performances": totals.performances,
                "defaults": totals.defaults,
            }
            for name, totals in households.items()
        ],
        "alone_p": pence(total.alone),
        "market_p": pence(total.market),
        "saving_p": pence(total.saving),
        "saving_percent": percentage(total.saving, total.alone),
        "best_p": pence(best),
        "savers": sum(new < old for new, old in zip(market, alone, strict=True)),
        "fees_p": pence(total.fees),
        "traded_wh": total.bought,
        "exported_wh": total.exported,
        "imported_wh": total.imported,
        "traded_of_exported": percentage(total.bought, total.exported),
        "traded_of_imported": percentage(total.bought, total.imported),
        "above_one": [base.time(_at(record)) for record in whole.records if _ratio(record) > 1],
        "above": half_hour(base, above),
        "below": half_hour(base, below),
        "indices": {
            "value": decimal(indices.value_tapping(total.market, total.alone, best), 3),
            "willingness": decimal(indices.participation_willingness(market, alone), 3),
            "equality_alone": decimal(indices.equality(alone), 3),
            "equality_market": decimal(indices.equality(market), 3),
            # Three views of the same energy: each household by itself, by the invoices, and at the community's border.
            "balance_alone": decimal(indices.energy_balance([total.imported, total.exported], load, generation), 3),
            "balance_invoiced": decimal(indices.energy_balance([total.invoiced], load, generation), 3),
            "balance_border": decimal(indices.energy_balance(nets, load, generation), 3),
            "sufficiency_alone": decimal(indices.self_sufficiency([total.imported], load), 3),
            "sufficiency_invoiced": decimal(indices.self_sufficiency([_invoiced_imports(whole.records)], load), 3),
            "sufficiency_border": decimal(indices.self_sufficiency(nets, load), 3),
        },
        "exchange": {
            "alone_wh": total.imported + total.exported,
            "invoiced_wh": total.invoiced,
            "border_wh": sum(map(abs, nets)),
            "invoiced_cut_percent": percentage(
                total.imported + total.exported - total.invoiced, total.imported + total.exported
            ),
        },
    }


def _invoiced_imports(records: Sequence[Record]) -> int:
    """What the supplier invoiced as bought from it: imports beyond what was received, in Wh."""
    return sum(max(0, bill.imported - bill.bought) for record in records for bill in record.result.bills.values())


def _at(record: Record) -> int:
    return record.result.period % HALF_HOURS


def _ratio(record: Record) -> Fraction:
    """Supply over demand, as forecast; without demand above all others."""
    return Fraction(record.result.supply, record.result.demand or 1)


def above_and_below(base: Base, records: Sequence[Record]) -> tuple[Record | None, Record | None]:
    """The half-hours of figures 8 and 9: the paper's 11:30 and 17:00 where the ratio is above and below 1 there, with
    trades; else those in which most was traded."""

    def chosen(paper: str, wanted: Callable[[Record], bool]) -> Record | None:
        fit = [record for record in records if record.result.delivered and wanted(record)]
        exact = [record for record in fit if base.time(_at(record)) == paper]
        return exact[0] if exact else max(fit, key=lambda record: record.result.delivered, default=None)

    return chosen("11:30", lambda record: _ratio(record) > 1), chosen("17:00", lambda record: _ratio(record) < 1)


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
    bills = {name: of_bill(bill) for name, bill in result.bills.items()}
    return {
        "time": base.time(_at(record)),
        "sdr": decimal(_ratio(record), 2),
        "quote_price": _price(result.quote_price),
        "bid_price": _price(result.bid_price),
        "supply_wh": result.supply,
        "demand_wh": result.demand,
        "sold_wh": result.sold,
        "delivered_wh": result.delivered,
        "bidders": len({offer.household for offer in result.offers}),
        "winners": len({offer.household for offer in result.offers if offer.filled}),
        "alone_p": pence(sum(bill.alone for bill in bills.values())),
        "market_p": pence(sum(bill.market for bill in bills.values())),
        "better": sum(bill.saving > 0 for bill in bills.values()),
        "worse": sum(bill.saving < 0 for bill in bills.values()),
        "cleared_wh": cleared(result),
    }


def _price(price: int | None) -> str | None:
    return None if price is None else decimal(Fraction(price, PENCE_PER_KWH), 2)


# ---- the paper's evaluation ----------------------------------------------------------------


def adaptation(ratio: tuple[int, int], days: list[Day]) -> dict[str, Any]:
    """The file's day with the supply-demand ratio held at `ratio`."""
    total = together(days)
    community = total.community
    alone, market = ([getattr(each, kind) for each in total.households.values()] for kind in ("alone", "market"))
    return {
        "sdr": decimal(Fraction(*ratio), 2),
        "half_hours": total.half_hours,
        "balanced": total.balanced,
        "supply_wh": total.supply,
        "demand_wh": total.demand,
        "could_clear_wh": total.could_clear,
        "cleared_wh": total.cleared,
        "delivered_wh": community.bought,
        "price": decimal(Fraction(community.paid, community.bought * PENCE_PER_KWH), 2) if community.bought else None,
        "saving_p": pence(community.saving),
        "value": decimal(indices.value_tapping(community.market, community.alone, total.best), 3),
        "better": sum(new < old for new, old in zip(market, alone, strict=True)),
        "worse": sum(new > old for new, old in zip(market, alone, strict=True)),
        "households": len(alone),
    }


# ---- the month --------------------------------------------------------------------------------


def month(base: Base, played: list[tuple[int, list[Day]]]) -> dict[str, Any]:
    """All communities over their days."""
    totals = [together(days) for _, days in played]
    each = [total.community for total in totals]

    def over(figure: Callable[[Day, Totals], Fraction | int | None], places: int = 2) -> dict[str, Any]:
        return interval([figure(total, community) for total, community in zip(totals, each, strict=True)], places)

    households = []
    for name in base.names:
        of = [total.households[name] for total in totals]
        days = [day.households[name] for _, days in played for day in days]
        households.append(
            {
                "household": name,
                "saving_percent": interval([_part(100 * own.saving, abs(own.alone)) for own in of], 1),
                "saving_p_a_day": interval(
                    [Fraction(own.saving, PENCE * len(days_)) for own, (_, days_) in zip(of, played, strict=True)]
                ),
                "months_worse": sum(own.saving < 0 for own in of),
                "days_worse": sum(day.saving < 0 for day in days),
                "days": len(days),
                "tier": interval([tier(own.performances) for own in of], 1),
                "good_percent": interval(
                    [_part(100 * own.performances, own.performances + own.defaults) for own in of], 1
                ),
            }
        )
    return {
        "communities": len(played),
        "days": len(played[0][1]),
        "half_hours": sum(total.half_hours for total in totals),
        "balanced": sum(total.balanced for total in totals),
        "saving_percent": over(lambda _, all_: _part(100 * all_.saving, abs(all_.alone)), 1),
        "saving_p_a_day": over(lambda day, all_: Fraction(all_.saving * HALF_HOURS, PENCE * day.half_hours)),
        "fees_p_a_day": over(lambda day, all_: Fraction(all_.fees * HALF_HOURS, PENCE * day.half_hours)),
        "value": over(lambda day, all_: indices.value_tapping(all_.market, all_.alone, day.best), 3),
        "willingness": over(lambda day, _: _willingness(day), 3),
        "equality_alone": over(lambda day, _: indices.equality([own.alone for own in day.households.values()]), 3),
        "equality_market": over(lambda day, _: indices.equality([own.market for own in day.households.values()]), 3),
        "traded_of_exported": over(lambda _, all_: _part(100 * all_.bought, all_.exported), 1),
        "traded_of_imported": over(lambda _, all_: _part(100 * all_.bought, all_.imported), 1),
        "invoiced_cut_percent": over(
            lambda _, all_: _part(100 * (all_.imported + all_.exported - all_.invoiced), all_.imported + all_.exported),
            1,
        ),
        "cleared_percent": over(lambda day, _: _part(100 * day.cleared, day.could_clear), 1),
        "trading_half_hours_a_day": over(lambda day, _: Fraction(day.trading * HALF_HOURS, day.half_hours), 1),
        "households": households,
        "good_percent_by_habit": {
            habit.value: over(lambda total, _, names=_of_habit(base, habit): _good(total, names), 1) for habit in Habit
        },
        "household_days": sum(entry["days"] for entry in households),
        "household_days_worse": sum(entry["days_worse"] for entry in households),
        "household_months_worse": sum(entry["months_worse"] for entry in households),
        "daily_saving_p": {str(seed): [pence(day.community.saving, 4) for day in days] for seed, days in played},
    }


def _of_habit(base: Base, habit: Habit) -> list[str]:
    return [name for name in base.consumers if base.classes[name] is habit]


def _good(day: Day, names: Sequence[str]) -> Fraction | None:
    """Good performances in per cent of all records of these households."""
    good, bad = (sum(getattr(day.households[name], kind) for name in names) for kind in ("performances", "defaults"))
    return _part(100 * good, good + bad)


def _willingness(day: Day) -> Fraction | None:
    return indices.participation_willingness(
        [own.market for own in day.households.values()], [own.alone for own in day.households.values()]
    )


def _part(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


# ---- who makes deals ---------------------------------------------------------------------------


def groups(base: Base) -> dict[str, list[str]]:
    """The consumers in the order of the paper's figure 15, the likeliest to make a deal first.

    Regular ones, the one with the largest demand, ordinary ones, irregular ones; groups without members are left out.
    """
    largest = base.largest_consumer
    others = [name for name in base.consumers if name != largest]
    made = {
        "regular": [name for name in others if base.classes[name] is Habit.REGULAR],
        "largest": [largest] if largest else [],
        "ordinary": [name for name in others if base.classes[name] is Habit.ORDINARY],
        "irregular": [name for name in others if base.classes[name] is Habit.IRREGULAR],
    }
    return {key: names for key, names in made.items() if names}


def deals(base: Base, size: Size, played: Played) -> list[dict[str, Any]]:
    """How likely an opened bid is to become a deal, by priority step, with loads as in the file and dealt anew."""
    made = []
    for shuffled in (False, True):
        for step in STEPS:
            if (step, shuffled) == AS_MONTH:
                found = _of(played, "month")[: size.variants]
            else:
                found = [entry for entry in _of(played, "deals") if entry[0][1:3] == (step, shuffled)]
            runs = [together(days[size.warm_up : size.warm_up + size.deal_days]) for _, days in found]
            made.append(_deals(base, step, shuffled, runs))
    return made


def _deals(base: Base, step: int, shuffled: bool, runs: list[Day]) -> dict[str, Any]:
    def filled(day: Day, names: Sequence[str]) -> Fraction | None:
        own = [day.households[name] for name in names]
        return _part(100 * sum(each.won for each in own), sum(each.wanted for each in own))

    ranked = groups(base)
    chances = [[_deal_percent(day, names) for names in ranked.values()] for day in runs]
    return {
        "priority_step": step,
        "shuffled": shuffled,
        "communities": len(runs),
        "households": {
            name: {
                "deals_percent": interval([_deal_percent(day, [name]) for day in runs], 1),
                "filled_percent": interval([filled(day, [name]) for day in runs], 1),
            }
            for name in base.consumers
        },
        "groups": {key: interval([_deal_percent(day, names) for day in runs], 1) for key, names in ranked.items()},
        "in_order": sum(_falls(row) for row in chances),
        "mean_in_order": _falls([_mean([row[at] for row in chances]) for at in range(len(ranked))]),
        # The paper's claim at its plainest: who keeps its plans makes more deals than who does not.
        "regular_before_irregular": _falls(
            [
                _mean([_deal_percent(day, ranked[key]) for day in runs])
                for key in ("regular", "irregular")
                if key in ranked
            ]
        ),
    }


def _falls(values: Sequence[Fraction | None]) -> bool:
    """Whether each value is above the next; None counts as 0."""
    known = [value or Fraction(0) for value in values]
    return all(first > second for first, second in pairwise(known))


def _mean(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    return sum(known, Fraction(0)) / len(known) if known else None


# ---- beyond the paper ----------------------------------------------------------------------------


def compared(played: Played, kind: str, size: Size) -> dict[str, Any]:
    """The communities of `kind`, beside the same days of the same seeds' months."""
    pairs = [(together(days), together(played["month", key[1]][: size.short])) for key, days in _of(played, kind)]
    changed, plain = ([pair[at] for pair in pairs] for at in (0, 1))
    return {
        "communities": len(pairs),
        "days": size.short,
        kind: _outline(changed),
        "plain": _outline(plain),
    }


def _outline(days: list[Day]) -> dict[str, Any]:
    each = [day.community for day in days]
    records = [community.performances + community.defaults for community in each]
    return {
        "half_hours": sum(day.half_hours for day in days),
        "balanced": sum(day.balanced for day in days),
        "saving_percent": interval([_part(100 * all_.saving, abs(all_.alone)) for all_ in each], 1),
        "saving_p_a_day": interval(
            [Fraction(all_.saving * HALF_HOURS, PENCE * day.half_hours) for day, all_ in zip(days, each, strict=True)]
        ),
        "value": interval(
            [indices.value_tapping(all_.market, all_.alone, day.best) for day, all_ in zip(days, each, strict=True)],
            3,
        ),
        "compensation_p_a_day": interval(
            [Fraction(day.compensation * HALF_HOURS, PENCE * day.half_hours) for day in days]
        ),
        "default_percent": interval(
            [_part(100 * all_.defaults, number) for all_, number in zip(each, records, strict=True)], 1
        ),
        "traded_of_exported": interval([_part(100 * all_.bought, all_.exported) for all_ in each], 1),
        "traded_of_imported": interval([_part(100 * all_.bought, all_.imported) for all_ in each], 1),
        "trading_half_hours_a_day": interval([Fraction(day.trading * HALF_HOURS, day.half_hours) for day in days], 1),
        "households_worse": sum(own.saving < 0 for day in days for own in day.households.values()),
        "households": sum(len(day.households) for day in days),
        "largest_loss_percent": decimal(
            max(
                (
                    Fraction(-100 * own.saving, abs(own.alone))
                    for day in days
                    for own in day.households.values()
                    if own.alone and own.saving < 0
                ),
                default=Fraction(0),
            ),
            1,
        ),
    }


def strategic(base: Base, size: Size, played: Played) -> list[dict[str, Any]]:
    """What each strategy changes for who plays it, for the others and for the owner's fees, in pence a day, against the
    same days without."""
    made = []
    for strategy in strategies(base):
        gains, others, deals_, fees = [], [], [], []
        for (_, key, seed), days in _of(played, "strategy"):
            if key != strategy.key:
                continue
            acted, plain = together(days), together(played["month", seed][: size.short])
            change = {name: own.saving - plain.households[name].saving for name, own in acted.households.items()}
            mine = sum(change[name] for name in strategy.actors)
            gains.append(Fraction(mine, PENCE * size.short))
            others.append(Fraction(sum(change.values()) - mine, PENCE * size.short))
            deals_.append(_part(100 * (acted.community.bought - plain.community.bought), plain.community.bought))
            fees.append(Fraction(acted.fees - plain.fees, PENCE * size.short))
        made.append(
            {
                "strategy": strategy.key,
                "title": strategy.title,
                "actors": list(strategy.actors),
                "gain_p_a_day": interval(gains),
                "others_p_a_day": interval(others),
                "traded_change_percent": interval(deals_, 1),
                "fees_p_a_day": interval(fees),
                "communities": len(gains),
            }
        )
    return made


RANKINGS = {False: "amount", True: "price"}
"""What bids rank by, with `rank_by_price` and without."""


def ranking(base: Base, size: Size, played: Played) -> dict[str, Any]:
    """The same communities with bids ranked by amount, as in the paper, and by unit price; in pence a day."""
    seeds = [key[1] for key, _ in _of(played, "month")][: size.variants]
    counted = slice(size.warm_up, size.warm_up + size.deal_days)

    def days(prices: str, by_price: bool, part: slice = counted) -> list[Day]:
        keys = [("month", seed) if (prices, by_price) == ("one", False) else ("ranking", prices, by_price, seed)
                for seed in seeds]  # fmt: skip
        return [together(played[key][part]) for key in keys]

    made: dict[str, Any] = {"communities": len(seeds), "days": size.deal_days, "short": size.short}
    for prices in ("one", "own"):
        pairs = list(zip(days(prices, False), days(prices, True), strict=True))
        shares = [own_prices(base, seed) if prices == "own" else {} for seed in seeds]
        made[prices] = _both(base, pairs, shares, size.deal_days)
    for attack in ("shill", "farm"):
        made[attack] = {}
        for by_price, name in RANKINGS.items():
            plain = days("one", by_price, slice(size.short))
            keys = [("strategy", "farm", seed) if (attack, by_price) == ("farm", False) else (attack, by_price, seed)
                    for seed in seeds]  # fmt: skip
            pairs = [(together(played[key]), other) for key, other in zip(keys, plain, strict=True) if key in played]
            made[attack][name] = _attacked(base, pairs, size.short)
    return made


def _both(base: Base, pairs: list[tuple[Day, Day]], own: list[Any], number: int) -> dict[str, Any]:
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
        return over(
            lambda day, at: _part(
                sum(day.households[name].saving for name in names(at)), len(names(at)) * PENCE * number
            )
        )

    def bidding(at: int, eager: bool) -> list[str]:
        return [name for name in base.consumers if own[at] and (own[at][name].eager > 1000) is eager]

    prosumers = [name for name in base.names if name in base.prosumers]
    return {
        "households": [{"household": name, **saved(lambda _, name=name: [name])} for name in base.names],
        "prosumers": saved(lambda _: prosumers),
        "consumers": saved(lambda _: base.consumers),
        "cautious": saved(lambda at: bidding(at, eager=False)),
        "eager": saved(lambda at: bidding(at, eager=True)),
        "community": saved(lambda _: base.names),
        "fees": over(lambda day, _: Fraction(day.fees, PENCE * number)),
        "price_p": over(lambda day, _: _part(day.community.paid, day.community.bought * PENCE_PER_KWH)),
        "regular": over(lambda day, _: _deal_percent(day, groups(base).get("regular", []))),
        "irregular": over(lambda day, _: _deal_percent(day, groups(base).get("irregular", []))),
    }


def _deal_percent(day: Day, names: Sequence[str]) -> Fraction | None:
    """Opened bids of these households that became deals, in per cent."""
    own = [day.households[name] for name in names]
    return _part(100 * sum(each.deals for each in own), sum(each.bids for each in own))


def _attacked(base: Base, pairs: list[tuple[Day, Day]], number: int) -> dict[str, Any]:
    """What changes for whom where the largest consumer attacks, against the same days without; nothing is known where
    there is no consumer."""
    player = base.largest_consumer

    def over(figure: Callable[[Day], int]) -> dict[str, Any]:
        return interval([Fraction(figure(one) - figure(other), PENCE * number) for one, other in pairs])

    def saved(names: Sequence[str | None]) -> dict[str, Any]:
        return over(lambda day: sum(day.households[name].saving for name in names if name))

    return {
        "player": saved([player]),
        "prosumers": saved([name for name in base.names if name in base.prosumers]),
        "consumers": saved([name for name in base.consumers if name != player]),
        "owner": over(lambda day: day.fees),
        # What households pay and the owner does not get, the supplier gets.
        "supplier": over(lambda day: day.community.market - day.fees),
    }


def gas(nodes: int, weighed: Gas) -> dict[str, Any]:
    """Gas of a community's half-hours after the first."""
    half_hours = SPAN - 1
    total = sum(weighed.gas.values())
    return {
        "nodes": nodes,
        "gas_per_household": str(decimal(Fraction(total, nodes * half_hours), 0)),
        "calls_per_household": decimal(Fraction(sum(weighed.calls.values()), nodes * half_hours), 1),
        "largest_call": max(weighed.largest, key=lambda function: (weighed.largest[function], function), default=None),
        "largest_gas": max(weighed.largest.values(), default=0),
        "by_function": {
            function: str(decimal(Fraction(weighed.gas[function], nodes * half_hours), 0))
            for function in sorted(weighed.gas)
        },
    }
