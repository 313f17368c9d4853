"""Criterion 4: a market's storage does not grow: it is used again, year after year (T-GUA-17).

Played on the contract alone: the machines compare it with the terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boa
from boa.environment import Env

from verification.harness.counters import holds
from verification.harness.driver import STRANGER, Driver
from wattproof.evm.engine import available, make_env, storage_dump
from wattproof.evm.pruning import StatePruning
from wattproof.market.abi import interface, revert_reason
from wattproof.market.deployment import Tariff, deploy, give
from wattproof.market.symbolic import on_chain
from wattproof.terms.model import Phase

CAPACITY, FUNDS = 11_500, 10**15
TARIFF = Tariff(sbp=6, ssp=18, service_fee=1, period_length=1800, window=600, priority_step=500)
DAY = 86_400 // TARIFF.period_length
RING = 432
"""In how many places the records of half-hours with windows of 600 s lie, by T-PARTY-22: nine days."""

ROOMS = 64


class Community(Driver[int]):
    """A market on a chain of its own, where everything is accepted, and the words of its storage that are not zero."""

    def __init__(self, households: Sequence[str], tariff: Tariff = TARIFF) -> None:
        self.env: Env = make_env(available()[-1])
        self.tariff = tariff
        with boa.swap_env(self.env):
            deployment = deploy(tariff, show=None)
        self.market = deployment.market
        self.target, self.chain = str(self.market.address), self.env.evm.patch.chain_id
        self._people = {"owner": deployment.owner, "supplier": deployment.supplier}
        self._interface = interface(self.market)
        for name in households:
            address = self.address(name)
            give(deployment, address, FUNDS)
            self.admit(name, CAPACITY)
            self.call("deposit", FUNDS, sender=name)
        self._words: dict[int, int] = {}
        self.words()
        self._pruning = StatePruning(self.env, self.market.address)

    @property
    def now(self) -> int:
        return self.env.timestamp

    def at(self, second: int) -> None:
        self.env.timestamp = second

    def address(self, name: str) -> str:
        if name not in self._people:
            self._people[name] = str(self.env.generate_address(name))
        return self._people[name]

    def call(self, function: str, *args: Any, sender: str) -> int:
        data = self._interface.call(function, *on_chain(self.resolved(args)))
        computation = self.env.execute_code(to_address=self.target, sender=self.address(sender), data=data)
        assert not computation.is_error, f"{function}: {revert_reason(computation.output)}"
        return int.from_bytes(computation.output, "big")

    def words(self) -> int:
        """How many words of the market's storage are not zero now; drops what no chain keeps."""
        self._words |= storage_dump(self.env, self.target)
        return sum(word != 0 for word in self._words.values())

    def shrink(self) -> None:
        """Notes the words that were written, and drops what no chain keeps: the way back."""
        self.words()
        self._pruning.shrink(wholly=True)

    def half_hour(self, sellers: Sequence[str], buyers: Sequence[str], turn: int) -> None:
        """A period from quote to settlement: each buyer bids on one of the quotes, each time on another.

        The first seller keeps something for a purchase. Everything is settled at once, by the owner.
        """
        period, price = self.next_period(), self.tariff.lowest_price
        volume = 20 * len(buyers) + 64
        quotes = [self.call("submit_quote", period, volume, price, sender=seller) for seller in sellers]
        bids = [(quotes[(turn + place) % len(quotes)], buyer) for place, buyer in enumerate(buyers)]
        for quote_id, buyer in bids:
            self.bid(quote_id, buyer, price, 20)
        self.to(Phase.REVEALING, period)
        for quote_id, buyer in bids:
            self.reveal(quote_id, buyer, price, 20)
        self.to(Phase.MATCHING, period)
        for quote_id in quotes:
            self.call("match_bids", quote_id, sender=STRANGER)
        self.call("buy_surplus", quotes[0], 64, sender=buyers[turn % len(buyers)])
        self.to(Phase.METERING, period)
        energies = [(seller, volume, 0) for seller in sellers] + [(buyer, 0, 20) for buyer in buyers]
        readings = [(*energy, self.reading(energy[0], period, *energy[1:])) for energy in energies]
        assert self.call("submit_readings", period, readings, sender="owner") == 2 ** len(energies) - 1
        self.to(Phase.SETTLING, period)
        for quote_id in quotes:
            self.call("settle_quote", quote_id, sender="owner")
        everybody = [*sellers, *buyers]
        assert self.call("settle_accounts", period, everybody, sender="owner") == 2 ** len(everybody) - 1


def test_a_year_of_half_hours_of_one_household_takes_no_word_more_once_its_rings_are_full() -> None:
    community = Community(["sunny", "cloudy"])
    counts = []
    for turn in range(365 * DAY):
        community.half_hour(["sunny"], ["cloudy"], turn)
        if turn in (RING - 1, RING) or turn % (30 * DAY) == 30 * DAY - 1:
            community.shrink()
            counts.append(community.words())
        elif turn % DAY == 0:
            community.shrink()
    # Full once every place was used, and every room: there are more places than rooms.
    assert RING > ROOMS
    assert len(counts) == 2 + 12
    holds("C4-GROW-1", len(set(counts)) == 1, words=counts)


def test_thirty_days_of_ten_households_take_as_many_words_as_fifteen() -> None:
    households = [f"household {number}" for number in range(10)]
    community = Community(households)
    counts = []
    for turn in range(30 * DAY):
        # Every day is like the one before: who sells changes from half-hour to half-hour.
        first = turn % DAY % 10
        order = households[first:] + households[:first]
        community.half_hour(order[:3], order[3:], turn // DAY + turn)
        if turn % DAY == DAY - 1:
            community.shrink()
            counts.append(community.words())
    assert counts[0] < counts[14]
    holds("C4-GROW-1", counts[29] == counts[14], words=counts)
