"""Code in a document, with what it answers as comments beside it."""

from __future__ import annotations

import ast
import contextlib
import io
from typing import Any


def played(block: str, names: dict[str, Any]) -> str:
    """Runs a block of code line by line, and returns it as it should stand: every answer as comments below its line."""
    code = [line for line in block.splitlines() if not line.startswith("# ")]
    statements = ast.parse("\n".join(code)).body
    ends = {statement.end_lineno: statement for statement in statements}
    lines: list[str] = []
    for number, line in enumerate(code, 1):
        lines.append(line)
        if number in ends:
            on_it = [one for one in statements if one.end_lineno == number]
            lines += [f"# {answer}".rstrip() for answer in _answers(on_it, names)]
    return "\n".join(lines) + "\n"


def _answers(statements: list[ast.stmt], names: dict[str, Any]) -> list[str]:
    """What statements of one line print, and what the last of them answers, as IPython shows it."""
    *before, last = statements
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(before, []), "README", "exec"), names)
        if not isinstance(last, ast.Expr):
            exec(compile(ast.Module([last], []), "README", "exec"), names)
        elif (answer := eval(compile(ast.Expression(last.value), "README", "eval"), names)) is not None:
            print(repr(answer))
    return printed.getvalue().splitlines()
