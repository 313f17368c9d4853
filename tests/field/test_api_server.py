"""`wattproof serve` as a process, streams, and waitress under them."""

from __future__ import annotations

import dataclasses
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.support import kept
from tests.support.api import UNLIMITED, serving
from wattproof.cli import main
from wattproof.serve import stream
from wattproof.serve.app import MAX_ASKING, MAX_STREAMS, create_app
from wattproof.serve.served import EXTENSION
from wattproof.serve.server import THREADS

LIMIT = 60
"""Seconds for anything."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> kept.Day:
    """Two half-hours, and their deployment.json."""
    day = kept.play(tmp_path_factory.mktemp("day"), range(24, 26))
    day.record.write(day.folder / "deployment.json")
    return day


@pytest.fixture
def url(day: kept.Day) -> Iterator[str]:
    """A server in this process, with as many streams as there are."""
    with serving(create_app(day.url, day.record, rate=UNLIMITED)) as found:
        yield found


class Stream:
    """A stream that is read message by message."""

    def __init__(self, url: str, last: str | None = None) -> None:
        headers = {"Last-Event-ID": last} if last else {}
        self.answer = requests.get(f"{url}/api/v1/stream", headers=headers, stream=True, timeout=LIMIT)
        self.status = self.answer.status_code
        self._lines = self.answer.iter_lines(chunk_size=1)

    def next(self) -> dict[str, str]:
        """The next message; it has to come in time."""
        found: dict[str, str] = {}
        end = time.monotonic() + LIMIT
        for line in self._lines:
            assert time.monotonic() < end, "no message came"
            text = line.decode()
            if not text and "data" in found:
                return found
            if text and not text.startswith(":"):
                name, _, found[name] = text.partition(": ")
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self.answer.close()


# ---- streams ---------------------------------------------------------------------------------


def test_a_stream_tells_what_is_new(url: str, day: kept.Day) -> None:
    reader = Stream(url)
    assert reader.answer.headers["Content-Type"].startswith("text/event-stream")
    first = reader.next()
    cursor = day.kept.cursor()
    assert cursor is not None and first["event"] == "block" and json.loads(first["data"])["number"] == cursor.number
    block = day.add_block([kept.ALARM])
    alarm, told = reader.next(), reader.next()
    assert alarm["event"] == "alarm" and json.loads(alarm["data"])["what"] == kept.ALARM.what and "id" not in alarm
    assert told["id"] == f"{block.number}-{block.hash[2:18]}"
    assert json.loads(told["data"]) == {
        **{"number": block.number, "hash": block.hash, "parent": block.parent, "timestamp": block.timestamp},
        **{"calls": 0, "events": 0, "alarms": 1},
    }
    reader.close()


def test_a_stream_goes_on_where_it_was(url: str, day: kept.Day) -> None:
    start = day.kept.block(1)
    assert start is not None
    reader = Stream(url, f"1-{start.hash[2:18]}")
    blocks, events = [], 0
    cursor = day.kept.cursor()
    assert cursor is not None
    while not blocks or blocks[-1] < cursor.number:
        message = reader.next()
        if message["event"] == "event":
            events += 1
        elif message["event"] == "block":
            blocks.append(json.loads(message["data"])["number"])
    assert blocks == list(range(2, cursor.number + 1))
    total = requests.get(f"{url}/api/v1/events?from_block=2", timeout=LIMIT).json()["total"]
    assert events == total > 0
    reader.close()


def test_a_reorganisation_is_told(url: str, day: kept.Day) -> None:
    stays = day.add_block()
    reader = Stream(url)
    reader.next()
    gone = [day.add_block() for _ in range(3)]
    assert [json.loads(reader.next()["data"])["number"] for _ in gone] == [block.number for block in gone]
    day.kept.rollback(stays)
    told = reader.next()
    assert (told["event"], json.loads(told["data"])) == ("rollback", {"to": stays.number})
    reader.close()
    # Somebody who comes back later with a block that is gone.
    reader = Stream(url, f"{gone[1].number}-{gone[1].hash[2:18]}")
    told = reader.next()
    assert (told["event"], json.loads(told["data"])) == ("rollback", {"to": None})
    assert json.loads(reader.next()["data"])["number"] == stays.number
    reader.close()


@pytest.mark.parametrize("last", ["x", "1", "1-zz", "1-" + 17 * "0", "-1-" + 16 * "0", "9" * 400 + "-" + 16 * "0"])
def test_an_odd_id_is_refused(url: str, last: str) -> None:
    reader = Stream(url, last)
    told = reader.answer.json()["error"]
    assert reader.status == 422 and told.startswith("Last-Event-ID: ") and "number of a block, a hyphen" in told


def test_streams_never_use_up_the_threads(url: str) -> None:
    assert MAX_STREAMS + MAX_ASKING < THREADS
    readers = [Stream(url) for _ in range(MAX_STREAMS)]
    for reader in readers:
        reader.next()
    full = Stream(url)
    assert full.status == 503 and int(full.answer.headers["Retry-After"]) > 0
    assert "status" in full.answer.json()["error"]
    for _ in range(THREADS):
        assert requests.get(f"{url}/api/v1/status", timeout=LIMIT).status_code == 200
    for reader in readers:
        reader.close()


def test_a_reader_that_leaves_gives_its_place_back(day: kept.Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.1)
    app = create_app(day.url, day.record, rate=UNLIMITED, max_streams=1)
    slots = app.extensions[EXTENSION].streams
    with serving(app) as url:
        for _ in range(3):
            reader = Stream(url)
            assert reader.status == 200
            reader.next()
            reader.close()
            end = time.monotonic() + LIMIT
            while slots.held and time.monotonic() < end:
                time.sleep(0.02)
            assert slots.held == 0


def test_a_stream_ends_after_its_time(day: kept.Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LIFETIME", 0.2)
    with serving(create_app(day.url, day.record, rate=UNLIMITED)) as url:
        text = requests.get(f"{url}/api/v1/stream", timeout=LIMIT).text
        assert text.startswith("retry: ") and "event: block" in text


# ---- the process -----------------------------------------------------------------------------


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`wattproof serve` with these arguments; it is ended in any case."""
    command = [sys.executable, "-m", "wattproof", "serve", *arguments]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def listening(running: subprocess.Popen[str]) -> str:
    """The address that a process says it serves at."""
    assert running.stdout is not None
    line = running.stdout.readline()
    assert line.startswith("serving 0x"), running.communicate()
    return line.split(" at ")[1].split(" ")[0].rstrip("/")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_with_open_streams(day: kept.Day, how: signal.Signals) -> None:
    deployment = str(day.folder / "deployment.json")
    with process("--db", day.url, "--deployment", deployment, "--port", "0") as running:
        url = listening(running)
        readers = [Stream(url) for _ in range(3)]
        assert [reader.next()["event"] for reader in readers] == ["block"] * 3
        assert requests.get(f"{url}/api/v1/status", timeout=LIMIT).json()["market"]["address"] == day.record.market
        assert "Server" not in requests.get(f"{url}/", timeout=LIMIT).headers
        began = time.monotonic()
        running.send_signal(how)
        out, err = running.communicate(timeout=LIMIT)
        assert (running.returncode, out, err) == (0, "", "")
        assert time.monotonic() - began < 5, "it waits for no stream"
        with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))):
            pass  # The port is free.


