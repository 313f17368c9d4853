"""`reveal_bid`: T-BID-4, T-BID-5, T-BID-7 to T-BID-16 and T-REG-21."""

from __future__ import annotations

import boa
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.support.stage import FUNDS, SALT, Household, Stage
from wattproof.market.deployment import Tariff

NOT_AUTHORISED = "accounts: not authorised"
IN_ARREARS = "ledger: in arrears"
UNKNOWN = "quotes: unknown quote"
NOT_VALID = "quotes: not valid"
WRONG_PHASE = "clock: wrong phase"
NOTHING = "bids: nothing to open"
SEAL = "bids: seal does not match"
VOLUME = "bids: volume out of bounds"
PRICE = "bids: price out of bounds"
FULL = "bids: book is full"
INSUFFICIENT = "ledger: insufficient balance"

CREATED, RESERVED, CONFIRMED, REJECTED = 1, 2, 4, 8


def sealed(stage: Stage, bidder: Household, price: int, volume: int, quoted: tuple[int, int] = (1_000, 100)) -> int:
    """A quote of `quoted` Wh and price on which `bidder` has sealed a bid; REVEALING begins. Returns its ID."""
    quote_id = stage.quote(*quoted)
    stage.bid(quote_id, bidder, price, volume)
    stage.to("REVEALING")
    return quote_id


# ---- as it should be ----------------------------------------------------------------------


def test_opens_the_bid_and_reserves_its_most(stage: Stage) -> None:
    """T-BID-7, T-BID-9, T-BID-12, T-BID-14, T-BID-16: 600 Wh at 140 with a fee of 2 are 600 * 142 = 85 200."""
    quote_id = sealed(stage, stage.consumer, 140, 600)

    stage.market.reveal_bid(quote_id, 140, 600, SALT, sender=stage.consumer.address)

    assert stage.events() == [
        ("BidRevealed", {"quote_id": quote_id, "bidder": stage.consumer.address, "price": 140, "volume": 600}),
    ]
    assert tuple(stage.market.bid(quote_id, stage.consumer.address)) == (bytes(32), 140, 600, 0, RESERVED)
    assert stage.money(stage.consumer) == (FUNDS - 85_200, 85_200)
    assert stage.market.demand(stage.period) == 600
    assert stage.market.supply(stage.period) == 1_000
    assert tuple(stage.market.position(stage.consumer.address, stage.period)) == (0, 0, 0, 0, 1, False)
    assert stage.market.quote(quote_id).sold == 0
    assert stage.market.trades(quote_id) == []
    stage.assert_books_balance()


def test_adds_up_over_bidders_and_quotes(stage: Stage) -> None:
    """T-MON-5, T-BID-16, T-ACC-5: each bid reserves for itself; more may be wanted than there is."""
    first = stage.quote(1_000, 100)
    second = stage.quote(500, 90, prosumer=stage.prosumer, period=stage.period + 1)
    third = stage.quote(300, 80, prosumer=stage.neighbour)
    stage.bid(first, stage.consumer, 100, 1_000)
    stage.bid(first, stage.neighbour, 120, 1_000)
    stage.bid(second, stage.consumer, 90, 1)
    stage.bid(third, stage.consumer, 178, 10)
    stage.to("REVEALING")

    stage.reveal(first, stage.consumer, 100, 1_000)
    stage.reveal(first, stage.neighbour, 120, 1_000)
    stage.reveal(third, stage.consumer, 178, 10)

    assert stage.market.demand(stage.period) == 2_010
    assert stage.market.demand(stage.period + 1) == 0
    # 1000 * 102 + 10 * 180; 1000 * 122, and 300 * 18 of collateral.
    assert stage.money(stage.consumer) == (FUNDS - 103_800, 103_800)
    assert stage.money(stage.neighbour) == (FUNDS - 127_400, 127_400)
    assert stage.market.position(stage.consumer.address, stage.period).open == 2
    # Its own quote and the one it bid on.
    assert stage.market.position(stage.neighbour.address, stage.period).open == 2
    stage.to("REVEALING", stage.period + 1)
    stage.reveal(second, stage.consumer, 90, 1)
    assert stage.market.demand(stage.period + 1) == 1
    assert stage.market.position(stage.consumer.address, stage.period + 1).open == 1
    stage.assert_books_balance()


