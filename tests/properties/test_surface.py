"""Criterion 4: the surface is closed. What is not in the published interface is refused, and cannot be there.

Calls that no library would make (no data, cut data, dirty words, ether, unknown selectors) against a market with a
history; then the bytecode itself; then the default token, which nobody can create without ether.
"""

from __future__ import annotations

import functools
import re
import sys
from collections import Counter
from typing import Any

import boa
from eth_abi.abi import encode
from eth_keys import keys  # pyright: ignore[reportPrivateImportUsage]
from eth_utils.crypto import keccak
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import RuleBasedStateMachine, rule
from vyper.compiler.output import build_abi_output

from tests.properties.machine import step
from verification.harness import counters, presets
from verification.harness.choices import Choose, drawn
from verification.harness.counters import holds
from verification.harness.lockstep import Lockstep
from verification.harness.moves import undo
from wattproof.evm.engine import state_digest
from wattproof.market.abi import word
from wattproof.market.deployment import contracts_dir, deployer

SEASON = "waivers"
"""The market that is called: it holds money, quotes, bids, readings and settled accounts."""


class Surface:
    """Names the preset, so that it is prepared before the tests."""

    preset_names = (SEASON,)


def _kind(argument: dict[str, Any]) -> str:
    """The ABI type of an argument, tuples spelt out."""
    if not argument["type"].startswith("tuple"):
        return argument["type"]
    return f"({','.join(map(_kind, argument['components']))}){argument['type'][5:]}"


def selector(name: str, kinds: list[str]) -> bytes:
    """The first four bytes of a call's data."""
    return keccak(text=f"{name}({','.join(kinds)})")[:4]


@functools.cache
def functions(contract: str = "EnergyMarket") -> dict[str, list[str]]:
    """Every function of a contract's ABI, with the types of its arguments."""
    return {entry["name"]: [_kind(argument) for argument in entry["inputs"]] for entry in _abi(contract)}


@functools.cache
def _abi(contract: str) -> list[dict[str, Any]]:
    return [entry for entry in build_abi_output(deployer(contract).compiler_data) if entry["type"] == "function"]


@functools.cache
def selectors() -> dict[bytes, str]:
    """The selectors of the market's ABI."""
    return {selector(name, kinds): name for name, kinds in functions().items()}


CALLS = sorted(functions())
FED = [name for name in CALLS if functions()[name]]
ADDRESSED = [name for name in CALLS if "address" in functions()[name]]


def calldata(lockstep: Lockstep, name: str, fill: int = 1) -> bytes:
    """A well-formed call: addresses of households, small numbers, a signature of 65 bytes."""
    values = {
        "address": lockstep.address("sunny"),
        "uint256": fill,
        "bytes32": word(fill),
        "bytes": bytes([27]) * 65,
        "address[]": [lockstep.address("sunny")],
        "uint256[]": [fill],
        "(address,uint256,uint256,bytes)[]": [(lockstep.address("sunny"), fill, fill, bytes([27]) * 65)],
    }
    kinds = functions()[name]
    return selector(name, kinds) + encode(kinds, [values[kind] for kind in kinds])


class Probe:
    """A market on which raw data is tried; what is tried must change nothing."""

    def __init__(self, lockstep: Lockstep) -> None:
        self.lockstep = lockstep
        self.before = self.state()

    def state(self) -> tuple[Any, ...]:
        """Storage, ether and tokens of the market."""
        env, target = self.lockstep.env, self.lockstep.target
        return state_digest(env, target), env.get_balance(target), self.lockstep.token.balanceOf(target)

    def send(self, data: bytes, sender: str = "owner", value: int = 0) -> tuple[bool, bytes]:
        """Whether a call was refused, and what it answered."""
        who = self.lockstep.address(sender)
        if value:
            self.lockstep.env.set_balance(who, value)
        computation = self.lockstep.env.execute_code(
            to_address=self.lockstep.target, sender=who, data=data, value=value
        )
        counters.tallies["raw calls"] += 1
        return computation.is_error, bytes(computation.output)

    @property
    def untouched(self) -> bool:
        """Whether the market is as it was."""
        return self.state() == self.before


