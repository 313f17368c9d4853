"""`wattproof operate`: what its arguments mean."""

from __future__ import annotations

from pathlib import Path

from wattproof.agents.notices import Notices, Webhook
from wattproof.agents.operator.daemon import Operator
from wattproof.agents.readings import Spool
from wattproof.agents.running import run
from wattproof.agents.setting import Setting, say


def run_operator(
    setting: Setting, readings: Path | None, interval: float, once: bool, webhook: str | None, patience: float
) -> int:
    """Runs the operator's daemon; returns its exit code. Raises as `Setting`, BadPlace and NodeUnusable."""
    notices = Notices(say, Webhook(webhook) if webhook else None)
    record = setting.market.record
    spool = Spool(readings, record.chain_id, record.market) if readings else None
    with setting.journal("operate") as journal:
        say(f"operating the market {record.market} as {setting.account.address}, its state in {journal.folder}")
        operator = Operator(setting.market, setting.account, journal, spool, notices, say)
        return run(operator, notices, interval, once, patience)
