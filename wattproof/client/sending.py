"""Transactions: the server makes them, they are checked and signed here, and the server relays them.

What is signed is what was asked for, whatever the server says: recipient, data and value are computed here, too, and
what the transaction may cost is bounded.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattproof.chain.accounts import Account
from wattproof.chain.market import interface_of
from wattproof.client import records
from wattproof.client.http import ApiError
from wattproof.client.reading import read
from wattproof.client.salts import Salts, Sealed
from wattproof.market.seals import seal_of
from wattproof.outputs import one_line

if TYPE_CHECKING:
    from wattproof.client.client import Client

MOST_COST = 10**17
"""Wei that a transaction may cost in gas: a tenth of an ether."""

_TOKEN_CALLS = ("mint", "redeem", "approve", "transfer")

_READING = ("user", "exported", "imported", "signature")
"""The parts of a signed reading, in their order."""

_OTHER_SEAL = "bids: seal does not match"

_POLL = 0.5
"""Seconds between two questions for what became of a transaction."""


class Sending:
    """Transactions of a market, for accounts whose keys are here.

    most_cost   wei that one transaction may cost in gas
    """

    def __init__(self, client: Client, most_cost: int = MOST_COST) -> None:
        self._client, self._server = client, client.server
        self.most_cost = most_cost
        self._market: records.Market | None = None

    @property
    def market(self) -> records.Market:
        """The market, as the server told of it at the first question; from then on the server is held to that."""
        if self._market is None:
            self._market = self._client.status().market
        return self._market

    def unsigned(self, call: str, sender: str, value: int = 0, **arguments: Any) -> dict[str, Any]:
        """The transaction of a call, as eth_sendTransaction takes it; the chain would accept it now.

        Raises ApiError, with the contract's words where it refuses.
        """
        to, data = _calldata(self.market, call, arguments)
        body = {"sender": sender, "arguments": {name: _plain(each) for name, each in arguments.items()}}
        answer = self._server.post(f"transactions/{call}", body | ({"value": str(value)} if value else {}))
        told = answer.get("transaction") if isinstance(answer, dict) else None
        self._check(told, call, {"to": to.lower(), "data": data, "value": value, "chainId": self.market.chain_id})
        return dict(told or {})

    def send(self, account: Account, call: str, value: int = 0, **arguments: Any) -> str:
        """Signs a call and has it relayed; returns the transaction's hash. Raises ApiError, TypeError."""
        if not isinstance(account, Account):
            raise TypeError(
                f"who signs is a wattproof.chain.accounts.Account, made by Account.of_keystore(Path, password) or "
                f"Account.open(Path), not a {type(account).__name__}"
            )
        told = self.unsigned(call, account.address, value, **arguments)
        numbers = {name: _number(each) for name, each in told.items() if name not in ("from", "to", "data")}
        raw = account.sign(numbers | {"to": told["to"], "data": bytes.fromhex(told["data"][2:])})
        return str(self._server.post("relay", {"raw": "0x" + raw.hex()})["hash"])

    def state(self, transaction: str) -> records.Transaction:
        """What became of a transaction."""
        return read(records.Transaction, self._server.get(f"transactions/{transaction}"))

    def wait(self, transaction: str, seconds: float = 60) -> records.Transaction:
        """What became of a transaction that is in a block. Raises ApiError: refused, in its words, or not in time."""
        end = time.monotonic() + seconds
        while (found := self.state(transaction)).state not in ("accepted", "refused"):
            if time.monotonic() > end:
                raise ApiError(f"transaction {transaction} is in no block after {seconds:g} s: look for it again")
            time.sleep(_POLL)
        if found.state == "refused":
            said = ": ".join(filter(None, (found.reason, found.hint)))
            raise ApiError(said or "refused", told={"reason": found.reason, "hint": found.hint})
        return found

    # ---- sealed bids -------------------------------------------------------------------------

    def bid(self, account: Account, quote_id: int, price: int, volume: int, salts: Path | str) -> str:
        """Seals a bid and hands in its commitment; returns the transaction's hash.

        Price in base units per Wh, volume in Wh. The salt is drawn here and stands in the file `salts` before anything
        is sent; without it the bid cannot be opened. Raises ApiError, and outputs.BadPlace.
        """
        market, salt = self.market, secrets.token_bytes(32)
        place = (market.chain_id, market.address, quote_id, account.address, price, volume)
        seal = seal_of(*place, salt)
        Salts(salts).add(Sealed(*place, "0x" + salt.hex(), "0x" + seal.hex()))
        return self.send(account, "submit_bid", quote_id=quote_id, seal=seal)

    def reveal(self, account: Account, quote_id: int, salts: Path | str) -> str:
        """Opens the bid that was sealed with `bid`; returns the transaction's hash. Raises ApiError."""
        market = self.market
        found = Salts(salts).find(market.chain_id, market.address, quote_id, account.address)
        for left, bid in reversed(list(enumerate(reversed(found)))):
            arguments = {"price": bid.price, "volume": bid.volume, "salt": bytes.fromhex(bid.salt[2:])}
            try:
                return self.send(account, "reveal_bid", quote_id=quote_id, **arguments)
            except ApiError as problem:
                # Of several only one was ever accepted.
                if problem.reason != _OTHER_SEAL or not left:
                    raise
        raise ApiError(f"{salts}: holds no bid of {account.address} on quote {quote_id}")

    # ---- what is signed ----------------------------------------------------------------------

    def _check(self, told: Any, call: str, wanted: Mapping[str, Any]) -> None:
        """Whether a transaction is what was asked for. Raises ApiError."""
        try:
            found = {
                "to": told["to"].lower(),
                "data": bytes.fromhex(told["data"][2:]),
                "value": _number(told["value"]),
                "chainId": _number(told["chainId"]),
            }
            price = told["maxFeePerGas"] if "maxFeePerGas" in told else told["gasPrice"]
            cost = _number(told["gas"]) * _number(price)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ApiError(f"{self._server.host} answers without a transaction: is it of another version?") from None
        if found != wanted:
            odd = next(name for name in wanted if found[name] != wanted[name])
            raise ApiError(f"{self._server.host} made another transaction (its {odd}) than {call}: nothing was signed")
        if cost > self.most_cost:
            raise ApiError(f"{call} would cost up to {cost} wei of gas, and {self.most_cost} are allowed: not signed")


