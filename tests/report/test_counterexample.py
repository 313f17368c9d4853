"""The story of a failure: every entry point can be told, and whose money is wrong, from the preset on."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from verification.harness.lockstep import HOUSEHOLDS, STRANGER, Lockstep
from verification.harness.replay import playing
from verification.report import counterexample, document, page, text
from verification.report.schema import schema
from wattproof.terms import model

PROSUMER, BUYER, IDLE = HOUSEHOLDS[:3]
SALT = bytes(32)


@pytest.fixture(scope="module")
def trade() -> Iterator[dict[str, Any]]:
    """The trace of a trade from quote to bill.

    Readings and accounts are handed in by batches, bad entries among them.
    """
    with playing("pyevm"):
        lockstep = Lockstep.fresh()
        lockstep.trace.beginning = len(lockstep.trace)
        _play(lockstep)
        yield lockstep.trace.to_json()


def _play(lockstep: Lockstep) -> None:
    t, period = lockstep.tariff, lockstep.next_period()
    lockstep.call("submit_quote", period, 100, t.lowest_price, sender=PROSUMER)
    lockstep.bid(1, BUYER, t.lowest_price, 60, SALT)
    lockstep.to(model.Phase.REVEALING, period)
    lockstep.reveal(1, BUYER, t.lowest_price, 60, SALT)
    lockstep.to(model.Phase.MATCHING, period)
    lockstep.call("match_bids", 1, sender=STRANGER)
    assert not lockstep.call("buy_surplus", 1, 41, sender=BUYER).accepted
    lockstep.to(model.Phase.METERING, period)
    good = lockstep.reading(PROSUMER, period, 90, 0)
    cut = replace(lockstep.reading(BUYER, period, 0, 60), form="truncated")
    strange = lockstep.reading(IDLE, period, 1, 1, meter_of=BUYER)
    entries = [(PROSUMER, 90, 0, good), (BUYER, 0, 60, cut), (IDLE, 1, 1, strange)]
    lockstep.call("submit_readings", period, entries, sender=STRANGER)
    lockstep.read(BUYER, period, 0, 70)
    lockstep.to(model.Phase.SETTLING, period)
    lockstep.call("settle_quote", 1, sender="owner")
    lockstep.call("settle_accounts", period, [BUYER, "supplier", BUYER], sender="owner")


def _told(trace: dict[str, Any]) -> list[dict[str, Any]]:
    told = counterexample.tell(json.loads(json.dumps(trace)), "pyevm")
    jsonschema.validate(told, schema()["properties"]["failures"]["items"]["properties"]["story"])
    return told


def test_every_call_is_told_and_the_right_contract_does_as_the_terms_say(trade: dict[str, Any]) -> None:
    preset, *chapters = _told(trade)
    calls = [chapter for chapter in chapters if chapter["kind"] == "call"]
    assert preset == {"kind": "preset", "calls": preset["calls"], "differ": 0, "first": None}
    assert preset["calls"] > len(HOUSEHOLDS)
    assert [call["function"] for call in calls][-4:] == [
        "submit_readings",
        "submit_reading",
        "settle_quote",
        "settle_accounts",
    ]
    assert len(calls) == 9
    for call in calls:
        assert call["agree"], call
        assert all(moved["after"] == moved["due"] for moved in call["accounts"])
    assert calls[0]["arguments"] == ["period=867263 (2019-06-21 00:30 +0100)", "volume=100 Wh", "price=7 base units/Wh"]
    assert "volume=100 Wh, price=7 base units/Wh" in calls[0]["contract"]
    readings, accounts = calls[-4], calls[-1]
    assert "reason=accounts: malformed signature" in readings["contract"]
    assert "reason=accounts: wrong meter" in readings["contract"]
    assert "reason=settlement: already settled" in accounts["contract"]
    assert {moved["who"] for moved in accounts["accounts"]} == {BUYER, "supplier"}


@pytest.fixture
def other_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terms by which a quote sets one base unit more aside than by the contract's."""
    submit_quote = model.Market.submit_quote

    def dearer(self: model.Market, *args: Any, sender: str, now: int) -> Any:
        result = submit_quote(self, *args, sender=sender, now=now)
        self.accounts[sender].balance -= 1
        self.accounts[sender].reserved += 1
        return result

    monkeypatch.setattr(model.Market, "submit_quote", dearer)


@pytest.mark.usefixtures("other_terms")
def test_money_that_is_wrong_is_told_with_what_is_due(trade: dict[str, Any]) -> None:
    _, *chapters = _told(trade)
    differ = [chapter for chapter in chapters if chapter["kind"] == "call" and not chapter["agree"]]
    assert differ[0]["function"] == "submit_quote"
    assert differ[0]["terms"] == differ[0]["contract"]
    (moved,) = differ[0]["accounts"]
    assert moved["due"]["free"] == moved["after"]["free"] - 1
    assert moved["due"]["reserved"] == moved["after"]["reserved"] + 1
    others = [chapter["function"] for chapter in differ[1:]]
    assert "match_bids" not in others, "what was wrong before is not told again"


@pytest.mark.usefixtures("other_terms")
def test_what_went_wrong_in_the_preset_comes_first(trade: dict[str, Any], told: dict[str, Any]) -> None:
    preset, *chapters = _told(trade | {"beginning": len(trade["entries"]) - 1})
    assert preset["differ"] >= 1
    assert preset["first"]["function"] == "submit_quote"
    assert [chapter["function"] for chapter in chapters] == ["settle_accounts"]
    changed = copy.deepcopy(told)
    changed["failures"][0]["story"] = [preset, *chapters]
    jsonschema.validate(changed, schema())
    for shown in (text.render(changed), page.render(changed, document.dumped(changed)[1])):
        assert "of them the contract does not do as the terms say" in shown
        assert "by the terms" in shown


@pytest.mark.parametrize("missing", [{}, {"story_missing": "RuntimeError: no such view"}], ids=["nothing", "a reason"])
def test_a_failure_without_a_story_is_shown_all_the_same(told: dict[str, Any], missing: dict[str, str]) -> None:
    changed = copy.deepcopy(told)
    changed["failures"][0] |= {"story": []} | missing
    jsonschema.validate(changed, schema())
    html = page.render(changed, document.dumped(changed)[1])
    assert changed["failures"][0]["invariant"] in text.render(changed)
    assert ("could not be told call by call" in html) == bool(missing)
