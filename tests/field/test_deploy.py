"""Deploying: what is sent is what was shown, nothing twice whenever it is killed, and what is wrong is one line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pexpect
import pytest
from boa.util.abi import abi_encode
from eth_account import Account as Signer
from eth_utils.address import to_checksum_address

from tests.support.field import ETHER, between, landed, url
from tests.support.tokens import deployer as odd
from wattproof.chain.accounts import Account
from wattproof.chain.deploy_journal import Journal, journal_of
from wattproof.chain.embedded.process import Embedded
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Node
from wattproof.chain.record import Record
from wattproof.chain.sending import Draft, Sender
from wattproof.cli import main
from wattproof.evm.anvil import Anvil

KEY = "0x" + 31 * "00" + "07"
OWNER = Account(bytes.fromhex(KEY[2:])).address
SUPPLIER = "0x" + 40 * "9"

TARIFF = """
sbp = 6.0000000000001
ssp = 18
fee = 0.2
period = 900
window = 300
priority_step = 0
rank_by_price = true
"""


@pytest.fixture(scope="module")
def chain(has_anvil: None) -> Iterator[Anvil]:
    """A node that makes a block of each transaction."""
    with Anvil(chain_id=7_358) as node:
        node.rpc("evm_setAutomine", True)
        yield node


@pytest.fixture
def anvil(chain: Anvil, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anvil]:
    """The same, as it was before, with an owner who has money and whose key is in the environment."""
    before = chain.rpc("evm_snapshot")
    chain.endow(OWNER, ETHER)
    monkeypatch.setenv("WATTPROOF_KEY", KEY)
    yield chain
    chain.rpc("evm_revert", before)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "deployment.json"


@pytest.fixture
def deploy(anvil: Anvil, out: Path) -> Callable[..., int]:
    """Runs `wattproof deploy --yes`; returns the exit code."""

    def deployed(*arguments: str, rpc: str = "") -> int:
        return main(["deploy", "--rpc", rpc or url(anvil), "--out", str(out), "--yes", *arguments])

    return deployed


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """The one line on stderr."""

    def told() -> str:
        err = capsys.readouterr().err
        assert err.count("\n") == 1, err
        assert KEY[-60:] not in err
        return err

    return told


def sent(anvil: Anvil) -> int:
    """How many transactions of the owner's are in blocks."""
    return int(anvil.rpc("eth_getTransactionCount", OWNER, "latest"), 16)


def market(anvil: Anvil, out: Path) -> ChainMarket:
    """The market that the file tells of, checked."""
    found = ChainMarket(Node(url(anvil)), Record.read(out))
    found.check()
    return found


# ---- what is deployed ----------------------------------------------------------------------


