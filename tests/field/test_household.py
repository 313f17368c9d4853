"""Households' agents, as processes: a half-hour played by them and an operator, one of them killed at any moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.field import Ground
from tests.support.neighbours import Neighbour, accounts, modelled_accounts
from tests.support.street import Kills, Process, Street, running
from wattproof.evm.anvil import Anvil
from wattproof.terms.model import Phase

HOMES = (("sunny", 2_000, 2_100), ("cloudy", -1_500, -1_500), ("misty", -900, -900))
"""Households, what they expect and what their meters will count, in Wh."""

KILLS = int(os.environ.get("WATTPROOF_KILLS", "6"))
"""How often an agent is killed; `make field` has it killed fifty times."""

STEPS = 7
"""Steps of a half-hour, in each of which it may be killed."""


@dataclass
class Played:
    """What a half-hour came to: the calls that the chain took, in order, and all accounts at its end."""

    street: Street
    calls: list[tuple[str, tuple[Any, ...], str]]
    accounts: dict[str, Any]

    def bids(self) -> list[tuple[str, int, int, int]]:
        """Who opened a bid, on which quote, at which price, of which volume."""
        return sorted((sender, *args[:3]) for function, args, sender in self.calls if function == "reveal_bid")

    def count(self, function: str, sender: str | None = None) -> int:
        """How often something was called."""
        return sum(name == function and sender in (None, who) for name, _, who in self.calls)


def play(anvil: Anvil, folder: Path, kills: int = 0, killed: str = "") -> Played:
    """A half-hour of three households and an operator; one of them is killed so often."""
    street = Street(Ground.on(anvil))
    street.ground.record.write(folder / "deployment.json")
    street.deposit(street.ground.owner, 10**20)
    neighbours = [Neighbour(street, folder / name, name, expects, counts) for name, expects, counts in HOMES]
    agents: list[Process | Kills] = [
        Kills(each.start, f"{killed} {kills}") if each.name == killed else each.start() for each in neighbours
    ]
    deaths = [agent for agent in agents if isinstance(agent, Kills)]
    street.meanwhile = lambda: [death() for death in deaths]
    with running(*agents):
        for step, _ in enumerate(_steps(street, folder, neighbours, agents)):
            for death in deaths:
                death.allow(kills // STEPS + (step < kills % STEPS))
            street.until(lambda: not any(death.left for death in deaths), 300)
            street.settle_down(*agents)
    assert sum(death.done for death in deaths) == kills
    taken = [(function, args, sender) for function, args, sender, ok in street.calls() if ok]
    return Played(street, taken, accounts(street))


def _steps(street: Street, folder: Path, neighbours: list[Neighbour], agents: list[Process | Kills]) -> Iterator[None]:
    """Goes on to the next step each time; the operator joins in as soon as everybody is let in."""
    yield
    zero = "0x" + 40 * "0"
    for home in street.homes.values():
        assert street.market.view("account", home.address).meter != zero
        street.call(street.ground.owner, "authorize", home.address, 11_500)
    arguments = ["--rpc", street.ground.url, "--deployment", str(folder / "deployment.json"), "--interval", "0.1"]
    operator = Process(folder / "operator", "owner", "operate", *arguments)
    agents.append(operator)
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(operator.kill)
        reveal, window = street.clock.begins(Phase.REVEALING, street.period), street.clock.window
        metering = street.clock.begins(Phase.METERING, street.period)
        for second in (reveal - 2 * window, reveal - window, reveal, reveal + window, metering, metering + window // 2):
            if second == metering:
                for each in neighbours:
                    each.measure()
            street.ground.anvil.mine(second)
            yield
        street.to(Phase.SETTLING)
        street.settle_down(operator)


@pytest.fixture(scope="module")
def undisturbed(has_anvil: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A half-hour in which nobody is killed."""
    with Anvil(timestamp=1_750_000_000, chain_id=7_357) as anvil:
        yield play(anvil, tmp_path_factory.mktemp("undisturbed"))


def test_a_half_hour_is_played_by_agents_alone(undisturbed: Played) -> None:
    street = undisturbed.street
    assert (
        undisturbed.count("submit_quote") == undisturbed.count("match_bids") == undisturbed.count("settle_quote") == 1
    )
    assert undisturbed.count("submit_bid") == undisturbed.count("reveal_bid") == 2
    assert undisturbed.count("submit_reading") == 3, "the operator was given none"
    assert undisturbed.count("buy_surplus") == 1, "misty lacks what it did not win, and sunny has more than it sold"
    assert all(street.position(name).settled for name in street.homes)


def test_it_comes_to_what_the_model_says(undisturbed: Played) -> None:
    assert undisturbed.accounts == modelled_accounts(undisturbed.street)


@pytest.mark.parametrize("name", ["misty", "sunny"] if KILLS > 6 else ["misty"])
def test_who_is_killed_again_and_again_does_the_same(
    undisturbed: Played, anvil: Anvil, tmp_path: Path, name: str
) -> None:
    played = play(anvil, tmp_path, KILLS, name)
    who = played.street.homes[name].address
    assert played.bids() == undisturbed.bids()
    ones = {function for function, _, sender in undisturbed.calls if sender == who}
    assert {function: played.count(function, who) for function in ones} == dict.fromkeys(ones, 1)
    assert all(played.street.position(name).settled for name in played.street.homes)
    assert played.accounts[name] == undisturbed.accounts[name]
    assert played.accounts == modelled_accounts(played.street)
