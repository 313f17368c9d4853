"""What comes out of a store: whole numbers to the last digit, pages, sums, files."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.field.conftest import KINDS, fresh_url
from tests.support.databases import kept
from tests.support.histories import USERS, History, told
from wattproof.cli import main
from wattproof.store import sums
from wattproof.store.database import Store
from wattproof.store.exports import TABLES, export
from wattproof.store.market import MarketStore
from wattproof.store.queries import paged
from wattproof.store.records import Alarm, BlockRef, CallRow, EventRow, State, Watched
from wattproof.store.tables import table
from wattproof.store.types import exact_sum
from wattproof.terms.model import AccountView

ROOT = Path(__file__).parents[2]

NUMBERS = (0, 1, 9, 10, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**19 + 7, 2**104 - 1, 2**255, 2**256 - 1)


def account(balance: Any, grid: Any) -> AccountView:
    return AccountView(bytes(32), USERS[0], True, balance, 0, grid, 0, 0, 0, 0, 5_000)


def party(number: int) -> str:
    return f"0x{number:040x}"


@pytest.fixture
def store(database: str) -> Any:
    opened = Store.open(database)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=KINDS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store, a market in it, and what was played there; nothing in it is changed."""
    history, store = History(11), Store.open(fresh_url(request, tmp_path_factory.mktemp("played")))
    history.grow(200)
    market = store.market(told())
    for watched in history.blocks:
        market.append(watched, watched.block)
    yield store, market, history
    store.close()


def test_whole_numbers_are_exact_and_sort_and_add_up_as_numbers_do(store: Store) -> None:
    signed = sorted([*NUMBERS[:-2], 2**255 - 1, *(-number for number in NUMBERS[1:-1])])
    views = {party(at): account(NUMBERS[at % len(NUMBERS)], number) for at, number in enumerate(signed)}
    market = store.market(told())
    block = BlockRef(1, "0x1", "0x0", 1)
    market.append(Watched(block, state=State(accounts=views)), block)
    rows = table("accounts")
    with store.reading() as connection:
        for column, field in ((rows.c.balance, 3), (rows.c.grid_account, 5)):
            wanted: list[Any] = sorted(view[field] for view in views.values())
            assert list(connection.execute(select(column).order_by(column)).scalars()) == wanted
            assert connection.execute(select(exact_sum(column))).scalar_one() == sum(wanted)
            for number in wanted:
                above = connection.execute(select(column).where(column > number).order_by(column)).scalars()
                assert list(above) == [each for each in wanted if each > number]
                assert set(connection.execute(select(column).where(column == number)).scalars()) == {number}
        nothing = select(exact_sum(rows.c.balance)).where(rows.c.balance < 0)
        assert connection.execute(nothing).scalar_one() is None


def test_calls_and_events_keep_arguments_of_any_size_and_kind(store: Store) -> None:
    arguments: dict[str, Any] = {
        "price": 2**256 - 1,
        "salt": b"\1\2",
        "users": [USERS[0]],
        "none": None,
        "flag": True,
        "signed": -5,
    }
    reason = "bids: seal does not match"
    call = CallRow(0, "0x9", USERS[0], USERS[1], "reveal_bid", arguments, False, reason, 2**256 - 1, "trace")
    event = EventRow(0, "0x9", 0, "Deposited", {"account": USERS[2], "amount": 2**200})
    block = BlockRef(7, "0x7", "0x6", 1)
    market = store.market(told())
    market.append(Watched(block, [call], [event], alarms=[Alarm("C1-MONEY-1", "what", "a\nstory", "a\nline")]), block)
    texts = {
        "price": str(2**256 - 1),
        "salt": "0x0102",
        "users": [USERS[0]],
        "none": None,
        "flag": True,
        "signed": "-5",
    }
    assert list(market.calls(-1, 7)) == [(block, [replace(call, arguments=texts)])]
    with store.reading() as connection:
        (row,), (alarm,) = kept(connection, market, "events"), kept(connection, market, "alarms")
    assert row["user"] == USERS[2]
    assert row["fields"] == {"account": USERS[2], "amount": str(2**200)}
    assert (alarm["story"], alarm["replay"]) == ("a\nstory", "a\nline")


