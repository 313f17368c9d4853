"""A real node: Foundry's anvil, from its npm package, started on loopback and spoken to in JSON-RPC.

>>> from wattproof.evm.anvil import Anvil
>>> with Anvil(timestamp=1_750_000_000) as node:
...     node.rpc("eth_chainId")
'0x7a69'

The package is fetched once, with the ordinary `npm pack`, and its binary is called directly: its wrapper wants an
install script that many machines forbid. It is kept in `$XDG_CACHE_HOME/wattproof` (`~/.cache/wattproof`).
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import hashlib
import http.client
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

VERSION = "1.7.1"

HARDFORK = "prague"
"""The rules that the contracts are compiled for."""

_PLATFORMS = {
    ("Linux", "x86_64"): "linux-amd64",
    ("Linux", "aarch64"): "linux-arm64",
    ("Darwin", "x86_64"): "darwin-amd64",
    ("Darwin", "arm64"): "darwin-arm64",
}

_INTEGRITY = {
    "linux-amd64": "+XmShybEaxfCrr0OUUZwYEy2OnYZt5pHH9TzBtLv3+VrK0O/ANuNSVEahqNhKHlgX7GRJ59383ofNhxkRWIYTg==",
}
"""SHA-512 of the packages, where it was checked; elsewhere npm's own check has to do."""

_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
_START_SECONDS = 30


class NodeUnavailable(RuntimeError):
    """A node is not to be had here; the message is one line that says what to do."""


class AnvilUnavailable(NodeUnavailable):
    """There is no anvil to be had here."""


class RpcError(RuntimeError):
    """A node refused a request. `data` is what a reverting call answered, in hex, where it is one."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        super().__init__(f"{method}: {error.get('message')}")
        self.code: int = error.get("code", 0)
        self.data: Any = error.get("data")


def binary() -> Path:
    """The anvil of `VERSION`, fetched where it is not in the cache yet; `WATTPROOF_ANVIL` names another one.

    Raises AnvilUnavailable where npm is missing, or the package is not published for this platform.
    """
    if chosen := os.environ.get("WATTPROOF_ANVIL"):
        if not os.access(chosen, os.X_OK):
            raise AnvilUnavailable(f"WATTPROOF_ANVIL names {chosen}, which cannot be run")
        return Path(chosen)
    place = (platform.system(), platform.machine())
    if place not in _PLATFORMS:
        raise AnvilUnavailable(
            f"anvil is not published for {' '.join(place)}: set WATTPROOF_ANVIL to a binary of yours"
        )
    target = cache() / f"anvil-{VERSION}-{_PLATFORMS[place]}"
    if not target.exists():
        _fetch(_PLATFORMS[place], target)
    return target


def cache() -> Path:
    """Where nodes are kept that were fetched once."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wattproof"


def _fetch(name: str, target: Path) -> None:
    """Puts the binary of the npm package for the platform `name` at `target`, at once or not at all."""
    npm = shutil.which("npm")
    if npm is None:
        raise AnvilUnavailable(
            f"anvil {VERSION} comes from npm, which is not installed: install Node.js (it brings npm), "
            "or set WATTPROOF_ANVIL to an anvil of yours"
        )
    package = f"@foundry-rs/anvil-{name}@{VERSION}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        done = subprocess.run(
            [npm, "pack", "--silent", "--pack-destination", folder, package], capture_output=True, text=True, cwd=folder
        )
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or not archives:
            raise AnvilUnavailable(f"`npm pack {package}` failed: {last_line(done.stderr or done.stdout)}")
        found = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
        if _INTEGRITY.get(name, found) != found:
            raise AnvilUnavailable(f"{package} is not the package that was checked: its SHA-512 is {found}")
        with tarfile.open(archives[0]) as archive, archive.extractfile("package/bin/anvil") as source:  # type: ignore[union-attr]
            unpacked = Path(folder, "anvil")
            unpacked.write_bytes(source.read())
        unpacked.chmod(0o755)
        unpacked.replace(target)


