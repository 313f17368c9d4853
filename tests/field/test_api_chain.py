"""Transactions by the data API: made, tried, signed elsewhere, relayed; refusals in words."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from tests.support.api import ETHER, START, UNLIMITED, Field, begun, field, get, post, serving
from wattproof.chain.accounts import Account
from wattproof.evm.rpc import Address
from wattproof.market.meters import Meter
from wattproof.market.seals import seal_of
from wattproof.play.hints import HINTS as REPL_HINTS
from wattproof.serve import transactions
from wattproof.serve.app import MAX_ASKING, create_app
from wattproof.serve.calls import CALLS, READINGS
from wattproof.serve.hints import HINTS
from wattproof.serve.raw import MAX_RAW
from wattproof.serve.served import EXTENSION

PRICE = 9 * 10**13
PERIOD = START // 1800 + 4


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Field]:
    """A market on a chain of its own, with the API."""
    with field(tmp_path) as found:
        yield found


@pytest.fixture
def client(chain: Field) -> FlaskClient:
    """The API."""
    return chain.app.test_client()


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The API of a market to which nothing is done."""
    with field(tmp_path_factory.mktemp("idle")) as found:
        yield found.app.test_client()


def wanted(client: FlaskClient, sender: str, call: str, status: int = 200, value: int = 0, **arguments: Any) -> Any:
    """What the API makes of a call."""
    body = {"sender": sender, "arguments": arguments} | ({"value": str(value)} if value else {})
    return post(client, f"transactions/{call}", body, status)


def signed(account: Account, told: dict[str, Any], **others: Any) -> str:
    """A transaction that the API made, signed."""
    fields = {name: int(each, 16) for name, each in told.items() if name not in ("from", "to", "data")}
    fields |= {"to": told["to"], "data": bytes.fromhex(told["data"][2:])}
    return "0x" + account.sign({**fields, **others}).hex()


def do(client: FlaskClient, account: Account, call: str, value: int = 0, **arguments: Any) -> dict[str, Any]:
    """Makes, signs and relays a call; what became of it."""
    told = wanted(client, account.address, call, value=value, **arguments)
    found = post(client, "relay", {"raw": signed(account, told["transaction"])}, 202)
    state = get(client, f"transactions/{found['hash']}")
    assert state["state"] == "accepted", state
    return state


def register(client: FlaskClient, chain: Field, name: str, deposit: int = 0) -> Account:
    """A household with a meter, leave to trade, and money."""
    account, meter = chain.account(name), Meter(name)
    signature = meter.sign_pairing(chain.market.address, account.address, bytes(32), chain.record.chain_id)
    zeros = "0x" + 64 * "0"
    do(client, account, "register", profile=zeros, meter=meter.address, signature="0x" + signature.hex())
    do(client, chain.owner, "authorize", user=account.address, capacity=11_500)
    if deposit:
        do(client, account, "mint", value=deposit)
        do(client, account, "approve", amount=str(deposit))
        do(client, account, "deposit", amount=str(deposit))
    return account


# ---- a trade by the API ----------------------------------------------------------------------


