"""`run_day`: exit codes, what it prints, and the files that it writes."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from wattproof import outputs
from wattproof.evm.engine import available
from wattproof.outputs import MANIFEST
from wattproof.simulation import accounting as bills
from wattproof.simulation import day
from wattproof.simulation import trading_day as scenario
from wattproof.simulation.households import open_households
from wattproof.simulation.trading_day import TradingDay

FASTEST = available()[-1]

ROWS = (
    "period,household,load_wh,pv_wh,forecast_load_wh,forecast_pv_wh",
    "11,sunny,100,1100,100,1100",
    "11,cloudy,1000,0,1000,0",
    "11,[b]rainy,900,0,1000,0",
    "12,sunny,90,0,100,0",
    "12,cloudy,500,0,500,0",
    "12,[b]rainy,0,0,0,0",
    "13,sunny,0,400,0,500",
    "13,cloudy,600,0,300,0",
    "13,[b]rainy,0,0,0,0",
)


@pytest.fixture
def households(tmp_path: Path) -> Path:
    """A file of three households and three periods, with forecasts."""
    path = tmp_path / "households.csv"
    path.write_text("\n".join(ROWS) + "\n")
    return path


def run(path: Path | None, out: Path | None = None, seed: int = 1, engine: str = FASTEST) -> tuple[int, str]:
    """Runs the day as on an 80 column terminal that is none; returns the exit code and what was printed."""
    text = io.StringIO()
    code = day.run_day(path, seed, out, engine, Console(file=text, width=80))
    return code, text.getvalue()


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- what goes well ------------------------------------------------------------------------------


def test_prints_every_household_and_the_community(households: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(households)

    assert code == 0
    assert capsys.readouterr().err == ""
    assert max(map(len, text.splitlines())) <= 80
    # Names are shown as they are: what looks like markup in one is part of the name.
    for name in ("sunny", "cloudy", "[b]rainy"):
        assert any(line.strip().startswith(name) for line in text.splitlines())
    assert "match the market's tokens after 3 of 3 periods" in text
    assert "traded locally" in text
    # SDR: 1000/2000 and 500/300; period 12 had no supply.
    ratios = [line.split() for line in text.splitlines() if line.split()[:1] == ["11"]]
    assert ratios == [["11", "0.500", "1.000", "9.00", "13.50", "13", "1.666", "0.400", "6.20", "6.20"]]
    # Quiet where there is no terminal.
    assert "trading" not in text


def test_writes_all_files_and_nothing_else(households: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    code, text = run(households, out)

    assert code == 0
    assert str(out) in text.replace("\n", "")
    assert tree(out) == sorted([*bills.FILES, MANIFEST])
    assert (out / "day.png").read_bytes().startswith(b"\x89PNG")
    svg = (out / "day.svg").read_text()
    assert "<svg" in svg
    assert "prefers-color-scheme: dark" in svg, "a white box on a dark page"


def test_the_files_agree_with_each_other(households: Path, tmp_path: Path) -> None:
    run(households, tmp_path / "out", seed=5)
    out = tmp_path / "out"
    summary = json.loads((out / "summary.json").read_text())
    bill_rows, trades, periods = (rows(out / f"{name}.csv") for name in ("bills", "trades", "periods"))

    assert tuple(bill_rows[0]) == bills.BILL_COLUMNS
    assert tuple(trades[0]) == bills.TRADE_COLUMNS
    assert tuple(periods[0]) == bills.PERIOD_COLUMNS

    assert summary["schema"] == day.SCHEMA
    assert summary["input"] == {
        "path": str(households),
        "sha256": hashlib.sha256(households.read_bytes()).hexdigest(),
        "households": 3,
        "periods": 3,
        "first_period": 11,
        "forecasts": "file",
        "warnings": [],
    }
    assert (summary["seed"], summary["engine"]) == (5, FASTEST)
    assert summary["tariff"]["rank_by_price"] is False
    assert [entry["capacity_wh"] for entry in summary["households"]] == [11_500] * 3
    assert len(bytes.fromhex(summary["contracts"]["MarketLens"]["runtime_keccak256"])) == 32
    assert summary["tariff"]["ssp"] == {"base_units_per_wh": str(18 * 10**13), "text": "18.00 p/kWh"}
    assert set(summary["versions"]) >= {"python", "vyper", "titanoboa", "py-evm", "snekmate"}
    assert len(bytes.fromhex(summary["contracts"]["EnergyMarket"]["runtime_keccak256"])) == 32
    assert summary["contracts"]["EnergyMarket"]["runtime_bytes"] <= 24_576

    assert summary["balances_match_after_every_period"] is True
    assert [period["period"] for period in summary["periods"]] == [11, 12, 13]
    for period in summary["periods"]:
        assert period["balances_match"] is True
        assert period["accounts_total"] == period["market_holds"]
    assert summary["periods"][0]["sdr"] == "1000/2000"
    assert summary["periods"][1]["quote_price"] is None
    assert (summary["periods"][1]["sdr"], summary["periods"][1]["sdr_text"]) == ("0/600", "0.000")

    assert [entry["household"] for entry in summary["households"]] == ["sunny", "cloudy", "[b]rainy"]
    for entry, row in zip(summary["households"], bill_rows, strict=True):
        for name in ("grid_alone", "market", "saving", "fees", "paid", "earned"):
            assert entry[name]["base_units"] == row[name]
        assert int(row["saving"]) == int(row["grid_alone"]) - int(row["market"])
        assert Fraction(row["saving_p"]) * 10**16 == int(row["saving"])
        assert Fraction(row["market_p"]) * 10**16 == int(row["market"])

    def total(table: list[dict[str, str]], column: str) -> int:
        return sum(int(row[column]) for row in table)

    community = summary["community"]
    delivered = total(trades, "delivered_wh")
    assert delivered == total(periods, "delivered_wh") == community["traded_locally_wh"] == 1400
    assert delivered == total(bill_rows, "bought_wh") == total(bill_rows, "sold_wh")
    assert total(bill_rows, "fees") == total(periods, "fees") == int(community["fees"]["base_units"])
    assert total(trades, "payment") == total(bill_rows, "paid") == total(bill_rows, "earned")
    assert total(trades, "compensation") == total(periods, "compensation")
    assert community["trades"] == len(trades)
    assert int(community["saving"]["base_units"]) == total(bill_rows, "saving")
    assert community["share_of_exports"] == "1400/1400"


def test_a_bill_by_hand(households: Path, tmp_path: Path) -> None:
    run(households, tmp_path / "out")
    by_name = {row["household"]: row for row in rows(tmp_path / "out" / "bills.csv")}
    unit = 10**13  # base units per Wh in 1 p/kWh

    # Period 11: SDR 0.5, so bids at 13.5 p. Equal amounts: cloudy, whose bid was opened first, wins all 1000 Wh.
    # Period 13: SDR above 1, so 6.2 p; cloudy buys the 300 Wh that it bid for, and 100 Wh of recorded excess.
    # sunny quoted 500 and exported 400: below 95 %, but nothing that it sold was short.
    paid = int(1000 * 13.5 * unit) + int(400 * 6.2 * unit)
    fees = int(1000 * 0.2 * unit) + int(400 * 0.2 * unit)
    cloudy, sunny = by_name["cloudy"], by_name["sunny"]
    assert int(cloudy["grid_alone"]) == (1000 + 500 + 600) * 18 * unit
    assert (int(cloudy["paid"]), int(cloudy["fees"])) == (paid, fees)
    assert int(cloudy["market"]) == paid + fees + (500 + 200) * 18 * unit
    assert int(sunny["grid_alone"]) == 90 * 18 * unit - 1400 * 6 * unit
    assert int(sunny["market"]) == 90 * 18 * unit - paid + fees
    assert (sunny["performances"], sunny["defaults"], sunny["role"]) == ("1", "1", "prosumer")
    assert int(by_name["[b]rainy"]["saving"]) == 0


def test_no_cell_of_a_table_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("\n".join([ROWS[0], "1,a=b,0,900,0,1000", '1,"Süd, 2",500,0,500,0', "1,O'Neill @ 3,600,0,500,0"]))
    assert run(path, tmp_path / "out")[0] == 0
    for name in ("bills", "trades", "periods"):
        cells = [cell for row in rows(tmp_path / "out" / f"{name}.csv") for cell in row.values()]
        assert [cell for cell in cells if cell[:1] in "=+-@" and not re.fullmatch(r"|-|-[0-9.]+", cell)] == []


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "＝1+1", "-"])
def test_a_name_that_is_a_formula_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"{ROWS[0]}\n1,{name},0,900,0,1000\n")
    assert run(path, tmp_path / "out") == (2, "")
    assert capsys.readouterr().err.startswith(f"{path}:2: household is a formula to a spreadsheet")
    assert not (tmp_path / "out").exists()


def test_what_can_hardly_be_meant_is_said_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kwh.csv"
    path.write_text("period,household,load_wh,pv_wh\n1,roof,1,2\n1,flat,200,0\n")
    code, _ = run(path, tmp_path / "out")
    warning = "household 'roof': load_wh at most 1 and pv_wh at most 2 in a period: is this kWh? Then multiply by 1000"
    assert (code, capsys.readouterr().err) == (0, f"{path}: warning: {warning}\n")
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["input"]["warnings"] == [warning]


def test_the_same_seed_writes_the_same_files(households: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(households, tmp_path / name)[0] == 0
    for name in bills.FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.skipif("revm" not in available(), reason="pyrevm is not installed")
def test_both_engines_write_the_same_summary(households: Path, tmp_path: Path) -> None:
    summaries: list[dict[str, Any]] = []
    for engine in ("pyevm", "revm"):
        assert run(households, tmp_path / engine, engine=engine)[0] == 0
        summary = json.loads((tmp_path / engine / "summary.json").read_text())
        assert summary.pop("engine") == engine
        summary.pop("versions")
        summaries.append(summary)
    assert summaries[0] == summaries[1]


def test_a_second_run_replaces_the_files_and_leaves_others_alone(households: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    for _ in range(2):
        assert run(households, out)[0] == 0
    assert tree(out) == sorted([*bills.FILES, MANIFEST, "notes.txt"])
    assert (out / "notes.txt").read_text() == "mine"
    assert rows(out / "bills.csv")[0]["household"] == "sunny"


def test_a_file_without_supply(tmp_path: Path) -> None:
    path = tmp_path / "night.csv"
    path.write_text("period,household,load_wh,pv_wh\n0,cloudy,100,0\n0,misty,0,0\n")
    code, text = run(path, tmp_path / "out")

    assert code == 0
    assert "Nothing was quoted" in text
    assert rows(tmp_path / "out" / "trades.csv") == []
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["community"]["share_of_exports_text"] == "-"
    assert summary["households"][0]["saving_percent"] == "0.0 %"
    assert summary["households"][1]["saving_percent"] == "-"
    assert summary["periods"][0]["sdr_text"] == "0.000"


# ---- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", ": is empty"),
        ("period,household,load_wh\n0,a,1\n", ":1: no column pv_wh"),
        ("period,household,load_wh,pv_wh\n0,a,-1,0\n", ":2: load_wh is negative"),
        ("period,household,load_wh,pv_wh\n0,a,x,0\n", ":2: load_wh is not a number"),
        ("period,household,load_wh,pv_wh\n0,a,1,0\n0,a,1,0\n", ":3: a second row"),
        ("period,household,load_wh,pv_wh\n0,a,1,0\n0,b,1,0\n1,a,1,0\n", ":4: no row for household 'b'"),
        (
            "period,household,load_wh,pv_wh\n0,a,1,0\n1,a,12000,0\n",
            ":3: load_wh is beyond the capacity of household 'a'",
        ),
        (
            "period,household,load_wh,pv_wh,capacity_wh\n0,a,1,0,9\n1,a,1,0,8\n",
            ":3: capacity_wh of household 'a' is 8 here and 9 above (write one in all of its rows)\n",
        ),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    text: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    code, printed = run(path, tmp_path / "out")

    assert (code, printed) == (2, "")
    error = capsys.readouterr().err
    assert error.startswith(f"{path}{where}")
    assert error.count("\n") == 1
    assert tree(tmp_path) == ["bad.csv"]


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none.csv", tmp_path / "out") == (2, "")
    assert capsys.readouterr().err == f"{tmp_path / 'none.csv'}: {os.strerror(errno.ENOENT).lower()}\n"
    assert tree(tmp_path) == []


def test_input_that_changes_while_it_runs(
    households: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def changed(*arguments: Any, **options: Any) -> TradingDay:
        households.write_text("\n".join(ROWS[:4]) + "\n")
        return scenario.TradingDay(*arguments, **options)

    monkeypatch.setattr(day, "TradingDay", changed)
    assert run(households, tmp_path / "out") == (2, "")
    assert capsys.readouterr().err == f"{households}: has changed since it was checked\n"
    assert tree(tmp_path) == ["households.csv"]


def test_a_folder_that_is_a_file(households: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out in (households, households / "below"):
        assert run(households, out) == (2, "")
        error = capsys.readouterr().err
        assert error.startswith(f"{out}: ")
        assert error.count("\n") == 1


def test_a_folder_that_cannot_be_written_to(
    households: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Played, as whoever runs the tests may be allowed everything.
    def refuse(prefix: str, dir: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(dir / prefix))

    monkeypatch.setattr(outputs.tempfile, "mkdtemp", refuse)
    assert run(households, tmp_path / "out") == (2, "")
    assert capsys.readouterr().err == f"{tmp_path / 'out'}: {os.strerror(errno.EACCES).lower()}; name another place\n"
    assert tree(tmp_path) == ["households.csv"]


def test_a_picture_that_cannot_be_drawn_costs_no_bills(
    households: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "wattproof.simulation.plot", raising=False)
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # As matplotlib does where its settings are broken.
    assert run(households, tmp_path / "out")[0] == 1
    said = capsys.readouterr().err
    assert said.startswith("the picture cannot be drawn (ModuleNotFoundError: ")
    assert said.count("\n") == 1
    assert tree(tmp_path / "out") == ["bills.csv", "periods.csv", "summary.json", "trades.csv", MANIFEST]


def test_an_engine_that_is_not_there(households: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(households, tmp_path / "out", engine="abacus") == (2, "")
    assert "abacus" in capsys.readouterr().err
    assert tree(tmp_path) == ["households.csv"]


def test_money_that_does_not_add_up(
    households: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def donated(*arguments: Any, **options: Any) -> TradingDay:
        broken = scenario.TradingDay(*arguments, **options)
        stranger = str(broken.env.generate_address())
        broken.env.set_balance(stranger, 1)
        broken.token.mint(value=1, sender=stranger)
        broken.token.transfer(broken.market.address, 1, sender=stranger)
        return broken

    monkeypatch.setattr(day, "TradingDay", donated)
    assert run(households, tmp_path / "deep" / "out") == (1, "")
    error = capsys.readouterr().err
    assert error.startswith("period 11: the accounts add up to ")
    assert error.count("\n") == 1
    assert tree(tmp_path) == ["households.csv"]


# ---- the default input -----------------------------------------------------------------------------


@pytest.mark.skipif("revm" not in available(), reason="a whole day takes long on py-evm")
def test_the_default_day(tmp_path: Path) -> None:
    code, text = run(None, tmp_path / "out", engine="revm")

    assert code == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["balances_match_after_every_period"] is True
    assert summary["input"]["path"] == "wattproof/data/households.csv"
    assert summary["input"]["forecasts"] == "seeded"
    assert len(summary["periods"]) == 48
    source = open_households(seed=1)
    assert [entry["household"] for entry in summary["households"]] == list(source.names)
    for name in source.names:
        assert name in text
    # Prosumers and consumers alike are better off, the community by more than a tenth.
    assert summary["community"]["households_that_save"] == 10
    community = summary["community"]
    assert int(community["saving"]["base_units"]) * 10 > int(community["grid_alone"]["base_units"])


# ---- texts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 3, "33.3 %"), (2, 3, "66.7 %"), (-1, 8, "-12.5 %"), (1, -2000, "0.1 %"), (-1, 9999, "0.0 %"), (1, 0, "-")],
)
def test_percent(part: int, whole: int, text: str) -> None:
    assert bills.percent(part, whole) == text


@pytest.mark.parametrize(
    ("base_units", "text"), [(0, "0"), (10**16, "1"), (-25 * 10**14, "-0.25"), (1, "0.0000000000000001")]
)
def test_exact_pence(base_units: int, text: str) -> None:
    assert bills.exact_pence(base_units) == text


def test_ratio() -> None:
    assert [bills.ratio(*pair) for pair in ((0, 5), (1, 3), (2, 1), (1, 0))] == ["0.000", "0.333", "2.000", "-"]
