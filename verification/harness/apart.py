"""Acts in a process of their own, which may end however they like: a fork, which knows all that this one does."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ended:
    """How an act ended, and what it had said until then.

    code   the exit code of its process: below 0 the signal that ended it; None where its time was up
    """

    code: int | None
    whole: bool
    said: list[Any]

    @property
    def crashed(self) -> bool:
        """Whether the process ended by itself before the act did."""
        return not self.whole and self.code is not None

    @property
    def how(self) -> str:
        """In words: by which signal, or with which exit code."""
        code = self.code or 0
        return f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"


def apart(act: Callable[[Callable[[Any], None]], None], seconds: float, scratch: Path) -> Ended:
    """Performs `act` in a process of its own. What that prints is lost.

    Args:
        act: is given a function by which it says something, anything that JSON can hold. What it raises is said, too:
            as a text, the last thing.
        seconds: after which it is ended.
        scratch: a file for what it says, which is overwritten.
    """
    scratch.write_bytes(b"")
    child = multiprocessing.get_context("fork").Process(target=_perform, args=(act, scratch, seconds))
    child.start()
    child.join(max(seconds, 0))
    if late := child.is_alive():
        child.kill()
        child.join()
    said = list(_lines(scratch))
    whole = bool(said) and said[-1] is None
    return Ended(None if late else child.exitcode, whole, said[:-1] if whole else said)


def _perform(act: Callable[[Callable[[Any], None]], None], scratch: Path, seconds: float) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + 1)  # It ends in time even where its parent is no more.
    faulthandler.disable()  # What is tried may crash a hundred times.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # A stream that is none has nothing to lose.
            os.dup2(nothing, stream.fileno())
    file = os.open(scratch, os.O_WRONLY | os.O_APPEND)

    def say(value: Any) -> None:
        os.write(file, json.dumps(value).encode() + b"\n")

    try:
        act(say)
    except Exception as problem:
        say(f"{type(problem).__name__}: {problem}")
    say(None)
    os._exit(0)  # Nothing of what this process inherited is to be tidied up twice.


def _lines(path: Path) -> Iterator[Any]:
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # The last one may be cut short.
            return
