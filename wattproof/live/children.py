"""Wattproof's own commands as processes of one run: started, looked after, and ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wattproof.evm.node import last_line

PATIENCE = 10
"""Seconds that a process has for its end; then it is killed."""


class Ended(Exception):
    """A process has ended that should not have: the one-line text says which, and what it said last."""


class Child:
    """A command of Wattproof in a process of its own, away from the terminal's Ctrl-C.

    name   what it is called in messages; what it says is in the file `name`.log
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, hidden: Sequence[str] = ()) -> None:
        """Starts it. `hidden` names variables of the environment that it does not get."""
        self.name = name
        self._log = folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "wattproof", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """All that it has said so far."""
        return self._log.read_text(errors="replace")

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raises Ended where it has ended."""
        if self.code is not None:
            raise Ended(f"{self.name} has ended (exit code {self.code}): {last_line(self.said)[:300]}; see {self._log}")

    def ask_to_end(self) -> None:
        """Asks it, and what it started, to end."""
        self._signal(signal.SIGTERM)

    def wait(self) -> None:
        """Waits for its end; after `PATIENCE` it is killed, with what it started."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, which: signal.Signals) -> None:
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, which)


class Children:
    """The processes of a run, ended together, whatever ends the block."""

    def __init__(self, folder: Path) -> None:
        """`folder` takes what they say."""
        self._folder = folder
        self.all: list[Child] = []

    def start(self, name: str, *arguments: str, hidden: Sequence[str] = ()) -> Child:
        """Starts a command."""
        child = Child(name, arguments, self._folder, hidden)
        self.all.append(child)
        return child

    def check(self, *without: Child) -> None:
        """Raises Ended where one has ended that should not have; `without` are those that may."""
        for child in self.all:
            if child not in without:
                child.check()

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.all:
            child.ask_to_end()
        for child in self.all:
            child.wait()


@contextlib.contextmanager
def ending() -> Iterator[Callable[[], None]]:
    """Gives what has Ctrl-C and SIGTERM ignored until the end of the block: nothing keeps all from being ended then."""
    asked = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(which) for which in asked]

    def ignore() -> None:
        for which in asked:
            signal.signal(which, signal.SIG_IGN)

    try:
        yield ignore
    finally:
        for which, handler in zip(asked, before, strict=True):
            signal.signal(which, handler)
