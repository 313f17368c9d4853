"""`submit_readings` and `settle_accounts`: T-MET-11 to T-MET-13, T-ACC-14 to T-ACC-16."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.stage import Household, Stage
from wattproof.meters import Meter, malleable_twin

Entry = tuple[str, int, int, bytes]

MALFORMED = "accounts: malformed signature"
HIGH_S = "ecdsa: invalid signature `s` value"
NOBODY = "ecdsa: invalid signature"
WRONG_METER = "accounts: wrong meter"


def entry(stage: Stage, household: Household, exported: int, imported: int, signature: bytes | None = None) -> Entry:
    """An entry of a batch of readings; signed by the household's own meter unless another signature is given."""
    if signature is None:
        signature = household.meter.sign_reading(stage.market, household.address, stage.period, exported, imported)
    return household.address, exported, imported, signature


def accepted(stage: Stage, household: Household, exported: int, imported: int) -> tuple[str, dict[str, Any]]:
    """The event of an entry that is recorded."""
    fields = {"user": household.address, "period": stage.period, "exported": exported, "imported": imported}
    return "ReadingSubmitted", fields


def left_out(stage: Stage, kind: str, who: Household | str, index: int, reason: str) -> tuple[str, dict[str, Any]]:
    """The event of an entry that is left out; `kind` is Reading or Account."""
    fields = {"user": getattr(who, "address", who), "period": stage.period, "index": index, "reason": reason}
    return f"{kind}Refused", fields


# ---- readings --------------------------------------------------------------------------------------


def test_records_every_reading_in_order(stage: Stage) -> None:
    """T-MET-11: bit 0 is the first entry; 0b111 = 7."""
    stage.to("METERING")
    users = (stage.consumer, stage.prosumer, stage.neighbour)
    batch = [entry(stage, user, 10 * place, place) for place, user in enumerate(users)]

    assert stage.market.submit_readings(stage.period, batch, sender=stage.stranger) == 0b111

    assert stage.events() == [accepted(stage, user, 10 * place, place) for place, user in enumerate(users)]
    for place, user in enumerate(users):
        assert stage.market.reading(user.address, stage.period) == (True, 10 * place, place)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(lambda s: (s.stranger, 1, 2, bytes(65)), "accounts: not registered", id="not registered"),
        pytest.param(lambda s: entry(s, s.prosumer, 5, 6), "metering: already read", id="read before"),
        pytest.param(
            lambda s: entry(s, s.neighbour, 2**48, 0), "metering: reading out of bounds", id="exported out of bounds"
        ),
        pytest.param(
            lambda s: entry(s, s.neighbour, 0, 2**48), "metering: reading out of bounds", id="imported out of bounds"
        ),
        pytest.param(lambda s: entry(s, s.neighbour, 1, 2, b""), MALFORMED, id="no signature"),
        pytest.param(
            lambda s: (*(good := entry(s, s.neighbour, 1, 2))[:3], good[3][:64]), MALFORMED, id="signature of 64 bytes"
        ),
        pytest.param(
            lambda s: (*(good := entry(s, s.neighbour, 1, 2))[:3], malleable_twin(good[3])), HIGH_S, id="the other s"
        ),
        pytest.param(
            lambda s: (*(good := entry(s, s.neighbour, 1, 2))[:3], good[3][:64] + b"\x1d"), NOBODY, id="v of 29"
        ),
        pytest.param(
            lambda s: entry(
                s,
                s.neighbour,
                1,
                2,
                Meter("another").sign_reading(s.market, s.neighbour.address, s.period, 1, 2),
            ),
            WRONG_METER,
            id="another meter",
        ),
        pytest.param(
            lambda s: entry(
                s,
                s.neighbour,
                1,
                2,
                s.neighbour.meter.sign_reading(s.market, s.neighbour.address, s.period + 1, 1, 2),
            ),
            WRONG_METER,
            id="another period",
        ),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_reading_does_not_sink_the_others(stage: Stage, bad: Any, reason: str, place: int) -> None:
    """T-MET-12, T-MET-13: wherever it stands, with the reason of `submit_reading`."""
    stage.to("METERING")
    stage.read(stage.prosumer, 5, 6)
    newcomer = stage.register(stage.unregistered("newcomer"))
    batch = [entry(stage, stage.consumer, 1, 1), entry(stage, newcomer, 2, 2)]
    wanted = [accepted(stage, stage.consumer, 1, 1), accepted(stage, newcomer, 2, 2)]
    spoilt = bad(stage)
    batch.insert(place, spoilt)
    wanted.insert(place, left_out(stage, "Reading", spoilt[0], place, reason))
    before = stage.market.reading(spoilt[0], stage.period)

    assert stage.market.submit_readings(stage.period, batch, sender=stage.stranger) == 0b111 & ~(1 << place)

    assert stage.events() == wanted
    assert stage.market.reading(spoilt[0], stage.period) == before
    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 1, 1)
    assert stage.market.reading(newcomer.address, stage.period) == (True, 2, 2)


