"""Processes that do one job each, for all campaigns: forked workers that say over a pipe how it goes, and commands."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from verification.invariants import ROOT
from verification.surroundings import surroundings

Job = TypeVar("Job")

PATIENCE = 15
"""Seconds that a command gets to end by itself once it is told to."""


class Ended(Exception):
    """A worker ended without a last word, or its time was up; the message says which."""


@contextlib.contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A command that runs in the root of the checkout while the block does, with `options` of `Popen`.

    Its environment is `surroundings` and what `options` have as `env`. At the end of the block it is ended with all
    processes that it started: asked first, then killed.
    """
    # In a group of its own: Ctrl-C goes to this process, which passes it on, and its own processes end with it.
    environment = surroundings() | options.pop("env", {})
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True, **options
    )
    try:
        yield process
    finally:
        for number in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, number)
                    process.wait(PATIENCE)


def silence() -> None:
    """From here on whatever this worker prints goes nowhere: pytest tells of each test, Hypothesis of what it found."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


@dataclass(eq=False)
class Worker(Generic[Job]):
    """A process at work on a job, forked from this one: it inherits all that was imported and compiled."""

    job: Job
    process: Any
    pipe: Connection
    ends: float


class Pool(Generic[Job]):
    """At most `size` workers at a time. Use it in a `with` block, which ends all that are left."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.workers: list[Worker[Job]] = []

    def __enter__(self) -> Pool[Job]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in list(self.workers):
            self.stop(worker)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another worker."""
        return len(self.workers) >= self.size

    def start(self, job: Job, target: Callable[..., None], *arguments: Any, seconds: float) -> Worker[Job]:
        """A worker that runs `target(*arguments, pipe)`, for so many seconds at most."""
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=target, args=(*arguments, theirs), daemon=True)
        process.start()
        theirs.close()
        worker = Worker(job, process, ours, time.monotonic() + seconds)
        self.workers.append(worker)
        return worker

    def stop(self, worker: Worker[Job]) -> None:
        """Ends a worker, whatever it does."""
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self.workers.remove(worker)

    def messages(self, timeout: float = 1) -> Iterator[tuple[Worker[Job], Any]]:
        """What the workers have said, waiting `timeout` seconds for it at most; an `Ended` where one is no more.

        A worker that ended is stopped. Whoever has its last word stops it.
        """
        wait([worker.pipe for worker in self.workers], timeout=timeout)
        for worker in list(self.workers):
            try:
                while worker in self.workers and worker.pipe.poll():
                    yield worker, worker.pipe.recv()
            except EOFError:
                self.stop(worker)
                yield worker, Ended(f"the process ended with {worker.process.exitcode}")
                continue
            if worker in self.workers and time.monotonic() > worker.ends:
                self.stop(worker)
                yield worker, Ended("its time was up")
