"""The REPL: the session that the README shows works when pasted, and prints what people read."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import boa
import pytest

from tests.support.transcripts import played
from wattproof import repl
from wattproof.market import units
from wattproof.market.deployment import deployer
from wattproof.market.meters import Meter
from wattproof.play.market import FUNDS
from wattproof.play.people import Household, exact
from wattproof.play.slips import reason_of, told
from wattproof.terms.model import Phase

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    return repl.namespace()


def blocks() -> list[str]:
    """The README's lines to paste: at the REPL, in a script or notebook, in plain titanoboa."""
    found = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(found) == 3
    return found


def session() -> list[str]:
    """What is typed of the REPL's session, without the answers."""
    return [line for line in blocks()[0].splitlines() if not line.startswith("#")]


def test_the_readme_session_has_eleven_lines() -> None:
    assert len(session()) == 11


def test_the_readme_session_trades_and_answers_as_it_says(names: dict[str, Any]) -> None:
    assert played(blocks()[0], names) == blocks()[0]
    # 1.9 of 2 kWh is exactly 95 %: delivered pro rata, no compensation, fees waived.
    cloudy, misty, sunny = names["cloudy"], names["misty"], names["sunny"]
    market = names["market"]
    assert [(trade.buyer, trade.volume) for trade in market.trades(1)] == [(cloudy, 1500), (misty, 500)]
    assert market.position(cloudy, market.quote(1).period).received == 1425
    assert market.position(misty, market.quote(1).period).received == 475
    # Cloudy: 1425 Wh at 11 p/kWh = 15.675 p, and 75 Wh from the grid at 18 p/kWh = 1.35 p.
    assert cloudy.account().balance == FUNDS - units.pence("17.025")
    # Misty: 475 Wh at 10 p/kWh = 4.75 p, and 225 Wh at 18 p/kWh = 4.05 p.
    assert misty.account().balance == FUNDS - units.pence("8.8")
    assert sunny.account().balance == FUNDS + units.pence("20.425")


def test_the_readme_script_answers_as_it_says() -> None:
    assert played(blocks()[1], {}) == blocks()[1]


def test_the_readme_lines_for_plain_titanoboa_answer_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: str, *arguments: Any) -> Any:
        assert Path(path).parent == Path("contracts")
        return deployer(Path(path).stem).deploy(*arguments)

    monkeypatch.setattr(boa, "load", load)  # The same, without compiling all of it once more.
    with boa.env.anchor():
        assert played(blocks()[2], {}) == blocks()[2]


def test_structs_print_in_pence_and_kwh(names: dict[str, Any]) -> None:
    quote_id = names["sunny"].quote(kwh=1.25, price="7.5")
    shown = repr(names["market"].quote(quote_id))
    assert shown.splitlines()[:1] == ["Quote"]
    assert re.search(r"^  prosumer +sunny$", shown, re.MULTILINE)
    assert re.search(r"^  volume +1\.250 kWh$", shown, re.MULTILINE)
    assert re.search(r"^  price +7\.50 p/kWh$", shown, re.MULTILINE)
    assert re.search(r"^  status +VALID$", shown, re.MULTILINE)
    assert re.search(r"^  balance +9997\.75 p$", repr(names["sunny"].account()), re.MULTILINE)  # less 10 % of 22.5 p
    assert re.search(r"^  reserved +2\.25 p$", repr(names["sunny"].account()), re.MULTILINE)
    assert names["market"].phase(names["clock"].current()) is Phase.BIDDING


def test_structs_stay_exact_tuples(names: dict[str, Any]) -> None:
    quote_id = names["sunny"].quote(kwh=2, price=9)
    quote = names["market"].quote(quote_id)
    assert (quote.volume, quote.price, quote[2]) == (2000, 9 * 10**13, 2000)


@pytest.mark.parametrize(("typed", "digits"), [(0.1, "0.1"), (1.15, "1.15"), (3, "3"), ("2.675", "2.675")])
def test_numbers_mean_what_was_typed(typed: Any, digits: str) -> None:
    assert Decimal(exact(typed)) == Decimal(digits)


