"""`submit_reading`: T-MET-1 to T-MET-5, T-MET-15, T-REG-7 to T-REG-10, T-REG-20, T-GUA-11."""

from __future__ import annotations

from collections.abc import Callable

import boa
import pytest

from tests.support.stage import FUNDS, Household, Stage
from wattproof.market.meters import Meter, domain_separator, reading_hash

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of secp256k1."""

HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""The largest s that is accepted: half of `ORDER`, rounded down."""

MALFORMED = "accounts: malformed signature"
HIGH_S = "ecdsa: invalid signature `s` value"
NOBODY = "ecdsa: invalid signature"
WRONG_METER = "accounts: wrong meter"


def signed(stage: Stage, household: Household, exported: int, imported: int, period: int | None = None) -> bytes:
    """The signature of a household's own meter."""
    period = stage.period if period is None else period
    # Not `sign_reading`, which refuses what no meter measures: the market takes it.
    return household.meter.sign(reading_hash(household.address, period, exported, imported), stage.market)


def submit(
    stage: Stage, household: Household, exported: int, imported: int, signature: bytes, period: int | None = None
) -> None:
    """A stranger hands the reading in."""
    period = stage.period if period is None else period
    stage.market.submit_reading(household.address, period, exported, imported, signature, sender=stage.stranger)


# ---- the way it goes -----------------------------------------------------------------------------------------------


def test_records_what_the_meter_signed(stage: Stage) -> None:
    """T-MET-3 to T-MET-5: a stranger brings it; it moves no money and touches no position."""
    stage.to("METERING")
    assert stage.market.reading(stage.consumer.address, stage.period) == (False, 0, 0)

    submit(stage, stage.consumer, 321, 1234, signed(stage, stage.consumer, 321, 1234))

    assert stage.events() == [
        (
            "ReadingSubmitted",
            {"user": stage.consumer.address, "period": stage.period, "exported": 321, "imported": 1234},
        )
    ]
    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 321, 1234)
    assert stage.market.reading(stage.consumer.address, stage.period - 1) == (False, 0, 0)
    assert stage.market.reading(stage.neighbour.address, stage.period) == (False, 0, 0)
    assert stage.market.position(stage.consumer.address, stage.period) == (0, 0, 0, 0, 0, False)
    assert stage.money(stage.consumer) == (FUNDS, 0)
    assert stage.account(stage.consumer).grid_account == 0


@pytest.mark.parametrize("caller", ["stranger", "owner", "supplier", "prosumer", "consumer"])
def test_anybody_may_bring_it(stage: Stage, caller: str) -> None:
    """T-MET-5."""
    who = getattr(stage, caller)
    stage.to("METERING")
    stage.market.submit_reading(
        stage.consumer.address,
        stage.period,
        1,
        2,
        signed(stage, stage.consumer, 1, 2),
        sender=getattr(who, "address", who),
    )

    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 1, 2)


def test_without_authorisation(stage: Stage) -> None:
    """T-MET-5, T-GUA-11: who was never let in, or no longer is, reports only where it has business in the period."""
    newcomer = stage.register(stage.unregistered("newcomer"))
    stage.quote()
    for household in (stage.consumer, stage.prosumer):
        stage.market.revoke(household.address, sender=stage.owner)
    stage.to("METERING")

    for household in (newcomer, stage.consumer):
        with stage.refuses("accounts: not authorised"):
            stage.read(household, 5, 6)
    stage.read(stage.prosumer, 7, 8)

    assert stage.market.reading(newcomer.address, stage.period) == (False, 0, 0)
    assert stage.market.reading(stage.consumer.address, stage.period) == (False, 0, 0)
    assert stage.market.reading(stage.prosumer.address, stage.period) == (True, 7, 8)


@pytest.mark.parametrize(
    ("exported", "imported"),
    [
        pytest.param(0, 0, id="nothing at all"),
        pytest.param(1, 0, id="one Wh out"),
        pytest.param(0, 1, id="one Wh in"),
        pytest.param(16_777_215, 16_777_215, id="2**24 - 1 both"),
    ],
)
def test_from_nothing_to_the_largest(stage: Stage, exported: int, imported: int) -> None:
    """T-MET-3. A reading of nothing is present all the same."""
    stage.to("METERING")

    stage.read(stage.consumer, exported, imported)

    assert stage.market.reading(stage.consumer.address, stage.period) == (True, exported, imported)