def test_opens_what_was_sealed_at_home(stage: Stage) -> None:
    """T-BID-4: the seal computed without asking the market."""
    quote_id = stage.quote()
    fields = [boa.env.evm.patch.chain_id, stage.market.address, 1, stage.consumer.address, 120, 30, b"\x07" * 32]
    seal = keccak(encode(["uint256", "address", "uint256", "address", "uint256", "uint256", "bytes32"], fields))
    stage.market.submit_bid(quote_id, seal, sender=stage.consumer.address)
    stage.to("REVEALING")

    stage.market.reveal_bid(quote_id, 120, 30, b"\x07" * 32, sender=stage.consumer.address)

    assert stage.market.bid(quote_id, stage.consumer.address).status == RESERVED


def test_takes_part_in_the_matching_only_where_opened(stage: Stage) -> None:
    """T-BID-15, T-BID-8: the neighbour's higher bid stays sealed, costs nothing and is rejected."""
    quote_id = stage.quote()
    stage.bid(quote_id, stage.consumer, 100, 1_000)
    stage.bid(quote_id, stage.neighbour, 178, 1_000)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 100, 1_000)
    stage.to("MATCHING")
    assert stage.market.bid(quote_id, stage.neighbour.address).status == CREATED

    stage.market.match_bids(quote_id)

    assert stage.market.bid(quote_id, stage.consumer.address).status == CONFIRMED
    assert stage.market.bid(quote_id, stage.neighbour.address).status == REJECTED
    assert stage.money(stage.neighbour) == (FUNDS, 0)
    with stage.refuses(NOT_VALID):
        stage.reveal(quote_id, stage.neighbour, 178, 1_000)


# ---- volume and price -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quoted", "volume", "reserved"),
    [
        # volume * (100 + 2).
        pytest.param(1_000, 1, 102, id="1 Wh"),
        pytest.param(1_000, 999, 101_898, id="one less than quoted"),
        pytest.param(1_000, 1_000, 102_000, id="all that is quoted"),
        pytest.param(1, 1, 102, id="all of 1 Wh"),
    ],
)
def test_accepts_a_volume_up_to_the_quoted_one(stage: Stage, quoted: int, volume: int, reserved: int) -> None:
    """T-BID-10, T-BID-12."""
    quote_id = sealed(stage, stage.consumer, 100, volume, (quoted, 100))

    stage.reveal(quote_id, stage.consumer, 100, volume)

    assert stage.market.bid(quote_id, stage.consumer.address).volume == volume
    assert stage.money(stage.consumer) == (FUNDS - reserved, reserved)


@pytest.mark.parametrize("volume", [0, 1_001, 2**24, 2**256 - 1], ids=["0", "one more", "2**24", "largest number"])
def test_refuses_a_volume_out_of_bounds(stage: Stage, volume: int) -> None:
    """T-BID-10: what was sealed is not cut to fit."""
    quote_id = sealed(stage, stage.consumer, 100, volume)

    with stage.refuses(VOLUME):
        stage.reveal(quote_id, stage.consumer, 100, volume)
    assert stage.market.bid(quote_id, stage.consumer.address).status == CREATED


@pytest.mark.parametrize(
    ("quoted", "price", "reserved"),
    [
        # 1000 * (price + 2).
        pytest.param(100, 100, 102_000, id="the quote's price"),
        pytest.param(100, 101, 103_000, id="one above"),
        pytest.param(100, 178, 180_000, id="SSP less the fee"),
        pytest.param(62, 62, 64_000, id="lowest of all"),
        pytest.param(178, 178, 180_000, id="highest of all"),
    ],
)
def test_accepts_a_price_from_the_quotes_up(stage: Stage, quoted: int, price: int, reserved: int) -> None:
    """T-BID-11, T-BID-12."""
    quote_id = sealed(stage, stage.consumer, price, 1_000, (1_000, quoted))

    stage.reveal(quote_id, stage.consumer, price, 1_000)

    assert stage.market.bid(quote_id, stage.consumer.address).price == price
    assert stage.money(stage.consumer) == (FUNDS - reserved, reserved)


@pytest.mark.parametrize("price", [0, 62, 99, 179, 180, 2**256 - 1])
def test_refuses_a_price_out_of_bounds(stage: Stage, price: int) -> None:
    """T-BID-11: below the quote's 100, or above SSP - fee = 178."""
    quote_id = sealed(stage, stage.consumer, price, 1_000)

    with stage.refuses(PRICE):
        stage.reveal(quote_id, stage.consumer, price, 1_000)
    assert stage.money(stage.consumer) == (FUNDS, 0)