def test_a_refusal_is_one_line_with_the_reason(names: dict[str, Any]) -> None:
    with pytest.raises(boa.BoaError) as refused:
        names["cloudy"].quote(kwh=1, price=99)
    assert reason_of(refused.value) == "quotes: price out of band"


def test_households_have_a_capacity_that_the_owner_can_raise(names: dict[str, Any]) -> None:
    owner, mild, market = names["owner"], names["mild"], names["market"]
    assert re.search(r"^  capacity +11\.500 kWh$", repr(mild.account()), re.MULTILINE)
    assert market.account(mild).capacity == 11_500
    with pytest.raises(boa.BoaError) as refused:
        mild.quote(kwh="11.501", price=9)
    assert reason_of(refused.value) == "quotes: volume out of bounds"
    owner.authorize(mild, kwh="11.501")
    assert market.quote(mild.quote(kwh="11.501", price=9)).volume == 11_501
    with pytest.raises(boa.BoaError) as refused:
        owner.authorize(mild, kwh=11)
    assert reason_of(refused.value) == "accounts: capacity cannot fall"
    with pytest.raises(boa.BoaError) as refused:
        owner.authorize(mild)
    assert reason_of(refused.value) == "accounts: already authorised"
    market.revoke(mild, sender=owner)
    owner.authorize(mild)
    assert market.account(mild).authorized
    assert market.account(mild).capacity == 11_501


def test_what_is_left_is_bought_in_part_or_whole(names: dict[str, Any]) -> None:
    sunny, cloudy, misty, market, clock = (names[name] for name in ("sunny", "cloudy", "misty", "market", "clock"))
    quote_id = sunny.quote(kwh="0.64", price=9)
    clock.to("MATCHING")
    market.match_bids(quote_id)
    with pytest.raises(boa.BoaError) as refused:
        cloudy.buy(quote_id, kwh="0.009")
    assert reason_of(refused.value) == "surplus: volume too small"
    cloudy.buy(quote_id, kwh="0.01")
    misty.buy(quote_id)
    clock.to("METERING")
    with pytest.raises(boa.BoaError) as refused:
        cloudy.buy(quote_id, kwh="0.1")
    assert reason_of(refused.value) == "surplus: no reading yet"
    sunny.meter.read(exported="0.7")
    cloudy.buy(quote_id)
    assert [(trade.buyer, trade.volume) for trade in market.trades(quote_id)] == [
        (cloudy, 10),
        (misty, 630),
        (cloudy, 60),
    ]


