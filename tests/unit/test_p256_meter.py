"""`P256Meter`, a meter whose device signs with a P-256 key: T-REG-22, T-REG-25.

The engines lack the chain's precompile. A contract that knows the right signatures lies in its place here; it itself
answers in tests/evidence/test_contract_meters.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from boa.environment import Env
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from vyper.evm.opcodes import get_opcodes

from tests.support.meters import precompile
from tests.support.meters.home import KNOWN, KNOWN_DIGEST, ORDER, Home, others
from verification.invariants import ROOT
from wattproof.evm.network import NotReady
from wattproof.market.deployment import deploy_meter, deployer
from wattproof.meters import Meter, P256Meter

FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
"""The modulus of the curve's field (SEC 2, section 2.4.2)."""

YES, NO = bytes.fromhex("1626ba7e"), bytes.fromhex("ffffffff")
LACKING = "meter: no P-256 precompile"
CREDULOUS = "meter: P-256 precompile says yes to all"
NO_KEY = "meter: key not on the curve"


@pytest.fixture
def bare(each_engine: None) -> Iterator[None]:
    """A chain with nothing in the precompile's place."""
    with boa.env.anchor():
        precompile.put(boa.env, b"")
        yield


# ---- the device ---------------------------------------------------------------------------


def test_a_device_signs_the_same_message_the_same_way() -> None:
    """64 bytes, r and s, s in the lower half; another message or key signs otherwise."""
    device = P256Meter("device")
    signatures = [device._signature(keccak(text=str(each))) for each in range(64)]

    assert signatures == [P256Meter("device")._signature(keccak(text=str(each))) for each in range(64)]
    assert {len(each) for each in signatures} == {64}
    assert all(0 < 2 * int.from_bytes(each[32:], "big") < ORDER for each in signatures)
    assert len(set(signatures)) == 64
    assert device.public != P256Meter("another").public
    assert P256Meter("another")._signature(keccak(text="0")) != signatures[0]


def test_a_device_says_what_to_do_where_it_is_no_meter_yet() -> None:
    device = P256Meter("device")
    with pytest.raises(LookupError, match=r"^this meter has no contract on a chain yet: call its deploy\(\) first$"):
        _ = device.address
    assert repr(device) == "P256Meter(not deployed)"
    there = P256Meter("device", "0x" + 40 * "1")
    assert (there.address, repr(there)) == ("0x" + 40 * "1", f"P256Meter(0x{40 * '1'})")


@pytest.mark.parametrize(
    ("exported", "error"), [(0.5, TypeError), (True, TypeError), (-1, ValueError), (2**24, ValueError)]
)
def test_both_kinds_refuse_what_no_meter_measures(exported: Any, error: type[Exception]) -> None:
    market, user = "0x" + 40 * "1", "0x" + 40 * "2"
    said = []
    for meter in (Meter("any"), P256Meter("any")):
        with pytest.raises(error) as problem:
            meter.sign_reading(market, user, 1, exported, 0)
        said.append(str(problem.value))
    assert said[0] == said[1]


# ---- deployment ---------------------------------------------------------------------------


def test_the_signature_that_the_constructor_tries_is_of_our_own_making() -> None:
    """Whoever knows two texts can make it again, so that there is nothing hidden in it."""
    signature = KNOWN._signature(KNOWN_DIGEST)
    source = deployer("P256Meter").compiler_data.source_code.replace("_", "")
    numbers = [int.from_bytes(signature[at : at + 32], "big") for at in (0, 32)] + list(KNOWN.public)

    for name, number in zip("RSXY", numbers, strict=True):
        assert f"KNOWN{name}: constant(uint256) = (\n    {number}\n)" in source
    assert f"KNOWNDIGEST: constant(bytes32) = 0x{KNOWN_DIGEST.hex()}" in source


def test_shows_the_key_it_was_given(home: Home) -> None:
    """T-REG-25: the owner compares it with the device's."""
    assert (home.contract.X(), home.contract.Y()) == home.device.public


