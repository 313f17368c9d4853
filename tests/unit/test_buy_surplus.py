"""`buy_surplus` and `remaining`: T-SUR-1 to T-SUR-12, T-ACC-5, T-ACC-10, T-ACC-11, T-REG-15, T-REG-16, T-REG-21.

The stage's fee is 2, so that a purchase of `volume` at the quote's price of 100 reserves `volume * 102`. The least
purchase of a quote of 1000 Wh is 16: 15 are less than a 64th (T-SUR-11).
"""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import FUNDS, Stage

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


@pytest.mark.parametrize("volume", [16, 17, 599, 600])
def test_any_part_of_what_is_left(stage: Stage, volume: int) -> None:
    """T-SUR-4, T-SUR-5, T-SUR-11: from a 64th of the quote, rounded up, to all that is left."""
    quote_id = partly_sold(stage)

    stage.market.buy_surplus(quote_id, volume, sender=stage.neighbour.address)

    assert stage.market.remaining(quote_id) == 600 - volume
    assert stage.market.quote(quote_id).sold == 400 + volume


def test_each_purchase_is_a_trade_of_its_own_but_one_stake(stage: Stage) -> None:
    """T-SUR-9, T-ACC-5: bid and three purchases are four trades and one open quote."""
    quote_id = partly_sold(stage)
    for volume in (100, 16, 84):
        stage.market.buy_surplus(quote_id, volume, sender=stage.consumer.address)

    buyer = stage.consumer.address
    assert stage.market.trades(quote_id) == [(buyer, 400, 140), (buyer, 100, 100), (buyer, 16, 100), (buyer, 84, 100)]
    assert stage.market.position(buyer, stage.period) == (600, 600, 0, 0, 1, False)
    assert stage.money(stage.consumer) == (FUNDS - 77_200, 77_200)  # 56,800 + 200 * 102


def test_one_stake_in_each_quote(stage: Stage) -> None:
    """T-ACC-5: two quotes of one period, two purchases from each: two open quotes."""
    first = stage.quote(volume=1000, price=100)
    second = stage.quote(volume=700, price=90, prosumer=stage.neighbour)
    stage.to("MATCHING")
    for quote_id in (first, second):
        stage.market.match_bids(quote_id)
        stage.market.buy_surplus(quote_id, 16, sender=stage.consumer.address)
        stage.market.buy_surplus(quote_id, 20, sender=stage.consumer.address)

    assert stage.market.position(stage.consumer.address, stage.period) == (72, 72, 0, 0, 2, False)
    assert stage.money(stage.consumer) == (FUNDS - 6_984, 6_984)  # 36 * 102 + 36 * 92


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

    stage.market.buy_surplus(first, 16, sender=stage.neighbour.address)
    stage.market.buy_surplus(second, 20, sender=stage.prosumer.address)

    assert stage.market.position(stage.neighbour.address, stage.period) == (16, 16, 0, 0, 2, False)
    assert stage.market.position(stage.prosumer.address, stage.period) == (20, 20, 0, 0, 2, False)


def test_the_last_base_unit_may_be_reserved(stage: Stage) -> None:
    """T-MON-6: 20 Wh cost 2,040 at most; exactly that is enough."""
    exact = stage.household("exact", funds=2_040)
    quote_id = partly_sold(stage)

    stage.market.buy_surplus(quote_id, 20, sender=exact.address)

    assert stage.money(exact) == (0, 2_040)


def test_the_counterparty_is_not_asked_again(stage: Stage) -> None:
    """T-REG-17: the quote of a prosumer that lost its authorisation stays open to others."""
    quote_id = partly_sold(stage)
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)

    stage.market.buy_surplus(quote_id, 20, sender=stage.neighbour.address)

    assert stage.market.remaining(quote_id) == 580


