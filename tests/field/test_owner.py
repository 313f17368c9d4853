"""What a market's owner does: authorise, revoke, hand over; shown, asked, tried, and told in words where refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.support.field import ETHER, Ground, landed, url
from wattproof.chain.accounts import Account
from wattproof.chain.sending import nonce_of
from wattproof.evm.anvil import Anvil
from wattproof.market.meters import Meter

KEY = "0x" + 31 * "00" + "07"
OWNER = Account(bytes.fromhex(KEY[2:]))
HEIR_KEY = "0x" + 31 * "00" + "08"
HEIR = Account(bytes.fromhex(HEIR_KEY[2:]))


@pytest.fixture(scope="module")
def ground(has_anvil: None) -> Iterator[Ground]:
    """A market of OWNER's, with a household that has registered, on a node that makes a block of each transaction."""
    with Anvil(chain_id=7_357) as node:
        ground = Ground.on(node, owner=OWNER)
        household, meter = ground.account("household"), Meter("household")
        signed = meter.sign_pairing(ground.market, household.address, bytes(32), chain_id=7_357)
        ground.do(household, ground.market.draft("register", bytes(32), meter.address, signed))
        node.endow(HEIR.address, ETHER)
        node.rpc("evm_setAutomine", True)
        yield ground


HOUSEHOLD = Account.of_seed("household").address


@pytest.fixture
def owner(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Runs a command of the owner's; returns the exit code. The chain is as before afterwards."""
    monkeypatch.setenv("WATTPROOF_KEY", KEY)
    with ground.commands(tmp_path) as run:
        yield run


def test_a_user_is_authorised_and_revoked(
    ground: Ground, owner: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert owner("authorize", HOUSEHOLD, "11500", "--yes") == 0
    assert "11,500 Wh" in capsys.readouterr().out
    account = ground.market.view("account", HOUSEHOLD)
    assert (account.authorized, account.capacity) == (True, 11_500)
    assert owner("revoke", HOUSEHOLD, "--yes") == 0
    assert not ground.market.view("account", HOUSEHOLD).authorized


def test_the_market_is_handed_over(
    ground: Ground, owner: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert owner("transfer-ownership", HEIR.address, "--yes") == 0
    assert ground.market.view("pending_owner") == HEIR.address
    assert owner("accept-ownership", "--yes") == 2
    assert f"{HEIR.address} is named" in capsys.readouterr().err
    monkeypatch.setenv("WATTPROOF_KEY", HEIR_KEY)
    assert owner("accept-ownership", "--yes") == 0
    assert ground.market.view("owner") == HEIR.address


@pytest.mark.parametrize(
    "command, told",
    [
        (["authorize", HEIR.address, "100"], "register first"),
        (["authorize", HOUSEHOLD, "16777216"], "below 2**24"),
        (["revoke", HOUSEHOLD], "nothing is to be done"),
        (["accept-ownership"], "names its successor first"),
    ],
)
def test_what_is_refused_says_what_to_do(
    command: list[str],
    told: str,
    ground: Ground,
    owner: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = nonce_of(ground.node, OWNER.address)
    assert owner(*command, "--yes") == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert nonce_of(ground.node, OWNER.address) == before


def test_somebody_else_is_told_who_the_owner_is(
    owner: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATTPROOF_KEY", HEIR_KEY)
    assert owner("revoke", HOUSEHOLD, "--yes") == 2
    assert f"{OWNER.address} is\n" in capsys.readouterr().err


def test_nothing_is_sent_unasked(ground: Ground, owner: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert owner("transfer-ownership", HEIR.address) == 2
    told = capsys.readouterr()
    assert "no terminal" in told.err
    assert HEIR.address in told.out
    assert int(ground.market.view("pending_owner"), 16) == 0


def test_another_chain_is_noticed(owner: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    for chain_id in (7_357, 7_358):
        with Anvil(chain_id=chain_id, timestamp=1_750_000_000) as other:
            assert owner("revoke", HOUSEHOLD, "--yes", rpc=url(other)) == 2
            err = capsys.readouterr().err
            assert "the market's chain" in err or "chain 7358, the market on 7357" in err
            assert err.count("\n") == 1


def test_without_money(ground: Ground, owner: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    ground.anvil.endow(OWNER.address, 10)
    assert owner("transfer-ownership", HEIR.address, "--yes") == 2
    assert "send it" in capsys.readouterr().err


def test_a_transaction_for_several_owners_to_sign(
    ground: Ground, owner: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wallet = to_checksum_address(ground.anvil.rpc("eth_accounts")[1])
    assert owner("transfer-ownership", wallet, "--yes") == 0
    monkeypatch.delenv("WATTPROOF_KEY")
    capsys.readouterr()
    assert owner("accept-ownership", "--print-transactions", "--from", wallet) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    (each,) = told["transactions"]
    landed(ground.anvil, each["transaction"])
    assert ground.market.view("owner") == wallet
