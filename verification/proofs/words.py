"""Reads functions on storage words out of the contract's source, as z3 terms of 256 bits: whatever they shift and mask.

`binding` reads arithmetic as whole numbers. Here a function is run on all values at once, as the machine would: every
path through its conditions and loops, what it asserts, and what it writes to storage. What is claimed of it is then
claimed of the source itself, and no formula stands between. `tables` reads the tables in the comments of `packing.vy`,
which say where each field lies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import vyper.ast
import z3 as typed_z3

from verification.proofs.binding import NotTied, text
from wattproof.market.deployment import contracts_dir

vy_ast: Any = vyper.ast
z3: Any = typed_z3
"""Neither declares all of what it has."""

BITS = 256
WORD = z3.BitVecSort(BITS)
ALL = 2**BITS - 1

Sources = Mapping[str, str]
"""Texts of modules that are used instead of the files: wrong variants of them."""


# ---- the tables in the comments -------------------------------------------------------------------


class Field(NamedTuple):
    """A field of a word, as the table in the comment has it."""

    name: str
    first: int
    width: int

    @property
    def largest(self) -> int:
        """The largest value that it can hold."""
        return 2**self.width - 1

    def of(self, word: Any) -> Any:
        """Its value in a word, as a term of 256 bits."""
        return z3.ZeroExt(BITS - self.width, z3.Extract(self.first + self.width - 1, self.first, word))


_HEADING = re.compile(r"^# ---- (?:key of a )?(\w+)[^-\n]* -+$", re.MULTILINE)
_ROW = re.compile(r"^# +(\d+)  +(?:(\d+)  +)?(\w+)  +(\d+)\b(.*)$", re.MULTILINE)
_KIND = re.compile(r"^#   (\w+) +(\d+)   \S", re.MULTILINE)


def source(name: str, sources: Sources | None = None, folder: Path | None = None) -> str:
    """The text of a module."""
    if sources and name in sources:
        return sources[name]
    return ((folder or contracts_dir()) / "market" / f"{name}.vy").read_text()


def tables(packing: str | None = None) -> dict[str, tuple[Field, ...]]:
    """The fields of each word, by the tables of `packing.vy`. Raises NotTied where a table contradicts itself."""
    whole = packing or source("packing")
    found: dict[str, tuple[Field, ...]] = {}
    parts = _HEADING.split(whole)[1:]
    kinds = {name: int(width) for name, width in _KIND.findall(parts[1])}
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        rows = _ROW.findall(part)
        if "from   to   field" not in part:
            continue
        fields: list[Field] = []
        for first, last, label, width, why in rows:
            if int(last or first) - int(first) + 1 != int(width):
                raise NotTied(f"packing.vy, table of {name}: {label} is not {width} bits wide")
            if fields and int(first) < fields[-1].first + fields[-1].width:
                raise NotTied(f"packing.vy, table of {name}: {label} begins inside {fields[-1].name}")
            if int(last or first) >= BITS:
                raise NotTied(f"packing.vy, table of {name}: {label} ends behind the word")
            kind = re.match(r" +(?:an? )?(\w+)", why)
            if kind and kinds.get(kind[1].removesuffix("s"), kinds.get(kind[1], int(width))) != int(width):
                raise NotTied(f"packing.vy, table of {name}: {label} is not as wide as its kind, {kind[1]}")
            fields.append(Field(label, int(first), int(width)))
        found["key" if "KEY_" in part else name] = tuple(fields)
    return found


# ---- running a function on all values ---------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """Where a path stands: what it assumed, its variables, and the storage.

    storage   what each variable of storage is, by "module.name": an array for a mapping, else a word
    """

    path: tuple[Any, ...] = ()
    names: Mapping[str, Any] = field(default_factory=dict)
    storage: Mapping[str, Any] = field(default_factory=dict)

    def where(self, condition: Any) -> State:
        """This state where the condition holds."""
        return replace(self, path=(*self.path, condition))

    def named(self, name: str, value: Any) -> State:
        """This state with another value for a variable."""
        return replace(self, names={**self.names, name: value})

    def kept(self, name: str, value: Any) -> State:
        """This state with another value in storage."""
        return replace(self, storage={**self.storage, name: value})

    @property
    def condition(self) -> Any:
        """What holds where the path is taken."""
        return z3.And(*self.path) if self.path else z3.BoolVal(True)


class Outcome(NamedTuple):
    """How a path ends: by returning (with a value), or by a refusal."""

    how: str
    state: State
    value: Any


Value = Any
"""A whole number (of a constant), a term of 256 bits, a truth value, a record (by field), or a tuple."""


def word_of(value: Value) -> Any:
    """A number as a term."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= ALL:
            raise NotTied(f"{value} is no number of 256 bits")
        return z3.BitVecVal(value, BITS)
    return value


