"""`submit_quote`: T-QUO-1 to T-QUO-10, T-QUO-15, T-QUO-16 and T-REG-20."""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import FUNDS, NOON, Household, Stage
from wattproof.market.deployment import Tariff

NOT_AUTHORISED = "accounts: not authorised"
IN_ARREARS = "ledger: in arrears"
TOO_FAR = "quotes: period too far ahead"
WRONG_PHASE = "clock: wrong phase"
VOLUME = "quotes: volume out of bounds"
PRICE = "quotes: price out of band"
ALREADY = "quotes: already quoted"
INSUFFICIENT = "ledger: insufficient balance"

VALID = 1
LARGEST = 2**256 - 1

RUNNING = 972_222
"""The period that begins at NOON, which is 972 222 * 1800 = 1 749 999 600."""

HORIZON = RUNNING + 336
"""The last period that starts within 7 days of NOON: 604 800 / 1800 = 336 periods ahead."""


def test_the_stage_is_set_as_these_tests_reckon(stage: Stage) -> None:
    assert (NOON, stage.period) == (1_749_999_600, RUNNING + 4)


# ---- as it should be ----------------------------------------------------------------------


def test_records_the_quote_and_reserves_the_collateral(stage: Stage) -> None:
    """T-QUO-1, T-QUO-7 to T-QUO-10: 1000 Wh at SSP 180 are worth 180 000, 10 % of which are 18 000."""
    boa.env.timestamp += 17

    quote_id = stage.market.submit_quote(stage.period, 1_000, 100, sender=stage.prosumer.address)

    assert stage.events() == [
        (
            "QuoteSubmitted",
            {
                "quote_id": 1,
                "prosumer": stage.prosumer.address,
                "period": RUNNING + 4,
                "volume": 1_000,
                "price": 100,
            },
        )
    ]
    assert quote_id == 1
    quote = stage.market.quote(1)
    assert tuple(quote) == (stage.prosumer.address, RUNNING + 4, 1_000, 100, NOON + 17, 0, VALID)
    assert stage.market.quote_of(stage.prosumer.address, stage.period) == 1
    assert stage.market.quote_count() == 1
    assert (stage.market.supply(stage.period), stage.market.demand(stage.period)) == (1_000, 0)
    assert stage.market.remaining(1) == 0
    assert stage.market.trades(1) == []
    assert tuple(stage.market.position(stage.prosumer.address, stage.period)) == (0, 0, 0, 0, 1, False)
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)
    assert stage.money(stage.consumer) == (FUNDS, 0)
    stage.assert_books_balance()


def test_numbers_quotes_in_the_order_of_submission(stage: Stage) -> None:
    """T-QUO-6, T-QUO-8, T-QUO-16: by anybody and for any period; a refused one takes no number."""
    first = stage.quote(1_000, prosumer=stage.prosumer)
    second = stage.quote(200, prosumer=stage.consumer)
    with stage.refuses(ALREADY):
        stage.quote(1_000, prosumer=stage.prosumer)
    third = stage.quote(30, prosumer=stage.prosumer, period=stage.period + 1)

    assert (first, second, third) == (1, 2, 3)
    assert stage.market.quote_count() == 3
    assert [stage.market.quote(number).volume for number in (1, 2, 3)] == [1_000, 200, 30]
    assert stage.market.quote_of(stage.prosumer.address, stage.period + 1) == 3
    assert stage.market.quote_of(stage.consumer.address, stage.period) == 2
    assert stage.market.quote_of(stage.consumer.address, stage.period + 1) == 0
    assert stage.market.supply(stage.period) == 1_200
    assert stage.market.supply(stage.period + 1) == 30
    # (1000 + 30) * 18 and 200 * 18.
    assert stage.money(stage.prosumer) == (FUNDS - 18_540, 18_540)
    assert stage.money(stage.consumer) == (FUNDS - 3_600, 3_600)


def test_keeps_the_quotes_of_users_and_periods_apart(stage: Stage) -> None:
    """T-ACC-5: each quote keeps its own prosumer's account of its own period open."""
    stage.quote(prosumer=stage.prosumer)
    stage.quote(prosumer=stage.prosumer, period=stage.period + 1)

    assert stage.market.position(stage.prosumer.address, stage.period).open == 1
    assert stage.market.position(stage.prosumer.address, stage.period + 1).open == 1
    assert stage.market.position(stage.consumer.address, stage.period).open == 0


