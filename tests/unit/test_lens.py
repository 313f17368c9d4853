"""The lens, and the words that it reads: T-PARTY-18, T-ACC-5, T-ACC-13, T-BID-7, T-QUO-7, T-SUR-10, T-MON-21.

Every test runs twice: on contracts built for Prague's rules, as they ship, and on such as are built for Shanghai's.
There the lock against re-entry lies in storage, so that everything else is moved by one place.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import boa
import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from vyper.compiler.settings import OptimizationLevel

from tests.support.planted import Planted, plant, set_standing, write
from tests.support.stage import CAPACITY, FUNDS, NOON, SALT, Household, Stage, kept
from wattproof.evm.engine import state_digest
from wattproof.market import deployment
from wattproof.market.deployment import contracts_dir, deployer

ZERO = "0x" + "00" * 20
NOTHING = bytes(32)
LARGEST = 2**256 - 1

BIDDING, REVEALING, MATCHING, DELIVERING, METERING, SETTLING, CLOSING = (1 << place for place in range(7))
VALID, INVALID, MATCHED, SETTLED = (1 << place for place in range(4))
CREATED, RESERVED, CONFIRMED, REJECTED = (1 << place for place in range(4))


@functools.cache
def older(name: str) -> Any:
    """The deployer of a contract built for Shanghai's rules and for code size, as `verification.builds` has it.

    titanoboa anchors the settings, without which vyper takes every contract for Prague's, and keeps the build on disk.
    """
    settings = {"evm_version": "shanghai", "optimize": OptimizationLevel.CODESIZE}
    return boa.load_partial(str(contracts_dir() / f"{name}.vy"), compiler_args=settings)


@pytest.fixture(scope="module", params=["Prague", "Shanghai"])
def stage(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    """The stage of all unit tests; then one whose contracts are built for older rules."""
    if request.param == "Prague":
        return stage
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deployment, "deployer", older)
        return Stage()


def is_older(stage: Stage) -> bool:
    """Whether the stage's contracts are built for Shanghai."""
    return stage.market.compiler_data.settings.evm_version == "shanghai"


class Evening:
    """One period of the stage, played by hand in steps: three quotes, bids of each fate, purchases, settlement.

    `until` plays the steps up to one, that one included. What each comes to is computed where it is tested.
    """

    STEPS = ("quoted", "sealed", "opened", "matched", "bought", "metered", "settled")

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.buyer = stage.household("buyer", capacity=5_000)
        self.loser = stage.household("loser")
        self.poor = stage.household("poor", funds=0)
        self.played = 0

    @property
    def households(self) -> dict[str, Household]:
        """Everybody with a meter."""
        stage = self.stage
        own = {"buyer": self.buyer, "loser": self.loser, "poor": self.poor}
        return {"prosumer": stage.prosumer, "consumer": stage.consumer, "neighbour": stage.neighbour, **own}

    def until(self, step: str) -> Evening:
        """Goes on until `step` is done."""
        while self.played <= self.STEPS.index(step):
            getattr(self, self.STEPS[self.played])()
            self.played += 1
        return self

    def quoted(self) -> None:
        """Three quotes, a few seconds apart."""
        assert self.stage.quote(1_000, 100) == 1
        boa.env.timestamp = NOON + 60
        assert self.stage.quote(500, 90, self.stage.neighbour) == 2
        boa.env.timestamp = NOON + 61
        assert self.stage.quote(200, 100, self.stage.consumer) == 3

    def sealed(self) -> None:
        """Bids on all three, then the third is withdrawn. The neighbour's are never opened."""
        stage = self.stage
        for bid in self.to_open:
            stage.bid(*bid)
        stage.bid(1, stage.neighbour, 150, 100)
        stage.bid(3, stage.neighbour, 100, 200)
        stage.market.invalidate_quote(3, sender=stage.consumer.address)

    @property
    def to_open(self) -> list[tuple[int, Household, int, int]]:
        """Bids that are opened, in this order. By amount: 99 000, 84 000 and 5 050; then 19 000 and 9 200."""
        return [
            (1, self.buyer, 110, 900),
            (1, self.stage.consumer, 120, 700),
            (1, self.loser, 101, 50),
            (2, self.stage.consumer, 95, 200),
            (2, self.buyer, 92, 100),
        ]

    def opened(self) -> None:
        """Five bids are opened."""
        self.stage.to("REVEALING")
        for bid in self.to_open:
            self.stage.reveal(*bid)

    def matched(self) -> None:
        """900 of 1000 Wh go to the buyer, 100 to the consumer; then 200 and 100 of 500."""
        self.stage.to("MATCHING")
        self.stage.market.match_bids(1)
        self.stage.market.match_bids(2)

    def bought(self) -> None:
        """50 and 100 of the 200 Wh that are left, ahead of the delivery."""
        self.stage.market.buy_surplus(2, 50, sender=self.loser.address)
        self.stage.market.buy_surplus(2, 100, sender=self.stage.consumer.address)

    def metered(self) -> None:
        """4 % less than sold of the first quote, 20 % more than quoted of the second; the loser's meter is silent."""
        stage = self.stage
        stage.to("METERING")
        stage.read(stage.prosumer, 960, 0)
        stage.read(stage.neighbour, 600, 10)
        stage.read(stage.consumer, 0, 500)
        stage.read(self.buyer, 0, 1_000)
        stage.read(self.poor, 0, 7)
        stage.market.buy_surplus(2, 30, sender=self.buyer.address)

    def settled(self) -> None:
        """Quotes first. The neighbour comes first of the accounts, when the supplier has nothing to pay it with."""
        stage = self.stage
        stage.to("SETTLING")
        for quote_id in (1, 2):
            stage.market.settle_quote(quote_id, sender=stage.owner)
        for household in (stage.neighbour, stage.consumer, self.buyer, self.loser, stage.prosumer, self.poor):
            stage.market.settle_account(household.address, stage.period, sender=stage.owner)

    def trade_on(self) -> None:
        """Five more quotes for the next period, with a bid each: eight quotes in all."""
        stage = self.stage
        sellers = (stage.prosumer, stage.neighbour, stage.consumer, self.buyer, self.loser)
        for number, seller in enumerate(sellers):
            quote_id = stage.quote(100 + number, 100, seller, stage.period + 1)
            stage.bid(quote_id, sellers[number - 1], 110, 50)


