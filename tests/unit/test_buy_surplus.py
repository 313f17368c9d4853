"""`buy_surplus` and `remaining`: T-SUR-1 to T-SUR-10, T-ACC-5, T-ACC-10, T-ACC-11, T-REG-15, T-REG-16.

The stage's fee is 2, so that a purchase of `volume` at the quote's price of 100 reserves `volume * 102`.
"""

from __future__ import annotations

from dataclasses import dataclass

import boa
import pytest

from tests.support.stage import FUNDS, NOON, Stage

MATCHED, SETTLED = 4, 8


def partly_sold(stage: Stage) -> int:
    """A quote of 1000 Wh at 100 of which the consumer won 400 Wh at 140; in the first second of MATCHING."""
    quote_id = stage.quote(volume=1000, price=100)
    stage.auction(quote_id, (stage.consumer, 140, 400))
    return quote_id


def in_arrears(stage: Stage) -> str:
    """A household that owes 180 for the stage's period and has no money; in the first second of SETTLING."""
    debtor = stage.household("debtor", funds=0)
    stage.to("METERING")
    stage.read(debtor, exported=0, imported=1)
    stage.to("SETTLING")
    stage.market.settle_account(debtor.address, stage.period, sender=stage.owner)
    assert stage.account(debtor).grid_account == -180
    return debtor.address


# ---- the way it goes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [1, 2, 17, 20])
def test_leaves_a_stake_elsewhere_alone(stage: Stage, waiting: int) -> None:
    """T-ACC-4, T-ACC-5: a bid opened on a quote of the period that is not matched yet keeps the account open.

    Whatever quote is bought from meanwhile, and however much: 20 quotes, and volumes that are their numbers.
    """
    for number in range(1, 21):
        assert stage.quote(50, 100, prosumer=stage.household(f"prosumer {number}")) == number
    stage.bid(waiting, stage.consumer, 100, 10)
    stage.to("REVEALING")
    stage.reveal(waiting, stage.consumer, 100, 10)
    stage.to("MATCHING")
    others = [number for number in range(1, 21) if number != waiting]
    for number in others:
        stage.market.match_bids(number)

    for count, number in enumerate(others, 1):
        with boa.env.anchor():
            stage.market.buy_surplus(number, waiting, sender=stage.consumer.address)
            assert stage.market.position(stage.consumer.address, stage.period).open == count + 1
        stage.market.buy_surplus(number, 21 - count, sender=stage.consumer.address)
        assert stage.market.position(stage.consumer.address, stage.period).open == count + 1

    stage.to("SETTLING")
    for number in others:
        stage.market.settle_quote(number, sender=stage.owner)
    assert stage.market.position(stage.consumer.address, stage.period).open == 1
    with stage.refuses("settlement: quotes still open"):
        stage.market.settle_account(stage.consumer.address, stage.period, sender=stage.owner)


def test_buys_at_the_quotes_price(stage: Stage) -> None:
    """T-SUR-3, T-SUR-4, T-SUR-8: 250 Wh at 100, though the winner pays 140."""
    quote_id = partly_sold(stage)
    assert stage.market.remaining(quote_id) == 600

    stage.market.buy_surplus(quote_id, 250, sender=stage.neighbour.address)

    assert stage.events() == [
        ("SurplusBought", {"quote_id": quote_id, "buyer": stage.neighbour.address, "volume": 250})
    ]
    assert stage.market.trades(quote_id) == [(stage.consumer.address, 400, 140), (stage.neighbour.address, 250, 100)]
    assert stage.market.quote(quote_id).sold == 650
    assert stage.market.quote(quote_id).status == MATCHED
    assert stage.market.remaining(quote_id) == 350
    assert stage.money(stage.neighbour) == (FUNDS - 25_500, 25_500)  # 250 * 102
    assert stage.money(stage.consumer) == (FUNDS - 56_800, 56_800)  # 400 * 142, untouched
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)
    assert stage.market.position(stage.neighbour.address, stage.period) == (250, 250, 0, 0, 1, False)
    # T-QUO-16, T-BID-16: the auction's figures stay.
    assert (stage.market.supply(stage.period), stage.market.demand(stage.period)) == (1000, 400)
    stage.assert_books_balance()


