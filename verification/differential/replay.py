"""Plays a history on an engine inside the process and keeps all that came of it, to the last byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from verification.builds import Suite
from verification.differential.histories import CHAIN_ID, ETHER, START, History
from verification.harness.answers import Answer, answered
from wattproof.evm.engine import make_env, roomy_env, storage_dump


@dataclass(frozen=True)
class State:
    """The state after a history: every slot that is not zero, and the ether of the two contracts."""

    market: dict[int, int]
    token: dict[int, int]
    ether: tuple[int, int]


@dataclass(frozen=True)
class Played:
    """All answers and the final state; `lifted` says whether EIP-170's limit had to be lifted to deploy."""

    answers: list[Answer]
    state: State
    lifted: bool

    @property
    def digest(self) -> str:
        """SHA-256 of everything, in hex."""
        told = hashlib.sha256()
        for answer in self.answers:
            told.update(repr(answer).encode())
        for slots in (self.state.market, self.state.token):
            told.update(repr(sorted(slots.items())).encode())
        told.update(repr(self.state.ether).encode())
        return told.hexdigest()


class Disagreement(AssertionError):
    """Two runs of the same history differ, or one differs from the model."""


class Chain:
    """A fresh chain on an engine, on which histories are played one by one, each undone before the next."""

    def __init__(self, engine: str, builds: Suite) -> None:
        self.engine, self.builds = engine, builds
        self.lifted = any(built.free < 0 for built in builds)
        self.env = roomy_env(engine) if self.lifted else make_env(engine)
        self.env.evm.patch.chain_id = CHAIN_ID

    def play(self, history: History, each: Callable[[], None] = lambda: None) -> Played:
        """Deploys, makes every call at its second and returns what came of it; `each` is called after every call."""
        env = self.env
        with env.anchor():
            env.timestamp = START
            for person in history.people.values():
                env.set_balance(person.address, ETHER)
            owner = history.people["owner"].address
            places = (history.token, history.market, history.lens)
            for built, arguments, place in zip(self.builds, history.arguments, places, strict=True):
                address, done = env.deploy(sender=owner, bytecode=built.creation + arguments)
                if done.is_error:
                    raise done.error
                if str(address) != place:
                    raise RuntimeError(f"{built.contract} is at {address}, but the history expects it at {place}")
            answers = []
            for call in history.calls:
                target = history.address(call.target)
                answers.append(answered(env, call.second, call.sender, target, call.data, call.value))
                each()
            return Played(answers, self._state(history), self.lifted)

    def _state(self, history: History) -> State:
        market, token = (storage_dump(self.env, address) for address in (history.market, history.token))
        ether = tuple(self.env.get_balance(address) for address in (history.market, history.token))
        return State(market, token, ether)  # type: ignore[arg-type]


def check_verdicts(history: History, played: Played) -> None:
    """Raises Disagreement unless each call was accepted or refused, with its reason and result, as the model said."""
    for place, (call, answer) in enumerate(zip(history.calls, played.answers, strict=True)):
        if call.accepted is not None and (answer.accepted, answer.reason) != (call.accepted, call.reason):
            raise Disagreement(
                f"{history.seed}, call {place}, {call.function}: the model says "
                f"{_verdict(call.accepted, call.reason)}, the contract {_verdict(answer.accepted, answer.reason)}"
            )
        if call.result is not None and answer.output != call.result.to_bytes(32, "big"):
            raise Disagreement(
                f"{history.seed}, call {place}, {call.function}: the model says it returns {call.result:#x}, "
                f"the contract 0x{answer.output.hex()}"
            )


_HASHED = 2**64
"""No slot below is that of a mapping's word."""


def without_places(played: Played, lock: bool) -> Played:
    """The run with the words of each contract's mappings in the order of their values, whatever their slots.

    For builds of other rules, whose mappings lie elsewhere. With a `lock`, which older rules keep in the first slot of
    storage, this is left out, and what stands in the slots behind it moves up.
    """

    def moved(slots: dict[int, int]) -> dict[int, int]:
        plain = {slot - lock: value for slot, value in slots.items() if lock <= slot < _HASHED}
        words = sorted(value for slot, value in slots.items() if slot >= _HASHED)
        return plain | {_HASHED + place: value for place, value in enumerate(words)}

    market, token = moved(played.state.market), moved(played.state.token)
    return replace(played, state=State(market, token, played.state.ether))


def check_equal(history: History, one: Played, other: Played, names: Sequence[str]) -> None:
    """Raises Disagreement unless answers and final state are equal to the last byte; `names` of the two runs."""
    for place, (call, left, right) in enumerate(zip(history.calls, one.answers, other.answers, strict=True)):
        if left != right:
            raise Disagreement(
                f"{history.seed}, call {place}, {call.function}: {names[0]} answers {_shown(left)}, "
                f"{names[1]} {_shown(right)}"
            )
    for what in ("market", "token"):
        slots, others = getattr(one.state, what), getattr(other.state, what)
        differ = [slot for slot in sorted({**slots, **others}) if slots.get(slot) != others.get(slot)]
        if differ:
            slot = differ[0]
            raise Disagreement(
                f"{history.seed}: {len(differ)} slots of the {what} differ after the history, the first {slot:#x}: "
                f"{names[0]} {slots.get(slot, 0):#x}, {names[1]} {others.get(slot, 0):#x}"
            )
    if one.state.ether != other.state.ether:
        raise Disagreement(f"{history.seed}: {names[0]} holds {one.state.ether} wei, {names[1]} {other.state.ether}")


def _verdict(accepted: bool, reason: str | None) -> str:
    return "accepted" if accepted else f"refused: {reason}"


def _shown(answer: Answer) -> str:
    return f"{_verdict(answer.accepted, answer.reason)} (output 0x{answer.output.hex()}, {len(answer.logs)} logs)"
