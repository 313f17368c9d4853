"""Columns for the chain's whole numbers, exact in both databases, that sort and compare as numbers.

PostgreSQL has NUMERIC(78, 0). SQLite has 64 bits, and floats beyond them; there larger numbers are text of a fixed
length. Sums are `exact_sum`: PostgreSQL's own is exact, SQLite gets one of ours (`register`).
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import NUMERIC, Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

DIGITS = 78
"""Decimal digits of 2^256 - 1."""

_LIMIT = 10**DIGITS
_SMALL = 2**63


class _AsItIs(UserDefinedType[Any]):
    """A column of SQLite that keeps integers and text as they come: in others, long digits become floats."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "BLOB"


class Unsigned(TypeDecorator[int]):
    """0 to 2^256 - 1. SQLite: an integer below 2^63, above text of 78 digits, which it sorts after all integers."""

    impl = NUMERIC
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_AsItIs() if dialect.name == "sqlite" else NUMERIC(DIGITS, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | str | None:
        if value is None:
            return None
        if not 0 <= value < 2**256:
            raise ValueError(f"{value} is no whole number from 0 to 2^256 - 1")
        return unsigned_to_sqlite(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class Signed(TypeDecorator[int]):
    """-2^255 to 2^256 - 1. SQLite: text of 79 digits, of the number plus 10^78; it begins with 0 below 0."""

    impl = NUMERIC
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_AsItIs() if dialect.name == "sqlite" else NUMERIC(DIGITS, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | str | None:
        if value is None:
            return None
        if not -(2**255) <= value < 2**256:
            raise ValueError(f"{value} is no whole number from -2^255 to 2^256 - 1")
        return signed_to_sqlite(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        return signed_of_sqlite(value) if dialect.name == "sqlite" else int(value)


def unsigned_to_sqlite(value: int) -> int | str:
    """A number from 0 on as a column `Unsigned` of SQLite has it."""
    return value if value < _SMALL else f"{value:0{DIGITS}d}"


def signed_to_sqlite(value: int) -> str:
    """A number as a column `Signed` of SQLite has it."""
    return f"{value + _LIMIT:0{DIGITS + 1}d}"


def signed_of_sqlite(text: str) -> int:
    """The number in a column `Signed` of SQLite."""
    return int(text) - _LIMIT


class exact_sum(GenericFunction[int]):
    """SUM of a column `Unsigned` or `Signed`, as a `Signed`; NULL of no rows."""

    type = Signed()
    inherit_cache = True


@compiles(exact_sum)
def _sum(element: Any, compiler: Any, **options: Any) -> str:
    return f"SUM({compiler.process(element.clauses, **options)})"


@compiles(exact_sum, "sqlite")
def _sum_of_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    (column,) = element.clauses
    name = "sum_signed" if isinstance(column.type, Signed) else "sum_unsigned"
    return f"{name}({compiler.process(element.clauses, **options)})"


class _SumUnsigned:
    """What SQLite asks to add numbers of a column `Unsigned`."""

    def __init__(self) -> None:
        self.total: int | None = None

    def step(self, value: int | str | None) -> None:
        if value is not None:
            self.total = (self.total or 0) + int(value)

    def finalize(self) -> str | None:
        return None if self.total is None else signed_to_sqlite(self.total)


class _SumSigned(_SumUnsigned):
    """What SQLite asks to add numbers of a column `Signed`."""

    def step(self, value: int | str | None) -> None:
        if value is not None:
            self.total = (self.total or 0) + signed_of_sqlite(str(value))


def register(connection: sqlite3.Connection) -> None:
    """Gives a connection to SQLite the sums."""
    connection.create_aggregate("sum_unsigned", 1, _SumUnsigned)  # type: ignore[arg-type]
    connection.create_aggregate("sum_signed", 1, _SumSigned)  # type: ignore[arg-type]