@pytest.mark.parametrize("volume", [1, 599, 600])
def test_any_part_of_what_is_left(stage: Stage, volume: int) -> None:
    """T-SUR-4, T-SUR-5: from one Wh to all of it."""
    quote_id = partly_sold(stage)

    stage.market.buy_surplus(quote_id, volume, sender=stage.neighbour.address)

    assert stage.market.remaining(quote_id) == 600 - volume
    assert stage.market.quote(quote_id).sold == 400 + volume


def test_each_purchase_is_a_trade_of_its_own_but_one_stake(stage: Stage) -> None:
    """T-SUR-9, T-ACC-5: bid and three purchases are four trades and one open quote."""
    quote_id = partly_sold(stage)
    for volume in (100, 1, 99):
        stage.market.buy_surplus(quote_id, volume, sender=stage.consumer.address)

    buyer = stage.consumer.address
    assert stage.market.trades(quote_id) == [(buyer, 400, 140), (buyer, 100, 100), (buyer, 1, 100), (buyer, 99, 100)]
    assert stage.market.position(buyer, stage.period) == (600, 600, 0, 0, 1, False)
    assert stage.money(stage.consumer) == (FUNDS - 77_200, 77_200)  # 56,800 + 200 * 102


def test_one_stake_in_each_quote(stage: Stage) -> None:
    """T-ACC-5: two quotes of one period, two purchases from each: two open quotes."""
    first = stage.quote(volume=1000, price=100)
    second = stage.quote(volume=700, price=90, prosumer=stage.neighbour)
    stage.to("MATCHING")
    for quote_id in (first, second):
        stage.market.match_bids(quote_id)
        stage.market.buy_surplus(quote_id, 10, sender=stage.consumer.address)
        stage.market.buy_surplus(quote_id, 20, sender=stage.consumer.address)

    assert stage.market.position(stage.consumer.address, stage.period) == (60, 60, 0, 0, 2, False)
    assert stage.money(stage.consumer) == (FUNDS - 5_820, 5_820)  # 30 * 102 + 30 * 92


def test_a_loser_of_the_auction_may_buy(stage: Stage) -> None:
    """T-ACC-5: its stake ended with the rejection and begins anew. Excess is what is left for it."""
    quote_id = stage.quote(volume=100, price=100)
    stage.auction(quote_id, (stage.consumer, 140, 100), (stage.neighbour, 100, 50))
    assert stage.market.position(stage.neighbour.address, stage.period).open == 0
    stage.to("METERING")
    stage.read(stage.prosumer, exported=120, imported=0)

    stage.market.buy_surplus(quote_id, 20, sender=stage.neighbour.address)

    assert stage.market.position(stage.neighbour.address, stage.period) == (0, 20, 0, 0, 1, False)


def test_prosumers_buy_from_each_other(stage: Stage) -> None:
    """T-SUR-2 shuts out the quote's own prosumer only; both stakes count."""
    first = stage.quote(volume=1000, price=100)
    second = stage.quote(volume=700, price=90, prosumer=stage.neighbour)
    stage.to("MATCHING")
    stage.market.match_bids(first)
    stage.market.match_bids(second)

    stage.market.buy_surplus(first, 10, sender=stage.neighbour.address)
    stage.market.buy_surplus(second, 20, sender=stage.prosumer.address)

    assert stage.market.position(stage.neighbour.address, stage.period) == (10, 10, 0, 0, 2, False)
    assert stage.market.position(stage.prosumer.address, stage.period) == (20, 20, 0, 0, 2, False)


def test_the_last_base_unit_may_be_reserved(stage: Stage) -> None:
    """T-MON-6: 10 Wh cost 1,020 at most; exactly that is enough."""
    exact = stage.household("exact", funds=1_020)
    quote_id = partly_sold(stage)

    stage.market.buy_surplus(quote_id, 10, sender=exact.address)

    assert stage.money(exact) == (0, 1_020)


