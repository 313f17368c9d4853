"""Lines pasted into a REPL, as somebody does who reads them off a failure."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import boa
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from verification import session


def pasted(lines: Sequence[str], names: Mapping[str, Any] | None = None) -> list[str]:
    """What a new shell of IPython prints when these lines are pasted into it.

    titanoboa's environment is afterwards what it was. Raises what the lines raise.

    Args:
        names: what the shell knows before.
    """
    quiet = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    printed = io.StringIO()
    env, main = boa.env, sys.modules["__main__"]
    shell = InteractiveShell(config=quiet, user_ns=dict(names or {}))
    try:
        with contextlib.redirect_stdout(printed):
            result = shell.run_cell("\n".join(lines))
        result.raise_error()
    finally:
        session.leave()
        sys.modules["__main__"] = main  # The shell has put its own there.
        boa.set_env(env)
    return printed.getvalue().splitlines()
