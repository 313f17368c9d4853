"""The people of a market to play with: households with their meters, the management node, the supplier.

Amounts are typed as people say them: kWh, p/kWh and pence. A number with a decimal point is read digit by digit, as it
was typed, so that 0.1 is a tenth exactly.
"""

from __future__ import annotations

import functools
import hashlib
import operator
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Self, SupportsIndex

from wattproof.market import units
from wattproof.market.deployment import give
from wattproof.market.meters import Meter
from wattproof.play.bills import bill_of
from wattproof.play.session import Session
from wattproof.play.slips import in_one_line, meant, no_such
from wattproof.simulation.plausibility import LARGEST_CONNECTION, wh
from wattproof.terms.model import Phase, QuoteStatus

Number = int | str | Decimal | float


def exact(number: Number) -> int | str | Decimal:
    """A number as it was typed: 0.1 becomes the decimal 0.1, not the binary fraction nearest to it.

    So do those of numpy, whose floats of 64 bits are floats, too. What is no number is left to who needs one.
    """
    if isinstance(number, float):
        return Decimal(repr(float(number)))
    # A bool would become 0 or 1.
    return operator.index(number) if isinstance(number, SupportsIndex) and not isinstance(number, bool) else number


@in_one_line
class BoundMeter(Meter):
    """A household's meter."""

    def __init__(self, seed: str, user: Household, session: Session) -> None:
        super().__init__(seed)
        self._user, self._session = user, session

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise no_such(f"{self._user.name}'s meter", name, dir(self))

    def sign_pairing(self, market: Any, user: str, profile: bytes | str, chain_id: int | None = None) -> bytes:
        """Signs that it belongs to a user, by name or address, in a market. Raises as `Meter.sign_pairing` does."""
        return super().sign_pairing(market, self._session.address(user), profile, chain_id)

    def sign_reading(
        self, market: Any, user: str, period: int, exported: int, imported: int, chain_id: int | None = None
    ) -> bytes:
        """Signs a reading in Wh of a user, by name or address. Raises as `Meter.sign_reading` does."""
        return super().sign_reading(market, self._session.address(user), period, exported, imported, chain_id)

    def read(self, exported: Number = 0, imported: Number = 0, period: int | None = None) -> None:
        """Signs and submits a reading: what was exported and imported in the period, by default the clock's current
        one, in kWh. It is final, so ValueError for more than the connection carries."""
        market = self._session.market
        period = self._session.clock.current() if period is None else period
        for name, number in (("exported", exported), ("imported", imported)):
            if str(number).startswith("-"):
                raise ValueError(f"{name} is negative: {number} (export and import are two figures, each 0 or more)")
        out, into = (self._user.carried(energy, "a register, or Wh") for energy in (exported, imported))
        signature = self.sign_reading(self._session.deployment.market, self._user, period, out, into)
        market.submit_reading(self._user, period, out, into, signature)


@in_one_line
class Party(str):
    """An address with a name, and with an account in the market. Serves wherever an address or `sender=` is asked."""

    name: str
    _session: Session

    def __new__(cls, name: str, address: str, session: Session) -> Self:
        party = super().__new__(cls, address)
        party.name, party._session = name, session
        session.names[address] = name
        return party

    @property
    def _market(self) -> Any:
        return self._session.market

    def __repr__(self) -> str:
        return f"<{self.name} {self!s}>"

    def __copy__(self) -> Self:
        return self  # There is one of each.

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __dir__(self) -> Iterable[str]:
        """What a party does; it is a text, too, whose many methods nobody looks for."""
        return sorted({*object.__dir__(self)} - {*dir(str)})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise no_such(self.name, name, dir(self))

    def deposit(self, pence: Number) -> None:
        """Buys credit for `pence` and deposits it."""
        amount = units.pence(exact(pence))
        give(self._session.deployment, str(self), amount, allowance=amount)
        self._session.made(self._session.deployment.token)
        self._market.deposit(amount, sender=self)

    def withdraw(self, pence: Number | None = None) -> None:
        """Withdraws `pence`, or all that is free once the account is cleared."""
        if pence is None:
            self._market.clear(self, sender=self)
            self._market.withdraw(self._market.account(self).balance, sender=self)
        else:
            self._market.withdraw(units.pence(exact(pence)), sender=self)

    def account(self) -> Any:
        """What the market knows of this party."""
        return self._session.market.account(self)