PEOPLE = st.sampled_from(("owner", "supplier", "stranger", "sunny"))


@given(
    first=st.binary(min_size=4, max_size=4) | st.sampled_from([keccak(text=f"{n}()")[:4] for n in ("mint", "redeem")]),
    rest=st.binary(max_size=200) | st.integers(0, 8).map(lambda n: bytes(32 * n)),
    value=st.sampled_from((0, 0, 1)),
    sender=PEOPLE,
)
@example(first=selector("initialize", []), rest=b"", value=0, sender="stranger")
@example(first=selector("renounce_ownership", []), rest=b"", value=0, sender="owner")
@example(first=selector("settle_quote", ["uint128"]), rest=word(1), value=0, sender="owner")
def test_unknown_selectors_are_refused(first: bytes, rest: bytes, value: int, sender: str) -> None:
    """T-MON-22: a call that is not in the interface reverts without a reason and changes nothing."""
    known = first in selectors()
    with presets.prepared(SEASON).branch() as lockstep:
        probe = Probe(lockstep)
        refused, answer = probe.send(first + rest, sender, value) if not known else (True, b"")
        holds("C4-SURFACE-1", refused and not answer and probe.untouched, when=not known, data=first + rest)


def test_no_other_selector_hides_in_the_bytecode() -> None:
    """T-MON-22: of all four-byte words of the bytecode, any of which the dispatcher might know, only the ABI's answer.

    A dispatcher can only tell a selector by comparing it with a constant, and that constant is in the code.
    """
    with presets.prepared(SEASON).branch() as lockstep:
        code = lockstep.env.get_code(lockstep.target)
        windows = {bytes(code[at : at + 4]) for at in range(len(code) - 3)}
        present = {found for found in selectors() if found in windows or found.startswith(b"\0")}
        holds("C4-SURFACE-2", present == set(selectors()), missing=set(selectors()) - present)
        probe = Probe(lockstep)
        answered = [
            data.hex() for data in sorted(windows - selectors().keys()) if probe.send(data + bytes(320)) != (True, b"")
        ]
        holds("C4-SURFACE-2", not answered and probe.untouched, answered=answered[:5], words=len(windows))


@given(data=st.binary(max_size=3), value=st.integers(0, 3), sender=PEOPLE)
@example(data=b"", value=0, sender="stranger")
@example(data=b"", value=1, sender="stranger")
def test_no_default_function(data: bytes, value: int, sender: str) -> None:
    """T-MON-22: no data, or less than a selector, reverts, with ether and without."""
    with presets.prepared(SEASON).branch() as lockstep:
        probe = Probe(lockstep)
        refused, answer = probe.send(data, sender, value)
        holds("C4-SURFACE-3", refused and not answer and probe.untouched, data=data, value=value)


def _head(name: str) -> int:
    """Bytes of a call's selector and arguments; of a signature only where it begins is among them."""
    return 4 + 32 * len(functions()[name])


@given(name=st.sampled_from(FED), sender=PEOPLE, fill=st.sampled_from((0, 1, 2)))
def test_short_calldata_is_refused(name: str, sender: str, fill: int) -> None:
    """T-MON-22: a call whose data ends before its last argument reverts without a reason, wherever it was cut.

    What is missing of a signature, which comes after them, reads as zeros, and those are no signature of anybody.
    """
    with presets.prepared(SEASON).branch() as lockstep:
        probe = Probe(lockstep)
        whole = calldata(lockstep, name, fill)
        for length in range(4, _head(name)):
            refused, answer = probe.send(whole[:length], sender)
            holds("C4-SURFACE-4", refused and not answer, call=name, length=length)
        if "bytes" in functions()[name]:
            cut = [length for length in range(_head(name), _head(name) + 97) if not probe.send(whole[:length])[0]]
            holds("C4-SURFACE-4", not cut, call=name, lengths=cut)
        holds("C4-SURFACE-4", probe.untouched, call=name)


