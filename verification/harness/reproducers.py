"""What a failed test leaves behind: what failed, the history that showed it, and a file that shows it again.

The file calls `verification.harness.replay` with literal arguments: the steps of a machine or the arguments of a test,
or the whole test where those cannot be written down.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import sys
from typing import Any

import pytest

from verification.harness import counters, presets
from verification.harness.symbolic import SEALED
from verification.texts import bounded

_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,16}\b")
"""Where an object lies in memory, which is another place in every run."""

Steps = list[tuple[str, dict[str, Any]]]
"""The rules of a machine that were called, in order, with their arguments."""


def keep(item: pytest.Item, when: str, failure: BaseException | None, engine: str, text: str) -> dict[str, Any]:
    """A failure of a test as JSON can hold it: `when` is setup, call or teardown, `text` what pytest says of it.

    `failure` is None where nothing was raised, as by a test that was expected to fail and passed.

    `invariant` is None where something else failed than an invariant; `trace` is the history as data, `repl` as lines
    for the REPL, the history proper from line `beginning` on; `replay` the imports, the lines of a test that fails for
    the same reason, and how it does so: by `steps`, `arguments`, `preset` or, for want of better, the `test` itself.
    """
    trace = getattr(failure, "trace", None)
    failed = next((name for name, known in presets.failures.items() if known is failure), None)
    error = _headline(failure) if failure is not None else (text.splitlines() or [""])[0]
    file, line, _ = item.location
    return {
        "invariant": getattr(failure, "invariant", None),
        "test": item.nodeid,
        "line": line + 1 if line is not None and item.nodeid.startswith(f"{file}::") else None,
        "when": when,
        "preset": failed,
        "error": _ADDRESS.sub("at 0x…", error)[:1000],
        "text": bounded(_ADDRESS.sub("at 0x…", text)),
        "details": {name: _named(value)[:1000] for name, value in getattr(failure, "details", {}).items()},
        "trace": trace.to_json() if trace else None,
        "repl": trace.lines() if trace else [],
        "beginning": trace.beginning + 1 if trace else 0,
        "replay": _replay(item, getattr(failure, "steps", []), engine, failed),
    }


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
        "replay": Writer().told("test", [f"replay.test({test!r}, {engine!r})"]),
    }


def _headline(failure: BaseException) -> str:
    """What failed, and the first line of what it says; an exception may fail to say anything."""
    said = failure.invariant if isinstance(failure, counters.Violated) else type(failure).__name__
    try:
        message = str(failure)
    except Exception as problem:
        message = f"its message cannot be shown ({type(problem).__name__})"
    return f"{said}: {(message.splitlines() or [''])[0].removeprefix(f'{said}: ')}"


def _named(text: str) -> str:
    """A text with people's names for their addresses."""
    names = {} if counters.harness is None else counters.harness.names
    return re.sub(r"'?(0x[0-9a-fA-F]{40})'?", lambda found: names.get(found[1], found[0]), text)


def _replay(item: pytest.Item, steps: Steps, engine: str, failed: str | None) -> dict[str, Any]:
    writer = Writer()
    if failed is not None:
        return writer.told("preset", [f"replay.preset({failed!r}, {engine!r})"])
    machine = machine_of(item)
    try:
        if machine is not None and steps:
            writer.use(machine.__module__, machine.__name__)
            lines = [f"with replay.history({machine.__name__}, {engine!r}) as state:"]
            for name, arguments in steps:
                told = (f"{word}={writer.source(value)}" for word, value in arguments.items())
                lines.append(f"    state.{name}({', '.join(told)})")
            return writer.told("steps", lines)
        if counters.example and hasattr(getattr(item, "obj", None), "hypothesis"):
            dotted = ".".join(item.nodeid.partition("::")[0].removesuffix(".py").split("/"))
            shown = "".join(f"    {name}={writer.source(value)},\n" for name, value in counters.example.items())
            test = writer.function(dotted, getattr(item, "originalname", item.name))
            return writer.told("arguments", f"replay.example(\n    {test},\n    {engine!r},\n{shown})".splitlines())
    except Unwritable as problem:
        writer = Writer(f"not written as steps or arguments: {str(problem)[:300]}")
    return writer.told("test", [f"replay.test({item.nodeid!r}, {engine!r})"])


