"""deployment.json: which market lies where, as every command that speaks with a chain takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from eth_utils.address import is_checksum_address

from wattproof import documents, outputs
from wattproof.market.tariff import Tariff
from wattproof.market.tokens import Token
from wattproof.outputs import one_line

VERSION = 1

SCHEMA = f"wattproof-deployment/{VERSION}"

_LARGEST = 2**16
"""Bytes of a file that is read."""


_ADDRESSES = ("market", "lens", "token", "owner", "supplier")


class BadRecord(Exception):
    """A file tells of no market; the one-line message says why, and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class BlockId(NamedTuple):
    """A block by its number and hash."""

    number: int
    hash: str


class CodeHashes(NamedTuple):
    """The keccak256 of the code at each address, as 0x and 64 digits."""

    market: str
    lens: str
    token: str


@dataclass(frozen=True)
class Record:
    """A market on a chain.

    chain_id, genesis   the chain: its ID, and the hash of its block 0
    block               in which the market was created
    token_decimals      None where the token does not say
    owner               who deployed it; the chain knows who owns it now
    tariff              in base units of the token
    wattproof           the version that deployed it
    """

    chain_id: int
    genesis: str
    block: BlockId
    market: str
    lens: str
    token: str
    token_decimals: int | None
    token_symbol: str
    owner: str
    supplier: str
    tariff: Tariff
    code: CodeHashes
    wattproof: str
    schema: int = VERSION

    @property
    def settled_in(self) -> Token:
        """The token, for amounts and prices as people write them."""
        return Token(self.token, self.token_symbol, self.token_decimals)

    def text(self) -> str:
        """As it stands in a file; large numbers are texts, as many a reader of JSON has none beyond 2**53."""
        told = asdict(self) | {"block": self.block._asdict(), "code": self.code._asdict()}
        told["tariff"] = {name: _written(value) for name, value in asdict(self.tariff).items()}
        del told["schema"]
        return json.dumps({"schema": SCHEMA} | told, indent=1, ensure_ascii=False) + "\n"

    def write(self, path: Path) -> None:
        """Writes the file; raises outputs.BadPlace, also where a file is there that is none of ours."""
        with outputs.File(path) as file:
            file.write(self.text())

    @classmethod
    def read(cls, path: Path) -> Record:
        """The market that a file tells of. Raises BadRecord."""
        try:
            with path.open("rb") as file:
                text = file.read(_LARGEST)
            told = documents.parsed(text)
        except OSError as problem:
            raise BadRecord(f"{outputs.told(problem)}; `wattproof deploy` writes such a file") from None
        except ValueError:
            told = None
        schema = told.get("schema") if isinstance(told, dict) else None
        if not isinstance(told, dict) or schema != SCHEMA:
            ours = str(schema).startswith("wattproof-deployment/")
            of = "a deployment.json of another version" if ours else "no deployment.json of `wattproof deploy`"
            raise BadRecord(f"{path}: is {of}: name a file of schema {SCHEMA!r}")
        try:
            return cls._of(told)
        except _Odd as odd:
            raise BadRecord(f"{path}: {odd}; take the file as `wattproof deploy` wrote it") from None

    @classmethod
    def _of(cls, told: dict[str, Any]) -> Record:
        block, code, tariff = (_part(told, name, dict) for name in ("block", "code", "tariff"))
        return cls(
            chain_id=_part(told, "chain_id", _is_count),
            genesis=_part(told, "genesis", _is_hash),
            block=BlockId(_part(block, "number", _is_count), _part(block, "hash", _is_hash)),
            **{name: _part(told, name, is_checksum_address) for name in _ADDRESSES},
            token_decimals=_part(told, "token_decimals", _is_decimals),
            token_symbol=_part(told, "token_symbol", lambda value: isinstance(value, str) and value.isprintable()),
            tariff=_tariff(tariff),
            code=CodeHashes(*(_part(code, name, _is_hash) for name in CodeHashes._fields)),
            wattproof=_part(told, "wattproof", str),
        )


class _Odd(ValueError):
    """A field is not there, or not what it should be."""


def _part(told: dict[str, Any], name: str, check: type | Callable[[Any], bool]) -> Any:
    value = told.get(name)
    fits = isinstance(value, check) if isinstance(check, type) else name in told and check(value)
    if not fits:
        raise _Odd(f"its {name} is {'not what it should be' if name in told else 'missing'}")
    return value


def _tariff(told: dict[str, Any]) -> Tariff:
    if odd := told.keys() ^ {field.name for field in fields(Tariff)}:
        raise _Odd(f"its tariff has {min(odd)!r} too much, or too little")
    values = {name: _read_number(told, name) for name in told if name != "rank_by_price"}
    return Tariff(**values, rank_by_price=_part(told, "rank_by_price", bool))


def _read_number(told: dict[str, Any], name: str) -> int:
    if isinstance(text := told[name], str) and re.fullmatch("[0-9]{1,78}", text):
        return int(text)
    return _part(told, name, _is_count)


def _written(value: int | bool) -> int | bool | str:
    return value if isinstance(value, bool) or value < 2**31 else str(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**256


def _is_decimals(value: Any) -> bool:
    return value is None or (_is_count(value) and value < 2**8)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("0x[0-9a-f]{64}", value) is not None
