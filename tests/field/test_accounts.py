"""Accounts: keystores, passwords, keys in the environment; and that no key is ever shown."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as Signer

from wattproof.chain.accounts import Account, BadAccount
from wattproof.cli import main

KEY = "0x" + 31 * "00" + "05"
OWNER = Signer.from_key(KEY).address


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    """A keystore whose password is "right", which is quickly opened."""
    return Signer.encrypt(bytes.fromhex(KEY[2:]), "right", kdf="pbkdf2", iterations=2)


@pytest.fixture
def keystore(stored: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("WATTPROOF_KEY", "WATTPROOF_PASSWORD", "WATTPROOF_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "keystore"
    path.write_text(json.dumps(stored))
    return path


def said(do: Any) -> str:
    with pytest.raises(BadAccount) as problem:
        do()
    text = str(problem.value)
    assert "\n" not in text
    assert KEY[-62:] not in text
    return text


def test_a_keystore_and_its_password(keystore: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTPROOF_PASSWORD", "right")
    assert Account.open(keystore).address == OWNER
    monkeypatch.setenv("WATTPROOF_PASSWORD", "wrong")
    assert "not its password" in said(lambda: Account.open(keystore))
    password = tmp_path / "password"
    password.write_text("right\nwrong\n")
    monkeypatch.setenv("WATTPROOF_PASSWORD_FILE", str(password))
    assert Account.open(keystore).address == OWNER
    monkeypatch.setenv("WATTPROOF_PASSWORD_FILE", str(tmp_path / "none"))
    assert "WATTPROOF_PASSWORD_FILE" in said(lambda: Account.open(keystore))


def test_a_password_is_asked_for_on_a_terminal_only(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "WATTPROOF_PASSWORD" in said(lambda: Account.open(keystore))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "right")
    assert Account.open(keystore).address == OWNER


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 3}', '{"version": 1, "crypto": {}}', "x" * 10**6])
def test_a_keystore_that_is_none(text: str, keystore: Path) -> None:
    keystore.write_text(text)
    assert "no encrypted keystore" in said(lambda: Account.open(keystore))


@pytest.mark.parametrize("part", ["ciphertext", "kdf", "kdfparams", "cipherparams", "mac"])
def test_a_keystore_that_is_damaged(part: str, stored: dict[str, Any], keystore: Path) -> None:
    damaged = copy.deepcopy(stored)
    del damaged["crypto"][part]
    keystore.write_text(json.dumps(damaged))
    assert "backup" in said(lambda: Account.of_keystore(keystore, "right"))


def test_a_keystore_that_is_not_there(tmp_path: Path) -> None:
    assert "no such file" in said(lambda: Account.open(tmp_path / "none"))
    assert "directory" in said(lambda: Account.open(tmp_path))


def test_a_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (KEY, KEY[2:], f" {KEY}\n"):
        monkeypatch.setenv("WATTPROOF_KEY", key)
        assert Account.open(None).address == OWNER
    for key in ("0x" + 64 * "0", KEY[:-1], "nonsense", 64 * "f"):
        monkeypatch.setenv("WATTPROOF_KEY", key)
        assert key not in said(lambda: Account.open(None))
    monkeypatch.delenv("WATTPROOF_KEY")
    assert "--account" in said(lambda: Account.open(None))


def test_no_key_is_shown_or_copied() -> None:
    account = Account.of_seed(1)
    assert repr(account) == str(account) == f"<account {account.address}>"
    assert not hasattr(account, "__dict__")
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="its key would be"):
            copied(account)
    assert Account.of_seed(1).address == account.address != Account.random().address


@pytest.mark.parametrize("written", ["{}", "--account={}", "WATTPROOF_KEY={}"])
@pytest.mark.parametrize("key", [KEY, KEY[2:], KEY.upper().replace("X", "x")])
def test_a_key_among_the_arguments_is_refused_and_not_repeated(
    written: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-bytecode", written.format(key)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert key[-60:].lower() not in told.err.lower()
