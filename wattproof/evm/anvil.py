"""A real node: Foundry's anvil, from its npm package, started on loopback and spoken to in JSON-RPC.

>>> from wattproof.evm.anvil import Anvil
>>> with Anvil(timestamp=1_750_000_000) as node:
...     node.rpc("eth_chainId")
'0x7a69'

The package is fetched once, with the ordinary `npm pack`, and its binary is called directly: its wrapper wants an
install script that many machines forbid. It is kept in `$XDG_CACHE_HOME/wattproof` (`~/.cache/wattproof`).
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path
from typing import Any

from wattproof.evm.node import LocalNode, NodeUnavailable, cache, last_line, npm_said, workshop

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


def binary() -> Path:
    """The anvil of `VERSION`, fetched where it is not in the cache yet; `WATTPROOF_ANVIL` names another one.

    Raises NodeUnavailable where npm is missing, or the package is not published for this platform.
    """
    if chosen := os.environ.get("WATTPROOF_ANVIL"):
        if not os.access(chosen, os.X_OK):
            raise NodeUnavailable(f"WATTPROOF_ANVIL names {chosen}, which cannot be run")
        return Path(chosen)
    place = (platform.system(), platform.machine())
    if place not in _PLATFORMS:
        raise NodeUnavailable(f"anvil is not published for {' '.join(place)}: set WATTPROOF_ANVIL to a binary of yours")
    target = cache() / f"anvil-{VERSION}-{_PLATFORMS[place]}"
    if not target.exists():
        _fetch(_PLATFORMS[place], target)
    return target


def _fetch(name: str, target: Path) -> None:
    """Puts the binary of the npm package for the platform `name` at `target`, at once or not at all."""
    npm = shutil.which("npm")
    if npm is None:
        raise NodeUnavailable(
            f"anvil {VERSION} comes from npm, which is not installed: install Node.js (it brings npm), "
            "or set WATTPROOF_ANVIL to an anvil of yours"
        )
    package = f"@foundry-rs/anvil-{name}@{VERSION}"
    with workshop() as folder:
        pack = [npm, "pack", "--silent", "--pack-destination", str(folder), package]
        done = npm_said(pack, folder)
        archives = list(folder.glob("*.tgz"))
        if done.returncode or not archives:
            raise NodeUnavailable(f"`npm pack {package}` failed: {last_line(done.stderr or done.stdout)}")
        found = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
        if _INTEGRITY.get(name, found) != found:
            raise NodeUnavailable(f"{package} is not the package that was checked: its SHA-512 is {found}")
        unpacked = folder / "anvil"
        try:
            with tarfile.open(archives[0]) as archive, archive.extractfile("package/bin/anvil") as source:  # type: ignore[union-attr]
                unpacked.write_bytes(source.read())
        except (tarfile.TarError, KeyError, EOFError, zlib.error) as problem:
            raise NodeUnavailable(f"{package} cannot be unpacked ({problem}): try again") from problem
        unpacked.chmod(0o755)
        unpacked.replace(target)


class Anvil(LocalNode):
    """An anvil of its own; see `LocalNode`.

    version   what `anvil --version` says
    """

    name = "anvil"
    listening = re.compile(r"Listening on 127\.0\.0\.1")

    def __init__(
        self,
        *arguments: str,
        timestamp: int | None = None,
        chain_id: int | None = None,
        accounts: int = 10,
        hardfork: str = HARDFORK,
    ) -> None:
        """Nothing is started yet. Blocks are made by `mine` and `mined` only.

        Args:
            arguments: more arguments of anvil, such as `"--order", "fifo"`.
            timestamp: second of the genesis block; default: now.
            accounts: how many unlocked accounts with ether there are, from anvil's well-known mnemonic.
        """
        super().__init__()
        self.arguments = [*arguments, "--hardfork", hardfork, "--accounts", str(accounts), "--no-mining"]
        self.arguments += ["--timestamp", str(timestamp)] if timestamp is not None else []
        self.arguments += ["--chain-id", str(chain_id)] if chain_id is not None else []

    def _command(self, port: int, folder: Path) -> list[str]:
        return [str(binary()), *self.arguments, "--host", "127.0.0.1", "--port", str(port)]

    def mine(self, timestamp: int | None = None) -> dict[str, Any]:
        """Makes a block of all pending transactions, at the second `timestamp` where it is given; returns it."""
        if timestamp is not None:
            self.rpc("evm_setNextBlockTimestamp", timestamp)
        self.rpc("evm_mine")
        return self.rpc("eth_getBlockByNumber", "latest", False)

    def endow(self, address: str, wei: int) -> None:
        self.rpc("anvil_setBalance", address, hex(wei))

    def mined(self, raw: str, second: int) -> str:
        number = self.rpc("eth_sendRawTransaction", raw)
        self.rpc("evm_mine", {"timestamp": second})
        return number

    def _place(self) -> Path:
        return binary()

    @property
    def version(self) -> str:
        """Version and commit of the binary. Raises NodeUnavailable where it cannot be run."""
        try:
            said = subprocess.run([str(binary()), "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError, ValueError) as problem:
            raise NodeUnavailable(f"anvil cannot be run ({problem}){self._kept()}") from problem
        found = re.findall(r"(?:Version|Commit SHA): (\S+)", said)
        return " ".join(found) or said.strip()