def test_a_household_that_comes_twice_counts_once(stage: Stage) -> None:
    """T-MET-2, T-MET-12: the first entry is recorded, the second finds it there."""
    stage.to("METERING")
    batch = [entry(stage, stage.consumer, 1, 2), entry(stage, stage.consumer, 3, 4)]

    assert stage.market.submit_readings(stage.period, batch) == 0b01

    assert stage.events() == [
        accepted(stage, stage.consumer, 1, 2),
        left_out(stage, "Reading", stage.consumer, 1, "metering: already read"),
    ]
    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 1, 2)


def test_a_bad_entry_leaves_room_for_a_good_one_of_the_same_household(stage: Stage) -> None:
    """T-MET-12: what is left out changes nothing."""
    stage.to("METERING")
    batch = [entry(stage, stage.consumer, 1, 2, b""), entry(stage, stage.consumer, 3, 4)]

    assert stage.market.submit_readings(stage.period, batch) == 0b10

    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 3, 4)


@pytest.mark.parametrize("phase", ["BIDDING", "DELIVERING", "SETTLING", "CLOSING"])
@pytest.mark.parametrize("size", [0, 1])
def test_readings_are_refused_whole_outside_metering(stage: Stage, phase: str, size: int) -> None:
    """T-MET-12: the period concerns the call, not an entry."""
    if phase != "BIDDING":
        stage.to(phase)

    with stage.refuses("clock: wrong phase"):
        stage.market.submit_readings(stage.period, [entry(stage, stage.consumer, 1, 2)] * size)


def test_no_readings_at_all(stage: Stage) -> None:
    """T-MET-11: nothing to do is no error."""
    stage.to("METERING")

    assert stage.market.submit_readings(stage.period, []) == 0

    assert stage.events() == []


def test_sixty_four_readings_and_no_more(stage: Stage) -> None:
    """T-MET-11: 65 are no such call, and are refused without a reason."""
    stage.to("METERING")
    bad = [(stage.stranger, 1, 2, bytes(65))] * 63

    assert stage.market.submit_readings(stage.period, [*bad, entry(stage, stage.consumer, 1, 2)]) == 1 << 63

    assert len(stage.events()) == 64
    calldata = stage.market.submit_readings.prepare_calldata(stage.period, bad)
    # One word holds the length, one for each entry its place; the 65th needs not even be there.
    longer = calldata[:68] + (65).to_bytes(32, "big") + calldata[100:]
    assert calldata[68:100] == (63).to_bytes(32, "big")
    assert stage.raw(longer) == (False, b"")


# ---- accounts --------------------------------------------------------------------------------------


def metered(stage: Stage, *readings: tuple[Household, int, int]) -> None:
    """Readings of households, then the first second of SETTLING."""
    stage.to("METERING")
    for household, exported, imported in readings:
        stage.read(household, exported, imported)
    stage.to("SETTLING")


def test_settles_every_account_in_order(stage: Stage) -> None:
    """T-ACC-14: exported 100 * SBP 60 = 6,000; imported 10 * SSP 180 = 1,800, paid at once."""
    metered(stage, (stage.prosumer, 100, 0), (stage.consumer, 0, 10))
    users = [stage.prosumer.address, stage.consumer.address]

    assert stage.market.settle_accounts(stage.period, users, sender=stage.owner) == 0b11

    assert stage.events() == [
        ("AccountSettled", {"user": users[0], "period": stage.period, "amount": 6_000}),
        ("AccountSettled", {"user": users[1], "period": stage.period, "amount": -1_800}),
        ("Cleared", {"user": users[1], "amount": -1_800}),
    ]
    for user in users:
        assert stage.market.position(user, stage.period).settled
    assert stage.account(stage.prosumer).grid_account == 6_000
    stage.assert_books_balance()


