"""The token that a market settles in, as it describes itself, and amounts in its own unit.

What tells how to read an amount is optional in ERC-20, and old tokens answer otherwise than new ones. So every answer
is read with care: what cannot be understood counts as not said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import boa
from eth_utils.crypto import keccak

from wattproof.evm import network
from wattproof.market.abi import word
from wattproof.market.units import WH_PER_KWH, fixed

_PLAUSIBLE = (Fraction(1, 10**9), 10**6)
"""Tokens per kWh: a price outside is more likely meant for a token with other decimals."""

_GAS = 500_000
"""What a question to a token may use: plenty for a view behind a proxy, little for one that never ends."""

_LONGEST_SYMBOL = 12

_MOST_ZEROS = 12
"""An amount with more zeros behind its point is written as 18e-75."""


class UnusableToken(ValueError):
    """No market can be opened with this token, or not at these prices; the one-line text says what to do."""


@dataclass(frozen=True)
class Token:
    """An ERC-20.

    symbol     printable, twelve characters at most; "tokens" where it has none
    decimals   None where it does not say, or says what no ERC-20 can
    """

    address: str
    symbol: str
    decimals: int | None

    def __str__(self) -> str:
        return f"{self.symbol} ({self.address})"

    def amount(self, base_units: int) -> str:
        """An amount in the token's own unit, exact: "0.06 WATT"; in base units where the decimals are not known."""
        if self.decimals is None:
            return f"{base_units:,} base units"
        whole, _, part = fixed(base_units, 10**self.decimals, self.decimals).partition(".")
        part = part.rstrip("0")
        digits = part.lstrip("0")
        if whole == "0" and len(part) - len(digits) > _MOST_ZEROS:
            return f"{digits}e-{len(part)} {self.symbol}"
        return f"{int(whole):,}{'.' if part else ''}{part} {self.symbol}"

    def price(self, base_per_wh: int) -> str:
        """A price in the token's own unit per kWh: "0.06 WATT/kWh"."""
        return f"{self.amount(base_per_wh * WH_PER_KWH)}/kWh"

    def is_plausible(self, base_per_wh: int) -> bool:
        """Whether somebody could mean a price: by its order in tokens per kWh. 0 is, and what cannot be told."""
        if self.decimals is None or base_per_wh == 0:
            return True
        low, high = _PLAUSIBLE
        return low <= Fraction(base_per_wh * WH_PER_KWH, 10**self.decimals) < high


def read_token(token: Any) -> Token:
    """Asks the contract `token` (or at that address), on titanoboa's environment, what kind of token it is.

    Nothing is sent. Raises UnusableToken where there is no contract, or one that does not say what an account holds; on
    a network NodeUnusable or RpcError where the node does not answer.
    """
    address = _address(token)
    with network.speaking():
        return _read(address)


def _read(address: str) -> Token:
    network.latest()  # The token may be younger.
    return described(address, bool(boa.env.get_code(address)), _asking(address))


def described(address: str, is_contract: bool, ask: Callable[[bytes], bytes]) -> Token:
    """The token at an address as it describes itself; `ask` answers calldata, with nothing where the token refuses.

    Raises UnusableToken where there is no contract, or one that does not say what an account holds.
    """
    if not is_contract:
        raise UnusableToken(f"{address}: no contract has this address; name an ERC-20 token on the chain in use")
    if len(ask(_selector("balanceOf(address)") + word(address))) < 32:
        raise UnusableToken(f"{address}: does not answer balanceOf, so it is no ERC-20 token; name one")
    return Token(address, _text(ask(_selector("symbol()"))) or "tokens", _decimals(ask))


def decimals_of(address: str) -> int | None:
    """What the contract there answers to `decimals()`; None where it does not, or answers what does not fit a uint8."""
    return _decimals(_asking(address))


def _decimals(ask: Callable[[bytes], bytes]) -> int | None:
    answer = ask(_selector("decimals()"))
    number = int.from_bytes(answer[:32], "big")
    return number if len(answer) >= 32 and number < 2**8 else None


def _address(token: Any) -> str:
    """The address of a contract, or a text that is one."""
    try:
        return network.account("token", token)
    except ValueError as problem:
        raise UnusableToken(str(problem)) from None


def _selector(signature: str) -> bytes:
    return keccak(text=signature)[:4]


def _asking(address: str) -> Callable[[bytes], bytes]:
    """Answers calldata as the contract there does on titanoboa's environment, with nothing where it fails."""

    def ask(data: bytes) -> bytes:
        computation = network.view(address, data, _GAS)
        return b"" if computation.is_error else bytes(computation.output)

    return ask


def _text(answer: bytes) -> str:
    """A text that a view returned, as a string or (old tokens) in a bytes32, shortened and fit to be printed."""
    if len(answer) == 32:
        raw = answer.rstrip(b"\0")
    else:
        start = int.from_bytes(answer[:32], "big")
        length = int.from_bytes(answer[start : start + 32], "big")
        raw = answer[start + 32 : start + 32 + min(length, 4 * _LONGEST_SYMBOL + 4)]
    shown = "".join(letter for letter in raw.decode(errors="ignore") if letter.isprintable()).strip()
    return shown if len(shown) <= _LONGEST_SYMBOL else f"{shown[: _LONGEST_SYMBOL - 1]}…"
