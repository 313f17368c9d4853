"""The conditional jumps of compiled code, and what each of them decides, in words of the source.

An edge is one way out of a conditional jump. It is named by the module, the function and the statement that the source
map gives, what is decided there, and where it leads; so the name survives a recompilation.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import vyper.ast

vy: Any = vyper.ast
"""The classes of syntax trees, which do not declare their fields."""

_JUMP, _JUMPI, _JUMPDEST, _STOP, _RETURN, _REVERT, _INVALID = 0x56, 0x57, 0x5B, 0x00, 0xF3, 0xFD, 0xFE
_TLOAD, _PUSH4, _XOR = 0x5C, 0x63, 0x18

OWN, COMPILER = "own", "compiler"
"""Who asked for a jump: the source, by a condition, an assertion or a loop; or the compiler, to check something."""

REFUSES, GOES_ON = "refuses", "goes on"

_ENTRY = "bad calldatasize or callvalue"
_ASKED_FOR = {"user revert with reason", "user assert", "user raise"}


@dataclass(frozen=True)
class Edge:
    """One way out of the conditional jump at `jump`, to `target`.

    `kind` is what is decided: the compiler's own word for a check that it made ("safeadd"), else what the source has
    there ("assert", "if", "and", "loop"). `number` tells edges apart that are the same in everything else.
    """

    contract: str
    module: str
    function: str
    line: int
    statement: str
    origin: str
    kind: str
    way: str
    number: int
    jump: int
    target: int

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What an edge is known by in the list of unreachable ones."""
        return self.module, self.function, self.statement, self.kind, self.way

    def shown(self) -> str:
        """One line for people."""
        return f"{self.module}:{self.line} {self.function}: `{self.statement}`: {self.kind}, {self.way}"


