"""The steps of a market's day, in one place; who carries the calls out is left to those who play one.

`Lockstep` has contract and model make each call, the runs and the arena of tests/properties the contract alone, the
histories of `verification.differential` the model alone, and the community of `verification.gas` sends transactions.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from verification.harness.meter_contracts import DELEGATED
from wattproof.market.abi import each
from wattproof.market.clock import Clock
from wattproof.market.deployment import Tariff
from wattproof.market.symbolic import Signed, meter, salt_of, seal_bytes
from wattproof.terms.model import Phase

STRANGER = "stranger"


Done = TypeVar("Done")
"""What came of a call."""


class Driver(abc.ABC, Generic[Done]):
    """A market that is played: people and meters go by name, meters' signatures are `Signed`.

    target, chain   the market's address and the chain's ID, as they stand in what is sealed and signed
    coded           whose meter has code, and the name of that meter (see `meter_contracts`)
    """

    coded: Mapping[str, str] = MappingProxyType({})

    tariff: Tariff
    target: str
    chain: int

    @property
    @abc.abstractmethod
    def now(self) -> int:
        """The block's time, in seconds."""

    @abc.abstractmethod
    def at(self, second: int) -> None:
        """Moves time forward to `second`."""

    @abc.abstractmethod
    def address(self, name: str) -> str:
        """The address that goes by that name."""

    @abc.abstractmethod
    def call(self, function: str, *args: Any, sender: str) -> Done:
        """Makes a call of the market. Arguments are ints, bytes, names of people, `Signed`, or lists and tuples."""

    def resolved(self, args: Sequence[Any]) -> list[Any]:
        """The arguments with the addresses of people for their names."""
        return [each(arg, self._resolved) for arg in args]

    def _resolved(self, arg: Any) -> Any:
        return self.address(arg) if isinstance(arg, str) and not arg.startswith("0x") else arg

    # ---- time ------------------------------------------------------------------------

    def _clock(self) -> Clock:
        return Clock(self.tariff.period_length, self.tariff.window)

    def next_period(self, now: int | None = None) -> int:
        """The first period that is still in BIDDING at the second `now`, by default the block's time."""
        return self._clock().next_quotable(self.now if now is None else now)

    def begins(self, phase: Phase, period: int) -> int:
        """The second at which a phase of a period begins; ValueError for BIDDING, which has no beginning."""
        return self._clock().begins(phase, period)

    def to(self, phase: Phase, period: int) -> None:
        """To the first second of a phase of a period, unless it has begun."""
        self.at(max(self.begins(phase, period), self.now))

    # ---- arguments -------------------------------------------------------------------

    def pairing(self, name: str, profile: bytes | None = None, meter_of: str | None = None, **other: Any) -> Signed:
        """The signature that pairs a household with a meter; `other`: market, chain or form."""
        return self._signed("Pairing", name, meter_of, (profile_of(name) if profile is None else profile,), other)

    def reading(
        self, name: str, period: int, exported: int, imported: int, meter_of: str | None = None, **other: Any
    ) -> Signed:
        """A meter's signature of a reading; `other`: market, chain or form."""
        return self._signed("Reading", name, meter_of, (period, exported, imported), other)

    def _signed(
        self, kind: str, name: str, meter_of: str | None, fields: tuple[Any, ...], other: dict[str, Any]
    ) -> Signed:
        where = {"market": self.target, "chain": self.chain} | other
        return Signed(meter_of or self.key(name), kind, (self.address(name), *fields), **where)

    def registration(self, name: str, meter_of: str | None = None, **other: Any) -> tuple[bytes, str, Signed]:
        """What a household registers with; `other` as in `pairing`."""
        return profile_of(name), self.meter(meter_of or name), self.pairing(name, meter_of=meter_of, **other)

    def meter(self, name: str) -> str:
        """The address of the meter of that name, or its own name where it has code."""
        return self.coded.get(name) or meter(name).address

    def key(self, name: str) -> str:
        """The name of the key with which the meter of that name signs; that of who has one with code is another."""
        coded = self.coded.get(name, name)
        return coded if coded.endswith(DELEGATED) else name

    def report(
        self, name: str, period: int, exported: int, imported: int, **other: Any
    ) -> tuple[str, int, int, int, Signed]:
        """What a reading is handed in with; `other` as in `reading`."""
        return name, period, exported, imported, self.reading(name, period, exported, imported, **other)

    def seal(self, quote_id: int, bidder: str, price: int, volume: int, salt: bytes | None = None) -> bytes:
        """The seal of a bid, with the salt of `salt_of` where none is given."""
        salt = salt_of(quote_id, bidder) if salt is None else salt
        return seal_bytes((self.chain, self.target, quote_id, self.address(bidder), price, volume, salt))

    # ---- the steps of a trade ----------------------------------------------------------

    def admit(self, name: str, capacity: int) -> list[Done]:
        """A household registers, and the owner authorises it."""
        registered = self.call("register", *self.registration(name), sender=name)
        return [registered, self.call("authorize", name, capacity, sender="owner")]

    def bid(self, quote_id: int, bidder: str, price: int, volume: int, salt: bytes | None = None) -> Done:
        """A bid is sealed and handed in."""
        return self.call("submit_bid", quote_id, self.seal(quote_id, bidder, price, volume, salt), sender=bidder)

    def reveal(self, quote_id: int, bidder: str, price: int, volume: int, salt: bytes | None = None) -> Done:
        """A bid is opened."""
        salt = salt_of(quote_id, bidder) if salt is None else salt
        return self.call("reveal_bid", quote_id, price, volume, salt, sender=bidder)

    def read(self, name: str, period: int, exported: int, imported: int, sender: str = STRANGER, **other: Any) -> Done:
        """A meter's reading is handed in; `other` as in `reading`."""
        return self.call("submit_reading", *self.report(name, period, exported, imported, **other), sender=sender)

    def trade(
        self, prosumer: str, consumers: Sequence[str], volume: int = 20, exported: int | None = None
    ) -> list[Done]:
        """One period in which `prosumer` sells `volume` Wh to each consumer at the lowest price, and all is settled.

        `exported` defaults to all that was sold; consumers import what they agreed. Ends in SETTLING. Returns what
        came of every call, where that tells the number of the quote.
        """
        period, price, sold = self.next_period(), self.tariff.lowest_price, volume * len(consumers)
        quoted: Any = self.call("submit_quote", period, sold, price, sender=prosumer)
        done, quote_id = [quoted], quoted.result or 0
        done += [self.bid(quote_id, name, price, volume) for name in consumers]
        self.to(Phase.REVEALING, period)
        done += [self.reveal(quote_id, name, price, volume) for name in consumers]
        self.to(Phase.MATCHING, period)
        done.append(self.call("match_bids", quote_id, sender=STRANGER))
        self.to(Phase.METERING, period)
        done.append(self.read(prosumer, period, sold if exported is None else exported, 0))
        done += [self.read(name, period, 0, volume) for name in consumers]
        self.to(Phase.SETTLING, period)
        done.append(self.call("settle_quote", quote_id, sender="owner"))
        done += [self.call("settle_account", name, period, sender="owner") for name in (prosumer, *consumers)]
        return done


def profile_of(name: str) -> bytes:
    """The profile with which a household registers."""
    return name.encode().ljust(32, b".")
