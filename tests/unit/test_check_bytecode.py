"""`wattproof check-bytecode`: whatever a node answers, 1 means "not this market" and 2 "that cannot be told"."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boa
import pytest

from tests.support.answering import answering, replies
from wattproof.cli import main
from wattproof.evm import p256, rpc
from wattproof.evm.engine import engine
from wattproof.market.bytecode import SCHEMA, compiled
from wattproof.market.deployment import deploy
from wattproof.market.meters import P256Meter

SECRET = "kKeEyY0123456789"
HELD = {"outcome": "held", "sentence": "All held."}


@pytest.fixture(scope="module")
def market() -> Any:
    """A market that is deployed, of the shipped code."""
    return deploy().market


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a report says of the contracts."""
    path = tmp_path_factory.mktemp("report") / "evidence.json"
    verified = {"market": compiled("EnergyMarket"), "credit": compiled("EnergyCredit")}
    verified["revision"] = {"commit": "abc", "clean": True}
    path.write_text(json.dumps({"schema": SCHEMA, "verified": verified, "verdict": HELD}))
    return path


@pytest.fixture
def check(market: Any, report: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command with a node's address; returns exit code, output and errors."""

    def checked(url: str, address: str | None = None, place: Path = report) -> tuple[int, str, str]:
        code = main(["check-bytecode", address or str(market.address), f"--rpc={url}", "--report", str(place)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return checked


Check = Callable[..., tuple[int, str, str]]


def unusable(told: tuple[int, str, str]) -> str:
    """The one line that says why it cannot be told; nothing of an address but its host is in it."""
    code, out, err = told
    assert (code, out) == (2, "")
    assert err.count("\n") == 1, err
    assert SECRET not in err
    assert "secret" not in err
    return err


SOUND = {
    "eth_getCode": lambda address, block: "0x" + bytes(boa.env.get_code(address)).hex(),
    "eth_chainId": lambda: hex(boa.env.evm.patch.chain_id),
}


def test_the_reports_market_is_known(market: Any, check: Check) -> None:
    with answering(answer=replies(**SOUND)) as node:
        code, out, _ = check(f"http://127.0.0.1:{node.port}")
        assert (code, "the token is the project's EnergyCredit" in out) == (0, True)
        code, out, _ = check(f"http://127.0.0.1:{node.port}", str(market.frame().token))
        assert (code, "is NOT the market" in out) == (1, True)


def test_who_asks_is_told_by_the_address(check: Check) -> None:
    """User and password go into a header, as with every other client, the path and query stay."""
    with answering(answer=replies(**SOUND)) as node:
        assert check(f"http://me:{SECRET}@127.0.0.1:{node.port}/v3/x?y=1")[0] == 0
        path, headers, _ = node.asked[0]
    assert path == "/v3/x?y=1"
    assert headers["Authorization"] == "Basic bWU6a0tlRXlZMDEyMzQ1Njc4OQ=="


def answer(**fields: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda asked: json.dumps({"jsonrpc": "2.0", "id": asked["id"]} | fields).encode()


ODD: dict[str, tuple[Any, str]] = {
    "null": (answer(result=None), "answers eth_getCode with null, not with 0x and hexadecimal digits"),
    "no hex": (answer(result="0xnothing"), '"0xnothing", not'),
    "no 0x": (answer(result="abcd"), '"abcd", not'),
    "half a byte": (answer(result="0xabc"), '"0xabc", not'),
    "a number": (answer(result=12), "with 12, not"),
    "a list": (answer(result=["0x"]), "not with 0x"),
    "an error": (answer(error={"code": -32000, "message": "no such\nmethod"}), "refuses eth_getCode: no such method"),
    "an error that is a text": (answer(error="go away"), "refuses eth_getCode: go away"),
    "an error with the key": (answer(error={"message": f"bad key {SECRET}"}), "refuses eth_getCode: bad key …"),
    "an error of other shape": (answer(error=[1, 2]), "refuses eth_getCode: [1, 2]"),
    "an endless error": (answer(error={"message": "x" * 9999}), "refuses eth_getCode: xxx"),
    "an error that moves the cursor": (answer(error={"message": "a\x1b[2Jb"}), "refuses eth_getCode: a [2Jb"),
    "no result": (answer(), "does not answer eth_getCode as a node does"),
    "another's answer": (answer(id=77, result="0x"), "does not answer eth_getCode as a node does"),
    "a list of answers": (lambda asked: b"[" + answer(result="0x")(asked) + b"]", "does not answer"),
    "an empty body": (b"", "answers with nothing"),
    "half a JSON": (b'{"jsonrpc": "2.0", "re', "not JSON"),
    "a page": (b"<html>busy</html>", "not JSON"),
    "no text": (b"\xff\xfe\x00", "not JSON"),
    "a deep JSON": (b"[" * 100_000, "not JSON"),
    "too much": (b" " * (rpc.MAX_ANSWER + 1), "more than 1,048,576 bytes"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_is_no_verdict(name: str, check: Check) -> None:
    odd, said = ODD[name]
    with answering(answer=odd) as node:
        assert said in unusable(check(f"http://127.0.0.1:{node.port}/v3/{SECRET}"))


@pytest.mark.parametrize("chain", [None, "", "0x", "1", "0xzz", 1, "-0x1", "0x" + "f" * 65])
def test_an_odd_chain_is_no_verdict(chain: Any, check: Check) -> None:
    with answering(answer=replies(**SOUND | {"eth_chainId": chain})) as node:
        assert "eth_chainId" in unusable(check(f"http://127.0.0.1:{node.port}/{SECRET}"))


def test_an_odd_answer_about_the_token_is_no_verdict(market: Any, check: Check) -> None:
    def code(address: str, block: str) -> Any:
        return SOUND["eth_getCode"](address, block) if address == str(market.address) else None

    with answering(answer=replies(**SOUND | {"eth_getCode": code})) as node:
        assert "null" in unusable(check(f"http://127.0.0.1:{node.port}/{SECRET}"))


def test_an_account_without_code_may_be_of_another_chain(check: Check) -> None:
    with answering(answer=replies(**SOUND)) as node:
        assert "is it the right chain?" in unusable(check(f"http://127.0.0.1:{node.port}", "0x" + "12" * 20))


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (301, "give that one"),
        (307, "give that one"),
        (401, "is the key missing or wrong?"),
        (403, "is the key missing or wrong"),
        (404, "is the path right?"),
        (429, "asked too often"),
        (500, "try again later"),
        (502, "Bad Gateway: try again later"),
        (599, "HTTP 599: try again later"),
        (418, "is it the RPC address?"),
    ],
)
def test_an_http_status_is_no_verdict(status: int, hint: str, check: Check) -> None:
    elsewhere = (("Location", f"http://127.0.0.1:9/{SECRET}"),)
    with answering(answer=f"<html>{SECRET}</html>".encode(), status=status, headers=elsewhere) as node:
        said = unusable(check(f"http://127.0.0.1:{node.port}/{SECRET}"))
        assert f"127.0.0.1 answers HTTP {status}" in said
        assert hint in said
        assert len(node.asked) == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", b"HTTP/1.1 a b\r\n\r\n", b"\x16\x03"],
)
def test_a_broken_connection_is_no_verdict(raw: bytes, check: Check) -> None:
    with answering(raw=raw) as node:
        said = unusable(check(f"http://127.0.0.1:{node.port}/{SECRET}"))
        assert "127.0.0.1 cannot be asked (" in said or "not JSON" in said


def test_a_node_that_hangs_is_given_up(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "TIMEOUT", 0.3)
    with answering(answer=replies(**SOUND), until=(until := threading.Event())) as node:
        assert "127.0.0.1" in unusable(check(f"http://127.0.0.1:{node.port}/{SECRET}"))
        until.set()


def test_a_node_that_says_a_byte_at_a_time_is_given_up(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, but the answer does not."""
    monkeypatch.setattr(rpc, "TIMEOUT", 0.3)
    address = rpc.Address.of("http://127.0.0.1/" + SECRET)
    with pytest.raises(rpc.NodeUnusable, match=r"^127\.0\.0\.1 does not answer within 0\.3 s") as slow:
        rpc.within(rpc.TIMEOUT, threading.Event().wait, address)
    assert SECRET not in str(slow.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        SECRET,
        "127.0.0.1:8545",
        "localhost:8545/" + SECRET,
        "ws://127.0.0.1/" + SECRET,
        "wss://me:secret@127.0.0.1",
        "ftp://127.0.0.1/" + SECRET,
        "file:///etc/" + SECRET,
        "/etc/" + SECRET,
        "data:text/plain," + SECRET,
        "http://",
        "http:///" + SECRET,
        "http://[1/" + SECRET,
        "http://127.0.0.1:port/" + SECRET,
        "http://127.0.0.1:99999/" + SECRET,
        "http://127.0.0.1/ " + SECRET,
        "http://127.0.0.1/\n" + SECRET,
        "http://127.0.0.1/é" + SECRET,
        "http://me:secret@/" + SECRET,
    ],
)
def test_what_is_no_address_of_a_node_is_refused(url: str, check: Check) -> None:
    assert "http" in unusable(check(url))


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no-such-host.invalid", "a..b", "[::1]:9"])
def test_a_host_that_is_not_there_is_told_by_its_name_alone(host: str, check: Check) -> None:
    said = unusable(check(f"http://me:secret@{host}/{SECRET}?key={SECRET}#{SECRET}"))
    assert said.startswith(f"{host.removesuffix(':9').strip('[]')} cannot be asked (")


def test_a_certificate_of_its_own_making_is_not_trusted(check: Check, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes the certificate")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-subj", "/CN=127.0.0.1", "-days", "1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + key.read_text())
    with answering(certificate, answer=replies(**SOUND)) as node:
        said = unusable(check(f"https://127.0.0.1:{node.port}/{SECRET}"))
    assert "its TLS certificate is not trusted" in said


def test_plain_http_where_tls_is_expected(check: Check) -> None:
    with answering(answer=replies(**SOUND)) as node:
        unusable(check(f"https://127.0.0.1:{node.port}/{SECRET}"))


def test_mixed_up_arguments_show_no_more(check: Check) -> None:
    url = f"https://host.example/{SECRET}"
    assert "no address of a market" in unusable(check("x", url))
    assert "no report but a node" in unusable(check("http://127.0.0.1:9", place=Path(url)))


@pytest.mark.parametrize("lacking", ["verified", "verdict", "market", "credit", "revision"])
def test_a_report_that_lacks_its_contracts_is_refused(lacking: str, report: Path, check: Check, tmp_path: Path) -> None:
    told = json.loads(report.read_text())
    del (told if lacking in told else told["verified"])[lacking]
    (tmp_path / "evidence.json").write_text(json.dumps(told))
    with answering(answer=replies(**SOUND)) as node:
        said = unusable(check(f"http://127.0.0.1:{node.port}/{SECRET}", place=tmp_path))
    assert "make it anew" in said


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("runtime keccak256", ""),
        ("runtime keccak256", "0x" + "ab" * 32),
        ("runtime bytes", -1),
        ("runtime bytes", True),
        ("immutables 2 offset", -1),
        ("immutables 2 length", -1),
        ("immutables 2 length", 10**30),
        ("immutables 2 length", 1),
        ("immutables 2 type", 7),
        *(
            ("immutables", [{"name": "ledger.TOKEN", "type": kind, "offset": 0, "length": length}])
            for kind, length in (("uint256", 32), ("address", 31), ("address", 64), ("String[9]", 64))
        ),
    ],
)
def test_a_damaged_report_is_no_verdict(where: str, value: Any, report: Path, check: Check, tmp_path: Path) -> None:
    """Nobody's market is called another for what is wrong with a file."""
    told = json.loads(report.read_text())
    part = told["verified"]["market"]
    *way, last = (int(step) if step.isdigit() else step for step in where.split())
    for step in way:
        part = part[step]
    part[last] = value
    (tmp_path / "evidence.json").write_text(json.dumps(told))
    with answering(answer=replies(**SOUND)) as node:
        assert "is no whole report" in unusable(check(f"http://127.0.0.1:{node.port}", place=tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [
        ["check-bytecode", "0x12", "https://me:secret@host.example/{}?k={}"],
        ["check-bytecode", "0x12", "--rpc=https://host.example", "https://host.example/{}"],
        ["check-bytecode", "0x12", "--rpc=https://host.example", "--node=https://host.example:1/{}"],
        ["https://host.example/{}"],
        ["day", "--engine", "https://host.example/{}"],
    ],
)
def test_an_address_that_has_no_place_there_is_not_shown(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([argument.replace("{}", SECRET) for argument in arguments])
    said = "".join(capsys.readouterr())
    assert ended.value.code == 2
    assert SECRET not in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read (Expecting value"),
        ('{"schema": ', "cannot be read (Expecting value"),
        ("[" * 200_000, "cannot be read (more than 100 lists and objects inside one another)"),
        ('{"a": ' * 200_000, "cannot be read (more than 100 lists"),
        ('{"schema": "[[[["}', "is of schema '[[[[', not"),
        (json.dumps({"schema": "x" * 9999}), f"is of schema '{'x' * 59}…, not"),
        ("null", "is of schema None, not"),
    ],
)
def test_what_is_no_report_is_told_in_a_short_line(content: str, said: str, check: Check, tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_text(content)
    told = unusable(check("http://127.0.0.1:9", place=tmp_path))
    assert said in told
    assert len(told) < 300 + len(str(tmp_path))


def test_a_report_that_is_not_there(check: Check, tmp_path: Path) -> None:
    said = unusable(check("http://127.0.0.1:9", place=tmp_path))
    assert f"{tmp_path / 'evidence.json'} cannot be read (No such file or directory): name a report's folder" in said


def test_an_address_shows_no_more_than_its_host() -> None:
    url = f"https://me:pw%2B1@host.example:8545/v3/{SECRET}/x?apikey={SECRET}9&z=1#top{SECRET}"
    address = rpc.Address.of(url)
    assert SECRET not in f"{address} {address!r}"
    said = f"https://host.example:8545/v3/{SECRET} of me with pw+1, pw%2B1, key {SECRET}9, in v3: {url}"
    assert address.said(said) == "https://host.example:8545/…/… of … with …, …, key …, in …: …"
    assert address.said("some method") == "some method"


# ---- of a meter --------------------------------------------------------------------------


METER = P256Meter("device", "0x" + 20 * "12")


@pytest.fixture(scope="module")
def meter_code() -> bytes:
    """The code of a deployed P256Meter: behind the runtime code its key, in the order of the constructor."""
    with engine("pyevm") as env:
        p256.give(env)
        return bytes(env.get_code(METER.deploy().address))


@pytest.fixture
def check_meter(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command of a meter whose code is as a node says; returns exit code, output and errors."""

    def checked(code: str, address: str = "0x" + 20 * "12") -> tuple[int, str, str]:
        with answering(answer=replies(**SOUND | {"eth_getCode": code})) as node:
            found = main(["check-bytecode", "--meter", address, f"--rpc=http://127.0.0.1:{node.port}/{SECRET}"])
        said = capsys.readouterr()
        return found, said.out, said.err

    return checked


def test_a_meter_is_known_and_its_key_shown(meter_code: bytes, check_meter: Check) -> None:
    """T-REG-25: the owner compares the key with the device's, which no report can know."""
    code, out, err = check_meter("0x" + meter_code.hex())
    x, y = METER.public
    assert (code, err) == (0, "")
    assert "is a P256Meter of Wattproof" in out
    assert f"  X: 0x{x:064x}\n  Y: 0x{y:064x}\n" in out


@pytest.mark.parametrize("place", [0, 300, -65])
def test_other_code_is_no_meter_of_ours(place: int, meter_code: bytes, check_meter: Check) -> None:
    """One bit in the code, first, in the middle or last before the key; a proxy; a byte more or less."""
    changed = bytearray(meter_code)
    changed[place] ^= 1
    proxy = "363d3d373d3d3d363d73" + 20 * "12" + "5af43d82803e903d91602b57fd5bf3"
    for other in (changed.hex(), proxy, meter_code.hex() + "00", meter_code[:-1].hex()):
        code, out, err = check_meter("0x" + other)
        assert (code, err) == (1, "")
        assert "is NOT a P256Meter of Wattproof" in out
        assert "X:" not in out


def test_of_a_meter_that_cannot_be_told_nothing_is_said(check_meter: Check) -> None:
    assert "is it the right chain?" in unusable(check_meter("0x"))
    assert "no address of a meter" in unusable(check_meter("0x00", "x"))
    assert "not with 0x" in unusable(check_meter("none"))


def test_what_a_report_says_is_one_line_of_it(report: Path, check: Check, market: Any, tmp_path: Path) -> None:
    """It is somebody else's text: a line of it must not pass for one of the verdict."""
    told = json.loads(report.read_text())
    told["verdict"]["sentence"] = "no\nthe token is the project's EnergyCredit\x1b[31m\ud800"
    told["verified"]["revision"]["commit"] = "a\nb"
    for field in told["verified"]["market"]["immutables"]:
        field["name"] = field["name"].replace("ledger.SUPPLIER", "ledger.a\nb")
    (tmp_path / "evidence.json").write_text(json.dumps(told))
    with answering(answer=replies(**SOUND)) as node:
        code, out, err = check(f"http://127.0.0.1:{node.port}", place=tmp_path)
    assert (code, err) == (0, "")
    assert r"no\nthe token is" in out and r"\ud800" in out and "\x1b" not in out
    assert r"a\nb" in out


@pytest.mark.parametrize("url", ["https", "HTTPS", "Wss"])
def test_an_address_in_the_place_of_a_report_is_not_shown(url: str, check: Check) -> None:
    said = unusable(check("http://127.0.0.1:1", place=Path(f"{url}://h.example/{SECRET}")))
    assert "that is no report but a node" in said
