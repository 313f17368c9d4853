"""The model of the terms, by hand-worked examples: every expected number is literal, computed on paper."""

from copy import deepcopy
from typing import Any

import pytest

from wattproof.terms.model import (
    MAX_UINT256,
    ZERO_ADDRESS,
    ZERO_BYTES32,
    BidStatus,
    Market,
    Phase,
    QuoteStatus,
    Refused,
    Signature,
    Token,
    Trade,
)

SALT = b"salt".ljust(32, b"\0")
PERIOD = 100
START = 180_000  # 100 * 1800

# A moment in each phase of PERIOD, with windows of 600 s.
BIDDING, REVEALING, MATCHING, DELIVERING, METERING, SETTLING, CLOSING = (
    178_799,
    178_800,
    179_400,
    180_000,
    181_800,
    182_400,
    183_000,
)

TERMS: dict[str, Any] = {
    "owner": "owner",
    "supplier": "supplier",
    "sbp": 6,
    "ssp": 18,
    "service_fee": 1,
    "period_length": 1800,
    "window": 600,
}


def new_market(**terms: Any) -> Market:
    return Market(**(TERMS | terms))


def names(market: Market) -> list[str]:
    return [name for name, _ in market.events]


def fund(market: Market, user: str, amount: int, now: int = 0) -> None:
    market.token.mint(user, amount)
    market.token.approve(user, market.address, amount)
    market.deposit(amount, sender=user, now=now)


def join(market: Market, user: str, money: int = 0, capacity: int = 11_500) -> None:
    pairing = Signature(signer=f"{user}'s meter", message=market.pairing_message(user, b"profile"))
    market.register(b"profile", f"{user}'s meter", pairing, sender=user, now=0)
    market.authorize(user, capacity, sender="owner", now=0)
    fund(market, user, money)


def quote(market: Market, volume: int, price: int, prosumer: str = "prosumer", period: int = PERIOD) -> int:
    return market.submit_quote(period, volume, price, sender=prosumer, now=period * 1800 - 1201)


def bid(market: Market, bidder: str, volume: int, price: int, quote_id: int = 1, period: int = PERIOD) -> None:
    seal = market.seal_of(quote_id, bidder, price, volume, SALT)
    market.submit_bid(quote_id, seal, sender=bidder, now=period * 1800 - 1201)


def reveal(market: Market, bidder: str, volume: int, price: int, quote_id: int = 1, period: int = PERIOD) -> None:
    market.reveal_bid(quote_id, price, volume, SALT, sender=bidder, now=period * 1800 - 1200)


def match(market: Market, quote_id: int = 1, period: int = PERIOD) -> None:
    market.match_bids(quote_id, sender="anybody", now=period * 1800 - 600)


def buy(market: Market, buyer: str, volume: int, quote_id: int = 1, now: int = MATCHING) -> None:
    market.buy_surplus(quote_id, volume, sender=buyer, now=now)


def read(market: Market, user: str, exported: int = 0, imported: int = 0, period: int = PERIOD) -> None:
    message = market.reading_message(user, period, exported, imported)
    signature = Signature(signer=f"{user}'s meter", message=message)
    market.submit_reading(user, period, exported, imported, signature, sender="anybody", now=(period + 1) * 1800)


def settle(market: Market, quote_id: int = 1, period: int = PERIOD) -> None:
    market.settle_quote(quote_id, sender="owner", now=(period + 1) * 1800 + 600)


def delivered(market: Market) -> list[int]:
    """What each trade of the quote that was settled last received."""
    return [fields["delivered"] for name, fields in market.events if name == "TradeSettled"]


def settle_account(market: Market, user: str, period: int = PERIOD) -> None:
    market.settle_account(user, period, sender="owner", now=(period + 1) * 1800 + 600)


def refused(reason: str, market: Market, call: str, *args: object, sender: str, now: int) -> None:
    """The call is refused with exactly this reason, and changes nothing."""
    before = deepcopy(market)
    with pytest.raises(Refused) as refusal:
        getattr(market, call)(*args, sender=sender, now=now)
    assert refusal.value.reason == reason
    assert market == before
    assert market.events == []


@pytest.fixture
def market() -> Market:
    """The example of the terms, matched: 1000 Wh at 10, won by 600 Wh at 14 and 400 of 500 Wh at 12."""
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "first", 9000)
    join(market, "second", 6500)
    assert quote(market, 1000, 10) == 1
    bid(market, "second", 500, 12)
    bid(market, "first", 600, 14)
    reveal(market, "second", 500, 12)
    reveal(market, "first", 600, 14)
    match(market)
    return market