@in_one_line
class Household(Party):
    """A registered household with its meter. Energy is typed in kWh, prices in p/kWh, sums in pence.

    quote, invalidate      offers energy, and takes that back
    bid, reveal, buy       seals a bid on a quote, opens it, buys what a matched quote has left
    meter.read             reports what flowed
    position, bill         what it bought and delivered in a period; what all came to
    account                its money in the market, its connection and its record
    deposit, withdraw      moves money

    `household.bid?` explains one of them. As a text it is its address.
    """

    meter: BoundMeter

    def carried(self, kwh: Number, otherwise: str) -> int:
        """`kwh` in Wh. ValueError, asking whether it is something `otherwise`, where the connection does not carry that
        much in a period."""
        energy, capacity = units.kwh(exact(kwh)), self._market.account(self).capacity
        if energy > capacity:
            shown = self._session.show.display.energy
            raise ValueError(
                f"{shown(energy)} is more than {self.name}'s connection carries in a period, "
                f"{shown(capacity)}: is this {otherwise}?"
            )
        return energy

    def quote(self, kwh: Number, price: Number, period: int | None = None) -> int:
        """Quotes `kwh` at `price` p/kWh for the next period that is open (or `period`); returns the quote's ID."""
        period = self._session.clock.next_quotable() if period is None else period
        return self._market.submit_quote(period, units.kwh(exact(kwh)), units.pence_per_kwh(exact(price)), sender=self)

    def invalidate(self, quote_id: int) -> None:
        """Takes a quote back."""
        self._market.invalidate_quote(quote_id, sender=self)

    def bid(self, quote_id: int, kwh: Number, price: Number) -> None:
        """Seals a bid for `kwh` at `price` p/kWh and remembers what is in it. ValueError for more than the connection
        carries, and for what the quote does not take: the market would see that only when it is opened, and takes no
        other bid."""
        volume, rate = self.carried(kwh, "Wh"), units.pence_per_kwh(exact(price))
        quote, highest = self._market.quote(quote_id), self._session.deployment.tariff.highest_price
        show = self._session.show.display
        if quote.volume and not 0 < volume <= quote.volume:
            raise ValueError(
                f"{show.energy(volume)} could never be opened: quote {quote_id} is of {show.energy(quote.volume)}"
            )
        if quote.volume and not quote.price <= rate <= highest:
            raise ValueError(
                f"{show.price(rate)} could never be opened: a bid on quote {quote_id} is from "
                f"{show.price(quote.price)} to {show.price(highest)}"
            )
        salt = hashlib.sha256(f"{self} {quote_id}".encode()).digest()  # Secret enough for play, not for money.
        self._market.submit_bid(quote_id, self._market.seal_of(quote_id, self, rate, volume, salt), sender=self)
        self._sealed[quote_id] = (rate, volume, salt)

    def reveal(self, quote_id: int) -> None:
        """Opens the bid on a quote. ValueError where this household has sealed none here."""
        if quote_id not in list(self._sealed):  # A list bears what cannot be a key, too.
            others = ", ".join(map(str, self._sealed))
            raise ValueError(
                f"{self.name} has sealed no bid on quote {quote_id}" + (f", but on {others}" if others else "")
            )
        self._market.reveal_bid(quote_id, *self._sealed[quote_id], sender=self)

    def buy(self, quote_id: int, kwh: Number | None = None) -> None:
        """Buys `kwh` of what a matched quote has left, or all of it, at the quote's price.

        While MATCHING that is what was not sold of the quote, while METERING, once its prosumer's meter was read, what
        was exported beyond its sales. The least is a 64th of what was quoted, or exported, or else all that is left.
        """
        volume = int(self._market.remaining(quote_id)) if kwh is None else units.kwh(exact(kwh))
        self._market.buy_surplus(quote_id, volume, sender=self)

    def position(self, period: int | None = None) -> Any:
        """What this household bought, received and delivered in a period, by default the clock's current one."""
        session = self._session
        return session.market.position(self, session.clock.meant(period))

    def bill(self) -> Any:
        """What its energy and money came to so far, beside what the grid alone would have cost.

        imported, exported   what its meter reported
        bought, sold         what it received from neighbours, and delivered to them
        paid, earned, fees   for that, to and from neighbours, and to the management node
        compensated          what it received of neighbours who did not deliver
        compensation         what it paid itself for what it did not deliver
        grid                 of the supplier for all other energy; below 0 it owes that
        market               all of it together: below 0 the household earned more than it paid
        grid_alone, saving   what the grid alone would have cost, and what is left of that

        Each is a whole number of Wh or base units, of which a penny has 10**16.
        """
        return bill_of(self._session, self)

    @functools.cached_property
    def _sealed(self) -> dict[int, tuple[int, int, bytes]]:
        return {}


