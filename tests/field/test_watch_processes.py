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
from tests.support.street import Street
from tests.support.watching import Process, Watch, trade
from wattproof.chain.webhooks import Webhook
from wattproof.evm.anvil import Anvil
from wattproof.store.dump import dump

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


def same_as_undisturbed(street: Street, watch: Watch, folder: Path) -> None:
    undisturbed = Watch(street.ground, f"sqlite:///{folder}/undisturbed.db")
    assert undisturbed.run() == 0
    assert list(dump(watch.store.store)) == list(dump(undisturbed.store.store))


def test_a_watcher_that_is_killed_again_and_again_loses_nothing(street: Street, tmp_path: Path) -> None:
    db, until = f"sqlite:///{tmp_path}/market.db", str(head_of(street))
    watch = Watch(street.ground, db)
    chance = random.Random(1)
    for _ in range(KILLS):
        with Process(street.ground, tmp_path, db, "--until", until) as watcher:
            before, blocks = watch.store.cursor(), chance.randrange(12)
            deadline = time.monotonic() + 60
            while watcher.process.poll() is None and time.monotonic() < deadline:
                at = watch.store.cursor()
                if at is not None and at.number - (before.number if before else 0) >= blocks:
                    break
                time.sleep(0.01)
            time.sleep(chance.random() / 20)  # Anywhere between two statements.
        cursor = watch.store.cursor()
        if cursor is not None and cursor.number == head_of(street):
            watch.store.rollback(watch.store.block(street.ground.record.block.number + chance.randrange(20)))
    with Process(street.ground, tmp_path, db, "--until", until) as last:
        assert last.code() == 0, last.said
    same_as_undisturbed(street, watch, tmp_path)


def test_two_watchers_on_one_database_store_every_block_once(street: Street, tmp_path: Path, database: str) -> None:
    db, until = database, str(head_of(street))
    with (
        Process(street.ground, tmp_path / "one", db, "--until", until) as one,
        Process(street.ground, tmp_path / "other", db, "--until", until) as other,
    ):
        for watcher in (one, other):
            assert watcher.code() == 0, watcher.said
    same_as_undisturbed(street, Watch(street.ground, db), tmp_path)


def test_a_watcher_waits_for_blocks_tells_how_far_it_is_and_stops_between_two(street: Street, tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/market.db"
    watch = Watch(street.ground, db)

    def is_there() -> bool:
        at = watch.store.cursor()
        return at is not None and at.number == head_of(street) - 2

    with Process(street.ground, tmp_path, db, "--confirmations", "2") as watcher:
        street.until(is_there)
        street.ground.anvil.mine()
        street.until(is_there)
        watcher.process.send_signal(signal.SIGINT)
        assert watcher.code() == 0
    assert "2 behind" in watcher.said
    assert "stopped after" in watcher.said


def test_bad_arguments_are_one_line(street: Street, tmp_path: Path) -> None:
    with Process(street.ground, tmp_path, "mysql://x") as watcher:
        assert watcher.code() == 2
    assert watcher.said == "--db names the database mysql, which is not supported: take sqlite or postgresql\n"


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
    assert len(said) == 1 and "127.0.0.1 was not told" in said[0] and "secret" not in said[0]
