"""The tables. Each begins with its market; rows of one market never depend on those of another.

Raw tables hold what the chain said, block by block. Of the derived ones, those that follow `Tracked` hold how
something stands, are changed by later blocks and put back by a rollback; those that follow `Entry` hold what happened,
a row for an event, and a rollback deletes them. Nothing is removed because the market overwrote it.
"""

from __future__ import annotations

from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from wattproof.store.types import Signed, Unsigned


def _text(length: int | None = None) -> TypeEngine[str]:
    """Text that PostgreSQL, too, sorts and compares byte by byte, whatever language it speaks."""
    kind = Text() if length is None else String(length)
    return kind.with_variant(Text(collation="C") if length is None else String(length, collation="C"), "postgresql")


Market = Annotated[int, mapped_column(ForeignKey("markets.id"), primary_key=True, sort_order=-3)]
Number = Annotated[int, mapped_column(BigInteger)]  # of blocks, places and seconds: always below 2^63
Whole = Annotated[int, mapped_column(Unsigned)]
Money = Annotated[int, mapped_column(Unsigned, info={"money": True})]
Amount = Annotated[int, mapped_column(Signed, info={"money": True})]
Address = Annotated[str, mapped_column(_text(42))]
Hash = Annotated[str, mapped_column(_text(66))]
Line = Annotated[str, mapped_column(_text())]
Json = Annotated[dict[str, Any], mapped_column(JSON)]

NumberKey = Annotated[int, mapped_column(BigInteger, primary_key=True)]
WholeKey = Annotated[int, mapped_column(Unsigned, primary_key=True)]
IndexKey = Annotated[int, mapped_column(Integer, primary_key=True)]
AddressKey = Annotated[str, mapped_column(_text(42), primary_key=True)]
LineKey = Annotated[str, mapped_column(_text(), primary_key=True)]


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# ---- markets -----------------------------------------------------------------------------


class MarketRow(Base):
    """A market: what `wattproof.chain.record.Record` says of it. In `tariff`, whole numbers are text."""

    __tablename__ = "markets"
    __table_args__ = (Index(None, "chain_id", "genesis", "address", "block_hash", unique=True),)

    id: Mapped[IndexKey]
    chain_id: Mapped[Whole]
    genesis: Mapped[Hash]
    address: Mapped[Address]
    block: Mapped[Number]
    block_hash: Mapped[Hash]
    lens: Mapped[Address]
    token: Mapped[Address]
    token_decimals: Mapped[int | None]
    token_symbol: Mapped[Line]
    owner: Mapped[Address]  # at the deployment
    supplier: Mapped[Address]
    tariff: Mapped[Json]
    code: Mapped[Json]
    version: Mapped[Line]


class CursorRow(Base):
    """How far a market was watched: its last block, the chain's head when it was last seen, and how far undo reaches.

    `seen_at` is the only time of a clock on a wall; `floor` is the lowest block to which `rollback` can go; `blocks`,
    `calls`, `events` and `alarms` are how many there are.
    """

    __tablename__ = "cursors"

    market_id: Mapped[Market]
    number: Mapped[Number | None]
    hash: Mapped[Hash | None]
    parent: Mapped[Hash | None]
    timestamp: Mapped[Number | None]
    head_number: Mapped[Number | None]
    head_hash: Mapped[Hash | None]
    head_timestamp: Mapped[Number | None]
    seen_at: Mapped[Number | None]
    floor: Mapped[Number | None]
    blocks: Mapped[Number]
    calls: Mapped[Number]
    events: Mapped[Number]
    alarms: Mapped[Number]


class UndoRow(Base):
    """The tracked rows that a block changed, as they were before it, packed."""

    __tablename__ = "undo"

    market_id: Mapped[Market]
    block: Mapped[NumberKey]
    rows: Mapped[bytes] = mapped_column(LargeBinary)


class SnapshotRow(Base):
    """A watcher's own state after a block."""

    __tablename__ = "snapshots"

    market_id: Mapped[Market]
    block: Mapped[NumberKey]
    data: Mapped[bytes] = mapped_column(LargeBinary)


# ---- raw ---------------------------------------------------------------------------------


class BlockRow(Base):
    """A block. `calls`, `events` and `alarms` are how many it has; `checks` how often each invariant was checked."""

    __tablename__ = "blocks"
    __table_args__ = (Index(None, "market_id", "hash"),)

    market_id: Mapped[Market]
    number: Mapped[NumberKey]
    hash: Mapped[Hash]
    parent: Mapped[Hash]
    timestamp: Mapped[Number]
    calls: Mapped[int]
    events: Mapped[int]
    alarms: Mapped[int]
    checks: Mapped[Json]


class ViewsRow(Base):
    """What the chain's views told of what a block touched, packed: derived rows can be made again from it."""

    __tablename__ = "views"

    market_id: Mapped[Market]
    block: Mapped[NumberKey]
    state: Mapped[bytes] = mapped_column(LargeBinary)