@in_one_line
class Households(dict[str, Household]):
    """Households by the names that they have in the file."""

    def __missing__(self, name: object) -> Household:
        near = meant(str(name), self)
        raise KeyError(f"there is no household {name!r}: {near or 'list(households) names them'}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"households has no {name!r}: write households[{name!r}]")


@in_one_line
class Owner(Party):
    """The management node."""

    def authorize(self, user: str, kwh: Number | None = None) -> None:
        """Authorises a registered user with a connection that carries `kwh` in a period, or raises what it carries.

        Without `kwh` it gives back an authorisation that was lost, with the capacity that the user had. ValueError for
        more than a low-voltage grid brings: a capacity cannot fall again.
        """
        capacity = self._market.account(user).capacity if kwh is None else units.kwh(exact(kwh))
        largest = wh(LARGEST_CONNECTION, self._session.deployment.tariff.period_length)
        if kwh is not None and capacity > largest:
            shown = self._session.show.display.energy
            raise ValueError(
                f"{shown(capacity)} in a period is more than a low-voltage grid brings, "
                f"{shown(largest)}: is this Wh? If not: market.authorize(user, {capacity}, sender=owner)"
            )
        self._market.authorize(user, capacity, sender=self)

    def settle(self, period: int | None = None) -> None:
        """Settles all matched quotes of a period, by default the clock's current one, then every account that there
        is something to settle for. Says so where there is nothing, and what is in the way."""
        market, settled, unmatched = self._market, 0, []
        period = self._session.clock.meant(period)
        for quote_id in range(1, market.quote_count() + 1):
            quote = market.quote(quote_id)
            if quote.period == period and quote.status == QuoteStatus.MATCHED:
                market.settle_quote(quote_id, sender=self)
                settled += 1
            elif quote.period == period and quote.status == QuoteStatus.VALID:
                unmatched.append(f"market.match_bids({quote_id})")
        for household in self.households:
            position = market.position(household, period)
            if not position.settled and (position.bought or market.reading(household, period).present):
                market.settle_account(household, period, sender=self)
                settled += 1
        if not settled:
            print(self._idle(period, unmatched))

    def _idle(self, period: int, unmatched: list[str]) -> str:
        """Why there is nothing to settle in a period."""
        clock, show = self._session.clock, self._session.show
        said, phase = f"nothing to settle in period {show.period(period)}", clock.phase(period)
        if unmatched:
            said += f": match its quotes first, {', '.join(unmatched)}"
        if phase < Phase.SETTLING:
            said += f"; it is in {phase.name}, and SETTLING begins at {clock.begins(Phase.SETTLING, period)}"
        elif not unmatched and any(self._market.position(household, period).settled for household in self.households):
            said += ": all of it is settled"
        if phase >= Phase.SETTLING and period != clock.current():
            said += f"; where none is named, it is {clock.current()}"
        return said

    @functools.cached_property
    def households(self) -> list[Household]:
        """Every household of the session."""
        return []
