"""How the data API asks and answers: arguments, errors, headers, its documents, and what one client may take."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.support import kept
from tests.support.api import LISTS, UNLIMITED, get, rows
from wattproof.serve.app import create_app
from wattproof.serve.limits import Buckets, Rate, Slots, client_of

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> kept.Day:
    """Four half-hours of ten households, and two alarms."""
    day = kept.play(tmp_path_factory.mktemp("day"), range(24, 28))
    day.add_block(alarms=[kept.ALARM, dataclasses.replace(kept.ALARM, invariant="C3-TIER-1")])
    return day


@pytest.fixture(scope="module")
def client(day: kept.Day) -> FlaskClient:
    """The API of that day, without a node."""
    return create_app(day.url, day.record, rate=UNLIMITED).test_client()


# ---- how it asks and answers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "field", "says"),
    [
        ("quotes?page=0", "page", "from 1 to 1000000000"),
        ("quotes?per_page=201", "per_page", "from 1 to 200"),
        ("quotes?per_page=-1", "per_page", "from 1 to 200"),
        ("quotes?prosumer=0x12", "prosumer", "40 hexadecimal digits"),
        ("quotes?prosumer=0x52908400098527886E0F7030069857D2E4169Ee7", "prosumer", "checksum is wrong"),
        ("quotes?status=valid", "status", "must be one of"),
        ("quotes?colour=red", "colour", "no such argument"),
        ("quotes?period=1.5", "period", "must be a whole number"),
        ("quotes?period=-5", "period", "must be 0 or more"),
        ("quotes?period=99999999999999999999999999", "period", "must be at most 9007199254740991"),
        ("quotes?period=" + 5_000 * "9", "period", "must be at most 9007199254740991"),
        ("quotes?period=1&period=2", "period", "given more than once"),
        ("phases?at=1&at=2", "at", "given more than once"),
        ("trades?settled=maybe", "settled", "must be true or false"),
        ("calls?transaction=0x12", "transaction", "another form"),
        ("bills?by=year", "by", "must be one of"),
        ("phases?at=soon", "at", "must be a whole number"),
        ("stream?after=xyz", "after", "the number of a block, a hyphen, and the first 16 digits of its hash"),
    ],
)
def test_an_odd_argument_is_named_in_one_line(client: FlaskClient, path: str, field: str, says: str) -> None:
    told = get(client, path, 422)
    assert says in told["error"]
    assert list(told["fields"]) == [field] and "\n" not in told["error"] and told["error"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    "path",
    [
        *("quotes/0", "quotes/-1", "quotes/x", "quotes/" + 5_000 * "9", "quotes/999999", "quotes/999999/trade"),
        *("quotes/999999/bids", "quotes/999999/trades", "quotes/-1/bids"),
        *("accounts/0x12", "accounts/0x" + 40 * "1", "readings/0x12/1", "positions/0x" + 40 * "1" + "/5"),
        *("trades/1/999999999999", "bids/1/0x" + 40 * "1", "alarms/1/0", "blocks/123456789", "periods/1", "nothing"),
    ],
)
def test_what_is_not_there_is_said(client: FlaskClient, path: str) -> None:
    told = get(client, path, 404)
    assert told["error"] and "\n" not in told["error"]


def test_an_unknown_call_is_told_before_its_body_is_read(client: FlaskClient) -> None:
    answer = client.post("/api/v1/transactions/foo", json={})
    told = answer.get_json()
    assert (answer.status_code, told) == (404, {"error": "no such call: GET /api/v1/transactions lists them"})
    assert client.post("/api/v1/transactions/mint", json={}).status_code == 422


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/"])
def test_where_the_routes_begin_leads_to_their_list(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")


def test_ranges_have_their_ends(client: FlaskClient) -> None:
    periods = sorted(row["period"] for row in rows(client, "periods"))
    first, last = periods[1], periods[2]
    found = rows(client, f"quotes?from_period={first}&to_period={last}")
    assert {row["period"] for row in found} == {first, last}
    assert {row["period"] for row in rows(client, f"bills?by=period&from_period={last}")} == set(periods[2:])
    assert {row["number"] for row in rows(client, "blocks?from_block=3&to_block=5")} == {3, 4, 5}
    assert {row["block"] for row in rows(client, "events?from_block=3&to_block=3")} == {3}
    assert rows(client, "events?from_block=3&to_block=3") == rows(client, "events?block=3")


def test_pages_beyond_the_last_are_empty(client: FlaskClient) -> None:
    assert get(client, "quotes?page=1000000000&per_page=200")["items"] == []


def test_without_a_node_transactions_say_what_to_do(client: FlaskClient) -> None:
    for answer in (
        client.post(
            "/api/v1/transactions/revoke", json={"sender": "0x" + 40 * "1", "arguments": {"user": "0x" + 40 * "2"}}
        ),
        client.post("/api/v1/relay", json={"raw": "0x02"}),
        client.get("/api/v1/transactions/0x" + 64 * "1"),
    ):
        assert answer.status_code == 503 and "--rpc" in answer.get_json()["error"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b'{"raw": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"raw": ' + b"9" * 5_000 + b"}", "application/json", 400),
        (b"\xff\xfe\xfa", "application/json", 400),
        (b"raw=0x02", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b'{"raw": "' + 200_000 * b"0" + b'"}', "application/json", 413),
        (b'{"raw": 5}', "application/json", 422),
        (b'{"raw": "0x02", "key": "0x01"}', "application/json", 422),
    ],
)
def test_odd_bodies_are_refused(client: FlaskClient, body: bytes, kind: str, status: int) -> None:
    answer = client.post("/api/v1/relay", data=body, content_type=kind)
    assert answer.status_code == status and answer.get_json()["error"]


def test_browsers_are_told_to_load_nothing_from_elsewhere(client: FlaskClient) -> None:
    for path in ("/", "/docs", "/docs.css", "/openapi.json", "/api/v1/status", "/api/v1/none", "/static/app.js"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
        assert "Access-Control-Allow-Origin" not in headers
    page = client.get("/docs").get_data(as_text=True)
    assert "http" not in page.replace("http-equiv", "") and "<script" not in page and "style=" not in page


def test_openapi_names_every_route_once(client: FlaskClient) -> None:
    spec = client.get("/openapi.json").get_json()
    rules = {
        str(rule).replace("<", "{").replace(">", "}")
        for rule in client.application.url_map.iter_rules()
        if str(rule).startswith("/api/v1/") and str(rule) != "/api/v1/"
    }
    assert set(spec["paths"]) == rules
    assert spec["openapi"].startswith("3.")
    for methods in spec["paths"].values():
        for method, told in methods.items():
            if isinstance(told, dict):
                assert told["summary"] and "429" in told["responses"]
                assert method != "post" or {"400", "413", "415", "431"} <= told["responses"].keys()
    quote = spec["components"]["schemas"]["Quote"]["properties"]
    assert quote["price"]["type"] == ["string", "null"] and "base units" in quote["price"]["description"]


def test_the_operators_table_names_every_route(client: FlaskClient) -> None:
    chapter = OPERATING.read_text().partition("\n## The data API\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in chapter.splitlines() if line.startswith("| `")]
    named = {route.removeprefix("POST ") for row in rows for route in re.findall("`([^`]*)`", row)}
    spec = client.get("/openapi.json").get_json()
    assert named == {path.removeprefix("/api/v1/") for path in spec["paths"]}


def test_every_answer_is_as_its_schema_says(client: FlaskClient) -> None:
    """No field is answered that OpenAPI does not name, and none that it names is missing."""
    spec = client.get("/openapi.json").get_json()
    for path in LISTS:
        schema = spec["paths"][f"/api/v1/{path}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        listed = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        row = spec["components"]["schemas"][listed["properties"]["items"]["items"]["$ref"].rpartition("/")[2]]
        assert get(client, path)["items"][0].keys() == row["properties"].keys(), path


# ---- limits ----------------------------------------------------------------------------------


@pytest.fixture
def hasty(day: kept.Day) -> Iterator[FlaskClient]:
    """An API that takes ten requests at once, and then one in a hundred seconds."""
    yield create_app(day.url, day.record, rate=Rate(0.01, 10)).test_client()


def test_who_asks_too_often_is_told_to_wait(hasty: FlaskClient) -> None:
    for _ in range(5):
        get(hasty, "status")
    assert hasty.post("/api/v1/relay", json={"raw": "0x"}).status_code == 503, "counts for five"
    answer = hasty.get("/api/v1/status")
    assert answer.status_code == 429 and 90 <= int(answer.headers["Retry-After"]) <= 100
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    other = hasty.get("/api/v1/status", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert other.status_code == 200, "others may"


def test_a_bucket_fills_up_again() -> None:
    now = 0.0
    buckets = Buckets(Rate(2.0, 4), lambda: now)
    assert [buckets.take("a") for _ in range(4)] == [0.0] * 4
    assert buckets.take("a") == 0.5
    now = 0.5
    assert buckets.take("a") == 0.0 and buckets.take("a") == 0.5
    now = 1_000.0
    assert [buckets.take("a") for _ in range(5)] == [0.0] * 4 + [0.5], "no more than the burst"


def test_many_clients_cost_no_memory() -> None:
    buckets = Buckets(Rate(1.0, 1), lambda: 0.0)
    for number in range(30_000):
        buckets.take(str(number))
    assert len(buckets._levels) == 10_000


def test_a_client_of_ipv6_is_a_network() -> None:
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1") != client_of("2001:db8:0:1::1")
    assert client_of("192.0.2.1") != client_of("192.0.2.2")
    assert client_of(None) == "unknown"


def test_slots_are_given_back() -> None:
    slots = Slots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.give_back()
    assert slots.take() and slots.held == 2
