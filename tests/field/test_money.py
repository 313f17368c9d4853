"""Money of an account goes into the market and out again: shown, asked, exact, and told in words where it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.field import ETHER, Ground, between, landed
from wattproof.chain.accounts import Account
from wattproof.chain.sending import nonce_of
from wattproof.evm.anvil import Anvil

KEY = "0x" + 31 * "00" + "09"
SUPPLIER = Account(bytes.fromhex(KEY[2:])).address


@pytest.fixture(scope="module")
def ground(has_anvil: None) -> Iterator[Ground]:
    """A market on a node that makes a block of each transaction."""
    with Anvil(chain_id=7_357) as node:
        ground = Ground.on(node)
        node.endow(SUPPLIER, 10 * ETHER)
        node.rpc("evm_setAutomine", True)
        yield ground


@pytest.fixture
def run(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Runs a command of SUPPLIER's; returns the exit code. The chain is as before afterwards."""
    monkeypatch.setenv("WATTPROOF_KEY", KEY)
    with ground.commands(tmp_path) as run:
        yield run


def free(ground: Ground) -> int:
    """Base units of SUPPLIER's that are free in the market."""
    return ground.market.view("account", SUPPLIER).balance


def test_ether_becomes_money_in_the_market_and_leaves_it(
    ground: Ground, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("deposit", "2.000000000000000001", "--mint", "--yes") == 0
    told = capsys.readouterr().out
    assert free(ground) == 2 * ETHER + 1
    assert "free in the market now: 0 WATT" in told and "free in the market now: 2.000000000000000001 WATT" in told
    assert (
        told.index("mint 2.000000000000000001 WATT for") < told.index("let the market take") < told.index("deposit 2")
    )
    assert run("withdraw", "0.5", "--yes") == 0
    assert free(ground) == 3 * ETHER // 2 + 1
    assert ground.market.token.view("balanceOf", SUPPLIER) == ETHER // 2
    capsys.readouterr()
    # Of what is there nothing is minted again.
    assert run("deposit", "0.75", "--mint", "--yes") == 0
    assert "mint 0.25 WATT for 0.25 ether" in capsys.readouterr().out
    assert (free(ground), ground.market.token.view("balanceOf", SUPPLIER)) == (9 * ETHER // 4 + 1, 0)


def test_a_deposit_that_was_stopped_goes_on(
    ground: Ground, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the node takes two transactions and no more, the next run mints and approves nothing again."""
    taken: list[str] = []

    def at_most_two(question: Any) -> None:
        if isinstance(question, dict) and question["method"] == "eth_sendRawTransaction":
            taken.append(question["method"])
            if len(taken) > 2:
                raise ConnectionError

    with between(ground.anvil, at_most_two) as rpc:
        assert run("deposit", "3", "--mint", "--yes", rpc=rpc) == 2
    assert free(ground) == 0
    capsys.readouterr()
    assert run("deposit", "3", "--mint", "--yes") == 0
    told = capsys.readouterr().out
    assert "mint" not in told and "let the market" not in told
    assert free(ground) == 3 * ETHER


@pytest.mark.parametrize(
    "command, told",
    [
        (["deposit", "1"], "has 0 WATT, not 1 WATT; --mint turns ether into them"),
        (["deposit", "11", "--mint"], "has 10 ether and needs up to 11."),
        (["deposit", "1e3"], "'1e3' is no amount of WATT"),
        (["deposit", "0.0000000000000000001"], "at most 18 decimals"),
        (["withdraw", "1"], "insufficient balance; "),
    ],
)
def test_what_cannot_be_moved_is_one_line(
    command: list[str], told: str, ground: Ground, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = nonce_of(ground.node, SUPPLIER)
    assert run(*command, "--yes") == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1
    assert nonce_of(ground.node, SUPPLIER) == before


def test_another_token_is_not_minted(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deployment.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"token_symbol": "EUR"}))
    assert run("deposit", "1", "--mint", "--yes") == 2
    assert "is not minted for ether: leave --mint out" in capsys.readouterr().err


def test_the_operators_guide_tells_of_both() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    _, _, chapter = guide.partition("\n## Money\n")
    chapter, _, _ = chapter.partition("\n## ")
    assert "\nwattproof deposit " in chapter and "\nwattproof withdraw " in chapter
    for said in ("is not minted for ether", "insufficient balance", "has 0 WATT, not 1 WATT"):
        assert said in chapter


def test_nothing_is_sent_unasked(ground: Ground, run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    before = nonce_of(ground.node, SUPPLIER)
    assert run("deposit", "1", "--mint") == 2
    told = capsys.readouterr()
    assert "no terminal" in told.err and "deposit 1 WATT" in told.out
    assert nonce_of(ground.node, SUPPLIER) == before


def test_transactions_for_a_wallet_to_sign(
    ground: Ground, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wallet = ground.anvil.rpc("eth_accounts")[1]
    monkeypatch.delenv("WATTPROOF_KEY")
    assert run("deposit", "1", "--mint", "--print-transactions", "--from", wallet) == 0
    told = json.loads(capsys.readouterr().out)["transactions"]
    assert len(told) == 3
    for each in told:
        assert landed(ground.anvil, each["transaction"]).status
    assert ground.market.view("account", wallet).balance == ETHER
