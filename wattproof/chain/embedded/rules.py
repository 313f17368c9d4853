"""Prague's rules on py-evm, for this chain alone, and how it refuses what it is asked."""

from __future__ import annotations

from typing import Any

from eth.chains.base import Chain
from eth.db.account import AccountDB
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState

from wattproof.evm.engine import untraced

BLOCK_GAS = 1_000_000_000
"""Gas of a block."""

MOST_GAS = 50_000_000
"""Gas of a transaction, a call or an estimate."""

INVALID_PARAMS, SERVER_ERROR, REVERTED = -32602, -32000, 3
"""Codes of JSON-RPC errors, as nodes use them."""


class Refused(Exception):
    """A request that is refused: a JSON-RPC error. `data` is what a reverting call answered, in hex."""

    def __init__(self, message: str, code: int = SERVER_ERROR, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    @property
    def error(self) -> dict[str, Any]:
        """The error as JSON has it."""
        told = {"code": self.code, "message": str(self)}
        return told if self.data is None else told | {"data": self.data}


class _Computation(PragueComputation):
    # titanoboa changes the shared table, and the class of the shared state's accounts, in this process.
    opcodes = untraced(PragueComputation.opcodes)


class _State(PragueState):
    account_db_class = AccountDB
    computation_class = _Computation


class Rules(PragueVM):
    """Prague's rules, untouched by what titanoboa does to py-evm's own."""

    _state_class = _State


def chain_class(chain_id: int) -> type[Chain]:
    """py-evm's chain with these rules from its first block on."""
    return Chain.configure(chain_id=chain_id, vm_configuration=((0, Rules),))  # pyright: ignore[reportReturnType]