def test_a_trade_from_ether_to_settlement(client: FlaskClient, chain: Field) -> None:
    sunny, cloudy = (register(client, chain, name, ETHER) for name in ("sunny", "cloudy"))
    chain.to((PERIOD - 1) * 1800)
    told = wanted(client, sunny.address, "submit_quote", period=PERIOD, volume=2_000, price=str(PRICE))
    assert told["returns"] == "1" and told["call"] == "submit_quote" and "offers" in told["says"]
    assert told["arguments"] == {"period": str(PERIOD), "volume": "2000", "price": str(PRICE)}
    do(client, sunny, "submit_quote", period=PERIOD, volume=2_000, price=str(PRICE))
    salt = b"\x07" * 32
    seal = seal_of(chain.record.chain_id, chain.market.address, 1, cloudy.address, PRICE, 1_500, salt)
    do(client, cloudy, "submit_bid", quote_id=1, seal="0x" + seal.hex())
    chain.to(PERIOD * 1800 - 1_200)
    do(client, cloudy, "reveal_bid", quote_id=1, price=str(PRICE), volume=1_500, salt="0x" + salt.hex())
    chain.to(PERIOD * 1800 - 600)
    state = do(client, cloudy, "match_bids", quote_id=1)
    assert [event["name"] for event in state["events"]] == ["BidConfirmed", "QuoteMatched"]
    assert state["events"][1]["fields"] == {"quote_id": "1", "sold": "1500"}
    do(client, cloudy, "buy_surplus", quote_id=1, volume=500)
    chain.to((PERIOD + 1) * 1800)
    readings = [
        {
            "user": user.address,
            "exported": exported,
            "imported": str(imported),
            "signature": "0x" + _reading(chain, name, user, exported, imported).hex(),
        }
        for name, user, exported, imported in (("sunny", sunny, 2_000, 0), ("cloudy", cloudy, 0, 2_000))
    ]
    told = wanted(client, sunny.address, "submit_readings", period=PERIOD, readings=readings)
    assert told["returns"] == "3", "a bit for each"
    do(client, sunny, "submit_readings", period=PERIOD, readings=readings)
    chain.to((PERIOD + 1) * 1800 + 600)
    do(client, chain.owner, "settle_quote", quote_id=1)
    state = do(client, chain.owner, "settle_accounts", period=PERIOD, users=[sunny.address, cloudy.address])
    assert [event["name"] for event in state["events"]].count("AccountSettled") == 2
    free = chain.market.view("account", cloudy.address).balance
    do(client, cloudy, "withdraw", amount=str(free))
    do(client, cloudy, "redeem", amount=str(free))


def _reading(chain: Field, name: str, user: Account, exported: int, imported: int) -> bytes:
    chain_id = chain.record.chain_id
    return Meter(name).sign_reading(chain.market.address, user.address, PERIOD, exported, imported, chain_id)


def test_the_api_makes_what_the_chain_takes(client: FlaskClient, chain: Field) -> None:
    account = chain.account("anna")
    told = wanted(client, account.address, "mint", value=10**18)["transaction"]
    assert told["to"] == chain.record.token and int(told["value"], 16) == 10**18
    assert told["from"] == account.address and int(told["chainId"], 16) == 7_357
    assert int(told["nonce"], 16) == 0 and int(told["gas"], 16) > 21_000 and int(told["maxFeePerGas"], 16) > 0


# ---- refusals --------------------------------------------------------------------------------


def test_the_contracts_refusal_is_told_in_words(client: FlaskClient, chain: Field) -> None:
    anna = chain.account("anna")
    told = wanted(client, anna.address, "submit_quote", 409, period=PERIOD, volume=1, price=str(PRICE))
    assert told["reason"] == "accounts: not authorised" and "authorise" in told["hint"]
    assert told["error"] == f"{told['reason']}: {told['hint']}"
    sunny = register(client, chain, "sunny")
    for call, arguments, reason, part in (
        ("deposit", {"amount": 5}, "erc20: insufficient allowance", "approve more first"),
        ("withdraw", {"amount": 5}, "ledger: insufficient balance", "0.00 p of the sender's is free"),
        (
            "submit_quote",
            {"period": PERIOD, "volume": 1, "price": 1},
            "quotes: price out of band",
            "6.20 p/kWh to 17.80",
        ),
        ("submit_quote", {"period": 5, "volume": 1, "price": PRICE}, "clock: wrong phase", "period 5 is in CLOSING"),
        ("match_bids", {"quote_id": 7}, "quotes: unknown quote", "no quote of that number"),
        ("revoke", {"user": sunny.address}, "ownable: caller is not the owner", "only the owner"),
        ("transfer", {"to": anna.address, "amount": 1}, "erc20: transfer amount exceeds balance", "holds 0.00 p"),
    ):
        told = wanted(client, sunny.address, call, 409, 0, **arguments)
        assert told["reason"] == reason and part in told["hint"], told


