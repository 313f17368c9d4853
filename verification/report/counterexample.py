"""A counterexample, call by call: who called what, what the terms say, what the contract did, and whose money moved.

The property tests leave a failed history behind as a trace. Here it is played once more, on the contract that failed,
with the model of the terms beside it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boa

from verification.harness.apart import apart
from verification.harness.lockstep import Lockstep
from verification.harness.replay import playing
from wattproof.market.calls import Calls
from wattproof.market.deployment import Tariff
from wattproof.market.trace import Donation, Made, Outcome
from wattproof.market.units import Display
from wattproof.play.shown import UNITS, Show

MAX_TOLD = 400
"""Calls of the history proper that are told; of a longer one the last so many."""

ENDED = "the process ended in this call, or after it"
"""What is told of the call that a crash ended in: it is not made again, nor are the terms asked."""

MAX_SECONDS = 120
"""That a story may take which is told in a process of its own."""

MONEY = ("balance", "reserved", "grid_account")
"""The fields of an account that are money: free, reserved, invoiced."""

Held = tuple[tuple[int, ...], tuple[int, ...]]
"""Somebody's money, as the contract and as the terms have it."""


def tell(trace: Mapping[str, Any] | None, engine_name: str) -> list[dict[str, Any]]:
    """The calls of a history, each with what the terms say, what happened and the accounts that changed.

    Where contract and terms differed in the preset already, the first call in which they did is told, too.

    Args:
        trace: as `Trace.to_json` makes it; None where there is none.
        engine_name: "pyevm" or "revm"; py-evm where the other one is not installed.
    """
    if trace is None:
        return []
    with playing(engine_name):
        teller = Teller(Tariff(**trace["tariff"]))
        for entry in trace["entries"][: trace["beginning"]]:
            teller.play(entry)
        preset, teller.chapters = teller.chapters, []
        for entry in trace["entries"][trace["beginning"] :]:
            teller.play(entry)
        return _of_preset(preset) + teller.chapters[-MAX_TOLD:]


def tell_apart(trace: Mapping[str, Any] | None, engine_name: str) -> list[dict[str, Any]]:
    """The same in a process of its own, for a history that ended one. Raises RuntimeError where that ends, too."""
    with tempfile.TemporaryDirectory(prefix="wattproof-story-") as scratch:
        ended = apart(lambda say: say(tell(trace, engine_name)), MAX_SECONDS, Path(scratch, "said"))
    match ended.said:
        case [list(story)]:
            return story
        case [str(problem)]:
            raise RuntimeError(problem)
    raise RuntimeError(
        f"made again, it ended its process once more, with {ended.how}" if ended.crashed else "time is up"
    )