def test_the_counterparty_is_not_asked_again(stage: Stage) -> None:
    """T-REG-17: the quote of a prosumer that lost its authorisation stays open to others."""
    quote_id = partly_sold(stage)
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)

    stage.market.buy_surplus(quote_id, 10, sender=stage.neighbour.address)

    assert stage.market.remaining(quote_id) == 590


# ---- when ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edge", "phase", "agreed"),
    [
        pytest.param("to", "MATCHING", 10, id="first second of MATCHING"),
        pytest.param("before", "DELIVERING", 10, id="last second of MATCHING"),
        pytest.param("to", "DELIVERING", 0, id="first second of DELIVERING"),
        pytest.param("before", "METERING", 0, id="last second of DELIVERING"),
        pytest.param("to", "METERING", 0, id="first second of METERING"),
        pytest.param("before", "SETTLING", 0, id="last second of METERING"),
    ],
)
def test_open_from_matching_to_metering(stage: Stage, edge: str, phase: str, agreed: int) -> None:
    """T-SUR-1, T-ACC-11: everything is bought, but agreed is only what was bought before the delivery."""
    quote_id = partly_sold(stage)
    getattr(stage, edge)(phase)

    stage.market.buy_surplus(quote_id, 10, sender=stage.neighbour.address)

    assert stage.market.position(stage.neighbour.address, stage.period) == (agreed, 10, 0, 0, 1, False)


@pytest.mark.parametrize("phase", ["SETTLING", "CLOSING"])
def test_shut_afterwards(stage: Stage, phase: str) -> None:
    """T-SUR-1, T-TIME-9."""
    quote_id = partly_sold(stage)
    stage.to(phase)

    with boa.reverts("clock: wrong phase"):
        stage.market.buy_surplus(quote_id, 10, sender=stage.neighbour.address)

    assert stage.market.quote(quote_id).sold == 400


def test_what_the_late_matching_left_is_not_sold_any_more(stage: Stage) -> None:
    """T-SUR-1: matched in SETTLING, the quote settles as it is."""
    quote_id = stage.quote()
    stage.to("SETTLING")
    stage.market.match_bids(quote_id)
    assert stage.market.remaining(quote_id) == 0

    with boa.reverts("clock: wrong phase"):
        stage.market.buy_surplus(quote_id, 1, sender=stage.neighbour.address)


def test_purchases_across_the_start_add_up(stage: Stage) -> None:
    """T-ACC-10, T-ACC-11: 5 Wh ahead of the delivery and 7 after its beginning: agreed 5 of 12."""
    quote_id = partly_sold(stage)
    stage.market.buy_surplus(quote_id, 5, sender=stage.neighbour.address)
    stage.to("DELIVERING")
    stage.market.buy_surplus(quote_id, 7, sender=stage.neighbour.address)

    assert stage.market.position(stage.neighbour.address, stage.period) == (5, 12, 0, 0, 1, False)


# ---- what is left --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exported", "left"),
    [
        # V = 1000, sold S = 400
        pytest.param(None, 600, id="no reading: V - S"),
        pytest.param(0, 0, id="nothing exported"),
        pytest.param(399, 0, id="below sold"),
        pytest.param(400, 0, id="as much as sold"),
        pytest.param(401, 1, id="one Wh above sold"),
        pytest.param(700, 300, id="between sold and quoted"),
        pytest.param(1000, 600, id="as quoted"),
        pytest.param(1500, 1100, id="above the quote"),
        pytest.param(2**48 - 1, 2**48 - 401, id="as much as a meter can tell"),
    ],
)
def test_the_reading_tells_what_is_left(stage: Stage, exported: int | None, left: int) -> None:
    """T-SUR-5, T-SUR-6: what remains can be bought to the last Wh, and not one more."""
    quote_id = partly_sold(stage)
    rich = stage.household("rich", funds=2**48 * 102)
    stage.to("METERING")
    if exported is not None:
        stage.read(stage.prosumer, exported=exported, imported=0)

    assert stage.market.remaining(quote_id) == left
    with boa.reverts("surplus: not enough left"):
        stage.market.buy_surplus(quote_id, left + 1, sender=rich.address)
    if left:
        stage.market.buy_surplus(quote_id, left, sender=rich.address)
        assert stage.money(rich)[1] == left * 102
    assert stage.market.remaining(quote_id) == 0
    assert stage.market.quote(quote_id).sold == 400 + left
    with boa.reverts("surplus: not enough left"):
        stage.market.buy_surplus(quote_id, 1, sender=rich.address)


