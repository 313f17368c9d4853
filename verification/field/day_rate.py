"""How many transactions a second a trading day makes on a chain, beside titanoboa's NetworkEnv with the same calls.

    python -m verification.field.day_rate [--size HOUSEHOLDS] [--half-hours N]

Two nodes of anvil, one after the other, in one run on one machine. On each, households join a market that is there
already, and trade for some half-hours at noon; both come to the same bills, or there is no figure. `NetworkEnv` makes
the calls as `boa.set_network_env` does for a script: one by one, a block for each, once it has its receipt.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import boa
from eth_account import Account as Signer
from eth_utils.crypto import keccak

from wattproof.chain.development import Development
from wattproof.chain.node import Node
from wattproof.chain.record import Record
from wattproof.evm import network
from wattproof.evm.anvil import Anvil
from wattproof.evm.node import NodeUnavailable
from wattproof.market.abi import interface
from wattproof.market.deployment import deployer
from wattproof.simulation.accounting import Bill, Event
from wattproof.simulation.chain_venue import GAS_MONEY, OnChain, open_market
from wattproof.simulation.households import DEFAULT_FILE, open_households
from wattproof.simulation.timetable import EPOCH
from wattproof.simulation.trading_day import Trading
from wattproof.simulation.venue import Call, Venue
from wattproof.study.communities import Base, Community, Frame

SEED = 1

NOON = 22
"""The first half-hour that is traded: most of the calls of a day are made around noon."""


class Networked:
    """A market on a chain, by titanoboa's NetworkEnv: a `Venue`, in the current environment."""

    def __init__(self, anvil: Anvil, record: Record) -> None:
        self.address, self.owner, self.supplier = record.market, record.owner, record.supplier
        self.tariff, self.chain_id, self._anvil = record.tariff, record.chain_id, anvil
        self._second = self.now
        self._market, self._lens, self._token = (
            deployer(name).at(address)
            for name, address in (
                ("EnergyMarket", self.address),
                ("MarketLens", record.lens),
                ("EnergyCredit", record.token),
            )
        )
        for who in ("owner", "supplier"):
            self._take_in(who)

    def _take_in(self, who: str) -> str:
        # The key of `chain_venue.simulated`, for titanoboa.
        account = Signer.from_key(keccak(text=f"wattproof simulation day {SEED} {who}"))
        boa.env.add_account(account)
        self._anvil.endow(account.address, GAS_MONEY)
        return str(account.address)

    @property
    def now(self) -> int:
        """The second of the last block."""
        return network.now(boa.env)

    def join(self, name: str) -> str:
        """The account that the other run has, too."""
        return self._take_in(f"household {name}")

    def at(self, second: int, until: int, earliest: int | None = None) -> None:
        """Sets the time; a phase is long enough for what is sent one by one, bidding begins early."""
        del until
        self._second = second if earliest is None else earliest
        if self.now < self._second:
            self._anvil.mine(self._second)

    def fund(self, party: str, amount: int) -> None:
        """Gives ether."""
        self._anvil.endow(party, amount + GAS_MONEY)

    def play(self, calls: Sequence[Call]) -> Iterator[list[Event]]:
        """Makes the calls one by one."""
        events = interface(self._market).events
        for call in calls:
            contract = self._token if call.of_token else self._market
            data = interface(contract).call(call.function, *call.arguments)
            done = boa.env.execute_code(
                to_address=contract.address, sender=call.sender, value=call.value, data=data, contract=contract
            )
            if done.is_error:
                contract.handle_error(done)
            yield [
                (events[topics[0]].name, events[topics[0]].values(topics, data))
                for _, address, topics, data in done.get_raw_log_entries()
                if address == self._market.address.canonical_address
            ]

    def views(self, function: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Asks one after the other."""
        return [getattr(self._lens, function)(*entry) for entry in arguments]

    def held(self) -> int:
        """Asks the token."""
        return self._token.balanceOf(self.address)

    def rest(self) -> None:
        """Nothing is dropped."""

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Rate:
    """What a run came to: its transactions, how long they took, and the households' bills."""

    transactions: int
    seconds: float
    bills: dict[str, Bill]

    @property
    def a_second(self) -> float:
        """Transactions a second."""
        return self.transactions / self.seconds


class _Counted:
    """A venue that counts the calls that it is asked to make."""

    def __init__(self, venue: Venue) -> None:
        self.venue, self.calls = venue, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.venue, name)

    def play(self, calls: Sequence[Call]) -> Iterator[list[Event]]:
        self.calls += len(calls)
        return self.venue.play(calls)


def timed(community: Community, venue: Venue) -> Rate:
    """Has a community join and trade."""
    counted: Any = _Counted(venue)
    began = time.perf_counter()
    day = Trading(community, counted, SEED)
    for _ in day:
        pass
    took = time.perf_counter() - began
    day.close()
    return Rate(counted.calls, took, day.bills)


def batched(community: Community) -> Rate:
    """On a node of its own, as `wattproof day --rpc`."""
    with Anvil(timestamp=EPOCH - 86_400) as anvil:
        blocks = Development(Node(f"http://127.0.0.1:{anvil.port}"))
        return timed(community, OnChain(blocks, open_market(blocks, SEED), SEED))


def networked(community: Community) -> Rate:
    """On a node of its own, by titanoboa's NetworkEnv. What it prints is not shown."""
    with Anvil(timestamp=EPOCH - 86_400) as anvil, contextlib.redirect_stdout(io.StringIO()):
        url = f"http://127.0.0.1:{anvil.port}"
        record = open_market(Development(Node(url)), SEED)
        anvil.rpc("evm_setAutomine", True)
        with boa.set_network_env(url):
            network.latest()  # With no cache of another chain on disk.
            return timed(community, Networked(anvil, record))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints both rates and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m verification.field.day_rate", description=__doc__)
    parser.add_argument("--size", type=int, default=10, help="households (default: 10)")
    parser.add_argument("--half-hours", type=int, default=2, help="of trade, from 11:00 on (default: 2)")
    options = parser.parse_args(arguments)
    frame = Frame(SEED, size=options.size, span=(NOON, NOON + options.half_hours))
    community = Community(Base.of(open_households(DEFAULT_FILE, seed=SEED)), frame)
    try:
        ours, theirs = batched(community), networked(community)
    except NodeUnavailable as problem:
        print(problem, file=sys.stderr)
        return 2
    if (ours.transactions, ours.bills) != (theirs.transactions, theirs.bills):
        print("the two runs came to different bills: no figure", file=sys.stderr)
        return 1
    print(f"{options.size} households, {options.half_hours} half-hours, {ours.transactions:,} transactions")
    for name, rate in (("wattproof day --rpc", ours), ("titanoboa's NetworkEnv", theirs)):
        print(f"{name:24} {rate.seconds:8.1f} s {rate.a_second:8.0f} transactions a second")
    print(f"ratio {ours.a_second / theirs.a_second:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
