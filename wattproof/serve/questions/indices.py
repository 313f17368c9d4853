"""The indices of Zhou et al. 2018, as far as what is on the chain tells, and two ratios of the community."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, select

from wattproof.market.tariff import Tariff
from wattproof.serve.pages import narrowed
from wattproof.simulation.accounting import Bill
from wattproof.simulation.indices import equality, participation_willingness, quotient, value_tapping
from wattproof.store import sums
from wattproof.store.queries import MAX_PER_PAGE
from wattproof.store.tables import PeriodRow
from wattproof.store.types import exact_sum

SAYS = {
    "value_tapping": "of what sharing without fees would save, the part that the market saves; 1 is best",
    "participation_willingness": "of all households, the part that pays less than with the grid alone",
    "equality_alone": "one less the Gini coefficient of the households' incomes with the grid alone; 1: all equal",
    "equality_market": "one less the Gini coefficient of the households' incomes with the market; 1: all equal",
    "local_share": "of what households imported, the part that neighbours delivered",
    "sdr": "energy quoted, to energy that opened bids asked for",
    "energy_balance": "one less what is exchanged with the grid, of all load and generation",
    "self_sufficiency": "the part of the load that the grid does not cover",
}
"""Each index, and what it tells."""

_BEHIND = "a meter reports what crosses it; load and generation behind it are not on the chain"
_NOTHING = "there is nothing to divide by in these periods"

_NAMES = tuple(Bill.__dataclass_fields__)


def indices(connection: Connection, market: int, asked: Mapping[str, Any], tariff: Tariff) -> dict[str, Any]:
    """All indices over the periods that are asked for; with the number of households that have a bill there."""
    first, last = asked.get("from_period"), asked.get("to_period")
    bills = [Bill(**{name: row[name] for name in sums.BILL_FIELDS}) for row in _bills(connection, market, first, last)]
    values = _of_bills(bills) | _of_periods(connection, market, asked, tariff, bills)
    return {
        "from_period": first,
        "to_period": last,
        "households": len(bills),
        "indices": [_told(name, values.get(name, _BEHIND)) for name in SAYS],
    }


def _bills(connection: Connection, market: int, first: int | None, last: int | None) -> Iterator[dict[str, Any]]:
    """The bills of all households, each summed up over the periods."""
    number = 1
    while (page := sums.bills(connection, market, None, first, last, number, MAX_PER_PAGE)).rows:
        yield from page.rows
        number += 1


def _told(name: str, value: Fraction | str | None) -> dict[str, Any]:
    """An index; of one that cannot be computed, the reason stands in place of the value."""
    why = value if isinstance(value, str) else _NOTHING if value is None else None
    return {"name": name, "value": None if why else value, "says": SAYS[name], "why": why}


def _of_bills(bills: list[Bill]) -> dict[str, Fraction | None]:
    market, alone = [bill.market for bill in bills], [bill.grid_alone for bill in bills]
    local = sum(min(bill.bought, bill.imported) for bill in bills)
    return {
        "participation_willingness": participation_willingness(market, alone),
        "equality_alone": equality(alone),
        "equality_market": equality(market),
        "local_share": quotient(local, sum(bill.imported for bill in bills)),
    }


def _of_periods(
    connection: Connection, market: int, asked: Mapping[str, Any], tariff: Tariff, bills: list[Bill]
) -> dict[str, Fraction | None]:
    # Had all shared without fees, only what the community as a whole exchanged would have been paid for.
    flows = sums.energies(connection, market, asked.get("from_period"), asked.get("to_period"))
    nets = [row["imported"] - row["exported"] for row in flows]
    best = sum(net * (tariff.ssp if net > 0 else tariff.sbp) for net in nets)
    totals = narrowed(
        select(exact_sum(PeriodRow.supply), exact_sum(PeriodRow.demand)).where(PeriodRow.market_id == market),
        asked,
        at_period=PeriodRow.period,
    )
    supply, demand = connection.execute(totals).one()
    cost, alone = sum(bill.market for bill in bills), sum(bill.grid_alone for bill in bills)
    return {
        "value_tapping": value_tapping(cost, alone, best),
        "sdr": quotient(int(supply or 0), int(demand or 0)),
    }