@pytest.mark.parametrize(
    ("ssp", "volume", "collateral"),
    [
        # 10 % of volume * SSP, rounded down once, at the end (T-UNIT-4).
        pytest.param(180, 1, 18, id="180.0 to 18"),
        pytest.param(183, 1, 18, id="18.3 to 18"),
        pytest.param(183, 3, 54, id="54.9 to 54"),
        pytest.param(183, 7, 128, id="128.1 to 128"),
        pytest.param(189, 1, 18, id="18.9 to 18"),
        pytest.param(189, 10, 189, id="189.0 to 189"),
        pytest.param(180, 2**24 - 1, 301_989_870, id="largest volume"),
    ],
)
def test_rounds_the_collateral_down(ssp: int, volume: int, collateral: int) -> None:
    """T-QUO-10: and where exactly that much is free, the quote is accepted; (2**24 - 1) * 18 is the largest."""
    stage = Stage(Tariff(sbp=60, ssp=ssp, service_fee=2))
    prosumer = stage.household("thrifty", funds=collateral)

    stage.quote(volume, prosumer=prosumer)

    assert stage.money(prosumer) == (0, collateral)


@pytest.mark.parametrize(
    ("ssp", "volume", "collateral"),
    [
        # (2**24 - 1) * (2**83 - 1) = 162259267157806806474544595861505, a tenth, down
        pytest.param(2**83 - 1, 2**24 - 1, 16_225_926_715_780_680_647_454_459_586_150, id="the largest volume"),
        # (2**11 - 1) * (2**96 - 1) = 2**107 - 2**96 - 2**11 + 1 = 162180048666699099053984466335745, as above
        pytest.param(2**96 - 1, 2**11 - 1, 16_218_004_866_669_909_905_398_446_633_574, id="the largest price"),
    ],
)
def test_finds_the_largest_collateral_within_the_purse(ssp: int, volume: int, collateral: int) -> None:
    """T-PARTY-11, T-MON-24: four fifths of all the money that the market can hold, in escrow for one quote."""
    stage = Stage(Tariff(sbp=1, ssp=ssp, service_fee=0))
    prosumer = stage.household("thrifty", funds=collateral)

    stage.quote(volume, ssp, prosumer=prosumer)

    assert stage.money(prosumer) == (0, collateral)


@pytest.mark.parametrize(("volume", "price"), [(2**24 - 1, 2**96 - 1)])
def test_refuses_what_no_purse_can_hold(volume: int, price: int) -> None:
    """T-MON-6, T-MON-24: the largest volume at the largest price is within the chain's numbers, but nobody's money."""
    stage = Stage(Tariff(sbp=1, ssp=price, service_fee=0))

    with stage.refuses("ledger: insufficient balance"):
        stage.quote(volume, price)


# ---- volume and price -------------------------------------------------------------------------


@pytest.mark.parametrize("volume", [0, 2**24, 2**24 + 1, LARGEST], ids=["0", "2**24", "2**24 + 1", "largest number"])
def test_refuses_a_volume_out_of_bounds(stage: Stage, volume: int) -> None:
    """T-QUO-4. (That 1 and 2**24 - 1 are accepted shows the table of collaterals.)"""
    with stage.refuses(VOLUME):
        stage.quote(volume)


@pytest.mark.parametrize("price", [62, 63, 177, 178])
def test_accepts_a_price_in_the_band(stage: Stage, price: int) -> None:
    """T-QUO-5: SBP + fee = 60 + 2 and SSP - fee = 180 - 2 are its ends."""
    assert stage.market.quote(stage.quote(price=price)).price == price


@pytest.mark.parametrize("price", [0, 60, 61, 179, 180, LARGEST])
def test_refuses_a_price_out_of_the_band(stage: Stage, price: int) -> None:
    """T-QUO-5."""
    with stage.refuses(PRICE):
        stage.quote(price=price)


def test_accepts_the_one_price_of_a_narrow_band() -> None:
    """T-PARTY-12, T-QUO-5: SBP 60, fee 60, SSP 180 leave 120 alone."""
    stage = Stage(Tariff(sbp=60, ssp=180, service_fee=60))

    for price in (119, 121):
        with stage.refuses(PRICE):
            stage.quote(price=price)
    assert stage.quote(price=120) == 1


