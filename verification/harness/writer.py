"""Values as Python source that means the same in another run, with what must be imported for it."""

from __future__ import annotations

import dataclasses
import enum
import sys
from typing import Any

from wattproof.market.symbolic import SALTS, SEALED
from wattproof.market.trace import Scene


class Unwritable(Exception):
    """A value that has no source text."""


class Writer:
    """Writes values as Python, and remembers what must be imported for it.

    scene   where a history plays, by whose names addresses are known; None: none does
    """

    def __init__(self, scene: Scene | None) -> None:
        self.imports: dict[str, set[str]] = {}
        self.scene = scene

    def import_lines(self) -> list[str]:
        """What must be imported, a module a line."""
        return [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self.imports.items())]

    def use(self, module: str, name: str) -> str:
        """Imports a name; returns it."""
        self.imports.setdefault(module, set()).add(name)
        return name

    def function(self, module: str, name: str) -> str:
        """Imports the module of a test; returns its name in it: by its own name pytest would collect it again."""
        package, _, short = module.rpartition(".")
        return f"{self.use(package, short)}.{name}"

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
        scene = self.scene
        if scene is not None and value.startswith("0x"):
            if value == scene.market:
                return "state.lockstep.target"
            if value == scene.token:
                return "str(state.lockstep.token.address)"
            if value in scene.names:
                return f"state.lockstep.address({scene.names[value]!r})"
        return repr(str(value))

    def _bytes(self, value: bytes) -> str:
        if value in SALTS:
            self.use("wattproof.market.symbolic", "salt_of")
            return f"salt_of{SALTS[value]!r}"
        if value in SEALED and self.scene is not None and SEALED[value][1] == self.scene.market:
            self.use("wattproof.market.symbolic", "seal_bytes")
            return f"seal_bytes({self.source(SEALED[value])})"
        return repr(value)
