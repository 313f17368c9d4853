"""`match_bids`: T-MAT-1 to T-MAT-10, T-BID-7, T-BID-8, T-BID-15, T-ACC-5, T-REG-17.

The stage's fee is 2, so that a bid of `volume` at `price` reserves `volume * (price + 2)`.
"""

from __future__ import annotations

import copy
import dataclasses

import boa
import pytest

from tests.support.stage import FUNDS, NOON, TARIFF, Household, Stage, kept

VALID, INVALID, MATCHED, SETTLED = 1, 2, 4, 8
CREATED, RESERVED, CONFIRMED, REJECTED = 1, 2, 4, 8

LATER_PHASES = ("MATCHING", "DELIVERING", "METERING", "SETTLING", "CLOSING")


def open_bids(stage: Stage, quote_id: int, *bids: tuple[Household, int, int]) -> None:
    """Seals and opens bids `(bidder, price, volume)`; ends in the first second of MATCHING, nothing matched."""
    for bidder, price, volume in bids:
        stage.bid(quote_id, bidder, price, volume)
    stage.to("REVEALING")
    for bidder, price, volume in bids:
        stage.reveal(quote_id, bidder, price, volume)
    stage.to("MATCHING")


def bid_state(stage: Stage, quote_id: int, bidder: Household) -> tuple[int, int, int, int]:
    """Price, volume, volume won and status of a bid."""
    bid = stage.market.bid(quote_id, bidder.address)
    return bid.price, bid.volume, bid.filled, bid.status


# ---- winners and losers --------------------------------------------------------------------------------------------


def test_best_bids_win_and_the_last_winner_is_filled_in_part(stage: Stage) -> None:
    """T-MAT-2, T-MAT-6 to T-MAT-8, T-MAT-10: worth 600 * 140 = 84,000 against 500 * 120 = 60,000."""
    quote_id = stage.quote(volume=1000, price=100)
    open_bids(stage, quote_id, (stage.neighbour, 120, 500), (stage.consumer, 140, 600))
    assert stage.money(stage.consumer) == (FUNDS - 85_200, 85_200)  # 600 * 142
    assert stage.money(stage.neighbour) == (FUNDS - 61_000, 61_000)  # 500 * 122

    stage.market.match_bids(quote_id, sender=stage.stranger)

    assert stage.events() == [
        ("BidConfirmed", {"quote_id": quote_id, "bidder": stage.consumer.address, "filled": 600}),
        ("BidConfirmed", {"quote_id": quote_id, "bidder": stage.neighbour.address, "filled": 400}),
        ("QuoteMatched", {"quote_id": quote_id, "sold": 1000}),
    ]
    quote = stage.market.quote(quote_id)
    assert (quote.volume, quote.price, quote.sold, quote.status) == (1000, 100, 1000, MATCHED)
    assert bid_state(stage, quote_id, stage.consumer) == (140, 600, 600, CONFIRMED)
    assert bid_state(stage, quote_id, stage.neighbour) == (120, 500, 400, CONFIRMED)
    # Each at its own price, in the order of the ranking, not of the reveals.
    assert stage.market.trades(quote_id) == [(stage.consumer.address, 600, 140), (stage.neighbour.address, 400, 120)]
    # The neighbour has 100 * 122 = 12,200 back at once.
    assert stage.money(stage.consumer) == (FUNDS - 85_200, 85_200)
    assert stage.money(stage.neighbour) == (FUNDS - 48_800, 48_800)
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)  # 10 % of 1000 * 180
    assert stage.market.position(stage.consumer.address, stage.period) == (600, 600, 0, 0, 1, False)
    assert stage.market.position(stage.neighbour.address, stage.period) == (400, 400, 0, 0, 1, False)
    assert stage.market.position(stage.prosumer.address, stage.period) == (0, 0, 0, 0, 1, False)
    assert stage.market.remaining(quote_id) == 0
    # T-QUO-16, T-BID-16: figures of the auction, not of its outcome.
    assert (stage.market.supply(stage.period), stage.market.demand(stage.period)) == (1000, 1100)
    stage.assert_books_balance()


