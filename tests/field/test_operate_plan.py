"""What the operator plans, from events alone; what it puts aside; what it warns of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

from wattproof.agents.calls import accepted
from wattproof.agents.facts import Facts
from wattproof.agents.notices import Notices
from wattproof.agents.operator.plan import View, owed_by_supplier, plan, silent
from wattproof.agents.readings import BadReading, SignedReading, Spool, queue, read
from wattproof.chain.webhooks import Webhook
from wattproof.market.clock import Clock
from wattproof.terms.model import Phase

CLOCK = Clock(1_800, 600)
PERIOD = 1_000
ANN, BOB, EVE = (to_checksum_address(f"0x{letter * 40}") for letter in "abe")
MARKET = "0x" + "1" * 40


def facts(*events: tuple[str, dict]) -> Facts:
    found = Facts()
    for block, (name, fields) in enumerate(events, start=1):
        found.enter(block, name, fields)
    return found


def quoted(number: int = 1, period: int = PERIOD, prosumer: str = ANN) -> tuple[str, dict]:
    fields = {"quote_id": number, "prosumer": prosumer, "period": period, "volume": 2_000, "price": 9}
    return "QuoteSubmitted", fields


def opened(bidder: str = BOB, number: int = 1) -> tuple[str, dict]:
    return "BidRevealed", {"quote_id": number, "bidder": bidder, "price": 10, "volume": 1_000}


def won(bidder: str = BOB, filled: int = 1_000, number: int = 1) -> tuple[str, dict]:
    return "BidConfirmed", {"quote_id": number, "bidder": bidder, "filled": filled}


def matched(number: int = 1) -> tuple[str, dict]:
    return "QuoteMatched", {"quote_id": number, "sold": 0}


def reported(user: str, exported: int, imported: int, period: int = PERIOD) -> tuple[str, dict]:
    return "ReadingSubmitted", {"user": user, "period": period, "exported": exported, "imported": imported}


def settled(number: int = 1) -> tuple[str, dict]:
    return "QuoteSettled", {"quote_id": number, "delivered": 0, "revenue": 0, "fee": 0, "compensation": 0}


def view(
    found: Facts, phase: Phase, period: int = PERIOD, owner: bool = True, queued: tuple = (), late: int = 0
) -> View:
    return View(found, CLOCK, CLOCK.begins(phase, period) + late, owner, queued)


def planned(*arguments: object, **more: object) -> list[tuple]:
    return [(call.function, *call.arguments) for call in plan(view(*arguments, **more))]  # type: ignore[arg-type]


def signed(user: str = ANN, period: int = PERIOD, exported: int = 5) -> SignedReading:
    return SignedReading(7, MARKET, user, period, exported, 0, b"\1" * 65)


def test_a_quote_is_matched_from_matching_on_however_late() -> None:
    found = facts(quoted())
    assert planned(found, Phase.REVEALING) == []
    for phase in (Phase.MATCHING, Phase.DELIVERING, Phase.METERING, Phase.CLOSING):
        assert planned(found, phase) == [("match_bids", 1)]


def test_what_is_taken_back_matched_or_settled_is_left_alone() -> None:
    back = facts(quoted(), ("QuoteInvalidated", {"quote_id": 1}))
    assert planned(back, Phase.CLOSING) == []
    assert planned(facts(quoted(), matched()), Phase.MATCHING) == []
    assert planned(facts(quoted(), matched(), settled()), Phase.CLOSING) == []


def test_quotes_are_settled_before_the_accounts_that_wait_for_them() -> None:
    events = [quoted(), opened(), opened(EVE), won(), ("BidRejected", {"quote_id": 1, "bidder": EVE}), matched()]
    events += [reported(ANN, 900, 0), reported(EVE, 0, 50)]
    found = facts(*events)
    assert planned(found, Phase.SETTLING) == [("settle_quote", 1), ("settle_accounts", PERIOD, (EVE,))]
    found.enter(20, *settled())
    assert planned(found, Phase.SETTLING) == [("settle_accounts", PERIOD, (ANN, BOB, EVE))]
    for user in (ANN, BOB, EVE):
        found.enter(21, "AccountSettled", {"user": user, "period": PERIOD, "amount": 0, "cleared": 0})
    assert planned(found, Phase.SETTLING) == []


def test_who_is_not_the_owner_settles_in_closing() -> None:
    found = facts(quoted(), matched())
    assert planned(found, Phase.SETTLING, owner=False) == []
    assert planned(found, Phase.CLOSING, owner=False) == [("settle_quote", 1)]


def test_readings_go_in_batches_of_64_in_metering_only() -> None:
    queued = tuple(signed(f"0x{number:040x}") for number in range(100))
    assert planned(Facts(), Phase.DELIVERING, queued=queued) == []
    calls = planned(Facts(), Phase.METERING, queued=queued)
    assert [(name, period, len(entries)) for name, period, entries in calls] == [
        ("submit_readings", PERIOD, 64),
        ("submit_readings", PERIOD, 36),
    ]
    assert planned(Facts(), Phase.SETTLING, queued=queued) == []


def test_a_reading_is_handed_in_once_and_one_of_several() -> None:
    again = (signed(exported=5), signed(exported=6))
    (call,) = planned(Facts(), Phase.METERING, queued=again)
    assert [entry[1] for entry in call[2]] == [5]
    assert planned(facts(reported(ANN, 5, 0)), Phase.METERING, queued=again) == []


def test_a_part_of_a_batch_is_a_batch() -> None:
    (call,) = plan(view(Facts(), Phase.METERING, queued=(signed(), signed(BOB), signed(EVE))))
    part = call.only([0, 2])
    assert part.label == f"hand in 2 readings of period {PERIOD}"
    assert part.keys == (f"read {ANN} {PERIOD}", f"read {EVE} {PERIOD}")
    assert [entry[0] for entry in part.arguments[1]] == [ANN, EVE]


def test_a_batch_answers_with_a_bit_for_each_entry() -> None:
    assert accepted(0b101, 3) == [0, 2]
    assert accepted(2**64 - 1, 64) == list(range(64))


def test_events_of_quotes_that_were_finished_before_are_passed_over() -> None:
    assert facts(opened(), won(), matched(), settled()).unfinished() == set()


def test_the_bookmark_lies_before_all_of_an_unfinished_period() -> None:
    found = facts(quoted(1), quoted(2, PERIOD + 1), quoted(3))
    assert found.bookmark(50) == 0
    for number in (1, 3):
        found.enter(10, *matched(number))
        found.enter(11, *settled(number))
    assert found.bookmark(50) == 1, "quote 2 is open"
    found.enter(12, "QuoteInvalidated", {"quote_id": 2})
    assert found.bookmark(50) == 50
    found.enter(13, *reported(ANN, 1, 0))
    assert found.bookmark(50) == 0, "a record of the first period is not settled: all of that period is read again"


def test_only_what_is_finished_is_forgotten() -> None:
    found = facts(quoted(1), quoted(2, PERIOD + 1), matched(1), settled(1))
    found.forget(PERIOD + 5)
    assert list(found.offers) == [2]
    assert {period for _, period in found.records} == {PERIOD + 1}


def test_silent_meters_are_named_in_the_last_quarter_of_metering() -> None:
    found = facts(quoted(), opened(), won(), matched(), reported(EVE, 0, 5))
    assert silent(view(found, Phase.METERING, late=449)) == {}
    assert silent(view(found, Phase.METERING, late=450)) == {PERIOD: [ANN, BOB]}
    assert silent(view(found, Phase.METERING, late=450, queued=(signed(BOB),))) == {PERIOD: [ANN]}
    assert silent(view(found, Phase.SETTLING)) == {}


def test_what_the_supplier_will_owe() -> None:
    # Of 1500 exported 1000 are sold; of 1000 bought 400 are not used; who lacks 50 is owed nothing.
    found = facts(quoted(), opened(), won(), matched(), reported(ANN, 1_500, 0), reported(BOB, 0, 600))
    found.enter(9, *reported(EVE, 0, 50))
    assert owed_by_supplier(view(found, Phase.SETTLING), sbp=6, ssp=18) == 500 * 6 + 400 * 6
    found.enter(10, "AccountSettled", {"user": ANN, "period": PERIOD, "amount": 0, "cleared": 0})
    assert owed_by_supplier(view(found, Phase.SETTLING), sbp=6, ssp=18) == 400 * 6


# ---- the spool ---------------------------------------------------------------------------


def test_a_reading_survives_its_file(tmp_path: Path) -> None:
    path = queue(tmp_path, signed())
    assert read(path.read_bytes()) == signed()
    assert Spool(tmp_path, 7, MARKET).readings == [signed()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "wattproof-reading/2"}, "schema"),
        ({"exported": 1.5}, "exported"),
        ({"exported": True}, "exported"),
        ({"exported": 2**24}, "exported"),
        ({"imported": -1}, "imported"),
        ({"user": "0x12"}, "user"),
        ({"signature": "0x" + "00" * 66}, "signature"),
        ({"salt": 1}, "no field of it"),
        ({"period": None}, "period"),
    ],
)
def test_a_file_that_is_no_reading_is_told_why(change: dict, said: str) -> None:
    fields = json.loads(signed().text()) | change
    with pytest.raises(BadReading, match=said):
        read(json.dumps(fields).encode())


def test_bad_files_are_put_aside_and_never_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 7, MARKET)
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(signed().text().replace('"chain": 7', '"chain": 8'))
    (tmp_path / ".c.json").write_text("{")
    queue(tmp_path, signed())
    lines = spool.look()
    assert [line.partition(":")[0] for line in lines] == ["a.json", "b.json"]
    assert "not JSON" in (tmp_path / "bad" / "a.json.reason").read_text()
    assert "chain 8" in (tmp_path / "bad" / "b.json.reason").read_text()
    (tmp_path / "a.json").write_text("[]")
    assert spool.look() and (tmp_path / "bad" / "a.2.json").read_text() == "[]"
    assert (tmp_path / "bad" / "a.json").read_text() == "{", "what lay there before is kept"
    spool.late(signed(), "too late")
    assert spool.readings == [] and (tmp_path / "late" / f"{PERIOD}-{ANN}.json.reason").read_text() == "too late\n"


# ---- notices -----------------------------------------------------------------------------


def test_a_warning_comes_once_and_again_when_it_changes() -> None:
    lines: list[str] = []
    notices = Notices(lines.append)
    for line in ("low", "low", "lower", "lower"):
        notices.warn("gas", line)
    notices.over("gas", "enough")
    notices.over("gas", "enough")
    notices.warn("gas", "lower")
    assert lines == ["low", "lower", "enough", "lower"]


def test_causes_that_are_gone_are_told_of_again_when_they_come_back() -> None:
    lines: list[str] = []
    notices = Notices(lines.append)
    notices.only("silent ", {"silent 1": "one"})
    notices.only("silent ", {})
    notices.only("silent ", {"silent 1": "one"})
    assert lines == ["one", "one"]


def test_a_webhook_is_told_what_is_shown() -> None:
    class Posted(Webhook):
        def __init__(self) -> None:
            self.all: list[dict[str, object]] = []

        def post(self, told: dict[str, object]) -> None:
            self.all.append(told)

    hook = Posted()
    notices = Notices(lambda line: None, hook)
    notices.warn("gas", "low")
    notices.warn("gas", "low")
    notices.tell("a file")
    assert hook.all == [{"cause": "gas", "text": "low"}, {"cause": "", "text": "a file"}]