@pytest.mark.parametrize(
    ("price", "volume", "reserve"),
    [
        # (2**24 - 1) * (2**79 - 1) = 2**103 - 2**79 - 2**24 + 1
        pytest.param(2**79 - 1, 2**24 - 1, 2**103 - 2**79 - 2**24 + 1, id="the largest volume"),
        # (2**7 - 1) * (2**96 - 1) = 2**103 - 2**96 - 2**7 + 1
        pytest.param(2**96 - 1, 2**7 - 1, 2**103 - 2**96 - 2**7 + 1, id="the largest price"),
    ],
)
def test_reserves_the_largest_bid_there_is(price: int, volume: int, reserve: int) -> None:
    """T-PARTY-11, T-MON-24: half of all the money that the market can hold, without a fee; a tenth is collateral."""
    stage = Stage(Tariff(sbp=1, ssp=price, service_fee=0))
    prosumer = stage.household("great plant", funds=reserve // 10)
    buyer = stage.household("great buyer", funds=reserve)
    quote_id = stage.quote(volume, price, prosumer=prosumer)
    stage.bid(quote_id, buyer, price, volume)
    stage.to("REVEALING")

    stage.reveal(quote_id, buyer, price, volume)

    assert stage.money(buyer) == (0, reserve)
    assert stage.money(prosumer) == (0, reserve // 10)


# ---- the seal -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "volume", "salt"),
    [
        pytest.param(141, 600, SALT, id="another price"),
        pytest.param(140, 601, SALT, id="another volume"),
        pytest.param(600, 140, SALT, id="price and volume exchanged"),
        pytest.param(140, 600, SALT[:31] + b"\0", id="another salt"),
        pytest.param(140, 600, bytes(32), id="no salt"),
    ],
)
def test_refuses_what_was_not_sealed(stage: Stage, price: int, volume: int, salt: bytes) -> None:
    """T-BID-9; and the bid can be opened rightly afterwards."""
    quote_id = sealed(stage, stage.consumer, 140, 600)

    with stage.refuses(SEAL):
        stage.reveal(quote_id, stage.consumer, price, volume, salt)
    stage.reveal(quote_id, stage.consumer, 140, 600)
    assert stage.market.bid(quote_id, stage.consumer.address).status == RESERVED


@pytest.mark.parametrize("other", ["chain", "market", "quote", "bidder"])
def test_refuses_a_seal_for_another(stage: Stage, other: str) -> None:
    """T-BID-4: it fits no other chain, market, quote or bidder."""
    quote_id = stage.quote()
    chain_id, market, number, bidder = (
        boa.env.evm.patch.chain_id,
        stage.market.address,
        quote_id,
        stage.consumer.address,
    )
    if other == "chain":
        chain_id += 1
    elif other == "market":
        market = stage.stranger
    elif other == "quote":
        number = stage.quote(prosumer=stage.neighbour)
    else:
        bidder = stage.neighbour.address
    types = ["uint256", "address", "uint256", "address", "uint256", "uint256", "bytes32"]
    seal = keccak(encode(types, [chain_id, market, number, bidder, 140, 600, SALT]))
    stage.market.submit_bid(quote_id, seal, sender=stage.consumer.address)
    stage.to("REVEALING")

    with stage.refuses(SEAL):
        stage.reveal(quote_id, stage.consumer, 140, 600)


@pytest.mark.parametrize("changed", [1, 2**33, 2**34 - 1, 2**34, 2**255])
def test_compares_the_first_222_bits_of_a_seal(stage: Stage, changed: int) -> None:
    """T-BID-17: what is cut off makes no difference, any bit that is kept does."""
    quote_id = stage.quote()
    seal = int.from_bytes(stage.seal(quote_id, stage.consumer, 140, 600), "big") ^ changed
    stage.market.submit_bid(quote_id, seal.to_bytes(32, "big"), sender=stage.consumer.address)
    stage.to("REVEALING")

    if changed >= 2**34:
        with stage.refuses(SEAL):
            stage.reveal(quote_id, stage.consumer, 140, 600)
        return
    stage.reveal(quote_id, stage.consumer, 140, 600)
    assert stage.market.bid(quote_id, stage.consumer.address) == (bytes(32), 140, 600, 0, RESERVED)


def test_refuses_a_copied_bid(stage: Stage) -> None:
    """T-BID-4: who copies a seal, and later what opened it, still opens nothing."""
    quote_id = stage.quote()
    seal = stage.seal(quote_id, stage.consumer, 140, 600)
    stage.market.submit_bid(quote_id, seal, sender=stage.consumer.address)
    stage.market.submit_bid(quote_id, seal, sender=stage.neighbour.address)
    stage.to("REVEALING")
    stage.reveal(quote_id, stage.consumer, 140, 600)

    with stage.refuses(SEAL):
        stage.reveal(quote_id, stage.neighbour, 140, 600)
    assert stage.money(stage.neighbour) == (FUNDS, 0)


def test_never_opens_a_seal_of_zero(stage: Stage) -> None:
    """T-BID-5."""
    quote_id = stage.quote()
    stage.market.submit_bid(quote_id, bytes(32), sender=stage.consumer.address)
    stage.to("REVEALING")

    with stage.refuses(SEAL):
        stage.reveal(quote_id, stage.consumer, 0, 0, bytes(32))
    with stage.refuses(SEAL):
        stage.reveal(quote_id, stage.consumer, 140, 600)


# ---- once, and by whom ----------------------------------------------------------------------------


def test_refuses_to_open_twice(stage: Stage) -> None:
    """T-BID-9: nothing is reserved, and no demand counted, a second time."""
    quote_id = sealed(stage, stage.consumer, 140, 600)
    stage.reveal(quote_id, stage.consumer, 140, 600)

    with stage.refuses(NOTHING):
        stage.reveal(quote_id, stage.consumer, 140, 600)
    assert stage.money(stage.consumer) == (FUNDS - 85_200, 85_200)
    assert stage.market.demand(stage.period) == 600


@pytest.mark.parametrize("who", ["neighbour", "prosumer"])
def test_refuses_who_has_no_bid(stage: Stage, who: str) -> None:
    """T-BID-9: nobody opens another's bid."""
    quote_id = sealed(stage, stage.consumer, 140, 600)
    household = {"neighbour": stage.neighbour, "prosumer": stage.prosumer}[who]

    with stage.refuses(NOTHING):
        stage.reveal(quote_id, household, 140, 600)


@pytest.mark.parametrize("who", ["stranger", "supplier", "owner", "registered only", "revoked"])
def test_refuses_who_is_not_authorised(stage: Stage, who: str) -> None:
    """T-REG-15: also where a bid was handed in with an authorisation."""
    quote_id = stage.quote()
    stage.bid(quote_id, stage.neighbour, 100, 1_000)
    newcomer = stage.register(stage.unregistered("newcomer"))
    stage.market.revoke(stage.neighbour.address, sender=stage.owner)
    stage.to("REVEALING")
    sender = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "owner": stage.owner,
        "registered only": newcomer.address,
        "revoked": stage.neighbour.address,
    }[who]

    with stage.refuses(NOT_AUTHORISED):
        stage.market.reveal_bid(quote_id, 100, 1_000, SALT, sender=sender)