def test_a_reading_ends_what_was_sold_on_trust(stage: Stage) -> None:
    """T-SUR-5, T-SUR-6: 300 Wh go before the reading; of the 500 exported 500 - 700 < 0 are left after it."""
    quote_id = partly_sold(stage)
    stage.to("METERING")
    stage.market.buy_surplus(quote_id, 300, sender=stage.neighbour.address)
    stage.read(stage.prosumer, exported=500, imported=0)

    assert stage.market.remaining(quote_id) == 0
    with boa.reverts("surplus: not enough left"):
        stage.market.buy_surplus(quote_id, 1, sender=stage.neighbour.address)


def test_other_readings_do_not_matter(stage: Stage) -> None:
    """T-SUR-5: neither the buyer's reading nor the prosumer's of another period."""
    quote_id = stage.quote(volume=1000, price=100, period=stage.period + 1)
    stage.to("METERING")
    stage.read(stage.prosumer, exported=5, imported=0)
    stage.to("METERING", stage.period + 1)
    stage.market.match_bids(quote_id)
    stage.read(stage.neighbour, exported=7, imported=0, period=stage.period + 1)

    assert stage.market.remaining(quote_id) == 1000


def test_remaining_in_every_state_of_a_quote(stage: Stage) -> None:
    """T-SUR-10: 0 wherever everybody would be refused."""
    assert stage.market.remaining(0) == 0
    assert stage.market.remaining(1) == 0
    quote_id = stage.quote(volume=1000, price=100)
    back = stage.quote(volume=500, price=100, prosumer=stage.neighbour)
    stage.market.invalidate_quote(back, sender=stage.neighbour.address)
    stage.bid(quote_id, stage.consumer, 100, 400)
    assert stage.market.remaining(quote_id) == 0, "VALID, in BIDDING"
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 100, 400)
    assert stage.market.remaining(quote_id) == 0, "VALID, in REVEALING"
    stage.to("MATCHING")
    assert stage.market.remaining(quote_id) == 0, "VALID, in MATCHING"
    assert stage.market.remaining(back) == 0, "INVALID"
    stage.market.match_bids(quote_id)
    for phase in ("MATCHING", "DELIVERING", "METERING"):
        stage.to(phase)
        assert stage.market.remaining(quote_id) == 600, f"MATCHED, in {phase}"
    stage.before("SETTLING")
    assert stage.market.remaining(quote_id) == 600, "MATCHED, in the last second of METERING"
    stage.to("SETTLING")
    assert stage.market.remaining(quote_id) == 0, "MATCHED, in SETTLING"
    stage.to("CLOSING")
    assert stage.market.remaining(quote_id) == 0, "MATCHED, in CLOSING"
    stage.market.settle_quote(quote_id, sender=stage.stranger)
    assert stage.market.remaining(quote_id) == 0, "SETTLED"


# ---- 256 trades ----------------------------------------------------------------------------------------------------


@dataclass
class FullQuote:
    """A market of its own with a quote of 1000 Wh at 100 that has 255 trades."""

    stage: Stage
    quote_id: int


@pytest.fixture(scope="module")
def nearly_full(stage: Stage) -> FullQuote:
    """Two winners of 1 Wh and 253 purchases of 1 Wh; 745 Wh are left."""
    own = Stage()
    quote_id = own.quote(volume=1000, price=100)
    own.auction(quote_id, (own.consumer, 100, 1), (own.neighbour, 100, 1))
    for _ in range(253):
        own.market.buy_surplus(quote_id, 1, sender=own.consumer.address)
    own.clock.now = NOON  # the time is every test's
    return FullQuote(own, quote_id)