@given(name=st.sampled_from(ADDRESSED), bit=st.integers(160, 255), sender=PEOPLE, fill=st.sampled_from((0, 1)))
def test_dirty_addresses_are_refused(name: str, bit: int, sender: str, fill: int) -> None:
    """T-MON-22: an address with any higher bit set is out of its type's range, in every argument of every function."""
    with presets.prepared(SEASON).branch() as lockstep:
        probe = Probe(lockstep)
        data = calldata(lockstep, name, fill)
        for position, kind in enumerate(functions()[name]):
            if kind == "address":
                at = 4 + 32 * position
                dirty = int.from_bytes(data[at : at + 32], "big") | 1 << bit
                refused, answer = probe.send(data[:at] + word(dirty) + data[at + 32 :], sender)
                holds("C4-SURFACE-5", refused and not answer, call=name, argument=position, bit=bit)
        holds("C4-SURFACE-5", probe.untouched, call=name)


@given(
    name=st.sampled_from([name for name in FED if "bytes" in functions()[name]]),
    length=st.integers(66, 2**16) | st.integers(66, 2**256 - 1),
)
def test_longer_signatures_are_refused(name: str, length: int) -> None:
    """T-REG-8, T-MON-22: bytes beyond the type's length are out of range; they are not cut to fit."""
    with presets.prepared(SEASON).branch() as lockstep:
        probe = Probe(lockstep)
        at = _head(name)
        whole = calldata(lockstep, name)
        refused, answer = probe.send(whole[:at] + word(length) + whole[at + 32 :] + bytes(min(length, 200)))
        holds("C4-SURFACE-6", refused and not answer and probe.untouched, call=name, length=length)


@given(value=st.integers(1, 10**18), sender=PEOPLE, fill=st.sampled_from((0, 1)))
def test_no_ether_with_any_call(value: int, sender: str, fill: int) -> None:
    """T-MON-22: no function of the interface, call or view, takes ether."""
    with presets.prepared(SEASON).branch() as lockstep:
        probe = Probe(lockstep)
        for name in CALLS:
            refused, answer = probe.send(calldata(lockstep, name, fill), sender, value)
            holds("C4-SURFACE-7", refused and not answer, call=name, value=value)
        holds("C4-SURFACE-7", probe.untouched)


PUBLISHED = {
    "Bytes": "bytes",
    "DynArray[address": "address[]",
    "DynArray[uint256": "uint256[]",
    "DynArray[Place": "(address,uint256)[]",
    "DynArray[SignedReading": "(address,uint256,uint256,bytes)[]",
}
"""Types of the interface file as the ABI has them, where it has them otherwise."""


def test_the_interface_is_the_published_one() -> None:
    """T-PARTY-2, T-MON-22: the ABI is the interface file and EIP-712's domain; nothing in it is payable."""
    published = interface("IEnergyMarket") | {"eip712Domain": []}
    holds("C4-SURFACE-8", functions() == published, abi=functions(), published=published)
    payable = [entry["name"] for entry in _abi("EnergyMarket") if entry["stateMutability"] == "payable"]
    holds("C4-SURFACE-8", not payable, payable=payable)


def interface(name: str) -> dict[str, list[str]]:
    """The functions of an interface file, with the types of their arguments as an ABI has them."""
    source = (contracts_dir() / "interfaces" / f"{name}.vyi").read_text()
    published = {}
    for function, inputs in re.findall(r"^def (\w+)\(([^)]*)\)", source, re.MULTILINE):
        kinds = re.findall(r":\s*(DynArray\[\w+|\w+)", inputs)
        published[function] = [PUBLISHED.get(kind, kind) for kind in kinds]
    return published