def test_refuses_who_has_come_into_arrears(stage: Stage) -> None:
    """T-REG-16: the bid was sealed before the debt of 180 was booked; once it is paid the bid can be opened."""
    quote_id = stage.quote(period=stage.period + 3)
    debtor = stage.household("debtor", funds=0)
    stage.bid(quote_id, debtor, 100, 1)
    stage.invoice(debtor, imported=1)
    stage.to("REVEALING", stage.period + 3)

    stage.fund(debtor.address, 179)
    with stage.refuses(IN_ARREARS):
        stage.reveal(quote_id, debtor, 100, 1)
    stage.fund(debtor.address, 1 + 102)
    stage.reveal(quote_id, debtor, 100, 1)
    assert stage.money(debtor) == (0, 102)


@pytest.mark.parametrize("quote_id", [0, 2, 2**256 - 1])
def test_refuses_an_unknown_quote(stage: Stage, quote_id: int) -> None:
    """T-QUO-7."""
    sealed(stage, stage.consumer, 140, 600)

    with stage.refuses(UNKNOWN):
        stage.reveal(quote_id, stage.consumer, 140, 600)


def test_refuses_a_quote_that_was_taken_back(stage: Stage) -> None:
    """T-BID-9, T-QUO-13."""
    quote_id = stage.quote()
    stage.bid(quote_id, stage.consumer, 140, 600)
    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)
    stage.to("REVEALING")

    with stage.refuses(NOT_VALID):
        stage.reveal(quote_id, stage.consumer, 140, 600)


