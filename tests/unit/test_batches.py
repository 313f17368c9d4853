"""`submit_readings` and `settle_accounts`: T-MET-11 to T-MET-13, T-ACC-14 to T-ACC-16."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.stage import Household, Stage
from wattproof.market.meters import Meter, malleable_twin, reading_hash

Entry = tuple[str, int, int, bytes]

MALFORMED = "accounts: malformed signature"
HIGH_S = "ecdsa: invalid signature `s` value"
NOBODY = "ecdsa: invalid signature"
WRONG_METER = "accounts: wrong meter"


def entry(stage: Stage, household: Household, exported: int, imported: int, signature: bytes | None = None) -> Entry:
    """An entry of a batch of readings; signed by the household's own meter unless another signature is given."""
    if signature is None:
        # Not `sign_reading`, which refuses what no meter measures: the market takes it.
        struct = reading_hash(household.address, stage.period, exported, imported)
        signature = household.meter.sign(struct, stage.market)
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
            lambda s: entry(s, s.register(s.unregistered("outsider")), 1, 2),
            "accounts: not authorised",
            id="never let in",
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
    newcomer = stage.household("newcomer")
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


def test_what_no_connection_carries_counts_as_its_capacity(stage: Stage) -> None:
    """T-MET-3, T-MET-12: an entry beyond the capacity is accepted, and cut in each direction."""
    small = stage.household("small", capacity=100)
    stage.to("METERING")
    batch = [entry(stage, small, 2**256 - 1, 101), entry(stage, stage.consumer, 100, 2**24)]

    assert stage.market.submit_readings(stage.period, batch) == 0b11

    assert stage.market.reading(small.address, stage.period) == (True, 100, 100)
    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 100, 2**24 - 1)


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


def readings_call(stage: Stage) -> list[int]:
    """The words behind the selector of a batch of one good reading of the consumer.

    0: the period, 1: where the list is, 2: its length, 3: where the entry is, 4 to 7: user, energies, where the
    signature is, 8: its length, 9 to 11: the signature.
    """
    data = stage.market.submit_readings.prepare_calldata(stage.period, [entry(stage, stage.consumer, 1, 2)])
    return [int.from_bytes(data[at : at + 32], "big") for at in range(4, len(data), 32)]


def sent(stage: Stage, name: str, words: list[int]) -> tuple[bool, bytes]:
    """The call of a batch with these words, by the owner."""
    selector = getattr(stage.market, name).prepare_calldata(0, [])[:4]
    return stage.raw(selector + b"".join(word.to_bytes(32, "big") for word in words), sender=stage.owner)


@pytest.mark.parametrize(
    ("place", "word"),
    [
        pytest.param(2, 65, id="65 entries"),
        pytest.param(2, 2**256 - 1, id="the most entries"),
        pytest.param(4, 1 << 160, id="the user's lowest bit too many"),
        pytest.param(4, 1 << 255, id="the user's highest bit"),
        pytest.param(8, 66, id="a signature of 66 bytes"),
        pytest.param(8, 2**256 - 1, id="the longest signature"),
    ],
)
def test_refuses_readings_that_are_none(stage: Stage, place: int, word: int) -> None:
    """T-MET-11, annex A: what is out of its type's range is refused without a reason, the whole call."""
    stage.to("METERING")
    words = readings_call(stage)
    changed = [*words[:place], words[place] | word if place == 4 else word, *words[place + 1 :]]

    assert sent(stage, "submit_readings", changed) == (False, b"")

    assert stage.market.reading(stage.consumer.address, stage.period).present is False
    assert sent(stage, "submit_readings", words) == (True, (1).to_bytes(32, "big"))


@pytest.mark.parametrize(
    ("place", "word"),
    [
        pytest.param(1, 2**255, id="the list is far away"),
        pytest.param(1, 2**256 - 32, id="the list is before the call"),
        pytest.param(1, 32 * 12, id="the list begins where the call ends"),
        pytest.param(3, 2**255, id="the entry is far away"),
        pytest.param(3, 32 * 9, id="the entry begins where the call ends"),
        pytest.param(7, 2**255, id="the signature is far away"),
        pytest.param(7, 32 * 8, id="the signature begins where the call ends"),
    ],
)
def test_readings_that_are_not_there_are_none(stage: Stage, place: int, word: int) -> None:
    """T-MET-4, T-MET-11: what lies outside the call reads as zero, and nothing is recorded without its signature."""
    stage.to("METERING")
    words = readings_call(stage)

    assert sent(stage, "submit_readings", [*words[:place], word, *words[place + 1 :]]) == (True, bytes(32))

    assert stage.market.reading(stage.consumer.address, stage.period).present is False


@pytest.mark.parametrize("left", range(12))
def test_readings_that_are_cut_short_are_none(stage: Stage, left: int) -> None:
    """T-MET-4, T-MET-11: whichever of the words are missing at the end; the whole call is refused, or the entry."""
    stage.to("METERING")

    assert sent(stage, "submit_readings", readings_call(stage)[:left]) in ((False, b""), (True, bytes(32)))

    assert stage.market.reading(stage.consumer.address, stage.period).present is False


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
        ("AccountSettled", {"user": users[0], "period": stage.period, "amount": 6_000, "cleared": 0}),
        ("AccountSettled", {"user": users[1], "period": stage.period, "amount": -1_800, "cleared": -1_800}),
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
        ("AccountSettled", {"user": user.address, "period": stage.period, "amount": owed, "cleared": owed})
        for user, owed in ((stage.consumer, 60), (newcomer, 120))
    ]
    batch.insert(place, who.address)
    wanted.insert(place, left_out(stage, "Account", who, place, reason))
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


@pytest.mark.parametrize(
    ("place", "word"),
    [
        pytest.param(2, 65, id="65 users"),
        pytest.param(2, 2**256 - 1, id="the most users"),
        pytest.param(3, 1 << 160, id="the lowest bit too many"),
        pytest.param(3, 1 << 255, id="the highest bit"),
    ],
)
def test_refuses_users_that_are_none(stage: Stage, place: int, word: int) -> None:
    """T-ACC-14, annex A: what is out of its type's range is refused without a reason, the whole call."""
    metered(stage, (stage.prosumer, 1, 0))
    words = [stage.period, 64, 1, int(stage.prosumer.address, 16)]
    changed = [*words[:place], words[place] | word if place == 3 else word, *words[place + 1 :]]

    assert sent(stage, "settle_accounts", changed) == (False, b"")

    assert stage.market.position(stage.prosumer.address, stage.period).settled is False
    assert sent(stage, "settle_accounts", words) == (True, (1).to_bytes(32, "big"))


@pytest.mark.parametrize(
    ("place", "word", "settled"),
    [
        pytest.param(1, 2**255, 0, id="the list is far away"),
        pytest.param(1, 2**256 - 32, 0, id="the list is before the call"),
        pytest.param(1, 32 * 4, 0, id="the list begins where the call ends"),
        pytest.param(2, 2, 1, id="one more is announced than there are"),
    ],
)
def test_users_that_are_not_there_are_nobody(stage: Stage, place: int, word: int, settled: int) -> None:
    """T-ACC-14: what lies outside the call reads as zero, an address that has nothing to settle."""
    metered(stage, (stage.prosumer, 1, 0))
    words = [stage.period, 64, 1, int(stage.prosumer.address, 16)]

    assert sent(stage, "settle_accounts", [*words[:place], word, *words[place + 1 :]]) == (
        True,
        settled.to_bytes(32, "big"),
    )

    assert stage.market.position(stage.prosumer.address, stage.period).settled is bool(settled)
