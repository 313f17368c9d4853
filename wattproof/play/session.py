"""A new market, as the calls and the people of one session see it."""

from __future__ import annotations

import functools
import re
from typing import Any

import boa

from wattproof.evm import network
from wattproof.market.deployment import Tariff, deploy
from wattproof.market.tariff import PRICES, checked
from wattproof.market.units import PENCE_PER_KWH, Display
from wattproof.play.clock import MarketClock
from wattproof.play.contract import Contract
from wattproof.play.refusal import Refusal
from wattproof.play.shown import PLACE, Show, zone
from wattproof.play.slips import meant, reason_of
from wattproof.simulation.accounting import Event

START = 1_561_071_600
"""Where the clock starts, in seconds: 21 June 2019, 0:00 British Summer Time, the day of the default input."""

_PRICED = (
    f" (prices are whole numbers of base units per Wh, {PENCE_PER_KWH} for 1 p/kWh; "
    "SBP and twice the service fee are at most SSP)"
)
"""What a tariff is, for who wrote another."""

_LEAST, _MOST = PENCE_PER_KWH // 100, PENCE_PER_KWH * 1000
"""Prices, but for 0, that somebody can mean for a kilowatt-hour: from a hundredth of a penny to ten pounds."""


def doubted(tariff: Tariff) -> str | None:
    """A question about prices that hardly anybody means, as pence in the place of base units; None for others."""
    prices = {name: getattr(tariff, name) for name in PRICES}
    unlikely = {name: price for name, price in prices.items() if price and not _LEAST <= price <= _MOST}
    odd = [f"{name} is {Display().price(price)}" for name, price in unlikely.items()]
    if not odd:
        return None
    return f"{', '.join(odd)}: is this meant? 1 p/kWh is 10**13 base units per Wh, as in Tariff(ssp=18 * 10**13)"


class Session:
    """A new market, with a tariff of its own, as people see it.

    names   of addresses: where a struct holds such an address, its name is shown
    place   the zone by whose clocks times are shown

    ValueError where no market opens with the tariff, and where there is no such zone.
    """

    place: str = PLACE
    opened: int = 0
    """The second at which the market was opened, where that is known."""

    def __init__(self, tariff: Tariff = Tariff(), place: str = PLACE) -> None:
        network.only_inside("a market to play with, whose clock starts in 2019,")
        checked(tariff)
        zone(place)
        before, boa.env.timestamp = boa.env.timestamp, START
        self.opened = START
        try:
            self.deployment = deploy(tariff, show=None)
        except boa.BoaError as error:
            boa.env.timestamp = before  # Of another market that is being played.
            raise ValueError(f"no market opens with this tariff: {reason_of(error)}{_PRICED}") from None
        self.names: dict[str, str] = {}
        self.place = place
        self.clock = MarketClock(self.deployment.market, self.show)
        self.market = Contract(self.deployment.market, self)

    @functools.cached_property
    def show(self) -> Show:
        """How the market shows what it says."""
        tariff = self.deployment.tariff
        return Show(Display.of(tariff.ssp), self.names, tariff.period_length, self.place)

    @functools.cached_property
    def history(self) -> list[list[Event]]:
        """The events of the market's calls that were made here."""
        return []

    def address(self, who: Any) -> Any:
        """The address of somebody who is called so; an address as it is. ValueError where nobody is called so."""
        if not isinstance(who, str) and hasattr(who, "address"):
            return who.address
        if not isinstance(who, str) or who.startswith("0x"):
            return self._own(who)
        for address, name in self.names.items():
            if name == who:
                return address
        near = meant(who, self.names.values())
        raise ValueError(
            f"nobody is called {who!r}: {near or 'name a household, or write 0x and 40 hexadecimal digits'}"
        )

    def _own(self, who: Any) -> Any:
        """An address as it is. ValueError for what is none, and for a party of another market."""
        if not isinstance(who, str) or not re.fullmatch("0x[0-9a-fA-F]{40}", who):
            raise ValueError(f"{who!r} is nobody: name a household, or write 0x and 40 hexadecimal digits")
        name = getattr(who, "name", None)
        if name is not None and getattr(who, "_session", self) is not self:
            here = f"; the one of this market is market[{name!r}]" if name in self.names.values() else ""
            raise ValueError(f"{name} is of another market{here}")
        return who

    def people(self) -> list[str]:
        """The names of all people, without their meters'."""
        return [name for name in self.names.values() if not name.endswith("'s meter")]

    def refusal(self, function: str, arguments: dict[str, Any], sender: str) -> Refusal:
        """A call that was refused, for a hint."""
        deployment = self.deployment
        tells = hasattr(self.market, "history")
        return Refusal(function, arguments, sender, deployment, self.clock, self.show, tells)

    def made(self, contract: Any) -> None:
        """Keeps the events of the call of `contract` that was just made; those of the market for its bills, too."""
        self._last[contract.address] = contract.get_logs()
        if contract is self.deployment.market:
            logs = (log for log in contract.get_logs() if log.address == contract.address)
            self.history.append(
                [(type(log).__name__, dict(zip(log._fields[1:], log[1:], strict=True))) for log in logs]
            )

    def refused(self, contract: Any) -> None:
        """Notes that the last call of `contract` was refused, so that it has no events."""
        self._last[contract.address] = []

    def logs_of(self, contract: Any) -> list[Any]:
        """The events of the last call of `contract`; titanoboa forgets them with the next view."""
        return self._last[contract.address] if contract.address in self._last else contract.get_logs()

    @functools.cached_property
    def _last(self) -> dict[str, list[Any]]:
        """The events of the last call of each contract, by its address."""
        return {}

    def offered(self) -> dict[str, Any]:
        """What the REPL offers of it, by name."""
        token = Contract(self.deployment.token, self)
        return {"market": self.market, "token": token, "clock": self.clock, "tariff": self.deployment.tariff}