def test_the_market_is_as_it_was_shown(
    anvil: Anvil, out: Path, deploy: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tariff = tmp_path / "tariff.toml"
    tariff.write_text(TARIFF)
    assert deploy("--supplier", SUPPLIER, "--tariff", str(tariff)) == 0
    shown = capsys.readouterr().out
    for text in ("6.0000000000001 p/kWh = 0.060000000000001 WATT/kWh", "18.00 p/kWh", OWNER, SUPPLIER, "900 s"):
        assert text in shown
    found = market(anvil, out)
    frame = found.view("frame")
    assert frame.sbp == 60_000_000_000_001
    assert (frame.ssp, frame.service_fee) == (18 * 10**13, 2 * 10**12)
    assert (frame.period_length, frame.window, frame.priority_step, frame.rank_by_price) == (900, 300, 0, True)
    assert (frame.token, frame.supplier) == (found.record.token, SUPPLIER)
    assert found.view("owner") == OWNER == found.record.owner
    block = Node(url(anvil)).block(found.record.block.number)
    assert block is not None
    assert block.hash == found.record.block.hash
    for name, hash_ in found.record.code._asdict().items():
        assert f"{getattr(found.record, name)}, code {hash_}" in shown
    assert sent(anvil) == 3
    assert set(os.listdir(tmp_path)) == {"deployment.json", "tariff.toml"}
    assert KEY[-60:] not in shown + out.read_text()


def test_the_cost_that_was_shown_is_not_exceeded(
    anvil: Anvil, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = int(anvil.rpc("eth_getBalance", OWNER, "latest"), 16)
    assert deploy() == 0
    (cost,) = (text for text in capsys.readouterr().out.splitlines() if text.split()[0] == "cost")
    most = Decimal(cost.split(" gas and ")[1].split()[0]) * ETHER
    assert most / 4 < before - int(anvil.rpc("eth_getBalance", OWNER, "latest"), 16) <= most


def test_a_second_market_needs_another_file(
    anvil: Anvil, out: Path, deploy: Callable[..., int], line: Callable[[], str]
) -> None:
    assert deploy() == 0
    first = out.read_text()
    assert deploy() == 2
    assert "tells of the market" in line()
    assert out.read_text() == first
    assert sent(anvil) == 3


def test_the_embedded_chain_takes_it_as_well(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATTPROOF_KEY", KEY)
    with Embedded(chain_id=7_359) as node:
        node.rpc("evm_setAutomine", True)
        node.endow(OWNER, ETHER)
        assert main(["deploy", "--rpc", url(node), "--out", str(out), "--yes"]) == 0
        found = ChainMarket(Node(url(node)), Record.read(out))
        found.check()
        assert found.view("owner") == OWNER


# ---- the token -----------------------------------------------------------------------------


@pytest.fixture
def token(anvil: Anvil) -> Callable[..., str]:
    """Creates a token that describes itself as it is told; returns its address."""

    def created(decimals: int | None, symbol: str = "EURX", endless: bool = False) -> str:
        answer = b"" if decimals is None else decimals.to_bytes(32, "big")
        text = abi_encode("(string)", (symbol,))
        code = odd("OddToken").compiler_data.bytecode + abi_encode("(bytes,bytes,bool)", (answer, text, endless))
        account = Account.of_seed("token")
        anvil.endow(account.address, ETHER)
        sender = Sender(Node(url(anvil)), account)
        return str(sender.wait(sender.send(Draft(None, code)), 20).contract)

    return created


def test_prices_are_counted_in_the_decimals_of_the_token(
    anvil: Anvil, out: Path, deploy: Callable[..., int], token: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    at = token(6)
    assert deploy("--token", at) == 0
    assert "0.20 p/kWh = 0.002 EURX/kWh" in capsys.readouterr().out
    found = market(anvil, out)
    assert (found.record.token, found.record.token_decimals, found.record.token_symbol) == (at, 6, "EURX")
    frame = found.view("frame")
    assert (frame.token, frame.sbp, frame.ssp, frame.service_fee) == (at, 60, 180, 2)
    assert sent(anvil) == 2


@pytest.mark.parametrize(
    "decimals, endless, why",
    [(5, False, "5 decimals"), (None, False, "how many"), (26, False, "at most"), (6, True, "how many")],
)
def test_a_token_that_cannot_hold_the_prices(
    decimals: int | None,
    endless: bool,
    why: str,
    anvil: Anvil,
    deploy: Callable[..., int],
    token: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = token(decimals, endless=endless)
    assert deploy("--token", at) == 2
    told = capsys.readouterr()
    assert why in told.err
    assert told.err.count("\n") == 1
    assert sent(anvil) == 0


def test_a_token_that_is_none(anvil: Anvil, out: Path, deploy: Callable[..., int], line: Callable[[], str]) -> None:
    assert deploy("--token", SUPPLIER) == 2
    assert "no contract" in line()
    assert deploy() == 0
    lens = Record.read(out).lens
    out.unlink()
    assert deploy("--token", lens) == 2
    assert "no ERC-20" in line()


# ---- tariffs -------------------------------------------------------------------------------


def with_(key: str, value: str | None) -> str:
    lines = [text for text in TARIFF.splitlines() if not text.startswith(f"{key} ")]
    return "\n".join(lines + ([] if value is None else [f"{key} = {value}"])) + "\n"


@pytest.mark.parametrize(
    "text, named",
    [
        *(
            (with_(key, None), key)
            for key in ("sbp", "ssp", "fee", "period", "window", "priority_step", "rank_by_price")
        ),
        (TARIFF + "service_fee = 1\n", "service_fee"),
        (TARIFF + "[more]\n", "more"),
        (with_("sbp", "'6'"), "sbp"),
        (with_("sbp", "true"), "sbp"),
        (with_("sbp", "-6.0"), "sbp"),
        (with_("ssp", "inf"), "ssp"),
        (with_("ssp", "nan"), "ssp"),
        (with_("ssp", "1e99"), "ssp"),
        (with_("fee", "0.00000000000001"), "fee"),
        (with_("period", "900.0"), "period"),
        (with_("window", "-1"), "window"),
        (with_("priority_step", "'x'"), "priority_step"),
        (with_("rank_by_price", "1"), "rank_by_price"),
        (with_("window", "0"), "window"),
        (with_("sbp", "19"), "tariff.toml: ssp has to be at least sbp and twice the fee, which is 19.40 p/kWh"),
        (with_("fee", "6"), "tariff.toml: ssp has to be at least"),
        (with_("priority_step", "10001"), "priority"),
        ("sbp =", "TOML"),
        ("\ufeff", "TOML"),
        ("x" * 20_000, "too long"),
        ("a = " + 9_000 * "[", "TOML"),
    ],
)
def test_a_tariff_that_is_none(
    text: str, named: str, anvil: Anvil, deploy: Callable[..., int], tmp_path: Path, line: Callable[[], str]
) -> None:
    (tmp_path / "tariff.toml").write_text(text)
    assert deploy("--tariff", str(tmp_path / "tariff.toml")) == 2
    assert named in line()
    assert sent(anvil) == 0


def test_a_tariff_that_is_not_there(deploy: Callable[..., int], tmp_path: Path, line: Callable[[], str]) -> None:
    assert deploy("--tariff", str(tmp_path / "none")) == 2
    assert "none" in line()


# ---- before anything is sent ---------------------------------------------------------------


def test_it_asks(anvil: Anvil, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["deploy", "--rpc", url(anvil), "--out", str(out)]
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert "no terminal" in told.err
    assert "--yes" in told.err
    assert "supplier" in told.out

    class Terminal:
        answer = "n\n"

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return self.answer

    monkeypatch.setattr("sys.stdin", Terminal())
    assert main(arguments) == 1
    assert "nothing was sent" in capsys.readouterr().out
    assert sent(anvil) == 0
    assert not out.exists()
    Terminal.answer = "y\n"
    assert main(arguments) == 0
    assert market(anvil, out)


def test_without_money(anvil: Anvil, out: Path, deploy: Callable[..., int], line: Callable[[], str]) -> None:
    anvil.endow(OWNER, 10**12)
    assert deploy() == 2
    assert f"{OWNER} has 0.000001 ether and needs up to" in line()
    assert sent(anvil) == 0
    assert not out.exists()


def test_a_foreign_file_is_left_alone(
    anvil: Anvil, out: Path, deploy: Callable[..., int], line: Callable[[], str]
) -> None:
    out.write_text("mine")
    assert deploy() == 2
    assert "not of an earlier run" in line()
    out.unlink()
    journal_of(out).write_text("mine")
    assert deploy() == 2
    assert "in the way" in line()
    assert journal_of(out).read_text() == "mine"
    out.mkdir()
    assert deploy() == 2
    assert "no file" in line()
    assert sent(anvil) == 0


@pytest.mark.parametrize("rpc", ["nonsense", "http://127.0.0.1:1", "ws://127.0.0.1/key"])
def test_a_node_that_cannot_be_asked(rpc: str, deploy: Callable[..., int], line: Callable[[], str]) -> None:
    assert deploy(rpc=rpc) == 2
    assert "key" not in line()


def test_on_a_terminal_password_and_consent_are_asked_for(anvil: Anvil, out: Path, tmp_path: Path) -> None:
    keystore = tmp_path / "keystore"
    keystore.write_text(json.dumps(Signer.encrypt(bytes.fromhex(KEY[2:]), "right", kdf="pbkdf2", iterations=2)))
    arguments = ["-m", "wattproof", "deploy", "--rpc", url(anvil), "--out", str(out), "--account", str(keystore)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WATTPROOF_K")}
    said = io.StringIO()
    terminal = pexpect.spawn(sys.executable, arguments, env=environment, timeout=120, encoding="utf-8")
    terminal.logfile_read = said
    try:
        terminal.expect("password of .*: ")
        terminal.sendline("right")
        terminal.expect(r"send it\? \[y/N\] ")
        assert sent(anvil) == 0
        terminal.sendline("y")
        terminal.expect(pexpect.EOF)
        terminal.wait()
    finally:
        terminal.close(force=True)
    assert terminal.exitstatus == 0
    assert "right" not in said.getvalue()
    assert market(anvil, out)


def test_a_wrong_password_and_a_keystore_that_is_none(
    anvil: Anvil, deploy: Callable[..., int], tmp_path: Path, line: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keystore = tmp_path / "keystore"
    keystore.write_text(json.dumps(Signer.encrypt(bytes.fromhex(KEY[2:]), "right", kdf="pbkdf2", iterations=2)))
    monkeypatch.setenv("WATTPROOF_PASSWORD", "wrong")
    assert deploy("--account", str(keystore)) == 2
    assert "not its password" in line()
    keystore.write_text("{}")
    assert deploy("--account", str(keystore)) == 2
    assert "no encrypted keystore" in line()
    assert sent(anvil) == 0


def refusing(*methods: str) -> Callable[[Any, Any], Any]:
    """Answers as a node that does not have these methods."""

    def told(question: Any, answer: Any) -> Any:
        if isinstance(question, dict) and question["method"] in methods:
            error = {"code": -32601, "message": "the method does not exist/is not available"}
            return {"jsonrpc": "2.0", "id": question["id"], "error": error}
        return answer

    return told


def test_the_supplier_has_to_be_named_where_it_counts(
    anvil: Anvil, deploy: Callable[..., int], line: Callable[[], str]
) -> None:
    with between(anvil, told=refusing("anvil_getAutomine", "hardhat_getAutomine")) as rpc:
        assert deploy(rpc=rpc) == 2
        assert "--supplier" in line()
        assert deploy("--supplier", "0x" + 40 * "0", rpc=rpc) == 2
        assert "supplier is zero" in line()
        assert sent(anvil) == 0
        assert deploy("--supplier", SUPPLIER, rpc=rpc) == 0


@pytest.mark.parametrize("supplier", ["0x12", "sunny", "0xFB6916095CA1DF60bb79CE92CE3EA74C37C5D359"])
def test_an_address_that_is_mistyped(supplier: str, deploy: Callable[..., int]) -> None:
    with pytest.raises(SystemExit) as problem:
        deploy("--supplier", supplier)
    assert problem.value.code == 2


# ---- what nodes may do ---------------------------------------------------------------------


@pytest.mark.parametrize("code", ["0x", "0x6001", "more"])
def test_a_node_that_lies_about_code(
    code: str, anvil: Anvil, out: Path, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def lie(question: Any, answer: Any) -> Any:
        if isinstance(question, dict) and question["method"] == "eth_getCode" and answer["result"] != "0x":
            return answer | {"result": answer["result"] + "00" if code == "more" else code}
        return answer

    with between(anvil, told=lie) as rpc:
        assert deploy(rpc=rpc) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ask another node" in err
    assert sent(anvil) == 1
    assert not out.exists()
    assert deploy() == 0
    assert sent(anvil) == 3


class Killing:
    """Kills a process as soon as it has sent so many transactions, before or after the node has them."""

    def __init__(self, number: int, is_after: bool) -> None:
        self.number, self.is_after, self.count = number, is_after, 0
        self.process: subprocess.Popen[bytes] | None = None

    def asked(self, question: Any) -> None:
        if isinstance(question, dict) and question["method"] == "eth_sendRawTransaction":
            self.count += 1
            if not self.is_after:
                self._kill()

    def told(self, question: Any, answer: Any) -> Any:
        if self.is_after:
            self._kill()
        return answer

    def _kill(self) -> None:
        if self.count == self.number and self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)


@pytest.mark.parametrize("number, is_after", [(1, True), (2, False), (3, True)])
def test_killed_and_run_again_it_deploys_nothing_twice(
    number: int, is_after: bool, anvil: Anvil, out: Path, deploy: Callable[..., int]
) -> None:
    killing = Killing(number, is_after)
    with between(anvil, killing.asked, killing.told) as rpc:
        command = [sys.executable, "-m", "wattproof", "deploy", "--rpc", rpc, "--out", str(out), "--yes"]
        killing.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert killing.process.wait(120) == -signal.SIGKILL
    assert not out.exists()
    assert journal_of(out).exists()
    assert deploy() == 0
    assert market(anvil, out)
    assert sent(anvil) == 3
    assert not journal_of(out).exists()


def stopped(anvil: Anvil, deploy: Callable[..., int], number: int) -> None:
    """A deployment that ends as the node takes no more than so many transactions."""
    count = 0

    def counted(question: Any, answer: Any) -> Any:
        nonlocal count
        count += question["method"] == "eth_sendRawTransaction"
        return answer

    def lose(question: Any) -> None:
        if question["method"] == "eth_sendRawTransaction" and count == number:
            raise ConnectionAbortedError

    with between(anvil, lose, counted) as rpc:
        assert deploy(rpc=rpc) == 2
    assert sent(anvil) == number


def test_what_was_stopped_goes_on_with_the_same_only(
    anvil: Anvil, out: Path, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(anvil, deploy, 2)
    capsys.readouterr()
    assert deploy("--supplier", SUPPLIER) == 2
    err = capsys.readouterr().err
    assert "had supplier" in err
    assert err.count("\n") == 1
    with Anvil(chain_id=7_359) as other:
        other.rpc("evm_setAutomine", True)
        assert deploy(rpc=url(other)) == 2
    assert "had chain 7358, not 7359" in capsys.readouterr().err
    assert deploy() == 0
    assert "(is there)" in capsys.readouterr().out
    assert sent(anvil) == 3


def test_a_number_that_went_to_another_transaction(
    anvil: Anvil, out: Path, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = anvil.rpc("evm_snapshot")
    stopped(anvil, deploy, 2)
    # The chain went back, and the owner sent something else.
    anvil.rpc("evm_revert", before)
    anvil.endow(OWNER, ETHER)
    sender = Sender(Node(url(anvil)), Account(bytes.fromhex(KEY[2:])))
    sender.wait(sender.send(Draft(SUPPLIER, b"", value=1)), 20)
    assert deploy() == 0
    assert market(anvil, out)
    assert sent(anvil) == 4


def test_a_chain_that_went_back_gets_the_same_transactions(anvil: Anvil, out: Path, deploy: Callable[..., int]) -> None:
    before = anvil.rpc("evm_snapshot")
    stopped(anvil, deploy, 2)
    signed = json.loads(journal_of(out).read_text())["steps"]
    anvil.rpc("evm_revert", before)
    anvil.endow(OWNER, ETHER)
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(1_100_000_000))  # What is signed anew has another price.
    anvil.mine()
    assert deploy() == 0
    created = market(anvil, out).record.block
    (number,) = Node(url(anvil)).block(created.hash).hashes  # type: ignore[union-attr]
    assert anvil.rpc("eth_getRawTransactionByHash", number) == "0x" + signed["EnergyMarket"]["raw"]
    assert sent(anvil) == 3


def test_stopped_at_the_very_end_nothing_is_left_to_do(
    anvil: Anvil,
    out: Path,
    deploy: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Journal, "end", lambda _: None)
        assert deploy() == 0
    assert journal_of(out).exists()
    record = out.read_text()
    capsys.readouterr()
    assert deploy() == 0
    assert "nothing is left to do" in capsys.readouterr().out
    assert out.read_text() == record
    assert not journal_of(out).exists()
    assert sent(anvil) == 3


# ---- signed elsewhere ----------------------------------------------------------------------


def test_transactions_that_a_wallet_signs(
    anvil: Anvil, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATTPROOF_KEY")
    wallet = to_checksum_address(anvil.rpc("eth_accounts")[2])
    arguments = ["deploy", "--rpc", url(anvil), "--out", str(out), "--print-transactions", "--from", wallet]

    def printed() -> list[dict[str, Any]]:
        assert main(arguments) == 0
        return json.loads(capsys.readouterr().out)["transactions"]

    first = printed()
    assert [each["what"] for each in first] == [
        f"create {name}" for name in ("EnergyCredit", "EnergyMarket", "MarketLens")
    ]
    landed(anvil, first[0]["transaction"])
    rest = printed()
    assert [each["creates"] for each in rest] == [each["creates"] for each in first[1:]]
    for each in rest:
        landed(anvil, each["transaction"])
    assert main(arguments) == 0
    found = market(anvil, out)
    assert found.record.owner == wallet
    assert [found.record.market, found.record.lens] == [each["creates"] for each in rest]
    block = Node(url(anvil)).block(found.record.block.hash, full=True)
    assert block is not None
    assert [each.nonce for each in block.transactions] == [int(first[1]["transaction"]["nonce"], 16)]  # type: ignore[union-attr]
    assert not journal_of(out).exists()


@pytest.mark.parametrize(
    "arguments",
    [["--print-transactions"], ["--from", OWNER], ["--print-transactions", "--from", OWNER, "--account", "keystore"]],
)
def test_who_signs_has_to_be_clear(arguments: list[str], deploy: Callable[..., int], line: Callable[[], str]) -> None:
    assert deploy(*arguments) == 2
    assert "--from" in line()