# ---- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since_start", "opens"),
    [
        pytest.param(-1_201, False, id="BIDDING, last second"),
        pytest.param(-1_200, True, id="REVEALING, first second"),
        pytest.param(-601, True, id="REVEALING, last second"),
        pytest.param(-600, False, id="MATCHING, first second"),
        pytest.param(0, False, id="DELIVERING"),
        pytest.param(1_800, False, id="METERING"),
        pytest.param(2_400, False, id="SETTLING"),
        pytest.param(3_000, False, id="CLOSING"),
    ],
)
def test_is_open_while_the_period_is_in_revealing(stage: Stage, since_start: int, opens: bool) -> None:
    """T-BID-9, T-TIME-3: from 1200 s to 601 s before the start, both included."""
    quote_id = stage.quote()
    stage.bid(quote_id, stage.consumer, 140, 600)
    boa.env.timestamp = stage.period * 1800 + since_start

    if opens:
        stage.reveal(quote_id, stage.consumer, 140, 600)
    else:
        with stage.refuses(WRONG_PHASE):
            stage.reveal(quote_id, stage.consumer, 140, 600)
    assert stage.market.bid(quote_id, stage.consumer.address).status == (RESERVED if opens else CREATED)


# ---- money ------------------------------------------------------------------------------------


def test_refuses_where_one_base_unit_is_missing(stage: Stage) -> None:
    """T-MON-6: 600 * 142 = 85 200 are needed; with one base unit more the same bid is opened."""
    thrifty = stage.household("thrifty", funds=85_199)
    quote_id = sealed(stage, thrifty, 140, 600)

    with stage.refuses(INSUFFICIENT):
        stage.reveal(quote_id, thrifty, 140, 600)
    assert stage.market.demand(stage.period) == 0
    stage.fund(thrifty.address, 1)
    stage.reveal(quote_id, thrifty, 140, 600)
    assert stage.money(thrifty) == (0, 85_200)


def test_refuses_to_reserve_what_is_reserved(stage: Stage) -> None:
    """T-MON-4, T-MON-5: two bids of 85 200 each need 170 400 though only one may win."""
    thrifty = stage.household("thrifty", funds=170_399)
    first = stage.quote()
    second = stage.quote(prosumer=stage.neighbour)
    stage.bid(first, thrifty, 140, 600)
    stage.bid(second, thrifty, 140, 600)
    stage.to("REVEALING")
    stage.reveal(first, thrifty, 140, 600)

    with stage.refuses(INSUFFICIENT):
        stage.reveal(second, thrifty, 140, 600)
    assert stage.money(thrifty) == (85_199, 85_200)


# ---- a full book ------------------------------------------------------------------------------


def test_opens_128_bids_on_a_quote_and_no_more(swift: Stage) -> None:
    """T-BID-13: the 129th is refused, though it bids the most and has the money, and though 1 Wh would be left.

    T-PARTY-16: that the book is full comes after what is wrong with the bid and before a lack of money.
    """
    quote_id = swift.quote(volume=129, price=100)
    other = swift.quote(volume=1, price=100, prosumer=swift.consumer)
    # 1 Wh at 100 with a fee of 2.
    crowd = [swift.household(f"bidder {number}", funds=102) for number in range(128)]
    poor = swift.household("poor", funds=0)
    for bidder in crowd:
        swift.bid(quote_id, bidder, 100, 1)
    swift.bid(quote_id, swift.consumer, 178, 1)
    swift.bid(quote_id, poor, 178, 1)
    swift.bid(quote_id, swift.neighbour, 99, 1)
    swift.bid(other, swift.neighbour, 100, 1)
    swift.to("REVEALING")
    for bidder in crowd:
        swift.reveal(quote_id, bidder, 100, 1)
    assert swift.market.bid(quote_id, crowd[127].address).status == RESERVED

    with swift.refuses(FULL):
        swift.reveal(quote_id, swift.consumer, 178, 1)
    with swift.refuses(FULL):
        swift.reveal(quote_id, poor, 178, 1)
    with swift.refuses(PRICE):
        swift.reveal(quote_id, swift.neighbour, 99, 1)
    assert swift.market.demand(swift.period) == 128
    assert swift.money(swift.consumer) == (FUNDS - 18, 18)
    # Another quote's book is another one.
    swift.reveal(other, swift.neighbour, 100, 1)
    assert swift.market.demand(swift.period) == 129


