"""What becomes of queued readings, and what the operator warns of, on a chain."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.field import Ground
from tests.support.street import Street
from wattproof.agents.journal import Journal
from wattproof.agents.notices import Notices
from wattproof.agents.operator.daemon import Operator
from wattproof.agents.readings import Spool, queue
from wattproof.chain.accounts import Account
from wattproof.market.meters import Meter
from wattproof.terms.model import Phase, QuoteStatus

PRICE = 9 * 10**13


@pytest.fixture
def street(ground: Ground) -> Iterator[Street]:
    """Three households; the chain is as it was afterwards."""
    kept = ground.anvil.rpc("evm_snapshot")
    found = Street(ground)
    for name in ("sunny", "cloudy", "misty"):
        found.join(name)
    yield found
    ground.anvil.rpc("evm_revert", kept)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def operator(street: Street, tmp_path: Path, lines: list[str]) -> Iterator[Operator]:
    yield from operating(street, tmp_path, lines, street.ground.owner)


def operating(street: Street, folder: Path, lines: list[str], account: Account) -> Iterator[Operator]:
    ground = street.ground
    (folder / "spool").mkdir(parents=True)
    spool = Spool(folder / "spool", ground.record.chain_id, ground.market.address)
    with Journal(folder / "state", "a test") as journal:
        yield Operator(ground.market, account, journal, spool, Notices(lines.append), lines.append)


def act(street: Street, operator: Operator, until: Callable[[], bool] = lambda: False) -> None:
    """The operator acts, and blocks are made of what it sends, until it has nothing left to do."""
    for _ in range(40):
        done = operator.tick()
        if not street.mined() and (done or until()):
            return
    raise AssertionError("it does not come to an end")


def test_one_bad_reading_does_not_sink_the_others(
    street: Street, operator: Operator, tmp_path: Path, lines: list[str]
) -> None:
    spool = tmp_path / "spool"
    queue(spool, street.reading("sunny", 5, 0))
    queue(spool, replace(street.reading("cloudy", 0, 7), imported=6))
    street.homes["misty"].meter, own = Meter("not hers"), street.homes["misty"].meter
    queue(spool, street.reading("misty", 0, 8))
    street.to(Phase.METERING)
    act(street, operator)
    assert street.read("sunny") and not street.read("cloudy") and not street.read("misty")
    bad = sorted(path.name for path in (spool / "bad").glob("*.json"))
    assert len(bad) == 2
    for name in bad:
        assert "accounts: wrong meter" in (spool / "bad" / f"{name}.reason").read_text()
    assert sum("it lies in bad/" in line for line in lines) == 2
    # The right one comes in time.
    street.homes["misty"].meter = own
    queue(spool, street.reading("misty", 0, 8))
    act(street, operator)
    assert street.read("misty")
    assert [function for function, *_ in street.calls()].count("submit_readings") == 2


def test_what_is_not_accepted_in_time_is_kept_with_the_reason(
    street: Street, operator: Operator, tmp_path: Path, lines: list[str]
) -> None:
    street.call(street.ground.owner, "revoke", street.homes["misty"].address)
    queue(tmp_path / "spool", street.reading("misty", 0, 8))
    street.to(Phase.METERING)
    act(street, operator)
    street.ground.anvil.mine(street.now + 1)
    act(street, operator)
    assert [line for line in lines if "is refused: accounts: not authorised" in line] == lines, "once, nothing is sent"
    street.to(Phase.SETTLING)
    act(street, operator)
    (reason,) = (tmp_path / "spool" / "late").glob("*.reason")
    assert "accounts: not authorised" in reason.read_text()


def test_a_reading_with_other_figures_than_the_chains_is_not_done(
    street: Street, operator: Operator, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    street.to(Phase.METERING)
    queue(spool, street.reading("sunny", 5, 0))
    act(street, operator)
    (spool / "false.json").write_text(replace(street.reading("sunny", 5, 0), exported=500).text())
    street.to(Phase.SETTLING)
    act(street, operator)
    done = f"{street.period}-{street.homes['sunny'].address}.json"
    assert [path.name for path in (spool / "done").iterdir()] == [done]
    reason = (spool / "late" / "false.json.reason").read_text()
    assert reason.endswith("the chain has another reading of its user: exported 5 Wh, imported 0 Wh\n")


def test_a_reading_that_counts_in_part_is_done(street: Street, operator: Operator, tmp_path: Path) -> None:
    street.quote("sunny", 500, PRICE)
    street.call(street.ground.owner, "revoke", street.homes["sunny"].address)
    queue(tmp_path / "spool", street.reading("sunny", 700, 0))
    queue(tmp_path / "spool", street.reading("misty", 0, 20_000))
    street.to(Phase.METERING)
    act(street, operator)
    counted = {name: street.market.view("reading", street.homes[name].address, street.period) for name in street.homes}
    assert (counted["sunny"].exported, counted["misty"].imported) == (500, 11_500)
    street.to(Phase.SETTLING)
    act(street, operator)
    assert len(list((tmp_path / "spool" / "done").iterdir())) == 2


def test_a_record_in_the_way_is_finished_first(street: Street, operator: Operator, tmp_path: Path) -> None:
    quote, later = street.quote("sunny", 500, PRICE), street.period + 432
    street.to(Phase.METERING)
    one = street.reading("sunny", 500, 0)
    street.call(street.ground.owner, "submit_reading", one.user, one.period, one.exported, one.imported, one.signature)
    queue(tmp_path / "spool", street.reading("sunny", 5, 0, later))
    street.to(Phase.METERING, later)
    act(street, operator)
    assert street.status(quote) == QuoteStatus.SETTLED
    assert street.read("sunny", later)


def test_what_is_in_the_way_is_found_by_the_lens_too(
    street: Street, operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("_matches", "_settlements", "_accounts"):
        monkeypatch.setattr(f"wattproof.agents.operator.plan.{part}", lambda view: [])
    test_a_record_in_the_way_is_finished_first(street, operator, tmp_path)


def test_silent_meters_and_a_poor_supplier_are_told_of(
    street: Street, operator: Operator, tmp_path: Path, lines: list[str]
) -> None:
    quote = street.quote("sunny", 2_000, PRICE)
    open_ = street.bid("misty", quote, PRICE, 1_000)
    street.to(Phase.REVEALING)
    open_()
    street.to(Phase.MATCHING)
    act(street, operator)
    queue(tmp_path / "spool", street.reading("sunny", 3_000, 0))
    street.to(Phase.METERING)
    act(street, operator)
    street.ground.anvil.mine(street.clock.begins(Phase.METERING, street.period) + 440)
    act(street, operator)
    assert not [line for line in lines if "no reading yet" in line], "households hand in at half of it"
    street.ground.anvil.mine(street.clock.begins(Phase.METERING, street.period) + 450)
    act(street, operator)
    (silent,) = [line for line in lines if "no reading yet" in line]
    assert street.homes["misty"].address in silent and street.homes["sunny"].address not in silent
    # Of 3000 Wh 1000 are sold; the supplier, who has nothing in the market, will owe 2000 at 6 p.
    (poor,) = [line for line in lines if "it has to deposit" in line]
    assert poor.endswith("it has to deposit 0.12 WATT")


def test_who_is_not_the_owner_settles_a_window_later(street: Street, tmp_path: Path, lines: list[str]) -> None:
    quote = street.quote("sunny", 500, PRICE)
    for operator in operating(street, tmp_path, lines, street.ground.account("helper")):
        street.to(Phase.SETTLING)
        act(street, operator)
        assert street.status(quote) == QuoteStatus.MATCHED
        street.to(Phase.CLOSING)
        act(street, operator)
        assert street.status(quote) == QuoteStatus.SETTLED
    assert all(ok for *_, ok in street.calls())


def test_that_somebody_else_was_faster_is_not_told(street: Street, tmp_path: Path, lines: list[str]) -> None:
    quote = street.quote("sunny", 500, PRICE)
    street.to(Phase.MATCHING)
    street.call(street.ground.owner, "match_bids", quote)
    street.to(Phase.CLOSING)
    made = [operating(street, tmp_path / name, lines, street.ground.account(name)) for name in ("one", "two")]
    with contextlib.ExitStack() as stack:
        operators = [stack.enter_context(contextlib.contextmanager(lambda each=each: each)()) for each in made]
        for operator in operators:
            operator.tick()
        assert street.mined()
        for operator in operators:
            act(street, operator)
    assert [ok for function, _, _, ok in street.calls() if function == "settle_quote"] == [True, False]
    assert [line.partition(" (")[0] for line in lines] == [f"settle quote {quote}: done"]


def test_more_than_a_batch_is_handed_in_and_settled(street: Street, operator: Operator, tmp_path: Path) -> None:
    for number in range(66):
        street.join(f"home {number}", money=0)
    for name in street.homes:
        queue(tmp_path / "spool", street.reading(name, 10, 0))
    street.to(Phase.METERING)
    act(street, operator)
    assert all(map(street.read, street.homes))
    street.to(Phase.SETTLING)
    act(street, operator)
    assert all(street.position(name).settled for name in street.homes)
    made = [function for function, *_ in street.calls()]
    assert made.count("submit_readings") == made.count("settle_accounts") == 2
