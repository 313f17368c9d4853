"""The changes that can be made of a source: one small difference of its text each, found in vyper's syntax tree.

| operator | what it does |
|---|---|
| comparison | moves the edge of an order (`<` to `<=`), turns a comparison round |
| arithmetic | another operator of the same kind; a division rounds up; `+=` becomes `=` |
| boolean | `and` for `or`, an operand dropped, a condition or a flag negated, the branches of a choice exchanged |
| constant | a number one larger, one smaller; another member of a flag |
| statement | a statement removed: call, assignment, `return`, `break`, a whole `if` or loop |
| assert | an assertion removed |
| event | an event not logged |
| decorator | a decorator, or the lock of a whole module, removed |
| arguments | two neighbouring arguments of the same type exchanged, or two fields of a struct or event |
| minmax | `min` for `max` and the other way round |
| name | another account, mapping key or value of the same type that is in scope |
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import vyper.ast
from vyper.semantics.types import AddressT, BoolT, BytesM_T, IntegerT
from vyper.semantics.types.user import FlagT

from verification.mutation.sources import Source

vy: Any = vyper.ast
"""The classes of syntax trees, which do not declare their fields."""

OPERATORS = (
    "comparison",
    "arithmetic",
    "boolean",
    "constant",
    "statement",
    "assert",
    "event",
    "decorator",
    "arguments",
    "minmax",
    "name",
)

_COMPARISONS = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "in": ("not in",),
    "not in": ("in",),
}
_ARITHMETIC = {
    "+": "-",
    "-": "+",
    "*": "+",
    "//": "*",
    "%": "//",
    "**": "*",
    "<<": ">>",
    ">>": "<<",
    "|": "&",
    "&": "|",
    "^": "|",
}
_UNSAFE = {
    "unsafe_add": "unsafe_sub",
    "unsafe_sub": "unsafe_add",
    "unsafe_mul": "unsafe_add",
    "unsafe_div": "unsafe_mul",
}
_LOCK = re.compile(rb"^# pragma nonreentrancy on$", re.MULTILINE)
_SYMBOL = re.compile(r"\bnot\s+in\b|\b(?:in|and|or)\b|[<>=!]=|(?:<<|>>|//|\*\*|[-+*%|&^])=?|[<>]")


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes from `start` to `end` of a source become `after`.

    `name` is made of the text around it, not of its place: it survives changes elsewhere in the file.
    """

    name: str
    path: str
    target: str
    function: str
    operator: str
    line: int
    statement: str
    before: str
    after: str
    start: int
    end: int

    @property
    def module(self) -> str:
        """The name of the module that is changed."""
        return self.path.rpartition("/")[2].removesuffix(".vy")

    def apply(self, text: str) -> str:
        """The text of the source with the change made. ValueError where it is not the text that this was found in."""
        data = text.encode()
        if data[self.start : self.end].decode() != self.before:
            raise ValueError(f"{self.path} is not what mutant {self.name} was made of; generate the mutants again")
        return (data[: self.start] + self.after.encode() + data[self.end :]).decode()


def mutants(source: Source) -> list[Mutant]:
    """All changes of a source, in the order of the text; no two have the same text as result."""
    found: dict[tuple[int, int, str], str] = {}
    for operator, start, end, after in _changes(source):
        if source.slice(start, end) != after:
            found.setdefault((start, end, after), operator)
    seen: Counter[tuple[str, ...]] = Counter()
    made = []
    for (start, end, after), operator in sorted(found.items()):
        line, before = source.line_number(start), source.slice(start, end)
        function = _function_at(source, line)
        statement = source.line(line).strip()
        key = (source.path, function, operator, statement, before, after)
        seen[key] += 1
        name = hashlib.sha256("\0".join([*key, str(seen[key])]).encode()).hexdigest()[:10]
        made.append(
            Mutant(name, source.path, source.target, function, operator, line, statement, before, after, start, end)
        )
    return made


Change = tuple[str, int, int, str]
"""Operator, first byte, byte behind the last, and the new text."""


def _changes(source: Source) -> Iterator[Change]:
    for lock in _LOCK.finditer(source.data):
        yield "decorator", lock.start(), lock.end(), "# pragma nonreentrancy off"
    for node in source.tree.get_descendants():
        if _is_type(node) or isinstance(node, vy.DocStr):
            continue
        for kind, maker in _MAKERS:
            if isinstance(node, kind):
                yield from maker(source, node)


def _function_at(source: Source, line: int) -> str:
    for function in source.tree.get_children(vy.FunctionDef):
        if function.lineno - len(function.decorator_list) <= line <= function.end_lineno:
            return function.name
    return "(module)"


def _is_type(node: Any) -> bool:
    """Whether a node belongs to the declaration of a type, or to what is not code at all."""
    while node is not None:
        parent = node.get_ancestor()
        if isinstance(node, (vy.ImportFrom, vy.Import, vy.StructDef, vy.ExportsDecl, vy.InitializesDecl, vy.UsesDecl)):
            return True
        if isinstance(parent, (vy.AnnAssign, vy.VariableDecl, vy.arg)) and node is parent.annotation:
            return True
        if isinstance(parent, vy.FunctionDef) and node is parent.returns:
            return True
        node = parent
    return False


