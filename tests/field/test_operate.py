"""The operator's daemon, as a process: a half-hour matched, metered and settled, whatever happens to it."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.field import Ground
from tests.support.street import LIMIT, Kills, Process, Street, running
from wattproof.agents.readings import queue
from wattproof.evm.anvil import Anvil
from wattproof.terms.model import Phase, QuoteStatus

PRICE = 9 * 10**13

KILLS = int(os.environ.get("WATTPROOF_KILLS", "6"))
"""How often an agent is killed; `make field` has it killed fifty times."""

SELLERS, BUYERS = ("sunny", "dawn", "noon"), ("cloudy", "misty")


@pytest.fixture
def street(anvil: Anvil, tmp_path: Path) -> Street:
    """Five households, of which three sell; the supplier, who is the owner, can pay."""
    found = Street(Ground.on(anvil))
    found.ground.record.write(tmp_path / "deployment.json")
    for name in (*SELLERS, *BUYERS):
        found.join(name)
    found.deposit(found.ground.owner, 10**20)
    return found


def operator(street: Street, tmp_path: Path, *more: str, name: str = "operator", seed: str = "owner") -> Process:
    arguments = ["--rpc", street.ground.url, "--deployment", str(tmp_path / "deployment.json"), "--interval", "0.1"]
    spool = tmp_path / f"{name}-spool"
    spool.mkdir(exist_ok=True)
    return Process(tmp_path / name, seed, "operate", *arguments, "--readings", str(spool), *more)


def traded(street: Street) -> list[int]:
    """Three quotes with opened bids on two of them, up to the end of REVEALING; returns their numbers."""
    quotes = [street.quote(name, 2_000, PRICE) for name in SELLERS]
    opens = [street.bid(name, quote, PRICE + 10**13, 1_500) for name in BUYERS for quote in quotes[:2]]
    street.to(Phase.REVEALING)
    for open_ in opens:
        open_()
    return quotes


def metered(street: Street, *spools: Path) -> None:
    """What all meters count lies in the spools."""
    for name in street.homes:
        exported, imported = (1_900, 0) if name in SELLERS else (0, 2_000)
        for spool in spools:
            queue(spool, street.reading(name, exported, imported))


def finish(street: Street, tmp_path: Path, quotes: list[int], kills: int, *agents: Process | Kills) -> None:
    """Goes through a half-hour from MATCHING on with these operators; some of them are killed in each phase."""
    deaths = [agent for agent in agents if isinstance(agent, Kills)]
    street.meanwhile = lambda: [death() for death in deaths]
    for step, phase in enumerate((Phase.MATCHING, Phase.METERING, Phase.SETTLING)):
        street.to(phase)
        if phase == Phase.METERING:
            metered(street, *tmp_path.glob("*-spool"))
        for death in deaths:
            death.allow(kills // 3 + (step < kills % 3))
        street.until(lambda: not any(death.left for death in deaths), 300)
        street.settle_down(*agents)
        if phase == Phase.MATCHING:
            assert [street.status(quote) for quote in quotes] == [QuoteStatus.MATCHED] * 3
        if phase == Phase.METERING:
            assert all(map(street.read, street.homes))
    assert sum(death.done for death in deaths) == (kills if deaths else 0)
    assert [street.status(quote) for quote in quotes] == [QuoteStatus.SETTLED] * 3
    assert all(street.position(name).settled for name in street.homes)
    made = Counter((function, args[0]) for function, args, _, ok in street.calls() if ok)
    assert {made[function, quote] for function in ("match_bids", "settle_quote") for quote in quotes} == {1}
    assert street.ground.anvil.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}


def test_a_half_hour_is_matched_metered_and_settled(street: Street, tmp_path: Path) -> None:
    quotes = traded(street)
    agent = operator(street, tmp_path)
    with running(agent):
        finish(street, tmp_path, quotes, 0, agent)
    made = Counter((function, ok) for function, _, _, ok in street.calls())
    assert made["submit_readings", True] == made["settle_accounts", True] == 1
    assert not [function for function, ok in made if not ok]
    assert len(list((tmp_path / "operator-spool" / "done").iterdir())) == 5, agent.said


def test_an_operator_that_is_killed_again_and_again(street: Street, tmp_path: Path) -> None:
    quotes = traded(street)
    agent = Kills(lambda: operator(street, tmp_path), f"operator {KILLS}")
    with running(agent):
        finish(street, tmp_path, quotes, KILLS, agent)
    wasted = [function for function, _, _, ok in street.calls() if not ok]
    assert not wasted, "what was signed is not signed anew"


def test_operators_beside_one_another(street: Street, tmp_path: Path) -> None:
    quotes = traded(street)
    street.ground.account("helper")
    agents = [
        operator(street, tmp_path, name="one"),
        operator(street, tmp_path, name="two"),
        operator(street, tmp_path, name="other", seed="helper"),
    ]
    with running(*agents):
        finish(street, tmp_path, quotes, 0, *agents)
    sent = Counter(function for function, *_ in street.calls())
    assert sent["match_bids"] <= 9 and sent["settle_quote"] <= 6, "none tries twice"


def test_a_state_is_held_by_one(street: Street, tmp_path: Path) -> None:
    first = operator(street, tmp_path)
    with running(first):
        street.settle_down(first)
        second = operator(street, tmp_path)
        assert second.code() == 2
        assert "another agent runs with this state" in second.lines[-1]


def test_a_folder_of_readings_has_to_exist(street: Street, tmp_path: Path) -> None:
    mistyped = tmp_path / "mistyped"
    first = operator(street, tmp_path, "--readings", str(mistyped))
    assert first.code() == 2 and not mistyped.exists()
    assert first.lines == [f"{mistyped}: there is no such folder; make it, or name another one by --readings"]
    mistyped.mkdir()
    second = operator(street, tmp_path, "--readings", str(mistyped), "--once")
    with running(second):
        street.until(second.ended)
    assert second.lines[1].endswith(f", readings from {mistyped}")


def test_another_chain_is_told_of_before_another_journal(street: Street, tmp_path: Path) -> None:
    first = operator(street, tmp_path, "--once")
    with running(first):
        street.until(first.ended)
    market, record = str(tmp_path / "deployment.json"), street.ground.record
    replace(record, chain_id=1).write(tmp_path / "elsewhere.json")
    second = operator(street, tmp_path, "--deployment", str(tmp_path / "elsewhere.json"))
    assert second.code() == 2
    assert "is on chain 7357, the market on 1" in second.lines[-1]
    # On the right chain it is the journal that is another's.
    third = operator(street, tmp_path, "--deployment", market, seed="helper")
    assert third.code() == 2
    assert "is the journal of another market or account" in third.lines[-1]


def test_once_does_what_is_due_and_ends(street: Street, tmp_path: Path) -> None:
    quotes = traded(street)
    street.to(Phase.MATCHING)
    agent = operator(street, tmp_path, "--once")
    with running(agent):
        street.until(agent.ended)
        assert agent.code() == 0, agent.said
    assert [street.status(quote) for quote in quotes] == [QuoteStatus.MATCHED] * 3
    # Days later, with nobody's reading: what was sold is settled all the same, by an operator that begins anew.
    street.to(Phase.CLOSING, street.period + 100)
    agent = operator(street, tmp_path, "--once", name="later", seed="cloudy")
    with running(agent):
        street.until(agent.ended)
        assert agent.code() == 0, agent.said
    assert [street.status(quote) for quote in quotes] == [QuoteStatus.SETTLED] * 3
    assert all(street.position(name).settled for name in BUYERS)


def test_what_a_reorganisation_took_is_done_again(street: Street, tmp_path: Path) -> None:
    quotes = traded(street)
    agent = operator(street, tmp_path)
    with running(agent):
        street.to(Phase.MATCHING)
        street.settle_down(agent)
        assert street.status(quotes[0]) == QuoteStatus.MATCHED
        street.ground.anvil.rpc("anvil_reorg", 1, [])
        assert street.status(quotes[0]) == QuoteStatus.VALID
        street.ground.anvil.mine(street.now + 1)
        street.until(lambda: street.status(quotes[0]) == QuoteStatus.MATCHED)
        street.settle_down(agent)
    assert [street.status(quote) for quote in quotes] == [QuoteStatus.MATCHED] * 3


def test_a_node_that_is_killed_and_comes_back_with_less(
    has_anvil: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Anvil("--state", str(tmp_path / "chain.json"), timestamp=1_750_000_000, chain_id=7_357) as node:
        street = Street(Ground.on(node))
        street.ground.record.write(tmp_path / "deployment.json")
        for name in (*SELLERS, *BUYERS):
            street.join(name)
        quotes = traded(street)
        agent = operator(street, tmp_path)
        with running(agent):
            street.settle_down(agent)
            monkeypatch.setattr("wattproof.evm.node._free_port", lambda port=node.port: port)
            # It is ended in good order, and has what it had.
            node.stop()
            node.start()
            street.to(Phase.MATCHING)
            street.settle_down(agent)
            assert [street.status(quote) for quote in quotes] == [QuoteStatus.MATCHED] * 3
            # It is killed, and what came after its start is lost: all the matching.
            assert node._process is not None
            node._process.kill()
            node.stop()
            end, said = time.monotonic() + LIMIT, agent.said.count("it is asked again and again")
            while agent.said.count("it is asked again and again") == said:
                assert time.monotonic() < end, "the agent does not see that the node is away"
                time.sleep(0.02)
            node.start()
            assert [street.status(quote) for quote in quotes] == [QuoteStatus.VALID] * 3
            street.to(Phase.MATCHING)
            street.until(lambda: street.status(quotes[0]) == QuoteStatus.MATCHED)
            street.settle_down(agent)
            assert [street.status(quote) for quote in quotes] == [QuoteStatus.MATCHED] * 3
    away = [line for line in agent.lines if "it is asked again and again" in line]
    assert 1 <= len(away) <= 2, "once for each time"
