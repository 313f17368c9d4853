"""`wattproof live`, with real processes: a day to its end, and every way in which it ends before."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.field import url
from tests.support.planted import slot_of
from wattproof.chain.embedded.process import Embedded
from wattproof.chain.market import interface_of
from wattproof.chain.node import Node
from wattproof.chain.sending import Draft, Sender
from wattproof.live.children import Child, Children, Ended
from wattproof.market.deployment import deployer
from wattproof.simulation.chain_venue import simulated
from wattproof.simulation.timetable import EPOCH

PATIENCE = 240
"""Seconds for what takes ten on an idle machine."""

FILE = """\
period,household,load_wh,pv_wh
0,sunny,200,1500
0,cloudy,900,0
0,misty,700,100
1,sunny,200,1600
1,cloudy,800,0
1,misty,700,100
"""


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Three households and two half-hours."""
    path = tmp_path / "few.csv"
    path.write_text(FILE)
    return path


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, few: Path) -> Iterator[Start]:
    """Starts `wattproof live` into `tmp_path / "out"`; what runs at the end is ended."""
    running: list[subprocess.Popen[str]] = []
    limits: list[threading.Timer] = []

    def started(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "wattproof", "live", "--households", str(few), *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        running.append(process)
        limits.append(threading.Timer(2 * PATIENCE, process.kill))
        limits[-1].start()
        return process

    yield started
    for limit in limits:
        limit.cancel()
    for process in running:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_until(process: subprocess.Popen[str], wanted: str) -> str:
    """What it says, up to the line in which `wanted` is found; that line."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if re.search(wanted, line):
            return line
    raise AssertionError(f"{wanted!r} was never said, but: {said}{process.stderr and process.stderr.read()}")


def ask(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return json.loads(body) if response.getheader("Content-Type", "").startswith("application/json") else body
    finally:
        connection.close()


def family(process: subprocess.Popen[str]) -> list[int]:
    """The processes that it has started, and those that they have."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [process.pid]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found[1:]


def assert_gone(processes: list[int], *ports: int) -> None:
    """None of the processes is left, not even as a zombie, and a server can take each port."""
    assert processes, "nothing was started"
    until = time.monotonic() + 20
    while left := [number for number in processes if Path(f"/proc/{number}").exists()]:
        assert time.monotonic() < until, left
        time.sleep(0.05)
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def ports_of(line: str) -> int:
    found = re.search(r"127\.0\.0\.1:(\d+)", line)
    assert found, line
    return int(found[1])


# ---- to the end -------------------------------------------------------------------------------


def alike(folder: Path, few: Path, to: Path) -> bool:
    """Whether the bills in a folder are those of the same day in this process's way, which are written to `to`."""
    day = [sys.executable, "-m", "wattproof", "day", "--households", str(few), "--out", str(to)]
    subprocess.run(day, check=True, capture_output=True, timeout=PATIENCE)
    return (folder / "bills.csv").read_bytes() == (to / "bills.csv").read_bytes()


def test_a_day_on_anvil_is_played_and_watched(has_anvil: None, start: Start, few: Path, tmp_path: Path) -> None:
    process = start("--once", "--node", "anvil", "--port", str(free_port()))
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, ""), out
    assert re.search(r"open http://127\.0\.0\.1:\d+/\n", out)
    assert re.search(r"half-hour 2 of 2, block \d+, watched to \d+, \d+ calls compared, no alarm\n", out)
    assert re.search(r"the day is over, and watched to block \d+: 38 calls compared, no alarm\n", out)
    assert alike(tmp_path / "out/live/day", few, tmp_path / "process")


def test_the_page_stays_until_it_is_ended(start: Start, tmp_path: Path) -> None:
    wanted = free_port()
    with socket.create_server(("127.0.0.1", wanted)):
        process = start("--node", "embedded", "--port", str(wanted))
        node = ports_of(read_until(process, "^chain "))
        said = read_until(process, f"^port {wanted} is taken")
        port = ports_of(read_until(process, "^open "))
        assert said == f"port {wanted} is taken, so it is {port}\n"
        assert port > wanted
        read_until(process, "the page stays until Ctrl-C")
    status = ask(port, "/api/v1/status")
    assert status["behind_blocks"] == 0
    assert ask(port, "/api/v1/trades?per_page=1")["total"] > 0
    assert b"<html" in ask(port, "/")
    # Somebody who starts another one there is told.
    second = start("--node", "embedded")
    _, err = second.communicate(timeout=PATIENCE)
    assert second.returncode == 2
    assert err.count("\n") == 1
    assert "another run" in err
    assert ask(port, "/api/v1/status")["counts"] == status["counts"]
    children = family(process)
    assert len(children) == 3
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert_gone(children, port, node)


