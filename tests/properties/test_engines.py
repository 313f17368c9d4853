"""Criterion 5: other EVMs agree. The same calls on py-evm (the reference) and on revm, compared to the last byte.

Histories are made on revm, by plans and by the machine's rules, with spoilt calls in between; the list of (second,
sender, calldata, ether) is replayed on py-evm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.properties.machine import MarketMachine, step
from tests.properties.runs import Run, Sent, Step, answer, begins, ended, trades
from verification.harness import counters, presets
from verification.harness.answers import Answer
from verification.harness.counters import holds
from verification.harness.lockstep import HOUSEHOLDS, STRANGER, TARIFF, Lockstep
from wattproof.evm.engine import available, lean_reverts, make_env, storage_dump
from wattproof.market.symbolic import on_chain
from wattproof.market.trace import Outcome

if "revm" not in available():
    pytest.skip("no second EVM: pyrevm is not installed (pip install 'wattproof[fast]')", allow_module_level=True)

SLOW = max(5, settings().max_examples // 10)
"""Histories per test: a tenth of the profile's, as py-evm takes twenty times as long for each."""

ENGINES = ("revm", "pyevm")

_pair: list[tuple[Any, Run]] = []


@pytest.fixture(autouse=True)
def _markets(_property_engine: None) -> None:
    """Opens both markets outside every example: what happens inside one is undone after it."""
    pair()


def pair() -> list[tuple[Any, Run]]:
    """A fresh environment of each engine with the same market in it, at the same address."""
    if not _pair:
        for name in ENGINES:
            env = make_env(name)
            with boa.swap_env(env), lean_reverts():
                lockstep = presets.prepared("fresh")
                _pair.append((env, Run.of("Engines", lockstep)))
    return _pair


@contextmanager
def branches() -> Iterator[tuple[Run, Run]]:
    """Both markets, at the second at which the preset ended; what happens to them is undone."""
    (_, fast), (_, slow) = pair()
    with lean_reverts(), fast.branch() as one, slow.branch() as other:
        one.env.timestamp = other.env.timestamp = ended(preset())
        counters.tallies["histories"] += 1
        yield one, other


def preset() -> Lockstep:
    """The preset in which all histories begin, on revm."""
    with boa.swap_env(pair()[0][0]):
        return presets.prepared("fresh")


def compare(one: Run, other: Run, sent: Sequence[Sent], answers: Sequence[Answer]) -> None:
    """Replays on `other` what was sent to `one`, and compares all that came of it with `answers`."""
    for call, fast in zip(sent, answers, strict=True):
        slow = answer(other.env, call)
        shown = dict(call=call, revm=fast, pyevm=slow)
        holds("C5-ENGINE-1", fast.accepted == slow.accepted, **shown)
        holds("C5-ENGINE-2", fast.output == slow.output, when=fast.accepted, **shown)
        holds("C5-ENGINE-3", fast.output == slow.output, when=not fast.accepted, **shown)
        holds("C5-ENGINE-4", fast.logs == slow.logs, when=fast.accepted, **shown)
    for target in (one.target, one.token):
        dumps = storage_dump(one.env, target), storage_dump(other.env, target)
        holds("C5-ENGINE-5", dumps[0] == dumps[1], target=target, differ=_differ(*dumps))
    counters.tallies["replayed"] += len(sent)


def _differ(one: dict[int, int], other: dict[int, int]) -> dict[str, tuple[int, int]]:
    slots = [slot for slot in {**one, **other} if one.get(slot, 0) != other.get(slot, 0)]
    return {hex(slot): (one.get(slot, 0), other.get(slot, 0)) for slot in slots[:8]}


# ---- spoilt calls ----------------------------------------------------------------------------------

SPOILS = ("short", "long", "selector", "dirty", "ether", "empty", "ones")


