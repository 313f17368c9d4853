"""docs/case-study.md says what was played: all of its numbers are in case-study.json, and parts are played again here.

`wattproof study --check` plays all of them.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from wattproof.evm.engine import available
from wattproof.market.deployment import Tariff
from wattproof.study import document, results
from wattproof.study.claims import claims
from wattproof.study.communities import Base, Frame
from wattproof.study.plan import FULL, RATIOS, Task, adaptation_tasks, day_task, execute, gas_task, month_task
from wattproof.study.runs import Run
from wattproof.study.tables import tables
from wattproof.study.texts import shown

DOCS = Path(__file__).parents[2] / "docs"
FASTEST = available()[-1]
RENEW = "run: wattproof study --docs docs"


@pytest.fixture(scope="module")
def text() -> str:
    return (DOCS / document.NAME).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def played() -> dict[str, Any]:
    return json.loads((DOCS / document.DATA).read_text(encoding="utf-8"))


def test_every_number_is_in_the_results(text: str, played: dict[str, Any]) -> None:
    assert document.compare(DOCS, played) == [], RENEW
    # Times are not compared by `compare`, but are what was measured, too.
    assert document.render(text, document.values(played)) == text, RENEW
    assert len(document.MARKER.findall(text)) > 60


def test_the_results_are_of_the_whole_study(played: dict[str, Any]) -> None:
    size = played["size"]
    assert (size["name"], size["seeds"], size["days"]) == ("full", FULL.seeds, FULL.days), RENEW
    assert played["schema"] == results.SCHEMA
    assert played["input"]["path"] == "wattproof/data/households.csv"


def test_a_households_name_cannot_write_in_the_document(played: dict[str, Any]) -> None:
    names = dict(zip((entry["household"] for entry in played["households"]), ODD, strict=False))

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): renamed(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [renamed(entry) for entry in value]
        return names.get(value, value) if isinstance(value, str) else value

    results = renamed(played)
    for entry in results["households"]:
        entry["label"] = f"consumer 1 ({entry['household']})"
    table = tables(results)["households"].splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {5}
    text = document.render("<!--=table.households-->?<!--/-->", document.values(results))
    assert document.MARKER.sub("", text) == ""
    assert "(b\\|c)" in text and "(\\_d &lt;b&gt;)" in text and "(a\\$x\\$)" in text


ODD = ("b|c", "<!--/-->", "_d <b>", "a$x$", "`x`", "[x](y)")

TYPED = {
    # The confidence level; half-hours of the paper's day and claims, which it states itself; rules of the terms.
    *("95", "48", "10", "140", "5", "6", "7", "3", "4", "1", "2"),
    # The times of the paper's half-hours.
    *("11", "30", "12"),
}
"""Numbers that were not measured, and may be typed."""

NOT_A_NUMBER = re.compile(
    r"```.*?```"  # commands
    r"|!\[[^]]*\]\([^)]*\)|\]\([^)]*\)"  # figures and links
    r"|T-[A-Z]+-\d+"  # clauses
    r"|[Ff]igures? \d+(?: (?:to|and) \d+)?"  # of the paper
    r"|\((?:\d+\.)+\d+[^)]*\)|Section \d+"  # sections of the paper
    r"|doi [\w./]+|(?:19|20)\d\d"  # references
    r"|`[^`]*`",
    re.S,
)


def test_no_number_is_typed(text: str) -> None:
    bare = NOT_A_NUMBER.sub(" ", document.MARKER.sub(" ", text))
    typed = {number.rstrip(".,") for number in re.findall(r"\d[\d.,]*", bare)}
    assert typed <= TYPED, f"typed, not generated: {sorted(typed - TYPED)}"


def test_what_the_text_says_in_words(played: dict[str, Any]) -> None:
    """Sentences without a number rest on numbers, too."""

    def of(entry: dict[str, Any], key: str) -> tuple[float, float]:
        return float(entry[key]["low"]), float(entry[key]["high"])

    day, found = played["day"], {entry["strategy"]: entry for entry in played["strategies"]}
    # "All bidders win energy"; "of the bidders one wins".
    assert day["above"]["bidders"] == day["above"]["winners"]
    assert day["below"]["winners"] == 1
    # "To promise more or less than one has costs who does it, and the others gain."
    for key in ("quote-125", "quote-200", "quote-80"):
        assert of(found[key], "gain_p_a_day")[1] < 0 < of(found[key], "others_p_a_day")[0]
    # "Nor does a consumer gain that keeps its bids sealed"; "but all consumers together would".
    for key in ("reveal-50", "reveal-0"):
        assert of(found[key], "gain_p_a_day")[1] < 0
    assert of(found["silence"], "gain_p_a_day")[0] > 0 > of(found["silence"], "others_p_a_day")[1]
    # "Trading with a partner shows no gain that could be told from none."
    low, high = of(found["wash"], "gain_p_a_day")
    assert low < 0 < high
    # "To quote a little too much shows no gain for the seller; its buyers have a little, and the owner pays for it."
    low, high = of(found["quote-103"], "gain_p_a_day")
    assert low < 0 < high
    assert of(found["quote-103"], "others_p_a_day")[0] > 0 > of(found["quote-103"], "fees_p_a_day")[1]
    # "Standing that was farmed pays, at the cost of the others"; "what pays most for a single household is supply that
    # is not there"; "with a silent meter it loses".
    for key in ("farm", "phantom"):
        assert of(found[key], "gain_p_a_day")[0] > 0 > of(found[key], "others_p_a_day")[1]
    alone = [entry for entry in played["strategies"] if len(entry["actors"]) == 1]
    assert max(alone, key=lambda entry: float(entry["gain_p_a_day"]["mean"]))["strategy"] == "phantom"
    assert of(found["phantom-silent"], "gain_p_a_day")[1] < 0
    # "A household-day costs more where an irregular consumer ..."; "the month makes up for it".
    habits = {entry["household"]: entry["habit"] for entry in played["households"]}
    for entry in played["month"]["households"]:
        assert entry["days_worse"] == 0 or habits[entry["household"]] == "irregular"
    assert played["month"]["household_months_worse"] == 0
    # "No household loses."
    for outline in (played["stress"]["stress"], played["stress"]["plain"], played["wind"]["wind"]):
        assert outline["households_worse"] == 0
        assert outline["balanced"] == outline["half_hours"]


def test_what_the_text_says_of_standing_in_words(shipped: Base, played: dict[str, Any]) -> None:
    # "Standing rewards accuracy."
    good = played["month"]["good_percent_by_habit"]
    assert float(good["regular"]["low"]) > float(good["ordinary"]["high"])
    assert float(good["ordinary"]["low"]) > float(good["irregular"]["high"])
    # "Its consumer 5 uses hardly more than the next over the day, and while something is quoted not even the most;
    # consumers 6 and 7 use about half as much then."
    loads = {name: shipped.load(name) for name in shipped.consumers}
    most, next_one = sorted(loads.values())[:-3:-1]
    assert loads["rainy"] == most < 1.1 * next_one
    day = shipped.days[0]
    sunny = [at for at in range(48) if any(half_hours[at].pv > half_hours[at].load for half_hours in day.values())]
    then = {name: sum(day[name][at].load for at in sunny) for name in shipped.consumers}
    assert then["rainy"] < max(then.values())
    assert 0.4 < (then["balmy"] + then["mild"]) / (2 * then["rainy"]) < 0.6
    # "In all of these every deal and every record is the same."
    described = played["described"]
    assert described["agree"] == described["on_contract"] == FULL.variants
    steps = {entry["rung"]: entry for entry in described["steps"]}
    by_amount = [entry for entry in described["steps"] if not entry["rank_by_price"]]
    # "By amount no step brings the whole order about. Consumer 5 comes first instead."
    assert all(float(entry["later"]["order"]["high"]) < 15 for entry in by_amount)
    assert all(float(entry["later"]["size"]["low"]) > 85 for entry in by_amount)
    # "The others come in the paper's order, and the more surely the larger the step."
    for claim in ("standing", "accuracy"):
        chances = [float(entry["later"][claim]["mean"]) for entry in by_amount]
        assert chances[0] < 50 < 85 < chances[-1]
        assert all(later >= earlier - 5 for earlier, later in pairwise(chances))
    # "By price the whole order holds ... after the warm-up", and hardly at the end of the month.
    price = steps["price-100"]
    assert float(price["later"]["order"]["low"]) > float(steps["amount-10000"]["later"]["order"]["high"])
    assert float(price["last"]["order"]["high"]) < float(price["later"]["order"]["low"])
    # "With the default that holds in ... %, and with twice the step in ... %."
    assert float(steps["amount-500"]["later"]["accuracy"]["low"]) > 80
    assert Tariff().priority_step == 500
    # "A larger one costs": the more the larger it is, and the others pay.
    farming = played["farming"]
    gains = [float(entry["player"]["mean"]) for entry in farming]
    assert gains == sorted(gains)
    assert all(float(entry["player"]["low"]) > 0 > float(entry["others"]["high"]) for entry in farming)


def test_what_the_text_says_of_bids_that_only_ask_in_words(played: dict[str, Any]) -> None:
    gains = {entry["strategy"]: entry["gain_p_a_day"] for entry in played["asking"]}
    # "What the lowest price brings by amount ...; by price it gains nothing that could be told from none."
    assert float(gains["low-amount"]["low"]) > 0 >= float(gains["low-price"]["low"])
    tiers = {entry["strategy"]: [float(entry[key]["mean"]) for key in ("tier", "tier_without")]
             for entry in played["asking"]}  # fmt: skip
    # "Who only asks stands no higher for it at the end than by plain bids, under either ranking."
    for key in ("low", "tenth", "tenfold"):
        for ranking in ("amount", "price"):
            asked, plain = tiers.pop(f"{key}-{ranking}")
            assert asked <= plain
    # "An irregular consumer with two forecasts stands a little higher by amount, and no higher by price."
    asked, plain = tiers.pop("two-amount")
    assert plain < asked < plain + 1
    asked, plain = tiers.pop("two-price")
    assert asked <= plain
    assert not tiers
    # "Nobody stands higher than the highest tier, which farmed standing has from the first day": it pays more.
    farmed = next(entry for entry in played["farming"] if entry["priority"] == "5 % a tier")
    assert float(farmed["player"]["low"]) > 0


def test_what_the_text_says_of_the_rankings_in_words(played: dict[str, Any]) -> None:
    def rises(entry: dict[str, Any], key: str = "change") -> bool:
        return float(entry[key]["low"]) > 0

    def falls(entry: dict[str, Any], key: str = "change") -> bool:
        return float(entry[key]["high"]) < 0

    one, own = played["ranking"]["one"], played["ranking"]["own"]
    # "Regular and ordinary consumers gain, but for the largest, which loses as the irregular ones do".
    habits = {entry["household"]: (entry["habit"], entry["role"]) for entry in played["households"]}
    largest = max(
        (entry for entry in played["households"] if entry["role"] == "consumer"), key=lambda entry: entry["load_wh"]
    )
    for entry in one["households"]:
        habit, role = habits[entry["household"]]
        if role == "consumer":
            loses = habit == "irregular" or entry["household"] == largest["household"]
            assert falls(entry) if loses else rises(entry), entry["household"]
    assert rises(one["regular"])
    assert falls(one["irregular"])
    # "The community gains a little"; the owner has less.
    assert rises(one["community"])
    assert falls(one["fees"])
    # "Who bids high gains, who bids low loses more"; "prosumers gain, and consumers pay for it", as the price rises.
    assert rises(own["eager"])
    assert falls(own["cautious"])
    assert float(own["eager"]["change"]["mean"]) < -float(own["cautious"]["change"]["mean"])
    assert rises(own["prosumers"])
    assert falls(own["consumers"])
    assert rises(own["price_p"])
    # "On average who bids low saves more than who bids high by amount, and less by price."
    low, high = ({key: float(own[who][key]["mean"]) for key in ("amount", "price")} for who in ("cautious", "eager"))
    assert low["amount"] > high["amount"]
    assert low["price"] < high["price"]
    # "By amount prosumers and consumers lose, and the supplier alone gains. By price the prosumers lose nothing, and
    # the consumers less. The shill itself loses under either ranking."
    amount, price = played["ranking"]["shill"]["amount"], played["ranking"]["shill"]["price"]
    assert all(falls(amount, who) for who in ("player", "prosumers", "consumers", "owner"))
    assert rises(amount, "supplier")
    assert float(price["prosumers"]["low"]) >= 0
    assert float(amount["consumers"]["high"]) < float(price["consumers"]["low"]) < float(price["consumers"]["high"]) < 0
    assert falls(price, "player")
    # "Farmed standing is worth more by price."
    amount, price = played["ranking"]["farm"]["amount"], played["ranking"]["farm"]["price"]
    assert float(price["player"]["low"]) > float(amount["player"]["high"]) > 0


def test_figures_are_there_and_no_others(text: str) -> None:
    shown = document.FIGURE.findall(text)
    assert sorted(file.name for file in (DOCS / "figures").iterdir()) == sorted(f"{name}.svg" for name in shown)
    assert len(shown) == len(set(shown)) == 18
    assert sum(file.stat().st_size for file in (DOCS / "figures").iterdir()) < 1_000_000


# ---- parts of the study, played again -----------------------------------------------------------


def test_the_papers_day_played_again(shipped: Base, played: dict[str, Any]) -> None:
    if FASTEST == "pyevm":
        pytest.skip("takes a minute on py-evm: `wattproof study --check` plays it; needs wattproof[fast]")
    whole = execute(shipped, day_task(played["seed"], FULL.warm_up), FASTEST)
    assert results.day(shipped, whole) == played["day"], RENEW
    assert results.describe(shipped) == played["households"], RENEW
    assert (results.tariff(), results.model()) == (played["tariff"], played["model"]), RENEW


@pytest.mark.parametrize("at", [0, 5, 10])
def test_a_ratio_played_again(shipped: Base, played: dict[str, Any], at: int) -> None:
    task = adaptation_tasks(played["seed"])[at]
    assert results.adaptation(RATIOS[at], execute(shipped, task, FASTEST)) == played["adaptation"][at], RENEW


@pytest.mark.parametrize("seed", [1, 20])
def test_the_months_first_day_played_again(shipped: Base, played: dict[str, Any], seed: int) -> None:
    days = execute(shipped, month_task(seed, 1), FASTEST)
    saved = [results.pence(day.community.saving, 4) for day in days]
    assert saved == played["month"]["daily_saving_p"][str(seed)][:1], RENEW


def test_gas_weighed_again(shipped: Base, played: dict[str, Any]) -> None:
    weighed = execute(shipped, gas_task(10, shipped, played["seed"]), FASTEST)
    assert results.gas(10, weighed) == played["gas"][0], RENEW


# ---- the machinery --------------------------------------------------------------------------------


def test_a_name_that_was_not_played_is_refused(tmp_path: Path, played: dict[str, Any]) -> None:
    with pytest.raises(document.BadDocument, match=r"no figure is called day\.nothing"):
        document.render("<!--=day.nothing-->1<!--/-->", document.values(played))
    (tmp_path / document.NAME).write_text("<!--=day.nothing-->1<!--/-->")
    assert document.compare(tmp_path, played) == ["day.nothing: no such figure was played"]


def test_verdicts_follow_the_numbers(played: dict[str, Any]) -> None:
    """A claim's answer is computed: other results, another answer."""
    changed = json.loads(json.dumps(played))
    changed["day"]["savers"] = 0
    assert claims(changed)["everyone"].startswith("**No.**")
    changed["day"]["savers"] = len(changed["day"]["households"])
    for worse, verdict in ((1, "**In part.**"), (0, "**Yes.**")):
        changed["month"]["household_days_worse"] = worse
        assert claims(changed)["everyone"].startswith(verdict)

    changed["adaptation"][3]["balanced"] -= 1
    assert claims(changed)["adaptation"].startswith("**No.**")

    for entry in changed["deals"]:
        entry["mean_in_order"] = entry["regular_before_irregular"] = True
    assert claims(changed)["order"].startswith("**Yes.**")
    for entry in changed["deals"]:
        entry["mean_in_order"] = False
    assert claims(changed)["order"].startswith("**In part.**")
    for entry in changed["deals"]:
        entry["regular_before_irregular"] = False
    assert claims(changed)["order"].startswith("**No.**")

    for entry in changed["gas"]:
        entry["gas_per_household"] = "1000"
    assert claims(changed)["scale"].startswith("**Yes.**")
    changed["gas"][-1]["gas_per_household"] = "1200"
    assert claims(changed)["scale"].startswith("**No.**")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (1234567, "1,234,567"),
        ("-1.5", "−1.5"),
        ({"mean": "1.0", "low": "-2.0", "high": "4.0", "n": 3}, "1.0 (−2.0 to 4.0)"),
        ({"mean": "1.0", "low": None, "high": None, "n": 1}, "1.0"),
        ({"mean": None, "low": None, "high": None, "n": 0}, "-"),
        (True, "yes"),
    ],
)
def test_how_values_are_shown(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_task_that_is_played_in_full_is_the_last_day(shipped: Base) -> None:
    task = Task(("x",), Run(Frame(1, (1, 0), span=(22, 25))), "full")
    whole = execute(shipped, task, FASTEST)
    assert [record.result.period for record in whole.records] == [48 + 22, 48 + 23, 48 + 24]
    assert sum(whole.performances.values()) > 0
