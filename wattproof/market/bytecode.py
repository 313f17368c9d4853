"""`wattproof check-bytecode ADDRESS --rpc URL`: whether a deployed market is the one that a report is about.

What lies at an address is the runtime code that was compiled and, behind it, what the constructor fixed for ever: the
frame of the market. The first must be the report's to the last byte; the second is shown, and must fit this address.
With `--meter` it is whether a meter is the `P256Meter` that this Wattproof compiles, and of which key (T-REG-25).
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

from wattproof import __version__, documents
from wattproof.evm import rpc
from wattproof.evm.rpc import Address, NodeUnusable
from wattproof.market.deployment import deployer
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


def _is_immutable(value: Any) -> bool:
    """Whether it can be what a constructor fixed: a word, or more of a text; the token is an address."""
    if not _fits(value, {"name": str, "type": str, "offset": _is_size, "length": _is_size}):
        return False
    kind = "address" if value["name"] == "ledger.TOKEN" else value["type"]
    return value["type"] == kind and value["length"] >= 32 and (kind.startswith("String") or value["length"] == 32)


_CODE = {"runtime": {"keccak256": _is_hash, "bytes": _is_size}, "immutables": [_is_immutable]}

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
    path = place
    try:
        path = place / "evidence.json" if place.is_dir() else place
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


def compiled(contract: str) -> dict[str, Any]:
    """A contract as compiled here: hashes and sizes of its code, and what its constructor appends to it."""
    from vyper.compiler.output import build_layout_output

    data = deployer(contract).compiler_data
    codes = {"creation": data.bytecode, "runtime": data.bytecode_runtime}
    layout = build_layout_output(data)["code_layout"]
    return {
        **{name: {"keccak256": keccak(text).hex(), "bytes": len(text)} for name, text in codes.items()},
        "immutables": sorted(_immutables(layout), key=lambda field: field["offset"]),
    }


def _immutables(layout: dict[str, Any], module: str = "") -> list[dict[str, Any]]:
    found = []
    for name, entry in layout.items():
        if "offset" in entry and not isinstance(entry["offset"], dict):
            found.append({"name": f"{module}{name}", **{key: entry[key] for key in ("type", "offset", "length")}})
        else:
            found += _immutables(entry, f"{name}.")
    return found


def check(code: bytes, known: dict[str, Any], whose: str = "the report's") -> tuple[bool, str, dict[str, Any]]:
    """Whether deployed code is a known one; a sentence about it; and the values that its constructor fixed.

    Args:
        code: what lies at the address.
        known: what a report says of the contract, under `verified`; or what `compiled` does.
        whose: how the sentence calls that.
    """
    runtime, layout = known["runtime"], known["immutables"]
    tail = max((field["offset"] + field["length"] for field in layout), default=0)
    wanted = runtime["bytes"] + tail
    if len(code) != wanted:
        return False, f"its code has {len(code)} bytes, not {wanted}", {}
    found = keccak(code[: runtime["bytes"]]).hex()
    if found != runtime["keccak256"]:
        return False, f"its runtime code hashes to 0x{found}, {whose} to 0x{runtime['keccak256']}", {}
    said = f"its runtime code is {whose}, byte by byte (0x{found})"
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


def _checksum(address: str, what: str) -> str:
    """An address in checksum form. Raises NodeUnusable."""
    # Where they are mixed up, one of the two is the node's, which is not to be shown.
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", address):
        raise NodeUnusable(f"that is no address of a {what}: write 0x and 40 hexadecimal digits")
    return to_checksum_address(address)


def _deployed(node: Address, address: str) -> tuple[bytes, int]:
    """The code at an address, and the chain. Raises NodeUnusable, also where there is none."""
    code, chain = rpc.code(node, address), rpc.chain_id(node)
    if not code:
        raise NodeUnusable(f"there is no contract at {address} on chain {chain}: is it the right chain?")
    return code, chain


def check_bytecode(address: str, url: str, report: Path, console: Console) -> int:
    """Prints what is found. Returns 0: it is the report's market; 1: it is not; 2: that cannot be told."""
    try:
        address = _checksum(address, "market")
        if re.match("(https?|wss?):", str(report), re.IGNORECASE):
            raise NoReport("that is no report but a node: name a report's folder or its evidence.json")
        told, node = load(report), Address.of(url)
        code, chain = _deployed(node, address)
        same, said, values = check(code, told["verified"]["market"])
        problems = misfits(values, address, chain) if same else []
        token = str(values.get("ledger.TOKEN", ""))
        is_credit = check(rpc.code(node, token), told["verified"]["credit"])[0] if token else None
    except (NoReport, NodeUnusable) as problem:
        print(problem, file=sys.stderr)
        return 2

    good = same and not problems
    _verdict(console, good, f"{address} on chain {chain}", "the market of this report")
    for reason in (said, *problems):
        _line(console, f"  {reason}")
    for name, value in values.items():
        if not name.startswith("eip712."):
            _line(console, f"  {name.partition('.')[2]}: {value}")
    if is_credit is not None:
        _line(console, f"  the token is {'the' if is_credit else 'not the'} project's EnergyCredit")
    verdict, revision = told["verdict"], told["verified"]["revision"]
    clean = ", of a tree that was not clean" if revision["clean"] is False else ""
    commit = revision["commit"] or "unknown"
    _line(console, f"the report is of revision {commit}{clean}; it says: {verdict['sentence']}")
    if verdict["outcome"] != "held":
        _line(console, "  so that it is the same market is no recommendation", "yellow")
    return 0 if good else 1


def check_meter(address: str, url: str, console: Console) -> int:
    """Prints what is found. Returns 0: it is a `P256Meter`, whose code cannot change; 1: it is not; 2: cannot be told.

    That no other meter stands for the same key, and that the key is the device's, remains for the owner to check.
    """
    try:
        address = _checksum(address, "meter")
        code, chain = _deployed(Address.of(url), address)
    except NodeUnusable as problem:
        print(problem, file=sys.stderr)
        return 2
    same, said, values = check(code, compiled("P256Meter"), "this Wattproof's")
    _verdict(console, same, f"{address} on chain {chain}", f"a P256Meter of Wattproof {__version__}")
    _line(console, f"  {said}")
    for name, value in values.items():
        _line(console, f"  {name}: 0x{value:064x}")
    if same:
        _line(console, "compare X and Y with the device's public key, and with those of all other meters")
    return 0 if same else 1


def _verdict(console: Console, good: bool, what: str, wanted: str) -> None:
    _line(console, f"{what} {'is' if good else 'is NOT'} {wanted}", "green" if good else "red")


def _line(console: Console, text: str, style: str = "") -> None:
    # What a report or a contract says is somebody else's: it must not look like a line of ours.
    console.print(Text(one_line(text), style=style), soft_wrap=True)
