"""What a trading day is made of: its input, its members, the periods under way, and what they came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from wattproof.market.meters import Meter
from wattproof.simulation.accounting import Bill, Trade, price, ratio
from wattproof.simulation.households import PeriodRow


class Readings(Protocol):
    """A community's half-hours, such as `households.Households`: one row after the other, from the start.

    `capacities` says what each household's connection carries in a period, in Wh.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def capacities(self) -> Mapping[str, int]: ...

    def __iter__(self) -> Iterator[PeriodRow]: ...


@dataclass
class Member:
    """A household in the market: its name in the file, its address, its meter, and what its connection carries in a
    period, in Wh."""

    name: str
    address: str
    meter: Meter
    capacity: int


@dataclass
class Bid:
    """A bid: whose, on which quote, price in base units per Wh, volume in Wh, its salt, and the Wh that it won."""

    household: str
    address: str
    quote_id: int
    price: int
    volume: int
    salt: bytes
    filled: int = 0


@dataclass(frozen=True)
class PeriodResult:
    """What a settled period came to: energy in Wh, money in base units, prices in base units per Wh.

    period                   number of the period in the file; `chain_period` is the market's
    supply, demand           all forecast surpluses and all forecast deficits; their ratio is the SDR
    quote_price, bid_price   None where nothing was quoted, or nobody bid
    quotes, bids             how many were submitted and opened
    sold, delivered          volumes of the trades, and what arrived of them
    exported, imported       what the meters reported
    fees, compensation       paid by both sides of the trades; paid to buyers
    performances, defaults   how many were recorded
    in_escrow                still reserved after the period, all of it for quotes of later periods
    accounts_total, market_holds   all free and reserved money; the tokens that the market holds
    trades                   all trades, with households by name
    bills                    what the period came to for each household, by name
    offers                   the bids that were opened, in that order
    unread                   households without a reading: their import is not in their bills (T-MET-7)
    """

    period: int
    chain_period: int
    supply: int
    demand: int
    quote_price: int | None
    bid_price: int | None
    quotes: int
    bids: int
    sold: int
    delivered: int
    exported: int
    imported: int
    fees: int
    compensation: int
    performances: int
    defaults: int
    in_escrow: int
    accounts_total: int
    market_holds: int
    trades: tuple[Trade, ...]
    bills: Mapping[str, Bill]
    offers: tuple[Bid, ...]
    unread: frozenset[str] = frozenset()

    @property
    def balances_match(self) -> bool:
        """Whether the accounts added up to the market's tokens, to the last base unit."""
        return self.accounts_total == self.market_holds

    @property
    def sdr(self) -> str:
        """The supply-demand ratio as an exact fraction of Wh, "supply/demand"."""
        return f"{self.supply}/{self.demand}"

    def row(self) -> dict[str, Any]:
        """The period as a row of periods.csv."""
        return {
            "period": self.period,
            "supply_wh": self.supply,
            "demand_wh": self.demand,
            "sdr": self.sdr,
            "sdr_text": ratio(self.supply, self.demand),
            "quote_price": self.quote_price,
            "bid_price": self.bid_price,
            "quotes": self.quotes,
            "bids": self.bids,
            "trades": len(self.trades),
            "sold_wh": self.sold,
            "delivered_wh": self.delivered,
            "exported_wh": self.exported,
            "imported_wh": self.imported,
            "fees": self.fees,
            "compensation": self.compensation,
            "performances": self.performances,
            "defaults": self.defaults,
            "in_escrow": self.in_escrow,
            "accounts_total": self.accounts_total,
            "market_holds": self.market_holds,
            "balances_match": "true" if self.balances_match else "false",
        }

    def summary(self) -> dict[str, Any]:
        """The period as an object of summary.json: money as strings, since JSON readers may round large numbers."""
        summary = self.row()
        for name in ("fees", "compensation", "in_escrow", "accounts_total", "market_holds"):
            summary[name] = str(summary[name])
        summary["quote_price"] = price(self.quote_price)
        summary["bid_price"] = price(self.bid_price)
        summary["balances_match"] = self.balances_match
        return summary


@dataclass
class Period:
    """A period under way."""

    index: int
    number: int
    row: PeriodRow
    supply: int = 0
    demand: int = 0
    quote_price: int | None = None
    bid_price: int | None = None
    quotes: dict[str, int] = field(default_factory=dict)  # by household
    wanted: dict[str, int] = field(default_factory=dict)  # forecast deficits
    decoys: Counter[str] = field(default_factory=Counter)
    bids: list[Bid] = field(default_factory=list)
    bought: Counter[str] = field(default_factory=Counter)
    claimed: Counter[str] = field(default_factory=Counter)  # of the capacity: opened bids and purchases
    read: set[str] = field(default_factory=set)
    bills: dict[str, Bill] = field(default_factory=dict)
