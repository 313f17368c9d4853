"""A failed history as a story: who called what, what the terms say, what the contract did, and whose money moved.

The property tests leave a failed history behind as lines for the REPL. Here they are played once more, on the contract
that failed, with the model of the terms beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import boa
from eth_keys import keys
from eth_keys.constants import SECPK1_N
from eth_keys.exceptions import BadSignature, ValidationError
from eth_utils.crypto import keccak

from wattproof.evm.engine import EngineUnavailable, engine
from wattproof.market.abi import each, revert_reason
from wattproof.market.calls import Calls
from wattproof.market.meters import domain_separator, malleable_twin, pairing_hash, reading_hash
from wattproof.market.seals import seal_of
from wattproof.repl import replay
from wattproof.terms import model

MOST = 400
"""Calls of the history proper that are told; of a longer one the last so many."""

MONEY = ("balance", "reserved", "grid_account")
"""The fields of an account that are money: free, reserved, invoiced."""

Held = tuple[tuple[int, ...], tuple[int, ...]]
"""Somebody's money, as the contract and as the terms have it."""

_OPENING = re.compile(r"replay\(globals\(\), (.*)\)")


def tell(story: Sequence[str], beginning: int, engine_name: str) -> list[dict[str, Any]]:
    """The calls of a history, each with what the terms say, what happened and the accounts that changed.

    Where contract and terms differed in the preset already, the first call in which they did is told, too.

    Args:
        story: lines for the REPL; the first one is `replay(globals(), ...)`.
        beginning: the line with which the history proper begins; what is before it is the preset.
        engine_name: "pyevm" or "revm"; py-evm where the other one is not installed.
    """
    if not story or not _OPENING.fullmatch(story[0]):
        return []
    try:
        return _told(story, beginning, engine_name)
    except EngineUnavailable:
        return _told(story, beginning, "pyevm")


def _told(story: Sequence[str], beginning: int, engine_name: str) -> list[dict[str, Any]]:
    with engine(engine_name):
        teller = Teller(story[0])
        for line in story[1:beginning]:
            teller.play(line)
        preset, teller.chapters = teller.chapters, []
        for line in story[beginning:]:
            teller.play(line)
        return _of_preset(preset) + teller.chapters[-MOST:]


