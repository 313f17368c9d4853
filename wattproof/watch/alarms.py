"""Alarms: what does not hold, told to the operator and to a webhook, with its story and lines that show it again."""

from __future__ import annotations

from collections.abc import Callable

from wattproof.chain.market import ChainMarket
from wattproof.chain.webhooks import SECONDS, Webhook
from wattproof.store.database import MarketStore
from wattproof.store.records import Alarm, BlockRef
from wattproof.watch import story
from wattproof.watch.checker import Checked

LONGEST = 500
"""Characters of the line that an alarm is."""


class Alarms:
    """Makes alarms of what was found, and tells of them."""

    def __init__(self, say: Callable[[str], object], webhook: Webhook | None = None) -> None:
        self._say, self._webhook = say, webhook

    def of(self, checked: Checked, market: ChainMarket, store: MarketStore, broken: int | None) -> list[Alarm]:
        """An alarm for each invariant that does not hold in a block, with the same story.

        `broken`: the block before this one in which market and terms differed first; the story is with its alarms.
        """
        if not checked.findings:
            return []
        if broken is None:
            told = story.of(checked, market, store)
        else:
            told = story.Story(f"market and terms differ since block {broken}: see its alarms", [])
        first: dict[str, str] = {}
        for finding in checked.findings:
            first.setdefault(finding.invariant, finding.what)
        lines = "\n".join(told.lines)
        return [Alarm(invariant, _short(what), told.text, lines) for invariant, what in first.items()]

    def raise_(self, alarm: Alarm, block: BlockRef, market: str) -> None:
        """Tells of an alarm that is stored."""
        self._say(f"ALARM in block {block.number}: {alarm.invariant} does not hold: {alarm.what}")
        if self._webhook is not None:
            where = {"market": market, "block": block.number, "hash": block.hash, "timestamp": block.timestamp}
            self._webhook.post(where | vars(alarm))

    def close(self) -> None:
        """Waits a little for what is still to be delivered."""
        if self._webhook is not None:
            self._webhook.close(SECONDS)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