def test_is_refused_where_the_chain_lacks_the_precompile(bare: None) -> None:
    """A call of what is not there succeeds, with an empty answer: that is not taken for one."""
    device = P256Meter("device")
    with boa.reverts(LACKING):
        deployer("P256Meter").deploy(*device.public)
    with pytest.raises(NotReady, match=r"^the chain cannot check signatures on P-256 .*: take a chain that can, or"):
        device.deploy()
    assert repr(device) == "P256Meter(not deployed)"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (precompile.YES_TO_ALL, CREDULOUS),
        (precompile.TWO_TO_ALL, LACKING),
        (b"\xfe", LACKING),
        (b"\x5f\x5f\xfd", LACKING),
        (precompile.REVERTS_WITH_YES, LACKING),
    ],
    ids=["yes to all", "two to all", "burns all", "reverts", "reverts with a yes"],
)
def test_is_refused_where_something_else_is_in_its_place(bare: None, code: bytes, reason: str) -> None:
    precompile.put(boa.env, code)
    with boa.reverts(reason):
        deployer("P256Meter").deploy(*P256Meter("device").public, gas=10_000_000)
    with pytest.raises(NotReady, match="the chain cannot check signatures on P-256"):
        deploy_meter(*P256Meter("device").public)


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_is_refused_where_the_answer_has_another_length(bare: None, length: int) -> None:
    precompile.put_pupil(boa.env)
    precompile.teach(boa.env, KNOWN_DIGEST, KNOWN._signature(KNOWN_DIGEST), KNOWN.public, length)
    with boa.reverts(LACKING):
        deployer("P256Meter").deploy(*P256Meter("device").public)


def test_is_refused_where_the_digest_does_not_matter(bare: None) -> None:
    """The signature is right there for every digest, and every other one wrong."""
    precompile.put_pupil(boa.env)
    for digest in (KNOWN_DIGEST, bytes(255 - each for each in KNOWN_DIGEST)):
        precompile.teach(boa.env, digest, KNOWN._signature(KNOWN_DIGEST), KNOWN.public)
    with boa.reverts(CREDULOUS):
        deployer("P256Meter").deploy(*P256Meter("device").public)


X, Y = P256Meter("device").public


@pytest.mark.parametrize(
    ("x", "y"),
    [(X, Y ^ 1), (X ^ 1, Y), (Y, X), (0, 0), (X, 0), (X, FIELD), (FIELD, Y), (2**256 - 1, Y), (X, 2**256 - 1)],
)
def test_is_refused_for_a_key_that_is_none(home: Home, x: int, y: int) -> None:
    """A coordinate that was copied wrong leads off the curve."""
    with boa.reverts(NO_KEY):
        deployer("P256Meter").deploy(x, y)
    with pytest.raises(ValueError, match=r"^that is no public key on P-256: compare both coordinates"):
        deploy_meter(x, y)


SMALL_X = (0, 0x66485C780E2F83D72433BD5D84A06BB6541C2AF31DAE871728BF856A174F93F4)
SMALL_Y = (0x8D0177EBAB9C6E9E10DB6DD095DBAC0D6375E8A97B70F611875D877F0069D2C7, 1)


@pytest.mark.parametrize(("key", "dx", "dy"), [(SMALL_X, FIELD, 0), (SMALL_Y, 0, FIELD)], ids=["x", "y"])
def test_is_refused_for_a_coordinate_beyond_the_field(home: Home, key: tuple[int, int], dx: int, dy: int) -> None:
    """A point of the curve, once as it is and once with a number that the field does not have."""
    x, y = key
    assert deployer("P256Meter").deploy(x, y).X() == x
    with boa.reverts(NO_KEY):
        deployer("P256Meter").deploy(x + dx, y + dy)


def test_is_refused_with_ether(home: Home) -> None:
    """It could never be taken out again."""
    data = deployer("P256Meter").compiler_data.bytecode + encode(["uint256", "uint256"], home.device.public)
    boa.env.set_balance(home.user, 1)
    for value, refused in ((1, True), (0, False)):
        _, computation = boa.env.deploy(bytecode=data, value=value, sender=home.user)
        assert computation.is_error is refused


@pytest.mark.parametrize("bad", [-1, 2**256, 1.0, True, "1", None])
def test_a_coordinate_that_is_no_number_is_named(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"^y .* is no coordinate of a key: write a whole number below 2\*\*256 \("):
        deploy_meter(X, bad)


# ---- what it says -------------------------------------------------------------------------


def test_says_yes_to_the_devices_own_signature(home: Home) -> None:
    digest = keccak(text="any")
    signature = home.device._signature(digest)
    assert home.contract.isValidSignature(digest, signature) == NO, "the chain does not know it yet"
    home.teach(digest, signature)
    assert home.contract.isValidSignature(digest, signature) == YES


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_takes_no_other_answer_of_the_precompile(home: Home, length: int) -> None:
    digest = keccak(text="any")
    home.teach(digest, home.device._signature(digest), length)
    assert home.contract.isValidSignature(digest, home.device._signature(digest)) == NO


