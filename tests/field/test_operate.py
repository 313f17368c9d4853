"""The operator's daemon, as a process: a half-hour matched, metered and settled, whatever happens to it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.field import Ground
from tests.support.street import Process, Street, running
from wattproof.agents.readings import queue
from wattproof.evm.anvil import Anvil
from wattproof.terms.model import Phase, QuoteStatus

PRICE = 9 * 10**13


@pytest.fixture
def street(anvil: Anvil, tmp_path: Path) -> Street:
    """Three households, of which one sells."""
    found = Street(Ground.on(anvil))
    found.ground.record.write(tmp_path / "deployment.json")
    for name in ("sunny", "cloudy", "misty"):
        found.join(name)
    found.deposit(found.ground.owner, 10**20)
    return found


def operator(street: Street, tmp_path: Path, *more: str, name: str = "operator", seed: str = "owner") -> Process:
    arguments = ["--rpc", street.ground.url, "--deployment", str(tmp_path / "deployment.json"), "--interval", "0.1"]
    return Process(tmp_path / name, seed, "operate", *arguments, "--readings", str(tmp_path / "spool"), *more)


def traded(street: Street) -> int:
    """A quote with two opened bids, up to the end of REVEALING; returns its number."""
    quote = street.quote("sunny", 2_000, PRICE)
    opens = [street.bid("cloudy", quote, PRICE + 10**13, 1_500), street.bid("misty", quote, PRICE, 1_000)]
    street.to(Phase.REVEALING)
    for open_ in opens:
        open_()
    return quote


def test_a_half_hour_is_matched_metered_and_settled(street: Street, tmp_path: Path) -> None:
    quote = traded(street)
    agent = operator(street, tmp_path)
    with running(agent):
        street.to(Phase.MATCHING)
        street.until(lambda: street.status(quote) == QuoteStatus.MATCHED)
        for name, exported, imported in (("sunny", 1_900, 0), ("cloudy", 0, 1_500), ("misty", 0, 700)):
            queue(tmp_path / "spool", street.reading(name, exported, imported))
        street.to(Phase.METERING)
        street.until(lambda: all(map(street.read, street.homes)))
        street.to(Phase.SETTLING)
        street.until(lambda: all(street.position(name).settled for name in street.homes))
    made = Counter((function, ok) for function, _, _, ok in street.calls())
    assert street.status(quote) == QuoteStatus.SETTLED
    assert made["match_bids", True] == made["submit_readings", True] == made["settle_quote", True] == 1
    assert made["settle_accounts", True] == 1
    assert not [function for function, ok in made if not ok]
    assert len(list((tmp_path / "spool" / "done").iterdir())) == 3, agent.said