def test_a_lens_can_do_nothing() -> None:
    """T-PARTY-18: the views of a lens are the published ones, and no instruction of it changes anything."""
    views = functions("MarketLens")
    holds("C4-SURFACE-9", views == interface("IMarketLens"), abi=views, published=interface("IMarketLens"))
    lockstep = presets.prepared(SEASON)
    code = bytes(lockstep.env.get_code(lockstep.lens.address))
    end = code.rindex(FAILURE) + len(FAILURE)
    found = sorted({CHANGING[opcode] for _, opcode in instructions(code[:end]) if opcode in CHANGING})
    holds("C4-SURFACE-9", not found, found=found)


# ---- the bytecode -----------------------------------------------------------------------

OPCODES = {
    0x31: "BALANCE",
    0x32: "ORIGIN",
    0x3C: "EXTCODECOPY",
    0x47: "SELFBALANCE",
    0xF0: "CREATE",
    0xF1: "CALL",
    0xF2: "CALLCODE",
    0xF4: "DELEGATECALL",
    0xF5: "CREATE2",
    0xFA: "STATICCALL",
    0xFF: "SELFDESTRUCT",
}
CHANGING = {opcode: name for opcode, name in OPCODES.items() if name != "STATICCALL"} | {
    0x55: "SSTORE",
    0x5D: "TSTORE",
    **{opcode: "LOG" for opcode in range(0xA0, 0xA5)},
}
"""Instructions that can change something, or lend a program."""

FORBIDDEN = {"SELFDESTRUCT", "DELEGATECALL", "CALLCODE", "CREATE", "CREATE2", "ORIGIN", "SELFBALANCE", "BALANCE"}
JUMPDEST = 0x5B
FAILURE = bytes.fromhex("5b5f80fd")
"""JUMPDEST PUSH0 DUP1 REVERT: the block that ends the code, where every failed check without a reason jumps to."""


def instructions(code: bytes) -> list[tuple[int, int]]:
    """Offset and opcode of each instruction; what a PUSH carries is skipped."""
    found, at = [], 0
    while at < len(code):
        opcode = code[at]
        found.append((at, opcode))
        at += 1 + (opcode - 0x5F if 0x60 <= opcode <= 0x7F else 0)
    return found


def test_forbidden_opcodes_are_not_in_the_bytecode() -> None:
    """T-PARTY-2: nothing replaces, ends or lends the program; all that changes something is the token's two transfers.

    The code on the chain is instructions, then the dispatcher's table of offsets, then the immutables; there is no
    metadata in it. That the rest is that table is checked, too: each entry is a place that can be jumped to.
    """
    lockstep = presets.prepared(SEASON)
    code = bytes(lockstep.env.get_code(lockstep.target))
    end = code.rindex(FAILURE) + len(FAILURE)
    compiled = len(deployer("EnergyMarket").compiler_data.bytecode_runtime)
    program = instructions(code[:end])
    places = {at for at, opcode in program if opcode == JUMPDEST}
    table = [int.from_bytes(code[at : at + 2], "big") for at in range(end, compiled, 2)]
    is_table = (compiled - end) % 2 == 0 and set(table) <= places and (len(code) - compiled) % 32 == 0
    holds("C4-CODE-1", is_table, table=table[:8], bytes_left=len(code) - compiled)
    names = [OPCODES[opcode] for _, opcode in program if opcode in OPCODES]
    holds("C4-CODE-2", not FORBIDDEN & set(names), found=sorted(FORBIDDEN & set(names)))
    # transferFrom and transfer; balanceOf, a meter with code, and the precompile ecrecover.
    calls = (names.count("CALL"), names.count("STATICCALL"))
    holds("C4-CODE-3", calls == (2, 3), calls=calls)


# ---- the default token ------------------------------------------------------------------