def test_pages_hold_each_row_once_in_order(played: tuple[Store, MarketStore, History]) -> None:
    store, market, history = played
    rows = table("calls")
    query = select(rows).where(rows.c.market_id == market.id).order_by(rows.c.block, rows.c.index)
    with store.reading() as connection:
        first = paged(connection, query, 1, 7)
        pages = [paged(connection, query, number, 7) for number in range(1, first.count // 7 + 3)]
        for page, per_page in ((0, 10), (1, 0), (1, 201), (2**40, 1)):
            with pytest.raises(ValueError, match="1 to 200 rows"):
                paged(connection, query, page, per_page)
    listed = [(row["block"], row["index"]) for page in pages for row in page.rows]
    assert listed == [(each.block.number, call.index) for each in history.blocks for call in each.calls]
    assert first.count == len(listed) > 100


def test_sums_are_those_of_their_rows(played: tuple[Store, MarketStore, History]) -> None:
    store, market, history = played
    with store.reading() as connection:
        bills = kept(connection, market, "bills")
        summed = sums.bills(connection, market.id, per_page=2, page=2)
        energies = {row["period"]: row for row in sums.energies(connection, market.id)}
        periods = sorted(energies)
        some = sums.bills(connection, market.id, None, periods[2], periods[-2]).rows
        one = sums.bills(connection, market.id, USERS[0]).rows
        invariants = {row["invariant"]: row for row in sums.invariants(connection, market.id)}
        status = sums.status(connection, market.id)
    assert (summed.count, [row["user"] for row in summed.rows]) == (5, sorted(USERS)[2:4])
    assert [row["user"] for row in one] == [USERS[0]]
    for row in some:
        mine = [bill for bill in bills if bill["user"] == row["user"] and periods[2] <= bill["period"] <= periods[-2]]
        assert all(row[name] == sum(bill[name] for bill in mine) for name in sums.BILL_FIELDS)
    for period, row in energies.items():
        for name in ("imported", "exported"):
            assert row[name] == sum(bill[name] for bill in bills if bill["period"] == period)
    checked = sum((Counter(each.checks) for each in history.blocks), Counter())
    assert {name: row["times"] for name, row in invariants.items() if row["times"]} == checked
    alarms = sum(len(each.alarms) for each in history.blocks)
    assert invariants["C9-TEST-1"]["alarms"] == status["alarms"] == alarms > 0
    assert (status["blocks"], status["behind"]) == (len(history.blocks), 0)
    assert status["calls"] == sum(len(each.calls) for each in history.blocks)
    assert status["events"] == sum(len(each.events) for each in history.blocks)


def test_files_hold_every_row_and_every_digit(played: tuple[Store, MarketStore, History], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    store, market, _ = played
    with store.reading() as connection:
        for name in TABLES:
            count = export(connection, tmp_path, name, ("csv", "parquet"), market.id)
            with open(tmp_path / f"{name}.csv", encoding="utf-8", newline="") as file:
                read = list(csv.DictReader(file))
            rows = parquet.read_table(tmp_path / f"{name}.parquet").to_pylist()
            assert len(read) == len(rows) == count
            assert [{key: _as_text(value) for key, value in row.items()} for row in rows] == read
    with open(tmp_path / "bills.csv", encoding="utf-8", newline="") as file:
        assert any(int(row["grid"]) < 0 for row in csv.DictReader(file))


def test_texts_that_a_spreadsheet_would_compute_do_not_begin_a_cell(store: Store, tmp_path: Path) -> None:
    market = store.market(told())
    block = BlockRef(1, "0x1", "0x0", 1)
    calls = [CallRow(at, "0x9", USERS[0], USERS[0], "deposit", {}, False, reason, None, "transaction")
             for at, reason in enumerate(("=1+1", "erc20: too little", None))]  # fmt: skip
    market.append(Watched(block, calls), block)
    with store.reading() as connection:
        export(connection, tmp_path, "calls", ("csv",))
    with open(tmp_path / "calls.csv", encoding="utf-8", newline="") as file:
        assert [row["reason"] for row in csv.DictReader(file)] == ["'=1+1", "erc20: too little", ""]


def test_a_number_that_no_market_can_have_makes_its_column_text(store: Store, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    market = store.market(told())
    block = BlockRef(1, "0x1", "0x0", 1)
    views = {party(1): account(2**256 - 1, -5), party(2): account(7, 10**30)}
    market.append(Watched(block, state=State(accounts=views)), block)
    with store.reading() as connection:
        export(connection, tmp_path, "accounts", ("parquet",))
    rows = parquet.read_table(tmp_path / "accounts.parquet").to_pylist()
    assert [row["balance"] for row in rows] == [str(2**256 - 1), "7"]
    assert [row["grid_account"] for row in rows] == [-5, 10**30]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database with a market, whose deployment.json is in the working folder."""
    url = f"sqlite:///{tmp_path / 'market.db'}"
    history, store = History(12), Store.open(url)
    for each in history.blocks:
        store.market(told()).append(each, each.block)
    store.close()
    told().write(tmp_path / "deployment.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATTPROOF_DB", raising=False)
    return url


def test_the_command_writes_what_was_asked_for(watched: str, tmp_path: Path) -> None:
    chosen = ("--deployment", "deployment.json", "--out", "files", "--format", "both", "--table", "accounts")
    command = [sys.executable, "-m", "wattproof", "export", *chosen]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    environment["WATTPROOF_DB"] = watched
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "7 rows of 1 tables are in files\n"), done.stderr
    listed = json.loads((tmp_path / "files" / "wattproof-files.json").read_text())["files"]
    assert sorted(listed) == ["accounts.csv", "accounts.parquet"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--db", "sqlite:///market.db", "--table", "undo"), "there is no table 'undo'; there are markets, "),
        ((), "which database? Give --db "),
        (("--db", "postgresql://me:geheim@127.0.0.1:1/db"), "127.0.0.1:1/db: "),
        (
            ("--db", "sqlite:///other.db"),
            "other.db: no market was watched into this database yet: start `wattproof watch`",
        ),
        (("--db", "sqlite:///empty.db"), "empty.db: no market was watched into this database yet"),
        (("--db", "sqlite:///file:other.db?uri=true"), "file:other.db: no market was watched"),
        (("--db", "sqlite:///market.db", "--deployment", "other.json"), "market.db: nobody watched the market of this"),
        (("--db", "sqlite:///market.db", "--deployment", "market.db"), "market.db: is no deployment.json"),
    ],
)
def test_the_command_tells_what_it_cannot_do(
    watched: str, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.db").touch()
    replace(told(), chain_id=5).write(Path("other.json"))
    before = _files()
    assert main(["export", "--out", "files", *arguments]) == 2
    told_of = capsys.readouterr().err
    assert told_of.startswith(says) and "geheim" not in told_of and len(told_of.splitlines()) == 1
    assert not Path("files").exists() and _files() == before, "nothing is created"


def _files() -> dict[str, int]:
    return {path.name: path.stat().st_size for path in Path().iterdir() if not path.name.endswith(("-wal", "-shm"))}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
