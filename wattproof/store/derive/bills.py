"""Bills by user and period, by the rules of `wattproof.simulation.accounting`."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from wattproof.market.tariff import Tariff
from wattproof.simulation.accounting import Bill, bill_entry
from wattproof.store.derive.entries import Told
from wattproof.store.derive.working import Working


def apply(working: Working, tariff: Tariff, told: list[Told]) -> None:
    """Adds what the events of a block put on bills."""
    added: dict[tuple[str, int], Bill] = defaultdict(Bill)
    for event in told:
        entry = bill_entry(tariff, event.name, _numbers(event.fields), event.user or "")
        if entry and entry[0] and event.period is not None:
            added[entry[0], event.period] += entry[1]
    working.fetch("bills", ("user", "period"), added)
    for key, amounts in added.items():
        row = working.get("bills", key) or {}
        working.put("bills", key, **{name: row.get(name, 0) + amount for name, amount in vars(amounts).items()})


def _numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with whole numbers as numbers again."""
    return {name: int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value
            for name, value in fields.items()}  # fmt: skip