# ---- the constructor ------------------------------------------------------------------------------


def refusal(stage: Stage, address: Any) -> str | None:
    """Why no lens can be made for an address; None where that is not said."""
    creation = stage.market.lens.compiler_data.bytecode + encode(["address"], [str(address)])
    _, computation = boa.env.deploy(bytecode=creation)
    assert computation.is_error
    output = bytes(computation.output)
    assert output == b"" or output[:4] == keccak(text="Error(string)")[:4]
    return decode(["string"], output[4:])[0] if output else None


def test_is_made_for_contracts_only(stage: Stage) -> None:
    """An address without a program says nothing: nobody's, a household's, one of the machine's own."""
    for address in (ZERO, stage.stranger, stage.prosumer.address, "0x" + "00" * 19 + "04"):
        assert refusal(stage, address) is None, address


def test_is_not_made_for_a_token_or_a_lens(stage: Stage) -> None:
    """Neither has any words to show."""
    for contract in (stage.token, stage.market.lens):
        assert refusal(stage, contract.address) is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param("[0]", "lens: not a market", id="nothing"),
        pytest.param("[2]", "lens: not a market", id="no mark"),
        pytest.param("[max_value(uint256)]", "lens: not a market", id="all ones"),
        pytest.param("places", "lens: not a market", id="what it is asked"),
        pytest.param("[]", None, id="no word at all"),
        pytest.param("[1]", None, id="a mark, but no frame"),
    ],
)
def test_is_not_made_for_what_only_looks_like_a_market(stage: Stage, words: str, reason: str | None) -> None:
    """A contract that answers `words` is asked for the market's mark, then for its frame."""
    contract = boa.loads(
        f"""
# pragma version 0.4.3

@external
@view
def words(places: DynArray[uint256, 256]) -> DynArray[uint256, 256]:
    return {words}
"""
    )

    assert refusal(stage, contract.address) == reason


# ---- what is fixed -----------------------------------------------------------------------------------


def test_tells_the_frame_of_its_own_market(stage: Stage) -> None:
    """T-PARTY-7: two markets, a lens each; every value in its place."""
    other = stage.market.deployer.deploy(stage.token.address, stage.stranger, 61, 183, 3, 900, 450, 700, True)
    lens = stage.market.lens.deployer.deploy(other.address)

    def told(lens: Any) -> tuple[Any, ...]:
        prices = (lens.SBP(), lens.SSP(), lens.SERVICE_FEE())
        times = (lens.PERIOD_LENGTH(), lens.WINDOW())
        return (
            lens.MARKET(),
            lens.TOKEN(),
            lens.SUPPLIER(),
            *prices,
            *times,
            lens.PRIORITY_STEP(),
            lens.RANK_BY_PRICE(),
        )

    parties = (stage.market.address, stage.token.address, stage.supplier)
    assert told(stage.market.lens) == (*parties, 60, 180, 2, 1_800, 600, 500, False)
    assert told(lens) == (other.address, stage.token.address, stage.stranger, 61, 183, 3, 900, 450, 700, True)
    # Its own market's clock, too: 1000 periods of 900 s begin 450 s after now.
    boa.env.timestamp = 900_000 - 450
    assert (lens.phase(1_000), stage.market.lens.phase(500)) == (MATCHING, MATCHING)
    boa.env.timestamp = 900_000 - 451
    assert (lens.phase(1_000), stage.market.lens.phase(500)) == (REVEALING, MATCHING)


def test_follows_the_owner(stage: Stage) -> None:
    """T-PARTY-3: the owner and who is to follow are asked of the market each time."""
    lens, market = stage.market.lens, stage.market
    told = [(lens.owner(), lens.pending_owner())]
    market.transfer_ownership(stage.stranger, sender=stage.owner)
    told.append((lens.owner(), lens.pending_owner()))
    market.accept_ownership(sender=stage.stranger)
    told.append((lens.owner(), lens.pending_owner()))

    assert told == [(stage.owner, ZERO), (stage.owner, stage.stranger), (stage.stranger, ZERO)]


# ---- every view, at the end of an evening -------------------------------------------------------------


def test_answers_every_view(stage: Stage) -> None:
    """T-PARTY-18: the whole of contracts/interfaces/IMarketLens.vyi, but for `state`, after one evening."""
    evening = Evening(stage).until("settled")
    lens, period, consumer = stage.market.lens, stage.period, stage.consumer.address
    seal = keccak(
        encode(
            ["uint256", "address", "uint256", "address", "uint256", "uint256", "bytes32"],
            [boa.env.evm.patch.chain_id, stage.market.address, 1, consumer, 120, 700, SALT],
        )
    )
    identity = (stage.consumer.profile, stage.consumer.meter.address, True)

    wanted: dict[str, tuple[tuple[Any, ...], Any]] = {
        "MARKET": ((), stage.market.address),
        "TOKEN": ((), stage.token.address),
        "SUPPLIER": ((), stage.supplier),
        "SBP": ((), 60),
        "SSP": ((), 180),
        "SERVICE_FEE": ((), 2),
        "PERIOD_LENGTH": ((), 1_800),
        "WINDOW": ((), 600),
        "PRIORITY_STEP": ((), 500),
        "RANK_BY_PRICE": ((), False),
        "owner": ((), stage.owner),
        "pending_owner": ((), ZERO),
        "phase": ((period,), SETTLING),
        "account": ((consumer,), (*identity, FUNDS - 58_440, 0, 0, 0, 1, 0, 0, CAPACITY)),
        "quote": ((1,), (stage.prosumer.address, period, 1_000, 100, NOON, 1_000, SETTLED)),
        "quote_count": ((), 3),
        "quote_of": ((stage.neighbour.address, period), 2),
        "supply": ((period,), 1_500),  # without the 200 Wh withdrawn
        "demand": ((period,), 1_950),  # 900 + 700 + 50 + 200 + 100 Wh
        "bid": ((1, consumer), (NOTHING, 120, 700, 100, CONFIRMED)),
        "seal_of": ((1, consumer, 120, 700, SALT), seal),
        "trades": ((1,), [(evening.buyer.address, 900, 110), (consumer, 100, 120)]),
        "remaining": ((2,), 0),
        "reading": ((consumer, period), (True, 0, 500)),
        "position": ((consumer, period), (400, 400, 396, 0, 0, True)),
        "in_the_way": ((consumer, period), (False, 0, [], [], 0, False)),
    }

    source = (contracts_dir() / "interfaces" / "IMarketLens.vyi").read_text()
    assert {*wanted, "state"} == set(re.findall(r"^def (\w+)\(", source, re.MULTILINE))
    for name, (arguments, answer) in wanted.items():
        assert getattr(lens, name)(*arguments) == answer, name