class CallRow(Base):
    """A call of the market: see `records.CallRow`."""

    __tablename__ = "calls"
    __table_args__ = (
        Index(None, "market_id", "sender", "block", "index"),
        Index(None, "market_id", "function", "block", "index"),
        Index(None, "market_id", "transaction"),
    )

    market_id: Mapped[Market]
    block: Mapped[NumberKey]
    index: Mapped[IndexKey]
    transaction: Mapped[Hash]
    sender: Mapped[Address]
    origin: Mapped[Address]
    function: Mapped[Line]
    arguments: Mapped[Json]
    accepted: Mapped[bool]
    reason: Mapped[Line | None]
    result: Mapped[Whole | None]
    via: Mapped[Line]


class EventRow(Base):
    """An event of the market: see `records.EventRow`. `user`, `quote_id` and `period` are what it is about."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "market_id", "name", "block", "index"),
        Index(None, "market_id", "user", "block", "index"),
        Index(None, "market_id", "quote_id", "block", "index"),
        Index(None, "market_id", "period", "block", "index"),
        Index(None, "market_id", "transaction"),
    )

    market_id: Mapped[Market]
    block: Mapped[NumberKey]
    index: Mapped[IndexKey]
    transaction: Mapped[Hash]
    call: Mapped[int]
    name: Mapped[Line]
    fields: Mapped[Json]
    user: Mapped[Address | None]
    quote_id: Mapped[Whole | None]
    period: Mapped[Whole | None]


class AlarmRow(Base):
    """A difference between market and terms: see `records.Alarm`."""

    __tablename__ = "alarms"
    __table_args__ = (Index(None, "market_id", "invariant"),)

    market_id: Mapped[Market]
    block: Mapped[NumberKey]
    index: Mapped[IndexKey]
    invariant: Mapped[Line]
    what: Mapped[Line]
    story: Mapped[Line]
    replay: Mapped[Line]


# ---- how things stand --------------------------------------------------------------------


class Tracked:
    """Rows that say how something stands: `first_block` is where it began, `last_block` where it changed last."""

    market_id: Mapped[Market]
    first_block: Mapped[Number] = mapped_column(sort_order=1)
    last_block: Mapped[Number] = mapped_column(sort_order=1)


class AccountRow(Tracked, Base):
    """A party, as of `last_block`: identity, money in base units, standing, and its capacity in Wh per period."""

    __tablename__ = "accounts"

    address: Mapped[AddressKey]
    profile: Mapped[Hash]
    meter: Mapped[Address]
    authorized: Mapped[bool]
    balance: Mapped[Money]
    reserved: Mapped[Money]
    grid_account: Mapped[Amount]
    performances: Mapped[Whole]
    defaults: Mapped[Whole]
    waivers: Mapped[Whole]
    tier: Mapped[Whole]
    capacity: Mapped[Whole]


class QuoteRow(Tracked, Base):
    """A quote. `status` is a name of `terms.model.QuoteStatus`; what settlement says is NULL until then."""

    __tablename__ = "quotes"
    __table_args__ = (
        Index(None, "market_id", "prosumer", "period"),
        Index(None, "market_id", "period", "status"),
        Index(None, "market_id", "status", "quote_id"),
    )

    quote_id: Mapped[WholeKey]
    prosumer: Mapped[Address]
    period: Mapped[Whole]
    volume: Mapped[Whole]
    price: Mapped[Money]
    created_at: Mapped[Whole]
    sold: Mapped[Whole]
    status: Mapped[Line]
    delivered: Mapped[Whole | None]
    revenue: Mapped[Money | None]
    fee: Mapped[Money | None]
    compensation: Mapped[Money | None]


class BidRow(Tracked, Base):
    """A bid. `seal` is the commitment as it was handed in; price and volume are 0 until it is opened.

    `status` is a name of `terms.model.BidStatus`, `period` that of its quote.
    """

    __tablename__ = "bids"
    __table_args__ = (
        Index(None, "market_id", "bidder", "period"),
        Index(None, "market_id", "period", "status"),
    )

    quote_id: Mapped[WholeKey]
    bidder: Mapped[AddressKey]
    period: Mapped[Whole | None]
    seal: Mapped[Hash]
    price: Mapped[Money]
    volume: Mapped[Whole]
    filled: Mapped[Whole]
    status: Mapped[Line]


class TradeRow(Tracked, Base):
    """A sale: `index` is its place among those of its quote; what settlement says is NULL until then.

    `kind` is "bid" (won by matching), "surplus" (purchased), or "unknown" where no event told of it.
    """

    __tablename__ = "trades"
    __table_args__ = (
        Index(None, "market_id", "buyer", "period"),
        Index(None, "market_id", "prosumer", "period"),
        Index(None, "market_id", "period"),
    )

    quote_id: Mapped[WholeKey]
    index: Mapped[IndexKey]
    period: Mapped[Whole]
    prosumer: Mapped[Address]
    buyer: Mapped[Address]
    kind: Mapped[Line]
    volume: Mapped[Whole]
    price: Mapped[Money]
    delivered: Mapped[Whole | None]
    payment: Mapped[Money | None]
    fee: Mapped[Money | None]
    compensation: Mapped[Money | None]


class ReadingRow(Tracked, Base):
    """What counts of what a meter reported, in Wh."""

    __tablename__ = "readings"
    __table_args__ = (Index(None, "market_id", "period"),)

    user: Mapped[AddressKey]
    period: Mapped[WholeKey]
    exported: Mapped[Whole]
    imported: Mapped[Whole]


class PositionRow(Tracked, Base):
    """A user's energy in a period, in Wh; `open` counts quotes.

    `amount` and `cleared` are what its settlement with the supplier came to, in base units; NULL until then.
    """

    __tablename__ = "positions"
    __table_args__ = (Index(None, "market_id", "period"),)

    user: Mapped[AddressKey]
    period: Mapped[WholeKey]
    agreed: Mapped[Whole]
    bought: Mapped[Whole]
    received: Mapped[Whole]
    delivered: Mapped[Whole]
    open: Mapped[Whole]
    settled: Mapped[bool]
    amount: Mapped[Amount | None]
    cleared: Mapped[Amount | None]


class PeriodRow(Tracked, Base):
    """Supply and demand of a period, in Wh."""

    __tablename__ = "periods"

    period: Mapped[WholeKey]
    supply: Mapped[Whole]
    demand: Mapped[Whole]


class BillRow(Tracked, Base):
    """What a party's energy and money of a period came to: the fields of `simulation.accounting.Bill`."""

    __tablename__ = "bills"
    __table_args__ = (Index(None, "market_id", "period"),)

    user: Mapped[AddressKey]
    period: Mapped[WholeKey]
    imported: Mapped[Whole]
    exported: Mapped[Whole]
    bought: Mapped[Whole]
    sold: Mapped[Whole]
    grid_alone: Mapped[Amount]
    paid: Mapped[Money]
    earned: Mapped[Money]
    fees: Mapped[Money]
    compensated: Mapped[Money]
    compensation: Mapped[Money]
    grid: Mapped[Amount]
    performances: Mapped[Whole]
    defaults: Mapped[Whole]
    waivers: Mapped[Whole]


