"""What the API answers, field by field: the names are those of the market, of bills.csv and of periods.csv."""

from __future__ import annotations

from apiflask import Schema, fields

from wattproof.serve import fields as of

_BID = "CREATED, RESERVED, CONFIRMED or REJECTED"
_QUOTE = "VALID, INVALID (withdrawn), MATCHED or SETTLED"
_UNTIL = "null until it is settled"


class Error(Schema):
    """Every answer that is no success."""

    error = of.text("one line that says what to do")
    fields_ = fields.Dict(data_key="fields", keys=fields.String(), values=fields.String())
    reason = of.text("why the contract refuses, in its own words")
    hint = of.text("what that means")


class BlockRef(Schema):
    """A block."""

    number = of.count("of the block")
    hash = of.text("of the block")
    timestamp = of.seconds("the block's time")


class Head(Schema):
    """The newest block that the watcher saw."""

    number = of.count("of the block")
    timestamp = of.seconds("the block's time")


class TokenOf(Schema):
    """The settlement token."""

    address = of.address("the ERC-20")
    symbol = of.text("what it is called")
    decimals = of.count("its unit is 10**decimals base units")


class MarketOf(Schema):
    """The market that is served."""

    address = of.address("the market")
    lens = of.address("the contract that answers its views")
    token = fields.Nested(TokenOf)
    chain_id = of.count("of the chain")
    genesis = of.text("hash of the chain's first block")
    owner = of.address("the management node, as deployed")
    supplier = of.address("the other side of every invoice account")
    block = of.count("in which the market was made")
    wattproof = of.text("the version that deployed it")


class TariffOf(Schema):
    """The frame of the market."""

    sbp = of.price("what the supplier pays for exports, base units per Wh")
    ssp = of.price("what the supplier charges for imports, base units per Wh")
    service_fee = of.price("of each side of a trade, base units per Wh")
    lowest_price = of.price("of a quote, base units per Wh")
    highest_price = of.price("of a quote or bid, base units per Wh")
    period_length = of.seconds("seconds of a delivery period")
    window = of.seconds("seconds of each phase before and after the delivery")
    priority_step = of.count("ten-thousandths that each tier adds to the rank of a bid")
    rank_by_price = fields.Boolean(metadata=of.described("bids rank by unit price, else by their amount"))


class Counts(Schema):
    """How much the store holds of this market."""

    households = of.count("registered users")
    quotes = of.count("all that were ever made")
    calls = of.count("calls of the market, refused ones included")
    events = of.count("of the market")
    blocks = of.count("that the watcher checked")
    alarms = of.count("differences that the watcher found")


class Status(Schema):
    """What is served, and as of which block."""

    market = fields.Nested(MarketOf)
    tariff = fields.Nested(TariffOf)
    watched = fields.Nested(BlockRef, allow_none=True)
    head = fields.Nested(Head, allow_none=True)
    behind_blocks = of.count("between the store and the chain's head")
    behind_seconds = of.seconds("between the store and the chain's head")
    now = of.seconds("the chain's time of the watched block: phases and what is left are told as of it")
    period = of.period()
    counts = fields.Nested(Counts)
    node = fields.Boolean(metadata=of.described("whether transactions can be made and relayed"))


class PhaseOf(Schema):
    """Where a delivery period stands."""

    period = of.period()
    starts = of.seconds("when the delivery begins")
    ends = of.seconds("when the delivery ends")
    phase = of.text("BIDDING, REVEALING, MATCHING, DELIVERING, METERING, SETTLING or CLOSING")
    since = of.seconds("when the phase began; null in BIDDING")
    until = of.seconds("when the phase ends; null in CLOSING")
    seconds_left = of.seconds("of the phase; null in CLOSING")
    begins = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata=of.described("of each phase but BIDDING")
    )


class PhaseRow(PhaseOf):
    """Where one of several delivery periods stands."""


class Phases(Schema):
    """The delivery periods in which something can happen now."""

    at = of.seconds("the time that it is told of")
    periods = fields.List(fields.Nested(PhaseRow))


# ---- the trade -------------------------------------------------------------------------------


class Quote(Schema):
    """A prosumer's offer for one period."""

    id = of.count("of the quote")
    prosumer = of.address("who quotes")
    period = of.period()
    volume_wh = of.wh("Wh offered")
    price = of.price("at least so much, base units per Wh")
    created_at = of.seconds("the block's time")
    status = of.text(_QUOTE)
    sold_wh = of.wh("Wh sold")
    bids = of.count("sealed bids")
    opened = of.count("bids that were opened")
    trades = of.count("sales")
    exported_wh = of.wh("what the prosumer's meter reported; null without a reading")
    remaining_wh = of.wh("what may be bought now; 0 where nothing may be")
    delivered_wh = of.wh(f"what its buyers received; {_UNTIL}")
    revenue = of.money(f"the payments of all trades; {_UNTIL}")
    fee = of.money(f"of the prosumer; {_UNTIL}")
    compensation = of.money(f"paid by the prosumer; {_UNTIL}")
    block = of.count("in which it was made")
    transaction = of.text("hash of the transaction that made it")


class Bid(Schema):
    """A sealed bid on a quote."""

    quote_id = of.count("of the quote")
    period = of.period()
    bidder = of.address("who bids")
    status = of.text(_BID)
    seal = of.text("the commitment; null once opened")
    price = of.price("null until opened, base units per Wh")
    volume_wh = of.wh("null until opened")
    filled_wh = of.wh("won in the matching")


