"""The arguments of the API's lists: pages, order and filters."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from marshmallow import validate

from wattproof.serve.fields import (
    Arguments,
    asks_address,
    asks_number,
    asks_one_of,
    asks_truth,
    asks_word,
    count,
    described,
)
from wattproof.serve.limits import MAX_BODY
from wattproof.serve.schemas import Error
from wattproof.store.queries import MAX_PER_PAGE
from wattproof.terms.model import BidStatus, QuoteStatus

MAX_PAGE = 10**9

MESSAGE_ID = (
    "must be the ID of a message of this stream: the number of a block, a hyphen, and the first 16 digits of its hash "
    "after 0x, as in 12-0123456789abcdef"
)
"""What somebody is told whose ID is none."""


def _page(most: int, default: int, says: str) -> fields.Integer:
    line = f"must be a whole number from 1 to {most}"
    return fields.Integer(
        load_default=default,
        validate=validate.Range(1, most, error=line),
        metadata=described(says),
        error_messages={"invalid": line, "too_large": line},
    )


class Paged(Arguments):
    """Every list."""

    page = _page(MAX_PAGE, 1, "which page, from 1")
    per_page = _page(MAX_PER_PAGE, 50, "rows of a page")
    order = asks_one_of("asc: oldest first, desc: newest first", "asc", "desc")


class _Periods(Arguments):
    from_period = asks_number("no period before this one")
    to_period = asks_number("no period after this one")


class _Blocks(Arguments):
    from_block = asks_number("no block before this one")
    to_block = asks_number("no block after this one")


class _Period(_Periods):
    period = asks_number("of this delivery period")


class Quotes(Paged, _Period):
    """Filters of quotes."""

    prosumer = asks_address("who quotes")
    status = asks_one_of("of the quote", *(str(one.name) for one in QuoteStatus))


class Bids(Paged, _Period):
    """Filters of bids."""

    quote_id = asks_number("on this quote")
    bidder = asks_address("who bids")
    status = asks_one_of("of the bid", *(str(one.name) for one in BidStatus))


class Trades(Paged, _Period):
    """Filters of trades."""

    quote_id = asks_number("of this quote")
    buyer = asks_address("who bought")
    prosumer = asks_address("who sold")
    kind = asks_one_of("how it was sold", "bid", "surplus")
    settled = asks_truth("whether it is settled")


class Unsold(Paged, _Period):
    """Filters of unsold energy."""

    prosumer = asks_address("who quotes")


class Readings(Paged, _Period):
    """Filters of readings."""

    user = asks_address("whose meter")


class Positions(Paged, _Period):
    """Filters of positions."""

    user = asks_address("whose position")
    settled = asks_truth("whether the account of the period is settled")


class Accounts(Paged):
    """Filters of accounts."""

    role = asks_one_of("of the party", "household", "owner", "supplier", "other")
    authorized = asks_truth("whether it may begin new business")


class Bills(Paged, _Period):
    """Filters of bills."""

    household = asks_address("whose bill")
    by = asks_one_of("household: one row for each; period: one for each household and period", "household", "period")


class Periods(Paged, _Periods):
    """Filters of periods."""


class IndexRange(_Periods):
    """Of which periods."""


class Defaults(Paged, _Period):
    """Filters of defaults."""

    user = asks_address("whose")
    kind = asks_one_of("of which promise", "delivery", "import")


class Blocks(Paged, _Blocks):
    """Filters of blocks."""


class Alarms(Paged, _Blocks):
    """Filters of alarms."""

    invariant = asks_word("ID of the invariant", "[A-Za-z0-9._-]+")


class Calls(Paged, _Blocks):
    """Filters of calls."""

    block = asks_number("of this block")
    transaction = asks_word("hash of the transaction", "0x[0-9a-fA-F]{64}")
    sender = asks_address("who called")
    function = asks_word("the entry point", "[a-z_]+")
    accepted = asks_truth("whether it was accepted")


class Events(Paged, _Blocks):
    """Filters of events."""

    block = asks_number("of this block")
    transaction = asks_word("hash of the transaction", "0x[0-9a-fA-F]{64}")
    name = asks_word("of the event", "[A-Za-z]+")
    quote_id = asks_number("about this quote")
    user = asks_address("about this party")
    period = asks_number("about this period")


class OnlyAt(Arguments):
    """Of which time."""

    at = asks_number("seconds; default: the chain's time of the watched block")


class At(OnlyAt, _Periods):
    """Of which time, and which periods."""


class After(Arguments):
    """Where a stream goes on."""

    after = asks_word("the ID of the last message that was read", "[0-9]{1,16}-[0-9a-f]{16}", MESSAGE_ID)


# ---- how a route is declared -----------------------------------------------------------------

_LISTS: dict[type[Schema], type[Schema]] = {}


def listed(item: type[Schema]) -> type[Schema]:
    """A page of such items."""
    if item not in _LISTS:
        members: dict[str, Any] = {
            # A class of its own: APIFlask would write one that is an answer by itself, too, into its document twice.
            "items": fields.List(fields.Nested(type(f"{item.__name__}Row", (item,), {}))),
            "page": count("this page, from 1"),
            "per_page": count("rows of a page"),
            "pages": count("how many there are"),
            "total": count("rows on all pages"),
        }
        _LISTS[item] = type(f"{item.__name__}List", (Schema,), members)
    return _LISTS[item]


def blueprint(name: str, tag: str) -> APIBlueprint:
    """Routes under /api/v1."""
    return APIBlueprint(name, __name__, url_prefix="/api/v1", tag=tag)


ERRORS: dict[int, Any] = {
    404: {"description": "nothing of that was seen", "schema": Error},
    422: {"description": "an argument does not fit", "schema": Error},
    429: {"description": "asked too often: wait so many seconds as Retry-After says", "schema": Error},
    503: {"description": "the database or the node cannot be used now", "schema": Error},
}
"""What each route may answer, too."""

POST_ERRORS: dict[int, Any] = ERRORS | {
    400: {"description": "the body is not JSON", "schema": Error},
    409: {"description": "the contract or the node refuses: `reason` and `hint` say why", "schema": Error},
    413: {"description": f"a body has at most {MAX_BODY} bytes"},
    415: {"description": "the body is not said to be JSON: Content-Type: application/json", "schema": Error},
    431: {"description": "the request's header is too large"},
}
"""What each route that takes a body may answer, too. For what is too large the web server answers: no JSON."""