# ---- parties and time ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"token": Token(address=ZERO_ADDRESS), "supplier": ZERO_ADDRESS}, "ledger: token is zero"),
        ({"supplier": ZERO_ADDRESS, "sbp": 0}, "ledger: supplier is zero"),
        ({"sbp": 0, "ssp": 2**96}, "tariff: sbp is zero"),
        ({"ssp": 2**96, "service_fee": 2**96}, "tariff: ssp out of bounds"),
        ({"sbp": 17, "period_length": 0}, "tariff: no price band"),
        ({"period_length": 0, "window": 0}, "clock: period length is zero"),
        ({"window": 0, "priority_step": 10_001}, "clock: window is zero"),
        ({"priority_step": 10_001}, "matching: priority step out of bounds"),
    ],
)
def test_deployment_refusals_in_order(terms: dict[str, object], reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        new_market(**terms)
    assert refusal.value.reason == reason


def test_deployment_at_the_bounds() -> None:
    assert new_market(sbp=16, priority_step=10_000).sbp == 16
    assert new_market(ssp=2**96 - 1, service_fee=0, sbp=2**96 - 1).ssp == 2**96 - 1


@pytest.mark.parametrize(
    ("now", "phase"),
    [
        (0, Phase.BIDDING),
        (178_799, Phase.BIDDING),
        (178_800, Phase.REVEALING),
        (179_399, Phase.REVEALING),
        (179_400, Phase.MATCHING),
        (179_999, Phase.MATCHING),
        (180_000, Phase.DELIVERING),
        (181_799, Phase.DELIVERING),
        (181_800, Phase.METERING),
        (182_399, Phase.METERING),
        (182_400, Phase.SETTLING),
        (182_999, Phase.SETTLING),
        (183_000, Phase.CLOSING),
        (2**64, Phase.CLOSING),
    ],
)
def test_phase_edges(now: int, phase: Phase) -> None:
    assert new_market().phase(PERIOD, now) == phase


def test_phase_of_the_first_and_the_last_periods() -> None:
    assert new_market().phase(0, 0) == Phase.DELIVERING
    assert new_market(window=1801).phase(1, 0) == Phase.MATCHING
    assert new_market(window=MAX_UINT256).phase(1, 1799) == Phase.MATCHING
    assert new_market(window=MAX_UINT256).phase(0, 1800) == Phase.METERING
    assert new_market(period_length=2**255).phase(2, MAX_UINT256) == Phase.BIDDING
    assert new_market(period_length=2**255, window=2**255).phase(1, 0) == Phase.MATCHING
    assert new_market(window=MAX_UINT256).phase(MAX_UINT256, 0) == Phase.BIDDING


def test_ownership_in_two_steps() -> None:
    market = new_market()
    refused("ownable: caller is not the owner", market, "transfer_ownership", "heir", sender="heir", now=0)
    market.transfer_ownership("heir", sender="owner", now=0)
    refused("ownable_2step: caller is not the new owner", market, "accept_ownership", sender="owner", now=0)
    assert market.owner == "owner"
    market.accept_ownership(sender="heir", now=0)
    assert (market.owner, market.pending_owner) == ("heir", ZERO_ADDRESS)
    assert names(market) == ["OwnershipTransferred"]


# ---- registration --------------------------------------------------------------------


def test_register_refusals_in_order() -> None:
    market = new_market()
    good = Signature(signer="meter", message=market.pairing_message("user", b"p"))
    register = (market, "register", b"p", "meter")
    refused(
        "accounts: supplier cannot register",
        market,
        "register",
        b"p",
        ZERO_ADDRESS,
        good,
        sender="supplier",
        now=0,
    )
    refused("accounts: meter is zero", market, "register", b"p", ZERO_ADDRESS, good, sender="user", now=0)
    for form, reason in (
        ("malformed", "accounts: malformed signature"),
        ("malleable", "ecdsa: invalid signature `s` value"),
        ("unrecoverable", "ecdsa: invalid signature"),
    ):
        refused(reason, *register, Signature(form, good.signer, good.message), sender="user", now=0)  # type: ignore[arg-type]
    refused("accounts: wrong meter", *register, Signature("ok", "other", good.message), sender="user", now=0)
    refused("accounts: wrong meter", *register, good, sender="stranger", now=0)
    elsewhere = Signature(signer="meter", message=new_market(chain_id=2).pairing_message("user", b"p"))
    refused("accounts: wrong meter", *register, elsewhere, sender="user", now=0)
    market.register(b"p", "meter", good, sender="user", now=0)
    assert market.events == [("Registered", {"user": "user", "meter": "meter"})]
    refused("accounts: already registered", *register, good, sender="user", now=0)
    refused("accounts: meter already paired", *register, good, sender="stranger", now=0)


def test_authorisation_comes_and_goes() -> None:
    market = new_market()
    authorize = (market, "authorize", "user")
    refused("ownable: caller is not the owner", *authorize, 0, sender="user", now=0)
    refused("accounts: not registered", *authorize, 0, sender="owner", now=0)
    join(market, "user", capacity=100)
    refused("accounts: already authorised", *authorize, 100, sender="owner", now=0)
    refused("ownable: caller is not the owner", market, "revoke", "user", sender="user", now=0)
    market.revoke("user", sender="owner", now=0)
    refused("accounts: not authorised", market, "revoke", "user", sender="owner", now=0)
    assert (market.account("user").authorized, market.account("user").capacity) == (False, 100)
    market.authorize("user", 100, sender="owner", now=0)
    assert market.events == [("Authorized", {"user": "user", "capacity": 100})]
    assert market.account("user").authorized


def test_a_capacity_is_between_1_and_2_to_the_24() -> None:
    market = new_market()
    pairing = Signature(signer="meter", message=market.pairing_message("user", b"p"))
    market.register(b"p", "meter", pairing, sender="user", now=0)
    assert market.account("user").capacity == 0
    for capacity in (0, 2**24):
        refused("accounts: capacity out of bounds", market, "authorize", "user", capacity, sender="owner", now=0)
    least, most = deepcopy(market), deepcopy(market)
    least.authorize("user", 1, sender="owner", now=0)
    most.authorize("user", 2**24 - 1, sender="owner", now=0)
    assert (least.account("user").capacity, most.account("user").capacity) == (1, 2**24 - 1)
    refused("accounts: capacity out of bounds", most, "authorize", "user", 0, sender="owner", now=0)


@pytest.mark.parametrize("revoked", [False, True])
def test_a_capacity_may_grow_and_never_falls(revoked: bool) -> None:
    market = new_market()
    join(market, "user", capacity=100)
    if revoked:
        market.revoke("user", sender="owner", now=0)
    refused("accounts: capacity cannot fall", market, "authorize", "user", 99, sender="owner", now=0)
    market.authorize("user", 101, sender="owner", now=0)
    assert market.events == [("Authorized", {"user": "user", "capacity": 101})]
    assert (market.account("user").authorized, market.account("user").capacity) == (True, 101)
    refused("accounts: already authorised", market, "authorize", "user", 101, sender="owner", now=0)
    refused("accounts: capacity cannot fall", market, "authorize", "user", 100, sender="owner", now=0)


# ---- money ---------------------------------------------------------------------------


def test_the_token_refuses_for_its_own_reasons_allowance_first() -> None:
    market = new_market()
    refused("erc20: insufficient allowance", market, "deposit", 1, sender="user", now=0)
    market.token.approve("user", "market", 5)
    refused("erc20: transfer amount exceeds balance", market, "deposit", 5, sender="user", now=0)
    market.token.mint("user", 9)
    market.deposit(2, sender="user", now=0)
    assert market.token.allowances["user", "market"] == 3
    market.token.approve("user", "market", MAX_UINT256)
    market.deposit(7, sender="user", now=0)
    assert market.token.allowances["user", "market"] == MAX_UINT256
    assert (market.held, market.owed, market.account("user").balance) == (9, 9, 9)
    refused("ledger: insufficient balance", market, "withdraw", 10, sender="user", now=0)
    market.withdraw(9, sender="user", now=0)
    assert (market.held, market.token.balances["user"]) == (0, 9)
    market.withdraw(0, sender="nobody in particular", now=0)
    assert names(market) == ["Withdrawn"]


def test_a_withdrawal_at_least_pays_the_amount_unless_the_least_is_above_it() -> None:
    market = new_market()
    fund(market, "user", 9)
    outside = market.token.balances["user"]
    refused("ledger: insufficient balance", market, "withdraw_at_least", 10, 0, sender="user", now=0)
    refused("ledger: token moved another amount", market, "withdraw_at_least", 9, 10, sender="user", now=0)
    market.withdraw_at_least(4, 0, sender="user", now=0)
    market.withdraw_at_least(5, 5, sender="user", now=0)
    assert market.events == [("Withdrawn", {"account": "user", "amount": 5})]
    assert (market.held, market.token.balances["user"] - outside) == (0, 9)


def test_clearing_pays_as_far_as_free_money_goes(market: Market) -> None:
    # The first buyer wins 600 Wh and imports 1000; of the 600 it receives all.
    read(market, "prosumer", exported=1000)
    read(market, "first", imported=1000)
    settle(market)
    settle_account(market, "first")  # 400 * 18 = 7200 to pay, nothing free
    assert names(market) == ["PerformanceRecorded", "AccountSettled"]
    assert market.account("first")[3:6] == (0, 0, -7200)
    refused("ledger: in arrears", market, "withdraw", 0, sender="first", now=CLOSING)
    refused("ledger: in arrears", market, "submit_bid", 9, b"", sender="first", now=CLOSING)
    fund(market, "first", 5000)
    assert names(market) == ["Deposited", "Cleared"]
    assert market.events[1] == ("Cleared", {"user": "first", "amount": -5000})
    assert market.account("first")[3:6] == (0, 0, -2200)
    fund(market, "first", 2300)
    assert market.account("first")[3:6] == (100, 0, 0)
    assert market.account("supplier").balance == 7200
    market.clear("first", sender="anybody", now=0)
    assert market.events == []


def test_the_supplier_pays_as_far_as_it_has_deposited(market: Market) -> None:
    read(market, "prosumer", exported=1100)
    settle(market)
    settle_account(market, "prosumer")  # 100 * 6 = 600 to receive
    assert market.account("prosumer").grid_account == 600
    fund(market, "supplier", 250)
    assert names(market) == ["Deposited"]
    market.clear("prosumer", sender="anybody", now=0)
    assert market.events == [("Cleared", {"user": "prosumer", "amount": 250})]
    fund(market, "supplier", 1000)
    # 1800 + 8400 + 4800 - 1000 + 250 free; withdrawing clears 350 more first
    market.withdraw(14_600, sender="prosumer", now=0)
    assert names(market) == ["Cleared", "Withdrawn"]
    assert market.account("prosumer")[3:6] == (0, 0, 0)
    assert market.account("supplier").balance == 650


# ---- quotation and sealed bid --------------------------------------------------------


def test_quote_bounds() -> None:
    market = new_market()
    refused("accounts: not authorised", market, "submit_quote", 0, 0, 0, sender="prosumer", now=0)
    join(market, "prosumer", 2, capacity=1000)
    horizon = 336  # 7 * 48
    submit = (market, "submit_quote")
    refused("quotes: period too far ahead", *submit, horizon + 1, 0, 0, sender="prosumer", now=0)
    refused("quotes: period too far ahead", *submit, horizon + 1, 0, 0, sender="prosumer", now=1799)
    refused("clock: wrong phase", *submit, 0, 0, 0, sender="prosumer", now=0)
    refused("clock: wrong phase", *submit, PERIOD, 0, 0, sender="prosumer", now=REVEALING)
    for volume in (0, 1001):
        refused("quotes: volume out of bounds", *submit, horizon, volume, 0, sender="prosumer", now=0)
    for price in (6, 18):
        refused("quotes: price out of band", *submit, horizon, 1, price, sender="prosumer", now=0)
    for volume in (2, 1000):
        refused("ledger: insufficient balance", *submit, horizon, volume, 7, sender="prosumer", now=0)
    assert market.submit_quote(horizon, 1, 7, sender="prosumer", now=0) == 1  # collateral floor(1.8)
    assert market.account("prosumer")[3:5] == (1, 1)
    refused("quotes: already quoted", *submit, horizon, 1, 17, sender="prosumer", now=0)
    assert market.submit_quote(horizon + 1, 1, 17, sender="prosumer", now=1800) == 2
    assert market.quote(2) == ("prosumer", 337, 1, 17, 1800, 0, QuoteStatus.VALID)
    assert market.quote(0) == market.quote(3) == (ZERO_ADDRESS, 0, 0, 0, 0, 0, 0)


def test_taking_a_quote_back() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "bidder", 1500)
    quote(market, 1000, 10)
    bid(market, "bidder", 100, 14)
    assert (market.supply(PERIOD), market.position("prosumer", PERIOD).open) == (1000, 1)
    take_back = (market, "invalidate_quote")
    refused("quotes: unknown quote", *take_back, 0, sender="prosumer", now=BIDDING)
    refused("quotes: not the prosumer", *take_back, 1, sender="bidder", now=BIDDING)
    refused("clock: wrong phase", *take_back, 1, sender="prosumer", now=REVEALING)
    market.revoke("prosumer", sender="owner", now=0)
    market.invalidate_quote(1, sender="prosumer", now=BIDDING)
    refused("quotes: not valid", *take_back, 1, sender="prosumer", now=BIDDING)
    assert market.account("prosumer")[3:5] == (1800, 0)
    assert (market.supply(PERIOD), market.position("prosumer", PERIOD).open) == (0, 0)
    assert market.bid(1, "bidder").status == BidStatus.REJECTED
    assert market.bid(1, "bidder").seal != ZERO_BYTES32
    refused("quotes: not valid", market, "match_bids", 1, sender="owner", now=MATCHING)
    market.authorize("prosumer", 11_500, sender="owner", now=0)
    refused("quotes: already quoted", market, "submit_quote", PERIOD, 1, 10, sender="prosumer", now=0)
    assert market.quote_of("prosumer", PERIOD) == 1