# ---- when ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edge", "phase", "reason"),
    [
        pytest.param("to", "MATCHING", None, id="first second of MATCHING"),
        pytest.param("before", "DELIVERING", None, id="last second of MATCHING"),
        pytest.param("to", "DELIVERING", "clock: wrong phase", id="first second of DELIVERING"),
        pytest.param("before", "METERING", "clock: wrong phase", id="last second of DELIVERING"),
        pytest.param("to", "METERING", "surplus: no reading yet", id="first second of METERING"),
        pytest.param("before", "SETTLING", "surplus: no reading yet", id="last second of METERING"),
    ],
)
def test_what_was_quoted_is_sold_until_delivery_begins(stage: Stage, edge: str, phase: str, reason: str | None) -> None:
    """T-SUR-1, T-SUR-12, T-ACC-11: ahead of the delivery, and so agreed; then nothing before the reading."""
    quote_id = partly_sold(stage)
    getattr(stage, edge)(phase)

    if reason:
        assert stage.market.remaining(quote_id) == 0
        with stage.refuses(reason):
            stage.market.buy_surplus(quote_id, 20, sender=stage.neighbour.address)
        with stage.refuses(reason):
            stage.market.buy_surplus(quote_id, 601, sender=stage.neighbour.address)
        return
    assert stage.market.remaining(quote_id) == 600
    stage.market.buy_surplus(quote_id, 20, sender=stage.neighbour.address)
    assert stage.market.position(stage.neighbour.address, stage.period) == (20, 20, 0, 0, 1, False)


@pytest.mark.parametrize("edge", ["to", "before"])
def test_the_recorded_excess_is_sold_until_metering_ends(stage: Stage, edge: str) -> None:
    """T-SUR-1, T-SUR-6, T-ACC-11: bought, and not agreed; from the reading to the last second of METERING."""
    quote_id = partly_sold(stage)
    stage.to("METERING")
    stage.read(stage.prosumer, exported=1000, imported=0)
    getattr(stage, edge)({"to": "METERING", "before": "SETTLING"}[edge])

    stage.market.buy_surplus(quote_id, 20, sender=stage.neighbour.address)

    assert stage.market.position(stage.neighbour.address, stage.period) == (0, 20, 0, 0, 1, False)


def test_another_meters_reading_opens_nothing(stage: Stage) -> None:
    """T-SUR-12: it is the prosumer's own that counts, and of this period."""
    quote_id = partly_sold(stage)
    stage.to("METERING")
    stage.read(stage.neighbour, exported=1000, imported=0)

    with stage.refuses("surplus: no reading yet"):
        stage.market.buy_surplus(quote_id, 20, sender=stage.consumer.address)


@pytest.mark.parametrize("phase", ["SETTLING", "CLOSING"])
def test_shut_afterwards(stage: Stage, phase: str) -> None:
    """T-SUR-1, T-TIME-9."""
    quote_id = partly_sold(stage)
    stage.to(phase)

    with boa.reverts("clock: wrong phase"):
        stage.market.buy_surplus(quote_id, 20, sender=stage.neighbour.address)

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
    """T-ACC-10, T-ACC-11: 25 Wh ahead of the delivery and 17 of what was recorded: agreed 25 of 42."""
    quote_id = partly_sold(stage)
    stage.market.buy_surplus(quote_id, 25, sender=stage.neighbour.address)
    stage.to("METERING")
    stage.read(stage.prosumer, exported=1000, imported=0)
    stage.market.buy_surplus(quote_id, 17, sender=stage.neighbour.address)

    assert stage.market.position(stage.neighbour.address, stage.period) == (25, 42, 0, 0, 1, False)


# ---- what is left --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exported", "left"),
    [
        # V = 1000, sold S = 400
        pytest.param(0, 0, id="nothing exported"),
        pytest.param(399, 0, id="below sold"),
        pytest.param(400, 0, id="as much as sold"),
        pytest.param(401, 1, id="one Wh above sold"),
        pytest.param(700, 300, id="between sold and quoted"),
        pytest.param(1000, 600, id="as quoted"),
        pytest.param(1500, 1100, id="above the quote"),
        pytest.param(2**24 - 1, 2**24 - 401, id="as much as a connection can carry"),
        pytest.param(2**256 - 1, 2**24 - 401, id="more than that counts as much"),
    ],
)
def test_the_reading_tells_what_is_left(stage: Stage, exported: int, left: int) -> None:
    """T-SUR-6: what remains can be bought to the last Wh, and not one more."""
    quote_id = partly_sold(stage)
    rich = stage.household("rich", funds=2**24 * 102)
    stage.to("METERING")
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
    """T-SUR-5, T-SUR-6: 300 Wh go before the delivery; of the 500 exported 500 - 700 < 0 are left after the reading."""
    quote_id = partly_sold(stage)
    stage.market.buy_surplus(quote_id, 300, sender=stage.neighbour.address)
    stage.to("METERING")
    stage.read(stage.prosumer, exported=500, imported=0)

    assert stage.market.remaining(quote_id) == 0
    with boa.reverts("surplus: not enough left"):
        stage.market.buy_surplus(quote_id, 1, sender=stage.neighbour.address)


