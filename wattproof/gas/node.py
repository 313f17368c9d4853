"""The chain that counts: anvil, one block per transaction, asked for the receipts' gas."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from eth.abc import SignedTransactionAPI
from eth_utils.address import to_checksum_address

from wattproof.anvil import Anvil, RpcError
from wattproof.gas.chain import CHAIN_ID, Chain, Log, Receipt, Refused, calldata_gas


@contextlib.contextmanager
def node(now: int) -> Iterator[Node]:
    """A node of its own for the block, whose chain begins at the second `now`.

    Raises AnvilUnavailable where there is none to be had, or it does not start.
    """
    with Anvil("--gas-limit", str(10**9), timestamp=now, chain_id=CHAIN_ID, accounts=1) as anvil:
        yield Node(anvil, now)


class Node(Chain):
    """A node that mines a block when it is told to."""

    def __init__(self, anvil: Anvil, now: int) -> None:
        super().__init__(now)
        self._anvil = anvil

    def endow(self, address: str, wei: int) -> None:
        self._ask("anvil_setBalance", address, hex(wei))

    def apply(self, transaction: SignedTransactionAPI) -> Receipt:
        number = self._ask("eth_sendRawTransaction", "0x" + transaction.encode().hex())
        self._ask("evm_mine", {"timestamp": self.now})
        receipt = self._ask("eth_getTransactionReceipt", number)
        if receipt["status"] != "0x1":
            raise Refused(f"reverted on anvil: transaction {number}")
        return Receipt(
            gas=int(receipt["gasUsed"], 16),
            calldata=calldata_gas(transaction.data),
            logs=tuple(
                Log(
                    to_checksum_address(log["address"]),
                    tuple(bytes.fromhex(topic[2:]) for topic in log["topics"]),
                    bytes.fromhex(log["data"][2:]),
                )
                for log in receipt["logs"]
            ),
            created=to_checksum_address(receipt["contractAddress"]) if receipt["contractAddress"] else None,
        )

    def _ask(self, method: str, *parameters: Any) -> Any:
        try:
            return self._anvil.rpc(method, *parameters)
        except RpcError as problem:
            raise Refused(str(problem)) from problem