def test_sealed_bid_refusals_in_order() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "bidder", 1499)
    quote(market, 1000, 10)
    submit, opening = (market, "submit_bid"), (market, "reveal_bid")
    refused("accounts: not authorised", *submit, 9, b"", sender="nobody", now=BIDDING)
    refused("quotes: unknown quote", *submit, 2, b"", sender="bidder", now=BIDDING)
    refused("clock: wrong phase", *submit, 1, b"", sender="prosumer", now=REVEALING)
    refused("bids: own quote", *submit, 1, b"", sender="prosumer", now=BIDDING)
    seal = market.seal_of(1, "bidder", 14, 100, SALT)
    market.submit_bid(1, seal, sender="bidder", now=BIDDING)
    refused("bids: already bid", *submit, 1, b"", sender="bidder", now=BIDDING)
    assert market.bid(1, "bidder") == (seal, 0, 0, 0, BidStatus.CREATED)
    assert market.account("bidder").reserved == 0

    refused("clock: wrong phase", *opening, 1, 14, 100, SALT, sender="bidder", now=BIDDING)
    refused("clock: wrong phase", *opening, 1, 14, 100, SALT, sender="bidder", now=MATCHING)
    refused("bids: nothing to open", *opening, 1, 14, 100, SALT, sender="prosumer", now=REVEALING)
    refused("bids: seal does not match", *opening, 1, 14, 101, SALT, sender="bidder", now=REVEALING)
    refused("bids: seal does not match", *opening, 1, 14, 100, b"other", sender="bidder", now=REVEALING)
    refused("ledger: insufficient balance", *opening, 1, 14, 100, SALT, sender="bidder", now=REVEALING)
    fund(market, "bidder", 1)
    market.reveal_bid(1, 14, 100, SALT, sender="bidder", now=REVEALING)
    assert market.bid(1, "bidder") == (ZERO_BYTES32, 14, 100, 0, BidStatus.RESERVED)
    assert market.account("bidder")[3:5] == (0, 1500)
    assert (market.demand(PERIOD), market.position("bidder", PERIOD).open) == (100, 1)
    refused("bids: nothing to open", *opening, 1, 14, 100, SALT, sender="bidder", now=REVEALING)


@pytest.mark.parametrize(
    ("volume", "price", "reason"),
    [
        (0, 10, "bids: volume out of bounds"),
        (1001, 9, "bids: volume out of bounds"),
        (1, 9, "bids: price out of bounds"),
        (1000, 18, "bids: price out of bounds"),
    ],
)
def test_opened_bid_out_of_bounds(volume: int, price: int, reason: str) -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "bidder")
    quote(market, 1000, 10)
    bid(market, "bidder", volume, price)
    refused(reason, market, "reveal_bid", 1, price, volume, SALT, sender="bidder", now=REVEALING)


def test_the_book_holds_128_opened_bids() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    quote(market, 1000, 10)
    for number in range(128):
        join(market, f"bidder {number}", 11)
        bid(market, f"bidder {number}", 1, 10)
    join(market, "bidder 128", capacity=1)
    bid(market, "bidder 128", 2, 10)
    for number in range(128):
        reveal(market, f"bidder {number}", 1, 10)
    refused("bids: book is full", market, "reveal_bid", 1, 10, 2, SALT, sender="bidder 128", now=REVEALING)
    match(market)
    assert market.quote(1).sold == 128
    assert market.bid(1, "bidder 128").status == BidStatus.REJECTED


def test_capacity_bounds_opened_bids_and_purchases_together() -> None:
    market = new_market()
    join(market, "prosumer", 10_000)
    join(market, "neighbour", 10_000)
    join(market, "bidder", 10_000, capacity=100)
    join(market, "rival", 20_000)
    quote(market, 60, 10)
    quote(market, 1000, 10, "neighbour")
    quote(market, 60, 10, "prosumer", PERIOD + 1)
    beyond = "positions: beyond the capacity"
    bid(market, "bidder", 60, 10)
    bid(market, "rival", 60, 17)
    bid(market, "bidder", 41, 10, 2)
    bid(market, "bidder", 60, 10, 3)
    reveal(market, "bidder", 60, 10)
    reveal(market, "rival", 60, 17)
    refused(beyond, market, "reveal_bid", 2, 10, 41, SALT, sender="bidder", now=REVEALING)
    for quote_id in (1, 2):
        match(market, quote_id)
    assert market.bid(1, "bidder").status == BidStatus.REJECTED
    refused(beyond, market, "buy_surplus", 2, 41, sender="bidder", now=MATCHING)  # the rejected bid counts
    buy(market, "bidder", 30, 2)
    read(market, "neighbour", exported=1000)
    refused(beyond, market, "buy_surplus", 2, 16, sender="bidder", now=METERING)  # 60 + 30 + 16
    market.authorize("bidder", 106, sender="owner", now=METERING)
    buy(market, "bidder", 16, 2, now=METERING)
    assert market.position("bidder", PERIOD)[:2] == (30, 46)
    # Another period counts for itself.
    reveal(market, "bidder", 60, 10, 3, PERIOD + 1)


def test_the_capacity_is_tested_before_the_balance() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "bidder", 0, capacity=99)
    quote(market, 1000, 10)
    for volume, reason in ((100, "positions: beyond the capacity"), (99, "ledger: insufficient balance")):
        other = deepcopy(market)
        bid(other, "bidder", volume, 10)
        refused(reason, other, "reveal_bid", 1, 10, volume, SALT, sender="bidder", now=REVEALING)
        match(other)
        refused(reason, other, "buy_surplus", 1, volume, sender="bidder", now=MATCHING)
    join(market, "small", 0, capacity=10)
    match(market)
    for volume, reason in ((15, "surplus: volume too small"), (16, "positions: beyond the capacity")):
        refused(reason, market, "buy_surplus", 1, volume, sender="small", now=MATCHING)


