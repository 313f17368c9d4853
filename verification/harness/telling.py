"""What is told of a test that failed: what does not hold and by how much, and lines for the REPL that show it again."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings

from verification.harness import counters, moves
from verification.harness.figures import named
from verification.harness.moves import History, Move, Played
from verification.harness.writer import Unwritable, Writer
from verification.invariants import ROOT, statement
from wattproof.market.trace import Made, Moment, Outcome, Scene, Trace
from wattproof.outputs import BadPlace, write

SHOWN = 25
"""Calls of a function's history that are shown, the last so many."""

LONGEST_NAME = 120
"""Characters of a file's name: those of parametrized tests have no bound."""


@dataclass
class Told:
    """What is told of a failure.

    failure   what failed, in the shortest history that shows it
    history   that history, None where the test is no machine, or cannot be made again move by move
    lines     for the REPL, the history proper from line `beginning` on
    why       there are none
    call_tree of each step of the history, as lines; empty where nobody asked for it
    """

    failure: BaseException
    history: History | None = None
    scene: Scene | None = None
    lines: list[str] = field(default_factory=list)
    beginning: int = 0
    why: str = ""
    call_tree: list[str] = field(default_factory=list)

    @property
    def invariant(self) -> str | None:
        """The invariant that does not hold, None where something else failed."""
        return getattr(self.failure, "invariant", None)

    @property
    def summary(self) -> str:
        """The invariant and the figures, or the first line of what was raised: one line."""
        if isinstance(self.failure, counters.Violated):
            return ": ".join(filter(None, (self.failure.invariant, self.failure.figures)))
        try:
            said = (str(self.failure).splitlines() or [""])[0]
        except Exception as problem:
            said = f"its message cannot be shown ({type(problem).__name__})"
        return f"{type(self.failure).__name__}: {said}"


def of_machine(machine: type, failure: BaseException) -> Told:
    """Tells the failure of a machine: by calls alone where these show it, without those that do not matter."""
    sought = getattr(failure, "invariant", None)
    steps, starts = getattr(failure, "steps", []), getattr(failure, "starts", [])
    trace: Trace | None = getattr(failure, "trace", None)
    shrinks = Phase.shrink in settings().phases
    found = moves.shortest(
        moves.candidates(machine, steps, starts, trace),
        lambda other: _same(failure, other),
        sought,
        moves.market_of(trace),
        moves.MAX_TRIES if shrinks else 0,
    )
    if found is None:
        return Told(failure, why="the history does not fail when it is made again")
    history, played = found
    return in_lines(history, played, sought)


def _same(failure: BaseException, other: BaseException) -> bool:
    """Whether something fails for the same reason: of an invariant, or raised in the same line."""
    if isinstance(failure, counters.Violated):
        return isinstance(other, counters.Violated) and other.invariant == failure.invariant
    places = [traceback.extract_tb(one.__traceback__)[-1:] for one in (failure, other)]
    lines = [(place[0].filename, place[0].lineno) if place else None for place in places]
    return type(failure) is type(other) and lines[0] == lines[1]


def in_lines(history: History, played: Played, sought: str | None) -> Told:
    """A history as lines for the REPL."""
    failure = played.failure
    assert failure is not None
    trace: Trace | None = getattr(failure, "trace", None)
    scene = trace.scene if trace is not None else None
    writer = Writer(scene)
    writer.use("verification.session", "replay")
    machine = writer.use(history.machine.__module__, history.machine.__name__)
    told = Told(failure, history, scene)
    begin = ["begin=False"] if history.begin is None else [f"{k}={_quoted(v)}" for k, v in history.begin.items()]
    first = f"replay({', '.join(['globals()', machine, _quoted(sought), *begin])})"
    try:
        made = zip(history.moves, played.refusals, strict=True)
        body = [_line(move, scene, writer, refused) for move, refused in made]
    except Unwritable as problem:
        return Told(failure, why=f"no literals of {str(problem)[:300]}")
    told.lines = [*writer.import_lines(), first, *body, "check()"]
    told.beginning = len(told.lines) - 1 - len(body)
    return told