def test_each_user_and_each_period_has_its_own(stage: Stage) -> None:
    """T-MET-2: two users in one period; one user in two periods."""
    stage.to("METERING")
    stage.read(stage.consumer, 1, 2)
    stage.read(stage.prosumer, 3, 4)
    stage.to("METERING", stage.period + 1)
    stage.read(stage.consumer, 5, 6, stage.period + 1)

    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 1, 2)
    assert stage.market.reading(stage.prosumer.address, stage.period) == (True, 3, 4)
    assert stage.market.reading(stage.consumer.address, stage.period + 1) == (True, 5, 6)
    assert stage.market.reading(stage.prosumer.address, stage.period + 1) == (False, 0, 0)


# ---- when ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "accepted"),
    [
        # Seconds after the period's start: METERING is [1800, 2400).
        pytest.param(-3600, False, id="in BIDDING"),
        pytest.param(-900, False, id="in REVEALING"),
        pytest.param(-1, False, id="last second of MATCHING"),
        pytest.param(0, False, id="first second of DELIVERING"),
        pytest.param(1799, False, id="last second of DELIVERING"),
        pytest.param(1800, True, id="first second of METERING"),
        pytest.param(2399, True, id="last second of METERING"),
        pytest.param(2400, False, id="first second of SETTLING"),
        pytest.param(3000, False, id="first second of CLOSING"),
        pytest.param(31_536_000, False, id="a year later"),
    ],
)
def test_during_metering_only(stage: Stage, second: int, accepted: bool) -> None:
    """T-MET-1, T-TIME-6, T-TIME-9."""
    signature = signed(stage, stage.consumer, 1, 2)
    stage.clock.now = stage.period * 1800 + second

    if accepted:
        submit(stage, stage.consumer, 1, 2, signature)
    else:
        with boa.reverts("clock: wrong phase"):
            submit(stage, stage.consumer, 1, 2, signature)

    assert stage.market.reading(stage.consumer.address, stage.period).present is accepted


@pytest.mark.parametrize("period", [0, 1, 2**256 - 1, (2**256 - 1) // 1800 + 1])
def test_a_period_far_away(stage: Stage, period: int) -> None:
    """T-MET-1, T-TIME-10: long past, or beyond all time."""
    stage.to("METERING")

    with boa.reverts("clock: wrong phase"):
        submit(stage, stage.consumer, 1, 2, signed(stage, stage.consumer, 1, 2, period), period)


# ---- once ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [(1, 2), (1, 3), (0, 0)], ids=["the same", "another", "nothing"])
def test_the_first_reading_is_final(stage: Stage, second: tuple[int, int]) -> None:
    """T-MET-2: a replay, and a second thought of the meter itself."""
    stage.to("METERING")
    stage.read(stage.consumer, 1, 2)

    with boa.reverts("metering: already read"):
        stage.read(stage.consumer, *second)

    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 1, 2)


def test_a_reading_of_nothing_is_final_too(stage: Stage) -> None:
    """T-MET-2: what counts is that there is one, not what it says."""
    stage.to("METERING")
    stage.read(stage.consumer, 0, 0)

    with boa.reverts("metering: already read"):
        stage.read(stage.consumer, 5, 5)


def test_a_replay_in_another_period_is_another_message(stage: Stage) -> None:
    """T-REG-10: yesterday's signature speaks of yesterday."""
    signature = signed(stage, stage.consumer, 1, 2)
    stage.to("METERING")
    submit(stage, stage.consumer, 1, 2, signature)
    stage.to("METERING", stage.period + 1)

    with boa.reverts(WRONG_METER):
        submit(stage, stage.consumer, 1, 2, signature, stage.period + 1)


# ---- out of bounds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [16_777_215, 500], ids=["the largest capacity", "a small one"])
def test_counts_at_most_the_capacity(stage: Stage, most: int) -> None:
    """T-MET-3: in each direction; what the meter signed is verified as it was signed."""
    stage.to("METERING")
    figures = [(most, 0), (most + 1, 7), (7, most + 1), (2**48, 2**48), (2**256 - 1, 0), (0, 2**256 - 1)]
    for number, (exported, imported) in enumerate(figures):
        user = stage.household(f"user {number}", funds=0, capacity=most)
        with boa.reverts(WRONG_METER):
            capped = signed(stage, user, min(exported, most) - 1 if exported else 1, min(imported, most))
            submit(stage, user, exported, imported, capped)
        submit(stage, user, exported, imported, signed(stage, user, exported, imported))
        counted = (min(exported, most), min(imported, most))
        expected = {"user": user.address, "period": stage.period, "exported": counted[0], "imported": counted[1]}
        assert stage.events() == [("ReadingSubmitted", expected)]
        assert stage.market.reading(user.address, stage.period) == (True, *counted)


@pytest.mark.parametrize(("exported", "counted"), [(999, 999), (1000, 1000), (1001, 1000), (2**256 - 1, 1000)])
def test_of_a_revoked_prosumer_counts_what_it_quoted(stage: Stage, exported: int, counted: int) -> None:
    """T-MET-15: a user without the authorisation has exported at most what it quoted."""
    stage.quote(1000, 100)
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)
    stage.to("METERING")

    stage.read(stage.prosumer, exported, 2000)

    assert stage.market.reading(stage.prosumer.address, stage.period) == (True, counted, 2000)


