"""Local nodes that are broken in the cache, cannot be fetched, or do not answer as a node does: one line, and 2."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from verification.gas import node as gas_node
from wattproof.cli import main
from wattproof.evm import anvil, npm
from wattproof.evm import node as nodes
from wattproof.evm.anvil import Anvil
from wattproof.evm.node import NodeUnavailable, RpcError
from wattproof.evm.npm import Ganache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on a platform for which all nodes are published."""
    monkeypatch.delenv("WATTPROOF_ANVIL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for module in (anvil, npm):
        monkeypatch.setattr(module, "platform", SimpleNamespace(system=lambda: "Linux", machine=lambda: "x86_64"))
        monkeypatch.setattr(module.shutil, "which", lambda name: f"/bin/{name}")
    return tmp_path / "wattproof"


def said(do: Callable[[], Any]) -> str:
    """The one line that it says."""
    with pytest.raises(NodeUnavailable) as problem:
        do()
    assert "\n" not in str(problem.value)
    return str(problem.value)


def binary(cache: Path, content: bytes, mode: int = 0o755) -> Path:
    cache.mkdir(exist_ok=True)
    path = cache / f"anvil-{anvil.VERSION}-linux-amd64"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [b"", b"\x7fELF\x02\x01\x01", b"#!/bin/sh\nexit 1\n", b"#!/no/such/program\n"])
def test_a_broken_binary_is_named(content: bytes, cache: Path) -> None:
    path = binary(cache, content)
    assert f"delete {path}" in said(Anvil().start)
    assert f"delete {path}" in said(lambda: Anvil().version)


def test_a_binary_that_is_none_is_named(cache: Path) -> None:
    path = binary(cache, b"#!/bin/sh\n", mode=0o644)
    assert f"delete {path}" in said(Anvil().start)
    path.unlink()
    path.mkdir()
    assert f"delete {path}" in said(Anvil().start)


def test_a_binary_of_ones_own_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "anvil"
    path.write_bytes(b"")
    path.chmod(0o755)
    monkeypatch.setenv("WATTPROOF_ANVIL", str(path))
    assert "delete" not in said(Anvil().start)


@pytest.mark.parametrize("fetch", [anvil.binary, lambda: npm._installed("ganache", {})])
def test_a_cache_that_cannot_be_written_is_named(fetch: Callable[[], Any], cache: Path) -> None:
    cache.write_text("mine")
    assert "set XDG_CACHE_HOME" in said(fetch)
    assert cache.read_text() == "mine"


def test_without_a_home_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(nodes.Path, "home", homeless)
    assert "set HOME" in said(nodes.cache)


def test_npm_that_cannot_be_run(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm.shutil, "which", lambda name: str(tmp_path / "none"))
    assert "npm cannot be run" in said(anvil.binary)
    assert "npm cannot be run" in said(lambda: npm._installed("ganache", {}))


def installed(cache: Path) -> Path:
    """Ganache as npm installs it, without what is in it."""
    place = cache / f"ganache-{npm.GANACHE}"
    for where in ("node_modules/ganache", "node_modules/other"):
        (place / where).mkdir(parents=True)
        (place / where / "package.json").write_text("{}")
    (place / "package.json").write_text("{}")
    packages = {"packages": {"node_modules/ganache": {}, "node_modules/other": {}}}
    (place / "node_modules" / ".package-lock.json").write_text(json.dumps(packages))
    return place


@pytest.mark.parametrize(
    "lacking", ["package.json", "node_modules/other/package.json", "node_modules/.package-lock.json"]
)
def test_a_half_installed_node_is_named(lacking: str, cache: Path) -> None:
    place = installed(cache)
    assert npm._installed(place.name, {}) == place
    (place / lacking).unlink()
    told = said(Ganache(1_750_000_000, 1).start)
    assert f"{place} lacks" in told
    assert "delete it" in told


@pytest.mark.parametrize("content", ["", "{", "[]", '{"packages": null}'])
def test_a_broken_list_of_packages_is_named(content: str, cache: Path) -> None:
    place = installed(cache)
    (place / "node_modules" / ".package-lock.json").write_text(content)
    assert f"{place} lacks" in said(Ganache(1_750_000_000, 1).start)


def test_a_file_in_the_place_of_a_node_is_named(cache: Path) -> None:
    cache.mkdir()
    place = cache / f"ganache-{npm.GANACHE}"
    place.write_text("")
    assert f"{place} lacks" in said(Ganache(1_750_000_000, 1).start)


def test_a_node_whose_program_is_broken_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "_node", lambda least=0: sys.executable)
    place = installed(cache)
    assert f"delete {place}" in said(Ganache(1_750_000_000, 1).start)


# ---- what a node answers -------------------------------------------------------------------

PROGRAM = """#!{python}
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answers = [{answer} for one in (asked if isinstance(asked, list) else [asked])]
        body = {body}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

if "--version" in sys.argv:
    sys.exit(print("anvil Version: 0"))
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler)
print("Listening on 127.0.0.1", flush=True)
server.serve_forever()
"""

AS_ASKED = "json.dumps(answers if isinstance(asked, list) else answers[0]).encode()"


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a program in anvil's place that answers as it is told."""

    def pretended(answer: str = "None", body: str = AS_ASKED) -> None:
        path = tmp_path / "anvil"
        path.write_text(PROGRAM.format(python=sys.executable, answer=answer, body=body))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("WATTPROOF_ANVIL", str(path))

    return pretended


Pretend = Callable[..., None]


@pytest.mark.parametrize("body", ["b''", "b'{'", "b'<html>'", "b'[]'", "b'null'", "b'{\"id\": 0}'", "b'\\xff'"])
def test_an_answer_that_is_none(body: str, pretend: Pretend) -> None:
    pretend(body=body)
    with Anvil() as node:
        assert "anvil" in said(lambda: node.rpc("eth_chainId"))
        assert "anvil" in said(lambda: node.batch([("eth_chainId", []), ("eth_chainId", [])]))


def test_a_refusal_in_another_shape(pretend: Pretend) -> None:
    pretend('{"id": one["id"], "error": "no"}')
    with Anvil() as node, pytest.raises(RpcError, match=r"^eth_chainId: no$"):
        node.rpc("eth_chainId")


@pytest.mark.parametrize("result", ["None", "'0x'", "[]", "{}", "'nothing'"])
@pytest.mark.parametrize("command", ["gas", "nodes"])
def test_a_node_that_is_none_cannot_be_used(
    command: str,
    result: str,
    pretend: Pretend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(gas_node, "_PATIENCE", 0.1)
    pretend(f"{{'id': one['id'], 'result': {result}}}")
    code = main([command, "--out", str(tmp_path / "out.json")])
    err = capsys.readouterr().err
    assert code == 2, err
    assert err.count("\n") == 1
    assert not os.path.exists(tmp_path / "out.json")


@pytest.mark.parametrize("command", ["gas", "nodes"])
def test_a_node_that_refuses_cannot_be_used(
    command: str, pretend: Pretend, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend('{"id": one["id"], "error": {"code": -32601, "message": "no such method"}}')
    assert main([command, "--out", str(tmp_path / "out.json")]) == 2
    err = capsys.readouterr().err
    assert "no such method" in err
    assert err.count("\n") == 1