def _quoted(value: Any) -> str:
    """A value as Python, a text as most lines for the REPL have it."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _line(move: Move, scene: Scene | None, writer: Writer, refused: str | None) -> str:
    if move.rule:
        arguments = (f"{name}={writer.source(value)}" for name, value in move.named)
        return f"state.{move.function}({', '.join(arguments)})"
    assert scene is not None
    if move.function == "advance":
        return scene.line(Moment(*move.args))
    people = {name: address for address, name in scene.names.items()}
    if move.made:
        values = tuple(scene.value(arg, people.__getitem__) for arg in move.args)
        return scene.line(Made(0, move.function, values, people[move.sender], Outcome(refused is None, refused)))
    shown = "".join(f"{writer.source(arg)}, " for arg in move.args)
    return f'perform("{move.function}", {shown}sender="{move.sender}")'


# ---- what is no machine ----------------------------------------------------------------------------------


def of_function(test: tuple[str, str], arguments: dict[str, Any], failure: BaseException) -> Told:
    """Tells the failure of a test that is a function, called with drawn arguments; `test` is its module and name.

    The calls that it made on the market come along as remarks: the test makes them itself.
    """
    writer = Writer(None)
    writer.use("verification.session", "example")
    try:
        shown = "".join(f", {name}={writer.source(value)}" for name, value in arguments.items())
    except Unwritable as problem:
        return Told(failure, why=f"no literals of {str(problem)[:300]}")
    call = f"example({_quoted(getattr(failure, 'invariant', None))}, {writer.function(*test)}{shown})"
    lines = [*writer.import_lines(), *remarks(failure), call]
    return Told(failure, lines=lines, beginning=len(writer.import_lines()))


def of_preset(name: str, failure: BaseException) -> Told:
    """Tells the failure of a preset."""
    lines = ["from verification.session import preset", *remarks(failure), f"preset({name!r})"]
    return Told(failure, lines=lines, beginning=1)


def remarks(failure: BaseException) -> list[str]:
    """What happened in a history, the calls or what the test tells of them, the last few: lines that do nothing."""
    trace: Trace | None = getattr(failure, "trace", None)
    if trace is None:
        return [f"# {line}" for line in getattr(failure, "story", [])[-SHOWN:]]
    entries = trace.entries[trace.beginning :]
    more = [f"# {len(entries) - SHOWN} calls before"] if len(entries) > SHOWN else []
    return more + [f"# {trace.scene.line(entry).removeprefix('# ')}" for entry in entries[-SHOWN:]]


# ---- for the terminal --------------------------------------------------------------------------------------


def text(told: Told, folder: Path, test: str, place: int = 1) -> str:
    """All of it, for the terminal. The lines are written to a file of that folder, too.

    They stand at the margin, to be pasted as they are. `place` counts the failures of the test.
    """
    failure, parts = told.failure, []
    if isinstance(failure, counters.Violated):
        names = {} if counters.harness is None else counters.harness.names
        details = [f"    {name} = {named(value, names)}" for name, value in failure.details.items()]
        parts.append("\n".join([f"violated: {told.summary}", statement(failure.invariant), *details, _place(failure)]))
    if told.lines:
        parts.append(
            "\n".join([f"for `wattproof repl`{_written(told, folder / name_of(told, test, place))}:", *told.lines])
        )
    return "\n\n".join(parts)


def _place(failure: BaseException) -> str:
    """Where the check stands that failed."""
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__) if frame.name != "holds"]
    if not frames:
        return ""
    path = Path(frames[-1].filename)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"checked in {shown}:{frames[-1].lineno}, {frames[-1].name}"


def name_of(told: Told, test: str, place: int = 1) -> str:
    """The file of a failure: no other test's, and no other failure's of this one, has the same."""
    file, *inside = test.split("::")
    parts = [Path(file).stem, *(part for part in inside if part != "runTest")]
    number = f"-{place}" if place > 1 else ""
    name = re.sub(r"[^\w-]+", "-", "-".join([told.invariant or "failure", *parts])).strip("-")
    return f"{name[:LONGEST_NAME]}{number}.py"


def _written(told: Told, path: Path) -> str:
    """Where the lines were written."""
    try:
        write(path, "\n".join(told.lines) + "\n")
    except BadPlace as problem:  # What failed is told all the same.
        return f" (not written to a file: {problem})"
    return f", or there: %run -i {path}"