def test_a_transaction_that_failed_says_why(client: FlaskClient, chain: Field) -> None:
    """Whoever signs something else than was tried, learns of the refusal afterwards."""
    sunny = register(client, chain, "sunny", ETHER)
    told = wanted(client, sunny.address, "submit_quote", period=PERIOD, volume=2_000, price=str(PRICE))
    raw = signed(sunny, told["transaction"])
    again = signed(sunny, told["transaction"], nonce=int(told["transaction"]["nonce"], 16) + 1)
    post(client, "relay", {"raw": raw}, 202)
    found = post(client, "relay", {"raw": again}, 202)
    state = get(client, f"transactions/{found['hash']}")
    assert (state["state"], state["reason"]) == ("refused", "quotes: already quoted")
    assert "once" in state["hint"] and state["block"] and state["gas_used"]


def test_every_reason_has_a_sentence() -> None:
    assert HINTS.keys() == REPL_HINTS.keys()
    assert all(hint and "\n" not in hint for hint in HINTS.values())


def test_no_ether_no_transaction(client: FlaskClient, chain: Field) -> None:
    poor = Account.of_seed("poor")
    told = wanted(client, poor.address, "mint", 409, value=10**18)
    assert "node refuses" in told["error"] and "\n" not in told["error"]


# ---- what is asked ---------------------------------------------------------------------------


def test_a_sealed_bids_price_never_comes_here(client: FlaskClient, chain: Field) -> None:
    secret = "0x" + 64 * "7"
    told = wanted(client, chain.owner.address, "submit_bid", 422, quote_id=1, price=77_777, volume=5, salt=secret)
    assert set(told["fields"]) == {"price", "volume", "salt", "seal"}
    assert all("stays at home" in told["fields"][name] for name in ("price", "volume", "salt"))
    assert "77777" not in json.dumps(told) and secret not in json.dumps(told)


@pytest.mark.parametrize(
    ("call", "body", "field"),
    [
        ("deposit", {"sender": "0x12", "arguments": {"amount": 1}}, "sender"),
        ("deposit", {"arguments": {"amount": 1}}, "sender"),
        ("deposit", {"sender": 5}, "sender"),
        ("deposit", {"sender": "0x" + 40 * "1"}, "amount"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": {"amount": -1}}, "amount"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": {"amount": 1.5}}, "amount"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": {"amount": True}}, "amount"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": {"amount": str(2**256)}}, "amount"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": {"amount": "٣"}}, "amount"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": {"amount": 1, "more": 2}}, "more"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": {"amount": 1}, "value": 5}, "value"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": [1]}, "arguments"),
        ("deposit", {"sender": "0x" + 40 * "1", "arguments": {"amount": 1}, "key": "0x1"}, "key"),
        ("mint", {"sender": "0x" + 40 * "1", "value": "much"}, "value"),
        (
            "register",
            {"sender": "0x" + 40 * "1", "arguments": {"profile": "0x", "meter": 1}},
            "meter",
        ),
        ("settle_accounts", {"sender": "0x" + 40 * "1", "arguments": {"period": 1, "users": []}}, "users"),
        ("settle_accounts", {"sender": "0x" + 40 * "1", "arguments": {"period": 1, "users": ["0x"]}}, "users"),
        ("submit_readings", {"sender": "0x" + 40 * "1", "arguments": {"period": 1, "readings": [{}]}}, "readings"),
        ("submit_readings", {"sender": "0x" + 40 * "1", "arguments": {"period": 1, "readings": 65 * [{}]}}, "readings"),
    ],
)
def test_odd_arguments_are_named(idle: FlaskClient, call: str, body: dict[str, Any], field: str) -> None:
    told = post(idle, f"transactions/{call}", body, 422)
    assert field in told["fields"] and "\n" not in told["fields"][field]