# ---- accounts -----------------------------------------------------------------------------------------


def test_tells_accounts_in_credit_and_in_arrears(stage: Stage) -> None:
    """T-PARTY-18: by hand, in base units.

    First quote: 960 of 1000 Wh come, a shortage inside the tolerance. The buyer receives 864 Wh for 95 040, the
    consumer 96 Wh for 11 520; there is no fee, and a waiver for all three. Second quote: 480 Wh are sold and come. The
    consumer pays 19 000 with its waiver, the buyer 9 200 with its own, the loser 4 500 + 100, the consumer
    9 000 + 200, the buyer 2 700 + 60, the neighbour 960: the owner has 1 320.
    """
    evening = Evening(stage).until("settled")

    def told(who: Any) -> tuple[Any, ...]:
        return tuple(stage.account(who))[2:]

    # Authorised; free, reserved, invoice; performances, defaults, waivers, tier; capacity.
    assert told(stage.prosumer) == (True, FUNDS + 106_560, 0, 0, 1, 0, 1, 0, CAPACITY)
    # 120 Wh of its 600 were not sold: 7 200, less 10 Wh at 180. More than the tolerance is neither good nor bad.
    assert told(stage.neighbour) == (True, FUNDS + 43_440, 0, 5_400, 0, 0, 0, 0, CAPACITY)
    # Of 500 Wh 104 are the supplier's: 18 720, paid at once. It agreed 400.
    assert told(stage.consumer) == (True, FUNDS - 58_440, 0, 0, 0, 1, 0, 0, CAPACITY)
    # 994 Wh of 1000: 6 at 180.
    assert told(evening.buyer) == (True, FUNDS - 108_080, 0, 0, 1, 0, 0, 0, 5_000)
    # Its meter was silent: a default, and no authorisation.
    assert told(evening.loser) == (False, FUNDS - 4_600, 0, 0, 0, 1, 0, 0, CAPACITY)
    # 7 Wh at 180, and nothing to pay with.
    assert told(evening.poor) == (True, 0, 0, -1_260, 0, 0, 0, 0, CAPACITY)
    assert told(stage.owner) == (False, 1_320, 0, 0, 0, 0, 0, 0, 0)
    assert told(stage.supplier) == (False, 19_800, 0, 0, 0, 0, 0, 0, 0)
    for household in evening.households.values():
        assert tuple(stage.account(household))[:2] == (household.profile, household.meter.address)
    stage.assert_books_balance(*evening.households.values())

    # The supplier pays 5 400 of its 19 800; the poor one pays all but 260.
    stage.market.clear(stage.neighbour.address)
    stage.fund(evening.poor.address, 1_000)
    assert told(stage.neighbour)[1:4] == (FUNDS + 48_840, 0, 0)
    assert told(evening.poor)[1:4] == (0, 0, -260)
    assert told(stage.supplier)[1:4] == (15_400, 0, 0)


def test_tells_what_is_reserved(stage: Stage) -> None:
    """T-QUO-10, T-BID-12: 10 % of a quote at 180; a bid at its price and the fee of 2."""
    evening = Evening(stage).until("quoted")
    parties = (stage.prosumer, stage.neighbour, stage.consumer, evening.buyer, evening.loser)

    def reserved() -> list[int]:
        assert all(sum(stage.money(party)) == FUNDS for party in parties)
        return [stage.money(party)[1] for party in parties]

    told = [reserved()]
    for step in ("sealed", "opened", "matched", "bought"):
        evening.until(step)
        told.append(reserved())

    assert told == [
        [18_000, 9_000, 3_600, 0, 0],
        [18_000, 9_000, 0, 0, 0],
        # 700 * 122 + 200 * 97; 900 * 112 + 100 * 94; 50 * 103.
        [18_000, 9_000, 104_800, 110_200, 5_150],
        # 100 * 122 + 200 * 97.
        [18_000, 9_000, 31_600, 110_200, 0],
        # 100 and 50 Wh at 92.
        [18_000, 9_000, 40_800, 110_200, 4_600],
    ]


@pytest.mark.parametrize("profile", [bytes(32), bytes(31) + b"\1", b"\xff" * 32], ids=["zero", "one", "all ones"])
def test_tells_any_profile(stage: Stage, profile: bytes) -> None:
    """T-REG-1: zero, too, although the market keeps it as one; authorised or not."""
    somebody = stage.unregistered("somebody")
    signature = somebody.meter.sign_pairing(stage.market, somebody.address, profile)
    stage.market.register(profile, somebody.meter.address, signature, sender=somebody.address)
    assert stage.account(somebody) == (profile, somebody.meter.address, False, 0, 0, 0, 0, 0, 0, 0, 0)

    stage.market.authorize(somebody.address, 1, sender=stage.owner)
    assert stage.account(somebody) == (profile, somebody.meter.address, True, 0, 0, 0, 0, 0, 0, 0, 1)


def test_tells_nothing_of_nobody(stage: Stage) -> None:
    """T-PARTY-18: all zero. The market's own mark, a profile of the zero address, is nobody's."""
    for who in (ZERO, stage.stranger, stage.prosumer.meter.address, stage.market.address, "0x" + "ff" * 20):
        assert stage.account(who) == (NOTHING, ZERO, False, 0, 0, 0, 0, 0, 0, 0, 0)


def test_tells_standing_and_tier(stage: Stage) -> None:
    """T-STD-2: tiers begin at 5, 10, 20, 40 and 80; counters at their most."""
    edges = {0: 0, 4: 0, 5: 1, 9: 1, 10: 2, 19: 2, 20: 3, 39: 3, 40: 4, 79: 4, 80: 5, 2**24 - 1: 5}
    for performances, tier in edges.items():
        set_standing(stage.market, stage.consumer.address, performances, 2**22 - 1)
        assert stage.standing(stage.consumer) == (performances, 0, 2**22 - 1, tier)
        assert stage.money(stage.consumer) == (FUNDS, 0)


