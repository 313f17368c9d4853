"""Alarms: what does not hold, told to the operator and to a webhook, with its story and the lines that show it again."""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.request
from collections.abc import Callable

from wattproof.chain.market import ChainMarket
from wattproof.evm.rpc import Address, NodeUnusable
from wattproof.store.database import MarketStore
from wattproof.store.records import Alarm, BlockRef
from wattproof.watch import story
from wattproof.watch.checker import Checked

SECONDS = 10
"""That a webhook may take to answer."""

TRIES = 5
"""How often an alarm is sent to a webhook that does not answer, at most; the pauses between grow from a second."""

LONGEST = 500
"""Characters of the line that an alarm is."""


class BadHook(ValueError):
    """A webhook's address is none; one line."""


class Webhook:
    """Posts alarms as JSON, in a thread of its own: the watch never waits for it."""

    def __init__(self, url: str, say: Callable[[str], object], pause: float = 1.0) -> None:
        """`say` takes a line where an alarm could not be delivered. Raises BadHook."""
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
                self._say(f"an alarm was not delivered to {self._address.host}: {problem}")

    def _sent(self, body: bytes) -> str:
        """Sends once; returns why it did not arrive, nothing where it did."""
        request = urllib.request.Request(self._address.url, body, dict(self._address.headers), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                return ""
        except OSError as problem:
            return self._address.said(problem)


class Alarms:
    """Makes alarms of what was found, and tells of them."""

    def __init__(self, say: Callable[[str], object], webhook: Webhook | None = None) -> None:
        self._say, self._webhook = say, webhook

    def of(self, checked: Checked, market: ChainMarket, store: MarketStore) -> list[Alarm]:
        """An alarm for each invariant that does not hold in a block, with the same story."""
        if not checked.findings:
            return []
        told = story.of(checked, market, store)
        first: dict[str, str] = {}
        for finding in checked.findings:
            first.setdefault(finding.invariant, finding.what)
        lines = "\n".join(told.lines)
        return [Alarm(invariant, _short(what), told.text, lines) for invariant, what in first.items()]

    def raise_(self, alarm: Alarm, block: BlockRef, market: str) -> None:
        """Tells of an alarm that is stored."""
        self._say(f"ALARM in block {block.number}: {alarm.invariant} does not hold: {alarm.what}")
        if self._webhook is not None:
            where = {"market": market, "block": block.number, "hash": block.hash, "timestamp": block.timestamp}
            self._webhook.post(where | vars(alarm))

    def close(self) -> None:
        """Waits a little for what is still to be delivered."""
        if self._webhook is not None:
            self._webhook.close(SECONDS)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