def test_the_part_that_is_free_again_can_be_used_at_once(stage: Stage) -> None:
    """T-MAT-10: before the matching the bidder cannot withdraw it, afterwards it can."""
    poor = stage.household("poor", funds=61_000)  # 500 * 122, nothing left
    quote_id = stage.quote(volume=1000, price=100)
    open_bids(stage, quote_id, (stage.consumer, 140, 600), (poor, 120, 500))
    with boa.reverts("ledger: insufficient balance"):
        stage.market.withdraw(1, sender=poor.address)

    stage.market.match_bids(quote_id)

    with boa.reverts("ledger: insufficient balance"):
        stage.market.withdraw(12_201, sender=poor.address)
    stage.market.withdraw(12_200, sender=poor.address)
    assert stage.money(poor) == (0, 48_800)


def test_losers_have_everything_back(stage: Stage) -> None:
    """T-MAT-9: the losers' events come first, as it becomes certain from the last opened on, then the winners'."""
    late = stage.household("late")
    quote_id = stage.quote(volume=500, price=100)
    # Worth 60,000, 64,000 and 50,000: the second takes all. Against it the third is out, then the first.
    open_bids(stage, quote_id, (stage.consumer, 120, 500), (stage.neighbour, 128, 500), (late, 125, 400))
    assert stage.money(stage.consumer) == (FUNDS - 61_000, 61_000)
    assert stage.money(late) == (FUNDS - 50_800, 50_800)

    stage.market.match_bids(quote_id)

    assert stage.events() == [
        ("BidRejected", {"quote_id": quote_id, "bidder": late.address}),
        ("BidRejected", {"quote_id": quote_id, "bidder": stage.consumer.address}),
        ("BidConfirmed", {"quote_id": quote_id, "bidder": stage.neighbour.address, "filled": 500}),
        ("QuoteMatched", {"quote_id": quote_id, "sold": 500}),
    ]
    assert bid_state(stage, quote_id, stage.consumer) == (120, 500, 0, REJECTED)
    assert bid_state(stage, quote_id, late) == (125, 400, 0, REJECTED)
    assert stage.money(stage.consumer) == (FUNDS, 0)
    assert stage.money(late) == (FUNDS, 0)
    assert stage.market.trades(quote_id) == [(stage.neighbour.address, 500, 128)]
    # T-ACC-5: the matching ends a loser's stake.
    assert stage.market.position(stage.consumer.address, stage.period) == (0, 0, 0, 0, 0, False)
    assert stage.market.position(late.address, stage.period) == (0, 0, 0, 0, 0, False)
    assert stage.market.demand(stage.period) == 1400
    stage.assert_books_balance(late)


@pytest.mark.parametrize(
    ("volume", "wanted", "sold", "filled"),
    [
        pytest.param(1000, (400, 300), 700, (400, 300), id="less is wanted than quoted"),
        pytest.param(1000, (600, 400), 1000, (600, 400), id="exactly as much"),
        pytest.param(1000, (600, 401), 1000, (600, 400), id="one Wh more"),
        pytest.param(1000, (999, 999), 1000, (999, 1), id="the last winner wins one Wh"),
        pytest.param(1000, (1000, 1), 1000, (1000, 0), id="the first leaves nothing"),
        pytest.param(1, (1, 1), 1, (1, 0), id="one Wh, two bidders"),
    ],
)
def test_sells_the_smaller_of_quoted_and_wanted(
    stage: Stage, volume: int, wanted: tuple[int, int], sold: int, filled: tuple[int, int]
) -> None:
    """T-MAT-6, T-MAT-7: consumer before neighbour, by price."""
    quote_id = stage.quote(volume=volume, price=100)
    open_bids(stage, quote_id, (stage.consumer, 178, wanted[0]), (stage.neighbour, 100, wanted[1]))

    stage.market.match_bids(quote_id)

    assert stage.market.quote(quote_id).sold == sold
    assert stage.market.remaining(quote_id) == volume - sold
    assert stage.market.bid(quote_id, stage.consumer.address).filled == filled[0]
    assert stage.market.bid(quote_id, stage.neighbour.address).filled == filled[1]
    assert stage.money(stage.consumer) == (FUNDS - filled[0] * 180, filled[0] * 180)
    assert stage.money(stage.neighbour) == (FUNDS - filled[1] * 102, filled[1] * 102)
    stage.assert_books_balance()


