"""Warnings: a line for each cause, once, and again when it changes; to the terminal, and to a webhook where one is
named."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable

from wattproof.evm.rpc import Address, NodeUnusable, within
from wattproof.outputs import one_line

_SECONDS = 5
"""The most that a webhook may take."""


class Webhook:
    """An address that is told of warnings, by a POST of JSON: {"text": the line, "cause": what it is about}.

    Of the address only the host is ever shown.
    """

    def __init__(self, url: str) -> None:
        """Raises NodeUnusable where that is no address."""
        self.address = Address.of(url)

    def post(self, cause: str, line: str) -> str | None:
        """Tells of a warning; returns what went wrong, in one line, or None."""
        body = json.dumps({"text": line, "cause": cause}).encode()
        asked = urllib.request.Request(self.address.url, body, dict(self.address.headers))

        def sent() -> None:
            with urllib.request.urlopen(asked, timeout=_SECONDS) as response:
                response.read(1)

        try:
            within(_SECONDS, sent, self.address)
        except (OSError, ValueError, NodeUnusable) as problem:
            return f"the webhook at {self.address.host} was not told: {self.address.said(problem)}"
        return None


class Notices:
    """What is to be warned of. `say` shows a line."""

    def __init__(self, say: Callable[[str], None], webhook: Webhook | None = None) -> None:
        self._say, self._webhook = say, webhook
        self._told: dict[str, str] = {}

    def warn(self, cause: str, line: str) -> None:
        """Warns of something, unless just that was said of the cause before."""
        if self._told.get(cause) == line:
            return
        self._told[cause] = line
        self._say(one_line(line))
        if self._webhook is not None and (problem := self._webhook.post(cause, line)) is not None:
            self._say(one_line(problem))

    def over(self, cause: str, line: str | None = None) -> None:
        """A cause is gone; where it was told of, `line` says so."""
        if self._told.pop(cause, None) is not None and line is not None:
            self._say(one_line(line))

    def only(self, kind: str, lines: dict[str, str]) -> None:
        """Of the causes that begin with `kind` these are there, and no others."""
        for cause in [cause for cause in self._told if cause.startswith(kind) and cause not in lines]:
            self.over(cause)
        for cause, line in lines.items():
            self.warn(cause, line)