def test_the_256th_trade_is_the_last(nearly_full: FullQuote) -> None:
    """T-SUR-7, T-SUR-10: energy is left, but for nobody. Fullness is told before what is left and what is owned."""
    stage, quote_id = nearly_full.stage, nearly_full.quote_id
    stage.to("MATCHING")
    assert len(stage.market.trades(quote_id)) == 255
    assert stage.market.remaining(quote_id) == 745

    stage.market.buy_surplus(quote_id, 1, sender=stage.neighbour.address)

    assert len(stage.market.trades(quote_id)) == 256
    assert stage.market.quote(quote_id).sold == 256
    assert stage.market.remaining(quote_id) == 0
    with boa.reverts("surplus: too many trades"):
        stage.market.buy_surplus(quote_id, 1, sender=stage.neighbour.address)
    with boa.reverts("surplus: too many trades"):
        stage.market.buy_surplus(quote_id, 1000, sender=stage.consumer.address)
    with boa.reverts("surplus: volume is zero"):
        stage.market.buy_surplus(quote_id, 0, sender=stage.neighbour.address)
    assert len(stage.market.trades(quote_id)) == 256
    assert stage.market.quote(quote_id).sold == 256
    assert stage.money(stage.neighbour)[1] == 204  # 2 * 102
    # A reading above makes no room.
    stage.to("METERING")
    stage.read(stage.prosumer, exported=1000, imported=0)
    assert stage.market.remaining(quote_id) == 0


# ---- refusals ------------------------------------------------------------------------------------------------------


def test_refuses_who_is_not_authorised(stage: Stage) -> None:
    """T-REG-15: a stranger, who only registered, who was revoked. Told before that the quote is unknown."""
    quote_id = partly_sold(stage)
    registered = stage.register(stage.unregistered("newcomer"))
    stage.market.revoke(stage.consumer.address, sender=stage.owner)

    for buyer in (stage.stranger, registered.address, stage.consumer.address, stage.owner, stage.supplier):
        with boa.reverts("accounts: not authorised"):
            stage.market.buy_surplus(quote_id, 10, sender=buyer)
        with boa.reverts("accounts: not authorised"):
            stage.market.buy_surplus(99, 0, sender=buyer)
    assert stage.market.quote(quote_id).sold == 400


def test_refuses_who_is_in_arrears(stage: Stage) -> None:
    """T-REG-16: down to the last base unit of the debt; told before that the quote is unknown."""
    later = stage.period + 2
    quote_id = stage.quote(volume=1000, price=100, period=later)
    debtor = in_arrears(stage)
    stage.to("MATCHING", later)
    stage.market.match_bids(quote_id)
    with boa.reverts("ledger: in arrears"):
        stage.market.buy_surplus(quote_id, 10, sender=debtor)
    with boa.reverts("ledger: in arrears"):
        stage.market.buy_surplus(99, 0, sender=debtor)

    stage.fund(debtor, 179)
    with boa.reverts("ledger: in arrears"):
        stage.market.buy_surplus(quote_id, 10, sender=debtor)
    stage.fund(debtor, 1 + 1_020)
    stage.market.buy_surplus(quote_id, 10, sender=debtor)

    assert stage.market.account(debtor).grid_account == 0
    assert stage.money(debtor) == (0, 1_020)


@pytest.mark.parametrize("quote_id", [0, 2, 2**256 - 1])
def test_refuses_an_unknown_quote(stage: Stage, quote_id: int) -> None:
    """Annex A."""
    assert partly_sold(stage) == 1

    with boa.reverts("quotes: unknown quote"):
        stage.market.buy_surplus(quote_id, 0, sender=stage.neighbour.address)