def test_a_file_tells_the_capacities(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("period,household,load_wh,pv_wh,capacity_wh\n0,one,1,2,3000\n0,two,1,2,16777215\n")
    offered = repl.namespace(path)
    assert [offered[name].account().capacity for name in ("one", "two")] == [3_000, 2**24 - 1]


def test_every_household_can_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    odd = ("class", "None", "market", "who", "print", "match", "a-b", "a_b", "a b", "12 Elm Street", "In", "_", "owner")
    rows = "".join(f"0,{name},100,0\n" for name in odd)
    path.write_text("period,household,load_wh,pv_wh\n" + rows)
    offered = repl.namespace(path)
    households = {word: value for word, value in offered.items() if isinstance(value, Household)}
    assert sorted(household.name for household in households.values()) == sorted(odd)
    for word, household in households.items():
        assert eval(word, dict(offered)) is household
        assert offered["households"][household.name] is household
    assert offered["market"].quote_count() == 0
    said = repl.banner(offered)
    assert "household_class ('class'), household_None ('None')" in said
    assert "1 more in `households`" in said
    assert "Try: household_class.quote(" in said


def line_of(call: Callable[[], object]) -> str | None:
    """What the REPL says of a call that is not done."""
    with pytest.raises((ValueError, TypeError, KeyError)) as caught:
        call()
    return told(caught.value)


def test_what_can_hardly_be_meant_is_not_done(names: dict[str, Any]) -> None:
    sunny, cloudy, owner = names["balmy"], names["cloudy"], names["owner"]
    beyond = "{} kWh is more than {}'s connection carries in a period, 11.500 kWh: is this {}?"
    asked = "not done: " + beyond.format("24119.510", "balmy", "a register, or Wh")
    assert line_of(lambda: sunny.meter.read(imported=24119.51)) == asked
    assert line_of(lambda: sunny.meter.read(exported=24119.51)) == asked
    assert line_of(lambda: cloudy.bid(1, kwh=1500, price=9)) == "not done: " + beyond.format("1500.000", "cloudy", "Wh")
    assert line_of(lambda: sunny.meter.read(exported=-1.5)) == (
        "not done: exported is negative: -1.5 (export and import are two figures, each 0 or more)"
    )
    assert line_of(lambda: owner.authorize(sunny, kwh=14_000)) == (
        "not done: 14000.000 kWh in a period is more than a low-voltage grid brings, 1250.000 kWh: is this Wh? "
        "If not: market.authorize(user, 14000000, sender=owner)"
    )
    assert sunny.account().capacity == 11_500
    assert line_of(lambda: sunny.reveal(99)) == "not done: balmy has sealed no bid on quote 99"
    assert line_of(lambda: sunny.quote(kwh="lots", price=9)) == (
        "not done: an amount in kWh must be a plain number such as 7.35, not 'lots'"
    )


ODD: list[tuple[str, str]] = [
    ("sunny.quote(kwh=2, price=9, period='x')", "'x' is no whole number from 0 to below 2**256"),
    ("sunny.quote(kwh=2, price=9, period=1.5)", "1.5 is no whole number"),
    ("sunny.quote(kwh=10**80, price=9)", f"{10**80 * 1000!s:.60}… is no whole number from 0 to below 2**256"),
    ("cloudy.bid('1', kwh=1, price=9)", "'1' is no whole number"),
    ("cloudy.buy(-1)", "-1 is no whole number"),
    ("cloudy.position(-1)", "-1 is no whole number"),
    ("clock.phase(-1)", "-1 is no whole number"),
    ("clock.to('EVENING')", "there is no phase 'EVENING': name one of BIDDING, REVEALING, MATCHING, DELIVERING"),
    ("clock.to(3)", "there is no phase 3: name one of"),
    ("clock.to('bidding')", "BIDDING has no beginning"),
    ("clock.to('METERING', 'x')", "a period must be a whole number, not 'x'"),
    ("clock.to('METERING', 1.5)", "a period must be a whole number, not 1.5"),
    ("clock.to('METERING', 1561071600)", "begins in more than a century: is this a second? Periods are numbered, and "),
    ("setattr(clock, 'now', 'noon')", "a second must be a whole number, not 'noon'"),
    ("setattr(clock, 'now', 1.5)", "a second must be a whole number, not 1.5"),
    ("setattr(clock, 'now', -1)", "a second is 0 or more and below 2**256, not -1"),
    ("owner.authorize('bob')", "nobody is called 'bob': name a household, or write 0x"),
    ("market.account(None)", "None is nobody"),
    ("households['bob']", "there is no household 'bob': list(households) names them"),
    (
        "sunny.meter.read(exported=1, period='x')",
        "a period must be a whole number, 0 or more and below 2**256, not 'x'",
    ),
    ("sunny.meter.sign_reading(market, 'bob', 1, 2, 3)", "nobody is called 'bob': name a household, or write 0x"),
    ("sunny.meter.sign_reading('bob', sunny, 1, 2, 3)", "market 'bob' is no address"),
]


@pytest.mark.parametrize(("typed", "said"), ODD)
def test_an_odd_argument_is_told_in_one_line(names: dict[str, Any], typed: str, said: str) -> None:
    with pytest.raises(Exception) as caught:
        eval(typed, dict(names))
    line = told(caught.value)
    assert line is not None
    assert "\n" not in line
    assert line.startswith("not done: ")
    assert said in line


@pytest.mark.parametrize(
    ("kwh", "price", "said"),
    [
        (0, 10, "0.000 kWh could never be opened: quote 1 is of 2.000 kWh"),
        (2.5, 10, "2.500 kWh could never be opened: quote 1 is of 2.000 kWh"),
        (1, 8.9, "8.90 p/kWh could never be opened: a bid on quote 1 is from 9.00 p/kWh to 17.80 p/kWh"),
        (1, 0.11, "0.11 p/kWh could never be opened"),
        (1, 18, "18.00 p/kWh could never be opened"),
        (1, 10**40, "p/kWh could never be opened"),
    ],
)
def test_a_bid_that_could_never_be_opened_is_not_sealed(
    names: dict[str, Any], kwh: float, price: float, said: str
) -> None:
    """The market would take it, and no other one after it."""
    quote_id = names["bright"].quote(kwh=2, price=9)
    said = said.replace("quote 1", f"quote {quote_id}")
    line = line_of(lambda: names["misty"].bid(quote_id, kwh=kwh, price=price))
    assert (line or "").startswith("not done: ")
    assert said in (line or "")
    for best in (9, 17.8):
        names["misty" if best == 9 else "rainy"].bid(quote_id, kwh=2, price=best)


class Float64(float):
    """As numpy's."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)!r})"


class Int64:
    """As numpy's."""

    def __index__(self) -> int:
        return 7


def test_numbers_of_numpy_mean_what_they_show() -> None:
    assert exact(Float64("1.1")) == Decimal("1.1")
    assert exact(Int64()) == 7  # type: ignore[arg-type]
    assert exact(True) is True


def test_a_phase_is_named_in_capitals_or_not(names: dict[str, Any]) -> None:
    clock = names["clock"]
    assert clock.begins("revealing", 3) == clock.begins("REVEALING", 3) == clock.begins(Phase.REVEALING, 3)


def test_the_banner_tries_no_bid_on_ones_own_quote(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("period,household,load_wh,pv_wh\n0,alone,100,0\n")
    assert "Try: alone.quote(kwh=2, price=9), then somebody.bid(1," in repl.banner(repl.namespace(path))


def test_a_mistake_in_somebody_elses_code_keeps_its_traceback() -> None:
    assert line_of(lambda: int("two")) is None


@pytest.mark.parametrize(
    ("exported", "imported", "reason"),
    [
        (24_119_510, 0, "exported is 24119510 Wh, which no connection carries in a period: is this a register?"),
        (0, 2**24, "imported is 16777216 Wh, which no connection carries in a period: is this a register?"),
        (0, -1, "imported is negative: -1 Wh"),
        (1.9, 0, "exported must be whole Wh, not 1.9: is this kWh"),
        (0, "1", "imported must be whole Wh, not '1'"),
    ],
)
def test_a_meter_signs_no_figure_that_it_cannot_measure(exported: Any, imported: Any, reason: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(reason)):
        Meter("any").sign_reading("0x" + 40 * "1", "0x" + 40 * "2", 1, exported, imported)


def test_what_can_hardly_be_meant_in_a_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kwh.csv"
    path.write_text("period,household,load_wh,pv_wh\n0,one,1,2\n")
    repl.namespace(path)
    assert capsys.readouterr().err.startswith(
        f"{path}: warning: household 'one': load_wh at most 1 and pv_wh at most 2"
    )


def test_views_of_the_lens_are_listed_with_the_market(names: dict[str, Any]) -> None:
    assert {"account", "quote", "trades", "remaining", "buy_surplus", "authorize"} <= set(dir(names["market"]))


def test_withdraw_without_an_amount_takes_everything(names: dict[str, Any]) -> None:
    names["rainy"].withdraw()
    assert names["rainy"].account().balance == 0
    assert names["token"].balanceOf(names["rainy"]) == FUNDS


def test_the_command_opens_ipython_and_runs_the_session() -> None:
    pasted = "\n".join([*session(), "mild.quote(kwh=1, price=1)", "mild.meter.read(exported=-1)", ""])
    run = subprocess.run(
        [sys.executable, "-m", "wattproof", "repl"], input=pasted, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr.startswith("Opening a market; the first time, its contracts are compiled")
    assert "Households: sunny, bright, breezy" in run.stdout
    assert re.search(r"Trade\n  buyer   volume     price\n  cloudy  1\.500 kWh  11\.00 p/kWh\n", run.stdout)
    assert "refused: quotes: price out of band" in run.stdout
    assert "not done: exported is negative: -1" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_help_on_a_person_tells_what_it_does(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    for person, deed in (("sunny", "bid(self, quote_id"), ("owner", "settle(self, period")):
        repl.explain(names[person])
        assert deed in capsys.readouterr().out
    repl.explain(names["sunny"].bid)
    assert "Seals a bid" in capsys.readouterr().out
