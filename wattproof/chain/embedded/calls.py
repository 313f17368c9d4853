"""Calls and estimates: a transaction that is played on a state of the chain, and taken back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_utils.exceptions import ValidationError

from wattproof.chain.embedded.rules import INVALID_PARAMS, MOST_GAS, REVERTED, Refused
from wattproof.chain.embedded.traces import failure
from wattproof.market.abi import revert_reason

_ENOUGH = 64
"""An estimate is at most one part in so many above what is needed."""


@dataclass(frozen=True)
class Request:
    """A call: who calls (20 bytes) whom (None: a contract is made), with what. Prices are 0: nobody pays for a call."""

    sender: bytes
    to: bytes | None
    data: bytes
    value: int
    gas: int


def call(vm: Any, request: Request) -> bytes:
    """What a call answers. Raises Refused where it fails, with the revert's data."""
    with _played(vm, request, min(request.gas, MOST_GAS)) as computation:
        _check(computation)
        return computation.output


def estimate(vm: Any, request: Request) -> int:
    """The gas limit with which the transaction works, or a little more. Raises Refused where none is enough."""
    most = min(request.gas, MOST_GAS)
    with _played(vm, request, most) as computation:
        _check(computation)
        used = most - computation.get_gas_remaining() + computation.data_floor_gas
    # A call gives others 63 of 64 parts of its gas at most, and a contract may ask how much is left.
    low, high = used - 1, most
    guess = used
    while high - low > max(1, low // _ENOUGH):
        if _works(vm, request, guess):
            high = guess
        else:
            low = guess
        guess = (low + high) // 2 if high < most else min(low + low // 32 + 1, (low + high) // 2)
    return high


def _works(vm: Any, request: Request, gas: int) -> bool:
    with _played(vm, request, gas) as computation:
        return not computation.is_error


def _check(computation: Any) -> None:
    if not computation.is_error:
        return
    said = failure(computation)
    if said != "execution reverted":
        raise Refused(said)
    reason = revert_reason(computation.output)
    raise Refused(f"{said}: {reason}" if reason else said, REVERTED, "0x" + computation.output.hex())


@contextlib.contextmanager
def _played(vm: Any, request: Request, gas: int) -> Iterator[Any]:
    """The computation of a call; the state is as before after the block, and nothing is warm."""
    state = vm.state
    unsigned = PragueTransactionBuilder.create_unsigned_transaction(
        nonce=state.get_nonce(request.sender),
        gas_price=0,
        gas=gas,
        to=request.to or b"",  # pyright: ignore[reportArgumentType]
        value=request.value,
        data=request.data,
    )
    if gas < unsigned.intrinsic_gas:
        raise Refused(f"intrinsic gas too low: gas {gas}, minimum needed {unsigned.intrinsic_gas}")
    if state.get_balance(request.sender) < request.value:
        raise Refused("insufficient funds for transfer")
    before = state.snapshot()
    try:
        yield state.apply_transaction(SpoofTransaction(unsigned, from_=request.sender))
    except ValidationError as problem:
        raise Refused(f"invalid call: {problem}", INVALID_PARAMS) from None
    finally:
        state.revert(before)
        state.lock_changes()
