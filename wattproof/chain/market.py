"""A market on a chain, by what `deployment.json` says of it: its calls, views and events, through a node."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from wattproof.chain.answers import data_of
from wattproof.chain.node import Log, Node, Reverted
from wattproof.chain.record import Record
from wattproof.chain.sending import Draft, Refused, reason_of
from wattproof.market.abi import Interface, revert_reason
from wattproof.market.artifacts import interface_of
from wattproof.outputs import one_line

__all__ = ["ChainMarket", "Contract", "NotTheMarket", "code_hash", "code_of", "interface_of"]


class NotTheMarket(Exception):
    """What lies on the chain is not what the record says; the one-line message says what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class Contract:
    """A contract on a chain, by its interface.

    address   in checksum form
    """

    def __init__(self, node: Node, address: str, interface: Interface) -> None:
        """Nothing is asked yet."""
        self.node, self.address, self.interface = node, address, interface

    def data(self, function: str, *arguments: Any) -> bytes:
        """The calldata of a call."""
        return self.interface.call(function, *arguments)

    def draft(self, function: str, *arguments: Any, value: int = 0, gas: int | None = None, label: str = "") -> Draft:
        """A call that is to be sent; `value` in wei."""
        return Draft(self.address, self.data(function, *arguments), value, gas, label or function)

    def view(self, function: str, *arguments: Any, block: str = "latest") -> Any:
        """What a view says at the end of a block: a struct as a named tuple.

        Raises as `Node.call`; Refused where the contract refuses, NotTheMarket where none is there, node.BlockGone.
        """
        asked = self.interface.functions[function]
        try:
            answer = self.node.view(self.address, asked.encode(arguments), block)
        except Reverted as reverted:
            raise Refused(reason_of(reverted), function) from None
        if len(answer) < 32:
            at = f"at {block}" if block != "latest" else "on this chain"
            raise NotTheMarket(f"{self.address} does not answer {function} {at}: is it the right chain?")
        return asked.decode(answer)

    def decode_call(self, data: bytes) -> tuple[str, tuple[Any, ...]] | None:
        """The function and its arguments, of calldata; None where it is not exactly that of a call of this contract."""
        return self.interface.decode_call(data)

    def event(self, log: Log) -> tuple[str, dict[str, Any]] | None:
        """Name and fields of an event; None where it is another contract's, or of no event that is known."""
        event = self.interface.events.get(log.topics[0]) if log.address == self.address and log.topics else None
        return None if event is None else (event.name, event.values(log.topics, log.data))

    @staticmethod
    def reason(data: bytes) -> str:
        """Why a call was refused, by what it returned."""
        return revert_reason(data) or ("without a reason" if not data else f"with 0x{data[:36].hex()}")


class ChainMarket(Contract):
    """A market on a chain. Its views are answered by its lens.

    record   what is known of it
    lens     the contract that answers the views
    token    the ERC-20; `mint` is EnergyCredit's alone
    """

    def __init__(self, node: Node, record: Record) -> None:
        """Nothing is asked yet, and so nothing known to be there: see `check`."""
        super().__init__(node, record.market, interface_of("EnergyMarket"))
        self.record = record
        self.lens = Contract(node, record.lens, interface_of("MarketLens"))
        self.token = Contract(node, record.token, interface_of("EnergyCredit"))

    def view(self, function: str, *arguments: Any, block: str = "latest") -> Any:
        """What a view of the market or of its lens says; see `Contract.view`."""
        if function in self.interface.functions:
            return super().view(function, *arguments, block=block)
        return self.lens.view(function, *arguments, block=block)

    def check(self) -> None:
        """Raises NotTheMarket unless the node is of the record's chain, with the code that is recorded."""
        chain, node = self.node.chain_id(), self.node
        if chain != self.record.chain_id:
            raise NotTheMarket(
                f"{node.address.host} is on chain {chain}, the market on {self.record.chain_id}: name a node of that"
            )
        first = node.block(0)
        if first is None or first.hash != self.record.genesis:
            raise NotTheMarket(
                f"{node.address.host} is on another chain than the market, whose ID is {chain}, too: its first block "
                "is not the market's; name a node of the market's chain, or deploy anew"
            )
        for name, wanted in self.record.code._asdict().items():
            address = getattr(self.record, name)
            if code_hash(node, address) != wanted:
                raise NotTheMarket(
                    f"the code at {address}, the {name}, is not the recorded one: is the deployment of this chain?"
                )


def code_of(node: Node, address: str, block: str = "latest") -> bytes:
    """The code of an account. Raises as `Node.call`."""
    return node.read(data_of, "eth_getCode", address, block)


def code_hash(node: Node, address: str) -> str:
    """The keccak256 of an account's code. Raises as `Node.call`."""
    return "0x" + keccak(code_of(node, address)).hex()