def test_without_bids(stage: Stage) -> None:
    """T-MAT-1, T-SET-20: nothing is sold; what is left can be bought."""
    quote_id = stage.quote(volume=1000)
    stage.to("MATCHING")
    assert stage.market.remaining(quote_id) == 0

    stage.market.match_bids(quote_id)

    assert stage.events() == [("QuoteMatched", {"quote_id": quote_id, "sold": 0})]
    assert stage.market.quote(quote_id).status == MATCHED
    assert stage.market.quote(quote_id).sold == 0
    assert stage.market.trades(quote_id) == []
    assert stage.market.remaining(quote_id) == 1000
    assert stage.money(stage.prosumer) == (FUNDS - 18_000, 18_000)
    assert stage.market.position(stage.prosumer.address, stage.period).open == 1


def test_bids_never_opened_are_rejected_in_silence(stage: Stage) -> None:
    """T-BID-8, T-BID-15: no event of their own, no cost, and the seal stays."""
    quote_id = stage.quote(volume=1000)
    stage.bid(quote_id, stage.neighbour, 178, 1000)
    open_bids(stage, quote_id, (stage.consumer, 100, 10))
    seal = kept(stage.seal(quote_id, stage.neighbour, 178, 1000))
    assert stage.market.bid(quote_id, stage.neighbour.address) == (seal, 0, 0, 0, CREATED)

    stage.market.match_bids(quote_id)

    assert stage.events() == [
        ("BidConfirmed", {"quote_id": quote_id, "bidder": stage.consumer.address, "filled": 10}),
        ("QuoteMatched", {"quote_id": quote_id, "sold": 10}),
    ]
    assert stage.market.bid(quote_id, stage.neighbour.address) == (seal, 0, 0, 0, REJECTED)
    assert stage.money(stage.neighbour) == (FUNDS, 0)
    assert stage.market.position(stage.neighbour.address, stage.period) == (0, 0, 0, 0, 0, False)
    # It stays rejected once the quote is settled; who never bid has no bid.
    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    assert stage.market.bid(quote_id, stage.neighbour.address).status == REJECTED
    assert stage.market.bid(quote_id, stage.consumer.address).status == CONFIRMED
    assert stage.market.bid(quote_id, stage.stranger) == (bytes(32), 0, 0, 0, 0)


def test_each_quote_is_matched_for_itself(stage: Stage) -> None:
    """Two quotes of one period, one bidder on both: the other quote stays as it is."""
    first = stage.quote(volume=1000, price=100)
    second = stage.quote(volume=700, price=90, prosumer=stage.neighbour)
    stage.bid(first, stage.consumer, 110, 300)
    stage.bid(second, stage.consumer, 95, 200)
    stage.to("REVEALING")
    stage.reveal(first, stage.consumer, 110, 300)
    stage.reveal(second, stage.consumer, 95, 200)
    stage.to("MATCHING")
    assert stage.market.position(stage.consumer.address, stage.period) == (0, 0, 0, 0, 2, False)

    stage.market.match_bids(second)

    assert stage.market.quote(first).status == VALID
    assert bid_state(stage, first, stage.consumer) == (110, 300, 0, RESERVED)
    assert stage.market.quote(second).status == MATCHED
    assert stage.market.position(stage.consumer.address, stage.period) == (200, 200, 0, 0, 2, False)
    stage.market.match_bids(first)
    assert stage.market.position(stage.consumer.address, stage.period) == (500, 500, 0, 0, 2, False)
    assert stage.money(stage.consumer) == (FUNDS - 53_000, 53_000)  # 300 * 112 + 200 * 97
    assert (stage.market.supply(stage.period), stage.market.demand(stage.period)) == (1700, 500)


# ---- who, and when -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", LATER_PHASES)
def test_in_every_later_phase_with_the_same_outcome(stage: Stage, phase: str) -> None:
    """T-MAT-1; T-ACC-11: what is won is agreed, however late."""
    quote_id = stage.quote(volume=1000, price=100)
    open_bids(stage, quote_id, (stage.consumer, 140, 600), (stage.neighbour, 120, 500))
    stage.to(phase)

    stage.market.match_bids(quote_id, sender=stage.stranger)

    assert [name for name, _ in stage.events()] == ["BidConfirmed", "BidConfirmed", "QuoteMatched"]
    assert stage.market.trades(quote_id) == [(stage.consumer.address, 600, 140), (stage.neighbour.address, 400, 120)]
    assert stage.market.position(stage.consumer.address, stage.period) == (600, 600, 0, 0, 1, False)
    assert stage.market.position(stage.neighbour.address, stage.period) == (400, 400, 0, 0, 1, False)
    assert stage.money(stage.neighbour) == (FUNDS - 48_800, 48_800)


