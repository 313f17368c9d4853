"""The views: T-TIME-1 to T-TIME-11, T-PARTY-18, T-BID-4, T-QUO-7, T-QUO-8, T-QUO-16, T-BID-16, T-REG-7."""

from __future__ import annotations

import random
from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.support.stage import Stage
from wattproof.market.deployment import Tariff, deploy_market
from wattproof.terms.model import Phase

ZERO = "0x" + "00" * 20
LARGEST = 2**256 - 1

BIDDING, REVEALING, MATCHING, DELIVERING, METERING, SETTLING, CLOSING = Phase


@pytest.fixture(scope="module")
def market_with(stage: Stage) -> Any:
    """Markets by their period length and window, each deployed once."""
    markets: dict[tuple[int, int], Any] = {}

    def market(period_length: int, window: int) -> Any:
        if (period_length, window) not in markets:
            tariff = Tariff(sbp=60, ssp=180, service_fee=2, period_length=period_length, window=window)
            markets[period_length, window] = deploy_market(stage.token.address, stage.supplier, tariff)
        return markets[period_length, window]

    for frame in FRAMES:
        market(*frame)
    return market


# ---- phase ------------------------------------------------------------------------------------

HALF_HOUR = (1_800, 600)
SHORTEST = (1, 1)
WIDE = (10, 1_000)
LONGEST_PERIOD = (LARGEST, 1)
LONGEST_WINDOW = (1, LARGEST)
BOTH_LONGEST = (LARGEST, LARGEST)
HALF_OF_TIME = (1, 2**255)
QUARTER_OF_TIME = (1, 2**254)
TWO_SECONDS = (2, 1)
FRAMES = [
    HALF_HOUR,
    SHORTEST,
    WIDE,
    LONGEST_PERIOD,
    LONGEST_WINDOW,
    BOTH_LONGEST,
    HALF_OF_TIME,
    QUARTER_OF_TIME,
    TWO_SECONDS,
]


@pytest.mark.parametrize(
    ("frame", "period", "edges"),
    [
        # Period 1 000 000 of 1800 s starts at 1 800 000 000; windows of 600 s.
        pytest.param(
            HALF_HOUR,
            1_000_000,
            [1_799_998_800, 1_799_999_400, 1_800_000_000, 1_800_001_800, 1_800_002_400, 1_800_003_000],
            id="half an hour",
        ),
        pytest.param(SHORTEST, 1_000, [998, 999, 1_000, 1_001, 1_002, 1_003], id="a second and a second"),
        # Windows a hundred times as long as a period: 2000 s before 10 000 until 2000 s after 10 010.
        pytest.param(WIDE, 1_000, [8_000, 9_000, 10_000, 10_010, 11_010, 12_010], id="windows longer than periods"),
        pytest.param(TWO_SECONDS, 50, [98, 99, 100, 102, 103, 104], id="two seconds and one"),
        # Period 1 of 1800 s starts at 1800, period 2 of 1 s at 2: BIDDING ends right after the beginning of time.
        pytest.param(HALF_HOUR, 1, [600, 1_200, 1_800, 3_600, 4_200, 4_800], id="near the beginning of time"),
        pytest.param(SHORTEST, 3, [1, 2, 3, 4, 5, 6], id="third second of time"),
    ],
)
def test_tells_the_phase_at_every_edge(market_with: Any, frame: tuple[int, int], period: int, edges: list[int]) -> None:
    """T-TIME-2 to T-TIME-9: the last second before each edge belongs to the phase before, the edge to the next."""
    market = market_with(*frame)

    for edge, before, after in zip(edges, list(Phase)[:-1], list(Phase)[1:], strict=True):
        boa.env.timestamp = edge - 1
        assert market.phase(period) == before, f"at {edge} - 1"
        boa.env.timestamp = edge
        assert market.phase(period) == after, f"at {edge}"
    boa.env.timestamp = edges[-1] + 10**9
    assert market.phase(period) == CLOSING


def test_passes_the_periods_one_after_the_other(market_with: Any) -> None:
    """T-TIME-1, T-TIME-9: at one second, every period in its own phase; 1 800 000 000 is the start of 1 000 000."""
    market = market_with(*HALF_HOUR)
    boa.env.timestamp = 1_800_000_000

    phases = {period - 1_000_000: Phase(market.phase(period)).name for period in range(999_996, 1_000_004)}

    assert phases == {
        -4: "CLOSING",  # ended 5400 s ago
        -3: "CLOSING",  # ended 3600 s ago
        -2: "CLOSING",  # ended 1800 s ago
        -1: "METERING",  # ends now
        0: "DELIVERING",  # starts now
        1: "BIDDING",  # starts in 1800 s
        2: "BIDDING",
        3: "BIDDING",
    }


