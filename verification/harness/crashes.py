"""A test whose process crashed, told like any other failure: what its journal holds, made again in other processes.

    python -m verification.harness.crashes JOURNAL OUT SECONDS

writes the failure into OUT, as JSON: as the journal has it, and again where it could be made shorter.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boa

from verification.harness import counters, journal, moves, presets, replay, reproducers, telling
from verification.harness.apart import Ended, apart
from verification.harness.journal import Left
from verification.harness.lockstep import Lockstep
from verification.harness.moves import History, Played
from verification.harness.reproducers import Subject
from verification.harness.telling import Told
from wattproof.market.trace import Donation, Made, Moment, Outcome, Trace
from wattproof.outputs import write

CRASHED = "the process that ran the test ended without a word"

LONGEST = 30.0
"""Seconds that a history may take when it is made again."""


class Crashed(Exception):
    """A process ended where it should not have.

    Args:
        ended: how the process ended in which that was done again; None where it was not, or not yet.
        seen: what was seen of that.
    """

    def __init__(self, ended: Ended | None = None, seen: Seen | None = None) -> None:
        self.story: list[str] = seen.calls if seen else []
        self.how = ""
        said = CRASHED
        if ended is not None and not ended.crashed:
            said += "; made again, it did not" if ended.whole else "; made again, it took too long"
        elif ended is not None:
            self.how = ended.how + (f" in {self.story[-1]}" if self.story else "")
            said += f"; made again, it ended with {self.how}"
        super().__init__(said)


# ---- what a process says of the history that it makes ---------------------------------------------------------


@dataclass
class Seen:
    """What was seen of a history: its trace as data with the call that it ended in, the calls as lines for the REPL,
    and of each move where in the trace it began and why it was refused, if it was."""

    trace: dict[str, Any] | None = None
    calls: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    refusals: list[str | None] = field(default_factory=list)


class _Watch(list[str | None]):
    """Says what happens, in the process where it does: calls as they are made, and a history's moves and refusals."""

    def __init__(self, say: Callable[[Any], None]) -> None:
        super().__init__()
        self.say, self.lockstep, self.known = say, None, 0

    def append(self, refusal: str | None) -> None:
        """A move begins."""
        super().append(refusal)
        trace = getattr(counters.harness, "trace", ())
        self.say({"move": len(trace)})

    def __setitem__(self, at: Any, refusal: Any) -> None:
        """A move has ended."""
        super().__setitem__(at, refusal)
        self.say({"refusal": refusal})

    def note(self, lockstep: Lockstep, made: Made | None = None) -> None:
        """Says what happened since the last time, and what is about to be."""
        trace = lockstep.trace
        if self.lockstep is None or trace is not self.lockstep.trace:
            self.lockstep, self.known = lockstep, 0
            self.say({"trace": {**trace.to_json(), "entries": []}})
        new = trace.entries[self.known :]
        self.known = len(trace)
        told = [(trace.as_json(entry), trace.scene.line(entry)) for entry in (*new, *([made] if made else []))]
        self.say({"at": self.known - len(new), "entries": told, "made": made is not None})


def _watched(act: Callable[[_Watch], object]) -> Callable[[Callable[[Any], None]], None]:
    """The act for a process of its own, which says what happens in it."""

    def watched(say: Callable[[Any], None]) -> None:
        watch, call = _Watch(say), Lockstep.call

        def noted(lockstep: Lockstep, function: str, *args: Any, sender: str) -> Outcome:
            who = lockstep.address(sender)
            watch.note(lockstep, Made(lockstep.now, function, tuple(lockstep.resolved(args)), who, Outcome(True)))
            return call(lockstep, function, *args, sender=sender)

        with patch.object(Lockstep, "call", noted):
            try:
                act(watch)
            finally:
                if watch.lockstep is not None:
                    watch.note(watch.lockstep)

    return watched


def seen(ended: Ended) -> Seen:
    """What was seen until then."""
    found = Seen()
    for said in ended.said:
        match said:
            case {"move": start}:
                found.starts.append(start)
                found.refusals.append(None)
            case {"refusal": reason}:
                found.refusals[-1] = reason
            case {"trace": trace}:
                found.trace, found.calls = trace, []
            case {"at": at, "entries": entries, "made": made} if found.trace is not None:
                found.trace["entries"][at:] = [entry for entry, _ in entries]
                found.calls[at:] = [line for _, line in entries]
                if made and ended.crashed:
                    found.trace["entries"][-1]["ended"] = True
    return found


# ---- what is told ------------------------------------------------------------------------------------------------


