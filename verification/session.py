"""A failed history at the REPL: the lines that pytest prints after a failure, pasted into `wattproof repl`.

`replay` opens the market of a preset under the eyes of the machine that failed: every call is judged as it was in the
test, and the last line, `check()`, tells what holds and what does not, by how much. `market`, `clock` and the
households are what they always are at the REPL. `example` does the same for a test that is a function.
"""

from __future__ import annotations

import contextlib
import functools
import io
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boa

from verification.harness import counters, moves, presets
from verification.harness import replay as replaying
from verification.harness.driver import profile_of
from verification.harness.lockstep import REPL_NAMES, Lockstep
from verification.invariants import statement
from wattproof.evm.engine import available
from wattproof.market.deployment import Deployment
from wattproof.market.symbolic import Signed, salt_of
from wattproof.play.clock import MarketClock
from wattproof.play.contract import Contract
from wattproof.play.session import Session


class Judge:
    """What is told of a history: what does not hold, or what held so far."""

    def __init__(self, invariant: str | None) -> None:
        self.invariant = invariant
        self.failure: BaseException | None = None
        self._before = counters.checked.copy()

    def guarded(self, act: Callable[[], Any]) -> Any:
        """What `act` returns. What it finds violated is told, once, and kept."""
        if self.failure is not None:
            return print(f"not done: {self.told()}")
        try:
            with counters.seeking(self.invariant):
                return act()
        except AssertionError as failure:
            self.failure = failure
            return print(self.told())

    def told(self) -> str:
        """What holds and what does not, in a line."""
        if self.failure is not None:
            return f"violated: {headline(self.failure)}"
        return replaying.holding(self.invariant, self._before)


def headline(failure: BaseException) -> str:
    """What failed, by how much, and what should be: one line."""
    if isinstance(failure, counters.Violated):
        return f"{failure.invariant}: {failure.figures}. {statement(failure.invariant)}"
    said = (str(failure).splitlines() or [""])[0]
    place = traceback.extract_tb(failure.__traceback__)
    return f"{type(failure).__name__}: {said or (place[-1].line if place else '')}"


class _Clock(MarketClock):
    """The clock of a watched market: the machine notes that time passes."""

    def __init__(self, market: Any, history: WatchedHistory) -> None:
        super().__init__(market, history.show)
        self._watched = history

    @property
    def now(self) -> int:
        """The block's time, in seconds; it can be moved forward."""
        return self._watched.state.lockstep.now

    @now.setter
    def now(self, second: int) -> None:
        self._watched.perform("advance", second, sender="time")


class _Market(Contract):
    """A market whose calls a machine makes, and judges."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        history: Any = self._session
        function = history.state.lockstep.interface.functions.get(name)
        if function is None or function.is_view:
            return found

        @functools.wraps(getattr(self._contract, name), updated=())
        def call(*args: Any, sender: str, **named: Any) -> Any:
            return history.perform(name, *args, *named.values(), sender=sender)

        return call


class WatchedHistory(Session):
    """A history that goes on by hand, judged by the machine that it is of."""

    def __init__(self, state: Any, judge: Judge) -> None:
        self.state, self.judge = state, judge
        lockstep: Lockstep = state.lockstep
        people = lockstep.addresses
        self.names = lockstep.names
        self.deployment = Deployment(
            lockstep.market, lockstep.token, people["owner"], people["supplier"], lockstep.tariff
        )
        self.clock = _Clock(lockstep.market, self)
        self.market = _Market(lockstep.market, self)

    def perform(self, function: str, *args: Any, sender: str) -> Any:
        """A call of the market, or a move of the machine's own. A refusal is told; returns what the market answered."""
        lockstep: Lockstep = self.state.lockstep
        by = lockstep.names.get(sender, sender)
        calls = len(lockstep.calls)
        self.judge.guarded(lambda: moves.Move(function, args, by).make(self.state))
        if len(lockstep.calls) == calls:
            return None
        outcome = lockstep.calls[calls].outcome  # An attacker may have gone on by itself.
        if not outcome.accepted:
            print(f"refused: {outcome.reason or 'no reason given'}")
        return outcome.result

    def helpers(self) -> dict[str, Any]:
        """What the lines of a history are made of."""
        lockstep: Lockstep = self.state.lockstep
        market, chain = lockstep.target, lockstep.chain

        def who(name: str) -> str:
            return lockstep.address(name)

        def salt(quote_id: int, bidder: str) -> bytes:
            return salt_of(quote_id, lockstep.names.get(bidder, bidder))

        def seal(quote_id: int, bidder: str, price: int, volume: int, salt: bytes | None = None) -> bytes:
            return lockstep.seal(quote_id, lockstep.names[bidder], price, volume, salt)

        def sign(
            meter: str, kind: str, *fields: Any, market: str = market, chain: int = chain, form: str = "ok"
        ) -> Signed:
            return Signed(meter, kind, fields, market, chain, form)

        made = {"who": who, "salt": salt, "seal": seal, "sign": sign, "profile": profile_of, "perform": self.perform}
        return {name: lockstep.address(name) for name in REPL_NAMES} | made