def test_every_call_of_the_contracts_can_be_made(client: FlaskClient, chain: Field) -> None:
    functions = chain.market.interface.functions.values()
    assert {each.name for each in functions if not each.is_view} == {
        call.name for call in CALLS.values() if call.to == "market"
    }
    for each in functions:
        if not each.is_view:
            call = CALLS[each.name]
            assert [one.name for one in call.arguments] == each.names
            assert [one.kind for one in call.arguments] == each.types, READINGS
    token = chain.market.token.interface.functions
    for call in (call for call in CALLS.values() if call.to == "token"):
        names = [one.name for one in call.arguments]
        assert token[call.name].names == (["spender"] if call.takes_market else []) + names
    listed = get(client, "transactions")["calls"]
    assert [row["call"] for row in listed] == list(CALLS)


# ---- the relay -------------------------------------------------------------------------------


def test_only_the_markets_transactions_are_relayed(client: FlaskClient, chain: Field) -> None:
    account = chain.account("anna")
    told = wanted(client, account.address, "mint", value=5)["transaction"]
    elsewhere = post(client, "relay", {"raw": signed(account, told, to=account.address)}, 422)
    assert "elsewhere" in elsewhere["error"]
    creation = {name: each for name, each in told.items() if name != "to"} | {"to": "0x"}
    assert "elsewhere" in post(client, "relay", {"raw": signed(account, creation, to=b"")}, 422)["error"]
    other = post(client, "relay", {"raw": signed(account, told, chainId=1)}, 422)
    assert "chain 1" in other["error"]
    assert chain.node.call("eth_getTransactionCount", account.address, "pending") == "0x0", "nothing was sent"


@pytest.mark.parametrize(
    "raw", ["0x", "0x02", "0x0", "02f8", "0x" + 200 * "ff", "0x02" + 300 * "c0", "0xc0", "0x03" + 90 * "00"]
)
def test_what_is_no_transaction_is_refused(idle: FlaskClient, raw: str) -> None:
    told = post(idle, "relay", {"raw": raw}, 422)
    assert told["error"].startswith("raw: ")


