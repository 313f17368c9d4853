"""Answers of the API, read into records."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar

from wattproof.client.http import ApiError

Record = TypeVar("Record")


@cache
def kinds(record: type) -> dict[str, tuple[Any, bool]]:
    """The fields of a record: the type of each, and whether it may be None."""
    hints = typing.get_type_hints(record)
    return {field.name: _kind(hints[field.name]) for field in fields(record)}


def _kind(hint: Any) -> tuple[Any, bool]:
    if not isinstance(hint, UnionType):
        return hint, False
    options = typing.get_args(hint)
    return next(option for option in options if option is not NoneType), NoneType in options


def read(record: type[Record], told: Any) -> Record:
    """A record from an answer; what it does not know is left out. ApiError where something is missing or odd."""
    if not isinstance(told, Mapping):
        raise ApiError(f"the server answers with no {record.__name__}: is it of another version?")
    try:
        found = {name: _value(*kind, told[name]) for name, kind in kinds(record).items() if name in told}
        return record(**found)
    except (TypeError, ValueError, ArithmeticError) as problem:
        raise ApiError(
            f"the server's {record.__name__} cannot be read ({problem}): is it of another version?"
        ) from None


def _value(kind: Any, may_be_none: bool, value: Any) -> Any:
    """A value in the type that it should have."""
    if value is None:
        if not may_be_none:
            raise ValueError("something is null that must not be")
        return None
    origin = typing.get_origin(kind) or kind
    if is_dataclass(origin):
        return read(origin, value)  # type: ignore[type-var]
    if origin is list:
        (part,) = typing.get_args(kind)
        return [_value(part, False, each) for each in value]
    if origin is int and isinstance(value, str | int) and not isinstance(value, bool):
        return int(value)
    if origin is Decimal:
        return Decimal(value)
    if not isinstance(value, origin):
        raise ValueError(f"{value!r:.40} is no {origin.__name__}")
    return value