# ---- time -------------------------------------------------------------------------------------


def test_accepts_until_the_last_second_of_bidding(stage: Stage) -> None:
    """T-QUO-2, T-TIME-2: BIDDING ends 2 * 600 s before the period starts."""
    boa.env.timestamp = (RUNNING + 4) * 1800 - 1_201

    assert stage.quote() == 1


@pytest.mark.parametrize(
    "since_start",
    [-1_200, -601, -600, -1, 0, 1_799, 1_800, 2_399, 2_400, 2_999, 3_000, 1_000_000],
    ids=[
        "REVEALING, first second",
        "REVEALING, last second",
        "MATCHING, first second",
        "MATCHING, last second",
        "DELIVERING, first second",
        "DELIVERING, last second",
        "METERING, first second",
        "METERING, last second",
        "SETTLING, first second",
        "SETTLING, last second",
        "CLOSING, first second",
        "CLOSING, long after",
    ],
)
def test_refuses_every_later_phase(stage: Stage, since_start: int) -> None:
    """T-QUO-2."""
    boa.env.timestamp = (RUNNING + 4) * 1800 + since_start

    with stage.refuses(WRONG_PHASE):
        stage.quote()


def test_refuses_the_period_zero(stage: Stage) -> None:
    """T-QUO-2: long closed."""
    with stage.refuses(WRONG_PHASE):
        stage.quote(period=0)


@pytest.mark.parametrize(
    ("seconds", "period", "accepted"),
    [
        pytest.param(0, HORIZON, True, id="exactly 7 days ahead"),
        pytest.param(0, HORIZON + 1, False, id="7 days and a period ahead"),
        pytest.param(1, HORIZON, True, id="a second less than 7 days ahead"),
        pytest.param(1_799, HORIZON + 1, False, id="a second more than 7 days ahead"),
        pytest.param(1_800, HORIZON + 1, True, id="exactly 7 days ahead, a period later"),
        pytest.param(0, 2**255, False, id="2**255"),
        pytest.param(0, LARGEST, False, id="the largest number"),
    ],
)
def test_sells_at_most_seven_days_ahead(stage: Stage, seconds: int, period: int, accepted: bool) -> None:
    """T-QUO-3: the period's start is at most 604 800 s after the submission."""
    boa.env.timestamp = NOON + seconds

    if accepted:
        assert stage.quote(period=period) == 1
    else:
        with stage.refuses(TOO_FAR):
            stage.quote(period=period)


def test_looks_seven_days_ahead_with_a_period_of_another_length() -> None:
    """T-QUO-3: L = 1000 s at 1 749 999 600 s: (1 749 999 600 + 604 800) / 1000 = 1 750 604.4."""
    stage = Stage(Tariff(sbp=60, ssp=180, service_fee=2, period_length=1_000))

    with stage.refuses(TOO_FAR):
        stage.quote(period=1_750_605)
    assert stage.quote(period=1_750_604) == 1


# ---- the other refusals -----------------------------------------------------------------------


@pytest.mark.parametrize("who", ["stranger", "supplier", "owner", "registered only", "revoked"])
def test_refuses_who_is_not_authorised(stage: Stage, who: str) -> None:
    """T-REG-15."""
    newcomer = stage.register(stage.unregistered("newcomer"))
    stage.fund(newcomer.address, FUNDS)
    stage.market.revoke(stage.neighbour.address, sender=stage.owner)
    sender = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "owner": stage.owner,
        "registered only": newcomer.address,
        "revoked": stage.neighbour.address,
    }[who]

    with stage.refuses(NOT_AUTHORISED):
        stage.market.submit_quote(stage.period, 1_000, 100, sender=sender)


def test_refuses_who_is_in_arrears_by_the_least(stage: Stage) -> None:
    """T-REG-16: 1 Wh at SSP 180, of which 179 are paid, leave 1 base unit."""
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=1)
    stage.fund(debtor.address, 179)
    assert stage.account(debtor).grid_account == -1

    with stage.refuses(IN_ARREARS):
        stage.quote(prosumer=debtor, period=stage.period + 10)
    stage.fund(debtor.address, 1 + 18_000)
    assert stage.quote(prosumer=debtor, period=stage.period + 10) == 1


def test_accepts_whom_the_supplier_owes(stage: Stage) -> None:
    """T-REG-16: only a debt of the user's stops it."""
    stage.invoice(stage.prosumer, exported=10)

    assert stage.quote(period=stage.period + 10) == 1