def last_line(text: str) -> str:
    """The last line of what a program said."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


class Anvil:
    """A node of its own, from `with` (or `start`) until the end of the block (or `stop`).

    url       where it answers, "http://127.0.0.1:PORT"
    version   what `anvil --version` says
    """

    def __init__(
        self,
        *arguments: str,
        timestamp: int | None = None,
        mining: bool = False,
        chain_id: int | None = None,
        accounts: int = 10,
        hardfork: str = HARDFORK,
    ) -> None:
        """Nothing is started yet.

        Args:
            arguments: more arguments of anvil, such as `"--order", "fifo"`.
            timestamp: second of the genesis block; default: now.
            mining: whether every transaction makes a block at once; otherwise `mine` makes them.
            accounts: how many unlocked accounts with ether there are, from anvil's well-known mnemonic.
        """
        self.arguments = [*arguments, "--hardfork", hardfork, "--accounts", str(accounts)]
        self.arguments += ["--host", "127.0.0.1", "--port", "0"]
        self.arguments += [] if mining else ["--no-mining"]
        self.arguments += ["--timestamp", str(timestamp)] if timestamp is not None else []
        self.arguments += ["--chain-id", str(chain_id)] if chain_id is not None else []
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._asked = 0

    @property
    def url(self) -> str:
        """Where the node answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Starts the node and waits until it answers. Raises AnvilUnavailable where it does not.

        A node that nobody stops ends with this process.
        """
        atexit.register(self.stop)
        self._folder = tempfile.TemporaryDirectory(prefix="wattproof-anvil-")
        log = Path(self._folder.name, "log")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(binary()), *self.arguments], stdout=output, stderr=subprocess.STDOUT, cwd=self._folder.name
            )
        until = time.monotonic() + _START_SECONDS
        while not (match := _LISTENING.search(log.read_text())):
            if self._process.poll() is not None or time.monotonic() > until:
                said = last_line(log.read_text())
                self.stop()
                raise AnvilUnavailable(f"anvil did not start: {said}")
            time.sleep(0.02)
        self.port = int(match[1])
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        return self

    def stop(self) -> None:
        """Ends the node; what it held is gone."""
        atexit.unregister(self.stop)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- requests ----------------------------------------------------------------------

    def rpc(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC request and its result. Raises RpcError where the node refuses it."""
        return self.batch([(method, parameters)])[0]

    def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Several requests `(method, parameters)` in one go, and their results in the same order.

        For what does not depend on one another: the node works on them side by side.
        """
        if self._connection is None:
            raise AnvilUnavailable("the node is not running: use `with Anvil() as node`, or start()")
        if not requests:
            return []
        first = self._asked
        body = []
        for method, parameters in requests:
            body.append({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": list(parameters)})
            self._asked += 1
        self._connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        answers = {answer["id"]: answer for answer in json.loads(self._connection.getresponse().read())}
        results = []
        for number, (method, _) in enumerate(requests, first):
            if "error" in answers[number]:
                raise RpcError(method, answers[number]["error"])
            results.append(answers[number]["result"])
        return results

    def mine(self, timestamp: int | None = None) -> dict[str, Any]:
        """Makes a block of all pending transactions, at the second `timestamp` where it is given; returns it."""
        if timestamp is not None:
            self.rpc("evm_setNextBlockTimestamp", timestamp)
        self.rpc("evm_mine")
        return self.rpc("eth_getBlockByNumber", "latest", False)

    def endow(self, address: str, wei: int) -> None:
        """Gives an account that much ether, whatever it had."""
        self.rpc("anvil_setBalance", address, hex(wei))

    def mined(self, raw: str, second: int) -> str:
        """Sends a signed transaction, and makes a block of it at that second; returns its hash."""
        number = self.rpc("eth_sendRawTransaction", raw)
        self.rpc("evm_mine", {"timestamp": second})
        return number

    @property
    def version(self) -> str:
        """Version and commit of the binary."""
        said = subprocess.run([str(binary()), "--version"], capture_output=True, text=True, check=True).stdout
        found = re.findall(r"(?:Version|Commit SHA): (\S+)", said)
        return " ".join(found) or said.strip()