# ---- matching ------------------------------------------------------------------------


def test_match_fills_down_the_ranking(market: Market) -> None:
    assert names(market) == ["BidConfirmed", "BidConfirmed", "QuoteMatched"]
    assert market.trades(1) == [Trade("first", 600, 14), Trade("second", 400, 12)]
    assert market.bid(1, "second") == (ZERO_BYTES32, 12, 500, 400, BidStatus.CONFIRMED)
    assert market.account("first")[3:5] == (0, 9000)
    assert market.account("second")[3:5] == (1300, 5200)
    assert market.quote(1).sold == 1000
    assert market.position("second", PERIOD) == (400, 400, 0, 0, 1, False)
    assert (market.supply(PERIOD), market.demand(PERIOD)) == (1000, 1100)
    refused("quotes: not valid", market, "match_bids", 1, sender="owner", now=MATCHING)


def test_match_waits_for_its_phase_and_then_takes_no_offence_at_delay() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    quote(market, 1000, 10)
    refused("quotes: unknown quote", market, "match_bids", 2, sender="anybody", now=0)
    for now in (BIDDING, REVEALING, MATCHING - 1):
        refused("clock: wrong phase", market, "match_bids", 1, sender="anybody", now=now)
    for now in (MATCHING, DELIVERING, METERING, SETTLING, CLOSING):
        later = deepcopy(market)
        later.match_bids(1, sender="anybody", now=now)
        assert later.events == [("QuoteMatched", {"quote_id": 1, "sold": 0})]


def test_ties_go_to_volume_then_to_the_earlier_opening() -> None:
    market = new_market()
    join(market, "prosumer", 2000)
    for bidder in ("dear", "late", "early", "large"):
        join(market, bidder, 3000)
    quote(market, 300, 10)
    for bidder, volume, price in (("dear", 100, 15), ("late", 120, 12), ("early", 120, 12), ("large", 150, 10)):
        bid(market, bidder, volume, price)
    # Amounts: 1500, 1440, 1440, 1500.
    for bidder, volume, price in (("dear", 100, 15), ("early", 120, 12), ("late", 120, 12), ("large", 150, 10)):
        reveal(market, bidder, volume, price)
    match(market)
    assert market.trades(1) == [Trade("large", 150, 10), Trade("dear", 100, 15), Trade("early", 50, 12)]
    assert names(market) == ["BidRejected", *["BidConfirmed"] * 3, "QuoteMatched"]
    assert market.bid(1, "late") == (ZERO_BYTES32, 12, 120, 0, BidStatus.REJECTED)
    assert market.account("late")[3:5] == (3000, 0)
    assert market.position("late", PERIOD).open == 0
    assert market.account("early")[3:5] == (2350, 650)


@pytest.mark.parametrize(
    ("step", "performances", "winner"),
    [(0, 80, "stranger"), (1000, 4, "stranger"), (1000, 5, "regular"), (999, 5, "stranger")],
)
def test_standing_weighs_in_the_ranking(step: int, performances: int, winner: str) -> None:
    # 100 * 10 against 100 * 11: a tier weighs 10 % at a step of 1000, so that both reach 11 000 000; the regular
    # opened first.
    market = new_market(priority_step=step)
    join(market, "prosumer", 1800)
    for bidder in ("regular", "stranger"):
        join(market, bidder, 2000)
    quote(market, 100, 10)
    for bidder, price in (("regular", 10), ("stranger", 11)):
        bid(market, bidder, 100, price)
        reveal(market, bidder, 100, price)
    market.accounts["regular"].performances = performances
    match(market)
    assert [trade.buyer for trade in market.trades(1)] == [winner]


def test_ranking_by_amount_or_by_price() -> None:
    # 1000 Wh at 10 are worth 10 000 in all, 120 and 100 Wh at 15 only 1800 and 1500.
    for by_price, buyers in ((False, ["shill"]), (True, ["late", "early", "shill"])):
        market = new_market(rank_by_price=by_price)
        join(market, "prosumer", 1800)
        quote(market, 1000, 10)
        for bidder, volume, price in (("early", 100, 15), ("late", 120, 15), ("shill", 1000, 10)):
            join(market, bidder, 20_000)
            bid(market, bidder, volume, price)
            reveal(market, bidder, volume, price)
        match(market)
        assert [trade.buyer for trade in market.trades(1)] == buyers
        assert market.quote(1).sold == 1000
    assert market.trades(1)[-1] == Trade("shill", 780, 10)


@pytest.mark.parametrize(
    ("step", "performances", "winner"),
    [(0, 80, "stranger"), (1000, 4, "stranger"), (1000, 5, "regular"), (999, 5, "stranger")],
)
def test_standing_weighs_in_the_ranking_by_price(step: int, performances: int, winner: str) -> None:
    # 10 against 11 per Wh; where a tier of 10 % makes both 110 000, the larger volume goes first.
    market = new_market(priority_step=step, rank_by_price=True)
    join(market, "prosumer", 1800)
    quote(market, 101, 10)
    for bidder, volume, price in (("stranger", 100, 11), ("regular", 101, 10)):
        join(market, bidder, 2000)
        bid(market, bidder, volume, price)
        reveal(market, bidder, volume, price)
    market.accounts["regular"].performances = performances
    match(market)
    assert market.trades(1)[0].buyer == winner


def test_a_bid_never_opened_is_rejected_by_the_matching() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "bidder", 100)
    quote(market, 1000, 10)
    bid(market, "bidder", 5, 10)
    assert market.bid(1, "bidder").status == BidStatus.CREATED
    match(market)
    assert names(market) == ["QuoteMatched"]
    assert market.bid(1, "bidder").status == BidStatus.REJECTED
    assert market.account("bidder")[3:5] == (100, 0)


# ---- surplus -------------------------------------------------------------------------


def test_surplus_before_delivery_and_after_the_reading() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "buyer", 20_000)
    quote(market, 1000, 10)
    purchase = (market, "buy_surplus", 1)
    refused("accounts: not authorised", *purchase, 1, sender="nobody", now=MATCHING)
    refused("quotes: not matched", *purchase, 1, sender="buyer", now=MATCHING)
    assert market.remaining(1, MATCHING) == 0
    match(market)
    assert (market.remaining(1, MATCHING), market.remaining(1, DELIVERING)) == (1000, 0)
    refused("surplus: own quote", *purchase, 0, sender="prosumer", now=MATCHING)
    refused("surplus: volume is zero", *purchase, 0, sender="buyer", now=MATCHING)
    refused("surplus: not enough left", *purchase, 1001, sender="buyer", now=MATCHING)
    buy(market, "buyer", 300)
    assert market.remaining(1, DELIVERING - 1) == 700
    for now in (DELIVERING, METERING - 1):  # T-SUR-12
        refused("clock: wrong phase", *purchase, 0, sender="prosumer", now=now)
        assert market.remaining(1, now) == 0
    refused("surplus: volume is zero", *purchase, 0, sender="buyer", now=METERING)
    refused("surplus: no reading yet", *purchase, 701, sender="buyer", now=METERING)
    assert market.remaining(1, METERING) == 0
    assert market.account("buyer")[3:5] == (16_700, 3300)
    assert market.position("buyer", PERIOD) == (300, 300, 0, 0, 1, False)
    read(market, "prosumer", exported=1200)
    assert market.remaining(1, METERING) == 900
    refused("surplus: not enough left", *purchase, 901, sender="buyer", now=METERING)
    buy(market, "buyer", 900, now=METERING)
    assert market.quote(1).sold == 1200
    assert market.trades(1)[-1] == Trade("buyer", 900, 10)
    refused("clock: wrong phase", *purchase, 1, sender="buyer", now=SETTLING)
    settle(market)
    # 1200 Wh of 1000 quoted: neither good nor in default, fee 1200, all delivered.
    assert names(market) == ["TradeSettled"] * 2 + ["QuoteSettled"]
    assert market.account("prosumer")[3:10] == (1800 + 12_000 - 1200, 0, 0, 0, 0, 0, 0)
    assert market.position("buyer", PERIOD) == (300, 1200, 1200, 0, 0, False)
    refused("quotes: not matched", *purchase, 1, sender="buyer", now=METERING)