def test_refuses_a_quote_that_is_not_matched(stage: Stage) -> None:
    """T-SUR-1: VALID in any phase, INVALID, SETTLED. The status comes before the phase and the buyer."""
    quote_id = stage.quote(volume=1000, price=100)
    back = stage.quote(volume=500, price=100, prosumer=stage.neighbour)
    stage.market.invalidate_quote(back, sender=stage.neighbour.address)
    for phase in (None, "REVEALING", "MATCHING", "DELIVERING", "METERING", "SETTLING"):
        if phase:
            stage.to(phase)
        for target in (quote_id, back):
            for buyer in (stage.consumer, stage.prosumer):
                with boa.reverts("quotes: not matched"):
                    stage.market.buy_surplus(target, 10, sender=buyer.address)

    stage.market.match_bids(quote_id)
    stage.market.settle_quote(quote_id, sender=stage.owner)
    assert stage.market.quote(quote_id).status == SETTLED
    with boa.reverts("quotes: not matched"):
        stage.market.buy_surplus(quote_id, 10, sender=stage.consumer.address)


def test_refuses_the_wrong_phase_before_the_own_quote(stage: Stage) -> None:
    """Annex A: 4 before 5."""
    quote_id = partly_sold(stage)
    stage.to("SETTLING")

    with boa.reverts("clock: wrong phase"):
        stage.market.buy_surplus(quote_id, 0, sender=stage.prosumer.address)


@pytest.mark.parametrize("volume", [0, 10, 601])
def test_refuses_the_own_quote(stage: Stage, volume: int) -> None:
    """T-SUR-2; 5 before 6 and 8."""
    quote_id = partly_sold(stage)

    with boa.reverts("surplus: own quote"):
        stage.market.buy_surplus(quote_id, volume, sender=stage.prosumer.address)


def test_refuses_nothing(stage: Stage) -> None:
    """T-SUR-4: 0 Wh is no purchase, also where nothing is left."""
    quote_id = partly_sold(stage)
    with boa.reverts("surplus: volume is zero"):
        stage.market.buy_surplus(quote_id, 0, sender=stage.neighbour.address)

    stage.market.buy_surplus(quote_id, 600, sender=stage.neighbour.address)
    with boa.reverts("surplus: volume is zero"):
        stage.market.buy_surplus(quote_id, 0, sender=stage.neighbour.address)


@pytest.mark.parametrize("volume", [601, 1000, 2**256 - 1])
def test_refuses_more_than_is_left(stage: Stage, volume: int) -> None:
    """T-SUR-4: all or nothing. Told before that the money is short: the buyer has none."""
    quote_id = partly_sold(stage)
    poor = stage.household("poor", funds=0)

    with boa.reverts("surplus: not enough left"):
        stage.market.buy_surplus(quote_id, volume, sender=poor.address)

    assert stage.market.remaining(quote_id) == 600


def test_refuses_one_base_unit_short(stage: Stage) -> None:
    """T-MON-6, T-GUA-7: nothing is cut to fit, and nothing changes."""
    short = stage.household("short", funds=1_019)
    quote_id = partly_sold(stage)

    with boa.reverts("ledger: insufficient balance"):
        stage.market.buy_surplus(quote_id, 10, sender=short.address)

    assert stage.money(short) == (1_019, 0)
    assert stage.market.position(short.address, stage.period) == (0, 0, 0, 0, 0, False)
    assert stage.market.trades(quote_id) == [(stage.consumer.address, 400, 140)]
    assert stage.market.remaining(quote_id) == 600
    stage.market.buy_surplus(quote_id, 9, sender=short.address)
    assert stage.money(short) == (101, 918)


def test_reserved_money_buys_nothing(stage: Stage) -> None:
    """T-MON-4: 1,020 in all, of which 918 are reserved."""
    poor = stage.household("poor", funds=1_020)
    quote_id = partly_sold(stage)
    stage.market.buy_surplus(quote_id, 9, sender=poor.address)

    with boa.reverts("ledger: insufficient balance"):
        stage.market.buy_surplus(quote_id, 2, sender=poor.address)
    stage.market.buy_surplus(quote_id, 1, sender=poor.address)

    assert stage.money(poor) == (0, 1_020)