def test_other_readings_do_not_matter(stage: Stage) -> None:
    """T-SUR-6: neither the buyer's reading nor the prosumer's of another period."""
    quote_id = stage.quote(volume=1000, price=100, period=stage.period + 1)
    stage.to("METERING")
    stage.read(stage.prosumer, exported=5, imported=0)
    stage.to("METERING", stage.period + 1)
    stage.market.match_bids(quote_id)
    stage.read(stage.neighbour, exported=7, imported=0, period=stage.period + 1)
    assert stage.market.remaining(quote_id) == 0

    stage.read(stage.prosumer, exported=900, imported=0, period=stage.period + 1)

    assert stage.market.remaining(quote_id) == 900


# ---- the least purchase, and the capacity -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volume", "least"),
    # rounded up: 64 / 64 = 1; 65 / 64 > 1; 128 / 64 = 2; 129 / 64 > 2; 1000 / 64 = 15.625; 6400 / 64 = 100
    [(64, 1), (65, 2), (128, 2), (129, 3), (1000, 16), (6400, 100)],
)
@pytest.mark.parametrize("ahead", [True, False], ids=["of what was quoted", "of what was exported"])
def test_a_purchase_is_at_least_a_64th(stage: Stage, volume: int, least: int, ahead: bool) -> None:
    """T-SUR-11: rounded up; while MATCHING of what was quoted, in METERING of what was exported."""
    quote_id = stage.quote(volume=volume if ahead else 10, price=100)
    stage.to("MATCHING")
    stage.market.match_bids(quote_id)
    if not ahead:
        stage.to("METERING")
        stage.read(stage.prosumer, exported=volume, imported=0)

    if least > 1:
        with stage.refuses("surplus: volume too small"):
            stage.market.buy_surplus(quote_id, least - 1, sender=stage.consumer.address)
    stage.market.buy_surplus(quote_id, least, sender=stage.consumer.address)

    assert stage.market.remaining(quote_id) == volume - least


@pytest.mark.parametrize("left", [1, 2, 15])
def test_all_that_is_left_may_be_less(stage: Stage, left: int) -> None:
    """T-SUR-11: a rest below a 64th is sold whole, not in part."""
    quote_id = partly_sold(stage)
    stage.market.buy_surplus(quote_id, 600 - left, sender=stage.neighbour.address)
    if left > 1:
        with stage.refuses("surplus: volume too small"):
            stage.market.buy_surplus(quote_id, left - 1, sender=stage.neighbour.address)
    with stage.refuses("surplus: not enough left"):
        stage.market.buy_surplus(quote_id, left + 1, sender=stage.neighbour.address)

    stage.market.buy_surplus(quote_id, left, sender=stage.neighbour.address)

    assert stage.market.remaining(quote_id) == 0


