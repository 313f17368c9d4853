"""What the API answers, with Python's types: whole numbers for money and energy, `Decimal` for ratios, None: unknown.

Energies are in Wh, money in base units of the token, prices in base units per Wh, times in Unix seconds. What each
field says, the server's /docs tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Token:
    """The settlement token."""

    address: str
    symbol: str
    decimals: int | None


@dataclass(frozen=True)
class Market:
    """The market that is served."""

    address: str
    lens: str
    token: Token
    chain_id: int
    genesis: str
    owner: str
    supplier: str
    block: int


@dataclass(frozen=True)
class Tariff:
    """The frame of the market."""

    sbp: int
    ssp: int
    service_fee: int
    lowest_price: int
    highest_price: int
    period_length: int
    window: int
    priority_step: int
    rank_by_price: bool


@dataclass(frozen=True)
class Watched:
    """The last block in the store."""

    number: int
    hash: str
    timestamp: int


@dataclass(frozen=True)
class Status:
    """What is served, and as of which block."""

    market: Market
    tariff: Tariff
    watched: Watched | None
    behind_blocks: int | None
    behind_seconds: int | None
    now: int | None
    period: int | None
    counts: dict[str, Any]
    node: bool


@dataclass(frozen=True)
class Phase:
    """Where a delivery period stands."""

    period: int
    starts: int
    ends: int
    phase: str
    since: int | None
    until: int | None
    seconds_left: int | None
    begins: dict[str, Any]


@dataclass(frozen=True)
class Quote:
    """A prosumer's offer."""

    id: int
    prosumer: str
    period: int
    volume_wh: int
    price: int
    created_at: int
    status: str
    sold_wh: int
    bids: int
    opened: int
    trades: int
    exported_wh: int | None
    remaining_wh: int
    delivered_wh: int | None
    revenue: int | None
    fee: int | None
    compensation: int | None
    block: int
    transaction: str | None


@dataclass(frozen=True)
class Bid:
    """A bid; price and volume are None until it is opened."""

    quote_id: int
    period: int | None
    bidder: str
    status: str
    seal: str | None
    price: int | None
    volume_wh: int | None
    filled_wh: int


@dataclass(frozen=True)
class Trade:
    """A sale; what follows from settlement is None until then."""

    quote_id: int
    index: int
    period: int
    prosumer: str
    buyer: str
    kind: str
    volume_wh: int
    price: int
    settled: bool
    delivered_wh: int | None
    payment: int | None
    fee: int | None
    compensation: int | None


@dataclass(frozen=True)
class Unsold:
    """What nobody bought of a quote."""

    quote_id: int
    period: int
    prosumer: str
    price: int
    volume_wh: int
    sold_wh: int
    exported_wh: int | None
    unsold_wh: int
    remaining_wh: int


@dataclass(frozen=True)
class Reading:
    """What counts of what a meter reported."""

    user: str
    period: int
    exported_wh: int
    imported_wh: int


@dataclass(frozen=True)
class Position:
    """A user's energy in one period."""

    user: str
    period: int
    agreed_wh: int
    bought_wh: int
    received_wh: int
    delivered_wh: int
    open: int
    settled: bool


@dataclass(frozen=True)
class Party:
    """An account of the market."""

    address: str
    role: str
    profile: str
    meter: str | None
    authorized: bool
    balance: int
    reserved: int
    grid_account: int
    performances: int
    defaults: int
    waivers: int
    tier: int
    capacity_wh: int


@dataclass(frozen=True)
class Bill:
    """What a household's energy and money came to; `period` is None over several."""

    household: str
    period: int | None
    imported_wh: int
    exported_wh: int
    bought_wh: int
    sold_wh: int
    grid_alone: int
    market: int
    saving: int
    paid: int
    earned: int
    fees: int
    compensation_received: int
    compensation_paid: int
    grid_account: int
    performances: int
    defaults: int
    waivers: int


@dataclass(frozen=True)
class Period:
    """What a delivery period came to."""

    period: int
    starts: int
    ends: int
    phase: str | None
    supply_wh: int
    demand_wh: int
    sdr: Decimal | None
    quotes: int
    bids: int
    opened: int
    trades: int
    sold_wh: int
    delivered_wh: int
    exported_wh: int
    imported_wh: int
    unsold_wh: int
    local_wh: int
    local_share: Decimal | None
    quote_price: int | None
    bid_price: int | None
    trade_price: int | None
    fees: int
    compensation: int
    performances: int
    defaults: int
    settled: int


@dataclass(frozen=True)
class Index:
    """One figure of the community; `why` says why there is no value."""

    name: str
    value: Decimal | None
    says: str
    why: str | None


@dataclass(frozen=True)
class Default:
    """A broken promise."""

    user: str
    period: int | None
    kind: str
    silent: bool
    quote_id: int | None
    block: int
    timestamp: int
    transaction: str
    index: int


@dataclass(frozen=True)
class Invariant:
    """How often a promise of the market was checked, and how often it was broken."""

    invariant: str
    checks: int
    alarms: int
    says: str | None


@dataclass(frozen=True)
class Proof:
    """How far the watcher's proof goes."""

    blocks: int
    first_block: int | None
    last_block: int | None
    behind_blocks: int | None
    behind_seconds: int | None
    alarms: int
    invariants: list[Invariant]


@dataclass(frozen=True)
class Alarm:
    """A difference between the market and its terms."""

    block: int
    timestamp: int
    index: int
    invariant: str
    what: str
    story: str
    replay: str


@dataclass(frozen=True)
class Block:
    """A block that was checked."""

    number: int
    hash: str
    parent: str
    timestamp: int
    calls: int
    events: int
    alarms: int


@dataclass(frozen=True)
class Call:
    """A call of the market."""

    block: int
    timestamp: int
    index: int
    transaction: str
    sender: str
    origin: str
    function: str
    arguments: dict[str, Any]
    accepted: bool
    reason: str | None
    result: int | None
    via: str


@dataclass(frozen=True)
class Event:
    """An event of the market."""

    block: int
    timestamp: int
    index: int
    transaction: str
    call: int
    name: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Happened:
    """An event of a transaction."""

    name: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Transaction:
    """What became of a transaction: `state` is unknown, pending, accepted or refused."""

    hash: str
    state: str
    events: list[Happened]
    block: int | None = None
    gas_used: int | None = None
    reason: str | None = None
    hint: str | None = None