# ---- quotes and bids ------------------------------------------------------------------------------------


def test_tells_quotes_through_their_lives(stage: Stage) -> None:
    """T-QUO-7: who, when, how much; sold and status as they change."""
    evening = Evening(stage).until("quoted")
    lens, period = stage.market.lens, stage.period
    first = (stage.prosumer.address, period, 1_000, 100, NOON)
    second = (stage.neighbour.address, period, 500, 90, NOON + 60)
    third = (stage.consumer.address, period, 200, 100, NOON + 61)

    def told() -> list[Any]:
        return [lens.quote(quote_id) for quote_id in (1, 2, 3)]

    assert told() == [(*first, 0, VALID), (*second, 0, VALID), (*third, 0, VALID)]
    evening.until("opened")
    assert told() == [(*first, 0, VALID), (*second, 0, VALID), (*third, 0, INVALID)]
    evening.until("matched")
    assert told() == [(*first, 1_000, MATCHED), (*second, 300, MATCHED), (*third, 0, INVALID)]
    evening.until("bought")
    assert told() == [(*first, 1_000, MATCHED), (*second, 450, MATCHED), (*third, 0, INVALID)]
    evening.until("metered")
    assert told() == [(*first, 1_000, MATCHED), (*second, 480, MATCHED), (*third, 0, INVALID)]
    evening.until("settled")
    assert told() == [(*first, 1_000, SETTLED), (*second, 480, SETTLED), (*third, 0, INVALID)]
    for quote_id in (0, 4, 2**32 + 1, LARGEST):
        assert lens.quote(quote_id) == (ZERO, 0, 0, 0, 0, 0, 0)
    assert [lens.quote_of(who.address, period) for who in evening.households.values()] == [1, 3, 2, 0, 0, 0]
    assert lens.quote_of(stage.prosumer.address, period + 1) == 0


def test_tells_bids_through_their_lives(stage: Stage) -> None:
    """T-BID-7: sealed, opened, won, lost; never opened, or on a quote that was withdrawn."""
    evening = Evening(stage).until("quoted")
    lens, consumer, neighbour = stage.market.lens, stage.consumer, stage.neighbour
    assert lens.bid(1, consumer.address) == (NOTHING, 0, 0, 0, 0)

    seals = {
        (quote_id, who.name): kept(stage.seal(quote_id, who, price, volume))
        for quote_id, who, price, volume in evening.to_open
    }
    hidden = kept(stage.seal(1, neighbour, 150, 100))
    vain = kept(stage.seal(3, neighbour, 100, 200))
    stage.bid(3, evening.poor, 100, 200)
    assert lens.bid(3, evening.poor.address).status == CREATED
    evening.until("sealed")
    for (quote_id, name), seal in seals.items():
        assert lens.bid(quote_id, evening.households[name].address) == (seal, 0, 0, 0, CREATED)
    assert lens.bid(1, neighbour.address) == (hidden, 0, 0, 0, CREATED)
    assert lens.bid(3, neighbour.address) == (vain, 0, 0, 0, REJECTED)
    assert lens.bid(3, evening.poor.address).status == REJECTED

    evening.until("opened")
    for quote_id, who, price, volume in evening.to_open:
        assert lens.bid(quote_id, who.address) == (NOTHING, price, volume, 0, RESERVED)
    assert lens.bid(1, neighbour.address) == (hidden, 0, 0, 0, CREATED)

    for step in ("matched", "bought", "metered", "settled"):
        evening.until(step)
        assert lens.bid(1, evening.buyer.address) == (NOTHING, 110, 900, 900, CONFIRMED)
        assert lens.bid(1, consumer.address) == (NOTHING, 120, 700, 100, CONFIRMED)
        assert lens.bid(1, evening.loser.address) == (NOTHING, 101, 50, 0, REJECTED)
        assert lens.bid(1, neighbour.address) == (hidden, 0, 0, 0, REJECTED)
        assert lens.bid(2, consumer.address) == (NOTHING, 95, 200, 200, CONFIRMED)
        assert lens.bid(2, evening.buyer.address) == (NOTHING, 92, 100, 100, CONFIRMED)
        # A purchase is no bid.
        assert lens.bid(2, evening.loser.address) == (NOTHING, 0, 0, 0, 0)
        assert lens.bid(3, neighbour.address) == (vain, 0, 0, 0, REJECTED)


@pytest.mark.parametrize(
    "seal",
    [0, 1, 2**34 - 1, 2**34, 1 << 210, 2**211 - 1, 2**255, LARGEST],
    ids=["0", "1", "all that is cut off", "last bit kept", "pending", "below pending", "first bit", "all ones"],
)
def test_tells_seals_that_look_like_records(stage: Stage, seal: int) -> None:
    """T-BID-4, T-BID-7, T-BID-17: what was handed in is a seal, also where what is kept reads as an opened bid."""
    stage.quote()
    handed_in = seal.to_bytes(32, "big")
    wanted = (seal - seal % 2**34).to_bytes(32, "big")
    stage.market.submit_bid(1, handed_in, sender=stage.consumer.address)
    for status in (CREATED, REJECTED):
        if status == REJECTED:
            stage.to("MATCHING")
            stage.market.match_bids(1)
        assert stage.market.bid(1, stage.consumer.address) == (wanted, 0, 0, 0, status)
        seen = stage.market.lens.state([], [stage.consumer.address], [1], [], [])
        assert list(seen.bids) == [(wanted, 0, 0, 0, status)]


def test_tells_the_last_bid_that_there_can_be(stage: Stage) -> None:
    """T-BID-7: of the quote with the largest number, and for 1 Wh, which wins."""
    last = 2**32 - 1
    write(stage.market, last - 1 | 63 << 64, "rooms", "_counter")
    assert stage.quote(10, 100) == last
    consumer = stage.consumer.address
    stage.bid(last, stage.consumer, 100, 1)
    assert stage.market.bid(last, consumer) == (kept(stage.seal(last, stage.consumer, 100, 1)), 0, 0, 0, CREATED)

    stage.to("REVEALING")
    stage.reveal(last, stage.consumer, 100, 1)
    assert stage.market.bid(last, consumer) == (NOTHING, 100, 1, 0, RESERVED)
    stage.to("MATCHING")
    stage.market.match_bids(last)
    assert stage.market.bid(last, consumer) == (NOTHING, 100, 1, 1, CONFIRMED)
    assert stage.market.trades(last) == [(consumer, 1, 100)]