def test_what_cannot_be_served_is_one_line(day: kept.Day, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = str(day.folder / "deployment.json")
    (tmp_path / "odd.json").write_text("{}")
    dataclasses.replace(day.record, chain_id=5).write(tmp_path / "other.json")
    (tmp_path / "empty.db").touch()
    for arguments, part in (
        (("--db", day.url, "--deployment", str(tmp_path / "none.json")), "none.json"),
        (("--db", day.url, "--deployment", str(tmp_path / "odd.json")), "deployment.json"),
        (("--db", f"sqlite:///{tmp_path}/no/folder/a.db", "--deployment", deployment), "folder"),
        (("--db", f"sqlite:///{tmp_path}/none.db", "--deployment", deployment), "start `wattproof watch` first"),
        (("--db", f"sqlite:///{tmp_path}/empty.db", "--deployment", deployment), "start `wattproof watch` first"),
        (("--db", day.url, "--deployment", str(tmp_path / "other.json")), "nobody watched the market of this"),
        (("--db", "sesame", "--deployment", deployment), "--db"),
        (("--db", "postgresql://me:sesame@127.0.0.1:9/none", "--deployment", deployment), "127.0.0.1"),
        (("--db", day.url, "--deployment", deployment, "--rpc", "sesame"), "RPC address"),
        (("--db", day.url, "--deployment", deployment, "--host", "no.such.host.invalid"), "--host"),
    ):
        assert main(["serve", *arguments]) == 2
        out, err = capsys.readouterr()
        assert not out and len(err.splitlines()) == 1 and part in err and "sesame" not in err, err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.db", "odd.json", "other.json"]
    assert not (tmp_path / "empty.db").stat().st_size and len(day.kept.store.markets()) == 1, "nothing is written"


def test_a_port_in_use_is_one_line(day: kept.Day) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        deployment = str(day.folder / "deployment.json")
        with process("--db", day.url, "--deployment", deployment, "--port", port) as running:
            out, err = running.communicate(timeout=LIMIT)
    assert (running.returncode, out) == (2, "")
    assert err == f"127.0.0.1:{port}: address already in use; name another place by --host and --port\n"


def test_a_node_that_is_down_stops_nothing(day: kept.Day) -> None:
    deployment = str(day.folder / "deployment.json")
    arguments = ("--db", day.url, "--deployment", deployment, "--port", "0", "--rpc", "http://127.0.0.1:9/key123456")
    with process(*arguments) as running:
        url = listening(running)
        body = {"sender": day.record.owner, "value": "1"}
        answer = requests.post(f"{url}/api/v1/transactions/mint", json=body, timeout=LIMIT)
        assert answer.status_code == 503
        running.terminate()
        _, err = running.communicate(timeout=LIMIT)
        assert "503" in err and len(err.splitlines()) == 1 and "key123456" not in err


# ---- waitress and what is sent to it ---------------------------------------------------------


def test_requests_that_are_none_get_an_answer(url: str) -> None:
    host, port = "127.0.0.1", int(url.rpartition(":")[2])
    for sent, status in (
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + 20_000 * b"x" + b"\r\n\r\n", 431),
        (b"POST /api/v1/relay HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n", 413),
        (b"POST /api/v1/relay HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
        (b"GET /static/../../app.py HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /static/..%2f..%2fapp.py HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /static//etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /api/v1/quotes/%00 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /api/v1/quotes/%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
    ):
        with socket.create_connection((host, port), LIMIT) as connection:
            connection.sendall(sent)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == status, (sent[:60], answer.status, answer.read())


def test_the_page_is_kept_by_browsers(url: str) -> None:
    page = requests.get(f"{url}/", timeout=LIMIT)
    assert page.status_code == 200 and "text/html" in page.headers["Content-Type"] and page.headers["ETag"]
    again = requests.get(f"{url}/", headers={"If-None-Match": page.headers["ETag"]}, timeout=LIMIT)
    assert again.status_code == 304
    assert requests.get(f"{url}/api/v1/status", timeout=LIMIT).headers["Cache-Control"] == "no-store"
