"""What follows from a block: events first, then the chain's views of what the block touched, which say the last word.

The views alone would not do: what the market overwrites in the very block in which it changed, they no longer tell.
"""

from __future__ import annotations

from typing import Any

from wattproof.market.tariff import Tariff
from wattproof.store.derive import bills, events, views
from wattproof.store.derive.entries import Entries, Told, entries_of, told_of
from wattproof.store.derive.working import Load, Working
from wattproof.store.plain import Views
from wattproof.store.records import BlockRef

__all__ = ["Derived", "Entries", "Load", "Told", "Working", "derive"]


class Derived:
    """What a block changes: `working` has the tracked rows, `entries` those that are added, by table.

    `told` has the events, each with what it is about.
    """

    def __init__(self, working: Working, told: list[Told], entries: Entries) -> None:
        self.working, self.told, self.entries = working, told, entries


def derive(
    block: BlockRef,
    said: list[dict[str, Any]],
    state: Views,
    checks: dict[str, int],
    tariff: Tariff,
    load: Load,
) -> Derived:
    """What follows from a block.

    said    its events as they are kept: index, call, name, fields
    load    fetches the rows of a table before this block, by the values of some of its columns
    """
    working = Working(block.number, load)
    events.fetch(working, said)
    views.fetch(working, state)
    told = told_of(working, said)
    events.apply(working, block.timestamp, told)
    views.apply(working, state)
    bills.apply(working, tariff, told)
    working.fetch("checks", ("invariant",), [(name,) for name in checks])
    for invariant, times in checks.items():
        row = working.get("checks", (invariant,))
        working.put("checks", (invariant,), times=times + (row["times"] if row else 0))
    return Derived(working, told, entries_of(told))