@pytest.mark.parametrize("phase", LATER_PHASES[1:])
def test_in_the_last_second_of_a_later_phase(stage: Stage, phase: str) -> None:
    """T-MAT-1: no second from MATCHING on is shut."""
    quote_id = stage.quote()
    stage.before(phase)

    stage.market.match_bids(quote_id)

    assert stage.market.quote(quote_id).status == MATCHED


def test_years_late(stage: Stage) -> None:
    """T-MAT-1, T-TIME-8: CLOSING lasts for ever."""
    quote_id = stage.quote(volume=10)
    open_bids(stage, quote_id, (stage.consumer, 100, 10))
    stage.clock.now += 50 * 365 * 86_400

    stage.market.match_bids(quote_id)

    assert stage.market.quote(quote_id).sold == 10


@pytest.mark.parametrize("caller", ["stranger", "supplier", "owner", "prosumer", "consumer"])
def test_anybody_may(stage: Stage, caller: str) -> None:
    """T-MAT-1."""
    quote_id = stage.quote()
    stage.to("MATCHING")
    who = getattr(stage, caller)

    stage.market.match_bids(quote_id, sender=getattr(who, "address", who))

    assert stage.market.quote(quote_id).status == MATCHED


def test_who_lost_its_authorisation_meanwhile_still_wins(stage: Stage) -> None:
    """T-REG-17: both sides revoked between reveal and matching."""
    quote_id = stage.quote(volume=1000, price=100)
    open_bids(stage, quote_id, (stage.consumer, 140, 600))
    stage.market.revoke(stage.consumer.address, sender=stage.owner)
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)

    stage.market.match_bids(quote_id)

    assert stage.market.trades(quote_id) == [(stage.consumer.address, 600, 140)]


def test_who_fell_into_arrears_meanwhile_still_wins_and_is_not_cleared(stage: Stage) -> None:
    """T-MON-14, T-REG-17: the matching frees 100 * 122, which stays free until somebody clears."""
    debtor = stage.household("debtor", funds=500 * 122)
    later = stage.period + 2  # its REVEALING begins with this period's SETTLING
    quote_id = stage.quote(volume=1000, price=100, period=later)
    stage.bid(quote_id, stage.consumer, 140, 600)
    stage.bid(quote_id, debtor, 120, 500)
    stage.to("METERING")
    stage.read(debtor, exported=0, imported=10)
    stage.to("REVEALING", later)
    stage.reveal(quote_id, stage.consumer, 140, 600)
    stage.reveal(quote_id, debtor, 120, 500)
    stage.market.settle_account(debtor.address, stage.period, sender=stage.owner)
    assert stage.account(debtor).grid_account == -1800  # 10 Wh at 180, and nothing free to pay it
    stage.to("MATCHING", later)

    stage.market.match_bids(quote_id)

    assert stage.market.bid(quote_id, debtor.address).filled == 400
    assert stage.money(debtor) == (12_200, 48_800)
    assert stage.account(debtor).grid_account == -1800


