"""The market's published interface, and that there is nothing besides (T-MON-22, T-PARTY-5, annex A, annex B)."""

from __future__ import annotations

import re
from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from vyper.compiler.output import build_abi_output

from tests.support.stage import Stage
from wattproof.market.deployment import contracts_dir, deployer

ABI: list[dict[str, Any]] = build_abi_output(deployer("EnergyMarket").compiler_data)
LENS: list[dict[str, Any]] = build_abi_output(deployer("MarketLens").compiler_data)

ACCOUNT = (
    "(bytes32 profile, address meter, bool authorized, uint256 balance, uint256 reserved, int256 grid_account,"
    " uint256 performances, uint256 defaults, uint256 waivers, uint256 tier, uint256 capacity)"
)
QUOTE = (
    "(address prosumer, uint256 period, uint256 volume, uint256 price, uint256 created_at, uint256 sold,"
    " uint256 status)"
)
BID = "(bytes32 seal, uint256 price, uint256 volume, uint256 filled, uint256 status)"
TRADES = "(address buyer, uint256 volume, uint256 price)[]"
READING = "(bool present, uint256 exported, uint256 imported)"
POSITION = "(uint256 agreed, uint256 bought, uint256 received, uint256 delivered, uint256 open, bool settled)"
FRAME = (
    "(address token, address supplier, uint256 sbp, uint256 ssp, uint256 service_fee, uint256 period_length,"
    " uint256 window, uint256 priority_step, bool rank_by_price)"
)
IN_THE_WAY = "(bool blocked, uint256 period, uint256[] to_match, uint256[] to_settle, uint256 others, bool account)"
PLACES = "(address user, uint256 period)[]"
STATE = (
    f"({ACCOUNT}[] accounts, {QUOTE}[] quotes, uint256[] remaining, bytes32[] trades, {BID}[] bids,"
    f" {READING}[] readings, {POSITION}[] positions, uint256[] quote_of, uint256[] periods, uint256[] others)"
)
SIGNED_READINGS = "(address user, uint256 exported, uint256 imported, bytes signature)[]"
DOMAIN = "bytes1, string, string, uint256, address, bytes32, uint256[]"

CALLS = [
    "register(bytes32 profile, address meter, bytes signature)",
    "authorize(address user, uint256 capacity)",
    "revoke(address user)",
    "deposit(uint256 amount)",
    "withdraw(uint256 amount)",
    "withdraw_at_least(uint256 amount, uint256 least)",
    "clear(address user)",
    "submit_quote(uint256 period, uint256 volume, uint256 price) -> uint256",
    "invalidate_quote(uint256 quote_id)",
    "submit_bid(uint256 quote_id, bytes32 seal)",
    "reveal_bid(uint256 quote_id, uint256 price, uint256 volume, bytes32 salt)",
    "match_bids(uint256 quote_id)",
    "buy_surplus(uint256 quote_id, uint256 volume)",
    "submit_reading(address user, uint256 period, uint256 exported, uint256 imported, bytes signature)",
    f"submit_readings(uint256 period, {SIGNED_READINGS} readings) -> uint256",
    "settle_quote(uint256 quote_id)",
    "settle_account(address user, uint256 period)",
    "settle_accounts(uint256 period, address[] users) -> uint256",
    "transfer_ownership(address new_owner)",
    "accept_ownership()",
]

VIEWS = [
    "owner() -> address",
    "pending_owner() -> address",
    "quote_count() -> uint256",
    f"frame() -> {FRAME}",
    "words(uint256[] places) -> uint256[]",
    f"eip712Domain() -> {DOMAIN}",
]
"""What the market answers itself."""

LENS_VIEWS = [
    "owner() -> address",
    "pending_owner() -> address",
    "TOKEN() -> address",
    "SUPPLIER() -> address",
    "SBP() -> uint256",
    "SSP() -> uint256",
    "SERVICE_FEE() -> uint256",
    "PERIOD_LENGTH() -> uint256",
    "WINDOW() -> uint256",
    "PRIORITY_STEP() -> uint256",
    "RANK_BY_PRICE() -> bool",
    "MARKET() -> address",
    f"account(address user) -> {ACCOUNT}",
    f"quote(uint256 quote_id) -> {QUOTE}",
    f"bid(uint256 quote_id, address bidder) -> {BID}",
    f"trades(uint256 quote_id) -> {TRADES}",
    f"reading(address user, uint256 period) -> {READING}",
    f"position(address user, uint256 period) -> {POSITION}",
    f"in_the_way(address user, uint256 period) -> {IN_THE_WAY}",
    "quote_of(address prosumer, uint256 period) -> uint256",
    "quote_count() -> uint256",
    "remaining(uint256 quote_id) -> uint256",
    "supply(uint256 period) -> uint256",
    "demand(uint256 period) -> uint256",
    "phase(uint256 period) -> uint256",
    "seal_of(uint256 quote_id, address bidder, uint256 price, uint256 volume, bytes32 salt) -> bytes32",
    f"state(address[] users, address[] bidders, uint256[] quotes, {PLACES} places, uint256[] periods) -> {STATE}",
]
"""What a lens answers for a market."""

