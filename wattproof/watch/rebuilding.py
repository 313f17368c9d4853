"""What a watcher remembers, kept in the store and made again: from the last snapshot and the calls stored since."""

from __future__ import annotations

from typing import Any

from wattproof.chain.market import ChainMarket
from wattproof.market.trace import Outcome
from wattproof.store.database import MarketStore
from wattproof.store.plain import pack, unpack
from wattproof.store.records import BlockRef, CallRow
from wattproof.watch import snapshots
from wattproof.watch.checker import OPENING, Standing, opened
from wattproof.watch.ledger import Ledger
from wattproof.watch.mirror import Told


class Unfit(Exception):
    """A stored call is refused when it is made again: what is stored is not what was watched."""


def kept(standing: Standing) -> bytes:
    """A snapshot, for the store."""
    assert standing.block is not None
    return pack(
        {
            "version": snapshots.VERSION,
            "block": vars(standing.block),
            "broken": standing.broken,
            "given": standing.given,
            "model": snapshots.told(standing.mirror.market),
            "ledger": standing.ledger.to_json(),
        }
    )


def rebuilt(store: MarketStore, market: ChainMarket, to: BlockRef | None) -> Standing:
    """What is to be remembered after a block of the store, None: before the first.

    Nothing of it is asked of a node: what everybody holds then, the checker looks up. Raises Unfit, a `StoreProblem`.
    """
    standing = opened(market.record)
    if to is None:
        return standing
    after = market.record.block.number - 1
    found = store.snapshot(to.number)
    if found is not None:
        number, data = found
        told = unpack(data)
        if told.get("version") == snapshots.VERSION:
            after = number
            _restore(standing, told, market)
    if standing.broken is None:
        _go_on(standing, store, market, after, to)
    standing.block = to
    return standing


def caught_up(standing: Standing, store: MarketStore, market: ChainMarket, to: BlockRef | None) -> bool:
    """Goes on to a block of the store that another watcher has put there; returns whether that could be done.

    Where it could not, what was remembered is spoilt. Raises a `StoreProblem`.
    """
    at = standing.block
    if at is None or to is None or standing.broken is not None or store.hash_of(at.number) != at.hash:
        return False
    try:
        _go_on(standing, store, market, at.number, to)
    except Unfit:  # There market and terms differ, and a snapshot tells of it.
        return False
    standing.block = to
    return True


def _go_on(standing: Standing, store: MarketStore, market: ChainMarket, after: int, to: BlockRef) -> None:
    for block, calls in store.calls(after, to.number):
        for call in calls:
            _again(standing, market, call, block.timestamp)
    standing.is_known = False


def _restore(standing: Standing, told: dict[str, Any], market: ChainMarket) -> None:
    snapshots.restore(standing.mirror.market, told["model"])
    standing.ledger = Ledger.of_json(told["ledger"], market.record.tariff)
    standing.block = BlockRef(**told["block"])
    standing.broken, standing.given = told["broken"], told["given"]


def _again(standing: Standing, market: ChainMarket, row: CallRow, now: int) -> None:
    """Makes a stored call on the model once more. What was refused has changed nothing."""
    if not row.accepted or row.function == OPENING:
        return
    mirror = standing.mirror
    mirror.meters.node = None
    args = snapshots.arguments_of(market.interface, row.function, row.arguments)
    terms = mirror.call(Told(row.sender, row.function, args), Outcome(True, None, row.result), now)
    if not terms.accepted:
        raise Unfit(
            f"block {now}: the stored {row.function} is refused when it is made again ({terms.reason}): "
            "watch into another database"
        )
    standing.ledger.feed(terms.events, 0)
