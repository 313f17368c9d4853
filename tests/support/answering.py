"""A small HTTP server on loopback that answers as a test wants a node to answer."""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Answer = bytes | Callable[[Any], bytes]
"""The body of an answer, or what makes it of the question."""


class _Node(http.server.ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer = b""
    status = 200
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    until: threading.Event | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        """Of each request: path, headers, body."""

    @property
    def port(self) -> int:
        return self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: the client may hang up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        node = self.server
        assert isinstance(node, _Node)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        node.asked.append((self.path, dict(self.headers), asked))
        if node.until is not None:
            node.until.wait(20)
        if node.raw is not None:
            self.wfile.write(node.raw)
            return
        body = node.answer if isinstance(node.answer, bytes) else node.answer(asked)
        self.send_response(node.status)
        for name, value in node.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def answering(certificate: Path | None = None, **how: Any) -> Iterator[_Node]:
    """A server inside the block.

    Args:
        certificate: of TLS, with its key, in one file; none: plain HTTP.
        how: `answer` (see `Answer`), `status`, `headers` (pairs); or `raw`: bytes to send instead of any HTTP; `until`:
            an event without which it does not answer.
    """
    node = _Node()
    for name, value in how.items():
        setattr(node, name, value)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        node.socket = context.wrap_socket(node.socket, server_side=True)
    thread = threading.Thread(target=node.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield node
    finally:
        node.shutdown()
        thread.join()
        node.server_close()


def replies(**results: Any) -> Callable[[dict[str, Any]], bytes]:
    """Answers each method with its result, or with what a function makes of its parameters; others it does not have.

    A result that is an exception is an error.
    """

    def one(asked: dict[str, Any]) -> dict[str, Any]:
        found = results.get(asked["method"], LookupError("no such method"))
        found = found(*asked["params"]) if callable(found) else found
        said = {"error": {"code": -32601, "message": str(found)}} if isinstance(found, Exception) else {"result": found}
        return {"jsonrpc": "2.0", "id": asked["id"]} | said

    def reply(asked: Any) -> bytes:
        return json.dumps([one(each) for each in asked] if isinstance(asked, list) else one(asked)).encode()

    return reply