def test_finds_no_bid_by_a_number_too_large(stage: Stage) -> None:
    """T-BID-7: a bid's key is the quote's number above the bidder's; what would wrap round is no quote."""
    stage.bid(stage.quote(), stage.consumer, 100, 10)

    for quote_id in (0, 2, 2**32 - 1, 2**32, 2**32 + 1, 2**224 + 1, 2**255 + 1, LARGEST):
        assert stage.market.bid(quote_id, stage.consumer.address) == (NOTHING, 0, 0, 0, 0)
        assert stage.market.trades(quote_id) == []
        assert stage.market.remaining(quote_id) == 0
    for who in (ZERO, stage.stranger, stage.prosumer.address):
        assert stage.market.bid(1, who) == (NOTHING, 0, 0, 0, 0)


def test_tells_winners_then_purchases(stage: Stage) -> None:
    """T-PARTY-18: winners by rank, purchases in the order made, at the quote's price."""
    evening = Evening(stage).until("opened")
    lens, buyer, consumer, loser = (
        stage.market.lens,
        evening.buyer.address,
        stage.consumer.address,
        evening.loser.address,
    )
    winners = [(consumer, 200, 95), (buyer, 100, 92)]
    ahead = [(loser, 50, 90), (consumer, 100, 90)]
    told = [lens.trades(2)]
    for step in ("matched", "bought", "metered", "settled"):
        evening.until(step)
        told.append(lens.trades(2))

    whole = [*winners, *ahead, (buyer, 30, 90)]
    assert told == [[], winners, [*winners, *ahead], whole, whole]
    assert lens.trades(1) == [(buyer, 900, 110), (consumer, 100, 120)]
    assert lens.trades(3) == []


