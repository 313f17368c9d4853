"""Criterion 4: meters that are contracts, honest and hostile ones, and keys that have code (T-REG-22 to T-REG-25).

All is played in lockstep with the terms, in the presets "fresh" and "metering": cloudy's and misty's meters are
contracts, rainy's is a key that has the code of another device, the others are keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from boa.util.abi import Address
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from verification.harness import presets
from verification.harness.counters import holds
from verification.harness.driver import profile_of
from verification.harness.lockstep import CAPACITY, HOUSEHOLDS, NEWCOMER, STRANGER, Lockstep
from verification.harness.meter_contracts import DELEGATED as SUFFIX
from verification.harness.meter_contracts import DEVICE, Says, creation_code
from verification.harness.state import Observation
from wattproof.market.abi import revert_reason
from wattproof.market.meters import domain_separator, pairing_hash
from wattproof.market.symbolic import FORMS, HOSTILE, meter
from wattproof.market.trace import Outcome

CONTRACTS = ("cloudy", "misty")
"""Whose meters are contracts."""

KEYS = ("sunny", "bright", "breezy")
"""Whose meters are keys."""

DELEGATED = "rainy's key"
"""A key that has code, and is rainy's meter."""

CODED = (*CONTRACTS, "rainy" + DEVICE)
"""The devices whose signatures some meter's code takes."""

YES = bytes.fromhex("631626ba7e60e01b5f5260205ff3")
"""EVM code that answers as ERC-1271 wants it of who signed."""


class Beginnings:
    """Where these tests begin; it is played beforehand, outside every example, as the presets of a machine are."""

    preset_names = ("fresh", "metering")


def owner_of(device: str) -> str:
    """The household of a device."""
    return device.removesuffix(DEVICE).removesuffix(SUFFIX)


@contextmanager
def metering() -> Iterator[tuple[Lockstep, int]]:
    """A market in METERING of a period in which bright sold to misty, and the period; undone in the end."""
    with presets.prepared("metering").branch() as lockstep:
        yield lockstep, lockstep.periods[0]


class Entry(NamedTuple):
    """A reading of a household, in Wh, signed by a device in some form."""

    device: str
    exported: int
    imported: int
    form: str = "ok"


def report(lockstep: Lockstep, period: int, entry: Entry) -> tuple[Any, ...]:
    """What an entry is handed in with."""
    device, exported, imported, form = entry
    return lockstep.report(owner_of(device), period, exported, imported, meter_of=device, form=form)


