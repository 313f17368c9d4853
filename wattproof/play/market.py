"""A market of a file's households, in a script or a notebook: `from wattproof import Market`."""

from __future__ import annotations

import hashlib
import sys
from collections import namedtuple
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boa

from wattproof.market import units
from wattproof.market.deployment import Tariff
from wattproof.play.bills import bills
from wattproof.play.clock import MarketClock
from wattproof.play.contract import Contract
from wattproof.play.past import events_of
from wattproof.play.people import BoundMeter, Household, Households, Owner, Party
from wattproof.play.session import Session, doubted
from wattproof.play.shown import PLACE
from wattproof.play.slips import in_one_line, meant, one_line
from wattproof.simulation.households import DEFAULT_FILE, open_households

FUNDS = units.pence(10_000)
"""What every household and the supplier start with, in base units: 100 pounds."""


@in_one_line
class Market(Contract):
    """A new market whose households are registered, authorised and have 100 pounds each.

    >>> from wattproof import Market
    >>> market = Market()
    >>> sunny, cloudy = market["sunny"], market["cloudy"]
    >>> sunny.quote(kwh=2, price=9)
    1

    It has every call of the contract, with names wherever that asks for an address. Beside them:

    households   by name; `market["sunny"]` finds them, and `market["owner"]` and `market["supplier"]`
    clock        `market.clock.to("REVEALING")`, `.now`, `.phase()`
    tariff       its prices and times
    token        what it settles in
    quotes, bids, bills, events   tables: `market.quotes()`, `market.bids(1)`
    history      the events of all calls so far; `market.history(quote_id=1)` also tells of what is no longer kept

    What it answers are whole numbers that show their unit: Wh, and base units, of which a penny has 10**16.
    """

    households: Households
    clock: MarketClock
    tariff: Tariff
    token: Contract

    @one_line
    def __init__(self, households: str | Path = DEFAULT_FILE, tariff: Tariff = Tariff(), place: str = PLACE) -> None:
        """Opens a market inside this process, and sets its chain's clock to the morning of 21 June 2019. The first time
        that compiles the contracts, which takes up to a minute.

        `households` is a CSV file as `wattproof day` takes it (its energies are not played, its capacities count);
        `place`, a zone such as "Europe/Zurich", says by which clock times are shown. Raises `BadInput` where the file
        cannot be used, ValueError where no market opens with this tariff; what can hardly be meant in the file or the
        tariff is printed on stderr.
        """
        if not isinstance(households, str | Path):
            raise ValueError(f"households is the path of a CSV file, not {households!r}")
        source = open_households(Path(households))
        source.warn()
        session = Session(tariff, place)
        super().__init__(session.deployment.market, session)
        session.market = self
        self.households, self.clock, self.tariff = Households(), session.clock, session.show.tariff(tariff)
        if doubt := doubted(tariff):
            print(f"tariff: warning: {doubt}", file=sys.stderr)
        self.token = Contract(session.deployment.token, session)
        owner = Owner("owner", session.deployment.owner, session)
        supplier = Party("supplier", session.deployment.supplier, session)
        self._people: dict[str, Party] = {"owner": owner, "supplier": supplier}
        _fund(supplier)
        for name in source.names:
            self._add(name, source.capacity(name, tariff.period_length), owner)

    def _add(self, name: str, capacity: int, owner: Owner) -> None:
        """Lets one more household in."""
        household = Household(name, str(boa.env.generate_address(name)), self._session)
        meter = household.meter = BoundMeter(name, household, self._session)
        self._session.names[meter.address] = f"{name}'s meter"
        profile = hashlib.sha256(name.encode()).digest()
        signature = meter.sign_pairing(self._contract, household, profile)
        self.register(profile, meter.address, signature, sender=household)
        self.authorize(household, capacity, sender=owner)
        _fund(household)
        owner.households.append(household)
        self.households[name] = household

    def __getitem__(self, name: str) -> Any:
        """Somebody by name or address: a household, the owner or the supplier. KeyError where nobody is called so.

        A household that is called "owner" or "supplier", too, is in `households`."""
        people = self._everybody
        by_address = {str(party): party for party in (*self.households.values(), *self._people.values())}
        if not isinstance(name, str) or (name not in people and name not in by_address):
            near = meant(str(name), people)
            raise KeyError(f"nobody is called {name!r}: {near or 'list(market.households) names the households'}")
        return people[name] if name in people else by_address[name]

    @property
    def _everybody(self) -> dict[str, Party]:
        return {**self.households, **self._people}

    def __iter__(self) -> Iterator[str]:
        return iter(self._everybody)

    def __contains__(self, name: object) -> bool:
        return name in self._everybody or name in [str(party) for party in self._everybody.values()]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def quotes(self, period: int | None = None) -> Any:
        """The quotes of a period, or all, as a table: what `quote` answers, beside the ID. Those that are no longer
        kept are left out; `history` tells of them."""
        period = None if period is None else self.clock.meant(period)
        listed = {number: self._deployed.quote(number) for number in range(1, self._deployed.quote_count() + 1)}
        kept = {number: one for number, one in listed.items() if one.status and period in (None, one.period)}
        return self._rows("Quote", "quote_id", kept)

    def bids(self, quote_id: int) -> Any:
        """The bids of the households on a quote, as a table: what `bid` answers, beside who made it."""
        made = {str(one): self.bid(quote_id, one) for one in self.households.values()}
        rows = self._rows("Bid", "bidder", {who: bid for who, bid in made.items() if bid.status})
        rows.instead = self.quote(quote_id).instead
        return rows

    def history(self, quote_id: int | None = None, period: int | None = None, who: str | None = None) -> Any:
        """The events of the calls that were made here, in their order: of a quote, of a period and its quotes, of
        somebody, or of all. They tell of what the market no longer keeps, too: what is over makes room for what comes,
        after nine days of half-hours or more. Calls that titanoboa took back, as `boa.env.anchor()` does, still count.
        """
        period = None if period is None else self.clock.meant(period)
        who = None if who is None else self._session.address(who)
        return self._session.show.struct(list(events_of(self._session, quote_id, period, who)))

    @property
    def _deployed(self) -> Any:
        return self._session.deployment.market

    def _rows(self, kind: str, key: str, structs: Mapping[Any, Any]) -> Any:
        """Structs as a table, with what they are found by in the first column."""
        return self._session.show.struct(
            [namedtuple(kind, (key, *one._fields))(found, *one) for found, one in structs.items()]  # type: ignore[misc]
        )

    def bills(self) -> Any:
        """Every household's bill so far, as a table; `household.bill?` says what its columns are."""
        return bills(self._session, self.households.values())


def _fund(party: Party) -> None:
    party.deposit(FUNDS // units.PENCE)
