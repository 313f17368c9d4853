"""A community whose every transaction is signed, sent, checked and weighed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from verification.builds import SHIPPED, Build, suite
from verification.gas.chain import CHAIN_ID, Chain, Party, Receipt
from wattproof.market.clock import Clock
from wattproof.market.deployment import Tariff, frame
from wattproof.market.meters import Meter
from wattproof.market.seals import seal_of
from wattproof.terms.model import Phase

START = 1_750_000_000 // 1800 * 1800
"""The second at which every history begins."""

CREDITS = 10**21
"""Base units that a household turns into credits and deposits at first: a thousand credits."""

CAPACITY = 11_500
"""Wh in half an hour through a household's connection: 100 A at 230 V."""

LARGEST_CAPACITY = 2**24 - 1
"""Wh in a period through the largest connection that the market takes."""


class Unexpected(RuntimeError):
    """A transaction did something else than the history is designed for, so that its gas would mean nothing."""


class Household(Party):
    """A household with its meter and the capacity of its connection, in Wh a period."""

    def __init__(self, name: str, capacity: int = CAPACITY) -> None:
        super().__init__(name)
        self.capacity = capacity
        self.meter = Meter(name)
        self.profile = hashlib.sha256(f"profile {name}".encode()).digest()


@dataclass(frozen=True)
class Bid:
    """A bid: price in base units per Wh, volume in Wh."""

    bidder: Household
    price: int
    volume: int

    @property
    def salt(self) -> bytes:
        """32 bytes that hide the bid."""
        return keccak(text=f"salt {self.bidder.name} {self.price} {self.volume}")


@dataclass(frozen=True)
class Report:
    """What a meter says of a period: energies in Wh."""

    household: Household
    exported: int
    imported: int


