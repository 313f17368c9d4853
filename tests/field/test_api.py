"""The data API's answers: what it tells of a day is what the day's own books say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.field.conftest import KINDS, fresh_url
from tests.support import kept
from tests.support.api import UNLIMITED, get, rows
from tests.support.modelled import hash_of
from wattproof.serve.app import create_app
from wattproof.simulation.accounting import BILL_COLUMNS
from wattproof.store.records import BlockRef
from wattproof.terms.model import Market, Phase


@pytest.fixture(scope="module", params=KINDS)
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> kept.Day:
    """Four half-hours of ten households, and two alarms, in a database of either kind."""
    folder = tmp_path_factory.mktemp("day")
    day = kept.play(folder, range(24, 28), fresh_url(request, folder))
    day.add_block(alarms=[kept.ALARM, dataclasses.replace(kept.ALARM, invariant="C3-TIER-1")])
    return day


@pytest.fixture(scope="module")
def client(day: kept.Day) -> FlaskClient:
    """The API of that day, without a node."""
    return create_app(day.url, day.record, rate=UNLIMITED).test_client()


# ---- what it tells ---------------------------------------------------------------------------


def test_bills_are_those_of_the_day(client: FlaskClient, day: kept.Day) -> None:
    bills = {day.names[row["household"]]: row for row in rows(client, "bills")}
    assert bills.keys() == day.day.bills.keys()
    shown = set(BILL_COLUMNS) - {"class", "role", "grid_alone_p", "market_p", "saving_p", "saving_percent"}
    for name, bill in day.day.bills.items():
        told = bills[name]
        assert (told["imported_wh"], told["exported_wh"]) == (bill.imported, bill.exported)
        assert (told["bought_wh"], told["sold_wh"]) == (bill.bought, bill.sold)
        sums = {"paid": bill.paid, "earned": bill.earned, "fees": bill.fees, "grid_account": bill.grid}
        sums |= {"compensation_received": bill.compensated, "compensation_paid": bill.compensation}
        sums |= {"grid_alone": bill.grid_alone, "market": bill.market, "saving": bill.saving}
        assert {field: told[field] for field in sums} == {field: str(value) for field, value in sums.items()}
        counts = ("performances", "defaults", "waivers")
        assert [told[field] for field in counts] == [getattr(bill, field) for field in counts]
        assert set(told) == shown | {"period"}


def test_bills_of_periods_add_up(client: FlaskClient) -> None:
    by_period = rows(client, "bills?by=period")
    for whole in rows(client, "bills"):
        parts = [row for row in by_period if row["household"] == whole["household"]]
        assert len(parts) == 4
        for field in ("paid", "market", "grid_alone", "saving", "imported_wh", "fees"):
            assert sum(int(part[field]) for part in parts) == int(whole[field])
        period = parts[0]["period"]
        (one,) = get(client, f"bills?household={whole['household']}&period={period}")["items"]
        assert {**one, "period": period} == parts[0]


def test_trades_quotes_bids_and_positions_agree(client: FlaskClient) -> None:
    trades = rows(client, "trades")
    quotes = {row["id"]: row for row in rows(client, "quotes")}
    bids = rows(client, "bids")
    assert trades and len(quotes) == max(quotes)
    for number, quote in quotes.items():
        sold = [row for row in trades if row["quote_id"] == number]
        assert quote["trades"] == len(sold)
        assert quote["sold_wh"] == sum(row["volume_wh"] for row in sold)
        assert int(quote["revenue"]) == sum(int(row["payment"]) for row in sold)
        assert quote["bids"] == len([row for row in bids if row["quote_id"] == number])
        assert get(client, f"quotes/{number}/trades")["items"] == sorted(sold, key=lambda row: row["index"])
        assert get(client, f"quotes/{number}") == quote
    for row in rows(client, "positions"):
        mine = [one for one in trades if one["buyer"] == row["user"] and one["period"] == row["period"]]
        assert row["bought_wh"] == sum(one["volume_wh"] for one in mine)
        assert row["received_wh"] == sum(one["delivered_wh"] for one in mine)
        assert get(client, f"positions/{row['user']}/{row['period']}") == row
    for row in bids:
        assert (row["seal"] is None) == (row["price"] is not None) == (row["volume_wh"] is not None)
        assert get(client, f"bids/{row['quote_id']}/{row['bidder']}") == row


def test_periods_are_sums(client: FlaskClient) -> None:
    trades, quotes, readings = rows(client, "trades"), rows(client, "quotes"), rows(client, "readings")
    bids, bills = rows(client, "bids"), rows(client, "bills?by=period")
    periods = rows(client, "periods")
    assert [row["period"] for row in periods] == sorted({row["period"] for row in quotes}, reverse=True)
    for row in periods:
        of = {
            name: [one for one in found if one["period"] == row["period"]]
            for name, found in (("trades", trades), ("quotes", quotes), ("readings", readings), ("bids", bids))
        }
        assert row["supply_wh"] == sum(one["volume_wh"] for one in of["quotes"])
        assert row["demand_wh"] == sum(one["volume_wh"] or 0 for one in of["bids"])
        assert row["sdr"] == _six(row["supply_wh"], row["demand_wh"])
        assert row["sold_wh"] == sum(one["volume_wh"] for one in of["trades"])
        assert row["exported_wh"] == sum(one["exported_wh"] for one in of["readings"])
        assert row["imported_wh"] == sum(one["imported_wh"] for one in of["readings"])
        assert row["unsold_wh"] == sum(max(one["exported_wh"] - one["sold_wh"], 0) for one in of["quotes"])
        worth = sum(int(one["price"]) * one["volume_wh"] for one in of["trades"])
        assert row["trade_price"] == str(worth // row["sold_wh"])
        mine = [one for one in bills if one["period"] == row["period"]]
        assert row["local_wh"] == sum(min(one["bought_wh"], one["imported_wh"]) for one in mine)
        assert row["local_share"] == _six(row["local_wh"], row["imported_wh"])
        assert row["settled"] == 10
        assert get(client, f"periods/{row['period']}") == row
    unsold = rows(client, "unsold")
    assert sum(row["unsold_wh"] for row in unsold) == sum(row["unsold_wh"] for row in periods)


def _six(part: int, whole: int) -> str:
    scaled = part * 10**6 // whole
    return f"{scaled // 10**6}.{scaled % 10**6:06d}"


def test_indices_say_what_they_cannot_tell(client: FlaskClient, day: kept.Day) -> None:
    told = {row["name"]: row for row in get(client, "indices")["indices"]}
    bills = day.day.bills.values()
    better = sum(bill.market < bill.grid_alone for bill in bills)
    assert told["participation_willingness"]["value"] == _six(better, len(bills))
    assert told["sdr"]["value"] is not None and told["value_tapping"]["value"] is not None
    for name in ("energy_balance", "self_sufficiency"):
        assert told[name]["value"] is None and "behind it" in told[name]["why"]
    empty = {row["name"]: row for row in get(client, "indices?to_period=5")["indices"]}
    assert all(row["value"] is None and row["why"] for row in empty.values())


def test_accounts_have_roles_and_the_chains_money(client: FlaskClient, day: kept.Day) -> None:
    told = {row["address"]: row for row in rows(client, "accounts")}
    assert {row["role"] for row in told.values()} >= {"household", "owner", "supplier"}
    assert told[day.record.owner]["role"] == "owner" and told[day.record.supplier]["role"] == "supplier"
    for address, (view,) in ((one, day.venue.views("account", [(one,)])) for one in told):
        assert told[address]["balance"] == str(view.balance)
        assert told[address]["performances"] == view.performances
        assert get(client, f"accounts/{address.lower()}") == told[address]
    assert len(rows(client, "accounts?role=household&authorized=true")) == 10


def test_defaults_are_those_on_the_bills(client: FlaskClient) -> None:
    defaults = rows(client, "defaults")
    assert len(defaults) == sum(row["defaults"] for row in rows(client, "bills"))
    for row in defaults:
        events = rows(client, f"events?block={row['block']}&user={row['user']}")
        (event,) = [one for one in events if one["index"] == row["index"]]
        assert (event["name"], event["fields"]["good"]) == ("PerformanceRecorded", False)
        assert (row["kind"] == "import") == (row["quote_id"] is None)
        assert row["silent"] is False


def test_what_the_watcher_found(client: FlaskClient) -> None:
    told = get(client, "invariants")
    blocks = rows(client, "blocks")
    assert told["blocks"] == len(blocks) == told["last_block"] and told["alarms"] == 2
    alarming = {row["invariant"]: row["alarms"] for row in told["invariants"] if row["alarms"]}
    assert alarming == {"C3-MONEY-1": 1, "C3-TIER-1": 1}
    checks = {row["invariant"]: row["checks"] for row in told["invariants"]}
    assert checks["C1-MONEY-1"] == len(rows(client, "calls")) + 1 and checks["C3-TIER-1"] == 0
    sentences = {row["invariant"]: row["says"] for row in told["invariants"]}
    assert sentences["C3-TIER-1"].startswith("The tier MUST be 0 below 5 good performances")
    assert sentences["C1-MONEY-1"] is None, "an ID that invariants.md does not have has no sentence"
    alarms = rows(client, "alarms")
    assert [row["index"] for row in alarms] == [1, 0]
    assert get(client, f"alarms/{blocks[0]['number']}/0")["what"] == kept.ALARM.what
    assert get(client, "alarms?invariant=C3-TIER-1")["total"] == 1
    assert blocks[0]["alarms"] == 2 and get(client, "blocks/3") == blocks[-3]
    assert sum(row["calls"] for row in blocks) == len(rows(client, "calls"))
    assert sum(row["events"] for row in blocks) == len(rows(client, "events"))
    assert {row["function"] for row in rows(client, "calls?function=submit_quote")} == {"submit_quote"}


def test_behind_is_told(day: kept.Day, client: FlaskClient) -> None:
    before = get(client, "status")
    assert (before["behind_blocks"], before["behind_seconds"]) == (0, 0)
    head = BlockRef(before["watched"]["number"] + 5, hash_of("head"), "", before["now"] + 60)
    day.kept.seen_head(head)
    told = get(client, "status")
    assert (told["behind_blocks"], told["behind_seconds"]) == (5, 60)
    assert told["now"] == before["now"], "phases are told as of what is in the store"
    counts = told["counts"]
    assert counts["households"] == 10 and counts["quotes"] == len(rows(client, "quotes"))


def test_phases_are_the_terms(client: FlaskClient, day: kept.Day) -> None:
    tariff = vars(day.record.tariff)
    terms = Market(owner="owner", supplier="supplier", **tariff)
    period = get(client, "status")["period"]
    start = period * tariff["period_length"]
    for at in range(start - 2_500, start + 4_500, 299):
        told = get(client, f"phases/{period}?at={at}")
        assert told["phase"] == terms.phase(period, at).name
        if told["until"] is not None:
            assert told["seconds_left"] == told["until"] - at > 0
            assert (
                terms.phase(period, told["until"] - 1).name == told["phase"] != terms.phase(period, told["until"]).name
            )
    listed = get(client, f"phases?at={start}")["periods"]
    names = [row["phase"] for row in listed]
    assert names[0] == Phase.CLOSING.name and names[-1] == Phase.BIDDING.name
    assert names.count("CLOSING") == names.count("BIDDING") == 1
    assert get(client, "phases?from_period=0&to_period=48", 422)["fields"]


def test_what_may_still_be_bought(tmp_path: Path) -> None:
    """A quote that is matched and not yet delivered has something left."""
    day = kept.play(tmp_path, range(24, 25))
    client = create_app(day.url, day.record, rate=UNLIMITED).test_client()
    (event, *_) = get(client, "events?name=QuoteMatched&order=asc")["items"]
    matched = event["fields"]["quote_id"]
    day.kept.rollback(day.kept.block(event["block"]))
    told = get(client, f"quotes/{matched}")
    assert told["status"] == "MATCHED" and told["delivered_wh"] is None and told["revenue"] is None
    assert told["remaining_wh"] == told["volume_wh"] - told["sold_wh"]


def test_a_sealed_bid_shows_its_commitment_alone(tmp_path: Path) -> None:
    day = kept.play(tmp_path, range(24, 25))
    client = create_app(day.url, day.record, rate=UNLIMITED).test_client()
    (*_, event) = get(client, "events?name=BidSealed&order=asc")["items"]
    day.kept.rollback(day.kept.block(event["block"]))
    sealed = {(row["quote_id"], row["bidder"]): row for row in rows(client, "bids?status=CREATED")}
    assert len(sealed) == get(client, "bids")["total"] > 0
    for one in rows(client, "events?name=BidSealed"):
        bid = sealed[int(one["fields"]["quote_id"]), one["fields"]["bidder"]]
        assert bid["seal"] == one["fields"]["seal"]
        assert bid["price"] is bid["volume_wh"] is None
