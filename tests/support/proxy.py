"""A node that behaves oddly: a proxy before a real one, which answers some of the requests in another way."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LATE = 2.0
"""Seconds after which a late answer comes."""

Meddle = Callable[[int, str], str]
"""What is done with a request, by its number and method: `fine`, or a name of `ODD`."""

ODD = ("null", "error", "late", "unavailable", "dropped", "no json", "other")
"""Null for a result; an error; an answer that is late; HTTP 503; a connection that ends; no JSON; another chain's."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked has gone away meanwhile: nobody's concern."""


@contextmanager
def before(node: str, other: str, meddle: Meddle) -> Iterator[tuple[str, list[str]]]:
    """A proxy before the node at the URL `node`; `other` is one of another chain. Yields its URL, and what it did."""
    done: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(body)
            method = asked["method"] if isinstance(asked, dict) else asked[0]["method"]
            what = meddle(len(done), method)
            done.append(what)
            if what == "dropped":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if what == "late":
                time.sleep(LATE)
            answer = _asked(other if what == "other" else node, body)
            if what in ("null", "error"):
                answer = json.dumps(_spoilt(json.loads(answer), what)).encode()
            self._said(503 if what == "unavailable" else 200, b"<html>" if what == "no json" else answer)

        def _said(self, status: int, answer: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is told."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", done
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _asked(node: str, body: bytes) -> bytes:
    request = urllib.request.Request(node, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read()


def _spoilt(answer: Any, what: str) -> Any:
    if isinstance(answer, list):
        return [_spoilt(each, what) for each in answer]
    told = {"result": None} if what == "null" else {"error": {"code": -32000, "message": "not today"}}
    return {"jsonrpc": "2.0", "id": answer["id"], **told}