def machine_of(item: pytest.Item) -> type | None:
    """The state machine behind a test, None where there is none."""
    case = getattr(item, "cls", None)
    name = getattr(case, "__name__", "").removesuffix(".TestCase")
    found = getattr(getattr(item, "module", None), name, None) if case is not None else None
    return found if isinstance(found, type) and found is not case else None


class Unwritable(Exception):
    """A value that has no source text."""


class Writer:
    """Writes values as Python, and remembers what must be imported for it."""

    def __init__(self, why: str = "") -> None:
        self.imports = {"verification.harness": {"replay"}}
        self.why = why

    def use(self, module: str, name: str) -> str:
        """Imports a name; returns it."""
        self.imports.setdefault(module, set()).add(name)
        return name

    def function(self, module: str, name: str) -> str:
        """Imports the module of a test; returns its name in it: by its own name pytest would collect it again."""
        package, _, short = module.rpartition(".")
        return f"{self.use(package, short)}.{name}"

    def told(self, kind: str, lines: list[str]) -> dict[str, Any]:
        """What goes into the file."""
        imports = {module: sorted(names) for module, names in sorted(self.imports.items())}
        return {"kind": kind, "why": self.why, "imports": imports, "lines": lines}

    def source(self, value: Any) -> str:
        """A value as Python. Addresses and seals, which depend on where the market stands, are asked for anew."""
        match value:
            case enum.Enum():
                name = self.use(type(value).__module__, type(value).__name__)
                return f"{name}({value.value!r})"
            case None | bool() | int() | float():
                return repr(value)
            case str():
                return self._text(value)
            case bytes():
                return self._bytes(value)
            case tuple() if hasattr(value, "_fields"):
                names: Any = value
                return self._made(value, zip(names._fields, value, strict=True))
            case tuple():
                inner = ", ".join(map(self.source, value))
                return f"({inner},)" if len(value) == 1 else f"({inner})"
            case list():
                return f"[{', '.join(map(self.source, value))}]"
            case set() | frozenset():
                inner = ", ".join(sorted(map(self.source, value)))
                return f"{type(value).__name__}([{inner}])"
            case dict():
                return f"{{{', '.join(f'{self.source(key)}: {self.source(item)}' for key, item in value.items())}}}"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [field.name for field in dataclasses.fields(value) if field.init]
            return self._made(value, ((name, getattr(value, name)) for name in fields))
        raise Unwritable(repr(value))

    def _made(self, value: Any, fields: Any) -> str:
        kind = type(value)
        if getattr(sys.modules.get(kind.__module__), kind.__name__, None) is not kind:
            raise Unwritable(repr(value))
        name = self.use(kind.__module__, kind.__name__)
        return f"{name}({', '.join(f'{field}={self.source(item)}' for field, item in fields)})"

    def _text(self, value: str) -> str:
        lockstep = counters.harness
        if lockstep is not None and value.startswith("0x"):
            if value == lockstep.target:
                return "state.lockstep.target"
            if value == str(lockstep.token.address):
                return "str(state.lockstep.token.address)"
            if value in lockstep.names:
                return f"state.lockstep.address({lockstep.names[value]!r})"
        return repr(str(value))

    def _bytes(self, value: bytes) -> str:
        if value in SEALED and counters.harness is not None and SEALED[value][1] == counters.harness.target:
            self.use("verification.harness.symbolic", "seal_bytes")
            return f"seal_bytes({self.source(SEALED[value])})"
        return repr(value)