@pytest.mark.parametrize(
    ("frame", "now", "period", "phase"),
    [
        # Before its time: start - 2W, or start - W, lies before second 0, so that the phase is empty (T-TIME-11).
        pytest.param(HALF_HOUR, 1, 0, DELIVERING, id="period 0 has no phase before"),
        pytest.param(WIDE, 1, 0, DELIVERING, id="period 0 with wide windows"),
        pytest.param(WIDE, 10, 0, METERING, id="period 0 ends at 10"),
        pytest.param(WIDE, 10, 101, MATCHING, id="starts in 1000 s"),
        pytest.param(WIDE, 10, 102, REVEALING, id="starts in 1010 s"),
        pytest.param(WIDE, 10, 201, REVEALING, id="starts in 2000 s"),
        pytest.param(WIDE, 10, 202, BIDDING, id="starts in 2010 s"),
        # Periods as long as time: the first runs for ever, the second starts at its end.
        pytest.param(LONGEST_PERIOD, 10**9, 0, DELIVERING, id="longest period, 0"),
        pytest.param(LONGEST_PERIOD, 10**9, 1, BIDDING, id="longest period, 1"),
        pytest.param(LONGEST_PERIOD, 10**9, 2, BIDDING, id="longest period, 2 would start beyond time"),
        pytest.param(LONGEST_PERIOD, 10**9, LARGEST, BIDDING, id="longest period, largest number"),
        # Windows as long as time: everything ahead is in MATCHING, everything past in METERING.
        pytest.param(LONGEST_WINDOW, 10**9, 10**9, DELIVERING, id="longest window, now"),
        pytest.param(LONGEST_WINDOW, 10**9, 10**9 + 1, MATCHING, id="longest window, a second ahead"),
        pytest.param(LONGEST_WINDOW, 10**9, LARGEST, MATCHING, id="longest window, as far ahead as can be"),
        pytest.param(LONGEST_WINDOW, 10**9, 10**9 - 1, METERING, id="longest window, a second past"),
        pytest.param(LONGEST_WINDOW, 10**9, 0, METERING, id="longest window, as far past as can be"),
        pytest.param(BOTH_LONGEST, 10**9, 0, DELIVERING, id="both longest, 0"),
        pytest.param(BOTH_LONGEST, 10**9, 1, MATCHING, id="both longest, 1"),
        pytest.param(BOTH_LONGEST, 10**9, 2, BIDDING, id="both longest, 2 would start beyond time"),
        # 2W = 2**256 does not fit; at 10 s, 10 + 2**255 is W ahead and one more second opens REVEALING.
        pytest.param(HALF_OF_TIME, 10, 10 + 2**255, MATCHING, id="W of half of time, W ahead"),
        pytest.param(HALF_OF_TIME, 10, 11 + 2**255, REVEALING, id="W of half of time, W and a second ahead"),
        pytest.param(HALF_OF_TIME, 10, LARGEST, REVEALING, id="W of half of time, as far ahead as can be"),
        pytest.param(HALF_OF_TIME, 10, 0, METERING, id="W of half of time, past"),
        # 2W = 2**255.
        pytest.param(QUARTER_OF_TIME, 10, 10 + 2**254, MATCHING, id="W of a quarter of time, W ahead"),
        pytest.param(QUARTER_OF_TIME, 10, 10 + 2**255, REVEALING, id="W of a quarter of time, 2W ahead"),
        pytest.param(QUARTER_OF_TIME, 10, 11 + 2**255, BIDDING, id="W of a quarter of time, 2W and a second ahead"),
        pytest.param(QUARTER_OF_TIME, 10, LARGEST, BIDDING, id="W of a quarter of time, as far ahead as can be"),
        # The last period that starts within time, and those whose start modulo 2**256 would be 0, 2 and 2**256 - 2.
        pytest.param(SHORTEST, 10, LARGEST, BIDDING, id="last second of time"),
        pytest.param(TWO_SECONDS, 10**6, 2**255 - 1, BIDDING, id="last start within time"),
        pytest.param(TWO_SECONDS, 10**6, 2**255, BIDDING, id="start at the end of time"),
        pytest.param(TWO_SECONDS, 10**6, 2**255 + 1, BIDDING, id="start 2 s beyond time"),
        pytest.param(TWO_SECONDS, 10**6, LARGEST, BIDDING, id="start twice beyond time"),
        # 2**256 leaves 736 modulo 1800: the last start is 736 s before the end of time, the next 1064 s beyond it.
        pytest.param(HALF_HOUR, 10**9, 2**256 // 1800, BIDDING, id="last half-hour within time"),
        pytest.param(HALF_HOUR, 10**9, 2**256 // 1800 + 1, BIDDING, id="first half-hour beyond time"),
    ],
)
def test_tells_the_phase_at_the_ends_of_time(
    market_with: Any, frame: tuple[int, int], now: int, period: int, phase: Phase
) -> None:
    """T-TIME-10, T-TIME-11: no length of L or W and no number of a period makes the question fail."""
    market = market_with(*frame)
    boa.env.timestamp = now

    assert market.phase(period) == phase


# ---- seal_of ------------------------------------------------------------------------------------


def seal(*fields: Any) -> bytes:
    """T-BID-4, computed by eth-abi."""
    return keccak(encode(["uint256", "address", "uint256", "address", "uint256", "uint256", "bytes32"], fields))


@pytest.mark.parametrize("number", range(4))
def test_seals_as_the_terms_say(stage: Stage, number: int) -> None:
    """T-BID-4: for fields at random; the quote need not exist."""
    chance = random.Random(number)
    quote_id, price, volume = (chance.getrandbits(256) for _ in range(3))
    bidder, salt = str(boa.env.generate_address()), chance.randbytes(32)

    sealed = stage.market.seal_of(quote_id, bidder, price, volume, salt)

    assert sealed == seal(boa.env.evm.patch.chain_id, stage.market.address, quote_id, bidder, price, volume, salt)


def test_seals_at_the_ends_of_every_range(stage: Stage) -> None:
    """T-BID-4: all zero and all ones."""
    chain_id, market = boa.env.evm.patch.chain_id, stage.market.address
    last = "0x" + "ff" * 20

    assert stage.market.seal_of(0, ZERO, 0, 0, bytes(32)) == seal(chain_id, market, 0, ZERO, 0, 0, bytes(32))
    assert stage.market.seal_of(LARGEST, last, LARGEST, LARGEST, b"\xff" * 32) == seal(
        chain_id, market, LARGEST, last, LARGEST, LARGEST, b"\xff" * 32
    )


def test_seals_differently_on_another_chain(stage: Stage) -> None:
    """T-BID-4: the chain's number is asked when the seal is computed, so that a fork of the chain has other seals."""
    patch = boa.env.evm.patch
    here = patch.chain_id
    try:
        patch.chain_id = here + 1
        there = stage.market.seal_of(1, stage.stranger, 100, 10, bytes(32))
    finally:
        patch.chain_id = here

    assert there == seal(here + 1, stage.market.address, 1, stage.stranger, 100, 10, bytes(32))
    assert there != stage.market.seal_of(1, stage.stranger, 100, 10, bytes(32))


# ---- eip712Domain ---------------------------------------------------------------------------------


def test_names_the_domain_of_the_meters_messages(stage: Stage) -> None:
    """T-REG-7, EIP-5267: name, version, chain and market (0x0f), without salt or extensions."""
    assert tuple(stage.market.eip712Domain()) == (
        b"\x0f",
        "Wattproof",
        "1",
        boa.env.evm.patch.chain_id,
        stage.market.address,
        bytes(32),
        [],
    )


# ---- what is not there ------------------------------------------------------------------------------


@pytest.mark.parametrize("quote_id", [0, 2, LARGEST], ids=["0", "one beyond", "largest number"])
def test_knows_no_quote_but_those_submitted(stage: Stage, quote_id: int) -> None:
    """T-QUO-7, T-BID-7, T-PARTY-18: all zero, and never refused."""
    stage.bid(stage.quote(), stage.consumer, 100, 1_000)

    assert tuple(stage.market.quote(quote_id)) == (ZERO, 0, 0, 0, 0, 0, 0)
    assert tuple(stage.market.bid(quote_id, stage.consumer.address)) == (bytes(32), 0, 0, 0, 0)
    assert stage.market.trades(quote_id) == []
    assert stage.market.remaining(quote_id) == 0


@pytest.mark.parametrize("period", [0, LARGEST], ids=["0", "largest number"])
def test_knows_nothing_of_strangers_and_other_periods(stage: Stage, period: int) -> None:
    """T-PARTY-18: accounts, bids, positions and readings of nobody are all zero."""
    quote_id = stage.quote()

    for who in (stage.stranger, ZERO, stage.prosumer.meter.address, stage.market.address):
        assert tuple(stage.market.account(who)) == (bytes(32), ZERO, False, 0, 0, 0, 0, 0, 0, 0, 0)
        assert tuple(stage.market.bid(quote_id, who)) == (bytes(32), 0, 0, 0, 0)
        assert tuple(stage.market.position(who, stage.period)) == (0, 0, 0, 0, 0, False)
        assert tuple(stage.market.reading(who, stage.period)) == (False, 0, 0)
        assert stage.market.quote_of(who, stage.period) == 0
    assert tuple(stage.market.position(stage.prosumer.address, period)) == (0, 0, 0, 0, 0, False)
    assert tuple(stage.market.reading(stage.prosumer.address, period)) == (False, 0, 0)
    assert stage.market.quote_of(stage.prosumer.address, period) == 0
    assert (stage.market.supply(period), stage.market.demand(period)) == (0, 0)


# ---- supply, demand, numbers --------------------------------------------------------------------------


def test_keeps_supply_and_demand_through_a_whole_history(stage: Stage) -> None:
    """T-QUO-8, T-QUO-16, T-BID-16: what was offered and wanted stays, whatever came of it.

    1000 + 500 + 200 Wh are quoted, 200 withdrawn; 700 and 900 Wh wanted, 50 of which on the second quote.
    """
    market, period = stage.market, stage.period
    ratios = []

    def note() -> None:
        ratios.append((market.quote_count(), market.supply(period), market.demand(period)))

    note()
    first = stage.quote(1_000, 100)
    second = stage.quote(500, 100, prosumer=stage.neighbour)
    third = stage.quote(200, 100, prosumer=stage.consumer)
    note()
    market.invalidate_quote(third, sender=stage.consumer.address)
    note()
    buyer = stage.household("buyer")
    stage.bid(first, stage.consumer, 120, 700)
    stage.bid(first, buyer, 110, 900)
    stage.bid(second, buyer, 100, 50)
    note()
    stage.to("REVEALING")
    stage.reveal(first, stage.consumer, 120, 700)
    note()
    stage.reveal(first, buyer, 110, 900)
    stage.reveal(second, buyer, 100, 50)
    note()
    stage.to("MATCHING")
    market.match_bids(first)
    market.match_bids(second)
    market.buy_surplus(second, 100, sender=buyer.address)
    note()
    stage.to("CLOSING")
    market.settle_quote(first)
    market.settle_quote(second)
    note()

    assert ratios == [
        (0, 0, 0),
        (3, 1_700, 0),
        (3, 1_500, 0),
        (3, 1_500, 0),
        (3, 1_500, 700),
        (3, 1_500, 1_650),
        (3, 1_500, 1_650),
        (3, 1_500, 1_650),
    ]
    assert [market.quote_of(who.address, period) for who in (stage.prosumer, stage.neighbour, stage.consumer)] == [
        first,
        second,
        third,
    ]
    assert (market.supply(period + 1), market.demand(period + 1)) == (0, 0)


def test_looking_changes_nothing(stage: Stage) -> None:
    """T-PARTY-18: every view can be asked from a context in which nothing may change."""
    quote_id = stage.quote()
    fillers = {"address": stage.prosumer.address, "uint256": quote_id, "bytes32": bytes(32)}
    fillers |= {"address[]": [stage.prosumer.address], "uint256[]": [quote_id], "tuple[]": [(stage.owner, quote_id)]}
    token = _static_caller()

    for contract, count in ((stage.market, 6), (stage.market.lens, 27)):
        views = [entry for entry in contract.abi if entry.get("stateMutability") in ("view", "pure")]
        for entry in views:
            arguments = [fillers[argument["type"]] for argument in entry["inputs"]]
            calldata = getattr(contract, entry["name"]).prepare_calldata(*arguments)
            assert token.look(contract.address, calldata) is True, entry["name"]
        assert len(views) == count


def _static_caller() -> Any:
    """A contract that can look and do no more."""
    return boa.loads(
        """
# pragma version 0.4.3

@external
@view
def look(target: address, data: Bytes[1024]) -> bool:
    success: bool = False
    answer: Bytes[1024] = b""
    success, answer = raw_call(target, data, max_outsize=1024, is_static_call=True, revert_on_failure=False)
    return success
"""
    )
