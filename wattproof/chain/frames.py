"""What a node answers about the calls inside transactions, in geth's format and in Parity's. The shape is checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wattproof.chain.answers import BadShape, address_of, data_of, each_of, field, hash_of, number, optional

DEEPEST = 2**12
"""Lists and objects inside one another in an answer: calls go 1,024 deep, two for each. Whoever makes such calls must
not blind who reads the traces."""

# Reading them takes as many frames of Python; py-evm sets as much where it is imported.
sys.setrecursionlimit(max(3 * DEEPEST, sys.getrecursionlimit()))

_CREATIONS = ("CREATE", "CREATE2")


@dataclass(frozen=True, slots=True)
class CallFrame:
    """A call inside a transaction, with those that it made, in order.

    kind     CALL, STATICCALL, DELEGATECALL, CALLCODE, CREATE, CREATE2 or SELFDESTRUCT
    sender   who calls
    to       whom; of a DELEGATECALL whose code
    error    why it failed; what a failed call and the calls inside it did is undone
    """

    kind: str
    sender: str
    to: str | None
    data: bytes
    value: int
    output: bytes
    error: str | None
    calls: tuple[CallFrame, ...] = ()


def frame_of(answer: Any) -> CallFrame:
    """A call as geth's callTracer tells it. Raises BadShape."""
    kind = field(answer, "type")
    if not isinstance(kind, str):
        raise BadShape("with a type that is no text")
    return CallFrame(
        kind.upper(),
        address_of(field(answer, "from"), "from"),
        optional(answer, "to", address_of),
        data_of(answer.get("input") or "0x", "input"),
        number(answer.get("value") or "0x0", "value"),
        data_of(answer.get("output") or "0x", "output"),
        optional(answer, "error", lambda value, _: str(value)),
        tuple(map(frame_of, each_of(answer.get("calls") or [], "calls"))),
    )


def frames_of(answer: Any) -> Iterator[tuple[str, CallFrame]]:
    """The calls of a block's transactions as `trace_block` tells them, and the transactions' hashes. Raises BadShape.

    Parity's format is flat: each call says where in the tree it stands.
    """
    trees: dict[str, dict[tuple[int, ...], Any]] = {}
    for item in each_of(answer, "traces"):
        if field(item, "transactionHash") is None:  # A reward.
            continue
        place = tuple(each_of(field(item, "traceAddress"), "traceAddress"))
        trees.setdefault(hash_of(item["transactionHash"], "transactionHash"), {})[place] = item
    for transaction, tree in trees.items():
        children: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
        for place in sorted(tree):
            if place:
                children.setdefault(place[:-1], []).append(place)
        if () not in tree:
            raise BadShape("with a transaction's calls without the outermost")
        yield transaction, _from_flat((), tree, children)


def loses_reasons(answer: Any) -> bool:
    """Whether what `trace_block` tells of calls that failed is without their output. Raises BadShape."""
    return any(item.get("error") and not item.get("result") for item in each_of(answer, "traces"))


def _from_flat(place: tuple[int, ...], tree: Mapping[Any, Any], children: Mapping[Any, Any]) -> CallFrame:
    item = tree[place]
    action, result = field(item, "action"), item.get("result") or {}
    kind = str(action.get("callType") or action.get("creationMethod") or field(item, "type")).upper()
    kind = {"SUICIDE": "SELFDESTRUCT"}.get(kind, kind)
    created = kind in _CREATIONS
    to = result.get("address") if created else action.get("to") or action.get("refundAddress")
    return CallFrame(
        kind,
        address_of(action.get("from") or action.get("address"), "from"),
        None if to is None else address_of(to, "to"),
        data_of(action.get("input") or action.get("init") or "0x", "input"),
        number(action.get("value") or action.get("balance") or "0x0", "value"),
        data_of(result.get("output") or result.get("code") or "0x", "output"),
        optional(item, "error", lambda value, _: str(value)),
        tuple(_from_flat(each, tree, children) for each in children.get(place, ())),
    )


def frames_of_block(listed: list[Any], hashes: Sequence[str]) -> list[CallFrame]:
    """The outermost calls of a block's transactions, as geth's callTracer tells them. Raises BadShape."""
    if len(listed) != len(hashes):
        raise BadShape("with other transactions")
    for each, wanted in zip(listed, hashes, strict=True):
        if isinstance(each, dict) and hash_of(each.get("txHash", wanted)) != wanted:
            raise BadShape("with other transactions")
    return [frame_of(field(each, "result")) for each in listed]
