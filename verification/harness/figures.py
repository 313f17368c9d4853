"""What does not hold, and by how much: read off the comparison that failed, in the source of the check.

`holds("C3-FEE-4", part.fee == due, ...)` fails with "fee 7, due 6 (off by 1)". Only names, fields, entries and sums are
looked at once more: a check that makes calls is not made twice. What cannot be read so is told by the check's details.
"""

from __future__ import annotations

import ast
import builtins
import enum
import itertools
import linecache
import re
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

MOST = 200
"""Characters of all figures of a failure."""

_LENGTH = 60
"""Characters of one value."""

_SHORT = reprlib.Repr()
_SHORT.maxother = _SHORT.maxstring = _LENGTH
_SHORT.maxtuple = _SHORT.maxlist = _SHORT.maxdict = _SHORT.maxset = 4

_HARMLESS = ("abs", "len", "max", "min", "sorted", "sum")
"""Calls that are made once more."""

_ADDRESS = re.compile(r"(?:Address\()?'?(0x[0-9a-fA-F]{40})'?\)?")

_RELATIONS: dict[type[ast.cmpop], str] = {
    ast.LtE: "at most ",
    ast.Lt: "below ",
    ast.GtE: "at least ",
    ast.Gt: "above ",
    ast.NotEq: "must differ from ",
    ast.In: "must be in ",
    ast.NotIn: "must not be in ",
}


class _Unreadable(Exception):
    """An expression that is not evaluated once more."""


def figures(frame: FrameType, details: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The figures of a check that failed, on one line.

    Args:
        frame: where `holds` was called.
        details: what the check told besides.
        names: of addresses.
    """
    try:
        said = _said(_condition(frame), {**frame.f_globals, **frame.f_locals})
    except Exception:  # Values say what they like when they are looked at; the details are there all the same.
        said = ""
    if not any(letter.isdigit() for letter in said):
        said = ", ".join(filter(None, (said, *(f"{name} {_detail(value, names)}" for name, value in details.items()))))
    said = " ".join(named(said, names).split())
    return said if len(said) <= MOST else f"{said[: MOST - 1]}…"


def _detail(value: Any, names: Mapping[str, str]) -> str:
    """A value in a few characters: people have their names before it is cut, which would leave half an address."""
    whole = " ".join(named(repr(value), names).split())
    return whole if len(whole) <= _LENGTH else f"{whole[: _LENGTH - 1]}…"


def named(text: str, names: Mapping[str, str]) -> str:
    """A text with people's names for their addresses."""
    return _ADDRESS.sub(lambda found: names.get(found[1], found[0]), text)


def _condition(frame: FrameType) -> ast.expr:
    """The second argument of the call that the frame is making."""
    places = frame.f_code.co_positions()
    first, last, begin, end = next(itertools.islice(places, frame.f_lasti // 2, None))
    if first is None or last is None or begin is None or end is None:
        raise _Unreadable
    rows = [row.encode() for row in linecache.getlines(frame.f_code.co_filename, frame.f_globals)[first - 1 : last]]
    rows[-1] = rows[-1][:end]
    rows[0] = rows[0][begin:]
    call = ast.parse(b"".join(rows).decode(), mode="eval").body
    if not isinstance(call, ast.Call):
        raise _Unreadable
    return call.args[1]


def _said(node: ast.expr, scope: dict[str, Any]) -> str:
    """What of a condition does not hold."""
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return _said(next(value for value in values if not _value(value, scope)), scope)
        case ast.BoolOp(op=ast.Or(), values=values):
            return " and ".join(filter(None, (_said(value, scope) for value in values)))
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            found = _value(inner, scope)
            label = "" if isinstance(found, Mapping) else f"{_label(inner)} "
            return "" if isinstance(found, bool) else label + _shown(found)
        case ast.Attribute(attr=name):
            return f"not {name}"
        case ast.Compare(left=left, ops=ops, comparators=rights):
            for one, relation, other in zip([left, *rights], ops, rights, strict=False):
                if not _value(ast.Compare(one, [relation], [other]), scope):
                    return _compared(one, relation, other, scope)
    return ""


def _compared(left: ast.expr, relation: ast.cmpop, right: ast.expr, scope: dict[str, Any]) -> str:
    one, other = _value(left, scope), _value(right, scope)
    if isinstance(relation, ast.Eq | ast.Is):
        if isinstance(left, ast.Constant):
            left, right, one, other = right, left, other, one
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other) == 1:
            one, other = one[0], other[0]
        if differing := _differing(one, other):
            return f"{_label(left)}: {differing}"
        due = "due" if isinstance(right, ast.Constant) else _label(right)
        return f"{_label(left)} {_shown(one)}, {due} {_shown(other)}{_off(one, other)}"
    bound = "" if isinstance(right, ast.Constant) else f" ({_label(right)})"
    return f"{_label(left)} {_shown(one)}, {_RELATIONS.get(type(relation), '')}{_shown(other)}{bound}{_off(one, other)}"


def _off(one: Any, other: Any) -> str:
    """By how much two numbers differ."""
    numbers = all(isinstance(value, int) and not isinstance(value, bool | enum.Flag) for value in (one, other))
    return f" (off by {abs(one - other)})" if numbers and one != other else ""


def _differing(one: Any, other: Any) -> str:
    """The entries or fields in which two values of a kind differ, the first few; "" where they have none."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        pairs = [(str(key), one.get(key), other.get(key)) for key in {**one, **other}]
    elif type(one) is type(other) and (names := getattr(one, "_fields", None)):
        pairs = list(zip(names, one, other, strict=True))
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other) > 1:
        pairs = [(f"entry {place}", *pair) for place, pair in enumerate(zip(one, other, strict=True))]
    else:
        return ""
    found = [(name, have, want) for name, have, want in pairs if have != want]
    return ", ".join(f"{name} {_shown(have)}, due {_shown(want)}{_off(have, want)}" for name, have, want in found[:3])


def _value(node: ast.expr, scope: dict[str, Any]) -> Any:
    """What an expression is. Raises _Unreadable where that would make calls."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and not _is_entry(part, scope):
            word = part.func.id if isinstance(part.func, ast.Name) else ""
            if word not in _HARMLESS or word in scope:
                raise _Unreadable
        if isinstance(part, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            raise _Unreadable
    whole = ast.fix_missing_locations(ast.Expression(node))
    return eval(compile(whole, "<check>", "eval"), {"__builtins__": builtins, **scope})


def _is_entry(node: ast.expr, scope: Mapping[str, Any]) -> bool:
    """Whether it is `table.get("name")` of a dict, which changes nothing."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get"), args=[ast.Constant()], keywords=[]):
            return type(scope.get(table)) in (dict, Counter)
    return False


def _label(node: ast.expr) -> str:
    """A word for what an expression stands for."""
    match node:
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name))]):
            return name
        case ast.List(elts=[ast.Name() as alone]):
            return _label(alone)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case ast.Subscript(value=inner):
            return _label(inner)
    return ast.unparse(node)


def _shown(value: Any) -> str:
    """A value in a few characters; of a mapping or a sequence the first entry, where it is long."""
    if isinstance(value, enum.Enum):
        return value.name or str(value.value)
    if isinstance(value, Mapping) and value:
        entries = [f"{key} {entry if isinstance(entry, str) else _shown(entry)}" for key, entry in value.items()]
        return entries[0] + (f" and {len(entries) - 1} more" if len(entries) > 1 else "")
    if isinstance(value, Sequence) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    return _SHORT.repr(value)