class Trade(Schema):
    """A sale of part of a quote."""

    quote_id = of.count("of the quote")
    index = of.count("place among the quote's sales, from 0")
    period = of.period()
    prosumer = of.address("who sold")
    buyer = of.address("who bought")
    kind = of.text("bid: won in the matching; surplus: bought of what was left")
    volume_wh = of.wh("Wh sold")
    price = of.price("base units per Wh")
    settled = fields.Boolean()
    delivered_wh = of.wh(f"what arrived; {_UNTIL}")
    payment = of.money(f"buyer to prosumer; {_UNTIL}")
    fee = of.money(f"of the buyer; {_UNTIL}")
    compensation = of.money(f"prosumer to buyer; {_UNTIL}")


class Unsold(Schema):
    """What nobody bought of a quote."""

    quote_id = of.count("of the quote")
    period = of.period()
    prosumer = of.address("who quoted")
    price = of.price("base units per Wh")
    volume_wh = of.wh("Wh offered")
    sold_wh = of.wh("Wh sold")
    exported_wh = of.wh("what the prosumer's meter reported; null without a reading")
    unsold_wh = of.wh("not sold: of the quote, and once metered of what was exported")
    remaining_wh = of.wh("what may be bought now")


# ---- meters, accounts, money -----------------------------------------------------------------


class Reading(Schema):
    """What counts of what a meter reported."""

    user = of.address("whose meter")
    period = of.period()
    exported_wh = of.wh()
    imported_wh = of.wh()


class Position(Schema):
    """A user's energy in one period."""

    user = of.address("whose")
    period = of.period()
    agreed_wh = of.wh("bought before the delivery began")
    bought_wh = of.wh("bought in all")
    received_wh = of.wh("delivered to the user")
    delivered_wh = of.wh("delivered by the user")
    open = of.count("quotes with a stake of the user")
    settled = fields.Boolean()


class Account(Schema):
    """A party: identity, money and standing."""

    address = of.address("the party")
    role = of.text("household, owner, supplier or other")
    profile = of.text("commitment to the personal data kept off the chain")
    meter = of.address("signs the readings; null: not registered")
    authorized = fields.Boolean(metadata=of.described("may begin new business"))
    balance = of.money("free money")
    reserved = of.money("in escrow")
    grid_account = of.money("invoice account; below 0 the supplier is owed")
    performances = of.count("good performances")
    defaults = of.count("broken promises")
    waivers = of.count("fees that will not be taken")
    tier = of.count("discount / 20 %, from 0 to 5")
    capacity_wh = of.wh("what the connection carries in a period")


class Bill(Schema):
    """What a household's energy and money came to."""

    household = of.address("whose bill")
    period = of.period()
    imported_wh = of.wh("metered")
    exported_wh = of.wh("metered")
    bought_wh = of.wh("received from neighbours")
    sold_wh = of.wh("delivered to neighbours")
    grid_alone = of.money("what the metered energy would have cost with the grid alone")
    market = of.money("what it cost with the market; below 0 it was paid")
    saving = of.money("grid_alone - market")
    paid = of.money("for neighbours' energy")
    earned = of.money("by energy for neighbours")
    fees = of.money("service fees")
    compensation_received = of.money()
    compensation_paid = of.money()
    grid_account = of.money("invoiced by the supplier; above 0 the household is credited")
    performances = of.count("good performances")
    defaults = of.count("broken promises")
    waivers = of.count("waivers earned")


class Period(Schema):
    """A delivery period of the community."""

    period = of.period()
    starts = of.seconds("when the delivery begins")
    ends = of.seconds("when the delivery ends")
    phase = of.text("as of the watched block")
    supply_wh = of.wh("quoted")
    demand_wh = of.wh("asked for by opened bids")
    sdr = of.ratio("supply / demand")
    quotes = of.count("not withdrawn")
    bids = of.count("sealed")
    opened = of.count("bids that were opened")
    trades = of.count("sales")
    sold_wh = of.wh()
    delivered_wh = of.wh("what arrived of what was sold")
    exported_wh = of.wh("metered")
    imported_wh = of.wh("metered")
    unsold_wh = of.wh("of all quotes")
    local_wh = of.wh("of the imports, what neighbours delivered")
    local_share = of.ratio("local_wh / imported_wh")
    quote_price = of.price("mean weighted by volume, rounded down")
    bid_price = of.price("of opened bids: mean weighted by volume, rounded down")
    trade_price = of.price("mean weighted by volume, rounded down")
    fees = of.money("of both sides of all trades")
    compensation = of.money("paid to buyers")
    performances = of.count("good performances")
    defaults = of.count("broken promises")
    settled = of.count("accounts that are settled")


class Index(Schema):
    """One figure of the community."""

    name = of.text("of the index")
    value = of.ratio("null where it cannot be computed")
    says = of.text("what it tells")
    why = of.text("why it cannot be computed; null where it can")


class Indices(Schema):
    """The indices of Zhou et al. 2018, as far as what is on the chain tells, and two ratios."""

    from_period = of.period()
    to_period = of.period()
    households = of.count("with a bill in the range")
    indices = fields.List(fields.Nested(Index))


class Default(Schema):
    """A broken promise, as the contract recorded it."""

    user = of.address("who")
    period = of.period()
    kind = of.text("delivery: of its quote; import: of what it had agreed to buy")
    silent = fields.Boolean(metadata=of.described("its meter was silent"))
    quote_id = of.count("of the quote; null for an import")
    block = of.count("in which it was recorded")
    timestamp = of.seconds("the block's time")
    transaction = of.text("that settled")
    index = of.count("of the event in its block")
