"""What goes wrong with a request, as one line that says what to do."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """A request that is answered with an error: `status`, one line, and maybe more about it.

    more      further fields of the answer, such as `fields` (a line for each argument) or `reason` and `hint`
    headers   of the answer, such as Retry-After
    """

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers or {}
        self.more = more

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {"error": self.text, **self.more}


def missing(what: str) -> Problem:
    """404: there is no such thing in the store."""
    return Problem(404, f"{what}: nothing of it was seen; look at /api/v1/status for how far the store reaches")


def unfit(fields: dict[str, str]) -> Problem:
    """422: arguments that do not fit, a line for each."""
    return Problem(422, "; ".join(f"{name}: {line}" for name, line in fields.items()), fields=fields)
