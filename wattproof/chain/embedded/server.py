"""The embedded chain's HTTP: JSON-RPC on 127.0.0.1, by the standard library's threading server, with one lock."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wattproof import documents
from wattproof.chain.embedded.blocks import EmbeddedChain
from wattproof.chain.embedded.methods import Methods
from wattproof.chain.embedded.rules import Refused

HOST = "127.0.0.1"

MOST_BYTES = 32 * 2**20
"""Bytes of a request that are read."""

_MOST_REQUESTS = 20_000
"""Requests of one batch."""

_IDLE = 120
"""Seconds after which a connection that says nothing is closed."""

_NO_JSON, _NO_REQUEST = -32700, -32600


class Server(ThreadingHTTPServer):
    """Serves one chain; `block_time` is the seconds between blocks that it makes by itself, None for none."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, chain: EmbeddedChain, port: int, block_time: float | None = None) -> None:
        """Listens at once, at a free port where `port` is 0. Raises OSError where the port is taken."""
        self.methods = Methods(chain)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        super().__init__((HOST, port), _Handler)
        if block_time is not None:
            threading.Thread(target=self._tick, args=(block_time,), daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def server_close(self) -> None:
        """Stops listening and making blocks."""
        self._ended.set()
        super().server_close()

    def _tick(self, seconds: float) -> None:
        while not self._ended.wait(seconds):
            with self._lock:
                self.methods.chain.mine()

    def answer(self, body: bytes) -> Any:
        """The answer to a request or a batch of them, whatever is sent."""
        try:
            asked = documents.parsed(body)
        except ValueError:
            return _problem("parse error: this is no JSON", _NO_JSON)
        if not isinstance(asked, list):
            return self._one(asked)
        if not asked or len(asked) > _MOST_REQUESTS:
            return _problem(f"a batch has 1 to {_MOST_REQUESTS} requests", _NO_REQUEST)
        return [self._one(question) for question in asked]

    def _one(self, question: Any) -> Any:
        with self._lock:
            return self.methods.answer(question)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is nobody's fault."""


def _problem(said: str, code: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": None, "error": Refused(said, code).error}


class _Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    # Head and body leave together: two small packets would wait for each other.
    wbufsize = -1

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            self._say(411, _problem("say the Content-Length", _NO_REQUEST))
        elif int(length) > MOST_BYTES:
            self._say(413, _problem(f"a request has at most {MOST_BYTES} bytes", _NO_REQUEST))
        else:
            body = self.rfile.read(int(length))
            self._say(200, self.server.answer(body), len(body) == int(length))

    def do_GET(self) -> None:
        self._say(405, _problem("this is a node: POST JSON-RPC to it", _NO_REQUEST))

    def _say(self, status: int, answer: Any, goes_on: bool = True) -> None:
        told = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        if status != 200 or not goes_on:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(told)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: what is asked is nobody's business."""
