"""Accounts, readings, positions and bills."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, case, select
from sqlalchemy.sql.elements import Label

from wattproof.serve.pages import Rows
from wattproof.serve.served import Served
from wattproof.store import sums
from wattproof.store.tables import AccountRow, BillRow, EventRow, PositionRow, ReadingRow
from wattproof.terms.model import ZERO_ADDRESS


def owner(connection: Connection, served: Served) -> str:
    """Who owns the market as of the last watched block."""
    handed_over = (
        select(EventRow.fields)
        .where(EventRow.market_id == served.market.id, EventRow.name == "OwnershipTransferred")
        .order_by(EventRow.block.desc(), EventRow.index.desc())
        .limit(1)
    )
    told = connection.execute(handed_over).scalar()
    return told["new_owner"] if told else served.record.owner


def role(owner: str, supplier: str) -> Label[str]:
    """What a party is: household, owner, supplier or other."""
    return case(
        (AccountRow.address == owner, "owner"),
        (AccountRow.address == supplier, "supplier"),
        (AccountRow.meter != ZERO_ADDRESS, "household"),
        else_="other",
    ).label("role")


def accounts(market: int, owner: str, supplier: str) -> Rows:
    """All parties that were seen."""
    return select(
        AccountRow.address,
        role(owner, supplier),
        AccountRow.profile,
        case((AccountRow.meter == ZERO_ADDRESS, None), else_=AccountRow.meter).label("meter"),
        AccountRow.authorized,
        AccountRow.balance,
        AccountRow.reserved,
        AccountRow.grid_account,
        AccountRow.performances,
        AccountRow.defaults,
        AccountRow.waivers,
        AccountRow.tier,
        AccountRow.capacity.label("capacity_wh"),
    ).where(AccountRow.market_id == market)


def readings(market: int) -> Rows:
    """All readings that count."""
    return select(
        ReadingRow.user,
        ReadingRow.period,
        ReadingRow.exported.label("exported_wh"),
        ReadingRow.imported.label("imported_wh"),
    ).where(ReadingRow.market_id == market)


def positions(market: int) -> Rows:
    """All positions."""
    return select(
        PositionRow.user,
        PositionRow.period,
        PositionRow.agreed.label("agreed_wh"),
        PositionRow.bought.label("bought_wh"),
        PositionRow.received.label("received_wh"),
        PositionRow.delivered.label("delivered_wh"),
        PositionRow.open,
        PositionRow.settled,
    ).where(PositionRow.market_id == market)


def bills_by_period(market: int) -> Rows:
    """A bill for each household and period."""
    amounts = [getattr(BillRow, name) for name in sums.BILL_FIELDS]
    return select(BillRow.user, BillRow.period, *amounts).where(BillRow.market_id == market)


def told_bill(bill: dict[str, Any]) -> dict[str, Any]:
    """A row of bills under the names of bills.csv."""
    bill = sums.with_totals(bill)
    return {
        "household": bill["user"],
        "period": bill.get("period"),
        "imported_wh": bill["imported"],
        "exported_wh": bill["exported"],
        "bought_wh": bill["bought"],
        "sold_wh": bill["sold"],
        "grid_alone": bill["grid_alone"],
        "market": bill["market"],
        "saving": bill["saving"],
        "paid": bill["paid"],
        "earned": bill["earned"],
        "fees": bill["fees"],
        "compensation_received": bill["compensated"],
        "compensation_paid": bill["compensation"],
        "grid_account": bill["grid"],
        "performances": bill["performances"],
        "defaults": bill["defaults"],
        "waivers": bill["waivers"],
    }
