"""A community whose every transaction is signed, sent, checked and weighed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from verification.builds import SHIPPED, Build, suite
from verification.gas.chain import CHAIN_ID, Chain, Parties, Receipt
from verification.harness.driver import Driver
from wattproof.market.deployment import Tariff, frame
from wattproof.market.symbolic import on_chain

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


class Bid(NamedTuple):
    """A bid: price in base units per Wh, volume in Wh."""

    bidder: str
    price: int
    volume: int


class Report(NamedTuple):
    """What a meter says of a period: energies in Wh."""

    name: str
    exported: int
    imported: int


EVENTS = {
    "register": "Registered",
    "authorize": "Authorized",
    "revoke": "Revoked",
    "deposit": "Deposited",
    "withdraw": "Withdrawn",
    "withdraw_at_least": "Withdrawn",
    "submit_quote": "QuoteSubmitted",
    "invalidate_quote": "QuoteInvalidated",
    "submit_bid": "BidSealed",
    "reveal_bid": "BidRevealed",
    "match_bids": "QuoteMatched",
    "buy_surplus": "SurplusBought",
    "submit_reading": "ReadingSubmitted",
    "submit_readings": "ReadingSubmitted",
    "settle_quote": "QuoteSettled",
    "settle_account": "AccountSettled",
    "settle_accounts": "AccountSettled",
}
"""What each call logs whatever comes of it, batches once for every entry."""


class Community(Driver[Receipt]):
    """A market with its token, its lens, owner, supplier and households on a chain, each call a transaction.

    Events that were not expected, or expected ones that are missing, raise Unexpected.
    """

    def __init__(
        self,
        chain: Chain,
        tariff: Tariff = Tariff(),
        tick: Callable[[], None] = lambda: None,
        setting: str = SHIPPED,
        contracts: Path | None = None,
    ) -> None:
        """Deploys the contracts, built by `setting`, and from the sources in the folder `contracts` where it is given.

        `tick` is called after every transaction of the market.
        """
        self.backend, self.chain = chain, CHAIN_ID
        self.tariff = tariff
        self.people = Parties()
        token, market, lens = suite(setting, contracts)
        self._token, self._market = token.interface, market.interface
        self._tick = tick
        self._quotes = 0
        self.receipts: list[tuple[str, Receipt]] = []
        self.token = self.create(token)
        self.target = self.create(market, self.token, self.address("supplier"), *frame(tariff))
        self.lens = self.create(lens, self.target)

    # ---- what a driver asks for ---------------------------------------------------------

    @property
    def now(self) -> int:
        return self.backend.now

    def at(self, second: int) -> None:
        self.backend.now = second

    def address(self, name: str) -> str:
        return self.people[name].address

    def call(self, function: str, *args: Any, sender: str, **events: int) -> Receipt:
        """A call of the market, which must log exactly its own event and these others: name -> how often."""
        data = self._market.call(function, *on_chain(self.resolved(args)))
        receipt = self._noted(function, self.backend.send(self.people[sender], self.target, data))
        expected = Counter(events)
        if function in EVENTS:
            expected[EVENTS[function]] += len(args[-1]) if isinstance(args[-1], list) else 1
        here = bytes.fromhex(self.target[2:])
        logged = Counter(self._market.events[topics[0]].name for emitter, topics, _ in receipt.logs if emitter == here)
        if logged != expected:
            raise Unexpected(f"{function} by {sender} logged {dict(logged)}, not {dict(expected)}")
        return receipt

    def _noted(self, name: str, receipt: Receipt) -> Receipt:
        self.receipts.append((name, receipt))
        self._tick()
        return receipt

    # ---- what is beside the market, or has a number or a batch -----------------------------

    def create(self, built: Build, *arguments: Any) -> str:
        """Deploys a contract, for which the owner pays; returns its address."""
        if built.free < 0:
            raise Unexpected(f"{built.contract} is {-built.free:,} bytes above what a chain takes (EIP-170)")
        data = built.creation + built.interface.constructor(*arguments)
        return self._noted(built.contract, self.backend.send(self.people["owner"], None, data)).created or ""

    def mint(self, name: str, amount: int) -> None:
        """Turns ether of a party into credits that the market may take, this time only."""
        self.backend.send(self.people[name], self.token, self._token.call("mint"), value=amount)
        self.approve(name, amount)

    def approve(self, name: str, amount: int) -> None:
        """Has the market take credits of a party, this time only."""
        self.backend.send(self.people[name], self.token, self._token.call("approve", self.target, amount))

    def quote(self, prosumer: str, period: int, volume: int, price: int) -> tuple[int, Receipt]:
        """A prosumer quotes; the quote's number comes first."""
        self._quotes += 1
        return self._quotes, self.call("submit_quote", period, volume, price, sender=prosumer)

    def match(self, quote: int, winners: int, losers: int) -> Receipt:
        """A stranger matches a quote."""
        return self.call("match_bids", quote, sender="supplier", BidConfirmed=winners, BidRejected=losers)

    def read_all(self, period: int, reports: Sequence[Report]) -> Receipt:
        """The owner brings many readings in one transaction."""
        readings = [(*report, self.reading(report.name, period, *report[1:])) for report in reports]
        return self.call("submit_readings", period, readings, sender="owner")