HOLDERS = {name: keys.PrivateKey(keccak(text=f"wallet of {name}")) for name in ("saver", "spender", "idler")}
DEPLOYER = "deployer"
PERMIT = keccak(text="Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")
HIDDEN = {
    "mint": ["address", "uint256"],
    "safe_mint": ["address", "uint256"],
    "burn": ["uint256"],
    "burn_from": ["address", "uint256"],
    "set_minter": ["address", "bool"],
    "is_minter": ["address"],
    "owner": [],
    "transfer_ownership": ["address"],
    "renounce_ownership": [],
    "increase_allowance": ["address", "uint256"],
}
"""What snekmate's token can do besides, and what the deployer may try."""


class Credit(RuleBasedStateMachine):
    """The credit in circulation is the ether that it holds, whatever is minted, redeemed, moved or permitted."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, dict[str, Any]]] = []
        self.starts: list[int] = []
        self._branch: Any = boa.env.anchor()
        self._branch.__enter__()
        self.who: dict[str, str] = {name: key.public_key.to_checksum_address() for name, key in HOLDERS.items()}
        self.who[DEPLOYER] = str(boa.env.generate_address(DEPLOYER))
        self.token = deployer("EnergyCredit").deploy(sender=self.who[DEPLOYER])
        self.target = str(self.token.address)
        for address in self.who.values():
            boa.env.set_balance(address, 10**6)
        self.credits = dict.fromkeys(self.who, 0)
        self.allowed: Counter[tuple[str, str]] = Counter()
        self.nonces = dict.fromkeys(self.who, 0)
        counters.tallies["histories"] += 1

    def teardown(self) -> None:
        """Undoes the history; one that failed is told by its steps."""
        failed = sys.exception()
        if failed is not None and not isinstance(failed, UnsatisfiedAssumption):
            failed.steps, failed.starts = list(self.steps), list(self.starts)  # type: ignore[attr-defined]
        undo(self)

    def draw_move(self, choose: Choose) -> tuple[Any, ...]:
        """What is done, by whom, to whom, with how much; near what there is, mostly."""
        who, other, third = (choose.one(tuple(self.who)) for _ in range(3))
        have, may = self.credits[who], self.allowed[other, who]
        amount = choose.edge((0, 1, have, have + 1, may, max(have - 1, 0), self.credits[other]), 0, 2000)
        moves = ("mint", "ether", "redeem", "transfer", "approve", "transferFrom", "permit", "hidden", "ether and data")
        return choose.one(moves), who, other, third, amount, choose.number(0, 5)

    @rule(move=drawn(lambda self, choose: self.draw_move(choose)))
    @step
    def call(self, move: tuple[Any, ...]) -> None:
        """One call of the token."""
        kind, who, other, third, amount, turn = move
        counters.tallies["steps"] += 1
        kinds, args, value, fine = self.planned(kind, who, other, third, amount, turn)
        name = sorted(HIDDEN)[amount % len(HIDDEN)] if kind == "hidden" else kind
        data = b"" if kind == "ether" else selector(name, kinds) + encode(kinds, args)
        looks = not fine and turn < 2  # A digest costs as much as a hundred calls.
        digest, purse = looks and state_digest(boa.env, self.target), boa.env.get_balance(self.who[who])
        made = boa.env.execute_code(to_address=self.target, sender=self.who[who], data=data, value=value)
        counters.calls[f"Credit.{kind}"]["accepted" if made.is_success else "refused"] += 1
        told = {"move": move, "accepted": made.is_success}
        holds("C4-CREDIT-2", made.is_success == fine, **told)
        if made.is_success:
            self.book(kind, who, other, third, amount)
        else:
            holds("C4-CREDIT-3", looks and state_digest(boa.env, self.target) == digest, when=looks, **told)
        supply, ether = self.token.totalSupply(), boa.env.get_balance(self.target)
        holds("C4-CREDIT-1", supply == ether == sum(self.credits.values()), supply=supply, ether=ether, **told)
        have = {holder: self.token.balanceOf(address) for holder, address in self.who.items()}
        holds("C4-CREDIT-4", have == self.credits, have=have, expected=self.credits, **told)
        paid = {"mint": -amount, "ether": -amount, "redeem": amount}.get(kind, 0) if made.is_success else 0
        now = boa.env.get_balance(self.who[who])
        holds("C4-CREDIT-5", now - purse == paid, ether_moved=now - purse, expected=paid, **told)

    def planned(self, kind: str, who: str, other: str, third: str, amount: int, turn: int) -> tuple[Any, ...]:
        """Types, arguments and ether of a call, and whether it must succeed."""
        to, holder = self.who[third], self.who[other]
        match kind:
            case "mint" | "ether":
                return [], [], amount, True
            case "redeem":
                return ["uint256"], [amount], 0, amount <= self.credits[who]
            case "transfer":
                return ["address", "uint256"], [to, amount], 0, amount <= self.credits[who]
            case "approve":
                return ["address", "uint256"], [to, amount], 0, True
            case "transferFrom":
                fine = amount <= self.allowed[other, who] and amount <= self.credits[other]
                return ["address", "address", "uint256"], [holder, to, amount], 0, fine
            case "permit":
                return self.permit(who, other, third, amount, turn)
            case "hidden":
                kinds = HIDDEN[sorted(HIDDEN)[amount % len(HIDDEN)]]
                values = {"address": self.who[who], "uint256": max(amount, 1), "bool": True}
                return kinds, [values[kind] for kind in kinds], 0, False
        return ["uint256"], [amount], amount, False

    def permit(self, who: str, other: str, third: str, amount: int, turn: int) -> tuple[Any, ...]:
        """An allowance by signature: right in four cases of six, else signed by somebody else, or too late."""
        signer = other if other in HOLDERS else "saver"
        wrong = next(name for name in HOLDERS if name != signer)
        now = boa.env.timestamp
        deadline = now - 1 if turn == 4 else now + 10
        fields = [self.who[signer], self.who[third], amount, self.nonces[signer], deadline]
        struct = keccak(encode(["bytes32", "address", "address", *["uint256"] * 3], [PERMIT, *fields]))
        digest = keccak(b"\x19\x01" + self.token.DOMAIN_SEPARATOR() + struct)
        signature = HOLDERS[wrong if turn == 5 else signer].sign_msg_hash(digest)
        kinds = ["address", "address", "uint256", "uint256", "uint8", "bytes32", "bytes32"]
        v, r, s = 27 + signature.v, word(signature.r), word(signature.s)
        return kinds, [*fields[:3], deadline, v, r, s], 0, turn < 4

    def book(self, kind: str, who: str, other: str, third: str, amount: int) -> None:
        """What an accepted call comes to."""
        match kind:
            case "mint" | "ether":
                self.credits[who] += amount
            case "redeem":
                self.credits[who] -= amount
            case "transfer":
                self.credits[who] -= amount
                self.credits[third] += amount
            case "approve":
                self.allowed[who, third] = amount
            case "transferFrom":
                self.allowed[other, who] -= amount
                self.credits[other] -= amount
                self.credits[third] += amount
            case "permit":
                signer = other if other in HOLDERS else "saver"
                self.allowed[signer, third] = amount
                self.nonces[signer] += 1


TestCredit = Credit.TestCase


def test_no_other_function_of_the_credit_mints() -> None:
    """T-UNIT-2: the token's ABI is ERC-20, permit, its domain, `mint` and `redeem`; no more."""
    erc20 = {
        "name",
        "symbol",
        "decimals",
        "totalSupply",
        "balanceOf",
        "transfer",
        "allowance",
        "approve",
        "transferFrom",
    }
    permits = {"permit", "nonces", "DOMAIN_SEPARATOR", "eip712Domain"}
    names = set(functions("EnergyCredit"))
    holds("C4-CREDIT-6", names == erc20 | permits | {"mint", "redeem"}, functions=sorted(names))
    payable = {entry["name"] for entry in _abi("EnergyCredit") if entry["stateMutability"] == "payable"}
    holds("C4-CREDIT-6", payable == {"mint"}, payable=payable)
