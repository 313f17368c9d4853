"""The account that signs: its key comes from an encrypted keystore or from the environment, and is never shown."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any, NoReturn

from wattproof import documents
from wattproof.outputs import one_line, told

KEY = "WATTPROOF_KEY"
"""The environment variable that holds a private key: 64 hexadecimal digits."""

PASSWORD, PASSWORD_FILE = "WATTPROOF_PASSWORD", "WATTPROOF_PASSWORD_FILE"
"""The environment variables that hold a keystore's password, or name the file whose first line it is."""

_LARGEST = 2**16
"""Bytes of a keystore: a usual one has five hundred."""

_PRIVATE_KEY = re.compile("(0x)?[0-9a-fA-F]{64}")


class BadAccount(Exception):
    """There is no account to sign with; the one-line message says what to do, and nothing of a key."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


def is_like_a_key(text: str) -> bool:
    """Whether a text could be a private key, which must not stand among the arguments of a program."""
    return _PRIVATE_KEY.fullmatch(text.strip()) is not None


class Account:
    """An account with its key, which nothing shows.

    address   in checksum form
    """

    __slots__ = ("__signer", "address")

    def __init__(self, key: bytes) -> None:
        """Raises BadAccount where 32 bytes are no key."""
        from eth_account import Account as Signer

        try:
            self.__signer = Signer.from_key(key)
        except Exception:
            # What a library says of a key may hold it.
            raise BadAccount("that is no private key: it is 0x and 64 hexadecimal digits, and not 0") from None
        self.address: str = self.__signer.address

    def __repr__(self) -> str:
        return f"<account {self.address}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an account is not copied or written anywhere: its key would be")

    def sign(self, transaction: dict[str, Any]) -> bytes:
        """A transaction as it is sent: `nonce`, `gas`, `value`, fees, `chainId`, `to` (none: it creates) and `data`.

        The same transaction is signed with the same bytes each time.
        """
        return bytes(self.__signer.sign_transaction(transaction).raw_transaction)

    def sign_digest(self, digest: bytes) -> bytes:
        """A signature of 32 bytes as the market takes a meter's (T-REG-8): r, s and v, the same each time."""
        return bytes(self.__signer.unsafe_sign_hash(digest).signature)

    @classmethod
    def of_keystore(cls, path: Path, password: str) -> Account:
        """The account of an encrypted keystore (geth's, version 3). Raises BadAccount."""
        return cls(_decrypted(path, _keystore(path), password))

    @classmethod
    def of_environment(cls) -> Account:
        """The account whose key is in WATTPROOF_KEY. Raises BadAccount."""
        key = os.environ.get(KEY, "").strip()
        if not is_like_a_key(key):
            raise BadAccount(f"{KEY} holds no private key: it is 0x and 64 hexadecimal digits")
        return cls(bytes.fromhex(key.removeprefix("0x")))

    @classmethod
    def open(cls, keystore: Path | None) -> Account:
        """The account of a keystore; None: of WATTPROOF_KEY. A password is asked for where none is in the environment.

        Raises BadAccount.
        """
        if keystore is None:
            if not os.environ.get(KEY):
                raise BadAccount(f"there is no account to sign with: name a keystore by --account, or set {KEY}")
            return cls.of_environment()
        stored = _keystore(keystore)  # Before anybody is asked.
        return cls(_decrypted(keystore, stored, _password(keystore)))

    @classmethod
    def random(cls) -> Account:
        """A new account, for tests and simulations: its key is lost with the process."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def of_seed(cls, seed: object) -> Account:
        """An account whose key anybody can compute, for simulations only: money of such a one is everybody's."""
        from eth_utils.crypto import keccak

        return cls(keccak(text=f"wattproof simulation {seed}"))


def _keystore(path: Path) -> dict[str, Any]:
    """What a keystore says. Raises BadAccount."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except (OSError, ValueError) as problem:
        why = told(problem) if isinstance(problem, OSError) else f"{path}: {problem}"
        raise BadAccount(f"{why}; name a keystore by --account") from None
    try:
        stored = documents.parsed(text) if len(text) <= _LARGEST else None
    except ValueError:
        stored = None
    if not isinstance(stored, dict) or not {"crypto", "Crypto"} & stored.keys() or stored.get("version") != 3:
        raise BadAccount(f"{path}: is no encrypted keystore of version 3; make one with `geth account new`, say")
    return stored


def _decrypted(path: Path, stored: dict[str, Any], password: str) -> bytes:
    from eth_account import Account as Signer

    try:
        return bytes(Signer.decrypt(stored, password))
    except ValueError as problem:
        if "MAC" in str(problem):
            raise BadAccount(f"{path}: that is not its password") from None
        raise BadAccount(f"{path}: is a keystore that cannot be opened; restore it from a backup") from None
    except Exception:
        # Whatever the library makes of a damaged file; what it says may hold parts of it.
        raise BadAccount(f"{path}: is a keystore that cannot be opened; restore it from a backup") from None


def _password(keystore: Path) -> str:
    """The password of a keystore. Raises BadAccount."""
    if (name := os.environ.get(PASSWORD_FILE)) is not None:
        try:
            with open(name, encoding="utf-8") as file:
                return file.readline(_LARGEST).rstrip("\r\n")
        except (OSError, ValueError) as problem:
            why = problem.strerror if isinstance(problem, OSError) else "is no text"
            raise BadAccount(f"{PASSWORD_FILE}: {name}: {why}; name a file whose first line is the password") from None
    if (password := os.environ.get(PASSWORD)) is not None:
        return password
    if not (sys.stdin and sys.stdin.isatty()):
        raise BadAccount(f"{keystore}: its password cannot be asked for here: set {PASSWORD_FILE} or {PASSWORD}")
    try:
        return getpass.getpass(f"password of {keystore}: ")
    except EOFError:
        raise BadAccount(f"{keystore}: no password was given") from None