@pytest.mark.parametrize(("volume", "least"), [(1, 1), (64, 1), (65, 2), (128, 2), (1000, 16), (1024, 16), (1025, 17)])
def test_a_purchase_is_at_least_a_64th_of_what_is_offered(volume: int, least: int) -> None:
    market = new_market()
    join(market, "prosumer", 4000)
    join(market, "buyer", 40_000)
    quote(market, volume, 10)
    match(market)
    sold = 0
    for now, offered in ((MATCHING, volume), (METERING, 2 * volume)):
        if now == METERING:
            read(market, "prosumer", exported=2 * volume)
            least = -(-2 * volume // 64)
        while market.remaining(1, now):
            left = offered - sold
            if 1 < least <= left:
                refused("surplus: volume too small", market, "buy_surplus", 1, least - 1, sender="buyer", now=now)
            if left - 1 < least and left > 1:  # smaller, but all that is left
                refused("surplus: volume too small", market, "buy_surplus", 1, left - 1, sender="buyer", now=now)
            buy(market, "buyer", min(least, left), now=now)
            sold += min(least, left)
        assert sold == offered
        assert len(market.trades(1)) <= (64 if now == MATCHING else 128)


def test_nothing_is_left_where_less_was_exported_than_sold(market: Market) -> None:
    read(market, "prosumer", exported=999)
    assert market.remaining(1, METERING) == 0
    refused("surplus: not enough left", market, "buy_surplus", 1, 1, sender="second", now=METERING)


def test_a_quote_has_at_most_256_trades_and_they_cannot_be_used_up() -> None:
    # 128 bids of 1 Wh, then 63 purchases of 8256 / 64 = 129 Wh and the 1 Wh that is left; of 528 448 Wh exported
    # 520 192 are excess, which is 63 times a 64th of it, 8257 Wh, and 1 Wh.
    market = new_market()
    join(market, "prosumer", 20_000, capacity=1_000_000)
    join(market, "buyer", 10_000_000, capacity=1_000_000)
    quote(market, 8256, 10)
    for number in range(128):
        join(market, f"bidder {number}", 11)
        bid(market, f"bidder {number}", 1, 10)
        reveal(market, f"bidder {number}", 1, 10)
    match(market)
    refused("surplus: volume too small", market, "buy_surplus", 1, 128, sender="buyer", now=MATCHING)
    for left in range(8128, 0, -129):
        assert market.remaining(1, MATCHING) == left
        buy(market, "buyer", min(129, left))
    assert len(market.trades(1)) == 192
    refused("surplus: not enough left", market, "buy_surplus", 1, 1, sender="buyer", now=MATCHING)
    read(market, "prosumer", exported=528_448)
    for _ in range(63):
        buy(market, "buyer", 8257, now=METERING)
    assert (market.remaining(1, METERING), len(market.trades(1))) == (1, 255)
    buy(market, "buyer", 1, now=METERING)
    assert (market.remaining(1, METERING), len(market.trades(1))) == (0, 256)
    refused("surplus: too many trades", market, "buy_surplus", 1, 1, sender="buyer", now=METERING)
    settle(market)
    assert len(delivered(market)) == 256
    assert sum(delivered(market)) == 528_448


# ---- metering ------------------------------------------------------------------------


def test_reading_refusals_in_order(market: Market) -> None:
    good = Signature(signer="first's meter", message=market.reading_message("first", PERIOD, 1, 2))
    submit = (market, "submit_reading")
    for now in (METERING - 1, SETTLING):
        for user in ("first", "nobody"):
            refused("clock: wrong phase", *submit, user, PERIOD, 1, 2, good, sender="first", now=now)
    refused("accounts: not registered", *submit, "nobody", PERIOD, 0, 0, good, sender="first", now=METERING)
    refused("accounts: wrong meter", *submit, "first", PERIOD, 1, 3, good, sender="first", now=METERING)
    refused("accounts: wrong meter", *submit, "second", PERIOD, 1, 2, good, sender="first", now=METERING)
    join(market, "idle")
    market.revoke("idle", sender="owner", now=METERING)
    refused("accounts: not authorised", *submit, "idle", PERIOD, 1, 2, good, sender="idle", now=METERING)
    market.submit_reading("first", PERIOD, 1, 2, good, sender="anybody", now=METERING)
    assert market.reading("first", PERIOD) == (True, 1, 2)
    market.revoke("first", sender="owner", now=METERING)
    refused("metering: already read", *submit, "first", PERIOD, 1, 2, good, sender="first", now=METERING)


@pytest.mark.parametrize(
    ("exported", "imported", "counted"),
    [(100, 100, (100, 100)), (101, 0, (100, 0)), (0, 101, (0, 100)), (MAX_UINT256, MAX_UINT256, (100, 100))],
)
def test_what_is_above_the_capacity_counts_as_the_capacity(
    exported: int, imported: int, counted: tuple[int, int]
) -> None:
    market = new_market()
    join(market, "user", capacity=100)
    read(market, "user", exported, imported)
    announced = {"user": "user", "period": PERIOD, "exported": counted[0], "imported": counted[1]}
    assert market.events == [("ReadingSubmitted", announced)]
    market.authorize("user", 200, sender="owner", now=METERING)  # too late for this reading
    assert market.reading("user", PERIOD) == (True, *counted)
    settle_account(market, "user")
    assert market.account("user").grid_account == 6 * counted[0] - 18 * counted[1]


def test_who_is_not_authorised_is_read_where_it_has_business_only() -> None:
    """T-MET-5, T-MET-15: each of them is revoked when its reading comes, and exported 500 and imported 70 Wh."""
    market = new_market()
    for user in ("prosumer", "unmatched", "withdrawn", "winner", "loser", "waiting", "buyer", "sealed", "idle"):
        join(market, user, 20_000)
    assert [quote(market, 100, 10, user) for user in ("prosumer", "unmatched", "withdrawn")] == [1, 2, 3]
    market.invalidate_quote(3, sender="withdrawn", now=BIDDING)
    bid(market, "sealed", 10, 10)
    for bidder, volume, quote_id in (("winner", 100, 1), ("loser", 50, 1), ("waiting", 5, 2)):
        bid(market, bidder, volume, 10, quote_id)
        reveal(market, bidder, volume, 10, quote_id)
    join(market, "other", 20_000)
    assert quote(market, 100, 10, "other") == 4
    match(market)
    match(market, 4)
    buy(market, "buyer", 100, 4)
    for user in ("prosumer", "unmatched", "withdrawn", "winner", "loser", "waiting", "buyer", "sealed", "idle"):
        market.revoke(user, sender="owner", now=METERING)
    for user, exported in (("prosumer", 100), ("unmatched", 100), ("winner", 0), ("waiting", 0), ("buyer", 0)):
        read(market, user, 500, 70)
        assert market.reading(user, PERIOD) == (True, exported, 70)
    for user in ("withdrawn", "loser", "sealed", "idle"):
        signature = Signature(signer=f"{user}'s meter", message=market.reading_message(user, PERIOD, 500, 70))
        reading = (user, PERIOD, 500, 70, signature)
        refused("accounts: not authorised", market, "submit_reading", *reading, sender=user, now=METERING)
    market.authorize("withdrawn", 11_500, sender="owner", now=METERING)
    read(market, "withdrawn", 500, 70)
    assert market.reading("withdrawn", PERIOD) == (True, 500, 70)


@pytest.mark.parametrize(("withdrawn", "counted"), [(False, 100), (True, 0)])
def test_a_revoked_seller_exported_what_it_quoted_at_most(withdrawn: bool, counted: int) -> None:
    """T-MET-15: a quote that was withdrawn counts for nothing, though the user has a stake in another one."""
    market = new_market()
    join(market, "seller", 20_000)
    join(market, "other", 20_000)
    quote(market, 100, 10, "seller")
    quote(market, 100, 10, "other")
    bid(market, "seller", 100, 10, 2)
    if withdrawn:
        market.invalidate_quote(1, sender="seller", now=BIDDING)
    reveal(market, "seller", 100, 10, 2)
    market.revoke("seller", sender="owner", now=METERING)
    for exported in (99, 100, 101):
        other = deepcopy(market)
        read(other, "seller", exported)
        assert other.reading("seller", PERIOD).exported == min(exported, counted)


def test_in_a_batch_what_counts_and_who_is_read_is_as_by_itself() -> None:
    market = new_market()
    for user in ("large", "revoked"):
        join(market, user, capacity=100)
    market.revoke("revoked", sender="owner", now=METERING)
    entries = []
    for user in ("revoked", "large"):
        signature = Signature(signer=f"{user}'s meter", message=market.reading_message(user, PERIOD, 2**255, 7))
        entries.append((user, 2**255, 7, signature))
    assert market.submit_readings(PERIOD, entries, sender="anybody", now=METERING) == 0b10
    refusal = {"user": "revoked", "period": PERIOD, "index": 0, "reason": "accounts: not authorised"}
    assert market.events == [
        ("ReadingRefused", refusal),
        ("ReadingSubmitted", {"user": "large", "period": PERIOD, "exported": 100, "imported": 7}),
    ]


# ---- settlement of a quote: the paper's incentives 1 to 4 ----------------------------


def test_settle_gate(market: Market) -> None:
    refused("quotes: unknown quote", market, "settle_quote", 2, sender="owner", now=SETTLING)
    refused("clock: wrong phase", market, "settle_quote", 1, sender="owner", now=SETTLING - 1)
    refused("settlement: owner only", market, "settle_quote", 1, sender="anybody", now=CLOSING - 1)
    market.settle_quote(1, sender="anybody", now=CLOSING)
    assert market.quote(1).status == QuoteStatus.SETTLED
    refused("quotes: not matched", market, "settle_quote", 1, sender="owner", now=CLOSING)


def test_full_delivery(market: Market) -> None:
    read(market, "prosumer", exported=1000)
    settle(market)
    assert names(market) == ["TradeSettled", "TradeSettled", "PerformanceRecorded", "QuoteSettled"]
    assert market.account("first")[3:9] == (0, 0, 0, 0, 0, 0)  # 9000 - 8400 - 600
    assert market.account("second")[3:9] == (1300, 0, 0, 0, 0, 0)  # 6500 - 4800 - 400
    assert market.account("prosumer")[3:9] == (14_000, 0, 0, 1, 0, 0)  # 1800 + 13 200 - 1000
    assert market.account("owner").balance == 2000
    assert market.position("first", PERIOD) == (600, 600, 600, 0, 0, False)
    assert market.position("prosumer", PERIOD) == (0, 0, 0, 1000, 0, False)


def test_incentive_1_shortage_inside_the_tolerance(market: Market) -> None:
    read(market, "prosumer", exported=960)
    settle(market)
    assert market.events == [
        ("WaiverGranted", {"user": "first"}),
        (
            "TradeSettled",
            {"quote_id": 1, "buyer": "first", "delivered": 576, "payment": 8064, "fee": 0, "compensation": 0},
        ),
        ("WaiverGranted", {"user": "second"}),
        (
            "TradeSettled",
            {"quote_id": 1, "buyer": "second", "delivered": 384, "payment": 4608, "fee": 0, "compensation": 0},
        ),
        ("WaiverGranted", {"user": "prosumer"}),
        ("PerformanceRecorded", {"user": "prosumer", "good": True}),
        ("QuoteSettled", {"quote_id": 1, "delivered": 960, "revenue": 12_672, "fee": 0, "compensation": 0}),
    ]
    assert market.account("first")[3:9] == (936, 0, 0, 0, 0, 1)
    assert market.account("second")[3:9] == (1892, 0, 0, 0, 0, 1)
    assert market.account("prosumer")[3:9] == (14_472, 0, 0, 1, 0, 1)
    assert market.account("owner").balance == 0


def test_incentive_2_shortage_beyond_the_tolerance(market: Market) -> None:
    """The example of the terms ("In short")."""
    read(market, "prosumer", exported=900)
    settle(market)
    assert market.events == [
        ("WaiverGranted", {"user": "first"}),
        (
            "TradeSettled",
            {"quote_id": 1, "buyer": "first", "delivered": 540, "payment": 7560, "fee": 0, "compensation": 84},
        ),
        ("WaiverGranted", {"user": "second"}),
        (
            "TradeSettled",
            {"quote_id": 1, "buyer": "second", "delivered": 360, "payment": 4320, "fee": 0, "compensation": 48},
        ),
        ("PerformanceRecorded", {"user": "prosumer", "good": False}),
        ("QuoteSettled", {"quote_id": 1, "delivered": 900, "revenue": 11_880, "fee": 900, "compensation": 132}),
    ]
    assert market.account("first")[3:9] == (1524, 0, 0, 0, 0, 1)
    assert market.account("second")[3:9] == (2228, 0, 0, 0, 0, 1)
    assert market.account("prosumer")[3:9] == (12_648, 0, 0, 0, 1, 0)
    assert market.account("owner").balance == 900
    assert market.held == market.owed == 17_300


@pytest.mark.parametrize(
    ("exported", "performances", "defaults", "compensation"),
    [(949, 0, 1, 67), (950, 1, 0, 0), (1050, 1, 0, 0), (1051, 0, 0, 0), (None, 0, 1, 1320)],
)
def test_tolerance_edges_of_the_prosumer(
    market: Market, exported: int | None, performances: int, defaults: int, compensation: int
) -> None:
    # 949: parts floor(569.4) and 949 - 569, short 31 and 20 Wh, floor(43.4) + 24. None: 840 + 480.
    if exported is not None:
        read(market, "prosumer", exported=exported)
    settle(market)
    account = market.account("prosumer")
    assert (account.performances, account.defaults) == (performances, defaults)
    assert market.events[-1][1]["compensation"] == compensation


def test_pro_rata_parts_add_up() -> None:
    tiny = new_market()
    join(tiny, "prosumer", 1800)
    quote(tiny, 3, 10)
    for bidder in ("one", "two", "three"):
        join(tiny, bidder, 100)
        bid(tiny, bidder, 1, 10)
        reveal(tiny, bidder, 1, 10)
    match(tiny)
    read(tiny, "prosumer", exported=2)
    settle(tiny)
    assert delivered(tiny) == [0, 1, 1]  # floor(2/3), floor(4/3) - 0, 2 - 1
    # The first one's shortage grants it a waiver and 1 in compensation, the others pay 10 and their fee of 1.
    assert names(tiny)[:4] == ["WaiverGranted"] + ["TradeSettled"] * 3
    assert [tiny.account(bidder)[3:9] for bidder in ("one", "two")] == [(101, 0, 0, 0, 0, 1), (89, 0, 0, 0, 0, 0)]
    # The prosumer: collateral 5 back less compensation 1, paid 20, fee 2.
    assert tiny.account("prosumer").balance == 1800 - 1 + 20 - 2


@pytest.mark.parametrize(
    ("exported", "parts"),
    [
        (1000, [300, 100, 500, 100]),
        (999, [300, 100, 500, 99]),
        (900, [300, 100, 500, 0]),
        (899, [300, 100, 499, 0]),
        (400, [300, 100, 0, 0]),
        (399, [299, 100, 0, 0]),
        (4, [3, 1, 0, 0]),
        (1, [0, 1, 0, 0]),
        (0, [0, 0, 0, 0]),
        (None, [0, 0, 0, 0]),
    ],
)
def test_winners_are_served_before_purchases_and_these_in_the_order_made(
    exported: int | None, parts: list[int]
) -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    quote(market, 1000, 10)
    for bidder, volume in (("first", 300), ("second", 100)):
        join(market, bidder, 10_000)
        bid(market, bidder, volume, 10)
        reveal(market, bidder, volume, 10)
    match(market)
    join(market, "buyer", 10_000)
    buy(market, "buyer", 500)
    buy(market, "first", 100)
    if exported is not None:
        read(market, "prosumer", exported=exported)
    settle(market)
    assert delivered(market) == parts
    assert market.position("first", PERIOD).received == parts[0] + parts[3]
    assert market.position("prosumer", PERIOD).delivered == sum(parts)


def test_a_purchase_lowers_no_other_trade() -> None:
    """T-GUA-14: with and without each purchase, the winners and the purchases before it receive the same."""
    without: list[list[int]] = []
    for purchases in ([], [200], [200, 300]):
        market = new_market()
        join(market, "prosumer", 1800)
        quote(market, 1000, 10)
        for bidder in ("first", "second", "third"):
            join(market, bidder, 10_000)
            bid(market, bidder, 100, 10)
            reveal(market, bidder, 100, 10)
        match(market)
        join(market, "buyer", 10_000)
        for volume in purchases:
            buy(market, "buyer", volume)
        read(market, "prosumer", exported=250)
        settle(market)
        without.append(delivered(market)[:3])
    assert without == [[83, 83, 84]] * 3


def test_purchases_of_recorded_excess_are_never_short(market: Market) -> None:
    join(market, "late", 20_000)
    read(market, "prosumer", exported=1010)
    buy(market, "late", 10, now=METERING)
    settle(market)
    assert delivered(market) == [600, 400, 10]
    assert names(market) == ["TradeSettled"] * 3 + ["PerformanceRecorded", "QuoteSettled"]


@pytest.mark.parametrize("exported", [100, 949, 950, 1000, 1050, 1051])
def test_no_record_by_hindsight(exported: int) -> None:
    """T-STD-4, T-STD-5: of 1000 Wh quoted nothing was sold before delivery; what was recorded is bought afterwards."""
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "buyer", 20_000)
    quote(market, 1000, 10)
    match(market)
    bought = deepcopy(market)
    buy(bought, "buyer", 16)
    for sold in (market, bought):
        read(sold, "prosumer", exported=exported)
        if sold is market:
            buy(sold, "buyer", exported, now=METERING)
        settle(sold)
    assert names(market) == ["TradeSettled", "QuoteSettled"]
    assert market.events[-1][1] == {
        "quote_id": 1,
        "delivered": exported,
        "revenue": 10 * exported,
        "fee": exported,
        "compensation": 0,
    }
    assert market.account("prosumer")[6:9] == (0, 0, 0)
    assert market.account("prosumer").authorized
    assert ("PerformanceRecorded" in names(bought)) == (exported <= 1050)


