"""What the API answers of the watcher and of the chain, field by field."""

from __future__ import annotations

from apiflask import Schema, fields

from wattproof.serve import fields as of
from wattproof.serve.fields import Arguments

_VALUES = "by name; numbers are decimal strings"


class Block(Schema):
    """A block that the watcher checked."""

    number = of.count("of the block")
    hash = of.text("of the block")
    parent = of.text("hash of the block before")
    timestamp = of.seconds("the block's time")
    calls = of.count("of the market")
    events = of.count("of the market")
    alarms = of.count("in this block")


class Call(Schema):
    """A call of the market, accepted or refused."""

    block = of.count("the call's block")
    timestamp = of.seconds("the block's time")
    index = of.count("place among the block's calls of the market")
    transaction = of.text("hash of the transaction")
    sender = of.address("who called the market")
    origin = of.address("who signed the transaction")
    function = of.text("the entry point")
    arguments = fields.Dict(keys=fields.String(), metadata=of.described(_VALUES))
    accepted = fields.Boolean()
    reason = of.text("why it was refused")
    result = of.text("what it returned")
    via = of.text("transaction: called itself; trace: by another contract; events: known from its events alone")


class Event(Schema):
    """An event of the market."""

    block = of.count("the event's block")
    timestamp = of.seconds("the block's time")
    index = of.count("of the log in its block")
    transaction = of.text("hash of the transaction")
    call = of.count("`index` of the call that made it")
    name = of.text("of the event")
    fields_ = fields.Dict(keys=fields.String(), data_key="fields", attribute="fields", metadata=of.described(_VALUES))


class Alarm(Schema):
    """A difference between the market and its terms."""

    block = of.count("in which it showed")
    timestamp = of.seconds("the block's time")
    index = of.count("place among the alarms of the block")
    invariant = of.text("that is violated")
    what = of.text("one line")
    story = of.text("the counterexample's calls, a line each")
    replay = of.text("lines that replay it in `wattproof repl`")


class Invariant(Schema):
    """One promise of the market, and how often the watcher checked it."""

    invariant = of.text("ID")
    checks = of.count("how often it was checked")
    alarms = of.count("how often it was violated")
    says = of.text("the promise")


class Invariants(Schema):
    """How far the proof goes."""

    blocks = of.count("checked")
    first_block = of.count("the first that was checked")
    last_block = of.count("the last that was checked")
    behind_blocks = of.count("between the store and the chain's head")
    behind_seconds = of.seconds("between the store and the chain's head")
    alarms = of.count("in all")
    invariants = fields.List(fields.Nested(Invariant))


# ---- transactions ----------------------------------------------------------------------------


class ArgumentOf(Schema):
    """An argument of a call."""

    name = of.text("of the argument")
    type = of.text("its ABI type")
    says = of.text("what it is")


class CallOf(Schema):
    """A call for which a transaction can be made."""

    call = of.text("its name")
    to = of.text("market or token")
    payable = fields.Boolean(metadata=of.described("takes ether, as `value`"))
    says = of.text("what it does")
    arguments = fields.List(fields.Nested(ArgumentOf))


class CallList(Schema):
    """All calls."""

    calls = fields.List(fields.Nested(CallOf))


class Wanted(Arguments):
    """A transaction that somebody wants."""

    sender = of.needs_text("who will sign and send it")
    arguments = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        metadata=of.described("by name: see GET /api/v1/transactions; numbers as numbers or decimal strings"),
    )
    value = fields.Raw(
        load_default=0, metadata=of.described("wei to send along, a number or decimal string", type="string")
    )


class Unsigned(Schema):
    """A transaction to sign, which the chain would accept now."""

    transaction = fields.Dict(
        keys=fields.String(), metadata=of.described("as eth_sendTransaction takes it: numbers in hexadecimal")
    )
    call = of.text("its name")
    arguments = fields.Dict(keys=fields.String(), metadata=of.described(_VALUES))
    says = of.text("what it does")
    returns = of.text("the number that it would return now; null where it returns none")


class Signed(Arguments):
    """A signed transaction."""

    raw = of.needs_text("0x and hexadecimal digits")


class Relayed(Schema):
    """A transaction that the node has."""

    hash = of.text("of the transaction")


class Happened(Schema):
    """An event of a transaction."""

    name = of.text("of the event")
    fields_ = fields.Dict(keys=fields.String(), data_key="fields", attribute="fields", metadata=of.described(_VALUES))


class State(Schema):
    """What became of a transaction."""

    hash = of.text("of the transaction")
    state = of.text("unknown, pending, accepted or refused")
    block = of.count("its block")
    gas_used = of.count("gas")
    reason = of.text("why it was refused")
    hint = of.text("what that means")
    events = fields.List(fields.Nested(Happened))
