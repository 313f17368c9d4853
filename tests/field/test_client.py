"""The Python client: typed lists, frames, sealed bids whose salts are kept, and no blind signatures."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from eth_account import Account as Signer

from tests.support import kept
from tests.support.api import ETHER, UNLIMITED, Field, field, serving
from wattproof.chain.accounts import Account
from wattproof.client import ApiError, Client
from wattproof.client.frames import named
from wattproof.client.salts import Salts
from wattproof.market.meters import Meter
from wattproof.outputs import BadPlace
from wattproof.serve.app import create_app
from wattproof.serve.limits import Rate

PRICE = 9 * 10**13


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> kept.Day:
    """Six half-hours, and an alarm."""
    day = kept.play(tmp_path_factory.mktemp("day"), range(22, 28))
    day.add_block([kept.ALARM])
    return day


@pytest.fixture(scope="module")
def client(day: kept.Day) -> Iterator[Client]:
    """A client of that day."""
    with serving(create_app(day.url, day.record, rate=UNLIMITED)) as url, Client(url) as found:
        yield found


# ---- lists and frames ------------------------------------------------------------------------


def test_lists_have_all_pages_and_exact_numbers(client: Client, day: kept.Day) -> None:
    trades = client.trades()
    counts = client.status().counts
    assert len(trades) > 100
    assert len(client.events()) == counts["events"] > 400, "more than two pages"
    assert trades == sorted(trades, key=lambda trade: (trade.quote_id, trade.index)), "the oldest first"
    assert client.trade(trades[5].quote_id, trades[5].index) == trades[5]
    bills = {day.names[bill.household]: bill for bill in client.bills()}
    assert {name: (bill.market, bill.saving) for name, bill in bills.items()} == {
        name: (bill.market, bill.saving) for name, bill in day.day.bills.items()
    }
    some = client.bids(bidder=trades[0].buyer)
    assert some and {bid.bidder for bid in some} == {trades[0].buyer}
    assert client.bid(some[0].quote_id, some[0].bidder) == some[0]
    assert client.quote(some[0].quote_id) in client.quotes(status="SETTLED")


def test_single_things(client: Client) -> None:
    status = client.status()
    period = client.periods()[-1]
    assert client.period(period.period) == period and isinstance(period.sdr, Decimal)
    assert client.phase(period.period).period == period.period
    assert [phase.phase for phase in client.phases()][-1] == "BIDDING"
    user = client.accounts(role="household")[0]
    assert client.account(user.address) == user
    reading = client.readings(user=user.address)[0]
    assert client.reading(user.address, reading.period) == reading
    position = client.positions(user=user.address)[0]
    assert client.position(user.address, position.period) == position
    assert client.alarm(status.counts["blocks"], 0) == client.alarms()[0]
    assert client.block(1) == client.blocks()[0]
    assert client.invariants().alarms == 1
    assert {index.name for index in client.indices() if index.value is None} == {"energy_balance", "self_sufficiency"}
    assert client.calls(function="match_bids")[0].accepted and client.events(name="QuoteMatched")
    assert client.unsold() and client.defaults(kind="import")


def test_frames_are_exact_and_know_their_times(client: Client, day: kept.Day) -> None:
    for name in ("quotes", "bids", "trades", "unsold", "readings", "positions", "accounts", "bills", "periods",
                 "defaults", "alarms", "blocks", "calls", "events"):  # fmt: skip
        frame = getattr(client.frames, name)()
        assert len(frame) == len(getattr(client, name)()) > 0, name
    trades = client.frames.trades()
    assert str(trades["volume_wh"].dtype) == "Int64" and str(trades["settled"].dtype) == "boolean"
    assert sum(trades["payment"]) == sum(bill.paid for bill in day.day.bills.values())
    balances = client.frames.accounts()["balance"]
    assert balances.dtype == object and max(balances) > 2**63, "whole numbers of any size"
    periods = client.frames.in_zone("Europe/London").periods()
    assert str(periods["starts"].dt.tz) == "Europe/London"
    assert set(periods["ends"] - periods["starts"]) == {pd.Timedelta(minutes=30)}
    assert str(periods["sdr"].dtype) == "Float64"
    by_name = named(client.frames.bills(), day.names)
    assert set(by_name["household"]) == set(day.names.values())
    empty = client.frames.defaults(user=day.record.supplier)
    assert len(empty) == 0 and list(empty.columns) == list(client.frames.defaults().columns)


def test_a_stream_is_read(client: Client, day: kept.Day) -> None:
    stream = client.stream()
    first = next(stream)
    assert first.kind == "block" and first.id
    block = day.add_block([kept.ALARM])
    assert [next(stream).kind, next(stream).data["number"]] == ["alarm", block.number]
    again = client.stream(first.id)
    assert next(again).kind == "alarm"


# ---- what goes wrong -------------------------------------------------------------------------


def test_errors_are_one_line_with_the_servers_words(client: Client) -> None:
    with pytest.raises(ApiError, match=r"^quote 999: nothing of it was seen") as caught:
        client.quote(999)
    assert caught.value.status == 404 and "\n" not in str(caught.value)
    with pytest.raises(ApiError, match=r"^colour: there is no such argument$") as caught:
        client.quotes(colour="red")
    assert caught.value.fields == {"colour": "there is no such argument"}
    with pytest.raises(ApiError, match="--rpc"):
        client.sending.state("0x" + 64 * "1")


@pytest.mark.parametrize("url", ["", "localhost", "ftp://a", "http://", "http://a:99999", "http://[::1"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ApiError, match="written as http"):
        Client(url)


def test_a_server_that_is_down() -> None:
    with pytest.raises(ApiError, match=r"127\.0\.0\.1:9 cannot be asked .*wattproof serve"):
        Client("http://127.0.0.1:9").status()


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"items": 5}', b"[" * 5_000, b'{"items": [{}]}'])
def test_a_server_of_something_else(answer: bytes) -> None:
    with answering(answer) as url:
        for ask in (Client(url).status, Client(url).quotes, Client(url).indices, Client(url).frames.bills):
            with pytest.raises(ApiError) as caught:
                ask()
            assert "\n" not in str(caught.value)


def test_who_asks_too_often_waits(day: kept.Day) -> None:
    """Two requests at once, and twenty in a second: none fails."""
    with serving(create_app(day.url, day.record, rate=Rate(20.0, 2))) as url:
        client = Client(url)
        assert [client.block(1).number for _ in range(5)] == [1] * 5


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that says the same to whatever is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


# ---- transactions ----------------------------------------------------------------------------


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Field]:
    """A market on a chain of its own."""
    with field(tmp_path) as found:
        yield found


@pytest.fixture
def remote(chain: Field) -> Iterator[Client]:
    """A client of that market."""
    with serving(chain.app) as url, Client(url) as found:
        yield found


def household(chain: Field, remote: Client, name: str) -> Account:
    """A household with leave to trade, and money."""
    account, meter, send = chain.account(name), Meter(name), remote.sending.send
    signature = meter.sign_pairing(chain.market.address, account.address, bytes(32), chain.record.chain_id)
    remote.sending.wait(send(account, "register", profile=bytes(32), meter=meter.address, signature=signature))
    send(chain.owner, "authorize", user=account.address, capacity=11_500)
    send(account, "mint", value=ETHER)
    send(account, "approve", amount=ETHER)
    remote.sending.wait(send(account, "deposit", amount=ETHER))
    return account


def test_a_trade_by_the_client(chain: Field, remote: Client, tmp_path: Path) -> None:
    sunny, cloudy = household(chain, remote, "sunny"), household(chain, remote, "cloudy")
    send, salts = remote.sending.send, tmp_path / "salts.jsonl"
    period = chain.now // 1800 + 3
    send(sunny, "submit_quote", period=period, volume=2_000, price=PRICE)
    done = remote.sending.wait(remote.sending.bid(cloudy, 1, PRICE, 1_500, salts))
    assert [event.name for event in done.events] == ["BidSealed"]
    assert stat.S_IMODE(salts.stat().st_mode) == 0o600
    (sealed,) = Salts(salts).find(chain.record.chain_id, chain.market.address, 1, cloudy.address)
    assert (sealed.price, sealed.volume) == (PRICE, 1_500) and sealed.salt not in repr(sealed)
    assert done.events[0].fields["seal"] == sealed.seal
    chain.to(period * 1800 - 1_200)
    assert remote.sending.wait(remote.sending.reveal(cloudy, 1, salts)).state == "accepted"
    bid = chain.market.view("bid", 1, cloudy.address)
    assert (bid.price, bid.volume) == (PRICE, 1_500)


def test_the_salt_is_on_the_disk_before_anything_is_sent(chain: Field, remote: Client, tmp_path: Path) -> None:
    """What the server refuses, or cannot be sent, leaves a salt; where no salt can be kept, nothing is sent."""
    anna = chain.account("anna")
    salts = tmp_path / "salts.jsonl"
    with pytest.raises(ApiError, match="accounts: not authorised") as caught:
        remote.sending.bid(anna, 1, PRICE, 5, salts)
    assert caught.value.reason == "accounts: not authorised" and caught.value.hint
    assert len(Salts(salts).find(chain.record.chain_id, chain.market.address, 1, anna.address)) == 1
    seen: list[str] = []
    remote.server.post = lambda path, body: seen.append(path)  # type: ignore[method-assign]
    with pytest.raises(BadPlace, match="nothing was sent"):
        remote.sending.bid(anna, 1, PRICE, 5, tmp_path / "none" / "salts")
    assert not seen


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path, chain: Field, remote: Client) -> None:
    salts, anna = tmp_path / "salts", chain.account("anna")
    for _ in range(2):
        with pytest.raises(ApiError):
            remote.sending.bid(anna, 1, PRICE, 5, salts)
        with salts.open("ab") as file:
            file.write(b'{"chain_id": 7357, "sal')
    assert len(Salts(salts).find(chain.record.chain_id, chain.market.address, 1, anna.address)) == 2


def test_of_several_salts_the_one_that_was_accepted_opens(chain: Field, remote: Client, tmp_path: Path) -> None:
    sunny, cloudy = household(chain, remote, "sunny"), household(chain, remote, "cloudy")
    salts, period = tmp_path / "salts", chain.now // 1800 + 3
    remote.sending.send(sunny, "submit_quote", period=period, volume=2_000, price=PRICE)
    remote.sending.bid(cloudy, 1, PRICE, 1_500, salts)
    with pytest.raises(ApiError, match="bids: already bid"):
        remote.sending.bid(cloudy, 1, PRICE, 1_400, salts)
    chain.to(period * 1800 - 1_200)
    assert remote.sending.wait(remote.sending.reveal(cloudy, 1, salts)).state == "accepted"
    assert chain.market.view("bid", 1, cloudy.address).volume == 1_500
    with pytest.raises(ApiError, match="bids: nothing to open"):
        remote.sending.reveal(cloudy, 1, salts)
    with pytest.raises(ApiError, match="holds no bid"):
        remote.sending.reveal(sunny, 1, salts)


def test_a_refusal_is_told_in_the_contracts_words(chain: Field, remote: Client) -> None:
    anna = chain.account("anna")
    with pytest.raises(ApiError, match=r"^ownable: caller is not the owner: only the owner") as caught:
        remote.sending.send(anna, "revoke", user=anna.address)
    assert caught.value.status == 409
    odd: list[tuple[str, dict[str, Any]]] = [("fly", {}), ("deposit", {}), ("deposit", {"amount": 1, "more": 2})]
    odd += [("deposit", {"amount": -1}), ("revoke", {"user": "anna"}), ("submit_bid", {"quote_id": 1, "seal": b"x"})]
    for call, arguments in odd:
        with pytest.raises(ApiError) as caught:
            remote.sending.send(anna, call, **arguments)
        assert "\n" not in str(caught.value)


COUNTED = "deposit: amount has to be a whole number, 0 or more and below 2**256 (money in base units, energy in Wh)"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"amount": -1}, f"{COUNTED}, not -1"),
        ({"amount": 2**256}, f"{COUNTED}, not {2**256}"),
        ({"amount": 1.5}, f"{COUNTED}, not 1.5"),
        ({"amount": True}, f"{COUNTED}, not True"),
        ({"amount": "5x"}, f"{COUNTED}, not '5x'"),
        ({}, "deposit takes amount (missing: amount)"),
        ({"amount": 1, "more": 2}, "deposit takes amount (not taken: more)"),
        ({"more": 2}, "deposit takes amount (missing: amount)"),
    ],
)
def test_an_argument_that_cannot_be_is_told_in_our_words(
    client: Client, day: kept.Day, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ApiError) as caught:
        client.sending.unsigned("deposit", Account.of_seed("anna").address, **arguments)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("to", "0x" + 40 * "6"),
        ("data", "0x095ea7b3" + 128 * "0"),
        ("value", "0x1"),
        ("chainId", "0x1"),
        ("maxFeePerGas", hex(10**18)),
        ("gas", "0xffffffffffff"),
        ("to", None),
        ("data", "0xzz"),
        ("gas", "much"),
    ],
)
def test_nothing_is_signed_but_what_was_asked_for(chain: Field, remote: Client, part: str, changed: Any) -> None:
    """A server that makes another transaction, or an expensive one, gets no signature."""
    anna = chain.account("anna")
    honest = remote.server.post
    sent: list[str] = []

    def lying(path: str, body: Any) -> Any:
        sent.append(path)
        answer = honest(path, body)
        answer["transaction"][part] = changed
        return answer

    remote.server.post = lying  # type: ignore[method-assign]
    with pytest.raises(ApiError, match=r"signed|version"):
        remote.sending.send(anna, "approve", amount=5)
    assert sent == ["transactions/approve"], "nothing was relayed"


def test_an_account_of_another_library_is_told_which_one_signs(chain: Field, remote: Client) -> None:
    with pytest.raises(TypeError, match=r"accounts\.Account, made by .*, not a LocalAccount$"):
        remote.sending.send(Signer.create(), "approve", amount=5)  # type: ignore[arg-type]


def test_a_transaction_in_no_block_is_waited_for(chain: Field, remote: Client) -> None:
    chain.chain.automine = False
    sent = remote.sending.send(chain.account("anna"), "mint", value=5)
    with pytest.raises(ApiError, match=r"in no block after 0\.1 s"):
        remote.sending.wait(sent, 0.1)
    chain.to(chain.now + 1)
    assert remote.sending.wait(sent, 5).block


def test_the_salt_never_reaches_the_server_before_the_opening(chain: Field, remote: Client, tmp_path: Path) -> None:
    anna, told = chain.account("anna"), []
    honest = remote.server.post

    def listening(path: str, body: Any) -> Any:
        told.append(json.dumps(body))
        return honest(path, body)

    remote.server.post = listening  # type: ignore[method-assign]
    with pytest.raises(ApiError):
        remote.sending.bid(anna, 1, PRICE, 1_234, tmp_path / "salts")
    (sealed,) = Salts(tmp_path / "salts").find(chain.record.chain_id, chain.market.address, 1, anna.address)
    said = "".join(told)
    assert sealed.seal in said and sealed.salt not in said and "1234" not in said and str(PRICE) not in said
