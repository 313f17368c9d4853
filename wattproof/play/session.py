"""A new market, as the calls and the people of one session see it."""

from __future__ import annotations

import functools
from typing import Any

import boa

from wattproof.evm import network
from wattproof.market.deployment import Tariff, deploy
from wattproof.market.units import Display
from wattproof.play.clock import MarketClock
from wattproof.play.contract import Contract
from wattproof.play.refusal import Refusal
from wattproof.play.shown import PLACE, Show
from wattproof.play.slips import meant, reason_of
from wattproof.simulation.accounting import Event

START = 1_561_071_600
"""Where the clock starts, in seconds: 21 June 2019, 0:00 British Summer Time, the day of the default input."""


class Session:
    """A new market, with a tariff of its own, as people see it.

    names   of addresses: where a struct holds such an address, its name is shown
    place   the zone by whose clocks times are shown

    ValueError where no market opens with the tariff, and where there is no such zone.
    """

    place: str = PLACE

    def __init__(self, tariff: Tariff = Tariff(), place: str = PLACE) -> None:
        network.only_inside("a market to play with, whose clock starts in 2019,")
        if not isinstance(tariff, Tariff):
            raise ValueError(f"a tariff is written Tariff(sbp=..., ssp=...), not {tariff!r}")
        boa.env.timestamp = START
        try:
            self.deployment = deploy(tariff, show=None)
        except boa.BoaError as error:
            raise ValueError(f"no market opens with this tariff: {reason_of(error)}") from None
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
        if not isinstance(who, str) or who.startswith("0x"):
            return who
        for address, name in self.names.items():
            if name == who:
                return address
        near = meant(who, self.names.values())
        raise ValueError(
            f"nobody is called {who!r}: {near or 'name a household, or write 0x and 40 hexadecimal digits'}"
        )

    def refusal(self, function: str, arguments: dict[str, Any], sender: str) -> Refusal:
        """A call that was refused, for a hint."""
        deployment = self.deployment
        return Refusal(function, arguments, sender, deployment, self.clock, self.show)

    def made(self, contract: Any) -> None:
        """Keeps the events of the call of `contract` that was just made, where it is the market."""
        if contract is self.deployment.market:
            logs = (log for log in contract.get_logs() if log.address == contract.address)
            self.history.append(
                [(type(log).__name__, dict(zip(log._fields[1:], log[1:], strict=True))) for log in logs]
            )

    def offered(self) -> dict[str, Any]:
        """What the REPL offers of it, by name."""
        token = Contract(self.deployment.token, self)
        return {"market": self.market, "token": token, "clock": self.clock, "tariff": self.deployment.tariff}
