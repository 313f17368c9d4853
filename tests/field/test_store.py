"""The store: what a watcher hands over is kept, what follows from it is right, and a rollback leaves no trace."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import kept
from tests.support.histories import START, TARIFF, USERS, History, told
from wattproof.simulation.accounting import Books
from wattproof.store import sums
from wattproof.store.database import Store
from wattproof.store.dump import dump
from wattproof.store.market import MarketStore
from wattproof.store.plain import plain
from wattproof.store.problems import Conflict, TooDeep
from wattproof.store.records import BlockRef, State, Watched
from wattproof.store.tables import ENTRIES, TRACKED

ROUNDS = int(os.environ.get("WATTPROOF_STORE_ROUNDS", "4"))
"""Random histories of the property below; `WATTPROOF_STORE_ROUNDS=200` for a long run."""


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store.open(database)
    yield opened
    opened.close()


def fill(store: Store, blocks: list[Watched], undo_blocks: int = 1024) -> MarketStore:
    market = store.market(told())
    market.undo_blocks = undo_blocks
    for watched in blocks:
        market.append(watched, blocks[-1].block)
    return market


def fresh(path: Path, blocks: list[Watched]) -> list[tuple[object, ...]]:
    """The dump of a store that saw these blocks alone."""
    other = Store.open(f"sqlite:///{path}")
    fill(other, blocks)
    rows = list(dump(other))
    other.close()
    return rows


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_after_rollbacks_a_store_is_what_it_would_be_had_it_seen_the_last_chain_alone(
    store: Store, seed: int, tmp_path: Path
) -> None:
    history, choose = History(seed, forks=True), random.Random(seed)
    market = fill(store, history.blocks)
    for _ in range(4):
        for watched in history.grow(choose.randrange(1, 40)):
            market.append(watched, watched.block)
        length = choose.randrange(1, len(history.blocks))
        history.cut(length)
        market.rollback(history.blocks[-1].block)
        assert market.cursor() == history.blocks[-1].block
    for watched in history.grow(10):
        market.append(watched, watched.block)
    wanted = fresh(tmp_path / "fresh.db", history.blocks)
    assert list(dump(store)) == wanted
    market.rebuild()
    assert list(dump(store)) == wanted


def test_what_events_and_views_say_of_quotes_bids_trades_and_readings_is_the_same(tmp_path: Path) -> None:
    """The model's views and events come from one program; had the store misread an event, they would differ."""
    blocks = History(5).grow(250)
    blind = [Watched(each.block, each.calls, each.events, State()) for each in blocks]
    names = ("quotes", "bids", "trades", "readings", "periods")
    seen = [row for row in fresh(tmp_path / "seen.db", blocks) if row[0] in names]
    heard = [row for row in fresh(tmp_path / "heard.db", blind) if row[0] in names]
    assert heard == seen
    assert {row[0] for row in seen} == set(names)


def test_what_the_market_overwrote_is_still_there(store: Store) -> None:
    history = History(3)
    history.grow(400)
    market, model = fill(store, history.blocks), history.market
    gone = [number for number in range(1, model.quote_count() + 1) if not model.quote(number).status]
    assert gone, "no quote was overwritten, so nothing was tested"
    with store.reading() as connection:
        quotes = {row["quote_id"]: row for row in kept(connection, market, "quotes")}
        positions = kept(connection, market, "positions")
    assert sorted(quotes) == list(range(1, model.quote_count() + 1))
    assert all(row["volume"] > 0 for row in quotes.values())
    assert {quotes[number]["status"] for number in gone} <= {"SETTLED", "INVALID"}
    overwritten = [row for row in positions if not any(model.position(row["user"], row["period"]))]
    assert overwritten and all(row["open"] == 0 for row in overwritten)
    assert any(row["bought"] for row in overwritten)