def test_what_one_account_pays_the_next_receives(stage: Stage) -> None:
    """T-ACC-15, T-MON-17: in the order given, the supplier's purse is filled before it is emptied."""
    metered(stage, (stage.prosumer, 30, 0), (stage.consumer, 0, 10))
    users = [stage.consumer.address, stage.prosumer.address]

    stage.market.settle_accounts(stage.period, users, sender=stage.owner)

    assert stage.account(stage.prosumer).grid_account == 0
    assert stage.money(stage.supplier) == (0, 0)
    stage.assert_books_balance()


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("neighbour", "settlement: already settled"),
        ("idle", "settlement: nothing to settle"),
        ("prosumer", "settlement: quotes still open"),
    ],
)
def test_one_bad_account_does_not_sink_the_others(stage: Stage, bad: str, reason: str, place: int) -> None:
    """T-ACC-15, T-ACC-16: wherever it stands, with the reason of `settle_account`."""
    who = stage.household("idle") if bad == "idle" else getattr(stage, bad)
    newcomer = stage.household("newcomer")
    stage.quote()
    metered(stage, (stage.consumer, 1, 0), (newcomer, 2, 0), (stage.neighbour, 0, 1), (stage.prosumer, 1_000, 0))
    stage.market.settle_account(stage.neighbour.address, stage.period, sender=stage.owner)
    batch = [stage.consumer.address, newcomer.address]
    # 1 Wh and 2 Wh fed in at SBP = 60; the neighbour paid 180 for its 1 Wh, which is what the supplier owes here
    wanted = [
        ("AccountSettled", {"user": stage.consumer.address, "period": stage.period, "amount": 60}),
        ("Cleared", {"user": stage.consumer.address, "amount": 60}),
        ("AccountSettled", {"user": newcomer.address, "period": stage.period, "amount": 120}),
        ("Cleared", {"user": newcomer.address, "amount": 120}),
    ]
    batch.insert(place, who.address)
    wanted.insert(2 * place, left_out(stage, "Account", who, place, reason))
    before = (stage.account(who), stage.market.position(who.address, stage.period))

    settled = stage.market.settle_accounts(stage.period, batch, sender=stage.owner)

    assert stage.events() == wanted
    assert settled == 0b111 & ~(1 << place)
    assert (stage.account(who), stage.market.position(who.address, stage.period)) == before
    stage.assert_books_balance(newcomer, who)


def test_an_account_that_comes_twice_is_settled_once(stage: Stage) -> None:
    """T-ACC-2, T-ACC-15."""
    metered(stage, (stage.prosumer, 100, 0))

    users = [stage.prosumer.address] * 2
    assert stage.market.settle_accounts(stage.period, users, sender=stage.owner) == 0b01

    assert stage.account(stage.prosumer).grid_account == 6_000


@pytest.mark.parametrize("size", [0, 1])
def test_accounts_are_refused_whole_by_phase_and_caller(stage: Stage, size: int) -> None:
    """T-ACC-15: both concern the call, not an entry."""
    users = [stage.prosumer.address] * size
    stage.to("METERING")
    stage.read(stage.prosumer, 1, 0)
    with stage.refuses("clock: wrong phase"):
        stage.market.settle_accounts(stage.period, users, sender=stage.owner)
    stage.to("SETTLING")
    with stage.refuses("settlement: owner only"):
        stage.market.settle_accounts(stage.period, users, sender=stage.stranger)

    stage.to("CLOSING")
    assert stage.market.settle_accounts(stage.period, users, sender=stage.stranger) == size


def test_sixty_four_accounts_and_no_more(stage: Stage) -> None:
    """T-ACC-14: 65 are no such call, and are refused without a reason."""
    metered(stage, (stage.prosumer, 1, 0))
    users = [stage.stranger] * 63 + [stage.prosumer.address]

    assert stage.market.settle_accounts(stage.period, users, sender=stage.owner) == 1 << 63

    assert len(stage.events()) == 64
    calldata = stage.market.settle_accounts.prepare_calldata(stage.period, users)
    longer = calldata[:68] + (65).to_bytes(32, "big") + calldata[100:] + bytes(12) + bytes.fromhex(stage.stranger[2:])
    assert stage.raw(longer, sender=stage.owner) == (False, b"")
    assert boa.env.timestamp == stage.clock.begins("SETTLING", stage.period)


def test_revokes_a_silent_buyer_as_the_single_call_does(stage: Stage) -> None:
    """T-MET-8, T-MET-9, T-ACC-14."""
    quote_id = stage.quote(1_000, 100)
    stage.auction(quote_id, (stage.consumer, 100, 1_000))
    metered(stage, (stage.prosumer, 1_000, 0))
    stage.market.settle_quote(quote_id, sender=stage.owner)

    users = [stage.consumer.address]
    assert stage.market.settle_accounts(stage.period, users, sender=stage.owner) == 0b1

    assert stage.account(stage.consumer).authorized is False
    assert stage.standing(stage.consumer) == (0, 1, 0, 0)
