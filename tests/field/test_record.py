"""deployment.json, and the market that it tells of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.support.field import Ground
from wattproof.chain.market import ChainMarket, NotTheMarket
from wattproof.chain.record import BadRecord, BlockId, CodeHashes, Record
from wattproof.market.tariff import PAPER
from wattproof.outputs import BadPlace
from wattproof.terms.model import Phase

SOME = to_checksum_address("0x" + 20 * "ab")
HASH = "0x" + 64 * "1"
RECORD = Record(
    7, HASH, BlockId(3, HASH), SOME, SOME, SOME, 18, "WATT", SOME, SOME, PAPER, CodeHashes(HASH, HASH, HASH), "0.1.0"
)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    for record in (RECORD, dataclasses.replace(RECORD, token_decimals=None, token_symbol="£")):
        record.write(path)
        assert Record.read(path) == record
    assert json.loads(path.read_text())["tariff"]["ssp"] == "180000000000000"


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    path.write_text("mine")
    with pytest.raises(BadPlace, match="move it"):
        RECORD.write(path)
    assert path.read_text() == "mine"


def changed(**what: Any) -> Callable[[dict[str, Any]], Any]:
    def change(told: dict[str, Any]) -> Any:
        for name, value in what.items():
            inner, _, key = name.rpartition("__")
            (told[inner] if inner else told)[key] = value
        return told

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda told: "",
        lambda told: [],
        lambda told: told | {"schema": "wattproof-deployment/2"},
        *(
            lambda told, name=name: {key: value for key, value in told.items() if key != name}
            for name in (
                "chain_id",
                "genesis",
                "block",
                "market",
                "lens",
                "token",
                "token_decimals",
                "owner",
                "supplier",
                "tariff",
                "code",
                "wattproof",
            )
        ),
        changed(chain_id=-1),
        changed(chain_id=True),
        changed(market="0x1234"),
        changed(market=SOME.lower()),
        changed(token_decimals=256),
        changed(token_symbol="a\nb"),
        changed(tariff__sbp="-1"),
        changed(tariff__ssp=1.5),
        changed(tariff__window=None),
        changed(tariff__other=1),
        changed(tariff__rank_by_price=0),
        changed(block__hash="0x"),
        changed(code__lens=None),
    ],
)
def test_a_file_that_is_no_record(change: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(change(json.loads(RECORD.text()))))
    with pytest.raises(BadRecord) as problem:
        Record.read(path)
    assert str(problem.value).startswith(f"{path}: ")
    assert "\n" not in str(problem.value)


def test_a_file_that_is_not_there_or_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="wattproof deploy"):
        Record.read(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadRecord, match="wattproof deploy"):
        Record.read(tmp_path / "binary")


# ---- the market on its chain ---------------------------------------------------------------


def test_views_calls_events_and_refusals(ground: Ground) -> None:
    market, user = ground.market, ground.account("reader")
    market.check()
    assert market.view("frame").supplier == ground.owner.address
    assert market.view("account", user.address).balance == 0
    assert market.view("phase", 0) == Phase.CLOSING
    assert market.view("quote_count") == 0
    data = market.data("submit_bid", 7, bytes(range(32)))
    assert market.decode_call(data) == ("submit_bid", (7, bytes(range(32))))
    receipt = ground.do(ground.owner, market.draft("transfer_ownership", user.address))
    fields = {"previous_owner": ground.owner.address, "new_owner": user.address}
    assert [market.event(log) for log in receipt.logs] == [("OwnershipTransferStarted", fields)]
    assert market.token.event(receipt.logs[0]) is None
    ground.do(ground.owner, market.draft("transfer_ownership", "0x" + 40 * "0"))


def test_calldata_that_is_not_exactly_a_call(ground: Ground) -> None:
    market = ground.market
    reading = (ground.owner.address, 3, 1, 2, bytes(65))
    for name, arguments in {
        "submit_reading": reading,
        "submit_readings": (3, [(ground.owner.address, 1, 2, b"\x01")]),
        "authorize": (ground.owner.address, 11_500),
        "accept_ownership": (),
    }.items():
        data = market.data(name, *arguments)
        assert market.decode_call(data) == (name, arguments)
        for odd in (data + b"\0", data[:-1], data[:3], b"\0\0\0\0" + data[4:]):
            assert market.decode_call(odd) is None, (name, odd.hex())
    high = market.data("authorize", ground.owner.address, 1)
    assert market.decode_call(high[:4] + b"\x01" + high[5:]) is None
    assert market.decode_call(b"") is None


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 8},
        {"genesis": HASH},
        {"code": CodeHashes(HASH, HASH, HASH)},
        {"market": SOME},
        {"lens": SOME},
        {"token": SOME},
    ],
)
def test_another_market_is_noticed(change: dict[str, Any], ground: Ground) -> None:
    with pytest.raises(NotTheMarket) as problem:
        ChainMarket(ground.node, dataclasses.replace(ground.record, **change)).check()
    assert "\n" not in str(problem.value)


def test_a_view_where_there_is_no_market(ground: Ground) -> None:
    with pytest.raises(NotTheMarket, match="right chain"):
        ChainMarket(ground.node, dataclasses.replace(ground.record, lens=SOME)).view("account", SOME)
    with pytest.raises(NotTheMarket, match="right chain"):
        ground.market.view("account", SOME, block=ground.record.genesis)