# ---- expressions -----------------------------------------------------------------------


def _gap(source: Source, left: Any, right: Any) -> tuple[str, int, int]:
    """The symbol between two operands and where it stands; brackets may stand there too."""
    start, end = source.span(left)[1], source.span(right)[0]
    found = _SYMBOL.search(source.slice(start, end))
    if found is None:
        raise ValueError(f"{source.path}:{left.lineno}: no symbol between two operands")
    return " ".join(found[0].split()), start + found.start(), start + found.end()


def _comparison(source: Source, node: Any) -> Iterator[Change]:
    symbol, start, end = _gap(source, node.left, node.right)
    for other in _COMPARISONS[symbol]:
        yield "comparison", start, end, other


def _arithmetic(source: Source, node: Any) -> Iterator[Change]:
    symbol, start, end = _gap(source, node.left, node.right)
    yield "arithmetic", start, end, _ARITHMETIC[symbol]
    if symbol == "//":
        first, last = source.span(node)
        divided, divisor = source.slice(first, start).strip(), source.slice(end, last).strip()
        yield "arithmetic", first, last, f"({divided} + {divisor} - 1) // {divisor}"


def _augmented(source: Source, node: Any) -> Iterator[Change]:
    symbol, start, end = _gap(source, node.target, node.value)
    yield "arithmetic", start, end, f"{_ARITHMETIC[symbol.removesuffix('=')]}="
    yield "arithmetic", start, end, "="


def _boolean(source: Source, node: Any) -> Iterator[Change]:
    symbol, other = ("and", "or") if isinstance(node.op, vy.And) else ("or", "and")
    first, last = source.span(node)
    gaps = [_gap(source, *pair)[1:] for pair in itertools.pairwise(node.values)]
    for start, end in gaps:
        yield "boolean", start, end, other
    edges = [first, *itertools.chain(*gaps), last]
    parts = [source.slice(*pair).strip() for pair in zip(edges[::2], edges[1::2], strict=True)]
    for index in range(len(parts)):
        yield "boolean", first, last, f" {symbol} ".join(parts[:index] + parts[index + 1 :])


def _unary(source: Source, node: Any) -> Iterator[Change]:
    start, end = source.span(node)
    symbol = "not" if isinstance(node.op, vy.Not) else source.slice(start, start + 1)
    yield "arithmetic" if symbol == "-" else "boolean", start, end, source.slice(start + len(symbol), end).strip()


def _truth(source: Source, node: Any) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield "boolean", *source.span(node), str(not node.value)


def _condition(source: Source, node: Any) -> Iterator[Change]:
    if isinstance(node.test, vy.Compare):
        return  # turned round as a comparison already
    start, end = source.span(node.test)
    yield "boolean", start, end, f"not ({source.slice(start, end)})"


def _choice(source: Source, node: Any) -> Iterator[Change]:
    start, end = source.span(node)
    body, test, other = (source.text_of(part) for part in (node.body, node.test, node.orelse))
    yield "boolean", start, end, f"{other} if {test} else {body}"


def _number(source: Source, node: Any) -> Iterator[Change]:
    kind = node._metadata.get("type")
    signed = isinstance(kind, IntegerT) and kind.is_signed
    for value in (node.value + 1, node.value - 1):
        if value >= 0 or signed:
            yield "constant", *source.span(node), str(value)


def _member(source: Source, node: Any) -> Iterator[Change]:
    """Another member of a flag, the next one round."""
    flag = node._metadata.get("type")
    if isinstance(flag, FlagT) and node.attr in flag._flag_members:
        members = list(flag._flag_members)
        other = members[(members.index(node.attr) + 1) % len(members)]
        _, end = source.span(node)
        yield "constant", end - len(node.attr.encode()), end, other


def _call(source: Source, node: Any) -> Iterator[Change]:
    called = node.func.id if isinstance(node.func, vy.Name) else ""
    if called in ("min", "max"):
        yield "minmax", *source.span(node.func), "max" if called == "min" else "min"
    if called in _UNSAFE:
        yield "arithmetic", *source.span(node.func), _UNSAFE[called]
    if called in ("min", "max", "unsafe_add", "unsafe_mul", "range"):
        return  # the order means nothing here
    named = [keyword.value for keyword in node.keywords]
    for one, other in (*itertools.pairwise(node.args), *itertools.pairwise(named)):
        if _type_of(one) and _type_of(one) == _type_of(other):
            (start, middle), (behind, end) = source.span(one), source.span(other)
            swapped = source.text_of(other) + source.slice(middle, behind) + source.text_of(one)
            yield "arguments", start, end, swapped


def _type_of(node: Any) -> str | None:
    """The type of an expression of a simple kind, as text."""
    kind = node._metadata.get("type")
    return str(kind) if isinstance(kind, (AddressT, BoolT, BytesM_T, IntegerT)) else None


