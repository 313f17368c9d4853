"""The calls inside a transaction, as geth's `callTracer` tells them."""

from __future__ import annotations

from typing import Any

from eth.exceptions import OutOfGas, Revert

from wattproof.market.abi import revert_reason


def frame(transaction: Any, computation: Any, gas_used: int) -> dict[str, Any]:
    """The call tree of a transaction, in JSON; the gas is all of the transaction's."""
    told = _frame(computation, transaction.sender, "CREATE" if computation.msg.is_create else "CALL")
    return told | {"gas": hex(transaction.gas), "gasUsed": hex(gas_used)}


def _frame(computation: Any, caller: bytes, kind: str) -> dict[str, Any]:
    message = computation.msg
    to = message.storage_address if message.is_create else message.code_address
    told = {
        "type": kind,
        "from": "0x" + caller.hex(),
        "to": "0x" + to.hex(),
        "gas": hex(message.gas),
        "gasUsed": hex(computation.get_gas_used()),
        "input": "0x" + (message.code if message.is_create else message.data_as_bytes).hex(),
    }
    if computation.output:
        told["output"] = "0x" + computation.output.hex()
    if kind not in ("STATICCALL", "DELEGATECALL"):
        told["value"] = hex(message.value)
    if computation.is_error:
        told["error"] = failure(computation)
        if reason := revert_reason(computation.output):
            told["revertReason"] = reason
    # A delegated call is made by the contract whose storage it works on, not by that one's caller.
    calls = [_frame(child, message.storage_address, _kind(child.msg)) for child in computation.children]
    return told | {"calls": calls} if calls else told


def _kind(message: Any) -> str:
    """py-evm does not keep the opcode; what it gave the message tells it, but for CREATE2."""
    if message.is_create:
        return "CREATE"
    if message.should_transfer_value:
        return "CALL" if message.code_address == message.to else "CALLCODE"
    return "STATICCALL" if message.is_static and message.code_address == message.to else "DELEGATECALL"


def failure(computation: Any) -> str:
    """Why a computation failed, in the words that nodes use."""
    if isinstance(computation.error, Revert):
        return "execution reverted"
    if isinstance(computation.error, OutOfGas):
        return "out of gas"
    name = type(computation.error).__name__
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