@dataclass
class Teller:
    """Tells of a crash.

    journal   what the process left
    out       where it is told
    seconds   for all that is made again; 0: nothing is
    """

    journal: Path
    out: Path
    seconds: float

    def tell(self) -> None:
        """Writes what is known at once, and again what turned out."""
        left = journal.read(self.journal)
        known = left.test
        machine = None if known["machine"] is None else _named(*known["machine"])
        arguments = left.arguments if left.arguments is not None else known["arguments"]
        self.engine = known["engine"]
        self.subject = Subject(known["test"], known["line"], tuple(known["function"]), machine, arguments)
        with boa.swap_env(presets.environment(self.engine, known["oversized"])):
            if left.preset is not None:
                self.of_preset(left.preset)
            elif machine is not None and left.steps and not left.lost:
                self.of_machine(machine, left)
            elif arguments is not None and not left.lost:
                self.of_function(arguments)
            else:
                self.write(Told(Crashed(), why=left.lost or "it had made no step yet"))

    def write(self, told: Told, found: Seen | None = None) -> None:
        """Writes what is told of the test."""
        assert isinstance(told.failure, Crashed)
        summary, error = f"crashed: {told.failure.how or CRASHED}", f"crashed: {told.failure}"
        shown = telling.text(told, counters.STORIES, self.subject.test)
        text = "\n\n".join(filter(None, [error, shown]))
        kept = reproducers.keep(self.subject, "crash", told, self.engine, text)
        kept |= {"error": error[:1000], "trace": found.trace if found else None}
        write(self.out, json.dumps({"summary": summary, "text": text, "kept": kept}))

    def run(self, act: Callable[[_Watch], object]) -> Ended:
        """How a process ended in which that was done."""
        return apart(_watched(act), min(LONGEST, self.seconds), self.out.with_suffix(".said"))

    def of_preset(self, name: str) -> None:
        """A preset, as it was played."""
        failure = presets.failures[name] = Crashed()  # type: ignore[assignment]
        self.write(telling.of_preset(name, failure))
        if self.seconds <= 0:
            return
        ended = self.run(lambda watch: replay.preset_played(name))
        found = seen(ended)
        failure = presets.failures[name] = Crashed(ended, found)  # type: ignore[assignment]
        self.write(telling.of_preset(name, failure), found)

    def of_function(self, arguments: dict[str, Any]) -> None:
        """A function, with its arguments."""
        self.write(telling.of_function(self.subject.function, arguments, Crashed()))
        if self.seconds <= 0:
            return
        test = _named(*self.subject.function)
        presets.prepare(sys.modules[test.__module__])
        ended = self.run(lambda watch: replay.called(None, test, arguments))
        found = seen(ended)
        self.write(telling.of_function(self.subject.function, arguments, Crashed(ended, found)), found)

    def of_machine(self, machine: type, left: Left) -> None:
        """A history, by calls alone where these end the process as well, without those that do not matter."""
        state: Any = machine()
        if left.steps[0][0] == "begin":
            state.begin(**left.steps[0][1])
        moves.undo(state)
        lockstep = self.lockstep = getattr(state, "lockstep", None)
        steps = journal.read(self.journal, lockstep).steps
        (own,) = moves.candidates(machine, steps, [], None)
        if lockstep is not None:
            counters.harness = lockstep
        self.tell_history(own, [None] * len(own.moves), Crashed(), Seen())
        if self.seconds <= 0:
            return
        ended = self.run(lambda watch: moves.play(own, None, watch))
        found = seen(ended)
        trace = self._trace(found)
        begun = [0] * (len(steps) - len(own.moves))
        told = list(moves.candidates(machine, steps, begun + found.starts, trace))
        if not ended.crashed:  # It may have been killed for want of memory: what it did is told all the same.
            refusals = found.refusals if trace is None else _refusals(trace)
            self.tell_history(told[0], refusals, Crashed(ended, found), found)
            return
        self.tell_history(own, found.refusals, Crashed(ended, found), found)
        shorter = moves.shortest(
            told, lambda other: isinstance(other, Crashed), None, moves.market_of(trace), player=self.played
        )
        if shorter is not None:
            history, played = shorter
            assert isinstance(played.failure, Crashed)
            self.tell_history(history, played.refusals, played.failure, self.seen)

    def played(self, history: History, sought: str | None) -> Played:
        """What comes of a history in a process of its own; see `moves.play`."""
        ended = self.run(lambda watch: moves.play(history, sought, watch))
        found = seen(ended)
        if not ended.crashed:
            return Played(None, found.refusals)
        self.seen = found  # The last one that crashed is the one that is told.
        return Played(Crashed(ended, found), found.refusals)

    def tell_history(self, history: History, refusals: list[str | None], failure: Crashed, found: Seen) -> None:
        """Writes what is told of a history."""
        trace = self._trace(found)
        if trace is None and self.lockstep is not None:
            trace = Trace(self.lockstep.tariff, self.lockstep.trace.scene)
        failure.trace = trace  # type: ignore[attr-defined]
        moved = history._replace(moves=history.moves[: len(refusals)])
        self.write(telling.in_lines(moved, Played(failure, refusals), None), found)

    def _trace(self, found: Seen) -> Trace | None:
        if found.trace is None or self.lockstep is None:
            return None
        return Trace.of_json(_without_end(found.trace), self.lockstep.trace.scene, self.lockstep.address)


def _refusals(trace: Trace) -> list[str | None]:
    """Why each call, gift and wait of a history was refused, if it was."""
    entries = [entry for entry in trace.entries[trace.beginning :] if isinstance(entry, Made | Moment | Donation)]
    return [entry.outcome.reason if isinstance(entry, Made) else None for entry in entries]


def _without_end(trace: dict[str, Any]) -> dict[str, Any]:
    return trace | {"entries": [{k: v for k, v in entry.items() if k != "ended"} for entry in trace["entries"]]}


def _named(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def main(journal_file: str, out: str, seconds: str) -> None:
    """Tells of the crash whose journal that is."""
    Teller(Path(journal_file), Path(out), float(seconds)).tell()


if __name__ == "__main__":
    main(*sys.argv[1:])