def _of_preset(preset: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many calls a preset made, and the first in which the contract did not do as the terms say."""
    calls = [chapter for chapter in preset if chapter["kind"] == "call"]
    differ = [chapter for chapter in calls if not chapter["agree"]]
    told = {"kind": "preset", "calls": len(calls), "differ": len(differ), "first": differ[0] if differ else None}
    return [told] if calls else []


class Teller:
    """Plays lines of the REPL and keeps a chapter of each call."""

    def __init__(self, opening: str) -> None:
        self.names: dict[str, Any] = {}
        match = _OPENING.fullmatch(opening)
        tariff = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", match[1] if match else "")}
        replay(self.names, **tariff)
        self.contract = self.names["market"]._contract
        self.views = Calls(boa.env, self.contract)
        self.token = self.names["token"]._contract
        self.people: dict[str, str] = {}
        self.chapters: list[dict[str, Any]] = []
        self.seen: dict[str, Held] = {}
        self.line = ""
        who, give, sign = self.names["who"], self.names["give"], self.names["sign"]
        owner, supplier = str(self.names["owner"]), str(self.names["supplier"])
        self.terms = model.Market(
            owner=owner,
            supplier=supplier,
            token=model.Token(address=str(self.token.address)),
            address=str(self.contract.address),
            chain_id=boa.env.evm.patch.chain_id,
            seal_function=lambda fields: seal_of(*fields),
            **tariff,
        )

        def given(somebody: str, amount: int) -> None:
            give(somebody, amount)
            self.terms.token.mint(str(somebody), amount)
            self.terms.token.approve(str(somebody), str(self.contract.address), 2**256 - 1)

        def signed(*arguments: Any, **where: Any) -> bytes:
            fields = [str(field) if isinstance(field, str) else field for field in arguments]
            return sign(*fields, **where)

        self.names.update(market=_Market(self), give=given, sign=signed, who=who, refuses=self.refuses)
        self.names.update(malleable_twin=malleable_twin)

    def play(self, line: str) -> None:
        """Plays one line."""
        if line.startswith("#"):
            return
        self.line = line
        if line.startswith("clock.now = "):
            boa.env.timestamp = int(line.removeprefix("clock.now = "))
            self.chapters.append({"line": line, "second": boa.env.timestamp, "kind": "time"})
            return
        exec(line, self.names)

    def refuses(self, function: Any, *arguments: Any, **sender: Any) -> None:
        """A call that was refused when the history failed."""
        function(*arguments, **sender)

    def name(self, address: str) -> str:
        """Who is behind an address, as the REPL calls them."""
        if not self.people or address not in self.people:
            self.people = {str(value): key for key, value in self.names.items() if isinstance(value, str)}
        return self.people.get(address, address)

    def accounts(self, people: Sequence[str]) -> dict[str, Held]:
        """Free balance, reserved money and invoice account of these people: the contract's and the terms'."""
        return {
            address: (_held(self.views.view("account", address)), _held(self.terms.account(address)))
            for address in people
        }

    def everybody(self) -> list[str]:
        """The addresses whose accounts are looked at: everybody that the REPL knows by name and that ever called."""
        known = [str(value) for key, value in self.names.items() if isinstance(value, str) and not key.startswith("_")]
        return list(dict.fromkeys(address for address in known if address.startswith("0x")))

    def call(self, function: str, arguments: tuple[Any, ...], sender: str) -> None:
        """Makes a call of contract and terms, and keeps what came of both."""
        told = [each(value, lambda one: str(one) if isinstance(one, str) else one) for value in arguments]
        people = self.everybody()
        before = {address: self.seen.get(address) or self.accounts([address])[address] for address in people}
        happened = self._contract_does(function, told, sender)
        said = self._terms_say(function, told, sender)
        after = self.seen = self.accounts(people)  # Nothing but a call moves an account.
        moved = [self._moved(address, before[address], after[address]) for address in people]
        wrong = any(one["after"] != one["due"] for one in moved)
        self.chapters.append(
            {
                "line": self.line,
                "second": boa.env.timestamp,
                "kind": "call",
                "sender": self.name(sender),
                "function": function,
                "arguments": [self._shown(value) for value in told],
                "terms": said,
                "contract": happened,
                "agree": said == happened and not wrong,
                "accounts": [one for one in moved if not one["before"] == one["after"] == one["due"]],
            }
        )

    def _moved(self, address: str, before: Held, after: Held) -> dict[str, Any]:
        """What a call did to an account, and what is due: what it would be, had it moved as the terms' did."""
        (was, terms_were), (now, terms_are) = before, after
        due = tuple(held + new - old for held, old, new in zip(was, terms_were, terms_are, strict=True))
        return {"who": self.name(address), "before": _money(was), "after": _money(now), "due": _money(due)}

    def _shown(self, value: Any) -> str:
        if isinstance(value, list | tuple):
            inner = ", ".join(map(self._shown, value))
            return f"[{inner}]" if isinstance(value, list) else f"({inner})"
        if isinstance(value, bytes):
            return "0x" + value.hex() if len(value) <= 32 else f"0x{value.hex()[:16]}… ({len(value)} bytes)"
        return self.name(value) if isinstance(value, str) else str(value)

    def _contract_does(self, function: str, arguments: list[Any], sender: str) -> str:
        data = getattr(self.contract, function).prepare_calldata(*arguments)
        done = boa.env.execute_code(to_address=self.contract.address, sender=sender, data=data)
        if done.is_error:
            return f"refused: {revert_reason(bytes(done.output)) or 'no reason given'}"
        logs = self.contract.get_logs(done, include_child_logs=False, strict=False)
        events = [
            (type(event).__name__, {name: _plain(getattr(event, name)) for name in event._fields if name != "address"})
            for event in logs
            if hasattr(event, "_fields")
        ]
        return self._accepted(int.from_bytes(done.output, "big") if done.output else None, events)

    def _terms_say(self, function: str, arguments: list[Any], sender: str) -> str:
        told = list(arguments)
        if function == "register":
            fields = (sender, told[0])
            told[-1] = self._verdict(told[-1], pairing_hash(*fields), self.terms.pairing_message(*fields))
        elif function == "submit_reading":
            told = self._read(*told)
        elif function == "submit_readings":
            period, entries = told
            told[1] = [(user, *self._read(user, period, *rest)[2:]) for user, *rest in entries]
        try:
            result = getattr(self.terms, function)(*told, sender=sender, now=boa.env.timestamp)
        except model.Refused as refused:
            return f"refused: {refused.reason or 'no reason given'}"
        events = [(name, {key: _plain(value) for key, value in fields.items()}) for name, fields in self.terms.events]
        return self._accepted(result, events)

    def _accepted(self, result: Any, events: list[tuple[str, dict[str, Any]]]) -> str:
        shown = "; ".join(
            f"{name}({', '.join(f'{key}={self._event_value(value)}' for key, value in fields.items())})"
            for name, fields in events
        )
        answer = f", answers {result}" if result is not None else ""
        return f"accepted{answer}" + (f"; {shown}" if shown else "")

    def _event_value(self, value: Any) -> str:
        if isinstance(value, int) and value > 2**100:
            address = next((one for one in self.everybody() if int(one, 16) == value), None)
            return self.name(address) if address else hex(value)
        return str(value)

    def _read(self, user: str, period: int, exported: int, imported: int, signature: bytes) -> list[Any]:
        """A reading as the terms take it, its signature weighed."""
        fields = (user, period, exported, imported)
        return [*fields, self._verdict(signature, reading_hash(*fields), self.terms.reading_message(*fields))]

    def _verdict(self, signature: bytes, struct: bytes, message: Any) -> model.Signature:
        """What a signature is worth, computed from its bytes: over another message it leads to some other address."""
        if len(signature) != 65:
            return model.Signature("malformed")
        if int.from_bytes(signature[32:64], "big") > SECPK1_N // 2:
            return model.Signature("malleable")
        domain = domain_separator(self.terms.chain_id, str(self.contract.address))
        digest = keccak(b"\x19\x01" + domain + struct)
        try:
            given = keys.Signature(signature[:64] + bytes([signature[64] - 27]))
            signer = given.recover_public_key_from_msg_hash(digest).to_checksum_address()
        except (BadSignature, ValidationError, ValueError):
            return model.Signature("unrecoverable")
        return model.Signature("ok", signer, message)


class _Market:
    """Stands for the market at the REPL: views answer, calls are told."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        mutable = [entry for entry in teller.contract.abi if entry.get("stateMutability") == "nonpayable"]
        self._calls = {entry["name"] for entry in mutable if "name" in entry}
        self.address = str(teller.contract.address)

    def __getattr__(self, name: str) -> Any:
        teller = self._teller
        if name not in self._calls:
            return getattr(teller.contract, name)

        def call(*arguments: Any, sender: str) -> None:
            teller.call(name, arguments, str(sender))

        return call


def _held(account: Any) -> tuple[int, ...]:
    return tuple(int(getattr(account, name)) for name in MONEY)


def _money(held: Sequence[int]) -> dict[str, int]:
    return dict(zip(("free", "reserved", "invoice"), held, strict=True))


def _plain(value: Any) -> Any:
    """A field of an event: addresses and words as numbers, texts as they are."""
    if isinstance(value, bytes):
        return int.from_bytes(value, "big")
    if isinstance(value, str):
        return int(value, 16) if value.startswith("0x") else value
    return int(value)
