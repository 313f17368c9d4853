"""What a household plans, from what it knows alone; the files that it reads; what it writes down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from wattproof.agents.facts import Facts
from wattproof.agents.household.command import BadAmount, base_units, read_profile
from wattproof.agents.household.decisions import (
    ASKED,
    OPEN,
    TOLD,
    WAITING,
    Bid,
    Decisions,
    Withdrawal,
    request_withdrawal,
)
from wattproof.agents.household.plan import View, decide, needed, plan, unmeasured
from wattproof.agents.household.tables import BadTable, Forecast, Measured, Table, read_forecasts, read_measured
from wattproof.agents.journal import Journal
from wattproof.agents.problems import AgentProblem
from wattproof.agents.readings import SignedReading
from wattproof.market.clock import Clock
from wattproof.market.seals import seal_of
from wattproof.market.tariff import PAPER
from wattproof.market.tokens import Token
from wattproof.terms.model import AccountView, Phase

CLOCK = Clock(1_800, 600)
PERIOD = 1_000
ME, ANN, BOB = (to_checksum_address(f"0x{letter * 40}") for letter in "1ab")
MARKET = to_checksum_address("0x" + "9" * 40)
WATT = Token("0x" + "7" * 40, "WATT", 18)
REVEALING = CLOCK.begins(Phase.REVEALING, PERIOD)
RICH = 10**21


def account(**changes: Any) -> AccountView:
    known = AccountView(bytes(32), ANN, True, RICH, 0, 0, 0, 0, 0, 0, 11_500)
    return known._replace(**changes)


def view(facts: Facts, now: int, net: int = 0, **changes: Any) -> View:
    forecast = Forecast(max(0, -net), max(0, net), 2_000, 3_000)
    known: dict[str, Any] = {
        **{"facts": facts, "clock": CLOCK, "tariff": PAPER, "token": WATT, "chain": 7, "market": MARKET},
        **{"me": ME, "now": now},
        **{"account": account(), "tokens": RICH, "allowed": 0, "keep": RICH, "forecasts": {PERIOD: forecast}},
    }
    return View(**known | changes)


def planned(*arguments: Any, **changes: Any) -> list[tuple]:
    return [(call.function, *call.arguments) for call in plan(view(*arguments, **changes))]


def facts(*quotes: tuple[str, int, int]) -> Facts:
    """Quotes of the period: prosumer, volume, and price above the lowest."""
    found = Facts()
    for number, (prosumer, volume, above) in enumerate(quotes, start=1):
        fields = {"prosumer": prosumer, "period": PERIOD, "volume": volume, "price": PAPER.lowest_price + above}
        found.enter(number, "QuoteSubmitted", {"quote_id": number} | fields)
    return found


def happened(found: Facts, *events: tuple[str, Mapping[str, Any]]) -> Facts:
    for name, fields in events:
        found.enter(50, name, dict(fields))
    return found


# ---- quoting and bidding -----------------------------------------------------------------


def test_a_surplus_is_quoted_two_windows_before_revealing_and_once() -> None:
    assert planned(Facts(), REVEALING - 1_201, 900) == []
    ((function, period, volume, price),) = planned(Facts(), REVEALING - 1_200, 900)
    assert (function, period, volume) == ("submit_quote", PERIOD, 900)
    assert PAPER.lowest_price <= price <= PAPER.highest_price
    assert planned(facts((ME, 900, 0)), REVEALING - 1_200, 900) == []
    assert planned(Facts(), REVEALING, 900) == []


def test_nothing_beyond_the_connection_is_quoted_or_bid() -> None:
    small = account(capacity=100)
    assert planned(Facts(), REVEALING - 1, 900, account=small)[0][2] == 100
    bids = decide(view(facts((ANN, 2_000, 0)), REVEALING - 1, -900, account=small), PERIOD)
    assert [volume for _, _, volume in bids or []] == [100]


def test_what_was_taken_back_is_not_quoted_again() -> None:
    found = happened(facts((ME, 900, 0)), ("QuoteInvalidated", {"quote_id": 1}))
    assert planned(found, REVEALING - 1, 900) == []


def test_a_deficit_is_spread_over_the_quotes_of_others() -> None:
    found = facts((ANN, 2_000, 0), (BOB, 1_000, 10**13), (ME, 50, 0))
    assert decide(view(found, REVEALING - 601, -900), PERIOD) is None, "forecasts get better until then"
    bids = decide(view(found, REVEALING - 600, -900), PERIOD)
    assert bids is not None
    assert {number: volume for number, _, volume in bids} == {1: 600, 2: 300}
    lowest = {1: PAPER.lowest_price, 2: PAPER.lowest_price + 10**13}
    assert all(lowest[number] <= price <= PAPER.highest_price for number, price, _ in bids)


def test_nothing_is_decided_before_somebody_quotes_or_without_leave() -> None:
    assert decide(view(Facts(), REVEALING - 1, -900), PERIOD) is None
    assert decide(view(facts((ANN, 1, 0)), REVEALING - 1, -900, account=account(authorized=False)), PERIOD) is None


BID = Bid(1, PERIOD, PAPER.lowest_price, 600, b"s" * 32)


def test_a_bid_is_sealed_once_and_opened_once() -> None:
    found = facts((ANN, 2_000, 0))
    seal = seal_of(7, MARKET, 1, ME, BID.price, 600, BID.salt)
    assert planned(found, REVEALING - 1, -600, bids={1: BID}) == [("submit_bid", 1, seal)]
    happened(found, ("BidSealed", {"quote_id": 1, "bidder": ME, "seal": seal}))
    assert planned(found, REVEALING - 1, -600, bids={1: BID}) == []
    opening = ("reveal_bid", 1, BID.price, 600, BID.salt)
    assert planned(found, REVEALING, -600, bids={1: BID}) == [opening]
    happened(found, ("BidRevealed", {"quote_id": 1, "bidder": ME, "price": BID.price, "volume": 600}))
    assert planned(found, REVEALING, -600, bids={1: BID}) == []


def test_a_salt_is_shown_by_nothing() -> None:
    assert "ssss" not in repr(BID) and BID.salt.hex() not in repr(BID)


# ---- buying ------------------------------------------------------------------------------

MATCHING = CLOCK.begins(Phase.MATCHING, PERIOD)
OPENED = ("BidRevealed", {"quote_id": 1, "bidder": ME, "price": BID.price, "volume": 600})
MATCHED = ("QuoteMatched", {"quote_id": 1, "sold": 0})
LOST = ("BidRejected", {"quote_id": 1, "bidder": ME})


def test_what_is_left_is_bought_when_the_own_bids_are_decided() -> None:
    found = happened(facts((ANN, 2_000, 0), (BOB, 1_000, 10**13)), OPENED, ("QuoteMatched", {"quote_id": 2, "sold": 0}))
    assert planned(found, MATCHING, -900) == [], "quote 1 is not matched yet"
    happened(found, LOST, MATCHED)
    assert planned(found, MATCHING, -900) == [("buy_surplus", 1, 900)], "the cheapest"
    assert planned(found, MATCHING, -900, live=frozenset({f"buy {PERIOD} 600"})) == [], "one after the other"
    happened(found, ("SurplusBought", {"quote_id": 1, "buyer": ME, "volume": 900}))
    assert planned(found, MATCHING, -900) == []


def test_it_has_its_quotes_matched_itself_where_nobody_does() -> None:
    found = happened(facts((ANN, 2_000, 0)), OPENED)
    assert planned(found, MATCHING + 299, -900) == []
    assert planned(found, MATCHING + 300, -900) == [("match_bids", 1)]


def test_it_buys_no_more_than_its_connection_carries() -> None:
    found = happened(facts((ANN, 2_000, 0)), OPENED, LOST, MATCHED)
    small = account(capacity=1_000)
    assert planned(found, MATCHING, -900, account=small) == [("buy_surplus", 1, 400)], "the bid that lost counts, too"


def test_in_metering_it_buys_what_its_meter_counted() -> None:
    metering = CLOCK.begins(Phase.METERING, PERIOD)
    found = happened(facts((ANN, 2_000, 0)), MATCHED)
    counted = {"measured": {PERIOD: Measured(0, 700)}}
    assert planned(found, metering, -900, **counted) == [], "the seller's reading is not in"
    happened(found, ("ReadingSubmitted", {"user": ANN, "period": PERIOD, "exported": 500, "imported": 0}))
    assert planned(found, metering, -900, **counted) == [("buy_surplus", 1, 500)]
    assert planned(found, metering, -900) == [], "its own meter has not said anything"


def test_its_reading_is_handed_in_where_nobody_has_in_time() -> None:
    metering = CLOCK.begins(Phase.METERING, PERIOD)
    readings = {PERIOD: SignedReading(7, MARKET, ME, PERIOD, 5, 0, b"signed")}
    assert planned(Facts(), metering + 299, readings=readings) == []
    assert planned(Facts(), metering + 300, readings=readings) == [("submit_reading", ME, PERIOD, 5, 0, b"signed")]
    read = happened(Facts(), ("ReadingSubmitted", {"user": ME, "period": PERIOD, "exported": 5, "imported": 0}))
    assert planned(read, metering + 300, readings=readings) == []
    assert planned(Facts(), metering + 600, readings=readings) == []


def test_who_traded_and_has_counted_nothing_is_told_half_a_window_before_metering_ends() -> None:
    half = CLOCK.begins(Phase.METERING, PERIOD) + 300
    readings = {PERIOD: SignedReading(7, MARKET, ME, PERIOD, 5, 0, b"signed")}
    found = facts((ME, 900, 0), (ANN, 900, 0))
    assert unmeasured(view(found, half)) == [PERIOD]
    assert unmeasured(view(found, half - 1)) == unmeasured(view(found, half + 300)) == []
    assert unmeasured(view(found, half, readings=readings)) == unmeasured(view(facts((ANN, 9, 0)), half)) == []
    happened(found, ("ReadingSubmitted", {"user": ME, "period": PERIOD, "exported": 5, "imported": 0}))
    assert unmeasured(view(found, half)) == [], "somebody has handed it in"


SETTLED = ("QuoteSettled", {"quote_id": 1, "delivered": 0, "revenue": 0, "fee": 0, "compensation": 0})
PAID = ("AccountSettled", {"user": ME, "period": PERIOD, "amount": 0, "cleared": 0})
REVOKED = ("Revoked", {"user": ME})


@pytest.mark.parametrize("settled", [SETTLED, PAID])
def test_which_silence_cost_the_authorisation_is_known(settled: tuple[str, dict]) -> None:
    cleared = ("Cleared", {"user": ME, "amount": -5})
    between = [cleared] if settled is PAID else []
    found = happened(facts((ME, 900, 0)), REVOKED, *between, settled)
    assert found.silent == {ME: PERIOD}
    assert happened(found, ("Authorized", {"user": ME, "capacity": 5})).silent == {}
    assert happened(facts((ME, 900, 0)), settled, REVOKED).silent == {}, "the owner revoked it"
    read = ("ReadingSubmitted", {"user": ME, "period": PERIOD, "exported": 5, "imported": 0})
    assert happened(facts((ME, 900, 0)), read, REVOKED, settled).silent == {}, "so it did here"


def test_what_others_leave_undone_it_does_itself() -> None:
    closing = CLOCK.begins(Phase.CLOSING, PERIOD)
    found = facts((ME, 900, 0), (ANN, 900, 0))
    assert planned(found, closing + 599) == []
    assert planned(found, closing + 600) == [("match_bids", 1)], "and nothing of others"
    happened(found, MATCHED)
    assert planned(found, closing + 600) == [("settle_quote", 1)]
    happened(found, ("ReadingSubmitted", {"user": ME, "period": PERIOD, "exported": 5, "imported": 0}))
    settled = {"quote_id": 1, "delivered": 0, "revenue": 0, "fee": 0, "compensation": 0}
    happened(found, ("QuoteSettled", settled))
    assert planned(found, closing + 600) == [("settle_accounts", PERIOD, (ME,))]


# ---- money -------------------------------------------------------------------------------


def test_money_is_approved_then_deposited_up_to_what_is_kept() -> None:
    poor = account(balance=5)
    known = view(Facts(), REVEALING - 1, -900, account=poor, keep=10**18)
    assert needed(known) == 900 * PAPER.ssp
    assert planned(Facts(), REVEALING - 1, -900, account=poor, keep=10**18) == [("approve", MARKET, 10**18 - 5)]
    allowed = {"account": poor, "keep": 10**18, "allowed": RICH}
    assert planned(Facts(), REVEALING - 1, -900, **allowed) == [("deposit", 10**18 - 5)]
    assert planned(Facts(), REVEALING - 1, -900, **allowed | {"tokens": 7}) == [("deposit", 7)]
    assert planned(Facts(), REVEALING - 1, -900, **allowed | {"tokens": 0}) == []


def test_amounts_are_told_in_the_tokens_unit() -> None:
    poor = account(balance=0)
    known = {"account": poor, "keep": 18 * 10**17}
    said = [
        call.label
        for more in ({}, {"allowed": RICH}, {"withdrawals": (Withdrawal(1, 5 * 10**17, OPEN),)})
        for call in plan(view(Facts(), REVEALING - 1, -900, **known | more))
    ]
    assert said == ["let the market take 1.8 WATT", "deposit 1.8 WATT", "withdraw 0.5 WATT"]


def test_no_more_is_kept_than_was_said() -> None:
    little = account(balance=100)
    assert planned(Facts(), REVEALING - 1, -900, account=little, keep=100, allowed=RICH) == []


def test_arrears_are_paid_before_anything_else() -> None:
    owing = account(balance=0, grid_account=-50)
    calls = planned(facts((ANN, 2_000, 0)), REVEALING - 1, 0, account=owing, allowed=RICH, keep=60)
    assert calls == [("deposit", 60)]
    assert planned(Facts(), REVEALING - 1, 900, account=account(grid_account=-50)) == [], "who is in arrears waits"


def test_what_is_asked_for_is_withdrawn_and_not_deposited_again() -> None:
    wanted = (Withdrawal(1, 70, OPEN),)
    calls = planned(Facts(), REVEALING - 1, -900, account=account(balance=0), allowed=RICH, withdrawals=wanted)
    assert calls == [("withdraw", 70)]


def test_a_decision_stands(tmp_path: Path) -> None:
    with Journal(tmp_path, "mine") as journal:
        decisions = Decisions(journal)
        decisions.decide(PERIOD, [(1, 5, 6), (2, 7, 8)])
        first = decisions.bids(PERIOD)
    with Journal(tmp_path, "mine") as journal:
        decisions = Decisions(journal)
        assert decisions.is_decided(PERIOD) and not decisions.is_decided(PERIOD + 1)
        decisions.decide(PERIOD, [(1, 99, 99)])
        assert decisions.bids(PERIOD) == first
        assert len({bid.salt for bid in first.values()}) == 2 and all(len(bid.salt) == 32 for bid in first.values())


def test_a_withdrawal_is_asked_for_once_until_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(AgentProblem, match="no agent's state"):
        request_withdrawal(tmp_path, 5)
    with Journal(tmp_path, "mine") as journal:
        decisions = Decisions(journal)
        for _ in range(2):
            request_withdrawal(tmp_path, 5)
        (wanted,) = decisions.withdrawals(OPEN)
        assert wanted.amount == 5
        decisions.mark(wanted, TOLD)
        request_withdrawal(tmp_path, 5)
        assert len(decisions.withdrawals(OPEN, TOLD)) == 2


def test_what_a_running_agent_was_asked_for_is_answered_by_it(tmp_path: Path) -> None:
    with Journal(tmp_path, "mine") as journal:
        decisions = Decisions(journal)
        for _ in range(2):
            request_withdrawal(tmp_path, 5, ASKED)
        (wanted,) = decisions.withdrawals(*WAITING)
        request_withdrawal(tmp_path, 5)
        assert decisions.withdrawals(*WAITING) == [Withdrawal(wanted.id, 5, OPEN)], "the agent was ended before"
        decisions.mark(wanted, TOLD)
        request_withdrawal(tmp_path, 5, ASKED)
        assert len(decisions.withdrawals(ASKED)) == 1, "another day it is another request"


# ---- files -------------------------------------------------------------------------------

HEADER = "period,forecast_load_wh,forecast_pv_wh"


def test_a_period_is_its_number_or_its_start(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(f"{HEADER}\n1000,5,6\n1970-01-21T20:30:00Z,7,8\n1970-01-21T22:00+01:00,9,1\n")
    assert read_forecasts(path, 1_800) == {1000: Forecast(5, 6), 1001: Forecast(7, 8), 1002: Forecast(9, 1)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the columns are"),
        ("period,load\n", "line 1: the columns are"),
        (HEADER.replace(",", ";") + "\n1;2;3\n", "; separate them with commas$"),
        (HEADER.replace(",", "\t") + "\n1\t2\t3\n", "; separate them with commas$"),
        (f"{HEADER}\n1,2\n", "line 2: has 2 fields"),
        (f"{HEADER}\n1,2,0.5\n", "line 2: forecast_pv_wh is '0.5'"),
        (f"{HEADER}\n1,2,-3\n", "line 2: forecast_pv_wh is '-3'"),
        (f"{HEADER}\n1,2,3\n1,2,3\n", "line 3: period 1 stands in an earlier line"),
        (f"{HEADER}\n1970-01-21T20:30:00,2,3\n", "is no period"),
        (f"{HEADER}\n1970-01-21T20:30:01Z,2,3\n", "no period starts at"),
        (f"{HEADER}\nnoon,2,3\n", "is no period"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(text)
    with pytest.raises(BadTable, match=said):
        read_forecasts(path, 1_800)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_to_be_saved_anew(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(f"{HEADER}\nMöwe,2,3\n", encoding=encoding)
    with pytest.raises(BadTable, match=r"is no UTF-8 text: save it as CSV UTF-8$"):
        read_forecasts(path, 1_800)


def test_a_file_may_grow_and_what_was_read_stays(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("period,exported_wh,imported_wh\n1,0,5\n2,0,")
    table = Table(path, 1_800, read_measured)
    assert table.rows == {1: Measured(0, 5)}, "the last line is being written"
    path.write_text("period,exported_wh,imported_wh\n1,0,5\n2,0,77\n")
    assert table.look() and not table.look()
    assert table.rows[2] == Measured(0, 77)
    path.write_text("rubbish\n")
    with pytest.raises(BadTable):
        table.look()
    assert table.rows[2] == Measured(0, 77)


def test_a_profile_is_what_sha256sum_writes(tmp_path: Path) -> None:
    path = tmp_path / "profile"
    path.write_text("ab" * 32 + "  salted.txt\n")
    assert read_profile(path) == bytes.fromhex("ab" * 32)
    path.write_text("ab" * 33)
    with pytest.raises(AgentProblem, match="no commitment"):
        read_profile(path)


class Coin:
    token_decimals, token_symbol = 18, "WATT"


def test_amounts_are_exact() -> None:
    assert base_units("1.5", Coin()) == 15 * 10**17  # type: ignore[arg-type]
    assert base_units("12345678901234567890.000000000000000001", Coin()) == 12345678901234567890 * 10**18 + 1  # type: ignore[arg-type]
    for text in ("", "-1", "1e3", "1/3", "0." + "0" * 18 + "1", "nan", "１"):
        with pytest.raises(BadAmount):
            base_units(text, Coin())  # type: ignore[arg-type]
