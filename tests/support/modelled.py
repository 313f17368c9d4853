"""A trading day on the model instead of a chain: the same calls and events, as a watcher hands them to the store, in a
fraction of the time. For tests of what shows a day, not of what the contract does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from wattproof.chain.record import BlockId, CodeHashes, Record
from wattproof.market.seals import seal_of
from wattproof.market.tariff import PAPER, Tariff
from wattproof.simulation.accounting import Event
from wattproof.simulation.households import HalfHour, PeriodRow
from wattproof.simulation.venue import Call
from wattproof.store.records import BlockRef, CallRow, EventRow, State, Watched
from wattproof.terms.model import Market, Signature, Token

CHAIN_ID = 7_357
CHECKED = ("C1-MONEY-1", "C3-TRADE-1", "C5-TIERS-1")
"""Invariants that are said to be checked in each block."""


def address_of(name: str) -> str:
    """An address that belongs to nobody else."""
    return to_checksum_address(keccak(text=name)[:20])


def hash_of(text: str) -> str:
    """A hash that belongs to nothing else."""
    return "0x" + keccak(text=text).hex()


@dataclass(frozen=True)
class Half:
    """Readings in memory: by period and household, load and solar energy in Wh, forecast as they come."""

    rows: Sequence[Mapping[str, tuple[int, int]]]
    carries: int = 11_500

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.rows[0])

    @property
    def capacities(self) -> Mapping[str, int]:
        return dict.fromkeys(self.names, self.carries)

    def __iter__(self) -> Iterator[PeriodRow]:
        for period, row in enumerate(self.rows):
            yield PeriodRow(period, {name: HalfHour(load, pv, load, pv) for name, (load, pv) in row.items()})


def record(tariff: Tariff = PAPER) -> Record:
    """A deployment of the modelled market."""
    return Record(
        chain_id=CHAIN_ID,
        genesis=hash_of("genesis"),
        block=BlockId(0, hash_of("block 0")),
        market=address_of("market"),
        lens=address_of("lens"),
        token=address_of("token"),
        token_decimals=18,
        token_symbol="WATT",
        owner=address_of("owner"),
        supplier=address_of("supplier"),
        tariff=tariff,
        code=CodeHashes(*(hash_of(f"code of {name}") for name in ("market", "lens", "token"))),
        wattproof="0",
    )


@dataclass
class ModelVenue:
    """A `wattproof.simulation.venue.Venue` on the model. Each batch of calls is a block, told to `on_block`."""

    on_block: Callable[[Watched], None]
    now: int = 0
    tariff: Tariff = PAPER
    chain_id: int = CHAIN_ID
    address: str = address_of("market")
    owner: str = address_of("owner")
    supplier: str = address_of("supplier")
    number: int = 0
    market: Market = field(init=False)

    def __post_init__(self) -> None:
        self.market = Market(
            owner=self.owner,
            supplier=self.supplier,
            **vars(self.tariff),
            token=Token(address_of("token")),
            address=self.address,
            chain_id=self.chain_id,
            seal_function=lambda content: seal_of(*content),
        )

    def join(self, name: str) -> str:
        """An address made of the name."""
        return address_of(f"household {name}")

    def at(self, second: int, until: int, earliest: int | None = None) -> None:
        """Sets the time."""
        del until, earliest
        self.now = second

    def fund(self, party: str, amount: int) -> None:
        """Nothing costs gas here."""

    def play(self, calls: Sequence[Call]) -> Iterator[list[Event]]:
        """Makes the calls, and a block of those of the market."""
        made: list[tuple[Call, list[Event], int | None]] = []
        for call in calls:
            if call.of_token:
                if call.function == "mint":
                    self.market.token.mint(call.sender, call.value)
                else:
                    self.market.token.approve(call.sender, *call.arguments)
                yield []
                continue
            method = getattr(self.market, call.function)
            result = method(*self._arguments(call), sender=call.sender, now=self.now)
            made.append((call, self.market.events, result))
            yield self.market.events
        if made:
            self.number += 1
            self.on_block(self._watched(made))

    def views(self, function: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Asks the model."""
        extra = (self.now,) if function == "remaining" else ()
        return [getattr(self.market, function)(*entry, *extra) for entry in arguments]

    def held(self) -> int:
        """The tokens that the market holds."""
        return self.market.held

    def rest(self) -> None:
        """Nothing is dropped."""

    def close(self) -> None:
        """Nothing is open."""

    def _arguments(self, call: Call) -> tuple[Any, ...]:
        """The model is told whose signature it is."""
        if call.function == "register":
            profile, meter, _ = call.arguments
            return profile, meter, Signature("ok", meter, self.market.pairing_message(call.sender, profile))
        if call.function == "submit_reading":
            *reading, _ = call.arguments
            meter = self.market.account(reading[0]).meter
            return *reading, Signature("ok", meter, self.market.reading_message(*reading))
        return call.arguments

    def _watched(self, made: list[tuple[Call, list[Event], int | None]]) -> Watched:
        block = BlockRef(self.number, hash_of(f"block {self.number}"), hash_of(f"block {self.number - 1}"), self.now)
        calls, events = [], []
        for index, (call, said, result) in enumerate(made):
            transaction = hash_of(f"transaction {self.number} {index}")
            arguments = {f"argument_{at}": value for at, value in enumerate(call.arguments)}
            calls.append(CallRow(index, transaction, call.sender, call.sender, call.function, arguments, True, None,
                                 result, "transaction"))  # fmt: skip
            for name, fields in said:
                events.append(EventRow(len(events), transaction, index, name, fields))
        return Watched(block, calls, events, self._state(made), checks=dict.fromkeys(CHECKED, len(made)))

    def _state(self, made: list[tuple[Call, list[Event], int | None]]) -> State:
        """What the calls touched, and some more."""
        market = self.market
        fields = [entry for _, said, _ in made for _, entry in said]
        named = {entry["quote_id"] for entry in fields if "quote_id" in entry}
        quotes = sorted(number for number in named if number in market.quotes)
        users = {call.sender for call, *_ in made} | {self.owner, self.supplier}
        users |= {value for entry in fields for value in entry.values() if isinstance(value, str) and value[:2] == "0x"}
        users |= {market.quote(number).prosumer for number in quotes}
        periods = {entry["period"] for entry in fields if "period" in entry}
        periods |= {market.quote(number).period for number in quotes}
        pairs = [(user, period) for user in sorted(users) for period in sorted(periods)]
        return State(
            accounts={user: market.account(user) for user in sorted(users)},
            quotes={number: market.quote(number) for number in quotes},
            bids={(number, bidder): market.bid(number, bidder)
                  for number in quotes for bidder in market.quotes[number].bids},
            trades={number: market.trades(number) for number in quotes},
            readings={pair: market.reading(*pair) for pair in pairs if market.reading(*pair).present},
            positions={pair: market.position(*pair) for pair in pairs if any(market.position(*pair))},
            totals={period: (market.supply(period), market.demand(period)) for period in sorted(periods)},
        )  # fmt: skip