def test_a_late_matching_counts_for_the_record() -> None:
    """T-STD-4: what the matching sells was agreed before, whenever it happens."""
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "bidder", 2000)
    quote(market, 1000, 10)
    bid(market, "bidder", 100, 10)
    reveal(market, "bidder", 100, 10)
    read(market, "prosumer", exported=1000)
    market.match_bids(1, sender="anybody", now=SETTLING)
    settle(market)
    assert ("PerformanceRecorded", {"user": "prosumer", "good": True}) in market.events


@pytest.mark.parametrize("authorized", [True, False])
def test_a_silent_seller_loses_its_authorisation(market: Market, authorized: bool) -> None:
    if not authorized:
        market.revoke("prosumer", sender="owner", now=METERING)
    settle(market)
    silence = ["PerformanceRecorded", *(["Revoked"] if authorized else []), "QuoteSettled"]
    assert names(market)[4:] == silence
    assert not market.account("prosumer").authorized
    assert market.account("prosumer").defaults == 1
    market.authorize("prosumer", 11_500, sender="owner", now=SETTLING)
    assert market.account("prosumer").authorized


@pytest.mark.parametrize(
    ("performances", "tier", "buyer_fee", "prosumer_fee"),
    [
        (0, 0, 7, 7),
        (4, 0, 7, 7),
        (5, 1, 5, 5),
        (9, 1, 5, 5),
        (10, 2, 4, 4),
        (20, 3, 2, 2),
        (39, 3, 2, 2),
        (40, 4, 1, 1),
        (79, 4, 1, 1),
        (80, 5, 0, 0),
        (1000, 5, 0, 0),
    ],
)
def test_incentive_4_discounts(performances: int, tier: int, buyer_fee: int, prosumer_fee: int) -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "buyer", 100)
    quote(market, 7, 10)
    match(market)
    market.buy_surplus(1, 7, sender="buyer", now=MATCHING)
    read(market, "prosumer", exported=7)
    market.accounts["prosumer"].performances = market.accounts["buyer"].performances = performances
    assert market.account("buyer").tier == tier
    settle(market)
    assert market.events[0][1]["fee"] == buyer_fee
    assert market.events[-1][1]["fee"] == prosumer_fee
    assert market.account("owner").balance == buyer_fee + prosumer_fee
    assert market.account("buyer").balance == 30 - buyer_fee


