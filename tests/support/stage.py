"""A market with role-named actors and short ways to bring it to any state; used by the unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boa

from wattproof.evm.engine import state_digest
from wattproof.market.clock import Clock
from wattproof.market.deployment import Deployment, Tariff, deploy, fund
from wattproof.market.meters import Meter, reading_hash
from wattproof.terms.model import Phase

NOON = 1_750_000_000 // 1800 * 1800
"""A fixed time at which a period starts, in seconds: tests do not depend on the day they run."""

TARIFF = Tariff(sbp=60, ssp=180, service_fee=2, priority_step=500)
"""Small round prices in base units per Wh; the price band is [62, 178]."""

FUNDS = 10**12
"""Base units that every household starts with: enough for any trade of the unit tests."""

CAPACITY = 2**24 - 1
"""What every household's connection carries in a period, in Wh, unless a test says otherwise: the most."""

SALT = bytes(range(32))


@dataclass(frozen=True)
class Household:
    """A user with its meter."""

    name: str
    address: str
    meter: Meter
    profile: bytes


def kept(seal: bytes) -> bytes:
    """What the market keeps of a seal, as its views tell it: the last 34 bits are zero (T-BID-17)."""
    return (int.from_bytes(seal, "big") >> 34 << 34).to_bytes(32, "big")