def test_tells_128_winners_in_their_order(stage: Stage) -> None:
    """T-BID-13, T-MAT-2: a full book; of two bids at each price from 62 to 125 the earlier one comes first."""
    stage.quote(1_280, 62)
    bidders = plant(stage, 1, 1_280, [Planted(62 + number // 2, 10) for number in range(128)])
    stage.to("MATCHING")
    stage.market.match_bids(1)

    order = [place for pair in range(63, -1, -1) for place in (2 * pair, 2 * pair + 1)]
    trades = [(int(trade.buyer, 16), trade.volume, trade.price) for trade in stage.market.trades(1)]
    assert trades == [(int(bidders[place], 16), 10, 62 + place // 2) for place in order]
    assert stage.market.quote(1).sold == 1_280


def test_tells_what_can_be_bought_in_every_phase(stage: Stage) -> None:
    """T-SUR-10: of 500 Wh 300 are matched and 150 bought; of 600 exported 150 are then left, and 30 bought.

    Of the first quote nothing is left, and less was exported than sold.
    """
    evening = Evening(stage).until("quoted")
    told = []

    def note() -> None:
        told.append((stage.market.phase(stage.period), *map(stage.market.remaining, (1, 2, 3))))

    note()
    evening.until("sealed")
    note()
    evening.until("opened")
    note()
    stage.to("MATCHING")
    note()
    evening.until("matched")
    note()
    evening.until("bought")
    note()
    stage.to("DELIVERING")
    note()
    stage.to("METERING")
    note()
    stage.read(stage.neighbour, 600, 10)
    stage.read(stage.prosumer, 960, 0)
    note()
    stage.market.buy_surplus(2, 30, sender=evening.buyer.address)
    note()
    stage.to("SETTLING")
    note()
    stage.market.settle_quote(2, sender=stage.owner)
    note()
    stage.to("CLOSING")
    note()

    assert told == [
        (BIDDING, 0, 0, 0),
        (BIDDING, 0, 0, 0),
        (REVEALING, 0, 0, 0),
        (MATCHING, 0, 0, 0),
        (MATCHING, 0, 200, 0),
        (MATCHING, 0, 50, 0),
        (DELIVERING, 0, 0, 0),
        (METERING, 0, 0, 0),
        (METERING, 0, 150, 0),
        (METERING, 0, 120, 0),
        (SETTLING, 0, 0, 0),
        (SETTLING, 0, 0, 0),
        (CLOSING, 0, 0, 0),
    ]


# ---- positions and readings ------------------------------------------------------------------------------


def test_tells_positions_through_an_evening(stage: Stage) -> None:
    """T-ACC-5, T-ACC-13: agreed, bought, received, delivered, open, settled.

    The loser's only stake is the quote that is pending, until that is matched; who bid on both has one more.
    """
    evening = Evening(stage)
    wanted = {
        "quoted": {
            "prosumer": (0, 0, 0, 0, 1, False),
            "consumer": (0, 0, 0, 0, 1, False),
            "neighbour": (0, 0, 0, 0, 1, False),
        },
        # A seal is no stake, and the consumer's quote is withdrawn.
        "sealed": {
            "prosumer": (0, 0, 0, 0, 1, False),
            "neighbour": (0, 0, 0, 0, 1, False),
        },
        "opened": {
            "prosumer": (0, 0, 0, 0, 1, False),
            "consumer": (0, 0, 0, 0, 2, False),
            "neighbour": (0, 0, 0, 0, 1, False),
            "buyer": (0, 0, 0, 0, 2, False),
            "loser": (0, 0, 0, 0, 1, False),
        },
        "matched": {
            "prosumer": (0, 0, 0, 0, 1, False),
            "consumer": (300, 300, 0, 0, 2, False),
            "neighbour": (0, 0, 0, 0, 1, False),
            "buyer": (1_000, 1_000, 0, 0, 2, False),
        },
        "bought": {
            "prosumer": (0, 0, 0, 0, 1, False),
            "consumer": (400, 400, 0, 0, 2, False),
            "neighbour": (0, 0, 0, 0, 1, False),
            "buyer": (1_000, 1_000, 0, 0, 2, False),
            "loser": (50, 50, 0, 0, 1, False),
        },
        # What is exported is not delivered before the quote is settled; what is bought late was not agreed.
        "metered": {
            "prosumer": (0, 0, 0, 0, 1, False),
            "consumer": (400, 400, 0, 0, 2, False),
            "neighbour": (0, 0, 0, 0, 1, False),
            "buyer": (1_000, 1_030, 0, 0, 2, False),
            "loser": (50, 50, 0, 0, 1, False),
        },
        "settled": {
            "prosumer": (0, 0, 0, 960, 0, True),
            "consumer": (400, 400, 396, 0, 0, True),
            "neighbour": (0, 0, 0, 480, 0, True),
            "buyer": (1_000, 1_030, 994, 0, 0, True),
            "loser": (50, 50, 50, 0, 0, True),
            "poor": (0, 0, 0, 0, 0, True),
        },
    }

    for step in Evening.STEPS:
        evening.until(step)
        told = {
            name: tuple(stage.market.position(household.address, stage.period))
            for name, household in evening.households.items()
        }
        nothing = dict.fromkeys(told, (0, 0, 0, 0, 0, False))
        assert told == nothing | wanted[step], step
        assert stage.market.position(stage.consumer.address, stage.period + 1) == (0, 0, 0, 0, 0, False)


def test_tells_positions_between_two_settlements(stage: Stage) -> None:
    """T-ACC-5, T-ACC-13: after the first quote only, one stake each is left, and only its deliveries count."""
    evening = Evening(stage).until("metered")
    stage.to("SETTLING")
    stage.market.settle_quote(1, sender=stage.owner)

    assert {
        name: stage.market.position(household.address, stage.period) for name, household in evening.households.items()
    } == {
        "prosumer": (0, 0, 0, 960, 0, False),
        "consumer": (400, 400, 96, 0, 1, False),
        "neighbour": (0, 0, 0, 0, 1, False),
        "buyer": (1_000, 1_030, 864, 0, 1, False),
        "loser": (50, 50, 0, 0, 1, False),
        "poor": (0, 0, 0, 0, 0, False),
    }


def test_a_pending_stake_lasts_until_its_quote_is_matched(stage: Stage) -> None:
    """T-ACC-5: the matching ends the stake of a bid that lost, however late it comes; another's keeps counting."""
    evening = Evening(stage).until("opened")
    loser, told = evening.loser.address, []
    for phase in ("MATCHING", "DELIVERING", "CLOSING"):
        stage.to(phase)
        told.append(stage.market.position(loser, stage.period).open)
    stage.market.match_bids(2)
    told.append(stage.market.position(loser, stage.period).open)
    stage.market.match_bids(1)
    told.append(stage.market.position(loser, stage.period).open)

    assert told == [1, 1, 1, 1, 0]


def test_tells_readings(stage: Stage) -> None:
    """T-MET-3: beside what was quoted, kept in the same word; a reading of nothing is one."""
    evening = Evening(stage).until("bought")
    for household in evening.households.values():
        assert stage.market.reading(household.address, stage.period) == (False, 0, 0)
    evening.until("metered")
    idle, largest = stage.household("idle", funds=0), stage.household("largest", funds=0)
    stage.read(idle, 0, 0)
    stage.read(largest, CAPACITY, CAPACITY)

    for step in ("metered", "settled"):
        evening.until(step)
        told = {
            name: stage.market.reading(household.address, stage.period)
            for name, household in evening.households.items()
        }
        assert told == {
            "prosumer": (True, 960, 0),
            "consumer": (True, 0, 500),
            "neighbour": (True, 600, 10),
            "buyer": (True, 0, 1_000),
            "loser": (False, 0, 0),
            "poor": (True, 0, 7),
        }
    assert stage.market.reading(idle.address, stage.period) == (True, 0, 0)
    assert stage.market.reading(largest.address, stage.period) == (True, CAPACITY, CAPACITY)
    assert stage.market.reading(stage.prosumer.address, stage.period - 1) == (False, 0, 0)


# ---- in bulk --------------------------------------------------------------------------------------------------


def check_state(stage: Stage, users: Any, bidders: Any, quotes: Any, places: Any, periods: Any) -> Any:
    """What `state` tells is what the single views tell; returns it. All `quotes` are taken to be there."""
    lens = stage.market.lens
    seen = lens.state(users, bidders, quotes, places, periods)

    assert list(seen.accounts) == [lens.account(user) for user in users]
    assert list(seen.quotes) == [lens.quote(quote_id) for quote_id in quotes]
    assert list(seen.remaining) == [lens.remaining(quote_id) for quote_id in quotes]
    assert list(seen.trades) == [trades_hash(lens.trades(quote_id)) for quote_id in quotes]
    assert list(seen.bids) == [lens.bid(quote_id, bidder) for quote_id in quotes for bidder in bidders]
    assert list(seen.readings) == [lens.reading(*place) for place in places]
    assert list(seen.positions) == [lens.position(*place) for place in places]
    assert list(seen.quote_of) == [lens.quote_of(*place) for place in places]
    assert list(seen.periods) == [
        answer for period in periods for answer in (lens.supply(period), lens.demand(period), lens.phase(period))
    ]
    owners = (int(lens.owner(), 16), int(lens.pending_owner(), 16))
    assert list(seen.others) == [lens.quote_count(), *owners, stage.token.balanceOf(stage.market.address)]
    return seen


def trades_hash(trades: Any) -> bytes:
    """Keccak-256 of trades, ABI-encoded by eth-abi."""
    return keccak(encode(["(address,uint256,uint256)[]"], [list(map(tuple, trades))]))


def crowd(evening: Evening) -> list[str]:
    """Sixteen addresses: everybody there is, and some who are nobody."""
    stage = evening.stage
    others = [stage.owner, stage.supplier, stage.stranger, stage.market.address, stage.token.address, ZERO]
    meters = [household.meter.address for household in evening.households.values()]
    everybody = [*(household.address for household in evening.households.values()), *others, *meters]
    return everybody[:16]


@pytest.mark.parametrize("step", ["opened", "bought", "settled"])
def test_tells_in_bulk_what_the_single_views_tell(stage: Stage, step: str) -> None:
    """T-PARTY-18: early, amid and late, of as much as can be asked for at once."""
    evening = Evening(stage).until("quoted")
    evening.trade_on()
    evening.until(step)
    stage.market.transfer_ownership(stage.stranger, sender=stage.owner)
    users, period = crowd(evening), stage.period
    bidders = users[::-1]
    places = [(user, at) for user in users for at in (period, period + 1, period - 1, LARGEST)]

    seen = check_state(stage, users, bidders, [2, 1, 3, 4, 5, 6, 7, 8], places, [period, period + 1, 0, LARGEST])

    sizes = {
        name: len(getattr(seen, name)) for name in ("accounts", "quotes", "bids", "positions", "periods", "others")
    }
    assert sizes == {"accounts": 16, "quotes": 8, "bids": 128, "positions": 64, "periods": 12, "others": 4}


def test_tells_a_whole_evening_in_bulk(stage: Stage) -> None:
    """T-PARTY-18: by hand, of the second quote after all is settled."""
    evening = Evening(stage).until("settled")
    lens, period, neighbour = stage.market.lens, stage.period, stage.neighbour
    buyer, consumer, loser = evening.buyer.address, stage.consumer.address, evening.loser.address

    seen = lens.state([neighbour.address], [loser, consumer], [2], [(neighbour.address, period)], [period])

    identity = (neighbour.profile, neighbour.meter.address, True)
    assert list(seen.accounts) == [(*identity, FUNDS + 43_440, 0, 5_400, 0, 0, 0, 0, CAPACITY)]
    assert list(seen.quotes) == [(neighbour.address, period, 500, 90, NOON + 60, 480, SETTLED)]
    assert list(seen.remaining) == [0]
    bought = [(consumer, 200, 95), (buyer, 100, 92), (loser, 50, 90), (consumer, 100, 90), (buyer, 30, 90)]
    assert list(seen.trades) == [trades_hash(bought)]
    assert list(seen.bids) == [(NOTHING, 0, 0, 0, 0), (NOTHING, 95, 200, 200, CONFIRMED)]
    assert list(seen.readings) == [(True, 600, 10)]
    assert list(seen.positions) == [(0, 0, 0, 480, 0, True)]
    assert list(seen.quote_of) == [2]
    assert list(seen.periods) == [1_500, 1_950, SETTLING]
    # Five households brought FUNDS.
    assert list(seen.others) == [3, int(stage.owner, 16), 0, 5 * FUNDS]


def test_tells_nothing_where_nothing_is_asked(stage: Stage) -> None:
    """Empty lists, one by one; a quote without bidders, bidders without a quote."""
    Evening(stage).until("matched")
    someone, period = stage.consumer.address, stage.period
    full = ([someone], [someone], [1, 2], [(someone, period)], [period])

    check_state(stage, [], [], [], [], [])
    for place in range(5):
        check_state(stage, *(asked if other != place else [] for other, asked in enumerate(full)))
        check_state(stage, *(asked if other == place else [] for other, asked in enumerate(full)))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ([4], []),
        ([LARGEST, 1], []),
        ([1, 4, 2], [1]),
        ([3, 2, 1, 4], [3, 2, 1]),
        ([1, 2, 3, 2**32 + 1, 1], [1, 2, 3]),
        # There is no quote 0 either, but it ends nothing: it is told as all zero.
        ([0, 1], [0, 1]),
        ([2, 2, 2, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 2, 2, 2]),
    ],
    ids=["beyond", "largest first", "beyond in between", "beyond at the end", "would wrap", "zero", "the same again"],
)
def test_a_quote_beyond_the_count_ends_the_list(stage: Stage, asked: list[int], told: list[int]) -> None:
    """What follows is left out, with its bids; all else is answered."""
    Evening(stage).until("matched")
    someone, period = stage.consumer.address, stage.period
    others = ([(someone, period)], [period])

    seen = stage.market.lens.state([someone], [someone], asked, *others)

    assert tuple(seen) == tuple(check_state(stage, [someone], [someone], told, *others))
    assert len(seen.quotes) == len(seen.remaining) == len(seen.trades) == len(seen.bids) == len(told)


def test_is_asked_for_no_more_than_there_is_room_for(stage: Stage) -> None:
    """One more than the most of any list is refused, without a reason."""
    types = ["address[]", "address[]", "uint256[]", "(address,uint256)[]", "uint256[]"]
    selector = stage.market.lens.state.prepare_calldata([], [], [], [], [])[:4]
    fillers: list[Any] = [ZERO, ZERO, 1, (ZERO, 1), 1]
    most = (16, 16, 8, 64, 4)

    def asked(counts: tuple[int, ...]) -> tuple[bool, bytes]:
        values = [[filler] * count for filler, count in zip(fillers, counts, strict=True)]
        return stage.raw(selector + encode(types, values), to=stage.market.lens)

    assert asked(most)[0]
    for place in range(5):
        assert asked((*most[:place], most[place] + 1, *most[place + 1 :])) == (False, b"")


def test_a_lens_of_any_build_reads_a_market_of_any_build(stage: Stage) -> None:
    """Where things lie is found out from the market, not taken from how the lens itself was built."""
    evening = Evening(stage).until("quoted")
    evening.trade_on()
    evening.until("settled")
    users = crowd(evening)
    places = [(user, at) for user in users for at in (stage.period, stage.period + 1)]
    calldata = stage.market.lens.state.prepare_calldata(
        users, users, list(range(1, 9)), places, [stage.period, stage.period + 1]
    )

    own, other = [build("MarketLens").deploy(stage.market.address) for build in (deployer, older)]
    answers = [stage.raw(calldata, to=lens) for lens in (stage.market.lens, own, other)]

    assert len(boa.env.get_code(own.address)) != len(boa.env.get_code(other.address))
    assert answers[0][0] is True
    assert answers[1:] == answers[:1] * 2


# ---- where things lie -----------------------------------------------------------------------------------------


VARIABLES = {
    "_BALANCE": ("ledger", "_balance"),
    "_INVOICE": ("ledger", "_invoice"),
    "_USER": ("accounts", "_user"),
    "_IDENTITY": ("accounts", "_identity"),
    "_PROFILE": ("accounts", "_profile"),
    "_DEFAULTS": ("incentives", "_defaults"),
    "_QUOTE": ("rooms", "_quote"),
    "_SALE": ("deliveries", "_sale"),
    "_POSITION": ("positions", "_position"),
    "_TOTALS": ("quotes", "_totals"),
    "_BID": ("bids", "_bid"),
    "_PURCHASE": ("sales", "_purchase"),
    "_RECORDS": ("records", "_word"),
}
"""The lens's constants, and the variables of the market's modules whose places they are."""


def test_knows_where_the_compiler_puts_the_mappings(stage: Stage) -> None:
    """contracts/MarketLens.vy has the places as numbers: those of storage that starts with the owner.

    Where this fails, a variable was added to the market, or its modules are initialised in another order: put the
    compiler's places into MarketLens.vy.
    """
    source = (contracts_dir() / "MarketLens.vy").read_text()
    constants = {
        name: int(value) for name, value in re.findall(r"^(_\w+): constant\(uint256\) = (\d+)$", source, re.MULTILINE)
    }
    assert constants.pop("_ROOMS") == 27  # 2 ** 6 rooms, twice as many, and so on to 2 ** 32: no place
    layout = stage.market.compiler_data.storage_layout
    places = layout["storage_layout"]
    moved = 1 if is_older(stage) else 0

    assert constants == {
        name: places[module][variable]["slot"] - moved for name, (module, variable) in VARIABLES.items()
    }
    assert places["ownable"]["owner"]["slot"] == moved
    # The lock is what moves it all, where there is no transient storage for it.
    lock = {name: variable["slot"] for name, variable in places.items() if "nonreentrant" in name}
    assert lock == ({"$.nonreentrant_key": 0} if moved else {})
    # The array of all words is last: it overlaps nothing but what mappings scatter.
    slots = [variable["slot"] for module in places.values() if "slot" not in module for variable in module.values()]
    assert max(slots) == places["records"]["_word"]["slot"] == 16 + moved
    assert len(slots) == len(set(slots)) == 17


# ---- the market's words ------------------------------------------------------------------------------------------


def place(stage: Stage, mapping: int, *keys: int | str) -> int:
    """Where the word of a mapping's entry is shown; `mapping` is its place in storage that starts with the owner."""
    moved = 1 if is_older(stage) else 0
    slot = mapping + moved
    for key in keys:
        number = int(key, 16) if isinstance(key, str) else key
        slot = int.from_bytes(keccak(slot.to_bytes(32, "big") + number.to_bytes(32, "big")), "big")
    return slot - (16 + moved)


def test_shows_the_words_that_are_kept(stage: Stage) -> None:
    """Each by its fields, as contracts/market/packing.vy lists them; collateral for 1000 Wh is 18 000."""
    stage.quote(1_000, 100)
    prosumer, meter = stage.prosumer.address, stage.prosumer.meter.address
    at, begun = stage.period % 432, (2**36 + stage.period) << 219
    words = {
        "balance record": (place(stage, 2, prosumer), (FUNDS - 18_000) | 18_000 << 104),
        "no invoice": (place(stage, 3, prosumer), 0),
        "user": (place(stage, 5, 1), int(prosumer, 16)),
        "identity": (place(stage, 6, prosumer), int(meter, 16) | 1 << 160 | 1 << 192 | CAPACITY << 194),
        "profile": (place(stage, 7, meter), int.from_bytes(stage.prosumer.profile, "big")),
        "mark": (place(stage, 7, 0), 1),
        "no default": (place(stage, 8, prosumer), 0),
        "quote": (place(stage, 10, 1), 1 | stage.period << 32 | 1_000 << 68 | 100 << 92),
        "sale": (place(stage, 11, prosumer, at), 1 | 1 << 2 | NOON << 34),
        "position": (place(stage, 12, prosumer, at), begun | 1 << 169),
        "no position": (place(stage, 12, prosumer, stage.period), 0),
        "totals": (place(stage, 13, at), 1_000 | stage.period << 192),
    }

    places, values = zip(*words.values(), strict=True)
    assert dict(zip(words, stage.market.words(list(places)), strict=True)) == dict(zip(words, values, strict=True))
    # In the order asked for, and as often.
    assert stage.market.words([*places[::-1], places[0]]) == [*values[::-1], values[0]]


def test_shows_a_debt_as_a_word(stage: Stage) -> None:
    """An invoice of -1260 is a signed number; in a word it is 2 ** 256 less that."""
    evening = Evening(stage).until("settled")
    invoices = [place(stage, 3, household.address) for household in (evening.poor, stage.neighbour)]

    assert stage.market.words(invoices) == [2**256 - 1_260, 5_400]


def asked_for(stage: Stage, places: list[int]) -> tuple[bool, bytes]:
    """A raw call of `words`: whether it succeeds, and its answer."""
    selector = keccak(text="words(uint256[])")[:4]
    return stage.raw(selector + encode(["uint256[]"], [places]))


def test_shows_up_to_256_words(stage: Stage) -> None:
    """None, one, 256; one more is refused, without a reason."""
    record = place(stage, 2, stage.consumer.address)
    unknown = [place(stage, 2, f"0x{number:040x}") for number in range(1, 256)]

    assert stage.market.words([]) == []
    assert stage.market.words([record]) == [FUNDS]
    assert stage.market.words([*unknown, record]) == [0] * 255 + [FUNDS]
    assert asked_for(stage, [record] * 256) == (True, encode(["uint256[]"], [[FUNDS] * 256]))
    assert asked_for(stage, [record] * 257) == (False, b"")
    assert asked_for(stage, [record] * 1_000) == (False, b"")


def test_shows_zero_where_nothing_is_kept(stage: Stage) -> None:
    """Any place of the 2 ** 256 - 64, the first and the last among them; places beyond are refused, without a reason.

    With them the owner's place would be reached, by wrapping round.
    """
    last = 2**256 - 65

    assert stage.market.words([0, 1, 2**128, 2**255, last]) == [0] * 5
    for beyond in (last + 1, 2**256 - 18, LARGEST):
        assert asked_for(stage, [beyond]) == (False, b"")
        assert asked_for(stage, [0, beyond]) == (False, b"")


def test_showing_writes_nothing(stage: Stage) -> None:
    """No storage changes, whatever is asked for, and nothing is logged; it can be asked where nothing may change."""
    evening = Evening(stage).until("settled")
    before = state_digest(boa.env, stage.market)
    record = place(stage, 2, stage.consumer.address)

    stage.market.words([record, 0, 2**255], sender=evening.poor.address)
    assert stage.market.get_logs() == []
    asked_for(stage, [record] * 257)
    calldata = stage.market.words.prepare_calldata([record])
    static = boa.env.execute_code(to_address=stage.market.address, data=calldata, is_modifying=False)

    assert static.is_success
    assert decode(["uint256[]"], bytes(static.output)) == ((FUNDS - 58_440,),)
    assert state_digest(boa.env, stage.market) == before