@pytest.mark.parametrize(("performances", "left"), [(0, 1), (80, 2)])
def test_a_waiver_serves_only_where_there_is_a_fee(market: Market, performances: int, left: int) -> None:
    for user in ("first", "prosumer"):
        market.accounts[user].waivers = 2
        market.accounts[user].performances = performances
    read(market, "prosumer", exported=1000)
    settle(market)
    assert market.account("first")[3] == 600
    assert (market.account("first").waivers, market.account("prosumer").waivers) == (left, left)
    assert market.account("owner").balance == 400  # the second buyer's
    assert ("WaiverUsed" in names(market)) == (left == 1)


@pytest.mark.parametrize("silent", [False, True])
def test_a_quote_that_sold_nothing_leaves_no_trace_but_silence(silent: bool) -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    quote(market, 1000, 10)
    refused("quotes: not matched", market, "settle_quote", 1, sender="owner", now=SETTLING)
    if not silent:
        read(market, "prosumer")
    market.match_bids(1, sender="anybody", now=SETTLING)
    settle(market)
    nothing = {"quote_id": 1, "delivered": 0, "revenue": 0, "fee": 0, "compensation": 0}
    revoked = [("Revoked", {"user": "prosumer"})] if silent else []
    assert market.events == [*revoked, ("QuoteSettled", nothing)]
    assert market.account("prosumer")[2:10] == (not silent, 1800, 0, 0, 0, 0, 0, 0)
    if silent:
        settlement = "settlement: nothing to settle"
        refused(settlement, market, "settle_account", "prosumer", PERIOD, sender="owner", now=SETTLING)


def test_a_silent_user_whose_quote_was_taken_back_keeps_its_authorisation() -> None:
    """T-MET-10: who did not trade has nothing to report."""
    market = new_market()
    join(market, "prosumer", 1800)
    quote(market, 1000, 10)
    market.invalidate_quote(1, sender="prosumer", now=BIDDING)
    refused("quotes: not matched", market, "settle_quote", 1, sender="owner", now=SETTLING)
    refused("settlement: nothing to settle", market, "settle_account", "prosumer", PERIOD, sender="owner", now=SETTLING)
    assert market.account("prosumer").authorized


def test_one_silence_may_revoke_twice() -> None:
    """Annex D, D10: who sold and bought loses the authorisation with the quote, and again with the account."""
    market = new_market()
    for user in ("prosumer", "neighbour"):
        join(market, user, 20_000)
        quote(market, 100, 10, user)
    bid(market, "prosumer", 100, 10, 2)
    reveal(market, "prosumer", 100, 10, 2)
    for quote_id in (1, 2):
        match(market, quote_id)
        settle(market, quote_id)
    assert not market.account("prosumer").authorized
    market.authorize("prosumer", 11_500, sender="owner", now=SETTLING)
    settle_account(market, "prosumer")
    assert names(market) == ["PerformanceRecorded", "Revoked", "AccountSettled"]


def test_the_owner_may_trade_and_pays_itself(market: Market) -> None:
    market.transfer_ownership("first", sender="owner", now=0)
    market.accept_ownership(sender="first", now=0)
    read(market, "prosumer", exported=1000)
    market.settle_quote(1, sender="first", now=SETTLING)
    assert market.account("first").balance == 2000  # 600 of them its own
    assert market.held == market.owed == 17_300


# ---- settlement of an account --------------------------------------------------------


def test_account_gate(market: Market) -> None:
    read(market, "first", imported=600)
    account = (market, "settle_account", "first", PERIOD)
    refused("clock: wrong phase", *account, sender="owner", now=SETTLING - 1)
    refused("settlement: owner only", *account, sender="first", now=SETTLING)
    refused("settlement: quotes still open", *account, sender="owner", now=SETTLING)
    refused("settlement: quotes still open", *account, sender="anybody", now=CLOSING)
    settle(market)
    market.settle_account("first", PERIOD, sender="anybody", now=CLOSING)
    refused("settlement: already settled", *account, sender="anybody", now=CLOSING)