@cache
def _parsed(whole: str) -> Any:
    return vy_ast.parse_to_ast(whole)


@dataclass
class Machine:
    """Runs functions of the market's modules.

    sources   modules to be read elsewhere than in their files
    known     values for expressions and functions that are not to be looked into, by how they are written, with the
              module: "clock.RING", or a function of the arguments for "rooms._is_valid"
    """

    sources: Sources = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)
    refused: list[State] = field(default_factory=list)  # paths that end inside the statement that is being run

    def module(self, name: str) -> Any:
        """The syntax tree of a module, or of the interface."""
        if name == "IEnergyMarket":
            return _parsed((contracts_dir() / "interfaces" / "IEnergyMarket.vyi").read_text())
        return _parsed(source(name, self.sources))

    def function(self, module: str, name: str) -> Any:
        """The syntax tree of a function."""
        found = [node for node in self.module(module).get_children(vy_ast.FunctionDef) if node.name == name]
        if not found:
            raise NotTied(f"{module}.vy has no function {name}")
        return found[0]

    def constant(self, module: str, name: str) -> Any:
        """The value of a constant."""
        for node in self.module(module).get_children(vy_ast.VariableDecl):
            if node.target.id == name and node.is_constant:
                ((_, value),) = self.read(node.value, State(), module)
                return value
        raise NotTied(f"{module}.vy has no constant {name}")

    # ---- functions ---------------------------------------------------------------------------

    def around_the_loop(self, place: str) -> tuple[list[Any], Any, list[Any]]:
        """The statements of a function before its only loop, the loop, and those after it."""
        module, _, name = place.partition(".")
        body = list(self.function(module, name).body)
        loops = [where for where, node in enumerate(body) if isinstance(node, vy_ast.For)]
        if len(loops) != 1:
            raise NotTied(f"{place} has {len(loops)} loops, not one")
        return body[: loops[0]], body[loops[0]], body[loops[0] + 1 :]

    def call(self, place: str, arguments: Sequence[Value], state: State | None = None) -> list[Outcome]:
        """All paths of "module.function" with these arguments."""
        module, _, name = place.partition(".")
        node = self.function(module, name)
        before = state or State()
        names = dict(zip((each.arg for each in node.args.args), arguments, strict=True))
        outcomes = []
        for how, after, value in self.run(node.body, replace(before, names=names), module):
            if how not in ("return", "revert", "next"):
                raise NotTied(f"{place} ends with a {how}")
            outcomes.append(Outcome("return" if how == "next" else how, replace(after, names=before.names), value))
        return outcomes

    def run(self, body: Sequence[Any], state: State, module: str) -> Iterator[tuple[str, State, Value]]:
        """All paths of some statements: how each ends, with which state and value."""
        live = [state]
        for node in body:
            after = []
            for each in live:
                mark = len(self.refused)
                for how, left, value in self.statement(node, each, module):
                    if how == "next":
                        after.append(left)
                    else:
                        yield how, left, value
                while len(self.refused) > mark:
                    yield "revert", self.refused.pop(), None
            live = after
        for each in live:
            yield "next", each, None

    def statement(self, node: Any, state: State, module: str) -> Iterator[tuple[str, State, Value]]:
        """All paths of one statement."""
        match node:
            case vy_ast.Log() | vy_ast.Pass():
                yield "next", state, None
            case vy_ast.Expr(value=vy_ast.Call()) if text(node.value.func) == "errors._revert":
                yield "revert", state, None
            case vy_ast.Expr():
                for left, _ in self.read(node.value, state, module):
                    yield "next", left, None
            case vy_ast.Return():
                for left, value in self.read(node.value, state, module):
                    yield "return", left, value
            case vy_ast.Assert():
                for left, holds in self.read(node.test, state, module):
                    yield "revert", left.where(z3.Not(holds)), None
                    yield "next", left.where(holds), None
            case vy_ast.If():
                for left, holds in self.read(node.test, state, module):
                    yield from self.run(node.body, left.where(holds), module)
                    yield from self.run(node.orelse, left.where(z3.Not(holds)), module)
            case vy_ast.For():
                yield from self.loop(node, state, module)
            case vy_ast.Break():
                yield "break", state, None
            case vy_ast.Continue():
                yield "continue", state, None
            case vy_ast.AnnAssign() | vy_ast.Assign():
                for left, value in self.read(node.value, state, module):
                    for after in self.assign(node.target, value, left, module):
                        yield "next", after, None
            case vy_ast.AugAssign():
                for left, before in self.read(node.target, state, module):
                    for more, by in self.read(node.value, left, module):
                        value = self.operation(node.op, before, by)
                        for after in self.assign(node.target, value, more, module):
                            yield "next", after, None
            case _:
                raise NotTied(f"{module}.vy: cannot run `{node.node_source_code}`")

    def loop(self, node: Any, state: State, module: str) -> Iterator[tuple[str, State, Value]]:
        """A loop of a fixed number of turns."""
        ((_, turns),) = self.read(node.iter.args[0], state, module)
        live = [state]
        for turn in range(turns):
            after = []
            for each in live:
                begun = each.named(node.target.target.id, turn)
                for how, left, value in self.run(node.body, begun, module):
                    if how in ("next", "continue"):
                        after.append(left)
                    else:
                        yield "next" if how == "break" else how, left, value
            live = after
        for each in live:
            yield "next", each, None

    # ---- values ------------------------------------------------------------------------------

    def assign(self, target: Any, value: Value, state: State, module: str) -> Iterator[State]:
        """The state after a value was given to a variable, to a field of a record, or to storage."""
        match target:
            case vy_ast.Name():
                yield state.named(target.id, value)
            case vy_ast.Tuple():
                for part, each in zip(target.elements, value, strict=True):
                    state = state.named(part.id, each)
                yield state
            case vy_ast.Attribute(value=vy_ast.Name()) if target.value.id in state.names:
                record = {**state.names[target.value.id], target.attr: value}
                yield state.named(target.value.id, record)
            case _:
                for left, (name, keys) in self.place(target, state, module):
                    now = left.storage[name]
                    yield left.kept(name, z3.Store(now, *keys, word_of(value)) if keys else word_of(value))

    def place(self, node: Any, state: State, module: str) -> Iterator[tuple[State, tuple[str, list[Any]]]]:
        """Where in storage an expression lies: the variable, and the keys."""
        if isinstance(node, vy_ast.Subscript):
            for left, (name, keys) in self.place(node.value, state, module):
                for after, key in self.read(node.slice, left, module):
                    yield after, (name, [*keys, word_of(key)])
            return
        owner, _, name = text(node).rpartition(".")
        yield state, (f"{module if owner == 'self' else owner}.{name}", [])

    def read(self, node: Any, state: State, module: str) -> list[tuple[State, Value]]:
        """The value of an expression, on each of its paths."""
        written = text(node)
        if written in state.names:
            return [(state, state.names[written])]
        owner, _, name = written.rpartition(".")
        full = f"{module if owner in ('', 'self') else owner}.{name}"
        if full in self.known and not callable(self.known[full]):
            return [(state, self.known[full])]
        match node:
            case vy_ast.Int() | vy_ast.Hex():
                return [(state, int(str(node.value), 0))]
            case vy_ast.NameConstant():
                return [(state, z3.BoolVal(node.value))]
            case vy_ast.Name():
                return [(state, self.constant(module, node.id))]
            case vy_ast.BinOp():
                return self.pairs(node.left, node.right, state, module, lambda a, b: self.operation(node.op, a, b))
            case vy_ast.Compare():
                return self.pairs(node.left, node.right, state, module, lambda a, b: self.comparison(node.op, a, b))
            case vy_ast.BoolOp():
                joined = z3.And if isinstance(node.op, vy_ast.And) else z3.Or
                return [(left, joined(*values)) for left, values in self.several(node.values, state, module)]
            case vy_ast.UnaryOp():
                return [(left, self.unary(node.op, value)) for left, value in self.read(node.operand, state, module)]
            case vy_ast.IfExp():
                parts = self.several((node.test, node.body, node.orelse), state, module)
                return [(left, z3.If(test, word_of(one), word_of(other))) for left, (test, one, other) in parts]
            case vy_ast.Tuple():
                return [(left, tuple(values)) for left, values in self.several(node.elements, state, module)]
            case vy_ast.Call():
                return self.called(node, state, module)
            case vy_ast.Attribute(value=vy_ast.Name()) if node.value.id in state.names:
                return [(state, state.names[node.value.id][node.attr])]
            case vy_ast.Attribute(value=vy_ast.Attribute()) if text(node.value.value) == "IEnergyMarket":
                return [(state, self.flag(node.value.attr, node.attr))]
            case vy_ast.Attribute(value=vy_ast.Name()) if node.value.id != "self" and full not in state.storage:
                return [(state, self.constant(node.value.id, node.attr))]
            case vy_ast.Attribute() | vy_ast.Subscript():
                found = []
                for left, (place, keys) in self.place(node, state, module):
                    if place not in left.storage:
                        raise NotTied(f"{module}.vy: cannot tell what `{node.node_source_code}` is")
                    found.append((left, z3.Select(left.storage[place], *keys) if keys else left.storage[place]))
                return found
        raise NotTied(f"{module}.vy: cannot tell what `{node.node_source_code}` is")

    def several(self, nodes: Sequence[Any], state: State, module: str) -> list[tuple[State, list[Value]]]:
        """The values of several expressions, one after the other."""
        found: list[tuple[State, list[Value]]] = [(state, [])]
        for node in nodes:
            found = [(left, [*old, new]) for each, old in found for left, new in self.read(node, each, module)]
        return found

    def pairs(
        self, one: Any, other: Any, state: State, module: str, joined: Callable[[Value, Value], Value]
    ) -> list[tuple[State, Value]]:
        """Two expressions, joined."""
        return [(left, joined(*values)) for left, values in self.several((one, other), state, module)]

    def flag(self, name: str, member: str) -> int:
        """The value of a member of a flag."""
        for node in self.module("IEnergyMarket").get_children(vy_ast.FlagDef):
            if node.name == name:
                return 1 << [each.value.id for each in node.body].index(member)
        raise NotTied(f"there is no flag {name}")

    def unary(self, op: Any, value: Value) -> Value:
        """`~` and `not`."""
        if isinstance(op, vy_ast.Not):
            return z3.Not(value)
        if isinstance(op, vy_ast.Invert):
            return ALL ^ value if isinstance(value, int) else ~value
        raise NotTied(f"there is no such operator here: {type(op).__name__}")

    def operation(self, op: Any, one: Value, other: Value) -> Value:
        """What an operator gives; what would overflow where it is checked is not taken here."""
        kind = type(op)
        if isinstance(one, int) and isinstance(other, int):
            return _ON_NUMBERS[kind](one, other)
        if kind not in _ON_WORDS:
            raise NotTied(f"there is no such operator on words here: {kind.__name__}")
        return z3.simplify(_ON_WORDS[kind](word_of(one), word_of(other)))

    def comparison(self, op: Any, one: Value, other: Value) -> Value:
        """What a comparison gives."""
        return _COMPARISONS[type(op)](word_of(one), word_of(other))

    def called(self, node: Any, state: State, module: str) -> list[tuple[State, Value]]:
        """What a call returns: of a record, of a function of the language, or of a module."""
        callee = text(node.func)
        if node.keywords:
            parts = self.several([each.value for each in node.keywords], state, module)
            names = [each.arg for each in node.keywords]
            return [(left, dict(zip(names, values, strict=True))) for left, values in parts]
        if callee == "convert":
            return self.converted(node, state, module)
        if callee == "max_value":
            return [(state, 2 ** int(text(node.args[0]).removeprefix("uint")) - 1)]
        arguments = self.several(node.args, state, module)
        if callee in _UNCHECKED:
            return [(left, self.operation(_UNCHECKED[callee](), *values)) for left, values in arguments]
        if callee == "min":
            return [(left, z3.If(z3.ULE(word_of(a), word_of(b)), word_of(a), word_of(b))) for left, (a, b) in arguments]
        owner, _, name = callee.rpartition(".")
        place = f"{module if owner == 'self' else owner}.{name}"
        if place in self.known:
            return [(left, self.known[place](*map(word_of, values))) for left, values in arguments]
        found = []
        for left, values in arguments:
            for how, after, value in self.call(place, values, left):
                if how == "return":
                    found.append((replace(after, names=left.names), value))
                else:
                    self.refused.append(after)
        return found

    def converted(self, node: Any, state: State, module: str) -> list[tuple[State, Value]]:
        """What a conversion gives; that a value fits its new type is no matter here but for truth values."""
        found = []
        for left, value in self.read(node.args[0], state, module):
            truth = isinstance(value, z3.BoolRef)
            found.append((left, z3.If(value, word_of(1), word_of(0)) if truth else value))
        return found