def spoilt(data: bytes, how: str, place: int) -> tuple[bytes, int]:
    """A call that is no longer what it was: its bytes and the ether sent along."""
    match how:
        case "short":
            return data[: place % len(data)], 0
        case "long":
            return data + bytes([place % 256]) * (1 + place % 40), 0
        case "selector":
            return bytes([data[0] ^ 1 << place % 8]) + data[1:], 0
        case "dirty":
            at = 4 + place % max(len(data) - 4, 1)
            return data[:at] + bytes([255]) + data[at + 1 :], 0
        case "ether":
            return data, 1 + place
        case "empty":
            return b"", place % 2
    return data[:4] + b"\xff" * (len(data) - 4), 0


# ---- planned histories -----------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Step], dict[int, tuple[str, int]]]:
    """Two quotes, in order of time, and which of their calls are repeated in a spoilt form."""
    first = (ended(preset()) + 2 * TARIFF.window) // TARIFF.period_length + 1
    names = draw(st.permutations(HOUSEHOLDS))
    plans: list[Step] = []
    for key, seller, period in (("A", names[0], first), ("B", names[1], first + draw(st.integers(0, 3)))):
        others = [name for name in names if name != seller]
        plans += draw(trades(key, seller, others, period, TARIFF, silence=names)).steps()
    spoils: dict[int, tuple[str, int]] = draw(
        st.dictionaries(
            st.integers(0, len(plans) - 1), st.tuples(st.sampled_from(SPOILS), st.integers(0, 300)), max_size=12
        )
    )
    return plans, spoils


@settings(max_examples=SLOW)
@given(histories())
def test_engines_agree_on_trades(history: tuple[list[Step], dict[int, tuple[str, int]]]) -> None:
    """T-PARTY-16 to T-PARTY-18: whole trades from quote to settlement, their calls also cut, dirtied and paid for."""
    plan, spoils = history
    with branches() as (one, other):
        for place, step in sorted(enumerate(plan), key=lambda item: begins(item[1], TARIFF)):
            one.do(step)
            if place in spoils:
                data, value = spoilt(one.sent[-1].data, *spoils[place])
                one.raw(data, one.names[step.sender], value)
        compare(one, other, one.sent, one.answers)


# ---- histories of the machine ------------------------------------------------------------------------


class Engines(MarketMachine):
    """The machine's own histories, made on revm in lockstep with the model and then replayed on py-evm."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self.answers: list[Answer] = []

    @initialize()
    @step
    def begin(self) -> None:
        """Begins on this module's own revm, whose addresses are those of its py-evm."""
        with boa.swap_env(pair()[0][0]):
            self.branch_off("fresh")
        self.lockstep.at(ended(preset()))

    def act(self, function: str, args: tuple[Any, ...], sender: str) -> Outcome:
        """Makes the call in a branch first, to keep all its bytes; then in lockstep."""
        lockstep = self.lockstep
        data = lockstep.interface.call(function, *on_chain(lockstep.resolved(args)))
        self.send(data, lockstep.address(sender), 0)
        return super().act(function, args, sender)

    def send(self, data: bytes, sender: str, value: int) -> None:
        """Notes what comes of a call, in a branch."""
        sent = Sent(self.lockstep.now, sender, self.lockstep.target, data, value)
        with self.lockstep.env.anchor():
            self.answers.append(answer(self.lockstep.env, sent))
        self.sent.append(sent)

    @precondition(lambda self: self.begun and self.sent)
    @rule(how=st.sampled_from(("short", "selector", "ether", "empty")), place=st.integers(0, 300))
    @step
    def spoil(self, how: str, place: int) -> None:
        """The last call once more, spoilt so that nobody can accept it."""
        data, value = spoilt(self.sent[-1].data or bytes(4), how, place)
        self.send(data, self.lockstep.address(STRANGER), value)
        if self.answers[-1].accepted:  # A selector or the padding of a signature may be spoilt to no effect.
            self.sent.pop()
            self.answers.pop()

    def closed(self) -> None:
        """Replays the history on py-evm."""
        if not self.sent:
            return
        lockstep = self.lockstep
        slow = pair()[1][1]
        with lean_reverts(), slow.branch() as other:
            other.env.timestamp = ended(preset())
            compare(Run.of("Engines", lockstep), other, self.sent, self.answers)


TestEngines = Engines.TestCase
TestEngines.settings = settings(max_examples=SLOW)
