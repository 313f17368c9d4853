"""`submit_bid`: T-BID-1 to T-BID-8."""

from __future__ import annotations

import boa
import pytest

from tests.support.stage import FUNDS, Stage, kept

NOT_AUTHORISED = "accounts: not authorised"
IN_ARREARS = "ledger: in arrears"
UNKNOWN = "quotes: unknown quote"
NOT_VALID = "quotes: not valid"
WRONG_PHASE = "clock: wrong phase"
OWN_QUOTE = "bids: own quote"
ALREADY = "bids: already bid"

CREATED = 1
NONE = 0

SEAL = b"\xaa" * 32


def submit(stage: Stage, quote_id: int, seal: bytes = SEAL, sender: str | None = None) -> None:
    """The consumer, or `sender`, hands in a seal."""
    stage.market.submit_bid(quote_id, seal, sender=sender or stage.consumer.address)


# ---- as it should be ----------------------------------------------------------------------


def test_keeps_the_seal_and_reserves_nothing(stage: Stage) -> None:
    """T-BID-1, T-BID-6, T-BID-7: no money, no demand, no open account, nothing for the quote."""
    quote_id = stage.quote()
    quote = stage.market.quote(quote_id)

    stage.market.submit_bid(quote_id, SEAL, sender=stage.consumer.address)

    assert stage.events() == [
        ("BidSealed", {"quote_id": quote_id, "bidder": stage.consumer.address, "seal": SEAL}),
    ]
    assert tuple(stage.market.bid(quote_id, stage.consumer.address)) == (kept(SEAL), 0, 0, 0, CREATED)
    assert stage.money(stage.consumer) == (FUNDS, 0)
    assert stage.market.demand(stage.period) == 0
    assert tuple(stage.market.position(stage.consumer.address, stage.period)) == (0, 0, 0, 0, 0, False)
    assert stage.market.quote(quote_id) == quote
    assert stage.market.bid(quote_id, stage.neighbour.address).status == NONE
    stage.assert_books_balance()


def test_asks_for_no_money(stage: Stage) -> None:
    """T-BID-6: what is sealed is paid for when it is opened."""
    poor = stage.household("poor", funds=0)
    quote_id = stage.quote()

    submit(stage, quote_id, sender=poor.address)

    assert stage.market.bid(quote_id, poor.address).status == CREATED


@pytest.mark.parametrize(
    "seal",
    [
        pytest.param(bytes(32), id="all zero"),
        pytest.param(b"\xff" * 32, id="all ones"),
        # 100 per Wh, 1,000 Wh: what an opened bid might look like to a market that packs its records
        pytest.param((1_000 << 96 | 100).to_bytes(32, "big"), id="like an opened bid"),
        pytest.param((1_000 << 144 | 1_000 << 96 | 100).to_bytes(32, "big"), id="like a bid that won"),
        pytest.param((2**225).to_bytes(32, "big"), id="2**225"),
        pytest.param((2**226 - 1).to_bytes(32, "big"), id="2**226 - 1"),
        pytest.param((2**226).to_bytes(32, "big"), id="2**226"),
    ],
)
def test_accepts_any_seal(stage: Stage, seal: bytes) -> None:
    """T-BID-5: zero too, which still is a bid: a second one is refused."""
    quote_id = stage.quote()

    submit(stage, quote_id, seal)

    assert tuple(stage.market.bid(quote_id, stage.consumer.address)) == (kept(seal), 0, 0, 0, CREATED)
    with stage.refuses(ALREADY):
        submit(stage, quote_id, SEAL)


def test_accepts_a_seal_that_another_has_handed_in(stage: Stage) -> None:
    """T-BID-5: a copied seal is a bid, only that it never opens (test_reveal_bid.py)."""
    quote_id = stage.quote()
    submit(stage, quote_id)

    submit(stage, quote_id, sender=stage.neighbour.address)

    assert stage.market.bid(quote_id, stage.neighbour.address).seal == kept(SEAL)


def test_accepts_a_bid_on_each_quote(stage: Stage) -> None:
    """T-BID-3: one bid per quote, any number of quotes; who quotes may bid on others' quotes."""
    first = stage.quote()
    second = stage.quote(prosumer=stage.neighbour)

    submit(stage, first)
    submit(stage, second)
    submit(stage, second, sender=stage.prosumer.address)

    assert stage.market.bid(first, stage.consumer.address).status == CREATED
    assert stage.market.bid(second, stage.consumer.address).status == CREATED
    assert stage.market.bid(second, stage.prosumer.address).status == CREATED
    assert stage.market.bid(first, stage.prosumer.address).status == NONE


def test_accepts_a_bid_on_a_revoked_prosumers_quote(stage: Stage) -> None:
    """T-REG-17: its quotes stay open to others."""
    quote_id = stage.quote()
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)

    submit(stage, quote_id)

    assert stage.market.bid(quote_id, stage.consumer.address).status == CREATED


# ---- time -------------------------------------------------------------------------------------


