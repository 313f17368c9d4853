"""`register`: T-REG-1 to T-REG-11."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tests.support.stage import CAPACITY, FUNDS, Household, Stage
from wattproof.market.meters import Meter, pairing_hash, reading_hash

ZERO = "0x" + "00" * 20

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""The order of secp256k1 (SEC 2, section 2.4.1)."""

HALF_ORDER = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0
"""The largest s of T-REG-9: half the order, rounded down (EIP-2)."""

MALFORMED = "accounts: malformed signature"
HIGH_S = "ecdsa: invalid signature `s` value"
INVALID = "ecdsa: invalid signature"
WRONG_METER = "accounts: wrong meter"


@pytest.fixture
def newcomer(stage: Stage) -> Household:
    """A household that has not registered."""
    return stage.unregistered("newcomer")


def pairing(stage: Stage, household: Household) -> bytes:
    """The signature with which `household` could register."""
    return household.meter.sign_pairing(stage.market, household.address, household.profile)


def register(stage: Stage, household: Household, signature: bytes) -> None:
    """`household` sends `signature` with its own profile and meter."""
    stage.market.register(household.profile, household.meter.address, signature, sender=household.address)


def with_s(signature: bytes, s: int, v: int | None = None) -> bytes:
    """The signature with another s and, where given, another v."""
    return signature[:32] + s.to_bytes(32, "big") + (signature[64:] if v is None else bytes([v]))


def by_recovery(stage: Stage, v: int) -> tuple[Household, bytes]:
    """A household whose pairing happens to have this v, 27 or 28, with the signature."""
    for number in range(64):
        household = stage.unregistered(f"household {number}")
        signature = pairing(stage, household)
        if signature[64] == v:
            return household, signature
    raise AssertionError(f"no pairing with v = {v}")


# ---- as it should be ----------------------------------------------------------------------


def test_registers_a_user_with_its_profile_and_meter(stage: Stage, newcomer: Household) -> None:
    """T-REG-1: all that changes is profile and meter; the user is not authorised and has no money."""
    signature = pairing(stage, newcomer)

    stage.market.register(newcomer.profile, newcomer.meter.address, signature, sender=newcomer.address)

    assert stage.events() == [("Registered", {"user": newcomer.address, "meter": newcomer.meter.address})]
    account = stage.account(newcomer)
    assert (account.profile, account.meter, account.authorized) == (newcomer.profile, newcomer.meter.address, False)
    assert (account.balance, account.reserved, account.grid_account) == (0, 0, 0)
    assert (account.performances, account.defaults, account.waivers, account.tier) == (0, 0, 0, 0)
    assert stage.account(newcomer.meter.address).meter == ZERO


def test_accepts_what_an_ordinary_wallet_signs(stage: Stage, newcomer: Household) -> None:
    """T-REG-6, T-REG-7: typed data as wallets see it, signed by eth-account and not by this project's meters."""
    typed_data = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Pairing": [{"name": "user", "type": "address"}, {"name": "profile", "type": "bytes32"}],
        },
        "primaryType": "Pairing",
        "domain": {
            "name": "Wattproof",
            "version": "1",
            "chainId": boa.env.evm.patch.chain_id,
            "verifyingContract": stage.market.address,
        },
        "message": {"user": newcomer.address, "profile": newcomer.profile},
    }
    key = keccak(text="the key of a wallet")
    meter = Account.from_key(key).address

    signature = bytes(Account.sign_message(encode_typed_data(full_message=typed_data), key).signature)
    stage.market.register(newcomer.profile, meter, signature, sender=newcomer.address)

    assert stage.account(newcomer).meter == meter


@pytest.mark.parametrize("v", [27, 28])
def test_accepts_both_recovery_ids(stage: Stage, v: int) -> None:
    """T-REG-8: v is 27 or 28, whichever the meter's signature has."""
    household, signature = by_recovery(stage, v)

    register(stage, household, signature)

    assert stage.account(household).meter == household.meter.address


