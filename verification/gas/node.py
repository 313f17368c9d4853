"""The chains that count: nodes, one block per transaction, asked for the receipts' gas."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from eth.abc import SignedTransactionAPI
from eth_utils.address import to_checksum_address

from verification.gas.chain import CHAIN_ID, Chain, Receipt, Refused, calldata_gas
from verification.harness.answers import Log
from wattproof.evm.anvil import HARDFORK, VERSION, Anvil
from wattproof.evm.node import LocalNode, NodeUnavailable, RpcError, reading
from wattproof.evm.npm import EDR, HARDHAT, Hardhat

_GAS_LIMIT = 10**9
"""Of a block: above whatever a transaction is given."""

_PATIENCE = 10
"""Seconds that a node may take from mining a transaction to knowing its receipt."""


class Driven(Protocol):
    """A node whose blocks are made at the seconds asked for."""

    name: str

    def rpc(self, method: str, *parameters: Any) -> Any:
        """One request. Raises RpcError."""
        ...

    def endow(self, address: str, wei: int) -> None:
        """Gives an account that much ether."""
        ...

    def mined(self, raw: str, second: int) -> str:
        """Has a signed transaction mined at that second; returns its hash."""
        ...


@dataclass(frozen=True)
class Rules:
    """A set of rules by which gas is measured.

    at_most     what a household's half-hour may cost, as a part of what it cost in the build before
    forecast    whether no network of value has these rules yet, so that they may change, and the node with them
    """

    name: str
    node: str
    program: Callable[[int], LocalNode]
    at_most: Fraction
    forecast: bool = False

    @property
    def key(self) -> str:
        """What the snapshot calls them, and the nodes."""
        return self.name.lower()


def _anvil(hardfork: str) -> Callable[[int], LocalNode]:
    limit = ("--gas-limit", str(_GAS_LIMIT))
    return lambda now: Anvil(*limit, timestamp=now, chain_id=CHAIN_ID, accounts=1, hardfork=hardfork)


PRAGUE = Rules("Prague", f"anvil {VERSION}", _anvil(HARDFORK), Fraction(80, 100))
OSAKA = Rules("Osaka", f"anvil {VERSION}", _anvil("osaka"), Fraction(80, 100))
AMSTERDAM = Rules(
    "Amsterdam",
    f"hardhat {HARDHAT}, EDR {EDR}",
    lambda now: Hardhat(now, CHAIN_ID, "amsterdam", _GAS_LIMIT),
    Fraction(45, 100),
    forecast=True,
)

RULES = (PRAGUE, OSAKA, AMSTERDAM)
"""The rules that contracts are compiled for, today's, and the ones that are being tested (EIP-8037)."""


@contextlib.contextmanager
def node(now: int, rules: Rules = PRAGUE) -> Iterator[Node]:
    """A node of its own for the block, whose chain begins at the second `now`.

    Raises NodeUnavailable where there is none to be had, or it does not start.
    """
    with rules.program(now) as driven:
        yield Node(driven, now)


class Node(Chain):
    """The chain of a node."""

    def __init__(self, driven: Driven, now: int) -> None:
        super().__init__(now)
        self._node = driven

    def endow(self, address: str, wei: int) -> None:
        self._node.endow(address, wei)

    def apply(self, transaction: SignedTransactionAPI) -> Receipt:
        try:
            number = self._node.mined("0x" + transaction.encode().hex(), self.now)
        except RpcError as problem:
            raise Refused(str(problem)) from problem
        receipt = self._receipt(number)
        with reading(self._node.name, "a receipt"):
            if receipt["status"] != "0x1":
                raise Refused(f"reverted on the node: transaction {number}")
            return Receipt(
                gas=int(receipt["gasUsed"], 16),
                calldata=calldata_gas(transaction.data),
                logs=logs_of(receipt),
                created=to_checksum_address(receipt["contractAddress"]) if receipt["contractAddress"] else None,
            )

    def _receipt(self, number: str) -> dict[str, Any]:
        """The receipt of a mined transaction, which some nodes know a moment later only."""
        until = time.monotonic() + _PATIENCE
        while (receipt := self._node.rpc("eth_getTransactionReceipt", number)) is None:
            if time.monotonic() > until:
                raise NodeUnavailable(f"{self._node.name} has no receipt of {number}: is it the right program?")
            time.sleep(0.02)
        return receipt


def logs_of(receipt: dict[str, Any]) -> tuple[Log, ...]:
    """The events in a node's receipt."""
    return tuple(
        (
            bytes.fromhex(log["address"][2:]),
            tuple(int(topic, 16) for topic in log["topics"]),
            bytes.fromhex(log["data"][2:]),
        )
        for log in receipt["logs"]
    )
