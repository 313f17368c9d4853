"""Where a trading day takes place: a market, and who makes the day's calls of it. Here: the one in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wattproof.evm.engine import engine as fresh_engine
from wattproof.evm.pruning import StatePruning
from wattproof.market.calls import Calls
from wattproof.market.deployment import deploy
from wattproof.market.tariff import Tariff
from wattproof.simulation.accounting import Event


@dataclass(frozen=True)
class Call:
    """A call that somebody is to make: of the market, or `of_token`, with `value` wei.

    parts   how many bids or trades the call goes through: what its gas grows with
    """

    sender: str
    function: str
    arguments: tuple[Any, ...] = ()
    value: int = 0
    of_token: bool = False
    parts: int = 0


class Venue(Protocol):
    """A market, and a way to call it for many parties. Calls are planned: none needs what an earlier one of the same
    `play` says, so that a venue may send them all at once.

    address          the market's
    owner, supplier  the parties that are there before any household
    tariff           what the market was opened with
    chain_id         of the chain, which meters sign
    now              second of the last block
    """

    @property
    def address(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def supplier(self) -> str: ...
    @property
    def tariff(self) -> Tariff: ...
    @property
    def chain_id(self) -> int: ...
    @property
    def now(self) -> int: ...

    def join(self, name: str) -> str:
        """The address of a new party, whose calls the venue can make from then on."""
        ...

    def at(self, second: int, until: int, earliest: int | None = None) -> None:
        """What follows is to happen at `second` or soon after, in any case before the second `until`; where that leaves
        too little time, from the second `earliest` on."""
        ...

    def fund(self, party: str, amount: int) -> None:
        """Gives a party so many wei more than it needs for gas."""
        ...

    def play(self, calls: Sequence[Call]) -> Iterator[list[Event]]:
        """Makes the calls, in this order, and yields the market's events of each.

        Raises the venue's own error where one is refused; all of a day's calls are meant to succeed.
        """
        ...

    def views(self, function: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """What one of the market's views says to each of these arguments."""
        ...

    def held(self) -> int:
        """The tokens that the market holds."""
        ...

    def rest(self) -> None:
        """A period is over: what is no longer needed may be dropped."""
        ...

    def close(self) -> None:
        """The day is over: nothing can be asked afterwards."""
        ...


class InProcess:
    """A market of its own in this process: a `Venue`. Its errors are titanoboa's BoaError.

    env, market, token     titanoboa's
    pruning                holds the memory down
    before_call, on_call   where set, are called before each call of the market, and with its name and computation
    """

    def __init__(self, engine: str, tariff: Tariff, second: int) -> None:
        """Deploys token and market in a fresh environment of `engine`, at that second. Raises EngineUnavailable."""
        self.tariff = tariff
        self.before_call: Callable[[], None] | None = None
        self.on_call: Callable[[str, Any], None] | None = None
        # titanoboa's current environment is borrowed for the deployment only: contracts remember their own.
        with fresh_engine(engine) as env:
            self.env = env
            env.timestamp = second
            deployment = deploy(tariff, show=None)
        self.market, self.token = deployment.market, deployment.token
        self.address = str(self.market.address)
        self.owner, self.supplier = str(deployment.owner), str(deployment.supplier)
        self.pruning = StatePruning(env, self.market.address)
        self._calls, self._token_calls = Calls(env, self.market), Calls(env, self.token)

    @property
    def chain_id(self) -> int:
        """The ID of titanoboa's chain."""
        return self.env.evm.patch.chain_id

    @property
    def now(self) -> int:
        """The block's time."""
        return self.env.timestamp

    def join(self, name: str) -> str:
        """The next address that titanoboa makes up."""
        del name
        return str(self.env.generate_address())

    def at(self, second: int, until: int, earliest: int | None = None) -> None:
        """Sets the time. All calls of a step happen in one second."""
        del until, earliest
        self.env.timestamp = second

    def fund(self, party: str, amount: int) -> None:
        """Gives ether out of nothing."""
        self.env.set_balance(party, self.env.get_balance(party) + amount)

    def play(self, calls: Sequence[Call]) -> Iterator[list[Event]]:
        """Makes the calls one by one, each as its events are asked for."""
        for call in calls:
            if call.of_token:
                self._token_calls.send(call.function, *call.arguments, sender=call.sender, value=call.value)
                yield []
                continue
            if self.before_call:
                self.before_call()
            computation = self._calls.send(call.function, *call.arguments, sender=call.sender)
            if self.on_call:
                self.on_call(call.function, computation)
            yield self._calls.events(computation)

    def views(self, function: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Asks one after the other."""
        return [self._calls.view(function, *entry) for entry in arguments]

    def held(self) -> int:
        """Asks the token."""
        return self._token_calls.view("balanceOf", self.address)

    def rest(self) -> None:
        """Moves state to disk."""
        self.pruning.shrink()

    def close(self) -> None:
        """Gives the disk space of the chain's state back."""
        self.pruning.close()
