"""A local node: a program started on loopback, spoken to in JSON-RPC, and ended with the block that it is for."""

from __future__ import annotations

import abc
import atexit
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from wattproof.evm.rpc import NodeUnusable, RpcError, parsed, request, result

__all__ = ["LocalNode", "NodeUnavailable", "RpcError", "cache", "last_line", "npm_said", "reading", "workshop"]

_START_SECONDS, _STARTS = 60, 3
_NPM_SECONDS = 600


class NodeUnavailable(RuntimeError):
    """A node is not to be had here; the message is one line that says what to do."""


class LocalNode(abc.ABC):
    """A node of its own, from `with` (or `start`) until the end of the block (or `stop`)."""

    name: str
    listening: re.Pattern[str]
    """What it says as soon as it can be asked."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @abc.abstractmethod
    def _command(self, port: int, folder: Path) -> list[str]:
        """What starts the node; `folder` is its own, and where it is started. Raises NodeUnavailable."""

    @abc.abstractmethod
    def _place(self) -> Path:
        """Where the node is kept."""

    def _kept(self) -> str:
        """What to do where the node is kept in the cache, and may be broken there."""
        place = self._place()
        return f"; if it is broken, delete {place}: it is fetched anew then" if place.is_relative_to(cache()) else ""

    @abc.abstractmethod
    def endow(self, address: str, wei: int) -> None:
        """Gives an account that much ether, whatever it had."""

    @abc.abstractmethod
    def mined(self, raw: str, second: int) -> str:
        """Sends a signed transaction, and has a block made of it at that second; returns its hash."""

    def start(self) -> Self:
        """Starts the node and waits until it listens. Raises NodeUnavailable where it does not.

        A node that nobody stops ends with this process.
        """
        said = ""
        for _ in range(_STARTS):
            # The port may be taken before the node asks for it.
            self.port = _free_port()
            try:
                said = self._started()
            except NodeUnavailable:
                self.stop()
                raise
            if not said:
                return self
            self.stop()
        raise NodeUnavailable(f"{self.name} did not start: {said}{self._kept()}")

    def _started(self) -> str:
        """Starts the node; returns what it said where it ended or did not listen in time, else nothing."""
        atexit.register(self.stop)
        self._folder = tempfile.TemporaryDirectory(prefix=f"wattproof-{self.name}-")
        folder = Path(self._folder.name)
        log = folder / "log"
        command = self._command(self.port, folder)
        try:
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=os.environ | {"HARDHAT_DISABLE_TELEMETRY": "true", "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true"},
                    start_new_session=True,
                )
        except OSError as problem:
            raise NodeUnavailable(f"{self.name} cannot be run ({problem.strerror}){self._kept()}") from problem
        until = time.monotonic() + _START_SECONDS
        while not self.listening.search(log.read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > until:
                return last_line(log.read_text(errors="replace"))[-200:]
            time.sleep(0.02)
        return ""

    def has_ended(self) -> str | None:
        """What it said last, where it has ended by itself; None while it runs, or is not started."""
        if self._process is None or self._folder is None or self._process.poll() is None:
            return None
        said = last_line((Path(self._folder.name) / "log").read_text(errors="replace"))[-200:]
        return f"{self.name} has ended (exit code {self._process.returncode}): {said}"

    def stop(self) -> None:
        """Ends the node and what it started; what it held is gone."""
        atexit.unregister(self.stop)
        if self._process is not None:
            for how in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, how)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def rpc(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC request and its result.

        Raises RpcError where the node refuses it, NodeUnavailable where it does not answer as a node does.
        """
        question = request(method, parameters)
        return self._result(question, self._post(question))

    def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Several requests `(method, parameters)` in one go, and their results in the same order. Raises as `rpc`.

        For what does not depend on one another: a node may work on them side by side.
        """
        if not requests:
            return []
        body = [request(method, parameters) for method, parameters in requests]
        said = self._post(body)
        # Where it is no list of answers, each question has none.
        found = [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
        answers = {one["id"]: one for one in found if isinstance(one.get("id"), int)}
        return [self._result(question, answers.get(question["id"])) for question in body]

    def _result(self, question: dict[str, Any], answer: Any) -> Any:
        try:
            return result(question, answer)
        except NodeUnusable as problem:
            raise NodeUnavailable(f"{self.name} {problem}: is it the program that it should be?") from None

    def _post(self, body: Any) -> Any:
        """What the node answers, on a connection for this alone: Hardhat drops idle ones."""
        if self._process is None:
            raise NodeUnavailable("the node is not running: use `with`, or start()")
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as connection:
                connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
                return parsed(connection.getresponse().read())
        except (OSError, http.client.HTTPException, NodeUnusable) as problem:
            ended = "" if self._process.poll() is None else "; it has ended"
            raise NodeUnavailable(f"{self.name} gives no answer ({problem}{ended}): try again") from None


@contextlib.contextmanager
def reading(name: str, what: str) -> Iterator[None]:
    """Inside the block `what` is read that the node `name` answered: NodeUnavailable where it is of another shape."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, EOFError, OSError, zlib.error) as problem:
        odd = f"{type(problem).__name__}: {problem}"
        raise NodeUnavailable(
            f"{name} tells {what} otherwise than a node does ({odd}): is it the right program?"
        ) from problem


def cache() -> Path:
    """Where nodes are kept that were fetched once. Raises NodeUnavailable where there is no home folder."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wattproof"
    except RuntimeError as problem:
        raise NodeUnavailable("there is no home folder to keep nodes in: set HOME, or XDG_CACHE_HOME") from problem


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A folder inside the cache, gone after the block. Raises NodeUnavailable where nothing can be written."""
    kept = cache()
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as folder:
            yield Path(folder)
    except OSError as problem:
        raise NodeUnavailable(
            f"nodes cannot be kept in {kept} ({problem.strerror or problem}): "
            "make it a folder that can be written, or set XDG_CACHE_HOME to one"
        ) from problem


def npm_said(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs npm in a folder. Raises NodeUnavailable where it cannot be run, or takes too long."""
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=_NPM_SECONDS)
    except subprocess.TimeoutExpired:
        raise NodeUnavailable(f"npm did not fetch it within {_NPM_SECONDS} s: try again") from None
    except (OSError, ValueError) as problem:
        raise NodeUnavailable(f"npm cannot be run ({problem}): install Node.js (it brings npm)") from problem


def last_line(text: str) -> str:
    """The last line of what a program said."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