# ---- standing ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[0, 500, 10_000], ids=lambda step: f"step {step}")
def graded(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    """A market with the priority step of the parameter, whose consumer has tier 1 and whose neighbour has tier 0."""
    graded = Stage(dataclasses.replace(TARIFF, priority_step=request.param))
    graded.earn(5)
    assert graded.account(graded.consumer).tier == 1
    assert graded.account(graded.neighbour).tier == 0
    graded.clock.now = NOON  # the time is every test's
    return graded


# Both want 100 of 100 Wh, so only the first wins. The consumer bids 80 a Wh, worth 8,000, and has the weight
# 10,000 + step: 10,000, 10,500 or 20,000. So the neighbour draws level at 80, 84 and 160 a Wh.
LEVEL = {0: 80, 500: 84, 10_000: 160}


@pytest.mark.parametrize(
    ("beyond", "neighbour_opens_first", "winner"),
    [
        pytest.param(-1, True, "consumer", id="one base unit a Wh less loses"),
        pytest.param(0, True, "neighbour", id="level, opened earlier, wins"),
        pytest.param(0, False, "consumer", id="level, opened later, loses"),
        pytest.param(1, False, "neighbour", id="one base unit a Wh more wins"),
    ],
)
def test_standing_weighs_as_much_as_the_step_says(
    graded: Stage, beyond: int, neighbour_opens_first: bool, winner: str
) -> None:
    """T-MAT-2, T-MAT-5: a step of 0 is the plain order; at 10,000 one tier doubles a bid."""
    price = LEVEL[graded.tariff.priority_step] + beyond
    quote_id = graded.quote(volume=100, price=70)
    bids = [(graded.consumer, 80, 100), (graded.neighbour, price, 100)]
    open_bids(graded, quote_id, *(reversed(bids) if neighbour_opens_first else bids))

    graded.market.match_bids(quote_id)

    # Weight decides who wins, not what is paid: the winner's own price.
    expected = {"consumer": (graded.consumer.address, 100, 80), "neighbour": (graded.neighbour.address, 100, price)}
    assert graded.market.trades(quote_id) == [expected[winner]]


def test_a_weighted_tie_goes_to_the_larger_volume(graded: Stage) -> None:
    """T-MAT-4: the consumer's 62 * 100 = 6,200 weigh 6,200, 6,510 or 12,400; the neighbour's bid is worth as much."""
    price, volume = {0: (124, 50), 500: (93, 70), 10_000: (155, 80)}[graded.tariff.priority_step]
    quote_id = graded.quote(volume=100, price=62)
    # The neighbour opens first, and still comes second.
    open_bids(graded, quote_id, (graded.neighbour, price, volume), (graded.consumer, 62, 100))

    graded.market.match_bids(quote_id)

    assert graded.market.trades(quote_id) == [(graded.consumer.address, 100, 62)]


def test_standing_is_that_of_the_moment_of_the_matching(stage: Stage) -> None:
    """T-MAT-3: the fifth good performance comes after the reveal and turns the order."""
    stage = copy.copy(stage)  # a preset changes its period
    stage.earn(4)
    assert stage.standing(stage.consumer) == (4, 0, 0, 0)
    period, later = stage.period, stage.period + 2
    fifth = stage.quote(volume=1, price=100, period=period)
    quote_id = stage.quote(volume=100, price=70, period=later)
    # 8,000 against 8,300: the neighbour leads, but not against 8,000 * 1.05 = 8,400.
    stage.bid(quote_id, stage.consumer, 80, 100)
    stage.bid(quote_id, stage.neighbour, 83, 100)
    stage.auction(fifth, (stage.consumer, 100, 1))
    stage.to("METERING", period)
    stage.read(stage.prosumer, 1, 0, period)
    stage.read(stage.consumer, 0, 1, period)
    stage.to("REVEALING", later)
    stage.reveal(quote_id, stage.consumer, 80, 100)
    stage.reveal(quote_id, stage.neighbour, 83, 100)
    stage.to("MATCHING", later)
    with boa.env.anchor():
        stage.market.match_bids(quote_id)
        assert stage.market.trades(quote_id) == [(stage.neighbour.address, 100, 83)]
    stage.settle(fifth, stage.consumer)
    assert stage.standing(stage.consumer) == (5, 0, 0, 1)

    stage.market.match_bids(quote_id)

    assert stage.market.trades(quote_id) == [(stage.consumer.address, 100, 80)]


# ---- a full book ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Crowd:
    """A market with 128 more households."""

    stage: Stage
    bidders: list[Household]


@pytest.fixture(scope="module")
def crowd(stage: Stage) -> Crowd:
    """A market of its own, with 128 bidders that have 200,000 base units each."""
    crowded = Stage()
    return Crowd(crowded, [crowded.household(f"bidder {number}", funds=200_000) for number in range(128)])


def test_a_full_book_is_served_from_the_best(crowd: Crowd) -> None:
    """T-MAT-6, T-BID-13: bidder n wants n + 1 Wh, all at 100, so the largest go first, which opened last.

    128 + 127 + ... + 121 = 996 Wh; the bidder of 120 Wh, number 119, wins the 4 Wh left.
    """
    stage, bidders = crowd.stage, crowd.bidders
    quote_id = stage.quote(volume=1000, price=100)
    open_bids(stage, quote_id, *((bidder, 100, number + 1) for number, bidder in enumerate(bidders)))

    stage.market.match_bids(quote_id)

    events = stage.events()
    winners = [(bidders[number].address, number + 1) for number in range(127, 119, -1)] + [(bidders[119].address, 4)]
    assert events[:119] == [
        ("BidRejected", {"quote_id": quote_id, "bidder": bidders[number].address}) for number in range(118, -1, -1)
    ]
    assert events[119:128] == [
        ("BidConfirmed", {"quote_id": quote_id, "bidder": bidder, "filled": filled}) for bidder, filled in winners
    ]
    assert events[128:] == [("QuoteMatched", {"quote_id": quote_id, "sold": 1000})]
    assert stage.market.trades(quote_id) == [(buyer, volume, 100) for buyer, volume in winners]
    assert stage.money(bidders[127]) == (200_000 - 13_056, 13_056)  # 128 * 102
    assert stage.money(bidders[119]) == (200_000 - 408, 408)  # 4 * 102
    assert stage.money(bidders[118]) == (200_000, 0)
    assert stage.market.demand(stage.period) == 8256  # 128 * 129 / 2
    stage.assert_books_balance(*bidders)


def test_a_full_book_of_winners(crowd: Crowd) -> None:
    """T-MAT-5, T-MAT-8: 128 Wh for 128 equal bids of one Wh: 128 trades, in the order of the reveals."""
    stage, bidders = crowd.stage, crowd.bidders
    quote_id = stage.quote(volume=128, price=100)
    open_bids(stage, quote_id, *((bidder, 100, 1) for bidder in bidders))

    stage.market.match_bids(quote_id)

    assert stage.market.trades(quote_id) == [(bidder.address, 1, 100) for bidder in bidders]
    assert stage.market.quote(quote_id).sold == 128


# ---- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quote_id", [0, 2, 2**256 - 1])
def test_refuses_an_unknown_quote(stage: Stage, quote_id: int) -> None:
    """Annex A: a number that no quote has, before its phase is asked for."""
    assert stage.quote() == 1

    with boa.reverts("quotes: unknown quote"):
        stage.market.match_bids(quote_id)


def test_refuses_a_quote_that_was_taken_back(stage: Stage) -> None:
    """T-MAT-1; the status is tested before the phase: it is still BIDDING the first time."""
    quote_id = stage.quote()
    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)
    for move in (lambda: None, lambda: stage.to("MATCHING"), lambda: stage.to("CLOSING")):
        move()
        with boa.reverts("quotes: not valid"):
            stage.market.match_bids(quote_id)
    assert stage.market.quote(quote_id).status == INVALID