@pytest.mark.parametrize("profile", [bytes(32), b"\xff" * 32], ids=["all zero", "all ones"])
def test_accepts_any_profile(stage: Stage, newcomer: Household, profile: bytes) -> None:
    """T-REG-3: the market cannot tell a hash from other bytes; and the user is registered with it, for good."""
    household = Household(newcomer.name, newcomer.address, newcomer.meter, profile)
    signature = pairing(stage, household)

    register(stage, household, signature)

    assert stage.account(household).profile == profile
    assert stage.account(household).meter == household.meter.address
    with stage.refuses("accounts: already registered"):
        register(stage, household, signature)
    other = Household("other", stage.stranger, newcomer.meter, profile)
    other_signature = pairing(stage, other)
    with stage.refuses("accounts: meter already paired"):
        register(stage, other, other_signature)
    # It trades like any other user.
    stage.market.authorize(household.address, CAPACITY, sender=stage.owner)
    stage.fund(household.address, FUNDS)
    quote_id = stage.quote(prosumer=household)
    assert stage.market.quote(quote_id).prosumer == household.address


def test_accepts_one_profile_for_two_users(stage: Stage, newcomer: Household) -> None:
    """T-REG-3: only the meter is one user's own."""
    lockstep = Household("lockstep", stage.stranger, newcomer.meter, stage.prosumer.profile)

    register(stage, lockstep, pairing(stage, lockstep))

    assert stage.account(lockstep).profile == stage.account(stage.prosumer).profile


def test_accepts_a_meter_that_is_the_user(stage: Stage) -> None:
    """Annex C, 14: the meter may be any address, the user's own included."""
    meter = Meter("key of a person")
    household = Household("person", meter.address, meter, b"p" * 32)

    register(stage, household, pairing(stage, household))

    assert stage.account(household).meter == household.address


def test_accepts_the_owner_and_who_is_authorised_by_nobody(stage: Stage) -> None:
    """Annex C, 15: the owner may register; no permission is asked for."""
    household = Household("owner", stage.owner, Meter("owner"), b"o" * 32)

    register(stage, household, pairing(stage, household))

    assert stage.account(stage.owner).meter == household.meter.address
    assert stage.account(stage.owner).authorized is False


def test_registers_a_user_that_has_money_already(stage: Stage, newcomer: Household) -> None:
    """T-MON-3: who deposits before it registers keeps its balance."""
    stage.fund(newcomer.address, 700)

    stage.register(newcomer)

    assert stage.money(newcomer) == (700, 0)


# ---- refusals -------------------------------------------------------------------------------


def test_refuses_the_supplier(stage: Stage) -> None:
    """T-REG-11."""
    household = Household("supplier", stage.supplier, Meter("supplier"), b"s" * 32)
    signature = pairing(stage, household)

    with stage.refuses("accounts: supplier cannot register"):
        register(stage, household, signature)
    assert stage.account(stage.supplier).meter == ZERO


def test_refuses_a_second_registration(stage: Stage, newcomer: Household) -> None:
    """T-REG-1: not with the same signature, nor with another profile and another meter."""
    signature = pairing(stage, newcomer)
    register(stage, newcomer, signature)
    other = Household("other", newcomer.address, Meter("another meter"), b"another".ljust(32))
    other_signature = pairing(stage, other)

    with stage.refuses("accounts: already registered"):
        register(stage, newcomer, signature)
    with stage.refuses("accounts: already registered"):
        register(stage, other, other_signature)
    assert stage.account(newcomer).meter == newcomer.meter.address


def test_refuses_to_register_again_after_a_revocation(stage: Stage) -> None:
    """T-REG-1: losing the authorisation does not undo the registration."""
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)
    signature = pairing(stage, stage.prosumer)

    with stage.refuses("accounts: already registered"):
        register(stage, stage.prosumer, signature)


def test_refuses_a_meter_of_zero(stage: Stage, newcomer: Household) -> None:
    """T-REG-4: else a signature from which nothing is recovered could pass."""
    signature = pairing(stage, newcomer)

    with stage.refuses("accounts: meter is zero"):
        stage.market.register(newcomer.profile, ZERO, signature, sender=newcomer.address)
    with stage.refuses("accounts: meter is zero"):
        stage.market.register(newcomer.profile, ZERO, bytes(65), sender=newcomer.address)