EVENTS = [
    "OwnershipTransferred(address indexed previous_owner, address indexed new_owner)",
    "OwnershipTransferStarted(address indexed previous_owner, address indexed new_owner)",
    "Registered(address indexed user, address indexed meter)",
    "Authorized(address indexed user, uint256 capacity)",
    "Revoked(address indexed user)",
    "Deposited(address indexed account, uint256 amount)",
    "Withdrawn(address indexed account, uint256 amount)",
    "Cleared(address indexed user, int256 amount)",
    "QuoteSubmitted(uint256 indexed quote_id, address indexed prosumer, uint256 indexed period, uint256 volume,"
    " uint256 price)",
    "QuoteInvalidated(uint256 indexed quote_id)",
    "BidSealed(uint256 indexed quote_id, address indexed bidder, bytes32 seal)",
    "BidRevealed(uint256 indexed quote_id, address indexed bidder, uint256 price, uint256 volume)",
    "BidConfirmed(uint256 indexed quote_id, address indexed bidder, uint256 filled)",
    "BidRejected(uint256 indexed quote_id, address indexed bidder)",
    "QuoteMatched(uint256 indexed quote_id, uint256 sold)",
    "SurplusBought(uint256 indexed quote_id, address indexed buyer, uint256 volume)",
    "ReadingSubmitted(address indexed user, uint256 indexed period, uint256 exported, uint256 imported)",
    "ReadingRefused(address indexed user, uint256 indexed period, uint256 index, string reason)",
    "TradeSettled(uint256 indexed quote_id, address indexed buyer, uint256 delivered, uint256 payment, uint256 fee,"
    " uint256 compensation)",
    "QuoteSettled(uint256 indexed quote_id, uint256 delivered, uint256 revenue, uint256 fee, uint256 compensation)",
    "AccountSettled(address indexed user, uint256 indexed period, int256 amount, int256 cleared)",
    "AccountRefused(address indexed user, uint256 indexed period, uint256 index, string reason)",
    "PerformanceRecorded(address indexed user, bool good)",
    "WaiverGranted(address indexed user)",
    "WaiverUsed(address indexed user)",
]


def name_of(declaration: str) -> str:
    """The name before the first bracket."""
    return declaration.partition("(")[0]


def typed(entry: dict[str, Any]) -> str:
    """The type of an argument or result; of a struct, with its fields in their order."""
    if not entry["type"].startswith("tuple"):
        return entry["type"]
    fields = ", ".join(f"{typed(field)} {field['name']}" for field in entry["components"])
    return f"({fields}){entry['type'].removeprefix('tuple')}"


def declared(entry: dict[str, Any]) -> str:
    """An ABI entry as these tests write it."""
    indexed = [" indexed" if argument.get("indexed") else "" for argument in entry["inputs"]]
    arguments = ", ".join(
        f"{typed(argument)}{mark} {argument['name']}" for argument, mark in zip(entry["inputs"], indexed, strict=True)
    )
    results = ", ".join(typed(result) for result in entry.get("outputs", []))
    return f"{entry['name']}({arguments})" + (f" -> {results}" if results else "")


def entries(kind: str, abi: list[dict[str, Any]] = ABI) -> dict[str, dict[str, Any]]:
    """The market's (or another) ABI's entries of a kind, by name; no name twice."""
    found = [entry for entry in abi if entry["type"] == kind]
    assert len({entry["name"] for entry in found}) == len(found)
    return {entry["name"]: entry for entry in found}


# ---- the interface ------------------------------------------------------------------------------


def test_publishes_these_functions_and_no_other() -> None:
    """Renouncing the ownership, minting, pausing, upgrading: not there (T-PARTY-2, T-PARTY-5, T-PARTY-7)."""
    assert set(entries("function")) == {name_of(declaration) for declaration in CALLS + VIEWS}
    assert {entry["type"] for entry in ABI} == {"constructor", "function", "event"}