def test_refuses_a_second_matching(stage: Stage) -> None:
    """T-MAT-1: once; neither after the matching nor after the settlement."""
    quote_id = stage.quote(volume=1000)
    stage.auction(quote_id, (stage.consumer, 100, 400))
    with boa.reverts("quotes: not valid"):
        stage.market.match_bids(quote_id)
    assert stage.market.trades(quote_id) == [(stage.consumer.address, 400, 100)]
    assert stage.money(stage.consumer) == (FUNDS - 40_800, 40_800)

    stage.to("SETTLING")
    stage.market.settle_quote(quote_id, sender=stage.owner)
    with boa.reverts("quotes: not valid"):
        stage.market.match_bids(quote_id)
    assert stage.market.quote(quote_id).status == SETTLED


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(3600, id="an hour before"),
        pytest.param(601, id="last second of BIDDING"),
        pytest.param(600, id="first second of REVEALING"),
        pytest.param(1, id="last second of REVEALING"),
    ],
)
def test_refuses_before_matching_begins(stage: Stage, before: int) -> None:
    """T-MAT-1, T-TIME-9, T-GUA-7: nothing changes, and at its time it is allowed."""
    quote_id = stage.quote(volume=1000)
    stage.bid(quote_id, stage.consumer, 100, 400)
    stage.clock.now = stage.clock.begins("MATCHING", stage.period) - before

    with boa.reverts("clock: wrong phase"):
        stage.market.match_bids(quote_id)

    assert stage.market.quote(quote_id).status == VALID
    assert stage.market.bid(quote_id, stage.consumer.address).status == CREATED
    stage.clock.now += before
    stage.market.match_bids(quote_id)
    assert stage.market.quote(quote_id).status == MATCHED
