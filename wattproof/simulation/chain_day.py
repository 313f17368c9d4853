"""A trading day on a chain: its market is opened there, or taken as a deployment tells of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wattproof.chain.accounts import Account
from wattproof.chain.development import Development
from wattproof.chain.node import Node
from wattproof.chain.record import Record
from wattproof.outputs import BadPlace, write
from wattproof.simulation.chain_venue import OnChain, open_market
from wattproof.simulation.periods import Readings
from wattproof.simulation.trading_day import Trading

DEPLOYMENT = "deployment.json"
"""The file of a day's folder that tells of the market."""

ADDRESSES = "addresses.csv"
"""The file of a day's folder that tells which household has which address."""

_COLUMNS = ("household", "address")


@dataclass(frozen=True)
class Chain:
    """Where a day is played.

    record   the market; None: a new one is opened
    owner    who owns it; None: an account that is made up from the seed
    """

    node: Node
    record: Record | None = None
    owner: Account | None = None


class ChainDay(Trading):
    """A community on a market of a chain."""

    venue: OnChain


def on_chain(chain: Chain, households: Readings, seed: int, out: Path | None = None) -> ChainDay:
    """The day of these households on a chain, ready to be run; it makes the chain's blocks until it is closed.

    Before any household joins, the market's record is written into the folder `out`, so that others can follow; then
    which household has which address. Raises NotDevelopment where the clock cannot be set; Unfit or NotTheMarket where
    that market will not do; Refused; BadPlace; NodeUnusable and RpcError where the node does not answer, or refuses.
    """
    if out is not None:
        _look(out / ADDRESSES)
    blocks = Development(chain.node)
    try:
        record = chain.record or open_market(blocks, seed, owner=chain.owner)
        venue = OnChain(blocks, record, seed, chain.owner)
        if out is not None:
            record.write(out / DEPLOYMENT)
        day = ChainDay(households, venue, seed)
        if out is not None:
            rows = ((name, member.address) for name, member in day.members.items())
            write(out / ADDRESSES, _table([_COLUMNS, *rows]))
        return day
    except BaseException:
        blocks.release()
        raise


def _look(path: Path) -> None:
    """Raises BadPlace where a file is there that is none of ours."""
    if path.exists() and (path.is_dir() or not path.read_bytes().startswith(_table([_COLUMNS]).encode())):
        raise BadPlace(f"{path}: is not of an earlier run; move it, or name another folder")


def _table(rows: Iterable[tuple[str, str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