def test_bids_and_purchases_of_a_period_stay_within_the_capacity(stage: Stage) -> None:
    """T-REG-21: a bid that won counts, one that lost counts, and every purchase; another period is free again."""
    small = stage.household("small", capacity=500)
    first = stage.quote(volume=1000, price=100)
    second = stage.quote(volume=100, price=100, prosumer=stage.neighbour)
    later = stage.quote(volume=1000, price=100, period=stage.period + 2)
    stage.bid(first, small, 100, 200)
    stage.bid(second, small, 100, 100)
    stage.bid(second, stage.consumer, 150, 100)
    stage.to("REVEALING")
    stage.reveal(first, small, 100, 200)
    stage.reveal(second, small, 100, 100)
    stage.reveal(second, stage.consumer, 150, 100)
    stage.to("MATCHING")
    stage.market.match_bids(first)
    stage.market.match_bids(second)
    assert stage.market.position(small.address, stage.period).bought == 200

    with stage.refuses("positions: beyond the capacity"):  # 200 + 100 + 201
        stage.market.buy_surplus(first, 201, sender=small.address)
    stage.market.buy_surplus(first, 150, sender=small.address)
    with stage.refuses("positions: beyond the capacity"):  # 200 + 100 + 150 + 51
        stage.market.buy_surplus(first, 51, sender=small.address)
    stage.market.buy_surplus(first, 50, sender=small.address)
    stage.to("METERING")
    stage.read(stage.prosumer, exported=1000, imported=0)
    with stage.refuses("positions: beyond the capacity"):
        stage.market.buy_surplus(first, 16, sender=small.address)
    stage.market.authorize(small.address, 516, sender=stage.owner)
    stage.market.buy_surplus(first, 16, sender=small.address)
    with stage.refuses("positions: beyond the capacity"):  # what is bought in METERING counts as well
        stage.market.buy_surplus(first, 16, sender=small.address)
    assert stage.market.position(small.address, stage.period).bought == 416

    stage.to("MATCHING", stage.period + 2)
    stage.market.match_bids(later)
    stage.market.buy_surplus(later, 516, sender=small.address)
    assert stage.market.position(small.address, stage.period + 2).bought == 516


def test_a_purchase_that_is_too_small_is_told_before_the_capacity_and_that_before_the_money(stage: Stage) -> None:
    """Annex A."""
    poor = stage.household("poor", funds=0, capacity=10)
    quote_id = partly_sold(stage)

    with stage.refuses("surplus: volume too small"):
        stage.market.buy_surplus(quote_id, 15, sender=poor.address)
    with stage.refuses("positions: beyond the capacity"):
        stage.market.buy_surplus(quote_id, 16, sender=poor.address)
    stage.market.authorize(poor.address, 16, sender=stage.owner)
    with stage.refuses("ledger: insufficient balance"):
        stage.market.buy_surplus(quote_id, 16, sender=poor.address)


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
    assert stage.market.remaining(quote_id) == 600, "MATCHED, in MATCHING"
    for phase in ("DELIVERING", "METERING"):
        stage.to(phase)
        assert stage.market.remaining(quote_id) == 0, f"MATCHED, in {phase}, without a reading"
    stage.read(stage.prosumer, exported=900, imported=0)
    assert stage.market.remaining(quote_id) == 500, "MATCHED, in METERING, read"
    stage.before("SETTLING")
    assert stage.market.remaining(quote_id) == 500, "MATCHED, in the last second of METERING"
    stage.to("SETTLING")
    assert stage.market.remaining(quote_id) == 0, "MATCHED, in SETTLING"
    stage.to("CLOSING")
    assert stage.market.remaining(quote_id) == 0, "MATCHED, in CLOSING"
    stage.market.settle_quote(quote_id, sender=stage.stranger)
    assert stage.market.remaining(quote_id) == 0, "SETTLED"


# ---- 256 trades ----------------------------------------------------------------------------------------------------