class CheckRow(Tracked, Base):
    """How often an invariant was checked so far."""

    __tablename__ = "checks"

    invariant: Mapped[LineKey]
    times: Mapped[Number]


# ---- what happened -----------------------------------------------------------------------


class Entry:
    """Rows that say what happened, each of the event at `block` and `index`; `period` is that of the settlement."""

    market_id: Mapped[Market]
    block: Mapped[NumberKey] = mapped_column(sort_order=-2)
    index: Mapped[IndexKey] = mapped_column(sort_order=-2)
    user: Mapped[Address] = mapped_column(sort_order=-1)


class PerformanceRow(Entry, Base):
    """A good performance, or a default; of a quote, or, where `quote_id` is NULL, of a user's imports."""

    __tablename__ = "performances"
    __table_args__ = (
        Index(None, "market_id", "user", "block", "index"),
        Index(None, "market_id", "good", "block", "index"),
        Index(None, "market_id", "period"),
    )

    good: Mapped[bool]
    period: Mapped[Whole | None]
    quote_id: Mapped[Whole | None]


class WaiverRow(Entry, Base):
    """A waiver, granted or used."""

    __tablename__ = "waivers"
    __table_args__ = (Index(None, "market_id", "user", "block", "index"),)

    used: Mapped[bool]
    period: Mapped[Whole | None]
    quote_id: Mapped[Whole | None]


class AdmissionRow(Entry, Base):
    """A user was authorised, with a capacity in Wh, or lost its authorisation: by the owner, or for a silent meter.

    `period` is that of the silence, NULL where the owner decided.
    """

    __tablename__ = "admissions"
    __table_args__ = (Index(None, "market_id", "user", "block", "index"),)

    authorized: Mapped[bool]
    capacity: Mapped[Whole | None]
    period: Mapped[Whole | None]


class MovementRow(Entry, Base):
    """Money that moved: `kind` is "deposited", "withdrawn" or "cleared" (above 0: from the supplier to the user).

    `period` is that of the settlement that cleared, NULL where it was no settlement.
    """

    __tablename__ = "movements"
    __table_args__ = (Index(None, "market_id", "user", "block", "index"),)

    kind: Mapped[Line]
    amount: Mapped[Amount]
    period: Mapped[Whole | None]


def table(name: str) -> Table:
    """The table of that name."""
    return Base.metadata.tables[name]


def _names(kind: type) -> tuple[str, ...]:
    return tuple(mapper.class_.__tablename__ for mapper in Base.registry.mappers if issubclass(mapper.class_, kind))


TRACKED = tuple(sorted(_names(Tracked)))
ENTRIES = tuple(sorted(_names(Entry)))
RAW = ("blocks", "views", "calls", "events", "alarms")