def test_refuses_a_meter_that_serves_another_user(stage: Stage, newcomer: Household) -> None:
    """T-REG-5: though the meter itself signs for its second user."""
    second = Household("second", newcomer.address, stage.prosumer.meter, b"second".ljust(32))
    signature = pairing(stage, second)

    with stage.refuses("accounts: meter already paired"):
        register(stage, second, signature)


def test_refuses_the_meter_of_a_revoked_user(stage: Stage, newcomer: Household) -> None:
    """T-REG-5: for ever."""
    stage.market.revoke(stage.prosumer.address, sender=stage.owner)
    second = Household("second", newcomer.address, stage.prosumer.meter, b"second".ljust(32))
    signature = pairing(stage, second)

    with stage.refuses("accounts: meter already paired"):
        register(stage, second, signature)


# ---- signatures that say something else -------------------------------------------------------


def test_refuses_another_signer(stage: Stage, newcomer: Household) -> None:
    """T-REG-10: the very message, signed by another meter."""
    signature = Meter("another").sign_pairing(stage.market, newcomer.address, newcomer.profile)

    with stage.refuses(WRONG_METER):
        register(stage, newcomer, signature)


def test_refuses_a_pairing_for_another_chain(stage: Stage, newcomer: Household) -> None:
    """T-REG-7."""
    chain_id = boa.env.evm.patch.chain_id + 1
    signature = newcomer.meter.sign_pairing(stage.market, newcomer.address, newcomer.profile, chain_id=chain_id)

    with stage.refuses(WRONG_METER):
        register(stage, newcomer, signature)


def test_refuses_a_pairing_for_another_market(stage: Stage, newcomer: Household) -> None:
    """T-REG-7: a signature that another market has accepted is worth nothing here."""
    other = Stage()
    signature = newcomer.meter.sign_pairing(other.market, newcomer.address, newcomer.profile)
    other.market.register(newcomer.profile, newcomer.meter.address, signature, sender=newcomer.address)

    with stage.refuses(WRONG_METER):
        register(stage, newcomer, signature)


def test_refuses_a_pairing_with_another_user(stage: Stage, newcomer: Household) -> None:
    """T-REG-6: who sees the signature on its way cannot squat on the meter."""
    signature = pairing(stage, newcomer)

    with stage.refuses(WRONG_METER):
        stage.market.register(newcomer.profile, newcomer.meter.address, signature, sender=stage.stranger)
    register(stage, newcomer, signature)
    assert stage.account(newcomer).meter == newcomer.meter.address


def test_refuses_a_pairing_with_another_profile(stage: Stage, newcomer: Household) -> None:
    """T-REG-6: one bit of the profile differs."""
    signature = pairing(stage, newcomer)
    profile = newcomer.profile[:31] + bytes([newcomer.profile[31] ^ 1])

    with stage.refuses(WRONG_METER):
        stage.market.register(profile, newcomer.meter.address, signature, sender=newcomer.address)


@pytest.mark.parametrize(
    ("name", "version"), [("Wattproof", "2"), ("wattproof", "1"), ("", "1"), ("Wattproof", "")], ids=str
)
def test_refuses_another_domain(stage: Stage, newcomer: Household, name: str, version: str) -> None:
    """T-REG-7: name and version are part of what is signed."""
    domain = {
        "name": name,
        "version": version,
        "chainId": boa.env.evm.patch.chain_id,
        "verifyingContract": stage.market.address,
    }
    types = {"Pairing": [{"name": "user", "type": "address"}, {"name": "profile", "type": "bytes32"}]}
    message = {"user": newcomer.address, "profile": newcomer.profile}
    key = newcomer.meter.key.to_bytes()
    signature = bytes(Account.sign_typed_data(key, domain, types, message).signature)

    with stage.refuses(WRONG_METER):
        register(stage, newcomer, signature)