def _calldata(market: records.Market, call: str, arguments: Mapping[str, Any]) -> tuple[str, bytes]:
    """Where a call goes, and its data. Raises ApiError."""
    of_token = call in _TOKEN_CALLS
    function = interface_of("EnergyCredit" if of_token else "EnergyMarket").functions.get(call)
    if function is None:
        raise ApiError(f"there is no call {call!r}")
    given = dict(arguments) | ({"spender": market.address} if call == "approve" else {})
    takes = f"{call} takes {', '.join(function.names) or 'no arguments'}"
    if missing := [name for name in function.names if name not in given]:
        raise ApiError(f"{takes} (missing: {', '.join(missing)})")
    if surplus := [name for name in given if name not in function.names]:
        raise ApiError(f"{takes} (not taken: {', '.join(surplus)})")
    for name, kind in zip(function.names, function.types, strict=True):
        if kind == "uint256" and not _is_uint256(given[name]):
            what = "a whole number, 0 or more and below 2**256 (money in base units, energy in Wh)"
            raise ApiError(f"{call}: {name} has to be {what}, not {one_line(repr(given[name]))}")
    try:
        data = function.encode([_encodable(given[name]) for name in function.names])
    except Exception as problem:  # titanoboa's encoder has errors of its own.
        raise ApiError(f"{call}: an argument does not fit its type ({problem})") from None
    return (market.token.address if of_token else market.address), data


def _is_uint256(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**256


def _encodable(value: Any) -> Any:
    """An argument as the encoder takes it; signed readings are tuples."""
    if isinstance(value, list):
        return [_encodable(each) for each in value]
    return tuple(value[name] for name in _READING) if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    """An argument as it stands in a body."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return str(value) if isinstance(value, int) else value


def _number(value: Any) -> int:
    return int(value, 16) if isinstance(value, str) else int(value)
