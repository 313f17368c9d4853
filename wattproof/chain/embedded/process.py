"""The embedded chain as a process of its own, with what an `Anvil` can do: for tests, and for `wattproof live`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from wattproof.evm.node import LocalNode


class Embedded(LocalNode):
    """An embedded node of its own; see `LocalNode`. Blocks are made by `mine` and `mined` only."""

    name = "the embedded node"
    listening = re.compile(r"Listening on 127\.0\.0\.1")

    def __init__(self, timestamp: int | None = None, chain_id: int | None = None) -> None:
        """Nothing is started yet. `timestamp`: second of block 0 (default: now)."""
        super().__init__()
        self.arguments = ["--no-mining"]
        self.arguments += ["--timestamp", str(timestamp)] if timestamp is not None else []
        self.arguments += ["--chain-id", str(chain_id)] if chain_id is not None else []

    def _command(self, port: int, folder: Path) -> list[str]:
        return [sys.executable, "-m", "wattproof", "node", "--port", str(port), *self.arguments]

    def _place(self) -> Path:
        return Path(sys.executable)

    def mine(self, timestamp: int | None = None) -> dict[str, Any]:
        """Makes a block of what waits, at the second `timestamp` where it is given; returns it."""
        self.rpc("evm_mine", timestamp)
        return self.rpc("eth_getBlockByNumber", "latest", False)

    def endow(self, address: str, wei: int) -> None:
        self.rpc("anvil_setBalance", address, hex(wei))

    def mined(self, raw: str, second: int) -> str:
        number = self.rpc("eth_sendRawTransaction", raw)
        self.rpc("evm_mine", second)
        return number
