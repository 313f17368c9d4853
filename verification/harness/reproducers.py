"""What a failed test leaves behind: what failed, the history that showed it, and a file that shows it again.

The file calls `verification.harness.replay` with literal arguments: the steps of a machine, the arguments of a test,
or, where those cannot be written down, Hypothesis' own record of its choices.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import re
import sys
from types import FunctionType
from typing import Any

import pytest

from verification.harness import counters as evidence
from verification.harness import presets as seasons
from verification.harness.symbolic import SEALED, Signed

_BLOB = re.compile(r"@reproduce_failure\('([^']+)', (b'[^']*')\)")


def keep(item: pytest.Item, when: str, failure: BaseException, engine: str) -> dict[str, Any]:
    """A failed test as JSON can hold it: `when` is setup, call, teardown, or a second look.

    `invariant` is None where something else failed than an invariant; `story` the lines for the REPL, the history
    proper from line `beginning` on; `replay` the imports, the lines of a test that fails for the same reason, and how
    it does so: by `steps`, `arguments`, `choices`, `season` or, for want of better, the `test` itself.
    """
    parts = list(evidence.leaves(failure))
    leaf = next((part for part in parts if isinstance(part, evidence.Violated)), parts[0])
    notes = [*getattr(failure, "__notes__", ()), *(getattr(leaf, "__notes__", ()) if leaf is not failure else ())]
    story, beginning = getattr(leaf, "told", ([], 0))
    failed = next((name for name, known in seasons.failures.items() if known is leaf), None)
    said = leaf.invariant if isinstance(leaf, evidence.Violated) else type(leaf).__name__
    message = (str(leaf).splitlines() or [""])[0].removeprefix(f"{said}: ")
    return {
        "test": item.nodeid,
        "when": when,
        "season": failed,
        "invariant": getattr(leaf, "invariant", None),
        "error": f"{said}: {message}"[:1000],
        "details": {name: _named(value)[:1000] for name, value in getattr(leaf, "details", {}).items()},
        "story": story,
        "beginning": beginning,
        "replay": _replay(item, notes, engine, failed, again=when == "second look"),
    }


def _named(text: str) -> str:
    """A text with people's names for their addresses."""
    names = {} if evidence.cast is None else evidence.cast.names
    return re.sub(r"'?(0x[0-9a-fA-F]{40})'?", lambda found: names.get(found[1], found[0]), text)


def _replay(item: pytest.Item, notes: list[str], engine: str, failed: str | None, again: bool) -> dict[str, Any]:
    writer = Writer()
    dotted = ".".join(item.nodeid.partition("::")[0].removesuffix(".py").split("/"))
    if failed is not None:
        writer.use("tests.properties", "replay")
        return writer.told("season", [f"replay.season({failed!r}, {engine!r})"])
    if dotted.startswith("tests.properties."):
        machine = machine_of(item)
        blob = next((found for note in notes if (found := _BLOB.search(note))), None)
        name = getattr(item, "originalname", item.name)
        try:
            if machine is not None and any(note.startswith("state = ") for note in notes):
                writer.use("tests.properties", "replay")
                writer.use(machine.__module__, machine.__name__)
                alone = again and plays_alone(machine)
                head = f"with replay.history({machine.__name__}, {engine!r}{', alone=True' if alone else ''}) as state:"
                known = _namespace(machine)
                return writer.told("steps", [head, *(f"    {line}" for line in _steps(notes, writer, known))])
            if evidence.example and hasattr(item.obj, "hypothesis"):
                shown = "".join(f"    {name}={writer.source(value)},\n" for name, value in evidence.example.items())
                writer.use("tests.properties", "replay")
                lines = f"replay.example(\n    {writer.function(dotted, name)},\n    {engine!r},\n{shown})".splitlines()
                return writer.told("arguments", lines)
        except Unwritable as problem:
            writer = Writer(f"not written as steps or arguments: {str(problem)[:300]}")
        if blob:
            writer.use("tests.properties", "replay")
            known = machine is not None
            target = writer.use(machine.__module__, machine.__name__) if known else writer.function(dotted, name)
            return writer.told("choices", [f"replay.choices({target}, {engine!r}, {blob[1]!r}, {blob[2]})"])
    writer.use("tests.properties", "replay")
    return writer.told("test", [f"replay.test({item.nodeid!r}, {engine!r})"])


def plays_alone(machine: type) -> bool:
    """Whether a machine looks a second time without the terms: unless it has nothing else to compare with."""
    return not getattr(machine, "strict", False)


def machine_of(item: pytest.Item) -> type | None:
    """The state machine behind a test, None where there is none."""
    case = getattr(item, "cls", None)
    name = getattr(case, "__name__", "").removesuffix(".TestCase")
    found = getattr(item.module, name, None) if case is not None else None
    return found if isinstance(found, type) and found is not case else None


def _steps(notes: list[str], writer: Writer, known: dict[str, Any]) -> list[str]:
    """The steps of a machine as Hypothesis prints them, each below the calls that it made, as comments."""
    lines: list[str] = []
    pending: list[str] = []
    started = False
    for note in notes:
        if note.startswith("state = "):
            started, lines, pending = True, [], []
        elif started and note.startswith("state."):
            if note.startswith("state.teardown()"):
                break
            lines += [*(f"# {call}" for call in pending), _step(note, writer, known)]
            pending = []
        elif started:
            pending += note.splitlines()
    if not lines:
        raise Unwritable("no steps")
    return [*lines, *(f"# {call}" for call in pending)]


def _step(line: str, writer: Writer, known: dict[str, Any]) -> str:
    try:
        call = ast.parse(line, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            raise Unwritable(line)
        told = [f"{word.arg}={writer.source(eval(_code(word.value), known))}" for word in call.keywords]
    except (SyntaxError, NameError, TypeError, ValueError) as problem:
        raise Unwritable(f"{line}: {problem}") from problem
    return f"state.{call.func.attr}({', '.join(told)})"


def _code(node: ast.expr) -> Any:
    return compile(ast.Expression(node), "<step>", "eval")


def _namespace(machine: type) -> dict[str, Any]:
    """What arguments of steps are made of: the classes and functions of the modules of a machine and its bases."""
    found: dict[str, Any] = {}
    for base in reversed(machine.__mro__):
        if base.__module__.startswith("tests."):
            module = vars(sys.modules[base.__module__])
            found |= {name: value for name, value in module.items() if isinstance(value, type | FunctionType)}
    return found | {"Signed": Signed}


class Unwritable(Exception):
    """A value that has no source text."""


class Writer:
    """Writes values as Python, and remembers what must be imported for it."""

    def __init__(self, why: str = "") -> None:
        self.imports: dict[str, set[str]] = {}
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
                return self._made(value, zip(value._fields, value, strict=True))
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
        twin = evidence.cast
        if twin is not None and value.startswith("0x"):
            if value == twin.target:
                return "state.twin.target"
            if value == str(twin.token.address):
                return "str(state.twin.token.address)"
            if value in twin.names:
                return f"state.twin.address({twin.names[value]!r})"
        return repr(str(value))

    def _bytes(self, value: bytes) -> str:
        if value in SEALED and evidence.cast is not None and SEALED[value][1] == evidence.cast.target:
            self.use("verification.harness.symbolic", "seal_bytes")
            return f"seal_bytes({self.source(SEALED[value])})"
        return repr(value)