@pytest.mark.parametrize("declaration", CALLS + VIEWS, ids=name_of)
def test_declares_each_function_as_published(declaration: str) -> None:
    """Names and order of arguments, types, and the fields of structs in their order."""
    entry = entries("function")[name_of(declaration)]

    assert declared(entry) == declaration
    assert entry["stateMutability"] == ("nonpayable" if declaration in CALLS else "view")


@pytest.mark.parametrize("declaration", LENS_VIEWS, ids=name_of)
def test_declares_each_view_of_a_lens_as_published(declaration: str) -> None:
    """T-PARTY-18: names, types and the fields of structs in their order."""
    entry = entries("function", LENS)[name_of(declaration)]

    assert declared(entry) == declaration
    assert entry["stateMutability"] == "view"


def test_publishes_these_views_of_a_lens_and_no_other() -> None:
    """A lens can do nothing: it has views alone, and its constructor takes the market."""
    assert set(entries("function", LENS)) == {name_of(declaration) for declaration in LENS_VIEWS}
    [constructor] = [entry for entry in LENS if entry["type"] == "constructor"]
    assert declared(constructor | {"name": "__init__"}) == "__init__(address market)"
    assert {entry["type"] for entry in LENS} == {"constructor", "function"}


def test_declares_the_constructor_as_published() -> None:
    """T-PARTY-7."""
    [constructor] = [entry for entry in ABI if entry["type"] == "constructor"]

    assert declared(constructor | {"name": "__init__"}) == (
        "__init__(address token, address supplier, uint256 sbp, uint256 ssp, uint256 service_fee,"
        " uint256 period_length, uint256 window, uint256 priority_step, bool rank_by_price)"
    )
    assert constructor["stateMutability"] == "nonpayable"


@pytest.mark.parametrize("declaration", EVENTS, ids=name_of)
def test_declares_each_event_as_published(declaration: str) -> None:
    """Annex B."""
    assert declared(entries("event")[name_of(declaration)]) == declaration


def test_announces_these_events_and_no_other() -> None:
    """Annex B."""
    assert set(entries("event")) == {name_of(declaration) for declaration in EVENTS}


def test_implements_the_interface_file_and_adds_the_domain_alone() -> None:
    """contracts/interfaces/IEnergyMarket.vyi declares every function of the market but snekmate's eip712Domain."""
    source = (contracts_dir() / "interfaces" / "IEnergyMarket.vyi").read_text()
    functions = set(re.findall(r"^def (\w+)\(", source, re.MULTILINE))
    events = set(re.findall(r"^event (\w+):", source, re.MULTILINE))

    assert len(functions) == 25
    assert set(entries("function")) - functions == {"eip712Domain"}
    assert functions - set(entries("function")) == set()
    # Ownership's two events are snekmate's.
    assert set(entries("event")) - events == {"OwnershipTransferred", "OwnershipTransferStarted"}
    assert events - set(entries("event")) == set()


def test_a_lens_implements_its_interface_file() -> None:
    """contracts/interfaces/IMarketLens.vyi declares every function of a lens."""
    source = (contracts_dir() / "interfaces" / "IMarketLens.vyi").read_text()

    assert set(entries("function", LENS)) == set(re.findall(r"^def (\w+)\(", source, re.MULTILINE))


@pytest.mark.parametrize(
    ("flag", "members"),
    [
        ("Phase", ["BIDDING", "REVEALING", "MATCHING", "DELIVERING", "METERING", "SETTLING", "CLOSING"]),
        ("QuoteStatus", ["VALID", "INVALID", "MATCHED", "SETTLED"]),
        ("BidStatus", ["CREATED", "RESERVED", "CONFIRMED", "REJECTED"]),
    ],
)
def test_counts_flags_in_the_published_order(flag: str, members: list[str]) -> None:
    """The first member is 1, each next one twice as much: BIDDING=1 ... CLOSING=64, and so on."""
    source = (contracts_dir() / "interfaces" / "IEnergyMarket.vyi").read_text()
    body = re.search(rf"^flag {flag}:\n((?:    \w+\n)+)", source, re.MULTILINE)

    assert body is not None
    assert body.group(1).split() == members


