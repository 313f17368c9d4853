"""What the operator warns of: too little money for gas, silent meters, a supplier that cannot pay."""

from __future__ import annotations

from wattproof.agents.notices import Notices
from wattproof.agents.operator.plan import View, owed_by_supplier, silent
from wattproof.agents.outbox import Outbox
from wattproof.chain.market import ChainMarket
from wattproof.chain.sending import Fees

CALL_GAS = 300_000
"""Gas of a middling call of the operator: a matching, a settlement, a small batch."""

FEW = (100, 50, 20, 10, 5, 2, 1)
"""Numbers of calls: as the money for gas falls below that for one of them, it is warned of again."""

_NAMED = 5
"""Households that a line names; of more it tells how many."""


def warn(view: View, market: ChainMarket, outbox: Outbox, notices: Notices) -> None:
    """Warns of what will go wrong. Raises as chain.Node."""
    _of_gas(outbox, market, notices)
    _of_silence(view, notices)
    _of_the_supplier(view, market, notices)


def _of_gas(outbox: Outbox, market: ChainMarket, notices: Notices) -> None:
    affordable = outbox.balance() // max(1, Fees.now(market.node).most * CALL_GAS)
    few = [number for number in FEW if affordable < number]
    if not few:
        notices.over("gas")
        return
    account = outbox.account.address
    calls = "no call" if few[-1] == 1 else f"fewer than {few[-1]} calls"
    notices.warn("gas", f"{account} can pay for {calls} at the fee of now: send ether to it")


def _of_silence(view: View, notices: Notices) -> None:
    lines = {}
    for period, users in silent(view).items():
        named = ", ".join(sorted(users)[:_NAMED]) + (f" and {len(users) - _NAMED} more" if len(users) > _NAMED else "")
        lines[f"silent {period}"] = (
            f"period {period}: no reading yet of {named}; who traded and stays silent loses its authorisation"
        )
    notices.only("silent ", lines)


def _of_the_supplier(view: View, market: ChainMarket, notices: Notices) -> None:
    tariff, record = market.record.tariff, market.record
    owed = owed_by_supplier(view, tariff.sbp, tariff.ssp)
    held = market.view("account", record.supplier).balance if owed else 0
    if held >= owed:
        notices.over("supplier")
        return
    token = record.settled_in
    notices.warn(
        "supplier",
        f"the supplier {record.supplier} has {token.amount(held)} in the market, and its invoices come to "
        f"{token.amount(owed)}: it has to deposit {token.amount(owed - held)}",
    )
