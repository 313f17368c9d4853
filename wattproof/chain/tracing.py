"""The calls inside the transactions of a block, by whatever method a node has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wattproof.chain.answers import Block, field
from wattproof.chain.frames import CallFrame, frame_of, frames_of, frames_of_block, loses_reasons
from wattproof.evm.rpc import NodeUnusable, RpcError

if TYPE_CHECKING:
    from wattproof.chain.node import Node

_GETH, _PARITY, _SINGLY = "debug_traceBlockByHash", "trace_block", "debug_traceTransaction"

_TRACER = {"tracer": "callTracer"}


def traces_of(node: Node, block: Block) -> list[CallFrame] | None:
    """The outermost call of each transaction, with all inside; None where the node tells no traces.

    Raises as `Node.call`; BlockGone where the node has another block in its place by now.
    """
    if not block.hashes:
        return []
    # anvil plays a block again for each transaction in it where it is asked as geth is: half a minute for 280.
    flat = node.if_there(block, _PARITY, hex(block.number))
    if flat is not None and not node.shaped(loses_reasons, _PARITY, flat):
        return _from_flat(node, block, flat)
    listed = node.if_there(block, _GETH, block.hash, _TRACER)
    if listed is not None:
        return node.shaped(lambda found: frames_of_block(found, block.hashes), _GETH, listed)
    return _singly(node, block) if flat is None else _from_flat(node, block, flat)


def _from_flat(node: Node, block: Block, flat: list[Any]) -> list[CallFrame]:
    """The calls as `trace_block` tells them, of a block by its number."""
    whose = node.shaped(lambda all_: {field(each, "blockHash") for each in all_}, _PARITY, flat)
    if whose != {block.hash}:
        raise node.gone(block)
    found = node.shaped(lambda all_: dict(frames_of(all_)), _PARITY, flat)
    if set(found) != set(block.hashes):
        raise NodeUnusable(f"{node.address.host} answers {_PARITY} with other transactions: take another node")
    return [found[each] for each in block.hashes]


def _singly(node: Node, block: Block) -> list[CallFrame] | None:
    """The calls a transaction at a time: hardhat has nothing else."""
    if _SINGLY in node.missing:
        return None
    answers = node.batch([(_SINGLY, (each, _TRACER)) for each in block.hashes])
    for answer in answers:
        if isinstance(answer, RpcError):
            if node.is_missing(answer):
                node.missing.add(_SINGLY)
                return None
            raise node.told(answer, block.hash)
    # Which block they are of, no trace tells.
    now = node.block(block.number)
    if now is None or now.hash != block.hash:
        raise node.gone(block)
    return node.shaped(lambda found: [frame_of(each) for each in found], _SINGLY, answers)