def test_the_low_s_ends_at_half_the_order(home: Home) -> None:
    """The precompile is taught to take both: what decides is the contract."""
    digest, r = keccak(text="any"), (1).to_bytes(32, "big")
    for s, said in ((ORDER // 2, YES), (ORDER // 2 + 1, NO)):
        signature = r + s.to_bytes(32, "big")
        precompile.teach(boa.env, digest, signature, home.device.public)
        assert home.contract.isValidSignature(digest, signature) == said


@pytest.mark.parametrize("kind", others(bytes(64)))
def test_says_no_without_a_revert_to_other_bytes(home: Home, kind: str) -> None:
    digest = keccak(text="any")
    signature = home.device._signature(digest)
    home.teach(digest, signature)
    assert home.contract.isValidSignature(digest, others(signature)[kind]) == NO


def test_says_no_to_another_digest_or_key(home: Home) -> None:
    digest, other = keccak(text="any"), P256Meter("another")
    home.teach(digest, home.device._signature(digest))
    precompile.teach(boa.env, digest, other._signature(digest), other.public)
    assert home.contract.isValidSignature(keccak(text="other"), home.device._signature(digest)) == NO
    assert home.contract.isValidSignature(digest, other._signature(digest)) == NO


def test_says_no_where_the_precompile_fails(home: Home) -> None:
    """Whatever it says then: a chain whose rules change takes no signature for right."""
    digest = keccak(text="any")
    home.teach(digest, home.device._signature(digest))
    assert home.contract.isValidSignature(digest, home.device._signature(digest)) == YES
    precompile.put(boa.env, precompile.REVERTS_WITH_YES)
    assert home.contract.isValidSignature(digest, home.device._signature(digest)) == NO


# ---- other calls --------------------------------------------------------------------------


def sent(home: Home, data: bytes, value: int = 0) -> tuple[bool, bytes]:
    """Whether a call of the meter's contract succeeds, and what it answers."""
    return home.stage.raw(data, value=value, to=home.contract)


def question(signature: bytes) -> bytes:
    """The call that asks whether bytes are a signature."""
    return keccak(text="isValidSignature(bytes32,bytes)")[:4] + encode(["bytes32", "bytes"], [bytes(32), signature])


CALLS = [question(bytes(64)), keccak(text="X()")[:4], keccak(text="Y()")[:4]]


@pytest.mark.parametrize("data", CALLS, ids=["isValidSignature", "X", "Y"])
def test_takes_no_ether_and_no_call_cut_short(home: Home, data: bytes) -> None:
    """T-REG-25: there is nothing in it that anybody could want to take out."""
    assert sent(home, data)[0]
    assert sent(home, data, value=1) == sent(home, data[:3]) == (False, b"")
    if len(data) > 4:
        assert sent(home, data[:67]) == (False, b"")
    assert boa.env.get_balance(home.contract.address) == 0


@pytest.mark.parametrize("name", ["", "upgradeTo(address)", "owner()", "transferOwnership(address)", "initialize()"])
def test_has_no_other_function(home: Home, name: str) -> None:
    """T-REG-25: nobody owns it, and nothing in it can change; plain ether is refused, too."""
    data = keccak(text=name)[:4] + encode(["address"] * 4, [home.user] * 4) if name else b""
    assert sent(home, data) == sent(home, data, value=1) == (False, b"")


@pytest.mark.parametrize("length", [66, 96, 10_000])
def test_more_bytes_than_the_market_hands_on_are_refused(home: Home, length: int) -> None:
    assert sent(home, question(bytes(65))) == (True, NO + bytes(28))
    assert sent(home, question(bytes(length))) == (False, b"")


def test_has_no_code_that_writes_or_calls_to_write() -> None:
    """T-REG-25: no storage, no proxy, no end: what it says of a signature is the same for ever."""
    words = set(opcodes(deployer("P256Meter").compiler_data.bytecode_runtime))
    assert "STATICCALL" in words
    assert words & {"SSTORE", "TSTORE", "SLOAD", "CALL", "DELEGATECALL", "CALLCODE", "CREATE", "CREATE2"} == set()
    assert words & {"SELFDESTRUCT", "LOG0", "LOG1"} == set()


def opcodes(code: bytes) -> Iterator[str]:
    """The instructions of a code by name, without what they push; at its end what is data reads as some, too."""
    names = {value: name for name, (value, *_) in get_opcodes().items() if value is not None}
    place = 0
    while place < len(code):
        name = names.get(code[place], "none")
        yield name
        place += 1 + (int(name[4:]) if name.startswith("PUSH") else 0)


def test_the_lines_of_the_documentation_run_as_they_stand() -> None:
    """On a chain of their own: they give it what the chain inside a process has not."""
    text = (ROOT / "docs" / "meters.md").read_text()
    lines = text.partition("```python\n")[2].partition("```")[0]
    with boa.swap_env(Env()):
        names: dict[str, Any] = {}
        exec(lines, names)
        assert names["market"].account(names["user"]).authorized
        assert names["market"].account(names["user"]).meter == names["meter"].address