def test_refuses_a_reading_in_place_of_a_pairing(stage: Stage, newcomer: Household) -> None:
    """T-REG-10: the message is exactly the one expected."""
    signature = newcomer.meter.sign(reading_hash(newcomer.address, 0, 0, 0), stage.market)

    with stage.refuses(WRONG_METER):
        register(stage, newcomer, signature)


def test_refuses_a_bare_struct_hash(stage: Stage, newcomer: Household) -> None:
    """T-REG-7: a hash signed without its domain."""
    digest = pairing_hash(newcomer.address, newcomer.profile)
    signature = newcomer.meter.key.sign_msg_hash(digest).to_bytes()

    with stage.refuses(WRONG_METER):
        register(stage, newcomer, signature[:64] + bytes([27 + signature[64]]))


# ---- signatures in another form -----------------------------------------------------------------


@pytest.mark.parametrize("v", [27, 28])
def test_refuses_a_signature_cut_short_by_its_last_byte(stage: Stage, v: int) -> None:
    """T-REG-8: 64 bytes with v = 27 are, byte for byte, the EIP-2098 form of the same signature."""
    household, signature = by_recovery(stage, v)

    with stage.refuses(MALFORMED):
        register(stage, household, signature[:64])


@pytest.mark.parametrize("v", [27, 28])
def test_refuses_the_compact_form(stage: Stage, v: int) -> None:
    """T-REG-8: EIP-2098 puts v - 27 into the highest bit of s."""
    household, signature = by_recovery(stage, v)
    compact = bytearray(signature[:64])
    compact[32] |= (v - 27) << 7

    with stage.refuses(MALFORMED):
        register(stage, household, bytes(compact))


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64])
def test_refuses_every_shorter_length(stage: Stage, newcomer: Household, length: int) -> None:
    """T-REG-8: also where the bytes that are there are right."""
    signature = pairing(stage, newcomer)[:length]

    with stage.refuses(MALFORMED):
        register(stage, newcomer, signature)


def test_refuses_a_longer_signature_without_a_reason(stage: Stage, newcomer: Household) -> None:
    """T-REG-8, annex A: 66 bytes are out of the argument's range, whatever the 66th is."""
    types = ["bytes32", "address", "bytes"]
    selector = keccak(text="register(bytes32,address,bytes)")[:4]
    signature = pairing(stage, newcomer)

    longer = selector + encode(types, [newcomer.profile, newcomer.meter.address, signature + b"\0"])
    assert stage.raw(longer, sender=newcomer.address) == (False, b"")
    exact = selector + encode(types, [newcomer.profile, newcomer.meter.address, signature])
    assert stage.raw(exact, sender=newcomer.address) == (True, b"")


@pytest.mark.parametrize("flip", [True, False], ids=["with the other v", "with the same v"])
def test_refuses_the_twin_with_a_high_s(stage: Stage, newcomer: Household, flip: bool) -> None:
    """T-REG-9: (r, order - s) with v turned over is the meter's, too, and refused all the same."""
    signature = pairing(stage, newcomer)
    s = int.from_bytes(signature[32:64], "big")
    v = signature[64]

    with stage.refuses(HIGH_S):
        register(stage, newcomer, with_s(signature, ORDER - s, 55 - v if flip else v))


@pytest.mark.parametrize(
    ("s", "reason"),
    [
        pytest.param(HALF_ORDER, WRONG_METER, id="half the order"),
        pytest.param(HALF_ORDER + 1, HIGH_S, id="one above half the order"),
        pytest.param(2**256 - 1, HIGH_S, id="the largest number"),
        pytest.param(0, INVALID, id="zero"),
    ],
)
def test_tells_a_high_s_from_a_low_one(stage: Stage, newcomer: Household, s: int, reason: str) -> None:
    """T-REG-9: half the order is still low; what it leads back to is just not the meter."""
    signature = pairing(stage, newcomer)

    with stage.refuses(reason):
        register(stage, newcomer, with_s(signature, s))


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_refuses_every_other_v(stage: Stage, newcomer: Household, v: int) -> None:
    """T-REG-10: nothing is recovered where v is neither 27 nor 28; 0 and 1 are not taken for them."""
    signature = pairing(stage, newcomer)[:64] + bytes([v])

    with stage.refuses(INVALID):
        register(stage, newcomer, signature)


