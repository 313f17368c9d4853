"""The application behind waitress: a bounded number of threads, and an end that waits for nobody."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, NoReturn

from apiflask import APIFlask
from waitress import wasyncore
from waitress.server import create_server

from wattproof.serve.app import MAX_ASKING, MAX_STREAMS
from wattproof.serve.limits import MAX_BODY
from wattproof.serve.served import EXTENSION

THREADS = MAX_STREAMS + MAX_ASKING + 8
"""Of these, streams and requests that wait for a node can never hold all."""

MAX_HEADER = 16 * 1024
"""Bytes of a request's header."""

MAX_WAITING = 2**20
"""Bytes of an answer that wait for a slow reader, before its thread does."""

PATIENCE = 5
"""Seconds that requests have to end once the server does."""


class PortTaken(Exception):
    """Nobody can listen there; the one-line message says what to do."""


class Server:
    """An application that listens from the moment on that this is made, and answers in `run`.

    host, port   where it listens; port 0 takes a free one
    """

    def __init__(self, app: APIFlask, host: str = "127.0.0.1", port: int = 8080) -> None:
        """Raises PortTaken."""
        self._app = app
        # That requests wait for a moment is nothing to tell.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        listening = _listen(host, port)
        self.host, self.port = host, listening.getsockname()[1]
        self._server: Any = create_server(
            app,
            sockets=[listening],
            threads=THREADS,
            max_request_body_size=MAX_BODY,
            max_request_header_size=MAX_HEADER,
            outbuf_high_watermark=MAX_WAITING,
            connection_limit=200,
            channel_timeout=60,
            asyncore_use_poll=True,
            ident=None,
        )

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def run(self) -> None:
        """Answers until `stop`, SystemExit or KeyboardInterrupt. Then streams end, and the port is free."""
        stopping = self._app.extensions[EXTENSION].stopping
        try:
            while not stopping.is_set():
                wasyncore.loop(timeout=1, map=self._server._map, use_poll=True, count=1)
        except (SystemExit, KeyboardInterrupt):
            pass  # That is how a signal ends it.
        finally:
            stopping.set()
            self._server.task_dispatcher.shutdown(timeout=PATIENCE)
            wasyncore.close_all(self._server._map, ignore_all=True)

    def stop(self) -> None:
        """Ends `run`, from another thread; not from a signal's handler."""
        self._app.extensions[EXTENSION].stopping.set()
        with contextlib.suppress(OSError):  # `run` may have ended meanwhile: then nobody is to be woken.
            self._server.trigger.pull_trigger()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError, UnicodeError) as problem:
        known = isinstance(problem, OSError) and problem.errno and not isinstance(problem, socket.gaierror)
        said = os.strerror(problem.errno).lower() if known else "cannot be listened on"  # type: ignore[union-attr]
        raise PortTaken(f"{host}:{port}: {said}; name another place by --host and --port") from None


def until_stopped(server: Server, begun: Callable[[], object]) -> None:
    """Answers until SIGTERM or Ctrl-C, and ends cleanly; `begun` is called once it listens."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(0)

    before = {which: signal.signal(which, end) for which in (signal.SIGTERM, signal.SIGINT)}
    try:
        begun()
        server.run()
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
