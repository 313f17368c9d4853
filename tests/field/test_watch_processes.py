"""Watchers as processes: killed at any moment, two at a time, stopped, and what they print and post."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.field import Ground
from tests.support.street import Process, Street, running
from tests.support.watching import Watch, trade
from wattproof.evm.anvil import Anvil
from wattproof.store.dump import dump
from wattproof.watch.alarms import Webhook

KILLS = int(os.environ.get("WATTPROOF_KILLS", "6"))
"""How often a watcher is killed; the full count is 50."""


@pytest.fixture(scope="module")
def street(has_anvil: None) -> Iterator[Street]:
    """Some half-hours of trade."""
    with Anvil(timestamp=1_750_000_000, chain_id=7_357) as anvil:
        street = Street(Ground.on(anvil))
        for exported in (1_900, 500, 2_000, 2_100):
            trade(street, exported=exported)
        yield street


def head_of(street: Street) -> int:
    head = street.ground.node.block("latest")
    assert head is not None
    return head.number


def started(street: Street, folder: Path, db: str, *more: str) -> Process:
    """A watcher as a process."""
    record = folder / "deployment.json"
    if not record.exists():
        street.ground.record.write(record)
    arguments = ("--rpc", street.ground.url, "--deployment", str(record), "--db", db)
    return Process(folder, "owner", "watch", *arguments, *more)


def same_as_undisturbed(street: Street, watch: Watch, folder: Path) -> None:
    undisturbed = Watch(street.ground, f"sqlite:///{folder}/undisturbed.db")
    assert undisturbed.run() == 0
    assert list(dump(watch.store.store)) == list(dump(undisturbed.store.store))


def test_a_watcher_that_is_killed_again_and_again_loses_nothing(street: Street, tmp_path: Path) -> None:
    db, until = f"sqlite:///{tmp_path}/market.db", str(head_of(street))
    watch = Watch(street.ground, db)
    chance = random.Random(1)
    for _ in range(KILLS):
        process = started(street, tmp_path, db, "--until", until)
        with running(process):
            before, blocks = watch.store.cursor(), chance.randrange(12)
            deadline = time.monotonic() + 60
            while not process.ended() and time.monotonic() < deadline:
                at = watch.store.cursor()
                if at is not None and at.number - (before.number if before else 0) >= blocks:
                    break
                time.sleep(0.01)
            time.sleep(chance.random() / 20)  # Anywhere between two statements.
        cursor = watch.store.cursor()
        if cursor is not None and cursor.number == head_of(street):
            watch.store.rollback(watch.store.block(street.ground.record.block.number + chance.randrange(20)))
    last = started(street, tmp_path, db, "--until", until)
    with running(last):
        assert last.code() == 0, last.said
    same_as_undisturbed(street, watch, tmp_path)


def test_two_watchers_on_one_database_store_every_block_once(street: Street, tmp_path: Path) -> None:
    db, until = f"sqlite:///{tmp_path}/market.db", str(head_of(street))
    both = [started(street, tmp_path / str(number), db, "--until", until) for number in range(2)]
    with running(*both):
        for process in both:
            assert process.code(120) == 0, process.said
    same_as_undisturbed(street, Watch(street.ground, db), tmp_path)


def test_a_watcher_waits_for_blocks_tells_how_far_it_is_and_stops_between_two(street: Street, tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/market.db"
    process = started(street, tmp_path, db, "--confirmations", "2")
    watch = Watch(street.ground, db)
    with running(process):
        street.until(lambda: getattr(watch.store.cursor(), "number", 0) == head_of(street) - 2)
        street.ground.anvil.mine()
        street.until(lambda: getattr(watch.store.cursor(), "number", 0) == head_of(street) - 2)
        process.process.send_signal(signal.SIGINT)
        assert process.code() == 0
    assert "behind" in process.said
    assert "stopped after" in process.said


def test_bad_arguments_are_one_line(street: Street, tmp_path: Path) -> None:
    process = started(street, tmp_path, "mysql://x")
    with running(process):
        assert process.code() == 2
    assert process.lines == ["--db names the database mysql, which is not supported: take sqlite or postgresql"]


def test_a_webhook_that_does_not_answer_is_tried_again_and_never_waited_for() -> None:
    got: list[dict[str, object]] = []
    refused = threading.Event()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not refused.is_set():
                refused.set()
                self.send_error(503)
                return
            got.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is told."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    said: list[str] = []
    try:
        hook = Webhook(f"http://127.0.0.1:{server.server_address[1]}/alarms?key=secret", said.append, pause=0.01)
        begun = time.monotonic()
        hook.post({"invariant": "C4-TOKEN-1"})
        assert time.monotonic() - begun < 1
        hook.close(30)
    finally:
        server.shutdown()
        server.server_close()
    assert got == [{"invariant": "C4-TOKEN-1"}]
    assert said == []
    nobody = Webhook(f"http://127.0.0.1:{server.server_address[1]}/alarms?key=secret", said.append, pause=0.01)
    nobody.post({"invariant": "C4-TOKEN-1"})
    nobody.close(30)
    assert len(said) == 1 and "not delivered to 127.0.0.1" in said[0] and "secret" not in said[0]
