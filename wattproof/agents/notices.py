"""Warnings: a line for each cause, once, and again when it changes; shown, and told to a webhook where one is named."""

from __future__ import annotations

from collections.abc import Callable

from wattproof.chain.webhooks import SECONDS, Webhook
from wattproof.outputs import one_line

_REMEMBERED = 1_000
"""Causes that are remembered."""


class Notices:
    """What is to be warned of. `say` shows a line; a webhook is posted {"cause": a word, "text": the line}."""

    def __init__(self, say: Callable[[str], object], webhook: Webhook | None = None) -> None:
        self._say, self._webhook = say, webhook
        self._told: dict[str, str] = {}

    def warn(self, cause: str, line: str) -> None:
        """Warns of something, unless just that was said of the cause before."""
        if self._told.get(cause) == line:
            return
        self._told[cause] = line
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        self._say(one_line(line))
        if self._webhook is not None:
            self._webhook.post({"cause": cause, "text": line})

    def tell(self, line: str) -> None:
        """Warns of something that happens once."""
        self._say(one_line(line))
        if self._webhook is not None:
            self._webhook.post({"cause": "", "text": line})

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

    def close(self) -> None:
        """Waits a little for what the webhook is still to be told."""
        if self._webhook is not None:
            self._webhook.close(SECONDS)