# ---- the program --------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", ["market", "token", "lens"])
def test_fits_onto_the_chain(stage: Stage, contract: str) -> None:
    """EIP-170: at most 24 576 bytes of code; EIP-3860: at most twice that to deploy it."""
    name, deployed = {
        "market": ("EnergyMarket", stage.market),
        "token": ("EnergyCredit", stage.token),
        "lens": ("MarketLens", stage.market.lens),
    }[contract]
    address = deployed.address

    assert 0 < len(boa.env.get_code(address)) <= 24_576
    # The constructor's arguments come on top: 9 words at most.
    assert len(deployer(name).compiler_data.bytecode) + 9 * 32 <= 49_152


def test_cannot_be_replaced_or_ended(stage: Stage) -> None:
    """T-PARTY-2: no DELEGATECALL, CALLCODE, CREATE, CREATE2 or SELFDESTRUCT among the opcodes."""
    opcodes = deployer("EnergyMarket").compiler_data.assembly_runtime

    words = {str(item) for item in _flat(opcodes)}
    assert words & {"CALL", "STATICCALL", "SSTORE"} == {"CALL", "STATICCALL", "SSTORE"}
    assert words & {"DELEGATECALL", "CALLCODE", "CREATE", "CREATE2", "SELFDESTRUCT"} == set()


def _flat(assembly: list[Any]) -> list[Any]:
    """Assembly with its nested parts in line."""
    flat = []
    for item in assembly:
        flat.extend(_flat(item) if isinstance(item, list) else [item])
    return flat


# ---- what is not in the interface -----------------------------------------------------------------


def abi_type(entry: dict[str, Any]) -> str:
    """The type of an argument as a selector has it."""
    if not entry["type"].startswith("tuple"):
        return entry["type"]
    return f"({','.join(map(abi_type, entry['components']))}){entry['type'].removeprefix('tuple')}"


def selector(entry: dict[str, Any]) -> bytes:
    """The four bytes that name a function."""
    return keccak(text=f"{entry['name']}({','.join(map(abi_type, entry['inputs']))})")[:4]


def calldata(stage: Stage, entry: dict[str, Any], **changes: Any) -> bytes:
    """A well-formed call of a function; some arguments may be changed."""
    fillers = {"address": stage.prosumer.address, "uint256": 1, "bytes32": b"\1" * 32, "bytes": b"\1" * 65}
    fillers |= {"address[]": [], "uint256[]": [], "(address,uint256,uint256,bytes)[]": []}
    types = [abi_type(argument) for argument in entry["inputs"]]
    values = [
        changes.get(argument["name"], fillers[kind]) for argument, kind in zip(entry["inputs"], types, strict=True)
    ]
    return selector(entry) + encode(types, values)


def answers(stage: Stage, data: bytes, value: int = 0) -> bool:
    """Whether the market takes the call in: it succeeds, or is refused with a reason."""
    succeeded, answer = stage.raw(data, sender=stage.owner, value=value)
    return succeeded or answer != b""


FUNCTIONS: list[Any] = [pytest.param(entry, id=entry["name"]) for entry in ABI if entry["type"] == "function"]
WITH_ARGUMENTS = [function for function in FUNCTIONS if function.values[0]["inputs"]]


@pytest.mark.parametrize(
    "signature",
    [
        "renounce_ownership()",
        "_transfer_ownership(address)",
        "transferOwnership(address)",
        "withdraw(uint256,address)",
        "withdraw_at_least(uint256)",
        "withdraw()",
        "deposit()",
        "pause()",
        "initialize()",
        "upgradeTo(address)",
        "balanceOf(address)",
        "DOMAIN_SEPARATOR()",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    ],
)
def test_refuses_a_call_that_is_not_in_the_interface(stage: Stage, signature: str) -> None:
    """T-MON-22, T-PARTY-2: without a reason, from the owner, too."""
    data = keccak(text=signature)[:4] + encode(["address"] * 7, [stage.stranger] * 7)

    assert stage.raw(data, sender=stage.owner) == (False, b"")


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0", b"\0\0\0\0", b"\xff" * 4, b"\xff" * 100], ids=len)
def test_refuses_data_that_names_no_function(stage: Stage, data: bytes) -> None:
    """T-MON-22: there is no fallback."""
    assert stage.raw(data, sender=stage.owner) == (False, b"")


@pytest.mark.parametrize("entry", FUNCTIONS)
def test_refuses_three_bytes_of_a_selector(stage: Stage, entry: dict[str, Any]) -> None:
    """Annex A: nothing is made up for the missing byte, not even where it is zero."""
    assert stage.raw(selector(entry)[:3], sender=stage.owner) == (False, b"")


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0"], ids=["without data", "with data"])
def test_takes_no_plain_ether(stage: Stage, data: bytes) -> None:
    """T-MON-22."""
    assert stage.raw(data, sender=stage.owner, value=1) == (False, b"")
    assert boa.env.get_balance(stage.market.address) == 0


