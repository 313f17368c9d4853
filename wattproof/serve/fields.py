"""The types of the API's answers and arguments, as OpenAPI shows them.

Money and prices are decimal strings, since JSON readers round numbers beyond 2**53; energies, periods and blocks are
numbers below that.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from apiflask import Schema, fields
from apiflask.validators import Length, OneOf, Regexp
from eth_utils.address import is_checksum_address, to_checksum_address
from marshmallow import ValidationError, pre_load

from wattproof.market.units import fixed

MAX_PAGE = 10**9
MAX_NUMBER = 2**53 - 1
"""Of numbers of blocks, periods and quotes: what every reader of JSON holds exactly."""

RATIO_DECIMALS = 6


def described(says: str, **more: Any) -> dict[str, Any]:
    """What OpenAPI says of a field."""
    return {"description": says, **more}


class Money(fields.String):
    """An amount in base units, or a price in base units per Wh."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(int(value))


class Ratio(fields.String):
    """A fraction as a decimal string, rounded down; None where there is no denominator."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else ratio_text(value)


def ratio_text(value: Fraction) -> str:
    """A fraction with six decimals, rounded down: "0.416666"."""
    unit = 10**RATIO_DECIMALS
    return fixed(value.numerator * unit // value.denominator, unit, RATIO_DECIMALS)


def money(says: str = "base units of the token") -> Money:
    """A sum of money."""
    return Money(allow_none=True, metadata=described(says, example="99829750000000000000"))


def price(says: str = "base units of the token per Wh") -> Money:
    """A price."""
    return Money(allow_none=True, metadata=described(says, example="90000000000000"))


def wh(says: str = "Wh") -> fields.Integer:
    """An energy."""
    return fields.Integer(allow_none=True, metadata=described(says, example=1500))


def count(says: str) -> fields.Integer:
    """How many there are."""
    return fields.Integer(allow_none=True, metadata=described(says))


def seconds(says: str) -> fields.Integer:
    """A time, or a length of time."""
    return fields.Integer(allow_none=True, metadata=described(says, example=1561072200))


def period() -> fields.Integer:
    """A delivery period."""
    return fields.Integer(allow_none=True, metadata=described("number of the delivery period", example=867262))


def address(says: str) -> fields.String:
    """An account."""
    return fields.String(allow_none=True, metadata=described(says, example="0x" + 40 * "1"))


def text(says: str) -> fields.String:
    """Some text."""
    return fields.String(allow_none=True, metadata=described(says))


def ratio(says: str) -> Ratio:
    """A ratio."""
    return Ratio(allow_none=True, metadata=described(f"{says}; six decimals, rounded down", example="0.416666"))


# ---- arguments -------------------------------------------------------------------------------


class Arguments(Schema):
    """What is asked, in a query or a body."""

    error_messages = {"unknown": "there is no such argument"}  # noqa: RUF012

    @pre_load
    def once(self, data: Any, **_: Any) -> Any:
        """Refuses what a query names twice: the reader would not know which of them counts."""
        lists = getattr(data, "lists", dict)
        if twice := [name for name, values in dict(lists()).items() if len(values) > 1]:
            raise ValidationError({name: ["is given more than once"] for name in twice})
        return data


def checksummed(value: object) -> str:
    """An address in checksum form. ValueError where it is none, or its checksum is wrong."""
    if not isinstance(value, str) or not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        raise ValueError("must be an address: 0x and 40 hexadecimal digits")
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(value):
        raise ValueError("its checksum is wrong: a letter is in the wrong case, or a digit is another one")
    return str(to_checksum_address(value.lower()))


class Address(fields.String):
    """An address as an argument: read into its checksum form."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        try:
            return checksummed(value)
        except ValueError as problem:
            raise ValidationError(str(problem)) from None


class Number(fields.Field):
    """A whole number from 0 to 2**53 - 1 as an argument."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        try:
            return whole(value, MAX_NUMBER)
        except ValueError as problem:
            raise ValidationError(str(problem)) from None


def whole(value: object, most: int) -> int:
    """A whole number from 0 to `most`, a number or its decimal digits. ValueError for anything else."""
    if isinstance(value, str) and (found := re.fullmatch(r"(-?)[0-9]+", value, re.ASCII)):
        # What is too long to be computed is too large, too.
        value = -1 if found[1] else int(value) if len(value) <= 80 else most + 1
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number, as a number or as decimal digits")
    if value < 0:
        raise ValueError("must be 0 or more")
    if value > most:
        raise ValueError(f"must be at most {most}")
    return value


def asks_number(says: str) -> Number:
    """A filter by a number."""
    return Number(metadata=described(says, type="integer", minimum=0, maximum=MAX_NUMBER))


def asks_address(says: str) -> Address:
    """A filter by an account."""
    return Address(metadata=described(says))


def asks_one_of(says: str, *names: str) -> fields.String:
    """A filter by one of some words."""
    line = f"must be one of {', '.join(names)}"
    return fields.String(validate=OneOf(names, error=line), metadata=described(says))


def asks_word(says: str, pattern: str, line: str = "has another form") -> fields.String:
    """A filter by a word of a form; `line` is what one of another form is told."""
    return fields.String(
        validate=[Length(max=80, error="is too long"), Regexp(rf"\A(?:{pattern})\Z", error=line)],
        metadata=described(says),
    )


def needs_text(says: str) -> fields.String:
    """A text that a body must have."""
    lines: dict[str, Any] = {"required": "is missing", "invalid": "must be a text", "null": "must be a text"}
    return fields.String(required=True, error_messages=lines, metadata=described(says))


def asks_truth(says: str) -> fields.Boolean:
    """A filter by true or false."""
    return fields.Boolean(
        truthy={"true", "1"},
        falsy={"false", "0"},
        error_messages={"invalid": "must be true or false"},
        metadata=described(says),
    )
