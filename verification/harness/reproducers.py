"""What a failed test leaves behind: what failed, the history that showed it, and a file that shows it again.

The file calls `verification.harness.replay` with literal arguments: the calls of a history or the arguments of a test,
or the whole test where there are none. What Hypothesis draws is not asked for again.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

import pytest

from verification.harness import counters, presets, telling
from verification.harness.figures import named
from verification.harness.moves import Move
from verification.harness.telling import Told
from verification.harness.writer import Unwritable, Writer
from verification.texts import bounded
from wattproof.market.trace import Call

MAX_TREE = 60_000
"""Characters of the call trees of a failure that are kept."""

_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,16}\b")
"""Where an object lies in memory, which is another place in every run."""


@dataclass(frozen=True)
class Subject:
    """A test, as far as what it leaves behind tells of it.

    test        its ID of pytest
    line        where it begins in its file, None where that is not known
    function    its module and name
    machine     the state machine behind it, None where there is none
    arguments   of a property test that is a function: those that Hypothesis drew last, or those of its parameters;
                None where it has others, which are not known
    """

    test: str
    line: int | None
    function: tuple[str, str]
    machine: type | None
    arguments: dict[str, Any] | None


def subject_of(item: pytest.Item) -> Subject:
    """A test as it is just now."""
    file, line, _ = item.location
    starts = line + 1 if line is not None and item.nodeid.startswith(f"{file}::") else None
    return Subject(item.nodeid, starts, _function(item), machine_of(item), _arguments(item))


def known_of(item: pytest.Item, engine: str) -> dict[str, Any]:
    """The same as plain data, for the journal of a test that begins."""
    subject = subject_of(item)
    machine = subject.machine
    names = None if machine is None else (machine.__module__, machine.__name__)
    return {
        "test": subject.test,
        "line": subject.line,
        "function": subject.function,
        "machine": names,
        "arguments": subject.arguments,
        "engine": engine,
    }


def told_of(item: pytest.Item, failure: BaseException) -> Told:
    """A failure of a test, told as shortly as it can be shown again."""
    preset = preset_of(failure)
    machine = machine_of(item)
    if preset is not None:
        return telling.of_preset(preset, failure)
    if machine is not None and getattr(failure, "steps", []):
        return telling.of_machine(machine, failure)
    arguments = _arguments(item)
    return Told(failure) if arguments is None else telling.of_function(_function(item), arguments, failure)


def preset_of(failure: BaseException | None) -> str | None:
    """The preset that failed so, None where it is no preset."""
    return next((name for name, known in presets.failures.items() if known is failure), None)


def keep(subject: Subject, when: str, told: Told | None, engine: str, text: str) -> dict[str, Any]:
    """A failure of a test as JSON can hold it: `when` is setup, call, teardown or crash, `text` what pytest says of it.

    `told` is None where nothing was raised, as by a test that was expected to fail and passed.

    `invariant` is None where something else failed than an invariant; `trace` is the history as data, `repl` as lines
    for the REPL, the history proper from line `beginning` on; `replay` the imports, the lines of a test that fails for
    the same reason, and how it does so: by `steps`, `arguments`, `preset` or, for want of better, the `test` itself.
    """
    failure = None if told is None else told.failure
    trace = getattr(failure, "trace", None)
    error = (text.splitlines() or [""])[0] if told is None else _headline(told)
    return {
        "invariant": getattr(failure, "invariant", None),
        "test": subject.test,
        "line": subject.line,
        "when": when,
        "preset": preset_of(failure),
        "error": _ADDRESS.sub("at 0x…", error)[:1000],
        "text": bounded(_ADDRESS.sub("at 0x…", text)),
        "details": {name: _named(value)[:1000] for name, value in getattr(failure, "details", {}).items()},
        "trace": trace.to_json() if trace else None,
        "repl": [] if told is None else told.lines,
        "beginning": 0 if told is None else told.beginning,
        "replay": _replay(subject, told, engine),
        **({"call_tree": _call_tree(told)} if told is not None and told.call_tree else {}),
    }


def _call_tree(told: Told) -> list[str]:
    """Its lines, of very long ones the first and the last."""
    return bounded(_ADDRESS.sub("at 0x…", "\n".join(told.call_tree)), MAX_TREE).splitlines()


def _headline(told: Told) -> str:
    """What failed: an invariant with its statement, or an error with the first line of what it says."""
    if isinstance(told.failure, counters.Violated):
        first = str(told.failure).splitlines()[0].removeprefix(f"{told.failure.invariant}: ")
        return f"{told.summary}. {first}" if told.failure.figures else f"{told.failure.invariant}: {first}"
    return told.summary


def untried(test: str, when: str, text: str, engine: str) -> dict[str, Any]:
    """The failure of what pytest could not collect, or of a test whose process crashed: there is nothing but a text."""
    lines = [line.removeprefix("E ").strip() for line in text.splitlines() if line.startswith("E ")]
    return {
        "invariant": None,
        "test": test,
        "line": None,
        "when": when,
        "preset": None,
        "error": (lines or text.splitlines() or ["no reason given"])[-1][:1000],
        "text": bounded(text),
        "details": {},
        "trace": None,
        "repl": [],
        "beginning": 0,
        "replay": _file(Writer(None), "test", [f"replay.test({test!r}, {engine!r})"]),
    }


def _named(text: str) -> str:
    return named(text, {} if counters.harness is None else counters.harness.names)


def _file(writer: Writer, kind: str, lines: list[str], why: str = "") -> dict[str, Any]:
    """What goes into the file."""
    writer.use("verification.harness", "replay")
    imports = {module: sorted(names) for module, names in sorted(writer.imports.items())}
    return {"kind": kind, "why": why, "imports": imports, "lines": lines}


def _replay(subject: Subject, told: Told | None, engine: str) -> dict[str, Any]:
    invariant = None if told is None else told.invariant
    preset = None if told is None else preset_of(told.failure)
    if preset is not None:
        return _file(Writer(None), "preset", [f"replay.preset({preset!r}, {engine!r})"])
    why = "" if told is None else told.why
    writer = Writer(None if told is None else told.scene)
    try:
        if told is not None and told.history is not None:
            return _file(writer, "steps", _steps(told, writer, engine))
        if told is not None and (arguments := subject.arguments) is not None:
            shown = "".join(f"    {name}={writer.source(value)},\n" for name, value in arguments.items())
            test = writer.function(*subject.function)
            lines = f"replay.example(\n    {invariant!r},\n    {test},\n    {engine!r},\n{shown})".splitlines()
            return _file(writer, "arguments", lines)
    except Unwritable as problem:
        why = f"not written as steps or arguments: {str(problem)[:300]}"
    return _file(Writer(None), "test", [f"replay.test({subject.test!r}, {engine!r})"], why)


def _steps(told: Told, writer: Writer, engine: str) -> list[str]:
    """A history as the calls of its machine."""
    history = told.history
    assert history is not None
    machine = writer.use(history.machine.__module__, history.machine.__name__)
    lines = [f"with replay.history({machine}, {engine!r}, {told.invariant!r}) as state:"]
    if history.begin is not None:
        lines.append(f"    state.begin({', '.join(f'{name}={value!r}' for name, value in history.begin.items())})")
    return lines + [f"    {_step(move, told, writer)}" for move in history.moves]


def _step(move: Move, told: Told, writer: Writer) -> str:
    if move.rule:
        return f"state.{move.function}({', '.join(f'{name}={writer.source(value)}' for name, value in move.named)})"
    args = move.args
    if move.made and told.scene is not None:
        people = {name: address for address, name in told.scene.names.items()}
        args = tuple(told.scene.value(arg, people.__getitem__) for arg in args)
    return f"state.perform({writer.source(Call(move.function, args, move.sender))})"


def _arguments(item: pytest.Item) -> dict[str, Any] | None:
    """The arguments with which a property test that is a function was called last: those that Hypothesis drew, or those
    of its parameters. None where it has others, which are not known."""
    test: Any = getattr(item, "obj", None)
    if "properties" not in item.path.parts or machine_of(item) is not None or getattr(item, "cls", None) is not None:
        return None
    if hasattr(test, "hypothesis"):
        return dict(counters.example) or None
    given = dict(getattr(getattr(item, "callspec", None), "params", {}))
    return given if given.keys() == inspect.signature(test).parameters.keys() else None


def _function(item: pytest.Item) -> tuple[str, str]:
    """Module and name of a test that is a function."""
    module = ".".join(item.nodeid.partition("::")[0].removesuffix(".py").split("/"))
    return module, getattr(item, "originalname", item.name)


def machine_of(item: pytest.Item) -> type | None:
    """The state machine behind a test, None where there is none."""
    case = getattr(item, "cls", None)
    name = getattr(case, "__name__", "").removesuffix(".TestCase")
    found = getattr(getattr(item, "module", None), name, None) if case is not None else None
    return found if isinstance(found, type) and found is not case else None