class _Rules:
    """The rules of a machine, judged."""

    def __init__(self, state: Any, judge: Judge) -> None:
        self._state, self._judge = state, judge

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._state, name)
        if not callable(found):
            return found
        return lambda *args, **named: self._judge.guarded(lambda: found(*args, **named))


_going_on: list[Any] = []
"""The history that goes on, whose market stays until the next one begins."""


tracing = False
"""Whether every history shows the call tree of each of its calls."""


def leave() -> None:
    """Takes back the history that goes on, if one does."""
    while _going_on:
        moves.undo(_going_on.pop())


def _environment(trace: bool) -> None:
    """Where the histories of this process are played: boa's from now on.

    Only py-evm knows call trees.
    """
    leave()
    trace = trace or tracing
    env: Any = presets.environment("pyevm" if trace else available()[-1], oversized=True)
    env.__dict__.pop("execute_code", None)
    boa.set_env(env)


def _show_calls() -> None:
    """From now on, every call that may change something shows its call tree, where the engine knows it."""
    env: Any = boa.env
    execute_code = env.execute_code

    def shown(*args: Any, is_modifying: bool = True, **options: Any) -> Any:
        computation = execute_code(*args, is_modifying=is_modifying, **options)
        if is_modifying:
            print(computation.call_trace)
        return computation

    env.execute_code = shown


def replay(
    names: dict[str, Any],
    machine: type,
    invariant: str | None = None,
    begin: bool = True,
    trace: bool = False,
    **beginning: Any,
) -> None:
    """Begins a history of a machine, and binds the names of the REPL to its market.

    Args:
        names: of the caller: `globals()`.
        invariant: the one that it is about; None: whatever is violated first ends it.
        begin: False for a machine without a beginning of its own.
        trace: whether each call shows its call tree; then all is played on py-evm, which takes longer.
        beginning: the preset, for most machines.
    """
    _environment(trace)
    state: Any = machine()
    _going_on.append(state)
    judge = Judge(invariant)
    if begin:
        if "preset" in beginning:
            presets.prepared(beginning["preset"])
        judge.guarded(lambda: state.begin(**beginning))
    if trace or tracing:
        _show_calls()
    names["state"] = _Rules(state, judge)
    lockstep = getattr(state, "lockstep", None)
    if lockstep is not None:
        history = WatchedHistory(state, judge)
        names.update(history.offered())
        names.update(history.helpers())

    def check() -> None:
        if judge.failure is None:
            with counters.seeking(invariant):
                try:
                    moves.ended(state)
                except AssertionError as failure:
                    judge.failure = failure
        print(judge.told())

    names["check"] = check


def example(invariant: str | None, test: Callable[..., None], *, trace: bool = False, **arguments: Any) -> None:
    """One call of a property test with these arguments: tells what holds and what does not; `trace` as in `replay`."""
    _environment(trace)
    presets.prepare(sys.modules[test.__module__])
    if trace or tracing:
        _show_calls()
    _told_once(invariant, lambda: replaying.called(invariant, test, arguments))


def preset(name: str) -> None:
    """Plays the market of a preset in lockstep with the terms: tells what holds and what does not."""
    _environment(trace=False)
    _told_once(None, lambda: replaying.preset_played(name))


def _told_once(invariant: str | None, act: Callable[[], None]) -> None:
    judge = Judge(invariant)
    judge.guarded(act)
    if judge.failure is None:
        print(judge.told())


def with_call_trees(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a failed history, each with what it shows when it is played once more: call trees above all."""
    global tracing
    names: dict[str, Any] = {}
    env, tracing = boa.env, True
    try:
        for line in lines:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(line, names)
            yield line
            yield from (f"    {row}" for row in printed.getvalue().splitlines())
    finally:
        tracing = False
        boa.set_env(env)
