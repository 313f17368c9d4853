"""What a sealed bid was made of, on disk before anything of it is sent: who loses the salt cannot open the bid."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from wattproof import documents
from wattproof.outputs import BadPlace, told


@dataclass(frozen=True, repr=False)
class Sealed:
    """A sealed bid as its bidder knows it; `salt` and `seal` are 0x and 64 digits, price in base units per Wh."""

    chain_id: int
    market: str
    quote_id: int
    bidder: str
    price: int
    volume: int
    salt: str
    seal: str

    def __repr__(self) -> str:
        return f"<sealed bid of {self.bidder} on quote {self.quote_id}>"


class Salts:
    """A file with a line for each sealed bid. Only its owner may read it; lines are added, never changed."""

    def __init__(self, path: Path | str) -> None:
        """Nothing is touched yet."""
        self.path = Path(path)

    def add(self, bid: Sealed) -> None:
        """Adds a bid; once this returns, it is on the disk. Raises outputs.BadPlace."""
        line = json.dumps(asdict(bid)).encode() + b"\n"
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                # After a crash in the middle of a line, the next one begins on its own.
                text = b"\n" + line if os.fstat(handle).st_size else line
                if os.write(handle, text) != len(text):
                    raise BadPlace(f"{self.path}: no space is left; nothing was sent: free some")
                os.fsync(handle)
            finally:
                os.close(handle)
            self._sync_folder()
        except OSError as problem:
            raise BadPlace(f"{told(problem)}; nothing was sent: name another file for the salts") from None

    def _sync_folder(self) -> None:
        handle = os.open(self.path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def find(self, chain_id: int, market: str, quote_id: int, bidder: str) -> list[Sealed]:
        """The bids of somebody on a quote, the newest first: only the one whose seal is on the chain can be opened."""
        wanted = (chain_id, market, quote_id, bidder)
        found = [bid for bid in self._all() if (bid.chain_id, bid.market, bid.quote_id, bid.bidder) == wanted]
        return found[::-1]

    def _all(self) -> Iterator[Sealed]:
        try:
            lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        except OSError as problem:
            raise BadPlace(f"{told(problem)}; name the file with the salts") from None
        for line in lines:
            try:
                yield Sealed(**documents.parsed(line))
            except (ValueError, TypeError):
                continue  # Empty, or a line that was cut off, whose bid was never sent.
