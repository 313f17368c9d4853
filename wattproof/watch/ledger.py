"""What must hold of a market whatever the model says: told from its events and its state alone.

The ledger writes down what events say that everybody has at stake. It goes on where the lockstep is broken. Of the
invariants of invariants.md it checks those that need no more than that: money, energy, one bid, tiers, escrow.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wattproof.market.tariff import Tariff
from wattproof.terms.model import TIER_THRESHOLDS, AccountView, QuoteView, Reading


@dataclass(frozen=True)
class Finding:
    """An invariant that does not hold: `what` is a line with the figures; `call` the place of the call in its block."""

    invariant: str
    what: str
    call: int | None = None


@dataclass
class Offer:
    """A quote that is open.

    bids     by bidder price and volume, None while sealed
    trades   buyer, volume and price, in the order made
    settled  delivered, payment and compensation of the trades that are announced as settled
    """

    prosumer: str
    period: int
    volume: int
    price: int
    exported: int = 0
    bids: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    trades: list[tuple[str, int, int]] = field(default_factory=list)
    settled: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class Ledger:
    """What is at stake in a market, by its events.

    held    by account free money, escrow and invoice account, as the chain's views told last
    good    by user its good performances
    waived  whose fee a waiver has just replaced
    moved   what came into the market less what left it, in the block; `invoiced` what was booked less what was cleared
    """

    tariff: Tariff
    offers: dict[int, Offer] = field(default_factory=dict)
    reserved: Counter[str] = field(default_factory=Counter)
    held: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    good: dict[str, int] = field(default_factory=dict)
    waived: str = ""
    moved: int = 0
    invoiced: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    # ---- events ------------------------------------------------------------------------------

    def feed(self, events: Iterable[tuple[str, Mapping[str, Any]]], call: int) -> None:
        """The events of one call, addresses as text."""
        for name, fields in events:
            act = getattr(self, f"_{name}", None)
            if act is not None:
                act(call, **fields)

    def _holds(self, invariant: str, condition: bool, call: int | None, **figures: Any) -> None:
        self.checks[invariant] += 1
        if not condition:
            told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items())
            self.findings.append(Finding(invariant, told, call))

    def _offer(self, quote_id: int) -> Offer:
        return self.offers.get(quote_id) or Offer("", 0, 0, 0)

    def _Deposited(self, call: int, account: str, amount: int) -> None:
        self.moved += amount

    def _Withdrawn(self, call: int, account: str, amount: int) -> None:
        self.moved -= amount

    def _Cleared(self, call: int, user: str, amount: int) -> None:
        self.invoiced -= amount

    def _QuoteSubmitted(self, call: int, quote_id: int, prosumer: str, period: int, volume: int, price: int) -> None:
        twice = [
            number for number, offer in self.offers.items() if (offer.prosumer, offer.period) == (prosumer, period)
        ]
        self._holds("C4-ONCE-2", not twice, call, quote=quote_id, quotes_of_the_period_before=twice)
        self.offers[quote_id] = Offer(prosumer, period, volume, price)
        self.reserved[prosumer] += self._collateral(volume)

    def _collateral(self, volume: int) -> int:
        return volume * self.tariff.ssp * 10 // 100  # T-QUO-10

    def _QuoteInvalidated(self, call: int, quote_id: int) -> None:
        offer = self._offer(quote_id)
        self.reserved[offer.prosumer] -= self._collateral(offer.volume)
        self.offers.pop(quote_id, None)

    def _BidSealed(self, call: int, quote_id: int, bidder: str, seal: Any) -> None:
        offer = self._offer(quote_id)
        self._holds("C4-ONCE-1", bidder not in offer.bids, call, quote=quote_id, bidder=bidder, bids=2)
        offer.bids.setdefault(bidder, None)

    def _BidRevealed(self, call: int, quote_id: int, bidder: str, price: int, volume: int) -> None:
        self._offer(quote_id).bids[bidder] = price, volume
        self.reserved[bidder] += volume * (price + self.tariff.service_fee)  # T-BID-12

    def _BidConfirmed(self, call: int, quote_id: int, bidder: str, filled: int) -> None:
        offer = self._offer(quote_id)
        price, volume = offer.bids.get(bidder) or (0, 0)
        self._holds("C1-VOLUME-3", filled <= volume, call, quote=quote_id, filled=filled, asked=volume)
        offer.trades.append((bidder, filled, price))

    def _QuoteMatched(self, call: int, quote_id: int, sold: int) -> None:
        offer = self._offer(quote_id)
        opened = {bidder: bid for bidder, bid in offer.bids.items() if bid is not None}
        wanted = min(offer.volume, sum(volume for _, volume in opened.values()))
        filled = sum(volume for _, volume, _ in offer.trades)
        self._holds("C3-MATCH-3", sold == wanted == filled, call, quote=quote_id, sold=sold, due=wanted, filled=filled)
        for bidder, (price, volume) in opened.items():
            self.reserved[bidder] -= volume * (price + self.tariff.service_fee)
        for buyer, volume, price in offer.trades:
            self.reserved[buyer] += volume * (price + self.tariff.service_fee)
        offer.bids.clear()

    def _SurplusBought(self, call: int, quote_id: int, buyer: str, volume: int) -> None:
        offer = self._offer(quote_id)
        offer.trades.append((buyer, volume, offer.price))
        self.reserved[buyer] += volume * (offer.price + self.tariff.service_fee)  # T-SUR-8

    def _ReadingSubmitted(self, call: int, user: str, period: int, exported: int, imported: int) -> None:
        for offer in self.offers.values():
            if (offer.prosumer, offer.period) == (user, period):
                offer.exported = exported

    def _WaiverUsed(self, call: int, user: str) -> None:
        self.waived = user

    def _PerformanceRecorded(self, call: int, user: str, good: bool) -> None:
        self.good[user] = self.good.get(user, 0) + int(good)

    def _fee(self, user: str, delivered: int) -> int:
        """The fee that is due (T-STD-3), and whether a waiver took its place."""
        if self.waived == user:
            self.waived = ""
            return 0
        return delivered * self.tariff.service_fee * (100 - 20 * tier_of(self.good.get(user, 0))) // 100

    def _TradeSettled(
        self, call: int, quote_id: int, buyer: str, delivered: int, payment: int, fee: int, compensation: int
    ) -> None:
        offer, tariff = self._offer(quote_id), self.tariff
        place = len(offer.settled)
        whose, volume, price = offer.trades[place] if place < len(offer.trades) else ("nobody", 0, 0)
        self._holds("C3-SHARE-4", whose == buyer, call, quote=quote_id, trade=place + 1, buyer=buyer, due=whose)
        self._holds("C3-PAY-1", payment == delivered * price, call, quote=quote_id, paid=payment, due=delivered * price)
        short, in_default = volume - delivered, 100 * offer.exported < 95 * offer.volume
        due = short * price * 10 // 100 if in_default else 0
        self._holds("C3-COMP-1", compensation == due, call, quote=quote_id, compensation=compensation, due=due)
        if short > 0:
            self._holds("C3-FEE-1", fee == 0, call, quote=quote_id, fee=fee, due=0)
        else:
            discounted = tier_of(self.good.get(buyer, 0)) > 0
            due = self._fee(buyer, delivered)
            invariant = "C3-FEE-4" if discounted else "C3-FEE-2"
            self._holds(invariant, fee == due, call, quote=quote_id, buyer=buyer, fee=fee, due=due)
        self.reserved[whose] -= volume * (price + tariff.service_fee)
        offer.settled.append((delivered, payment, compensation))

    def _QuoteSettled(
        self, call: int, quote_id: int, delivered: int, revenue: int, fee: int, compensation: int
    ) -> None:
        offer = self._offer(quote_id)
        sold = sum(volume for _, volume, _ in offer.trades)
        parts, payments, damages = map(sum, zip((0, 0, 0), *offer.settled, strict=True))
        due = min(sold, offer.exported)
        figures = {"quote": quote_id, "delivered": delivered, "due": due, "received": parts}
        self._holds("C3-SHARE-1", delivered == parts == due, call, **figures)
        figures = {"quote": quote_id, "revenue": revenue, "payments": payments}
        figures |= {"compensation": compensation, "compensations": damages}
        self._holds("C3-PAY-2", (revenue, compensation) == (payments, damages), call, **figures)
        self.reserved[offer.prosumer] -= self._collateral(offer.volume)
        self.waived = ""
        self.offers.pop(quote_id, None)

    def _AccountSettled(self, call: int, user: str, period: int, amount: int, cleared: int) -> None:
        self.invoiced += amount - cleared

    # ---- state -------------------------------------------------------------------------------

    def look(
        self,
        accounts: Mapping[str, AccountView],
        quotes: Mapping[int, QuoteView],
        readings: Mapping[tuple[str, int], Reading],
        tokens: int,
    ) -> None:
        """Checks what a block touched, as the chain's views tell it at its end; `tokens`: what the market holds."""
        money = invoices = 0
        for user, account in accounts.items():
            free, escrow, invoice = self.held.get(user, (0, 0, 0))
            money += account.balance + account.reserved - free - escrow
            invoices += account.grid_account - invoice
            self.held[user] = account.balance, account.reserved, account.grid_account
            self.good[user] = account.performances
            due = self.reserved[user]
            self._holds("C1-ESCROW-1", account.reserved == due, None, user=user, reserved=account.reserved, due=due)
            tier = tier_of(account.performances)
            figures = {"user": user, "performances": account.performances, "tier": account.tier, "due": tier}
            self._holds("C3-TIER-1", account.tier == tier, None, **figures)
        self._holds("C4-FLOW-1", money == self.moved, None, accounts_gained=money, came_in=self.moved)
        self._holds("C4-CLEAR-1", invoices == self.invoiced, None, invoices_rose_by=invoices, booked=self.invoiced)
        owned = self.owned
        self._holds("C4-TOKEN-1", tokens >= owned, None, tokens=tokens, accounts_own=owned)
        for number, quote in quotes.items():
            read = readings.get((quote.prosumer, quote.period))
            most = max(quote.volume, read.exported if read else 0)
            if read is not None or quote.sold <= quote.volume:
                self._holds("C1-VOLUME-2", quote.sold <= most, None, quote=number, sold=quote.sold, most=most)
        self.moved = self.invoiced = 0

    @property
    def owned(self) -> int:
        """What all accounts own, in base units."""
        return sum(free + escrow for free, escrow, _ in self.held.values())

    def taken(self) -> tuple[Counter[str], list[Finding]]:
        """What was checked and found since it was asked last."""
        checks, findings = self.checks, self.findings
        self.checks, self.findings = Counter(), []
        return checks, findings

    # ---- as data -----------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """All of it that goes on after a restart."""
        return {
            "offers": [[number, asdict(offer)] for number, offer in self.offers.items()],
            "reserved": {user: amount for user, amount in self.reserved.items() if amount},
            "held": self.held,
            "good": self.good,
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any], tariff: Tariff) -> Ledger:
        """What `to_json` told."""
        ledger = cls(tariff, reserved=Counter(data["reserved"]), good=dict(data["good"]))
        ledger.held = {user: (held[0], held[1], held[2]) for user, held in data["held"].items()}
        for number, told in data["offers"]:
            bids = {bidder: None if bid is None else (bid[0], bid[1]) for bidder, bid in told["bids"].items()}
            rows = {name: [tuple(row) for row in told[name]] for name in ("trades", "settled")}
            ledger.offers[number] = Offer(**told | rows | {"bids": bids})
        return ledger


def tier_of(performances: int) -> int:
    """The tier of somebody with so many good performances (T-STD-2)."""
    return bisect_right(TIER_THRESHOLDS, performances)
