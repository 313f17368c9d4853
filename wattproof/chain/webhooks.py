"""Webhooks: addresses of somebody else's that are told of what went wrong, or is about to."""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.request
from collections.abc import Callable

from wattproof.evm.rpc import Address, NodeUnusable

SECONDS = 10
"""That a webhook may take to answer."""

TRIES = 5
"""How often something is sent to a webhook that does not answer, at most; the pauses between grow from a second."""


class BadHook(ValueError):
    """A webhook's address is none; one line."""


class Webhook:
    """Posts JSON, in a thread of its own: nobody waits for it."""

    def __init__(self, url: str, say: Callable[[str], object], pause: float = 1.0) -> None:
        """`say` takes a line where something could not be delivered. Raises BadHook."""
        try:
            self._address = Address.of(url)
        except NodeUnusable:
            raise BadHook("--webhook is no URL: write it as https://host/path") from None
        self._say, self._pause = say, pause
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._deliver, daemon=True)
        self._thread.start()

    def post(self, told: dict[str, object]) -> None:
        """Sends it, some time soon."""
        self._waiting.put(json.dumps(told).encode())

    def close(self, seconds: float) -> None:
        """Waits until all is sent or given up, so many seconds at most."""
        self._waiting.put(None)
        self._thread.join(seconds)

    def _deliver(self) -> None:
        while (body := self._waiting.get()) is not None:
            pause, problem = self._pause, ""
            for attempt in range(TRIES):
                if attempt:
                    time.sleep(pause)
                    pause *= 2
                problem = self._sent(body)
                if not problem:
                    break
            else:
                self._say(f"the webhook at {self._address.host} was not told: {problem}")

    def _sent(self, body: bytes) -> str:
        """Sends once; returns why it did not arrive, nothing where it did."""
        request = urllib.request.Request(self._address.url, body, dict(self._address.headers), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                return ""
        except OSError as problem:
            return self._address.said(problem)