class Community:
    """A market with its token, its lens, owner, supplier and households on a chain.

    Every method is one transaction of each party it names, and returns the receipts. Events that were not expected, or
    expected ones that are missing, raise Unexpected.
    """

    def __init__(
        self,
        chain: Chain,
        tariff: Tariff = Tariff(),
        tick: Callable[[], None] = lambda: None,
        setting: str = SHIPPED,
    ) -> None:
        self.chain = chain
        self.tariff = tariff
        self.owner = Party("owner")
        self.supplier = Party("supplier")
        token, market, lens = suite(setting)
        self._token, self._market = token.interface, market.interface
        self._tick = tick
        self._quotes = 0
        self.receipts: list[tuple[str, Receipt]] = []
        self.token = self.create(token)
        self.market = self.create(market, self.token, self.supplier.address, *frame(tariff))
        self.lens = self.create(lens, self.market)

    # ---- transactions -------------------------------------------------------------------

    def create(self, built: Build, *arguments: Any) -> str:
        """Deploys a contract, for which the owner pays; returns its address."""
        if built.free < 0:
            raise Unexpected(f"{built.contract} is {-built.free:,} bytes above what a chain takes (EIP-170)")
        data = built.creation + built.interface.constructor(*arguments)
        return self._noted(built.contract, self.chain.send(self.owner, None, data)).created or ""

    def send(self, sender: Party, function: str, *arguments: Any, **events: int) -> Receipt:
        """A call of the market, which must log exactly these events: name -> how often."""
        data = self._market.call(function, *arguments)
        receipt = self._noted(function, self.chain.send(sender, self.market, data))
        here = (log for log in receipt.logs if log.address == self.market)
        logged = Counter(self._market.events[log.topics[0]].name for log in here)
        if logged != Counter(events):
            raise Unexpected(f"{function} by {sender} logged {dict(logged)}, not {events}")
        return receipt

    def _noted(self, name: str, receipt: Receipt) -> Receipt:
        self.receipts.append((name, receipt))
        self._tick()
        return receipt

    # ---- users and money ----------------------------------------------------------------

    def register(self, household: Household) -> Receipt:
        """Registers a household with its meter's signature."""
        signature = household.meter.sign_pairing(self.market, household.address, household.profile, CHAIN_ID)
        return self.send(household, "register", household.profile, household.meter.address, signature, Registered=1)

    def authorize(self, household: Household) -> Receipt:
        """The owner lets a household trade, as far as its connection goes."""
        return self.send(self.owner, "authorize", household.address, household.capacity, Authorized=1)

    def mint(self, party: Party, amount: int) -> None:
        """Turns ether of a party into credits that the market may take, this time only."""
        self.chain.send(party, self.token, self._token.call("mint"), value=amount)
        self.chain.send(party, self.token, self._token.call("approve", self.market, amount))

    def deposit(self, party: Party, amount: int) -> Receipt:
        """Deposits credits that were minted before."""
        return self.send(party, "deposit", amount, Deposited=1)

    # ---- time ---------------------------------------------------------------------------

    def next_period(self) -> int:
        """The first delivery period whose bidding is open for another half-hour at least."""
        length = self.tariff.period_length
        return (self.chain.now + 2 * self.tariff.window + length) // length + 1

    def to(self, phase: Phase, period: int) -> None:
        """Waits for the second at which a phase of a period begins."""
        begins = Clock(self.tariff.period_length, self.tariff.window).begins(phase, period)
        if begins < self.chain.now:
            raise Unexpected(f"{phase} of period {period} began {self.chain.now - begins} s ago")
        self.chain.now = begins

    # ---- the auction --------------------------------------------------------------------

    def quote(self, prosumer: Household, period: int, volume: int, price: int) -> tuple[int, Receipt]:
        """A prosumer quotes; the quote's number comes first."""
        self._quotes += 1
        return self._quotes, self.send(prosumer, "submit_quote", period, volume, price, QuoteSubmitted=1)

    def bid(self, quote: int, bid: Bid) -> Receipt:
        """A bidder hands in its seal."""
        seal = seal_of(CHAIN_ID, self.market, quote, bid.bidder.address, bid.price, bid.volume, bid.salt)
        return self.send(bid.bidder, "submit_bid", quote, seal, BidSealed=1)

    def reveal(self, quote: int, bid: Bid) -> Receipt:
        """A bidder opens its bid."""
        return self.send(bid.bidder, "reveal_bid", quote, bid.price, bid.volume, bid.salt, BidRevealed=1)

    def match(self, quote: int, winners: int, losers: int) -> Receipt:
        """A stranger matches a quote."""
        events = Counter(QuoteMatched=1, BidConfirmed=winners, BidRejected=losers)
        return self.send(self.supplier, "match_bids", quote, **events)

    def buy(self, quote: int, household: Household, volume: int) -> Receipt:
        """A household buys a part of what a quote has left."""
        return self.send(household, "buy_surplus", quote, volume, SurplusBought=1)

    # ---- readings and settlement --------------------------------------------------------

    def _signature(self, period: int, report: Report) -> bytes:
        return report.household.meter.sign_reading(
            self.market, report.household.address, period, report.exported, report.imported, CHAIN_ID
        )

    def read(self, period: int, report: Report) -> Receipt:
        """A household brings its meter's reading."""
        user, signature = report.household, self._signature(period, report)
        return self.send(
            *(user, "submit_reading", user.address, period, report.exported, report.imported, signature),
            ReadingSubmitted=1,
        )

    def read_all(self, period: int, reports: Sequence[Report]) -> Receipt:
        """The owner brings many readings in one transaction."""
        readings = [
            (report.household.address, report.exported, report.imported, self._signature(period, report))
            for report in reports
        ]
        return self.send(self.owner, "submit_readings", period, readings, ReadingSubmitted=len(readings))

    def settle(self, quote: int, **events: int) -> Receipt:
        """The owner settles a quote."""
        return self.send(self.owner, "settle_quote", quote, QuoteSettled=1, **events)

    def settle_account(self, period: int, household: Household, **events: int) -> Receipt:
        """The owner settles one account."""
        return self.send(self.owner, "settle_account", household.address, period, AccountSettled=1, **events)

    def settle_own_account(self, period: int, household: Household, **events: int) -> Receipt:
        """A household settles its account itself, as anybody may once the owner's turn is over."""
        return self.send(household, "settle_account", household.address, period, AccountSettled=1, **events)

    def settle_accounts(self, period: int, households: Sequence[Household], **events: int) -> Receipt:
        """The owner settles many accounts in one transaction."""
        users = [household.address for household in households]
        return self.send(self.owner, "settle_accounts", period, users, AccountSettled=len(users), **events)