@pytest.mark.parametrize("entry", FUNCTIONS)
def test_takes_no_ether_with_any_call(stage: Stage, entry: dict[str, Any]) -> None:
    """T-MON-22: the same call without the one wei is taken in."""
    data = calldata(stage, entry)

    assert answers(stage, data, value=1) is False
    assert boa.env.get_balance(stage.market.address) == 0
    assert answers(stage, data) is True


@pytest.mark.parametrize("entry", WITH_ARGUMENTS)
def test_refuses_arguments_that_are_cut_short(stage: Stage, entry: dict[str, Any]) -> None:
    """Annex A: without a reason; one byte short of the head, and none at all."""
    head = calldata(stage, entry)[: 4 + 32 * len(entry["inputs"])]

    assert stage.raw(head[:-1], sender=stage.owner) == (False, b"")
    assert stage.raw(head[:4], sender=stage.owner) == (False, b"")
    assert answers(stage, calldata(stage, entry)) is True


@pytest.mark.parametrize(
    "entry",
    [function for function in WITH_ARGUMENTS if any(i["type"] == "address" for i in function.values[0]["inputs"])],
)
@pytest.mark.parametrize("bit", [160, 255])
def test_refuses_an_address_out_of_range(stage: Stage, entry: dict[str, Any], bit: int) -> None:
    """Annex A: the 96 bits above an address are zero."""
    types = [argument["type"] for argument in entry["inputs"]]
    data = calldata(stage, entry)
    place = 4 + 32 * types.index("address")
    word = int.from_bytes(data[place : place + 32], "big") | 1 << bit

    assert stage.raw(data[:place] + word.to_bytes(32, "big") + data[place + 32 :], sender=stage.owner) == (False, b"")


@pytest.mark.parametrize("name", ["register", "submit_reading"])
@pytest.mark.parametrize(("length", "taken_in"), [(0, True), (65, True), (66, False), (2**256 - 1, False)])
def test_refuses_a_signature_longer_than_any(stage: Stage, name: str, length: int, taken_in: bool) -> None:
    """Annex A: a length above 65 is out of the type's range; the bytes are there in every row."""
    entry = entries("function")[name]
    stage.to("METERING")
    newcomer = stage.unregistered("newcomer")
    data = calldata(stage, entry, user=stage.prosumer.address, period=stage.period, meter=newcomer.meter.address)
    place = 4 + 32 * len(entry["inputs"])
    data = data[:place] + length.to_bytes(32, "big") + data[place + 32 :]

    succeeded, answer = stage.raw(data)
    assert succeeded is False
    assert (answer != b"") is taken_in


NEWCOMER = "0x" + "ab" * 20


def good_registration(stage: Stage) -> bytes:
    """The call with which NEWCOMER can register."""
    meter = stage.unregistered("newcomer").meter
    signature = meter.sign_pairing(stage.market, NEWCOMER, b"\1" * 32)
    return calldata(stage, entries("function")["register"], meter=meter.address, signature=signature)


@pytest.mark.parametrize("offset", [2**255, 2**256 - 32], ids=["far away", "before the call"])
def test_refuses_a_signature_that_is_not_there(stage: Stage, offset: int) -> None:
    """Annex A: the place at which the signature is said to be lies outside the call; that of a newcomer is good."""
    data = good_registration(stage)
    place = 4 + 32 * 2

    succeeded, _ = stage.raw(data[:place] + offset.to_bytes(32, "big") + data[place + 32 :], sender=NEWCOMER)
    assert succeeded is False
    assert stage.raw(data, sender=NEWCOMER) == (True, b"")


@pytest.mark.parametrize("missing", [32, 33, 95, 96, 128], ids=["v", "v and a byte", "half", "all", "its length, too"])
def test_refuses_a_signature_that_ends_too_early(stage: Stage, missing: int) -> None:
    """Annex A: 65 bytes are announced and fewer sent; the last 32 bytes of the call hold v and 31 of filling."""
    data = good_registration(stage)

    succeeded, _ = stage.raw(data[:-missing], sender=NEWCOMER)
    assert succeeded is False
    assert stage.raw(data, sender=NEWCOMER) == (True, b"")
