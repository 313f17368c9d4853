"""The paper's claims, and others of the document, answered from the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from wattproof.market.deployment import Tariff
from wattproof.simulation.accounting import percent
from wattproof.study.plan import USUAL_RUNG
from wattproof.study.results import priority
from wattproof.study.texts import shown


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
