"""Calls of a deployed contract that take a fraction of titanoboa's time: what they do and how they fail is the same."""

from __future__ import annotations

from typing import Any

from wattproof.market.abi import Function, interface


class Calls:
    """Calls the functions of one contract, and reads its events. A market's views are answered by its lens."""

    def __init__(self, env: Any, contract: Any) -> None:
        """`env` is the environment that `contract` was deployed in."""
        self.env = env
        self.contract = contract
        self._own = contract.address.canonical_address
        self._events = interface(contract).events
        self._functions: dict[str, tuple[Any, Function]] = {}
        # What both have is the contract's own.
        for answering in filter(None, (getattr(contract, "lens", None), contract)):
            self._functions |= {name: (answering, asked) for name, asked in interface(answering).functions.items()}

    def send(self, function: str, *arguments: Any, sender: str, value: int = 0) -> Any:
        """Calls `function`, with `value` wei; returns titanoboa's computation. Raises BoaError where it is refused."""
        computation = self.env.execute_code(
            to_address=self.contract.address,
            sender=sender,
            value=value,
            data=self.data(function, *arguments),
            is_modifying=True,
            contract=self.contract,
        )
        if computation.is_error:
            self.contract.handle_error(computation)
        return computation

    def view(self, function: str, *arguments: Any) -> Any:
        """What a view says: a struct as a named tuple. Raises BoaError."""
        answering, asked = self._functions[function]
        computation = self.env.execute_code(
            to_address=answering.address, data=asked.encode(arguments), is_modifying=False, contract=answering
        )
        if computation.is_error:
            answering.handle_error(computation)
        return asked.decode(computation.output)

    def data(self, function: str, *arguments: Any) -> bytes:
        """The calldata of a call."""
        return self._functions[function][1].encode(arguments)

    def events(self, computation: Any) -> list[tuple[str, dict[str, Any]]]:
        """The contract's own events of a call, in order: name and arguments."""
        found = []
        for _, address, topics, data in computation.get_raw_log_entries():
            if address == self._own:
                event = self._events[topics[0]]
                found.append((event.name, event.values(topics, data)))
        return found