@pytest.mark.parametrize("exported", [0, 1, 1000, 2**256 - 1])
def test_of_a_revoked_buyer_no_export_counts(stage: Stage, exported: int) -> None:
    """T-MET-15: it quoted nothing; what it imports counts as ever."""
    stage.auction(stage.quote(1000, 100), (stage.consumer, 100, 600))
    stage.market.revoke(stage.consumer.address, sender=stage.owner)
    stage.to("METERING")

    stage.read(stage.consumer, exported, 600)

    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 0, 600)


# ---- whose signature -----------------------------------------------------------------------------------------------


def test_refuses_another_meter(stage: Stage) -> None:
    """T-REG-10: of another user, of nobody, and the user's own wallet is no meter either."""
    stage.to("METERING")
    for meter in (stage.neighbour.meter, stage.prosumer.meter, Meter("of nobody")):
        signature = meter.sign_reading(stage.market, stage.consumer.address, stage.period, 1, 2)
        with boa.reverts(WRONG_METER):
            submit(stage, stage.consumer, 1, 2, signature)
    assert not stage.market.reading(stage.consumer.address, stage.period).present


def test_refuses_a_reading_of_another_user(stage: Stage) -> None:
    """T-REG-10: the neighbour's reading, signed by the neighbour's meter, is not the consumer's."""
    stage.to("METERING")
    signature = signed(stage, stage.neighbour, 1, 2)

    with boa.reverts(WRONG_METER):
        submit(stage, stage.consumer, 1, 2, signature)
    submit(stage, stage.neighbour, 1, 2, signature)


@pytest.mark.parametrize(
    ("exported", "imported"),
    [
        pytest.param(2, 1, id="swapped"),
        pytest.param(1, 3, id="one Wh more imported"),
        pytest.param(0, 2, id="one Wh less exported"),
        pytest.param(2, 2, id="one Wh more exported"),
    ],
)
def test_refuses_other_figures_than_were_signed(stage: Stage, exported: int, imported: int) -> None:
    """T-REG-10: the meter signed 1 Wh out and 2 Wh in."""
    stage.to("METERING")

    with boa.reverts(WRONG_METER):
        submit(stage, stage.consumer, exported, imported, signed(stage, stage.consumer, 1, 2))


def test_refuses_a_signature_for_another_market(stage: Stage) -> None:
    """T-REG-7: the same user and meter in two markets; each takes its own signature only."""
    other = Stage()
    here = stage.household("commuter")
    other.register(here)
    stage.to("METERING")

    with boa.reverts(WRONG_METER):
        submit(stage, here, 1, 2, signed(other, here, 1, 2))
    submit(stage, here, 1, 2, signed(stage, here, 1, 2))

    assert stage.market.reading(here.address, stage.period) == (True, 1, 2)
    assert not other.market.reading(here.address, stage.period).present


@pytest.mark.parametrize("chain_id", [0, 2, 11_155_111])
def test_refuses_a_signature_for_another_chain(stage: Stage, chain_id: int) -> None:
    """T-REG-7: this chain's ID is 1."""
    assert boa.env.evm.patch.chain_id == 1
    stage.to("METERING")
    meter = stage.consumer.meter
    signature = meter.sign_reading(stage.market, stage.consumer.address, stage.period, 1, 2, chain_id)

    with boa.reverts(WRONG_METER):
        submit(stage, stage.consumer, 1, 2, signature)


def test_a_signature_dies_with_a_fork_of_the_chain(stage: Stage) -> None:
    """T-REG-7: signed for chain 1, brought to chain 2; there only a signature for chain 2 counts."""
    stage.to("METERING")
    for_one = signed(stage, stage.consumer, 1, 2)
    boa.env.evm.patch.chain_id = 2
    with boa.reverts(WRONG_METER):
        submit(stage, stage.consumer, 1, 2, for_one)

    submit(stage, stage.consumer, 1, 2, signed(stage, stage.consumer, 1, 2))

    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 1, 2)


