"""Random requests to the data API: whatever is asked, the answer is none of the server's own errors.

1,500 by default, on either database half of them; WATTPROOF_REQUESTS=10000 is the full test.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask.testing import FlaskClient

from tests.field.conftest import KINDS, fresh_url
from tests.support import kept
from tests.support.api import UNLIMITED, Field, field, serving
from wattproof.serve.app import create_app
from wattproof.serve.calls import CALLS

REQUESTS = int(os.environ.get("WATTPROOF_REQUESTS", "1500"))
BY_WAITRESS = 10
"""Each so manieth request goes through a real server."""

EXPECTED = {200, 202, 302, 400, 404, 405, 409, 413, 415, 422}
"""What a server with a node and a database in good health answers; 302 leads from /api/v1 to /docs."""

METHODS = ("GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")

ADDRESSES = ("0x" + 40 * "1", "0x" + 40 * "0", "0x12", "0X" + 40 * "a", "0x" + 39 * "f" + "g", "vitalik.eth", "", "0x")
NUMBERS = (0, 1, -1, 2**31, 2**53, 2**63, 2**64, 2**256, 10**400, 1.5, float("1e300"))
TEXTS = (
    *(
        "",
        " ",
        "null",
        "NaN",
        "1e9",
        "٣",
        "\x00",
        "\x00\x01",
        "%00",
        "%",
        "..",
        "../../etc/passwd",
        "' OR 1=1 --",
        "<b>",
    ),
    *("{{7*7}}", "\ud83d", "é" * 50, "a" * 3_000, "0x" + 64 * "f", "true", "[]", "-0", "+1", "1_000", "０"),
)


@pytest.fixture(scope="module", params=KINDS)
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> kept.Day:
    """Two half-hours, in a database of either kind."""
    folder = tmp_path_factory.mktemp("day")
    return kept.play(folder, range(24, 26), fresh_url(request, folder))


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Field]:
    """A market on a chain, so that transactions are made and relayed, too."""
    with field(tmp_path) as found:
        yield found


class Requests:
    """Draws requests: sound ones, and what is made of them by changing a part or two."""

    def __init__(self, day: kept.Day, app: Any, seed: int) -> None:
        self.draw = random.Random(seed)
        self.users = [*day.names, day.record.owner, *ADDRESSES]
        self.periods = [*{period for _, period in self._places(day)}, *NUMBERS]
        spec = app.spec
        self.paths = list(spec["paths"])
        self.queries = {path: self._filters(told) for path, told in spec["paths"].items()}

    @staticmethod
    def _places(day: kept.Day) -> Iterator[tuple[int, int]]:
        for number in range(1, 4):
            yield number, day.venue.market.quote(number).period

    @staticmethod
    def _filters(told: dict[str, Any]) -> list[str]:
        return [one["name"] for one in told.get("get", {}).get("parameters", ()) if one["in"] == "query"]

    def value(self) -> Any:
        """Something that may fit, or not."""
        kinds = (self.users, self.periods, list(range(1, 9)), list(NUMBERS), list(TEXTS))
        return self.draw.choice(self.draw.choice(kinds))

    def any(self, depth: int = 0) -> Any:
        """Some JSON."""
        kind = self.draw.randrange(8 if depth < 3 else 6)
        if kind == 6:
            return [self.any(depth + 1) for _ in range(self.draw.randrange(5))]
        if kind == 7:
            return {str(self.value())[:20]: self.any(depth + 1) for _ in range(self.draw.randrange(5))}
        return self.draw.choice((None, True, False)) if kind == 5 else self.value()

    def path(self) -> str:
        """A path with its parts filled in."""
        known = self.draw.choice(self.paths)
        if known.endswith("/stream"):  # It would not end: test_api_server.py has it.
            known = self.draw.choice(("/", "/docs", "/openapi.json", "/static/app.js", "/static/../app.py", "/api/v1/"))
        parts = []
        for part in known.split("/"):
            if part == "{call}" and self.draw.random() < 0.9:
                part = self.draw.choice(list(CALLS))
            elif part == "{hash}" and self.draw.random() < 0.5:
                part = "0x" + f"{self.draw.getrandbits(256):064x}"
            elif part.startswith("{"):
                part = quote(str(self.value()).encode("utf-8", "replace"), safe="")
            parts.append(part)
        path = "/".join(parts)
        odd = self.draw.random()
        if odd < 0.03:
            path += self.draw.choice(("/", "//", "/..", "/%00", ";x", "%2f", "?" + 500 * "a=b&"))
        query = {name: self.value() for name in self.queries.get(known, ()) if self.draw.random() < 0.25}
        if self.draw.random() < 0.05:
            query[str(self.value())[:30]] = self.value()
        if not query:
            return path
        pairs = (f"{_quoted(name)}={_quoted(value)}" for name, value in query.items())
        return f"{path}?{'&'.join(pairs)}"

    def body(self) -> tuple[bytes, str]:
        """A body and its kind."""
        odd = self.draw.random()
        if odd < 0.1:
            return self.draw.randbytes(self.draw.randrange(200)), "application/json"
        if odd < 0.15:
            text = b'{"a":' * self.draw.randrange(3_000)
            return text, self.draw.choice(("application/json", "text/html", "multipart/form-data", ""))
        if odd < 0.5:
            return _json(self.any()), "application/json"
        call = self.draw.choice(list(CALLS.values()))
        arguments = {one.name: self.argument(one.kind) for one in call.arguments if self.draw.random() < 0.97}
        told: dict[str, Any] = {"sender": self.draw.choice(self.users), "arguments": arguments}
        if self.draw.random() < 0.3:
            told["value"] = self.value()
        if self.draw.random() < 0.2:
            told = {"raw": self.draw.choice(("0x02" + self.draw.randbytes(80).hex(), self.value(), "0x" + 90 * "c1"))}
        return _json(told), "application/json"

    def sound(self) -> tuple[str, bytes]:
        """A call that only the contract can refuse: its path and its body."""
        call = self.draw.choice(list(CALLS.values()))
        arguments = {one.name: self.argument(one.kind, 0) for one in call.arguments}
        told = {"sender": self.users[0], "arguments": arguments}
        return f"/api/v1/transactions/{call.name}", _json(told)

    def argument(self, kind: str, odd: float = 0.3) -> Any:
        """An argument that is often sound."""
        if self.draw.random() < odd:
            return self.any()
        if kind.endswith("[]"):
            reading = {"user": self.users[0], "exported": 1, "imported": "2", "signature": "0x" + 130 * "1"}
            return [self.users[0] if kind == "address[]" else reading] * self.draw.randrange(1, 4)
        sound = {"address": self.users[0], "bytes32": "0x" + 64 * "2", "bytes": "0x" + 130 * "1"}
        return sound.get(kind, self.draw.choice((0, 1, 867_262, "5", str(2**256 - 1), 10**18)))


def _quoted(value: Any) -> str:
    return quote(str(value).encode("utf-8", "replace"), safe="")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "replace")


def test_no_request_is_the_servers_fault(day: kept.Day, chain: Field) -> None:
    watched = create_app(day.url, day.record, rate=UNLIMITED)
    apps = [(watched, Counter[int]()), (chain.app, Counter[int]())]
    requested = Requests(day, watched, seed=len(day.kept.store.kind))
    with serving(watched) as first, serving(chain.app) as second:
        for number in range(REQUESTS // len(KINDS)):
            at = requested.draw.random() < 0.4
            app, seen = apps[at]
            method, path = requested.draw.choice(METHODS), requested.path()
            body, kind = requested.body() if method in ("POST", "PUT", "PATCH") else (b"", "")
            if requested.draw.random() < 0.05:
                (path, body), method, kind = requested.sound(), "POST", "application/json"
            if number % BY_WAITRESS:
                status, text = _by_flask(app.test_client(), method, path, body, kind)
            else:
                status, text = _by_waitress((first, second)[at], method, path, body, kind)
            seen[status] += 1
            # Without a node, transactions answer 503.
            fine = EXPECTED | (set() if at else {503})
            assert status in fine, (number, method, path[:300], body[:500], status, text[:500])
            assert "Traceback" not in text and ".py" not in text
    assert apps[0][1][200] > REQUESTS / 40 and apps[1][1][422] > REQUESTS / 100, "they reach the routes"
    assert apps[1][1][409] > REQUESTS / 400, "and the contract"


def _by_flask(client: FlaskClient, method: str, path: str, body: bytes, kind: str) -> tuple[int, str]:
    answer = client.open(path, method=method, data=body or None, content_type=kind or None)
    return answer.status_code, answer.get_data(as_text=True)


def _by_waitress(url: str, method: str, path: str, body: bytes, kind: str) -> tuple[int, str]:
    headers = {"Content-Type": kind} if kind else {}
    answer = requests.request(method, url + path, data=body, headers=headers, timeout=60, allow_redirects=False)
    return answer.status_code, answer.text