def _of_preset(preset: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many calls a preset made, and the first in which the contract did not do as the terms say."""
    calls = [chapter for chapter in preset if chapter["kind"] == "call"]
    differ = [chapter for chapter in calls if not chapter["agree"]]
    told = {"kind": "preset", "calls": len(calls), "differ": len(differ), "first": differ[0] if differ else None}
    return [told] if calls else []


class Teller:
    """Plays the entries of a trace and keeps a chapter of each call."""

    def __init__(self, tariff: Tariff) -> None:
        self.lockstep = Lockstep(tariff)
        self.show = Show(Display.of(tariff.ssp), self.lockstep.names, tariff.period_length)
        self.views = Calls(boa.env, self.lockstep.market)
        self.chapters: list[dict[str, Any]] = []
        self.seen: dict[str, Held] = {}

    def play(self, entry: Mapping[str, Any]) -> None:
        """Plays one entry."""
        lockstep = self.lockstep
        match entry["kind"]:
            case "time":
                lockstep.at(entry["second"])
                self.chapters.append({"line": str(lockstep.trace.last), "second": entry["second"], "kind": "time"})
            case "gift":
                lockstep.give(entry["who"]["who"], entry["amount"])
            case "donation":
                giver = lockstep.address(entry["who"]["who"])
                lockstep.token.transfer(lockstep.target, entry["amount"], sender=giver)
                lockstep.model.token.transfer(giver, lockstep.target, entry["amount"])
                lockstep.trace.append(Donation(giver, entry["amount"]))
            case "call" if entry.get("ended"):
                self.ended(entry["function"], [self._value(arg) for arg in entry["args"]], entry["sender"]["who"])
            case "call":
                self.call(entry["function"], [self._value(arg) for arg in entry["args"]], entry["sender"]["who"])

    def _value(self, data: Any) -> Any:
        return self.lockstep.trace.scene.value(data, self.lockstep.address)

    def name(self, address: str) -> str:
        """Who is behind an address."""
        return self.lockstep.names.get(address, address)

    def accounts(self, people: Sequence[str]) -> dict[str, Held]:
        """Free balance, reserved money and invoice account of these people: the contract's and the terms'."""
        model = self.lockstep.model
        return {one: (_held(self.views.view("account", one)), _held(model.account(one))) for one in people}

    def call(self, function: str, arguments: Sequence[Any], sender: str) -> None:
        """Makes a call of contract and terms, and keeps what came of both."""
        self.lockstep.address(sender)
        people = list(self.lockstep.names)
        new = [address for address in people if address not in self.seen]
        before = self.seen | self.accounts(new)
        chain, terms = self.lockstep.both(function, *arguments, sender=sender)
        after = self.seen = self.accounts(people)  # Nothing but a call moves an account.
        moved = [self._moved(address, before[address], after[address]) for address in people]
        happened, said = self._outcome(chain), self._outcome(terms)
        wrong = any(one["after"] != one["due"] for one in moved)
        self._chapter(
            function,
            arguments,
            sender,
            terms=said,
            contract=happened,
            agree=said == happened and not wrong,
            accounts=[one for one in moved if not one["before"] == one["after"] == one["due"]],
        )

    def ended(self, function: str, arguments: Sequence[Any], sender: str) -> None:
        """Keeps a chapter of the call in which a process ended."""
        lockstep = self.lockstep
        made = Made(lockstep.now, function, tuple(arguments), lockstep.address(sender), Outcome(True))
        lockstep.trace.append(made)
        self._chapter(function, arguments, sender, terms="not asked", contract=ENDED, agree=False, accounts=[])

    def _chapter(self, function: str, arguments: Sequence[Any], sender: str, **came_of_it: Any) -> None:
        names = self.lockstep.interface.functions[function].names
        self.chapters.append(
            {
                "line": str(self.lockstep.trace.last),
                "second": self.lockstep.now,
                "kind": "call",
                "sender": sender,
                "function": function,
                "arguments": [
                    f"{name}={self._argument(name, value)}" for name, value in zip(names, arguments, strict=True)
                ],
                **came_of_it,
            }
        )

    def _moved(self, address: str, before: Held, after: Held) -> dict[str, Any]:
        """What a call did to an account, and what is due: what it would be, had it moved as the terms' did."""
        (was, terms_were), (now, terms_are) = before, after
        due = tuple(held + new - old for held, old, new in zip(was, terms_were, terms_are, strict=True))
        return {"who": self.name(address), "before": _money(was), "after": _money(now), "due": _money(due)}

    def _argument(self, name: str, value: Any) -> str:
        return self.show.field("", name, value) if name in UNITS else self._shown(value)

    def _shown(self, value: Any) -> str:
        value = value.bytes() if hasattr(value, "verdict") else value
        if isinstance(value, list | tuple):
            inner = ", ".join(map(self._shown, value))
            return f"[{inner}]" if isinstance(value, list) else f"({inner})"
        if isinstance(value, bytes):
            return "0x" + value.hex() if len(value) <= 32 else f"0x{value.hex()[:16]}… ({len(value)} bytes)"
        return self.name(value) if isinstance(value, str) else str(value)

    def _outcome(self, outcome: Outcome) -> str:
        if not outcome.accepted:
            return f"refused: {outcome.reason or 'no reason given'}"
        answer = f", answers {outcome.result}" if outcome.result is not None else ""
        shown = "; ".join(
            f"{name}({', '.join(f'{key}={self._field(key, value)}' for key, value in fields.items())})"
            for name, fields in outcome.events
        )
        return f"accepted{answer}" + (f"; {shown}" if shown else "")

    def _field(self, key: str, value: Any) -> str:
        """A field of an event: an amount with its unit, an address by name, a text or large number as what it is."""
        if key in UNITS:
            return self.show.field("", key, value)
        if value > 2**100:
            address = next((one for one in self.lockstep.names if int(one, 16) == value), None)
            text = value.to_bytes((value.bit_length() + 7) // 8, "big")
            return self.name(address) if address else text.decode() if text.isascii() else hex(value)
        return str(int(value))


def _held(account: Any) -> tuple[int, ...]:
    return tuple(int(getattr(account, name)) for name in MONEY)


def _money(held: Sequence[int]) -> dict[str, int]:
    return dict(zip(("free", "reserved", "invoice"), held, strict=True))
