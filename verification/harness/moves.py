"""A history that failed, as moves that can be made again: by themselves, fewer of them, in the REPL, in a saved file.

Most moves are calls of the market. What a machine does besides, such as a raid, stays the machine's own move where its
calls alone do not show the failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from verification.harness import counters, journal
from wattproof.market.abi import Interface
from wattproof.market.trace import Call, Donation, Made, Moment, Trace

MAX_TRIES = 300
"""Times that a history is made again to find what of it does not matter."""

MAX_SECONDS, MAX_TOTAL = 20.0, 90.0
"""Seconds that this may take: for one failure, and for all of a process."""


@dataclass(frozen=True)
class Move:
    """A move of a machine. `made`: the function is an entry point, its arguments are data as of `Scene.data`.

    Otherwise the arguments are those of the machine's method: a `Call` that it performs, or a rule's own.
    """

    function: str
    args: tuple[Any, ...] = ()
    sender: str = ""
    made: bool = False
    rule: bool = False
    named: tuple[tuple[str, Any], ...] = ()

    def make(self, state: Any) -> Any:
        """Makes the move; returns what came of it where the machine tells."""
        if self.rule:
            return getattr(state, self.function)(**dict(self.named))
        if self.function == "advance" and self.args[0] <= state.lockstep.now:
            return None
        args = self.args
        if self.made:
            scene = state.lockstep.trace.scene
            args = tuple(scene.value(arg, state.lockstep.address) for arg in args)
        return state.perform(Call(self.function, args, self.sender))


class History(NamedTuple):
    """Where a history begins and what happens in it. `begin`: the arguments of the machine's own rule of that name."""

    machine: type
    begin: dict[str, Any] | None
    moves: list[Move]


def ended(state: Any) -> None:
    """The checks at the end of a history."""
    if hasattr(state, "judge_end"):
        state.judge_end()


class Played(NamedTuple):
    """What came of a history: what it failed with, and of each move that was made why it was refused, if it was."""

    failure: BaseException | None
    refusals: list[str | None]


def play(history: History, sought: str | None, refusals: list[str | None] | None = None) -> Played:
    """Makes the moves, until one fails. Nothing of it is counted or stays.

    Args:
        sought: the invariant that it is about; what others do not hold is passed over. None: whatever fails.
        refusals: a list for them that is there already, and empty.
    """
    refusals = [] if refusals is None else refusals
    with counters.uncounted(), counters.seeking(sought), journal.paused():
        state: Any = history.machine()
        try:
            if history.begin is not None:
                state.begin(**history.begin)
            for move in history.moves:
                refusals.append(None)
                before = _calls_of(state)
                try:
                    move.make(state)
                finally:
                    made = [call.outcome for call in _calls_of(state)[len(before) :]]
                    refusals[-1] = None if not made or made[0].accepted else made[0].reason
            ended(state)
        except Exception as failure:  # Whatever a machine says to moves that no rule has drawn.
            if getattr(state, "lockstep", None) is not None:  # An error in a test comes without its history.
                counters.tell(failure, state.lockstep.trace)
            return Played(failure, refusals)
        finally:
            undo(state)
    return Played(None, refusals)


def _calls_of(state: Any) -> list[Made]:
    """The calls that a history has made so far."""
    lockstep = getattr(state, "lockstep", None)
    return [] if lockstep is None else list(lockstep.calls)


def undo(state: Any) -> None:
    """Takes back all that a history did to the chain."""
    if (branch := getattr(state, "_branch", None)) is not None:
        branch.__exit__(None, None, None)
        state._branch = None


# ---- how a failure can be told -----------------------------------------------------------------------


def candidates(
    machine: type, steps: Sequence[tuple[str, dict[str, Any]]], starts: Sequence[int], trace: Trace | None
) -> Iterator[History]:
    """The same history in ways to tell it, the plainest first: as calls alone; as calls but for the last move, which is
    the machine's own; as moves of the machine.

    Args:
        steps: rules that were called, with their arguments.
        starts: how long the trace was when each step began.
    """
    begin = dict(steps[0][1]) if steps and steps[0][0] == "begin" else None
    own = list(steps)[begin is not None :]
    if trace is not None and hasattr(machine, "branch_off"):
        yield History(machine, begin, _calls(trace, trace.beginning, len(trace)))
        if own and len(starts) == len(steps):
            yield History(machine, begin, [*_calls(trace, trace.beginning, starts[-1]), _own(*own[-1])])
    yield History(machine, begin, [_own(*step) for step in own])