_ON_NUMBERS: dict[Any, Callable[[int, int], int]] = {
    vy_ast.Add: lambda a, b: a + b,
    vy_ast.Sub: lambda a, b: a - b,
    vy_ast.Mult: lambda a, b: a * b,
    vy_ast.FloorDiv: lambda a, b: a // b,
    vy_ast.Pow: lambda a, b: a**b,
    vy_ast.LShift: lambda a, b: a << b & ALL,
    vy_ast.RShift: lambda a, b: a >> b,
    vy_ast.BitAnd: lambda a, b: a & b,
    vy_ast.BitOr: lambda a, b: a | b,
    vy_ast.BitXor: lambda a, b: a ^ b,
}


class _Plus(NamedTuple):
    """Addition that wraps."""


class _Minus(NamedTuple):
    """Subtraction that wraps."""


class _Times(NamedTuple):
    """Multiplication that wraps."""


class _Over(NamedTuple):
    """Division, rounded down, 0 by 0."""


_ON_NUMBERS |= {
    _Plus: lambda a, b: a + b & ALL,
    _Minus: lambda a, b: a - b & ALL,
    _Times: lambda a, b: a * b & ALL,
    _Over: lambda a, b: a // b if b else 0,
}
_UNCHECKED = {"unsafe_add": _Plus, "unsafe_sub": _Minus, "unsafe_mul": _Times, "unsafe_div": _Over}
_ON_WORDS: dict[Any, Callable[[Any, Any], Any]] = {
    vy_ast.LShift: lambda a, b: a << b,
    vy_ast.RShift: z3.LShR,
    vy_ast.BitAnd: lambda a, b: a & b,
    vy_ast.BitOr: lambda a, b: a | b,
    vy_ast.BitXor: lambda a, b: a ^ b,
    _Plus: lambda a, b: a + b,
    _Minus: lambda a, b: a - b,
    _Times: lambda a, b: a * b,
    _Over: lambda a, b: z3.If(b == 0, z3.BitVecVal(0, BITS), z3.UDiv(a, b)),
}
_COMPARISONS: dict[Any, Callable[[Any, Any], Any]] = {
    vy_ast.Eq: lambda a, b: a == b,
    vy_ast.NotEq: lambda a, b: a != b,
    vy_ast.Lt: z3.ULT,
    vy_ast.LtE: z3.ULE,
    vy_ast.Gt: z3.UGT,
    vy_ast.GtE: z3.UGE,
}