# ---- names -----------------------------------------------------------------------------


def _name(source: Source, node: Any) -> Iterator[Change]:
    """Other values of the same type in its place: two for accounts and mapping keys, else one."""
    parent, kind = node.get_ancestor(), _type_of(node)
    function = node.get_ancestor(vy.FunctionDef)
    if kind is None or function is None or _root(node) is None or not _is_read(node, parent):
        return
    here, text = source.span(node), source.text_of(node)
    others: dict[str, int] = {}
    for other, position in _values(source, function, kind, node):
        if other != text:
            others[other] = min(abs(position - here[0]), others.get(other, len(source.data)))
    is_key = isinstance(parent, vy.Subscript) and node is parent.slice
    wanted = 2 if is_key or kind == "address" else 1
    for other in sorted(others, key=lambda one: (others[one], one))[:wanted]:
        yield "name", *here, other


def _root(node: Any) -> str | None:
    """The name that a value of names joined by dots begins with; None of a call or a subscript."""
    while isinstance(node, vy.Attribute):
        node = node.value
    return node.id if isinstance(node, vy.Name) else None


def _is_read(node: Any, parent: Any) -> bool:
    """Whether a node is a value that is read: not what is called, assigned, or named on the way to it."""
    if isinstance(parent, vy.Attribute) or (isinstance(parent, vy.Call) and node is parent.func):
        return False
    if isinstance(parent, (vy.Assign, vy.AugAssign, vy.AnnAssign, vy.For)) and node is parent.target:
        return False
    return not isinstance(parent, vy.keyword) or node is parent.value


def _values(source: Source, function: Any, kind: str, place: Any) -> Iterator[tuple[str, int]]:
    """Texts of values of that type that can be read at `place`, with where they stand in the function."""
    declared = _declared(function, place)
    targets = (one.target for one in function.get_descendants((vy.AnnAssign, vy.For)))
    local = {arg.arg for arg in function.args.args} | {name.id for name in targets if isinstance(name, vy.Name)}
    for name, (node, type_) in declared.items():
        if type_ == kind:
            yield name, source.span(node)[0]
    for node in function.get_descendants((vy.Name, vy.Attribute)):
        root, parent = _root(node), node.get_ancestor()
        if root is None or _type_of(node) != kind or _is_type(node):
            continue
        if isinstance(parent, vy.arg) or not _is_read(node, parent):
            continue
        if root in declared or root not in local:
            yield source.text_of(node), source.span(node)[0]


def _declared(function: Any, place: Any) -> dict[str, tuple[Any, str | None]]:
    """The variables that can be read at a place: node of the declaration and type, by name."""
    known: dict[str, tuple[Any, str | None]] = {
        arg.arg: (arg, str(arg.annotation.get("id") or "")) for arg in function.args.args
    }
    child, block = place, place.get_ancestor()
    while block is not None and child is not function:
        for body in (getattr(block, "body", None), getattr(block, "orelse", None)):
            if isinstance(body, list) and child in body:
                for statement in body[: body.index(child)]:
                    if isinstance(statement, vy.AnnAssign):
                        known[statement.target.id] = (statement.target, str(statement.annotation.get("id") or ""))
        if isinstance(block, vy.For) and isinstance(block.target, vy.AnnAssign) and child is not block.iter:
            known[block.target.target.id] = (block.target.target, str(block.target.annotation.get("id") or ""))
        child, block = block, block.get_ancestor()
    return known


# ---- statements ------------------------------------------------------------------------


def _removed(operator: str) -> Any:
    def maker(source: Source, node: Any) -> Iterator[Change]:
        start, end = source.span(node)
        if not source.slice(start, end).startswith("elif"):
            yield operator, start, end, "pass"

    return maker


def _decorators(source: Source, node: Any) -> Iterator[Change]:
    for decorator in node.decorator_list:
        if source.text_of(decorator).endswith("internal"):
            continue  # what a function without decorator is
        start, end = source.span(decorator)
        first = source.data.rfind(b"\n", 0, start) + 1
        behind = source.data.find(b"\n", end) + 1
        yield "decorator", first, behind, ""


_MAKERS: tuple[tuple[Any, Any], ...] = (
    (vy.Compare, _comparison),
    (vy.BinOp, _arithmetic),
    (vy.AugAssign, _augmented),
    (vy.BoolOp, _boolean),
    (vy.UnaryOp, _unary),
    (vy.NameConstant, _truth),
    (vy.If, _condition),
    (vy.IfExp, _choice),
    (vy.Int, _number),
    (vy.Attribute, _member),
    (vy.Call, _call),
    ((vy.Name, vy.Attribute), _name),
    ((vy.Expr, vy.Assign, vy.AugAssign, vy.Return, vy.Break, vy.Continue, vy.If, vy.For), _removed("statement")),
    ((vy.Assert, vy.Raise), _removed("assert")),
    (vy.Log, _removed("event")),
    (vy.FunctionDef, _decorators),
)