class Stage:
    """A deployed market with a prosumer and two consumers, registered, authorised and funded.

    Times move forward only. Methods act through the market's own calls and return what the call returns, so that
    a test reads as the history that it plays.
    """

    def __init__(self, tariff: Tariff = TARIFF) -> None:
        boa.env.timestamp = NOON
        self.tariff = tariff
        self.deployment: Deployment = deploy(tariff, show=None)
        self.market: Any = self.deployment.market
        self.token: Any = self.deployment.token
        self.owner = self.deployment.owner
        self.supplier = self.deployment.supplier
        self.stranger = str(boa.env.generate_address("stranger"))
        self.clock = Clock(tariff.period_length, tariff.window)
        self.period = NOON // tariff.period_length + 4
        self.prosumer = self.household("prosumer")
        self.consumer = self.household("consumer")
        self.neighbour = self.household("neighbour")

    # ---- households -----------------------------------------------------------------

    def unregistered(self, name: str) -> Household:
        """A household that the market has never heard of."""
        return Household(name, str(boa.env.generate_address(name)), Meter(name), name.encode().ljust(32, b"."))

    def register(self, household: Household) -> Household:
        """Registers a household with its meter's signature."""
        signature = household.meter.sign_pairing(self.market, household.address, household.profile)
        self.market.register(household.profile, household.meter.address, signature, sender=household.address)
        return household

    def household(self, name: str, funds: int = FUNDS, capacity: int = CAPACITY) -> Household:
        """A new household, registered, authorised with that capacity and with `funds` base units deposited."""
        household = self.register(self.unregistered(name))
        self.market.authorize(household.address, capacity, sender=self.owner)
        if funds:
            self.fund(household.address, funds)
        return household

    def fund(self, account: str, amount: int) -> None:
        """Deposits `amount` base units of fresh credit for `account`."""
        fund(self.deployment, account, amount)

    # ---- time -----------------------------------------------------------------------

    def to(self, phase: Phase | str, period: int | None = None) -> None:
        """Moves to the first second of `phase` of `period` (default: the stage's period)."""
        self.clock.to(phase, self.period if period is None else period)

    def before(self, phase: Phase | str, period: int | None = None) -> None:
        """Moves to the last second before `phase` of `period`."""
        self.clock.now = self.clock.begins(phase, self.period if period is None else period) - 1

    # ---- a trade, step by step --------------------------------------------------------

    def quote(
        self, volume: int = 1000, price: int = 100, prosumer: Household | None = None, period: int | None = None
    ) -> int:
        """A prosumer quotes `volume` Wh at `price`; returns the quote's ID."""
        seller = prosumer or self.prosumer
        return self.market.submit_quote(self.period if period is None else period, volume, price, sender=seller.address)

    def seal(self, quote_id: int, bidder: Household, price: int, volume: int, salt: bytes = SALT) -> bytes:
        """The seal of a bid, computed by the market."""
        return self.market.seal_of(quote_id, bidder.address, price, volume, salt)

    def bid(self, quote_id: int, bidder: Household, price: int, volume: int, salt: bytes = SALT) -> None:
        """`bidder` hands in a sealed bid."""
        seal = self.seal(quote_id, bidder, price, volume, salt)
        self.market.submit_bid(quote_id, seal, sender=bidder.address)

    def reveal(self, quote_id: int, bidder: Household, price: int, volume: int, salt: bytes = SALT) -> None:
        """`bidder` opens its bid."""
        self.market.reveal_bid(quote_id, price, volume, salt, sender=bidder.address)

    def auction(self, quote_id: int, *bids: tuple[Household, int, int]) -> None:
        """Seals, opens and matches bids `(bidder, price, volume)`; ends in the first second of MATCHING."""
        period = self.market.quote(quote_id).period
        for bidder, price, volume in bids:
            self.bid(quote_id, bidder, price, volume)
        self.to("REVEALING", period)
        for bidder, price, volume in bids:
            self.reveal(quote_id, bidder, price, volume)
        self.to("MATCHING", period)
        self.market.match_bids(quote_id)

    def read(self, household: Household, exported: int, imported: int, period: int | None = None) -> None:
        """The household's meter reports; the period must be in METERING."""
        period = self.period if period is None else period
        # Not `sign_reading`, which refuses what no meter measures: the market takes it.
        signature = household.meter.sign(reading_hash(household.address, period, exported, imported), self.market)
        self.market.submit_reading(household.address, period, exported, imported, signature)

    def trade(
        self,
        volume: int = 1000,
        price: int = 100,
        exported: int | None = None,
        imported: int | None = None,
        period: int | None = None,
    ) -> int:
        """One quote, wholly bought by the consumer at `price`, metered and settled by the owner; returns its ID.

        `exported` and `imported` default to `volume`; ends in the first second of SETTLING.
        """
        period = self.period if period is None else period
        quote_id = self.quote(volume, price, period=period)
        self.auction(quote_id, (self.consumer, price, volume))
        self.to("METERING", period)
        self.read(self.prosumer, volume if exported is None else exported, 0, period)
        self.read(self.consumer, 0, volume if imported is None else imported, period)
        self.to("SETTLING", period)
        self.market.settle_quote(quote_id, sender=self.owner)
        for household in (self.prosumer, self.consumer):
            self.market.settle_account(household.address, period, sender=self.owner)
        return quote_id

    def earn(self, performances: int) -> None:
        """Gives prosumer and consumer `performances` good performances each, by playing as many small trades.

        Time moves on; the stage's period becomes one that can be quoted.
        """
        for _ in range(performances):
            self.trade(volume=1, price=self.tariff.lowest_price, period=self.clock.next_quotable())
        self.period = self.clock.next_quotable() + 1

    # ---- what happened ------------------------------------------------------------------

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The market's own events of the last call, in order: name and arguments.

        Ask before any other call, even of a view: titanoboa keeps the last call's events only.
        """
        logs = []
        for event in self.market.get_logs():
            arguments = event._asdict()
            if arguments.pop("address") == self.market.address:
                logs.append((type(event).__name__, arguments))
        return logs

    def account(self, who: Household | str) -> Any:
        """The market's account of a household or address."""
        return self.market.account(getattr(who, "address", who))

    # ---- settling and what it comes to ------------------------------------------------

    def settle(self, quote_id: int, *households: Household, sender: str | None = None) -> None:
        """`sender` (default: the owner) settles a quote and then the households' accounts of its period."""
        period = self.market.quote(quote_id).period
        self.market.settle_quote(quote_id, sender=sender or self.owner)
        for household in households:
            self.market.settle_account(household.address, period, sender=sender or self.owner)

    def money(self, who: Household | str) -> tuple[int, int]:
        """What a party has in the market, in base units: free and reserved."""
        account = self.account(who)
        return account.balance, account.reserved

    def standing(self, who: Household | str) -> tuple[int, int, int, int]:
        """A user's good performances, defaults, waivers in hand and tier."""
        account = self.account(who)
        return account.performances, account.defaults, account.waivers, account.tier

    def assert_books_balance(self, *others: Household | str) -> None:
        """Fails unless the market holds what the stage's parties and `others` own, to the last unit (T-MON-23)."""
        parties = {
            str(getattr(party, "address", party))
            for party in (self.owner, self.supplier, self.prosumer, self.consumer, self.neighbour, *others)
        }
        owned = sum(sum(self.money(party)) for party in parties)
        assert self.token.balanceOf(self.market.address) == owned

    # ---- refusals, raw calls and the sum of all money -----------------------------------

    @contextmanager
    def refuses(self, reason: str) -> Iterator[None]:
        """The block's call is refused with exactly `reason`, and nothing in the market's storage changes (T-GUA-7)."""
        before = state_digest(boa.env, self.market)
        with boa.reverts(reason):
            yield
        assert state_digest(boa.env, self.market) == before

    def raw(self, data: bytes, sender: str | None = None, value: int = 0, to: Any = None) -> tuple[bool, bytes]:
        """A call of `data` to the market, or to the contract `to`: whether it succeeded, and what it answered.

        A refusal without a reason answers nothing.
        """
        sender = sender or self.stranger
        if value:
            boa.env.set_balance(sender, boa.env.get_balance(sender) + value)
        address = (to or self.market).address
        computation = boa.env.execute_code(to_address=address, data=data, sender=sender, value=value)
        return computation.is_success, bytes(computation.output)

    def invoice(self, household: Household, exported: int = 0, imported: int = 0, period: int | None = None) -> None:
        """Meters and settles a household that did not trade, so that its invoice account moves.

        By `exported * SBP` up or `imported * SSP` down; ends in the first second of SETTLING of `period`.
        """
        period = self.period if period is None else period
        self.to("METERING", period)
        self.read(household, exported, imported, period)
        self.to("SETTLING", period)
        self.market.settle_account(household.address, period, sender=self.owner)