def test_is_open_until_the_last_second_of_bidding(stage: Stage) -> None:
    """T-BID-1: 2 * 600 s before the start of the quote's period, whatever other periods do."""
    quote_id = stage.quote()
    later = stage.quote(period=stage.period + 1)
    boa.env.timestamp = stage.period * 1800 - 1_201
    submit(stage, quote_id)
    boa.env.timestamp += 1

    with stage.refuses(WRONG_PHASE):
        submit(stage, quote_id, sender=stage.neighbour.address)
    submit(stage, later, sender=stage.neighbour.address)
    assert stage.market.bid(later, stage.neighbour.address).status == CREATED


@pytest.mark.parametrize(
    "since_start",
    [-1_200, -601, -600, 0, 1_800, 2_400, 3_000],
    ids=[
        "REVEALING, first second",
        "REVEALING, last second",
        "MATCHING",
        "DELIVERING",
        "METERING",
        "SETTLING",
        "CLOSING",
    ],
)
def test_refuses_every_later_phase(stage: Stage, since_start: int) -> None:
    """T-BID-1."""
    quote_id = stage.quote()
    boa.env.timestamp = stage.period * 1800 + since_start

    with stage.refuses(WRONG_PHASE):
        submit(stage, quote_id)
    assert stage.market.bid(quote_id, stage.consumer.address).status == NONE


# ---- the other refusals -----------------------------------------------------------------------


@pytest.mark.parametrize("who", ["stranger", "supplier", "owner", "registered only", "revoked"])
def test_refuses_who_is_not_authorised(stage: Stage, who: str) -> None:
    """T-REG-15."""
    quote_id = stage.quote()
    newcomer = stage.register(stage.unregistered("newcomer"))
    stage.market.revoke(stage.neighbour.address, sender=stage.owner)
    sender = {
        "stranger": stage.stranger,
        "supplier": stage.supplier,
        "owner": stage.owner,
        "registered only": newcomer.address,
        "revoked": stage.neighbour.address,
    }[who]

    with stage.refuses(NOT_AUTHORISED):
        submit(stage, quote_id, sender=sender)


def test_refuses_who_is_in_arrears_by_the_least(stage: Stage) -> None:
    """T-REG-16: 1 Wh at SSP 180, of which 179 are paid, leave 1 base unit."""
    quote_id = stage.quote(period=stage.period + 10)
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=1)
    stage.fund(debtor.address, 179)

    with stage.refuses(IN_ARREARS):
        submit(stage, quote_id, sender=debtor.address)
    stage.fund(debtor.address, 1)
    submit(stage, quote_id, sender=debtor.address)
    assert stage.market.bid(quote_id, debtor.address).status == CREATED


@pytest.mark.parametrize("quote_id", [0, 2, 2**256 - 1])
def test_refuses_an_unknown_quote(stage: Stage, quote_id: int) -> None:
    """T-QUO-7."""
    stage.quote()

    with stage.refuses(UNKNOWN):
        submit(stage, quote_id)


def test_refuses_a_quote_that_was_taken_back(stage: Stage) -> None:
    """T-BID-1."""
    quote_id = stage.quote()
    stage.market.invalidate_quote(quote_id, sender=stage.prosumer.address)

    with stage.refuses(NOT_VALID):
        submit(stage, quote_id)


def test_refuses_the_prosumer(stage: Stage) -> None:
    """T-BID-2."""
    quote_id = stage.quote()

    with stage.refuses(OWN_QUOTE):
        submit(stage, quote_id, sender=stage.prosumer.address)


@pytest.mark.parametrize("seal", [SEAL, b"\xbb" * 32, bytes(32)], ids=["the same", "another", "zero"])
def test_refuses_a_second_bid(stage: Stage, seal: bytes) -> None:
    """T-BID-3: a bid is not replaced."""
    quote_id = stage.quote()
    submit(stage, quote_id)

    with stage.refuses(ALREADY):
        submit(stage, quote_id, seal)
    assert stage.market.bid(quote_id, stage.consumer.address).seal == kept(SEAL)


# ---- the first of several reasons ---------------------------------------------------------------


def test_names_the_first_of_several_reasons(stage: Stage) -> None:
    """T-PARTY-16: annex A from the last reason to the first, one more thing wrong each time."""
    quote_id = stage.quote()
    withdrawn = stage.quote(prosumer=stage.consumer)
    stage.market.invalidate_quote(withdrawn, sender=stage.consumer.address)
    submit(stage, quote_id)
    boa.env.timestamp = stage.period * 1800

    with stage.refuses(WRONG_PHASE):  # and bid before
        submit(stage, quote_id)
    with stage.refuses(WRONG_PHASE):  # and its own
        submit(stage, quote_id, sender=stage.prosumer.address)
    with stage.refuses(NOT_VALID):  # and the phase, and its own
        submit(stage, withdrawn)
    with stage.refuses(NOT_AUTHORISED):  # and unknown
        submit(stage, 3, sender=stage.stranger)


def test_looks_at_the_trader_before_the_quote(stage: Stage) -> None:
    """T-PARTY-16: not authorised and in arrears; then in arrears alone; of an unknown quote both times."""
    debtor = stage.household("debtor", funds=0)
    stage.invoice(debtor, imported=1)

    with stage.refuses(IN_ARREARS):
        submit(stage, 1, sender=debtor.address)
    stage.market.revoke(debtor.address, sender=stage.owner)
    with stage.refuses(NOT_AUTHORISED):
        submit(stage, 1, sender=debtor.address)
