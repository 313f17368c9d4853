"""`wattproof check-bytecode ADDRESS --rpc URL`: whether a deployed market is the one that a report is about.

What lies at an address is the runtime code that was compiled and, behind it, what the constructor fixed for ever: the
frame of the market. The first must be the report's to the last byte; the second is shown, and must fit this address.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rich.console import Console
from rich.text import Text

from wattproof import documents
from wattproof.evm import rpc
from wattproof.evm.rpc import Address, NodeUnusable
from wattproof.market.meters import domain_separator
from wattproof.outputs import one_line

SCHEMA = "wattproof-evidence/6"
"""The schema of a report's `evidence.json`; see docs/report.md."""

_LONGEST = 60
"""Characters of another schema that are shown."""

_LARGEST = 2**24
"""Bytes, far above what a contract can have."""


def _is_size(value: Any) -> bool:
    """Whether it can be a number of bytes of a contract."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


_CODE = {
    "runtime": {"keccak256": _is_hash, "bytes": _is_size},
    "immutables": [{"name": str, "type": str, "offset": _is_size, "length": _is_size}],
}

_SHAPE = {
    "verdict": {"outcome": str, "sentence": str},
    "verified": {"market": _CODE, "credit": _CODE, "revision": {"commit": str | None, "clean": bool | None}},
}
"""What is read here of a report: types, or what must be true, by name; a list holds any number of what it names."""


class NoReport(Exception):
    """There is no report to read; the one-line message says what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


def load(place: Path) -> dict[str, Any]:
    """The document of a report, from its folder or from its evidence.json. Raises NoReport."""
    path = place / "evidence.json" if place.is_dir() else place
    try:
        told = documents.parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise NoReport(f"{path} cannot be read ({why}): name a report's folder or its evidence.json") from problem
    schema = told.get("schema") if isinstance(told, dict) else None
    if schema != SCHEMA:
        shown = repr(schema) if len(repr(schema)) <= _LONGEST else f"{repr(schema)[:_LONGEST]}…"
        raise NoReport(f"{path} is of schema {shown}, not {SCHEMA!r}: make the report anew with `wattproof verify`")
    if not _fits(told, _SHAPE):
        raise NoReport(f"{path} is no whole report: make it anew with `wattproof verify`")
    return told


def _fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(name in value and _fits(value[name], shape[name]) for name in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(one, shape[0]) for one in value)
    return shape(value) if inspect.isfunction(shape) else isinstance(value, shape)


def check(code: bytes, compiled: dict[str, Any]) -> tuple[bool, str, dict[str, Any]]:
    """Whether deployed code is the compiled one; a sentence about it; and the values that its constructor fixed.

    Args:
        code: what lies at the address.
        compiled: what a report says of the contract, under `verified`.
    """
    runtime, layout = compiled["runtime"], compiled["immutables"]
    tail = max((field["offset"] + field["length"] for field in layout), default=0)
    wanted = runtime["bytes"] + tail
    if len(code) != wanted:
        return False, f"its code has {len(code)} bytes, not {wanted}", {}
    found = keccak(code[: runtime["bytes"]]).hex()
    if found != runtime["keccak256"]:
        return False, f"its runtime code hashes to 0x{found}, the report's to 0x{runtime['keccak256']}", {}
    said = f"its runtime code is the report's, byte by byte (0x{found})"
    return True, said, {field["name"]: _value(code[runtime["bytes"] :], field) for field in layout}


def _value(data: bytes, field: dict[str, Any]) -> Any:
    at, kind = field["offset"], field["type"]
    word = data[at : at + 32]
    if kind.startswith("String"):
        length = int.from_bytes(word, "big")
        return data[at + 32 : at + 32 + min(length, field["length"])].decode(errors="replace")
    if kind == "address":
        return to_checksum_address(word[12:])
    return "0x" + word.hex() if kind.startswith("bytes") else int.from_bytes(word, "big")


def misfits(values: dict[str, Any], address: str, chain: int) -> list[str]:
    """What the constructor fixed that cannot be of this address on this chain."""
    found = []
    own = values.get("eip712._CACHED_SELF")
    if own is not None and own != address:
        found.append(f"its signatures are for the market at {own}")
    if values.get("eip712._CACHED_CHAIN_ID", chain) != chain:
        found.append(f"its signatures are for chain {values['eip712._CACHED_CHAIN_ID']}, not {chain}")
    cached = values.get("eip712._CACHED_DOMAIN_SEPARATOR")
    if cached is not None and not found and cached != "0x" + domain_separator(chain, address).hex():
        found.append("its signatures are for another name or version than Wattproof 1")
    return found


def check_bytecode(address: str, url: str, report: Path, console: Console) -> int:
    """Prints what is found. Returns 0: it is the report's market; 1: it is not; 2: that cannot be told."""
    try:
        # Where they are mixed up, one of the two is the node's, which is not to be shown.
        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", address):
            raise NodeUnusable("that is no address of a market: write 0x and 40 hexadecimal digits")
        if re.match("(https?|wss?):", str(report)):
            raise NoReport("that is no report but a node: name a report's folder or its evidence.json")
        address = to_checksum_address(address)
        told, node = load(report), Address.of(url)
        code, chain = rpc.code(node, address), rpc.chain_id(node)
        if not code:
            raise NodeUnusable(f"there is no contract at {address} on chain {chain}: is it the right chain?")
        same, said, values = check(code, told["verified"]["market"])
        problems = misfits(values, address, chain) if same else []
        token = str(values.get("ledger.TOKEN", ""))
        is_credit = check(rpc.code(node, token), told["verified"]["credit"])[0] if token else None
    except (NoReport, NodeUnusable) as problem:
        print(problem, file=sys.stderr)
        return 2

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    good = same and not problems
    line(
        f"{address} on chain {chain} {'is' if good else 'is NOT'} the market of this report", "green" if good else "red"
    )
    for reason in (said, *problems):
        line(f"  {reason}")
    for name, value in values.items():
        if not name.startswith("eip712."):
            line(f"  {name.partition('.')[2]}: {value}")
    if is_credit is not None:
        line(f"  the token is {'the' if is_credit else 'not the'} project's EnergyCredit")
    verdict, revision = told["verdict"], told["verified"]["revision"]
    clean = ", of a tree that was not clean" if revision["clean"] is False else ""
    line(f"the report is of revision {revision['commit'] or 'unknown'}{clean}; it says: {verdict['sentence']}")
    if verdict["outcome"] != "held":
        line("  so that it is the same market is no recommendation", "yellow")
    return 0 if good else 1
