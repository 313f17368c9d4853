"""Questions to a server of the data API, and what goes wrong with them in one line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from wattproof import documents
from wattproof.outputs import one_line

API = "/api/v1/"

PER_PAGE = 200

_PATIENCE = 5
"""How often a question is asked again that came too often."""

_LONGEST_WAIT = 30.0
"""Seconds between two of them, whatever the server says."""


class ApiError(RuntimeError):
    """The server refuses, or cannot be asked; the message is one line with the server's own words.

    status   of the answer; None where there was none
    fields   a line for each argument that does not fit
    reason   why the contract refuses, and `hint` what that means
    """

    def __init__(self, text: str, status: int | None = None, told: Mapping[str, Any] | None = None) -> None:
        super().__init__(one_line(text))
        told = told or {}
        self.status = status
        self.fields: dict[str, str] = dict(told.get("fields") or {})
        self.reason: str | None = told.get("reason")
        self.hint: str | None = told.get("hint")


class Server:
    """A server of the data API at an address such as http://127.0.0.1:8080."""

    def __init__(self, url: str, timeout: float) -> None:
        """Nothing is asked yet. Raises ApiError where that is no address."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = None, None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ApiError("the server's address is written as http://host:port")
        self.host = f"{parts.hostname}:{port}" if port else parts.hostname
        self._base = url.rstrip("/") + API
        self._timeout = timeout
        self._session = requests.Session()

    def get(self, path: str, **query: Any) -> Any:
        """The answer to a question. Raises ApiError."""
        return self._asked("GET", path, params=_query(query))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a body. Raises ApiError."""
        return self._asked("POST", path, json=body)

    def rows(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The rows of all pages of a list, the oldest first: so no page moves as rows are added. Raises ApiError."""
        number, pages = 1, 1
        while number <= pages:
            answer = self.get(path, **query, order="asc", page=number, per_page=PER_PAGE)
            if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
                raise ApiError(f"{self.host} does not answer {path} with a list: is it a server of Wattproof?")
            yield from answer["items"]
            pages = int(answer.get("pages") or 0)
            number += 1

    def lines(self, path: str, headers: Mapping[str, str], silence: float) -> Iterator[str]:
        """The lines of an answer that goes on, until it ends or is silent for so many seconds. Raises ApiError."""
        timeout = (self._timeout, silence)
        with self._answer("GET", path, headers=dict(headers), stream=True, timeout=timeout) as answer:
            try:
                for line in answer.iter_lines(chunk_size=1):
                    yield line.decode(errors="replace")
            except requests.RequestException:
                return  # It broke off: whoever reads comes back.

    def close(self) -> None:
        """Ends the connection."""
        self._session.close()

    def _asked(self, method: str, path: str, **options: Any) -> Any:
        with self._answer(method, path, timeout=self._timeout, **options) as answer:
            return self._told(answer)

    def _answer(self, method: str, path: str, **options: Any) -> requests.Response:
        """An answer that is none of an error; where it was asked too often, it is asked again. Raises ApiError."""
        for left in reversed(range(_PATIENCE + 1)):
            try:
                answer = self._session.request(method, self._base + path, allow_redirects=False, **options)
            except requests.RequestException as problem:
                why = type(problem).__name__
                raise ApiError(f"{self.host} cannot be asked ({why}): does `wattproof serve` run there?") from None
            if answer.status_code == 429 and left:
                time.sleep(min(_seconds(answer.headers.get("Retry-After")), _LONGEST_WAIT))
                continue
            if answer.status_code < 300:
                return answer
            raise self._refusal(answer)
        raise AssertionError("the last attempt answers or raises")

    def _refusal(self, answer: requests.Response) -> ApiError:
        told = self._told(answer)
        if not isinstance(told, dict) or not told.get("error"):
            return ApiError(f"{self.host} answers HTTP {answer.status_code}", answer.status_code)
        return ApiError(str(told["error"]), answer.status_code, told)

    def _told(self, answer: requests.Response) -> Any:
        try:
            return documents.parsed(answer.content)
        except (ValueError, requests.RequestException):
            code = answer.status_code
            raise ApiError(
                f"{self.host} answers HTTP {code} without JSON: is it a server of Wattproof?", code
            ) from None


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() else 1.0


def _query(asked: Mapping[str, Any]) -> dict[str, str]:
    """The arguments that are not None, as they stand in an address."""
    given = {name: value for name, value in asked.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}