# ---- before the end -----------------------------------------------------------------------------


def test_ctrl_c_in_the_middle_ends_it_cleanly(start: Start) -> None:
    process = start("--node", "embedded", "--port", str(free_port()))
    node = ports_of(read_until(process, "^chain "))
    port = ports_of(read_until(process, "^open "))
    read_until(process, "before the day")
    children = family(process)
    assert len(children) == 4
    process.send_signal(signal.SIGINT)
    # Who is impatient presses it twice.
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "stopped\n")
    assert_gone(children, port, node)


@pytest.mark.parametrize("who", ["watch", "node"])
def test_a_process_that_dies_ends_all_with_its_reason(who: str, start: Start) -> None:
    process = start("--node", "embedded", "--port", str(free_port()))
    port = ports_of(read_until(process, "^open "))
    read_until(process, "before the day")
    children = family(process)
    os.kill(next(number for number in children if command(number) == who), signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert err.count("\n") == 1
    assert ("the embedded node" if who == "node" else who) in err or "127.0.0.1 cannot be asked" in err
    assert_gone(children, port)


def command(number: int) -> str:
    """Which of Wattproof's commands a process is."""
    words = Path(f"/proc/{number}/cmdline").read_text().split("\0")
    return words[words.index("wattproof") + 1] if "wattproof" in words else ""


def test_an_alarm_is_told_and_decides_the_exit_code(start: Start) -> None:
    """On a chain that was there before, and stays. A household is given money behind the market's back."""
    with Embedded(timestamp=EPOCH - 7_200) as node:
        process = start("--rpc", url(node), "--port", str(free_port()))
        port = ports_of(read_until(process, "^open "))
        assert "38 calls compared, no alarm" in read_until(process, "the day is over")
        read_until(process, "the page stays until Ctrl-C")
        market = ask(port, "/api/v1/status")["market"]["address"]
        sunny = simulated(1, "household sunny")
        slot = hex(slot_of(deployer("EnergyMarket"), "ledger", "_balance", int(sunny.address, 16)))
        record = int(node.rpc("eth_getStorageAt", market, slot), 16)
        node.rpc("anvil_setStorageAt", market, slot, f"0x{record + 1:064x}")
        Sender(Node(url(node)), sunny).send(
            Draft(market, interface_of("EnergyMarket").call("withdraw", 1), gas=200_000)
        )
        node.mine()
        # The account is not as the model has it, nor does the money add up.
        alarms = read_until(process, "^ALARM: 3 in all")
        assert f"http://127.0.0.1:{port}/" in alarms
        found = ask(port, "/api/v1/alarms")["items"]
        assert {"C2-ACCOUNT-1"} <= {alarm["invariant"] for alarm in found}
        assert len(found) == 3
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (1, "")
        assert int(node.rpc("eth_blockNumber"), 16) > 10, "the node goes on"


# ---- what cannot be used ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rpc", "http://127.0.0.1:1"), "127.0.0.1"),
        (("--households", "nowhere.csv"), "nowhere.csv"),
        (("--port", "99999"), "port"),
        (("--node", "embedded", "--rpc", "http://127.0.0.1:1"), "not allowed"),
        (("--node", "embedded", "--db", "mysql://127.0.0.1/market"), "mysql"),
    ],
)
def test_what_cannot_be_used_is_told(arguments: tuple[str, ...], said: str, start: Start, tmp_path: Path) -> None:
    process = start("--once", *arguments)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, out
    assert said in err
    assert "Traceback" not in out + err


def test_a_folder_with_somebodys_files_is_not_touched(start: Start, tmp_path: Path) -> None:
    theirs = tmp_path / "out/live/run/market.db"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    process = start("--once", "--node", "embedded")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "market.db" in err
    assert theirs.read_text() == "mine"


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stubborn = tmp_path / "wattproof"
    stubborn.mkdir()
    (stubborn / "__init__.py").touch()
    deaf = ["import signal, time", "signal.signal(signal.SIGTERM, signal.SIG_IGN)", "print('here', flush=True)"]
    (stubborn / "__main__.py").write_text("\n".join([*deaf, "time.sleep(600)"]))
    monkeypatch.chdir(tmp_path)  # Where Python looks first.
    monkeypatch.setattr("wattproof.live.children.PATIENCE", 0.5)
    with Children(tmp_path) as children:
        child: Child = children.start("stubborn")
        until = time.monotonic() + PATIENCE
        while "here" not in child.said:
            children.check()
            assert time.monotonic() < until
            time.sleep(0.02)
    assert child.code == -signal.SIGKILL
    with pytest.raises(Ended, match=r"stubborn has ended \(exit code -9\): here"):
        children.check()