def handed_in(lockstep: Lockstep, period: int, entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """The entries of a batch, as they go to the contract."""
    reports = [report(lockstep, period, entry) for entry in entries]
    return [(lockstep.address(user), *numbers, signed.bytes()) for user, _, *numbers, signed in reports]


def batch(lockstep: Lockstep, period: int, entries: Sequence[Entry]) -> Outcome:
    """Hands in a batch."""
    signed = [(user, *rest) for user, _, *rest in (report(lockstep, period, entry) for entry in entries)]
    return lockstep.call("submit_readings", period, signed, sender=STRANGER)


# ---- what counts ------------------------------------------------------------------------------


MANY_FORMS = ("ok", "ok", "ok", "ok", *FORMS[1:], "says no")

ENERGIES = st.sampled_from([0, 1, 99, 100, 200, CAPACITY, CAPACITY + 1]) | st.integers(0, 2**24)


def alike(told: Outcome, user: str) -> tuple[Any, ...]:
    """What came of a call, the user's own address left out."""
    number = int(user, 16)
    events = [(name, {key: value for key, value in fields.items() if value != number}) for name, fields in told.events]
    return told.accepted, told.reason, told.result, events


@given(contract=st.sampled_from(CODED), exported=ENERGIES, imported=ENERGIES, together=st.booleans())
def test_an_honest_contract_is_as_good_as_a_key(contract: str, exported: int, imported: int, together: bool) -> None:
    """C4-METER-1: the same readings of a household with a key and of one whose meter has code, in twin markets."""
    told = []
    for device in ("sunny", contract):
        with metering() as (lockstep, period):
            entry, user = Entry(device, exported, imported), owner_of(device)
            if together:
                done = batch(lockstep, period, [entry])
            else:
                done = lockstep.call("submit_reading", *report(lockstep, period, entry), sender=STRANGER)
            reading = lockstep.observe().readings[lockstep.address(user), period]
            told.append((*alike(done, lockstep.address(user)), reading))
    holds("C4-METER-1", told[0] == told[1] and told[0][0], key=told[0], contract=told[1])


def test_a_household_registers_with_a_contract_as_with_a_key() -> None:
    """C4-METER-1: the same registration with a key and with a contract, and the same authorisation."""
    told = []
    for device in (NEWCOMER, "mild"):
        with presets.prepared("fresh").branch() as lockstep:
            done = lockstep.call("register", *lockstep.registration(NEWCOMER, meter_of=device), sender=NEWCOMER)
            let_in = lockstep.call("authorize", NEWCOMER, CAPACITY, sender="owner")
            number = int(lockstep.address(lockstep.meter(device)) if device == "mild" else lockstep.meter(device), 16)
            events = [[value for value in fields.values() if value != number] for _, fields in done.events]
            told.append((done.accepted, done.reason, events, let_in))
            lockstep.compare(everything=True)
    holds("C4-METER-1", told[0] == told[1] and told[0][0], key=told[0], contract=told[1])


MANNERS_OF = {"C4-METER-2": HOSTILE[:-3], "C4-METER-5": HOSTILE[-3:-1], "C4-METER-4": HOSTILE[-1:]}
"""The hostile manners, by the invariant that says why they do not count."""


@pytest.mark.parametrize("rule", MANNERS_OF)
def test_no_other_answer_counts(rule: str) -> None:
    """Each hostile manner, of each meter that has code: in a reading by itself, in a batch, and in a pairing."""
    for manner in MANNERS_OF[rule]:
        for device in CODED:
            with metering() as (lockstep, period):
                entry = Entry(device, 1, 2, manner)
                alone = lockstep.call("submit_reading", *report(lockstep, period, entry), sender=STRANGER)
                none = batch(lockstep, period, [entry]).result
                refused = (alone.accepted, alone.reason, none) == (False, "accounts: wrong meter", 0)
                holds(rule, refused, device=device, manner=manner, alone=alone, batch=none)
        with presets.prepared("fresh").branch() as lockstep:
            paired = lockstep.registration(NEWCOMER, meter_of="mild", form=manner)
            told = lockstep.call("register", *paired, sender=NEWCOMER)
            refused = (told.accepted, told.reason) == (False, "accounts: wrong meter")
            holds(rule, refused, manner=manner, register=told)


@given(
    entries=st.lists(
        st.builds(Entry, st.sampled_from([*KEYS, *CODED, DELEGATED]), ENERGIES, ENERGIES, st.sampled_from(MANY_FORMS)),
        max_size=5,
    ),
    hostile=st.builds(Entry, st.sampled_from(CODED), ENERGIES, ENERGIES, st.sampled_from(HOSTILE)),
    place=st.integers(0, 5),
)
def test_a_hostile_meter_costs_its_batch_one_entry(entries: list[Entry], hostile: Entry, place: int) -> None:
    """C4-METER-3: what came of the other entries, the events and the state are those of the batch without it."""
    place = min(place, len(entries))
    told = []
    for some in (entries, [*entries[:place], hostile, *entries[place:]]):
        with metering() as (lockstep, period):
            done = batch(lockstep, period, some)
            told.append(Told(done.accepted, done.result or 0, list(done.events), lockstep.observe()))
    without, beside = told
    holds("C4-METER-3", beside.without(place) == without, place=place, without=without[:3], beside=beside[:3])


class Told(NamedTuple):
    """What came of a batch."""

    accepted: bool
    bits: int
    events: list[tuple[str, dict[str, int]]]
    seen: Observation

    def without(self, place: int) -> Told | None:
        """The same of all entries but one that was refused; None where that one was accepted, or is not told once."""
        low = (1 << place) - 1
        others = [(name, fields) for name, fields in self.events if fields.get("index") != place]
        if self.bits >> place & 1 or len(self.events) - len(others) != 1:
            return None
        moved = [
            (name, fields | ({"index": fields["index"] - 1} if fields.get("index", -1) > place else {}))
            for name, fields in others
        ]
        return self._replace(bits=self.bits & low | self.bits >> 1 & ~low, events=moved)


def test_a_meter_that_burns_its_gas_leaves_the_others_theirs() -> None:
    """C4-METER-3: a burning meter takes 100,000 gas of its batch, and what comes after it goes through."""
    with metering() as (lockstep, period):
        entries = [Entry("cloudy", 5, 6, "burns its gas"), Entry("misty", 5, 6, "burns its gas"), Entry("sunny", 5, 6)]
        told = lockstep.env.execute_code(
            to_address=lockstep.target,
            sender=lockstep.address(STRANGER),
            data=lockstep.interface.call("submit_readings", period, handed_in(lockstep, period, entries)),
            gas=500_000,
        )
        result = None if told.is_error else int.from_bytes(told.output, "big")
        holds("C4-METER-3", result == 0b100, result=result)


# ---- keys that have code ------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["fe", "5f5ffd", "5f5ff3", "60205ff3"], ids=["burns", "reverts", "empty", "no"])
def test_a_key_that_has_code_stays_a_key(code: str) -> None:
    """C4-METER-6: whatever code comes to a key's address, before it is paired or after, its signatures count."""
    with metering() as (lockstep, period):
        for name in ("sunny", "bright", NEWCOMER):
            key = meter(name).address
            lockstep.env.set_code(Address(key), bytes.fromhex(code))
            lockstep.code[key] = Says("nobody")
        paired = lockstep.call("register", *lockstep.registration(NEWCOMER), sender=NEWCOMER)
        holds("C4-METER-6", paired.accepted, reason=paired.reason)
        alone = lockstep.read("sunny", period, 1, 2)
        holds("C4-METER-6", alone.accepted, reason=alone.reason)
        told = batch(lockstep, period, [Entry("bright", 100, 0), Entry(DELEGATED, 3, 4)])
        holds("C4-METER-6", told.result == 0b11, told=told)
        lockstep.compare(everything=True)


# ---- what is asked, and with how much gas ---------------------------------------------------------


QUESTION = keccak(text="isValidSignature(bytes32,bytes)")[:4]


def expecting(question: bytes) -> bytes:
    """EVM code that answers yes to exactly these bytes, and reverts at all others."""
    same = "36 5f 5f 37 36 5f 20 7f" + keccak(question).hex() + "14 60 2f 57 5f 5f fd 5b"
    return bytes.fromhex(same) + YES


@given(signature=st.binary(max_size=65) | st.sampled_from([bytes(65), b"\xff" * 64, b""]), other=st.binary(max_size=65))
def test_the_code_is_asked_about_the_digest_and_the_bytes_as_they_are(signature: bytes, other: bytes) -> None:
    """C4-METER-7: the question is isValidSignature(digest, signature), in the one encoding of the ABI."""
    with presets.prepared("fresh").branch() as lockstep:
        user, profile = lockstep.address(NEWCOMER), profile_of(NEWCOMER)
        struct = pairing_hash(user, profile)
        digest = keccak(b"\x19\x01" + domain_separator(lockstep.chain, lockstep.target) + struct)
        question = keccak(text="isValidSignature(bytes32,bytes)")[:4] + encode(
            ["bytes32", "bytes"], [digest, signature]
        )
        contract = str(lockstep.env.generate_address("expecting"))
        lockstep.env.set_code(Address(contract), expecting(question))
        for bytes_, right in ((other, other == signature), (signature, True)):
            told = lockstep._ask_contract("register", [profile, contract, bytes_], user)
            reason = None if right else "accounts: wrong meter"
            holds("C4-METER-7", (told.accepted, told.reason) == (right, reason), signature=bytes_.hex(), told=told)
            if right:
                break


WHOLE = bytes.fromhex("5a 62 018690 10 60 0c 57 5f 5f fd 5b")
"""EVM code that goes on where it has more than 99,984 gas, and reverts where it has less."""


def test_too_little_gas_refuses_the_whole_batch() -> None:
    """C4-METER-8: a meter that needs all its gas is never left out for want of it, whatever gas the batch is given."""
    with metering() as (lockstep, period):
        lockstep.env.set_code(Address(lockstep.address("cloudy's meter")), WHOLE + YES)
        readings = handed_in(lockstep, period, [Entry(device, 5, 6) for device in ("sunny", "cloudy")])
        data = lockstep.interface.call("submit_readings", period, readings)
        seen = set()
        for gas in [*range(30_000, 260_000, 10_000), *range(100_000, 200_000, 1_500)]:
            with lockstep.env.anchor():
                told = lockstep.env.execute_code(
                    to_address=lockstep.target, sender=lockstep.address(STRANGER), data=data, gas=gas
                )
            result = None if told.is_error else int.from_bytes(told.output, "big")
            reason = revert_reason(told.output) if told.is_error else None
            seen.add((result, reason))
            whole = result == 0b11 or (told.is_error and reason in (None, "accounts: too little gas"))
            holds("C4-METER-8", whole, gas=gas, result=result, reason=reason)
        assert {(0b11, None), (None, "accounts: too little gas")} <= seen, seen


# ---- what is not guaranteed ---------------------------------------------------------------------


def test_one_device_can_stand_behind_two_contracts() -> None:
    """C4-METER-9: the market tells addresses apart, not devices: that is the owner's to check (T-REG-25)."""
    with metering() as (lockstep, period):
        device = meter("cloudy").address
        second = str(lockstep.env.deploy_code(bytecode=creation_code(device))[0])
        lockstep.code[second] = Says(device)
        pairing = lockstep.pairing(NEWCOMER, meter_of="cloudy")
        paired = lockstep.call("register", profile_of(NEWCOMER), second, pairing, sender=NEWCOMER)
        lockstep.call("authorize", NEWCOMER, CAPACITY, sender="owner")
        told = [lockstep.read(name, period, 700, 0, meter_of="cloudy") for name in ("cloudy", NEWCOMER)]
        twice = paired.accepted and all(done.accepted for done in told)
        holds("C4-METER-9", twice, paired=paired, told=told)
        lockstep.compare(everything=True)


def test_the_households_are_those_of_the_preset() -> None:
    """All of the preset's households are here, by the kind of their meters."""
    coded = presets.prepared("fresh").coded
    assert {*KEYS} == {*HOUSEHOLDS} - coded.keys()
    assert {*CONTRACTS, owner_of(DELEGATED)} == coded.keys() & {*HOUSEHOLDS}