@dataclass
class Code:
    """One piece of compiled code, and the pairs of consecutive program counters that were seen in it.

    Its first `size` bytes are instructions; in creation code, what follows is the runtime code.
    """

    contract: str
    bytecode: bytes
    source_map: dict[str, Any]
    contracts: Path
    size: int
    pairs: set[tuple[int, int]] = field(default_factory=set)
    pcs: set[int] = field(default_factory=set)

    def see(self, trace: list[int]) -> None:
        """Takes in the program counters of one run of the code."""
        self.pairs.update(itertools.pairwise(trace))
        self.pcs.update(trace)

    # ---- the instructions ----------------------------------------------------------------

    @cached_property
    def instructions(self) -> dict[int, tuple[int, int | None, int]]:
        """Opcode, pushed value and next program counter, by program counter; trailing data reads as code, too."""
        found, pc = {}, 0
        while pc < self.size:
            opcode = self.bytecode[pc]
            pushes = 0x5F <= opcode <= 0x7F
            after = pc + 1 + (opcode - 0x5F if pushes else 0)
            found[pc] = (opcode, int.from_bytes(self.bytecode[pc + 1 : after], "big") if pushes else None, after)
            pc = after
        return found

    @cached_property
    def live(self) -> set[int]:
        """Instructions that can be come to: what follows an instruction that goes on, and jump destinations."""
        live, falls = set(), True
        for pc, (opcode, _, _) in self.instructions.items():
            falls = falls or opcode == _JUMPDEST
            if falls:
                live.add(pc)
            falls = falls and opcode not in (_JUMP, _STOP, _RETURN, _REVERT, _INVALID)
        return live

    def _refuses(self, pc: int) -> bool:
        """Whether all that can happen from `pc` on is a revert."""
        seen: set[int] = set()
        pushed: int | None = None
        while pc in self.instructions and pc not in seen:
            seen.add(pc)
            opcode, value, after = self.instructions[pc]
            if opcode in (_REVERT, _INVALID):
                return True
            if opcode in (_JUMPI, _STOP, _RETURN) or (opcode == _JUMP and pushed is None):
                return False
            pc, pushed = (pushed, None) if opcode == _JUMP and pushed is not None else (after, value)
        return False

    # ---- the source ----------------------------------------------------------------------

    def _opening(self, pc: int) -> str | None:
        """What a jump at the opening of a function decides: whether it is the one called, whether the lock is free."""
        block: list[int] = []
        for place in reversed([place for place in self.instructions if pc - 40 <= place < pc]):
            opcode = self.instructions[place][0]
            if opcode in (_JUMP, _JUMPI, _JUMPDEST):
                break
            block.append(opcode)
        if _TLOAD in block:
            return "lock"
        return "selector" if _PUSH4 in block and _XOR in block else None

    def _node(self, pc: int, after: bool = False) -> Any:
        """The node of the source that an instruction was made of, or else the nearest one, or the next `after` it."""
        nodes, order = self.source_map["pc_raw_ast_map"], self._mapped
        if pc in nodes and not after:
            return nodes[pc]
        place = bisect.bisect(order, pc)
        near = [
            order[index] for index in (place - 1, place) if 0 <= index < len(order) and (not after or index == place)
        ]
        return nodes[min(near, key=lambda one: (abs(one - pc), one > pc))] if near else None

    @cached_property
    def _mapped(self) -> list[int]:
        return sorted(pc for pc in self.source_map["pc_raw_ast_map"] if pc < self.size)

    def _place(self, node: Any) -> tuple[str, str, int, str]:
        """Module, function, line and statement of a node."""
        module = node if isinstance(node, vy.Module) else node.get_ancestor(vy.Module)
        path = Path(module.resolved_path)
        inside = path.is_relative_to(self.contracts)
        name = path.stem if inside else f"{path.parent.name}/{path.stem}"
        function = node if isinstance(node, vy.FunctionDef) else node.get_ancestor(vy.FunctionDef)
        line = module.full_source_code.splitlines()[node.lineno - 1].strip()
        return name, function.name if function else "(module)", node.lineno, line

    # ---- edges and lines -----------------------------------------------------------------

    @cached_property
    def edges(self) -> list[Edge]:
        """Both edges of every conditional jump that can be come to, in the order of the code."""
        errors, seen, found = self.source_map["error_map"], Counter[tuple[str, ...]](), []
        pushed: int | None = None
        for pc, (opcode, value, after) in self.instructions.items():
            if opcode == _JUMPI and pc in self.live:
                if pushed is None:
                    raise ValueError(f"{self.contract}: the jump at {pc} goes to no constant")
                error = errors.get(pc)
                opening = self._opening(pc) if error is None else error if error == _ENTRY else None
                node = self._node(pc, after=opening is not None)
                if opening and node is not None:
                    node = node.get_ancestor(vy.FunctionDef) or node
                place = self._place(node) if node is not None else ("", "", 0, "")
                exact = pc in self.source_map["pc_raw_ast_map"]
                origin, kind = (COMPILER, opening) if opening else _decided(node, error, exact)
                for target in (pushed, after):
                    way = REFUSES if self._refuses(target) else GOES_ON
                    if not self._refuses(pushed) and not self._refuses(after):
                        way = "jumps" if target == pushed else "does not jump"
                    key = (*place[:2], place[3], kind, way)
                    seen[key] += 1
                    found.append(Edge(self.contract, *place, origin, kind, way, seen[key], pc, target))
            pushed = value
        return found

    def missing(self) -> list[Edge]:
        """Edges that were never run."""
        return [edge for edge in self.edges if (edge.jump, edge.target) not in self.pairs]

    @cached_property
    def lines(self) -> dict[tuple[str, int], set[int]]:
        """The program counters of every source line that has any, by module and line."""
        found: dict[tuple[str, int], set[int]] = {}
        for pc in self._mapped:
            module, _, line, _ = self._place(self.source_map["pc_raw_ast_map"][pc])
            found.setdefault((module, line), set()).add(pc)
        return found


_WORDS: tuple[tuple[Any, str], ...] = (
    (vy.Assert, "assert"),
    (vy.BoolOp, "and/or"),
    (vy.If, "if"),
    (vy.IfExp, "choice"),
    (vy.For, "loop"),
)


def _decided(node: Any, error: str | None, exact: bool) -> tuple[str, str]:
    """Who asked for a jump, and what it decides."""
    if error is not None and error not in _ASKED_FOR:
        return COMPILER, error
    for kind, word in _WORDS:
        if exact and isinstance(node, kind):
            return OWN, word
    if error is not None:
        return OWN, "assert"
    return COMPILER, "entry" if node is None else f"code for {type(node).__name__}"