def test_256_trades_are_the_most(swift: Stage) -> None:
    """T-SUR-7, T-SUR-10, T-SUR-11: 128 winners of 1 Wh, 64 purchases ahead of the delivery and 64 of the excess.

    Of 12,800 Wh a purchase is 200 at least: 63 of them and the last 72 are what the winners left. Of 1,000,000 exported
    it is 15,625: 63 of them and the last 2,825 are what is left of 987,200. It settles.
    """
    quote_id = swift.quote(volume=12_800, price=100)
    winners = [swift.household(f"winner {number}", funds=1_000) for number in range(128)]
    swift.auction(quote_id, *((winner, 100, 1) for winner in winners))
    for volume in (*[200] * 63, 72):
        swift.market.buy_surplus(quote_id, volume, sender=swift.consumer.address)
    assert swift.market.quote(quote_id).sold == 12_800
    with swift.refuses("surplus: not enough left"):
        swift.market.buy_surplus(quote_id, 1, sender=swift.consumer.address)
    swift.to("METERING")
    swift.read(swift.prosumer, exported=1_000_000, imported=0)
    for volume in (*[15_625] * 63, 2_825):
        swift.market.buy_surplus(quote_id, volume, sender=swift.neighbour.address)

    assert len(swift.market.trades(quote_id)) == 256
    assert swift.market.quote(quote_id).sold == 1_000_000
    assert swift.market.remaining(quote_id) == 0
    with swift.refuses("surplus: too many trades"):
        swift.market.buy_surplus(quote_id, 1, sender=swift.neighbour.address)
    with swift.refuses("surplus: volume is zero"):
        swift.market.buy_surplus(quote_id, 0, sender=swift.neighbour.address)
    swift.to("SETTLING")
    swift.market.settle_quote(quote_id, sender=swift.owner)
    assert swift.market.quote(quote_id).status == SETTLED
    assert swift.market.position(swift.neighbour.address, swift.period).received == 987_200
    assert swift.market.position(winners[127].address, swift.period).received == 1


def test_128_purchases_without_winners_are_not_too_many(stage: Stage) -> None:
    """T-SUR-7: winners count among the 256, so that here it is the volume that there is no more of."""
    quote_id = stage.quote(volume=64, price=100)
    stage.to("MATCHING")
    stage.market.match_bids(quote_id)
    for _ in range(64):
        stage.market.buy_surplus(quote_id, 1, sender=stage.consumer.address)
    stage.to("METERING")
    stage.read(stage.prosumer, exported=1_000_000, imported=0)
    for volume in (*[15_625] * 63, 15_561):
        stage.market.buy_surplus(quote_id, volume, sender=stage.neighbour.address)

    assert len(stage.market.trades(quote_id)) == 128
    with stage.refuses("surplus: not enough left"):
        stage.market.buy_surplus(quote_id, 1, sender=stage.neighbour.address)


# ---- refusals ------------------------------------------------------------------------------------------------------


def test_refuses_who_is_not_authorised(stage: Stage) -> None:
    """T-REG-15: a stranger, who only registered, who was revoked. Told before that the quote is unknown."""
    quote_id = partly_sold(stage)
    registered = stage.register(stage.unregistered("newcomer"))
    stage.market.revoke(stage.consumer.address, sender=stage.owner)

    for buyer in (stage.stranger, registered.address, stage.consumer.address, stage.owner, stage.supplier):
        with boa.reverts("accounts: not authorised"):
            stage.market.buy_surplus(quote_id, 20, sender=buyer)
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
    stage.fund(debtor, 1 + 2_040)
    stage.market.buy_surplus(quote_id, 20, sender=debtor)

    assert stage.market.account(debtor).grid_account == 0
    assert stage.money(debtor) == (0, 2_040)


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


@pytest.mark.parametrize("volume", [0, 10, 20, 601])
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
    short = stage.household("short", funds=2_039)
    quote_id = partly_sold(stage)

    with stage.refuses("ledger: insufficient balance"):
        stage.market.buy_surplus(quote_id, 20, sender=short.address)

    assert stage.money(short) == (2_039, 0)
    assert stage.market.position(short.address, stage.period) == (0, 0, 0, 0, 0, False)
    assert stage.market.trades(quote_id) == [(stage.consumer.address, 400, 140)]
    assert stage.market.remaining(quote_id) == 600
    stage.market.buy_surplus(quote_id, 19, sender=short.address)
    assert stage.money(short) == (101, 1_938)


def test_reserved_money_buys_nothing(stage: Stage) -> None:
    """T-MON-4: 3,570 in all, of which 1,938 are reserved."""
    poor = stage.household("poor", funds=3_570)
    quote_id = partly_sold(stage)
    stage.market.buy_surplus(quote_id, 19, sender=poor.address)

    with boa.reverts("ledger: insufficient balance"):
        stage.market.buy_surplus(quote_id, 17, sender=poor.address)
    stage.market.buy_surplus(quote_id, 16, sender=poor.address)

    assert stage.money(poor) == (0, 3_570)