def _calls(trace: Trace, first: int, last: int) -> list[Move]:
    scene = trace.scene
    found = []
    for entry in trace.entries[first:last]:
        match entry:
            case Made(_, function, args, sender, _):
                found.append(Move(function, tuple(map(scene.data, args)), scene.names[sender], made=True))
            case Moment(second):
                found.append(Move("advance", (second,), "time"))
            case Donation(who, amount):
                found.append(Move("donate", (amount,), scene.names[who]))
    return found


def _own(name: str, arguments: dict[str, Any]) -> Move:
    match arguments:
        case {"call": (str(function), tuple(args), str(sender))} if len(arguments) == 1:
            return Move(function, args, sender)
    return Move(name, rule=True, named=tuple(arguments.items()))


Same = Callable[[BaseException], bool]
"""Whether something fails as the history did."""


Player = Callable[[History, str | None], Played]
"""What makes a history, as `play` does."""


def shortest(
    told: Iterable[History],
    same: Same,
    sought: str | None,
    market: Interface | None,
    most: int = MAX_TRIES,
    player: Player = play,
) -> tuple[History, Played] | None:
    """The first way to tell a history that shows the failure again, without what does not matter to it.

    None where no way does.
    """
    for history in told:
        found = player(history, sought)
        if found.failure is not None and same(found.failure):
            search = _Search(history._replace(moves=history.moves[: len(found.refusals)]), found, same, sought, most)
            search.player = player
            search.leave_out(market)
            return search.history, search.found
    return None


class _Search:
    """Leaves out whole quotes, then ever fewer moves at a time, as long as a history fails the same way."""

    seconds = MAX_TOTAL
    """What is left for all failures of this process."""

    player: Player = staticmethod(play)

    def __init__(self, history: History, found: Played, same: Same, sought: str | None, tries: int) -> None:
        self.history, self.found, self.same, self.sought, self.tries = history, found, same, sought, tries

    def leave_out(self, market: Interface | None) -> None:
        """Makes the history as short as it gets in its time."""
        begun = time.monotonic()
        self.until = begun + min(MAX_SECONDS, _Search.seconds)
        if market is not None:
            for number in reversed(_quotes(self.history.moves, market)):
                self.fails(_without_quote(self.history.moves, number, market))
        size = len(self.history.moves) // 2
        while size:
            at = len(self.history.moves)
            while at > 0:
                moves = self.history.moves
                self.fails(moves[: max(at - size, 0)] + moves[at:])
                at = min(at - size, len(self.history.moves))
            size //= 2
        _Search.seconds -= time.monotonic() - begun

    def fails(self, moves: list[Move]) -> bool:
        """Whether these moves are enough; then they are the history from here on."""
        if self.tries <= 0 or time.monotonic() > self.until:
            return False
        self.tries -= 1
        found = self.player(self.history._replace(moves=moves), self.sought)
        if found.failure is None or not self.same(found.failure):
            return False
        self.history, self.found = self.history._replace(moves=moves[: len(found.refusals)]), found
        return True


# ---- quotes have numbers --------------------------------------------------------------------------------


def _mentioned(move: Move, market: Interface) -> list[int]:
    """The quotes that a call is about."""
    names = market.functions[move.function].names if move.made else []
    return [arg for name, arg in zip(names, move.args, strict=False) if name == "quote_id" and isinstance(arg, int)]


def _quotes(moves: Sequence[Move], market: Interface) -> list[int]:
    return sorted({number for move in moves for number in _mentioned(move, market)})


def _without_quote(moves: Sequence[Move], number: int, market: Interface) -> list[Move]:
    """The moves without a quote and all that is about it; later quotes move up by one."""
    first = min(_quotes(moves, market))
    made = 0
    kept = []
    for move in moves:
        if move.made and move.function == "submit_quote":
            made += 1
            if first + made - 1 == number:
                continue
        if number not in _mentioned(move, market):
            kept.append(_renumbered(move, number, market) if move.made else move)
    return kept


def _renumbered(move: Move, gone: int, market: Interface) -> Move:
    def less(value: Any) -> Any:
        return value - 1 if isinstance(value, int) and value > gone else value

    def inside(data: Any) -> Any:
        match data:
            case {"seal": [chain, where, int(quote), *rest]}:
                return {"seal": [chain, where, less(quote), *map(inside, rest)]}
            case {"salt": [int(quote), name]}:
                return {"salt": [less(quote), name]}
        return data

    names = market.functions[move.function].names
    args = (less(arg) if name == "quote_id" else inside(arg) for name, arg in zip(names, move.args, strict=False))
    return replace(move, args=tuple(args)) if len(names) == len(move.args) else move


def market_of(trace: Trace | None) -> Interface | None:
    """The interface of the market that is played just now, None where none is."""
    return cast(Interface, counters.harness.interface) if trace is not None and counters.harness is not None else None
