"""The story of an alarm, and its lines at the REPL: here of a chain that is as it should be, so that they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.field import Ground
from tests.support.street import Street
from tests.support.watching import PENNY, Watch, trade
from wattproof.evm.anvil import Anvil
from wattproof.store.records import Watched
from wattproof.watch import story
from wattproof.watch.checker import Checked
from wattproof.watch.ledger import Finding


@pytest.fixture
def watch(anvil: Anvil, tmp_path: Path) -> Watch:
    """Two trades of three households, and a quote of a fourth between them."""
    street = Street(Ground.on(anvil))
    trade(street)
    street.join("bright")
    street.quote("bright", 800, 8 * PENNY)
    trade(street, exported=500)
    street.call(street.homes["cloudy"].account, "withdraw", 1)
    watch = Watch(street.ground, f"sqlite:///{tmp_path}/market.db")
    assert watch.run() == 0
    return watch


def told(watch: Watch) -> story.Story:
    """The story of an alarm in the last block."""
    cursor = watch.store.cursor()
    assert cursor is not None
    checked = Checked(Watched(cursor), [Finding("C2-EVENT-1", "it is made up")], ())
    return story.of(checked, watch.market, watch.store)


def played(lines: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the lines print."""
    capsys.readouterr()
    exec("\n".join(lines), {})
    return capsys.readouterr().out.splitlines()


def test_a_whole_history_is_played_again(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(watch)
    calls = len(watch.calls()) - 1
    assert played(found.lines, capsys)[-1] == f"holds: contract and terms agree on {calls} calls, and on the state"
    lines = found.text.splitlines()
    assert len(lines) == story.TOLD + 1
    assert lines[-1] == "C2-EVENT-1: it is made up"
    assert "market.withdraw(" in lines[-2]


def test_of_a_long_history_the_calls_of_the_people_concerned_are_played(
    watch: Watch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "MAX_CALLS", 10)
    found = told(watch)
    out = played(found.lines, capsys)
    calls = len(watch.calls()) - 1 - 1  # All but the quote that has nothing to do with cloudy.
    assert out == [f"holds: contract and terms agree on {calls} calls, and on the state"]
    assert any("1 calls of others are left out" in line for line in found.lines)


def test_a_story_that_cannot_be_told_says_so(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "arguments_of", lambda *_: 1 / 0)
    found = told(watch)
    assert found.text == "the story cannot be told (ZeroDivisionError: division by zero)"
    assert found.lines == []