def late(history: History, in_one_block: bool) -> None:
    """A period that is matched and settled so late that its records are overwritten at once, by the next quotes."""
    day, window, (seller, buyer, *_) = TARIFF.period_length, TARIFF.window, USERS
    period = START // day + 2
    start, price, owner = period * day, TARIFF.lowest_price + 10**13, history.market.owner
    history.play(start - 3 * window, (seller, "submit_quote", (period, 1_000, price)))
    seal = history.market.seal_of(1, buyer, price, 300, bytes(32))
    history.play(start - 3 * window, (buyer, "submit_bid", (1, seal)))
    history.play(start - 2 * window, (buyer, "reveal_bid", (1, price, 300, bytes(32))))
    history.play(start + day, history.reading(seller, period, 200, 0), history.reading(buyer, period, 0, 300))
    following = period + 12
    calls = [
        (buyer, "match_bids", (1,)),
        (owner, "settle_quote", (1,)),
        (owner, "settle_accounts", (period, (seller, buyer))),
        *((user, "submit_quote", (following, 500, price)) for user in (seller, buyer)),
    ]
    for some in [calls] if in_one_block else [[call] for call in calls]:
        history.play(following * day - 3 * window, *some)


def test_what_is_overwritten_in_the_block_in_which_it_changed_is_told_by_its_events(store: Store) -> None:
    found = []
    for in_one_block in (True, False):
        history = History(0)
        late(history, in_one_block)
        market = fill(store, history.blocks)
        with store.reading() as connection:
            rows = {name: kept(connection, market, name) for name in TRACKED if name != "checks"}
        for row in (row for each in rows.values() for row in each):
            del row["first_block"], row["last_block"]
        found.append(rows)
        market.rollback(None)
    assert found[0] == found[1]
    model, position = history.market, found[0]["positions"][0]
    assert not any(model.position(position["user"], position["period"])), "it was not overwritten"
    assert {row["agreed"] for row in found[0]["positions"]} == {0, 300}
    assert {row["received"] for row in found[0]["positions"]} == {row["delivered"] for row in found[0]["positions"]}


def test_bills_are_those_of_the_books(store: Store) -> None:
    history = History(7)
    history.grow(250)
    market = fill(store, history.blocks)
    books = Books(TARIFF, history.market.owner, history.market.supplier, {user: user for user in USERS})
    for watched in history.blocks:
        for call in watched.calls:
            books.enter([(each.name, dict(each.fields)) for each in watched.events if each.call == call.index])
    with store.reading() as connection:
        found = {row["user"]: row for row in sums.bills(connection, market.id).rows}
    assert sum(bill.paid for bill in books.bills.values()) > 0
    for user, bill in books.bills.items():
        assert {name: found[user][name] for name in vars(bill)} == vars(bill)
        assert (found[user]["market"], found[user]["saving"]) == (bill.market, bill.saving)


def test_a_block_that_does_not_follow_the_cursor_is_refused(store: Store) -> None:
    history = History(1)
    history.grow(3)
    market = fill(store, history.blocks)
    before = list(dump(store))
    last = history.blocks[-1].block
    for number, parent in ((last.number, last.parent), (last.number + 1, last.parent), (last.number + 2, last.hash)):
        block = BlockRef(number, "0x" + 64 * "9", parent, last.timestamp)
        with pytest.raises(Conflict, match=f"block {number} .* does not follow block {last.number} "):
            market.append(Watched(block), block)
    assert list(dump(store)) == before


def test_a_rollback_goes_to_what_was_watched_as_far_as_undo_reaches(store: Store, tmp_path: Path) -> None:
    history = History(2, forks=True)
    history.grow(30)
    market = fill(store, history.blocks, undo_blocks=10)
    blocks = history.blocks
    with pytest.raises(Conflict, match="was never watched"):
        market.rollback(BlockRef(5, "0x" + 64 * "9", blocks[3].block.hash, 0))
    assert market.floor() == len(blocks) - 10
    with pytest.raises(TooDeep, match="rebuild"):
        market.rollback(blocks[len(blocks) - 12].block)
    market.rollback(blocks[len(blocks) - 11].block)
    history.cut(len(blocks) - 15)
    market.rebuild(history.blocks[-1].block)
    assert market.cursor() == history.blocks[-1].block
    assert list(dump(store)) == fresh(tmp_path / "fresh.db", history.blocks)
    market.rollback(blocks[len(blocks) - 3].block)
    market.rollback(None)
    assert (market.cursor(), list(dump(store))) == (None, [])
    market.append(blocks[0], blocks[0].block)
    assert list(dump(store)) == fresh(tmp_path / "one.db", blocks[:1])


