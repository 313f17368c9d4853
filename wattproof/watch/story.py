"""The history behind an alarm: in words, and as lines that play it again at the REPL."""

from __future__ import annotations

from dataclasses import dataclass

from wattproof.chain.market import ChainMarket
from wattproof.store.database import MarketStore
from wattproof.watch.checker import Checked


@dataclass(frozen=True)
class Story:
    """What led to an alarm: `text` in words, `lines` for the REPL."""

    text: str
    lines: list[str]


def of(checked: Checked, market: ChainMarket, store: MarketStore) -> Story:
    """What led to what was found in a block."""
    return Story("", [])
