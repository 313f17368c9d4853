"""`wattproof operate`: what its arguments mean."""

from __future__ import annotations

from pathlib import Path

from wattproof.agents.operator.daemon import Operator
from wattproof.agents.readings import Spool
from wattproof.agents.setting import Setting, say


def run_operator(setting: Setting, readings: Path | None) -> int:
    """Runs the operator's daemon; returns its exit code. Raises BadJournal, BadPlace and NotTheMarket."""
    record = setting.market.record
    spool = Spool(readings, record.chain_id, record.market) if readings else None
    with setting.journal("operate") as journal:
        fed = f", readings from {readings}" if readings else ""
        say(f"operating the market {record.market} as {setting.account.address}, its state in {journal.folder}{fed}")
        return setting.run(Operator(setting.market, setting.account, journal, spool, setting.notices, say))