@pytest.mark.parametrize("again", [(1_000, 100), (5, 150)], ids=["the same", "another volume and price"])
def test_refuses_a_second_quote_for_the_period(stage: Stage, again: tuple[int, int]) -> None:
    """T-QUO-6."""
    stage.quote(1_000, 100)

    with stage.refuses(ALREADY):
        stage.quote(*again)
    assert stage.market.quote(1).volume == 1_000


def test_refuses_a_second_quote_after_the_first_was_taken_back(stage: Stage) -> None:
    """T-QUO-15: the period is used up."""
    quote_id = stage.quote()
    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)

    with stage.refuses(ALREADY):
        stage.quote()
    assert stage.quote(period=stage.period + 1) == 2


def test_refuses_where_one_base_unit_is_missing(stage: Stage) -> None:
    """T-MON-6: 18 000 are needed, nothing is cut to fit; with one base unit more the same quote is accepted."""
    thrifty = stage.household("thrifty", funds=17_999)

    with stage.refuses(INSUFFICIENT):
        stage.quote(1_000, prosumer=thrifty)
    stage.fund(thrifty.address, 1)
    stage.quote(1_000, prosumer=thrifty)
    assert stage.money(thrifty) == (0, 18_000)


def test_refuses_to_reserve_what_is_reserved(stage: Stage) -> None:
    """T-MON-4, T-MON-5: collateral of one quote does not serve for another."""
    thrifty = stage.household("thrifty", funds=35_999)
    stage.quote(1_000, prosumer=thrifty)

    with stage.refuses(INSUFFICIENT):
        stage.quote(1_000, prosumer=thrifty, period=stage.period + 1)
    assert stage.money(thrifty) == (17_999, 18_000)


# ---- the first of several reasons ---------------------------------------------------------------


def test_looks_at_the_authorisation_before_the_arrears(stage: Stage) -> None:
    """T-PARTY-16: TRADER, for a user that is both."""
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=1)
    stage.market.revoke(debtor.address, sender=stage.owner)

    with stage.refuses(NOT_AUTHORISED):
        stage.quote(prosumer=debtor, period=stage.period + 10)


def test_looks_at_the_arrears_before_the_quote(stage: Stage) -> None:
    """T-PARTY-16: everything else is wrong, too."""
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=1)

    with stage.refuses(IN_ARREARS):
        stage.quote(volume=0, price=0, prosumer=debtor, period=LARGEST)


@pytest.fixture
def spent(stage: Stage) -> Household:
    """An authorised household without money that has a quote for the stage's period."""
    household = stage.household("spent", funds=18)
    stage.quote(volume=1, prosumer=household)
    return household


@pytest.mark.parametrize(
    ("ahead", "volume", "price", "reason"),
    [
        pytest.param(400, 0, 0, TOO_FAR, id="too far, volume, price, money"),
        pytest.param(-4, 0, 0, WRONG_PHASE, id="phase, volume, price, money"),
        pytest.param(0, 0, 0, VOLUME, id="volume, price, quoted, money"),
        pytest.param(0, 2**24, 0, VOLUME, id="volume too large, price, quoted, money"),
        pytest.param(0, 1_000, 0, PRICE, id="price, quoted, money"),
        pytest.param(0, 1_000, 100, ALREADY, id="quoted, money"),
        pytest.param(1, 1_000, 100, INSUFFICIENT, id="money"),
    ],
)
def test_names_the_first_of_several_reasons(
    stage: Stage, spent: Household, ahead: int, volume: int, price: int, reason: str
) -> None:
    """T-PARTY-16: annex A from row to row."""
    with stage.refuses(reason):
        stage.quote(volume, price, prosumer=spent, period=stage.period + ahead)


def test_offers_at_most_what_the_connection_carries(stage: Stage) -> None:
    """T-QUO-4, T-REG-20: all of 500 Wh, and not one more; a raised capacity counts at once, for the next period."""
    small = stage.household("small", capacity=500)
    with stage.refuses(VOLUME):
        stage.quote(501, prosumer=small)
    assert stage.quote(500, prosumer=small) == 1

    stage.market.authorize(small.address, 501, sender=stage.owner)
    assert stage.quote(501, prosumer=small, period=stage.period + 1) == 2
