"""The first tables."""

import sqlalchemy as sa
from alembic import op

from wattproof.store.types import Signed, Unsigned

revision = "0001"
down_revision = None


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that PostgreSQL sorts byte by byte."""
    kind = sa.String(length) if length else sa.Text()
    return kind.with_variant(sa.String(length, collation="C") if length else sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """From an empty database."""
    op.create_table(
        "markets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", Unsigned(), nullable=False),
        sa.Column("genesis", text(66), nullable=False),
        sa.Column("address", text(42), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", text(66), nullable=False),
        sa.Column("lens", text(42), nullable=False),
        sa.Column("token", text(42), nullable=False),
        sa.Column("token_decimals", sa.Integer(), nullable=True),
        sa.Column("token_symbol", text(), nullable=False),
        sa.Column("owner", text(42), nullable=False),
        sa.Column("supplier", text(42), nullable=False),
        sa.Column("tariff", sa.JSON(), nullable=False),
        sa.Column("code", sa.JSON(), nullable=False),
        sa.Column("version", text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_markets")),
    )
    op.create_index(
        op.f("ix_markets_chain_id_genesis_address_block_hash"),
        "markets",
        ["chain_id", "genesis", "address", "block_hash"],
        unique=True,
    )
    op.create_table(
        "accounts",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("address", text(42), nullable=False),
        sa.Column("profile", text(66), nullable=False),
        sa.Column("meter", text(42), nullable=False),
        sa.Column("authorized", sa.Boolean(), nullable=False),
        sa.Column("balance", Unsigned(), nullable=False),
        sa.Column("reserved", Unsigned(), nullable=False),
        sa.Column("grid_account", Signed(), nullable=False),
        sa.Column("performances", Unsigned(), nullable=False),
        sa.Column("defaults", Unsigned(), nullable=False),
        sa.Column("waivers", Unsigned(), nullable=False),
        sa.Column("tier", Unsigned(), nullable=False),
        sa.Column("capacity", Unsigned(), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_accounts_market_id")),
        sa.PrimaryKeyConstraint("market_id", "address", name=op.f("pk_accounts")),
    )
    op.create_table(
        "admissions",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("user", text(42), nullable=False),
        sa.Column("authorized", sa.Boolean(), nullable=False),
        sa.Column("capacity", Unsigned(), nullable=True),
        sa.Column("period", Unsigned(), nullable=True),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_admissions_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", "index", name=op.f("pk_admissions")),
    )
    op.create_index(
        op.f("ix_admissions_market_id_user_block_index"),
        "admissions",
        ["market_id", "user", "block", "index"],
        unique=False,
    )
    op.create_table(
        "alarms",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("invariant", text(), nullable=False),
        sa.Column("what", text(), nullable=False),
        sa.Column("story", text(), nullable=False),
        sa.Column("replay", text(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_alarms_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", "index", name=op.f("pk_alarms")),
    )
    op.create_index(op.f("ix_alarms_market_id_invariant"), "alarms", ["market_id", "invariant"], unique=False)
    op.create_table(
        "bids",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("quote_id", Unsigned(), nullable=False),
        sa.Column("bidder", text(42), nullable=False),
        sa.Column("period", Unsigned(), nullable=True),
        sa.Column("seal", text(66), nullable=False),
        sa.Column("price", Unsigned(), nullable=False),
        sa.Column("volume", Unsigned(), nullable=False),
        sa.Column("filled", Unsigned(), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_bids_market_id")),
        sa.PrimaryKeyConstraint("market_id", "quote_id", "bidder", name=op.f("pk_bids")),
    )
    op.create_index(op.f("ix_bids_market_id_bidder_period"), "bids", ["market_id", "bidder", "period"], unique=False)
    op.create_index(op.f("ix_bids_market_id_period_status"), "bids", ["market_id", "period", "status"], unique=False)
    op.create_table(
        "bills",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("user", text(42), nullable=False),
        sa.Column("period", Unsigned(), nullable=False),
        sa.Column("imported", Unsigned(), nullable=False),
        sa.Column("exported", Unsigned(), nullable=False),
        sa.Column("bought", Unsigned(), nullable=False),
        sa.Column("sold", Unsigned(), nullable=False),
        sa.Column("grid_alone", Signed(), nullable=False),
        sa.Column("paid", Unsigned(), nullable=False),
        sa.Column("earned", Unsigned(), nullable=False),
        sa.Column("fees", Unsigned(), nullable=False),
        sa.Column("compensated", Unsigned(), nullable=False),
        sa.Column("compensation", Unsigned(), nullable=False),
        sa.Column("grid", Signed(), nullable=False),
        sa.Column("performances", Unsigned(), nullable=False),
        sa.Column("defaults", Unsigned(), nullable=False),
        sa.Column("waivers", Unsigned(), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_bills_market_id")),
        sa.PrimaryKeyConstraint("market_id", "user", "period", name=op.f("pk_bills")),
    )
    op.create_index(op.f("ix_bills_market_id_period"), "bills", ["market_id", "period"], unique=False)
    op.create_table(
        "blocks",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", text(66), nullable=False),
        sa.Column("parent", text(66), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("alarms", sa.Integer(), nullable=False),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_blocks_market_id")),
        sa.PrimaryKeyConstraint("market_id", "number", name=op.f("pk_blocks")),
    )
    op.create_index(op.f("ix_blocks_market_id_hash"), "blocks", ["market_id", "hash"], unique=False)
    op.create_table(
        "calls",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("transaction", text(66), nullable=False),
        sa.Column("sender", text(42), nullable=False),
        sa.Column("origin", text(42), nullable=False),
        sa.Column("function", text(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", text(), nullable=True),
        sa.Column("result", Unsigned(), nullable=True),
        sa.Column("via", text(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_calls_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", "index", name=op.f("pk_calls")),
    )
    op.create_index(
        op.f("ix_calls_market_id_function_block_index"),
        "calls",
        ["market_id", "function", "block", "index"],
        unique=False,
    )
    op.create_index(
        op.f("ix_calls_market_id_sender_block_index"), "calls", ["market_id", "sender", "block", "index"], unique=False
    )
    op.create_index(op.f("ix_calls_market_id_transaction"), "calls", ["market_id", "transaction"], unique=False)
    op.create_table(
        "checks",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("invariant", text(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_checks_market_id")),
        sa.PrimaryKeyConstraint("market_id", "invariant", name=op.f("pk_checks")),
    )
    op.create_table(
        "cursors",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("hash", text(66), nullable=True),
        sa.Column("parent", text(66), nullable=True),
        sa.Column("timestamp", sa.BigInteger(), nullable=True),
        sa.Column("head_number", sa.BigInteger(), nullable=True),
        sa.Column("head_hash", text(66), nullable=True),
        sa.Column("head_timestamp", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("floor", sa.BigInteger(), nullable=True),
        sa.Column("blocks", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("alarms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_cursors_market_id")),
        sa.PrimaryKeyConstraint("market_id", name=op.f("pk_cursors")),
    )
    op.create_table(
        "events",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("transaction", text(66), nullable=False),
        sa.Column("call", sa.Integer(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("user", text(42), nullable=True),
        sa.Column("quote_id", Unsigned(), nullable=True),
        sa.Column("period", Unsigned(), nullable=True),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_events_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", "index", name=op.f("pk_events")),
    )
    op.create_index(
        op.f("ix_events_market_id_name_block_index"), "events", ["market_id", "name", "block", "index"], unique=False
    )
    op.create_index(
        op.f("ix_events_market_id_period_block_index"),
        "events",
        ["market_id", "period", "block", "index"],
        unique=False,
    )
    op.create_index(
        op.f("ix_events_market_id_quote_id_block_index"),
        "events",
        ["market_id", "quote_id", "block", "index"],
        unique=False,
    )
    op.create_index(op.f("ix_events_market_id_transaction"), "events", ["market_id", "transaction"], unique=False)
    op.create_index(
        op.f("ix_events_market_id_user_block_index"), "events", ["market_id", "user", "block", "index"], unique=False
    )
    op.create_table(
        "movements",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("user", text(42), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("amount", Signed(), nullable=False),
        sa.Column("period", Unsigned(), nullable=True),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_movements_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", "index", name=op.f("pk_movements")),
    )
    op.create_index(
        op.f("ix_movements_market_id_user_block_index"),
        "movements",
        ["market_id", "user", "block", "index"],
        unique=False,
    )
    op.create_table(
        "performances",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("user", text(42), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("period", Unsigned(), nullable=True),
        sa.Column("quote_id", Unsigned(), nullable=True),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_performances_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", "index", name=op.f("pk_performances")),
    )
    op.create_index(
        op.f("ix_performances_market_id_good_block_index"),
        "performances",
        ["market_id", "good", "block", "index"],
        unique=False,
    )
    op.create_index(op.f("ix_performances_market_id_period"), "performances", ["market_id", "period"], unique=False)
    op.create_index(
        op.f("ix_performances_market_id_user_block_index"),
        "performances",
        ["market_id", "user", "block", "index"],
        unique=False,
    )
    op.create_table(
        "periods",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("period", Unsigned(), nullable=False),
        sa.Column("supply", Unsigned(), nullable=False),
        sa.Column("demand", Unsigned(), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_periods_market_id")),
        sa.PrimaryKeyConstraint("market_id", "period", name=op.f("pk_periods")),
    )
    op.create_table(
        "positions",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("user", text(42), nullable=False),
        sa.Column("period", Unsigned(), nullable=False),
        sa.Column("agreed", Unsigned(), nullable=False),
        sa.Column("bought", Unsigned(), nullable=False),
        sa.Column("received", Unsigned(), nullable=False),
        sa.Column("delivered", Unsigned(), nullable=False),
        sa.Column("open", Unsigned(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("amount", Signed(), nullable=True),
        sa.Column("cleared", Signed(), nullable=True),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_positions_market_id")),
        sa.PrimaryKeyConstraint("market_id", "user", "period", name=op.f("pk_positions")),
    )
    op.create_index(op.f("ix_positions_market_id_period"), "positions", ["market_id", "period"], unique=False)
    op.create_table(
        "quotes",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("quote_id", Unsigned(), nullable=False),
        sa.Column("prosumer", text(42), nullable=False),
        sa.Column("period", Unsigned(), nullable=False),
        sa.Column("volume", Unsigned(), nullable=False),
        sa.Column("price", Unsigned(), nullable=False),
        sa.Column("created_at", Unsigned(), nullable=False),
        sa.Column("sold", Unsigned(), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("delivered", Unsigned(), nullable=True),
        sa.Column("revenue", Unsigned(), nullable=True),
        sa.Column("fee", Unsigned(), nullable=True),
        sa.Column("compensation", Unsigned(), nullable=True),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_quotes_market_id")),
        sa.PrimaryKeyConstraint("market_id", "quote_id", name=op.f("pk_quotes")),
    )
    op.create_index(
        op.f("ix_quotes_market_id_period_status"), "quotes", ["market_id", "period", "status"], unique=False
    )
    op.create_index(
        op.f("ix_quotes_market_id_prosumer_period"), "quotes", ["market_id", "prosumer", "period"], unique=False
    )
    op.create_index(
        op.f("ix_quotes_market_id_status_quote_id"), "quotes", ["market_id", "status", "quote_id"], unique=False
    )
    op.create_table(
        "readings",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("user", text(42), nullable=False),
        sa.Column("period", Unsigned(), nullable=False),
        sa.Column("exported", Unsigned(), nullable=False),
        sa.Column("imported", Unsigned(), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_readings_market_id")),
        sa.PrimaryKeyConstraint("market_id", "user", "period", name=op.f("pk_readings")),
    )
    op.create_index(op.f("ix_readings_market_id_period"), "readings", ["market_id", "period"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_snapshots_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "trades",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("quote_id", Unsigned(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("period", Unsigned(), nullable=False),
        sa.Column("prosumer", text(42), nullable=False),
        sa.Column("buyer", text(42), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("volume", Unsigned(), nullable=False),
        sa.Column("price", Unsigned(), nullable=False),
        sa.Column("delivered", Unsigned(), nullable=True),
        sa.Column("payment", Unsigned(), nullable=True),
        sa.Column("fee", Unsigned(), nullable=True),
        sa.Column("compensation", Unsigned(), nullable=True),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_trades_market_id")),
        sa.PrimaryKeyConstraint("market_id", "quote_id", "index", name=op.f("pk_trades")),
    )
    op.create_index(op.f("ix_trades_market_id_buyer_period"), "trades", ["market_id", "buyer", "period"], unique=False)
    op.create_index(op.f("ix_trades_market_id_period"), "trades", ["market_id", "period"], unique=False)
    op.create_index(
        op.f("ix_trades_market_id_prosumer_period"), "trades", ["market_id", "prosumer", "period"], unique=False
    )
    op.create_table(
        "undo",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_undo_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", name=op.f("pk_undo")),
    )
    op.create_table(
        "views",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_views_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", name=op.f("pk_views")),
    )
    op.create_table(
        "waivers",
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("user", text(42), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.Column("period", Unsigned(), nullable=True),
        sa.Column("quote_id", Unsigned(), nullable=True),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_waivers_market_id")),
        sa.PrimaryKeyConstraint("market_id", "block", "index", name=op.f("pk_waivers")),
    )
    op.create_index(
        op.f("ix_waivers_market_id_user_block_index"), "waivers", ["market_id", "user", "block", "index"], unique=False
    )