def test_a_watcher_goes_on_from_its_newest_snapshot_and_the_calls_after_it(store: Store) -> None:
    history = History(4)
    history.grow(40)
    market, blocks = fill(store, history.blocks), history.blocks
    newest = len(blocks) // 3 * 3
    assert market.snapshot(len(blocks)) == (newest, blocks[newest - 1].snapshot)
    assert market.snapshot(newest - 1) == (newest - 3, blocks[newest - 4].snapshot)
    assert market.snapshot(newest - 7) is None, "older ones are dropped"
    played = list(market.calls(5, 20))
    assert [block for block, _ in played] == [each.block for each in blocks[5:20] if each.calls]
    for block, calls in played:
        for call, made in zip(calls, blocks[block.number - 1].calls, strict=True):
            assert vars(call) == vars(made) | {"arguments": plain(dict(made.arguments))}
    market.rollback(blocks[newest - 2].block)
    assert market.snapshot(len(blocks)) == (newest - 3, blocks[newest - 4].snapshot)


def test_how_far_behind_a_watcher_is_can_be_told(store: Store) -> None:
    history = History(6)
    history.grow(4)
    market = store.market(told())
    with store.reading() as connection:
        assert sums.status(connection, market.id)["behind"] is None
    assert (market.cursor(), market.hash_of(1), market.head()) == (None, None, None)
    market.append(history.blocks[0], history.blocks[2].block)
    market.seen_head(history.blocks[4].block)
    with store.reading() as connection:
        status = sums.status(connection, market.id)
    assert (status["number"], status["head_number"], status["behind"], status["blocks"]) == (1, 5, 4, 1)
    assert market.hash_of(1) == history.blocks[0].block.hash
    found = store.find(told())
    assert found is not None and [each.id for each in store.markets()] == [found.id] == [market.id]


def test_what_happened_adds_up_to_how_things_stand(store: Store) -> None:
    """Trades to their quotes, what neighbours received to positions, and entries to accounts and bills."""
    history = History(18)
    history.grow(300)
    market = fill(store, history.blocks)
    with store.reading() as connection:
        rows = {name: kept(connection, market, name) for name in (*TRACKED, *ENTRIES)}
    sold: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for trade in rows["trades"]:
        sold[trade["quote_id"]].append(trade)
    settled = {quote["quote_id"] for quote in rows["quotes"] if quote["status"] == "SETTLED"}
    assert any(len(sold[number]) > 1 for number in settled), "no settled quote has two trades"
    for quote in rows["quotes"]:
        trades = sold[quote["quote_id"]]
        if quote["status"] == "SETTLED":
            sums_of_trades = [sum(trade[name] for trade in trades) for name in ("delivered", "payment", "compensation")]
            assert sums_of_trades == [quote[name] for name in ("delivered", "revenue", "compensation")]
        else:
            assert {trade["delivered"] for trade in trades} | {quote["delivered"]} == {None}
    for position in rows["positions"]:
        mine = [trade for trade in rows["trades"]
                if (trade["buyer"], trade["period"]) == (position["user"], position["period"])]  # fmt: skip
        assert position["received"] == sum(trade["delivered"] or 0 for trade in mine)
        assert position["bought"] == sum(trade["volume"] for trade in mine)
    for account in rows["accounts"]:
        names = (*ENTRIES, "positions")
        mine = {name: [row for row in rows[name] if row["user"] == account["address"]] for name in names}
        good = [row["good"] for row in mine["performances"]]
        assert (account["performances"], account["defaults"]) == (good.count(True), good.count(False))
        used = [row["used"] for row in mine["waivers"]]
        assert account["waivers"] == used.count(False) - used.count(True)
        assert account["authorized"] == (mine["admissions"][-1]["authorized"] if mine["admissions"] else False)
        cleared = sum(row["amount"] for row in mine["movements"] if row["kind"] == "cleared")
        assert account["grid_account"] == sum(row["amount"] or 0 for row in mine["positions"]) - cleared
    assert {row["used"] for row in rows["waivers"]} and any(row["period"] for row in rows["admissions"])
    for bill in rows["bills"]:
        good = [row["good"] for row in rows["performances"]
                if (row["user"], row["period"]) == (bill["user"], bill["period"])]  # fmt: skip
        assert (bill["performances"], bill["defaults"]) == (good.count(True), good.count(False))