# ---- the first of several reasons ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "volume", "reason"),
    [
        pytest.param(0, 0, VOLUME, id="volume, price"),
        pytest.param(0, 1_001, VOLUME, id="volume too large, price, money"),
        pytest.param(179, 1_000, PRICE, id="price, money"),
        pytest.param(178, 1_000, INSUFFICIENT, id="money"),
    ],
)
def test_names_the_first_thing_wrong_with_what_was_sealed(stage: Stage, price: int, volume: int, reason: str) -> None:
    """T-PARTY-16: of a bidder without money; another salt would come before all of them."""
    poor = stage.household("poor", funds=0)
    quote_id = sealed(stage, poor, price, volume)

    with stage.refuses(SEAL):
        stage.reveal(quote_id, poor, price, volume, bytes(32))
    with stage.refuses(reason):
        stage.reveal(quote_id, poor, price, volume)


def test_names_the_first_of_several_reasons(stage: Stage) -> None:
    """T-PARTY-16: from the last reason to the first, one more thing wrong each time."""
    quote_id = stage.quote()
    withdrawn = stage.quote(prosumer=stage.neighbour)
    stage.market.invalidate_quote(withdrawn, sender=stage.neighbour.address)
    stage.to("REVEALING")

    with stage.refuses(NOTHING):  # and the seal, volume and price
        stage.reveal(quote_id, stage.consumer, 0, 0)
    stage.to("MATCHING")
    with stage.refuses(WRONG_PHASE):  # and nothing to open
        stage.reveal(quote_id, stage.consumer, 0, 0)
    with stage.refuses(NOT_VALID):  # and the phase
        stage.reveal(withdrawn, stage.consumer, 0, 0)
    with stage.refuses(NOT_AUTHORISED):  # and unknown
        stage.market.reveal_bid(3, 0, 0, SALT, sender=stage.stranger)


def test_looks_at_the_trader_before_the_quote(stage: Stage) -> None:
    """T-PARTY-16: in arrears; then not authorised, too; of an unknown quote both times."""
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=1)

    with stage.refuses(IN_ARREARS):
        stage.reveal(1, debtor, 0, 0)
    stage.market.revoke(debtor.address, sender=stage.owner)
    with stage.refuses(NOT_AUTHORISED):
        stage.reveal(1, debtor, 0, 0)


def test_opens_at_most_what_the_connection_carries(stage: Stage) -> None:
    """T-REG-21: 300 and 200 of 500 Wh on two quotes of a period, and not one more; another period is another matter."""
    small = stage.household("small", capacity=500)
    first, second = stage.quote(1_000, 100), stage.quote(1_000, 100, prosumer=stage.neighbour)
    third = stage.quote(1_000, 100, period=stage.period + 1)
    for quote_id, volume in ((first, 300), (second, 201), (third, 500)):
        stage.bid(quote_id, small, 100, volume)
    stage.to("REVEALING")
    stage.reveal(first, small, 100, 300)

    with stage.refuses("positions: beyond the capacity"):
        stage.reveal(second, small, 100, 201)
    stage.market.authorize(small.address, 501, sender=stage.owner)
    stage.reveal(second, small, 100, 201)
    stage.to("REVEALING", stage.period + 1)
    stage.reveal(third, small, 100, 500)


def test_the_capacity_comes_before_the_money(stage: Stage) -> None:
    """Annex A, 10 before 11: 501 Wh of a household that carries 500 and has no money."""
    poor = stage.household("poor", funds=0, capacity=500)
    quote_id = sealed(stage, poor, 100, 501)
    with stage.refuses("positions: beyond the capacity"):
        stage.reveal(quote_id, poor, 100, 501)
    stage.market.authorize(poor.address, 501, sender=stage.owner)
    with stage.refuses(INSUFFICIENT):
        stage.reveal(quote_id, poor, 100, 501)