def test_a_bid_on_an_unmatched_quote_keeps_the_account_open() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "bidder", 1500)
    quote(market, 1000, 10)
    bid(market, "bidder", 100, 14)
    reveal(market, "bidder", 100, 14)
    read(market, "bidder", imported=100)
    account = (market, "settle_account", "bidder", PERIOD)
    refused("settlement: quotes still open", *account, sender="owner", now=SETTLING)
    market.match_bids(1, sender="anybody", now=CLOSING)  # late: agreed all the same
    assert market.position("bidder", PERIOD) == (100, 100, 0, 0, 1, False)


def test_incentive_3_supplier_balances_what_trading_did_not(market: Market) -> None:
    """The example of the terms ("In short"), to its end."""
    fund(market, "supplier", 100)
    read(market, "prosumer", exported=900)
    read(market, "first", imported=600)
    read(market, "second", imported=300)
    settle(market)
    settle_account(market, "first")
    assert market.events == [
        ("PerformanceRecorded", {"user": "first", "good": True}),
        ("AccountSettled", {"user": "first", "period": PERIOD, "amount": -1080, "cleared": -1080}),  # 60 * 18
    ]
    settle_account(market, "second")
    assert market.events == [
        ("PerformanceRecorded", {"user": "second", "good": False}),  # 300 of 400
        ("AccountSettled", {"user": "second", "period": PERIOD, "amount": 360, "cleared": 360}),  # 60 * 6
    ]
    settle_account(market, "prosumer")
    assert market.events == [("AccountSettled", {"user": "prosumer", "period": PERIOD, "amount": 0, "cleared": 0})]
    balances = {"first": 444, "second": 2588, "prosumer": 12_648, "owner": 900, "supplier": 820}
    for user, balance in balances.items():
        assert market.account(user)[3:6] == (balance, 0, 0)
        market.withdraw(balance, sender=user, now=CLOSING)
    assert market.held == market.owed == 0


@pytest.mark.parametrize(("imported", "good"), [(569, False), (570, True), (630, True), (631, False)])
def test_tolerance_edges_of_the_consumer(market: Market, imported: int, good: bool) -> None:
    read(market, "first", imported=imported)
    settle(market)
    settle_account(market, "first")
    assert market.events[0] == ("PerformanceRecorded", {"user": "first", "good": good})


def test_silence_is_a_default_and_costs_the_authorisation(market: Market) -> None:
    read(market, "prosumer", exported=900)
    settle(market)
    settle_account(market, "first")  # counts as importing 600, of which it received 540
    assert names(market) == ["PerformanceRecorded", "Revoked", "AccountSettled"]
    assert market.events[2][1]["amount"] == -1080
    assert market.account("first")[2:9] == (False, 444, 0, 0, 0, 1, 1)
    market.revoke("second", sender="owner", now=0)
    settle_account(market, "second")
    assert names(market) == ["PerformanceRecorded", "AccountSettled"]


def test_silence_is_a_default_even_where_nothing_was_agreed() -> None:
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "buyer", 110)
    quote(market, 10, 10)
    match(market)
    read(market, "prosumer", exported=10)
    buy(market, "buyer", 10, now=METERING)
    assert market.position("buyer", PERIOD).agreed == 0
    spoken = deepcopy(market)
    settle(market)
    settle_account(market, "buyer")
    assert names(market)[:2] == ["PerformanceRecorded", "Revoked"]
    read(spoken, "buyer", imported=10)
    settle(spoken)
    settle_account(spoken, "buyer")
    assert names(spoken) == ["AccountSettled"]


@pytest.mark.parametrize("authorized", [True, False])
def test_a_household_takes_twice_and_owes_once_its_capacity_at_most(authorized: bool) -> None:
    """T-GUA-12: exported 100 and bought 100 without use; the other one imported 100 and received nothing."""
    market = new_market()
    join(market, "seller", 1000, capacity=100)
    join(market, "taker", 2000, capacity=100)
    join(market, "owing", 2000, capacity=100)
    quote(market, 100, 10, "seller")
    quote(market, 100, 10, "taker")
    bid(market, "taker", 100, 10)
    reveal(market, "taker", 100, 10)
    match(market)
    if not authorized:
        market.revoke("taker", sender="owner", now=METERING)
    read(market, "seller", exported=MAX_UINT256)
    read(market, "taker", exported=MAX_UINT256)
    read(market, "owing", imported=MAX_UINT256)
    match(market, 2)
    for quote_id in (1, 2):
        settle(market, quote_id)
    for user, amount in (("taker", 2 * 100 * 6), ("owing", -100 * 18)):
        settle_account(market, user)
        assert market.events[-1][1]["amount"] == amount


@pytest.mark.parametrize("waivers", [0, 1])
def test_silence_pays_nothing_but_for_a_waiver(waivers: int) -> None:
    """T-GUA-13; annex C, 37: a waiver that a small fee would use up replaces a large one, for who is silent."""
    outcomes = []
    for silent in (False, True):
        market = new_market()
        join(market, "user", 20_000)
        join(market, "other", 20_000)
        quote(market, 1, 10, "user")
        quote(market, 1000, 10, "other")
        for bidder, volume, quote_id in (("other", 1, 1), ("user", 1000, 2)):
            bid(market, bidder, volume, 10, quote_id)
            reveal(market, bidder, volume, 10, quote_id)
        for quote_id in (1, 2):
            match(market, quote_id)
        market.accounts["user"].waivers = waivers
        read(market, "other", exported=1000, imported=1)
        if not silent:
            read(market, "user", exported=1, imported=1000)
        for quote_id in (1, 2):
            settle(market, quote_id)
        settle_account(market, "user")
        outcomes.append(market.account("user").balance + market.account("user").grid_account)
    # With the reading 10 less the fee of 1, or less a waiver, and 10 000 and the fee of 1000; silent the compensation
    # of 1, and 10 000 and the fee of 1000, or a waiver.
    spoken, silent = (9009, 8999) if waivers == 0 else (9010, 9999)
    assert outcomes == [spoken, silent]


def test_who_agreed_nothing_may_still_pay_more_than_the_grid() -> None:
    """Annex C, 1: a buyer that imports less than it received is not covered by T-GUA-3."""
    market = new_market()
    join(market, "prosumer", 1800)
    join(market, "buyer", 110)
    quote(market, 10, 10)
    match(market)
    read(market, "prosumer", exported=10)
    buy(market, "buyer", 10, now=METERING)
    read(market, "buyer", imported=0)
    settle(market)
    settle_account(market, "buyer")
    assert market.account("buyer")[3:6] == (0, 0, 60)  # paid 110 for 10 Wh, resold at 6


def test_a_reading_without_trades_settles_with_the_supplier_alone() -> None:
    market = new_market()
    join(market, "household")
    read(market, "household", exported=5, imported=7)
    settle_account(market, "household")
    assert market.events == [
        ("AccountSettled", {"user": "household", "period": PERIOD, "amount": 30 - 126, "cleared": 0})
    ]
    assert market.account("household")[2:10] == (True, 0, 0, -96, 0, 0, 0, 0)


def test_waivers_make_the_order_of_two_settlements_matter() -> None:
    """Annex C, 2: who shares a waiver does not commute."""
    market = new_market()
    for prosumer in ("prosumer", "neighbour"):
        join(market, prosumer, 1800)
        quote(market, 10, 10, prosumer)
    join(market, "buyer", 220)
    for quote_id in (1, 2):
        match(market, quote_id)
        market.buy_surplus(quote_id, 10, sender="buyer", now=MATCHING)
    read(market, "prosumer", exported=0)
    read(market, "neighbour", exported=10)
    other = deepcopy(market)
    settle(market, 1)
    settle(market, 2)
    settle(other, 2)
    settle(other, 1)
    # Compensation 10 either way: 220 - 100 + 10, less the fee of 10 in the other order.
    assert (market.account("buyer").balance, market.account("buyer").waivers) == (130, 0)
    assert (other.account("buyer").balance, other.account("buyer").waivers) == (120, 1)
