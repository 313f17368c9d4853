"""A call that was refused, and what can be looked up about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

from wattproof.market.clock import Clock
from wattproof.market.deployment import Deployment
from wattproof.market.tariff import Tariff
from wattproof.market.units import Display
from wattproof.play.shown import Show

OFFERED = frozenset(("market", "token", "clock", "tariff", "households"))
"""Words that are no household's where the lines of a hint are pasted."""


@dataclass(frozen=True)
class Refusal:
    """A call that was refused: the entry point, its arguments by name, and who made it."""

    function: str
    arguments: Mapping[str, Any]
    sender: str
    deployment: Deployment
    clock: Clock
    show: Show
    tells: bool = False
    """Whether the market that was called tells of what is no longer kept (see `Market.history`)."""

    @property
    def market(self) -> Any:
        """The contract, which answers the views."""
        return self.deployment.market

    @property
    def tariff(self) -> Tariff:
        """The frame of the market."""
        return self.deployment.tariff

    @property
    def display(self) -> Display:
        """How the market's amounts are written."""
        return self.show.display

    @property
    def quote_id(self) -> int:
        """The number of the quote that the call is about."""
        return self.arguments["quote_id"]

    @property
    def quote(self) -> Any:
        """The quote that the call is about."""
        return self.market.quote(self.quote_id)

    @property
    def period(self) -> int:
        """The delivery period that the call is about."""
        period = self.arguments.get("period")
        return self.quote.period if period is None else period

    @property
    def user(self) -> str:
        """Whom the call is about: somebody whom it names, or else who made it."""
        return self.arguments.get("user", self.sender)

    @property
    def account(self) -> Any:
        """The account of who made the call."""
        return self.market.account(self.sender)

    def named(self, address: Any) -> str:
        """What somebody is called."""
        return self.show.name(str(address))

    def written(self, address: Any) -> str:
        """Somebody as an argument that can be pasted: sunny, or "12 Elm Street", or among the households one that is
        called as the owner or the supplier is."""
        name = self.named(address)
        quoted = json.dumps(name, ensure_ascii=False)
        first = next((one for one, known in self.show.names.items() if known == name), address)
        if first != str(address):
            return f"market.households[{quoted}]"
        return name if name.isidentifier() and not iskeyword(name) and name not in OFFERED else quoted

    @property
    def caller(self) -> str:
        """What who made the call is called."""
        return self.named(self.sender)

    @property
    def known(self) -> bool:
        """Whether who made the call has a name here."""
        return str(self.sender) in self.show.names