def test_refuses_the_other_v(stage: Stage, newcomer: Household) -> None:
    """T-REG-10: 27 in place of 28, or the other way round, leads to another address."""
    signature = pairing(stage, newcomer)

    with stage.refuses(WRONG_METER):
        register(stage, newcomer, signature[:64] + bytes([55 - signature[64]]))


@pytest.mark.parametrize("r", [0, ORDER, 2**256 - 1], ids=["zero", "the order", "the largest number"])
def test_refuses_an_r_that_leads_nowhere(stage: Stage, newcomer: Household, r: int) -> None:
    """T-REG-10."""
    signature = pairing(stage, newcomer)

    with stage.refuses(INVALID):
        register(stage, newcomer, r.to_bytes(32, "big") + signature[32:])


# ---- the first of several reasons -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (set(), "accounts: supplier cannot register"),
        ({"sender"}, "accounts: already registered"),
        ({"sender", "new"}, "accounts: meter is zero"),
        ({"sender", "new", "meter"}, "accounts: meter already paired"),
        ({"sender", "new", "meter", "free"}, "accounts: malformed signature"),
    ],
    ids=["T-REG-11", "T-REG-1", "T-REG-4", "T-REG-5", "T-REG-8"],
)
def test_names_the_first_of_several_reasons(stage: Stage, newcomer: Household, sound: set[str], reason: str) -> None:
    """T-PARTY-16: a useless signature in each row, and one more thing put right from row to row."""
    sender = stage.supplier
    if "sender" in sound:
        sender = newcomer.address if "new" in sound else stage.prosumer.address
    meter = ZERO
    if "meter" in sound:
        meter = newcomer.meter.address if "free" in sound else stage.consumer.meter.address

    with stage.refuses(reason):
        stage.market.register(bytes(32), meter, b"", sender=sender)


def test_looks_at_the_length_before_s_and_at_s_before_v(stage: Stage, newcomer: Household) -> None:
    """T-PARTY-16, within SIGNATURE: 64 bytes with a high s; 65 with a high s and a useless v."""
    r = pairing(stage, newcomer)[:32]
    high = (HALF_ORDER + 1).to_bytes(32, "big")

    with stage.refuses(MALFORMED):
        register(stage, newcomer, r + high)
    with stage.refuses(HIGH_S):
        register(stage, newcomer, r + high + b"\0")


@pytest.mark.parametrize(
    ("user", "profile", "said"),
    [
        ("anna", bytes(32), "user 'anna' is no address"),
        (5, bytes(32), "user 5 is no address"),
        ("0x" + 40 * "1", "abc", "a profile must be 32 bytes, such as the SHA-256 of a text, not 'abc'"),
        ("0x" + 40 * "1", bytes(31), "a profile must be 32 bytes"),
        ("0x" + 40 * "1", None, "a profile must be 32 bytes"),
        ("0x" + 40 * "1", 5, "a profile must be 32 bytes"),
    ],
)
def test_a_meter_signs_no_pairing_that_no_market_would_take(user: Any, profile: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Meter("any").sign_pairing("0x" + 40 * "2", user, profile)


def test_a_profile_may_be_hexadecimal() -> None:
    market, user = "0x" + 40 * "2", "0x" + 40 * "1"
    meter = Meter("any")
    assert meter.sign_pairing(market, user, "0x" + 32 * "07") == meter.sign_pairing(market, user, 32 * b"\7")


@pytest.mark.parametrize("chain", ["1", -1, True, 2**256, 1.0])
def test_a_chain_has_a_whole_number(chain: Any) -> None:
    with pytest.raises(ValueError, match="a chain's ID must be a whole number"):
        Meter("any").sign_pairing("0x" + 40 * "2", "0x" + 40 * "1", bytes(32), chain)
