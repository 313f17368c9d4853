"""Where the tests check an invariant: the lines on which its ID stands, and the functions around them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from verification.invariants import ID
from verification.report.sources import Lines

PLACES = (
    "tests/properties/**/*.py",
    "verification/harness/**/*.py",
    "wattproof/market/comparing.py",
    "wattproof/market/lens.py",
)
"""Where checks are written: the machines, their harness, and what the lockstep and the watcher compare."""

Functions = dict[str, Lines]
"""Functions of tests by "file:first line"."""


@dataclass(frozen=True)
class Check:
    """A line on which an invariant's ID stands: `inside` is the key of the function around it among `Functions`."""

    file: str
    line: int
    inside: str


def checks(tree: Path) -> tuple[dict[str, list[Check]], Functions]:
    """By invariant where it is checked, in the order of the files, and the functions named there.

    A file that cannot be read has no checks here: that its tests cannot be collected is told as a failure.
    """
    found: dict[str, list[Check]] = {}
    functions: Functions = {}
    for path in sorted(path for pattern in PLACES for path in tree.glob(pattern)):
        file = path.relative_to(tree).as_posix()
        for name, check, around in _of_file(path, file):
            if check not in found.setdefault(name, []):
                found[name].append(check)
            functions[check.inside] = around
    return found, functions


def _of_file(path: Path, file: str) -> list[tuple[str, Check, Lines]]:
    try:
        text = path.read_text(encoding="utf-8")
        module = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return []
    lines, found = text.splitlines(), []
    definitions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value):
            around = _around(node.lineno, definitions, file, lines)
            found.append((node.value, Check(file, node.lineno, f"{file}:{around.first}"), around))
    return sorted(found, key=lambda one: one[1].line)


def _around(line: int, definitions: list[ast.FunctionDef], file: str, lines: list[str]) -> Lines:
    """The innermost function that holds a line, with its decorators; the line by itself where none does."""
    holding = [node for node in definitions if _first(node) <= line <= (node.end_lineno or node.lineno)]
    if not holding:
        return Lines(file, "", line, line, lines[line - 1])
    inner = max(holding, key=_first)
    first, last = _first(inner), inner.end_lineno or inner.lineno
    return Lines(file, inner.name, first, last, "\n".join(lines[first - 1 : last]))


def _first(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def line_of_test(tree: Path, reference: str) -> int:
    """The line on which the test that `file::name` names is defined; 1 where no definition is found."""
    file, _, name = reference.partition("::")
    try:
        module = ast.parse((tree / file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return 1
    wanted = name.rpartition("::")[2]
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == wanted:
            return node.lineno
    return 1