@pytest.mark.parametrize(
    ("name", "version"), [("Wattproof", "2"), ("wattproof", "1"), ("", "")], ids=["version", "name", "neither"]
)
def test_refuses_another_domain(stage: Stage, name: str, version: str) -> None:
    """T-REG-7: name "Wattproof", version "1", to the letter."""
    stage.to("METERING")
    struct_hash = reading_hash(stage.consumer.address, stage.period, 1, 2)
    separator = domain_separator(1, stage.market.address, name, version)
    signature = sign_digest(stage.consumer.meter, b"\x19\x01" + separator + struct_hash)

    with boa.reverts(WRONG_METER):
        submit(stage, stage.consumer, 1, 2, signature)


def test_the_domain_by_hand_is_right_otherwise(stage: Stage) -> None:
    """The counter-test to the one above."""
    stage.to("METERING")
    struct_hash = reading_hash(stage.consumer.address, stage.period, 1, 2)
    separator = domain_separator(1, stage.market.address, "Wattproof", "1")

    submit(stage, stage.consumer, 1, 2, sign_digest(stage.consumer.meter, b"\x19\x01" + separator + struct_hash))

    assert stage.market.reading(stage.consumer.address, stage.period).present


def test_refuses_the_bare_struct_and_the_pairing(stage: Stage) -> None:
    """T-REG-7, T-REG-10: no domain at all; and the meter's other message is no reading."""
    stage.to("METERING")
    bare = sign_digest(stage.consumer.meter, reading_hash(stage.consumer.address, stage.period, 1, 2))
    pairing = stage.consumer.meter.sign_pairing(stage.market, stage.consumer.address, stage.consumer.profile)

    for signature in (bare, pairing):
        with boa.reverts(WRONG_METER):
            submit(stage, stage.consumer, 1, 2, signature)


def sign_digest(meter: Meter, message: bytes) -> bytes:
    """r, s, v over the keccak of `message`."""
    signature = meter.key.sign_msg(message).to_bytes()
    return signature[:64] + bytes([27 + signature[64]])


# ---- the form of a signature ---------------------------------------------------------------------------------------


def high_s_twin(signature: bytes) -> bytes:
    """The other signature of the same message: s mirrored, v flipped."""
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


def with_s(s: int) -> Callable[[bytes], bytes]:
    """A signature with another s."""
    return lambda signature: signature[:32] + s.to_bytes(32, "big") + signature[64:]


def with_v(v: int) -> Callable[[bytes], bytes]:
    """A signature with another v."""
    return lambda signature: signature[:64] + bytes([v])


def compact(signature: bytes) -> bytes:
    """The same signature in the 64-byte form of EIP-2098: v goes into the highest bit of s."""
    return signature[:32] + bytes([signature[32] | (signature[64] - 27) << 7]) + signature[33:64]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda signature: b"", MALFORMED, id="empty"),
        pytest.param(lambda signature: signature[:1], MALFORMED, id="one byte"),
        pytest.param(lambda signature: signature[:63], MALFORMED, id="63 bytes"),
        pytest.param(lambda signature: signature[:64], MALFORMED, id="64 bytes, v cut off"),
        pytest.param(lambda signature: signature[1:], MALFORMED, id="64 bytes, first byte cut off"),
        pytest.param(compact, MALFORMED, id="64 bytes, EIP-2098"),
        pytest.param(high_s_twin, HIGH_S, id="high-s twin"),
        pytest.param(with_s(HALF + 1), HIGH_S, id="s one above half the order"),
        pytest.param(with_s(HALF), WRONG_METER, id="s exactly half the order"),
        pytest.param(with_s(ORDER - 1), HIGH_S, id="s of the order less one"),
        pytest.param(with_s(2**256 - 1), HIGH_S, id="s of all bits"),
        pytest.param(with_s(0), NOBODY, id="s of zero"),
        pytest.param(lambda signature: bytes(32) + signature[32:], NOBODY, id="r of zero"),
        pytest.param(lambda signature: b"\xff" * 32 + signature[32:], NOBODY, id="r above the order"),
        pytest.param(with_v(0), NOBODY, id="v of 0"),
        pytest.param(with_v(1), NOBODY, id="v of 1"),
        pytest.param(with_v(26), NOBODY, id="v of 26"),
        pytest.param(with_v(29), NOBODY, id="v of 29"),
        pytest.param(lambda signature: with_v(55 - signature[64])(signature), WRONG_METER, id="the other v"),
        pytest.param(lambda signature: bytes(65), NOBODY, id="65 zero bytes"),
    ],
)
def test_one_message_has_one_accepted_encoding(stage: Stage, spoil: Callable[[bytes], bytes], reason: str) -> None:
    """T-REG-8 to T-REG-10; the signature as it was is accepted afterwards."""
    stage.to("METERING")
    signature = signed(stage, stage.consumer, 1, 2)

    with boa.reverts(reason):
        submit(stage, stage.consumer, 1, 2, spoil(signature))

    assert not stage.market.reading(stage.consumer.address, stage.period).present
    submit(stage, stage.consumer, 1, 2, signature)
    assert stage.market.reading(stage.consumer.address, stage.period).present