@pytest.mark.parametrize("kind", [b"\x02", b"", b"\x01", b"\x03"])
def test_lists_in_lists_without_end_are_refused(idle: FlaskClient, kind: bytes) -> None:
    heads, length = [], 0
    while length < MAX_RAW - 8:
        size = length.to_bytes((length.bit_length() + 7) // 8, "big")
        heads.append(bytes([0xC0 + length]) if length < 56 else bytes([0xF7 + len(size)]) + size)
        length += len(heads[-1])
    told = post(idle, "relay", {"raw": "0x" + (kind + b"".join(reversed(heads))).hex()}, 422)
    assert told["error"].startswith("raw: ")


def test_a_transaction_is_relayed_once_however_often_it_comes(client: FlaskClient, chain: Field) -> None:
    account = chain.account("anna")
    raw = signed(account, wanted(client, account.address, "mint", value=5)["transaction"])
    first = post(client, "relay", {"raw": raw}, 202)
    told = chain.node.call("eth_getTransactionCount", account.address, "pending")
    answer = client.post("/api/v1/relay", json={"raw": raw})
    assert answer.status_code in (202, 409)
    assert chain.node.call("eth_getTransactionCount", account.address, "pending") == told == "0x1"
    assert get(client, f"transactions/{first['hash']}")["state"] == "accepted"


def test_a_legacy_transaction_is_relayed(client: FlaskClient, chain: Field) -> None:
    account = chain.account("anna")
    told = wanted(client, account.address, "mint", value=5)["transaction"]
    legacy = {name: each for name, each in told.items() if name not in ("type", "maxFeePerGas", "maxPriorityFeePerGas")}
    raw = signed(account, legacy | {"gasPrice": told["maxFeePerGas"]})
    found = post(client, "relay", {"raw": raw}, 202)
    assert get(client, f"transactions/{found['hash']}")["state"] == "accepted"


def test_states_of_transactions(client: FlaskClient, chain: Field) -> None:
    assert get(client, "transactions/0x" + 64 * "1")["state"] == "unknown"
    get(client, "transactions/0x12", 404)
    chain.chain.automine = False
    try:
        account = chain.account("anna")
        raw = signed(account, wanted(client, account.address, "mint", value=5)["transaction"])
        found = post(client, "relay", {"raw": raw}, 202)
        assert get(client, f"transactions/{found['hash']}")["state"] == "pending"
        chain.to(chain.now + 1)
        told = get(client, f"transactions/{found['hash']}")
        assert told["state"] == "accepted" and [event["name"] for event in told["events"]] == ["Transfer", "Minted"]
    finally:
        chain.chain.automine = True


# ---- nodes that cannot be used ---------------------------------------------------------------


def test_a_node_that_is_down_or_of_another_chain_is_503(chain: Field, tmp_path: Any) -> None:
    down = create_app(begun(tmp_path / "a.db", chain.record), chain.record, Address.of("http://127.0.0.1:9"), UNLIMITED)
    told = wanted(down.test_client(), chain.owner.address, "mint", 503, value=1)
    assert "127.0.0.1" in told["error"] and "\n" not in told["error"]
    other = dataclasses.replace(chain.record, chain_id=5)
    app = create_app(begun(tmp_path / "b.db", other), other, chain.node.address, UNLIMITED)
    told = wanted(app.test_client(), chain.owner.address, "mint", 503, value=1)
    assert "another chain" in told["error"]


def test_a_chain_that_was_started_anew_behind_the_server_is_503(
    chain: Field, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same chain ID and the same address, and no market there."""
    anna = chain.account("anna")
    assert wanted(client, anna.address, "mint", value=1)
    chain.chain.__init__(7_357, START + 1)  # type: ignore[misc]
    chain.account("anna")
    client.application.extensions[EXTENSION].look.due = time.monotonic()
    for _ in range(2):
        told = wanted(client, anna.address, "mint", 503, value=1)
        assert "first block is not the market's" in told["error"] and "\n" not in told["error"]


def test_a_node_that_never_answers_keeps_nobody_else(
    chain: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many requests as may wait for it do; the next is told so at once, and whoever asks the store is answered."""
    monkeypatch.setattr(transactions, "TIMEOUT", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address.of(f"http://127.0.0.1:{silent.getsockname()[1]}")
        app = create_app(begun(tmp_path / "a.db", chain.record), chain.record, address, UNLIMITED)
        body = {"sender": chain.owner.address, "value": "1"}
        with serving(app) as url, ThreadPoolExecutor(MAX_ASKING) as many:

            def ask() -> requests.Response:
                return requests.post(f"{url}/api/v1/transactions/mint", json=body, timeout=30)

            waiting = [many.submit(ask) for _ in range(MAX_ASKING)]
            slots, end = app.extensions[EXTENSION].asking, time.monotonic() + 30
            while slots.held < MAX_ASKING and time.monotonic() < end:
                time.sleep(0.01)
            busy = ask()
            assert busy.status_code == 503 and busy.headers["Retry-After"] == "1" and "others" in busy.json()["error"]
            assert requests.get(f"{url}/api/v1/status", timeout=30).status_code == 200
            assert {one.result().status_code for one in waiting} == {503}
            assert slots.held == 0


def test_a_key_in_the_nodes_address_is_never_told(chain: Field, tmp_path: Any) -> None:
    address = Address.of("http://me:sesame@127.0.0.1:9/v3/0123456789abcdef")
    app = create_app(begun(tmp_path / "a.db", chain.record), chain.record, address, UNLIMITED)
    text = json.dumps(wanted(app.test_client(), chain.owner.address, "mint", 503, value=1))
    assert "sesame" not in text and "0123456789abcdef" not in text