def test_a_truncated_signature_fails_with_either_v(stage: Stage) -> None:
    """T-REG-8: cut to 64 bytes, one with v = 27 would pass as EIP-2098, so both kinds are looked for and tried."""
    stage.to("METERING")
    tried = {}
    for imported in range(64):
        signature = signed(stage, stage.consumer, 1, imported)
        tried.setdefault(signature[64], (imported, signature))
    assert sorted(tried) == [27, 28]

    for imported, signature in tried.values():
        with boa.reverts(MALFORMED):
            submit(stage, stage.consumer, 1, imported, signature[:64])
        with boa.reverts(MALFORMED):
            submit(stage, stage.consumer, 1, imported, compact(signature))


def test_the_twin_fails_with_either_v(stage: Stage) -> None:
    """T-REG-9: mirrored s with the flipped v recovers the meter, and is refused all the same."""
    stage.to("METERING")
    for imported in range(4):
        signature = signed(stage, stage.consumer, 1, imported)
        for twin in (high_s_twin(signature), with_v(signature[64])(high_s_twin(signature))):
            with boa.reverts(HIGH_S):
                submit(stage, stage.consumer, 1, imported, twin)


def test_refuses_66_bytes_without_a_reason(stage: Stage) -> None:
    """Annex A, last sentence: an argument out of its type's range, as raw calldata."""
    stage.to("METERING")
    signature = signed(stage, stage.consumer, 1, 2)
    good = stage.market.submit_reading.prepare_calldata(stage.consumer.address, stage.period, 1, 2, signature)
    # The last 4 words are the length, 65, and the bytes padded to 96: one byte more still fits into the padding.
    assert good[-128:-96] == (65).to_bytes(32, "big")
    long = good[:-128] + (66).to_bytes(32, "big") + good[-96:]

    refused = boa.env.execute_code(to_address=stage.market.address, data=long)
    assert refused.is_error
    assert refused.output == b""
    assert not boa.env.execute_code(to_address=stage.market.address, data=good).is_error
    assert stage.market.reading(stage.consumer.address, stage.period) == (True, 1, 2)


# ---- the order of refusals -----------------------------------------------------------------------------------------


def test_refuses_who_is_not_registered(stage: Stage) -> None:
    """T-MET-1: whatever else is wrong but the phase, which comes first."""
    nobody = stage.unregistered("nobody")
    for phase, reason in (
        ("", "clock: wrong phase"),
        ("METERING", "accounts: not registered"),
        ("CLOSING", "clock: wrong phase"),
    ):
        if phase:
            stage.to(phase)
        for address in (nobody.address, stage.supplier, stage.owner, stage.stranger):
            with boa.reverts(reason):
                stage.market.submit_reading(address, stage.period, 2**48, 0, b"")


def test_a_meter_that_serves_nobody_cannot_speak_for_itself(stage: Stage) -> None:
    """T-MET-1: a meter's address is not a user."""
    stage.to("METERING")
    meter = stage.consumer.meter
    signature = meter.sign_reading(stage.market, meter.address, stage.period, 1, 2)

    with boa.reverts("accounts: not registered"):
        stage.market.submit_reading(meter.address, stage.period, 1, 2, signature)


def test_the_phase_comes_before_the_rest(stage: Stage) -> None:
    """Annex A: 2 before 3, 4 and 5."""
    stage.to("METERING")
    stage.read(stage.consumer, 1, 2)
    stage.to("SETTLING")

    with boa.reverts("clock: wrong phase"):
        submit(stage, stage.consumer, 2**48, 0, b"")


def test_already_read_comes_before_bounds_and_signature(stage: Stage) -> None:
    """Annex A: 3 before 4 and 5."""
    stage.to("METERING")
    stage.read(stage.consumer, 1, 2)

    for exported, signature in ((2**48, b""), (1, b""), (1, bytes(65))):
        with boa.reverts("metering: already read"):
            submit(stage, stage.consumer, exported, 0, signature)
